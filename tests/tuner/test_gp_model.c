/* SPDX-License-Identifier: Apache-2.0
 * test_gp_model.c - the parts of the gp sampler: likelihood and acquisition against finite
 * differences, predictions against textbook formulas, L-BFGS, coordinates, warped values. */
#include <asy/la.h>
#include <asy/rng.h>
#include "asytest.h"
#include "gp_acq.h"
#include "gp_chain.h"
#include "gp_data.h"
#include "gp_input.h"
#include "gp_region.h"
#include "gp_search.h"
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

/* The theta of a model with warped inputs, of a and b some above 1 and some below. */
static const double warped_theta[ASY__GP_THETA_MAX(D)] = {
    1.2, -0.5, 0.3, 2.1, 0.4, -4, 0.6, 0, -0.4, -0.7, 0.2, 0, 0.5, -0.3
};

static void warp(struct asy__gp *gp)
{
    asy__gp_warp_inputs(gp, 1);
    asy__gp_set_theta(gp, warped_theta);
}

/* Differences as above. */
static void likelihood_of_warped_inputs_has_its_gradient(void)
{
    enum { LEN = ASY__GP_THETA_MAX(D) };
    struct asy__gp gp;
    double y[N], at[LEN], gradient[LEN], unused[LEN], *work;

    fill(&gp, y);
    warp(&gp);
    if (!(work = malloc(ASY__GP_FIT_WORK(&gp) * sizeof *work)))
        abort();
    asy__gp_loss(&gp, y, work, gradient);
    for (size_t j = 0; j < LEN; j++) {
        double f[2];

        for (int k = 0; k < 2; k++) {
            memcpy(at, warped_theta, sizeof at);
            at[j] += k ? 1e-5 : -1e-5;
            asy__gp_set_theta(&gp, at);
            f[k] = asy__gp_loss(&gp, y, work, unused);
        }
        T_NEAR("gradient", gradient[j], (f[1] - f[0]) / 2e-5, 1e-5);
    }
    free(work);
    asy__gp_fini(&gp);
}

/* Tolerances: h = 1e-6 leaves about 1e-9 of numbers of about 1; 1e-14 is some dozen roundings. */
static void inputs_keep_their_order_and_their_ends(void)
{
    static const double shapes[][2] = { { 1, 1 }, { 0.3, 1 }, { 4, 0.5 }, { 0.2, 6 }, { 16, 16 } };
    const double h = 1e-6;

    for (size_t k = 0; k < ASY_ARRAY_LEN(shapes); k++) {
        double a = shapes[k][0], b = shapes[k][1], last = 0;

        T_TRUE(asy__gp_input(0, a, b) == 0 && asy__gp_input(1, a, b) == 1);
        for (double u = 0.005; u < 1; u += 0.01) {
            double x = asy__gp_input(u, a, b), by_a, by_b;

            T_TRUE(x >= last && x <= 1);
            last = x;
            T_NEAR("value", x, 1 - pow(1 - pow(u, a), b), 1e-14);
            T_NEAR("slope", asy__gp_input_slope(u, a, b),
                   (asy__gp_input(u + h, a, b) - asy__gp_input(u - h, a, b)) / (2 * h), 1e-6);
            asy__gp_input_by(u, a, b, &by_a, &by_b);
            T_NEAR("by a", by_a, (asy__gp_input(u, a * exp(h), b) -
                                  asy__gp_input(u, a * exp(-h), b)) / (2 * h), 1e-8);
            T_NEAR("by b", by_b, (asy__gp_input(u, a, b * exp(h)) -
                                  asy__gp_input(u, a, b * exp(-h))) / (2 * h), 1e-8);
        }
        for (int end = 0; end < 2; end++) {
            double by_a, by_b;

            T_TRUE(isfinite(asy__gp_input_slope(end, a, b)));
            asy__gp_input_by(end, a, b, &by_a, &by_b);
            T_TRUE(by_a == 0 && by_b == 0);
        }
    }
}

/* However it came about, a model with these rows and this theta has these bits. */
static void rows_of_warped_inputs_are_those_of_a_model_made_anew(void)
{
    struct asy__gp gp, other;
    double y[N], u[D];

    fill(&gp, y);
    fill(&other, y);
    warp(&gp);
    asy__gp_cut(&gp, N / 2);
    asy__gp_warp_inputs(&gp, 0);
    asy__gp_set_theta(&gp, theta);
    T_TRUE(!memcmp(gp.x, gp.u, sizeof(double) * N / 2));
    warp(&gp);
    if (!T_TRUE(asy__gp_reserve(&gp, 3 * N) == 0))
        abort();
    for (size_t i = N / 2; i < N; i++) {
        for (size_t j = 0; j < D; j++)
            u[j] = other.u[j * other.cap + i];
        asy__gp_push(&gp, u);
    }
    warp(&other);
    T_TRUE(asy__gp_factor(&gp) == 0 && asy__gp_factor(&other) == 0);
    for (size_t j = 0; j < D; j++)
        T_TRUE(!memcmp(gp.x + j * gp.cap, other.x + j * other.cap, N * sizeof *gp.x));
    for (size_t i = 0; i < N; i++)
        T_TRUE(!memcmp(gp.l + i * gp.cap, other.l + i * other.cap, (i + 1) * sizeof *gp.l));
    asy__gp_fini(&gp);
    asy__gp_fini(&other);
}

/* The hyperparameters for y of 60 points of a line and a choice. */
static void fit_line(double (*f)(double), int allowed, double *ret_theta)
{
    enum { ROWS = 60 };
    static struct asy__gp_dim two[2] = { { .kind = ASY__GP_REAL, .width = 1 },
                                         { .kind = ASY__GP_CATEGORY, .width = 1, .n_values = 2 } };
    struct asy__gp_sampler gp = { .dims = two, .d = 2, .n_goals = 1, .warps_inputs = allowed,
                                  .data = { .d = 2 } };
    struct asy__gp_view view;
    struct asy_rng rng;

    asy_rng_init(&rng, 8, 1, ASY_RNG_SIM);
    for (uint64_t i = 0; i < ROWS; i++) {
        double u[2] = { asy_rng_double(&rng), (double)(i % 2) };
        struct asy__gp_trial trial = { .number = i, .state = ASY__GP_VALUE, .y[0] = f(u[0]) };

        if (asy__gp_data_reserve(&gp.data))
            abort();
        asy__gp_data_put(&gp.data, &trial, u);
    }
    if (asy__gp_init(&gp.objective[0], two, 2) || asy__gp_view_init(&view, &gp.data, ROWS) ||
        asy__gp_find_fit(&gp, &view, ROWS, ret_theta))
        abort();
    asy__gp_view_fini(&view);
    asy__gp_fini(&gp.objective[0]);
    asy__gp_data_fini(&gp.data);
    for (size_t i = 0; i < gp.n_fits; i++)
        free(gp.fits[i].theta);
}

static double faster_at_zero(double u)
{
    return sin(12 * sqrt(sqrt(u)));
}

/* With what stands for noise: without any, a sine is known so well that its ends tell. */
static double even(double u)
{
    return sin(9 * u) + 0.3 * cos(1e5 * u);
}

static void inputs_are_warped_where_results_bear_it_out(void)
{
    double at[ASY__GP_THETA_LEN(2)];

    fit_line(faster_at_zero, 1, at);
    T_TRUE(asy__gp_theta_warps(2, at));
    T_TRUE(at[4] < -0.5); /* a well below 1 stretches what lies near 0 */
    T_TRUE(at[5] == 0 && at[7] == 0); /* a choice has nothing to warp */
    fit_line(faster_at_zero, 0, at);
    T_TRUE(!asy__gp_theta_warps(2, at));
    fit_line(even, 1, at);
    T_TRUE(!asy__gp_theta_warps(2, at));
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
    double *work = malloc(ASY__GP_WORK(N, D) * sizeof *work), value, sum = 0, variance;
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
static void check_acquisition(int warped, int earlier)
{
    enum { PATHS = 3, POINTS = 37 };
    struct asy__gp gp, constraint;
    double y[N], c[N], alpha[PATHS * N], feasible_alpha[N], best[PATHS] = { -0.5, -1.5, -3 };
    double u[POINTS * D], values[POINTS], gradients[POINTS * D];
    double *work = malloc(ASY__GP_WORK(N, D) * sizeof *work);
    struct asy__gp_acq acq = { .objective = &gp, .n_paths = PATHS, .alpha = alpha, .best = best,
                               .feasible = &constraint, .feasible_alpha = feasible_alpha,
                               .work = work, .weight = 0.7 };
    struct asy__gp_earlier past; /* any process will do */
    struct asy_rng rng;

    fill(&gp, y);
    fill(&constraint, c);
    if (warped)
        warp(&gp);
    if (!work || !T_TRUE(asy__gp_factor(&gp) == 0 && asy__gp_factor(&constraint) == 0))
        abort();
    for (size_t i = 0; i < N; i++) {
        feasible_alpha[i] = c[i];
        for (size_t s = 0; s < PATHS; s++)
            alpha[s * N + i] = y[i] + 0.1 * (double)(s * i % 5);
    }
    past = (struct asy__gp_earlier){ .gp = constraint, .alpha = feasible_alpha };
    if (!(acq.earlier_work = malloc(ASY__GP_EARLIER_WORK(&past) * sizeof *work)))
        abort();
    acq.earlier = earlier ? &past : NULL;
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
    free(acq.earlier_work);
    free(work);
    asy__gp_fini(&gp);
    asy__gp_fini(&constraint);
}

static void acquisition_has_its_gradient(void)
{
    check_acquisition(0, 0);
    check_acquisition(1, 0);
    check_acquisition(0, 1);
}

/* A process of N trials that ranked by the first row of numbers, with its mean of means. */
static void make_earlier(struct asy__gp_earlier *earlier)
{
    static struct asy__gp_dim reals[2] = { { .kind = ASY__GP_REAL, .width = 1, .param = 0 },
                                           { .kind = ASY__GP_REAL, .width = 1, .param = 1 } };
    static double x[N][2];
    static struct asy_earlier ones[N];
    struct asy_sampler s = { .earlier = ones, .n_earlier = N };
    struct asy_rng rng;

    asy_rng_init(&rng, 6, 1, ASY_RNG_SIM);
    for (size_t i = 0; i < N; i++) {
        x[i][0] = 1 - ((double)i + 0.5) / N;
        x[i][1] = asy_rng_double(&rng);
        ones[i] = (struct asy_earlier){ x[i], x[i][0] };
    }
    if (!T_TRUE(!asy__gp_earlier_init(earlier, reals, 2) && !asy__gp_earlier_make(earlier, &s)))
        abort();
}

/* h = 1e-6, means of about 1. */
static void earlier_studies_are_expected_as_they_ranked(void)
{
    struct asy__gp_earlier earlier;
    double *work, last = -INFINITY;

    make_earlier(&earlier);
    if (!(work = malloc(ASY__GP_EARLIER_WORK(&earlier) * sizeof *work)))
        abort();
    for (double at = 0.05; at < 1; at += 0.1) {
        double u[2] = { at, 0.4 }, gradient[2];
        double now = asy__gp_earlier_mean(&earlier, u, work, gradient);

        T_TRUE(now > last);
        last = now;
        for (size_t j = 0; j < 2; j++) {
            double f[2];

            for (int k = 0; k < 2; k++) {
                u[j] += k ? 2e-6 : -1e-6;
                f[k] = asy__gp_earlier_mean(&earlier, u, work, NULL);
            }
            u[j] -= 1e-6;
            T_NEAR("gradient", gradient[j], (f[1] - f[0]) / 2e-6, 1e-6);
        }
    }
    T_TRUE(last > 1 && last < 3); /* of 40 the worst lies 2.2 deviations up */
    free(work);
    asy__gp_earlier_fini(&earlier);
}

static void earlier_studies_weigh_what_results_say(void)
{
    enum { MANY = 12 };
    static const struct { const char *name; size_t n, tied; double by, want; } cases[] = {
        { "in order", MANY, 0, 2, 2 },     { "in reverse", MANY, 0, -2, 0 },
        { "too few", 9, 0, 2, 0 },         { "all alike", MANY, 0, 0, 0 },
        { "all but one alike", MANY, MANY - 2, 2, 0 }, /* which says little of an order */
    };

    for (size_t c = 0; c < ASY_ARRAY_LEN(cases); c++) {
        double means[MANY], t[MANY];

        for (size_t i = 0; i < MANY; i++) {
            size_t at = i * 5 % MANY;

            means[i] = (double)at / MANY;
            t[i] = cases[c].by * (at < cases[c].tied ? (double)cases[c].tied / MANY : means[i]);
        }
        T_NEAR(cases[c].name, asy__gp_earlier_weight(cases[c].n, means, t), cases[c].want, 1e-12);
    }
}

static void earlier_studies_count_while_they_rank_better(void)
{
    enum { MANY = 20 };
    double t[MANY], exact[MANY], rough[MANY], wrong[MANY];

    for (size_t i = 0; i < MANY; i++) {
        t[i] = exact[i] = (double)(i * 7 % MANY);
        rough[i] = t[i] + 6 * (double)(i % 4); /* some pairs in the wrong order */
        wrong[i] = -t[i];
    }
    T_TRUE(asy__gp_earlier_share(MANY, t, exact, rough) > 0.95);
    T_TRUE(asy__gp_earlier_share(MANY, t, rough, exact) < 0.05);
    T_TRUE(asy__gp_earlier_share(MANY, t, wrong, rough) == 0);
    T_TRUE(asy__gp_earlier_share(MANY, t, rough, rough) == 0.5);
}

/* ---- two objectives ------------------------------------------------------------------------ */

static const double front[] = { 0.2, 0.9, 0.8, 0.1, 0.5, 0.4, 0.5, 0.4, 0.6, 0.95, 2, 0, 0.1, 3 };
static const double reference[] = { 1.1, 1.2 };
enum { POINTS = ASY_ARRAY_LEN(front) / 2 };
struct room {
    double points[2 * POINTS], edges[POINTS + 2], heights[POINTS + 1];
};

static struct asy__strips make_strips(struct room *room)
{
    struct asy__strips strips = { .edges = room->edges, .heights = room->heights };

    memcpy(room->points, front, sizeof front);
    asy__strips_make(&strips, POINTS, room->points, reference);
    return strips;
}

static void strips_are_what_is_not_dominated(void)
{
    static const double edges[] = { -INFINITY, 0.2, 0.5, 0.8, 1.1 };
    static const double heights[] = { 1.2, 0.9, 0.4, 0.1 };
    struct room room;
    struct asy__strips strips = make_strips(&room);

    if (!T_EQ("strips", strips.n, 4))
        return;
    for (size_t i = 0; i <= strips.n; i++)
        T_TRUE(strips.edges[i] == edges[i] && (i == strips.n || strips.heights[i] == heights[i]));
}

/* What a point adds to the volume, by its definition. */
static double gain(const struct asy__strips *strips, double a, double b)
{
    double sum = 0;

    for (size_t i = 0; i < strips->n; i++)
        sum += fmax(0, strips->edges[i + 1] - fmax(strips->edges[i], a)) *
               fmax(0, strips->heights[i] - b);
    return sum;
}

static const double means[][2] = { { 0.5, 0.5 }, { 0.1, 0.1 }, { 0.9, 1.1 }, { -2, 0.3 },
                                   { 0.4, -3 },  { 1.3, 1.3 }, { 0.3, 0.7 } };
static const double sigmas[2] = { 0.3, 0.2 };

/* The integral of gains and densities by the midpoint rule, 9 standard deviations either way in
 * steps of 0.012: kinks cost about a step squared, of gains that need three of them some 1e-3. */
static void volume_gain_is_the_integral(void)
{
    enum { STEPS = 1500 };
    struct room room;
    struct asy__strips strips = make_strips(&room);
    double h = 18.0 / STEPS;

    for (size_t k = 0; k < ASY_ARRAY_LEN(means); k++) {
        double want = 0, by_mean[2], by_sigma[2];

        for (size_t i = 0; i < STEPS; i++)
            for (size_t j = 0; j < STEPS; j++) {
                double a = -9 + h * ((double)i + 0.5), b = -9 + h * ((double)j + 0.5);

                want += gain(&strips, means[k][0] + sigmas[0] * a, means[k][1] + sigmas[1] * b) *
                        exp(-(a * a + b * b) / 2) / (2 * M_PI) * h * h;
            }
        T_NEAR("gain", exp(asy__log_ehvi(&strips, means[k], sigmas, by_mean, by_sigma)) / want, 1,
               2e-3);
    }
}

/* h = 1e-6 of values of about 1, or, ten and a hundred standard deviations away, 100 and 10,000;
 * with almost no spread the gain is the one by definition. */
static void volume_gain_has_its_gradient(void)
{
    struct room room;
    struct asy__strips strips = make_strips(&room);
    double unused[2], by_mean[2], by_sigma[2], sharp[2] = { 1e-9, 1e-9 };

    for (size_t k = 0; k < ASY_ARRAY_LEN(means); k++)
        for (double away = 0; away < 40; away += 13) {
            double mean[2] = { means[k][0] + away, means[k][1] + away / 2 };
            double value = asy__log_ehvi(&strips, mean, sigmas, by_mean, by_sigma);

            T_TRUE(isfinite(value));
            for (size_t g = 0; g < 2; g++) {
                double m[2][2], s[2][2], f[2];

                for (size_t side = 0; side < 2; side++)
                    for (size_t i = 0; i < 2; i++) {
                        double h = i == g ? side ? 1e-6 : -1e-6 : 0;

                        m[side][i] = mean[i] + h;
                        s[side][i] = sigmas[i] + h;
                    }
                for (size_t side = 0; side < 2; side++)
                    f[side] = asy__log_ehvi(&strips, m[side], sigmas, unused, unused);
                T_NEAR("by mean", by_mean[g] / (1 + fabs(value)),
                       (f[1] - f[0]) / 2e-6 / (1 + fabs(value)), 1e-4);
                for (size_t side = 0; side < 2; side++)
                    f[side] = asy__log_ehvi(&strips, mean, s[side], unused, unused);
                T_NEAR("by sigma", by_sigma[g] / (1 + fabs(value)),
                       (f[1] - f[0]) / 2e-6 / (1 + fabs(value)), 1e-4);
            }
        }
    T_NEAR("sharp", exp(asy__log_ehvi(&strips, (double[]){ 0.3, 0.3 }, sharp, by_mean, by_sigma)),
           gain(&strips, 0.3, 0.3), 1e-7);
}

/* The gradient by the point, through both models. */
static void volume_acquisition_has_its_gradient(void)
{
    enum { PATHS = 2 };
    struct room room;
    struct asy__strips strips[PATHS] = { make_strips(&room), make_strips(&room) };
    struct asy__gp gp, second;
    double y[N], z[N], alpha[PATHS * N], other[PATHS * N], u[D] = { 0.3, 1, 0.6, 0.2 };
    double *work = malloc(ASY__GP_WORK(N, D) * sizeof *work), value, gradient[D];
    struct asy__gp_acq acq = { .objective = &gp, .n_paths = PATHS, .alpha = alpha,
                               .second = &second, .second_alpha = other, .strips = strips,
                               .work = work };

    fill(&gp, y);
    fill(&second, z);
    asy__gp_set_theta(&second, (double[D + 2]){ 0.2, 0.5, 1.3, 0.1, 0.4, -3 });
    if (!work || !T_TRUE(asy__gp_factor(&gp) == 0 && asy__gp_factor(&second) == 0))
        abort();
    for (size_t i = 0; i < PATHS * N; i++) {
        alpha[i] = 0.1 * y[i % N] + 0.01 * (double)(i % 5);
        other[i] = -0.1 * z[i % N] + 0.01 * (double)(i % 7);
    }
    asy__gp_acq_eval(&acq, 1, u, &value, gradient);
    T_TRUE(isfinite(value));
    for (size_t j = 0; j < D; j++) {
        double f[2], at[D];

        for (int k = 0; k < 2 && j != 1; k++) {
            memcpy(at, u, sizeof at);
            at[j] += k ? 1e-6 : -1e-6;
            asy__gp_acq_eval(&acq, 1, at, &f[k], NULL);
        }
        T_NEAR("gradient", gradient[j], j == 1 ? 0 : (f[1] - f[0]) / 2e-6,
               1e-4 * (1 + fabs(gradient[j])));
    }
    free(work);
    asy__gp_fini(&gp);
    asy__gp_fini(&second);
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
                                       .y = { (double)(7 * k % 10) },
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
    asy__gp_view_warp(&view, 9, 0, 1);
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

/* Values of trials from number 0 on; those of every second five were asked for near the best. One
 * parameter: four that did not improve halve the side. */
static void the_region_follows_what_was_found(void)
{
    static const struct {
        const char *name;
        size_t n;
        double t[20], side;
    } cases[] = {
        { "none", 0, { 0 }, 0.8 },
        { "only the first two", 2, { 5, 4 }, 0.8 },
        { "three that improved", 5, { 5, 4, 3, 2, 1 }, 1.6 },
        { "by too little", 5, { 5, 4, 3.9999, 3.9998, 3.9997 }, 0.8 },
        { "one in between", 5, { 5, 4, 3, 3, 2 }, 0.8 },
        { "four that did not", 11, { 5, 4, 5, 5, 5, 9, 9, 9, 9, 9, 5 }, 0.4 },
        { "those from everywhere count for nothing", 10, { 5, 4, 5, 5, 5, 3, 2, 1, 0, -1 }, 0.8 },
        { "but as the best", 11, { 5, 4, 5, 5, 5, 9, 9, 3, 9, 9, 3.5 }, 0.4 },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy__gp_trial trials[20];
        const struct asy__gp_trial *listed[20];
        struct asy__gp_view view = { .n_finished = cases[i].n, .trials = listed };
        double t[20];

        for (size_t k = 0; k < cases[i].n; k++) {
            trials[k] = (struct asy__gp_trial){ .number = k, .state = ASY__GP_VALUE };
            listed[k] = &trials[k];
            t[k] = cases[i].t[k];
        }
        view.t[0] = t;
        T_NEAR(cases[i].name, asy__gp_region_side(&view, 2, 1), cases[i].side, 0);
    }
}

static void the_region_is_a_box_in_the_cube(void)
{
    static const double center[] = { 0.5, 0.1, 0.95 }, s[] = { 1, 4, 0.25 };
    double lo[3], hi[3];

    asy__gp_region_box(3, center, s, 0.4, lo, hi); /* as long as 1, 1/2, 2 */
    T_NEAR("lo", lo[0], 0.3, 1e-12);
    T_NEAR("hi", hi[0], 0.7, 1e-12);
    T_NEAR("lo", lo[1], 0, 1e-12);
    T_NEAR("hi", hi[1], 0.2, 1e-12);
    T_NEAR("lo", lo[2], 0.55, 1e-12);
    T_NEAR("hi", hi[2], 1, 1e-12);
    asy__gp_region_box(2, center, (const double[]){ 1e4, 1e-4 }, 0.1, lo, hi);
    T_NEAR("shortest", hi[0] - lo[0], 0.02, 1e-12);
}

/* A good point may lie outside, and what is drawn around it moves in some coordinates only. */
static void a_search_stays_in_its_box(void)
{
    enum { WIDE = 8, ROWS = 30 };
    struct asy__gp_dim reals[WIDE];
    struct asy_space *space = NULL;
    double at[WIDE + 2] = { 0 }, good[WIDE], fixed[WIDE], length[WIDE], lo[WIDE], hi[WIDE];
    double alpha[ROWS], best = 1, *work = malloc(ASY__GP_WORK(ROWS, WIDE) * sizeof *work);
    struct asy__gp gp;
    struct asy__gp_acq acq = { .objective = &gp, .n_paths = 1, .alpha = alpha, .best = &best,
                               .work = work };
    struct asy_rng rng;

    at[WIDE + 1] = -6;
    asy_rng_init(&rng, 4, 1, ASY_RNG_SIM);
    if (!work || asy_space_create(&space, NULL) < 0)
        abort();
    for (size_t j = 0; j < WIDE; j++) {
        struct asy_param param = { .name = (const char *[]){ "a", "b", "c", "d", "e", "f", "g",
                                                             "h" }[j], .hi = 1 };

        reals[j] = (struct asy__gp_dim){ .kind = ASY__GP_REAL, .param = j, .width = 1 };
        good[j] = 0.05;
        fixed[j] = NAN;
        length[j] = 0.5;
        lo[j] = 0.4;
        hi[j] = 0.6;
        if (asy_space_add(space, &param, NULL) < 0)
            abort();
    }
    if (!T_TRUE(asy__gp_init(&gp, reals, WIDE) == 0 && asy__gp_reserve(&gp, ROWS) == 0))
        abort();
    for (size_t i = 0; i < ROWS; i++) { /* less is better, and the origin best */
        double u[WIDE], sum = 0;

        for (size_t j = 0; j < WIDE; j++)
            sum += u[j] = asy_rng_double(&rng);
        asy__gp_push(&gp, u);
        alpha[i] = sum;
    }
    asy__gp_set_theta(&gp, at);
    if (!T_TRUE(asy__gp_factor(&gp) == 0))
        abort();
    asy_la_solve_lower(ROWS, gp.l, gp.cap, alpha);
    asy_la_solve_lower_t(ROWS, gp.l, gp.cap, alpha);
    for (uint64_t seed = 0; seed < 10; seed++) {
        struct asy__gp_search search = { .space = space, .dims = reals, .d = WIDE, .fixed = fixed,
                                         .good = good, .n_good = 1, .length = length, .lo = lo,
                                         .hi = hi };
        double u[WIDE];

        asy_rng_init(&search.rng, seed, 1, ASY_RNG_SIM);
        T_EQ("search", asy__gp_search(&search, &acq, u), 0);
        for (size_t j = 0; j < WIDE; j++)
            T_TRUE(u[j] >= 0.4 && u[j] <= 0.6);
    }
    asy__gp_fini(&gp);
    asy_space_destroy(space);
    free(work);
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

T_MAIN("gp_model", T_TEST(likelihood_has_its_gradient),
       T_TEST(likelihood_of_warped_inputs_has_its_gradient),
       T_TEST(inputs_keep_their_order_and_their_ends),
       T_TEST(rows_of_warped_inputs_are_those_of_a_model_made_anew),
       T_TEST(inputs_are_warped_where_results_bear_it_out),
       T_TEST(a_fit_ends_where_the_gradient_does),
       T_TEST(acquisition_is_what_the_formulas_say), T_TEST(acquisition_has_its_gradient),
       T_TEST(earlier_studies_are_expected_as_they_ranked),
       T_TEST(earlier_studies_weigh_what_results_say),
       T_TEST(earlier_studies_count_while_they_rank_better),
       T_TEST(strips_are_what_is_not_dominated), T_TEST(volume_gain_is_the_integral),
       T_TEST(volume_gain_has_its_gradient), T_TEST(volume_acquisition_has_its_gradient),
       T_TEST(lbfgs_finds_minima_in_the_box_and_on_its_walls),
       T_TEST(lbfgs_steps_back_from_what_is_not_finite), T_TEST(warping_keeps_the_order),
       T_TEST(warping_bears_a_value_far_off),
       T_TEST(a_view_keeps_the_best_and_the_latest),
       T_TEST(the_region_follows_what_was_found), T_TEST(the_region_is_a_box_in_the_cube),
       T_TEST(a_search_stays_in_its_box),
       T_TEST(improvement_falls_smoothly_for_ever), T_TEST(improvement_is_that_of_fifty_digits))
