# SPDX-License-Identifier: Apache-2.0
"""Rows mo.hypervolume: what samplers cover of problems with several objectives, beside Optuna's; rows
mo.summary: on how many problems that is at least what each sampler of Optuna covers, and the best.

    tuner_mo.py BIN [--sampler NAME] [--seeds N] [--trials N] [--peer tpe|nsga2 --seeds N]

Without --peer: rows, ours by bench_mo, peers from data/volume-*.csv where there are any. With --peer
(in the peers' environment): runs that sampler of Optuna on the same code (libbench_problems.so) and
writes its table. tuner.py calls rows() for scripts/bench.sh tuner.
"""
import argparse
import concurrent.futures
import ctypes
import glob
import json
import os
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.join(HERE, "data")
TRIALS = 500


def read_tables(trials):
    """{sampler of a peer: {problem: [volumes]}}"""
    peers = {}
    for path in sorted(glob.glob(os.path.join(DATA, f"volume-{trials}-*.csv"))):
        name = os.path.basename(path)[len(f"volume-{trials}-"):-len(".csv")].replace("-", " ")
        with open(path, encoding="utf-8") as file:
            for line in file:
                if not line.startswith("#"):
                    problem, _, volume = line.strip().split(",")
                    peers.setdefault(name, {}).setdefault(problem, []).append(float(volume))
    return peers


def names(bin_folder):
    done = subprocess.run([os.path.join(bin_folder, "bench_mo"), "problems"], check=True, text=True,
                          capture_output=True)
    return done.stdout.split()


def volumes(bin_folder, sampler, problem, seeds, trials):
    done = subprocess.run([os.path.join(bin_folder, "bench_mo"), "volume", sampler, problem, "1",
                           str(seeds), str(trials)], check=True, text=True, capture_output=True)
    return [float(line.split(",")[2]) for line in done.stdout.split()]


def summary(won, trials, sampler):
    """won: {peer: [whether our median is at least its, per problem]}; `best`: of all of them."""
    for name, of in sorted(won.items()):
        yield {"name": "mo.summary", "case": f"{name.replace(' ', '-')}/{trials}", "value": sum(of),
               "unit": "problems", "n": len(of), "sampler": sampler}


def rows(bin_folder, sampler="auto", seeds=10, trials=TRIALS):
    """As many problems at once as there are cores: a volume does not depend on the time it takes."""
    peers = read_tables(trials)
    won, problems = {}, names(bin_folder)
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        found = list(pool.map(lambda p: volumes(bin_folder, sampler, p, seeds, trials), problems))
    for problem, ours in zip(problems, found):
        value = statistics.median(ours)
        row = {"name": "mo.hypervolume", "case": f"{problem}/{trials}", "value": value,
               "unit": "volume", "n": seeds, "sampler": sampler}
        theirs = {name: statistics.median(of[problem]) for name, of in peers.items() if problem in of}
        if theirs:
            best = max(theirs, key=theirs.get)
            row |= {"peer": best, "peer_value": theirs[best], "ratio": value / theirs[best]}
            for name, of in [*theirs.items(), ("best", theirs[best])]:
                won.setdefault(name, []).append(value >= of)
        else:
            row["why_no_peer"] = f"no volume-{trials}-*.csv in tests/bench/data"
        yield row
    yield from summary(won, trials, sampler)


# ---- the peers -----------------------------------------------------------------------------------


class Problems:
    def __init__(self, library):
        self.lib = ctypes.CDLL(library)
        self.lib.mo_problem_name.restype = ctypes.c_char_p
        for f in (self.lib.mo_problem_dims, self.lib.mo_problem_goals):
            f.restype = ctypes.c_size_t
        self.lib.mo_problem_reference.restype = ctypes.POINTER(ctypes.c_double)
        self.lib.mo_problem_values.argtypes = [ctypes.c_size_t, ctypes.c_void_p, ctypes.c_void_p]

    def names(self):
        out = []
        while name := self.lib.mo_problem_name(ctypes.c_size_t(len(out))):
            out.append(name.decode())
        return out


def volume_of_peer(optuna, problems, i, sampler, trials):
    import numpy as np
    from optuna._hypervolume import compute_hypervolume

    n, m = (f(ctypes.c_size_t(i)) for f in (problems.lib.mo_problem_dims, problems.lib.mo_problem_goals))
    study = optuna.create_study(sampler=sampler, directions=["minimize"] * m)
    space = {f"p{k}": optuna.distributions.FloatDistribution(0, 1) for k in range(n)}
    values = []
    for _ in range(trials):
        trial = study.ask(space)
        x, f = (ctypes.c_double * n)(*trial.params.values()), (ctypes.c_double * m)()
        problems.lib.mo_problem_values(i, x, f)
        values.append(list(f))
        study.tell(trial, values[-1])
    reference = np.array(problems.lib.mo_problem_reference(ctypes.c_size_t(i))[:m])
    inside = np.array([v for v in values if all(a < b for a, b in zip(v, reference))])
    return float(compute_hypervolume(inside, reference)) if len(inside) else 0.0


def run_peer(bin_folder, name, seeds, trials):
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    makers = {"tpe": optuna.samplers.TPESampler, "nsga2": optuna.samplers.NSGAIISampler}
    problems = Problems(os.path.join(bin_folder, "libbench_problems.so"))
    os.makedirs(DATA, exist_ok=True)
    path = os.path.join(DATA, f"volume-{trials}-optuna-{optuna.__version__}-{name}.csv")
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"# Hypervolume after {trials} trials: problem, seed, volume. optuna "
                   f"{optuna.__version__}, sampler {name}, one thread.\n# Made by tuner_mo.py --peer.\n")
        for i, problem in enumerate(problems.names()):
            for seed in range(1, seeds + 1):
                volume = volume_of_peer(optuna, problems, i, makers[name](seed=seed), trials)
                file.write(f"{problem},{seed},{volume:.9g}\n")
                file.flush()


def main():
    p = argparse.ArgumentParser()
    p.add_argument("bin")
    p.add_argument("--sampler", default="auto")
    p.add_argument("--seeds", type=int, default=10)
    p.add_argument("--trials", type=int, default=TRIALS)
    p.add_argument("--peer", choices=("tpe", "nsga2"))
    args = p.parse_args()
    if args.peer:
        sys.exit(run_peer(args.bin, args.peer, args.seeds, args.trials))
    for row in rows(args.bin, args.sampler, args.seeds, args.trials):
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
