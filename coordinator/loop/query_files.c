/* SPDX-License-Identifier: Apache-2.0
 * query_files.c - files that are removed when the store has nothing to say for them, and whose they
 * are: what of the queries is no question of a peer's. */
#include "query_jobs.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <asy/durable.h>
#include <asy/log.h>
#include "tidy.h"

#define SWEEP_EVENTS 16384u     /* before the start */
#define SWEEP_STEP 256u         /* of them in one piece */

/* Agents give each checkpoint a path of its own, but those of older ones are shared by equal
 * content, be it two trials', two studies' or a checkpoint's and a model's. The store alone knows
 * them all: core forgets what finished studies left, and a restart does not give it back. That the
 * checkpoint was dropped is on disk by now, so whatever is found there needs the file still. */
static int is_unneeded(const struct asy__query_job *job, struct asy_reader *reader)
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
static void let_go(struct asy__query *query, struct asy__query_job *job, int unneeded)
{
    if (!unneeded) {
        asy__query_job_destroy(job);
        return;
    }
    job->kind = ASY__Q_REMOVE;
    asy__mail_put(&query->mail, &job->letter);
}

/* A piece of it, then whatever else has come meanwhile. */
void asy__query_file_remove(struct asy__query *query, struct asy__query_job *job)
{
    if (asy_durable_shrink(job->path))
        asy__mail_put(&query->mail, &job->letter);
    else
        asy__query_file_end(job, NULL);
}

static struct asy__query_job *new_file(enum asy__query_kind kind, const char *path)
{
    struct asy__query_job *job = calloc(1, sizeof *job);

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
    struct asy__query_job *drop;

    if (ev->kind != ASY_EV_CHECKPOINT_DROPPED || !path || !*path)
        return 0;
    if (!(drop = new_file(ASY__Q_DROP, path)))
        return ASY_E_NOMEM;
    asy__query_queue(arg, drop);
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
static int ask_over(struct asy_reader *reader, const struct asy__left *left)
{
    struct whose whose = { .id = left->study };
    struct asy_error err = ASY_ERROR_INIT;
    char id[ASY_ID_TEXT];
    int rc = asy_reader_studies(reader, NULL, asy_id_format(left->study, id), 1, on_study, &whose,
                                &err);

    if (rc < 0 && rc != ASY_E_NOENT)
        asy_warn("file=%s may be needed, staying: %s", left->path, err.text);
    return rc == 0 && whose.over;
}

/* The store is asked once for a study, not for each of its files. What was not over may be so in a
 * later pass, which begins when it ends. */
static int is_over(struct asy__query *query, struct asy_reader *reader,
                   const struct asy__query_job *job, const struct asy__left *left)
{
    size_t n = query->n_verdicts < ASY__VERDICTS ? query->n_verdicts : ASY__VERDICTS;
    struct asy__verdict *verdict;

    for (size_t i = 0; i < n; i++) {
        verdict = &query->verdicts[i];
        if (!asy_id_cmp(verdict->study, left->study) &&
            (verdict->over || verdict->pass == job->pass))
            return verdict->over;
    }
    verdict = &query->verdicts[query->n_verdicts++ % ASY__VERDICTS];
    *verdict = (struct asy__verdict){ left->study, job->pass, ask_over(reader, left) };
    return verdict->over;
}

static void let_left_go(struct asy__query *query, struct asy__left *left)
{
    struct asy__query_job *job = calloc(1, sizeof *job);

    if (!job)
        return; /* the next start finds it again */
    job->kind = ASY__Q_REMOVE;
    job->path = left->path;
    left->path = NULL;
    asy__mail_put(&query->mail, &job->letter);
}

/* Those of one study, which stand together. */
static void judge(struct asy__query *query, struct asy__query_job *job, struct asy_reader *reader)
{
    const struct asy_id study = job->left[job->done].study;
    int over = is_over(query, reader, job, &job->left[job->done]);

    for (; job->done < job->n_left && !asy_id_cmp(job->left[job->done].study, study); job->done++)
        if (over)
            let_left_go(query, &job->left[job->done]);
    if (job->done < job->n_left)
        asy__query_queue(query, job);
    else
        asy__query_job_destroy(job);
}

struct look {
    struct asy_id study; /* whose files alone; ASY_ID_NONE: everybody's */
    struct asy__left *list;
    size_t n, cap;
};

static void on_found(void *arg, const char *path, struct asy_id study)
{
    struct look *look = arg;
    struct asy__left *list = look->list;
    size_t cap = look->cap ? 2 * look->cap : 64;
    char *copy;

    if (!asy_id_is_none(look->study) && asy_id_cmp(look->study, study))
        return;
    if (look->n == look->cap && (list = reallocarray(look->list, cap, sizeof *list))) {
        look->list = list;
        look->cap = cap;
    }
    if (!list || !(copy = strdup(path)))
        return; /* the next start finds it again */
    look->list[look->n++] = (struct asy__left){ study, copy };
}

static int by_study(const void *a, const void *b)
{
    return asy_id_cmp(((const struct asy__left *)a)->study, ((const struct asy__left *)b)->study);
}

static void left_fini(struct asy__left *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(list[i].path);
    free(list);
}

void asy__query_left_fini(struct asy__query_job *job)
{
    left_fini(job->left, job->n_left);
}

/* A folder, then whatever else has come meanwhile. */
void asy__query_file_look(struct asy__query *query, struct asy__query_job *job)
{
    struct look look = { .study = job->study };
    struct asy__query_job *stale;

    asy__tidy_look(job->path, (unsigned)job->after, on_found, &look);
    if (look.n > 0 && (stale = calloc(1, sizeof *stale))) {
        qsort(look.list, look.n, sizeof *look.list, by_study);
        stale->kind = ASY__Q_STALE;
        stale->pass = job->pass;
        stale->left = look.list;
        stale->n_left = look.n;
        asy__query_give(query, stale);
    } else {
        left_fini(look.list, look.n);
    }
    if (++job->after < ASY__TIDY_FOLDERS)
        asy__mail_put(&query->mail, &job->letter);
    else
        asy__query_job_destroy(job);
}

/* Some events more; each file that they drop has a turn of its own. */
static void sweep(struct asy__query *query, struct asy__query_job *job, struct asy_reader *reader)
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
        asy__query_queue(query, job);
    else
        asy__query_job_destroy(job);
}

/* ---- for the bulk thread --------------------------------------------------------------------- */

static int on_owner(void *arg, const struct asy_study_row *row)
{
    struct asy__bulk_ask *ask = arg;

    if (!asy_id_cmp(row->id, ask->study))
        snprintf(ask->owner, sizeof ask->owner, "%s", row->owner ? row->owner : "");
    return 0;
}

static int on_left(void *arg, const struct asy_artifact_row *row)
{
    struct asy__bulk_ask *ask = arg;

    int is_left = !strcmp(row->name, "model") || !strcmp(row->name, ASY_SCORES_FILE);

    ask->found |= is_left && !memcmp(&row->sha, &ask->sha, sizeof ask->sha);
    return 0;
}

/* Without a store to read there is no such study. */
static void say_whose(struct asy__query_job *job, struct asy_reader *reader)
{
    struct asy__bulk_ask *ask = job->ask;
    struct asy_error err = ASY_ERROR_INIT;
    char id[ASY_ID_TEXT];
    int rc = reader ? asy_reader_studies(reader, NULL, asy_id_format(ask->study, id), 1, on_owner,
                                         ask, &err) : 0;

    if (rc == 0 && reader && ask->what == ASY_BULK_MODEL)
        rc = asy_reader_artifacts(reader, ask->study, ask->trial, on_left, ask, &err);
    if (rc < 0 && rc != ASY_E_NOENT)
        asy_warn("study=%s cannot be read: %s, its files stay here", id, err.text);
    job->ask = NULL; /* handed over */
    asy__mail_put(ask->reply, &ask->letter);
    asy__query_job_destroy(job);
}

void asy__query_file_turn(struct asy__query *query, struct asy__query_job *job,
                          struct asy_reader *reader)
{
    if (job->kind == ASY__Q_DROP)
        let_go(query, job, is_unneeded(job, reader));
    else if (job->kind == ASY__Q_STALE)
        judge(query, job, reader);
    else if (job->kind == ASY__Q_SWEEP)
        sweep(query, job, reader);
    else
        say_whose(job, reader);
}

void asy__query_file_unread(struct asy__query_job *job, const struct asy_error *err)
{
    if (job->kind == ASY__Q_WHOSE) {
        say_whose(job, NULL);
        return;
    }
    if (job->kind == ASY__Q_SWEEP)
        asy_warn("files of dropped checkpoints may be left: %s", err->text);
    else
        asy_warn("file=%s may be needed, staying: %s",
                 job->kind == ASY__Q_STALE ? job->left[job->done].path : job->path, err->text);
    asy__query_job_destroy(job);
}

void asy__query_file_end(struct asy__query_job *job, struct asy_reader *reader)
{
    if (job->kind == ASY__Q_REMOVE || (job->kind == ASY__Q_DROP && is_unneeded(job, reader)))
        remove_file(job->path);
    asy__query_job_destroy(job);
}

/* ---- asking ---------------------------------------------------------------------------------- */

int asy__query_drop_file(struct asy__query *query, const char *path, struct asy_error *err)
{
    struct asy__query_job *job = new_file(ASY__Q_DROP, path);

    if (!job)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a path");
    asy__query_give(query, job);
    return 0;
}

int asy__query_remove(struct asy__query *query, const char *path, struct asy_error *err)
{
    struct asy__query_job *job = new_file(ASY__Q_REMOVE, path);

    if (!job)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a path");
    asy__mail_put(&query->mail, &job->letter);
    return 0;
}

int asy__query_sweep(struct asy__query *query, uint64_t last_seq, struct asy_error *err)
{
    const struct asy__query_job order = { .kind = ASY__Q_SWEEP,
                               .upto = last_seq,
                               .after = last_seq > SWEEP_EVENTS ? last_seq - SWEEP_EVENTS : 0 };

    return asy__query_order(query, &order, err);
}

int asy__query_tidy(struct asy__query *query, const char *artifacts, struct asy_id study,
                    struct asy_error *err)
{
    struct asy__query_job *job = new_file(ASY__Q_LOOK, artifacts);

    if (!job)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a path");
    job->study = study;
    job->pass = ++query->passes;
    asy__mail_put(&query->mail, &job->letter);
    return 0;
}

int asy__query_look(struct asy__query *query, struct asy__bulk_ask *ask, struct asy_error *err)
{
    struct asy__query_job *job = calloc(1, sizeof *job);

    if (!job)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a question");
    job->kind = ASY__Q_WHOSE;
    job->ask = ask;
    asy__query_give(query, job);
    return 0;
}
