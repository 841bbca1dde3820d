/* SPDX-License-Identifier: Apache-2.0
 * test_importance.c - PED-ANOVA against Optuna 5.0.0 (golden/importance.txt, made by
 * golden/make_importance.py); fANOVA's trees against what a tree's variances are by definition, its
 * shares against functions whose shares are known. */
#include <asy/importance.h>
#include <asy/rng.h>
#include "asytest.h"
#include "forest.h"
#include "golden.h"

enum { PARAMS = 8, POINTS = 2048, GOALS = 3, WORDS = 32 };
static struct asy_error err = ASY_ERROR_INIT;

static void must(int rc)
{
    if (!T_OK(rc, &err))
        abort();
}

/* ---- PED-ANOVA ------------------------------------------------------------------------------- */

struct golden {
    char line[1024], *words[WORDS], name[32];
    size_t n_words, cases;
    struct asy_space *space;
    int maximize[GOALS];
    double x[POINTS * PARAMS], losses[POINTS * GOALS];
    size_t n, m;
};

/* case NAME min,max... */
static void begin_case(struct golden *g)
{
    char *rest = g->words[2], *goal;

    asy_space_destroy(g->space);
    g->space = NULL;
    snprintf(g->name, sizeof g->name, "case %s", g->words[1]);
    g->n = g->m = 0;
    while ((goal = strsep(&rest, ",")) && g->m < GOALS)
        g->maximize[g->m++] = !strcmp(goal, "max");
    g->cases++;
    must(asy_space_create(&g->space, &err));
}

static void add_param(struct golden *g)
{
    golden_param(g->space, g->words, g->n_words);
}

/* trial value,... x... */
static void add_trial(struct golden *g)
{
    char *rest = g->words[1];
    size_t d = asy_space_len(g->space);

    for (size_t j = 0; j < g->m; j++) {
        double v = golden_number(strsep(&rest, ","));

        g->losses[g->n * g->m + j] = g->maximize[j] ? -v : v;
    }
    for (size_t i = 0; i < d; i++)
        g->x[g->n * d + i] = golden_number(g->words[2 + i]);
    must(asy_space_check(g->space, &g->x[g->n * d], &err));
    g->n++;
}

/* importance v...: logarithms of 50 masses each differ in their last digits */
static void judge(struct golden *g)
{
    struct asy_losses losses = { g->space, g->x, g->losses, g->n, g->m };
    double got[PARAMS];

    must(asy_importance_ped_anova(&losses, got, &err));
    for (size_t i = 0; i < asy_space_len(g->space); i++)
        T_NEAR(g->name, got[i], golden_number(g->words[1 + i]), 1e-10 * (1e-6 + got[i]));
}

static int read_line(struct golden *g, FILE *file)
{
    char *rest, *word;

    do {
        if (!fgets(g->line, sizeof g->line, file))
            return 0;
    } while (*g->line == '#');
    g->line[strcspn(g->line, "\n")] = '\0';
    rest = g->line;
    for (g->n_words = 0; g->n_words < WORDS && (word = strsep(&rest, " ")); g->n_words++)
        g->words[g->n_words] = word;
    return 1;
}

static void ped_anova_is_optunas(void)
{
    static const struct {
        const char *word;
        void (*run)(struct golden *g);
    } lines[] = { { "case", begin_case }, { "param", add_param }, { "trial", add_trial },
                  { "importance", judge } };
    static struct golden g;
    FILE *file = fopen(GOLDEN_IMPORTANCE, "re");

    if (!T_TRUE(file != NULL))
        return;
    while (read_line(&g, file))
        for (size_t i = 0; i < ASY_ARRAY_LEN(lines); i++)
            if (!strcmp(lines[i].word, g.words[0]))
                lines[i].run(&g);
    T_EQ("cases", g.cases, 150);
    asy_space_destroy(g.space);
    fclose(file);
}

/* ---- spaces with known answers --------------------------------------------------------------- */

static const struct asy_value names[] = { { .i = 0 }, { .i = 1 }, { .i = 2 }, { .i = 3 } };
static const double first[] = { 0 };
static const struct asy_when if_first = { .parent = 3, .values = first, .n_values = 1 };
static const struct asy_param params[] = {
    { .name = "a", .lo = -1, .hi = 3 },
    { .name = "b", .lo = 1e-4, .hi = 1, .log = 1 },
    { .name = "n", .type = ASY_PARAM_INT, .lo = 1, .hi = 8 },
    { .name = "c", .type = ASY_PARAM_CHOICE, .choices = names, .n_choices = 4 },
    { .name = "k", .lo = 0, .hi = 1, .whens = &if_first, .n_whens = 1 },
    { .name = "one", .lo = 2, .hi = 2 },
};
enum { LEN = ASY_ARRAY_LEN(params) };

static struct asy_space *space_new(void)
{
    struct asy_space *space = NULL;

    must(asy_space_create(&space, &err));
    for (size_t i = 0; i < LEN; i++)
        must(asy_space_add(space, &params[i], &err));
    return space;
}

static void draw(struct asy_rng *rng, size_t n, double *x)
{
    for (size_t k = 0; k < n; k++, x += LEN) {
        x[0] = -1 + 4 * asy_rng_double(rng);
        x[1] = pow(10, -4 + 4 * asy_rng_double(rng));
        x[2] = 1 + (double)asy_rng_below(rng, 8);
        x[3] = (double)asy_rng_below(rng, 4);
        x[4] = x[3] == 0 ? asy_rng_double(rng) : ASY_INACTIVE;
        x[5] = 2;
    }
}

/* Variances over the space: a: (hi - lo)^2 / 12 = 4/3; log10 b: 16/12; n: 63/12; c: given. */
static double additive(const double *x, const double *weights)
{
    static const double of_choice[] = { 0, 0, 1, -1 }; /* variance 1/2 */

    return weights[0] * x[0] / sqrt(4.0 / 3) + weights[1] * log10(x[1]) / sqrt(4.0 / 3) +
           weights[2] * x[2] / sqrt(63.0 / 12) + weights[3] * of_choice[(int)x[3]] / sqrt(0.5);
}

static void additive_functions_have_their_shares(void)
{
    static const struct {
        const char *name;
        double weights[4];
    } cases[] = {
        { "one", { 1, 0, 0, 0 } },      { "log", { 0, 1, 0, 0 } },
        { "int", { 0, 0, 1, 0 } },      { "choice", { 0, 0, 0, 1 } },
        { "two", { 2, 0, 1, 0 } },      { "all", { 1, -1, 1, -1 } },
        { "tiny", { 2e-9, 0, 1e-9, 0 } }, { "huge", { 0, 2e300, 0, 1e300 } },
    };
    static double x[POINTS * LEN], y[POINTS];
    struct asy_space *space = space_new();
    struct asy_rng rng;

    asy_rng_init(&rng, 3, 0, ASY_RNG_SIM);
    draw(&rng, POINTS, x);
    for (size_t c = 0; c < ASY_ARRAY_LEN(cases); c++) {
        const double *w = cases[c].weights, most = fmax(fmax(fabs(w[0]), fabs(w[1])),
                                                        fmax(fabs(w[2]), fabs(w[3])));
        struct asy_losses losses = { space, x, y, POINTS, 1 };
        double ret[LEN], squares = 0, sum = 0;

        for (size_t k = 0; k < POINTS; k++)
            y[k] = additive(&x[k * LEN], w);
        must(asy_importance_fanova(&losses, 1, ret, &err));
        for (size_t i = 0; i < 4; i++) {
            squares += w[i] / most * (w[i] / most);
            sum += ret[i];
        }
        for (size_t i = 0; i < 4; i++) /* what a forest of 2,048 points leaves: 0.023 */
            T_NEAR(cases[c].name, ret[i], w[i] / most * (w[i] / most) / squares, 0.04);
        T_TRUE(sum <= 1 + 1e-9 && sum > 0.9);
        T_TRUE(isnan(ret[4])); /* not always active */
        T_TRUE(ret[5] == 0);   /* one value */
    }
    asy_space_destroy(space);
}

/* A pure interaction: neither matters alone. */
static void interactions_belong_to_nobody(void)
{
    static double x[POINTS * LEN], y[POINTS];
    struct asy_space *space = space_new();
    struct asy_losses losses = { space, x, y, POINTS, 1 };
    struct asy_rng rng;
    double ret[LEN];

    asy_rng_init(&rng, 4, 0, ASY_RNG_SIM);
    draw(&rng, POINTS, x);
    for (size_t k = 0; k < POINTS; k++)
        y[k] = (x[k * LEN] > 1) == (x[k * LEN + 2] > 4.5);
    must(asy_importance_fanova(&losses, 1, ret, &err));
    for (size_t i = 0; i < 4; i++)
        T_NEAR("share", ret[i], 0, 0.02); /* chance in 2,048 points */
    asy_space_destroy(space);
}

static void losses_that_tell_nothing_give_zero(void)
{
    static double x[64 * LEN], y[64], ret[LEN];
    struct asy_space *space = space_new();
    struct asy_losses losses = { space, x, y, 64, 1 };
    struct asy_rng rng;

    asy_rng_init(&rng, 5, 0, ASY_RNG_SIM);
    draw(&rng, 64, x);
    for (size_t n = 0; n <= 64; n = n < 2 ? n + 1 : 2 * n) { /* none, one, equal ones */
        losses.n = n;
        must(asy_importance_fanova(&losses, 1, ret, &err));
        for (size_t i = 0; i < 4; i++)
            T_TRUE(ret[i] == 0);
        must(asy_importance_ped_anova(&losses, ret, &err));
        for (size_t i = 0; i < LEN && n < 2; i++)
            T_TRUE(ret[i] == 0);
    }
    for (size_t k = 0; k < 64; k++)
        y[k] = x[k * LEN];
    losses.n = 64;
    must(asy_importance_ped_anova(&losses, ret, &err));
    for (size_t i = 1; i < LEN; i++)
        T_TRUE(ret[0] > ret[i]);
    asy_space_destroy(space);
}

/* ---- one tree -------------------------------------------------------------------------------- */

enum { CHOICES = 3, LEVELS = 4, DRAWS = 40 };
static const size_t n_choices[] = { 0, CHOICES, 0 };

/* Coordinates lie on few places, so that a tree has a known value in each of few boxes. */
static void random_samples(struct asy_rng *rng, double *x, double *y)
{
    for (size_t i = 0; i < DRAWS; i++, x += 3) {
        x[0] = ((double)asy_rng_below(rng, LEVELS) + 0.5) / LEVELS;
        x[1] = (double)asy_rng_below(rng, CHOICES);
        x[2] = asy_rng_double(rng);
        y[i] = asy_rng_normal(rng) + (x[1] > 0) * x[0];
    }
}

/* By definition: the mean over a fine grid that has all borders of numbers between its points. */
static void a_trees_variances_are_those_of_its_values(void)
{
    enum { FINE = 4096 };
    static double by_0[2 * LEVELS], by_1[CHOICES], by_2[FINE];

    for (uint64_t seed = 0; seed < 20; seed++) {
        double x[DRAWS * 3], y[DRAWS], got[3], total, mean = 0, square = 0, want[3] = { 0 };
        struct asy__samples samples = { x, y, n_choices, DRAWS, 3 };
        struct asy__tree tree;
        uint32_t drawn[DRAWS];
        struct asy_rng rng;

        asy_rng_init(&rng, seed, 0, ASY_RNG_SIM);
        random_samples(&rng, x, y);
        for (size_t i = 0; i < DRAWS; i++)
            drawn[i] = (uint32_t)asy_rng_below(&rng, DRAWS);
        if (!T_OK(asy__tree_fit(&samples, drawn, DRAWS, &rng, &tree), &err))
            return;
        must(asy__tree_variances(&tree, &samples, got, &total));
        memset(by_0, 0, sizeof by_0);
        memset(by_1, 0, sizeof by_1);
        memset(by_2, 0, sizeof by_2);
        for (size_t a = 0; a < 2 * LEVELS; a++)
            for (size_t c = 0; c < CHOICES; c++)
                for (size_t k = 0; k < FINE; k++) {
                    double p[] = { ((double)a + 0.5) / (2 * LEVELS), (double)c,
                                   ((double)k + 0.5) / FINE };
                    double v = asy__tree_value(&tree, &samples, p);

                    mean += v / (2 * LEVELS * CHOICES * FINE);
                    square += v * v / (2 * LEVELS * CHOICES * FINE);
                    by_0[a] += v / (CHOICES * FINE);
                    by_1[c] += v / (2 * LEVELS * FINE);
                    by_2[k] += v / (2 * LEVELS * CHOICES);
                }
        for (size_t a = 0; a < 2 * LEVELS; a++)
            want[0] += (by_0[a] - mean) * (by_0[a] - mean) / (2 * LEVELS);
        for (size_t c = 0; c < CHOICES; c++)
            want[1] += (by_1[c] - mean) * (by_1[c] - mean) / CHOICES;
        for (size_t k = 0; k < FINE; k++)
            want[2] += (by_2[k] - mean) * (by_2[k] - mean) / FINE;
        /* borders along the third coordinate fall between the points of the fine grid */
        T_NEAR("total", total, square - mean * mean, 1e-2 * total);
        for (size_t j = 0; j < 3; j++)
            T_NEAR("marginal", got[j], want[j], 1e-2 * total);
        T_TRUE(got[0] + got[1] + got[2] <= total * (1 + 1e-12));
        asy__tree_fini(&tree);
    }
}

/* Drawn rows have their own loss where no others share their place. */
static void a_tree_remembers_what_it_was_made_of(void)
{
    double x[DRAWS * 3], y[DRAWS];
    struct asy__samples samples = { x, y, n_choices, DRAWS, 3 };
    struct asy__tree tree;
    uint32_t drawn[DRAWS];
    struct asy_rng rng;

    asy_rng_init(&rng, 9, 0, ASY_RNG_SIM);
    random_samples(&rng, x, y);
    for (uint32_t i = 0; i < DRAWS; i++)
        drawn[i] = i;
    if (!T_OK(asy__tree_fit(&samples, drawn, DRAWS, &rng, &tree), &err))
        return;
    for (size_t i = 0; i < DRAWS; i++)
        T_TRUE(asy__tree_value(&tree, &samples, &x[i * 3]) == y[i]);
    asy__tree_fini(&tree);
}

/* Between two of these the midpoint rounds to the upper or the lower one: each tree has one border
 * there, and its values are those of the losses on either side. */
static void neighbouring_doubles_are_told_apart(void)
{
    const struct {
        const char *name;
        double a, b;
        double share; /* of the cube below the border */
    } cases[] = {
        { "up to even", nextafter(0.5, 0), 0.5, 0.5 },
        { "down to even", 0.5, nextafter(0.5, 1), 0.5 },
        { "at the upper end", nextafter(1, 0), 1, 1 },
        { "at the lower end", 0, nextafter(0, 1), 0 },
    };
    static const size_t numbers[2] = { 0, 0 };

    for (size_t c = 0; c < ASY_ARRAY_LEN(cases); c++) {
        double x[DRAWS * 2], y[DRAWS], got[2], total, share = cases[c].share;
        struct asy__samples samples = { x, y, numbers, DRAWS, 2 };
        uint32_t drawn[DRAWS];
        struct asy__tree tree;
        struct asy_rng rng;

        asy_rng_init(&rng, c, 0, ASY_RNG_SIM);
        for (uint32_t i = 0; i < DRAWS; i++) {
            x[2 * i] = i % 2 ? cases[c].b : cases[c].a;
            x[2 * i + 1] = 0.5;
            y[i] = i % 2;
            drawn[i] = i;
        }
        if (!T_OK(asy__tree_fit(&samples, drawn, DRAWS, &rng, &tree), &err))
            return;
        for (size_t i = 0; i < DRAWS; i++)
            T_NEAR(cases[c].name, asy__tree_value(&tree, &samples, &x[2 * i]), y[i], 0);
        must(asy__tree_variances(&tree, &samples, got, &total));
        T_NEAR(cases[c].name, total, share * (1 - share), 1e-12);
        T_NEAR(cases[c].name, got[0], share * (1 - share), 1e-12);
        T_NEAR(cases[c].name, got[1], 0, 1e-12);
        asy__tree_fini(&tree);
    }
}

T_MAIN("importance", T_TEST(ped_anova_is_optunas), T_TEST(additive_functions_have_their_shares),
       T_TEST(interactions_belong_to_nobody), T_TEST(losses_that_tell_nothing_give_zero),
       T_TEST(a_trees_variances_are_those_of_its_values),
       T_TEST(a_tree_remembers_what_it_was_made_of),
       T_TEST(neighbouring_doubles_are_told_apart))
