# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checkpoint -> checkpoint whose dead channels live again, with the same output.

A channel whose ReLU is hardly ever open (too high a rate early in training
closes it, and then no gradient opens it) gets a new random kernel without DC,
and every weight of the next convolution that reads it becomes zero: the picture
does not change, and training from here (train.py --weights) finds a use for it.
"""
import argparse

import numpy as np
import torch

import model

OPEN = 0.005


def open_fractions(net, pack):
    x = torch.from_numpy(pack["val_lr"][:, None].astype(np.float32) / 255)
    with torch.no_grad():
        return [(f > 0).float().mean((0, 2, 3)) for f in net.features(x)[:-1]]


def renew(block, following, dead, spread):
    """New kernels for the channels `dead` of `block`; `following` stops reading them."""
    with torch.no_grad():
        target = torch.randn(len(dead), *block.kernel().shape[1:]) * spread
        target -= target.mean((2, 3), keepdim=True)
        wanted = (target - block.identity[dead]).flatten(1)
        block.project[dead] = wanted @ torch.linalg.pinv(block.expand.flatten(1))
        block.bias[dead] = 0
        unread = -following.identity[:, dead].flatten(1)
        wide = following.expand.shape[0]
        following.expand[:, dead] = (torch.linalg.pinv(following.project) @ unread).reshape(wide, len(dead), 3, 3)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pack")
    parser.add_argument("checkpoint")
    parser.add_argument("revived")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    pack = dict(np.load(args.pack))
    net, state = model.load(args.checkpoint)
    before = net(torch.from_numpy(pack["val_lr"][:4, None].astype(np.float32) / 255))
    for i, share in enumerate(open_fractions(net, pack)):
        dead = torch.nonzero(share < OPEN).flatten().tolist()
        print(f"conv{i}: {len(dead)} of {len(share)} channels dead")
        if dead:
            renew(net.blocks[i], net.blocks[i + 1], dead, 0.5 if i == 0 else 0.1)
    after = net(torch.from_numpy(pack["val_lr"][:4, None].astype(np.float32) / 255))
    print(f"the output changed by at most {float((after - before).abs().max()) * 255:.4f} codes")
    state["net"] = net.state_dict()
    torch.save(state, args.revived)


if __name__ == "__main__":
    main()
