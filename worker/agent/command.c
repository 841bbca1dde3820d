/* SPDX-License-Identifier: Apache-2.0
 * command.c - a command trial: its environment, its words, its supervisor.
 *
 * What a launcher or batch system said to the agent is not for its children: inherited PMI and Open
 * MPI variables make a user's mpirun believe it runs inside the agent's job, and SLURM_CPU_BIND
 * refers to the agent's step. The study's `env` comes before ours, so it can set thread counts, but
 * neither the ASSAY_ variables nor those that say which GPUs a program sees. */
#include "impl.h"
#include "copy.h"
#include <asy/durable.h>
#include <asy/parse.h>
#include <asy/proc.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *const asy__env_drop[] = {
    "OMPI_*", "PMIX_*", "PMI_*", "PRTE_*", "ASSAY_SOCKET", "ASSAY_TOKEN",
    /* what a program has is its lease; with these mpirun would take the whole job for its own */
    "SLURM_JOB*", "SLURM_STEP*", "SLURM_N*", "SLURM_TASK*", "SLURM_CPU*", "SLURM_MEM*",
    "SLURM_GPU*", "SLURM_PROCID", "SLURM_LOCALID", "SLURM_GTIDS", "SLURM_SRUN*", "SLURM_LAUNCH*",
    "ASSAY_STUDY", "ASSAY_TRIAL", "ASSAY_ATTEMPT", "ASSAY_SEED", "ASSAY_PARAM*", "ASSAY_DIR",
    "ASSAY_CHECKPOINT_DIR", "ASSAY_RESUME", "ASSAY_UNTIL", "ASSAY_GPU*", "ASSAY_RANK_GPUS",
    "ASSAY_FAIL_*", "ASSAY_OBJECTIVE", "ASSAY_NAME", "ASSAY_PROJECT", NULL,
};

void asy__command_threads(const struct asy__job *job, struct asy__words *env)
{
    static const char *const names[] = { "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS",
                                         "MKL_NUM_THREADS", "BLIS_NUM_THREADS",
                                         "NUMEXPR_NUM_THREADS", "POCL_MAX_PTHREAD_COUNT" };
    size_t per_rank = job->n_cores / (job->ranks ? job->ranks : 1);

    for (size_t i = 0; i < ASY_ARRAY_LEN(names); i++)
        asy__words_addf(env, "%s=%zu", names[i], per_rank ? per_rank : 1);
}

void asy__command_gpus(const struct asy__job *job, struct asy__words *env)
{
    asy__gpu_env(&job->agent->gpus, (const char *const *)job->gpus, job->gpu_shares, job->n_gpus,
                job->ranks, env);
}

/* "lr" and "net.depth" as LR and NET_DEPTH. */
static void add_name(struct asy_buf *buf, const char *name)
{
    for (; *name; name++)
        asy_buf_addc(buf, isalnum((unsigned char)*name) ? (char)toupper((unsigned char)*name)
                                                        : '_');
}

static void add_params(const struct asy_json *node, const char *prefix, struct asy__words *env)
{
    const struct asy_json *value;
    const char *key;

    for (size_t i = 0; (value = asy_json_member(node, i, &key)); i++) {
        struct asy_buf word;
        char number[32];

        asy_buf_init(&word, 64u << 10);
        asy_buf_adds(&word, prefix);
        add_name(&word, key);
        if (asy_json_type(value) == ASY_JSON_OBJECT) {
            asy_buf_addc(&word, '_');
            add_params(value, word.data, env);
            asy_buf_fini(&word);
            continue;
        }
        asy_buf_addc(&word, '=');
        switch (asy_json_type(value)) {
        case ASY_JSON_STRING: asy_buf_adds(&word, asy_json_str(value, "")); break;
        case ASY_JSON_INT: asy_buf_addf(&word, "%lld", (long long)asy_json_i64(value, 0)); break;
        case ASY_JSON_REAL:
            asy_buf_adds(&word, asy_format_f64(asy_json_f64(value, 0), number));
            break;
        case ASY_JSON_BOOL: asy_buf_adds(&word, asy_json_bool(value, 0) ? "true" : "false"); break;
        default: break;
        }
        if (word.rc == 0)
            asy__words_add(env, word.data);
        asy_buf_fini(&word);
    }
}

/* What is a person's choice and no launcher's state survives the scrubbing. */
static void keep_choices(struct asy__words *env)
{
    static const char *const names[] = { "OMPI_ALLOW_RUN_AS_ROOT",
                                         "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM" };

    for (size_t i = 0; i < ASY_ARRAY_LEN(names); i++)
        if (getenv(names[i]))
            asy__words_addf(env, "%s=%s", names[i], getenv(names[i]));
}

static void add_assay(const struct asy__job *job, struct asy__words *env)
{
    char study[ASY_ID_TEXT];

    asy_id_format(job->study, study);
    asy__words_addf(env, "ASSAY_HOME=%s", job->agent->home);
    if (job->door.fd >= 0)
        asy__words_addf(env, "ASSAY_SOCKET=%s", job->door.path);
    asy__words_addf(env, "ASSAY_STUDY=%s", study);
    asy__words_addf(env, "ASSAY_TRIAL=%llu", (unsigned long long)job->trial);
    asy__words_addf(env, "ASSAY_ATTEMPT=%u", job->attempt);
    asy__words_addf(env, "ASSAY_SEED=%llu", (unsigned long long)job->seed);
    asy__words_addf(env, "ASSAY_PARAMS=%s", job->params_text);
    add_params(job->params, "ASSAY_PARAM_", env);
    asy__words_addf(env, "ASSAY_DIR=%s", job->dir);
    asy__words_addf(env, "ASSAY_CHECKPOINT_DIR=%s", job->checkpoints);
    asy__words_addf(env, "ASSAY_RESUME=%s", job->resume ? job->resume : "");
    if (job->milestone == UINT64_MAX)
        asy__words_add(env, "ASSAY_UNTIL=");
    else
        asy__words_addf(env, "ASSAY_UNTIL=%llu", (unsigned long long)job->milestone);
}

/* ---- programs of W&B sweeps ------------------------------------------------------------------ */

/* Our stand-in for the module, before all else that the study or this worker has there. */
static int add_wandb(const struct asy__job *job, struct asy__words *env, struct asy_error *err)
{
    const struct asy_study_spec *study = job->spec->study;
    const char *folder = job->agent->programs.python, *before = getenv("PYTHONPATH");

    if (!folder[0])
        return asy_fail(err, ASY_E_NOENT, "cannot find the stand-in for the module wandb "
                        "(share/assay/python/wandb beside the programs)");
    for (size_t i = 0; i < study->n_env; i++)
        if (!strncmp(study->env[i], "PYTHONPATH=", 11))
            before = study->env[i] + 11;
    asy__words_addf(env, "PYTHONPATH=%s%s%s", folder, before && *before ? ":" : "",
                    before ? before : "");
    asy__words_addf(env, "ASSAY_OBJECTIVE=%s", study->objectives[0].metric);
    asy__words_addf(env, "ASSAY_NAME=%s", study->name);
    asy__words_addf(env, "ASSAY_PROJECT=%s", study->project);
    return 0;
}

/* The file behind {wandb:args_json_file}; *ret_path is freed by the caller. */
static int write_json(const struct asy__job *job, char **ret_path, struct asy_error *err)
{
    struct asy_buf text = { 0 };
    int rc;

    if (!(*ret_path = asy__textf("%s/args.json", job->dir)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for paths");
    if (!asy_study_wants_json_file(job->spec->study))
        return 0;
    asy_buf_init(&text, 1u << 20);
    asy_study_json_args(job->params, &text);
    if ((rc = asy_buf_check(&text, "the arguments of a trial", err)) == 0)
        rc = asy_durable_write(*ret_path, text.data, text.len, 0600, err);
    asy_buf_fini(&text);
    return rc;
}

static int build_env(const struct asy__job *job, struct asy__words *env, struct asy_error *err)
{
    const struct asy_study_spec *study = job->spec->study;
    int rc;

    asy__command_threads(job, env);
    keep_choices(env);
    for (size_t i = 0; i < study->n_env; i++)
        asy__words_add(env, study->env[i]);
    asy__command_gpus(job, env);
    add_assay(job, env);
    if (study->wandb && (rc = add_wandb(job, env, err)) < 0)
        return rc;
    return asy__words_check(env, err);
}

/* stdout comes to us where a pattern reads it; we write the log then. */
static int open_pipe(struct asy__job *job, const char *log, int *ret_write_end,
                     struct asy_error *err)
{
    struct asy__pipe *out = &job->pipe;
    int fds[2], rc;

    if ((rc = asy__pattern_create(job->spec->study->pattern, &out->pattern, err)) < 0)
        return rc;
    if (pipe2(fds, O_CLOEXEC) < 0)
        return asy_fail_errno(err, errno, "cannot make a pipe for stdout");
    if (fcntl(fds[0], F_SETFL, O_NONBLOCK) < 0)
        return asy_fail_errno(err, errno, "cannot make a pipe non-blocking");
    out->fd = fds[0];
    *ret_write_end = fds[1];
    asy_buf_init(&out->line, 1u << 20);
    if ((out->log_fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) < 0)
        return asy_fail_errno(err, errno, "cannot open '%s'", log);
    return 0;
}

/* The study's own folder, where it is seen from here; else the trial's, in which its files lie in
 * the same places. */
static const char *folder_of(const struct asy__job *job)
{
    const struct asy_study_spec *study = job->spec->study;

    if (study->cwd_trial || !job->sees_study || access(study->base_dir, X_OK) < 0)
        return job->dir;
    return study->base_dir;
}

static int start(struct asy__job *job, const char *const *argv, const char *const *env,
                 struct asy_error *err)
{
    const struct asy_study_spec *study = job->spec->study;
    struct asy_attempt_spec spec = { .supervisor = job->agent->programs.attempt, .argv = argv,
                                     .env_set = env, .env_drop = asy__env_drop,
                                     .cwd = folder_of(job),
                                     .cpus = job->cpus, .n_cpus = job->n_cpus, .stdout_fd = -1,
                                     .memory = job->memory, .cgroup = job->agent->cgroup };
    char *out = asy__textf("%s/stdout", job->logs), *errors = asy__textf("%s/stderr", job->logs);
    int write_end = -1, rc;

    if (!out || !errors) {
        rc = asy_fail(err, ASY_E_NOMEM, "no memory for paths");
        goto out;
    }
    spec.stdout_path = out;
    spec.stderr_path = errors;
    if (study->pattern && (rc = open_pipe(job, out, &write_end, err)) < 0)
        goto out;
    spec.stdout_fd = write_end;
    rc = asy_attempt_start(&spec, &job->run_by, err);
out:
    if (write_end >= 0)
        close(write_end);
    free(out);
    free(errors);
    return rc;
}

int asy__command_start(struct asy__job *job, struct asy_error *err)
{
    const struct asy_study_spec *study = job->spec->study;
    struct asy__words env = { 0 };
    struct asy_proc_spec program = ASY_PROC_SPEC_INIT; /* by what {env:NAME} is looked up */
    char **argv = NULL, *json = NULL;
    int rc;

    if (!job->agent->programs.attempt[0])
        return asy_fail(err, ASY_E_NOENT, "cannot find 'assay-attempt'");
    if (!study->pattern && (rc = asy__door_open(job->agent, &job->door, err)) < 0)
        goto out;
    if ((rc = write_json(job, &json, err)) < 0 || (rc = build_env(job, &env, err)) < 0)
        goto out;
    program.env_set = (const char *const *)env.text;
    program.env_drop = asy__env_drop;
    if ((rc = asy_study_argv(study, job->params, json, &program, &argv, err)) < 0)
        goto out;
    rc = start(job, (const char *const *)argv, (const char *const *)env.text, err);
out:
    asy__words_fini(&env);
    asy_study_argv_free(argv);
    free(json);
    return rc;
}
