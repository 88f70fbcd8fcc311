# SPDX-License-Identifier: LGPL-2.1-or-later
"""What S3 knows of an object's bytes: checksums, multipart uploads, reads by part, GetObjectAttributes."""
import hashlib
import json
import os
import re
import unittest
import urllib.parse
import xml.etree.ElementTree

from s3_case import S3Case, error_code, raw
import s3_sums
from s3_sums import ALGORITHMS, field

MIB = 1 << 20
ENABLED = {"x-amz-checksum-mode": "ENABLED"}


def elements(data):
    """The document with every name bare."""
    root = xml.etree.ElementTree.fromstring(data)
    for node in root.iter():
        node.tag = re.sub(r"^\{.*\}", "", node.tag)
    return root


def message(response):
    return elements(response.data).findtext("Message")


class ContentCase(S3Case):
    def refused(self, response, status, code, words=""):
        self.assertEqual((response.status, error_code(response)), (status, code), response.data)
        self.assertIn(words, message(response))

    def upload(self, key, headers=None):
        response = raw(self.server, "POST", "/bucket/%s?uploads" % key, headers=headers)
        self.assertEqual(response.status, 200, response.data)
        return elements(response.data).findtext("UploadId"), response

    def part(self, key, upload, number, body, headers=None):
        return raw(self.server, "PUT", "/bucket/%s?partNumber=%d&uploadId=%s" % (key, number, upload), body, headers)

    def complete(self, key, upload, parts, headers=None):
        """parts: (number, etag, {element: text})"""
        rows = "".join("<Part><PartNumber>%d</PartNumber><ETag>%s</ETag>%s</Part>"
                       % (number, etag.replace('"', "&quot;"), "".join("<%s>%s</%s>" % (k, v, k) for k, v in more.items()))
                       for number, etag, more in parts)
        body = ("<CompleteMultipartUpload>%s</CompleteMultipartUpload>" % rows).encode()
        return raw(self.server, "POST", "/bucket/%s?uploadId=%s" % (key, upload), body, headers)

    def make(self, key, bodies, headers=None, algorithm=None, numbers=None):
        """A finished upload of these parts."""
        upload, _ = self.upload(key, headers)
        parts = []
        for number, body in zip(numbers or range(1, len(bodies) + 1), bodies):
            sums = {field(algorithm): s3_sums.text(algorithm, body)} if algorithm else {}
            response = self.part(key, upload, number, body, sums)
            self.assertEqual(response.status, 200, response.data)
            parts.append((number, response.headers["ETag"],
                          {"Checksum" + algorithm: s3_sums.text(algorithm, body)} if algorithm else {}))
        response = self.complete(key, upload, parts)
        self.assertEqual(response.status, 200, response.data)
        return elements(response.data)


class Checksums(ContentCase):
    def test_given_with_the_head(self):
        for algorithm in ALGORITHMS:
            with self.subTest(algorithm):
                body = b"checksum of " + algorithm.encode()
                sums = s3_sums.text(algorithm, body)
                put = raw(self.server, "PUT", "/bucket/sum", body, {field(algorithm): sums})
                self.assertEqual((put.status, put.headers[field(algorithm)], put.headers["x-amz-checksum-type"]),
                                 (200, sums, "FULL_OBJECT"))
                for method in "GET", "HEAD":
                    response = raw(self.server, method, "/bucket/sum", headers=ENABLED)
                    self.assertEqual(response.headers[field(algorithm)], sums)
                    self.assertEqual(response.headers["x-amz-checksum-type"], "FULL_OBJECT")
                    self.assertIsNone(raw(self.server, method, "/bucket/sum").headers[field(algorithm)])

    def test_wrong(self):
        for algorithm in ALGORITHMS:
            with self.subTest(algorithm):
                put = raw(self.server, "PUT", "/bucket/wrong", b"this", {field(algorithm): s3_sums.text(algorithm, b"that")})
                self.refused(put, 400, "BadDigest", "The %s you specified did not match the calculated checksum." % algorithm)
        self.fails("NoSuchKey", 404, self.s3.get_object, Bucket="bucket", Key="wrong")

    def test_malformed(self):
        for value in ["", "x", "!!!!", "AAAA", "AAAAAAAA", "AAAAAA=="[:7]]:
            with self.subTest(value):
                put = raw(self.server, "PUT", "/bucket/x", b"1", {"x-amz-checksum-crc32": value})
                self.refused(put, 400, "InvalidRequest", "Value for x-amz-checksum-crc32 header is invalid.")

    def test_two_are_too_many(self):
        headers = {"x-amz-checksum-crc32": s3_sums.text("CRC32", b"1"), "x-amz-checksum-sha1": s3_sums.text("SHA1", b"1")}
        self.refused(raw(self.server, "PUT", "/bucket/x", b"1", headers), 400, "InvalidRequest",
                     "Expecting a single x-amz-checksum- header")

    def test_unknown_algorithm(self):
        self.refused(raw(self.server, "PUT", "/bucket/x", b"1", {"x-amz-checksum-md4": "AAAA"}), 400, "InvalidRequest",
                     "The algorithm type you specified in x-amz-checksum- header is invalid.")

    def test_sdk_algorithm(self):
        good = s3_sums.text("CRC32", b"1")
        for headers, words in [
                ({"x-amz-sdk-checksum-algorithm": "CRC32"}, "no corresponding x-amz-checksum-* or x-amz-trailer headers"),
                ({"x-amz-sdk-checksum-algorithm": "SHA1", "x-amz-checksum-crc32": good}, "header is invalid"),
                ({"x-amz-sdk-checksum-algorithm": "MD4", "x-amz-checksum-crc32": good}, "header is invalid")]:
            with self.subTest(headers=headers):
                self.refused(raw(self.server, "PUT", "/bucket/x", b"1", headers), 400, "InvalidRequest", words)
        response = raw(self.server, "PUT", "/bucket/x", b"1", {"x-amz-sdk-checksum-algorithm": "CRC32",
                                                               "x-amz-checksum-crc32": good})
        self.assertEqual(response.status, 200)

    def test_made_by_the_server(self):
        put = raw(self.server, "PUT", "/bucket/own", b"123456789")
        self.assertEqual(put.headers["x-amz-checksum-crc64nvme"], "rosUhgp5mIg=")  # the polynomial's check value
        self.assertEqual(put.headers["x-amz-checksum-type"], "FULL_OBJECT")
        head = raw(self.server, "HEAD", "/bucket/own", headers=ENABLED)
        self.assertEqual(head.headers["x-amz-checksum-crc64nvme"], "rosUhgp5mIg=")
        body = os.urandom(100003)
        put = raw(self.server, "PUT", "/bucket/own", body)
        self.assertEqual(put.headers["x-amz-checksum-crc64nvme"], s3_sums.text("CRC64NVME", body))

    def test_not_told_of_a_range(self):
        raw(self.server, "PUT", "/bucket/ranged", b"0123456789")
        response = raw(self.server, "GET", "/bucket/ranged", headers=dict(ENABLED, Range="bytes=0-3"))
        self.assertEqual((response.status, response.headers["x-amz-checksum-crc64nvme"]), (206, None))

    def chunked(self, trailer, value, body=b"hello"):
        headers = {"Content-Encoding": "aws-chunked", "X-Amz-Decoded-Content-Length": str(len(body)),
                   "X-Amz-Trailer": trailer}
        lines = b"%x\r\n%s\r\n0\r\n" % (len(body), body)
        if value is not None:
            lines += b"%s:%s\r\n" % (trailer.encode(), value.encode())
        return raw(self.server, "PUT", "/bucket/trailed", lines + b"\r\n", headers,
                   payload="STREAMING-UNSIGNED-PAYLOAD-TRAILER")

    def test_trailers(self):
        for algorithm in ALGORITHMS:
            with self.subTest(algorithm):
                sums = s3_sums.text(algorithm, b"hello")
                response = self.chunked(field(algorithm), sums)
                self.assertEqual((response.status, response.headers[field(algorithm)]), (200, sums), response.data)
                head = raw(self.server, "HEAD", "/bucket/trailed", headers=ENABLED)
                self.assertEqual((head.headers[field(algorithm)], head.headers["Content-Encoding"]), (sums, None))
                self.refused(self.chunked(field(algorithm), s3_sums.text(algorithm, b"other")), 400, "BadDigest")
        self.refused(self.chunked("x-amz-checksum-crc32", None), 400, "MalformedTrailerError")
        self.refused(self.chunked("x-amz-checksum-crc32", "nonsense"), 400, "InvalidRequest", "is invalid")
        self.refused(self.chunked("x-other", "AAAA"), 400, "InvalidRequest", "x-amz-trailer header is not supported")

    def test_md5(self):
        good = "XUFAKrxLKna5cZ2REBfFkg=="
        for value, code in [("", "InvalidDigest"), ("short", "InvalidDigest"), ("YWJyYWNhZGFicmE=", "InvalidDigest"),
                            ("rL0Y20xC+Fzt72VPzMSk2A==", "BadDigest")]:
            with self.subTest(value):
                response = raw(self.server, "PUT", "/bucket/md5", b"hello", {"Content-MD5": value})
                self.refused(response, 400, code)
                found = elements(response.data)
                if code == "BadDigest":
                    self.assertEqual((found.findtext("ExpectedDigest"), found.findtext("CalculatedDigest")), (value, good))
                else:
                    self.assertEqual(found.findtext("Content-MD5") or "", value)
        self.assertEqual(raw(self.server, "PUT", "/bucket/md5", b"hello", {"Content-MD5": good}).status, 200)

    def test_copies(self):
        raw(self.server, "PUT", "/bucket/from", b"source", {field("SHA1"): s3_sums.text("SHA1", b"source")})
        kept = raw(self.server, "PUT", "/bucket/to", headers={"x-amz-copy-source": "bucket/from"})
        self.assertEqual(elements(kept.data).findtext("ChecksumSHA1"), s3_sums.text("SHA1", b"source"))
        self.assertEqual(elements(kept.data).findtext("ChecksumType"), "FULL_OBJECT")
        for algorithm in ALGORITHMS:
            with self.subTest(algorithm):
                copied = raw(self.server, "PUT", "/bucket/to", headers={"x-amz-copy-source": "bucket/from",
                                                                        "x-amz-checksum-algorithm": algorithm})
                sums = s3_sums.text(algorithm, b"source")
                self.assertEqual(elements(copied.data).findtext("Checksum" + algorithm), sums)
                self.assertEqual(raw(self.server, "HEAD", "/bucket/to", headers=ENABLED).headers[field(algorithm)], sums)
        self.refused(raw(self.server, "PUT", "/bucket/to", headers={"x-amz-copy-source": "bucket/from",
                                                                    "x-amz-checksum-algorithm": "MD4"}),
                     400, "InvalidRequest", "[CRC32, CRC32C, CRC64NVME, SHA1, SHA256]")


class Uploads(ContentCase):
    """Checksums of multipart uploads."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.one, cls.two = bytes(range(256)) * (5 * MIB // 256), b"the last part"

    def test_kinds(self):
        """What may be settled at the beginning, and what is the default."""
        for algorithm, kind, outcome in [
                ("CRC32", None, "COMPOSITE"), ("CRC32C", None, "COMPOSITE"), ("SHA1", None, "COMPOSITE"),
                ("SHA256", None, "COMPOSITE"), ("CRC64NVME", None, "FULL_OBJECT"), ("CRC32", "FULL_OBJECT", "FULL_OBJECT"),
                ("CRC32C", "FULL_OBJECT", "FULL_OBJECT"), ("SHA256", "COMPOSITE", "COMPOSITE"),
                ("SHA1", "FULL_OBJECT", None), ("SHA256", "FULL_OBJECT", None), ("CRC64NVME", "COMPOSITE", None)]:
            with self.subTest(algorithm=algorithm, kind=kind):
                headers = {"x-amz-checksum-algorithm": algorithm, **({"x-amz-checksum-type": kind} if kind else {})}
                response = raw(self.server, "POST", "/bucket/kinds?uploads", headers=headers)
                if outcome is None:
                    self.refused(response, 400, "InvalidRequest", "The %s checksum type cannot be used with the %s checksum"
                                 " algorithm." % (kind, algorithm.lower()))
                else:
                    self.assertEqual((response.status, response.headers["x-amz-checksum-algorithm"],
                                      response.headers["x-amz-checksum-type"]), (200, algorithm, outcome))

    def test_kinds_refused(self):
        for headers, words in [
                ({"x-amz-checksum-type": "COMPOSITE"}, "can only be used with the x-amz-checksum-algorithm header"),
                ({"x-amz-checksum-type": "SOME", "x-amz-checksum-algorithm": "CRC32"}, "Value for x-amz-checksum-type header is"),
                ({"x-amz-checksum-algorithm": "MD4"}, "Checksum algorithm provided is unsupported")]:
            with self.subTest(headers=headers):
                self.refused(raw(self.server, "POST", "/bucket/kinds?uploads", headers=headers), 400, "InvalidRequest", words)

    def whole(self, algorithm, kind):
        """The checksum in the answer to the completion, and that of HEAD; both with their types."""
        headers = {"x-amz-checksum-algorithm": algorithm, "x-amz-checksum-type": kind}
        done = self.make("whole", [self.one, self.two], headers, algorithm)
        head = raw(self.server, "HEAD", "/bucket/whole", headers=ENABLED).headers
        self.assertEqual(done.findtext("Checksum" + algorithm), head[field(algorithm)])
        self.assertEqual((done.findtext("ChecksumType"), head["x-amz-checksum-type"]), (kind, kind))
        return head[field(algorithm)]

    def test_composite(self):
        for algorithm in ["CRC32", "SHA1", "SHA256"]:
            with self.subTest(algorithm):
                self.assertEqual(self.whole(algorithm, "COMPOSITE"), s3_sums.composite(algorithm, [self.one, self.two]) + "-2")

    def test_full(self):
        self.assertEqual(self.whole("CRC32", "FULL_OBJECT"), s3_sums.text("CRC32", self.one + self.two))

    def test_crcs_are_combined(self):
        """CRC-32C and CRC-64 of a whole from those of its parts, against a sole part with the same bytes."""
        small = b"of one part only"
        for algorithm in ["CRC32C", "CRC64NVME"]:
            with self.subTest(algorithm):
                headers = {"x-amz-checksum-algorithm": algorithm, "x-amz-checksum-type": "FULL_OBJECT"}
                self.make("combined", [self.one, small], headers)
                combined = raw(self.server, "HEAD", "/bucket/combined", headers=ENABLED).headers[field(algorithm)]
                put = raw(self.server, "PUT", "/bucket/combined", headers={"x-amz-copy-source": "bucket/combined",
                                                                           "x-amz-metadata-directive": "REPLACE",
                                                                           "x-amz-checksum-algorithm": algorithm})
                self.assertEqual(elements(put.data).findtext("Checksum" + algorithm), combined)

    def test_default(self):
        """Without a word about checksums the whole has one, and its parts are told of none."""
        upload, created = self.upload("default")
        self.assertIsNone(created.headers["x-amz-checksum-algorithm"])
        part = self.part("default", upload, 1, self.two)
        self.assertFalse([h for h in part.headers if h.lower().startswith("x-amz-checksum")])
        listed = raw(self.server, "GET", "/bucket/default?uploadId=" + upload)
        self.assertNotIn(b"Checksum", listed.data)
        done = elements(self.complete("default", upload, [(1, part.headers["ETag"], {})]).data)
        self.assertEqual((done.findtext("ChecksumCRC64NVME"), done.findtext("ChecksumType")),
                         (s3_sums.text("CRC64NVME", self.two), "FULL_OBJECT"))

    def test_part_without(self):
        upload, _ = self.upload("p", {"x-amz-checksum-algorithm": "SHA256"})
        self.refused(self.part("p", upload, 1, b"1"), 400, "InvalidRequest",
                     "Checksum Type mismatch occurred, expected checksum Type: sha256, actual checksum Type: null")

    def test_part_of_another_kind(self):
        upload, _ = self.upload("p", {"x-amz-checksum-algorithm": "SHA256"})
        response = self.part("p", upload, 1, b"1", {field("CRC32"): s3_sums.text("CRC32", b"1")})
        self.refused(response, 400, "InvalidRequest", "expected checksum Type: sha256, actual checksum Type: crc32")

    def test_part_of_a_full_one_may_come_without(self):
        upload, _ = self.upload("p", {"x-amz-checksum-algorithm": "CRC32", "x-amz-checksum-type": "FULL_OBJECT"})
        response = self.part("p", upload, 1, b"1")
        self.assertEqual((response.status, response.headers[field("CRC32")]), (200, s3_sums.text("CRC32", b"1")))

    def test_part_with_its_own_where_none_was_settled(self):
        upload, _ = self.upload("p")
        sums = s3_sums.text("SHA1", b"1")
        response = self.part("p", upload, 1, b"1", {field("SHA1"): sums})
        self.assertEqual((response.status, response.headers[field("SHA1")]), (200, sums))
        self.refused(self.part("p", upload, 1, b"2", {field("SHA1"): sums}), 400, "BadDigest")

    def started(self, algorithm="SHA256", kind="COMPOSITE"):
        upload, _ = self.upload("c", {"x-amz-checksum-algorithm": algorithm, "x-amz-checksum-type": kind})
        sums = s3_sums.text(algorithm, self.two)
        part = self.part("c", upload, 1, self.two, {field(algorithm): sums})
        return upload, part.headers["ETag"], sums

    def test_completion_names_the_checksums(self):
        upload, etag, sums = self.started()
        self.refused(self.complete("c", upload, [(1, etag, {})]), 400, "InvalidRequest",
                     "The upload was created using a sha256 checksum. The complete request must include the checksum for "
                     "each part. It was missing for part 1 in the request.")
        self.refused(self.complete("c", upload, [(1, etag, {"ChecksumSHA256": s3_sums.text("SHA256", b"")})]), 400,
                     "InvalidPart")
        self.assertEqual(self.complete("c", upload, [(1, etag, {"ChecksumSHA256": sums})]).status, 200)

    def test_completion_claims_the_whole(self):
        upload, etag, sums = self.started()
        parts = [(1, etag, {"ChecksumSHA256": sums})]
        composite = s3_sums.composite("SHA256", [self.two])
        for headers, status, code in [
                ({"x-amz-checksum-type": "FULL_OBJECT"}, 400, "InvalidRequest"),
                ({"x-amz-mp-object-size": "12"}, 400, "InvalidRequest"), ({"x-amz-mp-object-size": "x"}, 400, "InvalidRequest"),
                ({field("SHA256"): s3_sums.text("SHA256", b"?")}, 400, "BadDigest"),
                ({field("CRC32"): s3_sums.text("CRC32", self.two)}, 400, "InvalidRequest"),
                ({field("SHA256"): composite + "-1", "x-amz-mp-object-size": "13", "x-amz-checksum-type": "COMPOSITE"},
                 200, None)]:
            with self.subTest(headers=headers):
                response = self.complete("c", upload, parts, headers)
                self.assertEqual((response.status, error_code(response)), (status, code), response.data)
        again = self.complete("c", upload, parts)
        self.assertEqual((again.status, elements(again.data).findtext("ChecksumSHA256")), (200, composite + "-1"))

    def test_parts_are_listed_with_theirs(self):
        upload, _, sums = self.started("CRC32")
        found = elements(raw(self.server, "GET", "/bucket/c?uploadId=" + upload).data)
        self.assertEqual([found.findtext(n) for n in ("ChecksumAlgorithm", "ChecksumType", "Part/ChecksumCRC32")],
                         ["CRC32", "COMPOSITE", sums])

    def test_copied_parts(self):
        raw(self.server, "PUT", "/bucket/source", self.two)
        upload, _ = self.upload("pc", {"x-amz-checksum-algorithm": "SHA1"})
        response = self.part("pc", upload, 1, b"", {"x-amz-copy-source": "/bucket/source",
                                                    "x-amz-copy-source-range": "bytes=4-7"})
        self.assertEqual(elements(response.data).findtext("ChecksumSHA1"), s3_sums.text("SHA1", self.two[4:8]))


class Parts(ContentCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.bodies = [b"a" * (5 * MIB), b"b" * (5 * MIB + 7), b"c" * 11]
        case = cls("test_each")
        case.make("parted", cls.bodies, {"x-amz-checksum-algorithm": "CRC32"}, "CRC32")
        case.make("gaps", cls.bodies[1:], None, None, [3, 9])
        cls.s3.put_object(Bucket="bucket", Key="single", Body=b"0123456789")
        cls.s3.put_object(Bucket="bucket", Key="empty", Body=b"")

    def test_each(self):
        first, size = 0, sum(map(len, self.bodies))
        for number, body in enumerate(self.bodies, 1):
            for method in "GET", "HEAD":
                with self.subTest(number=number, method=method):
                    response = raw(self.server, method, "/bucket/parted?partNumber=%d" % number, headers=ENABLED)
                    self.assertEqual(response.status, 206)
                    self.assertEqual(response.data, body if method == "GET" else b"")
                    self.assertEqual(response.headers["Content-Length"], str(len(body)))
                    self.assertEqual(response.headers["Content-Range"], "bytes %d-%d/%d" % (first, first + len(body) - 1, size))
                    self.assertEqual(response.headers["x-amz-mp-parts-count"], "3")
                    self.assertEqual(response.headers["x-amz-checksum-crc32"], s3_sums.text("CRC32", body))
                    self.assertTrue(response.headers["ETag"].endswith('-3"'))
            first += len(body)

    def test_numbers_keep_their_gaps(self):
        self.assertEqual(raw(self.server, "GET", "/bucket/gaps?partNumber=9").data, self.bodies[2])
        response = raw(self.server, "GET", "/bucket/gaps?partNumber=1")
        self.refused(response, 416, "InvalidPartNumber", "The requested partnumber is not satisfiable")
        self.assertEqual(elements(response.data).findtext("ActualPartCount"), "2")

    def test_beyond(self):
        for path in "parted?partNumber=4", "single?partNumber=2", "parted?partNumber=10000":
            with self.subTest(path):
                self.refused(raw(self.server, "GET", "/bucket/" + path), 416, "InvalidPartNumber")
                self.assertEqual(raw(self.server, "HEAD", "/bucket/" + path).status, 416)

    def test_no_numbers(self):
        for text in ["0", "-1", "10001", "x", "1.5", ""]:
            with self.subTest(text):
                self.refused(raw(self.server, "GET", "/bucket/parted?partNumber=" + text), 400, "InvalidArgument",
                             "Part number must be an integer between 1 and 10000, inclusive")

    def test_written_in_one(self):
        response = raw(self.server, "GET", "/bucket/single?partNumber=1", headers=ENABLED)
        self.assertEqual((response.status, response.data, response.headers["Content-Range"]),
                         (206, b"0123456789", "bytes 0-9/10"))
        self.assertIsNone(response.headers["x-amz-mp-parts-count"])
        self.assertEqual(response.headers["x-amz-checksum-crc64nvme"], s3_sums.text("CRC64NVME", b"0123456789"))
        self.assertEqual(raw(self.server, "GET", "/bucket/empty?partNumber=1").status, 200)

    def test_not_with_a_range(self):
        self.refused(raw(self.server, "GET", "/bucket/parted?partNumber=1", headers={"Range": "bytes=0-1"}), 400,
                     "InvalidRequest", "Cannot specify both Range header and partNumber query parameter")

    def test_boto(self):
        answer = self.s3.get_object(Bucket="bucket", Key="parted", PartNumber=3)
        self.assertEqual((answer["Body"].read(), answer["PartsCount"], answer["ContentRange"]),
                         (self.bodies[2], 3, "bytes 10485767-10485777/10485778"))
        self.assertEqual(self.s3.head_object(Bucket="bucket", Key="parted", PartNumber=2)["ContentLength"], 5 * MIB + 7)

    def test_gone_with_a_copy(self):
        """A copy is written in one: no parts, the MD5 of its bytes."""
        answer = self.s3.copy_object(Bucket="bucket", Key="one", CopySource="bucket/parted")["CopyObjectResult"]
        self.assertEqual(answer["ETag"], '"%s"' % hashlib.md5(b"".join(self.bodies)).hexdigest())
        self.assertNotIn("PartsCount", self.s3.head_object(Bucket="bucket", Key="one", PartNumber=1))

    def attributes(self, key, names, headers=None):
        return raw(self.server, "GET", "/bucket/%s?attributes" % key, headers={"x-amz-object-attributes": names, **(headers or {})})

    def test_attributes_of_all(self):
        response = self.attributes("parted", "ETag,Checksum,ObjectParts,StorageClass,ObjectSize")
        found = elements(response.data)
        self.assertEqual([node.tag for node in found], ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"])
        self.assertEqual(found.findtext("ETag"), raw(self.server, "HEAD", "/bucket/parted").headers["ETag"].strip('"'))
        self.assertEqual(found.findtext("Checksum/ChecksumCRC32"), s3_sums.composite("CRC32", self.bodies))
        self.assertEqual(found.findtext("Checksum/ChecksumType"), "COMPOSITE")
        self.assertEqual((found.findtext("StorageClass"), found.findtext("ObjectSize")), ("STANDARD", "10485778"))
        self.assertIsNotNone(response.headers["Last-Modified"])
        parts = found.find("ObjectParts")
        self.assertEqual([parts.findtext(n) for n in ("PartsCount", "IsTruncated", "PartNumberMarker")], ["3", "false", "0"])
        self.assertEqual([(p.findtext("PartNumber"), int(p.findtext("Size")), p.findtext("ChecksumCRC32"))
                          for p in parts.findall("Part")],
                         [(str(n), len(b), s3_sums.text("CRC32", b)) for n, b in enumerate(self.bodies, 1)])

    def test_attributes_are_what_is_asked(self):
        for names in ["ETag", "ObjectSize", "StorageClass", "Checksum", "ObjectSize, ETag"]:
            with self.subTest(names):
                found = elements(self.attributes("single", names).data)
                self.assertEqual({node.tag for node in found}, set(names.split(", ")))
        self.assertEqual(list(elements(self.attributes("single", "ObjectParts").data)), [])

    def test_attributes_in_pages(self):
        seen, marker = [], "0"
        for _ in range(3):
            parts = elements(self.attributes("parted", "ObjectParts", {"x-amz-max-parts": "1", "x-amz-part-number-marker": marker})
                             .data).find("ObjectParts")
            seen += [p.findtext("PartNumber") for p in parts.findall("Part")]
            self.assertEqual(parts.findtext("MaxParts"), "1")
            self.assertEqual(parts.findtext("IsTruncated"), "false" if len(seen) == 3 else "true")
            marker = parts.findtext("NextPartNumberMarker")
        self.assertEqual(seen, ["1", "2", "3"])

    def test_attributes_refused(self):
        self.refused(self.attributes("parted", "ETag,Color"), 400, "InvalidArgument", "Invalid attribute name specified.")
        self.refused(raw(self.server, "GET", "/bucket/parted?attributes"), 400, "InvalidRequest", "x-amz-object-attributes")
        self.refused(self.attributes("none", "ETag"), 404, "NoSuchKey")

    def test_attributes_of_the_cli(self):
        done = self.server.aws("s3api", "get-object-attributes", "--bucket", "bucket", "--key", "parted",
                               "--object-attributes", "ObjectParts", "Checksum", "--max-parts", "2")
        found = json.loads(done.stdout)
        self.assertEqual((found["ObjectParts"]["TotalPartsCount"], len(found["ObjectParts"]["Parts"])), (3, 2))
        self.assertEqual(found["Checksum"]["ChecksumCRC32"], s3_sums.composite("CRC32", self.bodies))

    def test_attributes_of_boto(self):
        answer = self.s3.get_object_attributes(Bucket="bucket", Key="parted", ObjectAttributes=["ObjectParts", "ObjectSize"])
        self.assertEqual((answer["ObjectSize"], answer["ObjectParts"]["TotalPartsCount"], len(answer["ObjectParts"]["Parts"])),
                         (10485778, 3, 3))


class Corners(ContentCase):
    """Of multipart uploads."""

    def test_faults_of_a_completion(self):
        upload, _ = self.upload("faults")
        tags = [self.part("faults", upload, n, b"%d" % n).headers["ETag"] for n in (1, 2)]
        for parts, code, detail in [
                ([(2, tags[1], {}), (1, tags[0], {})], "InvalidPartOrder", None),
                ([(1, tags[0], {}), (1, tags[0], {})], "InvalidPartOrder", None),
                ([(1, tags[1], {})], "InvalidPart", ("PartNumber", "1")),
                ([(1, "short", {})], "InvalidPart", ("ETag", "short")),
                ([(3, tags[0], {})], "InvalidPart", ("UploadId", upload)),
                ([(1, tags[0], {}), (2, tags[1], {})], "EntityTooSmall", ("MinSizeAllowed", str(5 * MIB))),
                ([(1, tags[0], {}), (2, tags[1], {})], "EntityTooSmall", ("ProposedSize", "1")),
                ([], "MalformedXML", None), ([(0, tags[0], {})], "MalformedXML", None)]:
            with self.subTest(parts=parts, code=code):
                response = self.complete("faults", upload, parts)
                self.refused(response, 400, code)
                if detail:
                    self.assertEqual(elements(response.data).findtext(detail[0]), detail[1])
        self.assertEqual(self.complete("faults", upload, [(2, tags[1], {})]).status, 200)
        self.assertEqual(self.body("faults"), b"2")

    def test_unknown_uploads(self):
        path = "/bucket/unknown?uploadId=01"
        body = b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>%s</ETag></Part></CompleteMultipartUpload>" % (
            b"0" * 32)
        for method, path, body in [("POST", path, body), ("DELETE", path, b""), ("GET", path, b""),
                                   ("PUT", path + "&partNumber=1", b"x")]:
            with self.subTest(method):
                response = raw(self.server, method, path, body)
                self.refused(response, 404, "NoSuchUpload")
                self.assertEqual(elements(response.data).findtext("UploadId"), "01")

    def test_two_uploads_of_a_key(self):
        first, second = self.upload("twice")[0], self.upload("twice")[0]
        tags = {u: self.part("twice", u, 1, u.encode()).headers["ETag"] for u in (first, second)}
        for upload in second, first:
            self.assertEqual(self.complete("twice", upload, [(1, tags[upload], {})]).status, 200)
            self.assertEqual(self.body("twice"), upload.encode())

    def test_an_object_beside_its_upload(self):
        self.s3.put_object(Bucket="bucket", Key="beside", Body=b"before")
        upload, _ = self.upload("beside")
        self.part("beside", upload, 1, b"after")
        self.assertEqual(self.body("beside"), b"before")
        raw(self.server, "DELETE", "/bucket/beside?uploadId=" + upload)
        self.assertEqual(self.body("beside"), b"before")

    def test_part_numbers(self):
        upload, _ = self.upload("numbers")
        for text in ["0", "10001", "x", ""]:
            with self.subTest(text):
                self.refused(raw(self.server, "PUT", "/bucket/numbers?partNumber=%s&uploadId=%s" % (text, upload), b"1"), 400,
                             "InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive")
        for number in 1, 10000:
            self.assertEqual(self.part("numbers", upload, number, b"1").status, 200)

    def test_what_is_settled_at_the_beginning(self):
        self.make("settled", [b"1"], {"Content-Type": "video/mp4", "x-amz-meta-a": "b", "x-amz-storage-class": "STANDARD_IA",
                                      "x-amz-server-side-encryption": "AES256", "Cache-Control": "no-cache"})
        head = raw(self.server, "HEAD", "/bucket/settled").headers
        self.assertEqual([head[n] for n in ("Content-Type", "x-amz-meta-a", "x-amz-storage-class", "Cache-Control",
                                            "x-amz-server-side-encryption")],
                         ["video/mp4", "b", "STANDARD_IA", "no-cache", "AES256"])

    def test_copied_ranges(self):
        self.s3.put_object(Bucket="bucket", Key="source", Body=b"0123456789")
        upload, _ = self.upload("ranges")
        for text, words in [("0-3", "must be of the form bytes=first-last"), ("bytes=0", "must be of the form"),
                            ("bytes=a-b", "must be of the form"), ("bytes=-3", "must be of the form"),
                            ("bytes=0-2,3-5", "must be of the form"), ("bytes=3-", "must be of the form"),
                            ("bytes=5-2", "Range specified is not valid for source object of size: 10"),
                            ("bytes=0-10", "Range specified is not valid for source object of size: 10"),
                            ("bytes=10-10", "Range specified is not valid for source object of size: 10")]:
            with self.subTest(text):
                response = self.part("ranges", upload, 1, b"", {"x-amz-copy-source": "bucket/source",
                                                                "x-amz-copy-source-range": text})
                self.refused(response, 400, "InvalidArgument", words)
        tag = self.part("ranges", upload, 1, b"", {"x-amz-copy-source": "bucket/source", "x-amz-copy-source-range": "bytes=2-9"})
        self.complete("ranges", upload, [(1, elements(tag.data).findtext("ETag"), {})])
        self.assertEqual(self.body("ranges"), b"23456789")

    def test_parts_in_pages(self):
        upload, _ = self.upload("pages")
        for number in 2, 4, 6:
            self.part("pages", upload, number, b"x")
        page = elements(raw(self.server, "GET", "/bucket/pages?max-parts=2&uploadId=" + upload).data)
        self.assertEqual([page.findtext(n) for n in ("PartNumberMarker", "NextPartNumberMarker", "MaxParts", "IsTruncated")],
                         ["0", "4", "2", "true"])
        page = elements(raw(self.server, "GET", "/bucket/pages?part-number-marker=4&uploadId=" + upload).data)
        self.assertEqual(([p.findtext("PartNumber") for p in page.findall("Part")], page.findtext("IsTruncated")), (["6"], "false"))
        for query in "max-parts=-1", "max-parts=x", "part-number-marker=-1":
            self.refused(raw(self.server, "GET", "/bucket/pages?%s&uploadId=%s" % (query, upload)), 400, "InvalidArgument")


class Listing(ContentCase):
    """ListMultipartUploads."""

    KEYS = ["a/1", "a/2", "b", "b", "c/x/1", "c/y", "d&<>", "é"]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        case = cls("test_all")
        cls.uploads = [(key, case.upload(urllib.parse.quote(key))[0]) for key in cls.KEYS]

    def page(self, query=""):
        response = raw(self.server, "GET", "/bucket?uploads" + query.replace("/", "%2F"))
        self.assertEqual(response.status, 200, response.data[:200])
        return elements(response.data)

    def listed(self, page):
        return [(u.findtext("Key"), u.findtext("UploadId")) for u in page.findall("Upload")]

    def prefixes(self, page):
        return [p.findtext("Prefix") for p in page.findall("CommonPrefixes")]

    def test_all(self):
        """By key, and for one key by their beginning."""
        page = self.page()
        self.assertEqual(self.listed(page), self.uploads)
        self.assertEqual((page.findtext("IsTruncated"), page.findtext("MaxUploads")), ("false", "1000"))
        self.assertIsNotNone(page.findtext("Upload/Initiator/ID"))
        self.assertEqual(page.findtext("Upload/StorageClass"), "STANDARD")

    def test_prefix(self):
        self.assertEqual(self.listed(self.page("&prefix=a/")), self.uploads[:2])
        self.assertEqual(self.listed(self.page("&prefix=none")), [])

    def test_delimiter(self):
        page = self.page("&delimiter=/")
        self.assertEqual((self.prefixes(page), self.listed(page)), (["a/", "c/"], [u for u in self.uploads if "/" not in u[0]]))
        page = self.page("&delimiter=/&prefix=c/")
        self.assertEqual((self.prefixes(page), self.listed(page)), (["c/x/"], [self.uploads[5]]))

    def test_pages(self):
        for size in 1, 2, 3:
            for delimiter, whole in [("", [u[0] for u in self.uploads]), ("/", ["a/", "b", "b", "c/", "d&<>", "é"])]:
                with self.subTest(size=size, delimiter=delimiter):
                    seen, query = [], ""
                    while True:
                        page = self.page("&max-uploads=%d&delimiter=%s%s" % (size, delimiter, query))
                        rows = [u[0] for u in self.listed(page)] + self.prefixes(page)
                        self.assertLessEqual(len(rows), size)
                        seen += rows
                        if page.findtext("IsTruncated") == "false":
                            break
                        query = "&key-marker=%s&upload-id-marker=%s" % (urllib.parse.quote(page.findtext("NextKeyMarker"), ""),
                                                                       page.findtext("NextUploadIdMarker") or "")
                    self.assertEqual(sorted(seen, key=lambda k: k.encode()), whole)

    def test_markers(self):
        self.assertEqual(self.listed(self.page("&key-marker=b")), self.uploads[4:])
        self.assertEqual(self.listed(self.page("&key-marker=b&upload-id-marker=" + self.uploads[2][1])), self.uploads[3:])
        self.assertEqual(self.listed(self.page("&upload-id-marker=zzz")), self.uploads)  # alone it means nothing
        self.assertEqual(self.listed(self.page("&max-uploads=0")), [])

    def test_encoding(self):
        page = self.page("&encoding-type=url&prefix=d%26&delimiter=%3C")
        self.assertEqual((self.prefixes(page), page.findtext("Prefix"), page.findtext("EncodingType")), (["d%26%3C"], "d%26", "url"))
        self.refused(raw(self.server, "GET", "/bucket?uploads&encoding-type=x"), 400, "InvalidArgument",
                     "Invalid Encoding Method specified in Request")

    def test_refused(self):
        for query in "max-uploads=-1", "max-uploads=x":
            self.refused(raw(self.server, "GET", "/bucket?uploads&" + query), 400, "InvalidArgument")
        self.refused(raw(self.server, "GET", "/nowhere-at-all?uploads"), 404, "NoSuchBucket")


if __name__ == "__main__":
    unittest.main(verbosity=2)
