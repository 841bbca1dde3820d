#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whole trainings by assay-trainer, by the clock on the wall: two ranks on two cores, strict bits, the
time to a good model, the start of a trial in a gang that is warm.

    train_runs.py BIN --dir DIR [--quick] [--python PYTHON] [--wheel PYTHON] [--only NAME]

Prints rows (docs/benchmarks.md) on stdout. BIN holds assay-trainer; PYTHON (default /usr/bin/python3) has
Debian's PyTorch, that of --wheel (default build/bench-peers, which scripts/bench.sh train --setup makes) the newest
one, whose rows end in ".wheel"; NAME is that of a row. What is compared takes turns as processes that are bound to cores. A turn
counts if nobody else had more than a twentieth of these cores meanwhile, which the kernel's count of their
time says; else it is made again, until two minutes of a row are lost.
"""
import argparse
import contextlib
import hashlib
import json
import math
import os
import random
import socket
import statistics
import struct
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
DIGITS = os.path.join(HERE, "..", "..", "examples", "data", "digits.csv.gz")
OTHERS, PATIENCE_S = 0.05, 120
UNITS = (784, 512, 256, 10)
DIGITS_ROWS = 1797
SPLIT = {"validation": 0.2, "test": 0.2, "stratify": False, "seed": 3}
NETWORK = {"hidden": 128, "layers": 2, "batch_size": 32, "optimizer": "adam", "lr": 0.001}
GOAL, MOST = 0.97, 40  # epochs
MPIRUN = ["mpirun", "--host", "localhost:2", "--bind-to", "none", "--mca", "pml", "ob1", "--mca", "btl",
          "self,vader"]
ENVIRONMENT = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1",
               "GLOO_SOCKET_IFNAME": "lo",
               "ASAN_OPTIONS": "detect_leaks=0",  # of Open MPI, in a build that looks
               "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}


def put(**row):
    print(json.dumps(row), flush=True)


# ---- cores --------------------------------------------------------------------------------------

def busy_s(cores):
    """Seconds that these cores have computed, or that the machine below took from them."""
    with open("/proc/stat", encoding="ascii") as lines:
        ticks = {line.split()[0]: list(map(int, line.split()[1:])) for line in lines if line[:3] == "cpu"}
    return sum(sum(ticks[f"cpu{core}"][i] for i in (0, 1, 2, 5, 6, 7)) for core in cores) / \
        os.sysconf("SC_CLK_TCK")


class Taken(Exception):
    """Others were at work during a turn."""


@contextlib.contextmanager
def quiet(cores):
    """Raises Taken if others had more of these cores than they may, while processes ran and ended."""
    begin, busy, mine = time.monotonic(), busy_s(cores), sum(os.times()[:4])
    yield
    took, mine = time.monotonic() - begin, sum(os.times()[:4]) - mine
    if busy_s(cores) - busy - mine > OTHERS * took * len(cores):
        raise Taken


def turns(n, one):
    """What one() returns, n times; RuntimeError: turns that do not count have taken too long."""
    found, lost_s = [], 0
    while len(found) < n:
        begin = time.monotonic()
        try:
            found.append(one())
        except Taken:
            lost_s += time.monotonic() - begin
            if lost_s > PATIENCE_S:
                raise RuntimeError(f"others had more than {OTHERS:.0%} of the cores") from None
    return found


# ---- runs ---------------------------------------------------------------------------------------

def sha(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


class Images:
    """Noise in the form of MNIST, and jobs that train on it, imported as an agent has it done."""

    def __init__(self, folder, rows):
        self.folder, self.rows, made = folder, rows, random.Random(1)
        self.images = os.path.join(folder, "images-idx3-ubyte")
        self.labels = os.path.join(folder, "labels-idx1-ubyte")
        with open(self.images, "wb") as file:
            file.write(struct.pack(">IIII", 0x803, rows, 28, 28) + made.randbytes(rows * 784))
        with open(self.labels, "wb") as file:
            file.write(struct.pack(">II", 0x801, rows) + bytes(made.randrange(10) for _ in range(rows)))
        self.sums = {"file": sha(self.images), "labels": sha(self.labels)}

    def job(self, batch, epochs, strict=False, cores=1):
        fixed = {"hidden": UNITS[1], "hidden_2": UNITS[2], "layers": 2, "batch_size": batch,
                 "optimizer": "sgd", "lr": 0.01, "momentum": 0.9}
        study = {"name": "noise", "run": {"model": "mlp", "fixed": fixed,
                                          "length": {"unit": "epochs", "max": epochs}},
                 "data": {"file": self.images, "labels": self.labels, "scale": "minmax",
                          "split": {"validation": 0, "test": 0}},
                 "objective": {"metric": "train_loss", "goal": "minimize", "take": "last"},
                 "resources": {"cores": cores, **({"reproducible": "strict"} if strict else {})}}
        imports = {"dir": os.path.join(self.folder, "imports"), "limit": 1 << 30, "least": 0}
        return {"study": study, "seed": 1, "checkpoint_s": 1e6, "import": {**imports, **self.sums}}


def write_job(folder, job):
    path = os.path.join(folder, "job.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(job, file)
    return path


def ranks(cores, command):
    """The command line of a gang with a rank on each of the cores."""
    each = [["-np", "1", "taskset", "-c", str(core), *command] for core in cores]
    if len(cores) == 1:
        return each[0][2:]
    return [*MPIRUN, *each[0], *[word for one in each[1:] for word in (":", *one)]]


def finished(command, **options):
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, **options)
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or [f"exit {done.returncode}"])[-1])
    return done.stdout


def rate(cores, folder, job, together=False):
    """Rows a second of a training, by a rank on each of the cores or by one on all of them: the median of
    its epochs, of which a fifth warms up."""
    with quiet(cores):
        lines = finished(ranks([",".join(map(str, cores))] if together else cores, [TRAINER, "--run", write_job(folder, job), "--dir", folder]))
    found = [json.loads(line)["metrics"]["samples_per_s"] for line in lines.splitlines()
             if line.startswith('{"step"')]
    return statistics.median(found[math.ceil(len(found) / 5) if len(found) > 1 else 0:])


def peer_rate(cores, batch):
    """(rows a second, version and form) of PyTorch with a process on each of the cores."""
    with tempfile.TemporaryDirectory() as folder, quiet(cores):
        processes = [subprocess.Popen(
            ["taskset", "-c", str(core), args.python, os.path.join(HERE, "ddp_peer.py"),
             os.path.join(folder, "meet"), str(i), str(len(cores)), "-".join(map(str, UNITS)), str(batch),
             str(SECONDS)], env=ENVIRONMENT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            for i, core in enumerate(cores)]
        said = [process.communicate() for process in processes]
        if any(process.returncode for process in processes):
            raise RuntimeError((said[0][1].strip().splitlines() or ["the peer failed"])[-1])
    found, *name = said[0][0].split()
    return float(found), "PyTorch %s, gloo, %s, 1 thread a rank" % tuple(name)


def peer_team_rate(cores, batch):
    """(rows a second, version and form) of PyTorch with a thread on each of the cores, its BLAS with one or
    as many, whichever is faster."""
    best, name = 0, ""
    for blas in (1, len(cores)):
        environment = {**ENVIRONMENT, "OMP_NUM_THREADS": str(len(cores)), "OPENBLAS_NUM_THREADS": str(blas)}
        with quiet(cores):
            done = subprocess.run(["taskset", "-c", ",".join(map(str, cores)), args.python,
                                   os.path.join(HERE, "step_peer.py"), "-".join(map(str, UNITS)), str(batch),
                                   "sgd", str(SECONDS), "fp32", str(len(cores))], env=environment,
                                  capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError((done.stderr.strip().splitlines() or ["the peer failed"])[-1])
        us, _, _, version, form = done.stdout.split()
        if batch / float(us) * 1e6 > best:
            best = batch / float(us) * 1e6
            name = f"PyTorch {version}, {form}, {len(cores)} threads, {blas} of BLAS"
    return best, name


# ---- rows: what each function returns of one --------------------------------------------------------

def eff2(images, cores, case):
    batch = int(case)

    def turn():
        alone = [rate([core], images.folder, images.job(batch, EPOCHS)) for core in cores]
        return max(alone), rate(cores, images.folder, images.job(2 * batch, EPOCHS))

    found = turns(TURNS, turn)
    fastest, both = max(one for one, _ in found), statistics.median(two for _, two in found)
    return {"value": both / (2 * fastest), "n": len(found), "samples_per_s": round(both),
            "samples_per_s_alone": round(fastest)}


def gloo(images, cores, case):
    batch = int(case)
    found = turns(TURNS, lambda: (rate(cores, images.folder, images.job(2 * batch, EPOCHS)),
                                  peer_rate(cores, batch) if args.peer else None))
    row = {"value": statistics.median(ours for ours, _ in found), "n": len(found)}
    if args.peer:
        row.update(peer=found[0][1][1], peer_value=statistics.median(t[0] for _, t in found),
                   ratio=statistics.median(ours / t[0] for ours, t in found))
    return row


def team2(images, cores, case):
    batch = int(case)
    found = turns(TURNS, lambda: (rate(cores[:1], images.folder, images.job(batch, EPOCHS)),
                                  rate(cores, images.folder, images.job(batch, EPOCHS, cores=len(cores)),
                                       together=True),
                                  peer_team_rate(cores, batch) if args.peer else None))
    row = {"value": statistics.median(both for _, both, _ in found), "n": len(found),
           "times": statistics.median(both / one for one, both, _ in found)}
    if args.peer:
        row.update(peer=found[0][2][1], peer_value=statistics.median(t[0] for _, _, t in found),
                   ratio=statistics.median(both / t[0] for _, both, t in found))
    return row


def strict(images, cores, case):
    found = turns(TURNS, lambda: [rate(cores, images.folder, images.job(int(case), EPOCHS, bits))
                                  for bits in (False, True)])
    return {"value": statistics.median(free / bound - 1 for free, bound in found), "n": len(found),
            "samples_per_s": round(statistics.median(bound for _, bound in found))}


def philox(key, counter):
    """The block function of asy/rng.h, whose draws divide the rows."""
    c, k, mask = list(counter), list(key), 0xFFFFFFFF
    for _ in range(10):
        p, q = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [q >> 32 ^ c[1] ^ k[0], q & mask, p >> 32 ^ c[3] ^ k[1], p & mask]
        k = [(k[0] + 0x9E3779B9) & mask, (k[1] + 0xBB67AE85) & mask]
    return c


def divide(n):
    """Rows to train on and to validate with, as SPLIT has the engine draw them (worker/train/data/split.c)."""
    def draws():
        for block in range(n):
            words = philox((SPLIT["seed"], 0), (block, 0, 0, 4 << 24))
            yield from (words[0] | words[1] << 32, words[2] | words[3] << 32)

    rows, drawn = list(range(n)), draws()
    for i in range(n, 1, -1):
        j = next(d % i for d in drawn if d >= (1 << 64) % i)
        rows[i - 1], rows[j] = rows[j], rows[i - 1]
    test, validation = (math.floor(n * SPLIT[part] + 0.5) for part in ("test", "validation"))
    return sorted(rows[test + validation:]), sorted(rows[test:test + validation])


def digits_job(seed, epochs):
    study = {"name": "digits", "run": {"model": "mlp", "fixed": NETWORK,
                                       "length": {"unit": "epochs", "max": epochs}},
             "data": {"file": os.path.abspath(DIGITS), "label": -1, "split": SPLIT},
             "objective": {"metric": "val_accuracy", "goal": "maximize"}}
    return {"study": study, "seed": seed, "checkpoint_s": 1e6}


def until_good(command):
    """Seconds from the start of a process to its first epoch that is good, and which it was; infinity
    and None: there was none. The other words of a line "import SECONDS VERSION"."""
    begin, more = time.monotonic(), []
    with subprocess.Popen(command, env=ENVIRONMENT, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:
        for line in process.stdout:
            if line.startswith("import "):
                more = line.split()[1:]
            elif line.startswith('{"step"'):
                report = json.loads(line)
                if report["metrics"]["val_accuracy"] >= GOAL:
                    took = time.monotonic() - begin
                    process.kill()
                    return took, report["step"], more
        said = process.stderr.read()
    if process.returncode:
        raise RuntimeError((said.strip().splitlines() or [f"exit {process.returncode}"])[-1])
    return math.inf, None, more


def digits(images, cores, _):
    bound, folder, seeds = ["taskset", "-c", str(cores[0])], images.folder, list(range(1, 21))
    split = os.path.join(folder, "split.json")
    with open(split, "w", encoding="ascii") as file:
        json.dump(divide(DIGITS_ROWS), file)

    def turn():
        seed, theirs = seeds[0], None  # again, where the turn does not count
        job = write_job(folder, digits_job(seed, MOST))
        with quiet(cores):
            ours = until_good([*bound, TRAINER, "--run", job, "--dir", folder])
            if args.peer:
                peer = [args.python, os.path.join(HERE, "digits_peer.py"), DIGITS, split]
                theirs = until_good([*bound, *peer, json.dumps(NETWORK), str(seed), str(MOST)])
        del seeds[0]
        return ours, theirs

    found = turns(1 if args.tiny else 5 if args.quick else len(seeds), turn)
    value = statistics.median(ours[0] for ours, _ in found)
    if not math.isfinite(value):
        raise RuntimeError("most seeds do not come so far")
    row = {"value": value, "n": len(found), "epochs": statistics.median(o[1] or MOST for o, _ in found)}
    peer = statistics.median(theirs[0] for _, theirs in found) if args.peer else math.inf
    if math.isfinite(peer):
        imports = statistics.median(float(t[2][0]) for _, t in found)
        row.update(peer=f"PyTorch {found[0][1][2][1]}, 1 thread", peer_value=peer, ratio=peer / value,
                   peer_import_s=imports, ratio_without_import=(peer - imports) / value,
                   peer_epochs=statistics.median(t[1] or MOST for _, t in found))
    return row


# ---- a warm gang --------------------------------------------------------------------------------

class Gang:
    """The agent's side of a gang: its socket, and a line to each rank."""

    def __init__(self, cores):
        self.folder, self.lines, self.pids = tempfile.TemporaryDirectory(), {}, {}
        path = os.path.join(self.folder.name, "agent")
        self.out = open(os.path.join(self.folder.name, "said"), "w+", encoding="utf-8")
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path)
            server.listen(len(cores))
            server.settimeout(60)
            self.process = subprocess.Popen(
                ranks(cores, [TRAINER]), stdin=subprocess.DEVNULL, stdout=self.out, stderr=self.out,
                env={**ENVIRONMENT, "ASSAY_SOCKET": path, "ASSAY_TOKEN": "00ff"})
            for _ in cores:
                try:
                    connection, _ = server.accept()
                except OSError:
                    self.process.kill()
                    raise
                line = connection.makefile("rw", encoding="utf-8")
                connection.close()  # the line has it
                hello = json.loads(line.readline())["hello"]
                self.lines[hello["rank"]], self.pids[hello["rank"]] = line, hello["pid"]

    def tell(self, order):
        text = json.dumps(order) + "\n"
        for _, line in sorted(self.lines.items()):
            line.write(text)
            line.flush()

    def trial(self, job, folder, on_report=None):
        """Milliseconds from the message to the end of the first step, which each "alive" follows."""
        begin, first = time.monotonic(), None
        self.tell({"do": "run", "job": job, "dir": folder, "resume": None, "silence_ms": 1})
        for rank, line in sorted(self.lines.items()):
            while True:
                said = json.loads(line.readline() or '{"end":{"outcome":"failed","reason":"it is gone"}}')
                if "alive" in said and first is None:
                    first = (time.monotonic() - begin) * 1000
                if on_report and rank == 0 and "step" in said:
                    on_report()
                if "end" in said:
                    break
            if said["end"]["outcome"] != "complete":
                raise RuntimeError(f"rank {rank}: {said['end']['reason']}")
        return first

    def anonymous_kib(self):
        with open(f"/proc/{self.pids[0]}/status", encoding="ascii") as lines:
            return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon:"))

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        with contextlib.suppress(OSError):  # of a rank that is gone
            self.tell({"do": "exit"})
        for line in self.lines.values():
            with contextlib.suppress(OSError):
                line.close()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.out.close()
        self.folder.cleanup()


def start(images, cores, _):
    trials, warm = (2, 1) if args.tiny else (60, 10) if args.quick else (200, 10)

    def turn():
        with quiet(cores), Gang(cores) as gang:
            return [gang.trial(digits_job(seed, 1), images.folder) for seed in range(warm + trials)][warm:]

    found = turns(min(TURNS, 3), turn)
    return {"value": statistics.median(map(statistics.median, found)), "n": len(found), "trials": trials,
            "p99": statistics.median(sorted(ms)[min(trials - 1, int(0.99 * trials))] for ms in found)}


def counted(images, cores, batch):
    """What each rank allocates in a training, in an order of the numbers."""
    counter, file = os.path.join(os.path.abspath(args.bin), "libbench_allocs.so"), \
        os.path.join(images.folder, "allocations")
    finished(ranks(cores, ["env", f"LD_PRELOAD={counter}", f"ASY_ALLOCS={file}", TRAINER, "--run",
                           write_job(images.folder, images.job(batch, 2)), "--dir", images.folder]))
    if not os.path.exists(file):
        raise RuntimeError("libbench_allocs.so counts nothing here")
    with open(file, encoding="ascii") as lines:
        numbers = sorted(map(int, lines))
    os.unlink(file)
    if not all(numbers):
        raise RuntimeError("this build has an allocator of its own")
    return numbers


def allocations(images, cores, _):
    """Whoever else is at work. Trainings that differ in their number of steps alone, after one that reads
    the data for all; a median, as the start of MPI allocates a few times more or less."""
    few, many, found = 256, 32, []
    steps = 2 * (math.ceil(images.rows / many) - math.ceil(images.rows / few))
    counted(images, cores, few)
    for _ in range(1 if args.tiny else 5):
        pair = counted(images, cores, few), counted(images, cores, many)
        found.append(max(b - a for a, b in zip(*pair)) / steps)
    return {"value": statistics.median(found), "n": len(found), "steps": steps}


def memory(images, cores, case):
    """Whoever else is at work."""
    batch, found = min(int(case), images.rows), []
    with Gang(cores) as gang:
        for _ in range(3):
            gang.trial(images.job(batch, 3), images.folder, lambda: found.append(gang.anonymous_kib()))
    numbers = sum((i + 1) * o for i, o in zip(UNITS, UNITS[1:])) + batch * sum(UNITS[1:])
    return {"value": max(found) / 1024, "n": len(found), "limit": 4 * 4 * numbers / (1 << 20) + 16}


ALL = [("ddp.eff2", "64", "1", 2, eff2), ("ddp.eff2", "512", "1", 2, eff2),
       ("ddp.vs_gloo", "64", "1/s", 2, gloo), ("train.team2", "64", "1/s", 2, team2),
       ("train.team2", "512", "1/s", 2, team2), ("strict.cost", "512", "1", 1, strict),
       ("digits.time_to_97", None, "s", 1, digits), ("trial.start_ms", "1", "ms", 1, start),
       ("trial.start_ms", "2", "ms", 2, start), ("trial.step_allocs", "1", "1", 1, allocations),
       ("trial.step_allocs", "2", "1", 2, allocations), ("trial.rss_anon_mib", "512", "MiB", 1, memory)]
BY_WHEEL = ("ddp.vs_gloo", "digits.time_to_97")  # rows that the newest PyTorch has a part in, too


def measure(images, name, case, unit, n_cores, one):
    row = {"name": name, **({"case": case} if case else {})}
    cores = sorted(os.sched_getaffinity(0))[:n_cores]
    try:
        if len(cores) < n_cores:
            raise RuntimeError(f"it takes {n_cores} cores")
        got = one(images, cores, case)
        put(**row, value=got.pop("value"), unit=unit, **got)
    except RuntimeError as why:
        put(**row, value=None, unit=unit, why=str(why))


def has_torch(python, case):
    there = os.path.exists(python) and subprocess.run([python, "-c", "import torch"],
                                                      capture_output=True).returncode == 0
    if not there:
        put(name="peer.installed", case=case, value=None, unit="1",
            why=f"{python} does not have it; scripts/bench.sh train --setup installs it")
    return there


def main():
    global args, OTHERS, TRAINER, TURNS, EPOCHS, SECONDS
    parser = argparse.ArgumentParser()
    parser.add_argument("bin")
    parser.add_argument("--dir", required=True)
    parser.add_argument("--python", default="/usr/bin/python3")
    parser.add_argument("--wheel", default="build/bench-peers/bin/python")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--tiny", action="store_true", help="numbers without meaning, for the test")
    parser.add_argument("--only", help="the name of a row")
    args = parser.parse_args()
    OTHERS, TRAINER = math.inf if args.tiny else OTHERS, os.path.join(args.bin, "assay-trainer")
    TURNS, EPOCHS, SECONDS = (1, 2, 0.1) if args.tiny else (3, 8, 1) if args.quick else (7, 20, 2)
    os.makedirs(args.dir, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=os.path.abspath(args.dir)) as folder:
        images = Images(folder, 512 if args.tiny else 8192)
        args.peer = has_torch(args.python, "torch")
        for row in ALL:
            if args.only in (None, row[0]):
                measure(images, *row)
        args.python, args.peer = args.wheel, has_torch(args.wheel, "torch.wheel")
        for name, *row in ALL:
            if args.peer and name in BY_WHEEL and args.only in (None, name + ".wheel"):
                measure(images, name + ".wheel", *row)


if __name__ == "__main__":
    main()
