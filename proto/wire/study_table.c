/* SPDX-License-Identifier: Apache-2.0
 * study_table.c - the keys of the study file: the one table behind parser, help and reference page.
 * Sections stand before their keys; the canonical text has this order. */
#include "study_impl.h"
#include <stdio.h>
#include <string.h>
#include <asy/parse.h>

#define SEED_MAX 9223372036854775807.0 /* as a double 2^63: every int64_t of 0 or more */
#define YEAR_MS 31536000000.0
#define ACTIVATIONS "relu|tanh|gelu|sigmoid|silu|leaky_relu|softmax"

const struct asy__row asy__rows[] = {
    { "assay", ASY__INT, ASY__REQUIRED, .min = 1, .max = 1,
      .help = "version of this file format; tells a study from other YAML files" },
    { "name", ASY__NAME, ASY__REQUIRED,
      .help = "name of the study; a second study of the same name gets '-2' added" },
    { "description", ASY__STRING, .fallback = "''", .help = "free text, shown with the study" },
    { "tags", ASY__STRING_MAP, .fallback = "{}", .help = "names and texts kept with the study",
      .example = "tags: {team: vision, ticket: 'A-17'}" },
    { "project", ASY__NAME, .fallback = "default",
      .help = "the experiment of the tracking service that the study's runs belong to" },
    { "priority", ASY__INT, .min = -1000, .max = 1000, .fallback = "0",
      .help = "studies of a higher priority get workers first" },
    { "retries", ASY__INT, .min = 0, .max = 1000, .fallback = "3",
      .help = "how often a trial that crashes is tried again; lost workers do not count" },
    { "dir", ASY__PATH, .absent = "the folder of the study file",
      .help = "folder that relative paths start from" },

    { "run", ASY__SECTION, ASY__REQUIRED,
      .help = "what a trial runs: exactly one of model, command, plugin",
      .example = "run:\n  model: mlp\n  hidden: 128\n  length: {unit: epochs, max: 40}" },
    { "run.model", ASY__WORD, .words = "mlp|linear|cnn|gpt|transformer|layers|gbdt",
      .absent = "a command or a plug-in is run",
      .help = "a model family of the native engine; its hyperparameters may stand beside it as "
              "constants" },
    { "run.fixed", ASY__FIXED, ASY__FOR_MODEL, .absent = "nothing is fixed",
      .help = "the constants in a map of their own, as an alternative to standing in run" },
    { "run.command", ASY__STRINGS, .absent = "a model or a plug-in is trained",
      .help = "a program and its arguments, without a shell; {name} is a parameter's value, "
              "\"{args}\" becomes --name=value for all, {env:NAME} is an environment variable, "
              "{{ and }} are braces; \"{wandb:args}\" and its like are as W&B has them",
      .example = "run:\n  command: [python3, train.py, --lr, \"{lr}\"]" },
    { "run.plugin", ASY__PATH, ASY__TO_READ, .absent = "a model is trained or a command is run",
      .help = "a shared library with a learner of your own (asy/trainer.h), which the engine "
              "trains; its hyperparameters, and the engine's, may stand beside it as constants",
      .example = "run: {plugin: ./mine.so, batch_size: 32, length: {max: 20}}" },
    { "run.files", ASY__PATHS, ASY__FOR_COMMAND | ASY__FOR_PLUGIN | ASY__TO_READ,
      .fallback = "[]",
      .help = "files and folders that are copied into the folder of each trial" },
    { "run.env", ASY__STRING_MAP, ASY__FOR_COMMAND, .fallback = "{}",
      .help = "environment variables of the program" },
    { "run.cwd", ASY__WORD, ASY__FOR_COMMAND, .words = "study|trial", .fallback = "study",
      .help = "folder that the program starts in: dir, or the trial's own" },
    { "run.grace", ASY__DURATION, .min = 0, .max = 86400000, .fallback = "30s",
      .help = "time to checkpoint and end after being told to, before the program is killed" },
    { "run.silence", ASY__DURATION, ASY__FOR_PLUGIN, .min = 0, .max = 30 * 86400000.0,
      .fallback = "10m",
      .help = "a plug-in of which nothing is heard for so long is killed: the longest that it may "
              "take to read the data and begin, or for one update; 0s: never" },
    { "run.metrics", ASY__SECTION, ASY__FOR_COMMAND, .scalar = "=socket",
      .help = "how metrics come: 'socket' (JSON lines on ASSAY_SOCKET) or a pattern for stdout",
      .example = "metrics: {pattern: 'step=(?<step>\\d+) val_loss=(?<val_loss>\\S+)'}" },
    { "run.metrics.pattern", ASY__STRING, ASY__FOR_COMMAND, .absent = "the socket is used",
      .help = "regular expression (PCRE2) whose named groups are metrics; 'step' is the step" },
    { "run.checkpoint", ASY__FLAG, ASY__FOR_COMMAND, .fallback = "false",
      .help = "the program checkpoints and can be paused; without it, rungs stop trials instead of "
              "pausing them, and a trial that is moved starts from nothing" },
    { "run.wandb", ASY__FLAG, ASY__FOR_COMMAND, .absent = "false; true for a W&B sweep file",
      .help = "a Python program's 'import wandb' finds our stand-in, which reports to Assay" },
    { "run.length", ASY__SECTION, .help = "the axis along which trials are compared",
      .example = "length: {unit: epochs, max: 40}" },
    { "run.length.unit", ASY__STRING, .absent = "epochs for a model, steps for a command",
      .help = "name of the unit; a model counts epochs" },
    { "run.length.max", ASY__INT, .min = 1, .max = 1e15, .absent = "open; a model needs one",
      .help = "length of a whole trial" },
    { "run.repeats", ASY__INT, ASY__MORE_LATER, .min = 1, .max = 1, .fallback = "1",
      .help = "seeds per point" },

    { "data", ASY__SECTION, ASY__FOR_MODEL, .scalar = "file",
      .help = "the data set of a model; a mere path stands for file",
      .example = "data: {file: digits.csv.gz, label: -1, split: {validation: 0.2, test: 0.2}}" },
    { "data.file", ASY__PATH, ASY__REQUIRED | ASY__FOR_MODEL | ASY__TO_READ,
      .help = "a CSV, TSV, LIBSVM, NPY or IDX file, also gzipped, an NPZ or HDF5 file. Of an array "
              "the first dimension counts rows, the others make columns" },
    { "data.labels", ASY__PATH, ASY__FOR_MODEL | ASY__TO_READ,
      .absent = "for IDX files named as MNIST's, the one beside it",
      .help = "an NPY or IDX file of a label for each row, beside one that has none",
      .example = "data: {file: train-images-idx3-ubyte.gz, labels: train-labels-idx1-ubyte.gz}" },
    { "data.format", ASY__WORD, ASY__FOR_MODEL,
      .words = "auto|csv|tsv|libsvm|npy|npz|idx|hdf5|text|tokens",
      .fallback = "auto", .help = "auto goes by the file's content; a TSV file by its name. text: "
      "UTF-8, whose characters are tokens; tokens: an NPY of one dimension of whole numbers; both "
      "are for the model gpt" },
    { "data.arrays", ASY__STRINGS, ASY__FOR_MODEL,
      .absent = "all, those of several columns first",
      .help = "the arrays of an NPZ, or data sets of an HDF5 file, that stand side by side",
      .example = "data: {file: mnist.npz, arrays: [x_train, y_train]}" },
    { "data.header", ASY__AUTO_FLAG, ASY__FOR_MODEL, .fallback = "auto",
      .help = "whether the first row of a CSV or TSV file has the columns' names" },
    { "data.exclude", ASY__COLUMNS, ASY__FOR_MODEL, .fallback = "[]",
      .help = "columns that are left out" },
    { "data.categorical", ASY__COLUMNS, ASY__FOR_MODEL, .fallback = "[]",
      .help = "columns whose numbers are names of categories; a column of texts is one anyway" },
    { "data.label", ASY__COLUMN, ASY__FOR_MODEL, .later = "more than one label", .fallback = "-1",
      .help = "the column to predict; of a LIBSVM file it is the last" },
    { "data.task", ASY__WORD, ASY__FOR_MODEL, .words = "auto|classification|regression",
      .fallback = "auto", .help = "auto goes by the label column" },
    { "data.missing", ASY__WORD, ASY__FOR_MODEL, .words = "error|mean|drop", .fallback = "error",
      .help = "what to do with empty cells (and ?, NA, NaN, null): refuse the file, put the mean, "
              "drop the row" },
    { "data.scale", ASY__WORD, ASY__FOR_MODEL, .words = "standard|minmax|none",
      .fallback = "standard", .help = "how numbers are scaled, learnt from the training part" },
    { "data.sequence", ASY__WORD, ASY__FOR_MODEL, .words = "none|tokens|text", .absent = "none",
      .help = "rows are sequences, for the models transformer and layers. tokens: the columns "
              "beside the label are numbers of tokens in their order, empty or below zero behind a "
              "row's end; text: there is one, and its characters are the tokens" },
    { "data.length", ASY__INT, ASY__FOR_MODEL, .min = 1, .max = 8192, .absent = "256",
      .help = "tokens of a row where sequence is text: of a longer one the beginning counts" },
    { "data.split", ASY__SECTION, ASY__FOR_MODEL,
      .help = "the parts of the data, the same for all trials; the search never sees test",
      .example = "split: {validation: 0.2, test: 0.2, stratify: true, seed: 0}" },
    { "data.split.validation", ASY__NUMBER, ASY__FOR_MODEL, .min = 0, .max = 0.99,
      .later = "a file name", .fallback = "0.2", .help = "share of the rows to compare trials on" },
    { "data.split.test", ASY__NUMBER, ASY__FOR_MODEL, .min = 0, .max = 0.99, .later = "a file name",
      .fallback = "0.2", .help = "share of the rows for the last word" },
    { "data.split.stratify", ASY__FLAG, ASY__FOR_MODEL, .fallback = "true",
      .help = "keep the proportions of the classes in each part" },
    { "data.split.seed", ASY__INT, ASY__FOR_MODEL, .min = 0, .max = SEED_MAX, .fallback = "0",
      .help = "number that the shuffle starts from" },
    { "data.split.group", ASY__COLUMN, ASY__FOR_MODEL, .later = "more than one column",
      .absent = "rows are divided one by one",
      .help = "a column whose equal values stay in one part, as the rows of one patient or one "
              "day; it is not learnt from. Shares are kept as far as groups allow",
      .example = "split: {group: patient, folds: 5}" },
    { "data.split.folds", ASY__INT, ASY__FOR_MODEL, .min = 2, .max = 100,
      .absent = "one validation part",
      .help = "cross-validation: the rows beside test are divided into so many parts, each of "
              "which is validated on by a training of all others; metrics are their means. One "
              "more training, of all of them, goes on beside these and leaves the model. A text is "
              "cut into pieces",
      .example = "split: {folds: 5, test: 0.2}" },
    { "data.split.repeats", ASY__INT, ASY__FOR_MODEL, .min = 1, .max = 100, .absent = "1",
      .help = "how often the rows beside test are divided, each time by another shuffle, into "
              "folds or into training and validation; metrics are means over all divisions, at "
              "most 100" },

    { "objective", ASY__OBJECTIVE, ASY__REQUIRED,
      .help = "what the search makes better; a list of up to 16 such maps for several objectives: "
              "results are then the trials that no other beats in all of them, and pruners other "
              "than moasha compare the first",
      .example = "objective: {metric: val_accuracy, goal: maximize, take: best}" },
    { "objective.metric", ASY__STRING, ASY__REQUIRED, .help = "name of a reported metric" },
    { "objective.goal", ASY__WORD, ASY__REQUIRED, .words = "maximize|minimize",
      .help = "which way is better" },
    { "objective.take", ASY__WORD, .words = "best|last|mean", .fallback = "best",
      .help = "a trial's value: the best of its reports, the last, or the mean of all, which is "
              "for commands that report instances one by one" },
    { "objective.target", ASY__NUMBER, .absent = "none",
      .help = "a value that is good enough; the study ends when a trial reaches it. With one "
              "objective only" },
    { "constraints", ASY__CONSTRAINTS, .fallback = "[]",
      .help = "bounds on metrics, of which the last report counts: a trial outside of one, or that "
              "does not report it, is no result, and the sampler keeps away from there",
      .example = "constraints: [{metric: seconds, max: 30}]" },

    { "parameters", ASY__PARAMETERS, ASY__REQUIRED,
      .help = "what is searched. Each is {min, max} (two whole numbers: an int, else a float) with "
              "scale: log, step: and type: int or float as needed, or {values: [...]}; when: "
              "{other: value, [list] or {min, max}} makes it conditional; prior: says what is "
              "likely, as {mean, sd} (on a log scale sd is of the natural logarithm), {a, b} of a "
              "beta distribution, {min, max}, or {weights: [...]} of the values; scale: in it "
              "where it is another, min: and max: where it ends earlier",
      .example = "parameters:\n"
                 "  lr:        {min: 1e-5, max: 1.0, scale: log}\n"
                 "  hidden:    {min: 16, max: 512, scale: log}\n"
                 "  optimizer: {values: [sgd, adam]}\n"
                 "  momentum:  {min: 0.0, max: 0.99, when: {optimizer: sgd}}\n"
                 "  decay:     {min: 1e-7, max: 1e-1, scale: log, prior: {mean: 1e-4, sd: 2}}" },

    { "search", ASY__SECTION, .help = "how points are chosen and weak trials ended",
      .example = "search: {sampler: tpe, pruner: {name: asha, min: 1, reduction: 4}, seed: 7}" },
    { "search.sampler", ASY__SECTION, .scalar = "name",
      .help = "who suggests points: its name, or a map of name and options",
      .example = "sampler: {name: tpe, startup_trials: 20}" },
    { "search.sampler.name", ASY__WORD,
      .words = "auto|random|grid|tpe|nsga2|nsga3|qmc|gp|cma|brute_force|pbt|pb2",
      .fallback = "auto",
      .help = "auto goes from gp to cma where all parameters are numbers, else takes tpe, or "
              "random where there is too little to learn from; pbt trains a population whose "
              "weak members go on from the checkpoints of strong ones, and pb2 has a model "
              "say with which numbers" },
    { "search.pruner", ASY__SECTION, .scalar = "name",
      .help = "who ends weak trials early: its name, or a map of name and options",
      .example = "pruner: {name: asha, min: 1, reduction: 4}" },
    { "search.pruner.name", ASY__WORD,
      .words = "none|median|percentile|patient|threshold|wilcoxon|asha|hyperband|moasha",
      .fallback = "none",
      .help = "median and percentile stop trials worse than that of the others, patient those that "
              "got worse, threshold those beyond bounds, wilcoxon those worse than the best one "
              "instance by instance; asha promotes the best at rungs, hyperband does so in several "
              "brackets, moasha for two or three objectives" },
    { "search.seed", ASY__INT, .min = 0, .max = SEED_MAX, .fallback = "0",
      .help = "number that all randomness of the study starts from" },
    { "search.deterministic", ASY__FLAG, .fallback = "false",
      .help = "decide job k from the outcomes of jobs up to k - lag only, so that any number of "
              "workers gives the same trials" },
    { "search.lag", ASY__INT, .min = 1, .max = 4096, .fallback = "16", .unit = "jobs",
      .help = "with deterministic: how far jobs run ahead of decisions; at most so many at once" },
    { "search.enqueue", ASY__POINTS, .fallback = "[]",
      .help = "points, whole or in part, that are tried first",
      .example = "enqueue: [{lr: 1e-3, hidden: 128}]" },
    { "search.fixed", ASY__POINT, .absent = "nothing is fixed",
      .help = "parameters that keep one of their values and are not searched; whose condition can "
              "hold no more has to leave the file",
      .example = "fixed: {momentum: 0.9}" },
    { "search.tell", ASY__TOLD, .absent = "nothing is known",
      .help = "results from elsewhere that the sampler learns from: a CSV file with a column for "
              "each parameter and metric (as assay export writes it), or a list. They "
              "become part of the study and are no trials of it. Not in a study with constraints",
      .example = "tell: old-results.csv\n  # or: [{point: {lr: 1e-3, hidden: 64}, value: 0.31}]" },
    { "search.from", ASY__FROM, .absent = "none",
      .help = "earlier studies, by name or id, to learn from: their best points are tried first, "
              "and tpe, cma and gp go by how their trials ranked. Their parameters may be "
              "others in part, their metric may be another. What they found becomes part of this "
              "study as it is submitted. With one objective",
      .example = "from: [digits-small, digits-small-2]" },

    { "budget", ASY__SECTION,
      .help = "when the study ends: what is reached first; trials or time is needed",
      .example = "budget: {trials: 60, time: 30m}" },
    { "budget.trials", ASY__INT, .min = 1, .max = 1e9, .absent = "open", .help = "points started" },
    { "budget.time", ASY__DURATION, .min = 1, .max = 10 * YEAR_MS, .absent = "open",
      .help = "wall time since the study began, without what it was paused; it goes on while no "
              "coordinator runs" },
    { "budget.endless", ASY__FLAG, .absent = "false; true for a W&B sweep without run_cap",
      .help = "nothing ends the study but a stop" },
    { "budget.patience", ASY__INT, .min = 1, .max = 1e9, .absent = "none",
      .help = "the study ends when so many complete trials in a row brought no better value. With "
              "one objective only, and beside trials or time" },
    { "budget.regret", ASY__NUMBER, .min = 1e-300, .max = 1e300, .absent = "none",
      .help = "the study ends when by a model of its trials the best point there is can hardly be "
              "better than the best trial by more than this, in the objective's unit. From 20 "
              "complete trials on, with one objective, without constraints and without "
              "conditional parameters, and beside trials or time" },
    { "budget.parallel", ASY__INT, .min = 0, .max = 1e6, .fallback = "0",
      .help = "trials at once; 0: as many as fit" },

    { "resources", ASY__SECTION,
      .help = "what each trial gets; cores, memory and gpus are per rank",
      .example = "resources: {cores: 1, memory: 2GiB, gpus: 0.5}" },
    { "resources.cores", ASY__INT, .min = 1, .max = 4096, .fallback = "1", .help = "CPU cores" },
    { "resources.memory", ASY__SIZE, .min = 1048576, .max = 1125899906842624.0, .fallback = "1GiB",
      .help = "main memory; a trial that uses more is ended" },
    { "resources.gpus", ASY__SHARE, .min = 0, .max = 64, .fallback = "0",
      .help = "GPUs that a command sees, it alone, or that a network is trained on: one a rank at "
              "most. A part of one is shared with other trials, each of which sees all of its "
              "memory" },
    { "resources.ranks", ASY__INT, .min = 1, .max = 4096, .fallback = "1",
      .help = "processes that train one trial of a model together, over MPI" },
    { "resources.device", ASY__WORD, .words = "auto|cpu|opencl|cuda", .fallback = "auto",
      .help = "what a network is trained on; auto: its GPU, by cuda or else opencl, where gpus "
              "gives it one, else the cpu. opencl without gpus computes on the trial's cores, if "
              "there is an OpenCL for them (PoCL)" },
    { "resources.reproducible", ASY__WORD, .words = "normal|strict",
      .fallback = "normal", .help = "of a model's training; normal: the same bits for the "
                                    "same ranks and build, strict: for any number of ranks up to "
                                    "8. Trees have the same for any number either way" },

    { "inputs", ASY__INPUTS, .absent = "listed when the study is submitted",
      .help = "the files that data and run.files name, each by path, place in a trial's folder, "
              "sha256 and bytes; the command line makes the list anew at each submission" },

    { "shuffle", ASY__FLAG, .group = "sampler grid", .fallback = "false",
      .help = "take the points in a random order" },
    { "sequence", ASY__WORD, .group = "sampler qmc", .words = "sobol|halton", .fallback = "sobol",
      .help = "whose points are taken; they cover the space more evenly than random ones" },
    { "scramble", ASY__WORD, .group = "sampler qmc", .words = "none|linear|owen",
      .fallback = "linear",
      .help = "how the seed changes the sequence; none begins in the corner of the space" },
    { "population", ASY__INT, .group = "sampler cma", .min = 0, .max = 65536, .fallback = "0",
      .help = "trials of a batch, at least 4; 0: by the number of parameters. With very many "
              "workers, half as many as those" },
    { "separable", ASY__FLAG, .group = "sampler cma", .fallback = "false",
      .help = "learn no dependencies between parameters; always so beyond 200 of them" },
    { "adapt_rate", ASY__FLAG, .group = "sampler cma", .fallback = "false",
      .help = "learn more slowly where results are noisy or have many local optima" },
    { "restarts", ASY__WORD, .group = "sampler cma", .words = "none|ipop|bipop",
      .fallback = "ipop",
      .help = "what follows when nothing changes any more: ipop doubles the batch, bipop changes "
              "between that and small ones" },
    { "warm_trials", ASY__INT, .group = "sampler cma", .min = 0, .max = 1e6, .fallback = "0",
      .help = "random points first, from the best of which the search then starts" },
    { "startup_trials", ASY__INT, .group = "sampler tpe", .min = 0, .max = 1e6, .fallback = "10",
      .help = "random points before the model of good points is used" },
    { "candidates", ASY__INT, .group = "sampler tpe", .min = 1, .max = 4096, .fallback = "24",
      .help = "points drawn from that model, of which the most promising is taken" },
    { "multivariate", ASY__FLAG, .group = "sampler tpe", .fallback = "true",
      .help = "model parameters jointly rather than one by one" },
    { "constant_liar", ASY__FLAG, .group = "sampler tpe", .fallback = "true",
      .help = "count running trials as bad ones, so that parallel points keep apart" },
    { "group", ASY__FLAG, .group = "sampler tpe", .fallback = "true",
      .help = "with multivariate: model parameters under the same conditions jointly too; false: "
              "only those without conditions" },
    { "startup_trials", ASY__INT, .group = "sampler gp", .min = 1, .max = 1e6, .fallback = "10",
      .help = "random points before the model is used" },
    { "region", ASY__FLAG, .group = "sampler gp", .fallback = "true",
      .help = "five of ten trials in a row are searched for near the best one" },
    { "warp_inputs", ASY__FLAG, .group = "sampler gp", .fallback = "false",
      .help = "stretch parts of a parameter's range where the objective changes faster, once "
              "results bear that out" },
    { "population", ASY__INT, .group = "sampler nsga2", .min = 4, .max = 10000, .fallback = "24",
      .help = "trials that survive; so many random points come first" },
    { "crossover_eta", ASY__INT, .group = "sampler nsga2", .min = 0, .max = 1000, .fallback = "20",
      .help = "how close to their parents' numbers those of children are" },
    { "mutation_eta", ASY__INT, .group = "sampler nsga2", .min = 0, .max = 1000, .fallback = "20",
      .help = "how little a mutation changes a number" },
    { "uniform", ASY__FLAG, .group = "sampler nsga2", .fallback = "false",
      .help = "take each number from either parent as it is" },
    { "population", ASY__INT, .group = "sampler nsga3", .min = 4, .max = 10000, .fallback = "24",
      .help = "trials that survive; so many random points come first" },
    { "crossover_eta", ASY__INT, .group = "sampler nsga3", .min = 0, .max = 1000, .fallback = "20",
      .help = "how close to their parents' numbers those of children are" },
    { "mutation_eta", ASY__INT, .group = "sampler nsga3", .min = 0, .max = 1000, .fallback = "20",
      .help = "how little a mutation changes a number" },
    { "uniform", ASY__FLAG, .group = "sampler nsga3", .fallback = "false",
      .help = "take each number from either parent as it is" },
    { "divisions", ASY__INT, .group = "sampler nsga3", .min = 0, .max = 100, .fallback = "0",
      .help = "parts of each edge of the grid of directions; 0: by objectives and population" },
    { "population", ASY__INT, .group = "sampler pbt", .min = 2, .max = 65536, .fallback = "4",
      .help = "members that train side by side; a trial is one interval of one of them" },
    { "interval", ASY__INT, .group = "sampler pbt", .min = 0, .max = 1e15, .fallback = "0",
      .help = "length after which a member is compared with the others; 0: a tenth of "
              "run.length.max" },
    { "quantile", ASY__NUMBER, .group = "sampler pbt", .min = 0, .max = 0.5, .fallback = "0.25",
      .help = "share of the members that are weak and go on from one of as many strong ones" },
    { "resample", ASY__NUMBER, .group = "sampler pbt", .min = 0, .max = 1, .fallback = "0.25",
      .help = "how likely a parameter is drawn anew then, rather than moved" },
    { "factor_up", ASY__NUMBER, .group = "sampler pbt", .min = 1, .max = 100, .fallback = "1.2",
      .help = "what a number is multiplied by when it moves up; choices move one place" },
    { "factor_down", ASY__NUMBER, .group = "sampler pbt", .min = 0, .max = 1, .fallback = "0.8",
      .help = "what a number is multiplied by when it moves down" },
    { "population", ASY__INT, .group = "sampler pb2", .min = 2, .max = 65536, .fallback = "4",
      .help = "members that train side by side; a trial is one interval of one of them" },
    { "interval", ASY__INT, .group = "sampler pb2", .min = 0, .max = 1e15, .fallback = "0",
      .help = "length after which a member is compared with the others; 0: a tenth of "
              "run.length.max" },
    { "quantile", ASY__NUMBER, .group = "sampler pb2", .min = 0, .max = 0.5, .fallback = "0.25",
      .help = "share of the members that are weak and go on from one of as many strong ones" },
    { "resample", ASY__NUMBER, .group = "sampler pb2", .min = 0, .max = 1, .fallback = "0.25",
      .help = "how likely a parameter that the model leaves out is drawn anew then, rather than "
              "moved: choices without order, what has conditions, all until it knows three turns" },
    { "factor_up", ASY__NUMBER, .group = "sampler pb2", .min = 1, .max = 100, .fallback = "1.2",
      .help = "what a number that the model leaves out is multiplied by when it moves up" },
    { "factor_down", ASY__NUMBER, .group = "sampler pb2", .min = 0, .max = 1, .fallback = "0.8",
      .help = "what a number that the model leaves out is multiplied by when it moves down" },
    { "startup_trials", ASY__INT, .group = "pruner median", .min = 0, .max = 1e9, .fallback = "5",
      .help = "trials that run to the end before any is stopped" },
    { "warmup_steps", ASY__INT, .group = "pruner median", .min = 0, .max = 1e15, .fallback = "0",
      .help = "length below which no trial is stopped" },
    { "interval", ASY__INT, .group = "pruner median", .min = 1, .max = 1e15, .fallback = "1",
      .help = "length between two looks" },
    { "min_trials", ASY__INT, .group = "pruner median", .min = 1, .max = 1e9, .fallback = "1",
      .help = "values at a step that a median needs" },
    { "startup_trials", ASY__INT, .group = "pruner percentile", .min = 0, .max = 1e9,
      .fallback = "5", .help = "trials that run to the end before any is stopped" },
    { "warmup_steps", ASY__INT, .group = "pruner percentile", .min = 0, .max = 1e15,
      .fallback = "0", .help = "length below which no trial is stopped" },
    { "interval", ASY__INT, .group = "pruner percentile", .min = 1, .max = 1e15, .fallback = "1",
      .help = "length between two looks" },
    { "min_trials", ASY__INT, .group = "pruner percentile", .min = 1, .max = 1e9, .fallback = "1",
      .help = "values at a step that a percentile needs" },
    { "percentile", ASY__NUMBER, .group = "pruner percentile", .min = 0, .max = 100,
      .fallback = "25",
      .help = "of each hundred of the others' values at a step, how many a trial has to be among" },
    { "patience", ASY__INT, .group = "pruner patient", .min = 0, .max = 1e5, .fallback = "5",
      .help = "reports, and one more, that are to be worse than the best before them" },
    { "min_delta", ASY__NUMBER, .group = "pruner patient", .min = 0, .max = 1e300,
      .fallback = "0", .help = "how much worse" },
    { "inner", ASY__WORD, .group = "pruner patient", .words = "none|median|percentile|threshold",
      .fallback = "none",
      .help = "the pruner that decides then; its options stand beside these. none: the trial is "
              "stopped" },
    { "startup_trials", ASY__INT, .group = "pruner patient", .min = 0, .max = 1e9,
      .absent = "the inner pruner's",
      .help = "inner median or percentile: trials that run to the end before any is stopped" },
    { "warmup_steps", ASY__INT, .group = "pruner patient", .min = 0, .max = 1e15,
      .absent = "the inner pruner's",
      .help = "with inner: length below which no trial is stopped" },
    { "interval", ASY__INT, .group = "pruner patient", .min = 1, .max = 1e15,
      .absent = "the inner pruner's",
      .help = "with inner: length between two looks" },
    { "min_trials", ASY__INT, .group = "pruner patient", .min = 1, .max = 1e9,
      .absent = "the inner pruner's",
      .help = "inner median or percentile: values at a step that it needs" },
    { "percentile", ASY__NUMBER, .group = "pruner patient", .min = 0, .max = 100,
      .absent = "the inner pruner's",
      .help = "inner percentile: of each hundred of the others' values, how many a trial has to "
              "be among" },
    { "lower", ASY__NUMBER, .group = "pruner patient", .absent = "none",
      .help = "inner threshold: a value below it stops the trial" },
    { "upper", ASY__NUMBER, .group = "pruner patient", .absent = "none",
      .help = "inner threshold: a value above it stops the trial" },
    { "lower", ASY__NUMBER, .group = "pruner threshold", .absent = "none",
      .help = "a value below it stops the trial" },
    { "upper", ASY__NUMBER, .group = "pruner threshold", .absent = "none",
      .help = "a value above it stops the trial" },
    { "warmup_steps", ASY__INT, .group = "pruner threshold", .min = 0, .max = 1e15,
      .fallback = "0", .help = "length below which no trial is stopped" },
    { "interval", ASY__INT, .group = "pruner threshold", .min = 1, .max = 1e15, .fallback = "1",
      .help = "length between two looks" },
    { "p_threshold", ASY__NUMBER, .group = "pruner wilcoxon", .min = 0, .max = 1,
      .fallback = "0.1",
      .help = "how unlikely it has to be that a trial is no worse than the best one" },
    { "startup_steps", ASY__INT, .group = "pruner wilcoxon", .min = 0, .max = 1e9,
      .fallback = "2", .help = "instances that a trial is to share with the best one first" },
    { "min", ASY__INT, .group = "pruner asha", .min = 1, .max = 1e15, .fallback = "1",
      .help = "length at the lowest rung" },
    { "reduction", ASY__INT, .group = "pruner asha", .min = 2, .max = 1e6, .fallback = "4",
      .help = "one in so many goes on to the next rung, which is so many times longer; by rule 2 "
              "from the lowest rung" },
    { "rule", ASY__INT, .group = "pruner asha", .min = 1, .max = 2, .fallback = "2",
      .before = "1",
      .help = "where trials can pause: 2 has rungs of twice the length before, lets half of a rung "
              "go on, and goes by how values get better; 1 goes by the values alone, as Li et al. "
              "have it" },

    { "min", ASY__INT, .group = "pruner hyperband", .min = 1, .max = 1e15, .fallback = "1",
      .help = "length at the lowest rung" },
    { "reduction", ASY__INT, .group = "pruner hyperband", .min = 2, .max = 1e6, .fallback = "3",
      .help = "one in so many goes on to the next rung, which is so many times longer" },

    { "brackets", ASY__INT, .group = "pruner hyperband", .min = 0, .max = 64, .fallback = "0",
      .help = "searches side by side, each with a higher lowest rung; 0: as many as fit" },
    { "min", ASY__INT, .group = "pruner moasha", .min = 1, .max = 1e15, .fallback = "1",
      .help = "length at the lowest rung" },
    { "reduction", ASY__INT, .group = "pruner moasha", .min = 2, .max = 1e6, .fallback = "4",
      .help = "one in so many goes on to the next rung, which is so many times longer" },

    { "hidden", ASY__INT, .group = "model mlp", .min = 1, .max = 65536, .fallback = "128",
      .help = "units of each hidden layer" },
    { "layers", ASY__INT, .group = "model mlp", .min = 1, .max = 8, .fallback = "2",
      .help = "hidden layers" },
    { "activation", ASY__WORD, .group = "model mlp", .words = ACTIVATIONS,
      .fallback = "relu",
      .help = "function after each hidden layer" },
    { "norm", ASY__WORD, .group = "model mlp", .words = "none|layer|batch",
      .fallback = "none", .help = "what each hidden layer's sums go through before the function" },
    { "dropout", ASY__NUMBER, .group = "model mlp", .min = 0, .max = 0.99, .fallback = "0",
      .help = "share of each hidden layer's outputs that are left out of a training step" },
    { "hidden_2", ASY__INT, .group = "model mlp", .min = 0, .max = 65536, .fallback = "0",
      .help = "units of the second hidden layer; 0: as many as hidden" },
    { "hidden_3", ASY__INT, .group = "model mlp", .min = 0, .max = 65536, .fallback = "0",
      .help = "units of the third hidden layer; 0: as many as hidden" },
    { "hidden_4", ASY__INT, .group = "model mlp", .min = 0, .max = 65536, .fallback = "0",
      .help = "units of the fourth hidden layer; 0: as many as hidden" },
    { "hidden_5", ASY__INT, .group = "model mlp", .min = 0, .max = 65536, .fallback = "0",
      .help = "units of the fifth hidden layer; 0: as many as hidden" },
    { "hidden_6", ASY__INT, .group = "model mlp", .min = 0, .max = 65536, .fallback = "0",
      .help = "units of the sixth hidden layer; 0: as many as hidden" },
    { "hidden_7", ASY__INT, .group = "model mlp", .min = 0, .max = 65536, .fallback = "0",
      .help = "units of the seventh hidden layer; 0: as many as hidden" },
    { "hidden_8", ASY__INT, .group = "model mlp", .min = 0, .max = 65536, .fallback = "0",
      .help = "units of the eighth hidden layer; 0: as many as hidden" },

    { "filters", ASY__INT, .group = "model cnn", .min = 1, .max = 1024, .fallback = "16",
      .help = "kernels of the first block; each further one has twice as many" },
    { "blocks", ASY__INT, .group = "model cnn", .min = 1, .max = 6, .fallback = "2",
      .help = "blocks of convolution, function and pooling" },
    { "kernel", ASY__INT, .group = "model cnn", .min = 1, .max = 15, .fallback = "3",
      .unit = "pixels", .help = "width and height of a kernel" },
    { "padding", ASY__WORD, .group = "model cnn", .words = "same|valid", .fallback = "same",
      .help = "same: a border of zeros keeps an image's size (of odd kernels); valid: none" },
    { "pool", ASY__WORD, .group = "model cnn", .words = "max|mean|none", .fallback = "max",
      .help = "what becomes of each 2 x 2 pixels after a convolution, while there are as many" },
    { "residual", ASY__FLAG, .group = "model cnn", .fallback = "false",
      .help = "a small ResNet: blocks of two convolutions and a sum around them, without pooling" },
    { "norm", ASY__WORD, .group = "model cnn", .words = "none|layer|batch", .fallback = "none",
      .help = "what each convolution's sums go through before the function: layer: the channels "
              "of each pixel; batch: each channel of all pixels of a batch" },
    { "hidden", ASY__INT, .group = "model cnn", .min = 0, .max = 65536, .fallback = "128",
      .help = "units of the fully connected layer before the outputs; 0: none" },
    { "activation", ASY__WORD, .group = "model cnn", .words = ACTIVATIONS,
      .fallback = "relu",
      .help = "function after each convolution and the hidden layer" },
    { "dropout", ASY__NUMBER, .group = "model cnn", .min = 0, .max = 0.99, .fallback = "0",
      .help = "share of what the outputs see that is left out of a training step" },
    { "image_height", ASY__INT, .group = "model cnn", .min = 0, .max = 4096, .fallback = "0",
      .unit = "pixels",
      .help = "of a row of data; 0: as the array's dimensions say, else a square's" },
    { "image_width", ASY__INT, .group = "model cnn", .min = 0, .max = 4096, .fallback = "0",
      .unit = "pixels", .help = "of a row of data; 0: with a height, the same" },
    { "image_channels", ASY__INT, .group = "model cnn", .min = 0, .max = 4096, .fallback = "0",
      .help = "numbers of a pixel, side by side; 0: with a height, 1" },
    { "augment_crop", ASY__INT, .group = "model cnn", .min = 0, .max = 4095, .fallback = "0",
      .unit = "pixels",
      .help = "training images get a border of so many zeros, of which an image is cut at random" },
    { "augment_shift", ASY__INT, .group = "model cnn", .min = 0, .max = 4095, .fallback = "0",
      .unit = "pixels", .help = "training images move by so many at most, their edges following" },
    { "augment_flip", ASY__FLAG, .group = "model cnn", .fallback = "false",
      .help = "half of the training images have left and right changed" },
    { "layers", ASY__LAYERS, .group = "model layers", .absent = "none; it must be given",
      .help = "the network, layer by layer, without the last one, which is a dense layer for the "
              "outputs; \"{name}\" in the place of a number or a word is a parameter's value",
      .example = "run:\n  model: layers\n  layers: [{dense: \"{width}\", act: relu}, "
                 "{dropout: 0.2}, {dense: 64}, {act: tanh}]" },
    { "augment_crop", ASY__INT, .group = "model layers", .min = 0, .max = 4095, .fallback = "0",
      .unit = "pixels",
      .help = "training images get a border of so many zeros, of which an image is cut at random" },
    { "augment_shift", ASY__INT, .group = "model layers", .min = 0, .max = 4095, .fallback = "0",
      .unit = "pixels", .help = "training images move by so many at most, their edges following" },
    { "augment_flip", ASY__FLAG, .group = "model layers", .fallback = "false",
      .help = "half of the training images have left and right changed" },

    { "d_model", ASY__INT, .group = "model gpt", .min = 1, .max = 8192, .fallback = "128",
      .help = "numbers that a token is described by, a multiple of heads" },
    { "heads", ASY__INT, .group = "model gpt", .min = 1, .max = 256, .fallback = "4",
      .help = "ways in which tokens look at each other" },
    { "blocks", ASY__INT, .group = "model gpt", .min = 1, .max = 64, .fallback = "2",
      .help = "pairs of attention and a layer of 4 d_model units" },
    { "context", ASY__INT, .group = "model gpt", .min = 1, .max = 8192, .fallback = "64",
      .help = "tokens of a window, which is what a row of a batch is" },
    { "dropout", ASY__NUMBER, .group = "model gpt", .min = 0, .max = 0.99, .fallback = "0",
      .help = "share of the numbers that are left out of a training step, before each sum" },
    { "attention_dropout", ASY__NUMBER, .group = "model gpt", .min = 0, .max = 0.99,
      .fallback = "0",
      .help = "share of attention's weights that are left out of a training step" },
    { "tied", ASY__FLAG, .group = "model gpt", .fallback = "false",
      .help = "the output uses the table of the embedding" },
    { "activation", ASY__WORD, .group = "model gpt", .words = ACTIVATIONS,
      .fallback = "gelu",
      .help = "function within each block" },

    { "d_model", ASY__INT, .group = "model transformer", .min = 1, .max = 8192, .fallback = "64",
      .help = "numbers that a token is described by, a multiple of heads" },
    { "heads", ASY__INT, .group = "model transformer", .min = 1, .max = 256, .fallback = "4",
      .help = "ways in which tokens look at each other" },
    { "blocks", ASY__INT, .group = "model transformer", .min = 1, .max = 64, .fallback = "2",
      .help = "pairs of attention and a layer of 4 d_model units" },
    { "tokens", ASY__INT, .group = "model transformer", .min = 0, .max = 8192, .fallback = "0",
      .help = "equal pieces that a row's features are cut into; 0: one for each feature" },
    { "dropout", ASY__NUMBER, .group = "model transformer", .min = 0, .max = 0.99,
      .fallback = "0",
      .help = "share of the numbers that are left out of a training step, before each sum" },
    { "attention_dropout", ASY__NUMBER, .group = "model transformer", .min = 0, .max = 0.99,
      .fallback = "0",
      .help = "share of attention's weights that are left out of a training step" },
    { "activation", ASY__WORD, .group = "model transformer", .words = ACTIVATIONS,
      .fallback = "gelu",
      .help = "function within each block" },

    /* What all networks have, and plug-ins: about learning. */
    { "lr", ASY__NUMBER, .group = ASY__NETWORKS, .min = 0, .max = 1000, .fallback = "0.001",
      .help = "learning rate, the highest of its schedule" },
    { "optimizer", ASY__WORD, .group = ASY__NETWORKS,
      .words = "sgd|adam|adamw|adam_l2|lamb|lars", .fallback = "adam",
      .help = "rule of the weight updates; adam is adamw, with decoupled weight decay, adam_l2 is "
              "PyTorch's Adam; lamb and lars go by each tensor's norms, for large batches" },
    { "momentum", ASY__NUMBER, .group = ASY__NETWORKS, .min = 0, .max = 0.999999, .fallback = "0.9",
      .help = "sgd, lars: share of the last update that goes on" },
    { "nesterov", ASY__FLAG, .group = ASY__NETWORKS, .fallback = "false",
      .help = "sgd, lars: look ahead along the momentum" },
    { "beta1", ASY__NUMBER, .group = ASY__NETWORKS, .min = 0, .max = 0.999999, .fallback = "0.9",
      .help = "adam, lamb: decay of the mean" },
    { "beta2", ASY__NUMBER, .group = ASY__NETWORKS, .min = 0, .max = 0.99999999,
      .fallback = "0.999", .help = "adam, lamb: decay of the squares" },
    { "epsilon", ASY__NUMBER, .group = ASY__NETWORKS, .min = 1e-16, .max = 1, .fallback = "1e-8",
      .help = "adam, lamb: what keeps the divisor from 0" },
    { "trust", ASY__NUMBER, .group = ASY__NETWORKS, .min = 1e-9, .max = 1, .fallback = "0.001",
      .help = "lars: an update's norm as a share of the weights'" },
    { "batch_size", ASY__INT, .group = ASY__NETWORKS, .min = 1, .max = 1048576, .fallback = "64",
      .help = "rows per update, over all ranks" },
    { "accumulate", ASY__INT, .group = ASY__NETWORKS, .min = 1, .max = 1024, .fallback = "1",
      .help = "pieces that a rank's rows of a batch are computed in, one after the other: less "
              "memory for the same update" },
    { "sync_every", ASY__INT, .group = ASY__NETWORKS, .min = 1, .max = 1000000, .fallback = "1",
      .unit = "batches", .help = "time that each rank trains by itself, before all take the mean "
                                 "of what they have; 1: each step is one of all" },
    { "outer_lr", ASY__NUMBER, .group = ASY__NETWORKS, .min = 0, .max = 10, .fallback = "1",
      .help = "sync_every: how far the joint weights go towards the mean; DiLoCo has 0.7" },
    { "outer_momentum", ASY__NUMBER, .group = ASY__NETWORKS, .min = 0, .max = 0.999999,
      .fallback = "0", .help = "sync_every: share of the joint weights' last change that goes on "
                               "(Nesterov's); DiLoCo has 0.9" },
    { "wire", ASY__WORD, .group = ASY__NETWORKS, .words = "fp32|bf16", .fallback = "fp32",
      .help = "how gradients go from node to node where a trial has ranks on several; bf16 rounds "
              "them to eight bits, half the bytes" },
    { "weight_decay", ASY__NUMBER, .group = ASY__NETWORKS, .min = 0, .max = 100, .fallback = "0",
      .help = "strength of the pull of weights towards 0" },
    { "clip", ASY__NUMBER, .group = ASY__NETWORKS, .min = 0, .max = 1e30, .fallback = "0",
      .help = "greatest norm of a gradient, which is scaled down to it; 0: any" },
    { "ema", ASY__NUMBER, .group = ASY__NETWORKS, .min = 0, .max = 0.999999, .fallback = "0",
      .help = "share of a running mean of the weights that stays at each update; the mean is "
              "validated and stored in place of the weights; 0: no mean" },
    { "lr_schedule", ASY__WORD, .group = ASY__NETWORKS,
      .words = "constant|step|linear|cosine|one_cycle|plateau", .fallback = "constant",
      .help = "how the learning rate goes over the trial's whole length; plateau goes by the "
              "objective" },
    { "warmup", ASY__NUMBER, .group = ASY__NETWORKS, .min = 0, .max = 1000000, .fallback = "0",
      .unit = "epochs", .help = "time in which the learning rate rises to lr; one_cycle takes 0 "
                                "for three tenths of all" },
    { "lr_end", ASY__NUMBER, .group = ASY__NETWORKS, .min = 0, .max = 1, .fallback = "0",
      .help = "share of lr that linear, cosine and one_cycle end at, and that step and plateau do "
              "not go below" },
    { "lr_every", ASY__INT, .group = ASY__NETWORKS, .min = 1, .max = 1000000, .fallback = "10",
      .unit = "epochs", .help = "step: time from drop to drop; plateau: time without a better "
                                "objective that it bears" },
    { "lr_factor", ASY__NUMBER, .group = ASY__NETWORKS, .min = 0, .max = 1, .fallback = "0.1",
      .help = "step, plateau: what of the learning rate a drop leaves" },
    { "patience", ASY__INT, .group = ASY__NETWORKS, .min = 0, .max = 1000000, .fallback = "0",
      .unit = "epochs", .help = "end after so many without a better objective; 0: never" },

    /* And networks alone: a plug-in has losses and products of its own. */
    { "loss", ASY__WORD, .group = ASY__ALONE, .words = "auto|huber|quantile|binary",
      .fallback = "auto",
      .help = "what is learnt to be small: auto is cross-entropy of classes and squared error of "
              "numbers; huber and quantile are of numbers, binary of two classes by one output" },
    { "delta", ASY__NUMBER, .group = ASY__ALONE, .min = 1e-6, .max = 1e6, .fallback = "1",
      .help = "huber: error from which on the loss grows in a straight line, in standard "
              "deviations of the label" },
    { "quantile", ASY__NUMBER, .group = ASY__ALONE, .min = 0.001, .max = 0.999,
      .fallback = "0.5", .help = "quantile: which one is predicted; 0.5 is the median" },
    { "label_smoothing", ASY__NUMBER, .group = ASY__ALONE, .min = 0, .max = 0.99,
      .fallback = "0", .help = "classification: share of each row's target that all classes get "
                               "alike" },
    { "class_balance", ASY__NUMBER, .group = ASY__ALONE, .min = 0, .max = 1, .fallback = "0",
      .help = "classification: how far rare classes weigh more in training; 0: rows count alike, "
              "1: classes do" },

    { "class_weights", ASY__WEIGHTS, .group = ASY__ALONE, .min = 1e-6, .max = 1e6,
      .absent = "rows weigh alike",
      .help = "classification: what rows of each class weigh in training, by the classes' names (1 "
              "where one is not named), or all of them in a list, in the classes' order. Only "
              "ratios count; class_balance comes on top",
      .example = "run: {model: mlp, class_weights: {cat: 2, dog: 0.5}, length: {max: 20}}" },
    { "precision", ASY__WORD, .group = ASY__ALONE, .words = "fp32|bf16", .fallback = "fp32",
      .help = "of what dense layers multiply while training: bf16 rounds it to eight bits, several "
              "times as fast where the processor has AMX, slower elsewhere" },

    { "dense", ASY__INT, .group = "layer dense", .min = 1, .max = 65536,
      .help = "a fully connected layer of so many units; where a row is made of vectors (tokens, "
              "pixels), the same one for each" },
    { "act", ASY__WORD, .group = "layer dense", .words = "none|" ACTIVATIONS,
      .absent = "none",
      .help = "function after it" },
    { "act", ASY__WORD, .group = "layer act", .words = ACTIVATIONS,
      .help = "a function of each number; softmax: of each vector (a row's, a token's, a pixel's), "
              "whose numbers are then shares of 1" },
    { "dropout", ASY__NUMBER, .group = "layer dropout", .min = 0, .max = 0.99,
      .help = "share of numbers that are left out of a training step" },
    { "norm", ASY__WORD, .group = "layer norm", .words = "layer|batch",
      .help = "brought to mean 0 and variance 1, then scaled and shifted by learnt numbers: layer: "
              "each vector by itself; batch: each channel over the batch" },
    { "add", ASY__NAME, .group = "layer add",
      .help = "the sum of the layer before and the named one, which must have the same shape; "
              "features: what the data gives" },
    { "flatten", ASY__FLAG, .group = "layer flatten",
      .help = "a row's vectors as a single one; just flatten will do" },
    { "tokens", ASY__INT, .group = "layer tokens", .min = 1, .max = 65536,
      .help = "a row cut into so many vectors of equal length" },
    { "place", ASY__FLAG, .group = "layer place",
      .help = "plus learnt numbers for each place of a row; just place will do" },
    { "image", ASY__INT, .group = "layer image", .min = 1, .max = 65536,
      .help = "a row as an image of that height, channels innermost" },
    { "width", ASY__INT, .group = "layer image", .min = 1, .max = 65536,
      .absent = "as much as its height", .help = "the image's width" },
    { "channels", ASY__INT, .group = "layer image", .min = 1, .max = 65536,
      .absent = "what height and width leave", .help = "numbers of a pixel" },
    { "conv", ASY__INT, .group = "layer conv", .min = 1, .max = 65536,
      .help = "a convolution by so many kernels" },
    { "kernel", ASY__INT, .group = "layer conv", .min = 1, .max = 15, .absent = "3",
      .help = "pixels on a kernel's side" },
    { "stride", ASY__INT, .group = "layer conv", .min = 1, .max = 15, .absent = "1",
      .help = "pixels from one place of a kernel to the next" },
    { "pad", ASY__INT, .group = "layer conv", .min = 0, .max = 14, .absent = "0",
      .help = "pixels of zeros around the image" },
    { "groups", ASY__INT, .group = "layer conv", .min = 1, .max = 65536, .absent = "1",
      .help = "parts of the channels that do not see each other" },
    { "act", ASY__WORD, .group = "layer conv", .words = "none|" ACTIVATIONS,
      .absent = "none",
      .help = "function after it" },
    { "max_pool", ASY__INT, .group = "layer max_pool", .min = 1, .max = 15,
      .help = "the greatest of each window of so many pixels on a side" },
    { "stride", ASY__INT, .group = "layer max_pool", .min = 1, .max = 15,
      .absent = "the window's side", .help = "pixels from one window to the next" },
    { "pad", ASY__INT, .group = "layer max_pool", .min = 0, .max = 7, .absent = "0",
      .help = "pixels of border that belong to no image; at most half the window" },
    { "mean_pool", ASY__INT, .group = "layer mean_pool", .min = 1, .max = 15,
      .help = "the mean of each window" },
    { "stride", ASY__INT, .group = "layer mean_pool", .min = 1, .max = 15,
      .absent = "the window's side", .help = "pixels from one window to the next" },
    { "pad", ASY__INT, .group = "layer mean_pool", .min = 0, .max = 7, .absent = "0",
      .help = "pixels of border that belong to no image; at most half the window" },
    { "global_mean", ASY__FLAG, .group = "layer global_mean",
      .help = "the mean of each channel of an image; just global_mean will do" },
    { "global_max", ASY__FLAG, .group = "layer global_max",
      .help = "the greatest of each channel of an image; just global_max will do" },
    { "embed", ASY__INT, .group = "layer embed", .min = 1, .max = 65536,
      .help = "a learnt vector of so many numbers for each token of a row, plus one for its place; "
              "takes the features of rows that are sequences (data.sequence)" },
    { "attention", ASY__INT, .group = "layer attention", .min = 1, .max = 1024,
      .help = "multi-head attention between the vectors of a row, by so many heads; takes query, "
              "key and value side by side (a dense layer of three times the width) and gives a "
              "third of that" },
    { "dropout", ASY__NUMBER, .group = "layer attention", .min = 0, .max = 0.99, .absent = "0",
      .help = "share of its weights that are left out of a training step" },
    { "causal", ASY__FLAG, .group = "layer attention", .absent = "all vectors",
      .help = "each vector sees those before it and itself alone" },
    { "name", ASY__NAME, .group = "layer any", .absent = "none",
      .help = "by which later layers find its output" },
    { "from", ASY__NAME, .group = "layer any", .absent = "the layer before",
      .help = "the named layer whose output it takes; features: what the data gives" },

    { "lr", ASY__NUMBER, .group = "model gbdt", .min = 1e-6, .max = 1, .fallback = "0.3",
      .help = "learning rate: what of a tree's values counts" },
    { "max_depth", ASY__INT, .group = "model gbdt", .min = 1, .max = 12, .fallback = "6",
      .help = "splits on the way to a leaf" },
    { "min_child_weight", ASY__NUMBER, .group = "model gbdt", .min = 0, .max = 1e30,
      .fallback = "1", .help = "least sum of second derivatives of the loss in a child; of a "
                               "regression these are its rows" },
    { "l1", ASY__NUMBER, .group = "model gbdt", .min = 0, .max = 1e30, .fallback = "0",
      .help = "penalty on the size of a leaf's value" },
    { "l2", ASY__NUMBER, .group = "model gbdt", .min = 0, .max = 1e30, .fallback = "1",
      .help = "penalty on its square" },
    { "gamma", ASY__NUMBER, .group = "model gbdt", .min = 0, .max = 1e30, .fallback = "0",
      .help = "least gain of a split" },
    { "subsample", ASY__NUMBER, .group = "model gbdt", .min = 1e-6, .max = 1, .fallback = "1",
      .help = "share of the rows that each round draws for its trees" },
    { "colsample", ASY__NUMBER, .group = "model gbdt", .min = 1e-6, .max = 1, .fallback = "1",
      .help = "share of the features that each tree draws" },
    { "bins", ASY__INT, .group = "model gbdt", .min = 3, .max = 256, .fallback = "256",
      .help = "bins of each feature's values, with that of missing ones" },
    { "patience", ASY__INT, .group = "model gbdt", .min = 0, .max = 1000000, .fallback = "0",
      .unit = "epochs", .help = "end after so many without a better objective; 0: never" },

    { "train_loss", ASY__NUMBER, .group = "metric model",
      .help = "what is minimised, on the training part as it was learnt from" },
    { "train_accuracy", ASY__NUMBER, .group = "metric model",
      .help = "classification: share right" },
    { "train_perplexity", ASY__NUMBER, .group = "metric model",
      .help = "tokens: e to the loss" },
    { "train_mae", ASY__NUMBER, .group = "metric model",
      .help = "regression: mean absolute error" },
    { "train_rmse", ASY__NUMBER, .group = "metric model",
      .help = "regression: root of the mean squared error" },
    { "train_r2", ASY__NUMBER, .group = "metric model",
      .help = "regression: share explained" },
    { "val_loss", ASY__NUMBER, .group = "metric model",
      .help = "the same on the validation part, without smoothing and weights: of classes the log "
              "loss" },
    { "val_accuracy", ASY__NUMBER, .group = "metric model",
      .help = "classification: share right" },
    { "val_f1", ASY__NUMBER, .group = "metric model",
      .help = "classification: mean over the classes of their F1" },
    { "val_auc", ASY__NUMBER, .group = "metric model",
      .help = "classification: area under the curve, mean over the classes against the rest" },
    { "val_perplexity", ASY__NUMBER, .group = "metric model",
      .help = "classification: e to the log loss" },
    { "val_top2", ASY__NUMBER, .group = "metric model",
      .help = "classification: share whose class is among the 2 likeliest" },
    { "val_top3", ASY__NUMBER, .group = "metric model",
      .help = "classification: among the 3 likeliest" },
    { "val_top5", ASY__NUMBER, .group = "metric model",
      .help = "classification: among the 5 likeliest" },
    { "val_top10", ASY__NUMBER, .group = "metric model",
      .help = "classification: among the 10 likeliest" },
    { "val_mae", ASY__NUMBER, .group = "metric model",
      .help = "regression: mean absolute error" },
    { "val_rmse", ASY__NUMBER, .group = "metric model",
      .help = "regression: root of the mean squared error" },
    { "val_r2", ASY__NUMBER, .group = "metric model",
      .help = "regression: share explained" },
};
const size_t asy__n_rows = ASY_ARRAY_LEN(asy__rows);
_Static_assert(ASY_ARRAY_LEN(asy__rows) <= ASY__ROWS_MAX, "a parse has a value for each row");

const struct asy__row *asy__row_find(const char *path)
{
    for (size_t i = 0; i < asy__n_rows; i++)
        if (!asy__rows[i].group && !strcmp(asy__rows[i].path, path))
            return &asy__rows[i];
    return NULL;
}

int asy__row_is_of(const struct asy__row *row, const char *group)
{
    static const char models[] = "model ";
    const char *family = group + strlen(models);

    if (!row->group || !strcmp(row->group, group))
        return row->group != NULL;
    if (!strcmp(group, ASY__PLUGIN))
        return !strcmp(row->group, ASY__NETWORKS);
    if ((strcmp(row->group, ASY__NETWORKS) && strcmp(row->group, ASY__ALONE)) ||
        strncmp(group, models, strlen(models)))
        return 0;
    return asy__words_have(asy__row_find("run.model")->words, family) && strcmp(family, "gbdt");
}

const struct asy__row *asy__row_option(const char *group, const char *name)
{
    for (size_t i = 0; group && i < asy__n_rows; i++)
        if (asy__row_is_of(&asy__rows[i], group) && !strcmp(asy__rows[i].path, name))
            return &asy__rows[i];
    return NULL;
}

const char *asy__row_leaf(const struct asy__row *row)
{
    const char *dot = strrchr(row->path, '.');

    return dot ? dot + 1 : row->path;
}

const struct asy__row *asy__row_child(const char *section, size_t i)
{
    size_t len = strlen(section);

    for (size_t r = 0; r < asy__n_rows; r++) {
        const struct asy__row *row = &asy__rows[r];
        const char *rest = row->path;

        if (row->group)
            continue;
        if (len) {
            if (strncmp(row->path, section, len) != 0 || row->path[len] != '.')
                continue;
            rest += len + 1;
        }
        if (!strchr(rest, '.') && i-- == 0)
            return row;
    }
    return NULL;
}

const char *asy_study_option(const char *group, size_t i)
{
    for (size_t r = 0; r < asy__n_rows; r++)
        if (asy__row_is_of(&asy__rows[r], group) && i-- == 0)
            return asy__rows[r].path;
    return NULL;
}

const struct asy__row *asy__option(struct asy__parse *p, const char *group, const char *name)
{
    const struct asy__row *row = asy__row_option(group, name);

    for (size_t i = 0; !row && group && group == p->model_group && i < p->n_own; i++)
        if (!strcmp(p->own[i].row.path, name))
            row = &p->own[i].row;
    return row;
}

const char *asy__option_name(struct asy__parse *p, const char *group, size_t i)
{
    const char *name = asy_study_option(group, i);
    size_t n = 0;

    if (name || group != p->model_group)
        return name;
    while (asy_study_option(group, n))
        n++;
    return i - n < p->n_own ? p->own[i - n].row.path : NULL;
}

const char *asy__family(const struct asy__parse *p)
{
    return p->kind == ASY_RUN_PLUGIN ? "the plug-in" : p->model_group + strlen("model ");
}

size_t asy__words_index(const char *words, const char *word)
{
    size_t len = strlen(word);

    for (size_t i = 0; words; words = strchr(words, '|'), i++) {
        words += *words == '|';
        if (!strncmp(words, word, len) && (words[len] == '|' || !words[len]))
            return i;
    }
    return SIZE_MAX;
}

const char *asy_study_option_word(const char *group, const char *name, double value,
                                  size_t *ret_len)
{
    const struct asy__row *row = asy__row_option(group, name);
    const char *word = NULL;

    if (row && row->kind == ASY__FLAG) {
        word = value != 0 ? "yes" : "no";
    } else if (row && row->kind == ASY__WORD) {
        word = row->words;
        for (double i = 0; i < value && word; i++)
            word = strchr(word, '|') ? strchr(word, '|') + 1 : NULL;
    } else if (row && value == 0 && (word = strstr(row->help, "; 0: "))) {
        word += strlen("; 0: ");
    }
    *ret_len = word ? strcspn(word, "|.") : 0;
    return word;
}

int asy__words_have(const char *words, const char *word)
{
    return asy__words_index(words, word) != SIZE_MAX;
}

/* ---- what is allowed, in words -------------------------------------------------------------- */

static void number(char *text, size_t n, const struct asy__row *row, double value)
{
    char plain[32];

    if (row->kind == ASY__DURATION && value >= 86400000)
        snprintf(text, n, "%.0fd", value / 86400000);
    else if (row->kind == ASY__DURATION && value >= 1000)
        snprintf(text, n, "%.0fs", value / 1000);
    else if (row->kind == ASY__DURATION)
        snprintf(text, n, "%.0fms", value);
    else if (row->kind == ASY__SIZE)
        snprintf(text, n, value < 1073741824 ? "%.0fMiB" : "%.0fTiB",
                 value < 1073741824 ? value / 1048576 : value / 1099511627776.0);
    else if (row->kind == ASY__INT && value > 1e18)
        snprintf(text, n, "2^63 - 1");
    else if (row->kind == ASY__INT && value == 1e15)
        snprintf(text, n, "10^15");
    else if (row->kind == ASY__INT && value == 1e9)
        snprintf(text, n, "10^9");
    else if (row->kind == ASY__INT || row->kind == ASY__SHARE)
        snprintf(text, n, "%.0f", value);
    else
        snprintf(text, n, "%s", asy_format_f64(value, plain));
}

static const char *with_range(const struct asy__row *row, const char *what, char *text, size_t n)
{
    char lo[32], hi[32];

    number(lo, sizeof lo, row, row->min);
    number(hi, sizeof hi, row, row->max);
    if (row->min < row->max)
        snprintf(text, n, "%s from %s to %s", what, lo, hi);
    else if (row->flags & ASY__MORE_LATER || row->max > 0)
        snprintf(text, n, "%s", lo);
    else
        snprintf(text, n, "%s", what);
    return text;
}

static const char *one_of(const struct asy__row *row, char *text, size_t n)
{
    size_t len = 0;

    text[0] = 0;
    for (const char *w = row->words; w && len < n; w = strchr(w, '|')) {
        w += *w == '|';
        len += (size_t)snprintf(text + len, n - len, "%s%.*s", len ? ", " : "",
                                (int)strcspn(w, "|"), w);
    }
    return text;
}

const char *asy__row_allowed(const struct asy__row *row, char *text, size_t n)
{
    static const char *const plain[] = {
        [ASY__SECTION] = "a map",
        [ASY__FLAG] = "true or false",
        [ASY__STRING] = "a text",
        [ASY__NAME] = "1 to 64 of a-z, 0-9, '.', '_' and '-'",
        [ASY__PATH] = "a path",
        [ASY__PATHS] = "a list of paths",
        [ASY__STRINGS] = "a list of texts",
        [ASY__STRING_MAP] = "a map of names and texts",
        [ASY__COLUMN] = "a column's name or number (-1: the last)",
        [ASY__COLUMNS] = "a list of column names or numbers (-1: the last)",
        [ASY__AUTO_FLAG] = "auto, true or false",
        [ASY__OBJECTIVE] = "a map, or a list of maps",
        [ASY__CONSTRAINTS] = "a list of maps of metric and min, max or both",
        [ASY__LAYERS] = "a list of layers",
        [ASY__WEIGHTS] = "a map of classes and numbers, or a list of numbers",
        [ASY__FIXED] = "a map of hyperparameters and values",
        [ASY__PARAMETERS] = "a map of names to {min, max} or {values}",
        [ASY__POINTS] = "a list of maps of parameters and values",
        [ASY__TOLD] = "a file, or a list of {point, value}",
        [ASY__FROM] = "names of studies",
        [ASY__POINT] = "a map of parameters and values",
        [ASY__INPUTS] = "a list of files, made by the command line",
        [ASY__WORD] = NULL,
    };
    char whole[80];

    switch (row->kind) {
    case ASY__INT:
        return with_range(row, "a whole number", text, n);
    case ASY__SHARE:
        with_range(row, "a whole number", whole, sizeof whole);
        snprintf(text, n, "%s, or a part of one (as 0.5, in steps of 0.0001)", whole);
        return text;
    case ASY__NUMBER:
        return with_range(row, "a number", text, n);
    case ASY__DURATION:
        return with_range(row, "a duration (as 250ms, 30s, 10m, 2h, 1d)", text, n);
    case ASY__SIZE:
        return with_range(row, "a size (as 512MiB, 2GiB)", text, n);
    case ASY__WORD:
        return one_of(row, text, n);
    default:
        snprintf(text, n, "%s", plain[row->kind]);
        return text;
    }
}
