# SPDX-License-Identifier: Apache-2.0
"""Models trained on devices, end to end: PoCL's OpenCL stands for a GPU's."""
import json
import os
import struct
import subprocess
import sys

from harness import BIN, SKIP, SOURCE, Home, equal, has, main, wait

STUDY = """assay: 1
name: {name}
run: {{model: mlp, hidden: 24, batch_size: 100, length: {{max: 3}}}}
data: {{file: {source}/examples/data/digits.csv.gz, label: -1}}
objective: {{metric: val_accuracy, goal: maximize, take: best}}
parameters: {{lr: {{min: 0.002, max: 0.02, scale: log}}}}
search: {{sampler: random, seed: 3}}
budget: {{trials: 2}}
resources: {{cores: 1, {resources}}}
"""

TREES = """assay: 1
name: {name}
run: {{model: gbdt, max_depth: 4, length: {{max: 8}}}}
data: {{file: {source}/examples/data/digits.csv.gz, label: -1}}
objective: {{metric: val_loss, goal: minimize, take: last}}
parameters: {{lr: {{min: 0.1, max: 0.5}}}}
search: {{sampler: random, seed: 3}}
budget: {{trials: 2}}
resources: {{cores: 1, {resources}}}
"""

JOB = """{"study": {"name": "gone", "run": {"model": "mlp", "fixed": {}, "length": {"unit": "epochs", "max": 1}},
  "data": {"file": "%s/examples/data/digits.csv.gz", "label": -1}, "resources": {"gpus": 1},
  "objective": [{"metric": "val_loss", "goal": "minimize", "take": "best", "target": null}]},
 "params": {}, "seed": 7, "number": 3}"""


def sweep(home, name, resources, *more):
    """Runs a study; what it says of itself, and what its best model was computed by."""
    home.write(f"{name}.yaml", STUDY.format(name=name, source=SOURCE, resources=resources))
    home.run("run", f"{name}.yaml", *more)
    study = home.json("show", name)
    trial = home.json("show", name, str(study["best_trial"]))
    model = next(a["path"] for a in trial["artifacts"] if a["name"] == "model")
    with open(model, "rb") as f:
        meta = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))["__metadata__"]
    return study, json.loads(meta["model"])["kernels"]


def a_network_learns_on_a_device(home):
    here, kernels = sweep(home, "here", "device: cpu")
    has("here", kernels, "openblas")
    there, kernels = sweep(home, "there", "device: opencl")
    has("there", kernels, "opencl pthread")
    if abs(there["best"] - here["best"]) > 0.03:
        raise AssertionError(f"{there['best']} on the device, {here['best']} on the cpu")
    _, kernels = sweep(home, "over", "device: cpu", "--device", "opencl")
    has("by the command line", kernels, "opencl pthread")
    rows = "\n".join(",".join(["0"] * 64) for _ in range(3)) + "\n"
    home.write("rows.csv", rows)
    equal("predictions", len(home.run("predict", "there", "rows.csv")[0].splitlines()), 4)


def trees_grow_on_devices(home):
    best = {}
    for name, resources in (("alone", "device: opencl"), ("two", "ranks: 2, device: opencl"), ("cpu", "device: cpu")):
        home.write(f"trees-{name}.yaml", TREES.format(name=f"trees-{name}", source=SOURCE, resources=resources))
        home.run("run", f"trees-{name}.yaml")
        best[name] = home.json("show", f"trees-{name}")["best"]
    equal("ranks", best["two"], best["alone"])
    if abs(best["cpu"] - best["alone"]) > 1e-3:
        raise AssertionError(f"{best['alone']} on the device, {best['cpu']} on the cpu")


def ranks_have_a_device_each(home):
    study, kernels = sweep(home, "ranks", "ranks: 2, device: opencl")
    has("ranks", kernels, "opencl pthread")
    equal("complete", study["complete"], 2)


BIG = """assay: 1
name: big
run: {{model: cnn, filters: 400, blocks: 4, hidden: 0, norm: layer, batch_size: 1200, image_height: 8,
      image_width: 8, image_channels: 1, length: {{max: 1}}}}
data: {{file: {source}/examples/data/digits.csv.gz, label: -1}}
objective: {{metric: val_loss, goal: minimize, take: best}}
parameters: {{lr: {{min: 0.002, max: 0.02, scale: log}}}}
search: {{sampler: random, seed: 3}}
budget: {{trials: 1}}
retries: 3
resources: {{cores: 1, memory: 2GiB, device: opencl}}
"""


def what_no_device_could_hold_fails_at_once(home):
    """PoCL says that it has 1 GiB (POCL_MEMORY_LIMIT)."""
    home.write("big.yaml", BIG.format(source=SOURCE))
    home.run("run", "big.yaml", code=1)
    has("why", home.run("explain", "big", "0")[0], "rows at a time, and all of the device's memory are 1024 MiB")
    equal("attempts", home.json("show", "big", "0")["attempts"], 1)


def a_device_that_is_not_there_is_told(home):
    home.write("cuda.yaml", STUDY.format(name="cuda", source=SOURCE, resources="gpus: 1, device: cuda"))
    home.run("run", "cuda.yaml", code=1)
    has("why", home.run("explain", "cuda", "0")[0], "resources.device: ")


def a_gpu_is_used_where_one_is_given(home):
    _, kernels = sweep(home, "given", "gpus: 0.5")
    has("by the way that there is", kernels, "opencl basic")


def what_is_no_gpu_is_not_taken_for_one(home):
    """A trial was given a GPU that is not there any more, and OpenCL shows this machine's cores."""
    home.write("job.json", JOB % SOURCE)
    env = {**home.env, "ASSAY_GPUS": "GPU-1234"}
    done = subprocess.run([os.path.join(BIN, "assay-trainer"), "--run", "job.json", "--dir", home.path],
                          env=env, cwd=home.path, text=True, capture_output=True, check=False)
    equal("exit code", done.returncode, 1)
    has("why", done.stderr, "opencl: it shows none of the trial's GPUs")


def test():
    with Home() as home:
        home.env["POCL_MEMORY_LIMIT"] = "1"
        a_network_learns_on_a_device(home)
        what_no_device_could_hold_fails_at_once(home)
        ranks_have_a_device_each(home)
        trees_grow_on_devices(home)
        what_is_no_gpu_is_not_taken_for_one(home)
    with Home() as home:
        home.env["POCL_DEVICES"] = "basic"
        home.env["ASY_WORKER_GPUS"] = "any"
        home.run("up")
        wait(lambda: home.json("workers")["workers"][0]["gpus"], "slow drivers")
        a_gpu_is_used_where_one_is_given(home)
        a_device_that_is_not_there_is_told(home)


if __name__ == "__main__":
    answer = subprocess.run([os.path.join(BIN, "assay-worker"), "--probe-gpus", "opencl"], text=True,
                            capture_output=True, check=False).stdout
    if '"maker":"pocl"' not in answer:
        print("skipped: PoCL is not installed (scripts/install-deps.sh test does it)")
        sys.exit(SKIP)
    main(test)
