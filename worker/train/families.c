/* SPDX-License-Identifier: Apache-2.0
 * families.c - see families.h. */
#include "families.h"
#include <stdlib.h>
#include <string.h>
#include "layers.h"
#include "score.h"

#define LIST_MAX (4 * ASY__HIDDEN_MAX + 1) /* layers of a list */

int asy__family_is_net(enum asy__family family)
{
    return family != ASY__GBDT && family != ASY__PLUGIN;
}

static size_t list_linear(const struct asy__schema *schema, struct asy__layer_desc *layers)
{
    layers[0] = (struct asy__layer_desc){ .kind = ASY__DENSE, .width = asy__outputs_of(schema) };
    return 1;
}

/* A dense layer, a norm, an activation, dropout; of these what there is. */
static size_t list_mlp(const struct asy__hyper *hyper, const struct asy__schema *schema,
                       struct asy__layer_desc *layers)
{
    enum asy_act act = (enum asy_act)hyper->activation;
    size_t n = 0;

    for (int64_t l = 0; l < hyper->layers; l++) {
        int64_t own = hyper->hidden_of[l];

        layers[n++] = (struct asy__layer_desc){ .kind = ASY__DENSE,
                                                .width = (size_t)(own ? own : hyper->hidden) };
        if (hyper->norm == ASY__NORM_LAYER)
            layers[n++] = (struct asy__layer_desc){ .kind = ASY__LAYER_NORM };
        if (hyper->norm == ASY__NORM_NONE)
            layers[n - 1].act = act;
        else
            layers[n++] = (struct asy__layer_desc){ .kind = ASY__ACT, .act = act };
        if (hyper->dropout > 0)
            layers[n++] = (struct asy__layer_desc){ .kind = ASY__DROPOUT, .rate = hyper->dropout };
    }
    return n + list_linear(schema, layers + n);
}

int asy__family_net(const struct asy__hyper *hyper, const struct asy__schema *schema,
                    size_t train_rows, size_t eval_rows, struct asy__net **ret_net,
                    struct asy_error *err)
{
    struct asy__net_options options = { .features = { 1, 1, schema->n_features },
                                        .loss = asy__loss_of(schema),
                                        .train_rows = train_rows,
                                        .eval_rows = eval_rows };
    struct asy__layer_desc few[LIST_MAX], *listed = NULL;
    size_t n = 0;
    int rc = 0;

    ASY_ASSERT(asy__family_is_net((enum asy__family)hyper->family), "family %d is no network",
               (int)hyper->family);
    if (hyper->family == ASY__MLP)
        n = list_mlp(hyper, schema, few);
    else if (hyper->family == ASY__LINEAR)
        n = list_linear(schema, few);
    else
        rc = asy__layers_read(hyper->list, hyper->values, asy__outputs_of(schema), &listed, &n,
                              err);
    if (rc == 0)
        rc = asy__net_create(listed ? listed : few, n, &options, ret_net, err);
    free(listed);
    return rc;
}
