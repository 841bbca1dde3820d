/* SPDX-License-Identifier: Apache-2.0
 * reports.c - an attempt's numbered reports: kept until they are durable, sent in batches, sent
 * again after any break.
 *
 * One block per report holds all that it points to. `sent` is a number, not a flag per report: a
 * new session or a watermark that stands still sets it back to `durable` and everything above goes
 * out again; the coordinator knows doubles by their numbers. */
#include "impl.h"
#include <asy/clock.h>
#include <asy/log.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_REPORTS 256
#define FRAME_BYTES (96u << 10)

static size_t text_size(const char *text)
{
    return text ? strlen(text) + 1 : 0;
}

static const char *keep_text(char **at, const char *text)
{
    size_t n = text_size(text);
    char *here = *at;

    if (!text)
        return NULL;
    memcpy(here, text, n);
    *at += n;
    return here;
}

/* Bytes of what the event points to. */
static size_t tail_size(const struct asy_event *e)
{
    size_t n = 0;

    switch (e->kind) {
    case ASY_EV_STARTED:
        return text_size(e->started.host) + text_size(e->started.hardware) +
               text_size(e->started.versions);
    case ASY_EV_REPORT:
        for (size_t i = 0; i < e->report.n_metrics; i++)
            n += sizeof *e->report.metrics + text_size(e->report.metrics[i].name);
        return n;
    case ASY_EV_CHECKPOINT:
        return text_size(e->checkpoint.checkpoint.path);
    case ASY_EV_ENDED:
        return text_size(e->ended.text) + text_size(e->ended.model_path) +
               text_size(e->ended.scores_path);
    default:
        ASY_ASSERT(0, "event kind %d is no report", (int)e->kind);
    }
}

static void keep_metrics(struct asy_event *e, char *at)
{
    struct asy_metric *metrics = (struct asy_metric *)(void *)at;

    at += e->report.n_metrics * sizeof *metrics;
    for (size_t i = 0; i < e->report.n_metrics; i++) {
        metrics[i].value = e->report.metrics[i].value;
        metrics[i].name = keep_text(&at, e->report.metrics[i].name);
    }
    e->report.metrics = metrics;
}

static void keep_tail(struct asy_event *e, char *at)
{
    switch (e->kind) {
    case ASY_EV_STARTED:
        e->started.host = keep_text(&at, e->started.host);
        e->started.hardware = keep_text(&at, e->started.hardware);
        e->started.versions = keep_text(&at, e->started.versions);
        break;
    case ASY_EV_REPORT:
        keep_metrics(e, at);
        break;
    case ASY_EV_CHECKPOINT:
        e->checkpoint.checkpoint.path = keep_text(&at, e->checkpoint.checkpoint.path);
        break;
    default:
        e->ended.text = keep_text(&at, e->ended.text);
        e->ended.model_path = keep_text(&at, e->ended.model_path);
        e->ended.scores_path = keep_text(&at, e->ended.scores_path);
        break;
    }
}

static void set_number(struct asy_event *e, uint64_t number)
{
    switch (e->kind) {
    case ASY_EV_STARTED: e->started.report = number; break;
    case ASY_EV_REPORT: e->report.report = number; break;
    case ASY_EV_CHECKPOINT: e->checkpoint.report = number; break;
    default: e->ended.report = number; break;
    }
}

int asy__report_add(struct asy__job *job, const struct asy_event *event, struct asy_error *err)
{
    struct asy__reports *reports = &job->reports;
    size_t tail = tail_size(event);
    struct asy__report *r = calloc(1, sizeof *r + tail);
    int64_t now_ms = asy_clock_ms();

    if (!r)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a report");
    r->weight = 96 + tail;
    r->report = (struct asy_report){ .study = job->study, .trial = job->trial,
                                     .attempt = job->attempt, .epoch = job->epoch,
                                     .number = reports->made + 1, .event = *event };
    r->report.event.study = job->study;
    r->report.event.trial = job->trial;
    r->report.event.attempt = job->attempt;
    keep_tail(&r->report.event, (char *)(r + 1));
    set_number(&r->report.event, r->report.number);
    if (reports->last)
        reports->last->next = r;
    else
        reports->first = r;
    reports->last = r;
    reports->made++;
    reports->n++;
    if (event->kind == ASY_EV_ENDED)
        reports->oldest_unsent_ms = 1; /* its cores wait for the next lease: at once */
    else if (!reports->oldest_unsent_ms)
        reports->oldest_unsent_ms = now_ms;
    return 0;
}

static void report_free(struct asy__report *r)
{
    free(r->path);
    free(r->scores_path);
    free(r);
}

/* What is on the coordinator's disk may still be missing in a backup of it. */
static void keep(struct asy__reports *reports, struct asy__report *r)
{
    r->next = NULL;
    if (reports->kept_last)
        reports->kept_last->next = r;
    else
        reports->kept = r;
    reports->kept_last = r;
    reports->kept_bytes += r->weight;
    while (reports->kept_bytes > ASY__KEPT_BYTES) {
        r = reports->kept;
        reports->kept = r->next;
        reports->kept_bytes -= r->weight;
        reports->kept_first = r->report.number + 1;
        report_free(r);
    }
    if (!reports->kept)
        reports->kept_last = NULL;
}

void asy__report_durable(struct asy__job *job, uint64_t durable)
{
    struct asy__reports *reports = &job->reports;

    if (durable > reports->made)
        durable = reports->made; /* a coordinator cannot know more than we said */
    if (durable <= reports->durable)
        return;
    reports->durable = durable;
    reports->progress_ms = asy_clock_ms();
    if (reports->sent < durable)
        reports->sent = durable;
    while (reports->first && reports->first->report.number <= durable) {
        struct asy__report *r = reports->first;

        reports->first = r->next;
        reports->n--;
        keep(reports, r);
    }
    if (!reports->first)
        reports->last = NULL;
}

void asy__reports_again(struct asy__job *job)
{
    struct asy__reports *reports = &job->reports;

    if (reports->kept) {
        reports->kept_last->next = reports->first;
        reports->first = reports->kept;
        if (!reports->last)
            reports->last = reports->kept_last;
    }
    reports->kept = reports->kept_last = NULL;
    reports->kept_bytes = reports->n = 0;
    reports->durable = reports->sent = reports->kept_first - 1;
    for (struct asy__report *r = reports->first; r; r = r->next, reports->n++) {
        r->report.attempt = r->report.event.attempt = job->attempt;
        r->report.epoch = job->epoch;
    }
    reports->oldest_unsent_ms = reports->first ? 1 : 0; /* due at once */
    reports->progress_ms = asy_clock_ms();
}

static void free_list(struct asy__report *r)
{
    while (r) {
        struct asy__report *next = r->next;

        report_free(r);
        r = next;
    }
}

void asy__reports_fini(struct asy__reports *reports)
{
    free_list(reports->first);
    free_list(reports->kept);
    memset(reports, 0, sizeof *reports);
}

void asy__reports_unsend(struct asy__agent *agent)
{
    ASY__EACH(struct asy__job, job, &agent->jobs) {
        job->reports.sent = job->reports.durable;
        job->reports.oldest_unsent_ms = job->reports.first ? 1 : 0; /* due at once */
    }
}

/* Reports up to this number may be sent: the next one waits for an upload. */
static uint64_t sendable(const struct asy__reports *reports)
{
    const struct asy__report *r = reports->first;

    while (r && !r->holds)
        r = r->next;
    return r ? r->report.number - 1 : reports->made;
}

/* One frame of gathered reports. */
struct batch {
    struct asy_report reports[FRAME_REPORTS];
    size_t n, weight;
};

/* 0, or ASY_E_AGAIN: the link is full. */
static int send_batch(struct asy__agent *agent, struct batch *batch)
{
    struct asy_msg msg = { .type = ASY_MSG_REPORTS, .session = agent->session.id };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf frame;
    int rc;

    if (batch->n == 0)
        return 0;
    asy__crash_point("agent.before_report");
    msg.reports.reports = batch->reports;
    msg.reports.n_reports = batch->n;
    asy_buf_init(&frame, ASY_FRAME_MAX);
    rc = asy_msg_encode(&msg, &frame, &err);
    if (rc == 0)
        rc = asy__link_send(agent->link, &frame, &err);
    asy_buf_fini(&frame);
    if (rc < 0 && rc != ASY_E_AGAIN)
        asy_warn("cannot send %zu reports: %s, trying again", batch->n, err.text);
    batch->n = batch->weight = 0;
    if (rc == 0)
        asy__crash_point("agent.after_report");
    return rc;
}

/* A job's unsent reports into batches. Its `sent` follows what left: AGAIN leaves it unsent. */
static int gather(struct asy__agent *agent, struct asy__job *job, struct batch *batch)
{
    struct asy__reports *reports = &job->reports;
    struct asy__report *r = reports->first;
    uint64_t sent = reports->sent;

    while (r && r->report.number <= sent)
        r = r->next;
    for (; r && !r->holds && r->report.number - reports->durable <= ASY__IN_FLIGHT_MAX;
         r = r->next) {
        if (batch->n == FRAME_REPORTS || batch->weight + r->weight > FRAME_BYTES) {
            if (send_batch(agent, batch) < 0)
                return ASY_E_AGAIN;
            reports->sent = sent;
        }
        batch->reports[batch->n++] = r->report;
        batch->weight += r->weight;
        sent = r->report.number;
    }
    if (send_batch(agent, batch) < 0)
        return ASY_E_AGAIN;
    reports->sent = sent;
    reports->oldest_unsent_ms = sent < reports->made ? 1 : 0; /* the rest comes later */
    return 0;
}

static int due(const struct asy__reports *reports, int64_t now_ms, int all)
{
    if (!reports->oldest_unsent_ms || reports->sent >= sendable(reports) ||
        reports->sent - reports->durable >= ASY__IN_FLIGHT_MAX)
        return 0;
    return all || now_ms - reports->oldest_unsent_ms >= ASY__FLUSH_MS ||
           reports->made - reports->sent >= FRAME_REPORTS;
}

/* A watermark that stands still: the frames may be lost, or one was ignored after a gap. */
static void check_progress(struct asy__reports *reports, int64_t now_ms)
{
    if (reports->sent == reports->durable || now_ms - reports->progress_ms < ASY__RESEND_MS)
        return;
    reports->sent = reports->durable;
    reports->oldest_unsent_ms = 1;
    reports->progress_ms = now_ms;
}

void asy__reports_flush(struct asy__agent *agent, int64_t now_ms, int all)
{
    static struct batch batch; /* the main thread's; too large for a stack */

    if (agent->session.state != ASY__SESSION_JOINED)
        return;
    ASY__EACH(struct asy__job, job, &agent->jobs) {
        struct asy__reports *reports = &job->reports;

        check_progress(reports, now_ms);
        if (job->fenced || asy__job_foreign(job) || !due(reports, now_ms, all))
            continue;
        if (reports->sent == reports->durable)
            reports->progress_ms = now_ms;
        if (gather(agent, job, &batch) < 0)
            return;
    }
}

int64_t asy__reports_deadline(const struct asy__agent *agent)
{
    int64_t next = INT64_MAX, now_ms = asy_clock_ms();

    if (agent->session.state != ASY__SESSION_JOINED)
        return next;
    ASY__EACH(struct asy__job, job, &agent->jobs) {
        const struct asy__reports *reports = &job->reports;
        int64_t at = INT64_MAX;

        if (job->fenced || asy__job_foreign(job) || !reports->first)
            continue;
        if (reports->oldest_unsent_ms && reports->sent < sendable(reports) &&
            reports->sent - reports->durable < ASY__IN_FLIGHT_MAX)
            at = reports->oldest_unsent_ms + ASY__FLUSH_MS;
        if (at < now_ms)
            at = now_ms + 10; /* the link was full: soon again, without spinning */
        if (reports->sent > reports->durable && reports->progress_ms + ASY__RESEND_MS < at)
            at = reports->progress_ms + ASY__RESEND_MS;
        if (at < next)
            next = at;
    }
    return next;
}
