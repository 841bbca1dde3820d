# SPDX-License-Identifier: Apache-2.0
"""One home, one coordinator: a second `assay up` joins, a killed one is followed at once, one that
is starting is waited for, and a home that is copied while its coordinator lives is another home with
a store of its own."""
import fcntl
import json
import os
import signal
import struct
import subprocess

from harness import Home, equal, has, main, wait

STUDY = """
assay: 1
name: {name}
run:
  command: [sh, -c, 'while [ ! -e {go} ]; do sleep 0.05; done; echo "step=1 loss=0.5"']
  metrics: {{pattern: 'step=(?<step>\\d+) loss=(?<loss>\\S+)'}}
objective: {{metric: loss, goal: minimize}}
parameters:
  x: {{min: 0.0, max: 1.0}}
search: {{sampler: random}}
budget: {{trials: 2}}
"""


def begin(home, name="one"):
    """Hands over a study whose trials wait for finish()."""
    home.write("study.yaml", STUDY.format(name=name, go=os.path.join(home.path, "go")))
    home.run("submit", "study.yaml")
    wait(lambda: running(home, name) == 2, "both trials to run")


def running(home, name):
    return sum(t["state"] == "running" for t in home.json("trials", name)["trials"])


def finish(home, name="one"):
    home.write("go", "")
    home.run("watch", name)
    trials = home.json("trials", name)["trials"]
    equal("trials", [t["state"] for t in trials], ["complete"] * 2)


def discovery(home):
    with open(os.path.join(home.env["ASSAY_HOME"], "coordinator.json")) as f:
        return json.load(f)


def coordinators(home):
    return home.processes("assay-coordinator")


def up_twice_joins():
    with Home() as home:
        out, _ = home.run("up")
        has("the first", out, "started in ")
        first = discovery(home)
        begin(home)
        out, _ = home.run("up")
        has("the second", out, "runs already in ")
        equal("one coordinator", coordinators(home), [first["pid"]])
        equal("one worker", len(home.processes("assay-worker")), 1)
        equal("the same", discovery(home), first)
        equal("its trials go on", running(home, "one"), 2)
        finish(home)
        attempts = [t["attempts"] for t in home.json("trials", "one")["trials"]]
        equal("attempts", attempts, [1, 1])


def up_at_the_same_time_makes_one():
    with Home() as home:
        commands = [home.start("up") for _ in range(4)]
        for command in commands:
            out, err = command.communicate(timeout=600)
            equal(f"exit\n{out}\n{err}", command.returncode, 0)
        # Whoever came second gives way once it finds the store owned.
        wait(lambda: coordinators(home) == [discovery(home)["pid"]], "one coordinator to be left")
        begin(home)
        finish(home)
        equal("one study", [s["name"] for s in home.json("ls")["studies"]], ["one"])
        home.run("down")
        wait(lambda: not home.processes("assay-coord"), "all coordinators to end")


def a_killed_coordinator_is_followed_at_once():
    """Its lock went with it; the one after it has a higher epoch and the same trials."""
    with Home() as home:
        home.run("up")
        begin(home)
        first = discovery(home)
        node, = (pid for pid in home.processes("assay") if is_node(pid))
        os.kill(node, signal.SIGKILL)  # nobody starts it again
        os.kill(first["pid"], signal.SIGKILL)
        wait(lambda: not coordinators(home), "it to be gone")
        home.run("ls")
        second = discovery(home)
        equal("the same store", second["store"], first["store"])
        equal("the next owner", second["owner_epoch"], first["owner_epoch"] + 1)
        if second["pid"] == first["pid"]:
            raise AssertionError("nothing was started")
        home.run("up")
        finish(home)
        home.run("down")


def gives_way(home, command):
    """Until the coordinator that the command started has found the store taken."""
    def log():
        path = os.path.join(home.env["ASSAY_HOME"], "node.log")
        return open(path).read() if os.path.exists(path) else ""
    wait(lambda: "has it open" in log() or command.poll() is not None, "its coordinator to give way")


def a_coordinator_that_is_starting_is_waited_for():
    """It has the store and does not listen yet, here for as long as a command looks at one that
    listens and hangs."""
    with Home() as home, Home() as other:
        store = os.path.join(home.env["ASSAY_HOME"], "store")
        os.makedirs(store, 0o700)
        os.chmod(home.env["ASSAY_HOME"], 0o700)
        lock = os.open(os.path.join(store, "assay.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC,
                       0o600)
        fcntl.fcntl(lock, fcntl.F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))
        other.run("ls")
        hangs = discovery(other)["pid"]
        os.kill(hangs, signal.SIGSTOP)
        look = home.start("ls")
        gives_way(home, look)
        _, err = other.run("ls", code=3)
        has("one that hangs", err, f"pid {hangs}")
        os.kill(hangs, signal.SIGCONT)
        os.close(lock)  # and the one that had it starts
        subprocess.Popen([os.path.join(home.bin, "assay-coordinator")], env=home.env,
                         stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        out, err = look.communicate()
        equal(f"exit\n{out}\n{err}", look.returncode, 0)
        home.run("down")
        other.run("down")


def is_node(pid):
    with open(f"/proc/{pid}/cmdline", "rb") as f:
        return f.read().split(b"\0")[1:2] == [b"node"]


def a_copied_home_is_another_one():
    """With the discovery file of the living one in it, and its port taken."""
    with Home() as home, Home() as copy:
        home.run("up")
        begin(home)
        subprocess.run(["cp", "-a", home.env["ASSAY_HOME"], copy.env["ASSAY_HOME"]], check=True)
        with open(os.path.join(copy.env["ASSAY_HOME"], "config.yaml"), "w") as f:
            f.write("reattach_window: 0s\n")  # the worker that it remembers is the other's
        found, = copy.json("doctor", "discovery")["checks"]
        equal("verdict", found["verdict"], "warning")
        has("text", found["found"], f"pid {discovery(home)['pid']} on ")
        has("text", found["found"], "does not serve this home: the file was copied here")
        equal("studies", [s["name"] for s in copy.json("ls")["studies"]], ["one"])
        ours, theirs = discovery(home), discovery(copy)
        for member in "store", "endpoints", "pid":
            if ours[member] == theirs[member]:
                raise AssertionError(f"the copy has the same {member}: {theirs}")
        equal("its coordinator", coordinators(copy), [theirs["pid"]])
        equal("ours lives on", coordinators(home), [ours["pid"]])
        copy.run("stop", "one")
        equal("what is stopped there runs here", running(home, "one"), 2)
        begin(copy, "two")
        equal("studies", [s["name"] for s in home.json("ls")["studies"]], ["one"])
        finish(copy, "two")
        finish(home)
        equal("one store each", [s["name"] for s in home.json("ls")["studies"]], ["one"])
        copy.run("down")
        equal("ours lives on", coordinators(home), [ours["pid"]])
        home.run("down")


main(up_twice_joins, up_at_the_same_time_makes_one, a_killed_coordinator_is_followed_at_once,
     a_coordinator_that_is_starting_is_waited_for, a_copied_home_is_another_one, at_once=2)
