# SPDX-License-Identifier: Apache-2.0
"""A small model on a GPU with PyTorch, as a trial: digits, two hidden layers, STEPS steps of 128 rows."""
import csv
import gzip
import json
import os
import socket

import torch


def digits():
    with gzip.open(os.environ["DATA"], "rt") as f:
        rows = [[float(x) for x in row] for row in csv.reader(f) if row[0].replace(".", "").isdigit()]
    table = torch.tensor(rows, device="cuda")
    return table[:, :-1] / 16, table[:, -1].long()


def main():
    params = json.loads(os.environ["ASSAY_PARAMS"])
    torch.manual_seed(1)
    x, y = digits()
    model = torch.nn.Sequential(torch.nn.Linear(x.shape[1], 256), torch.nn.ReLU(),
                                torch.nn.Linear(256, 256), torch.nn.ReLU(),
                                torch.nn.Linear(256, 10)).cuda()
    optimiser = torch.optim.AdamW(model.parameters(), lr=params["lr"])
    for _ in range(int(os.environ["STEPS"])):
        rows = torch.randint(len(x), (128,), device="cuda")
        optimiser.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(x[rows]), y[rows])
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        loss = torch.nn.functional.cross_entropy(model(x), y).item()
    line = socket.socket(socket.AF_UNIX)
    line.connect(os.environ["ASSAY_SOCKET"])
    line.sendall(json.dumps({"step": 1, "metrics": {"loss": loss}}).encode() + b"\n")
    line.recv(4096)


main()
