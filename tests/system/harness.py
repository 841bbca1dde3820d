# SPDX-License-Identifier: Apache-2.0
"""What the system tests share: a home of their own, the programs under test, waiting for events."""
import concurrent.futures
import glob
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import traceback

BIN = os.path.abspath(sys.argv[1])
SOURCE = os.path.abspath(sys.argv[2])
PROGRAMS = "assay", "assay-coordinator", "assay-worker", "assay-attempt", "assay-trainer"
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup coordinators would be deaf to a node's
os.environ.setdefault("LSAN_OPTIONS",
                      f"suppressions={SOURCE}/tests/lsan.supp:print_suppressions=0")
PATIENCE_S = 300  # how long an event may take before the test calls it missing
# With LINGER=2 each wait and each command are as late as on a busy machine: what a test breaks next
# may long be over.
LINGER_S = float(os.environ.get("LINGER", 0))


class Home:
    """A fresh $ASSAY_HOME; ends every process that still uses it."""

    bin = BIN
    account = {}  # as whom its commands run: keywords of subprocess.Popen

    def __enter__(self):
        self.path = tempfile.mkdtemp(prefix="assay-test-")
        self.env = {k: v for k, v in os.environ.items()
                    if not k.startswith(("ASSAY_", "ASY_", "XDG_"))}
        self.env["ASSAY_HOME"] = os.path.join(self.path, "home")
        self.cleanups = []  # called once no process is left
        self.seen = set()  # (pid, when it began) of processes of this home
        return self

    def __exit__(self, kind, value, trace):
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        wait(lambda: not self.processes(), "processes of the test to end")
        for cleanup in self.cleanups:
            cleanup()
        remove_sockets()
        if kind is None and not os.environ.get("KEEP"):
            shutil.rmtree(self.path, ignore_errors=True)
        else:
            log = os.path.join(self.env["ASSAY_HOME"], "node.log")
            if os.path.exists(log):
                sys.stderr.write(open(log, errors="replace").read()[-6000:])
            sys.stderr.write(f"kept: {self.path}\n")

    def processes(self, name=""):
        """Pids of live processes whose environment names this home, or did: one that is being
        killed has lost it, but may hold its files open yet."""
        found = []
        mark = b"ASSAY_HOME=" + self.env["ASSAY_HOME"].encode() + b"\0"
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/environ", "rb") as f:
                    environ = f.read()
                with open(f"/proc/{pid}/stat") as f:
                    stat = f.read()
            except (OSError, UnicodeDecodeError):
                continue
            comm = stat[stat.index("(") + 1:stat.rindex(")")]
            state = stat[stat.rindex(")") + 2]
            began = (pid, stat[stat.rindex(")") + 2:].split()[19])
            if mark in environ:
                self.seen.add(began)
            if began in self.seen and state != "Z" and comm.startswith(name[:15]):
                found.append(int(pid))
        return found

    def write(self, name, text, mode=0o644):
        path = os.path.join(self.path, name)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    def preload(self, library):
        """Settings that preload it: from here, since ld.so takes a path with a blank for two."""
        return {"LD_PRELOAD": shutil.copy(library, self.path)}

    def start(self, *args, **kw):
        time.sleep(LINGER_S)
        return subprocess.Popen([os.path.join(self.bin, "assay"), *args], env=self.env,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, cwd=self.path,
                                **self.account, **kw)

    def run(self, *args, code=0):
        process = self.start(*args)
        try:
            out, err = process.communicate(timeout=2 * PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            raise AssertionError(f"assay {args} hangs\n{out}\n{err}")
        if code is not None and process.returncode != code:
            raise AssertionError(f"assay {args}: exit {process.returncode}, not {code}\n{out}\n{err}")
        return out, err

    def json(self, *args):
        return json.loads(self.run(*args, "--json")[0])

    def store(self):
        """The store itself, read behind the coordinator's back."""
        path = os.path.join(self.env["ASSAY_HOME"], "store", "assay.db")
        return sqlite3.connect(f"file:{path}?mode=ro", uri=True)


def remove_sockets():
    """Folders of workers that were killed, for sockets and for the shared memory of gangs: the next
    worker of that user would remove them."""
    for path in glob.glob("/tmp/assay-[0-9]*-[0-9]*-*") + glob.glob("/dev/shm/assay-[0-9]*-[0-9]*-*"):
        try:
            with open(f"/proc/{path.split('-')[2]}/stat") as f:
                lives = f.read().rpartition(") ")[2][0] != "Z"
        except OSError:
            lives = False
        if not lives:
            shutil.rmtree(path, ignore_errors=True)


def wait(condition, what):
    """Until condition() holds; its value. A poll with a generous limit, never a measure."""
    limit = time.monotonic() + PATIENCE_S
    while True:
        value = condition()
        if value:
            time.sleep(LINGER_S)
            return value
        if time.monotonic() > limit:
            raise AssertionError(f"waited in vain for {what}")
        time.sleep(0.02)


def copy_programs(folder):
    """By a program of its own: a file that this process writes can be open in whatever another case
    forks off meanwhile, and a program that somebody has open for writing does not start."""
    subprocess.run(["cp", *(os.path.join(BIN, name) for name in PROGRAMS), folder], check=True)


def equal(name, got, want):
    if got != want:
        raise AssertionError(f"{name}: got {got!r}, want {want!r}")


def has(name, text, part):
    if part not in text:
        raise AssertionError(f"{name}: {part!r} is not in {text!r}")


class LeftOut(Exception):
    """What a case raises that this machine has not enough for, with what it lacks."""


SKIP = 77  # what ctest counts as skipped


def main(*cases, at_once=1):
    """Runs the cases, at_once of them side by side: those that mostly wait. A test of which some
    are left out counts as skipped, though all others passed: ctest names it at its end."""
    def code(case):
        start = time.monotonic()
        try:
            case()
            print(f"ok {case.__name__} {time.monotonic() - start:.1f} s", flush=True)
            return 0
        except LeftOut as why:
            print(f"SKIPPED {case.__name__}: {why}", flush=True)
            return SKIP
        except Exception:
            print(f"not ok {case.__name__}\n{traceback.format_exc()}", flush=True)
            return 1

    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        codes = set(pool.map(code, cases))
    sys.exit(1 if 1 in codes else SKIP if SKIP in codes else 0)
