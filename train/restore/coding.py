# SPDX-License-Identifier: LGPL-2.1-or-later
"""Luma frames through a real encoder and back, by the ffmpeg command line.

`code(frames, words)` encodes [n,H,W] u8 luma (chroma is neutral, 4:2:0, code
values untouched) with the encoder options `words`, decodes the file and gives
the decoded luma of every frame: as many as went in, or an error.  One thread:
the same FFmpeg and x264 give the same bytes.
"""
import os
import shutil
import subprocess
import tempfile

import numpy as np


def ffmpeg(words, given=None):
    program = shutil.which("ffmpeg")
    if not program:
        raise SystemExit("coding: there is no ffmpeg program here: script/packages run installs it")
    done = subprocess.run([program, "-hide_banner", "-v", "error", "-y", *words], input=given, capture_output=True)
    if done.returncode:
        raise SystemExit(f"coding: ffmpeg {' '.join(words)}: {done.stderr.decode(errors='replace').strip()[-600:]}")
    return done.stdout


def as_420(frames):
    """[n,H,W] -> bytes of yuv420p frames with neutral chroma; H and W even."""
    n, height, width = frames.shape
    whole = np.full((n, height * width * 3 // 2), 128, np.uint8)
    whole[:, :height * width] = frames.reshape(n, -1)
    return whole.tobytes()


def decode(path, shape):
    """Luma of all frames of a file of 8-bit 4:2:0 or grey; shape is (H, W)."""
    raw = ffmpeg(["-threads", "1", "-i", path, "-map", "0:v:0", "-vf", "extractplanes=y", "-fps_mode", "passthrough",
                  "-f", "rawvideo", "-"])
    return np.frombuffer(raw, np.uint8).reshape(-1, *shape)


def code(frames, words, rate=25):
    """-> (decoded frames [n,H,W] u8, bytes of the encoded file)."""
    n, height, width = frames.shape
    with tempfile.TemporaryDirectory(prefix="restore-") as folder:
        path = os.path.join(folder, "coded.mkv")
        ffmpeg(["-f", "rawvideo", "-pixel_format", "yuv420p", "-video_size", f"{width}x{height}", "-framerate", str(rate),
                "-i", "-", *words, "-threads", "1", path], as_420(frames))
        decoded, size = decode(path, (height, width)), os.path.getsize(path)
    if len(decoded) != n:
        raise SystemExit(f"coding: {' '.join(words)}: {n} frames went in and {len(decoded)} came out")
    return decoded, size


def x264(preset, crf, gop=250, *more):
    return ["-c:v", "libx264", "-preset", preset, "-crf", str(crf), "-g", str(gop),
            "-x264-params", "cpu-independent=1", *more]


def x265(preset, crf, gop=250):
    return ["-c:v", "libx265", "-preset", preset, "-crf", str(crf), "-g", str(gop),
            "-x265-params", "log-level=error:pools=none:frame-threads=1"]


def mpeg2(quantiser, gop=15, b_frames=2):
    return ["-c:v", "mpeg2video", "-qscale:v", str(quantiser), "-g", str(gop), "-bf", str(b_frames)]


def mpeg2_rate(kbits, gop=15, b_frames=2):
    """A constant bit rate for 352x288-like sizes, as a broadcast or a VideoCD has."""
    return ["-c:v", "mpeg2video", "-b:v", f"{kbits}k", "-maxrate", f"{kbits}k", "-bufsize", f"{kbits}k",
            "-g", str(gop), "-bf", str(b_frames)]


def mpeg4(quantiser, gop=100, b_frames=0):
    return ["-c:v", "mpeg4", "-qscale:v", str(quantiser), "-g", str(gop), "-bf", str(b_frames)]


def jpeg(quantiser):
    return ["-c:v", "mjpeg", "-qscale:v", str(quantiser), "-vf", "setrange=pc", "-pix_fmt", "yuvj420p"]
