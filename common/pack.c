/* SPDX-License-Identifier: Apache-2.0
 * pack.c - folder trees as streams. The offsets of all files are known beforehand, so a read finds
 * its file by bisection and opens it; nothing is written down. tar was the other way: its headers
 * have owners, times and modes, which differ between equal trees, and a stream that differs cannot
 * be resumed. */
#include <asy/pack.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <asy/durable.h>

#define HEADER_MAX (PATH_MAX + 32)

struct part {
    uint64_t at, size; /* of its header in the stream; of its content */
    size_t n_header;
    char *path;        /* relative, borrowed from files */
};
struct asy_pack {
    char *root;
    char **files;      /* of a tree; owns the paths */
    struct part *parts;
    size_t n, open;    /* open: whose content fd is */
    uint64_t size;
    int tree, fd;
};

static size_t header_of(const struct part *part, char text[HEADER_MAX])
{
    int n = snprintf(text, HEADER_MAX, "%llu %s\n", (unsigned long long)part->size, part->path);

    return (size_t)n;
}

static int join(const char *root, const char *path, char ret[PATH_MAX], struct asy_error *err)
{
    if (snprintf(ret, PATH_MAX, "%s/%s", root, path) >= PATH_MAX)
        return asy_fail(err, ASY_E_TOOBIG, "path '%.100s/%.100s' is too long", root, path);
    return 0;
}

static int measure(struct asy_pack *pack, struct asy_error *err)
{
    char full[PATH_MAX], header[HEADER_MAX];
    struct stat st;
    int rc;

    if (!(pack->parts = calloc(pack->n + 1, sizeof *pack->parts)))
        return asy_fail(err, ASY_E_NOMEM, "no memory to list '%s'", pack->root);
    for (size_t i = 0; i < pack->n; i++) {
        struct part *part = &pack->parts[i];

        if ((rc = join(pack->root, pack->files[i], full, err)) < 0)
            return rc;
        if (lstat(full, &st) < 0)
            return asy_fail_errno(err, errno, "cannot look at '%s'", full);
        *part = (struct part){ .at = pack->size, .size = (uint64_t)st.st_size,
                               .path = pack->files[i] };
        part->n_header = header_of(part, header);
        pack->size += part->n_header + part->size;
    }
    return 0;
}

int asy_pack_open(const char *path, struct asy_pack **ret_pack, struct asy_error *err)
{
    struct asy_pack *pack = calloc(1, sizeof *pack);
    struct stat st;
    int rc = ASY_E_NOMEM;

    if (!pack || !(pack->root = strdup(path))) {
        free(pack);
        return asy_fail(err, ASY_E_NOMEM, "no memory to read '%s'", path);
    }
    pack->fd = -1;
    if (lstat(path, &st) < 0) {
        rc = asy_fail_errno(err, errno, "cannot open '%s'", path);
    } else if (S_ISDIR(st.st_mode)) {
        pack->tree = 1;
        rc = asy_durable_tree_files(path, &pack->files, &pack->n, err);
        rc = rc < 0 ? rc : measure(pack, err);
    } else if (!S_ISREG(st.st_mode)) {
        rc = asy_fail(err, ASY_E_INVAL, "'%s' is neither a file nor a folder", path);
    } else if ((pack->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)) < 0) {
        rc = asy_fail_errno(err, errno, "cannot open '%s'", path);
    } else {
        pack->size = (uint64_t)st.st_size;
        rc = 0;
    }
    if (rc < 0)
        asy_pack_close(pack);
    else
        *ret_pack = pack;
    return rc;
}

void asy_pack_close(struct asy_pack *pack)
{
    int saved = errno;

    if (!pack)
        return;
    if (pack->fd >= 0)
        close(pack->fd);
    free(pack->parts);
    free(pack->files);
    free(pack->root);
    free(pack);
    errno = saved;
}

uint64_t asy_pack_size(const struct asy_pack *pack)
{
    return pack->size;
}

int asy_pack_is_tree(const struct asy_pack *pack)
{
    return pack->tree;
}

static int read_at(const struct asy_pack *pack, uint64_t offset, void *bytes, size_t n,
                   size_t *ret_n, struct asy_error *err)
{
    ssize_t got;

    do
        got = pread(pack->fd, bytes, n, (off_t)offset);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return asy_fail_errno(err, errno, "cannot read '%s'", pack->root);
    if (got == 0)
        return asy_fail(err, ASY_E_CORRUPT, "'%s' has become shorter while it was read",
                        pack->root);
    *ret_n = (size_t)got;
    return 0;
}

static int open_part(struct asy_pack *pack, size_t i, struct asy_error *err)
{
    char full[PATH_MAX];
    int rc;

    if (pack->fd >= 0 && pack->open == i)
        return 0;
    if (pack->fd >= 0)
        close(pack->fd);
    pack->fd = -1;
    if ((rc = join(pack->root, pack->parts[i].path, full, err)) < 0)
        return rc;
    if ((pack->fd = open(full, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)) < 0)
        return asy_fail_errno(err, errno, "cannot open '%s'", full);
    pack->open = i;
    return 0;
}

/* The part that holds this offset. */
static size_t find(const struct asy_pack *pack, uint64_t offset)
{
    size_t lo = 0, hi = pack->n;

    while (hi - lo > 1) {
        size_t mid = lo + (hi - lo) / 2;

        if (pack->parts[mid].at <= offset)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

/* From one header or one content. */
static int read_part(struct asy_pack *pack, uint64_t offset, void *bytes, size_t n, size_t *ret_n,
                     struct asy_error *err)
{
    size_t i = find(pack, offset);
    const struct part *part = &pack->parts[i];
    uint64_t in = offset - part->at;
    char header[HEADER_MAX];
    int rc;

    if (in < part->n_header) {
        header_of(part, header);
        *ret_n = part->n_header - in < n ? part->n_header - (size_t)in : n;
        memcpy(bytes, header + in, *ret_n);
        return 0;
    }
    in -= part->n_header;
    if (n > part->size - in)
        n = (size_t)(part->size - in);
    if ((rc = open_part(pack, i, err)) < 0)
        return rc;
    return read_at(pack, in, bytes, n, ret_n, err);
}

int asy_pack_read(struct asy_pack *pack, uint64_t offset, void *bytes, size_t n, size_t *ret_n,
                  struct asy_error *err)
{
    size_t got = 0;

    if (offset > pack->size)
        return asy_fail(err, ASY_E_INVAL, "'%s' ends before byte %llu", pack->root,
                        (unsigned long long)offset);
    if (n > pack->size - offset)
        n = (size_t)(pack->size - offset);
    while (got < n) {
        size_t more;
        char *to = (char *)bytes + got;
        int rc = pack->tree ? read_part(pack, offset + got, to, n - got, &more, err)
                            : read_at(pack, offset + got, to, n - got, &more, err);

        if (rc < 0)
            return rc;
        got += more;
    }
    *ret_n = got;
    return 0;
}
