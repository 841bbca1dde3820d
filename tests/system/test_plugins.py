# SPDX-License-Identifier: Apache-2.0
"""Plug-ins: the example's sweep, the same bits with one rank and two, and what a plug-in that
crashes, never comes back or leaves something behind costs: its own attempt."""
import json
import os
import subprocess

from far import Far
from gangs import alive
from harness import BIN, PATIENCE_S, SOURCE, Home, equal, has, main, wait

PLUGINS = os.path.join(os.path.dirname(BIN), "tests", "plugins")
ODD = """
assay: 1
name: odd
run: {plugin: %s/plugin_odd.so, does: %s, where: %s, on: %d, length: {max: %d}, silence: %s}
objective: {metric: val_loss, goal: minimize}
parameters: {lr: {min: 0.01, max: 0.02}}
search: {sampler: random, seed: 1}
budget: {trials: %d}
retries: %d
resources: {ranks: %d, memory: 256MiB, reproducible: %s}
"""


def odd(home, does, where="step", on=0, epochs=2, silence="0s", trials=1, retries=0, ranks=1,
        reproducible="normal"):
    return home.write("study.yaml", ODD % (PLUGINS, does, where, on, epochs, silence, trials,
                                           retries, ranks, reproducible))


def example(home, **changes):
    """The example's study with its library beside it, and other lines in place of some."""
    with open(f"{SOURCE}/examples/plugin/fm.yaml") as f:
        text = f.read()
    text = text.replace("./fm.so", f"{PLUGINS}/plugin_fm.so")
    text = text.replace("../data", f"{SOURCE}/examples/data")
    for old, new in changes.items():
        text = text.replace(old, new)
    return home.write("fm.yaml", text)


def the_example_sweeps():
    with Home() as home:
        example(home, **{"max: 16}": "max: 8}", "trials: 24": "trials: 8"})
        out, err = home.run("run", "fm.yaml")
        has("plan", err, "plug-in plugin_fm.so, at most 8 epochs a trial")
        has("test part", out, "test_accuracy")
        study = home.json("show", "digits-fm")
        if study["best"] < 0.9:
            raise AssertionError(f"best {study['best']}")
        equal("all of them", study["complete"] + study["pruned"], 8)
        home.write("new.csv", ",".join(["0"] * 64) + "\n")
        _, err = home.run("predict", "digits-fm", "new.csv", code=1)
        has("predict", err, "it is of plug-in 'fm', and only that knows what its parameters mean")


def mistakes_have_a_place():
    with Home() as home:
        example(home, **{"factors:    {min: 0, max: 12}": "factros: {min: 0, max: 12}"})
        _, err = home.run("run", "fm.yaml", code=2)
        has("place", err, "parameters.factros: is not a hyperparameter of the plug-in; did you "
            "mean 'factors'?")
        example(home, **{f"{PLUGINS}/plugin_fm.so": f"{PLUGINS}/plugin_nothing.so"})
        _, err = home.run("run", "fm.yaml", code=2)
        has("no plug-in", err, "run.plugin: plug-in '%s/plugin_nothing.so': it has no "
            "asy_trainer_plugin()" % PLUGINS)
        # What the library does as it is loaded costs a child of assay, and nothing else.
        home.env["PLUGIN_WRONG"] = "crash"
        example(home, **{f"{PLUGINS}/plugin_fm.so": f"{PLUGINS}/plugin_wrong.so"})
        _, err = home.run("run", "fm.yaml", code=2)
        has("a crash", err, "cannot be asked for its table: assay-trainer failed: signal 6")


def the_table_is_shown():
    with Home() as home:
        out, _ = home.run("help", "study", f"{PLUGINS}/plugin_fm.so")
        for part in ("fm  factorisation machine", "factors  a whole number from 0 to 64; default 4",
                     "drop  a number from 0 to 0.9; default 0", "  accuracy\n      share right"):
            has("help", out, part)
        out, _ = home.run("help", "study", f"{PLUGINS}/plugin_wrong.so")
        has("words", out, "word  one of a, bb, a-b; default a-b")
        _, err = home.run("help", "study", f"{PLUGINS}/plugin_nothing.so", code=2)
        has("none", err, "it has no asy_trainer_plugin()")
        with open("/dev/full", "w") as full:
            done = subprocess.run([os.path.join(BIN, "assay-trainer"), "--describe-plugin",
                                   f"{PLUGINS}/plugin_fm.so"], env=home.env, stdout=full,
                                  stderr=subprocess.PIPE, text=True, check=False)
        equal("not to be written", done.returncode, 1)
        has("not to be written", done.stderr, "assay-trainer: cannot write to standard output\n")


def ranks_make_the_same_bits():
    """Of the example, whose bits go by parameters and rows alone."""
    models = []
    for ranks in 1, 2:
        with Home() as home:
            home.env["ASY_OVERSUBSCRIBE"] = "2"
            example(home, **{"max: 16}": "max: 2}", "trials: 24": "trials: 1",
                             "pruner: {name: asha, min: 1, reduction: 4}": "pruner: none",
                             "cores: 1,": f"cores: 1, ranks: {ranks}, reproducible: strict,"})
            home.run("run", "fm.yaml")
            home.run("export", "digits-fm", "--model", "-o", "model")
            with open(os.path.join(home.path, "model"), "rb") as f:
                models.append(f.read())
    equal("models", models[0] == models[1], True)


def a_population_goes_on_from_checkpoints():
    """Of others, with other hyperparameters; not with another shape."""
    with Home() as home:
        pbt = {"max: 16}": "max: 3}", "trials: 24": "trials: 20",
               "sampler: tpe": "sampler: {name: pbt, population: 3, interval: 1}",
               "pruner: {name: asha, min: 1, reduction: 4}": "pruner: none"}
        example(home, **pbt)
        _, err = home.run("run", "fm.yaml", code=2)
        has("shape", err, "parameters.factors: cannot change between checkpoints")
        with open(os.path.join(home.path, "fm.yaml")) as f:
            lines = [line for line in f if not line.startswith("  factors:")]
        home.write("fm.yaml", "".join(lines))
        home.run("run", "fm.yaml")
        equal("epochs of all", home.json("show", "digits-fm")["failed"], 0)
        best = home.json("best", "digits-fm")["trials"][0]["number"]
        has("parent", home.run("explain", "digits-fm", str(best))[0], "goes on from trial")


def explain(home, trial=0):
    return home.json("explain", "odd", str(trial))


def a_crash_costs_one_attempt():
    """Alone, and on the second of two ranks, of which Open MPI has the last words; the trial is
    tried again, and fails once that is used up."""
    signal = "ended by signal 11 (Segmentation fault)"
    for ranks, text in ((1, f"{signal}; stderr ends: odd: about to crash"),
                        (2, f"rank 1 {signal}")):
        with Home() as home:
            home.env["ASY_OVERSUBSCRIBE"] = "2"
            home.env["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":handle_segv=0"
            odd(home, "crash", on=ranks - 1, ranks=ranks, retries=1)
            home.run("up")
            wait(lambda: home.json("workers")["workers"], "a worker")
            worker = home.processes("assay-worker")
            home.run("run", "study.yaml", code=1)
            why = explain(home)
            equal("attempts", [a["cause"] for a in why["attempts"]], ["signal", "signal"])
            has("text", why["attempts"][0]["text"], text)
            equal("the agent lives", home.processes("assay-worker"), worker)


def who_leaves_in_the_middle_is_not_done():
    """By exit code 0, which a command ends its trial with, after epochs that were reported."""
    for ranks, text in ((1, "it exited with code 0 in the middle of its work"),
                        (2, "exited with code 0 in the middle of its work")):
        with Home() as home:
            home.env["ASY_OVERSUBSCRIBE"] = "2"
            odd(home, "leave", on=ranks - 1, ranks=ranks, epochs=9, retries=1)
            home.run("run", "study.yaml", code=1)
            why = explain(home)
            equal("attempts", [a["cause"] for a in why["attempts"]], ["protocol", "protocol"])
            has("text", why["attempts"][0]["text"], text)
            equal("complete", home.json("show", "odd")["complete"], 0)


def a_failure_is_told_by_who_failed():
    with Home() as home:
        home.env["ASY_OVERSUBSCRIBE"] = "2"
        odd(home, "fail", on=1, ranks=2)
        home.run("run", "study.yaml", code=1)
        has("text", explain(home)["attempts"][0]["text"],
            "rank 1: plug-in 'odd': step() failed: no mood for update 3")
        has("rule", home.run("explain", "odd", "0")[0], "the engine or a plug-in refused the job")


def ranks_fail_together():
    """By hand, without an agent that would end who waits for a rank that gave up."""
    with Home() as home:
        for where, on, want in (("step", 1, "rank 1: plug-in 'odd': step() failed"),
                                ("evaluate", 1, "rank 1: plug-in 'odd': evaluate() failed"),
                                ("create", 1, "rank 1: plug-in 'odd': create() failed"),
                                ("params", 0, "rank 0: plug-in 'odd': params() failed"),
                                ("save", 0, "rank 0: plug-in 'odd': it keeps 2147483648 bytes")):
            job = {"study": {"name": "odd", "run": {"plugin": f"{PLUGINS}/plugin_odd.so",
                                                    "length": {"max": 3}},
                             "objective": {"metric": "val_loss", "goal": "minimize"}},
                   "params": {"does": "fail", "where": where, "on": on}, "seed": 1}
            home.write("job.json", json.dumps(job))
            done = subprocess.run(["mpirun", "-n", "2", "--allow-run-as-root", "--oversubscribe",
                                   "--bind-to", "none", os.path.join(BIN, "assay-trainer"), "--run",
                                   "job.json", "--dir", "."], cwd=home.path, env=home.env,
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                  timeout=PATIENCE_S)
            equal(where, done.returncode, 1)
            has(where, done.stderr, want)


def who_does_not_come_back_is_killed():
    """In a step of the second rank, which the first waits for; and as it begins."""
    for where, on, ranks in ("step", 1, 2), ("create", 0, 1):
        with Home() as home:
            home.env["ASY_OVERSUBSCRIBE"] = "2"
            odd(home, "loop", where, on=on, ranks=ranks, silence="2s")
            home.run("run", "study.yaml", code=1)
            attempt = explain(home)["attempts"][0]
            equal("cause", attempt["cause"], "silent")
            has("text", attempt["text"], "nothing was heard of its plug-in for 2 s (run.silence)")
            has("remedy", home.run("explain", "odd", "0")[0], "raise run.silence")
            equal("nothing is left", home.processes("assay-trainer"), [])


def a_worker_elsewhere_gets_the_library():
    """By its content: it opens no path of the study, and what lies there now is another one."""
    with Far(5) as far:
        coordinator = far.coordinator()
        path = os.path.join(far.path, "mine.so")
        subprocess.run(["cp", f"{PLUGINS}/plugin_odd.so", path], check=True)
        odd(far, "thread")
        text = open(os.path.join(far.path, "study.yaml")).read()
        far.write("study.yaml", text.replace(f"{PLUGINS}/plugin_odd.so", "mine.so"))
        far.worker()
        far.run("submit", "study.yaml")
        wait(lambda: far.finished("odd"), "the study to end")
        equal("complete", far.json("show", "odd")["complete"], 1)
        has("where", far.run("logs", "odd", "0")[0], "odd: library ")
        equal("not there", path in far.run("logs", "odd", "0")[0], False)
        far.end(coordinator)


def who_has_files_is_not_asked_for_a_test_score():
    """Its own data may be in them, and they are in the trial's folder."""
    with Home() as home:
        odd(home, "well")
        has("test part", home.run("run", "study.yaml")[0], "test_loss")
    with Home() as home:
        path = odd(home, "well")
        with open(path) as f:
            text = f.read()
        home.write("points", "0 1\n")
        home.write("study.yaml", text.replace("silence:", "files: [points], silence:"))
        equal("test part", "test_loss" in home.run("run", "study.yaml")[0], False)


def nothing_reaches_the_next_attempt():
    """Threads that are left behind, of each trial: they end with its process."""
    with Home() as home:
        odd(home, "thread", trials=3)
        home.run("run", "study.yaml", "--cores", "1")
        said = [home.run("logs", "odd", str(t))[0] for t in range(3)]
        pids = [int(text.split("odd: process ")[1].split()[0]) for text in said]
        equal("processes", len(set(pids)), 3)
        wait(lambda: not any(alive(pid) for pid in pids), "their ends")


main(the_example_sweeps, mistakes_have_a_place, the_table_is_shown, ranks_make_the_same_bits,
     a_population_goes_on_from_checkpoints, a_crash_costs_one_attempt, who_leaves_in_the_middle_is_not_done,
     a_failure_is_told_by_who_failed, ranks_fail_together, who_does_not_come_back_is_killed,
     a_worker_elsewhere_gets_the_library, who_has_files_is_not_asked_for_a_test_score,
     nothing_reaches_the_next_attempt)
