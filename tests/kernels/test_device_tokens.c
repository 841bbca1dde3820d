/* SPDX-License-Identifier: Apache-2.0
 * Operations on a device beside the plain twins of the cpu: embeddings and attention.
 *
 * Tolerances: as in test_device_ops.c; 1e-5 for sums of products, and for exponentials of them, as
 * scores are at most some units large. */
#include "device_case.h"
#include "device_leaks.h"

#define W(at_) { ASY_SPACE_WORK, at_ }
#define P(at_) { ASY_SPACE_PARAMS, at_ }
#define G(at_) { ASY_SPACE_GRADS, at_ }
#define X(at_) { ASY_SPACE_INPUT, at_ }
#define NONE { ASY_SPACE_NONE, 0 }

/* sequences, tokens, columns, vocabulary: ids that fill parts of a block and several, a token that
 * is nowhere, one that is everywhere. */
static const size_t texts[][4] = { { 1, 1, 1, 1 }, { 3, 7, 5, 11 }, { 4, 32, 8, 3 },
                                   { 9, 40, 130, 20 }, { 200, 3, 4, 1 } };

static void embeddings_are_those_of_the_cpu(void)
{
    for (size_t i = 0; i < ASY_ARRAY_LEN(texts); i++)
        for (int places = 0; places < 2; places++) {
            size_t tokens = texts[i][1], cols = texts[i][2], vocabulary = texts[i][3];
            size_t rows = texts[i][0] * tokens, table = vocabulary * cols, place = tokens * cols;
            struct device_case c = {
                .name = "embeddings", .rows = texts[i][0], .ids = (int)vocabulary, .tol = 1e-5,
                .n_ops = 2,
                .n = { 0, rows, table + place, table + place + 1, 0, 2 * rows * cols + 1 },
                .ops = { { .kind = ASY_OP_EMBED, .per_row = tokens,
                           .n = { tokens, cols, vocabulary }, .in = { X(0), P(0), P(table) },
                           .out = { W(1) } },
                         { .kind = ASY_OP_EMBED_GRAD, .flags = places ? 0 : ASY_OP_ADDS,
                           .per_row = tokens, .n = { tokens, cols, vocabulary },
                           .in = { X(0), W(rows * cols + 1) }, .out = { G(1), G(table + 1) } } } };

            if (!places) {
                c.ops[0].in[2] = (struct asy_operand)NONE;
                c.ops[1].out[1] = (struct asy_operand)NONE;
            }
            case_run(&c);
        }
}

/* sequences, tokens, heads, width: parts of a tile, a whole one, several; widths beyond what a
 * group has at once. */
static const size_t sights[][4] = { { 1, 1, 1, 1 }, { 2, 5, 3, 4 }, { 5, 32, 2, 32 },
                                    { 3, 33, 2, 7 }, { 1, 97, 2, 20 }, { 2, 40, 1, 65 },
                                    { 1, 35, 2, 130 } };

static void attention_is_that_of_the_cpu(void)
{
    for (size_t i = 0; i < ASY_ARRAY_LEN(sights); i++)
        for (unsigned way = 0; way < 4; way++) {
            unsigned causal = way % 2;
            float rate = way / 2 ? 0.3f : 0; /* of weights that are dropped */
            size_t rows = sights[i][0], tokens = sights[i][1], heads = sights[i][2];
            size_t width = sights[i][3], model = heads * width, y = rows * tokens * model;
            size_t stats = rows * heads * tokens * 2;
            struct device_case c = {
                .name = causal ? "attention, causal" : "attention", .rows = rows, .tol = 1e-5,
                .seed = 0x123456789abc, .step = 5, .first = 1000 + i,
                .n_ops = 2, .n = { 0, 3 * y, 0, 0, 0, 5 * y + stats + 1 },
                .ops = { { .kind = ASY_OP_ATTENTION, .flags = causal ? ASY_OP_CAUSAL : 0,
                           .value = rate, .per_row = 1, .n = { tokens, heads, width, 7 },
                           .in = { X(0) },
                           .out = { W(0), W(5 * y), W(0) } },
                         { .kind = ASY_OP_ATTENTION_GRAD, .flags = causal ? ASY_OP_CAUSAL : 0,
                           .value = rate, .per_row = 1, .n = { tokens, heads, width, 7 },
                           .in = { X(0), W(5 * y), W(y) }, .out = { W(2 * y), W(0) } } } };

            case_run(&c);
        }
}

static void close_device(void)
{
    case_device_close();
}

T_MAIN("device-tokens", T_TEST(embeddings_are_those_of_the_cpu),
       T_TEST(attention_is_that_of_the_cpu), T_TEST(close_device))
