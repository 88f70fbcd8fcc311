# SPDX-License-Identifier: LGPL-2.1-or-later
"""What no ffmpeg of 5.1 writes and films have: captions in H.264, dynamic metadata in HEVC. Both are messages put in front
of each picture of a stream of NAL units."""
import re


def units(data):
    """NAL units of a stream with start codes, without them."""
    return [u.rstrip(b"\0") for u in re.split(b"\0\0\0?\1", data)[1:]]


def escaped(payload):
    """No start code may stand in it."""
    out, zeros = bytearray(), 0
    for byte in payload:
        if zeros >= 2 and byte <= 3:
            out.append(3)
            zeros = 0
        out.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return bytes(out)


def message(kind, payload):
    """An SEI message, payloads up to 510 bytes."""
    size = bytes([255] * (len(payload) // 255) + [len(payload) % 255])
    return escaped(bytes([kind]) + size + payload + b"\x80")


def odd_parity(byte):
    return byte | (0x80 if bin(byte).count("1") % 2 == 0 else 0)


def pairs_of(words):
    """Bytes of CEA-608, two a picture: pop-on captions, shown, later erased."""
    codes = [(0x14, 0x20), (0x14, 0x20), (0x14, 0x2E), (0x14, 0x2E), (0x14, 0x70), (0x14, 0x70)]
    text = words.encode("ascii") + b"\0" * (len(words) % 2)
    codes += [(text[i], text[i + 1]) for i in range(0, len(text), 2)]
    codes += [(0x14, 0x2F), (0x14, 0x2F)] + [(0, 0)] * 25 + [(0x14, 0x2C), (0x14, 0x2C)]
    return [(odd_parity(a), odd_parity(b)) for a, b in codes]


def with_captions(data, words):
    """H.264 without B-pictures, one slice a picture."""
    out, pairs = [], iter(pairs_of(words))
    for unit in units(data):
        if unit[0] & 31 in (1, 5):
            a, b = next(pairs, (0x80, 0x80))
            body = bytes([0xB5, 0, 0x31]) + b"GA94" + bytes([3, 0xC1, 0xFF, 0xFC, a, b, 0xFF])
            out.append(b"\x06" + message(4, body))
        out.append(unit)
    return b"".join(b"\0\0\0\1" + u for u in out)


class Bits:
    def __init__(self):
        self.text = ""

    def put(self, count, value):
        self.text += format(value, f"0{count}b")

    def bytes(self):
        text = self.text + "0" * (-len(self.text) % 8)
        return bytes(int(text[i:i + 8], 2) for i in range(0, len(text), 8))


def dynamic_metadata(number):
    """SMPTE ST 2094-40, application 4 version 1: one window, a maximum that changes with the picture."""
    bits = Bits()
    bits.put(8, 4)
    bits.put(8, 1)
    bits.put(2, 1)  # windows
    bits.put(27, 400)  # luminance of the target
    bits.put(1, 0)
    for value in (1000 + number, 2000, 3000):
        bits.put(17, value)
    bits.put(17, 500)  # average
    bits.put(4, 2)
    for percent, value in ((1, 100), (99, 9000 + number)):
        bits.put(7, percent)
        bits.put(17, value)
    bits.put(10, 12)  # bright pixels
    bits.put(1, 0)
    bits.put(1, 0)  # no tone mapping
    bits.put(1, 0)  # no saturation
    return bytes([0xB5, 0, 0x3C, 0, 1]) + bits.bytes()


def with_hdr10plus(data):
    """HEVC with one slice a picture."""
    out, number = [], 0
    for unit in units(data):
        kind = unit[0] >> 1 & 63
        if kind < 32 and unit[2] & 0x80:  # the first slice of a picture
            out.append(bytes([39 << 1, 1]) + message(4, dynamic_metadata(number)))
            number += 1
        out.append(unit)
    return b"".join(b"\0\0\0\1" + u for u in out)
