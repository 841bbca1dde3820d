/* SPDX-License-Identifier: Apache-2.0
 * test_study_prior.c - the key `prior` of a parameter: read, written, refused, and held to what the
 * tuner's samplers take; parameters that search.fixed holds at a value. */
#include <asy/study.h>
#include <asy/tuner.h>
#include "asytest.h"

#define HEAD                                                                                       \
    "assay: 1\nname: s\nrun: {command: [x], checkpoint: true, length: {max: 9}}\n"                \
    "objective: {metric: l, goal: minimize}\nbudget: {trials: 9}\n"

static struct asy_study_spec *parse(const char *name, const char *text)
{
    struct asy_study_spec *spec = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf problems;

    asy_buf_init(&problems, 64u << 10);
    if (!T_OK(asy_study_parse(text, strlen(text), "s.yaml", "/base", &spec, &problems, &err), &err))
        fprintf(stderr, "%s: %s", name, problems.data);
    asy_buf_fini(&problems);
    return spec;
}

#define MANY                                                                                       \
    "parameters:\n"                                                                                \
    "  lr: {min: 1e-6, max: 1.0, scale: log, prior: {mean: 1e-3, sd: 2}}\n"                        \
    "  drop: {min: 0.0, max: 0.5, prior: {a: 2, b: 5}}\n"                                          \
    "  depth: {min: 1, max: 20, prior: {min: 4.5, max: 8.5}}\n"                                    \
    "  rate: {min: 0.0, max: 100.0, step: 0.5, prior: {min: 0.1, scale: log}}\n"                   \
    "  size: {values: [64, 16, 32], prior: {weights: [1, 2, 3]}}\n"                                \
    "  opt: {values: [sgd, adam], prior: {weights: [1, 9]}}\n"                                     \
    "  one: {min: 3, max: 3, prior: {mean: 3, sd: 1}}\n"                                           \
    "  none: {min: 0.0, max: 1.0, prior: }\n"                                                      \
    "search: {sampler: random}\n"

static void priors_arrive(void)
{
    struct asy_study_spec *s = parse("many", HEAD MANY), *again = NULL;
    static const double sizes[] = { 2, 3, 1 }, opts[] = { 1, 9 };
    const struct {
        enum asy_prior_kind kind;
        int log;
        double lo, hi, a, b;
        const double *weights;
    } want[] = {
        { ASY_PRIOR_NORMAL, 1, 1e-6, 1, 1e-3, 2, NULL }, { ASY_PRIOR_BETA, 0, 0, 0.5, 2, 5, NULL },
        { ASY_PRIOR_UNIFORM, 0, 4.5, 8.5, 0, 0, NULL },
        { ASY_PRIOR_UNIFORM, 1, 0.1, 100.25, 0, 0, NULL },
        { ASY_PRIOR_WEIGHTS, 0, 0, 0, 0, 0, sizes }, { ASY_PRIOR_WEIGHTS, 0, 0, 0, 0, 0, opts },
        { ASY_PRIOR_NONE, 0, 0, 0, 0, 0, NULL }, { ASY_PRIOR_NONE, 0, 0, 0, 0, 0, NULL },
    };
    struct asy_error err = ASY_ERROR_INIT;

    for (size_t i = 0; s && i < ASY_ARRAY_LEN(want); i++) {
        const struct asy_param *p = asy_space_at(s->space, i);

        T_EQ(p->name, p->prior.kind, want[i].kind);
        T_EQ(p->name, p->prior.log, want[i].log);
        T_TRUE(p->prior.lo == want[i].lo && p->prior.hi == want[i].hi);
        T_TRUE(p->prior.a == want[i].a && p->prior.b == want[i].b);
        for (size_t k = 0; want[i].weights && k < p->n_choices; k++)
            T_NEAR(p->name, p->prior.weights[k], want[i].weights[k], 0);
    }
    if (s && T_OK(asy_study_parse(s->canonical, s->canonical_len, "study", NULL, &again, NULL,
                                  &err), &err))
        T_STR("canonical", again->canonical, s->canonical);
    asy_study_destroy(again);
    asy_study_destroy(s);
}

static void mistakes_in_priors_are_named(void)
{
    static const struct {
        const char *name, *param, *want;
    } cases[] = {
        { "word", "{min: 0.0, max: 1.0, prior: low}",
          "s.yaml:7:34: parameters.x: prior: must be a map, as {mean, sd} or {weights: [...]}, "
          "not 'low'" },
        { "key", "{min: 0.0, max: 1.0, prior: {meen: 1, sd: 2}}",
          "s.yaml:7:35: parameters.x: prior: unknown key 'meen'; did you mean 'mean'?" },
        { "no sd", "{min: 0.0, max: 1.0, prior: {mean: 1}}", "prior: needs both mean and sd" },
        { "no b", "{min: 0.0, max: 1.0, prior: {a: 1}}", "prior: needs both a and b" },
        { "two shapes", "{min: 0.0, max: 1.0, prior: {mean: 1, sd: 1, a: 1, b: 1}}",
          "has mean or sd, and a or b" },
        { "nothing", "{min: 0.0, max: 1.0, prior: {scale: log}}",
          "prior: needs mean and sd, a and b, or min and max" },
        { "sd 0", "{min: 0.0, max: 1.0, prior: {mean: 1, sd: 0}}",
          "s.yaml:7:48: parameters.x: prior: sd must be above 0" },
        { "text", "{min: 0.0, max: 1.0, prior: {mean: one, sd: 1}}",
          "prior: mean must be a number, not 'one'" },
        { "beta", "{min: 0.0, max: 1.0, prior: {a: 0, b: 1}}", "prior: a and b must be above 0" },
        { "turned round", "{min: 0.0, max: 1.0, prior: {min: 0.5, max: 0.1}}",
          "prior: min is not below max" },
        { "log mean", "{min: 0.1, max: 1.0, scale: log, prior: {mean: 0, sd: 1}}",
          "prior: mean must be above 0 on a log scale" },
        { "log min", "{min: 0.0, max: 1.0, prior: {min: 0, max: 1, scale: log}}",
          "prior: min must be above 0 on a log scale" },
        { "log of bounds", "{min: 0.0, max: 1.0, prior: {max: 1, scale: log}}",
          "a prior on a log scale needs a minimum above 0, not 0" },
        { "scale", "{min: 0.0, max: 1.0, prior: {min: 0, max: 1, scale: exp}}",
          "prior: scale must be linear or log, not 'exp'" },
        { "outside", "{min: 0.0, max: 1.0, prior: {min: 4, max: 5}}",
          "its prior lies outside of its bounds" },
        { "shape", "{min: 0.0, max: 1.0, prior: {a: 2, b: 1}}",
          "own scale, and weights; random, qmc, gp, cma, nsga2 and nsga3 take any\n" },
        { "weights of a number", "{min: 0.0, max: 1.0, prior: {weights: [1]}}",
          "prior: weights are for values, not for numbers" },
        { "mean of values", "{values: [a, b], prior: {mean: 1, sd: 1}}",
          "prior: of values is {weights: [...]}, one for each" },
        { "too few weights", "{values: [a, b], prior: {weights: [1]}}",
          "prior: weights must be a list of 2 numbers, one for each value" },
        { "a weight of 0", "{values: [a, b], prior: {weights: [1, 0]}}",
          "s.yaml:7:44: parameters.x: prior: a weight must be a number above 0, not '0'" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_study_spec *spec = NULL;
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_buf problems;
        char text[600];

        snprintf(text, sizeof text, "%sparameters:\n  x: %s\n", HEAD, cases[i].param);
        asy_buf_init(&problems, 64u << 10);
        T_EQ(cases[i].name,
             asy_study_parse(text, strlen(text), "s.yaml", "/base", &spec, &problems, &err),
             ASY_E_INVAL);
        T_HAS(cases[i].name, problems.data, cases[i].want);
        asy_buf_fini(&problems);
        asy_study_destroy(spec);
    }
}

/* What the study file says of each sampler is what the tuner does with the same space. */
static void file_and_tuner_agree_on_samplers(void)
{
    static const char *const spaces[] = {
        "parameters: {x: {min: 0.0, max: 1.0, step: 0.25, prior: {mean: 0.5, sd: 1}}}",
        "parameters: {x: {min: 0.0, max: 1.0, step: 0.25, prior: {a: 2, b: 1}}}",
        "parameters: {x: {min: 1.0, max: 2.0, step: 0.25, prior: {mean: 1, sd: 1, scale: log}}}",
        "parameters: {x: {min: 0.0, max: 1.0, step: 0.25, prior: {min: 0.25, max: 0.5}}}",
        "parameters: {x: {values: [a, b], prior: {weights: [1, 2]}}}",
        "parameters: {x: {values: [1, 2], prior: {weights: [1, 2]}}}",
        "parameters: {y: {values: [a, b]}, x: {min: 0, max: 4, prior: {a: 2, b: 1}, when: {y: b}}}",
        "parameters: {y: {values: [a, b]}, x: {min: 0.0, max: 1.0, step: 0.25}}",
        "parameters: {y: {values: [a, b]}, z: {min: 0, max: 4, prior: {a: 2, b: 1}}, "
        "x: {min: 0, max: 4, prior: {mean: 2, sd: 1}, when: {y: b}}}",
        "parameters: {y: {values: [a, b]}, z: {min: 0, max: 4, prior: {min: 1, max: 2}}, "
        "x: {min: 0, max: 4, when: {y: b}}}",
    };
    static const enum asy_goal goal = ASY_MINIMIZE;
    const char *name;

    for (size_t i = 0; i < ASY_ARRAY_LEN(spaces); i++) {
        struct asy_study_spec *s;
        char text[600];

        snprintf(text, sizeof text, "%s%s\nsearch: {sampler: random}\n", HEAD, spaces[i]);
        s = parse(spaces[i], text);
        for (size_t k = 0; s && (name = asy_sampler_name(k)); k++) {
            struct asy_sampler_spec spec = { .name = name, .goals = &goal, .n_goals = 1,
                                             .budget = 100 };
            struct asy_study_spec *other = NULL;
            struct asy_sampler *sampler = NULL;
            struct asy_error why = ASY_ERROR_INIT;
            int taken = asy_sampler_create(s->space, &spec, &sampler, &why) == 0, read;

            snprintf(text, sizeof text, "%s%s\nsearch: {sampler: %s}\n", HEAD, spaces[i], name);
            read = asy_study_parse(text, strlen(text), "s", "/", &other, NULL, NULL) == 0;
            t__check(read == taken, __LINE__, __FILE__, "%s with %s: file %d, tuner %d (%s)", name,
                     spaces[i], read, taken, why.text);
            asy_sampler_destroy(sampler);
            asy_study_destroy(other);
        }
        asy_study_destroy(s);
    }
}

/* ---- search.fixed --------------------------------------------------------------------------- */

#define SPACE                                                                                      \
    "parameters:\n  lr: {min: 1e-5, max: 1.0, scale: log, prior: {mean: 1e-3, sd: 1}}\n"           \
    "  n: {min: 2, max: 9}\n  s: {min: 0.0, max: 1.0, step: 0.1}\n  v: {values: [4, 1, 2]}\n"      \
    "  w: {values: [a, b]}\n  c: {min: 0.0, max: 1.0, when: {w: b}}\n"

static void fixed_parameters_keep_one_value(void)
{
    static const double want[] = { 0.25, 3, 0.3, 0, 0 };
    struct asy_study_spec *s = parse("fixed", HEAD SPACE "search: {fixed: {lr: 0.25, n: 3, s: 0.3, "
                                                         "v: 2, w: b}}\n"), *again = NULL;
    struct asy_error err = ASY_ERROR_INIT;

    if (!s)
        return;
    for (size_t i = 0; i < ASY_ARRAY_LEN(want); i++) {
        T_NEAR(asy_space_at(s->space, i)->name, asy_space_values(s->space, i), 1, 0);
        T_NEAR(asy_space_at(s->space, i)->name, asy_space_value(s->space, i, 0), want[i], 0);
    }
    T_EQ("v", asy_space_at(s->space, 3)->choices[0].i, 2);
    T_STR("w", asy_space_at(s->space, 4)->choices[0].s, "b");
    T_TRUE(isinf(asy_space_values(s->space, 5)));
    if (T_OK(asy_study_parse(s->canonical, s->canonical_len, "study", NULL, &again, NULL, &err),
             &err))
        T_STR("canonical", again->canonical, s->canonical);
    asy_study_destroy(again);
    asy_study_destroy(s);
}

static void what_cannot_be_fixed_is_named(void)
{
    static const struct {
        const char *fixed, *want;
    } cases[] = {
        { "{lrr: 1}", "s.yaml:13:18: search.fixed.lrr: is not a parameter; did you mean 'lr'?" },
        { "{lr: 2.0}", "search.fixed.lr: '2.0' is not a value of this parameter, which is from "
                       "1e-05 to 1\n" },
        { "{n: 3.5}", "search.fixed.n: '3.5' is not a value of this parameter, which is from 2 to "
                      "9 in whole numbers\n" },
        { "{s: 0.25}", "search.fixed.s: '0.25' is not a value of this parameter, which is from 0 "
                       "to 1 in steps of 0.1\n" },
        { "{v: 3}", "search.fixed.v: '3' is not a value of this parameter, which is one of 1, 2, "
                    "4\n" },
        { "{w: [a]}", "search.fixed.w: a list is not a value of this parameter, which is one of a, "
                      "b\n" },
        { "{w: a}", "parameters.c: when: 'w' never is 'b'; search.fixed holds it at 'a': leave "
                    "this parameter out\n" },
        { "{w: b, n: 3}, enqueue: [{n: 4}]", "search.enqueue[0]: parameter 'n': 4 is not 3, its "
                                             "only value; search.fixed holds it at '3'\n" },
        { "{n: 3}, tell: [{point: {lr: 0.1, n: 4, s: 0.1, v: 1, w: a}, value: 1}]",
          "search.tell[0]: parameter 'n': 4 is not 3, its only value; search.fixed holds it at "
          "'3'\n" },
        { "{w: b}, enqueue: [{w: a}]", "search.enqueue[0]: parameter 'w': not its only value; "
                                       "search.fixed holds it at 'b'\n" },
        { "7", "search.fixed: must be a map of parameters and values, not '7'" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_study_spec *spec = NULL;
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_buf problems;
        char text[900];

        snprintf(text, sizeof text, HEAD SPACE "search: {fixed: %s}\n", cases[i].fixed);
        asy_buf_init(&problems, 64u << 10);
        T_EQ(cases[i].fixed,
             asy_study_parse(text, strlen(text), "s.yaml", "/base", &spec, &problems, &err),
             ASY_E_INVAL);
        T_HAS(cases[i].fixed, problems.data, cases[i].want);
        asy_buf_fini(&problems);
        asy_study_destroy(spec);
    }
}

T_MAIN("study-prior", T_TEST(fixed_parameters_keep_one_value),
       T_TEST(what_cannot_be_fixed_is_named),
       T_TEST(priors_arrive), T_TEST(mistakes_in_priors_are_named),
       T_TEST(file_and_tuner_agree_on_samplers))
