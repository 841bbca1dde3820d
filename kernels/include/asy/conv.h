/* SPDX-License-Identifier: Apache-2.0
 * asy/conv.h - convolutions of images, and pooling, in single precision.
 *
 * Layout: an image is [height][width][channels], a row of a batch is an image; weights are
 * [out][kh][kw][in / groups]. Nothing is laid out as a matrix first: for a row of the kernel, kw
 * times in numbers lie side by side in an image, and a tile of outputs reads them where they lie.
 *
 * Bits: each output, and each entry of a gradient, is one chain of fused multiply-adds, of outputs
 * and dx over what the kernel meets inside the image, by kernel row, kernel column, channel (dx: by
 * the output's row, column, channel), begun at the bias or zero; of dw over image, output row,
 * output column, a border counting as zeros. So results depend neither on the instruction set nor
 * on the images beside one, and sums of dw over images go on where they stood (`add`).
 *
 * Threads: any, each with room of its own; a call runs on the calling thread alone. */
#ifndef ASY_CONV_H
#define ASY_CONV_H
#include <asy/kernels.h>

#define ASY_CONV_KERNEL_MAX 15 /* of kh, kw and stride */

/* in and out are multiples of groups; the kernel is no larger than the image with its border of
 * `pad` zeros on each side, and pad is less than kh and kw. Group g maps the g-th part of the
 * channels to the g-th part of out. */
struct asy_conv {
    size_t h, w, in, out, kh, kw, stride, pad, groups;
};
/* Of the output: [asy_conv_h][asy_conv_w][out]. */
size_t asy_conv_h(const struct asy_conv *conv);
size_t asy_conv_w(const struct asy_conv *conv);
/* Floats that each of the calls needs beside its operands, aligned to 64 bytes; what is in them
 * does not matter before and after. */
size_t asy_conv_room(const struct asy_conv *conv);

/* y = act(x * w + bias) for `rows` images; z: the sums before the activation, the same memory as y
 * unless asy_act_needs_sum(). */
void asy_conv(const struct asy_conv *conv, enum asy_act act, size_t rows, const float *x,
              const float *w, const float *bias, float *z, float *y, float *room);
void asy_conv_ref(const struct asy_conv *conv, enum asy_act act, size_t rows, const float *x,
                  const float *w, const float *bias, float *z, float *y);
/* dx = the gradient by x, of dy, that by the sums (asy_bias_act_grad() makes it, and dbias). */
void asy_conv_dx(const struct asy_conv *conv, size_t rows, const float *dy, const float *w,
                 float *dx, float *room);
void asy_conv_dx_ref(const struct asy_conv *conv, size_t rows, const float *dy, const float *w,
                     float *dx);
/* dw = the gradient by w, or += if add. */
void asy_conv_dw(const struct asy_conv *conv, size_t rows, int add, const float *dy,
                 const float *x, float *dw, float *room);
void asy_conv_dw_ref(const struct asy_conv *conv, size_t rows, int add, const float *dy,
                     const float *x, float *dw);

/* A convolution and max pooling (asy/pool.h: windows of size x size, `stride` apart, no border) in
 * one, for activations of which asy_conv_pool_fits() says that they keep order: then pooling before
 * or after them is the same. room: asy_conv_pool_room() floats.
 * y [rows][pooled] = act(max pool(x * w + bias)), and which of its window each came from. */
int asy_conv_pool_fits(enum asy_act act);
size_t asy_conv_pool_room(const struct asy_conv *conv);
void asy_conv_pool(const struct asy_conv *conv, size_t size, size_t stride, enum asy_act act,
                   size_t rows, const float *x, const float *w, const float *bias, float *y,
                   uint8_t *from, float *room);
void asy_conv_pool_ref(const struct asy_conv *conv, size_t size, size_t stride, enum asy_act act,
                       size_t rows, const float *x, const float *w, const float *bias, float *y,
                       uint8_t *from, float *room);
/* dy [rows][pooled]: the gradient before the activation, as asy_bias_act_grad() leaves it, with
 * dbias. dw = (or += if add), dx = as above; dx NULL: not wanted. Products with a gradient of 0 may
 * be left out, by the shape alone: no sum of numbers changes, but 0 times infinity is not met. */
void asy_conv_pool_grad(const struct asy_conv *conv, size_t size, size_t stride, size_t rows,
                        int add, const float *dy, const uint8_t *from, const float *x,
                        const float *w, float *dw, float *dx, float *room);
void asy_conv_pool_grad_ref(const struct asy_conv *conv, size_t size, size_t stride, size_t rows,
                            int add, const float *dy, const uint8_t *from, const float *x,
                            const float *w, float *dw, float *dx, float *room);
#endif
