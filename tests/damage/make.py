#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes damaged video files, always the same ones from the same ffmpeg.

    tests/damage/make.py FOLDER [NUMBER]...

A small whole clip is encoded for each pair of container and codec that ffmpeg can write, and each is damaged in each of
the ways of DAMAGES, with a random generator seeded by the file's name. Files are called NUMBER-CONTAINER-CODEC-DAMAGE
with the container's ending; whole clips go to FOLDER/whole. With numbers only those files are made, and --list prints
the names alone."""
import argparse
import os
import random
import subprocess

SIZE, FRAMES = "96x64", 20

X264 = ["-c:v", "libx264", "-g", "8", "-bf", "2", "-threads", "1"]
CODECS = {
    "h264": X264,
    "hevc": ["-c:v", "libx265", "-g", "8", "-x265-params", "log-level=error:pools=1:frame-threads=1"],
    "mpeg2": ["-c:v", "mpeg2video", "-g", "8", "-bf", "2", "-q:v", "6"],
    "vp9": ["-c:v", "libvpx-vp9", "-g", "8", "-cpu-used", "8", "-deadline", "realtime", "-b:v", "200k", "-threads", "1"],
    "av1": ["-c:v", "libsvtav1", "-g", "8", "-preset", "12", "-svtav1-params", "lp=1"],
}
CONTAINERS = {
    "mp4": ("mp4", ["-movflags", "+faststart"], ["h264", "hevc", "mpeg2", "vp9", "av1"]),
    "mkv": ("matroska", [], ["h264", "hevc", "mpeg2", "vp9", "av1"]),
    "ts": ("mpegts", [], ["h264", "hevc", "mpeg2"]),
    "avi": ("avi", [], ["h264", "hevc", "mpeg2", "vp9", "av1"]),
    "mpg": ("mpeg", [], ["h264", "mpeg2"]),
}
PAIRS = [(container, codec) for container, row in CONTAINERS.items() for codec in row[2]]


def ffmpeg(*arguments):
    subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-y", *arguments], check=True,
                   env={**os.environ, "SVT_LOG": "1"})


def make_whole(folder, container, codec):
    path = os.path.join(folder, "whole", f"{codec}.{container}")
    if os.path.exists(path):
        return path
    os.makedirs(os.path.dirname(path), exist_ok=True)
    sound = ["-f", "lavfi", "-i", "sine=f=440:r=44100:d=0.8"] if container in ("mp4", "mkv", "ts", "mpg") else []
    kind, extra, _ = CONTAINERS[container]
    ffmpeg("-f", "lavfi", "-i", f"testsrc2=s={SIZE}:r=25", *sound, "-frames:v", str(FRAMES), "-pix_fmt", "yuv420p",
           *CODECS[codec], "-c:a", "mp2" if container == "mpg" else "aac", "-fflags", "+bitexact", "-flags", "+bitexact",
           *extra, "-f", kind, path)
    return path


# ---- ways of damage: bytes, a generator, the whole clip of another codec; bytes ----

def cut(share):
    return lambda data, rng, other: data[:max(1, int(len(data) * share))]


def cut_end(data, rng, other):
    return data[:-rng.randrange(3, 40)]


def flip(count, begin, end):
    """So many bits between two shares of the file."""
    def change(data, rng, other):
        for _ in range(count):
            data[rng.randrange(int(len(data) * begin), int(len(data) * end))] ^= 1 << rng.randrange(8)
        return data
    return change


def flip_header(data, rng, other):
    for _ in range(6):
        data[rng.randrange(min(len(data), 700))] ^= 1 << rng.randrange(8)
    return data


def noise(data, rng, other):
    begin = rng.randrange(len(data) // 3, len(data) * 2 // 3)
    for i in range(begin, min(len(data), begin + 300)):
        data[i] = rng.randrange(256)
    return data


def zero(begin, end):
    def change(data, rng, other):
        first, last = int(len(data) * begin), int(len(data) * end)
        data[first:last] = bytes(last - first)
        return data
    return change


def zero_sectors(data, rng, other):
    for _ in range(4):
        begin = rng.randrange(len(data))
        data[begin:begin + 64] = bytes(min(64, len(data) - begin))
    return data


def swap_in_header(data, rng, other):
    size = 24
    first, second = rng.randrange(4, 200), rng.randrange(224, 500)
    data[first:first + size], data[second:second + size] = data[second:second + size], data[first:first + size]
    return data


def swap_in_body(data, rng, other):
    size = min(376, len(data) // 8)
    first, second = rng.randrange(len(data) // 4, len(data) // 2), rng.randrange(len(data) * 5 // 8, len(data) - size)
    data[first:first + size], data[second:second + size] = data[second:second + size], data[first:first + size]
    return data


def head_of_another(data, rng, other):
    at = min(len(data), len(other)) // 4
    return other[:at] + data[at:]


def drop_packets(data, rng, other):
    """Of 188 bytes, as a transport stream loses them."""
    whole = [data[i:i + 188] for i in range(0, len(data), 188)]
    return bytearray(b"".join(p for i, p in enumerate(whole) if i < 4 or rng.random() > 0.04))


def drop_bytes(data, rng, other):
    for _ in range(3):
        begin = rng.randrange(len(data) // 5, len(data) - 50)
        del data[begin:begin + rng.randrange(1, 40)]
    return data


def repeat_bytes(data, rng, other):
    begin = rng.randrange(len(data) // 5, len(data) * 4 // 5)
    data[begin:begin] = data[begin:begin + rng.randrange(20, 600)]
    return data


DAMAGES = {
    "cut-20": cut(0.2), "cut-55": cut(0.55), "cut-90": cut(0.9), "cut-end": cut_end,
    "flip-few": flip(3, 0.3, 1), "flip-many": flip(60, 0.2, 1), "flip-header": flip_header, "noise": noise,
    "zero-middle": zero(0.5, 0.58), "zero-start": zero(0, 0.02), "zero-sectors": zero_sectors,
    "swap-header": swap_in_header, "swap-body": swap_in_body, "head-of-another": head_of_another,
    "drop-packets": drop_packets, "drop-bytes": drop_bytes, "repeat": repeat_bytes,
}


def rows():
    """(number, container, codec, damage), in an order in which every seventh and so on are of all kinds."""
    return [(i * len(DAMAGES) + j, container, codec, damage)
            for i, (container, codec) in enumerate(PAIRS) for j, damage in enumerate(DAMAGES)]


def name_of(row):
    return f"{row[0]:03d}-{row[1]}-{row[2]}-{row[3]}.{row[1]}"


def make(folder, row):
    number, container, codec, damage = row
    codecs = CONTAINERS[container][2]
    another = codecs[(codecs.index(codec) + 1) % len(codecs)]
    with open(make_whole(folder, container, codec), "rb") as file:
        data = bytearray(file.read())
    with open(make_whole(folder, container, another), "rb") as file:
        other = bytearray(file.read())
    path = os.path.join(folder, name_of(row))
    with open(path, "wb") as file:
        file.write(DAMAGES[damage](data, random.Random(name_of(row)), other))
    return path


def spread(per_pair):
    """Some rows of every pair, and of every damage about as often."""
    step, ways = 5, len(DAMAGES)
    wanted = {(i, (i * per_pair + k) * step % ways) for i in range(len(PAIRS)) for k in range(per_pair)}
    return [row for row in rows() if divmod(row[0], ways) in wanted]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("numbers", nargs="*", type=int)
    parser.add_argument("--list", action="store_true", help="names alone")
    given = parser.parse_args()
    for row in rows():
        if not given.numbers or row[0] in given.numbers:
            print(name_of(row) if given.list else make(given.folder, row))


if __name__ == "__main__":
    main()
