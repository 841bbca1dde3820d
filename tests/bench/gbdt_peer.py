#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""xgboost on the data of bench_gbdt: the same rows, rounds, depth and rate, 256 bins, one thread.

    /usr/bin/python3 gbdt_peer.py FILE ROWS FEATURES TRAINED ROUNDS DEPTH RATE

Prints, for each way that xgboost has into its histograms: its name, the seconds of processor time
from floats in memory to the model, the log loss of the rows that it was not trained on; last its
version. Wants the Debian package python3-xgboost.
"""
import os
import sys
import time

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
import numpy  # noqa: E402
import xgboost  # noqa: E402

path, (rows, features, trained, rounds, depth) = sys.argv[1], map(int, sys.argv[2:7])
options = {"objective": "binary:logistic", "tree_method": "hist", "max_bin": 256, "nthread": 1,
           "max_depth": depth, "eta": float(sys.argv[7]), "base_score": 0.5}
data = numpy.fromfile(path, numpy.float32)
x, label = data[:rows * features].reshape(rows, features), data[rows * features:]
test = xgboost.DMatrix(x[trained:])
for way, more in ((xgboost.DMatrix, {}), (xgboost.QuantileDMatrix, {"max_bin": 256})):
    begin = time.process_time()
    matrix = way(x[:trained], label[:trained], nthread=1, **more)
    booster = xgboost.train(options, matrix, rounds)
    took = time.process_time() - begin
    margins = booster.predict(test, output_margin=True).astype(float)
    loss = numpy.mean(numpy.logaddexp(0, margins) - label[trained:] * margins)
    print(way.__name__, took, loss)
print(xgboost.__version__)
