# SPDX-License-Identifier: Apache-2.0
"""slurm/several-nodes.sbatch on two nodes: an agent on each, a killed slurmd, signals."""
import signal

from kit import Cluster, Job
from harness import equal, has, main, wait

TEMPLATE = "several-nodes.sbatch"


def both_nodes_work_and_slurmd_may_die():
    with Job(8) as job:
        job.command(steps=12, pace=0.2)
        job.submit(TEMPLATE)
        wait(lambda: "trial 0 starts" in job.said(), "a trial")
        equal("workers", wait(lambda: job.workers() == 2, "two workers"), True)
        job.cluster.kill_slurmd("n2")
        job.reports(20)
        equal("start it again", job.cluster.do("node", "n2"), 0)
        job.ended("COMPLETED")
        ends = job.check().ends()
        equal(f"ends {ends}", ends["complete"], 8)
        for node, said in job.node_logs().items():
            has(f"{node} ran trials", said, ": complete\n")


def a_killed_node_leaves_no_second_agents():
    """They go on under the next coordinator, or leave for those that the next node starts."""
    with Job(8) as job:
        job.command(steps=12, pace=0.2)
        job.submit(TEMPLATE)
        job.reports(4)
        wait(lambda: not job.named("srun"), "srun to be let go of")
        for pid in job.nodes() + job.named("assay-coordinator"):
            job.signal(pid, signal.SIGKILL)
        job.reports(20)
        wait(lambda: len(job.named("assay-worker")) == 2, "one agent on each node")
        job.ended("COMPLETED")
        ends = job.check().ends()
        equal(f"ends {ends}", (ends["complete"], ends["crashed"]), (8, 0))


def scancel_and_requeue_reach_all_nodes():
    with Job(8) as job:
        job.command(steps=12, pace=0.2)
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


def a_gang_spans_both_nodes():
    with Job(2) as job:
        job.gang(4, epochs=3)  # a node has two cores
        job.submit(TEMPLATE)
        job.ended("COMPLETED")
        ends = job.check().ends()
        equal(f"ends {ends}", ends["complete"], 2)
        for node, said in job.node_logs().items():
            has(f"{node} had a part", said, " leased, ")


def the_walltime_pauses_a_gang_on_both_nodes():
    """It goes on from its checkpoint; longer than the job it takes in any case."""
    with Job(1, settings="shared_home: yes\nwalltime_margin: 30s\n") as job:
        job.gang(2, epochs=1000000, cores=2)
        job.submit(TEMPLATE, "--time=1")
        job.restarted()
        has("log", job.said(), "the time of the job is nearly up; putting job")
        wait(lambda: job.count("leased") >= 2, "the gang to go on")
        history = job.so_far()
        equal(f"ends {history.ends()}", dict(history.ends()), {"paused": 1})
        begun = [event.body["from"][1] for event in history.events if event.kind == "leased"]
        equal(f"it goes on from its checkpoint: {begun}", begun[-1] > begun[0], True)
        for node, said in job.node_logs().items():
            has(f"{node} had a part", said, " leased, ")


Job.cluster = Cluster()
main(a_gang_spans_both_nodes, the_walltime_pauses_a_gang_on_both_nodes,
     both_nodes_work_and_slurmd_may_die,
     a_killed_node_leaves_no_second_agents, scancel_and_requeue_reach_all_nodes)
