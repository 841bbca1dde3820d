#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes truncnorm.inc: the normal distribution in logarithms, computed with 60 digits.

    python3 -m venv V && V/bin/pip install mpmath==1.4.1
    V/bin/python make_truncnorm.py > truncnorm.inc
"""
import sys

import mpmath as mp

mp.mp.dps = 60


def ndtr(x):
    return mp.erfc(-x / mp.sqrt(2)) / 2


def log_mass(a, b):
    if a > 0:
        a, b = -b, -a
    return mp.log(ndtr(b) - ndtr(a))


def out(*values):
    print("    { " + ", ".join(repr(float(v)) for v in values) + " },")


def quantile(q, a, b):
    """x in [a, b] by bisection on the mass, exact enough for a double."""
    a, b, q = mp.mpf(a), mp.mpf(b), mp.mpf(q)
    lo, hi = a, b
    right = a > 0
    total = ndtr(-a) - ndtr(-b) if right else ndtr(b) - ndtr(a)
    for _ in range(140):
        mid = (lo + hi) / 2
        part = ndtr(-a) - ndtr(-mid) if right else ndtr(mid) - ndtr(a)
        if part < q * total:
            lo = mid
        else:
            hi = mid
    return lo


XS = [-1e4, -300.5, -60, -38, -37.5, -30.001, -30, -29.999, -20, -12.25, -8, -5, -3, -1.5, -1, -0.7,
      -0.1, -1e-9, 0, 1e-9, 0.1, 0.5, 1, 2, 3.5, 5, 6, 8, 12, 30]
PAIRS = [(-1, 1), (-0.1, 0.1), (-0.001, 0.001), (-5, 5), (-9, 9), (-40, 40), (0, 1), (0, 1e-7),
         (-1e-9, 2e-9), (1, 1.0001), (3, 3.01), (3, 3.5), (-3.5, -3), (8, 8.01), (8, 9), (8, 40),
         (-40, -8), (20, 20.001), (20, 21), (35, 36), (-36, -35), (-80, -79.5), (100, 150),
         (-0.5, 100), (-100, 0.5), (0.3, 0.32), (-0.3, -0.28), (2.2, 2.27), (-1e-5, 50), (0, 0.2),
         (-2.5, 0.0625), (5, 5.000001), (30, 30.003), (37, 37.002), (-12, -11.999)]
YS = [-1e-300, -1e-20, -1e-9, -1e-3, -0.009, -0.011, -0.3, -0.69, -0.7, -1, -2, -2.99, -3.01, -5,
      -10, -50, -745, -1e4, -1e7]
QS = [1e-12, 1e-3, 0.1, 0.5, 0.77, 0.999, 1 - 2.0**-40]


def main():
    print("/* SPDX-License-Identifier: Apache-2.0")
    print(f" * Made by make_truncnorm.py with mpmath {mp.__version__}, "
          f"python {sys.version.split()[0]}. Do not edit. */")
    print("static const double log_ndtr_cases[][2] = {")
    for x in XS:
        x = mp.mpf(x)
        out(x, mp.log1p(-ndtr(-x)) if x > 0 else mp.log(ndtr(x)))
    print("};\nstatic const double log_mass_cases[][3] = {")
    for a, b in PAIRS:
        out(a, b, log_mass(mp.mpf(a), mp.mpf(b)))
    print("};\nstatic const double ndtri_exp_cases[][2] = {")
    for y in YS:
        y = mp.mpf(y)
        if y > -1e-6:
            x = mp.findroot(lambda v: mp.log(ndtr(-v)) - mp.log(-mp.expm1(y)),
                            mp.sqrt(-2 * mp.log(-y)))
        else:
            guess = -mp.sqrt(-2 * y) if y < -3 else mp.mpf(0.5)
            x = mp.findroot(lambda v: mp.log(ndtr(v)) - y, guess)
        out(y, x)
    print("};\nstatic const double ppf_cases[][4] = {")
    for a, b in [(-1, 1), (-40, 40), (0, 3), (2, 2.5), (-2.5, -2), (9, 50), (-50, -9), (-0.01, 0.02),
                 (-3, 100)]:
        for q in QS:
            out(q, a, b, quantile(q, a, b))
    print("};")


main()
