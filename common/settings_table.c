/* SPDX-License-Identifier: Apache-2.0
 * settings_table.c - every setting of every program: the source of the parser, of --help and of the
 * reference page. Limits of durations are milliseconds. */
#include <asy/settings.h>

#define SECOND 1e3
#define HOUR 3600e3
#define DAY 86400e3
#define PIB 1125899906842624.0

static const struct asy_setting table[] = {
    { "artifact_quota", ASY_SET_SIZE, 0, PIB, "10GiB",
      "bytes of checkpoints and models above which each trial of a study keeps its newest "
      "checkpoint alone; these and the models stay whatever they take" },
    { "cache_size", ASY_SET_SIZE, 0, PIB, "0",
      "bytes of inputs and checkpoints that a worker keeps where it does not see the coordinator's "
      "folders, and the most that the inputs of one trial may take there; as many again for data "
      "sets that its trainers have read, except those in use; 0: a tenth of its disk" },
    { "checkpoints_kept", ASY_SET_INT, 1, 100, "2", "newest checkpoints kept of each trial" },
    { "closed_grace", ASY_SET_DURATION, 0, HOUR, "1s",
      "time from the closing of a worker's connection until its trials are free" },
    { "files_limit", ASY_SET_SIZE, 0, PIB, "16GiB",
      "most bytes of a study's `run.files`, of which each trial gets a copy on its worker's disk: "
      "a command refuses to submit more, a worker to copy more" },
    { "gang_growth", ASY_SET_SIZE, 0, PIB, "256MiB",
      "memory above twice what a warm trainer held after its first trial at which it is replaced" },
    { "gang_idle", ASY_SET_DURATION, 0, DAY, "60s", "time after which idle warm trainers end" },
    { "gang_trials", ASY_SET_INT, 1, 1e9, "200",
      "trials after which warm trainers are replaced by new ones" },
    { "grace", ASY_SET_DURATION, 0, DAY, "30s",
      "time a stopped program has to write its checkpoint before it is killed" },
    { "heartbeat", ASY_SET_DURATION, 10, HOUR, "1s", "time between two signs of life of a worker" },
    { "idle_exit", ASY_SET_DURATION, SECOND, 365 * DAY, "60s",
      "a coordinator started by a command ends this long after its last client and study" },
    { "input_quota", ASY_SET_SIZE, 0, PIB, "0",
      "bytes of files that the coordinator keeps for a user who submits from a machine that does "
      "not share its folders; what no unfinished study names goes first; 0: a tenth of its disk" },
    { "interface", ASY_SET_STRING, 0, 0, "",
      "network interface (eth0), address or range (10.0.0.0/8) to listen at besides loopback, and "
      "that workers of other hosts are told; empty means all, 127.0.0.1 loopback alone" },
    { "log_format", ASY_SET_CHOICE, 0, 0, "text", "how log lines are written", "text|json" },
    { "log_level", ASY_SET_CHOICE, 0, 0, "info", "the least important log lines written",
      "debug|info|warn|error" },
    { "lost_after", ASY_SET_DURATION, 100, DAY, "10s",
      "silence after which a worker is lost and its trials are free" },
    { "lost_retries", ASY_SET_INT, 1, 1000, "3",
      "losses in a row without a newer checkpoint after which a trial fails" },
    { "max_study_trials", ASY_SET_INT, 1, 1e9, "1000000", "most trials of one study" },
    { "max_workers", ASY_SET_INT, 1, 1e6, "4096", "most workers connected at once" },
    { "mpi_interface", ASY_SET_STRING, 0, 0, "",
      "network interfaces or ranges (ib0 or 10.0.0.0/8) over which the ranks of a gang on several "
      "nodes talk; empty means all that Open MPI finds" },
    { "orphan_exit", ASY_SET_DURATION, 0, DAY, "30m",
      "how long a worker that runs nothing looks for its coordinator before it ends; on the nodes "
      "of a batch job 5m unless it is set, 30 s once its time is up; a job whose coordinator is "
      "dead is requeued" },
    { "oversubscribe", ASY_SET_INT, 1, 64, "1",
      "trials or ranks that share a core: a worker offers each of its cores so many times" },
    { "reattach_foreign", ASY_SET_CHOICE, 0, 0, "ask",
      "what becomes of attempts that workers began before a backup was restored; `ask` waits for "
      "`assay adopt` or `assay discard`", "ask|adopt|discard" },
    { "reattach_window", ASY_SET_DURATION, 0, HOUR, "10s",
      "time workers have after a restart of the coordinator to come back with their trials" },
    { "shared_home", ASY_SET_CHOICE, 0, 0, "auto",
      "whether all nodes of a batch job see the home under this path; auto asks its file system",
      "auto|yes|no" },
    { "suspect_after", ASY_SET_DURATION, 50, DAY, "3s",
      "silence after which a worker gets no new trials" },
    { "train_blas", ASY_SET_CHOICE, 0, 0, "own",
      "what multiplies matrices when a worker trains a network: kernels of our own, with the same "
      "bits on every processor, or OpenBLAS, one thread of it, whose results differ in their last "
      "digits from one kind of processor to the next; strict studies fail then", "own|openblas" },
    { "walltime_margin", ASY_SET_DURATION, 0, DAY, "90s",
      "how long before its batch job's time is up a worker's trials checkpoint and it leaves; "
      "unless it is set, at most an eighth of that time" },
    { "worker_gpus", ASY_SET_STRING, 0, 0, "auto",
      "GPUs that a worker offers: auto, those found; any, CPUs of PoCL too; none; unmanaged, none, "
      "and trials see what the worker sees; or UUIDs and PCI addresses, separated by commas" },
    { "worker_scratch", ASY_SET_STRING, 0, 0, "auto",
      "folder on a disk of the worker's node in which attempts work; home: below the home; auto: "
      "in a batch job whose home is shared, $SLURM_TMPDIR, $TMPDIR or /tmp, whichever is a local "
      "disk (not memory, not noexec) with 4 GiB free; else home" },
    { "worker_shared", ASY_SET_CHOICE, 0, 0, "auto",
      "no: a worker opens no file of coordinator or study by its path, everything comes and goes "
      "over the bulk port; auto: only where it does not see the coordinator's folders", "auto|no" },
};

const struct asy_setting *asy_settings_table(size_t *ret_n)
{
    *ret_n = ASY_ARRAY_LEN(table);
    return table;
}
