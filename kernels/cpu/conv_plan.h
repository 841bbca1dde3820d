/* SPDX-License-Identifier: Apache-2.0
 * conv_plan.h - parts of a convolution that its passes are put together from (conv.c, conv_dw.c,
 * conv_pool.c). */
#ifndef ASY_CPU_CONV_PLAN_H
#define ASY_CPU_CONV_PLAN_H
#include "conv.h"
#include "round.h"

static inline size_t asy__smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline size_t asy__larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Parts of at most so many. */
static inline size_t asy__blocks_of(size_t rows, size_t most)
{
    return (rows + most - 1) / most;
}

static inline size_t asy__vectors_of(const struct asy__conv *isa, size_t n)
{
    return (n + isa->gemm->lanes - 1) / isa->gemm->lanes;
}

/* Steps of an output's chain: numbers that the kernel meets, of one group. */
static inline size_t asy__steps_of(const struct asy_conv *conv)
{
    return conv->kh * conv->kw * (conv->in / conv->groups);
}

/* Depthwise: each channel has a kernel of its own, and goes to one output. */
static inline int asy__is_depthwise(const struct asy_conv *conv)
{
    return conv->groups > 1 && conv->groups == conv->in && conv->groups == conv->out;
}

static inline size_t asy__conv_x_image(const struct asy_conv *conv)
{
    return conv->h * conv->w * conv->in;
}

static inline size_t asy__conv_y_image(const struct asy_conv *conv)
{
    return asy_conv_h(conv) * asy_conv_w(conv) * conv->out;
}

/* One line of places of the result, of height or width. */
struct asy__axis {
    size_t in, out, kernel, stride, pad; /* of the convolution */
    int back;                            /* places are those of dx, else of the output */
};
/* What a place meets: n places of the other side from `from` on; of the kernel as it is packed
 * (for dx: turned round) from `tap` on, for dx every stride-th. */
struct asy__reach {
    size_t from, tap, n;
};
/* Rows, cut into tiles as even as can be: the first `longer` of them have one row more. */
struct asy__cut {
    size_t tiles, rows, longer;
};
/* Places that meet the same taps: n from `at` on (for dx every stride-th), of which each meets
 * what lies `advance` further on than the one before. */
struct asy__segment {
    size_t at, n;
    struct asy__cut cut; /* of n */
    struct asy__reach reach;
};

/* A sum of one side (a: x, or dy) over the kernel, giving the other (c: the output, or dx). */
struct asy__corr_plan {
    const struct asy__conv *isa;
    size_t groups, kw;
    struct asy__axis y, x;
    size_t a_w, a_channels, a_image, c_h, c_w, c_channels, c_image; /* widths in pixels */
    size_t steps;             /* of a whole chain */
    int joined;               /* columns of the kernel lie side by side, as their places do */
    int relu, depthwise;
    const float *a;
    float *c;
    const float *b;           /* [groups][panels][steps][vectors of lanes] */
    const float *start;       /* [groups][asy__round16(channels of a group)] */
    /* depthwise: b [taps][asy__round16(channels)], start [asy__round16(channels)] */
    const struct asy__segment *segments;
    size_t n_segments;
};
/* The weights of struct asy__corr_plan's b. */
void asy__conv_pack(const struct asy__conv *isa, const struct asy_conv *conv, int back,
                    const float *w, float *to);
/* back: of dx, of weights w; else of outputs. a and c are the caller's to set. room:
 * asy__corr_room() floats, which the plan keeps; ret_zeros: in it, as many as c has channels. */
size_t asy__corr_room(const struct asy_conv *conv, int back);
struct asy__corr_plan asy__corr_prepare(const struct asy__conv *isa, const struct asy_conv *conv,
                                        int back, const float *w, const float *bias, float *room,
                                        const float **ret_zeros);
/* Runs [ASY__RUNS_MAX] of the segment's outputs in line y; how many. */
#define ASY__RUNS_MAX ((size_t)ASY_CONV_KERNEL_MAX * ASY_CONV_KERNEL_MAX)
size_t asy__corr_runs(const struct asy__corr_plan *plan, size_t y,
                      const struct asy__segment *segment, struct asy__run *runs);
/* The result of `images` images from the first-th on; at most isa->gemm->rows at once. */
void asy__corr_run(const struct asy__corr_plan *plan, size_t first, size_t images);
/* A sum of dw: begin, images in their order, end. */
struct asy__dw {
    const struct asy__conv *isa;
    const struct asy_conv *conv;
    size_t w;                /* of the output */
    size_t dy_image, x_image, x_line; /* with x's border */
    int add, turned;
    float *dw;               /* [out][steps] */
    float *sums;             /* dw, or turned [groups][steps][round16(out / groups)], or, of a
                              * depthwise one, [taps][round16(out)] */
    float *border;           /* [images of a block][x_image] */
    /* The block of pixels that is at hand: */
    const float *dy, *x;     /* x with its border */
    size_t images, lines;    /* of the output */
};
size_t asy__dw_room(const struct asy_conv *conv);
struct asy__dw asy__dw_begin(const struct asy__conv *isa, const struct asy_conv *conv, int add,
                             float *dw, float *room);
void asy__dw_images(struct asy__dw *sum, size_t images, const float *dy, const float *x);
void asy__dw_end(struct asy__dw *sum);
/* Lines `top` and on of an image with its border. */
void asy__copy_border(const struct asy_conv *conv, const float *x, size_t top, size_t lines,
                      float *to);
/* to = from [rows][cols] the other way round. */
void asy__turn(const struct asy__gemm *gemm, size_t rows, size_t cols, const float *from,
               size_t from_row, float *to, size_t to_row);
#endif
