# SPDX-License-Identifier: Apache-2.0
"""A Slurm of two nodes for the tests beside this file, and sweeps that run in its jobs."""
import atexit
import glob
import hashlib
import os
import re
import signal
import subprocess
import sys

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "system"))
import checker  # noqa: E402
from breaker import Sweep  # noqa: E402
from harness import BIN, SOURCE, equal, wait  # noqa: E402

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "cluster.sh")
OVER = {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL"}
ENDLESS = 10**6  # epochs: a trial is not over before a test does anything to it
SHARED = "shared_home: yes\n"  # the local disk of the tests is one that both nodes share


class Cluster:
    def __init__(self):
        # One folder per test and build: what a run that was killed has left, the next one ends.
        build = hashlib.sha256(BIN.encode()).hexdigest()[:8]
        test = os.path.splitext(os.path.basename(sys.argv[0]))[0]
        self.path = os.path.join("/tmp", f"assay-slurm-{test}-{build}")
        atexit.register(self.do, "stop")
        status = self.do("start")
        if status == 77:
            sys.exit(77)
        equal("cluster.sh start", status, 0)

    def do(self, command, *args):
        return subprocess.run([SCRIPT, command, self.path, *args]).returncode

    def env(self, env):
        return {**env, "SLURM_CONF": os.path.join(self.path, "slurm.conf"),
                "PATH": BIN + os.pathsep + os.environ["PATH"]}

    def slurmd(self, node):
        with open(os.path.join(self.path, node, "slurmd.pid")) as file:
            return int(file.read())

    def kill_slurmd(self, node):
        os.kill(self.slurmd(node), signal.SIGKILL)

    def kill_node(self, node):
        """Everything that ran on it: slurmd, the daemons of its steps, and their processes. Stopped
        before they are killed, since on a node that dies nobody sees another one's end."""
        self.kill_slurmd(node)
        doomed = [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc")))
                  if f"SLURMD_NODENAME={node}".encode() in environ(pid)
                  and f"SLURM_CONF={self.path}/slurm.conf".encode() in environ(pid)]
        doomed = {parent(pid) for pid in doomed if name(parent(pid)) == "slurmstepd"} | set(doomed)
        for signum in signal.SIGSTOP, signal.SIGKILL:
            for pid in doomed:
                try:
                    os.kill(pid, signum)
                except ProcessLookupError:
                    pass


def environ(pid):
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return file.read().split(b"\0")
    except OSError:
        return []


def stat(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read()
    except OSError:
        return "0 (gone) X 0"


def name(pid):
    text = stat(pid)
    return text[text.index("(") + 1:text.rindex(")")]


def parent(pid):
    return int(stat(pid).rpartition(") ")[2].split()[1])


class Job(Sweep):
    """A sweep, and the job that runs it."""

    cluster = None  # set by the test

    def __init__(self, trials, settings=SHARED, env=None):
        super().__init__(trials, settings, env)

    def __enter__(self):
        super().__enter__()
        self.env = self.cluster.env(self.env)
        return self

    def __exit__(self, kind, value, trace):
        if hasattr(self, "id"):
            self.ask("scancel", "--full", "--signal=KILL", self.id, check=False)
            self.ask("scancel", self.id, check=False)
        if kind:
            sys.stderr.write(self.said()[-6000:])
            for path in glob.glob(self.env["ASSAY_HOME"] + "/node-*.log"):
                with open(path, errors="replace") as file:
                    sys.stderr.write(f"{path}:\n{file.read()[-4000:]}")
        super().__exit__(kind, value, trace)

    def gang(self, ranks, epochs=6, cores=1):
        self.model(epochs)
        with open(os.path.join(self.path, "study.yaml"), "a") as file:
            file.write(f"resources: {{ranks: {ranks}, cores: {cores}, memory: 256MiB}}\n")
        return self

    def ask(self, *command, check=True):
        done = subprocess.run(command, env=self.env, cwd=self.path, capture_output=True, text=True)
        if check:
            equal(f"{command} {done.stderr}", done.returncode, 0)
        return done.stdout

    def submit(self, template, *options):
        script = os.path.join(SOURCE, "slurm", template)
        self.id = self.ask("sbatch", "--parsable", *options, script, "study.yaml").strip()

    def said(self):
        try:
            with open(os.path.join(self.path, f"assay-{self.id}.log"), errors="replace") as file:
                return file.read()
        except (OSError, AttributeError):
            return ""

    def nodes(self):
        """`assay node` of this job, without those of the workers' step."""
        def words(pid):
            with open(f"/proc/{pid}/cmdline") as file:
                return file.read().split("\0")
        return [pid for pid in self.named("assay")
                if "node" in words(pid) and "--agent" not in words(pid)]

    def node_logs(self):
        """What the workers of a job with several nodes say."""
        logs = {}
        for node in ("n1", "n2"):
            with open(os.path.join(self.env["ASSAY_HOME"], f"node-{node}.log")) as file:
                logs[node] = file.read()
        return logs

    def show(self, field):
        text = self.ask("scontrol", "show", "job", self.id)
        return re.search(rf"\b{field}=(\S*)", text).group(1)

    def seconds(self):
        """How long it has run."""
        *hours, minutes, seconds = (int(n) for n in self.show("RunTime").split(":"))
        return sum(hours) * 3600 + minutes * 60 + seconds

    def reports(self, at_least):
        """Waits until so many metrics are stored."""
        def enough():
            try:
                return self.store().execute("select count(*) from event where kind = 8"
                                            ).fetchone()[0] >= at_least
            except Exception:
                return False
        wait(enough, f"{at_least} reports")

    def workers(self):
        """How many are ready."""
        return sum(w["state"] == "ready" for w in self.json("workers")["workers"])

    def restarted(self):
        wait(lambda: "requeued 1 time" in self.said(), "the job to start again")

    def ended(self, state):
        wait(lambda: self.show("JobState") in OVER, "the job to end")
        equal("state", self.show("JobState"), state)
        wait(lambda: not self.processes(), "its processes to end")

    def check(self):
        self.history = checker.check(self.store(), self.trials, self.records)
        return self.history

    def so_far(self):
        """As check(), of a study that goes on."""
        return checker.History(self.store())

    def explain(self, *what):
        return self.json("explain", "sweep", *what)

    def lost_steps(self):
        """Per attempt that was broken off: steps it had reported and that had to be done again."""
        lost = []
        for trial in self.history.trials:
            step = 0
            for event in self.history.of(trial):
                if event.kind == "leased":
                    if event.attempt > 1:
                        lost.append(max(0, step - event.body["from"][1]))
                    step = event.body["from"][1]
                elif event.kind == "report":
                    step = max(step, event.body["step"])
        return lost
