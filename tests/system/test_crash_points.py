# SPDX-License-Identifier: Apache-2.0
"""Coordinator and agent die once at each of their named points, while a sweep runs that pauses at
rungs and drops checkpoints. (Those of files on their way: test_bulk.py.)"""
import os
import sys

from breaker import CORES, Sweep, crash_points
from harness import equal, main, wait

NTH = {"coordinator.in_replay": 20}  # in the midst of the second coordinator's replay
DRAINED = ("coordinator.before_cancel", "coordinator.after_cancel", "agent.before_cancel")


def left_files(sweep):
    """Artifacts that the store has not on record."""
    files = {os.path.join(folder, name)
             for folder, _, names in os.walk(os.path.join(sweep.env["ASSAY_HOME"], "artifacts"))
             for name in names if name != ".nonce"}  # by which workers know the folder
    return sorted(files - {path for path, in sweep.store().execute("SELECT path FROM artifact")})


def dies_at(point):
    with Sweep(3) as sweep:
        once = os.path.join(sweep.path, "died")
        sweep.env["ASSAY_FAIL_AT"] = f"{point}:{NTH.get(point, 1)}"
        sweep.env["ASSAY_FAIL_ONCE"] = once
        drained = point in DRAINED or point in NTH
        sweep.command(steps=6, rungs=True, pace=2 if drained else 0.02)
        sweep.begin()
        if drained:
            wait(lambda: sweep.count("checkpoint") >= 2 and sweep.events() > NTH.get(point, 0) or
                 sweep.over(), "checkpoints")
            sweep.interrupt()
            sweep.finish(code=130)
            sweep.hurry()
            sweep.begin("--resume")
        sweep.finish()
        sweep.down()
        if not os.path.exists(once):
            raise AssertionError(f"{point} was never passed")
        if point == "coordinator.before_drop_file":
            equal("left", left_files(sweep), [])
        ends = sweep.check().ends()
        # Preempted: leased as the interrupt came, not yet started.
        if ends["crashed"] or ends["refused"] or max(ends["lost"], ends["preempted"]) > CORES:
            raise AssertionError(f"{point}: attempts ended {dict(ends)}")


def case(point):
    def test():
        dies_at(point)
    test.__name__ = "dies_at_" + point.replace(".", "_")
    return test


points = crash_points("assay-coordinator") + crash_points("assay-worker")
main(*[case(p) for p in points
       if ".bulk_" not in p and (len(sys.argv) < 4 or sys.argv[3] in p)], at_once=4)
