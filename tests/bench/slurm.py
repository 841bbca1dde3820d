#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Jobs of a real Slurm: how long until the first training step, and what a requeue costs.

    slurm.py BIN --dir DIR [--quick]

Prints rows (docs/benchmarks.md) on stdout. The start of a batch script is taken by a line in a copy
of the template, the first step by the first report in the store.
"""
import argparse
import json
import os
import statistics
import sys
import tempfile

SOURCE = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
parser = argparse.ArgumentParser()
parser.add_argument("bin")
parser.add_argument("--dir", required=True)
parser.add_argument("--quick", action="store_true")
args = parser.parse_args()
os.makedirs(args.dir, exist_ok=True)
tempfile.tempdir = os.path.abspath(args.dir)
sys.argv = [sys.argv[0], args.bin, SOURCE]
sys.path.insert(0, os.path.join(SOURCE, "tests", "slurm"))
from kit import Cluster, Job  # noqa: E402

ONE, SEVERAL = "one-node.sbatch", "several-nodes.sbatch"


def row(name, case, value, unit, n, **more):
    print(json.dumps({"name": name, "case": case, "value": value, "unit": unit, "n": n, **more}),
          flush=True)


class Timed(Job):
    """Its batch script leaves the time of its start in the file `start`."""

    def template(self, name):
        with open(os.path.join(SOURCE, "slurm", name)) as file:
            text = file.read()
        return self.write(name, text.replace("exec assay", "date +%s.%N > start\nexec assay"))


def first_step(template):
    with Timed(2) as job:
        job.model(epochs=2)
        job.submit(job.template(template))
        job.ended("COMPLETED")
        with open(os.path.join(job.path, "start")) as file:
            start = float(file.read())
        told = job.store().execute("select min(wall_us) from event where kind = 8").fetchone()[0]
        return told / 1e6 - start


def lost_steps(interrupt):
    with Job(2) as job:
        job.model(epochs=600)
        job.submit(ONE)
        job.reports(20)
        interrupt(job)
        job.restarted()
        job.ended("COMPLETED")
        job.check()
        return job.lost_steps()


def requeue(job):
    job.ask("scontrol", "requeue", job.id)


def warn_batch(job):
    job.ask("scancel", "--signal=USR1", "--batch", job.id)


try:
    Job.cluster = Cluster()
except SystemExit:  # it has said why
    for name, unit in (("slurm.first_step_s", "s"), ("slurm.requeue_lost_steps", "steps")):
        print(json.dumps({"name": name, "value": None, "unit": unit,
                          "why": "no Slurm can be set up here"}))
    sys.exit(0)
for case, template in (("one-node", ONE), ("two-nodes", SEVERAL)):
    seconds = [first_step(template) for _ in range(3 if args.quick else 7)]
    row("slurm.first_step_s", case, round(statistics.median(seconds), 3), "s", len(seconds),
        worst=round(max(seconds), 3))
for case, interrupt in (("requeue", requeue), ("usr1", warn_batch)):
    lost = [n for _ in range(1 if args.quick else 3) for n in lost_steps(interrupt)]
    row("slurm.requeue_lost_steps", case, max(lost), "steps", len(lost))
