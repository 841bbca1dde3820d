#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Rows populations.loss: what the samplers pbt and pb2 make of networks that train for real.

    populations.py BIN --dir DIR [--seeds N] [--members A,B] [--epochs N]

Each study trains a population of networks on the digits by gradient descent, for 40 epochs; learning
rate, momentum and weight decay may change after each two. value: the lowest validation loss of a study, the
geometric mean over seeds; alone: members that keep what they began with (pbt with quantile 0). of_pbt:
the mean of the ratios to pbt with the same seed, low and high 95 % of it (bootstrap over seeds); below
1: lower loss. Studies are deterministic: the figures do not depend on the machine's load.
"""
import argparse
import json
import os
import statistics
import sys
import tempfile

import tuner_asha

SOURCE = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
parser = argparse.ArgumentParser()
parser.add_argument("bin")
parser.add_argument("--dir", required=True)
parser.add_argument("--seeds", type=int, default=20)
parser.add_argument("--members", default="4,8")
parser.add_argument("--epochs", type=int, default=40)
args = parser.parse_args()
os.makedirs(args.dir, exist_ok=True)
tempfile.tempdir = os.path.abspath(args.dir)
sys.argv = [sys.argv[0], args.bin, SOURCE]
sys.path.insert(0, os.path.join(SOURCE, "tests", "system"))
from harness import Home  # noqa: E402

STUDY = """
assay: 1
name: population
run: {model: mlp, hidden: 32, layers: 2, optimizer: sgd, batch_size: 64, length: {unit: epochs, max: %d}}
data: {file: %s/examples/data/digits.csv.gz, label: -1, scale: standard,
       split: {validation: 0.4, stratify: true, seed: 0}}
objective: {metric: val_loss, goal: minimize, take: last}
parameters:
  lr: {min: 1e-5, max: 1.0, scale: log}
  momentum: {min: 0.0, max: 0.99}
  weight_decay: {min: 1e-7, max: 0.1, scale: log}
search: {sampler: {name: %s, population: %d, interval: 2}, seed: %d, deterministic: true}
resources: {cores: 1, memory: 512MiB}
"""
SAMPLERS = {"pbt": "pbt", "pb2": "pb2", "alone": "pbt, quantile: 0"}


def lowest_loss(sampler, members, seed):
    with Home() as home:
        home.write("study.yaml", STUDY % (args.epochs, SOURCE, SAMPLERS[sampler], members, seed))
        home.run("run", "study.yaml")
        return min(t["value"] for t in home.json("trials", "population")["trials"]
                   if t.get("value") is not None)


def main():
    seeds = range(1, args.seeds + 1)
    for members in map(int, args.members.split(",")):
        losses = {s: [lowest_loss(s, members, seed) for seed in seeds] for s in SAMPLERS}
        for sampler, values in losses.items():
            row = {"name": "populations.loss", "case": f"{sampler}/{members}",
                   "value": statistics.geometric_mean(values), "unit": "loss", "n": len(seeds)}
            if sampler != "pbt":
                low, high = tuner_asha.interval(values, losses["pbt"])
                row |= {"of_pbt": tuner_asha.ratio(values, losses["pbt"]), "low": low, "high": high,
                        "better": sum(a < b for a, b in zip(values, losses["pbt"]))}
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
