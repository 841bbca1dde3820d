#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes sobol_table.inc: the first direction numbers of Joe and Kuo's new-joe-kuo-6.21201 (search
criterion D(6)), as SciPy carries them.

    python3 -m venv V && V/bin/pip install scipy==1.17.1
    V/bin/python make_sobol_table.py > sobol_table.inc
"""
import os
import textwrap

import numpy
import scipy
import scipy.stats

DIMS = 1111  # all primitive polynomials of degree up to 13

NOTICE = """
The numbers are those of new-joe-kuo-6.21201, by S. Joe and F. Y. Kuo, "Constructing Sobol
sequences with better two-dimensional projections", SIAM J. Sci. Comput. 30, 2635-2654 (2008). Their
licence:

Copyright (c) 2008, Frances Y. Kuo and Stephen Joe. All rights reserved.

Redistribution and use in source and binary forms, with or without modification, are permitted
provided that the following conditions are met:

* Redistributions of source code must retain the above copyright notice, this list of conditions
  and the following disclaimer.

* Redistributions in binary form must reproduce the above copyright notice, this list of conditions
  and the following disclaimer in the documentation and/or other materials provided with the
  distribution.

* Neither the names of the copyright holders nor the names of the University of New South Wales and
  the University of Waikato and its contributors may be used to endorse or promote products derived
  from this software without specific prior written permission.

THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS ``AS IS'' AND ANY EXPRESS OR IMPLIED WARRANTIES,
INCLUDING, BUT NOT LIMITED TO, THE IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A
PARTICULAR PURPOSE ARE DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT HOLDERS BE LIABLE FOR ANY DIRECT,
INDIRECT, INCIDENTAL, SPECIAL, EXEMPLARY, OR CONSEQUENTIAL DAMAGES (INCLUDING, BUT NOT LIMITED TO,
PROCUREMENT OF SUBSTITUTE GOODS OR SERVICES; LOSS OF USE, DATA, OR PROFITS; OR BUSINESS
INTERRUPTION) HOWEVER CAUSED AND ON ANY THEORY OF LIABILITY, WHETHER IN CONTRACT, STRICT LIABILITY,
OR TORT (INCLUDING NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE OF THIS SOFTWARE, EVEN
IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE.
"""


def main():
    table = numpy.load(os.path.join(os.path.dirname(scipy.stats.__file__),
                                    "_sobol_direction_numbers.npz"))
    polynomials, initial = table["poly"], table["vinit"]
    print("/* SPDX-License-Identifier: BSD-3-Clause")
    print(f" * Made by make_sobol_table.py from SciPy {scipy.__version__}. Do not edit. "
          "Rows: degree, a, { m }.")
    for paragraph in NOTICE.strip("\n").split("\n\n"):
        print(" *")
        for line in textwrap.wrap(" ".join(paragraph.split()), 96):
            print(f" * {line}")
    print(" */")
    for dim in range(1, DIMS):
        polynomial = int(polynomials[dim])
        degree = polynomial.bit_length() - 1
        inner = (polynomial >> 1) & ((1 << (degree - 1)) - 1)
        numbers = ", ".join(str(int(m)) for m in initial[dim][:degree])
        print(f"{{ {degree}, {inner}, {{ {numbers} }} }},")


main()
