/* SPDX-License-Identifier: Apache-2.0
 * asy/gbdt.h - gradient-boosted trees on tables of numbers, grown level by level from histograms.
 *
 * Boosting by first and second derivatives, gains and leaf values: Chen and Guestrin 2016,
 * "XGBoost: a scalable tree boosting system" (arXiv 1603.02754, equations 5 to 7; missing values:
 * algorithm 3). Histograms of binned features, of two siblings one by subtraction: Ke et al. 2017,
 * "LightGBM: a highly efficient gradient boosting decision tree" (NIPS 30, algorithm 1).
 * Conventions (which rows go left, what counts as a gain, which of equal splits is taken) are those
 * of xgboost's `hist`.
 *
 * Bits: derivatives become whole numbers, relative to the largest of the round (2^-30 of it), and
 * histograms sum whole numbers. So trees do not depend on the order of the rows, nor on how many
 * ranks the rows are spread over, to the last bit.
 *
 * Arrays are row-major: x [rows][features], margins [rows][outputs]. A missing value is NaN;
 * infinities are refused where trees are made.
 *
 * Ownership: create/destroy; a table borrows its cuts, a fit its model, table, labels and weights:
 *            they must outlive it. Threads: one owner per object; a table, and a model that no fit
 *            adds to, may be read by any number. */
#ifndef ASY_GBDT_H
#define ASY_GBDT_H
#include <asy/safetensors.h>

#define ASY_GBDT_BINS_MAX 256     /* of a feature: one for missing values, 255 for others */
#define ASY_GBDT_DEPTH_MAX 12
#define ASY_GBDT_FEATURES_MAX 65536
#define ASY_GBDT_CLASSES_MAX 1024
#define ASY_GBDT_FIELDS 7 /* of a node in a file */
#define ASY_GBDT_ROWS_MAX (1u << 31) /* on one rank; 2^32 over all */

enum asy_gbdt_loss {
    ASY_GBDT_SQUARED,  /* (margin - label)^2 / 2 */
    ASY_GBDT_LOGISTIC, /* label in [0, 1], margin is its log-odds */
    ASY_GBDT_SOFTMAX,  /* label is 0 .. classes - 1; one tree for each class in each round */
};

struct asy_gbdt_params {
    enum asy_gbdt_loss loss;
    size_t classes;          /* softmax: 2 to ASY_GBDT_CLASSES_MAX; others: 0 */
    size_t max_depth;        /* 1 to ASY_GBDT_DEPTH_MAX splits on the way to a leaf */
    double learning_rate;    /* (0, 1] */
    double l1, l2;           /* >= 0: penalties on a leaf's value */
    double gamma;            /* >= 0: a split must gain as much; 1e-6 at least */
    double min_child_weight; /* >= 0: the least sum of second derivatives in a child */
    double subsample;        /* (0, 1]: the chance of a row to take part in a round's trees */
    double colsample;        /* (0, 1]: the share of features that a tree may use, rounded, not 0 */
    double base;             /* the margin before the first tree, finite */
    uint64_t seed;
};
#define ASY_GBDT_PARAMS_INIT                                                                       \
    {                                                                                              \
        .loss = ASY_GBDT_SQUARED, .max_depth = 6, .learning_rate = 0.3, .l2 = 1,                   \
        .min_child_weight = 1, .subsample = 1, .colsample = 1                                      \
    }

/* Where each feature's values are cut into bins: bins of equally many rows, as far as equal values
 * allow; a bin for each value where there are no more values than bins. Exact, by sorting.
 * max_bins: 3 to ASY_GBDT_BINS_MAX, that of missing values included. rows > 0.
 * ASY_E_INVAL: an infinite value. Ranks of one fit need equal cuts, made from all rows. */
struct asy_gbdt_cuts;
ASY_MUST_CHECK int asy_gbdt_cuts_create(const float *x, size_t rows, size_t features,
                                        size_t max_bins, struct asy_gbdt_cuts **ret_cuts,
                                        struct asy_error *err);
void asy_gbdt_cuts_destroy(struct asy_gbdt_cuts *cuts);
/* The cuts of a feature, ascending, borrowed: a value is in bin 1 + (how many of them are <= it),
 * NaN in bin 0. */
const float *asy_gbdt_cuts_get(const struct asy_gbdt_cuts *cuts, size_t feature, size_t *ret_n);

/* The bins of rows, a byte each. rows: 0 to ASY_GBDT_ROWS_MAX. ASY_E_INVAL: an infinite value. */
struct asy_gbdt_table;
ASY_MUST_CHECK int asy_gbdt_table_create(const struct asy_gbdt_cuts *cuts, const float *x,
                                         size_t rows, struct asy_gbdt_table **ret_table,
                                         struct asy_error *err);
void asy_gbdt_table_destroy(struct asy_gbdt_table *table);

/* A node of a tree. Node 0 is the root; the children of a split are `left` and `left` + 1. */
struct asy_gbdt_node {
    int32_t feature;      /* -1: a leaf */
    uint32_t left;        /* index in the tree, above the node's own; 0: a leaf */
    float threshold;      /* x < threshold goes left; infinite: all but missing values do */
    int32_t default_left; /* missing values go left */
    float value;          /* of a leaf: what is added to the margin, learning rate included */
    float gain;           /* of a split: equation 7 without the half and gamma; of a leaf: 0 */
    float weight;         /* the sum of second derivatives */
};

/* Trees. Without rounds its margins are params.base. */
struct asy_gbdt;
/* ASY_E_INVAL: a parameter out of its range; the text names it. */
ASY_MUST_CHECK int asy_gbdt_create(const struct asy_gbdt_params *params, size_t features,
                                   struct asy_gbdt **ret_model, struct asy_error *err);
void asy_gbdt_destroy(struct asy_gbdt *model);
const struct asy_gbdt_params *asy_gbdt_params(const struct asy_gbdt *model);
size_t asy_gbdt_features(const struct asy_gbdt *model);
size_t asy_gbdt_outputs(const struct asy_gbdt *model); /* trees in a round */
size_t asy_gbdt_rounds(const struct asy_gbdt *model);
/* Tree of a round and output, borrowed until the model changes; its nodes. */
const struct asy_gbdt_node *asy_gbdt_tree(const struct asy_gbdt *model, size_t round,
                                          size_t output, size_t *ret_n);
/* Drops all rounds from the given one on: early stopping is the caller's. Not during a fit. */
void asy_gbdt_truncate(struct asy_gbdt *model, size_t rounds);
/* margins = of all rounds. Values are added in the order of the rounds, as a fit adds them. */
void asy_gbdt_predict(const struct asy_gbdt *model, const float *x, size_t rows, float *margins);
/* margins += the rounds from first on: what a fit has added since. */
void asy_gbdt_predict_more(const struct asy_gbdt *model, size_t first, const float *x, size_t rows,
                           float *margins);
/* In place, margins to: squared: the same; logistic: the chance of label 1; softmax: chances. */
void asy_gbdt_respond(const struct asy_gbdt *model, size_t rows, float *margins);
/* *ret_sum = sum of weight times loss (its formula above; the others: minus the logarithm of the
 * label's chance), *ret_weight = sum of weights. weight [rows]; NULL: 1 each. */
void asy_gbdt_loss(const struct asy_gbdt *model, const float *margins, const float *label,
                   const float *weight, size_t rows, double *ret_sum, double *ret_weight);

/* The trees of the first `rounds` rounds (of all, where there are fewer) as two tensors of a file
 * of the caller's: "trees" [trees], how many nodes each has, and "nodes" [nodes][ASY_GBDT_FIELDS],
 * in the order of struct asy_gbdt_node. */
struct asy_gbdt_packed {
    size_t n_trees, n_nodes;
    float *trees; /* [n_trees] */
    float *nodes; /* [n_nodes][ASY_GBDT_FIELDS] */
};
/* Room for so many, zero. */
ASY_MUST_CHECK int asy_gbdt_packed_init(size_t n_trees, size_t n_nodes,
                                        struct asy_gbdt_packed *ret_packed, struct asy_error *err);
ASY_MUST_CHECK int asy_gbdt_pack(const struct asy_gbdt *model, size_t rounds,
                                 struct asy_gbdt_packed *ret_packed, struct asy_error *err);
void asy_gbdt_packed_fini(struct asy_gbdt_packed *packed);
/* Borrows from packed. */
void asy_gbdt_packed_tensors(const struct asy_gbdt_packed *packed, struct asy_tensor_out ret[2]);
/* Copies the two tensors of a file. ASY_E_CORRUPT: they are not there. */
ASY_MUST_CHECK int asy_gbdt_packed_read(const struct asy_safetensors *file,
                                        struct asy_gbdt_packed *ret_packed, struct asy_error *err);
/* Gives the trees to a model of no rounds. ASY_E_CORRUPT: they are none of its features, outputs
 * and depth; the model is as before. */
ASY_MUST_CHECK int asy_gbdt_unpack(struct asy_gbdt *model, const struct asy_gbdt_packed *packed,
                                   struct asy_error *err);

/* All of a model as float32 tensors and metadata; see asy_safetensors_write(). */
ASY_MUST_CHECK int asy_gbdt_save(const struct asy_gbdt *model, const char *path,
                                 struct asy_error *err);
/* ASY_E_CORRUPT: not a model of asy_gbdt_save(), whole; everything is checked. Copies. */
ASY_MUST_CHECK int asy_gbdt_read(const struct asy_safetensors *file, struct asy_gbdt **ret_model,
                                 struct asy_error *err);

/* x[i] = sum over ranks of x[i], in place, for all ranks in the same order of calls. */
typedef int (*asy_gbdt_sum_f)(void *context, int64_t *x, size_t n, struct asy_error *err);
/* A rank's part of the rows: those from first_row on, of all ranks' rows together. */
struct asy_gbdt_shard {
    uint64_t first_row;
    asy_gbdt_sum_f sum;
    void *context;
};

/* Adds rounds to a model. A model that has rounds already is continued, as if it had not been
 * interrupted, from the same cuts (ASY_E_INVAL: other ones).
 * label [rows], weight [rows] >= 0 (NULL: 1 each): finite, of the loss's range, else ASY_E_INVAL.
 * shard: NULL: all rows are here. A rank's part may be empty.
 * Room, allocated here: 16 bytes for each bin of all features, 2^(max_depth - 1) times, and
 * 25 + 8 outputs bytes a row. A round allocates nothing but its nodes, before it begins. */
struct asy_gbdt_fit;
ASY_MUST_CHECK int asy_gbdt_fit_create(struct asy_gbdt *model, const struct asy_gbdt_table *table,
                                       const float *label, const float *weight,
                                       const struct asy_gbdt_shard *shard,
                                       struct asy_gbdt_fit **ret_fit, struct asy_error *err);
void asy_gbdt_fit_destroy(struct asy_gbdt_fit *fit);
/* One round: a tree for each output, all from the margins at its beginning. ASY_E_TOOBIG: a
 * row's derivative, times its weight, is no finite float. If it fails, the model is as before, and
 * the fit only to be destroyed; unless sums failed, it has failed on all ranks. */
ASY_MUST_CHECK int asy_gbdt_fit_round(struct asy_gbdt_fit *fit, struct asy_error *err);
/* Of the rows of its table, [rows][outputs], borrowed. */
const float *asy_gbdt_fit_margins(const struct asy_gbdt_fit *fit);
#endif
