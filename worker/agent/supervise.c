/* SPDX-License-Identifier: Apache-2.0
 * supervise.c - the life of assay-attempt: start one program, end all that descends from it, tell
 * the agent.
 *
 * A subreaper, so that daemons and re-parented ranks stay its children; a session of its own, so
 * that a terminal's Ctrl-C does not reach it. Signals are not its orders: Slurm sends SIGTERM to
 * every process of a step, and what then happens to a trial is the agent's decision, so all but
 * SIGKILL are blocked. Its orders come over the line; end of file there means the agent is gone.
 * PR_SET_PDEATHSIG wakes it too, should another process hold the line open.
 *
 * The tree is empty when waitpid() has no child left: exact, where any list of /proc is a moment's
 * view. Rounds of SIGKILL go on until then. */
#include "cgroup.h"
#include "spawn.h"
#include "tree.h"
#include <asy/attempt.h>
#include <asy/buf.h>
#include <asy/clock.h>
#include <asy/durable.h>
#include <asy/json.h>
#include <asy/parse.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define LINGER_MS 1000 /* what the program left behind may end by itself; --linger */
#define ROUND_MIN_MS 5
#define ROUND_MAX_MS 100
#define WATCH_MS 500   /* between two looks at memory */

struct supervisor {
    int line, signals;
    pid_t agent, pid;
    struct asy__spawn spawn;
    const char *cgroup_parent;
    char *scratch;
    uint64_t linger_ms;
    struct asy__cgroup group;
    uint64_t memory;
    int program_ended, status;
    int killing;          /* SIGKILL rounds go on */
    int ours;             /* the program ended when they already did */
    int64_t round_ms, round_at_ms, linger_until_ms, watch_at_ms;
    unsigned left;
    uint64_t kernel_kills, peak;
    int over_memory;
    char command[64];     /* unfinished command line from the agent */
    size_t command_len;
    char note[200];
};

static void tell(struct supervisor *s, const struct asy_buf *text)
{
    size_t sent = 0;

    while (!text->rc && sent < text->len) {
        ssize_t n = send(s->line, text->data + sent, text->len - sent, MSG_NOSIGNAL);

        if (n > 0)
            sent += (size_t)n;
        else if (errno != EINTR)
            break; /* the agent is gone: there is nobody to tell */
    }
}

static void tell_text(struct supervisor *s, const char *key, const char *text)
{
    struct asy_buf buf;
    struct asy_jsonw w;

    asy_buf_init(&buf, 4096);
    asy_jsonw_init(&w, &buf, 0);
    asy_jsonw_open(&w, NULL, '{');
    asy_jsonw_str(&w, key, text);
    asy_jsonw_close(&w, '}');
    asy_buf_addc(&buf, '\n');
    tell(s, &buf);
    asy_buf_fini(&buf);
}

static void tell_started(struct supervisor *s)
{
    static unsigned cpus[ASY__SPAWN_CPUS];
    char text[256] = "";
    struct asy_buf buf;
    struct asy_jsonw w;
    size_t n;

    if (asy_cpus_read(s->pid, cpus, ASY__SPAWN_CPUS, &n, NULL) == 0)
        ASY_IGNORE(asy_cpus_format(cpus, n, text, sizeof text, NULL)); /* shown cut */
    asy_buf_init(&buf, 4096);
    asy_jsonw_init(&w, &buf, 0);
    asy_jsonw_open(&w, NULL, '{');
    asy_jsonw_open(&w, "started", '{');
    asy_jsonw_i64(&w, "pid", s->pid);
    asy_jsonw_str(&w, "cpus", text);
    asy_jsonw_close(&w, '}');
    asy_jsonw_close(&w, '}');
    asy_buf_addc(&buf, '\n');
    tell(s, &buf);
    asy_buf_fini(&buf);
}

/* How often this kernel has killed for want of memory since it started. */
static uint64_t kernel_kills(void)
{
    char text[16384];
    const char *at;
    uint64_t value;

    if (asy__read_small("/proc/vmstat", text, sizeof text) < 0 ||
        !(at = strstr(text, "\noom_kill ")))
        return 0;
    at += strlen("\noom_kill ");
    return asy_parse_u64(at, strcspn(at, "\n"), &value, NULL) < 0 ? 0 : value;
}

/* mpirun and shells pass on that a signal ended what they ran: 128 and its number. */
static int was_killed(int status)
{
    return (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) ||
           (WIFEXITED(status) && WEXITSTATUS(status) == 128 + SIGKILL);
}

static int out_of_memory(struct supervisor *s)
{
    if (s->over_memory)
        return 1;
    if (asy__cgroup_oom_kills(&s->group) > 0) {
        snprintf(s->note, sizeof s->note, "the kernel killed it at its limit of %llu MiB",
                 (unsigned long long)(s->memory >> 20));
        return 1;
    }
    if (was_killed(s->status) && !s->ours &&
        kernel_kills() > s->kernel_kills) {
        snprintf(s->note, sizeof s->note, "the kernel killed it: the machine was out of memory");
        return 1;
    }
    return 0;
}

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + 1e-6 * (double)t.tv_usec;
}

static void tell_ended(struct supervisor *s, int oom)
{
    uint64_t rss, peak = asy__cgroup_peak(&s->group);
    struct rusage usage = { 0 };
    struct asy_buf buf;
    struct asy_jsonw w;

    getrusage(RUSAGE_CHILDREN, &usage);
    rss = (uint64_t)usage.ru_maxrss << 10;
    rss = peak > rss ? peak : rss;
    rss = s->peak > rss ? s->peak : rss;
    asy_buf_init(&buf, 4096);
    asy_jsonw_init(&w, &buf, 0);
    asy_jsonw_open(&w, NULL, '{');
    asy_jsonw_open(&w, "ended", '{');
    if (WIFEXITED(s->status))
        asy_jsonw_i64(&w, "exit", WEXITSTATUS(s->status));
    else
        asy_jsonw_i64(&w, "signal", WTERMSIG(s->status));
    asy_jsonw_f64(&w, "cpu_s", seconds(usage.ru_utime) + seconds(usage.ru_stime));
    asy_jsonw_u64(&w, "max_rss", rss);
    asy_jsonw_bool(&w, "oom", oom);
    asy_jsonw_u64(&w, "left", s->left);
    asy_jsonw_str(&w, "note", s->note);
    asy_jsonw_close(&w, '}');
    asy_jsonw_close(&w, '}');
    asy_buf_addc(&buf, '\n');
    tell(s, &buf);
    asy_buf_fini(&buf);
}

/* Nothing uses it any more. Without its agent the folder above, which holds those of all its gangs,
 * goes with the last of them. */
static void remove_scratch(struct supervisor *s)
{
    char *slash;

    if (!s->scratch)
        return;
    ASY_IGNORE(asy_durable_remove(s->scratch, NULL)); /* else an agent does */
    if (s->line >= 0 || !(slash = strrchr(s->scratch, '/')))
        return;
    *slash = '\0';
    rmdir(s->scratch);
}

/* One signal to every descendant of now; returns how many there are. */
static unsigned signal_all(struct supervisor *s, int signum)
{
    struct asy__tree tree = { 0 };
    unsigned n;

    if (signum == SIGKILL)
        asy__cgroup_kill(&s->group);
    if (asy__tree_list(getpid(), NULL, 0, &tree) < 0) {
        if (s->pid > 0 && !s->program_ended)
            kill(s->pid, signum); /* no memory for a list: at least the program */
        return 1;
    }
    asy__tree_signal(&tree, signum);
    n = (unsigned)tree.n;
    asy__tree_fini(&tree);
    return n;
}

static void start_killing(struct supervisor *s)
{
    if (s->killing)
        return;
    s->killing = 1;
    s->round_ms = ROUND_MIN_MS;
    s->round_at_ms = 0;
}

/* Reaps; 1 when no child is left. */
static int reap(struct supervisor *s, int64_t now_ms)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid != s->pid)
            continue;
        s->program_ended = 1;
        s->ours = s->killing;
        s->status = status;
        s->linger_until_ms = now_ms + (int64_t)s->linger_ms;
    }
    return pid < 0 && errno == ECHILD;
}

static void watch_memory(struct supervisor *s)
{
    struct asy__tree tree = { 0 };
    uint64_t used;

    if (asy__tree_list(getpid(), NULL, 0, &tree) < 0)
        return;
    used = asy__tree_memory(&tree, s->peak < s->memory ? s->peak : s->memory);
    asy__tree_fini(&tree);
    if (used > s->peak)
        s->peak = used;
    if (used <= s->memory || s->killing)
        return;
    s->over_memory = 1;
    snprintf(s->note, sizeof s->note, "it used %llu MiB, its limit is %llu MiB",
             (unsigned long long)(used >> 20), (unsigned long long)(s->memory >> 20));
    start_killing(s);
}

static void obey(struct supervisor *s, const char *word)
{
    if (!strcmp(word, "term"))
        signal_all(s, SIGTERM);
    else if (!strcmp(word, "kill"))
        start_killing(s);
}

static void read_line(struct supervisor *s)
{
    char text[256];
    ssize_t n = recv(s->line, text, sizeof text, MSG_DONTWAIT);

    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        close(s->line);
        s->line = -1;
        start_killing(s);
        return;
    }
    for (ssize_t i = 0; i < n; i++) {
        if (text[i] == '\n') {
            s->command[s->command_len] = '\0';
            obey(s, s->command);
            s->command_len = 0;
        } else if (s->command_len < sizeof s->command - 1) {
            s->command[s->command_len++] = text[i];
        }
    }
}

static void read_signals(struct supervisor *s)
{
    struct signalfd_siginfo info;

    while (read(s->signals, &info, sizeof info) == (ssize_t)sizeof info)
        if (info.ssi_signo == SIGHUP && getppid() != s->agent)
            start_killing(s); /* our death signal; anybody else's SIGHUP means nothing */
}

/* What time asks for; returns how long to wait. */
static int run_timers(struct supervisor *s, int64_t now_ms)
{
    int64_t next = INT64_MAX;

    if (s->program_ended && !s->killing && now_ms >= s->linger_until_ms) {
        struct asy__tree tree = { 0 };

        if (asy__tree_list(getpid(), NULL, 0, &tree) == 0)
            s->left = (unsigned)tree.n;
        asy__tree_fini(&tree);
        start_killing(s);
    }
    if (s->memory && !s->group.has_memory && now_ms >= s->watch_at_ms) {
        watch_memory(s);
        s->watch_at_ms = now_ms + WATCH_MS;
    }
    if (s->killing && now_ms >= s->round_at_ms) {
        signal_all(s, SIGKILL);
        s->round_at_ms = now_ms + s->round_ms;
        s->round_ms = 2 * s->round_ms > ROUND_MAX_MS ? ROUND_MAX_MS : 2 * s->round_ms;
    }
    if (s->killing)
        next = s->round_at_ms;
    else if (s->program_ended)
        next = s->linger_until_ms;
    if (s->memory && !s->group.has_memory && s->watch_at_ms < next)
        next = s->watch_at_ms;
    return next == INT64_MAX ? -1 : (int)(next > now_ms ? next - now_ms : 0);
}

static void supervise(struct supervisor *s)
{
    for (;;) {
        struct pollfd fds[2] = { { s->signals, POLLIN, 0 }, { s->line, POLLIN, 0 } };
        int wait_ms;

        if (reap(s, asy_clock_ms()))
            return;
        wait_ms = run_timers(s, asy_clock_ms());
        if (poll(fds, s->line >= 0 ? 2 : 1, wait_ms) < 0 && errno != EINTR)
            start_killing(s); /* cannot hear the agent any more: as if it were gone */
        if (fds[0].revents)
            read_signals(s);
        if (s->line >= 0 && fds[1].revents)
            read_line(s);
    }
}

static int prepare(struct supervisor *s, struct asy_error *err)
{
    sigset_t all;

    s->agent = getppid();
    setsid(); /* fails only if the agent made us a leader already */
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
        return asy_fail_errno(err, errno, "cannot become the reaper of descendants");
    sigfillset(&all);
    if (sigprocmask(SIG_SETMASK, &all, NULL) < 0 ||
        (s->signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK)) < 0)
        return asy_fail_errno(err, errno, "cannot take signals");
    prctl(PR_SET_PDEATHSIG, SIGHUP);
    if (fcntl(s->line, F_SETFD, FD_CLOEXEC) < 0)
        return asy_fail_errno(err, errno, "descriptor %d is not a line", s->line);
    if (s->spawn.out_fd >= 0)
        fcntl(s->spawn.out_fd, F_SETFD, FD_CLOEXEC);
    return 0;
}

static int number_arg(const char *text, uint64_t max, uint64_t *ret)
{
    return asy_parse_u64(text, strlen(text), ret, NULL) < 0 || *ret > max ? -1 : 0;
}

static int parse_args(struct supervisor *s, int argc, char **argv, struct asy_error *err)
{
    static const struct option options[] = {
        { "line", required_argument, NULL, 'l' }, { "cpus", required_argument, NULL, 'c' },
        { "out", required_argument, NULL, 'o' },  { "out-fd", required_argument, NULL, 'f' },
        { "err", required_argument, NULL, 'e' },  { "memory", required_argument, NULL, 'm' },
        { "cgroup", required_argument, NULL, 'g' }, { "scratch", required_argument, NULL, 's' },
        { "linger", required_argument, NULL, 'L' }, { "deaf", required_argument, NULL, 'd' },
        { NULL, 0, NULL, 0 },
    };
    uint64_t line = UINT64_MAX, fd;
    int c;

    opterr = 0;
    while ((c = getopt_long(argc, argv, "+", options, NULL)) != -1) {
        int bad = 0;

        switch (c) {
        case 'l': bad = number_arg(optarg, INT32_MAX, &line) < 0; break;
        case 'c':
            bad = asy_cpus_parse(optarg, s->spawn.cpus, ASY__SPAWN_CPUS, &s->spawn.n_cpus, err) < 0;
            break;
        case 'o': s->spawn.out = optarg; break;
        case 'f':
            if (!(bad = number_arg(optarg, INT32_MAX, &fd) < 0))
                s->spawn.out_fd = (int)fd;
            break;
        case 'e': s->spawn.err = optarg; break;
        case 'm': bad = number_arg(optarg, UINT64_MAX, &s->memory) < 0; break;
        case 'g': s->cgroup_parent = optarg; break;
        case 's': s->scratch = optarg; break;
        case 'd': s->spawn.deaf = 1; break;
        case 'L': bad = number_arg(optarg, 3600000, &s->linger_ms) < 0; break;
        default: bad = 1;
        }
        if (bad)
            return asy_fail(err, ASY_E_INVAL, "bad option '%s'", argv[optind - 1]);
    }
    s->spawn.argv = argv + optind;
    if (line == UINT64_MAX || !argv[optind])
        return asy_fail(err, ASY_E_INVAL, "started by assay-worker only: it needs --line and a "
                                          "program");
    s->line = (int)line;
    return 0;
}

int asy_attempt_main(int argc, char **argv)
{
    static struct supervisor s = { .line = -1, .signals = -1, .spawn.out_fd = -1,
                                 .linger_ms = LINGER_MS };
    struct asy_error err = ASY_ERROR_INIT;
    int rc;

    if (parse_args(&s, argc, argv, &err) < 0 || prepare(&s, &err) < 0) {
        dprintf(2, "assay-attempt: %s\n", err.text);
        return 2;
    }
    asy__cgroup_create(&s.group, s.cgroup_parent, s.memory);
    s.kernel_kills = kernel_kills();
    rc = asy__spawn(&s.spawn, &s.group, &s.pid, &err);
    if (s.spawn.out_fd >= 0)
        close(s.spawn.out_fd); /* the program's copy alone shall keep the pipe open */
    if (rc < 0) {
        tell_text(&s, rc == ASY_E_DENIED ? "refused" : rc == ASY_E_NOENT ? "missing" : "failed",
                  err.text);
    } else {
        tell_started(&s);
        supervise(&s);
        tell_ended(&s, out_of_memory(&s));
    }
    asy__cgroup_remove(&s.group);
    remove_scratch(&s);
    return 0;
}
