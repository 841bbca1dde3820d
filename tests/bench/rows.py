#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Rows of benchmarks: checks the form of each line on stdin, passes it on, ends with a table on stderr.

Exit 1 if a line has not the form that docs/benchmarks.md describes, or if there was none.
"""
import json
import math
import re
import signal
import sys

NAME = re.compile(r"[a-z][a-z0-9]*\.[a-z0-9_]+(\.wheel)?")
PEER = ("peer", "peer_value", "ratio")


def number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def mistake(row):
    """What is wrong with the form of a row; None: nothing."""
    if not isinstance(row, dict):
        return "not an object"
    if not isinstance(row.get("name"), str) or not NAME.fullmatch(row["name"]):
        return "name is not area.what"
    if "case" in row and not (isinstance(row["case"], str) and re.fullmatch(r"\S+", row["case"])):
        return "case is not one word"
    if not isinstance(row.get("unit"), str):
        return "no unit"
    if "value" not in row:
        return "no value"
    if row["value"] is None:
        return None if isinstance(row.get("why"), str) and row["why"] else "null without why"
    if not number(row["value"]):
        return "value is not a finite number"
    if not isinstance(row.get("n"), int) or row["n"] < 1:
        return "n is not a count"
    if any(key in row for key in PEER):
        if not isinstance(row.get("peer"), str) or not row["peer"]:
            return "peer has no name"
        if not number(row.get("peer_value")) or not number(row.get("ratio")):
            return "peer without peer_value or ratio"
    for key, value in row.items():
        if isinstance(value, float) and not math.isfinite(value):
            return f"{key} is not finite"
    return None


def show(value):
    return "-" if value is None else f"{value:.6g}"


def table(rows):
    cells = [("what", "case", "value", "unit", "n", "peer", "ratio", "")]
    for row in rows:
        rest = [row["why"]] if row.get("why") else []
        rest += [f"{key}={show(v) if number(v) else v}" for key, v in row.items()
                 if key not in ("name", "case", "value", "unit", "n", "why", *PEER)]
        cells.append((row["name"], row.get("case", ""), show(row["value"]), row["unit"],
                      str(row.get("n", "")), row.get("peer", ""),
                      show(row["ratio"]) if "ratio" in row else "", " ".join(rest)))
    widths = [max(map(len, column)) for column in zip(*cells)]
    for line in cells:
        print("  ".join(c.ljust(w) for c, w in zip(line, widths)).rstrip(), file=sys.stderr)


def constant(text):
    raise ValueError(f"{text} is no JSON number")


def main():
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # what was measured until then is shown
    rows, failed = [], False
    for line in sys.stdin:
        try:
            row = json.loads(line, parse_constant=constant)
            wrong = mistake(row)
        except ValueError as error:
            row, wrong = None, str(error)
        if wrong:
            print(f"rows.py: {wrong}: {line.rstrip()}", file=sys.stderr)
            failed = True
            continue
        rows.append(row)
        print(line, end="", flush=True)
    table(rows)
    sys.exit(1 if failed or not rows else 0)


if __name__ == "__main__":
    main()
