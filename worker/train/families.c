/* SPDX-License-Identifier: Apache-2.0
 * families.c - see families.h. */
#include "families.h"
#include <string.h>
#include "score.h"

#define MLP_LAYERS 9 /* the hidden ones, and the output */

int asy__family_is_net(enum asy__family family)
{
    return family != ASY__GBDT;
}

static size_t list_mlp(const struct asy__hyper *hyper, const struct asy__schema *schema,
                       struct asy__layer_desc *layers)
{
    size_t n = (size_t)hyper->layers;

    for (size_t l = 0; l < n; l++)
        layers[l] = (struct asy__layer_desc){ .kind = ASY__DENSE,
                                              .act = (enum asy_act)hyper->activation,
                                              .width = (size_t)hyper->hidden };
    layers[n] = (struct asy__layer_desc){ .kind = ASY__DENSE, .width = asy__outputs_of(schema) };
    return n + 1;
}

int asy__family_net(const struct asy__hyper *hyper, const struct asy__schema *schema,
                    size_t train_rows, size_t eval_rows, struct asy__net **ret_net,
                    struct asy_error *err)
{
    struct asy__net_options options = { .features = { 1, 1, schema->n_features },
                                        .loss = asy__loss_of(schema),
                                        .train_rows = train_rows,
                                        .eval_rows = eval_rows };
    struct asy__layer_desc layers[MLP_LAYERS];
    size_t n;

    ASY_ASSERT(hyper->family == ASY__MLP, "family %d is no network", (int)hyper->family);
    n = list_mlp(hyper, schema, layers);
    return asy__net_create(layers, n, &options, ret_net, err);
}
