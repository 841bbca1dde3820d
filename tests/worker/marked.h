/* SPDX-License-Identifier: Apache-2.0
 * marked.h - finds processes by a mark in their environment, which every descendant inherits,
 * however it has detached itself. */
#ifndef MARKED_H
#define MARKED_H
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MARK "ASSAY_TEST_MARK"
#define GENEROUS_MS 300000

/* "ASSAY_TEST_MARK=<pid>-<n>", another one at each call. */
static inline const char *mark_next(void)
{
    static char text[64];
    static unsigned n;

    snprintf(text, sizeof text, MARK "=%d-%u", (int)getpid(), ++n);
    return text;
}

static inline int has_mark(const char *pid, const char *mark)
{
    static char env[256 * 1024];
    char path[300];
    ssize_t n = 0, got;
    int fd;

    snprintf(path, sizeof path, "/proc/%s/environ", pid);
    if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
        return 0;
    while (n < (ssize_t)sizeof env - 1 &&
           (got = read(fd, env + n, sizeof env - 1 - (size_t)n)) > 0)
        n += got;
    close(fd);
    env[n > 0 ? n : 0] = '\0';
    for (const char *at = env; at < env + n; at += strlen(at) + 1)
        if (!strcmp(at, mark))
            return 1;
    return 0;
}

/* Processes of this mark that live (zombies have no environment). With a list: their pids. */
static inline int count_marked(const char *mark, pid_t *pids, int max)
{
    struct dirent *entry;
    DIR *dir = opendir("/proc");
    int n = 0;

    while (dir && (entry = readdir(dir))) {
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9' || !has_mark(entry->d_name, mark))
            continue;
        if (pids && n < max)
            pids[n] = (pid_t)atol(entry->d_name);
        n++;
    }
    if (dir)
        closedir(dir);
    return n;
}

/* Waits until exactly (or, at_least: no fewer than) n live. 1 if that came. */
static inline int await_marked(const char *mark, int n, int at_least)
{
    for (int i = 0; i < GENEROUS_MS / 10; i++) {
        int now = count_marked(mark, NULL, 0);

        if (now == n || (at_least && now > n))
            return 1;
        poll(NULL, 0, 10);
    }
    return 0;
}
#endif
