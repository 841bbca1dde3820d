#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Gangs with real processes: what a switch of trials costs, what idle ranks cost, what a death costs;
two trials beside each other; the return of a coordinator.

    gang.py BIN --dir DIR [--quick|--tiny] [--only PART]

Prints rows (docs/benchmarks.md) on stdout; --tiny: for a test that there are all. Times are those of events in the store, or of this
process.
"""
import argparse
import glob
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time

SOURCE = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
parser = argparse.ArgumentParser()
parser.add_argument("bin")
parser.add_argument("--dir", required=True)
parser.add_argument("--quick", action="store_true")
parser.add_argument("--tiny", action="store_true")
parser.add_argument("--only", help="switch, idle, deaths, pinning or reattach")
args = parser.parse_args()
os.makedirs(args.dir, exist_ok=True)
tempfile.tempdir = os.path.abspath(args.dir)
sys.argv = [sys.argv[0], args.bin, SOURCE]
sys.path.insert(0, os.path.join(SOURCE, "tests", "system"))
import gangs  # noqa: E402
from breaker import Sweep  # noqa: E402
from gangs import alive, environ, parent, stat  # noqa: E402
from harness import BIN, equal, wait  # noqa: E402

MODEL = """
assay: 1
name: %s
retries: 100
run: {model: mlp, length: {unit: epochs, max: %d}, hidden: %d, batch_size: %d}
data: {file: %s/examples/data/digits.csv.gz, label: -1}
objective: {metric: val_loss, goal: minimize}
parameters:
  lr: {min: 1e-4, max: 1e-2, scale: log}
search: {sampler: random, seed: 5}
budget: {trials: %d}
resources: {ranks: %d, memory: 512MiB}
"""
WARM = "gang_trials: 1000000\ngang_idle: 1h\n"
WHOLE = 2048  # rows of a batch: more than there are, so that an epoch is one step
VICTIMS = ["rank 0", "rank 1", "mpirun", "supervisor", "agent"]
# runs of each part; of a run: trials, seconds, victims, epochs, workers
SIZES = {"switch": (5, 300), "by_mpirun": 7, "idle": (5, 10), "deaths": (3, VICTIMS),
         "deaths_2node": 10, "pinning": (7, 60), "reattach": (3, 256)}
if args.quick:
    SIZES = {"switch": (2, 150), "by_mpirun": 3, "idle": (2, 5), "deaths": (1, VICTIMS),
             "deaths_2node": 4, "pinning": (2, 20), "reattach": (1, 256)}
if args.tiny:
    SIZES = {"switch": (1, 5), "by_mpirun": 1, "idle": (1, 1), "deaths": (1, ["rank 1"]),
             "deaths_2node": 1, "pinning": (1, 3), "reattach": (1, 3)}


def row(name, value, unit, n, **more):
    print(json.dumps({"name": name, **({"case": more.pop("case")} if "case" in more else {}),
                      "value": value, "unit": unit, "n": n, **more}), flush=True)


def quantile(values, q):
    return sorted(values)[min(len(values) - 1, int(q * len(values)))]


def model(home, name, epochs=1, hidden=32, batch=WHOLE, trials=1, ranks=2):
    home.write(f"{name}.yaml", MODEL % (name, epochs, hidden, batch, SOURCE, trials, ranks))


# ---- processes ----------------------------------------------------------------------------------

def gang(home):
    """{rank: pid} of the one gang."""
    ranks = gangs.ranks(home)
    return ranks if len(ranks) == 2 else None


def tree(ranks):
    """The ranks, their mpirun and its supervisor."""
    launcher = parent(ranks[0])
    return [ranks[0], ranks[1], launcher, parent(launcher)]


# ---- from one trial to the next -----------------------------------------------------------------

def switches(home, name, trials):
    """Milliseconds from the lease of each trial but the first to the report of its first step."""
    model(home, name, trials=trials)
    home.run("run", f"{name}.yaml")
    found = home.store().execute(
        "select min(m.wall_us) - a.leased_us from attempt a join metric m on m.run = a.run and "
        "m.attempt = a.attempt join run r on r.id = a.run where a.run in (select id from run order "
        "by id desc limit ?) group by a.run order by a.run", (trials,)).fetchall()
    equal("trials", len(found), trials)
    return [us / 1000 for (us,) in found[1:]]


def by_mpirun(home, spec):
    """Milliseconds from the start of mpirun to the same report of the same program."""
    folder = tempfile.mkdtemp()
    with open(os.path.join(folder, "job.json"), "w") as f:
        json.dump({"study": spec, "params": {"lr": 0.001}, "seed": 1, "number": 0}, f)
    command = ["mpirun", "--host", "localhost:2", "-np", "2", "--bind-to", "none", "--mca",
               "odls_base_sigkill_timeout", "0", "--mca", "pml", "ob1", "--mca", "btl", "self,vader",
               os.path.join(BIN, "assay-trainer"), "--run", f"{folder}/job.json", "--dir", folder]
    env = {**home.env, "ASAN_OPTIONS": "detect_leaks=0",  # of Open MPI, in a build that looks
           "OPENBLAS_NUM_THREADS": "1", "OMPI_ALLOW_RUN_AS_ROOT": "1",
           "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    start = time.monotonic()
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if '"step"' in line:
                ms = (time.monotonic() - start) * 1000
                process.stdout.read()
                break
    equal("mpirun", process.returncode, 0)
    return ms


def launcher():
    said = subprocess.run(["mpirun", "--version"], stdout=subprocess.PIPE, text=True).stdout
    return " ".join(said.splitlines()[0].split())


def switch():
    runs, trials = SIZES["switch"]
    p50, p99 = [], []
    with Sweep(0, WARM) as home:
        home.run("up", "--cores", "2")
        switches(home, "warm", 20)  # the gang starts, the data is read
        for n in range(runs):
            ms = switches(home, f"s{n}", trials)
            p50.append(quantile(ms, 0.5))
            p99.append(quantile(ms, 0.99))
        spec = home.json("show", "s0")["spec"]
        cold = [by_mpirun(home, spec) for _ in range(SIZES["by_mpirun"])]
    row("gang.switch_p99_ms", statistics.median(p99), "ms", runs, trials=trials)
    row("gang.switch_p50_ms", statistics.median(p50), "ms", runs, trials=trials)
    ratio = statistics.median(cold) / statistics.median(p50)
    row("gang.switch_speedup", ratio, "1", runs, peer=launcher(),
        peer_value=statistics.median(cold), ratio=ratio)


# ---- idle ---------------------------------------------------------------------------------------

def idle():
    runs, seconds = SIZES["idle"]
    shares = []
    with Sweep(0, WARM) as home:
        home.run("up", "--cores", "2")
        model(home, "idle", trials=3)
        home.run("run", "idle.yaml")
        pids = tree(gang(home))
        for _ in range(runs):
            before = [sum(map(int, stat(pid)[11:13])) for pid in pids]
            start = time.monotonic()
            time.sleep(seconds)
            spent = sum(sum(map(int, stat(pid)[11:13])) for pid in pids) - sum(before)
            shares.append(spent / os.sysconf("SC_CLK_TCK") / (time.monotonic() - start))
    row("gang.idle_core_share", statistics.median(shares), "cores", runs, max=max(shares))


# ---- deaths -------------------------------------------------------------------------------------

def ends(home):
    return home.store().execute("select wall_us from event where kind = 10 order by seq").fetchall()


def step_of(home, attempt):
    (n,), = home.store().execute("select count(*) from metric where attempt = ?", (attempt,))
    return n


def left_of(pids, *scratches):
    return [pid for pid in pids if alive(pid)] + [f for f in scratches if os.path.exists(f)]


def kill(home, pid):
    """Seconds until the end of an attempt is on record."""
    n, killed_us = len(ends(home)), time.time_ns() // 1000
    os.kill(pid, signal.SIGKILL)
    wait(lambda: len(ends(home)) > n, "the end of an attempt")
    return (ends(home)[n][0] - killed_us) / 1e6


def deaths_on_one_node():
    """Kills in turn; what takes long between them is the pause that a crash earns its trial."""
    rounds, victims = SIZES["deaths"]
    seconds, orphans, attempt = [], 0, 0
    for _ in range(rounds):
        with Sweep(0) as home:
            model(home, "death", epochs=10000000, trials=1)
            home.run("submit", "death.yaml")
            home.run("up", "--cores", "2")
            wait(lambda: step_of(home, 1) > 0, "a step")
            for attempt, who in enumerate(victims, 1):
                ranks = wait(lambda: gang(home), "a gang")
                pids, scratch = tree(ranks), environ(ranks[0])["ASSAY_SCRATCH"]
                victim = {"rank 0": pids[0], "rank 1": pids[1], "mpirun": pids[2],
                          "supervisor": pids[3]}.get(who) or home.processes("assay-worker")[0]
                took = kill(home, victim)
                if who.startswith("rank"):
                    seconds.append(took)
                wait(lambda: step_of(home, attempt + 1) > 0, "a step")
                orphans += len(left_of(pids, scratch))
            home.run("stop", "death")
            home.down()
            orphans += len(glob.glob(f"{os.path.dirname(scratch)}"))
    return seconds, orphans, rounds * len(victims)


def deaths_on_two_nodes():
    """Of a rank of each node in turn; a node is an agent that sees one core. Each trial has one
    death, so that none waits out an earlier one."""
    n, orphans, seconds, seen = SIZES["deaths_2node"], 0, [], []
    with Sweep(0) as home:
        gangs.coordinator(home)
        model(home, "gang", epochs=10000000, trials=n + 1)
        gangs.workers(home)
        home.run("submit", "gang.yaml")
        for victim in range(n):
            seen.append(wait(lambda: gangs.training(home, seen), "a gang"))
            ranks = wait(lambda: gang(home), "its ranks")
            pids = {pid for rank in ranks.values() for name, pid in gangs.lineage(rank).items()
                    if name != "assay-worker"}
            scratches = {environ(rank)["ASSAY_SCRATCH"] for rank in ranks.values()}
            seconds.append(kill(home, ranks[victim % 2]))
            wait(lambda: gangs.training(home, seen), "the next gang")
            orphans += len(left_of(pids, *scratches))
        home.run("stop", "gang")
    return seconds, orphans, n


def deaths():
    orphans = of = 0
    for case, found in (("1node", deaths_on_one_node()), ("2node", deaths_on_two_nodes())):
        seconds, left, n = found
        row("gang.rank_death_s", max(seconds), "s", len(seconds), case=case,
            median=statistics.median(seconds))
        orphans, of = orphans + left, of + n
    row("gang.orphans", orphans, "1", of)


# ---- two at once --------------------------------------------------------------------------------

def rate(home, name, trials):
    """Rows a second of each of so many trials of one core at once, each the median of its epochs."""
    model(home, name, epochs=SIZES["pinning"][1], hidden=256, batch=256, trials=trials, ranks=1)
    home.run("run", f"{name}.yaml")
    rates = {}
    for run, value in home.store().execute(
            "select m.run, m.value from metric m join word w on w.id = m.name where w.text = "
            "'samples_per_s' and m.run in (select id from run order by id desc limit ?)", (trials,)):
        rates.setdefault(run, []).append(value)
    equal("trials", len(rates), trials)
    return [statistics.median(v) for v in rates.values()]


def pinning():
    runs = SIZES["pinning"][0]
    alone, beside = [], []
    with Sweep(0, WARM) as home:
        home.run("up", "--cores", "2")
        rate(home, "warm", 2)
        for n in range(runs):
            alone += rate(home, f"one-{n}", 1)
            beside += [statistics.mean(rate(home, f"two-{n}", 2))]
    ratios = [a / b for a, b in zip(alone, beside)]
    row("pinning.slowdown", statistics.median(ratios), "1", runs, min=min(ratios), max=max(ratios))


# ---- the return of a coordinator ----------------------------------------------------------------

COMMAND = """
assay: 1
name: held
run:
  command: [sleep, "100000"]
  metrics: {pattern: 'loss=(?<loss>\\S+)'}
objective: {metric: loss, goal: minimize}
parameters: {x: {min: 0.0, max: 1.0}}
search: {sampler: random, seed: 1}
budget: {trials: %d}
"""


def coordinator(home):
    program = os.path.join(BIN, "assay-coordinator")
    return subprocess.Popen([program, "--home", home.env["ASSAY_HOME"], "--keep"], env=home.env,
                            stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def all_welcomed(logs, epoch):
    """Whether each worker has heard WELCOME from the coordinator of this epoch."""
    def has(log):
        with open(log) as f:
            return f" epoch={epoch} keep=" in f.read()
    waiting = [log for log in logs if not has(log)]
    logs[:] = waiting
    return not waiting


def start_workers(home, n):
    """Real ones, without a trainer, which each would try out. Processes and their logs."""
    programs = os.path.join(home.path, "programs")
    os.mkdir(programs)
    os.symlink(os.path.join(BIN, "assay-attempt"), os.path.join(programs, "assay-attempt"))
    workers, logs = [], [os.path.join(home.path, f"worker-{i}.log") for i in range(n)]
    for log in logs:
        with open(log, "w") as to:
            workers.append(subprocess.Popen(
                [os.path.join(BIN, "assay-worker"), "--cores", "1", "--memory", "2GiB"],
                env={**home.env, "ASSAY_PROGRAMS": programs}, stdin=subprocess.DEVNULL, stderr=to))
    return workers, logs


def reattach_once(n):
    """From SIGKILL of the coordinator to the welcome of the last worker by the next one."""
    with Sweep(0) as home:
        serving = coordinator(home)
        wait(lambda: os.path.exists(os.path.join(home.env["ASSAY_HOME"], "coordinator.json")),
             "a coordinator")
        workers, logs = start_workers(home, n)
        left = list(logs)
        wait(lambda: all_welcomed(left, 1), "the workers")
        home.write("held.yaml", COMMAND % n)
        home.run("submit", "held.yaml")
        wait(lambda: home.count("started") == n, "the trials")
        start = time.monotonic()
        serving.kill()
        serving.wait()
        serving = coordinator(home)
        wait(lambda: all_welcomed(logs, 2), "the workers' return")
        seconds = time.monotonic() - start
        equal("ends", home.count("ended"), 0)
        for process in (*workers, serving):
            process.kill()
        for process in (*workers, serving):
            process.wait()
    return seconds


def reattach():
    runs, workers = SIZES["reattach"]
    seconds = [reattach_once(workers) for _ in range(runs)]
    row("service.reattach_s", statistics.median(seconds), "s", runs, max=max(seconds),
        workers=workers)


for part in (switch, idle, deaths, pinning, reattach):
    if args.only in (None, part.__name__):
        part()
