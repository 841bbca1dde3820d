/* SPDX-License-Identifier: Apache-2.0
 * gbdt_fit.c - rounds of boosting.
 *
 * Derivatives become whole numbers by one power of two for a tree, so that nothing is lost of
 * floats within 2^6 of the largest one, and others are off by half of 2^-30 of it at most. What is
 * drawn is keyed by (seed, round or tree, row or feature), so ranks agree without talking. */
#include "gbdt_impl.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <asy/rng.h>

#define EXPONENTS 256 /* of a float */
#define LARGEST 255   /* the one of what is not finite */

struct asy_gbdt_fit {
    struct asy_gbdt *model;
    const struct asy_gbdt_table *table;
    const float *label, *weight;
    struct asy_gbdt_shard shard; /* sum NULL: alone */
    struct asy__gbdt_grower grower;
    float *margins; /* [rows][outputs] */
    float *chances; /* [rows][outputs] of the round's beginning */
    float *g, *h;   /* [rows] of one output */
    uint8_t *taken; /* [rows] */
};

/* ---- derivatives as whole numbers ------------------------------------------------------------ */

/* The biased exponent of the largest magnitude. Bit patterns of magnitudes are in their order. */
static uint32_t top_exponent(const float *values, size_t n)
{
    uint32_t top = 0;

    for (size_t i = 0; i < n; i++) {
        uint32_t bits;

        memcpy(&bits, values + i, sizeof bits);
        bits &= 0x7fffffffu;
        top = bits > top ? bits : top;
    }
    return top >> 23;
}

/* The largest over the ranks, by a sum: each marks its own. */
static int agree(const struct asy_gbdt_shard *shard, uint32_t exponent[2], struct asy_error *err)
{
    int64_t marks[2][EXPONENTS] = { 0 };
    int rc;

    if (!shard->sum)
        return 0;
    for (size_t i = 0; i < 2; i++)
        marks[i][exponent[i]] = 1;
    if ((rc = shard->sum(shard->context, marks[0], 2 * EXPONENTS, err)) < 0)
        return rc;
    for (size_t i = 0; i < 2; i++)
        for (uint32_t e = 0; e < EXPONENTS; e++)
            exponent[i] = marks[i][e] ? e : exponent[i];
    return 0;
}

/* A float of biased exponent e is below 2^(e - 126). Magnitudes below 2^-97 would want a factor
 * that is no float; they are so small that bits of them may be lost. */
static int round_pairs(struct asy_gbdt_fit *fit, struct asy__gbdt_scale *ret, struct asy_error *err)
{
    size_t rows = fit->table->rows;
    uint32_t exponent[2] = { top_exponent(fit->g, rows), top_exponent(fit->h, rows) };
    float factor[2];
    int rc = agree(&fit->shard, exponent, err);

    if (rc < 0)
        return rc;
    for (size_t i = 0; i < 2; i++) {
        int unit;

        if (exponent[i] == LARGEST)
            return asy_fail(err, ASY_E_TOOBIG, "a derivative of the loss is too large for a float");
        unit = (int)(exponent[i] > 29 ? exponent[i] : 29) - 126 - ASY__GBDT_BITS;
        factor[i] = scalbnf(1, -unit);
        *(i ? &ret->h : &ret->g) = scalbn(1, unit);
    }
    for (size_t r = 0; r < rows; r++) {
        fit->grower.pairs[r].g = asy__gbdt_whole(fit->g[r] * factor[0]);
        fit->grower.pairs[r].h = asy__gbdt_whole(fit->h[r] * factor[1]);
    }
    return 0;
}

/* ---- drawing --------------------------------------------------------------------------------- */

/* Row i of all has the i-th number of the round's stream. */
static void draw_rows(struct asy_gbdt_fit *fit, uint64_t round)
{
    const struct asy_gbdt_params *params = &fit->model->params;
    double limit = params->subsample * 4294967296.0;
    struct asy_rng rng;

    if (params->subsample == 1) {
        memset(fit->taken, 1, fit->table->rows);
        return;
    }
    asy_rng_init(&rng, params->seed, round, ASY_RNG_ROWS);
    rng.counter = fit->shard.first_row / 4;
    for (uint64_t i = 0; i < fit->shard.first_row % 4; i++)
        asy_rng_u32(&rng);
    for (size_t r = 0; r < fit->table->rows; r++)
        fit->taken[r] = asy_rng_u32(&rng) < limit;
}

/* Knuth, The Art of Computer Programming 2, algorithm 3.4.2 S. */
void asy__gbdt_draw_features(const struct asy_gbdt_params *params, size_t features, uint64_t tree,
                             uint8_t *use)
{
    size_t wanted = (size_t)rint(params->colsample * (double)features);
    struct asy_rng rng;

    wanted = wanted ? wanted : 1;
    asy_rng_init(&rng, params->seed, tree, ASY_RNG_COLUMNS);
    for (size_t f = 0; f < features; f++) {
        use[f] = asy_rng_below(&rng, features - f) < wanted;
        wanted -= use[f];
    }
}

/* The rows that take part, then the others. Returns how many do. */
static size_t fill_rows(struct asy_gbdt_fit *fit)
{
    uint32_t *rows = fit->grower.rows, *spare = fit->grower.spare;
    size_t n = 0, others = 0;

    for (size_t r = 0; r < fit->table->rows; r++) {
        rows[n] = spare[others] = (uint32_t)r;
        n += fit->taken[r];
        others += !fit->taken[r];
    }
    memcpy(rows + n, spare, others * sizeof *rows);
    return n;
}

/* ---- margins --------------------------------------------------------------------------------- */

/* The leaf of a row by its bins; parts[].bin are those of the splits. */
static float value_of(const struct asy_gbdt_table *table, const struct asy__gbdt_part *parts,
                      const struct asy_gbdt_node *nodes, size_t row)
{
    size_t at = 0;

    while (nodes[at].feature >= 0) {
        unsigned bin = asy__gbdt_bin(table, (size_t)nodes[at].feature, row);

        at = nodes[at].left + !asy__gbdt_goes_left(bin, parts[at].bin,
                                                   (unsigned)nodes[at].default_left);
    }
    return nodes[at].value;
}

/* After growing with the first n rows. */
static void add_tree(struct asy_gbdt_fit *fit, const struct asy_gbdt_node *nodes, size_t n_nodes,
                     size_t n, size_t k)
{
    const struct asy__gbdt_grower *grower = &fit->grower;
    size_t outputs = fit->model->outputs;

    for (size_t i = 0; i < n_nodes; i++) {
        const struct asy__gbdt_part *part = grower->parts + i;

        for (size_t j = part->begin; nodes[i].feature < 0 && j < part->end; j++)
            fit->margins[grower->rows[j] * outputs + k] += nodes[i].value;
    }
    for (size_t j = n; j < fit->table->rows; j++)
        fit->margins[grower->rows[j] * outputs + k] +=
            value_of(grower->table, grower->parts, nodes, grower->rows[j]);
}

static int find_bin(const struct asy_gbdt_cuts *cuts, const struct asy_gbdt_node *node,
                    unsigned *ret_bin, struct asy_error *err)
{
    size_t n = 0, i = 0;
    const float *own = asy_gbdt_cuts_get(cuts, (size_t)node->feature, &n);

    while (i < n && own[i] != node->threshold)
        i++;
    if (i == n && !isinf(node->threshold))
        return asy_fail(err, ASY_E_INVAL, "the model was made with other cuts: %g is none of "
                        "feature %d", (double)node->threshold, (int)node->feature);
    *ret_bin = (unsigned)i + 1;
    return 0;
}

int asy__gbdt_replay(const struct asy_gbdt *model, const struct asy_gbdt_table *table,
                     struct asy__gbdt_part *parts, float *margins, struct asy_error *err)
{
    size_t rows = table->rows;
    int rc;

    for (size_t i = 0; i < rows * model->outputs; i++)
        margins[i] = (float)model->params.base;
    for (size_t t = 0; t < model->n_trees; t++) {
        const struct asy_gbdt_node *nodes = model->nodes + model->begin[t];

        for (size_t i = 0; i < model->begin[t + 1] - model->begin[t]; i++)
            if (nodes[i].feature >= 0 &&
                (rc = find_bin(table->cuts, nodes + i, &parts[i].bin, err)) < 0)
                return rc;
        for (size_t r = 0; r < rows; r++)
            margins[r * model->outputs + t % model->outputs] += value_of(table, parts, nodes, r);
    }
    return 0;
}

/* ---- the object ------------------------------------------------------------------------------ */

static int check_rows(const struct asy_gbdt_params *params, const float *label,
                      const float *weight, size_t rows, struct asy_error *err)
{
    for (size_t r = 0; r < rows; r++) {
        float y = label[r], w = weight ? weight[r] : 1;

        if (!isfinite(y) || (params->loss == ASY_GBDT_LOGISTIC && (y < 0 || y > 1)) ||
            (params->loss == ASY_GBDT_SOFTMAX &&
             !(y >= 0 && y < (float)params->classes && y == rintf(y))))
            return asy_fail(err, ASY_E_INVAL, "the label of row %zu, %g, is not possible", r,
                            (double)y);
        if (!(isfinite(w) && w >= 0))
            return asy_fail(err, ASY_E_INVAL, "the weight of row %zu, %g, is not possible", r,
                            (double)w);
    }
    return 0;
}

int asy__gbdt_check_fit(const struct asy_gbdt *model, const struct asy_gbdt_table *table,
                        const float *label, const float *weight, struct asy_error *err)
{
    if (model->features != table->cuts->features)
        return asy_fail(err, ASY_E_INVAL, "a model of %zu features cannot be made from a table of "
                        "%zu", model->features, table->cuts->features);
    return check_rows(&model->params, label, weight, table->rows, err);
}

static int allocate(struct asy_gbdt_fit *fit, struct asy_error *err)
{
    const struct asy_gbdt *model = fit->model;
    size_t rows = fit->table->rows, values = rows * model->outputs;
    int rc = asy__gbdt_grower_init(&fit->grower, &model->params, fit->table,
                                   fit->shard.sum ? &fit->shard : NULL, err);

    if (rc < 0)
        return rc;
    fit->margins = calloc(values + 1, sizeof *fit->margins);
    fit->chances = calloc(values + 1, sizeof *fit->chances);
    fit->g = calloc(rows + 1, sizeof *fit->g);
    fit->h = calloc(rows + 1, sizeof *fit->h);
    fit->taken = calloc(rows + 1, sizeof *fit->taken);
    if (!fit->margins || !fit->chances || !fit->g || !fit->h || !fit->taken)
        return asy_fail(err, ASY_E_NOMEM, "no memory for %zu margins", values);
    return 0;
}

int asy_gbdt_fit_create(struct asy_gbdt *model, const struct asy_gbdt_table *table,
                        const float *label, const float *weight,
                        const struct asy_gbdt_shard *shard, struct asy_gbdt_fit **ret_fit,
                        struct asy_error *err)
{
    struct asy_gbdt_fit *fit;
    int rc = asy__gbdt_check_fit(model, table, label, weight, err);

    if (rc < 0)
        return rc;
    if (!(fit = calloc(1, sizeof *fit)))
        return asy_fail(err, ASY_E_NOMEM, "no memory to fit trees");
    fit->model = model;
    fit->table = table;
    fit->label = label;
    fit->weight = weight;
    if (shard)
        fit->shard = *shard;
    if ((rc = allocate(fit, err)) < 0 ||
        (rc = asy__gbdt_replay(model, table, fit->grower.parts, fit->margins, err)) < 0) {
        asy_gbdt_fit_destroy(fit);
        return rc;
    }
    *ret_fit = fit;
    return 0;
}

void asy_gbdt_fit_destroy(struct asy_gbdt_fit *fit)
{
    int saved = errno;

    if (!fit)
        return;
    asy__gbdt_grower_fini(&fit->grower);
    free(fit->margins);
    free(fit->chances);
    free(fit->g);
    free(fit->h);
    free(fit->taken);
    free(fit);
    errno = saved;
}

const float *asy_gbdt_fit_margins(const struct asy_gbdt_fit *fit)
{
    return fit->margins;
}

/* ---- a round --------------------------------------------------------------------------------- */

static int grow_tree(struct asy_gbdt_fit *fit, size_t k, struct asy_error *err)
{
    struct asy_gbdt *model = fit->model;
    struct asy_gbdt_node *nodes = model->nodes + model->n_nodes;
    struct asy__gbdt_scale scale = { 0, 0 };
    size_t n_nodes = 0, n;
    int rc;

    asy__gbdt_derive(&model->params, model->outputs, k, fit->chances, fit->label, fit->weight,
                     fit->table->rows, fit->g, fit->h);
    if ((rc = round_pairs(fit, &scale, err)) < 0)
        return rc;
    asy__gbdt_draw_features(&model->params, model->features, model->n_trees, fit->grower.use);
    n = fill_rows(fit);
    if ((rc = asy__gbdt_grow(&fit->grower, n, scale, nodes, &n_nodes, err)) < 0)
        return rc;
    add_tree(fit, nodes, n_nodes, n, k);
    model->n_nodes += n_nodes;
    model->begin[++model->n_trees] = model->n_nodes;
    return 0;
}

int asy__gbdt_reserve_round(struct asy_gbdt *model, const struct asy_gbdt_shard *shard,
                            struct asy_error *err)
{
    struct asy_error lost = ASY_ERROR_INIT;
    int rc = asy__gbdt_reserve(model, model->outputs,
                               model->outputs * asy__gbdt_nodes_max(&model->params), err);
    int64_t failed = rc < 0;
    int sum;

    if (!shard->sum)
        return rc;
    sum = shard->sum(shard->context, &failed, 1, rc < 0 ? &lost : err);
    if (rc < 0 || sum < 0)
        return rc < 0 ? rc : sum;
    return failed ? asy_fail(err, ASY_E_NOMEM, "another rank has no memory for its trees") : 0;
}

int asy_gbdt_fit_round(struct asy_gbdt_fit *fit, struct asy_error *err)
{
    struct asy_gbdt *model = fit->model;
    size_t rounds = asy_gbdt_rounds(model), rows = fit->table->rows;
    int rc = asy__gbdt_reserve_round(model, &fit->shard, err);

    if (rc < 0)
        return rc;
    memcpy(fit->chances, fit->margins, rows * model->outputs * sizeof *fit->chances);
    asy_gbdt_respond(model, rows, fit->chances);
    draw_rows(fit, rounds);
    for (size_t k = 0; k < model->outputs; k++)
        if ((rc = grow_tree(fit, k, err)) < 0) {
            asy_gbdt_truncate(model, rounds);
            return rc;
        }
    return 0;
}
