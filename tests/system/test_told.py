# SPDX-License-Identifier: Apache-2.0
"""Results of an earlier study, told to a new one, across a restart of the coordinator."""
import json
import os

from harness import Home, equal, has, main, wait

STUDY = """
assay: 1
name: {name}
run:
  command: [sh, -c, 'echo loss={{x}}; [ $ASSAY_TRIAL -lt 3 ] || while [ ! -e go ]; do sleep 0.1; done']
  metrics: {{pattern: 'loss=(?<loss>\\S+)'}}
objective: {{metric: loss, goal: minimize}}
parameters: {{x: {{min: 1, max: 6}}, y: {{values: [a, b]}}}}
search: {{sampler: brute_force, seed: 1, {more}}}
budget: {{trials: {trials}, parallel: 1}}
"""


def trials(home, name):
    return home.json("trials", name)["trials"]


def complete(home, name):
    out, _ = home.run("trials", name, "--json", code=None)  # 1: there is no such study yet
    return [t["state"] for t in json.loads(out)["trials"]].count("complete") if out else 0


def points(home, name):
    return [(t["params"]["x"], t["params"]["y"]) for t in trials(home, name)]


def told_points_are_known_also_after_a_restart():
    with Home() as home:
        home.write("old.yaml", STUDY.format(name="old", more="fixed: {y: a}", trials=3))
        home.run("run", "old.yaml")
        old = points(home, "old")
        equal("fixed", {y for _, y in old}, {"a"})
        home.run("export", "old", "-o", "old.csv")
        home.write("new.yaml", STUDY.format(name="new", more="tell: old.csv", trials=100))
        run = home.start("run", "new.yaml")
        wait(lambda: complete(home, "new") == 3, "three trials")
        home.run("down")
        has("plan", run.communicate()[1], "knows 3 results from elsewhere")
        os.unlink(os.path.join(home.path, "old.csv"))
        home.write("old.csv", "number,value,params_x,params_y\n")
        for row in old:
            with open(os.path.join(home.path, "old.csv"), "a") as table:
                table.write(f"0,{float(row[0])},{row[0]},{row[1]}\n")
        home.write("go", "")
        home.run("run", "new.yaml", "--resume")
        equal("the rest, once", sorted(old + points(home, "new")),
              [(x, y) for x in range(1, 7) for y in "ab"])


main(told_points_are_known_also_after_a_restart)
