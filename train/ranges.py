# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a network's layers reach: the numbers a fixed-point implementation is planned with.

For each convolution, over all pictures of the folders: least and greatest
output (before ReLU), the 99.99th percentile of its size, and the greatest sum
of |weight| into one output.  Then what it adds to flat pictures, in 8-bit code
values: the greatest over the codes 16..235, away from the border and at it.
"""
import argparse
import glob
import os

import numpy as np
import torch

import imaging
import model


def luma_batches(folders):
    for folder in folders:
        for path in sorted(glob.glob(os.path.join(folder, "*.png"))):
            yield imaging.halve(imaging.even(imaging.read_luma(path)))


def layers_table(net, pictures):
    reached = []
    with torch.no_grad():
        for picture in pictures:
            found = net.features(torch.from_numpy(picture.astype(np.float32) / 255)[None, None])
            reached.append([(float(f.min()), float(f.max()), float(np.quantile(f.abs().numpy(), 0.9999)))
                            for f in found])
    print("conv    least greatest   99.99%  sum|w|   max|w|  max|bias|")
    for i, (kernel, bias) in enumerate(net.layers()):
        of = [r[i] for r in reached]
        print(f"{i:4} {min(r[0] for r in of):8.3f} {max(r[1] for r in of):8.3f} {max(r[2] for r in of):8.3f} "
              f"{np.abs(kernel).sum((1, 2, 3)).max():7.3f} {np.abs(kernel).max():8.3f} {np.abs(bias).max():9.3f}")


def flat_table(net):
    codes = torch.arange(16, 236, dtype=torch.float32) / 255
    flat = codes[:, None, None, None].expand(-1, 1, 32, 32).contiguous()
    with torch.no_grad():
        added = ((net(flat) - codes[:, None, None, None]).abs() * 255)[:, 0]
    inside = float(added[:, 16:-16, 16:-16].max())
    print(f"flat pictures change by at most {inside:.3f} codes inside and {float(added.max()):.3f} at the border")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint")
    parser.add_argument("folders", nargs="+")
    args = parser.parse_args()
    net, _ = model.load(args.checkpoint)
    layers_table(net, luma_batches(args.folders))
    flat_table(net)


if __name__ == "__main__":
    main()
