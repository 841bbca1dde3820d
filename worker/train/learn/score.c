/* SPDX-License-Identifier: Apache-2.0
 * score.c - scoring rows of data with what has learnt. */
#include "score.h"
#include "comm/agree.h"
#include <string.h>

void asy__score_batch(float *out, const struct asy_op *loss, const int32_t *label,
                      const float *target, size_t rows, struct asy__score *score)
{
    struct asy_op_cpu cpu = { .label = label, .target = target,
                              .sums = (double *)(void *)score };

    asy_op_loss(loss, &cpu, rows, out, 0);
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
        total.squared += parts[s].squared;
    }
    *ret = total;
    return 0;
}

void asy__own_rows(const struct asy_comm *comm, size_t shards, size_t rows, size_t *ret_begin,
                   size_t *ret_end)
{
    size_t first, end;

    asy__own_shards(comm, shards, &first, &end);
    *ret_begin = asy__share_begin(rows, first, shards);
    *ret_end = asy__share_begin(rows, end, shards);
}

/* Rows from..to, of a part that begins at start. */
static int score_rows(const struct asy__scoring *s, size_t start, size_t from, size_t to,
                      struct asy__score *score, struct asy_error *err)
{
    const struct asy__data *data = s->data;

    if (s->learner->type->score)
        return s->learner->type->score(s->learner, s, start, from, to, score, err);
    for (size_t at = from; at < to; at += s->learner->rows_max) {
        size_t rows = to - at < s->learner->rows_max ? to - at : s->learner->rows_max;
        struct asy__rows batch = asy__data_rows(data, at, rows);
        float *out;
        int rc = s->learner->type->outputs(s->learner, batch.x, rows, &out, err);

        if (rc < 0)
            return rc;
        asy__score_batch(out, &s->loss, batch.label, batch.target, rows * asy__data_labels(data),
                         score);
        if (s->tally)
            asy__tally_add(s->tally, at - start, rows, out, batch.label);
    }
    return 0;
}

int asy__score_part(const struct asy__scoring *s, enum asy__part part, struct asy__score *ret,
                    struct asy__tally_result *ret_tally, struct asy_error *err)
{
    size_t from = s->data->start[part], n = s->data->start[part + 1] - from, first, end;
    int rc = 0;

    memset(s->room, 0, s->shards * sizeof *s->room);
    if (s->tally)
        asy__tally_clear(s->tally);
    asy__own_shards(s->comm, s->shards, &first, &end);
    for (size_t i = first; i < end && rc == 0; i++)
        rc = score_rows(s, from, from + asy__share_begin(n, i, s->shards),
                        from + asy__share_begin(n, i + 1, s->shards), &s->room[i], err);
    if ((rc = asy__agree(s->comm, rc, err)) < 0 ||
        (rc = asy__score_total(s->comm, s->room, s->shards, ret, err)) < 0 || !s->tally)
        return rc;
    return asy__tally_sum(s->tally, s->comm, s->data->label + from, ret_tally, err);
}
