# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checksums of S3 computed here, bit by bit, so that they owe nothing to the server."""
import base64
import hashlib
import zlib

ALGORITHMS = ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"]


def _table(polynomial):
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (polynomial if value & 1 else 0)
        table.append(value)
    return table


_TABLES = {"CRC32C": (_table(0x82F63B78), 32), "CRC64NVME": (_table(0x9A6C9329AC4BC9B5), 64)}


def digest(algorithm, data):
    if algorithm in ("SHA1", "SHA256"):
        return hashlib.new(algorithm.lower(), data).digest()
    if algorithm == "CRC32":
        return zlib.crc32(data).to_bytes(4, "big")
    table, width = _TABLES[algorithm]
    ones = (1 << width) - 1
    value = ones
    for byte in data:
        value = value >> 8 ^ table[(value ^ byte) & 255]
    return (value ^ ones).to_bytes(width // 8, "big")


def text(algorithm, data):
    """As it stands in x-amz-checksum-…"""
    return base64.b64encode(digest(algorithm, data)).decode()


def composite(algorithm, parts):
    """Of an upload: the digest of the parts' digests, without "-<parts>"."""
    return text(algorithm, b"".join(digest(algorithm, part) for part in parts))


def field(algorithm):
    return "x-amz-checksum-" + algorithm.lower()
