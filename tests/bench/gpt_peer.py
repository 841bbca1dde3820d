# SPDX-License-Identifier: Apache-2.0
"""What bench_gpt does, by PyTorch on one thread.

    gpt_peer.py SIZES BATCH sgd|adam SECONDS

Prints microseconds of processor time per step, steps, loss, the version, and the faster form: blocks are
those of nn.TransformerEncoderLayer ("encoder") or written out ("blocks", with the fused attention where
this version has one), the optimiser's loop goes over the tensors or all of them at once ("foreach").
"""
import functools
import math
import sys
import time

import torch
import torch.nn.functional as F

WINDOWS = 4096
width, n_blocks, heads, tokens, vocabulary = map(int, sys.argv[1].split("-"))
batch, kind, seconds = int(sys.argv[2]), sys.argv[3], float(sys.argv[4])
torch.set_num_threads(1)
torch.set_flush_denormal(True)  # as ours does
torch.manual_seed(1)
data = torch.randint(0, vocabulary, (WINDOWS, tokens + 1))
order = torch.randint(0, WINDOWS, (WINDOWS,))
gelu = functools.partial(F.gelu, approximate="tanh")
mask = torch.triu(torch.full((tokens, tokens), -math.inf), diagonal=1)
fused = getattr(F, "scaled_dot_product_attention", None)


class Block(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = torch.nn.LayerNorm(width), torch.nn.LayerNorm(width)
        self.qkv, self.out = torch.nn.Linear(width, 3 * width), torch.nn.Linear(width, width)
        self.up, self.down = torch.nn.Linear(width, 4 * width), torch.nn.Linear(4 * width, width)

    def forward(self, x):
        q, k, v = (part.view(-1, tokens, heads, width // heads).transpose(1, 2)
                   for part in self.qkv(self.norm1(x)).split(width, dim=2))
        if fused:
            seen = fused(q, k, v, is_causal=True)
        else:
            seen = torch.softmax(q @ k.transpose(2, 3) * (width / heads) ** -0.5 + mask, dim=-1) @ v
        x = x + self.out(seen.transpose(1, 2).reshape(-1, tokens, width))
        return x + self.down(gelu(self.up(self.norm2(x))))


class Gpt(torch.nn.Module):
    def __init__(self, encoder):
        super().__init__()
        self.table, self.encoder = torch.nn.Embedding(vocabulary, width), encoder
        self.place = torch.nn.Parameter(torch.randn(tokens, width) * 0.02)
        make = functools.partial(torch.nn.TransformerEncoderLayer, width, heads, 4 * width, dropout=0,
                                 activation=gelu, batch_first=True, norm_first=True)
        self.blocks = torch.nn.ModuleList((make if encoder else Block)() for _ in range(n_blocks))
        self.norm, self.leave = torch.nn.LayerNorm(width), torch.nn.Linear(width, vocabulary)

    def forward(self, x):
        x = self.table(x) + self.place
        for block in self.blocks:
            x = block(x, src_mask=mask) if self.encoder else block(x)
        return self.leave(self.norm(x))


def train(form, seconds):
    encoder, foreach = form
    net = Gpt(encoder)
    if kind == "sgd":
        optimiser = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, foreach=foreach)
    else:
        optimiser = torch.optim.Adam(net.parameters(), lr=1e-3, foreach=foreach)
    at = 0

    def step():
        nonlocal at
        rows = data[order[at:at + batch]]
        at = (at + batch) % (WINDOWS // batch * batch)
        optimiser.zero_grad(set_to_none=True)
        loss = F.cross_entropy(net(rows[:, :-1]).view(-1, vocabulary), rows[:, 1:].reshape(-1))
        loss.backward()
        optimiser.step()
        return loss

    end = time.process_time() + seconds / 5
    while time.process_time() < end:
        loss = step()
    n, begin = 0, time.process_time()
    while time.process_time() - begin < seconds:
        loss = step()
        n += 1
    return (time.process_time() - begin) / n * 1e6, n, loss.item()


forms = [(encoder, foreach) for encoder in (False, True) for foreach in (False, True)]
probes = {form: train(form, min(seconds, 0.5))[0] for form in forms}
form = min(probes, key=probes.get)
us, n, loss = train(form, seconds)
print(us, n, loss, torch.__version__, f"{'encoder' if form[0] else 'blocks'},{'foreach' if form[1] else 'loop'}")
