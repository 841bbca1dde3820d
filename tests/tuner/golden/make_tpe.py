#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tpe.txt: what Optuna's TPE makes of random histories.

    python3 -m venv V && V/bin/pip install optuna==5.0.0 && V/bin/python make_tpe.py > tpe.txt

Each case is a random space (float, log, step, int, categorical; conditional), a mode (univariate,
multivariate, group), one to three objectives, and trials of every state: complete, pruned (at a
step, with NaN, without a report), infeasible, failed, running. The script asks Optuna's sampler for the next trial by its own
entry points and writes, for each joint or single draw that it makes, the candidates, log l, log g
and which one it took. Lines:

    case NAME mode LIAR min,max...        param KIND lo hi step log choices [parent value,value]
    trial STATE value,... step violation x...
    draw INDEX... (of parameters)      candidate x... log_l log_g
    best INDEX

The last LONG cases have hundreds of trials: more than 250 finished ones, where the good trials of
one objective stop at 25 and those of several do not.

Candidates are few and short numbers, so that the file stays small. Among equal observations the
older trial comes first; numpy's default sort leaves that open, so argsort is made stable here.
Histories that leave Optuna another grouping than the space has (a branch that no trial took), and
draws whose two best candidates differ by rounding alone, are drawn again.
"""
import math
import random
import sys
import warnings

import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import TPESampler
from optuna.samplers._tpe.parzen_estimator import _ParzenEstimator
from optuna.trial import TrialState, create_trial

CASES = 700
LONG = 24
CANDIDATES = 5
MODES = {"univariate": {"multivariate": False}, "multivariate": {"multivariate": True},
         "group": {"multivariate": True, "group": True}}

warnings.simplefilter("ignore")
optuna.logging.set_verbosity(optuna.logging.ERROR)
argsort = np.argsort
np.argsort = lambda a, axis=-1, kind=None: argsort(a, axis=axis, kind="stable")


class Redraw(Exception):
    pass


def short(v, digits=5):
    return float(f"{v:.{digits}g}")


def on_grid(dist, v):
    """The nearest value of the distribution, a short number."""
    if isinstance(dist, CategoricalDistribution):
        return int(min(max(v, 0), len(dist.choices) - 1))
    if dist.step is None:
        return min(max(short(v), dist.low), dist.high)
    k = round((v - dist.low) / dist.step)
    k = min(max(k, 0), math.floor((dist.high - dist.low) / dist.step + 1e-9))
    v = round(dist.low + k * dist.step, 9)
    return int(v) if isinstance(dist, IntDistribution) else v


class Estimator(_ParzenEstimator):
    """Draws what Optuna draws, but short numbers and the ends of the domain."""

    def sample(self, rng, size):
        drawn = super().sample(rng, size)
        for name, dist in self._search_space.items():
            values = [on_grid(dist, v) for v in drawn[name].tolist()]
            if not isinstance(dist, CategoricalDistribution):
                values[rng.randint(size)] = dist.low if rng.randint(2) else dist.high
            drawn[name] = np.array(values, dtype=float)
        return drawn


class Recorder(TPESampler):
    """Keeps what each draw saw."""

    def __init__(self, **options):
        super().__init__(n_ei_candidates=CANDIDATES, **options)
        self._parzen_estimator_cls = Estimator
        self.draws = []

    def _compute_acquisition_func(self, samples, mpe_below, mpe_above):
        log_l, log_g = mpe_below.log_pdf(samples), mpe_above.log_pdf(samples)
        scores = log_l - log_g
        order = np.argsort(-scores)
        same = all(v[order[0]] == v[order[1]] for v in samples.values())
        if not same and abs(scores[order[0]] - scores[order[1]]) < 1e-7:
            raise Redraw
        self.draws.append((samples, log_l, log_g, int(np.argmax(scores))))
        return super()._compute_acquisition_func(samples, mpe_below, mpe_above)


# ---- spaces --------------------------------------------------------------------------------------


def random_dist(rng, kind):
    if kind == "float":
        low = rng.choice([0, -1, -5, 10, -250])
        return FloatDistribution(low, low + rng.choice([1, 2.5, 15, 1000]))
    if kind == "log":
        return FloatDistribution(rng.choice([1e-6, 1e-3, 0.5]), rng.choice([1, 10, 300]), log=True)
    if kind == "step":
        return FloatDistribution(rng.choice([0, -1]), rng.choice([1, 4]),
                                 step=rng.choice([0.1, 0.25, 0.5]))
    if kind == "int":
        low = rng.choice([-10, 0, 1, 16])
        return IntDistribution(low, low + rng.choice([1, 7, 100, 1000]))
    if kind == "intstep":
        low = rng.choice([-10, 0, 8])
        return IntDistribution(low, low + rng.choice([2, 32, 100]), step=rng.choice([2, 4, 5]))
    if kind == "intlog":
        return IntDistribution(rng.choice([1, 10]), rng.choice([12, 128, 20000]), log=True)
    return CategoricalDistribution(tuple(range(rng.randint(2, 5))))


def random_space(rng, most=5):
    """[(name, distribution, None or (index of the parent, values))], at most so many"""
    kinds = ["float", "float", "log", "step", "int", "intstep", "intlog", "choice", "choice"]
    space = []
    for i in range(rng.randint(1, most)):
        parents = [k for k, (_, d, when) in enumerate(space)
                   if isinstance(d, CategoricalDistribution) and when is None]
        when = None
        if parents and rng.random() < 0.5:
            parent = rng.choice(parents)
            n = len(space[parent][1].choices)
            values = sorted(rng.sample(range(n), rng.randint(1, n - 1)))
            when = (parent, tuple(values))
        space.append((f"p{i}", random_dist(rng, rng.choice(kinds)), when))
        if space[-1][1].single():
            raise Redraw
    return space


def active(when, x):
    return when is None or x[when[0]] in when[1]


# ---- histories -----------------------------------------------------------------------------------


def random_point(rng, space, centre):
    x = []
    for i, (_, dist, when) in enumerate(space):
        if not active(when, x):
            x.append(None)
            continue
        u = rng.random()
        if rng.random() < 0.6:  # crowded, as late in a search
            u = min(max(centre[i] + rng.gauss(0, 0.03), 0), 1)
        if isinstance(dist, CategoricalDistribution):
            v = u * len(dist.choices)
        elif dist.log:
            v = dist.low * (dist.high / dist.low) ** u
        else:
            v = dist.low + u * (dist.high - dist.low)
        x.append(on_grid(dist, short(v, 3) if rng.random() < 0.8 else v))
    return x


STATES = ["COMPLETE"] * 6 + ["PRUNED"] * 2 + ["FAIL", "RUNNING"]


def random_values(rng, state, n_goals):
    if state in ("FAIL", "RUNNING"):
        return [math.nan] * n_goals
    if n_goals > 1:  # without ties: which of equal ones covers more is rounding
        return [short(rng.gauss(0, 1)) for _ in range(n_goals)]
    if state == "PRUNED" and rng.random() < 0.2:
        return [math.nan]
    return [short(rng.choice([rng.gauss(0, 1), rng.randint(0, 9), rng.gauss(0, 1) * 1e6]), 3)]


def random_trial(rng, space, centre, constrained, n_goals):
    """(state, values, step, violation, x)"""
    state = rng.choice(STATES)
    values = random_values(rng, state, n_goals)
    # Optuna takes no reports in studies of several objectives.
    step = rng.choice([-1, 1, 3, 9, 27]) if state == "PRUNED" and n_goals == 1 else -1
    infeasible = constrained and state in ("COMPLETE", "PRUNED") and rng.random() < 0.3
    violation = short(rng.random() * 3, 3) if infeasible else 0.0
    return state, values, step, violation, random_point(rng, space, centre)


def to_optuna(space, trial):
    state, values, step, violation, x = trial
    names = [name for (name, _, _), v in zip(space, x) if v is not None]
    constraints = {}
    if state in ("COMPLETE", "PRUNED"):  # the sum of what is positive counts
        part = violation * 0.5
        constraints = {"a": part, "b": -1.0, "c": violation - part}
    return create_trial(
        state=TrialState[state], values=values if state == "COMPLETE" else None,
        params={name: x[int(name[1:])] for name in names},
        distributions={name: space[int(name[1:])][1] for name in names},
        intermediate_values={step: values[0], **({0: 5.0} if step > 0 else {})} if step >= 0 else {},
        constraints=constraints)


# ---- a case --------------------------------------------------------------------------------------


def expected_groups(space, mode):
    """What we draw jointly, as sets of names; the rest one by one."""
    if mode == "univariate":
        return []
    if mode == "multivariate":
        return [{name for name, _, when in space if when is None}]
    conditions = {}
    for name, _, when in space:
        conditions.setdefault(when, set()).add(name)
    return list(conditions.values())


def ask(space, mode, study, sampler):
    """Lets the sampler draw all parameters; checks that it groups them as the space does."""
    trial = study.get_trials(deepcopy=False)[-1]
    relative = sampler.infer_relative_search_space(study, trial)
    wanted = [g for g in expected_groups(space, mode) if g]
    if mode == "group":
        got = [set(g) for g in sampler._search_space_group.search_spaces]
        if sorted(map(sorted, got)) != sorted(map(sorted, wanted)):
            raise Redraw
    elif set(relative) != (wanted[0] if wanted else set()):
        raise Redraw
    sampler.sample_relative(study, trial, relative)
    for name, dist, _ in space:
        if name not in relative:
            sampler.sample_independent(study, trial, name, dist)


def make_case(rng, name, goals=None, n=None):
    """A case of any kind; with goals and n: of that many objectives and trials, few parameters."""
    space = random_space(rng, 3 if n else 5)
    mode = rng.choice(list(MODES))
    liar, constrained = (rng.random() < p for p in (0.6, 0.4))
    goals = [rng.choice(["min", "min", "max"])
             for _ in range(goals or rng.choice([1, 1, 1, 2, 3]))]
    if not n:
        n = rng.choice([12, 14, 18, 25, 30, 40]) if rng.random() < 0.95 else rng.choice([110, 150])
    centre = [rng.random() for _ in space]
    trials = [random_trial(rng, space, centre, constrained, len(goals)) for _ in range(n)]
    if sum(t[0] in ("COMPLETE", "PRUNED") for t in trials) < 10:
        raise Redraw
    sampler = Recorder(seed=rng.randrange(2**31), constant_liar=liar, **MODES[mode])
    study = optuna.create_study(sampler=sampler, directions=[g + "imize" for g in goals])
    study.add_trials([to_optuna(space, t) for t in trials])
    study.add_trial(create_trial(state=TrialState.RUNNING))  # the one that asks
    ask(space, mode, study, sampler)
    return [f"case {name} {mode} {int(liar)} {','.join(goals)}", *lines_of(space, trials, sampler)]


def text(v):
    return "-" if v is None else repr(float(v)).removesuffix(".0")


def param_line(dist, when):
    after = f" {when[0]} {','.join(map(str, when[1]))}" if when else ""
    if isinstance(dist, CategoricalDistribution):
        return f"param choice 0 0 0 0 {len(dist.choices)}{after}"
    kind = "int" if isinstance(dist, IntDistribution) else "float"
    return (f"param {kind} {text(dist.low)} {text(dist.high)} {text(dist.step or 0)} "
            f"{int(dist.log)} 0{after}")


def lines_of(space, trials, sampler):
    yield from (param_line(dist, when) for _, dist, when in space)
    for state, values, step, violation, x in trials:
        yield " ".join(["trial", state, ",".join(map(text, values)), str(step), text(violation),
                        *map(text, x)])
    for samples, log_l, log_g, best in sampler.draws:
        names = sorted(samples)
        yield "draw " + " ".join(name[1:] for name in names)
        for i in range(CANDIDATES):
            row = [text(samples[name][i]) for name in names] + [text(log_l[i]), text(log_g[i])]
            yield "candidate " + " ".join(row)
        yield f"best {best}"


def main():
    rng, made = random.Random(20261126), 0
    print(f"# Made by make_tpe.py with optuna {optuna.__version__}, numpy {np.__version__}, "
          f"python {sys.version.split()[0]}. Do not edit.")
    while made < CASES + LONG:
        try:
            at = made - CASES
            long = (1 + at % 2 * (1 + at // 2 % 2), (200, 320, 400, 500, 600)[at % 5])
            lines = make_case(rng, made, *(long if at >= 0 else ()))
        except Redraw:
            continue
        print("\n".join(lines))
        made += 1


if __name__ == "__main__":
    main()
