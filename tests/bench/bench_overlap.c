/* SPDX-License-Identifier: Apache-2.0
 * bench_overlap.c - how much of the sum of gradients between two nodes a pass hides: the pass of
 * 784-512-256-10 by itself, the sum by itself, and the sum on its way during the pass, in turns.
 *
 *     mpirun -n 2 ... bench_overlap [--quick|--tiny] [--bf16]
 *
 * overlap.py starts it on two hosts with a slow line between them. The rows of a batch are so many
 * that a pass takes twice as long as a sum. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <asy/clock.h>
#include <asy/comm.h>
#include <asy/kernels.h>
#include "learn/score.h"
#include "net/net_order.h"
#include "row.h"

#define TURNS_MAX 41
#define ROWS_MAX 8192
#define TAIL 1

struct bench {
    struct asy_comm *comm;
    struct asy_comm_memory memory;
    struct asy__net *net;
    struct asy__net_order *order;
    struct asy__learner learner;
    size_t n, rows, turns;
    float *x;
    int32_t *label;
    struct asy_error *err;
    int rc;
    int rounds;
    double system_s; /* of this rank's last measured call */
};

static void *room(size_t n, size_t size)
{
    void *here = NULL;

    if (posix_memalign(&here, 64, n * size)) {
        fputs("bench_overlap: no memory\n", stderr);
        exit(1);
    }
    return memset(here, 0, n * size);
}

static int prepare(struct bench *b, struct asy_error *err)
{
    static const struct asy__layer_desc layers[] = {
        { .kind = ASY__DENSE, .width = 512, .act = ASY_ACT_RELU },
        { .kind = ASY__DENSE, .width = 256, .act = ASY_ACT_RELU },
        { .kind = ASY__DENSE, .width = 10 },
    };
    struct asy__net_options options = { .features = { 1, 1, 784 }, .train_rows = ROWS_MAX,
                                        .eval_rows = 1,
                                        .loss = { .kind = ASY_OP_SOFTMAX_LOSS } };
    const struct asy_comm_extent *extents;
    size_t n_extents;
    int rc;

    if ((rc = asy__net_create(layers, ASY_ARRAY_LEN(layers), &options, &b->net, err)) < 0 ||
        (rc = asy__net_order_create(b->net, &b->order, err)) < 0 ||
        (rc = asy_comm_mpi(&b->comm, err)) < 0)
        return rc;
    if (asy_comm_local_size(b->comm) > 1)
        return asy_fail(err, ASY_E_STATE, "the ranks are on one node");
    b->n = b->net->n_params;
    rc = asy_comm_share(b->comm, (size_t)asy_comm_size(b->comm), b->n + TAIL, b->n, &b->memory,
                        err);
    extents = asy__net_order_get(b->order, &n_extents);
    if (b->rounds)
        asy_comm_round(b->comm);
    if (rc < 0 || (rc = asy_comm_order(b->comm, extents, n_extents, TAIL, err)) < 0)
        return rc;
    asy__net_bind(b->net, room(asy__net_room(b->net), sizeof(float)));
    asy__net_init(b->net, 1, b->memory.common, NULL);
    b->learner = asy__net_learner(b->net, b->memory.common, NULL);
    b->x = room(ROWS_MAX * 784, sizeof *b->x);
    b->label = room(ROWS_MAX, sizeof *b->label);
    for (size_t i = 0; i < ROWS_MAX * 784; i++)
        b->x[i] = (float)(i * 2654435761u % 1024) / 1024;
    return 0;
}

static void send_on(void *arg, const struct asy_op *op, size_t n)
{
    struct bench *b = arg;

    if (b->rc == 0)
        b->rc = asy_comm_ready(b->comm, asy__net_order_whole(b->order, op, n), b->err);
}

static int pass(struct bench *b)
{
    struct asy__batch batch = { .rows = b->rows, .x = b->x, .label = b->label,
                                .scale = 1.0f / (float)b->rows };
    struct asy__score score = { 0 };

    return b->learner.type->gradient(&b->learner, &batch, b->memory.own, &score, b->err);
}

static int sum(struct bench *b)
{
    struct asy_comm_sum part;
    float tail[TAIL];
    int rc = asy_comm_reduce(b->comm, b->n, TAIL, tail, &part, b->err);

    asy_comm_settle(b->comm);
    return rc;
}

static int both(struct bench *b)
{
    int rc;

    b->learner.between = send_on;
    b->learner.between_arg = b;
    rc = pass(b);
    b->learner.between = NULL;
    rc = rc < 0 ? rc : b->rc;
    return rc < 0 ? rc : sum(b);
}

static double system_s(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_stime.tv_sec + 1e-6 * (double)usage.ru_stime.tv_usec;
}

/* Milliseconds of one call that the ranks begin together: of the later one, and of the second of
 * two. In a training a step follows its like; a pass behind a sum that was waited for is slower. */
static int measure(struct bench *b, int (*way)(struct bench *b), double *ret_ms)
{
    double ms, before;
    int64_t from_ns;
    int rc = way(b);

    if (rc < 0)
        return rc;
    MPI_Barrier(MPI_COMM_WORLD);
    before = system_s();
    from_ns = asy_clock_ns();
    rc = way(b);
    ms = (double)(asy_clock_ns() - from_ns) / 1e6;
    b->system_s = system_s() - before;
    MPI_Allreduce(&ms, ret_ms, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
    return rc;
}

enum { PASS, SUM, BOTH, WAYS };
static int (*const ways[WAYS])(struct bench *b) = { pass, sum, both };

#define GUESSES 3 /* each with the rows of the one before */

/* So many rows that a pass takes twice as long as a sum. */
static int choose_rows(struct bench *b)
{
    double ms[2][5];
    size_t rows;
    int rc;

    b->rows = 512;
    for (int guess = 0; guess < GUESSES; guess++) {
        for (int t = 0; t < 5; t++)
            for (int way = PASS; way <= SUM; way++)
                if ((rc = measure(b, ways[way], &ms[way][t])) < 0)
                    return rc;
        rows = (size_t)((double)b->rows * 2 * median(ms[SUM], 5) / median(ms[PASS], 5));
        b->rows = rows < 16 ? 16 : rows > ROWS_MAX ? ROWS_MAX : rows;
    }
    return 0;
}

static int run(struct bench *b)
{
    static double ms[WAYS][TURNS_MAX];
    double median_ms[WAYS], stack_s = 0, wall_s = 0;
    int rc;

    if ((rc = choose_rows(b)) < 0)
        return rc;
    for (size_t t = 0; t < b->turns; t++)
        for (int way = 0; way < WAYS; way++) {
            if ((rc = measure(b, ways[way], &ms[way][t])) < 0)
                return rc;
            stack_s += way == BOTH ? b->system_s : 0;
            wall_s += way == BOTH ? ms[way][t] / 1e3 : 0;
        }
    for (int way = 0; way < WAYS; way++)
        median_ms[way] = median(ms[way], b->turns);
    if (asy_comm_rank(b->comm) == 0)
        printf("{\"hidden\": %.4f, \"n\": %zu, \"rows\": %zu, \"pass_ms\": %.3f, "
               "\"sum_ms\": %.3f, \"both_ms\": %.3f, \"bytes\": %zu, \"system_share\": %.4f}\n",
               (median_ms[PASS] + median_ms[SUM] - median_ms[BOTH]) / median_ms[SUM], b->turns,
               b->rows, median_ms[PASS], median_ms[SUM], median_ms[BOTH],
               b->n * (b->rounds ? 2 : sizeof(float)) + TAIL * sizeof(float), stack_s / wall_s);
    return 0;
}

int main(int argc, char **argv)
{
    static struct bench b = { .turns = TURNS_MAX };
    struct asy_error err = ASY_ERROR_INIT;
    int rc;

    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--quick")) {
            b.turns = 15;
        } else if (!strcmp(argv[i], "--tiny")) {
            b.turns = 3;
        } else if (!strcmp(argv[i], "--bf16")) {
            b.rounds = 1;
        } else {
            fprintf(stderr, "bench_overlap: what is '%s'?\n", argv[i]);
            return 2;
        }
    }
    b.err = &err;
    asy_kernels_init();
    if ((rc = prepare(&b, &err)) == 0)
        rc = run(&b);
    if (rc < 0)
        fprintf(stderr, "bench_overlap: %s\n", err.text);
    asy_comm_destroy(b.comm);
    return rc < 0;
}
