/* SPDX-License-Identifier: Apache-2.0
 * stream.h - the bytes of a data file in order: of a whole file, gunzipped if it is a gzip file, or
 * of a member of a zip archive.
 *
 * Ownership: open/close. Threads: one owner. */
#ifndef ASY__STREAM_H
#define ASY__STREAM_H
#include <stdint.h>
#include <sys/types.h>
#include <zlib.h>
#include <asy/error.h>

#define ASY__PIECE (64u << 10) /* bytes read at once */

/* A member as the archive's directory has it. */
struct asy__zip_entry {
    char *name;
    uint64_t offset;       /* of its local header */
    uint64_t packed, size; /* bytes in the archive, and unpacked */
    uint32_t crc;          /* of the unpacked bytes */
    unsigned method;       /* 0: stored, 8: deflated */
};

struct asy__stream {
    gzFile gz;     /* a whole file; NULL: a member */
    uint32_t crc;  /* of all bytes read so far */
    uint64_t read; /* how many */
    int fd;        /* of the archive, ours */
    const struct asy__zip_entry *entry; /* borrowed */
    uint64_t at, packed_left; /* next byte of the archive, and how many are the member's */
    z_stream *z;              /* its input is what is left of the piece; must not move */
    int inflating, at_end;
    unsigned char *piece;     /* [ASY__PIECE] */
};

/* "-" is standard input, from its start; it must be a file, too. Returns the file and its size. */
ASY_MUST_CHECK int asy__file_open(const char *path, int *ret_fd, uint64_t *ret_size,
                                  struct asy_error *err);
ASY_MUST_CHECK int asy__stream_open(const char *path, struct asy__stream *ret,
                                    struct asy_error *err);
ASY_MUST_CHECK int asy__stream_open_member(const char *path, const struct asy__zip_entry *entry,
                                           struct asy__stream *ret, struct asy_error *err);
/* Up to n bytes: fewer only at the end. At the end of a member its length and checksum have been
 * compared. Failures do not name the file, unlike those of the others. */
ASY_MUST_CHECK int asy__stream_read(struct asy__stream *stream, void *bytes, size_t n,
                                    size_t *ret_n, struct asy_error *err);
void asy__stream_close(struct asy__stream *stream); /* zeroed memory is fine too */
/* Whether a whole file's bytes stand in it as they are. */
int asy__stream_is_plain(const struct asy__stream *stream);

#define ASY__ZIP_MEMBERS_MAX 1024u
/* The members of an archive in its directory's order. The caller frees the list with fini. */
ASY_MUST_CHECK int asy__zip_list(const char *path, struct asy__zip_entry **ret_list, size_t *ret_n,
                                 struct asy_error *err);
void asy__zip_list_fini(struct asy__zip_entry *list, size_t n);
/* Where a member's bytes begin, which its local header says. */
ASY_MUST_CHECK int asy__zip_data(int fd, uint64_t file_size, const struct asy__zip_entry *entry,
                                 uint64_t *ret_at, struct asy_error *err);
#endif
