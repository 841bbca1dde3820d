/* SPDX-License-Identifier: Apache-2.0
 * gbdt_grow.c - one tree, level by level.
 *
 * A level's nodes have consecutive numbers. Of two siblings the lighter one's histogram is built
 * from its rows, into a new slot; the other's is what is left of the parent's, in the parent's
 * slot. The new slots of a level lie together, so that ranks sum them in one call. */
#include "gbdt_impl.h"
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

int asy__gbdt_grower_init(struct asy__gbdt_grower *grower, const struct asy_gbdt_params *params,
                          const struct asy_gbdt_table *table, const struct asy_gbdt_shard *shard,
                          struct asy_error *err)
{
    size_t n_cells = table->cuts->at[table->cuts->features];
    size_t slots = (size_t)1 << (params->max_depth - 1);

    *grower = (struct asy__gbdt_grower){
        .params = params, .table = table, .shard = shard, .n_cells = n_cells
    };
    grower->cells = calloc(slots, n_cells * sizeof *grower->cells);
    grower->parts = calloc(asy__gbdt_nodes_max(params), sizeof *grower->parts);
    grower->rows = calloc(table->rows + 1, sizeof *grower->rows);
    grower->spare = calloc(table->rows + 1, sizeof *grower->spare);
    grower->pairs = calloc(table->rows + 1, sizeof *grower->pairs);
    grower->use = calloc(table->cuts->features, sizeof *grower->use);
    if (grower->cells && grower->parts && grower->rows && grower->spare && grower->pairs &&
        grower->use)
        return 0;
    asy__gbdt_grower_fini(grower);
    return asy_fail(err, ASY_E_NOMEM, "no memory for trees of depth %zu on %zu rows: histograms "
                    "take %zu times %zu bytes", params->max_depth, table->rows, slots,
                    n_cells * sizeof *grower->cells);
}

void asy__gbdt_grower_fini(struct asy__gbdt_grower *grower)
{
    free(grower->cells);
    free(grower->parts);
    free(grower->rows);
    free(grower->spare);
    free(grower->pairs);
    free(grower->use);
    memset(grower, 0, sizeof *grower);
}

static struct asy__gbdt_cell *cells_of(struct asy__gbdt_grower *grower, size_t slot)
{
    return grower->cells + slot * grower->n_cells;
}

static void build(struct asy__gbdt_grower *grower, struct asy__gbdt_part *part, size_t slot)
{
    struct asy__gbdt_cell *cells = cells_of(grower, slot);

    part->slot = (uint32_t)slot;
    memset(cells, 0, grower->n_cells * sizeof *cells);
    asy__gbdt_build(grower->table, grower->use, grower->pairs, grower->rows + part->begin,
                    part->end - part->begin, cells);
}

/* Over the ranks: slots first .. end - 1. */
static int sum_slots(struct asy__gbdt_grower *grower, size_t first, size_t end,
                     struct asy_error *err)
{
    if (!grower->shard || first == end)
        return 0;
    return grower->shard->sum(grower->shard->context, &cells_of(grower, first)->g,
                              2 * (end - first) * grower->n_cells, err);
}

/* Rows of [begin, end) that go left come first; both sides keep their order. Returns where the
 * right ones begin. */
static uint32_t divide(struct asy__gbdt_grower *grower, const struct asy__gbdt_part *part,
                       const struct asy__gbdt_split *split)
{
    size_t at = split->feature / ASY__GBDT_LANES * grower->table->rows;
    const uint64_t *words = grower->table->words + at;
    unsigned shift = 8 * (split->feature % ASY__GBDT_LANES);
    uint32_t *rows = grower->rows, *spare = grower->spare;
    size_t left = part->begin, right = 0;

    for (size_t i = part->begin; i < part->end; i++) {
        uint32_t row = rows[i];
        int goes_left = asy__gbdt_goes_left(words[row] >> shift & 255, split->bin,
                                            split->default_left);

        rows[left] = row;
        spare[right] = row;
        left += (size_t)goes_left;
        right += (size_t)!goes_left;
    }
    memcpy(rows + left, spare, right * sizeof *rows);
    return (uint32_t)left;
}

void asy__gbdt_set_split(const struct asy_gbdt_cuts *cuts, const struct asy__gbdt_split *split,
                         size_t left, struct asy_gbdt_node *node)
{
    size_t n = 0;
    const float *own = asy_gbdt_cuts_get(cuts, split->feature, &n);

    node->feature = (int32_t)split->feature;
    node->left = (uint32_t)left;
    node->threshold = split->bin <= n ? own[split->bin - 1] : INFINITY;
    node->default_left = (int32_t)split->default_left;
    node->gain = split->gain < (double)FLT_MAX ? (float)split->gain : FLT_MAX;
}

/* Splits a node if that gains anything; its children are the next two parts. */
static int try_split(struct asy__gbdt_grower *grower, struct asy__gbdt_scale scale,
                     struct asy_gbdt_node *nodes, size_t node, size_t next)
{
    struct asy__gbdt_part *part = grower->parts + node, *child = grower->parts + next;
    struct asy__gbdt_split split;
    uint32_t middle;

    asy__gbdt_find_split(grower->table->cuts, grower->params, grower->use,
                         cells_of(grower, part->slot), part->sum, scale, &split);
    if (split.bin == 0)
        return 0;
    asy__gbdt_set_split(grower->table->cuts, &split, next, nodes + node);
    part->bin = split.bin;
    middle = divide(grower, part, &split);
    child[0] = (struct asy__gbdt_part){ .begin = part->begin, .end = middle, .sum = split.left };
    child[1] = (struct asy__gbdt_part){ .begin = middle, .end = part->end };
    child[1].sum.g = part->sum.g - split.left.g;
    child[1].sum.h = part->sum.h - split.left.h;
    return 1;
}

/* Histograms of the children of nodes [begin, end). *slots: used so far. */
static int fill_children(struct asy__gbdt_grower *grower, const struct asy_gbdt_node *nodes,
                         size_t begin, size_t end, size_t *slots, struct asy_error *err)
{
    size_t first = *slots;
    int rc;

    for (size_t i = begin; i < end; i++) {
        struct asy__gbdt_part *child = grower->parts + nodes[i].left;
        int heavy = child[0].sum.h <= child[1].sum.h;

        if (nodes[i].feature < 0)
            continue;
        build(grower, child + !heavy, (*slots)++);
        child[heavy].slot = grower->parts[i].slot;
    }
    if ((rc = sum_slots(grower, first, *slots, err)) < 0)
        return rc;
    for (size_t i = begin; i < end; i++) {
        struct asy__gbdt_part *child = grower->parts + nodes[i].left;
        int heavy = child[0].sum.h <= child[1].sum.h;

        if (nodes[i].feature >= 0)
            asy__gbdt_subtract(grower->n_cells, cells_of(grower, child[!heavy].slot),
                               cells_of(grower, child[heavy].slot));
    }
    return 0;
}

/* Every row is in one bin of any feature. */
static struct asy__gbdt_cell sum_all(struct asy__gbdt_grower *grower)
{
    const struct asy_gbdt_cuts *cuts = grower->table->cuts;
    struct asy__gbdt_cell sum = { 0, 0 };
    size_t f = 0;

    while (!grower->use[f])
        f++;
    for (size_t i = cuts->at[f]; i < cuts->at[f + 1]; i++) {
        sum.g += grower->cells[i].g;
        sum.h += grower->cells[i].h;
    }
    return sum;
}

static void finish(const struct asy__gbdt_grower *grower, struct asy__gbdt_scale scale,
                   struct asy_gbdt_node *nodes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct asy__gbdt_cell sum = grower->parts[i].sum;

        nodes[i].weight = (float)((double)sum.h * scale.h);
        if (nodes[i].feature < 0)
            nodes[i].value = (float)asy__gbdt_leaf(grower->params, sum, scale);
    }
}

int asy__gbdt_grow(struct asy__gbdt_grower *grower, size_t n, struct asy__gbdt_scale scale,
                   struct asy_gbdt_node *nodes, size_t *ret_n, struct asy_error *err)
{
    static const struct asy_gbdt_node leaf = { .feature = -1 };
    size_t begin = 0, end = 1, next = 1, slots = 1;
    int rc;

    nodes[0] = leaf;
    grower->parts[0] = (struct asy__gbdt_part){ .begin = 0, .end = (uint32_t)n };
    build(grower, grower->parts, 0);
    if ((rc = sum_slots(grower, 0, 1, err)) < 0)
        return rc;
    grower->parts[0].sum = sum_all(grower);
    for (size_t depth = 0; depth < grower->params->max_depth && begin < end; depth++) {
        for (size_t i = begin; i < end; i++)
            if (try_split(grower, scale, nodes, i, next)) {
                nodes[next++] = leaf;
                nodes[next++] = leaf;
            }
        if (depth + 1 < grower->params->max_depth &&
            (rc = fill_children(grower, nodes, begin, end, &slots, err)) < 0)
            return rc;
        begin = end;
        end = next;
    }
    finish(grower, scale, nodes, next);
    *ret_n = next;
    return 0;
}
