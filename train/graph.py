# SPDX-License-Identifier: LGPL-2.1-or-later
"""A small evaluator of ONNX graphs in numpy, written from the operators' definitions.

It knows the operators our networks use and runs none of what trains them, so that an
exported file is checked as a file: float32 input, double inside.  Slow on purpose: clear.
"""
import numpy as np
import onnx
from onnx import numpy_helper

import imaging


def attributes(node):
    return {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}


def conv(x, kernel, bias, pads=(0, 0, 0, 0), strides=(1, 1), dilations=(1, 1), group=1, kernel_shape=None):
    if list(strides) != [1, 1] or list(dilations) != [1, 1] or group != 1:
        raise ValueError("graph: Conv with strides, dilations or groups is not evaluated here")
    top, left, bottom, right = pads
    x = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
    kh, kw = kernel.shape[2:]
    height, width = x.shape[2] - kh + 1, x.shape[3] - kw + 1
    out = np.zeros((x.shape[0], kernel.shape[0], height, width)) + bias[:, None, None]
    for dy in range(kh):
        for dx in range(kw):
            out += np.einsum("oi,nihw->nohw", kernel[:, :, dy, dx], x[:, :, dy:dy + height, dx:dx + width],
                             optimize=True)
    return out


def depth_to_space(x, blocksize, mode=b"DCR"):
    n, c, h, w = x.shape
    b, depth = blocksize, c // blocksize**2
    if mode == b"CRD":
        return x.reshape(n, depth, b, b, h, w).transpose(0, 1, 4, 2, 5, 3).reshape(n, depth, h * b, w * b)
    return x.reshape(n, b, b, depth, h, w).transpose(0, 3, 4, 1, 5, 2).reshape(n, depth, h * b, w * b)


def resize(x, roi, scales, mode=b"nearest", coordinate_transformation_mode=b"half_pixel", cubic_coeff_a=-0.75,
           exclude_outside=0, **_):
    scale = int(scales[-1])
    if (mode, coordinate_transformation_mode, exclude_outside, scales.tolist()) != (b"cubic", b"half_pixel", 0,
                                                                                    [1, 1, scale, scale]):
        raise ValueError("graph: only Resize cubic, half_pixel, by a whole factor is evaluated here")

    def kernel(t):
        return imaging.cubic(t, cubic_coeff_a)
    planes = x.reshape(-1, *x.shape[2:])
    planes = [imaging.enlarge_rows(imaging.enlarge_rows(p, scale, kernel, 2).T, scale, kernel, 2).T for p in planes]
    return np.stack(planes).reshape(*x.shape[:2], *planes[0].shape)


def pad(x, pads, value=0.0, mode=b"constant"):
    n = x.ndim
    width = [(int(pads[i]), int(pads[i + n])) for i in range(n)]
    if mode == b"constant":
        return np.pad(x, width, constant_values=float(value))
    return np.pad(x, width, mode=mode.decode())


def cut(x, starts, ends, axes, steps):
    places = [slice(None)] * x.ndim
    for start, end, axis, step in zip(starts.tolist(), ends.tolist(), axes.tolist(), steps.tolist()):
        places[axis] = slice(start, None if step < 0 and end < -x.shape[axis] else end, step)
    return x[tuple(places)]


def along(a, n, axis):
    """A scale or zero point that lies along an axis of n."""
    return a if a.ndim == 0 else a.reshape([-1 if i == axis % n else 1 for i in range(n)])


LIMITS = {np.dtype(np.uint8): (0, 255), np.dtype(np.int8): (-128, 127)}


def quantize(x, scale, zero, axis=1):
    low, high = LIMITS[zero.dtype]
    return np.clip(np.rint(x / along(scale, x.ndim, axis)) + along(zero, x.ndim, axis).astype(np.float64), low, high)


def dequantize(x, scale, zero=np.zeros((), np.int8), axis=1):
    return (x - along(zero, x.ndim, axis).astype(np.float64)) * along(scale, x.ndim, axis)


OPERATORS = {
    "Conv": conv,
    "Relu": lambda x: np.maximum(x, 0),
    "Add": lambda a, b: a + b,
    "DepthToSpace": depth_to_space,
    "Resize": resize,
    "Pad": pad,
    "Slice": cut,
    "Concat": lambda *parts, axis: np.concatenate(parts, axis),
    "QuantizeLinear": quantize,
    "DequantizeLinear": dequantize,
}


class Graph:
    def __init__(self, path):
        self.model = onnx.load(path)
        self.scale = int({p.key: p.value for p in self.model.metadata_props}.get("scale", "2"))
        self.constants = {t.name: self.constant(t) for t in self.model.graph.initializer}
        for node in self.model.graph.node:
            if node.op_type not in OPERATORS:
                raise ValueError(f"graph: {path}: operator {node.op_type} is not known")

    @staticmethod
    def constant(tensor):
        value = numpy_helper.to_array(tensor)
        return value.astype(np.float64) if value.dtype == np.float32 else value

    def run(self, x):
        graph = self.model.graph
        values = dict(self.constants)
        values[graph.input[0].name] = np.asarray(x, np.float32).astype(np.float64)
        for node in graph.node:
            inputs = [values[name] if name else None for name in node.input]
            values[node.output[0]] = OPERATORS[node.op_type](*inputs, **attributes(node))
        return values[graph.output[0].name]
