# SPDX-License-Identifier: Apache-2.0
"""Gangs across nodes: two workers of one core each, and trials of two ranks and more."""
import os
import shutil
import signal
import subprocess
import sys

import hosts
from gangs import (alive, coordinator, environ, lineage, name_of, parent, ranks, said_by, speak, study,
                   training, worker, workers)
from harness import BIN, SOURCE, Home, equal, has, main, wait


GPU_STUDY = """
assay: 1
name: gang
run: {model: mlp, hidden: 16, norm: batch, batch_size: 128, length: {max: 3}}
data: {file: %s/examples/data/digits.csv.gz, label: -1}
objective: {metric: val_loss, goal: minimize}
parameters: {lr: {min: 1e-3, max: 0.1, scale: log}}
search: {sampler: random, seed: 1}
budget: {trials: 2}
resources: {ranks: 4, memory: 256MiB, gpus: 0.5}
"""


def ended(home, number, attempt):
    for a in home.json("explain", "gang", str(number))["attempts"]:
        if a["attempt"] == attempt and a.get("end"):
            return a
    return None


def curve(home, number):
    metrics = home.json("show", "gang", str(number), "--all")["metrics"]
    return [m["value"] for m in metrics if m["name"] == "val_loss"]


def two_workers_train_trials_together():
    """Three ranks, two of them on one worker; the second trial finds them warm."""
    with Home() as home:
        home.env["ASY_OVERSUBSCRIBE"] = "2"
        coordinator(home)
        study(home, 3)
        agents = workers(home)
        home.run("submit", "study.yaml")
        home.run("watch", "gang")
        ends = home.json("show", "gang")
        if not ends["complete"] or ends["complete"] + ends["pruned"] != 4:
            raise AssertionError(f"ends: {ends}")
        best = home.json("best", "gang")["trials"][0]["number"]
        has("trial", home.run("show", "gang", str(best))[0], ", 3 ranks,")
        wait(lambda: all(not w["runs"] for w in home.json("workers")["workers"]), "idle workers")
        equal("warm ranks", sorted(ranks(home)), [0, 1, 2])
        equal("on both", {lineage(p)["assay-worker"] for p in ranks(home).values()},
              {a.pid for a in agents})
        agents[1].terminate()
        equal("a worker leaves well", agents[1].wait(), 0)
        wait(lambda: not ranks(home), "the warm ranks to end")


def ranks_have_the_gpus_of_their_nodes():
    """Four ranks, each with half of a device (PoCL's stand for GPUs), two on each worker."""
    with Home() as home:
        home.env.update(ASY_OVERSUBSCRIBE="2", POCL_DEVICES="basic", ASY_WORKER_GPUS="any")
        coordinator(home)
        home.write("study.yaml", GPU_STUDY % SOURCE)
        agents = workers(home)
        wait(lambda: [w["gpus"] for w in home.json("workers")["workers"]] == [1, 1], "their GPUs")
        home.run("submit", "study.yaml")
        home.run("watch", "gang")
        equal("complete", home.json("show", "gang")["complete"], 2)
        model = next(a["path"] for a in home.json("show", "gang", "0")["artifacts"] if a["name"] == "model")
        with open(model, "rb") as f:
            has("trained by", f.read(4000).decode(errors="replace"), "opencl basic")
        wait(lambda: all(not w["runs"] for w in home.json("workers")["workers"]), "idle workers")
        told = {rank: environ(pid) for rank, pid in ranks(home).items()}
        equal("warm ranks", sorted(told), [0, 1, 2, 3])
        equal("on both", {lineage(p)["assay-worker"] for p in ranks(home).values()},
              {a.pid for a in agents})
        equal("their places", [told[r]["ASSAY_RANK_GPUS"] for r in range(4)], ["0;0"] * 4)
        equal("their nodes' first", [told[r]["ASSAY_FIRST_RANK"] for r in range(4)], ["0", "0", "2", "2"])


def more_nodes_make_no_other_curve():
    """What one rank learns, two on two nodes learn at the same global batch."""
    curves = []
    for n in 1, 2:
        with Home() as home:
            coordinator(home)
            study(home, n, trials=1, epochs=30, pruner="none")
            workers(home)
            home.run("submit", "study.yaml")
            home.run("watch", "gang")
            curves.append(curve(home, 0))
    equal("epochs", [len(c) for c in curves], [30, 30])
    for n, (one, two) in enumerate(zip(*curves), 1):
        if abs(one - two) > 1e-4 * abs(one):
            raise AssertionError(f"epoch {n}: {one} with one rank, {two} with two")


def a_member_that_drains_lets_all_pause():
    with Home() as home:
        coordinator(home)
        study(home, 2, trials=1, epochs=1000000, pruner="none")
        agents = workers(home)
        home.run("submit", "study.yaml")
        wait(lambda: training(home), "the gang")
        member = lineage(ranks(home)[1])["assay-worker"]
        os.kill(member, signal.SIGTERM)
        agent, = [a for a in agents if a.pid == member]
        equal("it leaves well", agent.wait(), 0)
        at = wait(lambda: ended(home, 0, 1), "the pause")
        equal("how", (at["end"], at["step"] > 0), ("paused", True))
        worker(home, agents.index(agent))
        wait(lambda: training(home, [(0, 1)]), "the gang again")
        again = home.json("explain", "gang", "0")["attempts"][1]
        equal("from where", again["resumed_step"], at["step"])
        home.run("stop", "gang")


DEATHS = [
    ("assay-trainer", 1, signal.SIGKILL, "crashed", "on '%s'"),
    ("assay-trainer", 1, signal.SIGKILL, "crashed", "rank 1"),
    ("assay-trainer", 1, signal.SIGKILL, "crashed", "ended by signal 9 (Killed)"),
    ("assay-trainer", 0, signal.SIGABRT, "crashed",
     "rank 0 on '%s' ended by signal 6 (Aborted)"),
    ("orted", 1, signal.SIGKILL, "crashed", "its orted ended by signal 9 (Killed)"),
    ("mpirun", 0, signal.SIGKILL, "crashed", "its mpirun ended by signal 9 (Killed)"),
    ("assay-attempt", 1, signal.SIGKILL, "crashed", "on '%s': its supervisor was killed"),
    ("assay-attempt", 0, signal.SIGKILL, "crashed", "its supervisor was killed"),
    ("assay-worker", 1, signal.SIGKILL, "preempted", "on '%s': worker '%s' is not connected"),
    ("assay-worker", 0, signal.SIGKILL, "lost", "worker '%s': its connection closed"),
]


def a_death_anywhere_ends_the_gang_everywhere():
    """Of each process of a gang in turn. Its trial goes on later, nothing of it is left."""
    with Home() as home:
        coordinator(home)
        study(home, 2, trials=len(DEATHS) + 1, epochs=1000000, pruner="none")
        agents = workers(home)
        home.run("submit", "study.yaml")
        seen = []
        for what, rank, signum, end, text in DEATHS:
            seen.append(wait(lambda: training(home, seen), "a gang"))
            trees = {r: lineage(pid) for r, pid in ranks(home).items()}
            tree = [pid for t in trees.values() for n, pid in t.items() if n != "assay-worker"]
            victim = trees[rank][what]
            gang = ranks(home)
            speak(gang)
            os.kill(victim, signum)
            at = wait(lambda: ended(home, *seen[-1]), f"the end of {what} {rank}")
            has(f"{what} {rank}", at["text"], text.replace("%s", os.uname().nodename))
            equal(f"{what} {rank}", at["end"], end)
            equal(f"whose words are in {at['text']!r}", said_by(gang, at["text"]),
                  [f"rank {rank}"] if what == "assay-trainer" else [])
            wait(lambda: not any(map(alive, tree)), f"what was beside {what} {rank} to end")
            if what == "assay-worker":
                n = [a.pid for a in agents].index(victim)
                agents[n] = worker(home, n)
        wait(lambda: training(home, seen), "the last gang")
        home.run("stop", "gang")


def signals_of_a_batch_system_end_no_gang():
    """Slurm sends them to every process of a job; the agents alone are to hear them."""
    with Home() as home:
        coordinator(home)
        study(home, 2, trials=1, epochs=1000000, pruner="none")
        agents = {a.pid for a in workers(home)}
        home.run("submit", "study.yaml")
        wait(lambda: training(home), "the gang")
        mpirun = lineage(ranks(home)[0])["mpirun"]
        equal("its own rank, its launch agent", sum(parent(p) == mpirun for p in home.processes()), 2)
        for signum in signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2:
            step = step_of(home)
            for pid in home.processes():
                if pid not in agents and name_of(pid) not in ("assay-coordinat", "assay"):
                    os.kill(pid, signum)
            wait(lambda: step_of(home) > step + 1, f"it to go on after {signum.name}")
        equal("attempts", home.json("trials", "gang")["trials"][0]["attempts"], 1)
        home.run("stop", "gang")


def hosts_with_workers(net):
    """A host with the coordinator, and two with a worker of one core each."""
    a, b, c = net.hosts
    a.spawn("assay-coordinator", "--keep")
    wait(lambda: os.path.exists(os.path.join(net.path, "home/coordinator.json")), "it")
    for host in b, c:
        host.spawn("assay-worker", "--cores", "1")
    wait(lambda: len(a.json("workers")["workers"]) == 2, "two workers")
    return a, b, c


def a_gang_over_two_hosts_outlives_a_broken_link():
    """Cut for a while it goes on; cut for good it is lost, and what is left of it ends when its
    host is back."""
    with hosts.Net("abc") as net:
        a, b, c = hosts_with_workers(net)
        a.run("submit", study(a, 2, trials=1, epochs=1000000, pruner="none"))
        wait(lambda: training(a), "the gang")
        pids = ranks(b)
        tree = [lineage(p)["assay-attempt"] for p in pids.values()] + list(pids.values())
        far = c if spaces(pids[1]) == spaces_of(c) else b
        far.cut()
        wait(lambda: a.json("explain", "gang", "0")["cause"] == "suspect", "silence")
        far.heal()
        step = wait(lambda: a.json("explain", "gang", "0")["cause"] == "none" and step_of(a), "peace")
        wait(lambda: step_of(a) > step, "it to go on")
        equal("attempts", a.json("trials", "gang")["trials"][0]["attempts"], 1)
        far.cut()
        at = wait(lambda: ended(a, 0, 1), "the loss")
        equal("how", at["end"], "lost")
        has("why", at["text"], f"worker '{far.name}': ")
        far.heal()
        wait(lambda: training(a, [(0, 1)]), "the next attempt")
        wait(lambda: not any(map(alive, tree)), "the old gang to end everywhere")
        a.run("stop", "gang")


def a_slow_link_carries_a_gang():
    """Its ranks share every gradient over a line of a megabit a second: late, but not lost. A lease
    may come before the far rank of the gang before it has ended: it waits there for that."""
    with hosts.Net("abc") as net:
        a, b, c = hosts_with_workers(net)
        c.slow("1mbit")
        a.run("submit", study(a, 2, trials=2, epochs=5, pruner="none"))
        a.run("watch", "gang")
        equal("trials", [(t["state"], t["attempts"]) for t in a.json("trials", "gang")["trials"]],
              [("complete", 1)] * 2)


def step_of(home):
    return home.json("trials", "gang")["trials"][0]["step"]


def spaces(pid):
    return os.stat(f"/proc/{pid}/ns/net").st_ino


def spaces_of(host):
    return os.stat(f"/run/netns/{host.space}").st_ino


if len(os.sched_getaffinity(0)) < 2 or not shutil.which("taskset"):
    print("SKIPPED: two workers of one core each need two cores, and taskset")
    sys.exit(hosts.SKIP)
cases = [two_workers_train_trials_together, more_nodes_make_no_other_curve,
         a_member_that_drains_lets_all_pause, signals_of_a_batch_system_end_no_gang,
         a_death_anywhere_ends_the_gang_everywhere]
if '"maker":"pocl"' in subprocess.run([os.path.join(BIN, "assay-worker"), "--probe-gpus", "opencl"],
                                      text=True, capture_output=True, check=False).stdout:
    cases.append(ranks_have_the_gpus_of_their_nodes)
else:
    print("skipped: gangs with GPUs want PoCL (scripts/install-deps.sh test installs it)")
cases += hosts.cases_on_hosts(a_gang_over_two_hosts_outlives_a_broken_link,
                              a_slow_link_carries_a_gang)
if len(sys.argv) > 3:
    cases = [c for c in cases if sys.argv[3] in c.__name__]
main(*cases)
