#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""usage: bench/restore.py [--models FOLDER] [--sample FILE TRUTH] [--frames N] [--only WORD] [--json FILE]
       PICTURES|CLIP...

What `restore` wins, alone and in front of `fast`, as Markdown; says of each bar whether it holds. PICTURES is a folder
of pictures (each becomes a clip that pans by a pixel a frame), CLIP a video, whose luma is taken as it is and reduced to
1280 wide: the truth of the enlarged picture. Its half is the truth of the restored one, and what is really encoded,
decoded, restored and enlarged, with the shipped files on this repository's engine. --sample measures samples/sample.mp4
against its truth (script/sample --truth), straight and after the enlarged picture was encoded as `spyhop upscale` does.

PSNR is of luma in dB, 2 pixels of border cut, the mean of frames, then of the folder's pictures. Flicker is the root mean
square of (change from frame to frame, less the truth's change), in code values; in
the tables of the picture before enlargement, of the sample after it."""
import argparse
import glob
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "train"), str(ROOT / "train/restore")]
import coding  # noqa: E402
import imaging  # noqa: E402

PLANES = os.environ.get("SPYHOP_PLANES", str(ROOT / "build/bench/planes"))
LOW_RATE = 0.09  # bit a pixel: 0.5 Mbit/s for 640x360 at 25 frames a second

LOSSLESS = 99.0


def low_rate(shape):
    return coding.mpeg2_rate(max(30, round(LOW_RATE * shape[0] * shape[1] * 25 / 1000)))


CODINGS = {
    "uncompressed": None,
    "x264 veryfast CRF 23": lambda shape: coding.x264("veryfast", 23),
    "x264 veryfast CRF 28": lambda shape: coding.x264("veryfast", 28),
    "x264 veryfast CRF 32": lambda shape: coding.x264("veryfast", 32),
    "x264 veryfast CRF 36": lambda shape: coding.x264("veryfast", 36),
    "MPEG-2 quantiser 5": lambda shape: coding.mpeg2(5),
    "MPEG-2 quantiser 10": lambda shape: coding.mpeg2(10),
    f"MPEG-2 {LOW_RATE} bit a pixel": low_rate,
    "sensor noise, sigma 2.5": None,
}
CRF32, MPEG2, NOISE = "x264 veryfast CRF 32", f"MPEG-2 {LOW_RATE} bit a pixel", "sensor noise, sigma 2.5"


# ---- frames ----

def panned(luma, count):
    """A window that moves by two pixels a frame each way: by one in the reduced picture."""
    room = 2 * (count - 1)
    height, width = ((n - room) // 4 * 4 for n in luma.shape)
    return np.stack([luma[2 * i:2 * i + height, 2 * i:2 * i + width] for i in range(count)])


def clip_frames(path, count):
    """The last `count` of the first 60 frames: past a fade from black. Turned only if its file says how."""
    size = subprocess.run(["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "stream=width,height",
                           "-of", "csv=p=0", path], check=True, capture_output=True, text=True).stdout.split("\n")[0]
    width, height = (int(n) for n in size.split(",")[:2])
    wide = min(1280, width // 4 * 4)
    high = round(height * wide / width / 4) * 4
    raw = coding.ffmpeg(["-noautorotate", "-i", path, "-map", "0:v:0", "-frames:v", "60", "-vf",
                         f"extractplanes=y,scale={wide}:{high}:flags=bicubic+accurate_rnd:param0=0:param1=0.5,format=gray",
                         "-fps_mode", "passthrough", "-f", "rawvideo", "-"])
    frames = np.frombuffer(raw, np.uint8).reshape(-1, high, wide)
    if len(frames) < 2:
        sys.exit(f"restore: {path}: fewer than two frames")
    return frames[-count:]


def truths(source, count):
    """The clips of one row of the table: [frames]"""
    if not os.path.isdir(source):
        return [clip_frames(source, count)]
    paths = sorted(glob.glob(os.path.join(source, "*.png")) + glob.glob(os.path.join(source, "*.jpg")))
    if not paths:
        sys.exit(f"restore: no .png or .jpg pictures in {source}")
    return [panned(imaging.read_luma(path), min(count, 12)) for path in paths]


def degraded(name, frames):
    if name == NOISE:
        noise = np.random.default_rng(5).normal(0, 2.5, frames.shape)
        return np.clip(np.rint(frames + noise), 0, 255).astype(np.uint8)
    make = CODINGS[name]
    return coding.code(frames, make(frames.shape[1:]))[0] if make else frames


# ---- methods ----

class Engine:
    def __init__(self, folder):
        self.folder = folder

    def run(self, name, frames, scale):
        n, height, width = frames.shape
        path = os.path.join(self.folder, f"{name}.onnx")
        done = subprocess.run([PLANES, path, str(width), str(height)], input=frames.tobytes(), capture_output=True)
        if done.returncode:
            sys.exit(f"restore: {done.stderr.decode(errors='replace').strip()}")
        return np.frombuffer(done.stdout, np.uint8).reshape(n, height * scale, width * scale)

    def restore(self, frames):
        return self.run("restore", frames, 1)

    def fast(self, frames):
        return self.run("fast", frames, 2)


def lanczos(frames):
    return np.stack([np.asarray(Image.fromarray(f).resize((2 * f.shape[1], 2 * f.shape[0]), Image.LANCZOS))
                     for f in frames])


# ---- measures ----

def psnr(frames, truth):
    return float(np.mean([min(LOSSLESS, imaging.psnr(a, b)) for a, b in zip(frames, truth)]))


def flicker(frames, truth):
    """On a cut the truth changes too: only what it does not explain counts."""
    change = np.diff(frames.astype(np.int16), axis=0) - np.diff(truth.astype(np.int16), axis=0)
    return float(np.sqrt(np.mean(change[:, 2:-2, 2:-2].astype(np.float64)**2)))


def measure(engine, name, clips):
    rows = []
    for large, small in clips:
        given = degraded(name, small)
        restored = engine.restore(given)
        rows.append({"input": psnr(given, small), "restore": psnr(restored, small), "fast": psnr(engine.fast(given), large),
                     "both": psnr(engine.fast(restored), large), "lanczos": psnr(lanczos(given), large),
                     "flicker": flicker(given, small), "flicker_restored": flicker(restored, small)})
    return {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}


def print_table(title, rows):
    print(f"\n{title}\n")
    print("| coding | input | `restore` | gain | lanczos | `fast` | `restore`, `fast` | gain | over lanczos | flicker |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for name, r in rows.items():
        before = ("the truth", "") if r["input"] >= LOSSLESS else (f"{r['input']:.2f}", f"{r['restore'] - r['input']:+.2f}")
        print(f"| {name} | {before[0]} | {r['restore']:.2f} | {before[1]} | {r['lanczos']:.2f} | "
              f"{r['fast']:.2f} | {r['both']:.2f} | {r['both'] - r['fast']:+.2f} | {r['both'] - r['lanczos']:+.2f} | "
              f"{r['flicker']:.2f} -> {r['flicker_restored']:.2f} |", flush=True)


def bars(tables):
    """The bars of every row, then their means over all sources."""
    for coding_name, alone, chain, over in ((CRF32, 0.3, 0.15, 0.6), (MPEG2, 0.7, 0.35, 0.6)):
        for what, bar, value in (("`restore` over its input", alone, lambda r: r["restore"] - r["input"]),
                                 ("`restore`, `fast` over `fast`", chain, lambda r: r["both"] - r["fast"]),
                                 ("`restore`, `fast` over lanczos", over, lambda r: r["both"] - r["lanczos"])):
            found = {source: value(rows[coding_name]) for source, rows in tables.items() if coding_name in rows}
            if not found:
                continue
            mean = float(np.mean(list(found.values())))
            print(f"- {coding_name}: {what} by {bar}: {mean:+.2f} on average "
                  f"({min(found.values()):+.2f} to {max(found.values()):+.2f}): {'holds' if mean >= bar else 'MISSED'}")


def clean_stills(engine, folder):
    """The bar of doing nothing: whole pictures as `spyhop quality` takes them."""
    found = []
    for path in sorted(glob.glob(os.path.join(folder, "*.png"))):
        truth = imaging.whole(imaging.read_luma(path), 2)
        small = imaging.shrink(truth, 2)[None]
        found.append([psnr(engine.fast(x), truth[None]) for x in (small, engine.restore(small))])
    fast, both = np.mean(found, axis=0)
    print(f"- uncompressed {pathlib.Path(folder).name}: `fast` {fast:.3f}, `restore` then `fast` {both:.3f} dB, a loss of "
          f"{fast - both:.3f} (at most 0.1): {'holds' if fast - both < 0.1 else 'MISSED'}")


def sample(engine, path, truth_path):
    large, small = clip_whole(truth_path), clip_whole(path)
    if len(large) != len(small) or large.shape[1] != 2 * small.shape[1]:
        sys.exit(f"restore: {truth_path} is not the truth of {path}")
    restored = engine.restore(small)
    print("\nThe sample against its truth, enlarged, and then encoded (x264 veryfast CRF 17) and decoded:\n")
    print("| | enlarged | encoded | flicker |\n| --- | --- | --- | --- |")
    for name, frames in (("lanczos", lanczos(small)), ("`fast`", engine.fast(small)),
                         ("`restore`, `fast`", engine.fast(restored))):
        coded, _ = coding.code(frames, coding.x264("veryfast", 17))
        print(f"| {name} | {psnr(frames, large):.2f} | {psnr(coded, large):.2f} | {flicker(frames, large):.2f} |", flush=True)


def clip_whole(path, every=1):
    size = subprocess.run(["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "stream=width,height",
                           "-of", "csv=p=0", path], check=True, capture_output=True, text=True).stdout.split("\n")[0]
    width, height = (int(n) for n in size.split(",")[:2])
    return coding.decode(path, (height, width))[::every]


def main():
    parser = argparse.ArgumentParser(description="What restore wins, alone and in front of fast.")
    parser.add_argument("sources", nargs="*", metavar="PICTURES|CLIP")
    parser.add_argument("--models", default=str(ROOT / "models"))
    parser.add_argument("--sample", nargs=2, metavar=("FILE", "TRUTH"))
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--only", default="", help="codings with this word in their name")
    parser.add_argument("--json")
    args = parser.parse_args()
    engine, tables = Engine(args.models), {}
    for source in args.sources:
        clips = [(large, np.stack([imaging.shrink(f, 2) for f in large])) for large in truths(source, args.frames)]
        name = pathlib.Path(source).name
        tables[name] = {kind: measure(engine, kind, clips) for kind in CODINGS if args.only in kind}
        still = f"{len(clips)} pictures, panning" if os.path.isdir(source) else f"{len(clips[0][0])} frames"
        print_table(f"{name} ({still})", tables[name])
    print()
    if tables:
        bars(tables)
    for source in args.sources:
        if os.path.isdir(source):
            clean_stills(engine, source)
    if args.sample:
        sample(engine, *args.sample)
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps(tables, indent=1) + "\n", encoding="utf-8")


main()
