# SPDX-License-Identifier: Apache-2.0
"""Exit codes and outputs of the command line."""
import json
import os
import re
import signal
import subprocess

from harness import BIN, Home, equal, has, main, wait

STUDY = """
assay: 1
name: long
run:
  command: [sh, -c, 'sleep 1000']
  grace: 1s
objective: {metric: loss, goal: minimize}
parameters:
  x: {min: 0.0, max: 1.0}
search: {sampler: random}
budget: {trials: 2}
"""

QUICK = """
assay: 1
name: quick
run:
  command: [echo, 'loss={x}']
  metrics: {pattern: 'loss=(?<loss>\\S+)'}
objective: {metric: loss, goal: minimize}
parameters:
  x: {min: 0.0, max: 1.0}
budget: {trials: 2}
"""


def usage_errors_exit_2():
    with Home() as home:
        has("near miss", home.run("shwo", code=2)[1], "did you mean 'show'")
        home.run("show", code=2)
        home.run("ls", "--frob", code=2)
        has("order", home.run("--json", "ls", code=2)[1], "options come after it")
        has("format", home.run("export", "x", "--format", "xml", code=2)[1], "csv, json, onnx or c, not 'xml'")
        has("help", home.run("--help")[0], "assay run")
        has("help", home.run("help", "study")[0], "parameters")


def version_names_every_program_and_library():
    programs = {
        "assay-coordinator": {"libc", "sqlite", "zeromq", "protobuf-c", "jansson", "libyaml",
                              "openssl", "pcre2"},
        "assay-worker": {"libc", "hwloc", "zeromq", "protobuf-c", "jansson", "libyaml", "openssl",
                         "pcre2"},
        "assay-attempt": {"libc"},
        "assay-trainer": {"libc", "openblas", "mpi", "jansson", "zlib", "protobuf-c"}}
    with Home() as home:
        text = home.run("--version")[0]
        about = home.json("--version")
        has("first line", text.splitlines()[0], f"assay {about['version']} ({about['commit']})")
        for name, libraries in programs.items():
            its = about["programs"][name]
            equal(f"version of {name}", its["version"], about["version"])
            equal(f"libraries of {name}", libraries - set(its["libraries"]), set())
            for library, version in its["libraries"].items():
                if not re.search(r"\d+\.\d+", version):
                    raise AssertionError(f"{name}: {library} has the version {version!r}")
                has(f"text of {library}", text, f"{library:10} {version}\n")
            out = subprocess.run([os.path.join(BIN, name), "--version"], capture_output=True,
                                 text=True, check=True).stdout
            has(f"{name} --version", out, f"{name} {about['version']} (")
        home.run("--version", "--frob", code=2)


def an_unknown_study_is_named():
    with Home() as home:
        has("message", home.run("show", "nothing", code=1)[1], "nothing")


def a_study_is_submitted_explained_and_stopped():
    with Home() as home:
        home.write("study.yaml", STUDY)
        equal("name", home.run("submit", "study.yaml")[0].strip(), "long")
        has("workers", str(home.json("workers")), "workers")
        home.json("explain", "long")
        home.json("explain", "long", "0")
        home.run("stop", "long")
        home.run("watch", "long")
        equal("state", home.json("show", "long")["state"], "stopped")
        has("csv", home.run("export", "long")[0], "params_x")
        equal("json", home.json("export", "long"), home.json("trials", "long"))
        has("- is stdout", home.run("export", "long", "-o", "-")[0], "params_x")
        equal("no file of that name", os.path.exists(os.path.join(home.path, "-")), False)
        home.run("down")


def a_log_is_told_line_by_line_in_json():
    """An object a line: of which attempt and stream; a line without an end, a long one too."""
    program = ("echo one; echo two >&2; head -c 70000 /dev/zero | tr '\\\\0' x; echo; "
               "head -c 65535 /dev/zero | tr '\\\\0' y; echo äöü; printf end; "
               "exit $((ASSAY_ATTEMPT < 2))")
    with Home() as home:
        home.write("study.yaml", QUICK.replace("[echo, 'loss={x}']", f"[sh, -c, \"{program}\"]")
                   .replace("trials: 2", "trials: 1").replace("name: quick", "name: quick\nretries: 1"))
        home.run("run", "study.yaml", code=1)
        for attempt in (1, 2):
            options = ("--attempt", "1") if attempt == 1 else ()
            lines = [json.loads(line) for line in
                     home.run("logs", "quick", "0", "--json", *options)[0].splitlines()]
            equal("attempt", {line["attempt"] for line in lines}, {attempt})
            equal("stderr", [line["text"] for line in lines if line["stream"] == "stderr"], ["two"])
            out = [line for line in lines if line["stream"] == "stdout"]
            equal("first", out[0], {"attempt": attempt, "stream": "stdout", "text": "one"})
            equal("in pieces", [("more" in line, set(line["text"])) for line in out[1:3]],
                  [(True, {"x"}), (False, {"x"})])
            equal("whole", len(out[1]["text"] + out[2]["text"]), 70000)
            equal("no character is cut", "".join(line["text"] for line in out[3:5]),
                  65535 * "y" + "äöü")
            equal("last", [line["text"] for line in out[5:]], ["end"])
        equal("alone", [json.loads(line)["text"] for line in
                        home.run("logs", "quick", "0", "--stderr", "--json")[0].splitlines()], ["two"])
        has("attempt", home.run("logs", "quick", "0", "--attempt", "9", code=1)[1],
            "trial 0 has no attempt 9")
        has("trial", home.run("logs", "quick", "7", code=1)[1], "study 'quick' has no trial 7")
        has("model", home.run("predict", "quick", "study.yaml", code=1)[1],
            "study 'quick' runs a command: it has no model")
        has("model", home.run("export", "quick", "--model", "-o", "f", code=1)[1], "runs a command")
        has("model", home.run("scores", "quick", code=1)[1], "runs a command")


def a_watcher_of_a_study_that_is_drained_is_not_told_that_it_goes_on():
    with Home() as home:
        home.write("study.yaml", STUDY + "resources: {cores: 1000}\n")
        home.run("submit", "study.yaml")
        watch = home.start("watch", "long")
        lines = [watch.stdout.readline()]
        while not lines[-1].startswith("waiting: ") and lines[-1]:
            lines.append(watch.stdout.readline())
        home.run("down")
        rest, err = watch.communicate()
        equal(f"exit {rest} {err}", watch.returncode, 0)
        equal(f"going on: {lines} {rest}", "going on" in rest, False)


def kill(home, name, besides=0):
    """Its processes of just this name."""
    for pid in home.processes(name):
        if pid != besides and open(f"/proc/{pid}/comm").read().strip() == name[:15]:
            os.kill(pid, signal.SIGKILL)


def a_watcher_ends_with_a_coordinator_whose_last_word_it_missed():
    """As one that ends in order leaves things: its connection is gone, and so is its file."""
    with Home() as home:
        home.write("study.yaml", STUDY + "resources: {cores: 1000}\n")
        home.run("submit", "study.yaml")
        watch = home.start("watch", "long")
        while not watch.stdout.readline().startswith("waiting: "):
            equal("watches", watch.poll(), None)
        kill(home, "assay", besides=watch.pid)
        kill(home, "assay-coordinator")
        os.unlink(os.path.join(home.env["ASSAY_HOME"], "coordinator.json"))
        rest, err = watch.communicate()
        equal(f"exit {rest} {err}", watch.returncode, 0)
        has("ended", err, "the coordinator has ended, all is stored; 'assay show long' says")


def explain_answers_when_the_worker_is_gone():
    with Home() as home:
        home.write("study.yaml", STUDY)
        home.run("submit", "study.yaml")
        kill(home, "assay")
        kill(home, "assay-worker")
        wait(lambda: home.json("explain", "long", "0")["cause"] == "no-worker",
             "the cause to be no-worker")


def a_run_after_a_reading_command_gets_a_worker():
    """The coordinator that the reading command started remembers the worker of its last life."""
    with Home() as home:
        home.write("study.yaml", QUICK)
        home.run("run", "study.yaml")
        home.run("down")
        wait(lambda: not home.processes("assay"), "everything to end")
        home.run("ls")
        home.run("run", "study.yaml")
        equal("finished", [s["state"] for s in home.json("ls")["studies"]], ["finished"] * 2)


def a_worker_that_leaves_in_order_is_not_started_again_at_once():
    with Home() as home:
        home.write("study.yaml", STUDY)
        home.run("submit", "study.yaml")
        wait(lambda: home.json("show", "long")["running"], "a trial to run")
        home.run("down")
        wait(lambda: not home.processes(), "everything to end")
        log = open(os.path.join(home.env["ASSAY_HOME"], "node.log")).read()
        equal("started again", "starting it again" in log, False)


def a_priority_is_set():
    with Home() as home:
        home.write("study.yaml", STUDY)
        home.run("submit", "study.yaml")
        for n in ("7", "-3"):
            equal("said", home.run("priority", "long", n)[0], f"long has priority {n}\n")
            equal("stored", home.json("show", "long")["spec"]["priority"], int(n))
        has("range", home.run("priority", "long", "1001", code=2)[1], "from -1000 to 1000")
        has("no number", home.run("priority", "long", "high", code=2)[1], "not 'high'")
        home.run("stop", "long")
        home.run("watch", "long")
        has("over", home.run("priority", "long", "1", code=1)[1], "cannot set the priority of")
        home.run("down")


def each_mistake_of_a_study_is_said_once():
    with Home() as home:
        home.write("study.yaml", STUDY.replace("trials: 2", "trails: 2").replace("min: 0.0", "mni: 0"))
        err = home.run("run", "study.yaml", code=2)[1].splitlines()
        equal("the end", err[-1], "assay: 4 mistakes in 'study.yaml', nothing was run")
        equal("one a line", [line.startswith("study.yaml:") for line in err[:-1]], [True] * 4)
        equal("each once", len(set(err)), 5)


def nobody_there_exits_3():
    with Home() as home:
        home.run("down", code=3)


main(usage_errors_exit_2, version_names_every_program_and_library,
     an_unknown_study_is_named, a_study_is_submitted_explained_and_stopped,
     a_log_is_told_line_by_line_in_json,
     a_watcher_of_a_study_that_is_drained_is_not_told_that_it_goes_on,
     a_watcher_ends_with_a_coordinator_whose_last_word_it_missed,
     explain_answers_when_the_worker_is_gone, a_run_after_a_reading_command_gets_a_worker,
     a_worker_that_leaves_in_order_is_not_started_again_at_once,
     a_priority_is_set, each_mistake_of_a_study_is_said_once, nobody_there_exits_3)
