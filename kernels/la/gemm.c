/* SPDX-License-Identifier: Apache-2.0
 * gemm.c - products of matrices in tiles (Goto, van de Geijn 2008): 32 columns by 128 rows of B are
 * copied to where a tile reads them in order, and meet four rows of A at a time. */
#include "vec.h"
#include <string.h>

enum { COLS = 32, DEPTH = 128, ROWS = ASY__TILE_ROWS };

/* B's rows 0..k-1, columns 0..n-1 as panels of `cols` columns, each [k, cols], zeros behind n. */
static void pack_cols(struct asy__view b, size_t k, size_t n, size_t cols, double *out)
{
    for (size_t j0 = 0; j0 < n; j0 += cols, out += k * cols) {
        size_t have = n - j0 < cols ? n - j0 : cols;
        const double *from = b.at + j0 * b.col;

        if (have < cols)
            memset(out, 0, k * cols * sizeof *out);
        if (b.col == 1) {
            for (size_t i = 0; i < k; i++)
                memcpy(out + i * cols, from + i * b.row, have * sizeof *out);
            continue;
        }
        for (size_t j = 0; j < have; j++)
            for (size_t i = 0; i < k; i++)
                out[i * cols + j] = from[i * b.row + j * b.col];
    }
}

/* Pointers to rows i..i+3 of A, [k] each; rows from m on are the first one again. */
static void take_rows(struct asy__view a, size_t m, size_t k, double room[ROWS][DEPTH],
                      const double *ret_rows[ROWS])
{
    for (size_t r = 0; r < ROWS; r++) {
        const double *from = a.at + (r < m ? r : 0) * a.row;

        ret_rows[r] = from;
        if (a.col == 1)
            continue;
        for (size_t i = 0; i < k; i++)
            room[r][i] = from[i * a.col];
        ret_rows[r] = room[r];
    }
}

static void add(const double *sums, size_t width, size_t m, size_t n, double sign, double *c,
                size_t row, size_t col)
{
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++)
            c[i * row + j * col] += sign * sums[i * width + j];
}

/* At most 128 of k and 32 columns. */
static void block(const struct asy__vec *v, size_t m, size_t n, size_t k, double sign,
                  struct asy__view a, struct asy__view b, double *c, size_t row, size_t col)
{
    double panels[COLS * DEPTH], room[ROWS][DEPTH], sums[ROWS * ASY__TILE_COLS_MAX];

    pack_cols(b, k, n, v->cols, panels);
    for (size_t i = 0; i < m; i += ROWS) {
        struct asy__view from = { a.at + i * a.row, a.row, a.col };
        size_t have = m - i < ROWS ? m - i : ROWS;
        const double *rows[ROWS];

        take_rows(from, have, k, room, rows);
        for (size_t j = 0; j < n; j += v->cols) {
            v->tile(k, rows, panels + j * k, sums);
            add(sums, v->cols, have, n - j < v->cols ? n - j : v->cols, sign,
                c + i * row + j * col, row, col);
        }
    }
}

void asy__gemm(const struct asy__vec *v, size_t m, size_t n, size_t k, double sign,
               struct asy__view a, struct asy__view b, double *c, size_t row, size_t col)
{
    for (size_t j = 0; j < n; j += COLS)
        for (size_t i = 0; i < k; i += DEPTH) {
            struct asy__view left = { a.at + i * a.col, a.row, a.col };
            struct asy__view right = { b.at + i * b.row + j * b.col, b.row, b.col };

            block(v, m, n - j < COLS ? n - j : COLS, k - i < DEPTH ? k - i : DEPTH, sign, left,
                  right, c + j * col, row, col);
        }
}
