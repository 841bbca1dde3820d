/* SPDX-License-Identifier: Apache-2.0
 * loss.h - which loss a job learns by, and which one it is scored by: the same without what only
 * helps to learn (smoothing, weights), so that trials with other settings of it can be compared. */
#ifndef ASY__LOSS_H
#define ASY__LOSS_H
#include <asy/op.h>
#include "data/data.h"
#include "hyper.h"

/* As operations of asy/op.h, with kind, value and sizes. hyper of trees: their own loss. */
struct asy_op asy__loss_learnt(const struct asy__hyper *hyper, const struct asy__schema *schema);
struct asy_op asy__loss_scored(const struct asy__hyper *hyper, const struct asy__schema *schema);
/* Outputs of a network that learns by it, for a row or a token. */
size_t asy__loss_outputs(const struct asy__hyper *hyper, const struct asy__schema *schema);
/* ASY_E_INVAL: a loss of classes for numbers, or the other way round. */
ASY_MUST_CHECK int asy__loss_check(const struct asy__hyper *hyper, const struct asy__schema *schema,
                                   struct asy_error *err);
/* Whether classes weigh differently (class_balance, class_weights), and how much: weights
 * [classes], whose mean over the training rows is 1. hyper was checked with the data's schema. */
int asy__loss_weighs(const struct asy__hyper *hyper);
ASY_MUST_CHECK int asy__loss_weights(const struct asy__hyper *hyper, const struct asy__data *data,
                                     float *weights, struct asy_error *err);
#endif
