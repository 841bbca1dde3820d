/* SPDX-License-Identifier: Apache-2.0
 * Gradients that several parties make together: the bits of the sum of each one's own, whoever
 * makes which part, and what a program needs for that stays until it is over. */
#include <asytest.h>
#include <asy/rng.h>
#include "net/net.h"
#include "learn/score.h"

#define ROWS 6 /* of a party at most */
#define WIDE 64
#define PARAMS 16384
#define WORK 16384

static struct {
    struct asy__net *net;
    struct asy__learner learner;
    float params[PARAMS], left[ASY_OP_PARTIES][PARAMS], whole[ASY_OP_PARTIES][PARAMS];
    float x[ASY_OP_PARTIES][ROWS * WIDE], work[ASY_OP_PARTIES][WORK];
    float got[PARAMS];
    size_t times[PARAMS];
} bench;
static float room[ASY_OP_ROOM] __attribute__((aligned(64)));

#define DENSE(n, a) { .kind = ASY__DENSE, .width = n, .act = ASY_ACT_##a }
#define SUM(a, b) { .kind = ASY__ADD, .from = { a, b } }
static const struct graph {
    const char *name;
    size_t features, n;
    struct asy__layer_desc layers[6];
    size_t joint; /* tensors whose gradient the parties make, of so few rows */
} graphs[] = {
    { "plain", 40, 3, { DENSE(64, RELU), DENSE(48, TANH), DENSE(3, NONE) }, 2 },
    { "no activation", 61, 3, { DENSE(63, NONE), DENSE(50, NONE), DENSE(3, NONE) }, 2 },
    /* The sum's gradient is that of both that it adds up, and grows on its way back. */
    { "residual", 48, 4, { DENSE(64, NONE), DENSE(64, NONE), SUM(0, 1), DENSE(3, NONE) }, 2 },
    { "residual, with activations", 48, 4,
      { DENSE(64, GELU), DENSE(64, RELU), SUM(0, 1), DENSE(3, NONE) }, 2 },
};

static size_t rows_of(size_t party)
{
    return ROWS - party % 3;
}

static bool set_up(const struct graph *g, size_t parties)
{
    struct asy__net_options options = { { 1, 1, g->features }, { .kind = ASY_OP_SOFTMAX_LOSS },
                                        ROWS, ROWS, .parties = parties };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_rng rng;

    memset(&bench, 0, sizeof bench);
    if (!T_OK(asy__net_create(g->layers, g->n, &options, &bench.net, &err), &err) ||
        !T_TRUE(bench.net->n_params <= PARAMS && bench.net->n_work <= WORK))
        return false;
    asy_rng_init(&rng, 1, parties, ASY_RNG_INIT);
    asy__net_bind(bench.net, room);
    asy__net_init(bench.net, 5, bench.params, NULL);
    for (size_t p = 0; p < parties; p++)
        for (size_t i = 0; i < ROWS * WIDE; i++)
            bench.x[p][i] = (float)asy_rng_normal(&rng);
    bench.learner = asy__net_learner(bench.net, bench.params, NULL);
    return true;
}

static void pass(size_t party, int leaves, float *grads)
{
    static const int32_t label[ROWS] = { 0, 1, 2, 1, 0, 2 };
    struct asy__batch batch = { rows_of(party), 0, bench.x[party], label, NULL, 0.01f, 1, 2, NULL,
                                0 };
    struct asy__score score = { 0 };

    asy__net_work(bench.net, bench.work[party]);
    bench.learner.leaves = leaves;
    ASY_IGNORE(bench.learner.type->gradient(&bench.learner, &batch, grads, &score, NULL));
}

static void take(void *arg, size_t at, const struct asy_block *block, const float *g)
{
    (void)arg;
    for (size_t i = 0; i < block->rows; i++)
        for (size_t j = 0; j < block->cols; j++) {
            bench.got[at + i * block->row + j] = g[i * block->g_row + j];
            bench.times[at + i * block->row + j]++;
        }
}

static void join(size_t parties)
{
    const struct asy_op_taker taker = { take, NULL, { bench.params }, 1 };
    struct asy_op_party all[ASY_OP_PARTIES];

    for (size_t p = 0; p < parties; p++)
        all[p] = (struct asy_op_party){ bench.x[p], bench.work[p], rows_of(p) };
    for (size_t p = 0; p < parties; p++)
        asy__net_join(bench.net, &taker, all, parties, p);
}

/* What is joint has the sum's bits; the rest every party has had by itself. */
static size_t compare(const char *name, size_t parties)
{
    size_t joint = 0;

    for (size_t t = 0; t < bench.net->n_tensors; t++) {
        const struct asy__tensor *tensor = &bench.net->tensors[t];
        size_t others = 0;

        for (size_t i = tensor->at; i < tensor->at + tensor->n; i++) {
            float sum = bench.whole[0][i];

            for (size_t p = 1; p < parties; p++)
                sum += bench.whole[p][i];
            for (size_t p = 0; p < parties; p++)
                others += !tensor->joint && bench.left[p][i] != bench.whole[p][i];
            others += bench.times[i] != (size_t)tensor->joint;
            others += tensor->joint && memcmp(&bench.got[i], &sum, sizeof sum) != 0;
        }
        if (!T_EQ(name, others, 0))
            T_STR("of tensor", tensor->name, "");
        joint += (size_t)tensor->joint;
    }
    return joint;
}

static void parties_make_the_sum_of_their_gradients(void)
{
    asy_kernels_init();
    for (size_t g = 0; g < ASY_ARRAY_LEN(graphs); g++)
        for (size_t parties = 2; parties <= 3; parties++) {
            if (set_up(&graphs[g], parties)) {
                for (size_t p = 0; p < parties; p++)
                    pass(p, 0, bench.whole[p]);
                for (size_t p = 0; p < parties; p++)
                    pass(p, 1, bench.left[p]);
                join(parties);
                T_EQ(graphs[g].name, compare(graphs[g].name, parties), graphs[g].joint);
            }
            asy__net_destroy(bench.net);
        }
}

static void it_is_worth_it_for_few_rows(void)
{
    static const struct {
        const char *name;
        size_t in, out, rows, parties;
        int want;
    } cases[] = {
        { "fewer than the weights", 784, 512, 64, 2, 1 }, { "of four", 784, 512, 64, 4, 1 },
        { "as many as the weights", 784, 512, 512, 2, 0 }, { "a small layer", 256, 10, 64, 2, 0 },
        { "more than a tile takes", 4096, 4096, 129, 2, 0 }, { "one party", 784, 512, 64, 1, 0 },
        { "none", 784, 512, 64, 0, 0 }, { "too many", 4096, 4096, 8, ASY_OP_PARTIES + 1, 0 },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        const struct asy_op op = { .kind = ASY_OP_DENSE_DW, .per_row = 1,
                                   .n = { cases[i].in, cases[i].out } };

        T_EQ(cases[i].name, asy_op_is_worth_joining(&op, cases[i].rows, cases[i].parties),
             cases[i].want);
    }
}

T_MAIN("joint", T_TEST(parties_make_the_sum_of_their_gradients),
       T_TEST(it_is_worth_it_for_few_rows))
