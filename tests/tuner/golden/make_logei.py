#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes logei.inc: log(phi(z) + z Phi(z)) and its derivative, computed with 50 digits and more.

    python3 -m venv V && V/bin/pip install mpmath==1.4.1
    V/bin/python make_logei.py > logei.inc
"""
import mpmath as mp

mp.mp.dps = 50


def pair(z):
    with mp.workdps(80):  # phi and z Phi cancel all but 1/z^2
        z = mp.mpf(z)
        below = mp.erfc(-z / mp.sqrt(2)) / 2
        h = mp.npdf(z) + z * below
        return mp.log(h), below / h


points = [i / 4 for i in range(-120, 41)]
points += [-2.5 - 2.0**-k for k in range(1, 50, 6)] + [-2.5 + 2.0**-k for k in range(1, 50, 6)]
points += [-(10.0**k) for k in range(2, 12)] + [-3.7e3, -1e-9, 1e-9, 30.0, 37.5]
print(f"/* Made by make_logei.py with mpmath {mp.__version__}: z, value, derivative. */")
for z in points:
    value, slope = pair(z)
    print(f"    {{ {z!r}, {float(value)!r}, {float(slope)!r} }},")
