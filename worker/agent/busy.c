/* SPDX-License-Identifier: Apache-2.0
 * busy.c - which cores and GPUs of the node are in use, whatever leases say of them. */
#include "impl.h"
#include <string.h>

static int overlap(const uint32_t *a, size_t n_a, const uint32_t *b, size_t n_b)
{
    for (size_t i = 0, k = 0; i < n_a && k < n_b;) {
        if (a[i] == b[k])
            return 1;
        a[i] < b[k] ? i++ : k++;
    }
    return 0;
}

/* What a fenced attempt had of a device is free when it is gone. */
static int gpus_busy(const struct asy__agent *agent, const struct asy__job *job)
{
    for (size_t i = 0; i < job->n_gpus; i++) {
        uint64_t used = 0;

        for (size_t k = 0; k < job->n_gpus; k++)
            used += strcmp(job->gpus[k], job->gpus[i]) ? 0 : job->gpu_shares[k];
        ASY__EACH(struct asy__job, other, &agent->jobs)
            for (size_t k = 0; other != job && asy__job_alive(other) && k < other->n_gpus; k++)
                used += strcmp(other->gpus[k], job->gpus[i]) ? 0 : other->gpu_shares[k];
        if (used > ASY_GPU_WHOLE)
            return 1;
    }
    return 0;
}

static int holds_its_gpu(const struct asy__gang *gang, const struct asy__job *job)
{
    for (size_t i = 0; i < job->n_gpus; i++)
        for (size_t k = 0; k < gang->n_gpus; k++)
            if (!strcmp(gang->gpus[k], job->gpus[i]))
                return 1;
    return 0;
}

static int is_on_its(const struct asy__gang *gang, const struct asy__job *job)
{
    return holds_its_gpu(gang, job) ||
           overlap(job->cores, job->n_cores, gang->cores, gang->n_cores);
}

/* An idle gang that may take the job itself. On its GPUs no other stays: a warm process keeps
 * memory of a device, and some devices let no second one in. */
static int may_stay(const struct asy__gang *gang, const struct asy__job *job)
{
    if (!asy_study_is_native(job->spec->study) || gang->dying || !asy__gang_suits(gang, job))
        return 0;
    return !holds_its_gpu(gang, job) || asy__gang_can_take(gang, job);
}

int asy__agent_cpus_busy(struct asy__agent *agent, const struct asy__job *job)
{
    int busy = gpus_busy(agent, job);

    ASY__EACH(struct asy__job, other, &agent->jobs)
        if (other != job && asy__job_alive(other) &&
            overlap(job->cores, job->n_cores, other->cores, other->n_cores))
            busy = 1;
    ASY__EACH(struct asy__gang, gang, &agent->gangs) {
        if (gang->dead || gang->job || !is_on_its(gang, job))
            continue;
        if (may_stay(gang, job)) {
            busy |= gang->running > 0; /* rank 0 has ended its last job, others are about to */
            continue;
        }
        asy__gang_end(gang);
        busy = 1;
    }
    return busy;
}

uint32_t asy__agent_free_cores(const struct asy__agent *agent)
{
    size_t used = 0;

    if (agent->draining || *asy__agent_unfit(agent))
        return 0;
    ASY__EACH(struct asy__job, job, &agent->jobs)
        if (job->state != ASY__JOB_OVER)
            used += job->n_cores;
    return used < agent->node->n_cores ? agent->node->n_cores - (uint32_t)used : 0;
}
