#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes importance.txt: PED-ANOVA importances by Optuna for random studies.

    python3 -m venv V && V/bin/pip install optuna==5.0.0
    V/bin/python make_importance.py > importance.txt

Each case is a random space (float, log, step, int, log int, categorical; conditional), one to three
objectives, and complete trials, some with equal values. Lines:

    case NAME min,max...          param KIND lo hi step log choices [parent value,value]
    trial value,... x...          importance v... (one for each parameter)

'-' stands for what is inactive. Values are short numbers, so that the file stays small.
"""
import math
import random
import sys
import warnings

import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.importance import PedAnovaImportanceEvaluator

CASES = 150

warnings.simplefilter("ignore")
optuna.logging.set_verbosity(optuna.logging.ERROR)


def short(v, digits=5):
    return float(f"{v:.{digits}g}")


def parameter(rng):
    kind = rng.choice(["float", "log", "step", "int", "wide", "logint", "choice", "choice"])
    if kind == "float":
        return FloatDistribution(-2.0, short(rng.uniform(-1, 9)))
    if kind == "log":
        return FloatDistribution(1e-4, short(rng.uniform(1e-3, 10)), log=True)
    if kind == "step":
        return FloatDistribution(0.0, 0.25 * rng.randint(1, 90), step=0.25)
    if kind == "int":
        return IntDistribution(-3, rng.randint(-3, 30))
    if kind == "wide":
        return IntDistribution(0, rng.randint(60, 500), step=rng.randint(1, 2))
    if kind == "logint":
        return IntDistribution(1, rng.randint(1, 1000), log=True)
    return CategoricalDistribution(list(range(rng.randint(1, 7))))


def draw(rng, dist):
    if isinstance(dist, CategoricalDistribution):
        return rng.choice(dist.choices)
    if dist.log:
        v = math.exp(rng.uniform(math.log(dist.low), math.log(dist.high)))
    else:
        v = rng.uniform(dist.low, dist.high)
    if isinstance(dist, IntDistribution):
        return min(max(dist.low + round((v - dist.low) / dist.step) * dist.step, dist.low), dist.high)
    if dist.step:
        return dist.low + round((v - dist.low) / dist.step) * dist.step
    return min(max(short(v), dist.low), dist.high)


def text(v):
    return "-" if v is None else repr(v)


def put_param(dist, when):
    line = ["param", "choice" if isinstance(dist, CategoricalDistribution) else
            "int" if isinstance(dist, IntDistribution) else "float"]
    if isinstance(dist, CategoricalDistribution):
        line += ["0", "0", "0", "0", str(len(dist.choices))]
    else:
        line += [text(dist.low), text(dist.high), text(dist.step or 0), str(int(dist.log)), "0"]
    if when:
        line += [str(when[0]), ",".join(map(str, when[1]))]
    print(*line)


def case(rng, number):
    d, goals = rng.randint(1, 5), rng.choice([1, 1, 1, 2, 3])
    dists, whens = [parameter(rng) for _ in range(d)], [None] * d
    for i in range(1, d):
        parent = rng.randrange(i)
        if isinstance(dists[parent], CategoricalDistribution) and len(dists[parent].choices) > 1:
            values = list(dists[parent].choices)
            whens[i] = (parent, sorted(rng.sample(values, rng.randint(1, len(values) - 1))))
    directions = [rng.choice(["minimize", "maximize"]) for _ in range(goals)]
    study = optuna.create_study(directions=directions)
    print("case", number, ",".join(g[:3] for g in directions))
    for dist, when in zip(dists, whens):
        put_param(dist, when)
    weights = [[rng.gauss(0, 1) for _ in range(d)] for _ in range(goals)]
    digits = rng.choice([1, 2, 5])  # 1 makes many equal values
    for _ in range(rng.choice([1, 2, 7, 15, 30, 60, 100])):
        x = []
        for dist, when in zip(dists, whens):
            active = when is None or x[when[0]] in when[1]
            x.append(draw(rng, dist) if active else None)
        values = [short(sum(w * (0.3 if v is None else math.sin(v)) for w, v in zip(ws, x)) +
                        rng.gauss(0, 0.1), digits) for ws in weights]
        names = [f"p{i}" for i in range(d) if x[i] is not None]
        study.add_trial(optuna.trial.create_trial(
            values=values, params={n: x[int(n[1:])] for n in names},
            distributions={n: dists[int(n[1:])] for n in names}))
        print("trial", ",".join(map(text, values)), *map(text, x))
    got = PedAnovaImportanceEvaluator().evaluate(study)
    print("importance", *(repr(float(got.get(f"p{i}", 0.0))) for i in range(d)))


def main():
    rng = random.Random(5)
    print(f"# optuna {optuna.__version__}, numpy {np.__version__}; made by make_importance.py")
    for number in range(CASES):
        case(rng, number)


if __name__ == "__main__":
    sys.exit(main())
