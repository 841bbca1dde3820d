#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a pass hides of the sum of gradients between two hosts with a line of 1 Gb/s.

    overlap.py BIN [--quick|--tiny] [--wire bf16]

Prints a row (docs/benchmarks.md) on stdout. The hosts are network namespaces of this machine
(tests/system/hosts.py), a core each; both ends of each card are shaped by tc's tbf. Needs root.
"""
import argparse
import json
import os
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
RATE = "1gbit"
# mpirun would ask ssh; what it says there is run on the other host.
AGENT = """#!/bin/sh
shift
exec %s sh -c "$*"
"""


def stack_ticks():
    """Of all cores: in the system, in interrupts and what they put off; and in all."""
    with open("/proc/stat", encoding="ascii") as lines:
        ticks = list(map(int, next(lines).split()[1:9]))
    return ticks[5] + ticks[6], sum(ticks)


def quoted(words):
    return " ".join("'" + word.replace("'", "'\\''") + "'" for word in words)


def measure(hosts, bin, how):
    cores = sorted(os.sched_getaffinity(0))[:2]
    if len(cores) < 2:
        raise RuntimeError("it takes 2 cores")
    with hosts.Net("ab") as net, tempfile.TemporaryDirectory() as folder:
        a, b = net.hosts
        for host in (a, b):
            host.slow(RATE, "128kb")
        agent = os.path.join(folder, "agent")
        with open(agent, "w", encoding="utf-8") as file:
            file.write(AGENT % quoted(b.command()))
        os.chmod(agent, 0o700)
        one = [os.path.join(bin, "bench_overlap"), *how]
        ranks = [["-host", host.address, "-np", "1", "-x", f"ASSAY_SCRATCH=/nowhere/{host.name}", "taskset", "-c",
                  str(core), *one] for host, core in zip((a, b), cores)]
        before = stack_ticks()
        process = a.popen("mpirun", "--allow-run-as-root", "--bind-to", "none", "--mca", "plm_rsh_agent", agent,
                          "--mca", "btl", "self,tcp", "--mca", "pml", "ob1", "--mca", "btl_tcp_if_include",
                          "10.77.0.0/24", "--mca", "oob_tcp_if_include", "10.77.0.0/24", *ranks[0], ":",
                          *ranks[1])
        out, err = process.communicate(timeout=600)
        after = stack_ticks()
    if process.returncode:
        said = [line for line in err.splitlines() if any(map(str.isalpha, line))]  # mpirun frames it with dashes
        raise RuntimeError(" ".join(said[:2]) or f"exit {process.returncode}")
    found = json.loads(next(line for line in out.splitlines() if line.startswith("{")))
    found["interrupt_share"] = round((after[0] - before[0]) / (after[1] - before[1]), 4)
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("bin")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--tiny", action="store_true", help="numbers without meaning, for the test")
    parser.add_argument("--wire", choices=("fp32", "bf16"), default="fp32", help="what goes over the line")
    args = parser.parse_args()
    sys.argv[1:] = [os.path.abspath(args.bin), os.path.dirname(os.path.dirname(HERE))]  # for the harness
    sys.path.insert(0, os.path.join(HERE, "..", "system"))
    how = (["--tiny"] if args.tiny else ["--quick"] if args.quick else []) + (["--bf16"] if args.wire == "bf16" else [])
    row = {"name": "ddp.overlap", "case": "2-bf16" if args.wire == "bf16" else "2", "value": None, "unit": "1"}
    try:
        import hosts

        if hosts.why_not():
            raise RuntimeError(hosts.why_not())
        got = measure(hosts, os.path.abspath(args.bin), how)
        gbit = got["bytes"] * 8 / got["sum_ms"] / 1e6
        row.update(value=got.pop("hidden"), n=got.pop("n"), gbit_per_s=round(gbit, 3), **got)
    except (RuntimeError, OSError, ImportError) as why:
        row["why"] = str(why)
    print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
