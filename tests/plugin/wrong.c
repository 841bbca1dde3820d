/* SPDX-License-Identifier: Apache-2.0
 * wrong.c - a plug-in with the mistake that PLUGIN_WRONG names, in the environment of who loads it;
 * "" is none. Built as a library that tests load. */
#include <asy/trainer.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int create(const struct asy_trainer_setup *setup, struct asy_trainer_shape *ret_shape,
                  void **ret_self, char *why)
{
    (void)setup, (void)why;
    ret_shape->n_params = 1;
    *ret_self = NULL;
    return 0;
}

static int params(void *self, float *params, char *why)
{
    (void)self, (void)params, (void)why;
    return 0;
}

static int step(void *self, const float *params, const struct asy_trainer_rows *rows, float *grads,
                struct asy_trainer_sum *sums, char *why)
{
    (void)self, (void)params, (void)rows, (void)grads, (void)sums, (void)why;
    return 0;
}

static int evaluate(void *self, const float *params, const struct asy_trainer_rows *rows,
                    struct asy_trainer_sum *sums, char *why)
{
    (void)self, (void)params, (void)rows, (void)sums, (void)why;
    return 0;
}

static size_t save(void *self, void *bytes, size_t room)
{
    (void)self, (void)bytes, (void)room;
    return 0;
}

static void destroy(void *self)
{
    (void)self;
}

/* As a later release of the header may have it: more at the end of each struct. */
struct longer_hyper {
    struct asy_trainer_hyper now;
    double more;
};
static struct longer_hyper hypers[] = {
    { { "real", "a number", NULL, 0, 1, 0.5, ASY_TRAINER_REAL, 0 }, 9 },
    { { "count", "a whole number", NULL, 1, 8, 4, ASY_TRAINER_INT, ASY_TRAINER_SHAPE }, 9 },
    { { "flag", "yes or no", NULL, 0, 0, 1, ASY_TRAINER_FLAG, 0 }, 9 },
    { { "word", "one of them", "a|bb|a-b", 0, 0, 2, ASY_TRAINER_WORD, 0 }, 9 },
};
static struct asy_trainer_metric metrics[] = {
    { "loss", "squared error", 0, 0 },
    { "rmse", "root of it", ASY_TRAINER_ROOT, 0 },
};
static struct longer_plugin {
    struct asy_trainer_plugin now;
    double more;
} plugin = {
    { .abi = ASY_TRAINER_ABI, .size = sizeof plugin, .name = "wrong", .help = "for tests",
      .hypers = &hypers[0].now, .n_hypers = 4, .hyper_size = sizeof *hypers,
      .metrics = metrics, .n_metrics = 2, .metric_size = sizeof *metrics,
      .create = create, .params = params, .step = step, .evaluate = evaluate,
      .destroy = destroy }, 9
};

/* It is asked once a process, by a child of the test. */
const struct asy_trainer_plugin *asy_trainer_plugin(uint32_t engine_abi)
{
    struct asy_trainer_plugin *p = &plugin.now;
    const char *wrong = getenv("PLUGIN_WRONG");

#define IF(name, does)                        \
    if (wrong && !strcmp(wrong, name)) {      \
        does;                                 \
    }
    IF("refuses", return NULL)
    IF("newer", p->abi = engine_abi + 1)
    IF("older", p->abi = engine_abi - 1)
    IF("short", p->size = 16)
    IF("hyper_size", p->hyper_size = 8)
    IF("metric_size", p->metric_size = 8)
    IF("many", p->n_hypers = 65)
    IF("no_table", p->hypers = NULL)
    IF("no_metrics", p->n_metrics = 0)
    IF("no_step", p->step = NULL)
    IF("save_alone", p->save = save)
    IF("flags", p->flags = 2)
    IF("no_name", p->name = "Upper")
    IF("no_help", p->help = "two\nlines")
    IF("hyper_name", hypers[0].now.name = "9x")
    IF("hyper_null", hypers[0].now.name = NULL)
    IF("hyper_lr", hypers[0].now.name = "lr")
    IF("hyper_repeats", hypers[0].now.name = "repeats")
    IF("hyper_help", hypers[0].now.help = NULL)
    IF("hyper_flags", hypers[0].now.flags = 2)
    IF("hyper_twice", hypers[1].now.name = "real")
    IF("type", hypers[0].now.type = 5)
    IF("range", hypers[0].now.min = 2)
    IF("nan", hypers[0].now.fallback = NAN)
    IF("outside", hypers[0].now.fallback = 2)
    IF("half", hypers[1].now.fallback = 1.5)
    IF("flag", hypers[2].now.fallback = 2)
    IF("words", hypers[3].now.words = "a||b")
    IF("first_bar", hypers[3].now.words = "|a")
    IF("last_bar", hypers[3].now.words = "a|b|")
    IF("same_words", hypers[3].now.words = "a|b|a")
    IF("no_words", hypers[3].now.words = NULL)
    IF("word", hypers[3].now.fallback = 3)
    IF("metric_name", metrics[1].name = "a b")
    IF("metric_help", metrics[1].help = NULL)
    IF("metric_flags", metrics[1].flags = 2)
    IF("metric_twice", metrics[1].name = "loss")
    IF("metric_std", metrics[1].name = "loss_std")
    IF("no_loss", metrics[0].name = "error")
    IF("crash", abort())
#undef IF
    return p;
}
