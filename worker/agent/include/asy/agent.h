/* SPDX-License-Identifier: Apache-2.0
 * asy/agent.h - the agent of a node: joins a coordinator, takes leases, runs attempts, reports.
 *
 * Two threads. The main thread (the caller of asy_agent_run) holds all state, files, sockets of
 * programs and lines to supervisors. The heartbeat thread owns the channel: it sends heartbeats and
 * moves frames between the network and two bounded queues, and touches no file, so a slow disk
 * never makes the node look dead.
 *
 * An attempt's reports are numbered, kept until the coordinator calls them durable, and sent again
 * after any break. Attempts go on while the coordinator is away; they stop at their milestone.
 *
 * Threads: asy_agent_run from one thread; it installs no handlers but reads SIGTERM, SIGINT,
 * SIGHUP, SIGUSR1 and SIGUSR2 from a signalfd and leaves them blocked. */
#ifndef ASY_AGENT_H
#define ASY_AGENT_H
#include <asy/buf.h>

struct asy_agent_options {
    const char *version;        /* of this program */
    const char *home;           /* $ASSAY_HOME, absolute */
    const char *discovery;      /* the coordinator's discovery file; NULL: home/coordinator.json */
    const char *join;           /* an invitation (asy/invitation.h) instead; NULL: none */
    uint32_t max_cores;         /* 0: all */
    uint64_t max_memory;        /* 0: nine tenths */
    int smt;
    uint32_t share;             /* trials that share a core; 0: one */
    uint64_t gang_trials;       /* after which trainers are replaced */
    uint64_t gang_growth;       /* bytes above twice their first size at which they are */
    int64_t gang_idle_ms;       /* after which idle ones end */
    const char *gpus;           /* which are offered: as the setting worker_gpus; NULL: auto */
    const char *mpi_interface;  /* over which ranks of several nodes talk; "": Open MPI's choice */
    const char *blas;           /* of trainers: as the setting train_blas; NULL: own */
    int once_idle_exit;         /* end when nothing runs and the coordinator says goodbye or has
                                   had nothing for idle_exit_ms */
    int64_t idle_exit_ms;
    int64_t orphan_ms;          /* end when nothing runs and no coordinator was heard this long, or
                                   for 30 s once the time of the batch job is up */
    int never_shared;           /* opens nothing of coordinator or study by its path */
    const char *scratch;        /* where attempts work: as the setting worker_scratch */
    const char *shared_home;    /* as the setting */
    uint64_t cache_bytes;       /* most that is kept of files of others; 0: a tenth of the disk */
    uint64_t files_bytes;       /* most of run.files that is copied for an attempt */
    int64_t walltime_ms;        /* < 0: unlimited, or what Slurm says */
    int64_t walltime_margin_ms; /* see asy_slurm_leave_ms() */
};
#define ASY_AGENT_OPTIONS_INIT                                                                     \
    { .gang_trials = 200, .gang_growth = 256u << 20, .gang_idle_ms = 60000, .share = 1,            \
      .scratch = "auto", .shared_home = "auto", .idle_exit_ms = 2000,                              \
      .files_bytes = UINT64_C(16) << 30,                                                           \
      .orphan_ms = 30 * 60 * 1000, .walltime_ms = -1, .walltime_margin_ms = -1 }

/* Runs until drained. 0: left on purpose, all that it held was durable. ASY_E_DENIED: the
 * coordinator rejected it, or has refused its key for ten seconds (a minute if it had let it in
 * before). ASY_E_INVAL: a key or an invitation that is no file of ours or that others may read.
 * ASY_E_GONE: no coordinator for orphan_ms. ASY_E_CANCELLED: it was told twice to end and gave up
 * what was not durable. */
ASY_MUST_CHECK int asy_agent_run(const struct asy_agent_options *options, struct asy_error *err);

/* One JSON object for `assay doctor`: topology, programs found, launcher, trainer's self-test,
 * cgroup; "gang" and "socket" say "ok" or what went wrong when two ranks were started and a socket
 * made. */
ASY_MUST_CHECK int asy_agent_probe(const struct asy_agent_options *options,
                                   struct asy_buf *ret_json, struct asy_error *err);

/* The whole life of a process that asks one interface for GPUs, "nvml", "cuda" or "opencl", and
 * prints its answer. A broken driver may crash or hang it. ASY_E_INVAL: no such interface. */
ASY_MUST_CHECK int asy_agent_probe_gpus(const char *interface, struct asy_error *err);

/* The names of the agent's crash points (asy/crash.h). NULL beyond the last. */
const char *asy_agent_crash_point(size_t i, const char **ret_help);
#endif
