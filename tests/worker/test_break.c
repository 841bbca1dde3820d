/* SPDX-License-Identifier: Apache-2.0
 * What happens when something breaks: the coordinator goes and comes back, an old one speaks up,
 * the agent dies at every named point, a supervisor is killed. */
#include "../asytest.h"
#include "coord.h"
#include <asy/agent.h>
#include <asy/clock.h>
#include <asy/durable.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define STUDY(run)                                                                                 \
    "assay: 1\nname: test\nrun: {" run "}\nobjective: {metric: loss, goal: minimize}\n"            \
    "parameters: {lr: {min: 0.0, max: 1.0}}\nbudget: {trials: 100}\n"

/* Steps until the file `go` exists, then three more, then its end. */
static const char stepper[] =
    "import json, os, socket, sys, time\n"
    "s = socket.socket(socket.AF_UNIX); s.connect(os.environ['ASSAY_SOCKET'])\n"
    "f = s.makefile('rwb')\n"
    "def say(**line):\n"
    "    f.write(json.dumps(line).encode() + b'\\n'); f.flush()\n"
    "    return json.loads(f.readline())\n"
    "step = 0; last = None\n"
    "while last is None or step < last:\n"
    "    step += 1\n"
    "    say(step=step, metrics={'loss': step})\n"
    "    if last is None and os.path.exists('go'): last = step + 3\n"
    "    time.sleep(0.02)\n";

static int open_stepper(struct coord *c)
{
    return coord_open(c) && coord_file(c, "p.py", stepper) &&
           coord_study(c, STUDY("command: [python3, p.py]")) && coord_worker(c, NULL, NULL);
}

static int has_reports(struct coord *c, const void *n)
{
    return c->n_reports >= *(const size_t *)n;
}

static int greeted(struct coord *c, const void *n)
{
    return c->hellos >= *(const unsigned *)n && !asy_id_is_none(c->session);
}

/* No report is lost, none is made twice, whatever was acknowledged before the break. */
static void check_all_reports(struct coord *c)
{
    for (size_t i = 0; i + 1 < c->n_reports; i++)
        T_EQ("number", c->reports[i].number, i + 1);
    T_EQ("last", c->reports[c->n_reports - 1].event.kind, ASY_EV_ENDED);
}

/* An agent may greet before it has looked at what has ended: it is asked again. */
static int until_it_has_ended(struct coord *c)
{
    int64_t until_ms = asy_clock_ms() + GENEROUS_MS;

    while (c->n_holdings == 1 && c->holdings[0].running && asy_clock_ms() < until_ms) {
        unsigned again = c->hellos + 1;

        c->session = asy_id_make(); /* its next frame is answered REHELLO */
        if (!coord_await_that(c, greeted, &again))
            return 0;
    }
    return T_TRUE(c->n_holdings == 1 && !c->holdings[0].running);
}

static void attempts_outlive_the_coordinator(void)
{
    struct coord c = { 0 };
    size_t five = 5, more;
    unsigned two = 2;

    if (!open_stepper(&c) || !coord_run(&c, 0) || !coord_await_that(&c, has_reports, &five))
        goto out;
    c.mute = 1; /* hears reports, but dies before they are durable */
    more = c.n_reports + 1;
    if (!coord_await_that(&c, has_reports, &more))
        goto out;
    coord_hang_up(&c);
    coord_file(&c, "go", "");
    T_TRUE(await_marked(c.mark, 1, 0)); /* it went on, and ended, without a coordinator */
    c.owner_epoch++;
    c.mute = 0;
    if (!coord_listen(&c) || !coord_await_that(&c, greeted, &two) || !until_it_has_ended(&c))
        goto out;
    T_EQ("holdings", c.n_holdings, 1);
    T_TRUE(c.holdings[0].reported > 5);
    T_TRUE(coord_ended(&c, 0, ASY_END_COMPLETE, ASY_CAUSE_NONE) != NULL);
    check_all_reports(&c);
    T_TRUE(c.n_doubles > 0); /* what was sent before and not acknowledged came again */
out:
    coord_close(&c);
}

static void goes_on_while_it_runs(void)
{
    struct coord c = { 0 };
    size_t five = 5;
    unsigned two = 2;

    if (!open_stepper(&c) || !coord_run(&c, 0) || !coord_await_that(&c, has_reports, &five))
        goto out;
    coord_hang_up(&c);
    c.owner_epoch++;
    if (!coord_listen(&c) || !coord_await_that(&c, greeted, &two))
        goto out;
    T_EQ("holdings", c.n_holdings, 1);
    T_EQ("it runs", c.holdings[0].running, 1);
    coord_file(&c, "go", "");
    T_TRUE(coord_ended(&c, 0, ASY_END_COMPLETE, ASY_CAUSE_NONE) != NULL);
    check_all_reports(&c);
out:
    coord_close(&c);
}

static void finds_a_coordinator_at_another_port(void)
{
    struct coord c = { 0 };
    unsigned two = 2;

    if (!coord_open(&c) || !coord_worker(&c, NULL, NULL))
        goto out;
    coord_hang_up(&c);
    c.port = 0;
    c.owner_epoch++;
    if (T_TRUE(asy_keypair_make(&c.keys, NULL) == 0) && coord_listen(&c))
        T_TRUE(coord_await_that(&c, greeted, &two));
out:
    coord_close(&c);
}

static void greets_again_when_its_session_is_unknown(void)
{
    struct coord c = { 0 };
    unsigned two = 2;

    if (coord_open(&c) && coord_worker(&c, NULL, NULL)) {
        c.session = asy_id_make(); /* forgotten: its next heartbeat is answered REHELLO */
        T_TRUE(coord_await_that(&c, greeted, &two));
    }
    coord_close(&c);
}

/* Heartbeats go out, nothing comes back. */
static void greets_again_after_a_silence(void)
{
    struct coord c = { .lost_ms = 1000 };
    unsigned more;

    if (!coord_open(&c) || !coord_worker(&c, NULL, NULL) || !coord_await(&c, ASY_MSG_HEARTBEAT))
        goto out;
    c.silent = 1;
    if (!coord_await(&c, ASY_MSG_HELLO))
        goto out;
    c.silent = 0;
    more = c.hellos + 1;
    T_TRUE(coord_await_that(&c, greeted, &more) && coord_await(&c, ASY_MSG_HEARTBEAT));
out:
    coord_close(&c);
}

static void resends_when_the_watermark_stands_still(void)
{
    struct coord c = { 0 };
    size_t one = 1;
    unsigned more;

    if (!open_stepper(&c) || !coord_file(&c, "go", ""))
        goto out;
    c.mute = 1;
    if (!coord_run(&c, 0) || !coord_ended(&c, 0, ASY_END_COMPLETE, ASY_CAUSE_NONE))
        goto out;
    c.n_doubles = 0;
    while (c.n_doubles < one && coord_await(&c, ASY_MSG_REPORTS))
        continue;
    T_TRUE(c.n_doubles >= one);
    check_all_reports(&c);
    coord_ack_all(&c);
    c.session = asy_id_make(); /* its next frame is answered REHELLO, after the acknowledgement */
    more = c.hellos + 1;
    if (coord_await_that(&c, greeted, &more))
        T_EQ("acknowledged, so forgotten", c.n_holdings, 0);
out:
    coord_close(&c);
}

static void kills_what_welcome_does_not_want(void)
{
    struct coord c = { 0 };
    size_t three = 3, before;
    unsigned two = 2;

    if (!open_stepper(&c) || !coord_run(&c, 0) || !coord_await_that(&c, has_reports, &three))
        goto out;
    coord_hang_up(&c);
    c.owner_epoch++;
    c.kill[0] = (struct asy_holding){ .study = c.store, .attempt = 1, .epoch = 1 };
    c.n_kill = 1;
    if (!coord_listen(&c) || !coord_await_that(&c, greeted, &two))
        goto out;
    T_TRUE(await_marked(c.mark, 1, 0));
    before = c.n_reports;
    T_TRUE(coord_await(&c, ASY_MSG_HEARTBEAT) && coord_await(&c, ASY_MSG_HEARTBEAT));
    T_EQ("nothing more of it", c.n_reports, before);
out:
    coord_close(&c);
}

static void refuses_an_owner_of_the_past(void)
{
    struct coord c = { 0 };
    unsigned three = 3;

    c.owner_epoch = 0;
    if (!coord_open(&c))
        goto out;
    c.owner_epoch = 7;
    if (!coord_worker(&c, NULL, NULL) || !coord_await(&c, ASY_MSG_HEARTBEAT))
        goto out;
    c.owner_epoch = 6;
    c.session = asy_id_make();
    if (!coord_await(&c, ASY_MSG_HELLO)) /* REHELLO, then an outdated WELCOME */
        goto out;
    for (int i = 0; i < 20; i++) { /* nothing of that session is used, so no heartbeat in it */
        struct asy_id session = c.session;

        coord_turn(&c, 20);
        T_TRUE(!asy_id_cmp(session, c.session) || c.hellos > 2);
    }
    c.owner_epoch = 8;
    T_TRUE(coord_await_that(&c, greeted, &three) && coord_await(&c, ASY_MSG_HEARTBEAT));
out:
    coord_close(&c);
}

static void gives_up_when_rejected(void)
{
    struct asy_msg msg = { .type = ASY_MSG_REJECT };
    struct coord c = { 0 };
    int status;

    c.silent = 1;
    if (!coord_open(&c) || !coord_worker(&c, NULL, NULL))
        goto out;
    msg.reject.text = "not you";
    coord_send(&c, &msg);
    status = coord_worker_end(&c);
    T_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 4);
out:
    coord_close(&c);
}

static void ends_without_a_coordinator(void)
{
    static const char *const args[] = { "--orphan-exit", "200ms", NULL };
    struct coord c = { 0 };
    int status;

    if (coord_open(&c)) {
        coord_hang_up(&c);
        unlink(coord_path(&c, "coordinator.json"));
        if (coord_worker_quiet(&c, NULL, args)) {
            status = coord_worker_end(&c);
            T_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 3);
        }
    }
    coord_close(&c);
}

static void ends_when_there_is_nothing_to_do(void)
{
    static const char *const idle[] = { "--once-idle-exit", NULL };
    struct coord c = { 0 };
    int status;

    if (coord_open(&c) && coord_worker(&c, NULL, idle)) {
        T_TRUE(coord_await(&c, ASY_MSG_DRAIN) && coord_await(&c, ASY_MSG_BYE));
        status = coord_worker_end(&c);
        T_EQ("exit code", WIFEXITED(status) ? WEXITSTATUS(status) : -1, 0);
    }
    coord_close(&c);
}

static int joined(struct coord *c)
{
    char *text = NULL;
    size_t len;
    int has = asy_read_file(coord_path(c, "worker.log"), 64u << 20, &text, &len, NULL) == 0 &&
              strstr(text, "session greeting -> joined");

    free(text);
    return has;
}

static int said_goodbye(struct coord *c, const void *arg)
{
    (void)arg;
    return c->drains && c->byes;
}

/* Its time may be over before it is welcome; then it has nobody to tell, and is given more. */
static void ends_when_no_time_is_left(void)
{
    int welcome = 0;

    for (int s = 1; s <= 64 && !welcome; s *= 2) {
        struct coord c = { 0 };
        char time[16];
        const char *const args[] = { "--walltime", time, NULL };
        int status;

        snprintf(time, sizeof time, "%ds", s);
        if (!coord_open(&c) || !coord_worker_quiet(&c, NULL, args) ||
            !T_TRUE((status = coord_worker_end(&c)) >= 0))
            welcome = -1;
        else if (T_EQ(time, WIFEXITED(status) ? WEXITSTATUS(status) : -1, 0))
            welcome = joined(&c) ? coord_await_that(&c, said_goodbye, NULL) : 0;
        coord_close(&c);
    }
    T_EQ("it said so", welcome, 1);
}

/* Daemons, a session, a process group, ranks of an mpirun: all go with the agent. */
static void nothing_survives_the_agent(void)
{
    static const struct {
        const char *name, *yaml;
        int processes;
    } cases[] = {
        { "daemons", STUDY("command: [bash, -c, '(setsid sleep 1000 &); ( (trap \"\" TERM HUP; "
                           "sleep 1000; sleep 1000) & ); set -m; sleep 1000 & wait']"), 7 },
        { "mpirun", STUDY("command: [mpirun, --allow-run-as-root, -n, '2', --oversubscribe, "
                      "sleep, '1000']"), 5 },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct coord c = { 0 };

        if (coord_open(&c) && coord_study(&c, cases[i].yaml) && coord_worker(&c, NULL, NULL) &&
            coord_run(&c, 0) && coord_report(&c, 0, ASY_EV_STARTED, 0)) {
            T_TRUE(await_marked(c.mark, cases[i].processes, 1));
            asy_proc_signal(&c.worker, SIGKILL);
            T_TRUE(await_marked(c.mark, 0, 0));
        }
        coord_close(&c);
    }
}

/* The parent of a process, which for a command is its supervisor; 0: it is gone. */
static pid_t parent_of(const struct asy_report *started)
{
    char path[64], text[64] = "";
    int parent = 0;
    FILE *f;

    snprintf(path, sizeof path, "/proc/%d/status", (int)started->event.started.pid);
    f = fopen(path, "re");
    while (f && fgets(text, sizeof text, f))
        if (!strncmp(text, "PPid:", 5))
            parent = (int)atol(text + 5);
    if (f)
        fclose(f);
    return T_TRUE(parent > 1) ? parent : 0;
}

static void a_stopped_supervisor_keeps_nothing_alive(void)
{
    struct coord c = { 0 };
    const struct asy_report *r;
    pid_t supervisor;
    int status;

    if (!coord_open(&c) ||
        !coord_study(&c, STUDY("command: [sh, -c, '(setsid sleep 1000 &); sleep 1000']")) ||
        !coord_worker(&c, NULL, NULL) || !coord_run(&c, 0) ||
        !(r = coord_report(&c, 0, ASY_EV_STARTED, 0)) || !(supervisor = parent_of(r)) ||
        !T_TRUE(kill(supervisor, SIGSTOP) == 0))
        goto out;
    asy_proc_signal(&c.worker, SIGTERM);
    asy_proc_signal(&c.worker, SIGINT);
    status = coord_worker_end(&c);
    T_EQ("exit code", WIFEXITED(status) ? WEXITSTATUS(status) : -1, 1);
    T_TRUE(await_marked(c.mark, 0, 0)); /* all were killed before it ended */
    kill(supervisor, SIGCONT);
out:
    coord_close(&c);
}

static void a_killed_supervisor_takes_its_attempt_along(void)
{
    struct coord c = { 0 };
    const struct asy_report *r;
    pid_t parent;

    if (!coord_open(&c) ||
        !coord_study(&c, STUDY("command: [sh, -c, '(setsid sleep 1000 &); sleep 1000']")) ||
        !coord_worker(&c, NULL, NULL) || !coord_run(&c, 0) ||
        !(r = coord_report(&c, 0, ASY_EV_STARTED, 0)) || !(parent = parent_of(r)) ||
        !T_TRUE(kill(parent, SIGKILL) == 0))
        goto out;
    T_TRUE(coord_ended(&c, 0, ASY_END_CRASHED, ASY_CAUSE_SIGNAL) != NULL);
    T_TRUE(await_marked(c.mark, 1, 0)); /* the agent swept up the orphans */
    if (coord_study(&c, STUDY("command: ['true']")) && coord_run(&c, 1))
        T_TRUE(coord_ended(&c, 1, ASY_END_COMPLETE, ASY_CAUSE_NONE) != NULL);
out:
    coord_close(&c);
}

static const char checkpointer[] =
    "import json, os, socket, time\n"
    "s = socket.socket(socket.AF_UNIX); s.connect(os.environ['ASSAY_SOCKET'])\n"
    "f = s.makefile('rwb')\n"
    "for step in range(1, 4):\n"
    "    open(os.environ['ASSAY_CHECKPOINT_DIR'] + '/c', 'w').write(str(step))\n"
    "    for line in [{'step': step, 'metrics': {'loss': 1}}, {'checkpoint': 'c', 'step': step}]:\n"
    "        f.write(json.dumps(line).encode() + b'\\n'); f.flush(); f.readline()\n";

/* At each named point: the agent is gone at once, nothing of it stays, a new one works. Those of
 * files on their way need a coordinator that takes files: tests/system/test_bulk.py. */
static void dies_cleanly_at_every_crash_point(void)
{
    const char *name;

    for (size_t i = 0; (name = asy_agent_crash_point(i, NULL)); i++) {
        char fail_at[100];
        const char *const env[] = { fail_at, NULL };
        struct coord c = { 0 };
        struct asy_lease lease;
        int status;

        if (strstr(name, ".bulk_"))
            continue;
        snprintf(fail_at, sizeof fail_at, "ASSAY_FAIL_AT=%s", name);
        if (!coord_open(&c) || !coord_file(&c, "p.py", checkpointer) ||
            !coord_study(&c, STUDY("command: [python3, p.py], checkpoint: true")) ||
            !coord_worker_quiet(&c, env, NULL))
            goto next;
        if (strcmp(name, "agent.before_hello") && strcmp(name, "agent.after_welcome") &&
            coord_await(&c, ASY_MSG_HEARTBEAT)) {
            lease = coord_lease(&c, 0, 0, 1);
            coord_send_lease(&c, &lease);
            if (!strcmp(name, "agent.before_cancel"))
                coord_cancel(&c, &lease, ASY_CANCEL_STOP, 0);
        }
        status = coord_worker_end(&c);
        if (!T_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL))
            fprintf(stderr, "    at '%s'\n", name);
        T_TRUE(await_marked(c.mark, 0, 0));
        c.n_reports = 0;
        if (!coord_worker(&c, NULL, NULL))
            goto next;
        T_EQ("holds nothing", c.n_holdings, 0);
        lease = coord_lease(&c, 0, 0, 1);
        lease.attempt = lease.epoch = 2;
        if (coord_send_lease(&c, &lease))
            T_TRUE(coord_ended(&c, 0, ASY_END_COMPLETE, ASY_CAUSE_NONE) != NULL);
next:
        coord_close(&c);
    }
}

T_MAIN("break", T_TEST(attempts_outlive_the_coordinator), T_TEST(goes_on_while_it_runs),
       T_TEST(finds_a_coordinator_at_another_port),
       T_TEST(greets_again_when_its_session_is_unknown), T_TEST(greets_again_after_a_silence),
       T_TEST(resends_when_the_watermark_stands_still), T_TEST(kills_what_welcome_does_not_want),
       T_TEST(refuses_an_owner_of_the_past), T_TEST(gives_up_when_rejected),
       T_TEST(ends_without_a_coordinator),
       T_TEST(ends_when_there_is_nothing_to_do), T_TEST(ends_when_no_time_is_left),
       T_TEST(nothing_survives_the_agent),
       T_TEST(a_stopped_supervisor_keeps_nothing_alive),
       T_TEST(a_killed_supervisor_takes_its_attempt_along),
       T_TEST(dies_cleanly_at_every_crash_point))
