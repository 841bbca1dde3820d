/* SPDX-License-Identifier: Apache-2.0
 * metrics.c - one table of metrics, in name order. */
#include "metrics.h"
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <asy/buf.h>
#include <asy/parse.h>

enum metric {
    ACCURACY, AUC, F1, LOSS, MAE, PERPLEXITY, R2, RMSE, TOP10, TOP2, TOP3, TOP5, METRICS,
};
enum { OF_CLASSES = 1, OF_NUMBERS = 2, NOT_OF_TRAIN = 4 };

static const struct row {
    const char *word;
    int of;
    unsigned wants; /* 0: always reported */
    size_t top;     /* number in asy__tops */
} rows[METRICS] = {
#define TOP(t) OF_CLASSES | NOT_OF_TRAIN, ASY__WANTS_TOP << (t), t
    [ACCURACY] = { "accuracy", OF_CLASSES, 0, 0 },
    [AUC] = { "auc", OF_CLASSES | NOT_OF_TRAIN, ASY__WANTS_AREA, 0 },
    [F1] = { "f1", OF_CLASSES | NOT_OF_TRAIN, 0, 0 },
    [LOSS] = { "loss", OF_CLASSES | OF_NUMBERS, 0, 0 },
    [MAE] = { "mae", OF_NUMBERS, 0, 0 },
    [PERPLEXITY] = { "perplexity", OF_CLASSES | NOT_OF_TRAIN, ASY__WANTS_PERPLEXITY, 0 },
    [R2] = { "r2", OF_NUMBERS, 0, 0 },
    [RMSE] = { "rmse", OF_NUMBERS, 0, 0 },
    [TOP10] = { "top10", TOP(3) },
    [TOP2] = { "top2", TOP(0) },
    [TOP3] = { "top3", TOP(1) },
    [TOP5] = { "top5", TOP(2) },
#undef TOP
};

/* Whether data of this schema has it at all. */
static int has(const struct asy__schema *schema, enum metric m)
{
    int is_top = rows[m].wants >= ASY__WANTS_TOP;

    if (schema->vocabulary)
        return m == ACCURACY || m == LOSS || m == PERPLEXITY;
    if (!(rows[m].of & (schema->classification ? OF_CLASSES : OF_NUMBERS)))
        return 0;
    return !is_top || asy__tops[rows[m].top] < schema->classes.n;
}

/* Of the validation part alone; of tokens there are no counts, and perplexity is of both. */
static int is_of_counts(const struct asy__schema *schema, enum metric m)
{
    return (rows[m].of & NOT_OF_TRAIN) && !schema->vocabulary;
}

unsigned asy__metric_wants(const char *name)
{
    const char *word = strchr(name, '_');

    for (int m = 0; word && m < METRICS; m++)
        if (!strcmp(rows[m].word, word + 1))
            return rows[m].wants;
    return 0;
}

/* In the units of the label. Huber's grows as a square near the target, and its delta with it. */
static double mean_loss(const struct asy__score *score, double unit, enum asy__loss loss)
{
    return score->loss / score->rows * (loss == ASY__LOSS_QUANTILE ? fabs(unit) : unit * unit);
}

static double share_explained(const struct asy__score *score)
{
    double spread = score->target_squared - score->target * score->target / score->rows;

    return spread > 0 ? 1 - score->squared / spread : (double)NAN;
}

static double value_of(enum metric m, const struct asy__score *score,
                       const struct asy__tally_result *tally, const struct asy__schema *schema,
                       enum asy__loss loss)
{
    double n = score->rows, unit = schema->classification ? 1 : 1 / schema->target_factor;

    switch (m) {
    case ACCURACY:
        return score->correct / n;
    case AUC:
        return tally->area;
    case F1:
        return tally->f1;
    case LOSS:
        return mean_loss(score, unit, loss);
    case MAE:
        return score->absolute / n * fabs(unit);
    case PERPLEXITY:
        return exp(score->loss / n);
    case R2:
        return share_explained(score);
    case RMSE:
        return sqrt(score->squared / n) * fabs(unit);
    case TOP2:
    case TOP3:
    case TOP5:
    case TOP10:
        return tally->top[rows[m].top];
    case METRICS:
        break;
    }
    return (double)NAN;
}

void asy__metrics_add(const struct asy__score *score, const struct asy__tally_result *tally,
                      const struct asy__schema *schema, enum asy__loss loss, unsigned wants,
                      const char *prefix, struct asy__metric_list *list)
{
    for (enum metric m = 0; m < METRICS; m++) {
        if (!has(schema, m) || (!tally && is_of_counts(schema, m)) ||
            (rows[m].wants && !(rows[m].wants & wants) && !schema->vocabulary))
            continue;
        ASY_ASSERT(list->n < ASY__METRICS_MAX, "%zu metrics", list->n);
        snprintf(list->item[list->n].name, sizeof list->item[list->n].name, "%s_%s", prefix,
                 rows[m].word);
        list->item[list->n++].value = value_of(m, score, tally, schema, loss);
    }
}

/* ---- names ----------------------------------------------------------------------------------- */

/* Writes the names that this data has; those with "val_" only if there is a part to validate on.
 * Returns how many. */
static size_t list_names(const struct asy__data *data, char names[2 * METRICS][32])
{
    int validated = data->start[ASY__TEST] > data->start[ASY__VALIDATION];
    size_t n = 0;

    for (int val = 0; val <= validated; val++)
        for (enum metric m = 0; m < METRICS; m++)
            if (has(&data->schema, m) && (val || !is_of_counts(&data->schema, m)))
                snprintf(names[n++], sizeof names[0], "%s_%s", val ? "val" : "train",
                         rows[m].word);
    return n;
}

int asy__metric_check(const struct asy__data *data, const char *name, struct asy_error *err)
{
    int validated = data->start[ASY__TEST] > data->start[ASY__VALIDATION];
    char names[2 * METRICS][32], list[200] = "";
    const char *all[2 * METRICS], *nearest;
    size_t n = list_names(data, names), len = 0;

    for (size_t i = 0; i < n; i++) {
        if (!strcmp(names[i], name))
            return 0;
        all[i] = names[i];
        len += len < sizeof list ? (size_t)snprintf(list + len, sizeof list - len, "%s%s",
                                                    i ? ", " : "", names[i])
                                 : 0;
    }
    nearest = asy_nearest(name, strlen(name), all, n);
    return asy_fail(err, ASY_E_INVAL, "objective: '%.32s' is not reported; there are %s%s%s%s%s",
                    name, list, validated ? "" : " (the split leaves nothing to validate on)",
                    nearest ? "; did you mean '" : "", nearest ? nearest : "",
                    nearest ? "'?" : "");
}
