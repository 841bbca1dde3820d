/* SPDX-License-Identifier: Apache-2.0
 * writer.c - group commit: whatever gathered while the last transaction was being synced goes into
 * the next one, so that the number of syncs adapts to the disk without a timer. A transaction is
 * bounded by its work, GROUP_NS, measured in the thread's CPU time: what an event costs differs by
 * machine and by what is recorded, and waiting for the disk is no work.
 *
 * Rejected: waiting on purpose until more has gathered. It gained nothing (bench_service, parts
 * cycles and dispatch). */
#include "writer.h"
#include "crash.h"
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>
#include <asy/clock.h>

#define EVENT_BUDGET (64u << 20)
#define RETRY_MS 1000
#define TOUCH_MS 5000
#define GUEST_MS 20        /* how often a guest is asked while the disk is full */
#define GROUP_NS 5e6      /* work of one transaction */
#define GROUP_EVENTS 8192 /* of one transaction at most, whatever they cost */
#define EVENT_NS 20000.0  /* what an event is taken to cost before one was measured */

struct asy__writer {
    pthread_t thread;
    struct asy_store *store;
    struct asy__guest guest;
    struct asy__mail mail, *answers;
    struct asy__letter stop; /* put last */
    struct asy_event *events;
    size_t cap;
    double event_ns;         /* what an event costs: a moving average */
    atomic_int stopping;     /* and stop_fd is readable: a full disk is not waited out any more */
    int stop_fd;
    int given_up; /* the failure after which nothing is written any more; 0: none */
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

static double cpu_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return 1e9 * (double)now.tv_sec + (double)now.tv_nsec;
}

/* Half of the news at a time, for what is many events: an expensive one alone says little. */
static void learn_cost(struct asy__writer *writer, double ns, size_t n)
{
    double share = n >= 64 ? 0.5 : (double)n / 128;

    if (n)
        writer->event_ns += share * (ns / (double)n - writer->event_ns);
}

static size_t group_events(const struct asy__writer *writer)
{
    double n = GROUP_NS / (writer->event_ns > 1 ? writer->event_ns : 1);

    return n >= GROUP_EVENTS ? GROUP_EVENTS : (size_t)n;
}

/* 1: the guest wants another turn. */
static int guest_turn(struct asy__writer *writer)
{
    return writer->guest.turn &&
           writer->guest.turn(writer->guest.arg, asy_store_reader(writer->store));
}

/* The disk is full. 0: it is time to try again; else the process is to end. A guest still gets its
 * turns: nothing else tells it that there are some, so it is asked now and then. */
static int wait_for_space(struct asy__writer *writer)
{
    struct pollfd item = { .fd = writer->stop_fd, .events = POLLIN };
    int64_t again_ms = asy_clock_ms() + RETRY_MS, left_ms = RETRY_MS;

    asy_store_touch(writer->store); /* it is still ours */
    for (; left_ms > 0 && !atomic_load(&writer->stopping); left_ms = again_ms - asy_clock_ms())
        if (!guest_turn(writer))
            ASY_IGNORE(poll(&item, 1, writer->guest.turn && left_ms > GUEST_MS ? GUEST_MS
                                                                               : (int)left_ms) < 0);
    return atomic_load(&writer->stopping);
}

/* One transaction; a full disk is waited out. After one that failed none may follow: the store
 * would hold what builds on events that it does not have. */
static int commit(struct asy__writer *writer, const struct asy_event *events, size_t n)
{
    if (writer->given_up)
        return writer->given_up;
    for (;;) {
        struct asy_error err = ASY_ERROR_INIT;
        double start_ns = cpu_ns();
        uint64_t seq;
        int rc;

        asy__crash_point("coordinator.before_commit");
        rc = asy_store_commit(writer->store, events, n, &seq, &err);
        asy__crash_point("coordinator.after_commit");

        if (rc == 0) {
            learn_cost(writer, cpu_ns() - start_ns, n);
            return 0;
        }
        answer(writer, 0, rc, &err);
        if (rc != ASY_E_NOSPACE || wait_for_space(writer))
            return writer->given_up = rc;
    }
}

/* Commits as many waiting batches as one transaction may hold; returns the rest. */
static struct asy__letter *write_group(struct asy__writer *writer, struct asy__letter *first)
{
    struct asy__letter *at = first;
    uint64_t last = 0;
    size_t n = 0;

    while (at && at != &writer->stop) {
        const struct asy__batch *batch = (const struct asy__batch *)at;

        if (n > 0 && n + batch->n > group_events(writer))
            break;
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

static void *writer_main(void *arg)
{
    struct asy__writer *writer = arg;
    int64_t touched_ms = 0;

    for (;;) {
        struct asy__letter *letters;

        letters = asy__mail_take(&writer->mail);
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
    writer->event_ns = EVENT_NS;
    writer->mail.fd = -1;
    if ((writer->stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) < 0) {
        rc = asy_fail_errno(err, errno, "cannot make an eventfd");
        goto out;
    }
    if ((rc = asy__mail_init(&writer->mail, err)) < 0)
        goto out;
    if ((rc = pthread_create(&writer->thread, NULL, writer_main, writer)) != 0) {
        rc = asy_fail_errno(err, rc, "cannot start the store's thread");
        goto out;
    }
    *ret_writer = writer;
    return 0;
out:
    asy__mail_fini(&writer->mail);
    if (writer->stop_fd >= 0)
        close(writer->stop_fd);
    free(writer);
    return rc;
}

void asy__writer_destroy(struct asy__writer *writer)
{
    uint64_t one = 1;

    if (!writer)
        return;
    atomic_store(&writer->stopping, 1);
    ASY_IGNORE(write(writer->stop_fd, &one, sizeof one) < 0); /* a new counter cannot be full */
    asy__mail_put(&writer->mail, &writer->stop);
    pthread_join(writer->thread, NULL);
    asy__mail_fini(&writer->mail);
    close(writer->stop_fd);
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
