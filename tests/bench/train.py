#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The native engine's boosted trees beside xgboost's: time on one core, and loss on rows not seen.

    train.py BIN --dir DIR [--quick] [--python PYTHON] [--wheel PYTHON]

Prints rows (docs/benchmarks.md) on stdout. BIN holds bench_gbdt; PYTHON (default /usr/bin/python3) has
Debian's xgboost, that of --wheel (default build/bench-peers, which scripts/bench.sh train --setup makes) the
newest one; its rows end in ".wheel". Each data set, a seed of bench_gbdt's, is fitted by ours and by the
peer in turn, on the same core, after one that does not count; times are those of the processor. A turn
during which the core was not ours is made again.
"""
import argparse
import json
import os
import statistics
import subprocess

import own_core

HERE = os.path.dirname(os.path.abspath(__file__))
parser = argparse.ArgumentParser()
parser.add_argument("bin")
parser.add_argument("--dir", required=True)
parser.add_argument("--python", default="/usr/bin/python3")
parser.add_argument("--wheel", default="build/bench-peers/bin/python")
parser.add_argument("--quick", action="store_true")
parser.add_argument("--tiny", action="store_true", help="numbers without meaning, for the test")
args = parser.parse_args()
RUNS = 2 if args.tiny else 3 if args.quick else 9
ROWS, TRAINED, FEATURES = (1500, 1000, 8) if args.tiny else (150000, 100000, 28)
ROUNDS, DEPTH, RATE = (3 if args.tiny else 100), 6, 0.1
CORE, SHARE = own_core.first(), 0.95


def put(**fields):
    print(json.dumps(fields), flush=True)


def row(name, unit, ours, theirs, peer):
    value = statistics.median(ours)
    more = {"min": min(ours), "max": max(ours)}
    if theirs:
        more.update(peer=peer, peer_value=statistics.median(theirs),
                    ratio=statistics.median([t / o for o, t in zip(ours, theirs)]))
    put(name=name, case=f"{TRAINED}x{FEATURES}", value=value, unit=unit, n=len(ours), **more)


def has_peer(python):
    return os.path.exists(python) and subprocess.run([python, "-c", "import xgboost"],
                                                     capture_output=True).returncode == 0


def fit(path, python):
    """(Seconds and loss of ours, of the peer by its quicker way, and its name; None: there is none), and
    which share of the core both had."""
    what = [path, *map(str, (ROWS, FEATURES, TRAINED, ROUNDS, DEPTH, RATE))]
    (line,), share = own_core.timed([os.path.join(args.bin, "bench_gbdt"), "fit", *what], CORE)
    ours = [float(x) for x in line.split()]
    if not python:
        return (ours, None, None), share
    (*ways, version), theirs = own_core.timed([python, os.path.join(HERE, "gbdt_peer.py"), *what], CORE)
    way, took, loss = min((line.split() for line in ways), key=lambda line: float(line[1]))
    peer = f"xgboost {version} hist {way}, {os.uname().release}"
    return (ours, (float(took), float(loss)), peer), min(share, theirs)


def measure(suffix, python):
    path = os.path.join(args.dir, "gbdt.f32")
    seeds = iter(range(1000))

    def turn():
        own_core.timed([os.path.join(args.bin, "bench_gbdt"), "data", path, ROWS, FEATURES, next(seeds)], CORE)
        return fit(path, python)

    turn()  # does not count
    units = ("train.gbdt", "s"), ("train.gbdt_loss", "nats")
    try:
        found = own_core.turns(RUNS, 0 if args.tiny else SHARE, turn)
    except RuntimeError as why:
        for name, unit in units:
            put(name=name + suffix, case=f"{TRAINED}x{FEATURES}", value=None, unit=unit, why=str(why))
        return
    os.remove(path)
    for i, (name, unit) in enumerate(units):
        row(name + suffix, unit, [ours[i] for ours, _, _ in found],
            [theirs[i] for _, theirs, _ in found if theirs], found[0][2])


def main():
    os.makedirs(args.dir, exist_ok=True)
    for suffix, python in ("", args.python), (".wheel", args.wheel):
        there = has_peer(python)
        if not there:
            put(name="peer.installed", case="xgboost" + suffix, value=None, unit="1",
                why=f"{python} does not have it; scripts/bench.sh train --setup installs it")
        if there or not suffix:
            measure(suffix, python if there else None)


if __name__ == "__main__":
    main()
