# SPDX-License-Identifier: Apache-2.0
"""`assay predict`: tables in any shape that the model can read, from files and standard input."""
import csv
import io
import json
import os
import subprocess

from harness import BIN, Home, copy_programs, equal, has, main, wait

HEADER = ["id", "x", "colour", "kind", "y"]
STUDY = """
assay: 1
name: kinds
run: {model: mlp, hidden: 8, layers: 1, length: {max: 40}}
data: {file: train.csv, label: kind, exclude: [id], missing: %s, split: {validation: 0.2, test: %s}}
objective: {metric: val_loss, goal: minimize}
parameters: {lr: {min: 0.01, max: 0.1, scale: log}}
search: {seed: 1}
budget: {trials: 2}
"""


def rows(n):
    """Two kinds that x tells apart."""
    return [[i, round((i % 2) * 4 - 2 + (i * 7 % 10) / 10, 2), ("red", "blue")[i // 2 % 2],
             ("low", "high, very")[i % 2], i % 5] for i in range(n)]


def text(table):
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(table)
    return out.getvalue()


def trained(home, missing="error", test=0.2):
    home.write("train.csv", text([HEADER] + rows(100)))
    home.write("study.yaml", STUDY % (missing, test))
    return home.run("run", "study.yaml")[0]


def predict(home, table, name="new.csv"):
    home.write(name, table)
    return list(csv.reader(io.StringIO(home.run("predict", "kinds", name)[0])))


def columns(table, *numbers):
    return [[row[i] for i in numbers] for row in table]


def tables_of_any_shape_give_the_same():
    few = rows(6)
    named = [HEADER] + few
    with Home() as home:
        trained(home)
        os.remove(os.path.join(home.path, "train.csv"))  # the model needs it no more
        want = predict(home, text(named))
        equal("header", want[0], ["prediction", "high, very", "low"])
        equal("predictions", [row[0] for row in want[1:]], [row[3] for row in few])
        for name, table in {
            "without the label": columns(named, 0, 1, 2, 4),
            "only what is needed": columns(named, 1, 2, 4),
            "another order": columns(named, 4, 2, 3, 1, 0),
            "a column more": [row + ["more"] for row in named],
            "no header": few,
            "no header, no label": columns(few, 0, 1, 2, 4),
            "unknown labels": [HEADER] + [row[:3] + ["?", row[4]] for row in few],
        }.items():
            equal(name, predict(home, text(table)), want)
        table = text(named)
        for name, stdin in ("a pipe", subprocess.PIPE), ("a file", open(f"{home.path}/new.csv", "w+")):
            if stdin != subprocess.PIPE:
                stdin.write(table)
                stdin.flush()
            ran = subprocess.run([os.path.join(BIN, "assay"), "predict", "kinds", "-"], env=home.env,
                                 capture_output=True, text=True, check=True,
                                 **({"input": table} if stdin == subprocess.PIPE
                                    else {"stdin": stdin}))
            equal(name, list(csv.reader(io.StringIO(ran.stdout))), want)
        unseen = predict(home, text([HEADER] + [row[:2] + ["green"] + row[3:] for row in few]))
        equal("a category never seen", [row[0] for row in unseen[1:]], [row[3] for row in few])


def tables_that_do_not_fit_are_refused():
    named = [HEADER] + rows(3)
    with Home() as home:
        trained(home)
        for name, table, says in (
            ("empty", "", "has no rows"),
            ("header alone", text([HEADER]), "no rows below the header"),
            ("a column is missing", text(columns(named, 0, 2, 3, 4)), "no column 'x'"),
            ("a column twice", text(columns(named, 0, 1, 1, 2, 3, 4)),
             "column 3 is another one named 'x', which the model needs one of"),
            ("too few columns", text(columns(named[1:], 0, 1)), "trained on 5 with the label"),
            ("no number", text([HEADER, [1, "red", "red", "low", 2]]), "row 2, column 2 ('x')"),
            ("a gap", text([HEADER, [1, "", "red", "low", 2]]),
             "row 2, column 2 ('x'): a value is missing (a model of a study with missing: mean"),
            ("ragged", text(named + [[1, 2]]), "row 5 has 2 fields"),
        ):
            home.write("new.csv", table)
            err = home.run("predict", "kinds", "new.csv", code=1)[1]
            has(name, err, says)
            equal(f"{name}: one line", err.count("\n"), 1)
        has("no file", home.run("predict", "kinds", "nowhere.csv", code=1)[1], "nowhere.csv")
        has("no study", home.run("predict", "sorts", "new.csv", code=1)[1], "no study 'sorts'")


def an_index_without_a_name_is_found_again():
    """As pandas writes it where nobody says index=False."""
    with Home() as home:
        table = [["", "x", "kind"]] + [[i, (i % 2) * 4 - 2 + i * 7 % 10 / 10, "ab"[i % 2]] for i in range(100)]
        home.write("train.csv", text(table))
        home.write("study.yaml", STUDY.replace("exclude: [id], ", "") % ("error", 0.2))
        has("scored", home.run("run", "study.yaml")[0], "test_accuracy")
        equal("predictions", [row[0] for row in predict(home, text(table))[1:]],
              [row[2] for row in table[1:]])


def categories_that_are_numbers_go_by_their_value():
    """As labels do: 3.0 is what pandas writes of a column with a gap."""
    with Home() as home:
        table = [["k", "kind"]] + [[i % 4, "ab"[i % 4 > 1]] for i in range(100)]
        home.write("train.csv", text(table))
        home.write("study.yaml", STUDY.replace("exclude: [id]", "categorical: [k]") % ("error", 0.2))
        home.run("run", "study.yaml")
        want = predict(home, text([["k"]] + [[i] for i in range(4)]))
        equal("they matter", want[1][0] != want[4][0], True)
        equal("otherwise", predict(home, "k\n0.0\n+1\n02\n3e0\n"), want)


def json_is_an_object_a_row():
    with Home() as home:
        trained(home)
        table = text([HEADER] + rows(6))
        want = predict(home, table)
        got = [json.loads(line) for line in home.run("predict", "kinds", "new.csv", "--json")[0]
               .splitlines()]
        equal("predictions", [row["prediction"] for row in got], [row[0] for row in want[1:]])
        for row, cells in zip(got, want[1:]):
            equal("probabilities", [f"{p:.6g}" for p in row["probabilities"].values()], cells[1:])
        equal("classes", list(got[0]["probabilities"]), want[0][1:])


def any_trial_s_model_is_applied():
    with Home() as home:
        trained(home)
        table = text([HEADER] + rows(6))
        home.write("new.csv", table)
        best = json.loads(home.run("best", "kinds", "--json")[0])["trials"][0]["number"]
        of = [home.run("predict", "kinds", str(trial), "new.csv")[0] for trial in (0, 1)]
        equal("the best one", home.run("predict", "kinds", "new.csv")[0], of[best])
        equal("another one", of[0] == of[1], False)
        has("no such trial", home.run("predict", "kinds", "9", "new.csv", code=1)[1], "trial 9")
        has("no trial", home.run("predict", "kinds", "nine", "new.csv", code=2)[1], "'nine'")
        has("a number, no file", home.run("predict", "kinds", "0", code=2)[1],
            "no file '0'; where that is a trial, FILE is missing")
        home.write("0", table)
        equal("a file called 0", home.run("predict", "kinds", "0")[0], of[best])
        equal("of a trial", home.run("predict", "kinds", str(1 - best), "0")[0], of[1 - best])
        err = home.run("predict", "kinds", "0", "7", code=1)[1]
        has("a trial and no file", err, "'7'")
        equal("a trial and no file", "FILE" in err, False)


def gaps_are_filled_as_in_training():
    with Home() as home:
        trained(home, missing="mean")
        got = predict(home, text([HEADER] + [[1, "", "red", "low", 2]]))
        equal("a row", len(got), 2)


def models_leave_for_programs_without_assay():
    """What is in the files, tests/train/test_onnx.py knows."""
    with Home() as home:
        trained(home)
        home.run("export", "kinds", "--model", "-o", "kinds.safetensors")
        home.run("export", "kinds", "--format", "onnx", "-o", "kinds.onnx")
        home.run("export", "kinds.safetensors", "--format", "onnx", "-o", "again.onnx")
        with open(f"{home.path}/kinds.onnx", "rb") as a, open(f"{home.path}/again.onnx", "rb") as b:
            model = a.read()
            equal("from a file", model, b.read())
        for word in (b"OneHotEncoder", b"colour", b"probabilities", b"high, very"):
            has("onnx", model, word)
        has("c", home.run("export", "kinds", "0", "--format", "c")[0], "void kinds_predict(")
        for name, args, code, says in (
            ("no format of a model", ("kinds", "--model", "--format", "json"), 2, "as it is stored"),
            ("a table of a model", ("kinds.safetensors",), 2, "is a model already"),
            ("a trial of a model", ("kinds.safetensors", "1", "--format", "c"), 2, "has no trials"),
            ("json", ("kinds", "--format", "onnx", "--json"), 2, "--json is about the trials"),
            ("no trial", ("kinds", "9", "--format", "onnx"), 1, "9"),
            ("no study", ("sorts", "--format", "onnx"), 1, "no study 'sorts'"),
            ("no file", ("sorts.safetensors", "--format", "onnx"), 1, "sorts.safetensors"),
        ):
            err = home.run("export", *args, code=code)[1]
            has(name, err, says)


def what_a_model_cannot_is_said_of_its_trial():
    """Not of the file that it lies in, whose path nobody has given."""
    with Home() as home:
        home.write("words.txt", "the quick brown fox jumps over the lazy dog. " * 40)
        home.write("study.yaml", """
assay: 1
name: words
run: {model: gpt, d_model: 8, heads: 2, blocks: 1, context: 8, length: {max: 1}}
data: {file: words.txt, format: text}
objective: {metric: val_loss, goal: minimize}
parameters: {lr: {min: 0.001, max: 0.01}}
budget: {trials: 1}
""")
        home.run("run", "study.yaml")
        for command in (("export", "words", "--format", "c"), ("scores", "words", "0")):
            err = home.run(*command, code=1)[1]
            has(command[0], err, "trial 0 of 'words': ")
            equal(command[0], "artifacts" in err, False)
        home.run("export", "words", "--model", "-o", "w.safetensors")
        has("a file", home.run("export", "w.safetensors", "--format", "c", code=1)[1],
            "'w.safetensors': ")


def a_study_without_a_test_part_ends_well():
    with Home() as home:
        out = trained(home, test=0)
        has("model", out, "model ")
        if "test_" in out:
            raise AssertionError(out)


def other_rows_are_no_test():
    """A file that was changed while its study ran is divided otherwise."""
    with Home() as home:
        home.write("train.csv", text([HEADER] + rows(100)))
        home.write("study.yaml", STUDY % ("error", 0.2))
        home.run("submit", "study.yaml")
        wait(lambda: home.json("show", "kinds")["ended_us"], "the study to end")
        home.write("train.csv", text([HEADER] + rows(90)))
        out, err = home.run("watch", "kinds", code=1)
        has("why", out + err, "has changed since the study was submitted")
        equal("score", "test_accuracy" in out, False)
        home.write("train.csv", text([HEADER] + rows(100)))
        has("the same again", home.run("watch", "kinds")[0], "test_accuracy")


def output_goes_where_it_is_told():
    """A file stays what it was but for its content; what is no file takes the bytes."""
    with Home() as home:
        trained(home)
        home.write("new.csv", text([HEADER] + rows(6)))
        want = home.run("predict", "kinds", "new.csv")[0]
        path = home.write("there", "old")
        os.chmod(path, 0o640)
        os.symlink("there", os.path.join(home.path, "link"))
        home.run("predict", "kinds", "new.csv", "-o", "link")
        equal("link", os.path.islink(os.path.join(home.path, "link")), True)
        with open(path) as f:
            equal("where it leads", f.read(), want)
        equal("permissions", os.stat(path).st_mode & 0o777, 0o640)
        os.mkfifo(os.path.join(home.path, "pipe"))
        with subprocess.Popen(["cat", "pipe"], cwd=home.path, stdout=subprocess.PIPE, text=True) as reader:
            home.run("predict", "kinds", "new.csv", "-o", "pipe")
            equal("a pipe", reader.communicate()[0], want)
        equal("standard output", home.run("predict", "kinds", "new.csv", "-o", "/dev/stdout")[0], want)
        _, err = home.run("predict", "kinds", "new.csv", "-o", ".", code=1)
        has("a folder", err, "cannot open '.': is a directory")


def the_trainer_has_no_threads_of_openblas():
    """Each would want 128 MiB of addresses before it ends, which a limit may not have."""
    with Home() as home:
        home.bin = os.path.join(home.path, "bin")
        os.mkdir(home.bin)
        copy_programs(home.bin)
        os.remove(os.path.join(home.bin, "assay-trainer"))
        home.write("bin/assay-trainer", "#!/bin/sh\necho $OPENBLAS_NUM_THREADS\n", 0o755)
        home.write("m.safetensors", "")
        home.env["OPENBLAS_NUM_THREADS"] = "64"
        equal("threads", home.run("generate", "m.safetensors")[0].strip(), "1")


main(tables_of_any_shape_give_the_same, tables_that_do_not_fit_are_refused,
     an_index_without_a_name_is_found_again, categories_that_are_numbers_go_by_their_value,
     json_is_an_object_a_row, any_trial_s_model_is_applied, gaps_are_filled_as_in_training,
     models_leave_for_programs_without_assay, what_a_model_cannot_is_said_of_its_trial,
     a_study_without_a_test_part_ends_well, other_rows_are_no_test, output_goes_where_it_is_told,
     the_trainer_has_no_threads_of_openblas)
