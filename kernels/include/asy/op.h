/* SPDX-License-Identifier: Apache-2.0
 * asy/op.h - a step of training as plain records: programs of operations that a back end executes.
 *
 * An operation names its operands by memory space and offset, never by pointer, and its sizes for
 * one row of the batch; how many rows there are is told when it runs. So one program serves every
 * batch, every rank and every back end: the cpu executes it here with the kernels of asy/kernels.h,
 * others hold the spaces in memory of their own. Nothing in a program needs the host before its
 * end, but for the operations whose sums are joined (batch normalisation), each of which waits for
 * join(), of struct asy_op_cpu or of a device's net. Running one allocates nothing.
 *
 * To add an operation: a kind below, with what its operands and sizes are, a case in cpu/op.c that
 * calls the kernel, and with `plain` its _ref twin, and an entry in device/exec.c (without one,
 * devices refuse it by name). What emits it is a layer, whose tests run it both ways
 * (worker/train/net/net_impl.h says how to add one).
 *
 * Bits: those of the kernels. A row's results must not depend on how many rows stand beside it.
 * Bits do not depend on how many threads a team has, either.
 * Threads: any, each with memory of its own; a call runs on the calling thread and its team. */
#ifndef ASY_OP_H
#define ASY_OP_H
#include <asy/bf16.h>
#include <asy/kernels.h>
#include <asy/team.h>
#include <asy/update.h>

/* Where an operand lies. Offsets count floats; spaces begin at multiples of 64 bytes. */
enum asy_op_space {
    ASY_SPACE_NONE,    /* there is no such operand */
    ASY_SPACE_INPUT,   /* the features of the batch's rows; read only */
    ASY_SPACE_PARAMS,  /* read only */
    ASY_SPACE_GRADS,   /* laid out as the parameters */
    ASY_SPACE_BUFFERS, /* what outlives a step without being a parameter: running statistics */
    ASY_SPACE_WORK,    /* activations and their gradients; means nothing between two programs */
};
#define ASY_SPACES 6
struct asy_operand {
    enum asy_op_space space;
    size_t at;
};

/* Operands in their order -> results; n[0], n[1], ... are the sizes. rows: those of the batch times
 * per_row. "=": the result is overwritten. */
enum asy_op_kind {
    /* x [rows][in], w [out][in], b [out] -> y [rows][out] = act(x w^T + b), z = the sum in the
     * brackets; z may be y, and is where asy_act_needs_sum() does not ask for it. n: in, out. */
    ASY_OP_DENSE,
    /* dy [rows][out], w -> dx [rows][in] = dy w. n: in, out. */
    ASY_OP_DENSE_DX,
    /* dy, x -> dw [out][in] = dy^T x. ASY_OP_LAST. n: in, out. */
    ASY_OP_DENSE_DW,
    /* dy [rows][n], from (z or y, see asy_bias_act_grad()) -> dz = dy act'(z), db [n] = sums of dz
     * over the rows; dz may be dy. n: n. */
    ASY_OP_BIAS_ACT_GRAD,
    /* x [rows][n] -> sums [n] = over the rows. n: n. */
    ASY_OP_COLUMN_SUMS,
    /* a [rows][n], b -> y = a + b; y may be either. n: n. */
    ASY_OP_ADD,
    /* x [rows][n] -> y = act(x); y may be x. n: n. */
    ASY_OP_ACT,
    /* dy [rows][n], from (x or y, see asy_act_grad()) -> dx; dx may be dy. n: n. */
    ASY_OP_ACT_GRAD,
    /* x [rows][n] -> y, by asy_softmax(); y may be x. n: n. */
    ASY_OP_SOFTMAX,
    /* dy [rows][n], y -> dx, by asy_softmax_grad(); dx may be dy. n: n. */
    ASY_OP_SOFTMAX_GRAD,
    /* x [rows][n] -> y; y may be x. The gradient is the same for dy. value: rate. n: n, layer. */
    ASY_OP_DROPOUT,
    /* x [rows][n], scale [n], shift [n] -> y, stats [rows][2]; y may be x. value: epsilon. n: n. */
    ASY_OP_LAYER_NORM,
    /* dy [rows][n], x, scale, stats -> dx, dscale [n], dshift [n]; dx may be dy. n: n. */
    ASY_OP_LAYER_NORM_GRAD,
    /* x [rows][n], b [n] -> y = x + b; y may be x. n: n. */
    ASY_OP_BIAS,
    /* ids [rows], table [vocabulary][cols], place [tokens][cols] or none -> y [rows][cols], by
     * asy_embed(). n: tokens, cols, vocabulary. */
    ASY_OP_EMBED,
    /* ids, dy -> dtable, dplace or none, by asy_embed_grad(). ASY_OP_ADDS: dtable +=. n: as
     * before. */
    ASY_OP_EMBED_GRAD,
    /* qkv [rows tokens][3][heads][width] -> y [rows tokens][heads][width], stats
     * [rows][heads][tokens][2], by asy_attention(), and what it needs for scores.
     * ASY_OP_CAUSAL. value: rate of dropout. n: tokens, heads, width, layer (of dropout). */
    ASY_OP_ATTENTION,
    /* qkv, stats, dy -> dqkv, by asy_attention_grad(), and scores. Flag, value and n: as before. */
    ASY_OP_ATTENTION_GRAD,
    /* Of images (asy/conv.h, asy/pool.h); n: h, w, in, out, kh, kw, stride, pad, groups of the
     * convolution. x, w, b -> y = act(conv(x) + b), z as with dense layers, and room of
     * asy_conv_room() floats. */
    ASY_OP_CONV,
    /* dz, w -> dx, and room. */
    ASY_OP_CONV_DX,
    /* dz, x -> dw, and room. */
    ASY_OP_CONV_DW,
    /* x, w, b -> y = act(max pool(conv(x) + b)), from (bytes), and room of asy_conv_pool_room()
     * floats. n: as before, then size and stride of the windows. */
    ASY_OP_CONV_POOL,
    /* dz (of the pooled), from, x, w -> dw, dx or none, and room. n: as before. */
    ASY_OP_CONV_POOL_GRAD,
    /* x -> y, from (bytes: the greatest of each window). n: h, w, channels, size, stride, pad. */
    ASY_OP_MAX_POOL,
    /* dy, from -> dx. n: as before. */
    ASY_OP_MAX_POOL_GRAD,
    /* x -> y: means. n: as before. */
    ASY_OP_MEAN_POOL,
    /* dy -> dx. n: as before. */
    ASY_OP_MEAN_POOL_GRAD,
    /* x [rows][pixels][channels] -> y [rows][channels]: means. n: pixels, channels. */
    ASY_OP_GLOBAL_MEAN,
    /* dy -> dx. n: as before. */
    ASY_OP_GLOBAL_MEAN_GRAD,
    /* x [rows][pixels][channels] -> y [rows][channels]: the greatest. n: pixels, channels. */
    ASY_OP_GLOBAL_MAX,
    /* dy, x, y -> dx: to the first pixel that is the greatest. n: as before. */
    ASY_OP_GLOBAL_MAX_GRAD,
    /* x [rows][n], scale [n], shift [n] -> y, stats (asy_batch_stats_len()), running mean and
     * variance [n] (moved), and room for two sums of asy_batch_sums_len() doubles; y may be x.
     * value: epsilon. n: n. The batch's sums are joined (struct asy_op_cpu). */
    ASY_OP_BATCH_NORM,
    /* x, scale, shift, mean [n], variance [n] -> y, and room for stats: by the running ones. value:
     * epsilon. n: n. */
    ASY_OP_BATCH_NORM_EVAL,
    /* dy [rows][n], x, scale, stats -> dx, dscale [n], dshift [n] (of these rows), and room as
     * before; dx may be dy. n: n. The sums are joined. */
    ASY_OP_BATCH_NORM_GRAD,
    /* logits [rows][n] -> the gradient of scale times their cross-entropy against the labels (scale
     * 0: probabilities), in the same place or another; adds to the sums. n: n. */
    ASY_OP_SOFTMAX_LOSS,
    /* y [rows][1] -> the gradient of scale times the squared error against the targets (scale 0: y
     * itself), in the same place or another; adds to the sums. n: 1. */
    ASY_OP_SQUARED_LOSS,
    /* Those of asy/loss.h, with operands and results as the two above. value: the smoothing, with
     * the weights of struct asy_op_cpu (of the first two); delta; the quantile. */
    ASY_OP_CLASS_LOSS, ASY_OP_BINARY_LOSS, ASY_OP_HUBER_LOSS, ASY_OP_QUANTILE_LOSS,
    /* x [rows] -> y [rows][2]: 0 and x, the logits whose softmax has the sigmoid of x; y is not x.
     * n: none. */
    ASY_OP_PAIR,
};

/* Flags, of the kinds that name them. */
#define ASY_OP_ADDS (1u << 0)
#define ASY_OP_CAUSAL (1u << 1)
/* Of the three of dense layers: their product takes its operands rounded to bfloat16
 * (asy/bf16.h). */
#define ASY_OP_BF16 (1u << 2)
/* The program names neither this gradient again nor the parameters that it is of: whoever wants it
 * may have it at once (struct asy_op_taker). */
#define ASY_OP_LAST (1u << 3)
/* One of these, whose operands stay what they are until the program is over: where several parties
 * each run it on rows of their own, the gradient of all rows can be made afterwards, by
 * asy_op_joint(). */
#define ASY_OP_JOINT (1u << 4)

#define ASY_OP_INS 6
#define ASY_OP_OUTS 5
#define ASY_OP_SIZES 12
struct asy_op {
    enum asy_op_kind kind;
    enum asy_act act;
    unsigned flags; /* of the kind */
    float value;    /* of the kind */
    size_t per_row;
    size_t n[ASY_OP_SIZES];
    struct asy_operand in[ASY_OP_INS], out[ASY_OP_OUTS];
};

/* What a loss adds up, over the rows that it sees. */
enum asy_sum {
    ASY_SUM_ROWS, ASY_SUM_LOSS,
    ASY_SUM_CORRECT,                                             /* of classes */
    ASY_SUM_ABSOLUTE, ASY_SUM_TARGET, ASY_SUM_TARGET_SQUARED,    /* of numbers */
    ASY_SUM_SQUARED,                                             /* of their errors */
};
#define ASY_SUMS 7

/* What is told of a batch when a program runs on it. */
struct asy_op_step {
    size_t rows;         /* of the batch, here */
    size_t first;        /* rows of the whole batch, on all ranks, before them */
    float scale;         /* of the loss */
    uint64_t seed, step; /* of random numbers: the training's, and updates behind it */
};

/* Takes gradients while they are in the nearest cache: g, of a block of the parameters whose first
 * entry is `at` and whose rows are block->row floats apart. It may change these parameters at once.
 * Each entry comes once; what is in its GRADS means nothing afterwards. */
struct asy_op_taker {
    void (*take)(void *arg, size_t at, const struct asy_block *block, const float *g);
    void *arg;
    const float *near[ASY_GEMM_NEAR]; /* arrays laid out as the parameters, which take() changes */
    size_t n_near;
};

/* The memory of the cpu. Spaces that a program does not name may be NULL. */
#define ASY_OP_ROOM ASY_BF16_ROOM
struct asy_op_cpu {
    const float *read[ASY_SPACES]; /* by enum asy_op_space */
    float *write[ASY_SPACES];      /* the same, but for what is read only */
    const int32_t *label;          /* [rows], of the losses of classes */
    const float *target;           /* [rows], of those of numbers */
    const float *class_weights;    /* [classes], of those that have them; NULL: ones */
    double *sums;                  /* [ASY_SUMS], += */
    float *room;                   /* [ASY_OP_ROOM], aligned to 64 bytes */
    int plain;                     /* by the _ref twins */
    /* Adds up numbers of all that have a part of the batch, in place; NULL: it is here as a whole.
     * They all run the program, be it on no rows. */
    void (*join)(void *arg, double *sums, size_t n);
    void *join_arg;
    /* Told of each operation when it is over (n: SIZE_MAX), and, without a team, every few tenths
     * of a millisecond within products of dense layers that take longer, by how many entries of
     * their gradient are whole. NULL: nobody wants to know. */
    void (*between)(void *arg, const struct asy_op *op, size_t n);
    void *between_arg;
    struct asy_team *team; /* what runs operations that are large enough; NULL: this thread alone */
    size_t own_at, own;    /* of WORK, for each thread of the team but the first: asy_op_own() */
    const struct asy_op_taker *taker; /* of operations with ASY_OP_LAST; NULL: GRADS has it all */
    int joint; /* operations with ASY_OP_JOINT are left out */
};
/* Floats that each further thread of a team needs for the program, a multiple of 16. */
size_t asy_op_own(const struct asy_op *program, size_t n);
/* asy_kernels_init() comes first. */
void asy_op_run(const struct asy_op *program, size_t n, const struct asy_op_cpu *cpu,
                const struct asy_op_step *step);
/* What one of several has left of the program: INPUT and WORK, for so many rows of the batch. */
struct asy_op_party {
    const float *input, *work;
    size_t rows;
};
#define ASY_OP_PARTIES 8 /* the most */
/* Whether it is worth it for an operation on so many rows of each. */
int asy_op_is_worth_joining(const struct asy_op *op, size_t rows, size_t parties);
/* Of the gradients that asy_op_run() has left out for cpu->joint, the index-th of n even parts of
 * each, to cpu->taker: the parties' gradients, each to the bit as its own program has it, added up
 * in their order. Each of them has rows, and none writes to its WORK or INPUT meanwhile. */
void asy_op_joint(const struct asy_op *program, size_t n_ops, const struct asy_op_cpu *cpu,
                  const struct asy_op_party *parties, size_t n, size_t index);
/* A loss by itself, of outputs that are at hand: op has its kind, value and sizes, cpu labels or
 * targets, weights and sums; out [rows][n] are changed in place. */
void asy_op_loss(const struct asy_op *op, const struct asy_op_cpu *cpu, size_t rows, float *out,
                 float scale);
#endif
