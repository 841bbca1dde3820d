# SPDX-License-Identifier: Apache-2.0
"""slurm/one-node.sbatch in a real Slurm: its plain end, and everything that interrupts a job."""
import glob
import os

from kit import ENDLESS, Cluster, Job
from harness import equal, has, main, wait

TEMPLATE = "one-node.sbatch"


def a_study_runs_to_its_end_in_a_home_of_the_job():
    with Job(4, settings="") as job:
        job.model(epochs=3)
        home = job.env.pop("ASSAY_HOME")
        job.submit(TEMPLATE, "--no-requeue")
        job.env["ASSAY_HOME"] = os.path.join(job.path, f"assay-{job.id}")
        job.ended("COMPLETED")
        job.check()
        has("log", job.said(), "study    sweep finished")
        equal("the usual home is left alone", glob.glob(home + "/store"), [])
        has("coordinator", open(job.env["ASSAY_HOME"] + "/node.log").read(),
            "assay-coordinator: ended")


def a_requeue_needs_a_shared_store():
    with Job(1, settings="") as job:
        job.model()
        job.submit(TEMPLATE)
        job.ended("FAILED")
        equal("exit code", job.show("ExitCode"), "2:0")
        has("reason", job.said(), "the job asks for --requeue, and the next node would not see its store")
        has("remedy", job.said(), "ASY_SHARED_HOME=yes")
        equal("nothing was run", os.path.exists(job.env["ASSAY_HOME"] + "/store"), False)


def requeue(job, trials):
    job.submit(TEMPLATE)
    job.reports(20)
    job.ask("scontrol", "requeue", job.id)
    job.restarted()
    wait(lambda: job.count("leased") >= 2 * trials, "all trials to go on")
    job.run("stop", "sweep")
    job.ended("COMPLETED")
    ends = job.check().ends()
    equal(f"crashes in {ends}", ends["crashed"], 0)
    has("log", job.said(), "study sweep so far")
    lost = job.lost_steps()
    equal("attempts that were broken off", len(lost), trials)
    equal(f"steps were lost: {lost}", max(lost) <= 1, True)


def scontrol_requeue_goes_on_where_it_was():
    with Job(2) as job:
        job.model(ENDLESS)
        requeue(job, 2)


def a_gang_is_requeued_too():
    """mpirun, which gets SIGTERM as every process of the job, would end its ranks."""
    with Job(1) as job:
        job.gang(2, ENDLESS)
        requeue(job, 1)


def a_warning_to_every_process_requeues_the_job():
    """Programs that know nothing of it die of the signal. That is no crash."""
    with Job(4) as job:
        job.command(steps=12, pace=0.3)
        job.submit(TEMPLATE)
        job.reports(6)
        job.ask("scancel", "--signal=USR1", "--full", job.id)
        job.restarted()
        has("log", job.said(), "a warning came; putting job")
        job.ended("COMPLETED")
        ends = job.check().ends()
        equal(f"crashes in {ends}", ends["crashed"], 0)


def a_warning_to_the_batch_script_requeues_the_job():
    with Job(2) as job:
        job.command(steps=400, pace=0.2)
        job.submit(TEMPLATE)
        job.reports(6)
        job.ask("scancel", "--signal=USR2", "--batch", job.id)
        job.restarted()
        has("log", job.said(), "a warning came; putting job")
        job.hurry()
        job.ended("COMPLETED")
        ends = job.check().ends()
        equal(f"paused in {ends}", ends["paused"] >= 1, True)
        equal(f"in vain in {ends}", ends["crashed"] + ends["lost"] + ends["preempted"], 0)


def scancel_stores_all_and_the_next_job_goes_on():
    with Job(4) as job:
        job.command(steps=12, pace=0.3)
        job.submit(TEMPLATE)
        job.reports(6)
        job.ask("scancel", job.id)
        job.ended("CANCELLED")
        has("log", job.said(), "'sweep' is paused, all is stored")
        before = job.store().execute("select count(*) from event where kind = 8").fetchone()[0]
        equal("reports are there", before >= 6, True)
        job.submit(TEMPLATE)
        job.ended("COMPLETED")
        has("log", job.said(), "study sweep so far")
        ends = job.check().ends()
        equal(f"crashes in {ends}", ends["crashed"], 0)


def the_walltime_ends_nothing_in_vain():
    """A minute is the least that Slurm gives; after twenty seconds of it the job leaves by itself,
    as often as it takes until trials were paused twice."""
    with Job(2, settings="shared_home: yes\nwalltime_margin: 40s\n") as job:
        job.command(steps=400, pace=0.5)
        job.submit(TEMPLATE, "--time=1")
        job.restarted()
        has("log", job.said(), "the time of the job is nearly up; putting job")
        wait(lambda: job.so_far().ends()["paused"] >= 2, "two pauses")
        job.hurry()
        job.ended("COMPLETED")
        ends = job.check().ends()
        equal(f"paused in {ends}", ends["paused"] >= 2, True)
        equal(f"in vain in {ends}", ends["crashed"] + ends["lost"] + ends["preempted"], 0)
        equal(f"steps done again: {job.lost_steps()}", sum(job.lost_steps()), 0)


def a_job_whose_time_brings_nothing_is_not_requeued():
    """A trial of ten minutes and without checkpoints in a job that has ten seconds for it."""
    with Job(1, settings="shared_home: yes\nwalltime_margin: 50s\n") as job:
        job.command(steps=1200, pace=0.5, checkpoint=False)
        job.submit(TEMPLATE, "--time=1")
        job.ended("FAILED")
        equal("exit code", job.show("ExitCode"), "1:0")
        equal("restarts", job.show("Restarts"), "0")
        has("reason", job.said(), "no trial came to a checkpoint or its end in the whole time of this job")
        has("remedy", job.said(), "ask for more --time, or let the program checkpoint (run.checkpoint: true)")
        job.submit(TEMPLATE, "--time=5")  # nothing is broken by it
        wait(lambda: "study sweep so far" in job.said(), "the study to go on")


def a_warning_of_the_end_counts_as_the_end():
    """A site's --signal comes before the job would leave by itself, here after three quarters."""
    with Job(1, settings="shared_home: yes\nwalltime_margin: 20s\n") as job:
        job.command(steps=1200, pace=0.5, checkpoint=False)
        job.submit(TEMPLATE, "--time=1")
        wait(lambda: job.seconds() >= 32, "most of the job's time to be over")
        job.ask("scancel", "--signal=USR1", "--batch", job.id)
        job.ended("FAILED")
        equal("restarts", job.show("Restarts"), "0")
        has("reason", job.said(), "no trial came to a checkpoint or its end in the whole time of this job")


Job.cluster = Cluster()
main(the_walltime_ends_nothing_in_vain, a_warning_of_the_end_counts_as_the_end, a_job_whose_time_brings_nothing_is_not_requeued, scontrol_requeue_goes_on_where_it_was,
     a_gang_is_requeued_too, a_study_runs_to_its_end_in_a_home_of_the_job,
     a_requeue_needs_a_shared_store,
     a_warning_to_every_process_requeues_the_job, a_warning_to_the_batch_script_requeues_the_job,
     scancel_stores_all_and_the_next_job_goes_on,
     at_once=3)
