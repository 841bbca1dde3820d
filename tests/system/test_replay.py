# SPDX-License-Identifier: Apache-2.0
"""`assay replay`: studies of each sampler with workers side by side follow from their logs, also over
the death of the coordinator; what was changed in the store is found."""
import json
import os
import signal
import sqlite3
import struct

from harness import Home, equal, has, main, wait

STUDY = """
assay: 1
name: {name}
retries: 0
run:
  command: [awk, -v, "a={{a}}", -v, "b={{b}}", -v, "c={{c}}", -f, values.awk]
  metrics: {{pattern: 'loss=(?<loss>\\S+) other=(?<other>\\S+)'}}
objective: {objective}
parameters:
  a: {{min: 1e-4, max: 1.0, scale: log}}
  b: {{min: 0, max: 9}}
  c: {{{c}}}
search: {{sampler: {sampler}, seed: 4, enqueue: [{{a: 0.5}}]{search}}}
budget: {{trials: {trials}}}
"""
ONE = "{metric: loss, goal: minimize}"
TWO = "[{metric: loss, goal: minimize}, {metric: other, goal: maximize}]"
# Trials that fail and that take their time are among them. With a file `stay`, those from the sixth
# on wait until it is gone.
AWK = """BEGIN {
    while (ENVIRON["ASSAY_TRIAL"] > 4 && system("test ! -e stay"))
        system("sleep 0.05")
    if (b == 7)
        exit 1
    for (i = 0; i < 20000 * (b % 4); i++)
        x += sin(i)
    printf "loss=%.9f other=%.9f\\n", log(a) * log(a) + b / 20 + (c == "v"), a * b
}
"""
CHOICES = "values: [u, v, w]"


def start(home, name, sampler, **more):
    what = {"trials": 40, "objective": ONE, "c": CHOICES, "search": ""} | more
    home.write("values.awk", AWK)
    home.write("study.yaml", STUDY.format(name=name, sampler=sampler, **what))


def follows(home, name, trials):
    got = home.json("replay", name)
    equal(name, [got["result"], got["suggestions"], got["difference"]], ["follows", trials, None])
    has("line", home.run("replay", name)[0], f"{trials} suggestions")
    return got


def every_sampler_follows():
    with Home() as home:
        cases = {"random": {}, "tpe": {}, "qmc": {}, "gp": {}, "nsga2": {"objective": TWO},
                 "nsga3": {"objective": TWO}, "cma": {}, "auto": {"c": "min: 0.0, max: 1.0"},
                 "grid": {}, "brute_force": {}}
        for sampler, more in cases.items():
            name = sampler.replace("_", "-")
            start(home, name, sampler, **more)
            if sampler in ("grid", "brute_force"):
                path = os.path.join(home.path, "study.yaml")
                with open(path, encoding="utf-8") as f:
                    text = f.read().replace("{min: 1e-4, max: 1.0, scale: log}",
                                            "{values: [0.5, 0.25]}")
                home.write("study.yaml", text)
            home.run("run", "study.yaml", "--cores", "4", code=None)
            equal("enqueued", follows(home, name, 40)["enqueued"], 1)


def a_study_that_begins_with_an_earlier_one_follows():
    with Home() as home:
        start(home, "earlier", "tpe")
        home.run("run", "study.yaml", "--cores", "4", code=None)
        start(home, "later", "{name: tpe, startup_trials: 4}")
        path = os.path.join(home.path, "study.yaml")
        with open(path, encoding="utf-8") as f:
            text = f.read().replace("enqueue: [{a: 0.5}]", "from: earlier")
        home.write("study.yaml", text)
        home.run("run", "study.yaml", "--cores", "4", code=None)
        equal("its first points are given", follows(home, "later", 40)["enqueued"] >= 1, True)


def deterministic_studies_follow():
    with Home() as home:
        start(home, "lagged", "tpe", search=", deterministic: true, lag: 4")
        home.run("run", "study.yaml", "--cores", "4", code=None)
        follows(home, "lagged", 40)


def ended(home):
    """Attempts that have."""
    return home.store().execute("SELECT count(*) FROM event WHERE kind = 10").fetchone()[0]


def a_sampler_that_was_built_anew_knew_what_is_recorded():
    """The coordinator dies in the middle, twice; a new one goes on."""
    for sampler in ("tpe", "gp", "auto"):
        with Home() as home:
            home.run("up", "--cores", "4")
            start(home, sampler, sampler, trials=60,
                  c="min: 0.0, max: 1.0" if sampler == "auto" else CHOICES)
            home.run("submit", "study.yaml")
            for part in (15, 35):
                wait(lambda: ended(home) >= part, "trials to end")
                for pid in home.processes("assay-coordinat"):
                    os.kill(pid, signal.SIGKILL)
            wait(lambda: home.json("show", sampler)["state"] == "finished", "the end")
            follows(home, sampler, 60)
            home.run("down")


def a_study_with_a_greater_budget_goes_on_as_it_began():
    with Home() as home:
        start(home, "longer", "auto", c="min: 0.0, max: 1.0", trials=9)
        home.write("short.yaml", open(os.path.join(home.path, "study.yaml")).read())
        home.write("stay", "")
        home.run("submit", "short.yaml")
        wait(lambda: ended(home) >= 5, "trials to end")
        home.run("pause", "longer")
        os.unlink(os.path.join(home.path, "stay"))
        start(home, "longer", "auto", c="min: 0.0, max: 1.0", trials=30)
        home.run("run", "study.yaml", "--resume", code=None)
        got = home.json("replay", "longer")
        equal("result", got["result"], "follows")


# ---- what was changed is found -------------------------------------------------------------------

def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if not byte & 128:
            return value, at


def put_varint(value):
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def change_created(body, change):
    """The fields of TrialCreated within an Event, by number, through change()."""
    tag, at = varint(body, 0)
    equal("trial_created", tag, 4 << 3 | 2)
    size, at = varint(body, at)
    fields, end = [], at + size
    while at < end:
        tag, at = varint(body, at)
        if tag & 7 == 2:
            size, at = varint(body, at)
            fields.append([tag, body[at:at + size]])
            at += size
        else:
            value, at = varint(body, at)
            fields.append([tag, value])
    out = b""
    for tag, value in change(fields):
        out += put_varint(tag)
        out += put_varint(value) if isinstance(value, int) else put_varint(len(value)) + value
    return put_varint(4 << 3 | 2) + put_varint(len(out)) + out


def rewrite(home, trial, change):
    path = os.path.join(home.env["ASSAY_HOME"], "store", "assay.db")
    store = sqlite3.connect(path)
    rows = store.execute("SELECT seq, trial, body FROM event WHERE kind = 4 ORDER BY seq").fetchall()
    for number, (seq, _, body) in enumerate(rows):
        if trial is None or number == trial:
            store.execute("UPDATE event SET body = ? WHERE seq = ?",
                          (change_created(body, change), seq))
    store.commit()
    store.close()


def stop_all(home):
    home.run("down", code=None)
    wait(lambda: not home.processes("assay-coordinat"), "the coordinator to end")


def a_changed_point_is_named():
    with Home() as home:
        start(home, "changed", "tpe")
        home.run("run", "study.yaml", "--cores", "4", code=None)
        stop_all(home)
        was = {}

        def change(fields):
            for field in fields:
                if field[0] >> 3 == 2:
                    a = struct.unpack("<d", field[1][:8])[0]
                    was["a"] = a
                    field[1] = struct.pack("<d", a * 0.75 + 1e-5) + field[1][8:]
            return fields

        rewrite(home, 23, change)
        out = home.run("replay", "changed", code=1)[0]
        has("trial", out, "study 'changed' does not follow from its log: trial 23 has a ")
        has("knew", out, "; its sampler knew the log up to event ")
        has("before", out, "before it 23 suggestions follow")
        got = json.loads(home.run("replay", "changed", "--json", code=1)[0])
        equal("result", [got["result"], got["difference"]["trial"],
                         got["difference"]["parameter"]], ["differs", 23, "a"])
        stop_all(home)
        rewrite(home, 23, lambda fields: [
            [tag, struct.pack("<d", was["a"]) + value[8:] if tag >> 3 == 2 else value]
            for tag, value in fields])
        follows(home, "changed", 40)


def other_knowledge_gives_other_points():
    """The record of what was known counts: with less of it the points are others."""
    with Home() as home:
        start(home, "blind", "{name: tpe, startup_trials: 2}")
        home.run("run", "study.yaml", "--cores", "2", code=None)
        stop_all(home)
        knew = []

        def note(fields):
            knew.append(dict((tag >> 3, value) for tag, value in fields)[6])
            return fields

        def less(fields):
            return [[tag, knew[12] if tag >> 3 == 6 else value] for tag, value in fields]

        rewrite(home, None, note)
        for trial in range(13, 40):
            rewrite(home, trial, less)
        has("point", home.run("replay", "blind", code=1)[0], " on record, but its sampler gives ")
        stop_all(home)
        for trial in range(13, 39):
            rewrite(home, trial, lambda fields: [
                [tag, knew[trial] if tag >> 3 == 6 else value] for tag, value in fields])
        has("order", home.run("replay", "blind", code=1)[0],
            f"trial 39 has a sampler on record that knew event {knew[12]}, but the one before it ")


def a_store_of_an_older_version_proves_nothing():
    with Home() as home:
        start(home, "old", "tpe")
        home.run("run", "study.yaml", "--cores", "4", code=None)
        stop_all(home)
        for trial in range(12):
            rewrite(home, trial, lambda fields: [f for f in fields if f[0] >> 3 not in (6, 7)])
        out = home.run("replay", "old", code=1)[0]
        has("line", out, "cannot be proven: 12 of 40 trials were made by an older version")
        has("rest", out, "28 suggestions")


def unknown_studies_are_named():
    with Home() as home:
        has("none", home.run("replay", "none", code=1)[1], "no study 'none'")


main(every_sampler_follows, a_study_that_begins_with_an_earlier_one_follows,
     deterministic_studies_follow,
     a_sampler_that_was_built_anew_knew_what_is_recorded,
     a_study_with_a_greater_budget_goes_on_as_it_began, a_changed_point_is_named,
     other_knowledge_gives_other_points, a_store_of_an_older_version_proves_nothing,
     unknown_studies_are_named)
