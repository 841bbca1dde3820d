# SPDX-License-Identifier: Apache-2.0
"""Whoever can read the network reads nothing of a study: all that passes a worker's and a user's card
is captured and searched for what the study consists of, and for keys. That the search would find
it is shown by what lies open: the coordinator's files, and the same words sent over the same card."""
import json
import os
import subprocess
import sys

import gangs
import hosts
from harness import LeftOut, equal, main, wait
from invited import Site
from wire import Capture

MARK = "hush-1f0c"
TEXT = [f"{MARK}-{what}" for what in ("study", "metric", "value", "program", "table", "weights",
                                      "stdout", "stderr")]
STUDY = f"""
assay: 1
name: {MARK}-study
run:
  command: [{sys.executable}, train.py, "{{rate}}", "{MARK}-value"]
  files: [train.py, table]
  checkpoint: true
  length: {{unit: steps, max: 1}}
objective: {{metric: {MARK}-metric, goal: minimize}}
parameters:
  rate: {{values: [0.5, 0.25]}}
search: {{sampler: random}}
budget: {{trials: 2}}
"""
PROGRAM = f"""# {MARK}-program
import json, os, socket, sys
line = socket.socket(socket.AF_UNIX)
line.connect(os.environ["ASSAY_SOCKET"])
file = line.makefile("rw")
def say(what):
    file.write(json.dumps(what) + "\\n")
    file.flush()
    return json.loads(file.readline())
print("{MARK}-stdout" * 100, flush=True)
print("{MARK}-stderr", file=sys.stderr, flush=True)
say({{"step": 1, "metrics": {{"{MARK}-metric": float(sys.argv[1])}}}})
with open(os.path.join(os.environ["ASSAY_CHECKPOINT_DIR"], "c"), "w") as out:
    out.write("{MARK}-weights" * 20000)
say({{"checkpoint": "c", "step": 1}})
"""
ASKED = f"""
assay: 1
name: {MARK}-asked
description: {MARK}-value
run: {{command: [{sys.executable}, {MARK}-program]}}
objective: {{metric: {MARK}-metric, goal: minimize}}
parameters: {{rate: {{min: 0.0, max: 1.0}}}}
budget: {{trials: 1}}
"""
Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
OPEN = """
import socket, sys
here = socket.create_connection((sys.argv[1], int(sys.argv[2])))
here.sendall(bytes.fromhex(sys.stdin.read()))
"""


def raw(key):
    """The 32 bytes of a key's text."""
    numbers = []
    for i in range(0, 40, 5):
        number = 0
        for letter in key[i:i + 5]:
            number = number * 85 + Z85.index(letter)
        numbers.append(number.to_bytes(4, "big"))
    return b"".join(numbers)


def keys_of(site, *invitations):
    """Every secret, and who connects: text and bytes of the keys."""
    found = []
    for path in invitations:
        with open(path) as file:
            invitation = json.load(file)
        found += [invitation["secret_key"], invitation["public_key"]]
    for name in "server.key", "user.key":
        with open(os.path.join(site.head.env["ASSAY_HOME"], "keys", name)) as file:
            found += [word for line in file for word in line.split()
                      if len(word) == 40 and "secret" in line]
    equal("keys", len(found), 2 * len(invitations) + 2)
    return [key.encode() for key in found] + [raw(key) for key in found]


def found_in(text, words):
    return [word for word in words if word in text]


def everything_below(*folders):
    text = bytearray()
    for folder in folders:
        for at, _, names in os.walk(folder):
            for name in names:
                with open(os.path.join(at, name), "rb") as file:
                    text += file.read()
    return bytes(text)


def sweep(site, worker, ada):
    """Files, a program, reports, checkpoints and logs to and from a worker; questions of a user."""
    node, head = site.nodes[0], site.head
    site.without_own_worker()
    study = os.path.join(head.path, "study")
    os.mkdir(study)
    for name, text in (("study.yaml", STUDY), ("train.py", PROGRAM),
                       ("table", f"{MARK}-table" * 20000)):
        with open(os.path.join(study, name), "w") as file:
            file.write(text)
    node.spawn("assay", "worker", "--join", worker, "--cores", "1")
    head.run("submit", os.path.join(study, "study.yaml"))
    head.run("watch", f"{MARK}-study")
    equal("trials", [t["state"] for t in head.json("trials", f"{MARK}-study")["trials"]],
          ["complete"] * 2)
    with open(os.path.join(node.path, "asked.yaml"), "w") as file:
        file.write(ASKED)
    node.run("submit", os.path.join(node.path, "asked.yaml"), "--coordinator", ada)
    equal("ada's", [s["name"] for s in node.json("ls", "--coordinator", ada)["studies"]],
          [f"{MARK}-asked"])
    node.run("stop", f"{MARK}-asked", "--coordinator", ada)
    return study


def nothing_of_a_gang_is_readable_on_the_wire():
    """Ranks of two hosts talk MPI, which encrypts nothing: sums of numbers, and what starts them."""
    if len(os.sched_getaffinity(0)) < 2:
        raise LeftOut("a gang of two workers needs two cores")
    with hosts.Net("abc") as net:
        a, b, c = net.hosts
        a.spawn("assay-coordinator", "--keep")
        wait(lambda: os.path.exists(os.path.join(net.path, "home/coordinator.json")), "it")
        with Capture(b) as capture:
            for host in b, c:
                host.spawn("assay-worker", "--cores", "1")
            wait(lambda: len(a.json("workers")["workers"]) == 2, "two workers")
            a.run("submit", gangs.study(a, 2, trials=1, epochs=1000000, pruner="none"))
            wait(lambda: gangs.training(a), "the gang")
            pids = gangs.ranks(b)
            equal("ranks", sorted(pids), [0, 1])
            token = gangs.environ(pids[0])["ASSAY_TOKEN"]
            a.run("stop", "gang")
            capture.stop()
        home, study = os.path.join(net.path, "home"), a.json("show", "gang")["id"]
        text = [b"val_loss", b"digits.csv", b"hidden", b"sampler"]
        equal("the coordinator has it", found_in(everything_below(home), text), text)
        words = [*text, token.encode(), study.encode(), bytes.fromhex(study)]
        with open(os.path.join(home, "keys", "user.key")) as file:
            words += [word.encode() for line in file for word in line.split() if len(word) == 40]
        streams = capture.streams()
        between = sum(len(t) for flow, t in streams.items()
                      if {flow[0][0], flow[1][0]} <= {b.address, c.address, b.address6, c.address6})
        equal(f"{between} bytes between the ranks", between > 100000, True)
        for flow, t in streams.items():
            equal(f"readable in {flow}", found_in(t, words), [])


def send_openly(site, words):
    """The same words over the same card, to a port where nobody encrypts."""
    address, port = site.head.address, 4711
    sink = site.head.popen(sys.executable, "-c", "import socket; s = socket.create_server(('', 4711));"
                           "print('ready', flush=True); c, _ = s.accept()\n"
                           "while c.recv(65536): pass")
    equal("sink", sink.stdout.readline(), "ready\n")
    done = subprocess.run(site.nodes[0].command(sys.executable, "-c", OPEN, address, str(port)),
                          input=b" ".join(words).hex(), text=True)
    equal("sent", done.returncode, 0)
    equal("received", sink.wait(), 0)
    return (address, port)


def nothing_of_a_study_is_readable_on_the_wire():
    with Site("ab") as site:
        worker = site.invite("--worker", "lab", name="lab")
        ada = site.invite("ada", name="ada")
        text = [word.encode() for word in TEXT]
        keys = keys_of(site, worker, ada)
        with Capture(site.nodes[0]) as capture:
            study = sweep(site, worker, ada)
            opened = send_openly(site, text + keys)
            capture.stop()
        streams = capture.streams()
        with open(os.path.join(site.head.env["ASSAY_HOME"], "coordinator.json")) as file:
            port = int(json.load(file)["endpoints"][0].rpartition(":")[2])
        open_text = b"".join(t for flow, t in streams.items() if opened in flow)
        equal("what is sent openly is found", found_in(open_text, text + keys), text + keys)
        closed = {flow: t for flow, t in streams.items() if opened not in flow}
        sizes = {p: sum(len(t) for flow, t in closed.items() if p in (flow[0][1], flow[1][1]))
                 for p in (port, port + 1)}
        if sizes[port] < 10000 or sizes[port + 1] < 3 * len(f"{MARK}-table") * 20000:
            raise AssertionError(f"too little was captured at the ports: {sizes}")
        for flow, t in closed.items():
            equal(f"readable in {flow}", found_in(t, text + keys), [])
        home = everything_below(site.head.env["ASSAY_HOME"], study)
        equal("the coordinator has it all", found_in(home, text), text)


WHY_NOT = hosts.why_not()
if WHY_NOT:
    print(f"SKIPPED: there can be no hosts of their own here: {WHY_NOT}")
    sys.exit(hosts.SKIP)
main(*hosts.cases_on_hosts(nothing_of_a_study_is_readable_on_the_wire,
                           nothing_of_a_gang_is_readable_on_the_wire))
