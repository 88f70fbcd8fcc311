# SPDX-License-Identifier: LGPL-2.1-or-later
"""Uploads by a browser's form ("Browser-based uploads using POST", S3 API reference)."""
import base64
import datetime
import hashlib
import json
import os
import unittest

from s3_case import S3Case, error_code, send, signature2, signature4
from server import ACCESS_KEY, SECRET_KEY
from test_s3_auth import element

BOUNDARY = "----WebKitFormBoundaryAbC123"
MALFORMED = "not well-formed multipart/form-data"


def part(name, value, filename=None, kind=None, boundary=BOUNDARY):
    text = '--%s\r\nContent-Disposition: form-data; name="%s"' % (boundary, name)
    if filename is not None:
        text += '; filename="%s"' % filename
    if kind:
        text += "\r\nContent-Type: " + kind
    return text.encode() + b"\r\n\r\n" + (value if isinstance(value, bytes) else value.encode()) + b"\r\n"


def expiration(hours=1):
    return (datetime.datetime.utcnow() + datetime.timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")


class FormCase(S3Case):
    def post(self, fields, body=b"file's bytes", filename="my file.txt", path="/bucket", host="x", after=(), file="file"):
        form = b"".join(part(name, value) for name, value in fields)
        if body is not None:
            form += part(file, body, filename, "text/plain")
        form += b"".join(part(name, value) for name, value in after) + b"--%s--\r\n" % BOUNDARY.encode()
        return send(self.server, "POST", path, form, {"Host": host,
                                                      "Content-Type": "multipart/form-data; boundary=" + BOUNDARY})

    def sign4(self, policy, secret=SECRET_KEY, key=ACCESS_KEY, region="us-east-1", service="s3"):
        """The fields of a signed policy; policy: a text."""
        stamp = datetime.datetime.utcnow().strftime("%Y%m%dT%H%M%SZ")
        scope = "%s/%s/%s/aws4_request" % (stamp[:8], region, service)
        document = json.loads(policy) if isinstance(policy, str) else policy
        more = {"x-amz-algorithm": "AWS4-HMAC-SHA256", "x-amz-credential": key + "/" + scope, "x-amz-date": stamp}
        if isinstance(document, dict) and isinstance(document.get("conditions"), list):
            document = dict(document, conditions=document["conditions"] + [{n: v} for n, v in more.items()])
        text = base64.b64encode(json.dumps(document).encode()).decode()
        return [("policy", text)] + list(more.items()) + [("x-amz-signature", signature4(scope, text, secret))]

    def sign2(self, policy, secret=SECRET_KEY, key=ACCESS_KEY):
        text = base64.b64encode(json.dumps(policy).encode()).decode()
        return [("policy", text), ("AWSAccessKeyId", key), ("signature", signature2(text, secret))]

    def policy(self, *conditions, key="k", hours=1):
        return {"expiration": expiration(hours), "conditions": [{"bucket": "bucket"}, {"key": key}] + list(conditions)}

    def is_error(self, response, status, code, words=None):
        self.assertEqual((response.status, error_code(response)), (status, code), response.data)
        if words:
            self.assertIn(words, element(response, "Message"))


class Forms(FormCase):
    def test_both_versions(self):
        for sign in [self.sign4, self.sign2]:
            for body in [b"", b"x", b"\r\n--", b"\r\n" * 9, os.urandom(300000) + b"\r\n--" + BOUNDARY[:-1].encode()]:
                response = self.post([("key", "k")] + sign(self.policy()), body)
                self.assertEqual((response.status, response.data), (204, b""))
                self.assertEqual(self.body("k"), body)
                self.assertEqual(response.headers["ETag"], '"%s"' % hashlib.md5(body).hexdigest())
                self.assertEqual(response.headers["Location"], "http://x/bucket/k")
        self.assertEqual(self.stray_files(), [])

    def test_generated_by_the_sdk(self):
        made = self.s3.generate_presigned_post("bucket", "sdk/${filename}", ExpiresIn=60, Fields={
            "acl": "private", "Content-Type": "image/x", "x-amz-meta-one": "1", "success_action_status": "201"}, Conditions=[
                {"acl": "private"}, ["starts-with", "$Content-Type", "image/"], {"x-amz-meta-one": "1"},
                {"success_action_status": "201"}, ["content-length-range", 1, 100]])
        self.assertTrue(made["url"].endswith("/bucket"))
        response = self.post(list(made["fields"].items()), b"data", "C:\\photos\\a b.png")
        self.assertEqual(response.status, 201, response.data)
        self.assertEqual((element(response, "Bucket"), element(response, "Key"), element(response, "Location")),
                         ("bucket", "sdk/a b.png", "http://x/bucket/sdk/a%20b.png"))
        got = self.s3.get_object(Bucket="bucket", Key="sdk/a b.png")
        self.assertEqual((got["Body"].read(), got["ContentType"], got["Metadata"]), (b"data", "image/x", {"one": "1"}))

    def test_by_host(self):
        response = self.post([("key", "h")] + self.sign4(self.policy(key="h")), path="/", host="bucket.localhost:1")
        self.assertEqual((response.status, response.headers["Location"]), (204, "http://bucket.localhost:1/h"))

    def test_actions(self):
        for fields, status, location in [
                ([("success_action_status", "200")], 200, "http://x/bucket/k"),
                ([("success_action_status", "204")], 204, "http://x/bucket/k"),
                ([("success_action_status", "404")], 204, "http://x/bucket/k"),
                ([("success_action_redirect", "http://there/a")], 303, "http://there/a?bucket=bucket&key=k&etag=%22"),
                ([("redirect", "https://there/a?b=c")], 303, "https://there/a?b=c&bucket=bucket&key=k&etag=%22"),
                ([("success_action_redirect", "there")], 204, "http://x/bucket/k")]:
            with self.subTest(fields):
                response = self.post([("key", "k")] + fields + self.sign4(self.policy(*[{n: v} for n, v in fields])))
                self.assertEqual(response.status, status, response.data)
                self.assertTrue(response.headers["Location"].startswith(location), response.headers["Location"])

    def test_policies(self):
        """What the form says beside its key, what the policy does, and what becomes of it."""
        denied, bad = (403, "AccessDenied"), (400, "InvalidPolicyDocument")
        for fields, conditions, expected, words in [
                ([], [], (204, None), None),
                ([("x-ignore-me", "1")], [], (204, None), None),
                ([("x-amz-meta-a", "b")], [], denied, "Extra input fields: x-amz-meta-a"),
                ([("submit", "Upload")], [], denied, "Extra input fields: submit"),
                ([("x-amz-meta-a", "b")], [{"x-amz-meta-a": "b"}], (204, None), None),
                ([("X-AMZ-Meta-A", "b")], [{"x-amz-META-a": "b"}], (204, None), None),
                ([("x-amz-meta-a", "c")], [{"x-amz-meta-a": "b"}], denied,
                 'Policy Condition failed: ["eq", "$x-amz-meta-a", "b"]'),
                ([], [{"x-amz-meta-a": "b"}], denied, "Policy Condition failed"),
                ([], [["starts-with", "$x-amz-meta-a", "b"]], denied, 'Policy Condition failed: ["starts-with"'),
                ([], [["starts-with", "$x-amz-meta-a", ""]], (204, None), None),
                ([("x-amz-meta-a", "bcd")], [["starts-with", "$x-amz-meta-a", "bc"]], (204, None), None),
                ([("x-amz-meta-a", "abc")], [["starts-with", "$x-amz-meta-a", "bc"]], denied, None),
                ([("x-amz-meta-a", "b")], [["EQ", "$x-amz-meta-a", "b"]], (204, None), None),
                ([("Content-Type", "image/a,image/b")], [["starts-with", "$Content-Type", "image/"]], (204, None), None),
                ([("Content-Type", "image/a,text/b")], [["starts-with", "$Content-Type", "image/"]], denied, None),
                ([], [["content-length-range", 0, 12]], (204, None), None),
                ([], [["content-length-range", "0", "12"]], (204, None), None),
                ([], [["content-length-range", 0, 11]], (400, "EntityTooLarge"), "exceeds the maximum allowed size"),
                ([], [["content-length-range", 13, 100]], (400, "EntityTooSmall"), "smaller than the minimum"),
                ([], [["content-length-range", 0]], bad, None),
                ([], [["content-length-range", -1, 0]], bad, None),
                ([], [["content-length-range", 5, 1]], bad, None),
                ([], [["content-length-range", "a", "b"]], bad, None),
                ([], [{}], bad, "Simple-Condition"),
                ([], [{"a": "b", "c": "d"}], bad, "Simple-Condition"),
                ([], [{"a": {"b": "c"}}], bad, "Simple-Condition"),
                ([], [["like", "$key", "k"]], bad, None),
                ([], [["eq", "key", "k"]], bad, None),
                ([], [["eq", "$key"]], bad, None),
                ([], ["text"], bad, None)]:
            with self.subTest((fields, conditions)):
                response = self.post([("key", "k")] + fields + self.sign4(self.policy(*conditions)))
                if expected[1]:
                    self.is_error(response, *expected, words)
                else:
                    self.assertEqual(response.status, expected[0], response.data)
        self.assertEqual(self.stray_files(), [])

    def test_documents(self):
        conditions = [{"bucket": "bucket"}, {"key": "k"}]
        for document, status, code, words in [
                ({"conditions": conditions}, 400, "InvalidPolicyDocument", "missing expiration"),
                ({"expiration": expiration()}, 400, "InvalidPolicyDocument", "missing conditions"),
                ({"EXPIRATION": expiration(), "conditions": conditions}, 400, "InvalidPolicyDocument", "missing expiration"),
                ({"expiration": expiration(), "CONDITIONS": conditions}, 400, "InvalidPolicyDocument", "missing conditions"),
                ({"expiration": "tomorrow", "conditions": conditions}, 400, "InvalidPolicyDocument", "'expiration'"),
                ({"expiration": 5, "conditions": conditions}, 400, "InvalidPolicyDocument", "'expiration'"),
                ({"expiration": expiration(), "conditions": {}}, 400, "InvalidPolicyDocument", None),
                ({"expiration": expiration(-1), "conditions": conditions}, 403, "AccessDenied", "Policy expired"),
                ({"expiration": expiration(), "conditions": conditions[1:]}, 403, "AccessDenied", "Extra input fields: bucket"),
                ({"expiration": expiration(), "conditions": conditions[:1]}, 403, "AccessDenied", "Extra input fields: key"),
                ({"expiration": expiration(), "conditions": [{"bucket": "other"}, {"key": "k"}]}, 403, "AccessDenied",
                 'Policy Condition failed: ["eq", "$bucket", "other"]'),
                ([], 400, "InvalidPolicyDocument", None), ("text", 400, "InvalidPolicyDocument", None)]:
            with self.subTest(document):
                self.is_error(self.post([("key", "k")] + self.sign2(document)), status, code, words)

    def test_policies_that_are_no_documents(self):
        for text in ["", "!", "bm90IGpzb24=", base64.b64encode(b'{"a":1,"a":2}').decode()]:
            self.is_error(self.post([("key", "k"), ("policy", text), ("AWSAccessKeyId", ACCESS_KEY),
                                     ("signature", signature2(text))]),
                          400, "InvalidPolicyDocument", "Invalid JSON")

    def test_signatures(self):
        policy = self.policy()
        self.is_error(self.post([("key", "k")] + self.sign4(policy, secret="wrong")), 403, "SignatureDoesNotMatch")
        self.is_error(self.post([("key", "k")] + self.sign4(policy, key="AKIANOBODY")), 403, "InvalidAccessKeyId")
        self.is_error(self.post([("key", "k")] + self.sign4(policy, region="eu-west-1")), 400, "InvalidArgument")
        self.is_error(self.post([("key", "k")] + self.sign4(policy, service="ec2")), 400, "InvalidArgument")
        self.is_error(self.post([("key", "k")] + self.sign2(policy, secret="wrong")), 403, "SignatureDoesNotMatch")
        self.is_error(self.post([("key", "k")] + self.sign2(policy, key="AKIANOBODY")), 403, "InvalidAccessKeyId")
        for sign, names in [(self.sign4, ["x-amz-signature", "x-amz-credential", "x-amz-date", "x-amz-algorithm", "policy"]),
                            (self.sign2, ["signature", "AWSAccessKeyId", "policy"])]:
            for name in names:
                with self.subTest(name):
                    fields = [field for field in sign(policy) if field[0] != name]
                    self.is_error(self.post([("key", "k")] + fields), 400, "InvalidArgument", "must contain a field named")
        for name, value in [("x-amz-date", "today"), ("x-amz-algorithm", "AWS4"), ("x-amz-credential", "a/b")]:
            with self.subTest(name):
                fields = dict(self.sign4(policy), **{name: value})
                self.is_error(self.post([("key", "k")] + list(fields.items())), 400, "InvalidArgument")
        self.is_error(self.post([("key", "k"), ("x-amz-security-token", "t")] + self.sign4(policy)), 400, "InvalidToken")
        self.assertEqual(self.stray_files(), [])

    def test_keys(self):
        self.is_error(self.post(self.sign4(self.policy())), 400, "InvalidArgument", "a field named 'key'")
        self.is_error(self.post(self.sign4(self.policy()), after=[("key", "k")]), 400, "InvalidArgument", "order of the fields")
        self.is_error(self.post([("key", "")] + self.sign4(self.policy(key=""))), 400, "InvalidArgument", "greater than 0")
        long = "k" * 1025
        self.is_error(self.post([("key", long)] + self.sign4(self.policy(key=long))), 400, "KeyTooLongError")
        odd = "../\u00e4/a&b<c>'\u20ac"
        response = self.post([("key", odd), ("success_action_status", "201")] +
                             self.sign4(self.policy({"success_action_status": "201"}, key=odd)))
        self.assertEqual((response.status, element(response, "Key")), (201, odd))
        self.assertEqual(self.body(odd), b"file's bytes")

    def test_what_belongs_to_the_object(self):
        fields = [("Cache-Control", "no-cache"), ("Content-Disposition", "inline"), ("Content-Type", "a/b"),
                  ("x-amz-meta-x", "y"), ("x-amz-storage-class", "STANDARD"), ("acl", "private"),
                  ("tagging", "<Tagging><TagSet><Tag><Key>a b</Key><Value>c+d</Value></Tag></TagSet></Tagging>")]
        response = self.post([("key", "k")] + fields + self.sign4(self.policy(*[{n: v} for n, v in fields])))
        self.assertEqual(response.status, 204, response.data)
        got = self.s3.get_object(Bucket="bucket", Key="k")
        self.assertEqual((got["CacheControl"], got["ContentDisposition"], got["ContentType"], got["Metadata"]),
                         ("no-cache", "inline", "a/b", {"x": "y"}))
        self.assertEqual(self.s3.get_object_tagging(Bucket="bucket", Key="k")["TagSet"], [{"Key": "a b", "Value": "c+d"}])
        self.is_error(self.post([("key", "k"), ("tagging", "<no")] + self.sign4(self.policy({"tagging": "<no"}))), 400,
                      "MalformedXML")
        crc = base64.b64encode(b"\0\0\0\0").decode()
        self.is_error(self.post([("key", "k"), ("x-amz-checksum-crc32", crc)] +
                                self.sign4(self.policy({"x-amz-checksum-crc32": crc}))), 400, "BadDigest")

    def test_files(self):
        signed = [("key", "k")] + self.sign4(self.policy())
        self.is_error(self.post(signed, None), 400, "InvalidArgument", "exactly one file upload")
        self.assertEqual(self.post(signed, b"a", file="File").status, 204)
        self.assertEqual(self.post(signed, b"a", after=[("x", "y"), ("file", "z")]).status, 204)
        self.assertEqual(self.body("k"), b"a")
        self.assertEqual(self.post(signed, b"no name", None).status, 204)

    def test_strangers(self):
        self.is_error(self.post([("key", "k")]), 403, "AccessDenied")
        name = self.new_bucket("open-forms")
        self.s3.delete_public_access_block(Bucket=name)
        self.s3.put_bucket_policy(Bucket=name, Policy=json.dumps({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": "*", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::open-forms/in/*"}]}))
        self.assertEqual(self.post([("key", "in/${filename}")], path="/open-forms").status, 204)
        self.assertEqual(self.body("in/my file.txt", name), b"file's bytes")
        self.is_error(self.post([("key", "out")], path="/open-forms"), 403, "AccessDenied")

    def test_other_bodies(self):
        signed = b"".join(part(n, v) for n, v in [("key", "k")] + self.sign4(self.policy()))
        file, end = part("file", b"x", "f"), b"--%s--\r\n" % BOUNDARY.encode()
        kind = "multipart/form-data; boundary=" + BOUNDARY
        for content_type, body, status, code in [
                ("text/plain", signed + file + end, 412, "PreconditionFailed"),
                (None, signed + file + end, 412, "PreconditionFailed"),
                ("multipart/form-data", signed + file + end, 400, "MalformedPOSTRequest"),
                ("multipart/form-data; boundary=", signed + file + end, 400, "MalformedPOSTRequest"),
                (kind + "x", signed + file + end, 400, "MalformedPOSTRequest"),
                (kind, b"", 400, "MalformedPOSTRequest"), (kind, b"nothing", 400, "MalformedPOSTRequest"),
                (kind, signed + file, 400, "MalformedPOSTRequest"), (kind, signed, 400, "MalformedPOSTRequest"),
                (kind, b"--%s\r\nContent-Type: a\r\n\r\nx\r\n" % BOUNDARY.encode() + end, 400, "MalformedPOSTRequest"),
                (kind, b"--%s\r\n" % BOUNDARY.encode() + b"a: " + b"b" * 20000 + b"\r\n\r\n" + end, 400, "MalformedPOSTRequest"),
                (kind, b"--%snonsense\r\n\r\n" % BOUNDARY.encode() + end, 400, "MalformedPOSTRequest"),
                (kind, part("a", "b" * 30000) + signed + file + end, 400, "MaxPostPreDataLengthExceeded"),
                (kind, part("a", "b") * 300 + signed + file + end, 400, "MaxPostPreDataLengthExceeded"),
                (kind, part("a", b"\0") + signed + file + end, 400, "InvalidArgument")]:
            with self.subTest((content_type, body[:40], code)):
                headers = {"Host": "x"}
                if content_type:
                    headers["Content-Type"] = content_type
                self.is_error(send(self.server, "POST", "/bucket", body, headers), status, code)
        quoted = kind.replace(BOUNDARY, '"%s"' % BOUNDARY) + "; charset=utf-8"
        self.assertEqual(send(self.server, "POST", "/bucket", b"preamble\r\n" + signed + file + end + b"epilogue",
                              {"Host": "x", "Content-Type": quoted}).status, 204)
        response = self.post([("key", "k")], path="/nothere")
        self.is_error(response, 404, "NoSuchBucket")
        self.assertEqual(self.stray_files(), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
