/* SPDX-License-Identifier: Apache-2.0
 * copy.c - folders and copies of the study's files. */
#include "copy.h"
#include "impl.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH_MAX 32
#define PIECE ((size_t)8 << 20)

/* Whoever made it: a job of the same study may be doing so now. */
static int make_folder(const char *path, struct asy_error *err)
{
    struct stat st;

    if (mkdir(path, 0700) == 0)
        return 0;
    if (errno != EEXIST)
        return asy_fail_errno(err, errno, "cannot make the folder '%s'", path);
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return 0;
    return asy_fail(err, ASY_E_EXISTS, "cannot make the folder '%s': a file has this name", path);
}

int asy__mkdirs(const char *path, struct asy_error *err)
{
    char *copy = strdup(path);
    int rc = 0;

    if (!copy)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a path");
    for (char *at = copy + 1; rc == 0; at++) {
        char here = *at;

        if (here && here != '/')
            continue;
        *at = '\0';
        rc = make_folder(copy, err);
        *at = here;
        if (!here)
            break;
    }
    free(copy);
    return rc;
}

static int spend(uint64_t *budget, ssize_t n, const char *from, struct asy_error *err)
{
    if ((uint64_t)n > *budget)
        return asy_fail(err, ASY_E_TOOBIG, "'files' have more than this worker copies, at "
                        "'%.160s'; give it a larger 'files_limit'", from);
    *budget -= (uint64_t)n;
    return 0;
}

/* What the kernel copies by itself, which shares blocks where the file system can; the rest is left
 * to copy_bytes(). */
static int copy_inside(int in, int out, uint64_t *budget, const char *from, struct asy_error *err)
{
    ssize_t n;
    int rc = 0;

    while (rc == 0 && (n = copy_file_range(in, NULL, out, NULL, PIECE, 0)) > 0)
        rc = spend(budget, n, from, err);
    return rc;
}

static int copy_bytes(int in, int out, uint64_t *budget, const char *from, struct asy_error *err)
{
    char bytes[65536];
    ssize_t n;
    int rc;

    if ((rc = copy_inside(in, out, budget, from, err)) < 0)
        return rc;
    while ((n = read(in, bytes, sizeof bytes)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return asy_fail_errno(err, errno, "cannot read '%s'", from);
        if ((rc = spend(budget, n, from, err)) < 0)
            return rc;
        for (ssize_t at = 0; at < n;) {
            ssize_t wrote = write(out, bytes + at, (size_t)(n - at));

            if (wrote < 0 && errno != EINTR)
                return asy_fail_errno(err, errno, "cannot copy '%s'", from);
            at += wrote > 0 ? wrote : 0;
        }
    }
    return 0;
}

static int copy_file(const char *from, const char *to, mode_t mode, uint64_t *budget,
                     struct asy_error *err)
{
    int in = open(from, O_RDONLY | O_CLOEXEC), out = -1, rc;

    if (in < 0)
        return asy_fail_errno(err, errno, "cannot open '%s'", from);
    if ((out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600 | (mode & 0100))) < 0) {
        rc = asy_fail_errno(err, errno, "cannot make '%s'", to);
        goto out;
    }
    rc = copy_bytes(in, out, budget, from, err);
    if (close(out) < 0 && rc == 0)
        rc = asy_fail_errno(err, errno, "cannot write '%s'", to);
out:
    close(in);
    return rc;
}

static int copy_any(const char *from, const char *to, unsigned depth, uint64_t *budget,
                    struct asy_error *err);

static int copy_folder(const char *from, const char *to, unsigned depth, uint64_t *budget,
                       struct asy_error *err)
{
    struct dirent *entry;
    DIR *dir = NULL;
    int rc;

    if ((rc = asy__mkdirs(to, err)) < 0)
        return rc;
    if (!(dir = opendir(from)))
        return asy_fail_errno(err, errno, "cannot open '%s'", from);
    while (rc == 0 && (errno = 0, entry = readdir(dir))) {
        char *a, *b;

        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        a = asy__textf("%s/%s", from, entry->d_name);
        b = asy__textf("%s/%s", to, entry->d_name);
        rc = a && b ? copy_any(a, b, depth + 1, budget, err)
                    : asy_fail(err, ASY_E_NOMEM, "no memory for a path");
        free(a);
        free(b);
    }
    if (rc == 0 && errno)
        rc = asy_fail_errno(err, errno, "cannot list '%s'", from);
    closedir(dir);
    return rc;
}

static int copy_any(const char *from, const char *to, unsigned depth, uint64_t *budget,
                    struct asy_error *err)
{
    struct stat st;

    if (depth > DEPTH_MAX)
        return asy_fail(err, ASY_E_TOOBIG, "'files' are nested too deep at '%s'", from);
    if (stat(from, &st) < 0)
        return asy_fail_errno(err, errno, "cannot copy '%s'", from);
    if (S_ISREG(st.st_mode))
        return copy_file(from, to, st.st_mode, budget, err);
    if (S_ISDIR(st.st_mode))
        return copy_folder(from, to, depth, budget, err);
    return asy_fail(err, ASY_E_INVAL, "'%s' is neither a file nor a folder", from);
}

static int make_parent(const char *to, struct asy_error *err)
{
    char *parent = strdup(to), *slash;
    int rc = 0;

    if (!parent)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a path");
    if ((slash = strrchr(parent, '/')) && slash != parent) {
        *slash = '\0';
        rc = asy__mkdirs(parent, err);
    }
    free(parent);
    return rc;
}

int asy__copy(const char *from, const char *to, uint64_t *budget, struct asy_error *err)
{
    int rc = make_parent(to, err);

    return rc < 0 ? rc : copy_any(from, to, 0, budget, err);
}

int asy__copy_file(const char *from, const char *to, mode_t mode, uint64_t *budget,
                   struct asy_error *err)
{
    int rc = make_parent(to, err);

    return rc < 0 ? rc : copy_file(from, to, mode, budget, err);
}

static int protect(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void)where;
    if (type == FTW_F && chmod(path, st->st_mode & 0500) < 0)
        return 0; /* a safeguard against accidents, nothing depends on it */
    return 0;
}

void asy__write_protect(const char *path)
{
    ASY_IGNORE(nftw(path, protect, 16, FTW_PHYS) < 0); /* as above */
}
