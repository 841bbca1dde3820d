/* SPDX-License-Identifier: Apache-2.0
 * box.h - a mailbox from one thread to another: notes in the order in which they were put, and a
 * descriptor that is readable while some wait.
 *
 * Ownership: a note that was put belongs to the box until it is got; notes stand first in their
 *            structs.
 * Threads:   any may put, one gets. */
#ifndef ASY__AGENT_BOX_H
#define ASY__AGENT_BOX_H
#include <pthread.h>
#include <asy/error.h>

struct asy__note {
    struct asy__note *next;
};
struct asy__box {
    pthread_mutex_t lock;
    struct asy__note *first, *last;
    size_t n;
    int fd; /* eventfd */
};
/* Of a box that fini accepts, whether or not init was called, or failed. */
#define ASY__BOX_INIT { .lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1 }

ASY_MUST_CHECK int asy__box_init(struct asy__box *box, struct asy_error *err);
/* What is still in it goes to note_free(note, arg). */
typedef void (*asy__note_free_f)(struct asy__note *note, void *arg);
void asy__box_fini(struct asy__box *box, asy__note_free_f note_free, void *arg);
void asy__box_put(struct asy__box *box, struct asy__note *note);
struct asy__note *asy__box_get(struct asy__box *box); /* NULL: empty */
size_t asy__box_count(struct asy__box *box);
#endif
