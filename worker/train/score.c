/* SPDX-License-Identifier: Apache-2.0
 * score.c - scoring rows of data with what has learnt. */
#include "score.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

void asy__score_batch(float *out, const struct asy__schema *schema, const int32_t *label,
                      const float *target, size_t rows, float scale, struct asy__score *score)
{
    struct asy_op op = { .kind = asy__loss_of(schema), .n = { asy__outputs_of(schema) } };

    asy_op_loss(&op, rows, out, label, target, scale, 0, (double *)(void *)score);
}

enum asy_op_kind asy__loss_of(const struct asy__schema *schema)
{
    return schema->classification ? ASY_OP_SOFTMAX_LOSS : ASY_OP_SQUARED_LOSS;
}

size_t asy__outputs_of(const struct asy__schema *schema)
{
    return schema->vocabulary ? schema->vocabulary : schema->classification ? schema->classes.n : 1;
}

_Static_assert(sizeof(struct asy__score) == ASY_SUMS * sizeof(double), "a score is its sums");

size_t asy__share_begin(size_t rows, size_t i, size_t n)
{
    return rows * i / n;
}

void asy__own_shards(const struct asy_comm *comm, size_t shards, size_t *ret_first, size_t *ret_end)
{
    size_t ranks = (size_t)asy_comm_size(comm), rank = (size_t)asy_comm_rank(comm);

    *ret_first = asy__share_begin(shards, rank, ranks);
    *ret_end = asy__share_begin(shards, rank + 1, ranks);
}

int asy__score_total(struct asy_comm *comm, struct asy__score *parts, size_t shards,
                     struct asy__score *ret, struct asy_error *err)
{
    size_t sums = shards * sizeof *parts / sizeof(double);
    struct asy__score total = { 0 };
    int rc = asy_comm_sum_f64(comm, (double *)(void *)parts, sums, err);

    if (rc < 0)
        return rc;
    for (size_t s = 0; s < shards; s++) {
        total.rows += parts[s].rows;
        total.loss += parts[s].loss;
        total.correct += parts[s].correct;
        total.absolute += parts[s].absolute;
        total.target += parts[s].target;
        total.target_squared += parts[s].target_squared;
    }
    *ret = total;
    return 0;
}

static void score_rows(const struct asy__learner *learner, const struct asy__data *data,
                       size_t from, size_t to, struct asy__score *score)
{
    for (size_t at = from; at < to; at += learner->rows_max) {
        size_t rows = to - at < learner->rows_max ? to - at : learner->rows_max;
        struct asy__rows batch = asy__data_rows(data, at, rows);
        float *out = learner->type->outputs(learner, batch.x, rows);

        asy__score_batch(out, &data->schema, batch.label, batch.target,
                         rows * asy__data_labels(data), 0, score);
    }
}

int asy__score_part(const struct asy__learner *learner, const struct asy__data *data, size_t from,
                    size_t to, struct asy_comm *comm, size_t shards, struct asy__score *room,
                    struct asy__score *ret, struct asy_error *err)
{
    size_t first, end;

    memset(room, 0, shards * sizeof *room);
    asy__own_shards(comm, shards, &first, &end);
    for (size_t s = first; s < end; s++)
        score_rows(learner, data, from + asy__share_begin(to - from, s, shards),
                   from + asy__share_begin(to - from, s + 1, shards), &room[s]);
    return asy__score_total(comm, room, shards, ret, err);
}

static void add(struct asy__metric_list *list, const char *prefix, const char *what, double value)
{
    snprintf(list->item[list->n].name, sizeof list->item[list->n].name, "%s_%s", prefix, what);
    list->item[list->n++].value = value;
}

void asy__score_metrics(const struct asy__score *score, const struct asy__schema *schema,
                        const char *prefix, struct asy__metric_list *list)
{
    double n = score->rows, unit = schema->classification ? 1 : 1 / schema->target_factor, spread;

    if (schema->classification) {
        add(list, prefix, "accuracy", score->correct / n);
        add(list, prefix, "loss", score->loss / n);
        if (schema->vocabulary)
            add(list, prefix, "perplexity", exp(score->loss / n));
        return;
    }
    spread = score->target_squared - score->target * score->target / n;
    add(list, prefix, "loss", score->loss / n * unit * unit);
    add(list, prefix, "mae", score->absolute / n * fabs(unit));
    add(list, prefix, "r2", spread > 0 ? 1 - score->loss / spread : NAN);
}

/* Those with "val_" only if there is a part to validate on. */
static int metric_exists(const struct asy__schema *schema, const char *name, int validated)
{
    static const char *const classes[] = { "accuracy", "loss", "perplexity" };
    static const char *const numbers[] = { "loss", "mae", "r2" };
    const char *const *words = schema->classification ? classes : numbers;
    size_t n = schema->vocabulary ? 3 : schema->classification ? 2 : ASY_ARRAY_LEN(numbers);
    char full[32];

    for (size_t i = 0; i < n; i++) {
        snprintf(full, sizeof full, "train_%s", words[i]);
        if (!strcmp(full, name))
            return 1;
        snprintf(full, sizeof full, "val_%s", words[i]);
        if (validated && !strcmp(full, name))
            return 1;
    }
    return 0;
}

int asy__metric_check(const struct asy__data *data, const char *name, struct asy_error *err)
{
    int validated = data->start[ASY__TEST] > data->start[ASY__VALIDATION];

    if (metric_exists(&data->schema, name, validated))
        return 0;
    return asy_fail(err, ASY_E_INVAL, "objective: '%.60s' is not reported; there are %s%s", name,
                    data->schema.classification ? "train_accuracy, train_loss"
                                                : "train_loss, train_mae, train_r2",
                    !validated                    ? " (the split leaves nothing to validate on)"
                    : data->schema.classification ? ", val_accuracy, val_loss"
                                                  : ", val_loss, val_mae, val_r2");
}
