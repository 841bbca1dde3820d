/* SPDX-License-Identifier: Apache-2.0
 * trees.h - boosted trees (asy/gbdt.h) as a model family: a job's data and hyperparameters on the
 * one side, a fit over the ranks on the other. A round is what an epoch of one batch is elsewhere.
 *
 * Each rank has a part of the training rows, in order; histograms are summed over the ranks. Of two
 * classes one margin is learnt, the log-odds of the second.
 *
 * Ownership: create/destroy; data and comm are borrowed. Threads: one owner. */
#ifndef ASY__TREES_H
#define ASY__TREES_H
#include <asy/comm.h>
#include <asy/gbdt.h>
#include "data.h"
#include "hyper.h"

struct asy__score;
/* Of a model's margins [rows][its outputs]: out [rows][one for each class, or one]. */
void asy__trees_outputs(const struct asy_gbdt *model, const float *margins, size_t rows,
                        float *out);
/* A model without rounds, for data of this schema. The caller destroys it. */
ASY_MUST_CHECK int asy__trees_model(const struct asy__hyper *hyper,
                                    const struct asy__schema *schema, uint64_t seed,
                                    struct asy_gbdt **ret_model, struct asy_error *err);

struct asy__trees;
ASY_MUST_CHECK int asy__trees_create(const struct asy__hyper *hyper, uint64_t seed,
                                     const struct asy__data *data, struct asy_comm *comm,
                                     struct asy__trees **ret_trees, struct asy_error *err);
void asy__trees_destroy(struct asy__trees *trees);
/* Borrowed. Before start it may be given rounds, which are then continued. */
struct asy_gbdt *asy__trees_get(struct asy__trees *trees);
/* Before the first round; ranks do not talk. */
ASY_MUST_CHECK int asy__trees_start(struct asy__trees *trees, struct asy_error *err);
/* Adds a round, on all ranks together. */
ASY_MUST_CHECK int asy__trees_round(struct asy__trees *trees, struct asy_error *err);
/* Scores of this rank's rows of the training and of the validation part. */
void asy__trees_score(struct asy__trees *trees, struct asy__score *ret_train,
                      struct asy__score *ret_val);
#endif
