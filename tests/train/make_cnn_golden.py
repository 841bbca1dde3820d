#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What PyTorch makes of small convolutional networks: losses that test_cnn_parity.c holds ours against.

    /usr/bin/python3 tests/train/make_cnn_golden.py > tests/train/data/cnn_torch.json

Wants the Debian package python3-torch. Data and first weights come from a generator of a few lines that
both have, so the file holds hyperparameters and losses alone: those of each step, before its update, and
the loss of all rows at the end as evaluation sees them (running statistics in place of a batch's).
Images are [height][width][channels], kernels [filters][height][width][channels].
"""
import json
import math

import torch
from torch.nn import functional as F

ROWS, BATCH, OUTPUTS = 96, 16, 5
ACTS = {"relu": F.relu, "tanh": torch.tanh, "leaky_relu": F.leaky_relu,
        "gelu": lambda x: F.gelu(x, approximate="tanh")}
FALLBACK = {"filters": 16, "blocks": 2, "kernel": 3, "padding": "same", "pool": "max", "hidden": 128,
            "residual": False, "norm": "none", "activation": "relu"}


def cases():
    sgd = {"optimizer": "sgd", "lr": 0.05, "momentum": 0.9, "steps": 100}
    adam = {"optimizer": "adam", "lr": 0.003, "steps": 20}
    nets = [("16c5-p-32c5-p-128-10, small", (16, 16, 1),
             {"filters": 4, "kernel": 5, "padding": "valid", "hidden": 12}),
            ("same, mean", (9, 7, 3), {"filters": 4, "pool": "mean", "activation": "gelu", "hidden": 0}),
            ("leaky", (8, 8, 2), {"filters": 5, "blocks": 3, "activation": "leaky_relu", "hidden": 9}),
            ("batch", (10, 10, 1), {"filters": 4, "norm": "batch", "hidden": 10}),
            ("residual", (8, 8, 2), {"filters": 4, "residual": True, "activation": "tanh", "hidden": 0}),
            # (smooth: units of a rectifier whose input is 0 but for a rounding part the two for good)
            ("ResNet", (9, 9, 3), {"filters": 4, "residual": True, "norm": "batch", "hidden": 8,
                                   "activation": "gelu"})]
    for name, image, parameters in nets:
        for how in (sgd, adam):
            yield {"name": name, "image": image, "parameters": parameters, **how}


class Draws:
    """Numbers in [-0.5, 0.5), the same here and in the test."""

    def __init__(self, state):
        self.state = state

    def draw(self):
        self.state = (self.state * 1664525 + 1013904223) % 2**32
        return self.state / 2**32 - 0.5

    def tensor(self, shape, scale=1.0, shift=0.0):
        n = math.prod(shape)
        return torch.tensor([self.draw() * scale + shift for _ in range(n)],
                            dtype=torch.float32).reshape(shape)


class Net(torch.nn.Module):
    """Parameters are drawn in the order of layers, as the engine has them, on the first forward pass."""

    def __init__(self, parameters, draws):
        super().__init__()
        self.h, self.draws, self.tensors, self.running = {**FALLBACK, **parameters}, draws, [], []
        self.act = ACTS[self.h["activation"]]

    def take(self, shape, scale, shift=0):
        if self.draws:
            self.tensors.append(torch.nn.Parameter(self.draws.tensor(shape, scale, shift)))
            self.register_parameter(f"p{len(self.tensors)}", self.tensors[-1])
        self.at += 1
        return self.tensors[self.at - 1]

    def conv(self, x, width, kernel, pad, stride=1):
        inner = kernel * kernel * x.shape[1]
        w = self.take((width, kernel, kernel, x.shape[1]), 3 / math.sqrt(inner))
        b = None if self.h["norm"] == "batch" else self.take((width,), 0.2)
        return F.conv2d(x, w.permute(0, 3, 1, 2), b, stride, pad)

    def norm(self, x):
        if self.h["norm"] == "none":
            return x
        scale, shift = self.take((x.shape[1],), 0.2, 1), self.take((x.shape[1],), 0.2)
        if self.draws:
            self.running.append((torch.zeros(x.shape[1]), torch.ones(x.shape[1])))
        mean, variance = self.running[self.normed]
        self.normed += 1
        if self.draws:  # the first pass draws and counts for nothing
            mean, variance = mean.clone(), variance.clone()
        return F.batch_norm(x, mean, variance, scale, shift, self.training, 0.1, 1e-5)

    def dense(self, x, width):
        return F.linear(x, self.take((width, x.shape[1]), 2 / math.sqrt(x.shape[1])),
                        self.take((width,), 0.2))

    def plain(self, x):
        h, same = self.h, self.h["padding"] == "same"
        for block in range(h["blocks"]):
            x = self.conv(x, h["filters"] << block, h["kernel"], (h["kernel"] - 1) // 2 if same else 0)
            x = self.act(self.norm(x))
            if h["pool"] != "none" and min(x.shape[2:]) >= 2:
                x = F.max_pool2d(x, 2) if h["pool"] == "max" else F.avg_pool2d(x, 2)
        return x.permute(0, 2, 3, 1).reshape(x.shape[0], -1)

    def residual(self, x):
        h, pad = self.h, (self.h["kernel"] - 1) // 2
        x = self.act(self.norm(self.conv(x, h["filters"], h["kernel"], pad)))
        for block in range(h["blocks"]):
            width, stride = h["filters"] << block, 2 if block else 1
            y = self.act(self.norm(self.conv(x, width, h["kernel"], pad, stride)))
            y = self.norm(self.conv(y, width, h["kernel"], pad))
            if block:
                x = self.norm(self.conv(x, width, 1, 0, 2))
            x = self.act(y + x)
        return x.mean(dim=(2, 3))

    def forward(self, x):
        self.at = self.normed = 0
        x = self.residual(x) if self.h["residual"] else self.plain(x)
        if self.h["hidden"]:
            x = self.act(self.dense(x, self.h["hidden"]))
        return self.dense(x, OUTPUTS)


def run(case):
    draws = Draws(7)
    height, width, channels = case["image"]
    x = draws.tensor((ROWS, height, width, channels), 2).permute(0, 3, 1, 2)
    label = torch.tensor([int((draws.draw() + 0.5) * OUTPUTS) for _ in range(ROWS)])
    net = Net(case["parameters"], draws)
    net(x[:BATCH])
    net.draws = None
    if case["optimizer"] == "sgd":
        update = torch.optim.SGD(net.parameters(), case["lr"], momentum=case["momentum"])
    else:
        update = torch.optim.Adam(net.parameters(), case["lr"])
    losses = []
    for step in range(case["steps"]):
        rows = slice(step * BATCH % ROWS, step * BATCH % ROWS + BATCH)
        update.zero_grad()
        loss = F.cross_entropy(net(x[rows]), label[rows])
        loss.backward()
        update.step()
        losses.append(float(f"{loss.item():.7g}"))
    net.eval()
    last = F.cross_entropy(net(x), label).item()
    return {**case, "losses": losses, "evaluated": float(f"{last:.7g}")}


def main():
    torch.set_num_threads(1)
    lines = ",\n".join(json.dumps(run(case)) for case in cases())
    print(f'{{"torch": "{torch.__version__}", "rows": {ROWS}, "batch": {BATCH}, '
          f'"outputs": {OUTPUTS}, "cases": [\n{lines}\n]}}')


if __name__ == "__main__":
    main()
