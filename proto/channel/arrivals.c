/* SPDX-License-Identifier: Apache-2.0
 * arrivals.c - see arrivals.h: a list through a table by descriptor. Its memory is bounded by the
 * descriptors that the process may open. */
#include "arrivals.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

void asy__arrivals_init(struct asy__arrivals *a, size_t most)
{
    *a = (struct asy__arrivals){ .most = most, .oldest = -1, .newest = -1 };
}

void asy__arrivals_fini(struct asy__arrivals *a)
{
    free(a->by_fd);
    asy__arrivals_init(a, a->most);
}

struct in6_addr asy__arrivals_from(int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } peer;
    struct in6_addr from = IN6ADDR_ANY_INIT;
    socklen_t len = sizeof peer;

    if (getpeername(fd, &peer.any, &len) < 0)
        return from;
    if (peer.any.sa_family == AF_INET6)
        from = peer.v6.sin6_addr;
    if (peer.any.sa_family == AF_INET) {
        from.s6_addr[10] = from.s6_addr[11] = 0xff;
        memcpy(&from.s6_addr[12], &peer.v4.sin_addr, 4);
    }
    return from;
}

static int room(struct asy__arrivals *a, size_t fd)
{
    size_t n = a->n_fds ? 2 * a->n_fds : 64;
    struct asy__arrival *grown;

    if (fd < a->n_fds)
        return 1;
    n = n > fd ? n : fd + 1;
    if (!(grown = reallocarray(a->by_fd, n, sizeof *grown)))
        return 0;
    memset(grown + a->n_fds, 0, (n - a->n_fds) * sizeof *grown);
    a->by_fd = grown;
    a->n_fds = n;
    return 1;
}

int asy__arrivals_take(struct asy__arrivals *a, int fd, struct in6_addr *ret_from)
{
    struct asy__arrival *it;

    if (fd < 0 || (size_t)fd >= a->n_fds || !a->by_fd[fd].waits)
        return 0;
    it = &a->by_fd[fd];
    if (it->before >= 0)
        a->by_fd[it->before].after = it->after;
    else
        a->oldest = it->after;
    if (it->after >= 0)
        a->by_fd[it->after].before = it->before;
    else
        a->newest = it->before;
    it->waits = 0;
    a->n--;
    *ret_from = it->from;
    return 1;
}

size_t asy__arrivals_expire(struct asy__arrivals *a, int64_t before_ms)
{
    struct in6_addr unused;
    size_t n = 0;

    for (; a->oldest >= 0 && a->by_fd[a->oldest].since_ms < before_ms; n++)
        asy__arrivals_take(a, a->oldest, &unused);
    return n;
}

int asy__arrivals_add(struct asy__arrivals *a, int fd, struct in6_addr from, int64_t now_ms)
{
    struct in6_addr unused;
    int last;

    if (fd < 0 || !room(a, (size_t)fd))
        return -1;
    asy__arrivals_take(a, fd, &unused); /* one whose end was not told */
    a->by_fd[fd] = (struct asy__arrival){ from, now_ms, 1, a->newest, -1, 0 };
    if (a->newest >= 0)
        a->by_fd[a->newest].after = fd;
    else
        a->oldest = fd;
    a->newest = fd;
    if (++a->n <= a->most)
        return -1;
    last = a->oldest;
    asy__arrivals_take(a, last, &unused);
    return last;
}

void asy__arrivals_end(struct asy__arrivals *a, int fd)
{
    if (fd >= 0 && (size_t)fd < a->n_fds)
        a->by_fd[fd].ended = 1;
}

int asy__arrivals_ended(const struct asy__arrivals *a, int fd)
{
    return fd >= 0 && (size_t)fd < a->n_fds && a->by_fd[fd].ended;
}

void asy__arrivals_text(const struct in6_addr *from, char *text, size_t size)
{
    int v4 = IN6_IS_ADDR_V4MAPPED(from);

    if (IN6_IS_ADDR_UNSPECIFIED(from) ||
        !inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? &from->s6_addr[12] : from->s6_addr, text,
                   (socklen_t)size))
        snprintf(text, size, "%s", "");
}
