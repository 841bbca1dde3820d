/* SPDX-License-Identifier: Apache-2.0
 * plan_places.c - places in memory.
 *
 * Two values may share room if their lives do not meet. The largest are placed first, each at the
 * lowest place that is free for its whole life ("greedy by size" of Pisarchyk and Lee 2020, arXiv
 * 2001.03288). */
#include "plan.h"
#include <stdlib.h>

static int by_size(const void *a, const void *b)
{
    const struct asy__work *const *x = a, *const *y = b;

    if ((*x)->size != (*y)->size)
        return (*x)->size < (*y)->size ? 1 : -1;
    return *x < *y ? -1 : *x > *y;
}

static int by_place(const void *a, const void *b)
{
    const struct asy__work *const *x = a, *const *y = b;

    return (*x)->at < (*y)->at ? -1 : (*x)->at > (*y)->at;
}

/* The lowest place free of all of placed [n] that live when value does; near has room for n. */
static void place(struct asy__work *value, struct asy__work **placed, size_t n,
                  const struct asy__work **near)
{
    size_t found = 0, at = 0;

    for (size_t i = 0; i < n; i++)
        if (placed[i]->first <= value->last && value->first <= placed[i]->last)
            near[found++] = placed[i];
    qsort(near, found, sizeof *near, by_place);
    for (size_t i = 0; i < found && at + value->size > near[i]->at; i++)
        if (near[i]->at + near[i]->size > at)
            at = near[i]->at + near[i]->size;
    value->at = at;
}

static void set_offsets(struct asy__plan *plan, struct asy_operand *operands, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (operands[i].space == ASY_SPACE_WORK)
            operands[i].at = plan->values[operands[i].at].at;
}

int asy__plan_places(struct asy__plan *plan, size_t rows, struct asy_error *err)
{
    struct asy__program *program = plan->program;
    struct asy__work **order = NULL;
    const struct asy__work **near = NULL;
    size_t n = 0;
    int rc = 0;

    if (plan->failed || !(order = calloc(plan->n_values + 1, sizeof *order)) ||
        !(near = calloc(plan->n_values + 1, sizeof *near))) {
        rc = asy_fail(err, ASY_E_NOMEM, "no memory for the plan of a network");
        goto out;
    }
    for (size_t i = 0; i < plan->n_values; i++) {
        struct asy__work *value = &plan->values[i];

        value->size = asy__round16(value->per_row * rows + value->fixed);
        if (value->first <= value->last)
            order[n++] = value;
    }
    qsort(order, n, sizeof *order, by_size);
    for (size_t i = 0; i < n; i++) {
        place(order[i], order, i, near);
        if (order[i]->at + order[i]->size > plan->net->n_work)
            plan->net->n_work = order[i]->at + order[i]->size;
    }
    for (size_t i = 0; i < program->n; i++) {
        set_offsets(plan, program->ops[i].in, ASY_OP_INS);
        set_offsets(plan, program->ops[i].out, ASY_OP_OUTS);
    }
out:
    free(order);
    free(near);
    return rc;
}
