# SPDX-License-Identifier: Apache-2.0
"""A sweep that is broken on purpose, and what must be true of it in the end."""
import os
import random
import signal
import subprocess

import checker
from harness import BIN, SOURCE, Home, equal, wait

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "program.py")
CORES = 2

COMMAND = """
assay: 1
name: sweep
retries: 100
run:
  command: [python3, %s, "%d", %s, "%s"%s]
  checkpoint: %s
  grace: %s
  length: {unit: steps, max: %d}
objective: {metric: loss, goal: minimize, take: last}
parameters:
  x: {min: 0.0, max: 1.0}
search: {sampler: random, seed: 3%s}
budget: {trials: %d}
"""
RUNGS = ", pruner: {name: asha, min: 2, reduction: 2}"

NATIVE = """
assay: 1
name: sweep
retries: 100
run:
  model: mlp
  length: {unit: epochs, max: %d}
data:
  file: %s/examples/data/digits.csv.gz
  label: -1
objective: {metric: val_accuracy, goal: maximize, take: best}
parameters:
  lr: {min: 1e-3, max: 0.1, scale: log}
  hidden: {min: 16, max: 64, scale: log}
search: {sampler: random, seed: 3%s}
budget: {trials: %d}
"""


class Sweep(Home):
    """A home, a study in it, and `assay run` on that study."""

    def __init__(self, trials, settings="", env=None):
        self.trials, self.settings, self.extra = trials, settings, env or {}
        self.log = ""

    def __enter__(self):
        super().__enter__()
        self.records = os.path.join(self.path, "records")
        os.makedirs(self.records)
        os.makedirs(self.env["ASSAY_HOME"])
        with open(os.path.join(self.env["ASSAY_HOME"], "config.yaml"), "w") as file:
            file.write(self.settings)
        self.env.update(self.extra)
        return self

    def command(self, steps=8, pace=0.02, checkpoint=True, rungs=False, deaf=False):
        flags = (", --checkpoint" if checkpoint else "") + (", --deaf" if deaf else "")
        self.write("study.yaml", COMMAND % (PROGRAM, steps, self.records, pace, flags,
                                            "true" if checkpoint else "false",
                                            "300s" if deaf else "5s", steps,
                                            RUNGS if rungs else "", self.trials))
        return self

    def listen(self):
        """Ends the deafness of the programs."""
        self.write("listen", "")

    def hurry(self):
        """Steps of the programs take no time from here on."""
        self.write("hurry", "")

    def model(self, epochs=6, rungs=False):
        self.write("study.yaml",
                   NATIVE % (epochs, SOURCE, RUNGS if rungs else "", self.trials))
        self.records = None
        return self

    # ---- running it

    def begin(self, *args):
        self.process = self.start("run", "study.yaml", "--cores", str(CORES), *args)

    def over(self):
        return self.process.poll() is not None

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)

    def finish(self, code=0):
        out, err = self.process.communicate(timeout=600)
        self.log += out + err
        equal(f"exit\n{out}\n{err}", self.process.returncode, code)

    def down(self):
        """Everything ends, whoever is left."""
        if self.named("assay-coordinator"):
            self.run("down")
        for pid in self.named("assay-worker"):  # of a node that was killed
            self.signal(pid, signal.SIGTERM)
        wait(lambda: not self.processes(), "everything to end")

    def check(self):
        return checker.check(self.store(), self.trials, self.records)

    # ---- looking at it

    def events(self, where=""):
        """Events in the store; 0 while there is none."""
        try:
            return self.store().execute(f"select count(*) from event {where}").fetchone()[0]
        except Exception:
            return 0

    def count(self, kind, where=""):
        """Those of a kind."""
        number = {v: k for k, v in checker.KINDS.items()}[kind]
        return self.events(f"where kind = {number} {where}")

    def study_state(self):
        try:
            states = self.store().execute("select state from study").fetchone()
        except Exception:
            return None
        return {1: "running", 2: "paused", 3: "stopping", 4: "finished"}.get(states and states[0])

    def more(self, kind, n, what=None):
        """Until n more events of the kind are stored, or the run is over."""
        start = self.count(kind)
        wait(lambda: self.count(kind) >= start + n or self.over(), what or f"{n} more of {kind}")

    def named(self, *names):
        """Pids of programs by their whole name."""
        found = []
        for pid in self.processes():
            try:
                with open(f"/proc/{pid}/comm") as file:
                    comm = file.read().strip()
            except OSError:
                continue
            if comm in {n[:15] for n in names}:
                found.append(pid)
        return found

    def node(self):
        """`assay node`, the parent of coordinator and agent."""
        return [pid for pid in self.named("assay") if pid != self.process.pid]

    @staticmethod
    def signal(pid, signum):
        try:
            os.kill(pid, signum)
            return True
        except ProcessLookupError:
            return False


def parent(pid):
    """0: it is gone."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return int(file.read().rsplit(")", 1)[1].split()[1])
    except OSError:
        return 0


def stopped(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] in "TZX"
    except OSError:
        return True


class Breaker:
    """Seeded violence against a sweep; keeps count of what it did."""

    VICTIMS = {"coordinator": ("assay-coordinator",), "agent": ("assay-worker",),
               "supervisor": ("assay-attempt",), "program": ("python3", "assay-trainer")}

    def __init__(self, sweep, seed):
        self.sweep, self.rng = sweep, random.Random(seed)
        self.kills = dict.fromkeys(self.VICTIMS, 0)
        self.stops = {"agent": 0, "coordinator": 0}  # long ones
        self.power_cuts = 0

    def pick(self, victim):
        """None of those that `assay run` itself asks for scores: they are no trial's, and nobody
        starts them again."""
        pids = sorted(pid for pid in self.sweep.named(*self.VICTIMS[victim])
                      if parent(pid) != self.sweep.process.pid)
        return self.rng.choice(pids) if pids else None

    def kill(self, victim):
        pid = self.pick(victim)
        if pid and self.sweep.signal(pid, signal.SIGKILL):
            self.kills[victim] += 1

    def stop(self, victim):
        """For a moment."""
        pid = self.pick(victim)
        if pid and self.sweep.signal(pid, signal.SIGSTOP):
            wait(lambda: stopped(pid), "a process to stop")
            self.sweep.signal(pid, signal.SIGCONT)

    def stop_long(self, victim):
        """Until the other side has noticed."""
        sweep, pid = self.sweep, self.pick(victim)
        log = os.path.join(sweep.env["ASSAY_HOME"], "node.log")

        def noticed():
            if victim == "agent":
                return sweep.count("worker-gone")
            with open(log, errors="replace") as file:
                return file.read().count("lost the coordinator")

        if not pid:
            return
        before = noticed()
        if sweep.signal(pid, signal.SIGSTOP):
            self.stops[victim] += 1
            wait(lambda: noticed() > before or sweep.over(), f"a stopped {victim} to be noticed")
            sweep.signal(pid, signal.SIGCONT)

    def cut_power(self):
        """Everything at once, `assay run` included; then --resume."""
        pids = sorted(self.sweep.processes())
        self.rng.shuffle(pids)
        for pid in pids:
            self.sweep.signal(pid, signal.SIGKILL)
        self.power_cuts += 1
        wait(lambda: not self.sweep.processes(), "everything to end")
        self.sweep.process.communicate()
        if self.sweep.study_state() == "finished":
            self.sweep.process = self.sweep.start("ls")  # only a last screen is lost
        elif self.sweep.count("trial-created") > 0:
            self.sweep.begin("--resume")
        else:
            self.sweep.begin()

    def allowed(self):
        """The most attempts that may have crashed, been cut off while they ran, and been lost on
        their way to an agent: with a connection, or a coordinator between commit and send."""
        crashed = self.kills["supervisor"] + self.kills["program"]
        cut = CORES * (self.kills["agent"] + self.stops["agent"] + self.power_cuts)
        return crashed, cut, cut + CORES * (self.kills["coordinator"] + self.stops["coordinator"])


def hold_to_account(breaker, history):
    """No attempt more than what was done to the sweep explains."""
    started = {(e.trial, e.attempt) for e in history.events if e.kind == "started"}
    ends = [e for e in history.events if e.kind == "ended"]
    cut = [(e.trial, e.attempt) in started for e in ends
           if e.body["end"] in ("lost", "preempted", "refused")]
    got = (history.ends()["crashed"], cut.count(True), cut.count(False))
    if any(n > most for n, most in zip(got, breaker.allowed())):
        why = [(e.seq, e.trial, e.attempt, e.body["end"], e.body["text"]) for e in ends
               if e.body["end"] not in ("complete", "paused")]
        raise AssertionError(f"crashed, cut off, lost on the way: {got}, at most "
                             f"{breaker.allowed()}: {why}")


def undisturbed(trials, epochs):
    """The tables of a native study that trains every trial to its end when nobody breaks anything."""
    with Sweep(trials) as calm:
        calm.model(epochs)
        calm.begin()
        calm.finish()
        calm.down()
        return checker.History(calm.store()).tables()


def changes(got, want, whole=True):
    """What is in one table and not, or otherwise, in the other; not whole: what is missing in got may
    be, and so may be what a trial came to."""
    keys = got.keys() | want.keys() if whole else {k for k in got if isinstance(k, tuple)}
    return {k: (got.get(k), want.get(k)) for k in keys if got.get(k) != want.get(k)}


def crash_points(program):
    text = subprocess.run([os.path.join(BIN, program), "--crash-points"], check=True,
                          capture_output=True, text=True).stdout
    return [line.split()[0] for line in text.splitlines()]
