/* SPDX-License-Identifier: Apache-2.0
 * transfer.c - the main thread's side of files on their way: which agent sees the coordinator's
 * folders, what an attempt waits for before it starts, which reports wait for what they tell of.
 *
 * A report is sent when all that it speaks of is durable at the coordinator: one of a checkpoint
 * after that checkpoint, ENDED after model, scores and the last line of the logs. Reports keep
 * their order, so later ones wait behind it; their program is not read on once UPLOADS_MAX
 * checkpoints wait. */
#include "impl.h"
#include "bulk.h"
#include "copy.h"
#include <asy/clock.h>
#include <asy/durable.h>
#include <asy/log.h>
#include <asy/parse.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define UPLOADS_MAX 2

/* A file on its way to the coordinator. */
struct upload {
    struct asy__list node;
    struct asy__job *job;
    uint64_t ticket, number; /* number: of the report that waits for it; 0: not made yet */
    struct asy_sha sha;
};

/* ---- whose folders --------------------------------------------------------------------------- */

/* Whether this home has the nonce of the coordinator that welcomed us. */
static int is_home(const char *home, const char *nonce)
{
    char *path = asy__textf("%s/artifacts/" ASY_BULK_NONCE_FILE, home), *text = NULL;
    size_t len = 0;
    int is = path && *nonce && asy_read_file(path, 256, &text, &len, NULL) == 0 &&
             !strcmp(text, nonce);

    free(path);
    free(text);
    return is;
}

static int set_store(struct asy__agent *agent, const char *home)
{
    char *copy = strdup(home);

    if (!copy)
        return -1;
    free(agent->store_home);
    agent->store_home = copy;
    return 0;
}

/* One that says nothing of its folders is of an earlier version, whose agents shared them. */
static int find_store(struct asy__agent *agent, const struct asy_msg *msg)
{
    const char *nonce = msg->welcome.nonce;

    if (!msg->welcome.bulk_port)
        return set_store(agent, agent->home) == 0;
    if (agent->options.never_shared)
        return 0;
    if (is_home(agent->home, nonce))
        return set_store(agent, agent->home) == 0;
    return is_home(msg->welcome.files, nonce) && set_store(agent, msg->welcome.files) == 0;
}

static void tail(struct asy__job *job);

void asy__transfer_welcome(struct asy__agent *agent, const struct asy_msg *msg)
{
    struct asy__session *s = &agent->session;
    int before = agent->shared;
    struct asy_error err = ASY_ERROR_INIT;

    agent->shared = find_store(agent, msg);
    if (!agent->shared && before != agent->shared)
        asy_info("the coordinator's folders are not seen from here: files go over port %u",
                 msg->welcome.bulk_port);
    if (agent->bulk_port != msg->welcome.bulk_port || agent->bulk_epoch != s->owner_epoch ||
        asy_id_cmp(agent->bulk_store, s->store)) {
        if (asy__bulk_connect(agent->bulk, &s->discovery, &agent->pair, s->store,
                              msg->welcome.bulk_port, &err) < 0) {
            asy_warn("bulk: %s, waiting for the next session", err.text);
            return;
        }
        agent->bulk_port = msg->welcome.bulk_port;
        agent->bulk_epoch = s->owner_epoch;
        agent->bulk_store = s->store;
    }
    ASY__EACH(struct asy__job, job, &agent->jobs)
        if (asy__job_alive(job))
            tail(job);
}

void asy__transfer_away(struct asy__agent *agent)
{
    struct asy__session *s = &agent->session;

    if (agent->bulk_port && asy__bulk_connect(agent->bulk, &s->discovery, &agent->pair,
                                              agent->bulk_store, 0, NULL) == 0)
        agent->bulk_port = 0;
}

/* ---- what an attempt needs ------------------------------------------------------------------- */

/* The number before *end, behind a dash, to which *end moves. */
static int number_before(const char *path, const char **end, uint64_t *ret)
{
    const char *at = *end;

    while (at > path && at[-1] != '-')
        at--;
    if (at == path || asy_parse_u64(at, (size_t)(*end - at), ret, NULL) < 0)
        return 0;
    *end = at - 1;
    return 1;
}

/* The end of a checkpoint's name, "-trial-attempt-report", says which report told of it, and whose:
 * one that the trial starts from may be its parent's. Names of older stores say nothing. */
static void name_checkpoint(const struct asy__job *job, struct asy__want *want)
{
    const char *path = job->from_path, *end = path ? path + strlen(path) : NULL;
    uint64_t attempt = 0, trial;

    want->trial = job->trial;
    if (path && number_before(path, &end, &want->report) &&
        number_before(path, &end, &attempt) && attempt == want->attempt &&
        number_before(path, &end, &trial))
        want->trial = trial;
}

static size_t list_wants(const struct asy__job *job, struct asy__want *wants)
{
    const struct asy_study_spec *study = job->spec->study;
    size_t n = 0;

    for (size_t i = 0; i < study->n_inputs; i++)
        if (!study->inputs[i].folder)
            wants[n++] = (struct asy__want){ .what = ASY_BULK_INPUT,
                                             .path = study->inputs[i].path,
                                             .look = !job->agent->options.never_shared,
                                             .sha = study->inputs[i].sha,
                                             .bytes = study->inputs[i].bytes };
    if (job->from.attempt && !job->agent->shared) {
        wants[n] = (struct asy__want){ .what = ASY_BULK_CHECKPOINT, .sha = job->from.sha,
                                       .attempt = job->from.attempt };
        name_checkpoint(job, &wants[n++]);
    }
    return n;
}

/* All inputs were found at their paths before, and are as they were: nothing needs to be looked
 * at. */
static int is_settled(struct asy__job *job)
{
    const struct asy_study_spec *study = job->spec->study;
    const struct stat *seen = job->spec->seen;

    if (!seen || (job->from.attempt && !job->agent->shared))
        return 0;
    for (size_t i = 0; i < study->n_inputs; i++) {
        struct stat st;

        if (!study->inputs[i].folder &&
            (stat(study->inputs[i].path, &st) < 0 || st.st_ino != seen[i].st_ino ||
             st.st_dev != seen[i].st_dev || st.st_size != seen[i].st_size ||
             st.st_mtim.tv_sec != seen[i].st_mtim.tv_sec ||
             st.st_mtim.tv_nsec != seen[i].st_mtim.tv_nsec))
            return 0;
    }
    return 1;
}

int asy__transfer_begin(struct asy__job *job, struct asy_error *err)
{
    const struct asy_study_spec *study = job->spec->study;
    struct asy__want *wants;
    size_t n;
    int rc = 0;

    job->sees_study = !job->agent->options.never_shared;
    if (is_settled(job) || !(study->n_inputs || job->from.attempt))
        return 0;
    if (!(wants = calloc(study->n_inputs + 1, sizeof *wants)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a list of files");
    if ((n = list_wants(job, wants)) > 0) {
        job->ticket = ++job->agent->tickets;
        rc = asy__bulk_fetch(job->agent->bulk, job->ticket, job->study, job->trial, wants, n, err);
        job->fetching = rc == 0;
    }
    free(wants);
    return rc;
}

const char *asy__transfer_input(const struct asy__job *job, size_t i)
{
    const struct asy_study_input *inputs = job->spec->study->inputs;
    size_t at = 0;

    if (!job->inputs)
        return inputs[i].path;
    for (size_t k = 0; k < i; k++)
        at += !inputs[k].folder;
    return job->inputs[at];
}

const char *asy__transfer_checkpoint(const struct asy__job *job)
{
    const struct asy_study_spec *study = job->spec->study;
    size_t n = 0;

    for (size_t k = 0; k < study->n_inputs; k++)
        n += !study->inputs[k].folder;
    return job->inputs && job->n_inputs > n ? job->inputs[n] : NULL;
}

/* If each lies at its own path, the next attempt need not look for them so thoroughly. */
static void settle(struct asy__job *job)
{
    const struct asy_study_spec *study = job->spec->study;
    struct stat *seen = calloc(study->n_inputs + 1, sizeof *seen);
    int all = seen != NULL && !job->agent->options.never_shared;

    for (size_t i = 0; i < study->n_inputs; i++) {
        const struct asy_study_input *input = &study->inputs[i];

        if (input->folder)
            continue;
        if (strcmp(asy__transfer_input(job, i), input->path)) {
            all = 0;
            job->sees_study &= input->place == NULL; /* another folder bears its name here */
        } else if (all && stat(input->path, &seen[i]) < 0) {
            all = 0;
        }
    }
    free(job->spec->seen);
    job->spec->seen = all ? seen : NULL;
    if (!all)
        free(seen);
}

static void take_fetched(struct asy__agent *agent, struct asy__bulk_news *news)
{
    ASY__EACH(struct asy__job, job, &agent->jobs) {
        if (job->ticket != news->ticket || !job->fetching)
            continue;
        job->fetching = 0;
        if (news->rc < 0) {
            asy__job_not_fetched(job, news->rc, news->text);
            return;
        }
        job->inputs = news->paths;
        job->n_inputs = news->n;
        news->paths = NULL;
        settle(job);
        asy__job_try_start(job);
        return;
    }
}

/* ---- what it makes --------------------------------------------------------------------------- */

int asy__transfer_put(struct asy__job *job, const char *from, uint64_t report, struct asy_sha sha,
                      char **ret_path, struct asy_error *err)
{
    struct asy__agent *agent = job->agent;
    struct asy_bulk head = { .what = report ? ASY_BULK_CHECKPOINT : ASY_BULK_MODEL,
                             .study = job->study, .trial = job->trial, .attempt = job->attempt,
                             .report = report, .sha = sha };
    struct upload *upload = calloc(1, sizeof *upload);
    struct asy__pin *pin = NULL;
    struct stat st;
    int rc;

    if (!upload)
        return asy_fail(err, ASY_E_NOMEM, "no memory for an upload");
    if (lstat(from, &st) < 0) {
        rc = asy_fail_errno(err, errno, "cannot find '%s'", from);
        goto out;
    }
    head.tree = S_ISDIR(st.st_mode);
    if ((rc = asy__cache_add(agent->cache, from, sha, head.tree, &pin, err)) < 0)
        goto out;
    if (!(*ret_path = strdup(pin->path)))
        rc = asy_fail(err, ASY_E_NOMEM, "no memory for a path");
    else if ((rc = asy__bulk_put(agent->bulk, agent->tickets + 1, &head, pin, err)) < 0)
        free(*ret_path);
    if (rc < 0)
        goto out;
    pin = NULL; /* handed over */
    upload->ticket = ++agent->tickets;
    upload->job = job;
    upload->sha = sha;
    asy__list_add(&agent->uploads, &upload->node);
    job->n_uploads++;
    upload = NULL;
out:
    asy__cache_unpin(agent->cache, pin);
    free(upload);
    return rc;
}

void asy__transfer_hold(struct asy__job *job)
{
    struct asy__agent *agent = job->agent;
    struct asy__report *report = job->reports.last;
    struct asy_error err = ASY_ERROR_INIT;

    ASY__EACH(struct upload, upload, &agent->uploads)
        if (upload->job == job && !upload->number) {
            upload->number = report->report.number;
            report->holds++;
        }
    if (report->report.event.kind != ASY_EV_ENDED || !job->tail || job->sealed)
        return;
    if (asy__bulk_seal(agent->bulk, job->tail, &err) == 0)
        report->holds++;
    else
        asy_warn("%s: cannot seal its logs: %s, the last lines may be missing", job->name,
                 err.text);
}

int asy__transfer_busy(const struct asy__job *job)
{
    return job->n_uploads >= UPLOADS_MAX;
}

static struct asy__report *report_numbered(struct asy__job *job, uint64_t number)
{
    struct asy__report *r = job->reports.first;

    while (r && r->report.number != number)
        r = r->next;
    return r;
}

static void release(struct asy__job *job, struct asy__report *report)
{
    if (report && report->holds && --report->holds == 0 && !job->reports.oldest_unsent_ms)
        job->reports.oldest_unsent_ms = 1; /* at once */
}

/* What it tells of is not there and never will be: the number stays, the claim goes. */
static void take_back(struct asy__job *job, struct asy__report *report, const char *why)
{
    struct asy_event *event = &report->report.event;

    asy_logerr("%s: cannot hand over what it made: %s", job->name, why);
    if (event->kind == ASY_EV_CHECKPOINT) {
        uint64_t step = event->checkpoint.checkpoint.step, number = report->report.number;

        event->kind = ASY_EV_REPORT;
        memset(&event->report, 0, sizeof event->report);
        event->report.report = number;
        event->report.step = step;
        asy__job_doom(job, ASY_CAUSE_NOT_STARTED, why);
        return;
    }
    free(report->path); /* of the model, if that got there */
    report->path = asy__textf("cannot hand over the model: %s", why);
    event->ended.end = ASY_END_CRASHED;
    event->ended.cause = ASY_CAUSE_NOT_STARTED;
    event->ended.text = report->path ? report->path : "cannot hand over the model";
    event->ended.model_path = event->ended.scores_path = NULL;
    event->ended.model_bytes = event->ended.scores_bytes = 0;
    event->ended.model_sha = event->ended.scores_sha = (struct asy_sha){ { 0 } };
}

static void name_it(struct asy__report *report, struct asy_sha sha, const char *path)
{
    struct asy_event *event = &report->report.event;
    int is_scores = event->kind == ASY_EV_ENDED && event->ended.scores_path &&
                    !memcmp(&sha, &event->ended.scores_sha, sizeof sha);
    char **mine = is_scores ? &report->scores_path : &report->path;

    if (event->kind == ASY_EV_ENDED && event->ended.end == ASY_END_CRASHED)
        return; /* another file of it did not get there */
    if (!(*mine = strdup(path)))
        return; /* its name here: found by its hash all the same */
    if (event->kind == ASY_EV_CHECKPOINT)
        event->checkpoint.checkpoint.path = *mine;
    else if (is_scores)
        event->ended.scores_path = *mine;
    else
        event->ended.model_path = *mine;
}

static void upload_end(struct asy__agent *agent, struct upload *upload)
{
    asy__bulk_forget(agent->bulk, upload->ticket);
    upload->job->n_uploads--;
    asy__list_del(&upload->node);
    free(upload);
}

static void take_put(struct asy__agent *agent, const struct asy__bulk_news *news)
{
    ASY__EACH(struct upload, upload, &agent->uploads) {
        struct asy__job *job = upload->job;
        struct asy__report *report;

        if (upload->ticket != news->ticket)
            continue;
        report = report_numbered(job, upload->number);
        if (report && news->rc < 0)
            take_back(job, report, news->text);
        else if (report)
            name_it(report, upload->sha, news->text);
        release(job, report);
        upload_end(agent, upload);
        return;
    }
}

/* ---- what it prints -------------------------------------------------------------------------- */

static void tail(struct asy__job *job)
{
    struct asy__agent *agent = job->agent;
    struct asy_error err = ASY_ERROR_INIT;

    if (job->tail || !job->logs || (agent->shared && !job->own_logs) || asy__part_follows(job))
        return; /* an attempt has one log, that of its first rank */
    if (asy__bulk_tail(agent->bulk, agent->tickets + 1, job->study, job->trial, job->attempt,
                       job->logs, &err) < 0)
        asy_warn("%s: its logs do not reach the coordinator: %s", job->name, err.text);
    else
        job->tail = ++agent->tickets;
}

void asy__transfer_tail(struct asy__job *job)
{
    tail(job);
}

void asy__transfer_renumbered(struct asy__job *job)
{
    struct asy__agent *agent = job->agent;

    if (!job->tail || job->sealed)
        return;
    asy__bulk_forget(agent->bulk, job->tail);
    job->tail = 0;
    tail(job);
    if (job->tail && job->state == ASY__JOB_OVER &&
        asy__bulk_seal(agent->bulk, job->tail, NULL) < 0)
        asy_warn("%s: cannot seal its logs", job->name);
}

static void take_sealed(struct asy__agent *agent, const struct asy__bulk_news *news)
{
    ASY__EACH(struct asy__job, job, &agent->jobs) {
        if (job->tail != news->ticket || job->sealed)
            continue;
        job->sealed = 1;
        if (news->rc < 0)
            asy_warn("%s: its last lines are not at the coordinator: %s", job->name, news->text);
        asy__bulk_forget(agent->bulk, job->tail);
        if (job->reports.last && job->reports.last->report.event.kind == ASY_EV_ENDED)
            release(job, job->reports.last);
        return;
    }
}

/* ---- life ------------------------------------------------------------------------------------ */

void asy__transfer_news(struct asy__agent *agent)
{
    struct asy__bulk_news news;

    while (asy__bulk_next(agent->bulk, &news) != ASY__BULK_NONE) {
        if (news.kind == ASY__BULK_FETCHED)
            take_fetched(agent, &news);
        else if (news.kind == ASY__BULK_PUT)
            take_put(agent, &news);
        else
            take_sealed(agent, &news);
        free(news.paths);
    }
}

void asy__transfer_over(struct asy__job *job)
{
    if (job->ticket)
        asy__bulk_forget(job->agent->bulk, job->ticket);
    job->ticket = 0;
    job->fetching = 0;
}

void asy__transfer_destroy(struct asy__job *job)
{
    struct asy__list *at = job->agent->uploads.next;

    asy__transfer_over(job);
    if (job->tail && !job->sealed)
        asy__bulk_forget(job->agent->bulk, job->tail);
    while (at != &job->agent->uploads) {
        struct upload *upload = (struct upload *)at;

        at = at->next;
        if (upload->job == job)
            upload_end(job->agent, upload);
    }
    free(job->inputs);
}

int asy__transfer_create(struct asy__agent *agent, struct asy_error *err)
{
    int rc = asy__cache_create(agent->own_disk ? agent->work : agent->home, agent->node->host,
                               agent->options.cache_bytes, &agent->cache, err);

    return rc < 0 ? rc : asy__bulk_create(agent->cache, &agent->bulk, err);
}

void asy__transfer_fini(struct asy__agent *agent)
{
    asy__bulk_destroy(agent->bulk);
    asy__cache_destroy(agent->cache);
    free(agent->store_home);
}
