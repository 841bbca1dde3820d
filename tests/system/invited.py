# SPDX-License-Identifier: Apache-2.0
"""A coordinator on a host of its own, and hosts that share nothing with it but invitations."""
import fcntl
import os
import struct

import hosts
from harness import wait

STUDY = """
assay: 1
name: {name}
run:
  command: [sh, -c, "while [ ! -e {go} ]; do sleep 0.05; done; echo loss=0.5"]
  metrics: {{pattern: 'loss=(?<loss>\\S+)'}}
objective: {{metric: loss, goal: minimize}}
parameters:
  x: {{min: 0.0, max: 1.0}}
search: {{sampler: random}}
budget: {{trials: {trials}}}
"""


class Site(hosts.Net):
    """A coordinator on the first host; the others have homes of their own and share nothing but a
    folder for invitations and for the word that programs wait for."""

    lock = None

    def __init__(self, names):
        super().__init__(names, apart=True)

    def __enter__(self):
        super().__enter__()
        self.shared = os.path.join(self.path, "shared")
        os.mkdir(self.shared)
        self.head, *self.nodes = self.hosts
        self.serve(self.head)
        return self

    def serve(self, host):
        self.coordinator = host.spawn("assay-coordinator", "--keep")
        path = os.path.join(host.env["ASSAY_HOME"], "coordinator.json")
        wait(lambda: os.path.exists(path), "the coordinator")

    def without_own_worker(self):
        """Commands on the first host start none."""
        path = os.path.join(self.head.env["ASSAY_HOME"], f"node-{self.head.name}.lock")
        self.lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.fcntl(self.lock, fcntl.F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))

    def __exit__(self, *what):
        super().__exit__(*what)
        if self.lock is not None:
            os.close(self.lock)

    def at(self, name):
        return os.path.join(self.shared, name)

    def invite(self, *args, name):
        self.head.run("invite", *args, "--output", self.at(name))
        return self.at(name)

    def workers(self):
        return {w["key"]: w for w in self.head.json("workers")["workers"]}

    def connections(self):
        return self.head.json("workers")["connections"]

    def submit(self, host, name, trials, *args):
        path = self.at(name + ".yaml")
        with open(path, "w") as file:
            file.write(STUDY.format(name=name, trials=trials, go=self.at("go")))
        host.run("submit", path, *args)

    def running(self, name):
        return [t["number"] for t in self.head.json("trials", name)["trials"]
                if t["state"] == "running"]

    def finish(self, name):
        with open(self.at("go"), "w"):
            pass
        self.head.run("watch", name)
        return [(t["state"], t["attempts"]) for t in self.head.json("trials", name)["trials"]]
