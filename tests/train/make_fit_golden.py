#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What PyTorch and scikit-learn make of losses, optimisers, learning rates and metrics: numbers that
test_fit_parity.c holds ours against.

    /usr/bin/python3 tests/train/make_fit_golden.py > tests/train/data/fit_torch.json

Wants the Debian packages python3-torch and python3-sklearn. All is in double precision, from inputs
that single precision holds exactly.
"""
import json

import numpy
import sklearn
import sklearn.metrics
import torch
from torch.nn import functional
from torch.optim import lr_scheduler

torch.set_default_dtype(torch.float64)
rng = numpy.random.default_rng(3)


def numbers(*shape):
    """Multiples of 1/64, so that a float has them exactly."""
    return numpy.round(rng.normal(0, 2, shape) * 64) / 64


def plain(x):
    return [round(float(v), 12) for v in numpy.asarray(x).reshape(-1)]


def class_loss(smoothing, weights):
    x = torch.tensor(numbers(6, 4), requires_grad=True)
    y = torch.tensor([0, 3, 1, 1, 2, 0])
    w = torch.tensor(weights) if weights else None
    loss = functional.cross_entropy(x, y, weight=w, label_smoothing=smoothing, reduction="sum")
    loss.backward()
    return {"smoothing": smoothing, "weights": weights, "classes": 4, "labels": y.tolist(),
            "outputs": plain(x.detach()), "loss": loss.item(), "gradient": plain(x.grad)}


def number_loss(name, parameter):
    y = torch.tensor(numbers(8), requires_grad=True)
    t = torch.tensor(numbers(8))
    case = {"name": name, "parameter": parameter, "outputs": plain(y.detach()), "targets": plain(t)}
    if name == "quantile":
        d = t.numpy() - y.detach().numpy()
        case["loss"] = 8 * sklearn.metrics.mean_pinball_loss(t, y.detach(), alpha=parameter)
        case["gradient"] = plain(numpy.where(d > 0, -parameter, 1 - parameter))
        return case
    if name == "huber":
        loss = functional.huber_loss(y, t, delta=parameter, reduction="sum")
    else:
        t = (t > 0).double()
        case["targets"] = plain(t)
        loss = functional.binary_cross_entropy_with_logits(y, t, reduction="sum")
    loss.backward()
    return {**case, "loss": loss.item(), "gradient": plain(y.grad)}


def optimiser(name, make, clip=0.0, **ours):
    w = torch.nn.Parameter(torch.tensor(numbers(7)))
    start, grads, after = plain(w.detach()), [], []
    optimizer = make([w])
    for _ in range(10):
        w.grad = torch.tensor(numbers(7))
        grads += plain(w.grad)
        if clip:
            torch.nn.utils.clip_grad_norm_([w], clip)
        optimizer.step()
        after += plain(w.detach())
    return {"optimizer": name, "clip": clip, **ours, "start": start, "gradients": grads,
            "after": after}


def rates(optimizer, scheduler, steps, value=None):
    out = []
    for i in range(steps):
        out.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step(value[i]) if value else scheduler.step()
    return plain(out)


def schedule(rule, total, make, lr=0.5, warmup=0, **ours):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr)
    after = make(optimizer, total - warmup)
    if warmup and rule != "one_cycle":
        rise = lr_scheduler.LinearLR(optimizer, 1 / warmup, 1, warmup - 1)
        after = lr_scheduler.SequentialLR(optimizer, [rise, after], [warmup])
    return {"rule": rule, "total": total, "lr": lr, "warmup": warmup, **ours,
            "rates": rates(optimizer, after, total)}


def plateau(patience, factor, maximize):
    values = plain(numbers(30))
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], 1.0)
    scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, "max" if maximize else "min", factor,
                                               patience, threshold=0, eps=0)
    return {"patience": patience, "factor": factor, "maximize": maximize, "values": values,
            "rates": rates(optimizer, scheduler, 30, values)}


def class_metrics(classes):
    m, rows = sklearn.metrics, 40
    shares = functional.softmax(torch.tensor(numpy.round(numbers(rows, classes))), 1)
    shares = shares.float().double().numpy()  # with equal ones in it
    label = rng.integers(0, classes, rows)
    label[:classes] = range(classes)
    area = (m.roc_auc_score(label, shares[:, 1]) if classes == 2 else
            m.roc_auc_score(label, shares / shares.sum(1, keepdims=True), multi_class="ovr"))
    guess = shares.argmax(1)
    case = {"classes": classes, "labels": label.tolist(), "shares": plain(shares), "auc": area,
            "f1": m.f1_score(label, guess, average="macro"),
            "accuracy": m.accuracy_score(label, guess),
            "precision": plain(m.precision_score(label, guess, average=None, zero_division=0)),
            "recall": plain(m.recall_score(label, guess, average=None, zero_division=0)),
            "confusion": m.confusion_matrix(label, guess).reshape(-1).tolist()}
    return case


def number_metrics():
    m, t, y = sklearn.metrics, numbers(25) + 3, numbers(25)
    return {"targets": plain(t), "outputs": plain(y), "mae": m.mean_absolute_error(t, y),
            "rmse": m.mean_squared_error(t, y, squared=False), "r2": m.r2_score(t, y)}


def main():
    sgd, adam, adamw = torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW
    golden = {
        "torch": torch.__version__, "sklearn": sklearn.__version__,
        "class_losses": [class_loss(s, w) for s in (0.0, 0.1, 0.5)
                         for w in (None, [1, 0.25, 3, 0.5])],
        "number_losses": [number_loss("huber", 1.0), number_loss("huber", 0.25),
                          number_loss("quantile", 0.5), number_loss("quantile", 0.875),
                          number_loss("binary", 0.0)],
        "optimisers": [
            optimiser("sgd", lambda w: sgd(w, 0.125), lr=0.125),
            optimiser("sgd", lambda w: sgd(w, 0.125, 0.5, weight_decay=0.25), lr=0.125,
                      momentum=0.5, weight_decay=0.25),
            optimiser("sgd", lambda w: sgd(w, 0.125, 0.5, weight_decay=0.25, nesterov=True),
                      lr=0.125, momentum=0.5, weight_decay=0.25, nesterov=True),
            optimiser("sgd", lambda w: sgd(w, 0.125, 0.5), lr=0.125, momentum=0.5, clip=2.0),
            optimiser("adam_l2", lambda w: adam(w, 0.125, weight_decay=0.25), lr=0.125,
                      weight_decay=0.25),
            optimiser("adamw", lambda w: adamw(w, 0.125, weight_decay=0.25), lr=0.125,
                      weight_decay=0.25),
            optimiser("adam", lambda w: adamw(w, 0.125, (0.5, 0.75), weight_decay=0), lr=0.125,
                      beta1=0.5, beta2=0.75, clip=3.0),
        ],
        "schedules": [
            schedule("constant", 10, lambda o, n: lr_scheduler.ConstantLR(o, 1)),
            schedule("constant", 10, lambda o, n: lr_scheduler.ConstantLR(o, 1), warmup=4),
            schedule("step", 20, lambda o, n: lr_scheduler.StepLR(o, 6, 0.3), every=6, factor=0.3),
            schedule("step", 20, lambda o, n: lr_scheduler.StepLR(o, 4, 0.5), every=4, factor=0.5,
                     warmup=5),
            schedule("linear", 20, lambda o, n: lr_scheduler.LinearLR(o, 1, 0.1, n), end=0.1),
            schedule("linear", 20, lambda o, n: lr_scheduler.LinearLR(o, 1, 0.25, n), end=0.25,
                     warmup=3),
            schedule("cosine", 20, lambda o, n: lr_scheduler.CosineAnnealingLR(o, n, 0.05),
                     end=0.1),
            schedule("cosine", 33, lambda o, n: lr_scheduler.CosineAnnealingLR(o, n), warmup=7),
            schedule("one_cycle", 40, lambda o, n: lr_scheduler.OneCycleLR(
                o, 0.5, 40, cycle_momentum=False), end=1 / 25e4),
            schedule("one_cycle", 40, lambda o, n: lr_scheduler.OneCycleLR(
                o, 0.5, 40, pct_start=0.2, cycle_momentum=False), end=1 / 25e4, warmup=8),
        ],
        "plateaus": [plateau(2, 0.5, False), plateau(0, 0.25, True), plateau(4, 0.1, False)],
        "class_metrics": [class_metrics(2), class_metrics(3), class_metrics(12)],
        "number_metrics": [number_metrics()],
    }
    lines = []
    for key, value in golden.items():
        if isinstance(value, list):
            rows = ",\n".join(json.dumps(case) for case in value)
            lines.append(f"{json.dumps(key)}: [\n{rows}]")
        else:
            lines.append(f"{json.dumps(key)}: {json.dumps(value)}")
    print("{" + ",\n".join(lines) + "}")


if __name__ == "__main__":
    main()
