# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tags of objects: set with a write and by themselves, their limits, their way through copies and versions."""
import unittest

from s3_case import S3Case, error_code, raw


def tags(*pairs):
    return [{"Key": key, "Value": value} for key, value in pairs]


class TagCase(S3Case):
    def set(self, key, *pairs, bucket="bucket", **more):
        return self.s3.put_object_tagging(Bucket=bucket, Key=key, Tagging={"TagSet": tags(*pairs)}, **more)

    def get(self, key, bucket="bucket", **more):
        answer = self.s3.get_object_tagging(Bucket=bucket, Key=key, **more)
        return [(tag["Key"], tag["Value"]) for tag in answer["TagSet"]]

    def refused(self, answer, status, code):
        self.assertEqual((answer.status, error_code(answer)), (status, code), answer.data)


class Tags(TagCase):
    def setUp(self):
        super().setUp()
        self.s3.put_object(Bucket="bucket", Key="k", Body=b"1")

    def test_life(self):
        self.assertEqual(self.get("k"), [])
        self.set("k", ("b", "2"), ("a", "1"), ("empty", ""))
        self.assertEqual(self.get("k"), [("b", "2"), ("a", "1"), ("empty", "")])
        self.set("k", ("c", "3"))
        self.assertEqual(self.get("k"), [("c", "3")])
        answer = self.s3.delete_object_tagging(Bucket="bucket", Key="k")
        self.assertEqual(answer["ResponseMetadata"]["HTTPStatusCode"], 204)
        self.assertEqual(self.get("k"), [])
        self.set("k")
        self.assertEqual(self.get("k"), [])

    def test_tags_change_nothing_else(self):
        before = self.s3.head_object(Bucket="bucket", Key="k")
        self.set("k", ("a", "1"))
        after = self.s3.head_object(Bucket="bucket", Key="k")
        self.assertEqual((before["LastModified"], before["ETag"]), (after["LastModified"], after["ETag"]))

    def test_count(self):
        for method in ("GET", "HEAD"):
            self.assertIsNone(raw(self.server, method, "/bucket/k").getheader("x-amz-tagging-count"))
        self.set("k", ("a", "1"), ("b", "2"))
        for method in ("GET", "HEAD"):
            self.assertEqual(raw(self.server, method, "/bucket/k").getheader("x-amz-tagging-count"), "2")

    def test_a_write_takes_them_away(self):
        self.set("k", ("a", "1"))
        self.s3.put_object(Bucket="bucket", Key="k", Body=b"2")
        self.assertEqual(self.get("k"), [])

    def test_limits(self):
        ten = [(f"key-{i}", "v") for i in range(10)]
        self.set("k", *ten)
        self.assertEqual(self.get("k"), ten)
        self.set("k", ("k" * 128, "v" * 256))
        self.set("k", ("ü" * 128, "ü" * 256))
        self.assertEqual(self.get("k"), [("ü" * 128, "ü" * 256)])
        for pairs in [ten + [("one more", "v")], [("k" * 129, "v")], [("k", "v" * 257)], [("", "v")],
                      [("a", "1"), ("a", "2")], [("aws:a", "1")], [("a?", "1")], [("a", "b#")]]:
            with self.subTest(str(pairs)[:40]):
                self.refused(self.document(pairs), 400, "InvalidTag")
        self.assertEqual(self.get("k"), [("ü" * 128, "ü" * 256)])

    def document(self, pairs):
        inner = "".join(f"<Tag><Key>{k}</Key><Value>{v}</Value></Tag>" for k, v in pairs)
        return raw(self.server, "PUT", "/bucket/k?tagging", f"<Tagging><TagSet>{inner}</TagSet></Tagging>".encode())

    def test_characters(self):
        pairs = [("+- =._:/@", "+- =._:/@"), ("한국어", "日本"), ("A z 0", "9")]
        self.set("k", *pairs)
        self.assertEqual(self.get("k"), pairs)

    def test_documents_refused(self):
        for body in (b"", b"<Tagging/>", b"<Tagging><TagSet><Tag><Key>a</Key></Tag></TagSet></Tagging>",
                     b"<Tagging><TagSet><Tog/></TagSet></Tagging>", b"<TagSet/>", b"no xml"):
            with self.subTest(body):
                self.refused(raw(self.server, "PUT", "/bucket/k?tagging", body), 400, "MalformedXML")

    def test_missing(self):
        self.fails("NoSuchKey", 404, self.s3.get_object_tagging, Bucket="bucket", Key="none")
        self.fails("NoSuchKey", 404, self.s3.delete_object_tagging, Bucket="bucket", Key="none")
        self.fails("NoSuchKey", 404, self.s3.put_object_tagging, Bucket="bucket", Key="none", Tagging={"TagSet": []})
        self.fails("NoSuchBucket", 404, self.s3.get_object_tagging, Bucket="nowhere", Key="none")

    def test_cli(self):
        self.server.aws("s3api", "put-object-tagging", "--bucket", "bucket", "--key", "k", "--tagging",
                        "TagSet=[{Key=by,Value=cli}]")
        self.assertEqual(self.get("k"), [("by", "cli")])


class WithWrites(TagCase):
    def test_put(self):
        self.s3.put_object(Bucket="bucket", Key="put", Body=b"1", Tagging="a=1&b=two%20words&c=&%C3%BC=x%2By")
        self.assertEqual(self.get("put"), [("a", "1"), ("b", "two words"), ("c", ""), ("ü", "x+y")])
        self.assertEqual(self.s3.get_object(Bucket="bucket", Key="put")["TagCount"], 4)

    def test_put_refused(self):
        for text, code in [("a=1&a=2", "InvalidArgument"), ("=1", "InvalidArgument"), ("a=%zz", "InvalidArgument"),
                           ("&".join(f"k{i}=v" for i in range(11)), "InvalidTag"), ("k" * 129 + "=v", "InvalidTag"),
                           ("k=" + "v" * 257, "InvalidTag"), ("aws:k=v", "InvalidTag")]:
            with self.subTest(text[:20]):
                self.refused(raw(self.server, "PUT", "/bucket/refused", b"1", {"x-amz-tagging": text}), 400, code)
        self.refused(raw(self.server, "GET", "/bucket/refused"), 404, "NoSuchKey")

    def test_multipart(self):
        upload = self.s3.create_multipart_upload(Bucket="bucket", Key="joined", Tagging="a=1&b=2")["UploadId"]
        part = self.s3.upload_part(Bucket="bucket", Key="joined", UploadId=upload, PartNumber=1, Body=b"part")
        self.s3.complete_multipart_upload(Bucket="bucket", Key="joined", UploadId=upload,
                                          MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})
        self.assertEqual(self.get("joined"), [("a", "1"), ("b", "2")])

    def test_copy(self):
        self.s3.put_object(Bucket="bucket", Key="from", Body=b"1", Tagging="a=1")
        source = {"Bucket": "bucket", "Key": "from"}
        self.s3.copy_object(Bucket="bucket", Key="to", CopySource=source)
        self.assertEqual(self.get("to"), [("a", "1")])
        self.s3.copy_object(Bucket="bucket", Key="to", CopySource=source, TaggingDirective="REPLACE", Tagging="b=2")
        self.assertEqual(self.get("to"), [("b", "2")])
        self.s3.copy_object(Bucket="bucket", Key="to", CopySource=source, TaggingDirective="REPLACE")
        self.assertEqual(self.get("to"), [])
        self.s3.copy_object(Bucket="bucket", Key="to", CopySource=source, TaggingDirective="COPY", Tagging="b=2")
        self.assertEqual(self.get("to"), [("a", "1")])
        self.refused(raw(self.server, "PUT", "/bucket/to", b"", {
            "x-amz-copy-source": "/bucket/from", "x-amz-tagging-directive": "MOVE"}), 400, "InvalidArgument")

    def test_versions_have_their_own(self):
        self.s3.create_bucket(Bucket="own-tags")
        self.s3.put_bucket_versioning(Bucket="own-tags", VersioningConfiguration={"Status": "Enabled"})
        old = self.s3.put_object(Bucket="own-tags", Key="k", Body=b"1", Tagging="v=old")["VersionId"]
        new = self.s3.put_object(Bucket="own-tags", Key="k", Body=b"2", Tagging="v=new")["VersionId"]
        self.assertEqual(self.get("k", "own-tags"), [("v", "new")])
        self.assertEqual(self.get("k", "own-tags", VersionId=old), [("v", "old")])
        answer = self.set("k", ("v", "older"), bucket="own-tags", VersionId=old)
        self.assertEqual(answer["VersionId"], old)
        self.assertEqual(self.get("k", "own-tags", VersionId=old), [("v", "older")])
        self.assertEqual(self.get("k", "own-tags"), [("v", "new")])
        self.assertEqual(self.s3.get_object_tagging(Bucket="own-tags", Key="k")["VersionId"], new)
        self.s3.delete_object_tagging(Bucket="own-tags", Key="k", VersionId=old)
        self.assertEqual(self.get("k", "own-tags", VersionId=old), [])
        marker = self.s3.delete_object(Bucket="own-tags", Key="k")["VersionId"]
        self.fails("NoSuchKey", 404, self.s3.get_object_tagging, Bucket="own-tags", Key="k")
        self.fails("MethodNotAllowed", 405, self.s3.get_object_tagging, Bucket="own-tags", Key="k", VersionId=marker)
        self.fails("MethodNotAllowed", 405, self.s3.put_object_tagging, Bucket="own-tags", Key="k",
                   Tagging={"TagSet": []})
        self.fails("NoSuchVersion", 404, self.s3.get_object_tagging, Bucket="own-tags", Key="k", VersionId="null")
        self.s3.delete_object(Bucket="own-tags", Key="k", VersionId=marker)
        self.assertEqual(self.get("k", "own-tags"), [("v", "new")])


if __name__ == "__main__":
    unittest.main()
