# SPDX-License-Identifier: Apache-2.0
"""kill -9 of any process of a sweep whose coordinator and workers have hosts of their own: each kill
is a round, one sweep takes many. Sweeps are of the three kinds of clusters.py. Whoever is killed and
has nobody who would start it again is started again by the test, the coordinator of a shared home on
whichever host. In the end the same checker as for every sweep.

    test_rounds.py BIN SOURCE [ROUNDS | KIND=SEED]
"""
import os
import random
import signal
import sys

import hosts
from breaker import hold_to_account
from clusters import Apart, Gangs, Shared
from harness import equal, has, main, wait

ROUNDS = 20  # of one case, and trials of each sweep


class Killer:
    """Seeded; keeps count of what it did."""

    def __init__(self, cluster, rng):
        self.cluster, self.rng = cluster, rng
        self.kills = dict.fromkeys(cluster.VICTIMS, 0)

    def round(self):
        """One kill. Nothing is there that could be the victim: none."""
        cluster, victim = self.cluster, self.rng.choice(self.cluster.VICTIMS)
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
            pids = cluster.named(cluster.PROCESSES[victim])
            if not pids:
                return
            try:
                os.kill(self.rng.choice(pids), signal.SIGKILL)
            except ProcessLookupError:
                return
        self.kills[victim] += 1

    def allowed(self):
        return self.cluster.allowed(self.kills)


def rounds_of_one_sweep(kind, rng, rounds):
    """So many, or as many as there were until it ended: a sweep does not wait for who kills it."""
    with kind(trials=ROUNDS) as cluster:
        killer = Killer(cluster, rng)
        while sum(killer.kills.values()) < rounds and not cluster.over():
            cluster.more(rng.choice(("report", "leased", "checkpoint")), rng.randrange(1, 3))
            killer.round()
        history = cluster.finish()
        print(f"# {kind.__name__} kills {killer.kills}: {dict(history.ends())}, "
              f"{history.durable} lines were durable", flush=True)
        hold_to_account(killer, history)
        equal("any was killed", sum(killer.kills.values()) > 0, True)
        return sum(killer.kills.values())


def case(kind, seed):
    def test():
        rng, left = random.Random(seed), ROUNDS
        print(f"# {kind.__name__} seed={seed}", flush=True)
        while left > 0:
            left -= rounds_of_one_sweep(kind, rng, left)
    test.__name__ = f"{ROUNDS}_rounds_{kind.__name__}={seed}"
    return test


def a_coordinator_moves_to_another_host():
    """The same store, another address; what ran goes on."""
    with Shared(trials=6) as cluster:
        cluster.more("report", 3)
        for host in cluster.nodes:
            cluster.coordinator.kill()
            cluster.coordinator.wait()
            cluster.start_coordinator(host)
            cluster.more("report", 3)
        history = cluster.finish()
        equal("attempts", [e.attempt for e in history.events if e.kind == "leased"], [1] * 6)


def a_second_coordinator_is_refused_by_name():
    with Shared(trials=1) as cluster:
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
KINDS = Shared, Apart, Gangs
word = sys.argv[3] if len(sys.argv) > 3 else str(ROUNDS * len(KINDS))
if "=" in word:
    name, seed = word.split("=")
    main(*[case(kind, int(seed)) for kind in KINDS if kind.__name__ == name])
# Two side by side: what takes long is the waiting of one for its processes.
cases = [case(KINDS[n % len(KINDS)], 1 + n // len(KINDS)) for n in range(int(word) // ROUNDS)]
main(*cases, a_coordinator_moves_to_another_host, a_second_coordinator_is_refused_by_name, at_once=2)
