#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""usage: bench/stream.py [--runs N] [--seconds S] [--segment S] [--ffmpeg FILE]

What `spyhop stream` costs beside its parts. The sample clip becomes a ladder of H.264 with sound, and the processor time of
all its processes is held against the sum of what must be done at least once, each measured apart with the same ffmpeg,
less what it takes to start:

    decode       the clip, pictures and sound, to nothing
    upscale      the same with the filter `spyhop` on it, less the decoding
    scale        enlarged pictures, raw, to each smaller size (Lanczos), less reading them
    encode       pictures of each size, raw, with x264 as the stream's own headers say, less reading them; and the sound
    decode back  each rendition that the stream has, to nothing

Packaging and checking: the processor time of the stream's parent process (manifests, checker, publication) and of its
child's commit thread (segments, journal), less the encoding of the sound, which that thread does too.

Takes turns and prints medians, so that a machine that grows slower does so for all. Wants `script/build` and
`script/ffmpeg`. Exits 1 where a bar is missed."""
import argparse
import glob
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
PROGRAM = os.environ.get("SPYHOP_PROGRAM", str(ROOT / "build/spyhop"))
TOTAL_BAR, SHARE_BAR, CHECKED_BAR = 1.15, 0.02, 0.12
THREADS = "2"
# of x264's own words in its headers, those that decide how much it computes
TOLD = ("ref", "deblock", "analyse", "me", "subme", "psy_rd", "mixed_ref", "me_range", "chroma_me", "trellis", "8x8dct", "threads",
        "bframes", "b_pyramid", "b_adapt", "direct", "weightb", "weightp", "keyint", "keyint_min", "scenecut", "rc_lookahead",
        "mbtree", "crf", "vbv_maxrate", "vbv_bufsize", "aq")
NAMED = {"psy_rd": "psy-rd", "mixed_ref": "mixed-refs", "me_range": "merange", "chroma_me": "chroma-me", "b_pyramid": "b-pyramid",
         "b_adapt": "b-adapt", "keyint_min": "min-keyint", "rc_lookahead": "rc-lookahead", "vbv_maxrate": "vbv-maxrate",
         "vbv_bufsize": "vbv-bufsize", "analyse": None, "aq": None, "deblock": None, "psy": None}
MANNERS = {"me": {"dia": "dia", "hex": "hex", "umh": "umh", "esa": "esa"}, "b_pyramid": {"0": "none", "1": "strict", "2": "normal"},
           "direct": {"0": "none", "1": "spatial", "2": "temporal", "3": "auto"}}


class Costs:
    """Processor time of commands, in seconds, all their processes together."""

    def __init__(self, ffmpeg):
        self.program = ffmpeg

    def run(self, *words, **options):
        process = subprocess.Popen([os.fspath(w) for w in words], **options)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{' '.join(map(str, words))}: {process.returncode}")
        return used.ru_utime + used.ru_stime

    def ffmpeg(self, *words):
        return self.run(self.program, "-nostdin", "-v", "error", "-y", *words)


def raw(size, rate, path):
    return ("-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", size, "-r", rate, "-i", path)


def told_by_x264(rendition):
    """x264's options, from the words that it puts into the first key picture."""
    with open(sorted(glob.glob(rendition + "/seg_*.m4s"))[0], "rb") as file:
        found = re.search(rb"x264 - core [^\0]*?options: ([^\0\x80]*)", file.read())
    if not found:
        raise SystemExit(f"{rendition}: x264 says nothing of itself")
    words = dict(w.split("=", 1) for w in found[1].decode("ascii", "replace").split() if "=" in w)
    given = []
    for name in TOLD:
        value, as_named = words.get(name), NAMED.get(name, name)
        if value is None or as_named is None:
            continue
        given.append(f"{as_named}={MANNERS.get(name, {}).get(value, value.replace(':', ','))}")
    return ":".join(given)


def threads_of(pid):
    """Processor time of each thread of a process so far, in seconds; without one that has gone."""
    found = {}
    for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
        try:
            with open(path, encoding="ascii") as file:
                found[int(path.split("/")[4])] = int(file.read().split()[0]) / 1e9
        except (OSError, IndexError):
            pass
    return found


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        return []


def stream(words):
    """Processor time of it all; and of the parent alone and of its child's main thread, from when pictures are made on: what
    comes before, the libraries' loading and a look at the film, is no packaging."""
    parent, commit, begun = {}, {}, None
    process = subprocess.Popen(words, stdout=subprocess.PIPE)
    os.set_blocking(process.stdout.fileno(), False)
    while True:
        pid, status, used = os.wait4(process.pid, os.WNOHANG)
        if pid:
            break
        parent.update(threads_of(process.pid))
        for child in children(process.pid):
            commit[child] = max(threads_of(child).get(child, 0), commit.get(child, 0))
        if process.stdout.read() and not begun:  # the first word of progress
            begun = sum(parent.values()), sum(commit.values())
        time.sleep(0.005)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(words)}: {process.returncode}")
    return used.ru_utime + used.ru_stime, sum(parent.values()) - begun[0], sum(commit.values()) - begun[1]


def sizes_of(folder):
    """Sizes of the renditions by folder, the largest first."""
    found = {}
    for rendition in sorted(glob.glob(folder + "/*/v*")):
        text = subprocess.run(["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "stream=width,height", "-of",
                               "csv=p=0:s=x", rendition + "/index.m3u8"], check=True, capture_output=True, text=True).stdout
        found[rendition] = text.split()[0]
    return found


def prepare(costs, options, folder):
    clip = folder + "/clip.mp4"
    costs.ffmpeg("-i", ROOT / "samples/sample.mp4", "-t", str(options.seconds), "-c", "copy", clip)
    stream(stream_words(clip, folder + "/first", options))
    sizes = sizes_of(folder + "/first")
    largest = next(iter(sizes.values()))
    pictures = {rendition: f"{folder}/{size}.yuv" for rendition, size in sizes.items()}
    top = next(iter(pictures.values()))
    costs.ffmpeg("-i", clip, "-an", "-vf", "spyhop=scale=2", "-pix_fmt", "yuv420p", "-f", "rawvideo", top)
    for rendition, size in sizes.items():
        if size != largest:
            costs.ffmpeg(*raw(largest, "25", top), "-vf", f"scale={size.replace('x', ':')}:flags=lanczos+accurate_rnd", "-f",
                         "rawvideo", pictures[rendition])
    return clip, sizes, pictures


def stream_words(clip, out, options):
    return [PROGRAM, "stream", "--json", "--model", "fast", "--threads", THREADS, "--codec", "h264", "--segment",
            str(options.segment), "--no-thumbnails", "--", clip, out]


def parts(costs, clip, sizes, pictures_of):
    """Each part once, in seconds of processor time."""
    nothing = ("-f", "null", "-")
    start = costs.ffmpeg("-f", "lavfi", "-i", "color=s=16x16:d=0.04", *nothing)
    pictures = costs.ffmpeg("-threads", THREADS, "-i", clip, "-an", *nothing) - start
    sound = costs.ffmpeg("-i", clip, "-vn", *nothing) - start
    found = {"decode": pictures + sound, "scale": 0, "encode": 0, "decode back": 0}
    found["upscale"] = costs.ffmpeg("-threads", THREADS, "-i", clip, "-an", "-vf", f"spyhop=scale=2:engine_threads={THREADS}",
                                    *nothing) - pictures - start
    largest = next(iter(sizes.values()))
    top = next(iter(pictures_of.values()))
    read = {size: costs.ffmpeg(*raw(size, "25", path), *nothing) for size, path in zip(sizes.values(), pictures_of.values())}
    for rendition, size in sizes.items():
        if size != largest:
            found["scale"] += costs.ffmpeg(*raw(largest, "25", top), "-vf",
                                           f"scale={size.replace('x', ':')}:flags=lanczos+accurate_rnd", *nothing) - read[largest]
        found["encode"] += costs.ffmpeg(*raw(size, "25", pictures_of[rendition]), "-c:v", "libx264", "-x264-params",
                                        told_by_x264(rendition), *nothing) - read[size]
        found["decode back"] += costs.ffmpeg("-i", rendition + "/index.m3u8", *nothing) - start
    found["sound"] = costs.ffmpeg("-i", clip, "-vn", "-c:a", "aac", *nothing) - start
    found["encode"] += found["sound"] - sound
    return found


def verdict(name, value, bar, text):
    holds = value <= bar
    print(f"{name:42} {text.format(value)} (bar {text.format(bar)}: {'holds' if holds else 'MISSED'})")
    return holds


def report(rounds):
    middle = {name: statistics.median(r[name] for r in rounds) for name in rounds[0]}
    apart = sum(middle[n] for n in ("decode", "upscale", "scale", "encode", "decode back"))
    for name in ("decode", "upscale", "scale", "encode", "decode back"):
        print(f"{name:14} {middle[name]:8.3f} s")
    print(f"{'sum':14} {apart:8.3f} s\n{'spyhop stream':14} {middle['stream']:8.3f} s, its parent {middle['parent']:.3f}, "
          f"its commit {middle['commit']:.3f}, of which sound {middle['sound']:.3f}")
    beside = max(0, middle["parent"] + middle["commit"] - middle["sound"])
    return all([
        verdict("total beside the sum of its parts", middle["stream"] / apart, TOTAL_BAR, "{:.3f}"),
        verdict("packaging and checking, not decoding back", beside / (middle["stream"] - middle["decode back"]), SHARE_BAR,
                "{:.2%}"),
        verdict("the same, decoding back", (beside + middle["decode back"]) / middle["stream"], CHECKED_BAR, "{:.2%}"),
    ])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--segment", type=float, default=6)
    parser.add_argument("--ffmpeg", default=str(ROOT / "build/ffmpeg/ffmpeg"))
    options = parser.parse_args()
    costs = Costs(options.ffmpeg)
    with tempfile.TemporaryDirectory(prefix="spyhop-bench-") as folder:
        clip, sizes, pictures = prepare(costs, options, folder)
        print(f"{options.seconds:g} s of the sample to {', '.join(sizes.values())}")
        rounds = []
        for turn in range(options.runs):
            one = parts(costs, clip, sizes, pictures)
            one["stream"], one["parent"], one["commit"] = stream(stream_words(clip, f"{folder}/{turn}", options))
            rounds.append(one)
        sys.exit(0 if report(rounds) else 1)


if __name__ == "__main__":
    main()
