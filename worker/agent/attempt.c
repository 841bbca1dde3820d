/* SPDX-License-Identifier: Apache-2.0
 * attempt.c - the agent's end of the line to one supervisor. */
#include <asy/attempt.h>
#include "cgroup.h"
#include <asy/json.h>
#include <asy/proc.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HANGUP_WAIT_MS 5000
#define LINES_MAX 16384 /* a supervisor says two short lines in its life */

struct asy_attempt {
    struct asy_proc proc;
    int line;
    struct asy_buf in;
    int over; /* the last event was given out */
    char *cgroup; /* in which it may have made its group; NULL: none */
};

/* --cpus and --memory as text, the rest borrowed; then the program's own words. */
struct command {
    const char **argv;
    char line[16], fd[16], memory[32];
    char cpus[4096];
};

static int build_command(const struct asy_attempt_spec *spec, int line, struct command *cmd,
                         struct asy_error *err)
{
    size_t n = 0, n_words = 0;
    int rc;

    while (spec->argv[n_words])
        n_words++;
    if (n_words == 0)
        return asy_fail(err, ASY_E_INVAL, "cannot start an empty command");
    if ((rc = asy_cpus_format(spec->cpus, spec->n_cpus, cmd->cpus, sizeof cmd->cpus, err)) < 0)
        return rc;
    if (!(cmd->argv = calloc(n_words + 24, sizeof *cmd->argv)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a command of %zu words", n_words);
    snprintf(cmd->line, sizeof cmd->line, "%d", line);
    snprintf(cmd->fd, sizeof cmd->fd, "%d", spec->stdout_fd);
    snprintf(cmd->memory, sizeof cmd->memory, "%llu", (unsigned long long)spec->memory);
    const char *const pairs[][2] = {
        { "--line", cmd->line },
        { "--cpus", spec->n_cpus ? cmd->cpus : NULL },
        { "--out", spec->stdout_path },
        { "--out-fd", spec->stdout_fd >= 0 ? cmd->fd : NULL },
        { "--err", spec->stderr_path },
        { "--memory", spec->memory ? cmd->memory : NULL },
        { "--cgroup", spec->cgroup && *spec->cgroup ? spec->cgroup : NULL },
        { "--scratch", spec->scratch },
        { "--deaf", spec->deaf ? "1" : NULL },
        { "--linger", spec->no_linger ? "0" : NULL },
    };
    cmd->argv[n++] = spec->supervisor;
    for (size_t i = 0; i < ASY_ARRAY_LEN(pairs); i++) {
        if (!pairs[i][1])
            continue;
        cmd->argv[n++] = pairs[i][0];
        cmd->argv[n++] = pairs[i][1];
    }
    cmd->argv[n++] = "--";
    memcpy(cmd->argv + n, spec->argv, n_words * sizeof *cmd->argv);
    return 0;
}

int asy_attempt_start(const struct asy_attempt_spec *spec, struct asy_attempt **ret_attempt,
                      struct asy_error *err)
{
    struct asy_proc_spec proc = ASY_PROC_SPEC_INIT;
    struct asy_attempt *attempt = NULL;
    struct command cmd = { 0 };
    int fds[2] = { -1, -1 }, pass[2], rc;

    if (!(attempt = calloc(1, sizeof *attempt)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for an attempt");
    attempt->proc = (struct asy_proc)ASY_PROC_INIT;
    attempt->line = -1;
    asy_buf_init(&attempt->in, LINES_MAX);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0) {
        rc = asy_fail_errno(err, errno, "cannot make a line to a supervisor");
        goto out;
    }
    if ((rc = build_command(spec, fds[1], &cmd, err)) < 0)
        goto out;
    pass[0] = fds[1];
    pass[1] = spec->stdout_fd;
    proc.argv = cmd.argv;
    proc.env_set = spec->env_set;
    proc.env_drop = spec->env_drop;
    proc.cwd = spec->cwd;
    proc.pass_fds = pass;
    proc.n_pass_fds = spec->stdout_fd >= 0 ? 2 : 1;
    proc.new_session = 1;
    if ((rc = asy_proc_start(&proc, &attempt->proc, err)) < 0)
        goto out;
    attempt->line = fds[0];
    fds[0] = -1;
    if (spec->cgroup && *spec->cgroup)
        attempt->cgroup = strdup(spec->cgroup); /* no memory: then a dead one's group stays */
    *ret_attempt = attempt;
    attempt = NULL;
out:
    for (int i = 0; i < 2; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    free(cmd.argv);
    asy_attempt_destroy(attempt);
    return rc;
}

void asy_attempt_destroy(struct asy_attempt *attempt)
{
    int saved = errno, status;

    if (!attempt)
        return;
    if (attempt->line >= 0)
        close(attempt->line);
    if (attempt->proc.pid > 0) {
        /* it ends as soon as its tree has; one that cannot die stays behind as our child */
        ASY_IGNORE(asy_proc_wait(&attempt->proc, HANGUP_WAIT_MS, &status, NULL));
        asy_proc_close(&attempt->proc);
    }
    asy_buf_fini(&attempt->in);
    free(attempt->cgroup);
    free(attempt);
    errno = saved;
}

int asy_attempt_fd(const struct asy_attempt *attempt)
{
    return attempt->line;
}

pid_t asy_attempt_pid(const struct asy_attempt *attempt)
{
    return attempt->proc.pid;
}

static void copy_text(char *to, size_t size, const struct asy_json *node)
{
    snprintf(to, size, "%s", asy_json_str(node, ""));
}

static int read_ended(const struct asy_json *node, struct asy_attempt_event *event)
{
    event->what = ASY_ATTEMPT_ENDED;
    event->exit_code = (int)asy_json_i64(asy_json_get(node, "exit"), -1);
    event->signal = (int)asy_json_i64(asy_json_get(node, "signal"), 0);
    event->cpu_s = asy_json_f64(asy_json_get(node, "cpu_s"), 0);
    event->max_rss = (uint64_t)asy_json_i64(asy_json_get(node, "max_rss"), 0);
    event->out_of_memory = asy_json_bool(asy_json_get(node, "oom"), 0);
    event->left = (unsigned)asy_json_i64(asy_json_get(node, "left"), 0);
    copy_text(event->text, sizeof event->text, asy_json_get(node, "note"));
    return 0;
}

static int read_event(const char *text, size_t len, struct asy_attempt_event *event,
                      struct asy_error *err)
{
    struct asy_json *root = NULL;
    const struct asy_json *node;
    int rc = asy_json_parse(text, len, &root, err);

    if (rc < 0)
        return rc;
    memset(event, 0, sizeof *event);
    if ((node = asy_json_get(root, "started"))) {
        event->what = ASY_ATTEMPT_STARTED;
        event->pid = (pid_t)asy_json_i64(asy_json_get(node, "pid"), 0);
        copy_text(event->cpus, sizeof event->cpus, asy_json_get(node, "cpus"));
    } else if ((node = asy_json_get(root, "refused"))) {
        event->what = ASY_ATTEMPT_REFUSED;
        copy_text(event->text, sizeof event->text, node);
    } else if ((node = asy_json_get(root, "missing"))) {
        event->what = ASY_ATTEMPT_MISSING;
        copy_text(event->text, sizeof event->text, node);
    } else if ((node = asy_json_get(root, "failed"))) {
        event->what = ASY_ATTEMPT_FAILED;
        copy_text(event->text, sizeof event->text, node);
    } else if ((node = asy_json_get(root, "ended"))) {
        rc = read_ended(node, event);
    } else {
        rc = asy_fail(err, ASY_E_FORMAT, "supervisor said '%.80s'", text);
    }
    asy_json_destroy(root);
    return rc;
}

/* Reads what is there; 1 at the end of the line. */
static int fill(struct asy_attempt *attempt)
{
    for (;;) {
        char *room = asy_buf_room(&attempt->in, 512);
        ssize_t n;

        if (!room)
            return 1; /* no supervisor of ours says so much */
        n = recv(attempt->line, room, 512, MSG_DONTWAIT);
        if (n > 0)
            asy_buf_grew(&attempt->in, (size_t)n);
        else if (n < 0 && errno == EAGAIN)
            return 0;
        else if (n == 0 || errno != EINTR)
            return 1;
    }
}

int asy_attempt_next(struct asy_attempt *attempt, struct asy_attempt_event *ret_event,
                     struct asy_error *err)
{
    char *newline;
    int ended, rc;

    if (attempt->over)
        return asy_fail(err, ASY_E_GONE, "the attempt is over");
    ended = fill(attempt);
    newline = memchr(attempt->in.data, '\n', attempt->in.len);
    if (newline) {
        size_t len = (size_t)(newline - attempt->in.data);

        *newline = '\0';
        rc = read_event(attempt->in.data, len, ret_event, err);
        asy_buf_drop(&attempt->in, len + 1);
        if (rc == 0) {
            attempt->over = ret_event->what != ASY_ATTEMPT_STARTED;
            return 0;
        }
    } else if (!ended) {
        return asy_fail(err, ASY_E_AGAIN, "nothing new of the attempt");
    }
    attempt->over = 1;
    if (attempt->cgroup)
        asy__cgroup_abandoned(attempt->cgroup, attempt->proc.pid);
    memset(ret_event, 0, sizeof *ret_event);
    ret_event->what = ASY_ATTEMPT_ORPHANED;
    snprintf(ret_event->text, sizeof ret_event->text, "its supervisor died");
    return 0;
}

static void order(struct asy_attempt *attempt, const char *word)
{
    if (!attempt->over)
        ASY_IGNORE(send(attempt->line, word, strlen(word), MSG_NOSIGNAL | MSG_DONTWAIT) < 0);
    /* a failure means that it has just ended, or that its next event says so */
}

void asy_attempt_term(struct asy_attempt *attempt)
{
    order(attempt, "term\n");
}

void asy_attempt_kill(struct asy_attempt *attempt)
{
    order(attempt, "kill\n");
}
