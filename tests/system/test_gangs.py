# SPDX-License-Identifier: Apache-2.0
"""Gangs: trials of a model that several ranks train together over MPI, on one node."""
import sys

from harness import SOURCE, Home, equal, has, main, wait

STUDY = """
assay: 1
name: gang
run: {model: mlp, length: {unit: epochs, max: %d}}
data: {file: %s/examples/data/digits.csv.gz, label: -1}
objective: {metric: val_loss, goal: minimize}
parameters:
  lr: {min: 1e-3, max: 0.1, scale: log}
  hidden: {values: [16, 32]}
search: {sampler: random, pruner: {name: asha, min: 1, reduction: 2}, seed: 1}
budget: {trials: %d}
resources: {ranks: %d, memory: 256MiB}
"""


def study(home, ranks, trials=6, epochs=4):
    home.write("study.yaml", STUDY % (epochs, SOURCE, trials, ranks))


def two_ranks_sweep():
    with Home() as home:
        study(home, 2)
        _, err = home.run("run", "study.yaml")
        has("plan", err, "each 2 cores (2 ranks of 1) and 512 MiB")
        equal("trials", home.json("show", "gang")["trials"], 6)
        has("needs", home.run("show", "gang")[0], "2 cores (2 ranks of 1) and 512 MiB a trial")
        best = home.json("best", "gang")["trials"][0]["number"]
        has("trial", home.run("show", "gang", str(best))[0], ", 2 ranks,")


def four_ranks_share_two_cores():
    with Home() as home:
        home.env["ASY_OVERSUBSCRIBE"] = "2"
        study(home, 4, trials=2)
        _, err = home.run("run", "study.yaml", "--cores", "2")
        has("plan", err, "slots    1 trial at a time, each 4 cores (4 ranks of 1) and 1.0 GiB")
        equal("complete", home.json("show", "gang")["complete"], 1)


def more_ranks_than_cores_wait_and_say_so():
    with Home() as home:
        study(home, 3)
        home.run("submit", "study.yaml")
        home.run("up", "--cores", "2")
        wait(lambda: home.json("workers")["workers"], "a worker")
        why = home.json("explain", "gang")
        equal("cause", why["cause"], "too-large")
        has("text", why["text"], "asks for 3 cores (3 ranks of 1) on one worker")
        has("remedy", why["remedy"], "resources")
        home.run("stop", "gang")


def a_command_has_no_ranks():
    with Home() as home:
        home.write("study.yaml", "assay: 1\nname: c\nrun: {command: [sh, -c, 'exit 0']}\n"
                   "objective: {metric: x, goal: minimize}\nparameters: {x: {min: 0, max: 1}}\n"
                   "budget: {trials: 1}\nresources: {ranks: 2, cores: 2}\n")
        _, err = home.run("run", "study.yaml", code=2)
        has("what to do", err, "cores: 4 and command: [mpirun, --bind-to, none, -n, \"2\", ...]")


def cores():
    with Home() as home:
        home.run("up")
        return wait(lambda: home.json("workers")["workers"], "a worker")[0]["cores"]


if cores() < 2:
    print("not tested: this machine has one core, and each rank needs one")
    sys.exit(77)
main(two_ranks_sweep, four_ranks_share_two_cores, more_ranks_than_cores_wait_and_say_so, a_command_has_no_ranks)
