# SPDX-License-Identifier: LGPL-2.1-or-later
"""Y-PSNR and SSIM at x2 of a compressed clip against the truth it was made from.

    script/sample CLIPS PHOTOGRAPHS --truth truth.mkv
    train/evaluate_clip.py models/fast.onnx samples/sample.mp4 truth.mkv

Every 10th frame's luma is enlarged, rounded to u8 and compared, 2 pixels cut.
The clip is compressed, so this says what a viewer gains, not what a network can do.
"""
import argparse
import subprocess
import sys

import numpy as np

import evaluate
import imaging


def frames(path, every):
    """Luma planes of every `every`th frame, code values as coded."""
    size = subprocess.run(["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "stream=width,height",
                           "-of", "csv=p=0", path], check=True, capture_output=True, text=True).stdout.split(",")
    width, height = int(size[0]), int(size[1])
    raw = subprocess.run(["ffmpeg", "-v", "error", "-i", path, "-vf", f"select=not(mod(n\\,{every})),extractplanes=y",
                          "-vsync", "0", "-f", "rawvideo", "-"], check=True, capture_output=True).stdout
    if len(raw) % (width * height):
        sys.exit(f"evaluate_clip: {path}: frames are not of 8 bits")
    return np.frombuffer(raw, np.uint8).reshape(-1, height, width)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network", help="checkpoint, .onnx, or 'none'")
    parser.add_argument("clip")
    parser.add_argument("truth")
    parser.add_argument("--every", type=int, default=10)
    args = parser.parse_args()
    small, large = frames(args.clip, args.every), frames(args.truth, args.every)
    if len(small) != len(large) or large.shape[1] != 2 * small.shape[1]:
        sys.exit(f"evaluate_clip: {args.truth} is not the truth of {args.clip}: frames or sizes differ")
    rows, scale = evaluate.methods(None if args.network == "none" else args.network)
    if scale != 2:
        sys.exit(f"evaluate_clip: {args.network} enlarges by {scale}, the clip's truth is twice its size")
    for name, enlarge in rows.items():
        scores = [(imaging.psnr(out, b), imaging.ssim(out, b))
                  for out, b in ((imaging.to_u8(enlarge(a)), b) for a, b in zip(small, large))]
        print(f"{name:20} {np.mean([s[0] for s in scores]):7.3f} dB {np.mean([s[1] for s in scores]):.4f}")


if __name__ == "__main__":
    main()
