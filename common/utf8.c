/* SPDX-License-Identifier: Apache-2.0
 * utf8.c - see utf8.h. The table of well-formed byte sequences is that of RFC 3629 section 4. */
#include "utf8.h"

static int follows(unsigned char c)
{
    return (c & 0xc0) == 0x80;
}

size_t asy__utf8_len(const char *bytes, size_t n)
{
    const unsigned char *b = (const unsigned char *)bytes;

    if (n >= 1 && b[0] < 0x80)
        return 1;
    if (n >= 2 && b[0] >= 0xc2 && b[0] <= 0xdf && follows(b[1]))
        return 2;
    if (n >= 3 && b[0] >= 0xe0 && b[0] <= 0xef && follows(b[1]) && follows(b[2])) {
        if ((b[0] == 0xe0 && b[1] < 0xa0) || (b[0] == 0xed && b[1] > 0x9f))
            return 0;
        return 3;
    }
    if (n >= 4 && b[0] >= 0xf0 && b[0] <= 0xf4 && follows(b[1]) && follows(b[2]) && follows(b[3])) {
        if ((b[0] == 0xf0 && b[1] < 0x90) || (b[0] == 0xf4 && b[1] > 0x8f))
            return 0;
        return 4;
    }
    return 0;
}

size_t asy__utf8_cut(const char *text, size_t n)
{
    size_t start = n;

    for (int back = 0; back < 3 && start > 0 && follows((unsigned char)text[start - 1]); back++)
        start--;
    if (start == 0 || (unsigned char)text[start - 1] < 0xc0)
        return n; /* ends in ASCII, or in bytes that are no sequence anyway */
    start--;
    return asy__utf8_len(text + start, n - start) == n - start ? n : start;
}
