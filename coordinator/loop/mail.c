/* SPDX-License-Identifier: Apache-2.0
 * mail.c - see mail.h. The lock is held for a few instructions only; a lock-free list would save
 * nothing beside a commit or a model fit. */
#include "mail.h"
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

int asy__mail_init(struct asy__mail *mail, struct asy_error *err)
{
    mail->first = mail->last = NULL;
    mail->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (mail->fd < 0)
        return asy_fail_errno(err, errno, "cannot make an eventfd");
    pthread_mutex_init(&mail->lock, NULL);
    return 0;
}

void asy__mail_fini(struct asy__mail *mail)
{
    if (mail->fd < 0)
        return;
    close(mail->fd);
    mail->fd = -1;
    pthread_mutex_destroy(&mail->lock);
}

void asy__mail_nudge(struct asy__mail *mail)
{
    uint64_t one = 1;

    /* At its limit it is readable all the same. */
    ASY_IGNORE(write(mail->fd, &one, sizeof one) < 0);
}

void asy__mail_put(struct asy__mail *mail, struct asy__letter *letter)
{
    struct asy__bundle bundle = { 0 };

    asy__bundle_add(&bundle, letter);
    asy__mail_put_all(mail, &bundle);
}

void asy__bundle_add(struct asy__bundle *bundle, struct asy__letter *letter)
{
    letter->next = NULL;
    if (bundle->last)
        bundle->last->next = letter;
    else
        bundle->first = letter;
    bundle->last = letter;
}

void asy__mail_put_all(struct asy__mail *mail, struct asy__bundle *bundle)
{
    uint64_t one = 1;
    int was_empty;

    if (!bundle->first)
        return;
    pthread_mutex_lock(&mail->lock);
    was_empty = !mail->first;
    if (mail->last)
        mail->last->next = bundle->first;
    else
        mail->first = bundle->first;
    mail->last = bundle->last;
    pthread_mutex_unlock(&mail->lock);
    *bundle = (struct asy__bundle){ 0 };
    /* An eventfd that counts to its limit is readable all the same. */
    if (was_empty)
        ASY_IGNORE(write(mail->fd, &one, sizeof one) < 0);
}

struct asy__letter *asy__mail_take(struct asy__mail *mail)
{
    struct asy__letter *first;
    uint64_t count;

    /* Cleared before the list is taken: a letter put after that raises it again. */
    ASY_IGNORE(read(mail->fd, &count, sizeof count) < 0);
    pthread_mutex_lock(&mail->lock);
    first = mail->first;
    mail->first = mail->last = NULL;
    pthread_mutex_unlock(&mail->lock);
    return first;
}

void asy__mail_wait(struct asy__mail *mail, int timeout_ms)
{
    struct pollfd item = { .fd = mail->fd, .events = POLLIN };

    ASY_IGNORE(poll(&item, 1, timeout_ms) < 0);
}
