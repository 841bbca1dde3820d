# SPDX-License-Identifier: Apache-2.0
"""A user whose host does not see the coordinator's folders: models and logs come from there."""
import json
import os
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
# Three chunks and some of it.
LONG = "yes xxxxxxxxx | head -c 3500000; echo loss=0.5"


class Elsewhere(Apart):
    """Ada works on the second host, her worker on the third one."""

    def __init__(self):
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
        self.as_ada("submit", self.write(os.path.join(self.nodes[0].path, "study.yaml"), text))


def a_model_comes_to_whom_it_belongs():
    with Elsewhere() as site:
        site.submit_hers(MODEL.format(source=SOURCE))
        out, _ = site.as_ada("watch", "hers")
        has("scored on what no trial saw", out, "test_accuracy")
        b = site.nodes[0]
        best = json.loads(site.as_ada("show", "hers", "--json")[0])["best_trial"]
        trial = json.loads(site.as_ada("show", "hers", str(best), "--json")[0])
        site.as_ada("export", "hers", "--model", "--output", os.path.join(b.path, "model"))
        with open(os.path.join(b.path, "model"), "rb") as got, \
                open(trial["artifacts"][0]["path"], "rb") as want:
            equal("the model", got.read() == want.read(), True)
        rows = os.path.join(SOURCE, "examples/data/digits.csv.gz")
        there = site.head.run("predict", "hers", rows)[0]
        equal("predictions", site.as_ada("predict", "hers", rows)[0], there)
        equal("copies in /tmp", [f for f in os.listdir("/tmp") if f.startswith("assay-model-")], [])
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


WHY_NOT = hosts.why_not()
if WHY_NOT:
    print(f"SKIPPED: there can be no hosts of their own here: {WHY_NOT}")
    sys.exit(hosts.SKIP)
cases = [a_model_comes_to_whom_it_belongs, logs_come_while_they_grow]
main(*[c for c in cases if len(sys.argv) < 4 or sys.argv[3] in c.__name__], at_once=2)
