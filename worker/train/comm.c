/* SPDX-License-Identifier: Apache-2.0
 * comm.c - the communicator's public calls, and the one for a single rank, which does nothing at
 * all: every sum over one rank is what it was. */
#include "comm_impl.h"
#include <stdlib.h>

static void destroy_self(struct asy_comm *comm)
{
    free(comm);
}

int asy_comm_self(struct asy_comm **ret_comm, struct asy_error *err)
{
    struct asy_comm *comm = calloc(1, sizeof *comm);

    if (!comm)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a communicator");
    comm->size = 1;
    comm->destroy = destroy_self;
    *ret_comm = comm;
    return 0;
}

void asy_comm_destroy(struct asy_comm *comm)
{
    if (comm)
        comm->destroy(comm);
}

int asy_comm_rank(const struct asy_comm *comm)
{
    return comm->rank;
}

int asy_comm_size(const struct asy_comm *comm)
{
    return comm->size;
}

int asy_comm_sum_f32(struct asy_comm *comm, float *x, size_t n, struct asy_error *err)
{
    return comm->sum_f32 ? comm->sum_f32(comm, x, n, err) : 0;
}

int asy_comm_sum_f64(struct asy_comm *comm, double *x, size_t n, struct asy_error *err)
{
    return comm->sum_f64 ? comm->sum_f64(comm, x, n, err) : 0;
}

int asy_comm_bcast(struct asy_comm *comm, void *bytes, size_t n, int root, struct asy_error *err)
{
    return comm->bcast ? comm->bcast(comm, bytes, n, root, err) : 0;
}
