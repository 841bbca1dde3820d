/* SPDX-License-Identifier: Apache-2.0
 * test_pruner_golden.c - where a rule is Optuna's, every verdict is that of Optuna 5.0.0: the
 * studies of golden/pruner.txt, which golden/make_pruner.py writes, played again. */
#include <asy/parse.h>
#include <asy/tuner.h>
#include <pruner.h>
#include "asytest.h"

#define WORDS_MAX 40

static double number(const char *text)
{
    double v = NAN;

    if (!strcmp(text, "nan"))
        return NAN;
    if (!strcmp(text, "inf") || !strcmp(text, "-inf"))
        return text[0] == '-' ? -INFINITY : INFINITY;
    T_TRUE(asy_parse_f64(text, strlen(text), &v, NULL) == 0);
    return v;
}

/* Words of a line, which is cut up. */
static size_t split(char *line, char *words[WORDS_MAX])
{
    size_t n = 0;

    for (char *at = line; *at && n < WORDS_MAX;) {
        size_t len = strcspn(at, " \n");

        if (len)
            words[n++] = at;
        at += len + (at[len] != 0);
        at[-1] = at[-1] == ' ' || at[-1] == '\n' ? 0 : at[-1];
    }
    return n;
}

static struct asy_pruner *make(char *words[], size_t n)
{
    enum asy_goal goal = strcmp(words[2], "maximize") ? ASY_MINIMIZE : ASY_MAXIMIZE;
    struct asy_option options[WORDS_MAX];
    struct asy_pruner_spec spec = { .name = words[1], .options = options, .goals = &goal,
                                    .n_goals = 1, .length_max = 1000 };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_pruner *p = NULL;

    for (size_t i = 3; i < n; i++) {
        char *value = strchr(words[i], '=');

        *value = 0;
        options[spec.n_options++] = (struct asy_option){ words[i], number(value + 1) };
    }
    T_OK(asy_pruner_create(&spec, &p, &err), &err);
    return p;
}

static uint64_t whole(const char *text)
{
    return (uint64_t)number(text);
}

static void verdicts_are_optunas(void)
{
    struct { size_t cases, reports, stops, wrong; } seen = { 0 };
    struct asy_pruner *p = NULL;
    char line[1000], name[80] = "";
    FILE *file = fopen(GOLDEN_PRUNER, "r");

    if (!T_TRUE(file))
        return;
    while (fgets(line, sizeof line, file)) {
        char *w[WORDS_MAX];
        size_t n = split(line, w);

        if (!strcmp(w[0], "case")) {
            asy_pruner_destroy(p);
            snprintf(name, sizeof name, "%s, case %zu", w[1], ++seen.cases);
            if (!(p = make(w, n)))
                break;
        } else if (!strcmp(w[0], "report")) {
            double v = number(w[3]);
            enum asy_verdict want = w[4][0] == '1' ? ASY_STOP : ASY_GO_ON;
            enum asy_verdict got = asy_pruner_report(p, whole(w[1]), whole(w[2]), &v);

            if (got != want && seen.wrong++ < 10)
                t__check(0, __LINE__, __FILE__, "%s: trial %s at step %s: %d, not %d", name, w[1],
                         w[2], got, want);
            seen.reports++;
            seen.stops += got == ASY_STOP;
        } else if (!strcmp(w[0], "ended")) {
            asy_pruner_ended(p, whole(w[1]), w[2][0] == '1');
        }
    }
    asy_pruner_destroy(p);
    fclose(file);
    T_EQ("wrong", seen.wrong, 0);
    T_EQ("cases", seen.cases, 120);
    T_TRUE(seen.reports > 20000 && seen.stops > 1000);
}

/* How Optuna's HyperbandPruner shares trials out. */
static void budgets_are_optunas(void)
{
    static const enum asy_goal goal = ASY_MINIMIZE;
    FILE *file = fopen(GOLDEN_PRUNER, "r");
    char line[1000];
    size_t cases = 0;

    if (!T_TRUE(file))
        return;
    while (fgets(line, sizeof line, file)) {
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_pruner *p = NULL;
        char *w[WORDS_MAX];
        size_t n = split(line, w);

        if (strcmp(w[0], "brackets") != 0)
            continue;
        struct asy_option options[] = { { "reduction", number(w[1]) }, { "min", number(w[2]) } };
        struct asy_pruner_spec spec = { .name = "hyperband", .options = options, .n_options = 2,
                                        .goals = &goal, .n_goals = 1, .length_max = whole(w[3]) };

        if (!T_OK(asy_pruner_create(&spec, &p, &err), &err))
            continue;
        if (T_EQ("brackets", asy__hyperband_brackets(p), n - 4))
            for (size_t b = 0; b < n - 4; b++)
                T_EQ("budget", asy__hyperband_budget(p, b), whole(w[4 + b]));
        asy_pruner_destroy(p);
        cases++;
    }
    fclose(file);
    T_EQ("cases", cases, 21);
}

T_MAIN("pruner-golden", T_TEST(verdicts_are_optunas), T_TEST(budgets_are_optunas))
