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


# Each word as the program has it, not as the worker: what it is given, and what it is not.
WORDS = """
assay: 1
name: words
run:
  command: [sh, -c, 'test "$1,$2,$3,$4" = "$ASSAY_TRIAL,$ASSAY_DIR,$OMP_NUM_THREADS,mine" &&
            test -z "$SLURM_JOB_ID" && echo loss=$ASSAY_TRIAL', sh, '{env:ASSAY_TRIAL}',
            '{env:ASSAY_DIR}', '{env:OMP_NUM_THREADS}', '{env:MINE}']
  env: {MINE: mine}
  metrics: {pattern: 'loss=(?<loss>\\S+)'}
objective: {metric: loss, goal: minimize}
parameters: {x: {min: 0.0, max: 1.0}}
search: {sampler: random, seed: 7}
budget: {trials: 3}
"""


def words_name_what_the_program_has():
    with Home() as home:
        home.env.update(ASSAY_TRIAL="77", OMP_NUM_THREADS="99", MINE="other", SLURM_JOB_ID="5")
        home.write("study.yaml", WORDS)
        home.run("run", "study.yaml")
        equal("values", [t["value"] for t in home.json("trials", "words")["trials"]], [0, 1, 2])
        home.write("study.yaml", WORDS.replace("{env:MINE}", "{env:SLURM_JOB_ID}")
                   .replace("name: words", "name: lost"))
        home.run("run", "study.yaml", code=None)
        has("why", home.json("show", "lost", "0")["text"], "'SLURM_JOB_ID', which a trial on this")


# Its checkpoint holds the step alone: those of all trials at one step are equal.
TWINS = """
import json, os, socket
link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
link.connect(os.environ["ASSAY_SOCKET"])
lines = link.makefile("rw")


def say(**line):
    lines.write(json.dumps(line) + "\\n")
    lines.flush()
    return json.loads(lines.readline())["do"]


step = int(open(os.environ["ASSAY_RESUME"]).read()) if os.environ["ASSAY_RESUME"] else 0
do = "continue"
while do == "continue" and step < 4:
    step += 1
    say(step=step, metrics={"loss": float(os.environ["ASSAY_PARAM_X"]) / step})
    with open(os.environ["ASSAY_CHECKPOINT_DIR"] + "/c", "w") as file:
        file.write(str(step))
    do = say(checkpoint="c", step=step)
"""


def trials_with_equal_checkpoints_do_without_each_other():
    with Home() as home:
        home.write("twins.py", TWINS)
        home.write("study.yaml", """
assay: 1
name: twins
run:
  command: [python3, twins.py]
  files: [twins.py]
  cwd: trial
  checkpoint: true
  length: {unit: steps, max: 4}
retries: 0
objective: {metric: loss, goal: minimize}
parameters: {x: {min: 1.0, max: 2.0}}
search: {sampler: random, pruner: {name: asha, min: 1, reduction: 2}, seed: 3}
budget: {trials: 12}
""")
        home.run("run", "study.yaml")
        trials = home.json("trials", "twins")["trials"]
        equal("others than complete or pruned",
              [t for t in trials if t["state"] not in ("complete", "pruned")], [])
        if max(t["attempts"] for t in trials) < 3:
            raise AssertionError(f"no trial went on twice: {trials}")


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
        out, err = follow.communicate(timeout=600)
        equal("stdout", out, "out 2\nout 3\nloss=1\n")
        equal("stderr", err, "err 1\nerr 2\nerr 3\n")
        run.communicate(timeout=600)
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


main(every_trial_is_stored_once, trials_with_equal_checkpoints_do_without_each_other,
     logs_follow_both_streams_over_all_attempts, same_seed_gives_the_same_points,
     a_second_study_of_a_name_gets_a_number, a_failing_command_says_why,
     words_name_what_the_program_has)
