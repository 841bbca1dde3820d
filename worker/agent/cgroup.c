/* SPDX-License-Identifier: Apache-2.0
 * cgroup.c - groups of cgroup v2: a kill that no fork outruns, a limit for all processes together.
 *
 * Only what delegation allows: a group below our own. The memory controller is used where whoever
 * delegated switched it on for such groups; we do not (our own group holds processes, so the kernel
 * would refuse), and the supervisor then watches memory itself. */
#include "cgroup.h"
#include "tree.h"
#include <asy/attempt.h>
#include <asy/parse.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define GROUP "assay-"
#define PROBE GROUP "probe-"
#define REMOVE_TRIES 100
#define REMOVE_WAIT_MS 2

static int put(const char *folder, const char *name, const char *text)
{
    char path[PATH_MAX];
    int fd, rc;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    if ((fd = open(path, O_WRONLY | O_CLOEXEC)) < 0)
        return -1;
    rc = write(fd, text, strlen(text)) < 0 ? -1 : 0;
    close(fd);
    return rc;
}

static void name_group(struct asy__cgroup *group, const char *parent, pid_t supervisor)
{
    snprintf(group->path, sizeof group->path, "%s/" GROUP "%d", parent, (int)supervisor);
}

static int has(const char *folder, const char *name)
{
    char path[PATH_MAX];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return access(path, F_OK) == 0;
}

/* Where cgroup v2 is mounted: field 5 of the line whose type is cgroup2. */
static int mount_point(char *ret_path, size_t size)
{
    char line[4096];
    int found = -1;
    FILE *f = fopen("/proc/self/mountinfo", "re");

    while (f && found < 0 && fgets(line, sizeof line, f)) {
        char *type = strstr(line, " - cgroup2 "), *at = line;

        if (!type)
            continue;
        for (int field = 0; at && field < 4; field++)
            at = (at = strchr(at, ' ')) ? at + 1 : NULL;
        if (!at || strcspn(at, " ") >= size)
            continue;
        snprintf(ret_path, size, "%.*s", (int)strcspn(at, " "), at);
        found = 0;
    }
    if (f)
        fclose(f);
    return found;
}

void asy_attempt_cgroup(char *ret_path, size_t size)
{
    char mount[256], text[4096], own[700], probe[800];
    const char *line = text;

    ret_path[0] = '\0';
    if (mount_point(mount, sizeof mount) < 0 ||
        asy__read_small("/proc/self/cgroup", text, sizeof text) < 0)
        return;
    if (strncmp(line, "0::", 3) && !(line = strstr(text, "\n0::")))
        return;
    line += line[0] == '\n' ? 4 : 3;
    snprintf(own, sizeof own, "%s%.*s", mount, (int)strcspn(line, "\n"), line);
    if (own[strlen(own) - 1] == '/')
        own[strlen(own) - 1] = '\0';
    snprintf(probe, sizeof probe, "%s/" PROBE "%d", own, (int)getpid());
    if (strlen(own) >= size || mkdir(probe, 0755) < 0)
        return;
    if (has(probe, "cgroup.kill"))
        snprintf(ret_path, size, "%s", own);
    rmdir(probe);
}

/* One of this name is of a supervisor that had our number, and was killed with its agent: it goes
 * if nothing is left in it. */
static int make_group(const char *path)
{
    if (mkdir(path, 0755) == 0)
        return 0;
    return errno == EEXIST && rmdir(path) == 0 ? mkdir(path, 0755) : -1;
}

void asy__cgroup_create(struct asy__cgroup *group, const char *parent, uint64_t memory)
{
    char limit[32];

    memset(group, 0, sizeof *group);
    if (!parent || !*parent || strlen(parent) > sizeof group->path - 32)
        return;
    name_group(group, parent, getpid());
    if (make_group(group->path) < 0 || !has(group->path, "cgroup.kill")) {
        asy__cgroup_remove(group);
        return;
    }
    if (!memory || !has(group->path, "memory.max"))
        return;
    snprintf(limit, sizeof limit, "%llu", (unsigned long long)memory);
    group->has_memory = put(group->path, "memory.max", limit) == 0;
    put(group->path, "memory.oom.group", "1");
}

int asy__cgroup_join(const struct asy__cgroup *group, pid_t pid)
{
    char text[32];

    snprintf(text, sizeof text, "%d", (int)pid);
    return put(group->path, "cgroup.procs", text);
}

void asy__cgroup_kill(const struct asy__cgroup *group)
{
    if (group->path[0])
        put(group->path, "cgroup.kill", "1");
}

static uint64_t number(const char *text)
{
    uint64_t value;

    return asy_parse_u64(text, strcspn(text, " \n"), &value, NULL) < 0 ? 0 : value;
}

uint64_t asy__cgroup_oom_kills(const struct asy__cgroup *group)
{
    char path[600], text[1024];
    const char *at;

    snprintf(path, sizeof path, "%s/memory.events", group->path);
    if (!group->path[0] || asy__read_small(path, text, sizeof text) < 0 ||
        !(at = strstr(text, "oom_kill ")))
        return 0;
    return number(at + strlen("oom_kill "));
}

uint64_t asy__cgroup_peak(const struct asy__cgroup *group)
{
    char path[600], text[64];

    snprintf(path, sizeof path, "%s/memory.peak", group->path);
    if (!group->path[0] || asy__read_small(path, text, sizeof text) < 0)
        return 0;
    return number(text);
}

/* The kernel lets go of the dead a moment after they were reaped. */
static void remove_group(const char *path)
{
    for (int i = 0; i < REMOVE_TRIES && rmdir(path) < 0 && errno == EBUSY; i++)
        poll(NULL, 0, REMOVE_WAIT_MS);
}

void asy__cgroup_remove(struct asy__cgroup *group)
{
    if (group->path[0])
        remove_group(group->path);
    group->path[0] = '\0';
    group->has_memory = 0;
}

void asy__cgroup_abandoned(const char *parent, pid_t supervisor)
{
    struct asy__cgroup group = { 0 };

    if (strlen(parent) > sizeof group.path - 32)
        return;
    name_group(&group, parent, supervisor);
    asy__cgroup_kill(&group);
    remove_group(group.path);
}

/* Whose process a group of this name was made by; 0: it is none of ours. */
static pid_t maker(const char *name)
{
    size_t n = strlen(strncmp(name, PROBE, strlen(PROBE)) == 0 ? PROBE : GROUP);
    uint64_t pid;

    if (strncmp(name, GROUP, strlen(GROUP)) != 0 ||
        asy_parse_u64(name + n, strlen(name + n), &pid, NULL) < 0 || pid > INT_MAX)
        return 0;
    return (pid_t)pid;
}

/* A number that another process has by now keeps its group until it ends, too. The kernel removes
 * no group that has processes. */
void asy_attempt_tidy(const char *cgroup)
{
    DIR *dir = *cgroup ? opendir(cgroup) : NULL;
    struct dirent *entry;

    while (dir && (entry = readdir(dir))) {
        pid_t pid = maker(entry->d_name);

        if (pid > 0 && kill(pid, 0) < 0 && errno == ESRCH)
            ASY_IGNORE(unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR) < 0); /* or next time */
    }
    if (dir)
        closedir(dir);
}
