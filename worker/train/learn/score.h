/* SPDX-License-Identifier: Apache-2.0
 * score.h - sums over rows from which the metrics of a part are made. */
#ifndef ASY__SCORE_H
#define ASY__SCORE_H
#include <asy/comm.h>
#include <asy/op.h>
#include "data/data.h"
#include "learner.h"
#include "tally.h"

/* All are sums, so ranks and batches add up: those of enum asy_sum, in its order. Regression: in
 * the units of the network's output. */
struct asy__score {
    double rows, loss, correct;
    double absolute, target, target_squared, squared; /* regression */
};
/* Outputs that data of this schema is learnt from: one for each class, or one. */
size_t asy__outputs_of(const struct asy__schema *schema);
/* Adds a batch's own output to the score, by an operation of loss.h: leaves probabilities or
 * predictions in out [rows][outputs]. label or target [rows]. */
void asy__score_batch(float *out, const struct asy_op *loss, const int32_t *label,
                      const float *target, size_t rows, struct asy__score *score);

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
/* This rank's of so many rows, by shards. */
void asy__own_rows(const struct asy_comm *comm, size_t shards, size_t rows, size_t *ret_begin,
                   size_t *ret_end);
/* Scores a part of data, by shards, of all ranks of comm. */
struct asy__scoring {
    const struct asy__learner *learner;
    const struct asy__data *data;
    struct asy_op loss;
    struct asy_comm *comm;
    size_t shards;
    struct asy__score *room;   /* [shards] */
    struct asy__tally *tally;  /* of the part and this rank's rows of it; NULL: only sums */
};
ASY_MUST_CHECK int asy__score_part(const struct asy__scoring *scoring, enum asy__part part,
                                   struct asy__score *ret, struct asy__tally_result *ret_tally,
                                   struct asy_error *err);
#endif
