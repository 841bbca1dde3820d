/* SPDX-License-Identifier: Apache-2.0
 * Updates by one rank and by several, which are threads here: the same bits, whoever has which part
 * of the memory. */
#include "trainkit.h"
#include <pthread.h>
#include <asy/rng.h>
#include "comm/comm_impl.h"
#include "learn/update.h"

#define N 5000
#define STEPS 4
#define RANKS_MAX 5

/* Tensors with gaps, one over several blocks; the last is a bias. */
static const struct asy__span spans[] = { { 2048, 2900, 1 }, { 0, 700, 1 }, { 704, 1300, 1 },
                                          { 4960, 33, 0 } };

static struct shared {
    float params[N], m[N], v[N], mean[N], gradient[N];
    float room[4096] __attribute__((aligned(64)));
} shared;

static struct asy__barrier barrier;

struct rank {
    struct asy_comm comm;
    const struct asy__hyper *hyper;
};

/* The whole gradient is in what all see; each rank takes the part that a sum would give it. */
static void *work(void *arg)
{
    struct rank *rank = arg;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__update *update = NULL;
    struct asy__update_memory memory = { shared.params, shared.m, shared.v,
                                         rank->hyper->ema > 0 ? shared.mean : NULL, shared.room };

    if (asy__update_create(rank->hyper, 2, 2, spans, ASY_ARRAY_LEN(spans), N, &update, &err) < 0)
        abort();
    for (uint64_t step = 1; step <= STEPS; step++) {
        struct asy_comm_sum sum = { .x = shared.gradient };

        if (rank->comm.node.index == 0) {
            struct asy_rng rng;

            asy_rng_init(&rng, step, 0, ASY_RNG_SIM);
            for (size_t s = 0; s < ASY_ARRAY_LEN(spans); s++)
                for (size_t i = 0; i < spans[s].n; i++)
                    shared.gradient[spans[s].from + i] = (float)asy_rng_normal(&rng);
        }
        asy_comm_settle(&rank->comm);
        asy__node_slice(&rank->comm.node, N, &sum.from, &sum.to);
        asy__update_step(update, &memory, &rank->comm, &sum, step, 1);
        asy_comm_settle(&rank->comm);
    }
    asy__update_destroy(update);
    return NULL;
}

static void train(const struct asy__hyper *hyper, int ranks)
{
    pthread_t threads[RANKS_MAX];
    struct rank each[RANKS_MAX];
    struct asy_rng rng;

    memset(&shared, 0, sizeof shared);
    asy_rng_init(&rng, 7, 0, ASY_RNG_SIM);
    for (size_t s = 0; s < ASY_ARRAY_LEN(spans); s++)
        for (size_t i = 0; i < spans[s].n; i++)
            shared.params[spans[s].from + i] = (float)asy_rng_normal(&rng);
    memcpy(shared.mean, shared.params, sizeof shared.mean);
    asy__barrier_init(&barrier, (unsigned)ranks);
    for (int r = 0; r < ranks; r++) {
        each[r] = (struct rank){ .hyper = hyper };
        each[r].comm.rank = each[r].comm.node.index = r;
        each[r].comm.size = each[r].comm.node.size = ranks;
        each[r].comm.node.barrier = ranks > 1 ? &barrier : NULL;
        if (pthread_create(&threads[r], NULL, work, &each[r]) != 0)
            abort();
    }
    for (int r = 0; r < ranks; r++)
        pthread_join(threads[r], NULL);
}

static void ranks_come_to_the_same_bits(void)
{
    static const struct {
        const char *name;
        enum asy__optimizer optimizer;
        double clip, ema;
    } cases[] = {
        { "sgd", ASY__SGD, 0, 0.9 }, { "clipped", ASY__SGD, 3, 0 }, { "adam", ASY__ADAM, 3, 0.99 },
        { "lamb", ASY__LAMB, 0, 0 }, { "lars", ASY__LARS, 3, 0.5 },
    };
    static struct shared alone;

    for (size_t c = 0; c < ASY_ARRAY_LEN(cases); c++) {
        struct asy__hyper hyper;

        asy__hyper_defaults(ASY__MLP, &hyper);
        hyper.optimizer = cases[c].optimizer;
        hyper.clip = cases[c].clip;
        hyper.ema = cases[c].ema;
        hyper.weight_decay = 0.01;
        hyper.lr_schedule = ASY__LR_COSINE;
        train(&hyper, 1);
        alone = shared;
        for (int ranks = 2; ranks <= RANKS_MAX; ranks++) {
            train(&hyper, ranks);
            T_EQ(cases[c].name, memcmp(shared.params, alone.params, sizeof alone.params), 0);
            T_EQ(cases[c].name, memcmp(shared.m, alone.m, sizeof alone.m), 0);
            T_EQ(cases[c].name, memcmp(shared.mean, alone.mean, sizeof alone.mean), 0);
        }
        for (size_t i = 700; i < 704; i++)
            T_NEAR("gaps stay zero", (double)shared.params[i], 0, 0);
    }
}

/* Two early tensors block by block, in an order of their own, then the rest. */
static void step_in_parts(const struct asy__update *update, const struct asy__update_memory *memory,
                          uint64_t step)
{
    struct asy__update_pass pass = asy__update_begin(update, memory, step, 1);
    const float *g = shared.gradient;

    for (size_t row = 0; row < 29; row++) /* the one of 2900: 29 rows of 100, in two blocks each */
        for (size_t at = 0; at < 100; at += 60) {
            size_t from = 2048 + row * 100 + at;

            asy__update_block(&pass, from, &(struct asy_block){ 1, at ? 40 : 60, 100, 100 },
                              g + from);
        }
    asy__update_block(&pass, 0, &(struct asy_block){ 7, 100, 100, 100 }, g);
    asy__update_rest(&pass, g);
}

static void an_update_in_parts_has_the_bits_of_the_whole(void)
{
    static const struct asy__span some[] = { { 2048, 2900, 1, 1 }, { 0, 700, 1, 1 },
                                             { 704, 1300, 1, 0 }, { 4960, 33, 0, 0 } };
    static const enum asy__optimizer optimizers[] = { ASY__SGD, ASY__ADAM, ASY__ADAM_L2 };
    struct asy_error err = ASY_ERROR_INIT;
    static struct shared whole;

    for (size_t o = 0; o < ASY_ARRAY_LEN(optimizers); o++) {
        struct asy__update_memory memory = { shared.params, shared.m, shared.v, shared.mean,
                                             shared.room };
        struct asy__update *update = NULL;
        struct asy__hyper hyper;

        asy__hyper_defaults(ASY__MLP, &hyper);
        hyper.optimizer = optimizers[o];
        hyper.ema = 0.9;
        hyper.weight_decay = 0.01;
        T_TRUE(asy__update_is_local(&hyper));
        train(&hyper, 1); /* (leaves the last step's gradient, of which one more is made) */
        whole = shared;
        if (T_OK(asy__update_create(&hyper, 2, 2, some, ASY_ARRAY_LEN(some), N, &update, &err),
                 &err)) {
            struct asy_comm_sum sum = { whole.gradient, 0, N };
            struct asy__update_memory other = { whole.params, whole.m, whole.v, whole.mean, NULL };

            asy__update_step(update, &other, NULL, &sum, STEPS + 1, 1);
            step_in_parts(update, &memory, STEPS + 1);
            T_EQ("params", memcmp(shared.params, whole.params, sizeof whole.params), 0);
            T_EQ("m", memcmp(shared.m, whole.m, sizeof whole.m), 0);
            T_EQ("v", memcmp(shared.v, whole.v, sizeof whole.v), 0);
            T_EQ("mean", memcmp(shared.mean, whole.mean, sizeof whole.mean), 0);
        }
        asy__update_destroy(update);
    }
}

static void what_goes_by_norms_is_not_local(void)
{
    struct asy__hyper hyper;

    asy__hyper_defaults(ASY__MLP, &hyper);
    hyper.clip = 1;
    T_TRUE(!asy__update_is_local(&hyper));
    hyper.clip = 0;
    hyper.optimizer = ASY__LAMB;
    T_TRUE(!asy__update_is_local(&hyper));
    hyper.optimizer = ASY__LARS;
    T_TRUE(!asy__update_is_local(&hyper));
}

/* LAMB and LARS of one tensor, from the formulas of asy/update.h in double precision. */
static void tensors_are_trusted_by_their_norms(void)
{
    static const enum asy__optimizer which[] = { ASY__LAMB, ASY__LARS };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_comm *comm = NULL;

    T_OK(asy_comm_self(&comm, &err), &err);
    for (size_t o = 0; comm && o < 4; o++) {
        int adapts = o < 2;
        struct asy__span span = { 0, 3, adapts };
        float w[3] = { 3, -4, 0 }, g[3] = { 0.5f, 0.25f, -1 }, m[3] = { 0 }, v[3] = { 0 };
        float room[64] __attribute__((aligned(64)));
        struct asy__update_memory memory = { w, m, v, NULL, room };
        struct asy_comm_sum sum = { g, 0, 3 };
        struct asy__update *update = NULL;
        struct asy__hyper h;
        double change[3], size = 0, trust;

        asy__hyper_defaults(ASY__MLP, &h);
        h.optimizer = which[o % 2];
        h.lr = 0.5;
        h.weight_decay = 0.125;
        if (!T_OK(asy__update_create(&h, 1, 1, &span, 1, 3, &update, &err), &err))
            break;
        for (size_t i = 0; i < 3; i++) { /* after one step mhat / sqrt(vhat) is the sign */
            change[i] = which[o % 2] == ASY__LAMB ? copysign(1, (double)g[i]) : (double)g[i];
            size += which[o % 2] == ASY__LAMB ? pow(change[i] + 0.125 * (double)w[i], 2)
                                              : pow(change[i], 2);
        }
        trust = which[o % 2] == ASY__LAMB ? 5 / sqrt(size) : 0.001 * 5 / (sqrt(size) + 0.125 * 5);
        trust = adapts ? trust : 1;
        for (size_t i = 0; i < 3; i++)
            change[i] = (double)w[i] - 0.5 * trust * (change[i] + 0.125 * (double)w[i]);
        asy__update_step(update, &memory, comm, &sum, 1, 1);
        for (size_t i = 0; i < 3; i++)
            T_NEAR(adapts ? "trusted" : "as it is", (double)w[i], change[i],
                   1e-5); /* 1 - beta2 as a float is 3e-5 off, its root half of it */
        asy__update_destroy(update);
    }
    asy_comm_destroy(comm);
}

static void the_mean_follows_the_weights(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__span span = { 0, 1, 1 };
    struct asy_comm *comm = NULL;
    struct asy__update *update = NULL;
    struct asy__hyper h;
    float w = 1, g = 1, mean = 1;
    struct asy__update_memory memory = { &w, NULL, NULL, &mean, NULL };
    struct asy_comm_sum sum = { &g, 0, 1 };
    double want = 1;

    asy__hyper_defaults(ASY__MLP, &h);
    h.optimizer = ASY__SGD;
    h.momentum = 0;
    h.lr = 0.125;
    h.ema = 0.4;
    if (T_OK(asy_comm_self(&comm, &err), &err) &&
        T_OK(asy__update_create(&h, 1, 100, &span, 1, 1, &update, &err), &err))
        for (uint64_t step = 1; step <= 20; step++) {
            double kept = fmin(0.4, (1 + (double)step) / (10 + (double)step));

            asy__update_step(update, &memory, comm, &sum, step, 1);
            want = kept * want + (1 - kept) * (1 - 0.125 * (double)step);
            T_NEAR("mean", (double)mean, want, 1e-6);
        }
    asy__update_destroy(update);
    asy_comm_destroy(comm);
}

int main(void)
{
    static const struct t_test tests[] = {
        T_TEST(ranks_come_to_the_same_bits), T_TEST(tensors_are_trusted_by_their_norms),
        T_TEST(the_mean_follows_the_weights),
        T_TEST(an_update_in_parts_has_the_bits_of_the_whole),
        T_TEST(what_goes_by_norms_is_not_local),
    };

    asy_kernels_init();
    return t__main("update", tests, ASY_ARRAY_LEN(tests));
}
