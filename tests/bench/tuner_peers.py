# SPDX-License-Identifier: Apache-2.0
"""Runs a peer's sampler; the peers' side of bench_tuner.c. Started by tuner.py in their environment.

    tuner_peers.py versions
    tuner_peers.py ask SAMPLER SPACE DIMS TRIALS ROUNDS
    tuner_peers.py study SAMPLER SPACE DIMS GOALS TRIALS
    tuner_peers.py regret SAMPLER PROBLEM FIRST_SEED SEEDS TRIALS TABLES LIBRARY

Everything as bench_tuner has it, spaces and objectives too; problems are the same code, loaded from
LIBRARY. Samplers of Optuna: random, tpe (its default), tpe-univariate, cma, gp, nsga2. For study
alone, of Rustuna: rustuna-tpe, rustuna-cma, rustuna-nsga2; cmaes-cma: the package cmaes by itself;
pymoo-nsga2: pymoo's NSGA-II, population 50, over the unit cube. For regret alone, smac: SMAC3's
default for hyperparameters (a random forest), which is told regrets in place of values: it takes
their logarithms, and what lies below 0 for 0.
"""
import ctypes
import importlib.metadata
import math
import os
import sys
import time
import warnings

CHECKPOINTS = (60, 100, 200)
PACKAGES = ("optuna", "cmaes", "torch", "numpy", "rustuna", "syne-tune", "pymoo", "smac")


def make_sampler(name, seed):
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")
    makers = {
        "random": lambda: optuna.samplers.RandomSampler(seed=seed),
        "tpe": lambda: optuna.samplers.TPESampler(seed=seed),
        "tpe-univariate": lambda: optuna.samplers.TPESampler(multivariate=False, seed=seed),
        "cma": lambda: optuna.samplers.CmaEsSampler(seed=seed),
        "gp": lambda: optuna.samplers.GPSampler(seed=seed),
        "nsga2": lambda: optuna.samplers.NSGAIISampler(seed=seed),
    }
    return makers[name]()


def one_thread(name):
    if name == "gp":
        import torch

        torch.set_num_threads(1)
    elif name == "smac":
        os.environ["LOKY_MAX_CPU_COUNT"] = "1"  # its forest takes a thread for each core


# ---- speed ---------------------------------------------------------------------------------------


def speed_space(kind, dims):
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    mixed = (FloatDistribution(0, 1), FloatDistribution(0, 1), FloatDistribution(1e-5, 1, log=True),
             IntDistribution(0, 1000), CategoricalDistribution((0, 1, 2, 3)))
    return {f"p{i}": FloatDistribution(-5, 10) if kind == "floats" else mixed[i % 5]
            for i in range(dims)}


def speed_value(space, params, goal=0):
    values, total = list(params.values()), 0.0
    at, shift, best = (0.7, 1, 1) if goal else (0.3, 0, 2)
    for i, (v, d) in enumerate(zip(values, space.values())):
        if not hasattr(d, "low"):
            total += v != best
        elif d.low == -5:
            before = values[i - 1] - shift
            total += (v - shift - 1) ** 2 + (100 * (v - shift - before**2) ** 2 if i else 0)
        elif d.log:
            total += (math.log(v / d.low) / math.log(d.high / d.low) - at) ** 2
        else:
            total += ((v - d.low) / (d.high - d.low) - at) ** 2
    return total


def random_trials(space, n):
    """n finished trials at random points."""
    import optuna

    study = optuna.create_study(sampler=make_sampler("random", 1))
    for _ in range(n):
        trial = study.ask(space)
        study.tell(trial, speed_value(space, trial.params))
    return study.get_trials()


def ask(name, kind, dims, trials, rounds):
    import optuna

    space = speed_space(kind, dims)
    study = optuna.create_study(sampler=make_sampler(name, 1))
    study.add_trials(random_trials(space, trials))
    trial, times = study.ask(space), []
    for _ in range(rounds):
        value = speed_value(space, trial.params)
        start = time.perf_counter()
        study.tell(trial, value)
        trial = study.ask(space)
        times.append((time.perf_counter() - start) * 1e3)
    print(" ".join(f"{ms:.6f}" for ms in times))


def rustuna_study(name, goals):
    """A study, and what draws a trial of a space."""
    import rustuna

    samplers = {"tpe": rustuna.samplers.TPESampler, "cma": rustuna.samplers.CmaEsSampler,
                "nsga2": rustuna.samplers.NSGAIISampler}
    study = rustuna.create_study(sampler=samplers[name](seed=0), directions=["minimize"] * goals)

    def draw(space):
        trial, params = study.ask(), {}
        for key, d in space.items():
            if not hasattr(d, "low"):
                params[key] = trial.suggest_categorical(key, list(d.choices))
            elif isinstance(d.low, int):
                params[key] = trial.suggest_int(key, d.low, d.high)
            else:
                params[key] = trial.suggest_float(key, d.low, d.high, log=d.log)
        return trial, params

    return study, draw


class Asked:
    """A trial of what knows points of the unit cube only."""

    def __init__(self, number, point):
        self.number, self.point = number, point


def decode(space, u):
    """A point of the unit cube as parameters."""
    params = {}
    for (key, d), v in zip(space.items(), u):
        if not hasattr(d, "low"):
            params[key] = d.choices[min(int(v * len(d.choices)), len(d.choices) - 1)]
        elif isinstance(d.low, int):
            params[key] = min(int(d.low + v * (d.high - d.low + 1)), d.high)
        else:
            params[key] = d.low * (d.high / d.low) ** v if d.log else d.low + v * (d.high - d.low)
    return params


class CmaesStudy:
    def __init__(self, dims):
        import cmaes
        import numpy as np

        self.cma = cmaes.CMA(mean=np.full(dims, 0.5), sigma=1 / 6, seed=0,
                             bounds=np.tile((0.0, 1.0), (dims, 1)))
        self.told = []

    def draw(self, space):
        trial = Asked(len(self.told), self.cma.ask())
        return trial, decode(space, trial.point)

    def tell(self, trial, values):
        self.told.append((trial.point, values[0]))
        if len(self.told) == self.cma.population_size:
            self.cma.tell(self.told)
            self.told = []


class PymooStudy:
    def __init__(self, dims, goals):
        from pymoo.algorithms.moo.nsga2 import NSGA2
        from pymoo.core.problem import Problem

        self.algorithm = NSGA2(pop_size=50)
        self.algorithm.setup(Problem(n_var=dims, n_obj=goals, xl=0.0, xu=1.0), seed=0,
                             termination=("n_gen", 10**9), verbose=False)
        self.litter, self.values, self.at = None, [], 0

    def draw(self, space):
        if self.litter is None:
            self.litter, self.values, self.at = self.algorithm.ask(), [], 0
        trial = Asked(self.at, self.litter[self.at].X)
        self.at += 1
        return trial, decode(space, trial.point)

    def tell(self, trial, values):
        import numpy as np

        self.values.append(values)
        if len(self.values) == len(self.litter):
            self.litter.set("F", np.array(self.values))
            self.algorithm.tell(infills=self.litter)
            self.litter = None


def optuna_study(name, goals):
    import optuna

    study = optuna.create_study(sampler=make_sampler(name, 0), directions=["minimize"] * goals)

    def draw(space):
        trial = study.ask(space)
        return trial, trial.params

    return study, draw


def study_seconds(name, kind, dims, goals, trials):
    space = speed_space(kind, dims)
    rust, own = name.startswith("rustuna-"), name in ("cmaes-cma", "pymoo-nsga2")
    if own:
        study = CmaesStudy(dims) if name == "cmaes-cma" else PymooStudy(dims, goals)
        draw = study.draw
    else:
        study, draw = (rustuna_study(name[len("rustuna-"):], goals) if rust
                       else optuna_study(name, goals))
    spent = 0.0
    for _ in range(trials):
        start = time.perf_counter()
        trial, params = draw(space)
        spent += time.perf_counter() - start
        values = [speed_value(space, params, goal) for goal in range(goals)]
        start = time.perf_counter()
        study.tell(trial.number if rust else trial, values)
        spent += time.perf_counter() - start
    print(f"{spent:.6f}")


# ---- quality -------------------------------------------------------------------------------------


class Param(ctypes.Structure):
    _fields_ = [("kind", ctypes.c_int), ("lo", ctypes.c_double), ("hi", ctypes.c_double)]


class Problem:
    def __init__(self, library, name, seed, tables):
        self.lib = ctypes.CDLL(library)
        self.lib.problem_open.restype = ctypes.c_void_p
        self.lib.problem_open.argtypes = [ctypes.c_char_p, ctypes.c_uint64, ctypes.c_char_p]
        self.lib.problem_close.argtypes = [ctypes.c_void_p]
        self.lib.problem_dims.restype = ctypes.c_size_t
        self.lib.problem_dims.argtypes = [ctypes.c_void_p]
        self.lib.problem_param.restype = ctypes.POINTER(Param)
        self.lib.problem_param.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
        for f in (self.lib.problem_value, self.lib.problem_regret):
            f.restype, f.argtypes = ctypes.c_double, [ctypes.c_void_p, ctypes.c_void_p]
        self.at = self.lib.problem_open(name.encode(), seed, tables.encode())
        if not self.at:
            sys.exit(f"tuner_peers.py: no problem '{name}', or no tables")
        self.n = self.lib.problem_dims(self.at)
        self.params = [self.lib.problem_param(self.at, i).contents for i in range(self.n)]

    def space(self):
        from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

        makers = (lambda p: FloatDistribution(p.lo, p.hi),
                  lambda p: IntDistribution(int(p.lo), int(p.hi)),
                  lambda p: CategoricalDistribution(tuple(range(int(p.hi) + 1))))
        return {f"p{i}": makers[p.kind](p) for i, p in enumerate(self.params)}

    def judge(self, params):
        """Value as the sampler sees it, and regret."""
        x = (ctypes.c_double * self.n)(*(float(v) for v in params.values()))
        return self.lib.problem_value(self.at, x), self.lib.problem_regret(self.at, x)

    def close(self):
        self.lib.problem_close(self.at)


def optuna_turns(name, seed, trials, p):
    """Regrets of successive trials."""
    import optuna

    space, study = p.space(), optuna.create_study(sampler=make_sampler(name, seed))
    for _ in range(trials):
        trial = study.ask(space)
        value, above = p.judge(trial.params)
        study.tell(trial, value)
        yield above


def smac_turns(seed, trials, p):
    import tempfile

    from ConfigSpace import Categorical, ConfigurationSpace, Float, Integer
    from smac import HyperparameterOptimizationFacade, Scenario
    from smac.runhistory import TrialValue

    makers = (lambda k, q: Float(k, (q.lo, q.hi)), lambda k, q: Integer(k, (int(q.lo), int(q.hi))),
              lambda k, q: Categorical(k, list(range(int(q.hi) + 1))))
    space = ConfigurationSpace(seed=seed)
    space.add([makers[q.kind](f"p{i:02}", q) for i, q in enumerate(p.params)])
    with tempfile.TemporaryDirectory() as folder:
        scenario = Scenario(space, n_trials=trials, seed=seed, deterministic=True,
                            output_directory=folder)
        smac = HyperparameterOptimizationFacade(scenario, lambda config, seed=0: 0.0,
                                                logging_level=50, overwrite=True)
        for _ in range(trials):
            info = smac.ask()
            _, above = p.judge({k: info.config[k] for k in sorted(info.config)})
            smac.tell(info, TrialValue(cost=above))  # it takes logarithms, and cuts at 0
            yield above


def regret(name, problem, seed, trials, tables, library):
    p, best, row = Problem(library, problem, seed, tables), math.inf, []
    turns = smac_turns(seed, trials, p) if name == "smac" else optuna_turns(name, seed, trials, p)
    for i, above in enumerate(turns):
        best = min(best, above)
        if i + 1 in CHECKPOINTS:
            row.append(f"{best:.6g}")
    p.close()
    print(",".join([problem, str(seed), *row]), flush=True)


def versions():
    for package in PACKAGES:
        try:
            print(package, importlib.metadata.version(package))
        except importlib.metadata.PackageNotFoundError:
            pass


def main():
    what, *args = sys.argv[1:]
    if what == "versions":
        versions()
        return
    one_thread(args[0])
    if what == "ask":
        ask(args[0], args[1], *map(int, args[2:]))
    elif what == "study":
        study_seconds(args[0], args[1], *map(int, args[2:]))
    elif what == "regret":
        name, problem, first, seeds, trials, tables, library = args
        for seed in range(int(first), int(first) + int(seeds)):
            regret(name, problem, seed, int(trials), tables, library)


if __name__ == "__main__":
    main()
