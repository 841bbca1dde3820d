#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# install-deps.sh - installs the Debian packages that Assay needs, and only those that are missing.
#
#   scripts/install-deps.sh build         what a build links and runs with
#   scripts/install-deps.sh build test    also what the tests need
#   scripts/install-deps.sh bench         peers that benchmarks measure against
set -euo pipefail

build_packages=(
    gcc cmake ninja-build pkg-config git
    libzmq3-dev libsodium-dev libprotobuf-c-dev protobuf-c-compiler libopenblas-dev libhwloc-dev
    libsqlite3-dev libyaml-dev libjansson-dev libopenmpi-dev openmpi-bin libssl-dev zlib1g-dev
    libpcre2-dev libonnx-dev opencl-c-headers
)
test_packages=(clang libcunit1-dev libclang-rt-14-dev python3 python3-venv valgrind binutils procps iproute2
               pocl-opencl-icd ocl-icd-libopencl1 libclblast1 libhdf5-103-1
               slurmctld slurmd slurm-client munge)
bench_packages=(python3-torch python3-xgboost)

usage() {
    echo "usage: install-deps.sh build [test]"
    echo "       install-deps.sh bench"
}

fail() {
    echo "install-deps.sh: $*" >&2
    exit 1
}

wanted=()
for group in "$@"; do
    case $group in
    build) wanted+=("${build_packages[@]}") ;;
    test) wanted+=("${test_packages[@]}") ;;
    bench) wanted+=("${bench_packages[@]}") ;;
    -h | --help)
        usage
        exit 0
        ;;
    *)
        echo "install-deps.sh: no group '$group'" >&2
        usage >&2
        exit 2
        ;;
    esac
done
if [ "${#wanted[@]}" -eq 0 ]; then
    usage >&2
    exit 2
fi
for tool in apt-get dpkg-query; do
    command -v "$tool" >/dev/null ||
        fail "this system has no $tool; install by other means: ${wanted[*]}"
done

missing=()
for package in "${wanted[@]}"; do
    # A removed package whose settings were kept has a status too, hence the comparison.
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || missing+=("$package")
done
if [ "${#missing[@]}" -eq 0 ]; then
    echo "install-deps.sh: all ${#wanted[@]} packages are installed"
    exit 0
fi

as_root=(env DEBIAN_FRONTEND=noninteractive)
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null ||
        fail "need root or sudo to install: ${missing[*]}"
    as_root=(sudo "${as_root[@]}")
fi
echo "install-deps.sh: installing ${missing[*]}"
"${as_root[@]}" apt-get update
"${as_root[@]}" apt-get install -y --no-install-recommends "${missing[@]}" ||
    fail "apt-get could not install all of: ${missing[*]}"
