/* SPDX-License-Identifier: Apache-2.0
 * gp_model.c - see gp_model.h. */
#include "gp_model.h"
#include <stdlib.h>
#include <string.h>
#include <asy/la.h>
#include "gp_input.h"

#define NOISIER_MAX 8

int asy__gp_init(struct asy__gp *gp, const struct asy__gp_dim *dims, size_t d)
{
    *gp = (struct asy__gp){ .dims = dims, .d = d };
    if (!(gp->theta = calloc(2 * ASY__GP_THETA_MAX(d), sizeof *gp->theta)))
        return ASY_E_NOMEM;
    gp->s = gp->theta + ASY__GP_THETA_MAX(d);
    asy__gp_fit_start(d, gp->theta);
    asy__gp_set_theta(gp, gp->theta);
    return 0;
}

void asy__gp_fini(struct asy__gp *gp)
{
    free(gp->theta);
    free(gp->u);
    free(gp->l);
    free(gp->w);
    *gp = (struct asy__gp){ 0 };
}

int asy__gp_reserve(struct asy__gp *gp, size_t n)
{
    size_t cap = gp->cap + gp->cap / 4 + 32, bytes;
    double *u, *l, *w;

    if (n <= gp->cap)
        return 0;
    cap = cap > n ? cap : n;
    if (__builtin_mul_overflow(cap, cap * sizeof *l, &bytes))
        return ASY_E_NOMEM;
    u = calloc((2 * gp->d + 1) * cap, sizeof *u);
    l = calloc(cap, cap * sizeof *l);
    w = calloc(cap, cap * sizeof *w);
    if (!u || !l || !w) {
        free(u);
        free(l);
        free(w);
        return ASY_E_NOMEM;
    }
    for (size_t j = 0; j < 2 * gp->d && gp->n; j++) /* x stands behind u */
        memcpy(u + j * cap, gp->u + j * gp->cap, gp->n * sizeof *u);
    for (size_t i = 0; i < gp->n_factored; i++) {
        memcpy(l + i * cap, gp->l + i * gp->cap, (i + 1) * sizeof *l);
        memcpy(w + i * cap, gp->w + i * gp->cap, (i + 1) * sizeof *w);
    }
    free(gp->u);
    free(gp->l);
    free(gp->w);
    gp->u = u;
    gp->x = u + gp->d * cap;
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

static double see(const struct asy__gp *gp, size_t j, double u)
{
    if (!gp->warped || gp->dims[j].kind == ASY__GP_CATEGORY)
        return u;
    return asy__gp_input(u, gp->s[gp->d + 2 + j], gp->s[2 * gp->d + 2 + j]);
}

void asy__gp_see(const struct asy__gp *gp, const double *u, double *ret_x, double *ret_slope)
{
    for (size_t j = 0; j < gp->d; j++) {
        int warped = gp->warped && gp->dims[j].kind != ASY__GP_CATEGORY;

        ret_x[j] = see(gp, j, u[j]);
        ret_slope[j] = !warped ? 1 : asy__gp_input_slope(u[j], gp->s[gp->d + 2 + j],
                                                       gp->s[2 * gp->d + 2 + j]);
    }
}

void asy__gp_push(struct asy__gp *gp, const double *u)
{
    ASY_ASSERT(gp->n < gp->cap);
    for (size_t j = 0; j < gp->d; j++) {
        gp->u[j * gp->cap + gp->n] = u[j];
        gp->x[j * gp->cap + gp->n] = see(gp, j, u[j]);
    }
    gp->n++;
}

void asy__gp_warp_inputs(struct asy__gp *gp, int warped)
{
    if (gp->warped && !warped && gp->n)
        memcpy(gp->x, gp->u, gp->d * gp->cap * sizeof *gp->x);
    gp->warped = warped;
    gp->n_factored = 0;
}

void asy__gp_set_theta(struct asy__gp *gp, const double *theta)
{
    size_t len = asy__gp_theta_len(gp);

    memmove(gp->theta, theta, len * sizeof *theta);
    for (size_t j = 0; j < len; j++)
        gp->s[j] = exp(theta[j]);
    for (size_t j = 0; j < gp->d && gp->warped; j++)
        for (size_t i = 0; i < gp->n; i++)
            gp->x[j * gp->cap + i] = see(gp, j, gp->u[j * gp->cap + i]);
    gp->n_factored = 0;
}

void asy__gp_covariances(const struct asy__gp *gp, const double *x, size_t n, double *k, double *dk)
{
    memset(dk, 0, n * sizeof *dk);
    for (size_t j = 0; j < gp->d; j++) {
        const double *known = gp->x + j * gp->cap;

        if (gp->dims[j].kind != ASY__GP_CATEGORY) {
            asy_la_dist_add(n, gp->s[j], known, x[j], dk);
            continue;
        }
        for (size_t i = 0; i < n; i++)
            dk[i] += known[i] != x[j] ? gp->s[j] : 0;
    }
    asy_la_matern(n, gp->s[gp->d], dk, k, dk);
}

int asy__gp_factor(struct asy__gp *gp)
{
    size_t from = gp->n_factored;
    double *x;

    if (from == gp->n)
        return 0;
    if (!(x = malloc((gp->d + gp->n + 1) * sizeof *x)))
        return ASY_E_NOMEM;
    for (size_t i = from; i < gp->n; i++) {
        for (size_t j = 0; j < gp->d; j++)
            x[j] = gp->x[j * gp->cap + i];
        asy__gp_covariances(gp, x, i, gp->l + i * gp->cap, x + gp->d);
        gp->l[i * gp->cap + i] = gp->s[gp->d] + gp->s[gp->d + 1];
    }
    free(x);
    if (asy_la_cholesky(from, gp->n, gp->l, gp->cap))
        return ASY_E_INVAL;
    asy_la_invert_lower(from, gp->n, gp->l, gp->cap, gp->w, gp->cap);
    gp->n_factored = gp->n;
    return 0;
}

int asy__gp_settle(struct asy__gp *gp, double *theta)
{
    int rc;

    for (int i = 0; (rc = asy__gp_factor(gp)) == ASY_E_INVAL && i < NOISIER_MAX; i++) {
        theta[gp->d + 1] += log(10);
        asy__gp_set_theta(gp, theta);
    }
    return rc;
}
