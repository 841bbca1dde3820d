/* SPDX-License-Identifier: Apache-2.0
 * names.c - the words for the enumerations of events and messages. */
#include "codec.h"
#include <string.h>

#define LOOKUP(names, value) ((value) < ASY_ARRAY_LEN(names) ? (names)[value] : NULL)

const char *asy__event_kind_known(uint32_t value)
{
    static const char *const names[] = {
        [ASY_EV_STUDY_CREATED] = "study-created",
        [ASY_EV_STUDY_STATE] = "study-state",
        [ASY_EV_STUDY_CHANGED] = "study-changed",
        [ASY_EV_TRIAL_CREATED] = "trial-created",
        [ASY_EV_TRIAL_STATE] = "trial-state",
        [ASY_EV_LEASED] = "leased",
        [ASY_EV_STARTED] = "started",
        [ASY_EV_REPORT] = "report",
        [ASY_EV_CHECKPOINT] = "checkpoint",
        [ASY_EV_ENDED] = "ended",
        [ASY_EV_SUPERSEDED] = "superseded",
        [ASY_EV_WORKER_JOINED] = "worker-joined",
        [ASY_EV_WORKER_GONE] = "worker-gone",
        [ASY_EV_ARTIFACT] = "artifact",
        [ASY_EV_TAG] = "tag",
        [ASY_EV_SCORE] = "score",
        [ASY_EV_DATASET] = "dataset",
        [ASY_EV_CHECKPOINT_DROPPED] = "checkpoint-dropped",
    };

    return LOOKUP(names, value);
}

const char *asy__study_state_known(uint32_t value)
{
    static const char *const names[] = {
        [ASY_STUDY_RUNNING] = "running",   [ASY_STUDY_PAUSED] = "paused",
        [ASY_STUDY_STOPPING] = "stopping", [ASY_STUDY_FINISHED] = "finished",
        [ASY_STUDY_STOPPED] = "stopped",   [ASY_STUDY_FAILED] = "failed",
    };

    return LOOKUP(names, value);
}

const char *asy__trial_state_known(uint32_t value)
{
    static const char *const names[] = {
        [ASY_TRIAL_QUEUED] = "queued",     [ASY_TRIAL_LEASED] = "leased",
        [ASY_TRIAL_RUNNING] = "running",   [ASY_TRIAL_PAUSED] = "paused",
        [ASY_TRIAL_COMPLETE] = "complete", [ASY_TRIAL_PRUNED] = "pruned",
        [ASY_TRIAL_FAILED] = "failed",     [ASY_TRIAL_CANCELLED] = "cancelled",
    };

    return LOOKUP(names, value);
}

const char *asy__end_known(uint32_t value)
{
    static const char *const names[] = {
        [ASY_END_COMPLETE] = "complete",   [ASY_END_PAUSED] = "paused",
        [ASY_END_STOPPED] = "stopped",     [ASY_END_DIVERGED] = "diverged",
        [ASY_END_CRASHED] = "crashed",     [ASY_END_LOST] = "lost",
        [ASY_END_PREEMPTED] = "preempted", [ASY_END_REFUSED] = "refused",
    };

    return LOOKUP(names, value);
}

const char *asy__msg_type_known(uint32_t value)
{
    static const char *const names[] = {
        [ASY_MSG_HELLO] = "HELLO",         [ASY_MSG_WELCOME] = "WELCOME",
        [ASY_MSG_REJECT] = "REJECT",       [ASY_MSG_REHELLO] = "REHELLO",
        [ASY_MSG_HEARTBEAT] = "HEARTBEAT", [ASY_MSG_PONG] = "PONG",
        [ASY_MSG_REPORTS] = "REPORTS",     [ASY_MSG_ACK] = "ACK",
        [ASY_MSG_LEASE] = "LEASE",         [ASY_MSG_CANCEL] = "CANCEL",
        [ASY_MSG_DRAIN] = "DRAIN",         [ASY_MSG_BYE] = "BYE",
        [ASY_MSG_SUBMIT] = "SUBMIT",       [ASY_MSG_CONTROL] = "CONTROL",
        [ASY_MSG_REPLY] = "REPLY",         [ASY_MSG_QUERY] = "QUERY",
        [ASY_MSG_WATCH] = "WATCH",         [ASY_MSG_NEWS] = "NEWS",
        [ASY_MSG_RECORD] = "RECORD",       [ASY_MSG_UNSUPPORTED] = "UNSUPPORTED",
        [ASY_MSG_PART] = "PART",
    };

    return LOOKUP(names, value);
}

const char *asy__cause_known(uint32_t value)
{
    const struct asy_cause_info *info = asy_cause_info((enum asy_cause)value);

    return info ? info->name : NULL;
}

/* ---- public names: "unknown" rather than NULL ----------------------------------------------- */

static const char *or_unknown(const char *name)
{
    return name ? name : "unknown";
}

const char *asy_event_kind_name(enum asy_event_kind kind)
{
    return or_unknown(asy__event_kind_known(kind));
}

const char *asy_study_state_name(enum asy_study_state state)
{
    return or_unknown(asy__study_state_known(state));
}

const char *asy_trial_state_name(enum asy_trial_state state)
{
    return or_unknown(asy__trial_state_known(state));
}

const char *asy_end_name(enum asy_end end)
{
    return or_unknown(asy__end_known(end));
}

const char *asy_msg_type_name(enum asy_msg_type type)
{
    return or_unknown(asy__msg_type_known(type));
}

int asy_trial_state_ended(enum asy_trial_state state)
{
    return state == ASY_TRIAL_COMPLETE || state == ASY_TRIAL_PRUNED ||
           state == ASY_TRIAL_FAILED || state == ASY_TRIAL_CANCELLED;
}

int asy_artifact_is_left(const char *name)
{
    return !strcmp(name, "checkpoint") || !strcmp(name, "model") || !strcmp(name, ASY_SCORES_FILE);
}
