# SPDX-License-Identifier: Apache-2.0
"""`assay node`: one for a home, which keeps coordinator and worker alive whatever happens to them."""
import json
import os
import signal
import subprocess

from breaker import Sweep
from harness import Home, copy_programs, equal, has, main, wait

KEPT = 5  # exit code of a node that finds another one


def node_log(home):
    try:
        with open(os.path.join(home.env["ASSAY_HOME"], "node.log"), errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def epoch(home):
    try:
        with open(os.path.join(home.env["ASSAY_HOME"], "coordinator.json")) as file:
            return json.load(file)["owner_epoch"]
    except FileNotFoundError:
        return 0


def ready(home):
    return sum(w["state"] == "ready" for w in home.json("workers")["workers"])


def end(home):
    home.run("down")
    wait(lambda: not home.processes(), "everything to end")


class Node(Home):
    """A home and a node of its own, whose programs can be taken away."""

    def __enter__(self):
        super().__enter__()
        self.bin = os.path.join(self.path, "bin")
        os.mkdir(self.bin)
        copy_programs(self.bin)
        self.env["PATH"] = "/usr/bin:/bin"
        self.log = open(os.path.join(self.path, "log"), "w+")
        self.node = subprocess.Popen([os.path.join(self.bin, "assay"), "node", "--all"],
                                     env=self.env, stdin=subprocess.DEVNULL, stdout=self.log,
                                     stderr=self.log, cwd=self.path, start_new_session=True)
        wait(lambda: epoch(self) and ready(self), "its worker to join")
        return self

    def __exit__(self, *exception):
        self.node.kill()
        self.node.wait()
        self.log.close()
        super().__exit__(*exception)

    def said(self):
        with open(self.log.name) as file:
            return file.read()


def a_child_that_cannot_be_started_is_tried_again():
    with Node() as home:
        worker, = home.processes("assay-worker")
        program = os.path.join(home.bin, "assay-worker")
        os.rename(program, program + ".away")
        os.kill(worker, signal.SIGKILL)
        wait(lambda: home.said().count("assay-worker does not start: cannot find program") >= 2,
             "it to be missed")
        equal("the coordinator", epoch(home), 1)
        os.rename(program + ".away", program)
        wait(lambda: ready(home), "a worker to join")
        end(home)
        equal("exit", home.node.wait(), 0)


def a_second_signal_ends_a_worker_that_is_waited_for():
    with Node() as home:
        worker, = home.processes("assay-worker")
        os.kill(worker, signal.SIGSTOP)
        home.node.send_signal(signal.SIGTERM)
        wait(lambda: not home.processes("assay-coord"), "the coordinator to end")
        home.node.send_signal(signal.SIGTERM)
        equal("exit", home.node.wait(), 128 + signal.SIGTERM)
        equal("left", home.processes(), [])


def a_home_has_one_node():
    with Node() as home:
        second = home.start("node")
        _, err = second.communicate()
        equal("exit", second.returncode, KEPT)
        has("text", err, "another node keeps '")
        equal("workers", len(home.processes("assay-worker")), 1)
        equal("coordinators", len(home.processes("assay-coord")), 1)
        end(home)


def a_home_whose_node_is_leaving_gets_the_next():
    """Its coordinator has ended, its worker is waited for."""
    with Node() as home:
        worker, = home.processes("assay-worker")
        os.kill(worker, signal.SIGSTOP)
        home.run("down")
        up = home.start("up")
        wait(lambda: "another node keeps" in node_log(home), "the next one to be kept out")
        os.kill(worker, signal.SIGCONT)
        out, err = up.communicate()
        equal(f"exit\n{err}", up.returncode, 0)
        has("text", out, "started in ")
        equal("the first", home.node.wait(), 0)
        equal("workers", ready(home), 1)
        end(home)


def what_a_reading_command_started_is_taken_over():
    """By the node of a run: Ctrl-C drains it, and it is started again when it is killed."""
    with Sweep(4) as sweep:
        sweep.command(steps=8, deaf=True)
        sweep.begin()
        sweep.more("report", 2)
        sweep.interrupt()
        sweep.listen()
        sweep.finish(code=130)
        os.remove(os.path.join(sweep.path, "listen"))
        sweep.run("ls")
        first = epoch(sweep)
        sweep.begin("--resume")
        sweep.more("report", 2)
        equal("the next", epoch(sweep), first + 1)
        coordinator, = sweep.named("assay-coordinator")
        sweep.signal(coordinator, signal.SIGKILL)
        wait(lambda: epoch(sweep) == first + 2 or sweep.over(), "it to be started again")
        wait(lambda: ready(sweep) or sweep.over(), "the worker to come back")
        sweep.interrupt()
        sweep.listen()
        sweep.finish(code=130)
        equal("left", sweep.processes(), [])
        equal("study", sweep.study_state(), "paused")
        sweep.begin("--resume")
        sweep.finish()
        sweep.down()
        history = sweep.check()
        equal("crashed", history.ends()["crashed"], 0)


def whoever_watches_goes_on_through_a_takeover():
    with Sweep(2) as sweep:
        sweep.command(steps=4)
        sweep.run("submit", "study.yaml", "--cores", "2")
        for pid in sweep.processes():
            sweep.signal(pid, signal.SIGKILL)
        wait(lambda: not sweep.processes(), "everything to end")
        watch = sweep.start("watch", "sweep")
        wait(lambda: sweep.named("assay-coordinator"), "a coordinator")
        wait(lambda: epoch(sweep) == 2, "it to listen")
        sweep.run("up", "--cores", "2")
        out, err = watch.communicate()
        equal(f"exit\n{out}\n{err}", watch.returncode, 0)
        equal("workers", len(sweep.named("assay-worker")), 1)
        sweep.down()
        sweep.check()


def stays(home):
    with open(os.path.join(home.env["ASSAY_HOME"], "coordinator.json")) as file:
        return json.load(file)["stays"]


def up_has_the_coordinator_of_a_run_stay():
    """The one that takes its place, too; Ctrl-C at the run leaves it then."""
    with Sweep(2) as sweep:
        sweep.command(steps=8, deaf=True)
        sweep.begin()
        sweep.more("report", 2)
        equal("at first", stays(sweep), False)
        out, err = sweep.run("up", "--cores", "1")
        has("up", out, "runs already in")
        has("up", out, "stays from now on, until: assay down")
        has("--cores", err, "--cores 1 changes nothing: there are workers already")
        equal("then", stays(sweep), True)
        out, err = sweep.run("up")
        equal("again", (out.count("runs already in"), out.count("stays"), err), (1, 0, ""))
        first = epoch(sweep)
        coordinator, = sweep.named("assay-coordinator")
        sweep.signal(coordinator, signal.SIGKILL)
        wait(lambda: epoch(sweep) == first + 1 or sweep.over(), "it to be started again")
        equal("the next", stays(sweep), True)
        sweep.interrupt()
        sweep.finish(code=130)
        has("the run", sweep.log, "assay: detached; 'sweep' goes on")
        sweep.listen()
        sweep.run("watch", "sweep")
        equal("it is the same", (epoch(sweep), stays(sweep)), (first + 1, True))
        sweep.down()
        sweep.check()


def looks_at_once_make_one_coordinator():
    with Home() as home:
        commands = [home.start("ls") for _ in range(6)]
        said = [command.communicate() for command in commands]
        equal(f"exits\n{said}", [command.returncode for command in commands], [0] * 6)
        wait(lambda: len(home.processes()) == 1, "one coordinator to be left")
        end(home)


def commands_at_once_make_one_node():
    with Home() as home:
        home.run("ls")
        commands = [home.start("up") for _ in range(4)]
        said = [command.communicate() for command in commands]
        equal(f"exits\n{said}", [command.returncode for command in commands], [0] * 4)
        wait(lambda: len(home.processes("assay")) == 3, "one node, its coordinator, its worker")
        equal("coordinators", len(home.processes("assay-coord")), 1)
        equal("workers", ready(home), 1)
        end(home)


main(a_child_that_cannot_be_started_is_tried_again,
     a_second_signal_ends_a_worker_that_is_waited_for, a_home_has_one_node,
     a_home_whose_node_is_leaving_gets_the_next, what_a_reading_command_started_is_taken_over,
     whoever_watches_goes_on_through_a_takeover, up_has_the_coordinator_of_a_run_stay,
     looks_at_once_make_one_coordinator,
     commands_at_once_make_one_node, at_once=3)
