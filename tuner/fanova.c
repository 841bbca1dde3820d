/* SPDX-License-Identifier: Apache-2.0
 * fanova.c - fANOVA, see asy/importance.h: draws for each tree, and shares of its variance.
 *
 * Losses are put on the scale of their own spread, so that tiny or huge ones lose no digits.
 * Parameters that are not always active are left out, as Optuna does: a box of the space has no
 * measure along them. What they change is noise for the trees. */
#include <asy/importance.h>
#include <stdlib.h>
#include <string.h>
#include "forest.h"
#include "unit.h"

#define DRAWS_MAX 4096
#define STREAM(tree) ((tree) + (UINT64_C(0xfa0a) << 40)) /* apart from the numbers of trials */

/* The parameters that a forest looks at, and the points in their coordinates. */
struct view {
    struct asy__samples samples;
    size_t *params;    /* [samples.d] */
    size_t *n_choices;
    double *x, *y;
};

static void view_fini(struct view *v)
{
    free(v->params);
    free(v->n_choices);
    free(v->x);
    free(v->y);
}

static int is_seen(const struct asy_param *p)
{
    return p->n_whens == 0 && (p->type == ASY_PARAM_CHOICE ? p->n_choices > 1 : p->lo < p->hi);
}

static void scale(const double *losses, size_t n, double *ret)
{
    double low = INFINITY, high = -INFINITY;

    for (size_t i = 0; i < n; i++) {
        low = fmin(low, losses[i]);
        high = fmax(high, losses[i]);
    }
    for (size_t i = 0; i < n; i++) /* halves: their difference may be beyond the largest number */
        ret[i] = high > low ? (losses[i] / 2 - low / 2) / (high / 2 - low / 2) - 0.5 : 0;
}

static int view_make(const struct asy_losses *l, struct view *v)
{
    size_t d = asy_space_len(l->space), n = 0;

    if (!(v->params = malloc((d + 1) * sizeof *v->params)) ||
        !(v->n_choices = malloc((d + 1) * sizeof *v->n_choices)))
        return ASY_E_NOMEM;
    for (size_t i = 0; i < d; i++) {
        const struct asy_param *p = asy_space_at(l->space, i);

        if (!is_seen(p))
            continue;
        v->n_choices[n] = p->type == ASY_PARAM_CHOICE && !p->ordered ? p->n_choices : 0;
        v->params[n++] = i;
    }
    if (!(v->x = malloc((l->n * n + 1) * sizeof *v->x)) ||
        !(v->y = malloc((l->n + 1) * sizeof *v->y)))
        return ASY_E_NOMEM;
    for (size_t k = 0; k < l->n; k++)
        for (size_t j = 0; j < n; j++) {
            double value = l->x[k * d + v->params[j]];

            v->x[k * n + j] =
                v->n_choices[j] ? value : asy__unit_place(l->space, v->params[j], value);
        }
    scale(l->losses, l->n, v->y);
    v->samples = (struct asy__samples){ v->x, v->y, v->n_choices, l->n, n };
    return 0;
}

/* shares[samples.d] of one tree. */
static int one_tree(const struct view *v, uint64_t seed, uint64_t number, double *shares,
                    int *ret_varies)
{
    size_t n = v->samples.n < DRAWS_MAX ? v->samples.n : DRAWS_MAX;
    uint32_t *drawn = malloc(n * sizeof *drawn);
    struct asy__tree tree = { 0 };
    struct asy_rng rng;
    double total = 0;
    int rc = drawn ? 0 : ASY_E_NOMEM;

    asy_rng_init(&rng, seed, STREAM(number), ASY_RNG_SAMPLER);
    for (size_t i = 0; i < n && drawn; i++)
        drawn[i] = (uint32_t)asy_rng_below(&rng, v->samples.n);
    if (rc == 0)
        rc = asy__tree_fit(&v->samples, drawn, n, &rng, &tree);
    if (rc == 0)
        rc = asy__tree_variances(&tree, &v->samples, shares, &total);
    *ret_varies = rc == 0 && total > 1e-14; /* of losses over a range of 1 */
    for (size_t j = 0; rc == 0 && j < v->samples.d; j++)
        shares[j] = *ret_varies ? shares[j] / total : 0;
    free(drawn);
    asy__tree_fini(&tree);
    return rc;
}

/* The mean over the trees from..to-1 that see a variance. */
static int trees(const struct asy_losses *l, uint64_t seed, uint64_t from, uint64_t to,
                 double *ret, int *ret_varies, struct asy_error *err)
{
    size_t d = asy_space_len(l->space);
    struct view v = { 0 };
    double *shares = NULL, *sums = NULL;
    size_t counted = 0;
    int rc = view_make(l, &v), varies;

    if (rc == 0 && (!(shares = calloc(d + 1, sizeof *shares)) ||
                    !(sums = calloc(d + 1, sizeof *sums))))
        rc = ASY_E_NOMEM;
    for (uint64_t t = from; rc == 0 && t < to && l->n > 1 && v.samples.d > 0; t++) {
        rc = one_tree(&v, seed, t, shares, &varies);
        counted += rc == 0 && varies;
        for (size_t j = 0; rc == 0 && j < v.samples.d; j++)
            sums[v.params[j]] += shares[j];
    }
    for (size_t i = 0; rc == 0 && i < d; i++)
        ret[i] = asy_space_at(l->space, i)->n_whens ? ASY_INACTIVE
                 : counted ? sums[i] / (double)counted : 0;
    *ret_varies = counted > 0;
    view_fini(&v);
    free(shares);
    free(sums);
    return rc ? asy_fail(err, rc, "no memory for a forest over %zu points", l->n) : 0;
}

int asy_importance_fanova_tree(const struct asy_losses *losses, uint64_t seed, uint64_t tree,
                               double *ret, int *ret_varies, struct asy_error *err)
{
    return trees(losses, seed, tree, tree + 1, ret, ret_varies, err);
}

int asy_importance_fanova(const struct asy_losses *losses, uint64_t seed, double *ret,
                          struct asy_error *err)
{
    int varies;

    return trees(losses, seed, 0, ASY_FANOVA_TREES, ret, &varies, err);
}
