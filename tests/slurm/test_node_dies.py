# SPDX-License-Identifier: Apache-2.0
"""slurm/several-nodes.sbatch while a node fails: Slurm takes a while to notice."""
from kit import Cluster, Job
from harness import equal, main, wait

TEMPLATE = "several-nodes.sbatch"


def a_node_that_dies_takes_only_its_trials():
    with Job(8) as job:
        job.command(steps=12, pace=0.25)
        job.submit(TEMPLATE)
        job.reports(12)
        equal("workers", wait(lambda: job.workers() == 2, "two workers"), True)
        job.cluster.kill_node("n2")
        job.ended("COMPLETED")
        ends = job.check().ends()
        equal(f"lost in {ends}", ends["lost"] > 0, True)
        equal(f"crashes in {ends}", ends["crashed"], 0)
        equal("start it again", job.cluster.do("node", "n2"), 0)
        wait(lambda: job.ask("sinfo", "-h", "-n", "n2", "-o", "%T").strip() == "idle", "n2")


Job.cluster = Cluster()
main(a_node_that_dies_takes_only_its_trials)
