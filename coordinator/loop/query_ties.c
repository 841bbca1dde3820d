/* SPDX-License-Identifier: Apache-2.0
 * query_ties.c - of studies with several objectives: which of the trials that are equal by the
 * first one is the best. The store notes the one that came first, and another may beat it in the
 * rest. Trials are read in the order of their numbers, which needs no sorting of them all. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "query_impl.h"

struct tie {
    struct asy_id study;
    double best, losses[ASY_OBJECTIVES_MAX]; /* losses: of the trial so far; NaN: none was read */
    int64_t trial, after;                    /* after: number of the last one that was read */
    int maximize[ASY_OBJECTIVES_MAX];
    size_t m;
};
struct asy__ties {
    struct tie *list;
    size_t n, cap, next;
};

void asy__ties_free(struct asy__asked *asked)
{
    if (asked->ties)
        free(asked->ties->list);
    free(asked->ties);
}

/* Whether there may be a list of objectives: most specs need not be parsed. */
static int has_list(const char *spec)
{
    static const char key[] = "\"objective\"";

    for (const char *at = spec; at && (at = strstr(at, key));) {
        at += strlen(key);
        if (at[strspn(at, " :")] == '[')
            return 1;
    }
    return 0;
}

/* How many objectives. */
static size_t goals_of(const char *spec, int *ret_maximize)
{
    struct asy_json *root = NULL;
    size_t m = 1;

    if (has_list(spec) && asy_json_parse(spec, strlen(spec), &root, NULL) == 0)
        m = asy__front_goals(root, ret_maximize);
    asy_json_destroy(root);
    return m;
}

static int on_study(void *arg, const struct asy_study_row *row)
{
    struct asy__ties *ties = arg;
    struct tie tie = { .study = row->id, .best = row->best, .losses = { NAN },
                       .trial = row->best_trial, .after = -1 };

    if (row->best_trial < 0 || (tie.m = goals_of(row->spec, tie.maximize)) < 2)
        return 0;
    if (ties->n == ties->cap) {
        size_t cap = ties->cap ? 2 * ties->cap : 16;
        struct tie *grown = reallocarray(ties->list, cap, sizeof *grown);

        if (!grown)
            return ASY_E_NOMEM;
        ties->list = grown;
        ties->cap = cap;
    }
    ties->list[ties->n++] = tie;
    return 0;
}

int asy__ties_find(struct asy__asked *asked, struct asy_reader *reader, struct asy_error *err)
{
    const char *one = strcmp(asked->q->what, "studies") ? asked->q->study : NULL;
    int rc = ASY_E_NOMEM;

    if ((asked->ties = calloc(1, sizeof *asked->ties)))
        rc = asy_reader_studies(reader, asked->q->key, one, one ? 1 : asked->q->limit, on_study,
                                asked->ties, err);
    return rc == ASY_E_NOMEM ? asy_fail(err, rc, "no memory for the best trials") : rc;
}

/* By the first objective, those that are equal by the next, and in the end by number. */
static int goes_before(const struct tie *tie, const double *losses, uint64_t number)
{
    if (isnan(tie->losses[0]))
        return 1;
    for (size_t j = 0; j < tie->m; j++)
        if (losses[j] != tie->losses[j])
            return losses[j] < tie->losses[j];
    return (int64_t)number < tie->trial;
}

static int on_trial(void *arg, const struct asy_trial_row *row)
{
    struct asy__asked *asked = arg;
    struct tie *tie = &asked->ties->list[asked->ties->next];
    double losses[ASY_OBJECTIVES_MAX];

    asked->rows++;
    tie->after = (int64_t)row->number;
    if (row->state != ASY_TRIAL_COMPLETE || row->value != tie->best ||
        !asy__outcome_values(row, tie->m, losses))
        return 0;
    for (size_t j = 0; j < tie->m; j++) {
        if (isnan(losses[j]))
            return 0;
        losses[j] = tie->maximize[j] ? -losses[j] : losses[j];
    }
    if (goes_before(tie, losses, row->number)) {
        memcpy(tie->losses, losses, sizeof losses);
        tie->trial = (int64_t)row->number;
    }
    return 0;
}

int asy__ties_read(struct asy__asked *asked, struct asy_reader *reader, struct asy_error *err)
{
    struct asy__ties *ties = asked->ties;
    struct tie *tie;
    int rc;

    if (ties->next == ties->n)
        return 0;
    tie = &ties->list[ties->next];
    asked->rows = 0;
    rc = asy_reader_trials(reader, tie->study, tie->after, ASY__PAGE, 0, on_trial, asked, err);
    if (rc < 0 && rc != ASY_E_NOENT) /* it was there a moment ago */
        return rc;
    ties->next += asked->rows < ASY__PAGE;
    return ties->next < ties->n;
}

int64_t asy__ties_best(const struct asy__asked *asked, const struct asy_study_row *row)
{
    for (size_t i = 0; asked->ties && i < asked->ties->n; i++)
        if (asy_id_cmp(asked->ties->list[i].study, row->id) == 0 &&
            asked->ties->list[i].best == row->best)
            return asked->ties->list[i].trial;
    return row->best_trial;
}
