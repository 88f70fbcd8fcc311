# SPDX-License-Identifier: LGPL-2.1-or-later
"""Conditional writes and deletes, and deletes of many: what the documentation of S3 promises of each condition."""
import base64
import concurrent.futures
import datetime
import email.utils
import hashlib
import unittest

from s3_case import S3Case, begin, error_code, finish, raw, sign

WRONG = '"00000000000000000000000000000000"'


class ConditionCase(S3Case):
    def put(self, key, body=b"x", headers=None, bucket="bucket"):
        return raw(self.server, "PUT", f"/{bucket}/{key}", body, headers)

    def delete(self, key, headers=None, bucket="bucket", query=""):
        return raw(self.server, "DELETE", f"/{bucket}/{key}{query}", b"", headers)

    def refused(self, answer, status, code):
        self.assertEqual((answer.status, error_code(answer)), (status, code), answer.data)

    def etag(self, key, bucket="bucket"):
        return self.s3.head_object(Bucket=bucket, Key=key)["ETag"]

    def versioned(self, name):
        self.s3.create_bucket(Bucket=name)
        self.s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        return name


class Writes(ConditionCase):
    def test_if_none_match(self):
        self.assertEqual(self.put("none", b"1", {"If-None-Match": "*"}).status, 200)
        answer = self.put("none", b"2", {"If-None-Match": "*"})
        self.refused(answer, 412, "PreconditionFailed")
        self.assertIn(b"<Condition>If-None-Match</Condition>", answer.data)
        self.assertEqual(self.body("none"), b"1")
        self.s3.delete_object(Bucket="bucket", Key="none")
        self.assertEqual(self.put("none", b"3", {"If-None-Match": "*"}).status, 200)

    def test_if_none_match_takes_only_a_star(self):
        self.refused(self.put("star", b"1", {"If-None-Match": WRONG}), 501, "NotImplemented")
        self.refused(self.put("star", b"1", {"If-None-Match": "*", "If-Match": WRONG}), 501, "NotImplemented")
        self.refused(raw(self.server, "GET", "/bucket/star"), 404, "NoSuchKey")

    def test_if_match(self):
        self.s3.put_object(Bucket="bucket", Key="match", Body=b"1")
        answer = self.put("match", b"2", {"If-Match": WRONG})
        self.refused(answer, 412, "PreconditionFailed")
        self.assertIn(b"<Condition>If-Match</Condition>", answer.data)
        self.assertEqual(self.body("match"), b"1")
        for value in (self.etag("match"), hashlib.md5(b"2").hexdigest(), "*"):
            with self.subTest(value):
                self.assertEqual(self.put("match", b"2", {"If-Match": value}).status, 200)
        self.assertEqual(self.body("match"), b"2")

    def test_if_match_of_nothing(self):
        self.refused(self.put("nothing", b"1", {"If-Match": WRONG}), 404, "NoSuchKey")
        self.refused(self.put("nothing", b"1", {"If-Match": "*"}), 404, "NoSuchKey")
        self.refused(self.put("nothing", b"1", {"If-Match": WRONG}, "nowhere"), 404, "NoSuchBucket")
        self.refused(raw(self.server, "GET", "/bucket/nothing"), 404, "NoSuchKey")

    def test_with_versions(self):
        bucket = self.versioned("write-versions")
        self.s3.put_object(Bucket=bucket, Key="k", Body=b"1")
        old = self.etag("k", bucket)
        self.s3.put_object(Bucket=bucket, Key="k", Body=b"2")
        self.refused(self.put("k", b"3", {"If-Match": old}, bucket), 412, "PreconditionFailed")
        self.assertEqual(self.put("k", b"3", {"If-Match": self.etag("k", bucket)}, bucket).status, 200)
        self.refused(self.put("k", b"4", {"If-None-Match": "*"}, bucket), 412, "PreconditionFailed")
        self.s3.delete_object(Bucket=bucket, Key="k")
        self.refused(self.put("k", b"4", {"If-Match": old}, bucket), 404, "NoSuchKey")
        self.assertEqual(self.put("k", b"4", {"If-None-Match": "*"}, bucket).status, 200)
        self.assertEqual(len(self.s3.list_object_versions(Bucket=bucket)["Versions"]), 4)

    def test_one_of_many_writers_wins(self):
        def write(i):
            return self.put("contended", b"%d" % i, {"If-None-Match": "*"}).status
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(write, range(16)))
        self.assertEqual(sorted(answers), [200] + [412] * 15)

    def test_a_counter_loses_no_step(self):
        self.s3.put_object(Bucket="bucket", Key="counter", Body=b"0")

        def step(_):
            while True:
                answer = raw(self.server, "GET", "/bucket/counter")
                status = self.put("counter", b"%d" % (int(answer.data) + 1),
                                  {"If-Match": answer.getheader("ETag")}).status
                if status == 200:
                    return
                self.assertIn(status, (409, 412))
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            list(pool.map(step, range(20)))
        self.assertEqual(self.body("counter"), b"20")

    def test_gone_while_the_body_was_sent(self):
        self.s3.put_object(Bucket="bucket", Key="gone", Body=b"1")
        body = b"x" * 100000
        headers = sign(self.server, "PUT", "/bucket/gone", body, {"If-Match": self.etag("gone")})
        headers.update({"Content-Length": str(len(body)), "Expect": "100-continue"})
        connection = begin(self.server, "PUT", "/bucket/gone", headers.items())
        connection.sock.recv(1000)  # the head was taken: "100 Continue"
        self.s3.delete_object(Bucket="bucket", Key="gone")
        connection.send(body)
        self.refused(finish(connection), 409, "ConditionalRequestConflict")
        self.refused(raw(self.server, "GET", "/bucket/gone"), 404, "NoSuchKey")

    def test_copy(self):
        self.s3.put_object(Bucket="bucket", Key="from", Body=b"from")
        source = {"x-amz-copy-source": "/bucket/from"}
        self.assertEqual(self.put("copied", b"", {**source, "If-None-Match": "*"}).status, 200)
        self.refused(self.put("copied", b"", {**source, "If-None-Match": "*"}), 412, "PreconditionFailed")
        self.refused(self.put("copied", b"", {**source, "If-Match": WRONG}), 412, "PreconditionFailed")
        self.assertEqual(self.put("copied", b"", {**source, "If-Match": self.etag("copied")}).status, 200)
        self.refused(self.put("copied-not", b"", {**source, "If-Match": WRONG}), 404, "NoSuchKey")

    def test_complete(self):
        def complete(key, headers):
            upload = self.s3.create_multipart_upload(Bucket="bucket", Key=key)["UploadId"]
            part = self.s3.upload_part(Bucket="bucket", Key=key, UploadId=upload, PartNumber=1, Body=b"part")
            body = (f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{part['ETag']}</ETag></Part>"
                    "</CompleteMultipartUpload>").encode()
            answer = raw(self.server, "POST", f"/bucket/{key}?uploadId={upload}", body, headers)
            if answer.status != 200:
                self.s3.abort_multipart_upload(Bucket="bucket", Key=key, UploadId=upload)
            return answer
        self.refused(complete("joined", {"If-Match": WRONG}), 404, "NoSuchKey")
        self.assertEqual(complete("joined", {"If-None-Match": "*"}).status, 200)
        self.refused(complete("joined", {"If-None-Match": "*"}), 412, "PreconditionFailed")
        self.refused(complete("joined", {"If-Match": WRONG}), 412, "PreconditionFailed")
        self.assertEqual(complete("joined", {"If-Match": self.etag("joined")}).status, 200)
        self.refused(complete("joined", {"If-None-Match": WRONG}), 501, "NotImplemented")


class Deletes(ConditionCase):
    def setUp(self):
        super().setUp()
        self.s3.put_object(Bucket="bucket", Key="k", Body=b"12345")

    def test_if_match(self):
        self.refused(self.delete("k", {"If-Match": WRONG}), 412, "PreconditionFailed")
        self.assertEqual(self.body("k"), b"12345")
        self.assertEqual(self.delete("k", {"If-Match": self.etag("k")}).status, 204)
        self.refused(self.delete("k", {"If-Match": WRONG}), 404, "NoSuchKey")
        self.assertEqual(self.delete("k").status, 204)

    def test_if_it_exists(self):
        self.assertEqual(self.delete("k", {"If-Match": "*"}).status, 204)
        self.refused(self.delete("k", {"If-Match": "*"}), 404, "NoSuchKey")

    def test_size(self):
        self.refused(self.delete("k", {"x-amz-if-match-size": "6"}), 412, "PreconditionFailed")
        self.refused(self.delete("k", {"x-amz-if-match-size": "five"}), 400, "InvalidArgument")
        self.assertEqual(self.delete("k", {"x-amz-if-match-size": "5"}).status, 204)
        self.assertEqual(self.delete("k", {"x-amz-if-match-size": "5"}).status, 204)

    def test_last_modified(self):
        name = "x-amz-if-match-last-modified-time"
        modified = self.s3.head_object(Bucket="bucket", Key="k")["LastModified"].astimezone(datetime.timezone.utc)
        other = modified - datetime.timedelta(hours=1)
        self.refused(self.delete("k", {name: email.utils.format_datetime(other, True)}), 412, "PreconditionFailed")
        self.refused(self.delete("k", {name: "yesterday"}), 400, "InvalidArgument")
        self.assertEqual(self.delete("k", {name: email.utils.format_datetime(modified, True)}).status, 204)

    def test_all_of_them_together(self):
        good = {"If-Match": self.etag("k"), "x-amz-if-match-size": "5"}
        self.refused(self.delete("k", {**good, "x-amz-if-match-size": "4"}), 412, "PreconditionFailed")
        self.refused(self.delete("k", {**good, "If-Match": WRONG}), 412, "PreconditionFailed")
        self.assertEqual(self.delete("k", good).status, 204)

    def test_with_versions(self):
        bucket = self.versioned("delete-versions")
        old = self.s3.put_object(Bucket=bucket, Key="k", Body=b"1")
        self.s3.put_object(Bucket=bucket, Key="k", Body=b"2")
        self.refused(self.delete("k", {"If-Match": old["ETag"]}, bucket), 412, "PreconditionFailed")
        answer = self.delete("k", {"If-Match": self.etag("k", bucket)}, bucket)
        self.assertEqual((answer.status, answer.getheader("x-amz-delete-marker")), (204, "true"))
        for value in ("*", WRONG, old["ETag"]):  # what is behind a delete marker does not count
            self.refused(self.delete("k", {"If-Match": value}, bucket), 404, "NoSuchKey")
        self.assertEqual(len(self.s3.list_object_versions(Bucket=bucket)["DeleteMarkers"]), 1)
        # With versionId it is the condition of that version.
        query = "?versionId=" + old["VersionId"]
        self.refused(self.delete("k", {"If-Match": WRONG}, bucket, query), 412, "PreconditionFailed")
        self.assertEqual(self.delete("k", {"If-Match": old["ETag"]}, bucket, query).status, 204)
        self.refused(self.delete("k", {"If-Match": "*"}, bucket, query), 404, "NoSuchKey")


class Many(ConditionCase):
    def many(self, inner, headers=None, md5=True):
        body = f'<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{inner}</Delete>'.encode()
        fields = dict(headers or {})
        if md5:
            fields["Content-MD5"] = base64.b64encode(hashlib.md5(body).digest()).decode()
        return raw(self.server, "POST", "/bucket?delete", body, fields)

    def test_a_thousand_and_no_more(self):
        rows = "".join(f"<Object><Key>many/{i}</Key></Object>" for i in range(1000))
        answer = self.many(rows)
        self.assertEqual((answer.status, answer.data.count(b"<Deleted>")), (200, 1000))
        self.refused(self.many(rows + "<Object><Key>one more</Key></Object>"), 400, "MalformedXML")

    def test_keys_of_full_length(self):
        keys = [f"{i:04d}" + "ü" * 510 for i in range(1000)]
        answer = self.many("".join(f"<Object><Key>{key}</Key></Object>" for key in keys))
        self.assertEqual((answer.status, answer.data.count(b"<Deleted>")), (200, 1000))
        answer = self.many("<Object><Key>%s</Key></Object><Object><Key>short</Key></Object>" % ("x" * 1025))
        self.assertIn(b"<Code>KeyTooLongError</Code>", answer.data)
        self.assertEqual(answer.data.count(b"<Deleted>"), 1)

    def test_documents_refused(self):
        for inner in ("", "<Quiet>true</Quiet>", "<Object></Object>", "<Object><Key></Key></Object>",
                      "<Objekt><Key>k</Key></Objekt>", "<Object><Key>k</Key><Size>x</Size></Object>"):
            with self.subTest(inner):
                self.refused(self.many(inner), 400, "MalformedXML")

    def test_the_body_has_to_be_proved(self):
        self.refused(self.many("<Object><Key>k</Key></Object>", md5=False), 400, "InvalidRequest")
        self.refused(self.many("<Object><Key>k</Key></Object>", {"Content-MD5": "x"}, md5=False), 400, "InvalidDigest")
        wrong = base64.b64encode(bytes(16)).decode()
        self.refused(self.many("<Object><Key>k</Key></Object>", {"Content-MD5": wrong}, md5=False), 400, "BadDigest")
        body = b"<Delete><Object><Key>k</Key></Object></Delete>"
        sha = base64.b64encode(hashlib.sha256(body).digest()).decode()
        self.assertEqual(raw(self.server, "POST", "/bucket?delete", body, {"x-amz-checksum-sha256": sha}).status, 200)

    def test_quiet(self):
        self.s3.put_object(Bucket="bucket", Key="quiet", Body=b"1")
        answer = self.many("<Quiet>true</Quiet><Object><Key>quiet</Key></Object>"
                           f"<Object><Key>quiet-not</Key><ETag>{WRONG}</ETag></Object>")
        self.assertNotIn(b"<Deleted>", answer.data)
        self.assertEqual(answer.data.count(b"<Error>"), 1)
        self.assertNotIn("quiet", self.keys())

    def test_conditions(self):
        rows = []
        for i, (etag, size) in enumerate([(None, None), (WRONG, None), (None, 5), (None, 1), ("*", 1)]):
            self.s3.put_object(Bucket="bucket", Key=f"cond-{i}", Body=b"1")
            rows.append(f"<Object><Key>cond-{i}</Key>" + (f"<ETag>{etag}</ETag>" if etag else "") +
                        (f"<Size>{size}</Size>" if size else "") + "</Object>")
        rows.append(f"<Object><Key>cond-none</Key><ETag>{WRONG}</ETag></Object>")
        answer = self.many("".join(rows)).data.decode()
        self.assertEqual(self.keys(Prefix="cond-"), ["cond-1", "cond-2"])
        self.assertEqual(answer.count("<Code>PreconditionFailed</Code>"), 2)
        self.assertEqual(answer.count("<Code>NoSuchKey</Code>"), 1)
        self.assertEqual(answer.count("<Deleted>"), 3)

    def test_missing_bucket(self):
        self.fails("NoSuchBucket", 404, self.s3.delete_objects, Bucket="nowhere", Delete={"Objects": [{"Key": "k"}]})

    def test_keys_that_need_escapes(self):
        keys = ["<&>\"'", "a b", "ü/\U0001F40B", "trailing ", "line\nbreak", "tab\t"]
        for key in keys:
            self.s3.put_object(Bucket="bucket", Key=key, Body=b"1")
        answer = self.s3.delete_objects(Bucket="bucket", Delete={"Objects": [{"Key": key} for key in keys]})
        self.assertEqual(sorted(row["Key"] for row in answer["Deleted"]), sorted(keys))
        self.assertEqual([key for key in self.keys() if key in keys], [])


if __name__ == "__main__":
    unittest.main()
