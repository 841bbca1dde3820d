# SPDX-License-Identifier: Apache-2.0
"""A store that lies on a network file system: one connection, and every command all the same."""
import json
import os
import sys

from harness import Home, equal, has, main, wait

STUDY = """
assay: 1
name: remote
run:
  command: [sh, -c, 'for i in 1 2 3; do echo "step=$i loss={x}"; done; exit {code}']
  metrics: {pattern: 'step=(?<step>\\d+) loss=(?<loss>\\S+)'}
objective: {metric: loss, goal: minimize, take: last}
parameters:
  x: {min: 0.0, max: 1.0}
  code: {values: [0, 7]}
retries: 0
search: {sampler: random, seed: 5}
budget: {trials: TRIALS}
"""


class Share(Home):
    """A home of which statfs() says that it is on NFS."""

    def __enter__(self):
        super().__enter__()
        self.env.update(self.preload(sys.argv[3]))
        self.env["FAKE_NFS"] = self.env["ASSAY_HOME"]
        return self


def study(trials):
    return STUDY.replace("TRIALS", str(trials))


def answers(home, number):
    """Everything that is asked of the store, without what differs from run to run."""
    asked = [("trials", "remote"), ("trials", "remote", "--limit", "3"), ("best", "remote"),
             ("best", "remote", "--limit", "3"), ("show", "remote"),
             ("show", "remote", str(number)), ("explain", "remote"),
             ("explain", "remote", str(number))]
    return [plain(home.json(*words)) for words in asked]


def plain(node):
    varies = ("id", "host", "hardware", "versions", "cpu_s", "max_rss", "cores", "last_seq", "dir")
    if isinstance(node, dict):
        return {k: plain(v) for k, v in node.items()
                if k not in varies and not k.endswith("_us")}
    if isinstance(node, list):
        return [plain(item) for item in node]
    return node


def a_sweep_runs_and_is_answered_as_on_a_disk():
    both = []
    for kind in (Share, Home):
        with kind() as home:
            home.write("study.yaml", study(12))
            out, err = home.run("run", "study.yaml", "--cores", "1")
            has("last screen", out, "remote finished")
            trials = home.json("trials", "remote")["trials"]
            equal("trials", [t["number"] for t in trials], list(range(12)))
            failed = [t["number"] for t in trials if t["state"] == "failed"]
            if not failed or len(failed) == 12:
                raise AssertionError(f"failed: {failed}")
            both.append(answers(home, failed[0]))
            log = os.path.join(home.env["ASSAY_HOME"], "store", "assay.db-wal")
            equal("write-ahead log", os.path.exists(log), kind is Home)
    for got, want in zip(*both):
        equal("answer", json.dumps(got, sort_keys=True), json.dumps(want, sort_keys=True))


def it_is_watched_while_it_runs():
    with Share() as home:
        go = os.path.join(home.path, "go")
        home.write("study.yaml", study(8).replace(
            "for i in", f"while [ ! -e {go} ]; do sleep 0.05; done; for i in"))
        home.run("submit", "study.yaml")
        equal("live", home.json("show", "remote")["state"], "running")
        wait(lambda: home.json("show", "remote", "0")["state"] == "running", "trial 0 to run")
        equal("cause", home.json("explain", "remote", "0")["cause"], "none")
        watch = home.start("watch", "remote")
        open(go, "w").close()
        out, err = watch.communicate(timeout=600)
        equal(f"exit\n{out}\n{err}", watch.returncode, 0)
        equal("trials", home.json("show", "remote")["trials"], 8)
        home.run("down")


main(a_sweep_runs_and_is_answered_as_on_a_disk, it_is_watched_while_it_runs)
