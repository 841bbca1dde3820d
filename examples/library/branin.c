/* SPDX-License-Identifier: Apache-2.0
 * branin.c - the search library by itself: ask for a point, try it, tell what came of it.
 *
 *     export PKG_CONFIG_PATH=DIR/lib/pkgconfig    # where it was installed to, if not /usr
 *     cc -std=c17 branin.c $(pkg-config --cflags --libs assay-tuner) -o branin && ./branin
 */
#include <asy/importance.h>
#include <asy/tuner.h>
#include <math.h>
#include <stdio.h>

#define TRIALS 40

/* Branin's function; its least value is 0.397887. */
static double branin(double x, double y)
{
    static const double pi = 3.14159265358979323846; /* C17 has no M_PI */
    double a = y - 5.1 / (4 * pi * pi) * x * x + 5 / pi * x - 6;

    return a * a + 10 * (1 - 1 / (8 * pi)) * cos(x) + 10;
}

int main(void)
{
    static const struct asy_param params[] = { { .name = "x", .lo = -5, .hi = 10 },
                                               { .name = "y", .lo = 0, .hi = 15 } };
    static const enum asy_goal goal = ASY_MINIMIZE;
    struct asy_sampler_spec spec = { .name = "gp", .seed = 1, .goals = &goal, .n_goals = 1,
                                     .budget = TRIALS };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_space *space = NULL;
    struct asy_sampler *sampler = NULL;
    double x[TRIALS][2], values[TRIALS], share[2];
    int best = 0;

    if (asy_space_create(&space, &err) < 0 || asy_space_add(space, &params[0], &err) < 0 ||
        asy_space_add(space, &params[1], &err) < 0 ||
        asy_sampler_create(space, &spec, &sampler, &err) < 0)
        goto out;
    for (int i = 0; i < TRIALS; i++) {
        struct asy_outcome outcome = { .number = (uint64_t)i, .state = ASY_OUTCOME_COMPLETE,
                                       .x = x[i], .values = &values[i] };

        if (asy_sampler_ask(sampler, outcome.number, NULL, x[i], &err) < 0)
            goto out;
        values[i] = branin(x[i][0], x[i][1]);
        if (asy_sampler_tell(sampler, &outcome, &err) < 0)
            goto out;
        best = values[i] < values[best] ? i : best;
    }
    printf("trial %d: branin(%.3f, %.3f) = %.6f\n", best, x[best][0], x[best][1], values[best]);
    if (asy_importance_fanova(&(struct asy_losses){ space, x[0], values, TRIALS, 1 }, 1, share,
                              &err) == 0)
        printf("of the variance: x %.2f, y %.2f\n", share[0], share[1]);
out:
    if (err.code)
        fprintf(stderr, "branin: %s\n", err.text);
    asy_sampler_destroy(sampler);
    asy_space_destroy(space);
    return err.code ? 1 : 0;
}
