# SPDX-License-Identifier: Apache-2.0
"""What the command line says of itself is so: options, exit codes, near misses, JSON."""
import json
import os
import re
import shutil
import signal
import subprocess

from harness import BIN, Home, equal, has, main, wait

STUDY = """
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
LONG = STUDY.replace("[echo, 'loss={x}']", "[sleep, '100000']").replace("quick", "long")


def commands(home):
    listed = home.run("--help")[0].split("\n  assay help")[0]
    return re.findall(r"^  ([a-z]+) +[a-z]", listed, re.M) + ["node", "reference"]


def every_command_explains_itself():
    with Home() as home:
        names = commands(home)
        for name in ("run", "ls", "doctor", "down", "config"):
            has("commands", str(names), repr(name))
        for name in names:
            out, err = home.run("help", name)
            equal(f"standard error of help {name}", err, "")
            equal(f"--help of {name}", home.run(name, "--help")[0], out)
            if re.search(r"^  --[^[\n]*\[", out, re.M):
                raise AssertionError(f"an option of {name} has another one in its value: {out}")
            equal(f"-h of {name} after a word", home.run(name, "word", "-h")[0], out)
            usage = out[:out.index("\n\n")]
            has(name, usage, f"usage: assay {name}")
            for part in ("\noptions:\n", f"\nexamples:\n  ", "\nexit codes:\n", "--home DIR"):
                has(f"help of {name}", out, part)
            for option in set(re.findall(r"--[a-z-]+", usage)):
                if not re.search(rf"^  {option}( [A-Z|a-z]+)? +\S", out, re.M):
                    raise AssertionError(f"help {name} does not explain {option}\n{out}")
            explained = set(re.findall(r"^  (--[a-z-]+)", out, re.M))
            equal(f"explained by help {name} and not in its usage", explained -
                  set(re.findall(r"--[a-z-]+", usage)) - {"--home", "--coordinator"}, set())


def options_are_those_of_the_help():
    options = {"--json": [], "--follow": [], "--resume": [], "--all": [], "--stderr": [],
               "--list": [], "--model": [], "--cores": ["1"], "--limit": ["1"], "--output": ["f"],
               "--format": ["csv"], "--attempt": ["1"], "--worker": ["w"], "--nodes": ["1"],
               "--agent": [], "--for": ["u"], "--no-wandb-shim": [],
               "--history": [], "--method": ["fanova"], "--device": ["cpu"], "--prompt": ["p"],
               "--tokens": ["1"], "--temperature": ["1"], "--top-k": ["1"], "--seed": ["1"], "--objective": ["m"]}
    wrong = []
    with Home() as home:
        for name in commands(home):
            if name == "worker":
                continue  # its options are those of assay-worker
            usage = home.run("help", name)[0].split("\n\n")[0]
            offered = set(re.findall(r"--[a-z-]+", usage))
            equal(f"known to this test, of {name}", offered - set(options), set())
            for option, value in options.items():
                # The unknown one comes last: known or not, nothing is done.
                _, err = home.run(name, option, *value, "--frobnicate", code=2)
                if (f"unknown option '{option}'" in err) != (option not in offered):
                    wrong.append(f"{name} {option}")
    equal("options that are taken and not named, or named and not taken", wrong, [])


def a_coordinator_elsewhere_is_refused_where_it_means_nothing():
    with Home() as home:
        for name in commands(home):
            _, err = home.run(name, "--coordinator", "f", "--frobnicate", code=2)
            equal(f"{name} explains --coordinator", "--coordinator FILE" in
                  home.run("help", name)[0], "takes no --coordinator" not in err)
        for name in ("up", "down", "backup", "restore", "worker", "invite", "revoke"):
            has(name, home.run(name, "--coordinator", "f", code=2)[1], "takes no --coordinator")
        equal("made", os.path.exists(home.env["ASSAY_HOME"]), False)


def usage_errors_are_short_and_name_the_error():
    cases = [([], "no command", "assay --help"), (["shwo"], "no command 'shwo'", "'show'"),
             (["stdy"], "no command 'stdy'", "'help study'"), (["help", "lss"], "'lss'", "'ls'"),
             (["ls", "--jsno"], "unknown option '--jsno'", "did you mean '--json'?"),
             (["show"], "argument is missing", "usage: assay show STUDY"),
             (["ls", "one", "--limit"], "unexpected argument 'one'", "usage: assay ls"),
             (["ls", "--limit"], "--limit needs a value", "usage: assay ls"),
             (["ls", "--limit", "many"], "whole number", "usage: assay ls"),
             (["best", "one", "--limit", "0"], "a whole number from 1, not '0'",
              "usage: assay best"),
             (["show", "study", "first"], "number", "first"),
             (["invite", "for=x", "-o", "f"], "letters, digits", "at its beginning"),
             (["config", "shwo"], "knows 'show'", "'shwo'"),
             (["help", "study", "bugdet"], "bugdet", "budget"),
             (["help", "study", "run", "moedl"], "no key 'run moedl'", "'run.model'"),
             (["help", "study", "model", "mlp", "now"], "unexpected argument 'now'", "model mlp"),
             (["help", "study", "./x.so", "now"], "unexpected argument 'now'", "a key"),
             (["doctor", "disk"], "no check 'disk'", "--list")]
    with Home() as home:
        for words, *parts in cases:
            out, err = home.run(*words, code=2)
            equal(f"standard output of {words}", out, "")
            for part in parts:
                has(str(words), err, part)
            if err.count("\n") > 3:
                raise AssertionError(f"{words} prints a whole help: {err}")
        equal("made", os.path.exists(home.env["ASSAY_HOME"]), False)


def a_group_of_options_has_one_word_or_two():
    with Home() as home:
        for family, key, other in (("mlp", "hidden", "max_depth"), ("gbdt", "max_depth", "hidden"),
                                   ("linear", "batch_size", "max_depth")):
            out, _ = home.run("help", "study", "model", family)
            has(family, out, f"{key}\n")
            equal(f"{family} and {other}", f" {other}\n" in out, False)
            equal("one word", home.run("help", "study", family)[0], out)
        has("pruner", home.run("help", "study", "pruner", "asha")[0], "reduction")


def exit_codes_are_those_of_the_help():
    with Home() as home:
        out, _ = home.run("--help")
        codes = re.findall(r"^  (\S+) +\S", out[out.index("exit codes:"):], re.M)
        equal("exit codes", codes, ["0", "1", "2", "3", "4", "128+n"])
        for command in ("help run", "help doctor"):
            has(command, home.run(*command.split())[0], out[out.index("exit codes:"):])
        home.run("down", code=3)                                       # nobody is there
        home.write("study.yaml", STUDY)
        home.write("broken.yaml", STUDY.replace("budget", "bugdet"))
        home.write("long.yaml", LONG)
        home.run("run", "broken.yaml", code=2)
        home.run("run", "study.yaml", code=0)
        home.run("show", "nothing", code=1)
        home.run("stop", "quick", "first", code=2)
        home.write("open.invitation", "{}", 0o644)
        for path, why in (("open.invitation", "chmod"), (".", "not a regular file"),
                          ("none", "'none'")):                           # 4: a key is refused
            has(path, home.run("worker", "--join", path, code=1)[1], why)
        run = home.start("run", "long.yaml")
        wait(lambda: "running" in str(home.json("ls")), "the study to run")
        run.send_signal(signal.SIGKILL)
        run.communicate()
        equal("killed", run.returncode, -signal.SIGKILL)
        with open(os.path.join(home.env["ASSAY_HOME"], "coordinator.json")) as f:
            pid = json.load(f)["pid"]
        os.kill(pid, signal.SIGSTOP)
        _, err = home.run("ls", code=3)                                # it takes no connection
        has("unreachable", err, f"has it open, pid {pid}")
        os.kill(pid, signal.SIGCONT)
    with Home() as home:
        folder = os.path.join(home.path, "bin")
        os.mkdir(folder)
        for name in ("assay", "assay-coordinator"):
            shutil.copy(os.path.join(BIN, name), folder)
        home.write("bin/assay-worker", "#!/bin/sh\nexec sleep 100000\n", 0o755)
        up = subprocess.run([os.path.join(folder, "assay"), "up"], env=home.env,
                            capture_output=True, text=True, check=False)
        equal(f"exit code of up: {up.stderr}", up.returncode, 4)       # its worker never joins
        has("timed out", up.stderr, "no worker joins")


def reading_commands_have_json_and_results_on_stdout():
    with Home() as home:
        home.write("study.yaml", STUDY)
        home.run("run", "study.yaml")
        for words in (["ls"], ["show", "quick"], ["show", "quick", "0"], ["trials", "quick"],
                      ["best", "quick"], ["explain", "quick"], ["explain", "quick", "0"],
                      ["workers"], ["config", "show"], ["doctor", "config"], ["--version"]):
            out, err = home.run(*words, "--json")
            equal(f"standard error of {words}", err, "")
            equal(f"{words} gives an object", type(json.loads(out)), dict)
            out, err = home.run(*words)
            equal(f"standard error of {words}", err, "")
            has(f"colour in {words}", str("\033" in out), "False")


def a_result_that_cannot_be_written_is_a_failure():
    with Home() as home, open("/dev/full", "w") as full:
        for words in (["--help"], ["help", "study"], ["config", "show"], ["ls"], ["--version"]):
            done = subprocess.run([os.path.join(BIN, "assay"), *words], env=home.env, stdout=full,
                                  stderr=subprocess.PIPE, text=True, check=False)
            equal(f"exit code of {words}", done.returncode, 1)
            has(str(words), done.stderr, "standard output")
        for program, *options in (("trainer", "--help", "--version", "--probe"),
                                  ("attempt", "--help", "--version"),
                                  ("worker", "--help", "--version", "--crash-points", "--probe"),
                                  ("coordinator", "--help", "--version", "--crash-points",
                                   "--probe")):
            for option in options:
                done = subprocess.run([os.path.join(BIN, f"assay-{program}"), option],
                                      env=home.env, stdout=full, stderr=subprocess.PIPE, text=True,
                                      check=False)
                equal(f"exit code of {program} {option}", done.returncode, 1)
                has(f"{program} {option}", done.stderr,
                    f"assay-{program}: cannot write to standard output\n")


main(every_command_explains_itself, options_are_those_of_the_help,
     a_coordinator_elsewhere_is_refused_where_it_means_nothing,
     usage_errors_are_short_and_name_the_error, exit_codes_are_those_of_the_help,
     reading_commands_have_json_and_results_on_stdout, a_result_that_cannot_be_written_is_a_failure)
