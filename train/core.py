# SPDX-License-Identifier: LGPL-2.1-or-later
"""The training core (core.c) from Python: value and gradient of a chain network.

    net = core.Net(channels=16, inner=4, outs=4)       # outs = scale squared; 1 for a network that keeps the size
    params = net.init(rng)                             # flat float32 vector: what the optimiser moves
    loss, mse, grad, _ = net.batch(params, x, target)  # x [n,H,W], target [n,H-2p,W-2p,outs], p = net.convs
    out = net.run(params, plane)                       # one picture, mirrored borders: [H,W,outs]

x is luma 0..1.  The network gives the residual: target is truth less base, and the truth is base + out, whatever the
base is (bicubic enlargement, or the input itself).  All convolutions are valid: crops carry `convs` samples of context on
each side; at a picture's border those mirror it (imaging.surround).  With scale > 1, outs are [dy][dx] of the pixel shuffle.
Channels that are no multiple of LANES run as one: the core gets zeros for the rest, and nobody else sees them.

    for kernel, bias in net.views(params): ...         # views [3,3,in,out] and [out] into the flat vector
    net.layers(params)                                 # copies as ONNX has them: [(out,in,3,3), (out,)]

`scales` (float32 [inner + 1]) turns on the rounding of activations to u8 after each ReLU; batch then returns the gradients
of the scales last.  loss is "l2", "l1" (Charbonnier), or "log" (of each crop's mean squared error: a dB counts the same in
every crop; known [n] is squared error that the targets already have, see train.py --teacher).  Net(half=True) runs float
batches in bfloat16 (half.c), in little more than half the time, where the CPU has AVX512_BF16 (core.HALF).

optimise.py has the optimiser, train.py the loop: train.fit().
The shared object is compiled once into build/train/ (or SPYHOP_TRAIN_BUILD), for this machine.
"""
import ctypes
import hashlib
import os
import subprocess

import numpy as np

import imaging

HERE = os.path.dirname(os.path.abspath(__file__))
LANES = 16
LOSSES = ("l2", "l1", "log")
SOURCES = ["core.c", "half.c", "crops.c", "soap.c"]
FLAGS = ["-O3", "-march=native", "-ffast-math", "-shared", "-fPIC"]


class Spec(ctypes.Structure):
    _fields_ = [("channels", ctypes.c_int), ("inner", ctypes.c_int), ("outs", ctypes.c_int), ("loss", ctypes.c_int),
                ("epsilon", ctypes.c_float), ("threads", ctypes.c_int), ("half", ctypes.c_int)]


class Soap(ctypes.Structure):
    _fields_ = [("a", ctypes.c_int), ("b", ctypes.c_int)] + [(name, ctypes.c_void_p) for name in (
        "left", "right", "left_basis", "right_basis", "m", "v")]


class Crop(ctypes.Structure):
    _fields_ = [("lr", ctypes.c_void_p), ("hr", ctypes.c_void_p), ("height", ctypes.c_int), ("width", ctypes.c_int),
                ("scale", ctypes.c_int), ("y", ctypes.c_int), ("x", ctypes.c_int), ("size", ctypes.c_int),
                ("margin", ctypes.c_int), ("turn", ctypes.c_int), ("taught", ctypes.c_void_p)]


def library():
    mark = hashlib.sha1(" ".join(FLAGS).encode())
    for name in SOURCES + ["core.h", "rows.h"]:
        with open(os.path.join(HERE, name), "rb") as text:
            mark.update(text.read())
    folder = os.environ.get("SPYHOP_TRAIN_BUILD", os.path.join(HERE, "..", "build", "train"))
    path = os.path.join(folder, f"core-{mark.hexdigest()[:12]}.so")
    if not os.path.exists(path):
        os.makedirs(folder, exist_ok=True)
        part = f"{path}.{os.getpid()}"
        sources = [os.path.join(HERE, name) for name in SOURCES]
        subprocess.run([os.environ.get("CC", "gcc"), *FLAGS, "-o", part, *sources, "-lm", "-lpthread"], check=True)
        os.replace(part, path)
    loaded = ctypes.CDLL(path)
    loaded.make_crop.restype = ctypes.c_float
    return loaded


def has_half():
    with open("/proc/cpuinfo", encoding="ascii") as text:
        return "avx512_bf16" in text.read()


LIBRARY, HALF = library(), has_half()


def pointer(array):
    if array is None:
        return None
    if array.dtype != np.float32 or not array.flags.c_contiguous:
        raise ValueError("core: arrays must be contiguous float32")
    return ctypes.c_void_p(array.ctypes.data)


class Net:
    def __init__(self, channels, inner, outs, threads=1, half=False):
        self.channels, self.inner, self.outs, self.threads, self.half = channels, inner, outs, threads, half
        self.convs = inner + 2
        sizes = [1] + [channels] * (inner + 1) + [outs]
        self.shapes = [(3, 3, i, o) for i, o in zip(sizes, sizes[1:])]
        self.size = sum(9 * i * o + o for _, _, i, o in self.shapes)
        self.width = -(-channels // LANES) * LANES
        self.wide = None if self.width == channels else Net(self.width, inner, outs)
        self.places = self.wide and np.concatenate([
            part.ravel() for (_, _, i, o), (kernel, bias) in zip(self.shapes, self.wide.views(np.arange(self.wide.size)))
            for part in (kernel[:, :, :i, :o], bias[:o])])

    def cost(self):
        """Multiply-adds for each input pixel."""
        return sum(9 * i * o for _, _, i, o in self.shapes)

    def views(self, params):
        found, at = [], 0
        for shape in self.shapes:
            n = int(np.prod(shape))
            found.append((params[at:at + n].reshape(shape), params[at + n:at + n + shape[3]]))
            at += n + shape[3]
        return found

    def widened(self, params):
        """The core's vector: as many channels as it runs, the added ones zero."""
        if self.wide is None:
            return params
        out = np.zeros(self.wide.size, np.float32)
        out[self.places] = params
        return out

    def narrowed(self, wide):
        return wide if self.wide is None else wide[self.places]

    def layers(self, params):
        return [(np.ascontiguousarray(k.transpose(3, 2, 0, 1)), b.copy()) for k, b in self.views(params)]

    def init(self, rng):
        """Identity plus noise for the inner layers, edges first, a last layer that begins small."""
        params = np.zeros(self.size, np.float32)
        for i, (kernel, _) in enumerate(self.views(params)):
            fan = 9 * kernel.shape[2]
            kernel[:] = rng.normal(0, np.sqrt(2 / fan), kernel.shape)
            if i == 0:
                kernel *= 2
                kernel -= kernel.mean((0, 1), keepdims=True)
            elif i == self.inner + 1:
                kernel *= 0.1
            else:
                kernel *= 0.3
                kernel[1, 1] += np.eye(self.channels)
        return params

    def spec(self, loss="l2", epsilon=1e-3):
        return Spec(self.width, self.inner, self.outs, LOSSES.index(loss), epsilon, self.threads)

    def batch(self, params, x, target, loss="l2", scales=None, epsilon=1e-3, known=None):
        """(loss, mean squared error, gradient, gradient of the scales or of nothing)."""
        n, height, width = x.shape
        p = self.convs
        if target.shape != (n, height - 2 * p, width - 2 * p, self.outs):
            raise ValueError(f"core: target {target.shape} does not fit input {x.shape}")
        params = self.widened(params)
        grad, gscale = np.empty(len(params), np.float32), np.empty(self.convs, np.float32)
        losses = (ctypes.c_double * 2)()
        spec = self.spec(loss, epsilon)
        spec.half = int(self.half and scales is None)
        if LIBRARY.train_batch(ctypes.byref(spec), pointer(params), pointer(scales), n, height, width, pointer(x),
                               pointer(target), pointer(known), pointer(grad), pointer(gscale), losses):
            raise ValueError(f"core: no such network: {self.channels} channels, {self.inner} inner, {self.outs} outs")
        return losses[0], losses[1], self.narrowed(grad), gscale[:-1]

    def run(self, params, plane, scales=None, tops=None):
        """Residual of a whole picture (float32 [H,W], 0..1) with mirrored borders; tops gets the ReLUs' maxima."""
        p = self.convs
        x = np.ascontiguousarray(imaging.surround(plane, p), np.float32)
        params = self.widened(params)
        out = np.empty(plane.shape + (self.outs,), np.float32)
        spec = self.spec()
        if LIBRARY.run_picture(ctypes.byref(spec), pointer(params), pointer(scales), *x.shape, pointer(x), pointer(out),
                               pointer(tops)):
            raise ValueError("core: the network did not run")
        return out
