/* SPDX-License-Identifier: Apache-2.0
 * test_store_threads.c - readers on their own threads beside the writer: each sees whole commits,
 * and never less than before. */
#include <pthread.h>
#include "fixture.h"

#define COMMITS 60
#define READERS 2

struct watcher {
    const char *folder;
    pthread_t thread;
    int rc;
    uint64_t looks, torn, shrunk;
    struct asy_error err;
};

static int take_study(void *arg, const struct asy_study_row *row)
{
    *(struct asy_study_row *)arg = *row;
    return 0;
}

static int count_trial(void *arg, const struct asy_trial_row *row)
{
    (void)row;
    ++*(uint64_t *)arg;
    return 0;
}

/* Each commit makes two trials and completes one of them. */
static int look(struct watcher *w, struct asy_reader *reader, uint64_t *seen)
{
    struct asy_study_row study = { .trials = 0 };
    uint64_t trials = 0;
    int rc;

    if ((rc = asy_reader_studies(reader, NULL, "busy", 1, take_study, &study, &w->err)) ||
        (rc = asy_reader_trials(reader, work_id(1), -1, -1, 0, count_trial, &trials, &w->err)))
        return rc;
    w->looks++;
    w->torn += study.trials != 2 * study.complete || trials % 2 != 0;
    w->shrunk += study.trials < *seen || trials < study.trials;
    *seen = trials;
    return 0;
}

static void *watch(void *arg)
{
    struct watcher *w = arg;
    struct asy_store_spec spec = { .path = w->folder };
    struct asy_reader *reader = NULL;
    uint64_t seen = 0;

    w->rc = asy_reader_open(&spec, &reader, &w->err);
    while (w->rc == 0 && seen < 2 * COMMITS)
        w->rc = look(w, reader, &seen);
    asy_reader_close(reader);
    return NULL;
}

static void write_all(struct fixture *f)
{
    for (uint64_t i = 0; i < COMMITS; i++) {
        for (uint64_t k = 2 * i; k < 2 * i + 2; k++)
            work_trial(&f->work, work_id(1), k, 100 + k);
        work_trial_state(&f->work, work_id(1), 2 * i, ASY_TRIAL_COMPLETE, 0.5);
        if (!commit(f))
            return;
    }
}

static void readers_see_whole_commits(void)
{
    struct fixture f;
    struct watcher watchers[READERS] = { 0 };
    size_t n = 0;

    if (!setup(&f, &engines[1]))
        goto out;
    work_study(&f.work, work_id(1), "busy", "minimize");
    if (!commit(&f))
        goto out;
    for (; n < READERS; n++) {
        watchers[n].folder = f.folder;
        if (!T_EQ("thread", pthread_create(&watchers[n].thread, NULL, watch, &watchers[n]), 0))
            break;
    }
    write_all(&f);
    for (size_t i = 0; i < n; i++) {
        pthread_join(watchers[i].thread, NULL);
        T_OK(watchers[i].rc, &watchers[i].err);
        T_EQ("torn", watchers[i].torn, 0);
        T_EQ("shrunk", watchers[i].shrunk, 0);
        T_TRUE(watchers[i].looks > 0);
    }
out:
    teardown(&f);
}

T_MAIN("store threads", T_TEST(readers_see_whole_commits))
