# SPDX-License-Identifier: Apache-2.0
"""A backup is made while trials run, their coordinator dies, the backup is restored into its home:
a new store, to whose coordinator the worker offers what it runs. Adopted, it goes on where it is;
discarded, it is done anew. No trial has two results."""
import os
import shutil

import checker
from alone import Alone
from harness import Home, equal, has, main, wait

SETTINGS = "reattach_window: 2s\nlost_after: 3s\nsuspect_after: 1s\nheartbeat: 200ms\n"
# Steps until the file `go` is there, then two more.
PROGRAM = """
import json, os, socket, sys, time
s = socket.socket(socket.AF_UNIX); s.connect(os.environ["ASSAY_SOCKET"])
f = s.makefile("rwb")
step, last = 0, None
while last is None or step < last:
    step += 1
    f.write(json.dumps({"step": step, "metrics": {"loss": 1 / step}}).encode() + b"\\n")
    f.flush(); f.readline()
    print("step", step, flush=True)
    if last is None and os.path.exists(sys.argv[1]):
        last = step + 2
    time.sleep(0.05)
"""
STUDY = """
assay: 1
name: sweep
run: {command: [python3, %s, %s]}
objective: {metric: loss, goal: minimize, take: last}
parameters: {x: {min: 0.0, max: 1.0}}
search: {sampler: random, seed: 5}
budget: {trials: %d}
resources: {cores: %d}
"""
TRIALS = 2


class Place(Alone):
    def begin(self, settings="", cores=1, invited=False):
        """cores: that a trial needs; a worker of a whole one is there, or all its own by invitation."""
        super().begin(SETTINGS + settings)
        self.write("program.py", PROGRAM)
        self.write("study.yaml", STUDY % (os.path.join(self.path, "program.py"),
                                          os.path.join(self.path, "go"), TRIALS, cores))
        if invited:
            self.run("invite", "--worker", "lab", "--output", "lab.invitation")
            self.worker(2, "--home", os.path.join(self.path, "lab"), "--join", "lab.invitation")
        else:
            self.worker(1)
        self.await_workers()
        self.run("submit", "study.yaml")

    def restore(self):
        self.coordinator.kill()
        self.coordinator.wait()
        shutil.move(self.file("store"), os.path.join(self.path, "lost"))
        out, err = self.run("restore", "backup.db")
        has("told", out, "1 study restored")
        has("told", err, "assay adopt")
        self.coordinator = self.program("assay-coordinator", "--keep")

    def offers(self):
        workers = self.json("workers")["workers"]
        return [offer for worker in workers for offer in worker["offers"]]

    def programs(self):
        return sorted(self.processes("python3"))

    def finish(self):
        self.write("go", "")
        self.run("watch", "sweep")
        self.down()

    def leases(self, trial):
        history = checker.History(self.store())
        return [e.attempt for e in history.of(trial) if e.kind == "leased"]

    def check_whole(self):
        """Of each trial all steps are there, from the first on."""
        history = checker.check(self.store(), TRIALS)
        for trial in history.trials:
            steps = [step for name, step, _ in history.metrics(trial)]
            equal(f"steps of trial {trial}", steps, list(range(1, len(steps) + 1)))


def run_and_back_up(home):
    home.begin()
    home.worker(1)
    wait(lambda: len(home.programs()) == TRIALS and home.stored("report") > 3, "reports")
    out, err = home.run("backup", "backup.db")
    has("told", out, "backup.db: 1 study, ")
    has("told", err, "artifacts/, logs/ and keys/")
    has("twice", home.run("backup", "backup.db", code=1)[1], "overwrites nothing")
    known = home.stored("report")
    wait(lambda: home.stored("report") > known + 10, "reports that the backup has not")
    return home.programs()


def what_runs_is_offered_and_adopted():
    with Place() as home:
        pids = run_and_back_up(home)
        has("a store is there", home.run("restore", "backup.db", code=1)[1], "already")
        home.restore()
        wait(lambda: [o["fits"] for o in home.offers()] == [True] * TRIALS, "offers")
        equal("the programs run on", home.programs(), pids)
        has("ls", home.run("ls")[1], "2 attempts from before a backup was restored wait")
        has("workers", home.run("workers")[0], "can be adopted")
        has("explain", home.run("explain", "sweep", "0")[0], "assay adopt")
        out, _ = home.run("adopt", "sweep")
        equal("told", out, "2 adopted\n")
        equal("nothing is left", home.offers(), [])
        equal("the programs run on", home.programs(), pids)
        home.finish()
        home.check_whole()
        equal("attempts", home.leases(0), [1, 2])


def logs_bear_the_new_number_at_an_invited_worker_too():
    with Place() as home:
        home.begin(invited=True)
        wait(lambda: home.stored("started") == TRIALS and home.stored("report") > 3, "reports")
        home.run("backup", "backup.db")
        home.restore()
        wait(lambda: [o["fits"] for o in home.offers()] == [True] * TRIALS, "offers")
        home.run("adopt", "sweep")
        has("its logs", home.run("logs", "sweep", "0", "--attempt", "2")[0], "step 1\n")
        home.finish()
        has("to the end", home.run("logs", "sweep", "0")[0], "step 1\n")


def what_is_discarded_is_done_anew():
    with Place() as home:
        pids = run_and_back_up(home)
        home.restore()
        wait(lambda: len(home.offers()) == TRIALS, "offers")
        has("a study that nobody has", home.run("adopt", "other", code=1)[1], "no study 'other'")
        out, _ = home.run("discard", "--all")
        equal("told", out, "2 discarded\n")
        wait(lambda: len(home.programs()) == TRIALS and not set(home.programs()) & set(pids),
             "other programs in their place")
        home.finish()
        home.check_whole()


def trials_that_the_backup_has_not_are_adopted_once_they_are_made_again():
    """The worker comes after the backup, so that has no trial at all."""
    with Place() as home:
        home.begin("reattach_foreign: adopt\n", cores=2)
        equal("trials", home.stored("trial-created"), 0)
        home.run("backup", "backup.db")
        home.worker(2)
        wait(lambda: home.stored("report") > 10, "reports")
        pids = home.programs()
        home.restore()
        wait(lambda: home.stored("report") > 10, "their reports again")
        equal("the programs run on", home.programs(), pids)
        home.finish()
        home.check_whole()
        equal("attempts", home.leases(0), [1])


def what_is_no_backup_is_refused():
    with Home() as home:
        home.write("text", "no database")
        has("a text", home.run("restore", "text", code=1)[1], "text")
        has("nothing", home.run("restore", "nothing", code=1)[1], "cannot read 'nothing'")
        has("no store", home.run("backup", "b", code=1)[1], "there is no store")
        equal("nothing is left", os.listdir(os.path.join(home.env["ASSAY_HOME"], "store")),
              ["assay.lock"])


main(what_runs_is_offered_and_adopted,
     logs_bear_the_new_number_at_an_invited_worker_too, what_is_discarded_is_done_anew,
     trials_that_the_backup_has_not_are_adopted_once_they_are_made_again,
     what_is_no_backup_is_refused, at_once=2)
