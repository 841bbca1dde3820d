/* SPDX-License-Identifier: Apache-2.0
 * Each fast kernel against its plain twin, and the instruction sets against each other. */
#include <asytest.h>
#include "near.h"
#include <float.h>
#include <pthread.h>
#include <asy/gemm.h>
#include <asy/kernels.h>
#include <asy/rng.h>
#include "fused.h"

#define MOST (70 * 70)

static struct asy_rng rng;

static void fill(float *x, size_t n, double scale)
{
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(asy_rng_normal(&rng) * scale);
}

static const struct {
    size_t rows, in, out;
} shapes[] = { { 1, 1, 1 }, { 1, 64, 10 }, { 5, 3, 2 }, { 64, 33, 17 }, { 70, 69, 70 } };

static void products_match_their_plain_twins(void)
{
    static float room[ASY_GEMM_ROOM] __attribute__((aligned(64)));
    static float x[MOST], w[MOST], dy[MOST], got[MOST], want[MOST];

    for (size_t i = 0; i < ASY_ARRAY_LEN(shapes); i++) {
        size_t rows = shapes[i].rows, in = shapes[i].in, out = shapes[i].out;

        fill(x, rows * in, 1);
        fill(w, in * out, 1);
        fill(dy, rows * out, 1);
        /* sums of up to 70 products of size 1: 70 roundings of 6e-8 of at most some tens */
        asy_dense(rows, in, out, x, w, got, room);
        asy_dense_ref(rows, in, out, x, w, want);
        near("y", got, want, rows * out, 1e-4);
        asy_dense_dx(rows, in, out, dy, w, got, room);
        asy_dense_dx_ref(rows, in, out, dy, w, want);
        near("dx", got, want, rows * in, 1e-4);
        asy_dense_dw(rows, in, out, dy, x, got, room);
        asy_dense_dw_ref(rows, in, out, dy, x, want);
        near("dw", got, want, in * out, 1e-4);
    }
}

static void activations_match_their_plain_twins(void)
{
    static float bias[MOST], z[MOST], z2[MOST], y[MOST], y2[MOST], dy[MOST], dy2[MOST], db[MOST],
        db2[MOST];

    for (int act = 0; act < ASY_ACT_EACH; act++) {
        for (size_t i = 0; i < ASY_ARRAY_LEN(shapes); i++) {
            size_t rows = shapes[i].rows, cols = shapes[i].out, n = rows * cols;
            const char *name = asy_act_name(act);

            fill(z, n, 3);
            fill(bias, cols, 1);
            fill(dy, n, 1);
            memcpy(z2, z, sizeof z);
            memcpy(dy2, dy, sizeof dy);
            /* 5e-7 is the stated error of exp and tanh; gelu and silu multiply it by |z| < 15 */
            asy_bias_act(act, rows, cols, bias, z, y);
            asy_bias_act_ref(act, rows, cols, bias, z2, y2);
            near(name, z, z2, n, 1e-6);
            near(name, y, y2, n, 5e-6);
            asy_bias_act_grad(act, rows, cols, z, y, dy, db);
            asy_bias_act_grad_ref(act, rows, cols, z, y, dy2, db2);
            near(name, dy, dy2, n, 5e-6);
            near(name, db, db2, cols, 1e-4); /* sums of 70 such */
            if (!asy_act_needs_sum(act)) {
                memcpy(z2, z, sizeof z);
                memset(bias, 0, sizeof bias);
                asy_bias_act(act, rows, cols, bias, z2, z2);
                T_EQ(name, memcmp(z2, y, n * sizeof *y), 0);
            }
        }
    }
}

static void activations_by_themselves_match_their_plain_twins(void)
{
    static float x[MOST], dy[MOST], got[MOST], want[MOST];

    fill(x, MOST, 3);
    fill(dy, MOST, 1);
    for (int act = 0; act < ASY_ACT_EACH; act++)
        for (size_t n = 1; n < MOST; n = 3 * n + 1) {
            const char *name = asy_act_name(act);

            /* tolerances as above */
            asy_act(act, n, x, got);
            asy_act_ref(act, n, x, want);
            near(name, got, want, n, 5e-6);
            memcpy(want, x, n * sizeof *x);
            asy_act(act, n, want, want);
            T_EQ(name, memcmp(got, want, n * sizeof *got), 0);
            asy_act_grad(act, n, x, dy, got);
            asy_act_grad_ref(act, n, x, dy, want);
            near(name, got, want, n, 5e-6);
            memcpy(want, dy, n * sizeof *x);
            asy_act_grad(act, n, x, want, want);
            T_EQ(name, memcmp(got, want, n * sizeof *got), 0);
        }
}

/* Rows of whole chains, of parts of one and of both; results in the inputs' place are the same. */
static void softmax_matches_its_plain_twin(void)
{
    static const size_t sizes[][2] = { { 1, 1 }, { 5, 3 }, { 9, 16 }, { 7, 33 }, { 2, 2000 } };
    static float x[MOST], dy[MOST], y[MOST], got[MOST], want[MOST];

    for (size_t i = 0; i < ASY_ARRAY_LEN(sizes); i++) {
        size_t rows = sizes[i][0], cols = sizes[i][1], n = rows * cols;

        fill(x, n, 5);
        fill(dy, n, 1);
        x[n - 1] = i == 3 ? 3e4f : x[n - 1]; /* far above the others of its row */
        asy_softmax(rows, cols, x, y);
        asy_softmax_ref(rows, cols, x, want);
        near("y", y, want, n, 2e-6); /* exp, sum and division: some units of the last place */
        memcpy(got, x, n * sizeof *x);
        asy_softmax(rows, cols, got, got);
        T_EQ("in place", memcmp(got, y, n * sizeof *y), 0);
        asy_softmax_grad(rows, cols, y, dy, got);
        asy_softmax_grad_ref(rows, cols, y, dy, want);
        near("dx", got, want, n, 2e-6);
        asy_softmax_grad(rows, cols, y, dy, dy);
        T_EQ("in place", memcmp(got, dy, n * sizeof *y), 0);
    }
    x[0] = x[3 + 2] = NAN;
    asy_softmax(3, 3, x, y);
    for (int i = 0; i < 9; i++)
        T_EQ("NaN", isnan(y[i]) != 0, i < 6);
}

/* By central differences of the plain twin, as the slopes below. */
static void slopes_of_the_softmax_match_differences(void)
{
    static const float at[5] = { 0.5f, -1, 2, 0, 1.5f }, dy[5] = { 1, -2, 0.5f, 3, -1 };
    const float h = 1e-2f; /* h^2 f''' / 6 is below 5e-5, rounding adds 2e-7 / 1e-2 */
    float y[5], dx[5];

    asy_softmax(1, 5, at, y);
    asy_softmax_grad(1, 5, y, dy, dx);
    for (int i = 0; i < 5; i++) {
        double sum = 0;

        for (int side = -1; side <= 1; side += 2) {
            float moved[5], z[5];

            memcpy(moved, at, sizeof moved);
            moved[i] += (float)side * h;
            asy_softmax_ref(1, 5, moved, z);
            for (int j = 0; j < 5; j++)
                sum += side * (double)dy[j] * (double)z[j] / (2 * (double)h);
        }
        T_NEAR("slope", (double)dx[i], sum, 2e-4);
    }
}

/* Exactly, wherever a piece of a batch begins and ends. */
static void dropout_matches_its_plain_twin(void)
{
    static const uint64_t firsts[] = { 0, 1, 100, 127, 128, ((uint64_t)1 << 36) - 70 };
    static float x[MOST], got[MOST], want[MOST];
    struct asy_dropout how = { .seed = UINT64_C(0x123456789abcdef0), .step = 7, .layer = 3 };
    size_t zeros = 0;

    fill(x, MOST, 1);
    for (size_t f = 0; f < ASY_ARRAY_LEN(firsts); f++)
        for (size_t n = 1; n < MOST; n = 3 * n + 1) {
            how.rate = 0.1f * (float)f;
            asy_dropout(&how, firsts[f], n, x, got);
            asy_dropout_ref(&how, firsts[f], n, x, want);
            T_EQ("bits", memcmp(got, want, n * sizeof *got), 0);
            memcpy(got, x, n * sizeof *x);
            asy_dropout(&how, firsts[f], n, got, got);
            T_EQ("in place", memcmp(got, want, n * sizeof *got), 0);
        }
    how.rate = 0.25f;
    asy_dropout(&how, 0, MOST, x, got);
    for (size_t i = 0; i < MOST; i++)
        zeros += got[i] == 0;
    /* a share of 4900 draws has a spread of sqrt(0.25 0.75 / 4900) = 0.0062 */
    T_NEAR("share", (double)zeros / MOST, 0.25, 0.025);
    how.step++;
    asy_dropout(&how, 0, MOST, x, want);
    T_TRUE(memcmp(got, want, sizeof got) != 0);
    how.step--;
    how.layer++;
    asy_dropout(&how, 0, MOST, x, want);
    T_TRUE(memcmp(got, want, sizeof got) != 0);
}

/* The derivative of the plain twin by central differences in double precision, so that twin and
 * kernel cannot share a mistake. h = 1e-3 in float inputs: the error h^2 f''' / 6 is below 1e-6,
 * rounding of y to float adds 6e-8 / 1e-3. */
static void slopes_match_differences(void)
{
    const float h = 1e-3f;

    for (int act = 0; act < ASY_ACT_EACH; act++) {
        for (float at = -4.05f; at < 4; at += 0.1f) {
            float zero = 0, z = at, y, above = at + h, below = at - h, ya, yb, dy = 1, db;
            double step = (double)above - (double)below;

            asy_bias_act_ref(act, 1, 1, &zero, &above, &ya);
            asy_bias_act_ref(act, 1, 1, &zero, &below, &yb);
            asy_bias_act(act, 1, 1, &zero, &z, &y);
            asy_bias_act_grad(act, 1, 1, &z, &y, &dy, &db);
            T_NEAR(asy_act_name(act), (double)dy, ((double)ya - (double)yb) / step, 5e-4);
            T_NEAR(asy_act_name(act), (double)db, (double)dy, 0);
        }
    }
}

static void exp_and_tanh_keep_their_stated_error(void)
{
    double worst_exp = 0, worst_tanh = 0;

    for (double x = -80; x < 80; x += 0.00137) {
        float zero = 0, z = (float)x, y, want = (float)-x;
        double exact;

        asy_bias_act(ASY_ACT_SIGMOID, 1, 1, &zero, &z, &y); /* 1 / (1 + e^-x): e^-x for x << 0 */
        if (x < -20)
            worst_exp = fmax(worst_exp, fabs((double)y * exp((double)want) - 1));
        z = (float)(x / 8);
        exact = tanh((double)z);
        asy_bias_act(ASY_ACT_TANH, 1, 1, &zero, &z, &y);
        if (z != 0)
            worst_tanh = fmax(worst_tanh, fabs((double)y - exact) / fabs(exact));
    }
    T_NEAR("exp", worst_exp, 0, 2e-7 + 1.2e-7); /* plus sum and division of the sigmoid */
    T_NEAR("tanh", worst_tanh, 0, 5e-7);
}

/* Down to where it is 1e-21: the exponent, up to 50, is rounded three times. The slope goes by the
 * sizes of its two terms, as it crosses 0. */
static void gelu_keeps_its_stated_error(void)
{
    const double root = 2 * 0.79788456080286535588, cube = 0.044715; /* 2 sqrt(2 / pi) */
    double worst = 0, worst_slope = 0;

    for (double x = -8; x < 8; x += 0.00137) {
        float zero = 0, z = (float)x, sum = z, y, slope = 1, db;
        double at = (double)z, e = exp(-root * (at + cube * at * at * at)), part = 1 / (1 + e);
        double rest = at * part * (e * part) * root * (1 + 3 * cube * at * at);

        asy_bias_act(ASY_ACT_GELU, 1, 1, &zero, &sum, &y);
        asy_bias_act_grad(ASY_ACT_GELU, 1, 1, &z, &y, &slope, &db);
        worst = fmax(worst, fabs((double)y - at * part) / fabs(at * part));
        worst_slope = fmax(worst_slope, fabs((double)slope - (part + rest)) / (part + fabs(rest)));
    }
    T_NEAR("gelu", worst, 0, 1e-5);
    T_NEAR("slope", worst_slope, 0, 1e-5);
}

static void nan_stays_nan(void)
{
    for (int act = 0; act < ASY_ACT_EACH; act++) {
        float zero = 0, z[9], y[9];

        for (int i = 0; i < 9; i++)
            z[i] = i == 4 ? NAN : 1;
        for (int i = 0; i < 9; i++)
            asy_bias_act(act, 1, 1, &zero, &z[i], &y[i]);
        T_TRUE(isnan(y[4]) && !isnan(y[3]));
    }
}

static void losses_match_their_plain_twins(void)
{
    static float x[MOST], x2[MOST];
    static int32_t labels[MOST];
    static const float scales[] = { 1, 0.015625f, 0 };

    for (size_t i = 0; i < ASY_ARRAY_LEN(shapes) * ASY_ARRAY_LEN(scales); i++) {
        size_t rows = shapes[i / 3].rows, cols = shapes[i / 3].out;
        float scale = scales[i % 3];
        uint64_t hits = 0, hits2 = 0;
        double got, want;

        fill(x, rows * cols, 5);
        memcpy(x2, x, sizeof x);
        for (size_t r = 0; r < rows; r++)
            labels[r] = (int32_t)asy_rng_below(&rng, cols);
        got = asy_softmax_loss(rows, cols, x, labels, scale, &hits);
        want = asy_softmax_loss_ref(rows, cols, x2, labels, scale, &hits2);
        T_NEAR("softmax", got, want, 1e-6 * (1 + want)); /* float sums of some tens of terms */
        T_EQ("hits", hits, hits2);
        near("gradient", x, x2, rows * cols, 1e-6);
        fill(x, rows, 5);
        memcpy(x2, x, sizeof x);
        got = asy_squared_loss(rows, x, x + rows, scale);
        want = asy_squared_loss_ref(rows, x2, x2 + rows, scale);
        T_NEAR("squares", got, want, 1e-6 * (1 + want));
        near("gradient", x, x2, rows, 1e-6);
    }
}

/* Exponentials of several rows are taken together. */
static void losses_of_rows_do_not_depend_on_those_beside_them(void)
{
    static const size_t sizes[][2] = { { 2, 200 }, { 1, 65 }, { 10, 130 }, { 16, 64 }, { 17, 61 },
                                       { 600, 3 }, { 1024, 3 }, { 1200, 3 } };
    static float together[MOST], apart[MOST];
    static int32_t labels[200];

    for (size_t i = 0; i < ASY_ARRAY_LEN(sizes); i++) {
        size_t cols = sizes[i][0], rows = sizes[i][1];
        uint64_t hits = 0, hits2 = 0;
        double got, want = 0;

        fill(together, rows * cols, 5);
        if (cols > 1)
            together[cols + 1] = i % 2 ? INFINITY : 1e4f;
        memcpy(apart, together, sizeof apart);
        for (size_t r = 0; r < rows; r++)
            labels[r] = (int32_t)asy_rng_below(&rng, cols);
        got = asy_softmax_loss(rows, cols, together, labels, 0.5f, &hits);
        for (size_t r = 0; r < rows; r++)
            want += asy_softmax_loss(1, cols, apart + r * cols, labels + r, 0.5f, &hits2);
        T_TRUE(got == want || (isnan(got) && isnan(want)));
        T_EQ("hits", hits, hits2);
        T_EQ("gradient", memcmp(together, apart, sizeof apart), 0);
    }
}

static void extreme_logits_stay_finite_and_broken_ones_do_not(void)
{
    float far[3] = { 3e4f, -3e4f, 0 }, broken[3] = { 0, NAN, 1 };
    int32_t label = 1;
    uint64_t hits = 0;

    T_NEAR("far", asy_softmax_loss(1, 3, far, &label, 1, &hits), 6e4, 1e-2);
    T_TRUE(isnan(asy_softmax_loss(1, 3, broken, &label, 1, &hits)));
    T_EQ("no hit", hits, 0);
}

static void optimisers_match_their_plain_twins(void)
{
    static const struct asy_sgd sgds[] = {
        { 0.1f, 0, 0, 0 },
        { 0.1f, 0, 0.01f, 0 },
        { 0.1f, 0.9f, 0.01f, 0 },
        { 0.1f, 0.9f, 0.01f, 1 },
    };
    static const struct asy_adam adams[] = {
        { 0.01, 0.9, 0.999, 1e-8, 0 }, { 0.01, 0.8, 0.99, 1e-6, 0.1 },
    };
    static float w[MOST], w2[MOST], g[MOST], m[MOST], m2[MOST], v[MOST], v2[MOST];
    size_t n = MOST - 3;

    for (size_t i = 0; i < ASY_ARRAY_LEN(sgds) + ASY_ARRAY_LEN(adams); i++) {
        fill(w, n, 1);
        memcpy(w2, w, sizeof w);
        memset(m, 0, sizeof m), memset(m2, 0, sizeof m), memset(v, 0, sizeof v);
        memset(v2, 0, sizeof v);
        for (uint64_t step = 1; step <= 5; step++) {
            fill(g, n, 1);
            if (i < ASY_ARRAY_LEN(sgds)) {
                asy_sgd_step(&sgds[i], n, w, g, m);
                asy_sgd_step_ref(&sgds[i], n, w2, g, m2);
            } else {
                asy_adam_step(&adams[i - ASY_ARRAY_LEN(sgds)], step, n, w, g, m, v);
                asy_adam_step_ref(&adams[i - ASY_ARRAY_LEN(sgds)], step, n, w2, g, m2, v2);
            }
        }
        near("w", w, w2, n, 1e-5); /* five steps of a few roundings; 1 - beta2 is 3e-5 off */
        near("m", m, m2, n, 1e-5);
        near("v", v, v2, n, 1e-4);
    }
}

static void column_sums_match_their_plain_twin(void)
{
    static float x[MOST], got[70], want[70];

    fill(x, 70 * 69, 1);
    asy_column_sums(70, 69, x, got);
    asy_column_sums_ref(70, 69, x, want);
    near("sums", got, want, 69, 1e-5);
}

static void rows_are_added_in_their_order(void)
{
    static float x[9][2500], want[2500], got[2500];
    const float *rows[9] = { x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7], x[8] };

    for (size_t n_rows = 1; n_rows <= 9; n_rows++)
        for (size_t n = 1; n <= 2500; n = n * 3 + 1) {
            for (size_t r = 0; r < 9; r++)
                fill(x[r], n, r == 0 ? 1 : 0x1p-24f); /* another order has other bits */
            asy_sum_rows_ref(n_rows, n, rows, want);
            asy_sum_rows(n_rows, n, rows, got);
            T_EQ("bits", memcmp(got, want, n * sizeof *got), 0);
            asy_sum_rows(n_rows, n, rows, x[n_rows - 1]);
            T_EQ("bits in the place of a row", memcmp(x[n_rows - 1], want, n * sizeof *got), 0);
        }
}

/* One set's answers to a fixed task, all in one array. */
static size_t answers(const struct asy__fused *set, float *out)
{
    static float bias[67], z[67 * 13], dy[67 * 13], x[67 * 13], w[3 * 67], state[6 * 67];
    static const struct asy_sgd sgd = { 0.1f, 0.9f, 0.01f, 1 };
    static const struct asy_adam adam = { 0.01, 0.9, 0.999, 1e-8, 0.1 };
    struct asy__adam_step constants = asy__adam_constants(&adam, 3);
    static const struct asy_block block = { 1, 67, 67, 67 };
    int32_t labels[13];
    uint64_t hits = 0;
    float *o = out;

    asy_rng_init(&rng, 5, 0, ASY_RNG_SIM);
    for (int act = 0; act < ASY_ACT_EACH; act++) {
        fill(z, 67 * 13, 3), fill(bias, 67, 1), fill(dy, 67 * 13, 1);
        set->bias_act(act, 13, 67, bias, z, o);
        set->bias_act_grad(act, 13, 67, z, o, dy, o + 67 * 13);
        o += 67 * 14;
        memcpy(o, dy, sizeof dy);
        o += 67 * 13;
        set->act((enum asy_act)act, 67, z, o);
        set->act_grad((enum asy_act)act, 67, z, dy, o + 67);
        o += 2 * 67;
    }
    fill(x, 67 * 13, 4);
    set->softmax(13, 67, x, o);
    set->softmax_grad(13, 67, o, dy, o + 67 * 13);
    o += 2 * 67 * 13;
    set->dropout(&(struct asy_dropout){ 7, 8, 9, 0.5f }, 99, 67 * 13, x, o);
    o += 67 * 13;
    for (int i = 0; i < 13; i++)
        labels[i] = i;
    *o++ = (float)set->softmax_loss(13, 67, x, labels, 0.5f, &hits);
    memcpy(o, x, sizeof x);
    o += 67 * 13;
    set->column_sums(13, 67, x, o);
    o += 67;
    set->sum_rows(2, 67, (const float *const[]){ x, dy }, o);
    o += 67;
    fill(w, 3 * 67, 1);
    memset(state, 0, sizeof state);
    set->sgd_block(&sgd, &block, w, w + 67, state);
    set->adam_block(&constants, &block, w, w + 67, state + 67, state + 134);
    memcpy(o, w, 67 * sizeof *w);
    return (size_t)(o + 67 - out);
}

static void instruction_sets_agree_to_the_bit(void)
{
    static float base[24000], other[24000];
    size_t n = answers(&asy__fused_base, base);

    T_TRUE(n < ASY_ARRAY_LEN(base));
    answers(asy__fused_get(), other);
    T_EQ("bits of the set in use", memcmp(base, other, n * sizeof *base), 0);
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) {
        answers(&asy__fused_avx2, other);
        T_EQ("bits of avx2", memcmp(base, other, n * sizeof *base), 0);
    }
#endif
}

static void *half_of_the_least(void *arg)
{
    volatile float least = FLT_MIN, half;

    if (arg)
        asy_kernels_flush_denormals();
    half = least * 0.5f;
    return half > 0 ? arg : (void *)&rng; /* anything else */
}

/* On a thread of its own, so that the other tests keep theirs. */
static void denormals_are_flushed_where_that_is_asked(void)
{
#if defined(__x86_64__) || defined(__aarch64__)
    static int asked;
    pthread_t thread;
    void *got;

    for (int i = 0; i < 2; i++) {
        void *arg = i ? &asked : NULL;

        if (!T_EQ("a thread", pthread_create(&thread, NULL, half_of_the_least, arg), 0))
            return;
        pthread_join(thread, &got);
        T_EQ(i ? "asked" : "not asked", got == arg, !i);
    }
#endif
}

int main(void)
{
    static const struct t_test tests[] = {
        T_TEST(products_match_their_plain_twins),
        T_TEST(activations_match_their_plain_twins),
        T_TEST(activations_by_themselves_match_their_plain_twins),
        T_TEST(softmax_matches_its_plain_twin),
        T_TEST(slopes_of_the_softmax_match_differences),
        T_TEST(dropout_matches_its_plain_twin), T_TEST(slopes_match_differences),
        T_TEST(exp_and_tanh_keep_their_stated_error),
        T_TEST(gelu_keeps_its_stated_error),
        T_TEST(nan_stays_nan),
        T_TEST(losses_match_their_plain_twins),
        T_TEST(losses_of_rows_do_not_depend_on_those_beside_them),
        T_TEST(extreme_logits_stay_finite_and_broken_ones_do_not),
        T_TEST(optimisers_match_their_plain_twins),
        T_TEST(column_sums_match_their_plain_twin),
        T_TEST(rows_are_added_in_their_order),
        T_TEST(instruction_sets_agree_to_the_bit),
        T_TEST(denormals_are_flushed_where_that_is_asked),
    };

    asy_kernels_init();
    asy_rng_init(&rng, 1, 0, ASY_RNG_SIM);
    return t__main("kernels", tests, ASY_ARRAY_LEN(tests));
}
