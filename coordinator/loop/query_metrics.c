/* SPDX-License-Identifier: Apache-2.0
 * query_metrics.c - all that a trial reported, by name and step. It may be very much, so the names
 * are looked up first, a few at a time, and of one after the other a stretch is read. Between two
 * pieces a trial that runs may report more, or an attempt undo what was not read yet: then the rest
 * is as it is now. */
#include <stdlib.h>
#include <string.h>
#include "query_impl.h"

#define NAMES_AT_ONCE 32

struct asy__metrics {
    char *names[NAMES_AT_ONCE]; /* [n_names], next: the one in hand */
    size_t n_names, next;
    uint64_t step, seq;         /* of the row before the next */
    int64_t rows;               /* of the last reading */
    struct asy_jsonw *w;
};

void asy__metrics_free(struct asy__asked *asked)
{
    if (!asked->metrics)
        return;
    for (size_t i = 0; i < asked->metrics->n_names; i++)
        free(asked->metrics->names[i]);
    free(asked->metrics);
    asked->metrics = NULL;
}

static int on_name(void *arg, const char *name)
{
    struct asy__metrics *m = arg;

    if (!(m->names[m->n_names] = strdup(name)))
        return ASY_E_NOMEM;
    m->n_names++;
    return 0;
}

/* The names that follow those in hand. */
static int more_names(struct asy__asked *asked, struct asy_reader *reader, struct asy_error *err)
{
    struct asy__metrics *m = asked->metrics;
    char *last = m->n_names ? m->names[--m->n_names] : NULL;
    int rc;

    while (m->n_names > 0)
        free(m->names[--m->n_names]);
    m->next = 0;
    rc = asy_reader_metric_names(reader, asked->study, (uint64_t)asked->q->trial, last,
                                 NAMES_AT_ONCE, on_name, m, err);
    free(last);
    return rc == ASY_E_NOMEM ? asy_fail(err, rc, "no memory for the names of metrics") : rc;
}

static int on_metric(void *arg, const struct asy_metric_row *row)
{
    struct asy__metrics *m = arg;
    struct asy_jsonw *w = m->w;

    m->rows++;
    m->step = row->step;
    m->seq = row->seq;
    asy_jsonw_open(w, NULL, '{');
    asy_jsonw_str(w, "name", row->name);
    asy_jsonw_u64(w, "step", row->step);
    asy_jsonw_f64(w, "value", row->value);
    asy_jsonw_u64(w, "attempt", row->attempt);
    asy_jsonw_i64(w, "wall_us", row->wall_us);
    asy_jsonw_bool(w, "superseded", row->superseded);
    asy_jsonw_close(w, '}');
    return 0;
}

/* Of the name in hand, at most so many rows; if those were all, the next name is in hand then. */
static int read_on(struct asy__asked *asked, struct asy_reader *reader, int64_t rows,
                   struct asy_error *err)
{
    struct asy__metrics *m = asked->metrics;
    int rc;

    m->rows = 0;
    rc = asy_reader_series(reader, asked->study, (uint64_t)asked->q->trial, m->names[m->next],
                           m->step, m->seq, rows, on_metric, m, err);
    if (rc == 0 && m->rows < rows) {
        m->step = m->seq = 0;
        m->next++;
    }
    return rc;
}

static int begin(struct asy__asked *asked, struct asy_error *err)
{
    if (!(asked->metrics = calloc(1, sizeof *asked->metrics)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for metrics");
    asked->metrics->w = &asked->w;
    asked->begun = 1;
    asy_jsonw_open(&asked->w, "metrics", '[');
    return 0;
}

int asy__metrics_write(struct asy__asked *asked, struct asy_reader *reader, struct asy_error *err)
{
    struct asy__metrics *m;
    int rc;

    if (!asked->begun && (rc = begin(asked, err)) < 0)
        return rc;
    m = asked->metrics;
    if (m->next == m->n_names) {
        if ((rc = more_names(asked, reader, err)) < 0)
            return rc;
        if (m->n_names == 0) {
            asy_jsonw_close(&asked->w, ']');
            return 0;
        }
    }
    for (int64_t left = ASY__PAGE; left > 0 && m->next < m->n_names; left -= m->rows)
        if ((rc = read_on(asked, reader, left, err)) < 0)
            return rc;
    return 1;
}
