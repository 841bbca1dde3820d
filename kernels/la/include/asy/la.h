/* SPDX-License-Identifier: Apache-2.0
 * asy/la.h - small dense linear algebra in double precision for the tuner.
 *
 * Matrices are row-major and tight: a[i * n + j]. Every sum has a fixed order, nothing is
 * contracted and only operations that IEEE 754 rounds correctly are used, so a result has the same
 * bits on every machine and with every compiler. Hence no BLAS, whose sums depend on the processor;
 * LAPACK is what tests compare with.
 *
 * Ownership: all arrays are the caller's; they do not overlap.
 * Threads:   any.
 * Errors:    0 or a negative enum asy_code; after an error outputs mean nothing. */
#ifndef ASY_LA_H
#define ASY_LA_H
#include <stddef.h>
#include <asy/error.h>

/* ---- eigenvalues (eigen.c) ----------------------------------------------------------------- */

#define ASY_LA_EIGH_WORK(n) ((n) * ((n) + 3)) /* doubles */

/* A = V^T diag(values) V for a symmetric A. a: [n, n], of which the lower triangle counts.
 * ret_values: [n] ascending. ret_vectors: [n, n], row k is the unit eigenvector of values[k]; its
 * sign is arbitrary but reproducible. work: [ASY_LA_EIGH_WORK(n)].
 * Householder tridiagonalisation, then the QR algorithm with implicit Wilkinson shifts (Golub and
 * Van Loan, Matrix Computations, 4th ed., algorithms 8.3.1 to 8.3.3): A changed by about n units in
 * the last place of its largest eigenvalue has exactly this result.
 * ASY_E_INVAL: an entry of a is not finite. */
ASY_MUST_CHECK int asy_la_eigh(const double *a, size_t n, double *ret_values, double *ret_vectors,
                               double *work, struct asy_error *err);

/* ---- products (la.c, gemm.c) --------------------------------------------------------------- */
/* From here on rows of a matrix may lie further apart than they are long: entry (i, j) of a stands
 * at a[i * lda + j]. Sums along rows have eight lanes and a fixed tree, whatever the width of the
 * CPU's vectors; the loops exist once per instruction set and give the same bits in each. */

double asy_la_dot(size_t n, const double *x, const double *y);
/* y = A x; y = A^T x. A [m, n]; "=". */
void asy_la_gemv(size_t m, size_t n, const double *a, size_t lda, const double *x, double *y);
void asy_la_gemv_t(size_t m, size_t n, const double *a, size_t lda, const double *x, double *y);

/* ---- Cholesky factors (chol.c) ------------------------------------------------------------- */
/* A lower triangle is read and written at and below the diagonal. Of the entries above it, those in
 * the same 32 x 32 block on the diagonal are scratch; others are not touched. */

/* A = L L^T in place: rows from..n-1, the rows above being those of L already. from 0: the whole
 * factor; n - 1: one row is appended. Either way a row has the same bits.
 * ASY_E_INVAL: not positive definite; rows from..n-1 mean nothing then. */
ASY_MUST_CHECK int asy_la_cholesky(size_t from, size_t n, double *a, size_t lda);
/* log det(L L^T), by the log of libm. */
double asy_la_logdet(size_t n, const double *l, size_t ldl);
/* x = L^-1 x; x = L^-T x. */
void asy_la_solve_lower(size_t n, const double *l, size_t ldl, double *x);
void asy_la_solve_lower_t(size_t n, const double *l, size_t ldl, double *x);
/* x_p = L^-1 x_p for p < m; x_p [n] at x + p * ldx. */
void asy_la_solve_lower_many(size_t n, size_t m, const double *l, size_t ldl, double *x,
                             size_t ldx);
/* W = L^-1, rows from..n-1 from those above. Zeros above the diagonal within its blocks of 32, as
 * far as ldw reaches. */
void asy_la_invert_lower(size_t from, size_t n, const double *l, size_t ldl, double *w, size_t ldw);
/* C = W^T W, its lower triangle: (L L^T)^-1 for such a W. */
void asy_la_gram(size_t n, const double *w, size_t ldw, double *c, size_t ldc);
/* y_p = W x_p; y_p = W^T x_p, for such a W and p < m; "=". */
void asy_la_lower_many(size_t n, size_t m, const double *w, size_t ldw, const double *x, size_t ldx,
                       double *y, size_t ldy);
void asy_la_lower_many_t(size_t n, size_t m, const double *w, size_t ldw, const double *x,
                         size_t ldx, double *y, size_t ldy);

/* ---- covariances (vec_impl.h) -------------------------------------------------------------- */

/* d[i] += scale (x[i] - at)^2. */
void asy_la_dist_add(size_t n, double scale, const double *x, double at, double *d);
/* The sum of g[i] (x[i] - at)^2. */
double asy_la_dist_sum(size_t n, const double *g, const double *x, double at);
/* The Matern 5/2 covariance over squared distances d, and its derivative (Rasmussen and Williams
 * 2006, equation 4.17): with r = sqrt(5 d), k = scale (1 + r + r^2/3) e^-r and
 * dk = -5/6 scale (1 + r) e^-r, to 4e-15 relative as long as r < 30. d at most 1e200; it may be
 * dk. */
void asy_la_matern(size_t n, double scale, const double *d, double *k, double *dk);
#endif
