#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""usage: bench/figures.py [PICTURES]...

Prints the tables of the README, as Markdown: the speed of each network in models/ beside the machine's own peak, that of
`fast` at every level of this machine, the engine's peak memory, the time `spyhop upscale` takes for the sample, and the
quality of each enlarging network on each folder of PICTURES. Says for each of these scores whether the network's card
(models/NAME.md) tells the same, to 0.02 dB; the code is 1 when one does not. ONNX_DIR names another folder of networks. Run
it on an idle machine; it says how much the rounds differ."""
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
MODELS = pathlib.Path(os.environ.setdefault("ONNX_DIR", str(ROOT / "models")))
THREADS = 2
RUNS = 3
CARD_TOLERANCE = 0.02  # dB


def spyhop_json(*words):
    done = subprocess.run([PROGRAM, *words, "--json"], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def machine():
    model = re.search(r"^model name\s*:\s*(.*)$", pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.M)
    load = os.getloadavg()[0]
    return f"{os.cpu_count()} cores of {model.group(1) if model else platform.machine()}, load {load:.1f} at the start"


def networks():
    """Names, those that the README tells of first, first."""
    known = ["fast", "balanced", "quality", "restore"]
    names = sorted(path.stem for path in MODELS.glob("*.onnx"))
    return sorted(names, key=lambda name: known.index(name) if name in known else len(known))


def bench(name, *words):
    """The row of `spyhop bench`, or None where this machine has no such level."""
    words = ("bench", "--model", name, "--size", "640x480", "--threads", str(THREADS), *words)
    if subprocess.run([PROGRAM, *words, "--seconds", "1"], capture_output=True).returncode != 0:
        return None
    return spyhop_json(*words)


def print_speed(title, row):
    share = row["gmac_per_s"] / row["peak_gmac_per_s"]
    print(f"| {title} | {row['fps']:.1f} | {row['spread'] * 100:.0f} % | {row['gmac_per_s']:.0f} | "
          f"{row['peak_gmac_per_s']:.0f} | {share * 100:.0f} % |")


def speed():
    print(f"| `spyhop bench --size 640x480 --threads {THREADS}` | fps | spread | GMAC/s | peak | reached |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name in networks():
        row = bench(name)
        if row:
            print_speed(f"`--model {name}` ({row.get('precision', 'fp32')})", row)
    for level in ("avx512vnni", "avx512", "avxvnni", "avx2", "c"):
        row = bench("fast", "--cpu", level)
        if row:
            print_speed(f"`--model fast --cpu {level}`", row)


def memory():
    tool = pathlib.Path(PROGRAM).parent / "bench" / "memory"
    if tool.exists():
        files = [str(MODELS / f"{name}.onnx") for name in networks()]
        print("```")
        print(subprocess.run([tool, *files], capture_output=True, text=True).stdout.rstrip())
        print("```")


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


def enlarges(name):
    return "restore" not in name


def card_agrees(name, folder, psnr):
    """The card's line about the folder has the score, among others."""
    card = MODELS / f"{re.sub('_x[34]$', '', name)}.md"  # one card for all scales
    text = card.read_text(encoding="utf-8") if card.exists() else ""
    lines = [line for line in text.split("\n") if line.startswith("|") and folder in line]
    scores = [float(number) for line in lines for number in re.findall(r"\d+\.\d+", line)]
    return any(abs(score - psnr) <= CARD_TOLERANCE for score in scores)


def quality(folders):
    """Whether all cards agree."""
    agreed = True
    names = [name for name in networks() if enlarges(name)]
    if folders:
        print("| `spyhop quality --model NETWORK FOLDER` | bicubic | Lanczos | network | card |")
        print("| --- | --- | --- | --- | --- |")
    for name in names if folders else ():
        for folder in folders:
            mean = spyhop_json("quality", "--model", name, folder)["mean"]
            cells = [f"{mean[p + 'psnr_y']:.2f} dB, {mean[p + 'ssim_y']:.4f}" for p in ("bicubic_", "lanczos_", "")]
            same = card_agrees(name, pathlib.Path(folder).name, mean["psnr_y"])
            agreed = agreed and same
            print(f"| `{name}`, {pathlib.Path(folder).name} | {' | '.join(cells)} | {'the same' if same else 'DIFFERS'} |")
    return agreed


def main():
    print(f"Machine: {machine()}.\n")
    speed()
    print()
    sample()
    print()
    memory()
    print()
    return 0 if quality(sys.argv[1:]) else 1


sys.exit(main())
