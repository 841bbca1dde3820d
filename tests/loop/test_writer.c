/* SPDX-License-Identifier: Apache-2.0
 * test_writer.c - the store's thread: commits in order, and none after one that failed. */
#include <asytest.h>
#include <stdlib.h>
#include "writer.h"

struct bench {
    struct asy_store *store;
    struct asy__mail answers;
    struct asy__writer *writer;
};

static bool begin(struct bench *b)
{
    static const struct asy_store_spec spec = { .path = NULL };
    static const struct asy__guest nobody = { 0 };
    struct asy_error err = ASY_ERROR_INIT;

    return T_OK(asy_store_open(&spec, &b->store, NULL, &err), &err) &&
           T_OK(asy__mail_init(&b->answers, &err), &err) &&
           T_OK(asy__writer_create(b->store, &nobody, &b->answers, &b->writer, &err), &err);
}

/* A commit of one event. */
static void put_event(struct bench *b, uint64_t commit, const struct asy_event *ev)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__batch *batch;

    if (!T_OK(asy__batch_create(&batch, &err), &err))
        return;
    batch->commit = commit;
    if (T_OK(asy__batch_add(batch, ev, &err), &err))
        asy__writer_put(b->writer, batch);
    else
        asy__batch_destroy(batch);
}

/* Of a study that is there or not. */
static void put_tag(struct bench *b, uint64_t commit, struct asy_id study)
{
    struct asy_event ev = { .kind = ASY_EV_TAG, .study = study, .trial = UINT64_MAX };

    ev.tag.key = "k";
    ev.tag.value = "v";
    put_event(b, commit, &ev);
}

static void put_study(struct bench *b, uint64_t commit, struct asy_id study, const char *name)
{
    struct asy_event ev = { .kind = ASY_EV_STUDY_CREATED, .study = study, .trial = UINT64_MAX };

    ev.study_created.name = name;
    ev.study_created.project = "p";
    ev.study_created.owner = "owner";
    ev.study_created.spec = "{}";
    ev.study_created.command_line = "";
    put_event(b, commit, &ev);
}

/* The next answer, awaited. */
static struct asy__written next(struct bench *b)
{
    struct asy__letter *letter;
    struct asy__written written;

    while (!(letter = asy__mail_take(&b->answers)))
        asy__mail_wait(&b->answers, -1);
    written = *(struct asy__written *)letter;
    T_TRUE(letter->next == NULL);
    free(letter);
    return written;
}

static int count(void *arg, const struct asy_study_row *row)
{
    (void)row;
    ++*(size_t *)arg;
    return 0;
}

static void nothing_is_written_after_a_commit_that_failed(void)
{
    struct asy_id first = asy_id_make(), missing = asy_id_make(), later = asy_id_make();
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__letter *letter, *after;
    struct asy__written written;
    struct bench b = { 0 };
    size_t n = 0;

    if (!begin(&b))
        return;
    put_study(&b, 1, first, "a");
    written = next(&b);
    T_EQ("the first is durable", written.rc, 0);
    T_EQ("its number", written.commit, 1);
    put_tag(&b, 2, missing);
    written = next(&b);
    T_EQ("the second is refused", written.rc, ASY_E_INVAL);
    put_study(&b, 3, later, "b");
    put_tag(&b, 4, first);
    asy__writer_destroy(b.writer); /* writes what waits first, were it allowed to */
    for (letter = asy__mail_take(&b.answers); letter; letter = after) {
        after = letter->next;
        T_TRUE(((struct asy__written *)letter)->rc != 0);
        free(letter);
    }
    T_OK(asy_reader_studies(asy_store_reader(b.store), NULL, NULL, -1, count, &n, &err), &err);
    T_EQ("what the store has", n, 1);
    asy__mail_fini(&b.answers);
    asy_store_close(b.store);
}

T_MAIN("writer", T_TEST(nothing_is_written_after_a_commit_that_failed))
