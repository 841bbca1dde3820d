# SPDX-License-Identifier: Apache-2.0
"""search.from: a study that begins where an earlier one of an overlapping space ended, with real
processes; what it has of the other stays the same whatever becomes of that."""
from harness import Home, equal, has, main

PROGRAM = """
import json, os
p = json.loads(os.environ["ASSAY_PARAMS"])
loss = (p["x"] - 0.3) ** 2 + (p.get("y", 0.5) - 0.6) ** 2
print("step=1 loss=%r acc=%r" % (7 * loss, 1 - loss), flush=True)
"""

STUDY = """
assay: 1
name: %(name)s
run:
  command: [python3, program.py]
  metrics: {pattern: 'step=(?<step>\\d+) loss=(?<loss>\\S+) acc=(?<acc>\\S+)'}
objective: %(objective)s
parameters: {x: {min: 0.0, max: 1.0}, %(more)s}
search: {sampler: %(sampler)s, seed: 3%(search)s}
budget: {trials: %(trials)d, parallel: 2}
"""


def study(home, name, trials, search="", more="y: {min: 0.0, max: 1.0}", sampler="random",
          objective="{metric: acc, goal: maximize}"):
    home.write(name + ".yaml", STUDY % {
        "name": name, "trials": trials, "search": search, "more": more, "sampler": sampler,
        "objective": objective})
    return name + ".yaml"


def begins_from_an_earlier_study():
    with Home() as home:
        home.write("program.py", PROGRAM)
        home.run("run", study(home, "old", 20))
        fits = [t for t in home.json("trials", "old")["trials"] if t["params"]["y"] >= 0.1]
        best = max(fits, key=lambda t: t["value"])
        for sampler in ("tpe", "cma", "auto"):
            name = "new-" + sampler
            file = study(home, name, 15, ", from: old, enqueue: [{x: 0.9}]",
                         "y: {min: 0.1, max: 2.0}, z: {min: 1, max: 9}", sampler,
                         "{metric: loss, goal: minimize}")
            _, said = home.run("run", file)
            has(name, said, "from 'old': ")
            has(name, said, "of 20 complete trials")
            trials = home.json("trials", name)["trials"]
            equal("all ran", [t["state"] for t in trials], ["complete"] * 15)
            equal("the user's point goes first", trials[0]["source"], "enqueued")
            equal("then the best", trials[1]["source"], "from 'old' trial %d" % best["number"])
            equal("as it was", {k: trials[1]["params"][k] for k in ("x", "y")}, best["params"])
            equal("of its own", trials[1]["params"]["z"] in range(1, 10), True)
            equal("at most a fifth", sum("from 'old'" in t["source"] for t in trials) <= 3, True)
            has("page", home.run("show", name, "1")[0], "from 'old' trial")


def a_resume_keeps_what_was_found():
    with Home() as home:
        home.write("program.py", PROGRAM)
        home.run("run", study(home, "old", 8))
        home.run("submit", study(home, "new", 4000, ", from: [old]"))
        home.run("pause", "new")
        home.run("run", study(home, "old", 8, more="y: {min: 0.0, max: 0.9}"))  # old-2
        home.run("run", study(home, "new", 12, ", from: [old]"), "--resume")
        search = home.json("show", "new")["spec"]["search"]
        equal("what it was made with", len(search["from"][0]["trials"]), 8)
        home.run("submit", study(home, "other", 4000, ", from: [old]"))
        home.run("pause", "other")
        said = home.run("run", study(home, "other", 12, ", from: [old-2]"), "--resume", code=1)[1]
        has("another study", said, "'search.from' differs")
        home.run("stop", "other")


def what_is_not_there_is_named():
    with Home() as home:
        home.write("program.py", PROGRAM)
        file = study(home, "new", 4, ", from: [nobody]")
        has("nobody", home.run("run", file, code=1)[1], "search.from: no study 'nobody'")
        home.run("run", study(home, "old", 2, more="k: {min: 1, max: 3}"))
        file = study(home, "new", 4, ", from: [old]", "k: {min: 4, max: 5}")
        has("nothing fits", home.run("run", file, code=1)[1],
            "study 'old' has 2 complete trials, of which none fits")


main(begins_from_an_earlier_study, a_resume_keeps_what_was_found, what_is_not_there_is_named)
