/* SPDX-License-Identifier: Apache-2.0
 * Convolutions: each number is the chain of fused multiply-adds that the header promises, to the
 * bit, for every instruction set that this processor has; the plain twins agree, and so do the
 * gradients with differences of the sums. */
#include <asytest.h>
#include <math.h>
#include <stdlib.h>
#include <asy/pool.h>
#include <asy/rng.h>
#include "conv.h"

static struct asy_rng rng;
static const struct asy__conv *const all_sets[] = {
    &asy__conv_base,
#if defined(__x86_64__)
    &asy__conv_avx2,
    &asy__conv_avx512,
#endif
};

static int is_here(const struct asy__conv *isa)
{
#if defined(__x86_64__)
    if (isa == &asy__conv_avx2)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (isa == &asy__conv_avx512)
        return __builtin_cpu_supports("avx512f") != 0;
#endif
    return isa == &asy__conv_base;
}

/* Operands of exactly the size that is used: whoever reads or writes one more is seen by a
 * sanitizer. */
struct operands {
    size_t x_n, w_n, y_n;
    float *x, *w, *bias, *y, *want, *got, *room;
};

static float *numbers(size_t n)
{
    float *x = malloc(n * sizeof *x + 1);

    for (size_t i = 0; x && i < n; i++)
        x[i] = (float)asy_rng_normal(&rng);
    return x;
}

static bool operands_init(struct operands *o, const struct asy_conv *c, size_t rows)
{
    size_t most;

    o->x_n = rows * c->h * c->w * c->in;
    o->w_n = c->out * c->kh * c->kw * (c->in / c->groups);
    o->y_n = rows * asy_conv_h(c) * asy_conv_w(c) * c->out;
    most = o->x_n > o->y_n ? o->x_n : o->y_n;
    most = o->w_n > most ? o->w_n : most;
    o->x = numbers(o->x_n);
    o->w = numbers(o->w_n);
    o->bias = numbers(c->out);
    o->y = numbers(o->y_n);
    o->want = numbers(most);
    o->got = numbers(most);
    o->room = NULL;
    if (posix_memalign((void **)&o->room, 64, asy_conv_room(c) * sizeof *o->room))
        o->room = NULL;
    return T_TRUE(o->x && o->w && o->bias && o->y && o->want && o->got && o->room);
}

static void operands_fini(struct operands *o)
{
    free(o->x);
    free(o->w);
    free(o->bias);
    free(o->y);
    free(o->want);
    free(o->got);
    free(o->room);
}

/* Whether tap (i, j) of output (y, x) meets the image, and where. */
static bool meets(const struct asy_conv *c, size_t y, size_t x, size_t i, size_t j, size_t *ret_at)
{
    size_t row = y * c->stride + i, col = x * c->stride + j;

    if (row < c->pad || row >= c->h + c->pad || col < c->pad || col >= c->w + c->pad)
        return false;
    *ret_at = ((row - c->pad) * c->w + col - c->pad) * c->in;
    return true;
}

/* One output's chain goes on with what it meets through tap (i, j). */
static float chain_tap(const struct asy_conv *c, const float *x, const float *w, size_t o,
                       size_t tap, float sum)
{
    size_t in = c->in / c->groups, group = o / (c->out / c->groups);

    for (size_t l = 0; l < in; l++)
        sum = fmaf(x[group * in + l], w[(o * c->kh * c->kw + tap) * in + l], sum);
    return sum;
}

static void chain_forward(const struct asy_conv *c, size_t rows, const struct operands *o)
{
    size_t h = asy_conv_h(c), w = asy_conv_w(c), at;

    for (size_t n = 0; n < rows; n++)
        for (size_t p = 0; p < h * w * c->out; p++) {
            size_t pixel = p / c->out, out = p % c->out;
            float sum = o->bias[out];

            for (size_t t = 0; t < c->kh * c->kw; t++)
                if (meets(c, pixel / w, pixel % w, t / c->kw, t % c->kw, &at))
                    sum = chain_tap(c, o->x + n * c->h * c->w * c->in + at, o->w, out, t, sum);
            o->want[n * h * w * c->out + p] = sum < 0 ? 0 : sum;
        }
}

/* dx in the order of the outputs that it reached. */
static void chain_dx(const struct asy_conv *c, size_t rows, const struct operands *o)
{
    size_t h = asy_conv_h(c), w = asy_conv_w(c), in = c->in / c->groups, at;
    size_t out = c->out / c->groups;

    memset(o->want, 0, o->x_n * sizeof *o->want);
    for (size_t n = 0; n < rows * h * w; n++)
        for (size_t t = 0; t < c->kh * c->kw; t++) {
            size_t y = n / w % h, x = n % w;

            if (!meets(c, y, x, t / c->kw, t % c->kw, &at))
                continue;
            for (size_t l = 0; l < c->in; l++) {
                float *dx = &o->want[n / (h * w) * c->h * c->w * c->in + at + l];

                for (size_t k = l / in * out; k < (l / in + 1) * out; k++)
                    *dx = fmaf(o->y[n * c->out + k],
                               o->w[(k * c->kh * c->kw + t) * in + l % in], *dx);
            }
        }
}

/* A border counts as zeros. */
static void chain_dw(const struct asy_conv *c, size_t rows, const struct operands *o)
{
    size_t h = asy_conv_h(c), w = asy_conv_w(c), in = c->in / c->groups, at;
    size_t out = c->out / c->groups;

    for (size_t n = 0; n < rows * h * w; n++)
        for (size_t i = 0; i < o->w_n; i++) {
            size_t k = i / (c->kh * c->kw * in), t = i / in % (c->kh * c->kw), l = i % in;
            bool inside = meets(c, n / w % h, n % w, t / c->kw, t % c->kw, &at);
            float x = inside ? o->x[n / (h * w) * c->h * c->w * c->in + at + k / out * in + l] : 0;

            o->want[i] = fmaf(o->y[n * c->out + k], x, o->want[i]);
        }
}

static void same(const struct asy_conv *c, size_t rows, const char *set, const char *pass,
                 size_t n, const float *want, const float *got)
{
    size_t i = 0;

    while (i < n && memcmp(&got[i], &want[i], sizeof *got) == 0)
        i++;
    if (i < n)
        t__check(false, __LINE__, __FILE__, "%s: %s of %zu x %zu x %zu x %zu, %zu kernels of %zu x "
                 "%zu, stride %zu, pad %zu, %zu groups: [%zu] is %a, not %a", set, pass, rows,
                 c->h, c->w, c->in, c->out, c->kh, c->kw, c->stride, c->pad, c->groups, i,
                 (double)got[i], (double)want[i]);
}

static void check(const struct asy_conv *c, size_t rows)
{
    struct operands o;

    if (operands_init(&o, c, rows)) {
        for (int pass = 0; pass < 4; pass++) {
            size_t n = pass == 0 ? o.y_n : pass == 1 ? o.x_n : o.w_n;

            if (pass == 0)
                chain_forward(c, rows, &o);
            else if (pass == 1)
                chain_dx(c, rows, &o);
            else if (pass == 2)
                memset(o.want, 0, o.w_n * sizeof *o.want);
            if (pass == 2)
                chain_dw(c, rows, &o);
            for (size_t s = 0; s < ASY_ARRAY_LEN(all_sets); s++) {
                if (!is_here(all_sets[s]))
                    continue;
                for (size_t i = 0; i < n; i++)
                    o.got[i] = pass == 3 ? o.w[i] : NAN;
                if (pass == 3 && s == 0) {
                    memcpy(o.want, o.w, o.w_n * sizeof *o.want);
                    chain_dw(c, rows, &o);
                }
                if (pass == 0)
                    asy__conv_run(all_sets[s], c, ASY_ACT_RELU, rows, o.x, o.w, o.bias, o.got,
                                  o.got, o.room);
                else if (pass == 1)
                    asy__conv_run_dx(all_sets[s], c, rows, o.y, o.w, o.got, o.room);
                else
                    asy__conv_run_dw(all_sets[s], c, rows, pass == 3, o.y, o.x, o.got, o.room);
                same(c, rows, all_sets[s]->gemm->name,
                     pass == 0   ? "forward"
                     : pass == 1 ? "dx"
                     : pass == 2 ? "dw"
                                 : "dw, added",
                     n, o.want, o.got);
            }
        }
    }
    operands_fini(&o);
}

/* h, w, in, out, kh, kw, stride, pad, groups: whole tiles and parts of them, images smaller than a
 * tile and larger, kernels that the border hides partly, strides that leave gaps. */
static const struct shape {
    struct asy_conv conv;
    size_t rows;
} shapes[] = {
    { { 1, 1, 1, 1, 1, 1, 1, 0, 1 }, 1 },    { { 5, 7, 1, 3, 3, 3, 1, 0, 1 }, 2 },
    { { 28, 28, 1, 16, 5, 5, 1, 0, 1 }, 1 }, { { 12, 12, 16, 32, 5, 5, 1, 0, 1 }, 3 },
    { { 9, 7, 3, 17, 3, 3, 1, 1, 1 }, 17 },  { { 8, 8, 5, 33, 3, 3, 2, 1, 1 }, 5 },
    { { 6, 6, 8, 48, 3, 3, 1, 1, 1 }, 9 },   { { 7, 10, 2, 19, 4, 2, 3, 1, 1 }, 4 },
    { { 4, 4, 37, 40, 3, 3, 1, 2, 1 }, 15 }, { { 5, 5, 6, 10, 1, 1, 2, 0, 1 }, 14 },
    { { 6, 5, 8, 12, 3, 3, 1, 1, 4 }, 7 },   { { 5, 6, 6, 6, 3, 3, 2, 1, 6 }, 3 },
    { { 9, 9, 4, 36, 2, 3, 1, 1, 2 }, 3 },   { { 3, 3, 2, 5, 3, 3, 1, 0, 1 }, 29 },
    { { 2, 2, 3, 4, 5, 5, 1, 2, 1 }, 8 },    { { 2, 20, 4, 7, 5, 9, 1, 4, 1 }, 2 },
    { { 31, 33, 4, 20, 3, 3, 1, 1, 1 }, 2 }, { { 11, 11, 1, 40, 2, 2, 2, 0, 1 }, 3 },
    { { 6, 6, 2, 3, 3, 3, 5, 1, 1 }, 2 },    { { 2, 8, 7, 9, 8, 15, 1, 7, 1 }, 1 },
    { { 16, 16, 64, 64, 3, 3, 1, 1, 64 }, 2 }, { { 9, 17, 35, 35, 5, 5, 2, 2, 35 }, 3 },
    { { 7, 8, 20, 20, 4, 7, 1, 3, 20 }, 15 },  { { 5, 3, 33, 33, 1, 1, 1, 0, 33 }, 4 },
};

static void every_number_is_one_chain_of_fused_multiply_adds(void)
{
    for (size_t i = 0; i < ASY_ARRAY_LEN(shapes); i++)
        check(&shapes[i].conv, shapes[i].rows);
    for (size_t i = 0; i < 40; i++) {
        size_t groups = 1 + asy_rng_below(&rng, 3);
        struct asy_conv c = {
            .h = 1 + asy_rng_below(&rng, 9), .w = 1 + asy_rng_below(&rng, 17),
            .in = groups * (1 + asy_rng_below(&rng, 9)),
            .out = groups * (1 + asy_rng_below(&rng, 36)), .stride = 1 + asy_rng_below(&rng, 3),
            .kh = 1 + asy_rng_below(&rng, 4), .kw = 1 + asy_rng_below(&rng, 4), .groups = groups,
        };

        c.pad = asy_rng_below(&rng, c.kh < c.kw ? c.kh : c.kw);
        if (c.h + 2 * c.pad >= c.kh && c.w + 2 * c.pad >= c.kw)
            check(&c, 1 + asy_rng_below(&rng, 16));
    }
}

/* Some hundred roundings of 6e-8 of numbers of some tens. */
#define CLOSE 2e-4

static void the_plain_twins_agree(void)
{
    for (size_t i = 0; i < ASY_ARRAY_LEN(shapes); i++) {
        const struct asy_conv *c = &shapes[i].conv;
        size_t rows = shapes[i].rows > 3 ? 3 : shapes[i].rows;
        enum asy_act act = (enum asy_act)(i % ASY_ACT_EACH);
        float *z = NULL, *wanted = NULL;
        struct operands o;

        if (operands_init(&o, c, rows) && (z = numbers(o.y_n)) && (wanted = numbers(o.y_n))) {
            float *kept = asy_act_needs_sum(act) ? z : o.got;

            asy_conv(c, act, rows, o.x, o.w, o.bias, kept, o.got, o.room);
            asy_conv_ref(c, act, rows, o.x, o.w, o.bias, wanted, o.want);
            for (size_t j = 0; j < o.y_n; j++)
                T_NEAR("forward", (double)o.got[j], (double)o.want[j], CLOSE);
            for (size_t j = 0; kept == z && j < o.y_n; j++)
                T_NEAR("sum", (double)z[j], (double)wanted[j], CLOSE);
            asy_conv_dx(c, rows, o.y, o.w, o.got, o.room);
            asy_conv_dx_ref(c, rows, o.y, o.w, o.want);
            for (size_t j = 0; j < o.x_n; j++)
                T_NEAR("dx", (double)o.got[j], (double)o.want[j], CLOSE);
            asy_conv_dw(c, rows, 0, o.y, o.x, o.got, o.room);
            asy_conv_dw_ref(c, rows, 0, o.y, o.x, o.want);
            for (size_t j = 0; j < o.w_n; j++)
                T_NEAR("dw", (double)o.got[j], (double)o.want[j], CLOSE);
        }
        free(z);
        free(wanted);
        operands_fini(&o);
    }
}

/* The sum of all outputs, each weighed by dy: linear in x and in w, so its differences are exact
 * but for rounding. */
static double weighed(const struct asy_conv *c, size_t rows, const struct operands *o)
{
    double sum = 0;

    asy_conv_ref(c, ASY_ACT_NONE, rows, o->x, o->w, o->bias, o->got, o->got);
    for (size_t i = 0; i < o->y_n; i++)
        sum += (double)o->got[i] * (double)o->y[i];
    return sum;
}

static void differ(const char *what, const struct asy_conv *c, size_t rows,
                   const struct operands *o, float *at, double gradient)
{
    float was = *at;
    double more, less;

    *at = was + 0.5f;
    more = weighed(c, rows, o);
    *at = was - 0.5f;
    less = weighed(c, rows, o);
    *at = was;
    T_NEAR(what, gradient, more - less, 1e-3); /* outputs are rounded to floats before */
}

static void gradients_are_those_of_the_sums(void)
{
    for (size_t i = 0; i < ASY_ARRAY_LEN(shapes); i++) {
        const struct asy_conv *c = &shapes[i].conv;
        struct operands o;

        if (operands_init(&o, c, 2)) {
            asy_conv_dx(c, 2, o.y, o.w, o.want, o.room);
            for (size_t j = 0; j < 5; j++) {
                size_t at = asy_rng_below(&rng, o.x_n);

                differ("dx", c, 2, &o, &o.x[at], (double)o.want[at]);
            }
            asy_conv_dw(c, 2, 0, o.y, o.x, o.want, o.room);
            for (size_t j = 0; j < 5; j++) {
                size_t at = asy_rng_below(&rng, o.w_n);

                differ("dw", c, 2, &o, &o.w[at], (double)o.want[at]);
            }
        }
        operands_fini(&o);
    }
}

/* Why batches cut anywhere give the same outputs, and shards the same sums. */
static void an_image_does_not_depend_on_its_neighbours(void)
{
    const struct asy_conv c = { 10, 9, 3, 21, 3, 3, 1, 1, 1 };
    const size_t rows = 31, x_row = 10 * 9 * 3, y_row = 10 * 9 * 21;
    struct operands o;

    if (operands_init(&o, &c, rows)) {
        asy_conv(&c, ASY_ACT_TANH, rows, o.x, o.w, o.bias, o.want, o.want, o.room);
        for (size_t n = 0; n < rows; n++)
            asy_conv(&c, ASY_ACT_TANH, 1, o.x + n * x_row, o.w, o.bias, o.got + n * y_row,
                     o.got + n * y_row, o.room);
        same(&c, rows, "chosen", "forward", o.y_n, o.want, o.got);
        asy_conv_dx(&c, rows, o.y, o.w, o.want, o.room);
        for (size_t n = 0; n < rows; n++)
            asy_conv_dx(&c, 1, o.y + n * y_row, o.w, o.got + n * x_row, o.room);
        same(&c, rows, "chosen", "dx", o.x_n, o.want, o.got);
        asy_conv_dw(&c, rows, 0, o.y, o.x, o.want, o.room);
        for (size_t n = 0; n < rows; n++)
            asy_conv_dw(&c, 1, n > 0, o.y + n * y_row, o.x + n * x_row, o.got, o.room);
        same(&c, rows, "chosen", "dw", o.w_n, o.want, o.got);
    }
    operands_fini(&o);
}

/* y [rows][pooled] and from of the two calls that are one here. */
static void check_pooled(const struct asy_conv *c, size_t rows, size_t size, size_t stride,
                         enum asy_act act, const struct operands *o, float *room)
{
    struct asy_pool pool = { asy_conv_h(c), asy_conv_w(c), c->out, size, stride, 0 };
    size_t n = rows * asy_pool_h(&pool) * asy_pool_w(&pool) * c->out;
    float *y = numbers(n), *want = numbers(n), *dz = numbers(o->y_n), *dx = numbers(o->x_n);
    uint8_t *from = malloc(n), *wanted = malloc(n);

    if (T_TRUE(y && want && dz && dx && from && wanted)) {
        asy_conv(c, act, rows, o->x, o->w, o->bias, o->got, o->got, o->room);
        asy_max_pool(&pool, rows, o->got, want, wanted);
        for (size_t s = 0; s < ASY_ARRAY_LEN(all_sets); s++) {
            if (!is_here(all_sets[s]))
                continue;
            asy__conv_pool_run(all_sets[s], c, size, stride, act, rows, o->x, o->w, o->bias, y,
                               from, room);
            same(c, rows, all_sets[s]->gemm->name, "pooled", n, want, y);
            T_TRUE(act != ASY_ACT_RELU || memcmp(from, wanted, n) == 0);
            asy_max_pool_grad(&pool, rows, y, from, dz);
            asy_conv_dx(c, rows, dz, o->w, o->want, o->room);
            asy__conv_pool_run_grad(all_sets[s], c, size, stride, rows, 0, y, from, o->x, o->w,
                                    o->got, dx, room);
            same(c, rows, all_sets[s]->gemm->name, "pooled dx", o->x_n, o->want, dx);
            asy_conv_dw(c, rows, 0, dz, o->x, o->want, o->room);
            same(c, rows, all_sets[s]->gemm->name, "pooled dw", o->w_n, o->want, o->got);
            asy__conv_pool_run_grad(all_sets[s], c, size, stride, rows, 1, y, from, o->x, o->w,
                                    o->got, NULL, room);
            asy_conv_dw(c, rows, 1, dz, o->x, o->want, o->room);
            same(c, rows, all_sets[s]->gemm->name, "pooled dw, added", o->w_n, o->want, o->got);
        }
    }
    free(y);
    free(want);
    free(dz);
    free(dx);
    free(from);
    free(wanted);
}

static void pooling_at_once_is_pooling_afterwards(void)
{
    static const struct {
        struct asy_conv conv;
        size_t rows, size, stride;
        enum asy_act act;
    } cases[] = {
        { { 12, 12, 1, 16, 5, 5, 1, 0, 1 }, 17, 2, 2, ASY_ACT_RELU },
        { { 9, 11, 3, 20, 3, 3, 1, 1, 1 }, 5, 3, 2, ASY_ACT_LEAKY_RELU },
        { { 6, 6, 4, 8, 3, 3, 1, 1, 2 }, 31, 2, 2, ASY_ACT_NONE },
        { { 12, 12, 16, 32, 5, 5, 1, 0, 1 }, 9, 2, 2, ASY_ACT_RELU },
        { { 13, 9, 20, 17, 3, 3, 1, 1, 1 }, 5, 2, 3, ASY_ACT_RELU },
        { { 17, 15, 3, 5, 5, 7, 2, 3, 1 }, 3, 3, 3, ASY_ACT_NONE },
        { { 10, 36, 35, 18, 3, 1, 1, 0, 1 }, 2, 2, 2, ASY_ACT_LEAKY_RELU },
        { { 24, 24, 9, 3, 15, 15, 1, 7, 1 }, 2, 2, 2, ASY_ACT_RELU },
        { { 34, 34, 32, 1, 3, 3, 1, 1, 1 }, 3, 2, 2, ASY_ACT_RELU },
        { { 11, 9, 3, 20, 3, 3, 1, 0, 1 }, 3, 2, 2, ASY_ACT_RELU },
        { { 9, 15, 2, 37, 3, 3, 2, 0, 1 }, 2, 2, 2, ASY_ACT_NONE },
        { { 6, 24, 5, 50, 2, 3, 1, 0, 1 }, 4, 2, 2, ASY_ACT_LEAKY_RELU },
        { { 3, 3, 7, 16, 2, 2, 1, 0, 1 }, 5, 2, 2, ASY_ACT_RELU },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        const struct asy_conv *c = &cases[i].conv;
        float *room = NULL;
        struct operands o;

        if (operands_init(&o, c, cases[i].rows) &&
            T_EQ("room", posix_memalign((void **)&room, 64, asy_conv_pool_room(c) * sizeof *room),
                 0))
            check_pooled(c, cases[i].rows, cases[i].size, cases[i].stride, cases[i].act, &o, room);
        free(room);
        operands_fini(&o);
    }
    for (int act = 0; act < ASY_ACT_COUNT; act++)
        T_EQ(asy_act_name((enum asy_act)act), asy_conv_pool_fits((enum asy_act)act),
             act == ASY_ACT_NONE || act == ASY_ACT_RELU || act == ASY_ACT_LEAKY_RELU);
}

/* Otherwise what is above would compare nothing but one way with itself. */
static void outputs_that_pooling_left_are_left_out(void)
{
    static const struct {
        const char *name;
        struct asy_conv conv;
        struct asy_pool pool;
        int fits;
    } cases[] = {
        { "many channels", { 12, 12, 16, 32, 5, 5, 1, 0, 1 }, { .size = 2, .stride = 2 }, 1 },
        { "short rows", { 12, 12, 1, 16, 5, 5, 1, 0, 1 }, { .size = 2, .stride = 2 }, 0 },
        { "overlapping ones", { 12, 12, 16, 32, 5, 5, 1, 0, 1 }, { .size = 3, .stride = 2 }, 0 },
        { "groups", { 12, 12, 16, 32, 5, 5, 1, 0, 2 }, { .size = 2, .stride = 2 }, 0 },
        { "no windows", { 12, 12, 16, 32, 5, 5, 1, 0, 1 }, { .size = 1, .stride = 1 }, 0 },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++)
        T_EQ(cases[i].name, asy__sparse_fits(&cases[i].conv, &cases[i].pool), cases[i].fits);
}

/* The first of a window that is no number is its greatest, whoever compares. */
static void no_number_goes_through_pooling(void)
{
    const struct asy_conv c = { 8, 8, 1, 17, 2, 2, 1, 0, 1 };
    const struct asy_pool pool = { 7, 7, 17, 2, 2, 0 };
    static float room[1 << 16] __attribute__((aligned(64))), want[3 * 3 * 17], got[3 * 3 * 17];
    uint8_t from[3 * 3 * 17], wanted[3 * 3 * 17];
    struct operands o;

    if (operands_init(&o, &c, 1) && T_TRUE(asy_conv_pool_room(&c) <= ASY_ARRAY_LEN(room))) {
        o.x[9] = NAN;
        o.x[36] = NAN;
        asy_conv(&c, ASY_ACT_RELU, 1, o.x, o.w, o.bias, o.got, o.got, o.room);
        asy_max_pool(&pool, 1, o.got, want, wanted);
        for (size_t s = 0; s < ASY_ARRAY_LEN(all_sets); s++) {
            if (!is_here(all_sets[s]))
                continue;
            asy__conv_pool_run(all_sets[s], &c, 2, 2, ASY_ACT_RELU, 1, o.x, o.w, o.bias, got, from,
                               room);
            T_TRUE(memcmp(from, wanted, sizeof from) == 0);
            for (size_t i = 0; i < ASY_ARRAY_LEN(got); i++)
                T_TRUE(isnan(want[i]) ? isnan(got[i]) : got[i] == want[i]);
        }
    }
    operands_fini(&o);
}

static void what_is_no_number_stays_none(void)
{
    const struct asy_conv c = { 4, 4, 2, 3, 3, 3, 1, 1, 1 };
    struct operands o;

    if (operands_init(&o, &c, 1)) {
        o.x[0] = NAN;
        asy_conv(&c, ASY_ACT_RELU, 1, o.x, o.w, o.bias, o.got, o.got, o.room);
        T_TRUE(isnan(o.got[0]));
        T_TRUE(!isnan(o.got[o.y_n - 1]));
    }
    operands_fini(&o);
}

int main(void)
{
    static const struct t_test tests[] = {
        T_TEST(every_number_is_one_chain_of_fused_multiply_adds),
        T_TEST(the_plain_twins_agree),
        T_TEST(gradients_are_those_of_the_sums),
        T_TEST(an_image_does_not_depend_on_its_neighbours),
        T_TEST(pooling_at_once_is_pooling_afterwards),
        T_TEST(outputs_that_pooling_left_are_left_out),
        T_TEST(no_number_goes_through_pooling),
        T_TEST(what_is_no_number_stays_none),
    };

    asy_kernels_init();
    asy_rng_init(&rng, 1, 0, ASY_RNG_SIM);
    return t__main("conv", tests, ASY_ARRAY_LEN(tests));
}
