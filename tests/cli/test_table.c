/* SPDX-License-Identifier: Apache-2.0
 * test_table.c - columns. */
#include <asytest.h>
#include "table.h"

static const char *const heads[] = { "NAME", ">N", "EMPTY", "NOTE", NULL };

static void fill(struct asy__table *table)
{
    static const char *const cells[][4] = {
        { "a", "1", "", "short" }, { "longer name", "1000", "", "a note that is rather long" },
        { "\xc3\xa4", "22", "", "" },
    };

    asy__table_init(table, heads);
    for (size_t i = 0; i < ASY_ARRAY_LEN(cells); i++)
        for (size_t k = 0; k < 4; k++)
            asy_buf_adds(asy__table_cell(table), cells[i][k]);
}

static void check(const char *name, size_t width, const char *want)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__table table;
    struct asy_buf out = { 0 };

    asy_buf_init(&out, 1u << 16);
    fill(&table);
    if (T_OK(asy__table_write(&table, width, &out, &err), &err))
        T_STR(name, out.data, want);
    asy__table_fini(&table);
    asy_buf_fini(&out);
}

static void columns_are_aligned_and_empty_ones_left_out(void)
{
    check("any width", 0, "NAME            N  NOTE\n"
                          "a               1  short\n"
                          "longer name  1000  a note that is rather long\n"
                          "\xc3\xa4              22\n");
}

static void the_last_column_is_cut_to_the_terminal(void)
{
    check("32 columns", 32, "NAME            N  NOTE\n"
                            "a               1  short\n"
                            "longer name  1000  a note tha...\n"
                            "\xc3\xa4              22\n");
}

static void columns_without_room_are_left_out_from_the_right(void)
{
    check("25 columns", 25, "NAME            N\n"
                            "a               1\n"
                            "longer name  1000\n"
                            "\xc3\xa4              22\n");
    check("5 columns", 5, "NAME\na\nlo...\n\xc3\xa4\n");
}

static void a_table_knows_its_width(void)
{
    struct asy__table table;

    fill(&table);
    T_EQ("columns", asy__table_columns(&table), 11 + 2 + 4 + 2 + 26);
    asy__table_fini(&table);
}

T_MAIN("cli table", T_TEST(columns_are_aligned_and_empty_ones_left_out),
       T_TEST(the_last_column_is_cut_to_the_terminal),
       T_TEST(columns_without_room_are_left_out_from_the_right), T_TEST(a_table_knows_its_width))
