#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A trial in shell and awk: gradient descent with momentum into Rosenbrock's valley. It knows nothing
# of Assay: parameters are arguments, metrics are lines on stdout, which the study's pattern reads.
#
#   train.sh LR MOMENTUM [STEPS]
set -euo pipefail
lr=${1:?learning rate} momentum=${2:?momentum} steps=${3:-200}

awk -v lr="$lr" -v momentum="$momentum" -v steps="$steps" 'BEGIN {
    x = -1.5; y = 2.0
    for (step = 1; step <= steps; step++) {
        dx = -2 * (1 - x) - 400 * x * (y - x * x)
        dy = 200 * (y - x * x)
        vx = momentum * vx - lr * dx
        vy = momentum * vy - lr * dy
        x += vx; y += vy
        loss = (1 - x) ^ 2 + 100 * (y - x * x) ^ 2
        if (!(loss < 1e12)) {           # diverged: say so and stop
            printf "step=%d loss=inf\n", step
            exit 0
        }
        if (step % 10 == 0) {
            printf "step=%d loss=%.9g x=%.6g y=%.6g\n", step, loss, x, y
            fflush()
        }
    }
}'
