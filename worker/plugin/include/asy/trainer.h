/* SPDX-License-Identifier: Apache-2.0
 * asy/trainer.h - a learner of your own, as a shared library that the engine of Assay trains.
 *
 *     cc -std=c17 -O2 -fPIC -shared $(pkg-config --cflags assay-trainer) mine.c -o mine.so
 *
 *     run: {plugin: ./mine.so, length: {max: 20}}      # in the study file
 *
 * The engine owns parameters, gradients, the optimiser, the order of rows, batches, the sum over
 * ranks, checkpoints and reports. The plug-in says how many parameters there are, begins them,
 * fills a gradient for given rows, and evaluates. It needs to know nothing of ranks: each gets a
 * part of a batch's rows, and what the parts say adds up.
 *
 * This header needs C11 or C++11 and includes nothing but libc's. It changes by addition: a struct
 * that may grow begins with, or is listed with, its size, and who reads it looks no further. What
 * cannot be done that way gets another ASY_TRAINER_ABI, and then either side refuses the other with
 * a message.
 *
 * Threads:   each rank is a process; all calls come from one thread of it, one after another. A
 *            plug-in may have threads of its own, on the cores that the rank has.
 * Ownership: what the engine hands over it owns, and it is valid during that call only. Text and
 *            tables that the plug-in hands over stay as long as it is loaded.
 * Failure:   0 is success. Anything else ends the trial; what was written to `why` is its reason.
 * Crashes:   a process that the plug-in ends, or holds longer than run.silence, costs this attempt
 *            and nothing else. It serves no other attempt, so what is leaked goes with it. */
#ifndef ASY_TRAINER_H
#define ASY_TRAINER_H
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ASY_TRAINER_ABI 1u
#define ASY_TRAINER_WHY 200 /* bytes of a reason, with its end */

/* ---- what the study file may set ------------------------------------------------------------- */

enum asy_trainer_type {
    ASY_TRAINER_REAL = 1, /* a number from min to max */
    ASY_TRAINER_INT = 2,  /* a whole one, at most 2^53 */
    ASY_TRAINER_FLAG = 3, /* true or false: 1 or 0 */
    ASY_TRAINER_WORD = 4, /* one of words, as its index */
};
/* It decides what the parameters are; a population's trials, which go on from each other's
 * checkpoints, have it in common. */
#define ASY_TRAINER_SHAPE 1u

/* A hyperparameter: a constant in `run` of the study file, or one of `parameters` that is searched.
 * Names are of a-z, 0-9 and _, begin with a letter, have at most 40 bytes, and are none of the
 * engine's (lr, batch_size, optimizer, …: `assay help study networks`) or a key of `run`. */
struct asy_trainer_hyper {
    const char *name;
    const char *help;     /* one line */
    const char *words;    /* WORD: "linear|poly|rbf"; else NULL */
    double min, max;      /* REAL, INT; both 0: any */
    double fallback;      /* where the study file says nothing */
    uint32_t type, flags;
};

/* A metric that the plug-in sums up. The engine reports sum / count over all rows of a part, as
 * "train_NAME" and "val_NAME", once an epoch. Names as above. */
struct asy_trainer_metric {
    const char *name;
    const char *help;
    uint32_t flags;       /* ASY_TRAINER_ROOT: the square root of it, or 0 */
    uint32_t reserved;    /* 0 */
};
#define ASY_TRAINER_ROOT 1u

/* ---- what goes over -------------------------------------------------------------------------- */

enum asy_trainer_part { ASY_TRAINER_TRAIN, ASY_TRAINER_VALIDATION, ASY_TRAINER_TEST };

/* To create(). */
struct asy_trainer_setup {
    size_t size;             /* of this struct, as the engine has it */
    const double *values;    /* [n_hypers] in the order of the table */
    uint64_t seed;           /* of the trial */
    uint32_t rank, ranks;
    const char *dir;         /* the trial's folder, with its copies of run.files; "": a stored model
                              * is scored, without that folder */
    /* The data set, scaled and split by `data` of the study file; zeros where the plug-in has its
     * own. */
    size_t n_features;
    size_t n_classes;        /* 0: a regression */
    size_t n_rows[3];        /* by part */
    double target_shift, target_factor; /* a regression's label is target / factor + shift */
};

/* From create(); all zero before. */
struct asy_trainer_shape {
    size_t size;             /* of this struct, as the engine has it */
    size_t n_params;         /* at least 1 */
    size_t n_rows[3];        /* of a plug-in that has its own data: some to train on, at least */
};

/* To step() and evaluate(): n rows of one part. */
struct asy_trainer_rows {
    size_t size;             /* of this struct, as the engine has it */
    size_t n;                /* at least 1 */
    const uint64_t *row;     /* [n] their numbers in the part, from 0 */
    const float *features;   /* [n][n_features]; NULL: the plug-in has its own data */
    const int32_t *label;    /* [n] classes from 0; NULL: a regression, or its own data */
    const float *target;     /* [n]; NULL: a classification, or its own data */
    uint64_t seed;           /* of this update: see asy_trainer_random(); evaluate: 0 */
    uint64_t update;         /* updates made before this one */
    uint32_t part;           /* enum asy_trainer_part */
    uint32_t reserved;
};

/* One for each metric of the table. To be added to; rows and ranks add up. */
struct asy_trainer_sum {
    double sum, count;
};

/* 64 random bits for a row, which depend neither on how many ranks there are nor on which of them
 * has the row; of several numbers for one row each gets its own `number`. (The finaliser of
 * splitmix64: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014.) */
static inline uint64_t asy_trainer_random(uint64_t seed, uint64_t row, uint64_t number)
{
    uint64_t x = seed;

    for (int i = 0; i < 2; i++) {
        x += (i ? number : row) * UINT64_C(0xd1342543de82ef95) + UINT64_C(0x9e3779b97f4a7c15);
        x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
        x ^= x >> 31;
    }
    return x;
}

/* ---- the plug-in ----------------------------------------------------------------------------- */

/* It brings its own data: the study file has no `data`, and create() says how many rows there are.
 * The engine still splits each batch of row numbers among the ranks. */
#define ASY_TRAINER_OWN_DATA 1u

struct asy_trainer_plugin {
    uint32_t abi;            /* ASY_TRAINER_ABI */
    uint32_t size;           /* sizeof(struct asy_trainer_plugin) */
    const char *name;        /* as a hyperparameter's: stands in models and messages */
    const char *help;        /* one line */
    uint32_t flags;          /* ASY_TRAINER_OWN_DATA, or 0 */
    uint32_t reserved;       /* 0 */
    const struct asy_trainer_hyper *hypers;
    uint32_t n_hypers;       /* at most 64 */
    uint32_t hyper_size;     /* sizeof(struct asy_trainer_hyper) */
    const struct asy_trainer_metric *metrics;
    uint32_t n_metrics;      /* 1 to 16; the first is "loss", which the gradient is of */
    uint32_t metric_size;    /* sizeof(struct asy_trainer_metric) */

    /* Once for each training, on each rank, and once where a stored model is scored. A trial is one
     * training, or, with folds or repeated splits, one for each division and one of all rows but
     * the test part, side by side in this process: each has a self of its own, and rows and
     * parameters may be other ones in number. *ret_self is the self of all other calls; where this
     * fails destroy() is not called. */
    int (*create)(const struct asy_trainer_setup *setup, struct asy_trainer_shape *ret_shape,
                  void **ret_self, char *why);
    /* The parameters that training begins with, once for each; params [n_params], zeros before. One
     * rank is asked, the others get what it said. */
    int (*params)(void *self, float *params, char *why);
    /* Adds to grads [n_params] the gradient of the loss, summed over the rows; the engine divides
     * by the rows of the whole batch. Adds to sums [n_metrics] what the parameters before the
     * update make of the rows: the loss, and what else comes for nothing; a metric whose count
     * stays 0 is not reported for the training part. For the same bits with any number of ranks
     * (resources.reproducible: strict) it is a function of params and rows alone. */
    int (*step)(void *self, const float *params, const struct asy_trainer_rows *rows, float *grads,
                struct asy_trainer_sum *sums, char *why);
    /* The same without a gradient, of all metrics. */
    int (*evaluate)(void *self, const float *params, const struct asy_trainer_rows *rows,
                    struct asy_trainer_sum *sums, char *why);
    /* What has to be kept beside the parameters for a training to go on with, as bytes: how many
     * there are, at most 1 GiB; they are written where room suffices. Of rank 0 alone: what rows
     * leave behind on other ranks is lost. NULL, and load too: there is nothing of that kind. */
    size_t (*save)(void *self, void *bytes, size_t room);
    /* Gets such bytes back, on each rank, before the first step. */
    int (*load)(void *self, const void *bytes, size_t n, char *why);
    void (*destroy)(void *self);
};

/* The one symbol of the library. engine_abi: the ASY_TRAINER_ABI that the engine has; NULL: the
 * plug-in does not work with that. */
typedef const struct asy_trainer_plugin *asy_trainer_plugin_f(uint32_t engine_abi);

#if defined(__GNUC__)
#define ASY_TRAINER_VISIBLE __attribute__((visibility("default")))
#else
#define ASY_TRAINER_VISIBLE
#endif
ASY_TRAINER_VISIBLE asy_trainer_plugin_f asy_trainer_plugin;

/* Defines it, for a `static const struct asy_trainer_plugin`. */
#define ASY_TRAINER_EXPORT(plugin)                                                    \
    const struct asy_trainer_plugin *asy_trainer_plugin(uint32_t engine_abi)          \
    {                                                                                 \
        return engine_abi == ASY_TRAINER_ABI ? &(plugin) : NULL;                      \
    }

#ifdef __cplusplus
}
#endif
#endif
