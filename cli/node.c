/* SPDX-License-Identifier: Apache-2.0
 * node.c - `assay node`: keeps a coordinator and an agent alive on this machine. It takes the
 * signals: the first drains (the coordinator pauses all trials, then the agent leaves), a second
 * one that is somebody's impatience ends both at once (asy/told.h). A child that dies, or cannot
 * be started again, is started after a pause that doubles from 100 ms to 10 s; a coordinator that
 * ended in peace ends the node. One that died while it drained is started again too, to drain on.
 *
 * A home has one node on a machine: the second one finds the first one's lock and leaves. A
 * coordinator that lives without a node (a reading command has started it, or its node was killed)
 * makes way for that of the next node: SIGHUP ends it, and like any death that loses nothing.
 *
 * In a job of Slurm with several nodes the worker is one step (step.h), in which `assay node
 * --agent`, which has no coordinator, keeps a worker alive on each. A step is never told by
 * SIGTERM: srun, while it is there, would kill its tasks then, but hands SIGUSR1 on to them. One
 * that leaves in order, though nobody here has told it to, was warned by Slurm, which sends such
 * signals to steps alone: so whoever started this node is told SIGUSR1, as if it had got it too.
 *
 * A node that is killed leaves its coordinator, which serves on, but not its worker, which drains:
 * beside the worker of the next node it would give out the cores of this machine twice. */
#include "cli.h"
#include "step.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include <asy/clock.h>
#include <asy/durable.h>
#include <asy/keys.h>
#include <asy/log.h>
#include <asy/proc.h>
#include <asy/told.h>

struct child {
    const char *name;
    struct asy_proc proc;
    int64_t again_ms;   /* when to start it next */
    int64_t started_ms;
    int pause_ms;
    int lived;          /* one of it stayed up for a while */
    int leave;          /* the signal that drains it */
    int let_go;         /* it is a task of the step, not a child of ours */
    int left;           /* in order, a moment ago */
    int lonely;         /* it ended without a coordinator, a moment ago */
};
#define UP_MS 1000          /* whoever lives this long has come up */
#define OWNED_PAUSE_MS 1000
#define DRAINED_PAUSE_MS 1000 /* a worker leaves in peace with its coordinator, just before it */

#define WAY_MS 3000         /* how long a coordinator without a node may take to make way */
#define HASTE_MS 1000       /* what is left to a coordinator that was told twice */

struct node {
    const struct asy__options *options;
    struct child coordinator, worker;
    struct asy__step step;
    pid_t parent;
    int say;            /* of a task: who hears that it runs; -1: nobody */
    int in_step;        /* it is such a task */
    int64_t beat_us;    /* of the coordinator, when the worker was found lonely */
    int keep, signals, told, drains, ending;
    int64_t hurry_ms;   /* when it was told to end at once; 0: it was not */
};

/* ---- one node for a home ------------------------------------------------------------------- */

/* Held until we end. Where files cannot be locked nothing is, and nobody is kept out. */
static int keep_home(const struct node *node, struct asy_error *err)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    struct asy_discovery here = { 0 };
    char path[4600];
    int fd, rc;

    if ((rc = asy_discovery_here(&here, err)) < 0)
        return rc;
    snprintf(path, sizeof path, "%s/node-%s.lock", node->options->home, here.host);
    if ((fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)) < 0)
        return asy_fail_errno(err, errno, "cannot open '%s'", path);
    if (fcntl(fd, F_OFD_SETLK, &lock) < 0 && (errno == EAGAIN || errno == EACCES)) {
        close(fd);
        return asy_fail(err, ASY_E_BUSY, "another node keeps '%s'", node->options->home);
    }
    return 0;
}

/* A coordinator of this machine that no node keeps: we have the home, and ours does not run. */
static int has_orphan(const struct node *node, struct asy_discovery *ret_found)
{
    char path[4200];

    snprintf(path, sizeof path, "%s/coordinator.json", node->options->home);
    return asy_discovery_read(path, ret_found, NULL) == 0 && asy_discovery_local(ret_found) &&
           !asy_discovery_stale(ret_found);
}

/* Ours has died. If it had been told to stay, so will the next one. */
static void inherit(struct node *node, pid_t pid)
{
    struct asy_discovery found;
    char path[4200];

    snprintf(path, sizeof path, "%s/coordinator.json", node->options->home);
    if (asy_discovery_read(path, &found, NULL) == 0 && asy_discovery_local(&found) &&
        found.pid == pid)
        node->keep |= found.stays;
}

/* One that does not make way has the store yet: ours will say so. */
static void take_over(struct node *node)
{
    int64_t until_ms = asy_clock_ms() + WAY_MS;
    struct asy_discovery found;

    if (!has_orphan(node, &found))
        return;
    node->keep |= found.stays;
    asy_info("pid=%d is a coordinator without a node, taking over from it", (int)found.pid);
    ASY_IGNORE(kill((pid_t)found.pid, SIGHUP) < 0);
    while (has_orphan(node, &found) && asy_clock_ms() < until_ms)
        ASY_IGNORE(poll(NULL, 0, 10) < 0);
}

/* ---- children ------------------------------------------------------------------------------ */

struct words {
    const char *argv[24];
    int n;
    char program[4096], agent[4096], cores[32];
};

static void add(struct words *w, const char *word)
{
    w->argv[w->n++] = word;
}

static int is_step(const struct node *node, const struct child *child)
{
    return child == &node->worker && node->options->nodes > 1;
}

static int words_of(const struct node *node, const struct child *child, struct words *w,
                    struct asy_error *err)
{
    int rc = asy_proc_find_program(child->name, w->program, sizeof w->program, err);
    const char *patience = "";

    add(w, w->program);
    if (rc == 0 && is_step(node, child) &&
        (rc = asy_proc_find_program("assay", w->agent, sizeof w->agent, err)) == 0)
        asy__step_words(w->argv, &w->n, node->options->nodes, w->agent);
    add(w, "--home");
    add(w, node->options->home);
    if (child == &node->coordinator && node->keep)
        add(w, "--keep");
    if (child == &node->coordinator && node->drains)
        add(w, "--drain"); /* the one that was draining died before all was stored */
    if (child == &node->worker && node->in_step) {
        rc = rc < 0 ? rc : asy__step_patience(node->options->home, &patience, err);
        if (*patience) {
            add(w, "--orphan-exit");
            add(w, patience);
        }
    }
    if (child == &node->worker && node->options->cores > 0) {
        snprintf(w->cores, sizeof w->cores, "%lld", (long long)node->options->cores);
        add(w, "--cores");
        add(w, w->cores);
    }
    add(w, NULL);
    return rc;
}

static int start(struct node *node, struct child *child, struct asy_error *err)
{
    struct asy_proc_spec spec = ASY_PROC_SPEC_INIT;
    struct words words = { .n = 0 };
    int to = -1, rc;

    if (child == &node->coordinator)
        take_over(node);
    if (is_step(node, child))
        asy__step_clear(node->options->home);
    child->started_ms = asy_clock_ms();
    child->again_ms = INT64_MAX;
    if ((rc = words_of(node, child, &words, err)) < 0)
        return rc;
    spec.argv = words.argv;
    spec.new_session = 1;
    if (child == &node->worker)
        spec.death_signal = child->leave; /* a node that takes our place has one of its own */
    if (is_step(node, child)) {
        if ((rc = asy__step_listen(&node->step, &to, err)) < 0)
            return rc;
        spec.stdout_fd = to;
    }
    rc = asy_proc_start(&spec, &child->proc, err);
    if (to >= 0)
        close(to);
    return rc;
}

static void hear_step(struct node *node)
{
    struct asy_error err = ASY_ERROR_INIT;
    pid_t here = 0;

    asy__step_hear(&node->step, node->options->home, node->options->nodes, &here);
    if (here == 0 || node->worker.proc.pidfd < 0)
        return;
    if (asy__step_let_go(&node->worker.proc, here, &err) == 0)
        node->worker.let_go = 1;
    else
        asy_warn("%s, so trials cannot checkpoint when the job is cancelled or requeued", err.text);
}

static void start_later(struct child *child, const char *what, const char *why)
{
    int64_t now_ms = asy_clock_ms();

    child->pause_ms = now_ms - child->started_ms > 60000 || !child->pause_ms
                          ? 100
                          : child->pause_ms * 2 > 10000 ? 10000 : child->pause_ms * 2;
    child->again_ms = now_ms + child->pause_ms;
    asy_warn("%s %s: %s, starting it again in %d ms", child->name, what, why, child->pause_ms);
}

/* 1: it has ended. How a task of the step did nobody knows: each of them ends in order, or is
 * killed. */
static int has_ended(struct child *child, int *ret_status)
{
    struct pollfd end = { .fd = child->proc.pidfd, .events = POLLIN };

    *ret_status = 0;
    return child->let_go ? poll(&end, 1, 0) > 0
                         : asy_proc_wait(&child->proc, 0, ret_status, NULL) == 0;
}

static void ended(struct node *node, struct child *child)
{
    int64_t now_ms = asy_clock_ms();
    pid_t pid = child->proc.pid;
    char text[64];
    int status = 0;

    if (!has_ended(child, &status))
        return;
    if (child == &node->coordinator)
        inherit(node, pid);
    asy_proc_close(&child->proc);
    child->proc = (struct asy_proc)ASY_PROC_INIT;
    child->let_go = 0;
    if (child == &node->coordinator && status == 0)
        node->ending = 1;
    if (node->options->agent && (status == 0 || node->drains))
        node->ending = 1; /* the coordinator has sent it away */
    if (node->ending || (child == &node->worker && node->drains))
        return;
    child->lived |= now_ms - child->started_ms >= UP_MS;
    /* While ours was down a command has started another, which makes way once it can be found. */
    if (child == &node->coordinator && child->lived && WIFEXITED(status) &&
        WEXITSTATUS(status) == ASY__EXIT_OWNED) {
        child->again_ms = now_ms + OWNED_PAUSE_MS;
        return;
    }
    if (child == &node->worker && status == 0) {
        asy_info("%s left in order", child->name);
        child->left = 1;
        child->again_ms = now_ms + DRAINED_PAUSE_MS;
        return;
    }
    if (node->in_step && WIFEXITED(status) && WEXITSTATUS(status) == EXIT_AWAY) {
        asy_warn("%s found no coordinator, looking whether one lives", child->name);
        node->beat_us = asy__step_beat_us(node->options->home);
        child->lonely = 1;
        child->again_ms = now_ms + asy__step_silence_ms(node->options->home, node->beat_us);
        return;
    }
    /* A child that never came up will not come up by trying on. */
    if (child == &node->coordinator && now_ms - child->started_ms < UP_MS &&
        child->pause_ms > 1000) {
        asy_logerr("%s ends at once again and again: %s; giving up", child->name,
                   asy_proc_status_text(status, text));
        node->ending = 1;
        return;
    }
    start_later(child, "ended", asy_proc_status_text(status, text));
}

/* 1: the step was warned, and whoever started us now knows. */
static int pass_on_warning(struct node *node, struct child *child)
{
    int warned = child->left && is_step(node, child) && getppid() == node->parent &&
                 kill(node->parent, SIGUSR1) == 0;

    child->left = 0;
    if (warned)
        child->again_ms = INT64_MAX;
    return warned;
}

/* A coordinator that marks its store lives, and only this node does not reach it: the job goes on.
 * 1: it is dead, and the job has been given up. */
static int give_up(struct node *node, struct child *child)
{
    struct asy_error err = ASY_ERROR_INIT;
    int lonely = child->lonely;

    child->lonely = 0;
    if (!lonely || node->beat_us == 0 ||
        asy__step_beat_us(node->options->home) != node->beat_us)
        return 0;
    if (asy__step_give_up(&err) < 0) {
        asy_warn("%s, looking for a coordinator again", err.text);
        return 0;
    }
    node->ending = 1;
    return 1;
}

/* ---- the loop ------------------------------------------------------------------------------ */

static void take_signals(struct node *node)
{
    struct signalfd_siginfo info;

    while (read(node->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        int at_once = asy_told(&node->told, (int)info.ssi_signo);

        if (node->drains && !at_once)
            continue;
        asy_info("signal=%u %s", info.ssi_signo, at_once ? "ending at once" : "draining");
        /* may be gone already; SIGINT hurries it in a batch job too */
        ASY_IGNORE(asy_proc_signal(node->options->agent ? &node->worker.proc
                                                        : &node->coordinator.proc,
                                   node->drains ? SIGINT : SIGTERM));
        node->worker.again_ms = INT64_MAX; /* if it is just gone, it is not wanted any more */
        node->drains = 1;
        if (node->options->agent && node->worker.proc.pidfd < 0)
            node->ending = 1; /* there is none to wait for */
        if (at_once) {
            node->ending = 1;
            node->hurry_ms = asy_clock_ms();
        }
    }
}

static int wait_ms(const struct node *node)
{
    int64_t next_ms = node->coordinator.again_ms < node->worker.again_ms
                          ? node->coordinator.again_ms
                          : node->worker.again_ms;
    int64_t left_ms = next_ms == INT64_MAX ? 60000 : next_ms - asy_clock_ms();

    return left_ms < 0 ? 0 : left_ms > 60000 ? 60000 : (int)left_ms;
}

static void serve(struct node *node)
{
    struct asy_error err;

    while (!node->ending) {
        struct pollfd items[] = { { .fd = node->signals, .events = POLLIN },
                                  { .fd = node->coordinator.proc.pidfd, .events = POLLIN },
                                  { .fd = node->worker.proc.pidfd, .events = POLLIN },
                                  { .fd = node->step.from, .events = POLLIN } };
        struct child *children[] = { &node->coordinator, &node->worker };

        ASY_IGNORE(poll(items, ASY_ARRAY_LEN(items), wait_ms(node)) < 0);
        take_signals(node);
        if (items[3].revents)
            hear_step(node);
        for (size_t i = 0; i < ASY_ARRAY_LEN(children); i++) {
            if (children[i]->proc.pidfd >= 0)
                ended(node, children[i]);
            if (!node->ending && asy_clock_ms() >= children[i]->again_ms &&
                !pass_on_warning(node, children[i]) && !give_up(node, children[i]) &&
                start(node, children[i], &err) < 0)
                start_later(children[i], "does not start", err.text);
        }
    }
}

/* Sees a child off, in haste once a second signal came. */
static void finish(struct node *node, struct child *child, int64_t patience_ms, int64_t haste_ms)
{
    int64_t begun_ms = asy_clock_ms(), left_ms;
    int status;

    ASY_IGNORE(asy_proc_signal(&child->proc, child->leave)); /* may be gone already */
    while (child->proc.pidfd >= 0 && !has_ended(child, &status)) {
        struct pollfd items[] = { { .fd = node->signals, .events = POLLIN },
                                  { .fd = child->proc.pidfd, .events = POLLIN } };

        left_ms = node->hurry_ms ? node->hurry_ms + haste_ms : begun_ms + patience_ms;
        left_ms -= asy_clock_ms();
        if (left_ms <= 0) {
            ASY_IGNORE(asy_proc_signal(&child->proc, SIGKILL));
            if (!child->let_go)
                ASY_IGNORE(asy_proc_wait(&child->proc, -1, &status, NULL));
            break;
        }
        ASY_IGNORE(poll(items, ASY_ARRAY_LEN(items), (int)left_ms) < 0);
        take_signals(node);
    }
    asy_proc_close(&child->proc);
}

static int run_node(struct node *node, struct asy_error *err)
{
    sigset_t set;
    int rc;

    sigemptyset(&set);
    asy_told_signals(&set);
    sigaddset(&set, SIGHUP);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0 ||
        (node->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC)) < 0)
        return asy_fail_errno(err, errno, "cannot take signals");
    rc = node->options->agent ? 0 : start(node, &node->coordinator, err);
    if (rc == 0 && (rc = start(node, &node->worker, err)) == 0) {
        if (node->say >= 0)
            asy__step_say(node->say);
        serve(node);
    }
    finish(node, &node->coordinator, 60000, HASTE_MS);
    finish(node, &node->worker, 10000, 0);
    asy__step_fini(&node->step);
    close(node->signals);
    return rc;
}

int asy__cmd_node(int argc, char **argv)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__options options;
    struct node node = { .options = &options,
                         .step = ASY__STEP_INIT,
                         .parent = getppid(),
                         .say = -1,
                         .coordinator = { .name = "assay-coordinator", .leave = SIGTERM,
                                          .proc = ASY_PROC_INIT, .again_ms = INT64_MAX },
                         .worker = { .name = "assay-worker", .leave = SIGTERM,
                                     .proc = ASY_PROC_INIT, .again_ms = INT64_MAX } };

    if (asy__options_parse(argc, argv, "caNl", 0, 0, &options, &err) < 0) {
        asy__complain(&err);
        return EXIT_USAGE;
    }
    node.keep = options.all;
    node.in_step = options.agent && getenv("SLURM_STEP_ID") && getenv("SLURMD_NODENAME");
    if (options.nodes > 1) {
        node.worker.name = "srun";
        node.worker.leave = SIGUSR1;
    }
    if (asy_durable_mkdirs(options.home, &err) < 0 ||
        (node.in_step && asy__step_log(options.home, &node.say, &err) < 0))
        return asy__complain(&err);
    asy_log_open(STDERR_FILENO, "assay-node", ASY_LOG_INFO, 0);
    if (!options.agent && keep_home(&node, &err) < 0) {
        asy__complain(&err);
        return err.code == ASY_E_BUSY ? ASY__EXIT_KEPT : EXIT_FAILED;
    }
    if (run_node(&node, &err) < 0)
        return asy__complain(&err);
    return node.hurry_ms ? 128 + SIGTERM : EXIT_DONE;
}
