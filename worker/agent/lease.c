/* SPDX-License-Identifier: Apache-2.0
 * lease.c - taking leases: all that comes over the wire is copied and checked before anything runs.
 * A lease that cannot be held is answered like any other attempt, by its ENDED. */
#include "impl.h"
#include <asy/clock.h>
#include <asy/log.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define JOBS_MAX 16384
#define PARTS_MAX 4096 /* of GPUs, in one lease */

void asy__job_destroy(struct asy__job *job)
{
    if (!job)
        return;
    asy__list_del(&job->node);
    while (job->conns.next && job->conns.next != &job->conns)
        asy__conn_destroy((struct asy__conn *)job->conns.next);
    asy__pipe_close(&job->pipe);
    asy__door_close(&job->door);
    asy_attempt_destroy(job->run_by);
    asy__transfer_destroy(job);
    asy__reports_fini(&job->reports);
    asy__parts_destroy(job->parts);
    asy__spec_unref(job->spec);
    asy_json_destroy(job->params);
    for (size_t i = 0; i < job->n_gpus; i++)
        free(job->gpus[i]);
    free(job->gpus);
    free(job->gpu_shares);
    free(job->cores);
    free(job->cpus);
    free(job->from_path);
    free(job->params_text);
    free(job->owner);
    free(job->work);
    free(job->dir);
    free(job->checkpoints);
    free(job->logs);
    free(job->resume);
    free(job->last_path);
    free(job);
}

static int copy_text(char **to, const char *from)
{
    if (!from)
        return 0;
    return (*to = strdup(from)) ? 0 : ASY_E_NOMEM;
}

static int by_number(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* The placement, as far as it makes sense; check_place() judges it. */
static int copy_place(struct asy__job *job, const struct asy_placement *place)
{
    const struct asy_node *node = job->agent->node;
    size_t n = place->n_cores <= node->n_cores ? place->n_cores : 0;
    size_t n_gpus = place->n_gpus <= PARTS_MAX ? place->n_gpus : 0;

    job->ranks = place->ranks;
    job->memory = place->memory;
    if (!(job->cores = calloc(n + 1, sizeof *job->cores)) ||
        !(job->cpus = calloc(n + 1, sizeof *job->cpus)) ||
        !(job->gpus = calloc(n_gpus + 1, sizeof *job->gpus)) ||
        !(job->gpu_shares = calloc(n_gpus + 1, sizeof *job->gpu_shares)))
        return ASY_E_NOMEM;
    for (size_t i = 0; i < n; i++) {
        if (place->cores[i] >= node->n_cores)
            return 0; /* n_cores stays 0: refused below */
        job->cores[i] = place->cores[i];
        job->cpus[i] = node->cpu[place->cores[i]];
    }
    job->n_cores = n;
    if (n)
        qsort(job->cores, n, sizeof *job->cores, by_number);
    job->n_cpus = asy_cpus_sort(job->cpus, n);
    for (; job->n_gpus < n_gpus; job->n_gpus++) {
        size_t i = job->n_gpus;

        job->gpu_shares[i] = i < place->n_gpu_shares ? place->gpu_shares[i] : ASY_GPU_WHOLE;
        if (!(job->gpus[i] = strdup(place->gpus[i])))
            return ASY_E_NOMEM;
    }
    return 0;
}

static int copy_lease(struct asy__job *job, const struct asy_lease *lease)
{
    const char *params = lease->params ? lease->params : "{}";

    job->study = lease->study;
    job->trial = lease->trial;
    job->attempt = lease->attempt;
    job->epoch = lease->epoch;
    job->store = job->agent->session.store;
    job->reports.kept_first = 1;
    job->milestone = lease->milestone;
    job->seed = lease->seed & INT64_MAX; /* JSON's integers end there, and so do many languages' */
    job->from = lease->from;
    job->from.path = NULL;
    if (asy_sha_bytes(params, strlen(params), &job->params_sha, NULL) < 0)
        return ASY_E_NOMEM;
    if (asy__parts_take(job, lease) < 0 ||
        copy_text(&job->from_path, lease->from.path) < 0 ||
        copy_text(&job->params_text, params) < 0 ||
        copy_text(&job->owner, lease->owner ? lease->owner : "") < 0)
        return ASY_E_NOMEM;
    return copy_place(job, &lease->placement);
}

/* What is leased of a device: by this job and all others that are not about to leave it. */
static uint64_t leased_of(const struct asy__job *job, const char *gpu)
{
    uint64_t sum = 0;

    ASY__EACH(struct asy__job, other, &job->agent->jobs)
        for (size_t i = 0; other != job && !asy__job_leaves(other) && i < other->n_gpus; i++)
            sum += strcmp(other->gpus[i], gpu) ? 0 : other->gpu_shares[i];
    for (size_t i = 0; i < job->n_gpus; i++)
        sum += strcmp(job->gpus[i], gpu) ? 0 : job->gpu_shares[i];
    return sum;
}

static int check_gpus(const struct asy__job *job, const struct asy_lease *lease,
                      struct asy_error *err)
{
    if (job->n_gpus != lease->placement.n_gpus ||
        (lease->placement.n_gpu_shares && lease->placement.n_gpu_shares != job->n_gpus))
        return asy_fail(err, ASY_E_INVAL, "the lease has %zu GPUs with %zu shares",
                        lease->placement.n_gpus, lease->placement.n_gpu_shares);
    for (size_t i = 0; i < job->n_gpus; i++) {
        const struct asy__gpu *gpu = asy__gpus_get(&job->agent->gpus, job->gpus[i]);

        if (!gpu || !gpu->offered)
            return asy_fail(err, ASY_E_INVAL, "the lease names GPU '%.90s', which this node does "
                            "not offer", job->gpus[i]);
        if (leased_of(job, job->gpus[i]) > ASY_GPU_WHOLE)
            return asy_fail(err, ASY_E_BUSY, "more than the whole of GPU '%.90s' is leased",
                            job->gpus[i]);
    }
    return 0;
}

static int check_place(const struct asy__job *job, const struct asy_lease *lease,
                       struct asy_error *err)
{
    struct asy__agent *agent = job->agent;
    int rc;

    if (asy_id_cmp(lease->placement.worker, agent->id))
        return asy_fail(err, ASY_E_INVAL, "the lease is for another worker");
    if (job->n_cores == 0)
        return asy_fail(err, ASY_E_INVAL, "the lease names cores that this node does not have");
    for (size_t i = 1; i < job->n_cores; i++)
        if (job->cores[i] == job->cores[i - 1])
            return asy_fail(err, ASY_E_INVAL, "the lease names a core twice");
    if (job->ranks == 0 || job->ranks > job->n_cores)
        return asy_fail(err, ASY_E_INVAL, "the lease has %u ranks on %zu cores", job->ranks,
                        job->n_cores);
    if ((rc = check_gpus(job, lease, err)) < 0)
        return rc;
    ASY__EACH(struct asy__job, other, &agent->jobs) {
        if (other == job || asy__job_leaves(other))
            continue;
        for (size_t i = 0, k = 0; i < job->n_cores && k < other->n_cores;) {
            if (job->cores[i] == other->cores[k])
                return asy_fail(err, ASY_E_BUSY, "core %u of the lease is used by %s",
                                job->cores[i], other->name);
            job->cores[i] < other->cores[k] ? i++ : k++;
        }
    }
    return 0;
}

/* What speaks against holding it. *ret_cause goes with the refusal. */
static int check(struct asy__job *job, const struct asy_lease *lease, enum asy_cause *ret_cause,
                 struct asy_error *err)
{
    struct asy__agent *agent = job->agent;
    int rc;

    *ret_cause = ASY_CAUSE_NOT_STARTED;
    if (agent->draining) {
        *ret_cause = ASY_CAUSE_DRAINING;
        return asy_fail(err, ASY_E_STATE, "the worker is draining");
    }
    if (*asy__agent_unfit(agent)) {
        *ret_cause = ASY_CAUSE_UNFIT;
        return asy_fail(err, ASY_E_STATE, "%s", asy__agent_unfit(agent));
    }
    if (strcmp(job->owner, agent->owner))
        return asy_fail(err, ASY_E_DENIED, "this worker runs its own user's studies only");
    rc = asy__spec_get(agent, lease->spec_id, lease->spec, &job->spec, err);
    if (rc < 0) {
        if (rc == ASY_E_NOENT)
            asy__session_greet(agent); /* a new session makes the coordinator send studies again */
        return rc;
    }
    if ((rc = asy_json_parse(job->params_text, strlen(job->params_text), &job->params, err)) < 0) {
        asy_error_prefix(err, "parameters of the lease");
        return rc;
    }
    if ((rc = asy__parts_check(job, lease, err)) < 0)
        return rc;
    return check_place(job, lease, err);
}

/* What we hold of another store keeps its folder, which bears the same numbers. */
static int check_foreign(const struct asy__job *job, const struct asy_lease *lease,
                         struct asy_error *err)
{
    if (!asy_id_is_none(lease->adopts))
        return asy_fail(err, ASY_E_GONE, "the attempt to be adopted is not here any more");
    ASY__EACH(struct asy__job, other, &job->agent->jobs)
        if (other != job && !other->forgotten && other->trial == job->trial &&
            other->attempt == job->attempt && asy__job_foreign(other) &&
            !asy_id_cmp(other->study, job->study))
            return asy_fail(err, ASY_E_BUSY, "this worker holds attempt %u of another store; "
                            "'assay discard' ends it", other->attempt);
    return 0;
}

/* An older attempt of the trial that we still hold is over for the coordinator. One that it has
 * closed in peace keeps its ranks, which the trial may go on with. */
static void fence_older(struct asy__agent *agent, const struct asy_lease *lease)
{
    ASY__EACH(struct asy__job, job, &agent->jobs)
        if (job->trial == lease->trial && job->epoch < lease->epoch && !asy__job_foreign(job) &&
            !asy_id_cmp(job->study, lease->study) && !asy__part_closing(job))
            asy__job_fence(job);
}

static void set_name(struct asy__job *job)
{
    char study[ASY_ID_TEXT];

    snprintf(job->name, sizeof job->name, "study=%s trial=%llu attempt=%u",
             job->spec ? job->spec->study->name : asy_id_format(job->study, study),
             (unsigned long long)job->trial, job->attempt);
}

static struct asy__job *find_foreign(struct asy__agent *agent, const struct asy_lease *lease)
{
    ASY__EACH(struct asy__job, job, &agent->jobs)
        if (!job->forgotten && !job->fenced && job->trial == lease->trial &&
            job->attempt == lease->adopts_attempt && !asy_id_cmp(job->study, lease->study) &&
            !asy_id_cmp(job->store, lease->adopts))
            return job;
    return NULL;
}

/* `assay logs` looks for them by the number that the attempt has now. */
static void link_logs(const struct asy__job *job, uint32_t was)
{
    const char *number = strrchr(job->logs, '/');
    struct asy_error err = ASY_ERROR_INIT;
    char *path = number ? asy__textf("%.*s/%u", (int)(number - job->logs), job->logs, job->attempt)
                        : NULL;

    if (path && symlink(number + 1, path) < 0)
        asy_fail_errno(&err, errno, "cannot make '%s'", path);
    if (err.code)
        asy_warn("%s: its logs stay under attempt %u: %s", job->name, was, err.text);
    free(path);
}

/* The restored store takes over what an earlier one had leased. 1: there it is. */
static int adopt(struct asy__agent *agent, const struct asy_lease *lease)
{
    struct asy__job *job = find_foreign(agent, lease);
    struct asy__spec *spec = NULL;
    uint32_t was;

    if (!job)
        return 0;
    if (asy__spec_get(agent, lease->spec_id, lease->spec, &spec, NULL) == 0)
        asy__spec_unref(spec); /* known from here on, as later leases will have it */
    was = job->attempt;
    job->store = agent->session.store;
    job->attempt = lease->attempt;
    job->epoch = lease->epoch;
    if (job->last.attempt)
        job->last.attempt = lease->attempt;
    asy_info("%s: adopted as attempt %u", job->name, job->attempt);
    set_name(job);
    if (was != job->attempt && job->own_logs)
        asy__transfer_renumbered(job);
    else if (was != job->attempt && job->logs)
        link_logs(job, was);
    asy__reports_again(job);
    return 1;
}

int asy__job_lease(struct asy__agent *agent, const struct asy_lease *lease, struct asy_error *err)
{
    struct asy_error why = ASY_ERROR_INIT;
    enum asy_cause cause;
    struct asy__job *job;
    int rc;

    if (asy__job_find(agent, lease->study, lease->trial, lease->attempt, lease->epoch))
        return 0; /* we have it */
    if (!asy_id_is_none(lease->adopts) && adopt(agent, lease))
        return 0;
    if (agent->n_jobs >= JOBS_MAX)
        return asy_fail(err, ASY_E_FULL, "more than %d attempts are held here", JOBS_MAX);
    fence_older(agent, lease);
    if (!(job = calloc(1, sizeof *job)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a lease");
    job->agent = agent;
    job->state = ASY__JOB_WAITING;
    job->door.fd = job->pipe.fd = job->pipe.log_fd = -1;
    job->escalate_ms = job->silent_ms = INT64_MAX;
    asy__list_init(&job->conns);
    if (copy_lease(job, lease) < 0) {
        asy__job_destroy(job);
        return asy_fail(err, ASY_E_NOMEM, "no memory for a lease");
    }
    rc = check(job, lease, &cause, &why);
    if (rc == 0)
        rc = check_foreign(job, lease, &why);
    set_name(job);
    asy__list_add(&agent->jobs, &job->node);
    agent->n_jobs++;
    if (rc < 0) {
        asy__job_refuse(job, ASY_END_REFUSED, cause, why.text);
        return 0;
    }
    job->grace_ms = job->spec->study->grace_ms;
    asy_info("%s: leased, milestone %llu, %zu cores", job->name,
             (unsigned long long)job->milestone, job->n_cores);
    if ((rc = asy__transfer_begin(job, &why)) < 0)
        asy__job_not_fetched(job, rc, why.text);
    asy__job_try_start(job);
    return 0;
}
