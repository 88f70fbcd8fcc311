# SPDX-License-Identifier: LGPL-2.1-or-later
"""Pictures of text and drawings, made here: what screens and slides show and photographs lack.

A page has a plain or graded ground and, at random, lines of text in the DejaVu faces, a table, a chart of
lines and filled shapes, stripes.  It is drawn large and reduced, or as it is: both occur.  Grey levels are luma,
16..235.  Same seed and fonts: same pages.
"""
import glob
import sys

import numpy as np
from PIL import Image, ImageDraw, ImageFont

FONTS = "/usr/share/fonts/truetype/dejavu/*.ttf"
LETTERS = "eeeetttaaaooiinnsshhrrddlluucmwfgypbvkxqjz"
SIZE = (640, 480)


class Page:
    def __init__(self, rng, fonts, zoom):
        self.rng, self.fonts, self.zoom = rng, fonts, zoom
        self.width, self.height = SIZE[0] * zoom, SIZE[1] * zoom
        self.ground = int(rng.integers(16, 236))
        self.image = Image.new("L", (self.width, self.height), self.ground)
        if rng.random() < 0.3:
            ramp = np.linspace(self.ground, rng.integers(16, 236), self.height)[:, None]
            self.image = Image.fromarray(np.broadcast_to(ramp, (self.height, self.width)).astype(np.uint8))
        self.draw = ImageDraw.Draw(self.image)

    def ink(self):
        """A level well apart from the ground."""
        return int((self.ground + self.rng.integers(70, 150) - 16) % 220 + 16)

    def at(self):
        return int(self.rng.integers(self.width)), int(self.rng.integers(self.height))

    def words(self, count):
        rng = self.rng
        made = ["".join(rng.choice(list(LETTERS), rng.integers(1, 10))) for _ in range(count)]
        return " ".join(w.capitalize() if rng.random() < 0.15 else w.upper() if rng.random() < 0.05 else
                        str(rng.integers(1000)) if rng.random() < 0.06 else w for w in made)

    def text(self):
        rng = self.rng
        size = int(rng.choice([9, 10, 11, 12, 13, 14, 16, 18, 22, 28, 40, 64]) * self.zoom)
        font, ink = ImageFont.truetype(str(rng.choice(self.fonts)), size), self.ink()
        x, y = self.at()
        x //= 2
        for line in range(int(rng.integers(2, 14))):
            self.draw.text((x, y // 2 + int(line * size * 1.3)), self.words(int(rng.integers(3, 14))), fill=ink, font=font)

    def table(self):
        rng, ink = self.rng, self.ink()
        (x, y), thick = self.at(), int(rng.integers(1, 3)) * self.zoom
        dx, dy = int(rng.integers(20, 90)) * self.zoom, int(rng.integers(12, 40)) * self.zoom
        for i in range(8):
            self.draw.line((x, y + i * dy, x + 7 * dx, y + i * dy), fill=ink, width=thick)
            self.draw.line((x + i * dx, y, x + i * dx, y + 7 * dy), fill=ink, width=thick)

    def chart(self):
        rng = self.rng
        for _ in range(int(rng.integers(3, 12))):
            (x, y), (u, v) = self.at(), self.at()
            kind, ink, thick = rng.integers(4), self.ink(), int(rng.integers(1, 6)) * self.zoom
            box = (min(x, u), min(y, v), min(x, u) + abs(x - u) // 2 + 4, min(y, v) + abs(y - v) // 2 + 4)
            if kind == 0:
                self.draw.line((x, y, u, v), fill=ink, width=thick)
            elif kind == 1:
                self.draw.ellipse(box, fill=ink if rng.random() < 0.5 else None, outline=self.ink(), width=thick)
            elif kind == 2:
                self.draw.polygon([(x, y), (u, v), self.at()], fill=ink)
            else:
                self.draw.rectangle(box, fill=ink if rng.random() < 0.5 else None, outline=self.ink(), width=thick)

    def stripes(self):
        """A field of waves of one direction, soft or hard, from wide to as fine as the reduced picture can carry."""
        rng, side = self.rng, 120 * self.zoom
        angle, period = rng.random() * np.pi, rng.uniform(4.5, 16) * self.zoom
        v, u = np.mgrid[:side, :side]
        wave = np.sin((u * np.cos(angle) + v * np.sin(angle)) * 2 * np.pi / period)
        wave = np.clip(wave * rng.choice([1, 3, 10]), -1, 1)
        level = np.clip(self.ground + wave * rng.integers(20, 90), 16, 235).astype(np.uint8)
        self.image.paste(Image.fromarray(level), self.at())

    def done(self):
        if self.zoom > 1:
            self.image = self.image.resize(SIZE, Image.LANCZOS)
        return np.asarray(self.image)


def pages(count, seed=1):
    fonts = sorted(glob.glob(FONTS))
    if not fonts:
        sys.exit(f"screens: no fonts at {FONTS}: install fonts-dejavu-core")
    rng = np.random.default_rng(seed)
    for _ in range(count):
        page = Page(rng, fonts, int(rng.choice([1, 2, 3])))
        for _ in range(int(rng.integers(2, 6))):
            kind = rng.choice([page.text, page.text, page.text, page.table, page.chart, page.stripes])
            kind()
        yield page.done()
