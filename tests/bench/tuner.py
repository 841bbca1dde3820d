# SPDX-License-Identifier: Apache-2.0
"""Rows of the area "tuner": times of samplers and the regret that they reach, beside peers.

    tuner.py BIN --dir DIR [--python PYTHON] [--tables DIR] [--data DIR] 
             [--only speed|quality|asha] [--sampler NAME] [--problems A,B] [--seeds N]
             [--quick | --tiny]
    tuner.py BIN --dir DIR --python PYTHON --peers | --fill [--samplers A,B] [--problems A,B] ...

PYTHON is that of the peers' environment (tuner.sh setup); without it rows of time stand alone.
--sampler is ours in the rows of quality, "auto" by default. Regrets of peers are in --data (data/
beside this file) as regret-*.csv; --peers makes those anew, --fill only what they lack.
"""
import argparse
import concurrent.futures
import csv
import glob
import json
import math
import os
import statistics
import subprocess
import sys

import tuner_asha
import tuner_mo

HERE = os.path.dirname(os.path.abspath(__file__))
CHECKPOINTS = (60, 100, 200)
DEFAULT_PEER = "tpe"  # what Optuna takes where nothing is said
# sampler of a peer -> seeds, trials: a Gaussian process takes minutes for what others do in a second
PEER_RUNS = {"random": (30, 200), "tpe": (30, 200), "tpe-univariate": (30, 200), "cma": (30, 200),
             "gp": (10, 200), "smac": (5, 100)}
PEERS = ("optuna", "cmaes", "rustuna", "torch", "syne-tune", "pymoo", "smac")  # what tuner.sh setup installs
# what package takes the peer's part of a study of our sampler, under which name there
STUDY_PEERS = (("rustuna", "rustuna-", ("tpe", "cma", "nsga2")), ("cmaes", "cmaes-", ("cma",)),
               ("pymoo", "pymoo-", ("nsga2",)))
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1",
               "MKL_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}  # smac goes by the order of sets
# name, case, what bench_tuner and tuner_peers.py are asked, rounds or runs, left out by --quick
ASKS = [("tpe.ask_ms", "1000", ("tpe", "mixed", 20, 1000), False),
        ("tpe.ask_ms", "10000", ("tpe", "mixed", 20, 10000), False),
        ("gp.ask_ms", "200", ("gp", "floats", 20, 200), False),
        ("gp.ask_ms", "1000", ("gp", "floats", 20, 1000), True)]
STUDIES = [("tpe.study_s", "1000x40", ("tpe", "mixed", 40, 1, 1000), False),
           ("motpe.study_s", "1000x40", ("tpe", "mixed", 40, 2, 1000), False),
           ("nsga2.study_s", "10000x40", ("nsga2", "mixed", 40, 2, 10000), True),
           ("cma.study_s", "10000x40", ("cma", "floats", 40, 1, 10000), True)]
SLOW_PEERS = ("motpe.study_s", "nsga2.study_s", "cma.study_s")  # left out by --quick
TINY = {1000: 20, 10000: 40, 200: 20}


def put(row):
    print(json.dumps(row), flush=True)


def report_absent(bench):
    """A row for each peer that is not there: setup says why at the time."""
    for package in PEERS:
        if bench.args.python and package not in bench.versions:
            missing("peer.installed", package, "1",
                    "it is not in the peers' environment; scripts/bench.sh tuner --setup says why")


def missing(name, case, unit, why):
    put({"name": name, "case": case, "value": None, "unit": unit, "why": why})


class Bench:
    def __init__(self, args):
        self.args = args
        self.driver = [os.path.join(args.bin, "bench_tuner")]
        self.library = os.path.join(args.bin, "libbench_problems.so")
        self.peers = [args.python, os.path.join(HERE, "tuner_peers.py")]
        self.versions = {}
        if args.python and os.path.exists(args.python):
            self.versions = dict(line.split() for line in self.run(self.peers + ["versions"]))

    def run(self, command):
        """Lines of output; RuntimeError with the last line of its complaints."""
        done = subprocess.run([str(c) for c in command], text=True, capture_output=True,
                              env=ENVIRONMENT)
        if done.returncode:
            raise RuntimeError((done.stderr.strip() or f"exit {done.returncode}").splitlines()[-1])
        return done.stdout.splitlines()


# ---- speed ---------------------------------------------------------------------------------------


def peer_members(bench, kind, what, rounds, value):
    """What a row says of peers: the fastest is its peer, the others are named beside; nothing where
    none is installed."""
    found, why = {}, "no peer is installed: scripts/bench.sh tuner --setup"
    sizes = [TINY.get(w, w) if bench.args.tiny else w for w in what[1:]]
    more = [(package, prefix + what[0]) for package, prefix, samplers in STUDY_PEERS
            if kind == "study" and what[0] in samplers]
    for package, sampler in [("optuna", what[0]), *more]:
        if package not in bench.versions:
            continue
        try:
            line = bench.run(bench.peers + [kind, sampler, *sizes,
                                            *([rounds] if kind == "ask" else [])])[0]
            found[f"{package} {bench.versions[package]} {what[0]}"] = statistics.mean(
                map(float, line.split()))
        except RuntimeError as error:
            why = str(error)
    if not found:
        return {"why_no_peer": why}
    best = min(found, key=found.get)
    others = ", ".join(f"{name}: {t:.4g}" for name, t in found.items() if name != best)
    return {"peer": f"{best}, 1 thread", "peer_value": found[best], "ratio": found[best] / value,
            **({"others": others} if others else {})}


def cpu_of(lines):
    """The processor's part of what bench_tuner printed, the median of runs."""
    return statistics.median(float(line.split("|")[1]) for line in lines)


def speed_asks(bench):
    runs, rounds = (1, 3) if bench.args.tiny else (3, 20) if bench.args.quick else (5, 20)
    means = {}
    for name, case, what, long in ASKS:
        if long and (bench.args.quick or bench.args.tiny):
            continue
        sizes = [TINY.get(w, w) if bench.args.tiny else w for w in what]
        try:
            lines = bench.run(bench.driver + ["ask", *sizes, rounds, runs])
        except RuntimeError as error:
            missing(name, case, "ms", str(error))
            continue
        times = [[float(ms) for ms in line.split("|")[0].split()] for line in lines]
        flat = sorted(ms for line in times for ms in line)
        mean = means[name, case] = statistics.median(map(statistics.mean, times))
        put({"name": name, "case": case, "value": mean, "unit": "ms", "n": runs,
             "cpu": cpu_of(lines), "p99": flat[math.ceil(0.99 * len(flat)) - 1],
             **peer_members(bench, "ask", what, rounds, mean)})
    few, many = means.get(("tpe.ask_ms", "1000")), means.get(("tpe.ask_ms", "10000"))
    if few and many:
        put({"name": "tpe.slope_us", "value": (many - few) * 1e3 / 9000, "unit": "us", "n": runs,
             "why_no_peer": "peers' own times with 1,000 and 10,000 trials are in the rows above"})


def speed_studies(bench):
    for name, case, what, long in STUDIES:
        if long and bench.args.tiny:
            continue
        runs = 1 if bench.args.tiny else 3 if bench.args.quick else 5
        sizes = [TINY.get(w, w) if bench.args.tiny else w for w in what]
        try:
            lines = bench.run(bench.driver + ["study", *sizes, runs])
        except RuntimeError as error:
            missing(name, case, "s", str(error))
            continue
        value = statistics.median(float(line.split("|")[0]) for line in lines)
        put({"name": name, "case": case, "value": value, "unit": "s", "n": runs,
             "cpu": cpu_of(lines),
             **({"why_no_peer": "left out by --quick: peers take minutes"}
                if name in SLOW_PEERS and bench.args.quick else peer_members(bench, "study", what, 0, value))})


def idle(bench):
    """256 simulated workers whose points are drawn ahead by core's rule, beside the same without.
    Both count processor time, so they may run side by side."""
    trials, runs = (400, 1) if bench.args.tiny else (2000, 3) if bench.args.quick else (20000, 16)

    def measure(how):
        lines = bench.run([os.path.join(bench.args.bin, "bench_idle"), "tpe", "mixed", 20, 256, trials,
                           runs, how])
        return list(zip(*(map(float, line.split()) for line in lines)))

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        ahead, alone = pool.map(measure, ("ahead", "alone"))
    low, high = tuner_asha.interval(ahead[1], alone[1])
    put({"name": "idle.share", "case": f"{trials}", "value": statistics.mean(ahead[0]), "unit": "1",
         "n": runs, "share_alone": statistics.mean(alone[0]), "regret": statistics.mean(ahead[1]),
         "regret_alone": statistics.mean(alone[1]), "regret_ratio": tuner_asha.ratio(ahead[1], alone[1]),
         "regret_low": low, "regret_high": high, "together": statistics.mean(ahead[2]),
         "why_no_peer": "no peer has a service that could be simulated so"})


# ---- quality: regrets ----------------------------------------------------------------------------


def read_row(line):
    problem, seed, *regrets = line.split(",")
    return problem, int(seed), [float(r) for r in regrets if r]


def run_problems(bench, command, tail, jobs, trials):
    """{problem: {seed: regrets}}. A job is (problem, first seed, seeds), one process; as many run
    at once as there are cores."""
    def one(job):
        problem, first, n = job
        return [read_row(line) for line in
                bench.run(command + [problem, first, n, trials, bench.args.tables, *tail])]

    found = {}
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for rows in pool.map(one, jobs):
            for problem, seed, regrets in rows:
                found.setdefault(problem, {})[seed] = regrets
    return found


def read_peers(folder):
    """{sampler of a peer: {problem: {seed: regrets}}}"""
    peers = {}
    for path in sorted(glob.glob(os.path.join(folder, "regret-*.csv"))):
        sampler = os.path.basename(path)[len("regret-"):-len(".csv")].replace("-", " ", 2)
        with open(path, encoding="utf-8") as file:
            for line in file:
                if not line.startswith(("#", "problem")):
                    problem, seed, regrets = read_row(line.strip())
                    peers.setdefault(sampler, {}).setdefault(problem, {})[seed] = regrets
    return peers


def package_of(bench, sampler):
    package = "smac" if sampler == "smac" else "optuna"
    return f"{package} {bench.versions[package]}"


def write_peer(bench, sampler, known):
    package = package_of(bench, sampler)
    path = os.path.join(bench.args.data, f"regret-{package.replace(' ', '-')}-{sampler}.csv")
    uses = ", ".join(f"{p} {v}" for p, v in bench.versions.items() if p in ("cmaes", "numpy", "torch"))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(f"# Smallest regret after so many trials. {package}, "
                   f"sampler {sampler}\n# ({uses}), one thread. Made by tuner.py --peers.\n")
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["problem", "seed", *CHECKPOINTS])
        for problem in known:
            for seed in sorted(known[problem]):
                out.writerow([problem, seed, *(f"{r:.6g}" for r in known[problem][seed])])
    os.replace(path + ".new", path)


def make_peers(bench):
    if "optuna" not in bench.versions:
        sys.exit("tuner.py: optuna is not installed")
    problems = bench.run(bench.driver + ["problems"])
    if bench.args.problems:
        problems = [p for p in problems if p in bench.args.problems.split(",")]
    for sampler, (seeds, trials) in PEER_RUNS.items():
        if bench.args.samplers and sampler not in bench.args.samplers.split(","):
            continue
        if sampler in PEERS and sampler not in bench.versions:
            print(f"tuner.py: {sampler} is not installed", file=sys.stderr)
            continue
        wanted = range(1, min(seeds, bench.args.seeds or seeds) + 1)
        known = read_peers(bench.args.data) if bench.args.fill else {}
        known = known.get(f"{package_of(bench, sampler)} {sampler}", {})
        order = {p: known[p] for p in bench.run(bench.driver + ["problems"]) if p in known}
        for problem in problems:
            lacking = [s for s in wanted
                       if len(order.get(problem, {}).get(s, ())) < sum(c <= trials for c in CHECKPOINTS)]
            if not lacking:
                continue
            command = bench.peers + ["regret", sampler]
            jobs = [(problem, *span) for span in spans(lacking)]
            found = run_problems(bench, command, [bench.library], jobs, trials)
            order.setdefault(problem, {}).update(found.get(problem, {}))
            write_peer(bench, sampler, order)
            print(f"tuner.py: {sampler} {problem}", file=sys.stderr, flush=True)


def spans(seeds):
    """Runs of successive seeds as (first, how many), cut so that each core has some."""
    cores, out = len(os.sched_getaffinity(0)), []
    most = max(1, math.ceil(len(seeds) / cores))
    for s in seeds:
        if out and out[-1][0] + out[-1][1] == s and out[-1][1] < most:
            out[-1] = (out[-1][0], out[-1][1] + 1)
        else:
            out.append((s, 1))
    return out


# ---- quality: statistics -------------------------------------------------------------------------


def rank_sum_p(a, b):
    """Two-sided p of the Wilcoxon rank-sum test: normal approximation, corrected for ties."""
    values = sorted([(v, 0) for v in a] + [(v, 1) for v in b])
    n, m, ranks, ties, i = len(a), len(b), 0.0, 0.0, 0
    while i < n + m:
        k = i
        while k < n + m and values[k][0] == values[i][0]:
            k += 1
        ranks += (i + k + 1) / 2 * sum(1 for _, side in values[i:k] if side == 0)
        ties += (k - i) ** 3 - (k - i)
        i = k
    total = n + m
    variance = n * m / 12 * (total + 1 - ties / (total * (total - 1)))
    if variance <= 0:
        return 1.0
    z = max(0.0, abs(ranks - n * (total + 1) / 2) - 0.5) / math.sqrt(variance)
    return math.erfc(z / math.sqrt(2))


def holm(ps):
    """Adjusted for all of them together (Holm 1979)."""
    adjusted, largest = [0.0] * len(ps), 0.0
    for rank, i in enumerate(sorted(range(len(ps)), key=lambda i: ps[i])):
        largest = max(largest, min(1.0, (len(ps) - rank) * ps[i]))
        adjusted[i] = largest
    return adjusted


def mean_ranks(rows):
    """{name: mean place of its median among all of a row}, rows: [{name: regrets}]."""
    places = {}
    for row in rows:
        medians = {name: statistics.median(r) for name, r in row.items()}
        for name, v in medians.items():
            below = sum(1 for w in medians.values() if w < v)
            equal = sum(1 for w in medians.values() if w == v)
            places.setdefault(name, []).append(below + (equal + 1) / 2)
    return {name: statistics.mean(p) for name, p in places.items()}


def collect(ours, peers):
    """[(problem, trials, {name: regrets})] where at least ours is there; ours has the name ""."""
    rows = []
    for problem in ours:
        for i, trials in enumerate(CHECKPOINTS):
            row = {}
            for name, of in [("", ours), *((n, p) for n, p in peers.items())]:
                got = [r[i] for r in of.get(problem, {}).values() if len(r) > i]
                if got:
                    row[name] = got
            if "" in row:
                rows.append((problem, trials, row))
    return rows


def put_regrets(rows):
    best = [min((n for n in row if n), key=lambda n: statistics.median(row[n]), default=None)
            for _, _, row in rows]
    ps = holm([rank_sum_p(row[""], row[b]) if b else 1.0 for b, (_, _, row) in zip(best, rows)])
    not_worse = 0
    for (problem, trials, row), b, p in zip(rows, best, ps):
        value = statistics.median(row[""])
        out = {"name": "quality.regret", "case": f"{problem}/{trials}", "value": value,
               "unit": "value above the best", "n": len(row[""])}
        if b:
            theirs = statistics.median(row[b])
            not_worse += not (p < 0.01 and value > theirs)
            out |= {"peer": b, "peer_value": theirs, "p": p,
                    "ratio": max(theirs, 1e-12) / max(value, 1e-12)}
        put(out)
    return not_worse / len(rows) if any(best) else None


def put_summary(rows, share):
    if share is None:
        missing("quality.summary", "share_not_worse", "1", "no regrets of peers in tests/bench/data")
        return
    put({"name": "quality.summary", "case": "share_not_worse", "value": share, "unit": "1",
         "n": len(rows)})
    ranks = mean_ranks([row for _, _, row in rows])
    rows_of = {n: sum(n in row for _, _, row in rows) for n in ranks if n}
    whole = [n for n in rows_of if rows_of[n] == max(rows_of.values())]  # others are half on record
    best = min(whole, key=lambda n: ranks[n])
    put({"name": "quality.summary", "case": "mean_rank", "value": ranks[""], "unit": "place",
         "n": len(rows), "peer": best, "peer_value": ranks[best], "ratio": ranks[best] / ranks[""]})
    default = next((n for n in ranks if n.endswith(" " + DEFAULT_PEER)), None)
    with_default = [row for _, _, row in rows if default in row]
    ps = holm([rank_sum_p(row[""], row[default]) for row in with_default])
    worse = sum(p < 0.01 and statistics.median(row[""]) > statistics.median(row[default])
                for p, row in zip(ps, with_default))
    put({"name": "quality.summary", "case": "worse_than_default", "value": worse, "unit": "rows",
         "n": len(with_default)})


def quality(bench):
    args = bench.args
    problems = bench.run(bench.driver + ["problems"])
    if args.problems:
        problems = [p for p in problems if p in args.problems.split(",")]
    elif args.quick or args.tiny:
        problems = [p for p in problems if not p.startswith(("bbob", "table"))][:2 if args.tiny else 99]
    if not os.path.isdir(args.tables):
        left_out = [p for p in problems if p.startswith("table")]
        problems = [p for p in problems if p not in left_out]
        for problem in left_out:
            missing("quality.regret", problem, "value above the best",
                    f"no folder '{args.tables}', see --tables")
    seeds = args.seeds or (2 if args.tiny else 5 if args.quick else 30)
    try:
        jobs = [(p, *span) for p in problems for span in spans(range(1, seeds + 1))]
        ours = run_problems(bench, bench.driver + ["regret", args.sampler], [], jobs,
                            60 if args.tiny else 100 if args.quick else 200)
    except RuntimeError as error:
        missing("quality.regret", args.sampler, "value above the best", str(error))
        return
    rows = collect(ours, read_peers(args.data))
    put_summary(rows, put_regrets(rows))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("bin")
    p.add_argument("--dir", required=True)  # nothing is written there
    p.add_argument("--python")
    p.add_argument("--tables", default="-", help="their folder; -: there is none")
    p.add_argument("--data", default=os.path.join(HERE, "data"))
    p.add_argument("--sampler", default="auto")
    p.add_argument("--samplers")  # of peers, with --peers and --fill
    p.add_argument("--problems")
    p.add_argument("--seeds", type=int)
    p.add_argument("--only", choices=("speed", "quality", "asha"))
    for flag in ("--quick", "--tiny", "--peers", "--fill"):
        p.add_argument(flag, action="store_true")
    bench = Bench(p.parse_args())
    if bench.args.peers or bench.args.fill:
        make_peers(bench)
        return
    report_absent(bench)
    only, tiny = bench.args.only, bench.args.tiny
    if only in (None, "speed"):
        speed_asks(bench)
        speed_studies(bench)
        idle(bench)
    if only in (None, "quality"):
        quality(bench)
        for row in tuner_mo.rows(bench.args.bin, seeds=2 if tiny or bench.args.quick else 10,
                                 trials=60 if tiny else tuner_mo.TRIALS):
            put(row)
    if only in (None, "asha"):
        for row in tuner_asha.rows(bench.args.bin, seeds=3 if tiny else tuner_asha.SEEDS):
            put(row)


if __name__ == "__main__":
    main()
