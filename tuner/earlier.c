/* SPDX-License-Identifier: Apache-2.0
 * earlier.c - what earlier studies found, as whole points.
 *
 * Of a parameter that an earlier trial did not have nothing is known of it: a draw of its own for
 * each trial says so, where one value for all would tell a model that this value is all there is
 * to know. */
#include "sampler.h"
#include <stdlib.h>
#include <string.h>
#include "unit.h"

#define NEAREST 5
#define TAU_LEAST 0.2

#define EARLIER_NUMBER ((uint64_t)1 << 54) /* the draws of no trial */

static int the_worst_first(const void *a, const void *b)
{
    const struct asy_earlier *x = a, *y = b;

    if (x->rank != y->rank)
        return x->rank > y->rank ? -1 : 1;
    return (x->x > y->x) - (x->x < y->x);
}

static int check(const struct asy_space *space, const struct asy_earlier *one, size_t i,
                 struct asy_error *err)
{
    int known = 0;

    for (size_t k = 0; k < asy_space_len(space); k++) {
        if (isnan(one->x[k]))
            continue;
        known = 1;
        if (asy_space_snap(space, k, one->x[k]) != one->x[k])
            return asy_fail(err, ASY_E_INVAL, "earlier trial %zu: %.15g is no value of parameter "
                            "'%s'", i, one->x[k], asy_space_at(space, k)->name);
    }
    if (!known || !(one->rank > 0 && one->rank < 1))
        return asy_fail(err, ASY_E_INVAL, "earlier trial %zu has %s", i,
                        known ? "no rank above 0 and below 1" : "no value of any parameter");
    return 0;
}

int asy__sampler_earlier(struct asy_sampler *s, const struct asy_sampler_spec *spec,
                         struct asy_error *err)
{
    size_t len = asy_space_len(s->space), n = spec->n_earlier;
    double *x;
    int rc;

    if (n == 0)
        return 0;
    for (size_t i = 0; i < n; i++)
        if ((rc = check(s->space, &spec->earlier[i], i, err)))
            return rc;
    if (!(s->earlier = calloc(n, sizeof *s->earlier + len * sizeof *x)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for %zu earlier trials", n);
    x = (double *)(void *)(s->earlier + n);
    for (size_t i = 0; i < n; i++, x += len) {
        asy__random_point(s, EARLIER_NUMBER + i, spec->earlier[i].x, x);
        s->earlier[i] = (struct asy_earlier){ x, spec->earlier[i].rank };
    }
    qsort(s->earlier, n, sizeof *s->earlier, the_worst_first);
    s->n_earlier = n;
    return 0;
}

/* ---- whether they hold ----------------------------------------------------------------------- */

/* Squared, in the unit cube; what is active in one alone lies a side apart. */
static double distance(const struct asy_space *space, const double *a, const double *b)
{
    double sum = 0;

    for (size_t i = 0; i < asy_space_len(space); i++) {
        const struct asy_param *p = asy_space_at(space, i);
        double by = 1;

        if (a[i] == b[i] || (isnan(a[i]) && isnan(b[i])))
            continue;
        if (!isnan(a[i]) && !isnan(b[i]) && (p->type != ASY_PARAM_CHOICE || p->ordered))
            by = asy__unit_place(space, i, a[i]) - asy__unit_place(space, i, b[i]);
        sum += by * by;
    }
    return sum;
}

double asy__earlier_guess(const struct asy_sampler *s, const double *x)
{
    double nearest[NEAREST], ranks[NEAREST], sum = 0, weights = 0;
    size_t n = 0;

    for (size_t i = 0; i < s->n_earlier; i++) {
        double far = distance(s->space, x, s->earlier[i].x);
        size_t at = n < NEAREST ? n++ : NEAREST;

        for (; at > 0 && nearest[at - 1] > far; at--)
            if (at < NEAREST) {
                nearest[at] = nearest[at - 1];
                ranks[at] = ranks[at - 1];
            }
        if (at < NEAREST) {
            nearest[at] = far;
            ranks[at] = s->earlier[i].rank;
        }
    }
    for (size_t k = 0; k < n; k++) {
        double weight = 1 / (nearest[k] + 1e-4);

        sum += weight * ranks[k];
        weights += weight;
    }
    return sum / weights;
}

/* Kendall's tau of guesses and results (Kendall 1938), equal ones being neither in nor out of
 * order. */
int asy__earlier_holds(const double *guesses, const double *results, size_t n)
{
    double sum = 0;

    if (n < ASY__EARLIER_PROOF)
        return 0;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < i; k++)
            sum += ((guesses[k] < guesses[i]) - (guesses[k] > guesses[i])) *
                   (results ? (results[k] < results[i]) - (results[k] > results[i]) : 1);
    return sum >= TAU_LEAST * (double)(n * (n - 1)) / 2;
}
