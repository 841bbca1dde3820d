/* SPDX-License-Identifier: Apache-2.0
 * bench_reduce.c - what the sum of a gang's gradients costs beside MPI_Allreduce, in one run, one
 * after the other in turns.
 *
 *     mpirun -n 2 --bind-to core bench_reduce [--quick|--tiny]
 *
 * A turn is REPEATS calls of one way; the ranks begin it together, and its time is rank 0's. Turns
 * in which another process took a rank's core do not count: they measure that process. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <asy/clock.h>
#include <asy/comm.h>
#include <asy/kernels.h>
#include "row.h"

#define REPEATS 5
#define TURNS_MAX 401
#define LEAST 9 /* turns, for a median */

/* Numbers in the network of 784, 512, 256 and 10 units: 2.1 MB. */
#define N 535818

struct bench {
    struct asy_comm *comm;
    struct asy_comm_memory memory;
    float *mine; /* [N], MPI's */
    size_t n, turns;
};

/* As a step has it: the whole sum is in memory that all ranks read, each part where its rank has
 * added it up. */
static int reduce(struct bench *b, struct asy_comm_sum *ret, struct asy_error *err)
{
    float tail;
    int rc = asy_comm_reduce(b->comm, b->n, 1, &tail, ret, err);

    asy_comm_settle(b->comm);
    return rc;
}

static int shared(struct bench *b, struct asy_error *err)
{
    struct asy_comm_sum part;

    return reduce(b, &part, err);
}

/* As MPI_Allreduce has it: each rank has the whole sum in place of its own numbers. */
static int copied(struct bench *b, struct asy_error *err)
{
    struct asy_comm_sum part;
    float *own = b->memory.own, *common = b->memory.common;
    int rc = reduce(b, &part, err);

    if (rc < 0)
        return rc;
    memcpy(common + part.from, own + part.from, (part.to - part.from) * sizeof *own);
    asy_comm_settle(b->comm);
    memcpy(own, common, part.from * sizeof *own);
    memcpy(own + part.to, common + part.to, (b->n - part.to) * sizeof *own);
    return 0;
}

static int by_mpi(struct bench *b, struct asy_error *err)
{
    if (MPI_Allreduce(MPI_IN_PLACE, b->mine, (int)b->n, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD) !=
        MPI_SUCCESS)
        return asy_fail(err, ASY_E_GONE, "MPI_Allreduce failed");
    return 0;
}

typedef int way_f(struct bench *b, struct asy_error *err);

/* How often this process had to leave its core to another one. */
static long losses(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_nivcsw;
}

/* One turn: adds to us[*n] what one call took, if no rank lost its core. */
static int turn(struct bench *b, way_f *way, double *us, size_t *n, struct asy_error *err)
{
    long before = losses(), lost, most = 0;
    int64_t ns;
    int rc = 0;

    MPI_Barrier(MPI_COMM_WORLD);
    ns = asy_clock_ns();
    for (int i = 0; i < REPEATS && rc == 0; i++)
        rc = way(b, err);
    ns = asy_clock_ns() - ns;
    lost = losses() - before;
    MPI_Allreduce(&lost, &most, 1, MPI_LONG, MPI_MAX, MPI_COMM_WORLD);
    if (most == 0)
        us[(*n)++] = (double)ns / 1e3 / REPEATS;
    return rc;
}

/* Both ways give the sum. Later calls add to what earlier ones left, up to infinity. */
static int check(struct bench *b, way_f *way, const float *x, struct asy_error *err)
{
    int size = asy_comm_size(b->comm), rc;
    float want = (float)(size * (size + 1)) / 2;

    if ((rc = way(b, err)) < 0)
        return rc;
    for (size_t i = 0; i < b->n; i++)
        if (x[i] != want)
            return asy_fail(err, ASY_E_CORRUPT, "entry %zu is %g, not %g", i, (double)x[i],
                            (double)want);
    return 0;
}

enum { SHARED, COPIED, BY_MPI, WAYS };

static void put(const char *name, const char *key, double *us, size_t n, const char *peer,
                double peer_us)
{
    if (n < LEAST || peer_us == 0)
        row_put_missing(name, key, "us", "others took the ranks' cores");
    else
        row_put(&(struct row){ name, key, "us", median(us, n), n, NULL, peer, peer_us });
}

static int measure(struct bench *b, struct asy_error *err)
{
    static double us[WAYS][TURNS_MAX];
    static way_f *const ways[WAYS] = { shared, copied, by_mpi };
    char key[32], version[256], peer[300];
    size_t n[WAYS] = { 0 };
    double mpi;
    int rc;

    if ((rc = check(b, copied, b->memory.own, err)) < 0 ||
        (rc = check(b, by_mpi, b->mine, err)) < 0)
        return rc;
    for (size_t t = 0; t < b->turns; t++)
        for (size_t w = 0; w < WAYS; w++)
            if ((rc = turn(b, ways[w], us[w], &n[w], err)) < 0)
                return rc;
    if (asy_comm_rank(b->comm) != 0)
        return 0;
    asy_comm_mpi_version(version, sizeof version);
    snprintf(peer, sizeof peer, "MPI_Allreduce of %s", version);
    snprintf(key, sizeof key, "%d", asy_comm_size(b->comm));
    mpi = n[BY_MPI] < LEAST ? 0 : median(us[BY_MPI], n[BY_MPI]);
    put("ddp.allreduce_us", key, us[SHARED], n[SHARED], peer, mpi);
    put("ddp.allreduce_copied_us", key, us[COPIED], n[COPIED], peer, mpi);
    return 0;
}

static int prepare(struct bench *b, struct asy_error *err)
{
    float mine;
    int rc;

    if ((rc = asy_comm_mpi(&b->comm, err)) < 0 ||
        (rc = asy_comm_share(b->comm, (size_t)asy_comm_size(b->comm), b->n + 1, b->n, &b->memory,
                             err)) < 0)
        return rc;
    if (asy_comm_local_size(b->comm) != asy_comm_size(b->comm))
        return asy_fail(err, ASY_E_STATE, "the ranks share no memory");
    if (!(b->mine = malloc(b->n * sizeof *b->mine)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for %zu numbers", b->n);
    mine = (float)(asy_comm_rank(b->comm) + 1);
    for (size_t i = 0; i < b->n; i++)
        b->mine[i] = b->memory.own[i] = mine;
    return 0;
}

int main(int argc, char **argv)
{
    static struct bench b = { .n = N, .turns = TURNS_MAX };
    struct asy_error err = ASY_ERROR_INIT;
    int rc;

    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--quick")) {
            b.turns = 101;
        } else if (!strcmp(argv[i], "--tiny")) {
            b.turns = 3;
        } else {
            fprintf(stderr, "bench_reduce: what is '%s'?\n", argv[i]);
            return 2;
        }
    }
    asy_kernels_init();
    if ((rc = prepare(&b, &err)) == 0)
        rc = measure(&b, &err);
    if (rc < 0)
        fprintf(stderr, "bench_reduce: %s\n", err.text);
    free(b.mine);
    asy_comm_destroy(b.comm);
    return rc < 0;
}
