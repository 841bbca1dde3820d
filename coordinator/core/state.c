/* SPDX-License-Identifier: Apache-2.0
 * state.c - which states of a trial and of a study may follow which: the one table, held by
 * apply.c for every event, live and replayed. A state that may follow itself does so to take on a
 * cause (a stop that was asked for, a sampler that has no further point). */
#include "core_impl.h"

#define S(state) (1u << (state))
#define T_ENDED                                                                                    \
    (S(ASY_TRIAL_PRUNED) | S(ASY_TRIAL_FAILED) | S(ASY_TRIAL_CANCELLED))

static const unsigned trial_next[] = {
    /* Back to leased or running: its lost worker came back before it was leased again. Paused or
     * complete without running: it had reached its milestone, or the target, when its worker was
     * lost. */
    [ASY_TRIAL_QUEUED] = S(ASY_TRIAL_LEASED) | S(ASY_TRIAL_RUNNING) | S(ASY_TRIAL_PAUSED) |
                         S(ASY_TRIAL_COMPLETE) | T_ENDED,
    [ASY_TRIAL_LEASED] = S(ASY_TRIAL_LEASED) | S(ASY_TRIAL_RUNNING) | S(ASY_TRIAL_QUEUED) |
                         S(ASY_TRIAL_PAUSED) | S(ASY_TRIAL_COMPLETE) | T_ENDED,
    [ASY_TRIAL_RUNNING] = S(ASY_TRIAL_RUNNING) | S(ASY_TRIAL_QUEUED) | S(ASY_TRIAL_PAUSED) |
                          S(ASY_TRIAL_COMPLETE) | T_ENDED,
    [ASY_TRIAL_PAUSED] = S(ASY_TRIAL_QUEUED) | S(ASY_TRIAL_PRUNED) | S(ASY_TRIAL_CANCELLED),
};

static const unsigned study_next[] = {
    [ASY_STUDY_RUNNING] = S(ASY_STUDY_RUNNING) | S(ASY_STUDY_PAUSED) | S(ASY_STUDY_STOPPING) |
                          S(ASY_STUDY_FINISHED),
    [ASY_STUDY_PAUSED] = S(ASY_STUDY_PAUSED) | S(ASY_STUDY_RUNNING) | S(ASY_STUDY_STOPPING),
    [ASY_STUDY_STOPPING] = S(ASY_STUDY_FINISHED) | S(ASY_STUDY_STOPPED) | S(ASY_STUDY_FAILED),
};

int asy__trial_may(enum asy_trial_state from, enum asy_trial_state to)
{
    return (size_t)from < ASY_ARRAY_LEN(trial_next) && to >= ASY_TRIAL_QUEUED &&
           to <= ASY_TRIAL_CANCELLED && (trial_next[from] >> to & 1);
}

int asy__study_may(enum asy_study_state from, enum asy_study_state to)
{
    return (size_t)from < ASY_ARRAY_LEN(study_next) && to >= ASY_STUDY_RUNNING &&
           to <= ASY_STUDY_FAILED && (study_next[from] >> to & 1);
}
