#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The area "train" of scripts/bench.sh: how fast the native engine trains, beside its peers.
#
#   train.sh setup                        installs the peers
#   train.sh run BIN FOLDER [--quick]     prints rows
set -euo pipefail
here=$(dirname "$0")

case $1 in
setup) "$here/../../scripts/install-deps.sh" bench ;;
run)
    bin=$2 work=$3
    shift 3
    "$bin/bench_gemm" "$@"
    "$bin/bench_conv" "$@"
    python3 "$here/train_steps.py" "$bin" --dir "$work" "$@"
    python3 "$here/train_runs.py" "$bin" --dir "$work" "$@"
    python3 "$here/overlap.py" "$bin" "$@"
    python3 "$here/train.py" "$bin" --dir "$work" "$@"
    ;;
esac
