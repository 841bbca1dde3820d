/* SPDX-License-Identifier: Apache-2.0
 * test_gp_model.c - the parts of the gp sampler: likelihood and acquisition against finite
 * differences, predictions against textbook formulas, L-BFGS, coordinates, warped values. */
#include <asy/la.h>
#include <asy/rng.h>
#include "asytest.h"
#include "gp_acq.h"
#include "gp_data.h"
#include "gp_warp.h"
#include "lbfgs.h"
#include "logei.h"

enum { D = 4, N = 40 };
static const struct asy__gp_dim dims[D] = {
    { .kind = ASY__GP_REAL, .width = 1 },
    { .kind = ASY__GP_CATEGORY, .width = 1, .n_values = 3 },
    { .kind = ASY__GP_GRID, .width = 1, .n_values = 5 },
    { .kind = ASY__GP_REAL, .width = 1 },
};
static const double theta[D + 2] = { 1.2, -0.5, 0.3, 2.1, 0.4, -4 };

static void draw_row(struct asy_rng *rng, double *u)
{
    for (size_t j = 0; j < D; j++)
        u[j] = dims[j].kind == ASY__GP_CATEGORY ? (double)asy_rng_below(rng, 3)
                                                : asy_rng_double(rng);
}

/* N rows, y of them. */
static void fill(struct asy__gp *gp, double *y)
{
    struct asy_rng rng;

    if (!T_TRUE(asy__gp_init(gp, dims, D) == 0 && asy__gp_reserve(gp, N) == 0))
        abort();
    asy_rng_init(&rng, 3, 1, ASY_RNG_SIM);
    for (size_t i = 0; i < N; i++) {
        double u[D];

        draw_row(&rng, u);
        asy__gp_push(gp, u);
        y[i] = sin(5 * u[0]) + 0.5 * u[1] - u[2] * u[3] + 0.05 * asy_rng_normal(&rng);
    }
    asy__gp_set_theta(gp, theta);
}

/* Central differences with h = 1e-5: error about h^2 and 1e-16 |loss| / h, both below 1e-8 of the
 * numbers here, which are at most 1000. */
static void likelihood_has_its_gradient(void)
{
    struct asy__gp gp;
    double y[N], at[D + 2], gradient[D + 2], unused[D + 2];
    double *work;

    fill(&gp, y);
    if (!(work = malloc((N * (gp.cap + 2) + D) * sizeof *work)))
        abort();
    asy__gp_loss(&gp, y, work, gradient);
    for (size_t j = 0; j < D + 2; j++) {
        double f[2];

        for (int k = 0; k < 2; k++) {
            memcpy(at, theta, sizeof at);
            at[j] += k ? 1e-5 : -1e-5;
            asy__gp_set_theta(&gp, at);
            f[k] = asy__gp_loss(&gp, y, work, unused);
        }
        T_NEAR("gradient", gradient[j], (f[1] - f[0]) / 2e-5, 1e-5);
    }
    free(work);
    asy__gp_fini(&gp);
}

static void a_fit_ends_where_the_gradient_does(void)
{
    struct asy__gp gp;
    double y[N], start[D + 2], gradient[D + 2], loss, found, *work;

    fill(&gp, y);
    if (!(work = malloc((N * (gp.cap + 2) + D) * sizeof *work)))
        abort();
    loss = asy__gp_loss(&gp, y, work, gradient);
    asy__gp_fit_start(D, start);
    T_EQ("fit", asy__gp_fit(&gp, y, start, &found), 0);
    T_TRUE(found < loss && asy__gp_loss(&gp, y, work, gradient) == found);
    for (size_t j = 0; j < D + 2; j++)
        T_NEAR("gradient", gradient[j], 0, 0.2); /* of a loss of about 1 per row */
    free(work);
    asy__gp_fini(&gp);
}

/* Mean and variance from K^-1, by a plain elimination; the improvement from them. */
static void acquisition_is_what_the_formulas_say(void)
{
    enum { PATHS = 2 };
    struct asy__gp gp;
    double y[N], alpha[PATHS * N], v[N], k[N], dk[N];
    double best[PATHS] = { -0.5, -0.2 }, u[D] = { 0.3, 1, 0.6, 0.2 };
    double *work = malloc(ASY__GP_WORK(N) * sizeof *work), value, sum = 0, variance;
    struct asy__gp_acq acq = { .objective = &gp, .n_paths = PATHS, .alpha = alpha, .best = best,
                               .work = work };

    fill(&gp, y);
    if (!work || !T_TRUE(asy__gp_factor(&gp) == 0))
        abort();
    for (size_t s = 0; s < PATHS; s++) {
        for (size_t i = 0; i < N; i++)
            alpha[s * N + i] = y[i] * (1 + (double)s);
        asy_la_solve_lower(N, gp.l, gp.cap, alpha + s * N);
        asy_la_solve_lower_t(N, gp.l, gp.cap, alpha + s * N);
    }
    asy__gp_covariances(&gp, u, N, k, dk);
    memcpy(v, k, sizeof v);
    asy_la_solve_lower(N, gp.l, gp.cap, v);
    variance = exp(theta[D]) - asy_la_dot(N, v, v);
    for (size_t s = 0; s < PATHS; s++) {
        double z = (best[s] - asy_la_dot(N, k, alpha + s * N)) / sqrt(variance);

        sum += sqrt(variance) * (exp(-z * z / 2) / sqrt(2 * M_PI) + z * erfc(-z / sqrt(2)) / 2);
    }
    asy__gp_acq_eval(&acq, 1, u, &value, NULL);
    T_NEAR("value", value, log(sum / PATHS), 1e-9); /* the condition is about 1e5 */
    free(work);
    asy__gp_fini(&gp);
}

/* As above: h = 1e-6, values of about 10. */
static void acquisition_has_its_gradient(void)
{
    enum { PATHS = 3, POINTS = 37 };
    struct asy__gp gp, constraint;
    double y[N], c[N], alpha[PATHS * N], feasible_alpha[N], best[PATHS] = { -0.5, -1.5, -3 };
    double u[POINTS * D], values[POINTS], gradients[POINTS * D];
    double *work = malloc(ASY__GP_WORK(N) * sizeof *work);
    struct asy__gp_acq acq = { .objective = &gp, .n_paths = PATHS, .alpha = alpha, .best = best,
                               .feasible = &constraint, .feasible_alpha = feasible_alpha,
                               .work = work };
    struct asy_rng rng;

    fill(&gp, y);
    fill(&constraint, c);
    if (!work || !T_TRUE(asy__gp_factor(&gp) == 0 && asy__gp_factor(&constraint) == 0))
        abort();
    for (size_t i = 0; i < N; i++) {
        feasible_alpha[i] = c[i];
        for (size_t s = 0; s < PATHS; s++)
            alpha[s * N + i] = y[i] + 0.1 * (double)(s * i % 5);
    }
    asy_rng_init(&rng, 4, 1, ASY_RNG_SIM);
    for (size_t p = 0; p < POINTS; p++)
        draw_row(&rng, u + p * D);
    asy__gp_acq_eval(&acq, POINTS, u, values, gradients);
    for (size_t p = 0; p < POINTS; p++)
        for (size_t j = 0; j < D; j++) {
            double f[2], at[D];

            if (dims[j].kind == ASY__GP_CATEGORY) {
                T_TRUE(gradients[p * D + j] == 0);
                continue;
            }
            for (int k = 0; k < 2; k++) {
                memcpy(at, u + p * D, sizeof at);
                at[j] += k ? 1e-6 : -1e-6;
                asy__gp_acq_eval(&acq, 1, at, &f[k], NULL);
            }
            T_NEAR("gradient", gradients[p * D + j] / (1 + fabs(values[p])),
                   (f[1] - f[0]) / 2e-6 / (1 + fabs(values[p])), 1e-4);
        }
    free(work);
    asy__gp_fini(&gp);
    asy__gp_fini(&constraint);
}

/* ---- L-BFGS -------------------------------------------------------------------------------- */

static double rosenbrock(size_t d, const double *x, double *g)
{
    double sum = 0;

    memset(g, 0, d * sizeof *g);
    for (size_t i = 0; i + 1 < d; i++) {
        double a = x[i + 1] - x[i] * x[i], b = 1 - x[i];

        sum += 100 * a * a + b * b;
        g[i] -= 400 * a * x[i] + 2 * b;
        g[i + 1] += 200 * a;
    }
    return sum;
}

static void lbfgs_finds_minima_in_the_box_and_on_its_walls(void)
{
    static const struct { const char *name; double lo, hi, want; } cases[] = {
        { "inside", -5, 5, 1 }, { "a wall", -5, 0.5, 0.5 }, { "a single point", 0.3, 0.3, 0.3 },
    };
    static const struct asy__lbfgs_rule rule = { .evaluations_max = 500, .gradient = 1e-7,
                                                 .gain = 0, .step_max = 1 };

    for (size_t c = 0; c < ASY_ARRAY_LEN(cases); c++) {
        enum { DIM = 6 };
        struct asy__lbfgs o;
        double start[DIM], g[DIM], f;

        if (!T_TRUE(asy__lbfgs_init(&o, DIM) == 0))
            continue;
        for (size_t i = 0; i < DIM; i++) {
            o.lo[i] = cases[c].lo;
            o.hi[i] = cases[c].hi;
            o.size[i] = 0.01;
            start[i] = cases[c].lo;
        }
        asy__lbfgs_start(&o, &rule, start);
        do {
            for (size_t i = 0; i < DIM; i++)
                T_TRUE(o.trial[i] >= o.lo[i] && o.trial[i] <= o.hi[i]);
            f = rosenbrock(DIM, o.trial, g);
        } while (asy__lbfgs_tell(&o, f, g));
        T_NEAR(cases[c].name, o.x[0], cases[c].want, 1e-4);
        T_TRUE(o.evaluations < 200);
        T_TRUE(o.f == rosenbrock(DIM, o.x, g));
        asy__lbfgs_fini(&o);
    }
}

static void lbfgs_steps_back_from_what_is_not_finite(void)
{
    static const struct asy__lbfgs_rule rule = { .evaluations_max = 100, .gradient = 1e-8,
                                                 .gain = 0, .step_max = 10 };
    struct asy__lbfgs o;
    double start = 4, g, f;

    if (!T_TRUE(asy__lbfgs_init(&o, 1) == 0))
        return;
    o.lo[0] = -10;
    o.hi[0] = 10;
    o.size[0] = 1;
    asy__lbfgs_start(&o, &rule, &start);
    do { /* x - log x, which is not there below 0 */
        f = o.trial[0] > 0 ? o.trial[0] - log(o.trial[0]) : o.trial[0] < -5 ? NAN : INFINITY;
        g = 1 - 1 / o.trial[0];
    } while (asy__lbfgs_tell(&o, f, &g));
    T_NEAR("minimum", o.x[0], 1, 1e-6);
    asy__lbfgs_fini(&o);
}

/* ---- values -------------------------------------------------------------------------------- */

static void warping_keeps_the_order(void)
{
    double y[64], t[64], mean = 0, square = 0;
    struct asy_rng rng;

    asy_rng_init(&rng, 6, 1, ASY_RNG_SIM);
    for (size_t i = 0; i < 64; i++)
        y[i] = i % 7 == 3 ? 1e12 : exp(12 * asy_rng_normal(&rng));
    asy__gp_warp(64, y, 0.5, t);
    for (size_t i = 0; i < 64; i++) {
        mean += t[i] / 64;
        square += t[i] * t[i] / 64;
        for (size_t k = 0; k < 64; k++)
            T_TRUE(y[i] < y[k] ? t[i] < t[k] : y[i] > y[k] || t[i] == t[k]);
    }
    T_NEAR("mean", mean, 0, 1e-12);
    T_NEAR("variance", square, 1, 1e-12);
    for (size_t i = 0; i < 64; i++)
        y[i] = 3;
    asy__gp_warp(64, y, 0.5, t);
    for (size_t i = 0; i < 64; i++)
        T_TRUE(t[i] == 0);
    for (size_t i = 0; i < 64; i++)
        y[i] = (double)i;
    for (double knee = 0.01; knee < 1e3; knee *= 3) { /* v = i / 31.5 */
        double slopes = asy__gp_warp(64, y, knee, t), w[64], sum = 0, by;

        for (size_t i = 0; i < 64; i++) {
            double v = (double)i / 31.5;

            w[i] = v > knee ? knee * (1 + log(v / knee)) : v;
            sum += v > knee ? log(knee / v) : 0;
        }
        by = (w[63] - w[0]) / (t[63] - t[0]);
        for (size_t i = 0; i < 64; i++)
            T_NEAR("shape", (t[i] - t[0]) * by, w[i] - w[0], 1e-12);
        T_NEAR("slopes", slopes, sum - 64 * log(by), 1e-10);
    }
    asy__gp_warp(0, y, 1, t);
    asy__gp_warp(1, y, 1, t);
    T_TRUE(t[0] == 0);
}

/* Over a gap so small the quotient is no number that there is. */
static void warping_bears_a_value_far_off(void)
{
    static const double y[] = { 0, 1e-10, 1e-10, 1e300 };
    double t[ASY_ARRAY_LEN(y)];

    for (int linear = 0; linear < 2; linear++) {
        asy__gp_warp(ASY_ARRAY_LEN(y), y, linear ? INFINITY : 1, t);
        T_TRUE(t[0] <= t[1] && t[1] == t[2] && t[2] < t[3] && isfinite(t[3]));
        T_TRUE(linear || t[0] < t[1]);
    }
}

/* Ten trials, the value of number k being 7 k mod 10; numbers 3 and 6 are infeasible, 2 runs. */
static void a_view_keeps_the_best_and_the_latest(void)
{
    static const uint64_t want[] = { 0, 7, 8, 9, 2 };
    struct asy__gp_data data = { .d = 1 };
    struct asy__gp_view view;

    for (uint64_t k = 10; k-- > 0;) {
        struct asy__gp_trial trial = { .number = k, .state = ASY__GP_VALUE,
                                       .y = (double)(7 * k % 10),
                                       .violation = k % 3 == 0 && k % 9 };

        if (k == 2)
            trial = (struct asy__gp_trial){ .number = k, .running = 1 };
        if (!T_EQ("room", asy__gp_data_reserve(&data), 0))
            goto out;
        asy__gp_data_put(&data, &trial, &(double){ 0.1 * (double)k });
    }
    if (!T_EQ("view", asy__gp_view_init(&view, &data, 99), 0))
        goto out;
    T_EQ("finished", view.n_finished, 9);
    asy__gp_view_warp(&view, 9, 1);
    asy__gp_view_limit(&view, 4); /* 0 and 3 are the values of 0 and 9; then 8 and 7 */
    T_EQ("finished", view.n_finished, 4);
    T_EQ("all", view.n, 5);
    for (size_t i = 0; i < 5; i++) {
        T_EQ("number", view.trials[i]->number, want[i]);
        T_TRUE(view.us[i][0] == 0.1 * (double)want[i]);
    }
    asy__gp_view_fini(&view);
out:
    asy__gp_data_fini(&data);
}

static void improvement_falls_smoothly_for_ever(void)
{
    double last = asy__log_h(40, &(double){ 0 }), slope;

    for (double z = 39.9; z > -1e6; z = z > -50 ? z - 0.1 : 1.3 * z) {
        double now = asy__log_h(z, &slope);

        T_TRUE(isfinite(now) && now < last && isfinite(slope) && slope > 0);
        last = now;
    }
}

/* 1e-13: from -2.5 down the fraction is exact, above it a tenth is left of what is subtracted. */
static void improvement_is_that_of_fifty_digits(void)
{
    static const struct { double z, value, slope; } cases[] = {
#include "golden/logei.inc"
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        double slope, value = asy__log_h(cases[i].z, &slope);

        T_NEAR("value", value, cases[i].value, 1e-13 * fmax(1, fabs(cases[i].value)));
        T_NEAR("slope", slope / cases[i].slope, 1, 1e-13);
    }
}

T_MAIN("gp_model", T_TEST(likelihood_has_its_gradient), T_TEST(a_fit_ends_where_the_gradient_does),
       T_TEST(acquisition_is_what_the_formulas_say), T_TEST(acquisition_has_its_gradient),
       T_TEST(lbfgs_finds_minima_in_the_box_and_on_its_walls),
       T_TEST(lbfgs_steps_back_from_what_is_not_finite), T_TEST(warping_keeps_the_order),
       T_TEST(warping_bears_a_value_far_off),
       T_TEST(a_view_keeps_the_best_and_the_latest),
       T_TEST(improvement_falls_smoothly_for_ever), T_TEST(improvement_is_that_of_fifty_digits))
