/* SPDX-License-Identifier: Apache-2.0
 * test_wandb.c - W&B sweep files: what each key becomes, what each distribution draws, which words
 * each macro makes, and every mistake with its place. */
#include <asy/proc.h>
#include <asy/study.h>
#include <asy/tuner.h>
#include "asytest.h"

#define DRAWS 4000
#define KS_MAX (2.69 / 63.2) /* Kolmogorov's bound for p = 1e-6 */
#define HEAD "program: train.py\nmethod: random\nmetric: {name: loss}\n"

static int parse_as(const char *file, const char *text, struct asy_study_spec **ret,
                    struct asy_buf *problems, struct asy_error *err)
{
    asy_buf_init(problems, 64u << 10);
    return asy_study_parse(text, strlen(text), file, "/base", ret, problems, err);
}

static struct asy_study_spec *parse(const char *name, const char *text)
{
    struct asy_study_spec *spec = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf problems;

    if (!T_OK(parse_as("some/My Sweep.yaml", text, &spec, &problems, &err), &err))
        fprintf(stderr, "%s: %s", name, problems.data);
    asy_buf_fini(&problems);
    return spec;
}

/* ---- keys ------------------------------------------------------------------------------------ */

static const char whole[] =
    "program: train.py\n"
    "name: First Try (lr)\n"
    "project: My Project\n"
    "entity: lab-7\n"
    "description: what it is\n"
    "method: bayes\n"
    "metric: {name: val.loss, goal: maximize, target: 0.99}\n"
    "run_cap: 12\n"
    "early_terminate: {type: hyperband, max_iter: 27, s: 2, strict: true}\n"
    "resources: {cores: 2, memory: 4GiB}\n"
    "command:\n  - ${env}\n  - FLAG=${envvar:HOME}/x\n  - ${interpreter}\n  - ${program}\n"
    "  - ${args_json_file}\n  - '{brace}'\n  - 5\n"
    "parameters:\n"
    "  lr: {min: 0.001, max: 0.1}\n"
    "  optimizer:\n    parameters:\n      name: {values: [adam, sgd]}\n"
    "      inner:\n        parameters: {beta: {value: 0.9}}\n"
    "  flag: {values: [yes, 'no', false]}\n";

static const char *tag(const struct asy_study_spec *s, const char *name)
{
    for (size_t i = 0; i < s->n_tags; i++)
        if (!strcmp(s->tags[2 * i], name))
            return s->tags[2 * i + 1];
    return NULL;
}

static void every_key_has_its_counterpart(void)
{
    static const char *const names[] = { "lr", "optimizer.name", "optimizer.inner.beta", "flag" };
    struct asy_study_spec *s = parse("whole", whole), *again = NULL;
    struct asy_error err = ASY_ERROR_INIT;

    if (!s)
        return;
    T_STR("name", s->name, "first-try-lr");
    T_STR("project", s->project, "my-project");
    T_STR("description", s->description, "what it is");
    T_STR("tag", tag(s, "wandb.name"), "First Try (lr)");
    T_STR("tag", tag(s, "wandb.project"), "My Project");
    T_STR("tag", tag(s, "wandb.entity"), "lab-7");
    T_STR("tag", tag(s, "wandb.method"), "bayes");
    T_STR("sampler", s->sampler, "gp");
    T_STR("metric", s->objectives[0].metric, "val.loss");
    T_EQ("goal", s->objectives[0].maximize, 1);
    T_NEAR("target", s->objectives[0].target, 0.99, 0);
    T_EQ("run_cap", s->max_trials, 12);
    T_STR("pruner", s->pruner, "asha");
    T_STR("option", s->pruner_options[0].name, "min");
    T_NEAR("27 / 3^2", s->pruner_options[0].value, 3, 0);
    T_NEAR("eta", s->pruner_options[1].value, 3, 0);
    T_EQ("max_iter", s->length_max, 27);
    T_EQ("cores", s->cores, 2);
    T_EQ("wandb", s->wandb, 1);
    T_STR("files", s->files[0], "/base/train.py");
    T_EQ("words", s->n_command, 7);
    T_STR("env", s->command[0], "/usr/bin/env");
    T_STR("envvar", s->command[1], "FLAG={env:HOME}/x");
    T_EQ("interpreter", strncmp(s->command[2], "python", 6), 0);
    T_STR("program", s->command[3], "train.py");
    T_STR("json file", s->command[4], "{wandb:args_json_file}");
    T_STR("braces", s->command[5], "{{brace}}");
    T_STR("number", s->command[6], "5");
    T_TRUE(asy_study_wants_json_file(s));
    T_EQ("parameters", asy_space_len(s->space), ASY_ARRAY_LEN(names));
    for (size_t i = 0; i < ASY_ARRAY_LEN(names); i++)
        T_STR("parameter", asy_space_at(s->space, i)->name, names[i]);
    if (T_OK(asy_study_parse(s->canonical, s->canonical_len, "study", NULL, &again, NULL, &err),
             &err))
        T_STR("canonical", again->canonical, s->canonical);
    asy_study_destroy(again);
    asy_study_destroy(s);
}

static void what_is_left_out_is_what_it_is_there(void)
{
    struct asy_study_spec *s = parse("least", "method: random\nprogram: a.py\nmetric: {name: l}\n"
                                              "parameters: {x: {values: [yes, 'yes', off]}}\n");
    const struct asy_param *x;

    if (!s)
        return;
    x = asy_space_at(s->space, 0);
    T_STR("name", s->name, "my-sweep"); /* of the file */
    T_STR("project", s->project, "default");
    T_EQ("goal", s->objectives[0].maximize, 0);
    T_TRUE(s->max_trials == UINT64_MAX && s->max_time_ms == INT64_MAX);
    T_STR("pruner", s->pruner, "none");
    T_EQ("words", s->n_command, 4);
    T_STR("args", s->command[3], "{wandb:args}");
    T_EQ("a bare yes", x->choices[0].type, ASY_VALUE_BOOL);
    T_EQ("a bare yes", x->choices[0].i, 1);
    T_EQ("a quoted yes", x->choices[1].type, ASY_VALUE_STRING);
    T_EQ("a bare off", x->choices[2].type, ASY_VALUE_BOOL);
    asy_study_destroy(s);
}

static void grids_are_those_of_the_grid_search_there(void)
{
    static const char text[] = "program: a.py\nmethod: grid\nmetric: {name: l}\nparameters:\n"
                               "  a: {values: [3, 1, 2]}\n  b: {min: 2, max: 4}\n"
                               "  c: {distribution: q_uniform, min: 0.5, max: 2.0, q: 0.5}\n"
                               "  d: {value: x}\n";
    struct asy_study_spec *s = parse("grid", text);

    if (!s)
        return;
    T_STR("sampler", s->sampler, "grid");
    T_NEAR("a", asy_space_values(s->space, 0), 3, 0);
    T_NEAR("b", asy_space_values(s->space, 1), 3, 0);
    T_NEAR("c, without its end", asy_space_values(s->space, 2), 3, 0);
    T_NEAR("c", asy_space_value(s->space, 2, 2), 1.5, 0);
    T_NEAR("points", asy_space_cardinality(s->space), 27, 0);
    asy_study_destroy(s);
}

/* ---- distributions --------------------------------------------------------------------------- */

static double phi(double z)
{
    return 0.5 * erfc(-z / sqrt(2));
}

static double uniform(double x, double lo, double hi)
{
    return x <= lo ? 0 : x >= hi ? 1 : (x - lo) / (hi - lo);
}

static double d_uniform(double x) { return uniform(x, -1, 3); }
static double d_int(double x) { return uniform(floor(x) + 1, 2, 7); }
static double d_log(double x) { return uniform(log(x), -5, 1); }
static double d_log_values(double x) { return uniform(log(x), log(1e-4), log(10)); }
static double d_inv_log(double x) { return uniform(log(x), -4, 2); }
static double d_normal(double x) { return phi((x - 3) / 0.5); }
static double d_log_normal(double x) { return phi((log(x) + 1) / 0.7); }
static double d_beta(double x) { return x <= 0 ? 0 : x >= 1 ? 1 : x * x * (3 - 2 * x); }
static double d_q_uniform(double x) { return uniform(x, 0.3, 9.7); }
static double d_q_log(double x) { return x <= 0 ? 0 : uniform(log(x), -1, 3); }
static double d_q_log_values(double x) { return x <= 0 ? 0 : uniform(log(x), log(32), log(256)); }
static double d_q_normal(double x) { return phi(x / 2); }
static double d_q_log_normal(double x) { return x <= 0 ? 0 : phi(log(x)); }
static double d_weights(double x) { return x < 0 ? 0 : x < 1 ? 0.2 : x < 2 ? 0.7 : 1; }

/* The share of draws at or below a value, as W&B has it: of the distribution at the value, or with
 * q at the middle between it and the next. */
static const struct drawn {
    const char *param;
    double (*cdf)(double x);
    double q;
    int whole;
} drawn[] = {
    { "{distribution: uniform, min: -1, max: 3}", d_uniform, 0, 0 },
    { "{min: -1.0, max: 3}", d_uniform, 0, 0 },
    { "{min: 2, max: 6}", d_int, 0, 1 },
    { "{distribution: int_uniform, min: 2, max: 6}", d_int, 0, 1 },
    { "{distribution: log_uniform, min: -5, max: 1}", d_log, 0, 0 },
    { "{distribution: log_uniform_values, min: 0.0001, max: 10}", d_log_values, 0, 0 },
    { "{distribution: inv_log_uniform, min: -2, max: 4}", d_inv_log, 0, 0 },
    { "{distribution: inv_log_uniform_values, min: 0.0001, max: 10}", d_log_values, 0, 0 },
    { "{distribution: normal, mu: 3, sigma: 0.5}", d_normal, 0, 0 },
    { "{distribution: log_normal, mu: -1, sigma: 0.7}", d_log_normal, 0, 0 },
    { "{distribution: beta, a: 2, b: 2}", d_beta, 0, 0 },
    { "{distribution: q_uniform, min: 0.3, max: 9.7, q: 2}", d_q_uniform, 2, 1 },
    { "{distribution: q_uniform, min: 0.3, max: 9.7, q: 0.5}", d_q_uniform, 0.5, 0 },
    { "{distribution: q_log_uniform, min: -1, max: 3}", d_q_log, 1, 0 },
    { "{distribution: q_log_uniform_values, min: 32, max: 256, q: 8}", d_q_log_values, 8, 1 },
    { "{distribution: q_normal, sigma: 2, q: 1}", d_q_normal, 1, 1 },
    { "{distribution: q_log_normal, q: 1}", d_q_log_normal, 1, 1 },
    { "{distribution: q_beta, a: 2, b: 2, q: 0.25}", d_beta, 0.25, 0 },
    { "{values: [a, b, c], probabilities: [0.2, 0.5, 0.3]}", d_weights, 0, 1 },
};

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double distance(const struct drawn *d, double *draws)
{
    double worst = 0;

    qsort(draws, DRAWS, sizeof *draws, by_size);
    for (size_t k = 0; k < DRAWS;) {
        size_t end = k;
        double below, upto;

        while (end < DRAWS && draws[end] == draws[k])
            end++;
        upto = d->cdf(draws[k] + d->q / 2);
        below = d->q > 0 ? d->cdf(draws[k] - d->q / 2) : d->whole ? d->cdf(draws[k] - 1) : upto;
        worst = fmax(worst, fabs((double)k / DRAWS - below));
        worst = fmax(worst, fabs((double)end / DRAWS - upto));
        k = end;
    }
    return worst;
}

static void draw(const struct asy_space *space, double *draws)
{
    static const enum asy_goal goal = ASY_MINIMIZE;
    struct asy_sampler_spec spec = { .name = "random", .seed = 3, .goals = &goal, .n_goals = 1 };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_sampler *sampler = NULL;

    if (T_OK(asy_sampler_create(space, &spec, &sampler, &err), &err))
        for (uint64_t k = 0; k < DRAWS; k++)
            if (!T_OK(asy_sampler_ask(sampler, k, NULL, &draws[k], &err), &err))
                break;
    asy_sampler_destroy(sampler);
}

static void distributions_draw_what_they_say(void)
{
    double *draws = calloc(DRAWS, sizeof *draws);

    for (size_t i = 0; draws && i < ASY_ARRAY_LEN(drawn); i++) {
        struct asy_study_spec *s;
        char text[400];
        double d;

        snprintf(text, sizeof text, "%sparameters: {x: %s}\n", HEAD, drawn[i].param);
        if (!(s = parse(drawn[i].param, text)))
            continue;
        draw(s->space, draws);
        d = distance(&drawn[i], draws);
        t__check(d <= KS_MAX, __LINE__, __FILE__, "%s: off by %g", drawn[i].param, d);
        t__check((asy_space_at(s->space, 0)->type == ASY_PARAM_FLOAT) == !drawn[i].whole, __LINE__,
                 __FILE__, "%s: type %d", drawn[i].param, (int)asy_space_at(s->space, 0)->type);
        asy_study_destroy(s);
    }
    free(draws);
}

/* Methods bayes and random take each of them. */
static void bayes_takes_every_distribution(void)
{
    for (size_t i = 0; i < ASY_ARRAY_LEN(drawn); i++) {
        char text[400];

        snprintf(text, sizeof text, "program: a.py\nmethod: bayes\nmetric: {name: loss}\n"
                 "parameters: {x: %s}\n", drawn[i].param);
        asy_study_destroy(parse(drawn[i].param, text));
    }
}

/* ---- macros ---------------------------------------------------------------------------------- */

static void macros_make_the_words_that_they_make_there(void)
{
    static const char params_text[] =
        "{\"lr\":1e-05,\"n\":100000.0,\"opt.name\":\"it's\",\"i\":3,\"opt.inner.b\":true,"
        "\"on\":true,\"off\":false,\"s\":\"a b\"}";
    static const struct {
        const char *word, *want;
    } cases[] = {
        { "${args}", "--lr=1e-05|--n=100000.0|--opt={'name': \"it's\", 'inner': {'b': True}}|--i=3|"
                     "--on=True|--off=False|--s=a b|" },
        { "${args_no_hyphens}", "lr=1e-05|n=100000.0|opt={'name': \"it's\", 'inner': {'b': True}}|"
                                "i=3|on=True|off=False|s=a b|" },
        { "${args_no_boolean_flags}", "--lr=1e-05|--n=100000.0|--opt={'name': \"it's\", 'inner': "
                                      "{'b': True}}|--i=3|--on|--s=a b|" },
        { "${args_json}", "{\"lr\": 1e-05, \"n\": 100000.0, \"opt\": {\"name\": \"it's\", "
                          "\"inner\": {\"b\": true}}, \"i\": 3, \"on\": true, \"off\": false, "
                          "\"s\": \"a b\"}|" },
        { "${args_json_file}", "/d/args.json|" },
        { "${program}", "train.py|" },
        { "${env}", "/usr/bin/env|" },
        { "a${envvar:ASSAY_TEST_VALUE}b${envvar:ASSAY_TEST_VALUE}", "a7b7|" },
        { "${envvar:ASSAY_TEST_SET}", "8|" }, /* what the program is given goes before */
    };
    static const char *const set[] = { "ASSAY_TEST_SET=6", "ASSAY_TEST_SET=8", NULL };
    const struct asy_proc_spec program = { .env_set = set };
    struct asy_json *params = NULL;
    struct asy_error err = ASY_ERROR_INIT;

    setenv("ASSAY_TEST_VALUE", "7", 1);
    setenv("ASSAY_TEST_SET", "9", 1);
    T_OK(asy_json_parse(params_text, strlen(params_text), &params, &err), &err);
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        char text[400], got[600] = "", **argv = NULL;
        struct asy_study_spec *s;

        snprintf(text, sizeof text, "%scommand: ['%s']\nparameters: {x: {value: 1}}\n", HEAD,
                 cases[i].word);
        if ((s = parse(cases[i].word, text)) &&
            T_OK(asy_study_argv(s, params, "/d/args.json", &program, &argv, &err), &err))
            for (size_t k = 0; argv && argv[k]; k++)
                snprintf(got + strlen(got), sizeof got - strlen(got), "%s|", argv[k]);
        T_STR(cases[i].word, got, cases[i].want);
        asy_study_argv_free(argv);
        asy_study_destroy(s);
    }
    unsetenv("ASSAY_TEST_VALUE");
    unsetenv("ASSAY_TEST_SET");
    asy_json_destroy(params);
}

static void a_variable_that_nobody_has_is_named(void)
{
    struct asy_study_spec *s = parse("variable", HEAD "command: ['${envvar:ASSAY_TEST_NONE}']\n"
                                                      "parameters: {x: {value: 1}}\n");
    static const char *const drop[] = { "ASSAY_TEST_N*", NULL };
    const struct asy_proc_spec program = { .env_drop = drop };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_json *params = NULL;
    char **argv = NULL;

    setenv("ASSAY_TEST_NONE", "7", 1); /* but the program does not get it */
    T_OK(asy_json_parse("{}", 2, &params, &err), &err);
    if (s) {
        T_EQ("not there", asy_study_argv(s, params, "/f", &program, &argv, &err), ASY_E_INVAL);
        T_HAS("not there", err.text, "'ASSAY_TEST_NONE'");
        if (T_OK(asy_study_argv(s, params, NULL, NULL, &argv, &err), &err))
            T_STR("shown", argv[0], "$ASSAY_TEST_NONE");
        asy_study_argv_free(argv);
    }
    unsetenv("ASSAY_TEST_NONE");
    asy_json_destroy(params);
    asy_study_destroy(s);
}

/* ---- mistakes -------------------------------------------------------------------------------- */

#define X "parameters: {x: {value: 1}}\n"
#define P(text) HEAD "parameters:\n  x: " text "\n"

static void what_has_no_counterpart_says_so(void)
{
    static const struct {
        const char *name, *text, *want;
        size_t n; /* mistakes; 0: one, as none comes of another */
    } cases[] = {
        { "unknown key", HEAD X "scheduler: {engine: optuna}\n",
          "s.yaml:5:1: scheduler: is no key of a W&B sweep that has a counterpart here" },
        { "near key", HEAD X "run_kap: 3\n", "run_kap: is no key of a W&B sweep that has a "
                                             "counterpart here; did you mean 'run_cap'?" },
        { "method", "program: a.py\nmethod: custom\nmetric: {name: l}\n" X,
          "s.yaml:2:9: method: must be grid, random or bayes here, not 'custom'" },
        { "no metric", "program: a.py\nmethod: grid\n" X, "metric: is missing: {name, goal}" },
        { "no metric's name", "program: a.py\nmethod: grid\nmetric: {goal: minimize}\n" X,
          "metric.name: is missing" },
        { "impute", "program: a.py\nmethod: bayes\nmetric: {name: l, impute: best}\n" X,
          "s.yaml:3:19: metric.impute: is no key of a W&B sweep that has a counterpart" },
        { "goal", "program: a.py\nmethod: bayes\nmetric: {name: l, goal: max}\n" X,
          "s.yaml:3:25: metric.goal: must be one of maximize, minimize, not 'max'" },
        { "no method", "program: a.py\nmetric: {name: l}\n" X,
          "s.yaml:1:1: method: is missing: grid, random or bayes" },
        { "method with a slip", "program: a.py\nmetod: grid\nmetric: {name: l}\n" X,
          "metod: is no key of a W&B sweep that has a counterpart here; did you mean 'method'?",
          2 },
        { "no program", "method: random\nmetric: {name: l}\n" X, "program: is missing" },
        { "run_cap", HEAD X "run_cap: 0\n", "run_cap: must be a whole number from 1 here" },
        { "macro inside", HEAD X "command: ['a${program}']\n",
          "s.yaml:5:11: command: '${program}': a macro other than ${envvar:NAME} is a word of its "
          "own" },
        { "unknown macro", HEAD X "command: ['${argz}']\n", "command: '${argz}': a macro" },
        { "command", HEAD X "command: python train.py\n", "command: must be a list" },
        { "no parameters", HEAD, "parameters: is missing" },
        { "stop", HEAD X "early_terminate: {type: envelope, min_iter: 3}\n",
          "early_terminate.type: must be hyperband" },
        { "stop without iterations", HEAD X "early_terminate: {type: hyperband}\n",
          "early_terminate: needs min_iter, or max_iter and s" },
        { "stop without s", HEAD X "early_terminate: {type: hyperband, max_iter: 27}\n",
          "early_terminate.s: is missing beside max_iter" },
        { "stop at broken rungs", HEAD X "early_terminate: {type: hyperband, max_iter: 20, s: 2}\n",
          "early_terminate.max_iter: 20 cannot be divided 2 times by eta 3" },
        { "half an eta", HEAD X "early_terminate: {type: hyperband, min_iter: 2, eta: 2.5}\n",
          "early_terminate.eta: must be a whole number from 2 here, not '2.5'" },
        { "stop's key", HEAD X "early_terminate: {type: hyperband, min_iter: 2, brackets: 2}\n",
          "early_terminate.brackets: is no key" },
        { "no distribution", P("{mu: 1, sigma: 2}"), "s.yaml:5:6: parameters.x: needs value, "
                                                     "values, min and max, parameters, or a "
                                                     "distribution" },
        { "distribution", P("{distribution: log_unifrom, min: 1, max: 2}"),
          "distribution 'log_unifrom' is not one of W&B's that this version knows; did you mean "
          "'log_uniform'?" },
        { "key of another", P("{distribution: normal, min: 1, max: 2}"),
          "distribution normal has no 'min'", 2 },
        { "bare value", P("5"), "must be a map, as {min, max}, {value} or {values}, not '5'" },
        { "list value", P("{values: [[1, 2], [3]]}"), "a list has no counterpart", 2 },
        { "null value", P("{value: }"), "nothing has no counterpart" },
        { "no values", P("{values: []}"), "values must be a list of one value or more" },
        { "probabilities", P("{values: [1, 2], probabilities: [0.5, 0.6]}"),
          "probabilities must sum to 1, not 1.1" },
        { "too few", P("{values: [1, 2], probabilities: [1]}"),
          "probabilities must be a list of 2 numbers" },
        { "a negative one", P("{values: [1, 2], probabilities: [-1, 2]}"),
          "a probability must be a number of 0 or more" },
        { "turned round", P("{min: 2, max: 1}"), "min must be below max" },
        { "text", P("{min: a, max: 1}"), "min must be a number, not 'a'" },
        { "halves", P("{distribution: int_uniform, min: 0.5, max: 3}"), "must be whole numbers" },
        { "value 0", P("{distribution: log_uniform_values, min: 0, max: 1}"),
          "min of log_uniform_values is a value, which must be above 0" },
        { "values for exponents", P("{distribution: log_uniform, min: 1, max: 1000}"),
          "min and max of log_uniform are exponents of e" },
        { "sigma", P("{distribution: normal, sigma: 0}"), "sigma must be above 0" },
        { "a", P("{distribution: beta, a: 0}"), "a and b must be above 0" },
        { "q", P("{distribution: q_normal, q: 0}"), "q must be above 0" },
        { "grid of numbers", "program: a.py\nmethod: grid\nmetric: {name: l}\n"
                             "parameters: {x: {min: 0.0, max: 1.0}}\n",
          "method grid needs value, values, int_uniform or q_uniform, not uniform" },
        { "grid of shares", "program: a.py\nmethod: grid\nmetric: {name: l}\n"
                            "parameters: {x: {values: [1, 2], probabilities: [0.5, 0.5]}}\n",
          "so probabilities have no meaning" },
        { "nested and more", P("{parameters: {y: {value: 1}}, value: 2}"),
          "parameters.x.value: is no key" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_study_spec *spec = NULL;
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_buf problems;
        int more;

        T_EQ(cases[i].name, parse_as("s.yaml", cases[i].text, &spec, &problems, &err),
             ASY_E_INVAL);
        T_HAS(cases[i].name, problems.data, cases[i].want);
        T_EQ(cases[i].name, asy_study_count_problems(&problems, &more),
             cases[i].n ? cases[i].n : 1);
        asy_buf_fini(&problems);
        asy_study_destroy(spec);
    }
}

/* Those of the sweep and those of what it becomes, in the words of the sweep. */
static void all_mistakes_come_at_once(void)
{
    static const char text[] =
        "program: a.py\nmetric: {name: l, goal: max, target: low}\n"
        "command: python\nrun_cap: 0.5\n"
        "early_terminate: {type: hyperband, min_iter: 2000000000000000, eta: 1}\n"
        "resources: {cores: none}\n"
        "parameters:\n  x: {mim: 1, max: 2}\n  'b c': {value: 1}\n  y: {values: [1, 1]}\n";
    static const char *const want[] = {
        "1:1: method: is missing", "2:25: metric.goal: must be one of maximize, minimize",
        "2:38: metric.target: must be", "3:10: command: must be a list",
        "4:10: run_cap: must be a whole number",
        "5:46: early_terminate.min_iter: must be", "early_terminate.eta: must be",
        "6:20: resources.cores: must be", "8:6: parameters.x: needs value",
        "parameters.b c: ", "parameters.y: ",
    };
    struct asy_study_spec *spec = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf problems;
    int more;

    T_EQ("mistakes", parse_as("s.yaml", text, &spec, &problems, &err), ASY_E_INVAL);
    for (size_t i = 0; i < ASY_ARRAY_LEN(want); i++)
        T_HAS("at once", problems.data, want[i]);
    T_EQ("no more", asy_study_count_problems(&problems, &more), ASY_ARRAY_LEN(want));
    asy_buf_fini(&problems);
    asy_study_destroy(spec);
}

T_MAIN("wandb", T_TEST(every_key_has_its_counterpart), T_TEST(what_is_left_out_is_what_it_is_there),
       T_TEST(grids_are_those_of_the_grid_search_there),
       T_TEST(distributions_draw_what_they_say), T_TEST(bayes_takes_every_distribution),
       T_TEST(macros_make_the_words_that_they_make_there),
       T_TEST(a_variable_that_nobody_has_is_named), T_TEST(what_has_no_counterpart_says_so),
       T_TEST(all_mistakes_come_at_once))
