#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The area "train" of scripts/bench.sh: how fast the native engine trains, beside its peers.
#
#   train.sh setup                        installs the peers
#   train.sh run BIN FOLDER [--quick]     prints rows
set -euo pipefail
here=$(dirname "$0")
source "$here/peers.sh"

case $1 in
setup)
    "$here/../../scripts/install-deps.sh" bench
    install_peers torch xgboost
    ;;
run)
    bin=$2 work=$3
    shift 3
    "$bin/bench_gemm" "$@"
    "$bin/bench_conv" "$@"
    python3 "$here/train_steps.py" "$bin" --dir "$work" "$@"
    python3 "$here/train_runs.py" "$bin" --dir "$work" "$@"
    python3 "$here/overlap.py" "$bin" "$@"
    [ "$(id -u)" != 0 ] || export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    mpirun --host localhost:2 -n 2 --bind-to core --mca pml ob1 --mca btl self,vader \
        "$bin/bench_reduce" "$@"
    python3 "$here/train.py" "$bin" --dir "$work" "$@"
    ;;
esac
