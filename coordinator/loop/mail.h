/* SPDX-License-Identifier: Apache-2.0
 * mail.h - messages between the threads of the coordinator: a locked list and an eventfd, so that a
 * loop can wait for mail beside its sockets and a thread can wait for mail alone.
 *
 * Ownership: a letter belongs to whoever holds it; put() hands it over. Threads: any. */
#ifndef ASY__MAIL_H
#define ASY__MAIL_H
#include <pthread.h>
#include <asy/error.h>

struct asy__letter {
    struct asy__letter *next;
};
struct asy__mail {
    pthread_mutex_t lock;
    struct asy__letter *first, *last;
    int fd; /* readable while letters wait */
};
ASY_MUST_CHECK int asy__mail_init(struct asy__mail *mail, struct asy_error *err);
void asy__mail_fini(struct asy__mail *mail); /* letters must have been taken */
void asy__mail_put(struct asy__mail *mail, struct asy__letter *letter);

/* Letters that go out together, so that the receiver wakes once. One owner. */
struct asy__bundle {
    struct asy__letter *first, *last;
};
void asy__bundle_add(struct asy__bundle *bundle, struct asy__letter *letter);
/* Puts them all, in order; the bundle is empty afterwards. */
void asy__mail_put_all(struct asy__mail *mail, struct asy__bundle *bundle);
/* All that waits, oldest first; NULL: none. */
struct asy__letter *asy__mail_take(struct asy__mail *mail);
/* Ends a wait though nothing is there. */
void asy__mail_nudge(struct asy__mail *mail);
/* Waits until something is there or timeout_ms passed (< 0: for ever). */
void asy__mail_wait(struct asy__mail *mail, int timeout_ms);
#endif
