# SPDX-License-Identifier: Apache-2.0
"""What bench_step does, by PyTorch on one thread.

    step_peer.py DIMS BATCH sgd|adam SECONDS

Prints microseconds of processor time per step, steps, loss, and the version; with the faster one of the
optimiser's two forms (a loop over the tensors, or all of them at once), which is named.
"""
import sys
import time

import torch

ROWS = 8192
dims = [int(d) for d in sys.argv[1].split("-")]
batch, kind, seconds = int(sys.argv[2]), sys.argv[3], float(sys.argv[4])
torch.set_num_threads(1)
torch.set_flush_denormal(True)  # as ours does
torch.manual_seed(1)
data = torch.rand(ROWS, dims[0])
labels = torch.randint(0, dims[-1], (ROWS,))
order = torch.randint(0, ROWS, (ROWS,))


def train(foreach, seconds):
    layers = []
    for i, (a, b) in enumerate(zip(dims, dims[1:])):
        layers += [torch.nn.Linear(a, b)] + ([torch.nn.ReLU()] if i < len(dims) - 2 else [])
    net, loss_of = torch.nn.Sequential(*layers), torch.nn.CrossEntropyLoss()
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
        loss = loss_of(net(data[rows]), labels[rows])
        loss.backward()
        optimiser.step()
        return loss

    end = time.process_time() + seconds / 5
    while time.process_time() < end:
        step()
    n, begin = 0, time.process_time()
    while time.process_time() - begin < seconds:
        loss = step()
        n += 1
    return (time.process_time() - begin) / n * 1e6, n, loss.item()


probes = {f: train(f, min(seconds, 0.4))[0] for f in (False, True)}
form = min(probes, key=probes.get)
us, n, loss = train(form, seconds)
print(us, n, loss, torch.__version__, "foreach" if form else "loop")
