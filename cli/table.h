/* SPDX-License-Identifier: Apache-2.0
 * table.h - aligned columns: gather cells, then write all rows as wide as they need. Columns that a
 * terminal has no room for are left out from the right, the last one is shortened to what is left;
 * nothing is left out or shortened where width is 0.
 *
 * Ownership: init/fini; texts are copied. Threads: one owner. */
#ifndef ASY__TABLE_H
#define ASY__TABLE_H
#include <asy/buf.h>

#define ASY__TABLE_COLUMNS 24

struct asy__table {
    const char *heads[ASY__TABLE_COLUMNS];
    int right[ASY__TABLE_COLUMNS];  /* numbers stand to the right */
    size_t n_columns, n_cells, cap;
    size_t *starts;                 /* [cap] of each cell in text */
    struct asy_buf text;            /* the cells, each terminated */
};
/* heads: "NAME", or ">NAME" for a column of numbers; NULL-terminated, borrowed. A column whose
 * cells are all empty is left out. */
void asy__table_init(struct asy__table *table, const char *const *heads);
void asy__table_fini(struct asy__table *table);
/* Columns that the widest row takes. */
size_t asy__table_columns(const struct asy__table *table);
/* The next cell begins: append its text to the buffer, which is returned. */
struct asy_buf *asy__table_cell(struct asy__table *table);
ASY_MUST_CHECK int asy__table_write(const struct asy__table *table, size_t width,
                                    struct asy_buf *out, struct asy_error *err);
#endif
