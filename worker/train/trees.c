/* SPDX-License-Identifier: Apache-2.0
 * trees.c - see trees.h. */
#include "trees.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "score.h"

#define ROWS_AT_ONCE 256 /* in scoring */

struct asy__trees {
    const struct asy__data *data;
    struct asy_comm *comm;
    struct asy_gbdt_cuts *cuts;
    struct asy_gbdt_table *table;
    struct asy_gbdt *model;
    struct asy_gbdt_fit *fit;
    int bins;
    size_t begin, end;         /* this rank's training rows */
    size_t val_begin, val_end; /* and those to validate on */
    size_t val_rounds;         /* that are in val */
    float *label;              /* [end - begin] */
    float *val;                /* [val_end - val_begin][outputs] margins */
    float *out;                /* [ROWS_AT_ONCE][classes, or 1] */
};

/* ---- models ---------------------------------------------------------------------------------- */

void asy__trees_outputs(const struct asy_gbdt *model, const float *margins, size_t rows,
                        float *out)
{
    if (asy_gbdt_params(model)->loss != ASY_GBDT_LOGISTIC) {
        memcpy(out, margins, rows * asy_gbdt_outputs(model) * sizeof *out);
        return;
    }
    for (size_t r = 0; r < rows; r++) {
        out[2 * r] = 0;
        out[2 * r + 1] = margins[r];
    }
}

static float *outputs(const struct asy__learner *learner, const float *x, size_t rows)
{
    const struct asy__tree_outputs *self = learner->self;

    asy_gbdt_predict(self->model, x, rows, self->margins);
    asy__trees_outputs(self->model, self->margins, rows, self->out);
    return self->out;
}

struct asy__learner asy__trees_learner(struct asy__tree_outputs *tree_outputs, size_t rows_max,
                                       size_t outs)
{
    static const struct asy__learner_type type = { .outputs = outputs };

    return (struct asy__learner){ .type = &type, .rows_max = rows_max, .outs = outs,
                                  .self = tree_outputs };
}

int asy__trees_model(const struct asy__hyper *hyper, const struct asy__schema *schema,
                     uint64_t seed, struct asy_gbdt **ret_model, struct asy_error *err)
{
    struct asy_gbdt_params params = {
        .loss = !schema->classification  ? ASY_GBDT_SQUARED
                : schema->classes.n == 2 ? ASY_GBDT_LOGISTIC
                                         : ASY_GBDT_SOFTMAX,
        .max_depth = (size_t)hyper->max_depth,
        .learning_rate = hyper->lr,
        .l1 = hyper->l1,
        .l2 = hyper->l2,
        .gamma = hyper->gamma,
        .min_child_weight = hyper->min_child_weight,
        .subsample = hyper->subsample,
        .colsample = hyper->colsample,
        .seed = seed,
    };

    params.classes = params.loss == ASY_GBDT_SOFTMAX ? schema->classes.n : 0;
    return asy_gbdt_create(&params, schema->n_features, ret_model, err);
}

/* ---- the fit --------------------------------------------------------------------------------- */

static int sum(void *context, int64_t *x, size_t n, struct asy_error *err)
{
    return asy_comm_sum_i64(context, x, n, err);
}

/* A rank's share of rows from .. to - 1. */
static void share(const struct asy_comm *comm, size_t from, size_t to, size_t *ret_begin,
                  size_t *ret_end)
{
    size_t ranks = (size_t)asy_comm_size(comm), rank = (size_t)asy_comm_rank(comm);

    *ret_begin = from + (to - from) * rank / ranks;
    *ret_end = from + (to - from) * (rank + 1) / ranks;
}

static int allocate(struct asy__trees *trees, struct asy_error *err)
{
    const struct asy__schema *schema = &trees->data->schema;
    size_t rows = trees->end - trees->begin, outs = schema->classification ? schema->classes.n : 1;

    trees->label = calloc(rows + 1, sizeof *trees->label);
    trees->val = calloc((trees->val_end - trees->val_begin) * asy_gbdt_outputs(trees->model) + 1,
                        sizeof *trees->val);
    trees->out = calloc(ROWS_AT_ONCE * outs, sizeof *trees->out);
    if (!trees->label || !trees->val || !trees->out)
        return asy_fail(err, ASY_E_NOMEM, "no memory for trees on %zu rows", rows);
    for (size_t r = 0; r < rows; r++)
        trees->label[r] = schema->classification ? (float)trees->data->label[trees->begin + r]
                                                 : trees->data->target[trees->begin + r];
    return 0;
}

int asy__trees_create(const struct asy__hyper *hyper, uint64_t seed, const struct asy__data *data,
                      struct asy_comm *comm, struct asy__trees **ret_trees, struct asy_error *err)
{
    struct asy__trees *trees = calloc(1, sizeof *trees);
    const size_t *start = data->start;
    size_t width = data->schema.n_features;
    int rc;

    if (!trees)
        return asy_fail(err, ASY_E_NOMEM, "no memory for trees");
    trees->data = data;
    trees->comm = comm;
    share(comm, start[ASY__TRAIN], start[ASY__TRAIN + 1], &trees->begin, &trees->end);
    share(comm, start[ASY__VALIDATION], start[ASY__VALIDATION + 1], &trees->val_begin,
          &trees->val_end);
    if ((rc = asy__trees_model(hyper, &data->schema, seed, &trees->model, err)) == 0 &&
        (rc = allocate(trees, err)) == 0 &&
        (rc = asy_gbdt_cuts_create(data->x, start[ASY__TRAIN + 1], width, (size_t)hyper->bins,
                                   &trees->cuts, err)) == 0)
        rc = asy_gbdt_table_create(trees->cuts, data->x + trees->begin * width,
                                   trees->end - trees->begin, &trees->table, err);
    if (rc < 0)
        asy__trees_destroy(trees);
    else
        *ret_trees = trees;
    return rc;
}

void asy__trees_destroy(struct asy__trees *trees)
{
    int saved = errno;

    if (!trees)
        return;
    asy_gbdt_fit_destroy(trees->fit);
    asy_gbdt_destroy(trees->model);
    asy_gbdt_table_destroy(trees->table);
    asy_gbdt_cuts_destroy(trees->cuts);
    free(trees->label);
    free(trees->val);
    free(trees->out);
    free(trees);
    errno = saved;
}

struct asy_gbdt *asy__trees_get(struct asy__trees *trees)
{
    return trees->model;
}

int asy__trees_start(struct asy__trees *trees, struct asy_error *err)
{
    struct asy_gbdt_shard shard = { trees->begin, sum, trees->comm };

    return asy_gbdt_fit_create(trees->model, trees->table, trees->label, NULL,
                               asy_comm_size(trees->comm) > 1 ? &shard : NULL, &trees->fit, err);
}

int asy__trees_round(struct asy__trees *trees, struct asy_error *err)
{
    return asy_gbdt_fit_round(trees->fit, err);
}

/* ---- scores ---------------------------------------------------------------------------------- */

static void score(struct asy__trees *trees, const float *margins, size_t begin, size_t end,
                  struct asy__score *ret)
{
    const struct asy__data *data = trees->data;
    size_t outputs = asy_gbdt_outputs(trees->model);

    memset(ret, 0, sizeof *ret);
    for (size_t at = begin; at < end; at += ROWS_AT_ONCE) {
        size_t rows = end - at < ROWS_AT_ONCE ? end - at : ROWS_AT_ONCE;

        asy__trees_outputs(trees->model, margins + (at - begin) * outputs, rows, trees->out);
        asy__score_batch(trees->out, &data->schema, data->label + at, data->target + at, rows, 0,
                         ret);
    }
}

/* Of the validation part only what the new rounds add is computed. */
void asy__trees_score(struct asy__trees *trees, struct asy__score *ret_train,
                      struct asy__score *ret_val)
{
    const float *x = trees->data->x + trees->val_begin * trees->data->schema.n_features;

    score(trees, asy_gbdt_fit_margins(trees->fit), trees->begin, trees->end, ret_train);
    asy_gbdt_predict_more(trees->model, trees->val_rounds, x, trees->val_end - trees->val_begin,
                          trees->val);
    trees->val_rounds = asy_gbdt_rounds(trees->model);
    score(trees, trees->val, trees->val_begin, trees->val_end, ret_val);
}
