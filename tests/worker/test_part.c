/* SPDX-License-Identifier: Apache-2.0
 * A gang on several nodes, of which the agent has one part: what it says to the others and does at
 * their word, in every order that frames can come in. The other parts, and the coordinator between
 * them, are the test; mpirun, Open MPI's daemon and the trainer are a few lines each. */
#include "../asytest.h"
#include "coord.h"
#include <asy/clock.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define STUDY                                                                                      \
    "assay: 1\nname: parts\nrun: {model: mlp, hidden: 8, length: {unit: epochs, max: 4}, "         \
    "grace: 1s}\ndata: {file: data.csv, label: -1}\n"                                              \
    "objective: {metric: val_loss, goal: minimize}\n"                                              \
    "parameters: {lr: {min: 0.0, max: 1.0}}\nresources: {ranks: 2}\nbudget: {trials: 100}\n"

/* Ranks work until there is a file `go`, or until they are told to stop; `began` and `done` grow by
 * a byte for each of their orders and ends. */
static const char trainer[] =
    "#!/usr/bin/env python3\n"
    "import json, os, select, socket, sys, time\n"
    "if sys.argv[1:] == ['--probe']:\n"
    "    print(json.dumps({'selftest': 'ok', 'gflops': 1, 'bandwidth_gb_s': 1, 'versions': {}}))\n"
    "    sys.exit(0)\n"
    "rank = int(sys.argv[1])\n"
    "s = socket.socket(socket.AF_UNIX); s.connect(os.environ['ASSAY_SOCKET'])\n"
    "f = s.makefile('rwb', 0)\n"
    "def tell(**line): f.write(json.dumps(line).encode() + b'\\n')\n"
    "def hear():\n"
    "    line = f.readline()\n"
    "    if not line: sys.exit(1)\n"
    "    return json.loads(line).get('do'), json.loads(line)\n"
    "tell(hello={'token': os.environ['ASSAY_TOKEN'], 'pid': os.getpid(), 'rank': rank})\n"
    "while True:\n"
    "    do, order = hear()\n"
    "    if do == 'exit': sys.exit(0)\n"
    "    if do != 'run': continue\n"
    "    os.sched_setaffinity(0, [int(order['cpus'])]); tell(bound=order['cpus'])\n"
    "    open(os.environ['ASSAY_HOME'] + '/began', 'a').write('.')\n"
    "    step = 0; do = 'continue'\n"
    "    while not os.path.exists(os.environ['ASSAY_HOME'] + '/go') and do == 'continue':\n"
    "        if rank == 0:\n"
    "            step += 1\n"
    "            tell(step=step, metrics={'val_loss': 1, 'pid': os.getpid()}); do = hear()[0]\n"
    "        elif select.select([s], [], [], 0)[0]: do = hear()[0]\n"
    "        time.sleep(0.02)\n"
    "    tell(end={'outcome': 'complete' if do == 'continue' else 'stopped', 'step': step,\n"
    "              'objective': 0.25, 'model': '', 'reason': ''})\n"
    "    open(os.environ['ASSAY_HOME'] + '/done', 'a').write('.')\n";

/* Calls a launch agent for each other node, as plm_rsh does, and runs rank 0 here. */
static const char mpirun[] =
    "#!/usr/bin/env python3\n"
    "import subprocess, sys\n"
    "a = sys.argv\n"
    "if a[1:] == ['--version']: print('mpirun (Open MPI) 4.1.4'); sys.exit(0)\n"
    "agent = a[a.index('plm_rsh_agent') + 1].split()\n"
    "hosts = [h.split(':')[0] for h in a[a.index('--host') + 1].split(',')[1:]]\n"
    "for h in hosts: subprocess.Popen(agent + [h, ' orted', '--daemonize', '-mca', 'n', '1'])\n"
    "code = subprocess.Popen([a[-1], '0']).wait()\n"
    "if code < 0: print('mpirun noticed that process rank 0 with PID 1 on node a exited on',\n"
    "                   f'signal {-code} (Killed).', file=sys.stderr, flush=True)\n"
    "sys.exit(128 - code if code < 0 else code)\n";

/* Its words: the rank that it is to be, or what it ends with. */
static const char orted[] = "#!/bin/sh\n"
                            "[ \"$1\" = fail ] || exec assay-trainer \"$1\"\n"
                            "echo 'orted: no such network' >&2; exit \"$2\"\n";

struct parts {
    struct coord c;
    struct asy_id gang;
    struct asy_placement places[2];
    uint32_t cores[2];
    uint32_t own;                 /* which part the worker has; the test is the other one */
    int64_t since_ms;             /* when what has a time limit in the worker began, or before */
};

static int open_parts(struct parts *p, uint32_t own)
{
    struct coord *c = &p->c;

    memset(p, 0, sizeof *p);
    p->own = own;
    p->gang = asy_id_make();
    if (!coord_open(c) || !coord_file(c, "data.csv", "1,2,0\n3,4,1\n") ||
        !T_TRUE(mkdir(coord_path(c, "bin"), 0700) == 0) ||
        !coord_file(c, "bin/assay-trainer", trainer) || !coord_file(c, "bin/mpirun", mpirun) ||
        !coord_file(c, "bin/orted", orted) || !coord_study(c, STUDY))
        return 0;
    snprintf(c->programs, sizeof c->programs, "%s/bin", c->home);
    return coord_worker(c, NULL, NULL);
}

/* The lease of its part. */
static struct asy_lease lease_of(struct parts *p, uint64_t trial)
{
    struct asy_lease lease = coord_lease(&p->c, trial, 0, 1);

    for (uint32_t i = 0; i < 2; i++)
        p->places[i] = (struct asy_placement){
            .worker = i == p->own ? p->c.agent : p->c.store, .ranks = 1, .cores = &p->cores[i],
            .n_cores = 1, .host = i ? "member" : "lead" };
    lease.placement = p->places[p->own];
    lease.placements = p->places;
    lease.n_placements = 2;
    lease.ranks = 2;
    lease.part = p->own;
    return lease;
}

/* A word of the other part; the test may change it before it is sent. */
static struct asy_msg word(const struct parts *p, const struct asy_lease *lease,
                           enum asy_part_kind kind)
{
    static const char *const rank[] = { "1" };
    struct asy_msg msg = { .type = ASY_MSG_PART };

    msg.part.study = lease->study;
    msg.part.trial = lease->trial;
    msg.part.attempt = lease->attempt;
    msg.part.epoch = lease->epoch;
    msg.part.from = 1 - p->own;
    msg.part.to = p->own;
    msg.part.kind = kind;
    msg.part.gang = p->gang;
    msg.part.words = rank;
    msg.part.n_words = kind == ASY_PART_START;
    return msg;
}

static int say(struct parts *p, const struct asy_lease *lease, enum asy_part_kind kind)
{
    struct asy_msg msg = word(p, lease, kind);

    return coord_send(&p->c, &msg);
}

struct heard {
    enum asy_part_kind kind;
    size_t from, found;           /* parts[found - 1] */
};

static int has_part(struct coord *c, const void *arg)
{
    struct heard *h = (struct heard *)(uintptr_t)arg;

    for (; h->from < c->n_parts; h->from++)
        if (c->parts[h->from % PARTS_MAX].kind == h->kind) {
            h->found = ++h->from;
            return 1;
        }
    return 0;
}

/* The next word of this kind after the first `after` words; NULL: it does not come. */
static const struct coord_part *hear(struct parts *p, enum asy_part_kind kind, size_t after)
{
    struct heard h = { kind, after, 0 };
    const struct coord_part *part;

    if (!coord_await_that(&p->c, has_part, &h))
        return NULL;
    part = &p->c.parts[(h.found - 1) % PARTS_MAX];
    T_EQ("from", part->from, p->own);
    T_EQ("to", part->to, 1 - p->own);
    return part;
}

/* Closes the attempt, as the coordinator does after an end in peace, or when it counts no more. */
static int closed(struct parts *p, const struct asy_lease *lease)
{
    struct asy_msg msg = { .type = ASY_MSG_ACK };
    struct asy_watermark mark = { .study = lease->study, .trial = lease->trial,
                                  .attempt = lease->attempt, .closed = 1 };

    msg.ack.marks = &mark;
    msg.ack.n_marks = 1;
    return coord_send(&p->c, &msg);
}

/* All that was sent before has been heard: it answers in order. */
static int settle(struct parts *p)
{
    struct asy_lease none = coord_lease(&p->c, 99, 60, 1);
    size_t n = p->c.n_reports;

    none.trial += n; /* another one each time */
    return coord_send_lease(&p->c, &none) &&
           coord_ended(&p->c, none.trial, ASY_END_REFUSED, ASY_CAUSE_NOT_STARTED) != NULL;
}

static int has_reports(struct coord *c, const void *n)
{
    return c->n_reports >= *(const size_t *)n;
}

static int greeted(struct coord *c, const void *n)
{
    return c->hellos >= *(const unsigned *)n && !asy_id_is_none(c->session);
}

static int cut_and_heal(struct parts *p)
{
    unsigned again = p->c.hellos + 1;

    coord_hang_up(&p->c);
    p->c.owner_epoch++;
    return coord_listen(&p->c) && coord_await_that(&p->c, greeted, &again);
}

#define WORKER_ALONE 1
#define WITH_RANK 3              /* the worker, a supervisor, a rank */

static int has_begun(struct coord *c, const void *n)
{
    struct stat st;

    return stat(coord_path(c, "began"), &st) == 0 && st.st_size >= *(const off_t *)n;
}

static int has_done(struct coord *c, const void *n)
{
    struct stat st;

    return stat(coord_path(c, "done"), &st) == 0 && st.st_size >= *(const off_t *)n;
}

/* Ranks have begun their n-th order, and nothing else runs. */
static int begun(struct parts *p, off_t n)
{
    return coord_await_that(&p->c, has_begun, &n) && T_TRUE(await_marked(p->c.mark, WITH_RANK, 0));
}

static int done(struct parts *p, off_t n)
{
    return coord_await_that(&p->c, has_done, &n);
}

/* Limits of the worker's: where test and worker together took longer, what came of it says nothing,
 * and the test begins anew. */
#define PEACE_MS 3000            /* for ranks to become idle after their trial's end */
#define ASK_MOST_MS 1000         /* for the others' answers */
#define TRIES 5                  /* where such a limit has passed meanwhile */

static int took(const struct parts *p, int64_t limit_ms)
{
    return asy_clock_ms() - p->since_ms >= limit_ms;
}

/* ---- a member -------------------------------------------------------------------------------- */

static void a_member_starts_once_however_often_it_is_called(void)
{
    const struct coord_part *part;
    struct asy_lease lease;
    struct parts p;
    size_t n;

    if (!open_parts(&p, 1))
        goto out;
    lease = lease_of(&p, 0);
    if (!say(&p, &lease, ASY_PART_START) || !settle(&p)) /* before its lease: it is called again */
        goto out;
    T_EQ("nobody answers for an attempt that is not there", p.c.n_parts, 0);
    if (!coord_send_lease(&p.c, &lease) || !settle(&p))
        goto out;
    T_EQ("it waits for its lead", count_marked(p.c.mark, NULL, 0), WORKER_ALONE);
    for (int i = 0; i < 3; i++) {
        n = p.c.n_parts;
        if (!say(&p, &lease, ASY_PART_START) || !(part = hear(&p, ASY_PART_READY, n)))
            goto out;
        T_EQ("in which gang", asy_id_cmp(part->gang, p.gang), 0);
    }
    if (!begun(&p, 1) || !coord_file(&p.c, "go", "") || !done(&p, 1))
        goto out;
    T_TRUE(closed(&p, &lease) && settle(&p));
    n = p.c.n_parts;
    T_TRUE(say(&p, &lease, ASY_PART_START) && say(&p, &lease, ASY_PART_ASK) && settle(&p));
    T_EQ("after its end nobody answers", p.c.n_parts, n);
    T_EQ("a member reports nothing", p.c.n_reports, 4); /* of what was refused */
    T_TRUE(await_marked(p.c.mark, WITH_RANK, 0)); /* warm */
out:
    coord_close(&p.c);
}

static void words_that_are_not_for_it_change_nothing(void)
{
    struct asy_lease lease;
    struct parts p;

    if (!open_parts(&p, 1))
        goto out;
    lease = lease_of(&p, 0);
    if (!coord_send_lease(&p.c, &lease))
        goto out;
    for (int i = 0; i < 7; i++) {
        struct asy_msg msg = word(&p, &lease, ASY_PART_START);

        switch (i) {
        case 0: msg.part.trial++; break;
        case 1: msg.part.attempt++; break;
        case 2: msg.part.epoch++; break;
        case 3: msg.part.to = 0; break;
        case 4: msg.part.from = 1; break;
        case 5: msg.part.from = 2; break;
        default: msg.part.kind = ASY_PART_READY; break; /* a lead's to hear */
        }
        if (!coord_send(&p.c, &msg))
            goto out;
    }
    if (!settle(&p))
        goto out;
    T_EQ("no answer", p.c.n_parts, 0);
    T_EQ("nothing runs", count_marked(p.c.mark, NULL, 0), WORKER_ALONE);
    T_TRUE(say(&p, &lease, ASY_PART_START) && hear(&p, ASY_PART_READY, 0) != NULL);
out:
    coord_close(&p.c);
}

/* It is said until the worker answers: its job may still wait for its core. */
static int say_until_answered(struct parts *p, const struct asy_lease *lease,
                              enum asy_part_kind kind)
{
    size_t n = p->c.n_parts;

    for (int i = 0; i < GENEROUS_MS / 100 && p->c.n_parts == n; i++) {
        if (!say(p, lease, kind))
            return 0;
        coord_turn(&p->c, 100);
    }
    return T_TRUE(p->c.n_parts > n);
}

static const struct coord_part *say_until(struct parts *p, const struct asy_lease *lease,
                                          enum asy_part_kind kind, enum asy_part_kind answer)
{
    size_t n = p->c.n_parts;

    return say_until_answered(p, lease, kind) ? hear(p, answer, n) : NULL;
}

static void a_warm_gang_is_rejoined_by_its_name(void)
{
    const struct coord_part *part;
    struct asy_lease first, second, third;
    struct parts p;

    if (!open_parts(&p, 1))
        goto out;
    coord_file(&p.c, "go", "");
    first = lease_of(&p, 0);
    if (!coord_send_lease(&p.c, &first) || !say(&p, &first, ASY_PART_START) ||
        !hear(&p, ASY_PART_READY, 0) || !done(&p, 1) || !closed(&p, &first))
        goto out;
    second = lease_of(&p, 1);
    if (!coord_send_lease(&p.c, &second) ||
        !(part = say_until(&p, &second, ASY_PART_RUN, ASY_PART_READY)) || !done(&p, 2))
        goto out;
    T_EQ("in the same gang", asy_id_cmp(part->gang, p.gang), 0);
    T_TRUE(await_marked(p.c.mark, WITH_RANK, 0));
    T_TRUE(closed(&p, &second));
    third = lease_of(&p, 2);
    p.gang = asy_id_make();
    if (coord_send_lease(&p.c, &third) &&
        (part = say_until(&p, &third, ASY_PART_RUN, ASY_PART_FAILED))) {
        T_EQ("one that it does not have", part->end, ASY_END_REFUSED);
        T_HAS("why", part->text, "its part of the warm gang has ended");
    }
out:
    coord_close(&p.c);
}

/* Its lead's rank has ended the first attempt, its own one is still busy with it. */
static int close_early(struct parts *p, struct asy_lease *ret_first)
{
    if (!open_parts(p, 1))
        return 0;
    *ret_first = lease_of(p, 0);
    if (!coord_send_lease(&p->c, ret_first) || !say(p, ret_first, ASY_PART_START) ||
        !hear(p, ASY_PART_READY, 0) || !begun(p, 1))
        return 0;
    p->since_ms = asy_clock_ms();
    return closed(p, ret_first);
}

static int is_over(struct coord *c, const void *arg)
{
    off_t one = 1;

    return has_done(c, &one) || took(arg, PEACE_MS);
}

/* 1: the next lease has their ranks. 0: it has not. < 0: it took too long to tell. */
static int waits_for_ranks(struct parts *p, const struct asy_lease *first, struct asy_lease *next)
{
    const struct coord_part *part;
    size_t n = p->c.n_parts;

    next->epoch = first->epoch + 1;
    if (!coord_send_lease(&p->c, next) || !settle(p))
        return 0;
    if (p->c.n_parts == n && coord_file(&p->c, "go", "") &&
        coord_await_that(&p->c, is_over, p) && say_until_answered(p, next, ASY_PART_RUN) &&
        p->c.parts[n % PARTS_MAX].kind != ASY_PART_FAILED)
        return (part = hear(p, ASY_PART_READY, n)) &&
               T_EQ("in the same gang", asy_id_cmp(part->gang, p->gang), 0) && done(p, 2);
    return took(p, PEACE_MS) ? -1 : 0;
}

static void a_lease_waits_for_ranks_that_are_about_to_be_idle(void)
{
    static const struct { const char *name; uint64_t trial; uint32_t attempt; } cases[] = {
        { "another trial", 1, 1 },
        { "the same one, which was paused", 0, 2 },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_lease first, next;
        struct parts p;
        int waits, tries = 0;

        do {
            waits = 0;
            if (close_early(&p, &first)) {
                next = lease_of(&p, cases[i].trial);
                next.attempt = cases[i].attempt;
                waits = waits_for_ranks(&p, &first, &next);
            }
            coord_close(&p.c);
        } while (waits < 0 && ++tries < TRIES);
        T_EQ(cases[i].name, waits, 1);
    }
}

/* Its core waits for nobody for ever. */
static void ranks_that_do_not_become_idle_are_ended(void)
{
    struct asy_lease first, next;
    struct parts p;

    if (close_early(&p, &first)) {
        next = lease_of(&p, 1);
        p.gang = asy_id_make();
        if (coord_send_lease(&p.c, &next) &&
            say_until(&p, &next, ASY_PART_START, ASY_PART_READY))
            T_TRUE(begun(&p, 2)); /* and only the new rank is there */
    }
    coord_close(&p.c);
}

static void a_member_that_is_killed_before_it_began_begins_no_more(void)
{
    struct asy_lease lease, next;
    struct parts p;

    if (!open_parts(&p, 1))
        goto out;
    lease = lease_of(&p, 0);
    if (!coord_send_lease(&p.c, &lease) ||
        !coord_cancel(&p.c, &lease, ASY_CANCEL_KILL, 0) || !say(&p, &lease, ASY_PART_START) ||
        !settle(&p))
        goto out;
    T_EQ("no answer", p.c.n_parts, 0);
    T_EQ("nothing runs", count_marked(p.c.mark, NULL, 0), WORKER_ALONE);
    next = lease_of(&p, 1); /* on the same core */
    T_TRUE(coord_send_lease(&p.c, &next) && say(&p, &next, ASY_PART_START) &&
           hear(&p, ASY_PART_READY, 0) != NULL);
    T_TRUE(begun(&p, 1));
    T_TRUE(coord_cancel(&p.c, &next, ASY_CANCEL_KILL, 0)); /* and one that runs ends */
    T_TRUE(await_marked(p.c.mark, WORKER_ALONE, 0));
out:
    coord_close(&p.c);
}

/* What went wrong in it is said again and again, until the coordinator closes the attempt. */
static void a_member_tells_how_it_ended_until_it_is_heard(void)
{
    static const char *const fail[] = { "fail", "7" };
    const struct coord_part *part;
    struct asy_lease lease;
    struct asy_msg msg;
    struct parts p;
    size_t n;

    if (!open_parts(&p, 1))
        goto out;
    lease = lease_of(&p, 0);
    msg = word(&p, &lease, ASY_PART_START);
    msg.part.words = fail;
    msg.part.n_words = 2;
    if (!coord_send_lease(&p.c, &lease) || !coord_send(&p.c, &msg) ||
        !(part = hear(&p, ASY_PART_FAILED, 0)))
        goto out;
    T_EQ("how", part->end, ASY_END_CRASHED);
    T_HAS("why", part->text, "no such network");
    n = p.c.n_parts;
    T_TRUE(hear(&p, ASY_PART_FAILED, n) != NULL); /* by itself */
    n = p.c.n_parts;
    T_TRUE(say(&p, &lease, ASY_PART_ASK) && hear(&p, ASY_PART_FAILED, n) != NULL);
    n = p.c.n_parts;
    T_TRUE(say(&p, &lease, ASY_PART_START) && hear(&p, ASY_PART_FAILED, n) != NULL);
    T_TRUE(closed(&p, &lease) && settle(&p));
    n = p.c.n_parts;
    T_TRUE(say(&p, &lease, ASY_PART_ASK) && settle(&p));
    T_EQ("heard", p.c.n_parts, n);
out:
    coord_close(&p.c);
}

static void a_member_that_is_cut_off_goes_on(void)
{
    const struct coord_part *part;
    struct asy_lease lease;
    struct parts p;
    pid_t pids[8];
    size_t n;

    if (!open_parts(&p, 1))
        goto out;
    lease = lease_of(&p, 0);
    if (!coord_send_lease(&p.c, &lease) || !say(&p, &lease, ASY_PART_START) ||
        !hear(&p, ASY_PART_READY, 0) || !begun(&p, 1) || !cut_and_heal(&p) ||
        !T_EQ("it holds it", p.c.n_holdings, 1))
        goto out;
    T_EQ("its part", p.c.holdings[0].part, 1);
    T_EQ("which runs", p.c.holdings[0].running, 1);
    n = p.c.n_parts;
    if (!say(&p, &lease, ASY_PART_START) || !(part = hear(&p, ASY_PART_READY, n)))
        goto out;
    T_EQ("the same ones", count_marked(p.c.mark, pids, 8), WITH_RANK);
    for (int i = 0; i < WITH_RANK; i++)
        if (pids[i] != p.c.worker.pid)
            kill(pids[i], SIGKILL); /* supervisor and rank */
    if ((part = hear(&p, ASY_PART_FAILED, n)))
        T_EQ("how", part->end, ASY_END_CRASHED);
out:
    coord_close(&p.c);
}

/* ---- the lead -------------------------------------------------------------------------------- */

/* Its gang has been started and calls the member. */
static int begin_lead(struct parts *p, struct asy_lease *ret_lease)
{
    const struct coord_part *part;

    if (!open_parts(p, 0))
        return 0;
    *ret_lease = lease_of(p, 0);
    if (!coord_send_lease(&p->c, ret_lease) || !(part = hear(p, ASY_PART_START, 0)))
        return 0;
    p->gang = part->gang;
    return T_STR("what the member is to run", part->words, "-mca n 1");
}

static int run_lead(struct parts *p, const struct asy_lease *lease)
{
    size_t three = 3;

    return say(p, lease, ASY_PART_READY) && coord_await_that(&p->c, has_reports, &three);
}

static void a_lead_calls_until_the_member_is_ready(void)
{
    static const char *const gpus[] = { "G1" };
    static const uint32_t shares[] = { ASY_GPU_WHOLE };
    const struct coord_part *part;
    const struct asy_event *end;
    struct asy_lease lease;
    struct asy_msg other;
    struct parts p;

    if (!begin_lead(&p, &lease))
        goto out;
    T_TRUE(hear(&p, ASY_PART_START, p.c.n_parts) != NULL); /* again */
    other = word(&p, &lease, ASY_PART_READY);
    other.part.gang = asy_id_make();
    T_TRUE(coord_send(&p.c, &other) && hear(&p, ASY_PART_START, p.c.n_parts) != NULL);
    T_EQ("nothing began", p.c.n_reports, 0);
    if (!run_lead(&p, &lease) || !say(&p, &lease, ASY_PART_READY)) /* twice does no harm */
        goto out;
    coord_file(&p.c, "go", "");
    if ((end = coord_ended(&p.c, 0, ASY_END_COMPLETE, ASY_CAUSE_NONE)))
        T_NEAR("objective", end->ended.objective, 0.25, 0);
    T_EQ("one start", coord_report(&p.c, 0, ASY_EV_STARTED, 0)->number, 1);
    lease = lease_of(&p, 1); /* the warm gang is named, not started */
    if (coord_send_lease(&p.c, &lease) && hear(&p, ASY_PART_RUN, 0) &&
        say(&p, &lease, ASY_PART_READY))
        T_TRUE(coord_ended(&p.c, 1, ASY_END_COMPLETE, ASY_CAUSE_NONE) != NULL);
    lease = lease_of(&p, 2); /* its ranks on the member see no GPU, and for good */
    p.places[1].gpus = gpus;
    p.places[1].gpu_shares = shares;
    p.places[1].n_gpus = p.places[1].n_gpu_shares = 1;
    if (coord_send_lease(&p.c, &lease) && (part = hear(&p, ASY_PART_START, p.c.n_parts)))
        T_TRUE(asy_id_cmp(part->gang, p.gang) != 0);
out:
    coord_close(&p.c);
}

static void a_member_s_end_is_the_end_of_all(void)
{
    const struct asy_event *end;
    struct asy_lease lease;
    struct asy_msg msg;
    struct parts p;

    if (!begin_lead(&p, &lease) || !run_lead(&p, &lease))
        goto out;
    msg = word(&p, &lease, ASY_PART_FAILED);
    msg.part.end = ASY_END_CRASHED;
    msg.part.cause = ASY_CAUSE_OUT_OF_MEMORY;
    msg.part.text = "it used 2 GiB";
    if (coord_send(&p.c, &msg) &&
        (end = coord_ended(&p.c, 0, ASY_END_CRASHED, ASY_CAUSE_OUT_OF_MEMORY)))
        T_STR("who and why", end->ended.text, "on 'member': it used 2 GiB");
    T_TRUE(await_marked(p.c.mark, WORKER_ALONE, 0));
out:
    coord_close(&p.c);
}

static void a_member_that_cannot_begin_ends_it_before_it_began(void)
{
    const struct asy_event *end;
    struct asy_lease lease;
    struct asy_msg msg;
    struct parts p;

    if (!begin_lead(&p, &lease))
        goto out;
    msg = word(&p, &lease, ASY_PART_FAILED);
    msg.part.end = ASY_END_REFUSED;
    msg.part.cause = ASY_CAUSE_NOT_STARTED;
    msg.part.text = "no trainer";
    if (coord_send(&p.c, &msg) &&
        (end = coord_ended(&p.c, 0, ASY_END_REFUSED, ASY_CAUSE_NOT_STARTED)))
        T_HAS("who and why", end->ended.text, "on 'member': no trainer");
    T_TRUE(await_marked(p.c.mark, WORKER_ALONE, 0));
out:
    coord_close(&p.c);
}

/* Rank 0 is killed: before that is called a crash, the others are asked. */
static void a_lead_asks_the_others_before_it_calls_an_end_a_crash(void)
{
    static const struct {
        const char *name;
        enum asy_part_kind answer;    /* 0: there is none */
        enum asy_end end;
        enum asy_cause cause;
    } cases[] = {
        { "they are well", ASY_PART_WELL, ASY_END_CRASHED, ASY_CAUSE_SIGNAL },
        { "one's node is gone", ASY_PART_AWAY, ASY_END_PREEMPTED, ASY_CAUSE_LOST },
        { "nobody answers", (enum asy_part_kind)0, ASY_END_CRASHED, ASY_CAUSE_SIGNAL },
    };

    for (size_t i = 0, late = 0, tries = 0; i < ASY_ARRAY_LEN(cases); i += !late) {
        const struct asy_report *r;
        struct asy_lease lease;
        struct parts p;
        pid_t pid;
        size_t n;

        late = 0;
        if (!begin_lead(&p, &lease) || !run_lead(&p, &lease) ||
            !(r = coord_report(&p.c, 0, ASY_EV_STARTED, 0)))
            goto next;
        pid = (pid_t)r->event.started.pid;
        n = p.c.n_parts;
        p.since_ms = asy_clock_ms();
        if (!T_TRUE(kill(pid, SIGKILL) == 0) || !hear(&p, ASY_PART_ASK, n) ||
            (cases[i].answer && !say(&p, &lease, cases[i].answer)))
            goto next;
        if (!(r = coord_report(&p.c, 0, ASY_EV_ENDED, 0)))
            goto next;
        late = cases[i].answer == ASY_PART_AWAY && r->event.ended.end == ASY_END_CRASHED &&
               took(&p, ASK_MOST_MS) && ++tries < TRIES; /* as if there had been no answer */
        if (!late && !coord_ended(&p.c, 0, cases[i].end, cases[i].cause))
            fprintf(stderr, "    %s\n", cases[i].name);
        T_TRUE(await_marked(p.c.mark, WORKER_ALONE, 0));
next:
        coord_close(&p.c);
    }
}

static void a_lead_that_is_cut_off_calls_again(void)
{
    struct asy_lease lease;
    struct parts p;

    if (!begin_lead(&p, &lease) || !cut_and_heal(&p) ||
        !T_EQ("it holds it", p.c.n_holdings, 1) || !hear(&p, ASY_PART_START, p.c.n_parts) ||
        !run_lead(&p, &lease) || !cut_and_heal(&p))
        goto out;
    T_EQ("it runs", p.c.holdings[0].running, 1);
    coord_file(&p.c, "go", "");
    T_TRUE(coord_ended(&p.c, 0, ASY_END_COMPLETE, ASY_CAUSE_NONE) != NULL);
out:
    coord_close(&p.c);
}

static void a_lead_that_is_told_to_stop_before_all_are_ready_stops(void)
{
    static const enum asy_cancel_mode modes[] = { ASY_CANCEL_KILL, ASY_CANCEL_STOP };

    for (size_t i = 0; i < ASY_ARRAY_LEN(modes); i++) {
        struct asy_lease lease;
        struct parts p;

        if (begin_lead(&p, &lease) && coord_cancel(&p.c, &lease, modes[i], 500)) {
            if (modes[i] == ASY_CANCEL_STOP)
                T_TRUE(coord_ended(&p.c, 0, ASY_END_STOPPED, ASY_CAUSE_USER) != NULL);
            T_TRUE(await_marked(p.c.mark, WORKER_ALONE, 0));
            T_TRUE(say(&p, &lease, ASY_PART_READY) && settle(&p)); /* too late */
            T_EQ("it did not begin", count_marked(p.c.mark, NULL, 0), WORKER_ALONE);
        }
        coord_close(&p.c);
    }
}

/* ---- another store --------------------------------------------------------------------------- */

/* Gangs of several parts are not offered. A store that was restored from a backup may have leased
 * an attempt of the same numbers, and would take it for that one. */
static void what_another_store_leased_is_over(void)
{
    for (uint32_t own = 0; own < 2; own++) {
        struct asy_lease lease;
        struct parts p;
        size_t n;

        if (own == 0) {
            if (!begin_lead(&p, &lease) || !run_lead(&p, &lease))
                goto next;
        } else {
            if (!open_parts(&p, 1))
                goto next;
            lease = lease_of(&p, 0);
            if (!coord_send_lease(&p.c, &lease) || !say(&p, &lease, ASY_PART_START) ||
                !hear(&p, ASY_PART_READY, 0) || !begun(&p, 1))
                goto next;
        }
        p.c.store = asy_id_make();
        p.c.owner_epoch = 0; /* 1 from now on */
        p.c.n_reports = 0;
        if (!cut_and_heal(&p) || !T_EQ("it held it", p.c.n_holdings, 1)) /* and was told: keep */
            goto next;
        T_TRUE(await_marked(p.c.mark, WORKER_ALONE, 0));
        n = p.c.n_parts;
        T_TRUE(say(&p, &lease, ASY_PART_START) && settle(&p));
        T_EQ("nothing is said of it", p.c.n_parts, n);
        T_EQ("nor reported", p.c.reports[0].trial >= 99, 1);
        T_EQ("but for what was refused", p.c.n_reports, 1);
        p.c.n_reports = 0;
        if (!coord_send_lease(&p.c, &lease)) /* the same numbers, leased by this one */
            goto next;
        if (own == 0)
            T_TRUE(hear(&p, ASY_PART_START, n) != NULL);
        else
            T_TRUE(say(&p, &lease, ASY_PART_START) && hear(&p, ASY_PART_READY, n) != NULL);
next:
        coord_close(&p.c);
    }
}

T_MAIN("part", T_TEST(a_member_starts_once_however_often_it_is_called),
       T_TEST(words_that_are_not_for_it_change_nothing),
       T_TEST(a_warm_gang_is_rejoined_by_its_name),
       T_TEST(a_lease_waits_for_ranks_that_are_about_to_be_idle),
       T_TEST(ranks_that_do_not_become_idle_are_ended),
       T_TEST(a_member_that_is_killed_before_it_began_begins_no_more),
       T_TEST(a_member_tells_how_it_ended_until_it_is_heard),
       T_TEST(a_member_that_is_cut_off_goes_on), T_TEST(a_lead_calls_until_the_member_is_ready),
       T_TEST(a_member_s_end_is_the_end_of_all),
       T_TEST(a_member_that_cannot_begin_ends_it_before_it_began),
       T_TEST(a_lead_asks_the_others_before_it_calls_an_end_a_crash),
       T_TEST(a_lead_that_is_cut_off_calls_again),
       T_TEST(a_lead_that_is_told_to_stop_before_all_are_ready_stops),
       T_TEST(what_another_store_leased_is_over))
