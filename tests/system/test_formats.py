# SPDX-License-Identifier: Apache-2.0
"""Data in other formats than CSV: the example, predictions from one format to another, and what is
said of files that are not read."""
import gzip
import hashlib
import json
import os
import struct

from harness import SOURCE, Home, LeftOut, equal, has, main

DATA = f"{SOURCE}/examples/data"
STUDY = """
assay: 1
name: digits
run: {{model: mlp, hidden: 32, lr: 0.01, length: {{max: 5}}}}
data: {data}
objective: {{metric: val_loss, goal: minimize}}
parameters: {{batch_size: {{values: [32, 64]}}}}
search: {{sampler: grid}}
budget: {{trials: 2}}
"""


def values(home, text):
    home.write("study.yaml", text)
    name = home.run("submit", "study.yaml")[0].strip()
    home.run("watch", name)
    return name, [trial["value"] for trial in home.json("trials", name)["trials"]]


def the_example_finds_a_good_model():
    with open(f"{SOURCE}/examples/digits-idx.yaml", encoding="utf-8") as f:
        text = f.read().replace("file: data/", f"file: {DATA}/")
    with Home() as home:
        home.write("study.yaml", text)
        home.run("run", "study.yaml")
        best = home.json("show", "digits-idx", str(home.json("show", "digits-idx")["best_trial"]))
        score, = [m["value"] for m in best["metrics"] if m["name"] == "test_accuracy"]
        if score < 0.95:
            raise AssertionError(f"test accuracy {score}")


def npy(rows):
    """The digits with their labels, bytes."""
    head = "{'descr': '|u1', 'fortran_order': False, 'shape': (%d, %d), }" % (len(rows), len(rows[0]))
    head += " " * (63 - (10 + len(head)) % 64) + "\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(head)) + head.encode() + b"".join(map(bytes, rows))


def formats_give_the_same_models():
    with gzip.open(f"{DATA}/digits.csv.gz", "rt") as file:
        rows = [[int(cell) for cell in line.split(",")] for line in file]
    lines = [" ".join([str(row[-1])] + [f"{i + 1}:{v}" for i, v in enumerate(row[:-1]) if v])
             for row in rows]
    with Home() as home:
        with open(os.path.join(home.path, "digits.npy"), "wb") as file:
            file.write(npy(rows))
        home.write("digits.svm", "\n".join(lines))
        name, want = values(home, STUDY.format(data=f"{DATA}/digits.csv.gz"))
        predicted = home.run("predict", name, f"{DATA}/digits.csv.gz")[0]
        for data in "digits.npy", "digits.svm", f"{DATA}/digits-images-idx3-ubyte.gz":
            name, got = values(home, STUDY.format(data=data))
            equal(data, got, want)
            for other in f"{DATA}/digits.csv.gz", "digits.npy", data:
                equal(f"{data}, applied to {other}", home.run("predict", name, other)[0], predicted)


def trainers_share_what_one_has_read():
    """More than a mebibyte, so that it is imported: once, whoever comes first."""
    with gzip.open(f"{DATA}/digits.csv.gz", "rt") as file:
        rows = [[int(cell) for cell in line.split(",")] for line in file]
    with Home() as home:
        for name, times in ("once.npy", 1), ("often.npy", 12):
            with open(os.path.join(home.path, name), "wb") as file:
                file.write(npy(rows * times))
        values(home, STUDY.format(data="once.npy"))
        equal("too small", os.path.exists(f"{home.path}/home/imports"), False)
        values(home, STUDY.format(data="often.npy"))
        name, = [name for name in os.listdir(f"{home.path}/home/imports") if name != "lock"]
        with open(f"{home.path}/home/imports/{name}/manifest.json", encoding="utf-8") as file:
            manifest = json.load(file)
        equal("rows", manifest["rows"], 12 * len(rows))
        equal("source", manifest["sources"][0]["path"], f"{home.path}/often.npy")
        for file in manifest["files"]:
            path = f"{home.path}/home/imports/{name}/{file['path']}"
            with open(path, "rb") as array:
                equal(file["path"], hashlib.sha256(array.read()).hexdigest(), file["sha256"])
            equal("for whom", os.stat(path).st_mode & 0o777, 0o600)
        before = os.stat(f"{home.path}/home/imports/{name}/x.npy").st_ino
        values(home, STUDY.format(data="often.npy"))
        equal("not made again", os.stat(f"{home.path}/home/imports/{name}/x.npy").st_ino, before)


def data_sets_of_hdf5_are_learnt_and_applied():
    data = f"{{file: {SOURCE}/tests/train/data/many.h5, arrays: [side, grade]}}"
    with Home() as home:
        home.write("study.yaml", STUDY.format(data=data))
        err = home.run("run", "study.yaml", code=None)[1]
        if "libhdf5 1.10 or newer, which is not installed" in err:
            raise LeftOut("libhdf5 is not installed (scripts/install-deps.sh test does it)")
        name, got = values(home, STUDY.format(data=data))
        equal("trials", [value > 0 for value in got], [True, True])
        home.write("side.csv", "\n".join(f"{2 * i % 5},{(2 * i + 1) % 5}" for i in range(300)))
        lines = home.run("predict", name, "side.csv")[0].splitlines()
        equal("rows", len(lines), 301)


def files_that_are_not_read_are_refused_with_their_place():
    study = STUDY.format(data="{file: x, LABELS}").replace(", LABELS", "%s")
    with Home() as home:
        for name, content, more, says in (
            ("Parquet", b"PAR1\x15\x04", "", "study.yaml:5:14: data.file: 'X': Parquet is not read"),
            ("objects", b"\x93NUMPY\1\0\x3a\0" + b"{'descr': '|O', 'fortran_order': False, "
             b"'shape': (1, 2), }", "", "data.file: 'X': its type '|O' is not read"),
            ("one column", npy([[1], [2]]), "", "only one column was found, and labels need others"),
            ("labels in a text", b"\0\0\x08\x02\0\0\0\2\0\0\0\2\1\1\2\2", ", labels: study.yaml",
             "study.yaml:5:25: data.labels: 'Z/study.yaml': it is neither an"),
            ("labels", b"1,2\n", ", labels: study.yaml",
             "study.yaml:5:25: data.labels: only an NPY or IDX file"),
            ("arrays", b"1,2\n", ", arrays: [x]", "study.yaml:5:25: data.arrays: only an NPZ"),
            ("format", b"1,2\n", ", format: idx", "study.yaml:5:25: data.format: the file is no idx"),
        ):
            with open(os.path.join(home.path, "x"), "wb") as file:
                file.write(content)
            home.write("study.yaml", study % more)
            err = home.run("run", "study.yaml", code=2)[1]
            has(name, err, says.replace("'X'", f"'{home.path}/x'").replace("'Z/", f"'{home.path}/"))
        equal("started nothing", home.processes("assay-coordinator"), [])


main(the_example_finds_a_good_model, formats_give_the_same_models, trainers_share_what_one_has_read,
     data_sets_of_hdf5_are_learnt_and_applied, files_that_are_not_read_are_refused_with_their_place)
