/* SPDX-License-Identifier: Apache-2.0
 * learner.h - what turns rows into outputs, one for each class, or one, and learns to: how the
 * training loop and the scoring see a network, and whatever else gives a gradient. Trees, which
 * give none, only have outputs.
 *
 * The engine owns parameters, gradients, the optimiser, the order of rows and the sum over ranks; a
 * learner fills a gradient for the rows that it is given.
 *
 * Ownership: a learner borrows all that it points to. Threads: one owner. */
#ifndef ASY__LEARNER_H
#define ASY__LEARNER_H
#include <asy/error.h>

struct asy__score;
struct asy__scoring;
struct asy__learner;

/* Rows of a batch that this rank has in hand. What is random in a gradient is keyed by seed, step
 * and a row's place in the whole batch, so that it does not depend on how many ranks there are. */
struct asy__batch {
    size_t rows;          /* > 0, unless the learner joins */
    size_t first;         /* of the whole batch, before these */
    const float *x;       /* [rows][features] */
    const int32_t *label; /* [rows] */
    const float *target;  /* [rows] */
    float scale;          /* one by the rows of the whole batch */
    uint64_t seed, step;
    const uint32_t *row;  /* [rows] their numbers in the training part */
    size_t shard;         /* of the batch, that these rows are */
};

struct asy__learner_type {
    /* First values of params [n_params] (NULL: not wanted), gaps included, and of buffers
     * [n_buffers]. */
    void (*init)(const struct asy__learner *learner, uint64_t seed, float *params, float *buffers);
    /* grads [n_params] = the gradient of scale times the summed loss, gaps left alone; score +=.
     * May change the buffers. Ranks call it as often as they have pieces of a batch, so it may not
     * wait for other ranks, unless the learner joins: then all call it once for each batch. */
    int (*gradient)(const struct asy__learner *learner, const struct asy__batch *batch,
                    float *grads, struct asy__score *score, struct asy_error *err);
    /* x [rows][features], rows <= rows_max: outputs [rows][outs], borrowed until the next call, to
     * be changed at will. */
    int (*outputs)(const struct asy__learner *learner, const float *x, size_t rows,
                   float **ret_outputs, struct asy_error *err);
    /* Scores rows from..to of data, of a part that begins at start, where their outputs are made:
     * score and the tally += (learn/score.h). NULL: by outputs(). */
    int (*score)(const struct asy__learner *learner, const struct asy__scoring *scoring,
                 size_t start, size_t from, size_t to, struct asy__score *score,
                 struct asy_error *err);
};

struct asy_comm;
struct asy_op;
struct asy_op_taker;
struct asy__learner {
    const struct asy__learner_type *type;
    /* Its gradient needs sums over the whole batch: all ranks ask for it, be it of no rows. They
     * are made by comm; NULL: there is one rank. */
    int joins;
    struct asy_comm *comm;
    /* Told by a network's gradient() how far it is (struct asy_op_cpu); NULL: nobody wants to
     * know. */
    void (*between)(void *arg, const struct asy_op *op, size_t n);
    void *between_arg;
    /* Of early tensors' gradients (net/net.h; asy/op.h); NULL: gradient() leaves all in grads. */
    const struct asy_op_taker *taker;
    int leaves; /* gradient() leaves out those of joint tensors (net/net.h) */
    size_t n_params, n_buffers;
    size_t rows_max, outs;
    const float *params; /* [n_params] */
    float *buffers;      /* [n_buffers] */
    void *self;          /* the type's */
};
#endif
