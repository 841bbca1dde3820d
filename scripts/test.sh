#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what the tests need, builds and runs every test; the last lines are ctest's summary.
#
#   scripts/test.sh          gcc release, clang ASan and UBSan, TSan on threaded programs, fuzzers
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
jobs=$(nproc)
slots=$((2 * jobs)) # for tests, which have a slot or two each: most of them wait most of the time
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
# A Python environment below build/, of the packages that a file names; status 1: there is none.
environment() { # name, file
    local folder=build/$1 wanted=$2
    cmp -s "$wanted" "$folder/installed.txt" && return
    echo "== install $(tr '\n' ' ' <"$wanted")"
    rm -rf "$folder"
    python3 -m venv "$folder" &&
        "$folder/bin/pip" install --quiet --disable-pip-version-check -r "$wanted" &&
        cp "$wanted" "$folder/installed.txt" && return
    rm -rf "$folder"
    return 1
}
# What test_onnx runs in, and the compiler of CUDA's kernels: without them such tests are skipped.
environments() {
    environment onnx tests/train/onnx-requirements.txt ||
        echo "test.sh: onnxruntime could not be installed; test_onnx is skipped" >&2
    environment cuda tests/kernels/cuda-requirements.txt && link_cuda ||
        echo "test.sh: NVRTC could not be installed; where there is no other, its tests are skipped" >&2
}
link_cuda() { # as a toolkit's own folder has them
    local packages
    packages=$(build/cuda/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    ln -sfn "$packages/nvidia/cuda_nvrtc/lib" build/cuda/lib64
    ln -sf "$packages/nvidia/cuda_nvcc/bin/ptxas" build/cuda/bin/ptxas
}
under=() # what ctest is run by
check() { # preset, ctest options
    local preset=$1
    shift
    echo "== test $preset"
    "${under[@]}" ctest --test-dir "build/$preset" --output-on-failure \
        -j "$slots" --no-tests=error "$@"
}

# Reports of every process of a test go to files: most of them are not the test's own process.
check_tsan() {
    local reports=$PWD/build/tsan/reports status=0 random=/proc/sys/vm/mmap_rnd_bits
    local under=()
    rm -rf "$reports"
    mkdir -p "$reports"
    # clang 14 wants addresses less random than newer kernels make them.
    if [ -r "$random" ] && [ "$(cat "$random")" -gt 28 ]; then
        under=(setarch "$(uname -m)" --addr-no-randomize)
    fi
    export TSAN_OPTIONS="suppressions=$PWD/tests/tsan.supp log_path=$reports/report"
    check tsan -L threads || status=$?
    unset TSAN_OPTIONS
    [ -z "$(ls "$reports")" ] || { cat "$reports"/*; status=1; }
    return "$status"
}

environments
if [ "$mode" != quick ]; then
    build asan
    check asan "${slow[@]}"
    build tsan threaded_tests
    check_tsan
    build fuzz fuzzers
    slots=$jobs check fuzz -L fuzz # each of them takes a core for as long as it may
fi
build release
cmake --build build/release --target all_verify_interface_header_sets -j "$jobs" -- --quiet
check release "${slow[@]}"
