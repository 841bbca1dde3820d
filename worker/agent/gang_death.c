/* SPDX-License-Identifier: Apache-2.0
 * gang_death.c - which rank ended first, how, and what it said last.
 *
 * Ranks are mpirun's children, so the kernel tells mpirun how they end. It writes that on its way
 * out, in words that every release of Open MPI 4 has. Where it cannot (it was killed itself, or we
 * end the gang first), /proc has the rank's status for as long as nobody has collected it; the end
 * of its connection, which wakes us, comes after that status is set. */
#include "impl.h"
#include <asy/parse.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOG_BYTES 16384
#define STATUS_FIELD 52 /* of /proc/<pid>/stat, the last */

static void set_status(struct asy__death *death, int status)
{
    death->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    death->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void asy__death_of_rank(struct asy__death *death, int rank, pid_t pid)
{
    char path[64], text[2048], *at;
    ssize_t n = -1;
    int fd, field = 3;
    uint64_t status;

    if (death->rank >= 0)
        return; /* that of the first counts: the others' come from it */
    death->rank = rank;
    death->signal = 0;
    death->exit_code = -1;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
        return;
    n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    if (!(at = strrchr(text, ')')))
        return;
    for (at += 2; field < STATUS_FIELD && (at = strchr(at, ' ')); field++)
        at++;
    if (at && asy_parse_u64(at, strcspn(at, " \n"), &status, NULL) == 0 && status != 0)
        set_status(death, (int)status); /* 0: it lives, or has ended well; both are not known */
}

/* The number behind the last of `key` in text; -1: there is none. */
static int number_behind(const char *text, const char *key)
{
    const char *at = NULL, *next = text;
    uint64_t n;

    while ((next = strstr(next, key))) {
        next += strlen(key);
        at = next;
    }
    if (!at)
        return -1;
    at += strspn(at, " ");
    return asy_parse_u64(at, strspn(at, "0123456789"), &n, NULL) < 0 || n > INT32_MAX ? -1 : (int)n;
}

void asy__death_in_words(struct asy__death *death, const char *text)
{
    int rank = number_behind(text, "process rank "), signum, code;
    const char *name = strstr(text, "Process name: [[");

    if (rank >= 0) {
        signum = number_behind(text, "exited on signal ");
        if (signum < 0 && rank == death->rank && (death->signal || death->exit_code >= 0))
            return; /* "exiting improperly": what the kernel said is more */
        *death = (struct asy__death){ .rank = rank, .signal = signum > 0 ? signum : 0,
                                      .exit_code = signum > 0 ? -1 : 0 };
    } else if (name && (name = strchr(name, ']'))) {
        code = number_behind(name, "Exit code:");
        rank = number_behind(name, "],");
        if (rank >= 0 && code >= 0)
            *death = (struct asy__death){ .rank = rank, .exit_code = code };
    } else if (strstr(text, "lost communication with a remote daemon")) {
        death->rank = -1; /* another node's part was first, and mpirun has ended the ranks here */
    }
}

void asy__death_read(struct asy__death *death, const char *log, int64_t from)
{
    char *text = calloc(1, LOG_BYTES + 1);
    int fd = open(log, O_RDONLY | O_CLOEXEC);
    struct stat st;

    if (text && fd >= 0 && fstat(fd, &st) == 0) {
        if (st.st_size - from > LOG_BYTES)
            from = st.st_size - LOG_BYTES;
        if (pread(fd, text, LOG_BYTES, from) > 0)
            asy__death_in_words(death, text);
    }
    if (fd >= 0)
        close(fd);
    free(text);
}
