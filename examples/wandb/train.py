"""A program as people write them for W&B: it knows nothing of Assay.

Fits a line to noisy points by gradient descent, with a decoy parameter or two.
"""
import argparse
import random

import wandb


def points(n, seed):
    rng = random.Random(seed)
    return [(x, 2.0 * x - 1.0 + rng.gauss(0, 0.1)) for x in (rng.uniform(-1, 1) for _ in range(n))]


def loss_of(weight, bias, data):
    return sum((weight * x + bias - y) ** 2 for x, y in data) / len(data)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--lr", type=float, default=0.1)
    parser.add_argument("--momentum", type=float, default=0.0)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--optimizer", default=None)
    args = parser.parse_args()

    run = wandb.init(project="lines", config=vars(args))
    config = wandb.config
    wandb.define_metric("val_loss", summary="min")
    train, val = points(200, 1), points(100, 2)
    weight = bias = 0.0
    speed = [0.0, 0.0]
    nesterov = config["optimizer"]["nesterov"] if config["optimizer"] else False
    for epoch in range(config.epochs):
        ahead = [weight, bias]
        if nesterov:
            ahead = [weight + config.momentum * speed[0], bias + config.momentum * speed[1]]
        errors = [(ahead[0] * x + ahead[1] - y, x) for x, y in train]
        slope = [2 * sum(e * x for e, x in errors) / len(train),
                 2 * sum(e for e, _ in errors) / len(train)]
        speed = [config.momentum * s - config.lr * g for s, g in zip(speed, slope)]
        weight, bias = weight + speed[0], bias + speed[1]
        wandb.log({"train": {"loss": loss_of(weight, bias, train)}, "epoch": epoch}, commit=False)
        wandb.log({"val_loss": loss_of(weight, bias, val)})
    run.summary["weight"] = weight
    print(f"{run.name}: y = {weight:.3f} x + {bias:.3f}")
    wandb.finish()


if __name__ == "__main__":
    main()
