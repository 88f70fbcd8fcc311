# SPDX-License-Identifier: LGPL-2.1-or-later
"""Short clips with motion, cut from photographs.

A scene is one photograph seen through a moving window: a pan, most with a slow
zoom, some with a turn, so that an encoder makes real P and B frames of it.
The window is about twice the frame in each direction and comes down by an
antialiased bicubic (a = -0.5, as imaging.halve), so a frame is as sharp as the
pictures the x2 networks see; in one scene of five it is as large as the frame
and moves by whole pixels, which shows what full-size photographs look like.
"""
import numpy as np
from PIL import Image

WIDTH, HEIGHT = 384, 288
FULL_SIZE = 0.2
STILL, TURNING = 0.12, 0.15


def reach(luma, rng):
    """How many source pixels one pixel of the frame takes."""
    room = min(luma.shape[1] / WIDTH, luma.shape[0] / HEIGHT)
    if room < 1.15 or rng.random() < FULL_SIZE:
        return 1.0
    return float(min(rng.choice([2.0, 2.0, 1.6, 2.3, 3.0]), room * 0.94))


def whole_pixels(luma, count, rng):
    height, width = luma.shape
    step = rng.integers(-4, 5, 2)
    y = int(rng.integers(0, height - HEIGHT + 1))
    x = int(rng.integers(0, width - WIDTH + 1))
    frames = []
    for i in range(count):
        top = int(np.clip(y + i * step[0], 0, height - HEIGHT))
        left = int(np.clip(x + i * step[1], 0, width - WIDTH))
        frames.append(luma[top:top + HEIGHT, left:left + WIDTH])
    return np.stack(frames)


def moving(luma, scale, count, rng):
    height, width = luma.shape
    image = Image.fromarray(luma)
    still = rng.random() < STILL
    zoom = 1 + (0 if still else rng.normal() * 0.006)
    turn = rng.normal() * 0.4 if not still and rng.random() < TURNING else 0.0
    step = np.zeros(2) if still else rng.normal(0, 2.5, 2) * scale
    size = np.array([WIDTH, HEIGHT]) * scale
    corner = rng.random(2) * (np.array([width, height]) - size)
    frames = []
    for i in range(count):
        extent = np.minimum(size * zoom**i, [width, height])
        if scale == 2.0 and zoom == 1:
            extent = size
        at = np.clip(corner + i * step + (size - extent) / 2, 0, np.array([width, height]) - extent)
        box = (at[0], at[1], at[0] + extent[0], at[1] + extent[1])
        turned = image.rotate(turn * i, Image.BICUBIC, center=tuple(at + extent / 2)) if turn and i else image
        frames.append(np.asarray(turned.resize((WIDTH, HEIGHT), Image.BICUBIC, box=tuple(float(v) for v in box))))
    return np.stack(frames)


def scene(luma, count, rng):
    """One photograph's luma -> [count,HEIGHT,WIDTH] u8, or None if it is too small."""
    if luma.shape[0] < HEIGHT or luma.shape[1] < WIDTH:
        return None
    scale = reach(luma, rng)
    return whole_pixels(luma, count, rng) if scale == 1.0 else moving(luma, scale, count, rng)


def noisy(frames, sigma, rng):
    """Sensor noise: grows a little with the light, each frame its own, half of it two pixels wide in some scenes."""
    light = 0.6 + 0.8 * np.sqrt(frames / 255.0)
    grain = rng.standard_normal(frames.shape).astype(np.float32)
    if rng.random() < 0.4:
        grain = (grain + np.roll(grain, 1, 2) + np.roll(grain, 1, 1) + np.roll(grain, (1, 1), (1, 2))) / 2
    return np.clip(np.rint(frames + sigma * light * grain), 0, 255).astype(np.uint8)
