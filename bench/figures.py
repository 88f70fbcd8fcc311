#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""usage: bench/figures.py [PICTURES]...

Prints the tables of the README, as Markdown: the speed of the `fast` network at every level of this machine beside the
machine's own multiply-add peak, the time `spyhop upscale` takes for the sample, and the quality on each folder of
PICTURES. Run it on an idle machine; it says how much the rounds differ."""
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
PROGRAM = os.environ.get("SPYHOP_PROGRAM", str(ROOT / "build" / "spyhop"))
THREADS = 2
RUNS = 3


def spyhop_json(*words):
    done = subprocess.run([PROGRAM, *words, "--json"], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def machine():
    model = re.search(r"^model name\s*:\s*(.*)$", pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.M)
    load = os.getloadavg()[0]
    return f"{os.cpu_count()} cores of {model.group(1) if model else platform.machine()}, load {load:.1f} at the start"


def levels():
    for level in ("avx512", "avx2", "c"):
        words = ("bench", "--model", "fast", "--size", "640x480", "--threads", str(THREADS), "--cpu", level)
        if subprocess.run([PROGRAM, *words, "--seconds", "1"], capture_output=True).returncode == 0:
            yield level, spyhop_json(*words)


def speed():
    print(f"| `spyhop bench --model fast --size 640x480 --threads {THREADS}` | fps | spread | GMAC/s | peak | reached |")
    print("| --- | --- | --- | --- | --- | --- |")
    for level, row in levels():
        share = row["gmac_per_s"] / row["peak_gmac_per_s"]
        print(f"| `--cpu {level}` | {row['fps']:.1f} | {row['spread'] * 100:.0f} % | {row['gmac_per_s']:.0f} | "
              f"{row['peak_gmac_per_s']:.0f} | {share * 100:.0f} % |")


def sample():
    seconds = []
    with tempfile.TemporaryDirectory(prefix="figures-") as folder:
        for run in range(RUNS):
            begin = time.monotonic()
            subprocess.run([PROGRAM, "upscale", "--quiet", str(ROOT / "samples/sample.mp4"), f"{folder}/{run}.mp4"],
                           check=True, capture_output=True)
            seconds.append(time.monotonic() - begin)
    middle = statistics.median(seconds)
    print(f"`spyhop upscale samples/sample.mp4 out.mp4` (250 frames of 640x360, 10 s): {middle:.1f} s, "
          f"{250 / middle:.0f} fps, {10 / middle:.1f} times real time (median of {RUNS}, "
          f"{min(seconds):.1f} to {max(seconds):.1f} s).")


def quality(folders):
    if not folders:
        return
    print("| `spyhop quality --model fast FOLDER` | bicubic | Lanczos | `fast` |")
    print("| --- | --- | --- | --- |")
    for folder in folders:
        mean = spyhop_json("quality", "--model", "fast", folder)["mean"]
        cells = (f"{mean[p + 'psnr_y']:.2f} dB, {mean[p + 'ssim_y']:.4f}" for p in ("bicubic_", "lanczos_", ""))
        print(f"| {pathlib.Path(folder).name} | {' | '.join(cells)} |")


def main():
    os.environ.setdefault("ONNX_DIR", str(ROOT / "models"))
    print(f"Machine: {machine()}.\n")
    speed()
    print()
    sample()
    print()
    quality(sys.argv[1:])


main()
