/* SPDX-License-Identifier: Apache-2.0
 * load_scale.c - the scale of features and of labels that are numbers, fitted on the training part
 * alone. */
#include "load.h"
#include <float.h>
#include <math.h>
#include <stdlib.h>

/* Of the training rows' values of each feature. */
struct moments {
    double sum, squares, low, high, mean;
    size_t n;
};

/* By rows: the matrix may be larger than memory. */
static void sum_up(const struct asy__data *data, size_t width, struct moments *of)
{
    size_t rows = data->start[ASY__TRAIN + 1];

    for (size_t f = 0; f < width; f++)
        of[f] = (struct moments){ .low = INFINITY, .high = -INFINITY };
    for (size_t i = 0; i < rows; i++)
        for (size_t f = 0; f < width; f++) {
            double x = (double)data->x[i * width + f];

            if (isnan(x))
                continue;
            of[f].sum += x;
            of[f].n++;
            of[f].low = fmin(of[f].low, x);
            of[f].high = fmax(of[f].high, x);
        }
    for (size_t f = 0; f < width; f++)
        of[f].mean = of[f].n ? of[f].sum / (double)of[f].n : 0;
    for (size_t i = 0; i < rows; i++)
        for (size_t f = 0; f < width; f++) {
            double x = (double)data->x[i * width + f];
            double d = (isnan(x) ? of[f].mean : x) - of[f].mean;

            of[f].squares += d * d;
        }
}

/* Values that float arithmetic does not tell apart are one; those so far apart that it has no
 * factor for them would all become one. */
static int fit_feature(const struct moments *of, size_t rows, enum asy__scale scale,
                       const struct asy__column *column, struct asy__schema *schema,
                       struct asy_error *err)
{
    size_t f = column->feature;
    double spread;

    if (schema->ids)
        return 0;
    schema->fill[f] = (float)of->mean;
    if (scale == ASY__SCALE_NONE || !of->n)
        return 0;
    spread = scale == ASY__SCALE_STANDARD ? sqrt(of->squares / (double)rows) : of->high - of->low;
    if (spread * (double)FLT_MIN > 1 || of->high - of->low > (double)FLT_MAX)
        return asy_fail(err, ASY_E_FORMAT, "column '%.60s': from %g to %g is too far to be scaled "
                        "(scale: none leaves it as it is)", column->name, of->low, of->high);
    schema->shift[f] = (float)(scale == ASY__SCALE_STANDARD ? of->mean : of->low);
    schema->factor[f] = spread > 1e-12 * (fabs(of->mean) + 1e-30) && spread * (double)FLT_MAX >= 1
                            ? (float)(1 / spread)
                            : 1;
    return 0;
}

static int fit(const struct asy__data *data, enum asy__scale scale, struct asy__schema *schema,
               struct asy_error *err)
{
    struct moments *of = calloc(schema->n_features + 1, sizeof *of);
    int rc = 0;

    if (!of)
        return asy_fail(err, ASY_E_NOMEM, "no memory for %zu features", schema->n_features);
    sum_up(data, schema->n_features, of);
    for (size_t i = 0; i < schema->n_columns && rc == 0; i++) {
        const struct asy__column *column = &schema->columns[i];

        if (column->kind == ASY__NUMBER)
            rc = fit_feature(&of[column->feature], data->start[ASY__TRAIN + 1], scale, column,
                             schema, err);
    }
    free(of);
    return rc;
}

static void apply(struct asy__data *data)
{
    const struct asy__schema *schema = &data->schema;
    size_t width = schema->n_features;

    for (size_t i = 0; i < data->n_rows; i++) {
        float *x = data->x + i * width;

        for (size_t f = 0; f < width; f++)
            x[f] = ((isnan(x[f]) ? schema->fill[f] : x[f]) - schema->shift[f]) *
                   schema->factor[f];
    }
}

#define LABEL_MOST 1e100   /* of a number, */
#define LABEL_LEAST 1e-100 /* and of how far they spread: their squares are summed up */

static int fit_target(const struct asy__load *load, const size_t *order,
                      const struct asy__data *data, struct asy__schema *schema,
                      struct asy_error *err)
{
    double sum = 0, squares = 0, far = 0, n = (double)data->start[ASY__TRAIN + 1];

    for (size_t i = 0; i < data->n_rows; i++)
        if (fabs(load->numbers[i]) > LABEL_MOST)
            return asy_fail(err, ASY_E_FORMAT, "label: %g is too large to be learnt; numbers up to "
                            "%g are", load->numbers[i], LABEL_MOST);

    for (size_t i = 0; i < data->start[ASY__TRAIN + 1]; i++)
        sum += load->numbers[order[i]];
    for (size_t i = 0; i < data->start[ASY__TRAIN + 1]; i++) {
        double d = load->numbers[order[i]] - sum / n;

        squares += d * d;
        far = fmax(far, fabs(d));
    }
    if (far > 0 && far < LABEL_LEAST)
        return asy_fail(err, ASY_E_FORMAT, "label: its numbers are within %g of each other, too "
                        "near to be learnt", 2 * far);
    schema->target_shift = sum / n;
    schema->target_factor = squares > 0 ? 1 / sqrt(squares / n) : 1;
    return 0;
}

int asy__load_scale(const struct asy__load *load, const size_t *order, struct asy__data *data,
                    struct asy_error *err)
{
    struct asy__schema *schema = load->schema;
    int rc;

    if (!load->model) {
        if ((rc = fit(data, load->spec->scale, schema, err)) < 0)
            return rc;
        if (!schema->classification &&
            (rc = fit_target(load, order, data, schema, err)) < 0)
            return rc;
    }
    apply(data);
    for (size_t i = 0; i < data->n_rows && load->with_label; i++) {
        if (schema->classification)
            data->label[i] = load->ids[order[i]];
        else
            data->target[i] = (float)((load->numbers[order[i]] - schema->target_shift) *
                                      schema->target_factor);
    }
    return 0;
}
