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

FEATURES, ROWS, BATCH = 12, 96, 16
ACTS = {"relu": torch.nn.functional.relu, "tanh": torch.tanh, "sigmoid": torch.sigmoid,
        "silu": torch.nn.functional.silu, "leaky_relu": torch.nn.functional.leaky_relu,
        "gelu": lambda x: torch.nn.functional.gelu(x, approximate="tanh"), "none": lambda x: x,
        "softmax": lambda x: torch.softmax(x, dim=-1)}
RESIDUAL = [{"dense": 10, "name": "stem"}, {"norm": "layer"}, {"dense": 14, "act": "gelu"},
            {"dense": 10}, {"add": "stem"}, {"norm": "layer"}, {"act": "relu"}]
ATTENTION = [{"tokens": 4}, {"dense": 8, "name": "a"}, {"place": True}, {"norm": "layer"},
             {"dense": 24}, {"attention": 2}, {"dense": 8}, {"add": "a"}, {"act": "tanh"}]


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
             ("attention", 5, ATTENTION)]
    for name, outputs, layers in nets:
        for how in (sgd, adam) if name != "residual" else (sgd, nesterov, adam):
            yield {"name": name, "outputs": outputs, "layers": layers, **how}


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
    """Parameters in the order of layers, a layer's weight before its bias."""

    def __init__(self, layers, outputs, draws):
        super().__init__()
        self.layers, self.tensors = layers + [{"flatten": True}, {"dense": outputs}], []
        shape = (1, FEATURES)
        for layer in self.layers:
            if "dense" in layer:
                self.add(draws, (layer["dense"], shape[1]), 2 / math.sqrt(shape[1]), 0)
                self.add(draws, (layer["dense"],), 0.2, 0)
                shape = (shape[0], layer["dense"])
            elif "norm" in layer:
                self.add(draws, (shape[1],), 0.2, 1)
                self.add(draws, (shape[1],), 0.2, 0)
            elif "place" in layer:
                self.add(draws, shape, 0.2, 0)
            elif "tokens" in layer:
                shape = (layer["tokens"], FEATURES // layer["tokens"])
            elif "attention" in layer:
                shape = (shape[0], shape[1] // 3)
            elif "flatten" in layer:
                shape = (1, shape[0] * shape[1])

    def add(self, draws, shape, scale, shift):
        self.tensors.append(torch.nn.Parameter(draws.tensor(shape, scale, shift)))
        self.register_parameter(f"p{len(self.tensors)}", self.tensors[-1])

    def forward(self, x):
        at, named, rows = iter(self.tensors), {}, x.shape[0]
        x = x.reshape(rows, 1, FEATURES)
        for layer in self.layers:
            if "dense" in layer:
                x = ACTS[layer.get("act", "none")](torch.nn.functional.linear(x, next(at), next(at)))
            elif "act" in layer:
                x = ACTS[layer["act"]](x)
            elif "norm" in layer:
                x = torch.nn.functional.layer_norm(x, x.shape[-1:], next(at), next(at), 1e-5)
            elif "add" in layer:
                x = x + named[layer["add"]]
            elif "place" in layer:
                x = x + next(at)
            elif "tokens" in layer:
                x = x.reshape(rows, layer["tokens"], -1)
            elif "attention" in layer:
                x = attention(x, layer["attention"])
            else:
                x = x.reshape(rows, 1, -1)
            if "name" in layer:
                named[layer["name"]] = x
        return x.reshape(rows, -1)


def attention(x, heads):
    rows, tokens, width = x.shape
    q, k, v = (part.reshape(rows, tokens, heads, -1).transpose(1, 2)
               for part in x.split(width // 3, dim=2))
    weights = torch.softmax(q @ k.transpose(2, 3) / math.sqrt(q.shape[-1]), dim=-1)
    return (weights @ v).transpose(1, 2).reshape(rows, tokens, width // 3)


def run(case):
    draws = Draws(7)
    x = draws.tensor((ROWS, FEATURES), 2)
    label = torch.tensor([int((draws.draw() + 0.5) * case["outputs"]) for _ in range(ROWS)])
    target = draws.tensor((ROWS,), 2)
    net = Net(case["layers"], case["outputs"], draws)
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
        if case["outputs"] > 1:
            loss = torch.nn.functional.cross_entropy(net(x[rows]), label[rows])
        else:
            loss = torch.nn.functional.mse_loss(net(x[rows])[:, 0], target[rows])
        loss.backward()
        update.step()
        losses.append(float(f"{loss.item():.7g}"))
    return {**case, "losses": losses}


def main():
    torch.set_num_threads(1)
    lines = ",\n".join(json.dumps(run(case)) for case in cases())
    print(f'{{"torch": "{torch.__version__}", "features": {FEATURES}, "rows": {ROWS}, '
          f'"batch": {BATCH}, "cases": [\n{lines}\n]}}')


if __name__ == "__main__":
    main()
