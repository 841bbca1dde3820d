# SPDX-License-Identifier: Apache-2.0
"""A network that breaks: sweeps through a proxy that resets, closes, delays, swallows and half-opens
the connections of their worker, held against the same promises as any other. There is one worker,
so nothing can be leased to anybody else: whatever the network does, each trial's first attempt that
began is taken up again under its epoch, and ends. (A lease may be lost on its way.)

    test_proxy.py BIN SOURCE [seed=N]
"""
import random
import sys

from behind import TRIALS, Behind
from harness import equal, has, main, wait


def until_noticed(home):
    """The worker has lost its coordinator, or has greeted it once more."""
    before = home.log().count("joined version")
    return lambda: home.log().count("joined version") > before or home.over()


def swallow(home, rng):
    back = until_noticed(home)
    home.proxy.swallow()
    if rng.random() < 0.5:  # or lost, where the looks come too seldom
        wait(lambda: "ready" not in home.state() or home.over(), "the worker to be suspect")
    else:
        wait(lambda: "away" in home.state() or "gone" in home.state() or home.over(),
             "the worker to be lost")
    home.proxy.heal()
    return back


def violence(home, rng, kind):
    """Does it and returns what tells that all is well again."""
    back = until_noticed(home)
    if kind == "swallow":
        swallow(home, rng)
        return lambda: "ready" in home.state() or home.over()
    if kind == "delay":
        home.proxy.delay(rng.uniform(0.01, 0.2))
        home.more(3)
        home.proxy.delay(0)
        return lambda: True
    getattr(home.proxy, kind)()
    return back


KINDS = "cut", "close", "delay", "swallow", "half_open_near", "half_open_far"


def sweep_with(kinds, seed):
    rng = random.Random(seed)
    print(f"# seed={seed} {' '.join(kinds)}", flush=True)
    with Behind() as home:
        home.more(2)
        for kind in kinds:
            home.more(rng.randrange(1, 4))
            if home.over():
                break
            wait(violence(home, rng, kind), f"it to come back after '{kind}'")
        history = home.finish()
        began = sorted(e.trial for e in history.events if e.kind == "started")
        equal(f"once each, {dict(history.ends())}", began, list(range(TRIALS)))


def case(kinds, seed):
    def test():
        sweep_with(kinds, seed)
    test.__name__ = f"{'_'.join(kinds) if len(set(kinds)) == 1 else 'anything'}_seed={seed}"
    return test


def silence_is_noticed_and_forgiven():
    """With the times that a user has: suspect after 3 s, lost after 10 s."""
    with Behind(settings="", trials=2, pace=1) as home:
        home.more(4)
        home.proxy.swallow()
        wait(lambda: home.state() == ["suspect"], "it to be suspect")
        has("explain", home.run("explain", "sweep", "0")[0], "silent")
        wait(lambda: home.stored("worker-gone") == 1, "it to be lost")
        home.proxy.heal()
        history = home.finish()
        equal("attempts", [e.attempt for e in history.events if e.kind == "leased"], [1, 1])
        texts = [e.body["text"] for e in history.events if e.kind == "trial-state"]
        equal("taken up again", texts.count("its worker came back") > 0, True)


seed = 1
if len(sys.argv) > 3:
    seed = int(sys.argv[3].partition("=")[2])
dice = random.Random(seed)
main(silence_is_noticed_and_forgiven, *[case((kind,) * 3, seed) for kind in KINDS],
     case([dice.choice(KINDS) for _ in range(6)], seed), at_once=4)
