/* SPDX-License-Identifier: Apache-2.0
 * row.c - see row.h. */
#include "row.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <asy/json.h>

#define ROW_MAX 4096

static void put(struct asy_buf *line)
{
    ASY_ASSERT(line->rc == 0, "a row of %zu bytes", line->len);
    puts(line->data);
    fflush(stdout);
    asy_buf_fini(line);
}

static void begin(struct asy_buf *line, struct asy_jsonw *w, const char *name, const char *key)
{
    asy_buf_init(line, ROW_MAX);
    asy_jsonw_init(w, line, 0);
    asy_jsonw_open(w, NULL, '{');
    asy_jsonw_str(w, "name", name);
    if (key)
        asy_jsonw_str(w, "case", key);
}

void row_put(const struct row *row)
{
    struct asy_buf line;
    struct asy_jsonw w;

    if (!isfinite(row->value)) {
        row_put_missing(row->name, row->key, row->unit, "not a finite number");
        return;
    }
    begin(&line, &w, row->name, row->key);
    asy_jsonw_f64(&w, "value", row->value);
    asy_jsonw_str(&w, "unit", row->unit);
    asy_jsonw_u64(&w, "n", row->n);
    if (row->disk) {
        asy_jsonw_str(&w, "fs", row->disk->fs);
        asy_jsonw_f64(&w, "fdatasync_p50_ms", row->disk->p50_ms);
        asy_jsonw_f64(&w, "fdatasync_p99_ms", row->disk->p99_ms);
    }
    if (row->peer) {
        asy_jsonw_str(&w, "peer", row->peer);
        asy_jsonw_f64(&w, "peer_value", row->peer_value);
        asy_jsonw_f64(&w, "ratio", row->peer_value / row->value);
    }
    asy_jsonw_close(&w, '}');
    put(&line);
}

void row_put_missing(const char *name, const char *key, const char *unit, const char *why)
{
    struct asy_buf line;
    struct asy_jsonw w;

    begin(&line, &w, name, key);
    asy_jsonw_null(&w, "value");
    asy_jsonw_str(&w, "unit", unit);
    asy_jsonw_str(&w, "why", why);
    asy_jsonw_close(&w, '}');
    put(&line);
}

/* ---- statistics ------------------------------------------------------------------------------ */

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double median(double *values, size_t n)
{
    qsort(values, n, sizeof *values, ascending);
    return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

double quantile(double *values, size_t n, double q)
{
    size_t i = (size_t)ceil(q * (double)n);

    qsort(values, n, sizeof *values, ascending);
    return values[i > 0 ? i - 1 : 0];
}
