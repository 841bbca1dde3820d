/* SPDX-License-Identifier: Apache-2.0
 * progress.h - a study as its watcher knows it: made from the coordinator's answers about it, then
 * kept up to date by its events. No I/O and no clock, so every picture of a study can be tested.
 *
 * An event that is already part of the answers does no harm: states and values are set, not added.
 *
 * Ownership: init/fini; what it is fed is copied. Threads: one owner. */
#ifndef ASY__PROGRESS_H
#define ASY__PROGRESS_H
#include <asy/event.h>
#include <asy/json.h>

#define ASY__FROM_UNKNOWN UINT64_MAX

struct asy__seen {
    enum asy_trial_state state; /* 0: not heard of */
    uint32_t attempt;
    uint64_t step, from, until; /* the present job; until 0: not known, UINT64_MAX: to the end;
                                 * from: ASY__FROM_UNKNOWN if it began before we looked */
    double value;               /* objective so far; NaN: none */
    uint64_t value_step;        /* where it had that value */
    double rate;                /* samples per second it last reported; NaN: never */
    uint64_t mean_of;           /* reports in value, where the mean counts */
    int outside;                /* of a constraint: no result */
    char *params;               /* "lr=0.001 hidden=64"; NULL: not known */
};
struct asy__progress {
    char name[128], metric[256], unit[64], text[400];
    int maximize, takes_best, takes_mean, checkpoints;
    uint64_t length_max, max_trials; /* 0: open */
    int64_t max_time_ms;             /* 0: open */
    int64_t created_us;
    enum asy_study_state state;
    uint64_t counts[ASY_TRIAL_CANCELLED + 1];
    struct asy__seen *trials;        /* [n] by number */
    size_t n, cap;
    int64_t best_trial;              /* with the best value of all, ended or not; -1: none yet */
    double rate;                     /* samples per second that a trial reported last; NaN: none */
    uint64_t seq;                    /* of the newest event that is part of it */
};

/* study: the answer to "study". */
ASY_MUST_CHECK int asy__progress_init(struct asy__progress *progress, const struct asy_json *study,
                                      struct asy_error *err);
void asy__progress_fini(struct asy__progress *progress); /* zeroed memory is fine too */
/* trials: an answer to "trials", whole or a page of it. */
ASY_MUST_CHECK int asy__progress_trials(struct asy__progress *progress,
                                        const struct asy_json *trials, struct asy_error *err);
/* One event of the study. */
ASY_MUST_CHECK int asy__progress_event(struct asy__progress *progress, const struct asy_json *event,
                                       struct asy_error *err);

/* Trials that have been judged at least once: ended, or paused at a rung. */
uint64_t asy__progress_done(const struct asy__progress *progress);
int asy__progress_over(const struct asy__progress *progress); /* finished, stopped or failed */
/* The coordinator has drained and ended, perhaps before its last events came: nothing runs. */
void asy__progress_drained(struct asy__progress *progress);
/* Samples per second of all that runs; NaN: nobody said. */
double asy__progress_rate(const struct asy__progress *progress);
/* What is left at the pace since watching began (done_then trials were done then, elapsed_ms ago),
 * bounded by what budget.time leaves of a study that began age_ms ago (< 0: not known, it may have
 * been paused). -1: too early to say. *ret_at_most: it is but the bound. */
int64_t asy__progress_left_ms(const struct asy__progress *progress, uint64_t done_then,
                              int64_t elapsed_ms, int64_t age_ms, int *ret_at_most);
#endif
