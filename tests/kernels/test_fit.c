/* SPDX-License-Identifier: Apache-2.0
 * Losses and updates: each fast kernel against its plain twin, gradients against differences, and
 * the instruction sets against each other. */
#include <asytest.h>
#include "near.h"
#include <asy/op.h>
#include <asy/rng.h>
#include "fit.h"

#define MOST (70 * 70)

static struct asy_rng rng;

static void fill(float *x, size_t n, double scale)
{
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(asy_rng_normal(&rng) * scale);
}

static void fill_labels(int32_t *labels, size_t n, size_t classes)
{
    for (size_t i = 0; i < n; i++)
        labels[i] = (int32_t)asy_rng_below(&rng, classes);
}

static const float weights[70] = {
    1, 2.5f, 0.25f, 0, 3, 1, 1, 0.5f, 4, 1.5f, 1, 1, 1, 1, 1, 1, 2, /* the rest weighs nothing */
};
static const float scales[] = { 1, 0.015625f, 0 };
static const struct asy_class_loss ways[] = {
    { 0, NULL }, { 0.1f, NULL }, { 0, weights }, { 0.3f, weights },
};

static void class_losses_match_their_plain_twins(void)
{
    static const struct {
        size_t rows, cols;
    } shapes[] = { { 1, 1 }, { 1, 10 }, { 5, 2 }, { 64, 17 }, { 70, 70 } };
    static float x[MOST], x2[MOST];
    static int32_t labels[70];

    for (size_t i = 0; i < ASY_ARRAY_LEN(shapes) * ASY_ARRAY_LEN(ways) * 3; i++) {
        const struct asy_class_loss *how = &ways[i / 3 % ASY_ARRAY_LEN(ways)];
        size_t rows = shapes[i / 12].rows, cols = shapes[i / 12].cols;
        uint64_t hits = 0, hits2 = 0;
        double got, want;

        fill(x, rows * cols, 5);
        fill_labels(labels, rows, cols);
        memcpy(x2, x, sizeof x);
        got = asy_class_loss(how, rows, cols, x, labels, scales[i % 3], &hits);
        want = asy_class_loss_ref(how, rows, cols, x2, labels, scales[i % 3], &hits2);
        T_NEAR("loss", got, want, 1e-6 * (1 + want)); /* float sums of some tens of terms */
        T_EQ("hits", hits, hits2);
        near("gradient", x, x2, rows * cols, 2e-6);
    }
}

static void binary_losses_match_their_plain_twin(void)
{
    static float x[70], x2[70];
    static int32_t labels[70];

    for (size_t i = 0; i < ASY_ARRAY_LEN(ways) * 3; i++) {
        const struct asy_class_loss *how = &ways[i / 3];
        uint64_t hits = 0, hits2 = 0;
        double got, want;

        fill(x, 70, 6);
        fill_labels(labels, 70, 2);
        memcpy(x2, x, sizeof x);
        got = asy_binary_loss(how, 70, x, labels, scales[i % 3], &hits);
        want = asy_binary_loss_ref(how, 70, x2, labels, scales[i % 3], &hits2);
        T_NEAR("loss", got, want, 1e-6 * (1 + want));
        T_EQ("hits", hits, hits2);
        near("gradient", x, x2, 70, 1e-6);
    }
}

static void plain_class_loss_has_the_bits_of_softmax(void)
{
    static const struct asy_class_loss ones = { 0, NULL };
    float x[3 * 7], x2[3 * 7];
    int32_t labels[3] = { 6, 0, 3 };
    uint64_t hits = 0;

    fill(x, 21, 3);
    memcpy(x2, x, sizeof x);
    T_NEAR("loss", asy_class_loss(&ones, 3, 7, x, labels, 0.25f, &hits),
           asy_softmax_loss(3, 7, x2, labels, 0.25f, &hits), 0);
    T_EQ("bits", memcmp(x, x2, sizeof x), 0);
}

static void losses_of_numbers_match_their_plain_twins(void)
{
    static float y[70], y2[70], target[70];

    for (size_t i = 0; i < 3; i++) {
        static const float delta[] = { 0.1f, 1, 5 }, quantile[] = { 0.05f, 0.5f, 0.9f };
        double got, want;

        fill(y, 70, 2), fill(target, 70, 2);
        y[3] = target[3];
        memcpy(y2, y, sizeof y);
        got = asy_huber_loss(delta[i], 70, y, target, 0.5f);
        want = asy_huber_loss_ref(delta[i], 70, y2, target, 0.5f);
        T_NEAR("huber", got, want, 1e-6 * (1 + want)); /* the difference is rounded to a float */
        near("huber's gradient", y, y2, 70, 1e-6);
        fill(y, 70, 2);
        y[3] = target[3];
        memcpy(y2, y, sizeof y);
        got = asy_quantile_loss(quantile[i], 70, y, target, 0.5f);
        want = asy_quantile_loss_ref(quantile[i], 70, y2, target, 0.5f);
        T_NEAR("quantile", got, want, 1e-6 * (1 + want));
        near("quantile's gradient", y, y2, 70, 1e-6);
        T_NEAR("no gradient at the target", (double)y[3], 0, 0);
        memcpy(y2, y, sizeof y);
        ASY_IGNORE(asy_huber_loss(1, 70, y, target, 0)); /* for what it leaves */
        T_EQ("y stays", memcmp(y, y2, sizeof y), 0);
    }
}

/* What each kernel takes: one row of n outputs, of label 1 or target 0.3. */
typedef double (*loss_f)(size_t n, float *x, float scale);
static double smooth_of(size_t n, float *x, float scale)
{
    uint64_t hits = 0;
    int32_t label = 1;

    return asy_class_loss(&ways[3], 1, n, x, &label, scale, &hits);
}
static double binary_of(size_t n, float *x, float scale)
{
    uint64_t hits = 0;
    int32_t label = 1;

    return asy_binary_loss(&ways[3], n, x, &label, scale, &hits);
}
static double huber_of(size_t n, float *x, float scale)
{
    static const float target = 0.3f;

    return asy_huber_loss(0.5f, n, x, &target, scale);
}
static double quantile_of(size_t n, float *x, float scale)
{
    static const float target = 0.3f;

    return asy_quantile_loss(0.8f, n, x, &target, scale);
}

/* Central differences of the loss. h = 2^-8: h^2 f''' / 6 is below 1e-5; the loss is good to 1e-6,
 * which h makes 5e-4. */
static void gradients_match_differences(void)
{
    static const struct {
        const char *name;
        loss_f loss;
        size_t n;
    } cases[] = { { "smooth", smooth_of, 5 }, { "binary", binary_of, 1 }, { "huber", huber_of, 1 },
                  { "quantile", quantile_of, 1 } };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases) * 20; i++) {
        size_t n = cases[i / 20].n;
        float x[5] = { 0 }, gradient[5], moved[5];

        fill(x, n, 1);
        memcpy(gradient, x, sizeof x);
        cases[i / 20].loss(n, gradient, 1);
        for (size_t j = 0; j < n; j++) {
            double above, below;

            memcpy(moved, x, sizeof x);
            moved[j] = x[j] + 0x1p-8f;
            above = cases[i / 20].loss(n, moved, 0);
            memcpy(moved, x, sizeof x);
            moved[j] = x[j] - 0x1p-8f;
            below = cases[i / 20].loss(n, moved, 0);
            if (fabs((double)x[j] - 0.3) > 0x1p-7) /* beside the kinks */
                T_NEAR(cases[i / 20].name, (double)gradient[j], (above - below) / 0x1p-7, 2e-3);
        }
    }
}

static void broken_outputs_give_broken_losses(void)
{
    static const float target = 1;
    float x[3] = { 0, NAN, 1 }, y = NAN, z = NAN, far[3] = { 3e4f, -3e4f, 0 };
    int32_t label = 1;
    uint64_t hits = 0;

    T_TRUE(isnan(asy_class_loss(&ways[1], 1, 3, x, &label, 1, &hits)));
    T_TRUE(isnan(asy_binary_loss(&ways[1], 1, &y, &label, 1, &hits)) && isnan(y));
    T_TRUE(isnan(asy_huber_loss(1, 1, &z, &target, 1)) && isnan(z));
    T_TRUE(isnan(asy_quantile_loss(0.5f, 1, &z, &target, 1)) && isnan(z));
    T_EQ("no hit", hits, 0);
    T_TRUE(isfinite(asy_class_loss(&ways[1], 1, 3, far, &label, 1, &hits)));
}

/* As operations: the fast way and the plain one, and what both add to the sums beside the loss. */
static void operations_of_losses_match_their_plain_twins(void)
{
    static const struct {
        enum asy_op_kind kind;
        float value;
        size_t n;
    } cases[] = {
        { ASY_OP_SOFTMAX_LOSS, 0, 5 },  { ASY_OP_CLASS_LOSS, 0.2f, 5 },
        { ASY_OP_SQUARED_LOSS, 0, 1 },  { ASY_OP_HUBER_LOSS, 0.7f, 1 },
        { ASY_OP_QUANTILE_LOSS, 0.8f, 1 }, { ASY_OP_BINARY_LOSS, 0.2f, 1 },
    };
    static float out[35], plain[35], target[7];
    static int32_t label[7];

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases) * 2; i++) {
        struct asy_op op = { .kind = cases[i / 2].kind, .value = cases[i / 2].value,
                             .n = { cases[i / 2].n } };
        double sums[ASY_SUMS] = { 0 }, others[ASY_SUMS] = { 0 }, squares = 0;
        struct asy_op_cpu cpu = { .label = label, .target = target, .class_weights = weights,
                                  .sums = sums };
        float scale = i % 2 ? 0.5f : 0;

        fill(out, 35, 1), fill(target, 7, 1);
        fill_labels(label, 7, op.kind == ASY_OP_BINARY_LOSS ? 2 : 5);
        memcpy(plain, out, sizeof out);
        for (size_t r = 0; r < 7; r++)
            squares += pow((double)out[r] - (double)target[r], 2);
        asy_op_loss(&op, &cpu, 7, out, scale);
        cpu.sums = others;
        cpu.plain = 1;
        asy_op_loss(&op, &cpu, 7, plain, scale);
        near("gradient", out, plain, 7 * op.n[0], 2e-6);
        for (size_t s = 0; s < ASY_SUMS; s++)
            T_NEAR("sum", sums[s], others[s], 1e-6 * (1 + fabs(others[s])));
        T_EQ("rows", sums[ASY_SUM_ROWS], 7);
        T_NEAR("squares", sums[ASY_SUM_SQUARED], i / 2 > 1 && i / 2 < 5 ? squares : 0, 1e-12);
    }
}

static const struct asy_adam adam = { 0.01, 0.8, 0.99, 1e-6, 0.1 };
static const struct asy_sgd sgds[] = {
    { 0.1f, 0, 0.01f, 0 }, { 0.1f, 0.9f, 0.01f, 0 }, { 0.1f, 0.9f, 0.01f, 1 },
};

static void updates_match_their_plain_twins(void)
{
    static float w[1003], w2[1003], g[1003], m[1003], m2[1003], v[1003], v2[1003];
    size_t n = ASY_ARRAY_LEN(w);

    for (size_t i = 0; i < 2 + ASY_ARRAY_LEN(sgds); i++) {
        fill(w, n, 1);
        memcpy(w2, w, sizeof w);
        memset(m, 0, sizeof m), memset(m2, 0, sizeof m), memset(v, 0, sizeof v);
        memset(v2, 0, sizeof v);
        for (uint64_t step = 1; step <= 5; step++) {
            struct asy_norms norms = { 0 }, norms2 = { 0 };

            fill(g, n, 1);
            if (i == 0) {
                asy_adam_l2_step(&adam, step, n, w, g, m, v);
                asy_adam_l2_step_ref(&adam, step, n, w2, g, m2, v2);
            } else if (i == 1) {
                asy_lamb_moments(&adam, step, n, w, g, m, v, &norms);
                asy_lamb_moments_ref(&adam, step, n, w2, g, m2, v2, &norms2);
                T_NEAR("|w|^2", norms.weights, norms2.weights, 1e-5 * norms2.weights);
                T_NEAR("|r|^2", norms.change, norms2.change, 1e-4 * norms2.change);
                asy_lamb_apply(&adam, step, 0.7f, n, w, m, v);
                asy_lamb_apply_ref(&adam, step, 0.7f, n, w2, m2, v2);
            } else {
                asy_lars_apply(&sgds[i - 2], 0.3f, n, w, g, m);
                asy_lars_apply_ref(&sgds[i - 2], 0.3f, n, w2, g, m2);
            }
        }
        near("w", w, w2, n, 1e-5); /* five steps of a few roundings */
        near("m", m, m2, n, 1e-5);
        near("v", v, v2, n, 1e-4);
    }
}

/* What the rule of the i-th way does to n entries. */
static void step_row(size_t i, size_t n, float *w, const float *g, float *m, float *v)
{
    if (i == 0)
        asy_adam_step(&adam, 3, n, w, g, m, v);
    else if (i == 1)
        asy_adam_l2_step(&adam, 3, n, w, g, m, v);
    else
        asy_sgd_step(&sgds[i - 2], n, w, g, sgds[i - 2].momentum == 0 ? NULL : m);
}

static void blocks_are_updated_as_rows(void)
{
    enum { ROWS = 5, WIDE = 40 };
    static const size_t widths[] = { 1, 7, 8, 15, 16, 17, 31, 32, 33, 40 };
    static float w[2][ROWS * WIDE], m[2][ROWS * WIDE], v[2][ROWS * WIDE], g[ROWS * 50];

    for (size_t i = 0; i < 2 + ASY_ARRAY_LEN(sgds); i++)
        for (size_t c = 0; c < ASY_ARRAY_LEN(widths); c++) {
            struct asy_block block = { ROWS, widths[c], WIDE, 50 };
            struct asy_rule rule = i < 2 ? asy_rule_adam(i == 0 ? ASY_BY_ADAM : ASY_BY_ADAM_L2,
                                                         &adam, 3)
                                         : asy_rule_sgd(&sgds[i - 2]);
            int plain = i >= 2 && sgds[i - 2].momentum == 0;

            fill(w[0], ROWS * WIDE, 1), fill(m[0], ROWS * WIDE, 1), fill(v[0], ROWS * WIDE, 1);
            for (size_t at = 0; at < ROWS * WIDE; at++)
                v[0][at] = fabsf(v[0][at]);
            fill(g, ASY_ARRAY_LEN(g), 1);
            memcpy(w[1], w[0], sizeof w[0]), memcpy(m[1], m[0], sizeof m[0]);
            memcpy(v[1], v[0], sizeof v[0]);
            asy_rule_step(&rule, &block, w[0], g, plain ? NULL : m[0], i < 2 ? v[0] : NULL);
            for (size_t r = 0; r < ROWS; r++)
                step_row(i, widths[c], w[1] + r * WIDE, g + r * 50, m[1] + r * WIDE,
                         v[1] + r * WIDE);
            T_EQ("w", memcmp(w[0], w[1], sizeof w[0]), 0); /* what lies between rows, too */
            T_EQ("m", memcmp(m[0], m[1], sizeof m[0]), 0);
            T_EQ("v", memcmp(v[0], v[1], sizeof v[0]), 0);
        }
}

static void what_goes_along_matches_its_plain_twin(void)
{
    static float x[1003], x2[1003], w[1003];

    for (size_t n = 1; n < ASY_ARRAY_LEN(x); n = n * 3 + 1) {
        fill(x, n, 2), fill(w, n, 1);
        memcpy(x2, x, sizeof x);
        T_NEAR("squares", asy_sum_squares(n, x), asy_sum_squares_ref(n, x),
               1e-13 * asy_sum_squares_ref(n, x)); /* both in double precision */
        asy_scale(n, 0.3f, x);
        asy_scale_ref(n, 0.3f, x2);
        T_EQ("scaled", memcmp(x, x2, n * sizeof *x), 0);
        asy_mean_step(n, 0.1f, w, x);
        asy_mean_step_ref(n, 0.1f, w, x2);
        near("mean", x, x2, n, 1e-6);
    }
    T_NEAR("no entries", asy_sum_squares(0, x), 0, 0);
}

/* One set's answers to a fixed task, all in one array. */
static size_t answers(const struct asy__fit *set, float *out)
{
    static float x[67 * 13], w[1003], g[1003], m[1003], v[1003];
    struct asy__adam_step constants = asy__adam_constants(&adam, 3);
    struct asy_norms norms;
    int32_t labels[67];
    uint64_t hits = 0;
    float *o = out;

    asy_rng_init(&rng, 5, 0, ASY_RNG_SIM);
    for (size_t i = 0; i < ASY_ARRAY_LEN(ways); i++) {
        fill(x, 67 * 13, 4);
        fill_labels(labels, 67, 13);
        *o++ = (float)set->class_loss(&ways[i], 67, 13, x, labels, 0.5f, &hits);
        memcpy(o, x, sizeof x);
        o += 67 * 13;
        fill(x, 67, 4);
        fill_labels(labels, 67, 2);
        *o++ = (float)set->binary_loss(&ways[i], 67, x, labels, 0.5f, &hits);
        memcpy(o, x, 67 * sizeof *x);
        o += 67;
    }
    fill(w, 1003, 1), fill(g, 1003, 1);
    memset(m, 0, sizeof m), memset(v, 0, sizeof v);
    set->adam_l2(&constants, 0.1f, 1003, w, g, m, v);
    set->lamb_moments(&constants, 0.1f, 1003, w, g, m, v, &norms);
    set->lamb_apply(&constants, 0.1f, 0.01f, 1003, w, m, v);
    *o++ = (float)norms.weights;
    *o++ = (float)norms.change;
    for (size_t i = 0; i < ASY_ARRAY_LEN(sgds); i++)
        set->lars_apply(&sgds[i], 0.2f, 1003, w, g, m);
    set->mean_step(1003, 0.2f, w, v);
    set->scale(1003, 0.7f, m);
    *o++ = (float)set->sum_squares(1003, w);
    memcpy(o, w, sizeof w);
    memcpy(o + 1003, m, sizeof m);
    memcpy(o + 2006, v, sizeof v);
    return (size_t)(o + 3009 - out);
}

static void instruction_sets_agree_to_the_bit(void)
{
    static float base[10000], other[10000];
    size_t n = answers(&asy__fit_base, base);

    T_TRUE(n < ASY_ARRAY_LEN(base));
    answers(asy__fit_get(), other);
    T_EQ("bits of the set in use", memcmp(base, other, n * sizeof *base), 0);
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) {
        answers(&asy__fit_avx2, other);
        T_EQ("bits of avx2", memcmp(base, other, n * sizeof *base), 0);
    }
#endif
}

int main(void)
{
    static const struct t_test tests[] = {
        T_TEST(class_losses_match_their_plain_twins), T_TEST(binary_losses_match_their_plain_twin),
        T_TEST(plain_class_loss_has_the_bits_of_softmax),
        T_TEST(losses_of_numbers_match_their_plain_twins), T_TEST(gradients_match_differences),
        T_TEST(operations_of_losses_match_their_plain_twins),
        T_TEST(broken_outputs_give_broken_losses), T_TEST(updates_match_their_plain_twins),
        T_TEST(blocks_are_updated_as_rows),
        T_TEST(what_goes_along_matches_its_plain_twin), T_TEST(instruction_sets_agree_to_the_bit),
    };

    asy_kernels_init();
    asy_rng_init(&rng, 1, 0, ASY_RNG_SIM);
    return t__main("fit", tests, ASY_ARRAY_LEN(tests));
}
