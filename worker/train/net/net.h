/* SPDX-License-Identifier: Apache-2.0
 * net.h - networks: layers planned once into programs of operations (asy/op.h) and one block of
 * memory.
 *
 * A model family only makes a list of layers (families.h). A layer's output goes to the next one,
 * or wherever others name it; where it is used twice its gradient is the sum of both. From the list
 * come the parameters (one flat block, each tensor at a multiple of 16 floats, gaps zero), buffers
 * of the same kind for what outlives a step without being learnt, a program for a step of training
 * (forward, loss, backward), one for evaluation, and the places of all activations in WORK memory,
 * where they share room as soon as they are not needed at the same time.
 *
 * Ownership: create/destroy; asy__net_bind() borrows. Threads: one owner. */
#ifndef ASY__NET_H
#define ASY__NET_H
#include <asy/op.h>
#include "learn/learner.h"

#define ASY__LAYERS_MAX 1024
#define ASY__PARAMS_MAX ((size_t)512 << 20)

/* Of one row: channels innermost. A vector has 1 x 1 x C, tokens 1 x T x C. */
struct asy__shape {
    size_t height, width, channels;
};
size_t asy__shape_size(struct asy__shape shape);

/* What a list of layers says of each. */
enum asy__layer_kind {
    ASY__DENSE,   /* width outputs of each vector of channels, then act */
    ASY__ADD,     /* of two outputs of the same shape */
    ASY__FLATTEN, /* to a vector */
    ASY__ACT,     /* act by itself; where it follows a layer that has one of its own, it joins it */
    ASY__DROPOUT, /* rate */
    ASY__LAYER_NORM, /* of each vector of channels */
    ASY__TOKENS,     /* to as many tokens as width says */
    ASY__PLACE,      /* plus what is learnt for each place of a row */
    ASY__EMBED,      /* of numbers below vocabulary a vector of so wide, and what is of its place */
    ASY__UNEMBED,    /* from a vector to the vocabulary, by the table of layer `table` - 1 */
    ASY__ATTENTION,  /* of 3 x width channels, query, key and value, by so many heads */
    ASY__IMAGE,    /* to `image`: width 0 is the height, channels 0 what is left */
    ASY__CONV,     /* `width` kernels over images, act, then the greatest of windows of `pool` */
    ASY__MAX_POOL, /* of images, by windows of `kernel`, `stride` and `pad` */
    ASY__MEAN_POOL,
    ASY__BATCH_NORM,  /* of each channel over the batch */
    ASY__GLOBAL_MEAN, /* of each channel of an image: a vector */
    ASY__GLOBAL_MAX,
    ASY__LAYER_KINDS,
};
#define ASY__LAYER_INS 2
struct asy__layer_desc {
    enum asy__layer_kind kind;
    /* Whose outputs it takes: 0: the layer before it (the first: the features), n + 1: layer n,
     * ASY__FEATURES. */
    size_t from[ASY__LAYER_INS];
    enum asy_act act;
    size_t width;
    size_t heads, vocabulary, table;
    int causal, is_shared; /* is_shared: an UNEMBED uses the table, too */
    size_t kernel, stride, pad, groups; /* of images; stride 0: 1, of pools: kernel; groups 0: 1 */
    struct asy__shape image;
    size_t pool;   /* 0: none; else windows of so many on a side, side by side */
    double spread; /* of first weights; 0: as asy__init_spread() has it */
    double rate; /* of numbers, or attention's weights, dropped while training, 0 to 0.99 */
};
#define ASY__FEATURES SIZE_MAX

enum asy__init { ASY__ZEROS, ASY__ONES, ASY__NORMAL };
#define ASY__TENSOR_DIMS 4
struct asy__tensor {
    char name[48]; /* "layers.3.weight" */
    size_t n_dims, shape[ASY__TENSOR_DIMS], n;
    size_t at; /* into params and grads, or into buffers */
    int is_buffer;
    enum asy__init init;
    double spread;  /* ASY__NORMAL: standard deviation */
    uint64_t draws; /* the number of its stream of random numbers */
    int early;      /* its gradient is whole before the program's end (ASY_OP_LAST) */
    int joint;      /* all parties' gradient can be made at once (ASY_OP_JOINT) */
};

#define ASY__LAYER_TENSORS 8
#define ASY__LAYER_SAVED 4
struct asy__layer {
    struct asy__layer_desc desc;
    const struct asy__layer_type *type;
    size_t number;
    size_t from[ASY__LAYER_INS]; /* numbers of layers, or ASY__FEATURES */
    struct asy__shape in[ASY__LAYER_INS], out;
    size_t tensors[ASY__LAYER_TENSORS], n_tensors; /* of the net's */
    int learns;  /* it or one that it comes from has parameters */
    size_t uses; /* of its output */
    /* While programs are made: */
    struct asy_operand y, saved[ASY__LAYER_SAVED], dy;
};

struct asy__program {
    struct asy_op *ops;
    size_t n, cap;
};

struct asy__net {
    struct asy__shape features;
    struct asy__shape outputs; /* of evaluation */
    int is_binary;             /* by ASY_OP_BINARY_LOSS: training has one output, evaluation two */
    size_t n_layers, n_tensors, tensors_cap;
    struct asy__layer *layers;
    struct asy__tensor *tensors;
    size_t n_params, n_buffers;      /* with the gaps */
    size_t train_rows, eval_rows;    /* the most of one pass; eval_rows may be less than asked */
    struct asy__program train, eval; /* train: forward, loss, backward */
    size_t n_forward;                /* operations of train before the loss */
    size_t n_work;                   /* floats of WORK */
    size_t parties;                  /* that train it together, each with rows of its own */
    int joint;                       /* some of its gradients can be made for all of them at once */
    size_t own;                      /* what each thread of a team but the first needs behind it */
    struct asy_team *team;           /* by asy__net_team(); NULL: one thread runs it */
    int joins;                       /* training needs sums over the whole batch on the way */
    size_t out;                      /* where in WORK eval leaves the outputs */
    struct asy_op_cpu cpu;           /* by asy__net_bind() */
};

/* loss: of the last layer's outputs, an operation of asy/op.h. train_rows 0: evaluation alone.
 * ASY_E_INVAL: layers that do not fit each other. ASY_E_TOOBIG: too many parameters. */
struct asy__net_options {
    struct asy__shape features;
    struct asy_op loss; /* its kind and value */
    size_t train_rows, eval_rows;
    size_t parties; /* each with train_rows at most, that see each other's WORK; 0: it has none */
    int bf16; /* products of dense layers, in training, by ASY_OP_BF16 */
};
ASY_MUST_CHECK int asy__net_create(const struct asy__layer_desc *layers, size_t n,
                                   const struct asy__net_options *options,
                                   struct asy__net **ret_net, struct asy_error *err);
void asy__net_destroy(struct asy__net *net); /* NULL is fine */
/* Whether batches of training may have so few rows: one alone is all that batch normalisation of
 * single numbers would be of. ASY_E_INVAL. */
ASY_MUST_CHECK int asy__net_check_rows(const struct asy__net *net, size_t rows,
                                       struct asy_error *err);
/* Of a net that is not bound yet: what runs its programs. Borrowed; NULL: the calling thread. */
void asy__net_team(struct asy__net *net, struct asy_team *team);
/* Floats that asy__net_bind() wants, aligned to 64 bytes; where gradients are joint, WORK is not
 * among them: the parties see each other's, so it has a place of its own, [n_work] by
 * asy__net_work(). */
size_t asy__net_room(const struct asy__net *net);
void asy__net_bind(struct asy__net *net, float *memory);
void asy__net_work(struct asy__net *net, float *work);
/* The index-th of n even parts of the joint gradients, which gradient() has left out
 * (struct asy__learner): see asy_op_joint(). */
void asy__net_join(const struct asy__net *net, const struct asy_op_taker *taker,
                   const struct asy_op_party *parties, size_t n, size_t index);
/* First values, keyed by (seed, layer): no dependence on other draws. params NULL: not wanted. */
void asy__net_init(const struct asy__net *net, uint64_t seed, float *params, float *buffers);
/* Of a net that is bound; borrows it. */
struct asy__learner asy__net_learner(struct asy__net *net, const float *params, float *buffers);
#endif
