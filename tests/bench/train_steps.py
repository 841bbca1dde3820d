#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The native engine's training steps beside PyTorch's, on one core.

    train_steps.py BIN --dir DIR [--quick] [--python PYTHON] [--wheel PYTHON]

Prints rows (docs/benchmarks.md) on stdout. BIN holds bench_step and bench_gpt; PYTHON (default
/usr/bin/python3) has Debian's PyTorch, that of --wheel (default build/bench-peers, which scripts/bench.sh
train --setup makes) the newest one; its rows end in ".wheel". Ours and the peer take turns as processes
on one core; times are those of the processor, without starts. A pair during which the core was not ours
is made again. train.step_peak has the loop of multiply-adds of bench_gemm for a peer.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys

import own_core

HERE = os.path.dirname(os.path.abspath(__file__))
SHARE = 0.95
CASES = [("train.tiny", "sgd", "20-64-64-2", 32), ("train.tiny", "adam", "20-64-64-2", 32),
         ("train.mlp64", "sgd", "784-512-256-10", 64), ("train.mlp64", "adam", "784-512-256-10", 64),
         ("train.mlp512", "sgd", "784-512-256-10", 512), ("train.mlp512", "adam", "784-512-256-10", 512),
         ("train.cnn", "sgd", "28x28-16c5-p-32c5-p-128-10", 64),
         ("train.cnn", "adam", "28x28-16c5-p-32c5-p-128-10", 64)]
BF16 = ("train.mlp512_bf16", "784-512-256-10", 512)
LOSS_STEPS = "100x"  # after which losses in both precisions are compared
CASES += [("train.gpt", "adam", "128-2-4-64-96", 16)]  # d_model, blocks, heads, tokens, vocabulary
PROGRAMS = {"train.gpt": ("bench_gpt", "gpt_peer.py")}


def put(**row):
    print(json.dumps(row), flush=True)


def pairs(ours, theirs, n):
    """[(ours, theirs)] in microseconds, fields of the peer; RuntimeError: no quiet core."""
    core, fields = own_core.first(), None

    def turn():
        nonlocal fields
        (*_, mine), share = own_core.timed(ours, core)
        if not theirs:
            return (float(mine.split()[0]), None), share
        (*_, line), their_share = own_core.timed(theirs, core)
        fields = line.split()
        return (float(mine.split()[0]), float(fields[0])), min(share, their_share)

    return own_core.turns(n, SHARE, turn), fields


def measure(args, name, case, shape, python, precision=()):
    seconds = 0.02 if args.tiny else 0.5 if args.quick else 2
    program, peer = PROGRAMS.get(name.removesuffix(".wheel"), ("bench_step", "step_peer.py"))
    ours = [os.path.join(args.bin, program), *shape, case, seconds, *precision]
    theirs = [python, os.path.join(HERE, peer), *shape, case, seconds, *precision] if python else None
    try:
        found, fields = pairs(ours, theirs, args.pairs)
    except RuntimeError as error:
        put(name=name, case=case, value=None, unit="us", why=str(error))
        return
    value = statistics.median(o for o, _ in found)
    row = {"name": name, "case": case, "value": value, "unit": "us", "n": len(found),
           "samples_per_s": round(shape[1] / value * 1e6)}
    if precision:
        row.update(losses(args, case, shape))
    if python:
        row.update(peer=f"PyTorch {fields[3]}, {fields[4]}, 1 thread",
                   peer_value=statistics.median(t for _, t in found),
                   ratio=statistics.median(t / o for o, t in found))
    put(**row)


def losses(args, case, shape):
    """Of both precisions after as many steps of the same batches, and what computes the rounded products."""
    found = {precision: subprocess.run([os.path.join(args.bin, "bench_step"), *map(str, shape), case,
                                        "4x" if args.tiny else LOSS_STEPS, precision], check=True,
                                       capture_output=True, text=True, env=own_core.ENVIRONMENT).stdout.split()
             for precision in ("fp32", "bf16")}
    return {"kernel": found["bf16"][3], "loss": float(found["bf16"][2]), "loss_fp32": float(found["fp32"][2])}


def measure_peak(args, batch):
    """The step's multiply-adds a second, as a share of the loop that does nothing else."""
    seconds = 0.02 if args.tiny else 0.5 if args.quick else 2
    widths = [784, 512, 256, 10]
    products = [i * o for i, o in zip(widths, widths[1:])]  # none for the inputs' gradient
    flops = 2 * batch * (3 * sum(products) - products[0])
    try:
        found, fields = pairs([os.path.join(args.bin, "bench_step"), "-".join(map(str, widths)), batch,
                               "sgd", seconds],
                              [os.path.join(args.bin, "bench_gemm"), "--loop", seconds], args.pairs)
    except RuntimeError as error:
        put(name="train.step_peak", case=str(batch), value=None, unit="1", why=str(error))
        return
    put(name="train.step_peak", case=str(batch), unit="1", n=len(found), kernel=fields[1],
        value=statistics.median(flops / us / 1e3 / loop for us, loop in found),
        gflops=statistics.median(flops / us / 1e3 for us, _ in found),
        loop_gflops=statistics.median(loop for _, loop in found))


def has_torch(python):
    return os.path.exists(python) and subprocess.run([python, "-c", "import torch"],
                                                     capture_output=True).returncode == 0


def main():
    global SHARE
    parser = argparse.ArgumentParser()
    parser.add_argument("bin")
    parser.add_argument("--dir")  # nothing is written
    parser.add_argument("--python", default="/usr/bin/python3")
    parser.add_argument("--wheel", default="build/bench-peers/bin/python")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--tiny", action="store_true", help="numbers without meaning, for the test")
    args = parser.parse_args()
    args.pairs = 1 if args.tiny else 3 if args.quick else 7
    SHARE = 0 if args.tiny else SHARE
    for batch in (64, 512):
        measure_peak(args, batch)
    for suffix, python, how in (("", args.python, "scripts/bench.sh train --setup installs it"),
                                (".wheel", args.wheel, "scripts/bench.sh train --setup installs it")):
        there = has_torch(python)
        if not there:
            put(name="peer.installed", case="torch" + suffix, value=None, unit="1",
                why=f"{python} does not have it; {how}")
        for name, case, *shape in CASES:
            if there or not suffix:
                measure(args, name + suffix, case, shape, python if there else None)
        for case in ("sgd", "adam"):
            if there or not suffix:
                measure(args, BF16[0] + suffix, case, BF16[1:], python if there else None, ("bf16",))


if __name__ == "__main__":
    sys.exit(main())
