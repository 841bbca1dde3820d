/* SPDX-License-Identifier: Apache-2.0
 * filekit.h - bytes of NPY, NPZ and IDX files, made by hand as numpy and zip make them. */
#ifndef FILEKIT_H
#define FILEKIT_H
#include <stdint.h>
#include <zlib.h>
#include <asy/buf.h>
#include "asytest.h"

static inline void kit_le(struct asy_buf *buf, uint64_t value, size_t n)
{
    for (size_t i = 0; i < n; i++)
        asy_buf_addc(buf, (char)(value >> 8 * i & 0xff));
}

static inline void kit_be(struct asy_buf *buf, uint64_t value, size_t n)
{
    for (size_t i = n; i-- > 0;)
        asy_buf_addc(buf, (char)(value >> 8 * i & 0xff));
}

/* Version 1.0 with this dictionary, padded as numpy does, and the elements' bytes. */
static inline void kit_npy(struct asy_buf *buf, const char *dict, const void *bytes, size_t n)
{
    size_t len = strlen(dict), pad = 63 - (10 + len) % 64;

    asy_buf_add(buf, "\x93NUMPY\1\0", 8);
    kit_le(buf, len + pad + 1, 2);
    asy_buf_adds(buf, dict);
    for (size_t i = 0; i < pad; i++)
        asy_buf_addc(buf, ' ');
    asy_buf_addc(buf, '\n');
    asy_buf_add(buf, bytes, n);
}

/* {'descr': type, 'fortran_order': False, 'shape': (shape), } */
static inline void kit_array(struct asy_buf *buf, const char *type, const char *shape,
                             const void *bytes, size_t n)
{
    char dict[200];

    snprintf(dict, sizeof dict, "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", type,
             shape);
    kit_npy(buf, dict, bytes, n);
}

struct kit_zip {
    struct asy_buf bytes, directory;
    unsigned n;
};

static inline void kit_zip_init(struct kit_zip *zip)
{
    *zip = (struct kit_zip){ .n = 0 };
    asy_buf_init(&zip->bytes, 1u << 24);
    asy_buf_init(&zip->directory, 1u << 20);
}

static inline size_t kit_deflate(const struct asy_buf *member, char *out, size_t room)
{
    z_stream z = { .next_in = (unsigned char *)member->data, .avail_in = (uInt)member->len,
                   .next_out = (unsigned char *)out, .avail_out = (uInt)room };

    T_EQ("deflateInit", deflateInit2(&z, 6, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
    T_EQ("deflate", deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    return z.total_out;
}

/* method 0 or 8; wide: with 64-bit sizes in an extra field, in the directory too. */
static inline void kit_zip_add(struct kit_zip *zip, const char *name, const struct asy_buf *member,
                               unsigned method, int wide)
{
    static char packed[1u << 16];
    size_t n = method ? kit_deflate(member, packed, sizeof packed) : member->len;
    const char *bytes = method ? packed : member->data;
    uint64_t at = zip->bytes.len, crc = crc32_z(0, (const Bytef *)member->data, member->len);
    struct asy_buf *b = &zip->bytes;

    for (int central = 0; central < 2; central++, b = &zip->directory) {
        asy_buf_adds(b, central ? "PK\1\2" : "PK\3\4");
        kit_le(b, 45, central ? 4 : 2); /* versions */
        kit_le(b, 0, 2);                /* flags */
        kit_le(b, method, 2);
        kit_le(b, 0x00210000, 4); /* 1980-01-01 */
        kit_le(b, crc, 4);
        kit_le(b, wide ? UINT32_MAX : n, 4);
        kit_le(b, wide ? UINT32_MAX : member->len, 4);
        kit_le(b, strlen(name), 2);
        kit_le(b, wide ? 20 : 0, 2);
        if (central) {
            kit_le(b, 0, 4); /* comment, disk */
            kit_le(b, 0, 6); /* attributes */
            kit_le(b, at, 4);
        }
        asy_buf_adds(b, name);
        if (wide) {
            kit_le(b, 1, 2);
            kit_le(b, 16, 2);
            kit_le(b, member->len, 8);
            kit_le(b, n, 8);
        }
        if (!central)
            asy_buf_add(b, bytes, n);
    }
    zip->n++;
}

/* The directory and the end; wide: with a record of 64-bit numbers. What is in bytes is whole. */
static inline void kit_zip_end(struct kit_zip *zip, int wide)
{
    struct asy_buf *b = &zip->bytes;
    uint64_t at = b->len, n = zip->directory.len, record = at + n;

    asy_buf_add(b, zip->directory.data, n);
    if (wide) {
        asy_buf_adds(b, "PK\6\6");
        kit_le(b, 44, 8);
        kit_le(b, 45, 4);
        kit_le(b, 0, 8);
        kit_le(b, zip->n, 8);
        kit_le(b, zip->n, 8);
        kit_le(b, n, 8);
        kit_le(b, at, 8);
        asy_buf_adds(b, "PK\6\7");
        kit_le(b, 0, 4);
        kit_le(b, record, 8);
        kit_le(b, 1, 4);
    }
    asy_buf_adds(b, "PK\5\6");
    kit_le(b, 0, 4);
    kit_le(b, wide ? UINT16_MAX : zip->n, 2);
    kit_le(b, wide ? UINT16_MAX : zip->n, 2);
    kit_le(b, wide ? UINT32_MAX : n, 4);
    kit_le(b, wide ? UINT32_MAX : at, 4);
    kit_le(b, 0, 2);
}

static inline void kit_zip_fini(struct kit_zip *zip)
{
    asy_buf_fini(&zip->bytes);
    asy_buf_fini(&zip->directory);
}
#endif
