/* SPDX-License-Identifier: Apache-2.0
 * space_impl.h - what the files of asy/space.h share: every parameter as "value k of n". */
#ifndef ASY_SPACE_IMPL_H
#define ASY_SPACE_IMPL_H
#include <asy/space.h>

#define ASY__EXACT_MAX 9007199254740992.0 /* 2^53 */
#define ASY__GRID_TOL 1e-6                /* of a step */

/* Where lo and step are both whole numbers of 1 / scale (a power of 10), value k is
 * (m_lo + k m_step) / scale: one correctly rounded division. */
struct asy__grid {
    double n; /* values; INFINITY: continuous */
    int decimal;
    double m_lo, m_step, scale;
};
struct asy__slot {
    struct asy_param p; /* its pointers are owned here, except that names etc. are const */
    struct asy__grid grid;
    int is_parent;
    size_t component; /* smallest index of its component */
    size_t next;      /* next parameter of the component, or SIZE_MAX */
    double *cuts;     /* [n_cuts], ascending: value numbers where a condition on this one changes */
    size_t n_cuts;
};
struct asy_space {
    struct asy__slot *slots;
    size_t len, cap;
};

double asy__grid_value(const struct asy__slot *s, double k);
/* The number of the value nearest to v. */
double asy__grid_nearest(const struct asy__slot *s, double v);
/* INT and REAL values. */
double asy__value_number(const struct asy_value *v);
/* space_prior.c. 0, or ASY_E_INVAL naming the parameter. */
ASY_MUST_CHECK int asy__prior_check(const struct asy_param *p, struct asy_error *err);
/* Copies n weights; ASY_E_NOMEM. */
ASY_MUST_CHECK int asy__prior_copy_weights(struct asy_prior *copy, const struct asy_prior *prior,
                                           size_t n);
/* Bounds that were not given; none is left where there is a single value. */
void asy__prior_settle(struct asy_param *p, double n_values);
int asy__when_holds(const struct asy_when *w, double parent);
#endif
