/* SPDX-License-Identifier: Apache-2.0
 * trees.c - see trees.h. */
#include "trees.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "learn/loss.h"
#include "learn/score.h"
#include "trees_device.h"

#define ROWS_AT_ONCE 256 /* in scoring */
#define SHARD_ROWS 64    /* at least, of a part that has more */
#define SHARDS_MAX 1024

/* A part of the data, divided into shards by its number of rows alone, and these among the ranks:
 * what is summed up by shards does not depend on how many ranks there are. */
struct part {
    size_t from, to;     /* rows */
    size_t shards;       /* so many that ranks have about as many of them each */
    size_t first, last;  /* this rank's shards: first .. last - 1 */
    size_t begin, end;   /* and its rows */
};

struct asy__trees {
    const struct asy__data *data;
    struct asy_comm *comm;
    struct asy_op loss; /* by which rows are scored */
    struct asy_gbdt_cuts *cuts;
    struct asy_gbdt_table *table;
    struct asy_gbdt *model;
    struct asy_gbdt_fit *fit;       /* on the cpu, or */
    struct asy_device *device;      /* NULL: there */
    struct asy__device_fit *on_device;
    int bins;
    struct part train, validation;
    size_t val_rounds;         /* that are in val */
    float *label;              /* [rows of this rank to train on] */
    float *val;                /* [rows of this rank to validate on][outputs] margins */
    float *out;                /* [ROWS_AT_ONCE][classes, or 1] */
    struct asy__score *sums;   /* [shards of the larger part] */
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

static int outputs(const struct asy__learner *learner, const float *x, size_t rows,
                   float **ret_outputs, struct asy_error *err)
{
    const struct asy__tree_outputs *self = learner->self;

    (void)err;
    asy_gbdt_predict(self->model, x, rows, self->margins);
    asy__trees_outputs(self->model, self->margins, rows, self->out);
    *ret_outputs = self->out;
    return 0;
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

static size_t shard_begin(const struct part *part, size_t shard)
{
    return part->from + asy__share_begin(part->to - part->from, shard, part->shards);
}

static struct part divide(const struct asy_comm *comm, size_t from, size_t to)
{
    size_t shards = (to - from) / SHARD_ROWS;
    struct part part = { .from = from, .to = to };

    part.shards = shards < 1 ? 1 : shards > SHARDS_MAX ? SHARDS_MAX : shards;
    asy__own_shards(comm, part.shards, &part.first, &part.last);
    part.begin = shard_begin(&part, part.first);
    part.end = shard_begin(&part, part.last);
    return part;
}

static int allocate(struct asy__trees *trees, struct asy_error *err)
{
    const struct asy__schema *schema = &trees->data->schema;
    const struct part *train = &trees->train, *validation = &trees->validation;
    size_t rows = train->end - train->begin, outs = schema->classification ? schema->classes.n : 1;
    size_t val = (validation->end - validation->begin) * asy_gbdt_outputs(trees->model);

    trees->label = calloc(rows + 1, sizeof *trees->label);
    trees->val = calloc(val + 1, sizeof *trees->val);
    trees->out = calloc(ROWS_AT_ONCE * outs, sizeof *trees->out);
    trees->sums = calloc(train->shards + validation->shards, sizeof *trees->sums);
    if (!trees->label || !trees->val || !trees->out || !trees->sums)
        return asy_fail(err, ASY_E_NOMEM, "no memory for trees on %zu rows", rows);
    for (size_t r = 0; r < rows; r++)
        trees->label[r] = schema->classification ? (float)trees->data->label[train->begin + r]
                                                 : trees->data->target[train->begin + r];
    return 0;
}

int asy__trees_create(const struct asy__hyper *hyper, uint64_t seed, const struct asy__data *data,
                      struct asy_comm *comm, struct asy_device *device,
                      struct asy__trees **ret_trees, struct asy_error *err)
{
    struct asy__trees *trees = calloc(1, sizeof *trees);
    const size_t *start = data->start;
    size_t width = data->schema.n_features;
    int rc;

    if (!trees)
        return asy_fail(err, ASY_E_NOMEM, "no memory for trees");
    trees->data = data;
    trees->loss = asy__loss_scored(hyper, &data->schema);
    trees->comm = comm;
    trees->device = device;
    trees->train = divide(comm, start[ASY__TRAIN], start[ASY__TRAIN + 1]);
    trees->validation = divide(comm, start[ASY__VALIDATION], start[ASY__VALIDATION + 1]);
    if ((rc = asy__trees_model(hyper, &data->schema, seed, &trees->model, err)) == 0 &&
        (rc = allocate(trees, err)) == 0 &&
        (rc = asy_gbdt_cuts_create(data->x, start[ASY__TRAIN + 1], width, (size_t)hyper->bins,
                                   &trees->cuts, err)) == 0)
        rc = asy_gbdt_table_create(trees->cuts, data->x + trees->train.begin * width,
                                   trees->train.end - trees->train.begin, &trees->table, err);
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
    asy__device_fit_destroy(trees->on_device);
    asy_gbdt_destroy(trees->model);
    asy_gbdt_table_destroy(trees->table);
    asy_gbdt_cuts_destroy(trees->cuts);
    free(trees->label);
    free(trees->val);
    free(trees->out);
    free(trees->sums);
    free(trees);
    errno = saved;
}

struct asy_gbdt *asy__trees_get(struct asy__trees *trees)
{
    return trees->model;
}

int asy__trees_start(struct asy__trees *trees, struct asy_error *err)
{
    struct asy_gbdt_shard all = { trees->train.begin, sum, trees->comm };
    const struct asy_gbdt_shard *shard = asy_comm_size(trees->comm) > 1 ? &all : NULL;

    if (trees->device)
        return asy__device_fit_create(trees->device, trees->model, trees->table, trees->label,
                                      NULL, shard, &trees->on_device, err);
    return asy_gbdt_fit_create(trees->model, trees->table, trees->label, NULL, shard, &trees->fit,
                               err);
}

int asy__trees_round(struct asy__trees *trees, struct asy_error *err)
{
    return trees->device ? asy__device_fit_round(trees->on_device, err)
                         : asy_gbdt_fit_round(trees->fit, err);
}

static const float *train_margins(const struct asy__trees *trees)
{
    return trees->device ? asy__device_fit_margins(trees->on_device)
                         : asy_gbdt_fit_margins(trees->fit);
}

/* ---- scores ---------------------------------------------------------------------------------- */

/* tally: NULL but for the validation part. */
static void score_rows(struct asy__trees *trees, const float *margins, size_t begin, size_t end,
                       struct asy__tally *tally, struct asy__score *score)
{
    const struct asy__data *data = trees->data;
    size_t outputs = asy_gbdt_outputs(trees->model);

    for (size_t at = begin; at < end; at += ROWS_AT_ONCE) {
        size_t rows = end - at < ROWS_AT_ONCE ? end - at : ROWS_AT_ONCE;

        asy__trees_outputs(trees->model, margins + (at - begin) * outputs, rows, trees->out);
        asy__score_batch(trees->out, &trees->loss, data->label + at, data->target + at, rows,
                         score);
        if (tally)
            asy__tally_add(tally, at - data->start[ASY__VALIDATION], rows, trees->out,
                           data->label + at);
    }
}

/* margins: of this rank's rows of the part. */
static int score_part(struct asy__trees *trees, const struct part *part, const float *margins,
                      struct asy__tally *tally, struct asy__score *ret, struct asy_error *err)
{
    size_t outputs = asy_gbdt_outputs(trees->model);

    memset(trees->sums, 0, part->shards * sizeof *trees->sums);
    for (size_t s = part->first; s < part->last; s++) {
        size_t begin = shard_begin(part, s);

        score_rows(trees, margins + (begin - part->begin) * outputs, begin,
                   shard_begin(part, s + 1), tally, &trees->sums[s]);
    }
    return asy__score_total(trees->comm, trees->sums, part->shards, ret, err);
}

/* Of the validation part only what the new rounds add is computed. */
int asy__trees_score(struct asy__trees *trees, struct asy__tally *tally,
                     struct asy__score *ret_train, struct asy__score *ret_val,
                     struct asy__tally_result *ret_counts, struct asy_error *err)
{
    const struct part *val = &trees->validation;
    const int32_t *label = trees->data->label + trees->data->start[ASY__VALIDATION];
    int rc = score_part(trees, &trees->train, train_margins(trees), NULL, ret_train, err);

    if (rc < 0)
        return rc;
    if (tally)
        asy__tally_clear(tally);
    asy_gbdt_predict_more(trees->model, trees->val_rounds,
                          trees->data->x + val->begin * trees->data->schema.n_features,
                          val->end - val->begin, trees->val);
    trees->val_rounds = asy_gbdt_rounds(trees->model);
    if ((rc = score_part(trees, val, trees->val, tally, ret_val, err)) < 0 || !tally)
        return rc;
    return asy__tally_sum(tally, trees->comm, label, ret_counts, err);
}
