# SPDX-License-Identifier: LGPL-2.1-or-later
"""Y-PSNR and SSIM at x2 of bicubic, lanczos and a trained network on folders of pictures.

Each picture's luma is cropped to even sides, halved as MATLAB's imresize does,
enlarged again, rounded to u8, and compared with a 2-pixel border cut.  The
network is a checkpoint of train.py (run by PyTorch) or an .onnx file of
export.py (run by the plain numpy of graph.py, so that the file is what counts).
"""
import argparse
import glob
import os
import sys

import numpy as np

import imaging


def torch_network(path):
    import torch

    import model
    net, _ = model.load(path)

    def run(lr):
        with torch.no_grad():
            x = torch.from_numpy(lr.astype(np.float32) / 255)[None, None]
            return net(x)[0, 0].numpy() * 255
    return run


def onnx_network(path):
    import graph
    loaded = graph.Graph(path)
    return lambda lr: loaded.run(lr.astype(np.float32)[None, None] / 255)[0, 0] * 255


def methods(path):
    rows = {"bicubic": imaging.double_base, "lanczos": imaging.double_lanczos}
    if path:
        name = os.path.basename(path)
        rows[name] = onnx_network(path) if path.endswith(".onnx") else torch_network(path)
    return rows


def measure(folder, rows):
    paths = sorted(glob.glob(os.path.join(folder, "*.png")))
    if not paths:
        sys.exit(f"evaluate: no .png pictures in {folder}")
    scores = {name: [] for name in rows}
    for path in paths:
        truth = imaging.even(imaging.read_luma(path))
        lr = imaging.halve(truth)
        for name, enlarge in rows.items():
            out = imaging.to_u8(enlarge(lr))
            scores[name].append((imaging.psnr(out, truth), imaging.ssim(out, truth)))
    return paths, scores


def table(folder, paths, scores, full):
    print(f"{os.path.basename(os.path.normpath(folder)):16}" + "".join(f"{name:>20}" for name in scores))
    if full:
        for i, path in enumerate(paths):
            cells = "".join(f"{s[i][0]:12.3f} {s[i][1]:.4f} " for s in scores.values())
            print(f"{os.path.basename(path):16}{cells}")
    print(f"{'mean':16}" + "".join(f"{np.mean([v[0] for v in s]):12.3f} {np.mean([v[1] for v in s]):.4f} "
                                   for s in scores.values()))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network", help="checkpoint, .onnx, or 'none'")
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--full", action="store_true", help="a row for each picture")
    args = parser.parse_args()
    rows = methods(None if args.network == "none" else args.network)
    for folder in args.folders:
        table(folder, *measure(folder, rows), args.full)


if __name__ == "__main__":
    main()
