/* SPDX-License-Identifier: Apache-2.0
 * pages.c - see asy/pages.h. */
#include <asy/pages.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define LINE 64

void *asy_pages_alloc(size_t bytes)
{
    int large = bytes >= ASY_PAGE;
    void *here = NULL;

    if (posix_memalign(&here, large ? ASY_PAGE : LINE, bytes))
        return NULL;
    if (large) /* a wish: where it is not granted, pages are small */
        ASY_IGNORE(madvise(here, bytes / ASY_PAGE * ASY_PAGE, MADV_HUGEPAGE));
    return here;
}

void asy_pages_clear(void *at, size_t bytes)
{
    char *begin = at, *end = begin + bytes;
    char *from = begin + (ASY_PAGE - (uintptr_t)begin % ASY_PAGE) % ASY_PAGE;
    char *to = end - (uintptr_t)end % ASY_PAGE;

    if (from >= to || madvise(from, (size_t)(to - from), MADV_DONTNEED) < 0) {
        memset(begin, 0, bytes);
        return;
    }
    memset(begin, 0, (size_t)(from - begin));
    memset(to, 0, (size_t)(end - to));
}
