/* SPDX-License-Identifier: Apache-2.0
 * The agent with command trials: leases, reports, verdicts, ends. A scripted coordinator, real
 * assay-worker, real programs. */
#include "../asytest.h"
#include "coord.h"
#include <asy/durable.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* The programs of these tests begin with it: say(line) returns the agent's answer. */
static const char talk[] =
    "import json, os, socket, sys, time\n"
    "class Agent:\n"
    "    def __init__(self):\n"
    "        self.s = socket.socket(socket.AF_UNIX); self.s.connect(os.environ['ASSAY_SOCKET'])\n"
    "        self.f = self.s.makefile('rwb')\n"
    "    def raw(self, data):\n"
    "        self.f.write(data + b'\\n'); self.f.flush(); return self.f.readline().decode()\n"
    "    def say(self, **line):\n"
    "        return json.loads(self.raw(json.dumps(line).encode()))\n"
    "    def checkpoint(self, step, text):\n"
    "        with open(os.environ['ASSAY_CHECKPOINT_DIR'] + '/c', 'w') as f: f.write(text)\n"
    "        return self.say(checkpoint='c', step=step)\n";

#define STUDY(run, more)                                                                           \
    "assay: 1\nname: test\nrun: {" run "}\n"                                                       \
    "objective: {metric: loss, goal: minimize}\n"                                                  \
    "parameters: {lr: {min: 0.0, max: 1.0}}\nbudget: {trials: 100}\n" more
#define PYTHON "command: [python3, p.py, '{lr}'], env: {PYTHONPATH: '.'}, grace: 20s"

static int open_with(struct coord *c, const char *yaml, const char *program)
{
    return coord_open(c) && coord_file(c, "talk.py", talk) &&
           (!program || coord_file(c, "p.py", program)) && coord_study(c, yaml) &&
           coord_worker(c, NULL, NULL);
}

static void joins_with_its_hardware(void)
{
    struct coord c = { 0 };
    struct asy_json *root = NULL;

    if (!coord_open(&c) || !coord_worker(&c, NULL, NULL))
        goto out;
    T_TRUE(c.cores >= 1 && c.host[0]);
    T_HAS("versions", c.versions, "zeromq");
    if (T_TRUE(asy_json_parse(c.hardware, strlen(c.hardware), &root, NULL) == 0))
        T_EQ("cores", asy_json_i64(asy_json_get(root, "cores"), 0), c.cores);
    T_TRUE(coord_await(&c, ASY_MSG_HEARTBEAT));
out:
    asy_json_destroy(root);
    coord_close(&c);
}

static void runs_a_command_to_its_end(void)
{
    static const char program[] =
        "from talk import *\n"
        "a = Agent()\n"
        "e = os.environ\n"
        "assert sys.argv[1] == '0.5', sys.argv\n"
        "assert json.loads(e['ASSAY_PARAMS']) == {'lr': 0.5}\n"
        "assert e['ASSAY_PARAM_LR'] == '0.5' and e['ASSAY_SEED'] == '77'\n"
        "assert e['ASSAY_TRIAL'] == '3' and e['ASSAY_ATTEMPT'] == '1'\n"
        "assert e['ASSAY_RESUME'] == '' and e['ASSAY_UNTIL'] == ''\n"
        "assert e['OPENBLAS_NUM_THREADS'] == '1' and e['OMP_NUM_THREADS'] == '1'\n"
        "assert 'OMPI_MCA_test' not in e and 'SLURM_CPU_BIND' not in e\n"
        "assert os.path.isdir(e['ASSAY_DIR']) and os.path.isdir(e['ASSAY_CHECKPOINT_DIR'])\n"
        "assert len(os.sched_getaffinity(0)) == 1\n"
        "r = a.say(step=1, metrics={'loss': 0.5, 'x': 'nan', 'y': '-inf'})\n"
        "assert r['do'] == 'continue', r\n"
        "r = a.say(step=2, metrics={'loss': 0.25}, wait=True)\n"
        "assert r == {'do': 'continue', 'durable': 2}, r\n"
        "print('to stdout'); print('to stderr', file=sys.stderr)\n";
    static const char *const env[] = { "OMPI_MCA_test=1", "SLURM_CPU_BIND=none", "PMIX_RANK=0",
                                       NULL };
    struct coord c = { 0 };
    const struct asy_report *r;
    const struct asy_event *end;
    char path[200], id[ASY_ID_TEXT], *text = NULL;
    size_t len;

    if (!coord_open(&c) || !coord_file(&c, "talk.py", talk) || !coord_file(&c, "p.py", program) ||
        !coord_study(&c, STUDY(PYTHON, "")) || !coord_worker(&c, env, NULL) || !coord_run(&c, 3))
        goto out;
    if (!(end = coord_ended(&c, 3, ASY_END_COMPLETE, ASY_CAUSE_NONE)))
        goto out;
    T_EQ("step", end->ended.step, 2);
    T_EQ("exit code", end->ended.exit_code, 0);
    T_TRUE(end->ended.cpu_s > 0 && end->ended.max_rss > 0);
    if ((r = coord_report(&c, 3, ASY_EV_STARTED, 0))) {
        T_EQ("first", r->number, 1);
        T_TRUE(r->event.started.pid > 0);
        T_HAS("place", r->event.started.hardware, "\"cpus\":[");
    }
    if ((r = coord_report(&c, 3, ASY_EV_REPORT, 0))) {
        T_EQ("step", r->event.report.step, 1);
        T_EQ("metrics", r->event.report.n_metrics, 3);
        T_NEAR("loss", r->event.report.metrics[0].value, 0.5, 0);
        T_TRUE(isnan(r->event.report.metrics[1].value));
        T_TRUE(isinf(r->event.report.metrics[2].value));
    }
    snprintf(path, sizeof path, "logs/%s/3/1/stdout", asy_id_format(c.store, id));
    if (T_EQ("log", asy_read_file(coord_path(&c, path), 4096, &text, &len, NULL), 0))
        T_STR("log", text, "to stdout\n");
    snprintf(path, sizeof path, "test -z \"$(find %s/work -mindepth 2)\"", c.home);
    T_EQ("work folder removed", system(path), 0);
out:
    free(text);
    coord_close(&c);
}

static void reads_metrics_from_stdout(void)
{
    struct coord c = { 0 };
    const struct asy_report *r;

    if (!open_with(&c, STUDY("command: [sh, -c, 'echo noise; echo step=4 loss=0.5; printf "
                             "\"step=8 loss=nan\"'], metrics: {pattern: "
                             "'step=(?<step>\\d+) loss=(?<loss>\\S+)'}", ""), NULL) ||
        !coord_run(&c, 0) || !coord_ended(&c, 0, ASY_END_COMPLETE, ASY_CAUSE_NONE))
        goto out;
    if ((r = coord_report(&c, 0, ASY_EV_REPORT, 0))) {
        T_EQ("step", r->event.report.step, 4);
        T_STR("name", r->event.report.metrics[0].name, "loss");
    }
    if ((r = coord_report(&c, 0, ASY_EV_REPORT, 1))) { /* no newline at its end */
        T_EQ("step", r->event.report.step, 8);
        T_TRUE(isnan(r->event.report.metrics[0].value));
    }
out:
    coord_close(&c);
}

static void says_why_a_program_failed(void)
{
    static const struct {
        const char *yaml;
        enum asy_end end;
        enum asy_cause cause;
        const char *text;
    } cases[] = {
        { STUDY("command: [sh, -c, 'echo reason >&2; exit 3']", ""), ASY_END_CRASHED,
          ASY_CAUSE_EXIT_CODE, "exit code 3; stderr ends: reason" },
        { STUDY("command: [sh, -c, 'kill -SEGV $$']", ""), ASY_END_CRASHED, ASY_CAUSE_SIGNAL,
          "signal 11" },
        { STUDY("command: [./missing]", ""), ASY_END_CRASHED, ASY_CAUSE_BAD_JOB,
          "./missing" },
        { STUDY("command: [python3, -c, 'x = bytearray(500 << 20); import time; "
                "time.sleep(1000)']", "resources: {cores: 1, memory: 100MiB}\n"),
          ASY_END_CRASHED, ASY_CAUSE_OUT_OF_MEMORY, "100 MiB" },
        { STUDY("command: ['true'], files: [missing.txt]", ""), ASY_END_CRASHED,
          ASY_CAUSE_NOT_STARTED, "missing.txt" },
    };
    struct coord c = { 0 };

    if (!coord_open(&c) || !coord_worker(&c, NULL, NULL))
        goto out;
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        const struct asy_event *end;
        struct asy_lease lease;

        if (!coord_study(&c, cases[i].yaml))
            continue; /* the parser may refuse it itself: then there is nothing to see here */
        lease = coord_lease(&c, i, 0, 1);
        lease.placement.memory = c.study->memory;
        if (coord_send_lease(&c, &lease) &&
            (end = coord_ended(&c, i, cases[i].end, cases[i].cause)))
            T_HAS(cases[i].text, end->ended.text, cases[i].text);
    }
out:
    coord_close(&c);
}

static void refuses_leases_it_cannot_hold(void)
{
    struct coord c = { 0 };
    struct asy_lease leases[7];
    static const char *const why[] = { "own user", "cores that this node", "another worker",
                                       "twice", "not known here", "does not have the id",
                                       "3 ranks" };
    static uint32_t twice[] = { 0, 0 };

    if (!open_with(&c, STUDY("command: ['true']", ""), NULL))
        goto out;
    for (size_t i = 0; i < ASY_ARRAY_LEN(leases); i++)
        leases[i] = coord_lease(&c, i, 0, 1);
    leases[0].owner = c.keys.public_key;
    leases[1] = coord_lease(&c, 1, c.cores, 1);
    leases[2].placement.worker = asy_id_make();
    leases[3].placement.cores = twice;
    leases[3].placement.n_cores = 2; /* where there is one, the place alone is wrong */
    leases[4].spec = NULL; /* and one that it has not seen yet: it greets anew to get it */
    leases[4].spec_id.b[0] ^= 2;
    leases[5].spec_id.b[0] ^= 1;
    leases[6].ranks = leases[6].placement.ranks = 3;
    for (size_t i = 0; i < ASY_ARRAY_LEN(leases); i++) {
        const struct asy_event *end;

        if (coord_send_lease(&c, &leases[i]) &&
            (end = coord_ended(&c, i, ASY_END_REFUSED, ASY_CAUSE_NOT_STARTED)))
            T_HAS(why[i], end->ended.text, why[i == 3 && c.cores < 2 ? 1 : i]);
    }
    T_TRUE(coord_run(&c, 50) && coord_ended(&c, 50, ASY_END_COMPLETE, ASY_CAUSE_NONE));
out:
    coord_close(&c);
}

static const char steps_forever[] =
    "from talk import *\n"
    "a = Agent(); step = 0\n"
    "if os.environ['ASSAY_RESUME']: step = int(open(os.environ['ASSAY_RESUME']).read())\n"
    "while True:\n"
    "    step += 1\n"
    "    do = a.say(step=step, metrics={'loss': 1 / step})['do']\n"
    "    if do == 'pause': a.checkpoint(step, str(step))\n"
    "    if do != 'continue': sys.exit(0)\n"
    "    time.sleep(0.01)\n";

static const char waits_for_a_word[] =
    "from talk import *\n"
    "a = Agent(); do = a.say(step=1, metrics={'loss': 1})['do']\n"
    "while do == 'continue': do = json.loads(a.f.readline())['do']\n";

static void pauses_at_the_milestone_and_resumes(void)
{
    struct coord c = { 0 };
    const struct asy_report *r;
    const struct asy_event *end;
    struct asy_checkpoint from;
    struct asy_lease lease;
    struct asy_sha sha;

    if (!open_with(&c, STUDY(PYTHON ", checkpoint: true", ""), steps_forever))
        goto out;
    lease = coord_lease(&c, 0, 0, 1);
    lease.milestone = 5;
    if (!coord_send_lease(&c, &lease) ||
        !(end = coord_ended(&c, 0, ASY_END_PAUSED, ASY_CAUSE_NONE)) ||
        !(r = coord_report(&c, 0, ASY_EV_CHECKPOINT, 0)))
        goto out;
    T_EQ("ended at", end->ended.step, 5);
    from = r->event.checkpoint.checkpoint;
    T_EQ("step", from.step, 5);
    T_EQ("bytes", from.bytes, 1);
    T_HAS("an artifact", from.path, "/artifacts/");
    if (T_EQ("its content", asy_sha_file(from.path, &sha, NULL, NULL), 0))
        T_TRUE(!memcmp(sha.b, from.sha.b, sizeof sha.b));
    T_EQ("started, five steps, checkpoint, ended", c.n_reports, 8);

    lease.attempt = lease.epoch = 2;
    lease.milestone = 9;
    lease.from = from;
    c.n_reports = 0;
    if (coord_send_lease(&c, &lease) &&
        (end = coord_ended(&c, 0, ASY_END_PAUSED, ASY_CAUSE_NONE)) &&
        (r = coord_report(&c, 0, ASY_EV_REPORT, 0))) {
        T_EQ("goes on after its checkpoint", r->event.report.step, 6);
        T_EQ("until the next milestone", end->ended.step, 9);
    }
    c.n_reports = 0; /* a checkpoint that is not what the lease says */
    lease.attempt = lease.epoch = 3;
    lease.from.sha.b[0] ^= 1;
    if (coord_send_lease(&c, &lease) &&
        (end = coord_ended(&c, 0, ASY_END_CRASHED, ASY_CAUSE_NOT_STARTED)))
        T_HAS("damaged", end->ended.text, "its hash differs");
out:
    coord_close(&c);
}

static const char says_the_same_twice[] =
    "from talk import *\n"
    "a = Agent()\n"
    "for step in (1, 2):\n"
    "    a.say(step=step, metrics={'loss': 1.0}); a.checkpoint(step, 'same')\n";

/* Whoever drops one of them may do so at any moment. */
static void equal_checkpoints_are_files_of_their_own(void)
{
    struct asy_checkpoint made[4];
    struct coord c = { 0 };

    if (!open_with(&c, STUDY(PYTHON ", checkpoint: true", ""), says_the_same_twice))
        goto out;
    for (size_t i = 0; i < ASY_ARRAY_LEN(made); i++) {
        const struct asy_report *r;
        struct asy_lease lease;

        if (i % 2 == 0) {
            lease = coord_lease(&c, i / 2, 0, 1);
            if (!coord_send_lease(&c, &lease) ||
                !coord_ended(&c, i / 2, ASY_END_COMPLETE, ASY_CAUSE_NONE))
                goto out;
        }
        if (!(r = coord_report(&c, i / 2, ASY_EV_CHECKPOINT, i % 2)))
            goto out;
        made[i] = r->event.checkpoint.checkpoint;
        T_TRUE(!memcmp(made[i].sha.b, made[0].sha.b, sizeof made[i].sha.b));
        T_EQ("it is there", access(made[i].path, F_OK), 0);
        for (size_t k = 0; k < i; k++)
            T_TRUE(strcmp(made[i].path, made[k].path) != 0);
    }
out:
    coord_close(&c);
}

static void ends_on_orders(void)
{
    static const struct {
        const char *name, *run, *program;
        enum asy_cancel_mode mode;
        int64_t grace_ms;
        enum asy_end end;
    } cases[] = {
        { "pause, heard", PYTHON ", checkpoint: true", steps_forever, ASY_CANCEL_PAUSE, 60000,
          ASY_END_PAUSED },
        { "stop, heard", PYTHON, steps_forever, ASY_CANCEL_STOP, 60000, ASY_END_STOPPED },
        { "stop, while it waits for a word", PYTHON, waits_for_a_word, ASY_CANCEL_STOP, 60000,
          ASY_END_STOPPED },
        { "stop, without a connection", "command: [sleep, '1000']", NULL, ASY_CANCEL_STOP, 60000,
          ASY_END_STOPPED },
        { "stop, deaf", "command: [sh, -c, 'trap \"\" TERM; sleep 1000; sleep 1000']", NULL,
          ASY_CANCEL_STOP, 50, ASY_END_STOPPED },
        { "pause, deaf, no checkpoint", "command: [sleep, '1000'], checkpoint: true", NULL,
          ASY_CANCEL_PAUSE, 50, ASY_END_PREEMPTED },
        { "pause, never promised", "command: [sleep, '1000']", NULL, ASY_CANCEL_PAUSE, 50,
          ASY_END_PREEMPTED },
        { "pattern, no way to hear",
          "command: [sh, -c, 'echo l=1; exec sleep 1000'], metrics: {pattern: 'l=(?<loss>.)'}",
          NULL, ASY_CANCEL_STOP, 60000, ASY_END_STOPPED },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct coord c = { 0 };
        char yaml[1000];
        struct asy_lease lease;

        snprintf(yaml, sizeof yaml, "assay: 1\nname: test\nrun: {%s}\nobjective: {metric: loss, "
                 "goal: minimize}\nparameters: {lr: {min: 0.0, max: 1.0}}\n"
                 "budget: {trials: 9}\n", cases[i].run);
        if (!open_with(&c, yaml, cases[i].program))
            goto next;
        lease = coord_lease(&c, 0, 0, 1);
        if (coord_send_lease(&c, &lease) &&
            coord_report(&c, 0, cases[i].program ? ASY_EV_REPORT : ASY_EV_STARTED, 0) &&
            coord_cancel(&c, &lease, cases[i].mode, cases[i].grace_ms) &&
            !coord_ended(&c, 0, cases[i].end, ASY_CAUSE_USER))
            fprintf(stderr, "    in case '%s'\n", cases[i].name);
next:
        coord_close(&c);
    }
}

static void a_fenced_attempt_says_nothing_more(void)
{
    struct coord c = { 0 };
    struct asy_lease lease;
    size_t before;

    if (!open_with(&c, STUDY(PYTHON, ""), steps_forever))
        goto out;
    lease = coord_lease(&c, 0, 0, 1);
    if (!coord_send_lease(&c, &lease) || !coord_report(&c, 0, ASY_EV_REPORT, 2) ||
        !coord_cancel(&c, &lease, ASY_CANCEL_KILL, 0))
        goto out;
    /* its core is free for the next lease as soon as it is gone, not before */
    if (!coord_study(&c, STUDY("command: ['true']", "")) || !coord_run(&c, 1) ||
        !coord_ended(&c, 1, ASY_END_COMPLETE, ASY_CAUSE_NONE))
        goto out;
    T_TRUE(await_marked(c.mark, 1, 0)); /* the worker alone */
    before = c.n_reports;
    coord_turn(&c, 300);
    T_EQ("reports", c.n_reports, before);
    for (size_t i = 0; i < c.n_reports; i++)
        T_TRUE(c.reports[i].trial == 1 || c.reports[i].event.kind != ASY_EV_ENDED);
out:
    coord_close(&c);
}

static void hostile_lines_hurt_nobody(void)
{
    static const char program[] =
        "from talk import *\n"
        "a = Agent()\n"
        "for bad in [b'', b'x', b'{}', b'{\"step\":-1}', b'\\xff\\xfe', b'[' * 1000,\n"
        "            b'{\"step\":1,\"metrics\":{\"a\":{}}}',\n"
        "            b'{\"hello\":{\"token\":\"x\",\"rank\":0}}',\n"
        "            b'{\"checkpoint\":\"../../etc/passwd\",\"step\":1}',\n"
        "            b'{\"checkpoint\":\"missing\",\"step\":1}',\n"
        "            b'{\"end\":{\"outcome\":\"complete\",\"step\":1}}']:\n"
        "    assert 'error' in json.loads(a.raw(bad)), bad\n"
        "os.symlink('/etc/passwd', os.environ['ASSAY_CHECKPOINT_DIR'] + '/link')\n"
        "assert 'error' in a.say(checkpoint='link', step=1)\n"
        "os.mkfifo(os.environ['ASSAY_CHECKPOINT_DIR'] + '/pipe')\n"
        "assert 'error' in a.say(checkpoint='pipe', step=1)\n"
        "b = Agent()\n"
        "try:\n"
        "    b.s.sendall(b'x' * (1 << 20)); b.s.sendall(b'x' * (1 << 20))\n"
        "    while b.f.readline(): pass\n"
        "except OSError: pass\n"
        "c = Agent()\n"
        "for i in range(2000): c.f.write(b'bad\\n')\n"
        "try: c.f.flush()\n"
        "except OSError: pass\n"
        "many = [Agent() for i in range(20)]\n"
        "d = Agent()\n"
        "for i in range(2000): d.f.write(b'{\"step\":%d,\"metrics\":{\"loss\":1}}\\n' % i)\n"
        "d.f.flush()\n"
        "for i in range(2000): assert 'do' in json.loads(d.f.readline())\n"
        "assert a.say(step=9, metrics={'loss': 0.5})['do'] == 'continue'\n";
    struct coord c = { 0 };

    if (open_with(&c, STUDY(PYTHON ", checkpoint: true", ""), program) && coord_run(&c, 0) &&
        coord_ended(&c, 0, ASY_END_COMPLETE, ASY_CAUSE_NONE))
        T_EQ("the good lines, started, ended", c.n_reports, 2000 + 1 + 2);
    coord_close(&c);
}

static int as_many_as_may_be(struct coord *c, const void *arg)
{
    (void)arg;
    return c->counted >= 2000;
}

/* A flood while nothing is acknowledged: the program is made to wait, nothing is lost. */
static void a_flood_waits_for_the_coordinator(void)
{
    static const char program[] =
        "from talk import *\n"
        "import threading\n"
        "a = Agent(); n = 30000\n"
        "def write():\n"
        "    for i in range(n): a.f.write(b'{\"step\":%d,\"metrics\":{\"loss\":1}}\\n' % i)\n"
        "    a.f.flush(); a.s.shutdown(socket.SHUT_WR)\n"
        "threading.Thread(target=write).start()\n"
        "r = a.s.makefile('rb')\n"
        "for i in range(n): assert json.loads(r.readline())['do'] == 'continue'\n";
    struct coord c = { 0 };

    if (!open_with(&c, STUDY(PYTHON, ""), program))
        goto out;
    c.mute = c.counting = 1;
    if (!coord_run(&c, 0) || !coord_await_that(&c, as_many_as_may_be, NULL))
        goto out;
    for (int i = 0; i < 3; i++) /* time in which more would come */
        T_TRUE(coord_await(&c, ASY_MSG_HEARTBEAT));
    T_EQ("in flight", c.counted, 2000); /* the bound on what is sent and not durable */
    T_TRUE(c.n_reports == 0);
    c.mute = 0;
    T_TRUE(coord_ended(&c, 0, ASY_END_COMPLETE, ASY_CAUSE_NONE) != NULL);
    T_EQ("all came", c.counted, 30000 + 2);
out:
    coord_close(&c);
}

/* Hashing and moving a large checkpoint blocks the main thread for long; the heart beats on. */
static void heartbeats_go_on_while_files_are_written(void)
{
    static const char program[] =
        "from talk import *\n"
        "a = Agent()\n"
        "with open(os.environ['ASSAY_CHECKPOINT_DIR'] + '/c', 'wb') as f: f.truncate(1 << 31)\n"
        "a.say(step=1, metrics={'loss': 1}, wait=True)\n"
        "assert a.say(checkpoint='c', step=1)['do'] == 'continue'\n";
    struct coord c = { 0 };
    const struct asy_report *r;
    unsigned before;

    if (!open_with(&c, STUDY(PYTHON ", checkpoint: true", ""), program) || !coord_run(&c, 0) ||
        !coord_report(&c, 0, ASY_EV_REPORT, 0))
        goto out;
    before = c.heartbeats;
    if ((r = coord_report(&c, 0, ASY_EV_CHECKPOINT, 0))) {
        T_EQ("bytes", r->event.checkpoint.checkpoint.bytes, 1ull << 31);
        T_TRUE(c.heartbeats >= before + 2); /* one each 200 ms; the hash takes a second and more */
    }
out:
    coord_close(&c);
}

/* Idle, it would beat once a minute; with an attempt it does so five times a second. */
static void an_idle_agent_beats_seldom(void)
{
    struct coord c = { .idle_ms = 60000 };
    unsigned before, greeting;

    if (!open_with(&c, STUDY(PYTHON, ""), "from talk import *\n"
                                          "Agent().say(step=1, metrics={'loss': 1}, wait=True)\n"
                                          "import signal; signal.pause()\n"))
        goto out;
    do { /* it may have greeted twice, waiting for its welcome: then that is another beginning */
        greeting = c.hellos;
        before = c.heartbeats;
        if (!coord_await(&c, ASY_MSG_HEARTBEAT))
            goto out;
        for (int i = 0; i < 4; i++)
            coord_turn(&c, 250); /* a second in which nothing is due, however long it takes */
    } while (c.hellos > greeting);
    T_TRUE(c.heartbeats - before <= 2); /* the second if the first went out before it knew */
    if (!coord_run(&c, 0) || !coord_report(&c, 0, ASY_EV_REPORT, 0))
        goto out;
    before = c.heartbeats;
    for (int i = 0; i < 3; i++)
        T_TRUE(coord_await(&c, ASY_MSG_HEARTBEAT));
    T_TRUE(c.heartbeats >= before + 3);
out:
    coord_close(&c);
}

static void strangers_cannot_connect(void)
{
    static const char program[] =
        "from talk import *\n"
        "path = os.environ['ASSAY_SOCKET']; folder = os.path.dirname(path)\n"
        "assert os.stat(folder).st_mode & 0o777 == 0o700\n"
        "def nobody():\n"
        "    pid = os.fork()\n"
        "    if pid: return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])\n"
        "    os.setgid(65534); os.setuid(65534)\n"
        "    try: s = socket.socket(socket.AF_UNIX); s.connect(path)\n"
        "    except PermissionError: os._exit(10)\n"
        "    try:\n"
        "        s.sendall(b'{\"step\":1,\"metrics\":{\"loss\":0}}\\n')\n"
        "        os._exit(11 if s.recv(100) == b'' else 12)\n"
        "    except ConnectionError: os._exit(11)\n"
        "assert nobody() == 10\n"
        "os.chmod(folder, 0o755); os.chmod(path, 0o777)\n" /* even then */
        "assert nobody() == 11\n"
        "assert Agent().say(step=1, metrics={'loss': 1})['do'] == 'continue'\n";
    struct coord c = { 0 };

    if (getuid() != 0) {
        puts("    needs root to become somebody else: not tested");
        return;
    }
    if (open_with(&c, STUDY(PYTHON, ""), program) && coord_run(&c, 0) &&
        coord_ended(&c, 0, ASY_END_COMPLETE, ASY_CAUSE_NONE))
        T_TRUE(coord_report(&c, 0, ASY_EV_REPORT, 0) != NULL);
    coord_close(&c);
}

static void copies_files_and_keeps_folders(void)
{
    static const char program[] =
        "from talk import *\n"
        "assert os.getcwd() == os.environ['ASSAY_DIR']\n"
        "assert open('sub/data.txt').read() == 'data'\n"
        "assert os.access('p.py', os.X_OK)\n"
        "folder = os.environ['ASSAY_CHECKPOINT_DIR'] + '/tree'\n"
        "os.makedirs(folder + '/deep')\n"
        "open(folder + '/deep/weights', 'w').write('w' * 10)\n"
        "open(folder + '/state', 'w').write('s')\n"
        "r = Agent().say(checkpoint='tree', step=2)\n"
        "assert r['do'] == 'continue', r\n"
        "assert not os.path.exists(folder)\n";
    struct coord c = { 0 };
    const struct asy_report *r;
    struct asy_sha sha;
    char path[300];
    uint64_t bytes;

    if (!coord_open(&c) || !T_TRUE(mkdir(coord_path(&c, "sub"), 0700) == 0) ||
        !coord_file(&c, "sub/data.txt", "data") || !coord_file(&c, "talk.py", talk) ||
        !coord_file(&c, "p.py", program) ||
        !coord_study(&c, STUDY(PYTHON ", checkpoint: true, cwd: trial, "
                               "files: [p.py, talk.py, sub/]", "")) ||
        !coord_worker(&c, NULL, NULL) || !coord_run(&c, 0) ||
        !coord_ended(&c, 0, ASY_END_COMPLETE, ASY_CAUSE_NONE) ||
        !(r = coord_report(&c, 0, ASY_EV_CHECKPOINT, 0)))
        goto out;
    snprintf(path, sizeof path, "%s/deep/weights", r->event.checkpoint.checkpoint.path);
    T_EQ("there", access(path, R_OK), 0);
    if (T_EQ("hashed", asy_durable_tree_sha(r->event.checkpoint.checkpoint.path, &sha, &bytes,
                                            NULL), 0)) {
        T_EQ("bytes", bytes, 11);
        T_TRUE(!memcmp(sha.b, r->event.checkpoint.checkpoint.sha.b, sizeof sha.b));
    }
out:
    coord_close(&c);
}

static int is_fit(struct coord *c, const void *arg)
{
    (void)arg;
    return !c->fit[0];
}

static void a_full_disk_ends_the_attempt_not_the_agent(void)
{
    static const char program[] =
        "from talk import *\n"
        "a = Agent()\n"
        "with open(os.environ['ASSAY_CHECKPOINT_DIR'] + '/c', 'wb') as f:\n"
        "    f.write(b'x' * (1 << 20))\n"
        "try:\n"
        "    for i in range(100000): open(os.environ['ASSAY_DIR'] + '/%d' % i, 'w').close()\n"
        "except OSError: pass\n"
        "r = a.say(checkpoint='c', step=1)\n"
        "assert 'error' in r and 'space' in r['error'], r\n"
        "time.sleep(1000)\n";
    struct coord c = { 0 };
    const struct asy_event *end;

    snprintf(c.home, sizeof c.home, "/tmp/assay-test-full-%d", (int)getpid());
    mkdir(c.home, 0700);
    if (mount("none", c.home, "tmpfs", 0, "size=8m,nr_inodes=300") < 0) {
        puts("    cannot mount a small file system: not tested");
        rmdir(c.home);
        return;
    }
    if (open_with(&c, STUDY(PYTHON ", checkpoint: true", ""), program) && coord_run(&c, 0) &&
        (end = coord_ended(&c, 0, ASY_END_PREEMPTED, ASY_CAUSE_DISK_FULL))) {
        T_HAS("reason", end->ended.text, "cannot keep checkpoint 'c'");
        T_HAS("it said so before", c.fit, "disk full"); /* so that nothing new is leased to it */
        if (coord_await_that(&c, is_fit, NULL) && coord_study(&c, STUDY("command: ['true']", "")) &&
            coord_run(&c, 1))
            T_TRUE(coord_ended(&c, 1, ASY_END_COMPLETE, ASY_CAUSE_NONE) != NULL);
    }
    if (c.worker.pid > 0) {
        asy_proc_signal(&c.worker, SIGKILL);
        coord_worker_end(&c);
    }
    T_EQ("unmounted", umount2(c.home, MNT_DETACH), 0);
    coord_close(&c);
}

static void drains_on_sigterm(void)
{
    struct coord c = { 0 };
    struct asy_lease lease;
    int status;

    if (!open_with(&c, STUDY(PYTHON ", checkpoint: true", ""), steps_forever))
        goto out;
    lease = coord_lease(&c, 0, 0, 1);
    if (!coord_send_lease(&c, &lease) || !coord_report(&c, 0, ASY_EV_REPORT, 2))
        goto out;
    asy_proc_signal(&c.worker, SIGTERM);
    T_TRUE(coord_await(&c, ASY_MSG_DRAIN));
    T_TRUE(coord_ended(&c, 0, ASY_END_PAUSED, ASY_CAUSE_PREEMPTED) != NULL);
    T_TRUE(coord_await(&c, ASY_MSG_BYE));
    status = coord_worker_end(&c);
    T_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    T_TRUE(await_marked(c.mark, 0, 0));
out:
    coord_close(&c);
}

static void ends_at_once_when_told_twice(void)
{
    struct coord c = { 0 };
    int status;

    if (!open_with(&c, STUDY("command: [sh, -c, 'trap \"\" TERM; sleep 1000; sleep 1000'], "
                             "grace: 1h", ""), NULL) ||
        !coord_run(&c, 0) || !coord_report(&c, 0, ASY_EV_STARTED, 0))
        goto out;
    asy_proc_signal(&c.worker, SIGTERM);
    T_TRUE(coord_await(&c, ASY_MSG_DRAIN));
    asy_proc_signal(&c.worker, SIGTERM);
    status = coord_worker_end(&c);
    T_EQ("exit code", WIFEXITED(status) ? WEXITSTATUS(status) : -1, 1);
    T_TRUE(await_marked(c.mark, 0, 0));
out:
    coord_close(&c);
}

/* Slurm sends its SIGTERM to every process of a job, to the program too. */
static void a_batch_systems_signals_cost_no_retry(void)
{
    static const char *const args[] = { "--walltime", "1h", NULL };
    static const struct {
        const char *name, *program;
    } cases[] = {
        { "by signal", "kill -TERM $$; sleep 1000" },
        { "a shell's exit code", "exit 138" }, /* 128 + SIGUSR1 */
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct coord c = { 0 };
        char yaml[400];

        snprintf(yaml, sizeof yaml, STUDY("command: [sh, -c, '%s']", ""), cases[i].program);
        setenv("SLURM_JOB_ID", "7", 1);
        if (coord_open(&c) && coord_study(&c, yaml) && coord_worker(&c, NULL, args) &&
            coord_run(&c, 0))
            T_TRUE(coord_ended(&c, 0, ASY_END_PREEMPTED, ASY_CAUSE_PREEMPTED) != NULL);
        unsetenv("SLURM_JOB_ID");
        coord_close(&c);
    }
}

static void a_batch_systems_second_signal_is_no_impatience(void)
{
    static const char *const args[] = { "--walltime", "1h", NULL };
    struct coord c = { 0 };
    struct asy_lease lease;
    int status;

    setenv("SLURM_JOB_ID", "7", 1);
    if (!coord_open(&c) || !coord_file(&c, "talk.py", talk) ||
        !coord_file(&c, "p.py", steps_forever) ||
        !coord_study(&c, STUDY(PYTHON ", checkpoint: true", "")) || !coord_worker(&c, NULL, args))
        goto out;
    lease = coord_lease(&c, 0, 0, 1);
    if (!coord_send_lease(&c, &lease) || !coord_report(&c, 0, ASY_EV_REPORT, 2))
        goto out;
    asy_proc_signal(&c.worker, SIGUSR1);
    T_TRUE(coord_await(&c, ASY_MSG_DRAIN));
    asy_proc_signal(&c.worker, SIGTERM);
    asy_proc_signal(&c.worker, SIGUSR2);
    asy_proc_signal(&c.worker, SIGTERM);
    T_TRUE(coord_ended(&c, 0, ASY_END_PAUSED, ASY_CAUSE_PREEMPTED) != NULL);
    T_TRUE(coord_await(&c, ASY_MSG_BYE));
    status = coord_worker_end(&c);
    T_EQ("exit code", WIFEXITED(status) ? WEXITSTATUS(status) : -1, 0);
out:
    unsetenv("SLURM_JOB_ID");
    coord_close(&c);
}

static void leaves_when_told(void)
{
    struct coord c = { 0 };
    struct asy_msg msg = { .type = ASY_MSG_DRAIN };
    int status;

    if (!coord_open(&c) || !coord_worker(&c, NULL, NULL))
        goto out;
    msg.drain.text = "all is done";
    T_TRUE(coord_send(&c, &msg) && coord_await(&c, ASY_MSG_BYE));
    status = coord_worker_end(&c);
    T_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
out:
    coord_close(&c);
}

/* Also where nobody reaps the dead, as in a container without an init. */
static void removes_what_a_dead_agent_left(void)
{
    struct coord c = { 0 };
    char host[256] = "", work[300], left[300], sockets[300];
    pid_t pid = fork();

    if (pid == 0)
        _exit(0);
    if (!T_TRUE(pid > 0) || !coord_open(&c))
        goto out;
    gethostname(host, sizeof host - 1);
    snprintf(work, sizeof work, "%s/work", c.home);
    snprintf(left, sizeof left, "%s/work/%.200s.%d", c.home, host, (int)pid);
    snprintf(sockets, sizeof sockets, "/tmp/assay-%u-%d-abcdef", (unsigned)geteuid(), (int)pid);
    T_TRUE(mkdir(work, 0700) == 0 && mkdir(left, 0700) == 0 && mkdir(sockets, 0700) == 0);
    T_EQ("it has ended", waitid(P_PID, (id_t)pid, &(siginfo_t){ 0 }, WEXITED | WNOWAIT), 0);
    if (coord_worker(&c, NULL, NULL)) {
        T_TRUE(access(left, F_OK) < 0);
        T_TRUE(access(sockets, F_OK) < 0);
    }
    rmdir(sockets);
out:
    if (pid > 0)
        waitpid(pid, NULL, 0);
    coord_close(&c);
}

T_MAIN("agent", T_TEST(joins_with_its_hardware), T_TEST(runs_a_command_to_its_end),
       T_TEST(reads_metrics_from_stdout), T_TEST(says_why_a_program_failed),
       T_TEST(refuses_leases_it_cannot_hold), T_TEST(pauses_at_the_milestone_and_resumes),
       T_TEST(equal_checkpoints_are_files_of_their_own),
       T_TEST(ends_on_orders), T_TEST(a_fenced_attempt_says_nothing_more),
       T_TEST(hostile_lines_hurt_nobody), T_TEST(a_flood_waits_for_the_coordinator),
       T_TEST(heartbeats_go_on_while_files_are_written),
       T_TEST(an_idle_agent_beats_seldom), T_TEST(strangers_cannot_connect),
       T_TEST(copies_files_and_keeps_folders), T_TEST(a_full_disk_ends_the_attempt_not_the_agent),
       T_TEST(drains_on_sigterm), T_TEST(ends_at_once_when_told_twice),
       T_TEST(a_batch_systems_signals_cost_no_retry),
       T_TEST(a_batch_systems_second_signal_is_no_impatience), T_TEST(leaves_when_told),
       T_TEST(removes_what_a_dead_agent_left))
