/* SPDX-License-Identifier: Apache-2.0
 * test_state.c - the transitions table: every pair of states, against the picture in design.md. */
#include <asytest.h>
#include "core_impl.h"

/* Rows: from; columns: to, both in the order queued leased running paused complete pruned failed
 * cancelled. */
static const char *const trials[] = {
    ".LRpCPFX", /* queued: leased, taken up again by its worker, at its milestone, ended */
    "QLRpCPFX", /* leased */
    "Q.RpCPFX", /* running */
    "Q....P.X", /* paused */
    "........", "........", "........", "........",
};
/* running paused stopping finished stopped failed */
static const char *const studies[] = { "rpsF..", "rps...", "...FSX", "......", "......", "......" };

static void trial_states_follow_the_table(void)
{
    char name[64];

    for (int from = ASY_TRIAL_QUEUED; from <= ASY_TRIAL_CANCELLED; from++)
        for (int to = ASY_TRIAL_QUEUED; to <= ASY_TRIAL_CANCELLED; to++) {
            snprintf(name, sizeof name, "%s to %s",
                     asy_trial_state_name((enum asy_trial_state)from),
                     asy_trial_state_name((enum asy_trial_state)to));
            T_EQ(name,
                 asy__trial_may((enum asy_trial_state)from, (enum asy_trial_state)to) != 0,
                 trials[from - ASY_TRIAL_QUEUED][to - ASY_TRIAL_QUEUED] != '.');
        }
}

static void study_states_follow_the_table(void)
{
    char name[64];

    for (int from = ASY_STUDY_RUNNING; from <= ASY_STUDY_FAILED; from++)
        for (int to = ASY_STUDY_RUNNING; to <= ASY_STUDY_FAILED; to++) {
            snprintf(name, sizeof name, "%s to %s",
                     asy_study_state_name((enum asy_study_state)from),
                     asy_study_state_name((enum asy_study_state)to));
            T_EQ(name,
                 asy__study_may((enum asy_study_state)from, (enum asy_study_state)to) != 0,
                 studies[from - ASY_STUDY_RUNNING][to - ASY_STUDY_RUNNING] != '.');
        }
}

static void nonsense_states_are_no_transition(void)
{
    T_TRUE(!asy__trial_may((enum asy_trial_state)0, ASY_TRIAL_QUEUED));
    T_TRUE(!asy__trial_may((enum asy_trial_state)99, ASY_TRIAL_QUEUED));
    T_TRUE(!asy__trial_may(ASY_TRIAL_QUEUED, (enum asy_trial_state)31));
    T_TRUE(!asy__study_may(ASY_STUDY_RUNNING, (enum asy_study_state)0));
}

T_MAIN("state", T_TEST(trial_states_follow_the_table), T_TEST(study_states_follow_the_table),
       T_TEST(nonsense_states_are_no_transition))
