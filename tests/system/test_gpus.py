# SPDX-License-Identifier: Apache-2.0
"""GPUs end to end: PoCL's devices stand for them, and a program says through OpenCL itself which ones it sees.
PoCL compiles nothing for that, so its cache of kernels does not matter."""
import glob
import json
import os
import subprocess
import sys

from harness import BIN, SKIP, Home, equal, has, main, wait

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "gpu_program.py")
STUDY = """assay: 1
name: {name}
run: {{command: [{python}, {program}], length: {{unit: steps, max: 1}}, env: {{OUT: {out},
      CUDA_VISIBLE_DEVICES: "0,1,2"}}}}
objective: {{metric: loss, goal: minimize}}
parameters: {{x: {{min: 0.0, max: 1.0}}}}
search: {{sampler: random}}
budget: {{trials: {trials}}}
resources: {{cores: 1, memory: 256MiB, gpus: {gpus}}}
"""


def study_of(home, name, gpus, trials):
    path = os.path.join(home.path, f"{name}.yaml")
    with open(path, "w") as f:
        f.write(STUDY.format(name=name, python=sys.executable, program=PROGRAM, out=home.path, gpus=gpus,
                             trials=trials))
    return path


def sweep(home, name, gpus, trials=2):
    """Runs a study of the program; the plan, and what its trials saw and were told."""
    _, said = home.run("run", study_of(home, name, gpus, trials))
    found = []
    for trial in range(trials):
        with open(os.path.join(home.path, str(trial))) as f:
            found.append(json.load(f))
        os.remove(os.path.join(home.path, str(trial)))
    return said, found


def kind(device):
    return device.split("-")[0]


def trials_see_their_own_devices(home):
    home.env["POCL_DEVICES"] = "basic pthread"
    home.env["HOME"] = os.path.join(home.path, "user")  # where PoCL would have its cache
    home.env["TMPDIR"] = os.path.join(home.path, "tmp")
    for folder in ("HOME", "TMPDIR"):
        os.mkdir(home.env[folder])
    home.env["ASY_WORKER_GPUS"] = "any"
    home.run("up")
    wait(lambda: home.json("workers")["workers"][0]["gpus"], "slow drivers")
    worker = home.json("workers")["workers"][0]
    equal("offered", worker["gpus"], 2)
    equal("left of asking", os.listdir(home.env["HOME"]) + glob.glob(home.env["TMPDIR"] + "/assay-gpu-*"), [])
    kinds = {gpu["id"]: kind(gpu["name"]) for gpu in worker["gpu_list"]}
    equal("of each kind", sorted(kinds.values()), ["basic", "pthread"])

    said, trials = sweep(home, "one", 1)
    has("the plan", said, "1 GPU and")
    for trial in trials:
        env = trial["env"]
        equal("one device is seen", [kind(name) for name in trial["seen"]], [kinds[env["ASSAY_GPUS"]]])
        equal("its share", env["ASSAY_GPU_SHARE"], "1")
        equal("no NVIDIA device, whatever the study says", env["CUDA_VISIBLE_DEVICES"], "")

    has("the trial's record", home.run("show", "one", "0")[0], f"(pocl-{trials[0]['env']['ASSAY_GPUS'][-1]})")

    _, trials = sweep(home, "half", 0.5)
    for trial in trials:
        equal("one device", [kind(name) for name in trial["seen"]], [kinds[trial["env"]["ASSAY_GPUS"]]])
        equal("half of it", trial["env"]["ASSAY_GPU_SHARE"], "0.5")
    has("the trial's record", home.run("show", "half", "0")[0], ", 0.5 of ")

    _, trials = sweep(home, "both", 2, trials=1)
    equal("both devices", sorted(kind(name) for name in trials[0]["seen"]), ["basic", "pthread"])
    equal("by name", sorted(trials[0]["env"]["ASSAY_GPUS"].split(",")), sorted(kinds))

    _, trials = sweep(home, "none", 0, trials=1)
    equal("none", trials[0]["seen"], [])
    equal("told so", (trials[0]["env"]["ASSAY_GPUS"], trials[0]["env"]["ASSAY_GPU_SHARE"]), ("", "0"))


def what_is_missing_is_said(home):
    home.run("submit", study_of(home, "three", 3, 1))
    why = home.json("explain", "three")
    equal("cause", why["cause"], "no-gpu")
    has("numbers", why["text"], "asks for 3 GPUs; the most that one of 1 worker has is 2")
    has("remedy", why["remedy"], "start a worker that has as many")
    home.run("stop", "three")
    has("a worker's GPUs", home.run("explain", "--worker", os.uname().nodename)[0], "pocl-0: basic")
    found = home.json("doctor", "gpus")["checks"][0]
    equal("doctor", found["verdict"], "ok")
    has("doctor", found["found"], "pocl-1 (")
    home.run("down")


def by_default_a_cpu_is_no_gpu(home):
    del home.env["ASY_WORKER_GPUS"]
    found = home.json("doctor", "gpus")["checks"][0]
    equal("verdict", found["verdict"], "ok")
    has("found", found["found"], "none for trials; not offered: pocl-0")
    with open(os.path.join(home.env["ASSAY_HOME"], "config.yaml"), "w") as f:
        f.write("worker_gpus: GPU-12345678\n")
    found = home.json("doctor", "gpus")["checks"][0]
    equal("verdict", found["verdict"], "warning")
    has("found", found["found"], "worker_gpus names 'GPU-12345678', which this node does not have")
    has("remedy", found["remedy"], "config.yaml")


def test():
    with Home() as home:
        trials_see_their_own_devices(home)
        what_is_missing_is_said(home)
        by_default_a_cpu_is_no_gpu(home)


if __name__ == "__main__":
    answer = subprocess.run([os.path.join(BIN, "assay-worker"), "--probe-gpus", "opencl"], text=True,
                            capture_output=True, check=False).stdout
    if '"maker":"pocl"' not in answer:
        print("skipped: PoCL is not installed (scripts/install-deps.sh test does it)")
        sys.exit(SKIP)
    main(test)
