# SPDX-License-Identifier: Apache-2.0
"""`assay explain` of what is over: from the store, with the numbers that decided and what helps."""
import os
import re
import shutil
import signal
import sys

from breaker import Sweep
from harness import Home, equal, has, main, wait

STUDY = """
assay: 1
name: why
run:
  command: [sh, -c, '%s']
  metrics: {pattern: 'step=(?<step>\\d+) (?:loss=(?<loss>\\S+)|los=(?<los>\\S+))'}
objective: {metric: loss, goal: minimize, take: last}
parameters:
  x: {min: 0.0, max: 1.0}
retries: %d
search: {sampler: random, seed: 1%s}
budget: {trials: %d}
%s
"""


def ended(home, command, retries=0, trials=1, search="", more="", code=1):
    home.write("study.yaml", STUDY % (command, retries, search, trials, more))
    home.run("run", "study.yaml", "--cores", "1", code=code)


def a_failed_trial_says_why_and_what_helps():
    cases = [
        ("exit code", "echo broken pipe organ >&2; exit 3", "", "exit-code",
         ["exit code 3", "broken pipe organ"], "assay logs why 0 --stderr"),
        ("signal", "kill -ABRT $$", "", "signal", ["signal 6"], "signal 9 comes from outside"),
        ("memory", f"exec {sys.executable} -c \"import signal; b = bytearray(400 << 20);"
                   " signal.pause()\"",
         "resources: {memory: 100MiB}", "out-of-memory", ["100 MiB"], "raise resources.memory"),
        ("no value", "echo step=1 los=0.5", "", "no-value", ["no value for \'loss\'"],
         "objective.metric"),
        ("no program", "exec ./missing", "", "exit-code", ["exit code 127"], "assay logs"),
    ]
    for name, command, more, cause, parts, remedy in cases:
        with Home() as home:
            ended(home, command.replace("'", "''"), more=more)
            why = home.json("explain", "why", "0")
            equal(name, (why["state"], why["cause"]), ("failed", cause))
            for part in parts:
                has(name, why["text"], part)
            has(name, why["remedy"], remedy)
            equal(name, [a["attempt"] for a in why["attempts"]], [1])
            equal(name, why["history"][-1]["state"], "failed")
            text, _ = home.run("explain", "why", "0")
            for part in [why["rule"], remedy, "attempt 1", *parts]:
                has(name, text, part)
            if cause == "out-of-memory":
                attempt = why["attempts"][0]
                equal("limit", attempt["memory"], 100 << 20)
                has("use", text, "MiB of 100.0 MiB")
            if cause == "no-value":
                equal("reported", why["reported"], ["los"])
                has("reported", text, "reported  los")


def each_attempt_is_listed_and_the_last_says_what_helps():
    with Home() as home:
        ended(home, "exit 9", retries=1, trials=2)
        why = home.json("explain", "why", "1")
        equal("cause", why["cause"], "retries")
        equal("attempts", [(a["attempt"], a["end"], a["cause"], a["exit_code"])
                           for a in why["attempts"]],
              [(1, "crashed", "exit-code", 9), (2, "crashed", "exit-code", 9)])
        text, shown = home.run("explain", "why", "1")[0], home.run("show", "why", "1")[0]
        times = re.findall(r"crashed at step 0 after (.+)$", text, re.M)
        equal("times of attempts", times,
              re.findall(r"^.*?  (<?[\d.]+ (?:us|ms|s|min \d+ s))  .* crashed ", shown, re.M))
        equal("one each", len(times), 2)
        study = home.json("explain", "why")
        equal("study", (study["state"], study["cause"]), ("finished", "budget-trials"))
        equal("no result", study["remedy"],
              "mend what ended its trials; none ran to its end, so it has no result")
        equal("groups", [(g["state"], g["cause"], g["last"]["cause"], g["trials"], g["example"])
                         for g in study["causes"]], [("failed", "retries", "exit-code", 2, 0)])
        text, _ = home.run("explain", "why")
        for part in ("2 failed (retries, at last exit-code)", "trial 0: crashed 2 times",
                     "assay logs why 0 --stderr"):
            has("text", text, part)


def a_pruned_trial_says_where_it_stood():
    with Home() as home:
        search = (", pruner: {name: median, startup_trials: 2}"
                  ", enqueue: [{x: 0.125}, {x: 0.25}, {x: 0.75}]")
        ended(home, "echo step=1 loss={x}; [ {x} != 0.75 ] || sleep 1000", trials=3, search=search,
              code=0)
        why = home.json("explain", "why", "2")
        equal("cause", (why["state"], why["cause"]), ("pruned", "pruned"))
        has("numbers", why["text"], "its best value up to step 1, 0.75, was worse than 0.1875, the "
                                    "median of 2 completed trials there")
        study = home.json("explain", "why")
        equal("group", [(g["cause"], g["trials"], g["example"]) for g in study["causes"]],
              [("pruned", 1, 2)])
        equal("a result", study["remedy"], "nothing to do: 'assay best why' has the result")


def a_lost_worker_is_named_with_its_host_and_time():
    with Home() as home:
        go = os.path.join(home.path, "go")
        home.write("study.yaml", STUDY % (
            f"while [ ! -e {go} ]; do sleep 0.05; done; echo step=1 loss=1", 0, "", 1, ""))
        home.run("submit", "study.yaml")
        wait(lambda: home.json("show", "why", "0")["state"] == "running", "the trial to run")
        worker = home.json("workers")["workers"][0]
        for pid in home.processes("assay-worker"):
            os.kill(pid, signal.SIGKILL)
        wait(lambda: home.json("show", "why", "0")["attempts"] == 2, "another attempt")
        open(go, "w").close()
        home.run("watch", "why")
        gone = home.json("explain", "--worker", worker["id"])
        equal("worker", (gone["state"], gone["cause"], gone["host"]), ("gone", "lost", worker["host"]))
        has("worker", home.run("explain", "--worker", worker["id"])[0], "gone (lost)")
        why = home.json("explain", "why", "0")
        equal("state", why["state"], "complete")
        first = why["attempts"][0]
        equal("first", (first["attempt"], first["end"], first["cause"]), (1, "lost", "lost"))
        if not first["host"] or first["ended_us"] < first["leased_us"]:
            raise AssertionError(f"where and when: {first}")
        has("how", first["text"] + "".join(h["text"] for h in why["history"]), "worker")


def a_drained_study_says_one_thing():
    with Sweep(2) as home:
        home.write("study.yaml", STUDY % ("echo step=1 loss=1; sleep 1000", 0, "", 2, ""))
        home.begin()
        home.more("report", 2)
        home.interrupt()
        home.finish(code=130)
        why = home.json("explain", "why")
        equal("cause", (why["cause"], why["counts"]["queued"]), ("study-paused", 2))
        equal("of trials that were drained once", why["causes"], [])
        text, _ = home.run("explain", "why")
        has("to do", text, "'assay resume why' lets it go on")


def what_a_restored_backup_remembers_is_cut_off():
    with Home() as home:
        store = os.path.join(home.env["ASSAY_HOME"], "store")
        os.makedirs(store)
        with open(os.path.join(home.env["ASSAY_HOME"], "config.yaml"), "w") as file:
            file.write("reattach_window: 1s\n")
        home.write("study.yaml", STUDY % ("echo step=1 loss=1; sleep 1000", 0, "", 1, ""))
        home.run("submit", "study.yaml")
        wait(lambda: home.json("show", "why", "0")["step"] == 1, "the trial to report")
        home.run("backup", "backup.db")
        home.run("down")
        wait(lambda: not home.processes(), "everything to end")
        shutil.rmtree(store)
        home.run("restore", "backup.db")
        wait(lambda: home.json("explain", "why", "0")["cause"] == "no-worker", "the window to end")
        has("attempt 1", home.run("explain", "why", "0")[0], ": cut off at step 1\n")
        text, _ = home.run("explain", "why")
        has("to do", text, "'assay up' starts one on this machine")
        equal("and nothing against it", "nothing to do" in text, False)


def a_worker_says_why_it_gets_nothing():
    with Home() as home:
        home.run("up", "--cores", "1")
        home.write("study.yaml", STUDY % ("sleep 1000", 0, "", 2, "resources: {cores: 64}"))
        home.run("submit", "study.yaml")
        wait(lambda: home.json("workers")["workers"], "the worker to join")
        worker = home.json("workers")["workers"][0]
        for name in (worker["id"], worker["id"][:20], worker["host"]):
            why = home.json("explain", "--worker", name)
            equal(name, (why["id"], why["cause"]), (worker["id"], "too-large"))
            has(name, why["text"], "asks for 64 cores; it has 1")
        text, _ = home.run("explain", "--worker", worker["host"])
        for part in ("ready (too-large)", "asks for 64 cores", "lower resources"):
            has("text", text, part)
        home.run("explain", "--worker", "nobody", code=1)
        home.run("explain", "why", "--worker", worker["id"], code=2)
        home.run("explain", code=2)
        home.run("stop", "why")
        home.run("watch", "why")
        why = home.json("explain", "--worker", worker["id"])
        equal("afterwards", why["cause"], "no-work")
        equal("stopped", home.json("explain", "why")["cause"], "user")
        home.run("down")


main(a_failed_trial_says_why_and_what_helps, each_attempt_is_listed_and_the_last_says_what_helps,
     a_pruned_trial_says_where_it_stood, a_lost_worker_is_named_with_its_host_and_time,
     a_worker_says_why_it_gets_nothing, a_drained_study_says_one_thing,
     what_a_restored_backup_remembers_is_cut_off)
