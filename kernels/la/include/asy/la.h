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
#endif
