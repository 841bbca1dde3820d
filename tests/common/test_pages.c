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

/* Zeros, and nothing else, whether there are whole pages to give back or not. */
static void clearing_leaves_the_rest(void)
{
    static const struct {
        const char *name;
        size_t from, n;
    } cases[] = {
        { "nothing", 100, 0 },
        { "within a page", 100, 1000 },
        { "over an edge", ASY_PAGE - 8, 16 },
        { "one page", ASY_PAGE, ASY_PAGE },
        { "pages and parts", ASY_PAGE - 4, 2 * ASY_PAGE + 12 },
        { "all", 0, 4 * ASY_PAGE },
    };
    const size_t len = 4 * ASY_PAGE;
    unsigned char *block = asy_pages_alloc(len);

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases) && T_TRUE(block != NULL); i++) {
        size_t wrong = 0;

        memset(block, 7, len);
        asy_pages_clear(block + cases[i].from, cases[i].n);
        for (size_t at = 0; at < len; at++)
            wrong += block[at] != (at - cases[i].from < cases[i].n ? 0 : 7);
        T_EQ(cases[i].name, wrong, 0);
    }
    free(block);
}

T_MAIN("pages", T_TEST(blocks_lie_where_they_should), T_TEST(clearing_leaves_the_rest))
