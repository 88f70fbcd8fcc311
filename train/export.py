# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checkpoint of train.py -> ONNX file, checked before it takes its name.

The graph is Conv, Relu, ..., Conv, DepthToSpace (CRD), Add with Resize of the
input, nothing else, opset 13.  Weights are the collapsed kernels in float32.
The file is built without timestamps: same checkpoint, same bytes.
"""
import argparse
import os

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

import graph
import model


def nodes_of(layers):
    nodes, constants, current = [], [], "luma"
    for i, (kernel, bias) in enumerate(layers):
        constants += [numpy_helper.from_array(kernel, f"conv{i}.weight"),
                      numpy_helper.from_array(bias, f"conv{i}.bias")]
        nodes.append(helper.make_node("Conv", [current, f"conv{i}.weight", f"conv{i}.bias"], [f"conv{i}.out"],
                                      name=f"conv{i}", kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[1, 1]))
        current = f"conv{i}.out"
        if i + 1 < len(layers):
            nodes.append(helper.make_node("Relu", [current], [f"relu{i}.out"], name=f"relu{i}"))
            current = f"relu{i}.out"
    constants.append(numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "scales"))
    nodes += [
        helper.make_node("DepthToSpace", [current], ["residual"], name="shuffle", blocksize=2, mode="CRD"),
        helper.make_node("Resize", ["luma", "", "scales"], ["base"], name="base", mode="cubic", cubic_coeff_a=-0.5,
                         coordinate_transformation_mode="half_pixel", exclude_outside=0),
        helper.make_node("Add", ["residual", "base"], ["enlarged"], name="sum"),
    ]
    return nodes, constants


def build(net):
    nodes, constants = nodes_of(net.layers())
    source = helper.make_tensor_value_info("luma", TensorProto.FLOAT, ["N", 1, "H", "W"])
    result = helper.make_tensor_value_info("enlarged", TensorProto.FLOAT, ["N", 1, "H2", "W2"])
    made = helper.make_model(helper.make_graph(nodes, net.name, [source], [result], constants),
                             opset_imports=[helper.make_opsetid("", 13)], producer_name="spyhop", ir_version=7,
                             doc_string="Luma super-resolution, x2: bicubic plus a learnt residual.")
    helper.set_model_props(made, {
        "name": net.name,
        "scale": "2",
        "colour": "luma",
        "range": "0..1",
        "normalise": "code value / greatest code value; limited range (16..235) stays as it is",
        "base": "bicubic a=-0.5, half-pixel centres, replicated borders",
        "licence": "CC-BY-SA-4.0",
    })
    return made


def check(path, net):
    onnx.checker.check_model(onnx.load(path), full_check=True)
    x = np.random.default_rng(7).random((2, 1, 37, 50), dtype=np.float32)
    x[:, :, 10:20] = np.round(x[:, :, 10:20])
    with torch.no_grad():
        wanted = net(torch.from_numpy(x)).numpy()
    error = float(np.abs(graph.Graph(path).run(x) - wanted).max())
    if not error < 2e-5:
        raise SystemExit(f"export: {path}: differs from PyTorch by {error:.3g}: not written")
    return error


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint")
    parser.add_argument("onnx")
    args = parser.parse_args()
    net, _ = model.load(args.checkpoint)
    part = args.onnx + ".part"
    onnx.save(build(net), part)
    try:
        error = check(part, net)
        os.replace(part, args.onnx)
    finally:
        if os.path.exists(part):
            os.remove(part)
    print(f"export: {args.onnx}: {net.cost()} multiply-adds an input pixel, "
          f"{os.path.getsize(args.onnx)} bytes, within {error:.2g} of PyTorch")


if __name__ == "__main__":
    main()
