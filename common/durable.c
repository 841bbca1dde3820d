/* SPDX-License-Identifier: Apache-2.0
 * durable.c - single files that survive a power loss. A file is written under a temporary name
 * beside its target (".tmp-<id>", which a later start may remove), synced, renamed, and the folder
 * synced: whoever looks sees the old file or the whole new one.
 *
 * An fsync that failed is never tried again: the kernel may have dropped the dirty pages, and the
 * second call would succeed without them. */
#include <asy/durable.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <asy/buf.h>
#include <asy/id.h>
#include "durable.h"

static int real_open(const char *path, int flags, mode_t mode)
{
    return open(path, flags, mode);
}

static const struct asy_durable_ops real_ops = {
    .open = real_open,
    .write = write,
    .fsync = fsync,
    .close = close,
    .rename = rename,
    .unlink = unlink,
    .mkdir = mkdir,
};
static const struct asy_durable_ops *ops = &real_ops;

void asy_durable_set_ops(const struct asy_durable_ops *new_ops)
{
    ops = new_ops ? new_ops : &real_ops;
}

const struct asy_durable_ops *asy__durable_ops(void)
{
    return ops;
}

/* Length of the folder part of path, without the slash that ends it unless it is the root; 0 if
 * there is none. Slashes at the end of path do not count. */
static size_t parent_len(const char *path)
{
    size_t n = strlen(path);

    while (n > 1 && path[n - 1] == '/')
        n--;
    while (n > 0 && path[n - 1] != '/')
        n--;
    while (n > 1 && path[n - 1] == '/')
        n--;
    return n;
}

int asy__parent_of(const char *path, char ret[PATH_MAX], struct asy_error *err)
{
    size_t n = parent_len(path);

    if (n + 64 > PATH_MAX)
        return asy_fail(err, ASY_E_TOOBIG, "path of %zu characters is too long", strlen(path));
    memcpy(ret, n ? path : ".", n ? n : 1);
    ret[n ? n : 1] = 0;
    return 0;
}

int asy_durable_sync_open(int fd)
{
    int rc;

    do
        rc = ops->fsync(fd);
    while (rc < 0 && errno == EINTR);
    return rc;
}

int asy__sync(const char *path, int flag, struct asy_error *err)
{
    int fd = ops->open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | flag, 0), rc = 0;

    if (fd < 0)
        return asy_fail_errno(err, errno, "cannot open '%s'", path);
    /* EINVAL for a folder: this file system has no such thing and syncs names by itself. */
    if (asy_durable_sync_open(fd) < 0 && !(errno == EINVAL && flag & O_DIRECTORY))
        rc = asy_fail_errno(err, errno, "cannot sync '%s'", path);
    ops->close(fd);
    return rc;
}

int asy__sync_parent(const char *path, struct asy_error *err)
{
    char folder[PATH_MAX];
    int rc = asy__parent_of(path, folder, err);

    return rc ? rc : asy__sync(folder, O_DIRECTORY, err);
}

/* Makes one folder whose parent is there. */
static int make_folder(const char *path, struct asy_error *err)
{
    struct stat st;

    if (ops->mkdir(path, 0700) == 0)
        return asy__sync_parent(path, err);
    if (errno != EEXIST)
        return asy_fail_errno(err, errno, "cannot make folder '%s'", path);
    if (stat(path, &st) < 0)
        return asy_fail_errno(err, errno, "cannot look at '%s'", path);
    if (!S_ISDIR(st.st_mode))
        return asy_fail(err, ASY_E_EXISTS, "cannot make folder '%s': a file has this name", path);
    return 0;
}

int asy_durable_mkdirs(const char *path, struct asy_error *err)
{
    char part[PATH_MAX];
    size_t n = strlen(path);
    struct stat st;
    int rc;

    if (n == 0)
        return asy_fail(err, ASY_E_INVAL, "cannot make a folder without a name");
    if (n >= sizeof part)
        return asy_fail(err, ASY_E_TOOBIG, "path of %zu characters is too long", n);
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return 0; /* also where we may not touch the folders above */
    memcpy(part, path, n + 1);
    for (size_t i = 1; i < n; i++) {
        if (path[i] != '/' || path[i - 1] == '/')
            continue;
        part[i] = 0;
        if ((rc = make_folder(part, err)))
            return rc;
        part[i] = '/';
    }
    return path[n - 1] == '/' ? 0 : make_folder(part, err);
}

static int write_all(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t got = ops->write(fd, bytes, n);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            if (got == 0)
                errno = EIO;
            return -1;
        }
        bytes += got;
        n -= (size_t)got;
    }
    return 0;
}

/* A new, synced file at temp. On failure it is gone. */
static int write_temp(const char *temp, const char *path, const void *bytes, size_t n, mode_t mode,
                      struct asy_error *err)
{
    int fd = ops->open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode), rc = 0;

    if (fd < 0)
        return asy_fail_errno(err, errno, "cannot create a file for '%s'", path);
    if (write_all(fd, bytes, n) < 0)
        rc = asy_fail_errno(err, errno, "cannot write '%s'", path);
    else if (asy_durable_sync_open(fd) < 0)
        rc = asy_fail_errno(err, errno, "cannot sync '%s'", path);
    if (ops->close(fd) < 0 && rc == 0) /* network file systems report a full quota here */
        rc = asy_fail_errno(err, errno, "cannot write '%s'", path);
    if (rc)
        ops->unlink(temp);
    return rc;
}

int asy_durable_write(const char *path, const void *bytes, size_t n, mode_t mode,
                      struct asy_error *err)
{
    char temp[PATH_MAX], id[ASY_ID_TEXT];
    size_t used;
    int rc;

    if ((rc = asy__parent_of(path, temp, err)))
        return rc;
    used = strlen(temp);
    snprintf(temp + used, sizeof temp - used, "/.tmp-%s", asy_id_format(asy_id_make(), id));
    if ((rc = write_temp(temp, path, bytes, n, mode, err)))
        return rc;
    if (ops->rename(temp, path) < 0) {
        rc = asy_fail_errno(err, errno, "cannot replace '%s'", path);
        ops->unlink(temp);
        return rc;
    }
    return asy__sync_parent(path, err);
}

int asy_durable_move(const char *from, const char *path, struct asy_error *err)
{
    struct stat st;
    int rc;

    if (lstat(from, &st) < 0)
        return asy_fail_errno(err, errno, "cannot move '%s'", from);
    if (!S_ISREG(st.st_mode))
        return asy_fail(err, ASY_E_INVAL, "cannot move '%s': not a regular file", from);
    if ((rc = asy__sync(from, 0, err)))
        return rc;
    if (ops->rename(from, path) < 0)
        return asy_fail_errno(err, errno, "cannot move '%s' to '%s'", from, path);
    return asy__sync_parent(path, err);
}

int asy_read_file(const char *path, size_t max, char **ret_bytes, size_t *ret_len,
                  struct asy_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY), rc = 0;
    struct asy_buf buf;
    char chunk[16384];
    char *bytes;
    ssize_t n;

    asy_buf_init(&buf, max);
    if (fd < 0)
        return asy_fail_errno(err, errno, "cannot open '%s'", path);
    while ((n = read(fd, chunk, sizeof chunk)) != 0 && buf.rc == 0) {
        if (n > 0)
            asy_buf_add(&buf, chunk, (size_t)n);
        else if (errno != EINTR) {
            rc = asy_fail_errno(err, errno, "cannot read '%s'", path);
            goto out;
        }
    }
    bytes = buf.rc ? NULL : asy_buf_take(&buf, ret_len);
    if (buf.rc == ASY_E_TOOBIG)
        rc = asy_fail(err, ASY_E_TOOBIG, "'%s' has more than %zu bytes", path, max);
    else if (!bytes)
        rc = asy_fail(err, ASY_E_NOMEM, "no memory to read '%s'", path);
    else
        *ret_bytes = bytes;
out:
    close(fd);
    asy_buf_fini(&buf);
    return rc;
}
