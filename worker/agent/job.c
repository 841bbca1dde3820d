/* SPDX-License-Identifier: Apache-2.0
 * job.c - one attempt from its lease to its last report.
 *
 *   WAITING -> STARTING -> RUNNING -> OVER -> forgotten, once all its reports are durable
 *
 * Any state may go to OVER. A lease whose cores are just being left (a fenced attempt that dies, a
 * closed part whose ranks become idle, an idle gang) waits for them; one that names cores of a
 * healthy attempt is refused. */
#include "impl.h"
#include <asy/clock.h>
#include <asy/log.h>
#include <math.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const state_names[] = { [ASY__JOB_WAITING] = "waiting",
                                           [ASY__JOB_STARTING] = "starting",
                                           [ASY__JOB_RUNNING] = "running",
                                           [ASY__JOB_OVER] = "over" };

static void move_to(struct asy__job *job, enum asy__job_state state)
{
    asy_debug("%s: %s -> %s", job->name, job->state ? state_names[job->state] : "new",
              state_names[state]);
    job->state = state;
}

int asy__job_foreign(const struct asy__job *job)
{
    return asy_id_cmp(job->store, job->agent->session.store) != 0;
}

struct asy__job *asy__job_find(struct asy__agent *agent, struct asy_id study, uint64_t trial,
                               uint32_t attempt, uint64_t epoch)
{
    ASY__EACH(struct asy__job, job, &agent->jobs)
        if (!job->forgotten && job->trial == trial && job->attempt == attempt &&
            (epoch == 0 || job->epoch == epoch) && !asy_id_cmp(job->study, study) &&
            !asy__job_foreign(job))
            return job;
    return NULL;
}

struct asy__job *asy__job_find_of(struct asy__agent *agent, struct asy_id store,
                                  const struct asy_holding *what)
{
    int any = asy_id_is_none(store);

    if (any || !asy_id_cmp(store, agent->session.store)) {
        struct asy__job *job = asy__job_find(agent, what->study, what->trial, what->attempt,
                                             what->epoch);

        if (job || !any)
            return job;
    }
    ASY__EACH(struct asy__job, job, &agent->jobs)
        if (!job->forgotten && job->trial == what->trial && job->attempt == what->attempt &&
            job->epoch == what->epoch && !asy_id_cmp(job->study, what->study) &&
            asy__job_foreign(job) && (any || !asy_id_cmp(job->store, store)))
            return job;
    return NULL;
}

int asy__job_alive(const struct asy__job *job)
{
    return job->state == ASY__JOB_STARTING || job->state == ASY__JOB_RUNNING;
}

int asy__job_leaves(const struct asy__job *job)
{
    return job->state == ASY__JOB_OVER || job->fenced || asy__part_closing(job);
}

int asy__job_checkpoints(const struct asy__job *job)
{
    return job->spec->study->checkpoint;
}

int asy__job_full(const struct asy__job *job)
{
    uint64_t max = job->spec->study->length_max;

    return max != UINT64_MAX && job->has_step && job->step >= max;
}

/* ---- the end --------------------------------------------------------------------------------- */

void asy__job_report_end(struct asy__job *job, const struct asy_event *ended)
{
    struct asy_error err = ASY_ERROR_INIT;

    asy__crash_point("agent.before_ended");
    if (asy__part_ended(job, ended))
        return;
    if (!job->fenced && !asy__part_follows(job) && asy__report_add(job, ended, &err) < 0) {
        asy_logerr("%s: cannot report its end: %s, dropping it", job->name, err.text);
        job->fenced = 1; /* the coordinator will see that we do not hold it any more */
    }
    if (!job->fenced && !asy__part_follows(job))
        asy__transfer_hold(job);
    asy__transfer_over(job);
    asy_info("%s: %s%s%s", job->name, job->fenced ? "killed" : asy_end_name(ended->ended.end),
             ended->ended.text && *ended->ended.text ? ": " : "",
             ended->ended.text ? ended->ended.text : "");
    move_to(job, ASY__JOB_OVER);
    job->escalate_ms = INT64_MAX;
    asy__files_clean(job);
    if (asy__job_foreign(job) && !job->fenced && job->agent->session.state == ASY__SESSION_JOINED)
        asy__session_greet(job->agent); /* its offer says that it runs */
}

/* An attempt that could not even begin, which is no fault of its own where the disk is full. */
static void not_started(struct asy__job *job, enum asy_end end, enum asy_cause cause,
                        const char *text)
{
    int full = asy__space_lacks(job->agent);

    if (full)
        asy__space_gone(job->agent);
    asy__job_refuse(job, full ? ASY_END_REFUSED : end,
                    full ? ASY_CAUSE_DISK_FULL : cause, text);
}

/* What is not what it was will not be so for the next one either; all else may be better elsewhere,
 * or later. */
void asy__job_not_fetched(struct asy__job *job, int rc, const char *text)
{
    if (job->state != ASY__JOB_WAITING)
        return;
    if (rc == ASY_E_INVAL)
        asy__job_refuse(job, ASY_END_CRASHED, ASY_CAUSE_BAD_JOB, text);
    else
        not_started(job, ASY_END_REFUSED, ASY_CAUSE_NOT_STARTED, text);
}

void asy__job_refuse(struct asy__job *job, enum asy_end end, enum asy_cause cause,
                     const char *text)
{
    struct asy_event event = { .kind = ASY_EV_ENDED };

    event.ended.end = end;
    event.ended.cause = cause;
    event.ended.text = text;
    event.ended.exit_code = -1;
    event.ended.objective = NAN;
    event.ended.step = job->from.attempt ? job->from.step : 0;
    asy__job_report_end(job, &event);
}

/* What a program wrote before it ended still waits in sockets and pipes. */
static void read_rest(struct asy__job *job)
{
    job->closing = 1;
    if (job->door.fd >= 0)
        asy__door_accept(job->agent, &job->door, job, NULL);
    ASY__EACH(struct asy__conn, conn, &job->conns) {
        conn->wait_number = 0;
        while (!conn->dead) { /* ends: the peers are gone, so it comes to the end of file */
            int n_refused = conn->refused;

            asy__conn_ready(conn, POLLIN);
            if (conn->dead || (!conn->more && n_refused == conn->refused && !conn->wait_number))
                break;
            conn->wait_number = 0;
        }
        asy__conn_close(conn);
    }
    while (job->pipe.fd >= 0) {
        struct pollfd ready = { job->pipe.fd, POLLIN, 0 };

        if (poll(&ready, 1, 0) <= 0)
            break; /* somebody else holds the write end: not our program any more */
        asy__pipe_ready(job);
    }
    asy__pipe_close(&job->pipe);
    asy__door_close(&job->door);
}

void asy__job_ended(struct asy__job *job, const struct asy_attempt_event *event)
{
    struct asy__ended ended;

    if (job->state == ASY__JOB_OVER)
        return;
    if (!job->gang)
        read_rest(job);
    asy__end_judge(job, event, &ended);
    asy__job_report_end(job, &ended.event);
}

void asy__job_not_begun(struct asy__job *job, const struct asy_attempt_event *event)
{
    int missing = event->what == ASY_ATTEMPT_MISSING;
    /* the study names a command, but the trainer is this node's own: another one may have it */
    int refused = event->what == ASY_ATTEMPT_REFUSED || (missing && job->gang);

    not_started(job, refused ? ASY_END_REFUSED : ASY_END_CRASHED,
                missing && !refused ? ASY_CAUSE_BAD_JOB : ASY_CAUSE_NOT_STARTED, event->text);
}

void asy__job_not_greeted(struct asy__job *job, const struct asy_attempt_event *event)
{
    struct asy__ended ended;

    asy__end_judge(job, event, &ended);
    ended.event.ended.end = ASY_END_CRASHED;
    ended.event.ended.cause = ASY_CAUSE_NOT_STARTED;
    asy__job_report_end(job, &ended.event);
}

void asy__job_attempt(struct asy__job *job)
{
    struct asy_attempt_event event;

    while (job->run_by && asy_attempt_next(job->run_by, &event, NULL) == 0) {
        if (event.what == ASY_ATTEMPT_STARTED) {
            asy__job_started(job, event.pid);
            continue;
        }
        if (event.what == ASY_ATTEMPT_ORPHANED)
            job->agent->sweeping = 1;
        asy_attempt_destroy(job->run_by);
        job->run_by = NULL;
        if (asy_attempt_never_ran(&event))
            asy__job_not_begun(job, &event);
        else
            asy__job_ended(job, &event);
    }
}

/* ---- ending it ------------------------------------------------------------------------------- */

static void send_signal(struct asy__job *job, int level)
{
    struct asy_attempt *attempt = job->gang ? job->gang->attempt : job->run_by;

    if (level > job->signals)
        job->signals = level;
    if (!attempt)
        return;
    if (level == 1)
        asy_attempt_term(attempt);
    else
        asy_attempt_kill(attempt);
}

void asy__job_doom(struct asy__job *job, enum asy_cause cause, const char *text)
{
    if (!asy__job_alive(job) || job->doom)
        return;
    job->doom = cause;
    if (cause == ASY_CAUSE_DISK_FULL)
        asy__space_gone(job->agent);
    snprintf(job->doom_text, sizeof job->doom_text, "%s", text);
    asy_warn("%s: %s, ending it", job->name, text);
    send_signal(job, 2);
}

void asy__job_fence(struct asy__job *job)
{
    if (job->fenced)
        return;
    job->fenced = 1;
    asy_info("%s: fenced by the coordinator", job->name);
    if (asy__job_alive(job) && !asy__part_fenced(job))
        send_signal(job, 2);
    else if (job->state == ASY__JOB_WAITING)
        asy__job_refuse(job, ASY_END_PREEMPTED, ASY_CAUSE_NONE, "");
}

/* How the order reaches the program, and when signals follow. */
static void deliver(struct asy__job *job)
{
    int64_t now_ms = asy_clock_ms();

    job->escalate_ms = now_ms + job->grace_ms;
    if (job->gang)
        asy__gang_tell(job->gang, job->verdict == ASY__STOP ? "stop" : "pause");
    else if (job->state == ASY__JOB_STARTING || job->spec->study->pattern ||
             (job->verdict == ASY__STOP && job->n_conns == 0))
        job->escalate_ms = now_ms; /* no other way to tell it */
    else if (job->verdict == ASY__STOP)
        asy__conns_stop(job);
}

void asy__job_cancel(struct asy__job *job, enum asy_cancel_mode mode, int64_t grace_ms,
                     enum asy_cause cause, const char *text)
{
    if (mode == ASY_CANCEL_KILL) {
        asy__job_fence(job);
        return;
    }
    if (job->state == ASY__JOB_OVER || job->fenced ||
        (job->verdict == ASY__STOP && job->ordered))
        return;
    job->verdict = mode == ASY_CANCEL_STOP ? ASY__STOP : ASY__PAUSE;
    job->ordered = 1;
    job->cause = cause;
    job->grace_ms = grace_ms > 0 ? grace_ms : job->spec->study->grace_ms;
    snprintf(job->reason, sizeof job->reason, "%s", text ? text : "");
    asy_info("%s: told to %s%s%s", job->name, job->verdict == ASY__STOP ? "stop" : "pause",
             job->reason[0] ? ": " : "", job->reason);
    if (job->state == ASY__JOB_WAITING)
        asy__job_refuse(job, job->verdict == ASY__STOP ? ASY_END_STOPPED : ASY_END_PREEMPTED,
                        cause, job->reason);
    else
        deliver(job);
}

void asy__job_stepped(struct asy__job *job, uint64_t step)
{
    const struct asy_study_spec *study = job->spec->study;

    job->step = step;
    job->has_step = 1;
    if (job->verdict != ASY__GO_ON || study->kind != ASY_RUN_COMMAND || study->pattern)
        return;
    if (study->checkpoint && step >= job->milestone)
        job->verdict = ASY__PAUSE;
    else if (!study->checkpoint && asy__job_full(job))
        job->verdict = ASY__STOP; /* its whole length is done */
}

void asy__job_told(struct asy__job *job)
{
    if (job->told)
        return;
    job->told = 1;
    job->told_step = job->step;
    if (job->escalate_ms == INT64_MAX && !job->signals)
        job->escalate_ms = asy_clock_ms() + job->grace_ms;
}

void asy__job_heard(struct asy__job *job)
{
    int64_t silence_ms = job->spec->study->silence_ms;

    job->silent_ms = silence_ms && !asy__part_follows(job)
                         ? asy_gang_silent_at(silence_ms, asy_clock_ms())
                         : INT64_MAX;
}

/* What its first rank has said is not read yet, or shall wait: it is not silent. */
static int has_spoken(const struct asy__job *job)
{
    ASY__EACH(struct asy__conn, conn, &job->gang->conns) {
        struct pollfd ready = { .fd = -1, .events = POLLIN };

        if (conn->rank != 0 || conn->dead)
            continue;
        ready.fd = asy_line_fd(conn->line);
        return !asy__conn_listens(conn) || conn->more || poll(&ready, 1, 0) > 0;
    }
    return 0;
}

/* A plug-in may loop for ever, and hold its gang. */
static int64_t judge_silence(struct asy__job *job, int64_t now_ms)
{
    char text[160];

    if (job->state != ASY__JOB_RUNNING || !job->gang || job->doom)
        return INT64_MAX;
    if (now_ms < job->silent_ms)
        return job->silent_ms;
    if (has_spoken(job)) {
        asy__job_heard(job);
        return job->silent_ms;
    }
    snprintf(text, sizeof text, "nothing was heard of its plug-in for %.10g s (run.silence)",
             (double)job->spec->study->silence_ms / 1000);
    job->silent_ms = INT64_MAX;
    asy__job_doom(job, ASY_CAUSE_SILENT, text);
    return INT64_MAX;
}

int64_t asy__job_timers(struct asy__job *job, int64_t now_ms)
{
    int64_t next = asy__conn_waits(job, now_ms), silent_ms;

    if (!asy__job_alive(job))
        return next;
    if (now_ms >= job->escalate_ms) {
        int level = job->signals + 1;

        asy_info("%s: %s", job->name, level == 1 ? "SIGTERM" : "SIGKILL");
        job->escalate_ms = level == 1 ? now_ms + job->grace_ms : INT64_MAX;
        send_signal(job, level);
    }
    silent_ms = judge_silence(job, now_ms);
    next = silent_ms < next ? silent_ms : next;
    return job->escalate_ms < next ? job->escalate_ms : next;
}

/* ---- the start ------------------------------------------------------------------------------- */

static void write_gpus(const struct asy__job *job, struct asy_jsonw *w)
{
    asy_jsonw_open(w, "gpus", '[');
    for (size_t i = 0; i < job->n_gpus; i++) {
        const struct asy__gpu *gpu = asy__gpus_get(&job->agent->gpus, job->gpus[i]);

        asy_jsonw_open(w, NULL, '{');
        asy_jsonw_str(w, "id", job->gpus[i]);
        asy_jsonw_str(w, "name", gpu ? gpu->name : "");
        asy_jsonw_f64(w, "share", (double)job->gpu_shares[i] / ASY_GPU_WHOLE);
        asy_jsonw_close(w, '}');
    }
    asy_jsonw_close(w, ']');
}

/* What a run is to be known by when its times are looked at later: where, on what, how fast. */
static void write_place(const struct asy__job *job, struct asy_buf *buf)
{
    const struct asy__programs *programs = &job->agent->programs;
    const struct asy_node *node = job->agent->node;
    struct asy_jsonw w;

    asy_jsonw_init(&w, buf, 0);
    asy_jsonw_open(&w, NULL, '{');
    asy_jsonw_str(&w, "host", node->host);
    asy_jsonw_str(&w, "model", node->model);
    asy_jsonw_open(&w, "cpus", '[');
    for (size_t i = 0; i < job->n_cpus; i++)
        asy_jsonw_u64(&w, NULL, job->cpus[i]);
    asy_jsonw_close(&w, ']');
    asy_jsonw_open(&w, "numa", '[');
    for (uint32_t group = 0; group < node->n_numa; group++)
        for (size_t i = 0; i < job->n_cores; i++)
            if (node->group[job->cores[i]] == group) {
                asy_jsonw_u64(&w, NULL, group);
                break;
            }
    asy_jsonw_close(&w, ']');
    asy_jsonw_u64(&w, "ranks", asy__all_ranks(job));
    write_gpus(job, &w);
    asy_node_write_caches(node, &w);
    asy_jsonw_u64(&w, "memory", node->memory);
    if (programs->gflops > 0)
        asy_jsonw_f64(&w, "gflops", programs->gflops);
    if (programs->bandwidth_gb_s > 0)
        asy_jsonw_f64(&w, "bandwidth_gb_s", programs->bandwidth_gb_s);
    asy_jsonw_close(&w, '}');
}

void asy__job_started(struct asy__job *job, pid_t pid)
{
    struct asy_event event = { .kind = ASY_EV_STARTED };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf place;

    asy__crash_point("agent.before_started");
    asy_buf_init(&place, 256u << 10);
    write_place(job, &place);
    job->started = 1;
    asy__job_heard(job);
    if (asy__part_follows(job)) { /* its lead says it for all */
        move_to(job, ASY__JOB_RUNNING);
        asy_buf_fini(&place);
        return;
    }
    event.started.pid = pid;
    event.started.host = job->agent->node->host;
    event.started.hardware = place.rc ? "{}" : place.data;
    event.started.versions = job->agent->versions.data;
    event.started.reporter_wall_us = asy_clock_wall_us();
    move_to(job, ASY__JOB_RUNNING);
    if (asy__report_add(job, &event, &err) < 0)
        asy__job_doom(job, ASY_CAUSE_NOT_STARTED, err.text);
    asy_buf_fini(&place);
}

void asy__job_try_start(struct asy__job *job)
{
    struct asy_error err = ASY_ERROR_INIT;
    enum asy_end end = ASY_END_CRASHED;
    int rc, gone = 0;

    if (job->state != ASY__JOB_WAITING || job->fetching ||
        asy__agent_cpus_busy(job->agent, job))
        return;
    move_to(job, ASY__JOB_STARTING);
    asy__crash_point("agent.after_lease");
    if ((rc = asy__files_prepare(job, &err)) < 0) {
        end = rc == ASY_E_TOOBIG ? ASY_END_REFUSED : end; /* another worker may copy more */
        goto out;
    }
    if ((rc = asy__files_resume(job, &err)) < 0) {
        gone = job->agent->session.minor >= 1 &&
               (rc == ASY_E_NOENT || rc == ASY_E_CORRUPT);
        end = gone ? ASY_END_REFUSED : end;
        goto out;
    }
    asy__transfer_tail(job);
    if (job->spec->study->kind == ASY_RUN_COMMAND) {
        rc = asy__command_start(job, &err);
    } else {
        rc = asy__part_follows(job) ? 0 : asy__gang_start(job, &err); /* else its lead calls */
        end = rc == ASY_E_NOENT ? ASY_END_REFUSED : end; /* another node may have the trainer */
    }
out:
    if (rc < 0) {
        asy__pipe_close(&job->pipe);
        asy__door_close(&job->door);
        not_started(job, end, gone ? ASY_CAUSE_CHECKPOINT_GONE : ASY_CAUSE_NOT_STARTED, err.text);
    }
}

/* What a trainer has left: its model, and how that does. *ret_paths are the caller's to free(). */
static int keep_left(struct asy__job *job, const struct asy__said *said, struct asy_event *event,
                     char *ret_paths[2], struct asy_error *err)
{
    struct {
        const char *left;
        struct asy_sha *sha;
        uint64_t *bytes;
        const char **path;
    } files[] = {
        { said->model, &event->ended.model_sha, &event->ended.model_bytes,
          &event->ended.model_path },
        { said->scores, &event->ended.scores_sha, &event->ended.scores_bytes,
          &event->ended.scores_path },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(files); i++) {
        const char *left = files[i].left, *slash = left ? strrchr(left, '/') : NULL;
        int rc;

        if (!left || !*left)
            continue;
        rc = asy__files_keep(job, job->dir, slash ? slash + 1 : left, 0, files[i].sha,
                             files[i].bytes, &ret_paths[i], err);
        if (rc < 0) {
            asy_error_prefix(err, i ? "cannot keep the scores" : "cannot keep the model");
            return rc;
        }
        *files[i].path = ret_paths[i];
    }
    return 0;
}

/* A trainer's own word about its end; its process lives on. */
void asy__job_native_end(struct asy__job *job, enum asy_end end, enum asy_cause cause,
                         const struct asy__said *said)
{
    struct asy_event event = { .kind = ASY_EV_ENDED };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__gang *gang = job->gang;
    char *paths[2] = { NULL, NULL };

    event.ended.step = said->step;
    event.ended.objective = said->objective;
    event.ended.text = said->reason;
    event.ended.cause = cause;
    if (end == ASY_END_PAUSED && !job->last.attempt &&
        !(job->from.attempt && job->from.step == said->step)) {
        end = job->ordered ? ASY_END_PREEMPTED : ASY_END_CRASHED;
        event.ended.cause = job->ordered ? job->cause : ASY_CAUSE_PROTOCOL;
        event.ended.text = "it paused without a checkpoint";
    } else if (end == ASY_END_PAUSED || end == ASY_END_STOPPED) {
        event.ended.cause = job->cause;
        event.ended.text = job->reason[0] ? job->reason : said->reason;
    }
    if (keep_left(job, said, &event, paths, &err) < 0) {
        event.ended.model_path = NULL;
        event.ended.model_bytes = 0;
        end = ASY_END_CRASHED;
        event.ended.cause = ASY_CAUSE_NOT_STARTED;
        event.ended.text = err.text;
    }
    if (end == ASY_END_CRASHED && asy__space_lacks(job->agent)) { /* it writes what we keep */
        asy__space_gone(job->agent);
        end = ASY_END_PREEMPTED;
        event.ended.cause = ASY_CAUSE_DISK_FULL;
    }
    event.ended.end = end;
    asy__gang_usage(gang, &event.ended.cpu_s, &event.ended.max_rss);
    asy__gang_release(gang, end != ASY_END_CRASHED || cause == ASY_CAUSE_BAD_JOB);
    asy__job_report_end(job, &event);
    free(paths[0]);
    free(paths[1]);
}
