/* SPDX-License-Identifier: Apache-2.0
 * load_scale.c - the scale of features and of labels that are numbers, fitted on the training part
 * alone. */
#include "load.h"
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

static void fit_feature(const struct moments *of, size_t rows, enum asy__scale scale, size_t f,
                        struct asy__schema *schema)
{
    double spread;

    if (schema->ids)
        return;
    schema->fill[f] = (float)of->mean;
    if (scale == ASY__SCALE_NONE || !of->n)
        return;
    spread = scale == ASY__SCALE_STANDARD ? sqrt(of->squares / (double)rows) : of->high - of->low;
    schema->shift[f] = (float)(scale == ASY__SCALE_STANDARD ? of->mean : of->low);
    schema->factor[f] = spread > 1e-12 * (fabs(of->mean) + 1e-30) ? (float)(1 / spread) : 1;
}

static int fit(const struct asy__data *data, enum asy__scale scale, struct asy__schema *schema,
               struct asy_error *err)
{
    struct moments *of = calloc(schema->n_features + 1, sizeof *of);

    if (!of)
        return asy_fail(err, ASY_E_NOMEM, "no memory for %zu features", schema->n_features);
    sum_up(data, schema->n_features, of);
    for (size_t i = 0; i < schema->n_columns; i++) {
        size_t f = schema->columns[i].feature;

        if (schema->columns[i].kind == ASY__NUMBER)
            fit_feature(&of[f], data->start[ASY__TRAIN + 1], scale, f, schema);
    }
    free(of);
    return 0;
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

static void fit_target(const struct asy__load *load, const size_t *order,
                       const struct asy__data *data, struct asy__schema *schema)
{
    double sum = 0, squares = 0, n = (double)data->start[ASY__TRAIN + 1];

    for (size_t i = 0; i < data->start[ASY__TRAIN + 1]; i++)
        sum += load->numbers[order[i]];
    for (size_t i = 0; i < data->start[ASY__TRAIN + 1]; i++) {
        double d = load->numbers[order[i]] - sum / n;

        squares += d * d;
    }
    schema->target_shift = sum / n;
    schema->target_factor = squares > 0 ? 1 / sqrt(squares / n) : 1;
}

int asy__load_scale(const struct asy__load *load, const size_t *order, struct asy__data *data,
                    struct asy_error *err)
{
    struct asy__schema *schema = load->schema;
    int rc;

    if (!load->model) {
        if ((rc = fit(data, load->spec->scale, schema, err)) < 0)
            return rc;
        if (!schema->classification)
            fit_target(load, order, data, schema);
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
