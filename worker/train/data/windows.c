/* SPDX-License-Identifier: Apache-2.0
 * windows.c - see tokens.h: the parts of a sequence of tokens, and the windows in them.
 *
 * Tokens stay in the file's order, whatever their parts are: the divisions of one text differ in
 * numbers only, and where it is an import they all map the same file. What a fold leaves of the
 * rest are two pieces, and no window goes from one to the other. */
#include "tokens.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LEAST 2 /* tokens of a part: one, and one that follows it */

static int too_few(const struct asy__data *data, struct asy_error *err)
{
    return asy_fail(err, ASY_E_INVAL, "split: %zu tokens are too few to divide; each part wants "
                    "two", data->n_rows);
}

/* Of `rest` tokens before the test part: where the validation part begins and ends. */
static void place_fold(const struct asy__data_spec *spec, size_t rest, size_t *ret_from,
                       size_t *ret_to)
{
    size_t folds = spec->folds, k = (size_t)spec->division;

    *ret_from = (size_t)((uint64_t)rest * k / folds);
    *ret_to = (size_t)((uint64_t)rest * (k + 1) / folds);
}

int asy__tokens_split(const struct asy__data_spec *spec, struct asy__data *data,
                      struct asy_error *err)
{
    size_t n = data->n_rows, test = (size_t)llround((double)n * spec->test);
    size_t held = (size_t)llround((double)n * spec->validation), from, to, rest;
    int validates = spec->division >= 0 && (spec->folds || spec->validation > 0);

    if (spec->repeats > 1)
        return asy_fail(err, ASY_E_INVAL, "split: repeats shuffle rows, a text has one order; "
                        "folds divide it");
    rest = test < n ? n - test : 0;
    from = to = rest;
    if (validates && spec->folds)
        place_fold(spec, rest, &from, &to);
    else if (validates)
        from = held < rest ? rest - held : 0;
    if (rest - (to - from) < LEAST || (validates && to - from < LEAST) ||
        (spec->test > 0 && test < LEAST))
        return too_few(data, err);
    data->piece[ASY__TRAIN] = (struct asy__piece){ 0, from };
    data->behind = (struct asy__piece){ to, rest - to };
    data->piece[ASY__VALIDATION] = (struct asy__piece){ from, to - from };
    data->piece[ASY__TEST] = (struct asy__piece){ rest, test };
    data->start[ASY__TRAIN] = 0;
    data->start[ASY__VALIDATION] = rest - (to - from);
    data->start[ASY__TEST] = rest;
    data->start[ASY__PARTS] = n;
    return 0;
}

/* ---- windows -------------------------------------------------------------------------------- */

#define AT_ONCE 2048 /* tokens of a pass of evaluation, where a window has not more */

size_t asy__tokens_at_once(size_t context)
{
    return context < AT_ONCE ? AT_ONCE / context : 1;
}

static int make_room(struct asy__data *data, size_t context, struct asy_error *err)
{
    size_t n = asy__tokens_at_once(context) * context;
    float *x = malloc(n * sizeof *x);
    int32_t *label = malloc(n * sizeof *label);

    if (!x || !label) {
        free(x);
        free(label);
        return asy_fail(err, ASY_E_NOMEM, "no memory for windows of %zu tokens", context);
    }
    free(data->x);
    free(data->label);
    data->x = x;
    data->label = label;
    return 0;
}

/* Windows of a piece whose tokens but `less` may begin one, or are in it. */
static size_t windows_of(struct asy__piece piece, size_t context, size_t less)
{
    return piece.n > less ? (piece.n - less) / context : 0;
}

/* Windows of each part; returns how many of those of training are in its first piece. */
static size_t count_windows(const struct asy__data *data, size_t context, size_t rows[ASY__PARTS])
{
    size_t first = windows_of(data->piece[ASY__TRAIN], context, context);

    for (int p = 0; p < ASY__PARTS; p++)
        rows[p] = p == ASY__TRAIN ? first + windows_of(data->behind, context, context)
                                  : windows_of(data->piece[p], context, 1);
    return first;
}

int asy__tokens_fit(const struct asy__data *data, size_t context, struct asy_error *err)
{
    static const char *const names[ASY__PARTS] = { "training", "validation", "test" };
    size_t rows[ASY__PARTS];

    count_windows(data, context, rows);

    for (int p = 0; p < ASY__PARTS; p++) {
        size_t n = data->piece[p].n + (p == ASY__TRAIN ? data->behind.n : 0);

        if (!n || rows[p])
            continue;
        if (p == ASY__TRAIN && data->piece[p].n && data->behind.n)
            return asy_fail(err, ASY_E_INVAL, "split: the %zu tokens before a fold and the %zu "
                            "behind it make no window of %zu to train on (context)",
                            data->piece[p].n, data->behind.n, context);
        return asy_fail(err, ASY_E_INVAL, "split: the %zu tokens of the %s part make no window "
                        "of %zu (context)", n, names[p], context);
    }
    return 0;
}

int asy__tokens_window(struct asy__data *data, size_t context, struct asy_error *err)
{
    size_t rows[ASY__PARTS], first;
    int rc;

    if ((rc = asy__tokens_fit(data, context, err)) < 0 ||
        (rc = make_room(data, context, err)) < 0)
        return rc;
    first = count_windows(data, context, rows);
    data->schema.n_features = context;
    data->first_rows = first;
    for (int p = 0; p < ASY__PARTS; p++)
        data->start[p + 1] = data->start[p] + rows[p];
    data->n_rows = data->start[ASY__PARTS];
    return 0;
}

/* The first token of a window that begins at its place. */
static const uint16_t *window(const struct asy__data *data, size_t row)
{
    size_t context = data->schema.n_features;
    int p = row >= data->start[ASY__TEST] ? ASY__TEST
            : row >= data->start[ASY__VALIDATION] ? ASY__VALIDATION : ASY__TRAIN;

    if (p == ASY__TRAIN && row >= data->first_rows)
        return data->tokens + data->behind.at + (row - data->first_rows) * context;
    return data->tokens + data->piece[p].at + (row - data->start[p]) * context;
}

void asy__tokens_row(const struct asy__data *data, size_t row, size_t later, float *x,
                     int32_t *label)
{
    const uint16_t *token = window(data, row) + later;

    for (size_t t = 0; t < data->schema.n_features; t++) {
        x[t] = (float)token[t];
        label[t] = token[t + 1];
    }
}

void asy__tokens_rows(const struct asy__data *data, size_t at, size_t rows)
{
    size_t context = data->schema.n_features;

    ASY_ASSERT(rows <= asy__tokens_at_once(context), "%zu windows at once", rows);
    for (size_t i = 0; i < rows; i++)
        asy__tokens_row(data, at + i, 0, data->x + i * context, data->label + i * context);
}
