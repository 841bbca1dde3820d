#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes data/wfg.inc: values of pymoo's WFG 1 to 9 and DTLZ2 at fixed points.

    python3 -m venv V && V/bin/pip install pymoo==0.6.2
    V/bin/python make_wfg.py > data/wfg.inc

Points are random ones, random ones with the distance parameters 1e-7 beside 0.35, where most of these
problems have their fronts (at 0.35 itself rounding would choose the side of a jump), and some with
parameters at the ends of the box.
"""
import sys

import numpy as np
import pymoo
from pymoo.problems import get_problem

DIMS, POSITION, POINTS = 10, 4, 12


def points(rng, dims, position):
    x = rng.random((POINTS, dims))
    x[4:8, position:] = 0.35 + 1e-7 * rng.choice([-1, 1], (4, dims - position))
    x[8:] = np.where(rng.random((4, dims)) < 0.3, rng.integers(0, 2, (4, dims)), x[8:])
    return x


def row(name, x, f):
    text = ", ".join(repr(float(v)) for v in x)
    return f'{{ "{name}", {{ {text} }},\n  {{ {", ".join(repr(float(v)) for v in f)} }} }},'


def main():
    rng = np.random.default_rng(20060911)
    print(f"/* SPDX-License-Identifier: Apache-2.0\n * Made by make_wfg.py with pymoo "
          f"{pymoo.__version__}, numpy {np.__version__},\n * python {sys.version.split()[0]}. "
          "Do not edit. */")
    for i in range(1, 10):
        problem = get_problem(f"wfg{i}", n_var=DIMS, n_obj=2, k=POSITION, l=DIMS - POSITION)
        x = points(rng, DIMS, POSITION)
        for at, f in zip(x, problem.evaluate(x * problem.xu)):
            print(row(f"wfg{i}", at, f))
    problem = get_problem("dtlz2", n_var=7, n_obj=3)
    x = points(rng, 7, 2)
    for at, f in zip(x, problem.evaluate(x)):
        print(row("dtlz2", at, f))


if __name__ == "__main__":
    main()
