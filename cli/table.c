/* SPDX-License-Identifier: Apache-2.0
 * table.c - see table.h. */
#include "table.h"
#include <stdlib.h>
#include <string.h>
#include "format.h"

#define TEXT_MAX (256u << 20)
#define GAP 2
#define LAST_MIN 12 /* the last column is cut, but not to less */

void asy__table_init(struct asy__table *table, const char *const *heads)
{
    *table = (struct asy__table){ .n_columns = 0 };
    asy_buf_init(&table->text, TEXT_MAX);
    for (size_t i = 0; heads[i] && i < ASY__TABLE_COLUMNS; i++) {
        table->right[i] = heads[i][0] == '>';
        table->heads[i] = heads[i] + table->right[i];
        table->n_columns++;
    }
}

void asy__table_fini(struct asy__table *table)
{
    asy_buf_fini(&table->text);
    free(table->starts);
    table->starts = NULL;
}

struct asy_buf *asy__table_cell(struct asy__table *table)
{
    if (table->n_cells)
        asy_buf_addc(&table->text, 0);
    if (table->n_cells == table->cap) {
        size_t cap = table->cap ? 2 * table->cap : 64;
        size_t *grown = reallocarray(table->starts, cap, sizeof *grown);

        if (!grown) {
            table->text.rc = ASY_E_NOMEM;
            return &table->text;
        }
        table->starts = grown;
        table->cap = cap;
    }
    table->starts[table->n_cells++] = table->text.len;
    return &table->text;
}

static const char *cell_at(const struct asy__table *table, size_t row, size_t column)
{
    size_t i = row * table->n_columns + column;

    return i < table->n_cells ? table->text.data + table->starts[i] : "";
}

static size_t width_of(const struct asy__table *table, size_t n_rows, size_t column)
{
    size_t widest = 0;

    for (size_t row = 0; row < n_rows; row++) {
        const char *text = cell_at(table, row, column);
        size_t w = asy__text_width(text, strlen(text));

        widest = w > widest ? w : widest;
    }
    if (n_rows && !widest)
        return 0; /* left out */
    return strlen(table->heads[column]) > widest ? strlen(table->heads[column]) : widest;
}

static void pad(struct asy_buf *out, size_t n)
{
    while (n--)
        asy_buf_addc(out, ' ');
}

static void put_row(const struct asy__table *table, const size_t *widths, size_t last,
                    const char *const *cells, size_t width, struct asy_buf *out)
{
    size_t used = 0;

    for (size_t i = 0; i < table->n_columns; i++) {
        size_t w = asy__text_width(cells[i], strlen(cells[i]));

        if (!widths[i])
            continue;
        if (used) {
            pad(out, GAP);
            used += GAP;
        }
        if (i == last) {
            if (table->right[i] && w < widths[i])
                pad(out, widths[i] - w);
            if (width)
                asy__fmt_short(out, cells[i], width > used ? width - used : 0);
            else
                asy__fmt_clean(out, cells[i]);
            break;
        }
        if (table->right[i])
            pad(out, widths[i] - w);
        asy__fmt_clean(out, cells[i]);
        if (!table->right[i])
            pad(out, widths[i] - w);
        used += widths[i];
    }
    while (out->len && out->data[out->len - 1] == ' ')
        out->data[--out->len] = 0;
    asy_buf_addc(out, '\n');
}

static size_t rows_of(const struct asy__table *table)
{
    return table->n_cells / (table->n_columns ? table->n_columns : 1);
}

size_t asy__table_columns(const struct asy__table *table)
{
    size_t n_rows = rows_of(table), sum = 0;

    for (size_t i = 0; i < table->n_columns; i++) {
        size_t w = width_of(table, n_rows, i);

        sum += w ? w + (sum ? GAP : 0) : 0;
    }
    return sum;
}

int asy__table_write(const struct asy__table *table, size_t width, struct asy_buf *out,
                     struct asy_error *err)
{
    size_t n_rows = rows_of(table), last = 0;
    size_t widths[ASY__TABLE_COLUMNS];
    const char *cells[ASY__TABLE_COLUMNS];
    int rc = asy_buf_check(&table->text, "the table", err);

    if (rc < 0)
        return rc;
    for (size_t i = 0, used = 0; i < table->n_columns; i++) {
        if (!(widths[i] = width_of(table, n_rows, i)))
            continue;
        if (width && used && used + GAP + (widths[i] < LAST_MIN ? widths[i] : LAST_MIN) > width) {
            while (i < table->n_columns)
                widths[i++] = 0;
            break;
        }
        used += widths[i] + (used ? GAP : 0);
        last = i;
    }
    put_row(table, widths, last, table->heads, width, out);
    for (size_t row = 0; row < n_rows; row++) {
        for (size_t i = 0; i < table->n_columns; i++)
            cells[i] = cell_at(table, row, i);
        put_row(table, widths, last, cells, width, out);
    }
    return asy_buf_check(out, "the table", err);
}
