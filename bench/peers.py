#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""usage: bench/peers.py [--rounds N] [--seconds S] [--size WxH] [--threads N] [--only WORD]... [--realtime] [--json FILE]

Spyhop beside other engines, in one run: oneDNN (Debian's libdnnl) on the bare convolutions of the same shapes, int8 and
fp32, with all the processor has and held to AVX2; ONNX Runtime (npm's onnxruntime-node, or the library that SPYHOP_ORT
names) on the shipped file and on the bare convolutions. Every engine runs once a round, for S seconds, in turn; what is
printed is the median of the rounds and how far they lie apart, then each bar and whether it holds. The code is 1 when one
does not.

--only runs the rows whose name has one of the words. --realtime puts each run before everything else on the machine
(needs root). Installs what is missing: the packages of the groups `bench` and
`npm`, and onnxruntime-node into build/peers."""
import argparse
import json
import os
import pathlib
import platform
import re
import shutil
import statistics
import subprocess
import sys

import nets

ROOT = pathlib.Path(__file__).resolve().parents[1]
PROGRAM = os.environ.get("SPYHOP_PROGRAM", str(ROOT / "build" / "spyhop"))
MODELS = pathlib.Path(os.environ.setdefault("ONNX_DIR", str(ROOT / "models")))
WORK = ROOT / "build" / "peers"
WIDE = (32, 6)  # the wide network: 32 channels, six inner layers


def call(*words, **more):
    return subprocess.run([str(w) for w in words], check=True, **more)


def compile_peer(name, *libraries):
    here = ROOT / "bench"
    call("cc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-o", WORK / name, here / f"{name}.c", here / "peer.c", *libraries)
    return WORK / name


def ort_library():
    named = os.environ.get("SPYHOP_ORT")
    if named:
        return named
    machine = {"x86_64": "x64", "aarch64": "arm64"}[platform.machine()]
    pattern = f"node_modules/onnxruntime-node/bin/*/linux/{machine}/libonnxruntime.so.1"
    if not list(WORK.glob(pattern)):
        if not shutil.which("npm"):
            call(ROOT / "script/packages", "npm")
        call("npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--prefix", WORK,
             "onnxruntime-node", stdout=subprocess.DEVNULL)
    return str(next(WORK.glob(pattern)))


def generated(channels, inner, quantised, bare):
    path = WORK / f"{channels}-{inner}-{'int8' if quantised else 'fp32'}-{'bare' if bare else 'network'}.onnx"
    nets.make(path, channels, inner, quantised, bare)
    return path


def shape_of(model):
    """(channels, inner layers) of a shipped network, from what it says it costs: one of these widths comes out whole."""
    done = call(PROGRAM, "bench", "--model", model, "--size", "64x64", "--seconds", 1, "--json", capture_output=True)
    row = json.loads(done.stdout)
    macs = round(row["gmac_per_s"] * 1e9 / row["fps"] / 64 / 64)
    for channels in (12, 16, 24, 32):
        inner = round((macs / 9 / channels - 5) / channels)
        if nets.macs(channels, inner) == macs:
            return channels, inner
    sys.exit(f"peers: {model}: {macs} multiply-adds a pixel are those of no chain")


class Job:
    """One row: a command that prints JSON with "fps", and what it multiplies for one pixel."""

    def __init__(self, name, macs, words, env=None):
        self.name, self.macs, self.words, self.env = name, macs, [str(w) for w in words], env or {}
        self.rates, self.peaks, self.note, self.isa = [], [], "", ""

    def run(self, prefix):
        done = subprocess.run(prefix + self.words, env={**os.environ, **self.env}, capture_output=True, text=True)
        if done.returncode != 0:
            self.note = done.stderr.strip().split("\n")[-1]
            return False
        row = json.loads(done.stdout)
        self.rates.append(row["fps"])
        self.peaks.append(row.get("peak_gmac_per_s", 0))
        self.note = ", ".join(str(row[key]) for key in ("precision", "cpu", "layout", "version") if key in row)
        return True

    @property
    def fps(self):
        return statistics.median(self.rates) if self.rates else 0

    def spread(self):
        return (max(self.rates) - min(self.rates)) / self.fps if self.fps else 0


def jobs(args):
    width, height = args.size
    shape = ["--size", f"{width}x{height}", "--threads", args.threads, "--seconds", args.seconds, "--json"]
    tail = [width, height, args.threads, args.seconds]
    dnnl = compile_peer("peer_dnnl", "-ldnnl")
    ort, library = compile_peer("peer_ort", "-ldl"), ort_library()
    shapes = {"fast": shape_of("fast"), "wide": WIDE}
    if (MODELS / "balanced.onnx").exists():
        shapes["balanced"] = shape_of("balanced")
    threads = {"OMP_NUM_THREADS": str(args.threads)}

    def ours(name, net, *words):
        model = generated(*shapes[net], True, False) if net == "wide" else net
        return Job(f"spyhop {net}{name}", nets.macs(*shapes[net]), [PROGRAM, "bench", "--model", model, *words, *shape])

    def onednn(net, precision, isa=None):
        env = {**threads, "ONEDNN_MAX_CPU_ISA": isa} if isa else threads
        name = f"oneDNN {net} {precision}" + (f" {isa}" if isa else "")
        return Job(name, nets.macs(*shapes[net]), [dnnl, precision, *shapes[net], *tail], env)

    def runtime(name, net, model, channels, scale):
        return Job(f"ONNX Runtime {net} {name}", nets.macs(*shapes[net]), [ort, library, model, channels, scale, *tail])

    rows = [ours("", net) for net in shapes] + [onednn(net, "int8") for net in shapes]
    for isa, level in (("AVX2", "avx2"), ("AVX2_VNNI", "avxvnni")):
        rows += [ours(f" --cpu {level}", "fast", "--cpu", level), onednn("fast", "int8", isa)]
        rows[-1].isa = rows[-2].isa = isa
    rows.append(onednn("fast", "fp32"))
    rows.append(runtime("shipped file", "fast", MODELS / "fast.onnx", 1, 2))
    rows += [runtime(f"{p} bare", "fast", generated(*shapes["fast"], p == "int8", True), 4, 1) for p in ("int8", "fp32")]
    return [row for row in rows if not args.only or any(word in row.name for word in args.only)]


def print_rows(rows, args):
    """A peer is held against the peak of the row of ours that may use as much of the processor."""
    peaks = {isa: max((p for row in rows if row.isa == isa for p in row.peaks), default=0) for isa in {r.isa for r in rows}}
    print(f"| {args.size[0]}x{args.size[1]} luma, {args.threads} threads | fps | spread | GMAC/s | share of the peak | |")
    print("| --- | --- | --- | --- | --- | --- |")
    for row in rows:
        if not row.rates:
            print(f"| {row.name} | does not run | | | | {row.note} |")
            continue
        gmac = row.fps * row.macs * args.size[0] * args.size[1] * 1e-9
        own = peaks[row.isa]
        print(f"| {row.name} | {row.fps:.1f} | {row.spread() * 100:.0f} % | {gmac:.0f} | "
              f"{f'{gmac / own * 100:.0f} % of {own:.0f}' if own else ''} | {row.note} |")


def bars(rows, args):
    """Prints each bar that these rows can tell; whether all hold."""
    found = {row.name: row for row in rows if row.rates}
    kept = True

    def bar(text, value, least):
        nonlocal kept
        kept = kept and value >= least
        print(f"- {text}: {value:.2f} (at least {least}){'' if value >= least else ' NOT REACHED'}")

    def ratio(ours, theirs, least):
        if ours in found and theirs in found:
            bar(f"{ours} / {theirs}", found[ours].fps / found[theirs].fps, least)

    print()
    for name in ("spyhop fast", "spyhop balanced"):
        if name in found:
            row = found[name]
            gmac = row.fps * row.macs * args.size[0] * args.size[1] * 1e-9
            bar(f"{name} / the machine's peak", gmac / max(row.peaks), 0.6)
    ratio("spyhop fast", "oneDNN fast int8", 1.2)
    ratio("spyhop balanced", "oneDNN balanced int8", 1.2)
    ratio("spyhop fast --cpu avx2", "oneDNN fast int8 AVX2", 1.2)
    ratio("spyhop fast", "ONNX Runtime fast shipped file", 5)
    for theirs in ("ONNX Runtime fast int8 bare", "oneDNN fast fp32"):
        if "spyhop fast" in found and theirs in found:
            print(f"- spyhop fast / {theirs}: {found['spyhop fast'].fps / found[theirs].fps:.2f}")
    return kept


def options():
    parser = argparse.ArgumentParser(usage=__doc__.split("\n")[0].removeprefix("usage: "))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=1)
    parser.add_argument("--size", default="640x480")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", action="append")
    parser.add_argument("--realtime", action="store_true")
    parser.add_argument("--json")
    args = parser.parse_args()
    args.size = tuple(int(n) for n in args.size.split("x"))
    return args


def machine():
    model = re.search(r"^model name\s*:\s*(.*)$", pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.M)
    return f"{os.cpu_count()} cores of {model.group(1) if model else platform.machine()}, load {os.getloadavg()[0]:.1f}"


def main():
    args = options()
    WORK.mkdir(parents=True, exist_ok=True)
    call(ROOT / "script/packages", "build", "bench")
    rows = jobs(args)
    prefix = ["chrt", "-f", "1"] if args.realtime else []
    live = list(rows)
    for _ in range(args.rounds):
        live = [row for row in live if row.run(prefix)]
    print(f"Machine: {machine()}. Medians of {args.rounds} rounds of {args.seconds} s, all engines in turn.\n")
    print_rows(rows, args)
    kept = bars(rows, args)
    if args.json:
        result = {row.name: {"fps": row.fps, "rates": row.rates, "macs": row.macs, "note": row.note} for row in rows}
        pathlib.Path(args.json).write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return 0 if kept else 1


sys.exit(main())
