/* SPDX-License-Identifier: Apache-2.0
 * gp_dim.c - see gp_dim.h. */
#include "gp_dim.h"
#include "prior.h"

void asy__gp_dim_init(struct asy__gp_dim *dim, const struct asy_space *space, size_t param)
{
    const struct asy_param *p = asy_space_at(space, param);
    double lo = p->lo - p->step / 2, hi = p->hi + p->step / 2;

    *dim = (struct asy__gp_dim){ .param = param, .n_values = asy_space_values(space, param) };
    if (p->type == ASY_PARAM_CHOICE && !p->ordered) {
        dim->kind = ASY__GP_CATEGORY;
        dim->width = 1;
        return;
    }
    dim->kind = isfinite(dim->n_values) ? ASY__GP_GRID : ASY__GP_REAL;
    dim->by_prior = asy__has_prior(space, param) ? space : NULL;
    dim->log = p->log;
    dim->lo = p->log ? log(lo) : lo;
    dim->width = (p->log ? log(hi) : hi) - dim->lo;
}

double asy__gp_coordinate(const struct asy__gp_dim *dim, double value)
{
    double u, lo, hi;

    if (dim->kind == ASY__GP_CATEGORY)
        return value;
    if (dim->by_prior) {
        asy__prior_share(dim->by_prior, dim->param, value, &lo, &hi);
        return lo + (hi - lo) / 2;
    }
    u = ((dim->log ? log(value) : value) - dim->lo) / dim->width;
    return u < 0 ? 0 : u > 1 ? 1 : u;
}

double asy__gp_value(const struct asy__gp_dim *dim, const struct asy_space *space, double u)
{
    double at = dim->lo + u * dim->width;

    if (dim->kind == ASY__GP_CATEGORY)
        return asy_space_value(space, dim->param, u);
    if (dim->by_prior)
        return asy__prior_value(space, dim->param, u);
    return asy_space_snap(space, dim->param, dim->log ? exp(at) : at);
}

double asy__gp_snap(const struct asy__gp_dim *dim, const struct asy_space *space, double u)
{
    if (dim->kind != ASY__GP_GRID)
        return u;
    return asy__gp_coordinate(dim, asy__gp_value(dim, space, u));
}
