/* SPDX-License-Identifier: Apache-2.0
 * utf8.c - see utf8.h. */
#include "utf8.h"

static int is_point(uint32_t point)
{
    return point < ASY__POINTS && (point >> 11) != 0x1b; /* D800 to DFFF */
}

size_t asy__utf8_decode(const char *bytes, size_t n, uint32_t *ret_point)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    const unsigned char *b = (const unsigned char *)bytes;
    size_t len = b[0] < 0x80 ? 1 : b[0] < 0xc0 ? 0 : b[0] < 0xe0 ? 2 : b[0] < 0xf0 ? 3 : 4;
    uint32_t point = len == 1 ? b[0] : b[0] & (0x7fu >> len);

    if (len > n)
        return 0;
    for (size_t i = 1; i < len; i++) {
        if ((b[i] & 0xc0) != 0x80)
            return 0;
        point = point << 6 | (b[i] & 0x3fu);
    }
    if (b[0] >= 0xf8 || point < least[len] || !is_point(point))
        return 0;
    *ret_point = point;
    return len;
}

size_t asy__utf8_encode(uint32_t point, char bytes[4])
{
    size_t len = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;

    if (!is_point(point))
        return 0;
    for (size_t i = len; i > 1; i--, point >>= 6)
        bytes[i - 1] = (char)(0x80 | (point & 0x3f));
    bytes[0] = (char)(len == 1 ? point : (0xf00u >> len & 0xf0) | point);
    return len;
}

int asy__utf8_text(const char *text, size_t len)
{
    uint32_t point;

    for (size_t at = 0, n; at < len; at += n)
        if (!(n = asy__utf8_decode(text + at, len - at, &point)))
            return 0;
    return 1;
}
