/* SPDX-License-Identifier: Apache-2.0
 * bench_conv.c - convolutions in the shapes of small networks, beside a loop of multiply-adds that
 * waits for nothing, on one core.
 *
 *   bench_conv [--quick|--tiny]
 *
 * The two take turns and are timed by the thread's processor time; a row has the medians. Work is
 * counted as the definition has it: products of what the kernel meets inside the image. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <asy/conv.h>
#include "conv.h"
#include "own_core.h"
#include "row.h"

#define TURNS_MAX 31

static const struct shape {
    const char *name;
    size_t rows;
    struct asy_conv conv;
    size_t pool; /* 0: none, else windows of so many */
} shapes[] = {
    { "28x28x1-16c5", 64, { 28, 28, 1, 16, 5, 5, 1, 0, 1 }, 0 },
    { "28x28x1-16c5-p2", 64, { 28, 28, 1, 16, 5, 5, 1, 0, 1 }, 2 },
    { "12x12x16-32c5", 64, { 12, 12, 16, 32, 5, 5, 1, 0, 1 }, 0 },
    { "12x12x16-32c5-p2", 64, { 12, 12, 16, 32, 5, 5, 1, 0, 1 }, 2 },
    { "32x32x3-16c3-pad", 64, { 32, 32, 3, 16, 3, 3, 1, 1, 1 }, 0 },
    { "32x32x16-16c3-pad", 64, { 32, 32, 16, 16, 3, 3, 1, 1, 1 }, 0 },
    { "32x32x16-32c3-pad-s2", 64, { 32, 32, 16, 32, 3, 3, 2, 1, 1 }, 0 },
    { "16x16x32-32c3-pad", 64, { 16, 16, 32, 32, 3, 3, 1, 1, 1 }, 0 },
    { "8x8x64-64c3-pad", 64, { 8, 8, 64, 64, 3, 3, 1, 1, 1 }, 0 },
    { "4x4x128-128c3-pad", 64, { 4, 4, 128, 128, 3, 3, 1, 1, 1 }, 0 },
    { "16x16x32-64c1-s2", 64, { 16, 16, 32, 64, 1, 1, 2, 0, 1 }, 0 },
    { "16x16x64-64c3-pad-g4", 64, { 16, 16, 64, 64, 3, 3, 1, 1, 4 }, 0 },
    { "16x16x64-64c3-pad-g64", 64, { 16, 16, 64, 64, 3, 3, 1, 1, 64 }, 0 },
    { "12x12x16-32c5-alone", 1, { 12, 12, 16, 32, 5, 5, 1, 0, 1 }, 0 },
};
enum { FORWARD, DX, DW, BOTH, PASSES };
static const char *const passes[PASSES] = { "forward", "dx", "dw", "dw-dx" };

/* Taps inside the image, summed over the outputs of one line. */
static size_t taps(size_t in, size_t out, size_t kernel, const struct asy_conv *conv)
{
    size_t n = 0;

    for (size_t o = 0; o < out; o++)
        for (size_t k = 0; k < kernel; k++)
            n += o * conv->stride + k >= conv->pad && o * conv->stride + k < in + conv->pad;
    return n;
}

static double flops_of(const struct shape *s)
{
    const struct asy_conv *c = &s->conv;

    return 2.0 * (double)(s->rows * taps(c->h, asy_conv_h(c), c->kh, c) *
                          taps(c->w, asy_conv_w(c), c->kw, c) * c->out * (c->in / c->groups));
}

struct operands {
    float *x, *y, *w, *bias, *room;
    uint8_t *from;
};

static void run(const struct shape *s, int pass, const struct operands *o)
{
    const struct asy_conv *c = &s->conv;

    if (pass == FORWARD && s->pool)
        asy_conv_pool(c, s->pool, s->pool, ASY_ACT_RELU, s->rows, o->x, o->w, o->bias, o->y,
                      o->from, o->room);
    else if (pass == FORWARD)
        asy_conv(c, ASY_ACT_RELU, s->rows, o->x, o->w, o->bias, o->y, o->y, o->room);
    else if (pass == BOTH || (pass == DW && s->pool))
        asy_conv_pool_grad(c, s->pool, s->pool, s->rows, 0, o->y, o->from, o->x, o->w, o->bias,
                           pass == BOTH ? o->x : NULL, o->room);
    else if (pass == DX)
        asy_conv_dx(c, s->rows, o->y, o->w, o->x, o->room);
    else
        asy_conv_dw(c, s->rows, 0, o->y, o->x, o->bias, o->room);
}

static void measure(const struct shape *s, int pass, const struct operands *o, size_t turns,
                    int any)
{
    static double share[TURNS_MAX], ours[TURNS_MAX];
    double flops = flops_of(s) * (pass == BOTH ? 2 : 1);
    size_t times = (size_t)(OWN_CORE_FLOPS / flops) + 1;
    enum own_core_turn turn = OWN_CORE_COUNTS;
    struct own_core core = { .any = any };
    char key[64];

    snprintf(key, sizeof key, "%s-%s", s->name, passes[pass]);
    for (size_t i = 0; i < turns && turn != OWN_CORE_NEVER; i += turn == OWN_CORE_COUNTS) {
        double most, from;

        own_core_begin(&core);
        most = own_core_loop(asy__conv_get()->gemm);
        from = own_core_seconds();
        for (size_t t = 0; t < times; t++)
            run(s, pass, o);
        ours[i] = 1e-9 * flops * (double)times / (own_core_seconds() - from);
        share[i] = ours[i] / most;
        turn = own_core_end(&core);
    }
    if (turn == OWN_CORE_NEVER) {
        row_put_missing("kernels.conv_peak", key, "1", OWN_CORE_WHY);
        return;
    }
    printf("{\"name\":\"kernels.conv_peak\",\"case\":\"%s\",\"value\":%.4g,\"unit\":\"1\","
           "\"n\":%zu,\"gflops\":%.4g,\"kernel\":\"%s\"}\n",
           key, median(share, turns), turns, median(ours, turns),
           asy__conv_get()->gemm->name);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    size_t turns = TURNS_MAX, most = (size_t)1 << 21, room = 0;
    struct operands o = { .x = NULL };
    int tiny = argc > 1 && !strcmp(argv[1], "--tiny");

    if (tiny || (argc > 1 && !strcmp(argv[1], "--quick")))
        turns = tiny ? 1 : 9;
    else if (argc > 1) {
        fprintf(stderr, "bench_conv: what is '%s'?\n", argv[1]);
        return 2;
    }
    asy_kernels_init();
    for (size_t i = 0; i < ASY_ARRAY_LEN(shapes); i++)
        room = asy_conv_room(&shapes[i].conv) > room ? asy_conv_room(&shapes[i].conv) : room;
    for (size_t i = 0; i < ASY_ARRAY_LEN(shapes); i++)
        room = asy_conv_pool_room(&shapes[i].conv) > room ? asy_conv_pool_room(&shapes[i].conv)
                                                          : room;
    if (posix_memalign((void **)&o.x, 64, (5 * most + room) * sizeof *o.x)) {
        fputs("bench_conv: no memory\n", stderr);
        return 1;
    }
    o.y = o.x + most;
    o.w = o.y + most;
    o.bias = o.w + most;
    o.room = o.bias + most;
    o.from = (uint8_t *)(o.room + room);
    for (size_t i = 0; i < ASY_ARRAY_LEN(shapes); i++)
        for (int pass = 0; pass < PASSES; pass++) {
            if (shapes[i].pool ? pass == DX : pass == BOTH)
                continue;
            for (size_t j = 0; j < most; j++)
                o.from[j] = (uint8_t)(j * 2654435761u % 4096 / 1024); /* of 2 x 2 */
            for (size_t j = 0; j < 4 * most; j++)
                o.x[j] = (float)(j * 2654435761u % 1000) / 1000 - 0.5f;
            measure(&shapes[i], pass, &o, turns, tiny);
        }
    free(o.x);
    return 0;
}
