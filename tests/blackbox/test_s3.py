# SPDX-License-Identifier: LGPL-2.1-or-later
"""S3 as clients use it: the real AWS CLI and boto3."""
import base64
import concurrent.futures
import datetime
import hashlib
import os
import pathlib
import unittest
import unittest.mock
import zlib

from botocore.exceptions import ClientError

from s3_case import S3Case, code_of, error_code, raw
from server import Server

ODD_KEYS = ["with space", "quo'te \"double\"", "semi;colon", "per%cent%41", "plus+plus", "ünï/çödé/日本語", "new\nline",
            "tab\there", "a//b", "../up", "./here", "&<>amp", "~tilde", "*star(1)", "e" * 1024, "ü" * 512, "?query#hash",
            "trailing/", "\U0001F40B"]


class Buckets(S3Case):
    def test_life(self):
        self.s3.create_bucket(Bucket="life.of-a.bucket")
        self.s3.head_bucket(Bucket="life.of-a.bucket")
        self.assertIn("life.of-a.bucket", [b["Name"] for b in self.s3.list_buckets()["Buckets"]])
        self.assertIsNone(self.s3.get_bucket_location(Bucket="life.of-a.bucket")["LocationConstraint"])
        self.s3.put_object(Bucket="life.of-a.bucket", Key="k", Body=b"1")
        self.fails("BucketNotEmpty", 409, self.s3.delete_bucket, Bucket="life.of-a.bucket")
        self.s3.delete_object(Bucket="life.of-a.bucket", Key="k")
        self.s3.delete_bucket(Bucket="life.of-a.bucket")
        self.fails("NoSuchBucket", 404, self.s3.list_objects_v2, Bucket="life.of-a.bucket")
        self.fails("NoSuchBucket", 404, self.s3.delete_bucket, Bucket="life.of-a.bucket")
        self.fails("404", 404, self.s3.head_bucket, Bucket="life.of-a.bucket")

    def test_names(self):
        for name in ["Upper", "ab", "a_b", "192.168.0.1", "-ab", "ab-", "a..b", "xn--bucket", "a" * 64]:
            response = raw(self.server, "PUT", "/" + name)
            self.assertEqual((response.status, error_code(response)), (400, "InvalidBucketName"), name)

    def test_location(self):
        self.fails("IllegalLocationConstraintException", 400, self.s3.create_bucket, Bucket="elsewhere",
                   CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        with Server(region="ap-northeast-2") as other:
            s3 = other.client("s3")
            s3.create_bucket(Bucket="here", CreateBucketConfiguration={"LocationConstraint": "ap-northeast-2"})
            self.assertEqual(s3.get_bucket_location(Bucket="here")["LocationConstraint"], "ap-northeast-2")
            self.fails("BucketAlreadyOwnedByYou", 409, s3.create_bucket, Bucket="here",
                       CreateBucketConfiguration={"LocationConstraint": "ap-northeast-2"})
            other.aws("s3", "mb", "s3://made-by-cli")

    def test_notification(self):
        name = self.new_bucket("notified")
        self.assertNotIn("EventBridgeConfiguration", self.s3.get_bucket_notification_configuration(Bucket=name))
        self.s3.put_bucket_notification_configuration(
            Bucket=name, NotificationConfiguration={"EventBridgeConfiguration": {}})
        self.assertIn("EventBridgeConfiguration", self.s3.get_bucket_notification_configuration(Bucket=name))
        self.fails("InvalidArgument", 400, self.s3.put_bucket_notification_configuration, Bucket=name,
                   NotificationConfiguration={"QueueConfigurations": [
                       {"QueueArn": "arn:aws:sqs:us-east-1:1:q", "Events": ["s3:ObjectCreated:*"]}]})
        self.assertIn("EventBridgeConfiguration", self.s3.get_bucket_notification_configuration(Bucket=name))
        self.s3.put_bucket_notification_configuration(Bucket=name, NotificationConfiguration={})
        self.assertNotIn("EventBridgeConfiguration", self.s3.get_bucket_notification_configuration(Bucket=name))

    def test_not_implemented_is_said_by_name(self):
        for method, word in [("PUT", "replication"), ("PUT", "website"), ("GET", "metadataTable"), ("PUT", "object-lock")]:
            response = raw(self.server, method, "/bucket?" + word)
            self.assertEqual((response.status, error_code(response)), (501, "NotImplemented"))
            self.assertIn(word.encode(), response.data)


class Objects(S3Case):
    def test_odd_keys(self):
        name = self.new_bucket("odd-keys")
        for i, key in enumerate(ODD_KEYS):
            self.s3.put_object(Bucket=name, Key=key, Body=key.encode() + b"%d" % i)
        self.assertEqual(sorted(self.keys(name), key=lambda k: k.encode()), sorted(ODD_KEYS, key=lambda k: k.encode()))
        self.assertEqual(self.keys(name), sorted(ODD_KEYS, key=lambda k: k.encode()))
        for i, key in enumerate(ODD_KEYS):
            self.assertEqual(self.body(key, name), key.encode() + b"%d" % i)
            self.s3.head_object(Bucket=name, Key=key)
            self.s3.copy_object(Bucket=name, Key="copy", CopySource={"Bucket": name, "Key": key})
            self.assertEqual(self.body("copy", name), key.encode() + b"%d" % i)
        answer = self.s3.delete_objects(Bucket=name, Delete={"Objects": [{"Key": k} for k in ODD_KEYS]})
        self.assertEqual(sorted(d["Key"] for d in answer["Deleted"]), sorted(ODD_KEYS))
        self.assertEqual(self.keys(name), ["copy"])

    def test_key_too_long(self):
        for key in ["k" * 1025, "ü" * 513]:
            self.fails("KeyTooLongError", 400, self.s3.put_object, Bucket="bucket", Key=key, Body=b"1")
        self.assertEqual(raw(self.server, "PUT", "/bucket/a%00b", b"1").status, 400)
        self.assertEqual(raw(self.server, "PUT", "/bucket/a%FFb", b"1").status, 400)

    def test_metadata(self):
        expires = datetime.datetime(2031, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)
        self.s3.put_object(Bucket="bucket", Key="meta", Body=b"<html>", ContentType="text/html; charset=utf-8",
                           CacheControl="max-age=60", ContentDisposition='attachment; filename="a b"',
                           ContentEncoding="identity", ContentLanguage="ko", Expires=expires,
                           Metadata={"one": "1", "two": "zwei drei"})
        for answer in [self.s3.head_object(Bucket="bucket", Key="meta"), self.s3.get_object(Bucket="bucket", Key="meta")]:
            self.assertEqual(answer["ContentType"], "text/html; charset=utf-8")
            self.assertEqual(answer["CacheControl"], "max-age=60")
            self.assertEqual(answer["ContentDisposition"], 'attachment; filename="a b"')
            self.assertEqual(answer["ContentLanguage"], "ko")
            self.assertEqual(answer["Expires"], expires)
            self.assertEqual(answer["Metadata"], {"one": "1", "two": "zwei drei"})
            self.assertEqual(answer["ContentLength"], 6)
        answer = self.s3.get_object(Bucket="bucket", Key="meta", ResponseContentType="text/plain",
                                    ResponseContentDisposition="inline")
        self.assertEqual((answer["ContentType"], answer["ContentDisposition"]), ("text/plain", "inline"))
        self.fails("MetadataTooLarge", 400, self.s3.put_object, Bucket="bucket", Key="x", Metadata={"k": "v" * 2048})
        self.s3.put_object(Bucket="bucket", Key="plain", Body=b"1")
        self.assertEqual(self.s3.head_object(Bucket="bucket", Key="plain")["ContentType"], "binary/octet-stream")

    def test_much_metadata(self):
        # More fields than http.client reads on its own, and about as many as fit the 8 KB of header of S3.
        metadata = {f"{i:03d}": str(i % 10) for i in range(250)}
        with unittest.mock.patch("http.client._MAXHEADERS", 1000):
            self.s3.put_object(Bucket="bucket", Key="much", Body=b"1", Metadata=metadata)
            for answer in [self.s3.head_object(Bucket="bucket", Key="much"), self.s3.get_object(Bucket="bucket", Key="much")]:
                self.assertEqual(answer["Metadata"], metadata)
                self.assertIn("x-amz-request-id", answer["ResponseMetadata"]["HTTPHeaders"])

    def test_ranges(self):
        data = bytes(range(256)) * 40
        self.s3.put_object(Bucket="bucket", Key="range", Body=data)
        for text, expected, shown in [("bytes=0-0", data[:1], "bytes 0-0/10240"),
                                      ("bytes=5-99", data[5:100], "bytes 5-99/10240"),
                                      ("bytes=10000-", data[10000:], "bytes 10000-10239/10240"),
                                      ("bytes=-7", data[-7:], "bytes 10233-10239/10240"),
                                      ("bytes=-99999", data, "bytes 0-10239/10240"),
                                      ("bytes=10239-99999", data[-1:], "bytes 10239-10239/10240")]:
            answer = self.s3.get_object(Bucket="bucket", Key="range", Range=text)
            self.assertEqual((answer["Body"].read(), answer["ContentRange"]), (expected, shown))
            self.assertEqual(answer["ResponseMetadata"]["HTTPStatusCode"], 206)
        for text in ["bytes=10240-", "bytes=-0"]:
            self.fails("InvalidRange", 416, self.s3.get_object, Bucket="bucket", Key="range", Range=text)
        for text in ["bytes=9-5", "lines=1-2", "bytes=x-"]:
            self.assertEqual(self.body("range", Range=text), data)

    def test_conditions(self):
        etag = self.s3.put_object(Bucket="bucket", Key="cond", Body=b"1")["ETag"]
        modified = self.s3.head_object(Bucket="bucket", Key="cond")["LastModified"]
        before, after = modified - datetime.timedelta(hours=1), modified + datetime.timedelta(hours=1)
        get = {"call": self.s3.get_object, "Bucket": "bucket", "Key": "cond"}
        self.body("cond", IfMatch=etag)
        self.body("cond", IfNoneMatch='"other"')
        self.body("cond", IfModifiedSince=before)
        self.body("cond", IfUnmodifiedSince=after)
        self.fails("PreconditionFailed", 412, IfMatch='"other"', **get)
        self.fails("PreconditionFailed", 412, IfUnmodifiedSince=before, **get)
        self.fails("304", 304, IfNoneMatch=etag, **get)
        self.fails("304", 304, IfModifiedSince=after, **get)

    def test_put_if_absent(self):
        headers = {"If-None-Match": "*"}
        self.assertEqual(raw(self.server, "PUT", "/bucket/absent", b"first", headers).status, 200)
        response = raw(self.server, "PUT", "/bucket/absent", b"second", headers)
        self.assertEqual((response.status, error_code(response)), (412, "PreconditionFailed"))
        self.assertEqual(self.body("absent"), b"first")
        headers["x-amz-copy-source"] = "/bucket/other"
        self.s3.put_object(Bucket="bucket", Key="other", Body=b"third")
        response = raw(self.server, "PUT", "/bucket/absent", b"", headers)
        self.assertEqual((response.status, error_code(response)), (412, "PreconditionFailed"))
        self.assertEqual(self.body("absent"), b"first")
        self.assertEqual(raw(self.server, "PUT", "/bucket/absent-copy", b"", headers).status, 200)

    def test_digests(self):
        good = base64.b64encode(hashlib.md5(b"data").digest()).decode()
        other = base64.b64encode(hashlib.md5(b"other").digest()).decode()
        self.s3.put_object(Bucket="bucket", Key="md5", Body=b"data", ContentMD5=good)
        self.fails("BadDigest", 400, self.s3.put_object, Bucket="bucket", Key="bad", Body=b"data", ContentMD5=other)
        self.fails("InvalidDigest", 400, self.s3.put_object, Bucket="bucket", Key="bad", Body=b"data", ContentMD5="x")
        sums = {"crc32": zlib.crc32(b"data").to_bytes(4, "big"), "sha1": hashlib.sha1(b"data").digest(),
                "sha256": hashlib.sha256(b"data").digest(), "crc32c": bytes.fromhex("aed87dd1")}
        for name, value in sums.items():
            field = "x-amz-checksum-" + name
            text = base64.b64encode(value).decode()
            response = raw(self.server, "PUT", "/bucket/sum", b"data", {field: text})
            self.assertEqual((response.status, response.headers[field]), (200, text), name)
            head = raw(self.server, "HEAD", "/bucket/sum", headers={"x-amz-checksum-mode": "ENABLED"})
            self.assertEqual(head.headers[field], text)
            wrong = base64.b64encode(bytes(len(value))).decode()
            response = raw(self.server, "PUT", "/bucket/bad", b"data", {field: wrong})
            self.assertEqual((response.status, error_code(response)), (400, "BadDigest"), name)
        self.assertNotIn("bad", self.keys())
        self.assertEqual(self.stray_files(), [])

    def test_copy(self):
        self.s3.put_object(Bucket="bucket", Key="from", Body=b"original", Metadata={"a": "b"}, ContentType="text/x")
        answer = self.s3.copy_object(Bucket="bucket", Key="to", CopySource="bucket/from")
        self.assertEqual(answer["CopyObjectResult"]["ETag"], '"%s"' % hashlib.md5(b"original").hexdigest())
        head = self.s3.head_object(Bucket="bucket", Key="to")
        self.assertEqual((head["Metadata"], head["ContentType"]), ({"a": "b"}, "text/x"))
        self.s3.copy_object(Bucket="bucket", Key="to", CopySource="bucket/from", MetadataDirective="REPLACE",
                            Metadata={"c": "d"}, ContentType="text/y")
        head = self.s3.head_object(Bucket="bucket", Key="to")
        self.assertEqual((head["Metadata"], head["ContentType"]), ({"c": "d"}, "text/y"))
        self.fails("InvalidRequest", 400, self.s3.copy_object, Bucket="bucket", Key="to", CopySource="bucket/to")
        self.fails("NoSuchKey", 404, self.s3.copy_object, Bucket="bucket", Key="to", CopySource="bucket/none")
        self.fails("NoSuchBucket", 404, self.s3.copy_object, Bucket="bucket", Key="to", CopySource="nowhere/from")
        self.fails("PreconditionFailed", 412, self.s3.copy_object, Bucket="bucket", Key="to", CopySource="bucket/from",
                   CopySourceIfMatch='"x"')
        self.assertEqual(self.body("to"), b"original")

    def test_missing(self):
        self.fails("NoSuchKey", 404, self.s3.get_object, Bucket="bucket", Key="none")
        self.fails("404", 404, self.s3.head_object, Bucket="bucket", Key="none")
        self.fails("NoSuchBucket", 404, self.s3.get_object, Bucket="nowhere", Key="none")
        self.fails("NoSuchBucket", 404, self.s3.put_object, Bucket="nowhere", Key="none", Body=b"1")
        self.s3.delete_object(Bucket="bucket", Key="none")

    def test_refused_headers(self):
        for name, value in [("StorageClass", "GLACIER"), ("ServerSideEncryption", "aws:kms"),
                            ("ObjectLockLegalHoldStatus", "ON")]:
            self.fails("NotImplemented", 501, self.s3.put_object, Bucket="bucket", Key="refused", Body=b"1", **{name: value})

    def test_concurrent_puts_of_one_key(self):
        bodies = [bytes([i]) * (1 << 18) for i in range(24)]

        def put(body):
            return self.server.client("s3").put_object(Bucket="bucket", Key="contended", Body=body)["ETag"]

        def get(_):
            try:
                body = self.server.client("s3").get_object(Bucket="bucket", Key="contended")["Body"].read()
            except ClientError as error:
                return error.response["Error"]["Code"]
            return body in bodies

        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            gets = pool.map(get, range(48))
            etags = list(pool.map(put, bodies))
            self.assertLessEqual(set(gets), {True, "NoSuchKey"})
        self.assertEqual(etags, ['"%s"' % hashlib.md5(b).hexdigest() for b in bodies])
        self.assertIn(self.body("contended"), bodies)

    def test_reader_keeps_what_it_opened(self):
        old, new = os.urandom(8 << 20), os.urandom(1 << 20)
        self.s3.put_object(Bucket="bucket", Key="replaced", Body=old)
        stream = self.s3.get_object(Bucket="bucket", Key="replaced")["Body"]
        first = stream.read(1000)
        self.s3.put_object(Bucket="bucket", Key="replaced", Body=new)
        self.assertEqual(first + stream.read(), old)
        self.assertEqual(self.body("replaced"), new)

    def test_virtual_host(self):
        response = raw(self.server, "PUT", "/by%20host", b"1", host="bucket.localhost:1")
        self.assertEqual(response.status, 200)
        self.assertEqual(self.body("by host"), b"1")
        self.assertEqual(raw(self.server, "GET", "/?list-type=2", host="bucket.localhost").status, 200)

    def test_expect_continue(self):
        """A refusal comes before the body when the client waits, and is not lost when it does not wait."""
        big = os.urandom(6 << 20)
        self.fails("NoSuchBucket", 404, self.s3.put_object, Bucket="nowhere", Key="k", Body=big)
        response = raw(self.server, "PUT", "/nowhere/k", big)
        self.assertEqual((response.status, error_code(response)), (404, "NoSuchBucket"))


class Listing(S3Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.names = ["a/1", "a/2", "a/b/3", "b/1", "c", "d", "é/1", "z z"] + ["many/%04d" % i for i in range(1203)]

        def put(key):
            cls.s3.put_object(Bucket="bucket", Key=key, Body=b"")

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(put, cls.names))
        cls.names.sort(key=lambda k: k.encode())

    def test_all(self):
        self.assertEqual(self.keys(), self.names)
        self.assertEqual(self.keys(PaginationConfig={"PageSize": 7}), self.names)
        pages = self.s3.get_paginator("list_objects").paginate(Bucket="bucket", PaginationConfig={"PageSize": 100})
        self.assertEqual([i["Key"] for p in pages for i in p["Contents"]], self.names)
        page = self.s3.list_objects_v2(Bucket="bucket", MaxKeys=5000)
        self.assertEqual((page["KeyCount"], page["MaxKeys"], page["IsTruncated"]), (1000, 1000, True))
        self.assertEqual(self.s3.list_objects_v2(Bucket="bucket", MaxKeys=0)["KeyCount"], 0)

    def test_prefix_and_start_after(self):
        self.assertEqual(self.keys(Prefix="a/"), ["a/1", "a/2", "a/b/3"])
        self.assertEqual(self.keys(Prefix="a/", StartAfter="a/1"), ["a/2", "a/b/3"])
        self.assertEqual(self.keys(StartAfter="z"), ["z z", "é/1"])
        self.assertEqual(self.keys(Prefix="nothing"), [])

    def rolled(self, size, **arguments):
        out = []
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket="bucket", PaginationConfig={"PageSize": size},
                                                                  **arguments)
        for page in pages:
            lines = page.get("Contents", []) + page.get("CommonPrefixes", [])
            self.assertLessEqual(len(lines), size)
            out += [line.get("Key") or line["Prefix"] for line in lines]
        return sorted(out, key=lambda k: k.encode())

    def test_delimiter(self):
        whole = ["a/", "b/", "c", "d", "many/", "z z", "é/"]
        for size in [1, 2, 3, 1000]:
            self.assertEqual(self.rolled(size, Delimiter="/"), whole)
            self.assertEqual(self.rolled(size, Delimiter="/", Prefix="a/"), ["a/1", "a/2", "a/b/"])
        marker, seen = "", []
        while True:
            page = self.s3.list_objects(Bucket="bucket", Delimiter="/", Marker=marker, MaxKeys=2)
            seen += [i["Key"] for i in page.get("Contents", [])] + [i["Prefix"] for i in page.get("CommonPrefixes", [])]
            if not page["IsTruncated"]:
                break
            marker = page["NextMarker"]
        self.assertEqual(sorted(seen, key=lambda k: k.encode()), whole)

    def test_bad_arguments(self):
        self.fails("InvalidArgument", 400, self.s3.list_objects_v2, Bucket="bucket", ContinuationToken="not base64!")
        self.fails("InvalidArgument", 400, self.s3.list_objects_v2, Bucket="bucket", MaxKeys=-1)


class Multipart(S3Case):
    def start(self, key, **arguments):
        return self.s3.create_multipart_upload(Bucket="bucket", Key=key, **arguments)["UploadId"]

    def part(self, key, upload, number, body, **arguments):
        answer = self.s3.upload_part(Bucket="bucket", Key=key, UploadId=upload, PartNumber=number, Body=body, **arguments)
        return {"PartNumber": number, "ETag": answer["ETag"]}

    def complete(self, key, upload, parts):
        return self.s3.complete_multipart_upload(Bucket="bucket", Key=key, UploadId=upload,
                                                 MultipartUpload={"Parts": parts})

    def test_completed_by_several_at_once(self):
        """A client that gave up waiting asks again while the first request is still at work: all are told the same."""
        upload = self.start("crowd")
        parts = [self.part("crowd", upload, n, os.urandom(8 << 20)) for n in (1, 2, 3)]
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(lambda _: self.complete("crowd", upload, parts)["ETag"], range(6)))
        self.assertEqual(set(answers), {self.s3.head_object(Bucket="bucket", Key="crowd")["ETag"]})

    def test_whole(self):
        one, two = os.urandom(5 << 20), os.urandom(100)
        upload = self.start("whole", ContentType="video/mp4", Metadata={"a": "b"})
        parts = [self.part("whole", upload, 1, b"first try"), self.part("whole", upload, 7, two)]
        parts[0] = self.part("whole", upload, 1, one)
        listed = self.s3.list_parts(Bucket="bucket", Key="whole", UploadId=upload)["Parts"]
        self.assertEqual([(p["PartNumber"], p["Size"]) for p in listed], [(1, 5 << 20), (7, 100)])
        page = self.s3.list_parts(Bucket="bucket", Key="whole", UploadId=upload, MaxParts=1)
        self.assertEqual((page["IsTruncated"], page["NextPartNumberMarker"]), (True, 1))
        self.assertIn(upload, [u["UploadId"] for u in self.s3.list_multipart_uploads(Bucket="bucket")["Uploads"]])
        self.fails("NoSuchKey", 404, self.s3.get_object, Bucket="bucket", Key="whole")
        answer = self.complete("whole", upload, parts)
        etag = '"%s-2"' % hashlib.md5(hashlib.md5(one).digest() + hashlib.md5(two).digest()).hexdigest()
        self.assertEqual(answer["ETag"], etag)
        got = self.s3.get_object(Bucket="bucket", Key="whole")
        self.assertEqual((got["Body"].read(), got["ContentType"], got["Metadata"]), (one + two, "video/mp4", {"a": "b"}))
        self.assertEqual(self.complete("whole", upload, parts)["ETag"], etag)  # repeated after a lost answer
        self.assertEqual(self.s3.list_multipart_uploads(Bucket="bucket").get("Uploads", []), [])

    def test_faults(self):
        upload = self.start("faults")
        small, last = self.part("faults", upload, 1, b"small"), self.part("faults", upload, 2, b"last")
        with self.assertRaises(ClientError) as error:
            self.complete("faults", upload, [small, last])
        self.assertEqual(code_of(error), "EntityTooSmall")
        for parts, code in [([last, small], "InvalidPartOrder"), ([dict(small, ETag='"%s"' % ("0" * 32))], "InvalidPart"),
                            ([{"PartNumber": 3, "ETag": small["ETag"]}], "InvalidPart"), ([], "MalformedXML")]:
            with self.assertRaises(ClientError) as error:
                self.complete("faults", upload, parts)
            self.assertEqual(code_of(error), code)
        self.fails("InvalidArgument", 400, self.s3.upload_part, Bucket="bucket", Key="faults", UploadId=upload,
                   PartNumber=10001, Body=b"")
        self.fails("NoSuchUpload", 404, self.s3.upload_part, Bucket="bucket", Key="other", UploadId=upload, PartNumber=1,
                   Body=b"x" * 100000)
        self.s3.abort_multipart_upload(Bucket="bucket", Key="faults", UploadId=upload)
        self.fails("NoSuchUpload", 404, self.s3.list_parts, Bucket="bucket", Key="faults", UploadId=upload)
        self.fails("NoSuchUpload", 404, self.s3.abort_multipart_upload, Bucket="bucket", Key="faults", UploadId=upload)
        self.assertNotIn("faults", self.keys())
        response = raw(self.server, "POST", "/bucket/faults?uploadId=" + upload, b"<CompleteMultipartUpload>\n<Part>")
        self.assertEqual((response.status, error_code(response)), (400, "MalformedXML"))
        self.assertIn(b"line 2", response.data)

    def test_copy_parts_and_checksums(self):
        data = os.urandom(6 << 20)
        self.s3.put_object(Bucket="bucket", Key="source", Body=data)
        upload = self.start("joined", ChecksumAlgorithm="CRC32")
        parts = []
        for number, (first, last) in enumerate([(0, (5 << 20) - 1), (5 << 20, len(data) - 1)], 1):
            answer = self.s3.upload_part_copy(Bucket="bucket", Key="joined", UploadId=upload, PartNumber=number,
                                              CopySource="bucket/source", CopySourceRange="bytes=%d-%d" % (first, last))
            parts.append({"PartNumber": number, "ETag": answer["CopyPartResult"]["ETag"],
                          "ChecksumCRC32": answer["CopyPartResult"]["ChecksumCRC32"]})
        crcs = [zlib.crc32(data[:5 << 20]).to_bytes(4, "big"), zlib.crc32(data[5 << 20:]).to_bytes(4, "big")]
        self.assertEqual([base64.b64decode(p["ChecksumCRC32"]) for p in parts], crcs)
        answer = self.complete("joined", upload, parts)
        composite = base64.b64encode(zlib.crc32(b"".join(crcs)).to_bytes(4, "big")).decode() + "-2"
        self.assertEqual(answer["ChecksumCRC32"], composite)
        self.assertEqual(self.body("joined"), data)

    def test_abort_removes_files(self):
        before = len(self.object_files())
        upload = self.start("aborted")
        self.part("aborted", upload, 1, b"x" * 1000)
        self.assertEqual(len(self.object_files()), before + 1)
        self.s3.abort_multipart_upload(Bucket="bucket", Key="aborted", UploadId=upload)
        self.assertEqual(len(self.object_files()), before)


class Cli(S3Case):
    def test_copy_up_and_down(self):
        for name, size in [("zero", 0), ("one", 1), ("twenty", 20 << 20)]:
            data = os.urandom(size)
            with open(self.path(name), "wb") as f:
                f.write(data)
            self.server.aws("s3", "cp", "--only-show-errors", self.path(name), "s3://bucket/cli/" + name)
            self.server.aws("s3", "cp", "--only-show-errors", "s3://bucket/cli/" + name, self.path("back"))
            with open(self.path("back"), "rb") as f:
                self.assertEqual(f.read(), data)
        self.assertIn("-3", self.s3.head_object(Bucket="bucket", Key="cli/twenty")["ETag"])
        self.server.aws("s3", "cp", "--only-show-errors", "s3://bucket/cli/twenty", "s3://bucket/cli/copy of twenty")
        self.assertEqual(self.body("cli/copy of twenty"), self.body("cli/twenty"))
        listed = self.server.aws("s3", "ls", "s3://bucket/cli/").stdout
        for name in ["zero", "one", "twenty", "copy of twenty"]:
            self.assertRegex(listed, " %s\n" % name)

    def test_odd_names(self):
        with open(self.path("file"), "wb") as f:
            f.write(b"content")
        for key in ["with space.mp4", "it's; rm -rf.mp4", 'dq".mp4', "per%20cent.mp4", "a+b.mp4", "日本.mp4", "k" * 1024]:
            self.server.aws("s3", "cp", "--only-show-errors", self.path("file"), "s3://bucket/" + key)
            self.assertEqual(self.body(key), b"content")
        failed = self.server.aws("s3", "cp", self.path("file"), "s3://bucket/" + "k" * 1025, check=False)
        self.assertNotEqual(failed.returncode, 0)
        self.assertIn("KeyTooLong", failed.stderr)

    def test_sync_mv_rm_rb(self):
        name = self.new_bucket("synced")
        tree = pathlib.Path(self.path("tree"))
        for item in ["a", "sub/b c", "sub/deep/é"]:
            tree.joinpath(item).parent.mkdir(parents=True, exist_ok=True)
            tree.joinpath(item).write_text(item)
        self.server.aws("s3", "sync", "--only-show-errors", str(tree), "s3://synced/t")
        self.assertEqual(self.keys(name), ["t/a", "t/sub/b c", "t/sub/deep/é"])
        self.assertEqual(self.server.aws("s3", "sync", str(tree), "s3://synced/t").stdout, "")
        self.server.aws("s3", "sync", "--only-show-errors", "s3://synced/t", self.path("back"))
        self.assertEqual(pathlib.Path(self.path("back"), "sub/deep/é").read_text(), "sub/deep/é")
        self.server.aws("s3", "mv", "--only-show-errors", "s3://synced/t/a", "s3://synced/moved")
        self.assertEqual(self.keys(name), ["moved", "t/sub/b c", "t/sub/deep/é"])
        self.server.aws("s3", "rm", "--only-show-errors", "--recursive", "s3://synced/t/")
        self.assertEqual(self.keys(name), ["moved"])
        self.server.aws("s3", "rb", "--force", "s3://synced")
        self.assertNotIn(name, [b["Name"] for b in self.s3.list_buckets()["Buckets"]])


if __name__ == "__main__":
    unittest.main(verbosity=2)
