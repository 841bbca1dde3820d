# SPDX-License-Identifier: Apache-2.0
"""Coordinator and workers as single processes, without a node that would start them again."""
import fcntl
import os
import signal
import socket
import struct
import subprocess

import checker
from harness import Home, equal, wait


class Alone(Home):
    def begin(self, settings=""):
        """A coordinator, and nobody beside it."""
        self.workers = []
        os.makedirs(self.env["ASSAY_HOME"])
        with open(self.file("config.yaml"), "w") as file:
            file.write(settings)
        self.be_the_node()
        self.begin_coordinator()

    def begin_coordinator(self):
        self.coordinator = self.program("assay-coordinator", "--keep")
        wait(lambda: os.path.exists(self.file("coordinator.json")), "the coordinator")

    def file(self, name):
        return os.path.join(self.env["ASSAY_HOME"], name)

    def be_the_node(self):
        """Holds the lock of one, so that no command starts another."""
        lock = os.open(self.file(f"node-{socket.gethostname()}.lock"),
                       os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.fcntl(lock, fcntl.F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))
        self.cleanups.append(lambda: os.close(lock))

    def program(self, name, *args):
        with open(os.path.join(self.path, name + ".log"), "a") as log:
            return subprocess.Popen([os.path.join(self.bin, name), *args], env=self.env,
                                    cwd=self.path, stdin=subprocess.DEVNULL, stdout=log,
                                    stderr=log)

    def worker(self, cores, *args):
        self.workers.append(self.program("assay-worker", "--cores", str(cores), *args))
        return self.workers[-1]

    def await_workers(self):
        """A command that needs one waits for it, but not for as long as a busy machine may take."""
        wait(lambda: self.stored("worker-joined") >= len(self.workers), "the workers to join")

    def stored(self, kind):
        """Events of a kind."""
        number = {v: k for k, v in checker.KINDS.items()}[kind]
        return self.store().execute("select count(*) from event where kind = ?",
                                    (number,)).fetchone()[0]

    def down(self):
        for worker in self.workers:
            worker.send_signal(signal.SIGTERM)
        equal("the workers' ends", [worker.wait() for worker in self.workers],
              [0] * len(self.workers))
        self.run("down")
        self.coordinator.wait()
