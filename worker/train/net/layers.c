/* SPDX-License-Identifier: Apache-2.0
 * layers.c - see layers.h. */
#include "layers.h"
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <asy/conv.h>
#include <asy/pool.h>

#define LISTED_MAX 256
#define NAME_MAX_LEN 64
#define CONV_KERNEL 3

enum type {
    NO_MORE,
    COUNT, REAL, /* a size_t, a double of the description */
    ACT,         /* its activation; max: whether none is one */
    NORM,        /* which one */
    FLAG,        /* true */
    SWITCH,      /* true, which sets an int of the description */
    FROM, NAME,  /* another layer's name; its own */
};

struct option {
    const char *name;
    enum type type;
    size_t offset; /* into the description; FROM: which input */
    double min, max;
};
#define AT(field) offsetof(struct asy__layer_desc, field)
#define OPTIONS_MAX 7
static const struct kind {
    const char *name;
    enum asy__layer_kind kind;
    struct option options[OPTIONS_MAX];
} kinds[] = {
    { "dense", ASY__DENSE, { { "dense", COUNT, AT(width), 1, 65536 },
                             { "act", ACT, AT(act), .max = 1 } } },
    { "act", ASY__ACT, { { "act", ACT, AT(act) } } },
    { "dropout", ASY__DROPOUT, { { "dropout", REAL, AT(rate), 0, 0.99 } } },
    { "norm", ASY__LAYER_NORM, { { "norm", NORM } } },
    { "add", ASY__ADD, { { "add", FROM, 1 } } },
    { "flatten", ASY__FLATTEN, { { "flatten", FLAG } } },
    { "tokens", ASY__TOKENS, { { "tokens", COUNT, AT(width), 1, 65536 } } },
    { "place", ASY__PLACE, { { "place", FLAG } } },
    { "image", ASY__IMAGE, { { "image", COUNT, AT(image.height), 1, 65536 },
                             { "width", COUNT, AT(image.width), 1, 65536 },
                             { "channels", COUNT, AT(image.channels), 1, 65536 } } },
    { "conv", ASY__CONV, { { "conv", COUNT, AT(width), 1, 65536 },
                           { "kernel", COUNT, AT(kernel), 1, ASY_CONV_KERNEL_MAX },
                           { "stride", COUNT, AT(stride), 1, ASY_CONV_KERNEL_MAX },
                           { "pad", COUNT, AT(pad), 0, ASY_CONV_KERNEL_MAX - 1 },
                           { "groups", COUNT, AT(groups), 1, 65536 },
                           { "act", ACT, AT(act), .max = 1 } } },
    { "max_pool", ASY__MAX_POOL, { { "max_pool", COUNT, AT(kernel), 1, ASY_POOL_MAX },
                                   { "stride", COUNT, AT(stride), 1, ASY_POOL_MAX },
                                   { "pad", COUNT, AT(pad), 0, ASY_POOL_MAX / 2 } } },
    { "mean_pool", ASY__MEAN_POOL, { { "mean_pool", COUNT, AT(kernel), 1, ASY_POOL_MAX },
                                     { "stride", COUNT, AT(stride), 1, ASY_POOL_MAX },
                                     { "pad", COUNT, AT(pad), 0, ASY_POOL_MAX / 2 } } },
    { "global_mean", ASY__GLOBAL_MEAN, { { "global_mean", FLAG } } },
    { "global_max", ASY__GLOBAL_MAX, { { "global_max", FLAG } } },
    { "embed", ASY__EMBED, { { "embed", COUNT, AT(width), 1, 65536 } } },
    { "attention", ASY__ATTENTION, { { "attention", COUNT, AT(heads), 1, 1024 },
                                     { "dropout", REAL, AT(rate), 0, 0.99 },
                                     { "causal", SWITCH, AT(causal) } } },
    { "any", ASY__LAYER_KINDS, { { "name", NAME }, { "from", FROM, 0 } } },
};
#define ANY (&kinds[ASY_ARRAY_LEN(kinds) - 1])

struct builder {
    const struct asy_json *params;
    struct asy__layer_desc *layers;
    const char *names[LISTED_MAX]; /* NULL: it has none */
    size_t at;                     /* the layer that is read */
    struct asy_error *err;
};

const char *asy__layers_option(const char *kind, size_t i)
{
    for (size_t k = 0; k < ASY_ARRAY_LEN(kinds); k++)
        if (!strcmp(kinds[k].name, kind) && i < OPTIONS_MAX)
            return kinds[k].options[i].name;
    return NULL;
}

static const struct option *option_of(const struct kind *kind, const char *name)
{
    for (size_t i = 0; i < OPTIONS_MAX && kind->options[i].name; i++)
        if (!strcmp(kind->options[i].name, name))
            return &kind->options[i];
    return NULL;
}

/* The name between braces, in text [NAME_MAX_LEN + 1]; NULL: it is a value. */
static const char *placeholder(const struct asy_json *node, char *text)
{
    const char *value = asy_json_str(node, "");
    size_t len = strlen(value);

    if (len < 3 || len > NAME_MAX_LEN || value[0] != '{' || value[len - 1] != '}')
        return NULL;
    memcpy(text, value + 1, len - 2);
    text[len - 2] = '\0';
    return text;
}

int asy__layers_have(const struct asy_json *list, const char *param)
{
    char text[NAME_MAX_LEN + 1];
    const struct asy_json *value;
    const char *name, *key;

    for (size_t i = 0; i < asy_json_len(list); i++)
        for (size_t k = 0; (value = asy_json_member(asy_json_at(list, i), k, &key)); k++)
            if ((name = placeholder(value, text)) && !strcmp(name, param))
                return 1;
    return 0;
}

void asy__layers_write(const struct asy_json *list, const struct asy_json *params, int rates,
                       struct asy_jsonw *w, const char *key)
{
    char text[NAME_MAX_LEN + 1];
    const struct asy_json *value;
    const char *name, *option;

    asy_jsonw_open(w, key, '[');
    for (size_t i = 0; i < asy_json_len(list); i++) {
        asy_jsonw_open(w, NULL, '{');
        for (size_t k = 0; (value = asy_json_member(asy_json_at(list, i), k, &option)); k++) {
            name = rates || strcmp(option, "dropout") != 0 ? placeholder(value, text) : NULL;
            asy_jsonw_node(w, option, name ? asy_json_get(params, name) : value);
        }
        asy_jsonw_close(w, '}');
    }
    asy_jsonw_close(w, ']');
}

/* ---- reading --------------------------------------------------------------------------------- */

ASY_PRINTF(3, 4) static int refuse(struct builder *b, const char *option, const char *format, ...)
{
    char text[160];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return asy_fail(b->err, ASY_E_INVAL, "layers[%zu].%.40s: %s", b->at, option, text);
}

static int read_number(struct builder *b, const struct option *option, const struct asy_json *node,
                       struct asy__layer_desc *layer)
{
    enum asy_json_type type = asy_json_type(node);
    double value = asy_json_f64(node, (double)NAN);

    if (type != ASY_JSON_INT && type != ASY_JSON_REAL)
        return refuse(b, option->name, "a number is wanted");
    if (!(value >= option->min && value <= option->max) ||
        (option->type == COUNT && value != rint(value)))
        return refuse(b, option->name, "%.9g is not %s from %g to %g", value,
                      option->type == COUNT ? "a whole number" : "a number", option->min,
                      option->max);
    if (option->type == COUNT)
        *(size_t *)((char *)layer + option->offset) = (size_t)value;
    else
        *(double *)((char *)layer + option->offset) = value;
    return 0;
}

static int read_act(struct builder *b, const struct option *option, const struct asy_json *node,
                    struct asy__layer_desc *layer)
{
    const char *text = asy_json_str(node, "");

    for (int act = option->max > 0 ? ASY_ACT_NONE : ASY_ACT_NONE + 1; act < ASY_ACT_COUNT; act++)
        if (!strcmp(asy_act_name((enum asy_act)act), text)) {
            layer->act = (enum asy_act)act;
            return 0;
        }
    return refuse(b, option->name, "'%.40s' is no activation", text);
}

static int read_norm(struct builder *b, const struct option *option, const struct asy_json *node,
                     struct asy__layer_desc *layer)
{
    const char *text = asy_json_str(node, "");
    int batch = !strcmp(text, "batch");

    if (!batch && strcmp(text, "layer") != 0)
        return refuse(b, option->name, "'%.40s' is neither layer nor batch", text);
    layer->kind = batch ? ASY__BATCH_NORM : ASY__LAYER_NORM;
    return 0;
}

static int read_from(struct builder *b, const struct option *option, const struct asy_json *node,
                     struct asy__layer_desc *layer)
{
    const char *text = asy_json_str(node, "");

    if (!strcmp(text, "features")) {
        layer->from[option->offset] = ASY__FEATURES;
        return 0;
    }
    for (size_t l = 0; l < b->at; l++)
        if (b->names[l] && !strcmp(b->names[l], text)) {
            layer->from[option->offset] = l + 1;
            return 0;
        }
    return refuse(b, option->name, "no layer before it has the name '%.40s'", text);
}

static int read_name(struct builder *b, const struct asy_json *node)
{
    const char *text = asy_json_str(node, "");

    if (!*text || !strcmp(text, "features"))
        return refuse(b, "name", "'%.40s' cannot be a name", text);
    for (size_t l = 0; l < b->at; l++)
        if (b->names[l] && !strcmp(b->names[l], text))
            return refuse(b, "name", "'%.40s' is the name of another layer", text);
    b->names[b->at] = text;
    return 0;
}

static int read_option(struct builder *b, const struct option *option, const struct asy_json *node,
                       struct asy__layer_desc *layer)
{
    char text[NAME_MAX_LEN + 1];
    const char *name = placeholder(node, text);

    if (name && !(node = asy_json_get(b->params, name)))
        return refuse(b, option->name, "the trial has no parameter '%.60s'", name);
    switch (option->type) {
    case COUNT:
    case REAL:
        return read_number(b, option, node, layer);
    case ACT:
        return read_act(b, option, node, layer);
    case NORM:
        return read_norm(b, option, node, layer);
    case FLAG:
        return asy_json_bool(node, 0) ? 0 : refuse(b, option->name, "true is wanted");
    case SWITCH:
        *(int *)((char *)layer + option->offset) = asy_json_bool(node, 0);
        return asy_json_bool(node, 0) ? 0 : refuse(b, option->name, "true is wanted");
    case FROM:
        return read_from(b, option, node, layer);
    case NAME:
        return read_name(b, node);
    case NO_MORE:
        break;
    }
    return 0;
}

/* The kind whose options, with those of all layers, a layer's keys are. */
static const struct kind *kind_of(const struct asy_json *node)
{
    const char *name;

    for (const struct kind *kind = kinds; kind < ANY; kind++) {
        size_t i = 0;

        if (!asy_json_get(node, kind->name))
            continue;
        while (asy_json_member(node, i, &name) && (option_of(kind, name) || option_of(ANY, name)))
            i++;
        if (i == asy_json_len(node))
            return kind;
    }
    return NULL;
}

static int read_layer(struct builder *b, const struct asy_json *node)
{
    struct asy__layer_desc *layer = &b->layers[b->at];
    const struct kind *kind = kind_of(node);
    const struct asy_json *value;
    const char *name;
    int rc = 0;

    if (!kind)
        return asy_fail(b->err, ASY_E_INVAL, "layers[%zu]: is no layer with options of its kind",
                        b->at);
    layer->kind = kind->kind;
    layer->kernel = kind->kind == ASY__CONV ? CONV_KERNEL : 0; /* where it does not say */
    for (size_t i = 0; rc == 0 && (value = asy_json_member(node, i, &name)); i++) {
        const struct option *option = option_of(kind, name);

        rc = read_option(b, option ? option : option_of(ANY, name), value, layer);
    }
    return rc;
}

int asy__layers_read(const struct asy_json *list, const struct asy_json *params, size_t outputs,
                     struct asy__layer_desc **ret, size_t *ret_n, struct asy_error *err)
{
    struct builder b = { .params = params, .err = err };
    size_t n = asy_json_len(list);
    int rc = 0;

    if (!list || asy_json_type(list) != ASY_JSON_ARRAY || n == 0 || n > LISTED_MAX)
        return asy_fail(err, ASY_E_INVAL, "layers: a list of 1 to %d layers is wanted", LISTED_MAX);
    if (!(b.layers = calloc(n + 2, sizeof *b.layers)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for %zu layers", n);
    for (; b.at < n && rc == 0; b.at++)
        rc = read_layer(&b, asy_json_at(list, b.at));
    if (rc < 0) {
        free(b.layers);
        return rc;
    }
    b.layers[n].kind = ASY__FLATTEN; /* what is a vector already, stays as it is */
    b.layers[n + 1] = (struct asy__layer_desc){ .kind = ASY__DENSE, .width = outputs };
    *ret = b.layers;
    *ret_n = n + 2;
    return 0;
}
