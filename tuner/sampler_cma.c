/* SPDX-License-Identifier: Apache-2.0
 * sampler_cma.c - CMA-ES with margin, restarts and categories, for any number of workers.
 *
 * Suggestions are draws from the distribution that the finished trials of the moment make
 * (cma_search.h), each keyed by its trial. Nothing waits for a generation to be complete, and no
 * result is too late. A draw from beyond the bounds is made once more, and if that one is beyond
 * them too, it is put onto them, which finds optima there. To put the first one onto them costs
 * where the optimum is inside: a point that was moved says less of where to go. To draw until all
 * coordinates are inside, as others do, gains nothing more, takes longer the more parameters there
 * are, and hardly ever ends where the optimum lies in a corner; to reflect never gets there. */
#include "cma_search.h"
#include <stdlib.h>

enum { POPULATION, SEPARABLE, ADAPT_RATE, RESTARTS, WARM_TRIALS };
static const struct asy__option options[] = {
    [POPULATION] = { "population", 0, 0, 65536 },
    [SEPARABLE] = { "separable", 0, 0, 1 },
    [ADAPT_RATE] = { "adapt_rate", 0, 0, 1 },
    [RESTARTS] = { "restarts", ASY__CMA_IPOP, ASY__CMA_NO_RESTARTS, ASY__CMA_BIPOP },
    [WARM_TRIALS] = { "warm_trials", 0, 0, 1e6 },
};
#define FULL_MAX 200 /* parameters: beyond, a step takes longer than most trials */
#define DRAW_BLOCK ((uint64_t)1 << 48) /* above the blocks of the random draws */
#define CHOICE_BLOCK ((uint64_t)1 << 49)

static void destroy(struct asy_sampler *s)
{
    struct asy__cma_search *search = s->state;

    asy__cma_search_fini(search);
    free(search);
}

static size_t count_coordinates(const struct asy_space *space)
{
    size_t n = 0;

    for (size_t i = 0; i < asy_space_len(space); i++)
        n += asy_space_values(space, i) > 1;
    return n;
}

static int create(struct asy_sampler *s, struct asy_error *err)
{
    struct asy__cma_shape shape = { .separable = s->options[SEPARABLE] != 0,
                                    .adapt = s->options[ADAPT_RATE] != 0 };
    struct asy__cma_search *search;
    size_t n = count_coordinates(s->space);

    if (s->n_goals > 1)
        return asy_fail(err, ASY_E_INVAL, "sampler 'cma' takes one objective, not %zu", s->n_goals);
    if (shape.adapt && (shape.separable || n > FULL_MAX))
        return asy_fail(err, ASY_E_INVAL,
                        "sampler 'cma': adapt_rate needs the whole covariance, which separable "
                        "leaves out, as do more than %d parameters", FULL_MAX);
    shape.separable |= n > FULL_MAX;
    if (!(search = calloc(1, sizeof *search)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a sampler");
    s->state = search;
    search->restarts = (enum asy__cma_restarts)s->options[RESTARTS];
    search->warm = (size_t)s->options[WARM_TRIALS];
    if (asy__cma_search_init(search, s, (size_t)s->options[POPULATION], shape))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a distribution over %zu parameters", n);
    return 0;
}

static int is_inside(const double *u, size_t d)
{
    for (size_t j = 0; j < d; j++)
        if (!(u[j] >= 0 && u[j] <= 1))
            return 0;
    return 1;
}

/* Draws every parameter, active or not, into y. */
static void draw(const struct asy_sampler *s, const struct asy__cma_search *search, uint64_t number,
                 double *u, double *y)
{
    struct asy_rng rng = asy__sampler_rng(s, number, DRAW_BLOCK);

    asy__cma_draw(&search->now, &rng, u);
    if (!is_inside(u, search->coords.d))
        asy__cma_draw(&search->now, &rng, u);
    for (size_t j = 0; j < search->coords.d; j++)
        y[search->coords.dims[j].param] =
            asy__cma_value(&search->coords, j, u[j]);
    for (size_t c = 0; c < search->coords.n_choices; c++) {
        rng = asy__sampler_rng(s, number, CHOICE_BLOCK + c);
        y[search->coords.choices[c].param] =
            asy__cma_choice_at(&search->coords.choices[c], &search->now, asy_rng_double(&rng));
    }
}

static int suggest(const struct asy_sampler *s, const struct asy__cma_search *search,
                   uint64_t number, const double *fixed, double *x)
{
    size_t n = asy_space_len(s->space);
    double *u = malloc((search->coords.d + n + 1) * sizeof *u), *y;

    if (!u)
        return ASY_E_NOMEM;
    y = u + search->coords.d;
    for (size_t i = 0; i < n; i++)
        y[i] = asy_space_value(s->space, i, 0);
    draw(s, search, number, u, y);
    for (size_t i = 0; i < n; i++) {
        x[i] = ASY_INACTIVE;
        if (asy_space_active(s->space, x, i))
            x[i] = fixed && !isnan(fixed[i]) ? fixed[i] : y[i];
    }
    free(u);
    return 0;
}

static int ask(struct asy_sampler *s, uint64_t number, const double *fixed, double *x,
               struct asy_error *err)
{
    struct asy__cma_search *search = s->state;

    asy__cma_past_forget(&search->past, number); /* asked again: its own result does not count */
    if (asy__cma_search_update(search))
        return asy_fail(err, ASY_E_NOMEM, "no memory to suggest trial %llu",
                        (unsigned long long)number);
    if (!search->stand.started) {
        asy__random_point(s, number, fixed, x);
        return 0;
    }
    if (suggest(s, search, number, fixed, x))
        return asy_fail(err, ASY_E_NOMEM, "no memory to suggest trial %llu",
                        (unsigned long long)number);
    return 0;
}

static int reserve(struct asy_sampler *s, const struct asy_outcome *outcome)
{
    struct asy__cma_search *search = s->state;

    return asy__takes_back(outcome) ? 0 : asy__cma_past_reserve(&search->past);
}

static void tell(struct asy_sampler *s, const struct asy_outcome *outcome)
{
    struct asy__cma_search *search = s->state;

    asy__cma_past_tell(&search->past, s, outcome);
}

const struct asy__sampler_class asy__sampler_cma = {
    .name = "cma", .priors = ASY__PRIORS_ALL, .needs_history = 1,
    .options = options, .n_options = ASY_ARRAY_LEN(options),
    .create = create, .destroy = destroy, .ask = ask, .reserve = reserve,
    .tell = tell,
};
