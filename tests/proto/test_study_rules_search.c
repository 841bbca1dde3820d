/* SPDX-License-Identifier: Apache-2.0
 * Study files: mistakes of search and budget, with their places. */
#include "studykit.h"

static void mistakes_in_samplers_and_pruners_are_named(void)
{
    static const struct bad_case cases[] = {
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
    };

    check_bad(cases, ASY_ARRAY_LEN(cases));
}

static void mistakes_in_populations_are_named(void)
{
    static const struct bad_case cases[] = {
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
    };

    check_bad(cases, ASY_ARRAY_LEN(cases));
}

static void mistakes_in_points_and_budgets_are_named(void)
{
    static const struct bad_case cases[] = {
        { "enqueue unknown", MODEL "search: {enqueue: [{xx: 1}]}\n",
          "s.yaml:8:20: search.enqueue[0]: " },
        { "enqueue range", MODEL "search: {enqueue: [{lr: 7}]}\n",
          "search.enqueue[0]: parameter 'lr'" },
        { "enqueue type", MODEL "search: {enqueue: 7}\n", "search.enqueue: must be a list" },
        { "no budget", MODEL_HEAD OBJECTIVE PARAMS, "budget: needs trials or time" },
        { "budget time", MODEL_HEAD OBJECTIVE PARAMS "budget: {time: -3s}\n",
          "budget.time: must be a duration" },
        { "no regret", MODEL_HEAD OBJECTIVE PARAMS "budget: {trials: 9, regret: 0}\n",
          "budget.regret: must be" },
        { "regret alone", MODEL_HEAD OBJECTIVE PARAMS "budget: {regret: 1}\n",
          "needs trials or time" },
        { "patience alone", MODEL_HEAD OBJECTIVE PARAMS "budget: {patience: 3}\n",
          "needs trials or time" },
    };

    check_bad(cases, ASY_ARRAY_LEN(cases));
}

T_MAIN("study rules of search", T_TEST(mistakes_in_samplers_and_pruners_are_named),
       T_TEST(mistakes_in_populations_are_named), T_TEST(mistakes_in_points_and_budgets_are_named))
