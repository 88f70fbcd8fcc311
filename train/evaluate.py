# SPDX-License-Identifier: LGPL-2.1-or-later
"""Y-PSNR and SSIM of bicubic, lanczos and a trained network on folders of pictures.

Each picture's luma is cropped to whole multiples of the scale (the network's; 2
where there is none), reduced as MATLAB's imresize does, enlarged again, rounded to
u8, and compared with a border of as many pixels as the scale cut.  The network is
a checkpoint of train.py (run by the training core) or an .onnx file of export.py
(run by the plain numpy of graph.py, so that the file is what counts).
"""
import argparse
import glob
import os
import sys

import numpy as np

import imaging


def trained_network(path):
    import model
    arch, params, scales = model.load(path)
    net = arch.net()
    used = params if scales is None else model.rounded(net, params, arch.int8_last)

    def run(lr):
        x = lr.astype(np.float32) / 255
        residual = imaging.shuffle(net.run(used, x, scales), arch.scale)
        return (imaging.enlarge_base(x, arch.scale) + residual) * 255
    return run, arch.scale


def onnx_network(path):
    import graph
    loaded = graph.Graph(path)
    return lambda lr: loaded.run(lr.astype(np.float32)[None, None] / 255)[0, 0] * 255, loaded.scale


def methods(path):
    """({name: function of a small plane}, scale)"""
    network, scale = None, 2
    if path:
        network, scale = onnx_network(path) if path.endswith(".onnx") else trained_network(path)
    rows = {"bicubic": lambda lr: imaging.enlarge_base(lr, scale),
            "lanczos": lambda lr: imaging.enlarge_lanczos(lr, scale)}
    if network:
        rows[os.path.basename(path)] = network
    return rows, scale


def measure(folder, rows, scale):
    paths = sorted(glob.glob(os.path.join(folder, "*.png")))
    if not paths:
        sys.exit(f"evaluate: no .png pictures in {folder}")
    scores = {name: [] for name in rows}
    for path in paths:
        truth = imaging.whole(imaging.read_luma(path), scale)
        lr = imaging.shrink(truth, scale)
        for name, enlarge in rows.items():
            out = imaging.to_u8(enlarge(lr))
            scores[name].append((imaging.psnr(out, truth, scale), imaging.ssim(out, truth, scale)))
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
    rows, scale = methods(None if args.network == "none" else args.network)
    for folder in args.folders:
        table(folder, *measure(folder, rows, scale), args.full)


if __name__ == "__main__":
    main()
