/* SPDX-License-Identifier: Apache-2.0
 * comm_mpi.c - the communicator over MPI_COMM_WORLD.
 *
 * A sum goes in pieces of PIECE bytes: each rank gets its share of the piece from all ranks
 * (MPI_Alltoall), adds the shares in rank order and gives its sums to all (MPI_Allgather). Of few
 * numbers all ranks get all and add them up in that same order: one wait for each other, not two.
 * MPI_Allreduce was rejected: its order of summation, and so the bits, depend on size and on the
 * algorithm that the library picks. */
#include "comm_impl.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <mpi.h>

#define PIECE (1u << 20)
#define FEW 1024 /* bytes */

struct mpi_comm {
    struct asy_comm base;
    MPI_Comm world;
    char *send, *receive; /* PIECE bytes each, or more for many ranks */
    size_t room;
};

static int check(int code, const char *what, struct asy_error *err)
{
    char text[MPI_MAX_ERROR_STRING] = "";
    int len = 0;

    if (code == MPI_SUCCESS)
        return 0;
    MPI_Error_string(code, text, &len);
    return asy_fail(err, ASY_E_GONE, "%s failed: %.*s", what, len, text);
}

/* One function per type: sums x [n], n * sizeof *x at most the room. */
#define SUM_PIECE(name, real, type)                                                                \
    static int name##_few(struct mpi_comm *comm, real *x, size_t n, struct asy_error *err)         \
    {                                                                                              \
        real *all = (real *)comm->receive;                                                         \
        int rc = check(MPI_Allgather(x, (int)n, type, all, (int)n, type, comm->world),             \
                       "MPI_Allgather", err);                                                      \
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
    static int name(struct mpi_comm *comm, real *x, size_t n, struct asy_error *err)               \
    {                                                                                              \
        size_t size = (size_t)comm->base.size, share = (n + size - 1) / size;                      \
        real *send = (real *)comm->send, *receive = (real *)comm->receive;                         \
        int rc;                                                                                    \
                                                                                                   \
        if (n * sizeof *x <= FEW && n * size * sizeof *x <= comm->room)                            \
            return name##_few(comm, x, n, err);                                                    \
        memcpy(send, x, n * sizeof *x);                                                            \
        memset(send + n, 0, (share * size - n) * sizeof *x);                                       \
        rc = check(MPI_Alltoall(send, (int)share, type, receive, (int)share, type, comm->world),   \
                   "MPI_Alltoall", err);                                                           \
        if (rc < 0)                                                                                \
            return rc;                                                                             \
        for (size_t r = 1; r < size; r++)                                                          \
            for (size_t i = 0; i < share; i++)                                                     \
                receive[i] += receive[r * share + i];                                              \
        rc = check(MPI_Allgather(receive, (int)share, type, send, (int)share, type, comm->world),  \
                   "MPI_Allgather", err);                                                          \
        if (rc == 0)                                                                               \
            memcpy(x, send, n * sizeof *x);                                                        \
        return rc;                                                                                 \
    }
SUM_PIECE(sum_piece_f32, float, MPI_FLOAT)
SUM_PIECE(sum_piece_f64, double, MPI_DOUBLE)

static int sum_f32(struct asy_comm *base, float *x, size_t n, struct asy_error *err)
{
    struct mpi_comm *comm = (struct mpi_comm *)base;
    size_t piece = comm->room / sizeof *x / (size_t)base->size * (size_t)base->size;
    int rc = 0;

    for (size_t at = 0; at < n && rc == 0; at += piece)
        rc = sum_piece_f32(comm, x + at, n - at < piece ? n - at : piece, err);
    return rc;
}

static int sum_f64(struct asy_comm *base, double *x, size_t n, struct asy_error *err)
{
    struct mpi_comm *comm = (struct mpi_comm *)base;
    size_t piece = comm->room / sizeof *x / (size_t)base->size * (size_t)base->size;
    int rc = 0;

    for (size_t at = 0; at < n && rc == 0; at += piece)
        rc = sum_piece_f64(comm, x + at, n - at < piece ? n - at : piece, err);
    return rc;
}

static int bcast(struct asy_comm *base, void *bytes, size_t n, int root, struct asy_error *err)
{
    struct mpi_comm *comm = (struct mpi_comm *)base;
    char *at = bytes;
    int rc = 0;

    while (n > 0 && rc == 0) {
        size_t piece = n < (1u << 30) ? n : 1u << 30; /* counts are ints */

        rc = check(MPI_Bcast(at, (int)piece, MPI_BYTE, root, comm->world), "MPI_Bcast", err);
        at += piece;
        n -= piece;
    }
    return rc;
}

static void destroy(struct asy_comm *base)
{
    struct mpi_comm *comm = (struct mpi_comm *)base;
    int initialized = 0, finalized = 0;

    MPI_Initialized(&initialized);
    MPI_Finalized(&finalized);
    if (initialized && !finalized)
        MPI_Finalize();
    free(comm->send);
    free(comm->receive);
    free(comm);
}

static int set_up(struct mpi_comm *comm, struct asy_error *err)
{
    const char *scratch = getenv("ASSAY_SCRATCH"); /* of this node, so no word of mpirun's */
    int granted = MPI_THREAD_SINGLE, rc;

    if (scratch)
        setenv("OMPI_MCA_btl_vader_backing_directory", scratch, 1);
    rc = check(MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &granted), "MPI_Init_thread", err);
    if (rc < 0)
        return rc;
    if (granted < MPI_THREAD_FUNNELED)
        return asy_fail(err, ASY_E_UNSUPPORTED, "this MPI does not grant MPI_THREAD_FUNNELED");
    if ((rc = check(MPI_Comm_set_errhandler(comm->world, MPI_ERRORS_RETURN), "MPI", err)) < 0 ||
        (rc = check(MPI_Comm_rank(comm->world, &comm->base.rank), "MPI_Comm_rank", err)) < 0 ||
        (rc = check(MPI_Comm_size(comm->world, &comm->base.size), "MPI_Comm_size", err)) < 0)
        return rc;
    comm->room = (size_t)comm->base.size * sizeof(double);
    comm->room = comm->room > PIECE ? comm->room : PIECE;
    if (!(comm->send = malloc(comm->room)) || !(comm->receive = malloc(comm->room)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a communicator");
    return 0;
}

int asy_comm_mpi(struct asy_comm **ret_comm, struct asy_error *err)
{
    struct mpi_comm *comm;
    int initialized = 0, rc;

    if (MPI_Initialized(&initialized) != MPI_SUCCESS || initialized)
        return asy_fail(err, ASY_E_STATE, "MPI was started before in this process");
    if (!(comm = calloc(1, sizeof *comm)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a communicator");
    comm->world = MPI_COMM_WORLD;
    comm->base.sum_f32 = sum_f32;
    comm->base.sum_f64 = sum_f64;
    comm->base.bcast = bcast;
    comm->base.destroy = destroy;
    if ((rc = set_up(comm, err)) < 0) {
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
