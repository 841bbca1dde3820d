# SPDX-License-Identifier: Apache-2.0
"""A sweep with each pruner, from the study file to what `explain` says, with real processes."""
from harness import Home, equal, has, main

PROGRAM = """
import json, os, socket
link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
link.connect(os.environ["ASSAY_SOCKET"])
lines = link.makefile("rw")


def say(**line):
    lines.write(json.dumps(line) + "\\n")
    lines.flush()
    return json.loads(lines.readline())["do"]


resume, x = os.environ.get("ASSAY_RESUME"), float(os.environ["ASSAY_PARAM_X"])
step = int(open(resume).read()) if resume else 0
do = "continue"
while do == "continue" and step < 9:
    step += 1
    loss = x + 0.1 * step * (x > 1.6)
    do = say(step=step, wait=True, metrics={"loss": loss, "size": 3 - x + 1 / step})
    if os.environ["PAUSES"] == "yes":
        with open(os.environ["ASSAY_CHECKPOINT_DIR"] + "/c", "w") as file:
            file.write(str(step))
        answer = say(checkpoint="c", step=step)
        do = answer if do == "continue" else do
"""

STUDY = """
assay: 1
name: %(name)s
run:
  command: [python3, program.py]
  files: [program.py]
  cwd: trial
  env: {PAUSES: '%(pauses)s'}
  checkpoint: %(checkpoint)s
  length: {unit: steps, max: 9}
objective: %(objective)s
parameters: {x: {min: 1.0, max: 2.0}}
search: {sampler: %(sampler)s, pruner: %(pruner)s, seed: 3}
budget: {trials: 14, parallel: 2}
"""

ONE = "{metric: loss, goal: minimize}"
TWO = "[{metric: loss, goal: minimize}, {metric: size, goal: minimize}]"
MEAN = "{metric: loss, goal: minimize, take: mean}"


def sweep(pruner, pauses=False, objective=ONE, sampler="random"):
    """Some trial is ended by the rule, which says so; the rest run to their end."""
    rule = pruner.strip("{").split(",")[0].replace("name: ", "").rstrip("}")
    with Home() as home:
        home.write("program.py", PROGRAM)
        home.write("study.yaml", STUDY % {
            "name": rule, "pruner": pruner, "objective": objective, "sampler": sampler,
            "pauses": "yes" if pauses else "no", "checkpoint": "true" if pauses else "false"})
        home.run("run", "study.yaml")
        trials = home.json("trials", rule)["trials"]
        equal("trials", len(trials), 14)
        equal("others than complete or pruned",
              [t for t in trials if t["state"] not in ("complete", "pruned")], [])
        equal("some complete", any(t["state"] == "complete" for t in trials), True)
        ended = [t for t in trials if t["state"] == "pruned" and rule + ": " in t["text"]]
        equal("some ended by " + rule, bool(ended), True)
        replayed = home.json("replay", rule)
        equal("replay", [replayed["result"], replayed["suggestions"]], ["follows", 14])
        equal("stops", replayed["stops"] > 0, not pauses or replayed["stops"] > 0)
        equal("promotions", replayed["promotions"] > 0, pauses)
        has("explain", home.run("explain", rule, str(ended[0]["number"]))[0], rule + ": ")
        if pauses:
            equal("one went on from its rung", any(t["attempts"] > 1 for t in trials), True)
        if objective == MEAN:
            best = next(t for t in trials if t["state"] == "complete")
            x = best["params"]["x"]
            want = x + (0.5 if x > 1.6 else 0)
            equal("the mean", abs(best["value"] - want) < 1e-9, True)


def median_and_percentile():
    sweep("{name: median, startup_trials: 2}")
    sweep("{name: percentile, percentile: 40, startup_trials: 2}")


def patient():
    sweep("{name: patient, patience: 1}")
    sweep("{name: patient, patience: 1, inner: percentile, percentile: 10, startup_trials: 1}")


def threshold():
    sweep("{name: threshold, upper: 1.7}")


def wilcoxon():
    sweep("{name: wilcoxon, p_threshold: 0.3}", objective=MEAN)


def asha_stops():
    sweep("{name: asha, reduction: 3}")


def asha_pauses_by_its_second_rule():
    sweep("{name: asha, reduction: 3, rule: 2}", pauses=True)
    sweep("{name: asha, reduction: 3, rule: 2}", pauses=True, sampler="{name: tpe, startup_trials: 2}")


def what_is_resumed_keeps_its_rule_and_says_so():
    """The file leaves open by which rule, and did not when the study began. The plan says what holds
    for the study that goes on, here one whose name was taken."""
    with Home() as home:
        home.write("program.py", "import time; time.sleep(1000)\n")
        words = {"name": "sweep", "objective": ONE, "sampler": "random", "pauses": "no", "checkpoint": "false"}
        plans = []
        for rule in ", rule: 2", ", rule: 1", "":
            home.write("study.yaml", STUDY % {"pruner": "{name: asha, reduction: 3%s}" % rule, **words})
            resume = [] if rule else ["--resume"]
            plans.append(home.run("submit", "study.yaml", *resume))
        equal("goes on", [name.strip() for name, _ in plans], ["sweep", "sweep-2", "sweep-2"])
        for (_, plan), rule in zip(plans, "211"):
            has("plan", plan, f"pruner asha (min 1, reduction 3, rule {rule})")
            equal("said once", plan.count("pruner asha"), 1)
            has("slots", plan, "slots ")
        home.write("study.yaml", STUDY % {"pruner": "{name: asha, reduction: 3, rule: 2}", **words})
        has("differs", home.run("submit", "study.yaml", "--resume", code=1)[1], "'search.pruner.rule' differs")


def hyperband_pauses_and_stops():
    sweep("hyperband", pauses=True, sampler="{name: tpe, startup_trials: 2}")
    sweep("{name: hyperband, reduction: 2}")


def moasha_pauses_and_stops():
    sweep("{name: moasha, reduction: 3}", pauses=True, objective=TWO, sampler="tpe")
    sweep("{name: moasha, reduction: 3}", objective=TWO, sampler="{name: nsga2, population: 4}")


main(median_and_percentile, patient, threshold, wilcoxon, asha_stops,
     asha_pauses_by_its_second_rule, what_is_resumed_keeps_its_rule_and_says_so,
     hyperband_pauses_and_stops, moasha_pauses_and_stops)
