/* SPDX-License-Identifier: Apache-2.0
 * Study files: what they mean, what is wrong with them, and that canonical text stays as it is. */
#include <asy/durable.h>
#include <asy/study.h>
#include "folder.h"

#define MODEL_RUN "run: {model: mlp, length: {max: 40}}\n"
#define DATA "data: d.csv\n"
#define OBJECTIVE "objective: {metric: val_loss, goal: minimize}\n"
#define PARAMS "parameters: {lr: {min: 1e-5, max: 1.0, scale: log}}\n"
#define BUDGET "budget: {trials: 10}\n"
#define HEAD "assay: 1\nname: s\n"
#define MODEL_HEAD HEAD MODEL_RUN DATA
#define MODEL MODEL_HEAD OBJECTIVE PARAMS BUDGET
#define COMMAND_HEAD HEAD "run: {command: [train, \"{args}\"]}\n"
#define COMMAND COMMAND_HEAD OBJECTIVE PARAMS BUDGET

static struct asy_study_spec *parse(const char *name, const char *text)
{
    struct asy_study_spec *spec = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf problems;

    asy_buf_init(&problems, 64u << 10);
    if (asy_study_parse(text, strlen(text), "s.yaml", "/base", &spec, &problems, &err) < 0)
        t__check(false, __LINE__, __FILE__, "%s: %s\n%s", name, err.text, problems.data);
    asy_buf_fini(&problems);
    return spec;
}

/* ---- good files ----------------------------------------------------------------------------- */

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

/* The rule of asha is younger than the canonical texts of some stores. */
static void a_text_from_before_asha_had_rules_has_the_first(void)
{
    static const char text[] = "assay: 1\nname: a\nrun: {command: [a], length: {unit: steps, "
                               "max: 9}}\nobjective: {metric: l, goal: minimize}\n"
                               "parameters: {x: {min: 0.0, max: 1.0}}\n"
                               "search: {pruner: asha}\nbudget: {trials: 3}\n";
    static const char rule[] = ",\"rule\":2";
    struct asy_study_spec *s = parse("rules", text), *stored = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    char old[4096];
    const char *at;

    if (!s || !T_TRUE((at = strstr(s->canonical, rule)) != NULL))
        goto out;
    T_NEAR("a new study's", s->pruner_options[2].value, 2, 0);
    snprintf(old, sizeof old, "%.*s%s", (int)(at - s->canonical), s->canonical,
             at + strlen(rule));
    if (!T_OK(asy_study_parse(old, strlen(old), "stored", NULL, &stored, NULL, &err), &err))
        goto out;
    T_STR("option", stored->pruner_options[2].name, "rule");
    T_NEAR("an old study's", stored->pruner_options[2].value, 1, 0);
    T_EQ("but for that the same", strcmp(stored->canonical, s->canonical) != 0, 1);
out:
    asy_study_destroy(stored);
    asy_study_destroy(s);
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

/* ---- bad files ------------------------------------------------------------------------------ */

struct bad_case {
    const char *name, *text, *want;
};

static void check_bad(const struct bad_case *c)
{
    struct asy_study_spec *spec = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf problems;
    int rc;

    asy_buf_init(&problems, 64u << 10);
    rc = asy_study_parse(c->text, strlen(c->text), "s.yaml", "/base", &spec, &problems, &err);
    t__check(rc == ASY_E_INVAL || rc == ASY_E_FORMAT, __LINE__, __FILE__, "%s: rc %d", c->name, rc);
    T_HAS(c->name, problems.data, c->want);
    T_TRUE(!spec);
    T_EQ(c->name, strncmp(problems.data, err.text, strnlen(err.text, 200)), 0);
    asy_study_destroy(spec);
    asy_buf_fini(&problems);
}

#define LAYERS(list, more)                                                                         \
    HEAD "run: {model: layers, length: {max: 9}, layers: " list "}\n" DATA OBJECTIVE BUDGET        \
         "parameters: {lr: {min: 0.1, max: 1}" more "}\n"
#define WITH_PARAMS(text) MODEL_HEAD OBJECTIVE BUDGET "parameters:\n" text
#define C_PARAMS(text) COMMAND_HEAD OBJECTIVE BUDGET "parameters:\n" text

#define LONG /* 124 bytes */ \
    "NAME_NAME_NAME_NAME_NAME_NAME_N" "NAME_NAME_NAME_NAME_NAME_NAME_N" \
    "NAME_NAME_NAME_NAME_NAME_NAME_N" "NAME_NAME_NAME_NAME_NAME_NAME_N"

static void mistakes_are_named_with_their_place(void)
{
    static const struct bad_case cases[] = {
        { "empty", "", "s.yaml:1:1: assay: a study file is a map" },
        { "broken YAML", "assay: 1\nname: [\n", "s.yaml:3:1: YAML: " },
        { "key twice", "assay: 1\nassay: 1\n", "s.yaml:2:1: YAML: " },
        { "anchor", "assay: &a 1\n", "s.yaml:1:8: YAML: " },
        { "W&B", "method: bayes\nparameters: {}\n", "s.yaml:1:1: metric: is missing" },
        { "no version", "name: s\n", "s.yaml:1:1: assay: is missing" },
        { "version 2", "assay: 2\n", "s.yaml:1:8: assay: must be 1, not '2'" },
        { "no name", "assay: 1\n" MODEL_RUN, "s.yaml:1:1: name: is missing" },
        { "bad name", "assay: 1\nname: My Study\n",
          "s.yaml:2:7: name: must be 1 to 64 of a-z, 0-9, '.', '_' and '-', not 'My Study'" },
        { "unknown key", MODEL "prioritty: 1\n",
          "s.yaml:8:1: prioritty: unknown key; did you mean 'priority'?" },
        { "unknown key, no idea", MODEL "xyzzy: 1\n", "xyzzy: unknown key; known are assay, name" },
        { "dotted key", MODEL "run.model: mlp\n", "run.model: unknown key" },
        { "type", MODEL "retries: many\n",
          "s.yaml:8:10: retries: must be a whole number from 0 to 1000, not 'many'" },
        { "range", MODEL "retries: -1\n",
          "retries: must be a whole number from 0 to 1000, not '-1'" },
        { "float for int", MODEL "retries: 1.5\n", "not '1.5'" },
        { "list for text", MODEL "description: [a]\n", "description: must be a text, not a list" },
        { "tags", MODEL "tags: {a: [1]}\n", "s.yaml:8:11: tags.a: must be a text, not a list" },
        { "no run", HEAD DATA OBJECTIVE PARAMS BUDGET, "run: is missing" },
        { "neither", HEAD "run: {length: {max: 3}}\n" OBJECTIVE PARAMS BUDGET,
          "s.yaml:3:6: run: needs model, command or plugin" },
        { "both", HEAD "run: {model: mlp, command: [x]}\n" DATA OBJECTIVE PARAMS BUDGET,
          "has both model and command" },
        { "plugin", HEAD "run: {plugin: ./x.so}\n" OBJECTIVE PARAMS BUDGET,
          "run.length.max: is missing: the epochs of a whole trial" },
        { "model", HEAD "run: {model: mpl, length: {max: 3}}\n" DATA OBJECTIVE PARAMS BUDGET,
          "gbdt, not 'mpl'; did you mean 'mlp'?" },
        { "tokens of a table", HEAD "run: {model: gpt, length: {max: 3}}\n" DATA OBJECTIVE PARAMS
          BUDGET, "data.format: is text or tokens for the model gpt, not auto" },
        { "a table of tokens", HEAD "run: {model: mlp, length: {max: 3}}\n"
          "data: {file: x.txt, format: text}\n" OBJECTIVE PARAMS BUDGET,
          "s.yaml:4:29: data.format: text is for the model gpt; mlp learns from tables" },
        { "the label of a text", HEAD "run: {model: gpt, length: {max: 3}}\n"
          "data: {file: x.txt, format: text, label: 2}\n" OBJECTIVE PARAMS BUDGET,
          "s.yaml:4:42: data.label: is of tables, not of a text" },
        { "strata of tokens", HEAD "run: {model: gpt, length: {max: 3}}\n"
          "data: {file: x.npy, format: tokens, split: {stratify: true}}\n" OBJECTIVE PARAMS BUDGET,
          "data.split.stratify: is of tables, not of tokens" },
        { "repeats of a text",
          HEAD "run: {model: gpt, length: {max: 3}}\n"
          "data: {file: x, format: text, split: {folds: 3, repeats: 2}}\n" OBJECTIVE PARAMS BUDGET,
          "data.split.repeats: is of tables, not of a text" },
        { "a parameter of another family", HEAD "run: {model: gbdt, length: {max: 3}}\n" DATA
          OBJECTIVE "parameters: {hidden: {min: 1, max: 9}}\n" BUDGET,
          "parameters.hidden: is not a hyperparameter of gbdt" },
        { "a constant of another family", HEAD
          "run: {model: gbdt, momentum: 0.5, length: {max: 3}}\n" DATA OBJECTIVE
          "parameters: {lr: {min: 0.1, max: 1}}\n" BUDGET, "run.momentum: " },
        { "no data", HEAD MODEL_RUN OBJECTIVE PARAMS BUDGET, "data: is missing" },
        { "data without file", HEAD MODEL_RUN "data: {label: 3}\n" OBJECTIVE PARAMS BUDGET,
          "s.yaml:4:7: data.file: is missing: a path" },
        { "no length", HEAD "run: {model: mlp}\n" DATA OBJECTIVE PARAMS BUDGET,
          "run.length.max: is missing" },
        { "unit",
          HEAD "run: {model: mlp, length: {unit: steps, max: 3}}\n" DATA OBJECTIVE PARAMS BUDGET,
          "a model counts epochs, not 'steps'" },
        { "repeats",
          HEAD "run: {model: mlp, length: {max: 3}, repeats: 5}\n" DATA OBJECTIVE PARAMS BUDGET,
          "run.repeats: more than 1 is not supported in this version" },
        { "command key for model",
          HEAD "run: {model: mlp, length: {max: 3}, cwd: trial}\n" DATA OBJECTIVE PARAMS BUDGET,
          "run.cwd: is for run.command, not for a model" },
        { "data for command", COMMAND DATA, "data: is for run.model" },
        { "constant",
          HEAD "run: {model: mlp, length: {max: 3}, hidden: 0}\n" DATA OBJECTIVE PARAMS BUDGET,
          "run.hidden: must be a whole number from 1 to 65536, not '0'" },
        { "constant misspelt",
          HEAD "run: {model: mlp, length: {max: 3}, hiden: 8}\n" DATA OBJECTIVE PARAMS BUDGET,
          "run.hiden: unknown key; did you mean 'hidden'?" },
        { "constant and parameter",
          HEAD "run: {model: mlp, length: {max: 3}, lr: 1}\n" DATA OBJECTIVE PARAMS BUDGET,
          "parameters.lr: stands in run as a constant too" },
        { "constant twice",
          HEAD "run: {model: mlp, length: {max: 3}, hidden: 1, fixed: {hidden: "
               "1}}\n" DATA OBJECTIVE PARAMS BUDGET,
          "run.fixed.hidden: is given twice" },
        { "word", HEAD MODEL_RUN "data: {file: x, missing: man}\n" OBJECTIVE PARAMS BUDGET,
          "data.missing: must be one of error, mean, drop, not 'man'; did you mean 'mean'?" },
        { "labels", HEAD MODEL_RUN "data: {file: x, label: [1, 2]}\n" OBJECTIVE PARAMS BUDGET,
          "data.label: more than one label is not supported in this version" },
        { "groups", HEAD MODEL_RUN "data: {file: x, split: {group: [g, h]}}\n" OBJECTIVE PARAMS
          BUDGET, "data.split.group: more than one column is not supported in this version" },
        { "groups of a text", HEAD "run: {model: gpt, length: {max: 3}}\ndata: {file: x, format: "
          "text, split: {group: g}}\n" OBJECTIVE PARAMS BUDGET,
          "data.split.group: is of tables, not of a text" },
        { "sequences of a table",
          HEAD MODEL_RUN "data: {file: x, sequence: text}\n" OBJECTIVE PARAMS BUDGET,
          "data.sequence: is for the models transformer and layers, not for mlp" },
        { "scaled tokens",
          HEAD MODEL_RUN "data: {file: x, sequence: tokens, scale: none}\n" OBJECTIVE PARAMS BUDGET,
          "data.scale: has no use for tokens, whose numbers are names" },
        { "a length of nothing",
          HEAD MODEL_RUN "data: {file: x, length: 9}\n" OBJECTIVE PARAMS BUDGET,
          "data.length: is of sequence: text" },
        { "folds and a share",
          HEAD MODEL_RUN "data: {file: x, split: {folds: 5, validation: 0.1}}\n" OBJECTIVE PARAMS
               BUDGET,
          "data.split.validation: has no use beside folds, each of which is validated on in turn" },
        { "one fold", HEAD MODEL_RUN "data: {file: x, split: {folds: 1}}\n" OBJECTIVE PARAMS BUDGET,
          "data.split.folds: must be a whole number from 2 to 100, not '1'" },
        { "too many trainings",
          HEAD MODEL_RUN "data: {file: x, split: {folds: 10, repeats: 11}}\n" OBJECTIVE PARAMS
               BUDGET,
          "data.split.repeats: times folds is 110 trainings a trial; at most 100" },
        { "split files",
          HEAD MODEL_RUN "data: {file: x, split: {test: t.csv}}\n" OBJECTIVE PARAMS BUDGET,
          "data.split.test: a file name is not supported in this version" },
        { "shares",
          HEAD MODEL_RUN
          "data: {file: x, split: {test: 0.6, validation: 0.6}}\n" OBJECTIVE PARAMS BUDGET,
          "data.split: validation and test take 1.2" },
        { "no validation",
          HEAD MODEL_RUN "data: {file: x, split: {validation: 0}}\n" OBJECTIVE PARAMS BUDGET,
          "so there is no 'val_loss'" },
        { "metric", MODEL_HEAD "objective: {metric: val_acuracy, goal: maximize}\n" PARAMS BUDGET,
          "did you mean 'val_accuracy'?" },
        { "goal", MODEL_HEAD "objective: {metric: val_loss, goal: minimise}\n" PARAMS BUDGET,
          "objective.goal: must be one of maximize, minimize, not 'minimise'; did you mean "
          "'minimize'?" },
        { "no goal", MODEL_HEAD "objective: {metric: val_loss}\n" PARAMS BUDGET,
          "s.yaml:5:12: objective.goal: is missing: one of maximize, minimize" },
        { "no metric in a list", MODEL_HEAD "objective: [{goal: minimize}]\n" PARAMS BUDGET,
          "objective.metric: is missing" },
        { "metric of a list",
          MODEL_HEAD "objective: [{metric: val_loss, goal: minimize}, {metric: val_b, "
                     "goal: minimize}]\n" PARAMS BUDGET,
          "s.yaml:5:58: objective.metric: mlp does not report 'val_b'" },
        { "a mistake in a list",
          MODEL_HEAD "objective: [{metric: val_loss, goal: minimize}, {metric: val_r2, "
                     "gaol: maximize}]\n" PARAMS BUDGET,
          "objective.goal: is missing: one of maximize, minimize" },
        { "no map in a list",
          MODEL_HEAD "objective: [val_loss, {metric: val_r2, goal: maximize}]\n" PARAMS BUDGET,
          "objective: must be a map, or a list of maps, not 'val_loss'" },
        { "one objective twice",
          MODEL_HEAD "objective: [{metric: val_loss, goal: minimize}, {metric: val_loss, "
                     "goal: maximize}]\n" PARAMS BUDGET,
          "objective.metric: 'val_loss' is an objective already" },
        { "target in a list",
          MODEL_HEAD "objective: [{metric: val_loss, goal: minimize, target: 1}, {metric: val_r2, "
                     "goal: maximize}]\n" PARAMS BUDGET,
          "objective.target: is for a study with one objective" },
        { "patience with a list",
          MODEL_HEAD "objective: [{metric: val_loss, goal: minimize}, {metric: val_r2, "
                     "goal: maximize}]\n" PARAMS "budget: {trials: 9, patience: 3}\n",
          "budget.patience: is for a study with one objective" },
        { "regret with a list",
          MODEL_HEAD "objective: [{metric: val_loss, goal: minimize}, {metric: val_r2, "
                     "goal: maximize}]\n" PARAMS "budget: {trials: 9, regret: 0.1}\n",
          "budget.regret: is for a study with one objective" },
        { "regret with constraints",
          MODEL_HEAD OBJECTIVE "constraints: [{metric: n_params, max: 9}]\n" PARAMS
          "budget: {trials: 9, regret: 0.1}\n",
          "budget.regret: is for a study without constraints" },
        { "no regret", MODEL_HEAD OBJECTIVE PARAMS "budget: {trials: 9, regret: 0}\n",
          "budget.regret: must be" },
        { "regret alone", MODEL_HEAD OBJECTIVE PARAMS "budget: {regret: 1}\n",
          "needs trials or time" },
        { "patience alone", MODEL_HEAD OBJECTIVE PARAMS "budget: {patience: 3}\n",
          "needs trials or time" },
        { "target",
          MODEL_HEAD "objective: {metric: val_loss, goal: minimize, target: .nan}\n" PARAMS BUDGET,
          "objective.target: must be a number" },
        { "constraints", MODEL "constraints: [{metric: n, max: 1}]\n",
          "s.yaml:8:15: constraints.metric: mlp does not report 'n'" },
        { "constraints are a list", MODEL "constraints: {metric: val_loss, max: 1}\n",
          "s.yaml:8:14: constraints: must be a list of {metric, min, max}, not a map" },
        { "a constraint is a map", MODEL "constraints: [val_loss]\n",
          "constraints: must be {metric, min, max}, not 'val_loss'" },
        { "no bound", MODEL "constraints: [{metric: val_loss}]\n",
          "constraints: needs min or max" },
        { "bound", MODEL "constraints: [{metric: val_loss, max: much}]\n",
          "constraints.max: must be a number, not 'much'" },
        { "bounds", MODEL "constraints: [{metric: val_loss, min: 2, max: 1}]\n",
          "min lies above max" },
        { "key of a constraint", MODEL "constraints: [{metric: val_loss, mex: 2}]\n",
          "constraints: unknown key 'mex'; did you mean 'max'?" },
        { "no parameters", MODEL_HEAD OBJECTIVE BUDGET, "parameters: is missing" },
        { "empty parameters", MODEL_HEAD OBJECTIVE BUDGET "parameters: {}\n", "not an empty one" },
        { "not a hyperparameter", WITH_PARAMS("  lrr: {min: 1, max: 2}\n"),
          "s.yaml:8:3: parameters.lrr: is not a hyperparameter of mlp; did you mean 'lr'?" },
        { "range of a hyperparameter", WITH_PARAMS("  hidden: {min: 0, max: 9}\n"),
          "parameters.hidden: must be a whole number from 1 to 65536" },
        { "float for an int", WITH_PARAMS("  hidden: {min: 1, max: 9.5}\n"),
          "parameters.hidden: must be a whole number" },
        { "range for a word", WITH_PARAMS("  optimizer: {min: 1, max: 2}\n"),
          "parameters.optimizer: needs values: sgd, adam, adamw, adam_l2, lamb, lars" },
        { "wrong word", WITH_PARAMS("  optimizer: {values: [sgd, rmsprop]}\n"),
          "every value must be one of sgd, adam, adamw, adam_l2, lamb, lars" },
        { "wrong value", WITH_PARAMS("  batch_size: {values: [0, 16]}\n"),
          "every value must be a whole number from 1" },
        { "no max", C_PARAMS("  x: {min: 1}\n"), "s.yaml:7:6: parameters.x: needs max" },
        { "min above max", C_PARAMS("  x: {min: 2, max: 1}\n"), "min is above max" },
        { "log of 0", C_PARAMS("  x: {min: 0, max: 1.0, scale: log}\n"), "min must be above 0" },
        { "scale", C_PARAMS("  x: {min: 1, max: 2, scale: exp}\n"), "scale must be linear or log" },
        { "parameter key", C_PARAMS("  x: {mim: 1, max: 2}\n"),
          "parameters.x: unknown key 'mim'; did you mean 'min'?" },
        { "parameter type", C_PARAMS("  x: {min: 1.5, max: 2, type: int}\n"), "whole numbers" },
        { "step", C_PARAMS("  x: {min: 1, max: 2, step: 0}\n"), "step must be a number above 0" },
        { "bare value", C_PARAMS("  x: 5\n"), "must be {min, max} or {values: [...]}" },
        { "no values", C_PARAMS("  x: {values: []}\n"), "a list of 1 to 4096 values" },
        { "value twice", C_PARAMS("  x: {values: [1, 2, 1.0]}\n"), "has 1 twice" },
        { "text twice", C_PARAMS("  x: {values: [a, b, a]}\n"), "has 'a' twice" },
        { "null value", C_PARAMS("  x: {values: [a, ~]}\n"), "not nothing" },
        { "values and min", C_PARAMS("  x: {values: [a], min: 1}\n"), "so min has no meaning" },
        { "parameter name", C_PARAMS("  a b: {min: 1, max: 2}\n"),
          "parameters.a b: is not a name" },
        { "unknown parent",
          C_PARAMS("  x: {min: 1, max: 2, when: {deph: 1}}\n  depth: {min: 1, max: 2}\n"),
          "s.yaml:7:30: parameters.x: when: 'deph' is not a parameter; did you mean 'depth'?" },
        { "impossible parent",
          C_PARAMS("  y: {values: [a, b]}\n  x: {min: 1, max: 2, when: {y: c}}\n"),
          "when: 'y' never is 'c'" },
        { "circle",
          C_PARAMS("  x: {min: 1, max: 2, when: {y: 1}}\n"
                   "  y: {min: 1, max: 2, when: {x: 1}}\n"),
          "round in a circle" },
        { "itself", C_PARAMS("  x: {min: 1, max: 2, when: {x: 1}}\n"), "round in a circle" },
        { "range of words",
          C_PARAMS("  y: {values: [a]}\n  x: {min: 1, max: 2, when: {y: {min: 1}}}\n"),
          "has no numbers" },
        { "empty command", HEAD "run: {command: []}\n" OBJECTIVE PARAMS BUDGET, "needs a program" },
        { "command as text", HEAD "run: {command: python3 x}\n" OBJECTIVE PARAMS BUDGET,
          "run.command: must be a list of texts, not 'python3 x'" },
        { "a long placeholder", HEAD "run: {command: [x, '{env:" LONG "}']}\n" OBJECTIVE PARAMS
          BUDGET, "s.yaml:3:20: run.command[1]: {env:" },
        { "placeholder", HEAD "run: {command: [x, '{lrr}']}\n" OBJECTIVE PARAMS BUDGET,
          "s.yaml:3:20: run.command[1]: {lrr} is not a parameter; did you mean 'lr'?" },
        { "stray brace", HEAD "run: {command: [x, 'a}']}\n" OBJECTIVE PARAMS BUDGET,
          "single brace" },
        { "args inside", HEAD "run: {command: [x, 'a{args}']}\n" OBJECTIVE PARAMS BUDGET,
          "{args} is a word of its own" },
        { "conditional word",
          HEAD "run: {command: [x, -m, '{m}']}\n" OBJECTIVE BUDGET
               "parameters: {y: {values: [a, b]}, m: {min: 1, max: 2, when: {y: a}}}\n",
          "'m' is conditional" },
        { "pattern",
          HEAD "run: {command: [x], metrics: {pattern: '(?<val_loss>'}}\n" OBJECTIVE PARAMS BUDGET,
          "run.metrics.pattern: is wrong at character" },
        { "pattern without the objective",
          HEAD "run: {command: [x], metrics: {pattern: "
               "'(?<loss>.)'}}\n" OBJECTIVE PARAMS BUDGET,
          "has no group (?<val_loss>...)" },
        { "metrics", HEAD "run: {command: [x], metrics: stdout}\n" OBJECTIVE PARAMS BUDGET,
          "run.metrics: must be socket or a map, not 'stdout'" },
        { "env", HEAD "run: {command: [x], env: {A=B: c}}\n" OBJECTIVE PARAMS BUDGET,
          "is not a name" },
        { "grace", HEAD "run: {command: [x], grace: 3 weeks}\n" OBJECTIVE PARAMS BUDGET,
          "run.grace: must be a duration (as 250ms, 30s, 10m, 2h, 1d)" },
        { "sampler", MODEL "search: {sampler: tep}\n",
          "search.sampler: must be one of auto, random, grid, tpe, " },
        { "nearest sampler", MODEL "search: {sampler: tep}\n",
          ", not 'tep'; did you mean 'tpe'?" },
        { "option", MODEL "search: {sampler: {name: tpe, startup: 3}}\n",
          "search.sampler.startup: unknown key" },
        { "option of another", MODEL "search: {sampler: {name: random, candidates: 3}}\n",
          "search.sampler.candidates: is an option of tpe, not of random" },
        { "option's range", MODEL "search: {pruner: {name: asha, reduction: 1}}\n",
          "search.pruner.reduction: must be a whole number from 2" },
        { "asha without length", COMMAND "search: {pruner: asha}\n", "asha needs run.length.max" },
        { "rung above length", MODEL "search: {pruner: {name: asha, min: 41}}\n",
          "lies above run.length.max (40)" },
        { "deterministic and median", MODEL "search: {pruner: median, deterministic: true}\n",
          "search.pruner: median stops trials between milestones" },
        { "mean of a model",
          MODEL_HEAD "objective: {metric: val_loss, goal: minimize, take: mean}\n" PARAMS BUDGET,
          "objective.take: mean is for commands" },
        { "deterministic and percentile",
          MODEL "search: {pruner: percentile, deterministic: true}\n",
          "search.pruner: percentile stops trials between milestones" },
        { "percentile of more than all",
          MODEL "search: {pruner: {name: percentile, percentile: 101}}\n",
          "search.pruner.percentile: must be a number from 0 to 100" },
        { "threshold without a bound", MODEL "search: {pruner: threshold}\n",
          "threshold needs lower, upper or both" },
        { "threshold upside down",
          MODEL "search: {pruner: {name: threshold, lower: 2, upper: 1}}\n", "lies above upper" },
        { "patient without a bound",
          MODEL "search: {pruner: {name: patient, inner: threshold}}\n",
          "threshold needs lower, upper or both" },
        { "option of another inner pruner",
          MODEL "search: {pruner: {name: patient, inner: median, percentile: 20}}\n",
          "search.pruner.percentile: is no option of the inner pruner, which is median" },
        { "moasha with one objective", MODEL "search: {pruner: moasha}\n",
          "moasha is for several objectives; with one, use asha" },
        { "moasha with four",
          HEAD "run: {command: [train], length: {max: 9}}\n" PARAMS BUDGET
          "objective: [{metric: a, goal: minimize}, {metric: b, goal: minimize},\n"
          "  {metric: c, goal: minimize}, {metric: d, goal: minimize}]\n"
          "search: {pruner: moasha}\n",
          "moasha compares three objectives at most, not 4" },
        { "hyperband without length", COMMAND "search: {pruner: hyperband}\n",
          "hyperband needs run.length.max" },
        { "brackets", MODEL "search: {pruner: {name: hyperband, brackets: 5}}\n",
          "search.pruner.brackets: only 4 fit between min and run.length.max" },
        { "deterministic and time",
          MODEL_HEAD OBJECTIVE PARAMS "budget: {time: 1h}\n"
                                      "search: {deterministic: true}\n",
          "budget.time: depends on timing" },
        { "deterministic and stopping rungs",
          HEAD "run: {command: [x], length: {max: 9}}\n" OBJECTIVE PARAMS BUDGET
               "search: {pruner: asha, deterministic: true}\n",
          "without run.checkpoint" },
        { "lag", MODEL "search: {lag: 0}\n", "search.lag: must be a whole number from 1 to 4096" },
        { "from a number", MODEL "search: {from: [{study: old}]}\n",
          "search.from[0]: must be the name of a study" },
        { "from twice", MODEL "search: {from: [old, old]}\n",
          "search.from[1]: stands there twice" },
        { "grid", MODEL "search: {sampler: grid}\n",
          "parameters.lr: the grid sampler needs a step" },
        { "population without checkpoints",
          HEAD "run: {command: [x], length: {max: 9}}\n" OBJECTIVE PARAMS BUDGET
               "search: {sampler: pbt}\n",
          "search.sampler: pbt moves trials on from each other's checkpoints" },
        { "population without an interval",
          HEAD "run: {command: [x], checkpoint: true}\n" OBJECTIVE PARAMS BUDGET
               "search: {sampler: pbt}\n",
          "pbt needs an interval, or run.length.max" },
        { "population of long intervals",
          HEAD "run: {command: [x], checkpoint: true, length: {max: 9}}\n" OBJECTIVE PARAMS
               "search: {sampler: {name: pbt, interval: 10}}\n",
          "the interval is longer than run.length.max" },
        { "population and pruner", MODEL "search: {sampler: pbt, pruner: median}\n",
          "search.pruner: has no place beside pbt" },
        { "population of other shapes",
          MODEL_HEAD OBJECTIVE "parameters: {hidden: {min: 8, max: 64}}\nsearch: {sampler: pbt}\n",
          "parameters.hidden: cannot change between checkpoints" },
        { "population of other outputs",
          MODEL_HEAD OBJECTIVE "parameters: {loss: {values: [auto, binary]}}\n"
                               "search: {sampler: pbt}\n",
          "parameters.loss: cannot change between checkpoints, which pbt does" },
        { "population of other trees", HEAD "run: {model: gbdt, length: {max: 40}}\n" DATA OBJECTIVE
          "parameters: {max_depth: {min: 2, max: 6}}\nsearch: {sampler: pbt}\n",
          "parameters.max_depth: cannot change between checkpoints" },
        { "population of other images",
          HEAD "run: {model: cnn, length: {max: 9}}\n" DATA OBJECTIVE "parameters: {filters: {min: "
               "8, max: 64}}\nsearch: {sampler: pbt}\n",
          "parameters.filters: cannot change between checkpoints, which pbt does" },
        { "population of other layers",
          HEAD "run: {model: layers, length: {max: 9}, layers: [{dense: \"{w}\"}]}\n" DATA OBJECTIVE
               "parameters: {w: {min: 8, max: 64}}\nsearch: {sampler: pbt}\n",
          "parameters.w: cannot change between checkpoints, which pbt does" },
        { "population and results", MODEL "search: {sampler: pbt, tell: []}\n",
          "search.tell: results from elsewhere have no checkpoints" },
        { "population and too many points",
          MODEL "search: {sampler: {name: pbt, population: 2}, enqueue: [{lr: 0.1}, {lr: 0.2}, "
                "{lr: 0.3}]}\n",
          "search.enqueue: 3 points are given, but only one for each of the population's 2 "
          "members can be a beginning" },
        { "population and points of an earlier study",
          MODEL "search: {sampler: {name: pbt, population: 2}, enqueue: [{lr: 0.1}, {lr: 0.2}],\n"
                "  from: [{study: old, trials: [{trial: 0, rank: 0.25, first: 1, "
                "point: {lr: 0.5}}]}]}\n",
          "search.from: 3 points are given, but only one" },
        { "bandits without checkpoints",
          HEAD "run: {command: [x], length: {max: 9}}\n" OBJECTIVE PARAMS BUDGET
               "search: {sampler: pb2}\n",
          "search.sampler: pb2 moves trials on from each other's checkpoints" },
        { "bandits without an interval",
          HEAD "run: {command: [x], checkpoint: true}\n" OBJECTIVE PARAMS BUDGET
               "search: {sampler: pb2}\n",
          "pb2 needs an interval, or run.length.max" },
        { "bandits of long intervals",
          HEAD "run: {command: [x], checkpoint: true, length: {max: 9}}\n" OBJECTIVE PARAMS
               "search: {sampler: {name: pb2, interval: 10}}\n",
          "the interval is longer than run.length.max" },
        { "bandits and pruner", MODEL "search: {sampler: pb2, pruner: median}\n",
          "search.pruner: has no place beside pb2" },
        { "bandits of other shapes",
          MODEL_HEAD OBJECTIVE "parameters: {hidden: {min: 8, max: 64}}\nsearch: {sampler: pb2}\n",
          "parameters.hidden: cannot change between checkpoints, which pb2 does" },
        { "bandits and results", MODEL "search: {sampler: pb2, tell: []}\n",
          "so pb2 has no use for them" },
        { "bandits and too many points",
          MODEL "search: {sampler: {name: pb2, population: 2}, enqueue: [{lr: 0.1}, {lr: 0.2}, "
                "{lr: 0.3}]}\n",
          "search.enqueue: 3 points are given, but only one for each of the population's 2" },
        { "enqueue unknown", MODEL "search: {enqueue: [{xx: 1}]}\n",
          "s.yaml:8:20: search.enqueue[0]: " },
        { "enqueue range", MODEL "search: {enqueue: [{lr: 7}]}\n",
          "search.enqueue[0]: parameter 'lr'" },
        { "enqueue type", MODEL "search: {enqueue: 7}\n", "search.enqueue: must be a list" },
        { "no budget", MODEL_HEAD OBJECTIVE PARAMS, "budget: needs trials or time" },
        { "budget time", MODEL_HEAD OBJECTIVE PARAMS "budget: {time: -3s}\n",
          "budget.time: must be a duration" },
        { "gpus of a rank", MODEL "resources: {gpus: 2}\n",
          "s.yaml:8:19: resources.gpus: a rank of a model is trained on one GPU at most; ranks: 2 "
          "has as many" },
        { "gpus and the cpu", MODEL "resources: {gpus: 1, device: cpu}\n",
          "s.yaml:8:30: resources.device: is cpu, so gpus are of no use" },
        { "gpus of trees", HEAD "run: {model: gbdt, length: {max: 3}}\n" DATA OBJECTIVE BUDGET
          "parameters: {lr: {min: 0.1, max: 1}}\nresources: {gpus: 1}\n",
          "resources.gpus: trees train on CPUs" },
        { "cuda without gpus", MODEL "resources: {device: cuda}\n",
          "resources.device: cuda needs resources.gpus, 1 or a part of one" },
        { "strict on a device", MODEL "resources: {device: opencl, reproducible: strict}\n",
          "resources.reproducible: strict is for CPUs" },
        { "strict with gpus", MODEL "resources: {gpus: 1, reproducible: strict}\n",
          "resources.reproducible: strict is for CPUs" },
        { "device of a command", COMMAND "resources: {device: opencl}\n",
          "resources.device: is of models; a command chooses for itself" },
        { "more than one and a half", COMMAND "resources: {gpus: 1.5}\n",
          "resources.gpus: must be a whole number from 0 to 64, or a part of one (as 0.5, in steps "
          "of 0.0001), not '1.5'" },
        { "too small a part", COMMAND "resources: {gpus: 0.00005}\n", "resources.gpus: must be" },
        { "less than none", COMMAND "resources: {gpus: -1}\n", "resources.gpus: must be" },
        { "too many", COMMAND "resources: {gpus: 65}\n", "resources.gpus: must be" },
        { "no number", COMMAND "resources: {gpus: all}\n", "resources.gpus: must be" },
        { "ranks of a command", COMMAND "resources: {ranks: 2, cores: 3}\n",
          "resources.ranks: counts the processes of a model; a command starts its own: cores: 6 "
          "and command: [mpirun, --bind-to, none, -n, \"2\", ...]" },
        { "no ranks", MODEL "resources: {ranks: 0}\n",
          "resources.ranks: must be a whole number from 1 to 4096" },
        { "too many ranks", MODEL "resources: {ranks: 4097}\n",
          "resources.ranks: must be a whole number from 1 to 4096" },
        { "device", MODEL "resources: {device: tpu}\n",
          "resources.device: must be one of auto, cpu, opencl, cuda, not 'tpu'" },
        { "a gpu", MODEL "resources: {device: gpu}\n",
          "must be one of auto, cpu, opencl, cuda, not 'gpu'; a GPU is 'cuda' (NVIDIA's) or "
          "'opencl', beside gpus: 1\n" },
        { "a gpu by its number", MODEL "resources: {device: \"GPU:0\"}\n",
          "not 'GPU:0'; a GPU is 'cuda'" },
        { "strict ranks", MODEL "resources: {reproducible: strict, ranks: 9}\n",
          "resources.ranks: at most 8 with reproducible: strict" },
        { "no layers", HEAD "run: {model: layers, length: {max: 9}}\n" DATA OBJECTIVE BUDGET
          "parameters: {lr: {min: 0.1, max: 1}}\n", "run.layers: is missing" },
        { "layers that are none", LAYERS("5", ""), "s.yaml:3:48: run.layers: must be a list of 1" },
        { "an empty list", LAYERS("[]", ""), "run.layers: must be a list of 1" },
        { "no layer", LAYERS("[{dense: 4}, 7]", ""),
          "s.yaml:3:61: run.layers[1]: must be a layer, as {dense: 64}, not '7'" },
        { "an empty layer", LAYERS("[{}]", ""), "run.layers[0]: must be a layer" },
        { "an unknown layer", LAYERS("[{dens: 4}]", ""),
          "s.yaml:3:50: run.layers[0]: unknown key 'dens'; did you mean 'dense'?" },
        { "layers that do not go together", LAYERS("[{dense: 4, dropout: 0.5}]", ""),
          "run.layers[0]: needs one kind of layer, with options of that kind; layers are dense" },
        { "a layer's range", LAYERS("[{dropout: 1}]", ""),
          "s.yaml:3:59: run.layers[0].dropout: must be a number from 0 to 0.99, not '1'" },
        { "an option's range", LAYERS("[{attention: 2, dropout: 1}]", ""),
          "run.layers[0].dropout: must be a number from 0 to 0.99, not '1'" },
        { "a layer's word", LAYERS("[{act: rel}]", ""),
          "run.layers[0].act: must be one of relu, tanh, gelu, sigmoid, silu, leaky_relu, "
          "softmax, not 'rel'; did you mean 'relu'?" },
        { "a layer's flag", LAYERS("[{dense: 4}, {flatten: false}]", ""), "must be true" },
        { "a sum of none", LAYERS("[{dense: 4, name: stem}, {add: stemm}]", ""),
          "run.layers[1].add: no layer before it has the name 'stemm'; did you mean 'stem'?" },
        { "a sum with what has no name", LAYERS("[{dense: 4}, {act: relu}, {add: stem}]", ""),
          "run.layers[2].add: no layer before it has the name 'stem'\n" },
        { "a name twice", LAYERS("[{dense: 4, name: a}, {act: relu, name: a}]", ""),
          "run.layers[1].name: 'a' is the name of another layer" },
        { "a name that is taken", LAYERS("[{dense: 4, name: features}]", ""),
          "'features' is what the data gives" },
        { "no such parameter", LAYERS("[{dense: \"{widht}\"}, {dense: \"{width}\"}]",
          ", width: {min: 2, max: 9}"),
          "s.yaml:3:57: run.layers[0].dense: 'widht' is no parameter of the study; did you mean "
          "'width'?" },
        { "a parameter in a name", LAYERS("[{dense: 4, name: \"{a}\"}]", ", a: {values: [b]}"),
          "run.layers[0].name: cannot be a parameter's" },
        { "a parameter of another range", LAYERS("[{dense: \"{w}\"}]", ", w: {min: 0, max: 9}"),
          "parameters.w: must be a whole number from 1 to 65536" },
        { "a parameter of another type", LAYERS("[{dense: \"{w}\"}]", ", w: {min: 0.5, max: 9}"),
          "parameters.w: must be a whole number from 1 to 65536" },
        { "a parameter of other words", LAYERS("[{dense: 3}, {act: \"{f}\"}]",
          ", f: {values: [relu, rely]}"), "parameters.f: every value must be one of relu, tanh" },
        { "a parameter that may lack", LAYERS("[{dense: \"{w}\"}]",
          ", o: {values: [sgd, adam]}, w: {min: 2, max: 9, when: {o: sgd}}"),
          "parameters.w: a layer has its value, so it cannot have conditions" },
        { "no layer has it", LAYERS("[{dense: 3}]", ", w: {min: 2, max: 9}"),
          "parameters.w: is not a hyperparameter of layers" },
        { "layers as a parameter", HEAD "run: {model: layers, length: {max: 9}}\n" DATA OBJECTIVE
          BUDGET "parameters: {layers: {min: 1, max: 4}}\n",
          "parameters.layers: cannot be searched" },
        { "layers as values", HEAD "run: {model: layers, length: {max: 9}}\n" DATA OBJECTIVE
          BUDGET "parameters: {layers: {values: [0]}}\n",
          "parameters.layers: cannot be searched" },
        { "a layer's parameter of a taken name", LAYERS("[{dense: \"{batch_size}\"}]",
          ", batch_size: {min: 2, max: 9}"),
          "run.layers[0].dense: 'batch_size' is the name of a hyperparameter; a layer's parameter "
          "needs another" },
        { "of another family", HEAD "run: {model: linear, hidden: 9, length: {max: 9}}\n" DATA
          OBJECTIVE BUDGET "parameters: {lr: {min: 0.1, max: 1}}\n",
          "run.hidden: is an option of mlp, not of linear" },
        { "strict batches", HEAD "run: {model: cnn, norm: batch, length: {max: 3}}\n" DATA OBJECTIVE
          "parameters: {lr: {min: 0.1, max: 0.9}}\n" BUDGET
          "resources: {reproducible: strict}\n", "run.norm: batch needs whole batches" },
        { "strict batches, searched", HEAD "run: {model: mlp, length: {max: 3}}\n" DATA OBJECTIVE
          "parameters: {norm: {values: [none, batch]}}\n" BUDGET
          "resources: {reproducible: strict}\n",
          "s.yaml:6:20: parameters.norm: batch needs whole batches, which reproducible" },
        { "strict batches in a list", LAYERS("[{dense: 4}, {norm: batch}]", "")
          "resources: {reproducible: strict}\n",
          "s.yaml:3:68: run.layers[1].norm: batch needs whole batches" },
        { "strict batches in a list, searched",
          LAYERS("[{dense: 4}, {norm: \"{n}\"}]", ", n: {values: [layer, batch]}")
          "resources: {reproducible: strict}\n", "parameters.n: batch needs whole batches" },
        { "batches in pieces", HEAD "run: {model: cnn, norm: batch, accumulate: 2, length: {max: "
          "3}}\n" DATA OBJECTIVE PARAMS BUDGET,
          "s.yaml:3:25: run.norm: batch needs whole batches, which accumulate computes in pieces" },
        { "batches in pieces, searched", HEAD "run: {model: mlp, norm: batch, length: {max: 3}}\n"
          DATA OBJECTIVE "parameters: {accumulate: {values: [1, 4]}}\n" BUDGET,
          "run.norm: batch needs whole batches, which accumulate" },
        { "batches in pieces in a list",
          LAYERS("[{norm: batch}]", ", accumulate: {min: 1, max: 2}"),
          "run.layers[0].norm: batch needs whole batches, which accumulate" },
        { "strict bits of rounded sums", HEAD
          "run: {model: mlp, wire: bf16, length: {max: 3}}\n" DATA OBJECTIVE PARAMS BUDGET
          "resources: {reproducible: strict}\n",
          "s.yaml:3:25: run.wire: bf16 has other bits for other nodes" },
        { "rounded weights", HEAD
          "run: {model: mlp, wire: bf16, sync_every: 4, length: {max: 3}}\n" DATA OBJECTIVE PARAMS
          BUDGET, "s.yaml:3:25: run.wire: bf16 rounds gradients" },
        { "rounded weights, searched", HEAD "run: {model: mlp, sync_every: 4, length: {max: 3}}\n"
          DATA OBJECTIVE "parameters: {wire: {values: [fp32, bf16]}}\n" BUDGET,
          "parameters.wire: bf16 rounds gradients" },
        { "strict bits of rounded products", HEAD
          "run: {model: mlp, precision: bf16, length: {max: 3}}\n" DATA OBJECTIVE PARAMS BUDGET
          "resources: {reproducible: strict}\n",
          "s.yaml:3:30: run.precision: bf16 has not the same bits on every machine" },
        { "strict bits of rounded products, searched", HEAD "run: {model: gpt, length: {max: 3}}\n"
          DATA OBJECTIVE "parameters: {precision: {values: [fp32, bf16]}}\n" BUDGET
          "resources: {reproducible: strict}\n",
          "s.yaml:6:25: parameters.precision: bf16 has not the same bits" },
        { "rounded products on opencl", HEAD
          "run: {model: mlp, precision: bf16, length: {max: 3}}\n" DATA OBJECTIVE PARAMS BUDGET
          "resources: {device: opencl}\n",
          "s.yaml:3:30: run.precision: bf16 is for CPUs; the device that resources.device" },
        { "rounded products on cuda", HEAD
          "run: {model: linear, precision: bf16, length: {max: 3}}\n" DATA OBJECTIVE PARAMS BUDGET
          "resources: {device: cuda, gpus: 1}\n", "run.precision: bf16 is for CPUs" },
        { "rounded products with gpus", HEAD
          "run: {model: mlp, precision: bf16, length: {max: 3}}\n" DATA OBJECTIVE PARAMS BUDGET
          "resources: {gpus: 0.5}\n",
          "run.precision: bf16 is for CPUs; the device that resources.gpus asks for" },
        { "rounded products with gpus, searched", HEAD "run: {model: gpt, length: {max: 3}}\n"
          DATA OBJECTIVE "parameters: {precision: {values: [fp32, bf16]}}\n" BUDGET
          "resources: {gpus: 1}\n", "s.yaml:6:25: parameters.precision: bf16 is for CPUs" },
        { "no weights", HEAD "run: {model: mlp, class_weights: 2, length: {max: 9}}\n" DATA
          OBJECTIVE PARAMS BUDGET, "s.yaml:3:34: run.class_weights: must be a map of classes and "
          "numbers, or a list of numbers, not '2'\n" },
        { "weights of none", HEAD "run: {model: mlp, class_weights: {}, length: {max: 9}}\n" DATA
          OBJECTIVE PARAMS BUDGET, "run.class_weights: must be a map of classes" },
        { "a weight", HEAD "run: {model: cnn, class_weights: {0: 2, cat: 0}, length: {max: 9}}\n"
          DATA OBJECTIVE PARAMS BUDGET,
          "s.yaml:3:46: run.class_weights.'cat': must be a number from 1e-06 to 1e+06, not '0'\n" },
        { "a weight in order", HEAD "run: {model: mlp, class_weights: [1, x], length: {max: 9}}\n"
          DATA OBJECTIVE PARAMS BUDGET,
          "run.class_weights[1]: must be a number from 1e-06 to 1e+06, not 'x'\n" },
        { "weights of trees", HEAD "run: {model: gbdt, class_weights: [1, 2], length: {max: 9}}\n"
          DATA OBJECTIVE PARAMS BUDGET, "run.class_weights: " },
        { "searched weights", MODEL_HEAD OBJECTIVE BUDGET
          "parameters: {class_weights: {min: 1, max: 2}}\n",
          "parameters.class_weights: cannot be searched; class_balance can" },
        { "strict command", COMMAND "resources: {reproducible: strict}\n",
          "resources.reproducible: strict is of models" },
        { "reproducible", MODEL "resources: {reproducible: yes}\n", "resources.reproducible: " },
        { "memory", MODEL "resources: {memory: 5}\n",
          "must be a size (as 512MiB, 2GiB) from 1MiB" },
        { "a text with NUL", MODEL "description: \"a\\0b\"\n", "s.yaml:8:14: YAML: " },
    };
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++)
        check_bad(&cases[i]);
}

/* What is offered in its place is reported then: not what is of other labels. */
static void a_wrong_metric_is_offered_those_of_its_labels(void)
{
#define ABOUT(model, task, metric) HEAD "run: {model: " model ", length: {max: 9}}\n" \
    "data: {file: d.csv, " task "}\nobjective: {metric: " metric ", goal: minimize}\n" PARAMS BUDGET
#define OF_CLASSES "train_loss, train_accuracy, val_loss, val_accuracy, val_f1, val_auc, " \
    "val_perplexity, val_top2, val_top3, val_top5, val_top10"
    static const struct bad_case cases[] = {
        { "classes", ABOUT("mlp", "task: classification", "x"), "mlp does not report 'x', but "
          OF_CLASSES "\n" },
        { "numbers", ABOUT("gbdt", "task: regression", "x"), "gbdt does not report "
          "'x', but train_loss, train_mae, train_rmse, train_r2, val_loss, val_mae, "
          "val_rmse, val_r2\n" },
        { "either", ABOUT("cnn", "label: 1", "x"), "but train_loss, train_accuracy, "
          "train_mae, train_rmse, train_r2, val_loss, val_accuracy, " },
        { "tokens", ABOUT("gpt", "format: text", "x"), "gpt does not report 'x', but "
          "train_loss, train_accuracy, train_perplexity, val_loss, val_accuracy, "
          "val_perplexity\n" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++)
        check_bad(&cases[i]);
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

static void all_mistakes_come_at_once(void)
{
    static const char text[] =
        "assay: 1\nnmae: x\nretries: -1\nrun: {model: mlp, length: {max: 0}}\n"
        "data: x\nobjective: {metric: val_loss, goal: up}\n"
        "parameters: {lr: {min: 2, max: 1}, foo: {min: 1, max: 2}}\n";
    static const char *const wants[] = { ":2:1: nmae:", ":3:10: retries:", "name: is missing",
                                         ":4:33: run.length.max:", ":6:37: objective.goal:",
                                         "parameters.lr:", "parameters.foo:", "budget:" };
    struct asy_study_spec *spec = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf problems;

    asy_buf_init(&problems, 64u << 10);
    T_EQ("rc", asy_study_parse(text, strlen(text), "f", "/b", &spec, &problems, &err), ASY_E_INVAL);
    for (size_t i = 0; i < ASY_ARRAY_LEN(wants); i++)
        T_HAS("all", problems.data, wants[i]);
    asy_buf_fini(&problems);
}

/* Whatever the file says: the command line counts lines. */
static void a_mistake_is_one_line(void)
{
    static const char text[] = "assay: 1\nname: \"x\\ny\"\n\"a\\nb\": 1\n"
                               "run: {command: [sh, \"{l\\nr}\", \"{\\e[2J}\"]}\n"
                               OBJECTIVE PARAMS BUDGET;
    struct asy_study_spec *spec = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf problems;
    size_t n = 0;

    asy_buf_init(&problems, 64u << 10);
    T_EQ("rc", asy_study_parse(text, strlen(text), "f", "/b", &spec, &problems, &err), ASY_E_INVAL);
    for (const char *at = problems.data; *at; at += strcspn(at, "\n") + 1, n++)
        T_EQ(at, strncmp(at, "f:", 2), 0);
    T_EQ("mistakes", n, 4);
    T_HAS("a word", problems.data, "f:4:21: run.command[1]: {l?r} is not a parameter");
    T_HAS("a key", problems.data, "f:3:1: a?b: unknown key");
    T_TRUE(!strchr(problems.data, '\033') && !strchr(err.text, '\n'));
    asy_buf_fini(&problems);
}

static void a_key_twice_hides_no_other_mistake(void)
{
    static const char text[] = "assay: 1\nname: x\nname: y\nretries: -1\nassay: 2\n"
                               "budget: {trials: 0, trials: 1, trials: 2}\n";
    static const char *const wants[] = { "f:3:1: YAML: key 'name' stands in line 2 already\n",
                                         "f:5:1: YAML: key 'assay' stands in line 1 already\n",
                                         "f:6:21: YAML: key 'trials' stands in line 6 already\n",
                                         "f:6:32: YAML: key 'trials'", "f:4:10: retries:",
                                         "f:6:18: budget.trials:", "run: is missing" };
    struct asy_study_spec *spec = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf problems;

    asy_buf_init(&problems, 64u << 10);
    T_EQ("rc", asy_study_parse(text, strlen(text), "f", "/b", &spec, &problems, &err), ASY_E_INVAL);
    for (size_t i = 0; i < ASY_ARRAY_LEN(wants); i++)
        T_HAS("all", problems.data, wants[i]);
    asy_buf_fini(&problems);
}

static void files_that_are_not_there_are_mistakes_of_a_users_file(void)
{
#define REST OBJECTIVE PARAMS "bugdet: {trials: 1}\n"
    static const struct { const char *name, *text, *wants[3];
    } cases[] = {
        { "data",
          HEAD MODEL_RUN "data: {file: lost.csv, label: kind}\n" REST,
          { "s.yaml:4:14: data.file: cannot read '", "/lost.csv': no such file or directory\n" } },
        { "data, in short",
          HEAD MODEL_RUN "data: lost.csv\n" REST,
          { "s.yaml:4:7: data: cannot read '" } },
        { "labels",
          HEAD MODEL_RUN "data: {file: s.yaml, labels: lost.npy}\n" REST,
          { "s.yaml:4:30: data.labels: cannot read '", "/lost.npy': no such file" } },
        { "labels that the images' name stands for",
          HEAD MODEL_RUN "data: {file: t-images-idx3-ubyte}\n" REST,
          { "s.yaml:4:14: data.labels: cannot read '", "/t-labels-idx1-ubyte': no such file" } },
        { "files",
          HEAD "run: {command: [sh], files: [s.yaml, lost/]}\n" REST,
          { "s.yaml:3:38: run.files[1]: cannot read '", "/lost/': no such file" } },
        { "program",
          HEAD "run: {command: [./lost, a]}\n" REST,
          { "s.yaml:3:17: run.command[0]: cannot run '", "/lost': no such file" } },
        { "no program",
          HEAD "run: {command: [./s.yaml]}\n" REST,
          { "s.yaml': permission denied" } },
        { "absolute", HEAD "run: {command: [/lost], cwd: trial}\n" REST, { "cannot run '/lost'" } },
        { "programs of later", HEAD "run: {command: [./lost], cwd: trial}\n" REST, { NULL } },
        { "one of many", HEAD "run: {command: [\"./x{lr}\"]}\n" REST, { NULL } },
        { "a name", HEAD "run: {command: [lost, a]}\n" REST,
          { "s.yaml:3:17: run.command[0]: cannot find 'lost' in PATH\n" } },
        { "a name from here", HEAD "run: {command: [s.yaml]}\n" REST,
          { "cannot find 's.yaml' in PATH; did you mean './s.yaml'?" } },
        { "a folder of PATH", HEAD "run: {command: [bin]}\n" REST,
          { "cannot find 'bin' in PATH" } },
        { "a name in PATH", HEAD "run: {command: [sh]}\n" REST, { NULL } },
        { "a name in the study's PATH", HEAD "run: {command: [lost], env: {PATH: /opt}}\n" REST,
          { NULL } },
        { "one name of many", HEAD "run: {command: [\"x{lr}\"]}\n" REST, { NULL } },
    };
    struct t_folder folder;
    char path[PATH_MAX];

    if (!t_folder_make(&folder))
        return;
    t_path(&folder, "s.yaml", path);
    setenv("PATH", "/:/usr/bin:/bin", 1);
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_study_spec *spec = NULL;
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_buf problems;

        asy_buf_init(&problems, 64u << 10);
        t_write(path, cases[i].text);
        T_EQ(cases[i].name, asy_study_load(path, NULL, &spec, &problems, &err), ASY_E_INVAL);
        T_HAS(cases[i].name, problems.data, "bugdet: unknown key"); /* besides */
        T_EQ(cases[i].name, strstr(problems.data, "cannot") != NULL, cases[i].wants[0] != NULL);
        for (size_t k = 0; cases[i].wants[k]; k++)
            T_HAS(cases[i].name, problems.data, cases[i].wants[k]);
        asy_buf_clear(&problems);
        T_EQ(cases[i].name,
             asy_study_parse(cases[i].text, strlen(cases[i].text), "s", "/base", &spec, &problems,
                             &err),
             ASY_E_INVAL);
        T_TRUE(!strstr(problems.data, "cannot")); /* elsewhere they may well be */
        asy_buf_fini(&problems);
    }
    t_folder_drop(&folder);
#undef REST
}

/* A reader of data that answers with a text and keeps what it was asked. */
struct reader {
    const char *answer; /* NULL: all is well */
    enum asy_code code;
    char asked[2000];
};

static int look(void *ctx, const char *text, size_t len, struct asy_error *err)
{
    struct reader *reader = ctx;

    snprintf(reader->asked, sizeof reader->asked, "%.*s", (int)len, text);
    return reader->answer ? asy_fail(err, reader->code, "%s", reader->answer) : 0;
}

/* text with the path in the place of %s, if it has one. */
static const char *fill(const char *text, const char *path, char ret[2 * PATH_MAX])
{
    const char *at = text ? strstr(text, "%s") : NULL;

    if (at)
        snprintf(ret, 2 * PATH_MAX, "%.*s%s%s", (int)(at - text), text, path, at + 2);
    else
        snprintf(ret, 2 * PATH_MAX, "%s", text ? text : "");
    return ret;
}

static void what_is_wrong_with_the_data_is_a_mistake_with_a_place(void)
{
#define ALL_DATA "data: {file: s.yaml, label: knid, split: {test: 0.1}}\n"
#define REST OBJECTIVE PARAMS BUDGET
    static const struct { const char *name, *text, *answer, *want, *asked; enum asy_code code;
    } cases[] = {
        { "label", HEAD MODEL_RUN ALL_DATA REST, "'%s': label: no column 'knid'",
          "s.yaml:4:29: data.label: no column 'knid'\n", "\"label\":\"knid\"", ASY_E_INVAL },
        { "split", HEAD MODEL_RUN ALL_DATA REST, "'%s': split: too few",
          "s.yaml:4:42: data.split: too few\n", "\"test\":0.1", ASY_E_INVAL },
        { "a group", HEAD MODEL_RUN "data: {file: s.yaml, split: {group: g}}\n" REST,
          "'%s': split.group: no column 'g'", "s.yaml:4:37: data.split.group: no column 'g'\n",
          "\"group\":\"g\"", ASY_E_INVAL },
        { "a row", HEAD MODEL_RUN ALL_DATA REST, "'%s': row 3 has 2 fields",
          "s.yaml:4:14: data.file: '%s': row 3 has 2 fields\n", "\"file\":\"/", ASY_E_INVAL },
        { "no key", HEAD MODEL_RUN ALL_DATA REST, "'%s': rows: many", "data.file: '%s': rows: many",
          "", ASY_E_INVAL },
        { "in short", HEAD MODEL_RUN "data: s.yaml\n" REST, "'%s': label: all the same",
          "s.yaml:4:7: data.label: all the same\n", "\"label\":-1", ASY_E_INVAL },
        { "metric", HEAD MODEL_RUN ALL_DATA REST, "objective: 'val_loss' is not reported",
          "objective.metric: 'val_loss' is not reported\n", "\"metric\":\"val_loss\"",
          ASY_E_INVAL },
        { "besides", HEAD MODEL_RUN ALL_DATA "bugdet: 1\n" REST, "'%s': label: no column",
          "s.yaml:4:29: data.label: no column\n", "", ASY_E_INVAL },
        { "a layer", HEAD "run: {model: layers, length: {max: 9}, layers: [{dense: \"{w}\"}, {act: "
          "relu}]}\n" ALL_DATA OBJECTIVE BUDGET "parameters: {w: {min: 3, max: 9}}\n",
          "run: layer 1 (act): does not fit", "s.yaml:3:65: run.layers[1]: layer 1 (act): does not "
          "fit\n", "},\"sample\":{\"w\":3}}",
          ASY_E_INVAL },
        { "the outputs' layer", HEAD "run: {model: layers, length: {max: 9}, layers: [flatten]}\n"
          ALL_DATA REST, "run: layer 2 (dense): too large", "s.yaml:3:14: run.model: layer 2",
          "\"sample\":{\"lr\":1e-05}", ASY_E_INVAL },
        { "a searched shape", HEAD "run: {model: transformer, d_model: 30, length: {max: 9}}\n"
          ALL_DATA OBJECTIVE BUDGET "parameters: {heads: {values: [2, 3, 5]}, blocks: {min: 1, "
          "max: 4}}\n", "run: does not fit",
          "run.model: does not fit, with the least value of each parameter\n",
          "},\"sample\":{\"heads\":2,\"blocks\":1}}", ASY_E_INVAL },
        { "what its least values leave out", HEAD "run: {model: mlp, length: {max: 9}}\n" ALL_DATA
          OBJECTIVE BUDGET "parameters: {momentum: {min: 0.5, max: 0.9, when: {optimizer: sgd}}, "
          "optimizer: {values: [adam, sgd]}}\n", "run: too large", "run.model: too large\n",
          "},\"sample\":{\"optimizer\":\"adam\"}}", ASY_E_INVAL },
        { "a constant", HEAD "run: {model: mlp, length: {max: 9}, class_weights: {a: 2, y: 1}}\n"
          ALL_DATA OBJECTIVE BUDGET "parameters: {hidden: {min: 3, max: 9}}\n",
          "run: class_weights: 'knid' has no class 'y'", "s.yaml:3:52: run.class_weights: 'knid' "
          "has no class 'y'\n", "\"class_weights\":{\"a\":2.0,\"y\":1.0}", ASY_E_INVAL },
        { "a wrong metric is not asked about",
          HEAD MODEL_RUN ALL_DATA "objective: {metric: loss, goal: minimize}\n" PARAMS BUDGET,
          "'%s': label: none", "data.label: none\n", "0}}}", ASY_E_INVAL },
        { "wrong data is not asked about", HEAD MODEL_RUN "data: {file: s.yaml, scale: x}\n" REST,
          "'%s': label: none", NULL, "-", ASY_E_INVAL },
        { "nobody can look", HEAD MODEL_RUN ALL_DATA REST, "no program", NULL, "knid",
          ASY_E_NOENT },
        { "all is well", HEAD MODEL_RUN ALL_DATA REST, NULL, NULL, "knid", ASY_E_INVAL },
        { "commands have none", COMMAND_HEAD REST, "label: x", NULL, "-", ASY_E_INVAL },
    };
    struct t_folder folder;
    char path[PATH_MAX];

    if (!t_folder_make(&folder))
        return;
    t_path(&folder, "s.yaml", path);
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        char answer[2 * PATH_MAX], want[2 * PATH_MAX];
        struct reader ctx = { cases[i].answer ? fill(cases[i].answer, path, answer) : NULL,
                              cases[i].code, "-" };
        const struct asy_study_reader reader = { look, &ctx };
        struct asy_study_spec *spec = NULL;
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_buf problems;
        int rc;

        asy_buf_init(&problems, 64u << 10);
        t_write(path, cases[i].text);
        rc = asy_study_load(path, &reader, &spec, &problems, &err);
        T_HAS(cases[i].name, problems.data, fill(cases[i].want, path, want));
        T_HAS(cases[i].name, ctx.asked, cases[i].asked);
        if (cases[i].want)
            T_EQ(cases[i].name, rc, ASY_E_INVAL);
        else
            T_TRUE(!strstr(problems.data, "label"));
        asy_study_destroy(spec);
        asy_buf_fini(&problems);
    }
    t_folder_drop(&folder);
#undef REST
#undef ALL_DATA
}

static void mistakes_come_in_the_order_of_the_file(void)
{
    /* Found in another one: by the table, then the space, then what spans keys. */
    static const char text[] = "assay: 1\nname: X\nparameters: {a: {min: 2, max: 1}}\nfoo: 1\n"
                               "run: {command: [\"{b\"]}\nobjective: {metric: m, goal: up}\n"
                               "retries: -1\n";
    struct asy_study_spec *spec = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf problems;
    unsigned line, before = 0;
    size_t n = 0;

    asy_buf_init(&problems, 64u << 10);
    T_EQ("rc", asy_study_parse(text, strlen(text), "f", "/b", &spec, &problems, &err), ASY_E_INVAL);
    for (const char *at = problems.data; *at; at += strcspn(at, "\n") + 1, n++) {
        T_EQ(at, sscanf(at, "f:%9u:", &line), 1);
        T_TRUE(line >= before);
        before = line;
    }
    T_EQ("all", n, 7);
    T_EQ("the first is the error", strncmp(problems.data, err.text, strlen(err.text)), 0);
    asy_buf_fini(&problems);
}

static void a_flood_of_mistakes_is_cut(void)
{
    struct asy_study_spec *spec = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf problems, text;
    int more;

    for (int n = 200; n <= 201; n++) {
        asy_buf_init(&problems, 1u << 20);
        asy_buf_init(&text, 1u << 20);
        asy_buf_adds(&text, MODEL);
        for (int i = 0; i < n; i++)
            asy_buf_addf(&text, "x%d: 1\n", i);
        T_EQ("rc", asy_study_parse(text.data, text.len, "f", "/b", &spec, &problems, &err),
             ASY_E_INVAL);
        T_EQ("said", strstr(problems.data, "f: more mistakes follow\n") != NULL, n > 200);
        T_EQ("counted", asy_study_count_problems(&problems, &more), 200);
        T_EQ("more", more, n > 200);
        asy_buf_fini(&text);
        asy_buf_fini(&problems);
    }
}

/* They have the same bits for any; networks are divided into parts. */
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

static void strict_trees_have_any_number_of_ranks(void)
{
    static const char text[] = HEAD "run: {model: gbdt, length: {max: 9}}\n" DATA OBJECTIVE BUDGET
        "parameters: {max_depth: {min: 2, max: 5}}\n"
        "resources: {reproducible: strict, ranks: 9}\n";
    struct asy_study_spec *spec = parse("strict trees", text);

    T_TRUE(spec != NULL);
    asy_study_destroy(spec);
}

static void two_files_at_one_place_are_a_mistake(void)
{
    static const struct { const char *name, *files, *want; } cases[] = {
        { "one name", "[a.py, /x/a.py]", "run.files[1]: 'a.py' in a trial's folder is what "
                                         "run.files[0] becomes already\n" },
        { "folders", "[/x/src/, b, /y/src]", "run.files[2]: 'src' " },
        { "three", "[/x/a, /y/a, /z/a]", "run.files[2]: 'a' in a trial's folder is what "
                                         "run.files[1]" },
        { "one of another folder", "[src/a, /x/a]", NULL },
        { "below each other", "[src/, src/a, /x/b]", NULL },
        { "twice the same", "[src/, src, src//]", NULL },
        { "names that begin alike", "[a, ab, a/b, /x/abc]", NULL },
    };

    struct t_folder folder;
    char path[PATH_MAX], text[1000];

    if (!t_folder_make(&folder))
        return;
    t_path(&folder, "s.yaml", path);
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_study_spec *spec = NULL;
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_buf problems;

        asy_buf_init(&problems, 64u << 10);
        snprintf(text, sizeof text, HEAD "run: {command: [sh], files: %s}\n" OBJECTIVE PARAMS
                 BUDGET, cases[i].files);
        t_write(path, text);
        T_EQ(cases[i].name, asy_study_load(path, NULL, &spec, &problems, &err),
             ASY_E_INVAL);
        T_HAS(cases[i].name, problems.data, "run.files[0]: cannot read '"); /* besides */
        if (cases[i].want)
            T_HAS(cases[i].name, problems.data, cases[i].want);
        T_EQ(cases[i].name, strstr(problems.data, "becomes already") != NULL,
             cases[i].want != NULL);
        asy_buf_fini(&problems);
        T_OK(asy_study_parse(text, strlen(text), "s", folder.path, &spec, NULL, &err), &err);
        asy_study_destroy(spec); /* a stored one */
    }
    t_folder_drop(&folder);
}

static void a_study_without_a_folder_is_refused(void)
{
    struct asy_study_spec *spec = NULL;
    struct asy_error err = ASY_ERROR_INIT;

    T_EQ("rc", asy_study_parse(MODEL, strlen(MODEL), "study", NULL, &spec, NULL, &err),
         ASY_E_INVAL);
    T_HAS("text", err.text, "dir: is missing");
    T_EQ("rc",
         asy_study_parse(MODEL "dir: x\n", strlen(MODEL "dir: x\n"), "study", NULL, &spec, NULL,
                         &err),
         ASY_E_INVAL);
    T_HAS("text", err.text, "dir: must be an absolute path");
}

static void wide_studies_are_bounded(void)
{
    struct asy_study_spec *spec = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf text;

    asy_buf_init(&text, 4u << 20);
    asy_buf_adds(&text, COMMAND_HEAD OBJECTIVE BUDGET "parameters:\n");
    for (int i = 0; i < 4097; i++)
        asy_buf_addf(&text, "  p%d: {min: 1, max: 2}\n", i);
    T_EQ("parameters", asy_study_parse(text.data, text.len, "f", "/b", &spec, NULL, &err),
         ASY_E_INVAL);
    asy_buf_clear(&text);
    asy_buf_adds(&text,
                 COMMAND_HEAD OBJECTIVE BUDGET "parameters:\n  x: {min: 1, max: 2}\ndescription: ");
    for (int i = 0; i < 900000; i++)
        asy_buf_addc(&text, 'x');
    T_EQ("text", asy_study_parse(text.data, text.len, "f", "/b", &spec, NULL, &err), ASY_E_TOOBIG);
    asy_study_destroy(spec);
    asy_buf_fini(&text);
}

/* ---- what else is made of a study ----------------------------------------------------------- */

static void only_budget_resources_and_priority_may_change(void)
{
    static const struct { const char *name, *text, *key;
    } cases[] = {
        { "the same", MODEL, NULL },
        { "budget", MODEL_HEAD OBJECTIVE PARAMS "budget: {trials: 99, time: 1h}\n", NULL },
        { "resources", MODEL "resources: {cores: 4, ranks: 4}\n", NULL },
        { "bits", MODEL "resources: {reproducible: strict}\n",
          "'resources.reproducible' was normal" },
        { "priority", MODEL "priority: 5\n", NULL },
        { "retries", MODEL "retries: 5\n", "'retries'" },
        { "seed", MODEL "search: {seed: 5}\n", "'search.seed'" },
        { "pruner", MODEL "search: {pruner: median}\n", "'search.pruner.name'" },
        { "length", HEAD "run: {model: mlp, length: {max: 41}}\n" DATA OBJECTIVE PARAMS BUDGET,
          "'run.length.max'" },
        { "range",
          MODEL_HEAD OBJECTIVE BUDGET "parameters: {lr: {min: 1e-5, max: 2.0, scale: log}}\n",
          "'parameters.lr.max'" },
        { "tag", MODEL "tags: {a: b}\n", "'tags.a'" },
    };
    struct asy_study_spec *earlier = parse("earlier", MODEL);

    for (size_t i = 0; earlier && i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_study_spec *later = parse(cases[i].name, cases[i].text);
        struct asy_error err = ASY_ERROR_INIT;

        if (!later)
            continue;
        T_EQ(cases[i].name, asy_study_resumable(earlier, later, &err),
             cases[i].key ? ASY_E_INVAL : 0);
        if (cases[i].key)
            T_HAS(cases[i].name, err.text, cases[i].key);
        asy_study_destroy(later);
    }
    asy_study_destroy(earlier);
}

#define ASHA(options) HEAD "run: {model: mlp, length: {max: 40}}\n" DATA OBJECTIVE PARAMS BUDGET \
    "search: {pruner: {name: asha" options "}}\n"

/* The default of asha's rule was another one before: a file that does not say it keeps the stored
 * study's, whichever that is. */
static void a_resume_keeps_a_default_that_has_changed(void)
{
    static const struct { const char *name, *text, *stored, *refused; double rule;
    } cases[] = {
        { "unsaid, as before there were rules", ASHA(""), "", NULL, 1 },
        { "unsaid, as it is now", ASHA(""), ",\"rule\":2", NULL, 2 },
        { "unsaid, as chosen", ASHA(""), ",\"rule\":1", NULL, 1 },
        { "said, as before there were rules", ASHA(", rule: 1"), "", NULL, 1 },
        { "said, another than before", ASHA(", rule: 2"), "",
          "'search.pruner.rule' differs; write 'rule: 1', or leave it out", 0 },
        { "said, another than now", ASHA(", rule: 1"), ",\"rule\":2",
          "'search.pruner.rule' differs; write 'rule: 2', or leave it out", 0 },
        { "another option", ASHA(", reduction: 3"), "",
          "'search.pruner.reduction' differs; only budget", 0 },
        { "another pruner", MODEL "search: {pruner: {name: hyperband}}\n", "",
          "'search.pruner.name' differs; only budget", 0 },
    };
    static const char rule[] = ",\"rule\":2";
    struct asy_study_spec *s = parse("asha", ASHA(""));
    const char *at = s ? strstr(s->canonical, rule) : NULL;
    struct asy_buf said;

    asy_buf_init(&said, 1 << 16);
    for (size_t i = 0; T_TRUE(at != NULL) && i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_study_spec *stored = NULL, *file = NULL, *sent = NULL, *later = NULL;
        struct asy_error err = ASY_ERROR_INIT;
        char old[4096];

        snprintf(old, sizeof old, "%.*s%s%s", (int)(at - s->canonical), s->canonical,
                 cases[i].stored, at + strlen(rule));
        file = parse(cases[i].name, cases[i].text);
        if (file && T_OK(asy_study_with_inputs(file, NULL, 0, &sent, &err), &err) &&
            T_OK(asy_study_said(sent, &said, &err), &err) &&
            T_OK(asy_study_parse(old, strlen(old), "stored", NULL, &stored, NULL, &err), &err)) {
            asy_study_destroy(sent);
            sent = NULL;
            if (T_OK(asy_study_parse(said.data, said.len, "s", NULL, &sent, NULL, &err), &err) &&
                T_OK(asy_study_as_stored(sent, stored, &later, &err), &err)) {
                T_EQ(cases[i].name, asy_study_resumable(stored, later, &err),
                     cases[i].refused ? ASY_E_INVAL : 0);
                if (cases[i].refused)
                    T_HAS(cases[i].name, err.text, cases[i].refused);
                else
                    T_NEAR(cases[i].name, later->pruner_options[2].value, cases[i].rule, 0);
            }
        }
        asy_study_destroy(later);
        asy_study_destroy(sent);
        asy_study_destroy(file);
        asy_study_destroy(stored);
    }
    asy_study_destroy(s);
    asy_buf_fini(&said);
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

static void help_shows_the_table(void)
{
    static const struct { const char *key, *want; } cases[] = {
        { NULL, "run.length.max" }, { NULL, "Hyperparameters of mlp" },
        { "search.pruner", "reduction" }, { "reduction", "pruner asha" }, { "tpe", "candidates" },
        { "max", "run.length.max" }, { "parameters", "scale: log" }, { "run.hidden", "65536" },
    };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf buf;

    asy_buf_init(&buf, 1u << 20);
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        asy_buf_clear(&buf);
        T_OK(asy_study_help(cases[i].key, &buf, &err), &err);
        T_HAS(cases[i].key ? cases[i].key : "whole", buf.data, cases[i].want);
    }
    asy_buf_clear(&buf);
    T_EQ("unknown", asy_study_help("prunner", &buf, &err), ASY_E_NOENT);
    T_HAS("unknown", err.text, "did you mean 'pruner'?");
    T_EQ("nothing written", buf.len, 0);
    asy_study_reference(&buf);
    T_HAS("reference", buf.data,
          "| `search.sampler.name` | one of auto, random, grid, tpe, ");
    asy_buf_fini(&buf);
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

static int listed(const char *group, const char *name)
{
    const char *other;

    for (size_t i = 0; (other = asy_study_option(group, i)); i++)
        if (!strcmp(other, name))
            return 1;
    return 0;
}

static void options_are_listed_by_group(void)
{
    T_STR("first", asy_study_option("sampler tpe", 0), "startup_trials");
    T_STR("last", asy_study_option("sampler tpe", 4), "group");
    T_TRUE(!asy_study_option("sampler tpe", 5) && !asy_study_option("sampler random", 0));
    T_STR("mlp", asy_study_option("model mlp", 0), "hidden");
    T_STR("all networks", asy_study_option("model networks", 0), "lr");
    T_EQ("a network has both", listed("model mlp", "hidden") && listed("model mlp", "momentum"), 1);
    T_EQ("trees do not", listed("model gbdt", "momentum"), 0);
    T_EQ("no family", listed("model nets", "momentum") || listed("model ?", "momentum"), 0);
}

T_MAIN("study", T_TEST(defaults_are_filled_in), T_TEST(every_key_arrives),
       T_TEST(a_text_from_before_asha_had_rules_has_the_first),
       T_TEST(objectives_and_constraints_arrive), T_TEST(canonical_text_is_its_own_canonical_text),
       T_TEST(labels_lie_beside_images_that_are_named_as_those_of_mnist),
       T_TEST(the_example_searches_what_it_says), T_TEST(options_may_be_words),
       T_TEST(mistakes_are_named_with_their_place),
       T_TEST(a_wrong_metric_is_offered_those_of_its_labels), T_TEST(weights_of_classes_arrive),
       T_TEST(gpus_are_counted_in_parts),
       T_TEST(rounded_products_are_for_cpus), T_TEST(all_mistakes_come_at_once),
       T_TEST(a_mistake_is_one_line), T_TEST(a_key_twice_hides_no_other_mistake),
       T_TEST(files_that_are_not_there_are_mistakes_of_a_users_file),
       T_TEST(what_is_wrong_with_the_data_is_a_mistake_with_a_place),
       T_TEST(mistakes_come_in_the_order_of_the_file), T_TEST(a_flood_of_mistakes_is_cut),
       T_TEST(batch_norm_stands_beside_pieces_of_other_trials),
       T_TEST(strict_trees_have_any_number_of_ranks),
       T_TEST(two_files_at_one_place_are_a_mistake),
       T_TEST(a_study_without_a_folder_is_refused), T_TEST(wide_studies_are_bounded),
       T_TEST(only_budget_resources_and_priority_may_change),
       T_TEST(a_resume_keeps_a_default_that_has_changed), T_TEST(commands_get_their_words),
       T_TEST(help_shows_the_table), T_TEST(pruner_options_arrive),
       T_TEST(options_are_listed_by_group))
