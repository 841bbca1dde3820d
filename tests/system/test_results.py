# SPDX-License-Identifier: Apache-2.0
"""Importance, a front's history and the report, as a user asks for them."""
import os
import re
import xml.etree.ElementTree as ET

from harness import Home, equal, has, main

HOSTILE = r"""<script>alert(\"1\")</script>&'\a"""  # in double quotes of YAML

ONE = """
assay: 1
name: one
description: "{hostile}"
run:
  command: [awk, -v, "a={{a}}", -v, "b={{b}}", -f, values.awk]
  metrics: {{pattern: 'step=(?<step>\\d+) loss=(?<loss>\\S+)'}}
objective: {{metric: loss, goal: minimize}}
parameters:
  a: {{min: 1e-4, max: 1.0, scale: log}}
  b: {{min: 0, max: 9}}
  c: {{values: ["{hostile}", plain, "a very long name of a choice that has no room anywhere"]}}
  d: {{min: 0.0, max: 1.0, when: {{c: plain}}}}
  one: {{values: [3]}}
search: {{sampler: random, seed: 4}}
budget: {{trials: {trials}}}
"""
AWK = """BEGIN {
    for (step = 1; step <= 5; step++)
        printf "step=%d loss=%.9f\\n", step, log(a) * log(a) + b / 20 + 1 / step
}
"""
TWO = """
assay: 1
name: two
run:
  command: [awk, -v, "x={x}", -v, "y={y}", 'BEGIN {{ printf "left=%.9f right=%.9f\\n", x * x + y, 1 - (x - 1)^2 - y }}']
  metrics: {pattern: 'left=(?<left>\\S+) right=(?<right>\\S+)'}
objective: [{metric: left, goal: minimize}, {metric: right, goal: maximize}]
parameters: {x: {min: 0.0, max: 1.0}, y: {min: 0.0, max: 1.0}}
search: {sampler: random, seed: 3}
budget: {trials: 40}
"""
FIVE = """
assay: 1
name: five
run:
  command: [awk, -v, "x={x}", -v, "y={y}", 'BEGIN {{ print "a=" x, "b=" 1 - x, "c=" y, "d=" 1 - y, "e=" x * y }}']
  metrics: {pattern: 'a=(?<a>\\S+) b=(?<b>\\S+) c=(?<c>\\S+) d=(?<d>\\S+) e=(?<e>\\S+)'}
objective:
  - {metric: a, goal: minimize}
  - {metric: b, goal: minimize}
  - {metric: c, goal: minimize}
  - {metric: d, goal: minimize}
  - {metric: e, goal: minimize}
parameters: {x: {min: 0.0, max: 1.0}, y: {min: 0.0, max: 1.0}}
search: {sampler: random, seed: 3}
budget: {trials: 12}
"""
WILD = """
assay: 1
name: wild
run:
  command: [awk, -v, "x={x}", 'BEGIN {{ print "loss=" (x % 4 == 1 ? "inf" : x % 4 == 2 ? "-inf" : x) }}']
  metrics: {pattern: 'loss=(?<loss>\\S+)'}
objective: {metric: loss, goal: maximize}
parameters: {x: {type: int, min: 0, max: 11}}
search: {sampler: {name: grid, shuffle: false}}
"""
SVG = "{http://www.w3.org/2000/svg}"


def page_of(home, study):
    """The report, checked to be well-formed and to stand by itself."""
    path = os.path.join(home.path, "report.html")
    home.run("report", study, "-o", path)
    with open(path, encoding="utf-8") as f:
        text = f.read()
    root = ET.fromstring(text[len("<!DOCTYPE html>"):])
    for node in root.iter():
        tag = node.tag.replace(SVG, "")
        if tag in ("script", "link", "img", "iframe", "object", "image", "use", "a"):
            raise AssertionError(f"a <{tag}> in the report")
        for key, value in node.attrib.items():
            if key.startswith("on") or "nan" in value.split() or re.search(r"\d(nan|inf)\b", value):
                raise AssertionError(f"{key}={value}")
            if key in ("d", "cx", "cy", "x", "y", "width") and re.search(r"nan|inf", value):
                raise AssertionError(f"{key}={value}")
    equal("links", re.findall(r"(?:src|href)=|url\(|@import", text), [])
    equal("part", os.path.exists(path + ".part"), False)
    return root, text


def heads(root):
    return [node.text for node in root.iter("h2")]


def importance_is_told():
    with Home() as home:
        home.write("values.awk", AWK)
        home.write("study.yaml", ONE.format(hostile=HOSTILE, trials=60))
        home.run("run", "study.yaml")
        got = home.json("importance", "one")
        equal("method", [got["method"], got["trials"]], ["ped-anova", 60])
        params = got["importances"][0]["parameters"]
        equal("names", sorted(p["name"] for p in params), ["a", "b", "c", "d", "one"])
        equal("first", params[0]["name"], "a")
        equal("one value", [p["share"] for p in params if p["name"] == "one"], [0])
        if abs(sum(p["share"] for p in params) - 1) > 1e-9:
            raise AssertionError(params)
        sizes = [p["importance"] for p in params]
        equal("order", sizes, sorted(sizes, reverse=True))
        got = home.json("importance", "one", "--method", "fanova")["importances"][0]["parameters"]
        equal("first", got[0]["name"], "a")
        equal("conditional", got[-1], {"name": "d", "importance": None, "share": None})
        if got[0]["importance"] < 0.7:
            raise AssertionError(got)
        out = home.run("importance", "one", "--method", "fanova")[0]
        has("table", out, "OF VARIANCE")
        if not re.search(r"(?m)^d +- *$", out):
            raise AssertionError(out)
        has("method", home.run("importance", "one", "--method", "pca", code=2)[1],
            "--method takes ped-anova or fanova, not 'pca'")
        has("objective", home.run("importance", "one", "--objective", "loss2", code=1)[1],
            "study 'one' has no objective 'loss2'")


def luminance(colour):
    parts = [int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)]
    parts = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def check_history(root, trials):
    """No trial stands on the edge."""
    chart = next(n for n in root.iter(SVG + "svg") if n.get("aria-label") == "values by trial")
    at = sorted(float(n.get("cx")) for n in chart.iter(SVG + "circle"))
    equal("dots", len(at), trials)
    if at[0] < 75 or at[-1] > 743:
        raise AssertionError(at)


def check_shades(root, text, trials):
    """In both schemes each shade is told from the next by its lightness; all are explained."""
    for scheme in (text, text[text.index("prefers-color-scheme"):]):
        found = [luminance(re.search(rf"--s{i}:(#\w+)", scheme).group(1)) for i in range(5)]
        pairs = list(zip(found, found[1:]))
        if not all(max(p) + 0.05 > 1.3 * (min(p) + 0.05) for p in pairs) or \
                len({a < b for a, b in pairs}) != 1:
            raise AssertionError(found)
    chart = next(n for n in root.iter(SVG + "svg") if n.get("aria-label") == "parallel coordinates")
    lines = [n.get("class") for n in chart.iter(SVG + "path") if "shade" in n.get("class")]
    equal("lines", [lines.count(f"line shade{i}") for i in range(5)], [trials // 5 + 1] * 5)
    names = [n.text for n in chart.iter(SVG + "text")]
    equal("legend", names[-5:], ["the best fifth", "second", "third", "fourth", "the worst fifth"])


def reports_stand_by_themselves():
    for trials in (1, 20, 60):
        with Home() as home:
            home.write("values.awk", AWK)
            home.write("study.yaml", ONE.format(hostile=HOSTILE, trials=trials))
            home.run("run", "study.yaml")
            root, text = page_of(home, "one")
            equal("raw", "<script" in text, False)
            has("escaped", text, "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;")
            equal("heads", [h for h in heads(root) if h not in ("Importance", "Parallel coordinates")],
                  ["History", "Slices", "Learning curves", "Trials"])
            equal("lines to compare", "Parallel coordinates" in heads(root), trials > 1)
            equal("counted once", text.count(f"{trials} complete"), 1)
            equal("what there is none of", "0 pruned" in text, False)
            check_history(root, trials)
            if trials > 1:
                check_shades(root, text, trials)
            equal("importance", "Importance" in heads(root), trials > 1)
            equal("a caution", "shares are rough" in text, trials == 20)
            equal("a caution here too", "shares are rough" in home.run("importance", "one")[0],
                  trials == 20)
            equal("rows", len(root.findall(".//tbody/tr")), trials)
            numbers = [int(r[0].text) for r in root.findall(".//tbody/tr")]
            best = [t["number"] for t in home.json("best", "one")["trials"]]
            equal("best first", numbers, best)
            equal("standard output", home.run("report", "one")[0], text)
            has("no study", home.run("report", "other", code=1)[1], "no study")
            has("no folder", home.run("report", "one", "-o", "/nowhere/x.html", code=1)[1],
                "cannot write '/nowhere/x.html.part'")


def infinite_values_are_not_drawn():
    with Home() as home:
        home.write("study.yaml", WILD)
        home.run("run", "study.yaml")
        trials = home.json("trials", "wild")["trials"]
        infinite = [t for t in trials if abs(float(t["value"])) == float("inf")]
        equal("infinite", len(infinite), 6)
        root, text = page_of(home, "wild")
        has("said", text, "6 of the values are infinite and not drawn")
        titles = [n.findtext(SVG + "title") for n in root.iter(SVG + "circle")]
        for trial in infinite:
            equal("drawn", [t for t in titles if f"trial {trial['number']}:" in t], [])


def a_study_without_trials_has_a_page():
    with Home() as home:
        home.write("values.awk", AWK)
        home.write("study.yaml", ONE.format(hostile="", trials=3) + "resources: {cores: 4000}\n")
        home.run("submit", "study.yaml")
        root, text = page_of(home, "one")
        has("said", text, "No trial is complete yet")
        has("importance", home.run("importance", "one")[0], "fewer than two trials")


def fronts_have_a_history():
    with Home() as home:
        home.write("study.yaml", TWO)
        home.run("run", "study.yaml")
        got = home.json("pareto", "two", "--history")
        volumes = [h["volume"] for h in got["history"]]
        equal("trials", [h["trial"] for h in got["history"]], list(range(40)))
        equal("grows", volumes, sorted(volumes))
        equal("front", got["history"][-1]["front"], home.json("pareto", "two")["size"])
        trials = home.json("trials", "two")["trials"]
        left = max(t["outcome"]["values"][0] for t in trials)
        right = min(t["outcome"]["values"][1] for t in trials)
        ref = [left * 1.1, right * (0.9 if right > 0 else 1.1)]
        for a, b in zip(got["reference"], ref):
            if abs(a - b) > 1e-9:
                raise AssertionError((got["reference"], ref))
        points = sorted((t["outcome"]["values"] for t in trials), key=lambda v: v[0])
        volume, top = 0, ref[1]
        for a, b in points:  # a sweep from the left
            if b > top:
                volume += (ref[0] - a) * (b - top)
                top = b
        if abs(volume - volumes[-1]) > 1e-9 * volume:
            raise AssertionError((volume, volumes[-1]))
        has("table", home.run("pareto", "two", "--history")[0], "HYPERVOLUME")
        names = [i["objective"] for i in home.json("importance", "two")["importances"]]
        equal("objectives", names, ["left", "right", None])
        names = [i["objective"] for i in
                 home.json("importance", "two", "--objective", "right")["importances"]]
        equal("one objective", names, ["right"])
        root, _ = page_of(home, "two")
        equal("heads", heads(root)[:3], ["History", "Front", "Importance"])
        equal("one report a trial is no curve", "Learning curves" in heads(root), False)
        equal("labels", sum(n.get("aria-label") == "hypervolume by trial"
                            for n in root.iter(SVG + "svg")), 1)


def what_auto_chose_is_told():
    with Home() as home:
        home.write("study.yaml", TWO.replace("search: {sampler: random, seed: 3}\n", ""))
        _, err = home.run("run", "study.yaml")
        reason = home.json("show", "two")["sampler_reason"]
        equal("which", reason[:6], "auto: ")
        has("why", reason, "gp, which covers most of two objectives")
        has("at the start", " ".join(err.split()), f"sampler {reason[:60]}")
        has("page", " ".join(home.run("show", "two")[0].split()), f"sampler {reason}")
        has("report", page_of(home, "two")[1], f"<p>Sampler {reason}</p>")
        sources = {t["source"] for t in home.json("trials", "two")["trials"]}
        equal("who made the points", sources, {"auto: gp"})
        home.write("study.yaml", TWO)
        _, err = home.run("run", "study.yaml")
        equal("a sampler by its name", "sampler_reason" in home.json("show", "two-2"), False)
        equal("not at the start", "\nsampler " in err, False)


def a_front_of_five_objectives_has_no_volume():
    with Home() as home:
        home.write("study.yaml", FIVE)
        home.run("run", "study.yaml")
        history = home.json("pareto", "five", "--history")["history"]
        equal("history", [(h["trial"], sorted(h)) for h in history],
              [(i, ["front", "trial"]) for i in range(12)])
        equal("front", history[-1]["front"], home.json("pareto", "five")["size"])
        table = home.run("pareto", "five", "--history")[0]
        equal("column", "HYPERVOLUME" in table, False)
        has("why", table, "more than four objectives no hypervolume is told")
        root, text = page_of(home, "five")
        has("why", text, "more than four objectives no hypervolume is told")
        equal("promised", "how much the front covers" in text.lower(), False)
        equal("charts", [n for n in root.iter(SVG + "svg")
                         if n.get("aria-label") == "hypervolume by trial"], [])


main(importance_is_told, reports_stand_by_themselves,
     infinite_values_are_not_drawn, a_study_without_trials_has_a_page,
     fronts_have_a_history, what_auto_chose_is_told, a_front_of_five_objectives_has_no_volume)
