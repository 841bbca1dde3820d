# SPDX-License-Identifier: Apache-2.0
"""Hosts of their own on one machine: a network namespace and a host name each, joined by a bridge
that stands in a namespace of its own. Links are cut, healed and slowed on the bridge's side, so a
host sees what it would see of a switch that fails.

    with Net("abc") as net:
        a, b, c = net.hosts
        a.spawn("assay-coordinator", "--keep")
        b.cut()

Hosts share the file system; with apart=True each has a home of its own, and sees none of the
others' folders. Process ids and the clock are the machine's. Needs root and iproute2: WHY_NOT says
what is missing. Several tests at once do not collide: names carry the process and a number.
"""
import functools
import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile

from harness import BIN, PATIENCE_S, SKIP, Home, LeftOut, wait

PREFIX = "assay-test-"
numbers = itertools.count()

# Run in a host's own namespaces: its name, and an empty folder where another host's would be seen.
ENTER = """
echo "$1" > /proc/sys/kernel/hostname
hide=$2
shift 2
mount --make-rprivate /
for folder in $hide; do mount --bind "$folder.empty" "$folder"; done
exec "$@"
"""


def run(*argv):
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        raise OSError(f"{' '.join(argv)}: {done.stderr.strip()}")
    return done.stdout


def sweep():
    """Namespaces of tests that were killed."""
    for line in run("ip", "netns", "list").splitlines():
        name = line.split()[0]
        pid = name[len(PREFIX):].split("-")[0]
        if name.startswith(PREFIX) and pid.isdigit() and not os.path.exists(f"/proc/{pid}"):
            subprocess.run(["ip", "netns", "del", name], capture_output=True)


class Host(Home):
    """A host: what it starts runs in its namespaces. Not entered by itself: its net is."""

    def __init__(self, net, name, number):
        self.seen = set()
        self.net, self.name = net, name
        self.space = f"{net.name}-{name}"
        self.address, self.address6 = f"10.77.0.{number}", f"fd77::{number}"
        self.path = os.path.join(net.path, name)
        self.env = dict(net.env)
        self.started = []
        os.mkdir(self.path)
        os.mkdir(self.path + ".empty")
        home = os.path.join(self.path, "home") if net.apart else net.env["ASSAY_HOME"]
        self.env["ASSAY_HOME"] = home
        self.env["TMPDIR"] = self.path

    def join(self):
        """Its card, plugged into the bridge."""
        run("ip", "netns", "add", self.space)
        run("ip", "link", "add", "eth0", "netns", self.space, "type", "veth", "peer", "name",
            self.name, "netns", self.net.space)
        run("ip", "-n", self.net.space, "link", "set", "dev", self.name, "master", "bridge", "up")
        run("ip", "-n", self.space, "link", "set", "lo", "up")
        run("ip", "-n", self.space, "addr", "add", f"{self.address}/24", "dev", "eth0")
        run("ip", "-n", self.space, "addr", "add", f"{self.address6}/64", "dev", "eth0", "nodad")
        run("ip", "-n", self.space, "link", "set", "eth0", "up")

    def command(self, *argv):
        hide = [host.path for host in self.net.hosts if host is not self] if self.net.apart else []
        return ["nsenter", f"--net=/run/netns/{self.space}", "unshare", "--uts", "--mount", "sh",
                "-c", ENTER, "sh", self.name, " ".join(hide), *argv]

    def start(self, *args, **kw):
        return self.popen(os.path.join(self.bin, "assay"), *args, **kw)

    def popen(self, *argv, **kw):
        kw = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE,
              "text": True, **kw}
        return subprocess.Popen(self.command(*argv), env=self.env, cwd=self.path, **kw)

    def spawn(self, program, *args):
        """A program that stays; what it says is appended to PROGRAM.log in the host's folder."""
        with open(os.path.join(self.path, program + ".log"), "a") as log:
            process = self.popen(os.path.join(self.bin, program), *args, stdout=log, stderr=log)
        self.started.append(process)
        return process

    def log(self, program):
        path = os.path.join(self.path, program + ".log")
        with open(path, errors="replace") as file:
            return file.read()

    def cut(self):
        """Nothing comes or goes any more; nobody is told."""
        run("ip", "-n", self.net.space, "link", "set", "dev", self.name, "down")

    def heal(self):
        run("ip", "-n", self.net.space, "link", "set", "dev", self.name, "up")

    def wall(self, port, what="add"):
        """What its programs answer from this TCP port is dropped, as by a firewall."""
        for family in "-4", "-6":
            run("ip", family, "-n", self.space, "rule", what, "ipproto", "tcp", "sport", str(port),
                "blackhole")

    def unwall(self, port):
        self.wall(port, "del")

    def slow(self, rate, burst="16kb"):
        """At most so much both ways ("1mbit"); None: as fast as it goes. burst: what goes at once; a
        card's long packets are cut up if they are longer, at much expense."""
        for space, device in (self.net.space, self.name), (self.space, "eth0"):
            if rate:
                run("tc", "-n", space, "qdisc", "replace", "dev", device, "root", "tbf", "rate",
                    rate, "burst", burst, "latency", "500ms")
            else:
                run("tc", "-n", space, "qdisc", "del", "dev", device, "root")


class Net:
    """Hosts with these names, of one letter or more. Ends every process in them."""

    def __init__(self, names, apart=False):
        self.names, self.apart = names, apart
        self.name = f"{PREFIX}{os.getpid()}-{next(numbers)}"
        self.space = f"{self.name}-bridge"

    def __enter__(self):
        self.path = tempfile.mkdtemp(prefix="assay-test-hosts-")
        self.env = {k: v for k, v in os.environ.items()
                    if not k.startswith(("ASSAY_", "ASY_", "XDG_"))}
        self.env["ASSAY_HOME"] = os.path.join(self.path, "home")
        self.hosts = []
        try:
            run("ip", "netns", "add", self.space)
            run("ip", "-n", self.space, "link", "add", "bridge", "type", "bridge")
            run("ip", "-n", self.space, "link", "set", "dev", "bridge", "up")
            for number, name in enumerate(self.names, 1):
                self.hosts.append(Host(self, name, number))
                self.hosts[-1].join()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, kind, value, trace):
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        for host in self.hosts:
            for process in host.started:
                process.wait()
        wait(lambda: not self.processes(), "processes of the hosts to end")
        failed = kind is not None
        if failed:
            self.tell()
        self.remove(keep=failed or os.environ.get("KEEP"))

    def processes(self):
        found = set()
        for host in self.hosts:
            found.update(host.processes())
            done = subprocess.run(["ip", "netns", "pids", host.space], capture_output=True,
                                  text=True)
            found.update(map(int, done.stdout.split()))
        return found

    def tell(self):
        for at, _, names in os.walk(self.path):
            for name in names:
                if name.endswith(".log"):
                    path = os.path.join(at, name)
                    with open(path, errors="replace") as file:
                        sys.stderr.write(f"== {path}\n{file.read()[-4000:]}\n")

    def remove(self, keep=False):
        for space in [host.space for host in self.hosts] + [self.space]:
            subprocess.run(["ip", "netns", "del", space], capture_output=True)
        if not keep:
            shutil.rmtree(self.path, ignore_errors=True)


def why_not():
    """None, or why there can be no hosts here."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    for tool in "ip", "tc", "nsenter", "unshare":
        if not shutil.which(tool):
            return f"there is no {tool}"
    try:
        sweep()
        with Net("x") as net:
            net.hosts[0].slow("1mbit")
            process = net.hosts[0].popen("true")
            _, err = process.communicate(timeout=PATIENCE_S)
            return err.strip() or None if process.returncode else None
    except OSError as e:
        return str(e)


def cases_on_hosts(*cases):
    """These, or where there can be no hosts as many that say why they are left out."""
    why = why_not()
    if not why:
        return cases

    def without(case):
        @functools.wraps(case)
        def left_out():
            raise LeftOut(f"there can be no hosts of their own here: {why}")
        return left_out
    return tuple(map(without, cases))
