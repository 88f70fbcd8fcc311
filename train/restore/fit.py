# SPDX-License-Identifier: LGPL-2.1-or-later
"""Trains the x1 chain of `restore` in float on a pack of tiles.py; resumes its checkpoint.

Adam, cosine schedule, the eight flips and turns, whole tiles as crops.  The
loss is the log of each crop's squared error (core.py): what a crop of MPEG-2 at
a low rate wins does not drown what a clean one loses; `--epsilon` (code values)
says how much error on a clean crop is next to nothing.
A checkpoint is an .npz: params, inner, channels, step, Adam's moments.
"""
import argparse
import os
import sys
import time

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import core  # noqa: E402


class Crops:
    def __init__(self, pack, batch, margin, seed):
        self.lr, self.hr, self.batch, self.margin = pack["lr"], pack["hr"], batch, margin
        self.rng = np.random.default_rng(seed)

    def next(self):
        m, side = self.margin, self.lr.shape[1]
        x = np.empty((self.batch, side, side), np.float32)
        target = np.empty((self.batch, side - 2 * m, side - 2 * m, 1), np.float32)
        for i, tile in enumerate(self.rng.integers(len(self.lr), size=self.batch)):
            turn, flip = self.rng.integers(4), self.rng.integers(2)
            low, high = (np.rot90(tiles[tile], turn) for tiles in (self.lr, self.hr))
            low, high = (t[:, ::-1] if flip else t for t in (low, high))
            x[i] = low / np.float32(255)
            target[i, ..., 0] = (high[m:-m, m:-m].astype(np.float32) - low[m:-m, m:-m]) / 255
        return x, target


class Adam:
    def __init__(self, size):
        self.first, self.second, self.count = np.zeros(size, np.float32), np.zeros(size, np.float32), 0

    def step(self, params, grad, rate):
        self.count += 1
        self.first += 0.1 * (grad - self.first)
        self.second += 0.001 * (grad * grad - self.second)
        mean, spread = self.first / (1 - 0.9**self.count), self.second / (1 - 0.999**self.count)
        params -= rate * mean / (np.sqrt(spread) + 1e-8)


def no_dc(net, params):
    """The first kernels sum to zero: a flat picture gives the same features whatever its code value."""
    kernel = net.views(params)[0][0]
    kernel -= kernel.mean((0, 1), keepdims=True)


def gains(net, params, pack, scales=None):
    """dB won over the input in the validation tiles, by kind: {name: (input, gain)}; rounded to u8."""
    found = {}
    m = net.convs
    for low, high, kind in zip(pack["val_lr"], pack["val_hr"], pack["val_kind"]):
        x = low.astype(np.float32) / 255
        out = np.clip(np.rint((x + net.run(params, x, scales)[..., 0]) * 255), 0, 255)
        cut = (slice(m, -m), slice(m, -m))
        miss = [max(0.05, float(np.mean((p[cut].astype(np.float64) - high[cut])**2))) for p in (low, out)]
        found.setdefault(str(pack["names"][kind]), []).append([10 * np.log10(65025 / v) for v in miss])
    return {name: (np.mean([r[0] for r in rows]), np.mean([r[1] - r[0] for r in rows])) for name, rows in found.items()}


def summary(found):
    groups = {}
    for name, (_, gain) in found.items():
        groups.setdefault(name.split()[0], []).append(gain)
    return " ".join(f"{name} {np.mean(values):+.3f}" for name, values in groups.items())


def rate_at(step, args):
    warm = min(1, (step + 1) / 200)
    return warm * (args.last_rate + (args.rate - args.last_rate) * 0.5 * (1 + np.cos(np.pi * step / args.steps)))


def save(path, net, params, adam, step):
    np.savez(path + ".part.npz", params=params, inner=net.inner, channels=net.channels, step=step, first=adam.first,
             second=adam.second)
    os.replace(path + ".part.npz", path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pack")
    parser.add_argument("checkpoint")
    parser.add_argument("--inner", type=int, default=12)
    parser.add_argument("--steps", type=int, default=16000)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument("--last-rate", type=float, default=1e-5)
    parser.add_argument("--epsilon", type=float, default=2.0)
    parser.add_argument("--every", type=int, default=500)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--stop", type=int, default=0, help="end at this step of the schedule")
    args = parser.parse_args()
    pack = dict(np.load(args.pack))
    net = core.Net(16, args.inner, 1, args.threads)
    params, adam, first = net.init(np.random.default_rng(1)), Adam(net.size), 0
    if os.path.exists(args.checkpoint):
        state = np.load(args.checkpoint)
        params, adam.first, adam.second = (state[n].copy() for n in ("params", "first", "second"))
        first = adam.count = int(state["step"])
    crops = Crops(pack, args.batch, net.convs, 1 + first)
    print(f"{net.cost()} multiply-adds a pixel, {len(pack['lr'])} tiles, from step {first}", flush=True)
    started, total = time.monotonic(), 0.0
    for step in range(first, args.stop or args.steps):
        x, target = crops.next()
        loss, _, grad, _ = net.batch(params, x, target, "log", epsilon=args.epsilon / 255)
        adam.step(params, grad, rate_at(step, args))
        no_dc(net, params)
        total += loss
        if (step + 1) % args.every == 0:
            save(args.checkpoint, net, params, adam, step + 1)
            each = (time.monotonic() - started) / (step + 1 - first)
            shown = summary(gains(net, params, pack)) if (step + 1) % (4 * args.every) == 0 else ""
            print(f"step {step + 1}/{args.steps} loss {total / args.every / np.log(10) * 10:.3f} dB "
                  f"{each * 1000:.0f} ms/step {shown}", flush=True)
            total = 0.0


if __name__ == "__main__":
    main()
