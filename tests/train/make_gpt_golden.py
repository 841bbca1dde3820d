#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What PyTorch makes of small models of sequences: losses that test_gpt_parity.c holds ours against.

    /usr/bin/python3 tests/train/make_gpt_golden.py > tests/train/data/gpt_torch.json

Wants the Debian package python3-torch, whose nn.TransformerEncoderLayer makes the blocks. Tokens and
first weights come from a generator of a few lines that both have, so the file holds models and losses
alone: those of each step, before its update.
"""
import functools
import json
import math

import torch

ROWS, BATCH, TOKENS, VOCABULARY, FEATURES, CLASSES = 48, 8, 12, 11, 12, 5
GELU = functools.partial(torch.nn.functional.gelu, approximate="tanh")


def cases():
    sgd = {"optimizer": "sgd", "lr": 0.05, "momentum": 0.9, "weight_decay": 0.001, "steps": 100}
    adam = {"optimizer": "adam", "lr": 0.01, "weight_decay": 0.01, "steps": 20}
    models = [{"family": "gpt", "params": {"d_model": 16, "heads": 2, "blocks": 2}},
              {"family": "gpt", "params": {"d_model": 24, "heads": 3, "blocks": 2, "tied": True}},
              {"family": "gpt", "params": {"d_model": 16, "heads": 4, "blocks": 1, "activation": "relu"}},
              {"family": "transformer",
               "params": {"d_model": 16, "heads": 2, "blocks": 2, "tokens": 4}},
              {"family": "transformer", "params": {"d_model": 16, "heads": 1, "blocks": 1}},
              {"family": "transformer", "ids": True,
               "params": {"d_model": 16, "heads": 2, "blocks": 2}}]
    for model in models:
        gentle = {**sgd, "lr": 0.003}  # it soon learns few rows by heart
        for how in (sgd if model["family"] == "gpt" else gentle, adam):
            yield {**model, **how}


class Draws:
    """Numbers in [-0.5, 0.5), the same here and in the test."""

    def __init__(self, state):
        self.state = state

    def draw(self):
        self.state = (self.state * 1664525 + 1013904223) % 2**32
        return self.state / 2**32 - 0.5

    def below(self, n):
        return int((self.draw() + 0.5) * n)

    def fill(self, tensor, scale, shift=0.0):
        with torch.no_grad():
            tensor.copy_(torch.tensor([self.draw() * scale + shift for _ in range(tensor.numel())],
                                      dtype=torch.float32).reshape(tensor.shape))

    def linear(self, weight, bias):
        self.fill(weight, 2 / math.sqrt(weight.shape[1]))
        self.fill(bias, 0.2)

    def norm(self, norm):
        self.fill(norm.weight, 0.2, 1)
        self.fill(norm.bias, 0.2)


class Model(torch.nn.Module):
    """Parameters are drawn in the order in which ours lie in memory. ids: rows are of tokens."""

    def __init__(self, family, params, draws, ids=False):
        super().__init__()
        width, self.family, self.ids = params["d_model"], family, ids
        act = torch.relu if params.get("activation") == "relu" else GELU
        if family == "gpt":
            self.tokens, self.tied = TOKENS, params.get("tied", False)
            self.table = torch.nn.Parameter(torch.empty(VOCABULARY, width))
            draws.fill(self.table, 1)
        elif ids:
            self.tokens, self.tied = FEATURES, False
            self.table = torch.nn.Parameter(torch.empty(VOCABULARY, width))
            draws.fill(self.table, 1)
        else:
            self.tokens, self.tied = params.get("tokens", FEATURES), False
            self.enter = torch.nn.Linear(FEATURES // self.tokens, width)
            draws.linear(self.enter.weight, self.enter.bias)
        self.place = torch.nn.Parameter(torch.empty(self.tokens, width))
        draws.fill(self.place, 1)
        self.blocks = torch.nn.ModuleList()
        for _ in range(params["blocks"]):
            block = torch.nn.TransformerEncoderLayer(width, params["heads"], 4 * width, dropout=0,
                                                     activation=act, batch_first=True,
                                                     norm_first=True)
            draws.norm(block.norm1)
            draws.linear(block.self_attn.in_proj_weight, block.self_attn.in_proj_bias)
            draws.linear(block.self_attn.out_proj.weight, block.self_attn.out_proj.bias)
            draws.norm(block.norm2)
            draws.linear(block.linear1.weight, block.linear1.bias)
            draws.linear(block.linear2.weight, block.linear2.bias)
            self.blocks.append(block)
        self.norm = torch.nn.LayerNorm(width)
        draws.norm(self.norm)
        outputs = VOCABULARY if family == "gpt" else CLASSES
        if self.tied:
            self.bias = torch.nn.Parameter(torch.empty(outputs))
            draws.fill(self.bias, 0.2)
        else:
            self.leave = torch.nn.Linear(width * (1 if family == "gpt" or ids else self.tokens),
                                         outputs)
            draws.linear(self.leave.weight, self.leave.bias)
        self.mask = (torch.triu(torch.full((TOKENS, TOKENS), -math.inf), diagonal=1)
                     if family == "gpt" else None)

    def forward(self, x):
        if self.family == "gpt" or self.ids:
            x = self.table[x]
        else:
            x = self.enter(x.reshape(x.shape[0], self.tokens, -1))
        x = x + self.place
        for block in self.blocks:
            x = block(x, src_mask=self.mask)
        x = self.norm(x)
        if self.ids:
            return self.leave(x.mean(1))
        if self.family == "transformer":
            return self.leave(x.reshape(x.shape[0], -1))
        return torch.nn.functional.linear(x, self.table, self.bias) if self.tied else self.leave(x)


def sequence(draws):
    """Tokens, and behind them padding, which is the last of the vocabulary."""
    n = 1 + draws.below(FEATURES)
    return [draws.below(VOCABULARY - 1) for _ in range(n)] + [VOCABULARY - 1] * (FEATURES - n)


def data(family, draws, ids):
    """Sequences and what follows each token; or rows and their classes."""
    if family == "gpt":
        ids = torch.tensor([[draws.below(VOCABULARY) for _ in range(TOKENS + 1)] for _ in range(ROWS)])
        return ids[:, :-1], ids[:, 1:]
    if ids:
        x = torch.tensor([sequence(draws) for _ in range(ROWS)])
        return x, torch.tensor([draws.below(CLASSES) for _ in range(ROWS)])
    x = torch.tensor([[draws.draw() * 2 for _ in range(FEATURES)] for _ in range(ROWS)])
    return x, torch.tensor([draws.below(CLASSES) for _ in range(ROWS)])


def run(case):
    draws = Draws(7)
    ids = case.get("ids", False)
    x, label = data(case["family"], draws, ids)
    model = Model(case["family"], case["params"], draws, ids)
    if case["optimizer"] == "sgd":
        update = torch.optim.SGD(model.parameters(), case["lr"], momentum=case["momentum"],
                                 weight_decay=case["weight_decay"])
    else:
        update = torch.optim.AdamW(model.parameters(), case["lr"], weight_decay=case["weight_decay"])
    losses = []
    for step in range(case["steps"]):
        rows = slice(step * BATCH % ROWS, step * BATCH % ROWS + BATCH)
        update.zero_grad()
        out = model(x[rows])
        loss = torch.nn.functional.cross_entropy(out.reshape(-1, out.shape[-1]), label[rows].reshape(-1))
        loss.backward()
        update.step()
        losses.append(float(f"{loss.item():.7g}"))
    return {**case, "losses": losses}


def main():
    torch.set_num_threads(1)
    lines = ",\n".join(json.dumps(run(case)) for case in cases())
    print(f'{{"torch": "{torch.__version__}", "rows": {ROWS}, "batch": {BATCH}, "tokens": {TOKENS}, '
          f'"vocabulary": {VOCABULARY}, "features": {FEATURES}, "classes": {CLASSES}, "cases": [\n'
          f'{lines}\n]}}')


if __name__ == "__main__":
    main()
