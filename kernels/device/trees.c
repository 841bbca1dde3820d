/* SPDX-License-Identifier: Apache-2.0
 * trees.c - rounds of boosting on a device: the order of the kernels of source/trees.clc and
 * source/trees_grow.clc, which does not depend on what they find. A level that has no nodes costs
 * its launches, and ranks an exchange of its empty histograms. */
#include <asy/device_trees.h>
#include "frame.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <asy/rng.h>

#define NODE_WORDS (sizeof(struct asy_device_tree_node) / sizeof(uint32_t))
#define SPAN_WORDS 4
#define BEST_WORDS 8     /* of 32 bits */
#define CHUNK 2048       /* places in the list for a group that builds, as trees_grow.clc has it */
#define LANES 4          /* and its features */
#define EXPONENTS 256    /* of a float */
#define NO_FLOAT 255     /* the one of what is not finite */
_Static_assert(sizeof(struct asy_device_tree_node) == 24, "nodes are as source/trees.clc has them");

struct asy_device_trees {
    struct asy_device *device;
    struct asy_device_trees_desc desc; /* without its arrays */
    size_t places, n_cells, nodes_n;   /* nodes_n: words of all trees of a round */
    int weighs;
    struct asy__mem *words, *at, *label, *weight, *margins, *chances, *use, *pairs, *count;
    struct asy__mem *list[2], *where[2]; /* [rows], before and after a level */
    struct asy__mem *nodes;              /* [outputs][places], and behind them tops [outputs][2] */
    struct asy__mem *spans, *taken, *sums, *cells, *best;
    uint32_t *answer; /* [nodes_n + 2 outputs] */
    uint8_t *used;    /* [use_n]: what the device has of use */
    size_t use_n;     /* bytes, a multiple of 4 */
    int64_t *joined;  /* what ranks add up at a time, and one more: how many have failed */
    int has_used;
    int lost;         /* what a round has failed for */
    struct asy_error why;
    int is_apart;     /* joining failed: the other ranks are not there any more */
    size_t bytes;
};

/* ---- the object ------------------------------------------------------------------------------ */

#define PIECES 19

static void list_pieces(struct asy_device_trees *t, struct asy__device_piece ret[PIECES])
{
    const struct asy_device_trees_desc *d = &t->desc;
    size_t rows = d->rows, values = asy__times(rows, d->outputs);
    size_t slots = (size_t)1 << (d->max_depth - 1), words = (d->features + 7) / 8;
    const struct asy__device_piece all[PIECES] = {
        { &t->words, asy__times(2 * words, rows) }, { &t->at, d->features + 1 },
        { &t->label, rows }, { &t->weight, t->weighs ? rows : 1 }, { &t->margins, values },
        { &t->chances, values }, { &t->use, t->use_n / 4 }, { &t->pairs, 2 * rows },
        { &t->count, 1 }, { &t->list[0], rows }, { &t->list[1], rows }, { &t->where[0], rows },
        { &t->where[1], rows }, { &t->nodes, t->nodes_n + 2 * d->outputs },
        { &t->spans, SPAN_WORDS * t->places }, { &t->taken, 2 * t->places },
        { &t->sums, 4 * t->places }, { &t->cells, asy__times(slots, 4 * t->n_cells) },
        { &t->best, asy__times(slots, BEST_WORDS * d->features) },
    };

    memcpy(ret, all, sizeof all);
}

static int check_room(struct asy_device_trees *t, const struct asy__device_piece *pieces,
                      struct asy_error *err)
{
    const struct asy_device *device = t->device;
    size_t all;

    if (asy__device_could_hold(device, pieces, PIECES, &t->bytes, &all))
        return 0;
    return asy_fail(err, ASY_E_TOOBIG, "%s device '%s': trees of depth %zu on %zu rows of %zu "
                    "features need %zu MiB, and all of the device's memory are %zu MiB",
                    asy_device_kinds[device->info.kind], device->info.name, t->desc.max_depth,
                    t->desc.rows, t->desc.features, all >> 20, (size_t)device->info.memory >> 20);
}

/* Room in the host's memory: the most that is joined are the histograms of the last level. */
static int alloc_host(struct asy_device_trees *t, struct asy_error *err)
{
    size_t built = t->desc.max_depth > 1 ? (size_t)1 << (t->desc.max_depth - 2) : 1;
    size_t sums = asy__times(built, 2 * t->n_cells);

    t->answer = calloc(t->nodes_n + 2 * t->desc.outputs, sizeof *t->answer);
    t->used = calloc(t->use_n, 1);
    if (t->desc.join)
        t->joined = calloc((sums > 2 * EXPONENTS ? sums : 2 * EXPONENTS) + 1, sizeof *t->joined);
    if (!t->answer || !t->used || (t->desc.join && !t->joined))
        return asy_fail(err, ASY_E_NOMEM, "no memory for trees on a device");
    return 0;
}

static int put_table(struct asy_device_trees *t, const struct asy_device_trees_desc *d,
                     struct asy_error *err)
{
    size_t words = (d->features + 7) / 8;
    int rc;

    if ((rc = asy__device_write(t->device, t->words, 0, d->words, 2 * words * d->rows, err)) ||
        (rc = asy__device_write(t->device, t->at, 0, d->at, d->features + 1, err)) ||
        (rc = asy__device_write(t->device, t->label, 0, d->label, d->rows, err)))
        return rc;
    return t->weighs ? asy__device_write(t->device, t->weight, 0, d->weight, d->rows, err) : 0;
}

/* A device without doubles has no such kernel. */
static int check_doubles(struct asy_device *device, struct asy_error *err)
{
    int rc = asy__device_kernel(device, ASY__K_tree_split, err);

    if (rc != ASY_E_NOENT)
        return rc;
    return asy_fail(err, ASY_E_UNSUPPORTED, "%s device '%s' has no double precision, which trees "
                    "need", asy_device_kinds[device->info.kind], device->info.name);
}

int asy_device_trees_create(struct asy_device *device, const struct asy_device_trees_desc *desc,
                            struct asy_device_trees **ret_trees, struct asy_error *err)
{
    struct asy_device_trees *t = calloc(1, sizeof *t);
    struct asy__device_piece pieces[PIECES];
    int rc;

    if (!t)
        return asy_fail(err, ASY_E_NOMEM, "no memory for trees on a device");
    t->device = device;
    t->desc = *desc;
    t->weighs = desc->weight != NULL;
    t->places = asy_device_trees_places(desc->max_depth);
    t->n_cells = desc->at[desc->features];
    t->nodes_n = desc->outputs * t->places * NODE_WORDS;
    t->use_n = (desc->outputs * desc->features + 3) / 4 * 4;
    list_pieces(t, pieces);
    if ((rc = check_doubles(device, err)) == 0)
        rc = check_room(t, pieces, err);
    for (size_t i = 0; i < PIECES && !rc; i++)
        rc = asy__device_alloc(device, pieces[i].n, pieces[i].at, err);
    if (rc || (rc = alloc_host(t, err)) || (rc = put_table(t, desc, err))) {
        t->bytes = 0; /* never counted */
        asy_device_trees_destroy(t);
        return rc;
    }
    device->in_nets += t->bytes;
    *ret_trees = t;
    return 0;
}

void asy_device_trees_destroy(struct asy_device_trees *trees)
{
    struct asy__device_piece pieces[PIECES];

    if (!trees)
        return;
    list_pieces(trees, pieces);
    for (size_t i = 0; i < PIECES; i++)
        asy__device_free(trees->device, *pieces[i].at);
    trees->device->in_nets -= trees->bytes;
    free(trees->answer);
    free(trees->used);
    free(trees->joined);
    free(trees);
}

int asy_device_trees_write(struct asy_device_trees *trees, const float *margins,
                           struct asy_error *err)
{
    return asy__device_write(trees->device, trees->margins, 0, margins,
                             trees->desc.rows * trees->desc.outputs, err);
}

/* ---- a round's calls --------------------------------------------------------------------------
 *
 * What a rank fails for in a round it remembers, and goes on with nothing but the joins, so that
 * the others come to their end. */

/* Returns whether nothing has failed so far. What is too large for a device's driver (a grid, the
 * registers of a kernel) is not what is too large for a float. */
static int check(struct asy_device_trees *t, int rc)
{
    if (!t->lost && rc) {
        t->lost = rc == ASY_E_TOOBIG ? ASY_E_UNSUPPORTED : rc;
        t->why.code = (enum asy_code)t->lost;
    }
    return !t->lost;
}
#define RUN(t, ...) check(t, (t)->lost ? 0 : ASY__LAUNCH((t)->device, &(t)->why, __VA_ARGS__))

static void read_words(struct asy_device_trees *t, struct asy__mem *from, size_t at, void *to,
                       size_t n)
{
    if (!t->lost)
        check(t, asy__device_read(t->device, from, at, to, n, &t->why));
}

static void write_words(struct asy_device_trees *t, struct asy__mem *to, const void *from,
                        size_t at, size_t n)
{
    if (!t->lost)
        check(t, asy__device_write(t->device, to, at, from, n, &t->why));
}

static void zero_words(struct asy_device_trees *t, struct asy__mem *mem, size_t at, size_t n)
{
    if (!t->lost)
        check(t, asy__device_zero(t->device, mem, at, n, &t->why));
}

/* joined [n] = over the ranks; of one that has failed, nothing. Where any has, all have. */
static void join(struct asy_device_trees *t, size_t n)
{
    struct asy_error none = ASY_ERROR_INIT;
    int rc;

    if (!t->desc.join || t->is_apart)
        return;
    if (t->lost)
        memset(t->joined, 0, n * sizeof *t->joined);
    t->joined[n] = t->lost != 0;
    rc = t->desc.join(t->desc.join_arg, t->joined, n + 1, t->lost ? &none : &t->why);
    t->is_apart = rc < 0;
    if (check(t, rc) && t->joined[n])
        t->lost = asy_fail(&t->why, ASY_E_GONE, "the device of another rank failed");
}

/* ---- a tree ---------------------------------------------------------------------------------- */

static uint64_t bits_of(double x)
{
    uint64_t bits;

    memcpy(&bits, &x, sizeof bits);
    return bits;
}
#define ARG_DOUBLE(x) ARG_U64(bits_of(x))

/* Where things of the k-th tree of a round begin, in words; use: in bytes. */
struct tree {
    size_t k, nodes, tops, use;
};
#define ARG_NODES(t, tree) ARG_AT((t)->nodes, (tree)->nodes)
#define ARG_TOPS(t, tree) ARG_AT((t)->nodes, (tree)->tops)
#define ARG_USE(t, tree) ARG_AT((t)->use, (tree)->use)
#define ARG_LOSS(t, tree)                                                                          \
    ARG_MEM((t)->chances), ARG_MEM((t)->label), ARG_MEM((t)->weight), ARG_U32((t)->weighs),        \
        ARG_U32((t)->desc.rows), ARG_U32((tree)->k), ARG_U32((t)->desc.loss)

/* The greatest exponents of all ranks: each marks its own. */
static void join_tops(struct asy_device_trees *t, const struct tree *tree)
{
    uint32_t tops[2] = { 0, 0 };

    if (!t->desc.join)
        return;
    read_words(t, t->nodes, tree->tops, tops, 2);
    memset(t->joined, 0, 2 * EXPONENTS * sizeof *t->joined);
    for (size_t i = 0; i < 2; i++)
        t->joined[i * EXPONENTS + (tops[i] >> 23)] = 1;
    join(t, 2 * EXPONENTS);
    for (size_t i = 0; i < 2; i++)
        for (uint32_t e = 0; e < EXPONENTS; e++)
            tops[i] = t->joined[i * EXPONENTS + e] ? e << 23 : tops[i];
    write_words(t, t->nodes, tops, tree->tops, 2);
}

/* Derivatives as whole numbers, and the rows that take part. */
static void begin(struct asy_device_trees *t, const struct tree *tree, uint64_t round)
{
    const struct asy_device_trees_desc *d = &t->desc;
    size_t groups = asy__groups(d->rows, 256);
    struct asy_rng rng;

    asy_rng_init(&rng, d->seed, round, ASY_RNG_ROWS);
    RUN(t, tree_top, groups, 1, 1, ARG_LOSS(t, tree), ARG_TOPS(t, tree));
    join_tops(t, tree);
    RUN(t, tree_pairs, groups, 1, 1, ARG_LOSS(t, tree), ARG_TOPS(t, tree), ARG_MEM(t->pairs));
    zero_words(t, t->count, 0, 1);
    RUN(t, tree_fill, groups, 1, 1, ARG_U32(d->rows), ARG_U64(d->first_row),
        ARG_U64((uint64_t)ceil(d->subsample * 4294967296.0)), ARG_U32(rng.key[0]),
        ARG_U32(rng.key[1]), ARG_U32(rng.stream[0]), ARG_U32(rng.stream[1]), ARG_MEM(t->list[0]),
        ARG_MEM(t->where[0]), ARG_MEM(t->count));
    zero_words(t, t->taken, 0, 2 * t->places);
    RUN(t, tree_begin, 1, 1, 1, ARG_MEM(t->count), ARG_NODES(t, tree), ARG_MEM(t->spans));
}

/* The histograms of a level's nodes. from: which of the lists they are in. */
static void build(struct asy_device_trees *t, const struct tree *tree, size_t level, size_t from)
{
    const struct asy_device_trees_desc *d = &t->desc;
    size_t first = level ? (size_t)1 << (level - 1) : 0, slots = level ? first : 1;
    size_t sums = 2 * t->n_cells;

    zero_words(t, t->cells, 2 * first * sums, 2 * slots * sums);
    RUN(t, tree_build, asy__groups(d->rows, CHUNK), asy__groups(d->features, LANES), 1,
        ARG_MEM(t->words), ARG_U32(d->rows), ARG_U32(d->features), ARG_MEM(t->at),
        ARG_USE(t, tree), ARG_MEM(t->pairs), ARG_MEM(t->list[from]), ARG_MEM(t->where[from]),
        ARG_MEM(t->count), ARG_MEM(t->spans), ARG_U32(level), ARG_MEM(t->cells),
        ARG_U64(t->n_cells));
    if (d->join) {
        read_words(t, t->cells, 2 * first * sums, t->joined, 2 * slots * sums);
        join(t, slots * sums);
        write_words(t, t->cells, t->joined, 2 * first * sums, 2 * slots * sums);
    }
    if (level == 0)
        RUN(t, tree_root, 1, 1, 1, ARG_MEM(t->cells), ARG_MEM(t->at), ARG_USE(t, tree),
            ARG_MEM(t->sums));
    else
        RUN(t, tree_subtract, asy__groups(sums, 256), first, 1, ARG_MEM(t->cells), ARG_U64(sums),
            ARG_NODES(t, tree), ARG_MEM(t->spans), ARG_U32(level));
}

static void split(struct asy_device_trees *t, const struct tree *tree, size_t level)
{
    const struct asy_device_trees_desc *d = &t->desc;
    size_t nodes = (size_t)1 << level;

    RUN(t, tree_split, asy__groups(d->features, 64), nodes, 1, ARG_MEM(t->cells),
        ARG_U64(t->n_cells), ARG_MEM(t->at), ARG_U32(d->features), ARG_USE(t, tree),
        ARG_NODES(t, tree), ARG_MEM(t->spans), ARG_MEM(t->sums), ARG_U32(level),
        ARG_TOPS(t, tree), ARG_DOUBLE(d->l1), ARG_DOUBLE(d->l2), ARG_DOUBLE(d->min_child_weight),
        ARG_MEM(t->best));
    RUN(t, tree_choose, nodes, 1, 1, ARG_MEM(t->best), ARG_U32(d->features), ARG_NODES(t, tree),
        ARG_MEM(t->spans), ARG_MEM(t->taken), ARG_MEM(t->sums), ARG_U32(level), ARG_TOPS(t, tree),
        ARG_DOUBLE(d->l1), ARG_DOUBLE(d->l2), ARG_DOUBLE(d->gamma));
}

static void grow(struct asy_device_trees *t, const struct tree *tree, uint64_t round)
{
    const struct asy_device_trees_desc *d = &t->desc;

    begin(t, tree, round);
    for (size_t level = 0; level < d->max_depth; level++) {
        size_t from = level % 2;

        build(t, tree, level, from);
        split(t, tree, level);
        if (level + 1 < d->max_depth)
            RUN(t, tree_divide, asy__groups(d->rows, 256), 1, 1, ARG_MEM(t->words),
                ARG_U32(d->rows), ARG_MEM(t->list[from]), ARG_MEM(t->where[from]),
                ARG_MEM(t->list[!from]), ARG_MEM(t->where[!from]), ARG_MEM(t->count),
                ARG_NODES(t, tree), ARG_MEM(t->spans), ARG_U32(level), ARG_MEM(t->taken));
    }
    RUN(t, tree_finish, asy__groups(t->places, 64), 1, 1, ARG_NODES(t, tree), ARG_U32(t->places),
        ARG_MEM(t->sums), ARG_TOPS(t, tree), ARG_DOUBLE(d->l1), ARG_DOUBLE(d->l2),
        ARG_DOUBLE(d->learning_rate));
    RUN(t, tree_add, asy__groups(d->rows, 256), 1, 1, ARG_MEM(t->words), ARG_U32(d->rows),
        ARG_NODES(t, tree), ARG_MEM(t->margins), ARG_U32(d->outputs), ARG_U32(tree->k));
}

/* ---- a round --------------------------------------------------------------------------------- */

/* What the device has of it is not written again. */
static void put_use(struct asy_device_trees *t, const uint8_t *use)
{
    size_t n = t->desc.outputs * t->desc.features;

    if (t->has_used && !memcmp(t->used, use, n))
        return;
    memcpy(t->used, use, n);
    write_words(t, t->use, t->used, 0, t->use_n / 4);
    t->has_used = 1;
}

/* What a round made, and whether a derivative of any tree was too large, which all ranks know. */
static void take_answer(struct asy_device_trees *t, struct asy_device_tree_node *nodes,
                        float *margins)
{
    const uint32_t *tops = t->answer + t->nodes_n;

    read_words(t, t->nodes, 0, t->answer, t->nodes_n + 2 * t->desc.outputs);
    read_words(t, t->margins, 0, margins, t->desc.rows * t->desc.outputs);
    join(t, 0);
    if (t->lost)
        return;
    for (size_t i = 0; i < 2 * t->desc.outputs; i++)
        if (tops[i] >> 23 == NO_FLOAT) {
            t->lost = asy_fail(&t->why, ASY_E_TOOBIG, "a derivative of the loss is too large for a "
                               "float");
            return;
        }
    memcpy(nodes, t->answer, t->nodes_n * sizeof *t->answer);
}

int asy_device_trees_round(struct asy_device_trees *trees, uint64_t round, const uint8_t *use,
                           struct asy_device_tree_node *nodes, float *margins,
                           struct asy_error *err)
{
    struct asy_device_trees *t = trees;
    const struct asy_device_trees_desc *d = &t->desc;

    put_use(t, use);
    zero_words(t, t->nodes, t->nodes_n, 2 * d->outputs);
    RUN(t, tree_clear, asy__groups(d->outputs * t->places, 256), 1, 1, ARG_MEM(t->nodes),
        ARG_U64(d->outputs * t->places));
    RUN(t, tree_chances, asy__groups(d->rows, 256), 1, 1, ARG_MEM(t->margins),
        ARG_MEM(t->chances), ARG_U32(d->rows), ARG_U32(d->outputs), ARG_U32(d->loss));
    for (size_t k = 0; k < d->outputs; k++) {
        const struct tree tree = { k, k * t->places * NODE_WORDS, t->nodes_n + 2 * k,
                                   k * d->features };

        grow(t, &tree, round);
    }
    take_answer(t, nodes, margins);
    if (t->lost && err)
        *err = t->why;
    return t->lost;
}
