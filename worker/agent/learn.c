/* SPDX-License-Identifier: Apache-2.0
 * learn.c - what the agent finds out as it starts: its node and GPUs, the programs that it has, how
 * long it may stay, whose it is. */
#include "impl.h"
#include <asy/clock.h>
#include <asy/durable.h>
#include <asy/log.h>
#include <asy/slurm.h>
#include <string.h>

#define GPU_LOOK_MS 100

static int describe(struct asy__agent *agent, struct asy_error *err)
{
    struct asy_jsonw w;
    int rc;

    asy_buf_clear(&agent->hardware);
    asy_buf_clear(&agent->versions);
    asy_jsonw_init(&w, &agent->hardware, 0);
    asy_jsonw_open(&w, NULL, '{');
    asy__hardware_write(agent, &w);
    asy_jsonw_close(&w, '}');
    asy_jsonw_init(&w, &agent->versions, 0);
    asy_jsonw_open(&w, NULL, '{');
    asy__versions_write(&agent->programs, &w);
    asy_jsonw_close(&w, '}');
    if ((rc = asy_buf_check(&agent->hardware, "the hardware's description", err)) < 0)
        return rc;
    return asy_buf_check(&agent->versions, "the list of versions", err);
}

/* An instance is where its card is. */
static int place_gpus(struct asy__gpus *gpus, const struct asy_node_options *options,
                      const struct asy_node *node, struct asy_error *err)
{
    const char *addresses[ASY__GPUS_MAX];
    uint32_t groups[ASY__GPUS_MAX];
    int rc;

    for (size_t i = 0; i < gpus->n; i++) {
        const struct asy__gpu *card = gpus->list[i].parent[0]
                                          ? asy__gpus_get(gpus, gpus->list[i].parent) : NULL;

        addresses[i] = card ? card->pci : gpus->list[i].pci;
    }
    if ((rc = asy_node_pci_groups(options, node, addresses, gpus->n, groups, err)) < 0)
        return rc;
    for (size_t i = 0; i < gpus->n; i++)
        gpus->list[i].group = groups[i];
    return 0;
}

/* Once their drivers have answered, or their time is up. */
static int take_gpus(struct asy__agent *agent, struct asy_error *err)
{
    static const char *const names[ASY__GPU_INTERFACES] = { "NVML", "CUDA", "OpenCL" };
    struct asy_node_options node_options = ASY_NODE_OPTIONS_INIT;
    struct asy__gpu_search *search = agent->gpu_search;
    int rc;

    agent->gpu_search = NULL;
    asy__gpus_fini(&agent->gpus);
    if ((rc = asy__gpu_search_end(search, &agent->gpus, err)) < 0 ||
        (rc = place_gpus(&agent->gpus, &node_options, agent->node, err)) < 0)
        return rc;
    for (size_t i = 0; i < ASY_ARRAY_LEN(names); i++)
        if (agent->gpus.note[i][0])
            asy_warn("%s: %s, going on without what it would have shown", names[i],
                     agent->gpus.note[i]);
    if (agent->gpus.wanted_note[0])
        asy_warn("%s", agent->gpus.wanted_note);
    return 0;
}

/* patience_ms: how long the start waits for drivers (-1: for all); slower ones come later. */
static int learn_gpus(struct asy__agent *agent, int patience_ms, struct asy_error *err)
{
    struct asy__gpu_options options = { .wanted = agent->options.gpus ? agent->options.gpus
                                                                     : "auto",
                                        .sys = "/sys",
                                        .program = agent->programs.worker,
                                        .timeout_ms = ASY__GPU_PROBE_MS };
    int rc = asy__gpu_search_begin(&options, &agent->gpu_search, err);

    if (rc < 0)
        return rc;
    if (asy__gpu_search_wait(agent->gpu_search, patience_ms))
        return take_gpus(agent, err);
    asy_info("drivers of GPUs are slow to answer, going on without GPUs until they have");
    agent->gpus.pending = 1;
    return 0;
}

/* The hardware's description has to agree with what is offered. */
static void offer_none(struct asy__agent *agent, const struct asy_error *why)
{
    struct asy_error err = ASY_ERROR_INIT;

    asy_warn("%s, offering no GPUs", why->text);
    asy__gpus_fini(&agent->gpus);
    if (describe(agent, &err) < 0)
        asy_warn("%s", err.text);
}

int64_t asy__learn_timers(struct asy__agent *agent, int64_t now_ms)
{
    struct asy_error err = ASY_ERROR_INIT;

    if (!agent->gpu_search)
        return INT64_MAX;
    if (!asy__gpu_search_wait(agent->gpu_search, 0))
        return now_ms + GPU_LOOK_MS;
    if (take_gpus(agent, &err) < 0 || describe(agent, &err) < 0)
        offer_none(agent, &err);
    asy_info("gpus=%zu", asy__gpus_offered(&agent->gpus));
    if (agent->session.state == ASY__SESSION_JOINED)
        asy__session_greet(agent);
    return INT64_MAX;
}

int asy__learn_node(struct asy__agent *agent, int gpu_patience_ms, struct asy_error *err)
{
    struct asy_node_options options = ASY_NODE_OPTIONS_INIT;
    int rc;

    options.max_cores = agent->options.max_cores;
    options.max_memory = agent->options.max_memory;
    options.smt = agent->options.smt;
    if (!options.max_memory && asy_slurm_memory()) /* the agent lives in it too */
        options.max_memory = asy_slurm_memory() / 10 * 9;
    options.share = agent->options.share;
    if ((rc = asy_node_create(&options, &agent->node, err)) < 0)
        return rc;
    asy__programs_find(&agent->programs);
    if ((rc = learn_gpus(agent, gpu_patience_ms, err)) < 0)
        return rc;
    asy__programs_probe(&agent->programs, agent->options.blas);
    asy_attempt_cgroup(agent->cgroup, sizeof agent->cgroup);
    asy_attempt_tidy(agent->cgroup);
    if (agent->programs.fit[0])
        asy_warn("out of service: %s, taking no leases", agent->programs.fit);
    if (agent->programs.trainer_note[0])
        asy_warn("%s", agent->programs.trainer_note);
    return describe(agent, err);
}

void asy__learn_walltime(struct asy__agent *agent)
{
    struct asy_slurm_job job = { .left_ms = agent->options.walltime_ms };
    struct asy_error err = ASY_ERROR_INIT;

    if (job.left_ms < 0 && asy_slurm_job_id() &&
        asy_slurm_look(&job, ASY_SLURM_PATIENCE_MS, &err) < 0)
        asy_warn("cannot ask Slurm for the time left: %s, taking it as unlimited", err.text);
    if (job.left_ms < 0)
        return;
    agent->leave_ms = asy_clock_ms() +
                      asy_slurm_leave_ms(job.left_ms, agent->options.walltime_margin_ms);
    asy_info("walltime=%llds of this batch job are left, leaving in %lld s",
             (long long)job.left_ms / 1000, (long long)(agent->leave_ms - asy_clock_ms()) / 1000);
}

/* An invitation that cannot be read now is a mistake; later it may be about to be replaced. */
int asy__learn_key(struct asy__agent *agent, const char *key_path, struct asy_error *err)
{
    struct asy_discovery found;
    int rc;

    if (agent->options.join) {
        rc = asy__find_coordinator(agent, 0, &found, err);
        return rc < 0 ? rc : asy_durable_mkdirs(agent->home, err);
    }
    if ((rc = asy_keypair_load(key_path, &agent->pair, err)) == 0)
        memcpy(agent->owner, agent->pair.public_key, sizeof agent->owner);
    return rc;
}
