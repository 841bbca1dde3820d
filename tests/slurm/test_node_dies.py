# SPDX-License-Identifier: Apache-2.0
"""slurm/several-nodes.sbatch while a node fails: Slurm takes a while to notice."""
from kit import Cluster, Job
from harness import equal, has, main, wait

TEMPLATE = "several-nodes.sbatch"


def submit_and_kill(job, node, *options):
    """Once both nodes have a worker and trials have reported."""
    job.submit(TEMPLATE, *options)
    job.reports(12)
    equal("workers", wait(lambda: job.workers() == 2, "two workers"), True)
    job.cluster.kill_node(node)


def a_node_that_dies_takes_only_its_trials():
    with Job(8) as job:
        job.command(steps=12, pace=0.25)
        submit_and_kill(job, "n2")
        job.ended("COMPLETED")
        ends = job.check().ends()
        equal(f"lost in {ends}", ends["lost"] > 0, True)
        equal(f"crashes in {ends}", ends["crashed"], 0)
        equal("start it again", job.cluster.do("node", "n2"), 0)
        wait(lambda: job.ask("sinfo", "-h", "-n", "n2", "-o", "%T").strip() == "idle", "n2")


def the_first_node_takes_the_job_back_into_the_queue():
    """The coordinator and the batch script are gone, and Slurm leaves the rest of the job alone."""
    with Job(8, settings="shared_home: yes\norphan_exit: 5s\n") as job:
        job.command(steps=20, pace=0.2)
        submit_and_kill(job, "n1")
        wait(lambda: "putting back into the queue" in job.node_logs()["n2"], "n2 to give up")
        equal("start it again", job.cluster.do("node", "n1"), 0)
        job.restarted()
        job.ended("COMPLETED")
        has("log", job.said(), "study sweep so far")
        ends = job.check().ends()
        equal(f"crashes in {ends}", ends["crashed"], 0)


def a_job_that_may_not_be_requeued_is_cancelled():
    """Nobody would start its coordinator again: what is left of it only holds nodes."""
    with Job(8, settings="shared_home: yes\norphan_exit: 5s\n") as job:
        job.command(steps=20, pace=0.2)
        submit_and_kill(job, "n1", "--no-requeue")
        wait(lambda: "cancelling, as it may not be requeued" in job.node_logs()["n2"],
             "n2 to give up")
        equal("start it again", job.cluster.do("node", "n1"), 0)
        job.ended("CANCELLED")
        equal("restarts", job.show("Restarts"), "0")
        ends = job.so_far().ends()
        equal(f"crashes in {ends}", ends["crashed"], 0)


def the_first_node_may_die_shortly_before_the_end():
    """What is left of the time is less than the patience of the workers, and a trial runs on."""
    with Job(4, settings="shared_home: yes\nwalltime_margin: 50s\n") as job:
        job.command(steps=2000, pace=0.2)
        submit_and_kill(job, "n1", "--time=2")
        wait(lambda: "putting back into the queue" in job.node_logs()["n2"], "n2 to give up")
        equal("start it again", job.cluster.do("node", "n1"), 0)
        wait(lambda: "study sweep so far" in job.said(), "the study to go on")


Job.cluster = Cluster()
main(a_node_that_dies_takes_only_its_trials, the_first_node_takes_the_job_back_into_the_queue,
     a_job_that_may_not_be_requeued_is_cancelled, the_first_node_may_die_shortly_before_the_end)
