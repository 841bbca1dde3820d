/* SPDX-License-Identifier: Apache-2.0
 * query.c - see query.h. */
#include "query.h"
#include <stdlib.h>
#include <string.h>
#include <asy/durable.h>
#include <asy/log.h>

#define ANSWER_MAX (256u << 20)

struct job {
    struct asy__letter letter;
    uint64_t peer, request;
    struct asy_id session;
    struct asy__question question;
    char *path; /* a file to remove instead */
    char text[]; /* what, study, arg */
};
struct asy__query {
    pthread_t thread;
    struct asy__mail mail, *answers;
    struct asy__letter stop;
    char *store_path;
    struct asy_reader *reader; /* opened by the thread at its first question */
};

static int open_reader(struct asy__query *query, struct asy_error *err)
{
    struct asy_store_spec spec = { .path = query->store_path };

    return query->reader ? 0 : asy_reader_open(&spec, &query->reader, err);
}

static void work(struct asy__query *query, const struct job *job)
{
    struct asy__query_answer *answer;

    if (job->path) {
        struct asy_error err = ASY_ERROR_INIT;

        if (asy_durable_remove(job->path, &err) < 0)
            asy_warn("file=%s cannot be removed, staying: %s", job->path, err.text);
        return;
    }
    answer = calloc(1, sizeof *answer);
    ASY_ASSERT(answer, "no memory for an answer of %zu bytes", sizeof *answer);
    answer->peer = job->peer;
    answer->session = job->session;
    answer->request = job->request;
    asy_buf_init(&answer->json, ANSWER_MAX);
    answer->rc = open_reader(query, &answer->err);
    if (answer->rc == 0)
        answer->rc = asy__query_text(query->reader, &job->question, &answer->json, &answer->err);
    asy__mail_put(query->answers, &answer->letter);
}

static void *query_main(void *arg)
{
    struct asy__query *query = arg;
    int stopped = 0;

    while (!stopped) {
        struct asy__letter *letter = asy__mail_take(&query->mail);

        if (!letter)
            asy__mail_wait(&query->mail, -1);
        while (letter) {
            struct asy__letter *next = letter->next;
            struct job *job = (struct job *)letter;

            if (letter == &query->stop) {
                stopped = 1;
            } else {
                work(query, job);
                free(job->path);
                free(job);
            }
            letter = next;
        }
    }
    asy_reader_close(query->reader);
    return NULL;
}

int asy__query_create(const char *store_path, struct asy__mail *answers,
                      struct asy__query **ret_query, struct asy_error *err)
{
    struct asy__query *query = calloc(1, sizeof *query);
    int rc;

    if (!query || !(query->store_path = strdup(store_path))) {
        free(query);
        return asy_fail(err, ASY_E_NOMEM, "no memory for the query thread");
    }
    query->answers = answers;
    if ((rc = asy__mail_init(&query->mail, err)) < 0)
        goto out;
    if ((rc = pthread_create(&query->thread, NULL, query_main, query)) != 0) {
        asy__mail_fini(&query->mail);
        rc = asy_fail_errno(err, rc, "cannot start the query thread");
        goto out;
    }
    *ret_query = query;
    return 0;
out:
    free(query->store_path);
    free(query);
    return rc;
}

void asy__query_destroy(struct asy__query *query)
{
    if (!query)
        return;
    asy__mail_put(&query->mail, &query->stop);
    pthread_join(query->thread, NULL);
    asy__mail_fini(&query->mail);
    free(query->store_path);
    free(query);
}

static const char *keep(char **at, const char *text)
{
    size_t n = strlen(text ? text : "") + 1;
    char *copy = memcpy(*at, text ? text : "", n);

    *at += n;
    return copy;
}

int asy__query_put(struct asy__query *query, uint64_t peer, const struct asy_msg *msg,
                   struct asy_error *err)
{
    int watch = msg->type == ASY_MSG_WATCH;
    const char *what = watch ? "events" : msg->query.what;
    const char *study = watch ? msg->watch.study : msg->query.study;
    const char *arg = watch ? "" : msg->query.arg;
    size_t n = strlen(what ? what : "") + strlen(study ? study : "") + strlen(arg ? arg : "") + 3;
    struct job *job = calloc(1, sizeof *job + n);
    char *at;

    if (!job)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a question");
    at = job->text;
    job->peer = peer;
    job->session = msg->session;
    job->request = watch ? msg->watch.request : msg->query.request;
    job->question.what = keep(&at, what);
    job->question.study = keep(&at, study);
    job->question.arg = keep(&at, arg);
    job->question.trial = watch ? -1 : msg->query.trial;
    job->question.after = watch ? (int64_t)msg->watch.after_seq : msg->query.after;
    job->question.limit = watch ? -1 : msg->query.limit;
    asy__mail_put(&query->mail, &job->letter);
    return 0;
}

int asy__query_drop_file(struct asy__query *query, const char *path, struct asy_error *err)
{
    struct job *job = calloc(1, sizeof *job);

    if (!job || !(job->path = strdup(path))) {
        free(job);
        return asy_fail(err, ASY_E_NOMEM, "no memory for a path");
    }
    asy__mail_put(&query->mail, &job->letter);
    return 0;
}
