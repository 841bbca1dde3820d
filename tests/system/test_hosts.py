# SPDX-License-Identifier: Apache-2.0
"""Workers on hosts of their own: found over the network, cut off, healed, slow. The hosts share a
home here, as on a cluster with a shared file system."""
import json
import os
import sys

import hosts
from harness import equal, has, main, wait

# Counts a step, then waits until it may go on.
PROGRAM = """
import json, os, socket, sys, time
line = socket.socket(socket.AF_UNIX)
line.connect(os.environ["ASSAY_SOCKET"])
file = line.makefile("rw")
def say(**what):
    file.write(json.dumps(what) + "\\n")
    file.flush()
    return json.loads(file.readline())
say(step=1, metrics={"loss": 1.0})
name = "begun." + os.environ["ASSAY_TRIAL"] + "." + os.environ["ASSAY_ATTEMPT"]
with open(os.path.join(sys.argv[1], name), "w") as f:
    f.write(socket.gethostname())
while not os.path.exists(os.path.join(sys.argv[1], "go")):
    time.sleep(0.02)
say(step=2, metrics={"loss": 0.5})
"""

STUDY = """
assay: 1
name: sweep
run:
  command: [{python}, {program}, {path}]
  length: {{unit: steps, max: 2}}
objective: {{metric: loss, goal: minimize}}
parameters:
  x: {{min: 0.0, max: 1.0}}
search: {{sampler: random}}
budget: {{trials: {trials}}}
"""


class Cluster(hosts.Net):
    """A coordinator on the first host, workers of one core on the others."""

    def __enter__(self):
        super().__enter__()
        self.head, *self.nodes = self.hosts
        self.head.spawn("assay-coordinator", "--keep")
        wait(lambda: os.path.exists(self.path_of("home/coordinator.json")), "the coordinator")
        for node in self.nodes:
            node.spawn("assay-worker", "--cores", "1")
        wait(lambda: self.states() == {node.name: "ready" for node in self.nodes}, "the workers")
        return self

    def path_of(self, name):
        return os.path.join(self.path, name)

    def write(self, name, text):
        with open(self.path_of(name), "w") as file:
            file.write(text)

    def states(self):
        """Of each worker that the coordinator knows, by host."""
        return {worker["host"]: worker["state"] for worker in self.head.json("workers")["workers"]}

    def submit(self, trials):
        self.write("program.py", PROGRAM)
        self.write("study.yaml", STUDY.format(python=sys.executable, trials=trials, path=self.path,
                                              program=self.path_of("program.py")))
        self.head.run("submit", self.path_of("study.yaml"))

    def begun(self, trial, attempt):
        """On which host, once it has."""
        path = self.path_of(f"begun.{trial}.{attempt}")
        wait(lambda: os.path.exists(path) and os.path.getsize(path), f"attempt {attempt} of {trial}")
        with open(path) as file:
            name = file.read()
        return next(node for node in self.nodes if node.name == name)

    def finish(self, attempts):
        self.write("go", "")
        self.head.run("watch", "sweep")
        trials = self.head.json("trials", "sweep")["trials"]
        equal("trials", [(t["state"], t["attempts"]) for t in trials],
              [("complete", n) for n in attempts])


def a_sweep_runs_on_other_hosts():
    with Cluster("abc") as cluster:
        with open(cluster.path_of("home/coordinator.json")) as file:
            endpoints = json.load(file)["endpoints"]
        port = endpoints[0].rsplit(":", 1)[1]
        equal("endpoints", endpoints, [f"tcp://127.0.0.1:{port}",
                                       f"tcp://{cluster.head.address}:{port}",
                                       f"tcp://[{cluster.head.address6}]:{port}"])
        cluster.submit(4)
        equal("where", {cluster.begun(0, 1).name, cluster.begun(1, 1).name}, {"b", "c"})
        cluster.finish([1] * 4)


def an_interface_is_chosen():
    with hosts.Net("ab") as net:
        a, b = net.hosts
        a.spawn("assay-coordinator", "--keep", "--interface", "fd77::/16")
        path = os.path.join(net.path, "home/coordinator.json")
        wait(lambda: os.path.exists(path), "the coordinator")
        with open(path) as file:
            endpoints = json.load(file)["endpoints"]
        equal("how many", len(endpoints), 2)
        has("loopback for those of its host", endpoints[0], "tcp://127.0.0.1:")
        has("the range", endpoints[1], f"tcp://[{a.address6}]:")
        b.spawn("assay-worker", "--cores", "1")
        wait(lambda: [w["host"] for w in a.json("workers")["workers"]] == ["b"], "the worker")
        process = b.spawn("assay-coordinator", "--home", b.path, "--interface", "eth7")
        equal("exit", process.wait(), 1)
        has("what it says", b.log("assay-coordinator"),
            "setting 'interface': no interface, address or range of this host is 'eth7'; it has lo")


def a_link_that_heals_in_time_costs_nothing():
    with Cluster("ab") as cluster:
        cluster.submit(1)
        node = cluster.begun(0, 1)
        node.cut()
        wait(lambda: cluster.states().get("b") != "ready", "the worker to be suspect")
        node.heal()
        wait(lambda: cluster.states().get("b") == "ready", "the worker to be back")
        cluster.finish([1])


def a_link_that_heals_late_costs_nothing_while_nobody_took_the_trial():
    with Cluster("ab") as cluster:
        cluster.submit(1)
        node = cluster.begun(0, 1)
        node.cut()
        wait(lambda: cluster.states().get("b") not in ("ready", "suspect"), "the worker to be lost")
        node.heal()
        wait(lambda: cluster.states().get("b") == "ready", "the worker to be back")
        cluster.finish([1])


def a_lost_worker_s_trial_is_leased_again():
    with Cluster("abc") as cluster:
        cluster.submit(1)
        node = cluster.begun(0, 1)
        node.cut()
        other = cluster.begun(0, 2)
        equal("another host", {node.name, other.name}, {"b", "c"})
        node.heal()
        wait(lambda: cluster.states().get(node.name) == "ready", "the lost worker to be back")
        cluster.finish([2])


def a_slow_link_carries_a_sweep():
    with Cluster("ab") as cluster:
        cluster.nodes[0].slow("64kbit")
        cluster.submit(3)
        cluster.finish([1] * 3)


WHY_NOT = hosts.why_not()
if WHY_NOT:
    print(f"SKIPPED: there can be no hosts of their own here: {WHY_NOT}")
    sys.exit(hosts.SKIP)
main(a_sweep_runs_on_other_hosts, an_interface_is_chosen, a_link_that_heals_in_time_costs_nothing,
     a_link_that_heals_late_costs_nothing_while_nobody_took_the_trial,
     a_lost_worker_s_trial_is_leased_again, a_slow_link_carries_a_sweep, at_once=3)
