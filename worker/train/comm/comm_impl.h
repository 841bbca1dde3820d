/* SPDX-License-Identifier: Apache-2.0
 * comm_impl.h - what a communicator is made of; one implementation per file. */
#ifndef ASY__COMM_IMPL_H
#define ASY__COMM_IMPL_H
#include <asy/comm.h>
#include "node.h"

struct asy_comm {
    int rank, size;
    struct asy__node node;
    float *alone; /* memory of a node of one rank; NULL: none yet */
    size_t alone_len;
    int rounds; /* asy_comm_round() */
    int is_over; /* a call failed with ASY_E_GONE */
    struct asy_error why; /* then: how; before, what callers did not want to know */
    /* Makes the node's memory and lays it out. */
    int (*share)(struct asy_comm *comm, size_t n_own, size_t n_common, struct asy_error *err);
    /* node.total [n + n_tail] = sum of own over all ranks, once those of the node have come; it
     * waits for them. NULL: all ranks are on this node. */
    int (*chain)(struct asy_comm *comm, size_t n, size_t n_tail, struct asy_error *err);
    /* asy_comm_order() and asy_comm_ready(). NULL: there is no use for them. */
    int (*order)(struct asy_comm *comm, const struct asy_comm_extent *extents, size_t n_extents,
                 size_t n_tail, struct asy_error *err);
    int (*ready)(struct asy_comm *comm, size_t n, struct asy_error *err);
    /* NULL for one rank: there is nothing to do. */
    int (*spread)(struct asy_comm *comm, float *x, size_t n, struct asy_error *err);
    int (*sum_f64)(struct asy_comm *comm, double *x, size_t n, struct asy_error *err);
    int (*sum_i64)(struct asy_comm *comm, int64_t *x, size_t n, struct asy_error *err);
    int (*bcast)(struct asy_comm *comm, void *bytes, size_t n, int root, struct asy_error *err);
    void (*destroy)(struct asy_comm *comm);
};
/* Of what all implementations have. */
void asy__comm_fini(struct asy_comm *comm);
/* share() of a rank that is alone on its node. */
ASY_MUST_CHECK int asy__comm_share_alone(struct asy_comm *comm, size_t n_own, size_t n_common,
                                         struct asy_error *err);
/* For tests, before asy_comm_mpi() (in asy-comm-mpi): nodes have at most so many ranks. */
void asy__mpi_limit_nodes(int ranks);
#endif
