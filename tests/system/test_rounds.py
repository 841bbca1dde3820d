# SPDX-License-Identifier: Apache-2.0
"""kill -9 of any process of a sweep whose coordinator and workers have hosts of their own: each kill
is a round, one sweep takes many. Whoever is killed and has nobody who would start it again is
started again by the test, the coordinator on whichever host. In the end the same checker as for
every sweep.

    test_rounds.py BIN SOURCE [ROUNDS | seed=N]
"""
import os
import random
import signal
import sys

import checker
import hosts
from breaker import PROGRAM, hold_to_account
from harness import equal, main, wait

SETTINGS = ("heartbeat: 100ms\nsuspect_after: 500ms\nlost_after: 2s\nclosed_grace: 200ms\n"
            "reattach_window: 5s\nlost_retries: 1000\n")
STEPS = 8
STUDY = """
assay: 1
name: sweep
retries: 100
run:
  command: [%s, %s, "%d", %s, "0.04", --checkpoint]
  checkpoint: true
  length: {unit: steps, max: %d}
objective: {metric: loss, goal: minimize, take: last}
parameters: {x: {min: 0.0, max: 1.0}}
search: {sampler: random, seed: 3}
budget: {trials: %d}
"""


class Cluster(hosts.Net):
    """A coordinator on the first host, workers of one core on the others."""

    def __init__(self, trials):
        super().__init__("abc")
        self.trials = trials

    def __enter__(self):
        super().__enter__()
        self.head, *self.nodes = self.hosts
        self.home = os.path.join(self.path, "home")
        os.mkdir(self.home)
        self.write("home/config.yaml", SETTINGS)
        self.start_coordinator(self.head)
        wait(lambda: os.path.exists(os.path.join(self.home, "coordinator.json")), "the coordinator")
        self.workers = {}
        for node in self.nodes:
            self.start_worker(node)
        wait(lambda: len(self.head.json("workers")["workers"]) == len(self.nodes), "the workers")
        self.records = os.path.join(self.path, "records")
        os.mkdir(self.records)
        self.write("study.yaml", STUDY % (sys.executable, PROGRAM, STEPS, self.records, STEPS,
                                          self.trials))
        self.head.run("submit", os.path.join(self.path, "study.yaml"))
        return self

    def write(self, name, text):
        with open(os.path.join(self.path, name), "w") as file:
            file.write(text)

    def start_coordinator(self, host):
        self.coordinator = host.spawn("assay-coordinator", "--keep")

    def start_worker(self, node):
        self.workers[node] = node.spawn("assay-worker", "--cores", "1")

    def stored(self, kind):
        number = {v: k for k, v in checker.KINDS.items()}[kind]
        try:
            return self.head.store().execute("select count(*) from event where kind = ?",
                                             (number,)).fetchone()[0]
        except Exception:
            return 0

    def over(self):
        try:
            return self.head.store().execute("select state from study").fetchone()[0] == 4
        except Exception:
            return False

    def more(self, kind, n):
        before = self.stored(kind)
        wait(lambda: self.stored(kind) >= before + n or self.over(), f"{n} more of {kind}")

    def named(self, *names):
        found = []
        for pid in self.head.processes():
            try:
                with open(f"/proc/{pid}/comm") as file:
                    if file.read().strip() in {n[:15] for n in names}:
                        found.append(pid)
            except OSError:
                pass
        return sorted(found)

    def finish(self):
        wait(self.over, "the sweep to end")
        for worker in self.workers.values():
            worker.send_signal(signal.SIGTERM)
        equal("the workers' ends", [w.wait() for w in self.workers.values()],
              [0] * len(self.workers))
        self.coordinator.send_signal(signal.SIGTERM)
        equal("the coordinator's end", self.coordinator.wait(), 0)
        return checker.check(self.head.store(), self.trials, self.records)


class Killer:
    """Seeded; keeps count of what it did, as hold_to_account() wants it."""

    VICTIMS = "coordinator", "agent", "supervisor", "program"

    def __init__(self, cluster, rng):
        self.cluster, self.rng = cluster, rng
        self.kills = dict.fromkeys(self.VICTIMS, 0)

    def round(self):
        cluster, victim = self.cluster, self.rng.choice(self.VICTIMS)
        if victim == "coordinator":
            cluster.coordinator.kill()
            cluster.coordinator.wait()
            cluster.start_coordinator(self.rng.choice(cluster.hosts))
        elif victim == "agent":
            node = self.rng.choice(cluster.nodes)
            cluster.workers[node].kill()
            cluster.workers[node].wait()
            cluster.start_worker(node)
        else:
            names = ("assay-attempt",) if victim == "supervisor" else ("python3",)
            pids = cluster.named(*names)
            if not pids:
                return
            try:
                os.kill(self.rng.choice(pids), signal.SIGKILL)
            except ProcessLookupError:
                return
        self.kills[victim] += 1

    def allowed(self):
        crashed = self.kills["supervisor"] + self.kills["program"]
        cut = self.kills["agent"]
        return crashed, cut, cut + len(self.cluster.nodes) * self.kills["coordinator"]


def rounds_of_one_sweep(seed, rounds):
    rng = random.Random(seed)
    print(f"# seed={seed} rounds={rounds}", flush=True)
    with Cluster(trials=rounds) as cluster:
        killer = Killer(cluster, rng)
        while sum(killer.kills.values()) < rounds and not cluster.over():
            cluster.more(rng.choice(("report", "leased", "checkpoint")), rng.randrange(1, 3))
            killer.round()
        history = cluster.finish()
        print(f"# seed={seed} kills {killer.kills}: {dict(history.ends())}, {history.durable} lines "
              "were durable", flush=True)
        equal("rounds", sum(killer.kills.values()), rounds)
        hold_to_account(killer, history)


def case(seed, rounds):
    def test():
        rounds_of_one_sweep(seed, rounds)
    test.__name__ = f"{rounds}_rounds_seed={seed}"
    return test


def a_coordinator_moves_to_another_host():
    """The same store, another address; what ran goes on."""
    with Cluster(trials=6) as cluster:
        cluster.more("report", 3)
        for host in cluster.nodes:
            cluster.coordinator.kill()
            cluster.coordinator.wait()
            cluster.start_coordinator(host)
            cluster.more("report", 3)
        history = cluster.finish()
        equal("attempts", [e.attempt for e in history.events if e.kind == "leased"], [1] * 6)


def a_second_coordinator_is_refused_by_name():
    with Cluster(trials=1) as cluster:
        other = cluster.nodes[0]
        process = other.spawn("assay-coordinator", "--keep")
        equal("exit", process.wait(), 5)
        said = other.log("assay-coordinator")
        equal(said, f"host 'a' has it open, pid {cluster.coordinator.pid}," in said, True)
        cluster.finish()


WHY_NOT = hosts.why_not()
if WHY_NOT:
    print(f"SKIPPED: there can be no hosts of their own here: {WHY_NOT}")
    sys.exit(hosts.SKIP)
word = sys.argv[3] if len(sys.argv) > 3 else "50"
if word.startswith("seed="):
    main(case(int(word[5:]), 25))
# Half of them each, side by side: what takes long is the waiting of one for its processes.
cases = [case(seed, 25) for seed in range(1, int(word) // 25 + 1)]
main(*cases, a_coordinator_moves_to_another_host, a_second_coordinator_is_refused_by_name, at_once=2)
