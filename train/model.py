# SPDX-License-Identifier: LGPL-2.1-or-later
"""Networks in PyTorch, over-parameterised for training, plain for export.

`Block` is SESR's collapsible linear block (arXiv 2103.09404): a 3x3
convolution to `wide` channels, a 1x1 back, and an identity where the channel
counts allow.  Nothing non-linear stands between them, so the three are one 3x3
convolution; its kernel is worked out again at every step and only that small
convolution runs, in training as in export.  Gradients flow through the product
of the factors, which is what makes the small network train better.

`Fast`: 1->16, four 16->16 with ReLU after each but the last convolution,
16->4, pixel shuffle x2, plus the bicubic base of imaging.double_base: 9,936
multiply-adds for each input pixel.  Zero padding inside, replicated borders in
the base, exactly as the ONNX graph says.
"""
import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import imaging


class Block(nn.Module):
    def __init__(self, inputs, outputs, wide):
        super().__init__()
        self.expand = nn.Parameter(torch.empty(wide, inputs, 3, 3))
        self.project = nn.Parameter(torch.empty(outputs, wide))
        self.bias = nn.Parameter(torch.zeros(outputs))
        nn.init.normal_(self.expand, std=math.sqrt(2.0 / (9 * inputs)) / math.sqrt(2))
        nn.init.normal_(self.project, std=math.sqrt(1.0 / wide))
        identity = torch.zeros(outputs, inputs, 3, 3)
        if inputs == outputs:
            identity[range(outputs), range(inputs), 1, 1] = 1.0
        self.register_buffer("identity", identity)

    def kernel(self):
        return torch.einsum("ow,wiyx->oiyx", self.project, self.expand) + self.identity

    def forward(self, x):
        # channels last: half again as fast on a CPU
        kernel = self.kernel().contiguous(memory_format=torch.channels_last)
        return F.conv2d(x, kernel, self.bias, padding=1)


def base_kernel():
    """[4,1,5,5]: the four phases of bicubic x2, for a pixel shuffle."""
    taps = np.arange(-2, 3)
    phases = [imaging.cubic(taps - offset) for offset in (-0.25, 0.25)]
    return torch.tensor(np.stack([np.outer(v, h) for v in phases for h in phases])[:, None], dtype=torch.float32)


class Fast(nn.Module):
    name, scale = "fast", 2

    def __init__(self, wide=256, width=16, depth=4):
        super().__init__()
        sizes = [1] + [width] * (depth + 1) + [4]
        self.blocks = nn.ModuleList(Block(i, o, wide) for i, o in zip(sizes, sizes[1:]))
        self.register_buffer("base", base_kernel(), persistent=False)

    def enlarge(self, x):
        return F.pixel_shuffle(F.conv2d(F.pad(x, (2, 2, 2, 2), mode="replicate"), self.base), 2)

    def features(self, x):
        """Every convolution's output, before the ReLU that follows it."""
        found = []
        x = x.contiguous(memory_format=torch.channels_last)
        for block in self.blocks:
            x = block(F.relu(x) if found else x)
            found.append(x)
        return found

    def forward(self, x):
        return F.pixel_shuffle(self.features(x)[-1], 2) + self.enlarge(x)

    def layers(self):
        """The plain convolutions: [(kernel, bias)], as numpy float32."""
        with torch.no_grad():
            return [(b.kernel().contiguous().numpy().copy(), b.bias.numpy().copy()) for b in self.blocks]

    def cost(self):
        return sum(k.size for k, _ in self.layers())


ARCHITECTURES = {"fast": Fast}


def load(path):
    """Checkpoint -> network ready to evaluate."""
    state = torch.load(path, map_location="cpu")
    net = ARCHITECTURES[state["arch"]](wide=state["wide"])
    net.load_state_dict(state["net"])
    return net.eval(), state
