# SPDX-License-Identifier: Apache-2.0
"""slurm/several-nodes.sbatch on two nodes: an agent on each, and what happens when one fails."""
from kit import Cluster, Job
from harness import equal, has, main, wait

TEMPLATE = "several-nodes.sbatch"


def workers(job):
    return [w for w in job.json("workers")["workers"] if w["state"] == "ready"]


def both_nodes_work_and_slurmd_may_die():
    with Job(8) as job:
        job.command(steps=12, pace=0.2)
        job.submit(TEMPLATE)
        wait(lambda: "trial 0 starts" in job.said(), "a trial")
        equal("workers", wait(lambda: len(workers(job)) == 2, "two workers"), True)
        job.cluster.kill_slurmd("n2")
        job.reports(20)
        equal("start it again", job.cluster.do("node", "n2"), 0)
        job.ended("COMPLETED")
        ends = job.check().ends()
        equal(f"ends {ends}", ends["complete"], 8)
        with open(job.env["ASSAY_HOME"] + "/node.log") as file: # srun puts the task before each line
            ran = {line[0] for line in file if line[1:2] == ":" and line.endswith(": complete\n")}
        equal("tasks that ran trials", ran, {"0", "1"})


def a_node_that_dies_takes_only_its_trials():
    with Job(8) as job:
        job.command(steps=12, pace=0.25)
        job.submit(TEMPLATE)
        job.reports(12)
        equal("workers", wait(lambda: len(workers(job)) == 2, "two workers"), True)
        job.cluster.kill_node("n2")
        job.ended("COMPLETED")
        ends = job.check().ends()
        equal(f"lost in {ends}", ends["lost"] > 0, True)
        equal(f"crashes in {ends}", ends["crashed"], 0)
        equal("start it again", job.cluster.do("node", "n2"), 0)
        wait(lambda: job.ask("sinfo", "-h", "-n", "n2", "-o", "%T").strip() == "idle", "n2")


def scancel_and_requeue_reach_all_nodes():
    with Job(8) as job:
        job.command(steps=12, pace=0.3)
        job.submit(TEMPLATE)
        job.reports(12)
        job.ask("scontrol", "requeue", job.id)
        job.restarted()
        job.reports(30)
        job.ask("scancel", job.id)
        job.ended("CANCELLED")
        job.submit(TEMPLATE)
        job.ended("COMPLETED")
        has("log", job.said(), "study sweep so far")
        ends = job.check().ends()
        equal(f"crashes in {ends}", ends["crashed"], 0)


Job.cluster = Cluster()
main(both_nodes_work_and_slurmd_may_die, scancel_and_requeue_reach_all_nodes,
     a_node_that_dies_takes_only_its_trials)
