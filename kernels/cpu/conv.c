/* SPDX-License-Identifier: Apache-2.0
 * conv.c - the order in which tiles of a convolution are computed, the same for all instruction
 * sets.
 *
 * Outputs, and dx, which is the same sum with the kernel turned round: the weights are packed once
 * per call, channels of the result across. The places of a line of the result (for dx with a stride
 * s: every s-th of them) meet the same columns of the kernel, but for those at the ends. Where
 * enough of them do, a tile has such places as its rows; else it has one place of several images,
 * which is what keeps the ends, and small images, as fast as the rest, without a border of zeros
 * that would have to be laid out and multiplied.
 *
 * Rejected: Winograd's transforms, whose sums are not those of the definition and lose digits;
 * vectors along the input's channels, whose order of summation depends on their width; layouts in
 * blocks of channels, which every neighbour of a convolution would have to know. */
#include "conv_plan.h"
#include "fused.h"
#include <asy/base.h>
#include <string.h>

size_t asy_conv_h(const struct asy_conv *conv)
{
    return (conv->h + 2 * conv->pad - conv->kh) / conv->stride + 1;
}

size_t asy_conv_w(const struct asy_conv *conv)
{
    return (conv->w + 2 * conv->pad - conv->kw) / conv->stride + 1;
}

static struct asy__reach reach_of(const struct asy__axis *axis, size_t place)
{
    size_t begin = place * axis->stride, at = place + axis->pad, first, end;

    if (!axis->back) {
        first = begin < axis->pad ? axis->pad - begin : 0;
        end = asy__smaller(axis->kernel, axis->in + axis->pad - begin);
        return (struct asy__reach){ begin + first - axis->pad, first, end - first };
    }
    first = at < axis->kernel ? 0 : (at - axis->kernel + axis->stride) / axis->stride;
    end = asy__smaller(at / axis->stride + 1, axis->out);
    if (end <= first)
        return (struct asy__reach){ 0, 0, 0 };
    return (struct asy__reach){ first, axis->kernel - 1 - (at - first * axis->stride),
                                end - first };
}

static struct asy__cut cut_of(const struct asy__conv *isa, size_t n)
{
    size_t tiles = asy__blocks_of(n, isa->gemm->rows);

    return (struct asy__cut){ tiles, n / tiles, n % tiles };
}

static size_t segments_of(const struct asy__conv *isa, const struct asy__axis *axis, size_t places,
                          struct asy__segment *segments)
{
    size_t classes = axis->back ? axis->stride : 1, advance = axis->back ? 1 : axis->stride;
    size_t n = 0;

    for (size_t class = 0; class < classes; class++) {
        for (size_t at = class; at < places;) {
            struct asy__segment s = { .at = at, .reach = reach_of(axis, at) };
            struct asy__reach next = s.reach;

            do {
                s.n++;
                at += classes;
                if (at < places)
                    next = reach_of(axis, at);
            } while (at < places && next.tap == s.reach.tap && next.n == s.reach.n &&
                     next.from == s.reach.from + s.n * advance);
            s.cut = cut_of(isa, s.n);
            segments[n++] = s;
        }
    }
    return n;
}

static size_t group_a(const struct asy__corr_plan *p)
{
    return p->a_channels / p->groups;
}

static size_t group_c(const struct asy__corr_plan *p)
{
    return p->c_channels / p->groups;
}

static size_t runs_of(const struct asy__corr_plan *p, struct asy__reach y, struct asy__reach x,
                      struct asy__run *runs)
{
    size_t step = p->x.back ? p->x.stride : 1, channels = group_a(p), n = 0;

    for (size_t i = 0; i < y.n; i++) {
        size_t a = ((y.from + i) * p->a_w + x.from) * p->a_channels;
        size_t b = ((y.tap + i * step) * p->kw + x.tap) * channels;

        if (p->joined) {
            runs[n++] = (struct asy__run){ a, b, x.n * channels };
            continue;
        }
        for (size_t j = 0; j < x.n; j++)
            runs[n++] = (struct asy__run){ a + j * p->a_channels, b + j * step * channels,
                                           channels };
    }
    return n;
}

size_t asy__corr_runs(const struct asy__corr_plan *p, size_t y,
                      const struct asy__segment *segment, struct asy__run *runs)
{
    return runs_of(p, reach_of(&p->y, y), segment->reach, runs);
}

/* Rows from the tile's a and c on. */
static void tiles(const struct asy__corr_plan *p, struct asy__corr *tile,
                  const struct asy__cut *cut, size_t vectors)
{
    for (size_t t = 0; t < cut->tiles; t++) {
        size_t rows = cut->rows + (t < cut->longer);

        (p->depthwise ? p->isa->depth[rows - 1] : p->isa->corr[rows - 1][vectors - 1])(tile);
        tile->a += rows * tile->a_row;
        tile->c += rows * tile->c_row;
    }
}

/* A segment of line y of some images: the channels of one panel. A tile has places as its rows if
 * that fills more than half of it, or as much as images would. */
static void segment(const struct asy__corr_plan *p, struct asy__corr *tile,
                    const struct asy__segment *s, size_t line, const struct asy__cut *images,
                    size_t vectors)
{
    size_t apart = p->x.back ? p->x.stride : 1, advance = p->x.back ? 1 : p->x.stride;
    size_t n = images->tiles * images->rows + images->longer;
    float *to = tile->c, *c = to + (line * p->c_w + s->at) * p->c_channels;
    const float *a = tile->a;

    if (2 * s->cut.rows > p->isa->gemm->rows || s->cut.rows >= images->rows) {
        tile->a_row = advance * p->a_channels;
        tile->c_row = apart * p->c_channels;
        for (size_t i = 0; i < n; i++) {
            tile->a = a + i * p->a_image;
            tile->c = c + i * p->c_image;
            tiles(p, tile, &s->cut, vectors);
        }
    } else {
        tile->a_row = p->a_image;
        tile->c_row = p->c_image;
        for (size_t i = 0; i < s->n; i++) {
            tile->a = a + i * advance * p->a_channels;
            tile->c = c + i * apart * p->c_channels;
            tiles(p, tile, images, vectors);
        }
    }
    tile->a = a;
    tile->c = to;
}

/* A segment of line y; of a depthwise convolution, that of all panels. */
static void segment_panels(const struct asy__corr_plan *p, const struct asy__corr *tile,
                           const struct asy__segment *s, size_t y, const struct asy__cut *images,
                           size_t vectors)
{
    size_t lanes = p->isa->gemm->lanes, channels = p->depthwise ? p->c_channels : 1;

    for (size_t j = 0; j < channels; j += lanes) {
        struct asy__corr t = *tile;

        if (p->depthwise)
            t.tail = asy__smaller(channels - j, lanes);
        t.a += j;
        t.b += j;
        t.c += j;
        t.start += j;
        segment(p, &t, s, y, images, vectors);
    }
}

/* All lines of some images. Those that meet the same rows of the kernel have the same runs, from
 * another line on. */
static void lines(const struct asy__corr_plan *p, struct asy__corr tile,
                  const struct asy__cut *images, size_t vectors)
{
    struct asy__run runs[ASY__RUNS_MAX];
    const float *a = tile.a;

    tile.runs = runs;
    for (size_t s = 0; s < p->n_segments; s++) {
        struct asy__reach last = { 0, SIZE_MAX, 0 };

        for (size_t y = 0; y < p->c_h; y++) {
            struct asy__reach reach = reach_of(&p->y, y);

            tile.a = a + reach.from * p->a_w * p->a_channels;
            if (reach.tap != last.tap || reach.n != last.n)
                tile.n_runs = runs_of(p, (struct asy__reach){ 0, reach.tap, reach.n },
                                      p->segments[s].reach, runs);
            last = reach;
            segment_panels(p, &tile, &p->segments[s], y, images, vectors);
        }
    }
}

/* Image by image: tiles of several would take turns in the same sets of the cache. */
static void run_depthwise(const struct asy__corr_plan *p, size_t first, size_t images)
{
    struct asy__corr tile = { .relu = p->relu, .b_row = asy__round16(p->c_channels), .b = p->b,
                              .start = p->start };
    struct asy__cut one = { 1, 1, 0 };

    for (size_t i = first; i < first + images; i++) {
        tile.a = p->a + i * p->a_image;
        tile.c = p->c + i * p->c_image;
        lines(p, tile, &one, 1);
    }
}

void asy__corr_run(const struct asy__corr_plan *p, size_t first, size_t images)
{
    size_t lanes = p->isa->gemm->lanes, channels = group_c(p);
    struct asy__corr tile = { .relu = p->relu };
    struct asy__cut cut = cut_of(p->isa, images);

    if (p->depthwise) {
        run_depthwise(p, first, images);
        return;
    }
    for (size_t g = 0; g < p->groups; g++) {
        for (size_t j = 0; j < channels; j += ASY__TILE_VECTORS * lanes) {
            size_t w = asy__smaller(channels - j, ASY__TILE_VECTORS * lanes);
            size_t vectors = asy__vectors_of(p->isa, w);

            tile.tail = w - (vectors - 1) * lanes;
            tile.a = p->a + first * p->a_image + g * group_a(p);
            tile.c = p->c + first * p->c_image + g * channels + j;
            tile.b = p->b + (g * asy__vectors_of(p->isa, channels) * lanes + j) * p->steps;
            tile.start = p->start + g * asy__round16(channels) + j;
            lines(p, tile, &cut, vectors);
        }
    }
}

/* Where things lie in the room, of either side's sums. */
static size_t packed_floats(const struct asy_conv *conv, int back)
{
    size_t a = (back ? conv->out : conv->in) / conv->groups;
    size_t c = (back ? conv->in : conv->out) / conv->groups;

    if (asy__is_depthwise(conv))
        return asy__round16(conv->in) * (conv->kh * conv->kw + 2);
    return conv->groups * asy__round16(c) * (conv->kh * conv->kw * a + 2); /* start; zeros */
}

size_t asy__corr_room(const struct asy_conv *conv, int back)
{
    size_t places = back ? conv->w : asy_conv_w(conv);
    size_t segments = places * sizeof(struct asy__segment) / sizeof(float);

    return packed_floats(conv, back) + asy__round16(segments);
}

size_t asy_conv_room(const struct asy_conv *conv)
{
    return asy__larger(asy__larger(asy__corr_room(conv, 0), asy__corr_room(conv, 1)),
                       asy__dw_room(conv));
}

/* Where a chain begins: at the bias, or at zero. */
static void pack_start(const struct asy__corr_plan *p, const float *bias, float *to)
{
    size_t groups = p->depthwise ? 1 : p->groups, channels = p->c_channels / groups;

    memset(to, 0, groups * asy__round16(channels) * sizeof *to);
    for (size_t g = 0; bias && g < groups; g++)
        memcpy(to + g * asy__round16(channels), bias + g * channels, channels * sizeof *to);
}

struct asy__corr_plan asy__corr_prepare(const struct asy__conv *isa, const struct asy_conv *conv,
                                        int back, const float *w, const float *bias, float *room,
                                        const float **ret_zeros)
{
    size_t out_h = asy_conv_h(conv), out_w = asy_conv_w(conv), start;
    struct asy__corr_plan p = {
        .isa = isa, .groups = conv->groups, .kw = conv->kw,
        .y = { conv->h, out_h, conv->kh, conv->stride, conv->pad, back },
        .x = { conv->w, out_w, conv->kw, conv->stride, conv->pad, back },
        .a_w = back ? out_w : conv->w, .a_channels = back ? conv->out : conv->in,
        .a_image = back ? asy__conv_y_image(conv) : asy__conv_x_image(conv),
        .c_h = back ? conv->h : out_h, .c_w = back ? conv->w : out_w,
        .c_channels = back ? conv->in : conv->out,
        .c_image = back ? asy__conv_x_image(conv) : asy__conv_y_image(conv),
        .joined = conv->groups == 1 && (!back || conv->stride == 1),
        .depthwise = asy__is_depthwise(conv),
    };
    struct asy__segment *segments;
    float *here = room;

    start = p.depthwise ? asy__round16(p.c_channels)
                        : conv->groups * asy__round16(group_c(&p));
    p.steps = conv->kh * conv->kw * group_a(&p);
    asy__conv_pack(isa, conv, back, w, here);
    p.b = here;
    here += start * p.steps;
    pack_start(&p, bias, here);
    p.start = here;
    here += start;
    memset(here, 0, start * sizeof *here);
    *ret_zeros = here;
    here += start;
    segments = (struct asy__segment *)(void *)here;
    p.n_segments = segments_of(isa, &p.x, p.c_w, segments);
    p.segments = segments;
    return p;
}

void asy__conv_run(const struct asy__conv *isa, const struct asy_conv *conv, enum asy_act act,
                   size_t rows, const float *x, const float *w, const float *bias, float *z,
                   float *y, float *room)
{
    size_t blocks = asy__blocks_of(rows, isa->gemm->rows), first = 0;
    const float *zeros;
    struct asy__corr_plan p = asy__corr_prepare(isa, conv, 0, w, bias, room, &zeros);

    p.relu = act == ASY_ACT_RELU;
    p.a = x;
    p.c = z;
    for (size_t i = 0; i < blocks; i++) {
        size_t images = rows / blocks + (i < rows % blocks);

        asy__corr_run(&p, first, images);
        if (act != ASY_ACT_NONE && act != ASY_ACT_RELU)
            asy__fused_get()->bias_act(act, images * p.c_h * p.c_w, conv->out, zeros,
                                       z + first * p.c_image, y + first * p.c_image);
        first += images;
    }
}

void asy__conv_run_dx(const struct asy__conv *isa, const struct asy_conv *conv, size_t rows,
                      const float *dy, const float *w, float *dx, float *room)
{
    size_t blocks = asy__blocks_of(rows, isa->gemm->rows), first = 0;
    const float *zeros;
    struct asy__corr_plan p = asy__corr_prepare(isa, conv, 1, w, NULL, room, &zeros);

    p.a = dy;
    p.c = dx;
    for (size_t i = 0; i < blocks; i++) {
        size_t images = rows / blocks + (i < rows % blocks);

        asy__corr_run(&p, first, images);
        first += images;
    }
}

void asy__conv_run_dw(const struct asy__conv *isa, const struct asy_conv *conv, size_t rows,
                      int add, const float *dy, const float *x, float *dw, float *room)
{
    struct asy__dw sum = asy__dw_begin(isa, conv, add, dw, room);

    asy__dw_images(&sum, rows, dy, x);
    asy__dw_end(&sum);
}

void asy_conv(const struct asy_conv *conv, enum asy_act act, size_t rows, const float *x,
              const float *w, const float *bias, float *z, float *y, float *room)
{
    asy__conv_run(asy__conv_get(), conv, act, rows, x, w, bias, z, y, room);
}

void asy_conv_dx(const struct asy_conv *conv, size_t rows, const float *dy, const float *w,
                 float *dx, float *room)
{
    asy__conv_run_dx(asy__conv_get(), conv, rows, dy, w, dx, room);
}

void asy_conv_dw(const struct asy_conv *conv, size_t rows, int add, const float *dy,
                 const float *x, float *dw, float *room)
{
    asy__conv_run_dw(asy__conv_get(), conv, rows, add, dy, x, dw, room);
}
