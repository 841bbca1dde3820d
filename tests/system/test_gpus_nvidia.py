# SPDX-License-Identifier: Apache-2.0
"""NVIDIA GPUs themselves: what the driver shows is what a worker offers, and a trial sees its own device
alone, computes on it, and leaves nothing there."""
import json
import os
import subprocess
import sys

from harness import SKIP, Home, equal, has, main, wait

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "nvidia_program.py")
STUDY = """assay: 1
name: {name}
run: {{command: [{python}, {program}], length: {{unit: steps, max: 1}}, env: {{OUT: {out}, MEET: "{meet}"}}}}
objective: {{metric: loss, goal: minimize}}
parameters: {{x: {{min: 0.0, max: 1.0}}}}
search: {{sampler: random}}
budget: {{trials: {trials}}}
resources: {{cores: {cores}, memory: 1GiB, gpus: {gpus}}}
"""


def smi(*args):
    """Lines of nvidia-smi; None: there is no such driver."""
    try:
        done = subprocess.run(["nvidia-smi", *args, "--format=csv,noheader,nounits"], text=True,
                              capture_output=True, check=False)
    except OSError:
        return None
    return done.stdout.splitlines() if done.returncode == 0 else None


def cards():
    """{UUID: name} of all cards that are not split into instances."""
    found = [line.split(", ") for line in smi("--query-gpu=uuid,name,mig.mode.current") or []]
    return {uuid: name for uuid, name, mig in found if mig != "Enabled"}


def write(home, name, gpus, trials, meet=0, cores=1):
    out = os.path.join(home.path, name)
    os.mkdir(out)
    path = os.path.join(home.path, f"{name}.yaml")
    with open(path, "w") as f:
        f.write(STUDY.format(name=name, python=sys.executable, program=PROGRAM, out=out, gpus=gpus,
                             trials=trials, meet=meet, cores=cores))
    return path


def sweep(home, name, gpus, trials, meet=0):
    """What its trials saw."""
    home.run("run", write(home, name, gpus, trials, meet))
    found = []
    for trial in range(trials):
        with open(os.path.join(home.path, name, str(trial))) as f:
            found.append(json.load(f))
    return found


def users():
    """Pids of programs that hold a device, where the driver tells."""
    return set(smi("--query-compute-apps=pid") or [])


def worker_with(home, n):
    """A slow driver is waited for beside the start."""
    home.run("up")
    wait(lambda: home.json("workers")["workers"][0]["gpus"] >= n, f"{n} GPUs")
    return home.json("workers")["workers"][0]


def what_the_driver_shows_is_offered():
    with Home() as home:
        worker = worker_with(home, len(cards()))
        equal("by UUID", {gpu["id"]: gpu["name"] for gpu in worker["gpu_list"]}, cards())
        home.run("down")
        for env, offered in (("", set()), (next(iter(cards())), {next(iter(cards()))})):
            home.env["CUDA_VISIBLE_DEVICES"] = env
            worker = worker_with(home, len(offered))
            equal(f"CUDA_VISIBLE_DEVICES={env}", {gpu["id"] for gpu in worker["gpu_list"]}, offered)
            home.run("down")
        home.env["CUDA_VISIBLE_DEVICES"] = "0"  # CUDA's own count says which one that is
        equal("by number", worker_with(home, 1)["gpus"], 1)
        home.run("down")


def a_trial_sees_its_own_alone():
    with Home() as home:
        home.run("up")
        for trial in sweep(home, "one", 1, 2 * len(cards())):
            equal("seen", trial["seen"], [trial["env"]["ASSAY_GPUS"]])
            equal("computes", trial["computes"], True)
            equal("its share", trial["env"]["ASSAY_GPU_SHARE"], "1")
        with open(os.path.join(home.path, "one", "0")) as f:
            device = json.load(f)["env"]["ASSAY_GPUS"]
        has("the trial's record", home.run("show", "one", "0")[0], device)
        for trial in sweep(home, "none", 0, 1):
            equal("none is seen", trial["seen"], [])
        home.run("down")


def whole_devices_are_not_shared_and_parts_are():
    with Home() as home:
        home.run("up")
        n = len(cards())
        held = {}
        for trial in sweep(home, "whole", 1, 3 * n):
            held.setdefault(trial["env"]["ASSAY_GPUS"], []).append(trial["held"])
        for spans in held.values():
            spans.sort()
            equal("one after the other", all(a[1] <= b[0] for a, b in zip(spans, spans[1:])), True)
        if os.cpu_count() >= 2:  # a trial has a core at least
            trials = sweep(home, "halves", 0.5, 2, meet=2)
            equal("at once on the same device", len({t["env"]["ASSAY_GPUS"] for t in trials}), 1)
            for trial in trials:
                equal("both compute there", (len(trial["seen"]), trial["computes"]), (1, True))
                equal("the share", trial["env"]["ASSAY_GPU_SHARE"], "0.5")
        home.run("down")


def a_stopped_trial_leaves_its_device():
    with Home() as home:
        home.run("up")
        before = users()
        home.run("submit", write(home, "stays", 1, 1, meet=99))
        out = os.path.join(home.path, "stays")
        wait(lambda: os.path.exists(os.path.join(out, "here-0")), "the trial to hold the device")
        home.run("stop", "stays")
        wait(lambda: not home.processes("python3"), "its program to end")
        wait(lambda: users() <= before, "the driver to know of it no more")
        equal("the next one computes", [t["computes"] for t in sweep(home, "next", 1, 1)], [True])
        home.run("down")


def what_is_missing_is_said():
    with Home() as home:
        n = len(cards())
        worker_with(home, n)
        home.run("submit", write(home, "more", n + 1, 1))
        why = home.json("explain", "more")
        equal("cause", why["cause"], "no-gpu")
        has("numbers", why["text"], f"the most that one of 1 worker has is {n}")
        home.run("stop", "more")
        found = home.json("doctor", "gpus")["checks"][0]
        equal("doctor", found["verdict"], "ok")
        for uuid in cards():
            has("doctor", found["found"], uuid)
        home.run("down")


if not cards():
    print("skipped: nvidia-smi shows no GPU that trials could have")
    sys.exit(SKIP)
main(what_the_driver_shows_is_offered, a_trial_sees_its_own_alone,
     whole_devices_are_not_shared_and_parts_are, a_stopped_trial_leaves_its_device,
     what_is_missing_is_said)
