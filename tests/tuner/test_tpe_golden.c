/* SPDX-License-Identifier: Apache-2.0
 * test_tpe_golden.c - the TPE sampler against Optuna 5.0.0: for histories with trials of every
 * state, one to three objectives, in every mode, it groups parameters as Optuna does, finds the
 * same log l and log g for the same candidates, and takes the same one. Cases: golden/tpe.txt, made
 * by golden/make_tpe.py. */
#include <asy/tuner.h>
#include "asytest.h"
#include "golden.h"
#include "tpe.h"

#define PARAMS_MAX 8
#define CANDIDATES_MAX 8
#define WORDS_MAX 32
#define GOALS_MAX 3

struct golden {
    FILE *file;
    char line[1024], *words[WORDS_MAX];
    size_t n_words, cases, draws;
    char name[32];
    struct asy_space *space;
    struct asy_sampler *sampler;
    uint64_t number, longest; /* trials told; the most that any case has */
    enum asy_goal goals[GOALS_MAX];
    size_t n_goals;
    struct asy_option options[3];
    /* of the present draw */
    size_t params[PARAMS_MAX], n_params, n;
    double xs[CANDIDATES_MAX * PARAMS_MAX], log_l[CANDIDATES_MAX], log_g[CANDIDATES_MAX];
};

static void end_case(struct golden *g)
{
    asy_sampler_destroy(g->sampler);
    asy_space_destroy(g->space);
    g->sampler = NULL;
    g->space = NULL;
}

/* case NAME mode LIAR min,max... */
static void begin_case(struct golden *g)
{
    struct asy_error err = ASY_ERROR_INIT;
    int univariate = !strcmp(g->words[2], "univariate");
    char *rest = g->words[4], *goal;

    end_case(g);
    snprintf(g->name, sizeof g->name, "case %s", g->words[1]);
    g->options[0] = (struct asy_option){ "multivariate", !univariate };
    g->options[1] = (struct asy_option){ "group", !strcmp(g->words[2], "group") };
    g->options[2] = (struct asy_option){ "constant_liar", golden_number(g->words[3]) };
    g->n_goals = 0;
    while ((goal = strsep(&rest, ",")) && g->n_goals < GOALS_MAX)
        g->goals[g->n_goals++] = strcmp(goal, "max") ? ASY_MINIMIZE : ASY_MAXIMIZE;
    g->number = 0;
    g->cases++;
    if (!T_OK(asy_space_create(&g->space, &err), &err))
        abort();
}

static void add_param(struct golden *g)
{
    golden_param(g->space, g->words, g->n_words);
}

static void make_sampler(struct golden *g)
{
    struct asy_sampler_spec spec = { .name = "tpe", .goals = g->goals, .n_goals = g->n_goals,
                                     .options = g->options, .n_options = 3 };
    struct asy_error err = ASY_ERROR_INIT;

    if (!T_OK(asy_sampler_create(g->space, &spec, &g->sampler, &err), &err))
        abort();
}

/* trial STATE value,... step violation x... */
static void tell(struct golden *g)
{
    static const struct {
        const char *word;
        enum asy_outcome_state state;
    } states[] = { { "COMPLETE", ASY_OUTCOME_COMPLETE }, { "PRUNED", ASY_OUTCOME_PRUNED },
                   { "FAIL", ASY_OUTCOME_FAILED }, { "RUNNING", ASY_OUTCOME_RUNNING } };
    struct asy_error err = ASY_ERROR_INIT;
    double x[PARAMS_MAX], values[GOALS_MAX];
    char *rest = g->words[2];
    struct asy_outcome o = { .number = g->number++, .x = x, .values = values,
                             .last_step = golden_number(g->words[3]),
                             .violation = golden_number(g->words[4]) };

    g->longest = g->number > g->longest ? g->number : g->longest;
    if (!g->sampler)
        make_sampler(g);
    for (size_t i = 0; i < ASY_ARRAY_LEN(states); i++)
        if (!strcmp(states[i].word, g->words[1]))
            o.state = states[i].state;
    for (size_t i = 0; i < g->n_goals; i++)
        values[i] = golden_number(strsep(&rest, ","));
    for (size_t i = 0; i + 5 < g->n_words; i++)
        x[i] = golden_number(g->words[5 + i]);
    T_OK(asy_sampler_tell(g->sampler, &o, &err), &err);
}

/* draw INDEX... */
static void begin_draw(struct golden *g)
{
    size_t got[PARAMS_MAX];

    g->draws++;
    g->n = 0;
    g->n_params = g->n_words - 1;
    for (size_t i = 0; i < g->n_params; i++)
        g->params[i] = (size_t)golden_number(g->words[1 + i]);
    if (!T_EQ(g->name, asy__tpe_group(g->sampler, g->params[0], got), g->n_params))
        abort();
    for (size_t i = 0; i < g->n_params; i++)
        T_EQ(g->name, got[i], g->params[i]);
}

/* candidate x... log_l log_g */
static void add_candidate(struct golden *g)
{
    for (size_t i = 0; i < g->n_params; i++)
        g->xs[g->n * g->n_params + i] = golden_number(g->words[1 + i]);
    g->log_l[g->n] = golden_number(g->words[1 + g->n_params]);
    g->log_g[g->n++] = golden_number(g->words[2 + g->n_params]);
}

/* 1e-10 relative, absolute where the logarithm is below 1. */
static void check_log(const struct golden *g, const char *what, double got, double want)
{
    t__check(fabs(got - want) <= 1e-10 * fmax(1, fabs(want)), __LINE__, __FILE__,
             "%s, parameter %zu: %s is %.17g, not %.17g", g->name, g->params[0], what, got, want);
}

/* best INDEX */
static void judge(struct golden *g)
{
    double log_l[CANDIDATES_MAX], log_g[CANDIDATES_MAX];
    struct asy_error err = ASY_ERROR_INIT;
    size_t best = 0;

    if (!T_OK(asy__tpe_judge(g->sampler, g->params[0], g->xs, g->n, log_l, log_g, &best, &err),
              &err))
        abort();
    for (size_t i = 0; i < g->n; i++) {
        check_log(g, "log l", log_l[i], g->log_l[i]);
        check_log(g, "log g", log_g[i], g->log_g[i]);
    }
    T_EQ(g->name, best, golden_number(g->words[1]));
}

static int read_line(struct golden *g)
{
    char *rest, *word;

    do {
        if (!fgets(g->line, sizeof g->line, g->file))
            return 0;
    } while (*g->line == '#');
    g->line[strcspn(g->line, "\n")] = '\0';
    rest = g->line;
    for (g->n_words = 0; g->n_words < WORDS_MAX && (word = strsep(&rest, " ")); g->n_words++)
        g->words[g->n_words] = word;
    return 1;
}

static void it_judges_as_optuna_does(void)
{
    static const struct {
        const char *word;
        void (*act)(struct golden *g);
    } lines[] = { { "case", begin_case },   { "param", add_param },         { "trial", tell },
                  { "draw", begin_draw },   { "candidate", add_candidate }, { "best", judge } };
    static struct golden g;

    if (!T_TRUE((g.file = fopen(GOLDEN_TPE, "r")) != NULL))
        return;
    while (read_line(&g))
        for (size_t i = 0; i < ASY_ARRAY_LEN(lines); i++)
            if (!strcmp(lines[i].word, g.words[0]))
                lines[i].act(&g);
    end_case(&g);
    fclose(g.file);
    T_TRUE(g.cases >= 500 && g.draws > g.cases);
    T_EQ("the longest history", g.longest, 600); /* more than 25 good ones, but for one objective */
}

T_MAIN("tpe_golden", T_TEST(it_judges_as_optuna_does))
