#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# bench.sh - builds a release and measures one area of it.
#
#   scripts/bench.sh AREA            one JSON object per line on stdout, a table on stderr
#   scripts/bench.sh AREA --quick    fewer repetitions, smaller sizes: under 5 minutes
#   scripts/bench.sh AREA --setup    installs what the area needs and builds; measures nothing
#   scripts/bench.sh AREA --dir DIR  puts its files below DIR, on a real disk (default: build)
#   scripts/bench.sh tuner --peers   makes the peers' regrets anew (hours); prints no rows
#
# Areas are tests/bench/AREA.sh; docs/benchmarks.md says what each row means.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
    sed -n '2,11s/^# \{0,1\}//p' scripts/bench.sh
    echo "areas: $(cd tests/bench && echo *.sh | sed 's/\.sh//g')"
}
fail() {
    echo "bench.sh: $*" >&2
    exit "${2:-1}"
}

area='' setup=no mode=() dir=build rows=(python3 tests/bench/rows.py)
while [ $# -gt 0 ]; do
    case $1 in
    --setup) setup=yes ;;
    --quick) mode=(--quick) ;;
    --peers) mode=(--peers) rows=(cat) ;;
    --dir) dir=${2:?bench.sh: --dir needs a folder} && shift ;;
    -h | --help) usage && exit 0 ;;
    -*) usage >&2 && exit 2 ;;
    *) [ -z "$area" ] || { usage >&2; exit 2; } && area=$1 ;;
    esac
    shift
done
script=tests/bench/$area.sh
[ -n "$area" ] && [ -f "$script" ] || { usage >&2; exit 2; }

# Thread counts and homes of whoever calls must not leak into what is measured.
for name in $(compgen -e); do
    case $name in OPENBLAS_* | OMP_* | MKL_* | ASSAY_* | ASY_*) unset "$name" ;; esac
done

mkdir -p build "$dir"
log=build/bench-build.log
if [ $setup = yes ]; then
    ./scripts/install-deps.sh build test >&2
    bash "$script" setup >&2
fi
{ cmake --preset release -DBUILD_TESTING=ON && cmake --build --preset release; } >"$log" 2>&1 ||
    { cat "$log" >&2; fail "the build failed"; }
[ $setup = no ] || exit 0

fs=$(stat -f -c %T "$dir")
case $fs in tmpfs | ramfs) fail "'$dir' is in memory ($fs); choose a disk with --dir" ;; esac
work=$(mktemp -d "$(realpath "$dir")/bench.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
bash "$script" run build/release/bin "$work" "${mode[@]}" | "${rows[@]}"
