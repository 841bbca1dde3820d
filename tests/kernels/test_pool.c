/* SPDX-License-Identifier: Apache-2.0
 * Pooling: every instruction set gives the bits of the plain twins, or near ones where those sum in
 * double precision; gradients spread what they are given. */
#include <asytest.h>
#include <math.h>
#include <stdlib.h>
#include <asy/kernels.h>
#include <asy/rng.h>
#include "pool.h"

static struct asy_rng rng;
static const struct asy__pool *const all_sets[] = {
    &asy__pool_base,
#if defined(__x86_64__)
    &asy__pool_avx2,
    &asy__pool_avx512,
#endif
};

static int is_here(const struct asy__pool *isa)
{
#if defined(__x86_64__)
    if (isa == &asy__pool_avx2)
        return __builtin_cpu_supports("avx2") != 0;
    if (isa == &asy__pool_avx512)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512vl");
#endif
    return isa == &asy__pool_base;
}

static float *numbers(size_t n)
{
    float *x = malloc(n * sizeof *x + 1);

    for (size_t i = 0; x && i < n; i++) /* few values: some windows have the greatest twice */
        x[i] = (float)((double)asy_rng_below(&rng, 40) / 8 - 2);
    return x;
}

/* h, w, channels, size, stride, pad */
static const struct asy_pool shapes[] = {
    { 1, 1, 1, 1, 1, 0 }, { 4, 6, 16, 2, 2, 0 }, { 5, 7, 3, 2, 2, 0 }, { 6, 6, 70, 3, 2, 1 },
    { 5, 4, 9, 3, 1, 1 }, { 7, 7, 5, 2, 3, 0 },  { 8, 9, 2, 4, 4, 2 }, { 15, 15, 1, 15, 1, 7 },
};

struct operands {
    size_t x_n, y_n;
    float *x, *y, *dx, *got, *want;
    uint8_t *from, *wanted;
};

static bool operands_init(struct operands *o, const struct asy_pool *p, size_t rows)
{
    o->x_n = rows * p->h * p->w * p->channels;
    o->y_n = rows * asy_pool_h(p) * asy_pool_w(p) * p->channels;
    o->x = numbers(o->x_n);
    o->y = numbers(o->y_n);
    o->dx = numbers(o->x_n);
    o->got = numbers(o->x_n > o->y_n ? o->x_n : o->y_n);
    o->want = numbers(o->x_n > o->y_n ? o->x_n : o->y_n);
    o->from = malloc(o->y_n);
    o->wanted = malloc(o->y_n);
    return T_TRUE(o->x && o->y && o->dx && o->got && o->want && o->from && o->wanted);
}

static void operands_fini(struct operands *o)
{
    free(o->x);
    free(o->y);
    free(o->dx);
    free(o->got);
    free(o->want);
    free(o->from);
    free(o->wanted);
}

static void near(const char *set, const char *what, size_t shape, size_t n, const float *got,
                 const float *want, double within)
{
    for (size_t i = 0; i < n; i++) {
        double off = fabs((double)got[i] - (double)want[i]);

        if (!(off <= within) && !(isnan(got[i]) && isnan(want[i]))) {
            t__check(false, __LINE__, __FILE__, "%s: %s of shape %zu: [%zu] is %g, not %g", set,
                     what, shape, i, (double)got[i], (double)want[i]);
            return;
        }
    }
}

static void every_set_pools_as_the_plain_twins(void)
{
    const double rounding = 1e-5; /* of means of some numbers of some units */

    for (size_t s = 0; s < ASY_ARRAY_LEN(shapes) * ASY_ARRAY_LEN(all_sets); s++) {
        const struct asy_pool *p = &shapes[s / ASY_ARRAY_LEN(all_sets)];
        const struct asy__pool *isa = all_sets[s % ASY_ARRAY_LEN(all_sets)];
        size_t shape = s / ASY_ARRAY_LEN(all_sets), rows = 3;
        struct operands o;

        if (is_here(isa) && operands_init(&o, p, rows)) {
            o.x[o.x_n / 2] = NAN;
            isa->max(p, rows, o.x, o.got, o.from);
            asy_max_pool_ref(p, rows, o.x, o.want, o.wanted);
            near(isa->name, "max", shape, o.y_n, o.got, o.want, 0);
            T_TRUE(memcmp(o.from, o.wanted, o.y_n) == 0);
            isa->max_grad(p, rows, o.y, o.from, o.got);
            asy_max_pool_grad_ref(p, rows, o.y, o.from, o.want);
            near(isa->name, "max_grad", shape, o.x_n, o.got, o.want, 0);
            isa->mean(p, rows, o.x, o.got);
            asy_mean_pool_ref(p, rows, o.x, o.want);
            near(isa->name, "mean", shape, o.y_n, o.got, o.want, rounding);
            isa->mean_grad(p, rows, o.y, o.got);
            asy_mean_pool_grad_ref(p, rows, o.y, o.want);
            near(isa->name, "mean_grad", shape, o.x_n, o.got, o.want, rounding);
            isa->global_mean(rows, p->h * p->w, p->channels, o.x, o.got);
            asy_global_mean_ref(rows, p->h * p->w, p->channels, o.x, o.want);
            near(isa->name, "global", shape, rows * p->channels, o.got, o.want, rounding);
            isa->global_mean_grad(rows, p->h * p->w, p->channels, o.y, o.got);
            asy_global_mean_grad_ref(rows, p->h * p->w, p->channels, o.y, o.want);
            near(isa->name, "global_grad", shape, o.x_n, o.got, o.want, rounding);
        }
        if (is_here(isa))
            operands_fini(&o);
    }
}

/* The plain twins against what they are the gradients of: weighing outputs by dy is linear where
 * the greatest stay the same, so small steps find the slope but for rounding. */
static void gradients_are_those_of_the_outputs(void)
{
    for (size_t s = 0; s < 2 * ASY_ARRAY_LEN(shapes); s++) {
        const struct asy_pool *p = &shapes[s / 2];
        int max = s % 2;
        struct operands o;

        if (operands_init(&o, p, 1)) {
            for (size_t i = 0; i < o.x_n; i++) /* no two alike */
                o.x[i] = (float)((double)(i * 7919 % o.x_n) / 16);
            if (max) {
                asy_max_pool_ref(p, 1, o.x, o.got, o.from);
                asy_max_pool_grad_ref(p, 1, o.y, o.from, o.dx);
            } else {
                asy_mean_pool_grad_ref(p, 1, o.y, o.dx);
            }
            for (size_t j = 0; j < 10; j++) {
                size_t at = asy_rng_below(&rng, o.x_n);
                float was = o.x[at];
                double sums[2] = { 0, 0 };

                for (int side = 0; side < 2; side++) {
                    o.x[at] = was + (side ? 0.015625f : -0.015625f);
                    if (max)
                        asy_max_pool_ref(p, 1, o.x, o.got, o.from);
                    else
                        asy_mean_pool_ref(p, 1, o.x, o.got);
                    for (size_t i = 0; i < o.y_n; i++)
                        sums[side] += (double)o.got[i] * (double)o.y[i];
                }
                o.x[at] = was;
                T_NEAR(max ? "max" : "mean", (sums[1] - sums[0]) / 0.03125, (double)o.dx[at], 2e-2);
            }
        }
        operands_fini(&o);
    }
}

int main(void)
{
    static const struct t_test tests[] = {
        T_TEST(every_set_pools_as_the_plain_twins),
        T_TEST(gradients_are_those_of_the_outputs),
    };

    asy_kernels_init();
    asy_rng_init(&rng, 2, 0, ASY_RNG_SIM);
    return t__main("pool", tests, ASY_ARRAY_LEN(tests));
}
