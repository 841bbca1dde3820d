/* SPDX-License-Identifier: Apache-2.0
 * gp_dim.h - the parameters that a Gaussian process models, as coordinates.
 *
 * A number's coordinate lies in [0, 1]: log first where its scale is; bounds widened by half a step
 * where it has one, so that each grid point owns as much of the interval. An unordered choice's
 * coordinate is its index; two of them are as far apart as 0 and 1 where they differ.
 *
 * A number with a prior has the share of the prior's mass below it as its coordinate (the middle of
 * its own where it has some), so that the model sees most of what is likely and a search that takes
 * coordinates evenly takes values as the prior has them. */
#ifndef ASY_TUNER_GP_DIM_H
#define ASY_TUNER_GP_DIM_H
#include <asy/space.h>

enum asy__gp_kind { ASY__GP_REAL, ASY__GP_GRID, ASY__GP_CATEGORY };
struct asy__gp_dim {
    size_t param;     /* index in the space */
    enum asy__gp_kind kind;
    double lo, width; /* of the (logarithmic) interval */
    int log;
    double n_values;  /* GRID, CATEGORY */
    const struct asy_space *by_prior; /* the space, borrowed; NULL: no prior, or a CATEGORY */
};

void asy__gp_dim_init(struct asy__gp_dim *dim, const struct asy_space *space, size_t param);
/* The coordinate of a value, the value at a coordinate, the coordinate of the nearest value. */
double asy__gp_coordinate(const struct asy__gp_dim *dim, double value);
double asy__gp_value(const struct asy__gp_dim *dim, const struct asy_space *space, double u);
double asy__gp_snap(const struct asy__gp_dim *dim, const struct asy_space *space, double u);
#endif
