# SPDX-License-Identifier: Apache-2.0
"""kill -9 of coordinator, agent and program while a sweep runs: one result per trial, nothing lost."""
import os
import random
import signal

from harness import Home, equal, main, wait

STUDY = """
assay: 1
name: steady
retries: 100
run:
  command: [sh, -c, 'for i in 1 2 3 4 5; do sleep 0.1; echo "step=$i loss={x}"; done']
  metrics: {pattern: 'step=(?<step>\\d+) loss=(?<loss>\\S+)'}
objective: {metric: loss, goal: minimize, take: last}
parameters:
  x: {min: 0.0, max: 1.0}
search: {sampler: random, seed: 3}
budget: {trials: 12}
"""


def sweep_under(victim, signum, seed):
    rng = random.Random(seed)
    with Home() as home:
        home.write("study.yaml", STUDY)
        run = home.start("run", "study.yaml")
        for _ in range(3):
            done = rng.randrange(1, 4)
            start = ended(home)
            wait(lambda: ended(home) >= min(start + done, 10) or run.poll() is not None,
                 "trials to end")
            pids = home.processes(victim)
            if pids:
                try:
                    os.kill(rng.choice(pids), signum)
                except ProcessLookupError:
                    pass
        out, err = run.communicate(timeout=300)
        equal(f"exit\n{out}\n{err}", run.returncode, 0)
        trials = home.json("trials", "steady")["trials"]
        equal("trials", len(trials), 12)
        equal("states", {t["state"] for t in trials}, {"complete"})
        for trial in trials:
            equal("value", trial["value"], trial["params"]["x"])


def ended(home):
    try:
        return home.store().execute(
            "select count(*) from event where kind = 10").fetchone()[0]
    except Exception:
        return 0


def coordinator_killed():
    sweep_under("assay-coordinator", signal.SIGKILL, 1)


def agent_killed():
    sweep_under("assay-worker", signal.SIGKILL, 2)


def program_killed():
    sweep_under("sh", signal.SIGKILL, 3)


def nothing_outlives_the_agent():
    with Home() as home:
        home.write("study.yaml", STUDY.replace("sleep 0.1", "(setsid sleep 1000 &) ; sleep 1000"))
        run = home.start("run", "study.yaml")
        wait(lambda: home.processes("sleep"), "programs to start")
        for pid in home.processes("assay"):
            if open(f"/proc/{pid}/comm").read().strip() == "assay":
                os.kill(pid, signal.SIGKILL)  # the command and the node, so that nothing restarts
        run.communicate()
        for pid in home.processes("assay-worker"):
            os.kill(pid, signal.SIGKILL)
        wait(lambda: not home.processes("sleep") and not home.processes("assay-attempt"),
             "descendants to end")


main(coordinator_killed, agent_killed, program_killed, nothing_outlives_the_agent)
