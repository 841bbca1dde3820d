/* SPDX-License-Identifier: Apache-2.0
 * Native trials: warm trainers, their token, their place, their ends. A trainer of a few lines
 * stands in for assay-trainer where its behaviour must be chosen; the real one runs a real
 * study. */
#include "../asytest.h"
#include "coord.h"
#include <asy/durable.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define STUDY                                                                                      \
    "assay: 1\nname: native\nrun: {model: mlp, hidden: 8, length: {unit: epochs, max: 4}, "        \
    "grace: 1s}\ndata: {file: data.csv, label: -1}\n"                                              \
    "objective: {metric: val_loss, goal: minimize}\n"                                              \
    "parameters: {lr: {min: 0.0, max: 1.0}}\nbudget: {trials: 100}\n"

/* What the job's parameter `lr` says: 0.5 trains, 0.25 crashes, 0.125 hangs, 0.75 pauses, 0.625
 * grows and trains; 0.375 says that it cannot be bound, 0.875 claims to be and is not. */
static const char trainer[] =
    "#!/usr/bin/env python3\n"
    "import json, os, socket, sys, time\n"
    "if sys.argv[-1] == '--probe':\n"
    "    assert ('openblas' in sys.argv) == ('ASY_TRAIN_BLAS' in os.environ)\n"
    "    tries = os.path.dirname(sys.argv[0]) + '/tries'\n"
    "    with open(tries, 'a') as f: f.write('+')\n"
    "    if os.path.getsize(tries) <= int(os.environ.get('TEST_DEATHS', '0')):\n"
    "        os.kill(os.getpid(), int(os.environ['TEST_SIGNAL']))\n"
    "    print(json.dumps({'selftest': os.environ.get('TEST_SELFTEST', 'ok'), 'gflops': 1.5,\n"
    "                      'bandwidth_gb_s': 9.25, 'versions': {'blas': 'x'}})); sys.exit(0)\n"
    "assert os.environ['OPENBLAS_NUM_THREADS'] == '1'\n"
    "s = socket.socket(socket.AF_UNIX); s.connect(os.environ['ASSAY_SOCKET'])\n"
    "f = s.makefile('rwb')\n"
    "def tell(**line): f.write(json.dumps(line).encode() + b'\\n'); f.flush()\n"
    "def hear():\n"
    "    line = f.readline()\n"
    "    if not line: sys.exit(1)\n"
    "    return json.loads(line)\n"
    "bad = socket.socket(socket.AF_UNIX); bad.connect(os.environ['ASSAY_SOCKET'])\n"
    "bad.sendall(b'{\"hello\":{\"token\":\"00\",\"pid\":1,\"rank\":0}}\\n')\n"
    "try: assert bad.recv(10) == b''\n"
    "except ConnectionError: pass\n"
    "tell(hello={'token': os.environ['ASSAY_TOKEN'], 'pid': os.getpid(), 'rank': 0})\n"
    "while True:\n"
    "    order = hear()\n"
    "    if order['do'] == 'exit': sys.exit(0)\n"
    "    if order['do'] != 'run': continue\n"
    "    job = order['job']; lr = job['params']['lr']; study = job['study']\n"
    "    if lr != 0.875: os.sched_setaffinity(0, [int(order['cpus'])])\n"
    "    if lr != 0.375: tell(bound=order['cpus'])\n"
    "    else: tell(bound='', reason='CPU 7 was asked for')\n"
    "    if lr == 0.625: grown = bytearray(96 << 20)\n"
    "    assert study['run']['model'] == 'mlp' and study['run']['fixed']['hidden'] == 8, study\n"
    "    assert study['data']['file'].endswith('/data.csv') and job['seed'] == 77\n"
    "    if lr == 0.25:\n"
    "        print('the trainer fell over', file=sys.stderr, flush=True)\n"
    "        os._exit(1)\n" /* at once: whoever hangs up and lives on is killed soon */
    "    if lr == 0.125: time.sleep(1000)\n"
    "    step = 0; do = 'continue'\n"
    "    if order['resume']: step = int(open(order['resume']).read())\n"
    "    while step < job['until'] and do == 'continue':\n"
    "        step += 1\n"
    "        tell(step=step, metrics={'val_loss': 1 / step,\n"
    "             'pid': os.getpid(), 'cpu': sorted(os.sched_getaffinity(0))[0],\n"
    "             'openblas': int(sys.argv[1:] == ['--blas', 'openblas'])})\n"
    "        do = hear()['do']\n"
    "        if lr == 0.75: time.sleep(0.05); step = 0 if do == 'continue' else step\n"
    "    if step == 4:\n"
    "        open(order['dir'] + '/model', 'w').write('weights')\n"
    "        open(order['dir'] + '/scores.json', 'w').write('{}')\n"
    "        tell(end={'outcome': 'complete', 'step': step, 'objective': 0.25,\n"
    "                  'model': order['dir'] + '/model', 'reason': '',\n"
    "                  'scores': order['dir'] + '/scores.json'}); continue\n"
    "    open(order['dir'] + '/ck', 'w').write(str(step))\n"
    "    tell(checkpoint='ck', step=step)\n"
    "    while 'durable' not in hear(): pass\n"
    "    tell(end={'outcome': 'paused', 'step': step, 'reason': ''})\n";

static int open_gang(struct coord *c, const char *const *env)
{
    if (!coord_open(c) || !coord_file(c, "data.csv", "1,2,0\n3,4,1\n") ||
        !T_TRUE(mkdir(coord_path(c, "bin"), 0700) == 0) ||
        !coord_file(c, "bin/assay-trainer", trainer) || !coord_study(c, STUDY))
        return 0;
    snprintf(c->programs, sizeof c->programs, "%s/bin", c->home);
    return coord_worker(c, env, NULL);
}

static struct asy_lease lease_lr(struct coord *c, uint64_t trial, uint32_t core, const char *lr)
{
    static char params[8][32];
    static unsigned at;
    struct asy_lease lease = coord_lease(c, trial, core, 1);

    at = (at + 1) % 8;
    snprintf(params[at], sizeof params[at], "{\"lr\":%s}", lr);
    lease.params = params[at];
    return lease;
}

static double metric(const struct asy_report *r, const char *name)
{
    for (size_t i = 0; r && i < r->event.report.n_metrics; i++)
        if (!strcmp(r->event.report.metrics[i].name, name))
            return r->event.report.metrics[i].value;
    return NAN;
}

static void a_warm_trainer_takes_the_next_trial(void)
{
    struct coord c = { 0 };
    const struct asy_event *end;
    struct asy_lease lease;
    double pids[3] = { 0 };

    if (!open_gang(&c, NULL))
        goto out;
    for (uint64_t trial = 0; trial < 3; trial++) {
        uint32_t core = c.cores > 1 ? trial % 2 : 0;
        const struct asy_report *r;

        lease = lease_lr(&c, trial, core, "0.5");
        if (!coord_send_lease(&c, &lease) ||
            !(end = coord_ended(&c, trial, ASY_END_COMPLETE, ASY_CAUSE_NONE)))
            goto out;
        T_EQ("step", end->ended.step, 4);
        T_NEAR("objective", end->ended.objective, 0.25, 0);
        T_HAS("model", end->ended.model_path, "/artifacts/");
        T_EQ("model", access(end->ended.model_path, R_OK), 0);
        T_EQ("model", end->ended.model_bytes, 7);
        T_HAS("scores", end->ended.scores_path, "/artifacts/");
        T_EQ("scores", access(end->ended.scores_path, R_OK), 0);
        T_EQ("scores", end->ended.scores_bytes, 2);
        r = coord_report(&c, trial, ASY_EV_STARTED, 0);
        T_HAS("how fast", r->event.started.hardware, "\"gflops\":1.5,\"bandwidth_gb_s\":9.25}");
        T_HAS("on what", r->event.started.hardware, "\"caches\":{\"l1\":");
        r = coord_report(&c, trial, ASY_EV_REPORT, 3);
        pids[trial] = metric(r, "pid");
        T_NEAR("moved to the lease's core", metric(r, "cpu"), core, 0);
    }
    T_NEAR("the same process", pids[1], pids[0], 0);
    T_NEAR("and again", pids[2], pids[0], 0);
    if (c.cores > 1) { /* two at once need two */
        lease = lease_lr(&c, 10, 0, "0.75");
        T_TRUE(coord_send_lease(&c, &lease) && coord_report(&c, 10, ASY_EV_REPORT, 0) != NULL);
        lease = lease_lr(&c, 11, 1, "0.5");
        if (coord_send_lease(&c, &lease) &&
            coord_ended(&c, 11, ASY_END_COMPLETE, ASY_CAUSE_NONE))
            T_TRUE(metric(coord_report(&c, 11, ASY_EV_REPORT, 0), "pid") != pids[0]);
    }
out:
    coord_close(&c);
}

static void stops_at_the_milestone_and_resumes(void)
{
    struct coord c = { 0 };
    const struct asy_report *r;
    const struct asy_event *end;
    struct asy_lease lease;

    if (!open_gang(&c, NULL))
        goto out;
    lease = lease_lr(&c, 0, 0, "0.5");
    lease.milestone = 2;
    if (!coord_send_lease(&c, &lease) ||
        !coord_ended(&c, 0, ASY_END_PAUSED, ASY_CAUSE_NONE) ||
        !(r = coord_report(&c, 0, ASY_EV_CHECKPOINT, 0)))
        goto out;
    lease.from = r->event.checkpoint.checkpoint;
    T_EQ("step", lease.from.step, 2);
    lease.attempt = lease.epoch = 2;
    lease.milestone = 4;
    c.n_reports = 0;
    if (coord_send_lease(&c, &lease) &&
        (end = coord_ended(&c, 0, ASY_END_COMPLETE, ASY_CAUSE_NONE)) &&
        (r = coord_report(&c, 0, ASY_EV_REPORT, 0)))
        T_EQ("first step", r->event.report.step, 3);
out:
    coord_close(&c);
}

static void takes_orders_while_it_trains(void)
{
    struct coord c = { 0 };
    struct asy_lease lease;

    if (!open_gang(&c, NULL))
        goto out;
    lease = lease_lr(&c, 0, 0, "0.75");
    if (coord_send_lease(&c, &lease) && coord_report(&c, 0, ASY_EV_REPORT, 2) &&
        coord_cancel(&c, &lease, ASY_CANCEL_PAUSE, 60000))
        T_TRUE(coord_ended(&c, 0, ASY_END_PAUSED, ASY_CAUSE_USER) != NULL);
    lease = lease_lr(&c, 1, 0, "0.125"); /* it hears nothing */
    if (coord_send_lease(&c, &lease) && coord_report(&c, 1, ASY_EV_STARTED, 0) &&
        coord_cancel(&c, &lease, ASY_CANCEL_STOP, 50))
        T_TRUE(coord_ended(&c, 1, ASY_END_STOPPED, ASY_CAUSE_USER) != NULL);
    lease = lease_lr(&c, 2, 0, "0.5"); /* by a new one */
    if (coord_send_lease(&c, &lease))
        T_TRUE(coord_ended(&c, 2, ASY_END_COMPLETE, ASY_CAUSE_NONE) != NULL);
out:
    coord_close(&c);
}

static void a_crash_costs_one_trial(void)
{
    struct coord c = { 0 };
    const struct asy_event *end;
    const struct asy_report *r;
    struct asy_lease lease;

    if (!open_gang(&c, NULL))
        goto out;
    lease = lease_lr(&c, 0, 0, "0.25");
    if (coord_send_lease(&c, &lease) &&
        (end = coord_ended(&c, 0, ASY_END_CRASHED, ASY_CAUSE_EXIT_CODE)))
        T_HAS("what it said", end->ended.text, "the trainer fell over");
    lease = lease_lr(&c, 1, 0, "0.75");
    if (coord_send_lease(&c, &lease) && (r = coord_report(&c, 1, ASY_EV_REPORT, 0))) {
        kill((pid_t)metric(r, "pid"), SIGKILL);
        T_TRUE(coord_ended(&c, 1, ASY_END_CRASHED, ASY_CAUSE_SIGNAL) != NULL);
    }
    lease = lease_lr(&c, 2, 0, "0.5");
    if (coord_send_lease(&c, &lease))
        T_TRUE(coord_ended(&c, 2, ASY_END_COMPLETE, ASY_CAUSE_NONE) != NULL);
out:
    coord_close(&c);
}

static void makes_room_for_others(void)
{
    struct coord c = { 0 };
    struct asy_lease lease;

    if (!open_gang(&c, NULL))
        goto out;
    lease = lease_lr(&c, 0, 0, "0.5");
    if (!coord_send_lease(&c, &lease) ||
        !coord_ended(&c, 0, ASY_END_COMPLETE, ASY_CAUSE_NONE))
        goto out;
    T_TRUE(await_marked(c.mark, 3, 0)); /* worker, supervisor, the idle trainer */
    if (coord_study(&c, "assay: 1\nname: cmd\nrun: {command: [sleep, '1000'], grace: 0s}\n"
                        "objective: {metric: x, goal: minimize}\n"
                        "parameters: {lr: {min: 0.0, max: 1.0}}\nbudget: {trials: 1}\n")) {
        lease = coord_lease(&c, 1, 0, 1);
        T_TRUE(coord_send_lease(&c, &lease) && coord_report(&c, 1, ASY_EV_STARTED, 0) != NULL);
        T_TRUE(await_marked(c.mark, 3, 0)); /* worker, supervisor, sleep: no trainer any more */
    }
out:
    coord_close(&c);
}

static void a_node_that_computes_wrongly_takes_no_work(void)
{
    static const char *const env[] = { "TEST_SELFTEST=dgemm: 3 of 10 results are wrong", NULL };
    struct coord c = { 0 };
    const struct asy_event *end;
    struct asy_lease lease;

    if (!open_gang(&c, env))
        goto out;
    T_HAS("fit", c.fit, "dgemm: 3 of 10 results are wrong");
    lease = lease_lr(&c, 0, 0, "0.5");
    if (coord_send_lease(&c, &lease) &&
        (end = coord_ended(&c, 0, ASY_END_REFUSED, ASY_CAUSE_UNFIT)))
        T_HAS("reason", end->ended.text, "dgemm");
out:
    coord_close(&c);
}

static void tells_of_a_sound_node(void)
{
    struct coord c = { 0 };

    if (open_gang(&c, NULL)) {
        T_STR("fit", c.fit, "");
        T_HAS("speed", c.hardware, "\"gflops\": 1.5");
        T_HAS("versions", c.versions, "\"blas\":\"x\"");
    }
    coord_close(&c);
}

static void only_a_probe_that_is_killed_is_run_again(void)
{
    static const struct {
        const char *name, *signal, *deaths, *fit, *tries;
    } cases[] = {
        { "killed once", "TEST_SIGNAL=9", "TEST_DEATHS=1", "", "++" },
        { "killed twice", "TEST_SIGNAL=9", "TEST_DEATHS=2", "", "+++" },
        { "it keeps dying", "TEST_SIGNAL=9", "TEST_DEATHS=100",
          "assay-trainer --probe: it ended with signal 9 (SIGKILL)", "+++" },
        { "told to leave", "TEST_SIGNAL=15", "TEST_DEATHS=1",
          "assay-trainer --probe: it ended with signal 15 (SIGTERM)", "+" },
        { "hung up on", "TEST_SIGNAL=1", "TEST_DEATHS=1",
          "assay-trainer --probe: it ended with signal 1 (SIGHUP)", "+" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        const char *env[] = { cases[i].deaths, cases[i].signal, NULL };
        struct asy_error err = ASY_ERROR_INIT;
        char *tries = NULL, *log = NULL;
        struct coord c = { 0 };
        size_t len;

        if (open_gang(&c, env) &&
            T_OK(asy_read_file(coord_path(&c, "bin/tries"), 100, &tries, &len, &err), &err) &&
            T_OK(asy_read_file(coord_path(&c, "worker.log"), 1u << 20, &log, &len, &err), &err)) {
            T_STR(cases[i].name, c.fit, cases[i].fit);
            T_STR(cases[i].name, tries, cases[i].tries);
            if (cases[i].tries[1])
                T_HAS(cases[i].name, log, "signal 9 (SIGKILL), running it again");
            else
                T_TRUE(strstr(log, "running it again") == NULL);
        }
        free(tries);
        free(log);
        coord_close(&c);
    }
}

static void a_trainer_that_cannot_start_is_a_reason(void)
{
    static const char broken[] = "#!/bin/sh\n"
                                 "[ \"$1\" = --probe ] && echo '{\"selftest\":\"ok\"}' && exit 0\n"
                                 "echo 'libfoo.so: cannot open' >&2; exit 127\n";
    struct coord c = { 0 };
    const struct asy_event *end;
    struct asy_lease lease;

    if (!open_gang(&c, NULL) || !coord_file(&c, "bin/assay-trainer", broken))
        goto out;
    lease = lease_lr(&c, 0, 0, "0.5");
    if (coord_send_lease(&c, &lease) &&
        (end = coord_ended(&c, 0, ASY_END_CRASHED, ASY_CAUSE_NOT_STARTED)))
        T_HAS("reason", end->ended.text, "libfoo.so");
out:
    coord_close(&c);
}

static double pid_of(struct coord *c, uint64_t trial, const char *lr)
{
    struct asy_lease lease = lease_lr(c, trial, 0, lr);

    if (coord_send_lease(c, &lease) && coord_ended(c, trial, ASY_END_COMPLETE, ASY_CAUSE_NONE))
        return metric(coord_report(c, trial, ASY_EV_REPORT, 0), "pid");
    return NAN;
}

static void is_replaced_after_a_number_of_trials(void)
{
    static const char *const env[] = { "ASY_GANG_TRIALS=2", NULL };
    struct coord c = { 0 };
    double pids[5];

    if (!open_gang(&c, env))
        goto out;
    for (uint64_t trial = 0; trial < 5; trial++)
        pids[trial] = pid_of(&c, trial, "0.5");
    T_TRUE(pids[0] == pids[1] && pids[1] != pids[2] && pids[2] == pids[3] && pids[3] != pids[4]);
out:
    coord_close(&c);
}

static void is_replaced_when_it_has_grown(void)
{
    static const char *const env[] = { "ASY_GANG_GROWTH=32MiB", NULL };
    struct coord c = { 0 };
    double pids[4];

    if (!open_gang(&c, env))
        goto out;
    for (uint64_t trial = 0; trial < 4; trial++)
        pids[trial] = pid_of(&c, trial, trial == 2 ? "0.625" : "0.5");
    T_TRUE(pids[0] == pids[1] && pids[1] == pids[2] && pids[2] != pids[3]);
out:
    coord_close(&c);
}

static void the_trainer_is_told_what_multiplies(void)
{
    static const char *const env[] = { "ASY_TRAIN_BLAS=openblas", NULL };

    for (int asked = 0; asked < 2; asked++) {
        struct coord c = { 0 };
        struct asy_lease lease;

        if (open_gang(&c, asked ? env : NULL)) {
            lease = lease_lr(&c, 1, 0, "0.5");
            if (coord_send_lease(&c, &lease) &&
                coord_ended(&c, 1, ASY_END_COMPLETE, ASY_CAUSE_NONE))
                T_NEAR("openblas", metric(coord_report(&c, 1, ASY_EV_REPORT, 3), "openblas"),
                       asked, 0);
        }
        coord_close(&c);
    }
}

static void idle_ones_end(void)
{
    static const char *const env[] = { "ASY_GANG_IDLE=10ms", NULL };
    struct coord c = { 0 };

    if (open_gang(&c, env) && pid_of(&c, 0, "0.5") > 0)
        T_TRUE(await_marked(c.mark, 1, 0)); /* the worker alone */
    coord_close(&c);
}

/* A rank that says so, and one that is found out. */
static void a_rank_on_other_cores_ends_the_attempt(void)
{
    struct coord c = { 0 };
    const struct asy_event *end;
    struct asy_lease lease;

    if (!open_gang(&c, NULL))
        goto out;
    lease = lease_lr(&c, 0, 0, "0.375");
    if (coord_send_lease(&c, &lease) &&
        (end = coord_ended(&c, 0, ASY_END_CRASHED, ASY_CAUSE_NOT_STARTED))) {
        T_HAS("who", end->ended.text, "rank 0 does not run on CPUs ");
        T_HAS("why", end->ended.text, " of its lease: CPU 7 was asked for");
    }
    if (c.cores < 2 || isnan(pid_of(&c, 1, "0.5")))
        goto out;
    lease = lease_lr(&c, 2, 1, "0.875"); /* it stays on the other core */
    if (coord_send_lease(&c, &lease) &&
        (end = coord_ended(&c, 2, ASY_END_CRASHED, ASY_CAUSE_NOT_STARTED)))
        T_HAS("why", end->ended.text, "asked for, the kernel grants");
    T_TRUE(pid_of(&c, 3, "0.5") > 0);
out:
    coord_close(&c);
}

/* The trainer of this build, on numbers that a line can separate. */
static void the_real_trainer_trains(void)
{
    struct coord c = { 0 };
    struct asy_lease lease;
    const struct asy_event *end;
    char path[300];
    FILE *f;

    if (access(TRAINER, X_OK) != 0) {
        puts("    assay-trainer is not built: not tested");
        return;
    }
    if (!coord_open(&c))
        goto out;
    f = fopen(coord_path(&c, "data.csv"), "we");
    for (int i = 0; f && i < 200; i++)
        fprintf(f, "%d,%d,%s\n", i, (i * 37) % 100, i < 100 ? "low" : "high");
    if (!T_TRUE(f && fclose(f) == 0) || !coord_study(&c, STUDY) || !coord_worker(&c, NULL, NULL))
        goto out;
    T_STR("fit", c.fit, "");
    for (uint64_t trial = 0; trial < 2; trial++) {
        lease = lease_lr(&c, trial, 0, "0.01");
        lease.milestone = trial ? 4 : 2;
        lease.placement.memory = c.study->memory;
        if (!coord_send_lease(&c, &lease))
            goto out;
        end = coord_ended(&c, trial, trial ? ASY_END_COMPLETE : ASY_END_PAUSED, ASY_CAUSE_NONE);
        if (!end)
            goto out;
        T_EQ("step", end->ended.step, trial ? 4 : 2);
        T_TRUE(coord_report(&c, trial, ASY_EV_REPORT, 1) != NULL);
    }
    T_EQ("model", access(end->ended.model_path, R_OK), 0);
    snprintf(path, sizeof path, "grep -rq 'epoch 2' %s/logs", c.home);
    T_EQ("its words are in the trial's log", system(path), 0);
out:
    coord_close(&c);
}

/* Two ranks under mpirun, each bound to a core of its own, warm for the next trial. */
static void two_ranks_train_together(void)
{
    static const uint32_t both[] = { 0, 1 };
    struct coord c = { 0 };
    struct asy_lease lease;
    const struct asy_event *end;
    FILE *f;

    if (!coord_open(&c))
        goto out;
    f = fopen(coord_path(&c, "data.csv"), "we");
    for (int i = 0; f && i < 400; i++)
        fprintf(f, "%d,%d,%s\n", i, (i * 37) % 100, i < 200 ? "low" : "high");
    if (!T_TRUE(f && fclose(f) == 0) || !coord_study(&c, STUDY) || !coord_worker(&c, NULL, NULL))
        goto out;
    if (c.cores < 2 || access(TRAINER, X_OK) != 0 || strstr(c.hardware, "\"launcher\":\"\"")) {
        puts("    needs two cores, mpirun and assay-trainer: not tested");
        goto out;
    }
    for (uint64_t trial = 0; trial < 2; trial++) {
        lease = lease_lr(&c, trial, 0, "0.01");
        lease.placement.cores = both;
        lease.placement.n_cores = 2;
        lease.ranks = lease.placement.ranks = 2;
        if (!coord_send_lease(&c, &lease) ||
            !(end = coord_ended(&c, trial, ASY_END_COMPLETE, ASY_CAUSE_NONE)))
            goto out;
        T_EQ("step", end->ended.step, 4);
        T_EQ("model", access(end->ended.model_path, R_OK), 0);
    }
out:
    coord_close(&c);
}

T_MAIN("gang", T_TEST(a_warm_trainer_takes_the_next_trial),
       T_TEST(stops_at_the_milestone_and_resumes), T_TEST(takes_orders_while_it_trains),
       T_TEST(a_crash_costs_one_trial), T_TEST(makes_room_for_others),
       T_TEST(a_node_that_computes_wrongly_takes_no_work), T_TEST(tells_of_a_sound_node),
       T_TEST(only_a_probe_that_is_killed_is_run_again),
       T_TEST(is_replaced_after_a_number_of_trials), T_TEST(is_replaced_when_it_has_grown),
       T_TEST(the_trainer_is_told_what_multiplies), T_TEST(idle_ones_end),
       T_TEST(a_rank_on_other_cores_ends_the_attempt),
       T_TEST(a_trainer_that_cannot_start_is_a_reason), T_TEST(the_real_trainer_trains),
       T_TEST(two_ranks_train_together))
