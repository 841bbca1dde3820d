/* SPDX-License-Identifier: Apache-2.0
 * Operations on a device beside the plain twins of the cpu, over shapes odd and even: dense layers,
 * what is elementwise, sums of columns, losses.
 *
 * Tolerances: the twins add up in double precision, devices in floats. A product of k terms below 1
 * in tiles has an error of about sqrt(k) 6e-8 of the sum's usual size: 1e-5 is above it for
 * k up to some thousands. Functions of OpenCL are as good as a few units of the last place (tanh 5,
 * exp 3), which slopes and steep parts multiply: 2e-6. */
#include "device_case.h"
#include "device_leaks.h"

#define W(at_) { ASY_SPACE_WORK, at_ }
#define P(at_) { ASY_SPACE_PARAMS, at_ }
#define G(at_) { ASY_SPACE_GRADS, at_ }
#define X(at_) { ASY_SPACE_INPUT, at_ }

/* rows, in, out: one tile, parts of tiles, no rows, several, and so few outputs that k is cut. */
static const size_t dense[][3] = {
    { 1, 1, 1 },    { 3, 5, 7 },     { 64, 64, 64 },   { 65, 63, 130 }, { 0, 5, 7 },
    { 32, 20, 64 }, { 33, 784, 10 }, { 2000, 17, 13 }, { 2, 2048, 129 },
};

static void dense_layers_are_those_of_the_cpu(void)
{
    for (size_t i = 0; i < ASY_ARRAY_LEN(dense); i++)
        for (int act = 0; act < ASY_ACT_EACH; act++) {
            size_t rows = dense[i][0], in = dense[i][1], out = dense[i][2];
            size_t z = asy_act_needs_sum((enum asy_act)act) ? rows * out : 0;
            struct device_case c = {
                .name = "dense", .rows = rows, .tol = 1e-5,
                .n = { 0, rows * in + 1, out * in + out + 1, 0, 0, rows * out + z + 3 },
                .ops = { { .kind = ASY_OP_DENSE, .act = (enum asy_act)act, .per_row = 1,
                           .n = { in, out }, .in = { X(1), P(1), P(1 + out * in) },
                           .out = { W(2), W(2 + z) } } } };

            case_run(&c);
        }
}

static void products_of_gradients_are_those_of_the_cpu(void)
{
    for (size_t i = 0; i < ASY_ARRAY_LEN(dense); i++) {
        size_t rows = dense[i][0], in = dense[i][1], out = dense[i][2];
        struct device_case c = {
            .name = "dense-dx, dense-dw", .rows = rows, .n_ops = 2, .tol = 1e-5,
            .n = { 0, rows * in, out * in, out * in + 1, 0, rows * (in + out) + 3 },
            .ops = { { .kind = ASY_OP_DENSE_DX, .per_row = 1, .n = { in, out },
                       .in = { W(1), P(0) }, .out = { W(1 + rows * out) } },
                     { .kind = ASY_OP_DENSE_DW, .per_row = 1, .n = { in, out },
                       .in = { W(1), X(0) }, .out = { G(1) } } } };

        case_run(&c);
    }
}

/* rows, columns: below and above the parts of a column's sum. */
static const size_t each[][2] = { { 1, 1 }, { 0, 9 }, { 7, 3 }, { 64, 64 }, { 65, 70 }, { 5000, 5 },
                                  { 3, 300 } };

static void elementwise_operations_are_those_of_the_cpu(void)
{
    for (size_t i = 0; i < ASY_ARRAY_LEN(each); i++)
        for (int act = 0; act < ASY_ACT_EACH; act++) {
            size_t rows = each[i][0], n = each[i][1], all = rows * n;
            struct device_case c = {
                .name = "elementwise", .rows = rows, .n_ops = 4, .tol = 2e-6,
                .n = { 0, all, n, 0, 0, 5 * all + 1 },
                .ops = { { .kind = ASY_OP_BIAS, .per_row = 1, .n = { n }, .in = { X(0), P(0) },
                           .out = { W(0) } },
                         { .kind = ASY_OP_ACT, .act = (enum asy_act)act, .per_row = 1, .n = { n },
                           .in = { W(0) }, .out = { W(all) } },
                         { .kind = ASY_OP_ACT_GRAD, .act = (enum asy_act)act, .per_row = 1,
                           .n = { n }, .in = { W(4 * all + 1), W(0) }, .out = { W(2 * all) } },
                         { .kind = ASY_OP_ADD, .per_row = 1, .n = { n },
                           .in = { W(3 * all), W(2 * all) }, .out = { W(3 * all) } } } };

            case_run(&c);
        }
}

static void the_softmax_is_that_of_the_cpu(void)
{
    for (size_t i = 0; i < ASY_ARRAY_LEN(each); i++)
        for (int apart = 0; apart < 2; apart++) { /* or in place */
            size_t rows = each[i][0], n = each[i][1], all = rows * n;
            size_t y = apart ? all : 0, dx = apart ? 3 * all : 2 * all;
            struct device_case c = {
                .name = "softmax", .rows = rows, .n_ops = 2, .tol = 2e-6,
                .n = { 0, 0, 0, 0, 0, 4 * all + 1 },
                .ops = { { .kind = ASY_OP_SOFTMAX, .per_row = 1, .n = { n }, .in = { W(0) },
                           .out = { W(y) } },
                         { .kind = ASY_OP_SOFTMAX_GRAD, .per_row = 1, .n = { n },
                           .in = { W(2 * all), W(y) }, .out = { W(dx) } } } };

            case_run(&c);
        }
}

static void sums_of_columns_are_those_of_the_cpu(void)
{
    for (size_t i = 0; i < ASY_ARRAY_LEN(each); i++)
        for (int act = 0; act < ASY_ACT_EACH; act++) {
            size_t rows = each[i][0], n = each[i][1], all = rows * n;
            struct device_case c = {
                .name = "sums", .rows = rows, .n_ops = 2, .tol = 1e-5,
                .n = { 0, all, 0, 2 * n + 1, 0, 2 * all },
                .ops = { { .kind = ASY_OP_BIAS_ACT_GRAD, .act = (enum asy_act)act, .per_row = 1,
                           .n = { n }, .in = { W(0), X(0) }, .out = { W(0), G(0) } },
                         { .kind = ASY_OP_COLUMN_SUMS, .per_row = 1, .n = { n },
                           .in = { X(0) }, .out = { G(n + 1) } } } };

            case_run(&c);
        }
}

static void losses_are_those_of_the_cpu(void)
{
    static const size_t shapes[][2] = { { 1, 2 }, { 3, 10 }, { 64, 64 }, { 300, 65 }, { 2, 1000 } };

    for (size_t i = 0; i < ASY_ARRAY_LEN(shapes); i++)
        for (int train = 0; train < 2; train++) {
            size_t rows = shapes[i][0], n = shapes[i][1];
            struct device_case c = {
                .name = "softmax", .rows = rows, .classes = (int)n, .scale = train ? 0.125f : 0,
                .tol = 2e-6, .n = { 0, 0, 0, 0, 0, 2 * rows * n },
                .ops = { { .kind = ASY_OP_SOFTMAX_LOSS, .per_row = 1, .n = { n },
                           .in = { W(0) }, .out = { W(train ? rows * n : 0) } } } };

            case_run(&c);
            c = (struct device_case){
                .name = "squared", .rows = rows * 7, .scale = c.scale, .tol = 2e-6,
                .n = { 0, 0, 0, 0, 0, 2 * rows * 7 },
                .ops = { { .kind = ASY_OP_SQUARED_LOSS, .per_row = 1, .n = { 1 }, .in = { W(0) },
                           .out = { W(train ? rows * 7 : 0) } } } };
            case_run(&c);
        }
}

static void close_device(void)
{
    case_device_close();
}

T_MAIN("device-ops", T_TEST(dense_layers_are_those_of_the_cpu),
       T_TEST(products_of_gradients_are_those_of_the_cpu),
       T_TEST(elementwise_operations_are_those_of_the_cpu),
       T_TEST(the_softmax_is_that_of_the_cpu),
       T_TEST(sums_of_columns_are_those_of_the_cpu), T_TEST(losses_are_those_of_the_cpu),
       T_TEST(close_device))
