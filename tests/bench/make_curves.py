#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trains networks and keeps what each showed after each epoch: the tables of learning curves.

    make_curves.py BIN --dir DIR [--table TABLE] [--first N] [--configs N] [--epochs N] [--data DIR]

BIN holds train_curves (a release). Tables are data/curves-*.csv.gz beside this file, or in --data:
digits and friedman1, on which rules are judged, and, only if named, those that show whether a rule
fits these two alone: waveform, friedman2, spirals, or either of the two from another --first on.
What was trained is kept in DIR, CHUNK configurations a file, so that a broken run goes on there.
One process for each core, at the lowest priority: times are those of the processor, so other work
on the machine does not change them much.

digits: examples/data/digits.csv.gz, a classification; the loss is the log loss. friedman1: Friedman's
first function (Annals of Statistics 19, 1991, eq. 56) of ten inputs, half of them without effect,
with noise of variance 1; 2,000 rows, a regression; the loss is the mean squared error. waveform:
the waves of Breiman and others (Classification and Regression Trees, 1984), three classes.
friedman2: Friedman's second (eq. 62), over its standard deviation, with noise of deviation 0.1.
spirals: three arms in the plane, and an input without effect, three classes. 2,000 rows each.
"""
import argparse
import concurrent.futures
import gzip
import io
import math
import os
import random
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
DIGITS = os.path.join(HERE, "..", "..", "examples", "data", "digits.csv.gz")
CHUNK = 50
STORED = ("digits", "friedman1")
PARAMETERS = ("lr", "hidden", "layers", "activation", "optimizer", "momentum", "batch_size",
              "weight_decay")
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def friedman1(rng):
    x = [rng.random() for _ in range(10)]
    y = (10 * math.sin(math.pi * x[0] * x[1]) + 20 * (x[2] - 0.5) ** 2 + 10 * x[3] + 5 * x[4] +
         rng.gauss(0, 1))
    return *x, y


def friedman2(rng):
    x = [rng.uniform(0, 100), rng.uniform(40 * math.pi, 560 * math.pi), rng.random(),
         rng.uniform(1, 11)]
    y = math.hypot(x[0], x[1] * x[2] - 1 / (x[1] * x[3]))
    return *x, y / 376 + rng.gauss(0, 0.1)


def waveform(rng):
    """A mixture of two of three triangles at 21 points, with noise."""
    peaks = [(7, 15), (7, 11), (15, 11)]
    c, u = rng.randrange(3), rng.random()
    (a, b) = peaks[c]
    waves = (u * max(6 - abs(i - a), 0) + (1 - u) * max(6 - abs(i - b), 0) for i in range(1, 22))
    return *(wave + rng.gauss(0, 1) for wave in waves), c


def spirals(rng):
    c, t = rng.randrange(3), rng.random()
    angle = 2.5 * math.pi * t + c * 2 * math.pi / 3 + rng.gauss(0, 0.15)
    return ((0.1 + t) * math.cos(angle), (0.1 + t) * math.sin(angle), rng.gauss(0, 0.5), c)


# what a network is to do there, and a row of the data
TASKS = {"digits": ("classification", None), "friedman1": ("regression", friedman1),
         "waveform": ("classification", waveform), "friedman2": ("regression", friedman2),
         "spirals": ("classification", spirals)}


def data_file(table, folder, n_rows=2000, seed=1):
    task, row_of = TASKS[table]
    if not row_of:
        return os.path.realpath(DIGITS)
    path, rng = os.path.join(folder, f"{table}.csv"), random.Random(seed)
    with open(path, "w", encoding="utf-8") as file:
        for _ in range(n_rows):
            *x, y = row_of(rng)
            y = f"c{y}" if task == "classification" else f"{y:.6f}"
            file.write(",".join(f"{v:.6f}" for v in x) + f",{y}\n")
    return path


def train(args, table, data, first):
    """The file with CHUNK curves from `first` on; made if it is not there."""
    path = os.path.join(args.dir, f"{table}-{args.epochs}-{first:06d}.csv")
    if os.path.exists(path):
        return path
    with tempfile.TemporaryDirectory(dir=args.dir) as scratch, \
            open(path + ".new", "w", encoding="utf-8") as out:
        n = min(CHUNK, args.first + args.configs - first)
        subprocess.run([os.path.join(args.bin, "train_curves"), data, TASKS[table][0], str(first), str(n),
                        str(args.epochs), scratch], check=True, stdout=out, env=ENVIRONMENT,
                       preexec_fn=lambda: os.nice(19))
    if n == CHUNK:
        os.replace(path + ".new", path)
        return path
    return path + ".new"


def thin(line, epochs):
    """Parameters are there to be read: six digits do."""
    cells = line.rstrip("\n").split(",")
    for i in range(2, len(cells) - 2 * epochs):
        if "." in cells[i] or "e" in cells[i]:
            try:
                cells[i] = f"{float(cells[i]):.6g}"
            except ValueError:
                pass  # a word
    return ",".join(cells) + "\n"


def write(args, table, chunks):
    path = os.path.join(args.data, f"curves-{table}.csv.gz")
    head = (f"# Learning curves of {args.configs} networks on the data {table}: validation loss after "
            f"each epoch,\n# processor time of each epoch in ms. Made by tests/bench/make_curves.py.\n")
    names = ["config", "weights", *PARAMETERS, *(f"loss_{e + 1}" for e in range(args.epochs)),
             *(f"ms_{e + 1}" for e in range(args.epochs))]
    with open(path + ".new", "wb") as raw, \
            gzip.GzipFile("", "wb", 9, raw, mtime=0) as packed, \
            io.TextIOWrapper(packed, encoding="utf-8") as out:
        out.write(head + ",".join(names) + "\n")
        for chunk in chunks:
            with open(chunk, encoding="utf-8") as lines:
                out.writelines(thin(line, args.epochs) for line in lines)
    os.replace(path + ".new", path)
    return path


def main():
    p = argparse.ArgumentParser()
    p.add_argument("bin")
    p.add_argument("--dir", required=True)
    p.add_argument("--data", default=os.path.join(HERE, "data"))
    p.add_argument("--table", choices=TASKS)
    p.add_argument("--first", type=int, default=0)
    p.add_argument("--configs", type=int, default=1000)
    p.add_argument("--epochs", type=int, default=50)
    args = p.parse_args()
    args.dir = os.path.abspath(args.dir)
    os.makedirs(args.dir, exist_ok=True)
    for table in [args.table] if args.table else STORED:
        data = data_file(table, args.dir)
        with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            chunks = list(pool.map(lambda first: train(args, table, data, first),
                                   range(args.first, args.first + args.configs, CHUNK)))
        print(write(args, table, chunks), file=sys.stderr)


if __name__ == "__main__":
    main()
