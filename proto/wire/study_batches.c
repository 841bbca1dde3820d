/* SPDX-License-Identifier: Apache-2.0
 * study_batches.c - what cannot be had together: batch norm takes statistics of a whole batch,
 * which neither a batch computed in parts (strict) nor one computed in pieces (accumulate) has;
 * strict bits are those of every machine, which rounded products and sums are not; devices do not
 * round products; and steps that a rank makes alone (sync_every) are not those of all ranks. And
 * numbers that would do nothing beside what else the file says. The last two are mistakes of a
 * user's own file only: stored studies, accepted before there were these rules, have such. */
#include "study_impl.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct asy_param *parameter(struct asy__parse *p, const char *name)
{
    size_t i = asy_space_find(p->study->space, name);

    return i == SIZE_MAX ? NULL : asy_space_at(p->study->space, i);
}

/* Where a word stands. */
struct place {
    const struct asy_yaml *node;
    const struct asy_param *param; /* NULL: a constant */
    char key[160];
};

/* Whether a parameter may be the word. */
static int is_searched(struct asy__parse *p, const char *name, const char *word, struct place *ret)
{
    const struct asy_param *param = parameter(p, name);

    for (size_t i = 0; param && i < param->n_choices; i++) {
        if (param->choices[i].type != ASY_VALUE_STRING ||
            strcmp(param->choices[i].s, word) != 0)
            continue;
        ret->node = p->params[asy_space_find(p->study->space, name)];
        ret->param = param;
        snprintf(ret->key, sizeof ret->key, "parameters.%.100s", name);
        return 1;
    }
    return 0;
}

static int is_listed_batch(struct asy__parse *p, struct place *ret)
{
    const struct asy_yaml *layer, *norm;

    for (size_t i = 0; (layer = asy__study_layer(p, i)); i++) {
        norm = layer->type == ASY_YAML_MAP ? asy_yaml_get(layer, "norm") : NULL;
        if (!norm || norm->type != ASY_YAML_STRING || strcmp(norm->text, "batch") != 0)
            continue;
        *ret = (struct place){ .node = norm };
        snprintf(ret->key, sizeof ret->key, "run.layers[%zu].norm", i);
        return 1;
    }
    for (size_t i = 0; i < p->n_layer_uses; i++)
        if (!strcmp(p->layer_uses[i].row->path, "norm") &&
            is_searched(p, p->layer_uses[i].name, "batch", ret))
            return 1;
    return 0;
}

/* Where the study has the word for a hyperparameter of the model, or may have it in a trial. */
static int find_word(struct asy__parse *p, const char *name, const char *word, struct place *ret)
{
    const struct asy__row *row = asy__row_option(p->model_group, name);
    const struct asy__value *value = row ? asy__row_val(p, row) : NULL;

    if (!value)
        return 0;
    if (!value->node || !value->has || strcmp(value->s, word) != 0)
        return is_searched(p, name, word, ret);
    *ret = (struct place){ .node = value->node };
    snprintf(ret->key, sizeof ret->key, "run.%.100s", name);
    return 1;
}

static int find_batch_norm(struct asy__parse *p, struct place *ret)
{
    return asy__row_option(p->model_group, "norm") ? find_word(p, "norm", "batch", ret)
                                                   : is_listed_batch(p, ret);
}

static int is_strict(struct asy__parse *p)
{
    return asy__is_word(p, "resources.reproducible", "strict");
}

/* What a hyperparameter that is a number may be in a trial, and where the study says so. */
struct span {
    struct place at; /* node: NULL, the default */
    double least, most;
};

static int find_number(struct asy__parse *p, const char *name, struct span *ret)
{
    const struct asy__row *row = asy__row_option(p->model_group, name);
    const struct asy__value *value = row ? asy__row_val(p, row) : NULL;
    const struct asy_param *param = parameter(p, name);

    if (!value || !(param || value->has))
        return 0;
    *ret = (struct span){ { .node = value->node }, value->f, value->f };
    snprintf(ret->at.key, sizeof ret->at.key, "%s.%.100s", param ? "parameters" : "run", name);
    if (!param)
        return 1;
    ret->at.node = p->params[asy_space_find(p->study->space, name)];
    ret->at.param = param;
    ret->least = param->n_choices ? INFINITY : param->lo;
    ret->most = param->n_choices ? -INFINITY : param->hi;
    for (size_t i = 0; i < param->n_choices; i++) {
        ret->least = fmin(ret->least, param->choices[i].f);
        ret->most = fmax(ret->most, param->choices[i].f);
    }
    return 1;
}

/* Where the study has a number above the bound for a hyperparameter, or may have it in a trial. */
static int find_above(struct asy__parse *p, const char *name, double bound, struct place *ret)
{
    struct span span;

    if (!find_number(p, name, &span) || span.most <= bound)
        return 0;
    *ret = span.at;
    return 1;
}

/* Two that are searched, one under conditions, may never meet: a trial will tell. */
static int may_never_meet(const struct place *a, const struct place *b)
{
    return a->param && b->param && (a->param->n_whens || b->param->n_whens);
}

/* Whether a trial may have a number above the bound together with what stands at this place. */
static int meets_above(struct asy__parse *p, const struct place *at, const char *name,
                       double bound)
{
    struct place other;

    return find_above(p, name, bound, &other) && !may_never_meet(at, &other);
}

#define REFUSE(p, at, ...) asy__problem(p, (at).node, (at).key, __VA_ARGS__)

void asy__study_check_batches(struct asy__parse *p)
{
    struct place at;

    if (!find_batch_norm(p, &at))
        return;
    if (is_strict(p))
        REFUSE(p, at, "batch needs whole batches, which reproducible: strict computes in parts; "
               "layer does not");
    if (meets_above(p, &at, "accumulate", 1))
        REFUSE(p, at, "batch needs whole batches, which accumulate computes in pieces; layer does "
               "not");
}

/* What goes over the steps of all ranks, or has no others to meet. Of a stored study a trial that
 * has it says so. */
void asy__study_check_local(struct asy__parse *p)
{
    struct place at, norm;

    if (!p->look || !find_above(p, "sync_every", 1, &at))
        return;
    if (is_strict(p))
        REFUSE(p, at, "above 1 ranks make steps alone, and reproducible: strict gives the same "
               "bits for any number of them");
    if (meets_above(p, &at, "ema", 0))
        REFUSE(p, at, "above 1 ranks make steps alone, and ema is a mean over the steps of all");
    if (find_batch_norm(p, &norm) && !may_never_meet(&at, &norm))
        REFUSE(p, at, "above 1 ranks make steps alone, and norm: batch needs a batch as a whole; "
               "layer does not");
    if (asy__study_on_device(p) && asy__val(p, "resources.ranks")->i == 1)
        REFUSE(p, at, "above 1 has no use for one rank on a device, which has no others to meet");
}

/* Gradients may go rounded from node to node; weights, which meetings have, may not. */
static void check_wire(struct asy__parse *p)
{
    struct place at;

    if (!find_word(p, "wire", "bf16", &at))
        return;
    if (is_strict(p))
        REFUSE(p, at, "bf16 has other bits for other nodes, and reproducible: strict promises the "
               "same; fp32 has them");
    if (meets_above(p, &at, "sync_every", 1))
        REFUSE(p, at, "bf16 rounds gradients, and with sync_every above 1 weights go between "
               "nodes, which it would spoil; fp32 does not");
}

void asy__study_check_precision(struct asy__parse *p)
{
    struct place at;

    check_wire(p);
    if (!find_word(p, "precision", "bf16", &at))
        return;
    if (is_strict(p))
        REFUSE(p, at, "bf16 has not the same bits on every machine, which reproducible: strict "
               "promises; fp32 has");
    else if (asy__study_on_device(p))
        REFUSE(p, at, "bf16 is for CPUs; the device that resources.%s asks for has fp32",
               asy__val(p, "resources.gpus")->i > 0 ? "gpus" : "device");
}

/* A rank's share of a batch is what it cuts into pieces. */
static void check_pieces(struct asy__parse *p)
{
    double ranks = (double)asy__val(p, "resources.ranks")->i, rows;
    struct span pieces, batch;

    if (!find_number(p, "accumulate", &pieces) || !find_number(p, "batch_size", &batch))
        return;
    rows = ceil(batch.most / fmax(ranks, 1));
    if (pieces.least > fmax(rows, 1))
        REFUSE(p, pieces.at, "%g pieces cannot be made of the %g row%s that a rank has of a batch "
               "(batch_size)", pieces.least, rows, rows == 1 ? "" : "s");
}

/* A rank without rows of a batch would bring what it began with into the mean. */
static void check_shares(struct asy__parse *p)
{
    int64_t ranks = asy__val(p, "resources.ranks")->i;
    struct span batch;
    struct place alone;

    if (find_above(p, "sync_every", 1, &alone) && find_number(p, "batch_size", &batch) &&
        batch.most < (double)ranks)
        REFUSE(p, alone, "above 1 each rank makes steps of its own, and of a batch of %g row%s "
               "(batch_size) %lld ranks have not one each", batch.most, batch.most == 1 ? "" : "s",
               (long long)ranks);
}

void asy__study_check_effects(struct asy__parse *p)
{
    static const char *const outer[] = { "outer_lr", "outer_momentum" };
    const struct asy__value *length = asy__val(p, "run.length.max");
    struct place alone;
    struct span span;

    if (!p->look)
        return;
    if (find_number(p, "warmup", &span) && length->has && span.least > (double)length->i)
        REFUSE(p, span.at, "%g epochs are more than run.length.max, so that lr would never be "
               "reached", span.least);
    for (size_t i = 0; i < ASY_ARRAY_LEN(outer); i++)
        if (find_number(p, outer[i], &span) && span.at.node &&
            !find_above(p, "sync_every", 1, &alone))
            REFUSE(p, span.at, "has no effect without sync_every above 1");
    check_pieces(p);
    check_shares(p);
}
