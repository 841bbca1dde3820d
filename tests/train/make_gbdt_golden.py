#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What xgboost makes of the digits: margins and losses that test_gbdt_parity.c holds ours against.

    /usr/bin/python3 tests/train/make_gbdt_golden.py > tests/train/data/gbdt_xgboost.json

Wants the Debian package python3-xgboost. Pixels have 17 values, so both bin them alike, one value a
bin. `label` says what is learnt from the digit, `missing` that pixels of 0 are missing ones, `weight`
that row r weighs 1 + r % 3, `jitter` that pixels are moved by up to 1, each by another number, from a
generator of a few lines that the test has, too: then there are more values than bins, both divide them by
quantiles of their own, and only the losses are alike. Margins are those of every `every`-th row.
"""
import gzip
import json
import os

import numpy
import xgboost

DIGITS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "examples", "data",
                      "digits.csv.gz")
EVERY = 40
CASES = [
    {"name": "squared", "loss": "squared", "label": "digit", "rounds": 20, "max_depth": 5,
     "learning_rate": 0.3, "l2": 1, "l1": 0, "gamma": 0, "min_child_weight": 1},
    {"name": "squared with penalties and weights", "loss": "squared", "label": "digit", "rounds": 20,
     "max_depth": 6, "learning_rate": 0.1, "l2": 3, "l1": 2, "gamma": 5, "min_child_weight": 20,
     "weight": True},
    {"name": "logistic", "loss": "logistic", "label": "odd", "rounds": 20, "max_depth": 4,
     "learning_rate": 0.3, "l2": 1, "l1": 0, "gamma": 0, "min_child_weight": 1},
    {"name": "logistic with missing values", "loss": "logistic", "label": "odd", "rounds": 20,
     "max_depth": 4, "learning_rate": 0.3, "l2": 1, "l1": 0.5, "gamma": 0.1, "min_child_weight": 2,
     "missing": True},
    {"name": "softmax", "loss": "softmax", "label": "digit", "rounds": 10, "max_depth": 4,
     "learning_rate": 0.3, "l2": 1, "l1": 0, "gamma": 0, "min_child_weight": 1},
    {"name": "softmax with missing values and weights", "loss": "softmax", "label": "digit",
     "rounds": 10, "max_depth": 3, "learning_rate": 0.3, "l2": 1, "l1": 0, "gamma": 0,
     "min_child_weight": 0.5, "missing": True, "weight": True},
    {"name": "softmax of real numbers", "loss": "softmax", "label": "digit", "rounds": 10, "max_depth": 4,
     "learning_rate": 0.3, "l2": 1, "l1": 0, "gamma": 0, "min_child_weight": 1, "jitter": True},
    {"name": "squared of real numbers", "loss": "squared", "label": "digit", "rounds": 20, "max_depth": 3,
     "learning_rate": 0.1, "l2": 1, "l1": 0, "gamma": 0, "min_child_weight": 1, "jitter": True},
]
OBJECTIVES = {"squared": "reg:squarederror", "logistic": "binary:logistic",
              "softmax": "multi:softprob"}


def mean_loss(loss, margins, label, weight):
    if loss == "squared":
        each = (margins - label) ** 2 / 2
    elif loss == "logistic":
        each = numpy.logaddexp(0, margins) - label * margins
    else:
        top = margins.max(axis=1, keepdims=True)
        total = numpy.log(numpy.exp(margins - top).sum(axis=1)) + top[:, 0]
        each = total - margins[numpy.arange(len(label)), label.astype(int)]
    return float((each * weight).sum() / weight.sum())


def jitter(n):
    """Numbers in [0, 1)."""
    state, drawn = 7, numpy.empty(n)
    for i in range(n):
        state = (state * 1664525 + 1013904223) % 2**32
        drawn[i] = state / 2**32
    return drawn


def run(case, table):
    x, digit = table[:, :-1].copy(), table[:, -1]
    if case.get("jitter"):
        x = (x + jitter(x.size).reshape(x.shape)).astype(numpy.float32)
    label = digit % 2 if case["label"] == "odd" else digit
    weight = 1 + numpy.arange(len(label)) % 3 if case.get("weight") else numpy.ones(len(label))
    if case.get("missing"):
        x[x == 0] = numpy.nan
    data = xgboost.DMatrix(x, label, weight=weight)
    options = {"objective": OBJECTIVES[case["loss"]], "tree_method": "hist", "nthread": 1,
               "base_score": 0.5 if case["loss"] == "logistic" else 0, "eta": case["learning_rate"],
               "max_depth": case["max_depth"], "reg_lambda": case["l2"], "reg_alpha": case["l1"],
               "gamma": case["gamma"], "min_child_weight": case["min_child_weight"]}
    if case["loss"] == "softmax":
        options["num_class"] = 10
    booster = xgboost.train(options, data, case["rounds"])
    margins = booster.predict(data, output_margin=True).astype(float)
    nodes = [len(tree.split("\n")) - 1 for tree in booster.get_dump()]
    case = {**case, "mean_loss": mean_loss(case["loss"], margins, label, weight)}
    if case.get("jitter"):
        return case
    return {**case, "nodes": sum(nodes), "margins": [round(float(m), 6) for m in margins[::EVERY].reshape(-1)]}


def main():
    with gzip.open(DIGITS, "rt") as file:
        table = numpy.loadtxt(file, delimiter=",", dtype=numpy.float32)
    lines = ",\n".join(json.dumps(run(case, table)) for case in CASES)
    print(f'{{"xgboost": "{xgboost.__version__}", "every": {EVERY}, "cases": [\n{lines}\n]}}')


if __name__ == "__main__":
    main()
