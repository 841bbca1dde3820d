/* SPDX-License-Identifier: Apache-2.0
 * stream.c - zlib does the reading of whole files, plain ones too; a member of an archive is
 * inflated piece by piece from its place, so that many may be read side by side and none is ever
 * in memory as a whole. */
#include "stream.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A FIFO must not hang us. */
static int open_path(const char *path)
{
    int fd;

    if (strcmp(path, "-") != 0)
        return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if ((fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)) >= 0 && lseek(fd, 0, SEEK_SET) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

int asy__file_open(const char *path, int *ret_fd, uint64_t *ret_size, struct asy_error *err)
{
    struct stat st;
    int fd = open_path(path);

    if (fd < 0)
        return asy_fail_errno(err, errno, "cannot open '%s'", path);
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return asy_fail(err, ASY_E_INVAL, "cannot read '%s': not a file", path);
    }
    *ret_fd = fd;
    *ret_size = (uint64_t)st.st_size;
    return 0;
}

int asy__stream_open(const char *path, struct asy__stream *ret, struct asy_error *err)
{
    uint64_t size;
    gzFile gz;
    int fd, rc;

    if ((rc = asy__file_open(path, &fd, &size, err)) < 0)
        return rc;
    if (!(gz = gzdopen(fd, "rb"))) {
        close(fd);
        return asy_fail(err, ASY_E_NOMEM, "no memory to read '%s'", path);
    }
    gzbuffer(gz, ASY__PIECE); /* if not, it has its usual one */
    *ret = (struct asy__stream){ .gz = gz, .fd = -1 };
    return 0;
}

int asy__stream_is_plain(const struct asy__stream *stream)
{
    return stream->gz && gzdirect(stream->gz);
}

int asy__stream_open_member(const char *path, const struct asy__zip_entry *entry,
                            struct asy__stream *ret, struct asy_error *err)
{
    struct asy__stream s = { .fd = -1, .entry = entry, .packed_left = entry->packed };
    uint64_t size;
    int rc;

    if ((rc = asy__file_open(path, &s.fd, &size, err)) < 0)
        return rc;
    rc = asy__zip_data(s.fd, size, entry, &s.at, err);
    if (rc == 0 && (!(s.piece = malloc(ASY__PIECE)) || !(s.z = calloc(1, sizeof *s.z)) ||
                    (entry->method == 8 && inflateInit2(s.z, -MAX_WBITS) != Z_OK)))
        rc = asy_fail(err, ASY_E_NOMEM, "no memory to unpack '%.60s'", entry->name);
    if (rc < 0) {
        asy_error_prefix(err, "'%s'", path);
        asy__stream_close(&s);
        return rc;
    }
    s.inflating = entry->method == 8;
    *ret = s;
    return 0;
}

void asy__stream_close(struct asy__stream *stream)
{
    if (stream->gz)
        gzclose(stream->gz);
    else if (stream->entry && stream->fd >= 0)
        close(stream->fd);
    if (stream->inflating)
        inflateEnd(stream->z);
    free(stream->z);
    free(stream->piece);
    *stream = (struct asy__stream){ .fd = -1 };
}

static int read_gz(struct asy__stream *s, char *bytes, size_t n, size_t *ret_n,
                   struct asy_error *err)
{
    const char *text, *why;
    int code = Z_OK, got;

    for (*ret_n = 0; *ret_n < n; *ret_n += (size_t)got) {
        size_t want = n - *ret_n < (1u << 30) ? n - *ret_n : 1u << 30;

        if ((got = gzread(s->gz, bytes + *ret_n, (unsigned)want)) <= 0)
            break;
    }
    if (*ret_n == n)
        return 0;
    text = gzerror(s->gz, &code);
    why = strstr(text, ": ");
    if (code == Z_OK || code == Z_STREAM_END)
        return 0;
    return asy_fail(err, ASY_E_CORRUPT, "cannot be read: %s",
                    code == Z_BUF_ERROR ? "the gzip data is cut off" : why ? why + 2 : text);
}

/* Packed bytes of a member, at most ASY__PIECE. */
static int next_piece(struct asy__stream *s, size_t *ret_n, struct asy_error *err)
{
    size_t want = s->packed_left < ASY__PIECE ? (size_t)s->packed_left : ASY__PIECE;
    ssize_t got;

    do
        got = want ? pread(s->fd, s->piece, want, (off_t)s->at) : 0;
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return asy_fail_errno(err, errno, "cannot be read");
    s->at += (uint64_t)got;
    s->packed_left -= (uint64_t)got;
    *ret_n = (size_t)got;
    return 0;
}

/* Up to *n bytes; *n becomes how many there were, 0 at the end. */
static int unpack(struct asy__stream *s, unsigned char *bytes, size_t *n, struct asy_error *err)
{
    size_t room = *n, got = 0;
    int rc, code = Z_OK;

    s->z->next_out = bytes;
    s->z->avail_out = room < (1u << 30) ? (uInt)room : 1u << 30;
    room = s->z->avail_out;
    while (s->z->avail_out == room && !s->at_end) {
        if (s->z->avail_in == 0) {
            if ((rc = next_piece(s, &got, err)) < 0)
                return rc;
            s->z->next_in = s->piece;
            s->z->avail_in = (uInt)got;
            if (!got)
                break;
        }
        if (s->inflating) {
            code = inflate(s->z, Z_NO_FLUSH);
            s->at_end = code == Z_STREAM_END;
            if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR)
                return asy_fail(err, ASY_E_CORRUPT, "'%.60s' is damaged: %s", s->entry->name,
                                s->z->msg ? s->z->msg : "it cannot be unpacked");
        } else {
            got = s->z->avail_in < room ? s->z->avail_in : room;
            memcpy(bytes, s->z->next_in, got);
            s->z->next_in += got;
            s->z->avail_in -= (uInt)got;
            s->z->avail_out -= (uInt)got;
        }
    }
    *n = room - s->z->avail_out;
    return 0;
}

static int read_member(struct asy__stream *s, unsigned char *bytes, size_t n, size_t *ret_n,
                       struct asy_error *err)
{
    size_t got = 1;
    int rc;

    for (*ret_n = 0; *ret_n < n && got; *ret_n += got) {
        got = n - *ret_n;
        if ((rc = unpack(s, bytes + *ret_n, &got, err)) < 0)
            return rc;
        s->crc = (uint32_t)crc32_z(s->crc, bytes + *ret_n, got);
        s->read += got;
    }
    if (*ret_n == n)
        return 0;
    if (s->read != s->entry->size)
        return asy_fail(err, ASY_E_CORRUPT, "'%.60s' has %llu bytes, the archive says %llu",
                        s->entry->name, (unsigned long long)s->read,
                        (unsigned long long)s->entry->size);
    if (s->crc != s->entry->crc)
        return asy_fail(err, ASY_E_CORRUPT, "'%.60s' is damaged: its checksum is another",
                        s->entry->name);
    return 0;
}

int asy__stream_read(struct asy__stream *stream, void *bytes, size_t n, size_t *ret_n,
                     struct asy_error *err)
{
    int rc;

    if (!stream->gz)
        return read_member(stream, bytes, n, ret_n, err);
    if ((rc = read_gz(stream, bytes, n, ret_n, err)) < 0)
        return rc;
    stream->crc = (uint32_t)crc32_z(stream->crc, bytes, *ret_n);
    stream->read += *ret_n;
    return 0;
}
