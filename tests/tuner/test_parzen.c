/* SPDX-License-Identifier: Apache-2.0
 * test_parzen.c - the Parzen estimator against Optuna 5.0 (golden/make_parzen.py), against itself
 * rebuilt in another order, and against the definition of a density. */
#include "parzen.h"
#include "asytest.h"

static const struct golden {
    const char *dims;
    size_t n, n_candidates;
    const double *x, *candidates, *log_pdf;
} goldens[] = {
#include "golden/parzen.inc"
};

#define DIMS_MAX 16
static const struct asy_value four[] = {
    { .type = ASY_VALUE_INT, .i = 0 },
    { .type = ASY_VALUE_INT, .i = 1 },
    { .type = ASY_VALUE_INT, .i = 2 },
    { .type = ASY_VALUE_INT, .i = 3 },
};
/* The same as KINDS of the script, and some of them again. */
static const struct asy_param kinds[] = {
    { .name = "unit", .lo = 0, .hi = 1 },
    { .name = "wide", .lo = -250, .hi = 1e4 },
    { .name = "lr", .lo = 1e-6, .hi = 1, .log = 1 },
    { .name = "tenths", .lo = 0, .hi = 2, .step = 0.1 },
    { .name = "layers", .type = ASY_PARAM_INT, .lo = 1, .hi = 8 },
    { .name = "units", .type = ASY_PARAM_INT, .lo = 16, .hi = 1024 },
    { .name = "even", .type = ASY_PARAM_INT, .lo = -10, .hi = 90, .step = 2 },
    { .name = "batch", .type = ASY_PARAM_INT, .lo = 1, .hi = 512, .log = 1 },
    { .name = "steps", .type = ASY_PARAM_INT, .lo = 10, .hi = 20000, .log = 1 },
    { .name = "unit2", .lo = 0, .hi = 1 },
    { .name = "unit3", .lo = 0, .hi = 1 },
    { .name = "wide2", .lo = -250, .hi = 1e4 },
    { .name = "wide3", .lo = -250, .hi = 1e4 },
    { .name = "lr2", .lo = 1e-6, .hi = 1, .log = 1 },
    { .name = "lr3", .lo = 1e-6, .hi = 1, .log = 1 },
    { .name = "coin", .type = ASY_PARAM_CHOICE, .choices = four, .n_choices = 2 },
    { .name = "four", .type = ASY_PARAM_CHOICE, .choices = four, .n_choices = 4 },
};

struct fixture {
    struct asy_space *space;
    struct asy__dim dims[DIMS_MAX];
    size_t n_dims;
    struct asy__parzen parzen;
    struct asy__parzen_scratch scratch;
};

/* names: of kinds, separated by blanks. */
static void setup(struct fixture *f, const char *names)
{
    struct asy_error err = ASY_ERROR_INIT;

    memset(f, 0, sizeof *f);
    if (!T_OK(asy_space_create(&f->space, &err), &err))
        abort();
    while (*names) {
        size_t len = strcspn(names, " "), k = 0;

        while (strlen(kinds[k].name) != len || strncmp(kinds[k].name, names, len))
            k++;
        if (!T_OK(asy_space_add(f->space, &kinds[k], &err), &err))
            abort();
        asy__dim_init(&f->dims[f->n_dims], f->space, f->n_dims);
        f->n_dims++;
        names += len + (names[len] == ' ');
    }
    if (!T_EQ(names, asy__parzen_init(&f->parzen, f->dims, f->n_dims, 0), 0))
        abort();
}

static void teardown(struct fixture *f)
{
    asy__parzen_fini(&f->parzen);
    asy__parzen_scratch_fini(&f->scratch);
    asy_space_destroy(f->space);
}

static void insert(struct fixture *f, uint64_t number, const double *x)
{
    if (!T_EQ("reserve", asy__parzen_reserve(&f->parzen, f->parzen.n + 1), 0))
        abort();
    asy__parzen_insert(&f->parzen, number, x);
}

static void log_pdf(struct fixture *f, const double *xs, size_t n, double *ret)
{
    if (!T_EQ("reserve", asy__parzen_scratch_reserve(&f->scratch, f->dims, f->n_dims, n,
                                                     f->parzen.n), 0))
        abort();
    asy__parzen_settle(&f->parzen);
    asy__parzen_log_pdf(&f->parzen, xs, n, &f->scratch, ret);
}

static void densities_match_optuna(void)
{
    for (size_t c = 0; c < ASY_ARRAY_LEN(goldens); c++) {
        const struct golden *g = &goldens[c];
        struct fixture f;
        double got[8];

        setup(&f, g->dims);
        for (size_t k = 0; k < g->n; k++)
            insert(&f, k, &g->x[k * f.n_dims]);
        log_pdf(&f, g->candidates, g->n_candidates, got);
        for (size_t i = 0; i < g->n_candidates; i++)
            t__check(fabs(got[i] - g->log_pdf[i]) <= 1e-10 * fmax(1, fabs(g->log_pdf[i])), __LINE__,
                     __FILE__, "case %zu (%s, %zu observations), candidate %zu: %.17g, not %.17g",
                     c, g->dims, g->n, i, got[i], g->log_pdf[i]);
        teardown(&f);
    }
}

/* A stream of points with crowding and equal values. */
static void draw_point(const struct asy_space *space, struct asy_rng *rng, double *x)
{
    for (size_t i = 0; i < asy_space_len(space); i++) {
        const struct asy_param *p = asy_space_at(space, i);
        double u = asy_rng_below(rng, 2) ? asy_rng_double(rng)
                                         : 0.01 * (double)asy_rng_below(rng, 101);

        x[i] = p->log ? p->lo * pow(p->hi / p->lo, u) : p->lo + u * (p->hi - p->lo);
        x[i] = asy_space_snap(space, i, x[i]);
    }
}

static const char *const all = "unit wide lr tenths layers units even batch steps coin four";

/* Inserting in any order, with others that come and go, gives bit for bit the same densities. */
static void changes_leave_no_trace(void)
{
    enum { N = 150, CANDIDATES = 5 };
    static double xs[2 * N][DIMS_MAX];
    double candidates[CANDIDATES * DIMS_MAX], want[CANDIDATES], got[CANDIDATES];
    struct fixture plain, mixed;
    struct asy_rng rng;

    asy_rng_init(&rng, 1, 2, ASY_RNG_SIM);
    setup(&plain, all);
    setup(&mixed, all);
    for (size_t k = 0; k < 2 * N; k++)
        draw_point(plain.space, &rng, xs[k]);
    for (size_t i = 0; i < CANDIDATES; i++)
        draw_point(plain.space, &rng, &candidates[i * plain.n_dims]);
    for (size_t k = 0; k < N; k++)
        insert(&plain, 2 * k, xs[2 * k]);
    for (size_t k = 0; k < N; k++) { /* even numbers stay, odd ones go; 77 and 150 are coprime */
        size_t even = 2 * (k * 77 % N), odd = 2 * ((k * 7 + 3) % N) + 1;

        insert(&mixed, odd, xs[odd]);
        insert(&mixed, even, xs[even]);
        if (k % 3)
            asy__parzen_remove(&mixed.parzen, odd);
    }
    for (size_t k = 0; k < N; k += 3)
        asy__parzen_remove(&mixed.parzen, 2 * ((k * 7 + 3) % N) + 1);
    log_pdf(&plain, candidates, CANDIDATES, want);
    log_pdf(&mixed, candidates, CANDIDATES, got);
    for (size_t i = 0; i < CANDIDATES; i++)
        T_TRUE(got[i] == want[i]);
    for (size_t k = 0; k < N; k++)
        asy__parzen_remove(&mixed.parzen, 2 * k);
    T_EQ("all gone", mixed.parzen.n, 0);
    asy__parzen_settle(&mixed.parzen);
    teardown(&plain);
    teardown(&mixed);
}

/* What is left out on the way is left out of the plain sum too: not a bit differs, for candidates
 * among the kernels and far from them, crowded kernels and scattered ones. */
static void leaving_kernels_out_changes_no_bit(void)
{
    static const char *const spaces[] = {
        "unit", "lr", "tenths", "batch", "four", "unit lr", "four coin layers", "units steps even",
        "unit wide lr unit2 wide2 lr2 four", "unit wide lr unit2 wide2 lr2 unit3 wide3 lr3 four",
        "unit wide lr tenths layers units even batch steps coin four"
    };
    static const size_t sizes[] = { 0, 1, 40, 255, 256, 700 };
    enum { CANDIDATES = 20 };

    for (size_t c = 0; c < ASY_ARRAY_LEN(spaces); c++)
        for (size_t s = 0; s < ASY_ARRAY_LEN(sizes); s++) {
            double xs[CANDIDATES * DIMS_MAX], x[DIMS_MAX], got[CANDIDATES], want[CANDIDATES];
            struct asy_rng rng;
            struct fixture f;

            asy_rng_init(&rng, 12, c * 10 + s, ASY_RNG_SIM);
            setup(&f, spaces[c]);
            for (size_t k = 0; k < sizes[s]; k++) {
                asy__parzen_settle(&f.parzen);
                if (k % 3 && k > 5) /* near the others, as in a search */
                    asy__parzen_sample(&f.parzen, &rng, x);
                else
                    draw_point(f.space, &rng, x);
                for (size_t d = 0; d < f.n_dims; d++)
                    x[d] = asy_space_snap(f.space, d, x[d]);
                insert(&f, k, x);
            }
            asy__parzen_settle(&f.parzen);
            for (size_t i = 0; i < CANDIDATES; i++)
                if (i % 2)
                    draw_point(f.space, &rng, &xs[i * f.n_dims]);
                else
                    asy__parzen_sample(&f.parzen, &rng, &xs[i * f.n_dims]);
            log_pdf(&f, xs, CANDIDATES, got);
            asy__parzen_log_pdf_ref(&f.parzen, xs, CANDIDATES, &f.scratch, want);
            for (size_t i = 0; i < CANDIDATES; i++)
                t__check(got[i] == want[i], __LINE__, __FILE__, "%s, %zu kernels: %.17g, not %.17g",
                         spaces[c], sizes[s], got[i], want[i]);
            teardown(&f);
        }
}

/* Sums exp(log_pdf) over the grid of a one-dimensional estimator, or by Simpson's rule. */
static double integral(struct fixture *f)
{
    const struct asy__dim *dim = &f->dims[0];
    double sum = 0;

    if (isfinite(dim->n)) {
        for (double k = 0; k < dim->n; k++) {
            double x = asy_space_value(f->space, 0, k), v;

            log_pdf(f, &x, 1, &v);
            sum += exp(v);
        }
        return sum;
    }
    enum { STEPS = 20000 };
    for (int i = 0; i <= STEPS; i++) {
        double at = dim->lo + (dim->hi - dim->lo) * i / STEPS, x = dim->log ? exp(at) : at, v;

        log_pdf(f, &x, 1, &v);
        sum += exp(v) * (i == 0 || i == STEPS ? 1 : i % 2 ? 4 : 2);
    }
    return sum * (dim->hi - dim->lo) / STEPS / 3;
}

static void densities_integrate_to_one(void)
{
    static const size_t sizes[] = { 0, 1, 2, 12, 90 };

    for (size_t k = 0; k < ASY_ARRAY_LEN(kinds); k++) {
        struct asy_rng rng;
        struct fixture f;

        asy_rng_init(&rng, 5, k, ASY_RNG_SIM);
        setup(&f, kinds[k].name);
        for (size_t s = 0; s < ASY_ARRAY_LEN(sizes); s++) {
            while (f.parzen.n < sizes[s]) {
                double x;

                draw_point(f.space, &rng, &x);
                insert(&f, f.parzen.n, &x);
            }
            /* Simpson's rule: the narrowest kernel spans 200 steps. Sums: rounding. */
            T_NEAR(kinds[k].name, integral(&f), 1, 1e-7);
        }
        teardown(&f);
    }
}

static void draws_follow_the_density(void)
{
    enum { DRAWS = 20000 };
    size_t counts[8] = { 0 };
    struct asy_rng rng;
    struct fixture f;

    asy_rng_init(&rng, 9, 9, ASY_RNG_SIM);
    setup(&f, "layers");
    for (size_t k = 0; k < 6; k++) {
        static const double xs[] = { 1, 2, 2, 7, 8, 2 };

        insert(&f, k, &xs[k]);
    }
    asy__parzen_settle(&f.parzen);
    for (size_t i = 0; i < DRAWS; i++) {
        double x;

        asy__parzen_sample(&f.parzen, &rng, &x);
        counts[(size_t)x - 1]++;
    }
    for (size_t k = 0; k < 8; k++) {
        double x = (double)(k + 1), v, p;

        log_pdf(&f, &x, 1, &v);
        p = exp(v);
        /* Five standard deviations of a binomial count; the seed is fixed. */
        T_NEAR("count", (double)counts[k], DRAWS * p, 5 * sqrt(DRAWS * p * (1 - p)));
    }
    teardown(&f);
}

static void draws_stay_inside(void)
{
    struct asy_rng rng;
    struct fixture f;

    asy_rng_init(&rng, 10, 0, ASY_RNG_SIM);
    setup(&f, all);
    for (size_t k = 0; k < 120; k++) {
        double x[DIMS_MAX];
        struct asy_error err = ASY_ERROR_INIT;

        asy__parzen_settle(&f.parzen);
        for (int i = 0; i < 30; i++) {
            asy__parzen_sample(&f.parzen, &rng, x);
            for (size_t d = 0; d < f.n_dims; d++) { /* on the grid up to rounding */
                double snapped = asy_space_snap(f.space, d, x[d]);

                x[d] = fabs(snapped - x[d]) > 1e-9 ? NAN : snapped;
            }
            T_OK(asy_space_check(f.space, x, &err), &err);
        }
        draw_point(f.space, &rng, x);
        insert(&f, k, x);
    }
    teardown(&f);
}

T_MAIN("parzen", T_TEST(densities_match_optuna), T_TEST(changes_leave_no_trace),
       T_TEST(leaving_kernels_out_changes_no_bit),
       T_TEST(densities_integrate_to_one), T_TEST(draws_follow_the_density),
       T_TEST(draws_stay_inside))
