/* SPDX-License-Identifier: Apache-2.0
 * la.c - the public entries over the inner loops of this CPU's instruction set.
 *
 * The table is looked up anew in each call: that costs a few loads, and leaves no state behind. */
#include "vec.h"
#include <math.h>
#include <string.h>

const struct asy__vec *asy__vec_at(size_t i)
{
    const struct asy__vec *have[3] = { NULL };
    size_t n = 0;

    have[n++] = &asy__vec_base;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2"))
        have[n++] = &asy__vec_avx2;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl"))
        have[n++] = &asy__vec_avx512;
#endif
    return i < n ? have[i] : NULL;
}

const struct asy__vec *asy__vec_get(void)
{
    const struct asy__vec *best = &asy__vec_base, *next;

    for (size_t i = 1; (next = asy__vec_at(i)); i++)
        best = next;
    return best;
}

double asy_la_dot(size_t n, const double *x, const double *y)
{
    return asy__vec_get()->dot(n, x, y);
}

void asy_la_gemv(size_t m, size_t n, const double *a, size_t lda, const double *x, double *y)
{
    const struct asy__vec *v = asy__vec_get();

    for (size_t i = 0; i < m; i++)
        y[i] = v->dot(n, a + i * lda, x);
}

void asy_la_gemv_t(size_t m, size_t n, const double *a, size_t lda, const double *x, double *y)
{
    const struct asy__vec *v = asy__vec_get();

    memset(y, 0, n * sizeof *y);
    for (size_t i = 0; i < m; i++)
        v->axpy(n, x[i], a + i * lda, y);
}

int asy_la_cholesky(size_t from, size_t n, double *a, size_t lda)
{
    return asy__cholesky(asy__vec_get(), from, n, a, lda);
}

double asy_la_logdet(size_t n, const double *l, size_t ldl)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += log(l[i * ldl + i]);
    return 2 * sum;
}

void asy_la_solve_lower(size_t n, const double *l, size_t ldl, double *x)
{
    const struct asy__vec *v = asy__vec_get();

    for (size_t i = 0; i < n; i++)
        x[i] = (x[i] - v->dot(i, l + i * ldl, x)) / l[i * ldl + i];
}

void asy_la_solve_lower_t(size_t n, const double *l, size_t ldl, double *x)
{
    const struct asy__vec *v = asy__vec_get();

    for (size_t i = n; i-- > 0;) {
        x[i] /= l[i * ldl + i];
        v->axpy(i, -x[i], l + i * ldl, x);
    }
}

void asy_la_solve_lower_many(size_t n, size_t m, const double *l, size_t ldl, double *x, size_t ldx)
{
    asy__solve_lower_many(asy__vec_get(), n, m, l, ldl, x, ldx);
}

void asy_la_invert_lower(size_t from, size_t n, const double *l, size_t ldl, double *w, size_t ldw)
{
    asy__invert_lower(asy__vec_get(), from, n, l, ldl, w, ldw);
}

void asy_la_gram(size_t n, const double *w, size_t ldw, double *c, size_t ldc)
{
    asy__gram(asy__vec_get(), n, w, ldw, c, ldc);
}

void asy_la_lower_many(size_t n, size_t m, const double *w, size_t ldw, const double *x, size_t ldx,
                       double *y, size_t ldy)
{
    asy__lower_many(asy__vec_get(), n, m, w, ldw, x, ldx, y, ldy);
}

void asy_la_lower_many_t(size_t n, size_t m, const double *w, size_t ldw, const double *x,
                         size_t ldx, double *y, size_t ldy)
{
    asy__lower_many_t(asy__vec_get(), n, m, w, ldw, x, ldx, y, ldy);
}

void asy_la_dist_add(size_t n, double scale, const double *x, double at, double *d)
{
    asy__vec_get()->dist_add(n, scale, x, at, d);
}

double asy_la_dist_sum(size_t n, const double *g, const double *x, double at)
{
    return asy__vec_get()->dist_sum(n, g, x, at);
}

void asy_la_matern(size_t n, double scale, const double *d, double *k, double *dk)
{
    asy__vec_get()->matern(n, scale, d, k, dk);
}
