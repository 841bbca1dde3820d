#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The area "gpus" of scripts/bench.sh: trials of a small model that share a GPU. Needs an NVIDIA GPU
# and PyTorch for the python3 on the path; without them the rows say so.
#
#   gpus.sh setup                        nothing: drivers and PyTorch are the machine's
#   gpus.sh run BIN FOLDER [--quick]     prints rows; FOLDER is empty and on a real disk
set -euo pipefail
here=$(dirname "$0")

case $1 in
setup) ;;
run)
    bin=$2 work=$3
    shift 3
    python3 "$here/gpus.py" "$bin" --dir "$work" "$@"
    ;;
esac
