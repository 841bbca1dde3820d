# SPDX-License-Identifier: Apache-2.0
"""Sweeps of W&B as they are: an unmodified program and its sweep file, the stand-in for the module,
macros, and what it refuses."""
import json
import os
import shutil
import sys

from harness import Home, equal, has, main

SOURCE = sys.argv[2]


def copy_example(home):
    for name in ("train.py", "sweep.yaml"):
        shutil.copy(os.path.join(SOURCE, "examples/wandb", name), os.path.join(home.path, name))


def an_unmodified_sweep_runs():
    with Home() as home:
        copy_example(home)
        out, errors = home.run("run", "sweep.yaml")
        has("last screen", out, "lines finished")
        has("plan", errors, "optimizer.nesterov")
        trials = home.json("trials", "lines")["trials"]
        equal("run_cap", len(trials), 20)
        states = {t["state"] for t in trials}
        if not states <= {"complete", "pruned"} or "complete" not in states:
            raise AssertionError(f"states {states}")
        best = home.json("best", "lines")["trials"][0]
        if not best["value"] < 0.05:
            raise AssertionError(f"best {best}")
        log, _ = home.run("logs", "lines", str(best["number"]))
        has("its own words", log, f"lines-{best['number']}: y = ")
        metrics = {row[0] for row in home.store().execute(
            "select distinct text from metric join word on word.id = metric.name")}
        equal("metrics", metrics, {"val_loss", "train.loss", "epoch"})


PROBE = """
import json, os, sys
import wandb
run = wandb.init(config={"mine": 1, "lr": 5})
found = {"argv": sys.argv[1:], "config": run.config.as_dict(), "module": wandb.__file__}
for word in sys.argv[1:]:
    if word.endswith("args.json"):
        found["file"] = json.load(open(word))
open(os.path.join(os.environ["HERE"], "found.json"), "w").write(json.dumps(found))
wandb.log({"loss": 1.0})
"""


def probe(home, macro, parameters):
    home.write("probe.py", PROBE)
    home.write("sweep.yaml", f"""
program: probe.py
method: random
metric: {{name: loss}}
run_cap: 1
command: ['${{env}}', 'HERE={home.path}', '${{interpreter}}', '${{program}}', '{macro}']
parameters: {parameters}
""")
    home.run("run", "sweep.yaml")
    with open(os.path.join(home.path, "found.json")) as file:
        return json.load(file)


PARAMETERS = """
  lr: {value: 0.5}
  flag: {value: true}
  off: {value: false}
  opt: {parameters: {name: {value: adam}, depth: {parameters: {n: {value: 3}}}}}
"""
NESTED = {"name": "adam", "depth": {"n": 3}}


def macros_reach_the_program():
    opt = "opt={'name': 'adam', 'depth': {'n': 3}}"
    cases = {
        "${args}": ["--lr=0.5", "--flag=True", "--off=False", "--" + opt],
        "${args_no_hyphens}": ["lr=0.5", "flag=True", "off=False", opt],
        "${args_no_boolean_flags}": ["--lr=0.5", "--flag", "--" + opt],
    }
    params = {"lr": 0.5, "flag": True, "off": False, "opt": NESTED}
    for macro, want in cases.items():
        with Home() as home:
            found = probe(home, macro, PARAMETERS)
            equal(macro, found["argv"], want)
            equal("config", found["config"], dict(params, mine=1))
            has("our module", found["module"], "share/assay/python/wandb")
    with Home() as home:
        equal("json", json.loads(probe(home, "${args_json}", PARAMETERS)["argv"][0]), params)
    with Home() as home:
        equal("json file", probe(home, "${args_json_file}", PARAMETERS)["file"], params)


STEPS = """
import sys
import wandb

run = wandb.init(project="p", name="n", tags=["a"], notes="x")
case = wandb.config.case
with run:
    if case == "rows":
        for k in range(3):
            wandb.log({"train": k})
            wandb.log({"loss": 10.0 - k, "ok": True})
    elif case == "steps":
        for k in range(4):
            wandb.log({"train": k}, step=k)
            wandb.log({"loss": 10.0 - k}, step=k)
    elif case == "nan":
        wandb.log({"loss": float("nan")})
        wandb.log({"loss": 3.0})
    elif case == "summary":
        run.summary["loss"] = 4.5
    elif case == "config":
        wandb.config.update({"case": "other", "more": 2}, allow_val_change=True)
        wandb.config.setdefaults({"more": 3, "less": 4})
        c = wandb.config
        wandb.log({"loss": c.more * 10 + c["less"] + (c.case == "config")})
"""


def rows_become_iterations():
    with Home() as home:
        home.write("steps.py", STEPS)
        home.write("sweep.yaml", """
program: steps.py
name: steps
method: grid
metric: {name: loss}
parameters: {case: {values: [rows, steps, nan, summary, config]}}
""")
        home.run("run", "sweep.yaml")
        trials = {t["params"]["case"]: t for t in home.json("trials", "steps")["trials"]}
        equal("states", {t["state"] for t in trials.values()}, {"complete"})
        want = {"rows": 8.0, "steps": 7.0, "nan": 3.0, "summary": 4.5, "config": 25.0}
        equal("values", {case: t["value"] for case, t in trials.items()}, want)


REFUSED = """
import wandb
wandb.init()
case = wandb.config.case
if case == "name":
    wandb.Image
elif case == "log":
    wandb.log({"loss": "low"})
elif case == "init":
    wandb.init(sync_tensorboard=True)
elif case == "run":
    wandb.run.watch(None)
elif case == "metric":
    wandb.define_metric("a/*")
elif case == "early":
    wandb.finish()
    wandb.log({"loss": 1})
"""


def what_is_not_there_is_named():
    want = {
        "name": "wandb.Image is not in Assay's stand-in for wandb",
        "log": "wandb.log: 'loss' is of type str",
        "init": "wandb.init: 'sync_tensorboard' is not in",
        "run": "wandb.run.watch is not in",
        "metric": "wandb.define_metric: 'a/*'",
        "early": "You must call wandb.init() before wandb.log()",
    }
    with Home() as home:
        home.write("refused.py", REFUSED)
        home.write("sweep.yaml", f"""
program: refused.py
name: refused
method: grid
metric: {{name: loss}}
parameters: {{case: {{values: [{', '.join(want)}]}}}}
""")
        home.run("run", "sweep.yaml", code=1)
        for trial in home.json("trials", "refused")["trials"]:
            case = trial["params"]["case"]
            equal(case, trial["state"], "failed")
            has(case, home.run("logs", "refused", str(trial["number"]), "--stderr")[0], want[case])


OWN = """
import wandb
print("which:", wandb.WHICH)
"""


def the_installed_module_can_be_had():
    with Home() as home:
        os.mkdir(os.path.join(home.path, "lib"))
        home.write("lib/wandb.py", "WHICH = 'theirs'\n")
        home.write("own.py", OWN)
        home.write("sweep.yaml", f"""
program: own.py
name: own
method: random
metric: {{name: loss}}
run_cap: 1
command: ['${{env}}', 'PYTHONPATH={home.path}/lib', '${{interpreter}}', '${{program}}']
parameters: {{x: {{value: 1}}}}
""")
        home.run("run", "sweep.yaml", "--no-wandb-shim", code=1)  # it reports nothing
        has("theirs", home.run("logs", "own", "0")[0], "which: theirs")


def mistakes_are_named_with_their_place():
    with Home() as home:
        home.write("sweep.yaml", "program: none.py\nmethod: bayes\nmetric: {name: loss}\n"
                                 "parameters: {x: {min: 0.0, max: 1.0}}\nrun_cap: 2\n")
        _, errors = home.run("run", "sweep.yaml", code=2)
        has("program", errors, "sweep.yaml:1:10: program: cannot read")
        has("count", errors, "1 mistake in 'sweep.yaml', nothing was run")


main(an_unmodified_sweep_runs, macros_reach_the_program, rows_become_iterations,
     what_is_not_there_is_named, the_installed_module_can_be_had,
     mistakes_are_named_with_their_place)
