#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""usage: bench/upscale.py [--memory MINUTES]

End to end: a clip of 640x480 (H.264, made from samples/sample.mp4) to 1280x960 in libx264 veryfast at CRF 23, by `spyhop
upscale --model fast` (decoded back and checked, as always) and by ffmpeg with plain Lanczos, both without sound and with
THREADS threads, in turns. Prints frames a second, the spread, and their ratio beside the bar.

--memory: resident memory of the processes of `spyhop upscale` at each minute of a long clip, and how much the last differs from
the first."""
import argparse
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
PROGRAM = os.environ.get("SPYHOP_PROGRAM", str(ROOT / "build" / "spyhop"))
THREADS, ROUNDS, FRAMES = 2, 3, 250
RATIO, LEAST = 0.55, 30


def ffmpeg(*words):
    subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-y", *words], check=True)


def upscale_words(source, out):
    return [PROGRAM, "upscale", "--quiet", "-y", "--encoder", "libx264", "--preset", "veryfast", "--crf", "23", "--threads",
            str(THREADS), "--model", "fast", source, out]


def lanczos_words(source, out):
    return ["ffmpeg", "-nostdin", "-v", "error", "-y", "-threads", str(THREADS), "-i", source, "-an", "-vf",
            "scale=1280:960:flags=lanczos", "-c:v", "libx264", "-preset", "veryfast", "-crf", "23", "-threads", str(THREADS), out]


def timed(words):
    start = time.monotonic()
    subprocess.run(words, check=True)
    return FRAMES / (time.monotonic() - start)


def speed(folder):
    clip = os.path.join(folder, "clip.mp4")
    ffmpeg("-i", str(ROOT / "samples/sample.mp4"), "-an", "-vf", "scale=640:480", "-frames:v", str(FRAMES), "-c:v", "libx264",
           "-crf", "20", clip)
    found = {"lanczos": [], "spyhop": []}
    for _ in range(ROUNDS):
        found["lanczos"].append(timed(lanczos_words(clip, os.path.join(folder, "l.mp4"))))
        found["spyhop"].append(timed(upscale_words(clip, os.path.join(folder, "s.mp4"))))
    middle = {name: statistics.median(rates) for name, rates in found.items()}
    for name, rates in found.items():
        print(f"{name:8} {middle[name]:6.1f} fps ({min(rates):.1f} to {max(rates):.1f})")
    ratio = middle["spyhop"] / middle["lanczos"]
    print(f"ratio    {ratio:6.2f} (bar {RATIO}: {'holds' if ratio >= RATIO else 'MISSED'}); "
          f"{LEAST} fps: {'holds' if middle['spyhop'] >= LEAST else 'MISSED'}")


def resident(process):
    """MB of a process and its children."""
    pids, total = [process.pid], 0
    for pid in pids:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as children:
            pids += [int(n) for n in children.read().split()]
        with open(f"/proc/{pid}/statm", encoding="ascii") as pages:
            total += int(pages.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return total / 1e6


def memory(folder, minutes):
    """A clip of moving pictures, gone through again and again without encoding it anew, long enough for a machine that makes
    200 frames a second."""
    once, clip = os.path.join(folder, "once.mp4"), os.path.join(folder, "long.mp4")
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=640x480:r=25:d=20", "-c:v", "libx264", "-preset", "ultrafast", "-crf", "30", once)
    ffmpeg("-stream_loop", str(minutes * 60 * 200 // 500), "-i", once, "-c", "copy", clip)
    found = []
    with subprocess.Popen(upscale_words(clip, os.path.join(folder, "m.mp4"))) as process:
        for minute in range(1, minutes + 1):
            time.sleep(60)
            if process.poll() is not None:
                break
            found.append(resident(process))
            print(f"minute {minute:3}: {found[-1]:.1f} MB", flush=True)
        process.kill()
    if len(found) > 1:
        print(f"{100 * (found[-1] / found[0] - 1):+.1f} % from minute 1 to {len(found)} (bar: within 5 %)")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--memory", type=int, metavar="MINUTES", default=0)
    minutes = parser.parse_args().memory
    with tempfile.TemporaryDirectory() as folder:
        if minutes:
            memory(folder, minutes)
        else:
            speed(folder)


if __name__ == "__main__":
    main()
