# SPDX-License-Identifier: Apache-2.0
"""Who gets in: workers and users by invitation, on hosts of their own, and nobody else."""
import json
import os
import stat
import sys

import hosts
from harness import equal, has, main, wait
from invited import Site

def a_worker_joins_by_invitation():
    with Site("ab") as site:
        path = site.invite("--worker", "lab", name="lab")
        equal("its mode", stat.S_IMODE(os.stat(path).st_mode), 0o600)
        site.nodes[0].spawn("assay", "worker", "--join", path, "--cores", "1")
        wait(lambda: site.workers().get("lab", {}).get("state") == "ready", "the worker")
        has("people see the key", site.head.run("workers")[0], "lab")
        out, _ = site.head.run("explain", "--worker", "lab")
        has("and can ask by it", out, "invited   lab")
        site.submit(site.head, "sweep", 2)
        equal("trials", site.finish("sweep"), [("complete", 1)] * 2)


def a_revoked_worker_is_gone_at_once():
    with Site("abc") as site:
        paths = {name: site.invite("--worker", name, name=name) for name in ("one", "two")}
        first = site.nodes[0].spawn("assay", "worker", "--join", paths["one"], "--cores", "1")
        wait(lambda: "one" in site.workers(), "the first worker")
        site.submit(site.head, "sweep", 1)
        wait(lambda: site.running("sweep"), "the trial")
        site.nodes[1].spawn("assay", "worker", "--join", paths["two"], "--cores", "1")
        wait(lambda: "two" in site.workers(), "the second worker")
        site.head.run("revoke", "one")
        wait(lambda: site.workers().get("two", {}).get("runs"), "its trial on the other worker")
        equal("who is there", list(site.workers()), ["two"])
        equal("trials", site.finish("sweep"), [("complete", 2)])
        equal("it ends, and not its trial alone", first.wait(), 4)
        has("why", site.nodes[0].log("assay"), "its key was revoked")
        equal("it was refused, more than once", site.connections()["refused_keys"] > 1, True)


def a_worker_s_key_asks_nothing():
    with Site("ab") as site:
        path = site.invite("--worker", "lab", name="lab")
        _, err = site.nodes[0].run("ls", "--coordinator", path, code=1)
        has("why", err, "this key is a worker's")


def an_invited_user_sees_their_own():
    with Site("ab") as site:
        ada = site.invite("ada", name="ada")
        b = site.nodes[0]
        site.submit(site.head, "secret", 1)
        equal("not the owner's", b.json("ls", "--coordinator", ada)["studies"], [])
        site.submit(b, "mine", 1, "--coordinator", ada)
        equal("her own", [s["name"] for s in b.json("ls", "--coordinator", ada)["studies"]],
              ["mine"])
        worker = site.invite("--worker", "--for", "ada", name="ada-worker")
        with open(worker) as file:
            equal("the name", json.load(file)["name"], "worker-1")
        site.submit(site.head, "more", 8)  # than the owner's own worker has cores
        b.spawn("assay", "worker", "--join", worker, "--cores", "2")
        wait(lambda: site.running("mine"), "her trial to run")
        equal("on her worker, and nobody else's", [(run["study"], run["trial"]) for run in
              site.workers()["worker-1"]["runs"]], [("mine", 0)])
        equal("trials", site.finish("mine"), [("complete", 1)])
        _, err = site.head.run("revoke", "ada")
        has("her worker goes with her", err, "nor are the 1 workers that acted for it")
        wait(lambda: "worker-1" not in site.workers(), "her worker to be gone")


def the_coordinator_moves_to_another_host():
    """With its store; its workers are led there by a new invitation in the old one's place."""
    with Site("abc") as site:
        path = site.invite("--worker", "lab", name="lab")
        worker, other = site.nodes
        worker.spawn("assay", "worker", "--join", path, "--cores", "1")
        wait(lambda: "lab" in site.workers(), "the worker")
        site.submit(site.head, "sweep", 1)
        wait(lambda: site.running("sweep"), "the trial")
        site.coordinator.kill()
        site.coordinator.wait()
        home = other.env["ASSAY_HOME"]
        os.rename(site.head.env["ASSAY_HOME"], home)  # a copy would be another store
        os.remove(os.path.join(home, "coordinator.json"))
        site.head.cut()
        site.head = other
        site.serve(other)
        site.head.run("revoke", "lab")                # as the guide says: the name is free then
        os.rename(site.invite("--worker", "lab", name="lab.new"), path)
        wait(lambda: site.workers().get("lab", {}).get("runs"), "the worker with its trial")
        equal("trials", site.finish("sweep"), [("complete", 1)])


WHY_NOT = hosts.why_not()
if WHY_NOT:
    print(f"SKIPPED: there can be no hosts of their own here: {WHY_NOT}")
    sys.exit(hosts.SKIP)
main(a_worker_joins_by_invitation, a_revoked_worker_is_gone_at_once, a_worker_s_key_asks_nothing,
     an_invited_user_sees_their_own, the_coordinator_moves_to_another_host, at_once=3)
