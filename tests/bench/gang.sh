#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The area "gang" of scripts/bench.sh: what gangs, pinning, a coordinator's return, jobs of Slurm and
# files on their way cost.
#
#   gang.sh setup                        nothing beyond a build is needed
#   gang.sh run BIN FOLDER [--quick]     prints rows; FOLDER is empty and on a real disk
set -euo pipefail
here=$(dirname "$0")

case $1 in
setup) ;;
run)
    bin=$2 work=$3
    shift 3
    python3 "$here/gang.py" "$bin" --dir "$work" "$@"
    python3 "$here/slurm.py" "$bin" --dir "$work/slurm" "$@"
    "$bin/bench_bulk" --programs "$bin" --dir "$work/bulk" "$@"
    ;;
esac
