# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checkpoint -> checkpoint whose idle channels can learn again, with nearly the same output.

A channel that adds next to nothing (its ReLU hardly opens, or nobody listens) gets a new random kernel as large
as its neighbours', and the weights that read it become zero; training from here (train.py --weights) finds a use
for it.  Idle is: what it brings to the next layer (root mean square times the size of the weights that read it)
is below --share of its layer's median.
"""
import argparse

import numpy as np

import graph
import model


def strengths(net, params, pictures):
    """[inner + 1, channels]: what each channel brings to the next layer."""
    layers, found = net.views(params), []
    x = np.pad(pictures, ((0, 0), (0, 0), (net.convs, net.convs), (net.convs, net.convs)), mode="symmetric")
    for (kernel, bias), (following, _) in zip(layers, layers[1:]):
        x = np.maximum(graph.conv(x, kernel.transpose(3, 2, 0, 1), bias), 0)
        found.append(np.sqrt((x**2).mean((0, 2, 3))) * np.sqrt((following**2).sum((0, 1, 3))))
    return np.array(found)


def revive(net, params, layer, channel, rng):
    (kernel, bias), (following, _) = net.views(params)[layer:layer + 2]
    fresh = rng.normal(size=kernel.shape[:3])
    fresh -= fresh.mean((0, 1))
    size = np.median(np.sqrt((kernel**2).sum((0, 1, 2))))
    kernel[..., channel] = fresh * size / np.sqrt((fresh**2).sum())
    bias[channel] = 0
    following[:, :, channel] = 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pack")
    parser.add_argument("checkpoint")
    parser.add_argument("revived")
    parser.add_argument("--share", type=float, default=0.15)
    args = parser.parse_args()
    arch, params, _ = model.load(args.checkpoint)
    net, rng = arch.net(), np.random.default_rng(1)
    with np.load(args.pack) as pack:
        pictures = pack["val_lr"][::3, None, 30:90, 30:90].astype(np.float32) / 255
    found = strengths(net, params, pictures)
    for layer, row in enumerate(found):
        idle = np.flatnonzero(row < args.share * np.median(row))
        print(f"conv{layer}: {len(idle)} of {len(row)} channels idle; {np.round(np.sort(row) / np.median(row), 2)}")
        for channel in idle:
            revive(net, params, layer, channel, rng)
    model.save(args.revived, arch, params)


if __name__ == "__main__":
    main()
