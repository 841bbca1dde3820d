# SPDX-License-Identifier: Apache-2.0
"""Holds a store, read behind the coordinator's back, against the promises, and against what the
programs of a sweep were told (the records of program.py).

    one end per trial           exactly one terminal state, the last one
    one lease at a time         attempts are numbered 1, 2, ... with rising epochs, each is ended once,
                                before the next is leased, and says nothing after its end
    the newest checkpoint       a lease names the newest checkpoint that is stored, and a program was
                                given that one
    nothing acknowledged lost   what was answered durable is stored, as it was said, and nothing is
                                stored that was not said
    nothing executed unleased   each attempt that ran was leased, and ran once
    one lineage                 the metric table has what the attempts made of it
    whole logs                  all that an attempt printed before its agent told of its end
    nothing left                no file of a checkpoint, of a transfer or of an attempt's work
"""
import collections
import hashlib
import json
import os
import struct

KINDS = {4: "trial-created", 5: "trial-state", 6: "leased", 7: "started", 8: "report",
         9: "checkpoint", 10: "ended", 11: "superseded", 12: "worker-joined", 13: "worker-gone"}
STATES = {1: "queued", 2: "leased", 3: "running", 4: "paused", 5: "complete", 6: "pruned",
          7: "failed", 8: "cancelled"}
TERMINAL = {"complete", "pruned", "failed", "cancelled"}
ENDS = {1: "complete", 2: "paused", 3: "stopped", 4: "diverged", 5: "crashed", 6: "lost",
        7: "preempted", 8: "refused"}
# What may be followed by another attempt.
GOES_ON = {"paused", "crashed", "lost", "preempted", "refused"}

Event = collections.namedtuple("Event", "seq trial attempt kind body")


# ---- bodies: protobuf, field numbers of proto/wire/assay.proto --------------------------------

def fields(data):
    """{number: [values]}: numbers of varints, floats of 64-bit fields, bytes of the rest."""
    found, at = collections.defaultdict(list), 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        key = varint()
        if key & 7 == 0:
            value = varint()
        elif key & 7 == 1:
            value = struct.unpack_from("<d", data, at)[0]
            at += 8
        elif key & 7 == 2:
            size = varint()
            value = data[at:at + size]
            at += size
        else:
            raise ValueError(f"wire type {key & 7}")
        found[key >> 3].append(value)
    return found


def one(message, number, default=0):
    return message[number][0] if number in message else default


def checkpoint(data):
    message = fields(data)
    return one(message, 1), one(message, 2)  # attempt, step


def read_body(kind, data):
    message = fields(one(fields(data), kind, b""))
    if kind == 5:
        return {"state": STATES[one(message, 1)], "cause": one(message, 2),
                "text": one(message, 3, b"").decode()}
    if kind == 6:
        return {"epoch": one(message, 2), "milestone": one(message, 4),
                "from": checkpoint(one(message, 6, b""))}
    if kind == 8:
        metrics = [fields(m) for m in message[3]]
        return {"report": one(message, 1), "step": one(message, 2),
                "metrics": {one(m, 1).decode(): one(m, 2, float("nan")) for m in metrics}}
    if kind == 9:
        attempt, step = checkpoint(one(message, 2, b""))
        return {"report": one(message, 1), "from": attempt, "step": step}
    if kind == 10:
        return {"report": one(message, 1), "end": ENDS[one(message, 2)], "cause": one(message, 3),
                "text": one(message, 4, b"").decode()}
    if kind == 11:
        return {"report": one(message, 1), "was": one(message, 2), "step": one(message, 3)}
    if kind == 13:
        return {"cause": one(message, 2)}
    if kind == 7:
        return {"report": one(message, 1)}
    return {}


# ---- the store --------------------------------------------------------------------------------

class Failure(AssertionError):
    pass


def need(condition, *what):
    if not condition:
        raise Failure(" ".join(str(w) for w in what))


class History:
    """All events of the one study of a store, in order; and its tables."""

    def __init__(self, store):
        ids = [row[0] for row in store.execute("select id from study")]
        need(len(ids) == 1, "one study is expected, there are", len(ids))
        self.study = ids[0]
        self.store = store
        self.events = [Event(seq, trial, attempt, KINDS.get(kind, kind), read_body(kind, body))
                       for seq, trial, attempt, kind, body in store.execute(
                           "select seq, trial, attempt, kind, body from event order by seq")]
        self.trials = sorted(e.trial for e in self.events if e.kind == "trial-created")

    def of(self, trial):
        return [e for e in self.events if e.trial == trial]

    def run(self, trial):
        return self.study * 2**32 + trial + 1

    def ends(self):
        """How often attempts ended how."""
        return collections.Counter(e.body["end"] for e in self.events if e.kind == "ended")

    def metrics(self, trial, table="metric"):
        return sorted(self.store.execute(
            f"select w.text, m.step, m.value from {table} m join word w on w.id = m.name "
            "where m.run = ? and m.attempt > 0", (self.run(trial),)))

    def tables(self):
        """What came out of each trial, one entry a fact; all but how fast it went."""
        found = {}
        for trial in self.trials:
            found[trial] = self.store.execute("select state, value, params from run where id = ?",
                                              (self.run(trial),)).fetchone()
            found.update({(trial, name, step): value for name, step, value in self.metrics(trial)
                          if name != "samples_per_s"})
        return found


# ---- the promises -----------------------------------------------------------------------------

def check_states(history, trial, events):
    states = [e.body["state"] for e in events if e.kind == "trial-state"]
    ends = [s for s in states if s in TERMINAL]
    need(len(ends) == 1, "trial", trial, "has", len(ends), "ends:", states)
    need(states[-1] == ends[0], "trial", trial, "went on after its end:", states)
    row = history.store.execute("select state, attempts from run where id = ?",
                                (history.run(trial),)).fetchone()
    need(STATES[row[0]] == ends[0], "trial", trial, "is", STATES[row[0]], "after", ends[0])
    leases = sum(e.kind == "leased" for e in events)
    need(row[1] == leases, "trial", trial, "counts", row[1], "attempts of", leases)


def check_attempts(trial, events):
    """Returns the metrics that should be there, and how many were undone."""
    number = epoch = reports = undone = 0
    newest, is_open, table = (0, 0), False, {}
    last_end = None
    for e in events:
        where = f"trial {trial} attempt {e.attempt} event {e.seq}:"
        if e.kind == "leased":
            need(not is_open, where, "leased while attempt", number, "is open")
            need(last_end is None or last_end in GOES_ON, where, "leased after", last_end)
            need(e.attempt == number + 1, where, "follows attempt", number)
            need(e.body["epoch"] > epoch, where, "epoch", e.body["epoch"], "after", epoch)
            need(e.body["from"] == newest, where, "starts from", e.body["from"], "not", newest)
            number, epoch, reports, is_open = e.attempt, e.body["epoch"], 0, True
            kept = {k: v for k, v in table.items() if k[1] <= newest[1]}
            undone += len(table) - len(kept)
            table = kept
        elif e.kind in ("started", "report", "checkpoint", "ended"):
            need(is_open and e.attempt == number, where, e.kind, "of a closed attempt")
            if e.body["report"]:  # 0: the coordinator's own word
                need(e.body["report"] == reports + 1, where, "report", e.body["report"], "after",
                     reports)
                reports += 1
        if e.kind == "report":
            for name, value in e.body["metrics"].items():
                table[name, e.body["step"]] = value
        elif e.kind == "checkpoint":
            need(e.body["from"] == e.attempt, where, "claims to be of", e.body["from"])
            newest = (e.attempt, e.body["step"])
        elif e.kind == "ended":
            is_open, last_end = False, e.body["end"]
    need(not is_open, "trial", trial, "has an open attempt")
    return table, undone


def check_metrics(history, trial, table, undone):
    got = history.metrics(trial)
    want = sorted((name, step, value) for (name, step), value in table.items())
    need(got == want, "trial", trial, "metrics:", got, "want", want)
    rows = len(history.metrics(trial, "metric_superseded"))
    need(rows == undone, "trial", trial, "has", rows, "superseded metrics, want", undone)


def read_record(path):
    with open(path, encoding="utf-8") as file:
        lines = file.read().split("\n")
    return [json.loads(line) for line in lines[:-1]]  # the last may be torn: its writer was killed


def check_record(trial, attempt, record, events):
    """What one attempt said and heard."""
    where = f"trial {trial} attempt {attempt}:"
    lease = [e for e in events if e.kind == "leased" and e.attempt == attempt]
    need(len(lease) == 1, where, "ran, but was leased", len(lease), "times")
    starts = [line["state"] for line in record if "start" in line]
    need(len(starts) <= 1, where, "ran", len(starts), "times")
    if starts:
        state = starts[0]
        got = (state.get("attempt", 0), state["step"])
        need(got == lease[0].body["from"], where, "was given", got, "for", lease[0].body["from"])
    said, durable = [], 0
    for line in record:
        if "said" in line:
            said.append(line["said"])
        elif "heard" in line:
            need("error" not in line["heard"], where, "heard", line["heard"])
            durable = max(durable, line["heard"].get("durable", 0))
    stored = [e for e in events
              if e.attempt == attempt and e.kind in ("report", "checkpoint")]
    need(durable <= len(said), where, durable, "durable of", len(said))
    need(len(stored) >= durable, where, durable, "were durable,", len(stored), "are stored")
    need(len(stored) <= len(said), where, len(stored), "stored of", len(said))
    for line, e in zip(said, stored):
        need(line["step"] == e.body["step"] and
             ("checkpoint" in line) == (e.kind == "checkpoint") and
             line.get("metrics", {}) == e.body.get("metrics", {}), where, line, "stored as", e)
    return durable


def check_records(history, folder):
    """Returns how many lines were answered durable."""
    durable = 0
    for name in sorted(os.listdir(folder)):
        trial, attempt = (int(part) for part in name.split("-"))
        durable += check_record(trial, attempt, read_record(os.path.join(folder, name)),
                                history.of(trial))
    return durable


def check_logs(history, records, logs):
    """logs: the folder of the study's, at the coordinator."""
    told = {(e.trial, e.attempt) for e in history.events if e.kind == "ended" and e.body["report"]}
    for name in sorted(os.listdir(records)):
        trial, attempt = (int(part) for part in name.split("-"))
        lines = read_record(os.path.join(records, name))
        printed = "".join(line["printed"] for line in lines if "printed" in line)
        path = os.path.join(logs, str(trial), str(attempt), "stdout")
        if (trial, attempt) not in told or not printed:
            continue
        need(os.path.exists(path), "trial", trial, "attempt", attempt, "has no log")
        with open(path, encoding="utf-8") as file:
            text = file.read()
        need(text.startswith(printed), "trial", trial, "attempt", attempt, "printed", repr(printed),
             "its log has", repr(text))


def check_artifacts(history):
    """Each is what its row says. Returns how many there are of each name."""
    found = {}
    for name, path, sha in history.store.execute("select name, path, sha from artifact"):
        with open(path, "rb") as file:
            need(hashlib.sha256(file.read()).digest() == sha, path, "is another file")
        found[name] = found.get(name, 0) + 1
    return found


def leftovers(home):
    """What should not be there once all studies and workers have ended."""
    found = []
    for at, folders, files in os.walk(home):
        inside = os.path.relpath(at, home).split(os.sep)[0]
        found += [os.path.join(at, name) for name in folders + files
                  if ".part-" in name or inside == "work" or
                  (inside == "artifacts" and len(name) > 64)]
    return found


def check(store, trials, records=None):
    """Raises Failure; returns the History."""
    history = History(store)
    need(history.trials == list(range(trials)), "trials", history.trials, "of", trials)
    for trial in history.trials:
        events = history.of(trial)
        check_states(history, trial, events)
        check_metrics(history, trial, *check_attempts(trial, events))
    history.durable = check_records(history, records) if records else 0
    return history
