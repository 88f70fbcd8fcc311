# SPDX-License-Identifier: LGPL-2.1-or-later
"""Networks of a given shape with random weights, as ONNX files: what is timed does not depend on what was learnt.

`network` is the form of the networks in models/ (edge padding at the picture, valid convolutions, ReLU, pixel shuffle,
a bicubic base), `bare` its convolutions alone; each in float, or quantised as models/ are: unsigned activations, signed
weights with a scale an output channel, 32-bit biases. The writer knows as much of protobuf as this takes."""
import random
import struct

FLOAT, UINT8, INT8, INT32, INT64 = 1, 2, 3, 6, 7
PACKING = {FLOAT: "f", UINT8: "B", INT8: "b", INT32: "i", INT64: "q"}


def varint(value):
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + bytes([value]))


def number(field, value):
    return varint(field << 3) + varint(value)


def block(field, data):
    data = data.encode() if isinstance(data, str) else data
    return varint(field << 3 | 2) + varint(len(data)) + data


def tensor(name, kind, dims, values):
    raw = struct.pack(f"<{len(values)}{PACKING[kind]}", *values)
    return b"".join(number(1, d) for d in dims) + number(2, kind) + block(8, name) + block(9, raw)


def attribute(name, value):
    if isinstance(value, int):
        return block(1, name) + number(3, value) + number(20, 2)
    if isinstance(value, float):
        return block(1, name) + varint(2 << 3 | 5) + struct.pack("<f", value) + number(20, 1)
    if isinstance(value, str):
        return block(1, name) + block(4, value) + number(20, 3)
    return block(1, name) + b"".join(number(8, v) for v in value) + number(20, 7)


def port(name, dims):
    shape = b"".join(block(1, number(1, d) if isinstance(d, int) else block(2, d)) for d in dims)
    return block(1, name) + block(2, block(1, number(1, FLOAT) + block(2, shape)))


class Net:
    def __init__(self, seed):
        self.nodes, self.tensors, self.random, self.names = [], [], random.Random(seed), 0

    def constant(self, kind, dims, values):
        self.names += 1
        name = f"c{self.names}"
        self.tensors.append(tensor(name, kind, dims, values))
        return name

    def node(self, op, inputs, **attributes):
        self.names += 1
        out = f"t{self.names}"
        self.nodes.append(b"".join(block(1, i) for i in inputs) + block(2, out) + block(3, f"n{self.names}") +
                          block(4, op) + b"".join(block(5, attribute(*a)) for a in attributes.items()))
        return out

    def save(self, path, name, source, result, channels):
        graph = b"".join(block(1, n) for n in self.nodes) + block(2, name)
        graph += b"".join(block(5, t) for t in self.tensors)
        graph += block(11, port(source, ["N", 1, "H", "W"])) + block(12, port(result, ["N", channels, "H2", "W2"]))
        props = {"name": name, "scale": "2", "colour": "luma", "range": "0..1"}
        model = number(1, 7) + block(2, "spyhop") + block(7, graph) + block(8, block(1, "") + number(2, 13))
        model += b"".join(block(14, block(1, k) + block(2, v)) for k, v in props.items())
        path.write_bytes(model)


def weights(net, outputs, inputs, balanced):
    """Whole numbers within +-60; `balanced`: each kernel sums to zero."""
    values = []
    for _ in range(outputs):
        kernel = [net.random.randint(-60, 60) for _ in range(9 * inputs)]
        if balanced:
            kernel = kernel[:4] + [0] + [-w for w in kernel[:4]]
            net.random.shuffle(kernel)
        values += kernel
    return values


def conv(net, current, outputs, inputs, pad, quantised, scale):
    """quantised: weights and biases are stored as whole numbers; `scale` is that of the activations."""
    first = inputs == 1
    whole, unit = weights(net, outputs, inputs, first), 1 / (60 * (3 if first else 2.5 * inputs ** 0.5))
    attributes = {"kernel_shape": [3, 3], "pads": [pad] * 4, "strides": [1, 1]}
    dims, bias = [outputs, inputs, 3, 3], [net.random.randint(-40, 200) for _ in range(outputs)]
    if not quantised:
        kernel = net.constant(FLOAT, dims, [w * unit for w in whole])
        return net.node("Conv", [current, kernel, net.constant(FLOAT, [outputs], [b * 1e-3 for b in bias])], **attributes)
    scales = [unit * (1 + 0.01 * (o % 5)) for o in range(outputs)]
    kernel = net.node("DequantizeLinear", [net.constant(INT8, dims, whole), net.constant(FLOAT, [outputs], scales),
                                           net.constant(INT8, [outputs], [0] * outputs)], axis=0)
    steps = [scale * s for s in scales]
    whole_bias = [round(b * 1e-3 / s) for b, s in zip(bias, steps)]
    bias = net.node("DequantizeLinear", [net.constant(INT32, [outputs], whole_bias), net.constant(FLOAT, [outputs], steps),
                                         net.constant(INT32, [outputs], [0] * outputs)], axis=0)
    return net.node("Conv", [current, kernel, bias], **attributes)


def fake_quantise(net, current, scale):
    pair = [net.constant(FLOAT, [], [scale]), net.constant(UINT8, [], [0])]
    return net.node("DequantizeLinear", [net.node("QuantizeLinear", [current, *pair])] + pair)


def make(path, channels, inner, quantised, bare, seed=1):
    """`inner` convolutions of channels -> channels between the first and the last; all are 3x3."""
    net, step, pad = Net(seed), 1 / 100, 1 if bare else 0
    current = "luma"
    if bare and quantised:
        current = fake_quantise(net, current, 1 / 255)
    if not bare:
        pads = [0, 0, inner + 2, inner + 2]
        current = net.node("Pad", [current, net.constant(INT64, [8], pads + pads)], mode="edge")
    for i in range(inner + 2):
        last, first = i == inner + 1, i == 0
        whole = quantised and (bare or not first)
        current = conv(net, current, 4 if last else channels, 1 if first else channels, pad, whole,
                       1 / 255 if first else step)
        if not last:
            current = net.node("Relu", [current])
            current = fake_quantise(net, current, step) if quantised else current
    if not bare:
        current = net.node("DepthToSpace", [current], blocksize=2, mode="CRD")
        scales = net.constant(FLOAT, [4], [1, 1, 2, 2])
        base = net.node("Resize", ["luma", "", scales], mode="cubic", cubic_coeff_a=-0.5,
                        coordinate_transformation_mode="half_pixel", exclude_outside=0)
        current = net.node("Add", [current, base])
    net.save(path, f"{channels} channels, {inner} inner layers", "luma", current, 4 if bare else 1)


def macs(channels, inner):
    return 9 * channels * (1 + channels * inner + 4)
