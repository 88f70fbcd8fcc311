#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""usage: bench/filter.py [--runs N] [--input CLIP] [--precision NAME] [--ffmpeg FILE]

How fast ffmpeg is with `-vf bdsr_aws=scale=2` beside `-vf scale=2*iw:2*ih:flags=lanczos`: the same binary, threads and
encoder (libx264 veryfast), no audio, a 640x480 clip made of the sample. The two take turns, so that a machine that grows
slower does so for both. Prints a Markdown table and the ratio of the medians, and exits 1 where it is below 0.6. Run it
on an idle machine, under `chrt -f 1` where others work on it."""
import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
BAR = 0.6


def arguments():
    parser = argparse.ArgumentParser(description="speed of the FFmpeg filter")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--input", help="a clip of 640x480 instead of the one made of samples/sample.mp4")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--ffmpeg", default=str(ROOT / "build/ffmpeg/ffmpeg"))
    return parser.parse_args()


def run(ffmpeg, *words):
    begin = time.monotonic()
    subprocess.run([ffmpeg, "-nostdin", "-v", "error", "-y", *words], check=True)
    return time.monotonic() - begin


def make_input(ffmpeg, path):
    run(ffmpeg, "-i", str(ROOT / "samples/sample.mp4"), "-vf", "crop=480:360,scale=640:480:flags=lanczos", "-an",
        "-c:v", "libx264", "-preset", "medium", "-crf", "18", path)


def count_frames(ffmpeg, path):
    text = subprocess.run([ffmpeg, "-v", "error", "-i", path, "-map", "0:v:0", "-c", "copy", "-f", "framecrc", "-"],
                          check=True, capture_output=True, text=True).stdout
    return sum(not line.startswith("#") for line in text.splitlines())


def measure(options, folder):
    clip = options.input or f"{folder}/input.mp4"
    if not options.input:
        make_input(options.ffmpeg, clip)
    chains = {"lanczos": "scale=2*iw:2*ih:flags=lanczos", "bdsr_aws": f"bdsr_aws=scale=2:precision={options.precision}"}
    seconds = {name: [] for name in chains}
    for turn in range(options.runs + 1):
        for name, chain in chains.items():
            taken = run(options.ffmpeg, "-i", clip, "-an", "-vf", chain, "-c:v", "libx264", "-preset", "veryfast",
                        f"{folder}/out.mp4")
            if turn:  # the first one fills the caches
                seconds[name].append(taken)
    return seconds, count_frames(options.ffmpeg, clip)


def main():
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="spyhop-bench-") as folder:
        seconds, frames = measure(options, folder)
    middle = {name: statistics.median(values) for name, values in seconds.items()}
    print(f"{frames} frames, {os.cpu_count()} CPUs, median of {options.runs} runs each, load {os.getloadavg()[0]:.1f}")
    print("| `-vf ... -c:v libx264 -preset veryfast`, 640x480 in | fps | spread |\n| --- | --- | --- |")
    for name, values in seconds.items():
        print(f"| {name} | {frames / middle[name]:.1f} | {(max(values) - min(values)) / middle[name] * 100:.0f} % |")
    ratio = middle["lanczos"] / middle["bdsr_aws"]
    print(f"ratio {ratio:.2f}, at least {BAR} wanted")
    return 0 if ratio >= BAR else 1


sys.exit(main())
