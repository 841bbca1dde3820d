/* SPDX-License-Identifier: Apache-2.0
 * pages.c - see asy/pages.h. */
#include <asy/pages.h>
#include <stdlib.h>
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
