#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A trial in Python's standard library: softmax regression on handwritten digits.

All that Assay asks of a program is in the class Assay below: some thirty lines, to be copied into
any program. Parameters come from the environment, metrics go out as JSON lines over a Unix socket,
and each answer says whether to go on. Told to pause, the program writes a checkpoint and exits; it
is started again later and continues from there, to the same result as without the pause.

Without Assay (no ASSAY_SOCKET) it trains with default parameters and prints.
"""
import csv
import gzip
import json
import math
import os
import random
import socket
import sys


class Assay:
    """Reports to the agent that started this program; prints where there is none."""

    def __init__(self):
        path = os.environ.get("ASSAY_SOCKET")
        self.params = json.loads(os.environ.get("ASSAY_PARAMS", "{}"))
        self.seed = int(os.environ.get("ASSAY_SEED", "0"))
        self.resume = os.environ.get("ASSAY_RESUME", "")
        self.folder = os.environ.get("ASSAY_CHECKPOINT_DIR", ".")
        self.lines = None
        if path:
            link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            link.connect(path)
            self.lines = link.makefile("rw", encoding="utf-8", newline="\n")

    def _ask(self, line):
        if not self.lines:
            print(json.dumps(line))
            return "continue"
        self.lines.write(json.dumps(line) + "\n")
        self.lines.flush()
        answer = json.loads(self.lines.readline() or '{"error": "the agent is gone"}')
        if "error" in answer:
            sys.exit(answer["error"])
        return answer["do"]

    def report(self, step, **metrics):
        """Returns "continue", "pause" or "stop"."""
        text = {k: v if math.isfinite(v) else str(v) for k, v in metrics.items()}
        return self._ask({"step": step, "metrics": text})

    def checkpoint(self, step, state):
        with open(os.path.join(self.folder, "state.json"), "w", encoding="utf-8") as file:
            json.dump(state, file)
        self._ask({"checkpoint": "state.json", "step": step})


def load(path):
    """Rows of pixels scaled to [0, 1] and their digit; the last column is the label."""
    rows = []
    with gzip.open(path, "rt", newline="") as file:
        for row in csv.reader(file):
            try:
                numbers = [float(cell) for cell in row]
            except ValueError:
                continue  # the header
            rows.append(([x / 16.0 for x in numbers[:-1]] + [1.0], int(numbers[-1])))
    random.Random(0).shuffle(rows)  # the split is the same for every trial
    cut = len(rows) * 4 // 5
    return rows[:cut], rows[cut:]


def probabilities(weights, pixels):
    scores = [sum(w * x for w, x in zip(row, pixels)) for row in weights]
    top = max(scores)
    parts = [math.exp(s - top) for s in scores]
    total = sum(parts)
    return [p / total for p in parts]


def train_epoch(weights, rows, lr, decay, batch):
    for start in range(0, len(rows), batch):
        part = rows[start:start + batch]
        scale = lr / len(part)
        changes = [(probabilities(weights, pixels), pixels, digit) for pixels, digit in part]
        for k, row in enumerate(weights):
            keep = 1.0 - lr * decay
            for i, w in enumerate(row):
                row[i] = w * keep
            for p, pixels, digit in changes:
                step = scale * (p[k] - (k == digit))
                for i, x in enumerate(pixels):
                    if x:
                        row[i] -= step * x


def score(weights, rows):
    loss = right = 0.0
    for pixels, digit in rows:
        p = probabilities(weights, pixels)
        loss -= math.log(max(p[digit], 1e-300))
        right += p.index(max(p)) == digit
    return loss / len(rows), right / len(rows)


def main():
    assay = Assay()
    lr = float(assay.params.get("lr", 0.1))
    decay = float(assay.params.get("weight_decay", 1e-4))
    batch = int(assay.params.get("batch_size", 32))
    epochs = int(sys.argv[2]) if len(sys.argv) > 2 else 12
    training, validation = load(sys.argv[1])
    first, weights = 1, [[0.0] * len(training[0][0]) for _ in range(10)]
    if assay.resume:
        with open(assay.resume, encoding="utf-8") as file:
            state = json.load(file)
        first, weights = state["epoch"] + 1, state["weights"]
    for epoch in range(first, epochs + 1):
        order = training[:]
        random.Random(assay.seed * 1000003 + epoch).shuffle(order)  # no matter where it resumed
        train_epoch(weights, order, lr, decay, batch)
        loss, accuracy = score(weights, validation)
        verdict = assay.report(epoch, val_loss=loss, val_accuracy=accuracy)
        if verdict == "pause":
            assay.checkpoint(epoch, {"epoch": epoch, "weights": weights})
        if verdict != "continue":
            return


if __name__ == "__main__":
    main()
