/* SPDX-License-Identifier: Apache-2.0
 * Study files: what they mean, and that canonical text stays as it is. */
#include <asy/durable.h>
#include "studykit.h"

static void defaults_are_filled_in(void)
{
    struct asy_study_spec *s = parse("model", MODEL), *c = parse("command", COMMAND);

    if (!s || !c)
        goto out;
    T_STR("name", s->name, "s");
    T_STR("project", s->project, "default");
    T_STR("description", s->description, "");
    T_STR("data", s->data_file, "/base/d.csv");
    T_STR("unit", s->length_unit, "epochs");
    T_STR("sampler", s->sampler, "auto");
    T_STR("pruner", s->pruner, "none");
    T_STR("base", s->base_dir, "/base");
    T_EQ("kind", s->kind, ASY_RUN_MODEL);
    T_EQ("retries", s->retries, 3);
    T_EQ("trials", s->max_trials, 10);
    T_EQ("time", s->max_time_ms, INT64_MAX);
    T_EQ("memory", s->memory, 1 << 30);
    T_EQ("grace", s->grace_ms, 30000);
    T_EQ("lag", s->lag, 16);
    T_EQ("seed", s->seed, 0);
    T_EQ("checkpoint", s->checkpoint, 1);
    T_TRUE(isnan(s->objectives[0].target));
    T_NEAR("fixed", asy_json_f64(asy_json_get(s->fixed, "beta2"), 0), 0.999, 0);
    T_TRUE(!asy_json_get(s->fixed, "lr"));
    T_EQ("command", c->kind, ASY_RUN_COMMAND);
    T_STR("command unit", c->length_unit, "steps");
    T_EQ("command checkpoint", c->checkpoint, 0);
    T_TRUE(c->length_max == UINT64_MAX && !c->pattern && !c->data_file && !c->fixed);
    T_EQ("words", c->n_command, 2);
out:
    asy_study_destroy(s);
    asy_study_destroy(c);
}

static const char full_command[] =
    "assay: 1\nname: a.b-c_9\ndescription: 5\ntags: {team: vision, n: 1.50, no: no}\n"
    "project: p\npriority: -3\nretries: 0\n"
    "run:\n  command: [python3, ./train.py, --lr, '{lr}', '--m={net.momentum}', '{{x}}', 0.1, "
    "'{args}']\n"
    "  files: [train.py, ./src/, /abs/f]\n  env: {OMP_NUM_THREADS: 1, EMPTY: ''}\n  cwd: trial\n"
    "  grace: 250ms\n  checkpoint: true\n"
    "  metrics: {pattern: 'step=(?<step>\\d+) loss=(?<loss>\\S+)'}\n"
    "  length: {unit: batches, max: 1000}\n"
    "objective: [{metric: loss, goal: minimize, take: last, target: 1e-3}]\n"
    "constraints: []\n"
    "parameters:\n"
    "  net.momentum: {min: 0, max: 0.9, step: 0.1, when: {optimizer: [sgd, rms], n: {max: 3}, "
    "width: {min: 32}, b: true, f: 0.5}}\n"
    "  optimizer: {values: [sgd, adam, rms]}\n  n: {min: 1, max: 10}\n"
    "  width: {values: [64, 16, 32]}\n  b: {values: [true, false]}\n"
    "  f: {min: 0, max: 1, type: float}\n  mixed: {values: [a, 1, 2.0, true]}\n"
    "  lr: {min: 1e-5, max: 1, scale: log}\n  even: {min: 2, max: 9, step: 2}\n"
    "  r: {values: [1, 2.5]}\n"
    "search:\n  sampler: {name: tpe, startup_trials: 20, multivariate: false}\n"
    "  pruner: {name: asha, min: 10, reduction: 3}\n"
    "  seed: 9223372036854775807\n  deterministic: true\n  lag: 4\n"
    "  enqueue: [{lr: 1, optimizer: sgd, net.momentum: 0.3}, {mixed: true, width: 16}]\n"
    "  from: []\n"
    "budget: {trials: 5, time: ~, parallel: 2}\n"
    "resources: {cores: 2, memory: 1.5GiB, gpus: 0.25, ranks: 1, device: cpu}\n";

static void every_key_arrives(void)
{
    struct asy_study_spec *s = parse("full", full_command);
    const struct asy_param *p;
    size_t n;

    if (!s)
        return;
    T_STR("number as text", s->description, "5");
    T_EQ("tags", s->n_tags, 3);
    T_STR("tag as written", s->tags[3], "1.50");
    T_STR("no is a text", s->tags[5], "no");
    T_STR("word", s->command[6], "0.1");
    T_STR("file", s->files[0], "/base/train.py");
    T_STR("folder", s->files[1], "/base/src/");
    T_STR("absolute", s->files[2], "/abs/f");
    T_STR("env", s->env[1], "EMPTY=");
    T_EQ("grace", s->grace_ms, 250);
    T_EQ("take", s->objectives[0].take, ASY_TAKE_LAST);
    T_NEAR("target", s->objectives[0].target, 1e-3, 0);
    T_EQ("memory", s->memory, 3u << 29);
    T_EQ("seed", s->seed == INT64_MAX, 1);
    T_EQ("cwd", s->cwd_trial, 1);
    T_EQ("sampler options", s->n_sampler_options, 5);
    T_STR("option", s->sampler_options[0].name, "startup_trials");
    T_NEAR("option", s->sampler_options[0].value, 20, 0);
    T_NEAR("default option", s->sampler_options[1].value, 24, 0);
    T_NEAR("flag option", s->sampler_options[2].value, 0, 0);
    n = asy_space_len(s->space);
    T_EQ("parameters", n, 10);
    p = asy_space_at(s->space, asy_space_find(s->space, "net.momentum"));
    T_EQ("conditions", p->n_whens, 5);
    T_EQ("type", p->type, ASY_PARAM_FLOAT);
    T_EQ("range of choices", p->whens[2].n_values, 2);
    p = asy_space_at(s->space, asy_space_find(s->space, "width"));
    T_TRUE(p->ordered && p->choices[0].i == 16);
    p = asy_space_at(s->space, asy_space_find(s->space, "even"));
    T_NEAR("grid end", p->hi, 8, 0);
    T_EQ("int", p->type, ASY_PARAM_INT);
    T_EQ("points", s->n_enqueue, 2);
    T_NEAR("point", s->enqueue[asy_space_find(s->space, "net.momentum")], 0.3, 0);
    T_TRUE(isnan(s->enqueue[asy_space_find(s->space, "mixed")]));
    T_NEAR("choice", s->enqueue[n + asy_space_find(s->space, "mixed")], 3, 0);
    asy_study_destroy(s);
}

static const char several[] =
    "assay: 1\nname: several\nrun:\n  command: [./p]\n"
    "  metrics: {pattern: '(?<step>.) (?<a>.) (?<b>.) (?<c>.)'}\n"
    "objective:\n  - {metric: a, goal: minimize}\n  - {metric: b, goal: maximize, take: last}\n"
    "  - {goal: minimize, metric: c}\n"
    "constraints: [{metric: c, max: 2.5}, {metric: a, min: -1, max: 1e3}]\n"
    "parameters:\n  x: {min: 0.0, max: 1.0}\nbudget: {trials: 5}\n";

static void objectives_and_constraints_arrive(void)
{
    struct asy_study_spec *s = parse("several", several), *again = NULL;
    static const char *const metrics[] = { "a", "b", "c" };

    if (!s)
        return;
    T_EQ("objectives", s->n_objectives, 3);
    for (size_t i = 0; i < s->n_objectives && i < 3; i++) {
        T_STR("metric", s->objectives[i].metric, metrics[i]);
        T_EQ(metrics[i], s->objectives[i].maximize, i == 1);
        T_EQ(metrics[i], s->objectives[i].take, i == 1 ? ASY_TAKE_LAST : ASY_TAKE_BEST);
        T_TRUE(isnan(s->objectives[i].target));
    }
    T_EQ("constraints", s->n_constraints, 2);
    T_STR("metric", s->constraints[0].metric, "c");
    T_TRUE(isinf(s->constraints[0].min) && s->constraints[0].max == 2.5);
    T_STR("metric", s->constraints[1].metric, "a");
    T_TRUE(s->constraints[1].min == -1 && s->constraints[1].max == 1000);
    T_HAS("canonical", s->canonical,
          "\"objective\":[{\"metric\":\"a\",\"goal\":\"minimize\",\"take\":\"best\"},"
          "{\"metric\":\"b\",");
    T_HAS("canonical", s->canonical,
          "\"constraints\":[{\"metric\":\"c\",\"max\":2.5},"
          "{\"metric\":\"a\",\"min\":-1.0,\"max\":1000.0}]");
    if ((again = parse("canonical", s->canonical)))
        T_STR("the same once more", again->canonical, s->canonical);
    asy_study_destroy(again);
    asy_study_destroy(s);
}

static char *example(const char *name, size_t *ret_len)
{
    struct asy_error err = ASY_ERROR_INIT;
    char path[1024], *text = NULL;

    snprintf(path, sizeof path, "%s/%s", EXAMPLES, name);
    T_OK(asy_read_file(path, 1u << 20, &text, ret_len, &err), &err);
    return text;
}

static void canonical_text_is_its_own_canonical_text(void)
{
    size_t len;
    char *digits = example("digits-mlp.yaml", &len);
    char *idx = example("digits-idx.yaml", &len);
    char *cnn = example("digits-cnn.yaml", &len);
    char *shell = example("command-shell/study.yaml", &len);
    char *python = example("command-python/study.yaml", &len);
    char *gpt = example("text-gpt.yaml", &len);
    char *layers = example("digits-layers.yaml", &len);
    const char *const texts[] = {
        MODEL, COMMAND, full_command, digits, idx, cnn, shell, python, gpt, layers,
        MODEL_HEAD OBJECTIVE BUDGET "dir: sub\n"
        "parameters: {hidden: {values: [8, 16]}, nesterov: {values: [true]}}\n",
        HEAD "run: {model: mlp, hidden: 16, fixed: {lr: 1}, length: {max: 2}}\n"
        "data: {file: x.csv, label: [digit], header: false, exclude: [0, -2, id]}\n"
        OBJECTIVE BUDGET "parameters: {patience: {min: 0, max: 3}}\n",
        MODEL "search: {pruner: {name: threshold, lower: 0.25}}\n", /* upper is not given */
        MODEL "search: {pruner: {name: patient, inner: percentile, percentile: 12.5}}\n",
        COMMAND_HEAD "objective: {metric: cost, goal: minimize, take: mean}\n" PARAMS BUDGET,
        HEAD MODEL_RUN "data: {file: x.csv, split: {folds: 3, repeats: 2}}\n" OBJECTIVE PARAMS
        BUDGET,
        HEAD "run: {plugin: x.so, length: {max: 3}}\ndata: {file: x, split: {folds: 5}}\n"
        OBJECTIVE PARAMS BUDGET,
        HEAD "run: {model: gpt, length: {max: 3}}\ndata: {file: x, format: text, "
        "split: {folds: 5}}\nobjective: {metric: val_loss, goal: minimize}\n" PARAMS BUDGET,
        HEAD "run: {model: transformer, length: {max: 2}}\n"
        "data: {file: x.csv, sequence: text, length: 40}\n" OBJECTIVE PARAMS BUDGET,
    };
    for (size_t i = 0; i < ASY_ARRAY_LEN(texts); i++) {
        struct asy_study_spec *a = texts[i] ? parse("first", texts[i]) : NULL, *b = NULL;
        struct asy_error err = ASY_ERROR_INIT;

        if (a && T_OK(asy_study_parse(a->canonical, a->canonical_len, "study", NULL, &b, NULL,
                                      &err), &err)) {
            T_STR("canonical", b->canonical, a->canonical);
            T_EQ("id", memcmp(&a->id, &b->id, sizeof a->id), 0);
            T_EQ("points", a->n_enqueue, b->n_enqueue);
            T_STR("base", b->base_dir, a->base_dir);
        }
        asy_study_destroy(a);
        asy_study_destroy(b);
    }
    free(digits);
    free(idx);
    free(cnn);
    free(gpt);
    free(layers);
    free(shell);
    free(python);
}

static void labels_lie_beside_images_that_are_named_as_those_of_mnist(void)
{
    static const struct { const char *name, *data, *labels;
    } cases[] = {
        { "plain", "data: train-images-idx3-ubyte\n", "/base/train-labels-idx1-ubyte" },
        { "gzipped", "data: x/t10k-images-idx3-ubyte.gz\n", "/base/x/t10k-labels-idx1-ubyte.gz" },
        { "with a dot", "data: train-images.idx3-ubyte\n", "/base/train-labels.idx1-ubyte" },
        { "named", "data: {file: train-images-idx3-ubyte, labels: y.npy}\n", "/base/y.npy" },
        { "another name", "data: train-images-idx3-ubyte.csv\n", NULL },
        { "in a folder", "data: images-idx3-ubyte/x.npy\n", NULL },
        { "short", "data: .gz\n", NULL },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        char text[600];
        struct asy_study_spec *s;

        snprintf(text, sizeof text, HEAD MODEL_RUN "%s" OBJECTIVE PARAMS BUDGET, cases[i].data);
        s = parse(cases[i].name, text);
        if (s && cases[i].labels)
            T_STR(cases[i].name, s->data_labels ? s->data_labels : "(none)", cases[i].labels);
        else if (s)
            T_TRUE(!s->data_labels && !strstr(s->canonical, "\"labels\""));
        asy_study_destroy(s);
    }
}

static void the_example_searches_what_it_says(void)
{
    size_t len;
    char *text = example("digits-mlp.yaml", &len);
    struct asy_study_spec *s = text ? parse("digits", text) : NULL;

    if (s) {
        T_TRUE(s->max_trials >= 60);
        T_EQ("parameters", asy_space_len(s->space), 8);
        T_STR("sampler", s->sampler, "tpe");
        T_STR("pruner", s->pruner, "asha");
        T_EQ("epochs", s->length_max, 40);
    }
    asy_study_destroy(s);
    free(text);
}

/* An option that is a word arrives as its place among the words. */
static void options_may_be_words(void)
{
    static const char text[] = "assay: 1\nname: a\nrun: {command: [a]}\n"
                               "objective: {metric: l, goal: minimize}\n"
                               "parameters: {x: {min: 0.0, max: 1.0}}\n"
                               "search: {sampler: {name: qmc, scramble: owen}}\n"
                               "budget: {trials: 3}\n";
    struct asy_study_spec *s = parse("words", text);

    if (s) {
        T_EQ("options", s->n_sampler_options, 2);
        T_STR("option", s->sampler_options[0].name, "sequence");
        T_NEAR("default", s->sampler_options[0].value, 0, 0);
        T_NEAR("owen", s->sampler_options[1].value, 2, 0);
    }
    asy_study_destroy(s);
}

/* An option without a default arrives if it was given. */
static void pruner_options_arrive(void)
{
    struct asy_study_spec *s = parse("threshold", MODEL "search: {pruner: {name: threshold, lower: "
                                                        "0.25}}\n");

    if (s && T_EQ("options", s->n_pruner_options, 3)) {
        T_STR("first", s->pruner_options[0].name, "lower");
        T_NEAR("first", s->pruner_options[0].value, 0.25, 0);
        T_STR("next", s->pruner_options[1].name, "warmup_steps");
    }
    asy_study_destroy(s);
}

/* By name or in order; who reads the study again finds them as they were. */
static void weights_of_classes_arrive(void)
{
    static const struct { const char *given, *want; } cases[] = {
        { "{cat: 2, 7: 0.5, \"a b\": 1e3}",
          "\"class_weights\":{\"cat\":2.0,\"7\":0.5,\"a b\":1000.0}" },
        { "[1, 2.5]", "\"class_weights\":[1.0,2.5]" },
        { "~", "\"class_balance\":0.0,\"precision\"" }, /* not given */
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_study_spec *s, *again = NULL;
        struct asy_error err = ASY_ERROR_INIT;
        char text[400];

        snprintf(text, sizeof text, "%srun: {model: mlp, class_weights: %s, length: {max: 9}}\n%s",
                 HEAD, cases[i].given, DATA OBJECTIVE PARAMS BUDGET);
        if (!(s = parse(cases[i].given, text)))
            continue;
        T_HAS(cases[i].given, s->canonical, cases[i].want);
        if (T_OK(asy_study_parse(s->canonical, s->canonical_len, "s", NULL, &again, NULL, &err),
                 &err))
            T_STR("again", again->canonical, s->canonical);
        asy_study_destroy(again);
        asy_study_destroy(s);
    }
}

static void gpus_are_counted_in_parts(void)
{
    static const struct {
        const char *text, *canonical;
        uint32_t want;
    } cases[] = {
        { "0", "\"gpus\":0,", 0 },          { "1", "\"gpus\":1,", 10000 },
        { "2.0", "\"gpus\":2,", 20000 },    { "0.5", "\"gpus\":0.5,", 5000 },
        { "0.3333", "\"gpus\":0.3333,", 3333 }, { "1e-4", "\"gpus\":0.0001,", 1 },
        { "0.9999", "\"gpus\":0.9999,", 9999 }, { "64", "\"gpus\":64,", 640000 },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_study_spec *s;
        char yaml[400];

        snprintf(yaml, sizeof yaml, "%sresources: {gpus: %s}\n", COMMAND, cases[i].text);
        if (!(s = parse(cases[i].text, yaml)))
            continue;
        T_EQ(cases[i].text, s->gpus, cases[i].want);
        T_HAS(cases[i].text, s->canonical, cases[i].canonical);
        asy_study_destroy(s);
    }
}

static void rounded_products_are_for_cpus(void)
{
    static const char *const resources[] = { "", "resources: {device: cpu}\n",
                                             "resources: {device: auto, gpus: 0, cores: 2}\n" };

    for (size_t i = 0; i < ASY_ARRAY_LEN(resources); i++) {
        char yaml[400];

        snprintf(yaml, sizeof yaml, HEAD "run: {model: mlp, precision: bf16, length: {max: 3}}\n"
                 DATA OBJECTIVE PARAMS BUDGET "%s", resources[i]);
        asy_study_destroy(parse("bf16", yaml));
    }
}

/* Where no trial has them both. */
static void batch_norm_stands_beside_pieces_of_other_trials(void)
{
    static const char *const texts[] = {
        MODEL_HEAD OBJECTIVE BUDGET "parameters: {norm: {values: [none, batch]}, "
        "accumulate: {values: [1, 4], when: {norm: none}}}\n",
        MODEL_HEAD OBJECTIVE BUDGET "parameters: {norm: {values: [none, batch]}, "
        "accumulate: {min: 1, max: 8}}\nsearch: {fixed: {norm: none}}\n",
        HEAD "run: {model: mlp, norm: layer, accumulate: 4, length: {max: 3}}\n" DATA OBJECTIVE
        PARAMS BUDGET,
        MODEL_HEAD OBJECTIVE BUDGET "parameters: {norm: {values: [none, layer]}}\n"
        "resources: {reproducible: strict}\n",
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(texts); i++)
        asy_study_destroy(parse("norms", texts[i]));
}

/* They have the same bits for any; networks are divided into parts. */
static void strict_trees_have_any_number_of_ranks(void)
{
    static const char text[] = HEAD "run: {model: gbdt, length: {max: 9}}\n" DATA OBJECTIVE BUDGET
        "parameters: {max_depth: {min: 2, max: 5}}\n"
        "resources: {reproducible: strict, ranks: 9}\n";
    struct asy_study_spec *spec = parse("strict trees", text);

    T_TRUE(spec != NULL);
    asy_study_destroy(spec);
}

static void commands_get_their_words(void)
{
    static const struct { const char *name, *params; const char *want[16]; } cases[] = {
        { "all", "{\"lr\":0.001,\"net.momentum\":0.3,\"n\":3}",
          { "python3", "./train.py", "--lr", "0.001", "--m=0.3", "{x}", "0.1", "--lr=0.001",
            "--net.momentum=0.3", "--n=3" } },
        { "condition does not hold", "{\"lr\":1.0,\"b\":true,\"mixed\":\"a b\"}",
          { "python3", "./train.py", "--lr", "1.0", "{x}", "0.1", "--lr=1.0", "--b=true",
            "--mixed=a b" } },
    };
    struct asy_study_spec *s = parse("full", full_command), *m = parse("model", MODEL);
    struct asy_error err = ASY_ERROR_INIT;
    char **argv = NULL;

    for (size_t i = 0; s && i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_json *params = NULL;
        size_t n = 0;

        T_OK(asy_json_parse(cases[i].params, strlen(cases[i].params), &params, &err), &err);
        if (T_OK(asy_study_argv(s, params, NULL, NULL, &argv, &err), &err)) {
            for (; argv[n] && cases[i].want[n]; n++)
                T_STR(cases[i].name, argv[n], cases[i].want[n]);
            T_TRUE(!argv[n] && !cases[i].want[n]);
            asy_study_argv_free(argv);
        }
        asy_json_destroy(params);
    }
    if (m)
        T_EQ("a model", asy_study_argv(m, NULL, NULL, NULL, &argv, &err), ASY_E_INVAL);
    asy_study_destroy(s);
    asy_study_destroy(m);
}

T_MAIN("study", T_TEST(defaults_are_filled_in), T_TEST(every_key_arrives),
       T_TEST(objectives_and_constraints_arrive), T_TEST(canonical_text_is_its_own_canonical_text),
       T_TEST(labels_lie_beside_images_that_are_named_as_those_of_mnist),
       T_TEST(the_example_searches_what_it_says), T_TEST(options_may_be_words),
       T_TEST(pruner_options_arrive), T_TEST(weights_of_classes_arrive),
       T_TEST(gpus_are_counted_in_parts), T_TEST(rounded_products_are_for_cpus),
       T_TEST(batch_norm_stands_beside_pieces_of_other_trials),
       T_TEST(strict_trees_have_any_number_of_ranks), T_TEST(commands_get_their_words))
