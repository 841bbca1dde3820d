/* SPDX-License-Identifier: Apache-2.0
 * space_count.c - how many points a space with conditions has, and which is the k-th.
 *
 * Counting walks the parameters in order and branches only at those that others depend on, there
 * only once per run of values that no condition tells apart. Parameters are first split into
 * components that share no condition; their counts multiply. Spaces whose conditions still branch
 * too often are not counted. */
#include <asy/space.h>
#include <string.h>
#include "space_impl.h"

#define COUNT_WORK_MAX 1000000 /* parameters visited by one count */

/* Points of the component of parameter i from there on, given x before it. x[i..] is scratch.
 * *work falls with each parameter visited; below 0 the result means nothing. */
static double count_from(const struct asy_space *space, size_t i, double *x, long *work)
{
    double n = 1;

    for (; i != SIZE_MAX && --*work >= 0; i = space->slots[i].next) {
        const struct asy__slot *s = &space->slots[i];
        double sum = 0, start = 0;

        x[i] = ASY_INACTIVE;
        if (!asy_space_active(space, x, i))
            continue;
        if (!s->is_parent) {
            n *= s->grid.n;
            continue;
        }
        for (size_t c = 0; c <= s->n_cuts; c++) {
            double end = c < s->n_cuts ? s->cuts[c] : s->grid.n;

            x[i] = asy__grid_value(s, start);
            sum += (end - start) * count_from(space, s->next, x, work);
            start = end;
        }
        return n * sum;
    }
    return n;
}

static int has_continuous(const struct asy_space *space)
{
    for (size_t i = 0; i < space->len; i++)
        if (isinf(space->slots[i].grid.n))
            return 1;
    return 0;
}

static double count_all(const struct asy_space *space, double *x)
{
    long work = COUNT_WORK_MAX;
    double n = 1;

    for (size_t i = 0; i < space->len && work >= 0; i++)
        if (space->slots[i].component == i)
            n *= count_from(space, i, x, &work);
    return work < 0 ? INFINITY : n;
}

double asy_space_cardinality(const struct asy_space *space)
{
    double x[ASY_SPACE_MAX];

    return has_continuous(space) ? INFINITY : count_all(space, x);
}

/* Fills the component of parameter i from there on with its index-th point. */
static void point_from(const struct asy_space *space, size_t i, double index, double *x)
{
    for (; i != SIZE_MAX; i = space->slots[i].next) {
        const struct asy__slot *s = &space->slots[i];
        long work = COUNT_WORK_MAX;
        double start = 0, rest = 1, k;

        x[i] = ASY_INACTIVE;
        if (!asy_space_active(space, x, i))
            continue;
        for (size_t c = 0; c <= s->n_cuts; c++) {
            double end = c < s->n_cuts ? s->cuts[c] : s->grid.n;

            x[i] = asy__grid_value(s, start);
            rest = count_from(space, s->next, x, &work);
            if (index < (end - start) * rest || c == s->n_cuts)
                break;
            index -= (end - start) * rest;
            start = end;
        }
        k = floor(index / rest);
        while (k * rest > index) /* the quotient was rounded up */
            k--;
        x[i] = asy__grid_value(s, start + k);
        index -= k * rest;
    }
}

int asy_space_point(const struct asy_space *space, uint64_t index, double *ret_x,
                    struct asy_error *err)
{
    double x[ASY_SPACE_MAX], n, left = (double)index;

    if (has_continuous(space))
        return asy_fail(err, ASY_E_INVAL,
                        "cannot enumerate the space: it has a float without step");
    n = count_all(space, x);
    if (!(n <= ASY__EXACT_MAX))
        return asy_fail(err, ASY_E_INVAL,
                        "cannot enumerate the space: it has more than 2^53 points");
    if (index > (uint64_t)ASY__EXACT_MAX || !(left < n))
        return asy_fail(err, ASY_E_FULL, "the space has only %.0f points", n);
    for (size_t i = space->len; i-- > 0;) {
        long work = COUNT_WORK_MAX;
        double size;

        if (space->slots[i].component != i)
            continue;
        size = count_from(space, i, x, &work);
        point_from(space, i, fmod(left, size), x);
        left = floor(left / size);
    }
    memcpy(ret_x, x, space->len * sizeof *x);
    return 0;
}

/* The index of x within the component of parameter i, from there on; as point_from() has it. */
static double index_from(const struct asy_space *space, size_t i, const double *x, double *scratch)
{
    double index = 0;

    for (; i != SIZE_MAX; i = space->slots[i].next) {
        const struct asy__slot *s = &space->slots[i];
        double start = 0, k = isnan(x[i]) ? 0 : asy__grid_nearest(s, x[i]);

        scratch[i] = ASY_INACTIVE;
        for (size_t c = 0; c <= s->n_cuts && !isnan(x[i]); c++) {
            double end = c < s->n_cuts ? s->cuts[c] : s->grid.n;
            long work = COUNT_WORK_MAX;

            scratch[i] = asy__grid_value(s, start);
            index += (fmin(k, end) - start) * count_from(space, s->next, scratch, &work);
            if (k < end)
                break;
            start = end;
        }
        scratch[i] = x[i];
    }
    return index;
}

uint64_t asy_space_index(const struct asy_space *space, const double *x)
{
    double scratch[ASY_SPACE_MAX], index = 0;

    for (size_t i = 0; i < space->len; i++) {
        long work = COUNT_WORK_MAX;

        if (space->slots[i].component == i)
            index = index * count_from(space, i, scratch, &work) +
                    index_from(space, i, x, scratch);
    }
    return (uint64_t)index;
}
