# SPDX-License-Identifier: Apache-2.0
"""assay doctor on machines that are really broken: each trouble is found, weighed and given a remedy."""
import contextlib
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time

from harness import BIN, SOURCE, Home, LeftOut, copy_programs, equal, has, main, wait

SHIMS = os.path.abspath(sys.argv[3])
FAKE_NFS = os.path.abspath(sys.argv[4])


def doctor(home, *names, env=None, programs=BIN, preexec=None, leaks=False):
    """Runs the named checks, or all; what they found by name, after a look at the form of the answer
    and at the exit code."""
    env = {**home.env, **(env or {})}
    if not leaks:  # Open MPI leaks at its end, in modules that are unloaded by then
        env["ASAN_OPTIONS"] = "detect_leaks=0"
    done = subprocess.run([os.path.join(programs, "assay"), "doctor", *names, "--json"], env=env, text=True,
                          capture_output=True, cwd=home.path, preexec_fn=preexec, timeout=600)
    equal("standard error", done.stderr, "")
    answer = json.loads(done.stdout)
    verdicts = [check["verdict"] for check in answer["checks"]]
    for verdict in ("ok", "warning", "broken"):
        equal(f"number of {verdict}", answer[verdict], verdicts.count(verdict))
    for check in answer["checks"]:
        equal(f"a remedy of {check}", check["remedy"] is None, check["verdict"] == "ok")
    equal(f"exit code with {verdicts}", done.returncode, 1 if answer["broken"] else 0)
    found = {check["name"]: check for check in answer["checks"]}
    equal("checks made", set(found), set(names or found))
    return found


def expect(checks, name, verdict, found, *remedies):
    check = checks[name]
    equal(f"verdict of {check}", check["verdict"], verdict)
    has(f"what was found by {name}", check["found"], found)
    for remedy in remedies:
        has(f"remedy of {name}", check["remedy"], remedy)


def place(home, *names):
    return os.path.join(home.env["ASSAY_HOME"], *names)


@contextlib.contextmanager
def copied_programs(home):
    """The programs in a folder of their own, where they can be spoilt."""
    folder = os.path.join(home.path, "bin")
    os.mkdir(folder)
    copy_programs(folder)
    yield folder
    shutil.rmtree(folder)


def used(home):
    """A home that a coordinator has been in, and has left in order."""
    home.run("up")
    home.run("down")
    wait(lambda: not home.processes("assay"), "everything to end")


def listing(path):
    return sorted((os.path.join(folder, name), os.stat(os.path.join(folder, name)).st_mtime_ns)
                  for folder, _, names in os.walk(path) for name in names)


# ---- a machine in order --------------------------------------------------------------------------

def a_machine_in_order_passes_and_nothing_is_changed():
    with Home() as home:
        names = [c["name"] for c in home.json("doctor", "--list")["checks"]]
        checks = doctor(home)
        equal("checks", list(checks), names)
        equal("home", os.path.exists(home.env["ASSAY_HOME"]), False)
        expect(checks, "home", "ok", "will be made")
        expect(checks, "mpi", "ok", "two ranks add up")
        expect(checks, "blas", "ok", "openblas")
        has("devices", checks["devices"]["found"], "opencl")
        used(home)
        before = listing(home.env["ASSAY_HOME"])
        checks = doctor(home)
        equal("files", listing(home.env["ASSAY_HOME"]), before)
        expect(checks, "store", "ok", "whole")
        expect(checks, "port", "ok", "free")
        expect(checks, "keys", "ok", "3 files")
        equal("processes", home.processes(), [])
        out, _ = home.run("doctor", "blas", "home")
        has("text", out, "ok       blas         openblas")
        has("text", out, "2 ok, 0 to look at, 0 broken")


def a_running_coordinator_is_left_alone():
    with Home() as home:
        home.run("up")
        with open(place(home, "coordinator.json")) as f:
            pid = json.load(f)["pid"]
        checks = doctor(home)
        expect(checks, "discovery", "ok", f"pid {pid}")
        expect(checks, "coordinator", "ok", "answers")
        expect(checks, "store", "ok", f"pid {pid}")
        expect(checks, "port", "ok", "in use")
        with open(place(home, "coordinator.json")) as f:
            equal("coordinator", json.load(f)["pid"], pid)
        home.run("down")


def checks_can_be_chosen():
    with Home() as home:
        equal("made", sorted(doctor(home, "keys", "config")), ["config", "keys"])
        _, err = home.run("doctor", "blass", code=2)
        has("near miss", err, "did you mean 'blas'?")


def every_check_stands_in_the_guide():
    with open(os.path.join(SOURCE, "docs", "guide", "troubleshooting.md")) as f:
        guide = f.read()
    with Home() as home:
        for check in home.json("doctor", "--list")["checks"]:
            has("guide", guide, f"| `{check['name']}` | {check['about']} |")


# ---- programs ------------------------------------------------------------------------------------

def no_mpirun():
    with Home() as home:
        checks = doctor(home, "mpi", env={"PATH": "/nowhere"}, leaks=True)
        expect(checks, "mpi", "broken", "no mpirun", "apt-get install openmpi-bin")


def an_mpirun_that_starts_nothing():
    cases = [("refuses", 'echo "mpirun (Open MPI) 4.1.4"', "There are not enough slots",
              "does not start two ranks", "--probe-gang"),
             ("another MPI", 'echo "HYDRA build details:"', "", "is not Open MPI", "openmpi-bin")]
    for name, version, words, found, remedy in cases:
        with Home() as home:
            folder = os.path.join(home.path, "mpi")
            os.mkdir(folder)
            home.write("mpi/mpirun", f'#!/bin/sh\n[ "$1" = --version ] && {version} && exit 0\n'
                                     f'echo ------- >&2\necho "{words}" >&2\nexit 1\n', 0o755)
            checks = doctor(home, "mpi", env={"PATH": f"{folder}:{os.environ['PATH']}"})
            expect(checks, "mpi", "broken", found, remedy)
            has(name, checks["mpi"]["found"], words)


def a_wrong_blas():
    with Home() as home:
        checks = doctor(home, "blas", env=home.preload(os.path.join(SHIMS, "libshim_blas.so")))
        expect(checks, "blas", "broken", "sgemm", "unset LD_PRELOAD", "OPENBLAS_CORETYPE=",
               "apt-get install --reinstall libopenblas0")


def a_missing_and_a_locked_program():
    with Home() as home, copied_programs(home) as programs:
        os.remove(os.path.join(programs, "assay-trainer"))
        checks = doctor(home, "programs", "blas", "versions", env={"PATH": "/usr/bin:/bin"},
                        programs=programs)
        expect(checks, "programs", "broken", "assay-trainer is missing", "cmake --install")
        expect(checks, "blas", "warning", "not checked", "programs")
        expect(checks, "versions", "ok", "")
    with Home() as home, copied_programs(home) as programs:
        os.chmod(os.path.join(programs, "assay-worker"), 0o644)
        checks = doctor(home, "programs", "cores", env={"PATH": "/usr/bin:/bin"}, programs=programs)
        expect(checks, "programs", "broken", "may not be run", f"chmod +x {programs}/assay-worker")
        expect(checks, "cores", "warning", "not checked", "programs")


def devices_that_cannot_be_used():
    gpu = {"name": "GPU0", "cpu": False, "selftest": "a reason", "opened": False}
    cases = [({"why": "cuda: no driver of NVIDIA is installed"}, None, "ok", "no driver of NVIDIA"),
             ({"why": "cuda: CUDA does not start: 803", "fails": True}, None, "warning", "does not start: 803",
              "nvidia-smi", "device: cpu"),
             ({}, {"code": "no-entry"}, "warning", "GPU0 cannot be used: a reason", "install what it lacks"),
             ({}, {"code": "gone"}, "warning", "GPU0 cannot be had now: a reason", "who uses it"),
             ({}, {"code": "no-memory", "opened": True}, "warning", "GPU0 cannot be had now", "who uses it"),
             ({}, {"code": "corrupt", "opened": True}, "broken", "GPU0: a reason", "renew its driver")]
    with Home() as home, copied_programs(home) as programs:
        path = os.path.join(programs, "assay-trainer")
        os.rename(path, path + ".real")
        for answer, device, verdict, found, *remedies in cases:
            answer = {"why": "", "devices": [{**gpu, **device}] if device else [], **answer}
            home.write("bin/assay-trainer", f"""#!/bin/sh
case "$*" in
"--probe-device cuda") echo '{json.dumps(answer)}' ;;
"--probe-device opencl") echo '{{"why": "opencl: no driver", "devices": []}}' ;;
*) exec {path}.real "$@" ;;
esac
""", 0o755)
            checks = doctor(home, "devices", programs=programs)
            expect(checks, "devices", verdict, found, *remedies)
            if verdict != "broken" and "renew its driver" in (checks["devices"]["remedy"] or ""):
                raise AssertionError("a remedy for another trouble")


def a_library_that_is_gone():
    with Home() as home, copied_programs(home) as programs:
        shutil.copy(os.path.join(SHIMS, "needs_gone"), os.path.join(programs, "assay-worker"))
        checks = doctor(home, "libraries", "cores", programs=programs)
        expect(checks, "libraries", "broken", "libhwloc.so.99", "apt-get install libhwloc15")
        expect(checks, "cores", "warning", "not checked", "libraries")


def programs_of_two_versions():
    about = {"program": "assay-attempt", "version": "9.8.7", "commit": "0", "libraries": {}}
    with Home() as home, copied_programs(home) as programs:
        os.remove(os.path.join(programs, "assay-attempt"))
        home.write("bin/assay-attempt", f"#!/bin/sh\necho '{json.dumps(about)}'\n", 0o755)
        checks = doctor(home, "versions", programs=programs)
        expect(checks, "versions", "broken", "9.8.7", "cmake --install")


# ---- machine -------------------------------------------------------------------------------------

def a_clock_before_this_build():
    with Home() as home:
        checks = doctor(home, "clock", env=home.preload(os.path.join(SHIMS, "libshim_clock.so")))
        expect(checks, "clock", "broken", "this version was made", "timedatectl set-ntp true")


def files_from_the_future():
    cases = [("an hour and more", 7200, "broken"), ("some minutes", 600, "warning"),
             ("a file server's clock", 10, "ok")]
    for name, ahead_s, verdict in cases:
        with Home() as home:
            used(home)
            path, then = place(home, "node.log"), time.time() + ahead_s
            os.utime(path, (then, then))
            checks = doctor(home, "clock")
            equal(name, checks["clock"]["verdict"], verdict)
            if verdict != "ok":
                expect(checks, "clock", verdict, "node.log", "timedatectl", f"touch {path}")


def few_cores_and_files():
    def bind():
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

    def soft_files():
        resource.setrlimit(resource.RLIMIT_NOFILE, (128, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))

    def hard_files():
        resource.setrlimit(resource.RLIMIT_NOFILE, (512, 512))

    def cpu_time():
        resource.setrlimit(resource.RLIMIT_CPU, (3600, 3600))

    with Home() as home:
        checks = doctor(home, "open-files", preexec=soft_files)
        expect(checks, "open-files", "broken", "128 files", "ulimit -n")
        checks = doctor(home, "open-files", preexec=hard_files)
        expect(checks, "open-files", "warning", "512 files", "limits.conf")
        checks = doctor(home, "limits", preexec=cpu_time)
        expect(checks, "limits", "warning", "3600 CPU seconds", "ulimit -t unlimited")
        if os.cpu_count() == 1:
            raise LeftOut("a binding to one CPU, since there is but one")
        checks = doctor(home, "cores", preexec=bind)
        expect(checks, "cores", "warning", f"1 of {os.cpu_count()} CPUs", "taskset")
        has("offered", checks["cores"]["found"], "1 core for trials")


def variables_that_change_trials():
    cases = [("OMP_NUM_THREADS", "16", "warning"), ("OPENBLAS_CORETYPE", "Prescott", "warning"),
             ("OMP_PROC_BIND", "true", "warning"), ("ASSAY_FAIL_AT", "agent.before-start", "broken")]
    with Home() as home:
        for name, value, verdict in cases:
            checks = doctor(home, "environment", env={name: value})
            expect(checks, "environment", verdict, f"{name} is set", f"unset {name}")
        checks = doctor(home, "environment", env={
            "OMPI_COMM_WORLD_SIZE": "4", "PMIX_RANK": "0", "SLURM_JOB_ID": "7", "SLURM_JOBID": "7",
            "PATH": home.path})  # where no squeue is: with one these variables are as they should
        for family in ("OMPI_", "PMIX_", "SLURM_"):
            expect(checks, "environment", "warning", family, "unset ${!%s@}" % family)
        equal("one of a family", checks["environment"]["found"].count("SLURM_JOB"), 1)
        folder = os.path.join(home.path, "missing")
        checks = doctor(home, "tmpdir", "mpi", env={"TMPDIR": folder})
        expect(checks, "tmpdir", "broken", folder, "unset TMPDIR", f"mkdir -p {folder}")
        expect(checks, "mpi", "broken", folder)
        equal("made", os.path.exists(folder), False)
        folder = os.path.join(home.path, "t" * 80)
        os.mkdir(folder)
        checks = doctor(home, "tmpdir", env={"TMPDIR": folder})
        expect(checks, "tmpdir", "warning", "107", "export TMPDIR=/tmp")


# ---- home ----------------------------------------------------------------------------------------

def a_network_file_system():
    with Home() as home:
        checks = doctor(home, "file-system", env={**home.preload(FAKE_NFS), "FAKE_NFS": home.path})
        expect(checks, "file-system", "warning", "nfs", "local disk", "ASSAY_HOME=")


def disks_that_are_slow_or_lie():
    with Home() as home:
        preload = home.preload(os.path.join(SHIMS, "libshim_sync.so"))
        checks = doctor(home, "commit-time", env={**preload, "SHIM_SYNC_MS": "40"})
        expect(checks, "commit-time", "warning", "ms", "local disk")
        checks = doctor(home, "commit-time", env=preload)
        expect(checks, "commit-time", "warning", "no disk is that fast", "ASSAY_HOME=")


def homes_of_others():
    with Home() as home:
        used(home)
        path = home.env["ASSAY_HOME"]
        for mode, verdict in ((0o777, "broken"), (0o755, "warning")):
            os.chmod(path, mode)
            expect(doctor(home, "home"), "home", verdict, f"mode 0{mode:o}", f"chmod 700 {path}")
        if os.geteuid() == 0:
            os.chmod(path, 0o700)
            os.chown(path, 4242, 4242)
            expect(doctor(home, "home"), "home", "broken", "belongs to user 4242", f"chown -R 0 {path}")
            os.chown(path, 0, 0)
        else:
            os.chmod(path, 0)
            expect(doctor(home, "home"), "home", "broken", path, "chmod u+rwx")
        os.chmod(path, 0o700)
    with Home() as home:
        home.write("home", "a file")
        expect(doctor(home, "home"), "home", "broken", "is no folder", "export ASSAY_HOME")
    with Home() as home:
        home.env["ASSAY_HOME"] = "/proc/nowhere/home"
        expect(doctor(home, "home"), "home", "broken", "cannot be made", "export ASSAY_HOME")


def keys_that_are_open_or_damaged():
    with Home() as home:
        used(home)
        key = place(home, "keys", "user.key")
        os.chmod(key, 0o644)
        expect(doctor(home, "keys"), "keys", "broken", "mode 0644", f"chmod 600 {key}")
        os.chmod(key, 0o600)
        with open(key, "r+") as f:
            f.write("assay-kex")
        expect(doctor(home, "keys"), "keys", "broken", "not a key file", f"mv {key} {key}.bad")
    with Home() as home:
        used(home)
        ring = place(home, "keys", "authorized")
        with open(ring, "a") as f:
            f.write("no key at all\n")
        expect(doctor(home, "keys"), "keys", "broken", "authorized", f"that line: {ring}")


def a_config_with_a_mistake():
    with Home() as home:
        os.makedirs(home.env["ASSAY_HOME"], 0o700)
        home.write("home/config.yaml", "heartbeat: 1s\nlost_aftr: 20s\n")
        expect(doctor(home, "config"), "config", "broken", "config.yaml: line 2", "assay config show")
        home.write("home/config.yaml", "")
        expect(doctor(home, "config", env={"ASY_HEARTBEAT": "soon"}), "config", "broken", "ASY_HEARTBEAT", "config")


# ---- what runs or ran ----------------------------------------------------------------------------

def the_port_is_taken():
    with Home() as home:
        used(home)
        with home.store() as store:
            port = store.execute("select port from store").fetchone()[0]
        with socket.create_server(("127.0.0.1", port)):
            checks = doctor(home, "port")
            expect(checks, "port", "warning", f"port {port}", f"kill {os.getpid()}")
            has("who", checks["port"]["found"], f"process {os.getpid()}")


def a_coordinator_that_was_killed():
    with Home() as home:
        home.run("up")
        for pid in home.processes("assay"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait(lambda: not home.processes("assay"), "everything to end")
        checks = doctor(home, "discovery", "coordinator", "store")
        expect(checks, "discovery", "warning", "does not live", "assay ls", "node.log")
        expect(checks, "coordinator", "ok", "none")
        expect(checks, "store", "ok", "did not close it in order")
        with open(place(home, "coordinator.json"), "w") as f:
            f.write("{")
        expect(doctor(home, "discovery"), "discovery", "broken", "not a discovery file",
               f"rm {place(home, 'coordinator.json')}")
        os.chmod(place(home, "coordinator.json"), 0o644)
        expect(doctor(home, "discovery"), "discovery", "broken", "mode 0644", "chmod 600")


def a_coordinator_that_hangs_or_is_lost():
    with Home() as home:
        home.run("up")
        with open(place(home, "coordinator.json")) as f:
            pid = json.load(f)["pid"]
        os.kill(pid, signal.SIGSTOP)
        try:
            expect(doctor(home, "coordinator"), "coordinator", "broken", f"pid {pid}", f"kill {pid}", "node.log")
        finally:
            os.kill(pid, signal.SIGCONT)
        os.remove(place(home, "coordinator.json"))
        expect(doctor(home, "store"), "store", "broken", f"process {pid}", f"kill {pid}")


def a_store_that_cannot_be_read():
    with Home() as home:
        used(home)
        with open(place(home, "store", "assay.db"), "r+b") as f:
            f.write(os.urandom(4096))
        path = place(home, "store")
        expect(doctor(home, "store"), "store", "broken", "assay.db", f"mv {path} {path}.bad")
    with Home() as home:
        used(home)
        with sqlite(place(home, "store", "assay.db")) as store:
            store.execute("pragma user_version = 99")
        expect(doctor(home, "store"), "store", "broken", "schema version 99", "backup")


def a_store_that_another_has_taken():
    with Home() as home:
        home.run("up")
        wait(lambda: [w["state"] for w in home.json("workers")["workers"]] == ["ready"],
             "a worker to be on record, and no more to write")
        for pid in home.processes("assay-coordinator"):
            os.kill(pid, signal.SIGSTOP)  # it would see it itself
        with sqlite(place(home, "store", "assay.db")) as store:
            store.execute("update store set owner_epoch = owner_epoch + 1")
        expect(doctor(home, "store"), "store", "broken", "another process has taken it over", "kill")
    with Home() as home:  # a host that the lock does not reach, on a shared disk
        used(home)
        lock = place(home, "store", "assay.lock")
        with open(lock) as f:
            record = json.load(f)
        record |= {"host": "elsewhere", "boot": "another", "pid": 77, "open": True}
        for age_s, verdict in ((1, "broken"), (100, "ok")):
            record["beat_us"] = int((time.time() - age_s) * 1e6)
            with open(lock, "w") as f:
                f.write(f"{json.dumps(record):767}\n")
            checks = doctor(home, "store", env={**home.preload(FAKE_NFS), "FAKE_NFS": home.path})
            equal(f"heard of {age_s} s ago", checks["store"]["verdict"], verdict)
            if verdict == "broken":
                expect(checks, "store", verdict, "host 'elsewhere'", "ssh elsewhere kill 77")


@contextlib.contextmanager
def sqlite(path):
    import sqlite3
    store = sqlite3.connect(path)
    yield store
    store.commit()
    store.close()


def a_trial_that_outlived_its_worker():
    with Home() as home:
        worker = subprocess.Popen(["true"])
        worker.wait()
        left = subprocess.Popen(["sleep", "100000"], env={
            **home.env, "ASSAY_SOCKET": f"/tmp/assay-{os.getuid()}-{worker.pid}-abcdef/1"})
        os.makedirs(place(home, "work", f"{socket.gethostname()}.{worker.pid}"), 0o700)
        os.makedirs(place(home, "work", "elsewhere.4"), 0o700)
        wait(lambda: left.pid in home.processes(), "the process to be there")
        try:
            expect(doctor(home, "leftovers"), "leftovers", "warning", f"process {left.pid} (sleep)",
                   f"kill -9 {left.pid}", "work")
        finally:
            left.kill()
            left.wait()


main(a_machine_in_order_passes_and_nothing_is_changed, a_running_coordinator_is_left_alone,
     checks_can_be_chosen, every_check_stands_in_the_guide, no_mpirun, an_mpirun_that_starts_nothing, a_wrong_blas,
     a_missing_and_a_locked_program, devices_that_cannot_be_used, a_library_that_is_gone, programs_of_two_versions,
     a_clock_before_this_build, files_from_the_future, few_cores_and_files,
     variables_that_change_trials, a_network_file_system, disks_that_are_slow_or_lie,
     homes_of_others, keys_that_are_open_or_damaged, a_config_with_a_mistake, the_port_is_taken,
     a_coordinator_that_was_killed, a_coordinator_that_hangs_or_is_lost,
     a_store_that_cannot_be_read, a_store_that_another_has_taken, a_trial_that_outlived_its_worker)
