/* SPDX-License-Identifier: Apache-2.0
 * conv_pack.c - a convolution's weights as its tiles read them: channels of the result across. */
#include "conv_plan.h"
#include <string.h>

/* Weights with output channels across, of all groups. */
static void pack_forward(const struct asy__conv *isa, const struct asy_conv *conv, const float *w,
                         float *to)
{
    const struct asy__gemm *gemm = isa->gemm;
    size_t steps = asy__steps_of(conv), channels = conv->out / conv->groups, lanes = gemm->lanes;

    for (size_t g = 0; g < conv->groups; g++, w += channels * steps) {
        for (size_t j = 0; j < channels; j += ASY__TILE_VECTORS * lanes) {
            size_t width = asy__smaller(channels - j, ASY__TILE_VECTORS * lanes);
            size_t row = asy__vectors_of(isa, width) * lanes;

            for (size_t l = 0; l < row; l += lanes)
                gemm->transpose(asy__smaller(width - l, lanes), steps, w + (j + l) * steps, steps,
                                to + l, row, lanes);
            to += steps * row;
        }
    }
}

/* Weights with input channels across and the kernel turned round, of all groups. */
static void pack_back(const struct asy__conv *isa, const struct asy_conv *conv, const float *w,
                      float *to)
{
    size_t out = conv->out / conv->groups, in = conv->in / conv->groups;
    size_t steps = asy__steps_of(conv);
    size_t taps = conv->kh * conv->kw, lanes = isa->gemm->lanes;

    for (size_t g = 0; g < conv->groups; g++, w += out * steps) {
        for (size_t j = 0; j < in; j += ASY__TILE_VECTORS * lanes) {
            size_t width = asy__smaller(in - j, ASY__TILE_VECTORS * lanes);
            size_t row = asy__vectors_of(isa, width) * lanes;

            for (size_t tap = taps; tap-- > 0; to += out * row)
                isa->gemm->copy(out, width, w + tap * in + j, steps, to, row);
        }
    }
}

/* Weights with channels across; back: the kernel turned round. */
static void pack_depthwise(const struct asy_conv *conv, int back, const float *w, float *to)
{
    size_t taps = conv->kh * conv->kw, row = asy__round16(conv->in);

    memset(to, 0, taps * row * sizeof *to);
    for (size_t c = 0; c < conv->in; c++)
        for (size_t tap = 0; tap < taps; tap++)
            to[(back ? taps - 1 - tap : tap) * row + c] = w[c * taps + tap];
}

void asy__conv_pack(const struct asy__conv *isa, const struct asy_conv *conv, int back,
                    const float *w, float *to)
{
    if (asy__is_depthwise(conv))
        pack_depthwise(conv, back, w, to);
    else if (back)
        pack_back(isa, conv, w, to);
    else
        pack_forward(isa, conv, w, to);
}
