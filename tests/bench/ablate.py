# SPDX-License-Identifier: Apache-2.0
"""Rows ablate.gain: what each rule of the sampler "auto" gains (tuner/auto.h has the rules).

    ablate.py BIN [--rules A,B] [--problems A,B] [--seeds N] [--trials N] [--tables DIR]

auto runs with all rules and without each of them, on the problems of tuner.py and tuner_mo.py, with
the same seeds. value: by which factor the regret (of several objectives: what is not covered of the
largest volume seen) is larger without the rule, the geometric mean over problems of the medians'
ratios; above 1 the rule gains. better, worse: problems where the rule wins or loses, by the rank-sum
test at p < .05. A rule is only tried where it says something else: gp, region, few (tables) and cma
with one objective, gp, nsga and one-by-one with several.
"""
import argparse
import json
import math
import statistics
import types

import tuner
import tuner_mo

RULES_ONE = ("gp", "region", "few", "cma")
RULES_MANY = ("gp", "nsga", "one-by-one")
CHECKPOINTS = (60, 100, 200, 500, 1000)
FLOOR = 1e-6  # of regrets: what lies below is reached


def row(rule, trials, with_it, without, seeds):
    """with_it, without: {problem: values of seeds}, less is better."""
    logs, better, worse = [], 0, 0
    for problem, a in with_it.items():
        b = without[problem]
        logs.append(math.log(max(statistics.median(b), FLOOR) / max(statistics.median(a), FLOOR)))
        if tuner.rank_sum_p(a, b) < 0.05:
            better += logs[-1] > 0
            worse += logs[-1] < 0
    print(json.dumps({"name": "ablate.gain", "case": f"{rule}/{trials}",
                      "value": math.exp(statistics.mean(logs)), "unit": "regret without over with",
                      "n": seeds, "problems": len(logs), "better": better, "worse": worse}),
          flush=True)


def regrets(bench, sampler, problems, seeds, trials):
    """{checkpoint: {problem: [regret of each seed]}}"""
    jobs = [(p, *span) for p in problems for span in tuner.spans(range(1, seeds + 1))]
    found = tuner.run_problems(bench, bench.driver + ["regret", sampler], [], jobs, trials)
    return {c: {p: [r[i] for r in of.values()] for p, of in found.items()}
            for i, c in enumerate(CHECKPOINTS) if c <= trials}


def one_objective(bench, rules, args):
    problems = [p for p in bench.run(bench.driver + ["problems"])
                if (args.tables != "-" or not p.startswith("table"))
                and (not args.problems or p in args.problems.split(","))]
    if not rules or not problems:
        return
    whole = regrets(bench, "auto", problems, args.seeds, args.trials)
    for rule in rules:
        other = regrets(bench, f"auto-{rule}", problems, args.seeds, args.trials)
        for trials, of in whole.items():
            row(rule, trials, of, other[trials], args.seeds)


def several_objectives(bench, rules, args):
    if not rules:
        return
    names = [p for p in tuner_mo.names(args.bin)
             if not args.problems or p in args.problems.split(",")]
    volumes = {s: {p: tuner_mo.volumes(args.bin, s, p, args.seeds, args.trials) for p in names}
               for s in ["auto"] + [f"auto-{rule}" for rule in rules]}
    best = {p: max(v for of in volumes.values() for v in of[p]) for p in names}
    missed = {s: {p: [best[p] - v for v in of[p]] for p in names} for s, of in volumes.items()}
    for rule in rules if names else ():
        row(f"{rule}/several", args.trials, missed["auto"], missed[f"auto-{rule}"], args.seeds)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("bin")
    p.add_argument("--rules", default=",".join(dict.fromkeys(RULES_ONE + RULES_MANY)))
    p.add_argument("--problems")
    p.add_argument("--seeds", type=int, default=10)
    p.add_argument("--trials", type=int, default=200)
    p.add_argument("--tables", default="-", help="their folder; -: there is none")
    args = p.parse_args()
    rules = args.rules.split(",")
    for rule in rules:
        if rule not in RULES_ONE + RULES_MANY:
            p.error(f"no rule '{rule}': {', '.join(RULES_ONE + RULES_MANY)}")
    bench = tuner.Bench(types.SimpleNamespace(bin=args.bin, tables=args.tables, python=None))
    one_objective(bench, [r for r in rules if r in RULES_ONE], args)
    several_objectives(bench, [r for r in rules if r in RULES_MANY], args)


if __name__ == "__main__":
    main()
