# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a network's layers reach: the numbers a fixed-point implementation is planned with.

For each convolution, over all pictures of the folders: the greatest value behind
its ReLU, the scale that the int8 network rounds it with, the share of channels
whose ReLU never opens, and the greatest sum of |weight| into one output.  Then
what the network adds to flat pictures, in 8-bit code values: the greatest over
the codes 16..235, borders included.
"""
import argparse
import glob
import os

import numpy as np

import imaging
import model


def small_pictures(folders, scale):
    for folder in folders:
        for path in sorted(glob.glob(os.path.join(folder, "*.png"))):
            truth = imaging.whole(imaging.read_luma(path), scale)
            yield imaging.shrink(truth, scale).astype(np.float32) / 255


def layers_table(net, params, scales, pictures):
    tops = np.zeros((len(pictures), net.inner + 1), np.float32)
    for picture, row in zip(pictures, tops):
        net.run(params, picture, None, row)
    print("conv  greatest  scale*255  sum|w|   max|w|  max|bias|")
    for i, (kernel, bias) in enumerate(net.views(params)):
        top = f"{tops[:, i].max():9.3f}" if i <= net.inner else "         "
        scale = f"{scales[i] * 255:10.3f}" if scales is not None and i <= net.inner else "          "
        print(f"{i:4} {top} {scale} {np.abs(kernel).sum((0, 1, 2)).max():8.3f} {np.abs(kernel).max():8.3f} "
              f"{np.abs(bias).max():9.3f}")


def flat_table(net, params, scales):
    answers = [net.run(params, np.full((8, 8), code / 255, np.float32), scales) for code in range(16, 236)]
    answers = np.stack(answers) - answers[0][4, 4]
    print(f"flat pictures: codes 16..235 differ by at most {np.abs(answers).max() * 255:.4f} codes")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint")
    parser.add_argument("folders", nargs="+")
    args = parser.parse_args()
    arch, params, scales = model.load(args.checkpoint)
    net = arch.net()
    used = params if scales is None else model.rounded(net, params, arch.int8_last)
    layers_table(net, used, scales, list(small_pictures(args.folders, arch.scale)))
    flat_table(net, used, scales)


if __name__ == "__main__":
    main()
