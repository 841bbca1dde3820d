# SPDX-License-Identifier: Apache-2.0
"""What the templates say: sbatch takes the lines that they show, and a missing program is named."""
import os
import re
import subprocess

from kit import Cluster, Job
from harness import SOURCE, equal, has, main

TEMPLATES = ("one-node.sbatch", "several-nodes.sbatch")


def examples(template):
    with open(os.path.join(SOURCE, "slurm", template)) as file:
        return re.findall(r"^#   sbatch (.*)$", file.read(), re.M)


def sbatch_takes_the_lines_that_a_template_shows():
    """It may lack nodes of that size; what it calls fatal it would refuse on any cluster."""
    with Job(1) as job:
        job.model()
        for template in TEMPLATES:
            lines = examples(template)
            equal(f"lines of {template}", len(lines), 2)
            for line in lines:
                words = line.replace(template, os.path.join(SOURCE, "slurm", template)).split()
                done = subprocess.run(["sbatch", "--test-only", *words], env=job.env, cwd=job.path,
                                      capture_output=True, text=True)
                equal(f"{line}: {done.stderr}", "fatal" in done.stderr, False)


def a_missing_assay_is_named():
    with Job(1) as job:
        job.model()
        job.env["PATH"] = "/usr/bin:/bin:/usr/sbin:/sbin"
        for template in TEMPLATES:
            job.submit(template)
            job.ended("FAILED")
            equal("exit code", job.show("ExitCode"), "127:0")
            has("log", job.said(), "assay is not in PATH on ")
            has("log", job.said(), ": load its module or extend PATH before sbatch")


Job.cluster = Cluster()
main(sbatch_takes_the_lines_that_a_template_shows, a_missing_assay_is_named)
