# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checkpoint -> ONNX file (opset 13), checked before it takes its name.

    the picture and its mirror image around it, one sample for each convolution -> Conv (no pads) -> Relu -> ... -> Conv
        -> DepthToSpace (CRD) -> Add with Resize (cubic) of the input

ONNX's Pad cannot repeat the border sample in its mirror image, so `surround` says it by Slice (steps of -1) and Concat,
first across, then down.  As a file that holds for pictures at least as wide and high as there are convolutions; the engine
knows the form and mirrors smaller ones as often as it takes.

A checkpoint with activation scales becomes an int8 network in QDQ form: after each ReLU, QuantizeLinear and
DequantizeLinear (u8, zero point 0); weights of the convolutions behind them int8 with a scale for each output channel,
biases int32 in units of activation scale times weight scale.  The first convolution stays float, and so does the last
where its architecture says so.  --float writes the float network of the same weights instead.

Flat stays flat: the first kernels sum to zero, and what the network answers to a flat picture is taken off the last
bias.  The file is built without timestamps: same checkpoint, same bytes.
"""
import argparse
import os

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import graph
import imaging
import model

LICENCE = "CC-BY-SA-4.0"


class Builder:
    def __init__(self):
        self.nodes, self.constants = [], []

    def constant(self, name, value):
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def node(self, kind, inputs, output, **attributes):
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def activation(self, current, i, scale):
        names = [self.constant(f"relu{i}.scale", np.float32(scale)), self.constant(f"relu{i}.zero", np.uint8(0))]
        self.node("QuantizeLinear", [current, *names], f"relu{i}.u8")
        return self.node("DequantizeLinear", [f"relu{i}.u8", *names], f"relu{i}.rounded")

    def weights(self, i, kernel, bias, scale):
        """int8 weights and int32 biases behind their DequantizeLinear; `scale` is the activation's."""
        q, scales = model.quantise(kernel)
        whole = np.rint(bias.astype(np.float64) / (np.float64(scale) * scales)).astype(np.int32)
        names = []
        for what, value, by, zero in (("weight", q.transpose(3, 2, 0, 1), scales, np.zeros(len(scales), np.int8)),
                                      ("bias", whole, scales * np.float32(scale), np.zeros(len(scales), np.int32))):
            name = f"conv{i}.{what}"
            inputs = [self.constant(f"{name}.q", np.ascontiguousarray(value)),
                      self.constant(f"{name}.scale", by.astype(np.float32)), self.constant(f"{name}.zero", zero)]
            names.append(self.node("DequantizeLinear", inputs, name, axis=0))
        return names

    def plain(self, i, kernel, bias):
        return [self.constant(f"conv{i}.weight", np.ascontiguousarray(kernel.transpose(3, 2, 0, 1))),
                self.constant(f"conv{i}.bias", bias)]

    def surround(self, current, n):
        """n samples of the mirror image on each side, as np.pad's symmetric."""
        back = self.constant("back", np.array([-1], np.int64))
        first = [self.constant("first", np.array([n - 1], np.int64)),
                 self.constant("start", np.array([np.iinfo(np.int64).min], np.int64))]
        last = [self.constant("last", np.array([-1], np.int64)), self.constant("end", np.array([-1 - n], np.int64))]
        for name, axis in (("columns", 3), ("rows", 2)):
            axes = self.constant(name, np.array([axis], np.int64))
            sides = [self.node("Slice", [current, *ends, axes, back], f"{name}.{side}")
                     for side, ends in (("before", first), ("behind", last))]
            current = self.node("Concat", [sides[0], current, sides[1]], f"{name}.around", axis=axis)
        return current

    def chain(self, arch, layers, scales):
        count = len(layers)
        current = self.surround("luma", count)
        for i, (kernel, bias) in enumerate(layers):
            as_int8 = scales is not None and i > 0 and (arch.int8_last or i + 1 < count)
            names = self.weights(i, kernel, bias, scales[i - 1]) if as_int8 else self.plain(i, kernel, bias)
            current = self.node("Conv", [current, *names], f"conv{i}", kernel_shape=[3, 3], pads=[0, 0, 0, 0],
                                strides=[1, 1])
            if i + 1 < count:
                current = self.node("Relu", [current], f"relu{i}")
                if scales is not None:
                    current = self.activation(current, i, scales[i])
        base = "luma"
        if arch.scale > 1:
            current = self.node("DepthToSpace", [current], "residual", blocksize=arch.scale, mode="CRD")
            self.constant("scales", np.array([1, 1, arch.scale, arch.scale], np.float32))
            base = self.node("Resize", ["luma", "", "scales"], "base", mode="cubic", cubic_coeff_a=-0.5,
                             coordinate_transformation_mode="half_pixel", exclude_outside=0)
        self.node("Add", [current, base], "sum")


def build(arch, layers, scales):
    builder = Builder()
    builder.chain(arch, layers, scales)
    size = ("H", "W") if arch.scale == 1 else (f"{arch.scale}H", f"{arch.scale}W")
    source = helper.make_tensor_value_info("luma", TensorProto.FLOAT, ["N", 1, "H", "W"])
    result = helper.make_tensor_value_info("sum", TensorProto.FLOAT, ["N", 1, *size])
    made = helper.make_model(helper.make_graph(builder.nodes, arch.name, [source], [result], builder.constants),
                             opset_imports=[helper.make_opsetid("", 13)], producer_name="spyhop", ir_version=7,
                             doc_string=f"Luma: a base plus a learnt residual. Sides of at least {len(layers)} samples.")
    base = "bicubic a=-0.5, half-pixel centres, replicated borders" if arch.scale > 1 else "the input"
    helper.set_model_props(made, {
        "name": arch.name, "scale": str(arch.scale), "colour": "luma", "range": "0..1",
        "normalise": "code value / greatest code value; limited range (16..235) stays as it is",
        "base": base, "licence": LICENCE,
    })
    return made


def balance(net, params):
    """Kernels of the first layer that sum to zero as float32 numbers do: the centre takes what is left."""
    kernel = net.views(params)[0][0]
    for _ in range(4):
        kernel[1, 1] -= kernel.astype(np.float64).sum((0, 1)).astype(np.float32)


def settle(arch, net, params, scales):
    """The answer to a flat picture comes off the last bias."""
    weights = params if scales is None else model.rounded(net, params, arch.int8_last)
    answer = net.run(weights, np.full((8, 8), 0.5, np.float32), scales)
    net.views(params)[-1][1][:] -= answer[4, 4]


def expected(arch, net, params, scales, x):
    weights = params if scales is None else model.rounded(net, params, arch.int8_last)
    out = net.run(weights, x, scales).astype(np.float64)
    shape = [n * arch.scale for n in x.shape]
    out = out.reshape(*x.shape, arch.scale, arch.scale).transpose(0, 2, 1, 3).reshape(shape)
    return out + imaging.enlarge_base(x, arch.scale)


def check(path, arch, net, params, scales):
    onnx.checker.check_model(onnx.load(path), full_check=True)
    x = np.random.default_rng(7).random((60, 50), dtype=np.float32)
    x[10:20] = np.round(x[10:20])
    miss = np.abs(graph.Graph(path).run(x[None, None])[0, 0] - expected(arch, net, params, scales, x))
    # a rounding that falls the other way is a step of one activation: small, and seldom
    error = float(miss.max() if scales is None else miss.mean())
    if not error < (2e-5 if scales is None else 2e-3):
        raise SystemExit(f"export: {path}: differs from the training core by {error:.3g}: not written")
    return error


def write(path, arch, params, scales):
    net, params = arch.net(), params.copy()
    balance(net, params)
    settle(arch, net, params, scales)
    part = path + ".part"
    onnx.save(build(arch, net.views(params), scales), part)
    try:
        error = check(part, arch, net, params, scales)
        os.replace(part, path)
    finally:
        if os.path.exists(part):
            os.remove(part)
    print(f"export: {path}: {'float' if scales is None else 'int8'}, {net.cost()} multiply-adds an input pixel, "
          f"{os.path.getsize(path)} bytes, within {error:.2g} of the training core")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint")
    parser.add_argument("onnx")
    parser.add_argument("--name", help="what the network is called, if not as its checkpoint says")
    parser.add_argument("--float", action="store_true", help="the float network of the same weights")
    args = parser.parse_args()
    arch, params, scales = model.load(args.checkpoint)
    arch.name = args.name or arch.name
    write(args.onnx, arch, params, None if args.float else scales)


if __name__ == "__main__":
    main()
