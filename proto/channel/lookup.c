/* SPDX-License-Identifier: Apache-2.0
 * lookup.c - see lookup.h. getaddrinfo() cannot be called off: the thread is detached, and whoever
 * lets go last, it or the owner, frees what both share. */
#include "lookup.h"
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct asy__lookup {
    atomic_int refs, done;
    int fd; /* eventfd */
    char name[256];
    /* the thread's until done */
    char addresses[ASY__LOOKUP_MAX][ASY__LOOKUP_TEXT];
    int n, errnum; /* errnum: of getaddrinfo() */
};

void asy__lookup_drop(struct asy__lookup *lookup)
{
    if (!lookup || atomic_fetch_sub(&lookup->refs, 1) > 1)
        return;
    if (lookup->fd >= 0)
        close(lookup->fd);
    free(lookup);
}

static void *run(void *arg)
{
    const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM,
                                    .ai_flags = AI_ADDRCONFIG };
    struct asy__lookup *lookup = arg;
    struct addrinfo *list = NULL;
    uint64_t one = 1;

    lookup->errnum = getaddrinfo(lookup->name, NULL, &hints, &list);
    for (struct addrinfo *at = list; at && lookup->n < ASY__LOOKUP_MAX; at = at->ai_next)
        if (getnameinfo(at->ai_addr, at->ai_addrlen, lookup->addresses[lookup->n],
                        ASY__LOOKUP_TEXT, NULL, 0, NI_NUMERICHOST) == 0)
            lookup->n++;
    if (list)
        freeaddrinfo(list);
    atomic_store(&lookup->done, 1);
    ASY_IGNORE(write(lookup->fd, &one, sizeof one) < 0); /* a fresh counter takes it */
    asy__lookup_drop(lookup);
    return NULL;
}

/* Signals are for the program's own threads. */
static int start_thread(struct asy__lookup *lookup)
{
    sigset_t all, old;
    pthread_t thread;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    if ((rc = pthread_create(&thread, NULL, run, lookup)) == 0)
        pthread_detach(thread);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return rc;
}

int asy__lookup_start(const char *name, struct asy__lookup **ret_lookup, struct asy_error *err)
{
    struct asy__lookup *lookup = calloc(1, sizeof *lookup);
    int rc;

    if (!lookup)
        return asy_fail(err, ASY_E_NOMEM, "no memory to look up '%s'", name);
    atomic_init(&lookup->refs, 2);
    snprintf(lookup->name, sizeof lookup->name, "%s", name);
    if ((lookup->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0)
        rc = asy_fail_errno(err, errno, "cannot make an event descriptor");
    else if ((rc = start_thread(lookup)))
        rc = asy_fail_errno(err, rc, "cannot start a thread to look up '%s'", name);
    if (rc) {
        atomic_store(&lookup->refs, 1);
        asy__lookup_drop(lookup);
        return rc;
    }
    *ret_lookup = lookup;
    return 0;
}

int asy__lookup_fd(const struct asy__lookup *lookup)
{
    return lookup->fd;
}

int asy__lookup_take(struct asy__lookup *lookup,
                     char ret_addresses[ASY__LOOKUP_MAX][ASY__LOOKUP_TEXT], struct asy_error *err)
{
    if (!atomic_load(&lookup->done))
        return 0;
    if (lookup->n == 0)
        return asy_fail(err, ASY_E_NOENT, "%s",
                        lookup->errnum ? gai_strerror(lookup->errnum) : "it has no address");
    memcpy(ret_addresses, lookup->addresses, sizeof lookup->addresses);
    return lookup->n;
}
