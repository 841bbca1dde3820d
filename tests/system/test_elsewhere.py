# SPDX-License-Identifier: Apache-2.0
"""A user whose host does not see the coordinator's folders: the files of her studies go there before
they are submitted, models and logs come back."""
import hashlib
import json
import os
import shutil
import signal
import sys

import hosts
from clusters import Apart
from harness import SOURCE, equal, has, main, wait

MODEL = """
assay: 1
name: hers
run: {{model: mlp, length: {{unit: epochs, max: 3}}}}
data: {{file: {source}/examples/data/digits.csv.gz, label: -1, split: {{validation: 0.2, test: 0.2}}}}
objective: {{metric: val_accuracy, goal: maximize}}
parameters: {{lr: {{min: 1e-3, max: 0.1, scale: log}}}}
search: {{sampler: random, seed: 1}}
budget: {{trials: 2}}
"""
TALKER = """
assay: 1
name: talk
run:
  command: [sh, -c, "echo one; echo ill >&2; while [ ! -e {go} ]; do sleep 0.05; done; {rest}"]
  metrics: {{pattern: 'loss=(?<loss>\\S+)'}}
objective: {{metric: loss, goal: minimize}}
parameters: {{x: {{min: 0.0, max: 1.0}}}}
search: {{sampler: random}}
budget: {{trials: 1}}
"""
PROGRAM = """
assay: 1
name: {name}
run:
  command: [sh, prog/run.sh]
  files: [prog, {files}]
  metrics: {{pattern: 'loss=(?<loss>\\S+)'}}
objective: {{metric: loss, goal: minimize}}
parameters: {{x: {{min: 0.0, max: 1.0}}}}
search: {{sampler: random}}
budget: {{trials: 1}}
"""
MIB = 1 << 20
# Three chunks and some of it.
LONG = "yes xxxxxxxxx | head -c 3500000; echo loss=0.5"


class Elsewhere(Apart):
    """Ada works on the second host, her worker on the third one."""

    def __init__(self, settings=""):
        self.settings = "lost_after: 60s\n" + settings
        super().__init__(trials=0, names="abc")

    def invite(self, node):
        if node is self.nodes[0]:
            self.ada = self.hand_over(node, "ada")
            return
        path = self.hand_over(node, "--worker", "--for", "ada", "lab")
        os.rename(path, self.invitation(node))

    def hand_over(self, node, *args):
        path = os.path.join(self.head.path, args[-1])
        self.head.run("invite", *args, "--output", path)
        os.rename(path, os.path.join(node.path, args[-1]))
        return os.path.join(node.path, args[-1])

    def start_worker(self, node, *args):
        if node is not self.nodes[0]:
            super().start_worker(node, *args)

    def as_ada(self, *args, **kw):
        return self.nodes[0].run(*args, "--coordinator", self.ada, **kw)

    def submit_hers(self, text):
        return self.as_ada("submit", self.hers(text))

    def hers(self, text):
        return self.write(os.path.join(self.nodes[0].path, "study.yaml"), text)

    def file(self, name, size):
        """On her host, in no other one's sight; its hash."""
        content = os.urandom(size)
        with open(os.path.join(self.nodes[0].path, name), "wb") as file:
            file.write(content)
        return hashlib.sha256(content).hexdigest()

    def program(self, files="big", name="sums"):
        folder = os.path.join(self.nodes[0].path, "prog")
        if not os.path.exists(folder):
            os.mkdir(folder)
            self.write(folder + "/run.sh", "sha256sum big\n./prog/deep/tool\necho loss=0.5\n")
            os.mkdir(folder + "/deep")
            os.chmod(self.write(folder + "/deep/tool", "#!/bin/sh\necho it runs\n"), 0o755)
        return PROGRAM.format(name=name, files=files)

    def over(self, name, sha):
        wait(lambda: json.loads(self.as_ada("show", name, "--json")[0])["state"] == "finished",
             "the study's end")
        trials = json.loads(self.as_ada("trials", name, "--json")[0])["trials"]
        equal("trials", [t["state"] for t in trials], ["complete"])
        equal("what came", self.as_ada("logs", name, "0")[0], f"{sha}  big\nit runs\nloss=0.5\n")

    def arrived(self):
        """Bytes of what is on its way to the coordinator."""
        return sum(size for name, size in self.sent() if name.startswith(".part-"))

    def sent(self):
        found = []
        for at, _, names in os.walk(os.path.join(self.home, "inputs")):
            for name in names:
                try:
                    found.append((name, os.path.getsize(os.path.join(at, name))))
                except OSError:
                    pass
        return found


def copies():
    """Of models; those of other tests go, too."""
    return {name for name in os.listdir("/tmp") if name.startswith("assay-model-")}


def a_model_comes_to_whom_it_belongs():
    before = copies()  # of processes that were killed
    with Elsewhere() as site:
        site.submit_hers(MODEL.format(source=SOURCE))
        b = site.nodes[0]
        out, _ = site.as_ada("watch", "hers")
        has("scored on what no trial saw", out, "test_accuracy")
        for command in "best hers", "predict hers FILE.csv":
            has("what to type next", out, f"assay {command} --coordinator {site.ada} ")
        has("where it is", out, f"model    on '{site.head.name}' (")
        equal("a path of another machine", site.head.path in out, False)
        file = site.write(os.path.join(b.path, "study.yaml"), MODEL.format(source=SOURCE))
        _, err = site.as_ada("run", file, "--cores", "7")
        has("where it is stored", err, f"stored on '{site.head.name}'")
        has("--cores", err, "--cores 7 changes nothing: that coordinator's workers are used")
        best = json.loads(site.as_ada("show", "hers", "--json")[0])["best_trial"]
        trial = json.loads(site.as_ada("show", "hers", str(best), "--json")[0])
        site.as_ada("export", "hers", "--model", "--output", os.path.join(b.path, "model"))
        with open(os.path.join(b.path, "model"), "rb") as got, \
                open(trial["artifacts"][0]["path"], "rb") as want:
            equal("the model", got.read() == want.read(), True)
        rows = os.path.join(SOURCE, "examples/data/digits.csv.gz")
        there = site.head.run("predict", "hers", rows)[0]
        equal("predictions", site.as_ada("predict", "hers", rows)[0], there)
        wait(lambda: not copies() - before, "the copies in /tmp to go")
        bob = site.hand_over(b, "bob")
        _, err = b.run("predict", trial["study"], rows, "--coordinator", bob, code=1)
        has("not to others", err, "no study")


def logs_come_while_they_grow():
    with Elsewhere() as site:
        go = os.path.join(site.records, "go")
        site.submit_hers(TALKER.format(go=go, rest=LONG))
        wait(lambda: site.stored("started"), "the trial")
        b = site.nodes[0]
        follower = b.start("logs", "-f", "talk", "0", "--coordinator", site.ada)
        equal("while it runs", follower.stdout.readline(), "one\n")
        site.write(go, "")
        out, err = follower.communicate(timeout=600)
        equal("the rest", out == "xxxxxxxxx\n" * 350000 + "loss=0.5\n", True)
        equal(f"exit {err}", (follower.returncode, err), (0, "ill\n"))
        lines = site.as_ada("logs", "talk", "0", "--stderr", "--json")[0].splitlines()
        equal("as JSON", [json.loads(line)["text"] for line in lines], ["ill"])
        _, err = site.as_ada("logs", "talk", "0", "--attempt", "2", code=1)
        has("no such attempt", err, "trial 0 has no attempt 2")


def files_go_where_the_study_goes():
    """Each content once; for a second study not at all. Equal files count as one."""
    with Elsewhere() as site:
        sha = site.file("big", 5 * MIB // 2)
        shutil.copy(os.path.join(site.nodes[0].path, "big"),
                    os.path.join(site.nodes[0].path, "same"))
        out, err = site.submit_hers(site.program("big, same"))
        equal("its name", out, "sums\n")
        has("what was sent", err, "files    3 of 3 sent to 'a': 2.5 MiB")
        site.over("sums", sha)
        before = counted(site.nodes[0])
        out, err = site.submit_hers(site.program("big, same", "again"))
        has("nothing was", err, "files    all 3 are there already")
        site.over("again", sha)
        if counted(site.nodes[0]) - before > MIB:
            raise AssertionError("it was sent twice")
        equal("kept", sorted(size for _, size in site.sent())[-1], 5 * MIB // 2)
        equal("for whom", {os.stat(os.path.join(site.home, "inputs")).st_mode & 0o777}, {0o700})


def data_goes_too():
    with Elsewhere() as site:
        shutil.copy(os.path.join(SOURCE, "examples/data/digits.csv.gz"), site.nodes[0].path)
        text = MODEL.format(source=SOURCE).replace(f"{SOURCE}/examples/data/", "")
        out, err = site.as_ada("run", site.hers(text))
        has("sent", err, "files    1 of 1 sent")
        has("scored on what no trial saw", out, "test_accuracy")
        for what in "images-idx3", "labels-idx1":
            shutil.copy(os.path.join(SOURCE, f"examples/data/digits-{what}-ubyte.gz"),
                        site.nodes[0].path)
        text = text.replace("digits.csv.gz", "digits-images-idx3-ubyte.gz").replace("hers", "idx")
        out, err = site.as_ada("run", site.hers(text))
        has("its labels, too", err, "files    2 of 2 sent")
        has("scored on what no trial saw", out, "test_accuracy")


def counted(node):
    text = hosts.run("ip", "-n", node.space, "-s", "-j", "link", "show", "eth0")
    return json.loads(text)[0]["stats64"]["tx"]["bytes"]


def sent_once(site, before, size):
    sent = counted(site.nodes[0]) - before
    if not size < sent < size * 1.5:
        raise AssertionError(f"{sent} bytes left for a file of {size}")


def a_broken_link_costs_time_alone():
    with Elsewhere() as site:
        node = site.nodes[0]
        sha = site.file("big", 24 * MIB)
        text = site.program()
        node.slow("40mbit")
        before = counted(node)
        command = node.start("submit", site.hers(text), "--coordinator", site.ada)
        wait(lambda: site.arrived() >= 8 * MIB, "some of it")
        node.cut()
        for line in command.stderr:
            if "no answer from the coordinator's port for files" in line:
                break
        node.heal()
        out, err = command.communicate(timeout=600)
        equal(f"exit {err}", (command.returncode, out), (0, "sums\n"))
        sent_once(site, before, 24 * MIB)
        node.slow(None)
        site.over("sums", sha)


def what_was_interrupted_goes_on_next_time():
    with Elsewhere() as site:
        node = site.nodes[0]
        sha = site.file("big", 24 * MIB)
        text = site.program()
        node.slow("40mbit")
        before = counted(node)
        command = node.start("run", site.hers(text), "--coordinator", site.ada)
        wait(lambda: site.arrived() >= 12 * MIB, "half of it")
        for pid in node.processes("assay"):
            os.kill(pid, signal.SIGINT)
        _, err = command.communicate(timeout=600)
        has("it says so", err, "interrupted; what has been sent is kept")
        equal("nothing was submitted", json.loads(site.as_ada("ls", "--json")[0])["studies"], [])
        has("the rest", site.submit_hers(text)[1], "files    ")
        sent_once(site, before, 24 * MIB)
        node.slow(None)
        site.over("sums", sha)


def a_coordinator_that_dies_meanwhile_gets_the_rest():
    with Elsewhere() as site:
        node = site.nodes[0]
        sha = site.file("big", 24 * MIB)
        text = site.program()
        node.slow("40mbit")
        before = counted(node)
        command = node.start("submit", site.hers(text), "--coordinator", site.ada)
        wait(lambda: site.arrived() >= 12 * MIB, "half of it")
        site.coordinator.kill()
        site.coordinator.wait()
        site.start_coordinator(site.head)
        out, err = command.communicate(timeout=600)
        equal(f"exit {err}", (command.returncode, out), (0, "sums\n"))
        sent_once(site, before, 24 * MIB)
        node.slow(None)
        site.over("sums", sha)


def what_exceeds_the_quota_is_not_submitted():
    with Elsewhere("input_quota: 4MiB\n") as site:
        site.file("big", 5 * MIB)
        _, err = site.as_ada("submit", site.hers(site.program()), code=1)
        has("why", err, "cannot send")
        has("what", err, "keeps 4 MiB of files for each user ('input_quota' there)")
        equal("nothing was submitted", json.loads(site.as_ada("ls", "--json")[0])["studies"], [])


WHY_NOT = hosts.why_not()
if WHY_NOT:
    print(f"SKIPPED: there can be no hosts of their own here: {WHY_NOT}")
    sys.exit(hosts.SKIP)
cases = [a_model_comes_to_whom_it_belongs, logs_come_while_they_grow, files_go_where_the_study_goes,
         data_goes_too, a_broken_link_costs_time_alone, what_was_interrupted_goes_on_next_time,
         a_coordinator_that_dies_meanwhile_gets_the_rest, what_exceeds_the_quota_is_not_submitted]
main(*[c for c in cases if len(sys.argv) < 4 or sys.argv[3] in c.__name__], at_once=2)
