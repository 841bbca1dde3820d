/* SPDX-License-Identifier: Apache-2.0
 * conv_sparse.c - gradients of a convolution whose outputs went into max pooling.
 *
 * Of a window's outputs one has a gradient, the others have 0: of 2 x 2 three quarters of all
 * products, and with a rectifier more. They are left out, which changes no sum of numbers: the
 * chains of asy/conv.h go over the rest in the order that they always had.
 *
 * dx: an output's channels that have a gradient, one by one, times their kernels, onto the pixels
 * that the output met; these stay in registers meanwhile. dw: a channel's outputs that have one,
 * one by one, times the pixels that they met, onto the channel's kernel, which stays in registers.
 * Both are the same tile, over another list. A border is laid out: no list meets many zeros.
 *
 * Rejected: positions first for dw also, which would need no second kind of list, but store a sum
 * for each product. */
#include "conv_sparse.h"
#include "conv_plan.h"
#include <asy/base.h>
#include <string.h>

#define BLOCK ((size_t)8192) /* floats of x that dw has at hand: of the first cache */
#define LONG_ENOUGH ((size_t)64) /* entries of a list of dw, so that more images gain nothing */
#define STRETCH ((size_t)16) /* outputs of a line whose channels dx lists at once, at most */

struct pass {
    const struct asy__conv *isa;
    const struct asy_conv *conv;
    const struct asy_pool *pool;
    size_t pooled_w, pixels;       /* of the pooled image */
    size_t row, down, across;      /* floats of a kernel's row; tiles that its rows, vectors take */
    size_t x_line, x_image;        /* with the border */
    /* In the room: */
    int32_t *which;                /* [images][pixels][out] */
    float *dy_turned;              /* [images][round16(out)][round16(pixels)] */
    float *which_turned;           /* the same, of int32_t */
    float *v;                      /* a list, with SLACK */
    uint32_t *at;
    struct asy__slots *outputs, *channels; /* of a channel: the image's; of a stretch of outputs */
    size_t n_outputs, n_channels;  /* n_channels: of one output */
    uint32_t *end, *to;            /* of a list; of its sums */
    float *x_border, *dx_border;   /* [images][x_image], [x_image] */
};

static size_t pixels_of(const struct asy_pool *pool)
{
    return asy_pool_h(pool) * asy_pool_w(pool);
}

static size_t border_image(const struct asy_conv *conv)
{
    return (conv->h + 2 * conv->pad) * (conv->w + 2 * conv->pad) * conv->in;
}

/* (windows that fit are two apart at least) */
static size_t most_pixels(const struct asy_conv *conv)
{
    return (asy_conv_h(conv) + 1) / 2 * ((asy_conv_w(conv) + 1) / 2);
}

static size_t images_of(const struct asy_conv *conv)
{
    size_t enough = asy__blocks_of(LONG_ENOUGH, most_pixels(conv));

    return asy__larger(1, asy__smaller(enough, BLOCK / border_image(conv)));
}

/* A vector of 16 lanes is what is counted with, whatever the processor has: for each window and
 * channel the multiply-adds of a tile, nine of which at least wait for the ones before them,
 * against those of all of the window's outputs. */
int asy__sparse_fits(const struct asy_conv *conv, const struct asy_pool *pool)
{
    size_t vectors = asy__round16(conv->kw * conv->in) / 16 * conv->kh;

    return conv->groups == 1 && pool->stride >= pool->size && pool->stride > 1 && pool->pad == 0 &&
           asy__larger(vectors, 9) * 16 < pool->stride * pool->stride * asy__steps_of(conv) &&
           conv->out * asy__steps_of(conv) < UINT32_MAX &&
           images_of(conv) * border_image(conv) < UINT32_MAX;
}

/* Floats of slots: of as many as line by line would take. */
static size_t slots_room(const struct asy_conv *conv)
{
    size_t across = asy__blocks_of(asy_conv_w(conv), 2 * 16);
    size_t channels = STRETCH * asy__blocks_of(conv->out, 16);
    size_t n = asy_conv_h(conv) * across + channels;

    return asy__round16(n * (sizeof(struct asy__slots) / sizeof(float))) +
           asy__round16(n) + STRETCH;
}

static size_t list_room(const struct asy_conv *conv, size_t images, size_t pixels)
{
    size_t longest = asy__larger(images * pixels, STRETCH * conv->out);

    return asy__round16(longest) + ASY__SPARSE_SLACK;
}

size_t asy__sparse_room(const struct asy_conv *conv)
{
    size_t images = images_of(conv), pixels = most_pixels(conv);
    size_t border = conv->pad ? asy__round16(border_image(conv)) : 0;
    size_t list = list_room(conv, images, pixels);

    return asy__round16(images * pixels * conv->out) +
           2 * images * asy__round16(conv->out) * asy__round16(pixels) + 2 * list +
           asy__round16(images * border) + border + slots_room(conv);
}

/* The fewest tiles that a kernel's rows and vectors fit. */
static void cut_kernel(struct pass *p, size_t vectors)
{
    size_t fewest = SIZE_MAX;

    for (size_t rows = 1; rows <= ASY__SPARSE_ROWS && rows <= p->conv->kh; rows++) {
        size_t most = asy__smaller(ASY__SPARSE_VECTORS, p->isa->sparse->sums / rows);
        size_t down = asy__blocks_of(p->conv->kh, rows), across = asy__blocks_of(vectors, most);

        if (down * across < fewest) {
            fewest = down * across;
            p->down = down;
            p->across = across;
        }
    }
}

struct place {
    size_t number;
    int32_t first;
    uint32_t at;
};

static void new_slots(struct asy__slots *slots, size_t number)
{
    *slots = (struct asy__slots){ .from = number };
    for (size_t k = 0; k < 16; k++)
        slots->first[k] = ASY__NO_SLOT;
}

/* One place more, if it fits. */
static int add_place(struct asy__slots *slots, struct place place)
{
    size_t used = 0, low = place.number, high = place.number;

    for (; used < 16 && slots->first[used] != ASY__NO_SLOT; used++) {
        low = asy__smaller(low, slots->from + (size_t)slots->off[used]);
        high = asy__larger(high, slots->from + (size_t)slots->off[used]);
    }
    if (used == 16 || high - low >= 16)
        return 0;
    for (size_t k = 0; k < used; k++)
        slots->off[k] += (int32_t)(slots->from - low);
    slots->from = low;
    slots->n = high - low + 1;
    slots->off[used] = (int32_t)(place.number - low);
    slots->first[used] = place.first;
    slots->at[used] = place.at;
    return 1;
}

/* The same, in new slots if need be. */
static void append(struct asy__slots *slots, size_t *n, struct place place)
{
    if (*n && add_place(&slots[*n - 1], place))
        return;
    new_slots(&slots[*n], place.number);
    ASY_IGNORE(add_place(&slots[(*n)++], place)); /* (there is room) */
}

/* A channel's outputs, line by line of the convolution's. */
static void slots_of_outputs(struct pass *p)
{
    size_t size = p->pool->size, stride = p->conv->stride, apart = p->pool->stride * stride;

    for (size_t y = 0; y < p->pixels / p->pooled_w * size; y++)
        for (size_t x = 0; x < p->pooled_w; x++) {
            size_t line = y / size * apart + y % size * stride;
            uint32_t at = (uint32_t)(line * p->x_line + x * apart * p->conv->in);

            append(p->outputs, &p->n_outputs,
                   (struct place){ y / size * p->pooled_w + x, (int32_t)(y % size * size), at });
        }
}

/* Windows whose outputs, of one line, are a stretch. */
static size_t stretch_of(const struct pass *p)
{
    return asy__larger(1, STRETCH / p->pool->size);
}

/* The channels of a stretch of outputs, which are taps 0, 1, ... of their windows. */
static void slots_of_channels(struct pass *p)
{
    size_t size = p->pool->size, out = p->conv->out;

    p->n_channels = asy__blocks_of(out, 16);
    for (size_t i = 0; i < stretch_of(p) * size; i++) {
        struct asy__slots *slots = p->channels + i * p->n_channels;
        size_t number = i / size * out, n = 0;

        new_slots(slots, number);
        for (size_t k = 0; k < out; k++)
            append(slots, &n,
                   (struct place){ number + k, (int32_t)(i % size),
                                   (uint32_t)(k * asy__steps_of(p->conv)) });
        p->to[i] = (uint32_t)((i / size * p->pool->stride + i % size) * p->conv->stride *
                              p->conv->in);
    }
}

static struct pass pass_of(const struct asy__conv *isa, const struct asy_conv *conv,
                           const struct asy_pool *pool, float *room)
{
    size_t images = images_of(conv);
    struct pass p = { .isa = isa, .conv = conv, .pool = pool, .pooled_w = asy_pool_w(pool),
                      .pixels = pixels_of(pool), .row = conv->kw * conv->in };
    size_t turned = images * asy__round16(conv->out) * asy__round16(p.pixels);
    size_t list = list_room(conv, images, p.pixels);
    struct asy__slots *here;

    p.x_line = (conv->w + 2 * conv->pad) * conv->in;
    p.x_image = border_image(conv);
    cut_kernel(&p, asy__vectors_of(isa, p.row));
    p.which = (int32_t *)(void *)room;
    room += asy__round16(images * p.pixels * conv->out);
    p.dy_turned = room;
    p.which_turned = room += turned;
    p.v = room += turned;
    p.at = (uint32_t *)(void *)(room += list);
    p.x_border = room += list;
    p.dx_border = room += asy__round16(conv->pad ? images * p.x_image : 0);
    p.outputs = (struct asy__slots *)(void *)(room + asy__round16(conv->pad ? p.x_image : 0));
    slots_of_outputs(&p);
    p.channels = p.outputs + p.n_outputs;
    here = p.channels + STRETCH * asy__blocks_of(conv->out, 16);
    p.to = (uint32_t *)(void *)here;
    p.end = p.to + STRETCH;
    slots_of_channels(&p);
    return p;
}

/* Lists onto kernels' rows: all of a kernel's tiles, one after another. */
static void kernel_tiles(const struct pass *p, struct asy__sparse_tile *tile)
{
    size_t lanes = p->isa->gemm->lanes, vectors = asy__vectors_of(p->isa, p->row), first = 0;
    const float *b = tile->b;
    float *c = tile->c;

    for (size_t i = 0; i < p->down; i++) {
        size_t rows = p->conv->kh / p->down + (i < p->conv->kh % p->down), from = 0;

        for (size_t j = 0; j < p->across; j++) {
            size_t wide = vectors / p->across + (j < vectors % p->across);

            tile->b = b + first * tile->b_row + from * lanes;
            tile->c = c + first * tile->c_row + from * lanes;
            tile->tail = asy__smaller(lanes, p->row - (from + wide - 1) * lanes);
            p->isa->sparse->tiles[rows - 1][wide - 1](tile);
            from += wide;
        }
        first += rows;
    }
}

/* The lists at hand. Pixels that two of them reach are reached in turn, so where a kernel's row
 * takes several tiles, lists go one by one. */
static void tiles(const struct pass *p, size_t lists, size_t slots, const float *b, size_t b_row,
                  float *c, size_t c_row)
{
    size_t at_once = p->across == 1 ? lists : 1;

    for (size_t i = 0; i < lists; i += at_once) {
        struct asy__sparse_tile tile = {
            .v = p->v, .at = p->at, .begin = i ? p->end[i * slots - 1] : 0, .lists = at_once,
            .slots = slots, .end = p->end + i * slots, .to = p->to + i, .b = b, .c = c,
            .b_row = b_row, .c_row = c_row,
        };

        kernel_tiles(p, &tile);
    }
}

/* Pooled images as dw reads them: channel by channel. */
static void turn_images(const struct pass *p, size_t images, const float *dy)
{
    size_t out = p->conv->out, row = asy__round16(p->pixels), n = p->pixels * out;
    const float *which = (const float *)(const void *)p->which;

    for (size_t i = 0; i < images; i++) {
        size_t to = i * asy__round16(out) * row;

        asy__turn(p->isa->gemm, p->pixels, out, dy + i * n, out, p->dy_turned + to, row);
        asy__turn(p->isa->gemm, p->pixels, out, which + i * n, out, p->which_turned + to, row);
    }
}

/* The list of channel `out`, image by image; its end is that of the last one's slots. */
static void list_of_channel(const struct pass *p, size_t images, size_t out)
{
    size_t row = asy__round16(p->pixels), n = 0;
    struct asy__pick pick = { .slots = p->outputs, .n_slots = p->n_outputs,
                              .taps = (uint32_t)p->pool->size,
                              .tap = (uint32_t)(p->conv->stride * p->conv->in) };

    for (size_t i = 0; i < images; i++) {
        size_t from = (i * asy__round16(p->conv->out) + out) * row;

        pick.v = p->dy_turned + from;
        pick.which = (const int32_t *)(const void *)(p->which_turned + from);
        pick.at = (uint32_t)(i * p->x_image);
        n = p->isa->sparse->pick(&pick, n, p->v, p->at, p->end);
    }
}

/* dw += of some images. */
static void add_dw(const struct pass *p, size_t images, const float *dy, const float *x, float *dw)
{
    const struct asy_conv *conv = p->conv;
    size_t image = asy__conv_x_image(conv);

    for (size_t i = 0; conv->pad && i < images; i++)
        asy__copy_border(conv, x + i * image, 0, conv->h + 2 * conv->pad,
                         p->x_border + i * p->x_image);
    turn_images(p, images, dy);
    for (size_t out = 0; out < conv->out; out++, dw += conv->kh * p->row) {
        list_of_channel(p, images, out);
        tiles(p, 1, p->n_outputs, conv->pad ? p->x_border : x, p->x_line, dw, p->row);
    }
}

/* Outputs of line y of some windows, which begin at dy and at pixel `to`. */
static void add_outputs(const struct pass *p, size_t windows, const float *dy,
                        const int32_t *which, size_t y, const float *w, float *to)
{
    size_t size = p->pool->size;
    struct asy__pick pick = { .v = dy, .which = which, .slots = p->channels,
                              .n_slots = windows * size * p->n_channels, .taps = 1,
                              .first = (int32_t)(y * size) };

    ASY_IGNORE(p->isa->sparse->pick(&pick, 0, p->v, p->at, p->end)); /* (the ends tell) */
    tiles(p, windows * size, p->n_channels, w, p->row, to, p->x_line);
}

/* One image's dx, whose pooled image is dy. */
static void dx_image(const struct pass *p, const float *dy, const int32_t *which, const float *w,
                     float *dx)
{
    const struct asy_conv *conv = p->conv;
    size_t size = p->pool->size, line = conv->w * conv->in, apart = p->pool->stride * conv->stride;
    float *to = conv->pad ? p->dx_border : dx;

    memset(to, 0, p->x_image * sizeof *to);
    for (size_t y = 0; y < p->pixels / p->pooled_w * size; y++)
        for (size_t x = 0; x < p->pooled_w; x += stretch_of(p)) {
            size_t from = (y / size * p->pooled_w + x) * conv->out;
            size_t row = y / size * apart + y % size * conv->stride;

            add_outputs(p, asy__smaller(stretch_of(p), p->pooled_w - x), dy + from, which + from,
                        y % size, w, to + row * p->x_line + x * apart * conv->in);
        }
    for (size_t y = 0; conv->pad && y < conv->h; y++)
        memcpy(dx + y * line, to + (y + conv->pad) * p->x_line + conv->pad * conv->in,
               line * sizeof *dx);
}

static void widen(size_t n, const uint8_t *restrict from, int32_t *restrict to)
{
    for (size_t i = 0; i < n; i++)
        to[i] = from[i];
}

void asy__sparse_grad(const struct asy__conv *isa, const struct asy_conv *conv,
                      const struct asy_pool *pool, size_t rows, int add, const float *dy,
                      const uint8_t *from, const float *x, const float *w, float *dw, float *dx,
                      float *room)
{
    struct pass p = pass_of(isa, conv, pool, room);
    size_t images, image = asy__conv_x_image(conv), n = p.pixels * conv->out;

    if (!add)
        memset(dw, 0, conv->out * asy__steps_of(conv) * sizeof *dw);
    for (size_t at = 0; at < rows; at += images) {
        images = asy__smaller(images_of(conv), rows - at);
        widen(images * n, from + at * n, p.which);
        add_dw(&p, images, dy + at * n, x + at * image, dw);
        for (size_t i = 0; dx && i < images; i++)
            dx_image(&p, dy + (at + i) * n, p.which + i * n, w, dx + (at + i) * image);
    }
}
