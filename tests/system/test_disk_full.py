# SPDX-License-Identifier: Apache-2.0
"""Full disks, real ones: a small tmpfs below the store, then below what an agent writes.

Each test runs in a mount namespace of its own, so that nothing of it is seen outside or stays."""
import ctypes
import json
import os
import signal
import subprocess
import sys

from harness import BIN, SKIP, Home, equal, has, main, wait

MIB = 1 << 20

# Reports over the socket, one line at a time, and keeps the watermark that it was told.
PROGRAM = """
import json, os, socket, sys, time
out = os.path.join(sys.argv[2], os.environ["ASSAY_TRIAL"] + "." + os.environ["ASSAY_ATTEMPT"])
line = socket.socket(socket.AF_UNIX)
line.connect(os.environ["ASSAY_SOCKET"])
file = line.makefile("rw")
for step in range(1, int(sys.argv[3]) + 1):
    file.write(json.dumps({"step": step, "metrics": {"loss": float(sys.argv[1]) + 1 / step}}) + "\\n")
    file.flush()
    answer = json.loads(file.readline())
    with open(out + ".new", "w") as f:
        f.write(f"{step} {answer['durable']}")
    os.replace(out + ".new", out)
    if answer["do"] != "continue":
        break
    time.sleep(0.01)
"""

STUDY = """
assay: 1
name: steady
run:
  command: [{python}, {program}, "{{x}}", {said}, "{steps}"]
  length: {{unit: steps, max: {steps}}}
objective: {{metric: loss, goal: minimize, take: last}}
parameters:
  x: {{min: 0.0, max: 1.0}}
search: {{sampler: random, seed: 3}}
budget: {{trials: {trials}}}
"""


def isolate():
    """Into a mount namespace of our own, or out of the test, loudly."""
    if os.environ.get("ASY_ISOLATED"):
        return
    how = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user",
                                                            "--mount"]
    probe = subprocess.run(how + ["sh", "-c", "mount -t tmpfs none /mnt"], capture_output=True,
                           text=True)
    if probe.returncode != 0:
        print(f"SKIPPED: a small file system cannot be mounted here: {probe.stderr.strip()}")
        sys.exit(SKIP)
    os.environ["ASY_ISOLATED"] = "1"
    os.execvp(how[0], how + [sys.executable] + sys.argv)


MNT_DETACH = 2


class Disk:
    """A tmpfs of some MiB at `path`, and a file that fills it."""

    def __init__(self, home, name, mib):
        path = os.path.join(home.env["ASSAY_HOME"], name)
        self.ballast = os.path.join(path, "ballast")
        os.makedirs(path, exist_ok=True)
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.mount(b"small", path.encode(), b"tmpfs", 0, f"size={mib}m".encode()) != 0:
            raise OSError(ctypes.get_errno(), "mount")
        # The test itself may still have the store open.
        home.cleanups.insert(0, lambda: libc.umount2(path.encode(), MNT_DETACH))

    def fill(self):
        block = bytes(4096)
        with open(self.ballast, "ab", buffering=0) as f:
            try:
                while f.write(block):
                    pass
            except OSError:
                pass

    def free(self):
        os.unlink(self.ballast)


class Command:
    """An `assay` whose output can be read while it runs."""

    def __init__(self, home, *args):
        self.err_path = os.path.join(home.path, "stderr")
        self.out_path = os.path.join(home.path, "stdout")
        self.out = open(self.out_path, "w")
        self.err = open(self.err_path, "w")
        self.process = subprocess.Popen([os.path.join(BIN, "assay"), *args], env=home.env,
                                        stdin=subprocess.DEVNULL, stdout=self.out, stderr=self.err,
                                        cwd=home.path)

    def said(self):
        with open(self.err_path) as err, open(self.out_path) as out:
            return err.read() + out.read()

    def end(self, code):
        wait(lambda: self.process.poll() is not None, "the command to end")
        equal(f"exit\n{self.said()}", self.process.returncode, code)


def begin(home, trials, steps):
    said = os.path.join(home.path, "said")
    os.makedirs(said)
    program = home.write("program.py", PROGRAM)
    home.write("study.yaml", STUDY.format(python=sys.executable, program=program, said=said,
                                          trials=trials, steps=steps))
    return said


def told(said):
    """What the attempts know: {(trial, attempt): (step, durable)}."""
    found = {}
    for name in os.listdir(said):
        if name.endswith(".new"):
            continue
        with open(os.path.join(said, name)) as f:
            step, durable = f.read().split()
        trial, attempt = name.split(".")
        found[int(trial), int(attempt)] = (int(step), int(durable))
    return found


def stored(home):
    """Reports in the store by trial and attempt, superseded ones too."""
    rows = home.store().execute(
        "select trial, attempt, count(*) from event where kind = 8 group by trial, attempt")
    return {(trial, attempt): n for trial, attempt, n in rows}


def check_promise(home, said):
    have = stored(home)
    for key, (_, durable) in told(said).items():
        if have.get(key, 0) < durable:
            raise AssertionError(f"trial, attempt {key}: {durable} reports were called durable, "
                                 f"{have.get(key, 0)} are stored")


def rss_kib(pid):
    with open(f"/proc/{pid}/status") as f:
        return int(next(line for line in f if line.startswith("VmRSS")).split()[1])


def the_store_waits_for_space_and_goes_on():
    with Home() as home:
        said = begin(home, trials=4, steps=900)
        disk = Disk(home, "store", 24)
        run = Command(home, "run", "study.yaml")
        wait(lambda: any(durable > 20 for _, durable in told(said).values()), "the first reports")
        disk.fill()
        wait(lambda: "disk full" in run.said(), "the command to say so")
        has("how much", run.said(), "KiB free in")
        coordinator, = home.processes("assay-coordinator")
        before = told(said)
        rss = rss_kib(coordinator)
        wait(lambda: sum(s for s, _ in told(said).values()) >
             sum(s for s, _ in before.values()) + 100, "the programs to report on")
        if rss_kib(coordinator) > rss + 4096:
            raise AssertionError(f"it grew from {rss} KiB to {rss_kib(coordinator)} KiB")
        why = home.json("explain", "steady")
        equal("cause", why["cause"], "store")
        has("text", why["text"], "disk full")
        has("remedy", why["remedy"], "free space")
        leased = len(told(said))
        _, err = home.run("stop", "steady", code=1)
        has("a change is refused", err, "disk full")
        equal("nothing new is leased", len(told(said)), leased)
        equal("it runs on", run.process.poll(), None)
        disk.free()
        run.end(0)
        trials = home.json("trials", "steady")["trials"]
        equal("states", [t["state"] for t in trials], ["complete"] * 4)
        equal("attempts", [t["attempts"] for t in trials], [1] * 4)
        equal("reports", stored(home), {(t, 1): 900 for t in range(4)})
        check_promise(home, said)


def one_signal_ends_it_and_what_was_acknowledged_stays():
    with Home() as home:
        said = begin(home, trials=4, steps=300)
        disk = Disk(home, "store", 24)
        run = Command(home, "run", "study.yaml")
        wait(lambda: any(durable > 20 for _, durable in told(said).values()), "the first reports")
        disk.fill()
        wait(lambda: "disk full" in run.said(), "the command to say so")
        run.process.send_signal(signal.SIGINT)
        wait(lambda: not home.processes("assay-coord"), "the coordinator to end")
        wait(lambda: run.process.poll() is not None, "the command to end")
        has("what is kept", run.said(), "what was acknowledged is stored")
        wait(lambda: not home.processes(), "all the rest to end")
        check_promise(home, said)
        disk.free()
        again = Command(home, "run", "study.yaml", "--resume")
        again.end(0)
        trials = home.json("trials", "steady")["trials"]
        equal("states", [t["state"] for t in trials], ["complete"] * 4)
        check_promise(home, said)


def a_signal_to_the_coordinator_alone_ends_it_too():
    with Home() as home:
        said = begin(home, trials=4, steps=300)
        disk = Disk(home, "store", 24)
        run = Command(home, "run", "study.yaml")
        wait(lambda: any(durable > 20 for _, durable in told(said).values()), "the first reports")
        disk.fill()
        wait(lambda: "disk full" in run.said(), "the command to say so")
        coordinator, = home.processes("assay-coordinator")
        os.kill(coordinator, signal.SIGTERM)
        wait(lambda: coordinator not in home.processes("assay-coord"), "the coordinator to end")
        check_promise(home, said)


# Each attempt gets a copy of a file of 2 MiB, so a full disk keeps it from being started.
COPYING = """
assay: 1
name: copying
retries: 0
run:
  command: [sh, -c, 'test $(wc -c < large) = 2097152 && echo "step=1 loss={{x}}"']
  files: [large]
  metrics: {{pattern: 'step=(?<step>\\d+) loss=(?<loss>\\S+)'}}
objective: {{metric: loss, goal: minimize, take: last}}
parameters:
  x: {{min: 0.0, max: 1.0}}
search: {{sampler: random, seed: 3}}
budget: {{trials: {trials}}}
"""

# Fills its own folder: that is its own failure.
GREEDY = """
assay: 1
name: greedy
retries: 0
run:
  command: [sh, -c, 'head -c 64M /dev/zero > "$ASSAY_DIR/mine" || exit 3']
  metrics: {pattern: 'step=(?<step>\\d+) loss=(?<loss>\\S+)'}
objective: {metric: loss, goal: minimize, take: last}
parameters:
  x: {min: 0.0, max: 1.0}
budget: {trials: 1}
"""


def small_home(home):
    """All of the home on a small disk but the store, which is the coordinator's business."""
    disk = Disk(home, "", 16)
    Disk(home, "store", 24)
    return disk


def worker(home):
    return home.json("workers")["workers"][0]


def count(home, where):
    try:
        return home.store().execute(f"select count(*) from event where {where}").fetchone()[0]
    except Exception:
        return 0


def an_agents_full_disk_puts_it_out_of_service_and_costs_no_trial():
    with Home() as home:
        home.write("large", "x" * (2 * MIB))
        home.write("study.yaml", COPYING.format(trials=400))
        disk = small_home(home)
        run = Command(home, "run", "study.yaml")
        wait(lambda: count(home, "kind = 10") > 4, "trials to end")
        disk.fill()
        wait(lambda: "disk full" in worker(home)["fit"], "the worker to go out of service")
        has("where", worker(home)["fit"], home.env["ASSAY_HOME"])
        why = home.json("explain", "copying")
        equal("cause", why["cause"], "unfit")
        has("text", why["text"], "disk full")
        has("how it ends", why["text"], "by itself")
        if count(home, "kind = 10") >= 400:
            raise AssertionError("nothing was left to do when the disk was full")
        disk.free()
        run.end(0)
        trials = home.json("trials", "copying", "--limit", "400")["trials"]
        equal("states", {t["state"] for t in trials}, {"complete"})
        equal("trials", len(trials), 400)


def a_program_that_fills_the_disk_fails_and_hears_why():
    with Home() as home:
        home.write("study.yaml", GREEDY)
        small_home(home)
        Command(home, "run", "study.yaml").end(1)
        trial = home.json("show", "greedy", "0")
        equal("state", trial["state"], "failed")
        equal("cause", trial["cause"], "exit-code")
        has("text", trial["text"], "its disk is full")
        wait(lambda: not worker(home)["fit"], "the worker to be in service")


isolate()
main(the_store_waits_for_space_and_goes_on, one_signal_ends_it_and_what_was_acknowledged_stays,
     an_agents_full_disk_puts_it_out_of_service_and_costs_no_trial,
     a_signal_to_the_coordinator_alone_ends_it_too,
     a_program_that_fills_the_disk_fails_and_hears_why, at_once=3)
