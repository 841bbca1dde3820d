/* SPDX-License-Identifier: Apache-2.0
 * names.c - the words for the enumerations of events and messages, and what each cause means. */
#include "codec.h"

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
    };

    return LOOKUP(names, value);
}

/* ---- causes --------------------------------------------------------------------------------- */

static const struct asy_cause_info causes[] = {
    { ASY_CAUSE_NONE, "none", "nothing holds it back", "nothing to do" },
    { ASY_CAUSE_NO_WORKER, "no-worker",
      "no worker is connected that serves the owner of this study",
      "start one with 'assay worker', or ask for one that is started with --serve" },
    { ASY_CAUSE_NO_CORES, "no-cores", "every worker it would fit has fewer free cores than it asks",
      "wait for running trials, lower resources.cores or resources.ranks, or add a worker" },
    { ASY_CAUSE_NO_MEMORY, "no-memory",
      "every worker it would fit has less free memory than it asks",
      "wait for running trials, lower resources.memory, or add a worker" },
    { ASY_CAUSE_NO_GPU, "no-gpu", "every worker it would fit has fewer free GPUs than it asks",
      "wait for running trials, lower resources.gpus, or add a worker with GPUs" },
    { ASY_CAUSE_TOO_LARGE, "too-large",
      "it asks for more than any connected worker has, even when idle",
      "lower the study's resources, or add a larger worker" },
    { ASY_CAUSE_STUDY_PAUSED, "study-paused", "its study is paused", "assay resume STUDY" },
    { ASY_CAUSE_PRIORITY, "priority",
      "studies of a higher priority, or with a smaller share of the workers, go first",
      "wait, or raise the study's priority" },
    { ASY_CAUSE_PARALLEL_LIMIT, "parallel-limit",
      "as many trials of the study run as budget.parallel allows",
      "wait, or resume the study with a larger budget.parallel" },
    { ASY_CAUSE_RUNG, "rung",
      "it is paused at a rung and not among the best there, so it is not promoted",
      "wait for more trials to reach the rung, or lower the pruner's reduction" },
    { ASY_CAUSE_REATTACH, "reattach",
      "the coordinator restarted, and its worker may still come back with it",
      "wait: it is queued again after the reattach window" },
    { ASY_CAUSE_SUSPECT, "suspect", "its worker is silent but not yet given up",
      "look at that node; the trial is queued again once the worker counts as lost" },
    { ASY_CAUSE_SAMPLER, "sampler", "the sampler is computing the next point", "wait" },
    { ASY_CAUSE_LAG, "lag",
      "the study is deterministic, and an earlier job within its lag has not ended",
      "wait, or start the study with a larger search.lag" },
    { ASY_CAUSE_DRAINING, "draining", "the workers it would fit are draining",
      "add a worker, or start the drained ones again" },
    { ASY_CAUSE_UNFIT, "unfit", "the only workers it would fit are out of service",
      "see 'assay workers' for what their self test found" },
    { ASY_CAUSE_BACKOFF, "backoff", "its last attempt crashed a moment ago",
      "wait: the next attempt follows shortly" },
    { ASY_CAUSE_STORE, "store", "the coordinator's store cannot be written",
      "free space on the disk that holds it; work goes on by itself" },
    { ASY_CAUSE_EXIT_CODE, "exit-code", "the program ended with an exit code other than 0",
      "read the end of its log: 'assay logs TRIAL'" },
    { ASY_CAUSE_SIGNAL, "signal", "the program was ended by a signal",
      "read the end of its log: 'assay logs TRIAL'" },
    { ASY_CAUSE_OUT_OF_MEMORY, "out-of-memory", "the program used more memory than it was given",
      "raise resources.memory, or make the trial smaller" },
    { ASY_CAUSE_DIVERGED, "diverged", "the loss or the objective became NaN or infinite",
      "narrow the range of the learning rate" },
    { ASY_CAUSE_NO_VALUE, "no-value",
      "the program ended well but never reported the study's objective",
      "report the metric that objective.metric names" },
    { ASY_CAUSE_NO_PROGRESS, "no-progress",
      "three attempts in a row were lost without a newer checkpoint",
      "checkpoint more often, or look at the nodes that were lost" },
    { ASY_CAUSE_RETRIES, "retries", "it crashed more often than retries allows",
      "mend what its log shows, or raise retries" },
    { ASY_CAUSE_NOT_STARTED, "not-started", "the program could not be started",
      "check run.command, its files and its folder on the worker" },
    { ASY_CAUSE_BAD_JOB, "bad-job", "the training program refused its job",
      "correct the part of the study that its message names" },
    { ASY_CAUSE_PROTOCOL, "protocol", "the program sent something that is not a message",
      "correct the line that its message names" },
    { ASY_CAUSE_SAMPLER_FAILED, "sampler-failed", "the sampler could not suggest a point",
      "correct the study's parameters, or choose another search.sampler" },
    { ASY_CAUSE_DATA, "data", "the data set could not be read",
      "correct the place of the file that its message names" },
    { ASY_CAUSE_PRUNED, "pruned", "the pruner stopped it as worse than others at the same length",
      "nothing to do; to let more trials through, change search.pruner" },
    { ASY_CAUSE_STUDY_ENDED, "study-ended", "the study ended while it was waiting",
      "nothing to do; a larger budget would have let it go on" },
    { ASY_CAUSE_USER, "user", "a user asked for it", "nothing to do" },
    { ASY_CAUSE_BUDGET_TRIALS, "budget-trials", "budget.trials points have been started",
      "resume the study with a larger budget.trials" },
    { ASY_CAUSE_BUDGET_TIME, "budget-time", "budget.time is used up",
      "resume the study with a larger budget.time" },
    { ASY_CAUSE_TARGET, "target", "a trial reached objective.target", "nothing to do" },
    { ASY_CAUSE_EXHAUSTED, "exhausted", "every point of the space has been tried",
      "nothing to do; a larger space would go on" },
    { ASY_CAUSE_PREEMPTED, "preempted", "its worker's time ran out or it was drained",
      "nothing to do: the trial goes on elsewhere from its newest checkpoint" },
    { ASY_CAUSE_LOST, "lost",
      "its worker was given up after being silent or closing its connection",
      "nothing to do: the trial goes on elsewhere from its newest checkpoint" },
};

const struct asy_cause_info *asy_cause_info(enum asy_cause cause)
{
    for (size_t i = 0; i < ASY_ARRAY_LEN(causes); i++)
        if (causes[i].cause == cause)
            return &causes[i];
    return NULL;
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
