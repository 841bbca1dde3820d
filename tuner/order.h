/* SPDX-License-Identifier: Apache-2.0
 * order.h - the entries of a rung, the best first: the place of a value, the best that waits.
 *
 * A treap (Seidel and Aragon 1996) over an array of nodes; a node's priority is a hash of its trial
 * number, so the tree is a function of its entries. Each node counts the entries, and those that
 * wait, below it: every operation walks one path. NaN is worse than everything. */
#ifndef ASY_TUNER_ORDER_H
#define ASY_TUNER_ORDER_H
#include <asy/error.h>

struct asy__order_node {
    double value;     /* smaller is better */
    uint64_t number;  /* of the trial; the smaller goes first among equals */
    uint32_t left, right; /* UINT32_MAX: none */
    uint32_t n, n_waiting; /* of the subtree */
    int waiting;
};
struct asy__order {
    struct asy__order_node *nodes;
    size_t len, cap;
    uint32_t root; /* meaningless while len == 0 */
};

void asy__order_fini(struct asy__order *order);
ASY_MUST_CHECK int asy__order_reserve(struct asy__order *order); /* one more insert cannot fail */
/* No entry of this number is there. */
void asy__order_insert(struct asy__order *order, double value, uint64_t number, int waiting);
/* Value and number as inserted. */
void asy__order_set_waiting(struct asy__order *order, double value, uint64_t number, int waiting);
/* Entries whose value is strictly better. */
size_t asy__order_better(const struct asy__order *order, double value);
/* Entries before (value, number): its place, from 0. */
size_t asy__order_place(const struct asy__order *order, double value, uint64_t number);
/* The best entry that waits and its place; 0 if none does. */
int asy__order_best_waiting(const struct asy__order *order, uint64_t *ret_number,
                            size_t *ret_place);
#endif
