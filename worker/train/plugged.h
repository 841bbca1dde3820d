/* SPDX-License-Identifier: Apache-2.0
 * plugged.h - a plug-in (asy/trainer.h) at work: as a learner, and what it has beside one: sums for
 * metrics of its own, state beside its parameters, data that nobody else knows.
 *
 * Sums are kept by shards, as scores are, so that they do not depend on how many ranks there are.
 *
 * Ownership: create/destroy; borrows job, data and comm. Threads: one owner. */
#ifndef ASY__PLUGGED_H
#define ASY__PLUGGED_H
#include "job.h"
#include "learn/learner.h"
#include "learn/metrics.h"
#include "learn/score.h"

struct asy__plugged;
struct asy_safetensors;
struct asy__bytes {
    unsigned char *data; /* NULL: none */
    size_t n;
};
/* What a checkpoint keeps of it. */
struct asy__kept {
    size_t n_params;         /* as the plug-in counts them: the engine's blocks have gaps behind */
    size_t n_sums;           /* of a shard */
    double *sums;            /* [shards][n_sums] of all ranks */
    struct asy__bytes state; /* at the checkpoint */
    struct asy__bytes best;  /* at the best epoch */
};
struct asy__plugged_options {
    const struct asy__job *job;
    const struct asy__data *data; /* NULL: it has its own */
    struct asy_comm *comm;
    const char *dir;
    size_t shards;
    void (*alive)(void *arg); /* NULL: nobody wants to know */
    void *arg;
};
int asy__plugged_has_data(const struct asy__job *job); /* of its own */
/* ASY_E_INVAL: it does not want these hyperparameters or data, and why. */
ASY_MUST_CHECK int asy__plugged_create(const struct asy__plugged_options *options,
                                       struct asy__plugged **ret_plugged, struct asy_error *err);
void asy__plugged_destroy(struct asy__plugged *plugged);
/* Its own data: parts of rows without anything in them. Borrowed. */
const struct asy__data *asy__plugged_data(const struct asy__plugged *plugged);
/* For batches of at most rows_max rows. */
ASY_MUST_CHECK int asy__plugged_learner(struct asy__plugged *plugged, size_t rows_max,
                                        struct asy__learner *ret, struct asy_error *err);
/* The parameters that training begins with; params [n_params]. */
ASY_MUST_CHECK int asy__plugged_init(struct asy__plugged *plugged, float *params,
                                     struct asy_error *err);
/* ASY_E_INVAL: it does not report the job's metric, or, where there are folds, reports one that has
 * the name of how far apart they are in another. */
ASY_MUST_CHECK int asy__plugged_metric(const struct asy__plugged *plugged, struct asy_error *err);

/* An epoch begins: no sums yet. */
void asy__plugged_begin(struct asy__plugged *plugged);
/* Adds the epoch's metrics of the training part, then those of the validation part, which it scores
 * with params. By all ranks; all fail alike. */
ASY_MUST_CHECK int asy__plugged_measure(struct asy__plugged *plugged, const float *params,
                                        struct asy__metric_list *list, struct asy_error *err);
/* By all ranks: takes their sums together for a checkpoint; on rank 0 the state as well. */
ASY_MUST_CHECK int asy__plugged_keep(struct asy__plugged *plugged, struct asy_error *err);
/* Rank 0 alone: the state is that of the best epoch. */
ASY_MUST_CHECK int asy__plugged_best(struct asy__plugged *plugged, struct asy_error *err);
/* What it keeps; borrowed, for writing and for reading into. */
struct asy__kept *asy__plugged_kept(struct asy__plugged *plugged);
/* By all ranks: what rank 0 has read is that of all; each has its own shards of the sums. */
ASY_MUST_CHECK int asy__plugged_resume(struct asy__plugged *plugged, struct asy_error *err);
ASY_MUST_CHECK int asy__bytes_set(struct asy__bytes *bytes, const void *data, size_t n,
                                  struct asy_error *err);
/* A file's tensor of such bytes; where there is none, ret stays as it is. ASY_E_CORRUPT: it is not
 * what a plug-in keeps. */
ASY_MUST_CHECK int asy__bytes_read(const struct asy_safetensors *file, const char *name,
                                   struct asy__bytes *ret, struct asy_error *err);
/* Scores a stored model of a plug-in: as asy_trainer_evaluate(). */
ASY_MUST_CHECK int asy__plugged_score(const struct asy_json *job, const char *model_path,
                                      enum asy__part part, struct asy_buf *ret_json,
                                      struct asy_error *err);
#endif
