# SPDX-License-Identifier: LGPL-2.1-or-later
"""Clips to make streams of, what a player must see of each, and streams that are whole or broken in one known way."""
import dataclasses
import json
import os
import pathlib
import shutil
import subprocess
from fractions import Fraction

ROOT = pathlib.Path(__file__).resolve().parents[2]
QUIET = {**os.environ, "SVT_LOG": "1"}


def run(*words, **options):
    done = subprocess.run([os.fspath(w) for w in words], capture_output=True, **{"env": QUIET, **options})
    if done.returncode:
        raise AssertionError(f"{' '.join(os.fspath(w) for w in words)}: {done.stderr.decode(errors='replace')[-2000:]}")
    return done.stdout


def ffmpeg(*words):
    run("ffmpeg", "-nostdin", "-v", "error", "-y", *words)


def probe(path, *words):
    return json.loads(run("ffprobe", "-v", "error", "-of", "json", *words, path))


def first_of(path, kind, entry):
    """Presentation times of all frames of a track, in order."""
    data = probe(path, "-select_streams", kind, "-show_entries", f"{entry}=pts:stream=time_base")
    if not data.get("streams"):
        return []
    base = Fraction(data["streams"][0]["time_base"])
    return sorted(int(f["pts"]) * base for f in data[entry + "s"] if "pts" in f)


@dataclasses.dataclass
class Clip:
    """A source and what is in it. `times`: of the pictures, from the presentation's beginning, as fractions of a second."""
    path: str
    times: list
    audio: bool
    turned: bool = False  # shown with sides exchanged
    hdr: bool = False

    @classmethod
    def of(cls, path, **facts):
        pictures, sound = first_of(path, "v:0", "frame"), first_of(path, "a:0", "frame")
        zero = min(pictures[:1] + sound[:1])
        return cls(path, [t - zero for t in pictures], bool(sound), **facts)

    @property
    def seconds(self):
        return float(self.times[-1] + (self.times[-1] - self.times[0]) / (len(self.times) - 1))

    def grey(self, number):
        """The picture of that number as a player should show it, 8x8 grey values."""
        data = run("ffmpeg", "-nostdin", "-v", "error", "-i", self.path, "-map", "0:v:0", "-fps_mode", "passthrough", "-vf",
                   f"select=eq(n\\,{number}),scale=8:8:flags=area:out_range=pc,format=gray", "-frames:v", "1", "-f", "rawvideo", "-")
        return list(data)


SOUND = ("-f", "lavfi", "-i", "sine=f=440:r=48000:d={0}")


def clips(folder):
    """The five of the bar, each small and short, by name. Enlarged they have 360 rows, and one step below them."""
    made = {}

    def at(name):
        return os.path.join(folder, name)

    sample, sound = ROOT / "samples/sample.mp4", ("-f", "lavfi", "-i", "sine=f=440:r=44100:d=6")
    ffmpeg("-i", sample, "-t", "6", "-vf", "scale=320:180", "-c:v", "libx264", "-crf", "18", "-c:a", "copy", at("sample.mp4"))
    made["sample"] = Clip.of(at("sample.mp4"))
    ffmpeg("-ss", "2", "-i", sample, *sound, "-t", "6", "-map", "0:v", "-map", "1:a", "-vf",
           "scale=320:180:out_color_matrix=bt2020nc,format=yuv420p10le", "-c:v", "libsvtav1", "-preset", "10", "-crf", "25",
           "-color_primaries", "bt2020", "-color_trc", "smpte2084", "-colorspace", "bt2020nc", "-color_range", "tv", "-c:a",
           "aac", at("hdr.mp4"))
    made["hdr"] = Clip.of(at("hdr.mp4"), hdr=True)
    ffmpeg("-ss", "3", "-i", sample, "-t", "6", "-vf", "scale=320:180", "-c:v", "libx264", "-crf", "18", "-c:a", "aac",
           at("upright.mp4"))
    ffmpeg("-display_rotation:v:0", "90", "-i", at("upright.mp4"), "-c", "copy", at("rotated.mov")) if rotation_option() else \
        ffmpeg("-i", at("upright.mp4"), "-c", "copy", "-metadata:s:v:0", "rotate=90", at("rotated.mov"))
    made["rotated"] = Clip.of(at("rotated.mov"), turned=True)
    # pictures left out by a rule without a period that a segment could have
    ffmpeg("-i", sample, *sound, "-t", "6", "-map", "0:v", "-map", "1:a", "-vf",
           "scale=320:180,select=not(eq(mod(n\\,7)\\,3)+eq(mod(n\\,11)\\,5)+between(n\\,60\\,66))", "-fps_mode", "vfr", "-c:v",
           "libx264", "-crf", "18", "-c:a", "aac", at("vfr.mp4"))
    made["vfr"] = Clip.of(at("vfr.mp4"))
    ffmpeg("-ss", "1", "-i", sample, "-t", "6", "-an", "-vf", "scale=320:180,fps=30000/1001", "-c:v", "libx264", "-crf", "18",
           at("silent.mp4"))
    made["silent"] = Clip.of(at("silent.mp4"))
    return made


def rotation_option():
    """FFmpeg 6 has an option of its own and no longer reads the tag."""
    return "display_rotation" in run("ffmpeg", "-v", "error", "-h", "full").decode(errors="replace")


def plain_clip(folder):
    """For the streams below, which are made by FFmpeg: a clip of many unlike pictures with sound. The sound is a little
    shorter: FFmpeg's MPD tells the end of the pictures alone, and dash.js hangs at times in what lies beyond."""
    path = os.path.join(folder, "plain.mp4")
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=6", "-f", "lavfi", "-i", "sine=r=48000:d=5.97", "-c:v", "libx264",
           "-preset", "veryfast", "-crf", "18", "-pix_fmt", "yuv420p", "-c:a", "aac", path)
    return Clip.of(path)


def plain_stream(clip, folder, gop=(25, 25)):
    """Two renditions and one of sound, CMAF with HLS and DASH over it, segments of a second."""
    os.makedirs(folder)
    ffmpeg("-i", clip.path, "-filter_complex", "[0:v]split[a][b];[b]scale=160:90[c]", "-map", "[a]", "-map", "[c]", "-map",
           "0:a", "-c:v", "libx264", "-preset", "veryfast", "-g:v:0", str(gop[0]), "-g:v:1", str(gop[1]), "-sc_threshold", "0",
           "-b:v:0", "600k", "-b:v:1", "150k", "-c:a", "aac", "-f", "dash", "-seg_duration", "1", "-use_template", "1",
           "-use_timeline", "1", "-adaptation_sets", "id=0,streams=v id=1,streams=a", "-hls_playlist", "1",
           "-hls_master_name", "index.m3u8", os.path.join(folder, "index.mpd"))


def broken(whole, folder, how):
    """A copy of a plain stream with one fault; `how` is one of the names below."""
    shutil.copytree(whole, folder)
    segment = os.path.join(folder, "chunk-stream0-00003.m4s")
    with open(segment, "rb") as file:
        data = file.read()
    if how == "no segment":
        os.remove(segment)
        return
    if how == "half a segment":
        data = data[:len(data) // 2]
    elif how == "fewer pictures":
        data = without_last_samples(data, 5)
    elif how == "later":
        data = moved(data, 20)
    elif how == "later by a picture":
        data = moved(data, 40)
    elif how == "noise":
        middle = data.index(b"mdat") + 4
        data = data[:middle] + bytes((i * 37 + 11) % 256 for i in range(len(data) - middle))
    else:
        raise ValueError(how)
    with open(segment, "wb") as file:
        file.write(data)


def without_last_samples(data, count):
    """The last of the only trun's samples, taken off its table."""
    at = data.index(b"trun") + 8
    samples = int.from_bytes(data[at:at + 4], "big")
    flags = int.from_bytes(data[at - 3:at], "big")
    each = 4 * bin(flags & 0xf00).count("1")
    table = at + 4 + 4 * bin(flags & 0x5).count("1")
    cut = table + (samples - count) * each
    # what becomes free is a box that says nothing, after the trun
    free = (count * each).to_bytes(4, "big") + b"free" + bytes(count * each - 8)
    size = int.from_bytes(data[at - 12:at - 8], "big") - count * each
    return data[:at - 12] + size.to_bytes(4, "big") + data[at - 8:at] + (samples - count).to_bytes(4, "big") + data[at + 4:cut] + \
        free + data[cut + count * each:]


def moved(data, permille):
    """The segment's time put later by this part of a second (its time scale is read as that of 1/12800)."""
    at = data.index(b"tfdt") + 4
    wide = 8 if data[at] else 4
    time = int.from_bytes(data[at + 4:at + 4 + wide], "big") + 12800 * permille // 1000
    return data[:at + 4] + time.to_bytes(wide, "big") + data[at + 4 + wide:]
