/* SPDX-License-Identifier: Apache-2.0
 * box.c - see box.h. The descriptor is raised after each note and lowered under the lock by whoever
 * takes the last one, so it never says empty while a note waits. */
#include "box.h"
#include <errno.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

int asy__box_init(struct asy__box *box, struct asy_error *err)
{
    if ((box->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0)
        return asy_fail_errno(err, errno, "cannot make an event descriptor");
    return 0;
}

void asy__box_fini(struct asy__box *box, asy__note_free_f note_free, void *arg)
{
    while (box->first) {
        struct asy__note *note = box->first;

        box->first = note->next;
        note_free(note, arg);
    }
    if (box->fd >= 0)
        close(box->fd);
    pthread_mutex_destroy(&box->lock);
}

void asy__box_put(struct asy__box *box, struct asy__note *note)
{
    uint64_t one = 1;

    pthread_mutex_lock(&box->lock);
    note->next = NULL;
    if (box->last)
        box->last->next = note;
    else
        box->first = note;
    box->last = note;
    box->n++;
    pthread_mutex_unlock(&box->lock);
    ASY_IGNORE(write(box->fd, &one, sizeof one) < 0); /* full means readable: enough */
}

struct asy__note *asy__box_get(struct asy__box *box)
{
    struct asy__note *note;
    uint64_t count;

    pthread_mutex_lock(&box->lock);
    if ((note = box->first)) {
        box->first = note->next;
        box->n--;
    }
    if (!box->first) {
        box->last = NULL;
        ASY_IGNORE(read(box->fd, &count, sizeof count) < 0); /* empty: not readable */
    }
    pthread_mutex_unlock(&box->lock);
    return note;
}

size_t asy__box_count(struct asy__box *box)
{
    size_t n;

    pthread_mutex_lock(&box->lock);
    n = box->n;
    pthread_mutex_unlock(&box->lock);
    return n;
}
