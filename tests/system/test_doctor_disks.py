# SPDX-License-Identifier: Apache-2.0
"""assay doctor on disks that are full, hold nothing, forbid programs or writing. They are mounted in a
namespace of this test's own; where that is not allowed the test is skipped (exit code 77)."""
import contextlib
import errno
import json
import os
import subprocess
import sys

from harness import BIN, SKIP, Home, equal, has, main

INSIDE = "ASY_TEST_INSIDE"


def enter():
    """Begins again in a mount namespace (and a user namespace unless root)."""
    flags = ["--mount"] if os.geteuid() == 0 else ["--user", "--map-root-user", "--mount"]
    probe = subprocess.run(["unshare", *flags, "mount", "-t", "tmpfs", "tmpfs", "/mnt"],
                           capture_output=True, text=True)
    if probe.returncode:
        print(f"skipped: cannot mount here: {probe.stderr.strip()}", flush=True)
        sys.exit(SKIP)
    os.execvpe("unshare", ["unshare", *flags, sys.executable, *sys.argv],
               {**os.environ, INSIDE: "1"})


def doctor(home, *names):
    env = {**home.env, "ASAN_OPTIONS": "detect_leaks=0"}
    done = subprocess.run([os.path.join(BIN, "assay"), "doctor", *names, "--json"], env=env, text=True,
                          capture_output=True, cwd="/", timeout=600)
    answer = json.loads(done.stdout)
    equal("exit code", done.returncode, 1 if answer["broken"] else 0)
    return {check["name"]: check for check in answer["checks"]}


def expect(checks, name, verdict, found, remedy):
    equal(f"verdict of {checks[name]}", checks[name]["verdict"], verdict)
    has(name, checks[name]["found"], found)
    has(name, checks[name]["remedy"], remedy)


@contextlib.contextmanager
def disk(options, path=None):
    """A home whose $ASSAY_HOME (or path) is a disk of its own."""
    with Home() as home:
        path = path or home.env["ASSAY_HOME"]
        os.makedirs(path, 0o700, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", path], check=True)
        try:
            yield home
        finally:
            subprocess.run(["umount", path], check=True)


def a_full_disk():
    with disk("size=1m,mode=700") as home:
        try:
            with open(os.path.join(home.env["ASSAY_HOME"], "filler"), "wb") as f:
                while True:
                    f.write(bytes(4096))
                    f.flush()
        except OSError as error:
            equal("the disk", error.errno, errno.ENOSPC)
        checks = doctor(home) # the whole of it, without a byte to write
        expect(checks, "space", "broken", "0.0 MiB left", "df -h")
        expect(checks, "commit-time", "broken", "no space left", "make room")


def no_more_files():
    with disk("size=200m,nr_inodes=20,mode=700") as home:
        expect(doctor(home, "space"), "space", "broken", "more files", "df -h")


def a_disk_in_memory():
    with disk("size=100m,mode=700") as home:
        expect(doctor(home, "file-system"), "file-system", "warning", "gone when this machine restarts",
               "ASSAY_HOME=")


def a_disk_without_programs():
    with disk("size=100m,mode=700,noexec") as home:
        expect(doctor(home, "noexec"), "noexec", "warning", "mounted noexec", "remount,exec")


def a_disk_for_reading_alone():
    with disk("size=100m,mode=700,ro") as home:
        checks = doctor(home)
        expect(checks, "noexec", "broken", "for reading alone", "remount,rw")
        expect(checks, "commit-time", "broken", "read-only", "ls -ld")
        expect(checks, "home", "broken", "cannot read, write and enter", "remount,rw")


def a_small_dev_shm():
    with disk("size=1m", "/dev/shm") as home:
        expect(doctor(home, "shm"), "shm", "warning", "MiB free", "remount,size=")


if INSIDE not in os.environ:
    enter()
main(a_full_disk, no_more_files, a_disk_in_memory, a_disk_without_programs,
     a_disk_for_reading_alone, a_small_dev_shm)
