# SPDX-License-Identifier: Apache-2.0
"""A random search over a command, from the study file to the stored rows."""
import os

from harness import Home, equal, has, main, wait

STUDY = """
assay: 1
name: parabola
run:
  command: [sh, -c, 'echo "step=1 loss=$(awk "BEGIN{{print ({x}-0.3)^2}}")"; echo done >&2']
  metrics: {pattern: 'step=(?<step>\\d+) loss=(?<loss>\\S+)'}
objective: {metric: loss, goal: minimize, take: last}
parameters:
  x: {min: 0.0, max: 1.0}
search: {sampler: random, seed: 7}
budget: {trials: 20}
"""


def every_trial_is_stored_once():
    with Home() as home:
        home.write("study.yaml", STUDY)
        out, _ = home.run("run", "study.yaml")
        has("last screen", out, "parabola finished")
        trials = home.json("trials", "parabola")["trials"]
        equal("trials", [t["number"] for t in trials], list(range(20)))
        for trial in trials:
            equal("state", trial["state"], "complete")
            want = (trial["params"]["x"] - 0.3) ** 2
            if abs(trial["value"] - want) > 1e-4:
                raise AssertionError(f"value {trial['value']} of x={trial['params']['x']}")
        best = home.json("best", "parabola")["trials"]
        equal("best first", best[0]["value"], min(t["value"] for t in trials))
        equal("log", home.run("logs", "parabola", "3", "--stderr")[0], "done\n")
        ends = home.store().execute(
            "select count(*) from event where kind = 5 and trial is not null").fetchone()[0]
        if ends < 20:
            raise AssertionError(f"{ends} state events of 20 trials")


def logs_follow_both_streams_over_all_attempts():
    """Each attempt of the trial says its number on both streams; the first two crash."""
    script = ('n=$ASSAY_ATTEMPT; echo out $n; echo err $n >&2; '
              'while [ ! -e go$n ]; do sleep 0.1; done; [ $n = 3 ] || exit 1; echo loss=1')
    with Home() as home:
        home.write("study.yaml", f"""
assay: 1
name: talk
run:
  command: [sh, -c, '{script}']
  metrics: {{pattern: 'loss=(?<loss>\\S+)'}}
objective: {{metric: loss, goal: minimize}}
parameters: {{x: {{min: 0.0, max: 1.0}}}}
budget: {{trials: 1}}
""")
        run = home.start("run", "study.yaml")
        logs = os.path.join(home.env["ASSAY_HOME"], "logs")
        wait(lambda: os.path.isdir(logs) and os.listdir(logs), "the log")
        follow = home.start("logs", "talk", "0", "-f")
        equal("first line", follow.stdout.readline(), "out 1\n")
        for n in 1, 2, 3:
            home.write(f"go{n}", "")
        out, err = follow.communicate(timeout=240)
        equal("stdout", out, "out 2\nout 3\nloss=1\n")
        equal("stderr", err, "err 1\nerr 2\nerr 3\n")
        run.communicate(timeout=240)
        equal("one attempt", home.run("logs", "talk", "0", "--attempt", "2"), ("out 2\n", "err 2\n"))
        equal("one stream", home.run("logs", "talk", "0", "--stderr"), ("err 3\n", ""))


def same_seed_gives_the_same_points():
    tables = []
    for _ in range(2):
        with Home() as home:
            home.write("study.yaml", STUDY)
            home.run("run", "study.yaml")
            tables.append([t["params"] for t in home.json("trials", "parabola")["trials"]])
    equal("tables", tables[0], tables[1])


def a_second_study_of_a_name_gets_a_number():
    with Home() as home:
        home.write("study.yaml", STUDY.replace("trials: 20", "trials: 2"))
        home.run("run", "study.yaml")
        home.run("run", "study.yaml")
        names = sorted(s["name"] for s in home.json("ls")["studies"])
        equal("names", names, ["parabola", "parabola-2"])


def a_failing_command_says_why():
    with Home() as home:
        home.write("study.yaml", STUDY.replace("name: parabola", "name: broken\nretries: 0")
                   .replace("echo done >&2", "echo out of coffee >&2; exit 3")
                   .replace("trials: 20", "trials: 2"))
        out, err = home.run("run", "study.yaml", code=1)
        has("the last line", err.splitlines()[-1], "no trial is complete")
        for trial in home.json("trials", "broken")["trials"]:
            equal("state", trial["state"], "failed")
            has("reason", trial["text"] + str(home.json("show", "broken", "0")), "out of coffee")


main(every_trial_is_stored_once, logs_follow_both_streams_over_all_attempts, same_seed_gives_the_same_points,
     a_second_study_of_a_name_gets_a_number, a_failing_command_says_why)
