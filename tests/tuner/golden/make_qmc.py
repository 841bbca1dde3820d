#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes qmc.inc: points of Sobol and Halton sequences without scrambling, from SciPy. (Its
32 bits hold all of the first 2^32 points; with more, it cannot go to a point by its index.)

    python3 -m venv V && V/bin/pip install scipy==1.17.1
    V/bin/python make_qmc.py > qmc.inc
"""
import sys

import scipy
from scipy.stats import qmc

DIMS = 1111
SOBOL = [0, 1, 2, 3, 7, 100, 4095, 65537, 999999]
HALTON = [0, 1, 2, 5, 100, 4095, 65537]
AT = sorted(set(range(12)) | {31, 63, 100, 255, 480, 481, 777, 1000, 1023, 1109, 1110})


def rows(name, engine, indices):
    print(f"static const struct qmc_case {name}_cases[] = {{")
    position = 0
    for index in indices:
        if index > position:
            engine.fast_forward(index - position)
        point = engine.random(1)[0]
        position = index + 1
        for dim in AT:
            print(f"    {{ {index}, {dim}, {point[dim]!r} }},".replace("np.float64(", "")
                  .replace(") }", " }"))
    print("};")


def main():
    print("/* SPDX-License-Identifier: Apache-2.0")
    print(f" * Made by make_qmc.py with scipy {scipy.__version__}, "
          f"python {sys.version.split()[0]}. Do not edit. */")
    rows("sobol", qmc.Sobol(DIMS, scramble=False, bits=32), SOBOL)
    rows("halton", qmc.Halton(DIMS, scramble=False), HALTON)


main()
