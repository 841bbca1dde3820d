#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what a build needs, builds Assay, runs the first sweep. Arguments go to `assay run`.
#
#   ./scripts/quickstart.sh             the study examples/digits-mlp.yaml
#   ./scripts/quickstart.sh --cores 2   the same on two cores
set -euo pipefail
cd "$(dirname "$0")/.."

case "${1:-}" in
-h | --help)
    sed -n '3,6s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
esac

mkdir -p build
log=build/quickstart.log

stage() { # what it is, command
    echo "== $1"
    shift
    "$@" >"$log" 2>&1 || {
        local status=$?
        cat "$log" >&2
        echo "quickstart.sh: '$*' failed with status $status" >&2
        exit "$status"
    }
}

stage "dependencies" ./scripts/install-deps.sh build
stage "configure" cmake --preset release -DBUILD_TESTING=OFF
stage "build" cmake --build --preset release
rm -f "$log"
echo "== run"
exec ./build/release/bin/assay run examples/digits-mlp.yaml "$@"
