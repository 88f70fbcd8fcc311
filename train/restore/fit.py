# SPDX-License-Identifier: LGPL-2.1-or-later
"""Trains `restore` on a pack of tiles.py, with the loop, optimiser and int8 rounding of ../train.py.

    float:  fit.py tiles.npz restore.npz --minutes 20
    int8:   fit.py tiles.npz restore_int8.npz --weights restore.npz --int8 --minutes 6 --rate 5e-4

Whole tiles are the crops, turned and flipped.  The loss is the log of each
crop's squared error: a dB counts the same in every crop, so that what MPEG-2 at
a low rate wins does not drown what a clean picture loses.  --epsilon (code
values) says how much error on a clean crop is next to nothing; --clean is the
share of the batch drawn from clean tiles (0: as many as the pack has), --favour
how many times as often as others a tile of x264 is drawn: what people have most.
"""
import os
import sys

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import core  # noqa: E402
import model  # noqa: E402
import train  # noqa: E402

FIRST_EPSILON, SETTLED = 16.0, 0.5


class Crops:
    def __init__(self, pack, args, margin):
        self.lr, self.hr, self.batch, self.margin, self.clean = pack["lr"], pack["hr"], args.batch, margin, args.clean
        favoured = np.array([str(name).startswith("x264") for name in pack["names"]])[pack["kind"]]
        self.drawn = np.repeat(np.arange(len(self.lr)), np.where(favoured, args.favour, 1))
        self.untouched = np.flatnonzero(pack["kind"] == 0)
        self.rng = np.random.default_rng(args.seed)

    def tiles(self):
        drawn = self.rng.choice(self.drawn, self.batch)
        count = self.rng.binomial(self.batch, self.clean)
        if count:
            drawn[:count] = self.rng.choice(self.untouched, count)
        return drawn

    def next(self):
        m, side = self.margin, self.lr.shape[1]
        x = np.empty((self.batch, side, side), np.float32)
        target = np.empty((self.batch, side - 2 * m, side - 2 * m, 1), np.float32)
        for i, tile in enumerate(self.tiles()):
            turn, flip = self.rng.integers(4), self.rng.integers(2)
            low, high = (np.rot90(tiles[tile], turn) for tiles in (self.lr, self.hr))
            low, high = (t[:, ::-1] if flip else t for t in (low, high))
            x[i] = low / np.float32(255)
            target[i, ..., 0] = (high[m:-m, m:-m].astype(np.float32) - low[m:-m, m:-m]) / 255
        return x, target


class Clipped:
    """An optimiser that sees no gradient longer than twice their usual length: one odd batch can close every ReLU."""

    def __init__(self, optimiser):
        self.optimiser, self.usual, self.seen = optimiser, 0.0, 0

    def step(self, grad, *rates):
        length = float(np.linalg.norm(grad))
        if not np.isfinite(length):
            return
        limit = 2 * self.usual / (1 - 0.98**self.seen) if self.seen else length
        self.usual += 0.02 * (min(length, limit) - self.usual)
        self.seen += 1
        self.optimiser.step(grad * np.float32(min(1, limit / max(length, 1e-12))), *rates)


class State(train.State):
    def __init__(self, *words):
        super().__init__(*words)
        self.optimiser = Clipped(self.optimiser)

    def loss(self, done):
        """Squared error of all crops alike at first: doing nothing is a hole that is hard to leave."""
        first = self.args.epsilon if self.args.weights else max(FIRST_EPSILON, self.args.epsilon)
        return "log", first * (self.args.epsilon / first)**min(1, done / SETTLED) / 255


def decibels(a, b):
    return 10 * np.log10(65025 / max(0.05, float(np.mean((a.astype(np.float64) - b)**2))))


class Validation:
    """Gain in dB over the input in the tiles held out, by codec; what is left of clean ones in dB."""

    def __init__(self, pack, net):
        self.net, self.low, self.high = net, pack["val_lr"][::2], pack["val_hr"][::2]
        self.kinds = [str(pack["names"][kind]) for kind in pack["val_kind"][::2]]
        m = net.convs
        self.cut = (slice(m, -m), slice(m, -m))

    def by_kind(self, params, scales=None):
        found = {}
        for low, high, kind in zip(self.low, self.high, self.kinds):
            x = low.astype(np.float32) / 255
            out = np.clip(np.rint((x + self.net.run(params, x, scales)[..., 0]) * 255), 0, 255)
            row = [decibels(p[self.cut], high[self.cut]) for p in (low, out)]
            found.setdefault(kind, []).append(row)
        return {kind: np.mean(rows, axis=0) for kind, rows in found.items()}

    def __call__(self, params, scales=None):
        codecs = {}
        for kind, (before, after) in self.by_kind(params, scales).items():
            codecs.setdefault(kind.split()[0], []).append(after if kind == "clean" else after - before)
        return " ".join(f"{codec} {np.mean(rows):.3f}" for codec, rows in codecs.items())

    def tops(self, params):
        found = np.zeros((len(self.low), self.net.inner + 1), np.float32)
        for low, row in zip(self.low, found):
            self.net.run(params, low.astype(np.float32) / 255, None, row)
        return found.max(0)


def options():
    parser = train.options()
    parser.set_defaults(arch="restore", batch=12, rate=1.5e-3, every=500)
    parser.add_argument("--epsilon", type=float, default=1.75)
    parser.add_argument("--clean", type=float, default=0.0)
    parser.add_argument("--favour", type=int, default=1)
    parser.description = __doc__.splitlines()[0]
    return parser


def main():
    args = options().parse_args()
    arch = model.ARCHITECTURES[args.arch]
    args.int8_last = arch.int8_last
    net = arch.net(args.threads)
    net.half = core.HALF and not args.int8
    pack = dict(np.load(args.pack))
    params, scales = train.begin(arch, net, args)
    validation = Validation(pack, net)
    if not args.int8:
        scales = None
    elif scales is None:
        scales = (validation.tops(params) / 255).astype(np.float32)
    state = State(net, params, scales, args)
    crops = Crops(pack, args, net.convs)
    print(f"{arch.name}: {net.cost()} multiply-adds a pixel, {len(pack['lr'])} tiles, options {vars(args)}", flush=True)

    def report(now):
        return validation(now.used(now.average), now.average_scales)

    def save(now):
        model.save(args.checkpoint, arch, now.average, now.average_scales)
    train.fit(state, crops, args, report, save)
    for kind, (before, after) in validation.by_kind(state.used(state.average), state.average_scales).items():
        print(f"{kind:28} {before:6.2f} {after - before:+.3f} dB")


if __name__ == "__main__":
    main()
