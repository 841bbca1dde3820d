# SPDX-License-Identifier: Apache-2.0
"""Training steps of a network by PyTorch's DistributedDataParallel over gloo: one rank of it.

    ddp_peer.py FILE RANK RANKS LAYERS BATCH SECONDS

The ranks meet at FILE, which is not there yet; each has BATCH rows of a step. Rank 0 prints rows a second of
all ranks by the clock on the wall, the version, and the fastest of the forms: gradients as views of the
buckets or copied, the graph declared as static or not, the optimiser a loop over the tensors or not.
"""
import itertools
import sys
import time

import torch
import torch.distributed as dist

ROWS = 8192
meet, rank, ranks, layers = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
batch, seconds = int(sys.argv[5]), float(sys.argv[6])
widths = list(map(int, layers.split("-")))
torch.set_num_threads(1)
torch.set_flush_denormal(True)  # as ours does
dist.init_process_group("gloo", init_method=f"file://{meet}", rank=rank, world_size=ranks)
torch.manual_seed(1)
data = torch.rand(ROWS, widths[0])
labels = torch.randint(0, widths[-1], (ROWS,))
order = torch.randperm(ROWS)


def prepare(form):
    views, static, foreach = form
    parts = []
    for i, out in zip(widths, widths[1:]):
        parts += [torch.nn.Linear(i, out), torch.nn.ReLU()]
    net = torch.nn.parallel.DistributedDataParallel(torch.nn.Sequential(*parts[:-1]),
                                                    gradient_as_bucket_view=views, static_graph=static)
    optimiser = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, foreach=foreach)
    loss_of, at = torch.nn.CrossEntropyLoss(), 0

    def step():
        nonlocal at
        rows = order[at + rank * batch:at + (rank + 1) * batch]
        at = (at + ranks * batch) % (ROWS // (ranks * batch) * ranks * batch)
        optimiser.zero_grad(set_to_none=not views)  # views are to stay
        loss_of(net(data[rows]), labels[rows]).backward()
        optimiser.step()

    return step


def timed(step, n):
    """Seconds of n steps, as rank 0's clock has them, on all ranks."""
    dist.barrier()
    begin = time.monotonic()
    for _ in range(n):
        step()
    took = torch.tensor([time.monotonic() - begin])
    dist.broadcast(took, 0)
    return took.item()


def measure(form, seconds):
    step = prepare(form)
    timed(step, 5)
    n = max(1, int(seconds / (timed(step, 5) / 5)))
    return n * ranks * batch / timed(step, n)


forms = list(itertools.product((True, False), (True, False), (True, False)))
probes = {form: measure(form, min(seconds, 0.3)) for form in forms}
best = max(forms, key=probes.get)
rate = measure(best, seconds)
if rank == 0:
    names = (("views", "copies"), ("static", "dynamic"), ("foreach", "loop"))
    print(rate, torch.__version__, ",".join(n[not on] for n, on in zip(names, best)))
dist.barrier()
