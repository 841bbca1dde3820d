# SPDX-License-Identifier: Apache-2.0
"""budget.regret: a study that ends when hardly anything is left to gain, with real processes; a
deterministic one ends with the same trials whatever ran at once."""
from harness import Home, equal, has, main

PROGRAM = """
import json, os
p = json.loads(os.environ["ASSAY_PARAMS"])
print("step=1 loss=%r" % (100 + (p["x"] - 0.3) ** 2 + (p["y"] - 0.6) ** 2), flush=True)
"""

STUDY = """
assay: 1
name: %(name)s
run:
  command: [python3, program.py]
  metrics: {pattern: 'step=(?<step>\\d+) loss=(?<loss>\\S+)'}
objective: {metric: loss, goal: minimize}
parameters: {x: {min: 0.0, max: 1.0}, y: {min: 0.0, max: 1.0}}
search: {sampler: %(sampler)s, seed: 3%(search)s}
budget: {trials: 60, regret: %(regret)s, parallel: %(parallel)d}
"""


def sweep(home, name, sampler="gp", search="", regret="0.02", parallel=2):
    home.write("program.py", PROGRAM)
    home.write(name + ".yaml", STUDY % {"name": name, "sampler": sampler, "search": search,
                                        "regret": regret, "parallel": parallel})
    home.run("run", name + ".yaml")
    return home.json("trials", name)["trials"]


def it_ends_when_little_is_left_to_gain():
    with Home() as home:
        trials = sweep(home, "near")
        equal("ended early", 20 <= len(trials) < 60, True)
        best = min(t["value"] for t in trials if t["state"] == "complete")
        equal("rightly", best - 100 <= 0.02, True)
        said = home.run("explain", "near")[0]
        has("explain", said, "regret")
        has("explain", said, "no point is better than the best of them by more than")
        equal("not reached", len(sweep(home, "far", regret="1e-300")), 60)


def a_deterministic_study_ends_with_the_same_trials():
    with Home() as home:
        found = [[t["params"] for t in sweep(home, "d%d" % n, "tpe",
                                             ", deterministic: true, lag: 4", "0.05", n)]
                 for n in (1, 3)]
        equal("ended early", len(found[0]) < 60, True)
        equal("the same", found[1], found[0])


main(it_ends_when_little_is_left_to_gain, a_deterministic_study_ends_with_the_same_trials)
