/* SPDX-License-Identifier: Apache-2.0
 * Networks: their gradients against finite differences, where their memory lies, what is refused.
 *
 * A second implementation, in double precision and written as plain sums, is the reference: its
 * loss is differentiated by central differences (h = 1e-5: truncation and rounding both below
 * 1e-9), so the only tolerance left is the float arithmetic of the network itself: sums of up to 40
 * terms through a few layers, 2e-5 of the largest gradient. */
#include <asytest.h>
#include <asy/rng.h>
#include "net/net.h"
#include "nomem.h"
#include "learn/score.h"

#define ROWS 11
#define WIDE 64     /* outputs of a layer */
#define DEEP 16     /* layers */
#define PARAMS 4096
#define WORK 65536
#define SEED 1      /* of the batch, for what is random */
#define STEP 2
#define FIRST 3

static double act(enum asy_act kind, double z)
{
    switch (kind) {
    case ASY_ACT_RELU:
        return z > 0 ? z : 0;
    case ASY_ACT_TANH:
        return tanh(z);
    case ASY_ACT_GELU:
        return 0.5 * z * (1 + tanh(sqrt(2 / M_PI) * (z + 0.044715 * z * z * z)));
    case ASY_ACT_SIGMOID:
        return 1 / (1 + exp(-z));
    case ASY_ACT_SILU:
        return z / (1 + exp(-z));
    case ASY_ACT_LEAKY_RELU:
        return z > 0 ? z : 0.01 * z;
    case ASY_ACT_NONE:
    case ASY_ACT_SOFTMAX: /* by act_all() */
        break;
    }
    return z;
}

/* Of vectors of n numbers, in place. */
static void act_all(enum asy_act kind, size_t vectors, size_t n, double *y)
{
    for (size_t i = 0; i < vectors * n && kind != ASY_ACT_SOFTMAX; i++)
        y[i] = act(kind, y[i]);
    for (size_t v = 0; v < vectors && kind == ASY_ACT_SOFTMAX; v++, y += n) {
        double sum = 0;

        for (size_t i = 0; i < n; i++)
            sum += y[i] = exp(y[i]);
        for (size_t i = 0; i < n; i++)
            y[i] /= sum;
    }
}

/* ---- the second implementation: one row ------------------------------------------------------ */

static void shadow_dense(const struct asy__net *net, const struct asy__layer *layer,
                         const double *params, const double *x, double *y)
{
    const double *w = params + net->tensors[layer->tensors[0]].at;
    const double *b = params + net->tensors[layer->tensors[1]].at;
    size_t in = layer->in[0].channels, out = layer->out.channels;

    for (size_t v = 0; v < layer->out.height * layer->out.width; v++)
        for (size_t o = 0; o < out; o++) {
            double sum = b[o];

            for (size_t i = 0; i < in; i++)
                sum += w[o * in + i] * x[v * in + i];
            y[v * out + o] = sum;
        }
    act_all(layer->desc.act, layer->out.height * layer->out.width, out, y);
}

static void shadow_norm(const struct asy__net *net, const struct asy__layer *layer,
                        const double *params, const double *x, double *y)
{
    const double *scale = params + net->tensors[layer->tensors[0]].at;
    const double *shift = params + net->tensors[layer->tensors[1]].at;
    size_t n = layer->out.channels;

    for (size_t v = 0; v < layer->out.height * layer->out.width; v++, x += n, y += n) {
        double mean = 0, variance = 0;

        for (size_t i = 0; i < n; i++)
            mean += x[i] / (double)n;
        for (size_t i = 0; i < n; i++)
            variance += (x[i] - mean) * (x[i] - mean) / (double)n;
        for (size_t i = 0; i < n; i++)
            y[i] = (x[i] - mean) / sqrt(variance + 1e-5) * scale[i] + shift[i];
    }
}

/* What is dropped of the row with this number. */
static void shadow_dropout(const struct asy__layer *layer, size_t row, const double *x, double *y)
{
    struct asy_dropout how = { SEED, STEP, (uint32_t)layer->number, (float)layer->desc.rate };
    size_t n = asy__shape_size(layer->out);

    for (size_t i = 0; i < n; i++) {
        float one = 1, factor;

        asy_dropout_ref(&how, (FIRST + row) * n + i, 1, &one, &factor);
        y[i] = x[i] * (double)factor;
    }
}

/* What is left of a weight of 1. */
static double left(const struct asy__layer *layer, size_t row, size_t head, size_t from, size_t to)
{
    struct asy_dropout how = { SEED, STEP, (uint32_t)layer->number, (float)layer->desc.rate };
    size_t tokens = layer->out.width;
    uint64_t number = (((FIRST + row) * layer->desc.heads + head) * tokens + from) * tokens + to;
    float one = 1, factor;

    asy_dropout_ref(&how, number, 1, &one, &factor);
    return (double)factor;
}

static void shadow_attention(const struct asy__layer *layer, size_t row, const double *x, double *y)
{
    size_t tokens = layer->out.width, model = layer->out.channels, heads = layer->desc.heads;
    size_t width = model / heads;

    memset(y, 0, tokens * model * sizeof *y);
    for (size_t h = 0; h < heads; h++)
        for (size_t from = 0; from < tokens; from++) {
            size_t keys = layer->desc.causal ? from + 1 : tokens;
            double p[WIDE], sum = 0;

            for (size_t to = 0; to < keys; to++) {
                p[to] = 0;
                for (size_t j = h * width; j < (h + 1) * width; j++)
                    p[to] += x[from * 3 * model + j] * x[to * 3 * model + model + j];
                sum += p[to] = exp(p[to] / sqrt((double)width));
            }
            for (size_t to = 0; to < keys; to++)
                for (size_t j = h * width; j < (h + 1) * width; j++)
                    y[from * model + j] += p[to] / sum * left(layer, row, h, from, to) *
                                           x[to * 3 * model + 2 * model + j];
        }
}

static void shadow_embed(const struct asy__net *net, const struct asy__layer *layer,
                         const double *params, const double *x, double *y)
{
    const double *table = params + net->tensors[layer->tensors[0]].at;
    const double *place = params + net->tensors[layer->tensors[1]].at;
    size_t n = layer->out.channels;

    for (size_t i = 0; i < layer->out.width * n; i++)
        y[i] = table[(size_t)x[i / n] * n + i % n] + place[i];
}

static void shadow_unembed(const struct asy__net *net, const struct asy__layer *layer,
                           const double *params, const double *x, double *y)
{
    const struct asy__layer *embed = &net->layers[layer->desc.table - 1];
    const double *table = params + net->tensors[embed->tensors[0]].at;
    const double *bias = params + net->tensors[layer->tensors[0]].at;
    size_t in = layer->in[0].channels, out = layer->out.channels;

    for (size_t i = 0; i < asy__shape_size(layer->out); i++) {
        y[i] = bias[i % out];
        for (size_t j = 0; j < in; j++)
            y[i] += table[i % out * in + j] * x[i / out * in + j];
    }
}

/* The image's number at (y, x) of a border that is not there; it need not be. */
static double pixel(struct asy__shape image, const double *x, ptrdiff_t row, ptrdiff_t col,
                    size_t channel, double beyond)
{
    if (row < 0 || col < 0 || row >= (ptrdiff_t)image.height || col >= (ptrdiff_t)image.width)
        return beyond;
    return x[((size_t)row * image.width + (size_t)col) * image.channels + channel];
}

/* Of one pixel, [out]. */
static void shadow_kernels(const struct asy__net *net, const struct asy__layer *layer,
                           const double *params, const double *x, ptrdiff_t row, ptrdiff_t col,
                           double *y)
{
    const struct asy__layer_desc *d = &layer->desc;
    const double *w = params + net->tensors[layer->tensors[0]].at;
    const double *b = params + net->tensors[layer->tensors[1]].at;
    size_t groups = d->groups ? d->groups : 1, k = d->kernel;
    size_t in = layer->in[0].channels / groups, out = layer->out.channels;

    for (size_t o = 0; o < out; o++) {
        size_t first = o / (out / groups) * in;

        y[o] = b[o];
        for (size_t j = 0; j < k * k * in; j++)
            y[o] += w[o * k * k * in + j] *
                    pixel(layer->in[0], x, row + (ptrdiff_t)(j / in / k),
                          col + (ptrdiff_t)(j / in % k), first + j % in, 0);
    }
    act_all(d->act, 1, out, y);
}

/* Max pooling of windows side by side comes with it. */
static void shadow_conv(const struct asy__net *net, const struct asy__layer *layer,
                        const double *params, const double *x, double *y)
{
    const struct asy__layer_desc *d = &layer->desc;
    size_t pool = d->pool ? d->pool : 1, out = layer->out.channels, wide = layer->out.width;
    ptrdiff_t stride = d->stride ? (ptrdiff_t)d->stride : 1, pad = (ptrdiff_t)d->pad;
    double sums[WIDE];

    for (size_t place = 0; place < layer->out.height * wide; place++, y += out)
        for (size_t t = 0; t < pool * pool; t++) {
            ptrdiff_t row = (ptrdiff_t)(place / wide * pool + t / pool) * stride - pad;
            ptrdiff_t col = (ptrdiff_t)(place % wide * pool + t % pool) * stride - pad;

            shadow_kernels(net, layer, params, x, row, col, sums);
            for (size_t o = 0; o < out; o++)
                y[o] = t == 0 ? sums[o] : fmax(y[o], sums[o]);
        }
}

static void shadow_pool(const struct asy__layer *layer, const double *x, double *y)
{
    const struct asy__layer_desc *d = &layer->desc;
    size_t stride = d->stride ? d->stride : d->kernel, n = layer->out.channels;
    int max = d->kind == ASY__MAX_POOL;

    for (size_t i = 0; i < asy__shape_size(layer->out); i++) {
        ptrdiff_t row = (ptrdiff_t)(i / n / layer->out.width * stride) - (ptrdiff_t)d->pad;
        ptrdiff_t col = (ptrdiff_t)(i / n % layer->out.width * stride) - (ptrdiff_t)d->pad;
        double sum = 0, top = -INFINITY, inside = 0;

        for (size_t t = 0; t < d->kernel * d->kernel; t++) {
            double v = pixel(layer->in[0], x, row + (ptrdiff_t)(t / d->kernel),
                             col + (ptrdiff_t)(t % d->kernel), i % n, (double)NAN);

            sum += isnan(v) ? 0 : v;
            inside += !isnan(v);
            top = fmax(top, v);
        }
        y[i] = max ? top : sum / inside;
    }
}

static void shadow_global_mean(const struct asy__layer *layer, const double *x, double *y)
{
    size_t n = layer->out.channels, pixels = asy__shape_size(layer->in[0]) / n;

    memset(y, 0, n * sizeof *y);
    for (size_t i = 0; i < pixels * n; i++)
        y[i % n] += x[i] / (double)pixels;
}

static void shadow_global_max(const struct asy__layer *layer, const double *x, double *y)
{
    size_t n = layer->out.channels, size = asy__shape_size(layer->in[0]);

    memcpy(y, x, n * sizeof *y);
    for (size_t i = n; i < size; i++)
        y[i % n] = fmax(y[i % n], x[i]);
}

static void shadow_layer(const struct asy__net *net, const struct asy__layer *layer, size_t row,
                         const double *params, const double *const *x, double *y)
{
    switch (layer->desc.kind) {
    case ASY__DENSE:
        shadow_dense(net, layer, params, x[0], y);
        break;
    case ASY__ADD:
        for (size_t i = 0; i < asy__shape_size(layer->out); i++)
            y[i] = x[0][i] + x[1][i];
        break;
    case ASY__ACT:
        memcpy(y, x[0], asy__shape_size(layer->out) * sizeof *y);
        act_all(layer->desc.act, layer->out.height * layer->out.width, layer->out.channels, y);
        break;
    case ASY__DROPOUT:
        shadow_dropout(layer, row, x[0], y);
        break;
    case ASY__LAYER_NORM:
        shadow_norm(net, layer, params, x[0], y);
        break;
    case ASY__PLACE:
        for (size_t i = 0; i < asy__shape_size(layer->out); i++)
            y[i] = x[0][i] + params[net->tensors[layer->tensors[0]].at + i];
        break;
    case ASY__EMBED:
        shadow_embed(net, layer, params, x[0], y);
        break;
    case ASY__UNEMBED:
        shadow_unembed(net, layer, params, x[0], y);
        break;
    case ASY__ATTENTION:
        shadow_attention(layer, row, x[0], y);
        break;
    case ASY__CONV:
        shadow_conv(net, layer, params, x[0], y);
        break;
    case ASY__MAX_POOL:
    case ASY__MEAN_POOL:
        shadow_pool(layer, x[0], y);
        break;
    case ASY__BATCH_NORM: /* of a whole batch: test_cnn_parity.c */
        break;
    case ASY__GLOBAL_MEAN:
        shadow_global_mean(layer, x[0], y);
        break;
    case ASY__GLOBAL_MAX:
        shadow_global_max(layer, x[0], y);
        break;
    case ASY__TOKENS:
    case ASY__FLATTEN:
    case ASY__IMAGE:
        memcpy(y, x[0], asy__shape_size(layer->out) * sizeof *y);
        break;
    case ASY__LAYER_KINDS:
        break;
    }
}

/* Leaves the row's outputs in y [DEEP][WIDE], at the last layer. */
static void shadow_row(const struct asy__net *net, const double *params, size_t number,
                       const float *features, double y[DEEP][WIDE])
{
    double row[WIDE];

    for (size_t i = 0; i < asy__shape_size(net->features); i++)
        row[i] = (double)features[i];
    for (size_t l = 0; l < net->n_layers; l++) {
        const struct asy__layer *layer = &net->layers[l];
        const double *x[ASY__LAYER_INS] = { NULL };

        for (size_t i = 0; i < ASY__LAYER_INS; i++)
            x[i] = layer->from[i] == ASY__FEATURES ? row : y[layer->from[i]];
        shadow_layer(net, layer, number, params, x, y[l]);
    }
}

static double loss_of(const double *out, size_t n, const int32_t *label, double target)
{
    double top = -INFINITY, sum = 0, off = out[0] - target;

    for (size_t o = 0; o < n; o++)
        top = fmax(top, out[o]);
    for (size_t o = 0; o < n; o++)
        sum += exp(out[o] - top);
    return label ? log(sum) + top - out[*label] : off * off;
}

/* Mean loss of the batch, over rows. label: classes, of a single output binary; NULL: squares
 * against target. */
static double shadow_loss(const struct asy__net *net, const double *params, const float *x,
                          const int32_t *label, const float *target)
{
    struct asy__shape outs = net->layers[net->n_layers - 1].out;
    size_t vectors = outs.height * outs.width, n = outs.channels;
    static double y[DEEP][WIDE];
    double loss = 0;

    for (size_t r = 0; r < ROWS; r++) {
        shadow_row(net, params, r, x + r * asy__shape_size(net->features), y);
        for (size_t v = 0; v < vectors; v++) {
            const double *out = y[net->n_layers - 1] + v * n;

            if (label && n == 1) {
                loss += log1p(exp(label[r] ? -out[0] : out[0]));
                continue;
            }
            loss += loss_of(out, n, label ? &label[r * vectors + v] : NULL, (double)target[r]);
        }
    }
    return loss / ROWS;
}

/* ---- gradients ------------------------------------------------------------------------------- */

struct bench {
    struct asy__net *net;
    struct asy__learner learner;
    float params[PARAMS], grads[PARAMS], x[ROWS * WIDE], target[ROWS];
    int32_t label[ROWS * WIDE];
    struct asy__score score;
};
static struct bench bench;
static float memory[ASY_OP_ROOM + WORK] __attribute__((aligned(64)));

static bool set_up(const struct asy__layer_desc *layers, size_t n, struct asy__shape features,
                   enum asy_op_kind loss)
{
    struct asy__net_options options = { features, { .kind = loss }, ROWS, ROWS };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_rng rng;

    memset(&bench, 0, sizeof bench);
    asy_rng_init(&rng, 3, n, ASY_RNG_SIM);
    if (!T_OK(asy__net_create(layers, n, &options, &bench.net, &err), &err) ||
        !T_TRUE(bench.net->n_params <= PARAMS && n <= DEEP) ||
        !T_TRUE(asy__net_room(bench.net) <= ASY_ARRAY_LEN(memory)))
        return false;
    memset(memory, 0xff, sizeof memory); /* what is read before it is written is no number */
    asy__net_bind(bench.net, memory);
    asy__net_init(bench.net, 5, bench.params, NULL);
    for (size_t i = 0; i < bench.net->n_params; i++) /* biases too, and nothing at a kink */
        bench.params[i] += bench.params[i] != 0 ? 0 : (float)asy_rng_normal(&rng) * 0.1f;
    for (size_t i = 0; i < ROWS * asy__shape_size(features); i++)
        bench.x[i] = layers[0].kind == ASY__EMBED
                         ? (float)asy_rng_below(&rng, layers[0].vocabulary)
                         : (float)asy_rng_normal(&rng);
    for (size_t i = 0; i < ROWS * WIDE; i++)
        bench.label[i] = (int32_t)asy_rng_below(&rng, bench.net->outputs.channels);
    for (size_t i = 0; i < ROWS; i++)
        bench.target[i] = (float)asy_rng_normal(&rng);
    bench.learner = asy__net_learner(bench.net, bench.params, NULL);
    return true;
}

static void gradient(int plain)
{
    struct asy__batch batch = { ROWS, FIRST, bench.x, bench.label, bench.target, 1.0f / ROWS, SEED,
                                STEP };

    bench.net->cpu.plain = plain;
    memset(&bench.score, 0, sizeof bench.score);
    ASY_IGNORE(bench.learner.type->gradient(&bench.learner, &batch, bench.grads, &bench.score,
                                            NULL)); /* a network's cannot fail */
}

/* The worst entry of the gradient, in parts of the largest. */
static double compare(int classes)
{
    static double shadow[PARAMS];
    const int32_t *label = classes ? bench.label : NULL;
    const struct asy__net *net = bench.net;
    double largest = 0, worst = 0;

    for (size_t i = 0; i < net->n_params; i++)
        shadow[i] = (double)bench.params[i];
    for (size_t t = 0; t < net->n_tensors; t++)
        for (size_t i = 0; i < net->tensors[t].n; i++) {
            double *at = &shadow[net->tensors[t].at + i], held = *at, up, down;

            *at = held + 1e-5;
            up = shadow_loss(net, shadow, bench.x, label, bench.target);
            *at = held - 1e-5;
            down = shadow_loss(net, shadow, bench.x, label, bench.target);
            *at = held;
            largest = fmax(largest, fabs((up - down) / 2e-5));
            worst = fmax(worst, fabs((up - down) / 2e-5 -
                                     (double)bench.grads[net->tensors[t].at + i]));
        }
    T_TRUE(largest > 1e-3); /* there is something to compare */
    T_NEAR("loss", bench.score.loss / ROWS, shadow_loss(net, shadow, bench.x, label, bench.target),
           1e-5 * bench.score.loss);
    return worst / largest;
}

static void check(const char *name, const struct asy__layer_desc *layers, size_t n,
                  struct asy__shape features, int classes)
{
    if (set_up(layers, n, features, classes ? ASY_OP_SOFTMAX_LOSS : ASY_OP_SQUARED_LOSS)) {
        gradient(0);
        T_NEAR(name, compare(classes), 0, 2e-5);
        gradient(1);
        T_NEAR(name, compare(classes), 0, 2e-5);
    }
    asy__net_destroy(bench.net);
}

static void gradients_of_plain_networks_match_differences(void)
{
    asy_kernels_init();
    for (int kind = ASY_ACT_RELU; kind < ASY_ACT_COUNT; kind++)
        for (size_t hidden = 0; hidden <= 3; hidden++)
            for (size_t outs = 1; outs <= 7; outs += 6) {
                struct asy__layer_desc layers[4] = { { .kind = ASY__DENSE } };
                char name[64];

                for (size_t l = 0; l <= hidden; l++)
                    layers[l] = (struct asy__layer_desc){ .act = l < hidden ? kind : ASY_ACT_NONE,
                                                          .width = l < hidden ? 13 : outs };
                snprintf(name, sizeof name, "%s, %zu hidden, %zu outputs",
                         asy_act_name((enum asy_act)kind), hidden, outs);
                check(name, layers, hidden + 1, (struct asy__shape){ 1, 1, 9 }, outs > 1);
            }
}

static void a_binary_loss_has_one_logit_and_outputs_of_two_classes(void)
{
    static const struct asy__layer_desc layers[] = {
        { .width = 8, .act = ASY_ACT_TANH }, { .width = 1 }
    }, wide[] = { { .width = 2 } };
    const struct asy__shape features = { 1, 1, 9 };
    struct asy__net_options options = { features, { .kind = ASY_OP_BINARY_LOSS }, ROWS, ROWS };
    struct asy_error err = ASY_ERROR_INIT;
    static double params[PARAMS], y[DEEP][WIDE];
    struct asy__net *net = NULL;
    float *out;

    for (int plain = 0; plain < 2; plain++) {
        if (!set_up(layers, 2, features, ASY_OP_BINARY_LOSS))
            goto out;
        gradient(plain);
        T_NEAR("gradient", compare(1), 0, 2e-5);
        T_EQ("outputs", bench.learner.outs, 2);
        if (!T_OK(bench.learner.type->outputs(&bench.learner, bench.x, ROWS, &out, &err), &err))
            goto out;
        for (size_t i = 0; i < bench.net->n_params; i++)
            params[i] = (double)bench.params[i];
        for (size_t r = 0; r < ROWS; r++) {
            shadow_row(bench.net, params, r, bench.x + 9 * r, y);
            T_EQ("logit of the first", out[2 * r], 0);
            T_NEAR("logit of the second", (double)out[2 * r + 1], y[1][0], 1e-5);
        }
        asy__net_destroy(bench.net);
        bench.net = NULL;
    }
    T_EQ("two outputs", asy__net_create(wide, 1, &options, &net, &err), ASY_E_INVAL);
    T_HAS("two outputs", err.text, "a binary loss is of one output, not of 2");
out:
    asy__net_destroy(bench.net);
    asy__net_destroy(net);
    bench.net = NULL;
}

#define DENSE(n, kind) { .width = (n), .act = ASY_ACT_##kind }
#define AFTER(l, n, kind) { .from = { (l) + 1 }, .width = (n), .act = ASY_ACT_##kind }
#define ACT(k) { .kind = ASY__ACT, .act = ASY_ACT_##k }
#define DROP(p) { .kind = ASY__DROPOUT, .rate = (p) }
#define NORM { .kind = ASY__LAYER_NORM }
#define ATTENTION(n, see) { .kind = ASY__ATTENTION, .heads = (n), .causal = (see) }
#define CONV(n, k, p, a, ...)                                                                      \
    { .kind = ASY__CONV, .width = (n), .kernel = (k), .pad = (p), .act = ASY_ACT_##a, __VA_ARGS__ }
#define POOL(what, k, s, p) { .kind = ASY__##what##_POOL, .kernel = (k), .stride = (s), .pad = (p) }
#define FLAT { .kind = ASY__FLATTEN }
#define SUM(a, b) { .kind = ASY__ADD, .from = { (a) + 1, (b) + 1 } }
static const struct {
    const char *name;
    struct asy__shape features;
    size_t n;
    struct asy__layer_desc layers[DEEP];
} graphs[] = {
    { "residual", { 1, 1, 9 }, 4, { DENSE(7, GELU), DENSE(7, RELU), SUM(0, 1), DENSE(3, NONE) } },
    { "an output and itself", { 1, 1, 9 }, 3, { DENSE(5, TANH), SUM(0, 0), DENSE(3, NONE) } },
    { "outputs used three times", { 1, 1, 9 }, 8,
      { DENSE(6, TANH), DENSE(6, SILU), SUM(0, 1), SUM(0, 2), DENSE(6, TANH), SUM(4, 3),
        SUM(5, 0), DENSE(3, NONE) } },
    { "two branches of one sum", { 1, 1, 9 }, 7,
      { DENSE(6, TANH), DENSE(6, GELU), SUM(0, 1), AFTER(2, 5, SILU), AFTER(2, 5, TANH), SUM(3, 4),
        DENSE(4, NONE) } },
    { "sums at the end", { 1, 1, 9 }, 5,
      { DENSE(4, TANH), DENSE(4, SIGMOID), AFTER(0, 4, NONE), SUM(1, 2), SUM(3, 0) } },
    { "features again", { 1, 1, 9 }, 3,
      { DENSE(9, GELU), { .kind = ASY__ADD, .from = { 0, ASY__FEATURES } }, DENSE(3, NONE) } },
    { "one for each pixel", { 2, 3, 4 }, 3,
      { DENSE(5, SIGMOID), { .kind = ASY__FLATTEN }, DENSE(3, NONE) } },
    { "outputs for each token", { 1, 5, 4 }, 2, { DENSE(6, TANH), DENSE(3, NONE) } },
    { "an activation at the end", { 1, 1, 9 }, 2, { DENSE(4, TANH), DENSE(3, TANH) } },
    { "activations that join", { 1, 1, 9 }, 4,
      { DENSE(6, NONE), ACT(GELU), DENSE(3, NONE), ACT(TANH) } },
    { "activations by themselves", { 1, 1, 9 }, 9,
      { DENSE(6, TANH), ACT(RELU), ACT(SIGMOID), ACT(GELU), ACT(SILU), ACT(TANH), ACT(LEAKY_RELU),
        SUM(6, 0), DENSE(3, NONE) } },
    { "a softmax by itself and of two", { 1, 1, 9 }, 7,
      { ACT(SOFTMAX), DENSE(6, NONE), ACT(SOFTMAX), SUM(1, 2), ACT(SOFTMAX), DENSE(3, NONE),
        ACT(SOFTMAX) } },
    { "a softmax of each token", { 1, 5, 4 }, 5,
      { DENSE(6, SOFTMAX), NORM, ACT(SOFTMAX), DENSE(7, NONE), ACT(SOFTMAX) } },
    { "a softmax of each pixel", { 6, 5, 2 }, 5,
      { CONV(3, 3, 1, SOFTMAX, .pool = 2), CONV(4, 1, 0, SOFTMAX), FLAT, ACT(SOFTMAX),
        DENSE(3, NONE) } },
    { "an activation of two", { 1, 1, 9 }, 5,
      { DENSE(6, NONE), ACT(TANH), SUM(0, 1), ACT(GELU), DENSE(3, NONE) } },
    { "dropout", { 1, 1, 9 }, 5,
      { DROP(0.3), DENSE(12, GELU), DROP(0.5), DENSE(3, NONE), DROP(0) } },
    { "dropout beside a sum", { 1, 1, 9 }, 5,
      { DENSE(6, TANH), DROP(0.4), SUM(0, 1), DROP(0.2), DENSE(3, NONE) } },
    { "layer norm", { 1, 1, 9 }, 4, { NORM, DENSE(7, GELU), NORM, DENSE(3, NONE) } },
    { "layer norm at the end", { 1, 3, 9 }, 2, { DENSE(5, TANH), NORM } },
    { "before the norm a sum", { 1, 3, 4 }, 12,
      { DENSE(6, NONE), NORM, DENSE(8, GELU), DENSE(6, NONE), DROP(0.1), SUM(4, 0), NORM,
        DENSE(6, NONE), ACT(RELU), SUM(8, 5), { .kind = ASY__FLATTEN }, DENSE(4, NONE) } },
    { "a norm of features alone", { 1, 1, 9 }, 2, { NORM, DENSE(3, NONE) } },
    { "a norm whose gradient others need", { 1, 1, 9 }, 4,
      { DENSE(5, TANH), NORM, SUM(0, 1), DENSE(3, NONE) } },
    { "a row as tokens with places", { 1, 1, 12 }, 6,
      { { .kind = ASY__TOKENS, .width = 4 }, DENSE(9, NONE),
        { .kind = ASY__PLACE, .spread = 0.5 }, ATTENTION(3, 0), { .kind = ASY__FLATTEN },
        DENSE(3, NONE) } },
    { "tokens that see those before them", { 1, 5, 1 }, 10,
      { { .kind = ASY__EMBED, .width = 4, .vocabulary = 6, .spread = 0.7 }, NORM, DENSE(12, NONE),
        ATTENTION(2, 1), DENSE(4, NONE), SUM(0, 4), NORM, DENSE(8, GELU), DENSE(4, NONE),
        SUM(5, 8) } },
    { "attention that leaves weights out", { 1, 1, 15 }, 5,
      { { .kind = ASY__TOKENS, .width = 5 }, DENSE(12, NONE),
        { .kind = ASY__ATTENTION, .heads = 2, .rate = 0.4 }, { .kind = ASY__FLATTEN },
        DENSE(3, NONE) } },
    { "the same of tokens before", { 1, 5, 1 }, 5,
      { { .kind = ASY__EMBED, .width = 4, .vocabulary = 6, .spread = 0.7 }, DENSE(12, NONE),
        { .kind = ASY__ATTENTION, .heads = 2, .causal = 1, .rate = 0.3 }, DROP(0.3),
        DENSE(3, NONE) } },
    { "a table that is used twice", { 1, 5, 1 }, 6,
      { { .kind = ASY__EMBED, .width = 4, .vocabulary = 6, .is_shared = 1, .spread = 0.7 },
        DENSE(12, NONE), ATTENTION(1, 1), SUM(0, 2), NORM, { .kind = ASY__UNEMBED, .table = 1 } } },
    { "images", { 5, 4, 2 }, 4,
      { CONV(3, 3, 1, TANH), CONV(2, 2, 0, NONE), FLAT, DENSE(3, NONE) } },
    { "convolutions and pooling at once", { 6, 6, 1 }, 4,
      { CONV(4, 3, 1, RELU, .pool = 2), CONV(3, 2, 0, LEAKY_RELU, .pool = 2), FLAT,
        DENSE(3, NONE) } },
    { "without an activation", { 7, 5, 1 }, 4,
      { CONV(3, 2, 0, NONE, .pool = 2), CONV(4, 2, 1, NONE, .stride = 2), FLAT, DENSE(3, NONE) } },
    { "pooling after what keeps its sums", { 6, 5, 2 }, 4,
      { CONV(2, 3, 1, GELU, .pool = 2), CONV(4, 1, 0, SILU, .pool = 2), FLAT, DENSE(3, NONE) } },
    { "groups", { 4, 3, 4 }, 4,
      { CONV(4, 3, 1, SIGMOID, .groups = 2), CONV(4, 3, 2, TANH, .groups = 4, .stride = 2), FLAT,
        DENSE(3, NONE) } },
    { "pools", { 4, 5, 1 }, 6,
      { CONV(2, 2, 1, TANH), POOL(MAX, 3, 2, 1), CONV(3, 3, 1, TANH), POOL(MEAN, 2, 1, 1),
        { .kind = ASY__GLOBAL_MEAN }, DENSE(3, NONE) } },
    { "the greatest", { 3, 3, 1 }, 3,
      { CONV(3, 2, 1, TANH), { .kind = ASY__GLOBAL_MAX }, DENSE(3, NONE) } },
    { "a block and what goes around it", { 4, 4, 2 }, 6,
      { CONV(3, 3, 1, TANH), CONV(4, 3, 1, TANH, .stride = 2), CONV(4, 3, 1, NONE),
        CONV(4, 1, 0, NONE, .stride = 2, .from = { 1 }), SUM(2, 3),
        { .kind = ASY__GLOBAL_MEAN } } },
    { "an image of a vector", { 1, 1, 12 }, 4,
      { { .kind = ASY__IMAGE, .image = { 2, 3, 0 } }, DENSE(5, TANH), { .kind = ASY__FLATTEN },
        DENSE(3, NONE) } },
    { "another shape at the end", { 1, 2, 4 }, 2,
      { DENSE(3, SIGMOID), { .kind = ASY__FLATTEN } } },
};

/* What is taken of a gradient, and how often each entry came. */
static struct {
    float g[PARAMS];
    unsigned char times[PARAMS];
} taken;

static void take(void *arg, size_t at, const struct asy_block *block, const float *g)
{
    struct bench *b = arg;

    for (size_t i = 0; i < block->rows; i++)
        for (size_t j = 0; j < block->cols; j++) {
            size_t p = at + i * block->row + j;

            taken.g[p] = g[i * block->g_row + j];
            taken.times[p]++;
            b->params[p] = NAN; /* nobody needs it any more */
        }
}

/* grads: as they are where nothing is taken. */
static void compare_taken(const char *name, const float *grads)
{
    const struct asy__net *net = bench.net;
    size_t early = 0;

    for (size_t t = 0; t < net->n_tensors; t++) {
        const struct asy__tensor *tensor = &net->tensors[t];
        const float *got = (tensor->early ? taken.g : bench.grads) + tensor->at;

        T_EQ(name, memcmp(got, grads + tensor->at, tensor->n * sizeof *got), 0);
        for (size_t i = 0; i < tensor->n; i++)
            T_EQ(tensor->name, taken.times[tensor->at + i], tensor->early);
        early += (size_t)tensor->early;
    }
    T_TRUE(early > 0 || net->layers[net->n_layers - 1].desc.kind != ASY__DENSE);
}

/* Those of dense layers may be had as soon as they are whole; their weights may change then. */
static void taken_gradients_are_those_that_stay(void)
{
    static float grads[PARAMS], params[PARAMS];

    asy_kernels_init();
    for (size_t i = 0; i < 2 * ASY_ARRAY_LEN(graphs); i++) {
        const size_t g = i / 2;
        const struct asy_op_taker taker = { take, &bench, { bench.params }, 1 };

        if (set_up(graphs[g].layers, graphs[g].n, graphs[g].features, ASY_OP_SOFTMAX_LOSS)) {
            memcpy(params, bench.params, sizeof params);
            gradient((int)(i % 2));
            memcpy(grads, bench.grads, sizeof grads);
            memset(&taken, 0, sizeof taken);
            bench.learner.taker = &taker;
            gradient((int)(i % 2));
            compare_taken(graphs[g].name, grads);
        }
        asy__net_destroy(bench.net);
    }
}

static void gradients_of_graphs_match_differences(void)
{
    asy_kernels_init();
    for (size_t i = 0; i < ASY_ARRAY_LEN(graphs); i++)
        check(graphs[i].name, graphs[i].layers, graphs[i].n, graphs[i].features, 1);
}

/* Fewer rows than were planned for, and the outputs that training saw. */
static void rows_do_not_depend_on_their_neighbours(void)
{
    float whole[ROWS * WIDE];

    for (size_t i = 0; i < ASY_ARRAY_LEN(graphs); i++) {
        size_t outs, width = asy__shape_size(graphs[i].features);
        struct asy_error err = ASY_ERROR_INIT;
        float *out;

        if (set_up(graphs[i].layers, graphs[i].n, graphs[i].features, ASY_OP_SOFTMAX_LOSS)) {
            outs = bench.learner.outs;
            T_OK(bench.learner.type->outputs(&bench.learner, bench.x, ROWS, &out, &err), &err);
            memcpy(whole, out, ROWS * outs * sizeof *whole);
            for (size_t r = 0; r < ROWS; r++) {
                T_OK(bench.learner.type->outputs(&bench.learner, bench.x + r * width, 1, &out,
                                                 &err), &err);
                T_EQ(graphs[i].name, memcmp(out, whole + r * outs, outs * sizeof *out), 0);
            }
        }
        asy__net_destroy(bench.net);
    }
}

/* ---- memory and first values ----------------------------------------------------------------- */

/* Outputs of all layers, and of gradients two of the widest in turns, each rounded to 16. */
static void gradients_share_room(void)
{
    static const struct asy__layer_desc layers[] = { DENSE(48, RELU), DENSE(64, RELU),
                                                     DENSE(32, RELU), DENSE(16, NONE) };
    struct asy__net_options options = { { 1, 1, 20 }, { .kind = ASY_OP_SOFTMAX_LOSS }, 10, 0 };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__net *net = NULL;

    if (T_OK(asy__net_create(layers, ASY_ARRAY_LEN(layers), &options, &net, &err), &err))
        T_TRUE(net->n_work <= 10 * (48 + 64 + 32 + 16 + 2 * 64));
    asy__net_destroy(net);
}

/* Wide networks are evaluated with fewer rows at once, of which nothing else depends. */
static void evaluation_takes_what_memory_is_good_for(void)
{
    static const struct asy__layer_desc wide[] = { DENSE(65536, RELU), DENSE(65536, RELU) };
    struct asy__net_options options = { .features = { 1, 1, 1 }, .loss = { ASY_OP_SOFTMAX_LOSS },
                                        .eval_rows = 256 };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__net *net = NULL;

    if (T_OK(asy__net_create(wide, 1, &options, &net, &err), &err)) {
        T_EQ("rows", net->eval_rows, 64);
        T_EQ("floats", net->n_work, 64 * 65536);
    }
    asy__net_destroy(net);
}

static void weights_are_drawn_as_promised(void)
{
    static const struct asy__layer_desc layers[] = { DENSE(256, RELU), DENSE(10, NONE) };
    struct asy__net_options options = { { 1, 1, 200 }, { .kind = ASY_OP_SOFTMAX_LOSS }, 1, 1 };
    static float a[70000], b[70000];
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__net *net = NULL;
    double squares = 0;

    if (!T_OK(asy__net_create(layers, ASY_ARRAY_LEN(layers), &options, &net, &err), &err))
        return;
    asy__net_init(net, 1, a, NULL);
    asy__net_init(net, 1, b, NULL);
    T_EQ("same seed", memcmp(a, b, net->n_params * sizeof *a), 0);
    asy__net_init(net, 2, b, NULL);
    T_TRUE(memcmp(a, b, net->n_params * sizeof *a) != 0);
    T_STR("name", net->tensors[0].name, "layers.0.weight");
    T_STR("name", net->tensors[3].name, "layers.1.bias");
    for (size_t i = 0; i < 200 * 256; i++)
        squares += (double)a[net->tensors[0].at + i] * (double)a[net->tensors[0].at + i];
    /* the mean of 51200 squares of a normal has a relative spread of sqrt(2 / 51200) = 0.0063 */
    T_NEAR("He", squares / (200 * 256) * 100, 1, 0.03);
    for (size_t i = 0; i < 256; i++)
        T_TRUE(a[net->tensors[1].at + i] == 0);
    asy__net_destroy(net);
}

static void impossible_networks_are_refused(void)
{
    static const struct {
        const char *name;
        size_t n;
        struct asy__layer_desc layers[4];
        size_t features;
        int want;
        const char *text;
    } cases[] = {
        { "no layers", 0, { DENSE(3, NONE) }, 3, ASY_E_INVAL, "0 layers" },
        { "no width", 2, { DENSE(0, RELU), DENSE(3, NONE) }, 3, ASY_E_INVAL, "layer 0 (dense)" },
        { "size", 2, { DENSE(65536, RELU), DENSE(65536, NONE) }, 3, ASY_E_TOOBIG, "layer 1" },
        { "overflow", 1, { DENSE(65536, NONE) }, SIZE_MAX / 2, ASY_E_TOOBIG, "layer 0" },
        { "sum of two shapes", 3, { DENSE(4, TANH), DENSE(5, TANH), SUM(0, 1) }, 3, ASY_E_INVAL,
          "layer 2 (add): 1 x 1 x 4 and 1 x 1 x 5 do not add up" },
        { "not there yet", 2, { DENSE(4, TANH), SUM(0, 1) }, 3, ASY_E_INVAL,
          "takes the output of layer 1" },
        { "forgotten", 2, { DENSE(4, TANH), { .from = { ASY__FEATURES }, .width = 2 } }, 3,
          ASY_E_INVAL, "layer 0 (dense): nothing takes its output" },
        { "rate", 2, { DROP(1), DENSE(4, NONE) }, 3, ASY_E_INVAL, "a rate of 1 lies outside" },
        { "tokens", 2, { { .kind = ASY__TOKENS, .width = 2 }, DENSE(3, NONE) }, 3, ASY_E_INVAL,
          "layer 0 (tokens): 3 numbers do not make 2 tokens" },
        { "heads", 2, { DENSE(8, NONE), ATTENTION(2, 0) }, 3, ASY_E_INVAL,
          "layer 1 (attention): 8 channels are not query, key and value of 2 heads" },
        { "numbers of tokens", 1, { { .kind = ASY__EMBED, .width = 4, .vocabulary = 3 } }, 3,
          ASY_E_INVAL, "layer 0 (embed): it takes the numbers of tokens" },
        { "no table", 2, { DENSE(4, NONE), { .kind = ASY__UNEMBED, .table = 1 } }, 3, ASY_E_INVAL,
          "layer 1 (unembed): it has no embedding of 4 channels to share" },
        { "kernel", 1, { CONV(3, 2, 0, NONE) }, 3, ASY_E_INVAL,
          "layer 0 (conv): a kernel of 2 is larger than an image of 1 x 1" },
        { "no kernel", 1, { CONV(3, 0, 0, NONE) }, 3, ASY_E_INVAL, "a kernel of 0" },
        { "no kernels", 1, { CONV(0, 1, 0, NONE) }, 3, ASY_E_INVAL, "no kernels" },
        { "border", 1, { CONV(3, 3, 3, NONE) }, 3, ASY_E_INVAL, "a border of 3 is not possible" },
        { "groups", 1, { CONV(3, 1, 0, NONE, .groups = 2) }, 3, ASY_E_INVAL,
          "3 channels to 3 kernels cannot be divided into 2 groups" },
        { "pool", 1, { CONV(3, 1, 0, NONE, .pool = 2) }, 3, ASY_E_INVAL,
          "of an image of 1 x 1 windows of 2 are not possible" },
        { "window", 2, { POOL(MAX, 2, 2, 0), DENSE(3, NONE) }, 3, ASY_E_INVAL,
          "layer 0 (max_pool): a window of 2 is larger" },
        { "nothing learns", 1, { { .kind = ASY__FLATTEN } }, 3, ASY_E_INVAL, "nothing to learn" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy__net_options options = { { 1, 1, cases[i].features },
                                            { .kind = ASY_OP_SOFTMAX_LOSS }, 1, 1 };
        struct asy_error err = ASY_ERROR_INIT;
        struct asy__net *net = NULL;

        T_EQ(cases[i].name, asy__net_create(cases[i].layers, cases[i].n, &options, &net, &err),
             cases[i].want);
        T_HAS(cases[i].name, err.text, cases[i].text);
        asy__net_destroy(net);
    }
}

static int create(struct asy_error *err)
{
    struct asy__net_options options = { { 1, 1, 9 }, { .kind = ASY_OP_SOFTMAX_LOSS }, 8, 8 };
    struct asy__net *net = NULL;
    int rc = asy__net_create(graphs[2].layers, graphs[2].n, &options, &net, err);

    asy__net_destroy(net);
    return rc;
}

static void want_of_memory_is_told(void)
{
    T_TRUE(t_nomem_each("plan", create) >= 8);
}

T_MAIN("net", T_TEST(gradients_of_plain_networks_match_differences),
       T_TEST(a_binary_loss_has_one_logit_and_outputs_of_two_classes),
       T_TEST(gradients_of_graphs_match_differences), T_TEST(taken_gradients_are_those_that_stay),
       T_TEST(rows_do_not_depend_on_their_neighbours), T_TEST(gradients_share_room),
       T_TEST(weights_are_drawn_as_promised),
       T_TEST(evaluation_takes_what_memory_is_good_for), T_TEST(impossible_networks_are_refused),
       T_TEST(want_of_memory_is_told))
