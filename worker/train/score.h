/* SPDX-License-Identifier: Apache-2.0
 * score.h - sums over rows from which the metrics of a part are made. */
#ifndef ASY__SCORE_H
#define ASY__SCORE_H
#include <asy/comm.h>
#include <asy/op.h>
#include <asy/plugin.h>
#include "data.h"
#include "learner.h"

/* All are sums, so ranks and batches add up: those of enum asy_sum, in its order. Regression: in
 * the units of the network's output. */
struct asy__score {
    double rows, loss, correct; /* loss: cross-entropy, or squared error */
    double absolute, target, target_squared; /* regression */
};
/* What is learnt of data of this schema, by an operation of asy/op.h, and from how many outputs. */
enum asy_op_kind asy__loss_of(const struct asy__schema *schema);
size_t asy__outputs_of(const struct asy__schema *schema);
/* Adds a batch's own output: turns out [rows][outputs] into scale times the gradient of the summed
 * loss (0: leaves probabilities or predictions there). label or target [rows]. */
void asy__score_batch(float *out, const struct asy__schema *schema, const int32_t *label,
                      const float *target, size_t rows, float scale, struct asy__score *score);

/* Rows are divided into shards, and those among the ranks of comm in rank order; this rank has
 * first..end. What is summed up by shards does not depend on how many ranks there are. */
void asy__own_shards(const struct asy_comm *comm, size_t shards, size_t *ret_first,
                     size_t *ret_end);
/* The i-th of n equal shares of so many rows begins here. */
size_t asy__share_begin(size_t rows, size_t i, size_t n);
/* *ret = the sum of parts [shards] in their order, each with the sums of the rank that has it. By
 * all ranks; parts of others, zeros before, become theirs. */
ASY_MUST_CHECK int asy__score_total(struct asy_comm *comm, struct asy__score *parts, size_t shards,
                                    struct asy__score *ret, struct asy_error *err);
/* Scores rows from..to of data, by shards, of all ranks of comm; room [shards]. */
ASY_MUST_CHECK int asy__score_part(const struct asy__learner *learner,
                                   const struct asy__data *data, size_t from, size_t to,
                                   struct asy_comm *comm, size_t shards, struct asy__score *room,
                                   struct asy__score *ret, struct asy_error *err);
/* The metrics of a score, named "<prefix>_loss" and so on, in name order. */
#define ASY__METRICS_MAX (2 * ASY_PLUGIN_METRICS_MAX + 1)
struct asy__metric_list {
    struct {
        char name[64];
        double value;
    } item[ASY__METRICS_MAX];
    size_t n;
};
void asy__score_metrics(const struct asy__score *score, const struct asy__schema *schema,
                        const char *prefix, struct asy__metric_list *list);
/* ASY_E_INVAL unless training on this data reports the metric, which may be a study's objective. */
ASY_MUST_CHECK int asy__metric_check(const struct asy__data *data, const char *name,
                                     struct asy_error *err);
#endif
