#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes parzen.inc: log densities of Optuna's Parzen estimator for fixed observations.

    python3 -m venv V && V/bin/pip install optuna==5.0.0 && V/bin/python make_parzen.py > parzen.inc

Among equal observations we let the older trial come first; numpy's default sort leaves that open,
so argsort is made stable here. Nothing else of Optuna is touched.
"""
import math
import sys

import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers._tpe import parzen_estimator as pe
from optuna.samplers._tpe.sampler import default_weights

argsort = np.argsort
np.argsort = lambda a, axis=-1, kind=None: argsort(a, axis=axis, kind="stable")

PARAMETERS = pe._ParzenEstimatorParameters(
    prior_weight=1.0,
    consider_magic_clip=True,
    consider_endpoints=False,
    weights=default_weights,
    multivariate=True,
)
KINDS = {  # name -> distribution, C initialiser
    "unit": FloatDistribution(0.0, 1.0),
    "wide": FloatDistribution(-250.0, 1e4),
    "lr": FloatDistribution(1e-6, 1.0, log=True),
    "tenths": FloatDistribution(0.0, 2.0, step=0.1),
    "layers": IntDistribution(1, 8),
    "units": IntDistribution(16, 1024),
    "even": IntDistribution(-10, 90, step=2),
    "batch": IntDistribution(1, 512, log=True),
    "steps": IntDistribution(10, 20000, log=True),
    "coin": CategoricalDistribution([0, 1]),
    "four": CategoricalDistribution([0, 1, 2, 3]),
}
SPACES = [[k] for k in KINDS] + [
    ["unit", "lr"],
    ["unit", "four", "layers"],
    ["lr", "batch", "coin"],
    ["wide", "tenths", "units", "even", "steps", "four"],
    list(KINDS),
]


def draw(rng, dist, n, tight):
    """n values; tight ones crowd around a few points, as late in a search."""
    u = rng.random(n)
    if tight:
        u = np.clip(rng.choice([0.0, 0.2, 0.21, 0.9, 1.0], n) + rng.normal(0, 0.01, n), 0, 1)
    if isinstance(dist, CategoricalDistribution):
        return np.minimum((u * len(dist.choices)).astype(int), len(dist.choices) - 1).astype(float)
    if dist.log:
        v = np.exp(np.log(dist.low) + u * (np.log(dist.high) - np.log(dist.low)))
    else:
        v = dist.low + u * (dist.high - dist.low)
    if dist.step is not None:
        v = dist.low + np.round((v - dist.low) / dist.step) * dist.step
    return np.clip(v, dist.low, dist.high)


def numbers(name, array):
    print(f"    .{name} = (const double[]){{")
    for row in np.atleast_2d(array):
        print("        " + ", ".join(repr(float(v)) for v in row) + ",")
    print("    },")


def case(rng, space, n, tight, n_candidates):
    dists = {k: KINDS[k] for k in space}
    obs = {k: draw(rng, d, n, tight) for k, d in dists.items()}
    cand = {k: draw(rng, d, n_candidates, tight and i % 2) for i, (k, d) in enumerate(dists.items())}
    for k, d in dists.items():  # the ends of the domain
        if not isinstance(d, CategoricalDistribution):
            cand[k][0], cand[k][1] = d.low, d.high
    log_pdf = pe._ParzenEstimator(obs, dists, PARAMETERS).log_pdf(cand)
    assert all(math.isfinite(v) for v in log_pdf)
    print("{")
    print("    .dims = \"" + " ".join(space) + f"\", .n = {n}, .n_candidates = {n_candidates},")
    numbers("x", np.array([obs[k] for k in space]).T if n else np.zeros((1, len(space))))
    numbers("candidates", np.array([cand[k] for k in space]).T)
    numbers("log_pdf", log_pdf)
    print("},")


def main():
    rng = np.random.default_rng(20260821)
    print("/* SPDX-License-Identifier: Apache-2.0")
    print(f" * Made by make_parzen.py with optuna {optuna.__version__}, numpy {np.__version__},")
    print(f" * python {sys.version.split()[0]}. Do not edit. */")
    for i, space in enumerate(SPACES):
        big = len(space) > 6
        for n, tight in ((0, False), (1, False), (7, False), (26, True), (40 if big else 60, True)):
            if n == 0 and i % 4:
                continue
            case(rng, space, n, tight, 4)
    for space in (["unit"], ["batch"], ["lr", "layers"]):
        case(rng, space, 130, True, 4)


main()
