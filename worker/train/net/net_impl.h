/* SPDX-License-Identifier: Apache-2.0
 * net_impl.h - how a kind of layer takes part in planning a network.
 *
 * To add one: a kind in net.h (and what its description says of it), a file net_KIND.c with a
 * struct asy__layer_type, its line in the table of plan_shapes.c, its gradient in
 * tests/train/test_net.c, its nodes in onnx/onnx_net.c with a case in tests/train/export_nets.c,
 * and, if a family is to use it, families.c.
 *
 * While a program is made, an operand in WORK has the number of a value for its offset; where the
 * values lie is decided when all operations are known. What fails for want of memory is told at the
 * end, so that layers need not ask after each operation. */
#ifndef ASY__NET_IMPL_H
#define ASY__NET_IMPL_H
#include "net.h"

#define ASY__NORM_EPSILON 1e-5f /* of layer and batch norm, PyTorch's */

struct asy__plan;

struct asy__layer_type {
    const char *name;
    size_t ins;   /* outputs that it takes */
    int has_act;  /* an activation that follows it, and alone takes its output, becomes its own */
    /* Checks in[], sets out, and adds the tensors. */
    int (*shape)(struct asy__plan *plan, struct asy__layer *layer, struct asy_error *err);
    /* Emits the operations of a forward pass and sets y; what backward needs goes to saved. */
    void (*forward)(struct asy__plan *plan, struct asy__layer *layer);
    /* Emits those of the backward pass, which turn the gradient of y into those of its tensors and,
     * where asy__plan_wants(), of its inputs. */
    void (*backward)(struct asy__plan *plan, struct asy__layer *layer);
};
extern const struct asy__layer_type asy__layer_dense, asy__layer_add, asy__layer_flatten,
    asy__layer_act, asy__layer_dropout, asy__layer_layer_norm, asy__layer_tokens,
    asy__layer_place, asy__layer_embed, asy__layer_unembed, asy__layer_attention,
    asy__layer_image, asy__layer_batch_norm, asy__layer_conv, asy__layer_max_pool,
    asy__layer_mean_pool, asy__layer_global_mean, asy__layer_global_max;

/* ---- in shape() ---- */

/* Adds the layer's next tensor, called "layers.<number>.<name>": of the argument count name, shape,
 * init, spread and is_buffer. ASY_E_TOOBIG, ASY_E_NOMEM. */
ASY_MUST_CHECK int asy__plan_tensor(struct asy__plan *plan, struct asy__layer *layer,
                                    const struct asy__tensor *tensor, struct asy_error *err);
/* ASY_E_INVAL, with the layer's name before the text. */
ASY_PRINTF(3, 4) int asy__plan_refuse(const struct asy__layer *layer, struct asy_error *err,
                                      const char *format, ...);
/* Vectors of channels in a row of the batch. */
size_t asy__shape_vectors(struct asy__shape shape);
/* Standard deviation of first weights with so many inputs and outputs: He et al. 2015 (arXiv
 * 1502.01852, section 2.2) before rectifiers and their relatives, Glorot and Bengio 2010 (equation
 * 12, as a normal) before tanh, sigmoid, softmax and where no activation follows. */
double asy__init_spread(enum asy_act act, size_t in, size_t out);

/* Another layer, before this one; NULL: there is none. */
const struct asy__layer *asy__plan_layer(const struct asy__plan *plan,
                                         const struct asy__layer *layer, size_t number);
/* Whether its sums go to batch normalisation and nowhere else. */
int asy__plan_is_normed(const struct asy__plan *plan, const struct asy__layer *layer);

/* ---- in forward() and backward() ---- */

int asy__plan_trains(const struct asy__plan *plan); /* 0: for evaluation */
/* Its operations need sums over the whole batch. */
void asy__plan_joins(struct asy__plan *plan);
/* The output of a layer that is its i-th input. */
struct asy_operand asy__plan_x(const struct asy__plan *plan, const struct asy__layer *layer,
                               size_t i);
/* Its i-th tensor: where it is (a parameter or a buffer), and its gradient. */
struct asy_operand asy__plan_tensor_at(const struct asy__plan *plan,
                                       const struct asy__layer *layer, size_t i);
struct asy_operand asy__plan_grad_at(const struct asy__plan *plan, const struct asy__layer *layer,
                                     size_t i);
/* A new value in WORK: of per_row floats for each row of the batch, and fixed ones beside. */
struct asy_operand asy__plan_value(struct asy__plan *plan, size_t per_row, size_t fixed);
/* Appends a copy of op. */
void asy__plan_emit(struct asy__plan *plan, const struct asy_op *op);

/* A forward() of layers whose output is their input, and a backward() of all whose gradient passes
 * on to each input as it is. */
void asy__plan_same(struct asy__plan *plan, struct asy__layer *layer);
void asy__plan_pass_on(struct asy__plan *plan, struct asy__layer *layer);

/* Of a layer with an activation, of vectors of out.channels numbers. Its own operation takes one
 * that goes number by number; where that is not all, as of a softmax, another one follows, in place
 * of y. */
enum asy_act asy__plan_act(const struct asy__layer *layer);
void asy__plan_act_rest(struct asy__plan *plan, const struct asy__layer *layer, size_t vectors,
                        struct asy_operand y);

/* ---- in backward() ---- */

/* From the gradient of such a layer's outputs to that of their sums, and of the bias, which is over
 * all vectors; returns where it is: dy where there is no activation, else dz, which may be dy.
 * from: the sums, if asy_act_needs_sum(), else the outputs. */
struct asy__act_grad {
    struct asy_operand dy, dz, from, dbias;
};
struct asy_operand asy__plan_act_grad(struct asy__plan *plan, const struct asy__layer *layer,
                                      size_t vectors, const struct asy__act_grad *of);

/* The gradient of y: layer->dy, which may only be read; where to put one that takes its place: in
 * dy itself, unless others need that still. */
struct asy_operand asy__plan_dy_room(struct asy__plan *plan, const struct asy__layer *layer);
/* Whether somebody needs the gradient of the i-th input. */
int asy__plan_wants(const struct asy__plan *plan, const struct asy__layer *layer, size_t i);
/* The gradient of the i-th input by way of this layer; once for each input that wants it, after
 * the operation that makes it. dx may be dy. */
void asy__plan_give(struct asy__plan *plan, const struct asy__layer *layer, size_t i,
                    struct asy_operand dx);
#endif
