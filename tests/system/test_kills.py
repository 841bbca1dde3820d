# SPDX-License-Identifier: Apache-2.0
"""kill -9 and SIGSTOP of coordinator, agent, supervisor and program, at random moments of command and
native sweeps.

    test_kills.py BIN SOURCE [ROUNDS | seed=N]

Each round is all of its seed: `seed=N` runs one again. A round of the native engine must end with
the very metrics of the same study undisturbed: those of every epoch that a trial did, bit for bit.
"""
import random
import sys

from breaker import Breaker, Sweep, changes, hold_to_account, undisturbed
from harness import equal, main

QUICK_LOSS = "heartbeat: 100ms\nsuspect_after: 500ms\nlost_after: 2s\nreattach_window: 5s\n"
TRIALS, EPOCHS = 6, 8
CALM = {}


def acts(breaker, with_long_stops):
    kills = [lambda v=v: breaker.kill(v) for v in ("coordinator", "agent", "supervisor", "program")]
    stops = [lambda v=v: breaker.stop(v) for v in ("coordinator", "agent", "program")]
    if with_long_stops:
        return kills + [lambda v=v: breaker.stop_long(v) for v in ("coordinator", "agent")]
    return kills + stops + [breaker.cut_power]


def act(sweep, breaker, rng, with_long_stops, events):
    todo = acts(breaker, with_long_stops)
    rng.shuffle(todo)  # each at most once: a node waits ever longer before it restarts somebody
    for what in todo[:rng.randrange(3, 7)]:
        sweep.more(rng.choice(events), rng.randrange(1, 4))
        if sweep.over():
            break
        what()


def one_round(seed, native):
    rng = random.Random(f"{seed} {native}")
    long_stops = rng.random() < 0.4
    print(f"# seed={seed} {'native' if native else 'command'}", flush=True)
    with Sweep(TRIALS, QUICK_LOSS if long_stops else "") as sweep:
        rungs = rng.random() < 0.4
        if native:
            sweep.model(EPOCHS, rungs)
        else:
            sweep.command(steps=12, pace=0.03, checkpoint=rng.random() < 0.75,
                          rungs=rungs)
        breaker = Breaker(sweep, seed)
        sweep.begin()
        act(sweep, breaker, rng, long_stops, ["report", "leased"] if native
            else ["report", "leased", "ended", "checkpoint"])
        sweep.finish()
        sweep.down()
        history = sweep.check()
        print(f"# seed={seed} kills {breaker.kills}, long stops {breaker.stops}, power cuts "
              f"{breaker.power_cuts}: {dict(history.ends())}", flush=True)
        hold_to_account(breaker, history)
        if native:
            if not CALM:
                CALM.update(undisturbed(TRIALS, EPOCHS))
            equal(f"what seed={seed} changed", changes(history.tables(), CALM, not rungs), {})


def case(seed, native):
    def test():
        one_round(seed, native)
    test.__name__ = f"{'native' if native else 'command'}_sweep_seed={seed}"
    return test


word = sys.argv[3] if len(sys.argv) > 3 else "4"
if word.startswith("seed="):
    seeds = [int(word[5:])]
else:
    seeds = range(1, int(word) + 1)
main(*[case(seed, native) for seed in seeds for native in (False, True)], at_once=2)
