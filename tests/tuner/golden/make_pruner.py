#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes pruner.txt: what Optuna's pruners decide in random studies.

    python3 -m venv V && V/bin/pip install optuna==5.0.0 scipy==1.17.1
    V/bin/python make_pruner.py > pruner.txt

Each case is a pruner with options and a study whose trials report in turn, some far ahead of
others, NaN among their values, and end complete, pruned as the pruner says, or failed. Lines:

    case NAME minimize|maximize option=value...
    report TRIAL STEP VALUE VERDICT     1: Optuna would prune it
    ended TRIAL COMPLETE
    brackets REDUCTION MIN MAX budget...        what Hyperband gives each bracket

A trial's value, by which Wilcoxon's best one is found, is the mean of its reports, as Optuna's
guide has it. Successive halving has no NaN: Optuna leaves it out of its rung's count, we count it.
Values are short numbers, so that equal ones come up. Cases in which Optuna's answer
hangs on numpy having no number between infinities are without them.
"""
import math
import random
import statistics
import sys
import warnings

import optuna
from optuna.pruners import (HyperbandPruner, MedianPruner, PatientPruner, PercentilePruner,
                            SuccessiveHalvingPruner, ThresholdPruner, WilcoxonPruner)

CASES = 20  # of each pruner
TRIALS = 24
STEPS = 20

warnings.simplefilter("ignore")
optuna.logging.set_verbosity(optuna.logging.ERROR)


def common(rng):
    return {"startup_trials": rng.choice([0, 1, 3, 5]), "warmup_steps": rng.choice([0, 0, 3]),
            "interval": rng.choice([1, 1, 2, 5])}


def renamed(options):
    names = {"startup_trials": "n_startup_trials", "warmup_steps": "n_warmup_steps",
             "interval": "interval_steps", "min_trials": "n_min_trials"}
    return {names[k]: v for k, v in options.items() if k in names}


def median(rng):
    o = common(rng) | {"min_trials": rng.choice([1, 1, 4])}
    return o, MedianPruner(**renamed(o))


def percentile(rng):
    o = common(rng) | {"min_trials": rng.choice([1, 1, 4]),
                       "percentile": rng.choice([0, 10, 25, 33.3, 50, 75, 90, 100])}
    return o, PercentilePruner(o["percentile"], **renamed(o))


def threshold(rng):
    o = common(rng)
    del o["startup_trials"]
    bounds = rng.choice([("lower",), ("upper",), ("lower", "upper")])
    o |= {"lower": 2.5} if "lower" in bounds else {}
    o |= {"upper": 9.0} if "upper" in bounds else {}
    return o, ThresholdPruner(lower=o.get("lower"), upper=o.get("upper"), **renamed(o))


def patient(rng):
    name = rng.choice(["none", "median", "percentile", "threshold"])
    o, inner = {"median": median, "percentile": percentile, "threshold": threshold,
                "none": lambda rng: ({}, None)}[name](rng)
    o |= {"patience": rng.choice([0, 1, 3, 6]), "min_delta": rng.choice([0, 0, 0.5]),
          "inner": ["none", "median", "percentile", "threshold"].index(name)}
    return o, PatientPruner(inner, o["patience"], o["min_delta"])


def wilcoxon(rng):
    o = {"p_threshold": rng.choice([0.05, 0.1, 0.3]), "startup_steps": rng.choice([0, 2, 5])}
    return o, WilcoxonPruner(p_threshold=o["p_threshold"], n_startup_steps=o["startup_steps"])


def asha(rng):
    o = {"min": rng.choice([1, 2, 3]), "reduction": rng.choice([2, 3, 4])}
    return o, SuccessiveHalvingPruner(min_resource=o["min"], reduction_factor=o["reduction"])


def value(rng, name, trial, step):
    if name == "wilcoxon":
        if rng.random() < 0.002:
            return math.inf
        digits = rng.choice([0, 1, 3])
        return round(rng.gauss(5 + trial % 7 * 0.4 + 2 * math.sin(step), 1), digits)
    if rng.random() < 0.06 and name != "asha":
        return math.nan
    return round(rng.gauss(4 + trial % 9 * 0.6 + 4 / (1 + step), 1), rng.choice([0, 1, 2]))


def study(name, make, rng):
    options, pruner = make(rng)
    direction = rng.choice(["minimize", "maximize"])
    steps = rng.choice([12, 40, 70]) if name == "wilcoxon" else STEPS
    s = optuna.create_study(direction=direction, pruner=pruner,
                            sampler=optuna.samplers.RandomSampler(seed=1))
    print("case", name, direction, *(f"{k}={v}" for k, v in options.items()))
    running, made = {}, 0
    while running or made < TRIALS:
        if made < TRIALS and (len(running) < rng.choice([1, 3, 8])):
            running[made] = (s.ask(), [])
            made += 1
        number = rng.choice(list(running))
        trial, values = running[number]
        if len(values) and rng.random() < 0.02:
            s.tell(trial, state=optuna.trial.TrialState.FAIL)
            print("ended", number, 0)
            del running[number]
            continue
        step = (values[-1][0] + 1 if values else 1) + (rng.random() < 0.1)
        if step > steps:
            mean = statistics.fmean(v for _, v in values)
            if math.isnan(mean):
                mean = 1e3  # is not looked at but by Wilcoxon, which has no NaN here
            s.tell(trial, mean)
            print("ended", number, 1)
            del running[number]
            continue
        v = value(rng, name, number, step)
        trial.report(v, step)
        values.append((step, v))
        prune = trial.should_prune()
        print("report", number, step, repr(float(v)), int(prune))
        if prune:
            s.tell(trial, state=optuna.trial.TrialState.PRUNED)
            print("ended", number, 0)
            del running[number]


def brackets():
    for reduction in (2, 3, 4):
        for least, most in ((1, 9), (1, 10), (1, 100), (2, 30), (5, 40), (7, 7), (1, 1000)):
            pruner = HyperbandPruner(least, most, reduction)
            pruner._try_initialization(None)
            print("brackets", reduction, least, most, *pruner._trial_allocation_budgets)


def main():
    print("# Optuna", optuna.__version__)
    for make in (median, percentile, threshold, patient, wilcoxon, asha):
        for seed in range(CASES):
            study(make.__name__, make, random.Random(f"{make.__name__} {seed}"))
    brackets()
    return 0


if __name__ == "__main__":
    sys.exit(main())
