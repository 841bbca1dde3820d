#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The area "tuner" of scripts/bench.sh: how fast the samplers are and how close they come, beside
# their peers.
#
#   tuner.sh setup                       makes a virtual environment with the peers below build/
#   tuner.sh run BIN FOLDER [--quick] [--peers] [--tables DIR]    prints rows
set -euo pipefail
here=$(dirname "$0")
source "$here/peers.sh"
# What is measured against.
peers=(optuna==5.0.0 cmaes==0.13.1 rustuna torch syne-tune==0.16.0 pymoo==0.6.2 smac==2.4.1)

case $1 in
setup) install_peers "${peers[@]}" ;;
run)
    bin=$2 work=$3
    shift 3
    python3 "$here/tuner.py" "$bin" --dir "$work" --python "$venv/bin/python" "$@"
    ;;
esac
