# SPDX-License-Identifier: Apache-2.0
"""What bench_step does, by PyTorch on one thread, or on more.

    step_peer.py LAYERS BATCH sgd|adam SECONDS [fp32|bf16 [THREADS]]

Prints microseconds of processor time per step, steps, loss, and the version; with the faster one of the
optimiser's two forms (a loop over the tensors, or all of them at once), which is named. Convolutions
have channels first or last, whichever is faster. bf16: by autocast. Of more than
one thread: by the clock on the wall.
"""
import sys
import time

import torch

ROWS = 8192
first, *words = sys.argv[1].split("-")
shape = [1, *map(int, first.split("x"))] if "x" in first else [int(first)]
batch, kind, seconds = int(sys.argv[2]), sys.argv[3], float(sys.argv[4])
bf16 = sys.argv[5:6] == ["bf16"]
threads = int(sys.argv[6]) if len(sys.argv) > 6 else 1
clock = time.perf_counter if threads > 1 else time.process_time
torch.set_num_threads(threads)
torch.set_flush_denormal(True)  # as ours does
torch.manual_seed(1)
data = torch.rand(ROWS, *shape)
labels = torch.randint(0, int(words[-1]), (ROWS,))
order = torch.randint(0, ROWS, (ROWS,))


def network():
    layers, out = [], data[:1]
    for i, word in enumerate(words):
        if word == "p":
            new = [torch.nn.MaxPool2d(2)]
        elif "c" in word:
            width, kernel = map(int, word.split("c"))
            new = [torch.nn.Conv2d(out.shape[1], width, kernel), torch.nn.ReLU(inplace=True)]
        else:
            new = [torch.nn.Flatten()] if out.dim() > 2 else []
            new += [torch.nn.Linear(out[0].numel(), int(word))]
            new += [torch.nn.ReLU()] if i < len(words) - 1 else []
        layers += new
        out = torch.nn.Sequential(*new)(out)
    return torch.nn.Sequential(*layers)


def train(form, seconds):
    foreach, last = form
    net, loss_of, x = network(), torch.nn.CrossEntropyLoss(), data
    if last:
        net, x = net.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    if kind == "sgd":
        optimiser = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, foreach=foreach)
    else:
        optimiser = torch.optim.Adam(net.parameters(), lr=1e-3, foreach=foreach)
    at = 0

    def step():
        nonlocal at
        rows = order[at:at + batch]
        at = (at + batch) % (ROWS // batch * batch)
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
            loss = loss_of(net(x[rows]), labels[rows])
        loss.backward()
        optimiser.step()
        return loss

    end = clock() + seconds / 5
    while clock() < end:
        step()
    n, begin = 0, clock()
    while clock() - begin < seconds:
        loss = step()
        n += 1
    return (clock() - begin) / n * 1e6, n, loss.item()


forms = [(f, last) for f in (False, True) for last in ((False, True) if len(shape) > 1 else (False,))]
probes = {f: train(f, min(seconds, 0.4))[0] for f in forms}
form = min(probes, key=probes.get)
us, n, loss = train(form, seconds)
print(us, n, loss, torch.__version__, ("foreach" if form[0] else "loop") + (",channels-last" if form[1] else ""))
