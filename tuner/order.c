/* SPDX-License-Identifier: Apache-2.0
 * order.c - see order.h. */
#include "order.h"
#include <math.h>
#include <stdlib.h>

#define NONE UINT32_MAX
/* A treap of 2^32 nodes is deeper than this with a probability that nobody will meet. */
#define DEPTH_MAX 512

void asy__order_fini(struct asy__order *order)
{
    free(order->nodes);
    *order = (struct asy__order){ 0 };
}

int asy__order_reserve(struct asy__order *order)
{
    size_t cap = order->cap ? 2 * order->cap : 16;
    struct asy__order_node *nodes;

    if (order->len < order->cap)
        return 0;
    if (cap >= NONE || !(nodes = realloc(order->nodes, cap * sizeof *nodes)))
        return ASY_E_NOMEM;
    order->nodes = nodes;
    order->cap = cap;
    return 0;
}

static int cmp_value(double a, double b)
{
    if (isnan(a) || isnan(b))
        return isnan(a) - isnan(b);
    return (a > b) - (a < b);
}

static int cmp(double value, uint64_t number, const struct asy__order_node *node)
{
    int by_value = cmp_value(value, node->value);

    return by_value ? by_value : (number > node->number) - (number < node->number);
}

static uint64_t priority(uint64_t number)
{
    number = (number + 0x9e3779b97f4a7c15u) * 0xbf58476d1ce4e5b9u;
    number = (number ^ number >> 27) * 0x94d049bb133111ebu;
    return number ^ number >> 31;
}

static uint32_t count(const struct asy__order *o, uint32_t at)
{
    return at == NONE ? 0 : o->nodes[at].n;
}

static uint32_t count_waiting(const struct asy__order *o, uint32_t at)
{
    return at == NONE ? 0 : o->nodes[at].n_waiting;
}

static void recount(const struct asy__order *o, uint32_t at)
{
    struct asy__order_node *node = &o->nodes[at];

    node->n = 1 + count(o, node->left) + count(o, node->right);
    node->n_waiting = (node->waiting != 0) + count_waiting(o, node->left) +
                      count_waiting(o, node->right);
}

/* Cuts the subtree at into the entries before (value, number) and those after it. */
static void split(const struct asy__order *o, uint32_t at, double value, uint64_t number,
                  uint32_t *ret_before, uint32_t *ret_after)
{
    uint32_t path[DEPTH_MAX];
    unsigned depth = 0;

    while (at != NONE) {
        ASY_ASSERT(depth < DEPTH_MAX);
        path[depth++] = at;
        if (cmp(value, number, &o->nodes[at]) > 0) {
            *ret_before = at;
            ret_before = &o->nodes[at].right;
            at = o->nodes[at].right;
        } else {
            *ret_after = at;
            ret_after = &o->nodes[at].left;
            at = o->nodes[at].left;
        }
    }
    *ret_before = *ret_after = NONE;
    while (depth > 0)
        recount(o, path[--depth]);
}

void asy__order_insert(struct asy__order *order, double value, uint64_t number, int waiting)
{
    uint32_t added = (uint32_t)order->len++, *link = &order->root;
    struct asy__order_node *node = &order->nodes[added];

    *node = (struct asy__order_node){ value, number, NONE, NONE, 1, waiting != 0, waiting };
    if (added == 0) {
        order->root = added;
        return;
    }
    while (*link != NONE && priority(order->nodes[*link].number) >= priority(number)) {
        struct asy__order_node *above = &order->nodes[*link];

        above->n++;
        above->n_waiting += waiting != 0;
        link = cmp(value, number, above) > 0 ? &above->right : &above->left;
    }
    split(order, *link, value, number, &node->left, &node->right);
    *link = added;
    recount(order, added);
}

void asy__order_set_waiting(struct asy__order *order, double value, uint64_t number, int waiting)
{
    uint32_t path[DEPTH_MAX], at = order->root;
    unsigned depth = 0;
    int side;

    ASY_ASSERT(order->len > 0);
    for (;;) {
        ASY_ASSERT(at != NONE && depth < DEPTH_MAX, "trial %llu is not at its rung",
                   (unsigned long long)number);
        path[depth++] = at;
        if (!(side = cmp(value, number, &order->nodes[at])))
            break;
        at = side > 0 ? order->nodes[at].right : order->nodes[at].left;
    }
    order->nodes[at].waiting = waiting;
    while (depth > 0)
        recount(order, path[--depth]);
}

size_t asy__order_better(const struct asy__order *order, double value)
{
    uint32_t at = order->len ? order->root : NONE;
    size_t n = 0;

    while (at != NONE) {
        const struct asy__order_node *node = &order->nodes[at];

        if (cmp_value(node->value, value) < 0) {
            n += 1 + (size_t)count(order, node->left);
            at = node->right;
        } else {
            at = node->left;
        }
    }
    return n;
}

size_t asy__order_place(const struct asy__order *order, double value, uint64_t number)
{
    uint32_t at = order->len ? order->root : NONE;
    size_t n = 0;

    while (at != NONE) {
        const struct asy__order_node *node = &order->nodes[at];

        if (cmp(value, number, node) > 0) {
            n += 1 + (size_t)count(order, node->left);
            at = node->right;
        } else {
            at = node->left;
        }
    }
    return n;
}

int asy__order_best_waiting(const struct asy__order *order, uint64_t *ret_number,
                            size_t *ret_place)
{
    uint32_t at = order->len ? order->root : NONE;
    size_t place = 0;

    if (!count_waiting(order, at))
        return 0;
    for (;;) {
        const struct asy__order_node *node = &order->nodes[at];

        if (count_waiting(order, node->left)) {
            at = node->left;
            continue;
        }
        place += count(order, node->left);
        if (node->waiting) {
            *ret_number = node->number;
            *ret_place = place;
            return 1;
        }
        place++;
        at = node->right;
    }
}
