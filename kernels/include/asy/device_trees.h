/* SPDX-License-Identifier: Apache-2.0
 * asy/device_trees.h - rounds of gradient boosting on accelerators: trees grown from histograms of
 * a binned table, by the rules of asy/gbdt.h.
 *
 * Table, labels, margins, histograms and the trees of a round stay in the device's memory. A round
 * is put into its queue as a whole, and read when it is over: trees and margins. Where ranks share
 * the rows, the greatest exponents of each tree's derivatives and each level's new histograms are
 * read, joined by them, and written back; at the end they tell each other whether one has failed.
 *
 * Bits: sums are of whole numbers, so their order means nothing, and what is made of them is
 * computed in double precision as the cpu does: from equal derivatives come the cpu's trees, to the
 * last bit, for any number of ranks. Derivatives of the logistic and softmax losses go by the
 * device's exponential function, in double precision too; they differ from the cpu's rarely, in
 * the last bit of a float.
 *
 * Errors and threads as asy/device.h; ASY_E_UNSUPPORTED: a device without double precision.
 * Ownership: create/destroy; borrows its device, and nothing of what create is given. */
#ifndef ASY_DEVICE_TREES_H
#define ASY_DEVICE_TREES_H
#include <asy/device.h>

enum asy_device_trees_loss { /* as enum asy_gbdt_loss */
    ASY_DEVICE_TREES_SQUARED, ASY_DEVICE_TREES_LOGISTIC, ASY_DEVICE_TREES_SOFTMAX,
};
/* x[i] = sum over ranks of x[i], in place; all ranks call it equally often, for as many. */
typedef int asy_device_trees_join_f(void *arg, int64_t *x, size_t n, struct asy_error *err);
struct asy_device_trees_desc {
    enum asy_device_trees_loss loss;
    size_t outputs;          /* trees of a round: 1, or the classes of softmax */
    size_t max_depth;        /* 1 to 12 */
    size_t rows;             /* of this rank, at most 2^31; may be 0 */
    size_t features;         /* > 0 */
    const uint64_t *words;   /* [features / 8, rounded up][rows]: bins, feature f in byte f % 8 from
                              * below; bin 0 is that of missing values */
    const uint32_t *at;      /* [features + 1]: the first histogram cell of each, ascending */
    const float *label;      /* [rows] */
    const float *weight;     /* [rows]; NULL: 1 each */
    double learning_rate, l1, l2, gamma, min_child_weight;
    double subsample;        /* (0, 1]: the chance of a row to take part in a round */
    uint64_t seed, first_row; /* what rows draw goes by: first_row is that of the first one here */
    asy_device_trees_join_f *join; /* NULL: all rows are here */
    void *join_arg;
};
/* A node of a tree of which all places are there: those below place i are 2 i + 1 and 2 i + 2. */
struct asy_device_tree_node {
    int32_t feature;       /* of a split; ASY_DEVICE_TREE_LEAF, ASY_DEVICE_TREE_NONE */
    uint32_t bin;          /* of a split: the last one that goes left */
    uint32_t default_left; /* of a split: whether bin 0 does */
    float value;           /* of a leaf, learning rate included */
    float gain, weight;    /* as asy/gbdt.h has them */
};
#define ASY_DEVICE_TREE_LEAF (-1)
#define ASY_DEVICE_TREE_NONE (-2) /* nothing is at that place */
static inline size_t asy_device_trees_places(size_t max_depth)
{
    return ((size_t)2 << max_depth) - 1;
}

struct asy_device_trees;
/* Margins are zeros at first. ASY_E_TOOBIG, ASY_E_NOMEM: as asy_device_net_create(). */
ASY_MUST_CHECK int asy_device_trees_create(struct asy_device *device,
                                           const struct asy_device_trees_desc *desc,
                                           struct asy_device_trees **ret_trees,
                                           struct asy_error *err);
void asy_device_trees_destroy(struct asy_device_trees *trees); /* NULL is fine */
/* margins [rows][outputs]; may be changed after the call. */
ASY_MUST_CHECK int asy_device_trees_write(struct asy_device_trees *trees, const float *margins,
                                          struct asy_error *err);
/* A tree for each output, all from the margins at the beginning of the round, of which it is the
 * number; use [outputs][features]: not 0 where a tree may use a feature, each at least one. nodes
 * [outputs][asy_device_trees_places()] =, margins [rows][outputs] =, with the trees' values added.
 * ASY_E_TOOBIG: a derivative is no finite float, on any rank, and nothing else. If it fails it has
 * failed on all ranks, unless join failed; the trees are only to be destroyed then. */
ASY_MUST_CHECK int asy_device_trees_round(struct asy_device_trees *trees, uint64_t round,
                                          const uint8_t *use, struct asy_device_tree_node *nodes,
                                          float *margins, struct asy_error *err);
#endif
