/* SPDX-License-Identifier: Apache-2.0
 * gang_start.c - the words and the environment of a trainer, alone or as ranks under mpirun, and
 * its start below a supervisor. */
#include "impl.h"
#include <asy/proc.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>
#include "copy.h"

#define TOKEN_BYTES 16
#define TRY_RANKS 2
#define TRY_MS 60000

static int make_token(char text[ASY_ID_TEXT], struct asy_error *err)
{
    unsigned char bytes[TOKEN_BYTES];

    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return asy_fail_errno(err, errno, "cannot make a token");
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    return 0;
}

/* mpirun for ranks on this node, up to the program that they run. */
static void launcher_words(const char *mpirun, uint32_t ranks, struct asy__words *argv)
{
    static const char *const rest[] = { "--bind-to", "none", "--mca", "odls_base_sigkill_timeout",
                                        "0", "--mca", "pml", "ob1", "--mca", "btl", "self,vader" };

    asy__words_add(argv, mpirun);
    asy__words_addf(argv, "--host");
    asy__words_addf(argv, "localhost:%u", ranks);
    asy__words_add(argv, "-np");
    asy__words_addf(argv, "%u", ranks);
    for (size_t i = 0; i < ASY_ARRAY_LEN(rest); i++)
        asy__words_add(argv, rest[i]);
}

static void launcher_env(struct asy__words *env)
{
    if (geteuid() == 0) { /* in containers there is often nobody else */
        asy__words_add(env, "OMPI_ALLOW_RUN_AS_ROOT=1");
        asy__words_add(env, "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1");
    }
}

/* Open MPI's daemon stands beside its mpirun. */
static int find_daemon(const struct asy__programs *programs, struct asy__words *argv,
                       struct asy_error *err)
{
    const char *slash = strrchr(programs->mpirun, '/');
    int len = slash ? (int)(slash - programs->mpirun) : 0;
    char path[4096 + 8];

    snprintf(path, sizeof path, "%.*s/orted", len, programs->mpirun);
    if (!slash || access(path, X_OK) < 0)
        return asy_fail(err, ASY_E_NOENT, "cannot find 'orted' beside '%s', which ranks on several "
                        "nodes need", programs->mpirun[0] ? programs->mpirun : "mpirun");
    asy__words_add(argv, path);
    return 0;
}

static int build_argv(const struct asy__gang *gang, const struct asy__words *daemon,
                      struct asy__words *argv, struct asy_error *err)
{
    const struct asy__programs *programs = &gang->agent->programs;
    const char *name = strrchr(programs->trainer, '/');
    int rc;

    if (daemon) {
        if ((rc = find_daemon(programs, argv, err)) < 0)
            return rc;
        for (size_t i = 0; i < daemon->n; i++)
            asy__words_add(argv, daemon->text[i]);
    } else if (gang->crew) {
        asy__crew_words(gang, argv);
        asy__words_add(argv, name ? name + 1 : programs->trainer); /* each node has its own */
    } else {
        if (gang->ranks > 1)
            launcher_words(programs->mpirun, gang->ranks, argv);
        asy__words_add(argv, programs->trainer);
    }
    if (!daemon && gang->agent->options.blas && strcmp(gang->agent->options.blas, "own") != 0) {
        asy__words_add(argv, "--blas");
        asy__words_add(argv, gang->agent->options.blas);
    }
    return asy__words_check(argv, err);
}

/* Ranks on several nodes are started by name: the trainer's folder goes first. */
static void spanning_env(const struct asy__gang *gang, struct asy__words *env)
{
    const char *trainer = gang->agent->programs.trainer, *slash = strrchr(trainer, '/');
    const char *path = getenv("PATH");

    asy__words_addf(env, "PATH=%.*s:%s", slash ? (int)(slash - trainer) : 1, slash ? trainer : ".",
                    path && *path ? path : "/usr/bin:/bin");
    if (gang->crew)
        asy__words_addf(env, "ASSAY_LAUNCH=%s", gang->crew->door.path);
}

static void build_env(const struct asy__job *job, const struct asy__gang *gang,
                      struct asy__words *env)
{
    asy__command_threads(job, env);
    asy__command_gpus(job, env);
    asy__words_addf(env, "ASSAY_HOME=%s", gang->agent->home);
    asy__words_addf(env, "ASSAY_SOCKET=%s", gang->door.path);
    asy__words_addf(env, "ASSAY_TOKEN=%s", gang->token);
    asy__words_addf(env, "ASSAY_RANKS=%u", gang->all_ranks);
    if (asy__gang_spans(gang))
        spanning_env(gang, env);
    if (gang->all_ranks > 1) {
        launcher_env(env);
        asy__words_addf(env, "ASSAY_FIRST_RANK=%u", gang->first_rank);
        asy__words_addf(env, "TMPDIR=%s", gang->scratch);
        asy__words_addf(env, "ASSAY_SCRATCH=%s", gang->scratch);
    }
    if (job->n_cpus < gang->ranks) /* ranks that share a CPU: one that waits lets the other run */
        asy__words_add(env, "OMPI_MCA_mpi_yield_when_idle=1");
}

/* Everything that would make mpirun believe it runs inside a batch system's step. */
static const char *const gang_env_drop[] = {
    "OMPI_*", "PMIX_*", "PMI_*", "PRTE_*", "SLURM_*", "ASSAY_SOCKET", "ASSAY_TOKEN", "ASSAY_LAUNCH",
    "ASSAY_FIRST_RANK",
    "ASSAY_FAIL_*", NULL,
};

int asy__gang_try(const struct asy__programs *programs, struct asy_buf *ret_said,
                  struct asy_error *err)
{
    struct asy_proc_spec spec = ASY_PROC_SPEC_INIT;
    struct asy__words argv = { 0 }, env = { 0 };
    const char *tmpdir = getenv("TMPDIR");
    int status = 0, rc;
    char text[64];

    if (tmpdir && *tmpdir && access(tmpdir, W_OK | X_OK) < 0) /* mpirun would make it */
        return asy_fail_errno(err, errno, "cannot write to TMPDIR '%s'", tmpdir);
    launcher_words(programs->mpirun, TRY_RANKS, &argv);
    asy__words_add(&argv, programs->trainer);
    asy__words_add(&argv, "--probe-gang");
    launcher_env(&env);
    if ((rc = asy__words_check(&argv, err)) == 0 && (rc = asy__words_check(&env, err)) == 0) {
        spec.argv = (const char *const *)argv.text;
        spec.env_set = (const char *const *)env.text;
        spec.env_drop = gang_env_drop;
        spec.cwd = "/";
        spec.new_session = 1;
        spec.death_signal = SIGKILL;
        rc = asy_proc_capture(&spec, TRY_MS, ret_said, ret_said, &status, err);
    }
    if (rc == 0 && status != 0)
        rc = asy_fail(err, ASY_E_IO, "mpirun ended with %s", asy_proc_status_text(status, text));
    if (rc == 0 && !strstr(ret_said->data, "\"sum\":\"ok\""))
        rc = asy_fail(err, ASY_E_IO, "its ranks did not say that their sum is right");
    asy__words_fini(&argv);
    asy__words_fini(&env);
    return rc;
}

static int launch(struct asy__gang *gang, const struct asy__job *job,
                  const struct asy__words *daemon, struct asy_error *err)
{
    struct asy__words argv = { 0 }, env = { 0 };
    struct asy_attempt_spec spec = { .supervisor = gang->agent->programs.attempt,
                                     .env_drop = gang_env_drop, .cwd = "/", .cpus = job->cpus,
                                     .n_cpus = job->n_cpus, .stdout_path = gang->log,
                                     .stderr_path = gang->log, .stdout_fd = -1,
                                     .memory = gang->memory, .cgroup = gang->agent->cgroup,
                                     .scratch = gang->scratch, .no_linger = 1,
                                     /* mpirun would end the ranks of a job that is requeued; it
                                      * unblocks the signals for them, and they ignore them */
                                     .deaf = 1 };
    int rc;

    build_env(job, gang, &env);
    if ((rc = build_argv(gang, daemon, &argv, err)) == 0 &&
        (rc = asy__words_check(&env, err)) == 0) {
        spec.argv = (const char *const *)argv.text;
        spec.env_set = (const char *const *)env.text;
        rc = asy_attempt_start(&spec, &gang->attempt, err);
    }
    asy__words_fini(&argv);
    asy__words_fini(&env);
    return rc;
}

static int open_log(struct asy__gang *gang, struct asy_error *err)
{
    int rc = asy__mkdirs(gang->agent->work, err);

    if (rc == 0 && !(gang->log = asy__textf("%s/gang-%u.log", gang->agent->work, gang->serial)))
        rc = asy_fail(err, ASY_E_NOMEM, "no memory for paths");
    return rc;
}

int asy__gang_launch(struct asy__gang *gang, const struct asy__job *job,
                     const struct asy__words *daemon, struct asy_error *err)
{
    int rc;

    if ((rc = make_token(gang->token, err)) < 0 || (rc = open_log(gang, err)) < 0 ||
        (rc = asy__door_open(gang->agent, &gang->door, err)) < 0)
        return rc;
    if (job->parts && !daemon && (rc = asy__crew_open(gang, job, err)) < 0)
        return rc;
    if (gang->all_ranks > 1 &&
        (rc = asy__scratch_make(gang->agent, gang->serial, &gang->scratch, err)) < 0)
        return rc;
    return launch(gang, job, daemon, err);
}
