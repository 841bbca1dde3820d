/* SPDX-License-Identifier: Apache-2.0
 * Blocks of memory in large pages: where they lie, and that all of them can be written. */
#include <asytest.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <asy/base.h>
#include <asy/pages.h>

static void blocks_lie_where_they_should(void)
{
    static const struct {
        const char *name;
        size_t bytes, alignment;
    } cases[] = {
        { "a byte", 1, 64 },
        { "less than a page", ASY_PAGE - 1, 64 },
        { "a page", ASY_PAGE, ASY_PAGE },
        { "some pages and a part of one", 3 * ASY_PAGE + 5, ASY_PAGE },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        unsigned char *block = asy_pages_alloc(cases[i].bytes);

        if (!T_TRUE(block != NULL))
            continue;
        T_EQ(cases[i].name, (uintptr_t)block % cases[i].alignment, 0);
        memset(block, 7, cases[i].bytes);
        T_EQ(cases[i].name, block[cases[i].bytes - 1], 7);
        free(block);
    }
}

T_MAIN("pages", T_TEST(blocks_lie_where_they_should))
