# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests of `spyhop upscale` share: the program, ffmpeg, ffprobe, and a folder of clips for each class."""
import json
import os
import subprocess
import tempfile
import unittest
from fractions import Fraction

PROGRAM = os.environ.get("SPYHOP_PROGRAM", "build/spyhop")
MODEL = os.environ.get("SPYHOP_MODEL", "fast")
QUIET = {**os.environ, "SVT_LOG": "1"}  # SVT-AV1 talks to stderr otherwise


def content(path, mode="r"):
    with open(path, mode) as file:
        return file.read()


def run(*command, **options):
    return subprocess.run(command, capture_output=True, **{"env": QUIET, **options})


def children(pid):
    return [int(n) for n in content(f"/proc/{pid}/task/{pid}/children").split()]


def ffmpeg(*arguments):
    done = run("ffmpeg", "-nostdin", "-v", "error", "-y", *arguments)
    if done.returncode:
        raise AssertionError(done.stderr.decode(errors="replace"))


def probe(path, *arguments):
    done = run("ffprobe", "-v", "error", "-of", "json", *arguments, "file:" + os.fspath(path))
    if done.returncode:
        raise AssertionError(done.stderr.decode(errors="replace"))
    return json.loads(done.stdout)


def video_frames(path, track="v:0"):
    """Time of each decoded picture, as an exact fraction of the track's time base."""
    data = probe(path, "-select_streams", track, "-show_entries", "frame=pts:stream=time_base")
    base = data["streams"][0]["time_base"].split("/")
    return [(int(f["pts"]) * int(base[0]), int(base[1])) for f in data["frames"]]


def frame_times(path, track):
    """Of what a player presents, as exact fractions of a second."""
    data = probe(path, "-select_streams", track, "-show_entries", "frame=pts:stream=time_base")
    base = Fraction(data["streams"][0]["time_base"])
    return [int(f["pts"]) * base for f in data["frames"]]


def exact_times(path):
    return frame_times(path, "v:0")


def packet_times(path, track):
    data = probe(path, "-select_streams", track, "-show_entries", "packet=pts:stream=time_base")
    base = Fraction(data["streams"][0]["time_base"])
    return [int(p["pts"]) * base for p in data["packets"]]


def seconds(times):
    return [num / den for num, den in times]


def same_times(a, b):
    return len(a) == len(b) and all(x[0] * y[1] == y[0] * x[1] for x, y in zip(a, b))


def stream(path, kind="v:0"):
    return probe(path, "-select_streams", kind, "-show_streams")["streams"][0]


def side_data(path, kind):
    """The first of this type that hangs on the first picture, or None."""
    frames = probe(path, "-select_streams", "v:0", "-read_intervals", "%+#3", "-show_frames")["frames"]
    found = [d for f in frames for d in f.get("side_data_list", []) if d["side_data_type"] == kind]
    return found[0] if found else None


def packets_md5(path, kind):
    return run("ffmpeg", "-v", "error", "-i", "file:" + path, "-map", "0:" + kind, "-c", "copy", "-f", "md5", "-").stdout


def frame_hashes(path, *arguments):
    """One for each decoded picture."""
    done = run("ffmpeg", "-nostdin", "-v", "error", "-i", "file:" + path, "-map", "0:v:0", "-fps_mode", "passthrough",
               *arguments, "-f", "framemd5", "-")
    return [line.split(",")[-1].strip() for line in done.stdout.decode().splitlines() if not line.startswith("#")]


def psnr(a, b, filters="[0:v]scale=iw/2:ih/2:flags=area[a];[a][1:v]psnr"):
    """Average over all pictures, in dB: a, by default halved, beside b."""
    done = run("ffmpeg", "-nostdin", "-v", "info", "-i", "file:" + a, "-i", "file:" + b, "-lavfi", filters, "-f", "null", "-")
    text = done.stderr.decode(errors="replace")
    if "average:" not in text:
        raise AssertionError(text)
    return float(text.rsplit("average:", 1)[1].split()[0])


class Clips(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="spyhop-test-")
        cls.clip = cls.at("clip.mp4")
        ffmpeg("-f", "lavfi", "-i", "testsrc2=s=96x64:r=25:d=1.2", "-f", "lavfi", "-i", "sine=f=440:r=44100:d=1.2",
               "-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", "10", "-c:a", "aac", "-metadata", "title=A title",
               "-movflags", "+faststart", cls.clip)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    @classmethod
    def at(cls, name):
        return os.path.join(cls.folder.name, name)

    def upscale(self, source, target, *options, **arguments):
        return run(PROGRAM, "upscale", "--model", MODEL, "--threads", "2", *options, "--", source, target, **arguments)

    def succeed(self, source, target, *options):
        done = self.upscale(source, target, "--json", *options)
        self.assertEqual(done.returncode, 0, done.stderr.decode(errors="replace"))
        return json.loads(done.stdout.splitlines()[-1])

    def refuse(self, source, target, *words, options=(), code=1, **arguments):
        """Fails with these words on stderr and leaves the folder as it was."""
        folder = os.path.dirname(target)
        before = {n: os.stat(os.path.join(folder, n)).st_mtime_ns for n in os.listdir(folder)}
        done = self.upscale(source, target, *options, **arguments)
        text = done.stderr.decode(errors="replace")
        self.assertEqual(done.returncode, code, text)
        for word in words:
            self.assertIn(word, text)
        after = {n: os.stat(os.path.join(folder, n)).st_mtime_ns for n in os.listdir(folder)}
        self.assertEqual(before, after)
        return text
