/* SPDX-License-Identifier: Apache-2.0
 * The study file's table and the tuner agree on samplers, pruners, their options and ranges. */
#include <asy/pareto.h>
#include <asy/study.h>
#include <asy/tuner.h>
#include <study_impl.h>
#include "asytest.h"

static int among(const char *name, const char *(*list)(const char *, size_t), const char *of)
{
    const char *other;

    for (size_t i = 0; (other = list(of, i)); i++)
        if (!strcmp(name, other))
            return 1;
    return 0;
}

/* Both lists have the same names, in whatever order. */
static void same_names(const char *what, const char *(*list)(const char *, size_t), const char *of)
{
    char group[64];
    const char *name;
    size_t n = 0;

    snprintf(group, sizeof group, "%s %s", what, of);
    for (; (name = asy_study_option(group, n)); n++)
        if (!among(name, list, of))
            T_STR(group, name, "an option of the tuner");
    T_TRUE(!list(of, n));
    for (size_t i = 0; (name = list(of, i)); i++)
        if (!asy__row_option(group, name))
            T_STR(group, name, "a row of the table");
}

static int sampler_takes(struct asy_space *space, const char *of, struct asy_option option)
{
    static const enum asy_goal goal = ASY_MINIMIZE;
    struct asy_sampler_spec spec = { .name = of, .options = &option, .n_options = 1,
                                     .goals = &goal, .n_goals = 1 };
    struct asy_sampler *sampler = NULL;
    int rc = asy_sampler_create(space, &spec, &sampler, NULL);

    asy_sampler_destroy(sampler);
    return rc == 0;
}

/* What else such a pruner needs before it takes an option. */
static size_t companions(const char *of, struct asy_option given, struct asy_option *ret)
{
    const char *option = given.name;
    int bound = !strcmp(option, "lower") || !strcmp(option, "upper");
    size_t n = 0;

    if ((!strcmp(of, "threshold") && !bound) || (!strcmp(option, "inner") && given.value == 3))
        ret[n++] = (struct asy_option){ "upper", 0 };
    if (!strcmp(of, "patient") && strcmp(option, "patience") != 0 &&
        strcmp(option, "min_delta") != 0 && strcmp(option, "inner") != 0)
        ret[n++] = (struct asy_option){ "inner", bound ? 3 : 2 };
    if (!strcmp(option, "brackets"))
        ret[n++] = (struct asy_option){ "reduction", 2 }; /* so many fit */
    return n;
}

static int pruner_takes(const char *of, struct asy_option option)
{
    static const enum asy_goal goals[2] = { ASY_MINIMIZE, ASY_MAXIMIZE };
    struct asy_option options[4] = { option };
    struct asy_pruner_spec spec = { .name = of, .options = options, .goals = goals, .n_goals = 2,
                                    .length_max = UINT64_MAX, .can_pause = 1 };
    struct asy_pruner *pruner = NULL;
    int rc;

    spec.n_options = 1 + companions(of, option, options + 1);
    rc = asy_pruner_create(&spec, &pruner, NULL);
    asy_pruner_destroy(pruner);
    return rc == 0;
}

static int takes(struct asy_space *space, const char *what, const char *of, const char *name,
                 double value)
{
    struct asy_option option = { name, value };

    return what[0] == 's' ? sampler_takes(space, of, option) : pruner_takes(of, option);
}

static void same_ranges(struct asy_space *space, const char *what, const char *of)
{
    char group[64];
    const char *name;

    snprintf(group, sizeof group, "%s %s", what, of);
    for (size_t i = 0; (name = asy_study_option(group, i)); i++) {
        const struct asy__row *row = asy__row_option(group, name);
        int number = row->kind == ASY__NUMBER, ranged = row->kind == ASY__INT || number;
        double lo = ranged ? row->min : 0;
        double hi = ranged ? row->max : row->kind == ASY__FLAG ? 1 : 0;

        for (const char *c = row->kind == ASY__WORD ? row->words : ""; *c; c++)
            hi += *c == '|';
        if (number && lo == hi) { /* any */
            t__check(takes(space, what, of, name, -1e308) && takes(space, what, of, name, 1e308),
                     __LINE__, __FILE__, "%s: the tuner refuses a %s", group, name);
            continue;
        }

        t__check(takes(space, what, of, name, lo) && takes(space, what, of, name, hi), __LINE__,
                 __FILE__, "%s: the tuner refuses %s of the table's range", group, name);
        lo = number ? nextafter(lo, -INFINITY) : lo - 1;
        hi = number ? nextafter(hi, INFINITY) : hi + 1;
        t__check(!takes(space, what, of, name, lo) && !takes(space, what, of, name, hi), __LINE__,
                 __FILE__, "%s: the tuner takes %s beyond the table's range", group, name);
    }
}

/* All names of one list, each a word of the row, and as many. */
static void check_all(struct asy_space *space, const char *what, const char *(*names)(size_t),
                      const char *(*options)(const char *, size_t))
{
    const struct asy__row *row;
    char path[64];
    size_t n = 0, words = 1;

    snprintf(path, sizeof path, "search.%s.name", what);
    row = asy__row_find(path);
    for (; names(n); n++) {
        t__check(asy__words_have(row->words, names(n)), __LINE__, __FILE__,
                 "%s: the table lacks %s", path, names(n));
        same_names(what, options, names(n));
        same_ranges(space, what, names(n));
    }
    for (const char *c = row->words; *c; c++)
        words += *c == '|';
    T_EQ(path, n, words);
}

/* ---- how many objectives -------------------------------------------------------------------- */

/* A study of n_goals objectives that are judged by what is named, as it stands in a file. */
static int check_takes(const char *what, const char *name, size_t n_goals)
{
    char text[1200];
    int len = snprintf(text, sizeof text,
                       "assay: 1\nname: s\n"
                       "run: {command: [train], checkpoint: true, length: {max: 27}}\n"
                       "parameters: {n: {type: int, min: 1, max: 9}}\n"
                       "search: {%s: {name: %s%s}}\nbudget: {trials: 9}\nobjective:\n", what, name,
                       !strcmp(name, "threshold") ? ", upper: 9"
                       : !strcmp(name, "patient") ? ", inner: median" : "");
    struct asy_study_spec *spec = NULL;
    int rc;

    for (size_t i = 0; i < n_goals; i++)
        len += snprintf(text + len, sizeof text - (size_t)len,
                        "  - {metric: m%zu, goal: minimize}\n", i);
    rc = asy_study_parse(text, (size_t)len, "s.yaml", "/", &spec, NULL, NULL);
    asy_study_destroy(spec);
    return rc == 0;
}

static int tuner_takes(struct asy_space *space, int is_sampler, const char *name, size_t n_goals)
{
    static const enum asy_goal goals[ASY_OBJECTIVES_MAX];
    struct asy_option options[2] = { { 0 } };
    struct asy_sampler_spec spec = { .name = name, .goals = goals, .n_goals = n_goals };
    struct asy_pruner_spec rule = { .name = name, .options = options, .goals = goals,
                                    .n_goals = n_goals, .length_max = 27, .can_pause = 1 };
    struct asy_sampler *sampler = NULL;
    struct asy_pruner *pruner = NULL;
    int rc;

    if (!strcmp(name, "threshold"))
        options[rule.n_options++] = (struct asy_option){ "upper", 9 };
    rc = is_sampler ? asy_sampler_create(space, &spec, &sampler, NULL)
                    : asy_pruner_create(&rule, &pruner, NULL);
    asy_sampler_destroy(sampler);
    asy_pruner_destroy(pruner);
    return rc == 0;
}

static void as_many_objectives_pass_as_the_tuner_takes(void)
{
    static const struct {
        const char *what;
        const char *(*name)(size_t);
    } lists[] = { { "sampler", asy_sampler_name }, { "pruner", asy_pruner_name } };
    struct asy_param param = { .name = "n", .type = ASY_PARAM_INT, .lo = 1, .hi = 9 };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_space *space = NULL;

    if (!T_OK(asy_space_create(&space, &err), &err) ||
        !T_OK(asy_space_add(space, &param, &err), &err))
        goto out;
    for (size_t k = 0; k < ASY_ARRAY_LEN(lists); k++)
        for (size_t i = 0; lists[k].name(i); i++)
            for (size_t n = 1; n <= ASY_OBJECTIVES_MAX; n++) {
                const char *name = lists[k].name(i);
                int want = tuner_takes(space, k == 0, name, n);

                t__check(check_takes(lists[k].what, name, n) == want, __LINE__, __FILE__,
                         "%s %s: the tuner %s %zu objectives, a file does not", lists[k].what, name,
                         want ? "takes" : "refuses", n);
            }
out:
    asy_space_destroy(space);
}

static void table_and_tuner_agree(void)
{
    struct asy_param param = { .name = "n", .type = ASY_PARAM_INT, .lo = 1, .hi = 9 };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_space *space = NULL;

    if (T_OK(asy_space_create(&space, &err), &err) &&
        T_OK(asy_space_add(space, &param, &err), &err)) {
        check_all(space, "sampler", asy_sampler_name, asy_sampler_option);
        check_all(space, "pruner", asy_pruner_name, asy_pruner_option);
    }
    asy_space_destroy(space);
}

T_MAIN("study-tuner", T_TEST(table_and_tuner_agree),
       T_TEST(as_many_objectives_pass_as_the_tuner_takes))
