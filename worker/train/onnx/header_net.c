/* SPDX-License-Identifier: Apache-2.0
 * header_net.c - networks in C: a function for each kind of layer that a network has, and one that
 * calls them in order. Each layer has an array of its own for its outputs. */
#include "header_impl.h"
#include "net/net_impl.h"
#include <stdio.h>

/* ---- functions ------------------------------------------------------------------------------- */

/* Their texts, with @ for the name of the model. */
static const char dense_text[] =
    "\nstatic inline void @_dense(const float *weight, const float *bias, int rows, int in, int "
    "out,\n    const float *x, float *y)\n{\n"
    "    int r, i, k;\n\n"
    "    for (r = 0; r < rows; r++, x += in)\n"
    "        for (k = 0; k < out; k++, y++) {\n"
    "            float v = bias[k];\n\n"
    "            for (i = 0; i < in; i++)\n"
    "                v += weight[k * in + i] * x[i];\n"
    "            *y = v;\n"
    "        }\n}\n";
static const char add_text[] =
    "\nstatic inline void @_add(int n, const float *a, const float *b, float *y)\n{\n"
    "    int i;\n\n"
    "    for (i = 0; i < n; i++)\n"
    "        y[i] = a[i] + b[i];\n}\n";
static const char norm_text[] =
    "\nstatic inline void @_norm(const float *weight, const float *bias, int rows, int n,\n"
    "    float epsilon, const float *x, float *y)\n{\n"
    "    int r, i;\n\n"
    "    for (r = 0; r < rows; r++, x += n, y += n) {\n"
    "        float mean = 0, square = 0;\n\n"
    "        for (i = 0; i < n; i++)\n"
    "            mean += x[i] / (float)n;\n"
    "        for (i = 0; i < n; i++)\n"
    "            square += (x[i] - mean) * (x[i] - mean) / (float)n;\n"
    "        for (i = 0; i < n; i++)\n"
    "            y[i] = (x[i] - mean) / sqrtf(square + epsilon) * weight[i] + bias[i];\n"
    "    }\n}\n";
static const char batch_text[] =
    "\nstatic inline void @_batch_norm(const float *weight, const float *bias, const float *mean,\n"
    "    const float *variance, int rows, int n, float epsilon, const float *x, float *y)\n{\n"
    "    int r, i;\n\n"
    "    for (r = 0; r < rows; r++)\n"
    "        for (i = 0; i < n; i++, x++, y++)\n"
    "            *y = (*x - mean[i]) / sqrtf(variance[i] + epsilon) * weight[i] + bias[i];\n}\n";
static const char softmax_text[] =
    "\nstatic inline void @_softmax(int rows, int n, const float *x, float *y)\n{\n"
    "    int r, i;\n\n"
    "    for (r = 0; r < rows; r++, x += n, y += n) {\n"
    "        float most = x[0], sum = 0;\n\n"
    "        for (i = 1; i < n; i++)\n"
    "            most = x[i] > most ? x[i] : most;\n"
    "        for (i = 0; i < n; i++)\n"
    "            sum += y[i] = expf(x[i] - most);\n"
    "        for (i = 0; i < n; i++)\n"
    "            y[i] /= sum;\n"
    "    }\n}\n";
static const char attention_text[] =
    "\n/* x: query, key and value of each token; s: room for a number of each. */\n"
    "static inline void @_attention(int tokens, int heads, int width, int causal, const float *x,"
    "\n    float *s, float *y)\n{\n"
    "    int all = heads * width, h, t, u, i;\n\n"
    "    for (h = 0; h < heads; h++)\n"
    "        for (t = 0; t < tokens; t++) {\n"
    "            const float *q = x + t * 3 * all + h * width;\n"
    "            int seen = causal ? t + 1 : tokens;\n"
    "            float most = -INFINITY, sum = 0;\n\n"
    "            for (u = 0; u < seen; u++) {\n"
    "                const float *k = x + (u * 3 + 1) * all + h * width;\n\n"
    "                s[u] = 0;\n"
    "                for (i = 0; i < width; i++)\n"
    "                    s[u] += q[i] * k[i];\n"
    "                s[u] /= sqrtf((float)width);\n"
    "                most = s[u] > most ? s[u] : most;\n"
    "            }\n"
    "            for (u = 0; u < seen; u++)\n"
    "                sum += s[u] = expf(s[u] - most);\n"
    "            for (i = 0; i < width; i++) {\n"
    "                float v = 0;\n\n"
    "                for (u = 0; u < seen; u++)\n"
    "                    v += s[u] / sum * x[(u * 3 + 2) * all + h * width + i];\n"
    "                y[t * all + h * width + i] = v;\n"
    "            }\n"
    "        }\n}\n";
static const char conv_text[] =
    "\nstatic inline void @_conv(const float *weight, const float *bias, int h, int w, int in, int "
    "out,\n    int kernel, int stride, int pad, int groups, const float *x, float *y)\n{\n"
    "    int high = (h + 2 * pad - kernel) / stride + 1, wide = (w + 2 * pad - kernel) / stride + "
    "1;\n"
    "    int n = in / groups, r, c, k, i, j, m;\n\n"
    "    for (r = 0; r < high; r++)\n"
    "        for (c = 0; c < wide; c++)\n"
    "            for (k = 0; k < out; k++, y++) {\n"
    "                float v = bias[k];\n\n"
    "                for (i = 0; i < kernel; i++)\n"
    "                    for (j = 0; j < kernel; j++) {\n"
    "                        int row = r * stride + i - pad, column = c * stride + j - pad;\n"
    "                        const float *at;\n\n"
    "                        if (row < 0 || row >= h || column < 0 || column >= w)\n"
    "                            continue;\n"
    "                        at = x + (row * w + column) * in + k / (out / groups) * n;\n"
    "                        for (m = 0; m < n; m++)\n"
    "                            v += weight[((k * kernel + i) * kernel + j) * n + m] * at[m];\n"
    "                    }\n"
    "                *y = v;\n"
    "            }\n}\n";
static const char pool_text[] =
    "\nstatic inline void @_pool(int mean, int h, int w, int channels, int size, int stride, int "
    "pad,\n    const float *x, float *y)\n{\n"
    "    int high = (h + 2 * pad - size) / stride + 1, wide = (w + 2 * pad - size) / stride + 1;\n"
    "    int r, c, k, i, j;\n\n"
    "    for (r = 0; r < high; r++)\n"
    "        for (c = 0; c < wide; c++)\n"
    "            for (k = 0; k < channels; k++, y++) {\n"
    "                float most = -INFINITY, sum = 0, n = 0;\n\n"
    "                for (i = r * stride - pad; i < r * stride - pad + size; i++)\n"
    "                    for (j = c * stride - pad; j < c * stride - pad + size; j++)\n"
    "                        if (i >= 0 && i < h && j >= 0 && j < w) {\n"
    "                            float v = x[(i * w + j) * channels + k];\n\n"
    "                            most = v > most ? v : most;\n"
    "                            sum += v;\n"
    "                            n += 1;\n"
    "                        }\n"
    "                *y = mean ? sum / n : most;\n"
    "            }\n}\n";
static const char mean_text[] =
    "\nstatic inline void @_mean(int pixels, int channels, const float *x, float *y)\n{\n"
    "    int i, k;\n\n"
    "    for (k = 0; k < channels; k++) {\n"
    "        float sum = 0;\n\n"
    "        for (i = 0; i < pixels; i++)\n"
    "            sum += x[i * channels + k];\n"
    "        y[k] = sum / (float)pixels;\n"
    "    }\n}\n";

static const char max_text[] =
    "\nstatic inline void @_max(int pixels, int channels, const float *x, float *y)\n{\n"
    "    int i, k;\n\n"
    "    for (k = 0; k < channels; k++) {\n"
    "        y[k] = x[k];\n"
    "        for (i = 1; i < pixels; i++)\n"
    "            y[k] = x[i * channels + k] > y[k] ? x[i * channels + k] : y[k];\n"
    "    }\n}\n";

static const char *activation(enum asy_act act)
{
    switch (act) {
    case ASY_ACT_NONE:
        return "v";
    case ASY_ACT_RELU:
        return "v < 0 ? 0.0f : v"; /* NaN stays */
    case ASY_ACT_TANH:
        return "tanhf(v)";
    case ASY_ACT_GELU:
        return "0.5f * v * (1.0f + tanhf(0.797884561f * (v + 0.044715f * v * v * v)))";
    case ASY_ACT_SIGMOID:
        return "1.0f / (1.0f + expf(-v))";
    case ASY_ACT_SILU:
        return "v / (1.0f + expf(-v))";
    case ASY_ACT_LEAKY_RELU:
        return "v < 0 ? 0.01f * v : v";
    case ASY_ACT_SOFTMAX: /* has a text of its own */
        break;
    }
    ASY_ASSERT(0, "activation %d", (int)act);
    return "";
}

static void put_template(struct asy__writer *w, const char *text)
{
    for (; *text; text++)
        if (*text == '@')
            asy_buf_adds(w->to, w->name);
        else
            asy_buf_addc(w->to, *text);
}

/* ---- kinds of layers ------------------------------------------------------------------------- */

/* A layer at the place of its turn. */
struct turn {
    const struct asy__layer *layer;
    size_t l;               /* its number */
    const char *x[ASY__LAYER_INS]; /* arrays of its inputs */
};

static void call_dense(struct asy__writer *w, const struct turn *t)
{
    asy_buf_addf(w->to, "    %s_dense(%s_weight_%zu, %s_bias_%zu, %zu, %zu, %zu, %s, y%zu);\n",
                 w->name, w->name, t->l, w->name, t->l, asy__shape_vectors(t->layer->out),
                 t->layer->in[0].channels, t->layer->out.channels, t->x[0], t->l);
}

static void call_add(struct asy__writer *w, const struct turn *t)
{
    asy_buf_addf(w->to, "    %s_add(%zu, %s, %s, y%zu);\n", w->name,
                 asy__shape_size(t->layer->out), t->x[0], t->x[1], t->l);
}

static void call_norm(struct asy__writer *w, const struct turn *t)
{
    asy_buf_addf(w->to, "    %s_norm(%s_weight_%zu, %s_bias_%zu, %zu, %zu, ", w->name, w->name,
                 t->l, w->name, t->l, asy__shape_vectors(t->layer->out), t->layer->out.channels);
    asy__put_float(w->to, ASY__NORM_EPSILON);
    asy_buf_addf(w->to, ", %s, y%zu);\n", t->x[0], t->l);
}

static void call_batch(struct asy__writer *w, const struct turn *t)
{
    asy_buf_addf(w->to,
                 "    %s_batch_norm(%s_weight_%zu, %s_bias_%zu, %s_mean_%zu, %s_variance_%zu, %zu, "
                 "%zu, ", w->name, w->name, t->l, w->name, t->l, w->name, t->l, w->name, t->l,
                 asy__shape_vectors(t->layer->out), t->layer->out.channels);
    asy__put_float(w->to, ASY__NORM_EPSILON);
    asy_buf_addf(w->to, ", %s, y%zu);\n", t->x[0], t->l);
}

static void call_place(struct asy__writer *w, const struct turn *t)
{
    asy_buf_addf(w->to, "    %s_add(%zu, %s, %s_weight_%zu, y%zu);\n", w->name,
                 asy__shape_size(t->layer->out), t->x[0], w->name, t->l, t->l);
}

static void call_attention(struct asy__writer *w, const struct turn *t)
{
    size_t heads = t->layer->desc.heads;

    asy_buf_addf(w->to, "    %s_attention(%zu, %zu, %zu, %d, %s, s%zu, y%zu);\n", w->name,
                 asy__shape_vectors(t->layer->out), heads, t->layer->out.channels / heads,
                 t->layer->desc.causal != 0, t->x[0], t->l, t->l);
}

/* Pixels before they are pooled. */
static size_t conv_side(const struct asy__layer_desc *d, size_t n)
{
    return (n + 2 * d->pad - d->kernel) / (d->stride ? d->stride : 1) + 1;
}

static size_t conv_size(const struct asy__layer *layer)
{
    return conv_side(&layer->desc, layer->in[0].height) *
           conv_side(&layer->desc, layer->in[0].width) * layer->out.channels;
}

static void call_conv(struct asy__writer *w, const struct turn *t)
{
    const struct asy__layer_desc *d = &t->layer->desc;
    const struct asy__shape *in = &t->layer->in[0];

    asy_buf_addf(w->to,
                 "    %s_conv(%s_weight_%zu, %s_bias_%zu, %zu, %zu, %zu, %zu, %zu, %zu, %zu, %zu, "
                 "%s, %c%zu);\n", w->name, w->name, t->l, w->name, t->l, in->height, in->width,
                 in->channels, d->width, d->kernel, d->stride ? d->stride : 1, d->pad,
                 d->groups ? d->groups : 1, t->x[0], d->pool ? 's' : 'y', t->l);
}

static void call_pool(struct asy__writer *w, const struct turn *t)
{
    const struct asy__layer_desc *d = &t->layer->desc;
    const struct asy__shape *in = &t->layer->in[0];

    asy_buf_addf(w->to, "    %s_pool(%d, %zu, %zu, %zu, %zu, %zu, %zu, %s, y%zu);\n", w->name,
                 d->kind == ASY__MEAN_POOL, in->height, in->width, in->channels, d->kernel,
                 d->stride ? d->stride : d->kernel, d->pad, t->x[0], t->l);
}

/* Of each channel over the pixels. */
static void call_global(struct asy__writer *w, const struct turn *t)
{
    asy_buf_addf(w->to, "    %s_%s(%zu, %zu, %s, y%zu);\n", w->name,
                 t->layer->desc.kind == ASY__GLOBAL_MAX ? "max" : "mean",
                 asy__shape_vectors(t->layer->in[0]), t->layer->in[0].channels, t->x[0], t->l);
}

/* text: of the function that is called, NULL: none; call NULL: the input is the output. */
static const struct kind {
    int is_known;
    const char *text;
    void (*call)(struct asy__writer *w, const struct turn *turn);
} kinds[ASY__LAYER_KINDS] = {
    [ASY__DENSE] = { 1, dense_text, call_dense },
    [ASY__ADD] = { 1, add_text, call_add },
    [ASY__FLATTEN] = { 1, NULL, NULL },
    [ASY__ACT] = { 1, NULL, NULL }, /* where it has one: see is_act() */
    [ASY__DROPOUT] = { 1, NULL, NULL },
    [ASY__LAYER_NORM] = { 1, norm_text, call_norm },
    [ASY__BATCH_NORM] = { 1, batch_text, call_batch },
    [ASY__TOKENS] = { 1, NULL, NULL },
    [ASY__IMAGE] = { 1, NULL, NULL },
    [ASY__PLACE] = { 1, add_text, call_place },
    [ASY__ATTENTION] = { 1, attention_text, call_attention },
    [ASY__CONV] = { 1, conv_text, call_conv },
    [ASY__MAX_POOL] = { 1, pool_text, call_pool },
    [ASY__MEAN_POOL] = { 1, pool_text, call_pool },
    [ASY__GLOBAL_MEAN] = { 1, mean_text, call_global },
    [ASY__GLOBAL_MAX] = { 1, max_text, call_global },
};

int asy__header_net_check(const struct asy__net *net, struct asy_error *err)
{
    for (size_t l = 0; l < net->n_layers; l++)
        if (!kinds[net->layers[l].desc.kind].is_known)
            return asy_fail(err, ASY_E_UNSUPPORTED, "C has no layer of the kind '%s'; export it "
                            "as onnx", net->layers[l].type->name);
    return 0;
}

/* ---- the network ----------------------------------------------------------------------------- */

/* An activation that is a layer, for it could join none. */
static int is_act(const struct asy__layer *layer)
{
    return layer->desc.kind == ASY__ACT && layer->desc.act != ASY_ACT_NONE;
}

static int passes_on(const struct asy__layer *layer)
{
    return !kinds[layer->desc.kind].call && !is_act(layer);
}

/* Whether an operation of its layers before l has text, too. */
static int has_text(const struct asy__net *net, size_t l, const char *text)
{
    for (size_t i = 0; i < l; i++)
        if (kinds[net->layers[i].desc.kind].text == text)
            return 1;
    return 0;
}

static void put_act(struct asy__writer *w, enum asy_act act)
{
    if (act == ASY_ACT_SOFTMAX)
        put_template(w, softmax_text);
    else
        asy_buf_addf(w->to,
                     "\nstatic inline void %s_%s(int n, const float *x, float *y)\n{\n"
                     "    int i;\n\n    for (i = 0; i < n; i++) {\n        float v = x[i];\n\n"
                     "        y[i] = %s;\n    }\n}\n", w->name, asy_act_name(act), activation(act));
}

static void put_functions(struct asy__writer *w)
{
    const struct asy__net *net = w->export->model->net;
    int pools = 0, has_act[ASY_ACT_COUNT] = { 0 };

    for (size_t l = 0; l < net->n_layers; l++) {
        const struct asy__layer *layer = &net->layers[l];
        const char *text = kinds[layer->desc.kind].text;

        if (text && !has_text(net, l, text))
            put_template(w, text);
        pools |= layer->desc.kind == ASY__CONV && layer->desc.pool;
        has_act[layer->desc.act] = 1;
    }
    if (pools && !has_text(net, net->n_layers, pool_text))
        put_template(w, pool_text);
    for (int act = ASY_ACT_NONE + 1; act < ASY_ACT_COUNT; act++)
        if (has_act[act])
            put_act(w, (enum asy_act)act);
}

/* Weights, or what is learnt of places; then bias and running statistics, if it has them. */
static void put_tensors(struct asy__writer *w, const struct asy__layer *layer)
{
    static const char *const names[] = { "weight", "bias", "mean", "variance" };
    const struct asy__model *model = w->export->model;

    for (size_t i = 0; i < layer->n_tensors && i < ASY_ARRAY_LEN(names); i++)
        asy__put_floats(w, names[i], layer->number, asy__export_tensor(model, layer, i),
                        model->net->tensors[layer->tensors[i]].n);
}

/* Where the i-th input is: the array of the layer that it comes from. */
static const char *array_of(const struct asy__layer *layer, size_t i, const size_t *arrays,
                            char name[32])
{
    if (layer->from[i] == ASY__FEATURES || arrays[layer->from[i]] == ASY__FEATURES)
        return "f";
    snprintf(name, 32, "y%zu", arrays[layer->from[i]]);
    return name;
}

/* What a layer needs on the way, an array s. */
static size_t size_on_way(const struct asy__layer *layer)
{
    if (layer->desc.kind == ASY__ATTENTION)
        return asy__shape_vectors(layer->out);
    return layer->desc.kind == ASY__CONV && layer->desc.pool ? conv_size(layer) : 0;
}

/* y: its outputs. */
static void put_arrays(struct asy__writer *w, const struct asy__layer *layer)
{
    if (passes_on(layer))
        return;
    asy_buf_addf(w->to, "    float y%zu[%zu];\n", layer->number, asy__shape_size(layer->out));
    if (size_on_way(layer))
        asy_buf_addf(w->to, "    float s%zu[%zu];\n", layer->number, size_on_way(layer));
}

size_t asy__header_net_arrays(const struct asy__net *net)
{
    size_t n = 0;

    for (size_t l = 0; l < net->n_layers; l++)
        if (!passes_on(&net->layers[l]))
            n += asy__shape_size(net->layers[l].out) + size_on_way(&net->layers[l]);
    return n;
}

/* The call of a layer's activation, of so many numbers of array x. */
static void call_act(struct asy__writer *w, const struct asy__layer *layer, size_t n, const char *x,
                     const char *y)
{
    const char *act = asy_act_name(layer->desc.act);
    size_t channels = layer->out.channels;

    if (layer->desc.act == ASY_ACT_SOFTMAX)
        asy_buf_addf(w->to, "    %s_%s(%zu, %zu, %s, %s);\n", w->name, act, n / channels, channels,
                     x, y);
    else
        asy_buf_addf(w->to, "    %s_%s(%zu, %s, %s);\n", w->name, act, n, x, y);
}

static void put_layer(struct asy__writer *w, const struct asy__layer *layer, const size_t *arrays)
{
    int pooled = layer->desc.kind == ASY__CONV && layer->desc.pool;
    struct turn turn = { .layer = layer, .l = layer->number };
    char names[ASY__LAYER_INS][32], own[32];

    if (passes_on(layer))
        return;
    for (size_t i = 0; i < layer->type->ins; i++)
        turn.x[i] = array_of(layer, i, arrays, names[i]);
    snprintf(own, sizeof own, "%c%zu", pooled ? 's' : 'y', turn.l);
    if (is_act(layer)) {
        call_act(w, layer, asy__shape_size(layer->out), turn.x[0], own);
        return;
    }
    kinds[layer->desc.kind].call(w, &turn);
    if (layer->desc.act != ASY_ACT_NONE)
        call_act(w, layer, pooled ? conv_size(layer) : asy__shape_size(layer->out), own, own);
    if (pooled)
        asy_buf_addf(w->to, "    %s_pool(0, %zu, %zu, %zu, %zu, %zu, 0, s%zu, y%zu);\n", w->name,
                     conv_side(&layer->desc, layer->in[0].height),
                     conv_side(&layer->desc, layer->in[0].width), layer->out.channels,
                     layer->desc.pool, layer->desc.pool, turn.l, turn.l);
}

void asy__header_net(struct asy__writer *w)
{
    const struct asy__net *net = w->export->model->net;
    size_t arrays[ASY__LAYERS_MAX]; /* which layer's array has the output of each */

    for (size_t l = 0; l < net->n_layers; l++) {
        const struct asy__layer *layer = &net->layers[l];

        arrays[l] = l;
        if (passes_on(layer))
            arrays[l] = layer->from[0] == ASY__FEATURES ? ASY__FEATURES : arrays[layer->from[0]];
        put_tensors(w, layer);
    }
    put_functions(w);
    asy_buf_addf(w->to, "\nstatic inline void %s_outputs(const float *f, float *out)\n{\n",
                 w->name);
    for (size_t l = 0; l < net->n_layers; l++)
        put_arrays(w, &net->layers[l]);
    asy_buf_adds(w->to, net->is_binary ? "\n" : "    int i;\n\n");
    for (size_t l = 0; l < net->n_layers; l++)
        put_layer(w, &net->layers[l], arrays);
    if (net->is_binary)
        asy_buf_addf(w->to, "    out[0] = 0;\n    out[1] = y%zu[0];\n}\n",
                     arrays[net->n_layers - 1]);
    else
        asy_buf_addf(w->to, "    for (i = 0; i < %zu; i++)\n        out[i] = y%zu[i];\n}\n",
                     asy__shape_size(net->outputs), arrays[net->n_layers - 1]);
}
