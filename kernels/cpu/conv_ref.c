/* SPDX-License-Identifier: Apache-2.0
 * conv_ref.c - the plain twins of convolutions: the sums of the definition, in double precision. */
#include <asy/conv.h>
#include <asy/pool.h>

/* The weight or pixel that output (y, x) meets through tap (i, j), or -1: the border. */
static ptrdiff_t met(const struct asy_conv *conv, size_t y, size_t x, size_t i, size_t j)
{
    size_t row = y * conv->stride + i, col = x * conv->stride + j;

    if (row < conv->pad || row >= conv->h + conv->pad || col < conv->pad ||
        col >= conv->w + conv->pad)
        return -1;
    return (ptrdiff_t)((row - conv->pad) * conv->w + col - conv->pad);
}

/* Of one product of the sums: x (or dx), w (or dw), y (or dy), in floats from the first. */
typedef void (*visit_f)(void *arg, size_t x, size_t w, size_t y);

static void each(const struct asy_conv *conv, size_t n, size_t pixel, size_t o, visit_f visit,
                 void *arg)
{
    size_t in = conv->in / conv->groups, group = o / (conv->out / conv->groups);
    size_t width = asy_conv_w(conv), height = asy_conv_h(conv);
    size_t y = (n * height * width + pixel) * conv->out + o;

    for (size_t i = 0; i < conv->kh; i++)
        for (size_t j = 0; j < conv->kw; j++) {
            ptrdiff_t at = met(conv, pixel / width, pixel % width, i, j);

            for (size_t c = 0; at >= 0 && c < in; c++)
                visit(arg, (n * conv->h * conv->w + (size_t)at) * conv->in + group * in + c,
                      ((o * conv->kh + i) * conv->kw + j) * in + c, y);
        }
}

struct sums {
    const float *x, *w, *dy;
    float *to;
    double sum;
};

static void add_output(void *arg, size_t x, size_t w, size_t y)
{
    struct sums *s = arg;

    (void)y;
    s->sum += (double)s->x[x] * (double)s->w[w];
}

void asy_conv_ref(const struct asy_conv *conv, enum asy_act act, size_t rows, const float *x,
                  const float *w, const float *bias, float *z, float *y)
{
    size_t pixels = asy_conv_h(conv) * asy_conv_w(conv);
    struct sums s = { .x = x, .w = w };

    for (size_t n = 0; n < rows; n++)
        for (size_t p = 0; p < pixels; p++)
            for (size_t o = 0; o < conv->out; o++) {
                s.sum = 0;
                each(conv, n, p, o, add_output, &s);
                z[(n * pixels + p) * conv->out + o] = (float)s.sum;
            }
    asy_bias_act_ref(act, rows * pixels, conv->out, bias, z, y);
}

static void add_dx(void *arg, size_t x, size_t w, size_t y)
{
    struct sums *s = arg;

    s->to[x] += s->dy[y] * s->w[w];
}

void asy_conv_dx_ref(const struct asy_conv *conv, size_t rows, const float *dy, const float *w,
                     float *dx)
{
    size_t pixels = asy_conv_h(conv) * asy_conv_w(conv);
    struct sums s = { .w = w, .dy = dy, .to = dx };

    for (size_t i = 0; i < rows * conv->h * conv->w * conv->in; i++)
        dx[i] = 0;
    for (size_t n = 0; n < rows; n++)
        for (size_t p = 0; p < pixels; p++)
            for (size_t o = 0; o < conv->out; o++)
                each(conv, n, p, o, add_dx, &s);
}

static void add_dw(void *arg, size_t x, size_t w, size_t y)
{
    struct sums *s = arg;

    s->to[w] += s->dy[y] * s->x[x];
}

void asy_conv_dw_ref(const struct asy_conv *conv, size_t rows, int add, const float *dy,
                     const float *x, float *dw)
{
    size_t pixels = asy_conv_h(conv) * asy_conv_w(conv);
    size_t weights = conv->out * conv->kh * conv->kw * (conv->in / conv->groups);
    struct sums s = { .x = x, .dy = dy, .to = dw };

    for (size_t i = 0; !add && i < weights; i++)
        dw[i] = 0;
    for (size_t n = 0; n < rows; n++)
        for (size_t p = 0; p < pixels; p++)
            for (size_t o = 0; o < conv->out; o++)
                each(conv, n, p, o, add_dw, &s);
}

/* Image by image, with what lies between in the room. */
void asy_conv_pool_ref(const struct asy_conv *conv, size_t size, size_t stride, enum asy_act act,
                       size_t rows, const float *x, const float *w, const float *bias, float *y,
                       uint8_t *from, float *room)
{
    struct asy_pool pool = { asy_conv_h(conv), asy_conv_w(conv), conv->out, size, stride, 0 };
    size_t out = asy_pool_h(&pool) * asy_pool_w(&pool) * conv->out;

    for (size_t n = 0; n < rows; n++) {
        asy_conv_ref(conv, act, 1, x + n * conv->h * conv->w * conv->in, w, bias, room, room);
        asy_max_pool_ref(&pool, 1, room, y + n * out, from + n * out);
    }
}

void asy_conv_pool_grad_ref(const struct asy_conv *conv, size_t size, size_t stride, size_t rows,
                            int add, const float *dy, const uint8_t *from, const float *x,
                            const float *w, float *dw, float *dx, float *room)
{
    struct asy_pool pool = { asy_conv_h(conv), asy_conv_w(conv), conv->out, size, stride, 0 };
    size_t out = asy_pool_h(&pool) * asy_pool_w(&pool) * conv->out;
    size_t image = conv->h * conv->w * conv->in;

    for (size_t n = 0; n < rows; n++) {
        asy_max_pool_grad_ref(&pool, 1, dy + n * out, from + n * out, room);
        asy_conv_dw_ref(conv, 1, add || n > 0, room, x + n * image, dw);
        if (dx)
            asy_conv_dx_ref(conv, 1, room, w, dx + n * image);
    }
}
