#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trains networks and keeps what each showed after each epoch: the tables of learning curves.

    make_curves.py BIN --dir DIR [--table digits|friedman1] [--configs N] [--epochs N] [--data DIR]

BIN holds train_curves (a release). Tables are data/curves-*.csv.gz beside this file, or in --data.
What was trained is kept in DIR, CHUNK configurations a file, so that a broken run goes on there.
One process for each core, at the lowest priority: times are those of the processor, so other work
on the machine does not change them much.

digits: examples/data/digits.csv.gz, a classification; the loss is the log loss. friedman1: Friedman's
first function (Annals of Statistics 19, 1991, eq. 56) of ten inputs, half of them without effect,
with noise of variance 1; 2,000 rows, a regression; the loss is the mean squared error.
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
TASKS = {"digits": "classification", "friedman1": "regression"}
PARAMETERS = ("lr", "hidden", "layers", "activation", "optimizer", "momentum", "batch_size",
              "weight_decay")
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def friedman1(path, rows=2000, seed=1):
    rng = random.Random(seed)
    with open(path, "w", encoding="utf-8") as file:
        for _ in range(rows):
            x = [rng.random() for _ in range(10)]
            y = (10 * math.sin(math.pi * x[0] * x[1]) + 20 * (x[2] - 0.5) ** 2 + 10 * x[3] + 5 * x[4] +
                 rng.gauss(0, 1))
            file.write(",".join(f"{v:.6f}" for v in (*x, y)) + "\n")


def data_file(table, folder):
    if table == "digits":
        return os.path.realpath(DIGITS)
    path = os.path.join(folder, "friedman1.csv")
    friedman1(path)
    return path


def train(args, table, data, first):
    """The file with CHUNK curves from `first` on; made if it is not there."""
    path = os.path.join(args.dir, f"{table}-{args.epochs}-{first:06d}.csv")
    if os.path.exists(path):
        return path
    with tempfile.TemporaryDirectory(dir=args.dir) as scratch, \
            open(path + ".new", "w", encoding="utf-8") as out:
        n = min(CHUNK, args.configs - first)
        subprocess.run([os.path.join(args.bin, "train_curves"), data, TASKS[table], str(first), str(n),
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
    p.add_argument("--configs", type=int, default=1000)
    p.add_argument("--epochs", type=int, default=50)
    args = p.parse_args()
    args.dir = os.path.abspath(args.dir)
    os.makedirs(args.dir, exist_ok=True)
    for table in [args.table] if args.table else TASKS:
        data = data_file(table, args.dir)
        with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            chunks = list(pool.map(lambda first: train(args, table, data, first),
                                   range(0, args.configs, CHUNK)))
        print(write(args, table, chunks), file=sys.stderr)


if __name__ == "__main__":
    main()
