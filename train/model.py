# SPDX-License-Identifier: LGPL-2.1-or-later
"""The networks by name, their checkpoints, and how their weights become int8.

Each is a chain: conv 1->C, ReLU, `inner` times (conv C->C, ReLU), conv C->scale^2, pixel shuffle, on the base of
imaging.enlarge_base.  All 3x3; the picture is continued once, by its mirror image, and the convolutions are valid.
The first kernels sum to zero each, so that a flat picture's code value is not seen by the network.

A checkpoint is an .npz: `params` (core.py's flat vector, what evaluates best), `scales` of the activations (empty for
a float network), `arch` as JSON, and what training needs to go on.

int8 weights (`quantise`): one scale for each output channel; no weight beyond 127, and no two neighbours of equal sign
(inputs 2i and 2i + 1 of one tap) beyond 127 together before rounding, 128 after: then u8 times s8 in pairs stays
within 16 bits, which AVX2's vpmaddubsw needs.
"""
import json
from dataclasses import asdict, dataclass, replace

import numpy as np

import core


@dataclass
class Arch:
    name: str
    channels: int
    inner: int
    scale: int
    int8: bool = True
    int8_last: bool = True

    def net(self, threads=1):
        return core.Net(self.channels, self.inner, self.scale**2, threads, core.HALF)


ARCHITECTURES = {a.name: a for a in (
    Arch("fast", 12, 7, 2), Arch("fast_x3", 12, 7, 3), Arch("fast_x4", 12, 7, 4),
    Arch("balanced", 16, 11, 2), Arch("balanced_x3", 16, 11, 3), Arch("balanced_x4", 16, 11, 4),
    Arch("quality", 32, 11, 2, int8=False),
    Arch("restore", 16, 12, 1),
)}


def save(path, arch, params, scales=None, **more):
    with open(path, "wb") as out:
        np.savez(out, arch=json.dumps(asdict(arch)), params=params,
                 scales=np.zeros(0, np.float32) if scales is None else scales, **more)


def narrowed(arch, params):
    """(arch, params) without the last fours of channels that are zero throughout: the same network."""
    layers, live = arch.net().views(params), 4
    for (kernel, bias), (following, _) in zip(layers, layers[1:]):
        used = np.abs(kernel).max((0, 1, 2)) + np.abs(bias) + np.abs(following).max((0, 1, 3)) > 0
        live = max(live, int(np.max(np.flatnonzero(used), initial=0)) + 1)
    channels = -(-live // 4) * 4
    if channels >= arch.channels:
        return arch, params
    narrow = replace(arch, channels=channels)
    return narrow, np.concatenate([part.ravel() for (_, _, i, o), (kernel, bias) in zip(narrow.net().shapes, layers)
                                   for part in (kernel[:, :, :i, :o], bias[:o])])


def load(path):
    """(arch, params, scales or None)"""
    with np.load(path) as state:
        arch, params = narrowed(Arch(**json.loads(str(state["arch"]))), state["params"])
        return arch, params, state["scales"] if len(state["scales"]) else None


def quantise(kernel):
    """[3,3,in,out] float -> int8 of the same shape, scales [out]."""
    ceiling = np.abs(kernel).max((0, 1, 2))
    even, odd = kernel[:, :, 0::2], kernel[:, :, 1::2]
    together = np.where(even * odd > 0, np.abs(even + odd), 0).max((0, 1, 2))
    scales = np.maximum(np.maximum(ceiling, together) / 127, 1e-8).astype(np.float32)
    return np.clip(np.rint(kernel / scales), -127, 127).astype(np.int8), scales


def rounded(net, params, int8_last):
    """params with the weights of every int8 layer rounded: what the int8 network computes with."""
    out = params.copy()
    for kernel, _ in net.views(out)[1:None if int8_last else -1]:
        q, scales = quantise(kernel)
        kernel[:] = q * scales
    return out
