/* SPDX-License-Identifier: Apache-2.0
 * query_importance.c - what each parameter had to do with the results (asy/importance.h).
 *
 * arg is "ped-anova" or "fanova", and behind a colon the metric of one objective. The points of all
 * complete trials within the constraints are read first, page by page; then comes one objective
 * after the other, of a forest one tree a piece. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <asy/importance.h>
#include <asy/study.h>
#include "query_impl.h"

#define ALL SIZE_MAX
#define SEED 0 /* of forests: the same question has the same answer */

struct asy__weighed {
    struct asy_study_spec *spec;
    int fanova;
    size_t only;            /* objective that is asked for, or ALL */
    size_t d, m;
    double *x, *losses;     /* [n, d], [n, m] */
    size_t n, cap;
    size_t target;          /* objective in hand; m: all of them together */
    uint64_t tree;          /* that comes next */
    double *one;            /* [n] losses of one objective */
    double *each, *sums;    /* [d] */
    size_t counted;         /* trees in sums */
};

void asy__importance_free(struct asy__asked *asked)
{
    struct asy__weighed *w = asked->weighed;

    if (!w)
        return;
    asy_study_destroy(w->spec);
    free(w->x);
    free(w->losses);
    free(w->one);
    free(w->each);
    free(w->sums);
    free(w);
    asked->weighed = NULL;
}

static int find_objective(struct asy__weighed *w, const struct asy__asked *asked,
                          struct asy_error *err)
{
    const char *colon = strchr(asked->q->arg, ':');
    size_t len = colon ? (size_t)(colon - asked->q->arg) : strlen(asked->q->arg);

    w->fanova = len == 6 && !strncmp(asked->q->arg, "fanova", 6);
    if (!w->fanova && !(len == 9 && !strncmp(asked->q->arg, "ped-anova", 9)))
        return asy_fail(err, ASY_E_INVAL, "importance is by ped-anova or fanova, not '%.*s'",
                        (int)(len < 40 ? len : 40), asked->q->arg);
    w->only = ALL;
    for (size_t j = 0; colon && j < w->m; j++)
        if (!strcmp(w->spec->objectives[j].metric, colon + 1))
            w->only = j;
    if (colon && w->only == ALL)
        return asy_fail(err, ASY_E_NOENT, "study '%.64s' has no objective '%.64s'", asked->name,
                        colon + 1);
    return 0;
}

static int begin(struct asy__asked *asked, struct asy_error *err)
{
    struct asy__weighed *w = calloc(1, sizeof *w);
    int rc;

    if (!(asked->weighed = w))
        return asy_fail(err, ASY_E_NOMEM, "no memory for an importance");
    rc = asy_study_parse(asked->spec, strlen(asked->spec), "the study", NULL, &w->spec, NULL, err);
    if (rc < 0)
        return rc;
    w->d = asy_space_len(w->spec->space);
    w->m = w->spec->n_objectives;
    asked->after = -1;
    return find_objective(w, asked, err);
}

static int make_room(struct asy__weighed *w)
{
    size_t cap = w->cap ? 2 * w->cap : 64;
    double *x, *losses;

    if (w->n < w->cap)
        return 0;
    if (!(x = reallocarray(w->x, cap * w->d, sizeof *x)))
        return ASY_E_NOMEM;
    w->x = x;
    if (!(losses = reallocarray(w->losses, cap * w->m, sizeof *losses)))
        return ASY_E_NOMEM;
    w->losses = losses;
    w->cap = cap;
    return 0;
}

static int read_params(const struct asy__weighed *w, const char *text, double *x)
{
    struct asy_json *node = NULL;
    int rc = asy_json_parse(text, strlen(text), &node, NULL);

    if (rc == 0)
        rc = asy_space_read(w->spec->space, node, 0, x, NULL);
    asy_json_destroy(node);
    return rc;
}

static int on_row(void *arg, const struct asy_trial_row *row)
{
    struct asy__asked *asked = arg;
    struct asy__weighed *w = asked->weighed;
    double *losses;

    asked->rows++;
    asked->after = (int64_t)row->number;
    if (make_room(w))
        return ASY_E_NOMEM;
    losses = w->losses + w->n * w->m;
    if (row->state != ASY_TRIAL_COMPLETE || !asy__outcome_values(row, w->m, losses) ||
        read_params(w, row->params, w->x + w->n * w->d))
        return 0;
    for (size_t j = 0; j < w->m; j++) {
        if (!isfinite(losses[j]))
            return 0;
        losses[j] = w->spec->objectives[j].maximize ? -losses[j] : losses[j];
    }
    w->n++;
    return 0;
}

int asy__importance_read(struct asy__asked *asked, struct asy_reader *reader,
                         struct asy_error *err)
{
    int rc = asked->weighed ? 0 : begin(asked, err);

    if (rc < 0)
        return rc;
    asked->rows = 0;
    rc = asy_reader_trials(reader, asked->study, asked->after, ASY__PAGE, 0, on_row, asked, err);
    if (rc == ASY_E_NOMEM)
        return asy_fail(err, ASY_E_NOMEM, "no memory for the points of a study");
    return rc < 0 ? rc : asked->rows == ASY__PAGE;
}

/* ---- what is made of them -------------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
    const struct asy__place *x = a, *y = b;

    if (x->open != y->open)
        return x->open - y->open;
    if (x->value != y->value)
        return x->value < y->value ? -1 : 1;
    return (x->number > y->number) - (x->number < y->number);
}

/* The parameters, from the one that mattered most to those that nothing can be said of. */
static int write_target(struct asy__asked *asked, struct asy_error *err)
{
    struct asy__weighed *w = asked->weighed;
    struct asy__place *order = calloc(w->d + 1, sizeof *order);
    double sum = 0;

    if (!order)
        return asy_fail(err, ASY_E_NOMEM, "no memory for an importance");
    for (size_t i = 0; i < w->d; i++) {
        order[i] = (struct asy__place){ .open = isnan(w->sums[i]) != 0, .number = i };
        order[i].value = order[i].open ? 0 : -w->sums[i];
        sum -= order[i].value;
    }
    qsort(order, w->d, sizeof *order, by_size);
    asy_jsonw_open(&asked->w, NULL, '{');
    asy_jsonw_str(&asked->w, "objective",
                  w->target < w->m ? w->spec->objectives[w->target].metric : NULL);
    asy_jsonw_open(&asked->w, "parameters", '[');
    for (size_t i = 0; i < w->d; i++) {
        double value = w->sums[order[i].number];

        asy_jsonw_open(&asked->w, NULL, '{');
        asy_jsonw_str(&asked->w, "name", asy_space_at(w->spec->space, order[i].number)->name);
        if (order[i].open)
            asy_jsonw_null(&asked->w, "importance");
        else
            asy_jsonw_f64(&asked->w, "importance", value);
        if (order[i].open || sum <= 0)
            asy_jsonw_null(&asked->w, "share");
        else
            asy_jsonw_f64(&asked->w, "share", value / sum);
        asy_jsonw_close(&asked->w, '}');
    }
    asy_jsonw_close(&asked->w, ']');
    asy_jsonw_close(&asked->w, '}');
    free(order);
    return 0;
}

static int begin_work(struct asy__asked *asked, struct asy_error *err)
{
    struct asy__weighed *w = asked->weighed;
    struct asy_json *spec = NULL;

    w->one = malloc((w->n + 1) * sizeof *w->one);
    w->each = calloc(w->d + 1, sizeof *w->each);
    w->sums = calloc(w->d + 1, sizeof *w->sums);
    if (!w->one || !w->each || !w->sums)
        return asy_fail(err, ASY_E_NOMEM, "no memory for an importance");
    asked->begun = 1;
    w->target = w->only == ALL ? 0 : w->only;
    asy_jsonw_str(&asked->w, "study", asked->name);
    asy_jsonw_str(&asked->w, "method", w->fanova ? "fanova" : "ped-anova");
    asy_jsonw_u64(&asked->w, "trials", w->n);
    if (asy_json_parse(asked->spec, strlen(asked->spec), &spec, NULL) == 0)
        asy__put_objectives(&asked->w, spec);
    asy_json_destroy(spec);
    asy_jsonw_open(&asked->w, "importances", '[');
    return 0;
}

/* A further tree; 1: that was not the last. */
static int further_tree(struct asy__weighed *w, const struct asy_losses *losses,
                        struct asy_error *err)
{
    int varies, rc;

    if (w->tree == 0) {
        memset(w->sums, 0, w->d * sizeof *w->sums);
        w->counted = 0;
    }
    rc = asy_importance_fanova_tree(losses, SEED, w->tree, w->each, &varies, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < w->d; i++)
        w->sums[i] += w->each[i]; /* NaN stays */
    w->counted += varies != 0;
    if (++w->tree < ASY_FANOVA_TREES)
        return 1;
    w->tree = 0;
    for (size_t i = 0; i < w->d && w->counted; i++)
        w->sums[i] /= (double)w->counted;
    return 0;
}

/* 1: the objective in hand has more. */
static int weigh(struct asy__weighed *w, struct asy_error *err)
{
    struct asy_losses losses = { w->spec->space, w->x, w->one, w->n, 1 };

    if (w->target == w->m) { /* being on the front */
        losses.losses = w->losses;
        losses.m = w->m;
    }
    for (size_t k = 0; k < w->n && w->target < w->m; k++)
        w->one[k] = w->losses[k * w->m + w->target];
    return w->fanova ? further_tree(w, &losses, err)
                     : asy_importance_ped_anova(&losses, w->sums, err);
}

int asy__importance_work(struct asy__asked *asked, struct asy_reader *reader,
                         struct asy_error *err)
{
    struct asy__weighed *w = asked->weighed;
    size_t targets = w->m + (w->m > 1 && !w->fanova); /* PED-ANOVA knows the front, too */
    int rc = 0;

    (void)reader;
    if ((!asked->begun && (rc = begin_work(asked, err)) < 0) || (rc = weigh(w, err)) != 0 ||
        (rc = write_target(asked, err)) < 0)
        return rc;
    if (w->only == ALL && ++w->target < targets)
        return 1;
    asy_jsonw_close(&asked->w, ']');
    return 0;
}
