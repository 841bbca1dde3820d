/* SPDX-License-Identifier: Apache-2.0
 * comm.c - the communicator's public calls, and the one for a single rank, which does nothing at
 * all: every sum over one rank is what it was. */
#include "comm_impl.h"
#include <stdlib.h>
#include <string.h>
#include <asy/pages.h>

/* ---- one rank -------------------------------------------------------------------------------- */

void asy__comm_fini(struct asy_comm *comm)
{
    free((void *)comm->node.rows);
    free(comm->alone);
}

int asy__comm_share_alone(struct asy_comm *comm, size_t n_own, size_t n_common,
                          struct asy_error *err)
{
    int spans = comm->size > comm->node.size;
    size_t room = asy__node_room(&comm->node, n_own, n_common, spans);

    if (room == 0)
        return asy_fail(err, ASY_E_TOOBIG, "%zu numbers to share are too many", n_common);
    if (room > comm->alone_len) {
        free(comm->alone);
        comm->alone_len = 0;
        if (!(comm->alone = asy_pages_alloc(room * sizeof(float))))
            return asy_fail(err, ASY_E_NOMEM, "no memory for %zu MiB of parameters, gradients and "
                            "the optimiser's state", room * sizeof(float) >> 20);
        comm->alone_len = room;
    }
    asy__node_lay_out(&comm->node, n_own, n_common, spans, comm->alone);
    return 0;
}

static void destroy_self(struct asy_comm *comm)
{
    asy__comm_fini(comm);
    free(comm);
}

int asy_comm_self(struct asy_comm **ret_comm, struct asy_error *err)
{
    struct asy_comm *comm = calloc(1, sizeof *comm);

    if (!comm)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a communicator");
    comm->size = comm->node.size = 1;
    comm->share = asy__comm_share_alone;
    comm->destroy = destroy_self;
    *ret_comm = comm;
    return 0;
}

/* ---- public calls ---------------------------------------------------------------------------- */

/* Where a call says how it failed: a loss must be known also where its caller does not ask. */
static struct asy_error *reason(struct asy_comm *comm, struct asy_error *err)
{
    return err ? err : &comm->why;
}

/* Before all else in a call: what is lost cannot be asked again, and must not be waited for. */
static int check_over(const struct asy_comm *comm, struct asy_error *err)
{
    return comm->is_over ? asy_fail(err, ASY_E_GONE, "%s", comm->why.text) : 0;
}

/* Whoever loses the gang says so to the ranks of its node, which would wait for it. */
static int told(struct asy_comm *comm, int rc, const struct asy_error *err)
{
    if (rc == ASY_E_GONE) {
        comm->is_over = 1;
        if (err)
            comm->why = *err;
        asy__node_give_up(&comm->node, comm->rank, &comm->why);
    }
    return rc;
}

void asy_comm_destroy(struct asy_comm *comm)
{
    if (!comm)
        return;
    if (asy__node_check(&comm->node, &comm->why) < 0) /* since this rank's last call */
        comm->is_over = 1;
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

int asy_comm_local_size(const struct asy_comm *comm)
{
    return comm->node.size;
}

int asy_comm_local_rank(const struct asy_comm *comm)
{
    return comm->node.index;
}

int asy_comm_share(struct asy_comm *comm, size_t n_arrays, size_t n_own, size_t n_common,
                   struct asy_comm_memory *ret, struct asy_error *err)
{
    struct asy__node *node = &comm->node;
    size_t from, to;
    int rc;

    comm->rounds = 0;
    /* What one rank alone may lack comes last: the others would wait for it in share(). */
    if ((rc = asy_comm_order(comm, NULL, 0, 0, err)) < 0 || /* of the last job */
        (rc = asy__node_divide(node, comm->rank, comm->size, n_arrays, err)) < 0 ||
        (rc = told(comm, comm->share(comm, n_own, n_common, reason(comm, err)), err)) < 0 ||
        (rc = asy__node_prepare(node, err)) < 0)
        return rc;
    *ret = (struct asy_comm_memory){
        .own = asy__node_own(node),
        .first = n_arrays * (size_t)comm->rank / (size_t)comm->size,
        .count = node->count,
        .stride = node->stride,
        .common = node->common,
    };
    asy__node_slice(node, n_common, &from, &to);
    /* Of gradients that are used up while they are made nobody writes most. */
    if (comm->alone && node->common == comm->alone)
        asy_pages_clear(ret->own, node->count * node->stride * sizeof(float));
    else
        memset(ret->own, 0, node->count * node->stride * sizeof(float));
    memset(ret->common + from, 0, (to - from) * sizeof(float));
    return 0;
}

int asy_comm_meet(struct asy_comm *comm, size_t n, size_t n_tail, float *ret_tail,
                  struct asy_comm_sum *ret, struct asy_error *err)
{
    const struct asy__node *node = &comm->node;
    float *own = asy__node_own(node);
    int rc;

    ASY_ASSERT(n + n_tail <= node->n_own, "%zu + %zu of %zu", n, n_tail, node->n_own);
    if ((rc = check_over(comm, err)) < 0)
        return rc;
    rc = comm->chain ? comm->chain(comm, n, n_tail, reason(comm, err))
                     : asy__node_wait(node, reason(comm, err));
    if (rc < 0)
        return told(comm, rc, err);
    asy__node_slice(node, n, &ret->from, &ret->to);
    if (comm->chain) {
        memcpy(ret_tail, node->total + n, n_tail * sizeof *ret_tail);
        ret->x = node->total;
        return 0;
    }
    asy__node_sum(node, NULL, n, n_tail, ret_tail);
    ret->x = own;
    return 0;
}

/* No other rank reads this one's part of any array, so it may stay in place. */
void asy_comm_add_up(struct asy_comm *comm, const struct asy_comm_sum *sum, size_t from, size_t to)
{
    if (!comm->chain)
        asy__node_sum(&comm->node, NULL, from, to - from, sum->x + from);
}

const float *asy_comm_array(const struct asy_comm *comm, size_t i)
{
    ASY_ASSERT(i < comm->node.arrays, "array %zu of %zu", i, comm->node.arrays);
    return comm->node.own + i * comm->node.stride;
}

void asy_comm_share_out(const struct asy_comm *comm, size_t n, size_t *ret_from, size_t *ret_to)
{
    asy__node_slice(&comm->node, n, ret_from, ret_to);
}

int asy_comm_reduce(struct asy_comm *comm, size_t n, size_t n_tail, float *ret_tail,
                    struct asy_comm_sum *ret, struct asy_error *err)
{
    int rc = asy_comm_meet(comm, n, n_tail, ret_tail, ret, err);

    if (rc == 0)
        asy_comm_add_up(comm, ret, ret->from, ret->to);
    return rc;
}

void asy_comm_round(struct asy_comm *comm)
{
    comm->rounds = 1;
}

int asy_comm_order(struct asy_comm *comm, const struct asy_comm_extent *extents, size_t n_extents,
                   size_t n_tail, struct asy_error *err)
{
    int rc = check_over(comm, err);

    return rc < 0 || !comm->order ? rc : comm->order(comm, extents, n_extents, n_tail, err);
}

int asy_comm_ready(struct asy_comm *comm, size_t n, struct asy_error *err)
{
    int rc = check_over(comm, err);

    if (rc == 0 && comm->ready)
        rc = told(comm, comm->ready(comm, n, reason(comm, err)), err);
    return rc;
}

void asy_comm_settle(struct asy_comm *comm)
{
    if (!comm->is_over && asy__node_wait(&comm->node, &comm->why) < 0)
        comm->is_over = 1; /* as the next call says */
}

int asy_comm_spread(struct asy_comm *comm, float *x, size_t n, struct asy_error *err)
{
    int rc = check_over(comm, err);

    if (rc == 0 && comm->spread)
        rc = told(comm, comm->spread(comm, x, n, reason(comm, err)), err);
    return rc;
}

int asy_comm_sum_f64(struct asy_comm *comm, double *x, size_t n, struct asy_error *err)
{
    int rc = check_over(comm, err);

    if (rc == 0 && comm->sum_f64)
        rc = told(comm, comm->sum_f64(comm, x, n, reason(comm, err)), err);
    return rc;
}

int asy_comm_sum_i64(struct asy_comm *comm, int64_t *x, size_t n, struct asy_error *err)
{
    int rc = check_over(comm, err);

    if (rc == 0 && comm->sum_i64)
        rc = told(comm, comm->sum_i64(comm, x, n, reason(comm, err)), err);
    return rc;
}

int asy_comm_bcast(struct asy_comm *comm, void *bytes, size_t n, int root, struct asy_error *err)
{
    int rc = check_over(comm, err);

    if (rc == 0 && comm->bcast)
        rc = told(comm, comm->bcast(comm, bytes, n, root, reason(comm, err)), err);
    return rc;
}
