# SPDX-License-Identifier: Apache-2.0
"""Exported models: what onnxruntime makes of the ONNX file, and a C compiler of the header, against
what assay-trainer itself predicts, on rows with gaps and with categories that are new. And files that
are safetensors, as that package reads them.

    test_onnx.py BIN NETS SOURCE VENV    NETS is the program export_nets; VENV has what
                                           onnx-requirements.txt names, scripts/test.sh makes it

Without VENV it counts as skipped."""
import csv
import json
import os
import random
import subprocess
import sys
import tempfile

BIN, NETS, SOURCE, VENV = sys.argv[1:]
CC = ["cc", "-std=c99", "-O1", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]
PYTHON = os.path.join(VENV, "bin", "python3")
if __name__ == "__main__" and not os.path.exists(PYTHON):
    print(f"SKIPPED: no onnx and onnxruntime in {VENV}; scripts/test.sh puts them there")
    sys.exit(77)
if os.path.realpath(sys.prefix) != os.path.realpath(VENV):
    os.execv(PYTHON, [PYTHON, *sys.argv])

import numpy  # noqa: E402
import onnx  # noqa: E402
import onnxruntime  # noqa: E402
import safetensors  # noqa: E402
import safetensors.numpy  # noqa: E402

# Ours and theirs round differently, often; 1e-5 of the largest answer is a hundred ulps.
TOLERANCE = 1e-5
ROWS, NEW_ROWS = 120, 40
RESERVED = ["x", "label", "probabilities", "value"]  # names that no input for a column has
ACTIVATIONS = ["relu", "tanh", "gelu", "sigmoid", "silu", "leaky_relu", "softmax"]


def table(kinds, n, draw, gaps):
    """Rows of columns by their kinds, and gaps in some of them."""
    def cell(kind):
        if gaps and draw.random() < 0.1:
            return draw.choice(gaps)
        if kind == "text":
            return draw.choice(["red", "blue", "light, \"pale\"", "\u00e9?*/"])
        if kind == "code":
            return draw.choice([1, 2.5, 30])
        if kind == "token":
            return draw.randrange(6)
        if kind == "big":
            return round(draw.uniform(1e6, 3e6), 1)
        return round(draw.gauss(0, 2), 3)
    return [[cell(kind) for kind in kinds] for _ in range(n)]


def number(row, i):
    return row[i] if isinstance(row[i], (int, float)) else 0.0


def label_of(kind, row, i):
    """i: a column of numbers."""
    if kind == "texts":
        return "warm" if "red" in row else "cold"
    size = number(row, i) + number(row, i + 1)
    if kind == "digits":
        return int(abs(size) * 2) % 4
    if kind == "two":
        return "yes" if size > 0 else "no, never"
    if kind == "three":
        return ["low", "middle", "high"][(size > -1) + (size > 1)]
    return round(1e4 + 300 * size, 3)


def job(name, family, path, params, data, metric, fixed):
    return {
        "study": {
            "name": name,
            "run": {"model": family, "fixed": fixed, "length": {"unit": "epochs", "max": 5}},
            "data": {"file": path, "split": {"validation": 0.2, "test": 0}, **data},
            "objective": [{"metric": metric, "goal": "minimize", "take": "best", "target": None}],
        },
        "params": params, "seed": 7, "number": 3,
    }


def trainer(*args):
    ran = subprocess.run([os.path.join(BIN, "assay-trainer"), *args], capture_output=True)
    if ran.returncode:
        raise AssertionError(f"assay-trainer {args}: {ran.stderr.decode()}")
    return ran.stdout


class Case:
    """c: what a header is refused for; else it is made."""
    def __init__(self, name, family, kinds, label, names=None, params=None, gaps=None, layers=None,
                 c=None, **data):
        self.name, self.family, self.kinds, self.label = name, family, kinds, label
        self.params, self.gaps, self.data = params or {}, gaps, data
        self.layers, self.c = {"layers": layers} if layers else {}, c
        self.names = names or [f"column {chr(97 + i)}" for i in range(len(kinds))]
        self.codes = [i for i, kind in enumerate(kinds) if kind == "code"]
        if self.codes:
            self.data["categorical"] = [self.names[i] for i in self.codes]
        if gaps:
            self.data["missing"] = "mean"

    def write(self, path, rows, label):
        with open(path, "w", newline="") as f:
            out = csv.writer(f)
            out.writerow(self.names + (["y"] if label else []))
            first = next(i for i, kind in enumerate(self.kinds + ["number"]) if kind == "number")
            first = min(first, len(self.kinds) - 2)
            for row in rows:
                out.writerow(row + ([label_of(self.label, row, first)] if label else []))

    def prepare(self, folder):
        """Trains; leaves self.want, what the trainer predicts for self.rows."""
        draw = random.Random(self.name)
        self.folder = folder
        train, new, order = (os.path.join(folder, n) for n in ("train.csv", "new.csv", "job.json"))
        known = table(self.kinds, ROWS, draw, self.gaps)
        self.write(train, known, True)
        # Rows of the training, too: thresholds of trees are values of theirs.
        self.rows = table(self.kinds, NEW_ROWS, draw, self.gaps) + known[:NEW_ROWS]
        for i, kind in enumerate(self.kinds):
            if kind in ("text", "code"):
                self.rows[0][i] = "green" if kind == "text" else 77  # which training did not see
        self.write(new, self.rows, False)
        with open(order, "w") as f:
            json.dump(job(self.name, self.family, train, self.params, self.data, "val_loss",
                          self.layers), f)
        end = json.loads(trainer("--run", order, "--dir", folder).splitlines()[-1])["end"]
        self.model = end["model"]
        self.objective = end["objective"]
        self.want = [json.loads(line) for line in
                     trainer("--predict", self.model, new, "--json").splitlines()]

    def answers(self):
        """[rows][outputs]"""
        if self.label == "value":
            return numpy.array([[row["prediction"]] for row in self.want])
        return numpy.array([list(row["probabilities"].values()) for row in self.want])

    def near(self, what, got):
        want = self.answers()
        got = numpy.asarray(got, dtype=float)
        off = numpy.abs(got - want).max() / max(1, numpy.abs(want).max())
        if not off <= TOLERANCE:  # NaN is not
            raise AssertionError(f"{what}: off by {off:.3g}")
        return off

    def numbers(self):
        """Names of the columns that are numbers, and those of self.rows."""
        at = [i for i, kind in enumerate(self.kinds) if kind != "text"]
        cells = [[float(row[i]) if isinstance(row[i], (int, float)) else numpy.nan for i in at]
                 for row in self.rows]
        return [self.names[i] for i in at], numpy.array(cells, dtype=numpy.float32)


def feeds(case, session):
    names = [put.name for put in session.get_inputs()]
    x = case.numbers()[1]
    given = {"x": x} if x.shape[1] else {}
    for i, kind in enumerate(case.kinds):
        if kind == "text":
            name = case.names[i]
            while (name[0] == "/" or name in RESERVED
                   or (name != case.names[i] and name in case.names)):
                name = "_" + name
            given[name] = numpy.array([[row[i]] for row in case.rows], dtype=object)
    if sorted(given) != sorted(names):
        raise AssertionError(f"inputs are {names}, not {sorted(given)}")
    return given


def check_names(case, session):
    meta = session.get_modelmeta().custom_metadata_map
    for key, want in (("study", case.name), ("trial", "3"), ("family", case.family),
                      ("metric", "val_loss"), ("columns", json.dumps(case.numbers()[0]))):
        got = json.dumps(json.loads(meta[key])) if key == "columns" else meta[key]
        if got != want:
            raise AssertionError(f"{key}: {got}, not {want}")
    if float(meta["objective"]) != case.objective:
        raise AssertionError(f"objective: {meta['objective']}, not {case.objective}")


def example(language):
    """The code that docs/guide/export.md shows."""
    with open(os.path.join(SOURCE, "docs/guide/export.md")) as f:
        return f.read().partition(f"```{language}\n")[2].partition("```")[0]


def run_examples(case):
    """Models as the guide has them: of a study my-first, with a column colour, or four numbers."""
    main = os.path.join(case.folder, "main.c" if case.label == "three" else "main.py")
    with open(main, "w") as f:
        f.write(example("c" if case.label == "three" else "python"))
    if case.label == "three":
        program = os.path.join(case.folder, "main")
        subprocess.run([*CC, main, "-o", program, "-lm"], check=True)
        want, args = "middle ", [program]
    else:
        want, args = "'no, never'", [sys.executable, main]
    out = subprocess.run(args, cwd=case.folder, capture_output=True, text=True, check=True).stdout
    if want not in out:
        raise AssertionError(f"the example prints {out}")


def check_onnx(case):
    path = os.path.join(case.folder, "model.onnx")
    with open(path, "wb") as f:
        f.write(trainer("--export", case.model, "--format", "onnx"))
    onnx.checker.check_model(onnx.load(path), full_check=True)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    check_names(case, session)
    given = feeds(case, session)
    got = dict(zip([put.name for put in session.get_outputs()], session.run(None, given)))
    if case.label == "value":
        off = case.near("value", got["value"])
    else:
        off = case.near("probabilities", got["probabilities"])
        labels = [str(label) for label in got["label"]]
        if labels != [row["prediction"] for row in case.want]:
            raise AssertionError(f"labels are {labels}")
        if (got["label"].dtype == numpy.int64) != (case.label == "digits"):
            raise AssertionError(f"labels are of type {got['label'].dtype}")
    alone = session.run(None, {name: value[:1] for name, value in given.items()})[-1]
    want = got[session.get_outputs()[-1].name][:1]
    if alone.shape != want.shape or not numpy.allclose(alone, want, TOLERANCE, TOLERANCE):
        raise AssertionError(f"a row alone gives {alone}")
    if "x" in given and not case.gaps:  # which training did not know
        given["x"] = given["x"].copy()
        given["x"][3, 0] = numpy.nan
        answers = session.run(None, given)[-1]
        if not (numpy.isnan(answers[3]).all() and numpy.isfinite(answers[:3]).all()):
            raise AssertionError(f"a gap gives {answers[:4]}")
    return off


MAIN = """
#include <stdio.h>
#include "%s"
int main(void)
{
    static const float rows[][%s_n_inputs] = { %s };
    float out[%s_n_outputs];
    for (unsigned r = 0; r < sizeof rows / sizeof *rows; r++) {
        %s_predict(rows[r], out);
        for (int i = 0; i < %s_n_outputs; i++)
            printf("%%.9g ", (double)out[i]);
        printf("\\n");
    }
    return 0;
}
"""


def literal(case, i, cell):
    if case.kinds[i] == "text":
        values = sorted({"red", "blue", "light, \"pale\"", "\u00e9?*/"}, key=lambda s: s.encode())
        return str(values.index(cell)) if cell in values else "-1"
    return repr(float(cell)) + "f" if isinstance(cell, (int, float)) else "NAN"


def answers_in_c(folder, header, name, rows):
    """rows: literals. The answers of each."""
    main, program = (os.path.join(folder, n) for n in ("main.c", "main"))
    text = ", ".join("{ " + ", ".join(row) + " }" for row in rows)
    with open(main, "w") as f:
        f.write(MAIN % (header, name, text, name, name, name))
    subprocess.run([*CC, main, "-o", program, "-lm"], check=True)
    out = subprocess.run([program], capture_output=True, text=True, check=True).stdout
    return numpy.array([[float(word) for word in line.split()] for line in out.splitlines()])


def check_c(case):
    name = ("m" if case.name[0].isdigit() else "") + case.name.replace("-", "_").replace(".", "_")
    header = os.path.join(case.folder, "model.h")
    if case.c:
        try:
            trainer("--export", case.model, "--format", "c")
        except AssertionError as error:
            if case.c not in str(error):
                raise
            return 0
        raise AssertionError("a header was made")
    with open(header, "wb") as f:
        f.write(trainer("--export", case.model, "--format", "c"))
    rows = [[literal(case, i, cell) for i, cell in enumerate(row)] for row in case.rows]
    return case.near("C", answers_in_c(case.folder, header, name, rows))


def check_nets(folder):
    """Networks that export_nets makes, of layers that no family of the cases above has."""
    names = subprocess.run([NETS, folder], capture_output=True, text=True, check=True).stdout.split()
    for name in names:
        def path(ending):
            return os.path.join(folder, f"{name}.{ending}")
        want = numpy.fromfile(path("want"), numpy.float32).reshape(7, -1)
        x = numpy.fromfile(path("x"), numpy.float32).reshape(len(want), -1)
        onnx.checker.check_model(onnx.load(path("onnx")), full_check=True)
        session = onnxruntime.InferenceSession(path("onnx"), providers=["CPUExecutionProvider"])
        if session.get_inputs()[0].name == "tokens":
            logits = session.run(["logits"], {"tokens": x.astype(numpy.int64)})[0]
            got = {"onnx": logits.reshape(want.shape)}
            few = session.run(["logits"], {"tokens": x[:, :3].astype(numpy.int64)})[0]
            if not numpy.allclose(few, logits[:, :3], TOLERANCE, TOLERANCE):
                raise AssertionError(f"{name}: fewer tokens give {few}, not {logits[:, :3]}")
        else:
            got = {"onnx": session.run(["probabilities"], {"x": x})[0]}
        if os.path.exists(path("h")):
            rows = [[repr(float(cell)) + "f" for cell in row] for row in x]
            got["C"] = answers_in_c(folder, path("h"), name, rows)
        off = {key: numpy.abs(value - want).max() for key, value in got.items()}
        if not max(off.values()) <= TOLERANCE or not want.std(axis=0).min() > 100 * TOLERANCE:
            raise AssertionError(f"{name}: off by {off}, {want}")
        print(f"ok {name}:", ", ".join(f"{key} {value:.2g}" for key, value in off.items()))


def check_safetensors(folder):
    """Models and checkpoints, with the optimiser's state: names, shapes and finite numbers."""
    path, order = os.path.join(folder, "digits.csv"), os.path.join(folder, "digits.json")
    kinds, wanted = ["number"] * 3, {"model": {"layers.0.weight": (6, 3), "layers.0.bias": (6,)},
                                     "checkpoint": {"params": (80,), "m": (80,), "v": (80,)}}
    Case("digits", "mlp", kinds, "two").write(path, table(kinds, ROWS, random.Random(1), None), True)
    said = job("digits", "mlp", path, {"hidden": 6, "layers": 1, "optimizer": "adam"}, {}, "val_loss", {})
    for until, key in (5, "model"), (2, "checkpoint"):
        with open(order, "w") as f:
            json.dump({**said, "until": until}, f)
        lines = [json.loads(line) for line in trainer("--run", order, "--dir", folder).splitlines()]
        file = lines[-1]["end"]["model"] if key == "model" else \
            next(line["checkpoint"] for line in lines if "checkpoint" in line)
        tensors = safetensors.numpy.load_file(file)
        with safetensors.safe_open(file, "numpy") as opened:
            described = opened.metadata()
        shapes = {name: tensor.shape for name, tensor in tensors.items()}
        if not described or not wanted[key].items() <= shapes.items() or \
                not all(numpy.isfinite(tensor).all() for tensor in tensors.values()):
            raise AssertionError(f"{key}: {described}, {shapes}")
        print(f"ok {key}: {shapes}")


TEXT = "one fish, two fish, red fish, blue fish; \u00e9t\u00e9. " * 20


def check_text(folder, tied):
    """A gpt on characters: what onnxruntime makes of the validation part is as likely as the
    trainer says."""
    context = 8
    text, order = (os.path.join(folder, name) for name in ("text.txt", "job.json"))
    with open(text, "w") as f:
        f.write(TEXT)
    study = job("text", "gpt", text, {"d_model": 8, "heads": 2, "blocks": 2, "context": context,
                                      "tied": tied, "lr": 0.03},
                {"format": "text"}, "val_loss", {})
    with open(order, "w") as f:
        json.dump(study, f)
    model = json.loads(trainer("--run", order, "--dir", folder).splitlines()[-1])["end"]["model"]
    want = json.loads(trainer("--evaluate", order, "--model", model, "--part", "validation"))
    path = os.path.join(folder, "text.onnx")
    with open(path, "wb") as f:
        f.write(trainer("--export", model, "--format", "onnx"))
    onnx.checker.check_model(onnx.load(path), full_check=True)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    meta = session.get_modelmeta().custom_metadata_map
    if meta["context"] != str(context):
        raise AssertionError(f"context {meta['context']}")
    characters = json.loads(meta["characters"])
    tokens = numpy.array([characters.index(c) for c in TEXT], numpy.int64)
    tokens = tokens[len(tokens) - round(0.2 * len(tokens)):]
    windows = (len(tokens) - 1) // context * context
    given = {"tokens": tokens[:windows].reshape(-1, context)}
    logits = session.run(["logits"], given)[0].astype(float)
    chances = logits.reshape(windows, -1) - numpy.logaddexp.reduce(logits, 2).reshape(-1, 1)
    loss = -chances[numpy.arange(windows), tokens[1:windows + 1]].mean()
    if not abs(loss - want["val_loss"]) <= TOLERANCE * loss:
        raise AssertionError(f"loss {loss}, not {want}")
    print(f"ok gpt{' tied' * tied}: onnx {abs(loss - want['val_loss']):.2g} of {loss:.3g}")


def check_texts(folder):
    """A transformer on the characters of texts with a label: x has their numbers, NaN behind them."""
    length, words = 12, ["good", "b\u00e4d", "so so"]
    texts = [f"{words[i % 3]} {i}" for i in range(60)]
    train, new, order, path = (os.path.join(folder, n) for n in ("t.csv", "n.csv", "j.json", "m.onnx"))
    for name, labels in (train, True), (new, False):
        with open(name, "w", newline="") as f:
            out = csv.writer(f)
            out.writerow(["text"] + ["y"] * labels)
            out.writerows([text] + [words.index(text.rsplit(" ", 1)[0])] * labels for text in texts)
    with open(order, "w") as f:
        json.dump(job("texts", "transformer", train, {"d_model": 8, "heads": 2, "blocks": 1},
                      {"sequence": "text", "length": length}, "val_loss", {}), f)
    model = json.loads(trainer("--run", order, "--dir", folder).splitlines()[-1])["end"]["model"]
    want = [json.loads(line) for line in trainer("--predict", model, new, "--json").splitlines()]
    want = numpy.array([list(row["probabilities"].values()) for row in want])
    with open(path, "wb") as f:
        f.write(trainer("--export", model, "--format", "onnx"))
    onnx.checker.check_model(onnx.load(path), full_check=True)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    characters = json.loads(session.get_modelmeta().custom_metadata_map["characters"])
    x = numpy.full((len(texts), length), numpy.nan, numpy.float32)
    for i, text in enumerate(texts):
        x[i, :len(text[:length])] = [characters.index(c) for c in text[:length]]
    off = numpy.abs(session.run(["probabilities"], {"x": x})[0] - want).max()
    if not off <= TOLERANCE or not want.std(axis=0).min() > 100 * TOLERANCE:
        raise AssertionError(f"texts: off by {off}, {want}")
    print(f"ok texts: onnx {off:.2g}")


GAPS = ["", "NA"]
MIXED = ["number", "text", "number", "code", "text", "number"]
TAKEN = ["x", "label", "/in_1", "value", "_label", "probabilities"]
TREES = {"max_depth": 3, "lr": 0.5, "min_child_weight": 0.1}
CASES = [
    *[Case(f"act-{act}", "mlp", ["number"] * 5, "digits",
           params={"activation": act, "hidden": 9, "layers": 2}) for act in ACTIVATIONS],
    Case("mixed.mlp", "mlp", MIXED, "three", names=TAKEN, gaps=GAPS, params={"hidden": 8}),
    Case("mixed-whole", "mlp", MIXED, "two", params={"hidden": 8}),
    Case("binary", "mlp", MIXED, "two", params={"hidden": 8, "loss": "binary"}),
    Case("binary-linear", "linear", ["number"] * 4, "two", params={"loss": "binary"}),
    Case("values", "mlp", ["big", "number", "number"], "value", params={"hidden": 8}),
    Case("quantile", "mlp", ["big", "number"], "value", params={"hidden": 8, "loss": "quantile",
                                                                "quantile": 0.9}),
    Case("minmax", "mlp", ["number", "big", "number"], "value", gaps=GAPS, scale="minmax",
         params={"hidden": 8, "activation": "gelu"}),
    Case("my-first", "mlp", ["number"] * 4, "three", gaps=GAPS, params={"hidden": 4}),
    Case("my-first", "mlp", ["number", "text", "number"], "two", gaps=[""], params={"hidden": 4},
         names=["width", "colour", "height"]),
    Case("plain", "mlp", ["number"] * 3, "two", scale="none", params={"hidden": 4, "layers": 1}),
    Case("deep", "mlp", MIXED, "digits", params={"hidden": 7, "hidden_2": 5, "layers": 3,
                                                 "norm": "layer", "dropout": 0.2}),
    Case("linear", "linear", MIXED, "three", gaps=GAPS),
    Case("linear-value", "linear", ["number", "big"], "value"),
    Case("residual", "layers", MIXED, "three", gaps=GAPS, layers=[
        {"dense": 8, "name": "stem"}, {"norm": "layer"}, {"dense": 8, "act": "gelu"},
        {"dropout": 0.2}, {"add": "stem"}, {"act": "silu"}]),
    Case("attentive", "layers", ["number"] * 6, "value", layers=[
        {"tokens": 3}, {"place": True}, {"dense": 12}, {"attention": 2}, {"dense": 4}, {"norm": "layer"}]),
    Case("transformed", "transformer", MIXED, "digits", gaps=GAPS, params={
        "d_model": 8, "heads": 2, "blocks": 1}),
    Case("tokens", "transformer", ["token"] * 6, "digits", gaps=["", -1], sequence="tokens",
         params={"d_model": 8, "heads": 2, "blocks": 2}, c="C is for rows of numbers and categories"),
    Case("embedded", "layers", ["token"] * 6, "digits", gaps=["", -1], sequence="tokens",
         layers=[{"embed": 8}, {"dense": 12}, {"attention": 2, "causal": True}, {"global_max": True}],
         c="C is for rows of numbers and categories"),
    Case("pictures", "cnn", ["number"] * 36, "three", params={
        "filters": 4, "hidden": 5}),
    Case("pictures-residual", "cnn", ["number"] * 64, "value", params={
        "filters": 3, "residual": True, "activation": "gelu"}),
    Case("batches", "mlp", MIXED, "value", gaps=GAPS, params={"hidden": 6, "norm": "batch"}),
    Case("pictures-batches", "cnn", ["number"] * 36, "digits", params={
        "filters": 4, "hidden": 5, "norm": "batch", "activation": "leaky_relu"}),
    Case("listed-images", "layers", ["number"] * 32, "two", layers=[
        {"image": 4, "width": 4}, {"conv": 3, "pad": 1, "act": "tanh"}, {"mean_pool": 2},
        {"global_mean": True}]),
    Case("too-wide", "mlp", ["number"] * 3, "two", params={"hidden": 1100, "layers": 2},
         c="C is for small models: this one has 12"),
    Case("texts-alone", "mlp", ["text", "text"], "texts", params={"hidden": 4}),
    Case("trees-two", "gbdt", ["number"] * 4, "two", params=TREES),
    Case("trees-three", "gbdt", MIXED, "three", gaps=GAPS, params=TREES),
    Case("trees-codes", "gbdt", ["code", "number", "number", "text"], "digits", params=TREES),
    Case("2trees-values", "gbdt", ["big", "number", "number"], "value", gaps=GAPS, params=TREES),
    Case("trees-raw", "gbdt", ["number"] * 3, "value", scale="none", params=TREES),
]


def main():
    print(f"onnx {onnx.__version__}, onnxruntime {onnxruntime.__version__}")
    failed = 0
    with tempfile.TemporaryDirectory(prefix="assay-onnx-") as folder:
        try:
            check_nets(folder)
            check_text(folder, False)
            check_text(folder, True)
            check_texts(folder)
            check_safetensors(folder)
        except Exception as error:  # each case is reported
            failed = 1
            print(f"not ok nets: {error!r}", flush=True)
    for case in CASES:
        with tempfile.TemporaryDirectory(prefix="assay-onnx-") as folder:
            try:
                case.prepare(folder)
                off, off_c = check_onnx(case), check_c(case)
                if case.name == "my-first":
                    run_examples(case)
                print(f"ok {case.name}: onnx {off:.2g}, C {off_c:.2g}", flush=True)
            except Exception as error:
                failed = 1
                print(f"not ok {case.name}: {error!r}", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
