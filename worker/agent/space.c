/* SPDX-License-Identifier: Apache-2.0
 * space.c - the disks on which this node's attempts write, while one is full.
 *
 * What fails for want of space is no fault of the trial. So such an attempt ends without using up a
 * retry, and the node goes out of service, or the next attempt would fail the same way at once;
 * HELLO says it, before the report of the end can get a new lease sent here. Once there is space
 * again, enough for some attempts, the node greets anew and works on.
 *
 * Space is what a file can be written into: free blocks say nothing about a quota. */
#include "impl.h"
#include <asy/clock.h>
#include <asy/log.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define LOOK_MS 2000
#define TRY_BYTES ((size_t)1 << 20)
#define ENOUGH_BYTES ((uint64_t)64 << 20) /* or a twentieth of a small file system */

static int write_all(int fd, size_t n)
{
    static const char zeros[65536];

    while (n > 0) {
        ssize_t put = write(fd, zeros, n < sizeof zeros ? n : sizeof zeros);

        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return -1;
        n -= (size_t)put;
    }
    return fsync(fd); /* some file systems find out only now */
}

static int lacks_at(const char *folder)
{
    char *path = asy__textf("%s/.space.%d", folder, (int)getpid());
    int fd = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;
    int lacks = path && fd < 0 && (errno == ENOSPC || errno == EDQUOT);

    if (fd >= 0) {
        lacks = write_all(fd, TRY_BYTES) < 0 && (errno == ENOSPC || errno == EDQUOT);
        close(fd);
        unlink(path);
    }
    free(path);
    return lacks;
}

/* So much is left for some attempts, not for the end of one alone. */
static int is_scarce_at(const char *folder)
{
    struct statvfs fs;
    uint64_t size, left;

    if (statvfs(folder, &fs) < 0)
        return 0;
    size = (uint64_t)fs.f_blocks * fs.f_frsize;
    left = (uint64_t)fs.f_bavail * fs.f_frsize;
    return left < (size / 20 < ENOUGH_BYTES ? size / 20 : ENOUGH_BYTES);
}

/* The first of the agent's folders, each disk once, of which `is` holds; NULL: none. */
static char *folder_that(const struct asy__agent *agent, int (*is)(const char *folder))
{
    static const char *const names[] = { "", "/work", "/artifacts", "/logs", NULL };
    dev_t seen[ASY_ARRAY_LEN(names)];
    size_t n = 0, k;

    for (size_t i = 0; i < ASY_ARRAY_LEN(names); i++) {
        char *folder = names[i] ? asy__textf("%s%s", agent->home, names[i])
                                : asy__textf("%s", agent->work);
        struct stat st;

        if (folder && stat(folder, &st) == 0) {
            for (k = 0; k < n && seen[k] != st.st_dev; k++)
                continue;
            if (k == n) {
                seen[n++] = st.st_dev;
                if (is(folder))
                    return folder;
            }
        }
        free(folder);
    }
    return NULL;
}

int asy__space_lacks(const struct asy__agent *agent)
{
    char *folder = folder_that(agent, lacks_at);
    int lacks = folder != NULL;

    free(folder);
    return lacks;
}

void asy__space_gone(struct asy__agent *agent)
{
    struct asy__space *space = &agent->space;
    char *folder;
    struct statvfs fs = { 0 };

    if (space->fit[0])
        return;
    if ((folder = folder_that(agent, lacks_at)))
        ASY_IGNORE(statvfs(folder, &fs) < 0); /* then none is free */
    snprintf(space->fit, sizeof space->fit, "disk full, %llu KiB free in '%.120s'; it works on by "
             "itself when there is space", (unsigned long long)fs.f_bavail * fs.f_frsize >> 10,
             folder ? folder : agent->home);
    free(folder);
    space->look_ms = asy_clock_ms() + LOOK_MS;
    asy_warn("out of service: %s", space->fit);
    if (agent->session.state == ASY__SESSION_JOINED)
        asy__session_greet(agent);
}

int64_t asy__space_timers(struct asy__agent *agent, int64_t now_ms)
{
    struct asy__space *space = &agent->space;
    char *folder;

    if (!space->fit[0])
        return INT64_MAX;
    if (now_ms < space->look_ms)
        return space->look_ms;
    space->look_ms = now_ms + LOOK_MS;
    if ((folder = folder_that(agent, is_scarce_at)) || (folder = folder_that(agent, lacks_at))) {
        free(folder);
        return space->look_ms;
    }
    space->fit[0] = '\0';
    asy_info("there is space again: back in service");
    if (agent->session.state == ASY__SESSION_JOINED)
        asy__session_greet(agent);
    return INT64_MAX;
}

const char *asy__agent_unfit(const struct asy__agent *agent)
{
    return agent->programs.fit[0] ? agent->programs.fit : agent->space.fit;
}
