/* SPDX-License-Identifier: Apache-2.0
 * unpack.c - the stream of a folder (asy/pack.h) made a folder again, piece by piece, and its
 * content id on the way: whoever has other things to do can do them in between, and the disk never
 * gets much at once. Reading what was written once more for its id was the other way. */
#include <asy/pack.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <asy/parse.h>

#define HEADER_MAX (PATH_MAX + 32)
#define COPY ((size_t)64 << 10)
#define SYNC ((uint64_t)512 << 10) /* bytes of a file that the disk gets at once */
#define FILE_COST 4096u            /* a new file counts for so much of a piece */

struct asy_unpack {
    FILE *in;
    char to[PATH_MAX], full[PATH_MAX], last[PATH_MAX];
    int fd;                        /* of the file in hand; -1: none */
    uint64_t left, unsynced;       /* bytes of it */
    struct asy_sha_state *file, *tree;
    struct asy_sha sha;            /* of the whole, at the end */
    char bytes[COPY];
};

/* Below the folder, whatever stands in it. */
static int path_is_safe(const char *path)
{
    const char *part = path;

    if (!*path || *path == '/')
        return 0;
    for (;;) {
        size_t n = strcspn(part, "/");

        if (n == 0 || (n == 1 && part[0] == '.') || (n == 2 && !strncmp(part, "..", 2)))
            return 0;
        if (!part[n])
            return 1;
        part += n + 1;
    }
}

static int make_parents(char *full, size_t from, struct asy_error *err)
{
    int rc = 0;

    for (char *at = full + from; rc == 0 && (at = strchr(at, '/')); at++) {
        *at = '\0';
        if (mkdir(full, 0700) < 0 && errno != EEXIST)
            rc = asy_fail_errno(err, errno, "cannot make the folder '%s'", full);
        *at = '/';
    }
    return rc;
}

int asy_unpack_open(const char *stream, const char *to, struct asy_unpack **ret_unpack,
                    struct asy_error *err)
{
    struct asy_unpack *u = calloc(1, sizeof *u);
    int rc;

    if (!u)
        return asy_fail(err, ASY_E_NOMEM, "no memory to unpack '%s'", stream);
    u->fd = -1;
    if (snprintf(u->to, sizeof u->to, "%s", to) >= (int)sizeof u->to)
        rc = asy_fail(err, ASY_E_TOOBIG, "path '%.100s' is too long", to);
    else if (!(u->in = fopen(stream, "re")))
        rc = asy_fail_errno(err, errno, "cannot open '%s'", stream);
    else if (mkdir(to, 0700) < 0)
        rc = asy_fail_errno(err, errno, "cannot make the folder '%s'", to);
    else
        rc = asy_sha_create(&u->tree, err);
    if (rc < 0)
        asy_unpack_close(u);
    else
        *ret_unpack = u;
    return rc;
}

void asy_unpack_close(struct asy_unpack *u)
{
    int saved = errno;

    if (!u)
        return;
    if (u->fd >= 0)
        close(u->fd);
    if (u->in)
        fclose(u->in);
    asy_sha_destroy(u->file);
    asy_sha_destroy(u->tree);
    free(u);
    errno = saved;
}

/* ---- one file -------------------------------------------------------------------------------- */

/* Its size and where its path begins in the header. */
static int parse_header(struct asy_unpack *u, char *header, const char **ret_path,
                        struct asy_error *err)
{
    char *space = strchr(header, ' '), *end = strchr(header, '\n');

    if (!space || !end || asy_parse_u64(header, (size_t)(space - header), &u->left, NULL) < 0)
        return asy_fail(err, ASY_E_FORMAT, "the stream of a folder is damaged");
    *end = '\0';
    *ret_path = space + 1;
    if (!path_is_safe(space + 1))
        return asy_fail(err, ASY_E_FORMAT, "the stream of a folder has the path '%.100s'",
                        space + 1);
    if (strcmp(u->last, space + 1) >= 0)
        return asy_fail(err, ASY_E_FORMAT, "the stream of a folder has '%.100s' out of its order",
                        space + 1);
    return 0;
}

/* 1: it is open; 0: there is none. */
static int next_file(struct asy_unpack *u, struct asy_error *err)
{
    char header[HEADER_MAX];
    const char *path = NULL;
    int rc;

    if (!fgets(header, sizeof header, u->in))
        return ferror(u->in) ? asy_fail_errno(err, EIO, "cannot read the stream of '%s'", u->to)
                             : 0;
    if ((rc = parse_header(u, header, &path, err)) < 0)
        return rc;
    if (snprintf(u->full, sizeof u->full, "%s/%s", u->to, path) >= (int)sizeof u->full)
        return asy_fail(err, ASY_E_TOOBIG, "path '%.100s/%.100s' is too long", u->to, path);
    snprintf(u->last, sizeof u->last, "%s", path);
    if ((rc = make_parents(u->full, strlen(u->to) + 1, err)) < 0 ||
        (rc = asy_sha_create(&u->file, err)) < 0)
        return rc;
    if ((u->fd = open(u->full, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600)) < 0)
        return asy_fail_errno(err, errno, "cannot make '%s'", u->full);
    u->unsynced = 0;
    return 1;
}

static int end_file(struct asy_unpack *u, struct asy_error *err)
{
    struct asy_sha sha = asy_sha_final(u->file);
    char hex[ASY_SHA_TEXT];
    int fd = u->fd;

    asy_sha_destroy(u->file);
    u->file = NULL;
    u->fd = -1;
    asy_sha_update(u->tree, asy_sha_format(sha, hex), ASY_SHA_TEXT - 1);
    asy_sha_update(u->tree, "  ", 2);
    asy_sha_update(u->tree, u->last, strlen(u->last));
    asy_sha_update(u->tree, "\n", 1);
    return close(fd) < 0 ? asy_fail_errno(err, errno, "cannot write '%s'", u->full) : 0;
}

static int write_all(const struct asy_unpack *u, size_t n, struct asy_error *err)
{
    for (size_t at = 0; at < n;) {
        ssize_t wrote = write(u->fd, u->bytes + at, n - at);

        if (wrote < 0 && errno != EINTR)
            return asy_fail_errno(err, errno, "cannot write '%s'", u->full);
        at += wrote > 0 ? (size_t)wrote : 0;
    }
    return 0;
}

/* Up to n bytes of the file in hand; *ret_n: so many. */
static int copy_on(struct asy_unpack *u, size_t n, size_t *ret_n, struct asy_error *err)
{
    size_t most = n < COPY ? n : COPY;
    size_t got = fread(u->bytes, 1, u->left < most ? (size_t)u->left : most, u->in);
    int rc;

    if (got == 0)
        return asy_fail(err, ASY_E_FORMAT, "the stream of a folder ends within '%s'", u->full);
    if ((rc = write_all(u, got, err)) < 0)
        return rc;
    asy_sha_update(u->file, u->bytes, got);
    u->left -= got;
    u->unsynced += got;
    *ret_n = got;
    if (u->unsynced < SYNC)
        return 0;
    u->unsynced = 0;
    return fdatasync(u->fd) < 0 ? asy_fail_errno(err, errno, "cannot sync '%s'", u->full) : 0;
}

/* ---- all of it ------------------------------------------------------------------------------- */

int asy_unpack_step(struct asy_unpack *u, size_t n, struct asy_error *err)
{
    for (size_t done = 0; done < n;) {
        size_t got = FILE_COST;
        int rc;

        if (u->fd < 0 && (rc = next_file(u, err)) <= 0) {
            if (rc == 0)
                u->sha = asy_sha_final(u->tree);
            return rc;
        }
        if (u->left > 0 && (rc = copy_on(u, n - done, &got, err)) < 0)
            return rc;
        if (u->left == 0 && (rc = end_file(u, err)) < 0)
            return rc;
        done += got;
    }
    return 1;
}

struct asy_sha asy_unpack_sha(const struct asy_unpack *u)
{
    return u->sha;
}

int asy_pack_unpack(const char *stream, const char *to, struct asy_sha *ret_sha,
                    struct asy_error *err)
{
    struct asy_unpack *u = NULL;
    int rc = asy_unpack_open(stream, to, &u, err);

    while (rc >= 0 && (rc = asy_unpack_step(u, SIZE_MAX, err)) > 0)
        ;
    if (rc == 0)
        *ret_sha = asy_unpack_sha(u);
    asy_unpack_close(u);
    return rc;
}
