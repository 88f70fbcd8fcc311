# SPDX-License-Identifier: LGPL-2.1-or-later
"""Trains a network of model.py on a pack of pack.py.

    float:  train.py pack.npz fast.npz --arch fast --minutes 20
    int8:   train.py pack.npz fast_int8.npz --weights fast.npz --int8 --minutes 8

Crops of --crop samples with the context that the convolutions need, turned and flipped, some at a
picture's border (mirrored, as in use).  Charbonnier first, for the last part of the schedule (--tail
of it) squared error, or the log of each crop's: what PSNR is made of.  The rate warms up, stays, and
falls along a cosine to zero.  The schedule is in steps; --minutes measures a few steps and sets their
number.  What is saved is an average of the weights over the last steps (--average).

--int8 trains with activations rounded to u8 and weights to int8, as the engine computes: forward with
rounded numbers, backward as if they were not.  Scales of activations start at 0.85 of what the
pictures reach, and are learnt (LSQ).

--teacher: targets are another network's pictures.  What no network can know is noise in the gradients of a
small one; a larger one's pictures are nearly free of it.  The log still counts what the teacher itself missed.

`fit` is the loop for any source of (x, target) batches.
"""
import argparse
import ctypes
import time

import numpy as np

import core
import imaging
import model
import optimise


TAIL_EPSILON = 2 / 255 # of the log: a crop's error below two codes counts no further


class Crops:
    """Batches of (x [n,H,W], target [n,h,w,outs]) from a pack."""

    def __init__(self, path, net, crop, batch, seed, border=0.08, taught=None, least=0):
        with np.load(path) as pack:
            self.hr, self.lr, self.table, self.cells = (pack[k] for k in ("hr", "lr", "table", "cells"))
            self.scale = int(pack["scale"])
        large = self.table[:, :2].max(1) * self.scale >= least
        self.cells = self.cells[large[self.cells[:, 0]]]
        self.taught = taught
        self.size, self.margin, self.batch, self.border = crop, net.convs, batch, border
        self.rng = np.random.default_rng(seed)
        self.taps = np.ascontiguousarray(imaging.phases(self.scale, imaging.cubic, 2), np.float32)

    def corner(self, cell, height, width):
        """A crop's corner: near the cell; some slide to the picture's border."""
        size, rng = self.size, self.rng
        _, y, x = cell
        y = int(np.clip(y + rng.integers(-size + 12, 12), 0, height - size))
        x = int(np.clip(x + rng.integers(-size + 12, 12), 0, width - size))
        if rng.random() < self.border:
            if rng.random() < 0.5:
                y = 0 if rng.random() < 0.5 else height - size
            else:
                x = 0 if rng.random() < 0.5 else width - size
        return y, x

    def one(self, low, target):
        picture = self.cells[self.rng.integers(len(self.cells))]
        height, width, lr_at, hr_at = (int(n) for n in self.table[picture[0]])
        y, x = self.corner(picture, height, width)
        crop = core.Crop(self.lr.ctypes.data + lr_at, self.hr.ctypes.data + hr_at, height, width, self.scale, y, x,
                         self.size, self.margin, int(self.rng.integers(8)),
                         self.taught.ctypes.data + 2 * hr_at if self.taught is not None else None)
        return core.LIBRARY.make_crop(ctypes.byref(crop), core.pointer(self.taps), core.pointer(low), core.pointer(target))

    def next(self):
        side = self.size + 2 * self.margin
        low = np.empty((self.batch, side, side), np.float32)
        target = np.empty((self.batch, self.size, self.size, self.scale**2), np.float32)
        known = np.array([self.one(low[i], target[i]) for i in range(self.batch)], np.float32)
        return low, target, known


def taught(pack, checkpoint):
    """What the checkpoint's network makes of each picture of the pack, int16, in 1/64 of a code value."""
    arch, params, scales = model.load(checkpoint)
    net = arch.net()
    used = params if scales is None else model.rounded(net, params, arch.int8_last)
    with np.load(pack) as found:
        lr, table, out = found["lr"], found["table"], np.empty(found["hr"].shape, np.int16)
    for height, width, lr_at, hr_at in table:
        x = lr[lr_at:lr_at + height * width].reshape(height, width).astype(np.float32) / 255
        y = imaging.enlarge_base(x, arch.scale) + imaging.shuffle(net.run(used, x, scales), arch.scale)
        out[hr_at:hr_at + y.size] = np.rint(np.clip(y * 255, 0, 255) * 64).ravel()
    return out


class Validation:
    """Mean PSNR over the crops held out."""

    def __init__(self, path, net):
        with np.load(path) as pack:
            self.hr, self.scale = pack["val_hr"], int(pack["scale"])
            lr = pack["val_lr"]
        self.net = net
        self.lr = [x.astype(np.float32) / 255 for x in lr]
        self.base = [imaging.enlarge_base(x, self.scale) for x in self.lr]

    def __call__(self, params, scales=None):
        found = []
        for x, base, truth in zip(self.lr, self.base, self.hr):
            out = base + imaging.shuffle(self.net.run(params, x, scales), self.scale)
            found.append(imaging.psnr(imaging.to_u8(out * 255), truth, 2))
        return float(np.mean(found))

    def tops(self, params):
        """The greatest value of each ReLU."""
        found = np.zeros((len(self.lr), self.net.inner + 1), np.float32)
        for x, row in zip(self.lr, found):
            self.net.run(params, x, None, row)
        return found.max(0)


def rate_at(done, args):
    """done: share of the schedule. Warm-up, plateau to --hold, cosine."""
    if done < args.warm_up:
        return args.rate * done / args.warm_up
    if done < args.hold:
        return args.rate
    return args.rate * 0.5 * (1 + np.cos(np.pi * (done - args.hold) / (1 - args.hold)))


class State:
    """What moves: weights, scales, their optimisers, and the average."""

    def __init__(self, net, params, scales, args):
        self.net, self.params, self.scales, self.args = net, params, scales, args
        self.optimiser = optimise.Optimiser(net, params, not args.adam)
        self.scale_adam = optimise.Adam(net.inner + 1)
        self.average, self.average_scales = params.copy(), None if scales is None else scales.copy()

    def used(self, params):
        return params if self.scales is None else model.rounded(self.net, params, self.args.int8_last)

    def loss(self, done):
        """Its name and epsilon at this share of the schedule."""
        return ("l1", 1e-3) if done < 1 - self.args.tail else (self.args.tail_loss, TAIL_EPSILON)

    def step(self, done, x, target, known=None):
        rate = rate_at(done, self.args)
        loss, epsilon = self.loss(done)
        _, mse, grad, gscale = self.net.batch(self.used(self.params), x, target, loss, self.scales, epsilon,
                                               known)
        self.optimiser.step(grad, rate, rate * self.args.bias_rate)
        if self.scales is not None:
            self.scales *= np.exp(-rate * self.scale_adam.step(gscale * self.scales))
        keep = 1 - 1 / min(self.args.average, 1 + done * self.args.steps)
        self.average += (1 - keep) * (self.params - self.average)
        if self.scales is not None:
            self.average_scales += (1 - keep) * (self.scales - self.average_scales)
        return mse


def fit(state, batches, args, report, save):
    """args: rate, warm_up, hold, l2, average, steps, every (and minutes, which sets steps)."""
    started, total = time.monotonic(), 0.0
    if args.minutes:
        args.steps = 1 << 30
    for step in range(1 << 30):
        if step == 20:
            warm = time.monotonic()
        if step == 60 and args.minutes:
            args.steps = 60 + int(args.minutes * 60 / ((time.monotonic() - warm) / 40))
            print(f"{args.steps} steps", flush=True)
        if step >= args.steps:
            break
        total += state.step(step / args.steps, *batches.next())
        if (step + 1) % args.every == 0 or step + 1 == args.steps:
            now = time.monotonic() - started
            mse = total / (step % args.every + 1)
            print(f"step {step + 1}/{args.steps} training {-10 * np.log10(mse):.3f} dB {report(state)} "
                  f"{now / (step + 1) * 1000:.1f} ms/step, {now / 60:.1f} min", flush=True)
            save(state)
            total = 0.0


def options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pack")
    parser.add_argument("checkpoint")
    parser.add_argument("--arch", choices=sorted(model.ARCHITECTURES), default="fast")
    parser.add_argument("--weights", help="checkpoint to begin with, as narrow or narrower; of another scale, its last layer is left out")
    parser.add_argument("--int8", action="store_true")
    parser.add_argument("--teacher", help="checkpoint of a larger network whose pictures are the targets")
    parser.add_argument("--steps", type=int, default=20000)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--crop", type=int, default=48)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--bias-rate", type=float, default=0.1, help="of the biases, as a share of --rate")
    parser.add_argument("--border", type=float, default=0.08, help="share of crops that slide to a picture's border")
    parser.add_argument("--least", type=int, default=0, help="leave out pictures whose longer side has fewer samples")
    parser.add_argument("--warm-up", type=float, default=0.01)
    parser.add_argument("--hold", type=float, default=0.3)
    parser.add_argument("--tail", type=float, default=0.3, help="share of the schedule, its end, with the loss --tail-loss")
    parser.add_argument("--tail-loss", choices=("l1", "l2", "log"), default="log")
    parser.add_argument("--average", type=float, default=300)
    parser.add_argument("--adam", action="store_true", help="Adam instead of SOAP")
    parser.add_argument("--every", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    return parser


def embed(kernel, bias, old_kernel, old_bias):
    """An old layer inside a wider one: what is new listens to all, and what is old does not listen to it yet."""
    inputs, outputs = old_kernel.shape[2:]
    kernel[:, :, :inputs, :outputs] = old_kernel
    kernel[:, :, inputs:, :outputs] = 0
    bias[:outputs] = old_bias


def begin(arch, net, args):
    """First weights: random, or those of a checkpoint; a wider network computes what the checkpoint's does."""
    params = net.init(np.random.default_rng(args.seed))
    if not args.weights:
        return params, None
    old_arch, old, scales = model.load(args.weights)
    if old_arch.inner != arch.inner or old_arch.channels > arch.channels:
        raise SystemExit(f"train: {args.weights} is of another depth or wider than {arch.name}")
    layers = list(zip(net.views(params), old_arch.net().views(old)))
    if old_arch.scale != arch.scale:
        layers.pop()
    for (kernel, bias), (old_kernel, old_bias) in layers:
        embed(kernel, bias, old_kernel, old_bias)
    return params, scales if old_arch.channels == arch.channels else None


def main():
    args = options().parse_args()
    arch = model.ARCHITECTURES[args.arch]
    args.int8_last = arch.int8_last
    net = arch.net(args.threads)
    params, scales = begin(arch, net, args)
    validation = Validation(args.pack, net)
    if not args.int8:
        scales = None
    elif scales is None:
        scales = (validation.tops(params) * 0.85 / 255).astype(np.float32)
    state = State(net, params, scales, args)
    crops = Crops(args.pack, net, args.crop, args.batch, args.seed, args.border,
                  taught(args.pack, args.teacher) if args.teacher else None, args.least)
    print(f"{arch.name}: {net.cost()} multiply-adds an input pixel, {len(crops.cells)} cells, "
          f"validation {validation(state.used(params), scales):.3f} dB, options {vars(args)}", flush=True)

    def report(now):
        return (f"validation {validation(now.used(now.params), now.scales):.3f}, "
                f"average {validation(now.used(now.average), now.average_scales):.3f} dB")

    def save(now):
        model.save(args.checkpoint, arch, now.average, now.average_scales)
    fit(state, crops, args, report, save)


if __name__ == "__main__":
    main()
