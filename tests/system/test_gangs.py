# SPDX-License-Identifier: Apache-2.0
"""Gangs: trials of a model that several ranks train together over MPI, on one node."""
import glob
import os
import signal
import sys
import time

import checker
from gangs import alive, environ, parent, said_by, speak, study
from harness import SKIP, Home, equal, has, main, wait


def two_ranks_sweep():
    with Home() as home:
        study(home, 2, trials=6)
        _, err = home.run("run", "study.yaml")
        has("plan", err, "each 2 cores (2 ranks of 1) and 512 MiB")
        equal("trials", home.json("show", "gang")["trials"], 6)
        has("needs", home.run("show", "gang")[0], "2 cores (2 ranks of 1) and 512 MiB a trial")
        best = home.json("best", "gang")["trials"][0]["number"]
        has("trial", home.run("show", "gang", str(best))[0], ", 2 ranks,")


def four_ranks_share_two_cores():
    with Home() as home:
        home.env["ASY_OVERSUBSCRIBE"] = "2"
        study(home, 4, trials=2)
        _, err = home.run("run", "study.yaml", "--cores", "2")
        has("plan", err, "slots    1 trial at a time, each 4 cores (4 ranks of 1) and 1.0 GiB")
        equal("complete", home.json("show", "gang")["complete"], 1)


def more_ranks_than_cores_wait_and_say_so():
    with Home() as home:
        study(home, 3)
        home.run("submit", "study.yaml")
        home.run("up", "--cores", "2")
        wait(lambda: home.json("workers")["workers"], "a worker")
        why = home.json("explain", "gang")
        equal("cause", why["cause"], "too-large")
        has("text", why["text"], "asks for 3 cores (3 ranks of 1) on one worker")
        has("remedy", why["remedy"], "resources")
        home.run("stop", "gang")


def a_command_has_no_ranks():
    with Home() as home:
        home.write("study.yaml", "assay: 1\nname: c\nrun: {command: [sh, -c, 'exit 0']}\n"
                   "objective: {metric: x, goal: minimize}\nparameters: {x: {min: 0, max: 1}}\n"
                   "budget: {trials: 1}\nresources: {ranks: 2, cores: 2}\n")
        _, err = home.run("run", "study.yaml", code=2)
        has("what to do", err, "cores: 4 and command: [mpirun, --bind-to, none, -n, \"2\", ...]")


# ---- deaths --------------------------------------------------------------------------------------

def gangs(home):
    """{socket: {rank: pid}} of gangs whose two ranks are there."""
    found = {}
    for pid in home.processes("assay-trainer"):
        env = environ(pid)
        if "OMPI_COMM_WORLD_RANK" in env:
            found.setdefault(env["ASSAY_SOCKET"], {})[int(env["OMPI_COMM_WORLD_RANK"])] = pid
    return {name: ranks for name, ranks in found.items() if len(ranks) == 2}


def scratches(pid):
    """Folders of the shared memory of a worker's gangs."""
    return glob.glob(f"/dev/shm/assay-{os.getuid()}-{pid}-*/*")


def running(home, number, attempt, after=0):
    """And that it has trained: a trial's step is that of the attempt before until then."""
    for t in home.json("trials", "gang")["trials"]:
        if t["number"] == number:
            return (t["state"] == "running" and t["attempts"] == attempt and
                    (t["step"] or 0) > after)
    return False


def trial_of(pid):
    """Whose log a rank writes: logs/STUDY/TRIAL/ATTEMPT/stdout."""
    parts = os.readlink(f"/proc/{pid}/fd/1").split("/")
    return int(parts[-3]) if "logs" in parts[:-4] else None


def attempts(home, number):
    return {a["attempt"]: a for a in home.json("explain", "gang", str(number))["attempts"]}


def a_death_ends_its_own_gang_alone():
    """Two gangs that share two cores; the ranks, mpirun and the supervisor of one of them die in
    turn. Each time its trial goes on in a new gang, and nothing of the old one is left. What is told
    of a rank's end are its own last lines."""
    with Home() as home:
        home.env["ASY_OVERSUBSCRIBE"] = "2"
        home.env["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":handle_segv=0"
        study(home, 2, trials=2, epochs=1000000, pruner="none", more="retries: 9\n")
        home.run("submit", "study.yaml")
        home.run("up", "--cores", "2")
        wait(lambda: running(home, 0, 1) and running(home, 1, 1), "two gangs")
        worker, = home.processes("assay-worker")
        for ranks in gangs(home).values():
            own = [os.sched_getaffinity(pid) for pid in ranks.values()]
            equal("a core of its own for each rank of a gang", sorted(map(len, own)), [1, 1])
            equal("not the other's", own[0] & own[1], set())
        deaths = [("rank 1", lambda ranks: ranks[1], signal.SIGKILL,
                   "rank 1 ended by signal 9 (Killed); stderr ends: earlier words of rank 1\n"
                   "last words of rank 1"),
                  ("rank 0", lambda ranks: ranks[0], signal.SIGSEGV,
                   "rank 0 ended by signal 11 (Segmentation fault)"),
                  ("mpirun", lambda ranks: parent(ranks[0]), signal.SIGKILL,
                   "its mpirun ended by signal 9 (Killed)"),
                  ("supervisor", lambda ranks: parent(parent(ranks[0])), signal.SIGKILL,
                   "its supervisor was killed")]
        begun = [1, 1]
        for n, (who, choose, signum, text) in enumerate(deaths):
            victim = n % 2  # a trial waits the longer the more often it has crashed
            ranks, = [r for r in gangs(home).values() if trial_of(r[0]) == victim]
            tree = [*ranks.values(), parent(ranks[0]), parent(parent(ranks[0]))]
            scratch = environ(ranks[0])["ASSAY_SCRATCH"]
            if not os.listdir(scratch):
                raise AssertionError(f"no shared memory in {scratch}")
            speak(ranks)
            os.kill(choose(ranks), signum)
            wait(lambda: attempts(home, victim)[begun[victim]].get("end") == "crashed", who)
            told = attempts(home, victim)[begun[victim]]["text"]
            has(who, told, text)
            equal(f"whose words are in {told!r}", said_by(ranks, told),
                  [who] if "rank" in who else [])
            begun[victim] += 1
            wait(lambda: running(home, victim, begun[victim]), "the next attempt")
            equal(f"left of {who}", [p for p in tree if alive(p)], [])
            equal(f"left of {who}", os.path.exists(scratch), False)
            equal("gangs", len(gangs(home)), 2)
            equal("the other", len(attempts(home, 1 - victim)), begun[1 - victim])
        equal("shared memory elsewhere", [s for s in scratches(worker) if not os.listdir(s)], [])
        tree = home.processes("assay-trainer")
        os.kill(worker, signal.SIGKILL)
        wait(lambda: not any(map(alive, tree)), "the ranks of a dead agent to end")
        wait(lambda: not glob.glob(f"/dev/shm/assay-{os.getuid()}-{worker}-*"), "their memory")
        wait(lambda: running(home, 0, begun[0] + 1) and running(home, 1, begun[1] + 1), "both")
        home.run("stop", "gang")


def switches(pid):
    """How often this process has gone to sleep, if it sleeps now."""
    with open(f"/proc/{pid}/status") as f:
        status = dict(line.split(":", 1) for line in f)
    return status["State"].split()[0] == "S" and int(status["voluntary_ctxt_switches"])


def sleeps_on(pid, seen):
    """Whether it sleeps as it did at the last look."""
    seen.append(switches(pid))
    return len(seen) > 1 and seen[-1] is not False and seen[-1] == seen[-2]


def stopped_in_a_sum(stopped, other):
    """Whether the other one waits asleep for the one that is stopped here. Between two epochs it
    would look for it awake, in MPI: then it goes on, to be stopped elsewhere."""
    os.kill(stopped, signal.SIGSTOP)
    seen = []
    for _ in range(50):
        if sleeps_on(other, seen):
            return True
        time.sleep(0.01)
    os.kill(stopped, signal.SIGCONT)
    return False


def who_maps(inode):
    found = []
    for path in glob.glob("/proc/[0-9]*/maps"):
        try:
            with open(path) as f:
                found += [path for line in f if "assay-ranks" in line and line.split()[4] == inode]
        except OSError:
            pass  # it has ended
    return sorted(set(found))


def a_rank_killed_in_a_sum_leaves_nothing():
    """The others wait for it in memory that they share. They sleep there, and go with it, and so does
    the memory."""
    with Home() as home:
        study(home, 2, trials=1, epochs=1000000, pruner="none")
        home.run("submit", "study.yaml")
        home.run("up", "--cores", "2")
        wait(lambda: running(home, 0, 1), "the gang")
        ranks, = gangs(home).values()
        tree = [*ranks.values(), parent(ranks[0]), parent(parent(ranks[0]))]
        with open(f"/proc/{ranks[0]}/maps") as f:
            inodes = {line.split()[4] for line in f if "assay-ranks" in line}
        equal("what ranks share: the barrier and the arrays", len(inodes), 2)
        for inode in inodes:
            equal("who shares it", who_maps(inode),
                  sorted(f"/proc/{pid}/maps" for pid in ranks.values()))
        wait(lambda: stopped_in_a_sum(ranks[1], ranks[0]), "rank 0 to sleep in the sum")
        equal("rank 1 lives", alive(ranks[1]), True)
        os.kill(ranks[1], signal.SIGKILL)
        wait(lambda: running(home, 0, 2), "the next attempt")
        has("who", attempts(home, 0)[1]["text"], "rank 1 ended by signal 9 (Killed)")
        equal("left of it", [p for p in tree if alive(p)], [])
        for inode in inodes:
            equal("memory", who_maps(inode), [])
        home.run("stop", "gang")


# ---- pauses ------------------------------------------------------------------------------------

def lineage(home, number):
    """(attempt, the checkpoint's step that it began with) of a trial's attempts."""
    found = []
    for attempt, body in home.store().execute(
            "select attempt, body from event where kind = 6 and trial = ? order by seq", (number,)):
        found.append((attempt, checker.read_body(6, body)["from"][1]))
    return found


def a_gang_pauses_and_another_width_goes_on():
    """Two ranks are paused in the middle and go on where they were; after Ctrl-C one rank does."""
    with Home() as home:
        study(home, 2, trials=1, epochs=1000000, pruner="none")
        home.run("submit", "study.yaml")
        home.run("up", "--cores", "2")
        wait(lambda: running(home, 0, 1), "the gang")
        home.run("pause", "gang")
        wait(lambda: home.json("trials", "gang")["trials"][0]["state"] in ("paused", "queued"),
             "the pause")
        first = home.json("trials", "gang")["trials"][0]["step"]
        home.run("resume", "gang")
        wait(lambda: running(home, 0, 2, first), "the gang again")
        home.run("down")
        wait(lambda: not home.processes(), "everything to end")
        study(home, 1, trials=1, epochs=1000000, pruner="none")
        run = home.start("run", "study.yaml", "--resume")
        wait(lambda: running(home, 0, 3), "one rank")
        steps = lineage(home, 0)
        equal("attempts", [a for a, _ in steps], [1, 2, 3])
        equal("the gang goes on where it paused", steps[1][1], first)
        if not 0 < steps[1][1] < steps[2][1]:
            raise AssertionError(f"where the attempts began: {steps}")
        equal("one process now", gangs(home), {})
        for _ in range(2):
            run.send_signal(signal.SIGINT)
        run.communicate(timeout=600)


# ---- idle ----------------------------------------------------------------------------------------

def ticks(pid):
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rpartition(") ")[2].split()
    return int(fields[11]) + int(fields[12])


def idle_ranks_cost_nothing():
    """While this process burns two seconds of a core, idle ranks and mpirun get next to none: one in
    fifty of the time that it takes, which is longer where the machine has more to do."""
    with Home() as home:
        home.env["ASY_GANG_IDLE"] = "1h"
        study(home, 2, trials=2)
        home.run("up", "--cores", "2")
        home.run("run", "study.yaml")
        ranks, = gangs(home).values()
        tree = [*ranks.values(), parent(ranks[0]), parent(parent(ranks[0]))]
        before = {pid: ticks(pid) for pid in tree}
        begun, until = time.monotonic(), time.process_time() + 2
        while time.process_time() < until:
            pass
        spent = {pid: ticks(pid) - before[pid] for pid in tree}
        if sum(spent.values()) > 0.02 * os.sysconf("SC_CLK_TCK") * (time.monotonic() - begun):
            raise AssertionError(f"ticks of idle processes: {spent}")


def cores():
    with Home() as home:
        home.run("up")
        return wait(lambda: home.json("workers")["workers"], "a worker")[0]["cores"]


if cores() < 2:
    print("not tested: this machine has one core, and each rank needs one")
    sys.exit(SKIP)
main(two_ranks_sweep, four_ranks_share_two_cores, more_ranks_than_cores_wait_and_say_so,
     a_command_has_no_ranks, a_death_ends_its_own_gang_alone,
     a_rank_killed_in_a_sum_leaves_nothing,
     a_gang_pauses_and_another_width_goes_on, idle_ranks_cost_nothing)
