# SPDX-License-Identifier: Apache-2.0
"""Studies whose trials several ranks train, their processes, and two workers for gangs that span."""
import os
import subprocess

from harness import BIN, SOURCE, wait

STUDY = """
assay: 1
name: %s
run: {model: mlp, length: {unit: epochs, max: %d}}
data: {file: %s/examples/data/digits.csv.gz, label: -1}
objective: {metric: val_loss, goal: minimize}
parameters:
  lr: {min: 1e-3, max: 0.1, scale: log}
  hidden: {values: [16, 32]}
search: {sampler: random, pruner: %s, seed: 1}
budget: {trials: %d}
resources: {ranks: %d, memory: 256MiB}
%s"""


def study(home, ranks, trials=4, epochs=4, pruner="{name: asha, min: 1, reduction: 2}", more="",
          name="gang"):
    return home.write("study.yaml", STUDY % (name, epochs, SOURCE, pruner, trials, ranks, more))


def stat(pid):
    with open(f"/proc/{pid}/stat") as f:
        return f.read().rpartition(") ")[2].split()


def alive(pid):
    try:
        return stat(pid)[0] != "Z"
    except OSError:
        return False


def parent(pid):
    return int(stat(pid)[1])


def environ(pid):
    try:
        with open(f"/proc/{pid}/environ", "rb") as f:
            return dict(x.split("=", 1) for x in f.read().decode().split("\0") if "=" in x)
    except OSError:
        return {}


def ranks(home):
    """{rank: pid} of all trainers that run under MPI."""
    return {int(environ(pid)["OMPI_COMM_WORLD_RANK"]): pid
            for pid in home.processes("assay-trainer")
            if "OMPI_COMM_WORLD_RANK" in environ(pid)}


def speak(ranks):
    """Into the stderr of each rank, as if it had said so itself."""
    for rank, pid in ranks.items():
        with open(f"/proc/{pid}/fd/2", "a") as file:
            file.write(f"earlier words of rank {rank}\nlast words of rank {rank}\n")


def said_by(ranks, text):
    """By speak(), or by Open MPI in the rank's place: "[HOST:PID] *** End of error message ***"."""
    return [f"rank {rank}" for rank, pid in ranks.items()
            if f"words of rank {rank}" in text or f":{pid:05}]" in text]


def name_of(pid):
    with open(f"/proc/{pid}/comm") as f:
        return f.read().strip()


def lineage(pid):
    """Its parents up to the agent, by name."""
    found = {}
    while name_of(pid) not in found and pid > 1:
        found[name_of(pid)] = pid
        if name_of(pid) == "assay-worker":
            break
        pid = parent(pid)
    return found


# ---- gangs that span ----------------------------------------------------------------------------

def spawn(home, name, *argv):
    log = open(os.path.join(home.path, f"{name}.log"), "a")
    return subprocess.Popen(argv, env=home.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def coordinator(home):
    """Alone: no worker of this machine's."""
    spawn(home, "coordinator", os.path.join(BIN, "assay-coordinator"), "--keep")
    wait(lambda: os.path.exists(os.path.join(home.env["ASSAY_HOME"], "coordinator.json")),
         "the coordinator")


def worker(home, cpu):
    """An agent that sees one core; two of them are two nodes to the coordinator."""
    return spawn(home, f"worker-{cpu}", "taskset", "-c", str(cpu),
                 os.path.join(BIN, "assay-worker"), "--home", home.env["ASSAY_HOME"])


def workers(home):
    agents = [worker(home, cpu) for cpu in (0, 1)]
    wait(lambda: len(home.json("workers")["workers"]) == 2, "two workers")
    return agents


def training(home, others=()):
    """(number, attempt) of the trial that trains, if it is none of the others."""
    for t in home.json("trials", "gang")["trials"]:
        key = t["number"], t["attempts"]
        if t["state"] == "running" and (t["step"] or 0) > 0 and key not in others:
            return key
    return None
