/* SPDX-License-Identifier: Apache-2.0
 * Batch normalisation: every instruction set gives the same bits, near to the plain twins; a batch
 * in two parts gives what one in a piece does; gradients match differences. */
#include <asytest.h>
#include <math.h>
#include <stdlib.h>
#include <asy/kernels.h>
#include <asy/rng.h>
#include "batch_norm.h"

#define EPSILON 1e-5f
#define ROWS 37
#define WIDE 70

static struct asy_rng rng;
static const struct asy__batch *const all_sets[] = {
    &asy__batch_base,
#if defined(__x86_64__)
    &asy__batch_avx2,
    &asy__batch_avx512,
#endif
};

static int is_here(const struct asy__batch *isa)
{
#if defined(__x86_64__)
    if (isa == &asy__batch_avx2)
        return __builtin_cpu_supports("avx2") != 0;
    if (isa == &asy__batch_avx512)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512vl");
#endif
    return isa == &asy__batch_base;
}

static float x[ROWS * WIDE], dy[ROWS * WIDE], scale[WIDE], shift[WIDE];

static void fill(void)
{
    for (size_t i = 0; i < ROWS * WIDE; i++) {
        x[i] = (float)asy_rng_normal(&rng) * 2 + 30;
        dy[i] = (float)asy_rng_normal(&rng);
    }
    for (size_t i = 0; i < WIDE; i++) {
        scale[i] = (float)asy_rng_normal(&rng);
        shift[i] = (float)asy_rng_normal(&rng);
    }
}

static void near(const char *name, size_t n, const float *got, const float *want, double within)
{
    double worst = 0;

    for (size_t i = 0; i < n; i++)
        worst = fmax(worst, fabs((double)got[i] - (double)want[i]));
    T_NEAR(name, worst, 0, within);
}

/* Within the roundings of some units at a mean of 30. */
static void every_set_gives_the_same_bits_near_the_plain_twins(void)
{
    static const size_t widths[] = { 1, 7, 16, 33, WIDE };

    fill();
    for (size_t w = 0; w < ASY_ARRAY_LEN(widths); w++) {
        size_t n = widths[w];
        double sums[2 * WIDE + 1], plain[2 * WIDE + 1], first[2 * WIDE + 1];
        float stats[2 * WIDE + 1], y[ROWS * WIDE], want[ROWS * WIDE], of_base[ROWS * WIDE];

        asy_batch_sums_ref(ROWS, n, x, plain);
        asy_batch_stats(n, EPSILON, plain, stats, NULL, NULL);
        for (size_t s = 0; s < ASY_ARRAY_LEN(all_sets); s++) {
            const struct asy__batch *isa = all_sets[s];

            if (!is_here(isa))
                continue;
            isa->sums(ROWS, n, x, sums);
            T_EQ(isa->name, memcmp(sums, plain, (2 * n + 1) * sizeof *sums), 0);
            isa->norm(ROWS, n, x, stats, scale, shift, y);
            asy_batch_norm_ref(ROWS, n, x, stats, scale, shift, want);
            near(isa->name, ROWS * n, y, want, 2e-5);
            if (s == 0)
                memcpy(of_base, y, sizeof of_base);
            T_EQ(isa->name, memcmp(of_base, y, ROWS * n * sizeof *y), 0);
            isa->grad_sums(ROWS, n, dy, x, stats, sums);
            if (s == 0)
                memcpy(first, sums, sizeof first);
            T_EQ(isa->name, memcmp(first, sums, (2 * n + 1) * sizeof *sums), 0);
            isa->norm_grad(ROWS, n, dy, x, stats, scale, sums, y);
            asy_batch_norm_grad_ref(ROWS, n, dy, x, stats, scale, sums, want);
            near(isa->name, ROWS * n, y, want, 2e-5);
        }
    }
}

static void a_batch_may_lie_in_two_places(void)
{
    enum { N = 21, SOME = 14 };
    double whole[2 * N + 1], parts[2][2 * N + 1];

    fill();
    asy_batch_sums(ROWS, N, x, whole);
    asy_batch_sums(SOME, N, x, parts[0]);
    asy_batch_sums(ROWS - SOME, N, x + SOME * N, parts[1]);
    for (size_t i = 0; i < 2 * N + 1; i++)
        T_NEAR("sum", parts[0][i] + parts[1][i], whole[i], 1e-9 * fabs(whole[i]));
    asy_batch_sums(0, N, x, parts[0]);
    for (size_t i = 0; i < 2 * N + 1; i++)
        T_TRUE(parts[0][i] == 0);
}

/* The sum of outputs, each weighed by dy. */
static double weighed(size_t n)
{
    double sums[2 * WIDE + 1], sum = 0;
    float stats[2 * WIDE + 1], y[ROWS * WIDE];

    asy_batch_sums_ref(ROWS, n, x, sums);
    asy_batch_stats(n, EPSILON, sums, stats, NULL, NULL);
    asy_batch_norm_ref(ROWS, n, x, stats, scale, shift, y);
    for (size_t i = 0; i < ROWS * n; i++)
        sum += (double)y[i] * (double)dy[i];
    return sum;
}

static double slope(size_t n, float *at, float by)
{
    float was = *at;
    double more, less;

    *at = was + by;
    more = weighed(n);
    *at = was - by;
    less = weighed(n);
    *at = was;
    return (more - less) / (2 * (double)by);
}

/* Outputs are floats, so differences over a step of 1/16 have some 1e-4 of rounding, and as much of
 * curvature. */
static void gradients_match_differences(void)
{
    enum { N = 5 };
    double sums[2 * N + 1];
    float stats[2 * N + 1], dx[ROWS * N];

    fill();
    asy_batch_sums(ROWS, N, x, sums);
    asy_batch_stats(N, EPSILON, sums, stats, NULL, NULL);
    asy_batch_grad_sums(ROWS, N, dy, x, stats, sums);
    asy_batch_norm_grad(ROWS, N, dy, x, stats, scale, sums, dx);
    for (size_t i = 0; i < ROWS * N; i += 7)
        T_NEAR("dx", slope(N, &x[i], 0.0625f), (double)dx[i], 2e-3);
    for (size_t i = 0; i < N; i++) {
        T_NEAR("dshift", slope(N, &shift[i], 0.5f), sums[i], 1e-3);
        T_NEAR("dscale", slope(N, &scale[i], 0.5f), sums[N + i], 1e-3);
    }
}

static void running_statistics_move(void)
{
    const float rows[] = { 1, 2, 3, 6 };
    float mean = 1, variance = 2, stats[3];
    double sums[3];

    asy_batch_sums(4, 1, rows, sums);
    asy_batch_stats(1, 0, sums, stats, &mean, &variance);
    T_NEAR("mean", (double)stats[0], 3, 0);
    T_NEAR("one by the deviation", (double)stats[1], 1 / sqrt(3.5), 1e-7);
    T_NEAR("running mean", (double)mean, 1.2, 1e-7);
    T_NEAR("running variance", (double)variance, 2 + 0.1 * (14.0 / 3 - 2), 1e-6);
    asy_batch_stats_of(1, 1, &mean, &variance, stats);
    T_NEAR("mean of them", (double)stats[0], 1.2, 1e-7);
    T_NEAR("deviation of them", (double)stats[1], 1 / sqrt(1 + (double)variance), 1e-7);
}

static void no_rows_move_nothing(void)
{
    float mean = 1, variance = 2, stats[3];
    double sums[3];

    asy_batch_sums(0, 1, x, sums);
    asy_batch_stats(1, 0.25f, sums, stats, &mean, &variance);
    T_NEAR("mean", (double)stats[0], 0, 0);
    T_NEAR("one by the deviation", (double)stats[1], 2, 1e-7);
    T_NEAR("rows", (double)stats[2], 0, 0);
    T_NEAR("running mean", (double)mean, 1, 0);
    T_NEAR("running variance", (double)variance, 2, 0);
}

int main(void)
{
    static const struct t_test tests[] = {
        T_TEST(every_set_gives_the_same_bits_near_the_plain_twins),
        T_TEST(a_batch_may_lie_in_two_places),
        T_TEST(gradients_match_differences),
        T_TEST(running_statistics_move),
        T_TEST(no_rows_move_nothing),
    };

    asy_kernels_init();
    asy_rng_init(&rng, 4, 0, ASY_RNG_SIM);
    return t__main("batch_norm", tests, ASY_ARRAY_LEN(tests));
}
