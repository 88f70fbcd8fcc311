# SPDX-License-Identifier: LGPL-2.1-or-later
"""Photographs -> training pack (uncompressed .npz of u8 luma tiles).

A pack holds `hr` [n,T,T] and `lr` [n,T/2,T/2] for training and `val_hr`,
`val_lr` from photographs kept out of training (one in 40, by sorted name).
Large photographs are first reduced by a whole factor to a long side between
1000 and 2000: a full-size camera frame is soft at pixel scale and carries
JPEG blocks, and a network learns little from either.  The LR tile is cut from
the reduction of the whole picture, so tile borders carry no border handling.
Of each picture's tiles the flattest are dropped (they are all base and no
residual) and at most --per-picture of the rest kept, drawn by a fixed seed.
"""
import argparse
import glob
import os
import sys

import numpy as np

import imaging

EXTENSIONS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")


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


def tiles_of(luma, tile, keep, rng):
    """The more detailed tiles of one picture: ([k,T,T], [k,T/2,T/2])."""
    hr = imaging.even(luma)
    lr = imaging.halve(hr)
    # the residual that is to be learnt is the measure of detail
    miss = np.abs(imaging.to_u8(imaging.double_base(lr)).astype(np.int16) - hr)
    rows, cols = hr.shape[0] // tile, hr.shape[1] // tile
    cells = [(float(miss[y * tile:(y + 1) * tile, x * tile:(x + 1) * tile].mean()), y, x)
             for y in range(rows) for x in range(cols)]
    cells = sorted((c for c in cells if c[0] > 0.5), reverse=True)
    cells = cells[:max(1, len(cells) * 3 // 4)]
    if len(cells) > keep:
        cells = [cells[i] for i in sorted(rng.choice(len(cells), keep, replace=False))]
    half = tile // 2
    return ([hr[y * tile:(y + 1) * tile, x * tile:(x + 1) * tile] for _, y, x in cells],
            [lr[y * half:(y + 1) * half, x * half:(x + 1) * half] for _, y, x in cells])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photographs")
    parser.add_argument("pack")
    parser.add_argument("--without", help="table whose first column names pictures to leave out")
    parser.add_argument("--tile", type=int, default=128)
    parser.add_argument("--per-picture", type=int, default=64)
    args = parser.parse_args()
    rng = np.random.default_rng(1)
    sets = {"hr": [], "lr": [], "val_hr": [], "val_lr": []}
    paths = list_photographs(args.photographs, args.without)
    for index, path in enumerate(paths):
        try:
            luma = imaging.read_luma(path)
        except OSError as error:
            sys.exit(f"pack: {path}: {error}")
        luma = imaging.shrink(luma, reduction(luma.shape))
        held_out = index % 40 == 20
        hr, lr = tiles_of(luma, args.tile, 8 if held_out else args.per_picture, rng)
        sets["val_hr" if held_out else "hr"] += hr
        sets["val_lr" if held_out else "lr"] += lr
        if index % 50 == 49:
            print(f"pack: {index + 1}/{len(paths)} photographs, {len(sets['hr'])} tiles", flush=True)
    os.makedirs(os.path.dirname(os.path.abspath(args.pack)), exist_ok=True)
    arrays = {name: np.stack(tiles) for name, tiles in sets.items()}
    np.savez(args.pack, **arrays)
    print(f"pack: {args.pack}: {len(arrays['hr'])} tiles from {len(paths)} photographs, "
          f"{len(arrays['val_hr'])} held out")


if __name__ == "__main__":
    main()
