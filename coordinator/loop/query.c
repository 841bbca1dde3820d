/* SPDX-License-Identifier: Apache-2.0
 * query.c - see query.h. An answer leaves in parts as it grows, so that none is ever whole in
 * memory. */
#include "query_impl.h"
#include <stdlib.h>
#include <string.h>
#include <asy/durable.h>
#include <asy/log.h>
#include "tidy.h"

#define PART_BYTES (256u << 10) /* an answer that has grown so far is sent on */
#define PART_MAX (256u << 20)   /* of one piece: all trials in the order of their values */
#define SWEEP_EVENTS 16384u     /* before the start */
#define SWEEP_STEP 256u         /* of them in one piece */

/* Files are removed by the thread, whoever has the reader. */
enum kind {
    ANSWER = 0, /* a question */
    FORGET = 1, /* what a peer has asked */
    DROP = 2,   /* a file goes if nobody has it on record */
    REMOVE = 3, /* nobody has: the store was asked */
    SWEEP = 4,  /* the files of checkpoints that were dropped before the start */
    LOOK = 5,   /* for files that studies have left, one folder at a time: the thread's */
    STALE = 6,  /* such a file goes if its study is over */
};
struct job {
    struct asy__letter letter;
    enum kind kind;
    uint64_t peer, request;
    struct asy_id session;
    struct asy__question question;
    struct asy__asked asked;
    struct asy_buf json;
    char *path;            /* DROP, REMOVE, STALE; LOOK: the artifacts */
    struct asy_id study;   /* STALE */
    uint64_t after, upto;  /* SWEEP: the events that are still to be looked at; LOOK: folders */
    char text[];           /* ANSWER: what, study, arg, key, live */
};
struct asy__query {
    pthread_t thread;
    struct asy__mail mail, *answers;
    struct asy__mail asked;           /* questions that wait for whoever gives the turns */
    struct asy__letter stop;
    char *store_path;                 /* NULL: no reader of its own */
    struct asy_reader *reader;        /* opened by the thread at its first question */
    struct asy__letter *first, *last; /* open questions, in the order of their turns; of whoever
                                       * gives these */
};

/* ---- turns ----------------------------------------------------------------------------------- */

static void job_destroy(struct job *job)
{
    asy__asked_fini(&job->asked);
    asy_buf_fini(&job->json);
    free(job->path);
    free(job);
}

static void queue(struct asy__query *query, struct job *job)
{
    job->letter.next = NULL;
    if (query->last)
        query->last->next = &job->letter;
    else
        query->first = &job->letter;
    query->last = &job->letter;
}

static void forget(struct asy__query *query, uint64_t peer)
{
    struct asy__letter *letter = query->first, *next;

    query->first = query->last = NULL;
    for (; letter; letter = next) {
        struct job *job = (struct job *)letter;

        next = letter->next;
        if (job->kind != ANSWER || job->peer != peer)
            queue(query, job);
        else
            job_destroy(job);
    }
}

/* What came in with the mail. */
static void admit(struct asy__query *query, struct job *job)
{
    if (job->kind != FORGET) {
        queue(query, job);
        return;
    }
    forget(query, job->peer);
    job_destroy(job);
}

static void answer(struct asy__query *query, struct job *job, int rc, const struct asy_error *err)
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
    part->json = job->json; /* handed over */
    asy_buf_init(&job->json, PART_MAX);
    asy__mail_put(query->answers, &part->letter);
}

/* Agents give each checkpoint a path of its own, but those of older ones are shared by equal
 * content, be it two trials', two studies' or a checkpoint's and a model's. The store alone knows
 * them all: core forgets what finished studies left, and a restart does not give it back. That the
 * checkpoint was dropped is on disk by now, so whatever is found there needs the file still. */
static int is_unneeded(const struct job *job, struct asy_reader *reader)
{
    struct asy_error err = ASY_ERROR_INIT;
    int rc = asy_reader_has_file(reader, job->path, &err);

    if (rc < 0)
        asy_warn("file=%s may be needed, staying: %s", job->path, err.text);
    return rc == 0;
}

static void remove_file(const char *path)
{
    struct asy_error err = ASY_ERROR_INIT;

    if (asy_durable_remove(path, &err) < 0)
        asy_warn("file=%s cannot be removed, staying: %s", path, err.text);
}

/* By the thread, whoever has found out that nobody needs it. */
static void let_go(struct asy__query *query, struct job *job, int unneeded)
{
    if (unneeded && !query->store_path) {
        job->kind = REMOVE;
        asy__mail_put(&query->mail, &job->letter);
        return;
    }
    if (unneeded)
        remove_file(job->path);
    job_destroy(job);
}

static struct job *new_file(enum kind kind, const char *path)
{
    struct job *job = calloc(1, sizeof *job);

    if (!job || !(job->path = strdup(path))) {
        free(job);
        return NULL;
    }
    job->kind = kind;
    return job;
}

static int on_swept(void *arg, const struct asy_event *ev)
{
    const char *path = ev->checkpoint_dropped.checkpoint.path;
    struct job *drop;

    if (ev->kind != ASY_EV_CHECKPOINT_DROPPED || !path || !*path)
        return 0;
    if (!(drop = new_file(DROP, path)))
        return ASY_E_NOMEM;
    queue(arg, drop);
    return 0;
}

/* ---- what studies have left ------------------------------------------------------------------ */

struct whose {
    struct asy_id id;
    int over;
};

static int on_study(void *arg, const struct asy_study_row *row)
{
    struct whose *whose = arg;

    if (!asy_id_cmp(row->id, whose->id))
        whose->over = row->state >= ASY_STUDY_FINISHED;
    return 0;
}

/* All trials of a study that is over have ended, and nothing goes on from their checkpoints. A
 * study that this store does not know is another one's: of a backup, say. */
static int is_stale(const struct job *job, struct asy_reader *reader)
{
    struct whose whose = { .id = job->study };
    struct asy_error err = ASY_ERROR_INIT;
    char id[ASY_ID_TEXT];
    int rc = asy_reader_studies(reader, NULL, asy_id_format(job->study, id), 1, on_study, &whose,
                                &err);

    if (rc < 0 && rc != ASY_E_NOENT)
        asy_warn("file=%s may be needed, staying: %s", job->path, err.text);
    return rc == 0 && whose.over;
}

static void put(struct asy__query *query, struct job *job);

static void on_found(void *arg, const char *path, struct asy_id study)
{
    struct job *stale = new_file(STALE, path);

    if (!stale)
        return; /* the next start finds it again */
    stale->study = study;
    put(arg, stale);
}

/* A folder, then whatever else has come meanwhile. */
static void look(struct asy__query *query, struct job *job)
{
    asy__tidy_look(job->path, (unsigned)job->after, on_found, query);
    if (++job->after < ASY__TIDY_FOLDERS)
        asy__mail_put(&query->mail, &job->letter);
    else
        job_destroy(job);
}

/* Some events more; each file that they drop has a turn of its own. */
static void sweep(struct asy__query *query, struct job *job, struct asy_reader *reader)
{
    uint64_t left = job->upto - job->after;
    uint64_t upto = job->after + (left < SWEEP_STEP ? left : SWEEP_STEP);
    struct asy_error err = ASY_ERROR_INIT;
    int rc = asy_reader_events(reader, (struct asy_id){ 0 }, UINT64_MAX, job->after, upto, -1,
                               on_swept, query, &err);

    if (rc < 0)
        asy_warn("files of dropped checkpoints may be left: %s", err.text);
    job->after = upto;
    if (rc == 0 && upto < job->upto)
        queue(query, job);
    else
        job_destroy(job);
}

static void piece(struct asy__query *query, struct job *job, struct asy_reader *reader)
{
    struct asy_error err = ASY_ERROR_INIT;
    int rc = asy__asked_piece(&job->asked, reader, &err);

    if (rc <= 0 || job->json.len >= PART_BYTES)
        answer(query, job, rc, &err);
    if (rc > 0)
        queue(query, job);
    else
        job_destroy(job);
}

static void take_asked(struct asy__query *query, struct asy__letter *letter)
{
    for (struct asy__letter *next; letter; letter = next) {
        next = letter->next;
        admit(query, (struct job *)letter);
    }
}

static void next_piece(struct asy__query *query, struct asy_reader *reader)
{
    struct job *job = (struct job *)query->first;

    query->first = job->letter.next;
    if (!query->first)
        query->last = NULL;
    if (job->kind == DROP)
        let_go(query, job, is_unneeded(job, reader));
    else if (job->kind == STALE)
        let_go(query, job, is_stale(job, reader));
    else if (job->kind == SWEEP)
        sweep(query, job, reader);
    else
        piece(query, job, reader);
}

int asy__query_turn(struct asy__query *query, struct asy_reader *reader)
{
    take_asked(query, asy__mail_take(&query->asked));
    if (query->first)
        next_piece(query, reader);
    return query->first != NULL;
}

/* ---- the thread ------------------------------------------------------------------------------ */

/* A store that cannot be opened answers everybody. */
static void own_turn(struct asy__query *query)
{
    struct asy_store_spec spec = { .path = query->store_path };
    struct asy_error err = ASY_ERROR_INIT;
    struct job *job = (struct job *)query->first;
    int rc = query->reader ? 0 : asy_reader_open(&spec, &query->reader, &err);

    if (rc == 0) {
        next_piece(query, query->reader);
        return;
    }
    query->first = job->letter.next;
    if (!query->first)
        query->last = NULL;
    if (job->kind == DROP || job->kind == STALE)
        asy_warn("file=%s may be needed, staying: %s", job->path, err.text);
    else if (job->kind == SWEEP)
        asy_warn("files of dropped checkpoints may be left: %s", err.text);
    else
        answer(query, job, rc, &err);
    job_destroy(job);
}

/* Open questions are whose the turns are. */
static int has_turn(const struct asy__query *query)
{
    return query->store_path && query->first;
}

static void *query_main(void *arg)
{
    struct asy__query *query = arg;
    int stopped = 0;

    while (!stopped) {
        struct asy__letter *letter = asy__mail_take(&query->mail), *next;

        if (!letter && !has_turn(query))
            asy__mail_wait(&query->mail, -1);
        for (; letter; letter = next) {
            struct job *job = (struct job *)letter;

            next = letter->next;
            if (letter == &query->stop) {
                stopped = 1;
            } else if (job->kind == REMOVE) {
                remove_file(job->path);
                job_destroy(job);
            } else if (job->kind == LOOK) {
                look(query, job);
            } else {
                admit(query, job);
            }
        }
        if (has_turn(query) && !stopped)
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

void asy__query_destroy(struct asy__query *query, struct asy_reader *reader)
{
    if (!query)
        return;
    asy__mail_put(&query->mail, &query->stop);
    pthread_join(query->thread, NULL);
    for (struct asy__letter *letter = asy__mail_take(&query->mail), *next; letter; letter = next) {
        struct job *job = (struct job *)letter;

        next = letter->next;
        if (job->kind == REMOVE)
            remove_file(job->path);
        job_destroy(job);
    }
    take_asked(query, asy__mail_take(&query->asked));
    for (struct asy__letter *letter = query->first, *next; letter; letter = next) {
        struct job *job = (struct job *)letter;

        next = letter->next;
        if (job->kind == DROP && is_unneeded(job, reader))
            remove_file(job->path);
        job_destroy(job);
    }
    asy__mail_fini(&query->mail);
    asy__mail_fini(&query->asked);
    free(query->store_path);
    free(query);
}

/* ---- asking ---------------------------------------------------------------------------------- */

/* To whoever gives the turns. */
static void put(struct asy__query *query, struct job *job)
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
    struct job *job = calloc(1, sizeof *job + n);
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
    put(query, job);
    return 0;
}

int asy__query_drop_file(struct asy__query *query, const char *path, struct asy_error *err)
{
    struct job *job = new_file(DROP, path);

    if (!job)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a path");
    put(query, job);
    return 0;
}

/* A job that asks nothing. */
static int put_order(struct asy__query *query, const struct job *order, struct asy_error *err)
{
    struct job *job = calloc(1, sizeof *job);

    if (!job)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a job of the store's reader");
    *job = *order;
    put(query, job);
    return 0;
}

int asy__query_forget(struct asy__query *query, uint64_t peer, struct asy_error *err)
{
    return put_order(query, &(struct job){ .kind = FORGET, .peer = peer }, err);
}

int asy__query_sweep(struct asy__query *query, uint64_t last_seq, struct asy_error *err)
{
    const struct job order = { .kind = SWEEP,
                               .upto = last_seq,
                               .after = last_seq > SWEEP_EVENTS ? last_seq - SWEEP_EVENTS : 0 };

    return put_order(query, &order, err);
}

int asy__query_tidy(struct asy__query *query, const char *artifacts, struct asy_error *err)
{
    struct job *job = new_file(LOOK, artifacts);

    if (!job)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a path");
    asy__mail_put(&query->mail, &job->letter);
    return 0;
}
