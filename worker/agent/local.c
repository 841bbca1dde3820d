/* SPDX-License-Identifier: Apache-2.0
 * local.c - the agent's own folder, in which its attempts work.
 *
 *   home/work/<host>.<pid>                      as a rule
 *   FOLDER/assay-work-<uid>/<host>.<pid>        on a disk of this node: setting worker_scratch, or
 *                                               by itself in a batch job whose home is shared
 *
 * What programs write while they work stays on the node then; logs, and what becomes an artifact,
 * go to the home all the same. The cache is in it too, so that nothing is left on a node that
 * belongs to others when the job is over.
 *
 * Such a disk may be everybody's, so the folder is ours alone, or it is not used. A lock on it
 * tells the living from the dead, also across namespaces of processes; the dead ones' go with the
 * next agent of this user. */
#include "impl.h"
#include "copy.h"
#include <asy/durable.h>
#include <asy/fs.h>
#include <asy/log.h>
#include <asy/parse.h>
#include <asy/proc.h>
#include <asy/told.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define ENOUGH_BYTES ((uint64_t)4 << 30) /* free on a disk that nobody has named */

/* ---- the folders of the dead ----------------------------------------------------------------- */

/* A lock that is not to be had because of a file system without any keeps nobody out. */
static int lock(const char *path, int *ret_held)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    *ret_held = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;
    return fd;
}

static void remove_dead(const char *base, const char *name, const char *pid_text)
{
    int64_t pid;
    char *path;
    int fd, held;

    if (asy_parse_i64(pid_text, strlen(pid_text), &pid, NULL) < 0 || pid <= 0 ||
        asy_proc_lives(pid) || !(path = asy__textf("%s/%s", base, name)))
        return;
    fd = lock(path, &held);
    if (!held)
        ASY_IGNORE(asy_durable_remove(path, NULL)); /* the next agent tries again */
    if (fd >= 0)
        close(fd);
    free(path);
}

static void sweep(const struct asy__agent *agent, const char *base)
{
    size_t n = strlen(agent->node->host);
    struct dirent *entry;
    DIR *dir = opendir(base);

    while (dir && (entry = readdir(dir)))
        if (!strncmp(entry->d_name, agent->node->host, n) && entry->d_name[n] == '.')
            remove_dead(base, entry->d_name, entry->d_name + n + 1);
    if (dir)
        closedir(dir);
}

/* ---- a disk of this node --------------------------------------------------------------------- */

/* In FOLDER, where anybody may have made one before. */
static int make_base(const char *folder, char **ret_base, struct asy_error *err)
{
    char *base = asy__textf("%s/assay-work-%u", folder, (unsigned)geteuid());
    struct stat st;
    int rc = 0;

    if (!base)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a path");
    if (mkdir(base, 0700) < 0 && errno != EEXIST)
        rc = asy_fail_errno(err, errno, "cannot make the folder '%s'", base);
    else if (lstat(base, &st) < 0)
        rc = asy_fail_errno(err, errno, "cannot find '%s'", base);
    else if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077))
        rc = asy_fail(err, ASY_E_STATE, "'%s' is not a folder that is this user's alone", base);
    if (rc < 0)
        free(base);
    else
        *ret_base = base;
    return rc;
}

static int open_in(struct asy__agent *agent, const char *folder, struct asy_error *err)
{
    char *base = NULL, *work = NULL;
    int rc, held;

    if ((rc = make_base(folder, &base, err)) < 0)
        return rc;
    sweep(agent, base);
    if (!(work = asy__textf("%s/%s.%d", base, agent->node->host, (int)getpid())))
        rc = asy_fail(err, ASY_E_NOMEM, "no memory for a path");
    else if ((rc = asy__mkdirs(work, err)) == 0) {
        agent->work_fd = lock(work, &held);
        agent->work = work;
        work = NULL;
    }
    free(base);
    free(work);
    return rc;
}

/* Named by nobody: it must be worth it. Memory would be taken from the trials, and files of theirs
 * are run. */
static int is_good_disk(const char *folder)
{
    struct statvfs space;
    int network = 1;
    char fs[32];

    return folder && folder[0] == '/' && asy_fs_of(folder, fs, &network, NULL) == 0 && !network &&
           strcmp(fs, "tmpfs") != 0 && strcmp(fs, "ramfs") != 0 && statvfs(folder, &space) == 0 &&
           !(space.f_flag & ST_NOEXEC) &&
           (uint64_t)space.f_bavail * space.f_frsize >= ENOUGH_BYTES;
}

static int home_is_far(const struct asy__agent *agent)
{
    int network = 0;
    char fs[32];

    if (!asy_in_batch_job() || !strcmp(agent->options.shared_home, "no"))
        return 0;
    return !strcmp(agent->options.shared_home, "yes") ||
           (asy_fs_of(agent->home, fs, &network, NULL) == 0 && network);
}

static void open_by_itself(struct asy__agent *agent)
{
    const char *const folders[] = { getenv("SLURM_TMPDIR"), getenv("TMPDIR"), "/tmp" };

    for (size_t i = 0; i < ASY_ARRAY_LEN(folders) && !agent->work && home_is_far(agent); i++) {
        struct asy_error err = ASY_ERROR_INIT;

        if (is_good_disk(folders[i]) && open_in(agent, folders[i], &err) < 0)
            asy_warn("%s, looking for another place to work in", err.text);
    }
}

/* ---- the agent's own ------------------------------------------------------------------------- */

int asy__local_open(struct asy__agent *agent, struct asy_error *err)
{
    const char *wanted = agent->options.scratch;
    char *base = asy__textf("%s/work", agent->home);
    int rc = 0;

    if (!base)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a path");
    sweep(agent, base);
    if (!strcmp(wanted, "auto"))
        open_by_itself(agent);
    else if (strcmp(wanted, "home") != 0)
        rc = wanted[0] == '/' ? open_in(agent, wanted, err)
                              : asy_fail(err, ASY_E_INVAL, "'%.80s' is neither auto nor home nor a "
                                         "whole path", wanted);
    if (rc < 0)
        asy_error_prefix(err, "setting worker_scratch");
    agent->own_disk = agent->work != NULL;
    if (agent->own_disk)
        asy_info("attempts work in '%s'", agent->work);
    else if (rc == 0 && /* made when it is needed: the disk may be full now */
             !(agent->work = asy__textf("%s/%s.%d", base, agent->node->host, (int)getpid())))
        rc = asy_fail(err, ASY_E_NOMEM, "no memory for a path");
    free(base);
    return rc;
}

void asy__local_close(struct asy__agent *agent)
{
    char *slash;

    if (!agent->work)
        return;
    if (!agent->own_disk) {
        rmdir(agent->work); /* empty, unless something could not be removed */
    } else {
        ASY_IGNORE(asy_durable_remove(agent->work, NULL)); /* else the next agent does */
        if ((slash = strrchr(agent->work, '/')))
            *slash = '\0';
        rmdir(agent->work); /* others of this user's may be in it */
    }
    if (agent->work_fd >= 0)
        close(agent->work_fd);
    free(agent->work);
    agent->work = NULL;
}
