# SPDX-License-Identifier: Apache-2.0
"""Programs that are timed by the processor's time on one core, which must have been theirs meanwhile."""
import os
import subprocess
import time

PATIENCE_S = 120
ENVIRONMENT = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def first():
    """The core that is measured on."""
    return str(min(os.sched_getaffinity(0)))


def timed(command, core):
    """The lines of what it prints, and which share of the core it had while it ran."""
    before, begin = os.times(), time.monotonic()
    done = subprocess.run(["taskset", "-c", core, *map(str, command)], capture_output=True, text=True,
                          env=ENVIRONMENT)
    took, after = time.monotonic() - begin, os.times()
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or [f"exit {done.returncode}"])[-1])
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return done.stdout.splitlines(), used / took


def turns(n, share, one):
    """What one() returns as (result, share of the core), n times; a turn with less than share of the core
    is made again. RuntimeError: no quiet core for so long."""
    found, end = [], time.monotonic() + PATIENCE_S
    while len(found) < n:
        result, had = one()
        if had >= share:
            found.append(result)
            end = time.monotonic() + PATIENCE_S
        elif time.monotonic() > end:
            raise RuntimeError(f"the core was not ours for {share:.0%} of the time")
    return found
