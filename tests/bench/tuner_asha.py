# SPDX-License-Identifier: Apache-2.0
"""Rows asha.* and mo.asha_volume: how soon successive halving finds a good configuration, and what
it covers of two objectives, on tables of learning curves.

    tuner_asha.py BIN [--seeds N] [--tables A,B]
    tuner_asha.py BIN --peer optuna|syne-tune [--seeds N]

Rows: ours by bench_curves, peers from data/asha-*.csv. With --peer (in the peers' environment): runs
that package's own rule on the same simulated clock, with the same configurations in the same order,
and writes its table. tuner.py calls rows() for scripts/bench.sh tuner.
"""
import argparse
import csv
import glob
import gzip
import heapq
import importlib.metadata
import json
import math
import os
import random
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.join(HERE, "data")
TABLES = ("digits", "friedman1")
REDUCTION, SHARE, SEEDS = 4, 0.005, 100
# row, workers: what ours is measured against
ROWS = [("asha.vs_random", (8,), "full"), ("asha.vs_stopping", (8, 64), "stopping")]
FRONT_TRIALS, FRONT_WORKERS = 200, 8
START_MS = 5  # of a start, for the member that says what starts cost


def path_of(table):
    return os.path.join(DATA, f"curves-{table}.csv.gz")


# ---- ours ----------------------------------------------------------------------------------------


def bench(bin_folder, *args):
    done = subprocess.run([os.path.join(bin_folder, "bench_curves"), *map(str, args)], text=True,
                          capture_output=True)
    if done.returncode:
        raise RuntimeError(done.stderr.strip())
    return [line.split() for line in done.stdout.splitlines()]


def seconds(bin_folder, table, rule, workers, seeds, start_ms=0):
    return [float(line[1]) for line in bench(bin_folder, "replay", path_of(table), rule, REDUCTION,
                                             workers, start_ms, SHARE, 1, seeds)]


def ratio(theirs, ours):
    """How many times longer theirs take: the geometric mean over seeds."""
    return math.exp(statistics.fmean(math.log(t / o) for t, o in zip(theirs, ours)))


def interval(theirs, ours, rounds=2000):
    """95 % of that mean, by the bootstrap over pairs (percentiles)."""
    rng, pairs = random.Random(1), list(zip(theirs, ours))
    means = sorted(ratio(*zip(*rng.choices(pairs, k=len(pairs)))) for _ in range(rounds))
    return means[int(0.025 * rounds)], means[int(0.975 * rounds) - 1]


def read_peers(table, workers, seeds):
    """{peer: [seconds of seeds 1 ..]}; only those that are on record for all of them."""
    peers = {}
    for path in sorted(glob.glob(os.path.join(DATA, "asha-*.csv"))):
        name = os.path.basename(path)[len("asha-"):-len(".csv")]
        name = " ".join(name.rsplit("-", 1))
        with open(path, encoding="utf-8") as file:
            of = read_seconds(file, table, workers)
        if all(seed in of for seed in range(1, seeds + 1)):
            peers[name] = [of[seed] for seed in range(1, seeds + 1)]
    return peers


def read_seconds(file, table, workers):
    rows = csv.reader(line for line in file if not line.startswith("#"))
    return {int(seed): float(s) for t, w, seed, s in rows if (t, w) == (table, str(workers))}


def row_of(bin_folder, name, table, workers, against, seeds):
    ours = seconds(bin_folder, table, "promotion", workers, seeds)
    theirs = seconds(bin_folder, table, against, workers, seeds)
    slow = [seconds(bin_folder, table, rule, workers, seeds, START_MS)
            for rule in (against, "promotion")]
    low, high = interval(theirs, ours)
    row = {"name": name, "case": f"{table}/{workers}", "value": ratio(theirs, ours), "unit": "times",
           "n": seeds, "low": low, "high": high, "of_means": sum(theirs) / sum(ours),
           f"starts_{START_MS}ms": ratio(*slow), "seconds": statistics.fmean(ours)}
    peers = read_peers(table, workers, seeds) if against == "stopping" else {}
    if peers:
        best = min(peers, key=lambda p: statistics.fmean(map(math.log, peers[p])))
        row |= {"peer": best, "peer_value": statistics.fmean(peers[best]),
                "ratio": ratio(peers[best], ours),
                "others": ", ".join(f"{p}: {ratio(s, ours):.3g}" for p, s in peers.items() if p != best)}
    elif against == "stopping":
        row["why_no_peer"] = "no asha-*.csv in tests/bench/data has so many seeds"
    return row


def front_row(bin_folder, table, seeds):
    """moasha over full training of the same trials: hypervolume and epochs."""
    lines = [list(map(float, line)) for line in
             bench(bin_folder, "front", path_of(table), REDUCTION, FRONT_WORKERS, FRONT_TRIALS, 1, seeds)]
    shares = [ours / full for _, ours, _, full, _ in lines]
    return {"name": "mo.asha_volume", "case": f"{table}/{FRONT_TRIALS}", "value": statistics.fmean(shares),
            "unit": "1", "n": seeds, "smallest": min(shares),
            "epochs": statistics.fmean(ours / full for _, _, ours, _, full in lines)}


def rows(bin_folder, seeds=SEEDS, tables=TABLES):
    for name, workers, against in ROWS:
        for table in tables:
            for w in workers:
                yield row_of(bin_folder, name, table, w, against, seeds)
    for table in tables:
        yield front_row(bin_folder, table, seeds)


# ---- peers ---------------------------------------------------------------------------------------


class Optuna:
    """SuccessiveHalvingPruner in a study in memory."""

    package = "optuna"

    def __init__(self, epochs):
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.states, self.trials = optuna.trial.TrialState, []
        self.study = optuna.create_study(pruner=optuna.pruners.SuccessiveHalvingPruner(
            min_resource=1, reduction_factor=REDUCTION, min_early_stopping_rate=0))

    def start(self, config):
        self.trials.append(self.study.ask())

    def goes_on(self, number, epoch, loss):
        trial = self.trials[number]
        trial.report(loss, epoch)
        return not trial.should_prune()

    def ended(self, number, loss):
        """loss: at its full length; None: pruned or diverged."""
        if loss is None:
            self.study.tell(self.trials[number], state=self.states.PRUNED)
        else:
            self.study.tell(self.trials[number], loss)


class SyneTune:
    """AsynchronousSuccessiveHalving, told of results; configurations are not its own."""

    package = "syne-tune"

    def __init__(self, epochs):
        from syne_tune.config_space import randint
        from syne_tune.optimizer.schedulers.asha import AsynchronousSuccessiveHalving

        self.trials = []
        self.rule = AsynchronousSuccessiveHalving(
            {"config": randint(0, 1 << 30)}, metric="loss", time_attr="epoch", max_t=epochs,
            grace_period=1, reduction_factor=REDUCTION, random_seed=1)

    def start(self, config):
        import datetime
        from syne_tune.backend.trial_status import Trial

        self.trials.append(Trial(len(self.trials), {"config": config}, datetime.datetime.now()))
        self.rule.on_trial_add(self.trials[-1])

    def goes_on(self, number, epoch, loss):
        return self.rule.on_trial_result(self.trials[number], {"loss": loss, "epoch": epoch}) != "STOP"

    def ended(self, number, loss):
        if loss is None:
            self.rule.on_trial_remove(self.trials[number])


PEERS = {peer.package: peer for peer in (Optuna, SyneTune)}


class Curves:
    def __init__(self, table):
        self.loss, self.ms = [], []
        with gzip.open(path_of(table), "rt", encoding="utf-8") as file:
            rows = csv.reader(line for line in file if not line.startswith("#"))
            names = next(rows)
            first, epochs = names.index("loss_1"), sum(n.startswith("loss_") for n in names)
            for row in rows:
                loss = [float(c) for c in row[first:first + epochs]]
                self.loss.append([v if math.isfinite(v) else math.nan for v in loss])
                ms = []
                for cell in row[first + epochs:]:
                    ms.append(float(cell) if cell and float(cell) > 0 else ms[-1] if ms else 0.0)
                self.ms.append(ms)
        self.epochs = epochs


def replay(curves, rule, order, workers, target):
    """As replay() of bench_curves.c does it: the seconds until a trial shows the target."""
    configs, done, events = [], [], []

    def give_work(at, worker):
        number = len(configs)
        configs.append(order[number % len(order)])
        done.append(0)
        rule.start(configs[number])
        heapq.heappush(events, (at + curves.ms[configs[number]][0], worker, number))

    for worker in range(workers):
        give_work(0.0, worker)
    while True:
        at, worker, number = heapq.heappop(events)
        loss = curves.loss[configs[number]][done[number]]
        done[number] += 1
        if loss <= target:
            return at / 1e3
        goes_on = not math.isnan(loss) and rule.goes_on(number, done[number], loss)
        if done[number] == curves.epochs and not math.isnan(loss):
            rule.ended(number, loss)
        elif not goes_on:
            rule.ended(number, None)
        else:
            at += curves.ms[configs[number]][done[number]]
            heapq.heappush(events, (at, worker, number))
            continue
        give_work(at, worker)


def run_peer(bin_folder, package, tables, seeds):
    version = importlib.metadata.version(package)
    path = os.path.join(DATA, f"asha-{package}-{version}.csv")
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"# Seconds on the simulated clock until the target: table, workers, seed, seconds."
                   f"\n# {package} {version}, reduction {REDUCTION}, minimum 1. Made by tuner_asha.py "
                   "--peer.\n")
        for table in tables:
            curves = Curves(table)
            target = float(bench(bin_folder, "target", path_of(table), SHARE)[0][0])
            orders = bench(bin_folder, "order", path_of(table), 1, seeds)
            for workers in (8, 64):
                for seed, order in enumerate(orders, 1):
                    took = replay(curves, PEERS[package](curves.epochs), [int(i) for i in order],
                                  workers, target)
                    file.write(f"{table},{workers},{seed},{took:.6f}\n")
                    file.flush()
                print(f"tuner_asha.py: {package} {table}/{workers}", file=sys.stderr, flush=True)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("bin")
    p.add_argument("--seeds", type=int, default=SEEDS)
    p.add_argument("--tables", default=",".join(TABLES))
    p.add_argument("--peer", choices=sorted(PEERS))
    args = p.parse_args()
    if args.peer:
        sys.exit(run_peer(args.bin, args.peer, args.tables.split(","), args.seeds))
    for row in rows(args.bin, args.seeds, args.tables.split(",")):
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
