/* SPDX-License-Identifier: Apache-2.0
 * conv_dw.c - gradients to the weights of a convolution: pixels are the steps of the chain.
 *
 * Of what the kernel meets and the output channels, one is read as vectors, the other a number at a
 * time, whichever way fills the tiles better; a block of pixels that the first cache holds meets
 * all tiles before the next one. A border is laid out as zeros, a block at a time. */
#include "conv_plan.h"
#include <asy/base.h>
#include <string.h>

#define DW_BLOCK ((size_t)6144)  /* floats of both operands */
#define LONG_ENOUGH ((size_t)96) /* pixels */

static size_t padded_image(const struct asy_conv *conv)
{
    return (conv->h + 2 * conv->pad) * (conv->w + 2 * conv->pad) * conv->in;
}

/* Images of a block of dw: as many as it holds, or as take long enough for a tile's sums to be
 * worth loading. */
static size_t images_of(const struct asy_conv *conv)
{
    size_t pixels = asy_conv_h(conv) * asy_conv_w(conv);
    size_t fit = DW_BLOCK / (padded_image(conv) + pixels * conv->out);

    return asy__larger(asy__larger(fit, 1), asy__blocks_of(LONG_ENOUGH, pixels));
}

size_t asy__dw_room(const struct asy_conv *conv)
{
    size_t image = conv->pad ? images_of(conv) * padded_image(conv) : 0;
    size_t sums = asy__steps_of(conv) * asy__round16(conv->out / conv->groups);

    return asy__round16(image) + conv->groups * sums;
}

/* Numbers that lie side by side in what the kernel meets: of a row of it, of a group's channels if
 * there are several. */
struct strip {
    size_t x, step, len; /* where it begins in x and in the chain; how long it is */
};

static size_t strip_count(const struct asy_conv *conv)
{
    return conv->groups == 1 ? conv->kh : conv->kh * conv->kw;
}

static struct strip strip_of(const struct asy__dw *k, size_t g, size_t i)
{
    const struct asy_conv *conv = k->conv;
    size_t in = conv->in / conv->groups;

    if (conv->groups == 1)
        return (struct strip){ i * k->x_line, i * conv->kw * in, conv->kw * in };
    return (struct strip){ i / conv->kw * k->x_line + i % conv->kw * conv->in + g * in, i * in,
                           in };
}

/* A tile of this block: a is x if turned, else dy. */
static struct asy__outer tile_of(const struct asy__dw *k, int turned)
{
    struct asy__outer t = { .n = k->images, .y = k->lines, .x = k->w, .add = k->add };
    size_t out = k->conv->out, stride = k->conv->stride;
    size_t x_x = stride * k->conv->in, x_y = stride * k->x_line, dy_y = k->w * out;

    t.a_x = turned ? x_x : out;
    t.a_y = turned ? x_y : dy_y;
    t.a_n = turned ? k->x_image : k->dy_image;
    t.b_x = turned ? out : x_x;
    t.b_y = turned ? dy_y : x_y;
    t.b_n = turned ? k->dy_image : k->x_image;
    return t;
}

/* Rows `rows` from (a, c) on, against one panel of b. */
static void outer_rows(const struct asy__dw *k, struct asy__outer *t, const float *a, float *c,
                       size_t rows, size_t vectors)
{
    size_t n = (rows + k->isa->gemm->rows - 1) / k->isa->gemm->rows;

    for (size_t i = 0; i < n; i++) {
        size_t these = rows / n + (i < rows % n);

        t->a[0] = a;
        t->c[0] = c;
        k->isa->outer[these - 1][vectors - 1](t);
        a += these;
        c += these * t->c_row;
    }
}

/* All output channels as rows, a strip across. */
static void outer_strip(const struct asy__dw *k, size_t g, struct strip s)
{
    size_t lanes = k->isa->gemm->lanes, out = k->conv->out / k->conv->groups;
    size_t steps = asy__steps_of(k->conv);
    struct asy__outer t = tile_of(k, 0);

    t.c_row = steps;
    for (size_t j = 0; j < s.len; j += ASY__TILE_VECTORS * lanes) {
        size_t width = asy__smaller(s.len - j, ASY__TILE_VECTORS * lanes);
        size_t vectors = asy__vectors_of(k->isa, width);

        t.tail = width - (vectors - 1) * lanes;
        t.b = k->x + s.x + j;
        outer_rows(k, &t, k->dy + g * out, k->sums + g * out * steps + s.step + j, out, vectors);
    }
}

static size_t span_of(const struct asy__conv *isa, const struct asy_conv *conv, size_t len)
{
    return len <= ASY__BASE_ROWS ? asy__smaller(isa->bases, strip_count(conv)) : 1;
}

/* A strip's numbers as rows, of several strips if they are short, output channels across. */
static void outer_turned(const struct asy__dw *k, size_t g, size_t first, size_t n)
{
    size_t lanes = k->isa->gemm->lanes, out = k->conv->out / k->conv->groups;
    size_t width = n > 1 ? lanes : ASY__TILE_VECTORS * lanes, len = strip_of(k, g, first).len;
    struct asy__outer t = tile_of(k, 1);

    t.c_row = asy__round16(out);
    for (size_t j = 0; j < out; j += width) {
        size_t vectors = asy__vectors_of(k->isa, asy__smaller(out - j, width));
        float *c = k->sums + g * asy__steps_of(k->conv) * t.c_row + j;

        t.tail = asy__smaller(out - j, width) - (vectors - 1) * lanes;
        t.b = k->dy + g * out + j;
        for (size_t e = 0; e < n; e++) {
            struct strip s = strip_of(k, g, first + e);

            t.a[e] = k->x + s.x;
            t.c[e] = c + s.step * t.c_row;
        }
        if (n > 1)
            k->isa->spanning[n - 1][len - 1](&t);
        else
            outer_rows(k, &t, t.a[0], t.c[0], len, vectors);
    }
}

/* Taps from (y, x) on: so many rows of so many each, of one vector of channels. */
static void depth_taps(const struct asy__dw *k, struct asy__outer *t, size_t j, size_t y,
                       size_t high, size_t x, size_t wide)
{
    size_t kw = k->conv->kw;

    t->b = k->dy + j;
    for (size_t e = 0; e < high; e++) {
        t->a[e] = k->x + (y + e) * k->x_line + x * k->conv->in + j;
        t->c[e] = k->sums + ((y + e) * kw + x) * t->c_row + j;
    }
    k->isa->depth_dw[high - 1][wide - 1](t);
}

static void depth_block(const struct asy__dw *k)
{
    size_t lanes = k->isa->gemm->lanes, channels = k->conv->out, kh = k->conv->kh;
    size_t kw = k->conv->kw, high, wide;
    struct asy__outer t = tile_of(k, 1);

    t.c_row = asy__round16(channels);
    t.a_r = k->conv->in;
    for (size_t j = 0; j < channels; j += lanes) {
        t.tail = asy__smaller(channels - j, lanes);
        for (size_t y = 0; y < kh; y += high) {
            high = asy__smaller(kh - y, ASY__DEPTH_BASES);
            for (size_t x = 0; x < kw; x += wide) {
                wide = asy__smaller(kw - x, ASY__BASE_ROWS);
                depth_taps(k, &t, j, y, high, x, wide);
            }
        }
    }
}

static void outer_block(const struct asy__dw *k, int turned)
{
    size_t strips = strip_count(k->conv);

    if (asy__is_depthwise(k->conv)) {
        depth_block(k);
        return;
    }
    for (size_t g = 0; g < k->conv->groups; g++) {
        size_t span = turned ? span_of(k->isa, k->conv, strip_of(k, g, 0).len) : 1;

        for (size_t i = 0; i < strips; i += span) {
            if (turned)
                outer_turned(k, g, i, asy__smaller(span, strips - i));
            else
                outer_strip(k, g, strip_of(k, g, i));
        }
    }
}

/* What tiles of some rows and vectors cost for each pixel, in multiply-adds: at least as much as
 * waiting for the last one's result; with one vector across, the load of it. */
static size_t cost(const struct asy__conv *isa, size_t rows, size_t most, size_t width)
{
    const size_t least = 12;
    size_t n = asy__blocks_of(rows, most), vectors = asy__vectors_of(isa, width);
    size_t pairs = vectors / 2 * asy__larger(2 * rows, n * least);
    size_t single = vectors % 2 * asy__larger(rows + n, n * least);

    return pairs + single;
}

static int is_turned(const struct asy__conv *isa, const struct asy_conv *conv)
{
    size_t strips = strip_count(conv), len = asy__steps_of(conv) / strips;
    size_t out = conv->out / conv->groups, span = span_of(isa, conv, len);
    size_t rows = isa->gemm->rows;
    size_t spans = asy__blocks_of(strips, span);
    size_t turned = span > 1 ? spans * asy__vectors_of(isa, out) * (span * len + 1)
                             : strips * cost(isa, len, rows, out);

    return turned < strips * cost(isa, out, rows, len);
}

void asy__copy_border(const struct asy_conv *conv, const float *x, size_t top, size_t lines,
                      float *to)
{
    size_t line = conv->w * conv->in, side = conv->pad * conv->in;

    for (size_t y = top; y < top + lines; y++, to += line + 2 * side) {
        if (y < conv->pad || y >= conv->pad + conv->h) {
            memset(to, 0, (line + 2 * side) * sizeof *to);
            continue;
        }
        memset(to, 0, side * sizeof *to);
        memcpy(to + side, x + (y - conv->pad) * line, line * sizeof *to);
        memset(to + side + line, 0, side * sizeof *to);
    }
}

/* The block's images, or lines from top on of the one that it has. */
static const float *bordered(const struct asy_conv *conv, const struct asy__dw *k, const float *x,
                             size_t top)
{
    size_t image = conv->h * conv->w * conv->in;
    size_t lines = (k->lines - 1) * conv->stride + conv->kh;

    if (!conv->pad)
        return x + top * conv->stride * k->x_line;
    for (size_t i = 0; i < k->images; i++)
        asy__copy_border(conv, x + i * image, top * conv->stride, lines,
                         k->border + i * k->x_image);
    return k->border;
}

void asy__turn(const struct asy__gemm *gemm, size_t rows, size_t cols, const float *from,
               size_t from_row, float *to, size_t to_row)
{
    for (size_t i = 0; i < rows; i += gemm->lanes) {
        size_t height = asy__smaller(rows - i, gemm->lanes);

        gemm->transpose(height, cols, from + i * from_row, from_row, to + i, to_row, height);
    }
}

static void turn_dw(const struct asy__dw *k, int back)
{
    size_t groups = asy__is_depthwise(k->conv) ? 1 : k->conv->groups;
    size_t out = k->conv->out / groups, steps = asy__steps_of(k->conv);
    float *turned = k->sums, *dw = k->dw;

    for (size_t g = 0; g < groups; g++) {
        if (back)
            asy__turn(k->isa->gemm, steps, out, turned, asy__round16(out), dw, steps);
        else
            asy__turn(k->isa->gemm, out, steps, dw, steps, turned, asy__round16(out));
        dw += out * steps;
        turned += steps * asy__round16(out);
    }
}

struct asy__dw asy__dw_begin(const struct asy__conv *isa, const struct asy_conv *conv, int add,
                             float *dw, float *room)
{
    struct asy__dw k = { .isa = isa, .conv = conv, .w = asy_conv_w(conv), .dw = dw, .add = add };

    k.x_line = (conv->w + 2 * conv->pad) * conv->in;
    k.x_image = (conv->h + 2 * conv->pad) * k.x_line;
    k.dy_image = asy__conv_y_image(conv);
    k.turned = asy__is_depthwise(conv) || is_turned(isa, conv);
    k.border = room;
    k.sums = k.turned ? room + asy__round16(conv->pad ? images_of(conv) * k.x_image : 0) : dw;
    if (k.turned && add)
        turn_dw(&k, 0);
    return k;
}

void asy__dw_images(struct asy__dw *k, size_t images, const float *dy, const float *x)
{
    const struct asy_conv *conv = k->conv;
    size_t h = asy_conv_h(conv), most = images_of(conv), lines = h;
    size_t line = k->x_line * conv->stride + k->w * conv->out;

    if (most == 1)
        lines = asy__smaller(h, asy__larger(1, DW_BLOCK / line));
    for (size_t n = 0; n < images; n += most) {
        k->images = asy__smaller(most, images - n);
        for (size_t top = 0; top < h; top += lines) {
            k->lines = asy__smaller(lines, h - top);
            k->dy = dy + n * k->dy_image + top * k->w * conv->out;
            k->x = bordered(conv, k, x + n * asy__conv_x_image(conv), top);
            outer_block(k, k->turned);
            k->add = 1;
        }
    }
}

void asy__dw_end(struct asy__dw *k)
{
    if (!k->add)
        memset(k->dw, 0, k->conv->out * asy__steps_of(k->conv) * sizeof *k->dw);
    else if (k->turned)
        turn_dw(k, 1);
}
