/* SPDX-License-Identifier: Apache-2.0
 * family_tokens.c - the families of sequences: gpt, which says of each token what follows it, and
 * transformer, which says of a row what it is.
 *
 * Both are blocks of Vaswani et al. 2017 (arXiv 1706.03762, section 3.1) with the norms before what
 * they are of (Xiong et al. 2020, arXiv 2002.04745), which trains without a warm-up. First weights
 * spread by 1 / sqrt(3 d_model), which at the width of GPT-2 (Radford et al. 2019) is what it has;
 * as there, what is added to the stream is the smaller the more blocks add to it. */
#include "family_tokens.h"
#include <math.h>
#include <stdlib.h>
#include "learn/loss.h"
#include "data/tokens.h"

#define BLOCK 11 /* the most layers of one */
#define AROUND 7 /* those before and behind the blocks, at most */

struct list {
    struct asy__layer_desc *layers;
    size_t n, room;
};

/* Returns the number by which others name its output. */
static size_t add(struct list *list, struct asy__layer_desc layer)
{
    ASY_ASSERT(list->n < list->room, "%zu layers", list->n);
    list->layers[list->n++] = layer;
    return list->n;
}

static double spread(const struct asy__hyper *h)
{
    return 1 / sqrt(3 * (double)h->d_model);
}

static void add_dropout(struct list *list, const struct asy__hyper *h)
{
    if (h->dropout > 0)
        add(list, (struct asy__layer_desc){ .kind = ASY__DROPOUT, .rate = h->dropout });
}

/* stream: whose output they add to; returns whose it is then. */
static size_t add_block(struct list *list, const struct asy__hyper *h, size_t stream, int causal)
{
    size_t model = (size_t)h->d_model;
    double usual = spread(h), small = usual / sqrt(2 * (double)h->blocks);

    add(list, (struct asy__layer_desc){ .kind = ASY__LAYER_NORM, .from = { stream } });
    add(list, (struct asy__layer_desc){ .kind = ASY__DENSE, .width = 3 * model, .spread = usual });
    add(list, (struct asy__layer_desc){ .kind = ASY__ATTENTION, .heads = (size_t)h->heads,
                                        .causal = causal, .rate = h->attention_dropout });
    add(list, (struct asy__layer_desc){ .kind = ASY__DENSE, .width = model, .spread = small });
    add_dropout(list, h);
    stream = add(list, (struct asy__layer_desc){ .kind = ASY__ADD, .from = { 0, stream } });
    add(list, (struct asy__layer_desc){ .kind = ASY__LAYER_NORM });
    add(list, (struct asy__layer_desc){ .kind = ASY__DENSE, .width = 4 * model,
                                        .act = (enum asy_act)h->activation, .spread = usual });
    add(list, (struct asy__layer_desc){ .kind = ASY__DENSE, .width = model, .spread = small });
    add_dropout(list, h);
    return add(list, (struct asy__layer_desc){ .kind = ASY__ADD, .from = { 0, stream } });
}

static void add_blocks(struct list *list, const struct asy__hyper *h, int causal)
{
    size_t stream = list->n;

    for (int64_t b = 0; b < h->blocks; b++)
        stream = add_block(list, h, stream, causal);
    add(list, (struct asy__layer_desc){ .kind = ASY__LAYER_NORM });
}

static int begin(const struct asy__hyper *h, struct list *ret, struct asy_error *err)
{
    if (h->d_model % h->heads)
        return asy_fail(err, ASY_E_INVAL, "d_model %lld is not a multiple of heads %lld",
                        (long long)h->d_model, (long long)h->heads);
    ret->room = (size_t)h->blocks * BLOCK + AROUND;
    if (!(ret->layers = calloc(ret->room, sizeof *ret->layers)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for %lld blocks", (long long)h->blocks);
    ret->n = 0;
    return 0;
}

static int list_gpt(const struct asy__hyper *h, const struct asy__schema *schema, struct list *list,
                    struct asy__net_options *options, struct asy_error *err)
{
    int rc = begin(h, list, err);

    if (rc < 0)
        return rc;
    options->features = (struct asy__shape){ 1, (size_t)h->context, 1 };
    add(list, (struct asy__layer_desc){ .kind = ASY__EMBED, .width = (size_t)h->d_model,
                                        .vocabulary = schema->vocabulary,
                                        .is_shared = (int)h->tied, .spread = spread(h) });
    add_dropout(list, h);
    add_blocks(list, h, 1);
    if (h->tied)
        add(list, (struct asy__layer_desc){ .kind = ASY__UNEMBED, .table = 1 });
    else
        add(list, (struct asy__layer_desc){ .kind = ASY__DENSE, .width = schema->vocabulary,
                                            .spread = spread(h) });
    return 0;
}

/* Of rows of token numbers: each has a vector, and in the end all have one, their mean. Padding is
 * a token like others: what it means is learnt, so rows of one length need no mask. */
static int list_sequence(const struct asy__hyper *h, const struct asy__schema *schema,
                         struct list *list, struct asy__net_options *options,
                         struct asy_error *err)
{
    int rc;

    if (h->tokens && (size_t)h->tokens != schema->n_features)
        return asy_fail(err, ASY_E_INVAL, "tokens: a row has %zu of them, not %lld",
                        schema->n_features, (long long)h->tokens);
    if (schema->n_features > ASY__CONTEXT_MAX)
        return asy_fail(err, ASY_E_TOOBIG, "rows of %zu tokens are too long; at most %d are "
                        "possible", schema->n_features, ASY__CONTEXT_MAX);
    if ((rc = begin(h, list, err)) < 0)
        return rc;
    options->features = (struct asy__shape){ 1, schema->n_features, 1 };
    add(list, (struct asy__layer_desc){ .kind = ASY__EMBED, .width = (size_t)h->d_model,
                                        .vocabulary = schema->ids, .spread = spread(h) });
    add_dropout(list, h);
    add_blocks(list, h, 0);
    add(list, (struct asy__layer_desc){ .kind = ASY__GLOBAL_MEAN });
    add(list, (struct asy__layer_desc){ .kind = ASY__DENSE,
                                        .width = asy__loss_outputs(h, schema) });
    return 0;
}

static int list_transformer(const struct asy__hyper *h, const struct asy__schema *schema,
                            struct list *list, struct asy__net_options *options,
                            struct asy_error *err)
{
    size_t tokens = h->tokens ? (size_t)h->tokens : schema->n_features;
    int rc;

    if (schema->ids)
        return list_sequence(h, schema, list, options, err);
    if (schema->n_features % tokens)
        return asy_fail(err, ASY_E_INVAL, "tokens: %zu features do not make %zu tokens of one "
                        "length", schema->n_features, tokens);
    if (tokens > ASY__CONTEXT_MAX)
        return asy_fail(err, ASY_E_TOOBIG, "tokens: %zu are too many; at most %d are possible",
                        tokens, ASY__CONTEXT_MAX);
    if ((rc = begin(h, list, err)) < 0)
        return rc;
    options->features = (struct asy__shape){ 1, 1, schema->n_features };
    add(list, (struct asy__layer_desc){ .kind = ASY__TOKENS, .width = tokens });
    add(list, (struct asy__layer_desc){ .kind = ASY__DENSE, .width = (size_t)h->d_model });
    add(list, (struct asy__layer_desc){ .kind = ASY__PLACE, .spread = spread(h) });
    add_dropout(list, h);
    add_blocks(list, h, 0);
    add(list, (struct asy__layer_desc){ .kind = ASY__FLATTEN });
    add(list, (struct asy__layer_desc){ .kind = ASY__DENSE,
                                        .width = asy__loss_outputs(h, schema) });
    return 0;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

int asy__family_tokens_net(const struct asy__hyper *hyper, const struct asy__schema *schema,
                           const struct asy__net_options *options, struct asy__net **ret_net,
                           struct asy_error *err)
{
    struct asy__net_options own = *options;
    struct list list = { NULL, 0, 0 };
    int rc = hyper->family == ASY__GPT ? list_gpt(hyper, schema, &list, &own, err)
                                       : list_transformer(hyper, schema, &list, &own, err);

    if (rc == 0) {
        size_t tokens = hyper->family == ASY__GPT ? (size_t)hyper->context
                        : hyper->tokens         ? (size_t)hyper->tokens
                                                  : schema->n_features;

        own.eval_rows = smaller(own.eval_rows, asy__tokens_at_once(tokens));
        rc = asy__net_create(list.layers, list.n, &own, ret_net, err);
    }
    free(list.layers);
    return rc;
}
