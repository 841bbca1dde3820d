# SPDX-License-Identifier: Apache-2.0
"""Workers that do not see the coordinator's folders: inputs, programs, checkpoints, models and logs
travel over the bulk socket, whatever dies on the way."""
import hashlib
import os
import signal
import sys

from breaker import crash_points
from far import Far, files_below
from harness import SOURCE, equal, has, main, wait

FOLDER = """
assay: 1
name: far
run:
  command: [python3, train.py, "{x}"]
  files: [train.py, lib, tool]
  checkpoint: true
  length: {unit: steps, max: 3}
objective: {metric: loss, goal: minimize, take: last}
parameters:
  x: {min: 0.0, max: 1.0}
search: {sampler: random, seed: 1}
budget: {trials: 2}
"""
TRAIN = """
import json, os, socket, subprocess, sys
from lib import deep
link = socket.socket(socket.AF_UNIX)
link.connect(os.environ["ASSAY_SOCKET"])
lines = link.makefile("rw")
def say(line):
    lines.write(json.dumps(line) + "\\n")
    lines.flush()
    return json.loads(lines.readline())
print("here", os.getcwd() == os.environ["ASSAY_DIR"], deep.word, flush=True)
print(subprocess.run(["./tool"], capture_output=True, text=True).stdout, end="", flush=True)
print("complaint", file=sys.stderr, flush=True)
for step in (1, 2, 3):
    say({"step": step, "metrics": {"loss": float(sys.argv[1]) / step}})
folder = os.path.join(os.environ["ASSAY_CHECKPOINT_DIR"], "c")
os.makedirs(folder + "/sub")
open(folder + "/sub/state", "wb").write(b"s" * 3000000)
open(folder + "/empty", "w").close()
say({"checkpoint": "c", "step": 3})
print("done", flush=True)
"""


def a_program_runs_where_its_folder_was_never_seen():
    with Far(2) as far:
        coordinator = far.coordinator()
        far.write("study.yaml", FOLDER)
        far.write("train.py", TRAIN)
        far.write("tool", "#!/bin/sh\necho tool runs\n", 0o755)
        os.makedirs(far.path + "/lib/hollow")
        far.write("lib/deep.py", "word = 'deep'\n")
        far.worker()
        far.run("submit", "study.yaml")
        wait(lambda: far.finished("far"), "the study's end")
        out, err = far.run("logs", "far", "0")
        equal("what it printed", out, "here True deep\ntool runs\ndone\n")
        equal("stderr", err, "complaint\n")
        far.end(coordinator)
        equal("nothing is left half", [f for f in files_below(far.path) if ".part-" in f], [])
        equal("no work is left", os.listdir(far.path + "/far/work"), [])
        equal("no logs are left there", files_below(far.path + "/far/logs"), [])


def a_model_comes_back_as_it_was_trained():
    with Far(3) as far:
        coordinator = far.coordinator()
        far.model(epochs=4, rungs=True)
        far.worker()
        far.run("submit", "study.yaml")
        wait(far.finished, "the study's end")
        for path, sha in far.store().execute("select path, sha from artifact"):
            with open(path, "rb") as file:
                equal(path, hashlib.sha256(file.read()).hexdigest(), sha.hex())
        far.run("predict", "sweep", SOURCE + "/examples/data/digits.csv.gz")
        cached = files_below(far.path + "/far/cache")
        has("the data set is in the cache", "\n".join(cached), "digits.csv.gz")
        has("and shown", far.run("doctor", "--home", far.path + "/far", code=None)[0], "the cache of")
        far.end(coordinator)


def a_trial_goes_on_at_a_worker_that_never_saw_it():
    """The second worker has a home of its own: the checkpoints of the first reach it in the one way
    that is left."""
    with Far(3) as far:
        coordinator = far.coordinator()
        first = far.worker("one")
        far.command(steps=30, pace=0.05)
        far.run("submit", "study.yaml")
        wait(lambda: far.count("checkpoint") >= 4, "checkpoints")
        first.kill()
        first.wait()
        far.remote.remove(first)
        far.worker("two")
        wait(far.finished, "the study's end")
        has("fetched", far.worker_log("two"), "bulk: fetched")
        far.check()
        far.end(coordinator)


def a_file_that_was_changed_is_named():
    """Trials that have it go on; those that need it anew fail at once, and say why."""
    with Far(4) as far:
        coordinator = far.coordinator()
        far.worker("one")
        far.command(steps=4, deaf=True)
        text = open(far.path + "/study.yaml").read()
        far.write("study.yaml", text.replace("  checkpoint:", "  files: [notes]\n  checkpoint:"))
        far.write("notes", "as they were")
        far.run("submit", "study.yaml")
        wait(lambda: far.count("started") == 2, "two trials")
        far.write("notes", "as they are!")
        far.worker("two")
        wait(lambda: far.count("ended") == 2, "two trials to fail")
        has("why", far.run("explain", "sweep", "2")[0], "notes' was changed since the study was")
        far.listen()
        wait(far.finished, "the study's end")
        states = [t["state"] for t in far.json("trials", "sweep")["trials"]]
        equal("states", sorted(states), ["complete", "complete", "failed", "failed"])
        has("resuming", far.run("submit", "study.yaml", "--resume", code=1)[1], "no unfinished")
        far.end(coordinator)


TALKER = """
import os, sys, time
print("one", flush=True)
while not os.path.exists(sys.argv[1]):
    time.sleep(0.02)
print("step=1 loss=0.5")
print("x" * 1000000)
"""


def logs_are_followed_while_a_trial_runs():
    with Far(1) as far:
        coordinator = far.coordinator()
        far.worker()
        far.write("talker.py", TALKER)
        far.write("study.yaml", f"""
assay: 1
name: talk
run:
  command: [python3, talker.py, {far.path}/go]
  files: [talker.py]
  metrics: {{pattern: 'step=(?<step>\\d+) loss=(?<loss>\\S+)'}}
objective: {{metric: loss, goal: minimize}}
parameters: {{x: {{min: 0, max: 1}}}}
budget: {{trials: 1}}
""")
        far.run("submit", "study.yaml")
        wait(lambda: far.count("started"), "a trial")
        follower = far.start("logs", "-f", "talk", "0")
        equal("while it runs", follower.stdout.readline(), "one\n")
        far.write("go", "")
        out, err = follower.communicate(timeout=600)
        equal("the rest", out, "step=1 loss=0.5\n" + "x" * 1000000 + "\n")
        equal(f"exit {err}", follower.returncode, 0)
        far.end(coordinator)


class Tended(Far):
    """Its processes are started again when they are killed."""

    def tend(self):
        if self.serving.poll() is not None:
            equal("coordinator", self.serving.returncode, -signal.SIGKILL)
            self.serving = self.coordinator()
        for process in list(self.remote):
            if process.poll() is not None:
                equal("worker", process.returncode, -signal.SIGKILL)
                self.remote.remove(process)
                self.worker()


def dies_at(point):
    with Tended(3) as far:
        once = os.path.join(far.path, "died")
        far.env.update(ASSAY_FAIL_AT=f"{point}:2", ASSAY_FAIL_ONCE=once)
        far.serving = far.coordinator()
        far.worker()
        far.command(steps=9, pace=0.02, rungs=True)
        text = open(far.path + "/study.yaml").read()
        far.write("study.yaml", text.replace("  checkpoint:", "  files: [big, study.yaml]\n  checkpoint:"))
        with open(far.path + "/big", "wb") as file:
            file.write(os.urandom(5 << 20))
        far.env.pop("ASSAY_FAIL_AT")
        far.run("submit", "study.yaml")
        far.env["ASSAY_FAIL_AT"] = f"{point}:2"
        wait(lambda: far.tend() or far.study_state() == "finished", "the study's end")
        equal("passed " + point, os.path.exists(once), True)
        history = far.check()
        ends = history.ends()
        if ends["crashed"] or ends["refused"] or ends["lost"] > 2:
            raise AssertionError(f"{point}: attempts ended {dict(ends)}")
        far.end(far.serving)
        if not point.startswith("agent"): # which would have gone on, for all that anybody knows
            equal("left half", [f for f in files_below(far.path) if ".part-" in f], [])


def case(point):
    def test():
        dies_at(point)
    test.__name__ = "dies_at_" + point.replace(".", "_")
    return test


points = [p for p in crash_points("assay-coordinator") + crash_points("assay-worker")
          if ".bulk_" in p]
main(*[c for c in [a_program_runs_where_its_folder_was_never_seen,
                   a_model_comes_back_as_it_was_trained,
                   a_trial_goes_on_at_a_worker_that_never_saw_it,
                   a_file_that_was_changed_is_named,
                   logs_are_followed_while_a_trial_runs, *map(case, points)]
       if len(sys.argv) < 4 or sys.argv[3] in c.__name__], at_once=3)
