# SPDX-License-Identifier: LGPL-2.1-or-later
"""core.c against PyTorch's autograd: every width, output count, loss and the rounding; exits 1 on a difference."""
import sys

import numpy as np
import torch
import torch.nn.functional as F

import core


class Round(torch.autograd.Function):
    """u8 rounding with LSQ's gradients: the same definition as relu_back in core.c."""

    @staticmethod
    def forward(ctx, x, scale):
        ctx.save_for_backward(x, scale)
        return torch.clamp(torch.round(x / scale), 0, 255) * scale

    @staticmethod
    def backward(ctx, grad):
        x, scale = ctx.saved_tensors
        inside = (x > 0) & (x < 255.5 * scale)
        by = torch.where(inside, torch.round(x / scale) - x / scale, torch.where(x > 0, 255.0, 0.0))
        return grad * inside, (grad * by).sum()


def reference(net, params, x, target, loss, scales):
    leaves = [(torch.tensor(k, requires_grad=True), torch.tensor(b, requires_grad=True))
              for k, b in net.layers(params)]
    steps = None if scales is None else torch.tensor(scales, requires_grad=True)
    y = torch.tensor(x)[:, None]
    for i, (kernel, bias) in enumerate(leaves):
        y = F.conv2d(y, kernel, bias)
        if i + 1 < len(leaves):
            y = F.relu(y) if steps is None else Round.apply(y, steps[i])
    miss = y.permute(0, 2, 3, 1) - torch.tensor(target)
    if loss == "log":
        value = torch.log((miss**2).mean((1, 2, 3)) + 1e-6).mean()
    else:
        value = (miss**2).mean() if loss == "l2" else torch.sqrt(miss**2 + 1e-6).mean()
    value.backward()
    grad = np.concatenate([np.concatenate([k.grad.permute(2, 3, 1, 0).reshape(-1), b.grad]) for k, b in leaves])
    return float(value.detach()), grad, None if steps is None else steps.grad.numpy()


def compare(channels, inner, outs, loss, rounded, threads, half=False):
    rng = np.random.default_rng(channels + outs)
    net = core.Net(channels, inner, outs, threads, half)
    params = net.init(rng)
    params += rng.normal(0, 0.02, params.shape).astype(np.float32)
    height, width = 2 * net.convs + 27, 2 * net.convs + 37
    x = rng.random((3, height, width), dtype=np.float32)
    target = rng.normal(0, 0.1, (3, 27, 37, outs)).astype(np.float32)
    scales = np.linspace(0.004, 0.002, inner + 1).astype(np.float32) if rounded else None
    value, _, grad, gscale = net.batch(params, x, target, loss, scales)
    wanted, wanted_grad, wanted_scale = reference(net, params, x, target, loss, scales)
    # a sum that lies between two codes may round to either: looser there
    bound = 2e-2 if rounded or half else 1e-4
    errors = [abs((value - wanted) / wanted), np.abs(grad - wanted_grad).max() / np.abs(wanted_grad).max()]
    if rounded:
        errors.append(np.abs(gscale - wanted_scale).max() / np.abs(wanted_scale).max())
    good = max(errors) < bound
    print(f"{channels} channels, {inner} inner, {outs} outs, {loss}{', u8' if rounded else ''}{', bfloat16' if half else ''}: "
          f"{' '.join(f'{e:.2g}' for e in errors)} {'ok' if good else 'DIFFERS'}")
    return good


def main():
    cases = [(c, i, o, loss, r, t) for c, i, o in ((16, 0, 4), (16, 2, 1), (16, 2, 4), (16, 1, 9), (16, 2, 16),
                                                   (32, 2, 4), (32, 1, 1), (48, 2, 4), (48, 1, 1), (12, 2, 4), (12, 1, 1))
             for loss, r, t in (("l2", False, 1), ("l1", False, 2), ("log", False, 1), ("l2", True, 1))]
    good = [compare(*case) for case in cases]
    if core.HALF:
        good += [compare(*case[:4], False, 1, True) for case in cases if not case[4]]
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
