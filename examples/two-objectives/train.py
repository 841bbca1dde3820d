#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A trial with two results, in Python's standard library: softmax regression on handwritten digits.

It reports once, at its end: the share of the validation rows that it gets wrong, and how many
weights it has. Fewer inputs (pool, keep) mean fewer weights and more errors.
"""
import csv
import gzip
import json
import math
import os
import random
import socket
import sys


def load(path, pool):
    """Rows of (pixels averaged over pool x pool squares, label)."""
    rows = []
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        for row in csv.reader(file):
            try:
                values = [float(v) / 16 for v in row[:-1]]
            except ValueError:
                continue  # the header
            side = math.isqrt(len(values))
            squares = [
                sum(values[(y + i) * side + x + j] for i in range(pool) for j in range(pool)) / pool**2
                for y in range(0, side, pool)
                for x in range(0, side, pool)
            ]
            rows.append((squares + [1.0], int(float(row[-1]))))
    return rows


def scores(weights, x):
    return [sum(w * v for w, v in zip(row, x)) for row in weights]


def train(rows, inputs, epochs, lr, rng):
    weights = [[0.0] * len(inputs) for _ in range(10)]
    for _ in range(epochs):
        rng.shuffle(rows)
        for pixels, label in rows:
            x = [pixels[i] for i in inputs]
            z = scores(weights, x)
            top = max(z)
            p = [math.exp(v - top) for v in z]
            total = sum(p)
            for digit in range(10):
                slope = p[digit] / total - (digit == label)
                if abs(slope) > 1e-3:
                    step = 0.1 * lr * slope
                    weights[digit] = [w - step * v for w, v in zip(weights[digit], x)]
    return weights


def report(**metrics):
    path = os.environ.get("ASSAY_SOCKET")
    line = json.dumps({"step": 1, "metrics": metrics})
    if not path:
        print(line)
        return
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    link.connect(path)
    lines = link.makefile("rw", encoding="utf-8", newline="\n")
    lines.write(line + "\n")
    lines.flush()
    answer = json.loads(lines.readline() or '{"error": "the agent is gone"}')
    if "error" in answer:
        sys.exit(answer["error"])


def main():
    params = {"lr": 0.5, "pool": 2, "keep": 1.0, "epochs": 2}
    params.update(json.loads(os.environ.get("ASSAY_PARAMS", "{}")))
    rng = random.Random(int(os.environ.get("ASSAY_SEED", "0")))
    rows = load(sys.argv[1], params["pool"])
    random.Random(0).shuffle(rows)  # the same parts in every trial
    cut = len(rows) * 3 // 4
    n = len(rows[0][0]) - 1
    inputs = sorted(rng.sample(range(n), max(1, round(params["keep"] * n)))) + [n]
    weights = train(rows[:cut], inputs, params["epochs"], params["lr"], rng)
    wrong = 0
    for pixels, label in rows[cut:]:
        z = scores(weights, [pixels[i] for i in inputs])
        wrong += z.index(max(z)) != label
    report(error=wrong / (len(rows) - cut), weights=10 * len(inputs))


main()
