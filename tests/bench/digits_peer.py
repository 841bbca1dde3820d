# SPDX-License-Identifier: Apache-2.0
"""A training on the digits by PyTorch on one thread: what train_runs.py has assay-trainer do.

    digits_peer.py DIGITS.csv.gz SPLIT.json NETWORK SEED EPOCHS

SPLIT has the rows to train on and to validate with, NETWORK the hyperparameters as JSON. Prints
"import SECONDS VERSION", then a line an epoch, as assay-trainer --run does.
"""
import time

begin = time.monotonic()
import gzip  # noqa: E402
import json  # noqa: E402
import sys  # noqa: E402

import numpy  # noqa: E402
import torch  # noqa: E402

print("import", time.monotonic() - begin, torch.__version__, flush=True)
path, split, network = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
seed, epochs, batch = int(sys.argv[4]), int(sys.argv[5]), network["batch_size"]
torch.set_num_threads(1)
torch.set_flush_denormal(True)  # as ours does
torch.manual_seed(seed)
with gzip.open(path) as file:
    text = file.read()
table = numpy.fromstring(text.replace(b"\n", b","), dtype=numpy.float32, sep=",")
table = torch.from_numpy(table.reshape(text.count(b"\n"), -1))
with open(split, encoding="ascii") as file:
    train, validation = (table[rows] for rows in json.load(file))
mean, deviation = train[:, :-1].mean(0), train[:, :-1].std(0, unbiased=False)
deviation[deviation == 0] = 1
x, x_val = ((part[:, :-1] - mean) / deviation for part in (train, validation))
y, y_val = (part[:, -1].long() for part in (train, validation))
widths = [x.shape[1]] + network["layers"] * [network["hidden"]] + [10]
layers = []
for i, out in zip(widths, widths[1:]):  # first weights as ours have them
    linear = torch.nn.Linear(i, out)
    torch.nn.init.zeros_(linear.bias)
    if len(layers) < 2 * network["layers"]:
        torch.nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
    else:
        torch.nn.init.xavier_normal_(linear.weight)
    layers += [linear, torch.nn.ReLU()]
net = torch.nn.Sequential(*layers[:-1])
optimiser = torch.optim.Adam(net.parameters(), lr=network["lr"], foreach=False)
loss_of = torch.nn.CrossEntropyLoss()
for epoch in range(1, epochs + 1):
    for rows in torch.randperm(len(x)).split(batch):
        optimiser.zero_grad(set_to_none=True)
        loss_of(net(x[rows]), y[rows]).backward()
        optimiser.step()
    with torch.no_grad():
        right = (net(x_val).argmax(1) == y_val).float().mean().item()
    print(json.dumps({"step": epoch, "metrics": {"val_accuracy": right}}), flush=True)
