#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What PyTorch makes of small networks: losses that test_net_parity.c holds ours against.

    /usr/bin/python3 tests/train/make_net_golden.py > tests/train/data/net_torch.json

Wants the Debian package python3-torch. Data and first weights come from a generator of a few lines
that both have, so the file holds networks and losses alone: those of each step, before its update.
`layers` are as a study lists them, without the outputs' layer.
"""
import json
import math

import torch
from torch.nn import functional as F

ROWS, BATCH = 96, 16
ACTS = {"relu": F.relu, "tanh": torch.tanh, "sigmoid": torch.sigmoid,
        "silu": F.silu, "leaky_relu": F.leaky_relu,
        "gelu": lambda x: F.gelu(x, approximate="tanh"), "none": lambda x: x,
        "softmax": lambda x: torch.softmax(x, dim=-1)}
RESIDUAL = [{"dense": 10, "name": "stem"}, {"norm": "layer"}, {"dense": 14, "act": "gelu"},
            {"dense": 10}, {"add": "stem"}, {"norm": "layer"}, {"act": "relu"}]
ATTENTION = [{"tokens": 4}, {"dense": 8, "name": "a"}, {"place": True}, {"norm": "layer"},
             {"dense": 24}, {"attention": 2}, {"dense": 8}, {"add": "a"}, {"act": "tanh"}]
IMAGE = {"image": 6, "width": 4, "channels": 2}
GROUPS = [IMAGE, {"conv": 6, "pad": 1, "act": "gelu", "name": "a"}, {"conv": 6, "pad": 1, "groups": 3},
          {"add": "a"}, {"norm": "batch"}, {"act": "tanh"}, {"max_pool": 3, "stride": 2, "pad": 1},
          {"conv": 8, "kernel": 2, "groups": 2, "act": "silu"}, {"dense": 5, "act": "tanh"}]
STRIDES = [IMAGE, {"conv": 4, "stride": 2, "pad": 2, "act": "tanh"}, {"mean_pool": 3, "stride": 2, "pad": 1},
           {"conv": 6, "kernel": 1}, {"norm": "batch"}, {"act": "silu"}, {"max_pool": 2, "stride": 1},
           {"global_mean": True}]
BATCHES = [{"dense": 9}, {"norm": "batch"}, {"act": "gelu"}, {"dense": 7}, {"norm": "batch"}, {"act": "tanh"}]


def cases():
    sgd = {"optimizer": "sgd", "lr": 0.05, "momentum": 0.9, "weight_decay": 0.001, "steps": 100}
    nesterov = {**sgd, "nesterov": True}
    adam = {"optimizer": "adam", "lr": 0.01, "weight_decay": 0.01, "steps": 20}
    nets = [("linear", 5, []), ("least squares", 1, [])]
    nets += [(act, 5, [{"dense": 9, "act": act}, {"dense": 7, "act": act}])
             for act in ("relu", "tanh", "gelu", "sigmoid", "silu", "leaky_relu", "softmax")]
    nets += [("shares", 5, [{"tokens": 4}, {"dense": 6, "act": "softmax"}, {"norm": "layer"},
                            {"act": "softmax"}])]
    nets += [("numbers", 1, [{"dense": 9, "act": "tanh"}]), ("residual", 5, RESIDUAL),
             ("attention", 5, ATTENTION), ("images in groups", 5, GROUPS), ("strides", 5, STRIDES),
             ("batches", 5, BATCHES)]
    for name, outputs, layers in nets:
        for how in (sgd, adam) if name != "residual" else (sgd, nesterov, adam):
            features = 48 if IMAGE in layers else 12
            yield {"name": name, "features": features, "outputs": outputs, "layers": layers, **how}
    for how in (sgd, adam):
        yield {"name": "binary", "features": 12, "outputs": 1, "loss": "binary",
               "layers": [{"dense": 9, "act": "tanh"}], **how}


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
    """Parameters in the order of layers, a layer's weight before its bias; images [height][width][channels].
    What a batch normalisation follows has no bias."""

    def __init__(self, case, draws):
        super().__init__()
        self.layers, self.tensors = case["layers"] + [{"flatten": True}, {"dense": case["outputs"]}], []
        shape = (case["features"],)
        for layer, after in zip(self.layers, self.layers[1:] + [{}]):
            if "dense" in layer:
                self.add(draws, (layer["dense"], shape[-1]), 2 / math.sqrt(shape[-1]), 0)
                self.add(draws, () if after.get("norm") == "batch" else (layer["dense"],), 0.2, 0)
            elif "conv" in layer:
                side, inner = layer.get("kernel", 3), shape[-1] // layer.get("groups", 1)
                self.add(draws, (layer["conv"], side, side, inner), 3 / math.sqrt(side * side * inner), 0)
                self.add(draws, () if after.get("norm") == "batch" else (layer["conv"],), 0.2, 0)
            elif "norm" in layer:
                self.add(draws, shape[-1:], 0.2, 1)
                self.add(draws, shape[-1:], 0.2, 0)
            elif "place" in layer:
                self.add(draws, shape, 0.2, 0)
            shape = shape_after(layer, shape)

    def add(self, draws, shape, scale, shift):
        if not shape:
            self.tensors.append(None)
            return
        self.tensors.append(torch.nn.Parameter(draws.tensor(shape, scale, shift)))
        self.register_parameter(f"p{len(self.tensors)}", self.tensors[-1])

    def forward(self, x):
        at, named, rows = iter(self.tensors), {}, x.shape[0]
        for layer in self.layers:
            if "dense" in layer:
                x = ACTS[layer.get("act", "none")](F.linear(x, next(at), next(at)))
            elif "conv" in layer:
                x = convolution(x, layer, next(at), next(at))
            elif "act" in layer:
                x = ACTS[layer["act"]](x)
            elif layer.get("norm") == "layer":
                x = F.layer_norm(x, x.shape[-1:], next(at), next(at), 1e-5)
            elif "norm" in layer:
                flat = F.batch_norm(x.reshape(-1, x.shape[-1]), None, None, next(at), next(at), True, 0.1, 1e-5)
                x = flat.reshape(x.shape)
            elif "add" in layer:
                x = x + named[layer["add"]]
            elif "place" in layer:
                x = x + next(at)
            elif "tokens" in layer:
                x = x.reshape(rows, layer["tokens"], -1)
            elif "attention" in layer:
                x = attention(x, layer["attention"])
            elif "image" in layer:
                x = x.reshape(rows, *shape_after(layer, x.shape[1:]))
            elif "max_pool" in layer or "mean_pool" in layer:
                x = pool(x, layer)
            elif "global_mean" in layer:
                x = x.mean(dim=(1, 2))
            else:
                x = x.reshape(rows, -1)
            if "name" in layer:
                named[layer["name"]] = x
        return x.reshape(rows, -1)


def shape_after(layer, shape):
    """Of a row's numbers, channels last."""
    if "dense" in layer:
        return (*shape[:-1], layer["dense"])
    if "tokens" in layer:
        return layer["tokens"], shape[0] // layer["tokens"]
    if "attention" in layer:
        return shape[0], shape[1] // 3
    if "image" in layer:
        return layer["image"], layer["width"], layer["channels"]
    side = layer.get("kernel", 3) if "conv" in layer else layer.get("max_pool", layer.get("mean_pool"))
    if side:
        stride, pad = layer.get("stride", 1 if "conv" in layer else side), layer.get("pad", 0)
        height, width = ((n + 2 * pad - side) // stride + 1 for n in shape[:2])
        return height, width, layer.get("conv", shape[2])
    if "global_mean" in layer:
        return shape[2:]
    return (math.prod(shape),) if "flatten" in layer else shape


def convolution(x, layer, weight, bias):
    y = F.conv2d(x.permute(0, 3, 1, 2), weight.permute(0, 3, 1, 2), bias, layer.get("stride", 1),
                 layer.get("pad", 0), groups=layer.get("groups", 1))
    return ACTS[layer.get("act", "none")](y.permute(0, 2, 3, 1))


def pool(x, layer):
    side = layer.get("max_pool", layer.get("mean_pool"))
    how = {"stride": layer.get("stride", side), "padding": layer.get("pad", 0)}
    x = x.permute(0, 3, 1, 2)
    x = F.max_pool2d(x, side, **how) if "max_pool" in layer else \
        F.avg_pool2d(x, side, **how, count_include_pad=False)
    return x.permute(0, 2, 3, 1)


def attention(x, heads):
    rows, tokens, width = x.shape
    q, k, v = (part.reshape(rows, tokens, heads, -1).transpose(1, 2)
               for part in x.split(width // 3, dim=2))
    weights = torch.softmax(q @ k.transpose(2, 3) / math.sqrt(q.shape[-1]), dim=-1)
    return (weights @ v).transpose(1, 2).reshape(rows, tokens, width // 3)


def run(case):
    draws = Draws(7)
    x = draws.tensor((ROWS, case["features"]), 2)
    classes = 2 if "loss" in case else case["outputs"]
    label = torch.tensor([int((draws.draw() + 0.5) * classes) for _ in range(ROWS)])
    target = draws.tensor((ROWS,), 2)
    net = Net(case, draws)
    if case["optimizer"] == "sgd":
        update = torch.optim.SGD(net.parameters(), case["lr"], momentum=case["momentum"],
                                 weight_decay=case["weight_decay"],
                                 nesterov=case.get("nesterov", False))
    else:
        update = torch.optim.AdamW(net.parameters(), case["lr"], weight_decay=case["weight_decay"])
    losses = []
    for step in range(case["steps"]):
        rows = slice(step * BATCH % ROWS, step * BATCH % ROWS + BATCH)
        update.zero_grad()
        if "loss" in case:
            loss = F.binary_cross_entropy_with_logits(net(x[rows])[:, 0], label[rows].float())
        elif case["outputs"] > 1:
            loss = F.cross_entropy(net(x[rows]), label[rows])
        else:
            loss = F.mse_loss(net(x[rows])[:, 0], target[rows])
        loss.backward()
        update.step()
        losses.append(float(f"{loss.item():.7g}"))
    return {**case, "losses": losses}


def main():
    torch.set_num_threads(1)
    lines = ",\n".join(json.dumps(run(case)) for case in cases())
    print(f'{{"torch": "{torch.__version__}", "rows": {ROWS}, '
          f'"batch": {BATCH}, "cases": [\n{lines}\n]}}')


if __name__ == "__main__":
    main()
