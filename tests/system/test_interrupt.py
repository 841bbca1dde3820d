# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C: the first drains, the second ends at once, --resume goes on, training included."""
import collections
import os
import signal

from breaker import Sweep, changes, undisturbed
from harness import equal, has, main, wait


def done_once(history):
    """No step was done twice, and none is missing."""
    steps = collections.Counter((e.trial, e.body["step"]) for e in history.events
                                if e.kind == "report")
    equal("steps done twice", {k: n for k, n in steps.items() if n > 1}, {})


def nothing_is_left(sweep):
    equal("left after the command's end", sweep.processes(), [])


def the_first_drains_and_resume_goes_on():
    with Sweep(6) as sweep:
        sweep.command(steps=12, pace=0.5)
        sweep.begin()
        sweep.more("report", 5)
        for _ in range(2):
            sweep.interrupt()
            sweep.finish(code=130)
            nothing_is_left(sweep)
            equal("study", sweep.study_state(), "paused")
            sweep.begin("--resume")
            sweep.more("report", 3)
        sweep.hurry()
        sweep.finish()
        sweep.down()
        history = sweep.check()
        done_once(history)
        ends = history.ends()
        equal("only paused, or leased too late", set(ends) - {"paused", "preempted", "complete"},
              set())
        if not ends["paused"]:
            raise AssertionError(f"nothing was interrupted: {dict(ends)}")
        if not history.durable:
            raise AssertionError("no program heard that anything is durable")


def a_native_sweep_trains_on():
    """The trainers stand still from their first epochs on until they are asked to pause: 2000 epochs
    would take them a few seconds."""
    epochs = 2000
    with Sweep(4) as sweep:
        sweep.model(epochs)
        sweep.begin()
        sweep.more("report", 5)
        trainers = sweep.named("assay-trainer")
        for pid in trainers:
            sweep.signal(pid, signal.SIGSTOP)
        sweep.interrupt()
        wait(lambda: sweep.study_state() == "paused", "the drain to begin")
        for pid in trainers:
            sweep.signal(pid, signal.SIGCONT)
        sweep.finish(code=130)
        nothing_is_left(sweep)
        sweep.begin("--resume")
        sweep.finish()
        sweep.down()
        history = sweep.check()
        done_once(history)
        if not any(e.kind == "leased" and e.body["from"][1] > 0 for e in history.events):
            raise AssertionError("no attempt went on from a checkpoint")
        equal("changed", changes(history.tables(), undisturbed(4, epochs)), {})


def the_second_ends_at_once():
    with Sweep(3) as sweep:
        sweep.command(steps=6, deaf=True)
        sweep.begin()
        wait(lambda: sweep.count("report", "and attempt = 1") >= 4, "both trials to be deaf")
        sweep.interrupt()
        wait(lambda: sweep.study_state() == "paused", "the drain to begin")
        sweep.interrupt()
        sweep.finish(code=130)
        nothing_is_left(sweep)
        sweep.listen()
        sweep.begin("--resume")
        sweep.finish()
        sweep.down()
        history = sweep.check()
        if history.ends()["crashed"] or not history.durable:
            raise AssertionError(f"{dict(history.ends())}, {history.durable} durable")


def before_the_first_trial():
    with Sweep(2) as sweep:
        sweep.command(pace=1)
        sweep.begin()
        wait(lambda: os.path.exists(os.path.join(sweep.env["ASSAY_HOME"], "coordinator.json")),
             "the coordinator to listen")
        sweep.interrupt()
        sweep.finish(code=130)
        wait(lambda: not sweep.processes(), "everything to end")


def a_coordinator_that_dies_while_it_drains_drains_on():
    with Sweep(3) as sweep:
        sweep.command(steps=6, deaf=True)
        sweep.begin()
        wait(lambda: sweep.count("report", "and attempt = 1") >= 4, "both trials to be deaf")
        sweep.interrupt()
        wait(lambda: sweep.study_state() == "paused", "the drain to begin")
        for pid in sweep.named("assay-coordinator"):
            sweep.signal(pid, signal.SIGKILL)
        sweep.listen()
        sweep.finish(code=130)
        nothing_is_left(sweep)
        sweep.begin("--resume")
        sweep.finish()
        sweep.down()
        history = sweep.check()
        done_once(history)
        equal("crashed or lost", history.ends()["crashed"] + history.ends()["lost"], 0)


def a_joined_coordinator_is_left_running():
    with Sweep(2) as sweep:
        sweep.command(steps=6, deaf=True)
        sweep.run("up")
        sweep.begin()
        sweep.more("report", 2)
        sweep.interrupt()
        out, err = sweep.process.communicate(timeout=600)
        equal("exit", sweep.process.returncode, 130)
        has("message", err, "detached; 'sweep' goes on")
        sweep.listen()
        sweep.run("watch", "sweep")
        sweep.down()
        equal("ends", dict(sweep.check().ends()), {"complete": 2})


def a_resume_finds_a_worker_after_a_look():
    """A reading command starts a coordinator that knows of workers, but has none."""
    with Sweep(2) as sweep:
        sweep.command(steps=6, deaf=True)
        sweep.begin()
        sweep.more("report", 2)
        for pid in sweep.processes():
            sweep.signal(pid, signal.SIGKILL)
        sweep.process.communicate()
        wait(lambda: not sweep.processes(), "everything to end")
        sweep.listen()
        sweep.run("ls")
        sweep.begin("--resume")
        sweep.finish()
        sweep.down()
        sweep.check()


main(the_first_drains_and_resume_goes_on, a_native_sweep_trains_on, the_second_ends_at_once,
     before_the_first_trial, a_coordinator_that_dies_while_it_drains_drains_on,
     a_joined_coordinator_is_left_running, a_resume_finds_a_worker_after_a_look, at_once=3)
