# SPDX-License-Identifier: Apache-2.0
"""Whoever has no business with a coordinator: no key, one for another coordinator, one that was never
invited or is not any more, somebody else's greeting sent again. Each is refused, counted and told,
and nobody else is disturbed."""
import json
import os
import socket
import sys

import hosts
from behind import Behind
from harness import equal, has, main, wait
from invited import Site

GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00%s" + bytes(32)
NO_KEY = GREETING % b"NULL".ljust(20, b"\0")
SAY = """
import socket, sys
line = socket.create_connection((sys.argv[1], int(sys.argv[2])))
try:
    line.sendall(bytes.fromhex(sys.argv[3]))
    line.shutdown(socket.SHUT_WR)
    while line.recv(4096):
        pass
except OSError:
    pass  # ended
"""


def numbers(home, port):
    connections = home.json("workers")["connections"]
    return connections if port == "control" else connections["files"]


def ports(home):
    with open(os.path.join(home.env["ASSAY_HOME"], "coordinator.json")) as file:
        control = int(json.load(file)["endpoints"][0].rpartition(":")[2])
    return {"control": control, "file": control + 1}


def who_brings_no_key_is_told_apart_and_counted():
    cases = [("no key", NO_KEY, "it brings no key"),
             ("http", b"GET / HTTP/1.1\r\n\r\n", "it does not speak as a worker or a command does")]
    with Site("ab") as site:
        head, stranger = site.head, site.nodes[0]
        for name, text, why in cases:
            for port, number in ports(head).items():
                before = numbers(head, port)["failed_handshakes"]
                talk = stranger.popen(sys.executable, "-c", SAY, head.address, str(number), text.hex())
                _, err = talk.communicate()
                equal(f"{name} at {port}: ended\n{err}", talk.returncode, 0)
                wait(lambda: numbers(head, port)["failed_handshakes"] == before + 1, "the count")
                has(f"{name}: why", numbers(head, port)["last_failed_why"], why)
        for port in ports(head):
            wait(lambda: f"handshakes at the {port} port, the last from" in
                 head.log("assay-coordinator"), f"a line about the {port} port")
            equal("let in", numbers(head, port)["refused_keys"], 0)


def forged(site, path, name, **changes):
    """An invitation like that at path, with other members."""
    with open(path) as file:
        invitation = {**json.load(file), **changes}
    with open(site.at(name), "w") as file:
        json.dump(invitation, file)
    os.chmod(site.at(name), 0o600)
    return site.at(name)


def keys_at(path):
    with open(path) as file:
        invitation = json.load(file)
    return {name: invitation[name] for name in ("public_key", "secret_key")}


def a_key_that_is_not_on_the_list_is_refused():
    with Site("ab") as site:
        head, b = site.head, site.nodes[0]
        good = site.invite("ada", name="ada")
        b.spawn("assay-coordinator", "--keep")
        wait(lambda: os.path.exists(os.path.join(b.env["ASSAY_HOME"], "coordinator.json")),
             "the other coordinator")
        b.run("invite", "mallory", "--output", site.at("elsewhere"))
        revoked = site.invite("eve", name="eve")
        b.json("ls", "--coordinator", revoked)  # it was good once
        head.run("revoke", "eve")
        with open(site.at("elsewhere")) as file:
            other = json.load(file)
        cases = [("never invited", forged(site, good, "1", **keys_at(site.at("elsewhere"))),
                  "refused_keys"),
                 ("revoked", revoked, "refused_keys"),
                 ("of another coordinator",
                  forged(site, good, "3", server_key=other["server_key"]), "failed_handshakes")]
        for name, path, kind in cases:
            before = numbers(head, "control")[kind]
            ask = b.popen(os.path.join(b.bin, "assay"), "ls", "--coordinator", path)
            wait(lambda: numbers(head, "control")[kind] > before, f"the count of {name}")
            ask.communicate()
            equal(f"{name} fails", ask.returncode != 0, True)
            if kind == "refused_keys":
                told = numbers(head, "control")
                equal(f"{name}: which key", told["last_refused_key"], keys_at(path)["public_key"])
                equal(f"{name}: from", told["last_refused_from"] in (b.address, b.address6), True)
        has("why", numbers(head, "control")["last_failed_why"], "a coordinator with another key")
        for part in (f" with key '{keys_at(revoked)['public_key']}'",
                     "it means a coordinator with another key", "keys were revoked"):
            wait(lambda: part in head.log("assay-coordinator"), f"a line with {part!r}")
        equal("who may is served", b.json("ls", "--coordinator", good)["studies"], [])


HELLO = 64 + 202    # bytes of a greeting, and the client's first word
WELCOME = 64 + 170  # and the server's


def replay(port, said, patient):
    """At once, or as a client would, which waits for its welcome; until the other side ends it."""
    with socket.create_connection(("127.0.0.1", port)) as line:
        try:
            line.sendall(said[:HELLO] if patient else said)
            heard = 0
            while patient and heard < WELCOME:
                heard += len(line.recv(4096)) or WELCOME
            line.sendall(said[HELLO:])
            while line.recv(4096):
                pass
        except ConnectionError:
            pass


def what_a_worker_said_opens_nothing_to_others():
    """All of it, from its greeting on, of a worker that is at work meanwhile."""
    with Behind(settings="", trials=2) as home:
        home.more(2)
        control = home.proxy.target[1]
        said = b"".join(home.proxy.links[0].said)
        for patient in False, True:
            failed = numbers(home, "control")["failed_handshakes"]
            replay(control, said, patient)
            wait(lambda: numbers(home, "control")["failed_handshakes"] == failed + 1, "the count")
        has("why", numbers(home, "control")["last_failed_why"], "repeats an earlier greeting")
        equal("workers", home.state(), ["ready"])
        equal("greetings", home.stored("worker-joined"), 1)
        history = home.finish()
        equal("attempts", [e.attempt for e in history.events if e.kind == "leased"], [1, 1])


def what_is_said_twice_is_heard_once():
    """A message that comes again within its connection ends that connection, and nothing counts
    twice: the worker greets anew."""
    with Behind(trials=2, pace=1) as home:
        home.more(2)
        greeted = home.log().count("joined version")
        home.proxy.repeat()
        wait(lambda: home.log().count("joined version") > greeted or home.over(), "a new greeting")
        equal("it broke", home.log().count("joined version") > greeted, True)
        history = home.finish()
        equal("attempts", [e.attempt for e in history.events if e.kind == "leased"], [1, 1])


main(what_a_worker_said_opens_nothing_to_others, what_is_said_twice_is_heard_once,
     *hosts.cases_on_hosts(who_brings_no_key_is_told_apart_and_counted,
                           a_key_that_is_not_on_the_list_is_refused),
     at_once=2)
