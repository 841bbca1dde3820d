/* SPDX-License-Identifier: Apache-2.0
 * gbdt_impl.h - what the parts of asy/gbdt.h share: the binned table, histograms, the search for a
 * split, the growing of one tree.
 *
 * Bins are stored in words of eight features a row, one word array after another: a pass over a
 * word array touches the histograms of eight features, 32 KiB, which stay in the first level of
 * the cache. Row-major bytes with the histograms of all features at once were rejected for that
 * reason, a column a pass because it fetches each row's derivatives eight times as often. */
#ifndef ASY__GBDT_IMPL_H
#define ASY__GBDT_IMPL_H
#include <asy/gbdt.h>

#define ASY__GBDT_LANES 8 /* features in a word */
#define ASY__GBDT_BITS 30 /* of the whole numbers that derivatives become */

struct asy_gbdt_cuts {
    size_t features;
    size_t *n;   /* [features] cuts of each */
    float *cuts; /* [features][256], filled up with infinity */
    size_t *at;  /* [features + 1] first histogram cell of each: bin 0 is that of missing values */
};

struct asy_gbdt_table {
    const struct asy_gbdt_cuts *cuts;
    size_t rows;
    uint64_t *words; /* [features / 8, rounded up][rows]; feature f in byte f % 8 from below */
};

/* First and second derivative of the loss of one row, in units of the tree's scale. */
struct asy__gbdt_pair {
    int32_t g, h;
};
/* The nearest whole number, of two the one further from zero; |value| at most 2^30. What a float
 * has behind the point is exact, so this is too: adding a half would itself be rounded, up where
 * 2^23 <= |value| < 2^24 is odd and where |value| is just below a half. */
static inline int32_t asy__gbdt_whole(float value)
{
    int32_t toward_zero = (int32_t)value;
    float rest = value - (float)toward_zero;

    return toward_zero + (rest >= 0.5f) - (rest <= -0.5f);
}
/* Their sums over the rows of a bin. */
struct asy__gbdt_cell {
    int64_t g, h;
};

static inline unsigned asy__gbdt_bin(const struct asy_gbdt_table *table, size_t feature, size_t row)
{
    uint64_t word = table->words[feature / ASY__GBDT_LANES * table->rows + row];

    return word >> 8 * (feature % ASY__GBDT_LANES) & 255;
}

/* Rows of bins 1 .. bin go left, those of bin 0 where default_left says. */
static inline int asy__gbdt_goes_left(unsigned at, unsigned bin, unsigned default_left)
{
    unsigned shift = 1 - default_left; /* bin 0 wraps around to 255 where it goes right */

    return (uint8_t)(at - shift) < bin + 1 - shift;
}

/* ---- histograms ------------------------------------------------------------------------------ */

/* cells += the pairs of n rows, by their bins, for the features that use [features] marks and, it
 * may be, others of their words. pairs [table->rows]. */
void asy__gbdt_build(const struct asy_gbdt_table *table, const uint8_t *use,
                     const struct asy__gbdt_pair *pairs, const uint32_t *rows, size_t n,
                     struct asy__gbdt_cell *cells);
void asy__gbdt_build_ref(const struct asy_gbdt_table *table, const uint8_t *use,
                         const struct asy__gbdt_pair *pairs, const uint32_t *rows, size_t n,
                         struct asy__gbdt_cell *cells);
/* cells [n] -= of a sibling. */
void asy__gbdt_subtract(size_t n, const struct asy__gbdt_cell *sibling,
                        struct asy__gbdt_cell *cells);

/* ---- splits ---------------------------------------------------------------------------------- */

struct asy__gbdt_split {
    double gain; /* over the unsplit node; 0: there is no split */
    size_t feature;
    unsigned bin; /* the last one that goes left */
    unsigned default_left;
    struct asy__gbdt_cell left;
};
/* What a whole number of each derivative stands for. */
struct asy__gbdt_scale {
    double g, h;
};
/* The best split of a node with these sums. The first of equal ones: features in order, missing
 * values to the right from the lowest bin on, then to the left from the highest on. */
void asy__gbdt_find_split(const struct asy_gbdt_cuts *cuts, const struct asy_gbdt_params *params,
                          const uint8_t *use, const struct asy__gbdt_cell *cells,
                          struct asy__gbdt_cell sum, struct asy__gbdt_scale scale,
                          struct asy__gbdt_split *ret);
/* A node that is split so, into children left and left + 1 of its tree. */
void asy__gbdt_set_split(const struct asy_gbdt_cuts *cuts, const struct asy__gbdt_split *split,
                         size_t left, struct asy_gbdt_node *node);
/* Chen and Guestrin, equation 5, times the learning rate; with l1 the minimum of the same objective
 * with l1 |value| added. */
double asy__gbdt_leaf(const struct asy_gbdt_params *params, struct asy__gbdt_cell sum,
                      struct asy__gbdt_scale scale);

/* ---- trees ----------------------------------------------------------------------------------- */

/* What stands behind a node while its tree grows. */
struct asy__gbdt_part {
    uint32_t begin, end; /* rows, among those of the grower */
    uint32_t slot;       /* of its histogram */
    unsigned bin;        /* of its split */
    struct asy__gbdt_cell sum;
};
struct asy__gbdt_grower {
    const struct asy_gbdt_params *params;
    const struct asy_gbdt_table *table;
    const struct asy_gbdt_shard *shard; /* NULL: alone */
    size_t n_cells;                     /* of a histogram */
    struct asy__gbdt_cell *cells;       /* [2^(max_depth - 1)][n_cells] */
    struct asy__gbdt_part *parts;       /* [nodes_max] */
    uint32_t *rows;                     /* [table->rows]: those that take part, a node's together */
    uint32_t *spare;                    /* [table->rows] */
    struct asy__gbdt_pair *pairs;       /* [table->rows] */
    uint8_t *use;                       /* [features] */
};
ASY_MUST_CHECK int asy__gbdt_grower_init(struct asy__gbdt_grower *grower,
                                         const struct asy_gbdt_params *params,
                                         const struct asy_gbdt_table *table,
                                         const struct asy_gbdt_shard *shard, struct asy_error *err);
void asy__gbdt_grower_fini(struct asy__gbdt_grower *grower);
static inline size_t asy__gbdt_nodes_max(const struct asy_gbdt_params *params)
{
    return ((size_t)2 << params->max_depth) - 1;
}
/* Grows a tree from rows [n], pairs and use. nodes: room for asy__gbdt_nodes_max(). On return the
 * rows [begin, end) of each leaf's part are those that came to it. Fails where the sum does. */
ASY_MUST_CHECK int asy__gbdt_grow(struct asy__gbdt_grower *grower, size_t n,
                                  struct asy__gbdt_scale scale, struct asy_gbdt_node *nodes,
                                  size_t *ret_n, struct asy_error *err);

/* ---- losses ---------------------------------------------------------------------------------- */

/* g and h [rows] = the derivatives by the margin of output k; chances [rows][outputs] as
 * asy_gbdt_respond() leaves them. */
void asy__gbdt_derive(const struct asy_gbdt_params *params, size_t outputs, size_t k,
                      const float *chances, const float *label, const float *weight, size_t rows,
                      float *g, float *h);

/* ---- the model ------------------------------------------------------------------------------- */

struct asy_gbdt {
    struct asy_gbdt_params params;
    size_t features, outputs;
    size_t n_trees, trees_room;
    size_t n_nodes, nodes_room;
    size_t *begin; /* [trees_room + 1] first node of each tree, and the end */
    struct asy_gbdt_node *nodes;
};
ASY_MUST_CHECK int asy__gbdt_reserve(struct asy_gbdt *model, size_t trees, size_t nodes,
                                     struct asy_error *err);
/* Room for a round: all that it can fail for on one rank alone, after which all know. sum NULL: of
 * one. */
ASY_MUST_CHECK int asy__gbdt_reserve_round(struct asy_gbdt *model,
                                           const struct asy_gbdt_shard *shard,
                                           struct asy_error *err);
/* ASY_E_INVAL: a table of another number of features, a label or a weight that is not possible. */
ASY_MUST_CHECK int asy__gbdt_check_fit(const struct asy_gbdt *model,
                                       const struct asy_gbdt_table *table, const float *label,
                                       const float *weight, struct asy_error *err);
/* use [features]: those that the tree of that number among all may use. */
void asy__gbdt_draw_features(const struct asy_gbdt_params *params, size_t features, uint64_t tree,
                             uint8_t *use);
/* margins [rows][outputs] of the rounds that a model has; parts [asy__gbdt_nodes_max()]: room.
 * ASY_E_INVAL: it was made with other cuts. */
ASY_MUST_CHECK int asy__gbdt_replay(const struct asy_gbdt *model,
                                    const struct asy_gbdt_table *table,
                                    struct asy__gbdt_part *parts, float *margins,
                                    struct asy_error *err);
/* Of params and features. */
ASY_MUST_CHECK int asy__gbdt_check(const struct asy_gbdt_params *params, size_t features,
                                   struct asy_error *err);
#endif
