# SPDX-License-Identifier: Apache-2.0
"""A coordinator, and a worker that reaches it through a proxy."""
import json
import os

import checker
from alone import Alone
from breaker import PROGRAM
from harness import wait
from proxy import Proxy

QUICK = "heartbeat: 100ms\nsuspect_after: 500ms\nlost_after: 2s\n"
TRIALS, CORES, STEPS = 4, 2, 15
STUDY = """
assay: 1
name: sweep
run:
  command: [python3, %s, "%d", %s, "%g", --checkpoint]
  checkpoint: true
  length: {unit: steps, max: %d}
objective: {metric: loss, goal: minimize, take: last}
parameters: {x: {min: 0.0, max: 1.0}}
search: {sampler: random, seed: 5}
budget: {trials: %d}
"""


class Behind(Alone):
    """A worker behind a proxy."""

    def __init__(self, settings=QUICK, trials=TRIALS, pace=0.05):
        self.settings, self.trials, self.pace = settings, trials, pace

    def __enter__(self):
        super().__enter__()
        self.begin(self.settings)
        self.records = os.path.join(self.path, "records")
        os.makedirs(self.records)
        with open(self.file("coordinator.json")) as file:
            port = int(json.load(file)["endpoints"][0].rpartition(":")[2])
        self.proxy = Proxy("127.0.0.1", port).__enter__()
        path = self.proxy.discovery(self.env["ASSAY_HOME"], os.path.join(self.path, "found.json"))
        self.worker(CORES, "--discovery", path)
        self.await_workers()
        self.write("study.yaml", STUDY % (PROGRAM, STEPS, self.records, self.pace,
                                          STEPS, self.trials))
        self.run("submit", "study.yaml")
        return self

    def __exit__(self, *what):
        self.proxy.__exit__()
        super().__exit__(*what)

    def more(self, n):
        before = self.stored("report")
        wait(lambda: self.stored("report") >= before + n or self.over(), f"{n} more reports")

    def over(self):
        return self.stored("report") >= self.trials * STEPS

    def state(self):
        return [w["state"] for w in self.json("workers")["workers"]]

    def finish(self):
        self.proxy.heal()
        self.write("hurry", "")
        self.run("watch", "sweep")
        self.down()
        return checker.check(self.store(), self.trials, self.records)

    def log(self):
        with open(os.path.join(self.path, "assay-worker.log"), errors="replace") as file:
            return file.read()
