/* SPDX-License-Identifier: Apache-2.0
 * vec.h - the table of inner loops that one instruction set provides, and the blocked operations
 * over them with the table as an argument (tests run them with each).
 *
 * Every table gives the same bits: no contraction, and each sum in an order that does not depend on
 * the width of a vector. Sums along a row have eight lanes, entry i in lane i mod 8, and then the
 * tree ((0+4)+(2+6))+((1+5)+(3+7)). Products of matrices sum each entry in ascending order. */
#ifndef ASY_LA_VEC_H
#define ASY_LA_VEC_H
#include <asy/la.h>

#define ASY__TILE_ROWS 4
#define ASY__TILE_COLS_MAX 16

struct asy__vec {
    const char *name;
    size_t cols; /* of a tile: a divisor of 32 */
    double (*dot)(size_t n, const double *x, const double *y);
    void (*axpy)(size_t n, double a, const double *x, double *y);
    /* sums[4, cols] = rows a[0..3] (each [k]) times b [k, cols]. */
    void (*tile)(size_t k, const double *const a[ASY__TILE_ROWS], const double *b, double *sums);
    void (*dist_add)(size_t n, double scale, const double *x, double at, double *d);
    double (*dist_sum)(size_t n, const double *g, const double *x, double at);
    void (*matern)(size_t n, double scale, const double *d, double *k, double *dk);
};
extern const struct asy__vec asy__vec_base, asy__vec_avx2, asy__vec_avx512;
/* The best one for this CPU. */
const struct asy__vec *asy__vec_get(void);
/* The i-th that this CPU can run; NULL beyond the last. */
const struct asy__vec *asy__vec_at(size_t i);

/* Entry (i, j) is at[i * row + j * col]. */
struct asy__view {
    const double *at;
    size_t row, col;
};
/* C += sign A B, A [m, k], B [k, n]; C's entry (i, j) is c[i * row + j * col]. An entry's products
 * are summed in ascending order within each 128, and each such sum is added to C in turn: so a
 * row of the result depends on that row of A alone. */
void asy__gemm(const struct asy__vec *v, size_t m, size_t n, size_t k, double sign,
               struct asy__view a, struct asy__view b, double *c, size_t row, size_t col);
int asy__cholesky(const struct asy__vec *v, size_t from, size_t n, double *a, size_t lda);
void asy__invert_lower(const struct asy__vec *v, size_t from, size_t n, const double *l, size_t ldl,
                       double *w, size_t ldw);
void asy__gram(const struct asy__vec *v, size_t n, const double *w, size_t ldw, double *c,
               size_t ldc);
void asy__lower_many(const struct asy__vec *v, size_t n, size_t m, const double *w, size_t ldw,
                     const double *x, size_t ldx, double *y, size_t ldy);
void asy__lower_many_t(const struct asy__vec *v, size_t n, size_t m, const double *w, size_t ldw,
                       const double *x, size_t ldx, double *y, size_t ldy);
void asy__solve_lower_many(const struct asy__vec *v, size_t n, size_t m, const double *l,
                           size_t ldl, double *x, size_t ldx);
#endif
