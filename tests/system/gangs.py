# SPDX-License-Identifier: Apache-2.0
"""Studies whose trials several ranks train, and their processes."""
from harness import SOURCE

STUDY = """
assay: 1
name: %s
run: {model: mlp, length: {unit: epochs, max: %d}}
data: {file: %s/examples/data/digits.csv.gz, label: -1}
objective: {metric: val_loss, goal: minimize}
parameters:
  lr: {min: 1e-3, max: 0.1, scale: log}
  hidden: {values: [16, 32]}
search: {sampler: random, pruner: %s, seed: 1}
budget: {trials: %d}
resources: {ranks: %d, memory: 256MiB}
%s"""


def study(home, ranks, trials=4, epochs=4, pruner="{name: asha, min: 1, reduction: 2}", more="",
          name="gang"):
    return home.write("study.yaml", STUDY % (name, epochs, SOURCE, pruner, trials, ranks, more))


def stat(pid):
    with open(f"/proc/{pid}/stat") as f:
        return f.read().rpartition(") ")[2].split()


def alive(pid):
    try:
        return stat(pid)[0] != "Z"
    except OSError:
        return False


def parent(pid):
    return int(stat(pid)[1])
