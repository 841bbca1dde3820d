# SPDX-License-Identifier: Apache-2.0
"""After kill -9 of an agent nothing that it started is left: not what left its session, not the ranks
of a user's own mpirun. What becomes of sweeps under kill -9 is in test_kills.py."""
import signal

from breaker import Sweep
from harness import equal, main, wait

STUDY = """
assay: 1
name: sweep
run:
  command: %s
  grace: 100ms
  env: {OMPI_ALLOW_RUN_AS_ROOT: '1', OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: '1'}
objective: {metric: loss, goal: minimize}
parameters:
  x: {min: 0.0, max: 1.0}
search: {sampler: random}
budget: {trials: 2}
"""


def nothing_outlives_the_agent(command, sleeps):
    with Sweep(2) as sweep:
        sweep.write("study.yaml", STUDY % command)
        sweep.begin()
        wait(lambda: len(sweep.named("sleep")) >= sleeps, "programs to start")
        for pid in sweep.node():  # so that nothing restarts
            sweep.signal(pid, signal.SIGKILL)
        sweep.process.kill()
        sweep.process.communicate()
        for pid in sweep.named("assay-worker"):
            sweep.signal(pid, signal.SIGKILL)
        wait(lambda: not sweep.named("sleep", "sh", "mpirun", "orted", "assay-attempt"),
             "descendants to end")


def what_left_its_session_ends():
    nothing_outlives_the_agent('[sh, -c, "(setsid sleep 1000 &) ; sleep 1000"]', 4)


def the_ranks_of_a_users_own_mpirun_end():
    nothing_outlives_the_agent('[mpirun, -n, "2", --oversubscribe, --bind-to, none, sleep, "1000"]', 4)


def a_killed_node_takes_its_worker_along():
    its_worker_leaves_when_killed(lambda sweep: sweep.node())


def a_node_killed_with_its_coordinator_takes_its_worker_along():
    its_worker_leaves_when_killed(lambda sweep: sweep.node() + sweep.named("assay-coordinator"))


def its_worker_leaves_when_killed(victims):
    """The next node has a worker of its own: the cores of this machine must not be given out twice."""
    with Sweep(2) as sweep:
        sweep.write("study.yaml", STUDY % '[sleep, "1000"]')
        sweep.begin()
        wait(lambda: len(sweep.named("sleep")) >= 2, "programs to start")
        sweep.process.kill()  # it would start another node
        sweep.process.communicate()
        killed = victims(sweep)
        for pid in killed:
            sweep.signal(pid, signal.SIGKILL)
        wait(lambda: not sweep.named("sleep", "assay-attempt"), "the trials to end")
        coordinators = sweep.named("assay-coordinator")
        equal("coordinators", len(coordinators), 0 if len(killed) > 1 else 1)
        sweep.run("up")
        wait(lambda: [w["state"] for w in sweep.json("workers")["workers"]] == ["ready"],
             "the next worker, and no other")
        wait(lambda: len(sweep.named("assay-worker")) == 1, "the worker of before to leave")
        sweep.run("stop", "sweep")
        sweep.run("down")


main(what_left_its_session_ends, the_ranks_of_a_users_own_mpirun_end,
     a_killed_node_takes_its_worker_along,
     a_node_killed_with_its_coordinator_takes_its_worker_along)
