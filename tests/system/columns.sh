#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every line of C is at most 100 characters long, as .clang-format has it. Generated code is built
# outside the tree, but for tables of numbers that tests have.
set -euo pipefail
export LC_ALL=C.UTF-8
cd "$1"
found=$(find cli common coordinator kernels proto tests tuner worker \
             '(' -name '*.[ch]' -o -name '*.inc' -not -path 'tests/*' ')' -print0 |
        xargs -0 grep -nE '^.{101}' || true)
[[ -z $found ]] || { echo "longer than 100 characters:"; cut -c 1-160 <<<"$found"; exit 1; }
