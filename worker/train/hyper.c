/* SPDX-License-Identifier: Apache-2.0
 * hyper.c - the tables of hyperparameters and their reader. */
#include "hyper.h"
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <asy/conv.h>
#include <asy/gbdt.h>
#include <asy/parse.h>
#include <asy/training.h>
#include "net/layers.h"

enum type { REAL, COUNT, WORD, FLAG, LIST, WEIGHTS };

static const char *const activations[] = {
    "relu", "tanh", "gelu", "sigmoid", "silu", "leaky_relu", "softmax", NULL,
};
static const enum asy_act activation_of[] = {
    ASY_ACT_RELU, ASY_ACT_TANH, ASY_ACT_GELU, ASY_ACT_SIGMOID, ASY_ACT_SILU, ASY_ACT_LEAKY_RELU,
    ASY_ACT_SOFTMAX,
};
static const char *const paddings[] = { "same", "valid", NULL };
static const char *const pools[] = { "max", "mean", "none", NULL };
static const char *const norms[] = { "none", "layer", "batch", NULL };
static const char *const optimizers[] = { "sgd", "adam", "adamw", "adam_l2", "lamb", "lars", NULL };
static const char *const precisions[] = { "fp32", "bf16", NULL };
static const char *const losses[] = { "auto", "huber", "quantile", "binary", NULL };
static const char *const schedules[] = {
    "constant", "step", "linear", "cosine", "one_cycle", "plateau", NULL,
};

static const struct row {
    const char *name;
    enum type type;
    size_t offset;
    double fallback, min, max; /* WORD: the fallback's index */
    const char *const *words;
} of_learning[] = { /* what networks and plug-ins have */
#define AT(field) offsetof(struct asy__hyper, field)
    { "accumulate", COUNT, AT(accumulate), 1, 1, 1024, NULL },
    { "batch_size", COUNT, AT(batch_size), 64, 1, 1048576, NULL },
    { "beta1", REAL, AT(beta1), 0.9, 0, 0.999999, NULL },
    { "beta2", REAL, AT(beta2), 0.999, 0, 0.99999999, NULL },
    { "clip", REAL, AT(clip), 0, 0, 1e30, NULL },
    { "ema", REAL, AT(ema), 0, 0, 0.999999, NULL },
    { "epsilon", REAL, AT(epsilon), 1e-8, 1e-16, 1, NULL },
    { "lr", REAL, AT(lr), 0.001, 0, 1000, NULL },
    { "lr_end", REAL, AT(lr_end), 0, 0, 1, NULL },
    { "lr_every", COUNT, AT(lr_every), 10, 1, 1000000, NULL },
    { "lr_factor", REAL, AT(lr_factor), 0.1, 0, 1, NULL },
    { "lr_schedule", WORD, AT(lr_schedule), 0, 0, 0, schedules },
    { "momentum", REAL, AT(momentum), 0.9, 0, 0.999999, NULL },
    { "nesterov", FLAG, AT(nesterov), 0, 0, 1, NULL },
    { "optimizer", WORD, AT(optimizer), 1, 0, 0, optimizers },
    { "outer_lr", REAL, AT(outer_lr), 1, 0, 10, NULL },
    { "outer_momentum", REAL, AT(outer_momentum), 0, 0, 0.999999, NULL },
    { "patience", COUNT, AT(patience), 0, 0, 1000000, NULL },
    { "sync_every", COUNT, AT(sync_every), 1, 1, 1000000, NULL },
    { "trust", REAL, AT(trust), 0.001, 1e-9, 1, NULL },
    { "warmup", REAL, AT(warmup), 0, 0, 1000000, NULL },
    { "weight_decay", REAL, AT(weight_decay), 0, 0, 100, NULL },
    { "wire", WORD, AT(wire), 0, 0, 0, precisions },
}, of_networks[] = { /* what a plug-in does not have: losses and products are its own */
    { "class_balance", REAL, AT(class_balance), 0, 0, 1, NULL },
    { "class_weights", WEIGHTS, AT(class_weights), 0, 1e-6, 1e6, NULL },
    { "delta", REAL, AT(delta), 1, 1e-6, 1e6, NULL },
    { "label_smoothing", REAL, AT(label_smoothing), 0, 0, 0.99, NULL },
    { "loss", WORD, AT(loss), 0, 0, 0, losses },
    { "precision", WORD, AT(precision), 0, 0, 0, precisions },
    { "quantile", REAL, AT(quantile), 0.5, 0.001, 0.999, NULL },
}, of_mlp[] = {
    { "activation", WORD, AT(activation), 0, 0, 0, activations },
    { "dropout", REAL, AT(dropout), 0, 0, 0.99, NULL },
    { "hidden", COUNT, AT(hidden), 128, 1, 65536, NULL },
    { "hidden_2", COUNT, AT(hidden_of[1]), 0, 0, 65536, NULL },
    { "hidden_3", COUNT, AT(hidden_of[2]), 0, 0, 65536, NULL },
    { "hidden_4", COUNT, AT(hidden_of[3]), 0, 0, 65536, NULL },
    { "hidden_5", COUNT, AT(hidden_of[4]), 0, 0, 65536, NULL },
    { "hidden_6", COUNT, AT(hidden_of[5]), 0, 0, 65536, NULL },
    { "hidden_7", COUNT, AT(hidden_of[6]), 0, 0, 65536, NULL },
    { "hidden_8", COUNT, AT(hidden_of[7]), 0, 0, 65536, NULL },
    { "layers", COUNT, AT(layers), 2, 1, ASY__HIDDEN_MAX, NULL },
    { "norm", WORD, AT(norm), 0, 0, 0, norms },
}, of_images[] = { /* what may learn from images has */
    { "augment_crop", COUNT, AT(augment_crop), 0, 0, 4095, NULL },
    { "augment_flip", FLAG, AT(augment_flip), 0, 0, 1, NULL },
    { "augment_shift", COUNT, AT(augment_shift), 0, 0, 4095, NULL },
}, of_cnn[] = {
    { "activation", WORD, AT(activation), 0, 0, 0, activations },
    { "blocks", COUNT, AT(blocks), 2, 1, ASY__BLOCKS_MAX, NULL },
    { "dropout", REAL, AT(dropout), 0, 0, 0.99, NULL },
    { "filters", COUNT, AT(filters), 16, 1, 1024, NULL },
    { "hidden", COUNT, AT(hidden), 128, 0, 65536, NULL },
    { "image_channels", COUNT, AT(image_channels), 0, 0, 4096, NULL },
    { "image_height", COUNT, AT(image_height), 0, 0, 4096, NULL },
    { "image_width", COUNT, AT(image_width), 0, 0, 4096, NULL },
    { "kernel", COUNT, AT(kernel), 3, 1, ASY_CONV_KERNEL_MAX, NULL },
    { "norm", WORD, AT(norm), 0, 0, 0, norms },
    { "padding", WORD, AT(padding), 0, 0, 0, paddings },
    { "pool", WORD, AT(pool), 0, 0, 0, pools },
    { "residual", FLAG, AT(residual), 0, 0, 1, NULL },
}, of_layers[] = {
    { "layers", LIST, AT(list), 0, 0, 0, NULL },
}, of_gpt[] = {
    { "activation", WORD, AT(activation), 2, 0, 0, activations },
    { "attention_dropout", REAL, AT(attention_dropout), 0, 0, 0.99, NULL },
    { "blocks", COUNT, AT(blocks), 2, 1, 64, NULL },
    { "context", COUNT, AT(context), 64, 1, 8192, NULL },
    { "d_model", COUNT, AT(d_model), 128, 1, 8192, NULL },
    { "dropout", REAL, AT(dropout), 0, 0, 0.99, NULL },
    { "heads", COUNT, AT(heads), 4, 1, 256, NULL },
    { "tied", FLAG, AT(tied), 0, 0, 1, NULL },
}, of_transformer[] = {
    { "activation", WORD, AT(activation), 2, 0, 0, activations },
    { "attention_dropout", REAL, AT(attention_dropout), 0, 0, 0.99, NULL },
    { "blocks", COUNT, AT(blocks), 2, 1, 64, NULL },
    { "d_model", COUNT, AT(d_model), 64, 1, 8192, NULL },
    { "dropout", REAL, AT(dropout), 0, 0, 0.99, NULL },
    { "heads", COUNT, AT(heads), 4, 1, 256, NULL },
    { "tokens", COUNT, AT(tokens), 0, 0, 8192, NULL },
}, of_gbdt[] = {
    { "bins", COUNT, AT(bins), 256, 3, ASY_GBDT_BINS_MAX, NULL },
    { "colsample", REAL, AT(colsample), 1, 1e-6, 1, NULL },
    { "gamma", REAL, AT(gamma), 0, 0, 1e30, NULL },
    { "l1", REAL, AT(l1), 0, 0, 1e30, NULL },
    { "l2", REAL, AT(l2), 1, 0, 1e30, NULL },
    { "lr", REAL, AT(lr), 0.3, 1e-6, 1, NULL },
    { "max_depth", COUNT, AT(max_depth), 6, 1, ASY_GBDT_DEPTH_MAX, NULL },
    { "min_child_weight", REAL, AT(min_child_weight), 1, 0, 1e30, NULL },
    { "patience", COUNT, AT(patience), 0, 0, 1000000, NULL },
    { "subsample", REAL, AT(subsample), 1, 1e-6, 1, NULL },
#undef AT
};

/* Rows of its own and those that it shares, each list in the order of names. */
#define LISTS 4
static const struct family {
    const char *name;
    struct {
        const struct row *rows;
        size_t n;
    } lists[LISTS];
} families[ASY__FAMILIES] = {
#define LIST(rows) { rows, ASY_ARRAY_LEN(rows) }
#define NETWORK(name, rows) { name, { LIST(rows), LIST(of_learning), LIST(of_networks) } }
#define IMAGES(name, rows) \
    { name, { LIST(rows), LIST(of_images), LIST(of_learning), LIST(of_networks) } }
    [ASY__MLP] = NETWORK("mlp", of_mlp),
    [ASY__LINEAR] = { "linear", { LIST(of_learning), LIST(of_networks) } },
    [ASY__CNN] = IMAGES("cnn", of_cnn),
    [ASY__LAYERS] = IMAGES("layers", of_layers),
    [ASY__GPT] = NETWORK("gpt", of_gpt),
    [ASY__TRANSFORMER] = NETWORK("transformer", of_transformer),
    [ASY__GBDT] = { "gbdt", { LIST(of_gbdt) } },
    [ASY__PLUGIN] = { "plugin", { LIST(of_learning) } },
#undef IMAGES
#undef NETWORK
#undef LIST
};
#define INT_LIMIT ((int64_t)1 << 53) /* a plug-in gets its ints as doubles */
#define NAMES_MAX (64 + ASY_PLUGIN_HYPERS_MAX) /* of a family's hyperparameters */

/* The i-th in the order of names; NULL: there are no more. */
static const struct row *row_at(const struct family *family, size_t i)
{
    size_t at[LISTS] = { 0 };

    for (;; i--) {
        const struct row *first = NULL;
        size_t list = 0;

        for (size_t k = 0; k < LISTS; k++) {
            if (at[k] == family->lists[k].n ||
                (first && strcmp(first->name, family->lists[k].rows[at[k]].name) < 0))
                continue;
            first = &family->lists[k].rows[at[k]];
            list = k;
        }
        if (i == 0 || !first)
            return first;
        at[list]++;
    }
}

const char *asy__family_name(enum asy__family family)
{
    return families[family].name;
}

int asy__family_find(const char *name)
{
    for (int f = 0; name && f < ASY__FAMILIES; f++)
        if (!strcmp(families[f].name, name))
            return f;
    return -1;
}

const char *asy_trainer_hyperparameter(const char *family, size_t i)
{
    int f = asy__family_find(family);
    const struct row *row = f >= 0 ? row_at(&families[f], i) : NULL;

    return row ? row->name : NULL;
}

static double *real_of(struct asy__hyper *hyper, const struct row *row)
{
    return (double *)((char *)hyper + row->offset);
}

static int64_t *count_of(struct asy__hyper *hyper, const struct row *row)
{
    return (int64_t *)((char *)hyper + row->offset);
}

/* words of the activations are numbered otherwise than the enum. */
static int64_t word_value(const struct row *row, size_t i)
{
    return row->words == activations ? (int64_t)activation_of[i] : (int64_t)i;
}

void asy__hyper_defaults(enum asy__family family, struct asy__hyper *hyper)
{
    const struct row *row;

    memset(hyper, 0, sizeof *hyper);
    hyper->family = family;
    for (size_t i = 0; (row = row_at(&families[family], i)); i++) {
        if (row->type == REAL)
            *real_of(hyper, row) = row->fallback;
        else if (row->type == WORD)
            *count_of(hyper, row) = word_value(row, (size_t)row->fallback);
        else if (row->type != LIST && row->type != WEIGHTS)
            *count_of(hyper, row) = (int64_t)row->fallback;
    }
}

void asy__hyper_plugin(const struct asy_trainer_plugin *plugin, struct asy__hyper *hyper)
{
    asy__hyper_defaults(ASY__PLUGIN, hyper);
    hyper->plugin = plugin;
    for (uint32_t i = 0; i < plugin->n_hypers; i++)
        hyper->own[i] = plugin->hypers[i].fallback;
}

static int read_word(const struct row *row, const struct asy_json *node, struct asy__hyper *hyper,
                     struct asy_error *err)
{
    const char *text = asy_json_str(node, NULL), *nearest;
    char list[128] = "";
    size_t n = 0, len = 0;

    for (; row->words[n]; n++) {
        if (text && !strcmp(row->words[n], text)) {
            *count_of(hyper, row) = word_value(row, n);
            return 0;
        }
        len += (size_t)snprintf(list + len, sizeof list - len, "%s%s", n ? ", " : "",
                                row->words[n]);
    }
    nearest = text ? asy_nearest(text, strlen(text), row->words, n) : NULL;
    return asy_fail(err, ASY_E_INVAL, "%s: '%.40s' is not one of %s%s%s%s", row->name,
                    text ? text : "(not a text)", list, nearest ? "; did you mean '" : "",
                    nearest ? nearest : "", nearest ? "'?" : "");
}

static int read_flag(const struct row *row, const struct asy_json *node, struct asy__hyper *hyper,
                     struct asy_error *err)
{
    if (asy_json_type(node) != ASY_JSON_BOOL)
        return asy_fail(err, ASY_E_INVAL, "%s: true or false is wanted", row->name);
    *count_of(hyper, row) = asy_json_bool(node, 0);
    return 0;
}

static int read_number(const struct row *row, const struct asy_json *node,
                       struct asy__hyper *hyper, struct asy_error *err)
{
    enum asy_json_type type = asy_json_type(node);
    double value = asy_json_f64(node, (double)NAN);

    if (type != ASY_JSON_INT && type != ASY_JSON_REAL)
        return asy_fail(err, ASY_E_INVAL, "%s: a number is wanted", row->name);
    if (row->type == COUNT && value != rint(value))
        return asy_fail(err, ASY_E_INVAL, "%s: %g is not an integer", row->name, value);
    if (!(value >= row->min && value <= row->max))
        return asy_fail(err, ASY_E_INVAL, "%s: %.9g lies outside %g to %.9g", row->name, value,
                        row->min, row->max);
    if (row->type == REAL)
        *real_of(hyper, row) = value;
    else
        *count_of(hyper, row) = (int64_t)value;
    return 0;
}

static int read_list(const struct row *row, const struct asy_json *node, struct asy__hyper *hyper,
                     struct asy_error *err)
{
    const struct row *other;

    if (asy_json_type(node) != ASY_JSON_ARRAY)
        return asy_fail(err, ASY_E_INVAL, "%s: a list is wanted", row->name);
    for (size_t i = 0; (other = row_at(&families[hyper->family], i)); i++)
        if (asy__layers_have(node, other->name))
            return asy_fail(err, ASY_E_INVAL, "%s: '{%s}' is the name of a hyperparameter; a "
                            "layer's parameter needs another", row->name, other->name);
    hyper->list = node;
    return 0;
}

/* Whose names there are, only the data know. */
static int read_weights(const struct row *row, const struct asy_json *node,
                        struct asy__hyper *hyper, struct asy_error *err)
{
    enum asy_json_type type = asy_json_type(node);
    const struct asy_json *one;
    const char *name;

    if ((type != ASY_JSON_ARRAY && type != ASY_JSON_OBJECT) || !asy_json_len(node))
        return asy_fail(err, ASY_E_INVAL, "%s: an object of classes and numbers, or a list of "
                        "numbers, is wanted", row->name);
    for (size_t i = 0; i < asy_json_len(node); i++) {
        one = type == ASY_JSON_ARRAY ? asy_json_at(node, i) : asy_json_member(node, i, &name);
        if (!(asy_json_f64(one, 0) >= row->min && asy_json_f64(one, 0) <= row->max))
            return asy_fail(err, ASY_E_INVAL, "%s: each is a number from %g to %g", row->name,
                            row->min, row->max);
    }
    hyper->class_weights = node;
    return 0;
}

/* Which word of "a|bb|c" it is; -1: none. */
static int find_word(const char *words, const char *word)
{
    size_t len = strlen(word);

    for (int i = 0; words; words = strchr(words, '|'), i++) {
        words += *words == '|';
        if (strcspn(words, "|") == len && !strncmp(words, word, len))
            return i;
    }
    return -1;
}

static int is_exact(const struct asy_json *node)
{
    double value = asy_json_f64(node, 0);

    if (asy_json_type(node) == ASY_JSON_INT)
        return asy_json_i64(node, 0) <= INT_LIMIT && asy_json_i64(node, 0) >= -INT_LIMIT;
    return fabs(value) <= (double)INT_LIMIT;
}

static int read_own(const struct asy_trainer_hyper *h, const struct asy_json *node, double *ret,
                    struct asy_error *err)
{
    enum asy_json_type type = asy_json_type(node);
    double value = asy_json_f64(node, (double)NAN);
    int word;

    switch (h->type) {
    case ASY_TRAINER_WORD:
        word = find_word(h->words, asy_json_str(node, "|"));
        if (word < 0)
            return asy_fail(err, ASY_E_INVAL, "%s: '%.40s' is not one of %.100s", h->name,
                            asy_json_str(node, "(not a text)"), h->words);
        *ret = word;
        return 0;
    case ASY_TRAINER_FLAG:
        if (type != ASY_JSON_BOOL)
            return asy_fail(err, ASY_E_INVAL, "%s: true or false is wanted", h->name);
        *ret = asy_json_bool(node, 0);
        return 0;
    default:
        if ((type != ASY_JSON_INT && type != ASY_JSON_REAL) || !isfinite(value))
            return asy_fail(err, ASY_E_INVAL, "%s: a number is wanted", h->name);
        if (h->type == ASY_TRAINER_INT && value != rint(value))
            return asy_fail(err, ASY_E_INVAL, "%s: %g is not an integer", h->name, value);
        if (h->type == ASY_TRAINER_INT && !is_exact(node))
            return asy_fail(err, ASY_E_INVAL, "%s: a whole number up to 2^53 is wanted", h->name);
        if (!(h->min == 0 && h->max == 0) && !(value >= h->min && value <= h->max))
            return asy_fail(err, ASY_E_INVAL, "%s: %.9g lies outside %g to %g", h->name, value,
                            h->min, h->max);
        *ret = value;
        return 0;
    }
}

/* Where the plug-in's hyperparameter stands in its table; -1: it has none of that name. */
static int find_own(const struct asy__hyper *hyper, const char *name)
{
    for (uint32_t i = 0; hyper->plugin && i < hyper->plugin->n_hypers; i++)
        if (!strcmp(hyper->plugin->hypers[i].name, name))
            return (int)i;
    return -1;
}

static int unknown(const struct family *family, const struct asy__hyper *hyper, const char *name,
                   struct asy_error *err)
{
    const char *names[NAMES_MAX], *nearest;
    const struct row *row;
    size_t n = 0;

    for (; n < NAMES_MAX && (row = row_at(family, n)); n++)
        names[n] = row->name;
    for (uint32_t i = 0; hyper->plugin && i < hyper->plugin->n_hypers && n < NAMES_MAX; i++)
        names[n++] = hyper->plugin->hypers[i].name;
    nearest = asy_nearest(name, strlen(name), names, n);
    return asy_fail(err, ASY_E_INVAL, "'%.60s' is no hyperparameter of %s%s%s%s", name,
                    family->name, nearest ? "; did you mean '" : "", nearest ? nearest : "",
                    nearest ? "'?" : "");
}

int asy__hyper_read(const struct asy_json *node, struct asy__hyper *hyper, struct asy_error *err)
{
    const struct family *family = &families[hyper->family];
    struct asy__hyper h = *hyper;
    const struct asy_json *value;
    const char *name;
    int rc = 0;

    if (!node || asy_json_type(node) == ASY_JSON_NULL)
        return 0;
    if (asy_json_type(node) != ASY_JSON_OBJECT)
        return asy_fail(err, ASY_E_INVAL, "parameters are an object of names and values");
    if (hyper->family == ASY__LAYERS && asy_json_get(node, "layers"))
        h.list = asy_json_get(node, "layers"); /* before the names that it allows */
    for (size_t i = 0; rc == 0 && (value = asy_json_member(node, i, &name)); i++) {
        const struct row *row;
        size_t at = 0;
        int own = find_own(&h, name);

        while ((row = row_at(family, at)) && strcmp(row->name, name) != 0)
            at++;
        if (!row && own >= 0)
            rc = read_own(&h.plugin->hypers[own], value, &h.own[own], err);
        else if (!row && h.list && asy__layers_have(h.list, name))
            h.values = node;
        else if (!row)
            rc = unknown(family, &h, name, err);
        else if (row->type == LIST)
            rc = read_list(row, value, &h, err);
        else if (row->type == WEIGHTS)
            rc = read_weights(row, value, &h, err);
        else if (row->type == WORD)
            rc = read_word(row, value, &h, err);
        else if (row->type == FLAG)
            rc = read_flag(row, value, &h, err);
        else
            rc = read_number(row, value, &h, err);
    }
    if (rc == 0)
        *hyper = h;
    return rc;
}

static const char *word_of(const struct asy__hyper *hyper, const struct row *row)
{
    int64_t value = *(const int64_t *)((const char *)hyper + row->offset);

    for (size_t n = 0; row->words[n]; n++)
        if (word_value(row, n) == value)
            return row->words[n];
    return NULL;
}

const char *asy__hyper_word(const struct asy__hyper *hyper, const char *name)
{
    const struct row *row;

    for (size_t i = 0; (row = row_at(&families[hyper->family], i)); i++)
        if (row->type == WORD && !strcmp(row->name, name))
            return word_of(hyper, row);
    return NULL;
}

static void write_own(const struct asy_trainer_hyper *h, double value, struct asy_jsonw *w)
{
    const char *word = h->words;

    if (h->type == ASY_TRAINER_FLAG) {
        asy_jsonw_bool(w, h->name, value != 0);
    } else if (h->type == ASY_TRAINER_WORD) {
        for (double i = 0; i < value; i++)
            word = strchr(word, '|') + 1;
        asy_jsonw_strn(w, h->name, word, strcspn(word, "|"));
    } else if (h->type == ASY_TRAINER_INT) {
        asy_jsonw_i64(w, h->name, (int64_t)value);
    } else {
        asy_jsonw_f64(w, h->name, value);
    }
}

void asy__hyper_write(const struct asy__hyper *hyper, struct asy_jsonw *w, const char *key)
{
    struct asy__hyper h = *hyper;
    const struct row *row;

    asy_jsonw_open(w, key, '{');
    for (size_t i = 0; (row = row_at(&families[h.family], i)); i++) {
        if (row->type == LIST) {
            asy__layers_write(h.list, h.values, 1, w, row->name);
        } else if (row->type == WEIGHTS) {
            if (h.class_weights)
                asy_jsonw_node(w, row->name, h.class_weights);
        } else if (row->type == REAL) {
            asy_jsonw_f64(w, row->name, *real_of(&h, row));
        } else if (row->type == FLAG) {
            asy_jsonw_bool(w, row->name, *count_of(&h, row) != 0);
        } else if (row->type == COUNT) {
            asy_jsonw_i64(w, row->name, *count_of(&h, row));
        } else {
            asy_jsonw_str(w, row->name, word_of(&h, row));
        }
    }
    for (uint32_t i = 0; h.plugin && i < h.plugin->n_hypers; i++)
        write_own(&h.plugin->hypers[i], h.own[i], w);
    asy_jsonw_close(w, '}');
}
