# SPDX-License-Identifier: LGPL-2.1-or-later
"""Photographs -> training pack of really encoded tiles (uncompressed .npz, u8).

`lr` [n,T,T] is what came out of a decoder and `hr` [n,T,T] what the encoder was
given, before noise if there was any; `kind` [n] is the row of KINDS that made
it, `names` the rows' names.  `val_*` come from photographs kept out of
training, the same ones as in ../pack.py.  Many scenes of different photographs stand
one after another in one video for each row, as cuts do in a film; tiles are
taken from any frame, I, P or B, the more detailed ones oftener.
"""
import argparse
import os
import sys
import time

import numpy as np

import coding
import scenes

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import imaging  # noqa: E402
import pack as photographs  # noqa: E402
import screens  # noqa: E402

FRAMES = 8
NOISES = (1.5, 2.5, 4.0)

# name, encoder options (None: not encoded), share of the pack, share of its scenes with noise
KINDS = [("clean", None, 20, 0), ("noise", None, 4, 1)]
KINDS += [(f"x264 {preset} crf {crf} g {gop}", coding.x264(preset, crf, gop), share, 0.15)
          for preset, crf, gop, share in (
              ("veryfast", 18, 250, 1.5), ("veryfast", 21, 250, 2), ("veryfast", 24, 50, 3), ("veryfast", 27, 250, 3),
              ("veryfast", 30, 250, 4), ("veryfast", 32, 250, 6), ("veryfast", 32, 12, 3), ("veryfast", 34, 250, 4),
              ("veryfast", 37, 250, 3), ("veryfast", 40, 250, 2), ("medium", 23, 250, 2), ("medium", 28, 250, 3),
              ("medium", 32, 12, 3), ("medium", 36, 250, 2), ("ultrafast", 30, 250, 1.5))]
KINDS += [(f"mpeg2 q {q} g {gop}", coding.mpeg2(q, gop, b), share, 0.15)
          for q, gop, b, share in ((3, 15, 2, 1.5), (5, 15, 2, 2.5), (7, 12, 2, 3), (9, 15, 2, 3), (12, 15, 0, 3),
                                   (15, 15, 2, 3), (20, 12, 2, 2))]
KINDS += [(f"mpeg2 {kbits} kbit/s", coding.mpeg2_rate(kbits), share, 0.15)
          for kbits, share in ((700, 2), (1200, 2.5), (2000, 2))]
KINDS += [("mpeg4 q 5", coding.mpeg4(5), 1.5, 0.1), ("mpeg4 q 10", coding.mpeg4(10, 100, 2), 1.5, 0.1),
          ("jpeg q 6", coding.jpeg(6), 1.5, 0), ("jpeg q 12", coding.jpeg(12), 1.5, 0),
          ("x265 veryfast crf 30", coding.x265("veryfast", 30), 1.5, 0.1),
          ("x265 veryfast crf 35", coding.x265("veryfast", 35), 1.5, 0.1)]


def read_all(folder, without):
    """-> (training lumas, held-out lumas), reduced as ../pack.py reduces them."""
    sets = ([], [])
    for index, path in enumerate(photographs.list_photographs(folder, without)):
        try:
            luma = imaging.read_luma(path)
        except OSError as error:
            sys.exit(f"tiles: {path}: {error}")
        sets[index % 40 == 20].append(imaging.shrink(luma, photographs.reduction(luma.shape)))
    return sets


def film(lumas, count, noise, rng):
    """`count` scenes after one another -> (truth, given to the encoder), [n,H,W] each."""
    truth, given = [], []
    order = []
    while len(truth) < count:
        order = order or list(rng.permutation(len(lumas)))
        made = scenes.scene(lumas[order.pop()], FRAMES, rng)
        if made is None:
            continue
        truth.append(made)
        given.append(scenes.noisy(made, rng.choice(NOISES), rng) if rng.random() < noise else made)
    return np.concatenate(truth), np.concatenate(given)


def detail(tile):
    x = tile.astype(np.int16)
    return float(np.abs(np.diff(x, axis=0)).mean() + np.abs(np.diff(x, axis=1)).mean())


def tiles_of(coded, truth, tile, count, rng):
    """`count` tiles of random frames and places; of each three drawn, the flattest is dropped."""
    low, high = [], []
    while len(low) < count:
        drawn = []
        for _ in range(3):
            i = rng.integers(len(truth))
            y, x = rng.integers(truth.shape[1] - tile + 1), rng.integers(truth.shape[2] - tile + 1)
            drawn.append((detail(truth[i, y:y + tile, x:x + tile]), i, y, x))
        for _, i, y, x in sorted(drawn)[1:]:
            low.append(coded[i, y:y + tile, x:x + tile])
            high.append(truth[i, y:y + tile, x:x + tile])
    return np.stack(low[:count]), np.stack(high[:count])


def make(lumas, kind, tiles, tile, rng):
    _, words, _, noise = kind
    truth, given = film(lumas, max(8, tiles // 9), noise, rng)
    coded = coding.code(given, words)[0] if words else given
    return tiles_of(coded, truth, tile, tiles, rng)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photographs")
    parser.add_argument("pack")
    parser.add_argument("--without", help="table whose first column names pictures to leave out")
    parser.add_argument("--tile", type=int, default=96)
    parser.add_argument("--tiles", type=int, default=20000)
    parser.add_argument("--screens", type=int, default=40, help="pages of text and drawings (../screens.py) beside them")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    started = time.monotonic()
    train, held_out = read_all(args.photographs, args.without)
    train += list(screens.pages(args.screens))
    print(f"tiles: {len(train)} photographs and pages, {len(held_out)} held out, {time.monotonic() - started:.0f} s", flush=True)
    whole = sum(kind[2] for kind in KINDS)
    arrays = {name: [] for name in ("lr", "hr", "kind", "val_lr", "val_hr", "val_kind")}
    for index, kind in enumerate(KINDS):
        rng = np.random.default_rng([args.seed, index])
        for prefix, lumas, tiles in (("", train, round(args.tiles * kind[2] / whole)), ("val_", held_out, 16)):
            low, high = make(lumas, kind, tiles, args.tile, rng)
            arrays[prefix + "lr"].append(low)
            arrays[prefix + "hr"].append(high)
            arrays[prefix + "kind"].append(np.full(len(low), index, np.uint8))
            mse = np.mean((low.astype(np.float64) - high)**2, axis=(1, 2))
            loss = np.mean(10 * np.log10(255**2 / np.maximum(mse, 0.01)))
            print(f"tiles: {kind[0]:28} {len(low):5} tiles, {loss:5.2f} dB, {time.monotonic() - started:4.0f} s", flush=True)
    np.savez(args.pack, names=np.array([kind[0] for kind in KINDS]),
             **{name: np.concatenate(parts) for name, parts in arrays.items()})


if __name__ == "__main__":
    main()
