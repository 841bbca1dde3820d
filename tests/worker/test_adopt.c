/* SPDX-License-Identifier: Apache-2.0
 * An agent whose coordinator comes back with another store, restored from a backup: it offers what
 * it runs, and goes on or ends as it is told. The coordinators are scripted, of this version of the
 * protocol and of the one before. */
#include "../asytest.h"
#include "coord.h"
#include <asy/clock.h>
#include <signal.h>
#include <sys/wait.h>

#define STUDY                                                                                      \
    "assay: 1\nname: test\nrun: {command: [python3, p.py]}\n"                                      \
    "objective: {metric: loss, goal: minimize}\nparameters: {lr: {min: 0.0, max: 1.0}}\n"          \
    "budget: {trials: 100}\n"

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

static int has_reports(struct coord *c, const void *n)
{
    return c->n_reports >= *(const size_t *)n;
}

static int greeted(struct coord *c, const void *n)
{
    return c->hellos >= *(const unsigned *)n && !asy_id_is_none(c->session);
}

static int beats(struct coord *c, const void *n)
{
    return c->heartbeats >= *(const unsigned *)n;
}

/* The worker runs an attempt of which five reports are durable; then its coordinator is gone. */
static int begin(struct coord *c, struct asy_lease *ret_lease)
{
    size_t five = 5;

    if (!coord_open(c) || !coord_file(c, "p.py", stepper) || !coord_study(c, STUDY) ||
        !coord_worker(c, NULL, NULL))
        return 0;
    *ret_lease = coord_lease(c, 0, 0, 1);
    if (!coord_send_lease(c, ret_lease) || !coord_await_that(c, has_reports, &five))
        return 0;
    coord_hang_up(c);
    return 1;
}

/* ... and another store is there, which knows nothing of the attempt. */
static int come_back(struct coord *c, uint32_t minor)
{
    unsigned greetings = c->hellos + 1;

    c->store = asy_id_make();
    c->owner_epoch = 1;
    c->minor = minor;
    c->n_reports = 0;
    return coord_listen(c) && coord_await_that(c, greeted, &greetings);
}

static int stays_silent(struct coord *c)
{
    unsigned later = c->heartbeats + 5;

    return coord_await_that(c, beats, &later) && T_EQ("reports", c->n_reports, 0);
}

static void what_another_store_leased_is_offered_and_goes_on_when_adopted(void)
{
    struct coord c = { 0 };
    struct asy_lease lease;
    struct asy_id was;
    const struct asy_event *ended;

    if (!begin(&c, &lease))
        goto out;
    was = c.store;
    if (!come_back(&c, 1) || !T_EQ("holdings", c.n_holdings, 1))
        goto out;
    T_EQ("it runs", c.holdings[0].running, 1);
    T_EQ("whose it is", asy_id_cmp(c.offers[0].store, was), 0);
    T_EQ("all its reports are there", c.offers[0].first, 1);
    T_EQ("where it goes", c.offers[0].milestone, lease.milestone);
    T_EQ("its seed", c.offers[0].seed, lease.seed);
    if (!stays_silent(&c))
        goto out;
    lease.attempt = 5;
    lease.epoch = 5;
    lease.adopts = was;
    lease.adopts_attempt = 1;
    if (!coord_send_lease(&c, &lease) || !coord_file(&c, "go", "") ||
        !(ended = coord_ended(&c, 0, ASY_END_COMPLETE, ASY_CAUSE_NONE)))
        goto out;
    T_EQ("under its new number", ended->attempt, 5);
    T_EQ("from the first on", c.reports[0].event.kind, ASY_EV_STARTED);
    for (size_t i = 0; i < c.n_reports; i++) {
        T_EQ("number", c.reports[i].number, i + 1);
        T_EQ("epoch", c.reports[i].epoch, 5);
    }
out:
    coord_close(&c);
}

static void an_end_is_offered_too(void)
{
    struct coord c = { 0 };
    struct asy_lease lease;
    struct asy_id was;
    unsigned again;

    if (!begin(&c, &lease))
        goto out;
    was = c.store;
    if (!come_back(&c, 1) || !stays_silent(&c))
        goto out;
    again = c.hellos + 1;
    coord_file(&c, "go", "");
    if (!coord_await_that(&c, greeted, &again) || !T_EQ("holdings", c.n_holdings, 1))
        goto out;
    T_EQ("it has ended", c.holdings[0].running, 0);
    lease.attempt = lease.epoch = 2;
    lease.adopts = was;
    lease.adopts_attempt = 1;
    if (coord_send_lease(&c, &lease))
        T_TRUE(coord_ended(&c, 0, ASY_END_COMPLETE, ASY_CAUSE_NONE) != NULL);
out:
    coord_close(&c);
}

static void a_worker_that_drains_does_not_wait_for_a_decision(void)
{
    struct coord c = { 0 };
    struct asy_lease lease;
    int status;

    if (begin(&c, &lease) && come_back(&c, 1)) {
        asy_proc_signal(&c.worker, SIGTERM);
        if (!coord_await(&c, ASY_MSG_DRAIN) || !coord_file(&c, "go", "") ||
            !coord_await(&c, ASY_MSG_BYE))
            goto out;
        status = coord_worker_end(&c);
        T_EQ("exit code", WIFEXITED(status) ? WEXITSTATUS(status) : -1, 0);
        T_EQ("nothing is reported", c.n_reports, 0);
    }
out:
    coord_close(&c);
}

static void what_is_discarded_ends_without_a_word(void)
{
    struct coord c = { 0 };
    struct asy_lease lease;

    if (begin(&c, &lease)) {
        struct asy_msg msg = { .type = ASY_MSG_CANCEL };

        msg.cancel.store = c.store;
        if (!come_back(&c, 1))
            goto out;
        msg.cancel.study = lease.study;
        msg.cancel.attempt = 1;
        msg.cancel.epoch = 1;
        msg.cancel.mode = ASY_CANCEL_KILL;
        T_TRUE(coord_cancel(&c, &lease, ASY_CANCEL_KILL, 0)); /* of ours there is none */
        T_TRUE(await_marked(c.mark, 1, 1));
        T_TRUE(coord_send(&c, &msg));
        T_TRUE(await_marked(c.mark, 1, 0));
        stays_silent(&c);
    }
out:
    coord_close(&c);
}

/* Both of them have the numbers of one folder. */
static void the_same_attempt_is_not_begun_beside_the_offered_one(void)
{
    struct coord c = { 0 };
    struct asy_lease lease;

    if (begin(&c, &lease) && come_back(&c, 1) && coord_send_lease(&c, &lease)) {
        const struct asy_report *r = coord_report(&c, 0, ASY_EV_ENDED, 0);

        if (T_TRUE(r != NULL)) {
            T_EQ("refused", r->event.ended.end, ASY_END_REFUSED);
            T_EQ("only that", r->number, 1);
        }
    }
    coord_close(&c);
}

/* Version 1.0 kills what is of another store, and has no other word for it. */
static void a_coordinator_of_version_1_0_is_obeyed(void)
{
    struct coord c = { 0 };
    struct asy_lease lease;

    if (begin(&c, &lease)) {
        c.kill[0] = (struct asy_holding){ .study = lease.study, .attempt = 1, .epoch = 1,
                                          .running = 1 };
        c.marks[0] = (struct asy_watermark){ .study = lease.study, .attempt = 1, .closed = 1 };
        c.n_kill = c.n_marks = 1;
        if (come_back(&c, 0)) {
            T_TRUE(await_marked(c.mark, 1, 0));
            stays_silent(&c);
            c.trial = 1; /* and it works for that one */
            lease = coord_lease(&c, 1, 0, 1);
            coord_file(&c, "go", "");
            T_TRUE(coord_send_lease(&c, &lease) &&
                   coord_ended(&c, 1, ASY_END_COMPLETE, ASY_CAUSE_NONE));
        }
    }
    coord_close(&c);
}

/* A value that its enumeration has had since 1.1 would make the whole frame one that it drops. */
static void it_hears_no_newer_word(void)
{
    static const struct {
        const char *name;
        uint32_t minor;
        enum asy_end end;
        enum asy_cause cause;
    } cases[] = {
        { "1.0", 0, ASY_END_CRASHED, ASY_CAUSE_NOT_STARTED },
        { "1.1", 1, ASY_END_REFUSED, ASY_CAUSE_CHECKPOINT_GONE },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct coord c = { .minor = cases[i].minor };
        struct asy_lease lease;

        if (coord_open(&c) && coord_file(&c, "p.py", stepper) && coord_study(&c, STUDY) &&
            coord_worker(&c, NULL, NULL)) {
            lease = coord_lease(&c, 0, 0, 1);
            lease.from = (struct asy_checkpoint){ .attempt = 1, .step = 2, .bytes = 1,
                                                  .path = "/nonexistent/checkpoint" };
            lease.attempt = lease.epoch = 2;
            if (!coord_send_lease(&c, &lease) ||
                !coord_ended(&c, 0, cases[i].end, cases[i].cause))
                fprintf(stderr, "    %s\n", cases[i].name);
        }
        coord_close(&c);
    }
}

T_MAIN("adopt", T_TEST(what_another_store_leased_is_offered_and_goes_on_when_adopted),
       T_TEST(an_end_is_offered_too),
       T_TEST(a_worker_that_drains_does_not_wait_for_a_decision),
       T_TEST(what_is_discarded_ends_without_a_word),
       T_TEST(the_same_attempt_is_not_begun_beside_the_offered_one),
       T_TEST(a_coordinator_of_version_1_0_is_obeyed), T_TEST(it_hears_no_newer_word))
