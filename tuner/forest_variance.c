/* SPDX-License-Identifier: Apache-2.0
 * forest_variance.c - how a tree's value varies over the unit cube, and how its marginals do
 * (Hutter et al. 2014, algorithm 2, with a sweep where they test each leaf against each interval).
 *
 * A leaf is a box. In the marginal of coordinate j it counts with its value times the measure of
 * its other sides, wherever its side j is. So each leaf says where along j that begins and where it
 * ends; sorted, these steps give the marginal, a function in steps, and its variance exactly. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "forest.h"
#include "grow.h"

struct step {
    double at, by;
};
struct axis {
    double lo, hi;      /* side of the present box: a number's */
    uint8_t *in;        /* a choice's: [n_choices] */
    size_t n_in;
    double whole;       /* what leaves add that the coordinate does not part */
    struct step *steps; /* a number's */
    size_t n_steps, cap_steps;
    double *sums;       /* a choice's: [n_choices] */
};
struct walk {
    const struct asy__tree *tree;
    const size_t *n_choices;
    size_t d;
    struct axis *axes;   /* [d] */
    double mean, square; /* over the leaves, by their measure */
};

static double side(const struct walk *w, size_t dim)
{
    const struct axis *axis = &w->axes[dim];

    return w->n_choices[dim] ? (double)axis->n_in / (double)w->n_choices[dim]
                             : axis->hi - axis->lo;
}

static int add_steps(struct axis *axis, double by)
{
    size_t cap = axis->cap_steps ? 2 * axis->cap_steps : 32;

    if (axis->n_steps + 2 > axis->cap_steps) {
        if (asy__grow(&axis->steps, cap, sizeof *axis->steps))
            return ASY_E_NOMEM;
        axis->cap_steps = cap;
    }
    axis->steps[axis->n_steps++] = (struct step){ axis->lo, by };
    axis->steps[axis->n_steps++] = (struct step){ axis->hi, -by };
    return 0;
}

static int at_leaf(struct walk *w, double value)
{
    double measure = 1;

    for (size_t j = 0; j < w->d; j++)
        measure *= side(w, j);
    if (measure == 0) /* a border at an end of the cube */
        return 0;
    w->mean += measure * value;
    w->square += measure * value * value;
    for (size_t j = 0; j < w->d; j++) {
        struct axis *axis = &w->axes[j];
        double by = measure / side(w, j) * value;

        if (side(w, j) == 1)
            axis->whole += by;
        else if (!w->n_choices[j] && add_steps(axis, by))
            return ASY_E_NOMEM;
        for (size_t c = 0; side(w, j) < 1 && c < w->n_choices[j]; c++)
            axis->sums[c] += axis->in[c] ? by : 0;
    }
    return 0;
}

static int descend(struct walk *w, uint32_t at);

/* Into one child, whose side of the split coordinate is smaller. */
static int narrow_number(struct walk *w, const struct asy__split *node, int left)
{
    struct axis *axis = &w->axes[node->dim];
    double lo = axis->lo, hi = axis->hi;
    int rc;

    if (left)
        axis->hi = node->at;
    else
        axis->lo = node->at;
    rc = descend(w, left ? node->left : node->right);
    axis->lo = lo;
    axis->hi = hi;
    return rc;
}

static int narrow_choice(struct walk *w, const struct asy__split *node, int left)
{
    struct axis *axis = &w->axes[node->dim];
    const uint8_t *set = w->tree->sets + node->set;
    size_t n = w->n_choices[node->dim], n_in = axis->n_in;
    uint8_t *before = malloc(n);
    int rc;

    if (!before)
        return ASY_E_NOMEM;
    memcpy(before, axis->in, n);
    for (size_t c = 0; c < n; c++)
        if (axis->in[c] && set[c] != left) {
            axis->in[c] = 0;
            axis->n_in--;
        }
    rc = descend(w, left ? node->left : node->right);
    memcpy(axis->in, before, n);
    axis->n_in = n_in;
    free(before);
    return rc;
}

/* No deeper than ASY__TREE_DEPTH. */
static int descend(struct walk *w, uint32_t at)
{
    const struct asy__split *node = &w->tree->nodes[at];
    int rc;

    if (node->dim == UINT32_MAX)
        return at_leaf(w, node->value);
    if (w->n_choices[node->dim]) {
        rc = narrow_choice(w, node, 1);
        return rc ? rc : narrow_choice(w, node, 0);
    }
    rc = narrow_number(w, node, 1);
    return rc ? rc : narrow_number(w, node, 0);
}

static int by_place(const void *a, const void *b)
{
    const struct step *x = a, *y = b;

    return (x->at > y->at) - (x->at < y->at);
}

static double number_variance(struct axis *axis, double mean)
{
    double value = axis->whole, last = 0, sum = 0;

    if (axis->n_steps == 0)
        return 0;
    qsort(axis->steps, axis->n_steps, sizeof *axis->steps, by_place);
    for (size_t i = 0; i < axis->n_steps; i++) {
        sum += (axis->steps[i].at - last) * (value - mean) * (value - mean);
        last = axis->steps[i].at;
        value += axis->steps[i].by;
    }
    return sum; /* the last step stands at 1: the boxes fill the cube */
}

static double choice_variance(const struct axis *axis, size_t n, double mean)
{
    double sum = 0;

    for (size_t c = 0; c < n; c++) {
        double off = axis->whole + axis->sums[c] - mean;

        sum += off * off / (double)n;
    }
    return sum;
}

static int open_axes(struct walk *w)
{
    if (!(w->axes = calloc(w->d, sizeof *w->axes)))
        return ASY_E_NOMEM;
    for (size_t j = 0; j < w->d; j++) {
        struct axis *axis = &w->axes[j];
        size_t n = w->n_choices[j];

        axis->hi = 1;
        if (n == 0)
            continue;
        axis->n_in = n;
        if (!(axis->in = malloc(n)) || !(axis->sums = calloc(n, sizeof *axis->sums)))
            return ASY_E_NOMEM;
        memset(axis->in, 1, n);
    }
    return 0;
}

static void close_axes(struct walk *w)
{
    for (size_t j = 0; w->axes && j < w->d; j++) {
        free(w->axes[j].in);
        free(w->axes[j].steps);
        free(w->axes[j].sums);
    }
    free(w->axes);
}

int asy__tree_variances(const struct asy__tree *tree, const struct asy__samples *samples,
                        double *ret, double *ret_total)
{
    struct walk w = { .tree = tree, .n_choices = samples->n_choices, .d = samples->d };
    int rc = open_axes(&w);

    if (rc == 0)
        rc = descend(&w, 0);
    if (rc == 0) {
        *ret_total = fmax(0, w.square - w.mean * w.mean);
        for (size_t j = 0; j < w.d; j++)
            ret[j] = w.n_choices[j] ? choice_variance(&w.axes[j], w.n_choices[j], w.mean)
                                    : number_variance(&w.axes[j], w.mean);
    }
    close_axes(&w);
    return rc;
}
