/* SPDX-License-Identifier: Apache-2.0
 * tree.c - finding and ending all descendants of a process.
 *
 * Sessions and process groups say nothing here: users' programs and mpirun make their own.
 * Parentage does, because the supervisor is a child subreaper: an orphan becomes its child, never
 * init's. The walk follows /proc/<pid>/task/<tid>/children, whose cost is that of the tree; a
 * kernel without those files is served by one pass over all processes' parents. */
#include "tree.h"
#include <asy/attempt.h>
#include <asy/parse.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

ssize_t asy__read_small(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0)
        return -1;
    n = read(fd, text, size - 1);
    close(fd);
    if (n < 0)
        return -1;
    text[n] = '\0';
    return n;
}

void asy__tree_fini(struct asy__tree *tree)
{
    free(tree->pids);
    memset(tree, 0, sizeof *tree);
}

static int add(struct asy__tree *tree, pid_t pid, const pid_t *keep, size_t n_keep)
{
    for (size_t i = 0; i < n_keep; i++)
        if (keep[i] == pid)
            return 0;
    if (tree->n == ASY__TREE_MAX)
        return 0; /* the rest comes in the caller's next round */
    if (tree->n == tree->cap) {
        size_t cap = tree->cap ? 2 * tree->cap : 64;
        pid_t *pids = realloc(tree->pids, cap * sizeof *pids);

        if (!pids)
            return ASY_E_NOMEM;
        tree->pids = pids;
        tree->cap = cap;
    }
    tree->pids[tree->n++] = pid;
    return 0;
}

static int parse_pid(const char *text, size_t len, pid_t *ret_pid)
{
    int64_t value;

    if (asy_parse_i64(text, len, &value, NULL) < 0 || value <= 0 || value > INT32_MAX)
        return -1;
    *ret_pid = (pid_t)value;
    return 0;
}

/* Adds the children of one thread, from an open file of numbers separated by spaces. */
static int add_children(struct asy__tree *tree, int fd, const pid_t *keep, size_t n_keep)
{
    char text[4096];
    size_t have = 0;
    ssize_t n;
    int rc = 0;

    while (rc == 0 && (n = read(fd, text + have, sizeof text - have)) > 0) {
        size_t from = 0, end = have + (size_t)n;

        for (size_t i = have; i < end; i++) {
            pid_t pid;

            if (text[i] != ' ')
                continue;
            if (i > from && parse_pid(text + from, i - from, &pid) == 0)
                rc = add(tree, pid, keep, n_keep);
            from = i + 1;
        }
        have = end - from;
        memmove(text, text + from, have);
        if (have == sizeof text)
            break; /* not a list of numbers */
    }
    return rc;
}

/* Children of all threads of a process. 1: the kernel has no such files. */
static int walk(struct asy__tree *tree, pid_t pid, const pid_t *keep, size_t n_keep)
{
    char path[300];
    struct dirent *entry;
    int rc = 0;
    DIR *dir;

    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    if (!(dir = opendir(path)))
        return 0; /* gone: its children are somebody else's now */
    while (rc == 0 && (entry = readdir(dir))) {
        int fd;

        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "/proc/%d/task/%s/children", (int)pid, entry->d_name);
        if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0) {
            if (errno == ENOENT && pid == getpid())
                rc = 1;
            continue;
        }
        rc = add_children(tree, fd, keep, n_keep);
        close(fd);
    }
    closedir(dir);
    return rc;
}

struct pair {
    pid_t pid, parent;
};

static int read_parent(const char *name, struct pair *ret_pair)
{
    char path[300], text[512], *end;

    if (parse_pid(name, strlen(name), &ret_pair->pid) < 0)
        return -1;
    snprintf(path, sizeof path, "/proc/%s/stat", name);
    if (asy__read_small(path, text, sizeof text) < 0 || !(end = strrchr(text, ')')) ||
        strlen(end) < 5)
        return -1;
    end += 4; /* ") S " */
    return parse_pid(end, strcspn(end, " "), &ret_pair->parent);
}

/* One pass over /proc, for kernels without the children files. */
static int scan(pid_t root, const pid_t *keep, size_t n_keep, struct asy__tree *tree)
{
    struct pair *pairs = NULL;
    size_t n = 0, cap = 0, done = 0;
    struct dirent *entry;
    pid_t parent = root;
    int rc = 0;
    DIR *dir = opendir("/proc");

    while (dir && (entry = readdir(dir))) {
        if (n == cap) {
            struct pair *more = realloc(pairs, (cap = cap ? 2 * cap : 1024) * sizeof *more);

            if (!more) {
                rc = ASY_E_NOMEM;
                break;
            }
            pairs = more;
        }
        n += read_parent(entry->d_name, &pairs[n]) == 0;
    }
    while (rc == 0) {
        for (size_t i = 0; rc == 0 && i < n; i++)
            if (pairs[i].parent == parent)
                rc = add(tree, pairs[i].pid, keep, n_keep);
        if (done == tree->n)
            break;
        parent = tree->pids[done++];
    }
    if (dir)
        closedir(dir);
    free(pairs);
    return rc;
}

int asy__tree_list(pid_t root, const pid_t *keep, size_t n_keep, struct asy__tree *ret_tree)
{
    struct asy__tree tree = { 0 };
    pid_t pid = root;
    size_t done = 0;
    int rc;

    for (;;) {
        if ((rc = walk(&tree, pid, keep, n_keep)) != 0 || done == tree.n)
            break;
        pid = tree.pids[done++];
    }
    if (rc == 1) {
        tree.n = 0;
        rc = scan(root, keep, n_keep, &tree);
    }
    if (rc < 0) {
        asy__tree_fini(&tree);
        return rc;
    }
    *ret_tree = tree;
    return 0;
}

void asy__tree_signal(const struct asy__tree *tree, int signum)
{
    for (size_t i = 0; i < tree->n; i++)
        kill(tree->pids[i], signum); /* ESRCH: it has ended meanwhile */
}

/* Adds what a line of /proc says, "KEY: 123 kB", in bytes; 0: there is no such line. */
static int add_line(const char *text, const char *key, uint64_t *sum)
{
    const char *at = strstr(text, key);
    uint64_t kib;

    if (!at)
        return 0;
    at += strlen(key);
    at += strspn(at, " \t");
    if (asy_parse_u64(at, strcspn(at, " \n"), &kib, NULL) < 0)
        return 0;
    *sum += kib << 10;
    return 1;
}

/* All that a process has, shared or not: quickly. */
static uint64_t most(pid_t pid)
{
    char path[64], text[4096];
    uint64_t sum = 0;

    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    if (asy__read_small(path, text, sizeof text) < 0)
        return 0;
    ASY_IGNORE(add_line(text, "\nRssAnon:", &sum)); /* a kernel's thread has none */
    ASY_IGNORE(add_line(text, "\nRssShmem:", &sum));
    return sum;
}

/* Its part of that: pages that several processes have are divided among them. The kernel looks at
 * every page for that. Where it does not say, all counts. */
static uint64_t proportional(pid_t pid)
{
    char path[64], text[4096];
    uint64_t sum = 0;

    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
    if (asy__read_small(path, text, sizeof text) < 0 || !add_line(text, "\nPss_Anon:", &sum) ||
        !add_line(text, "\nPss_Shmem:", &sum))
        return most(pid);
    return sum;
}

uint64_t asy__tree_memory(const struct asy__tree *tree, uint64_t enough)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < tree->n; i++)
        sum += most(tree->pids[i]);
    if (sum <= enough)
        return sum;
    sum = 0;
    for (size_t i = 0; i < tree->n; i++)
        sum += proportional(tree->pids[i]);
    return sum;
}

unsigned asy_attempt_sweep(const pid_t *keep, size_t n_keep)
{
    struct asy__tree tree = { 0 };
    unsigned n;

    if (asy__tree_list(getpid(), keep, n_keep, &tree) < 0)
        return 0;
    asy__tree_signal(&tree, SIGKILL);
    for (size_t i = 0; i < tree.n; i++)
        waitpid(tree.pids[i], NULL, WNOHANG); /* grandchildren are not ours to reap: yet */
    n = (unsigned)tree.n;
    asy__tree_fini(&tree);
    return n;
}
