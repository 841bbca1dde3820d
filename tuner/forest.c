/* SPDX-License-Identifier: Apache-2.0
 * forest.c - growing a tree, see forest.h.
 *
 * Rows are sorted once by each coordinate that is a number; a split then parts each of these orders
 * without sorting again, so that a level of the tree costs O(d n). */
#include "forest.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "grow.h"

struct level { /* a choice's value in a node */
    double sum, mean;
    uint32_t n, value;
};
struct grower {
    const struct asy__samples *s;
    const uint32_t *drawn;
    struct asy__tree *tree;
    struct asy_rng *rng;
    size_t n;
    uint32_t *orders;     /* [d, n] rows (indices of drawn) by each coordinate */
    uint32_t *aside;      /* [n] */
    uint8_t *left;        /* [n] by row */
    uint32_t *dims;       /* [d] in the order of being looked at */
    struct level *levels; /* [most choices] */
};
struct part { /* a node in the making: rows begin..end of each order */
    size_t begin, end;
    uint32_t node, depth;
};
struct best {
    double gain, at;
    uint32_t dim;
    size_t n_levels, cut; /* of a choice: the first `cut` of levels go left */
};

void asy__tree_fini(struct asy__tree *tree)
{
    free(tree->nodes);
    free(tree->sets);
    *tree = (struct asy__tree){ 0 };
}

static double x_of(const struct grower *g, uint32_t row, size_t dim)
{
    return g->s->x[g->drawn[row] * g->s->d + dim];
}

static double y_of(const struct grower *g, uint32_t row)
{
    return g->s->y[g->drawn[row]];
}

/* ---- the best split of a node ---------------------------------------------------------------- */

/* a <= the border < b, for a < b: the midpoint of neighbouring doubles can round to b. */
static double border(double a, double b)
{
    double middle = a + (b - a) / 2;

    return middle < b ? middle : a;
}

/* What squared error falls by, up to a constant of the node. */
static double gain_of(double left, double n_left, double whole, double n)
{
    double right = whole - left;

    return left * left / n_left + right * right / (n - n_left);
}

static void try_number(struct grower *g, const struct part *part, uint32_t dim, double whole,
                       struct best *best)
{
    const uint32_t *rows = g->orders + dim * g->n;
    double sum = 0, n = (double)(part->end - part->begin);

    for (size_t i = part->begin; i + 1 < part->end; i++) {
        double a = x_of(g, rows[i], dim), b = x_of(g, rows[i + 1], dim), gain;

        sum += y_of(g, rows[i]);
        if (a == b)
            continue;
        gain = gain_of(sum, (double)(i + 1 - part->begin), whole, n);
        if (gain > best->gain)
            *best = (struct best){ .gain = gain, .at = border(a, b), .dim = dim };
    }
}

static int by_mean(const void *a, const void *b)
{
    const struct level *x = a, *y = b;

    if ((x->n == 0) != (y->n == 0))
        return x->n == 0 ? 1 : -1;
    if (x->mean != y->mean)
        return x->mean < y->mean ? -1 : 1;
    return (x->value > y->value) - (x->value < y->value);
}

/* Levels by their mean; those that nobody has come last. Returns how many somebody has. */
static size_t sort_levels(struct grower *g, const struct part *part, uint32_t dim)
{
    const uint32_t *rows = g->orders + dim * g->n;
    size_t c = g->s->n_choices[dim], seen = 0;

    for (size_t i = 0; i < c; i++)
        g->levels[i] = (struct level){ .value = (uint32_t)i };
    for (size_t i = part->begin; i < part->end; i++) {
        struct level *level = &g->levels[(size_t)x_of(g, rows[i], dim)];

        level->sum += y_of(g, rows[i]);
        level->n++;
    }
    for (size_t i = 0; i < c; i++)
        if (g->levels[i].n) {
            g->levels[i].mean = g->levels[i].sum / g->levels[i].n;
            seen++;
        }
    qsort(g->levels, c, sizeof *g->levels, by_mean);
    return seen;
}

static void try_choice(struct grower *g, const struct part *part, uint32_t dim, double whole,
                       struct best *best)
{
    size_t seen = sort_levels(g, part, dim);
    double sum = 0, n_left = 0, n = (double)(part->end - part->begin);

    for (size_t i = 0; i + 1 < seen; i++) {
        double gain;

        sum += g->levels[i].sum;
        n_left += g->levels[i].n;
        gain = gain_of(sum, n_left, whole, n);
        if (gain > best->gain)
            *best = (struct best){ .gain = gain, .dim = dim, .cut = i + 1, .n_levels = seen };
    }
}

/* dim is UINT32_MAX if the node is a leaf. */
static struct best best_split(struct grower *g, const struct part *part, double *ret_mean)
{
    const uint32_t *rows = g->orders;
    struct best best = { .dim = UINT32_MAX };
    double sum = 0, low = INFINITY, high = -INFINITY, n = (double)(part->end - part->begin);

    for (size_t i = part->begin; i < part->end; i++) {
        double y = y_of(g, rows[i]);

        sum += y;
        low = fmin(low, y);
        high = fmax(high, y);
    }
    *ret_mean = sum / n;
    if (part->depth >= ASY__TREE_DEPTH || low == high)
        return best;
    best.gain = -INFINITY; /* among unequal losses any split is worth it */
    for (size_t i = g->s->d; i > 1; i--) {
        size_t k = asy_rng_below(g->rng, i);
        uint32_t swap = g->dims[k];

        g->dims[k] = g->dims[i - 1];
        g->dims[i - 1] = swap;
    }
    for (size_t i = 0; i < g->s->d; i++)
        if (g->s->n_choices[g->dims[i]])
            try_choice(g, part, g->dims[i], sum, &best);
        else
            try_number(g, part, g->dims[i], sum, &best);
    return best;
}

/* ---- splitting ------------------------------------------------------------------------------- */

static int add_node(struct asy__tree *t, uint32_t *ret_node)
{
    size_t cap = t->cap_nodes ? 2 * t->cap_nodes : 64;

    if (t->n_nodes == t->cap_nodes) {
        if (asy__grow(&t->nodes, cap, sizeof *t->nodes))
            return ASY_E_NOMEM;
        t->cap_nodes = cap;
    }
    t->nodes[t->n_nodes] = (struct asy__split){ .dim = UINT32_MAX };
    *ret_node = (uint32_t)t->n_nodes++;
    return 0;
}

/* The set of values that go left; those that nobody here has go with the larger side. */
static int add_set(struct grower *g, const struct part *part, const struct best *best,
                   uint32_t *ret_set)
{
    struct asy__tree *t = g->tree;
    size_t c = g->s->n_choices[best->dim], need = t->n_sets + c, cap = 2 * need, left = 0;

    if (need > t->cap_sets) {
        if (asy__grow(&t->sets, cap, 1))
            return ASY_E_NOMEM;
        t->cap_sets = cap;
    }
    sort_levels(g, part, best->dim); /* others were looked at since */
    for (size_t i = 0; i < best->cut; i++)
        left += g->levels[i].n;
    for (size_t i = 0; i < c; i++)
        t->sets[t->n_sets + g->levels[i].value] =
            i < best->cut || (i >= best->n_levels && 2 * left > part->end - part->begin);
    *ret_set = (uint32_t)t->n_sets;
    t->n_sets = need;
    return 0;
}

static int goes_left(const struct asy__tree *t, const struct asy__split *node, int choice,
                     double v)
{
    return choice ? t->sets[node->set + (size_t)v] : v <= node->at;
}

/* Parts each order in two, both sides as they were ordered. Returns where the right side begins. */
static size_t part_rows(struct grower *g, const struct part *part, const struct asy__split *node)
{
    int choice = g->s->n_choices[node->dim] > 0;
    size_t at = part->begin;

    for (size_t i = part->begin; i < part->end; i++) {
        uint32_t row = g->orders[i];

        g->left[row] = (uint8_t)goes_left(g->tree, node, choice, x_of(g, row, node->dim));
    }
    for (size_t dim = 0; dim < g->s->d; dim++) {
        uint32_t *rows = g->orders + dim * g->n;
        size_t right = 0;

        at = part->begin;
        for (size_t i = part->begin; i < part->end; i++)
            if (g->left[rows[i]])
                rows[at++] = rows[i];
            else
                g->aside[right++] = rows[i];
        memcpy(rows + at, g->aside, right * sizeof *rows);
    }
    return at;
}

/* ret_parts[2] are what is to be grown next; *ret_n: how many. */
static int grow(struct grower *g, const struct part *part, struct part *ret_parts, size_t *ret_n)
{
    struct asy__tree *t = g->tree;
    struct best best = best_split(g, part, &t->nodes[part->node].value);
    struct asy__split node = t->nodes[part->node];
    size_t middle;

    *ret_n = 0;
    if (best.dim == UINT32_MAX)
        return 0;
    node.dim = best.dim;
    node.at = best.at;
    if ((g->s->n_choices[best.dim] && add_set(g, part, &best, &node.set)) ||
        add_node(t, &node.left) || add_node(t, &node.right))
        return ASY_E_NOMEM;
    t->nodes[part->node] = node;
    middle = part_rows(g, part, &node);
    ret_parts[0] = (struct part){ part->begin, middle, node.left, part->depth + 1 };
    ret_parts[1] = (struct part){ middle, part->end, node.right, part->depth + 1 };
    *ret_n = 2;
    return 0;
}

/* ---- the tree -------------------------------------------------------------------------------- */

struct key {
    double x;
    uint32_t row;
};

static int by_key(const void *a, const void *b)
{
    const struct key *x = a, *y = b;

    if (x->x != y->x)
        return x->x < y->x ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

static int sort_rows(struct grower *g)
{
    struct key *keys = malloc(g->n * sizeof *keys);

    if (!keys)
        return ASY_E_NOMEM;
    for (size_t dim = 0; dim < g->s->d; dim++) {
        for (uint32_t i = 0; i < g->n; i++)
            keys[i] = (struct key){ x_of(g, i, dim), i };
        qsort(keys, g->n, sizeof *keys, by_key);
        for (size_t i = 0; i < g->n; i++)
            g->orders[dim * g->n + i] = keys[i].row;
    }
    free(keys);
    return 0;
}

static int prepare(struct grower *g)
{
    size_t most = 1, d = g->s->d;

    for (size_t i = 0; i < d; i++)
        most = g->s->n_choices[i] > most ? g->s->n_choices[i] : most;
    if (!(g->orders = malloc(d * g->n * sizeof *g->orders)) ||
        !(g->aside = malloc(g->n * sizeof *g->aside)) || !(g->left = malloc(g->n)) ||
        !(g->dims = malloc(d * sizeof *g->dims)) ||
        !(g->levels = malloc(most * sizeof *g->levels)))
        return ASY_E_NOMEM;
    for (size_t i = 0; i < d; i++)
        g->dims[i] = (uint32_t)i;
    return sort_rows(g);
}

int asy__tree_fit(const struct asy__samples *samples, const uint32_t *drawn, size_t n_drawn,
                  struct asy_rng *rng, struct asy__tree *ret_tree)
{
    struct asy__tree tree = { 0 };
    struct grower g = { .s = samples, .drawn = drawn, .tree = &tree, .rng = rng, .n = n_drawn };
    struct part stack[ASY__TREE_DEPTH + 2] = { { 0, n_drawn, 0, 0 } }; /* one side of each level */
    size_t n_stack = 1, added;
    uint32_t root;
    int rc = prepare(&g);

    if (rc == 0)
        rc = add_node(&tree, &root);
    while (rc == 0 && n_stack > 0) {
        struct part part = stack[--n_stack];

        rc = grow(&g, &part, stack + n_stack, &added);
        n_stack += added;
    }
    free(g.orders);
    free(g.aside);
    free(g.left);
    free(g.dims);
    free(g.levels);
    if (rc)
        asy__tree_fini(&tree);
    *ret_tree = tree;
    return rc;
}

double asy__tree_value(const struct asy__tree *tree, const struct asy__samples *samples,
                       const double *x)
{
    const struct asy__split *node = tree->nodes;

    while (node->dim != UINT32_MAX)
        node = &tree->nodes[goes_left(tree, node, samples->n_choices[node->dim] > 0, x[node->dim])
                                ? node->left : node->right];
    return node->value;
}
