# SPDX-License-Identifier: Apache-2.0
"""The native engine on the digits: TPE, promotion ASHA, a model, its test score, predictions; Ctrl-C
and --resume."""
import gzip
import json
import os
import signal

from harness import SOURCE, Home, equal, has, main, wait

STUDY = """
assay: 1
name: digits
run:
  model: mlp
  length: {unit: epochs, max: 12}
data:
  file: %s/examples/data/digits.csv.gz
  label: -1
objective: {metric: val_accuracy, goal: maximize, take: best}
parameters:
  lr: {min: 1e-4, max: 0.1, scale: log}
  hidden: {min: 16, max: 64, scale: log}
  optimizer: {values: [sgd, adam]}
  momentum: {min: 0.0, max: 0.99, when: {optimizer: sgd}}
search: {sampler: tpe, pruner: {name: asha, min: 1, reduction: 4}, seed: 1}
budget: {trials: %d}
"""


def a_sweep_finds_a_good_model():
    with Home() as home:
        home.write("study.yaml", STUDY % (SOURCE, 16))
        out, err = home.run("run", "study.yaml")
        has("plan", err, "1797 rows")
        has("test score", out, "test_accuracy")
        equal("scores that nobody asked for", out.count("test_top"), 0)
        study = home.json("show", "digits")
        if study["best"] < 0.9:
            raise AssertionError(f"best {study['best']}")
        if study["pruned"] < 1:
            raise AssertionError("promotion ASHA pruned nothing")
        weak = next(t for t in home.json("trials", "digits")["trials"] if t["state"] == "pruned")
        has("no model", home.run("scores", "digits", str(weak["number"]), code=1)[1],
            "left no model: it has not trained to run.length.max")
        with gzip.open(f"{SOURCE}/examples/data/digits.csv.gz", "rt") as f:
            rows = f.read().splitlines()[:50]
        home.write("new.csv", "\n".join(r.rsplit(",", 1)[0] for r in rows) + "\n")
        lines = home.run("predict", "digits", "new.csv")[0].splitlines()
        labels = [r.rsplit(",", 1)[1] for r in rows]
        right = sum(line.split(",")[0] == label for line, label in zip(lines[1:], labels))
        equal("predictions", len(lines), 51)
        has("scores", home.run("scores", "digits")[0], "class      rows  precision  recall      f1")
        scores = json.loads(home.run("scores", "digits", "--json")[0])
        equal("rows", sum(map(sum, scores["confusion"])), scores["rows"])
        trial = home.json("show", "digits", str(study["best_trial"]))
        left = {a["name"]: a["path"] for a in trial["artifacts"]}
        with open(left["scores.json"]) as f:
            equal("an artifact of its own", json.load(f), scores)
        if right < 40:
            raise AssertionError(f"{right} of 50 right")


def an_interrupted_sweep_resumes():
    with Home() as home:
        home.write("study.yaml", STUDY % (SOURCE, 10**6))
        run = home.start("run", "study.yaml")
        wait(lambda: counts(home) >= 3, "trials to start")
        run.send_signal(signal.SIGINT)
        out, err = run.communicate(timeout=600)
        equal(f"exit\n{out}\n{err}", run.returncode, 130)
        wait(lambda: not home.processes("assay"), "everything to end")
        before = counts(home)
        run = home.start("run", "study.yaml", "--resume")
        wait(lambda: counts(home) > before, "more trials to start")
        home.run("stop", "digits")
        out, err = run.communicate(timeout=600)
        equal(f"exit\n{out}\n{err}", run.returncode, 0)
        trials = home.json("trials", "digits")["trials"]
        ended = "complete", "pruned", "cancelled"
        equal("open", [t for t in trials if t["state"] not in ended], [])


def counts(home):
    path = os.path.join(home.env["ASSAY_HOME"], "store", "assay.db")
    if not os.path.exists(path):
        return 0
    try:
        return home.store().execute("select count(*) from event where kind = 4").fetchone()[0]
    except Exception:
        return 0


main(a_sweep_finds_a_good_model, an_interrupted_sweep_resumes)
