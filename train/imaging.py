# SPDX-License-Identifier: LGPL-2.1-or-later
"""Luma, resizing and measures, as the super-resolution literature computes them.

Everything here works on one plane of luma code values.  `luma_of` is MATLAB's
rgb2ycbcr (BT.601, 16..235), rounded to u8; a grey picture is measured the same,
whether its file has one component or three.
`halve` and `shrink` are MATLAB's imresize: bicubic with a = -0.5, the kernel
widened by the factor (antialiasing), symmetric borders, computed in double,
rounded half up to u8.  `enlarge_base` is the enlargement every network of ours
adds its residual to: bicubic a = -0.5, half-pixel centres, borders replicated,
which is ONNX's Resize (mode cubic, cubic_coeff_a -0.5, half_pixel).  The network sees
a picture continued as its mirror image, the border sample included (`surround`); for
the base that would differ in the outermost sample only, by 2% of a difference.
"""
import numpy as np
from PIL import Image

CUBIC_A = -0.5


def cubic(x, a=CUBIC_A):
    x = np.abs(np.asarray(x, np.float64))
    near = (a + 2) * x**3 - (a + 3) * x**2 + 1
    far = a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))


def to_u8(x):
    return np.clip(np.floor(np.asarray(x, np.float64) + 0.5), 0, 255).astype(np.uint8)


def luma_of(image):
    """PIL image -> u8 luma plane."""
    rgb = np.asarray(image.convert("RGB"), np.float64)
    return to_u8(16 + rgb @ (np.array([65.481, 128.553, 24.966]) / 255))


def read_luma(path):
    with Image.open(path) as image:
        return luma_of(image)


def _shrink_rows(x, factor):
    """Antialiased bicubic reduction of the first axis by a whole factor."""
    rows = x.shape[0] // factor
    centre = (factor - 1) / 2
    reach = 2 * factor
    first, last = int(np.ceil(centre - reach)), int(np.floor(centre + reach))
    taps = np.arange(first, last + 1)
    weights = cubic((taps - centre) / factor)
    taps, weights = taps[weights != 0], weights[weights != 0]
    weights = weights / weights.sum()
    padded = np.pad(x, ((reach, reach + factor), (0, 0)), mode="symmetric")
    out = np.zeros((rows, x.shape[1]))
    for tap, weight in zip(taps, weights):
        start = reach + tap
        out += weight * padded[start:start + rows * factor:factor]
    return out


def shrink(plane, factor):
    """u8 plane -> u8 plane, 1/factor the size, as imresize(plane, 1/factor)."""
    if factor == 1:
        return plane
    height, width = (n // factor * factor for n in plane.shape)
    x = plane[:height, :width].astype(np.float64)
    return to_u8(_shrink_rows(_shrink_rows(x, factor).T, factor).T)


def halve(plane):
    return shrink(plane, 2)


def whole(plane, scale):
    """Crop to sides that are whole multiples of the scale, as every benchmark does."""
    return plane[:plane.shape[0] // scale * scale, :plane.shape[1] // scale * scale]


def phases(scale, kernel, reach):
    """[scale, 2 reach + 1]: the weights of each output phase, half-pixel centres."""
    offsets = (np.arange(scale) + 0.5) / scale - 0.5
    weights = kernel(np.arange(-reach, reach + 1) - offsets[:, None])
    return weights / weights.sum(1, keepdims=True)


def enlarge_rows(x, scale, kernel, reach, edge="edge"):
    """Enlargement of the first axis by a whole factor."""
    padded = np.pad(x, ((reach, reach), (0, 0)), mode=edge)
    out = np.empty((scale * x.shape[0], x.shape[1]))
    for phase, weights in enumerate(phases(scale, kernel, reach)):
        out[phase::scale] = sum(w * padded[t:t + x.shape[0]] for t, w in enumerate(weights))
    return out


def surround(plane, n):
    """The plane and n samples around it, mirrored as often as it takes."""
    return np.pad(plane, n, mode="symmetric")


def enlarge_base(x, scale=2):
    """Float plane -> float plane, the base of the residual."""
    x = np.asarray(x, np.float64)
    if scale == 1:
        return x
    return enlarge_rows(enlarge_rows(x, scale, cubic, 2).T, scale, cubic, 2).T


def shuffle(out, scale):
    """The pixel shuffle: [H,W,scale^2] -> [scale H, scale W]."""
    height, width = out.shape[:2]
    return out.reshape(height, width, scale, scale).transpose(0, 2, 1, 3).reshape(scale * height, scale * width)


def lanczos3(x):
    x = np.asarray(x, np.float64)
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0.0)


def enlarge_lanczos(x, scale=2):
    x = np.asarray(x, np.float64)
    return enlarge_rows(enlarge_rows(x, scale, lanczos3, 3).T, scale, lanczos3, 3).T


def psnr(a, b, border=2):
    """PSNR of two u8 planes, `border` pixels cut on each side."""
    a, b = (p[border:-border, border:-border].astype(np.float64) for p in (a, b))
    mse = np.mean((a - b)**2)
    return float("inf") if mse == 0 else 10 * np.log10(255.0**2 / mse)


def _blur(x):
    """11x11 Gaussian, sigma 1.5, valid region only."""
    taps = np.exp(-((np.arange(11) - 5.0)**2) / (2 * 1.5**2))
    taps /= taps.sum()
    rows = x.shape[0] - 10
    x = sum(w * x[i:i + rows] for i, w in enumerate(taps))
    cols = x.shape[1] - 10
    return sum(w * x[:, i:i + cols] for i, w in enumerate(taps))


def ssim(a, b, border=2):
    """Mean SSIM of two u8 planes (K1 0.01, K2 0.03, L 255), border cut first."""
    a, b = (p[border:-border, border:-border].astype(np.float64) for p in (a, b))
    c1, c2 = (0.01 * 255)**2, (0.03 * 255)**2
    ma, mb = _blur(a), _blur(b)
    va, vb, cov = _blur(a * a) - ma * ma, _blur(b * b) - mb * mb, _blur(a * b) - ma * mb
    value = ((2 * ma * mb + c1) * (2 * cov + c2)) / ((ma * ma + mb * mb + c1) * (va + vb + c2))
    return float(value.mean())
