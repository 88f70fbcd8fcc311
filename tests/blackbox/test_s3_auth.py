# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who may ask S3: signatures of both versions in fields and queries, what each fault is told, hosts, strangers.

The words are those of "Error responses" and "Authenticating requests" in the API reference of S3."""
import base64
import datetime
import email.utils
import hashlib
import html
import json
import re
import time
import unittest
import urllib.parse
import zlib

import boto3
import botocore.config

from s3_case import (S3Case, begin, chunk_signatures, error_code, finish, raw, request_signature4, send, sign,
                     signature2, signature4)
from server import ACCESS_KEY, SECRET_KEY, Server, signed_request

HOURS = datetime.timedelta(hours=1)


def element(response, name):
    found = re.search(("<%s>(.*?)</%s>" % (name, name)).encode(), response.data, re.S)
    return html.unescape(found.group(1).decode()) if found else None


def target(url):
    parts = urllib.parse.urlsplit(url)
    return parts.path + ("?" + parts.query if parts.query else ""), parts.netloc


class AuthCase(S3Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.s3.put_object(Bucket="bucket", Key="a key+", Body=b"data")

    def is_error(self, response, status, code, words=None):
        self.assertEqual((response.status, error_code(response)), (status, code), response.data)
        self.assertTrue(element(response, "RequestId"))
        if words:
            self.assertIn(words, element(response, "Message"))

    def get(self, url, method="GET", body=b"", headers=None):
        path, host = target(url)
        return send(self.server, method, path, body, dict(headers or {}, Host=host))

    def presign(self, operation="get_object", expires=60, client=None, **parameters):
        parameters = dict({"Bucket": "bucket", "Key": "a key+"}, **parameters)
        return (client or self.s3).generate_presigned_url(operation, parameters, expires)


class Fields(AuthCase):
    """Signature Version 4 and what is wrong with it in a field."""

    def rows(self):
        day = datetime.datetime.utcnow().strftime("%Y%m%d")
        other = (datetime.datetime.utcnow() + 24 * HOURS).strftime("%Y%m%d")
        four, scope = "AWS4-HMAC-SHA256 ", "Credential=%s/%s/us-east-1/s3/aws4_request" % (ACCESS_KEY, day)
        rest = ", SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=" + "0" * 64
        malformed = "AuthorizationHeaderMalformed"
        return [
            ("", 403, "AccessDenied", "Access Denied"),
            ("Bearer abc", 400, "InvalidArgument", "Unsupported Authorization Type"),
            ("Basic dXNlcjpwYXNz", 400, "InvalidArgument", "Unsupported Authorization Type"),
            ("garbage", 400, "InvalidArgument", "Unsupported Authorization Type"),
            ("AWS", 400, "InvalidArgument", "Expected AwsAccessKeyId:signature"),
            ("AWS HAHAHA", 400, "InvalidArgument", "Expected AwsAccessKeyId:signature"),
            ("AWS :", 400, "InvalidArgument", "Expected AwsAccessKeyId:signature"),
            ("AWS key:", 400, "InvalidArgument", "Expected AwsAccessKeyId:signature"),
            ("AWS nobody:c2lnbmF0dXJl", 403, "InvalidAccessKeyId", "does not exist in our records"),
            ("AWS %s:c2lnbmF0dXJl" % ACCESS_KEY, 403, "SignatureDoesNotMatch", "does not match"),
            ("AWS4-HMAC-SHA256", 400, malformed, "requires three components"),
            (four + scope, 400, malformed, "requires three components"),
            (four + "nonsense", 400, malformed, None),
            (four + "Credential=abc" + rest, 400, malformed, "the Credential is mal-formed"),
            (four + "Credential=a/b/c/d" + rest, 400, malformed, "the Credential is mal-formed"),
            (four + scope.replace("aws4", "aws5") + rest, 400, malformed, None),
            (four + scope.replace("us-east-1", "eu-west-1") + rest, 400, malformed,
             "the region 'eu-west-1' is wrong; expecting 'us-east-1'"),
            (four + scope.replace("/s3/", "/sqs/") + rest, 400, malformed,
             "incorrect service \"sqs\". This endpoint belongs to \"s3\"."),
            (four + scope.replace(day, other) + rest, 400, malformed, "Invalid credential date"),
            (four + scope.replace(ACCESS_KEY, "AKIANOBODY") + rest, 403, "InvalidAccessKeyId", None),
            (four + scope + rest, 403, "SignatureDoesNotMatch", None),
            (four + scope + rest[:-10], 403, "SignatureDoesNotMatch", None),
        ]

    def test_faults(self):
        now = datetime.datetime.utcnow().strftime("%Y%m%dT%H%M%SZ")
        for value, status, code, words in self.rows():
            with self.subTest(value):
                response = send(self.server, "GET", "/bucket/a%20key%2B", headers={
                    "Host": "x", "Authorization": value, "X-Amz-Date": now,
                    "X-Amz-Content-SHA256": hashlib.sha256(b"").hexdigest()})
                self.is_error(response, status, code, words)

    def test_region_is_named(self):
        for region in ["eu-west-1", "US-EAST-1", "x" * 200]:
            request = boto3.client("s3", endpoint_url=self.server.endpoint, region_name="eu-west-1",
                                   aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY)
            error = self.fails("AuthorizationHeaderMalformed", 400, request.list_buckets)
            self.assertEqual(error["Error"]["Region"], "us-east-1")

    def test_mismatch_tells_what_was_signed(self):
        response = raw(self.server, "GET", "/bucket/a%20key%2B?tagging", secret="wrong")
        self.is_error(response, 403, "SignatureDoesNotMatch")
        self.assertEqual(element(response, "AWSAccessKeyId"), ACCESS_KEY)
        self.assertEqual(len(element(response, "SignatureProvided")), 64)
        canonical = element(response, "CanonicalRequest")
        self.assertTrue(canonical.startswith("GET\n/bucket/a%20key%2B\ntagging=\nhost:"), canonical)
        self.assertEqual(element(response, "CanonicalRequestBytes")[:8], "47 45 54")
        string = element(response, "StringToSign")
        self.assertTrue(string.startswith("AWS4-HMAC-SHA256\n"))
        self.assertEqual(string.rsplit("\n", 1)[1], hashlib.sha256(canonical.encode()).hexdigest())
        self.assertEqual(bytes.fromhex(element(response, "StringToSignBytes")).decode(), string)
        self.assertNotIn(SECRET_KEY.encode(), response.data)

    def test_unknown_key_is_named(self):
        response = raw(self.server, "GET", "/", key="AKIANOBODY")
        self.is_error(response, 403, "InvalidAccessKeyId")
        self.assertEqual(element(response, "AWSAccessKeyId"), "AKIANOBODY")

    def test_skew_tells_both_times(self):
        for delta in [-HOURS, HOURS, -24 * 365 * 20 * HOURS]:
            with self.subTest(delta):
                when = datetime.datetime.utcnow() + delta
                response = raw(self.server, "GET", "/", when=when)
                self.is_error(response, 403, "RequestTimeTooSkewed")
                self.assertEqual(element(response, "RequestTime"), when.strftime("%Y%m%dT%H%M%SZ"))
                self.assertRegex(element(response, "ServerTime"), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
                self.assertEqual(element(response, "MaxAllowedSkewMilliseconds"), "900000")

    def test_dates(self):
        headers = sign(self.server, "GET", "/")
        for value in ["", "yesterday", "20260101", "2026-01-01T00:00:00Z", "20261301T000000Z", "99999999T999999Z"]:
            with self.subTest(value):
                self.is_error(send(self.server, "GET", "/", headers=dict(headers, **{"X-Amz-Date": value})), 403,
                              "AccessDenied", "valid Date or x-amz-date header")
        del headers["X-Amz-Date"]
        self.is_error(send(self.server, "GET", "/", headers=headers), 403, "AccessDenied", "valid Date")

    def test_a_date_field_will_do(self):
        headers = sign(self.server, "GET", "/")
        stamp = datetime.datetime.utcnow().replace(microsecond=0)
        day = stamp.strftime("%Y%m%d")
        headers = {"Host": headers["Host"], "Date": email.utils.format_datetime(stamp.replace(
            tzinfo=datetime.timezone.utc), usegmt=True), "x-amz-content-sha256": "UNSIGNED-PAYLOAD"}
        names = "date;host;x-amz-content-sha256"
        canonical = "GET\n/\n\ndate:%s\nhost:%s\nx-amz-content-sha256:UNSIGNED-PAYLOAD\n\n%s\nUNSIGNED-PAYLOAD" % (
            headers["Date"], headers["Host"], names)
        scope = day + "/us-east-1/s3/aws4_request"
        headers["Authorization"] = "AWS4-HMAC-SHA256 Credential=%s/%s,SignedHeaders=%s,Signature=%s" % (
            ACCESS_KEY, scope, names, request_signature4(scope, stamp.strftime("%Y%m%dT%H%M%SZ"), canonical.encode()))
        self.assertEqual(send(self.server, "GET", "/", headers=headers).status, 200)

    def test_unsigned_fields(self):
        headers = sign(self.server, "GET", "/bucket/a%20key%2B")
        response = send(self.server, "GET", "/bucket/a%20key%2B", headers=dict(headers, **{
            "x-amz-meta-one": "1", "X-Amz-Expected-Bucket-Owner": "1"}))
        self.is_error(response, 403, "AccessDenied", "not signed")
        self.assertEqual(element(response, "HeadersNotSigned"), "x-amz-meta-one, X-Amz-Expected-Bucket-Owner")
        self.assertEqual(send(self.server, "GET", "/bucket/a%20key%2B",
                              headers=dict(headers, **{"X-Other": "1", "Range": "bytes=0-0"})).status, 206)

    def test_payload(self):
        headers = sign(self.server, "PUT", "/bucket/p", b"data")
        response = send(self.server, "PUT", "/bucket/p", b"DATA", headers)
        self.is_error(response, 400, "XAmzContentSHA256Mismatch")
        for value in ["", "abc", "unsigned-payload", "STREAMING-NOTHING", "g" * 64, "0" * 63]:
            with self.subTest(value):
                response = raw(self.server, "PUT", "/bucket/p", b"data", payload=value) if value else send(
                    self.server, "PUT", "/bucket/p", b"data", dict(headers, **{"X-Amz-Content-SHA256": ""}))
                self.is_error(response, 400, "InvalidArgument", "x-amz-content-sha256 must be")
        del headers["X-Amz-Content-SHA256"]
        self.is_error(send(self.server, "PUT", "/bucket/p", b"data", headers), 400, "InvalidRequest",
                      "Missing required header for this request: x-amz-content-sha256")
        self.assertNotIn("p", self.keys())

    def test_two_ways_at_once(self):
        path, host = target(self.presign())
        headers = sign(self.server, "GET", path)
        self.is_error(send(self.server, "GET", path, headers=headers), 400, "InvalidArgument",
                      "Only one auth mechanism allowed")

    def test_two_authorizations(self):
        headers = sign(self.server, "GET", "/")
        response = finish(begin(self.server, "GET", "/",
                                list(headers.items()) + [("Authorization", headers["Authorization"])]))
        self.is_error(response, 400, "AuthorizationHeaderMalformed")

    def test_tokens_of_nobody(self):
        response = raw(self.server, "GET", "/", headers={"X-Amz-Security-Token": "token"})
        self.is_error(response, 400, "InvalidToken")
        self.assertEqual(element(response, "Token-0"), "token")

    def test_temporary_keys(self):
        session = self.server.client("sts").get_session_token(DurationSeconds=900)["Credentials"]
        keys = dict(endpoint_url=self.server.endpoint, region_name="us-east-1",
                    aws_access_key_id=session["AccessKeyId"], aws_secret_access_key=session["SecretAccessKey"])
        config = botocore.config.Config(signature_version="s3v4", s3={"addressing_style": "path"})
        s3 = boto3.client("s3", aws_session_token=session["SessionToken"], config=config, **keys)
        self.assertEqual(s3.get_object(Bucket="bucket", Key="a key+")["Body"].read(), b"data")
        self.assertEqual(self.get(self.presign(client=s3)).data, b"data")
        for version in ["s3", "s3-query"]:
            old = boto3.client("s3", aws_session_token=session["SessionToken"], config=botocore.config.Config(
                signature_version=version, s3={"addressing_style": "path"}), **keys)
            self.assertEqual(self.get(self.presign(client=old)).data, b"data")
        self.fails("InvalidToken", 400, boto3.client("s3", aws_session_token="x" + session["SessionToken"],
                                                     config=config, **keys).list_buckets)
        self.fails("InvalidAccessKeyId", 403, boto3.client("s3", config=config, **keys).list_buckets)


class Query(AuthCase):
    """The protocol of IAM and STS, by hand."""

    def ask(self, body, service="sts", method="POST", path="/", sign_it=True, **arguments):
        kind = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8", "Host": self.server.endpoint[7:]}
        if sign_it:
            keys = arguments.get("key", ACCESS_KEY), arguments.get("secret", SECRET_KEY)
            kind = signed_request(service, method, self.server.endpoint + path, body, kind, keys,
                                  arguments.get("region", "us-east-1")).headers
        return send(self.server, method, path, body.encode(), dict(kind.items()))

    def test_an_answer(self):
        response = self.ask("Action=GetCallerIdentity&Version=2011-06-15")
        self.assertEqual((response.status, response.headers["Content-Type"]), (200, "text/xml"))
        self.assertTrue(response.data.startswith(b'<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
                                                 b"<GetCallerIdentityResult>"), response.data)
        self.assertEqual(element(response, "Account"), "012345678901")
        self.assertEqual(element(response, "RequestId"), response.headers["x-amzn-RequestId"])
        response = self.ask("", method="GET", path="/?Action=GetCallerIdentity&Version=2011-06-15")
        self.assertEqual(element(response, "Arn"), "arn:aws:iam::012345678901:root")

    def test_faults(self):
        who = "Action=GetCallerIdentity&Version=2011-06-15"
        for body, arguments, status, code in [
                (who, {"sign_it": False}, 403, "MissingAuthenticationToken"),
                (who, {"key": "AKIANOBODY"}, 403, "InvalidClientTokenId"),
                (who, {"secret": "wrong"}, 403, "SignatureDoesNotMatch"),
                (who, {"region": "eu-west-1"}, 403, "SignatureDoesNotMatch"),
                ("Version=2011-06-15", {}, 400, "MissingAction"), ("", {}, 400, "MissingAction"),
                ("Action=Nonsense&Version=2011-06-15", {}, 400, "InvalidAction"),
                ("Action=getCallerIdentity&Version=2011-06-15", {}, 400, "InvalidAction"),
                ("Action=GetCallerIdentity&Version=2000-01-01", {}, 400, "MalformedInput"),
                ("Action=GetSessionToken&DurationSeconds=long&Version=2011-06-15", {}, 400, "MalformedInput"),
                ("Action=%zz", {}, 400, "MalformedInput"), ("Action=A&B=1&B=2", {}, 400, "MalformedInput")]:
            with self.subTest((body, arguments)):
                response = self.ask(body, **arguments)
                self.is_error(response, status, code)
                self.assertEqual(element(response, "Type"), "Sender")

    def test_presigned_identity(self):
        url = self.server.client("sts").generate_presigned_url("get_caller_identity", HttpMethod="GET")
        self.assertEqual(element(self.get(url), "Account"), "012345678901")
        self.is_error(self.get(url + "0"), 403, "SignatureDoesNotMatch")


class Presigned(AuthCase):
    """Signature Version 4 in the query."""

    def test_faults(self):
        url = self.presign()
        week = "X-Amz-Expires=604801"
        rows = [
            ("X-Amz-Signature=[0-9a-f]*", "X-Amz-Signature=0", 403, "SignatureDoesNotMatch", None),
            ("X-Amz-Expires=60", "X-Amz-Expires=61", 403, "SignatureDoesNotMatch", None),
            ("a%20key", "b%20key", 403, "SignatureDoesNotMatch", None),
            ("X-Amz-Expires=60", week, 400, "AuthorizationQueryParametersError", "less than a week"),
            ("X-Amz-Expires=60", "X-Amz-Expires=" + "9" * 30, 400, "AuthorizationQueryParametersError", "less than a week"),
            ("X-Amz-Expires=60", "X-Amz-Expires=-1", 400, "AuthorizationQueryParametersError", "non-negative"),
            ("X-Amz-Expires=60", "X-Amz-Expires=soon", 400, "AuthorizationQueryParametersError", "should be a number"),
            ("X-Amz-Expires=60", "X-Amz-Expires=", 400, "AuthorizationQueryParametersError", "should be a number"),
            ("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1", 400, "AuthorizationQueryParametersError", "X-Amz-Algorithm only supports"),
            ("us-east-1", "us-west-2", 400, "AuthorizationQueryParametersError", "the region 'us-west-2' is wrong"),
            ("%2Fs3%2F", "%2Fec2%2F", 400, "AuthorizationHeaderMalformed|AuthorizationQueryParametersError", "incorrect service"),
            (ACCESS_KEY, "AKIANOBODY", 403, "InvalidAccessKeyId", None),
            ("X-Amz-Credential=[^&]*", "X-Amz-Credential=abc", 400, "AuthorizationQueryParametersError", "mal-formed"),
            ("X-Amz-Date=[^&]*", "X-Amz-Date=today", 400, "AuthorizationQueryParametersError", "ISO8601 Long Format"),
            ("X-Amz-Date=[^&]*", "X-Amz-Date=20200101T000000Z", 400, "AuthorizationQueryParametersError", None),
        ]
        for name in ["Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature"]:
            rows.append(("X-Amz-%s=[^&]*&?" % name, "", 400, "AuthorizationQueryParametersError",
                         "requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature"))
        for pattern, by, status, code, words in rows:
            with self.subTest(by or pattern):
                response = self.get(re.sub(pattern, by, url))
                self.assertIn(error_code(response), code.split("|"), response.data)
                self.is_error(response, status, error_code(response), words)

    def signed_at(self, when, expires):
        """A presigned URL as of another time."""
        stamp = when.strftime("%Y%m%dT%H%M%SZ")
        scope = stamp[:8] + "/us-east-1/s3/aws4_request"
        host = self.server.endpoint[7:]
        query = urllib.parse.urlencode(sorted({
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256", "X-Amz-Credential": ACCESS_KEY + "/" + scope, "X-Amz-Date": stamp,
            "X-Amz-Expires": str(expires), "X-Amz-SignedHeaders": "host"}.items()), quote_via=urllib.parse.quote, safe="~")
        canonical = "GET\n/bucket/a%%20key%%2B\n%s\nhost:%s\n\nhost\nUNSIGNED-PAYLOAD" % (query, host)
        return "%s/bucket/a%%20key%%2B?%s&X-Amz-Signature=%s" % (
            self.server.endpoint, query, request_signature4(scope, stamp, canonical.encode()))

    def test_times(self):
        now = datetime.datetime.utcnow()
        for age, expires, status in [(0, 60, 200), (50, 60, 200), (6 * 24 * 3600, 604800, 200), (0, 604800, 200),
                                     (61, 60, 403), (604801, 604800, 403), (2, 0, 403), (-600, 60, 200)]:
            with self.subTest((age, expires)):
                response = self.get(self.signed_at(now - datetime.timedelta(seconds=age), expires))
                self.assertEqual(response.status, status, response.data)
        self.is_error(self.get(self.signed_at(now + HOURS, 60)), 403, "AccessDenied", "not yet valid")

    def test_expiry_tells_its_times(self):
        now = datetime.datetime.utcnow()
        response = self.get(self.signed_at(now - HOURS, 60))
        self.is_error(response, 403, "AccessDenied", "Request has expired")
        self.assertEqual(element(response, "X-Amz-Expires"), "60")
        self.assertEqual(element(response, "Expires"),
                         (now - HOURS + datetime.timedelta(seconds=60)).strftime("%Y-%m-%dT%H:%M:%SZ"))
        self.assertRegex(element(response, "ServerTime"), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")

    def test_methods_are_signed(self):
        url = self.presign()
        for method in ["HEAD", "PUT", "DELETE", "POST"]:
            self.assertEqual(self.get(url, method).status, 403, method)
        self.assertEqual(self.get(self.presign("head_object"), "HEAD").status, 200)

    def test_headers_that_are_signed(self):
        url = self.presign("put_object", Key="typed", ContentType="text/plain")
        self.is_error(self.get(url, "PUT", b"x"), 403, "SignatureDoesNotMatch")
        self.is_error(self.get(url, "PUT", b"x", {"Content-Type": "text/html"}), 403, "SignatureDoesNotMatch")
        self.assertEqual(self.get(url, "PUT", b"x", {"Content-Type": "text/plain"}).status, 200)
        self.is_error(self.get(self.presign("put_object", Key="more"), "PUT", b"x", {"x-amz-meta-a": "b"}), 403,
                      "AccessDenied", "not signed")

    def test_response_overrides(self):
        url = self.presign(ResponseContentType="text/x-mine", ResponseContentDisposition="attachment; filename=\"f\"")
        response = self.get(url)
        self.assertEqual((response.status, response.headers["Content-Type"], response.headers["Content-Disposition"]),
                         (200, "text/x-mine", "attachment; filename=\"f\""))
        self.is_error(self.get(url + "&response-expires=0"), 403, "SignatureDoesNotMatch")

    def test_a_list(self):
        url = self.s3.generate_presigned_url("list_objects_v2", {"Bucket": "bucket", "Prefix": "a "}, 60)
        self.assertIn(b"<Key>a%20key%2B</Key>", self.get(url).data)


class Version2(AuthCase):
    """Signature Version 2: `aws s3 presign` makes it, and old clients."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.old = cls.server.client("s3", signature_version="s3")
        cls.query = cls.server.client("s3", signature_version="s3-query")

    def test_all_kinds_of_requests(self):
        s3 = self.old
        s3.put_object(Bucket="bucket", Key="v2/\u00e4 +&=", Body=b"old", Metadata={"b": "2", "a": " 1  x "},
                      ContentType="text/plain")
        self.addCleanup(s3.delete_object, Bucket="bucket", Key="v2/\u00e4 +&=")
        got = s3.get_object(Bucket="bucket", Key="v2/\u00e4 +&=")
        self.assertEqual((got["Body"].read(), got["ContentType"]), (b"old", "text/plain"))
        self.assertEqual([i["Key"] for i in s3.list_objects(Bucket="bucket", Prefix="v2/")["Contents"]],
                         ["v2/\u00e4 +&="])
        self.assertIn("bucket", [b["Name"] for b in s3.list_buckets()["Buckets"]])
        s3.copy_object(Bucket="bucket", Key="v2c", CopySource={"Bucket": "bucket", "Key": "a key+"})
        self.assertEqual(self.body("v2c"), b"data")
        self.assertEqual(s3.head_object(Bucket="bucket", Key="v2c")["ContentLength"], 4)
        s3.delete_object(Bucket="bucket", Key="v2c")

    def by_hand(self, method, path, resource, **fields):
        date = email.utils.formatdate(usegmt=True)
        amz = "".join("%s:%s\n" % (name.lower().replace("_", "-"), value) for name, value in sorted(fields.items()))
        text = "%s\n\n\n%s\n%s%s" % (method, date, amz, resource)
        mac = signature2(text)
        return send(self.server, method, path, headers=dict(
            {name.replace("_", "-"): value for name, value in fields.items()},
            Host="x", Date=date, Authorization="AWS %s:%s" % (ACCESS_KEY, mac)))

    def test_resources(self):
        for method, path, resource, status in [
                ("GET", "/bucket?location", "/bucket?location", 200), ("GET", "/bucket/?location", "/bucket/?location", 200),
                ("GET", "/bucket?versioning&x=y", "/bucket?versioning", 200), ("GET", "/bucket?uploads", "/bucket?uploads", 200),
                ("GET", "/bucket?prefix=a&max-keys=1", "/bucket", 200), ("GET", "/bucket?versions", "/bucket?versions", 200),
                ("GET", "/bucket?acl", "/bucket?acl", 200), ("GET", "/bucket?acl", "/bucket", 403),
                ("GET", "/bucket?cors", "/bucket?cors", 404), ("GET", "/bucket?lifecycle", "/bucket?lifecycle", 404),
                ("GET", "/bucket/a%20key%2B?tagging", "/bucket/a%20key%2B?tagging", 200),
                ("GET", "/bucket/a%20key%2B?response-expires=a%20b&response-content-type=c/d",
                 "/bucket/a%20key%2B?response-content-type=c/d&response-expires=a b", 200),
                ("GET", "/bucket/a%20key%2B", "/bucket/a key+", 403), ("GET", "/bucket/a%20key%2B", "/bucket/a%20key%2B", 200),
                ("HEAD", "/bucket/a%20key%2B", "/bucket/a%20key%2B", 200), ("GET", "/", "/", 200)]:
            with self.subTest(path):
                self.assertEqual(self.by_hand(method, path, resource).status, status)

    def test_fields(self):
        path = "/bucket/a%20key%2B"
        self.assertEqual(self.by_hand("GET", path, path, x_amz_meta_b="2", x_amz_checksum_mode="ENABLED").status, 200)
        headers = {"Host": "x", "Date": email.utils.formatdate(usegmt=True), "x-amz-meta-a": "1"}
        text = "GET\n\n\n%s\n%s" % (headers["Date"], path)
        mac = signature2(text)
        headers["Authorization"] = "AWS %s:%s" % (ACCESS_KEY, mac)
        self.is_error(send(self.server, "GET", path, headers=headers), 403, "SignatureDoesNotMatch")
        del headers["x-amz-meta-a"]
        self.assertEqual(send(self.server, "GET", path, headers=headers).status, 200)

    def test_presigned(self):
        for arguments, expected in [({}, b"data"), ({"ResponseContentType": "text/x-b"}, b"data")]:
            response = self.get(self.presign(client=self.query, **arguments))
            self.assertEqual((response.status, response.data), (200, expected), response.data)
        url = self.presign("put_object", client=self.query, Key="v2put", ContentType="text/plain")
        self.assertEqual(self.get(url, "PUT", b"x", {"Content-Type": "text/plain"}).status, 200)
        self.is_error(self.get(url, "PUT", b"x", {"Content-Type": "text/html"}), 403, "SignatureDoesNotMatch")
        self.assertEqual(self.get(self.presign("head_object", client=self.query), "HEAD").status, 200)

    def test_presigned_faults(self):
        url = self.presign(client=self.query, expires=600)
        for pattern, by, code, words in [
                ("Signature=[^&]*", "Signature=c2ln", "SignatureDoesNotMatch", None),
                ("Expires=", "Expires=1", "SignatureDoesNotMatch", None),
                ("Expires=[^&]*", "Expires=1000000000", "AccessDenied", "Request has expired"),
                ("Expires=[^&]*", "Expires=soon", "AccessDenied", "Invalid date (should be seconds since epoch)"),
                ("&?Expires=[^&]*", "", "AccessDenied", "requires the Signature, Expires and AWSAccessKeyId"),
                ("&?Signature=[^&]*", "", "AccessDenied", "requires the Signature, Expires and AWSAccessKeyId"),
                ("AWSAccessKeyId=[^&]*", "", "AccessDenied", "requires the Signature, Expires and AWSAccessKeyId"),
                (ACCESS_KEY, "AKIANOBODY", "InvalidAccessKeyId", None),
                ("a%20key", "b%20key", "SignatureDoesNotMatch", None)]:
            with self.subTest(by or pattern):
                self.is_error(self.get(re.sub(pattern, by, url)), 403, code, words)

    def test_expired(self):
        expires = str(int(time.time()) - 10)
        text = "GET\n\n\n%s\n/bucket/a%%20key%%2B" % expires
        signature = signature2(text)
        response = self.get(self.server.endpoint + "/bucket/a%20key%2B?" + urllib.parse.urlencode(
            {"AWSAccessKeyId": ACCESS_KEY, "Expires": expires, "Signature": signature}))
        self.is_error(response, 403, "AccessDenied", "Request has expired")
        self.assertEqual(element(response, "Expires"),
                         datetime.datetime.utcfromtimestamp(int(expires)).strftime("%Y-%m-%dT%H:%M:%SZ"))

    def test_mismatch_tells_what_was_signed(self):
        old = self.server.client("s3", signature_version="s3", secret_key="wrong")
        error = self.fails("SignatureDoesNotMatch", 403, old.list_objects, Bucket="bucket")["Error"]
        self.assertTrue(error["StringToSign"].startswith("GET\n\n\n"))
        self.assertTrue(error["StringToSign"].endswith("\n/bucket"), error["StringToSign"])
        self.assertNotIn("CanonicalRequest", error)

    def test_dates(self):
        def signed(date, name="Date"):
            text = "GET\n\n\n%s\n%s/" % (date if name == "Date" else "", "" if name == "Date" else "x-amz-date:%s\n" % date)
            mac = signature2(text)
            return send(self.server, "GET", "/", headers={"Host": "x", name: date,
                                                          "Authorization": "AWS %s:%s" % (ACCESS_KEY, mac)})
        now = datetime.datetime.now(datetime.timezone.utc)
        good = email.utils.format_datetime(now, usegmt=True)
        for name in ["Date", "x-amz-date"]:
            self.assertEqual(signed(good, name).status, 200)
            self.assertEqual(signed(good.replace("GMT", "+0000"), name).status, 200)
            self.is_error(signed("nonsense", name), 403, "AccessDenied", "valid Date")
            self.is_error(signed(email.utils.format_datetime(now - HOURS, usegmt=True), name), 403, "RequestTimeTooSkewed")

    def test_by_host(self):
        old = boto3.client("s3", endpoint_url=self.server.endpoint.replace("127.0.0.1", "localhost"), region_name="us-east-1",
                           aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY,
                           config=botocore.config.Config(signature_version="s3-query", s3={"addressing_style": "virtual"}))
        url = self.presign(client=old)
        self.assertIn("//bucket.localhost:", url)
        self.assertEqual(self.get(url).data, b"data")


class Chunks(AuthCase):
    """Bodies in signed chunks, with signed trailers."""

    def put(self, chunks, trailers=None, spoil=None, announce=None, length=None, signed=True):
        """spoil: changes the body before it is sent."""
        kind = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" + ("-TRAILER" if trailers is not None else "")
        if not signed:
            kind = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
        fields = {"Content-Encoding": "aws-chunked",
                  "x-amz-decoded-content-length": str(sum(map(len, chunks)) if length is None else length)}
        if announce or trailers:
            fields["x-amz-trailer"] = announce or ",".join(trailers)
        if length == "":
            del fields["x-amz-decoded-content-length"]
        fields = sign(self.server, "PUT", "/bucket/chunks", b"", fields, payload=kind)
        chunks = list(chunks) + [b""]
        body = b""
        for chunk, previous in zip(chunks, chunk_signatures(fields, chunks)):
            body += b"%x%s\r\n" % (len(chunk), b";chunk-signature=" + previous.encode() if signed else b"")
            body += chunk + b"\r\n" if chunk else b""
        if trailers is not None:
            lines = "".join("%s:%s\n" % item for item in trailers.items())
            body += lines.replace("\n", "\r\n").encode()
            stamp = fields["X-Amz-Date"]
            scope = stamp[:8] + "/us-east-1/s3/aws4_request"
            text = "\n".join(["AWS4-HMAC-SHA256-TRAILER", stamp, scope, previous, hashlib.sha256(lines.encode()).hexdigest()])
            if signed:
                body += b"x-amz-trailer-signature:" + signature4(scope, text).encode() + b"\r\n"
        body += b"\r\n"
        return send(self.server, "PUT", "/bucket/chunks", spoil(body) if spoil else body, fields)

    def test_good_ones(self):
        crc = base64.b64encode(zlib.crc32(b"first,second").to_bytes(4, "big")).decode()
        for arguments in [{}, {"trailers": {"x-amz-checksum-crc32": crc}},
                          {"trailers": {"x-amz-checksum-crc32": crc}, "signed": False}]:
            response = self.put([b"first,", b"second"], **arguments)
            self.assertEqual(response.status, 200, response.data)
            got = self.s3.get_object(Bucket="bucket", Key="chunks")
            self.assertEqual(got["Body"].read(), b"first,second")
            self.assertNotIn("ContentEncoding", got)

    def test_faults(self):
        crc = base64.b64encode(zlib.crc32(b"first,second").to_bytes(4, "big")).decode()
        trailers = {"x-amz-checksum-crc32": crc}
        self.s3.delete_object(Bucket="bucket", Key="chunks")
        for arguments, status, codes in [
                ({"spoil": lambda b: b.replace(b"second", b"SECOND")}, 403, ["SignatureDoesNotMatch"]),
                ({"spoil": lambda b: re.sub(b"chunk-signature=.", b"chunk-signature=x", b, 1)}, 403, ["SignatureDoesNotMatch"]),
                ({"spoil": lambda b: b.replace(b";chunk-signature=", b";signature=")}, 400, ["InvalidRequest", "IncompleteBody"]),
                ({"spoil": lambda b: b"nonsense" + b}, 400, ["InvalidRequest", "IncompleteBody"]),
                ({"spoil": lambda b: b[:b.rindex(b"0;chunk")]}, 400, ["IncompleteBody"]),
                ({"spoil": lambda b: b[:20]}, 400, ["IncompleteBody"]),
                ({"length": 11}, 400, ["IncompleteBody"]), ({"length": 13}, 400, ["IncompleteBody"]),
                ({"length": ""}, 411, ["MissingContentLength"]), ({"length": "many"}, 400, ["InvalidArgument"]),
                ({"trailers": {"x-amz-checksum-crc32": "AAAAAA=="}}, 400, ["BadDigest"]),
                ({"trailers": trailers, "spoil": lambda b: b.replace(b"x-amz-trailer-signature:", b"x-amz-trailer-signature:0")},
                 403, ["SignatureDoesNotMatch"]),
                ({"trailers": trailers, "spoil": lambda b: re.sub(b"x-amz-trailer-signature:.*\r\n", b"", b)}, 400,
                 ["IncompleteBody", "InvalidRequest", "MalformedTrailerError"]),
                ({"trailers": {}, "announce": "x-amz-checksum-crc32"}, 400, ["MalformedTrailerError"]),
                ({"trailers": {"x-amz-checksum-crc32": "AAAAAA=="}, "signed": False}, 400, ["BadDigest"])]:
            with self.subTest((arguments, status)):
                response = self.put([b"first,", b"second"], **arguments)
                self.assertEqual(response.status, status, response.data)
                self.assertIn(error_code(response), codes, response.data)
        self.assertNotIn("chunks", self.keys())
        self.assertEqual(self.stray_files(), [])


class Strangers(AuthCase):
    """Requests that nobody signed."""

    def test_refused(self):
        for method, path, body in [("GET", "/", b""), ("GET", "/bucket", b""), ("GET", "/bucket/a%20key%2B", b""),
                                   ("GET", "/bucket/missing", b""), ("PUT", "/bucket/k", b"data"), ("PUT", "/other", b""),
                                   ("DELETE", "/bucket/a%20key%2B", b""), ("DELETE", "/bucket", b""),
                                   ("GET", "/bucket?acl", b""), ("GET", "/bucket?policy", b""),
                                   ("POST", "/bucket/k?uploads", b"")]:
            with self.subTest(method + " " + path):
                self.is_error(send(self.server, method, path, body, {"Host": "x"}), 403, "AccessDenied")
        self.assertEqual(send(self.server, "HEAD", "/bucket/a%20key%2B", headers={"Host": "x"}).status, 403)
        self.assertNotIn("k", self.keys())

    def test_let_in_by_a_policy(self):
        name = self.new_bucket("open-bucket")
        self.s3.put_object(Bucket=name, Key="public/k", Body=b"open")
        self.s3.put_object(Bucket=name, Key="private/k", Body=b"closed")
        self.s3.delete_public_access_block(Bucket=name)
        self.s3.put_bucket_policy(Bucket=name, Policy=json.dumps({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": "*", "Action": ["s3:GetObject", "s3:PutObject"],
            "Resource": "arn:aws:s3:::open-bucket/public/*"}]}))
        response = send(self.server, "GET", "/open-bucket/public/k", headers={"Host": "x"})
        self.assertEqual((response.status, response.data), (200, b"open"))
        self.assertEqual(send(self.server, "PUT", "/open-bucket/public/new", b"new", {"Host": "x"}).status, 200)
        self.assertEqual(send(self.server, "GET", "/public/new", headers={"Host": "open-bucket.localhost"}).data, b"new")
        digest = hashlib.sha256(b"hashed").hexdigest()
        self.assertEqual(send(self.server, "PUT", "/open-bucket/public/h", b"hashed",
                              {"Host": "x", "x-amz-content-sha256": digest}).status, 200)
        self.is_error(send(self.server, "PUT", "/open-bucket/public/h", b"HASHED",
                           {"Host": "x", "x-amz-content-sha256": digest}), 400, "XAmzContentSHA256Mismatch")
        self.is_error(send(self.server, "PUT", "/open-bucket/public/s", b"x", {
            "Host": "x", "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"}), 400, "InvalidArgument")
        for path in ["/open-bucket/private/k", "/open-bucket", "/open-bucket/missing"]:
            self.is_error(send(self.server, "GET", path, headers={"Host": "x"}), 403, "AccessDenied")
        self.is_error(send(self.server, "GET", "/open-bucket/public/k?response-content-type=text/html",
                           headers={"Host": "x"}), 400, "InvalidRequest")

    def test_answers_are_tame(self):
        self.s3.put_object(Bucket="bucket", Key="page.html", Body=b"<script>alert(1)</script>", ContentType="text/html")
        response = raw(self.server, "GET", "/bucket/page.html")
        self.assertEqual((response.headers["Content-Type"], response.headers["Content-Security-Policy"],
                          response.headers["X-Content-Type-Options"]), ("text/html", "sandbox", "nosniff"))


class Hosts(unittest.TestCase):
    """The bucket in the name of the host."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server(arguments=["--domain", "example.test,s3.company.test"])
        cls.server.client("s3").create_bucket(Bucket="videos")
        cls.server.client("s3").create_bucket(Bucket="dotted.name")
        for bucket in ["videos", "dotted.name"]:
            cls.server.client("s3").put_object(Bucket=bucket, Key="k", Body=bucket.encode())

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def get(self, host, path):
        return send(self.server, "GET", path, headers=sign(self.server, "GET", path, host=host))

    def test_names(self):
        for host, path, body in [
                ("videos.localhost", "/k", b"videos"), ("videos.localhost:9000", "/k", b"videos"),
                ("videos.s3.localhost", "/k", b"videos"), ("videos.s3.us-east-1.localhost", "/k", b"videos"),
                ("videos.example.test", "/k", b"videos"), ("videos.s3.example.test:80", "/k", b"videos"),
                ("VIDEOS.Example.TEST", "/k", b"videos"), ("videos.s3.company.test", "/k", b"videos"),
                ("dotted.name.localhost", "/k", b"dotted.name"), ("dotted.name.s3.localhost", "/k", b"dotted.name"),
                ("localhost", "/videos/k", b"videos"), ("s3.localhost", "/videos/k", b"videos"),
                ("s3.us-east-1.localhost", "/videos/k", b"videos"), ("example.test", "/videos/k", b"videos"),
                ("s3.company.test", "/videos/k", b"videos"), ("other.test", "/videos/k", b"videos"),
                ("127.0.0.1", "/videos/k", b"videos"), ("[::1]:9000", "/videos/k", b"videos")]:
            with self.subTest(host):
                response = self.get(host, path)
                self.assertEqual((response.status, response.data), (200, body))

    def test_the_bucket_itself(self):
        self.assertIn(b"<Name>videos</Name>", self.get("videos.localhost", "/?list-type=2").data)
        response = self.get("nothere.localhost", "/k")
        self.assertEqual((response.status, error_code(response)), (404, "NoSuchBucket"))
        response = self.get("Not_Valid.localhost", "/k")
        self.assertEqual((response.status, error_code(response)), (400, "InvalidBucketName"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
