/* SPDX-License-Identifier: Apache-2.0
 * plan.h - a network while it is planned: what the files that plan it share. What a layer may do
 * with it is in net_impl.h. */
#ifndef ASY__PLAN_H
#define ASY__PLAN_H
#include "net_impl.h"

/* A value of WORK. */
struct asy__work {
    size_t per_row, fixed;
    size_t first, last; /* operations that name it: last < first means none */
    size_t size, at;
};

struct asy__plan {
    struct asy__net *net;
    struct asy__program *program; /* that is being made */
    struct asy__work *values;
    size_t n_values, values_cap;
    int trains, bf16, failed;
};

static inline size_t asy__round16(size_t n)
{
    return (n + 15) / 16 * 16;
}

static inline int asy__is_same(struct asy_operand a, struct asy_operand b)
{
    return a.space == b.space && a.at == b.at;
}

/* plan_shapes.c. Links the layers, and gives them their shapes and tensors. */
ASY_MUST_CHECK int asy__plan_shapes(struct asy__plan *plan, const struct asy__layer_desc *descs,
                                    struct asy_error *err);

/* plan_ops.c. The array with room for one more entry of so many bytes; NULL: no memory, it stays as
 * it was. */
void *asy__plan_grow(void *array, size_t n, size_t *cap, size_t size);
/* That the operation at this place names the operand. */
void asy__plan_live(struct asy__plan *plan, const struct asy_operand *operand, size_t at);
/* Where nothing reads y after the operation that makes x of it, x takes y's place. */
void asy__plan_merge(struct asy__plan *plan, struct asy_operand x, struct asy_operand y,
                     size_t at);

/* plan_grads.c. Tensors' gradients that may be taken at once. */
void asy__plan_mark_early(struct asy__net *net);
/* Gradients that the parties make together when the program is over, if these are most of all: what
 * they are made of stays. */
void asy__plan_mark_joint(struct asy__plan *plan);

/* plan_places.c. Gives the values their places, for passes of so many rows, and the operations
 * their offsets. */
ASY_MUST_CHECK int asy__plan_places(struct asy__plan *plan, size_t rows, struct asy_error *err);
#endif
