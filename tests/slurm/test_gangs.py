# SPDX-License-Identifier: Apache-2.0
"""slurm/several-nodes.sbatch while a gang spans its two nodes: requeued, cancelled, warned; a killed
slurmd, a node that dies."""
from kit import ENDLESS, Cluster, Job
from harness import equal, has, main, wait

TEMPLATE = "several-nodes.sbatch"


class Gang(Job):
    """One trial of two ranks with two cores each, which is all that a node has."""

    def __init__(self):
        super().__init__(1)

    def __enter__(self):
        super().__enter__()
        self.gang(2, epochs=ENDLESS, cores=2)
        self.submit(TEMPLATE)
        self.reports(20)
        return self

    def stopped(self):
        """The study is, and so the job ends; how attempts ended."""
        self.run("stop", "sweep")
        self.ended("COMPLETED")
        ends = self.check().ends()
        equal(f"stopped in {ends}", ends["stopped"], 1)
        equal(f"crashes in {ends}", ends["crashed"], 0)
        return ends

    def goes_on(self):
        """Its second attempt trains."""
        wait(lambda: self.count("report", "and attempt > 1") >= 20, "reports of another attempt")

    def goes_on_where_it_was(self):
        self.goes_on()
        ends, lost = self.stopped(), self.lost_steps()
        equal(f"broken off in {ends}", ends["paused"] + ends["preempted"] > 0, True)
        equal(f"steps were lost: {lost}", len(lost) > 0 and max(lost) <= 1, True)
        has("log", self.said(), "study sweep so far")


def a_requeued_gang_goes_on_where_it_was():
    with Gang() as job:
        job.ask("scontrol", "requeue", job.id)
        job.restarted()
        job.goes_on_where_it_was()


def a_warning_to_every_process_requeues_it():
    with Gang() as job:
        job.ask("scancel", "--signal=USR1", "--full", job.id)
        job.restarted()
        has("log", job.said(), "a warning came; putting job")
        job.goes_on_where_it_was()


def a_warning_to_the_steps_alone_requeues_it():
    """What `sbatch --signal` sends."""
    with Gang() as job:
        job.ask("scancel", "--signal=USR2", job.id)
        job.restarted()
        has("log", job.said(), "a warning came; putting job")
        job.goes_on_where_it_was()


def scancel_stores_all_and_the_next_job_goes_on():
    with Gang() as job:
        job.ask("scancel", job.id)
        job.ended("CANCELLED")
        has("log", job.said(), "'sweep' is paused, all is stored")
        job.submit(TEMPLATE)
        job.goes_on_where_it_was()


def a_killed_slurmd_does_not_touch_it():
    with Gang() as job:
        job.cluster.kill_slurmd("n2")
        seen = job.count("report")
        wait(lambda: job.count("report") >= seen + 20, "it to go on")
        equal("start it again", job.cluster.do("node", "n2"), 0)
        equal("ends", dict(job.stopped()), {"stopped": 1})


def a_node_that_dies_ends_it_and_it_goes_on_when_requeued():
    with Gang() as job:
        job.cluster.kill_node("n2")
        wait(lambda: job.explain()["cause"] == "too-large", "the gang to wait for the node")
        end, = job.explain("0")["attempts"]
        equal("no retry is used", end["end"] in ("lost", "preempted", "paused"), True)
        equal("start it again", job.cluster.do("node", "n2"), 0)
        job.ask("scontrol", "requeue", job.id)
        job.restarted()
        job.goes_on()
        equal("attempts", sum(job.stopped().values()), 2)


Job.cluster = Cluster()
main(a_requeued_gang_goes_on_where_it_was, a_warning_to_every_process_requeues_it,
     a_warning_to_the_steps_alone_requeues_it, scancel_stores_all_and_the_next_job_goes_on,
     a_killed_slurmd_does_not_touch_it, a_node_that_dies_ends_it_and_it_goes_on_when_requeued)
