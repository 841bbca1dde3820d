#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The area "slurm" of scripts/bench.sh: what the batch templates cost in a real Slurm of two nodes
# on this machine. Needs root.
#
#   slurm.sh setup                        nothing beyond the packages of the tests
#   slurm.sh run BIN FOLDER [--quick]     prints rows; FOLDER is empty and on a real disk
set -euo pipefail
here=$(dirname "$0")

case $1 in
setup) ;;
run)
    bin=$2 work=$3
    shift 3
    python3 "$here/slurm.py" "$bin" --dir "$work" "$@"
    ;;
esac
