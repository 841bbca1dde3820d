#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What the programs may not link: no MPI in the agent, no ZeroMQ in the trainer, no SQL on the
# command line, no BLAS in the coordinator (the tuner's linear algebra is our own), nothing but libc
# and ours in the supervisor, no library of devices in any. And what none of them may call.
set -euo pipefail
bin=$1
failed=0

forbid() { # program, library
    if readelf -d "$bin/$1" | grep -q "NEEDED.*\[$2"; then
        echo "$1 links $2"
        failed=1
    fi
}
for program in assay assay-coordinator assay-worker assay-attempt assay-trainer; do
    readelf -d "$bin/$program" >/dev/null
done
banned='strcpy|strcat|strncpy|v?sprintf|strtok(_r)?|ato[ilf]|atoll|gets|localtime|strtou?ll?|strto[dfl]d?|strerror(_r)?'
# A sanitizer's runtime is linked in, and calls what it likes.
unbanned() { # program
    nm -D "$bin/$1" | grep -E ' (__asan_init|__tsan_init)$' >/dev/null && return
    if nm -D --undefined-only "$bin/$1" | grep -E " (__)?($banned)(_chk)?(@|\$)"; then
        echo "$1 calls what is banned (CONTRIBUTING.md)"
        failed=1
    fi
}
for program in assay assay-coordinator assay-worker assay-attempt assay-trainer; do
    unbanned "$program"
    for library in libOpenCL libclblast libcuda libnvrtc libcublas; do
        forbid "$program" $library # loaded where they are there, when they are asked for
    done
done
forbid assay-worker libmpi
forbid assay-worker libopenblas
forbid assay-trainer libzmq
forbid assay-trainer libsqlite3
forbid assay libsqlite3
forbid assay libmpi
forbid assay-coordinator libmpi
forbid assay-coordinator libhwloc
forbid assay-coordinator libopenblas
forbid assay-coordinator liblapack
forbid assay-attempt libzmq
forbid assay-attempt libhwloc
forbid assay-attempt libjansson
exit $failed
