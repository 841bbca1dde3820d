/* SPDX-License-Identifier: Apache-2.0
 * Operations on a device beside the plain twins of the cpu: convolutions, with pooling and without,
 * and pooling.
 *
 * Tolerances: as in test_device_ops.c, 1e-5 for sums of products. The twins of gradients by weights
 * add up in single precision, one after the other: of the 1,200 pixels here with an error of
 * sqrt(1200) 6e-8 of the sums on the way, some tens: 4e-5. */
#include <asy/conv.h>
#include <asy/pool.h>
#include "device_case.h"
#include "device_leaks.h"

#define W(at_) { ASY_SPACE_WORK, at_ }
#define P(at_) { ASY_SPACE_PARAMS, at_ }
#define G(at_) { ASY_SPACE_GRADS, at_ }
#define X(at_) { ASY_SPACE_INPUT, at_ }
#define NONE { ASY_SPACE_NONE, 0 }

/* images; h, w, in, out, kh, kw, stride, pad, groups; the pooling behind it: size, stride. */
static const struct {
    size_t rows;
    struct asy_conv c;
    size_t size, apart;
} convs[] = {
    { 1, { 1, 1, 1, 1, 1, 1, 1, 0, 1 }, 1, 1 },
    { 3, { 9, 8, 3, 5, 3, 3, 1, 1, 1 }, 2, 2 },
    { 2, { 12, 7, 4, 70, 3, 2, 1, 0, 1 }, 3, 2 },
    { 5, { 11, 13, 6, 4, 5, 3, 2, 2, 2 }, 2, 2 },
    { 4, { 8, 8, 8, 8, 3, 3, 1, 1, 8 }, 3, 1 },
    { 2, { 10, 10, 70, 6, 4, 4, 3, 1, 2 }, 2, 1 },
    { 12, { 14, 14, 1, 16, 5, 5, 1, 0, 1 }, 2, 2 },
    { 1, { 20, 20, 2, 33, 7, 3, 4, 1, 1 }, 4, 3 },
};

#define SIZES(c, size, apart)                                                                      \
    { (c).h, (c).w, (c).in, (c).out, (c).kh, (c).kw, (c).stride, (c).pad, (c).groups, size, apart }

static void convolutions_are_those_of_the_cpu(void)
{
    for (size_t i = 0; i < ASY_ARRAY_LEN(convs); i++)
        for (int act = 0; act < ASY_ACT_EACH; act++) {
            struct asy_conv s = convs[i].c;
            size_t rows = convs[i].rows, x = rows * s.h * s.w * s.in;
            size_t y = rows * asy_conv_h(&s) * asy_conv_w(&s) * s.out;
            size_t w = s.out * s.kh * s.kw * (s.in / s.groups);
            size_t z = asy_act_needs_sum((enum asy_act)act) ? y : 0;
            struct device_case c = {
                .name = "conv", .rows = rows, .tol = 4e-5, .n_ops = 3,
                .n = { 0, x + 1, w + s.out + 1, w + 1, 0, 3 * y + x + 3 },
                .ops = { { .kind = ASY_OP_CONV, .act = (enum asy_act)act, .per_row = 1,
                           .n = SIZES(s, 0, 0), .in = { X(1), P(1), P(w + 1) },
                           .out = { W(1), W(1 + z), W(0) } },
                         { .kind = ASY_OP_CONV_DX, .per_row = 1, .n = SIZES(s, 0, 0),
                           .in = { W(2 + 2 * y), P(1) }, .out = { W(2 + 3 * y), W(0) } },
                         { .kind = ASY_OP_CONV_DW, .per_row = 1, .n = SIZES(s, 0, 0),
                           .in = { W(2 + 2 * y), X(1) }, .out = { G(1), W(0) } } } };

            case_run(&c);
        }
}

/* dz is 0 where a rectifier gave 0, as in training: of a window of zeros either side may have
 * another one for the greatest. */
static void convolutions_with_pooling_are_those_of_the_cpu(void)
{
    static const enum asy_act acts[] = { ASY_ACT_NONE, ASY_ACT_RELU, ASY_ACT_LEAKY_RELU };

    for (size_t i = 0; i < ASY_ARRAY_LEN(convs); i++)
        for (size_t a = 0; a < ASY_ARRAY_LEN(acts); a++) {
            struct asy_conv s = convs[i].c;
            struct asy_pool p = { asy_conv_h(&s), asy_conv_w(&s), s.out, convs[i].size,
                                  convs[i].apart, 0 };
            size_t rows = convs[i].rows, x = rows * s.h * s.w * s.in;
            size_t pixels = asy_pool_h(&p) * asy_pool_w(&p), y = rows * pixels * s.out;
            size_t w = s.out * s.kh * s.kw * (s.in / s.groups), own = 2 * y + x + 1;
            size_t room = asy_conv_h(&s) * asy_conv_w(&s) * s.out, n = own + y / 4 + 1 + room;
            struct device_case c = {
                .name = "conv, pool", .rows = rows, .tol = 4e-5, .n_ops = 3, .own_at = own,
                .own_n = n - own, .n = { 0, x, w + s.out, w + s.out + 1, 0, n },
                .ops = { { .kind = ASY_OP_CONV_POOL, .act = acts[a], .per_row = 1,
                           .n = SIZES(s, p.size, p.stride), .in = { X(0), P(0), P(w) },
                           .out = { W(0), W(own), W(own + y / 4 + 1) } },
                         { .kind = ASY_OP_BIAS_ACT_GRAD, .act = acts[a], .per_row = pixels,
                           .n = { s.out }, .in = { W(y), W(0) }, .out = { W(y), G(w + 1) } },
                         { .kind = ASY_OP_CONV_POOL_GRAD, .per_row = 1,
                           .n = SIZES(s, p.size, p.stride), .in = { W(y), W(own), X(0), P(0) },
                           .out = { G(0), W(2 * y + 1), W(own + y / 4 + 1) } } } };

            case_run(&c);
            c.ops[2].out[1] = (struct asy_operand)NONE;
            case_run(&c);
        }
}

/* images; h, w, channels, size, stride, pad */
static const struct {
    size_t rows;
    struct asy_pool p;
} pools[] = {
    { 1, { 1, 1, 1, 1, 1, 0 } },   { 3, { 8, 6, 5, 2, 2, 0 } }, { 2, { 11, 7, 3, 3, 2, 1 } },
    { 4, { 9, 9, 1, 5, 1, 2 } },   { 2, { 13, 5, 70, 2, 3, 1 } },
    { 1, { 15, 15, 2, 15, 1, 7 } },
};

#define WINDOWS(p) { (p).h, (p).w, (p).channels, (p).size, (p).stride, (p).pad }

/* ids: whole numbers, of which many are equal: the first is the greatest. */
static void pooling_is_that_of_the_cpu(void)
{
    for (size_t i = 0; i < ASY_ARRAY_LEN(pools); i++)
        for (int ids = 0; ids < 4; ids += 3) {
            struct asy_pool p = pools[i].p;
            size_t x = pools[i].rows * p.h * p.w * p.channels;
            size_t y = pools[i].rows * asy_pool_h(&p) * asy_pool_w(&p) * p.channels;
            struct device_case c = {
                .name = "pools", .rows = pools[i].rows, .ids = ids, .tol = 2e-6, .n_ops = 4,
                .own_at = 3 * y + 2 * x + 1, .own_n = y / 4 + 1,
                .n = { 0, x, 0, 0, 0, 3 * y + 2 * x + 1 + y / 4 + 1 },
                .ops = { { .kind = ASY_OP_MAX_POOL, .per_row = 1, .n = WINDOWS(p),
                           .in = { X(0) }, .out = { W(0), W(3 * y + 2 * x + 1) } },
                         { .kind = ASY_OP_MAX_POOL_GRAD, .per_row = 1, .n = WINDOWS(p),
                           .in = { W(y), W(3 * y + 2 * x + 1) }, .out = { W(3 * y) } },
                         { .kind = ASY_OP_MEAN_POOL, .per_row = 1, .n = WINDOWS(p),
                           .in = { X(0) }, .out = { W(2 * y) } },
                         { .kind = ASY_OP_MEAN_POOL_GRAD, .per_row = 1, .n = WINDOWS(p),
                           .in = { W(y) }, .out = { W(3 * y + x) } } } };

            case_run(&c);
        }
}

static void means_of_images_are_those_of_the_cpu(void)
{
    /* images, pixels, channels */
    static const size_t shapes[][3] = { { 1, 1, 1 }, { 3, 49, 5 }, { 7, 2, 130 }, { 300, 33, 64 } };

    for (size_t i = 0; i < ASY_ARRAY_LEN(shapes); i++) {
        size_t y = shapes[i][0] * shapes[i][2], x = y * shapes[i][1];
        struct device_case c = {
            .name = "means", .rows = shapes[i][0], .tol = 2e-6, .n_ops = 2,
            .n = { 0, x, 0, 0, 0, 2 * y + x + 1 },
            .ops = { { .kind = ASY_OP_GLOBAL_MEAN, .per_row = 1,
                       .n = { shapes[i][1], shapes[i][2] }, .in = { X(0) }, .out = { W(0) } },
                     { .kind = ASY_OP_GLOBAL_MEAN_GRAD, .per_row = 1,
                       .n = { shapes[i][1], shapes[i][2] }, .in = { W(y) },
                       .out = { W(2 * y + 1) } } } };

        case_run(&c);
    }
}

static void the_greatest_of_images_are_those_of_the_cpu(void)
{
    /* images, pixels, channels */
    static const size_t shapes[][3] = { { 1, 1, 1 }, { 3, 49, 5 }, { 7, 2, 130 }, { 30, 33, 64 } };

    for (size_t i = 0; i < ASY_ARRAY_LEN(shapes); i++) {
        size_t y = shapes[i][0] * shapes[i][2], x = y * shapes[i][1];
        struct device_case c = {
            .name = "the greatest", .rows = shapes[i][0], .tol = 0, .n_ops = 2,
            .n = { 0, x, 0, 0, 0, 2 * y + x + 1 },
            .ops = { { .kind = ASY_OP_GLOBAL_MAX, .per_row = 1,
                       .n = { shapes[i][1], shapes[i][2] }, .in = { X(0) }, .out = { W(0) } },
                     { .kind = ASY_OP_GLOBAL_MAX_GRAD, .per_row = 1,
                       .n = { shapes[i][1], shapes[i][2] }, .in = { W(y), X(0), W(0) },
                       .out = { W(2 * y + 1) } } } };

        case_run(&c);
    }
}

/* Pixels are counted in 32 bits; nothing is launched, so no memory is needed. */
static void more_images_than_can_be_counted_are_refused(void)
{
    static const struct asy_conv s = { 2, 2, 1, 1, 1, 1, 1, 0, 1 };
    struct asy_op ops[] = {
        { .kind = ASY_OP_CONV, .per_row = 1, .n = SIZES(s, 0, 0) },
        { .kind = ASY_OP_CONV_DX, .per_row = 1, .n = SIZES(s, 0, 0) },
        { .kind = ASY_OP_CONV_DW, .per_row = 1, .n = SIZES(s, 0, 0) },
        { .kind = ASY_OP_CONV_POOL, .per_row = 1, .n = SIZES(s, 1, 1) },
        { .kind = ASY_OP_CONV_POOL_GRAD, .per_row = 1, .n = SIZES(s, 1, 1) },
    };
    struct asy__pass pass = { .device = case_device() };
    struct asy_op_step step = { .rows = (size_t)1 << 30 };
    struct asy_error err = ASY_ERROR_INIT;

    for (size_t i = 0; i < ASY_ARRAY_LEN(ops) && pass.device; i++) {
        T_EQ("too many", asy__exec_run(&pass, &ops[i], 1, &step, &err), ASY_E_TOOBIG);
        T_HAS("too many", err.text, "1073741824 images of 2 x 2 are more than devices take");
    }
}

static void close_device(void)
{
    case_device_close();
}

T_MAIN("device-images", T_TEST(convolutions_are_those_of_the_cpu),
       T_TEST(convolutions_with_pooling_are_those_of_the_cpu), T_TEST(pooling_is_that_of_the_cpu),
       T_TEST(means_of_images_are_those_of_the_cpu),
       T_TEST(the_greatest_of_images_are_those_of_the_cpu),
       T_TEST(more_images_than_can_be_counted_are_refused), T_TEST(close_device))
