/* SPDX-License-Identifier: Apache-2.0
 * proc_capture.c - running a program to its end and keeping what it prints. Both streams are read
 * as they come, so that a full pipe never holds the program up. */
#include <asy/proc.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>
#include <asy/clock.h>

#define PIECE 4096

/* A stream that is kept: the reading end of its pipe and where its bytes go. */
struct stream {
    struct asy_buf *buf; /* NULL: not kept */
    int from, to;        /* -1: closed */
};

static void shut(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static int open_stream(struct stream *stream, int *ret_fd, struct asy_error *err)
{
    int fds[2];

    if (!stream->buf)
        return 0;
    if (pipe2(fds, O_CLOEXEC) < 0)
        return asy_fail_errno(err, errno, "cannot make a pipe");
    stream->from = fds[0];
    *ret_fd = stream->to = fds[1];
    return 0;
}

static int take(struct stream *stream, struct asy_error *err)
{
    char *room = asy_buf_room(stream->buf, PIECE);
    ssize_t n;

    if (!room)
        return asy_buf_check(stream->buf, "its output", err);
    n = read(stream->from, room, PIECE);
    if (n > 0)
        asy_buf_grew(stream->buf, (size_t)n);
    else if (n == 0)
        shut(&stream->from);
    else if (errno != EINTR && errno != EAGAIN)
        return asy_fail_errno(err, errno, "cannot read its output");
    return 0;
}

/* Reads until every stream has ended. by_ms < 0: without a limit. */
static int collect(struct stream *streams, int64_t by_ms, struct asy_error *err)
{
    while (streams[0].from >= 0 || streams[1].from >= 0) {
        struct pollfd ready[2] = { { streams[0].from, POLLIN, 0 }, { streams[1].from, POLLIN, 0 } };
        int64_t left_ms = by_ms < 0 ? -1 : by_ms - asy_clock_ms();
        int n, rc;

        if (by_ms >= 0 && left_ms <= 0)
            return asy_fail(err, ASY_E_TIMEOUT, "no answer in time");
        n = poll(ready, 2, left_ms > 60000 ? 60000 : (int)left_ms);
        if (n < 0 && errno != EINTR)
            return asy_fail_errno(err, errno, "cannot wait for its output");
        for (int i = 0; n > 0 && i < 2; i++)
            if (ready[i].revents && (rc = take(&streams[i], err)) < 0)
                return rc;
    }
    return 0;
}

/* Collects, then reaps; a program that takes too long or prints too much is killed first. */
static int watch(struct asy_proc *proc, struct stream *streams, int timeout_ms, int *ret_status,
                 struct asy_error *err)
{
    int64_t by_ms = timeout_ms < 0 ? -1 : asy_clock_ms() + timeout_ms, left_ms;
    int status = 0, rc = collect(streams, by_ms, err);

    if (rc == 0) {
        left_ms = by_ms < 0 ? -1 : by_ms - asy_clock_ms();
        if (by_ms >= 0 && left_ms < 0)
            left_ms = 0;
        rc = asy_proc_wait(proc, (int)left_ms, &status, err);
    }
    if (rc < 0) {
        ASY_IGNORE(asy_proc_signal(proc, SIGKILL)); /* it may have just ended */
        ASY_IGNORE(asy_proc_wait(proc, -1, &status, NULL));
        return rc;
    }
    *ret_status = status;
    return 0;
}

int asy_proc_capture(const struct asy_proc_spec *spec, int timeout_ms, struct asy_buf *ret_out,
                     struct asy_buf *ret_errors, int *ret_status, struct asy_error *err)
{
    struct stream streams[2] = { { ret_out, -1, -1 }, { ret_errors, -1, -1 } };
    struct asy_proc_spec own = *spec;
    struct asy_proc proc = ASY_PROC_INIT;
    int rc;

    if ((rc = open_stream(&streams[0], &own.stdout_fd, err)) == 0 &&
        (rc = open_stream(&streams[1], &own.stderr_fd, err)) == 0)
        rc = asy_proc_start(&own, &proc, err);
    for (int i = 0; i < 2; i++)
        shut(&streams[i].to); /* else the end of the stream never comes */
    if (rc == 0)
        rc = watch(&proc, streams, timeout_ms, ret_status, err);
    asy_proc_close(&proc);
    for (int i = 0; i < 2; i++)
        shut(&streams[i].from);
    return rc;
}
