# SPDX-License-Identifier: Apache-2.0
"""Files on their way between hosts that share nothing: over slow links and broken ones, large ones,
and those that change meanwhile.

    test_bulk_hosts.py BIN SOURCE [CASE | large]
"""
import glob
import hashlib
import json
import os
import signal
import sys

import hosts
from breaker import PROGRAM
from clusters import Apart
from far import files_below
from harness import equal, has, main, wait

MIB = 1 << 20
# Freed memory that a sanitizer keeps is none that a program holds.
os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=8"
# Says what came of its file, as a log and as a value.
STUDY = """
assay: 1
name: {name}
run:
  command: [sh, -c, "sha256sum big; {then} echo loss=0.5"]
  files: [{file}]
  metrics: {{pattern: 'loss=(?<loss>\\S+)'}}
objective: {{metric: loss, goal: minimize}}
parameters: {{x: {{min: 0.0, max: 1.0}}}}
search: {{sampler: random}}
budget: {{trials: {trials}}}
"""
# Writes a checkpoint of so many bytes, none of which takes space where it is written: a file, or a
# folder with a file of this name.
LARGE = """
import json, os, socket, sys
link = socket.socket(socket.AF_UNIX)
link.connect(os.environ["ASSAY_SOCKET"])
lines = link.makefile("rw")
def say(line):
    lines.write(json.dumps(line) + "\\n")
    lines.flush()
    return json.loads(lines.readline())
path = os.path.join(os.environ["ASSAY_CHECKPOINT_DIR"], "c")
if sys.argv[2]:
    os.mkdir(path)
    path = os.path.join(path, sys.argv[2])
with open(path, "wb") as file:
    file.truncate(int(sys.argv[1]))
say({"step": 1, "metrics": {"loss": 0.5}})
say({"checkpoint": "c", "step": 1})
"""
LARGE_STUDY = """
assay: 1
name: sweep
run:
  command: [python3, large.py, "%d", "%s"]
  files: [large.py]
  checkpoint: true
  length: {unit: steps, max: 1}
objective: {metric: loss, goal: minimize, take: last}
parameters: {x: {min: 0.0, max: 1.0}}
search: {sampler: random}
budget: {trials: 1}
"""
GIB = 1 << 30
LARGEST = 4 * GIB + 5  # no number of 32 bits holds it
CHECKPOINT = """
assay: 1
name: sweep
run:
  command: [{python}, program.py, "3", {records}, "0.02", --checkpoint, --heavy, "{size}"]
  files: [program.py]
  checkpoint: true
  length: {{unit: steps, max: 3}}
objective: {{metric: loss, goal: minimize, take: last}}
parameters: {{x: {{min: 0.0, max: 1.0}}}}
search: {{sampler: random}}
budget: {{trials: 1}}
"""


class Site(Apart):
    """The head has the files, the other hosts fetch them. theirs: settings of the workers."""

    def __init__(self, names="ab", settings="", cache=None, theirs=""):
        self.settings = settings
        self.theirs = theirs + (f"cache_size: {cache}\n" if cache else "")
        super().__init__(trials=0, names=names)

    def invite(self, node):
        super().invite(node)
        os.mkdir(node.env["ASSAY_HOME"])
        if self.theirs:
            self.write(os.path.join(node.env["ASSAY_HOME"], "config.yaml"), self.theirs)

    def file(self, size, name="big"):
        """Its path and hash."""
        path = os.path.join(self.head.path, name)
        content = os.urandom(size)
        with open(path, "wb") as file:
            file.write(content)
        return path, hashlib.sha256(content).hexdigest()

    def sparse(self, size, name="big"):
        path = os.path.join(self.head.path, name)
        with open(path, "wb") as file:
            file.truncate(size)
        return path

    def begin(self, trials=1, name="sweep", file="big", then=""):
        self.submit(STUDY.format(name=name, file=file, trials=trials, then=then))

    def begin_beside(self, name, size):
        """Another study, with a file of its own; its hash."""
        folder = os.path.join(self.head.path, name)
        os.mkdir(folder)
        _, sha = self.file(size, name + "/big")
        text = STUDY.format(name=name, file="big", trials=1, then="")
        self.head.run("submit", self.write(os.path.join(folder, "study.yaml"), text))
        return sha

    def arrived(self, node):
        """Bytes of what is on its way into its cache."""
        return self.parts(os.path.join(node.env["ASSAY_HOME"], "cache"))

    @staticmethod
    def parts(folder, mark=".part-"):
        """Bytes of what is in the folder, or in those of this pattern, and has the mark in its
        name."""
        size = 0
        for path in glob.glob(os.path.join(folder, "*")) + glob.glob(os.path.join(folder, ".*")):
            for at, _, names in [*os.walk(path)] or [("", (), (path,))]:
                try:
                    size += sum(os.path.getsize(os.path.join(at, name)) for name in names
                                if mark in os.path.basename(path))
                except OSError:
                    pass
        return size

    def log(self, node):
        return node.log("assay-worker")

    def trials_of(self, name="sweep"):
        return [(t["state"], t["attempts"]) for t in self.head.json("trials", name)["trials"]]

    def refuses(self, text):
        """The trial waits, and `explain` says why; now and then it is tried again."""
        wait(lambda: text in self.head.json("explain", "sweep", "0")["text"], text)

    def finished(self, name="sweep"):
        return self.head.json("show", name)["state"] in ("finished", "stopped")

    def over_well(self, want, sha=None):
        wait(self.finished, "the study's end")
        equal("trials", self.trials_of(), want)
        for number in range(len(want) if sha else 0):
            has("what came", self.head.run("logs", "sweep", str(number))[0], f"{sha}  big")
        for worker in self.workers.values():
            worker.send_signal(signal.SIGTERM)
        equal("the workers' ends", {w.wait() for w in self.workers.values()}, {0})
        wait(lambda: not self.left(), "what is left to go")  # large files do so in turns


def counted(node, direction):
    """Bytes that its card has seen."""
    text = hosts.run("ip", "-n", node.space, "-s", "-j", "link", "show", "eth0")
    return json.loads(text)[0]["stats64"][direction]["bytes"]


def memory(process):
    """The most that it has had."""
    with open(f"/proc/{process.pid}/status") as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith("VmHWM:"))


def has_open(process, path):
    folder = f"/proc/{process.pid}/fd"
    for fd in os.listdir(folder):
        try:
            if os.readlink(os.path.join(folder, fd)) == path:
                return True
        except OSError:
            pass
    return False


def a_chunk_may_take_longer_than_silence_is_borne():
    """A MiB every 13 s; a link that is silent for 10 s is given up, the first time."""
    with Site() as site:
        _, sha = site.file(MIB * 5 // 4)
        site.nodes[0].slow("640kbit")
        site.begin()
        site.over_well([("complete", 1)], sha)


def a_broken_download_goes_on_where_it_was():
    with Site(settings="lost_after: 60s\n") as site:
        node, = site.nodes
        _, sha = site.file(24 * MIB)
        node.slow("16mbit")
        before = counted(node, "rx")
        site.begin()
        wait(lambda: site.arrived(node) >= 12 * MIB, "half of it")
        node.cut()
        node.slow(None)
        wait(lambda: "bulk socket is silent" in site.log(node), "it to be noticed")
        node.heal()
        site.over_well([("complete", 1)], sha)
        got = counted(node, "rx") - before
        if not 24 * MIB < got < 34 * MIB:
            raise AssertionError(f"{got} bytes came for a file of {24 * MIB}")


def a_broken_upload_goes_on_where_it_was():
    with Site(settings="lost_after: 60s\n") as site:
        node, = site.nodes
        with open(PROGRAM) as file:
            site.write(os.path.join(site.head.path, "program.py"), file.read())
        node.slow("16mbit")
        before = counted(node, "tx")
        site.submit(CHECKPOINT.format(python=sys.executable, records=site.records, size=24 * MIB))
        wait(lambda: site.parts(os.path.join(site.home, "artifacts")) >= 12 * MIB, "half of it")
        node.cut()
        node.slow(None)
        wait(lambda: "bulk socket is silent" in site.log(node), "it to be noticed")
        node.heal()
        wait(lambda: site.stored("checkpoint"), "the checkpoint")
        site.over_well([("complete", 1)])
        sent = counted(node, "tx") - before
        if not 24 * MIB < sent < 34 * MIB:
            raise AssertionError(f"{sent} bytes left for a checkpoint of {24 * MIB}")


def a_worker_that_stops_in_the_middle_holds_up_nobody():
    """Neither does what waits for it stay in memory, or the file open, for ever."""
    with Site("abc") as site:
        stalled, other = site.nodes
        path, sha = site.file(96 * MIB)
        before = memory(site.coordinator)
        stalled.slow("80mbit")
        site.begin(trials=2)
        wait(lambda: site.arrived(stalled) >= 8 * MIB, "some of it")
        site.workers[stalled].send_signal(signal.SIGSTOP)
        wait(lambda: "complete" in [t for t, _ in site.trials_of()], "the other one's trial")
        wait(lambda: site.finished(), "both trials")
        wait(lambda: not has_open(site.coordinator, path), "the file to be closed")
        grown = memory(site.coordinator) - before
        if grown > 64 * MIB:
            raise AssertionError(f"the coordinator has grown by {grown} bytes")
        site.workers[stalled].send_signal(signal.SIGCONT)
        wait(lambda: {w["state"] for w in site.head.json("workers")["workers"]} == {"ready"},
             "it to be back")
        equal("attempts", sorted(n for _, n in site.trials_of()), [1, 2])
        stalled.slow(None)
        site.over_well([("complete", n) for _, n in site.trials_of()], sha)


def a_file_that_a_cache_cannot_hold_is_refused_by_name():
    """Before any byte of it leaves; the trial waits for a worker that can."""
    with Site(cache="256MiB") as site:
        site.sparse(768 * MIB)
        before = counted(site.nodes[0], "rx")
        site.begin()
        site.refuses("big' has 768 MiB, more than this worker's cache may hold: 256 MiB; give it "
                     "a larger 'cache_size'")
        if counted(site.nodes[0], "rx") - before > 10 * MIB:
            raise AssertionError("it came")
        site.head.run("stop", "sweep")
        wait(site.finished, "the study's end")
        equal("nothing ran", site.stored("started"), 0)


def files_that_no_trial_could_copy_are_refused_at_once():
    with Site(settings="files_limit: 16MiB\n") as site:
        path = site.sparse(16 * MIB + 1)
        site.write(os.path.join(site.head.path, "study.yaml"),
                   STUDY.format(name="sweep", file="big", trials=1, then=""))
        _, err = site.head.run("submit", os.path.join(site.head.path, "study.yaml"), code=2)
        has("why", err, f"of which each trial gets a copy, have more than 16 MiB with '{path}'; "
            "'files_limit' may allow more")
        site.sparse(16 * MIB)
        site.begin()
        site.over_well([("complete", 1)])


def files_that_a_worker_will_not_copy_wait_for_another_one():
    with Site(theirs="files_limit: 8MiB\n") as site:
        site.file(9 * MIB)
        site.begin()
        site.refuses("'files' have more than this worker copies")
        site.refuses("give it a larger 'files_limit'")
        site.head.run("stop", "sweep")
        wait(site.finished, "the study's end")
        equal("nothing ran", site.stored("started"), 0)


def files_that_a_cache_cannot_hold_together_are_refused():
    with Site(cache="8MiB") as site:
        site.file(6 * MIB)
        site.file(5 * MIB, "more")
        site.begin(file="big, more")
        site.refuses("more' has 11 MiB with the study's other files, more than this worker's cache")
        site.head.run("stop", "sweep")
        wait(site.finished, "the study's end")
        equal("nothing ran", site.stored("started"), 0)


def a_file_in_use_stays_in_a_cache_that_is_too_small():
    with Site(cache="8MiB") as site:
        node, = site.nodes
        site.workers[node].send_signal(signal.SIGTERM)
        equal("it leaves", site.workers[node].wait(), 0)
        site.start_worker(node, "--cores", "2")
        wait(lambda: [w["cores"] for w in site.head.json("workers")["workers"]] == [2], "it to be back")

        def cached():
            found = files_below(os.path.join(node.env["ASSAY_HOME"], "cache"))
            return {os.path.basename(f) for f in found if len(os.path.basename(f)) == 64}

        go = os.path.join(site.records, "go")
        _, first = site.file(6 * MIB)
        site.begin(name="one", then=f"while [ ! -e {go} ]; do sleep 0.05; done;")
        wait(lambda: site.stored("started") == 1, "the first to run")
        site.begin_beside("two", 5 * MIB)
        wait(lambda: site.finished("two"), "the second")
        equal("the first stays", first in cached(), True)
        site.write(go, "")
        wait(lambda: site.finished("one"), "the first")
        has("its file", site.head.run("logs", "one", "0")[0], first)
        third = site.begin_beside("three", 7 * MIB)
        wait(lambda: site.finished("three"), "the third")
        equal("what is there", cached(), {third})


def changes(how):
    with Site() as site:
        node, = site.nodes
        path, _ = site.file(24 * MIB)
        node.slow("16mbit")
        site.begin()
        wait(lambda: site.arrived(node) >= 8 * MIB, "some of it")
        with open(path, "r+b") as file:
            how(file)
        node.slow(None)
        wait(site.finished, "the study's end")
        equal("trials", site.trials_of(), [("failed", 1)])
        has("why", site.head.json("explain", "sweep", "0")["text"],
            "big' was changed since the study was submitted")
        equal("nothing ran with it", site.stored("started"), 0)


def a_file_that_is_written_to_on_its_way_is_named():
    changes(lambda file: (file.seek(20 * MIB), file.write(b"other bytes")))


def a_file_that_is_cut_on_its_way_is_named():
    changes(lambda file: file.truncate(10 * MIB))


def artifacts(site):
    """Bytes of checkpoints."""
    return site.parts(os.path.join(site.home, "artifacts", "??"), ".")


def moved(site):
    """Bytes that its processes have read and written (hashes, chunks, copies) less those of
    checkpoints, which are removed in turns."""
    total = -artifacts(site)
    for pid in site.processes():
        try:
            with open(f"/proc/{pid}/io") as file:
                total += sum(int(line.split()[1]) for line in file if "char" in line)
        except OSError:
            pass
    return total


def wait_while_it_moves(site, is_over):
    """However long that takes."""
    while not is_over():
        before = moved(site)
        wait(lambda: is_over() or abs(moved(site) - before) > 4 * MIB, "anything to move")


def takes_little_memory(study):
    """study(site) submits it."""
    with Site(cache="6GiB") as site:
        processes = [site.coordinator, *site.workers.values()]
        before = [memory(p) for p in processes]
        study(site)
        wait_while_it_moves(site, lambda: site.trials_of() and
                            site.trials_of()[0][0] in ("complete", "failed"))
        grown = [memory(p) - b for p, b in zip(processes, before)]
        if max(grown) > 64 * MIB:
            raise AssertionError(f"coordinator and worker have grown by {grown} bytes")
        wait_while_it_moves(site, lambda: site.finished() and not artifacts(site))
        site.over_well([("complete", 1)])


def a_large_file_takes_little_memory(size=256 * MIB):
    def study(site):
        site.sparse(size)
        site.begin(then=f'test $(stat -c %s big) = {size} || exit 1;')
    takes_little_memory(study)


def a_large_checkpoint_takes_little_memory(size=96 * MIB, folder=""):
    def study(site):
        site.write(os.path.join(site.head.path, "large.py"), LARGE)
        site.submit(LARGE_STUDY % (size, folder))
    takes_little_memory(study)


def a_large_folder_takes_little_memory(size=96 * MIB):
    a_large_checkpoint_takes_little_memory(size, folder="state")


def a_very_large_file_takes_no_more():
    a_large_file_takes_little_memory(LARGEST)


def a_very_large_checkpoint_takes_no_more():
    a_large_checkpoint_takes_little_memory(LARGEST)


def a_very_large_folder_takes_no_more():
    a_large_folder_takes_little_memory(LARGEST)


WHY_NOT = hosts.why_not()
if WHY_NOT:
    print(f"SKIPPED: there can be no hosts of their own here: {WHY_NOT}")
    sys.exit(hosts.SKIP)
cases = [a_worker_that_stops_in_the_middle_holds_up_nobody,
         a_chunk_may_take_longer_than_silence_is_borne, a_broken_download_goes_on_where_it_was,
         a_broken_upload_goes_on_where_it_was, a_file_that_a_cache_cannot_hold_is_refused_by_name,
         files_that_a_cache_cannot_hold_together_are_refused,
         files_that_no_trial_could_copy_are_refused_at_once,
         files_that_a_worker_will_not_copy_wait_for_another_one,
         a_file_in_use_stays_in_a_cache_that_is_too_small,
         a_file_that_is_written_to_on_its_way_is_named, a_file_that_is_cut_on_its_way_is_named,
         a_large_file_takes_little_memory, a_large_checkpoint_takes_little_memory,
         a_large_folder_takes_little_memory]
word = sys.argv[3] if len(sys.argv) > 3 else ""
if word == "large":
    main(a_very_large_file_takes_no_more, a_very_large_checkpoint_takes_no_more,
         a_very_large_folder_takes_no_more)
main(*[case for case in cases if word in case.__name__], at_once=4)
