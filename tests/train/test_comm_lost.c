/* SPDX-License-Identifier: Apache-2.0
 * One rank of a node loses the gang: none of the others waits for it. A gang is over only once, so
 * each way has a run of its own: `mpirun -n 4 test_comm_lost WAY RANKS`; RANKS: of a node at most,
 * 0 for all. MPI fails by word of the test, before it has sent anything, and is ended here. */
#include <asytest.h>
#include <mpi.h>
#include <sched.h>
#include <asy/comm.h>
#include <asy/kernels.h>
#include "comm/comm_impl.h"

#define N 1000
#define TAIL 1

static struct asy_comm *comm;
static struct asy_comm_memory memory;
static int fails;      /* what MPI is asked for between nodes */
static int loses;      /* what all gave, on the last rank of each node */
static int splits = 1; /* communicators */
static int asked;      /* how often it was */

/* ---- MPI that fails -------------------------------------------------------------------------- */

/* The linker sends the module's calls here (--wrap). */
int __real_MPI_Sendrecv(const void *out, int n_out, MPI_Datatype type_out, int to, int tag_out,
                        void *in, int n_in, MPI_Datatype type_in, int from, int tag_in,
                        MPI_Comm among, MPI_Status *status);
int __wrap_MPI_Sendrecv(const void *out, int n_out, MPI_Datatype type_out, int to, int tag_out,
                        void *in, int n_in, MPI_Datatype type_in, int from, int tag_in,
                        MPI_Comm among, MPI_Status *status);
int __real_MPI_Isend(const void *x, int n, MPI_Datatype type, int to, int tag, MPI_Comm among,
                     MPI_Request *request);
int __wrap_MPI_Isend(const void *x, int n, MPI_Datatype type, int to, int tag, MPI_Comm among,
                     MPI_Request *request);
int __real_MPI_Irecv(void *x, int n, MPI_Datatype type, int from, int tag, MPI_Comm among,
                     MPI_Request *request);
int __wrap_MPI_Irecv(void *x, int n, MPI_Datatype type, int from, int tag, MPI_Comm among,
                     MPI_Request *request);
int __real_MPI_Bcast(void *x, int n, MPI_Datatype type, int root, MPI_Comm among);
int __wrap_MPI_Bcast(void *x, int n, MPI_Datatype type, int root, MPI_Comm among);
int __real_MPI_Allgather(const void *x, int n, MPI_Datatype type, void *all, int n_all,
                         MPI_Datatype type_all, MPI_Comm among);
int __wrap_MPI_Allgather(const void *x, int n, MPI_Datatype type, void *all, int n_all,
                         MPI_Datatype type_all, MPI_Comm among);

int __real_MPI_Testany(int n, MPI_Request requests[], int *which, int *over, MPI_Status *status);
int __wrap_MPI_Testany(int n, MPI_Request requests[], int *which, int *over, MPI_Status *status);
int __real_MPI_Comm_split(MPI_Comm among, int color, int key, MPI_Comm *ret);
int __wrap_MPI_Comm_split(MPI_Comm among, int color, int key, MPI_Comm *ret);

int __wrap_MPI_Sendrecv(const void *out, int n_out, MPI_Datatype type_out, int to, int tag_out,
                        void *in, int n_in, MPI_Datatype type_in, int from, int tag_in,
                        MPI_Comm among, MPI_Status *status)
{
    asked++;
    return fails ? MPI_ERR_OTHER
                 : __real_MPI_Sendrecv(out, n_out, type_out, to, tag_out, in, n_in, type_in, from,
                                       tag_in, among, status);
}

int __wrap_MPI_Isend(const void *x, int n, MPI_Datatype type, int to, int tag, MPI_Comm among,
                     MPI_Request *request)
{
    asked++;
    return fails ? MPI_ERR_OTHER : __real_MPI_Isend(x, n, type, to, tag, among, request);
}

int __wrap_MPI_Irecv(void *x, int n, MPI_Datatype type, int from, int tag, MPI_Comm among,
                     MPI_Request *request)
{
    asked++;
    return fails ? MPI_ERR_OTHER : __real_MPI_Irecv(x, n, type, from, tag, among, request);
}

int __wrap_MPI_Bcast(void *x, int n, MPI_Datatype type, int root, MPI_Comm among)
{
    asked++;
    return fails ? MPI_ERR_OTHER : __real_MPI_Bcast(x, n, type, root, among);
}

/* The last rank of a node has what all gave, and does not know. */
int __wrap_MPI_Allgather(const void *x, int n, MPI_Datatype type, void *all, int n_all,
                         MPI_Datatype type_all, MPI_Comm among)
{
    int code = __real_MPI_Allgather(x, n, type, all, n_all, type_all, among);

    asked++;
    return loses && asy_comm_local_rank(comm) + 1 == asy_comm_local_size(comm) ? MPI_ERR_OTHER
                                                                               : code;
}

int __wrap_MPI_Testany(int n, MPI_Request requests[], int *which, int *over, MPI_Status *status)
{
    asked++;
    return __real_MPI_Testany(n, requests, which, over, status);
}

int __wrap_MPI_Comm_split(MPI_Comm among, int color, int key, MPI_Comm *ret)
{
    return splits ? __real_MPI_Comm_split(among, color, key, ret) : MPI_ERR_OTHER;
}

/* ---- ways ------------------------------------------------------------------------------------ */

static int add_up(struct asy_error *err)
{
    struct asy_comm_sum sum;
    float tail[TAIL];

    return asy_comm_reduce(comm, N, TAIL, tail, &sum, err);
}

static int add_up_under_way(struct asy_error *err)
{
    int rc = asy_comm_ready(comm, N, err);

    return rc < 0 ? rc : add_up(err);
}

static int spread(struct asy_error *err)
{
    return asy_comm_spread(comm, memory.common, N, err);
}

/* One rank fails here; the others meet it no more. */
static int add_up_twice(struct asy_error *err)
{
    double x = 1;
    int rc = asy_comm_sum_f64(comm, &x, 1, err);

    return rc < 0 ? rc : add_up(err);
}

/* The node's first rank does not ask why. */
static int add_up_unasked(struct asy_error *err)
{
    if (asy_comm_local_rank(comm) == 0)
        T_EQ("unasked", add_up(NULL), ASY_E_GONE);
    return add_up(err);
}

/* Where it is lost, nothing says so at once. */
static int settle(struct asy_error *err)
{
    double x = 1;
    int rc = asy_comm_sum_f64(comm, &x, 1, err);

    if (rc < 0)
        return rc;
    asy_comm_settle(comm);
    return asy_comm_ready(comm, N, err);
}

/* The others ask for nothing more; how they know of it here, they do not in a job. */
static int leave(struct asy_error *err)
{
    double x = 1;
    int rc = asy_comm_sum_f64(comm, &x, 1, err);

    if (rc < 0)
        return rc;
    while ((rc = asy__node_check(&comm->node, err)) == 0)
        sched_yield();
    return rc;
}

static const struct way {
    const char *name;
    int (*call)(struct asy_error *err);
    int in_order;   /* sums go during a pass */
    int last_fails; /* not the first of each node, but the last */
    const char *why[2];
} ways[] = {
    { "chain", add_up, 0, 0, { "MPI_Sendrecv failed", "" } },
    { "stream", add_up_under_way, 1, 0, { "MPI_I", " failed" } },
    { "stream-late", add_up, 1, 0, { "MPI_I", " failed" } },
    { "spread", spread, 0, 0, { "MPI_Bcast failed", "" } },
    { "unasked", add_up_unasked, 0, 0, { "MPI_Sendrecv failed", "" } },
    { "any", add_up_twice, 0, 1, { "MPI_Allgather failed", "" } },
    { "sibling", add_up_twice, 1, 1, { "MPI_Allgather failed", "" } },
    { "settle", settle, 1, 1, { "MPI_Allgather failed", "" } },
    { "leave", leave, 0, 1, { "MPI_Allgather failed", "" } },
    { "begin", NULL, 0, 0, { "MPI_Comm_split failed", "" } }, /* there is no gang yet */
};
static const struct way *way;

static void check_loss(int rc, const struct asy_error *err)
{
    int rank = asy_comm_rank(comm), lost = rank - asy_comm_local_rank(comm);
    char who[32];

    lost += way->last_fails ? asy_comm_local_size(comm) - 1 : 0;
    snprintf(who, sizeof who, "rank %d: ", lost);
    T_EQ(way->name, rc, ASY_E_GONE);
    T_HAS(way->name, err->text, way->why[0]);
    T_HAS(way->name, err->text, way->why[1]);
    T_HAS(way->name, err->text, rank == lost ? "" : who);
}

/* Whatever is asked for, the answer is there. */
static void check_calls(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    double x = 1;
    int64_t z = 1;

    asked = 0;
    asy_comm_settle(comm);
    check_loss(asy_comm_sum_f64(comm, &x, 1, &err), &err);
    check_loss(asy_comm_sum_i64(comm, &z, 1, &err), &err);
    check_loss(asy_comm_ready(comm, N, &err), &err);
    check_loss(add_up(&err), &err);
    check_loss(spread(&err), &err);
    check_loss(asy_comm_bcast(comm, &z, sizeof z, 0, &err), &err);
    check_loss(asy_comm_share(comm, (size_t)asy_comm_size(comm), 1, 1, &memory, &err), &err);
    T_EQ("calls of MPI", asked, 0);
}

static void a_node_loses_the_gang_together(void)
{
    static const struct asy_comm_extent order[] = { { 0, N } };
    struct asy_error err = ASY_ERROR_INIT;

    if (!T_OK(asy_comm_share(comm, (size_t)asy_comm_size(comm), N + TAIL, N, &memory, &err),
              &err) ||
        !T_OK(asy_comm_order(comm, order, (size_t)way->in_order, TAIL, &err), &err))
        return;
    asy_comm_settle(comm);
    fails = !way->last_fails;
    loses = way->last_fails;
    check_loss(way->call(&err), &err);
    if (way->call != leave)
        check_calls();
}

/* It would wait for ranks that are not there any more. */
static void the_end_waits_for_nobody(void)
{
    int finalized = 1;

    asy_comm_destroy(comm);
    comm = NULL;
    T_EQ("MPI", MPI_Finalized(&finalized), MPI_SUCCESS);
    T_EQ("finalized", finalized, 0);
}

static void a_gang_may_be_lost_before_it_is_one(void)
{
    struct asy_error err = ASY_ERROR_INIT;

    splits = 0;
    T_EQ(way->name, asy_comm_mpi(&comm, &err), ASY_E_GONE);
    T_HAS(way->name, err.text, way->why[0]);
    the_end_waits_for_nobody();
}

int main(int argc, char **argv)
{
    static const struct t_test tests[] = {
        T_TEST(a_node_loses_the_gang_together),
        T_TEST(the_end_waits_for_nobody),
    }, before[] = {
        T_TEST(a_gang_may_be_lost_before_it_is_one),
    };
    struct asy_error err = ASY_ERROR_INIT;
    int rc;

    for (size_t i = 0; argc == 3 && i < ASY_ARRAY_LEN(ways); i++)
        if (!strcmp(argv[1], ways[i].name))
            way = &ways[i];
    if (!way) {
        fprintf(stderr, "usage: test_comm_lost WAY RANKS\n");
        return 2;
    }
    asy_kernels_init();
    asy__mpi_limit_nodes(argv[2][0] - '0');
    if (way->call && asy_comm_mpi(&comm, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return 2;
    }
    rc = way->call ? t__main("comm_lost", tests, ASY_ARRAY_LEN(tests))
                   : t__main("comm_lost", before, ASY_ARRAY_LEN(before));
    MPI_Finalize();
    return rc;
}
