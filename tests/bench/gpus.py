#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trials of a small model on one GPU, given out whole and in parts.

    gpus.py BIN --dir DIR [--quick]

Prints rows (docs/benchmarks.md) on stdout. Needs an NVIDIA GPU, and PyTorch for the python3 that
runs this. Times are those of the store's events: from the first lease to the last end.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

SOURCE = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
parser = argparse.ArgumentParser()
parser.add_argument("bin")
parser.add_argument("--dir", required=True)
parser.add_argument("--quick", action="store_true")
args = parser.parse_args()
os.makedirs(args.dir, exist_ok=True)
tempfile.tempdir = os.path.abspath(args.dir)
sys.argv = [sys.argv[0], args.bin, SOURCE]
sys.path.insert(0, os.path.join(SOURCE, "tests", "system"))
from harness import Home  # noqa: E402

STUDY = """
assay: 1
name: %s
run: {command: [%s, %s], length: {unit: steps, max: 1}, env: {DATA: %s, STEPS: "%d"}}
objective: {metric: loss, goal: minimize}
parameters:
  lr: {min: 1e-4, max: 1e-2, scale: log}
search: {sampler: random, seed: 5}
budget: {trials: %d}
resources: {cores: 1, memory: 1GiB, gpus: %s}
"""
TRIALS = {1: 6, 4: 12, 8: 16}  # by the number of trials that share the device
RUNS, STEPS = (1, 2000) if args.quick else (3, 4000)
DATA = os.path.join(SOURCE, "examples", "data", "digits.csv.gz")
PROGRAM = os.path.join(SOURCE, "tests", "bench", "gpu_trial.py")


def row(name, value, unit, **more):
    print(json.dumps({"name": name, "value": value, "unit": unit, **more}), flush=True)


def missing():
    """Why nothing can be measured here; None: it can."""
    done = subprocess.run([sys.executable, "-c", "import torch; print(torch.cuda.device_count())"],
                          capture_output=True, text=True)
    if done.returncode:
        return f"{sys.executable} has no PyTorch"
    return None if int(done.stdout) == 1 else f"{done.stdout.strip()} GPUs, not one"


def trials_per_minute(home, name, parts, trials):
    path = os.path.join(home.path, f"{name}.yaml")
    with open(path, "w") as f:
        f.write(STUDY % (name, sys.executable, PROGRAM, DATA, STEPS, trials, 1 / parts))
    home.run("run", path)
    found = home.json("trials", name)["trials"]
    assert [t["state"] for t in found] == ["complete"] * trials, found
    first, last = home.store().execute(
        "select min(wall_us), max(wall_us) from event where study = "
        "(select id from study where name = ?) and kind in (6, 10)", (name,)).fetchone()
    return trials * 60e6 / (last - first)


def main():
    why = missing()
    if why:
        for parts in TRIALS:
            row("gpus.trials_per_min", None, "1/min", case=str(parts), why=why)
        return
    rates = {parts: [] for parts in TRIALS}
    with Home() as home:
        home.run("up")
        trials_per_minute(home, "warm", 1, 1)
        for run in range(RUNS):  # interleaved
            for parts, trials in TRIALS.items():
                rates[parts].append(trials_per_minute(home, f"r{run}-{parts}", parts, trials))
        home.run("down")
    for parts, values in rates.items():
        value = statistics.median(values)
        row("gpus.trials_per_min", value, "1/min", case=str(parts), n=len(values),
            times=value / statistics.median(rates[1]))


main()
