# SPDX-License-Identifier: Apache-2.0
"""Where attempts work (setting worker_scratch): on a disk of the node, what it leaves there, and how
a worker chooses one by itself."""
import os
import shutil
import signal
import subprocess
import sys
import tempfile

from breaker import Sweep
from far import Far, files_below
from harness import BIN, SKIP, LeftOut, equal, has, main, wait

MEMORY = "/dev/shm"  # another file system than that of the homes
OWN = f"assay-work-{os.geteuid()}"


class Scratch:
    """An empty folder, on that file system."""

    def __init__(self, where=MEMORY):
        self.where = where

    def __enter__(self):
        self.path = tempfile.mkdtemp(dir=self.where, prefix="assay test ")
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path)

    def workers(self):
        """Folders of workers."""
        own = os.path.join(self.path, OWN)
        return sorted(os.listdir(own)) if os.path.exists(own) else []

    def attempts(self):
        return [a for w in self.workers() for a in os.listdir(os.path.join(self.path, OWN, w))
                if a != "cache"]


def attempts_work_there_and_their_checkpoints_come_home():
    """Also those of a worker that is killed; the next one removes what it has left."""
    with Scratch() as scratch, Sweep(4, f"worker_scratch: {scratch.path}\n") as sweep:
        sweep.command(steps=30, pace=0.05)
        sweep.begin()
        wait(lambda: sweep.count("checkpoint") >= 4, "checkpoints")
        first, = scratch.workers()
        equal("attempts", len(scratch.attempts()) > 0, True)
        equal("none below the home", os.path.exists(sweep.env["ASSAY_HOME"] + "/work"), False)
        sweep.signal(sweep.named("assay-worker")[0], signal.SIGKILL)
        wait(lambda: scratch.workers() and first not in scratch.workers(), "the next worker's folder")
        sweep.finish()
        sweep.down()
        equal("started from checkpoints", any(e.body["from"][1] > 0 for e in sweep.check().events
                                              if e.kind == "leased" and e.attempt > 1), True)
        equal("left", os.listdir(scratch.path), [])


def the_cache_is_there_too_and_goes():
    with Scratch() as scratch, Far(2) as far:
        coordinator = far.coordinator()
        far.model(epochs=4)
        far.worker(env={"ASY_WORKER_SCRATCH": scratch.path})
        far.run("submit", "study.yaml")
        wait(far.finished, "the study's end")
        has("the cache", "\n".join(files_below(scratch.path)), "digits.csv.gz")
        far.check()
        far.end(coordinator)
        equal("left", os.listdir(scratch.path), [])
        equal("none in the worker's home", os.path.exists(far.path + "/far/cache"), False)


def one_that_lives_in_another_space_is_left_alone():
    """Its number says nothing here, its lock does."""
    with Scratch() as scratch, Far(1) as far:
        far.end(far.coordinator())  # there is a key now
        held = os.path.join(scratch.path, OWN, f"{os.uname().nodename}.{2 ** 31 - 1}")
        os.makedirs(held, 0o700)
        os.chmod(os.path.dirname(held), 0o700)
        with subprocess.Popen(["flock", held, "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
            holder.stdin.write(b"held\n")
            holder.stdin.flush()
            holder.stdout.readline()
            started(far, scratch.path)
            equal("it is there", os.path.exists(held), True)
            holder.stdin.close()
        started(far, scratch.path)
        equal("it is gone", os.path.exists(held), False)


def started(far, scratch="", args=(), code=0, **env):
    """What a worker says that is started and told to leave, once it looks for a coordinator."""
    if scratch:
        env["ASY_WORKER_SCRATCH"] = scratch
    log = os.path.join(far.path, "started.log")
    with open(log, "w") as to:
        worker = subprocess.Popen([os.path.join(BIN, "assay-worker"), "--home", far.far_home(), *args],
                                  env={**far.env, **env}, stdin=subprocess.DEVNULL, stderr=to)

    def said():
        with open(log) as file:
            return file.read()
    wait(lambda: " cores=" in said() or worker.poll() is not None, "the worker")
    worker.terminate()
    equal(f"exit: {said()}", worker.wait(), code)
    return said()


def what_cannot_be_used_is_refused():
    with Scratch() as scratch, Far(1) as far:
        far.end(far.coordinator())
        has("not whole", started(far, "tmp", code=1), "setting worker_scratch: 'tmp' is neither auto")
        has("not there", started(far, scratch.path + "/none", code=1), "cannot make the folder")
        os.mkdir(os.path.join(scratch.path, OWN))
        os.chmod(os.path.join(scratch.path, OWN), 0o777)
        has("open to all", started(far, scratch.path, code=1), "is not a folder that is this user's alone")


def a_batch_job_with_a_shared_home_chooses_by_itself():
    job = {"SLURM_JOB_ID": "1", "ASY_SHARED_HOME": "yes"}
    args = ["--walltime", "1h"]
    with Scratch(None) as disk, Scratch() as memory, Far(1) as far:
        far.end(far.coordinator())
        if (fs := os.statvfs(disk.path)).f_bavail * fs.f_frsize < 8 << 30:
            raise LeftOut("it needs a disk with 8 GiB free")
        says = f"attempts work in '{disk.path}/{OWN}/"
        has("TMPDIR", started(far, args=args, TMPDIR=disk.path, **job), says)
        has("before it", started(far, args=args, SLURM_TMPDIR=disk.path, TMPDIR="/", **job), says)
        has("not memory", started(far, args=args, SLURM_TMPDIR=memory.path, TMPDIR=disk.path, **job), says)
        for name, env in (("no job", {"ASY_SHARED_HOME": "yes"}),
                          ("no shared home", {**job, "ASY_SHARED_HOME": "no"}),
                          ("not wanted", {**job, "ASY_WORKER_SCRATCH": "home"})):
            said = started(far, args=args, TMPDIR=disk.path, **env)
            equal(f"{name}: {said}", "attempts work in" in said, False)
        equal("left", os.listdir(disk.path), [])


if not os.path.isdir(MEMORY) or os.stat(MEMORY).st_dev == os.stat(tempfile.gettempdir()).st_dev:
    print("SKIPPED: there is no second file system to work in")
    sys.exit(SKIP)
main(attempts_work_there_and_their_checkpoints_come_home, the_cache_is_there_too_and_goes,
     one_that_lives_in_another_space_is_left_alone, what_cannot_be_used_is_refused,
     a_batch_job_with_a_shared_home_chooses_by_itself)
