# SPDX-License-Identifier: LGPL-2.1-or-later
"""Photographs -> training pack (uncompressed .npz of u8 luma pictures and their reductions).

Each photograph is first reduced by a whole factor to a long side between 1000 and
2000: a full-size camera frame is soft at pixel scale and carries JPEG blocks, and
a network learns little from either.  Smaller copies of it (--sizes, of that long
side, by a filter that is not the one to be undone) bring what is sharper at
pixel scale, in proportion to their size; --screens pages of text and drawings (screens.py) what photographs
lack.  A third of all gets lines of another level along its borders, sharp or
fading, as video frames often have (blanking, scaling): mirrored or repeated
they look like wider ones, and a network that never saw them guesses wrong.
All are cropped to whole multiples of --scale and reduced by it as
MATLAB's imresize does; the network sees whole pictures, borders included.

`hr` and `lr` hold all pictures one after another; `table` [n,4] says height and
width of each lr and where lr and hr begin; `cells` [m,3] (picture, y, x of the
corner, in lr samples) lists the squares of CELL samples worth learning from: the
flattest quarter is left out (all base and no residual), and of the rest at most
--per-picture are kept, drawn by a fixed seed.  `val_*`: crops of photographs kept
out of training (one in 40, by sorted name), each a picture of its own.
"""
import argparse
import glob
import os
import sys

import numpy as np
from PIL import Image

import imaging
import screens

EXTENSIONS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
CELL, VAL_SIDE = 24, 240


def list_photographs(folder, without):
    """The folder's pictures, less those in the first column of the table `without`."""
    left_out = set()
    if without:
        with open(without, encoding="utf-8") as table:
            left_out = {line.split("\t")[0].strip() for line in table}
    paths = sorted(p for p in glob.glob(os.path.join(folder, "*"))
                   if p.lower().endswith(EXTENSIONS) and os.path.basename(p) not in left_out)
    if not paths:
        sys.exit(f"pack: no photographs in {folder}: give the folder that holds them")
    return paths


def reduction(shape):
    return max(1, -(-max(shape) // 2000))


def copies(luma, sizes):
    """The picture at each of the sizes (1 is the picture itself); none shorter than 200 samples."""
    for size in sizes:
        shape = [round(n * size) for n in luma.shape]
        if size == 1:
            yield size, luma
        elif min(shape) >= 200:
            yield size, np.asarray(Image.fromarray(luma).resize((shape[1], shape[0]), Image.LANCZOS))


def cells_of(hr, lr, scale, keep, rng):
    """Corners of the more detailed cells; the residual to be learnt is the measure of detail."""
    side = CELL * scale
    rows, cols = hr.shape[0] // side, hr.shape[1] // side
    base = imaging.to_u8(imaging.enlarge_base(lr, scale)).astype(np.int16)
    miss = np.abs(base - hr)[:rows * side, :cols * side].reshape(rows, side, cols, side).mean((1, 3))
    order = np.argsort(-miss, axis=None)
    order = order[:max(1, int((miss > 0.5).sum()) * 3 // 4)]
    if len(order) > keep:
        order = rng.choice(order, keep, replace=False)
    return np.stack([order // cols * CELL, order % cols * CELL], 1)


def framed(luma, rng):
    """The picture with lines along some of its borders: one to three samples, dark more often than not."""
    out = luma.astype(np.float32)
    for turn in range(4):
        side = np.rot90(out, turn)
        width, level = int(rng.choice([0, 1, 1, 2, 3])), rng.choice([16, rng.integers(0, 60), rng.integers(0, 256)])
        share, fade = rng.uniform(0.5, 1), rng.choice([1, rng.random()])
        for i in range(width):
            side[i] += share * (level - side[i])
            share *= fade
    return imaging.to_u8(out)


class Pack:
    def __init__(self, args):
        self.args, self.rng = args, np.random.default_rng(1)
        self.hr, self.lr, self.table, self.cells, self.val = [], [], [], [], []
        self.at = [0, 0]

    def add(self, luma, keep):
        scale = self.args.scale
        hr = imaging.whole(luma, scale)
        if self.rng.random() < 1 / 3:
            hr = framed(hr, self.rng)
        lr = imaging.shrink(hr, scale)
        cells = cells_of(hr, lr, scale, keep, self.rng)
        self.cells.append(np.insert(cells, 0, len(self.table), axis=1))
        self.table.append([*lr.shape, *self.at])
        self.lr.append(lr.ravel())
        self.hr.append(hr.ravel())
        self.at = [self.at[0] + lr.size, self.at[1] + hr.size]

    def hold_out(self, luma):
        """Three crops from the middle of the picture, where it is large enough."""
        if min(luma.shape) < VAL_SIDE:
            return
        y = (luma.shape[0] - VAL_SIDE) // 2
        for part in (1, 2, 3):
            x = (luma.shape[1] - VAL_SIDE) * part // 4
            self.val.append(luma[y:y + VAL_SIDE, x:x + VAL_SIDE])

    def save(self, path):
        val = np.stack(self.val)
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
        np.savez(path, hr=np.concatenate(self.hr), lr=np.concatenate(self.lr), table=np.array(self.table),
                 cells=np.concatenate(self.cells), scale=self.args.scale, val_hr=val,
                 val_lr=np.stack([imaging.shrink(v, self.args.scale) for v in val]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photographs")
    parser.add_argument("pack")
    parser.add_argument("--without", help="table whose first column names pictures to leave out")
    parser.add_argument("--scale", type=int, default=2)
    parser.add_argument("--sizes", type=float, nargs="+", default=[1, 0.5])
    parser.add_argument("--screens", type=int, default=60)
    parser.add_argument("--per-picture", type=int, default=300)
    args = parser.parse_args()
    pack = Pack(args)
    paths = list_photographs(args.photographs, args.without)
    for index, path in enumerate(paths):
        try:
            luma = imaging.read_luma(path)
        except OSError as error:
            sys.exit(f"pack: {path}: {error}")
        luma = imaging.shrink(luma, reduction(luma.shape))
        for size, copy in copies(luma, args.sizes):
            if index % 40 == 20:
                pack.hold_out(copy)
            else:
                pack.add(copy, round(args.per_picture * size))
        if index % 50 == 49:
            print(f"pack: {index + 1}/{len(paths)} photographs", flush=True)
    for page in screens.pages(args.screens):
        pack.add(page, args.per_picture)
    if not pack.val:
        sys.exit(f"pack: {args.photographs}: {len(paths)} photographs, none of which could be held out: every 40th is, from the "
                 f"21st on, if it has {VAL_SIDE}x{VAL_SIDE} pixels")
    pack.save(args.pack)
    print(f"pack: {args.pack}: {len(pack.table)} pictures and {sum(map(len, pack.cells))} cells from {len(paths)} "
          f"photographs, {len(pack.val)} crops held out")


if __name__ == "__main__":
    main()
