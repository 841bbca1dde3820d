# SPDX-License-Identifier: Apache-2.0
"""Coordinators that cannot be reached, on hosts of their own: what worker and commands say of each
address, that dead ones among them do no harm, and how whoever is not let in ends."""
import json
import os
import signal
import sys

import hosts
import invited
from harness import equal, has, main, wait

IMPOSTOR = os.path.join(os.path.dirname(os.path.abspath(__file__)), "impostor.py")
SILENT = "10.77.0.99"    # of a card that nobody has: what is sent there is lost
NOT_LET_IN = 4           # exit code of a worker


class Site(invited.Site):
    """With a second host that is about to join."""

    def __init__(self):
        super().__init__("ab")

    def __enter__(self):
        super().__enter__()
        self.node = self.nodes[0]
        self.discovery = os.path.join(self.head.env["ASSAY_HOME"], "coordinator.json")
        hosts.run("ip", "-n", self.node.space, "neigh", "add", SILENT, "lladdr",
                  "02:00:00:00:00:99", "dev", "eth0")
        with open(self.discovery) as file:
            self.port = int(json.load(file)["endpoints"][0].rsplit(":", 1)[1])
        return self

    def changed(self, *args, name, **changes):
        """An invitation with some of its members changed."""
        path = self.invite(*args, name, name=name)
        with open(path) as file:
            invitation = json.load(file)
        invitation.update(changes)
        with open(path, "w") as file:
            json.dump(invitation, file)
        return path

    def worker(self, path):
        return self.node.spawn("assay-worker", "--join", path, "--cores", "1")

    def says(self, *texts):
        """Until the worker's log has all of them."""
        wait(lambda: all(text in self.node.log("assay-worker") for text in texts),
             f"the worker to say {texts}")

    def impostor(self, port):
        """On the coordinator's host, with another key."""
        with open(self.at("impostor.log"), "w") as log:
            self.stranger = self.head.popen(sys.executable, IMPOSTOR, str(port), stdout=log,
                                            stderr=log)
        wait(lambda: self.refusals("listens"), "the impostor")

    def refusals(self, word="refused"):
        with open(self.at("impostor.log")) as file:
            return file.read().count(word)

    def joined(self):
        return [key for key, w in self.workers().items() if w["state"] == "ready"]


def each_address_has_its_reason():
    with Site() as site:
        path = site.changed("--worker", name="lab", endpoints=[
            f"tcp://{site.head.address}:9", f"tcp://{SILENT}:{site.port}",
            f"tcp://10.99.0.1:{site.port}", f"tcp://head.invalid:{site.port}"])
        worker = site.worker(path)
        site.says("cannot reach the coordinator",
                  f"{site.head.address}:9: connection refused", f"{SILENT}:{site.port}: no answer",
                  f"10.99.0.1:{site.port}: network is unreachable",
                  f"head.invalid:{site.port}: name 'head.invalid' cannot be looked up",
                  "assay up", "setting 'interface'", f"{site.port} and {site.port + 1}",
                  "assay batch", "trying on")
        equal("it tries on", worker.poll(), None)
        with open(path) as file:  # by the invitation in the old one's place
            invitation = json.load(file)
        invitation["endpoints"] = [f"tcp://{site.head.address}:{site.port}"]
        with open(path + ".new", "w") as file:
            json.dump(invitation, file)
        os.chmod(path + ".new", 0o600)
        os.rename(path + ".new", path)
        wait(lambda: site.joined() == ["lab"], "the worker")


def dead_addresses_do_no_harm():
    """To a worker, nor to a command, which has but a few seconds."""
    with Site() as site:
        dead = [f"tcp://{SILENT}:{site.port}", f"tcp://10.99.0.1:{site.port}",
                f"tcp://head.invalid:{site.port}"]
        alive = [f"tcp://{site.head.address}:{site.port}"]
        site.worker(site.changed("--worker", name="lab", endpoints=dead + alive))
        wait(lambda: site.joined() == ["lab"], "the worker")
        ada = site.changed(name="ada", endpoints=dead + alive)
        equal("a command", site.node.json("ls", "--coordinator", ada)["studies"], [])
        out, _ = site.node.run("doctor", "addresses", "--coordinator", ada)
        has("doctor", out, "warning  addresses")
        has("doctor", out, f"{SILENT}:{site.port}: no answer")
        has("doctor", out, f"{site.head.address}:{site.port}: connected")
        has("and for files", out, f"{site.head.address}:{site.port + 1}: connected")


def a_second_network_that_others_are_not_in():
    with Site() as site:
        hosts.run("ip", "-n", site.head.space, "link", "add", "inner", "type", "veth", "peer",
                  "name", "other")
        for device in "inner", "other":
            hosts.run("ip", "-n", site.head.space, "link", "set", device, "up")
        hosts.run("ip", "-n", site.head.space, "addr", "add", "10.88.0.1/24", "dev", "inner")
        site.coordinator.send_signal(signal.SIGTERM)
        equal("it left", site.coordinator.wait(), 0)
        site.serve(site.head)
        path = site.changed("--worker", name="lab")
        with open(path) as file:
            endpoints = json.load(file)["endpoints"]
        has("all are told", str(endpoints), "10.88.0.1")
        has("all are told", str(endpoints), site.head.address)
        site.worker(path)
        wait(lambda: site.joined() == ["lab"], "the worker")


def a_firewall_that_lets_only_one_port_through():
    """Files have another one than the rest."""
    with Site() as site:
        ada = site.invite("ada", name="ada")
        path = site.invite("--worker", "--for", "ada", "lab", name="lab")
        site.head.wall(site.port + 1)
        site.worker(path)
        wait(lambda: site.joined() == ["lab"], "the worker")
        out, _ = site.node.run("doctor", "addresses", "--coordinator", path)
        has("doctor", out, f"{site.head.address}:{site.port}: connected")
        has("doctor", out, f"{site.head.address}:{site.port + 1}: no answer")
        site.submit(site.node, "sweep", 1, "--coordinator", ada)
        site.says("bulk: cannot reach the coordinator's port for files: "
                  f"{site.head.address}:{site.port + 1}: no answer", "setting 'interface'")
        _, err = site.node.run("logs", "sweep", "0", "--coordinator", ada, code=3)
        has("a command", err, f"{site.head.address}:{site.port + 1}: no answer")
        site.head.unwall(site.port + 1)
        equal("trials", site.finish("sweep"), [("complete", 1)])
        wait(lambda: site.head.run("logs", "sweep", "0", code=None)[0] == "loss=0.5\n", "its log")


def a_command_says_what_to_do():
    with Site() as site:
        ada = site.changed(name="ada", endpoints=[f"tcp://{SILENT}:{site.port}"])
        _, err = site.node.run("ls", "--coordinator", ada, code=3)
        has("which address", err, f"{SILENT}:{site.port}: no answer")
        has("what to do", err, "setting 'interface'")
        out, _ = site.node.run("doctor", "addresses", "--coordinator", ada, code=1)
        has("doctor", out, "broken   addresses")
        has("doctor", out, f"{SILENT}:{site.port}: no answer")
        site.head.run("revoke", "ada")
        bob = site.changed(name="bob")
        site.head.run("revoke", "bob")
        _, err = site.node.run("ls", "--coordinator", bob, code=1)
        has("not let in", err, "does not let in the key")
        has("what to do", err, "new invitation")
        has("the owner sees it, at both addresses", site.head.run("workers")[0],
            f"not let in: 2 connections, the last from ")


def a_login_node_that_does_not_reach_a_compute_node():
    """A home that both see; the coordinator runs on the other one."""
    with hosts.Net("ab") as net:
        compute, login = net.hosts
        compute.spawn("assay-coordinator", "--keep")
        path = os.path.join(net.path, "home/coordinator.json")
        wait(lambda: os.path.exists(path), "the coordinator")
        compute.cut()
        _, err = login.run("ls", code=3)
        has("who has the store", err, "host 'a' has it open")
        has("each address", err, compute.address)
        has("each address", err, compute.address6)
        has("what to do", err, "assay batch")
        compute.heal()
        equal("healed", login.json("ls")["studies"], [])


def what_listens_there_is_another_coordinator():
    """Whose key is not the invitation's."""
    with Site() as site:
        key = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"
        worker = site.worker(site.changed("--worker", name="lab", server_key=key))
        site.says("what listens there does not have the coordinator's key", "new invitation")
        equal("it tries on", worker.poll(), None)
        ada = site.changed(name="ada", server_key=key)
        _, err = site.node.run("ls", "--coordinator", ada, code=3)
        has("a command", err, "what listens there does not have the coordinator's key")


def a_coordinator_that_hangs():
    with Site() as site:
        path, ada = site.changed("--worker", name="lab"), site.changed(name="ada")
        site.coordinator.send_signal(signal.SIGSTOP)
        try:
            _, err = site.node.run("ls", "--coordinator", ada, code=3)
            has("a command", err, "takes connections, but does not speak")
            site.worker(path)
            site.says("takes connections, but does not speak", "node.log")
        finally:
            site.coordinator.send_signal(signal.SIGCONT)
        wait(lambda: site.joined() == ["lab"], "the worker")


def whoever_was_never_invited_ends():
    with Site() as site:
        path = site.changed("--worker", name="lab")
        site.head.run("revoke", "lab")  # before it ever came
        equal("exit code", site.worker(path).wait(), NOT_LET_IN)
        log = site.node.log("assay-worker")
        has("at first", log, "the coordinator refuses this key")
        has("at first", log, "trying on for 10 s, then ending")
        has("at last", log, "its key is not on the list")
        has("what to do", log, "assay invite --worker NAME")


def whoever_is_revoked_ends():
    with Site() as site:
        worker = site.worker(site.changed("--worker", name="lab"))
        wait(lambda: site.joined() == ["lab"], "the worker")
        site.head.run("revoke", "lab")
        equal("exit code", worker.wait(), NOT_LET_IN)
        log = site.node.log("assay-worker")
        has("at first", log, "trying on for 60 s, then ending")
        has("why", log, "its key was revoked; it may join with a new invitation")


def whoever_was_revoked_by_mistake_comes_back():
    """With its trial, once the list is mended."""
    with Site() as site:
        worker = site.worker(site.changed("--worker", name="lab"))
        wait(lambda: site.joined() == ["lab"], "the worker")
        site.submit(site.head, "sweep", 1)
        wait(lambda: site.running("sweep"), "the trial")
        path = os.path.join(site.head.env["ASSAY_HOME"], "keys", "authorized")
        with open(path) as file:
            keys = file.read()
        site.head.run("revoke", "lab")
        wait(lambda: worker.poll() is not None or site.connections()["refused_keys"] > 20,
             "many refusals")  # one that gives up after 10 s has seen half as many
        equal("it tries on", worker.poll(), None)
        with open(path + ".new", "w") as file:
            file.write(keys)
        os.chmod(path + ".new", 0o600)
        os.rename(path + ".new", path)
        wait(lambda: site.joined() == ["lab"], "the worker")
        equal("trials", site.finish("sweep"), [("complete", 1)])


def an_impostor_at_a_dead_coordinator_s_port_ends_nobody():
    """The worker and its trial live until the right coordinator is back."""
    with Site() as site:
        worker = site.worker(site.changed("--worker", name="lab"))
        wait(lambda: site.joined() == ["lab"], "the worker")
        site.submit(site.head, "sweep", 1)
        wait(lambda: site.running("sweep"), "the trial")
        site.coordinator.kill()
        site.coordinator.wait()
        site.impostor(site.port)
        wait(lambda: worker.poll() is not None or site.refusals() > 60, "many refusals")
        equal("the worker lives", worker.poll(), None)
        site.says("does not have the coordinator's key, and refuses this one", "trying on")
        site.stranger.kill()
        site.stranger.wait()
        os.remove(site.discovery)
        site.serve(site.head)
        wait(lambda: site.joined() == ["lab"], "the worker")
        equal("trials", site.finish("sweep"), [("complete", 1)])


def an_address_that_refuses_does_not_stop_the_others():
    with Site() as site:
        site.impostor(9)
        endpoints = [f"tcp://{site.head.address}:9", f"tcp://{site.head.address}:{site.port}"]
        site.worker(site.changed("--worker", name="lab", endpoints=endpoints))
        wait(lambda: site.joined() == ["lab"], "the worker")
        ada = site.changed(name="ada", endpoints=endpoints)
        equal("a command", site.node.json("ls", "--coordinator", ada)["studies"], [])
        equal("it was asked", site.refusals() > 1, True)


WHY_NOT = hosts.why_not()
if WHY_NOT:
    print(f"SKIPPED: there can be no hosts of their own here: {WHY_NOT}")
    sys.exit(hosts.SKIP)
main(each_address_has_its_reason, dead_addresses_do_no_harm,
     a_second_network_that_others_are_not_in,
     a_firewall_that_lets_only_one_port_through, a_command_says_what_to_do,
     a_login_node_that_does_not_reach_a_compute_node,
     what_listens_there_is_another_coordinator, a_coordinator_that_hangs,
     whoever_was_never_invited_ends, whoever_is_revoked_ends,
     whoever_was_revoked_by_mistake_comes_back,
     an_impostor_at_a_dead_coordinator_s_port_ends_nobody,
     an_address_that_refuses_does_not_stop_the_others, at_once=3)
