/* SPDX-License-Identifier: Apache-2.0
 * query.c - see query.h. An answer leaves in parts as it grows, so that none is ever whole in
 * memory. */
#include "query_jobs.h"
#include <stdlib.h>
#include <string.h>
#include <asy/urgency.h>

#define PART_BYTES (256u << 10) /* an answer that has grown so far is sent on */
#define PART_MAX (256u << 20)   /* of one piece: all trials in the order of their values */

/* ---- turns ----------------------------------------------------------------------------------- */

void asy__query_job_destroy(struct asy__query_job *job)
{
    asy__asked_fini(&job->asked);
    asy_buf_fini(&job->json);
    asy__query_left_fini(job);
    free(job->ask);
    free(job->path);
    free(job);
}

static struct asy__query_job *take_first(struct asy__bundle *line)
{
    struct asy__query_job *job = (struct asy__query_job *)line->first;

    line->first = job->letter.next;
    if (!line->first)
        line->last = NULL;
    return job;
}

/* Somebody waits for it. */
static int is_asked(const struct asy__query_job *job)
{
    return job->kind == ASY__Q_ANSWER || job->kind == ASY__Q_WHOSE;
}

void asy__query_queue(struct asy__query *query, struct asy__query_job *job)
{
    asy__bundle_add(is_asked(job) ? &query->open : &query->files, &job->letter);
}

/* However many files wait, a question waits for one of them. */
static struct asy__query_job *next_turn(struct asy__query *query)
{
    if (!query->open.first)
        return take_first(&query->files);
    if (!query->files.first)
        return take_first(&query->open);
    query->file_next = !query->file_next;
    return take_first(query->file_next ? &query->open : &query->files);
}

static int has_open(const struct asy__query *query)
{
    return query->open.first || query->files.first;
}

static void forget(struct asy__query *query, uint64_t peer)
{
    struct asy__letter *letter = query->open.first, *next;

    query->open.first = query->open.last = NULL;
    for (; letter; letter = next) {
        struct asy__query_job *job = (struct asy__query_job *)letter;

        next = letter->next;
        if (job->kind != ASY__Q_ANSWER || job->peer != peer)
            asy__query_queue(query, job);
        else
            asy__query_job_destroy(job);
    }
}

/* What came in with the mail. */
static void admit(struct asy__query *query, struct asy__query_job *job)
{
    if (job->kind != ASY__Q_FORGET) {
        asy__query_queue(query, job);
        return;
    }
    forget(query, job->peer);
    asy__query_job_destroy(job);
}

static void answer(struct asy__query *query, struct asy__query_job *job, int rc,
                   const struct asy_error *err)
{
    struct asy__query_answer *part = calloc(1, sizeof *part);

    ASY_ASSERT(part, "no memory for an answer of %zu bytes", sizeof *part);
    part->peer = job->peer;
    part->session = job->session;
    part->request = job->request;
    part->more = rc > 0;
    part->rc = rc < 0 ? rc : 0;
    if (rc < 0)
        part->err = *err;
    else
        memcpy(part->err.text, job->asked.say, sizeof job->asked.say);
    job->asked.say[0] = '\0';
    part->json = job->json; /* handed over */
    asy_buf_init(&job->json, PART_MAX);
    asy__mail_put(query->answers, &part->letter);
}

static void piece(struct asy__query *query, struct asy__query_job *job, struct asy_reader *reader)
{
    struct asy_error err = ASY_ERROR_INIT;
    int rc = asy__asked_piece(&job->asked, reader, &err);

    if (rc <= 0 || job->json.len >= PART_BYTES || *job->asked.say)
        answer(query, job, rc, &err);
    if (rc > 0)
        asy__query_queue(query, job);
    else
        asy__query_job_destroy(job);
}

static void take_asked(struct asy__query *query, struct asy__letter *letter)
{
    for (struct asy__letter *next; letter; letter = next) {
        next = letter->next;
        admit(query, (struct asy__query_job *)letter);
    }
}

static void next_piece(struct asy__query *query, struct asy_reader *reader)
{
    struct asy__query_job *job = next_turn(query);

    if (job->kind == ASY__Q_ANSWER)
        piece(query, job, reader);
    else
        asy__query_file_turn(query, job, reader);
}

int asy__query_turn(struct asy__query *query, struct asy_reader *reader)
{
    take_asked(query, asy__mail_take(&query->asked));
    if (has_open(query))
        next_piece(query, reader);
    return has_open(query);
}

/* ---- the thread ------------------------------------------------------------------------------ */

/* A store that cannot be opened answers everybody. */
static void own_turn(struct asy__query *query)
{
    struct asy_store_spec spec = { .path = query->store_path };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__query_job *job;
    int rc = query->reader ? 0 : asy_reader_open(&spec, &query->reader, &err);

    if (rc == 0) {
        next_piece(query, query->reader);
        return;
    }
    job = next_turn(query);
    if (job->kind != ASY__Q_ANSWER) {
        asy__query_file_unread(job, &err);
        return;
    }
    answer(query, job, rc, &err);
    asy__query_job_destroy(job);
}

/* Open questions are whose the turns are. */
static int has_turn(const struct asy__query *query)
{
    return query->store_path && has_open(query);
}

/* 1: it is time to go. */
static int take_mail(struct asy__query *query)
{
    struct asy__letter *letter = asy__mail_take(&query->mail), *next;
    int stopped = 0;

    for (; letter; letter = next) {
        struct asy__query_job *job = (struct asy__query_job *)letter;

        next = letter->next;
        if (letter == &query->stop)
            stopped = 1;
        else if (job->kind == ASY__Q_REMOVE || job->kind == ASY__Q_LOOK)
            asy__bundle_add(&query->chores, letter);
        else
            admit(query, job);
    }
    return stopped;
}

static void next_chore(struct asy__query *query)
{
    struct asy__query_job *job = take_first(&query->chores);

    if (job->kind == ASY__Q_REMOVE)
        asy__query_file_remove(query, job);
    else
        asy__query_file_look(query, job);
}

static void *query_main(void *arg)
{
    struct asy__query *query = arg;

    asy_urgency_set(ASY_URGENCY_ORDINARY);
    while (!take_mail(query)) {
        if (query->chores.first)
            next_chore(query);
        else if (!has_turn(query))
            asy__mail_wait(&query->mail, -1);
        if (has_turn(query))
            own_turn(query);
    }
    asy_reader_close(query->reader);
    return NULL;
}

/* ---- building and ending --------------------------------------------------------------------- */

int asy__query_create(const char *store_path, struct asy__mail *answers,
                      struct asy__query **ret_query, struct asy_error *err)
{
    struct asy__query *query = calloc(1, sizeof *query);
    int rc;

    if (!query || (store_path && !(query->store_path = strdup(store_path)))) {
        free(query);
        return asy_fail(err, ASY_E_NOMEM, "no memory for the query thread");
    }
    query->answers = answers;
    query->mail.fd = query->asked.fd = -1;
    if ((rc = asy__mail_init(&query->mail, err)) < 0 ||
        (rc = asy__mail_init(&query->asked, err)) < 0)
        goto out;
    if ((rc = pthread_create(&query->thread, NULL, query_main, query)) != 0) {
        rc = asy_fail_errno(err, rc, "cannot start the query thread");
        goto out;
    }
    *ret_query = query;
    return 0;
out:
    asy__mail_fini(&query->mail);
    asy__mail_fini(&query->asked);
    free(query->store_path);
    free(query);
    return rc;
}

static void end_all(struct asy__letter *letter, struct asy_reader *reader)
{
    for (struct asy__letter *next; letter; letter = next) {
        next = letter->next;
        asy__query_file_end((struct asy__query_job *)letter, reader);
    }
}

void asy__query_destroy(struct asy__query *query, struct asy_reader *reader)
{
    if (!query)
        return;
    asy__mail_put(&query->mail, &query->stop);
    pthread_join(query->thread, NULL);
    end_all(asy__mail_take(&query->mail), reader);
    end_all(query->chores.first, reader);
    take_asked(query, asy__mail_take(&query->asked));
    end_all(query->open.first, reader);
    end_all(query->files.first, reader);
    asy__mail_fini(&query->mail);
    asy__mail_fini(&query->asked);
    free(query->store_path);
    free(query);
}

/* ---- asking ---------------------------------------------------------------------------------- */

/* To whoever gives the turns. */
void asy__query_give(struct asy__query *query, struct asy__query_job *job)
{
    asy__mail_put(query->store_path ? &query->mail : &query->asked, &job->letter);
}

static const char *keep(char **at, const char *text)
{
    size_t n = strlen(text) + 1;
    char *copy = memcpy(*at, text, n);

    *at += n;
    return copy;
}

static const char *some(const char *text)
{
    return text ? text : "";
}

/* A WATCH asks for the history of what it watches, up to the event with which news begin. */
static struct asy__question question_of(const struct asy_effect *effect, const char *live)
{
    const struct asy_msg *msg = &effect->msg;
    struct asy__question q = { .what = "events", .arg = "", .trial = -1, .limit = -1,
                               .upto = effect->seq, .key = effect->key, .live = live };

    if (msg->type == ASY_MSG_WATCH) {
        q.study = some(msg->watch.study);
        q.after = (int64_t)msg->watch.after_seq;
        if (!*q.study)
            q.what = "news";
    } else {
        q.what = some(msg->query.what);
        q.study = some(msg->query.study);
        q.arg = some(msg->query.arg);
        q.trial = msg->query.trial;
        q.after = msg->query.after;
        q.limit = msg->query.limit;
    }
    return q;
}

int asy__query_put(struct asy__query *query, const struct asy_effect *effect, const char *live,
                   struct asy_error *err)
{
    struct asy__question q = question_of(effect, live);
    size_t n = strlen(q.what) + strlen(q.study) + strlen(q.arg) + strlen(some(q.key)) +
               strlen(some(q.live)) + 5;
    struct asy__query_job *job = calloc(1, sizeof *job + n);
    char *at;

    if (!job)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a question");
    at = job->text;
    job->peer = effect->peer;
    job->session = effect->msg.session;
    job->request = effect->msg.type == ASY_MSG_WATCH ? effect->msg.watch.request
                                                     : effect->msg.query.request;
    job->question = q;
    job->question.what = keep(&at, q.what);
    job->question.study = keep(&at, q.study);
    job->question.arg = keep(&at, q.arg);
    job->question.key = q.key ? keep(&at, q.key) : NULL;
    job->question.live = q.live ? keep(&at, q.live) : NULL;
    asy_buf_init(&job->json, PART_MAX);
    asy__asked_init(&job->asked, &job->question, &job->json);
    asy__query_give(query, job);
    return 0;
}

/* A job that asks nothing. */
int asy__query_order(struct asy__query *query, const struct asy__query_job *order,
                     struct asy_error *err)
{
    struct asy__query_job *job = calloc(1, sizeof *job);

    if (!job)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a job of the store's reader");
    *job = *order;
    asy__query_give(query, job);
    return 0;
}

int asy__query_forget(struct asy__query *query, uint64_t peer, struct asy_error *err)
{
    const struct asy__query_job order = { .kind = ASY__Q_FORGET, .peer = peer };

    return asy__query_order(query, &order, err);
}
