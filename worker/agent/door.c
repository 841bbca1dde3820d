/* SPDX-License-Identifier: Apache-2.0
 * door.c - listening Unix sockets, one for each attempt or gang, in a folder that only this user
 * can enter.
 *
 * The path must fit sun_path (108 bytes), so the folder is made under $XDG_RUNTIME_DIR, or /tmp,
 * and never under $ASSAY_HOME, which may be long and on a network file system. */
#include "impl.h"
#include <asy/log.h>
#include <asy/proc.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <asy/durable.h>
#include <asy/parse.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 64
#define STRANGERS_MS 10000 /* between two lines about them */

/* A folder of ours that nobody else may enter. */
static int is_private(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() &&
           (st.st_mode & 077) == 0;
}

static int is_own(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid();
}

/* Folders "<prefix><pid>-…" of agents that are gone. */
static void remove_stale(const char *base, const char *prefix)
{
    struct dirent *entry;
    DIR *dir = opendir(base);

    while (dir && (entry = readdir(dir))) {
        const char *number = entry->d_name + strlen(prefix);
        char path[512];
        int64_t pid;

        if (strncmp(entry->d_name, prefix, strlen(prefix)) ||
            asy_parse_i64(number, strcspn(number, "-"), &pid, NULL) < 0 || pid <= 0 ||
            asy_proc_lives(pid))
            continue;
        snprintf(path, sizeof path, "%s/%s", base, entry->d_name);
        if (is_own(path))
            ASY_IGNORE(asy_durable_remove(path, NULL)); /* a few dead sockets: no harm */
    }
    if (dir)
        closedir(dir);
}

/* Where the folders stand; size: of the whole path. */
static const char *rundir_base(size_t size)
{
    const char *base = getenv("XDG_RUNTIME_DIR");

    return base && strlen(base) <= size - 40 && is_private(base) ? base : "/tmp";
}

static void rundir_prefix(char prefix[48])
{
    snprintf(prefix, 48, "assay-%u-", (unsigned)geteuid());
}

void asy__rundir_sweep(void)
{
    char prefix[48];

    rundir_prefix(prefix);
    remove_stale(rundir_base(sizeof ((struct asy__agent *)0)->rundir), prefix);
}

int asy__rundir_create(char *ret_path, size_t size, struct asy_error *err)
{
    const char *base = rundir_base(size);
    char prefix[48];
    int n;

    rundir_prefix(prefix);
    n = snprintf(ret_path, size, "%s/%s%d-XXXXXX", base, prefix, (int)getpid());
    if (n < 0 || (size_t)n >= size)
        return asy_fail(err, ASY_E_TOOBIG, "path of the socket folder is too long");
    if (!mkdtemp(ret_path)) {
        ret_path[0] = '\0';
        return asy_fail_errno(err, errno, "cannot make a socket folder in '%s'", base);
    }
    if (!is_private(ret_path))
        return asy_fail(err, ASY_E_DENIED, "socket folder '%s' is not private", ret_path);
    return 0;
}

void asy__rundir_remove(const char *path)
{
    if (*path)
        ASY_IGNORE(asy_durable_remove(path, NULL)); /* the next agent removes it */
}

int asy__door_open(struct asy__agent *agent, struct asy__door *door, struct asy_error *err)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    int fd, rc;

    snprintf(door->path, sizeof door->path, "%s/%u", agent->rundir, ++agent->serial);
    memcpy(addr.sun_path, door->path, sizeof addr.sun_path);
    if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) < 0)
        return asy_fail_errno(err, errno, "cannot make a socket");
    if (bind(fd, (const struct sockaddr *)&addr, sizeof addr) < 0 ||
        chmod(door->path, 0600) < 0 || listen(fd, BACKLOG) < 0) {
        rc = asy_fail_errno(err, errno, "cannot listen at '%s'", door->path);
        close(fd);
        return rc;
    }
    door->fd = fd;
    return 0;
}

void asy__door_close(struct asy__door *door)
{
    if (door->fd < 0)
        return;
    close(door->fd);
    unlink(door->path);
    door->fd = -1;
}

void asy__door_refused(struct asy__agent *agent, int fd, const char *why)
{
    struct asy__strangers *at = &agent->strangers;
    struct ucred peer = { 0 };
    socklen_t len = sizeof peer;

    ASY_IGNORE(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0); /* then it is pid 0 */
    at->n++;
    at->pid = peer.pid;
    at->uid = peer.uid;
    at->why = why;
}

void asy__door_tell(struct asy__agent *agent)
{
    struct asy__strangers *at = &agent->strangers;

    if (at->n == at->told || !asy_log_due(&at->told_ms, STRANGERS_MS))
        return;
    asy_warn("refused=%" PRIu64 " connections to the sockets in '%s', the last of pid %d, user %u: "
             "%s", at->n - at->told, agent->rundir, (int)at->pid, (unsigned)at->uid, at->why);
    at->told = at->n;
}

/* The folder keeps others out; this holds even where somebody has opened it. */
static int is_ours(int fd)
{
    struct ucred peer;
    socklen_t len = sizeof peer;

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && peer.uid == geteuid();
}

static void add_conn(struct asy__job *job, struct asy__gang *gang, int fd)
{
    struct asy__conn *conn = calloc(1, sizeof *conn);

    if (!conn || asy_line_create(fd, &conn->line, NULL) < 0) {
        free(conn);
        close(fd); /* the program sees the end of file and may try again */
        return;
    }
    conn->job = job;
    conn->gang = gang;
    conn->rank = -1;
    asy__list_add(job ? &job->conns : &gang->conns, &conn->node);
    job ? job->n_conns++ : gang->n_conns++;
}

int asy__door_next(struct asy__agent *agent, const struct asy__door *door)
{
    int fd;

    /* none: EAGAIN, or one that left again */
    while ((fd = accept4(door->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0 &&
           !is_ours(fd)) {
        asy__door_refused(agent, fd, "another user's process; 'chmod 700' the folder");
        close(fd);
    }
    return fd;
}

void asy__door_accept(struct asy__agent *agent, struct asy__door *door, struct asy__job *job,
                      struct asy__gang *gang)
{
    size_t max = ASY__CONNS_MAX + (gang ? gang->ranks : 0);
    int fd;

    while ((fd = asy__door_next(agent, door)) >= 0) {
        if ((job ? job->n_conns : gang->n_conns) >= max)
            close(fd);
        else
            add_conn(job, gang, fd);
    }
}
