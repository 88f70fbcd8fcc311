#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""make_networks.py FOLDER: writes small networks in the shapes that other projects use, with random weights, as ONNX
files by PyTorch's own exporter (python3-torch). The layers are written down here from the papers that describe them:

  espcn      Shi et al. 2016: convolutions with tanh, sub-pixel shuffle
  fsrcnn     Dong et al. 2016: shrink, map, expand with PReLU, transposed convolution of 9 x 9
  srvgg      the compact video network of Real-ESRGAN: PReLU, shuffle, plus the input repeated
  span       Wan et al. 2024: SiLU, attention without parameters, features joined
  edsr       Lim et al. 2017: residual blocks with scaling, mean shift, x4 by two shuffles
  imdn       Hui et al. 2019: channels split off and joined again
  mobile     separable: depthwise and 1 x 1 convolutions, hard swish, bilinear base
  mirror     reflection padding before each convolution
  quantised  a convolution network with QuantizeLinear and DequantizeLinear, edges replicated once
  quantised_mirrored  what ../../../train/export.py makes: twelve channels, the picture's mirror image around it
  sizes      sizes computed from the input's, rows and columns cut, transposed convolutions of other kinds
  attention  Zhang et al. 2018: channel attention over the whole picture, which no tile can know

Only those named further on the command line, or all. Weights come from fixed seeds: the same files each time."""
import os
import sys

import torch
from torch import nn
from torch.nn import functional as F

OPSET = 13


class Espcn(nn.Module):
    def __init__(self, channels, scale):
        super().__init__()
        self.a = nn.Conv2d(channels, 16, 5, padding=2)
        self.b = nn.Conv2d(16, 8, 3, padding=1)
        self.c = nn.Conv2d(8, channels * scale * scale, 3, padding=1)
        self.shuffle = nn.PixelShuffle(scale)

    def forward(self, x):
        return self.shuffle(self.c(torch.tanh(self.b(torch.tanh(self.a(x))))))


class Fsrcnn(nn.Module):
    def __init__(self, channels, scale, wide=20, narrow=6, maps=3):
        super().__init__()
        layers = [nn.Conv2d(channels, wide, 5, padding=2), nn.PReLU(wide), nn.Conv2d(wide, narrow, 1),
                  nn.PReLU(narrow)]
        for _ in range(maps):
            layers += [nn.Conv2d(narrow, narrow, 3, padding=1), nn.PReLU(narrow)]
        layers += [nn.Conv2d(narrow, wide, 1), nn.PReLU(wide),
                   nn.ConvTranspose2d(wide, channels, 9, stride=scale, padding=4, output_padding=scale - 1)]
        self.layers = nn.Sequential(*layers)

    def forward(self, x):
        return self.layers(x)


class Srvgg(nn.Module):
    def __init__(self, channels, scale, wide=12, depth=3):
        super().__init__()
        layers = [nn.Conv2d(channels, wide, 3, 1, 1), nn.PReLU(wide)]
        for _ in range(depth):
            layers += [nn.Conv2d(wide, wide, 3, 1, 1), nn.PReLU(wide)]
        layers += [nn.Conv2d(wide, channels * scale * scale, 3, 1, 1), nn.PixelShuffle(scale)]
        self.layers = nn.Sequential(*layers)
        self.scale = scale

    def forward(self, x):
        return self.layers(x) + F.interpolate(x, scale_factor=self.scale, mode='nearest')


class SpanBlock(nn.Module):
    def __init__(self, wide):
        super().__init__()
        self.a, self.b, self.c = (nn.Conv2d(wide, wide, 3, padding=1) for _ in range(3))

    def forward(self, x):
        first = self.a(x)
        out = self.c(F.silu(self.b(F.silu(first))))
        return (out + x) * (torch.sigmoid(out) - 0.5), first


class Span(nn.Module):
    def __init__(self, channels, scale, wide=8, blocks=3):
        super().__init__()
        self.mean = torch.tensor([0.4488, 0.4371, 0.4040][:channels]).view(1, channels, 1, 1)
        self.head = nn.Conv2d(channels, wide, 3, padding=1)
        self.blocks = nn.ModuleList(SpanBlock(wide) for _ in range(blocks))
        self.tail = nn.Conv2d(wide, wide, 3, padding=1)
        self.join = nn.Conv2d(4 * wide, wide, 1)
        self.up = nn.Sequential(nn.Conv2d(wide, channels * scale * scale, 3, padding=1), nn.PixelShuffle(scale))

    def forward(self, x):
        start = out = self.head((x - self.mean) * 2.0)
        features = []
        for block in self.blocks:
            out, first = block(out)
            features.append((out, first))
        joined = torch.cat([start, self.tail(out), features[0][0], features[-1][1]], 1)
        return self.up(self.join(joined))


class Edsr(nn.Module):
    def __init__(self, channels, scale, wide=8, blocks=2):
        super().__init__()
        conv = lambda a, b: nn.Conv2d(a, b, 3, padding=1)
        self.shift = nn.Conv2d(channels, channels, 1)
        self.head = conv(channels, wide)
        self.blocks = nn.ModuleList(nn.Sequential(conv(wide, wide), nn.ReLU(True), conv(wide, wide))
                                    for _ in range(blocks))
        self.end = conv(wide, wide)
        up = []
        for factor in ([scale] if scale != 4 else [2, 2]):
            up += [conv(wide, wide * factor * factor), nn.PixelShuffle(factor)]
        self.up = nn.Sequential(*up, conv(wide, channels))

    def forward(self, x):
        start = out = self.head(self.shift(x))
        for block in self.blocks:
            out = out + block(out) * 0.1
        return self.up(self.end(out) + start)


class Imdn(nn.Module):
    def __init__(self, channels, scale, wide=12):
        super().__init__()
        self.kept = wide // 4
        self.head = nn.Conv2d(channels, wide, 3, padding=1)
        self.a = nn.Conv2d(wide, wide, 3, padding=1)
        self.b = nn.Conv2d(wide - self.kept, wide, 3, padding=1)
        self.c = nn.Conv2d(wide - self.kept, self.kept, 3, padding=1)
        self.join = nn.Conv2d(3 * self.kept, wide, 1)
        self.up = nn.Sequential(nn.Conv2d(wide, channels * scale * scale, 3, padding=1), nn.PixelShuffle(scale))

    def forward(self, x):
        start = self.head(x)
        parts = [self.kept, self.a.out_channels - self.kept]
        one, rest = torch.split(F.leaky_relu(self.a(start), 0.05), parts, dim=1)
        out = F.leaky_relu(self.b(rest), 0.05)
        two, rest = out[:, :self.kept], out[:, self.kept:]
        return self.up(self.join(torch.cat([one, two, self.c(rest)], 1)) + start)


class Mobile(nn.Module):
    def __init__(self, channels, scale, wide=12, depth=2):
        super().__init__()
        layers = [nn.Conv2d(channels, wide, 3, padding=1)]
        for i in range(depth):
            layers += [nn.Conv2d(wide, wide, 5 if i else 3, padding=2 if i else 1, groups=wide), nn.Hardswish(),
                       nn.Conv2d(wide, wide, 1), nn.ReLU6()]
        layers += [nn.Conv2d(wide, wide, 3, padding=1, groups=3), nn.BatchNorm2d(wide),
                   nn.Conv2d(wide, channels * scale * scale, 1), nn.PixelShuffle(scale)]
        self.layers = nn.Sequential(*layers)
        self.scale = scale

    def forward(self, x):
        base = F.interpolate(x, scale_factor=self.scale, mode='bilinear', align_corners=False)
        return torch.clamp(self.layers(x) + base, 0, 1)


class Mirror(nn.Module):
    def __init__(self, channels, scale, wide=8):
        super().__init__()
        self.layers = nn.Sequential(nn.ReflectionPad2d(2), nn.Conv2d(channels, wide, 5), nn.ReLU(),
                                    nn.ReflectionPad2d(1), nn.Conv2d(wide, wide, 3), nn.ReLU(),
                                    nn.ReplicationPad2d(1), nn.Conv2d(wide, channels * scale * scale, 3))
        self.scale = scale

    def forward(self, x):
        base = F.interpolate(x, scale_factor=self.scale, mode='bicubic', align_corners=False)
        return F.pixel_shuffle(self.layers(x), self.scale) + base


class Quantised(nn.Module):
    def __init__(self, channels, scale, wide=8, depth=3):
        super().__init__()
        self.pad = nn.ReplicationPad2d(depth + 2)
        self.head = nn.Conv2d(channels, wide, 3)
        self.body = nn.ModuleList(nn.Conv2d(wide, wide, 3) for _ in range(depth))
        self.last = nn.Conv2d(wide, channels * scale * scale, 3)
        self.scale = scale
        for conv in [*self.body, self.last]:
            conv.register_buffer('steps', conv.weight.detach().abs().amax((1, 2, 3)) / 127)
            conv.register_buffer('zeros', torch.zeros(conv.out_channels, dtype=torch.int32))

    @staticmethod
    def weights(conv):
        return torch.fake_quantize_per_channel_affine(conv.weight, conv.steps, conv.zeros, 0, -128, 127)

    def forward(self, x):
        out = self.pad(x)
        for i, conv in enumerate([self.head, *self.body]):
            out = torch.relu(F.conv2d(out, self.weights(conv) if i else conv.weight, conv.bias))
            out = torch.fake_quantize_per_tensor_affine(out, 1 / 200, 0 if i else 3, 0, 255)
        out = F.pixel_shuffle(F.conv2d(out, self.weights(self.last), self.last.bias), self.scale)
        return out + F.interpolate(x, scale_factor=self.scale, mode='bicubic', align_corners=False)


class Sizes(nn.Module):
    def __init__(self, channels, scale, wide=6):
        super().__init__()
        self.a = nn.Sequential(nn.ConstantPad2d(3, 0.25), nn.Conv2d(channels, wide, 3), nn.Sigmoid())
        self.b = nn.ConvTranspose2d(wide, channels, 4, stride=2, padding=1, groups=1)
        self.c = nn.ConvTranspose2d(wide, wide, 3, stride=1, padding=1, groups=wide)
        self.scale = scale

    def forward(self, x):
        out = self.a(x)[:, :, 2:-2, 2:-2]
        base = F.interpolate(x, size=(x.shape[2] * self.scale, x.shape[3] * self.scale), mode='bicubic',
                             align_corners=False)
        return 1 - (self.b(self.c(out) / 3.0) - base)


class Attention(nn.Module):
    def __init__(self, channels, scale, wide=8):
        super().__init__()
        self.head = nn.Conv2d(channels, wide, 3, padding=1)
        self.weigh = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(wide, 2, 1), nn.ReLU(), nn.Conv2d(2, wide, 1),
                                   nn.Sigmoid())
        self.up = nn.Sequential(nn.Conv2d(wide, channels * scale * scale, 3, padding=1), nn.PixelShuffle(scale))

    def forward(self, x):
        x = self.head(x)
        return self.up(x * self.weigh(x))


NETWORKS = {
    'espcn_1x3': lambda: Espcn(1, 3),
    'fsrcnn_1x2': lambda: Fsrcnn(1, 2),
    'fsrcnn_1x3': lambda: Fsrcnn(1, 3),
    'fsrcnn_1x4': lambda: Fsrcnn(1, 4),
    'srvgg_3x4': lambda: Srvgg(3, 4),
    'srvgg_1x2': lambda: Srvgg(1, 2),
    'span_3x2': lambda: Span(3, 2),
    'span_3x4': lambda: Span(3, 4),
    'edsr_3x4': lambda: Edsr(3, 4),
    'edsr_1x3': lambda: Edsr(1, 3),
    'imdn_3x2': lambda: Imdn(3, 2),
    'mobile_1x2': lambda: Mobile(1, 2),
    'mirror_1x2': lambda: Mirror(1, 2),
    'sizes_1x2': lambda: Sizes(1, 2),
    'quantised_1x2': lambda: Quantised(1, 2),
    'attention_1x2': lambda: Attention(1, 2),
    'attention_3x2': lambda: Attention(3, 2),
}


def quieten(network):
    """Random weights, such that pictures come out within their range, and norms are no identity."""
    for module in network.modules():
        if isinstance(module, nn.PReLU):
            nn.init.uniform_(module.weight, 0.05, 0.4)
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.2, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 2)
    last = [m for m in network.modules() if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d))][-1]
    nn.init.constant_(last.bias, 0.4)


def write_mirrored(path):
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', '..', 'train'))
    import export
    import model
    import numpy
    arch = model.Arch('quantised_mirrored', 12, 2, 2)
    net = arch.net()
    params = net.init(numpy.random.default_rng(5))
    net.views(params)[-1][0][:] *= 2
    scales = numpy.full(3, 1 / 255, numpy.float32)
    export.write(path, arch, params, scales)


def main():
    folder, only = sys.argv[1], sys.argv[2:]
    for seed, (name, make) in enumerate(NETWORKS.items()):
        if only and name not in only:
            continue
        torch.manual_seed(seed + 1)
        network = make().eval()
        quieten(network)
        channels = int(name.split('_')[1].split('x')[0])
        path = os.path.join(folder, name + '.onnx')
        torch.onnx.export(network, torch.rand(1, channels, 24, 28), path, opset_version=OPSET,
                          input_names=['input'], output_names=['output'],
                          dynamic_axes={'input': {2: 'height', 3: 'width'}, 'output': {2: 'h', 3: 'w'}})
        print(path, os.path.getsize(path))
    if not only or 'quantised_mirrored_1x2' in only:
        write_mirrored(os.path.join(folder, 'quantised_mirrored_1x2.onnx'))


if __name__ == '__main__':
    main()
