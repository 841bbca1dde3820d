/* SPDX-License-Identifier: Apache-2.0
 * scratch.c - a folder of its own for what Open MPI puts down for each gang: the ranks' shared
 * memory and its session.
 *
 * A rank that is killed leaves both behind, under names that say nothing of their owner, so nobody
 * could sweep /dev/shm without guessing. In a folder per gang all of it goes with the gang: by its
 * agent, by its supervisor if that is what is left, else by the next agent of this user. The lock
 * on an agent's folder tells the living from the dead, also across namespaces of processes. */
#include "impl.h"
#include <asy/durable.h>
#include <asy/log.h>
#include <asy/parse.h>
#include <asy/proc.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define BASE "/dev/shm" /* memory: what ranks hand each other shall never wait for a disk */

static void prefix_of_user(char prefix[48])
{
    snprintf(prefix, 48, "assay-%u-", (unsigned)geteuid());
}

static int lock(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/* One that nobody holds and whose maker is gone. */
static void remove_dead(const char *path, const char *pid_text)
{
    struct stat st;
    int64_t pid;
    int fd;

    if (asy_parse_i64(pid_text, strcspn(pid_text, "-"), &pid, NULL) < 0 || pid <= 0 ||
        asy_proc_lives(pid) || lstat(path, &st) < 0 || st.st_uid != geteuid() ||
        (fd = lock(path)) < 0)
        return;
    ASY_IGNORE(asy_durable_remove(path, NULL)); /* the next agent tries again */
    close(fd);
}

void asy__scratch_sweep(void)
{
    struct dirent *entry;
    DIR *dir = opendir(BASE);
    char prefix[48], path[512];

    prefix_of_user(prefix);
    while (dir && (entry = readdir(dir))) {
        if (strncmp(entry->d_name, prefix, strlen(prefix)))
            continue;
        snprintf(path, sizeof path, "%s/%s", BASE, entry->d_name);
        remove_dead(path, entry->d_name + strlen(prefix));
    }
    if (dir)
        closedir(dir);
}

static int open_own(struct asy__agent *agent, struct asy_error *err)
{
    char prefix[48];

    if (agent->scratch[0])
        return 0;
    prefix_of_user(prefix);
    snprintf(agent->scratch, sizeof agent->scratch, BASE "/%s%d-XXXXXX", prefix, (int)getpid());
    if (!mkdtemp(agent->scratch)) {
        int saved = errno;

        agent->scratch[0] = '\0';
        return asy_fail_errno(err, saved, "cannot make a folder in '%s' for the shared memory of "
                              "ranks", BASE);
    }
    agent->scratch_fd = lock(agent->scratch);
    return 0;
}

int asy__scratch_make(struct asy__agent *agent, unsigned serial, char **ret_path,
                      struct asy_error *err)
{
    char *path;
    int rc;

    if ((rc = open_own(agent, err)) < 0)
        return rc;
    if (!(path = asy__textf("%s/%u", agent->scratch, serial)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for paths");
    if (mkdir(path, 0700) < 0) {
        rc = asy_fail_errno(err, errno, "cannot make '%s' for the shared memory of ranks", path);
        free(path);
        return rc;
    }
    *ret_path = path;
    return 0;
}

void asy__scratch_close(struct asy__agent *agent)
{
    if (!agent->scratch[0])
        return;
    ASY_IGNORE(asy_durable_remove(agent->scratch, NULL)); /* else the next agent does */
    if (agent->scratch_fd >= 0)
        close(agent->scratch_fd);
    agent->scratch[0] = '\0';
}
