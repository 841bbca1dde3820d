# SPDX-License-Identifier: Apache-2.0
"""Population based training with real processes: what each trial reports can only come about if it
started from its parent's checkpoint, through kills of coordinator, agent and programs as well.

The problem is the toy of Jaderberg et al. 2017, figure 2: gradient steps on a surrogate whose two
coefficients are the parameters, seen through the real objective.
"""
import os
import signal

from far import Far
from harness import SOURCE, Home, equal, has, main, wait

LENGTH, INTERVAL, POPULATION = 24, 3, 4

PROGRAM = """
import json, os, socket, time
link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
link.connect(os.environ["ASSAY_SOCKET"])
lines = link.makefile("rw")


def say(**line):
    lines.write(json.dumps(line) + "\\n")
    lines.flush()
    return json.loads(lines.readline())["do"]


h = [float(os.environ["ASSAY_PARAM_H0"]), float(os.environ["ASSAY_PARAM_H1"])]
state = {"step": 0, "theta": [0.9, 0.9]}
if os.environ.get("ASSAY_RESUME"):
    state = json.load(open(os.environ["ASSAY_RESUME"]))
do = "continue"
while do == "continue" and state["step"] < 24:
    time.sleep(float(os.environ["PACE"]))
    state["step"] += 1
    state["theta"] = [t - 0.1 * 2 * c * t for t, c in zip(state["theta"], h)]
    q = 1.2 - state["theta"][0] ** 2 - state["theta"][1] ** 2
    do = say(step=state["step"], metrics={"q": q})
    if do == "pause" or state["step"] % 2 == 0:
        with open(os.environ["ASSAY_CHECKPOINT_DIR"] + "/c", "w") as file:
            json.dump(state, file)
        answer = say(checkpoint="c", step=state["step"])
        do = answer if do == "continue" else do
"""

STUDY = """
assay: 1
name: toy
run:
  command: [python3, program.py]
  files: [program.py]
  cwd: trial
  env: {PACE: '%(pace)s'}
  checkpoint: %(checkpoint)s
  length: {unit: steps, max: 24}
objective: {metric: q, goal: maximize, take: last}
parameters: {h0: {min: 0.0, max: 1.0}, h1: {min: 0.0, max: 1.0}}
search: {sampler: {name: pbt, interval: 3}, seed: 5, deterministic: %(deterministic)s}
budget: {parallel: %(parallel)s}
"""


MODEL = """
assay: 1
name: digits
run: {model: mlp, hidden: 16, layers: 1, optimizer: sgd, length: {unit: epochs, max: 6}}
data: {file: %(data)s/digits.csv.gz}
objective: {metric: val_loss, goal: minimize}
parameters:
  lr: {min: 1e-5, max: 0.1, scale: log}
  momentum: {min: 0.0, max: 0.9}
  batch_size: {min: 16, max: 128}
search: {sampler: {name: pbt, population: 3, interval: 2, quantile: 0.34}, seed: 2}
"""


def lay_out(home, pace=0, parallel=0, deterministic="false", checkpoint="true"):
    home.write("program.py", PROGRAM)
    home.write("study.yaml", STUDY % {"pace": pace, "parallel": parallel,
                                      "deterministic": deterministic, "checkpoint": checkpoint})


def value_of(trials, number):
    """What a trial reports last, from the parameters of all trials that it descends from."""
    chain, theta = [], [0.9, 0.9]
    while number is not None:
        chain.append(trials[number])
        number = trials[number].get("parent")
    for trial in reversed(chain):
        h = [trial["params"]["h0"], trial["params"]["h1"]]
        for _ in range(INTERVAL):
            theta = [t - 0.1 * 2 * c * t for t, c in zip(theta, h)]
    return 1.2 - theta[0] ** 2 - theta[1] ** 2


def check(home):
    trials = {t["number"]: t for t in home.json("trials", "toy")["trials"]}
    complete = {n: t for n, t in trials.items() if t["state"] == "complete"}
    equal("trials of the members that reach the end",
          sorted(t["member"] for t in complete.values() if t["step"] == LENGTH),
          list(range(1, POPULATION + 1)))
    for number, trial in complete.items():
        equal(f"the value of trial {number}", trial["value"], value_of(trials, number))
        parent = trial.get("parent")
        equal(f"the step of trial {number}", trial["step"],
              INTERVAL + (trials[parent]["step"] if parent is not None else 0))
    followers = [t for t in complete.values() if "parent" in t]
    taken = [t for t in followers if trials[t["parent"]]["member"] != t["member"]]
    own = [t for t in followers if trials[t["parent"]]["member"] == t["member"]]
    equal("some took up another's weights", bool(taken), True)
    equal("with other parameters", all(t["params"] != trials[t["parent"]]["params"]
                                       for t in taken), True)
    equal("who went on kept its own", all(t["params"] == trials[t["parent"]]["params"]
                                          for t in own), True)
    return trials, taken


def checkpoints(home):
    found = []
    for folder, _, files in os.walk(os.path.join(home.env["ASSAY_HOME"], "artifacts")):
        found += [f for f in files if "." in f and not f.startswith(".")]
    return found


def members_go_on_from_checkpoints():
    with Home() as home:
        lay_out(home)
        out = home.run("run", "study.yaml")[0]
        _, taken = check(home)
        has("show", home.run("show", "toy", str(taken[0]["number"]))[0],
            f"from the checkpoint of trial {taken[0]['parent']}")
        number, parent = taken[0]["number"], taken[0]["parent"]
        was = {t["number"]: t for t in home.json("trials", "toy")["trials"]}[parent]
        why = home.run("explain", "toy", str(number))[0]
        has("explain", why, f"from the checkpoint of trial {parent} at step ")
        has("whose turn", why, f"turn      of member {taken[0]['member']}, goes on from trial "
            f"{parent} of member {was['member']}: ")
        for name in ("h0", "h1"):
            if was["params"][name] != taken[0]["params"][name]:
                has("what changed", why,
                    f"{name} {was['params'][name]!r} -> {taken[0]['params'][name]!r}")
        home.run("report", "toy", "-o", os.path.join(home.path, "toy.html"))
        with open(os.path.join(home.path, "toy.html"), encoding="utf-8") as f:
            page = f.read()
        lineage = page[page.index("<h2>Lineage</h2>"):]
        lineage = lineage[:lineage.index("</section>")]
        parts = lineage.split('<path class="best line" d="')
        equal("lines of who took up another's weights", parts[1].split('"')[0].count("M"),
              len(taken))
        equal("a point for each trial", lineage.count("<circle"),
              len(home.json("trials", "toy")["trials"]))
        has("a first one", home.run("explain", "toy", "0")[0], "turn      of member 1, its first")
        has("why it ended", home.json("explain", "toy")["cause"], "exhausted")
        replayed = home.json("replay", "toy")
        equal("it follows from its log", [replayed["result"], replayed["suggestions"]],
              ["follows", len(home.json("trials", "toy")["trials"])])
        wait(lambda: not checkpoints(home), "the last checkpoints to be removed")
        has("best", out, "toy")


def lineage_survives_kills():
    with Home() as home:
        lay_out(home, pace=0.05)
        home.write("config.yaml", "lost_after: 2s\nreattach_window: 2s\n")
        sweep = home.start("run", "study.yaml")

        def ended():
            try:
                with home.store() as db:
                    return db.execute("select count(*) from run where ended_us > 0").fetchone()[0]
            except Exception:  # not there yet, or just being taken over
                return 0

        for n, victim in ((3, "assay-coordinato"), (8, "assay-worker"), (13, "python3"),
                          (18, "assay-coordinato")):
            wait(lambda: ended() >= n or sweep.poll() is not None, f"{n} trials to end")
            wait(lambda: home.processes(victim) or sweep.poll() is not None, victim)
            for pid in home.processes(victim)[:1]:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:  # it ended by itself just now
                    pass
        sweep.communicate()
        wait(lambda: home.json("show", "toy")["state"] == "finished", "the study to finish")
        check(home)


def members_move_to_another_machine():
    """Whoever trained a parent, its checkpoint comes to where the next turn runs."""
    with Far(2) as home:
        coordinator = home.coordinator()
        lay_out(home, pace=0.05)
        first = home.worker("a")
        home.run("submit", "study.yaml")
        wait(lambda: home.json("show", "toy")["complete"] >= POPULATION, "each member's first turn")
        first.send_signal(signal.SIGTERM)
        first.wait()
        home.worker("b")
        wait(lambda: home.finished("toy"), "the study's end")
        check(home)
        home.end(coordinator)


def the_same_with_one_worker_or_four():
    tables = []
    for parallel in (1, 4):
        with Home() as home:
            lay_out(home, parallel=parallel, deterministic="true")
            home.run("run", "study.yaml")
            trials, _ = check(home)
            tables.append([(n, t["params"], t["member"], t.get("parent"), t["value"])
                           for n, t in sorted(trials.items())])
    equal("tables", tables[0], tables[1])


def models_go_on_from_checkpoints():
    """Of the native engine: under other rates than those that the checkpoint was made with."""
    with Home() as home:
        home.write("study.yaml", MODEL % {"data": os.path.join(SOURCE, "examples", "data")})
        home.run("run", "study.yaml")
        trials = {t["number"]: t for t in home.json("trials", "digits")["trials"]}
        equal("others than complete", [t for t in trials.values() if t["state"] != "complete"], [])
        equal("some took up another's weights with other rates",
              any("parent" in t and t["params"] != trials[t["parent"]]["params"]
                  for t in trials.values()), True)
        last = [t for t in trials.values() if t["step"] == 6]
        equal("members at the end", len(last), 3)
        for trial in last:
            shown = home.json("show", "digits", str(trial["number"]))
            equal("its model", any(a["name"] == "model" for a in shown["artifacts"]), True)
            equal("where it began", shown["attempt_list"][0]["resumed_step"], 4)


def a_population_whose_trials_fail_says_so():
    with Home() as home:
        lay_out(home)
        home.write("program.py", "raise SystemExit(3)")
        home.write("study.yaml", STUDY % {"pace": 0, "parallel": 0, "deterministic": "false",
                                          "checkpoint": "true"} + "retries: 0\n")
        home.run("run", "study.yaml", code=1)
        why = home.json("explain", "toy")
        equal("its end", [why["state"], why["cause"]], ["failed", "sampler-failed"])
        has("what happened", why["text"], "the last 12 trials failed, so it has nothing to go on from")


def a_program_without_checkpoints_is_refused():
    with Home() as home:
        lay_out(home, checkpoint="false")
        has("refusal", home.run("run", "study.yaml", code=2)[1], "run.checkpoint: true")


main(members_go_on_from_checkpoints, lineage_survives_kills, members_move_to_another_machine,
     the_same_with_one_worker_or_four,
     models_go_on_from_checkpoints, a_population_whose_trials_fail_says_so,
     a_program_without_checkpoints_is_refused)
