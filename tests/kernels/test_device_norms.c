/* SPDX-License-Identifier: Apache-2.0
 * Operations on a device beside the plain twins of the cpu: dropout, both normalisations, the
 * losses of asy/loss.h.
 *
 * Tolerances: as in test_device_ops.c, 1e-5 for what is added up over rows or columns. Where the
 * mean is some thousand deviations away from zero it is stored with an error of up to 2e-4 of a
 * deviation on either side, and 2e-3 is left for what is made of it: squares in single precision
 * would miss the deviation by a factor. */
#include <asy/batch_norm.h>
#include "device_case.h"
#include "device_leaks.h"

#define W(at_) { ASY_SPACE_WORK, at_ }
#define P(at_) { ASY_SPACE_PARAMS, at_ }
#define G(at_) { ASY_SPACE_GRADS, at_ }
#define X(at_) { ASY_SPACE_INPUT, at_ }
#define B(at_) { ASY_SPACE_BUFFERS, at_ }

static void dropout_has_the_bits_of_the_cpu(void)
{
    /* rows, columns, rows before them */
    static const size_t shapes[][3] = { { 1, 1, 0 }, { 3, 37, 1 }, { 130, 65, 17 }, { 2, 128, 3 },
                                        { 5, 16, 1000003 } };
    static const float rates[] = { 0, 0.25f, 0.99f };

    for (size_t i = 0; i < ASY_ARRAY_LEN(shapes); i++)
        for (size_t r = 0; r < ASY_ARRAY_LEN(rates); r++)
            for (size_t per_row = 1; per_row < 4; per_row += 2) {
                size_t n = shapes[i][1], all = shapes[i][0] * n * per_row;
                struct device_case c = {
                    .name = "dropout", .rows = shapes[i][0], .first = shapes[i][2],
                    .seed = 0x123456789abcdef0, .step = 5, .tol = 0, .n_ops = 2,
                    .n = { 0, all, 0, 0, 0, 2 * all + 1 },
                    .ops = { { .kind = ASY_OP_DROPOUT, .per_row = per_row, .value = rates[r],
                               .n = { n, 3 }, .in = { X(0) }, .out = { W(1) } },
                             { .kind = ASY_OP_DROPOUT, .per_row = per_row, .value = rates[r],
                               .n = { n, 4 }, .in = { W(all + 1) }, .out = { W(all + 1) } } } };

                case_run(&c);
            }
}

/* rows, columns */
static const size_t shapes[][2] = { { 1, 1 }, { 1, 9 }, { 7, 64 }, { 65, 63 }, { 130, 200 },
                                    { 5000, 3 } };

static void layer_norm_is_that_of_the_cpu(void)
{
    for (size_t i = 0; i < ASY_ARRAY_LEN(shapes); i++) {
        size_t rows = shapes[i][0], n = shapes[i][1], all = rows * n;
        struct device_case c = {
            .name = "layer norm", .rows = rows, .tol = 1e-5, .n_ops = 2,
            .n = { 0, all, 2 * n, 2 * n + 1, 0, 2 * all + 2 * rows + 1 },
            .ops = { { .kind = ASY_OP_LAYER_NORM, .per_row = 1, .value = 0.01f, .n = { n },
                       .in = { X(0), P(0), P(n) }, .out = { W(0), W(2 * all) } },
                     { .kind = ASY_OP_LAYER_NORM_GRAD, .per_row = 1, .n = { n },
                       .in = { W(all), X(0), P(0), W(2 * all) },
                       .out = { W(all), G(1), G(n + 1) } } } };

        case_run(&c);
    }
}

/* Forward and back; far: where the mean is far from zero. */
static struct device_case batch_case(size_t rows, size_t n, int far)
{
    size_t all = rows * n, stats = 2 * all, room = (stats + 2 * n + 2) / 2 * 2;
    struct asy_operand x = { far ? ASY_SPACE_WORK : ASY_SPACE_INPUT, far ? all : 0 };
    size_t dy = far ? 0 : all, sums = 4 * asy_batch_sums_len(n); /* doubles, in floats */
    struct device_case c = {
        .name = "batch norm", .rows = rows, .tol = far ? 2e-3 : 1e-5, .n_ops = far ? 2 : 3,
        .ids = far ? 4000 : 0, .own_at = room, .own_n = sums,
        .n = { 0, far ? n : all, 2 * n, 2 * n + 1, 2 * n, room + sums },
        .ops = { { .kind = ASY_OP_BIAS, .per_row = 1, .n = { n }, .in = { W(all), X(0) },
                   .out = { W(all) } },
                 { .kind = ASY_OP_BATCH_NORM, .per_row = 1, .value = 0.01f, .n = { n },
                   .in = { x, P(0), P(n) }, .out = { W(0), W(stats), B(0), B(n), W(room) } },
                 { .kind = ASY_OP_BATCH_NORM_GRAD, .per_row = 1, .n = { n },
                   .in = { W(dy), x, P(0), W(stats) },
                   .out = { W(dy), G(1), G(n + 1), W(room) } } } };

    if (!far) { /* no bias */
        c.n_ops = 2;
        memmove(c.ops, c.ops + 1, 2 * sizeof *c.ops);
    }
    return c;
}

static void batch_norm_is_that_of_the_cpu(void)
{
    for (size_t i = 0; i < ASY_ARRAY_LEN(shapes); i++) {
        struct device_case c = batch_case(shapes[i][0], shapes[i][1], 0);

        case_run(&c);
    }
}

static void batch_norm_knows_deviations_far_from_zero(void)
{
    struct device_case c = batch_case(700, 5, 1);

    case_run(&c);
}

static void batch_norm_goes_by_the_running_statistics(void)
{
    for (size_t i = 0; i < ASY_ARRAY_LEN(shapes); i++) {
        size_t rows = shapes[i][0], n = shapes[i][1], all = rows * n;
        struct device_case c = {
            .name = "batch norm, evaluation", .rows = rows, .tol = 1e-5, .ids = 5,
            .n = { 0, n, 2 * n, 0, n, all + 2 * n + 1 },
            .ops = { { .kind = ASY_OP_BATCH_NORM_EVAL, .per_row = 1, .value = 0.01f, .n = { n },
                       .in = { W(0), P(0), P(n), B(0), X(0) }, .out = { W(0), W(all) } } } };

        case_run(&c);
    }
}

static void losses_of_classes_are_those_of_the_cpu(void)
{
    static const size_t sizes[][2] = { { 1, 2 }, { 3, 10 }, { 64, 64 }, { 300, 65 }, { 2, 1000 } };
    static float weights[1000];

    for (size_t i = 0; i < ASY_ARRAY_LEN(weights); i++)
        weights[i] = 0.25f + (float)(i % 7) / 4;
    for (size_t i = 0; i < ASY_ARRAY_LEN(sizes); i++)
        for (int how = 0; how < 8; how++) {
            size_t rows = sizes[i][0], n = sizes[i][1];
            struct device_case c = {
                .name = "classes", .rows = rows, .classes = (int)n, .scale = how & 1 ? 0.125f : 0,
                .class_weights = how & 2 ? weights : NULL, .tol = 4e-6,
                .n = { 0, 0, 0, 0, 0, 2 * rows * n },
                .ops = { { .kind = ASY_OP_CLASS_LOSS, .value = how & 4 ? 0.1f : 0, .per_row = 1,
                           .n = { n }, .in = { W(0) }, .out = { W(how & 1 ? rows * n : 0) } } } };

            case_run(&c);
        }
}

static void losses_of_numbers_are_those_of_the_cpu(void)
{
    static const struct {
        enum asy_op_kind kind;
        float value;
    } losses[] = { { ASY_OP_HUBER_LOSS, 0.5f }, { ASY_OP_HUBER_LOSS, 10 },
                   { ASY_OP_QUANTILE_LOSS, 0.9f }, { ASY_OP_QUANTILE_LOSS, 0.05f } };

    for (size_t i = 0; i < ASY_ARRAY_LEN(losses); i++)
        for (size_t rows = 1; rows < 1000; rows = rows * 9 + 1)
            for (int train = 0; train < 2; train++) {
                struct device_case c = {
                    .name = "numbers", .rows = rows, .scale = train ? 0.125f : 0, .tol = 2e-6,
                    .n = { 0, 0, 0, 0, 0, 2 * rows },
                    .ops = { { .kind = losses[i].kind, .value = losses[i].value, .per_row = 1,
                               .n = { 1 }, .in = { W(0) }, .out = { W(train ? rows : 0) } } } };

                case_run(&c);
            }
}

/* By one logit, and the two that evaluation makes of it. */
static void the_binary_loss_is_that_of_the_cpu(void)
{
    static const float weights[2] = { 0.5f, 2.25f };

    for (size_t rows = 1; rows < 1000; rows = rows * 9 + 1)
        for (int way = 0; way < 8; way++) {
            int train = way % 2;
            struct device_case c = {
                .name = "binary", .rows = rows, .classes = 2, .n_ops = 2,
                .class_weights = way / 2 % 2 ? weights : NULL,
                .scale = train ? 0.125f : 0, .tol = 2e-6, .n = { 0, rows, 0, 0, 0, 4 * rows },
                .ops = { { .kind = ASY_OP_BINARY_LOSS, .value = way / 4 ? 0.1f : 0, .per_row = 1,
                           .n = { 1 }, .in = { W(0) }, .out = { W(train ? rows : 0) } },
                         { .kind = ASY_OP_PAIR, .per_row = 1, .in = { X(0) },
                           .out = { W(2 * rows) } } } };

            case_run(&c);
        }
}

static void close_device(void)
{
    case_device_close();
}

T_MAIN("device-norms", T_TEST(dropout_has_the_bits_of_the_cpu),
       T_TEST(layer_norm_is_that_of_the_cpu), T_TEST(batch_norm_is_that_of_the_cpu),
       T_TEST(batch_norm_knows_deviations_far_from_zero),
       T_TEST(batch_norm_goes_by_the_running_statistics),
       T_TEST(losses_of_classes_are_those_of_the_cpu),
       T_TEST(losses_of_numbers_are_those_of_the_cpu),
       T_TEST(the_binary_loss_is_that_of_the_cpu), T_TEST(close_device))
