# SPDX-License-Identifier: Apache-2.0
"""Several objectives and constraints, from the study file to the front that is shown."""
import csv
import json
import shutil

from harness import Home, SOURCE, equal, has, main

# Near 0 the first objective is best, near 1 the second; a third of the points is forbidden.
STUDY = """
assay: 1
name: {name}
run:
  command: [awk, -v, "x={{x}}", -v, "y={{y}}", -f, values.awk]
  metrics: {{pattern: 'step=(?<step>\\d+) left=(?<left>\\S+) right=(?<right>\\S+) cost=(?<cost>\\S+)'}}
objective:
  - {{metric: left, goal: minimize}}
  - {{metric: right, goal: maximize}}
constraints: [{{metric: cost, max: 7}}]
parameters:
  x: {{min: 0.0, max: 1.0}}
  y: {{min: 0.0, max: 1.0}}
search: {{sampler: {sampler}, seed: 3}}
budget: {{trials: 40}}
"""


MODEL = """
assay: 1
name: held
run: {model: mlp, hidden: 8, layers: 1, length: {max: 3}}
data: {file: rows.csv, label: kind, split: {validation: 0.3}}
objective: {metric: val_loss, goal: minimize}
constraints: [{metric: val_auc, min: 0.01}, {metric: val_perplexity, max: 100}]
parameters: {lr: {min: 0.01, max: 0.1, scale: log}}
search: {sampler: random, seed: 1}
budget: {trials: 2}
"""
CONSTRAINTS = "constraints: [{metric: cost, max: 7}]\n"

AWK = """BEGIN {
    printf "step=1 left=%.9f right=%.9f cost=%.9f\\n", x * x + y, 1 - (x - 1)^2 - y, 10 * y
}
"""


def front_of(trials):
    """Numbers of the trials that nobody beats, by definition."""
    points = [(t["number"], *t["outcome"]["values"]) for t in trials
              if t["state"] == "complete" and t["outcome"]["violation"] == 0]
    return sorted(n for n, a, b in points
                  if not any(c <= a and d >= b and (c, d) != (a, b) for _, c, d in points))


def the_front_is_told_everywhere():
    for sampler in ("tpe", "{name: nsga2, population: 8}", "auto"):
        with Home() as home:
            home.write("values.awk", AWK)
            home.write("study.yaml", STUDY.format(name="both", sampler=sampler))
            out, _ = home.run("run", "study.yaml")
            trials = home.json("trials", "both")["trials"]
            equal("trials", len(trials), 40)
            for t in trials:
                x, y = t["params"]["x"], t["params"]["y"]
                for got, want in zip(t["outcome"]["values"] + [t["outcome"]["violation"]],
                                     (x * x + y, 1 - (x - 1) ** 2 - y, max(0, 10 * y - 7))):
                    if abs(got - want) > 1e-4:
                        raise AssertionError(f"{got} of {t['params']}, not {want}")
            front = front_of(trials)
            study = home.json("show", "both")
            equal("show", sorted(p["trial"] for p in study["front"]), front)
            pareto = home.json("pareto", "both")
            equal("pareto", sorted(t["number"] for t in pareto["trials"]), front)
            equal("size", pareto["size"], len(front))
            equal("objectives", pareto["objectives"], [{"metric": "left", "goal": "minimize"},
                                                        {"metric": "right", "goal": "maximize"}])
            left = [p["values"][0] for p in study["front"]]
            equal("by the first objective", left, sorted(left))
            has("last screen", out, f"front    {len(front)} trial")
            has("last screen", out, "assay pareto both")
            has("its first", out, f"trial {study['front'][0]['trial']}: left ")
            table = list(csv.DictReader(home.run("export", "both")[0].splitlines()))
            equal("export", [(float(t["values_left"]), float(t["values_right"])) for t in table],
                  [tuple(t["outcome"]["values"]) for t in trials])
            if sampler == "tpe":
                home.run("export", "both", "-o", "both.csv")
                home.write("told.yaml", STUDY.format(name="told", sampler=sampler).replace(
                    "search: {", "search: {tell: both.csv, ").replace(CONSTRAINTS, ""))
                has("told", home.run("run", "told.yaml")[1], "knows 40 results from elsewhere")
            has("page", home.run("show", "both")[0], f"{len(front)} trials (assay pareto both):")
            has("table", home.run("pareto", "both", "--limit", "1")[0], "  right  PARAMETERS")
            best = study["best_trial"]
            equal("best is of the front", best, study["front"][0]["trial"])
            has("trial", home.run("show", "both", str(best))[0], ", right ")
            outside = [t for t in trials if t["outcome"]["violation"] > 0]
            for t in outside[:1]:
                has("why", t["text"], "outside the constraints: cost is ")
            if sampler != "auto" and len(outside) > 12:  # a random search has twelve
                raise AssertionError(f"{len(outside)} trials outside the constraints")


def what_no_trial_can_meet_is_said():
    with Home() as home:
        text = STUDY.format(name="none", sampler="random")
        home.write("values.awk", AWK)
        home.write("study.yaml", text.replace("max: 7", "max: -1").replace("trials: 40", "trials: 4"))
        out, _ = home.run("run", "study.yaml")
        has("last screen", out, "none: no complete trial is within the constraints")
        has("to do", out, "wider constraints")
        equal("front", home.json("show", "none")["front"], [])
        has("pareto", home.run("pareto", "none")[0], "no trial is complete yet and within")
        equal("best", home.json("show", "none")["best_trial"], -1)


def a_model_is_held_to_what_only_a_constraint_names():
    """Metrics that cost more are made where the study names them."""
    with Home() as home:
        rows = [f"{i % 7},{i % 3},{'ab'[i * 5 % 7 > 3]}" for i in range(120)]
        home.write("rows.csv", "\n".join(["x,y,kind"] + rows) + "\n")
        home.write("study.yaml", MODEL)
        home.run("run", "study.yaml")
        study = home.json("show", "held")
        equal("complete", study["complete"], 2)
        equal("within", study["best_trial"] >= 0, True)
        for t in home.json("trials", "held")["trials"]:
            equal("violation", t["outcome"]["violation"], 0)


def the_example_runs():
    with Home() as home:
        shutil.copytree(f"{SOURCE}/examples", f"{home.path}/examples")
        with open(f"{SOURCE}/examples/two-objectives/study.yaml", encoding="utf-8") as f:
            text = f.read()
        home.write("examples/two-objectives/study.yaml", text.replace("trials: 40", "trials: 12"))
        out, _ = home.run("run", "examples/two-objectives/study.yaml")
        has("last screen", out, "that no other beats in all objectives")
        front = json.loads(home.run("pareto", "two-objectives", "--json")[0])["trials"]
        for t in front:
            if t["outcome"]["values"][0] > 0.5:
                raise AssertionError(f"error {t['outcome']['values'][0]} on the front")


main(the_front_is_told_everywhere, what_no_trial_can_meet_is_said,
     a_model_is_held_to_what_only_a_constraint_names, the_example_runs)
