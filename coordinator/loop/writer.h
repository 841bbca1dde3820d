/* SPDX-License-Identifier: Apache-2.0
 * writer.h - the store's own thread: takes sealed commits, writes all that wait as one transaction,
 * reports the newest number that is on disk. A full disk is reported and tried again, every second;
 * any other failure is final (the store's owner is gone or its data is broken). A transaction takes
 * as many commits as are work for some milliseconds, so that whoever waits for the next is not kept
 * waiting by this one.
 *
 * Threads: the loop's. */
#ifndef ASY__WRITER_H
#define ASY__WRITER_H
#include <asy/store.h>
#include "mail.h"

struct asy__batch {               /* loop -> writer */
    struct asy__letter letter;
    uint64_t commit;
    struct asy_arena *arena;      /* holds what the events borrow */
    struct asy_event *events;     /* [n] */
    size_t n, cap;
};
ASY_MUST_CHECK int asy__batch_create(struct asy__batch **ret_batch, struct asy_error *err);
void asy__batch_destroy(struct asy__batch *batch);
ASY_MUST_CHECK int asy__batch_add(struct asy__batch *batch, const struct asy_event *event,
                                  struct asy_error *err);

struct asy__written {             /* writer -> loop */
    struct asy__letter letter;
    uint64_t commit;              /* durable up to here */
    int rc;                       /* 0, ASY_E_NOSPACE (tried again by itself), else final */
    char text[240];
};
/* Whoever may use the store's own reader between two commits, a short while at a time. */
struct asy__guest {
    int (*turn)(void *arg, struct asy_reader *reader); /* 1: there is more to do; NULL: nobody */
    void *arg;
};
struct asy__writer;
/* guest is copied; it must outlive the writer. store: the writer thread's from here on, until
 * destroy returns. */
ASY_MUST_CHECK int asy__writer_create(struct asy_store *store, const struct asy__guest *guest,
                                      struct asy__mail *answers,
                                      struct asy__writer **ret_writer, struct asy_error *err);
/* Writes what waits first. While the disk is full, and after a failure, that is given up: nobody
 * was told of it. */
void asy__writer_destroy(struct asy__writer *writer);
void asy__writer_put(struct asy__writer *writer, struct asy__batch *batch);
void asy__writer_wake(struct asy__writer *writer); /* the guest has something to do */
#endif
