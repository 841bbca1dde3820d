/* SPDX-License-Identifier: Apache-2.0
 * private.c - owner and mode are asked of the descriptor, never of the path: between a stat and an
 * open the file can be another one. New files are written whole under a name of their own and then
 * linked, which fails if somebody was faster; O_EXCL on the final name would show others a half
 * file. */
#include "private.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <asy/durable.h>
#include <asy/id.h>

static int check_file(int fd, const char *path, unsigned forbidden, size_t max,
                      struct asy_error *err)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return asy_fail_errno(err, errno, "cannot look at '%s'", path);
    if (!S_ISREG(st.st_mode))
        return asy_fail(err, ASY_E_DENIED, "cannot use '%s': not a regular file", path);
    if (st.st_uid != geteuid())
        return asy_fail(err, ASY_E_DENIED, "cannot use '%s': it belongs to user %u, not to %u",
                        path, (unsigned)st.st_uid, (unsigned)geteuid());
    if (st.st_mode & forbidden)
        return asy_fail(err, ASY_E_DENIED,
                        "cannot use '%s': others may %s it (mode %04o); mend it with: chmod %s %s",
                        path, forbidden & 044 ? "read or change" : "change",
                        (unsigned)st.st_mode & 07777, forbidden & 044 ? "600" : "go-w", path);
    if ((uint64_t)st.st_size > max)
        return asy_fail(err, ASY_E_TOOBIG, "cannot use '%s': %lld bytes, at most %zu are allowed",
                        path, (long long)st.st_size, max);
    return 0;
}

int asy__private_read(const char *path, unsigned forbidden, size_t max, char **ret_text,
                      size_t *ret_len, struct asy_error *err)
{
    /* O_NONBLOCK: a pipe in the file's place must not hold us. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), rc;
    char *text = NULL;
    size_t len = 0;
    ssize_t got = 1;

    if (fd < 0)
        return asy_fail_errno(err, errno, "cannot open '%s'", path);
    if ((rc = check_file(fd, path, forbidden, max, err)))
        goto out;
    if (!(text = malloc(max + 2))) {
        rc = asy_fail(err, ASY_E_NOMEM, "no memory to read '%s'", path);
        goto out;
    }
    while (got > 0 && len <= max) {
        got = read(fd, text + len, max + 1 - len);
        if (got < 0 && errno == EINTR)
            got = 1;
        else if (got > 0)
            len += (size_t)got;
    }
    if (got < 0)
        rc = asy_fail_errno(err, errno, "cannot read '%s'", path);
    else if (len > max)
        rc = asy_fail(err, ASY_E_TOOBIG, "cannot use '%s': more than %zu bytes", path, max);
    if (rc)
        goto out;
    text[len] = 0;
    *ret_text = text;
    *ret_len = len;
    text = NULL;
out:
    asy__wipe(text, len);
    close(fd);
    return rc;
}

void asy__wipe(char *text, size_t len)
{
    if (text)
        explicit_bzero(text, len);
    free(text);
}

/* The folder that path stands in. */
static int folder_of(const char *path, char ret[PATH_MAX], struct asy_error *err)
{
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) : 0;

    if (n >= PATH_MAX)
        return asy_fail(err, ASY_E_TOOBIG, "path of %zu characters is too long", strlen(path));
    if (!slash || n == 0) {
        ret[0] = slash ? '/' : '.';
        ret[1] = 0;
    } else {
        memcpy(ret, path, n);
        ret[n] = 0;
    }
    return 0;
}

/* A umask can only have taken bits away from 0600: nobody else can look meanwhile. */
static int write_0600(const char *path, const char *text, size_t len, struct asy_error *err)
{
    int rc = asy_durable_write(path, text, len, 0600, err);

    if (rc == 0 && chmod(path, 0600) < 0)
        rc = asy_fail_errno(err, errno, "cannot set the mode of '%s'", path);
    return rc;
}

int asy__private_write(const char *path, const char *text, size_t len, struct asy_error *err)
{
    char folder[PATH_MAX];
    int rc;

    if ((rc = folder_of(path, folder, err)) || (rc = asy_durable_mkdirs(folder, err)))
        return rc;
    return write_0600(path, text, len, err);
}

static int sync_folder(const char *folder, struct asy_error *err)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;

    if (fd < 0)
        return asy_fail_errno(err, errno, "cannot open '%s'", folder);
    if (fsync(fd) < 0 && errno != EINVAL)
        rc = asy_fail_errno(err, errno, "cannot sync '%s'", folder);
    close(fd);
    return rc;
}

int asy__private_create(const char *path, const char *text, size_t len, struct asy_error *err)
{
    char folder[PATH_MAX], fresh[PATH_MAX], id[ASY_ID_TEXT];
    int rc, n;

    if ((rc = folder_of(path, folder, err)))
        return rc;
    n = snprintf(fresh, sizeof fresh, "%s.%s", path, asy_id_format(asy_id_make(), id));
    if (n < 0 || (size_t)n >= sizeof fresh)
        return asy_fail(err, ASY_E_TOOBIG, "path of %zu characters is too long", strlen(path));
    if ((rc = asy__private_write(fresh, text, len, err)))
        goto out;
    if (link(fresh, path) < 0) {
        /* A file system without links: a rename, and then the later one of two wins. */
        if ((errno == EPERM || errno == EOPNOTSUPP) && access(path, F_OK) < 0)
            rc = asy_durable_move(fresh, path, err);
        else
            rc = asy_fail_errno(err, errno, "cannot create '%s'", path);
    }
out:
    unlink(fresh); /* may be gone already */
    return rc ? rc : sync_folder(folder, err);
}
