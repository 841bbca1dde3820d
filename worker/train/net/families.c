/* SPDX-License-Identifier: Apache-2.0
 * families.c - see families.h. */
#include "families.h"
#include "family_tokens.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "layers.h"
#include "learn/loss.h"
#include "learn/score.h"

#define LIST_MAX 80 /* layers of a list: of each block or hidden layer some, and the outputs */
_Static_assert(LIST_MAX > 4 * ASY__HIDDEN_MAX && LIST_MAX > 9 * ASY__BLOCKS_MAX + 8, "long enough");

int asy__family_is_net(enum asy__family family)
{
    return family != ASY__GBDT && family != ASY__PLUGIN;
}

int asy__family_check(enum asy__family family, const struct asy__schema *schema,
                      struct asy_error *err)
{
    int wants = family == ASY__GPT, has = schema->vocabulary > 0;

    if (schema->ids && family != ASY__TRANSFORMER && family != ASY__LAYERS)
        return asy_fail(err, ASY_E_INVAL, "run: rows that are sequences (data.sequence) are for "
                        "the models transformer and layers, not for %s", asy__family_name(family));
    if (wants == has)
        return 0;
    return asy_fail(err, ASY_E_INVAL, "run: the model %s learns from %s, and the data are %s",
                    asy__family_name(family), wants ? "tokens" : "tables",
                    has ? "tokens" : "a table");
}

static size_t list_linear(const struct asy__hyper *hyper, const struct asy__schema *schema,
                          struct asy__layer_desc *layers)
{
    layers[0] = (struct asy__layer_desc){ .kind = ASY__DENSE,
                                          .width = asy__loss_outputs(hyper, schema) };
    return 1;
}

/* A norm, if there is one, and an activation behind the layers [n] so far; how many there are. */
static size_t normed(const struct asy__hyper *hyper, enum asy_act act,
                     struct asy__layer_desc *layers, size_t n)
{
    int batch = hyper->norm == ASY__NORM_BATCH;

    if (hyper->norm == ASY__NORM_NONE) {
        layers[n - 1].act = act;
        return n;
    }
    layers[n++] = (struct asy__layer_desc){ .kind = batch ? ASY__BATCH_NORM : ASY__LAYER_NORM };
    if (act != ASY_ACT_NONE)
        layers[n++] = (struct asy__layer_desc){ .kind = ASY__ACT, .act = act };
    return n;
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
        n = normed(hyper, act, layers, n);
        if (hyper->dropout > 0)
            layers[n++] = (struct asy__layer_desc){ .kind = ASY__DROPOUT, .rate = hyper->dropout };
    }
    return n + list_linear(hyper, schema, layers + n);
}

/* ---- cnn ------------------------------------------------------------------------------------- */

/* The shape of a row: as hyper says, else as the array had it, else a square of one channel. */
static int image_of(const struct asy__hyper *hyper, const struct asy__schema *schema,
                    struct asy__shape *ret, struct asy_error *err)
{
    size_t n = schema->n_features, side = (size_t)sqrt((double)n + 0.5);
    struct asy__shape s = { side, side, 1 };

    if (hyper->image_height || hyper->image_width || hyper->image_channels) {
        s.height = (size_t)hyper->image_height;
        s.channels = (size_t)(hyper->image_channels ? hyper->image_channels : 1);
        s.width = (size_t)(hyper->image_width ? hyper->image_width : hyper->image_height);
    } else if (schema->image[0]) {
        s = (struct asy__shape){ schema->image[0], schema->image[1], schema->image[2] };
    }
    if (asy__shape_size(s) != n)
        return asy_fail(err, ASY_E_INVAL, "rows of %zu features are no images of %zu x %zu x %zu; "
                        "image_height, image_width and image_channels say what they are", n,
                        s.height, s.width, s.channels);
    if (s.height <= 4 && s.channels > 4 && schema->image[0] && !hyper->image_height)
        return asy_fail(err, ASY_E_INVAL, "images of %zu x %zu x %zu: the array seems to have its "
                        "channels first; the cnn wants them last (numpy.moveaxis(a, 1, -1)), or "
                        "image_height, image_width and image_channels to say so", s.height,
                        s.width, s.channels);
    *ret = s;
    return 0;
}

static struct asy__layer_desc conv_of(const struct asy__hyper *hyper, size_t width)
{
    int same = hyper->padding == ASY__PADDING_SAME || hyper->residual;
    size_t kernel = (size_t)hyper->kernel;

    return (struct asy__layer_desc){ .kind = ASY__CONV, .width = width, .kernel = kernel,
                                     .pad = same ? (kernel - 1) / 2 : 0 };
}

/* In each block twice the kernels of the one before, then pooling while there is what to pool. */
static size_t list_plain(const struct asy__hyper *hyper, struct asy__shape image,
                         struct asy__layer_desc *layers)
{
    size_t n = 0, high = image.height, wide = image.width;

    for (int64_t b = 0; b < hyper->blocks; b++) {
        struct asy__layer_desc *conv = &layers[n++];
        size_t shrinks;

        *conv = conv_of(hyper, (size_t)hyper->filters << b);
        n = normed(hyper, (enum asy_act)hyper->activation, layers, n);
        shrinks = conv->kernel - 1 - 2 * conv->pad;
        high = high > shrinks ? high - shrinks : 0;
        wide = wide > shrinks ? wide - shrinks : 0;
        if (hyper->pool == ASY__POOLING_NONE || high < 2 || wide < 2)
            continue;
        high /= 2;
        wide /= 2;
        if (hyper->pool == ASY__POOLING_MAX && hyper->norm == ASY__NORM_NONE)
            conv->pool = 2; /* at once */
        else
            layers[n++] = (struct asy__layer_desc){
                .kind = hyper->pool == ASY__POOLING_MAX ? ASY__MAX_POOL : ASY__MEAN_POOL,
                .kernel = 2 };
    }
    layers[n++] = (struct asy__layer_desc){ .kind = ASY__FLATTEN };
    return n;
}

/* A convolution; blocks of two of them, with a sum around each (He et al. 2016, arXiv 1512.03385,
 * figure 5 on the left), all but the first at half the width and height and with twice the kernels,
 * where a convolution of 1 x 1 goes around (option B); the mean of each channel. */
static size_t list_residual(const struct asy__hyper *hyper, struct asy__layer_desc *layers)
{
    enum asy_act act = (enum asy_act)hyper->activation;
    size_t n = 0, around;

    layers[n++] = conv_of(hyper, (size_t)hyper->filters);
    n = normed(hyper, act, layers, n);
    for (int64_t b = 0; b < hyper->blocks; b++) {
        size_t from = n, width = (size_t)hyper->filters << b, inner; /* from: layer n - 1 */

        layers[n] = conv_of(hyper, width);
        layers[n++].stride = b > 0 ? 2 : 1;
        n = normed(hyper, act, layers, n);
        layers[n++] = conv_of(hyper, width);
        n = normed(hyper, ASY_ACT_NONE, layers, n);
        inner = n;
        around = from;
        if (b > 0) {
            layers[n++] = (struct asy__layer_desc){ .kind = ASY__CONV, .width = width, .kernel = 1,
                                                    .stride = 2, .from = { from } };
            n = normed(hyper, ASY_ACT_NONE, layers, n);
            around = n;
        }
        layers[n++] = (struct asy__layer_desc){ .kind = ASY__ADD, .from = { inner, around } };
        layers[n++] = (struct asy__layer_desc){ .kind = ASY__ACT, .act = act };
    }
    layers[n++] = (struct asy__layer_desc){ .kind = ASY__GLOBAL_MEAN };
    return n;
}

static int list_cnn(const struct asy__hyper *hyper, const struct asy__schema *schema,
                    struct asy__shape *ret_image, struct asy__layer_desc *layers, size_t *ret_n,
                    struct asy_error *err)
{
    size_t n;
    int rc;

    if ((rc = image_of(hyper, schema, ret_image, err)) < 0)
        return rc;
    if (hyper->residual && hyper->kernel % 2 == 0)
        return asy_fail(err, ASY_E_INVAL, "a kernel of %lld is not possible in residual blocks: "
                        "it must be odd", (long long)hyper->kernel);
    n = hyper->residual ? list_residual(hyper, layers) : list_plain(hyper, *ret_image, layers);
    if (hyper->hidden)
        layers[n++] = (struct asy__layer_desc){ .kind = ASY__DENSE, .width = (size_t)hyper->hidden,
                                                .act = (enum asy_act)hyper->activation };
    if (hyper->dropout > 0)
        layers[n++] = (struct asy__layer_desc){ .kind = ASY__DROPOUT, .rate = hyper->dropout };
    *ret_n = n + list_linear(hyper, schema, layers + n);
    return 0;
}

int asy__family_augments(const struct asy__hyper *hyper)
{
    return hyper->augment_crop || hyper->augment_shift || hyper->augment_flip;
}

struct asy__shape asy__family_image(const struct asy__net *net)
{
    return net->layers[0].desc.kind == ASY__IMAGE ? net->layers[0].out : net->features;
}

static int check_augment(const struct asy__hyper *hyper, const struct asy__net *net,
                         struct asy_error *err)
{
    struct asy__shape image = asy__family_image(net);
    int64_t most = (int64_t)(image.height < image.width ? image.height : image.width);

    if (!asy__family_augments(hyper))
        return 0;
    if (most < 2)
        return asy_fail(err, ASY_E_INVAL, "augment_crop, augment_shift and augment_flip are for "
                        "images, and rows are none here");
    if (hyper->augment_crop >= most || hyper->augment_shift >= most)
        return asy_fail(err, ASY_E_INVAL, "augment_%s: of images of %zu x %zu pixels %lld would "
                        "leave none", hyper->augment_crop >= most ? "crop" : "shift",
                        image.height, image.width,
                        (long long)(hyper->augment_crop >= most ? hyper->augment_crop
                                                                : hyper->augment_shift));
    return 0;
}

/* Embeddings learn which tokens there are; rows of tokens have nothing else that takes them. */
static int embed_tokens(const struct asy__schema *schema, struct asy__layer_desc *layers, size_t n,
                        struct asy__net_options *options, struct asy_error *err)
{
    size_t found = 0;

    for (size_t l = 0; l < n; l++)
        if (layers[l].kind == ASY__EMBED) {
            if (!schema->ids)
                return asy_fail(err, ASY_E_INVAL, "layers[%zu].embed: rows are numbers, not tokens "
                                "(data.sequence)", l);
            layers[l].vocabulary = schema->ids;
            layers[l].spread = 1 / sqrt((double)layers[l].width);
            found++;
        }
    if (!schema->ids)
        return 0;
    options->features = (struct asy__shape){ 1, schema->n_features, 1 };
    return found ? 0 : asy_fail(err, ASY_E_INVAL, "layers: rows of tokens (data.sequence) need "
                                "{embed: N} to begin with");
}

static int list_layers(const struct asy__hyper *hyper, const struct asy__schema *schema,
                       struct asy__net_options *options, struct asy__layer_desc **ret,
                       size_t *ret_n, struct asy_error *err)
{
    int rc = asy__layers_read(hyper->list, hyper->values, asy__loss_outputs(hyper, schema), ret,
                              ret_n, err);

    return rc < 0 ? rc : embed_tokens(schema, *ret, *ret_n, options, err);
}

int asy__family_net_of(const struct asy__hyper *hyper, const struct asy__schema *schema,
                       size_t train_rows, size_t eval_rows, size_t parties,
                       struct asy__net **ret_net, struct asy_error *err)
{
    struct asy__net_options options = { .features = { 1, 1, schema->n_features },
                                        .loss = asy__loss_learnt(hyper, schema),
                                        .train_rows = train_rows,
                                        .eval_rows = eval_rows,
                                        .parties = parties,
                                        .bf16 = hyper->precision == ASY__BF16 };
    struct asy__layer_desc few[LIST_MAX], *listed = NULL;
    struct asy__net *net = NULL;
    size_t n = 0;
    int rc = 0;

    ASY_ASSERT(asy__family_is_net((enum asy__family)hyper->family), "family %d is no network",
               (int)hyper->family);
    if ((rc = asy__family_check((enum asy__family)hyper->family, schema, err)) < 0)
        return rc;
    if (hyper->family == ASY__GPT || hyper->family == ASY__TRANSFORMER)
        return asy__family_tokens_net(hyper, schema, &options, ret_net, err);
    if (hyper->family == ASY__MLP)
        n = list_mlp(hyper, schema, few);
    else if (hyper->family == ASY__LINEAR)
        n = list_linear(hyper, schema, few);
    else if (hyper->family == ASY__CNN)
        rc = list_cnn(hyper, schema, &options.features, few, &n, err);
    else
        rc = list_layers(hyper, schema, &options, &listed, &n, err);
    if (rc == 0)
        rc = asy__net_create(listed ? listed : few, n, &options, &net, err);
    if (rc == 0 && (rc = check_augment(hyper, net, err)) < 0)
        asy__net_destroy(net);
    if (rc == 0)
        *ret_net = net;
    free(listed);
    return rc;
}

int asy__family_net(const struct asy__hyper *hyper, const struct asy__schema *schema,
                    size_t train_rows, size_t eval_rows, struct asy__net **ret_net,
                    struct asy_error *err)
{
    return asy__family_net_of(hyper, schema, train_rows, eval_rows, 0, ret_net, err);
}
