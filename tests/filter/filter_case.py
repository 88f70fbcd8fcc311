# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests of the filter share: the ffmpeg under test, raw pictures, small networks, and what libspyhop itself
makes of the same pictures (the program `reference`)."""
import json
import os
import pathlib
import random
import re
import struct
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
REFERENCE = os.environ.get("SPYHOP_REFERENCE", str(ROOT / "build/tests/filter/reference"))
GREY, YUV420, YUV422, YUV444, YUV440, YUV411, YUV410, GBR = range(8)
SHARED = {GREY: None, YUV420: (2, 2), YUV422: (2, 1), YUV444: (1, 1), YUV440: (1, 2), YUV411: (4, 1), YUV410: (4, 4),
          GBR: (1, 1)}


def find_ffmpeg():
    named = os.environ.get("SPYHOP_FFMPEG")
    for path in [named] if named else [ROOT / "build/ffmpeg/ffmpeg", ROOT / "build/ffmpeg-small/ffmpeg"]:
        if os.access(path, os.X_OK):
            return str(path)
    return None


FFMPEG = find_ffmpeg()


class Pixels:
    """A pixel format by FFmpeg's name, with libspyhop's description of it."""

    def __init__(self, name, layout, depth=8, msb=0, semi=0, alpha=0, full=None):
        self.name, self.layout, self.depth, self.msb, self.semi, self.alpha = name, layout, depth, msb, semi, alpha
        self.full = int(layout in (GREY, GBR)) if full is None else full

    def chroma(self, width, height):
        across, down = SHARED[self.layout]
        return -(-width // across), -(-height // down)

    def samples(self, width, height):
        count = width * height * (1 + self.alpha)
        if self.layout != GREY:
            chroma = self.chroma(width, height)
            count += 2 * chroma[0] * chroma[1]
        return count

    def frame(self, width, height, seed):
        source, count = random.Random(f"{self.name} {width} {height} {seed}"), self.samples(width, height)
        if self.depth == 8:
            return source.randbytes(count)
        shift = 16 - self.depth if self.msb else 0
        return b"".join(struct.pack("<H", source.randrange(1 << self.depth) << shift) for _ in range(count))


def planar(suffixes, alpha=False):
    for name, layout in [("420", YUV420), ("422", YUV422), ("444", YUV444)]:
        for depth in suffixes:
            yield Pixels(f"yuv{'a' if alpha else ''}{name}p{depth if depth > 8 else ''}{'le' if depth > 8 else ''}",
                         layout, depth, alpha=int(alpha))


FORMATS = [
    *planar([8, 9, 10, 12, 14, 16]), *planar([8, 9, 10, 16], alpha=True),
    *[Pixels(f"gray{d if d > 8 else ''}{'le' if d > 8 else ''}", GREY, d) for d in (8, 9, 10, 12, 14, 16)],
    *[Pixels(f"gbrp{d if d > 8 else ''}{'le' if d > 8 else ''}", GBR, d) for d in (8, 9, 10, 12, 14, 16)],
    *[Pixels(f"gbrap{d if d > 8 else ''}{'le' if d > 8 else ''}", GBR, d, alpha=1) for d in (8, 10, 12, 16)],
    Pixels("yuv440p", YUV440), Pixels("yuv440p10le", YUV440, 10), Pixels("yuv440p12le", YUV440, 12),
    Pixels("yuv411p", YUV411), Pixels("yuv410p", YUV410),
    Pixels("yuvj420p", YUV420, full=1), Pixels("yuvj422p", YUV422, full=1), Pixels("yuvj444p", YUV444, full=1),
    Pixels("nv12", YUV420, semi=1), Pixels("nv21", YUV420, semi=1), Pixels("nv16", YUV422, semi=1),
    Pixels("nv24", YUV444, semi=1), Pixels("nv42", YUV444, semi=1), Pixels("nv20le", YUV422, 10, semi=1),
    Pixels("p010le", YUV420, 10, msb=1, semi=1), Pixels("p016le", YUV420, 16, semi=1),
    Pixels("p210le", YUV422, 10, msb=1, semi=1), Pixels("p216le", YUV422, 16, semi=1),
    Pixels("p410le", YUV444, 10, msb=1, semi=1), Pixels("p416le", YUV444, 16, semi=1),
]
BY_NAME = {pixels.name: pixels for pixels in FORMATS}


# --- ONNX, as far as these tests need it -------------------------------------------------------------------------------

def varint(value):
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def node(op, inputs, output, **ints):
    attributes = b"".join(
        field(5, field(1, name) + (field(3, v) + field(20, 2) if isinstance(v, int) else
                                   b"".join(field(8, i) for i in v) + field(20, 7))) for name, v in ints.items())
    return field(1, b"".join(field(1, i) for i in inputs) + field(2, output) + field(4, op) + attributes)


def value_info(name, channels):
    dims = field(1, field(1, 1)) + field(1, field(1, channels)) + field(1, field(2, "H")) + field(1, field(2, "W"))
    return field(1, name) + field(2, field(1, field(1, 1) + field(2, dims)))


def network(scale, channels=1, seed=1):
    """One convolution of random weights around a repetition of the picture, and a pixel shuffle."""
    source, outputs = random.Random(seed), channels * scale * scale
    weights = [source.uniform(-0.1, 0.1) + (0.8 if i == o // (scale * scale) and tap == 4 else 0)
               for o in range(outputs) for i in range(channels) for tap in range(9)]
    tensor = b"".join(field(1, d) for d in (outputs, channels, 3, 3)) + field(2, 1) + field(8, "w") + \
        field(9, struct.pack(f"<{len(weights)}f", *weights))
    nodes = node("Conv", ["x", "w"], "c" if scale > 1 else "y", kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    if scale > 1:
        nodes += node("DepthToSpace", ["c"], "y", blocksize=scale)
    graph = nodes + field(2, "test") + field(5, tensor) + field(11, value_info("x", channels)) + \
        field(12, value_info("y", channels))
    return field(1, 8) + field(7, graph) + field(8, field(1, "") + field(2, 13))


# --- the programs ------------------------------------------------------------------------------------------------------

class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not FFMPEG:
            raise unittest.SkipTest("no ffmpeg with the filter: run script/ffmpeg, or script/ffmpeg --small")
        cls.temporary = tempfile.TemporaryDirectory(prefix="spyhop-test-")
        cls.folder = pathlib.Path(cls.temporary.name)
        cls.models = cls.folder / "models"
        cls.models.mkdir()
        for name, scale, channels in [("two", 2, 1), ("one", 1, 1), ("colour", 2, 3), ("three", 3, 1), ("fast", 2, 1),
                                      ("restore", 1, 1), ("many", 2, 1), ("many_x3", 3, 1)]:
            (cls.models / f"{name}.onnx").write_bytes(network(scale, channels))

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def start(self, *arguments, data=None, environment=None, verbosity="warning"):
        return subprocess.run([FFMPEG, "-hide_banner", "-y", "-v", verbosity, *arguments], input=data or b"",
                              capture_output=True, timeout=120, cwd=self.folder,
                              env={**os.environ, "ONNX_DIR": str(self.models), **(environment or {})})

    def ffmpeg(self, *arguments, **options):
        done = self.start(*arguments, **options)
        self.assertEqual(done.returncode, 0, done.stderr.decode(errors="replace"))
        self.log = done.stderr.decode(errors="replace")
        return done.stdout

    def refused(self, *arguments, **options):
        """What ffmpeg says when it fails."""
        done = self.start(*arguments, **options)
        self.assertGreater(done.returncode, 0, "this should have failed")
        return done.stderr.decode(errors="replace")

    def filtered(self, pixels, width, height, data, filters, before=(), **options):
        """Raw pictures through a chain of filters, in the same pixel format."""
        return self.ffmpeg(*before, "-f", "rawvideo", "-pix_fmt", pixels.name, "-s", f"{width}x{height}", "-i", "-",
                           "-vf", filters, "-f", "rawvideo", "-pix_fmt", pixels.name, "-", data=data, **options)

    def reference(self, pixels, width, height, data, model="two", passes=1, strength=1, full=None, siting=0):
        fields = [pixels.layout, pixels.depth, pixels.msb, pixels.semi, pixels.alpha,
                  pixels.full if full is None else full, siting, width, height]
        file = self.models / f"{model}.onnx" if isinstance(model, str) else model
        done = subprocess.run([REFERENCE, str(file), str(passes), str(strength),
                               *map(str, fields)], input=data, capture_output=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def same(self, got, wanted, what):
        """assertEqual without a megabyte of output."""
        if got == wanted:
            return
        at = next((i for i, (a, b) in enumerate(zip(got, wanted)) if a != b), min(len(got), len(wanted)))
        self.fail(f"{what}: {len(got)} bytes, {len(wanted)} wanted; the first difference is at byte {at}")

    def frames(self, *arguments, **options):
        """What the filter showinfo says of each picture that comes out: a dictionary of its fields."""
        self.ffmpeg(*arguments, "-f", "null", "-", verbosity="info", **options)
        return [dict(re.findall(r"(\w+): ?([^ ]+)", line)) for line in self.log.splitlines()
                if re.search(r"showinfo.*\bn: *\d+ pts:", line)]

    def probe(self, path):
        program = str(pathlib.Path(FFMPEG).with_name("ffprobe"))
        done = subprocess.run([program, "-v", "error", "-of", "json", "-show_streams", "-show_frames", "-select_streams", "v",
                               str(path)], capture_output=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)
