# SPDX-License-Identifier: Apache-2.0
"""Sweeps over hosts of their own, for tests that break them: a coordinator on the first host,
workers of one core on the others.

    Shared  one home for all; the coordinator may move to another host
    Apart   homes of their own: workers come by invitation, and all files travel
    Gangs   likewise, and each trial of a model is trained by two ranks on two hosts
"""
import os
import shutil
import signal
import sys

import checker
import hosts
from breaker import PROGRAM
from harness import SOURCE, equal, wait

SETTINGS = ("heartbeat: 100ms\nsuspect_after: 500ms\nlost_after: 2s\nclosed_grace: 200ms\n"
            "reattach_window: 5s\nlost_retries: 1000\n")
STEPS = 8
COMMAND = """
assay: 1
name: sweep
retries: 100
run:
  command: [%s, %s, "%d", %s, "0.04", --checkpoint%s]%s
  checkpoint: true
  length: {unit: steps, max: %d}
objective: {metric: loss, goal: minimize, take: last}
parameters: {x: {min: 0.0, max: 1.0}}
search: {sampler: random, seed: 3}
budget: {trials: %d}
"""
GANG = """
assay: 1
name: sweep
retries: 100
run: {model: mlp, length: {unit: epochs, max: %d}}
data: {file: digits.csv.gz, label: -1}
objective: {metric: val_accuracy, goal: maximize, take: last}
parameters:
  lr: {min: 1e-3, max: 0.1, scale: log}
search: {sampler: random, seed: 3, pruner: {name: asha, min: 2, reduction: 2}}
budget: {trials: %d}
resources: {ranks: 2, memory: 256MiB}
"""


class Shared(hosts.Net):
    """What may be killed: VICTIMS, and what their programs are called.
    The test starts coordinator and agents again."""

    apart, settings = False, SETTINGS
    PROCESSES = {"supervisor": "assay-attempt", "program": "python3"}
    VICTIMS = "coordinator", "agent", *PROCESSES

    def __init__(self, trials, names="abc"):
        super().__init__(names, apart=self.apart)
        self.trials = trials

    def __enter__(self):
        super().__enter__()
        self.head, *self.nodes = self.hosts
        self.home = self.head.env["ASSAY_HOME"]
        os.mkdir(self.home)
        self.write(os.path.join(self.home, "config.yaml"), self.settings)
        self.start_coordinator(self.head)
        wait(lambda: os.path.exists(os.path.join(self.home, "coordinator.json")), "the coordinator")
        self.workers = {}
        for node in self.nodes:
            self.invite(node)
            self.start_worker(node)
        wait(lambda: len(self.head.json("workers")["workers"]) == len(self.workers), "the workers")
        self.records = os.path.join(self.path, "records")
        os.mkdir(self.records)
        if self.trials:
            self.submit(self.study())
        return self

    def submit(self, text):
        self.head.run("submit", self.write(os.path.join(self.head.path, "study.yaml"), text))

    def study(self):
        return COMMAND % (sys.executable, PROGRAM, STEPS, self.records, "", "", STEPS, self.trials)

    @staticmethod
    def write(path, text):
        with open(path, "w") as file:
            file.write(text)
        return path

    def invite(self, node):
        """Whoever shares the home needs none."""

    def start_coordinator(self, host):
        self.coordinator = host.spawn("assay-coordinator", "--keep")

    def start_worker(self, node):
        self.workers[node] = node.spawn("assay-worker", "--cores", "1")

    # ---- looking at it

    def stored(self, kind):
        number = {v: k for k, v in checker.KINDS.items()}[kind]
        try:
            return self.head.store().execute("select count(*) from event where kind = ?",
                                             (number,)).fetchone()[0]
        except Exception:
            return 0

    def over(self):
        try:
            return self.head.store().execute("select state from study").fetchone()[0] == 4
        except Exception:
            return False

    def more(self, kind, n):
        before = self.stored(kind)
        wait(lambda: self.stored(kind) >= before + n or self.over(), f"{n} more of {kind}")

    def named(self, name):
        return sorted(pid for host in self.hosts for pid in host.processes(name))

    # ---- its end

    def finish(self):
        wait(self.over, "the sweep to end")
        for worker in self.workers.values():
            worker.send_signal(signal.SIGTERM)
        equal("the workers' ends", [w.wait() for w in self.workers.values()],
              [0] * len(self.workers))
        self.coordinator.send_signal(signal.SIGTERM)
        equal("the coordinator's end", self.coordinator.wait(), 0)
        history = checker.check(self.head.store(), self.trials, self.records)
        self.check_files(history)
        return history

    def check_files(self, history):
        checker.check_logs(history, self.records, self.logs())
        checker.check_artifacts(history)
        if not self.left():
            return
        self.start_coordinator(self.head)
        wait(lambda: not self.left(), "what attempts have left to go")
        self.coordinator.send_signal(signal.SIGTERM)
        equal("the last coordinator's end", self.coordinator.wait(), 0)

    def left(self):
        homes = {host.env["ASSAY_HOME"] for host in self.hosts}
        return [path for home in homes for path in checker.leftovers(home)]

    def logs(self):
        folder = os.path.join(self.home, "logs")
        study, = [name for name in os.listdir(folder) if len(name) == 32]
        return os.path.join(folder, study)

    # ---- what its deaths may cost

    def allowed(self, kills):
        """As hold_to_account() wants it: attempts that crashed, that were cut off while they ran,
        and that were lost on their way to an agent."""
        cut = kills["agent"]
        return (sum(kills[name] for name in self.PROCESSES), cut,
                cut + len(self.nodes) * kills["coordinator"])


class Apart(Shared):
    apart = True

    def study(self):
        shutil.copy(PROGRAM, self.head.path)
        with open(os.path.join(self.head.path, "ballast"), "wb") as file:
            file.write(os.urandom(3 << 20))
        return COMMAND % (sys.executable, os.path.basename(PROGRAM), STEPS, self.records,
                          ', --heavy, "1500000"', f"\n  files: [{os.path.basename(PROGRAM)}, "
                          "ballast]", STEPS, self.trials)

    def invitation(self, node):
        return os.path.join(node.path, "invitation")

    def invite(self, node):
        """As if by scp: no host sees another one's folders."""
        path = os.path.join(self.head.path, node.name + ".invitation")
        self.head.run("invite", "--worker", node.name, "--output", path)
        os.rename(path, self.invitation(node))

    def start_coordinator(self, host):
        super().start_coordinator(self.head)

    def start_worker(self, node, *args):
        self.workers[node] = node.spawn("assay-worker", "--cores", "1", "--join",
                                        self.invitation(node), *args)

    def check_files(self, history):
        super().check_files(history)
        equal("logs at the workers", [name for node in self.nodes for _, _, files in
                                      os.walk(os.path.join(node.env["ASSAY_HOME"], "logs"))
                                      for name in files], [])


class Gangs(Apart):
    PROCESSES = {"supervisor": "assay-attempt", "rank": "assay-trainer", "mpirun": "mpirun",
                 "orted": "orted"}
    VICTIMS = "coordinator", "agent", *PROCESSES

    def study(self):
        shutil.copy(os.path.join(SOURCE, "examples/data/digits.csv.gz"), self.head.path)
        return GANG % (STEPS, self.trials)

    def allowed(self, kills):
        """One gang runs at a time. A warm one that is killed may cost the attempt that was about to
        begin in it."""
        any_part = sum(kills[name] for name in self.PROCESSES)
        return any_part, kills["agent"], any_part + kills["agent"] + kills["coordinator"]

    def check_files(self, history):
        super().check_files(history)
        complete = sum(e.kind == "trial-state" and e.body["state"] == "complete"
                       for e in history.events)
        equal("artifacts", checker.check_artifacts(history), {"model": complete, "scores.json": complete})
