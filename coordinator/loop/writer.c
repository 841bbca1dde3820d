/* SPDX-License-Identifier: Apache-2.0
 * writer.c - group commit: whatever gathered while the last transaction was being synced goes into
 * the next one, so that the number of syncs adapts to the disk without a timer. */
#include "writer.h"
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <asy/clock.h>

#define EVENT_BUDGET (64u << 20)
#define RETRY_MS 1000
#define TOUCH_MS 5000
#define GROUP_EVENTS 8192 /* most events of one transaction: keeps it short for readers */

struct asy__writer {
    pthread_t thread;
    struct asy_store *store;
    struct asy__guest guest;
    struct asy__mail mail, *answers;
    struct asy__letter stop; /* put last */
    struct asy_event *events;
    size_t cap;
    int full;
};

int asy__batch_create(struct asy__batch **ret_batch, struct asy_error *err)
{
    struct asy__batch *batch = calloc(1, sizeof *batch);
    int rc;

    if (!batch)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a commit");
    if ((rc = asy_arena_create(EVENT_BUDGET, &batch->arena, err)) < 0) {
        free(batch);
        return rc;
    }
    *ret_batch = batch;
    return 0;
}

void asy__batch_destroy(struct asy__batch *batch)
{
    if (!batch)
        return;
    asy_arena_destroy(batch->arena);
    free(batch->events);
    free(batch);
}

int asy__batch_add(struct asy__batch *batch, const struct asy_event *event, struct asy_error *err)
{
    if (batch->n == batch->cap) {
        size_t cap = batch->cap ? 2 * batch->cap : 32;
        struct asy_event *events = realloc(batch->events, cap * sizeof *events);

        if (!events)
            return asy_fail(err, ASY_E_NOMEM, "no memory for %zu events", cap);
        batch->events = events;
        batch->cap = cap;
    }
    if (asy_event_copy(event, batch->arena, &batch->events[batch->n], err) < 0)
        return err ? (int)err->code : ASY_E_NOMEM;
    batch->n++;
    return 0;
}

static void answer(struct asy__writer *writer, uint64_t commit, int rc, const struct asy_error *err)
{
    struct asy__written *written = calloc(1, sizeof *written);

    ASY_ASSERT(written, "no memory for an answer of %zu bytes", sizeof *written);
    written->commit = commit;
    written->rc = rc;
    if (err)
        memcpy(written->text, err->text, sizeof written->text);
    asy__mail_put(writer->answers, &written->letter);
}

/* One transaction; a full disk is waited out. */
static int commit(struct asy__writer *writer, const struct asy_event *events, size_t n)
{
    for (;;) {
        struct asy_error err = ASY_ERROR_INIT;
        uint64_t seq;
        int rc = asy_store_commit(writer->store, events, n, &seq, &err);

        if (rc != ASY_E_NOSPACE) {
            writer->full = 0;
            if (rc < 0)
                answer(writer, 0, rc, &err);
            return rc;
        }
        if (!writer->full)
            answer(writer, 0, rc, &err);
        writer->full = 1;
        ASY_IGNORE(poll(NULL, 0, RETRY_MS) < 0);
    }
}

/* Commits as many waiting batches as one transaction may hold; returns the rest. */
static struct asy__letter *write_group(struct asy__writer *writer, struct asy__letter *first)
{
    struct asy__letter *at = first;
    uint64_t last = 0;
    size_t n = 0;

    while (at && at != &writer->stop && (n == 0 || n < GROUP_EVENTS)) {
        const struct asy__batch *batch = (const struct asy__batch *)at;

        if (n + batch->n > writer->cap) {
            size_t cap = 2 * (n + batch->n);
            struct asy_event *events = realloc(writer->events, cap * sizeof *events);

            ASY_ASSERT(events, "no memory for %zu events", cap);
            writer->events = events;
            writer->cap = cap;
        }
        if (batch->n)
            memcpy(writer->events + n, batch->events, batch->n * sizeof *batch->events);
        n += batch->n;
        last = batch->commit;
        at = at->next;
    }
    if (commit(writer, writer->events, n) == 0)
        answer(writer, last, 0, NULL);
    while (first != at) {
        struct asy__letter *next = first->next;

        asy__batch_destroy((struct asy__batch *)first);
        first = next;
    }
    return at;
}

/* 1: the guest wants another turn. */
static int guest_turn(struct asy__writer *writer)
{
    return writer->guest.turn &&
           writer->guest.turn(writer->guest.arg, asy_store_reader(writer->store));
}

static void *writer_main(void *arg)
{
    struct asy__writer *writer = arg;
    int64_t touched_ms = 0;

    for (;;) {
        struct asy__letter *letters = asy__mail_take(&writer->mail);

        while (letters && letters != &writer->stop) {
            letters = write_group(writer, letters);
            guest_turn(writer); /* it waits for no more than a commit, however many follow */
        }
        if (letters)
            return NULL;
        if (asy_clock_ms() - touched_ms >= TOUCH_MS) {
            asy_store_touch(writer->store);
            touched_ms = asy_clock_ms();
        }
        if (!guest_turn(writer))
            asy__mail_wait(&writer->mail, TOUCH_MS);
    }
}

int asy__writer_create(struct asy_store *store, const struct asy__guest *guest,
                       struct asy__mail *answers, struct asy__writer **ret_writer,
                       struct asy_error *err)
{
    struct asy__writer *writer = calloc(1, sizeof *writer);
    int rc;

    if (!writer)
        return asy_fail(err, ASY_E_NOMEM, "no memory for the store's thread");
    writer->store = store;
    writer->guest = *guest;
    writer->answers = answers;
    if ((rc = asy__mail_init(&writer->mail, err)) < 0) {
        free(writer);
        return rc;
    }
    if ((rc = pthread_create(&writer->thread, NULL, writer_main, writer)) != 0) {
        asy__mail_fini(&writer->mail);
        free(writer);
        return asy_fail_errno(err, rc, "cannot start the store's thread");
    }
    *ret_writer = writer;
    return 0;
}

void asy__writer_destroy(struct asy__writer *writer)
{
    if (!writer)
        return;
    asy__mail_put(&writer->mail, &writer->stop);
    pthread_join(writer->thread, NULL);
    asy__mail_fini(&writer->mail);
    free(writer->events);
    free(writer);
}

void asy__writer_wake(struct asy__writer *writer)
{
    asy__mail_nudge(&writer->mail);
}

void asy__writer_put(struct asy__writer *writer, struct asy__batch *batch)
{
    asy__mail_put(&writer->mail, &batch->letter);
}
