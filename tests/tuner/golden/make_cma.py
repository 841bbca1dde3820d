#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes cma.inc: steps of CMA-ES, and how many evaluations it needs, from the package cmaes.

    python3 -m venv V && V/bin/pip install cmaes==0.13.1
    V/bin/python make_cma.py > cma.inc
"""
import statistics
import sys
from importlib.metadata import version

import numpy
from cmaes import CMA

GENERATIONS = 6


def tilted(x):
    """A tilted ellipsoid with its optimum off the centre."""
    return sum((4.0 ** i) * (x[i] + 0.3 * x[i - 1] - 1) ** 2 for i in range(len(x)))


def numbers(values):
    return ", ".join(repr(float(v)) for v in values)


def case(dims, seed, adapt):
    cma = CMA(mean=numpy.full(dims, 0.25), sigma=0.8, seed=seed, lr_adapt=adapt)
    points, states = [], []
    for _ in range(GENERATIONS):
        batch = [cma.ask() for _ in range(cma.population_size)]
        batch.sort(key=tilted)
        cma.tell([(x, tilted(x)) for x in batch])
        points += [v for x in batch for v in x]
        states += [*cma._mean, cma._sigma, *cma._C.reshape(-1)]
    name = f"step_{dims}_{seed}"
    print(f"static const double {name}_points[] = {{ {numbers(points)} }};")
    print(f"static const double {name}_states[] = {{ {numbers(states)} }};")
    return f"    {{ {dims}, {cma.population_size}, {int(adapt)}, {name}_points, {name}_states }},"


def sphere(x):
    return float(numpy.sum(x ** 2))


def ellipsoid(x):
    return float(numpy.sum(1e6 ** (numpy.arange(len(x)) / (len(x) - 1)) * x ** 2))


def rosenbrock(x):
    z = x + 1
    return float(numpy.sum(100 * (z[1:] - z[:-1] ** 2) ** 2 + (1 - z[:-1]) ** 2))


def evaluations(function, dims, seed):
    """Until 1e-8, on [-5, 5] around an optimum in the inner part, from the centre, sigma 10 / 6."""
    shift = numpy.random.RandomState(seed).uniform(-2, 2, dims)
    bounds = numpy.array([[-5.0, 5.0]] * dims)
    cma = CMA(mean=numpy.zeros(dims), sigma=10 / 6, bounds=bounds, seed=seed)
    done = 0
    while done < 30000:
        batch = []
        for _ in range(cma.population_size):
            x = cma.ask()
            value = function(x - shift)
            done += 1
            if value <= 1e-8:
                return done
            batch.append((x, value))
        cma.tell(batch)
    return done


def main():
    print("/* SPDX-License-Identifier: Apache-2.0")
    print(f" * Made by make_cma.py with cmaes {version('cmaes')}, numpy {numpy.__version__}, "
          f"python {sys.version.split()[0]}. Do not edit.")
    print(" * step: a row of points for each batch, the best first; then mean, sigma and C. */")
    rows = [case(2, 1, False), case(5, 2, False), case(10, 3, False), case(4, 4, True)]
    print("static const struct step_case step_cases[] = {")
    print("\n".join(rows))
    print("};\n/* Median evaluations of 15 runs. */")
    print("static const struct effort_case effort_cases[] = {")
    for function in (sphere, ellipsoid, rosenbrock):
        for dims in (5, 10):
            median = statistics.median(evaluations(function, dims, seed) for seed in range(15))
            print(f'    {{ "{function.__name__}", {dims}, {median:.0f} }},')
    print("};")


main()
