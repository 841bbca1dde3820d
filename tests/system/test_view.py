# SPDX-License-Identifier: Apache-2.0
"""What a person sees of a study: lines in a pipe, a picture on a terminal, events as JSON, the last
screen, pages and models."""
import fcntl
import hashlib
import json
import os
import pty
import re
import select
import signal
import struct
import termios
import time

from harness import BIN, PATIENCE_S, SOURCE, Home, equal, has, main, wait

# Reports at step 1, then waits for the gate to open, then reports at step 2.
STUDY = """
assay: 1
name: gated
retries: 0
run:
  command: [sh, -c, 'echo "step=1 loss={x}"; while [ ! -e %s ]; do sleep 0.05; done; %s']
  metrics: {pattern: 'step=(?<step>\\d+) loss=(?<loss>\\S+)'}
  length: {unit: epochs, max: 2}
objective: {metric: loss, goal: minimize}
parameters:
  x: {min: 0.25, max: 1.0}
  kind: {values: [a, b]}
  extra: {min: 1.0, max: 2.0, when: {kind: a}}
search: {sampler: random, seed: 3}
budget: {trials: %d}
"""
GOOD = 'echo "step=2 loss={x}"'
CODES = re.compile(r"\033\[[0-9;]*[A-Za-z]")


def gated(home, trials=3, then=GOOD):
    gate = os.path.join(home.path, "gate")
    home.write("study.yaml", STUDY % (gate, then, trials))
    return gate


def reports(home):
    path = os.path.join(home.env["ASSAY_HOME"], "store", "assay.db")
    if not os.path.exists(path):
        return 0
    try:
        return home.store().execute("select count(*) from event where kind = 8").fetchone()[0]
    except Exception:
        return 0


def without(text, *parts):
    for part in parts:
        if part in text:
            raise AssertionError(f"{part!r} is in {text!r}")


def a_pipe_gets_lines():
    with Home() as home:
        open(gated(home), "w").close()
        out, err = home.run("run", "study.yaml")
        has("the condition is whole", err, "when kind = a\n")
        has("slots", err, "at a time, each 1 core")
        has("a trial starts", out, "trial 0 starts: x=0.")
        has("a trial ends", out, "trial 2 complete at epoch 2: loss 0.")
        has("the best is marked", out, "(best so far)")
        has("the last screen", out, "study    gated finished after ")
        has("what to type next", out, "assay best gated")
        without(out + err, "\033", "nan", "\r")
        for number in re.findall(r"\d\.\d+", out):
            if len(number.lstrip("0.").replace(".", "")) > 5:
                raise AssertionError(f"{number} has more than five digits")


def failures_are_grouped_with_what_to_do():
    with Home() as home:
        open(gated(home, then="echo no coffee >&2; exit 3"), "w").close()
        out, err = home.run("run", "study.yaml", code=1)
        has("each", out, "trial 1 failed at epoch 1; ")
        has("grouped", out, "3 failed: ")
        has("an example", out, "such as trial 0: ")
        has("its reason", out, "no coffee")
        has("what to do", out, "to do: ")
        has("no result", out, "none: no trial ran to its end")
        has("not a success", out, "study    gated finished without a result after ")
        has("in the end", err, "assay: 'gated' has no result: no trial is complete")
        has("what to type next", out, "assay explain gated")
        has("and", out, "assay logs gated 0 --stderr")
        without(out, "assay best")


def the_limit_that_left_no_result_is_named():
    with Home() as home:
        gated(home)
        with open(os.path.join(home.path, "study.yaml")) as file:
            text = file.read()
        home.write("study.yaml", text.replace("budget: {trials: 3}", "budget: {time: 1s}"))
        out, _ = home.run("run", "study.yaml")
        has("no result", out, "study    gated finished without a result after ")
        has("the limit", out, "to do: a larger budget.time, or shorter trials (run.length)")
        without(out, "budget.trials")


def the_best_is_the_result():
    """A trial that does not end is no result, however good it was; it is named all the same."""
    with Home() as home:
        home.write("study.yaml", """
assay: 1
name: half
run:
  command:
    [sh, -c, 'if [ $ASSAY_TRIAL = 0 ]; then echo step=1 loss=1; sleep 1000; fi; echo step=2 loss=5']
  metrics: {pattern: 'step=(?<step>\\d+) loss=(?<loss>\\S+)'}
  length: {unit: epochs, max: 2}
  grace: 1s
objective: {metric: loss, goal: minimize}
parameters: {x: {min: 0.0, max: 1.0}}
search: {sampler: random}
budget: {trials: 2}
""")
        home.run("submit", "study.yaml")
        wait(lambda: reports(home) == 2, "a report of both")
        home.run("stop", "half", "0")
        out, _ = home.run("watch", "half")
        has("the result", out, "best     trial 1, ended at epoch 2")
        has("the better one", out, "better, but no result: trial 0 had 1 and is cancelled at epoch 1")
        equal("best", [t["number"] for t in home.json("best", "half")["trials"]], [1, 0])
        home.run("down")


def json_has_every_event_once():
    with Home() as home:
        gate = gated(home)
        home.run("submit", "study.yaml")
        watch = home.start("watch", "gated", "--json")
        wait(lambda: reports(home) >= 1, "a report")
        open(gate, "w").close()
        out, err = watch.communicate(timeout=2 * PATIENCE_S)
        equal(f"exit: {err}", watch.returncode, 0)
        events = [json.loads(line) for line in out.splitlines()]
        seqs = [e["seq"] for e in events]
        equal("in order, none twice", seqs, sorted(set(seqs)))
        stored = [row[0] for row in home.store().execute(
            "select seq from event where study != 0 and seq <= ? order by seq", (seqs[-1],))]
        equal("none is missing", seqs, stored)
        equal("the last one", (events[-1]["kind"], events[-1]["state"]), ("study-state", "finished"))
        home.run("down")


class Terminal:
    """A command on a terminal of a given size."""

    def __init__(self, home, columns, lines, *args, **env):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
            os.chdir(home.path)
            os.execve(os.path.join(BIN, "assay"), ["assay", *args],
                      {**home.env, "TERM": "xterm", "LC_ALL": "C.UTF-8", **env})
        self.text = ""

    def resize(self, columns, lines):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def read(self):
        """What there is to read; False at the end."""
        if not select.select([self.fd], [], [], 0.1)[0]:
            return True
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            data = b""
        self.text += data.decode(errors="replace")
        return bool(data)

    def frame(self):
        """The lines of the last whole picture."""
        frames = self.text.split("\033[J")
        if len(frames) < 2:
            return []
        return [CODES.sub("", line).strip("\r")
                for line in re.split(r"\033\[\d+A\r", frames[-2])[-1].splitlines()]

    def until(self, condition, what):
        limit = time.monotonic() + PATIENCE_S
        while not condition():
            if not self.read() or time.monotonic() > limit:
                raise AssertionError(f"waited in vain for {what}: {self.text[-3000:]!r}")

    def end(self):
        while self.read():
            pass
        _, status = os.waitpid(self.pid, 0)
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status)


def a_terminal_gets_a_picture():
    with Home() as home:
        gate = gated(home)
        run = Terminal(home, 80, 24, "run", "study.yaml")
        run.until(lambda: any("epoch 1 of 2" in line for line in run.frame()), "a running trial")
        has("colours", run.text, "\033[32m")
        has("the best", "\n".join(run.frame()), "best    loss 0.")
        has("what Ctrl-C does", "\n".join(run.frame()), "Ctrl-C: ")
        run.resize(40, 8)
        run.until(lambda: run.frame() and max(map(len, run.frame())) < 40, "a narrow picture")
        if len(run.frame()) >= 8:
            raise AssertionError(f"{len(run.frame())} lines on a terminal of 8")
        run.resize(120, 30)
        run.until(lambda: max(map(len, run.frame())) > 100, "a wide picture")
        open(gate, "w").close()
        equal("exit", run.end(), 0)
        has("the last screen", run.text, "gated finished after ")
        has("the picture stays", run.text, "3 of 3 trials")


def words_stay_whole_on_a_narrow_terminal():
    """What is too long for a line goes on below, in its column; a pipe gets it as it is."""
    with Home() as home:
        open(gated(home, then="echo no coffee >&2; exit 3"), "w").close()
        home.run("run", "study.yaml", code=1)
        for args in ("explain", "gated", "0"), ("config", "show"), ("doctor", "store", "sockets"):
            piped = home.run(*args)[0]
            run = Terminal(home, 60, 40, *args)
            equal(f"{args}", run.end(), 0)
            lines = run.text.replace("\r", "").splitlines()
            for line in lines:
                if len(line) > 60 and " " in line.strip():
                    raise AssertionError(f"{args}: {line!r} is too long")
            if len(lines) <= len(piped.splitlines()):
                raise AssertionError(f"{args}: no line was too long: {lines}")
            volatile = re.compile(r"\d|assay-\S+")
            equal(f"{args}", volatile.sub("", " ".join(run.text.split())),
                  volatile.sub("", " ".join(piped.split())))


def no_color_means_no_colours():
    with Home() as home:
        open(gated(home), "w").close()
        run = Terminal(home, 80, 24, "run", "study.yaml", NO_COLOR="1")
        equal("exit", run.end(), 0)
        equal("colours", re.findall(r"\033\[[0-9;]*m", run.text), [])
        has("drawn in place all the same", run.text, "\033[J")


def a_dumb_terminal_gets_lines():
    with Home() as home:
        open(gated(home), "w").close()
        run = Terminal(home, 80, 24, "run", "study.yaml", TERM="dumb")
        equal("exit", run.end(), 0)
        without(run.text, "\033")
        has("lines", run.text, "trial 0 starts: ")


def ctrl_c_says_what_it_does():
    with Home() as home:
        gated(home)
        with open(os.path.join(home.path, "study.yaml")) as f:
            text = f.read()
        home.write("study.yaml", text.replace("'echo", "'trap \"\" TERM; echo", 1)) # never drained
        run = Terminal(home, 80, 24, "run", "study.yaml")
        run.until(lambda: any("epoch 1 of 2" in line for line in run.frame()), "a running trial")
        os.write(run.fd, b"\x03")
        run.until(lambda: "Ctrl-C again" in run.text, "the drain")
        has("what it does", run.text, "running trials are stopped, they have no checkpoints")
        has("what it would do", run.text, "Ctrl-C: all ends; --resume begins running trials anew")
        os.write(run.fd, b"\x03")
        equal("exit", run.end(), 130)
        has("message", run.text, "ended at once")
        wait(lambda: not home.processes("assay"), "everything to end")


def words_of(pid):
    try:
        with open(f"/proc/{pid}/cmdline") as f:
            return f.read().split("\0")
    except OSError:
        return []


def what_was_started_is_started_again():
    with Home() as home:
        gate = gated(home)
        run = home.start("run", "study.yaml")
        wait(lambda: reports(home) >= 1, "a report")
        nodes = [pid for pid in home.processes("assay") if "node" in words_of(pid)]
        for pid in nodes + home.processes("assay-coordinat"):
            os.kill(pid, signal.SIGKILL)
        open(gate, "w").close()
        out, err = run.communicate(timeout=2 * PATIENCE_S)
        equal(f"exit\n{out}\n{err}", run.returncode, 0)
        has("last screen", out, "trials   3: 3 complete")
        home.run("down")


def pages_and_models_hold_what_is_recorded():
    file = f"{SOURCE}/examples/data/digits.csv.gz"
    with Home() as home:
        home.write("study.yaml", f"""
assay: 1
name: digits
run: {{model: mlp, length: {{unit: epochs, max: 2}}}}
data: {{file: {file}, label: -1}}
objective: {{metric: val_accuracy, goal: maximize}}
parameters: {{lr: {{min: 0.01, max: 0.1, scale: log}}}}
search: {{sampler: random, seed: 1}}
budget: {{trials: 2}}
""")
        out, _ = home.run("run", "study.yaml")
        with open(file, "rb") as f:
            digest = hashlib.sha256(f.read()).hexdigest()
        trial = home.json("show", "digits", "0")
        equal("data by content", [d["digest"] for d in trial["datasets"]], [digest])
        equal("rows", trial["datasets"][0]["profile"]["rows"], 1797)
        equal("metric", (trial["metric"], trial["unit"]), ("val_accuracy", "epochs"))
        equal("command", home.json("show", "digits")["command"], "assay run study.yaml")
        page, _ = home.run("show", "digits", "0")
        for part in ("trial     0 of digits complete", "seed      ", digest, "hardware  ",
                     "versions  ", "ATTEMPT", "METRIC", "val_accuracy", "ARTIFACT", "model"):
            has("page", page, part)
        has("all values", home.run("show", "digits", "0", "--all")[0], "STEP")
        home.run("export", "digits", "--model", "-o", "best.safetensors")
        best = home.json("show", "digits", str(home.json("show", "digits")["best_trial"]))
        model = [a for a in best["artifacts"] if a["name"] == "model"][0]
        with open(os.path.join(home.path, "best.safetensors"), "rb") as f:
            equal("the model", hashlib.sha256(f.read()).hexdigest(), model["sha256"])
        has("its path", out, model["path"])
        scores = home.store().execute(
            "select count(*) from metric where attempt = 0").fetchone()[0]
        home.run("watch", "digits")
        equal("scored once", home.store().execute(
            "select count(*) from metric where attempt = 0").fetchone()[0], scores)
        home.run("down")


main(a_pipe_gets_lines, failures_are_grouped_with_what_to_do,
     the_limit_that_left_no_result_is_named, the_best_is_the_result, json_has_every_event_once,
     a_terminal_gets_a_picture, words_stay_whole_on_a_narrow_terminal, no_color_means_no_colours, a_dumb_terminal_gets_lines,
     ctrl_c_says_what_it_does, what_was_started_is_started_again,
     pages_and_models_hold_what_is_recorded)
