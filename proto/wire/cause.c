/* SPDX-License-Identifier: Apache-2.0
 * cause.c - what each cause means and what helps: the one table behind every answer to "why", live
 * or stored.
 *
 * A remedy is something the reader can do or type as it stands. Where the answer is to wait, it
 * says for what; where nothing is wrong, it says so. A finished study cannot be resumed, so no
 * remedy of one promises that. */
#include <asy/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define AGAIN "in the study file and hand it over again: 'assay submit FILE --resume'"
#define RESULT "'assay best {study}' has the result"
#define STDERR "'assay logs {study} {trial} --stderr'"

static const struct asy_cause_info causes[] = {
    { ASY_CAUSE_NONE, "none", "nothing holds it back and nothing went wrong", "nothing to do" },
    { ASY_CAUSE_NO_WORKER, "no-worker",
      "no worker is connected that serves the owner of this study",
      "'assay up' starts one on this machine; 'assay workers' lists those that are there" },
    { ASY_CAUSE_NO_CORES, "no-cores",
      "every worker it would fit has fewer free cores than it asks for",
      "wait for running trials to end, or lower resources.cores " AGAIN },
    { ASY_CAUSE_NO_MEMORY, "no-memory",
      "every worker it would fit has less free memory than it asks for",
      "wait for running trials to end, or lower resources.memory " AGAIN },
    { ASY_CAUSE_NO_GPU, "no-gpu", "every worker it would fit has fewer free GPUs than it asks for",
      "wait for running trials to end, start a worker that has as many, or lower resources.gpus "
      AGAIN
      "; 'assay doctor gpus' says on a worker's node which GPUs are not offered, and why" },
    { ASY_CAUSE_TOO_LARGE, "too-large",
      "it asks for more than any connected worker has, even when idle",
      "lower resources " AGAIN "; or start a worker that has as much" },
    { ASY_CAUSE_STUDY_PAUSED, "study-paused", "its study is paused",
      "'assay resume {study}' lets it go on" },
    { ASY_CAUSE_PRIORITY, "priority",
      "studies of a higher priority, with a smaller share of the workers, or that room is "
      "kept for, go first",
      "wait, or let it go first: 'assay priority {study} N' with a larger N" },
    { ASY_CAUSE_PARALLEL_LIMIT, "parallel-limit",
      "as many trials of the study run as budget.parallel allows",
      "wait for one of them to end, or raise budget.parallel " AGAIN },
    { ASY_CAUSE_RUNG, "rung",
      "it waits at a rung, a training length at which trials are compared, and is not among the "
      "best there",
      "wait: it goes on once enough others have come that far and are worse; a smaller reduction "
      "of search.pruner lets more through" },
    { ASY_CAUSE_REATTACH, "reattach", "its worker is not connected and may still come back with it",
      "wait: it is queued again once the time for that is over" },
    { ASY_CAUSE_OFFERED, "offered",
      "a backup was restored, and a worker offers an attempt of it that an earlier coordinator "
      "leased",
      "'assay adopt {study}' takes such attempts over, 'assay discard {study}' ends them and lets "
      "the trials be leased anew; the setting reattach_foreign decides in advance" },
    { ASY_CAUSE_SUSPECT, "suspect", "the worker is silent, but not yet given up",
      "look at that machine; what it runs is queued again once it counts as lost" },
    { ASY_CAUSE_SAMPLER, "sampler", "the sampler is computing the next point",
      "wait: it is leased as soon as the point is there" },
    { ASY_CAUSE_LAG, "lag",
      "the study is deterministic, and an earlier job within its lag has not ended",
      "wait for that job; a larger search.lag in another study lets more run at once" },
    { ASY_CAUSE_DRAINING, "draining",
      "the workers it would fit take nothing new, or the coordinator is about to end",
      "start it again once the drain is over: 'assay up'" },
    { ASY_CAUSE_UNFIT, "unfit", "the workers it would fit are out of service",
      "mend what their self test found, then start them again: 'assay down' and 'assay up'" },
    { ASY_CAUSE_BACKOFF, "backoff", "its last attempt crashed or was refused a moment ago",
      "wait: the next attempt follows by itself; " STDERR " shows what the last one said" },
    { ASY_CAUSE_STORE, "store", "the coordinator's store cannot be written",
      "free space on the disk that holds it; work then goes on by itself" },
    { ASY_CAUSE_DISK_FULL, "disk-full", "the disk below $ASSAY_HOME of its worker is full",
      "free space there; the worker then takes trials again by itself, and this one goes on" },
    { ASY_CAUSE_NO_WORK, "no-work", "no trial waits that this worker could take",
      "nothing to do: it gets the next one that does" },
    { ASY_CAUSE_OTHER_OWNER, "other-owner", "a worker takes the trials of its own user alone",
      "start a worker as the user who owns the study" },
    { ASY_CAUSE_WALLTIME, "walltime",
      "a trial is leased only where it gets to a checkpoint, or to its end if it makes none, "
      "before the batch job's time is up",
      "ask the batch system for more time; a program that checkpoints (run.checkpoint: true) needs "
      "less of it" },
    { ASY_CAUSE_EXIT_CODE, "exit-code", "the program ended with an exit code other than 0",
      "mend what " STDERR " shows, then run the study again" },
    { ASY_CAUSE_SIGNAL, "signal", "the program was ended by a signal",
      "signal 9 comes from outside, 6, 7, 8 and 11 from a fault in the program; " STDERR
      " shows what it said last" },
    { ASY_CAUSE_OUT_OF_MEMORY, "out-of-memory", "the program used more memory than it was given",
      "raise resources.memory, or make the trial smaller" },
    { ASY_CAUSE_DIVERGED, "diverged", "the loss or the objective became NaN or infinite",
      "the sampler learns from it; if many do, lower the upper end of the learning rate" },
    { ASY_CAUSE_NO_VALUE, "no-value",
      "the program ended well but never reported the study's objective",
      "let the program report what objective.metric names, or name there what it reports" },
    { ASY_CAUSE_NO_PROGRESS, "no-progress",
      "its attempts were lost several times in a row without a newer checkpoint",
      "checkpoint more often, let the program start from ASSAY_RESUME, or look at the machines "
      "that its attempts name" },
    { ASY_CAUSE_RETRIES, "retries", "it crashed more often than retries allows",
      "mend what " STDERR " shows, or raise retries, and run the study again" },
    { ASY_CAUSE_NOT_STARTED, "not-started", "the program could not be started",
      "check run.command, its files and its folder on the worker" },
    { ASY_CAUSE_BAD_JOB, "bad-job",
      "the program is not there, or the engine or a plug-in refused the job",
      "mend what its message names, in the study file, the data or the plug-in, or install the "
      "program" },
    { ASY_CAUSE_PROTOCOL, "protocol", "the program sent or did what the protocol does not allow",
      "correct what its message names; docs/protocol.md says what is allowed" },
    { ASY_CAUSE_SAMPLER_FAILED, "sampler-failed", "the sampler could not suggest a point",
      "correct what its message names: parameters in the study file, or why its trials fail; or "
      "choose another search.sampler" },
    { ASY_CAUSE_REFUSED, "refused",
      "this version of Assay does not accept the study file, another one did",
      "submit the study again with what its message names corrected; its results are kept" },
    { ASY_CAUSE_DATA, "data", "the data set could not be read",
      "correct the place of the file that its message names" },
    { ASY_CAUSE_SILENT, "silent", "the plug-in did not come back to the engine for as long as "
      "run.silence allows, and was killed",
      "look for a loop that does not end; if one update needs so long, raise run.silence, or lower "
      "batch_size" },
    { ASY_CAUSE_CHECKPOINT_GONE, "checkpoint-gone",
      "the checkpoint that it is to go on from is not there, or damaged, as after a backup was "
      "restored",
      "nothing to do: once it was missed twice the trial goes on from the one before, or from "
      "nothing" },
    { ASY_CAUSE_PRUNED, "pruned", "the pruner stopped it, by the rule that the text names",
      "nothing to do: that saves the time for better trials; search.pruner decides how many stay" },
    { ASY_CAUSE_STUDY_ENDED, "study-ended", "its study ended before it did",
      "nothing to do: the search is over; one with a larger budget lets more trials run to their "
      "end" },
    { ASY_CAUSE_USER, "user", "a user asked for it", "nothing to do" },
    { ASY_CAUSE_BUDGET_TRIALS, "budget-trials", "as many trials ran as budget.trials allows",
      "nothing to do: " RESULT },
    { ASY_CAUSE_BUDGET_TIME, "budget-time", "budget.time is used up",
      "nothing to do: " RESULT "; more time is for another run" },
    { ASY_CAUSE_TARGET, "target", "a trial reached objective.target",
      "nothing to do: " RESULT },
    { ASY_CAUSE_STAGNATION, "stagnation", "as many trials as budget.patience allows were no better",
      "nothing to do: " RESULT },
    { ASY_CAUSE_REGRET, "regret",
      "by a model of its trials no point is better than the best of them by more than "
      "budget.regret",
      "nothing to do: " RESULT },
    { ASY_CAUSE_EXHAUSTED, "exhausted",
      "every point of the space has been tried, or every member of a population is trained",
      "nothing to do: " RESULT },
    { ASY_CAUSE_PREEMPTED, "preempted", "its worker's time ran out, or it was drained",
      "nothing to do: what it ran goes on elsewhere from its newest checkpoint" },
    { ASY_CAUSE_LOST, "lost",
      "the worker was given up: it had been silent or had closed its connection",
      "nothing to do: what it ran goes on elsewhere from its newest checkpoint" },
};

const struct asy_cause_info *asy_cause_info(enum asy_cause cause)
{
    for (size_t i = 0; i < ASY_ARRAY_LEN(causes); i++)
        if (causes[i].cause == cause)
            return &causes[i];
    return NULL;
}

void asy_cause_remedy(enum asy_cause cause, const char *study, int64_t trial, char *text,
                      size_t n)
{
    const struct asy_cause_info *info = asy_cause_info(cause);
    const char *remedy = info ? info->remedy : "";
    char number[24] = "TRIAL";
    size_t len = 0;

    if (trial >= 0)
        snprintf(number, sizeof number, "%" PRId64, trial);
    text[0] = 0;
    while (*remedy && len + 1 < n) {
        const char *word = !strncmp(remedy, "{study}", 7)   ? study && *study ? study : "STUDY"
                           : !strncmp(remedy, "{trial}", 7) ? number
                                                            : NULL;

        if (!word) {
            text[len++] = *remedy++;
            text[len] = 0;
            continue;
        }
        snprintf(text + len, n - len, "%s", word);
        len += strlen(text + len);
        remedy += 7;
    }
}

static void write_json(struct asy_jsonw *w, const struct asy_cause_info *info, const char *text,
                       const char *remedy)
{
    asy_jsonw_str(w, "cause", info ? info->name : "unknown");
    asy_jsonw_str(w, "rule", info ? info->rule : "");
    asy_jsonw_str(w, "text", text ? text : "");
    asy_jsonw_str(w, "remedy", remedy);
}

void asy_cause_write_json(struct asy_jsonw *w, enum asy_cause cause, const char *text,
                          const char *study, int64_t trial)
{
    char remedy[400];

    asy_cause_remedy(cause, study, trial, remedy, sizeof remedy);
    write_json(w, asy_cause_info(cause), text, remedy);
}

void asy_cause_write_fruitless(struct asy_jsonw *w, enum asy_cause cause, const char *text,
                               const char *study)
{
    const struct asy_cause_info *info = asy_cause_info(cause);
    char remedy[400] = "mend what ended its trials; none ran to its end, so it has no result";

    if (!info || !strstr(info->remedy, RESULT))
        asy_cause_remedy(cause, study, -1, remedy, sizeof remedy);
    write_json(w, info, text, remedy);
}
