/* SPDX-License-Identifier: Apache-2.0
 * pages.c - the file's blocks are taken before it is mapped: a full disk is an error then, and not
 * a signal in the middle of writing. */
#include "pages.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define BEHIND 4096 /* bytes that may be read behind the file's */

/* The file's pages go over the first of some empty ones. */
static int map(int fd, size_t len, int protection, struct asy__pages *ret, struct asy_error *err)
{
    void *at;

    if (len > SIZE_MAX - BEHIND)
        return asy_fail(err, ASY_E_TOOBIG, "a file of %zu bytes is too large", len);
    at = mmap(NULL, len + BEHIND, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED)
        return asy_fail(err, ASY_E_NOMEM, "no room for %zu bytes", len);
    if (mmap(at, len, protection, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED) {
        int why = errno;

        munmap(at, len + BEHIND);
        return asy_fail_errno(err, why, "cannot map %zu bytes", len);
    }
    *ret = (struct asy__pages){ at, len };
    return 0;
}

int asy__pages_make(const char *folder, const char *name, size_t len, struct asy__pages *ret,
                    struct asy_error *err)
{
    char *path = NULL;
    int fd = -1, rc, why;

    if (asprintf(&path, "%s/%s", folder, name ? name : ".cells-XXXXXX") < 0)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a path");
    fd = name ? open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : mkostemp(path, O_CLOEXEC);
    if (fd < 0)
        rc = asy_fail_errno(err, errno, "cannot make '%s'", path);
    else if ((why = posix_fallocate(fd, 0, (off_t)len)) != 0)
        rc = asy_fail_errno(err, why, "'%s': no room for %zu bytes", path, len);
    else
        rc = map(fd, len, PROT_READ | PROT_WRITE, ret, err);
    if (fd >= 0 && (!name || rc < 0))
        unlink(path);
    if (fd >= 0)
        close(fd);
    free(path);
    return rc;
}

int asy__pages_open(const char *path, size_t len, struct asy__pages *ret, struct asy_error *err)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC), rc;

    if (fd < 0)
        return asy_fail_errno(err, errno, "cannot open '%s'", path);
    if (fstat(fd, &st) < 0 || (uint64_t)st.st_size != len)
        rc = asy_fail(err, ASY_E_CORRUPT, "'%s' is not of %zu bytes", path, len);
    else
        rc = map(fd, len, PROT_READ, ret, err);
    close(fd);
    return rc;
}

void asy__pages_close(struct asy__pages *pages)
{
    if (pages->at)
        munmap(pages->at, pages->len + BEHIND);
    *pages = (struct asy__pages){ 0 };
}

void asy__npy_head(char head[ASY__NPY_HEAD], const char *type, size_t rows, size_t columns)
{
    char shape[64], dict[ASY__NPY_HEAD];
    size_t n = ASY__NPY_HEAD - 10;

    if (columns)
        snprintf(shape, sizeof shape, "%zu, %zu", rows, columns);
    else
        snprintf(shape, sizeof shape, "%zu,", rows);
    snprintf(dict, sizeof dict, "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", type,
             shape);
    memset(head, ' ', ASY__NPY_HEAD);
    memcpy(head, "\x93NUMPY\1\0", 8);
    head[8] = (char)n;
    head[9] = (char)(n >> 8);
    memcpy(head + 10, dict, strlen(dict));
    head[ASY__NPY_HEAD - 1] = '\n';
}
