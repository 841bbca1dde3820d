#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whole sweeps with real processes: what a trial costs beyond its own time, and what a death costs.

    sweeps.py BIN --dir DIR [--quick] [--only PART]

Prints rows (docs/benchmarks.md) on stdout. Times are those of events in the store, or of this
process looking at the store every few milliseconds.
"""
import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time

SOURCE = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
parser = argparse.ArgumentParser()
parser.add_argument("bin")
parser.add_argument("--dir", required=True)
parser.add_argument("--quick", action="store_true")
parser.add_argument("--only", help="overhead, failover, orphans or losses")
args = parser.parse_args()
os.makedirs(args.dir, exist_ok=True)
tempfile.tempdir = os.path.abspath(args.dir)
sys.argv = [sys.argv[0], args.bin, SOURCE]
sys.path.insert(0, os.path.join(SOURCE, "tests", "system"))
import checker  # noqa: E402
from breaker import Sweep  # noqa: E402
from harness import equal, wait  # noqa: E402

CORES = len(os.sched_getaffinity(0))
LOOK_S = 0.005

PATTERN = """
assay: 1
name: sweep
retries: 100
run:
  command: %s
  metrics: {pattern: 'step=(?<step>\\d+) loss=(?<loss>\\S+)'}
  env: {OMPI_ALLOW_RUN_AS_ROOT: '1', OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: '1'}
objective: {metric: loss, goal: minimize, take: last}
parameters:
  x: {min: 0.0, max: 1.0}
search: {sampler: random, seed: 3}
budget: {trials: %d}
"""


def row(name, value, unit, n, **more):
    print(json.dumps({"name": name, **({"case": more.pop("case")} if "case" in more else {}),
                      "value": value, "unit": unit, "n": n, **more}), flush=True)


def until(condition):
    """Seconds until condition() holds."""
    start = time.monotonic()
    while not condition():
        if time.monotonic() - start > 120:
            raise AssertionError("waited in vain")
        time.sleep(LOOK_S)
    return time.monotonic() - start


def script(text):
    return json.dumps(["sh", "-c", text])


# ---- what a trial costs beyond its own time ---------------------------------------------------

def overhead():
    """Submission to end, over what two slots need at least."""
    trials = 40 if args.quick else 200
    with Sweep(trials) as sweep:
        sweep.write("study.yaml", PATTERN % (script('sleep 1; echo "step=1 loss={x}"'), trials))
        sweep.run("up", "--cores", "2")
        sweep.begin()
        sweep.finish()
        first, last = sweep.store().execute(
            "select min(wall_us), max(wall_us) from event where study > 0 and kind <> 16").fetchone()
        sweep.down()
        equal("ends", dict(checker.History(sweep.store()).ends()), {"complete": trials})
        row("sweep.overhead_share", (last - first) / 1e6 / (trials / 2) - 1, "1", 1,
            trials=trials, seconds=(last - first) / 1e6)


# ---- what a death costs -----------------------------------------------------------------------

def beyond(sweep, seq):
    """Whether an attempt leased after event seq has reported a step beyond where it started."""
    store = sweep.store()
    for trial, attempt, body in store.execute(
            "select trial, attempt, body from event where seq > ? and kind = 6", (seq,)):
        start = checker.read_body(6, body)["from"][1]
        for (report,) in store.execute("select body from event where seq > ? and kind = 8 and "
                                       "trial = ? and attempt = ?", (seq, trial, attempt)):
            if checker.read_body(8, report)["step"] > start:
                return True
    return False


def failover_once(model):
    with Sweep(2) as sweep:
        if model:
            sweep.model(epochs=100000)
        else:
            sweep.command(steps=100000, pace=0.05)
        sweep.begin()
        if model:  # it makes one a minute, and one whenever it is interrupted
            sweep.more("report", 5)
            sweep.interrupt()
            sweep.finish(code=130)
            sweep.begin("--resume")
        wait(lambda: sweep.count("checkpoint") >= 2, "checkpoints")
        sweep.more("report", 10)
        seq = sweep.store().execute("select max(seq) from event").fetchone()[0]
        (agent,) = sweep.named("assay-worker")
        sweep.signal(agent, signal.SIGKILL)
        seconds = until(lambda: beyond(sweep, seq))
        for _ in range(2):
            sweep.interrupt()
        sweep.finish(code=130)
        return seconds


def failover():
    n = 3 if args.quick else 7
    for case, model in (("command", False), ("model", True)):
        seconds = [failover_once(model) for _ in range(n)]
        row("service.failover_s", statistics.median(seconds), "s", n, case=case, max=max(seconds))


def orphans_once(command):
    with Sweep(2) as sweep:
        sweep.write("study.yaml", PATTERN % (command, 2))
        sweep.begin()
        wait(lambda: len(sweep.named("sleep")) >= 4, "programs to start")
        for pid in sweep.node() + sweep.named("assay-worker"):  # the node first: it restarts agents
            sweep.signal(pid, signal.SIGKILL)
        seconds = until(lambda: not sweep.named("sleep", "mpirun", "sh", "assay-attempt"))
        for pid in sweep.named("assay-coordinator"):
            sweep.signal(pid, signal.SIGKILL)
        sweep.process.kill()
        sweep.process.communicate()
        return seconds


def orphans():
    n = 3 if args.quick else 7
    cases = {"daemon": script("(setsid sleep 1000 &); sleep 1000"),
             "mpirun": json.dumps(["mpirun", "-n", "2", "--oversubscribe", "--bind-to", "none",
                                   "sleep", "1000"])}
    for case, command in cases.items():
        seconds = [orphans_once(command) for _ in range(n)]
        row("service.orphans_s", max(seconds), "s", n, case=case,
            median=statistics.median(seconds))


def losses():
    """A sweep on all cores, and as many busy processes beside it."""
    seconds = 20 if args.quick else 180
    hog = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done"
    hogs = [subprocess.Popen(["sh", "-c", "while :; do :; done"]) for _ in range(CORES)]
    try:
        with Sweep(1000000) as sweep:
            sweep.write("study.yaml", (PATTERN % (script(f'{hog}; echo "step=1 loss={{x}}"'),
                                                  sweep.trials))
                        .replace("budget: {", f"budget: {{time: {seconds}s, "))
            sweep.begin()
            sweep.finish()
            sweep.down()
            history = checker.History(sweep.store())
            ends = history.ends()
            gone = sum(e.kind == "worker-gone" and e.body["cause"] == 72 for e in history.events)
            row("service.false_losses", gone + ends["lost"], "1", 1, seconds=seconds,
                trials=ends["complete"], cores=CORES)
    finally:
        for process in hogs:
            process.kill()
            process.wait()


for part in (overhead, failover, orphans, losses):
    if args.only in (None, part.__name__):
        part()
