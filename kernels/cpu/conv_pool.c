/* SPDX-License-Identifier: Apache-2.0
 * conv_pool.c - a convolution that goes straight into max pooling: what lies between, several times
 * the size of either end, is never there for more than some images, and so never leaves the cache.
 *
 * The activation is one that keeps order, so it comes after the pooling, of a quarter of the
 * numbers; a rectifier comes with the tiles, where it costs nothing. */
#include "conv_plan.h"
#include "fused.h"
#include "pool.h"
#include <asy/base.h>

/* Floats of what lies between: of images whose outputs only go to dw, and of those that a tile of
 * dx may want side by side. */
#define FEW ((size_t)16384)
#define SOME ((size_t)65536)

int asy_conv_pool_fits(enum asy_act act)
{
    return act == ASY_ACT_NONE || act == ASY_ACT_RELU || act == ASY_ACT_LEAKY_RELU;
}

/* Images at hand at once: no more than a tile's rows. */
static size_t images_of(const struct asy__conv *isa, const struct asy_conv *conv, size_t rows,
                        size_t most)
{
    size_t images = asy__larger(1, most / asy__conv_y_image(conv));
    size_t blocks = asy__blocks_of(rows, asy__smaller(images, isa->gemm->rows));

    return asy__blocks_of(rows, blocks);
}

static size_t between_floats(const struct asy_conv *conv)
{
    size_t image = asy__conv_y_image(conv);

    return asy__round16(asy__larger(asy__smaller(SOME, ASY__TILE_ROWS * image), image));
}

size_t asy_conv_pool_room(const struct asy_conv *conv)
{
    size_t forward = asy__corr_room(conv, 0);
    size_t back = asy__round16(asy__corr_room(conv, 1)) + asy__dw_room(conv);

    return asy__larger(between_floats(conv) + asy__larger(forward, back), asy__sparse_room(conv));
}

static struct asy_pool pool_of(const struct asy_conv *conv, size_t size, size_t stride)
{
    return (struct asy_pool){ asy_conv_h(conv), asy_conv_w(conv), conv->out, size, stride, 0 };
}

/* A line of windows, channels from j on. Without a border all outputs have the same runs. */
static void pooled_line(const struct asy__corr_plan *p, struct asy__pooled_tile tile,
                        size_t windows, size_t vectors)
{
    size_t tiles = asy__blocks_of(windows, ASY__WINDOWS);

    for (size_t i = 0; i < tiles; i++) {
        size_t these = windows / tiles + (i < windows % tiles);

        p->isa->pooled->tiles[these - 1][vectors - 1](&tile);
        tile.a += 2 * these * tile.a_row;
        tile.c += these * tile.c_row;
        tile.from += these * tile.c_row;
    }
}

/* One image, in tiles that leave nothing between. */
static void pooled_image(const struct asy__corr_plan *p, struct asy__pooled_tile tile, size_t h,
                         size_t w)
{
    size_t lanes = p->isa->gemm->lanes, channels = p->c_channels;
    const float *a = tile.a;
    uint8_t *from = tile.from;
    float *c = tile.c;

    for (size_t j = 0; j < channels; j += ASY__TILE_VECTORS * lanes) {
        size_t wide = asy__smaller(channels - j, ASY__TILE_VECTORS * lanes);
        size_t vectors = asy__vectors_of(p->isa, wide);

        tile.tail = wide - (vectors - 1) * lanes;
        tile.b = p->b + j * p->steps;
        tile.start = p->start + j;
        for (size_t y = 0; y < h; y++) {
            tile.a = a + 2 * y * tile.a_line;
            tile.c = c + y * w * channels + j;
            tile.from = from + y * w * channels + j;
            pooled_line(p, tile, w, vectors);
        }
    }
}

/* Whether there are such tiles, and all outputs meet the whole kernel. */
static int is_pooled(const struct asy__conv *isa, const struct asy_conv *conv, size_t size,
                     size_t stride)
{
    return isa->pooled && size == 2 && stride == 2 && conv->pad == 0 && conv->groups == 1;
}

static void pooled_run(const struct asy__corr_plan *p, const struct asy_conv *conv,
                       const struct asy_pool *pool, size_t rows, float *y, uint8_t *from)
{
    size_t h = asy_pool_h(pool), w = asy_pool_w(pool), out = h * w * conv->out;
    struct asy__run runs[ASY__RUNS_MAX];
    struct asy__pooled_tile tile = {
        .a_line = conv->stride * p->a_w * p->a_channels, .a_row = conv->stride * p->a_channels,
        .runs = runs, .n_runs = asy__corr_runs(p, 0, p->segments, runs), .c_row = conv->out,
        .relu = p->relu,
    };

    for (size_t i = 0; i < rows; i++) {
        tile.a = p->a + i * p->a_image;
        tile.c = y + i * out;
        tile.from = from + i * out;
        pooled_image(p, tile, h, w);
    }
}

/* Some images at a time, by what lies between. */
static void run_between(struct asy__corr_plan *p, const struct asy_conv *conv,
                        const struct asy_pool *pool, size_t rows, float *between, float *y,
                        uint8_t *from)
{
    size_t out = asy_pool_h(pool) * asy_pool_w(pool) * conv->out, images;
    const float *x = p->a;

    p->c = between;
    for (size_t at = 0; at < rows; at += images) {
        images = asy__smaller(images_of(p->isa, conv, rows, FEW), rows - at);
        p->a = x + at * asy__conv_x_image(conv);
        asy__corr_run(p, 0, images);
        asy__pool_get()->max(pool, images, between, y + at * out, from + at * out);
    }
}

void asy__conv_pool_run(const struct asy__conv *isa, const struct asy_conv *conv, size_t size,
                        size_t stride, enum asy_act act, size_t rows, const float *x,
                        const float *w, const float *bias, float *y, uint8_t *from, float *room)
{
    struct asy_pool pool = pool_of(conv, size, stride);
    size_t out = asy_pool_h(&pool) * asy_pool_w(&pool) * conv->out;
    float *between = room;
    const float *zeros;
    struct asy__corr_plan p;

    room += between_floats(conv);
    p = asy__corr_prepare(isa, conv, 0, w, bias, room, &zeros);
    p.relu = act == ASY_ACT_RELU;
    p.a = x;
    if (is_pooled(isa, conv, size, stride))
        pooled_run(&p, conv, &pool, rows, y, from);
    else
        run_between(&p, conv, &pool, rows, between, y, from);
    if (act == ASY_ACT_LEAKY_RELU)
        asy__fused_get()->bias_act(act, rows * out / conv->out, conv->out, zeros, y, y);
}

void asy__conv_pool_run_grad(const struct asy__conv *isa, const struct asy_conv *conv,
                             size_t size, size_t stride, size_t rows, int add, const float *dy,
                             const uint8_t *from, const float *x, const float *w, float *dw,
                             float *dx, float *room)
{
    struct asy_pool pool = pool_of(conv, size, stride);
    size_t out = asy_pool_h(&pool) * asy_pool_w(&pool) * conv->out, images;
    float *between = room;
    const float *zeros;
    struct asy__corr_plan p = { .isa = isa };
    struct asy__dw sum;

    if (asy__sparse_fits(conv, &pool)) {
        asy__sparse_grad(isa, conv, &pool, rows, add, dy, from, x, w, dw, dx, room);
        return;
    }
    room += between_floats(conv);
    if (dx)
        p = asy__corr_prepare(isa, conv, 1, w, NULL, room, &zeros);
    sum = asy__dw_begin(isa, conv, add, dw, room + asy__round16(asy__corr_room(conv, 1)));
    p.a = between;
    for (size_t at = 0; at < rows; at += images) {
        images = asy__smaller(images_of(isa, conv, rows, dx ? SOME : FEW), rows - at);
        asy__pool_get()->max_grad(&pool, images, dy + at * out, from + at * out, between);
        asy__dw_images(&sum, images, between, x + at * asy__conv_x_image(conv));
        if (dx) {
            p.c = dx + at * asy__conv_x_image(conv);
            asy__corr_run(&p, 0, images);
        }
    }
    asy__dw_end(&sum);
}

void asy_conv_pool(const struct asy_conv *conv, size_t size, size_t stride, enum asy_act act,
                   size_t rows, const float *x, const float *w, const float *bias, float *y,
                   uint8_t *from, float *room)
{
    asy__conv_pool_run(asy__conv_get(), conv, size, stride, act, rows, x, w, bias, y, from, room);
}

void asy_conv_pool_grad(const struct asy_conv *conv, size_t size, size_t stride, size_t rows,
                        int add, const float *dy, const uint8_t *from, const float *x,
                        const float *w, float *dw, float *dx, float *room)
{
    asy__conv_pool_run_grad(asy__conv_get(), conv, size, stride, rows, add, dy, from, x, w, dw,
                            dx, room);
}
