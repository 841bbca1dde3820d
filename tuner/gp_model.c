/* SPDX-License-Identifier: Apache-2.0
 * gp_model.c - see gp_model.h. */
#include "gp_model.h"
#include <stdlib.h>
#include <string.h>
#include <asy/la.h>

int asy__gp_init(struct asy__gp *gp, const struct asy__gp_dim *dims, size_t d)
{
    *gp = (struct asy__gp){ .dims = dims, .d = d };
    if (!(gp->theta = calloc(2 * (d + 2), sizeof *gp->theta)))
        return ASY_E_NOMEM;
    gp->s = gp->theta + d + 2;
    asy__gp_fit_start(d, gp->theta);
    asy__gp_set_theta(gp, gp->theta);
    return 0;
}

void asy__gp_fini(struct asy__gp *gp)
{
    free(gp->theta);
    free(gp->x);
    free(gp->l);
    free(gp->w);
    *gp = (struct asy__gp){ 0 };
}

int asy__gp_reserve(struct asy__gp *gp, size_t n)
{
    size_t cap = gp->cap + gp->cap / 4 + 32, bytes;
    double *x, *l, *w;

    if (n <= gp->cap)
        return 0;
    cap = cap > n ? cap : n;
    if (__builtin_mul_overflow(cap, cap * sizeof *l, &bytes))
        return ASY_E_NOMEM;
    x = calloc((gp->d + 1) * cap, sizeof *x);
    l = calloc(cap, cap * sizeof *l);
    w = calloc(cap, cap * sizeof *w);
    if (!x || !l || !w) {
        free(x);
        free(l);
        free(w);
        return ASY_E_NOMEM;
    }
    for (size_t j = 0; j < gp->d && gp->n; j++)
        memcpy(x + j * cap, gp->x + j * gp->cap, gp->n * sizeof *x);
    for (size_t i = 0; i < gp->n_factored; i++) {
        memcpy(l + i * cap, gp->l + i * gp->cap, (i + 1) * sizeof *l);
        memcpy(w + i * cap, gp->w + i * gp->cap, (i + 1) * sizeof *w);
    }
    free(gp->x);
    free(gp->l);
    free(gp->w);
    gp->x = x;
    gp->l = l;
    gp->w = w;
    gp->cap = cap;
    return 0;
}

void asy__gp_cut(struct asy__gp *gp, size_t n)
{
    gp->n = gp->n < n ? gp->n : n;
    gp->n_factored = gp->n_factored < n ? gp->n_factored : n;
}

void asy__gp_push(struct asy__gp *gp, const double *u)
{
    ASY_ASSERT(gp->n < gp->cap);
    for (size_t j = 0; j < gp->d; j++)
        gp->x[j * gp->cap + gp->n] = u[j];
    gp->n++;
}

void asy__gp_set_theta(struct asy__gp *gp, const double *theta)
{
    memmove(gp->theta, theta, (gp->d + 2) * sizeof *theta);
    for (size_t j = 0; j < gp->d + 2; j++)
        gp->s[j] = exp(theta[j]);
    gp->n_factored = 0;
}

void asy__gp_covariances(const struct asy__gp *gp, const double *u, size_t n, double *k, double *dk)
{
    memset(dk, 0, n * sizeof *dk);
    for (size_t j = 0; j < gp->d; j++) {
        const double *x = gp->x + j * gp->cap;

        if (gp->dims[j].kind != ASY__GP_CATEGORY) {
            asy_la_dist_add(n, gp->s[j], x, u[j], dk);
            continue;
        }
        for (size_t i = 0; i < n; i++)
            dk[i] += x[i] != u[j] ? gp->s[j] : 0;
    }
    asy_la_matern(n, gp->s[gp->d], dk, k, dk);
}

int asy__gp_factor(struct asy__gp *gp)
{
    size_t from = gp->n_factored;
    double *u;

    if (from == gp->n)
        return 0;
    if (!(u = malloc((gp->d + gp->n + 1) * sizeof *u)))
        return ASY_E_NOMEM;
    for (size_t i = from; i < gp->n; i++) {
        for (size_t j = 0; j < gp->d; j++)
            u[j] = gp->x[j * gp->cap + i];
        asy__gp_covariances(gp, u, i, gp->l + i * gp->cap, u + gp->d);
        gp->l[i * gp->cap + i] = gp->s[gp->d] + gp->s[gp->d + 1];
    }
    free(u);
    if (asy_la_cholesky(from, gp->n, gp->l, gp->cap))
        return ASY_E_INVAL;
    asy_la_invert_lower(from, gp->n, gp->l, gp->cap, gp->w, gp->cap);
    gp->n_factored = gp->n;
    return 0;
}
