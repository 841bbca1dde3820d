# SPDX-License-Identifier: Apache-2.0
"""Files on their way to a full disk, the coordinator's or the worker's: they wait, no trial fails,
and all goes on once there is space.

The test runs in a mount namespace of its own, so that nothing of it is seen outside or stays."""
import os
import subprocess
import sys

from far import Far
from harness import SKIP, equal, has, main, wait

MIB = 1 << 20


def isolate():
    """Into a mount namespace of our own, or out of the test, loudly."""
    if os.environ.get("ASY_ISOLATED"):
        return
    how = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user",
                                                            "--mount"]
    probe = subprocess.run(how + ["sh", "-c", "mount -t tmpfs none /mnt"], capture_output=True,
                           text=True)
    if probe.returncode != 0:
        print(f"SKIPPED: a small file system cannot be mounted here: {probe.stderr.strip()}")
        sys.exit(SKIP)
    os.environ["ASY_ISOLATED"] = "1"
    os.execvp(how[0], how + [sys.executable] + sys.argv)


class Disk:
    """A tmpfs of some MiB at a folder, with a file that leaves so many MiB free."""

    def __init__(self, home, path, mib, free):
        self.ballast, self.path = path + "/ballast", path
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mib}m", "none", path], check=True)
        home.cleanups.append(lambda: subprocess.run(["umount", "--lazy", path], check=True))
        self.left = free * MIB

    def fill(self):
        fs = os.statvfs(self.path)
        with open(self.ballast, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, fs.f_bavail * fs.f_frsize - self.left)

    def free(self):
        os.unlink(self.ballast)


def add_files(far, names):
    text = open(far.path + "/study.yaml").read()
    far.write("study.yaml", text.replace("  checkpoint:", f"  files: [{names}]\n  checkpoint:"))


def the_coordinators_disk_is_full():
    """Too full for files, not for the store."""
    with Far(3) as far:
        disk = Disk(far, far.env["ASSAY_HOME"], 300, 40)
        coordinator = far.coordinator()
        far.worker()
        far.command(steps=9, pace=0.02)
        disk.fill()
        far.run("submit", "study.yaml")
        wait(lambda: "free, too few for a file" in far.worker_log(), "a refusal")
        equal("reports of checkpoints", far.count("checkpoint"), 0)
        disk.free()
        wait(far.finished, "the study's end")
        equal("attempts", dict(far.check().ends()), {"complete": 3})
        far.end(coordinator)


def the_workers_disk_is_full():
    with Far(2) as far:
        coordinator = far.coordinator()
        os.makedirs(far.path + "/far")
        disk = Disk(far, far.path + "/far", 100, 3)
        os.makedirs(far.path + "/far/keys", mode=0o700)
        with open(far.env["ASSAY_HOME"] + "/keys/user.key", "rb") as key:
            fd = os.open(far.path + "/far/keys/user.key", os.O_WRONLY | os.O_CREAT, 0o600)
            os.write(fd, key.read())
            os.close(fd)
        far.worker()
        far.command(steps=3)
        with open(far.path + "/big", "wb") as file:
            file.write(os.urandom(5 * MIB))
        add_files(far, "big")
        disk.fill()
        far.run("submit", "study.yaml")
        wait(lambda: far.count("ended"), "a refusal")
        has("why", far.worker_log(), "no space left on device")
        disk.free()
        wait(far.finished, "the study's end")
        ends = far.check().ends()
        equal("crashed", ends["crashed"], 0)
        equal("complete", ends["complete"], 2)
        far.end(coordinator)


isolate()
main(the_coordinators_disk_is_full, the_workers_disk_is_full)
