#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The area "service" of scripts/bench.sh: what the coordinator costs, first with simulated workers,
# then with real ones.
#
#   service.sh setup                        nothing beyond a build is needed
#   service.sh run BIN FOLDER [--quick]     prints rows; FOLDER is empty and on a real disk
set -euo pipefail
here=$(dirname "$0")

case $1 in
setup) ;;
run)
    bin=$2 work=$3
    shift 3
    "$bin/bench_service" --programs "$bin" --dir "$work/simulated" "$@"
    python3 "$here/sweeps.py" "$bin" --dir "$work/real" "$@"
    ;;
esac
