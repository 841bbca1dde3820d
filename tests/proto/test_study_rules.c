/* SPDX-License-Identifier: Apache-2.0
 * Study files: mistakes of the file itself and of each section, with their places. */
#include "studykit.h"

#define WITH_PARAMS(text) MODEL_HEAD OBJECTIVE BUDGET "parameters:\n" text
#define C_PARAMS(text) COMMAND_HEAD OBJECTIVE BUDGET "parameters:\n" text

#define LONG /* 124 bytes */ \
    "NAME_NAME_NAME_NAME_NAME_NAME_N" "NAME_NAME_NAME_NAME_NAME_NAME_N" \
    "NAME_NAME_NAME_NAME_NAME_NAME_N" "NAME_NAME_NAME_NAME_NAME_NAME_N"

static void mistakes_of_the_file_are_named_with_their_place(void)
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
        { "a text with NUL", MODEL "description: \"a\\0b\"\n", "s.yaml:8:14: YAML: " },
    };

    check_bad(cases, ASY_ARRAY_LEN(cases));
}

static void mistakes_in_what_is_run_are_named(void)
{
    static const struct bad_case cases[] = {
        { "no run", HEAD DATA OBJECTIVE PARAMS BUDGET, "run: is missing" },
        { "neither", HEAD "run: {length: {max: 3}}\n" OBJECTIVE PARAMS BUDGET,
          "s.yaml:3:6: run: needs model, command or plugin" },
        { "both", HEAD "run: {model: mlp, command: [x]}\n" DATA OBJECTIVE PARAMS BUDGET,
          "has both model and command" },
        { "plugin", HEAD "run: {plugin: ./x.so}\n" OBJECTIVE PARAMS BUDGET,
          "run.length.max: is missing: the epochs of a whole trial" },
        { "model", HEAD "run: {model: mpl, length: {max: 3}}\n" DATA OBJECTIVE PARAMS BUDGET,
          "gbdt, not 'mpl'; did you mean 'mlp'?" },
        { "a parameter of another family", HEAD "run: {model: gbdt, length: {max: 3}}\n" DATA
          OBJECTIVE "parameters: {hidden: {min: 1, max: 9}}\n" BUDGET,
          "parameters.hidden: is not a hyperparameter of gbdt" },
        { "a constant of another family", HEAD
          "run: {model: gbdt, momentum: 0.5, length: {max: 3}}\n" DATA OBJECTIVE
          "parameters: {lr: {min: 0.1, max: 1}}\n" BUDGET, "run.momentum: " },
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
    };

    check_bad(cases, ASY_ARRAY_LEN(cases));
}

static void mistakes_in_data_are_named(void)
{
    static const struct bad_case cases[] = {
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
        { "no data", HEAD MODEL_RUN OBJECTIVE PARAMS BUDGET, "data: is missing" },
        { "data without file", HEAD MODEL_RUN "data: {label: 3}\n" OBJECTIVE PARAMS BUDGET,
          "s.yaml:4:7: data.file: is missing: a path" },
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
    };

    check_bad(cases, ASY_ARRAY_LEN(cases));
}

static void mistakes_in_objectives_and_constraints_are_named(void)
{
    static const struct bad_case cases[] = {
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
        { "mean of a model",
          MODEL_HEAD "objective: {metric: val_loss, goal: minimize, take: mean}\n" PARAMS BUDGET,
          "objective.take: mean is for commands" },
    };

    check_bad(cases, ASY_ARRAY_LEN(cases));
}

static void mistakes_in_parameters_are_named(void)
{
    static const struct bad_case cases[] = {
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
    };

    check_bad(cases, ASY_ARRAY_LEN(cases));
}

static void mistakes_in_commands_are_named(void)
{
    static const struct bad_case cases[] = {
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
    };

    check_bad(cases, ASY_ARRAY_LEN(cases));
}

T_MAIN("study rules", T_TEST(mistakes_of_the_file_are_named_with_their_place),
       T_TEST(mistakes_in_what_is_run_are_named), T_TEST(mistakes_in_data_are_named),
       T_TEST(mistakes_in_objectives_and_constraints_are_named),
       T_TEST(mistakes_in_parameters_are_named), T_TEST(mistakes_in_commands_are_named))
