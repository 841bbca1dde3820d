/* SPDX-License-Identifier: Apache-2.0
 * test_pb2.c - population-based bandits: the model against textbook formulas, what it learns from,
 * the chosen point against a grid, and pb2 beside pbt where the best rate falls over time. */
#include <asy/la.h>
#include <asy/rng.h>
#include <asy/tuner.h>
#include "asytest.h"
#include "bandit.h"
#include "tvgp.h"

/* ---- the model ------------------------------------------------------------------------------- */

enum { D = 3, N = 24, KNOWN = 19 };
static const double theta[ASY__TVGP_THETA] = { 0.3, -0.9, -2.1, -3 };

/* N rows, y of them. */
static void fill(struct asy__tvgp *gp, double *y)
{
    struct asy_rng rng;

    if (!T_EQ("memory", asy__tvgp_init(gp, D, N + 9), 0)) /* rows further apart than long */
        abort();
    asy_rng_init(&rng, 3, 1, ASY_RNG_SIM);
    for (size_t i = 0; i < N; i++) {
        double x[D], t = (double)(i / 3);

        for (size_t j = 0; j < D; j++)
            x[j] = asy_rng_double(&rng);
        asy__tvgp_push(gp, x, t);
        y[i] = sin(5 * x[0] + 0.2 * t) - x[1] * x[2] + 0.1 * asy_rng_normal(&rng);
    }
    asy__tvgp_set_theta(gp, theta);
}

static void covariance_falls_with_distance_and_age(void)
{
    const double x[D] = { 0.1, 0.2, 0.3 }, x2[D] = { 0.4, 0.2, 0.9 };
    double y[N], eps = 1 - exp(-2 * exp(theta[ASY__TVGP_RATE])), length = exp(-0.9), want;
    struct asy__tvgp gp;

    fill(&gp, y);
    want = exp(0.3) * exp(-(0.09 + 0.36) / (2 * length * length)) * pow(1 - eps, 4.0 / 2);
    T_NEAR("as in the paper", asy__tvgp_covariance(&gp, x, 7, x2, 3), want, 1e-14);
    T_NEAR("both ways", asy__tvgp_covariance(&gp, x2, 3, x, 7), want, 1e-14);
    T_NEAR("with itself", asy__tvgp_covariance(&gp, x, 5, x, 5), exp(0.3), 1e-14);
    asy__tvgp_fini(&gp);
}

/* Central differences with h = 1e-5: error about h^2 and 1e-16 |loss| / h, both below 1e-8 of the
 * numbers here, which are at most 100. */
static void likelihood_has_its_gradient(void)
{
    double y[N], gradient[ASY__TVGP_THETA], unused[ASY__TVGP_THETA];
    static double work[(N + 9) * (N + 9)];
    struct asy__tvgp gp;

    fill(&gp, y);
    asy__tvgp_loss(&gp, y, work, gradient);
    for (size_t j = 0; j < ASY__TVGP_THETA; j++) {
        double f[2], at[ASY__TVGP_THETA];

        for (int k = 0; k < 2; k++) {
            memcpy(at, theta, sizeof at);
            at[j] += k ? 1e-5 : -1e-5;
            asy__tvgp_set_theta(&gp, at);
            f[k] = asy__tvgp_loss(&gp, y, work, unused);
        }
        T_NEAR("gradient", gradient[j], (f[1] - f[0]) / 2e-5, 1e-6);
    }
    asy__tvgp_fini(&gp);
}

/* No point of a grid over all that the bounds allow is likelier: within the fit's own tolerance. */
static void fit_is_the_likeliest(void)
{
    static const double lo[] = { 0.05, 0.05, 5e-4, 1e-3 }, hi[] = { 20, 1, 0.35, 2 };
    enum { PLACES = 9 };
    double y[N], unused[ASY__TVGP_THETA], found, least = INFINITY;
    static double work[(N + 9) * (N + 9)];
    struct asy__tvgp gp;

    fill(&gp, y);
    T_EQ("fit", asy__tvgp_fit(&gp, y, work), 0);
    found = asy__tvgp_loss(&gp, y, work, unused);
    for (size_t i = 0; i < PLACES * PLACES * PLACES * PLACES; i++) {
        double at[ASY__TVGP_THETA];
        size_t rest = i;

        for (size_t j = 0; j < ASY__TVGP_THETA; j++, rest /= PLACES)
            at[j] = log(lo[j]) + (double)(rest % PLACES) / (PLACES - 1) * log(hi[j] / lo[j]);
        asy__tvgp_set_theta(&gp, at);
        least = fmin(least, asy__tvgp_loss(&gp, y, work, unused));
    }
    t__check(found <= least + 0.02, __LINE__, __FILE__, "fit %g, grid %g", found, least);
    asy__tvgp_fini(&gp);
}

/* b [n] becomes a^-1 b, by elimination: a [n, n] is positive definite. */
static void solve(size_t n, double *a, double *b)
{
    for (size_t k = 0; k < n; k++)
        for (size_t i = k + 1; i < n; i++) {
            double by = a[i * n + k] / a[k * n + k];

            for (size_t j = k; j < n; j++)
                a[i * n + j] -= by * a[k * n + j];
            b[i] -= by * b[k];
        }
    for (size_t k = n; k-- > 0;) {
        for (size_t j = k + 1; j < n; j++)
            b[k] -= a[k * n + j] * b[j];
        b[k] /= a[k * n + k];
    }
}

/* k^T K^-1 b of the first n rows, k being the covariances with x, b k itself where NULL. */
static double product(const struct asy__tvgp *gp, size_t n, const double *x, double t,
                      const double *b)
{
    double *a = malloc((n * n + 2 * n + 1) * sizeof *a), *k = a + n * n, *c = k + n, sum = 0;

    if (!a)
        abort();
    for (size_t i = 0; i < n; i++) {
        const double *row = gp->x + i * gp->d;

        for (size_t j = 0; j < n; j++)
            a[i * n + j] = asy__tvgp_covariance(gp, row, gp->t[i], gp->x + j * gp->d, gp->t[j]) +
                           (i == j ? exp(gp->theta[ASY__TVGP_NOISE]) : 0);
        k[i] = asy__tvgp_covariance(gp, x, t, row, gp->t[i]);
        c[i] = b ? b[i] : k[i];
    }
    solve(n, a, c);
    for (size_t i = 0; i < n; i++)
        sum += k[i] * c[i];
    free(a);
    return sum;
}

static double deviation(const struct asy__tvgp *gp, size_t n, const double *x, double t)
{
    return sqrt(exp(gp->theta[ASY__TVGP_VARIANCE]) - product(gp, n, x, t, NULL));
}

static void what_trains_takes_from_deviations_not_from_means(void)
{
    double y[N], gradient[D];
    struct asy__tvgp gp;
    struct asy_rng rng;

    fill(&gp, y);
    T_EQ("settle", asy__tvgp_settle(&gp, y, KNOWN), 0);
    asy_rng_init(&rng, 4, 1, ASY_RNG_SIM);
    for (int c = 0; c < 50; c++) {
        double x[D], t = 9;

        for (size_t j = 0; j < D; j++)
            x[j] = asy_rng_double(&rng);
        T_NEAR("mean", asy__tvgp_bound(&gp, x, t, 0, NULL), product(&gp, KNOWN, x, t, y), 1e-10);
        T_NEAR("bound", asy__tvgp_bound(&gp, x, t, 1.5, gradient),
               product(&gp, KNOWN, x, t, y) + 1.5 * deviation(&gp, N, x, t), 1e-10);
        T_TRUE(deviation(&gp, N, x, t) < deviation(&gp, KNOWN, x, t));
        for (size_t j = 0; j < D; j++) {
            double at = x[j], f[2];

            for (int k = 0; k < 2; k++) {
                x[j] = at + (k ? 1e-5 : -1e-5);
                f[k] = asy__tvgp_bound(&gp, x, t, 1.5, NULL);
            }
            x[j] = at;
            T_NEAR("slope", gradient[j], (f[1] - f[0]) / 2e-5, 1e-6);
        }
    }
    asy__tvgp_fini(&gp);
}

/* ---- what it learns from --------------------------------------------------------------------- */

static const struct asy_value words[] = { { .type = ASY_VALUE_STRING, .s = "a" },
                                          { .type = ASY_VALUE_STRING, .s = "b" },
                                          { .type = ASY_VALUE_STRING, .s = "c" } };
enum { LR, KEEP, WORD, LEN };
static const struct asy_param params[LEN] = {
    { .name = "lr", .lo = 1e-4, .hi = 1, .log = 1 },
    { .name = "keep", .lo = 0, .hi = 1 },
    { .name = "word", .type = ASY_PARAM_CHOICE, .choices = words, .n_choices = 3 },
};

static struct asy_space *make_space(const struct asy_param *p, size_t n)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_space *space = NULL;

    if (!T_OK(asy_space_create(&space, &err), &err))
        abort();
    for (size_t i = 0; i < n; i++)
        if (!T_OK(asy_space_add(space, &p[i], &err), &err))
            abort();
    return space;
}

static struct asy_sampler *make(const struct asy_space *space, const char *name, uint64_t seed,
                                uint64_t size, double quantile)
{
    static const enum asy_goal goal = ASY_MINIMIZE;
    const struct asy_option options[] = { { "population", (double)size },
                                          { "quantile", quantile } };
    struct asy_sampler_spec spec = { .name = name, .seed = seed, .goals = &goal, .n_goals = 1,
                                     .options = options, .n_options = 2 };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_sampler *s = NULL;

    if (!T_OK(asy_sampler_create(space, &spec, &s, &err), &err))
        abort();
    return s;
}

/* One told trial in short: x is { 0.1, 0.5, 0 }. */
struct told {
    uint64_t member, parent; /* parent: its number + 1 */
    enum asy_outcome_state state;
    double value, violation;
    int diverged;
};

static void tell(struct asy_sampler *s, uint64_t number, const struct told *told)
{
    static const double x[LEN] = { 0.1, 0.5, 0 };
    struct asy_outcome o = { .number = number, .state = told->state, .x = x,
                             .values = &told->value, .violation = told->violation,
                             .diverged = told->diverged,
                             .origin = { told->member, told->parent } };
    struct asy_error err = ASY_ERROR_INIT;

    T_OK(asy_sampler_tell(s, &o, &err), &err);
}

#define RUNS ASY_OUTCOME_RUNNING
#define DONE ASY_OUTCOME_COMPLETE
#define FAILED ASY_OUTCOME_FAILED

static void gains_are_those_of_turns_that_went_on(void)
{
    static const struct told told[] = {
        { 1, 0, DONE, 9, 0, 0 },        { 2, 0, DONE, 8, 0, 0 },   { 1, 1, DONE, 7, 0, 0 },
        { 2, 2, FAILED, NAN, 0, 1 },    { 2, 2, DONE, 8.5, 0, 0 }, { 1, 3, DONE, 1, 0.5, 0 },
        { 2, 3, RUNS, NAN, 0, 0 },      { 1, 6, DONE, 0.25, 0, 0 }, { 3, 0, FAILED, NAN, 0, 1 },
        { 3, 8, FAILED, NAN, 0, 0 },    { 3, 8, RUNS, NAN, 0, 0 }, { 1, 4, DONE, 3, 0, 0 },
        { 1, 5, DONE, INFINITY, 0, 0 }, { 2, 13, DONE, 2, 0, 0 },  { 2, 5, DONE, NAN, 0, 0 },
    };
    static const struct {
        uint64_t number;
        double t, y;
        int worst;
    } want[] = { { 2, 1, 2, 0 },   { 3, 1, 0, 1 },     { 4, 1, -0.5, 0 }, { 5, 2, 0, 1 },
                 { 7, 3, 0.75, 0 }, { 12, 2, 0, 1 },   { 14, 2, 0, 1 },
                 { 6, 2, 0, 0 },   { 10, 4, 0, 0 } };
    struct asy_space *space = make_space(params, LEN);
    struct asy_sampler *s = make(space, "pb2", 1, 4, 0.25);
    struct asy__gain *gains = NULL;
    size_t known = 0, running = 0;

    for (size_t i = ASY_ARRAY_LEN(told); i-- > 0;) /* any order */
        tell(s, i, &told[i]);
    if (!T_EQ("gains", asy__gains_of(s, s->state, &gains, &known, &running), 0))
        abort();
    if (T_EQ("known", known, 7) && T_EQ("running", running, 2))
        for (size_t i = 0; i < known + running; i++) {
            T_EQ("number", gains[i].turn->number, want[i].number);
            T_EQ("worst", gains[i].worst, want[i].worst);
            T_NEAR("time", gains[i].t, want[i].t, 0);
            T_NEAR("gain", gains[i].y, want[i].y, 0);
        }
    asy__gains_standardise(gains, known);
    T_TRUE(gains[1].y == gains[2].y && gains[3].y == gains[2].y && gains[4].y > gains[2].y);
    free(gains);
    asy_sampler_destroy(s);
    asy_space_destroy(space);
}

static void gains_are_standardised_and_cut(void)
{
    struct asy__gain gains[10] = { { .y = 100 } };
    double mean = 0, square = 0;

    for (size_t i = 1; i < 10; i++)
        gains[i].y = (double)i;
    for (size_t i = 0; i < 10; i++)
        mean += gains[i].y / 10;
    for (size_t i = 0; i < 10; i++)
        square += (gains[i].y - mean) * (gains[i].y - mean) / 10;
    asy__gains_standardise(gains, 10);
    T_NEAR("cut", gains[0].y, 2, 0);
    for (size_t i = 1; i < 10; i++)
        T_NEAR("standardised", gains[i].y, ((double)i - mean) / sqrt(square), 1e-12);
    T_NEAR("few", asy__bandit_bonus(2), 0, 0);
    T_NEAR("some", asy__bandit_bonus(40), sqrt(0.2 * log(16)), 1e-12);
}

/* ---- the point ------------------------------------------------------------------------------- */

/* A history with two turns that train. Its last asks are left to the caller. */
static uint64_t play(struct asy_sampler *s, uint64_t seed, size_t n_params)
{
    enum { TURNS = 60 };
    struct asy_error err = ASY_ERROR_INIT;
    double values[TURNS];

    for (uint64_t n = 0; n < TURNS; n++) {
        double x[LEN], *value = &values[n], lr;
        struct asy_outcome o = { .number = n, .state = ASY_OUTCOME_COMPLETE, .x = x,
                                 .values = value };
        struct asy_origin origin;
        struct asy_rng rng;

        T_OK(asy_sampler_ask(s, n, NULL, x, &err), &err);
        origin = asy_sampler_origin(s);
        asy_rng_init(&rng, seed, n, ASY_RNG_SIM);
        lr = log10(x[LR]) + 2 + 0.02 * (double)n;
        *value = origin.parent ? values[origin.parent - 1] : 3;
        *value -= exp(-lr * lr) * x[KEEP] * (n_params > WORD && x[WORD] == 1 ? 2 : 1) +
                  0.03 * asy_rng_normal(&rng);
        if (n < TURNS - 2)
            T_OK(asy_sampler_tell(s, &o, &err), &err);
    }
    return TURNS;
}

/* The model of the next ask, made anew in the plainest way. */
struct plain {
    struct asy__tvgp gp;
    size_t known;
    double y[256], at, t, bonus;
};

static void remake(const struct asy_sampler *s, uint64_t number, struct plain *p,
                   const struct asy__turn *from)
{
    struct asy__gain *gains = NULL;
    size_t running = 0, n;
    double lo = from->value, hi = from->value, *work;
    const struct asy__turn *turn;

    if (asy__gains_of(s, s->state, &gains, &p->known, &running))
        abort();
    asy__gains_standardise(gains, p->known);
    n = p->known + running;
    if (!T_TRUE(n > 20 && n < 256 && running == 2) || asy__tvgp_init(&p->gp, 3, n))
        abort();
    for (size_t i = 0; i < n; i++) {
        lo = fmin(lo, gains[i].parent->value);
        hi = fmax(hi, gains[i].parent->value);
    }
    work = calloc(n, n * sizeof *work);
    for (size_t i = 0; i < n; i++) {
        const double *x = gains[i].turn->x;
        double row[3] = { (gains[i].parent->value - lo) / (hi - lo), (log10(x[LR]) + 4) / 4,
                          x[KEEP] };

        if (i == p->known && (!work || asy__tvgp_fit(&p->gp, p->y, work)))
            abort();
        p->y[i] = gains[i].y;
        asy__tvgp_push(&p->gp, row, gains[i].t);
    }
    p->at = (from->value - lo) / (hi - lo);
    p->t = 1;
    for (turn = from; turn->origin.parent; p->t++)
        turn = asy__turns_get(s, s->state, turn->origin.parent - 1);
    p->bonus = sqrt(0.2 * log(0.4 * (double)p->known));
    T_TRUE(number > from->number);
    free(work);
    free(gains);
}

static double bound(const struct plain *p, double lr, double keep)
{
    double x[3] = { p->at, (log10(lr) + 4) / 4, keep };

    return product(&p->gp, p->known, x, p->t, p->y) +
           p->bonus * deviation(&p->gp, p->gp.n, x, p->t);
}

/* No point of a grid has a higher bound than the point that is chosen, to 1e-4 of a standard
 * deviation: the climbs end at gains of 1e-7, the grid is what it is. fixed: of KEEP, or NaN. */
static void compare_with_grid(uint64_t seed, double keep)
{
    enum { PLACES = 24, ASKS = 12 };
    struct asy_space *space = make_space(params, WORD);
    struct asy_sampler *s = make(space, "pb2", seed, 6, 0.5);
    double x[LEN], fixed[] = { NAN, keep }, best = -INFINITY;
    struct asy_error err = ASY_ERROR_INIT;
    const struct asy__turn *from = NULL;
    struct asy_origin origin = { 0 };
    struct plain p;
    uint64_t n = play(s, seed, WORD), first = n;

    for (; n < first + ASKS; n++) { /* until one takes up another member's state */
        T_OK(asy_sampler_ask(s, n, fixed, x, &err), &err);
        origin = asy_sampler_origin(s);
        from = asy__turns_get(s, s->state, origin.parent - 1);
        if (from->origin.member != origin.member)
            break;
        tell(s, n, &(struct told){ origin.member, origin.parent, FAILED, 0, 0, 0 });
    }
    if (!T_TRUE(n < first + ASKS))
        abort();
    /* as it was when the sampler was asked: this trial did not train yet */
    tell(s, n, &(struct told){ origin.member, origin.parent, FAILED, 0, 0, 0 });
    remake(s, n, &p, asy__turns_get(s, s->state, origin.parent - 1));
    T_EQ("settle", asy__tvgp_settle(&p.gp, p.y, p.known), 0);
    for (size_t i = 0; i < PLACES * PLACES; i++) {
        double lr = pow(10, -4 + 4.0 * (double)(i / PLACES) / (PLACES - 1));

        best = fmax(best, bound(&p, lr, isnan(keep) ? (double)(i % PLACES) / (PLACES - 1) : keep));
    }
    T_TRUE(isnan(keep) || x[KEEP] == keep);
    t__check(bound(&p, x[LR], x[KEEP]) >= best - 1e-4, __LINE__, __FILE__,
             "seed %d: bound %g, on the grid %g", (int)seed, bound(&p, x[LR], x[KEEP]), best);
    asy__tvgp_fini(&p.gp);
    asy_sampler_destroy(s);
    asy_space_destroy(space);
}

static void the_point_has_the_highest_bound(void)
{
    for (uint64_t seed = 1; seed <= 8; seed++) {
        compare_with_grid(seed, NAN);
        compare_with_grid(seed, 0.375);
    }
}

/* Choices go where pbt takes them, given the same history; numbers do not. */
static void only_numbers_follow_the_model(void)
{
    struct asy_space *space = make_space(params, LEN);
    size_t differ = 0;

    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct asy_sampler *s[2] = { make(space, "pb2", seed, 6, 0.5),
                                     make(space, "pbt", seed, 6, 0.5) };
        struct asy_error err = ASY_ERROR_INIT;
        struct asy__turns *turns = s[0]->state;
        uint64_t n = play(s[0], seed, LEN);
        double x[2][LEN];

        for (size_t i = 0; i < turns->trials.len; i++) {
            const struct asy__turn *turn = asy__turns_at(s[0], turns, i);
            struct asy_outcome o = { .number = turn->number, .state = turn->state, .x = turn->x,
                                     .values = &turn->value, .origin = turn->origin };

            T_OK(asy_sampler_tell(s[1], &o, &err), &err);
        }
        for (int k = 0; k < 2; k++)
            T_OK(asy_sampler_ask(s[k], n, NULL, x[k], &err), &err);
        T_TRUE(asy_sampler_origin(s[0]).parent == asy_sampler_origin(s[1]).parent);
        T_TRUE(x[0][WORD] == x[1][WORD]);
        differ += x[0][LR] != x[1][LR] && x[0][KEEP] != x[1][KEEP];
        asy_sampler_destroy(s[0]);
        asy_sampler_destroy(s[1]);
    }
    t__check(differ >= 3, __LINE__, __FILE__, "%zu explored", differ);
    asy_space_destroy(space);
}

/* ---- beside pbt ------------------------------------------------------------------------------ */

enum { TURNS = 20, SIZE_MOST = 8, SEEDS = 40, QUADRATICS = 20, STEPS = 20 };
/* A model in training; smaller values are better. */
struct state {
    double mean[QUADRATICS], variance[QUADRATICS], gained;
};
struct problem {
    const char *name;
    void (*train)(struct state *state, int turn, const double *x); /* one turn */
    double (*value)(const struct state *state);
};

/* What a turn gains is at most 1, where the rate is the best one, which falls by a factor of 300
 * from the first to the last, and the second parameter 0.3. */
static void track(struct state *q, int turn, const double *x)
{
    double lr = (log10(x[LR]) + 0.5 + 2.5 * turn / (TURNS - 1)) / 0.6, keep = (x[KEEP] - 0.3) / 0.4;

    q->gained += exp(-0.5 * (lr * lr + keep * keep));
}

static double minus_gained(const struct state *q)
{
    return -q->gained;
}

static double curvature(size_t i)
{
    return pow(10, -2.0 * (double)i / (QUADRATICS - 1));
}

/* Stochastic gradient descent on quadratics, in expectation (Schaul, Zhang and LeCun 2013): the
 * rate has to fall for the noise to vanish, but whoever lowers it at once for that is slow ever
 * after (Wu et al. 2018, "short-horizon bias"). The second parameter makes noise. */
static void descend(struct state *q, int turn, const double *x)
{
    for (size_t i = 0; i < QUADRATICS; i++) {
        double h = curvature(i), keeps = 1 - x[LR] * h;

        if (turn == 0)
            q->mean[i] = 3;
        for (int step = 0; step < STEPS; step++) {
            q->mean[i] *= keeps;
            q->variance[i] = keeps * keeps * q->variance[i] +
                             x[LR] * x[LR] * h * (0.1 + x[KEEP] * x[KEEP]);
        }
    }
}

static double log_loss(const struct state *q)
{
    double sum = 0;

    for (size_t i = 0; i < QUADRATICS; i++)
        sum += 0.5 * curvature(i) * (q->mean[i] * q->mean[i] + q->variance[i]);
    return log10(sum / QUADRATICS);
}

/* The best value of any turn. The sampler sees values with a little noise. */
static double train(const struct problem *problem, const char *name, uint64_t size, double quantile,
                    uint64_t seed)
{
    static const struct asy_param two[] = { { .name = "lr", .lo = 1e-4, .hi = 1.9, .log = 1 },
                                            { .name = "keep", .lo = 0, .hi = 1 } };
    static struct state states[TURNS * SIZE_MOST];
    struct asy_space *space = make_space(two, 2);
    struct asy_sampler *s = make(space, name, seed, size, quantile);
    struct asy_error err = ASY_ERROR_INIT;
    double x[TURNS * SIZE_MOST][2], best = INFINITY;
    int done[TURNS * SIZE_MOST];
    struct asy_rng rng;

    memset(states, 0, sizeof states);
    asy_rng_init(&rng, seed, 9, ASY_RNG_SIM);
    for (uint64_t n = 0, told = 0; told < TURNS * size; n++) {
        struct asy_origin origin;

        if (n >= size || n == TURNS * size) { /* all members train: the oldest turn ends */
            double value = problem->value(&states[told]) + 0.01 * asy_rng_normal(&rng);
            struct asy_outcome o = { .number = told, .state = ASY_OUTCOME_COMPLETE, .x = x[told],
                                     .values = &value, .over = done[told] == TURNS };

            T_OK(asy_sampler_tell(s, &o, &err), &err);
            best = fmin(best, problem->value(&states[told++]));
        }
        if (n >= TURNS * size)
            continue;
        if (!T_OK(asy_sampler_ask(s, n, NULL, x[n], &err), &err))
            abort();
        origin = asy_sampler_origin(s);
        done[n] = origin.parent ? done[origin.parent - 1] : 0;
        if (origin.parent)
            states[n] = states[origin.parent - 1];
        problem->train(&states[n], done[n]++, x[n]);
    }
    asy_sampler_destroy(s);
    asy_space_destroy(space);
    return best;
}

/* What 20 turns come to, each with the rate that is best for itself. */
static double greedy(void)
{
    enum { RATES = 400 };
    struct state state = { { 0 } };

    for (int turn = 0; turn < TURNS; turn++) {
        struct state from = state, best = { { 0 } };

        for (int k = 0; k <= RATES; k++) {
            const double x[2] = { 1e-4 * pow(1.9e4, (double)k / RATES), 0 };

            state = from;
            descend(&state, turn, x);
            if (k == 0 || log_loss(&state) < log_loss(&best))
                best = state;
        }
        state = best;
    }
    return log_loss(&state);
}

/* So an optimiser of single turns is not to be held against the best of 20: here a rate that falls
 * by the same factor each turn, from 1 on. */
static void the_best_rate_of_each_turn_is_not_the_best_of_all(void)
{
    double best = INFINITY, each = greedy();

    for (double factor = 0.5; factor < 1; factor += 0.01) {
        struct state state = { { 0 } };
        double x[2] = { 1, 0 };

        for (int turn = 0; turn < TURNS; turn++, x[LR] *= factor)
            descend(&state, turn, x);
        best = fmin(best, log_loss(&state));
    }
    printf("\nnoisy quadratics: the best rate of each turn %.3f, one schedule %.3f\n", each, best);
    T_TRUE(best < each - 0.3);
}

/* Means of best values; each member by itself is a random search. */
static void compare(const struct problem *problem, uint64_t size, double ret_means[3])
{
    static const struct {
        const char *says, *name;
        double quantile;
    } rows[] = { { "pbt", "pbt", 0.25 }, { "pb2", "pb2", 0.25 }, { "by itself", "pbt", 0 } };
    static double values[3][SEEDS];

    for (size_t k = 0; k < 3; k++) {
        double square = 0;
        int better = 0;

        ret_means[k] = 0;
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            values[k][seed] = train(problem, rows[k].name, size, rows[k].quantile, seed);
            ret_means[k] += values[k][seed] / SEEDS;
            better += values[k][seed] < values[0][seed];
        }
        for (uint64_t seed = 0; seed < SEEDS; seed++)
            square += pow(values[k][seed] - ret_means[k], 2) / (SEEDS - 1);
        printf("\n%s, %d members, %s: %.3f (%.3f), better than pbt on %d of %d", problem->name,
               (int)size, rows[k].says, ret_means[k], sqrt(square), better, SEEDS);
    }
}

static void it_follows_a_rate_that_falls(void)
{
    static const struct problem problems[] = { { "falling optimum", track, minus_gained },
                                               { "noisy quadratics", descend, log_loss } };

    for (size_t i = 0; i < ASY_ARRAY_LEN(problems); i++)
        for (uint64_t size = 4; size <= SIZE_MOST; size += 4) {
            double means[3];

            compare(&problems[i], size, means);
            T_TRUE(means[1] < means[2] && (i > 0 || means[1] < means[0] - 2));
        }
    printf("\n");
}

T_MAIN("pb2", T_TEST(covariance_falls_with_distance_and_age), T_TEST(likelihood_has_its_gradient),
       T_TEST(fit_is_the_likeliest), T_TEST(what_trains_takes_from_deviations_not_from_means),
       T_TEST(gains_are_those_of_turns_that_went_on), T_TEST(gains_are_standardised_and_cut),
       T_TEST(the_point_has_the_highest_bound), T_TEST(only_numbers_follow_the_model),
       T_TEST(the_best_rate_of_each_turn_is_not_the_best_of_all),
       T_TEST(it_follows_a_rate_that_falls))
