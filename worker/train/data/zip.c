/* SPDX-License-Identifier: Apache-2.0
 * zip.c - the directory of a zip archive (PKWARE's APPNOTE 6.3.9, sections 4.3 and 4.5.3), as far
 * as numpy's archives need it: stored or deflated members, one disk, no encryption, sizes beyond
 * 4 GiB. Sizes and places come from the directory; of the local header only its length counts. */
#include "stream.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "data.h"

#define END_LEN 22u      /* end of central directory, without its comment */
#define LOCATOR_LEN 20u  /* zip64: where the record is that has 64-bit numbers */
#define END64_LEN 56u
#define ENTRY_LEN 46u
#define LOCAL_LEN 30u
#define DIRECTORY_MAX (4u << 20)

static uint64_t number(const unsigned char *p, size_t n)
{
    uint64_t value = 0;

    while (n--)
        value = value << 8 | p[n];
    return value;
}

static int corrupt(struct asy_error *err, const char *what)
{
    return asy_fail(err, ASY_E_CORRUPT, "the zip archive is damaged: %s", what);
}

/* n bytes from a place, all of them. */
static int read_at(int fd, uint64_t file_size, uint64_t at, unsigned char *bytes, size_t n,
                   struct asy_error *err)
{
    size_t have = 0;

    if (at > file_size || n > file_size - at)
        return corrupt(err, "a part lies beyond its end");
    while (have < n) {
        ssize_t got = pread(fd, bytes + have, n - have, (off_t)(at + have));

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return asy_fail_errno(err, errno, "cannot be read");
        if (got == 0)
            return corrupt(err, "it is cut off");
        have += (size_t)got;
    }
    return 0;
}

struct directory {
    uint64_t at, size, n;
};

/* Where the record at the end begins; SIZE_MAX: nowhere. Its comment ends with the file. */
static size_t find_end(const unsigned char *tail, size_t n)
{
    for (size_t i = n < END_LEN ? 0 : n - END_LEN + 1; i-- > 0;)
        if (!memcmp(tail + i, "PK\5\6", 4) && number(tail + i + 20, 2) == n - END_LEN - i)
            return i;
    return SIZE_MAX;
}

/* The record at the end, and before it the one with 64-bit numbers where 32 do not do. */
static int find_directory(int fd, uint64_t file_size, struct directory *ret, struct asy_error *err)
{
    size_t n = file_size < END_LEN + 65535 ? (size_t)file_size : END_LEN + 65535, i;
    unsigned char *tail = malloc(n + 1), record[END64_LEN];
    int rc = 0;

    if (!tail)
        return asy_fail(err, ASY_E_NOMEM, "no memory to read an archive");
    if ((rc = read_at(fd, file_size, file_size - n, tail, n, err)) < 0)
        goto out;
    if ((i = find_end(tail, n)) == SIZE_MAX) {
        rc = corrupt(err, "it has no directory; was it cut off?");
        goto out;
    }
    *ret = (struct directory){ number(tail + i + 16, 4), number(tail + i + 12, 4),
                               number(tail + i + 10, 2) };
    if (ret->at != UINT32_MAX && ret->size != UINT32_MAX && ret->n != UINT16_MAX)
        goto out;
    if (i < LOCATOR_LEN || memcmp(tail + i - LOCATOR_LEN, "PK\6\7", 4) != 0)
        goto out; /* the numbers stand for themselves */
    rc = read_at(fd, file_size, number(tail + i - LOCATOR_LEN + 8, 8), record, END64_LEN, err);
    if (rc == 0 && memcmp(record, "PK\6\6", 4) != 0)
        rc = corrupt(err, "the end of its directory cannot be used");
    if (rc == 0)
        *ret = (struct directory){ number(record + 48, 8), number(record + 40, 8),
                                   number(record + 32, 8) };
out:
    free(tail);
    return rc;
}

/* The extra field with 64-bit numbers has those that are all ones in the entry, in this order. */
static int widen(const unsigned char *extra, size_t n, struct asy__zip_entry *entry,
                 struct asy_error *err)
{
    uint64_t *const wide[] = { &entry->size, &entry->packed, &entry->offset };

    while (n >= 4) {
        size_t len = number(extra + 2, 2), at = 4;

        if (len > n - 4)
            return corrupt(err, "an extra field is too long");
        for (size_t i = 0; i < ASY_ARRAY_LEN(wide) && number(extra, 2) == 1; i++) {
            if (*wide[i] != UINT32_MAX)
                continue;
            if (at + 8 > 4 + len)
                return corrupt(err, "a 64-bit number is missing");
            *wide[i] = number(extra + at, 8);
            at += 8;
        }
        extra += 4 + len;
        n -= 4 + len;
    }
    return 0;
}

static int read_entry(const unsigned char *p, size_t n, struct asy__zip_entry *ret, size_t *ret_len,
                      struct asy_error *err)
{
    size_t name_len, extra_len;
    unsigned flags;

    if (n < ENTRY_LEN || memcmp(p, "PK\1\2", 4) != 0)
        return corrupt(err, "an entry of its directory cannot be used");
    flags = (unsigned)number(p + 8, 2);
    name_len = number(p + 28, 2);
    extra_len = number(p + 30, 2);
    *ret_len = ENTRY_LEN + name_len + extra_len + number(p + 32, 2);
    if (*ret_len > n)
        return corrupt(err, "an entry of its directory is cut off");
    if (!name_len || memchr(p + ENTRY_LEN, 0, name_len) ||
        !asy__utf8_text((const char *)p + ENTRY_LEN, name_len))
        return corrupt(err, "a member's name is not UTF-8");
    if (!(ret->name = strndup((const char *)p + ENTRY_LEN, name_len)))
        return asy_fail(err, ASY_E_NOMEM, "no memory to read an archive");
    ret->method = (unsigned)number(p + 10, 2);
    ret->crc = (uint32_t)number(p + 16, 4);
    ret->packed = number(p + 20, 4);
    ret->size = number(p + 24, 4);
    ret->offset = number(p + 42, 4);
    if (flags & 1)
        return asy_fail(err, ASY_E_UNSUPPORTED, "member '%.60s' is encrypted", ret->name);
    if (ret->method != 0 && ret->method != 8)
        return asy_fail(err, ASY_E_UNSUPPORTED, "member '%.60s' is packed by method %u; stored and "
                        "deflated ones are read", ret->name, ret->method);
    return widen(p + ENTRY_LEN + name_len, extra_len, ret, err);
}

static int read_directory(int fd, uint64_t file_size, struct asy__zip_entry **ret_list,
                          size_t *ret_n, struct asy_error *err)
{
    struct directory d = { 0 };
    struct asy__zip_entry *list = NULL;
    unsigned char *bytes = NULL;
    size_t at = 0, len, n = 0;
    int rc;

    if ((rc = find_directory(fd, file_size, &d, err)) < 0)
        return rc;
    if (d.n > ASY__ZIP_MEMBERS_MAX || d.size > DIRECTORY_MAX)
        return asy_fail(err, ASY_E_TOOBIG, "the zip archive has more than %u members",
                        ASY__ZIP_MEMBERS_MAX);
    if (!(bytes = malloc((size_t)d.size + 1)) || !(list = calloc((size_t)d.n + 1, sizeof *list)))
        rc = asy_fail(err, ASY_E_NOMEM, "no memory to read an archive");
    else
        rc = read_at(fd, file_size, d.at, bytes, (size_t)d.size, err);
    for (; rc == 0 && n < d.n; at += len, n++) {
        len = 0;
        if ((rc = read_entry(bytes + at, (size_t)d.size - at, &list[n], &len, err)) < 0)
            break;
    }
    free(bytes);
    if (rc < 0) {
        asy__zip_list_fini(list, (size_t)d.n);
        return rc;
    }
    *ret_list = list;
    *ret_n = (size_t)d.n;
    return 0;
}

int asy__zip_list(const char *path, struct asy__zip_entry **ret_list, size_t *ret_n,
                  struct asy_error *err)
{
    uint64_t size;
    int fd, rc;

    if ((rc = asy__file_open(path, &fd, &size, err)) < 0)
        return rc;
    if ((rc = read_directory(fd, size, ret_list, ret_n, err)) < 0)
        asy_error_prefix(err, "'%s'", path);
    close(fd);
    return rc;
}

void asy__zip_list_fini(struct asy__zip_entry *list, size_t n)
{
    for (size_t i = 0; i < n && list; i++)
        free(list[i].name);
    free(list);
}

int asy__zip_data(int fd, uint64_t file_size, const struct asy__zip_entry *entry, uint64_t *ret_at,
                  struct asy_error *err)
{
    unsigned char local[LOCAL_LEN];
    uint64_t at;
    int rc;

    if ((rc = read_at(fd, file_size, entry->offset, local, sizeof local, err)) < 0)
        return rc;
    if (memcmp(local, "PK\3\4", 4) != 0)
        return corrupt(err, "a member does not lie where its directory says");
    at = entry->offset + LOCAL_LEN + number(local + 26, 2) + number(local + 28, 2);
    if (at > file_size || entry->packed > file_size - at)
        return corrupt(err, "a member lies beyond its end");
    *ret_at = at;
    return 0;
}
