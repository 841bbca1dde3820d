/* SPDX-License-Identifier: Apache-2.0
 * state.h - where a training stands, all that a checkpoint must keep to go on with the same bits.
 *
 * The random numbers need no state: weights and the order of rows are keyed by seed and epoch. */
#ifndef ASY__STATE_H
#define ASY__STATE_H
#include "job.h"
#include "net/net.h"
#include "plugged.h"
#include "learn/schedule.h"
#include "learn/score.h"
#include "trees/trees.h"

/* Plain numbers, so that rank 0 can send it to the others as bytes. */
struct asy__progress {
    uint64_t epoch;      /* whole epochs behind us */
    uint64_t batch;      /* batches of the present one behind us */
    uint64_t step;       /* optimiser steps behind us */
    uint64_t best_epoch; /* 0: none yet */
    double best, last;   /* the objective; NaN: none */
    uint64_t shards;     /* that a checkpoint's sums are of */
    struct asy__plateau plateau;
};

struct asy__state {
    struct asy__progress progress;
    size_t n_params, n_buffers;
    float *params, *m, *v; /* [n_params], one for all ranks of a node; v: Adam only, else NULL */
    float *mean;           /* [n_params], as params: a running mean of them; NULL: none is kept */
    float *outer;          /* [n_params], as params: momentum of the outer steps; NULL: none */
    float *buffers;        /* [n_buffers], this rank's, but the same on all */
    float *best;           /* [n_params], then [n_buffers]; NULL but on rank 0 */
    struct asy_gbdt *trees; /* in place of all these; NULL: what gives a gradient */
    struct asy__kept *kept; /* beside them; NULL: no plug-in */
    int mean_may_lack; /* a population's trial may begin to keep one: at the weights */
    int outer_may_lack; /* or to have momentum: at zero */
    int m_may_lack; /* a population's momentum changes, and a checkpoint made without any has no
                     * m: then it starts at zero */
};

/* Writes a checkpoint: partial [progress.shards], sums of the present epoch. */
ASY_MUST_CHECK int asy__checkpoint_write(const char *path, const char *identity,
                                         const struct asy__state *state,
                                         const struct asy__score *partial, struct asy_error *err);
/* Reads one into state's memory; partial [shards] of this gang: if the checkpoint has another
 * number of them, all of it goes to the first. ASY_E_CORRUPT or ASY_E_INVAL (of another trial);
 * state is unusable then. */
ASY_MUST_CHECK int asy__checkpoint_read(const char *path, const char *identity,
                                        struct asy__state *state, struct asy__score *partial,
                                        size_t shards, struct asy_error *err);

/* A stored model. */
struct asy__model {
    struct asy__schema schema;
    struct asy__hyper hyper;
    float *memory; /* parameters and buffers of a network, then room for a pass */
    struct asy__net *net;
    struct asy_gbdt *trees; /* NULL: a network */
    struct asy__tree_outputs tree_outputs;
};
/* What a model is made of: a network with its parameters and buffers, a plug-in's parameters and
 * its state, or trees, of which so many rounds are stored. */
struct asy__model_parts {
    const struct asy__schema *schema; /* NULL: that of the run's data */
    const struct asy__net *net;       /* NULL: a plug-in or trees */
    const float *params, *buffers;
    const struct asy_gbdt *trees;
    size_t n_rounds;                 /* of trees */
    const char *device;              /* that it was trained on; NULL: the cpu */
    size_t n_params;                 /* of a plug-in; else 0 */
    const struct asy__bytes *state;
};
/* ASY_E_CORRUPT: a network's parameter is no finite number, or an entry of its buffers is NaN. */
ASY_MUST_CHECK int asy__parts_check(const struct asy__model_parts *parts, struct asy_error *err);
/* report: of report.h, as JSON; NULL: there is none. */
ASY_MUST_CHECK int asy__model_write(const char *path, const struct asy__job *job,
                                    const struct asy__schema *schema,
                                    const struct asy__model_parts *parts,
                                    const struct asy__progress *progress, const char *report,
                                    struct asy_error *err);
ASY_MUST_CHECK int asy__model_read(const char *path, struct asy__model *ret,
                                   struct asy_error *err);
void asy__model_fini(struct asy__model *model);
/* Borrows the model, which must stay where it is. */
struct asy__learner asy__model_learner(struct asy__model *model);
#endif
