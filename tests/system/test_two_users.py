# SPDX-License-Identifier: Apache-2.0
"""Two users of one machine, each with a coordinator of their own: neither sees, reads or disturbs
what is the other's. Runs as root and starts everything as two user ids that nobody has."""
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile

from harness import PROGRAMS, SKIP, SOURCE, Home, copy_programs, equal, has, main, wait

UIDS = 61001, 61002

# Leaves a checkpoint, says where its socket is, and reports its result once it may.
PROGRAM = """
import json, os, socket, sys, time
line = socket.socket(socket.AF_UNIX)
line.connect(os.environ["ASSAY_SOCKET"])
file = line.makefile("rw")
def say(**what):
    file.write(json.dumps(what) + "\\n")
    file.flush()
    return json.loads(file.readline())
with open(os.path.join(os.environ["ASSAY_CHECKPOINT_DIR"], "one"), "w") as f:
    f.write("weights")
print("begins", flush=True)
say(step=1, metrics={"loss": 1.0})
say(checkpoint="one", step=1)
with open("socket." + os.environ["ASSAY_TRIAL"], "w") as f:
    f.write(os.environ["ASSAY_SOCKET"])
os.rename("socket." + os.environ["ASSAY_TRIAL"],
          os.path.join(sys.argv[1], "socket." + os.environ["ASSAY_TRIAL"]))
while not os.path.exists(os.path.join(sys.argv[1], "go")):
    time.sleep(0.02)
say(step=2, metrics={"loss": 0.5})
"""

STUDY = """
assay: 1
name: {name}
run:
  command: [{python}, {program}, {path}]
  checkpoint: true
  length: {{unit: steps, max: 2}}
objective: {{metric: loss, goal: minimize}}
parameters:
  x: {{min: 0.0, max: 1.0}}
search: {{sampler: random}}
budget: {{trials: 2}}
"""

# Tries to open each path of its input; says which it could.
OPEN = """
import json, os, sys
could = []
for path in json.load(sys.stdin):
    try:
        os.close(os.open(path, os.O_RDONLY))
        could.append(path)
    except PermissionError:
        pass
json.dump(could, sys.stdout)
"""

CONNECT = """
import socket, sys
line = socket.socket(socket.AF_UNIX)
try:
    line.connect(sys.argv[1])
    print("connected")
except PermissionError:
    print("denied")
"""


# Says a line there, as the programs of trials do, and waits for what comes of it.
TALK = """
import socket, sys
line = socket.socket(socket.AF_UNIX)
try:
    line.connect(sys.argv[1])
    line.sendall(sys.argv[2].encode() + b"\\n")
    print("closed" if line.recv(100) == b"" else "answered")
except PermissionError:
    print("denied")
except ConnectionError:
    print("closed")
"""
REPORT = '{"step": 1, "metrics": {"loss": 0}}'
HELLO = '{"hello": {"token": "00", "pid": 1, "rank": 0}}'

NATIVE = """
assay: 1
name: {name}
run: {{model: mlp, length: {{unit: epochs, max: 1000000}}}}
data: {{file: digits.csv.gz, label: -1}}
objective: {{metric: val_loss, goal: minimize}}
parameters: {{lr: {{min: 1e-3, max: 0.1, scale: log}}}}
search: {{sampler: random}}
budget: {{trials: 1}}
"""


class User(Home):
    """One user: a folder that is theirs and that all may look into, a home in it, no umask."""

    def __init__(self, uid, programs):
        self.uid = uid
        self.bin = programs
        self.account = {"user": uid, "group": uid, "extra_groups": [], "umask": 0}

    def __enter__(self):
        super().__enter__()
        os.chown(self.path, self.uid, self.uid)
        os.chmod(self.path, 0o755)
        self.env["HOME"] = self.path
        self.home = self.env["ASSAY_HOME"]
        return self

    def make_home(self, mode):
        os.mkdir(self.home)
        os.chown(self.home, self.uid, self.uid)
        os.chmod(self.home, mode)

    def python(self, text, *args, **kw):
        done = subprocess.run([PYTHON, "-c", text, *args], env=self.env, cwd=self.path,
                              capture_output=True, text=True, **self.account, **kw)
        equal(f"exit\n{done.stderr}", done.returncode, 0)
        return done.stdout

    def could_open(self, paths):
        return json.loads(self.python(OPEN, input=json.dumps(paths)))

    def begin(self, name):
        """Starts a study of two trials that wait for finish()."""
        program = self.write("program.py", PROGRAM)
        self.write("study.yaml", STUDY.format(name=name, python=PYTHON, program=program,
                                              path=self.path))
        self.process = self.start("run", "study.yaml")
        self.socket = os.path.join(self.path, "socket.0")
        sockets = [os.path.join(self.path, f"socket.{trial}") for trial in range(2)]
        wait(lambda: all(os.path.exists(path) and os.path.getsize(path) for path in sockets)
             or self.process.poll() is not None, "both trials to wait")
        equal("it runs", self.process.poll(), None)

    def finish(self, name):
        self.write("go", "")
        out, err = self.process.communicate(timeout=600)
        equal(f"exit\n{out}\n{err}", self.process.returncode, 0)
        trials = self.json("trials", name)["trials"]
        equal("trials", [(t["state"], t["attempts"]) for t in trials], [("complete", 1)] * 2)

    def begin_native(self, name):
        """Starts a study of one long trial of the native engine; its gang's socket."""
        shutil.copy(os.path.join(SOURCE, "examples/data/digits.csv.gz"), self.path)
        os.chmod(os.path.join(self.path, "digits.csv.gz"), 0o644)
        self.write("study.yaml", NATIVE.format(name=name))
        self.process = self.start("run", "study.yaml")
        wait(lambda: self.gang_socket() or self.process.poll() is not None, "its trainer")
        equal("it runs", self.process.poll(), None)
        wait(lambda: [t["state"] for t in self.json("trials", name)["trials"]] == ["running"],
             "its trial")
        return self.gang_socket()

    def gang_socket(self):
        """Of the trainer that has one."""
        for pid in self.processes("assay-trainer"):
            try:
                with open(f"/proc/{pid}/environ", "rb") as f:
                    values = f.read().decode().split("\0")
            except OSError:
                continue
            for value in values:
                if value.startswith("ASSAY_SOCKET="):
                    return value.partition("=")[2]
        return None

    def said(self):
        with open(os.path.join(self.home, "node.log"), errors="replace") as f:
            return f.read()

    def discovery(self):
        with open(os.path.join(self.home, "coordinator.json")) as f:
            return json.load(f)


class Users:
    """Both, and the programs in a folder where both may read them."""

    def __enter__(self):
        self.programs = tempfile.mkdtemp(prefix="assay-test-bin-")
        os.chmod(self.programs, 0o755)
        copy_programs(self.programs)
        for name in PROGRAMS:
            os.chmod(os.path.join(self.programs, name), 0o755)
        self.users = [User(uid, self.programs) for uid in UIDS]
        return [user.__enter__() for user in self.users]

    def __exit__(self, *what):
        for user in self.users:
            user.__exit__(*what)
        shutil.rmtree(self.programs)


def python_for_all():
    """An interpreter that both users can start; None, and why not."""
    why = "not root"
    for path in (sys.executable, "/usr/bin/python3") if os.geteuid() == 0 else ():
        try:
            for uid in UIDS:
                subprocess.run([path, "-c", ""], check=True, user=uid, group=uid, extra_groups=[])
            return path, None
        except (OSError, subprocess.SubprocessError) as e:
            why = e
    return None, why


def files_below(path):
    return [os.path.join(at, name) for at, folders, files in os.walk(path)
            for name in folders + files]


def two_studies_run_side_by_side():
    with Users() as (a, b):
        a.begin("alpha")
        b.begin("beta")
        ports = [user.discovery()["endpoints"][0] for user in (a, b)]
        if ports[0] == ports[1]:
            raise AssertionError(f"one port for both: {ports}")
        for user, name in (a, "alpha"), (b, "beta"):
            equal("studies", [s["name"] for s in user.json("ls")["studies"]], [name])
            equal("workers", len(user.json("workers")["workers"]), 1)
        b.finish("beta")
        equal("the other one goes on", a.process.poll(), None)
        a.finish("alpha")


def nobody_else_reads_a_home():
    """Even if its folder was there before and is open to all, and with no umask at all."""
    with Users() as (a, b):
        a.make_home(0o755)
        a.begin("alpha")
        found = files_below(a.home)
        for name in ("coordinator.json", "node.log", "keys", "keys/user.key", "keys/server.key",
                     "keys/authorized", "store", "store/assay.db", "store/assay.db-wal",
                     "store/assay.db-shm", "store/assay.lock", "logs", "artifacts", "work"):
            if os.path.join(a.home, name) not in found:
                raise AssertionError(f"no {name} in {found}")
        for part in "/stdout", "/artifacts/", "/work/":
            if not any(part in path for path in found):
                raise AssertionError(f"nothing like {part} in {found}")
        # What a program makes has the mode that the program gives it: the folders keep it.
        kept = [path for path in found if "/checkpoints/" not in path and "/trial/" not in path]
        modes = {path: stat.S_IMODE(os.stat(path).st_mode) for path in kept}
        equal("modes that others have a share in",
              {path: oct(mode) for path, mode in modes.items() if mode & 0o077}, {})
        equal("owners", {os.stat(path).st_uid for path in found}, {a.uid})
        equal("what the owner can open", a.could_open(found), found)
        equal("what another can open", b.could_open(found), [])
        a.finish("alpha")


def nobody_else_connects_to_a_program_socket():
    with Users() as (a, b):
        a.begin("alpha")
        with open(a.socket) as f:
            path = f.read()
        equal("its mode", stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode), 0o700)
        equal("its owner", a.python(CONNECT, path), "connected\n")
        equal("another user", b.python(CONNECT, path), "denied\n")
        a.finish("alpha")


def open_to_all(path):
    """What somebody might do who wonders why others cannot connect."""
    os.chmod(os.path.dirname(path), 0o755)
    os.chmod(path, 0o666)


def an_opened_folder_lets_nobody_in_either():
    with Users() as (a, b):
        a.begin("alpha")
        with open(a.socket) as f:
            path = f.read()
        open_to_all(path)
        equal("another user", b.python(TALK, path, REPORT), "closed\n")
        wait(lambda: f"user {b.uid}: another user's process" in a.said(), "a line about it")
        a.finish("alpha")


def nobody_else_speaks_to_a_gang():
    """Nor does a process of its user that has not its token."""
    with Users() as (a, b):
        path = a.begin_native("alpha")
        equal("another user", b.python(TALK, path, HELLO), "denied\n")
        equal("a wrong token", a.python(TALK, path, HELLO), "closed\n")
        wait(lambda: f"user {a.uid}: it greeted a gang with a wrong token" in a.said(), "a line")
        open_to_all(path)
        equal("another user", b.python(TALK, path, HELLO), "closed\n")
        wait(lambda: f"user {b.uid}: another user's process" in a.said(), "a further line")
        equal("the trial", [t["state"] for t in a.json("trials", "alpha")["trials"]], ["running"])
        a.run("stop", "alpha")
        a.process.communicate(timeout=600)
        equal("its first attempt", [(t["state"], t["attempts"]) for t in
              a.json("trials", "alpha")["trials"]], [("cancelled", 1)])


def a_foreign_home_is_refused_by_name():
    with Users() as (a, b):
        a.begin("alpha")
        before = files_below(a.home)
        _, err = b.run("ls", "--home", a.home, code=1)
        has("a closed home", err, f"'{a.home}")
        has("why", err, "ermission denied")
        os.chmod(a.home, 0o755)
        _, err = b.run("ls", "--home", a.home, code=1)
        has("its key", err, f"{a.home}/keys/user.key")
        has("why", err, "ermission denied")
        os.chmod(a.home, 0o700)
        equal("left behind", [p for p in files_below(a.home) if p not in before], [])
        a.finish("alpha")


def a_copied_discovery_file_opens_nothing():
    """The file is no secret that matters: who is not on the list of keys hears nothing."""
    with Users() as (a, b):
        a.begin("alpha")
        b.make_home(0o700)
        copy = os.path.join(b.home, "coordinator.json")

        def lend(owner, mode):
            shutil.copy(os.path.join(a.home, "coordinator.json"), copy)
            os.chown(copy, owner, owner)
            os.chmod(copy, mode)

        lend(a.uid, 0o644)
        _, err = b.run("ls", code=1)
        has("another's file", err, f"'{copy}': it belongs to user {a.uid}, not to {b.uid}")
        lend(b.uid, 0o644)
        _, err = b.run("ls", code=1)
        has("open to all", err, f"'{copy}': others may read or change it (mode 0644)")
        lend(b.uid, 0o600)
        _, err = b.run("down", code=3)
        has("of another home", err, f"no coordinator runs in '{b.home}'")
        equal("nothing was started", b.processes("assay-coord"), [])
        equal("studies", b.json("ls")["studies"], [])  # of a coordinator of its own
        if b.discovery()["store"] == a.discovery()["store"]:
            raise AssertionError("it is the other's store")
        with open(copy, "w") as f:  # the file that B's coordinator holds
            json.dump(a.discovery(), f)
        _, err = b.run("down", code=1)
        has("a key that is not on the list", err, f"does not let in the key of '{b.home}'")
        a.finish("alpha")


PYTHON, WHY_NOT = python_for_all()
if WHY_NOT:
    print(f"SKIPPED: programs cannot be started as other users here: {WHY_NOT}")
    sys.exit(SKIP)
main(two_studies_run_side_by_side, nobody_else_reads_a_home,
     nobody_else_connects_to_a_program_socket, an_opened_folder_lets_nobody_in_either,
     nobody_else_speaks_to_a_gang, a_foreign_home_is_refused_by_name,
     a_copied_discovery_file_opens_nothing, at_once=2)
