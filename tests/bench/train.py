#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The native engine's boosted trees beside xgboost's: time on one core, and loss on rows not seen.

    train.py BIN --dir DIR [--quick] [--python PYTHON]

Prints rows (docs/benchmarks.md) on stdout. BIN holds bench_gbdt; PYTHON (default /usr/bin/python3) has
xgboost. Each data set, a seed of bench_gbdt's, is fitted by ours and by the peer in turn, on the same
core, after one that does not count; times are those of the processor.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
parser = argparse.ArgumentParser()
parser.add_argument("bin")
parser.add_argument("--dir", required=True)
parser.add_argument("--python", default="/usr/bin/python3")
parser.add_argument("--quick", action="store_true")
parser.add_argument("--tiny", action="store_true", help="numbers without meaning, for the test")
args = parser.parse_args()
RUNS = 2 if args.tiny else 3 if args.quick else 9
ROWS, TRAINED, FEATURES = (1500, 1000, 8) if args.tiny else (150000, 100000, 28)
ROUNDS, DEPTH, RATE = (3 if args.tiny else 100), 6, 0.1


def row(name, unit, ours, theirs, peer):
    value = statistics.median(ours)
    more = {"min": min(ours), "max": max(ours)}
    if theirs:
        more.update(peer=peer, peer_value=statistics.median(theirs),
                    ratio=statistics.median([t / o for o, t in zip(ours, theirs)]))
    print(json.dumps({"name": name, "case": f"{TRAINED}x{FEATURES}", "value": value, "unit": unit,
                      "n": len(ours), **more}), flush=True)


def run(command):
    core = str(min(os.sched_getaffinity(0)))
    done = subprocess.run(["taskset", "-c", core, *command], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"train.py: {' '.join(command)}: {done.stderr.strip()}")
    return done.stdout.splitlines()


def has_peer():
    return subprocess.run([args.python, "-c", "import xgboost"], capture_output=True).returncode == 0


def fit(path, peer):
    """Seconds and loss of ours, then of the peer, by its quicker way (None: there is no peer)."""
    what = [path, *map(str, (ROWS, FEATURES, TRAINED, ROUNDS, DEPTH, RATE))]
    ours = [float(x) for x in run([os.path.join(args.bin, "bench_gbdt"), "fit", *what])[0].split()]
    if not peer:
        return ours, None, None
    *ways, version = run([args.python, os.path.join(HERE, "gbdt_peer.py"), *what])
    way, took, loss = min((line.split() for line in ways), key=lambda line: float(line[1]))
    return ours, (float(took), float(loss)), f"xgboost {version} hist {way}, {os.uname().release}"


def main():
    os.makedirs(args.dir, exist_ok=True)
    path = os.path.join(args.dir, "gbdt.f32")
    peer, name, ours, theirs = has_peer(), None, [], []
    for seed in range(RUNS + 1):
        run([os.path.join(args.bin, "bench_gbdt"), "data", path, str(ROWS), str(FEATURES), str(seed)])
        mine, other, name = fit(path, peer)
        if seed > 0:  # the first does not count
            ours.append(mine)
            theirs += [other] if other else []
    os.remove(path)
    for i, (what, unit) in enumerate((("train.gbdt", "s"), ("train.gbdt_loss", "nats"))):
        row(what, unit, [o[i] for o in ours], [t[i] for t in theirs], name)
    if not peer:
        print(json.dumps({"name": "peer.installed", "case": "xgboost", "value": None, "unit": "1",
                          "why": f"{args.python} does not have it; scripts/bench.sh train --setup "
                                 "installs it"}))


if __name__ == "__main__":
    main()
