/* SPDX-License-Identifier: Apache-2.0
 * comm_impl.h - what a communicator is made of; one implementation per file. */
#ifndef ASY__COMM_IMPL_H
#define ASY__COMM_IMPL_H
#include <asy/comm.h>

struct asy_comm {
    int rank, size;
    /* NULL for one rank: there is nothing to do. */
    int (*sum_f32)(struct asy_comm *comm, float *x, size_t n, struct asy_error *err);
    int (*sum_f64)(struct asy_comm *comm, double *x, size_t n, struct asy_error *err);
    int (*bcast)(struct asy_comm *comm, void *bytes, size_t n, int root, struct asy_error *err);
    void (*destroy)(struct asy_comm *comm);
};
#endif
