/* SPDX-License-Identifier: Apache-2.0
 * test_prior.c - priors: their shares against closed forms, what samplers draw against the shares,
 * tpe's kernel, gp's coordinates and cma's first distribution, who refuses which. */
#include "cma_coord.h"
#include "gp_dim.h"
#include "parzen.h"
#include "prior.h"
#include <asy/tuner.h>
#include "asytest.h"

#define DRAWS 4000
/* Kolmogorov's bound for p = 1e-6 and 4,000 draws; qmc lies far closer. */
#define KS_MAX (2.69 / 63.2)

static const struct asy_value words[] = {
    { .type = ASY_VALUE_STRING, .s = "sgd" },
    { .type = ASY_VALUE_STRING, .s = "adam" },
    { .type = ASY_VALUE_STRING, .s = "lamb" },
};
static const struct asy_value sizes[] = {
    { .type = ASY_VALUE_INT, .i = 16 },
    { .type = ASY_VALUE_INT, .i = 32 },
    { .type = ASY_VALUE_INT, .i = 64 },
};
static const double weights[] = { 1, 6, 3 };

enum {
    NORMAL, LOG_NORMAL, CUT, BETA, INNER, NORMAL_INT, ROUNDED, LOG_ON_LINEAR, WORDS, SIZES, FAR, N
};
static const struct asy_param params[N] = {
    [NORMAL] = { .name = "normal", .lo = -8, .hi = 12,
                 .prior = { .kind = ASY_PRIOR_NORMAL, .a = 2, .b = 1 } },
    [LOG_NORMAL] = { .name = "log_normal", .lo = 1e-6, .hi = 1, .log = 1,
                     .prior = { .kind = ASY_PRIOR_NORMAL, .log = 1, .a = 1e-3, .b = 1 } },
    [CUT] = { .name = "cut", .lo = 0, .hi = 1,
              .prior = { .kind = ASY_PRIOR_NORMAL, .a = 0.25, .b = 0.5 } },
    [BETA] = { .name = "beta", .lo = 0, .hi = 1,
               .prior = { .kind = ASY_PRIOR_BETA, .a = 2, .b = 3 } },
    [INNER] = { .name = "inner", .lo = 0, .hi = 10,
                .prior = { .kind = ASY_PRIOR_UNIFORM, .lo = 2, .hi = 4 } },
    [NORMAL_INT] = { .name = "normal_int", .type = ASY_PARAM_INT, .lo = 0, .hi = 10,
                     .prior = { .kind = ASY_PRIOR_NORMAL, .a = 5, .b = 2 } },
    [ROUNDED] = { .name = "rounded", .lo = 0, .hi = 10, .step = 2.5, /* ends get half as much */
                  .prior = { .kind = ASY_PRIOR_UNIFORM, .lo = 0, .hi = 10 } },
    [LOG_ON_LINEAR] = { .name = "log_on_linear", .lo = 0, .hi = 50, .step = 1,
                        .prior = { .kind = ASY_PRIOR_UNIFORM, .log = 1, .lo = 0.1, .hi = 50 } },
    [WORDS] = { .name = "words", .type = ASY_PARAM_CHOICE, .choices = words, .n_choices = 3,
                .prior = { .kind = ASY_PRIOR_WEIGHTS, .weights = weights } },
    [SIZES] = { .name = "sizes", .type = ASY_PARAM_CHOICE, .choices = sizes, .n_choices = 3,
                .ordered = 1, .prior = { .kind = ASY_PRIOR_WEIGHTS, .weights = weights } },
    [FAR] = { .name = "far", .lo = 0, .hi = 1, /* the mean lies outside */
              .prior = { .kind = ASY_PRIOR_NORMAL, .a = -1, .b = 0.5 } },
};

static struct asy_space *make_space(const struct asy_param *list, size_t n)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_space *space = NULL;

    if (!T_OK(asy_space_create(&space, &err), &err))
        abort();
    for (size_t i = 0; i < n; i++)
        if (!T_OK(asy_space_add(space, &list[i], &err), &err))
            abort();
    return space;
}

static double phi(double z)
{
    return 0.5 * erfc(-z / sqrt(2));
}

static void shares_are_those_of_closed_forms(void)
{
    double whole = phi(1.5) - phi(-0.5), far = phi(4) - phi(2), span = log(50) - log(0.1);
    const struct {
        size_t param;
        double value, lo, hi;
    } cases[] = {
        { NORMAL, 2, 0.5, 0.5 },
        { NORMAL, 3, phi(1), phi(1) },
        { LOG_NORMAL, 1e-3, 0.5, 0.5 },
        { LOG_NORMAL, 1e-3 * exp(-2), phi(-2), phi(-2) },
        { CUT, 0, 0, 0 },
        { CUT, 0.25, (0.5 - phi(-0.5)) / whole, (0.5 - phi(-0.5)) / whole },
        { CUT, 1, 1, 1 },
        /* the integral of 12 x (1 - x)^2 */
        { BETA, 0.25, 0.26171875, 0.26171875 },
        { BETA, 0.5, 0.6875, 0.6875 },
        { INNER, 1, 0, 0 },
        { INNER, 2.5, 0.25, 0.25 },
        { INNER, 7, 1, 1 },
        { ROUNDED, 0, 0, 0.125 },
        { ROUNDED, 5, 0.375, 0.625 },
        { ROUNDED, 10, 0.875, 1 },
        { LOG_ON_LINEAR, 0, 0, log(5) / span },
        { LOG_ON_LINEAR, 1, log(5) / span, log(15) / span },
        { WORDS, 1, 0.1, 0.7 },
        { SIZES, 2, 0.7, 1 },
        { FAR, 0.5, (phi(3) - phi(2)) / far, (phi(3) - phi(2)) / far },
    };
    struct asy_space *space = make_space(params, N);

    for (size_t c = 0; c < ASY_ARRAY_LEN(cases); c++) {
        const char *name = params[cases[c].param].name;
        double lo, hi;

        /* bounds ten deviations away leave out less than 1e-10, the others nothing */
        asy__prior_share(space, cases[c].param, cases[c].value, &lo, &hi);
        T_NEAR(name, lo, cases[c].lo, 1e-10);
        T_NEAR(name, hi, cases[c].hi, 1e-10);
    }
    asy_space_destroy(space);
}

static void beta_shares_follow_the_known_identities(void)
{
    for (double x = 0.01; x < 1; x += 0.049) {
        T_NEAR("I_x(1, 1)", asy__beta_share(x, 1, 1), x, 1e-14);
        T_NEAR("I_x(7, 1)", asy__beta_share(x, 7, 1), pow(x, 7), 1e-14);
        T_NEAR("arcsine", asy__beta_share(x, 0.5, 0.5), 2 / M_PI * asin(sqrt(x)), 1e-14);
        T_NEAR("symmetry", asy__beta_share(x, 2.5, 0.3), 1 - asy__beta_share(1 - x, 0.3, 2.5),
               1e-14);
        /* I_x(a, b) = I_x(a + 1, b) + x^a (1 - x)^b / (a B(a, b)); lgamma of 300 costs digits */
        T_NEAR("recurrence", asy__beta_share(x, 200, 100) - asy__beta_share(x, 201, 100),
               exp(lgamma(300) - lgamma(201) - lgamma(100) + 200 * log(x) + 100 * log1p(-x)),
               1e-12);
    }
}

static void values_and_shares_are_inverse(void)
{
    struct asy_space *space = make_space(params, N);

    for (size_t i = 0; i < N; i++)
        for (double u = 0; u <= 1; u += 1.0 / 64) {
            double value = asy__prior_value(space, i, u), lo, hi;

            asy__prior_share(space, i, value, &lo, &hi);
            t__check(u >= lo - 1e-9 && u <= hi + 1e-9, __LINE__, __FILE__,
                     "%s: %.17g of share %g has %g to %g", params[i].name, value, u, lo, hi);
        }
    asy_space_destroy(space);
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* The largest distance between how often values up to each came and the prior's share of them. */
static double distance(const struct asy_space *space, size_t i, double *draws, size_t n)
{
    double worst = 0;

    qsort(draws, n, sizeof *draws, by_size);
    for (size_t k = 0; k < n;) {
        size_t end = k;
        double lo, hi;

        while (end < n && draws[end] == draws[k])
            end++;
        asy__prior_share(space, i, draws[k], &lo, &hi);
        worst = fmax(worst, fmax(fabs((double)k / (double)n - lo),
                                 fabs((double)end / (double)n - hi)));
        k = end;
    }
    return worst;
}

static void draw_all(const struct asy_space *space, const char *name, double *draws)
{
    static const enum asy_goal goal = ASY_MINIMIZE;
    struct asy_sampler_spec spec = { .name = name, .seed = 11, .goals = &goal, .n_goals = 1 };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_sampler *sampler = NULL;
    double x[N];

    if (!T_OK(asy_sampler_create(space, &spec, &sampler, &err), &err))
        return;
    for (uint64_t k = 0; k < DRAWS; k++) {
        if (!T_OK(asy_sampler_ask(sampler, k, NULL, x, &err), &err))
            break;
        T_TRUE(asy_space_check(space, x, &err) == 0);
        for (size_t i = 0; i < N; i++)
            draws[i * DRAWS + k] = x[i];
    }
    asy_sampler_destroy(sampler);
}

static void random_and_qmc_draw_what_the_prior_says(void)
{
    static const char *const names[] = { "random", "qmc" };
    struct asy_space *space = make_space(params, N);
    double *draws = calloc(N * DRAWS, sizeof *draws);

    for (size_t k = 0; draws && k < ASY_ARRAY_LEN(names); k++) {
        draw_all(space, names[k], draws);
        for (size_t i = 0; i < N; i++) {
            double d = distance(space, i, &draws[i * DRAWS], DRAWS);

            t__check(d <= (k ? KS_MAX / 5 : KS_MAX), __LINE__, __FILE__, "%s, %s: off by %g",
                     names[k], params[i].name, d);
        }
    }
    free(draws);
    asy_space_destroy(space);
}

/* ---- tpe ------------------------------------------------------------------------------------ */

/* The density of an estimator without observations is the prior's kernel alone. */
static void kernel(const struct asy_space *space, size_t i, const double *xs, size_t n, double *ret)
{
    struct asy__parzen parzen;
    struct asy__parzen_scratch scratch = { 0 };
    struct asy__dim dim;

    asy__dim_init(&dim, space, i);
    T_EQ("init", asy__parzen_init(&parzen, &dim, 1, 0), 0);
    T_EQ("scratch", asy__parzen_scratch_reserve(&scratch, &dim, 1, n, 0), 0);
    asy__parzen_settle(&parzen);
    asy__parzen_log_pdf(&parzen, xs, n, &scratch, ret);
    asy__parzen_scratch_fini(&scratch);
    asy__parzen_fini(&parzen);
}

static void tpe_has_the_prior_as_a_kernel(void)
{
    static const size_t which[] = { NORMAL, LOG_NORMAL, CUT, FAR, NORMAL_INT, WORDS, SIZES };
    struct asy_space *space = make_space(params, N);

    for (size_t w = 0; w < ASY_ARRAY_LEN(which); w++) {
        const struct asy_param *p = asy_space_at(space, which[w]);
        double x[2], density[2], lo[2], hi[2], want, got;

        /* masses of two neighbours on a grid; else what lies between two close values */
        x[0] = p->step > 0 ? p->lo + p->step : p->log ? 2e-3 : 0.3;
        x[1] = p->step > 0 ? x[0] + p->step : x[0] * (1 + 1e-6);
        kernel(space, which[w], x, 2, density);
        for (size_t k = 0; k < 2; k++)
            asy__prior_share(space, which[w], x[k], &lo[k], &hi[k]);
        got = p->step > 0 ? exp(density[0])
                          : exp(density[0]) * (p->log ? log1p(1e-6) : x[1] - x[0]);
        want = p->step > 0 ? hi[0] - lo[0] : lo[1] - lo[0];
        t__check(fabs(got / want - 1) < 1e-4, __LINE__, __FILE__, "%s: %.17g, not %.17g", p->name,
                 got, want); /* a trapezium of width 1e-6, and differences of shares */
    }
    asy_space_destroy(space);
}

static void tpe_draws_from_its_kernel(void)
{
    struct asy_space *space = make_space(&params[WORDS], 1);
    struct asy__parzen parzen;
    struct asy_rng rng;
    struct asy__dim dim;
    double counts[3] = { 0 };

    asy_rng_init(&rng, 5, 0, ASY_RNG_SAMPLER);
    asy__dim_init(&dim, space, 0);
    T_EQ("init", asy__parzen_init(&parzen, &dim, 1, 0), 0);
    asy__parzen_settle(&parzen);
    for (size_t k = 0; k < DRAWS; k++) {
        double x;

        asy__parzen_sample(&parzen, &rng, &x);
        counts[(size_t)x]++;
    }
    for (size_t k = 0; k < 3; k++) /* five standard deviations of the widest */
        T_NEAR(words[k].s, counts[k] / DRAWS, weights[k] / 10, 5 * 0.5 / 63.2);
    asy__parzen_fini(&parzen);
    asy_space_destroy(space);
}

/* ---- gp ------------------------------------------------------------------------------------- */

static void gp_sees_numbers_by_their_share(void)
{
    struct asy_space *space = make_space(params, N);

    for (size_t i = 0; i < N; i++) {
        struct asy__gp_dim dim;
        double lo, hi, u;

        if (i == WORDS)
            continue;
        asy__gp_dim_init(&dim, space, i);
        for (u = 0.05; u < 1; u += 0.1) {
            double value = asy__gp_value(&dim, space, u);

            asy__prior_share(space, i, value, &lo, &hi);
            T_NEAR(params[i].name, asy__gp_coordinate(&dim, value), (lo + hi) / 2, 1e-12);
            t__check(u >= lo - 1e-9 && u <= hi + 1e-9, __LINE__, __FILE__, "%s at %g: %g to %g",
                     params[i].name, u, lo, hi);
            T_NEAR("value", asy__gp_value(&dim, space, asy__gp_coordinate(&dim, value)), value,
                   1e-9 * fabs(value));
        }
    }
    asy_space_destroy(space);
}

/* ---- cma ------------------------------------------------------------------------------------ */

/* In units of the deviation over the whole cube, 1 / sqrt(12). */
static void cma_begins_where_and_as_wide_as_the_prior(void)
{
    const struct {
        size_t param;
        double mean, sd; /* of the coordinate */
    } cases[] = {
        { NORMAL, 10.0 / 20, 1.0 / 20 },
        { LOG_NORMAL, 0.5, 1 / log(1e6) },
        { BETA, 2.0 / 5, 0.2 },
        { INNER, 0.3, 0.2 / sqrt(12) },
        { NORMAL_INT, 0.5, 1.949 / 11 }, /* cut at 2.75 deviations */
        { SIZES, 0.5 + 0.2 / 3, 0.6 / 3 }, /* 0, 1, 2 with weights 1, 6, 3 */
    };

    for (size_t c = 0; c < ASY_ARRAY_LEN(cases); c++) {
        const char *name = params[cases[c].param].name;
        struct asy_space *space = make_space(&params[cases[c].param], 1);
        struct asy_sampler sampler = { .space = space };
        struct asy__cma_coords coords;
        double mean, spread;

        if (T_EQ(name, asy__cma_coords_init(&coords, &sampler), 0)) {
            asy__cma_begin(&coords, 0, &mean, &spread);
            T_NEAR(name, mean, cases[c].mean, 2e-3);
            T_NEAR(name, spread / sqrt(12), cases[c].sd, 0.01 * cases[c].sd + 1e-3);
        }
        asy__cma_coords_fini(&coords);
        asy_space_destroy(space);
    }
}

/* Its first points are draws from there, 1 / sqrt(3) as wide as without priors from everywhere. */
static void cma_draws_from_its_first_distribution(void)
{
    static const size_t which[] = { NORMAL, INNER, WORDS };
    static const enum asy_goal goal = ASY_MINIMIZE;
    const struct asy_param three[] = { params[which[0]], params[which[1]], params[which[2]] };
    struct asy_sampler_spec spec = { .name = "cma", .seed = 3, .goals = &goal, .n_goals = 1 };
    struct asy_space *space = make_space(three, 3);
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_sampler *sampler = NULL;
    static const double want[] = { 0.135, 0.574, 0.291 };
    double mean[2] = { 0 }, square[2] = { 0 }, counts[3] = { 0 };

    if (!T_OK(asy_sampler_create(space, &spec, &sampler, &err), &err))
        return;
    for (uint64_t i = 0; i < DRAWS; i++) {
        double x[3];

        T_OK(asy_sampler_ask(sampler, i, NULL, x, &err), &err);
        for (size_t j = 0; j < 2; j++) {
            mean[j] += x[j] / DRAWS;
            square[j] += x[j] * x[j] / DRAWS;
        }
        counts[(size_t)x[2]] += 1.0 / DRAWS;
    }
    T_NEAR("mean", mean[0], 2, 0.05); /* five deviations of a mean of 4,000 */
    T_NEAR("mean", mean[1], 3, 0.03);
    T_NEAR("spread", sqrt(square[0] - mean[0] * mean[0]), 1 / sqrt(3), 0.03);
    T_NEAR("spread", sqrt(square[1] - mean[1] * mean[1]), 2.0 / 6, 0.03);
    for (size_t k = 0; k < 3; k++) /* 0.135: the least that each of three keeps */
        T_NEAR(words[k].s, counts[k], want[k], 0.04);
    asy_sampler_destroy(sampler);
    asy_space_destroy(space);
}

/* ---- who takes which ------------------------------------------------------------------------ */

static int create(const char *name, const struct asy_param *param, struct asy_error *err,
                  char *reason, size_t n)
{
    static const enum asy_goal goal = ASY_MINIMIZE;
    struct asy_sampler_spec spec = { .name = name, .goals = &goal, .n_goals = 1, .budget = 100 };
    struct asy_space *space = make_space(param, 1);
    struct asy_sampler *sampler = NULL;
    int rc = asy_sampler_create(space, &spec, &sampler, err);

    if (rc == 0)
        snprintf(reason, n, "%s", asy_sampler_reason(sampler));
    asy_sampler_destroy(sampler);
    asy_space_destroy(space);
    return rc;
}

static void samplers_refuse_what_they_would_ignore(void)
{
    const struct {
        const char *sampler;
        size_t param;
        const char *refusal; /* NULL: takes it */
    } cases[] = {
        { "random", BETA, NULL },         { "qmc", LOG_ON_LINEAR, NULL }, { "gp", ROUNDED, NULL },
        { "nsga2", INNER, NULL },         { "nsga3", BETA, NULL },        { "tpe", NORMAL, NULL },
        { "tpe", LOG_NORMAL, NULL },      { "tpe", NORMAL_INT, NULL },    { "tpe", SIZES, NULL },
        { "tpe", BETA, "not that of 'beta'" },
        { "tpe", LOG_ON_LINEAR, "random, qmc, gp, cma, nsga2 and nsga3 do" },
        { "auto", NORMAL, NULL },
        { "auto", INNER, "sampler 'tpe' takes" },
        { "cma", NORMAL, NULL },          { "cma", BETA, NULL },          { "cma", WORDS, NULL },
        { "grid", SIZES, "sampler 'grid' makes no use" },
        { "brute_force", WORDS, "sampler 'brute_force' makes no use" },
    };

    for (size_t c = 0; c < ASY_ARRAY_LEN(cases); c++) {
        struct asy_error err = ASY_ERROR_INIT;
        char reason[200] = "";
        int rc = create(cases[c].sampler, &params[cases[c].param], &err, reason, sizeof reason);

        T_EQ(cases[c].sampler, rc, cases[c].refusal ? ASY_E_INVAL : 0);
        if (cases[c].refusal)
            T_HAS(cases[c].sampler, err.text, cases[c].refusal);
        if (!strcmp(cases[c].sampler, "auto") && rc == 0)
            T_STR("reason", reason, "auto: tpe, which begins from the prior of 1 parameter");
    }
}

/* gp leaves to tpe what has conditions, and that alone. */
static void gp_refuses_only_what_it_leaves_to_tpe(void)
{
    static const double first[] = { 0 };
    static const struct asy_when if_sgd = { .parent = 0, .values = first, .n_values = 1 };
    static const enum asy_goal goal = ASY_MINIMIZE;
    const struct {
        const char *name;
        size_t plain, conditional;
        const char *refusal;
    } cases[] = {
        { "a kernel", BETA, NORMAL, NULL },
        { "another scale", LOG_ON_LINEAR, LOG_NORMAL, NULL },
        { "bounds of its own", INNER, SIZES, NULL },
        { "none of tpe's", NORMAL, BETA, "for conditional parameters priors of mean and sd" },
    };

    for (size_t c = 0; c < ASY_ARRAY_LEN(cases); c++) {
        struct asy_param three[3] = { params[WORDS], params[cases[c].plain],
                                      params[cases[c].conditional] };
        struct asy_sampler_spec spec = { .name = "gp", .goals = &goal, .n_goals = 1 };
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_sampler *sampler = NULL;
        struct asy_space *space;
        int rc;

        three[2].whens = &if_sgd;
        three[2].n_whens = 1;
        space = make_space(three, 3);
        rc = asy_sampler_create(space, &spec, &sampler, &err);
        T_EQ(cases[c].name, rc, cases[c].refusal ? ASY_E_INVAL : 0);
        if (cases[c].refusal)
            T_HAS(cases[c].name, err.text, cases[c].refusal);
        for (uint64_t i = 0; rc == 0 && i < 16; i++) {
            double x[3], value;
            struct asy_outcome o = { .number = i, .state = ASY_OUTCOME_COMPLETE, .x = x,
                                     .values = &value, .last_step = -1 };

            T_OK(asy_sampler_ask(sampler, i, NULL, x, &err), &err);
            value = x[1] + (isnan(x[2]) ? 1 : x[2]);
            T_OK(asy_sampler_tell(sampler, &o, &err), &err);
        }
        asy_sampler_destroy(sampler);
        asy_space_destroy(space);
    }
}

static void spaces_refuse_priors_that_mean_nothing(void)
{
    static const double none[] = { 1, 0, 1 };
    static const struct {
        const char *name;
        struct asy_param param;
        const char *refusal;
    } cases[] = {
        { "weights of a number", { .name = "x", .hi = 1,
          .prior = { .kind = ASY_PRIOR_WEIGHTS, .weights = weights } }, "choices have weights" },
        { "a mean of choices", { .name = "x", .type = ASY_PARAM_CHOICE, .choices = words,
          .n_choices = 3, .prior = { .kind = ASY_PRIOR_NORMAL, .b = 1 } }, "choices have weights" },
        { "a weight of 0", { .name = "x", .type = ASY_PARAM_CHOICE, .choices = words,
          .n_choices = 3, .prior = { .kind = ASY_PRIOR_WEIGHTS, .weights = none } },
          "a weight must be above 0, not 0" },
        { "no deviation", { .name = "x", .hi = 1, .prior = { .kind = ASY_PRIOR_NORMAL } },
          "a standard deviation above 0" },
        { "a logarithm of 0", { .name = "x", .hi = 1,
          .prior = { .kind = ASY_PRIOR_UNIFORM, .log = 1 } }, "a minimum above 0, not 0" },
        { "a mean of 0 on a log scale", { .name = "x", .lo = 0.1, .hi = 1, .log = 1,
          .prior = { .kind = ASY_PRIOR_NORMAL, .log = 1, .b = 1 } }, "a mean above 0, not 0" },
        { "turned round", { .name = "x", .hi = 1,
          .prior = { .kind = ASY_PRIOR_UNIFORM, .lo = 0.5, .hi = 0.25 } }, "is not below" },
        { "beside the bounds", { .name = "x", .hi = 1,
          .prior = { .kind = ASY_PRIOR_UNIFORM, .lo = 5, .hi = 6 } }, "outside of its bounds" },
        { "beta of 0", { .name = "x", .hi = 1, .prior = { .kind = ASY_PRIOR_BETA, .a = 1 } },
          "needs a and b above 0" },
    };

    for (size_t c = 0; c < ASY_ARRAY_LEN(cases); c++) {
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_space *space = make_space(NULL, 0);

        T_EQ(cases[c].name, asy_space_add(space, &cases[c].param, &err), ASY_E_INVAL);
        T_HAS(cases[c].name, err.text, cases[c].refusal);
        T_EQ(cases[c].name, asy_space_len(space), 0);
        asy_space_destroy(space);
    }
}

static void a_single_value_has_no_prior(void)
{
    struct asy_param param = params[NORMAL];
    struct asy_space *space;

    param.hi = param.lo;
    space = make_space(&param, 1);
    T_TRUE(!asy__has_prior(space, 0));
    asy_space_destroy(space);
}

T_MAIN("prior", T_TEST(shares_are_those_of_closed_forms),
       T_TEST(beta_shares_follow_the_known_identities), T_TEST(values_and_shares_are_inverse),
       T_TEST(random_and_qmc_draw_what_the_prior_says), T_TEST(tpe_has_the_prior_as_a_kernel),
       T_TEST(tpe_draws_from_its_kernel), T_TEST(gp_sees_numbers_by_their_share),
       T_TEST(cma_begins_where_and_as_wide_as_the_prior),
       T_TEST(cma_draws_from_its_first_distribution),
       T_TEST(samplers_refuse_what_they_would_ignore),
       T_TEST(gp_refuses_only_what_it_leaves_to_tpe),
       T_TEST(spaces_refuse_priors_that_mean_nothing), T_TEST(a_single_value_has_no_prior))
