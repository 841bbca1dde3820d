#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The area "bulk" of scripts/bench.sh: files on their way, and what they cost the control loop.
#
#   bulk.sh setup                        nothing beyond a build is needed
#   bulk.sh run BIN FOLDER [--quick]     prints rows; FOLDER is empty and on a real disk
set -euo pipefail

case $1 in
setup) ;;
run)
    bin=$2 work=$3
    shift 3
    "$bin/bench_bulk" --programs "$bin" --dir "$work" "$@"
    "$bin/bench_start" --programs "$bin" --dir "$work" "$@"
    ;;
esac
