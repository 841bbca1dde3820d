# SPDX-License-Identifier: Apache-2.0
"""Bad handshakes by the hundred each second, at both ports, against a coordinator with few descriptors:
a worker joins and a sweep runs as if nothing were, all are counted, and neither descriptors nor
memory nor the log are used up."""
import json
import os
import subprocess
import sys
import time

import hosts
from harness import BIN, equal, main, wait
from invited import Site

DESCRIPTORS = 400
RATE = 250          # at each port
MANY = 3000         # handshakes at each port
LINES_MS = 10000    # between two lines of a kind
KINDS = "garbage", "other_server", "replay", "half_open"
STUDY = """
assay: 1
name: sweep
run:
  command: [sh, -c, "sleep 0.2; echo loss=0.5"]
  metrics: {pattern: 'loss=(?<loss>\\S+)'}
objective: {metric: loss, goal: minimize}
parameters: {x: {min: 0.0, max: 1.0}}
search: {sampler: random}
budget: {trials: 8}
"""


class Small(Site):
    """A coordinator that may open few files."""

    def serve(self, host):
        with open(os.path.join(host.path, "assay-coordinator.log"), "a") as log:
            self.coordinator = host.popen(
                "sh", "-c", f"ulimit -n {DESCRIPTORS}; exec {host.bin}/assay-coordinator --keep",
                stdout=log, stderr=log)
        host.started.append(self.coordinator)
        wait(lambda: os.path.exists(self.discovery()), "the coordinator")
        self.without_own_worker()

    def discovery(self):
        return os.path.join(self.head.env["ASSAY_HOME"], "coordinator.json")

    def pid(self):
        with open(self.discovery()) as file:
            return json.load(file)["pid"]

    def flood(self):
        """One at each port."""
        with open(self.discovery()) as file:
            found = json.load(file)
        port = int(found["endpoints"][0].rpartition(":")[2])
        floods = []
        for number in port, port + 1:
            floods.append(self.nodes[-1].popen(
                os.path.join(BIN, "bench_flood"), f"tcp://{self.head.address}:{number}",
                found["server_key"], str(RATE), stdin=subprocess.PIPE))
            equal("flood", floods[-1].stdout.readline(), "floods\n")
        return floods

    def turned_away(self):
        control = self.connections()
        return [part["failed_handshakes"] + part["refused_keys"]
                for part in (control, control["files"])]

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid()}/fd"))

    def memory(self):
        with open(f"/proc/{self.pid()}/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmRSS")) << 10


def has_sanitizer():
    with open(os.path.join(BIN, "assay-coordinator"), "rb") as file:
        text = file.read()
    return b"__asan_" in text or b"__tsan_" in text


def end(floods):
    counts = []
    for flood in floods:
        out, err = flood.communicate("")
        equal(f"flood\n{err}", flood.returncode, 0)
        counts.append(json.loads(out))
        print(f"# {counts[-1]}", flush=True)
    return counts


def log_is_short(site, seconds):
    lines = [line for line in site.head.log("assay-coordinator").splitlines()
             if "failed=" in line or "refused=" in line]
    most = 2 * 2 * (seconds * 1000 / LINES_MS + 2)  # kinds, ports
    equal(f"{len(lines)} lines in {seconds:.0f} s are few", len(lines) <= most, True)
    for part in "failed=", "refused=":
        for port in "control", "file":
            equal(f"{part} {port}", any(part in line and port in line for line in lines), True)


def a_flood_disturbs_nobody():
    with Small("abc") as site:
        worker = site.invite("--worker", "lab", name="lab")
        begun = time.monotonic()
        floods = site.flood()
        peak = [0]

        def watched(condition):
            peak[0] = max(peak[0], site.descriptors())
            return condition()

        wait(lambda: watched(lambda: min(site.turned_away()) >= MANY / 3), "the flood to be at work")
        early = site.memory()
        site.nodes[0].spawn("assay", "worker", "--join", worker, "--cores", "1")
        wait(lambda: watched(lambda: "lab" in site.workers()), "a worker to join in the flood")
        with open(os.path.join(site.head.path, "study.yaml"), "w") as file:
            file.write(STUDY)
        site.head.run("submit", os.path.join(site.head.path, "study.yaml"))
        wait(lambda: watched(lambda: site.head.json("show", "sweep")["state"] == "finished"),
             "the sweep's end")
        equal("trials", [(t["state"], t["attempts"])
                         for t in site.head.json("trials", "sweep")["trials"]], [("complete", 1)] * 8)
        wait(lambda: watched(lambda: min(site.turned_away()) >= MANY), "more of the flood")
        late = site.memory()
        counts = end(floods)
        for part, sent in zip((lambda c: c, lambda c: c["files"]), counts):
            wait(lambda: part(site.connections())["failed_handshakes"] >=
                 sum(sent[kind] for kind in KINDS), "all of them to be counted")
            equal("strangers' keys", part(site.connections())["refused_keys"] > 0, True)
        log_is_short(site, time.monotonic() - begun)
        print(f"# descriptors {peak[0]}, memory {early >> 20} and {late >> 20} MiB", flush=True)
        equal(f"{peak[0]} descriptors are some less than all", peak[0] <= DESCRIPTORS - 50, True)
        if has_sanitizer():
            print("# memory is not judged: a sanitizer keeps what was freed", flush=True)
        else:
            equal(f"memory grew from {early >> 20} to {late >> 20} MiB", late - early < 16 << 20, True)


WHY_NOT = hosts.why_not()
if WHY_NOT:
    print(f"SKIPPED: there can be no hosts of their own here: {WHY_NOT}")
    sys.exit(hosts.SKIP)
main(a_flood_disturbs_nobody)
