/* SPDX-License-Identifier: Apache-2.0
 * launch.c - assay-attempt as mpirun's launch agent, where a remote shell would be: hands what it
 * should start on another node to the agent that started mpirun, and stays until that closes the
 * connection, as a remote shell stays until its command ends. Of Slurm's signals to all processes
 * of a job it must not die, or mpirun would take the node for lost; mpirun has unblocked them. */
#include <asy/attempt.h>
#include <asy/error.h>
#include <asy/told.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void ignore_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    asy_told_signals(&set);
    sigaddset(&set, SIGHUP);
    for (int signum = 1; signum < NSIG; signum++)
        if (sigismember(&set, signum) == 1)
            signal(signum, SIG_IGN);
}

static int call(const char *path)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    int fd;

    if (strlen(path) >= sizeof addr.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(addr.sun_path, path, strlen(path));
    if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) < 0)
        return -1;
    if (connect(fd, (const struct sockaddr *)&addr, sizeof addr) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* With the zero byte that ends it. */
static int say(int fd, const char *text)
{
    size_t left = strlen(text) + 1;

    while (left > 0) {
        ssize_t n = send(fd, text, left, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        text += n;
        left -= (size_t)n;
    }
    return 0;
}

static int stay(int fd)
{
    char byte;
    ssize_t n;

    do
        n = read(fd, &byte, 1);
    while (n > 0 || (n < 0 && errno == EINTR));
    return 0;
}

int asy_attempt_launch(int argc, char **argv)
{
    const char *path = getenv("ASSAY_LAUNCH"), *token = getenv("ASSAY_TOKEN");
    char text[80];
    int fd = -1, rc = -1;

    ignore_signals();
    if (!path || !token || argc < 3) {
        dprintf(2, "assay-attempt: --launch is for mpirun below assay-worker only\n");
        return 2;
    }
    if ((fd = call(path)) >= 0 && say(fd, token) == 0) {
        for (rc = 0; rc == 0 && argc > 1; argc--, argv++)
            rc = say(fd, argv[1]);
        if (rc == 0)
            rc = shutdown(fd, SHUT_WR);
    }
    if (rc < 0)
        dprintf(2, "assay-attempt: cannot reach the worker at '%s': %s\n", path,
                asy_errno_text(errno, text));
    else
        rc = stay(fd);
    if (fd >= 0)
        close(fd);
    return rc < 0;
}
