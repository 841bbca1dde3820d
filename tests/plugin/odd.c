/* SPDX-License-Identifier: Apache-2.0
 * odd.c - a plug-in with data and state of its own, that does what it should not: `does` says what,
 * `at` in which update, `on` on which rank. It learns y = 2 x + 1 from points that it makes up. */
#define _GNU_SOURCE
#include <asy/trainer.h>
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WELL, CRASH, ABORT, LOOP, FAIL, NAN_, EXIT, THREAD, LEAVE };
#define WORDS "well|crash|abort|loop|fail|nan|exit|thread|leave"
enum { DOES, IN, AT, ON, TRAIN, HYPERS };
enum { IN_STEP, IN_EVALUATE, IN_CREATE, IN_PARAMS, IN_SAVE };

static const struct asy_trainer_hyper hypers[HYPERS] = {
    [DOES] = { "does", "what it does", WORDS, 0, 0, WELL, ASY_TRAINER_WORD, 0 },
    [IN] = { "where", "and in which call", "step|evaluate|create|params|save", 0, 0, IN_STEP,
             ASY_TRAINER_WORD, 0 },
    [AT] = { "at", "in which update", NULL, 0, 1000000, 3, ASY_TRAINER_INT, 0 },
    [ON] = { "on", "on which rank", NULL, 0, 64, 0, ASY_TRAINER_INT, 0 },
    [TRAIN] = { "rows", "to train on", NULL, 0, 1000000, 96, ASY_TRAINER_INT, ASY_TRAINER_SHAPE },
};
enum { LOSS, RMSE, NEVER, METRICS };
static const struct asy_trainer_metric metrics[METRICS] = {
    [LOSS] = { "loss", "squared error", 0, 0 },
    [RMSE] = { "rmse", "root of it", ASY_TRAINER_ROOT, 0 },
    [NEVER] = { "never", "nothing counts for it", 0, 0 },
};

/* seen is what outlives an update: the gradient's size goes by it. */
struct odd {
    double values[HYPERS];
    uint32_t rank;
    uint64_t seen;
};

static void *sleep_for_ever(void *arg)
{
    for (;;)
        pause();
    return arg;
}

/* Whether the call is to fail. */
static int act(const struct odd *odd, int where, uint64_t update, char *why)
{
    volatile int for_ever = 1;
    pthread_t thread;

    if ((int)odd->values[IN] != where || odd->rank != (uint32_t)odd->values[ON] ||
        (where == IN_STEP && update != (uint64_t)odd->values[AT]))
        return 0;
    switch ((int)odd->values[DOES]) {
    case CRASH:
        fprintf(stderr, "odd: about to crash\n");
        raise(SIGSEGV);
        break;
    case ABORT:
        abort();
    case LOOP:
        while (for_ever)
            continue;
        break;
    case FAIL:
        snprintf(why, ASY_TRAINER_WHY, "no\nmood for update %llu", (unsigned long long)update);
        return 1;
    case EXIT:
        exit(7);
    case LEAVE:
        _exit(0);
    case THREAD:
        pthread_create(&thread, NULL, sleep_for_ever, NULL);
        break;
    default:
        break;
    }
    return 0;
}

static void say_where(void)
{
    Dl_info info = { 0 };

    if (dladdr(hypers, &info))
        printf("odd: process %d\nodd: library %s\n", (int)getpid(), info.dli_fname);
}

static int create(const struct asy_trainer_setup *setup, struct asy_trainer_shape *ret_shape,
                  void **ret_self, char *why)
{
    struct odd *odd = calloc(1, sizeof *odd);

    if (!odd)
        return 1;
    memcpy(odd->values, setup->values, sizeof odd->values);
    if (odd->values[DOES] == THREAD)
        say_where();
    odd->rank = setup->rank;
    if (setup->n_features || setup->n_rows[0] || act(odd, IN_CREATE, 0, why)) {
        free(odd);
        return 1;
    }
    ret_shape->n_params = 2;
    ret_shape->n_rows[ASY_TRAINER_TRAIN] = (size_t)odd->values[TRAIN];
    ret_shape->n_rows[ASY_TRAINER_VALIDATION] = 20;
    ret_shape->n_rows[ASY_TRAINER_TEST] = 10;
    *ret_self = odd;
    return 0;
}

static int params(void *self, float *params, char *why)
{
    params[0] = params[1] = 0.25f;
    return act(self, IN_PARAMS, 0, why);
}

static void pass(const struct odd *odd, const float *params, const struct asy_trainer_rows *rows,
                 float *grads, struct asy_trainer_sum *sums)
{
    float size = 1 / (1 + (float)odd->seen / 1000);

    for (size_t i = 0; i < rows->n; i++) {
        uint64_t bits = asy_trainer_random(rows->part, rows->row[i], 0);
        float x = (float)(bits >> 40) * 0x1p-24f, d = params[0] * x + params[1] - (2 * x + 1);

        sums[LOSS].sum += (double)d * d;
        sums[LOSS].count += 1;
        sums[RMSE].sum += (double)d * d;
        sums[RMSE].count += 1;
        if (!grads)
            continue;
        grads[0] += 2 * d * x * size;
        grads[1] += 2 * d * size;
    }
}

static int step(void *self, const float *params, const struct asy_trainer_rows *rows, float *grads,
                struct asy_trainer_sum *sums, char *why)
{
    struct odd *odd = self;

    pass(odd, params, rows, grads, sums);
    odd->seen += rows->n;
    if (odd->values[DOES] == NAN_ && rows->update == (uint64_t)odd->values[AT])
        sums[LOSS].sum = 0.0 / 0.0;
    return act(odd, IN_STEP, rows->update, why);
}

static int evaluate(void *self, const float *params, const struct asy_trainer_rows *rows,
                    struct asy_trainer_sum *sums, char *why)
{
    pass(self, params, rows, NULL, sums);
    return act(self, IN_EVALUATE, 0, why);
}

static size_t save(void *self, void *bytes, size_t room)
{
    const struct odd *odd = self;
    size_t n = sizeof odd->seen;

    if (odd->values[DOES] == FAIL && odd->values[IN] == IN_SAVE)
        return (size_t)2 << 30;
    if (room >= n)
        memcpy(bytes, &odd->seen, n);
    return n;
}

static int load(void *self, const void *bytes, size_t n, char *why)
{
    struct odd *odd = self;

    if (n != sizeof odd->seen) {
        snprintf(why, ASY_TRAINER_WHY, "%zu bytes", n);
        return 1;
    }
    memcpy(&odd->seen, bytes, n);
    return 0;
}

static const struct asy_trainer_plugin plugin = {
    .abi = ASY_TRAINER_ABI, .size = sizeof plugin, .name = "odd", .help = "for tests",
    .flags = ASY_TRAINER_OWN_DATA,
    .hypers = hypers, .n_hypers = HYPERS, .hyper_size = sizeof *hypers,
    .metrics = metrics, .n_metrics = METRICS, .metric_size = sizeof *metrics,
    .create = create, .params = params, .step = step, .evaluate = evaluate,
    .save = save, .load = load, .destroy = free,
};
ASY_TRAINER_EXPORT(plugin)
