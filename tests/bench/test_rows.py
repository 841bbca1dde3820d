# SPDX-License-Identifier: Apache-2.0
"""Benchmarks cannot rot: the form of rows is held, and each area prints its rows with tiny numbers."""
import glob
import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile
import traceback

import rows

SKIP = 77  # what ctest counts as skipped


class LeftOut(Exception):
    """What a case raises that this machine has not enough for."""


BIN, WORK = map(os.path.abspath, sys.argv[1:3])

GOOD = {"name": "service.cycles_per_s", "case": "64", "value": 11200.5, "unit": "1/s", "n": 5}
PEER = {"peer": "other 1.0, avx2", "peer_value": 100, "ratio": 1.5}

SERVICE = [("service.rss_bytes_per_trial", None), ("service.cycles_per_s", "3"),
           ("service.cpu_us_per_cycle", "3"), ("service.cycles_per_s", "9"),
           ("service.cpu_us_per_cycle", "9"), ("service.dispatch_p50_ms", None),
           ("service.dispatch_p99_ms", None), ("service.fdatasync_p50_ms", None),
           ("service.fdatasync_p99_ms", None), ("access.flood_latency_ratio", None),
           ("access.latency_p99_ms", "calm"), ("access.latency_p99_ms", "flood"),
           ("access.flood_per_s", None), ("service.restart_ms", None),
           ("service.idle_core_share", None), ("service.rss_kib_per_worker", None)]
ON_DISK = {"service.cycles_per_s", "service.dispatch_p50_ms", "service.dispatch_p99_ms",
           "service.restart_ms", "access.latency_p99_ms"}


GANG = [("gang.switch_p99_ms", None), ("gang.switch_p50_ms", None), ("gang.switch_speedup", None),
        ("gang.idle_core_share", None), ("gang.rank_death_s", "1node"),
        ("gang.rank_death_s", "2node"), ("gang.orphans", None),
        ("pinning.slowdown", None), ("service.reattach_s", None)]


BULK = [("bulk.limit_mb_per_s", "sha256"), ("bulk.limit_mb_per_s", "synced_write"),
        ("bulk.mb_per_s", "get"), ("bulk.latency_ratio", "get"), ("bulk.mb_per_s", "put"),
        ("bulk.latency_ratio", "put"), ("bulk.latency_p99_ms", "idle"),
        ("bulk.latency_p99_ms", "get"), ("bulk.latency_p99_ms", "put"),
        ("bulk.start_answer_ms", "0"), ("bulk.start_answer_ms", "200")]


TUNER = [("tpe.ask_ms", "1000"), ("tpe.ask_ms", "10000"), ("tpe.slope_us", None),
         ("tpe.study_s", "1000x40"), ("motpe.study_s", "1000x40"),
         ("idle.share", "400"), ("quality.regret", "branin2/60"),
         ("quality.regret", "hartmann6/60"), ("quality.summary", "share_not_worse"),
         ("quality.summary", "mean_rank"), ("quality.summary", "worse_than_default"),
         *(("mo.hypervolume", f"{p}/60") for p in ("zdt1", "zdt2", "zdt3", "zdt4", "zdt6", "dtlz2",
                                                   *(f"wfg{i}" for i in range(1, 10)))),
         ("asha.vs_random", "digits/8"), ("asha.vs_random", "friedman1/8"),
         *(("asha.vs_stopping", f"{t}/{w}") for t in ("digits", "friedman1") for w in (8, 64)),
         ("mo.asha_volume", "digits/200"), ("mo.asha_volume", "friedman1/200")]


def the_form_is_held():
    cases = [("plain", GOOD, None),
             ("peer", {**GOOD, **PEER}, None),
             ("area with a digit", {**GOOD, "name": "nsga2.study_s"}, None),
             ("missing", {"name": "a.b", "value": None, "unit": "s", "why": "no such machine"}, None),
             ("further members", {**GOOD, "fs": "ext4"}, None),
             ("a list", [GOOD], "not an object"),
             ("no name", {**GOOD, "name": "cycles"}, "name"),
             ("case of two words", {**GOOD, "case": "64 workers"}, "case"),
             ("case as number", {**GOOD, "case": 64}, "case"),
             ("text for value", {**GOOD, "value": "11200"}, "value"),
             ("infinite", {**GOOD, "value": float("inf")}, "finite"),
             ("no reason", {"name": "a.b", "value": None, "unit": "s"}, "why"),
             ("no unit", {k: v for k, v in GOOD.items() if k != "unit"}, "unit"),
             ("no runs", {**GOOD, "n": 0}, "n is not"),
             ("half a peer", {**GOOD, "peer": "other 1.0"}, "peer_value"),
             ("infinite elsewhere", {**GOOD, "p99": float("nan")}, "p99")]
    for name, row, want in cases:
        got = rows.mistake(row)
        if (got is None) != (want is None) or (want and want not in got):
            raise AssertionError(f"{name}: {got!r}, not {want!r}")


def a_wrong_line_fails_the_whole():
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "rows.py")
    for text, code in [(json.dumps(GOOD), 0), ("", 1), (json.dumps(GOOD) + "\n{", 1),
                       ('{"name":"a.b","value":NaN,"unit":"s","n":1}', 1)]:
        done = subprocess.run([sys.executable, script], input=text, text=True, capture_output=True)
        if done.returncode != code:
            raise AssertionError(f"{text!r}: exit {done.returncode}, not {code}\n{done.stderr}")


def the_service_prints_every_row():
    work = tempfile.mkdtemp(dir=WORK, prefix="bench-test-")
    sizes = {"runs": 2, "stored": 50, "cycles": 40, "dispatched": 20, "restarted": 100, "idle": 5,
             "idle-ms": 1200, "few": 3, "many": 9, "rate": 200, "warm-up": 20, "flood": 50}
    try:
        done = subprocess.run([os.path.join(BIN, "bench_service"), "--programs", BIN,
                               "--dir", os.path.join(work, "dir"),
                               *[a for k, v in sizes.items() for a in (f"--{k}", str(v))]],
                              text=True, capture_output=True)
    finally:
        shutil.rmtree(work)
    if done.returncode != 0:
        raise AssertionError(f"exit {done.returncode}: {done.stderr}")
    got = [json.loads(line) for line in done.stdout.splitlines()]
    if [(row["name"], row.get("case")) for row in got] != SERVICE:
        raise AssertionError(f"not the rows that were expected:\n{done.stdout}")
    for row in got:
        wrong = rows.mistake(row)
        if wrong or row["value"] is None or (row["name"] in ON_DISK) > ("fs" in row):
            raise AssertionError(f"{wrong}: {row}")


def gangs_print_every_row():
    if len(os.sched_getaffinity(0)) < 2:
        raise LeftOut("a gang of two ranks needs two cores")
    work = tempfile.mkdtemp(dir=WORK, prefix="bench-test-")
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "gang.py")
    try:
        done = subprocess.run([sys.executable, script, BIN, "--dir", work, "--tiny"], text=True,
                              capture_output=True)
    finally:
        shutil.rmtree(work)
    if done.returncode != 0:
        raise AssertionError(f"exit {done.returncode}: {done.stderr}")
    got = [json.loads(line) for line in done.stdout.splitlines()]
    if [(row["name"], row.get("case")) for row in got] != GANG:
        raise AssertionError(f"not the rows that were expected:\n{done.stdout}")
    for row in got:
        if rows.mistake(row) or row["value"] is None:
            raise AssertionError(f"{rows.mistake(row)}: {row}")


def a_sum_prints_every_row():
    if len(os.sched_getaffinity(0)) < 2:
        raise LeftOut("two ranks need two cores")
    done = subprocess.run(["mpirun", "--host", "localhost:2", "-n", "2", "--bind-to", "none",
                           os.path.join(BIN, "bench_reduce"), "--tiny"], text=True,
                          capture_output=True,
                          env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0",  # of Open MPI
                               "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"})
    if done.returncode != 0:
        raise AssertionError(f"exit {done.returncode}: {done.stderr}")
    got = [json.loads(line) for line in done.stdout.splitlines()]
    if [row["name"] for row in got] != ["ddp.allreduce_us", "ddp.allreduce_copied_us"]:
        raise AssertionError(f"not the rows that were expected:\n{done.stdout}")
    for row in got:  # without a value where others took the cores
        if rows.mistake(row):
            raise AssertionError(f"{rows.mistake(row)}: {row}")


def files_print_every_row():
    work = tempfile.mkdtemp(dir=WORK, prefix="bench-test-")
    got = []
    try:
        for program in "bench_bulk", "bench_start":
            done = subprocess.run([os.path.join(BIN, program), "--programs", BIN, "--dir", work,
                                   "--tiny"], text=True, capture_output=True)
            if done.returncode != 0:
                raise AssertionError(f"{program}: exit {done.returncode}: {done.stderr}")
            got += [json.loads(line) for line in done.stdout.splitlines()]
    finally:
        shutil.rmtree(work)
    if [(row["name"], row.get("case")) for row in got] != BULK:
        raise AssertionError(f"not the rows that were expected: {got}")
    for row in got:
        if rows.mistake(row) or row["value"] is None:
            raise AssertionError(f"{rows.mistake(row)}: {row}")


def the_tuner_prints_every_row():
    """Without an environment of peers: what is measured of ours, and the regrets on record."""
    work = tempfile.mkdtemp(dir=WORK, prefix="bench-test-")
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tuner.py")
    try:
        for sampler, regret in (("tpe", 0), ("cma", 1e3)):
            with open(os.path.join(work, f"regret-optuna-5.0.0-{sampler}.csv"), "w") as file:
                file.write("# for this test\nproblem,seed,60,100,200\n")
                file.writelines(f"{problem},{seed},{regret},{regret},{regret}\n" for seed in (1, 2)
                                for problem in ("branin2", "hartmann6"))
        done = subprocess.run([sys.executable, script, BIN, "--dir", work, "--data", work, "--tiny",
                               "--sampler", "tpe"], text=True, capture_output=True)
    finally:
        shutil.rmtree(work)
    if done.returncode != 0:
        raise AssertionError(f"exit {done.returncode}: {done.stderr}")
    got = [json.loads(line) for line in done.stdout.splitlines()]
    names = [(row["name"], row.get("case")) for row in got]
    if [name for name in names if not name[0].startswith(("gp.", "cma."))] != TUNER:
        raise AssertionError(f"not the rows that were expected:\n{done.stdout}")
    for row in got:
        if rows.mistake(row) or (row["value"] is None and not row["name"].startswith("gp.")):
            raise AssertionError(f"{rows.mistake(row)}: {row}")
    by_case = {row.get("case"): row for row in got}
    if by_case["branin2/60"]["peer"] != "optuna 5.0.0 tpe" or by_case["mean_rank"]["value"] != 2:
        raise AssertionError(f"not compared with the best peer:\n{done.stdout}")
    idle = by_case["400"]
    if not idle["regret_low"] <= idle["regret_ratio"] <= idle["regret_high"]:
        raise AssertionError(f"no interval of the regret: {idle}")
    for row in got:
        if row["name"].startswith("asha.") and not row["low"] <= row["value"] <= row["high"]:
            raise AssertionError(f"no interval: {row}")


def populations_print_every_row():
    work = tempfile.mkdtemp(dir=WORK, prefix="bench-test-")
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "populations.py")
    try:
        done = subprocess.run([sys.executable, script, BIN, "--dir", work, "--seeds", "1", "--members",
                               "3", "--epochs", "4"], text=True, capture_output=True)
    finally:
        shutil.rmtree(work)
    if done.returncode != 0:
        raise AssertionError(f"exit {done.returncode}: {done.stderr}")
    got = [json.loads(line) for line in done.stdout.splitlines()]
    if [row["case"] for row in got] != ["pbt/3", "pb2/3", "alone/3"]:
        raise AssertionError(f"not the rows that were expected:\n{done.stdout}")
    for row in got:
        if rows.mistake(row) or not 0 < row["value"] < 2.302:  # the loss of a guess
            raise AssertionError(f"{rows.mistake(row)}: {row}")


def products_print_every_row():
    done = subprocess.run([os.path.join(BIN, "bench_gemm"), "--tiny"], text=True, capture_output=True)
    if done.returncode != 0:
        raise AssertionError(f"exit {done.returncode}: {done.stderr}")
    got = [json.loads(line) for line in done.stdout.splitlines()]
    for row in got:
        if rows.mistake(row) or row["name"] != "kernels.gemm_peak" or row["value"] <= 0:
            raise AssertionError(f"{rows.mistake(row)}: {row}")
    cases = {row["case"] for row in got}
    if len(cases) != len(got) or not {"64x512x784NT", "512x784x64TN", "64x512x256NN"} <= cases:
        raise AssertionError(f"not the shapes of a dense layer's products:\n{done.stdout}")


def convolutions_print_every_row():
    done = subprocess.run([os.path.join(BIN, "bench_conv"), "--tiny"], text=True, capture_output=True)
    if done.returncode != 0:
        raise AssertionError(f"exit {done.returncode}: {done.stderr}")
    got = [json.loads(line) for line in done.stdout.splitlines()]
    for row in got:
        if rows.mistake(row) or row["name"] != "kernels.conv_peak" or row["value"] <= 0:
            raise AssertionError(f"{rows.mistake(row)}: {row}")
    passes = ("28x28x1-16c5-p2-forward", "28x28x1-16c5-p2-dw", "12x12x16-32c5-p2-dw-dx")
    cases = {row["case"] for row in got}
    if len(cases) != len(got) or not set(passes) <= cases:
        raise AssertionError(f"not the passes of a network's convolutions:\n{done.stdout}")


def steps_print_every_row():
    """With peers that are not there."""
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "train_steps.py")
    done = subprocess.run([sys.executable, script, BIN, "--tiny", "--python", "/bin/false", "--wheel",
                           "/nowhere"], text=True, capture_output=True)
    if done.returncode != 0:
        raise AssertionError(f"exit {done.returncode}: {done.stderr}")
    got = [json.loads(line) for line in done.stdout.splitlines()]
    kinds = [(f"train.{what}", kind) for what in ("tiny", "mlp64", "mlp512", "cnn")
             for kind in ("sgd", "adam")]
    kinds += [("train.gpt", "adam"), ("train.mlp512_bf16", "sgd"), ("train.mlp512_bf16", "adam")]
    if [(row["name"], row["case"]) for row in got] != [
            ("train.step_peak", "64"), ("train.step_peak", "512"), ("peer.installed", "torch"), *kinds,
            ("peer.installed", "torch.wheel")]:
        raise AssertionError(f"not the rows that were expected:\n{done.stdout}")
    for row in got:
        if rows.mistake(row) or (row["value"] is None) != (row["name"] == "peer.installed"):
            raise AssertionError(f"{rows.mistake(row)}: {row}")


def runs_print_every_row():
    """With a peer that is not there."""
    import train_runs

    work = tempfile.mkdtemp(dir=WORK, prefix="bench-test-")
    try:
        done = subprocess.run([sys.executable, train_runs.__file__, BIN, "--dir", work, "--tiny", "--python",
                               "/bin/false", "--wheel", "/nowhere"], text=True, capture_output=True)
    finally:
        shutil.rmtree(work)
    if done.returncode != 0:
        raise AssertionError(f"exit {done.returncode}: {done.stderr}")
    got = [json.loads(line) for line in done.stdout.splitlines()]
    names = [(name, case) for name, case, *_ in train_runs.ALL]
    if [(row["name"], row.get("case")) for row in got] != [("peer.installed", "torch"), *names,
                                                            ("peer.installed", "torch.wheel")]:
        raise AssertionError(f"not the rows that were expected:\n{done.stdout}")
    alone = len(os.sched_getaffinity(0)) < 2
    with open(os.path.join(BIN, "assay-trainer"), "rb") as file:
        sanitized = b"__asan_init" in file.read()  # has its own allocator, that none counts
    for row, (name, _, _, cores, _) in zip(got[1:], train_runs.ALL):
        missing = (alone and cores > 1) or (name == "trial.step_allocs" and sanitized)
        if rows.mistake(row) or (row["value"] is None) != missing:
            raise AssertionError(f"{rows.mistake(row)}: {row}")
        if name == "digits.time_to_97" and not 1 <= row["epochs"] < train_runs.MOST:
            raise AssertionError(f"no good model: {row}")


def check_overlap(wire, bytes_each):
    done = subprocess.run([sys.executable, os.path.join(os.path.dirname(__file__), "overlap.py"), BIN, "--tiny",
                           "--wire", wire],
                          text=True, capture_output=True)
    if done.returncode != 0:
        raise AssertionError(f"exit {done.returncode}: {done.stderr}")
    row = json.loads(done.stdout)
    if rows.mistake(row) or row["name"] != "ddp.overlap":
        raise AssertionError(f"{rows.mistake(row)}: {row}")
    if row["value"] is None and (os.geteuid() != 0 or len(os.sched_getaffinity(0)) < 2):
        raise LeftOut(row["why"])
    if row["value"] is None or row["pass_ms"] <= 0 or not 0 < row["gbit_per_s"] < 1.1:
        raise AssertionError(f"{row}")
    if row["bytes"] // ((784 * 512 + 512 * 256 + 2560) * bytes_each) != 1:
        raise AssertionError(f"{wire} in {row['bytes']} bytes")


def a_sum_on_its_way_prints_its_row():
    check_overlap("fp32", 4)
    check_overlap("bf16", 2)


def the_digits_are_divided_as_by_the_engine():
    """Each class has as many rows to validate with as the engine's report says."""
    import train_runs

    work = tempfile.mkdtemp(dir=WORK, prefix="bench-test-")
    trainer, job = os.path.join(BIN, "assay-trainer"), os.path.join(work, "job.json")
    try:
        with open(job, "w", encoding="utf-8") as file:
            json.dump(train_runs.digits_job(1, 1), file)
        said = subprocess.run([trainer, "--run", job, "--dir", work], check=True, text=True,
                              capture_output=True).stdout
        model = json.loads(said.splitlines()[-1])["end"]["model"]
        said = subprocess.run([trainer, "--report", model, "--json"], check=True, text=True,
                              capture_output=True).stdout
    finally:
        shutil.rmtree(work)
    with gzip.open(train_runs.DIGITS, "rt", encoding="ascii") as lines:
        labels = [line.strip().rsplit(",", 1)[1] for line in lines]
    train, validation = train_runs.divide(len(labels))
    if len(set(train) | set(validation)) != len(train) + len(validation) or len(train) != 1079:
        raise AssertionError(f"{len(train)} and {len(validation)} rows")
    for row in json.loads(said)["classes"]:
        n = sum(labels[i] == row["class"] for i in validation)
        if n != row["rows"]:
            raise AssertionError(f"class {row['class']}: {n} rows, not {row['rows']}")


def trees_print_every_row():
    """With a peer that is not there."""
    work = tempfile.mkdtemp(dir=WORK, prefix="bench-test-")
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "train.py")
    try:
        done = subprocess.run([sys.executable, script, BIN, "--dir", work, "--tiny", "--python",
                               "/bin/false", "--wheel", "/nowhere"], text=True, capture_output=True)
    finally:
        shutil.rmtree(work)
    if done.returncode != 0:
        raise AssertionError(f"exit {done.returncode}: {done.stderr}")
    got = [json.loads(line) for line in done.stdout.splitlines()]
    if [(row["name"], row["value"] is None) for row in got] != [
            ("peer.installed", True), ("train.gbdt", False), ("train.gbdt_loss", False),
            ("peer.installed", True)]:
        raise AssertionError(f"not the rows that were expected:\n{done.stdout}")
    for row in got:
        if rows.mistake(row):
            raise AssertionError(f"{rows.mistake(row)}: {row}")
    if not 0 < got[2]["value"] < 0.6931:  # the loss of a guess
        raise AssertionError(f"nothing was learnt: {got[2]}")


def statistics_are_those_of_the_books():
    import tuner

    # p of scipy.stats.mannwhitneyu(a, b, method="asymptotic"), SciPy 1.17.1
    cases = [("apart", [1, 2, 3, 4, 5], [6, 7, 8, 9, 10], 0.012185780355),
             ("ties", [1, 1, 2, 3], [1, 2, 2, 4, 5], 0.374857142683),
             ("equal", [1, 1, 1], [1, 1, 1], 1.0)]
    for name, a, b, want in cases:
        got = tuner.rank_sum_p(a, b)
        if abs(got - want) > 1e-10:
            raise AssertionError(f"{name}: p {got}, not {want}")
    if [round(p, 12) for p in tuner.holm([0.01, 0.04, 0.03])] != [0.03, 0.06, 0.06]:
        raise AssertionError("Holm's adjustment")
    ranks = tuner.mean_ranks([{"a": [1, 2, 3], "b": [2, 2, 2], "c": [5, 5, 5]}])
    if ranks != {"a": 1.5, "b": 1.5, "c": 3.0}:
        raise AssertionError(f"mean ranks {ranks}")


def replay(rule, table, workers=1, reduction=2, share=0.25, seeds="1 1"):
    return subprocess.run([os.path.join(BIN, "bench_curves"), "replay", table, rule, str(reduction),
                           str(workers), "10", str(share), *seeds.split()], text=True,
                          capture_output=True, timeout=600)


def curves(*args, **options):
    done = replay(*args, **options)
    if done.returncode:
        raise AssertionError(done.stderr)
    return [line.split() for line in done.stdout.splitlines()]


def write_curves(table, rows_of):
    with open(table, "w", encoding="utf-8") as file:
        file.write("# for this test\nconfig,weights,loss_1,loss_2,loss_3,loss_4,"
                   "ms_1,ms_2,ms_3,ms_4\n" + "\n".join(rows_of) + "\n")


def order_of(table):
    return subprocess.run([os.path.join(BIN, "bench_curves"), "order", table, "1", "1"], check=True,
                          text=True, capture_output=True).stdout.split()


def a_table_is_replayed_on_its_clock():
    """Four configurations of which only the last epoch of one shows the target; starts cost 10 ms."""
    work = tempfile.mkdtemp(dir=WORK, prefix="bench-test-")
    table = os.path.join(work, "curves.csv")
    rows_of = ["0,10,4,4,4,4,100,100,100,100", "1,10,3,3,3,3,100,100,100,100",
               "2,1,2,2,2,1,100,100,100,100", "3,10,nan,nan,nan,nan,,,,"]
    try:
        write_curves(table, rows_of)
        order = order_of(table)
        at = order.index("2")
        diverged = order.index("3") < at
        # full: those before it run whole, the diverged one has no time but its start's
        want = 0.41 * (at - diverged) + 0.01 * diverged + 0.41
        (_, seconds, trials, epochs), = curves("full", table)
        if (abs(float(seconds) - want) > 1e-9 or int(trials) != at + 1 or
                int(epochs) != 4 * (at + 1 - diverged) + diverged):
            raise AssertionError(f"full, order {order}: {seconds} {trials} {epochs}, not {want}")
        # all at once: nothing waits for a worker, the target comes at the end of its four epochs
        (_, seconds, trials, epochs), = curves("full", table, workers=4)
        if abs(float(seconds) - 0.41) > 1e-9:
            raise AssertionError(f"four workers: {seconds}")
        done = subprocess.run([os.path.join(BIN, "bench_curves"), "front", table, "2", "1", "4", "1",
                               "1"], check=True, text=True, capture_output=True).stdout.split()
        # from (3, 1) configuration 2 covers (3 - 1) * (1 - 0)
        if done[3:] != ["2", "13"] or not int(done[2]) < 13:
            raise AssertionError(f"front: {done}")
    finally:
        shutil.rmtree(work)


def a_replay_that_gets_nowhere_ends():
    """The configuration that shows the target at its end is the worst until then."""
    work = tempfile.mkdtemp(dir=WORK, prefix="bench-test-")
    table = os.path.join(work, "curves.csv")
    usual = [f"{i},10,4,4,4,4,100,100,100,100" for i in range(4)]
    try:
        write_curves(table, usual)
        last = int(order_of(table)[-1])  # what comes first at a rung goes on from there
        usual[last] = f"{last},10,9,9,9,1,100,100,100,100"
        write_curves(table, usual)
        (_, _, trials, _), = curves("full", table)
        if trials != "4":
            raise AssertionError(f"full: {trials} trials")
        done = replay("promotion", table)
        if done.returncode != 1 or "no trial shows the target" not in done.stderr:
            raise AssertionError(f"exit {done.returncode}: {done.stdout}{done.stderr}")
    finally:
        shutil.rmtree(work)


def the_stopping_form_is_the_rule_of_optuna():
    """What Optuna's pruner took on the same clock is on record: the same seconds."""
    import tuner_asha

    n = 0
    for path in glob.glob(os.path.join(tuner_asha.DATA, "asha-optuna-*.csv")):
        for table in tuner_asha.TABLES:
            for workers in (8, 64):
                with open(path, encoding="utf-8") as file:
                    theirs = tuner_asha.read_seconds(file, table, workers)
                ours = tuner_asha.seconds(BIN, table, "stopping", workers, len(theirs))
                for seed, got in enumerate(ours, 1):
                    if abs(got - theirs[seed]) > 2e-6:
                        raise AssertionError(f"{table}/{workers}, seed {seed}: {got}, not {theirs[seed]}")
                n += len(ours)
    if n < 400:
        raise AssertionError(f"{n} of Optuna's times are on record, not 400")


def curves_are_trained_and_packed():
    work = tempfile.mkdtemp(dir=WORK, prefix="bench-test-")
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "make_curves.py")
    try:
        for name, first in (("friedman1", 0), ("friedman2", 3), ("waveform", 0), ("spirals", 0)):
            subprocess.run([sys.executable, script, BIN, "--dir", os.path.join(work, "dir"), "--data",
                            work, "--table", name, "--first", str(first), "--configs", "5",
                            "--epochs", "4"], check=True, capture_output=True)
            table = os.path.join(work, f"curves-{name}.csv.gz")
            done = curves("promotion", table, share=0.2)
            if len(done) != 1 or not float(done[0][1]) > 0:
                raise AssertionError(f"{name}: {done}")
            with gzip.open(table, "rt", encoding="utf-8") as lines:
                numbers = [line.split(",")[0] for line in lines if line[0].isdigit()]
            if numbers != [str(first + i) for i in range(5)]:
                raise AssertionError(f"{name}: configurations {numbers}")
    finally:
        shutil.rmtree(work)


codes = set()
for case in (the_form_is_held, a_wrong_line_fails_the_whole, the_service_prints_every_row,
             gangs_print_every_row, a_sum_prints_every_row, files_print_every_row,
             statistics_are_those_of_the_books, a_table_is_replayed_on_its_clock,
             a_replay_that_gets_nowhere_ends, the_stopping_form_is_the_rule_of_optuna,
             curves_are_trained_and_packed, trees_print_every_row, steps_print_every_row,
             runs_print_every_row, a_sum_on_its_way_prints_its_row, the_digits_are_divided_as_by_the_engine,
             products_print_every_row, convolutions_print_every_row, populations_print_every_row,
             the_tuner_prints_every_row):
    try:
        case()
        print(f"ok {case.__name__}", flush=True)
    except LeftOut as why:
        codes.add(SKIP)
        print(f"SKIPPED {case.__name__}: {why}", flush=True)
    except Exception:
        codes.add(1)
        print(f"not ok {case.__name__}", flush=True)
        traceback.print_exc()
sys.exit(1 if 1 in codes else SKIP if codes else 0)
