/* SPDX-License-Identifier: Apache-2.0
 * causes.c - see causes.h. */
#include "causes.h"
#include "core_impl.h"

#define BUDGET(n) "budget: {trials: " #n "}\n"
#define PLAIN(more) STUDY_HEAD("a") RUN(9, true) more
#define ASHA "search: {sampler: random, pruner: {name: asha, min: 1, reduction: 2, rule: 1}}\n"

static struct asy_id submit(struct world *w, const char *yaml)
{
    return world_submit(w, CLIENT_PEER, OWNER, 1, yaml, 0);
}

static void agent(struct world *w, uint64_t peer, uint32_t cores)
{
    world_agent(w, &(struct agent){ .peer = peer, .cores = cores });
}

/* ---- waiting --------------------------------------------------------------------------------- */

static void no_worker(struct world *w)
{
    submit(w, PLAIN(BUDGET(2)));
}

static void no_cores(struct world *w)
{
    agent(w, 2, 1);
    submit(w, PLAIN(BUDGET(3)));
}

static void no_memory(struct world *w)
{
    world_agent(w, &(struct agent){ .peer = 2, .cores = 4, .memory = (uint64_t)1 << 30 });
    submit(w, PLAIN("resources: {memory: 700MiB}\n" BUDGET(3)));
}

static void with_gpu(struct world *w, const char *yaml)
{
    static const struct asy_gpu gpus[] = { { .id = "G", .name = "a GPU" },
                                           { .id = "H", .name = "another", .whole = 1 } };

    submit(w, yaml);
    world_agent(w, &(struct agent){ .peer = 2, .cores = 4, .gpus = gpus, .n_gpus = 2 });
}

static void no_gpu(struct world *w)
{
    submit(w, PLAIN("resources: {gpus: 1}\n" BUDGET(3)));
    agent(w, 2, 2);
}

static void few_gpus(struct world *w)
{
    with_gpu(w, PLAIN("resources: {gpus: 3}\n" BUDGET(3)));
}

static void gpu_taken(struct world *w)
{
    with_gpu(w, PLAIN("resources: {gpus: 1}\n" BUDGET(3)));
}

static void part_taken(struct world *w)
{
    with_gpu(w, PLAIN("resources: {gpus: 0.75}\n" BUDGET(3)));
}

static void gpu_and_too_large(struct world *w)
{
    with_gpu(w, PLAIN("resources: {cores: 5, gpus: 1}\n" BUDGET(3)));
}

static void too_large(struct world *w)
{
    agent(w, 2, 4);
    submit(w, PLAIN("resources: {cores: 5}\n" BUDGET(3)));
}

/* A model's ranks share a worker. */
static void too_many_ranks(struct world *w)
{
    agent(w, 2, 4);
    submit(w, "assay: 1\nname: a\nobjective: {metric: val_loss, goal: minimize}\n"
              "parameters: {lr: {min: 0.0, max: 1.0}}\n"
              "run: {model: mlp, length: {max: 9}}\ndata: /d.csv\n"
              "resources: {cores: 2, ranks: 3}\n" BUDGET(3));
}

static void study_paused(struct world *w)
{
    submit(w, PLAIN(BUDGET(3)));
    world_control(w, CLIENT_PEER, OWNER, ASY_CONTROL_PAUSE, "a", 0);
}

static void priority(struct world *w)
{
    agent(w, 2, 1);
    world_submit(w, CLIENT_PEER, OWNER, 2,
                 STUDY_HEAD("b") RUN(9, true) "priority: 5\n" BUDGET(9), 0);
    submit(w, PLAIN(BUDGET(3)));
}

static void parallel_limit(struct world *w)
{
    agent(w, 2, 4);
    submit(w, PLAIN("budget: {trials: 5, parallel: 1}\n"));
}

static void rung(struct world *w)
{
    agent(w, 2, 1);
    submit(w, PLAIN(ASHA BUDGET(3)));
    world_started(w, &w->leases[0]);
    world_report(w, &w->leases[0], 1, 1.0);
    world_end(w, &w->leases[0], ASY_END_PAUSED, 1);
}

static void reattach(struct world *w)
{
    no_cores(w);
    T_TRUE(world_restart(w));
}

static void offered(struct world *w)
{
    struct asy_offer offer;
    struct asy_holding holding = { .attempt = 1, .epoch = 1, .running = 1, .offer = &offer };

    agent(w, 2, 1);
    holding.study = submit(w, PLAIN(BUDGET(1)));
    offer = world_offer(&w->leases[0]);
    world_restore(w, w->n_events);
    world_client(w, CLIENT_PEER, OWNER);
    world_agent(w, &(struct agent){ .peer = 2, .cores = 2, .holdings = &holding,
                                    .n_holdings = 1 });
}

static void suspect(struct world *w)
{
    no_cores(w);
    world_tick(w, 5000);
}

static void only_suspects(struct world *w)
{
    submit(w, PLAIN(BUDGET(3)));
    world_control(w, CLIENT_PEER, OWNER, ASY_CONTROL_PAUSE, "a", 0);
    agent(w, 2, 1);
    world_tick(w, 5000);
    world_control(w, CLIENT_PEER, OWNER, ASY_CONTROL_RESUME, "a", 0);
}

static void sampler(struct world *w)
{
    w->auto_ask = 0;
    agent(w, 2, 1);
    submit(w, PLAIN(BUDGET(3)));
}

static void lag(struct world *w)
{
    agent(w, 2, 4);
    submit(w, PLAIN("search: {sampler: random, deterministic: true, lag: 1}\n" BUDGET(3)));
}

static void draining(struct world *w)
{
    struct asy_msg drain = { .type = ASY_MSG_DRAIN };

    agent(w, 2, 1);
    world_msg(w, 2, OWNER, &drain);
    submit(w, PLAIN(BUDGET(3)));
}

static void no_time(struct world *w)
{
    world_agent(w, &(struct agent){ .peer = 2, .cores = 4, .walltime_ms = 4000 });
    submit(w, PLAIN(BUDGET(3)));
}

/* A step takes 3 s, and so long it takes to the first one: 7.5 s with the margin. */
static void no_time_to_checkpoint(struct world *w)
{
    world_agent(w, &(struct agent){ .peer = 2, .cores = 1, .walltime_ms = 13000 });
    submit(w, PLAIN(BUDGET(3)));
    world_started(w, &w->leases[0]);
    for (uint64_t step = 1; step <= 2; step++) {
        world_pass(w, 3000, 2, 2);
        world_report(w, &w->leases[0], step, 1.0);
    }
    world_end(w, &w->leases[0], ASY_END_COMPLETE, 2);
}

/* Without checkpoints only its end counts: 3 s and nine more steps of 3 s, with the margin. */
static void no_time_to_end(struct world *w)
{
    world_agent(w, &(struct agent){ .peer = 2, .cores = 1, .walltime_ms = 30000 });
    submit(w, STUDY_HEAD("a") RUN(9, false) BUDGET(3));
    world_started(w, &w->leases[0]);
    for (uint64_t step = 1; step <= 2; step++) {
        world_pass(w, 3000, 2, 2);
        world_report(w, &w->leases[0], step, 1.0);
    }
    world_end(w, &w->leases[0], ASY_END_CRASHED, 2);
    world_pass(w, 1500, 2, 2);
}

static void unfit(struct world *w)
{
    world_agent(w, &(struct agent){ .peer = 2, .cores = 4, .fit = "MPI does not start" });
    submit(w, PLAIN(BUDGET(3)));
}

static void backoff(struct world *w)
{
    agent(w, 2, 1);
    submit(w, PLAIN(BUDGET(1)));
    world_started(w, &w->leases[0]);
    world_end(w, &w->leases[0], ASY_END_CRASHED, 0);
}

static void store(struct world *w)
{
    struct asy_input full = { .type = ASY_IN_FAILED_COMMIT };

    submit(w, PLAIN(BUDGET(3)));
    full.store.text = "disk full";
    world_input(w, &full);
}

/* ---- a worker that gets nothing -------------------------------------------------------------- */

static void no_work(struct world *w)
{
    agent(w, 2, 4);
    submit(w, PLAIN(BUDGET(1)));
}

static void other_owner(struct world *w)
{
    submit(w, PLAIN(BUDGET(3)));
    world_agent(w, &(struct agent){ .peer = 2, .cores = 4, .key = "stranger" });
}

static void paused_beside(struct world *w)
{
    agent(w, 2, 4);
    study_paused(w);
}

static void few_cores(struct world *w)
{
    agent(w, 2, 4);
    submit(w, PLAIN("resources: {cores: 3}\n" BUDGET(3)));
}

static void away(struct world *w)
{
    struct asy_input closed = { .type = ASY_IN_CLOSED, .peer = 2 };

    no_cores(w);
    world_input(w, &closed);
}

static void orphaned(struct world *w)
{
    no_cores(w);
    world_tick(w, 10000);
}

static void full(struct world *w)
{
    agent(w, 2, 4);
    store(w);
}

/* ---- ended ----------------------------------------------------------------------------------- */

static void one(struct world *w, const char *yaml, enum asy_end end, enum asy_cause cause)
{
    agent(w, 2, 1);
    submit(w, yaml);
    world_started(w, &w->leases[0]);
    world_end_cause(w, &w->leases[0], end, 0, cause);
}

#define CRASH(name, cause)                                                                         \
    static void name(struct world *w)                                                              \
    {                                                                                              \
        one(w, PLAIN("retries: 0\n" BUDGET(1)), ASY_END_CRASHED, cause);                           \
    }
CRASH(exit_code, ASY_CAUSE_EXIT_CODE)
CRASH(by_signal, ASY_CAUSE_SIGNAL)
CRASH(out_of_memory, ASY_CAUSE_OUT_OF_MEMORY)
CRASH(not_started, ASY_CAUSE_NOT_STARTED)
CRASH(bad_job, ASY_CAUSE_BAD_JOB)
CRASH(data, ASY_CAUSE_DATA)
CRASH(silent, ASY_CAUSE_SILENT)

static void diverged(struct world *w)
{
    one(w, PLAIN(BUDGET(1)), ASY_END_DIVERGED, ASY_CAUSE_DIVERGED);
}

static void no_value(struct world *w)
{
    one(w, PLAIN(BUDGET(1)), ASY_END_COMPLETE, ASY_CAUSE_NONE);
}

static void protocol(struct world *w)
{
    const struct asy_event nonsense = { .kind = ASY_EV_WORKER_GONE };

    agent(w, 2, 1);
    submit(w, PLAIN("retries: 0\n" BUDGET(1)));
    world_send(w, &w->leases[0], 1, &nonsense);
}

static void retries(struct world *w)
{
    one(w, PLAIN("retries: 1\n" BUDGET(1)), ASY_END_CRASHED, ASY_CAUSE_EXIT_CODE);
    world_pass(w, 1000, 2, 2);
    world_started(w, &w->leases[1]);
    world_end(w, &w->leases[1], ASY_END_CRASHED, 0);
}

static void no_progress(struct world *w)
{
    one(w, PLAIN(BUDGET(1)), ASY_END_PREEMPTED, ASY_CAUSE_PREEMPTED);
    for (size_t i = 1; i < 3; i++) {
        world_started(w, &w->leases[i]);
        world_end(w, &w->leases[i], ASY_END_PREEMPTED, 0);
    }
}

static void refused(struct world *w)
{
    struct asy_id a;

    agent(w, 2, 1);
    a = submit(w, PLAIN(BUDGET(3)));
    T_TRUE(world_refuse(w, a, ASY_EV_STUDY_CREATED, "{\"assay\": 1}"));
}

static void sampler_failed(struct world *w)
{
    sampler(w);
    world_asked(w, asy_id_from(1001, 1), 0, 0.5, ASY_E_NOMEM);
}

static void pruned(struct world *w)
{
    agent(w, 2, 1);
    submit(w, PLAIN("search: {sampler: random, pruner: {name: median, startup_trials: 1}}\n"
                    BUDGET(2)));
    world_complete(w, &w->leases[0], 1, 0.1);
    world_started(w, &w->leases[1]);
    world_report(w, &w->leases[1], 1, 9.0);
    world_end(w, &w->leases[1], ASY_END_STOPPED, 1);
}

static void study_ended(struct world *w)
{
    agent(w, 2, 1);
    submit(w, PLAIN(ASHA BUDGET(2)));
    for (size_t i = 0; i < 2; i++) {
        world_started(w, &w->leases[i]);
        world_report(w, &w->leases[i], 1, 1.0 - 0.5 * (double)i);
        world_end(w, &w->leases[i], ASY_END_PAUSED, 1);
    }
    world_complete(w, &w->leases[2], 9, 0.25); /* the best one ran to its end */
}

static void user(struct world *w)
{
    no_cores(w);
    world_control(w, CLIENT_PEER, OWNER, ASY_CONTROL_STOP_TRIAL, "a", 1);
}

static void budget_trials(struct world *w)
{
    agent(w, 2, 1);
    submit(w, PLAIN(BUDGET(1)));
    world_complete(w, &w->leases[0], 9, 1.0);
}

static void budget_time(struct world *w)
{
    submit(w, PLAIN("budget: {time: 5s}\n"));
    world_tick(w, 5000);
}

static void checkpoint_gone(struct world *w)
{
    agent(w, 2, 1);
    submit(w, PLAIN(BUDGET(1)));
    world_started(w, &w->leases[0]);
    world_report(w, &w->leases[0], 3, 1.0);
    world_checkpoint(w, &w->leases[0], 3);
    world_end(w, &w->leases[0], ASY_END_PREEMPTED, 3);
    for (size_t i = 1; i < 3 && i < w->n_leases; i++) {
        world_end_cause(w, &w->leases[i], ASY_END_REFUSED, 3, ASY_CAUSE_CHECKPOINT_GONE);
        if (i < 2)
            world_pass(w, 1500, 2, 2);
    }
}

static void target(struct world *w)
{
    agent(w, 2, 1);
    submit(w, "assay: 1\nname: a\nobjective: {metric: loss, goal: minimize, target: 2}\n"
              "parameters: {x: {min: 0.0, max: 1.0}}\n" RUN(9, true) BUDGET(3));
    world_started(w, &w->leases[0]);
    world_report(w, &w->leases[0], 1, 1.0);
    world_end(w, &w->leases[0], ASY_END_STOPPED, 1);
}

static void stagnation(struct world *w)
{
    agent(w, 2, 1);
    submit(w, PLAIN("budget: {trials: 9, patience: 2}\n"));
    for (size_t i = 0; i < 3; i++)
        world_complete(w, &w->leases[i], 9, 1.0);
}

static void regret(struct world *w)
{
    agent(w, 2, 1);
    submit(w, PLAIN("budget: {trials: 9, regret: 0.5}\n"));
    world_complete(w, &w->leases[0], 9, 1.0);
    w->regret = 0.25;
    w->regret_n = 24;
    world_complete(w, &w->leases[1], 9, 1.0);
}

static void exhausted(struct world *w)
{
    w->exhausted_at = 1;
    agent(w, 2, 1);
    submit(w, PLAIN(BUDGET(3)));
    world_complete(w, &w->leases[0], 9, 1.0);
}

static void preempted(struct world *w)
{
    struct asy_msg drain = { .type = ASY_MSG_DRAIN };

    agent(w, 2, 1);
    submit(w, PLAIN(BUDGET(1)));
    world_started(w, &w->leases[0]);
    world_msg(w, 2, OWNER, &drain);
    world_end(w, &w->leases[0], ASY_END_PREEMPTED, 0);
}

/* The agent goes out of service before it reports that. */
static void disk_full(struct world *w)
{
    struct asy_holding holding = { .attempt = 1, .epoch = 1, .running = 1 };

    agent(w, 2, 1);
    submit(w, PLAIN(BUDGET(1)));
    world_started(w, &w->leases[0]);
    holding.study = w->leases[0].study;
    world_agent(w, &(struct agent){ .peer = 2, .cores = 1, .fit = "disk full",
                                    .holdings = &holding, .n_holdings = 1 });
    world_end_cause(w, &w->leases[0], ASY_END_PREEMPTED, 0, ASY_CAUSE_DISK_FULL);
}

static void lost(struct world *w)
{
    no_cores(w);
    world_tick(w, 10000);
}

const struct cause_case cause_cases[] = {
    { ASY_CAUSE_NO_WORKER, no_worker, LIVE, -1, "no worker" },
    { ASY_CAUSE_NO_CORES, no_cores, LIVE, 1, "the most that one of 1 has free is 0" },
    { ASY_CAUSE_NO_MEMORY, no_memory, LIVE, 1, "needs 700 MiB" },
    { ASY_CAUSE_NO_GPU, no_gpu, LIVE, -1,
      "asks for 1 GPU; the most that one of 1 worker has is 0" },
    { ASY_CAUSE_NO_GPU, few_gpus, LIVE, -1,
      "asks for 3 GPUs; the most that one of 1 worker has is 2" },
    { ASY_CAUSE_NO_GPU, gpu_taken, LIVE, 2,
      "needs 1 GPU on one worker that has the cores for it; on 'node' 0 of its 2 are unused" },
    { ASY_CAUSE_NO_GPU, part_taken, LIVE, 1,
      "needs 0.75 of a GPU on one worker that has the cores for it; on 'node' the most that one of "
      "its 2 has left is 0.25" },
    { ASY_CAUSE_TOO_LARGE, gpu_and_too_large, LIVE, -1, "asks for 5 cores on one worker" },
    { ASY_CAUSE_TOO_LARGE, too_large, LIVE, -1, "asks for 5 cores" },
    { ASY_CAUSE_TOO_LARGE, too_many_ranks, LIVE, -1, "asks for 6 cores (3 ranks of 2) on one" },
    { ASY_CAUSE_STUDY_PAUSED, study_paused, LIVE, -1, "paused by the user" },
    { ASY_CAUSE_PRIORITY, priority, LIVE, -1, "study 'b' goes first: priority 5" },
    { ASY_CAUSE_PARALLEL_LIMIT, parallel_limit, LIVE, 1, "1 of at most 1" },
    { ASY_CAUSE_RUNG, rung, LIVE, 0, "asha: its value 1 at step 1 is place 1 of 1 there" },
    { ASY_CAUSE_REATTACH, reattach, LIVE, 0, "has 10000 ms to come back" },
    { ASY_CAUSE_OFFERED, offered, LIVE, 0, "still runs attempt 1 of trial 0" },
    { ASY_CAUSE_OFFERED, offered, LIVE, -1, "still runs attempt 1 of trial 0" },
    { ASY_CAUSE_SUSPECT, suspect, LIVE, 0, "silent for 5000 ms" },
    { ASY_CAUSE_SUSPECT, only_suspects, LIVE, -1, "silent for 5000 ms" },
    { ASY_CAUSE_SAMPLER, sampler, LIVE, -1, "computing trial 0" },
    { ASY_CAUSE_LAG, lag, LIVE, -1, "job 1 is decided once job 0 has ended" },
    { ASY_CAUSE_DRAINING, draining, LIVE, -1, "draining" },
    { ASY_CAUSE_UNFIT, unfit, LIVE, -1, "MPI does not start" },
    { ASY_CAUSE_BACKOFF, backoff, LIVE, 0, "goes on in 1000 ms" },
    { ASY_CAUSE_BACKOFF, backoff, LIVE, -1, "goes on in 1000 ms" },
    { ASY_CAUSE_STORE, store, LIVE, -1, "disk full" },
    { ASY_CAUSE_WALLTIME, no_time, LIVE, -1, "needs 5.0 s at least" },
    { ASY_CAUSE_WALLTIME, no_time_to_checkpoint, LIVE, -1, "needs 7.5 s to its first checkpoint" },
    { ASY_CAUSE_WALLTIME, no_time_to_checkpoint, LIVE, 1, "on 'node' goes on longest, for 7 s" },
    { ASY_CAUSE_WALLTIME, no_time_to_end, LIVE, 0, "needs 37.5 s to its end" },
    { ASY_CAUSE_EXIT_CODE, exit_code, EVENT, 0, "crashed: crashed" },
    { ASY_CAUSE_SIGNAL, by_signal, EVENT, 0, "crashed: crashed" },
    { ASY_CAUSE_OUT_OF_MEMORY, out_of_memory, EVENT, 0, "crashed: crashed" },
    { ASY_CAUSE_DIVERGED, diverged, EVENT, 0, "diverged" },
    { ASY_CAUSE_NO_VALUE, no_value, EVENT, 0, "no value for 'loss' was reported" },
    { ASY_CAUSE_NO_PROGRESS, no_progress, EVENT, 0, "no progress" },
    { ASY_CAUSE_RETRIES, retries, EVENT, 0, "crashed 2 times" },
    { ASY_CAUSE_NOT_STARTED, not_started, EVENT, 0, "crashed: crashed" },
    { ASY_CAUSE_BAD_JOB, bad_job, EVENT, 0, "crashed" },
    { ASY_CAUSE_PROTOCOL, protocol, EVENT, 0, "makes no sense" },
    { ASY_CAUSE_SAMPLER_FAILED, sampler_failed, EVENT, -1, "no point" },
    { ASY_CAUSE_REFUSED, refused, EVENT, -1, "study 'a': " },
    { ASY_CAUSE_DATA, data, EVENT, 0, "crashed" },
    { ASY_CAUSE_SILENT, silent, EVENT, 0, "crashed: crashed" },
    { ASY_CAUSE_CHECKPOINT_GONE, checkpoint_gone, EVENT, 0, "it goes on without that of step 3" },
    { ASY_CAUSE_PRUNED, pruned, EVENT, 1, "median" },
    { ASY_CAUSE_STUDY_ENDED, study_ended, EVENT, 0,
      "(budget-trials) while it waited at step 1; asha: its value 1 at step 1 is place 2 of 2" },
    { ASY_CAUSE_USER, user, LIVE, 1, "stopped by the user" },
    { ASY_CAUSE_BUDGET_TRIALS, budget_trials, EVENT, -1, "1 trial: 1 complete" },
    { ASY_CAUSE_BUDGET_TIME, budget_time, EVENT, -1, "5 s are used up, with 0 trials begun" },
    { ASY_CAUSE_TARGET, target, EVENT, -1, "trial 0 reached the target 2 with 1" },
    { ASY_CAUSE_TARGET, target, EVENT, 0, "its value 1 reached the target 2" },
    { ASY_CAUSE_STAGNATION, stagnation, EVENT, -1,
      "the last 2 complete trials brought nothing better than 1 (budget.patience)" },
    { ASY_CAUSE_REGRET, regret, EVENT, -1, "by a model of 24 trials no point is better than the "
      "best of them by more than 0.25 (budget.regret is 0.5)" },
    { ASY_CAUSE_EXHAUSTED, exhausted, EVENT, -1, "1 trial: " },
    { ASY_CAUSE_PREEMPTED, preempted, EVENT, 0, "preempted" },
    { ASY_CAUSE_LOST, lost, EVENT, 0, "silent for 10000 ms" },
    { ASY_CAUSE_DISK_FULL, disk_full, EVENT, 0, "preempted" },
    { ASY_CAUSE_NO_WORK, no_work, WORKER, 0, "no trial of study 'a' waits" },
    { ASY_CAUSE_OTHER_OWNER, other_owner, WORKER, 0, "study 'a' belongs to another user" },
    { ASY_CAUSE_NONE, no_cores, WORKER, 0, "none of its 1 core is free" },
    { ASY_CAUSE_NO_CORES, few_cores, WORKER, 0, "needs 3 free cores, it has 1 of 4" },
    { ASY_CAUSE_NO_MEMORY, no_memory, WORKER, 0, "needs 700 MiB; 700 of 1024 MiB are given out" },
    { ASY_CAUSE_NO_GPU, gpu_taken, WORKER, 0, "needs 1 GPU; 0 of its 2 are unused" },
    { ASY_CAUSE_NO_GPU, part_taken, WORKER, 0,
      "needs 0.75 of a GPU; the most that one of its 2 has left is 0.25" },
    { ASY_CAUSE_TOO_LARGE, few_gpus, WORKER, 0, "asks for 3 GPUs; it has 2" },
    { ASY_CAUSE_TOO_LARGE, too_large, WORKER, 0, "asks for 5 cores; it has 4" },
    { ASY_CAUSE_TOO_LARGE, too_many_ranks, WORKER, 0, "asks for 6 cores (3 ranks of 2); it has 4" },
    { ASY_CAUSE_STUDY_PAUSED, paused_beside, WORKER, 0, "paused by the user" },
    { ASY_CAUSE_PARALLEL_LIMIT, parallel_limit, WORKER, 0, "1 of at most 1" },
    { ASY_CAUSE_SAMPLER, sampler, WORKER, 0, "computing trial 0" },
    { ASY_CAUSE_LAG, lag, WORKER, 0, "job 1 is decided once job 0 has ended" },
    { ASY_CAUSE_BACKOFF, backoff, WORKER, 0, "goes on in 1000 ms" },
    { ASY_CAUSE_UNFIT, unfit, WORKER, 0, "out of service: MPI does not start" },
    { ASY_CAUSE_SUSPECT, suspect, WORKER, 0, "silent for 5000 ms" },
    { ASY_CAUSE_DRAINING, draining, WORKER, 0, "it is being drained" },
    { ASY_CAUSE_REATTACH, reattach, WORKER, 0, "has not come back since the coordinator started" },
    { ASY_CAUSE_REATTACH, away, WORKER, 0, "its connection closed; it has 1000 ms" },
    { ASY_CAUSE_LOST, orphaned, WORKER, 0, "it is gone" },
    { ASY_CAUSE_WALLTIME, no_time, WORKER, 0, "its allocation goes on for 4 s" },
    { ASY_CAUSE_STORE, full, WORKER, 0, "disk full" },
};
const size_t n_cause_cases = ASY_ARRAY_LEN(cause_cases);
