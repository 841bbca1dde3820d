#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what the tests need, builds and runs every test; the last lines are ctest's summary.
#
#   scripts/test.sh          gcc release, clang with ASan and UBSan, TSan on the threaded tests, fuzzers
#   scripts/test.sh --quick  gcc release only
#   scripts/test.sh --all    everything above and the slow tests
set -euo pipefail
cd "$(dirname "$0")/.."

mode=default
for arg in "$@"; do
    case "$arg" in
    --quick) mode=quick ;;
    --all) mode=all ;;
    -h | --help) sed -n '3,8s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "test.sh: unknown option '$arg'; see --help" >&2; exit 2 ;;
    esac
done

./scripts/install-deps.sh build test
unset OPENBLAS_NUM_THREADS OMP_NUM_THREADS ASSAY_HOME
export UBSAN_OPTIONS=print_stacktrace=1
export TSAN_OPTIONS="suppressions=$PWD/tests/tsan.supp"
jobs=$(nproc)
slow=(-LE slow)
[ "$mode" = all ] && slow=()

build() { # preset, targets
    local preset=$1
    shift
    echo "== build $preset"
    cmake --preset "$preset" -DASY_WERROR=ON -DBUILD_TESTING=ON >"build-$preset.log" 2>&1 ||
        { cat "build-$preset.log"; rm -f "build-$preset.log"; return 1; }
    rm -f "build-$preset.log"
    cmake --build --preset "$preset" -j "$jobs" --target "${@:-all}" -- --quiet
}
check() { # preset, ctest options
    local preset=$1
    shift
    echo "== test $preset"
    ctest --test-dir "build/$preset" --output-on-failure -j "$jobs" --no-tests=error "$@"
}

if [ "$mode" != quick ]; then
    build asan
    check asan "${slow[@]}"
    build tsan threaded_tests
    check tsan -L threads
    build fuzz fuzzers
    check fuzz -L fuzz
fi
build release
cmake --build build/release --target all_verify_interface_header_sets -j "$jobs" -- --quiet
check release "${slow[@]}"
