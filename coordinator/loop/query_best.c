/* SPDX-License-Identifier: Apache-2.0
 * query_best.c - the trials of a study in the order of their values.
 *
 * With several objectives the order is that of the first one, and among equal ones of the next:
 * the first trial is then one that no other beats in all of them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "query_impl.h"

void asy__best_free(struct asy__asked *asked)
{
    free(asked->order);
    free(asked->more);
}

/* Room for one more place. */
static int reserve(struct asy__asked *asked)
{
    size_t cap = asked->cap_order ? 2 * asked->cap_order : 64;
    struct asy__place *order;
    double *more;

    if (asked->n_order < asked->cap_order)
        return 0;
    if (!(order = reallocarray(asked->order, cap, sizeof *order)))
        return ASY_E_NOMEM;
    asked->order = order;
    if (asked->n_more) {
        if (!(more = reallocarray(asked->more, cap, asked->n_more * sizeof *more)))
            return ASY_E_NOMEM;
        asked->more = more;
    }
    asked->cap_order = cap;
    return 0;
}

static int on_value(void *arg, const struct asy_trial_row *row)
{
    struct asy__asked *asked = arg;
    size_t m = asked->n_more;
    double values[ASY_OBJECTIVES_MAX];
    int feasible = asy__outcome_values(row, 1 + m, values);
    int open = row->state != ASY_TRIAL_COMPLETE || !feasible;

    if (reserve(asked))
        return ASY_E_NOMEM;
    for (size_t j = 0; j < m; j++)
        asked->more[asked->n_order * m + j] =
            asked->maximize_all[1 + j] ? -values[1 + j] : values[1 + j];
    asked->rows++;
    asked->after = (int64_t)row->number;
    asked->order[asked->n_order++] =
        (struct asy__place){ open, asked->maximize ? -row->value : row->value, row->number,
                             NULL, m };
    return 0;
}

/* The better first, one without a value last. */
static int compare(double x, double y)
{
    if (isnan(x) != isnan(y))
        return isnan(x) ? 1 : -1;
    return (x > y) - (x < y);
}

/* The complete ones within the constraints first, so that the first is the study's result. Among
 * them, and among the others, as the store orders them, and in the end by number. */
static int by_value(const void *a, const void *b)
{
    const struct asy__place *x = a, *y = b;
    int how = (x->open > y->open) - (x->open < y->open);

    how = how ? how : compare(x->value, y->value);
    for (size_t j = 0; !how && j < x->n_more; j++)
        how = compare(x->more[j], y->more[j]);
    return how ? how : (x->number > y->number) - (x->number < y->number);
}

static void begin(struct asy__asked *asked)
{
    struct asy_json *spec = NULL;
    size_t m;

    ASY_IGNORE(asy_json_parse(asked->spec, strlen(asked->spec), &spec, NULL)); /* then: one goal */
    m = asy__front_goals(spec, asked->maximize_all);
    asked->n_more = m ? m - 1 : 0;
    asy_json_destroy(spec);
    asked->after = -1;
    asked->begun = 1;
}

int asy__best_read(struct asy__asked *asked, struct asy_reader *reader, struct asy_error *err)
{
    int rc;

    if (strcmp(asked->q->arg, "best") != 0)
        return 0;
    if (!asked->begun)
        begin(asked);
    asked->rows = 0;
    rc = asy_reader_trials(reader, asked->study, asked->after, ASY__PAGE, 0, on_value, asked, err);
    if (rc == ASY_E_NOMEM)
        return asy_fail(err, ASY_E_NOMEM, "no memory for an order of trials");
    if (rc < 0 || asked->rows == ASY__PAGE)
        return rc < 0 ? rc : 1;
    for (size_t i = 0; i < asked->n_order; i++)
        asked->order[i].more = asked->n_more ? asked->more + i * asked->n_more : NULL;
    if (asked->n_order)
        qsort(asked->order, asked->n_order, sizeof *asked->order, by_value);
    return 0;
}

int asy__best_write(struct asy__asked *asked, struct asy_reader *reader, struct asy_error *err)
{
    int64_t limit = asked->q->limit;
    size_t end = asked->n_order;
    int rc;

    if (!asked->begun) {
        asy__list_begin(asked, "trials");
        asked->next = asked->q->after < 0 ? 0 : (size_t)asked->q->after + 1;
        asked->next = asked->next < end ? asked->next : end;
        if (limit >= 0 && (uint64_t)limit < end - asked->next)
            asked->n_order = end = asked->next + (size_t)limit;
    }
    for (int i = 0; i < ASY__PAGE && asked->next < end; i++)
        if ((rc = asy_reader_trial(reader, asked->study, asked->order[asked->next++].number,
                                   asy__put_trial, asked, err)) < 0)
            return rc;
    if (asked->next < end)
        return 1;
    asy_jsonw_close(&asked->w, ']');
    return 0;
}
