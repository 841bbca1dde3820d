/* SPDX-License-Identifier: Apache-2.0
 * conn.c - the talk with a program: each line is checked, numbered, queued and answered at once.
 *
 * "At once" has two exceptions. A line with `wait` is answered when its report is durable and
 * whatever the coordinator made of it had time to arrive, or when no coordinator of its store has
 * been there for as long as one is waited for: then each such line is. And a program that reports
 * faster than the coordinator commits is not read any further until it has caught up. */
#include "impl.h"
#include <asy/clock.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define REFUSED_MAX 1000
#define LINES_PER_ROUND 512
#define SETTLE_MS 10 /* between a watermark and the order that its report caused */

static struct asy__job *job_of(const struct asy__conn *conn)
{
    return conn->job ? conn->job : conn->gang->job;
}

void asy__conn_say(struct asy__conn *conn, const char *text, size_t len)
{
    if (conn->dead)
        return;
    if (asy_line_send(conn->line, text, len, NULL) < 0)
        asy__conn_close(conn); /* it does not read its answers, or is gone */
}

void asy__conn_close(struct asy__conn *conn)
{
    if (conn->dead)
        return;
    conn->dead = 1;
    if (conn->job)
        conn->job->n_conns--;
    else
        conn->gang->n_conns--;
    if (conn->gang && conn->rank >= 0)
        asy__gang_rank_lost(conn->gang, conn->rank);
}

void asy__conn_destroy(struct asy__conn *conn)
{
    asy__list_del(&conn->node);
    asy_line_destroy(conn->line);
    free(conn);
}

static void refuse(struct asy__conn *conn, const struct asy_error *why)
{
    struct asy_buf text;
    struct asy_jsonw w;

    asy_buf_init(&text, 4096);
    asy_jsonw_init(&w, &text, 0);
    asy_jsonw_open(&w, NULL, '{');
    asy_jsonw_str(&w, "error", why->text);
    asy_jsonw_close(&w, '}');
    if (text.rc == 0)
        asy__conn_say(conn, text.data, text.len);
    asy_buf_fini(&text);
    if (++conn->refused >= REFUSED_MAX)
        asy__conn_close(conn);
}

static void answer(struct asy__conn *conn, struct asy__job *job)
{
    static const char *const words[] = { [ASY__GO_ON] = "continue", [ASY__PAUSE] = "pause",
                                         [ASY__STOP] = "stop" };
    uint64_t durable = job->reports.durable;
    struct asy_buf text;
    struct asy_jsonw w;

    asy_buf_init(&text, 256);
    asy_jsonw_init(&w, &text, 0);
    asy_jsonw_open(&w, NULL, '{');
    asy_jsonw_str(&w, "do", words[job->verdict]);
    asy_jsonw_u64(&w, "durable", durable ? durable - 1 : 0); /* lines; the first report is ours */
    asy_jsonw_close(&w, '}');
    if (text.rc == 0)
        asy__conn_say(conn, text.data, text.len);
    asy_buf_fini(&text);
    if (job->verdict != ASY__GO_ON)
        asy__job_told(job);
}

/* Unasked: it may wait for a word without having said anything, or may not be read for now. What
 * reads it as the answer to its next line is told right, too. */
void asy__conns_stop(struct asy__job *job)
{
    ASY__EACH(struct asy__conn, conn, &job->conns)
        if (!conn->wait_number) /* else it is answered at once */
            answer(conn, job);
}

static int take_report(struct asy__job *job, const struct asy__said *said, struct asy_error *err)
{
    struct asy_event event = { .kind = ASY_EV_REPORT };

    event.report.step = said->step;
    event.report.metrics = said->metrics;
    event.report.n_metrics = said->n_metrics;
    event.report.reporter_wall_us = asy_clock_wall_us();
    return asy__report_add(job, &event, err);
}

static int take_checkpoint(struct asy__conn *conn, struct asy__job *job,
                           const struct asy__said *said, struct asy_error *err)
{
    struct asy_event event = { .kind = ASY_EV_CHECKPOINT };
    struct asy_checkpoint *c = &event.checkpoint.checkpoint;
    char *path = NULL;
    int rc;

    if (!asy__job_checkpoints(job))
        return asy_fail(err, ASY_E_STATE, "the study does not say 'checkpoint: true'");
    rc = asy__files_keep(job, conn->gang ? job->dir : job->checkpoints, said->name,
                         job->reports.made + 1, &c->sha, &c->bytes, &path, err);
    if (rc < 0) {
        asy_error_prefix(err, "cannot keep checkpoint '%.60s'", said->name);
        if (rc == ASY_E_NOSPACE || rc == ASY_E_IO) /* else it trains without a net */
            asy__job_doom(job, rc == ASY_E_NOSPACE ? ASY_CAUSE_DISK_FULL : ASY_CAUSE_SIGNAL,
                          err->text);
        return rc;
    }
    c->attempt = job->attempt;
    c->step = said->step;
    c->path = path;
    if ((rc = asy__report_add(job, &event, err)) < 0) {
        free(path);
        return rc;
    }
    asy__transfer_hold(job);
    job->last = *c;
    free(job->last_path);
    job->last_path = path;
    job->last.path = path;
    return 0;
}

/* A report or a checkpoint. */
static void take(struct asy__conn *conn, struct asy__job *job, const struct asy__said *said)
{
    struct asy_error err = ASY_ERROR_INIT;
    int rc;

    if (said->what == ASY__SAID_REPORT)
        rc = take_report(job, said, &err);
    else
        rc = take_checkpoint(conn, job, said, &err);
    if (rc < 0) {
        refuse(conn, &err);
        return;
    }
    asy__job_stepped(job, said->step);
    if (said->wait && job->verdict == ASY__GO_ON) {
        conn->wait_number = job->reports.made;
        conn->wait_until_ms = asy_clock_ms() + ASY__WAIT_MS;
        conn->settle_ms = 0;
        job->reports.oldest_unsent_ms = 1;
        return;
    }
    answer(conn, job);
}

static enum asy_end end_of(const char *outcome, enum asy_cause *ret_cause)
{
    *ret_cause = ASY_CAUSE_NONE;
    switch (outcome[0]) {
    case 'c': return ASY_END_COMPLETE;
    case 'p': return ASY_END_PAUSED;
    case 's': return ASY_END_STOPPED;
    case 'd': *ret_cause = ASY_CAUSE_DIVERGED; return ASY_END_DIVERGED;
    default: *ret_cause = ASY_CAUSE_BAD_JOB; return ASY_END_CRASHED;
    }
}

static void take_end(struct asy__job *job, const struct asy__said *said)
{
    enum asy_cause cause;
    enum asy_end end = end_of(said->outcome, &cause);

    asy__job_native_end(job, end, cause, said);
}

static void close_stranger(struct asy__conn *conn)
{
    asy__door_refused(conn->gang->agent, asy_line_fd(conn->line),
                      "it spoke to a gang without greeting");
    asy__conn_close(conn);
}

static void take_gang_line(struct asy__conn *conn, const struct asy__said *said)
{
    struct asy__job *job = conn->gang->job;

    if (said->what == ASY__SAID_HELLO) {
        asy__gang_hello(conn, said);
        return;
    }
    if (conn->rank < 0) {
        close_stranger(conn);
        return;
    }
    if (said->what == ASY__SAID_BOUND) {
        if (job)
            asy__gang_bound(conn, said);
        return;
    }
    if (said->what == ASY__SAID_END && conn->gang->running)
        conn->gang->running--; /* each rank says it; only then does it hear the next order */
    if (said->what == ASY__SAID_END && job && asy__part_follows(job))
        asy__part_rank_done(job);
    if (conn->rank > 0 || conn->gang->part > 0 || !job || job->state != ASY__JOB_RUNNING ||
        job->doom)
        return; /* rank 0 speaks for all; or the job is over already, or about to be */
    asy__job_heard(job);
    if (said->what == ASY__SAID_END)
        take_end(job, said);
    else if (said->what != ASY__SAID_ALIVE)
        take(conn, job, said);
}

static void take_line(struct asy__conn *conn, const char *line, size_t len)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__said said;

    if (asy__said_parse(line, len, &said, &err) < 0) {
        if (conn->gang && conn->rank < 0)
            close_stranger(conn);
        else
            refuse(conn, &err);
        return;
    }
    if (conn->gang) {
        take_gang_line(conn, &said);
    } else if (said.what == ASY__SAID_REPORT || said.what == ASY__SAID_CHECKPOINT) {
        take(conn, conn->job, &said);
    } else {
        asy_fail(&err, ASY_E_INVAL, "'hello', 'bound', 'alive' and 'end' are for trainers; a "
                                   "command exits");
        refuse(conn, &err);
    }
    asy__said_fini(&said);
}

int asy__conn_listens(const struct asy__conn *conn)
{
    const struct asy__job *job = job_of(conn);

    return !conn->dead && !conn->half && !conn->wait_number &&
           (!job || job->closing ||
            (job->reports.n < ASY__UNDURABLE_MAX && !asy__transfer_busy(job)));
}

void asy__conn_resume(struct asy__conn *conn)
{
    const char *line;
    size_t len;
    int n = 0;

    conn->more = 0;
    while (asy__conn_listens(conn)) {
        if (n++ == LINES_PER_ROUND) {
            conn->more = 1; /* others first */
            return;
        }
        if (!(line = asy_line_next(conn->line, &len)))
            return;
        take_line(conn, line, len);
    }
}

void asy__conn_ready(struct asy__conn *conn, short revents)
{
    struct asy_error err = ASY_ERROR_INIT;
    int rc = 0;

    if (conn->dead)
        return;
    if (revents & POLLOUT && asy_line_flush(conn->line, NULL) < 0) {
        asy__conn_close(conn);
        return;
    }
    if (conn->half) {
        if (!asy_line_pending(conn->line) && !conn->wait_number)
            asy__conn_close(conn);
        return;
    }
    if (!(revents & (POLLIN | POLLHUP | POLLERR)))
        return;
    if (conn->more)
        asy__conn_resume(conn);
    if (asy__conn_listens(conn))
        rc = asy_line_fill(conn->line, &err);
    asy__conn_resume(conn);
    if (rc == ASY_E_TOOBIG)
        refuse(conn, &err);
    if (rc == ASY_E_GONE && conn->job && asy_line_pending(conn->line))
        conn->half = 1; /* it may have closed one direction only */
    else if (rc < 0)
        asy__conn_close(conn);
}

/* When it is answered, whatever comes; in a new session there is the whole time again. Of what
 * another store has leased this one's coordinator judges nothing. */
static int64_t wait_ends_ms(const struct asy__conn *conn, const struct asy__job *job)
{
    const struct asy__session *session = &job->agent->session;
    int foreign = asy__job_foreign(job);
    int64_t silent_ms = (foreign ? session->left_ms : session->heard_ms) + ASY__WAIT_MS;
    int64_t until_ms = conn->wait_until_ms;

    if ((foreign || session->state != ASY__SESSION_JOINED) && silent_ms < until_ms)
        until_ms = silent_ms;
    return conn->settle_ms && conn->settle_ms < until_ms ? conn->settle_ms : until_ms;
}

int64_t asy__conn_waits(struct asy__job *job, int64_t now_ms)
{
    struct asy__list *conns = job->gang ? &job->gang->conns : &job->conns;
    int64_t next = INT64_MAX;

    ASY__EACH(struct asy__conn, conn, conns) {
        int64_t at;

        if (!conn->wait_number || conn->dead)
            continue;
        if (!conn->settle_ms && job->reports.durable >= conn->wait_number)
            conn->settle_ms = now_ms + SETTLE_MS;
        at = wait_ends_ms(conn, job);
        if (at <= now_ms || job->verdict != ASY__GO_ON) {
            conn->wait_number = 0;
            answer(conn, job);
            conn->more = 1;
            at = now_ms;
        }
        if (at < next)
            next = at;
    }
    return next;
}
