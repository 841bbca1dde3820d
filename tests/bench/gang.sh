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
    [ "$(id -u)" != 0 ] || export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    bin=$2 work=$3
    shift 3
    python3 "$here/gang.py" "$bin" --dir "$work" "$@"
    mpirun --host localhost:2 -n 2 --bind-to core --mca pml ob1 --mca btl self,vader \
        "$bin/bench_reduce" "$@"
    python3 "$here/slurm.py" "$bin" --dir "$work/slurm" "$@"
    "$bin/bench_bulk" --programs "$bin" --dir "$work/bulk" "$@"
    ;;
esac
