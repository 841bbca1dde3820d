# SPDX-License-Identifier: Apache-2.0
"""A coordinator, and workers on the same machine that do not see its folders."""
import os
import shutil
import signal
import subprocess

from breaker import Sweep
from harness import BIN, equal, wait


class Far(Sweep):
    """A home with a coordinator alone, and workers with homes of their own, which open no path of
    it."""

    def __enter__(self):
        super().__enter__()
        self.remote = []
        return self

    def coordinator(self):
        process = subprocess.Popen([os.path.join(BIN, "assay-coordinator"), "--keep", "--log",
                                    self.env["ASSAY_HOME"] + "/node.log"],
                                   env=self.env, stdin=subprocess.DEVNULL)
        wait(lambda: os.path.exists(self.env["ASSAY_HOME"] + "/coordinator.json") or
             process.poll() is not None, "a coordinator")
        return process

    def far_home(self, name="far"):
        """Its key is that of the user, as an invitation would bring it."""
        home = os.path.join(self.path, name)
        if not os.path.exists(home):
            os.makedirs(home + "/keys", mode=0o700)
            shutil.copy(self.env["ASSAY_HOME"] + "/keys/user.key", home + "/keys/user.key")
        return home

    def worker(self, name="far", env=None, args=()):
        home = self.far_home(name)
        log = open(home + "/worker.log", "a")
        process = subprocess.Popen(
            [os.path.join(BIN, "assay-worker"), "--home", home, "--cores", "2", "--discovery",
             self.env["ASSAY_HOME"] + "/coordinator.json", *args],
            env={**self.env, "ASY_WORKER_SHARED": "no", **(env or {})}, stdin=subprocess.DEVNULL,
            stderr=log, stdout=log)
        self.remote.append(process)
        wait(lambda: "joined" in self.worker_log(name) or process.poll() is not None,
             "a worker to join")
        return process

    def finished(self, name="sweep"):
        return self.json("show", name)["state"] == "finished"

    def worker_log(self, name="far"):
        with open(os.path.join(self.path, name, "worker.log"), errors="replace") as file:
            return file.read()

    def end(self, coordinator, code=0):
        for process in self.remote:
            process.send_signal(signal.SIGTERM)
        for process in self.remote:
            process.wait(600)
        self.run("down")
        equal("coordinator", coordinator.wait(600), code)


def files_below(folder):
    return sorted(os.path.relpath(os.path.join(at, name), folder)
                  for at, _, names in os.walk(folder) for name in names)
