#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes pareto.inc: ranks, volumes, subsets of Optuna and crowding of pymoo for fixed points.

    python3 -m venv V && V/bin/pip install optuna==5.0.0 pymoo==0.6.2 scipy
    V/bin/python make_pareto.py > pareto.inc

Optuna: ranks with and without constraints, hypervolume, greedy subset (HSSP), the trials that its
multi-objective TPE takes as good ones. pymoo: ranks once more (the script asserts that both agree),
crowding distance, which it divides by the number of objectives and gives equal points but once; so
cases with equal points have none here.
"""
import sys

import numpy as np
import optuna
import pymoo
from optuna._hypervolume import compute_hypervolume
from optuna._hypervolume.hssp import _solve_hssp
from optuna.samplers._tpe.sampler import _get_reference_point, _split_complete_trials_multi_objective
from optuna.study._multi_objective import _fast_non_domination_rank
from pymoo.operators.survival.rank_and_crowding.metrics import calc_crowding_distance
from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting


def points(rng, kind, n, m):
    if kind == "random":
        return rng.random((n, m))
    if kind == "ties":  # many equal values, some equal points
        return rng.integers(0, 4, (n, m)).astype(float)
    if kind == "signs":
        return rng.normal(0, 100, (n, m))
    x = np.abs(rng.normal(size=(n, m)))  # a single front: a part of a sphere
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def doubles(name, values):
    print(f"    .{name} = (const double[]){{")
    for row in np.atleast_2d(values):
        print("        " + ", ".join(repr(float(v)) for v in row) + ",")
    print("    },")


def indices(name, values):
    print(f"    .{name} = (const uint32_t[]){{ " + ", ".join(str(int(v)) for v in values) + " },")


def best_of(values, k):
    study = optuna.create_study(directions=["minimize"] * values.shape[1])
    study.add_trials([optuna.trial.create_trial(values=list(v)) for v in values])
    trials = study.get_trials(deepcopy=False)
    below, _ = _split_complete_trials_multi_objective(trials, study, k)
    return sorted(t.number for t in below)


def case(rng, kind, n, m):
    values = points(rng, kind, n, m)
    violations = np.maximum(0, rng.integers(-4, 4, n)).astype(float)
    ranks = _fast_non_domination_rank(values)
    fronts = NonDominatedSorting().do(values)
    for r, front in enumerate(fronts):
        assert all(ranks[front] == r)
    ref = _get_reference_point(values)
    k, best = max(1, n // 3), max(1, n // 4)
    print("{")
    print(f"    .kind = \"{kind}\", .n = {n}, .m = {m}, .k = {k}, .n_best = {best},")
    print(f"    .volume = {float(compute_hypervolume(values, ref))!r},")
    doubles("values", values)
    doubles("violations", violations)
    doubles("ref", ref)
    indices("ranks", ranks)
    indices("constrained", _fast_non_domination_rank(values, penalty=violations))
    indices("subset", sorted(_solve_hssp(values[ranks == 0], np.flatnonzero(ranks == 0),
                                         min(k, int(sum(ranks == 0))), ref)))
    indices("best", best_of(values, best))
    if len(np.unique(values, axis=0)) == n and kind != "ties":
        doubles("crowding", np.where(np.isinf(c := calc_crowding_distance(values)), 1e300, c * m))
    print("},")


def main():
    rng = np.random.default_rng(20261126)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    print("/* SPDX-License-Identifier: Apache-2.0")
    print(f" * Made by make_pareto.py with optuna {optuna.__version__}, pymoo {pymoo.__version__},")
    print(f" * numpy {np.__version__}, python {sys.version.split()[0]}. Do not edit. */")
    for m, sizes in ((1, (5,)), (2, (3, 12, 40)), (3, (4, 24)), (4, (5, 18)), (5, (14,))):
        for n in sizes:
            for kind in ("random", "ties", "signs", "sphere"):
                if m > 1 or kind != "sphere":
                    case(rng, kind, n, m)


main()
