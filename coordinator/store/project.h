/* SPDX-License-Identifier: Apache-2.0
 * project.h - what an event does to the rows that are made from events: the one place that both
 * engines follow. It mirrors core's apply.c; core decides, the store records. */
#ifndef ASY__PROJECT_H
#define ASY__PROJECT_H
#include <asy/event.h>

struct asy__study {
    enum asy_study_state state;
    enum asy_cause cause;
    const char *text;               /* borrowed from the event that set it */
    int64_t created_us, ended_us;
    uint64_t counts[ASY_TRIAL_CANCELLED + 1];
    uint64_t trials;
    double best;
    int64_t best_trial;
    int maximize;
};
struct asy__trial {
    enum asy_trial_state state;
    enum asy_cause cause;
    const char *text, *host, *outcome; /* borrowed from the events that set them */
    double value;
    uint64_t step;
    uint32_t attempts;
    int64_t created_us, started_us, ended_us;
};
/* What of a row an event changed. */
enum asy__change {
    ASY__SAME = 0,
    ASY__PROGRESS = 1u << 0,        /* step */
    ASY__STATE = 1u << 1,           /* anything else */
};

/* 1: maximise the first objective of this canonical study file; 0: minimise, or unreadable. */
int asy__goal_of_spec(const char *spec);
/* STUDY_CREATED. */
void asy__study_init(struct asy__study *study, const struct asy_event *event);
/* STUDY_STATE; the rest is not of the study itself. */
unsigned asy__study_apply(struct asy__study *study, const struct asy_event *event);
/* TRIAL_CREATED. */
void asy__trial_init(struct asy__trial *trial, const struct asy_event *event);
/* TRIAL_STATE, LEASED, STARTED, REPORT, ENDED; also keeps the study's counts and best. */
unsigned asy__trial_apply(struct asy__trial *trial, struct asy__study *study,
                          const struct asy_event *event);
int asy__study_over(enum asy_study_state state);

/* The metrics of a LEASED event's trial that it undoes: those of attempts (not scores) above the
 * step; 1 in *ret_all: all of them, since it starts from nothing. */
uint64_t asy__undone_above(const struct asy_event *leased, int *ret_all);
/* "0-3,8; 0": the cores of each placement. */
void asy__write_cores(const struct asy_placement *placements, size_t n, struct asy_buf *buf);
/* Whether an event hangs on a trial, an existing study, or neither. */
int asy__needs_trial(enum asy_event_kind kind);
int asy__needs_study(enum asy_event_kind kind);
/* Checks what both engines ask of an event. known_trials: of its study so far; NULL: no such. */
ASY_MUST_CHECK int asy__check_event(const struct asy_event *event, const uint64_t *known_trials,
                                    struct asy_error *err);
#endif
