/* SPDX-License-Identifier: Apache-2.0
 * Leases with GPUs: a real assay-worker finds the devices of the fakes, a scripted coordinator
 * leases them, a real program says what it sees. */
#include "../asytest.h"
#include "coord.h"
#include <signal.h>

#define A "GPU-aaaaaaaa-1111-2222-3333-444444444444"
#define B "GPU-bbbbbbbb-1111-2222-3333-444444444444"
#define STUDY(command)                                                                             \
    "assay: 1\nname: test\nrun: {command: " command ", grace: 20s, "                               \
    "metrics: {pattern: '(?<loss>[0-9.]+)'}}\n"                                                    \
    "objective: {metric: loss, goal: minimize}\n"                                                  \
    "parameters: {lr: {min: 0.0, max: 1.0}}\nbudget: {trials: 100}\n"

static int offers(struct coord *c, const void *gpus)
{
    return !strcmp(c->gpus, gpus);
}

/* It joins without its GPUs if these drivers take their time. */
static int start(struct coord *c, const char *const *env)
{
    return coord_worker(c, env, NULL) && coord_await_that(c, offers, A " " B);
}

static int begin(struct coord *c, const char *yaml)
{
    static const char *const env[] = { "LD_LIBRARY_PATH=" FAKES, "FAKE_NVML=two",
                                       "FAKE_OPENCL=cards", NULL };

    return coord_open(c) && coord_study(c, yaml) && start(c, env);
}

static int send(struct coord *c, uint64_t trial, uint32_t core, const char *const *gpus,
                const uint32_t *shares, size_t n, size_t n_shares)
{
    struct asy_lease lease = coord_lease(c, trial, core, 1);

    lease.placement.gpus = gpus;
    lease.placement.n_gpus = n;
    lease.placement.gpu_shares = shares;
    lease.placement.n_gpu_shares = n_shares;
    return coord_send_lease(c, &lease);
}

static void a_program_sees_the_gpus_of_its_lease(void)
{
    static const char *const gpus[] = { B };
    static const uint32_t quarter = 2500;
    const struct asy_report *r;
    struct coord c = { 0 };

    if (!begin(&c, STUDY("[sh, -c, 'test \"$CUDA_VISIBLE_DEVICES $ASSAY_GPUS $ASSAY_GPU_SHARE\" = "
                         "\"" B " " B " 0.25\" && echo 1']")))
        goto out;
    if (!send(&c, 0, 0, gpus, &quarter, 1, 1) ||
        !coord_ended(&c, 0, ASY_END_COMPLETE, ASY_CAUSE_NONE))
        goto out;
    if ((r = coord_report(&c, 0, ASY_EV_STARTED, 0))) {
        T_HAS("its record", r->event.started.hardware, "\"gpus\":[{\"id\":\"" B "\"");
        T_HAS("its record", r->event.started.hardware, "\"share\":0.25");
    }
out:
    coord_close(&c);
}

static void a_program_without_gpus_sees_none(void)
{
    struct coord c = { 0 };

    if (begin(&c, STUDY("[sh, -c, 'test \"${{CUDA_VISIBLE_DEVICES-unset}}${{ASSAY_GPUS-unset}}\" = "
                        "\"\" && echo 1']")) && coord_run(&c, 0))
        coord_ended(&c, 0, ASY_END_COMPLETE, ASY_CAUSE_NONE);
    coord_close(&c);
}

static void what_cannot_be_held_is_refused(void)
{
    static const char *const strange[] = { "GPU-cccccccc" }, *const twice[] = { A, A };
    static const uint32_t shares[] = { 5001, 5000 };
    static const struct {
        const char *name, *const *gpus;
        size_t n, n_shares;
        const char *text;
    } cases[] = {
        { "a device that is not here", strange, 1, 1, "which this node does not offer" },
        { "more than one", twice, 2, 2, "more than the whole of GPU" },
        { "shares of nothing", twice, 1, 2, "has 1 GPUs with 2 shares" },
    };
    const struct asy_event *end;
    struct coord c = { 0 };

    if (!begin(&c, STUDY("[sh, -c, 'echo 1']")))
        goto out;
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++)
        if (send(&c, i, 0, cases[i].gpus, shares, cases[i].n, cases[i].n_shares) &&
            (end = coord_ended(&c, i, ASY_END_REFUSED, ASY_CAUSE_NOT_STARTED)))
            T_HAS(cases[i].name, end->ended.text, cases[i].text);
out:
    coord_close(&c);
}

/* A device is free when the fenced attempt that had it is gone, not before. */
static void a_device_is_waited_for(void)
{
    static const char *const gpus[] = { A };
    struct asy_lease lease;
    struct coord c = { 0 };
    const struct asy_event *end;

    if (!begin(&c, STUDY("[sh, -c, 'trap \"\" TERM; echo 1; test -e go || sleep 1000']")))
        goto out;
    if (c.cores < 2) {
        printf("skipped: it takes two cores\n");
        goto out;
    }
    lease = coord_lease(&c, 0, 0, 1);
    lease.placement.gpus = gpus;
    lease.placement.n_gpus = 1;
    if (!coord_send_lease(&c, &lease) || !coord_report(&c, 0, ASY_EV_REPORT, 0))
        goto out;
    if (send(&c, 1, 1, gpus, NULL, 1, 0) &&
        (end = coord_ended(&c, 1, ASY_END_REFUSED, ASY_CAUSE_NOT_STARTED)))
        T_HAS("in use", end->ended.text, "more than the whole of GPU '" A "' is leased");
    if (coord_file(&c, "go", "") && coord_cancel(&c, &lease, ASY_CANCEL_KILL, 0) &&
        send(&c, 2, 1, gpus, NULL, 1, 0))
        coord_ended(&c, 2, ASY_END_COMPLETE, ASY_CAUSE_NONE);
out:
    coord_close(&c);
}

/* It joins without what a slow driver shows, and offers that once it is known. What began in
 * between goes on; it was kept from all GPUs. */
static void a_slow_driver_delays_nothing_but_its_gpus(void)
{
    static const char *const gpus[] = { A };
    struct coord c = { 0 };
    char go[320];
    const char *const env[] = { "LD_LIBRARY_PATH=" FAKES, "FAKE_NVML=waits", "FAKE_OPENCL=none", go,
                                NULL };

    if (!coord_open(&c) ||
        !coord_study(&c, STUDY("[sh, -c, 'echo $ZE_AFFINITY_MASK; until test -e end; do :; done; "
                               "test -n \"$ASSAY_GPUS$CUDA_VISIBLE_DEVICES\" || echo 1']")))
        goto out;
    snprintf(go, sizeof go, "FAKE_GO=%s", coord_path(&c, "go"));
    if (!coord_worker(&c, env, NULL))
        goto out;
    T_STR("offered at first", c.gpus, "");
    if (!coord_run(&c, 0) || !coord_report(&c, 0, ASY_EV_REPORT, 0) || !coord_file(&c, "go", "") ||
        !coord_await_that(&c, offers, A " " B))
        goto out;
    T_EQ("it holds", c.n_holdings, 1);
    coord_file(&c, "end", "");
    coord_ended(&c, 0, ASY_END_COMPLETE, ASY_CAUSE_NONE);
    if (send(&c, 1, 0, gpus, NULL, 1, 0))
        coord_ended(&c, 1, ASY_END_COMPLETE, ASY_CAUSE_NONE);
out:
    coord_close(&c);
}

#define NATIVE                                                                                     \
    "assay: 1\nname: native\n"                                                                     \
    "run: {model: mlp, hidden: 8, length: {unit: epochs, max: 1}, grace: 1s}\n"                    \
    "data: {file: data.csv, label: -1}\nobjective: {metric: val_loss, goal: minimize}\n"           \
    "parameters: {lr: {min: 0.001, max: 1.0}}\nbudget: {trials: 100}\n"                            \
    "resources: {"

static int write_data(struct coord *c)
{
    FILE *f = fopen(coord_path(c, "data.csv"), "we");

    for (int i = 0; f && i < 200; i++)
        fprintf(f, "%d,%d,%s\n", i, (i * 37) % 100, i < 100 ? "low" : "high");
    return T_TRUE(f && fclose(f) == 0);
}

static int train_on(struct coord *c, uint64_t trial, uint32_t core, uint64_t memory)
{
    static const char *const gpus[] = { A };
    struct asy_lease lease = coord_lease(c, trial, core, 1);

    lease.params = "{\"lr\":0.01}";
    lease.placement.memory = memory;
    lease.placement.gpus = gpus;
    lease.placement.n_gpus = 1;
    return coord_send_lease(c, &lease);
}

/* Nothing else begins on a device while an idle trainer has it, wherever that has its cores. */
static void a_warm_trainer_leaves_its_gpu_to_others(void)
{
    static const char *const gpus[] = { A };
    const struct asy_report *r;
    struct coord c = { 0 };
    uint64_t memory;
    pid_t pids[2];
    char yaml[500];

    if (access(TRAINER, X_OK) != 0) {
        puts("    assay-trainer is not built: not tested");
        return;
    }
    if (!begin(&c, NATIVE "device: cpu}\n") || !write_data(&c))
        goto out;
    if (c.cores < 2) {
        puts("    needs two cores: not tested");
        goto out;
    }
    memory = c.study->memory;
    for (uint64_t trial = 0; trial < 2; trial++, memory += 1 << 20) { /* the limit differs */
        if (!train_on(&c, trial, (uint32_t)trial, memory) ||
            !coord_ended(&c, trial, ASY_END_COMPLETE, ASY_CAUSE_NONE) ||
            !(r = coord_report(&c, trial, ASY_EV_STARTED, 0)))
            goto out;
        pids[trial] = (pid_t)r->event.started.pid;
    }
    T_TRUE(kill(pids[0], 0) < 0);
    T_EQ("the newer one is warm", kill(pids[1], 0), 0);
    snprintf(yaml, sizeof yaml, STUDY("[sh, -c, 'test -e /proc/%d || echo 1']"), (int)pids[1]);
    if (coord_study(&c, yaml) && send(&c, 2, 0, gpus, NULL, 1, 0) &&
        coord_ended(&c, 2, ASY_END_COMPLETE, ASY_CAUSE_NONE))
        coord_report(&c, 2, ASY_EV_REPORT, 0);
out:
    coord_close(&c);
}

/* It costs a retry, as a crash does, and the process that saw it trains nothing any more. What the
 * study itself is to blame for ends the trial alone. */
static void a_failing_device_is_no_mistake_of_the_study(void)
{
    static const struct {
        const char *name, *context, *text;
        enum asy_cause cause;
        int warm; /* the gang stays */
    } cases[] = {
        { "lost", "FAKE_CONTEXT=-2", "clCreateContext: device not available", ASY_CAUSE_EXIT_CODE,
          0 },
        { "full", "FAKE_CONTEXT=-6", "clCreateContext: out of host memory", ASY_CAUSE_EXIT_CODE,
          0 },
        { "unfit", "FAKE_CONTEXT=-3", "clCreateContext: compiler not available",
          ASY_CAUSE_BAD_JOB, 1 },
    };
    const struct asy_event *end;

    if (access(TRAINER, X_OK) != 0) {
        puts("    assay-trainer is not built: not tested");
        return;
    }
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        const char *const env[] = { "LD_LIBRARY_PATH=" FAKES "/fails:" FAKES, "FAKE_NVML=two",
                                    "FAKE_OPENCL=cards", cases[i].context, NULL };
        struct coord c = { 0 };

        if (coord_open(&c) && coord_study(&c, NATIVE "gpus: 1, device: opencl}\n") &&
            write_data(&c) && start(&c, env) &&
            train_on(&c, 0, 0, c.study->memory) &&
            (end = coord_ended(&c, 0, ASY_END_CRASHED, cases[i].cause))) {
            T_HAS(cases[i].name, end->ended.text, cases[i].text);
            T_TRUE(await_marked(c.mark, cases[i].warm ? 3 : 1, 0));
        }
        coord_close(&c);
    }
}

T_MAIN("gpu leases", T_TEST(a_slow_driver_delays_nothing_but_its_gpus),
       T_TEST(a_program_sees_the_gpus_of_its_lease),
       T_TEST(a_program_without_gpus_sees_none), T_TEST(what_cannot_be_held_is_refused),
       T_TEST(a_device_is_waited_for), T_TEST(a_warm_trainer_leaves_its_gpu_to_others),
       T_TEST(a_failing_device_is_no_mistake_of_the_study))
