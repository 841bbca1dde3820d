/* SPDX-License-Identifier: Apache-2.0
 * dial.c - see dial.h. */
#include "dial.h"
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

int asy__dial(const char *number, int port)
{
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
                                    .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV };
    struct addrinfo *to = NULL;
    char text[12];
    int fd, saved;

    snprintf(text, sizeof text, "%d", port);
    if (getaddrinfo(number, text, &hints, &to)) {
        errno = EINVAL;
        return -1;
    }
    fd = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && connect(fd, to->ai_addr, to->ai_addrlen) < 0 && errno != EINPROGRESS) {
        saved = errno;
        close(fd);
        errno = saved;
        fd = -1;
    }
    saved = errno;
    freeaddrinfo(to);
    errno = saved;
    return fd;
}

int asy__dialled(int fd)
{
    struct pollfd item = { fd, POLLOUT, 0 };
    int errnum = 0;
    socklen_t n = sizeof errnum;

    if (poll(&item, 1, 0) <= 0)
        return 0;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &errnum, &n) < 0)
        return -errno;
    return errnum ? -errnum : 1;
}
