# SPDX-License-Identifier: LGPL-2.1-or-later
"""Trains a network of model.py on a pack of pack.py; resumes its checkpoint.

L1, Adam, cosine schedule after a short warm-up, the eight flips and turns.
The LR crop is larger than the region the loss looks at hardest: within 6
pixels of a crop's border (the receptive field) zero padding is seen, as at a
picture's border, but far oftener than in pictures; that ring gets a small
weight.  The first crop of each batch is flat, of a random code value, and
weighs the same everywhere: it teaches that flat stays flat, borders included.
Same seed, thread count and pack: same weights.
"""
import argparse
import os
import time

import numpy as np
import torch

import imaging
import model

RING, RING_WEIGHT = 6, 0.2


class Crops:
    def __init__(self, pack, crop, batch, seed):
        self.hr, self.lr = pack["hr"], pack["lr"]
        self.crop, self.batch = crop, batch
        self.rng = np.random.default_rng(seed)

    def next(self):
        size, room = self.crop, self.lr.shape[1] - self.crop + 1
        low = np.empty((self.batch, 1, size, size), np.float32)
        high = np.empty((self.batch, 1, 2 * size, 2 * size), np.float32)
        low[0] = high[0] = self.rng.integers(16, 236)
        for i in range(1, self.batch):
            tile = self.rng.integers(len(self.lr))
            y, x = self.rng.integers(room, size=2)
            turn, flip = self.rng.integers(4), self.rng.integers(2)
            a = np.rot90(self.lr[tile, y:y + size, x:x + size], turn)
            b = np.rot90(self.hr[tile, 2 * y:2 * (y + size), 2 * x:2 * (x + size)], turn)
            low[i, 0], high[i, 0] = (a[:, ::-1], b[:, ::-1]) if flip else (a, b)
        return torch.from_numpy(low / 255), torch.from_numpy(high / 255)


def loss_weights(batch, crop):
    weights = torch.full((batch, 1, 2 * crop, 2 * crop), RING_WEIGHT)
    weights[:, :, 2 * RING:-2 * RING, 2 * RING:-2 * RING] = 1.0
    weights[0] = 1.0
    return weights / weights.mean()


def rate(step, args):
    if step < args.warm_up:
        return args.rate * (step + 1) / args.warm_up
    done = (step - args.warm_up) / max(1, args.steps - args.warm_up)
    return args.last_rate + (args.rate - args.last_rate) * 0.5 * (1 + np.cos(np.pi * done))


def validate(net, pack):
    with torch.no_grad():
        out = net(torch.from_numpy(pack["val_lr"][:, None].astype(np.float32) / 255))
    out = imaging.to_u8(out[:, 0].numpy() * 255)
    return float(np.mean([imaging.psnr(a, b, 12) for a, b in zip(out, pack["val_hr"])]))


def save(path, net, optimiser, crops, step, args):
    state = {"arch": args.arch, "wide": args.wide, "step": step, "args": vars(args), "net": net.state_dict(),
             "optimiser": optimiser.state_dict(), "rng": crops.rng.bit_generator.state}
    torch.save(state, path + ".part")
    os.replace(path + ".part", path)


def restore(path, net, optimiser, crops):
    if not os.path.exists(path):
        return 0
    state = torch.load(path)
    net.load_state_dict(state["net"])
    optimiser.load_state_dict(state["optimiser"])
    crops.rng.bit_generator.state = state["rng"]
    return state["step"]


def train(net, optimiser, crops, pack, first, args):
    weights = loss_weights(args.batch, args.crop)
    started, total = time.monotonic(), 0.0
    for step in range(first, args.steps):
        for group in optimiser.param_groups:
            group["lr"] = rate(step, args)
        low, high = crops.next()
        miss = net(low) - high
        loss = ((miss * miss if args.loss == "l2" else miss.abs()) * weights).mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        total += float(miss.detach().abs().mean())
        if (step + 1) % args.every == 0 or step + 1 == args.steps:
            save(args.checkpoint, net, optimiser, crops, step + 1, args)
            each = (time.monotonic() - started) / (step + 1 - first)
            print(f"step {step + 1}/{args.steps} error {total / args.every * 255:.4f} "
                  f"validation {validate(net, pack):.3f} dB {each * 1000:.1f} ms/step "
                  f"ETA {each * (args.steps - step - 1) / 60:.1f} min", flush=True)
            total = 0.0


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pack")
    parser.add_argument("checkpoint")
    parser.add_argument("--arch", choices=sorted(model.ARCHITECTURES), default="fast")
    parser.add_argument("--weights", help="checkpoint of an earlier training to begin with")
    parser.add_argument("--loss", choices=("l1", "l2"), default="l1")
    parser.add_argument("--steps", type=int, default=36000)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--crop", type=int, default=48)
    parser.add_argument("--wide", type=int, default=256)
    parser.add_argument("--rate", type=float, default=5e-4)
    parser.add_argument("--last-rate", type=float, default=2e-6)
    parser.add_argument("--warm-up", type=int, default=200)
    parser.add_argument("--every", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


def main():
    args = parse()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    pack = dict(np.load(args.pack))
    net = model.ARCHITECTURES[args.arch](wide=args.wide)
    optimiser = torch.optim.Adam(net.parameters(), lr=args.rate)
    crops = Crops(pack, args.crop, args.batch, args.seed)
    if args.weights:
        net.load_state_dict(torch.load(args.weights)["net"])
    first = restore(args.checkpoint, net, optimiser, crops)
    print(f"{args.arch}: {net.cost()} multiply-adds an input pixel, {len(pack['hr'])} tiles, from step {first}; "
          f"validation {validate(net, pack):.3f} dB", flush=True)
    train(net, optimiser, crops, pack, first, args)


if __name__ == "__main__":
    main()
