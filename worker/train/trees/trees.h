/* SPDX-License-Identifier: Apache-2.0
 * trees.h - boosted trees (asy/gbdt.h) as a model family: a job's data and hyperparameters on the
 * one side, a fit over the ranks on the other. A round is what an epoch of one batch is elsewhere.
 *
 * Each rank has a part of the training rows, in order; histograms are summed over the ranks. Of two
 * classes one margin is learnt, the log-odds of the second.
 *
 * Ownership: create/destroy; data, comm and device are borrowed. Threads: one owner. */
#ifndef ASY__TREES_H
#define ASY__TREES_H
#include <asy/comm.h>
#include <asy/device.h>
#include <asy/gbdt.h>
#include "data/data.h"
#include "hyper.h"
#include "learn/learner.h"

struct asy__score;
struct asy__tally;
struct asy__tally_result;
/* Of a model's margins [rows][its outputs]: out [rows][one for each class, or one]. */
void asy__trees_outputs(const struct asy_gbdt *model, const float *margins, size_t rows,
                        float *out);
/* A model as a learner that has learnt: of the memory here, [rows_max][its outputs] margins and
 * [rows_max][outs] out. */
struct asy__tree_outputs {
    const struct asy_gbdt *model;
    float *margins, *out;
};
struct asy__learner asy__trees_learner(struct asy__tree_outputs *tree_outputs, size_t rows_max,
                                       size_t outs);
/* A model without rounds, for data of this schema. The caller destroys it. */
ASY_MUST_CHECK int asy__trees_model(const struct asy__hyper *hyper,
                                    const struct asy__schema *schema, uint64_t seed,
                                    struct asy_gbdt **ret_model, struct asy_error *err);

struct asy__trees;
/* device NULL: trees grow on the cpu. */
ASY_MUST_CHECK int asy__trees_create(const struct asy__hyper *hyper, uint64_t seed,
                                     const struct asy__data *data, struct asy_comm *comm,
                                     struct asy_device *device, struct asy__trees **ret_trees,
                                     struct asy_error *err);
void asy__trees_destroy(struct asy__trees *trees);
/* Borrowed. Before start it may be given rounds, which are then continued. */
struct asy_gbdt *asy__trees_get(struct asy__trees *trees);
/* Before the first round; ranks do not talk. */
ASY_MUST_CHECK int asy__trees_start(struct asy__trees *trees, struct asy_error *err);
/* Adds a round, on all ranks together. */
ASY_MUST_CHECK int asy__trees_round(struct asy__trees *trees, struct asy_error *err);
/* Scores of the training and of the validation part, the same for any number of ranks; by all of
 * them. tally takes up the rows of the latter; NULL: none, and ret_counts stays. */
ASY_MUST_CHECK int asy__trees_score(struct asy__trees *trees, struct asy__tally *tally,
                                    struct asy__score *ret_train, struct asy__score *ret_val,
                                    struct asy__tally_result *ret_counts, struct asy_error *err);
#endif
