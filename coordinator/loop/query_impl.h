/* SPDX-License-Identifier: Apache-2.0
 * query_impl.h - an answer in the making, shared by the files that make answers.
 *
 * Threads: whichever holds the reader; one at a time. */
#ifndef ASY__QUERY_IMPL_H
#define ASY__QUERY_IMPL_H
#include <asy/pareto.h>
#include "query.h"

#define ASY__PAGE 256              /* most rows of one piece */
#define ASY__WINDOW 256u           /* most events that one piece looks at */
#define ASY__TRIAL_NONE UINT64_MAX

struct asy__asked;
/* Makes a piece of its part. 1: the part has more; 0: that was its last; negative: it failed. */
typedef int (*asy__part_f)(struct asy__asked *asked, struct asy_reader *reader,
                           struct asy_error *err);
struct asy__place {
    int open;                      /* not complete, or outside the constraints: no result */
    double value;                  /* smaller is better; NaN: none */
    uint64_t number;
    const double *more;            /* [n_more] of the further objectives, all minimised */
    size_t n_more;
};
struct asy__asked {
    const struct asy__question *q; /* borrowed */
    struct asy_jsonw w;
    const asy__part_f *parts;      /* what is left of them; NULL: not begun */
    int begun;                     /* the part in hand has written its opening */
    int64_t after, left, rows;     /* of a list in pages: row before the next, rows that may still
                                    * come (< 0: all), rows of the last piece */
    struct asy_id study;
    int maximize;
    char *name, *spec;
    struct asy_id *visible;        /* of all studies: those that may be seen */
    size_t n_visible;
    struct asy__place *order;      /* of trials by value; next: how many rows have come */
    size_t n_order, cap_order, next;
    double *more;                  /* [n_order, n_more] what places point into */
    size_t n_more;
    int maximize_all[ASY_OBJECTIVES_MAX]; /* [1 + n_more] */
    struct asy__explained *explained;
    struct asy__front *front;
    struct asy__ties *ties;
    struct asy__weighed *weighed;
    struct asy__past *past;
    struct asy__metrics *metrics;
    struct asy__again *again;
    char say[80];                  /* to whoever waits, with what has been written; "": nothing */
};

/* Finds the one study of the question. */
ASY_MUST_CHECK int asy__asked_find(struct asy__asked *asked, struct asy_reader *reader,
                                   struct asy_error *err);
/* The one trial of the question; ASY_E_NOENT names its study. */
ASY_MUST_CHECK int asy__asked_trial(struct asy__asked *asked, struct asy_reader *reader,
                                    asy_trial_row_f each, struct asy_error *err);
int asy__asked_may_see(const struct asy__asked *asked, struct asy_id study);

/* ---- query_explain.c ------------------------------------------------------------------------- */

ASY_MUST_CHECK int asy__explain_study(struct asy__asked *asked, struct asy_reader *reader,
                                      struct asy_error *err);
ASY_MUST_CHECK int asy__explain_trials(struct asy__asked *asked, struct asy_reader *reader,
                                       struct asy_error *err);
ASY_MUST_CHECK int asy__explain_trial(struct asy__asked *asked, struct asy_reader *reader,
                                      struct asy_error *err);
ASY_MUST_CHECK int asy__explain_history(struct asy__asked *asked, struct asy_reader *reader,
                                        struct asy_error *err);
ASY_MUST_CHECK int asy__explain_attempts(struct asy__asked *asked, struct asy_reader *reader,
                                         struct asy_error *err);
/* A worker that core does not know any more, by host or the first digits of its id. */
ASY_MUST_CHECK int asy__explain_worker(struct asy__asked *asked, struct asy_reader *reader,
                                       struct asy_error *err);
void asy__explain_fini(struct asy__asked *asked);

/* ---- query_ties.c ---------------------------------------------------------------------------- */

/* Of the study of the question, or of all that it lists. */
ASY_MUST_CHECK int asy__ties_find(struct asy__asked *asked, struct asy_reader *reader,
                                  struct asy_error *err);
ASY_MUST_CHECK int asy__ties_read(struct asy__asked *asked, struct asy_reader *reader,
                                  struct asy_error *err);
/* The study's best trial, which no other beats in all objectives. */
int64_t asy__ties_best(const struct asy__asked *asked, const struct asy_study_row *row);
void asy__ties_free(struct asy__asked *asked);

/* ---- query_front.c --------------------------------------------------------------------------- */

/* Reads values; then "front" of a study with several objectives, or whole trials. */
ASY_MUST_CHECK int asy__front_read(struct asy__asked *asked, struct asy_reader *reader,
                                   struct asy_error *err);
ASY_MUST_CHECK int asy__front_points(struct asy__asked *asked, struct asy_reader *reader,
                                     struct asy_error *err);
ASY_MUST_CHECK int asy__front_trials(struct asy__asked *asked, struct asy_reader *reader,
                                     struct asy_error *err);
void asy__front_free(struct asy__asked *asked);
/* The values of m objectives, NaN: none. 0: the trial is outside of a constraint. */
int asy__outcome_values(const struct asy_trial_row *row, size_t m, double *ret_values);

/* The study's result, where it has several objectives: of equal trials by the first one, the store
 * knows only that which came first. */
void asy__front_best(const struct asy__asked *asked, struct asy_study_row *row);
/* How many objectives a study has; which of them are maximised, [ASY_OBJECTIVES_MAX]. */
size_t asy__front_goals(const struct asy_json *spec, int *ret_maximize);

/* For query_history.c, of a question called "history": what was read, by number and not only the
 * front. [n, m], all minimised and finite; borrowed. */
const double *asy__front_losses(const struct asy__asked *asked, size_t *ret_n, size_t *ret_m);
uint64_t asy__front_number(const struct asy__asked *asked, size_t i);
double asy__front_value(const struct asy__asked *asked, size_t j, double loss); /* as reported */
void asy__front_objectives(struct asy__asked *asked);

/* ---- query_auto.c ---------------------------------------------------------------------------- */

/* "sampler_reason" of a study whose sampler is auto: which it chose, and why. Of another study, or
 * one of another version that does not read: nothing. */
void asy__auto_reason_write(struct asy_jsonw *w, const char *spec_text);

/* ---- query_best.c ---------------------------------------------------------------------------- */

/* All trials in the order of their values: results first, each the better the earlier. */
ASY_MUST_CHECK int asy__best_read(struct asy__asked *asked, struct asy_reader *reader,
                                  struct asy_error *err);
ASY_MUST_CHECK int asy__best_write(struct asy__asked *asked, struct asy_reader *reader,
                                   struct asy_error *err);
void asy__best_free(struct asy__asked *asked);

/* ---- query_history.c ------------------------------------------------------------------------- */

ASY_MUST_CHECK int asy__history_write(struct asy__asked *asked, struct asy_reader *reader,
                                      struct asy_error *err);
ASY_MUST_CHECK int asy__curves_write(struct asy__asked *asked, struct asy_reader *reader,
                                     struct asy_error *err);
void asy__past_free(struct asy__asked *asked);

/* ---- query_importance.c ---------------------------------------------------------------------- */

ASY_MUST_CHECK int asy__importance_read(struct asy__asked *asked, struct asy_reader *reader,
                                        struct asy_error *err);
ASY_MUST_CHECK int asy__importance_work(struct asy__asked *asked, struct asy_reader *reader,
                                        struct asy_error *err);
void asy__importance_free(struct asy__asked *asked);

/* ---- query_metrics.c ------------------------------------------------------------------------- */

ASY_MUST_CHECK int asy__metrics_write(struct asy__asked *asked, struct asy_reader *reader,
                                      struct asy_error *err);
void asy__metrics_free(struct asy__asked *asked);

/* ---- query_replay.c -------------------------------------------------------------------------- */

ASY_MUST_CHECK int asy__again_work(struct asy__asked *asked, struct asy_reader *reader,
                                   struct asy_error *err);
void asy__again_free(struct asy__asked *asked);

/* ---- query_text.c ---------------------------------------------------------------------------- */

/* Opens a list that comes in pages. */
void asy__list_begin(struct asy__asked *asked, const char *key);
/* A trial in a list. arg: the struct asy__asked. */
int asy__put_trial(void *arg, const struct asy_trial_row *row);
/* "objectives": metric and goal of each. */
void asy__put_objectives(struct asy_jsonw *w, const struct asy_json *spec);
/* question and json are borrowed until fini. What has been written may be taken out of json between
 * two pieces. */
void asy__asked_init(struct asy__asked *asked, const struct asy__question *question,
                     struct asy_buf *json);
void asy__asked_fini(struct asy__asked *asked);
/* 1: there is more; 0: the answer is whole; negative: there is none. */
ASY_MUST_CHECK int asy__asked_piece(struct asy__asked *asked, struct asy_reader *reader,
                                    struct asy_error *err);
#endif
