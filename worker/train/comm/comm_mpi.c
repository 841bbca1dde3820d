/* SPDX-License-Identifier: Apache-2.0
 * comm_mpi.c - the communicator over MPI_COMM_WORLD.
 *
 * Ranks of a node that are numbered in a row share memory of their own making (node.h); where any
 * of them cannot, each rank of the gang is a node to itself. Before they turn to MPI the ranks of a
 * node wait for each other at their barrier, which sleeps; MPI would spin. Not so in a sum that is
 * on its way meanwhile (comm_stream.c): its first rank looks at MPI until the sum is there.
 *
 * A sum in place goes in pieces of PIECE bytes: each rank gets its share of the piece from all
 * ranks (MPI_Alltoall), adds the shares in rank order and gives its sums to all (MPI_Allgather). Of
 * few numbers all ranks get all and add them up in that same order: one wait for each other, not
 * two. MPI_Allreduce was rejected: its order of summation, and so the bits, depend on size and on
 * the algorithm that the library picks. */
#include "comm_mpi.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PIECE (1u << 20)
#define FEW 1024 /* bytes */

int asy__mpi_check(int code, const char *what, struct asy_error *err)
{
    char text[MPI_MAX_ERROR_STRING] = "";
    int len = 0;

    if (code == MPI_SUCCESS)
        return 0;
    MPI_Error_string(code, text, &len);
    return asy_fail(err, ASY_E_GONE, "%s failed: %.*s", what, len, text);
}

/* ---- sums in place --------------------------------------------------------------------------- */

/* One set of functions for each type; piece: x [n], n * sizeof *x at most the room. */
#define SUMS(name, real, type)                                                                     \
    static int name##_few(struct mpi_comm *comm, real *x, size_t n, struct asy_error *err)         \
    {                                                                                              \
        real *all = (real *)(void *)comm->receive;                                                 \
        int rc = asy__mpi_check(MPI_Allgather(x, (int)n, type, all, (int)n, type, comm->world),    \
                                "MPI_Allgather", err);                                             \
                                                                                                   \
        if (rc < 0)                                                                                \
            return rc;                                                                             \
        memcpy(x, all, n * sizeof *x);                                                             \
        for (size_t r = 1; r < (size_t)comm->base.size; r++)                                       \
            for (size_t i = 0; i < n; i++)                                                         \
                x[i] += all[r * n + i];                                                            \
        return 0;                                                                                  \
    }                                                                                              \
                                                                                                   \
    static int name##_piece(struct mpi_comm *comm, real *x, size_t n, struct asy_error *err)       \
    {                                                                                              \
        size_t size = (size_t)comm->base.size, share = (n + size - 1) / size;                      \
        real *send = (real *)(void *)comm->send, *receive = (real *)(void *)comm->receive;         \
        int rc;                                                                                    \
                                                                                                   \
        if (n * sizeof *x <= FEW && n * size * sizeof *x <= comm->room)                            \
            return name##_few(comm, x, n, err);                                                    \
        memcpy(send, x, n * sizeof *x);                                                            \
        memset(send + n, 0, (share * size - n) * sizeof *x);                                       \
        rc = asy__mpi_check(MPI_Alltoall(send, (int)share, type, receive, (int)share, type,        \
                                         comm->world), "MPI_Alltoall", err);                       \
        if (rc < 0)                                                                                \
            return rc;                                                                             \
        for (size_t r = 1; r < size; r++)                                                          \
            for (size_t i = 0; i < share; i++)                                                     \
                receive[i] += receive[r * share + i];                                              \
        rc = asy__mpi_check(MPI_Allgather(receive, (int)share, type, send, (int)share, type,       \
                                          comm->world), "MPI_Allgather", err);                     \
        if (rc == 0)                                                                               \
            memcpy(x, send, n * sizeof *x);                                                        \
        return rc;                                                                                 \
    }                                                                                              \
                                                                                                   \
    static int name(struct asy_comm *base, real *x, size_t n, struct asy_error *err)               \
    {                                                                                              \
        struct mpi_comm *comm = (struct mpi_comm *)base;                                           \
        size_t piece = comm->room / sizeof *x / (size_t)base->size * (size_t)base->size;           \
        int rc = asy__node_wait(&base->node, err);                                                 \
                                                                                                   \
        for (size_t at = 0; at < n && rc == 0; at += piece)                                        \
            rc = name##_piece(comm, x + at, n - at < piece ? n - at : piece, err);                 \
        return rc;                                                                                 \
    }
SUMS(sum_f64, double, MPI_DOUBLE)
SUMS(sum_i64, int64_t, MPI_INT64_T)

/* ---- from one to all ------------------------------------------------------------------------- */

int asy__mpi_bcast(MPI_Comm among, void *bytes, size_t n, int root, struct asy_error *err)
{
    char *at = bytes;
    int rc = 0;

    while (n > 0 && rc == 0) {
        size_t piece = n < (1u << 30) ? n : 1u << 30; /* counts are ints */

        rc = asy__mpi_check(MPI_Bcast(at, (int)piece, MPI_BYTE, root, among), "MPI_Bcast", err);
        at += piece;
        n -= piece;
    }
    return rc;
}

static int bcast(struct asy_comm *base, void *bytes, size_t n, int root, struct asy_error *err)
{
    int rc = asy__node_wait(&base->node, err);

    return rc < 0 ? rc : asy__mpi_bcast(((struct mpi_comm *)base)->world, bytes, n, root, err);
}

static int spread(struct asy_comm *base, float *x, size_t n, struct asy_error *err)
{
    struct mpi_comm *comm = (struct mpi_comm *)base;
    int rc = asy__node_wait(&base->node, err);

    if (rc == 0 && comm->leaders != MPI_COMM_NULL)
        rc = asy__mpi_bcast(comm->leaders, x, n * sizeof *x, 0, err);
    return rc < 0 ? rc : asy__node_wait(&base->node, err);
}

/* ---- memory ---------------------------------------------------------------------------------- */

/* The node's first rank makes it, the others map it; what went wrong is told on the rank alone on
 * which it did, or on all others of the node where there is nothing to map. */
static int obtain(struct mpi_comm *comm, size_t bytes, struct asy__memory *ret,
                  struct asy_error *err)
{
    struct asy__memory_key key = { 0 };
    struct asy_error lost = ASY_ERROR_INIT;
    int leads = comm->base.node.index == 0, rc = 0;

    if (leads && (rc = asy__memory_make(bytes, ret, err)) == 0)
        key = asy__memory_key(ret);
    if (asy__mpi_bcast(comm->local, &key, sizeof key, 0, &lost) < 0)
        return rc < 0 ? rc : asy_fail(err, lost.code, "%s", lost.text);
    if (leads)
        return rc;
    if (key.bytes == 0)
        return asy_fail(err, ASY_E_NOMEM, "no memory for %zu MiB that ranks share", bytes >> 20);
    return asy__memory_map(&key, ret, err);
}

/* What this rank zeroes is taken up by it: near its core, and never missing later. */
static int reserve(const struct mpi_comm *comm, struct asy_error *err)
{
    const struct asy__node *node = &comm->base.node;
    const char *begin = comm->memory.at;
    size_t from, to, head = (size_t)(node->own - (const float *)comm->memory.at);
    int rc;

    asy__node_slice(node, head, &from, &to);
    if ((rc = asy__memory_reserve(&comm->memory, from * sizeof(float), (to - from) * sizeof(float),
                                  err)) < 0)
        return rc;
    return asy__memory_reserve(&comm->memory, (size_t)((const char *)asy__node_own(node) - begin),
                               node->count * node->stride * sizeof(float), err);
}

/* Whether all ranks of the node succeeded; if not, none keeps what it has. */
static int agree(struct mpi_comm *comm, int rc, struct asy_error *err)
{
    int has = rc == 0, all_have = 0;
    int code = MPI_Allreduce(&has, &all_have, 1, MPI_INT, MPI_MIN, comm->local);

    asy__memory_close_fd(&comm->memory);
    if (rc == 0 && code != MPI_SUCCESS)
        rc = asy__mpi_check(code, "MPI_Allreduce", err);
    else if (rc == 0 && !all_have)
        rc = asy_fail(err, ASY_E_NOMEM, "no memory for %zu MiB that ranks share",
                      comm->memory.bytes >> 20);
    if (rc < 0)
        asy__memory_fini(&comm->memory);
    return rc;
}

/* Whether all of these ranks say the same. */
static int check_same(MPI_Comm among, const char *what, size_t n, struct asy_error *err)
{
    int64_t ours[2] = { (int64_t)n, -(int64_t)n }, most[2];
    int rc = asy__mpi_check(MPI_Allreduce(ours, most, 2, MPI_INT64_T, MPI_MAX, among),
                            "MPI_Allreduce", err);

    if (rc < 0 || most[0] == -most[1])
        return rc;
    return asy_fail(err, ASY_E_STATE, "ranks disagree: they have %lld to %lld numbers %s",
                    -(long long)most[1], (long long)most[0], what);
}

/* Ranks of other sizes would add up what does not belong together, in memory laid out in other
 * ways: whatever made them differ, it ends here. Nodes may differ in what theirs have in common;
 * if such ranks fail, so does the gang when it agrees. */
static int check_sizes(const struct mpi_comm *comm, size_t n_own, size_t n_common,
                       struct asy_error *err)
{
    int rc;

    if ((rc = asy__node_wait(&comm->base.node, err)) < 0 ||
        (rc = check_same(comm->world, "to add up", n_own, err)) < 0 || comm->base.node.size == 1)
        return rc;
    return check_same(comm->local, "in common", n_common, err);
}

/* Sizes are the same on all ranks of a node, and so is the way through here. */
static int share(struct asy_comm *base, size_t n_own, size_t n_common, struct asy_error *err)
{
    struct mpi_comm *comm = (struct mpi_comm *)base;
    int spans = comm->nodes > 1, rc;
    size_t room;

    if ((rc = check_sizes(comm, n_own, n_common, err)) < 0)
        return rc;
    if (base->node.size == 1)
        return asy__comm_share_alone(base, n_own, n_common, err);
    if ((room = asy__node_room(&base->node, n_own, n_common, spans)) == 0)
        return asy_fail(err, ASY_E_TOOBIG, "%zu numbers to share are too many", n_common);
    if (room * sizeof(float) <= comm->memory.bytes) {
        asy__node_lay_out(&base->node, n_own, n_common, spans, comm->memory.at);
        return 0;
    }
    if ((rc = asy__node_wait(&base->node, err)) < 0) /* nobody uses the old one any more */
        return rc;
    asy__memory_fini(&comm->memory);
    if ((rc = obtain(comm, room * sizeof(float), &comm->memory, err)) == 0) {
        asy__node_lay_out(&base->node, n_own, n_common, spans, comm->memory.at);
        rc = reserve(comm, err);
    }
    return agree(comm, rc, err);
}

/* ---- beginning and end ----------------------------------------------------------------------- */

static void destroy(struct asy_comm *base)
{
    struct mpi_comm *comm = (struct mpi_comm *)base;
    int initialized = 0, finalized = 0;

    MPI_Initialized(&initialized);
    MPI_Finalized(&finalized);
    if (initialized && !finalized && !base->is_over) /* it would wait for what is lost */
        MPI_Finalize();
    asy__memory_fini(&comm->memory);
    asy__memory_fini(&comm->control);
    asy__comm_fini(base);
    asy__stream_destroy(comm->stream);
    free(comm->send);
    free(comm->receive);
    free(comm);
}

#define PLACE 256 /* bytes that say where a rank is */

static int ranks_limit;

void asy__mpi_limit_nodes(int ranks)
{
    ranks_limit = ranks;
}

static void read_line(const char *path, char *line, size_t n)
{
    FILE *f = fopen(path, "re");
    size_t len = f ? fread(line, 1, n - 1, f) : 0;

    line[len] = '\0';
    line[strcspn(line, "\n")] = '\0';
    if (f)
        fclose(f);
}

/* Equal for ranks that see each other in /proc and belong to one agent. MPI is not asked: nodes
 * that share a host name are one to some of its ranks and two to others. */
static void describe_place(int rank, char place[PLACE])
{
    const char *scratch = getenv("ASSAY_SCRATCH");
    char boot[64];
    struct stat ns;

    memset(place, 0, PLACE);
    read_line("/proc/sys/kernel/random/boot_id", boot, sizeof boot);
    if (boot[0] == '\0' || stat("/proc/self/ns/pid", &ns) < 0)
        snprintf(place, PLACE, "rank %d", rank);
    else
        snprintf(place, PLACE, "%s %llu %s", boot, (unsigned long long)ns.st_ino,
                 scratch ? scratch : "");
}

/* A node is a run of ranks at one place. */
static void count_nodes(struct mpi_comm *comm, const char (*places)[PLACE])
{
    int first = 0;

    comm->nodes = 0;
    for (int r = 1; r <= comm->base.size; r++) {
        if (r < comm->base.size && memcmp(places[first], places[r], PLACE) == 0 &&
            (ranks_limit == 0 || r - first < ranks_limit))
            continue;
        if (first <= comm->base.rank && comm->base.rank < r)
            comm->place = comm->nodes;
        comm->nodes++;
        first = r;
    }
}

static int find_place(struct mpi_comm *comm, struct asy_error *err)
{
    char (*places)[PLACE] = calloc((size_t)comm->base.size, sizeof *places), own[PLACE];
    int rc;

    if (!places)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a communicator");
    describe_place(comm->base.rank, own);
    rc = asy__mpi_check(MPI_Allgather(own, PLACE, MPI_BYTE, places, PLACE, MPI_BYTE, comm->world),
                        "MPI_Allgather", err);
    if (rc == 0)
        count_nodes(comm, (const char (*)[PLACE])places);
    free(places);
    return rc;
}

/* The ranks of this node and their barrier. *ret_shares: whether all ranks could on all nodes; that
 * they cannot, for whatever reason, is no error. */
static int join_node(struct mpi_comm *comm, int *ret_shares, struct asy_error *err)
{
    struct asy_error reason = ASY_ERROR_INIT;
    struct asy__node *node = &comm->base.node;
    int shares, rc;

    if ((rc = find_place(comm, err)) < 0 ||
        (rc = asy__mpi_check(MPI_Comm_split(comm->world, comm->place, comm->base.rank,
                                            &comm->local), "MPI_Comm_split", err)) < 0 ||
        (rc = asy__mpi_check(MPI_Comm_rank(comm->local, &node->index), "MPI_Comm_rank", err)) < 0 ||
        (rc = asy__mpi_check(MPI_Comm_size(comm->local, &node->size), "MPI_Comm_size", err)) < 0)
        return rc;
    shares = obtain(comm, sizeof(struct asy__control) +
                              (size_t)node->size * sizeof(struct asy__told),
                    &comm->control, &reason) == 0;
    if (shares && node->index == 0)
        asy__barrier_init(&((struct asy__control *)comm->control.at)->barrier,
                          (uint32_t)node->size);
    /* Also the moment at which all have mapped what the first one made. */
    rc = asy__mpi_check(MPI_Allreduce(&shares, ret_shares, 1, MPI_INT, MPI_MIN, comm->world),
                        "MPI_Allreduce", err);
    asy__memory_close_fd(&comm->control);
    return rc;
}

static int find_nodes(struct mpi_comm *comm, struct asy_error *err)
{
    struct asy__node *node = &comm->base.node;
    int shares = 0, leads, rc;

    if ((rc = join_node(comm, &shares, err)) < 0)
        return rc;
    if (!shares) {
        node->index = 0;
        node->size = 1;
        comm->place = comm->base.rank;
        comm->nodes = comm->base.size;
    } else if (node->size > 1) {
        node->barrier = &((struct asy__control *)comm->control.at)->barrier;
        node->lost = &((struct asy__control *)comm->control.at)->lost;
    }
    leads = node->index == 0;
    comm->base.chain = comm->nodes > 1 ? asy__mpi_chain : NULL;
    return asy__mpi_check(MPI_Comm_split(comm->world, leads ? 0 : MPI_UNDEFINED, comm->base.rank,
                                         &comm->leaders), "MPI_Comm_split", err);
}

static int set_up(struct mpi_comm *comm, struct asy_error *err)
{
    const char *scratch = getenv("ASSAY_SCRATCH"); /* of this node, so no word of mpirun's */
    int granted = MPI_THREAD_SINGLE, rc;

    if (scratch)
        setenv("OMPI_MCA_btl_vader_backing_directory", scratch, 1);
    rc = asy__mpi_check(MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &granted),
                        "MPI_Init_thread", err);
    if (rc < 0)
        return rc;
    if (granted < MPI_THREAD_FUNNELED)
        return asy_fail(err, ASY_E_UNSUPPORTED, "this MPI does not grant MPI_THREAD_FUNNELED");
    /* Communicators made of it inherit the handler. */
    if ((rc = asy__mpi_check(MPI_Comm_set_errhandler(comm->world, MPI_ERRORS_RETURN), "MPI",
                             err)) < 0 ||
        (rc = asy__mpi_check(MPI_Comm_rank(comm->world, &comm->base.rank), "MPI_Comm_rank",
                             err)) < 0 ||
        (rc = asy__mpi_check(MPI_Comm_size(comm->world, &comm->base.size), "MPI_Comm_size",
                             err)) < 0)
        return rc;
    comm->room = (size_t)comm->base.size * sizeof(double);
    comm->room = comm->room > PIECE ? comm->room : PIECE;
    if (!(comm->send = malloc(comm->room)) || !(comm->receive = malloc(comm->room)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a communicator");
    return find_nodes(comm, err);
}

int asy_comm_mpi(struct asy_comm **ret_comm, struct asy_error *err)
{
    static const struct asy_comm calls = { .share = share, .spread = spread, .sum_f64 = sum_f64,
                                           .sum_i64 = sum_i64, .bcast = bcast,
                                           .order = asy__mpi_order, .ready = asy__mpi_ready,
                                           .destroy = destroy };
    struct mpi_comm *comm;
    int initialized = 0, rc;

    if (MPI_Initialized(&initialized) != MPI_SUCCESS || initialized)
        return asy_fail(err, ASY_E_STATE, "MPI was started before in this process");
    if (!(comm = calloc(1, sizeof *comm)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a communicator");
    comm->base = calls;
    comm->world = MPI_COMM_WORLD;
    comm->local = comm->leaders = MPI_COMM_NULL;
    comm->control = comm->memory = (struct asy__memory)ASY__MEMORY_INIT;
    if ((rc = set_up(comm, err)) < 0) {
        comm->base.is_over = rc == ASY_E_GONE;
        destroy(&comm->base);
        return rc;
    }
    *ret_comm = &comm->base;
    return 0;
}

void asy_comm_mpi_version(char *text, size_t n)
{
    char full[MPI_MAX_LIBRARY_VERSION_STRING] = "";
    int len = 0;

    MPI_Get_library_version(full, &len);
    snprintf(text, n, "%.*s", (int)strcspn(full, ",\n"), full); /* a list of details follows */
}
