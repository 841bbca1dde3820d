# SPDX-License-Identifier: Apache-2.0
"""Bad input of any kind gets a clear error that names the place, and serving goes on."""
import json
import os
import socket

from harness import Home, equal, has, main, wait

STUDY = """
assay: 1
name: one
run:
  command: [sh, -c, 'echo "step=1 loss=0.5"']
  metrics: {pattern: 'step=(?<step>\\d+) loss=(?<loss>\\S+)'}
objective: {metric: loss, goal: minimize}
parameters:
  x: {min: 0.0, max: 1.0}
search: {sampler: random}
budget: {trials: 2}
"""


def study_files_are_refused_with_their_place():
    cases = [("not yaml", "a: [", "study.yaml:"),
             ("no version", STUDY.replace("assay: 1\n", ""), "assay"),
             ("unknown key", STUDY.replace("budget:", "bugdet:"), "budget"),
             ("empty range", STUDY.replace("min: 0.0", "min: 2.0"), "x"),
             ("no objective", STUDY.replace("objective:", "#objective:"), "objective")]
    with Home() as home:
        for name, text, part in cases:
            home.write("study.yaml", text)
            _, err = home.run("run", "study.yaml", code=2)
            has(name, err, part)
        equal("started nothing", home.processes("assay-coordinator"), [])


def a_missing_file_is_named():
    with Home() as home:
        _, err = home.run("run", "nowhere.yaml", code=2)
        has("message", err, "nowhere.yaml")
        home.write("study.yaml", STUDY.replace("run:\n", "run:\n  files: [study.yaml, lost.py]\n"))
        _, err = home.run("run", "study.yaml", code=2)
        has("files", err, "study.yaml:5:23: run.files[1]: cannot read")
        has("files", err, "lost.py': no such file or directory")
        equal("started nothing", home.processes("assay-coordinator"), [])


def data_that_does_not_fit_starts_nothing():
    """What the trainer finds out about the data is a mistake of the study like the others."""
    study = """
assay: 1
name: kinds
run: {model: mlp, length: {max: 2}}
data: {file: data.csv, label: LABEL}
objective: {metric: METRIC, goal: maximize}
parameters: {lr: {min: 0.01, max: 0.1}}
budget: {trials: 2}
"""
    cases = [("label", "knid", "val_accuracy",
              "study.yaml:5:31: data.label: no column 'knid'; did you mean 'kind'?"),
             ("metric", "kind", "val_r2",
              "study.yaml:6:21: objective.metric: 'val_r2' is not reported; there are train_acc"),
             ("mixed", "x", "val_accuracy", "study.yaml:5:14: data.file: '"),
             ("its row", "x", "val_accuracy",
              "('x') mixes numbers (29) and texts (1, the first in row 7")]
    with Home() as home:
        rows = [f"{i},{'ab'[i % 2]}" for i in range(30)]
        rows[5] = "O5,b"
        for name, label, metric, says in cases:
            used = ["x,kind"] + rows if name in ("mixed", "its row") else \
                ["x,kind"] + [row.replace("O", "") for row in rows]
            home.write("data.csv", "\n".join(used) + "\n")
            text = study.replace("LABEL", label).replace("METRIC", metric)
            home.write("study.yaml", text)
            _, err = home.run("run", "study.yaml", code=2)
            has(name, err.splitlines()[0], says)
            has(name, err, "assay: 1 mistake in 'study.yaml', nothing was run")
            home.write("study.yaml", text.replace("trials: 2", "trails: 2"))
            _, err = home.run("run", "study.yaml", code=2)
            has(f"{name} beside another", err.splitlines()[0], says)
            has("the other", err, "budget.trails: unknown key; did you mean 'trials'?")
        home.write("data.csv", "x,kind\n" + "\n".join(row.replace("O", "") for row in rows) + "\n")
        text = study.replace("LABEL", "kind").replace("METRIC", "val_accuracy")
        home.write("study.yaml", text.replace("{model: mlp,", "{model: mlp, loss: huber,"))
        has("loss", home.run("run", "study.yaml", code=2)[1],
            "run.loss: 'huber' is of numbers, but 'kind' has 2 classes")
        home.write("study.yaml", text + "constraints: [{metric: val_r2, max: 1}]\n")
        has("a constraint", home.run("run", "study.yaml", code=2)[1],
            "study.yaml:9:15: constraints.metric: 'val_r2' is not reported; there are train_acc")
        home.write("study.yaml", text.replace("max: 2}", "max: 2}, norm: batch, batch_size: 1"))
        has("one row", home.run("run", "study.yaml", code=2)[1],
            "a batch of one row has no statistics for norm: batch; a batch_size of some dozens has")
        equal("started nothing", home.processes("assay-coordinator"), [])


def garbage_on_the_port_stops_nobody():
    with Home() as home:
        home.run("up")
        with open(os.path.join(home.env["ASSAY_HOME"], "coordinator.json")) as f:
            port = int(json.load(f)["endpoints"][0].rsplit(":", 1)[1])
        for _ in range(50):
            with socket.create_connection(("127.0.0.1", port)) as s:
                s.sendall(os.urandom(200))
        home.write("study.yaml", STUDY)
        home.run("run", "study.yaml")
        home.run("down")
        wait(lambda: not home.processes("assay"), "everything to end")


def open_keys_are_refused():
    with Home() as home:
        home.run("up")
        home.run("down")
        wait(lambda: not home.processes("assay"), "everything to end")
        key = os.path.join(home.env["ASSAY_HOME"], "keys", "user.key")
        os.chmod(key, 0o644)
        _, err = home.run("ls", code=1)
        has("message", err, "chmod")


def two_homes_do_not_see_each_other():
    with Home() as one, Home() as two:
        one.write("study.yaml", STUDY)
        one.run("run", "study.yaml")
        equal("studies of the other", two.json("ls")["studies"], [])


main(study_files_are_refused_with_their_place, a_missing_file_is_named,
     data_that_does_not_fit_starts_nothing, garbage_on_the_port_stops_nobody, open_keys_are_refused,
     two_homes_do_not_see_each_other)
