# SPDX-License-Identifier: LGPL-2.1-or-later
"""How objects of S3 are read and written: ranges, conditions, fields that travel with them, copies, lengths."""
import base64
import datetime
import email.utils
import json
import unittest
import urllib.parse

from s3_case import S3Case, converse, error_code, raw, request_signature4, send, sign
from server import ACCESS_KEY
from test_s3_content import elements, message

HOUR = 3600


class ObjectCase(S3Case):
    def refused(self, response, status, code, words=""):
        self.assertEqual((response.status, error_code(response)), (status, code), response.data)
        self.assertIn(words, message(response))

    def put(self, key, body=b"", headers=None):
        response = raw(self.server, "PUT", "/bucket/" + key, body, headers)
        self.assertEqual(response.status, 200, response.data)
        return response

    def get(self, key, headers=None, method="GET"):
        return raw(self.server, method, "/bucket/" + key, headers=headers)

    def copy(self, source, key="to", headers=None):
        return raw(self.server, "PUT", "/bucket/" + key, headers={"x-amz-copy-source": source, **(headers or {})})


class Ranges(ObjectCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.s3.put_object(Bucket="bucket", Key="ten", Body=b"0123456789")
        cls.s3.put_object(Bucket="bucket", Key="empty", Body=b"")

    def test_served(self):
        for text, body, given in [
                ("bytes=0-0", b"0", "bytes 0-0/10"), ("bytes=2-5", b"2345", "bytes 2-5/10"),
                ("bytes=7-", b"789", "bytes 7-9/10"), ("bytes=-3", b"789", "bytes 7-9/10"),
                ("bytes=5-100", b"56789", "bytes 5-9/10"), ("bytes=-100", b"0123456789", "bytes 0-9/10"),
                ("bytes=0-9", b"0123456789", "bytes 0-9/10"), ("bytes=9-9", b"9", "bytes 9-9/10"),
                ("bytes=0-99999999999999999999", b"0123456789", None)]:
            for method in "GET", "HEAD":
                with self.subTest(text=text, method=method):
                    response = self.get("ten", {"Range": text}, method)
                    self.assertEqual(response.status, 206 if given else 200)
                    self.assertEqual(response.headers["Content-Range"], given)
                    self.assertEqual(response.headers["Content-Length"], str(len(body)))
                    self.assertEqual(response.headers["Accept-Ranges"], "bytes")
                    self.assertEqual(response.data, body if method == "GET" else b"")

    def test_ignored(self):
        """What is no range of bytes is as if it were not there."""
        for text in ["bytes=5-2", "bytes=a-b", "bytes=-", "bytes", "octets=0-1", "0-1", "bytes=0-1,3-4", "bytes=1", ""]:
            with self.subTest(text):
                response = self.get("ten", {"Range": text})
                self.assertEqual((response.status, response.data), (200, b"0123456789"))

    def test_unsatisfiable(self):
        for key, text, size in [("ten", "bytes=10-", 10), ("ten", "bytes=10-20", 10), ("ten", "bytes=-0", 10),
                                ("empty", "bytes=0-0", 0), ("empty", "bytes=-5", 0), ("empty", "bytes=0-", 0)]:
            with self.subTest(key=key, text=text):
                response = self.get(key, {"Range": text})
                self.refused(response, 416, "InvalidRange", "The requested range is not satisfiable")
                self.assertEqual(response.headers["Content-Range"], "bytes */%d" % size)
                found = elements(response.data)
                self.assertEqual((found.findtext("RangeRequested"), found.findtext("ActualObjectSize")), (text, str(size)))
                head = self.get(key, {"Range": text}, "HEAD")
                self.assertEqual((head.status, head.data), (416, b""))


class Conditions(ObjectCase):
    """Of reads and copies."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.tag = cls.s3.put_object(Bucket="bucket", Key="k", Body=b"conditional")["ETag"]
        stamp = cls.s3.head_object(Bucket="bucket", Key="k")["LastModified"].timestamp()
        cls.date = {name: email.utils.formatdate(stamp + shift, usegmt=True)
                    for name, shift in [("before", -HOUR), ("at", 0), ("after", HOUR)]}

    def rows(self):
        tag, date = self.tag, self.date
        bare = tag.strip('"')
        return [
            ({"If-Match": tag}, 200), ({"If-Match": bare}, 200), ({"If-Match": "*"}, 200), ({"If-Match": '"x"'}, 412),
            ({"If-Match": '"x", %s' % tag}, 200), ({"If-None-Match": tag}, 304), ({"If-None-Match": bare}, 304),
            ({"If-None-Match": "*"}, 304), ({"If-None-Match": '"x"'}, 200),
            ({"If-Modified-Since": date["before"]}, 200), ({"If-Modified-Since": date["at"]}, 304),
            ({"If-Modified-Since": date["after"]}, 304), ({"If-Modified-Since": "no date"}, 200),
            ({"If-Unmodified-Since": date["before"]}, 412), ({"If-Unmodified-Since": date["at"]}, 200),
            ({"If-Unmodified-Since": date["after"]}, 200), ({"If-Unmodified-Since": "no date"}, 200),
            # If-Match that holds goes before If-Unmodified-Since, If-None-Match before If-Modified-Since
            ({"If-Match": tag, "If-Unmodified-Since": date["before"]}, 200),
            ({"If-Match": '"x"', "If-Unmodified-Since": date["after"]}, 412),
            ({"If-None-Match": tag, "If-Modified-Since": date["before"]}, 304),
            ({"If-None-Match": '"x"', "If-Modified-Since": date["after"]}, 200),
            ({"If-Match": '"x"', "If-None-Match": tag}, 412),
        ]

    def test_reads(self):
        for headers, status in self.rows():
            for method in "GET", "HEAD":
                with self.subTest(headers=headers, method=method):
                    response = self.get("k", headers, method)
                    self.assertEqual(response.status, status)
                    if method == "GET":
                        self.assertEqual(error_code(response), "PreconditionFailed" if status == 412 else None)
                    else:
                        self.assertEqual(response.data, b"")

    def test_not_modified_names_the_object(self):
        response = self.get("k", {"If-None-Match": self.tag})
        self.assertEqual((response.data, response.headers["ETag"], response.headers["Last-Modified"]),
                         (b"", self.tag, self.date["at"]))

    def test_the_condition_is_named(self):
        for headers in {"If-Match": '"x"'}, {"If-Unmodified-Since": self.date["before"]}:
            self.assertEqual(elements(self.get("k", headers).data).findtext("Condition"), list(headers)[0])

    def test_with_a_range(self):
        response = self.get("k", {"If-Match": self.tag, "Range": "bytes=0-2"})
        self.assertEqual((response.status, response.data), (206, b"con"))
        self.assertEqual(self.get("k", {"If-Match": '"x"', "Range": "bytes=99-"}).status, 412)

    def test_copies(self):
        """The same conditions on the source; what would be 304 is 412."""
        for headers, status in self.rows():
            with self.subTest(headers=headers):
                response = self.copy("bucket/k", headers={"x-amz-copy-source-" + n: v for n, v in headers.items()})
                self.assertEqual(response.status, 412 if status == 304 else status, response.data)

    def test_copied_parts(self):
        upload = self.s3.create_multipart_upload(Bucket="bucket", Key="mp")["UploadId"]
        path = "mp?partNumber=1&uploadId=" + upload
        self.refused(self.copy("bucket/k", path, {"x-amz-copy-source-if-match": '"x"'}), 412, "PreconditionFailed")
        self.assertEqual(self.copy("bucket/k", path, {"x-amz-copy-source-if-match": self.tag}).status, 200)


class Fields(ObjectCase):
    """What travels with an object."""

    def test_kept_as_sent(self):
        sent = {"Cache-Control": "public, max-age=14400", "Content-Disposition": 'attachment; filename="a b.txt"',
                "Content-Encoding": "gzip", "Content-Language": "mi, en", "Content-Type": "text/plain; charset=UTF-8",
                "Expires": "0"}
        self.put("kept", b"1", sent)
        for method in "GET", "HEAD":
            head = self.get("kept", method=method).headers
            self.assertEqual({name: head[name] for name in sent}, sent)

    def test_type_by_default(self):
        self.put("typeless")
        self.assertEqual(self.get("typeless").headers["Content-Type"], "binary/octet-stream")

    def test_chunked_is_no_encoding(self):
        for sent, kept in [("aws-chunked", None), ("aws-chunked,gzip", "gzip"), ("gzip, aws-chunked", "gzip"),
                           ("aws-chunked, aws-chunked", None), ("AWS-Chunked , br", "br"), ("deflate, gzip", "deflate, gzip"),
                           ("deflate,aws-chunked,gzip", "deflate,gzip"), ("x-aws-chunked", "x-aws-chunked")]:
            with self.subTest(sent):
                self.put("encoded", b"1", {"Content-Encoding": sent})
                self.assertEqual(self.get("encoded").headers["Content-Encoding"], kept)

    def test_overrides(self):
        self.put("plain", b"1", {"Content-Type": "text/plain", "Cache-Control": "no-cache"})
        wanted = {"content-type": "application/x-test", "content-language": "de", "expires": "Thu, 01 Dec 1994 16:00:00 GMT",
                  "cache-control": "private", "content-disposition": "attachment; filename=\"ä+b.txt\"",
                  "content-encoding": "x"}
        query = urllib.parse.urlencode({"response-" + n: v for n, v in wanted.items()}, quote_via=urllib.parse.quote)
        for method in "GET", "HEAD":
            response = self.get("plain?" + query, method=method)
            for name, value in wanted.items():
                self.assertEqual(response.headers[name].encode("latin-1").decode(), value)
        self.assertEqual(self.get("plain").headers["Cache-Control"], "no-cache")

    def test_metadata(self):
        self.put("meta", b"1", {"x-amz-meta-Mixed-Case": "Value", "x-amz-meta-empty": "", "x-amz-meta-blanks": "  a  b  ",
                                "x-amz-meta-under_score.dot": "=?UTF-8?B?w6Q=?="})
        head = self.get("meta").headers
        self.assertEqual([(n, head[n]) for n in sorted(k.lower() for k in head if k.lower().startswith("x-amz-meta-"))],
                         [("x-amz-meta-blanks", "a  b"), ("x-amz-meta-empty", ""), ("x-amz-meta-mixed-case", "Value"),
                          ("x-amz-meta-under_score.dot", "=?UTF-8?B?w6Q=?=")])
        self.assertIn("x-amz-meta-mixed-case", list(head))

    def test_metadata_sent_twice(self):
        headers = sign(self.server, "PUT", "/bucket/twice", b"", {"x-amz-meta-a": "1,2"})
        lines = ["PUT /bucket/twice HTTP/1.1"] + ["%s: %s" % (n, v) for n, v in headers.items() if n != "x-amz-meta-a"]
        lines += ["x-amz-meta-a: 1", "x-amz-meta-a: 2", "Content-Length: 0", "Connection: close", "", ""]
        self.assertIn(b" 200 ", converse(self.server, "\r\n".join(lines).encode()).split(b"\r\n")[0])
        self.assertEqual(self.get("twice").headers["x-amz-meta-a"], "1,2")

    def test_metadata_beyond_ascii(self):
        """Its bytes are taken as ISO 8859-1 and come back as RFC 2047 says, in words of 75 characters at most."""
        for sent, meant in [("ÄMÄZÕÑ S3".encode(), "=?UTF-8?B?w4PChE3Dg8KEWsODwpXDg8KRIFMz?="), (b"\xe9", "=?UTF-8?B?w6k=?=")]:
            with self.subTest(sent):
                headers = sign(self.server, "PUT", "/bucket/nonascii", b"", {"x-amz-date": "x"})
                headers["x-amz-meta-nonascii"] = sent
                signed = self.signed_with("/bucket/nonascii", sent)
                self.assertEqual(send(self.server, "PUT", "/bucket/nonascii", b"", signed).status, 200)
                self.assertEqual(self.get("nonascii").headers["x-amz-meta-nonascii"], meant)

    def signed_with(self, path, value):
        """A presigned-like set of fields whose canonical request has these very bytes."""
        stamp = datetime.datetime.utcnow().strftime("%Y%m%dT%H%M%SZ")
        host = self.server.endpoint[len("http://"):].encode()
        names = b"host;x-amz-content-sha256;x-amz-date;x-amz-meta-nonascii"
        canonical = b"\n".join([b"PUT", path.encode(), b"", b"host:" + host, b"x-amz-content-sha256:UNSIGNED-PAYLOAD",
                                b"x-amz-date:" + stamp.encode(), b"x-amz-meta-nonascii:" + value, b"", names,
                                b"UNSIGNED-PAYLOAD"])
        scope = "%s/%s/s3/aws4_request" % (stamp[:8], self.server.region)
        return {"Host": host, "x-amz-date": stamp, "x-amz-content-sha256": "UNSIGNED-PAYLOAD", "x-amz-meta-nonascii": value,
                "Authorization": "AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s"
                                 % (ACCESS_KEY, scope, names.decode(), request_signature4(scope, stamp, canonical))}

    def test_long_metadata_beyond_ascii(self):
        self.assertEqual(send(self.server, "PUT", "/bucket/long", b"", self.signed_for_long()).status, 200)
        words = self.get("long").headers["x-amz-meta-nonascii"].split(" ")
        self.assertTrue(len(words) > 1 and all(len(word) <= 75 for word in words))
        self.assertEqual("".join(base64.b64decode(word[10:-2]).decode() for word in words), "é" * 100)

    def signed_for_long(self):
        return self.signed_with("/bucket/long", b"\xe9" * 100)

    def test_metadata_of_two_kilobytes(self):
        name = "x-amz-meta-" + "n" * 48
        self.put("most", b"", {name: "v" * 2000})
        self.assertEqual(self.get("most").headers[name], "v" * 2000)
        response = raw(self.server, "PUT", "/bucket/more", b"", {name: "v" * 2001})
        self.refused(response, 400, "MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size")
        found = elements(response.data)
        self.assertEqual((found.findtext("Size"), found.findtext("MaxSizeAllowed")), ("2049", "2048"))

    def test_metadata_with_control_characters(self):
        headers = self.signed_with("/bucket/control", b"a\x01b")
        self.assertIn(send(self.server, "PUT", "/bucket/control", b"", headers).status, (400, 403))

    def test_storage_classes(self):
        for name in ["REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR"]:
            with self.subTest(name):
                self.put("stored", b"1", {"x-amz-storage-class": name})
                self.assertEqual(self.get("stored").headers["x-amz-storage-class"], name)
        self.put("stored", b"1", {"x-amz-storage-class": "STANDARD"})
        self.assertIsNone(self.get("stored").headers["x-amz-storage-class"])
        self.refused(raw(self.server, "PUT", "/bucket/x", b"", {"x-amz-storage-class": "BEST"}), 400, "InvalidStorageClass",
                     "The storage class you specified is not valid")
        for name in ["GLACIER", "DEEP_ARCHIVE"]:
            self.refused(raw(self.server, "PUT", "/bucket/x", b"", {"x-amz-storage-class": name}), 501, "NotImplemented",
                         "x-amz-storage-class")

    def test_encryption(self):
        kind = "x-amz-server-side-encryption"
        self.assertEqual(self.put("sse", b"1", {kind: "AES256"}).headers[kind], "AES256")
        for method in "GET", "HEAD":
            self.assertEqual(self.get("sse", method=method).headers[kind], "AES256")
        self.assertEqual(self.copy("bucket/sse", headers={kind: "AES256"}).headers[kind], "AES256")
        self.refused(raw(self.server, "PUT", "/bucket/x", b"", {kind: "aws:kms"}), 501, "NotImplemented", "aws:kms")
        self.refused(raw(self.server, "PUT", "/bucket/x", b"", {kind: "DES"}), 400, "InvalidEncryptionAlgorithmError")
        for name in [kind + "-customer-algorithm", kind + "-aws-kms-key-id",
                     "x-amz-copy-source-server-side-encryption-customer-key"]:
            self.refused(raw(self.server, "PUT", "/bucket/x", b"", {name: "x"}), 501, "NotImplemented", name)

    def test_encryption_of_a_bucket(self):
        kind = "x-amz-server-side-encryption"
        self.s3.create_bucket(Bucket="encrypts")
        self.s3.put_bucket_encryption(Bucket="encrypts", ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]})
        self.assertEqual(raw(self.server, "PUT", "/encrypts/k", b"1").headers[kind], "AES256")
        self.assertEqual(raw(self.server, "HEAD", "/encrypts/k").headers[kind], "AES256")
        copied = raw(self.server, "PUT", "/encrypts/copy", headers={"x-amz-copy-source": "encrypts/k"})
        self.assertEqual(copied.headers[kind], "AES256")
        self.assertIsNone(self.copy("encrypts/k").headers[kind])

    def test_in_a_presigned_query(self):
        """A presigned URL may carry them; a field of the request goes before."""
        import botocore.auth
        import botocore.awsrequest
        import botocore.credentials
        from server import ACCESS_KEY, SECRET_KEY
        query = "x-amz-meta-a=in+the+query&x-amz-meta-b=b&x-amz-storage-class=STANDARD_IA".replace("+", "%20")
        request = botocore.awsrequest.AWSRequest("PUT", self.server.endpoint + "/bucket/hoisted?" + query)
        botocore.auth.S3SigV4QueryAuth(botocore.credentials.Credentials(ACCESS_KEY, SECRET_KEY), "s3", self.server.region,
                                       expires=60).add_auth(request)
        path = request.url[len(self.server.endpoint):]
        response = send(self.server, "PUT", path, b"1", {"Host": self.server.endpoint[len("http://"):]})
        self.assertEqual(response.status, 200, response.data)
        head = self.get("hoisted").headers
        self.assertEqual([head[n] for n in ("x-amz-meta-a", "x-amz-meta-b", "x-amz-storage-class")],
                         ["in the query", "b", "STANDARD_IA"])
        response = send(self.server, "PUT", path.replace("x-amz-meta-b=b", "x-amz-meta-b=c"), b"1",
                        {"Host": self.server.endpoint[len("http://"):]})
        self.assertEqual((response.status, error_code(response)), (403, "SignatureDoesNotMatch"))

    def test_overrides_are_not_for_strangers(self):
        self.s3.create_bucket(Bucket="open-to-all")
        self.s3.delete_public_access_block(Bucket="open-to-all")
        self.s3.put_bucket_policy(Bucket="open-to-all", Policy=json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::open-to-all/*"}]}))
        self.s3.put_object(Bucket="open-to-all", Key="k", Body=b"1")
        host = {"Host": self.server.endpoint[len("http://"):]}
        self.assertEqual(send(self.server, "GET", "/open-to-all/k", headers=host).data, b"1")
        self.refused(send(self.server, "GET", "/open-to-all/k?response-content-type=text/html", headers=host), 400,
                     "InvalidRequest", "cannot be used for anonymous GET requests")

    def test_redirects(self):
        name = "x-amz-website-redirect-location"
        for place in ["/other", "http://example.com/", "https://example.com/x"]:
            self.put("redirect", b"", {name: place})
            self.assertEqual(self.get("redirect").headers[name], place)
        for place in ["other", "ftp://example.com", ""]:
            self.refused(raw(self.server, "PUT", "/bucket/x", b"", {name: place}), 400, "InvalidRedirectLocation")

    def test_what_is_there_of_nothing(self):
        put = self.put("zero", b"")
        self.assertEqual(put.headers["ETag"], '"d41d8cd98f00b204e9800998ecf8427e"')
        for method in "GET", "HEAD":
            response = self.get("zero", method=method)
            self.assertEqual((response.status, response.data, response.headers["Content-Length"]), (200, b"", "0"))

    def test_missing_has_no_body_for_head(self):
        response = self.get("none", method="HEAD")
        self.assertEqual((response.status, response.data), (404, b""))
        self.assertIsNotNone(response.headers["x-amz-request-id"])


class Copies(ObjectCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.s3.create_bucket(Bucket="second")
        cls.s3.put_object(Bucket="bucket", Key="from", Body=b"source", ContentType="text/x", CacheControl="no-cache",
                          Metadata={"a": "b"}, StorageClass="STANDARD_IA", WebsiteRedirectLocation="/there")

    def test_keeps_metadata(self):
        self.assertEqual(self.copy("bucket/from", headers={"x-amz-meta-c": "ignored"}).status, 200)
        head = self.get("to").headers
        self.assertEqual([head[n] for n in ("Content-Type", "Cache-Control", "x-amz-meta-a", "x-amz-meta-c")],
                         ["text/x", "no-cache", "b", None])

    def test_place_is_not_copied(self):
        """Storage class and redirect are of the object's place: a copy has those of its request."""
        self.copy("bucket/from")
        head = self.get("to").headers
        self.assertEqual((head["x-amz-storage-class"], head["x-amz-website-redirect-location"]), (None, None))
        self.copy("bucket/from", headers={"x-amz-storage-class": "ONEZONE_IA", "x-amz-website-redirect-location": "/new"})
        head = self.get("to").headers
        self.assertEqual((head["x-amz-storage-class"], head["x-amz-website-redirect-location"], head["x-amz-meta-a"]),
                         ("ONEZONE_IA", "/new", "b"))

    def test_replaces_metadata(self):
        self.copy("bucket/from", headers={"x-amz-metadata-directive": "REPLACE", "x-amz-meta-c": "d"})
        head = self.get("to").headers
        self.assertEqual([head[n] for n in ("Content-Type", "Cache-Control", "x-amz-meta-a", "x-amz-meta-c")],
                         ["binary/octet-stream", None, None, "d"])

    def test_directives(self):
        for name, what in [("x-amz-metadata-directive", "metadata"), ("x-amz-tagging-directive", "tagging")]:
            for value in "copy", "MOVE", "":
                with self.subTest(name=name, value=value):
                    response = self.copy("bucket/from", headers={name: value})
                    self.refused(response, 400, "InvalidArgument", "Unknown %s directive." % what)
                    self.assertEqual(elements(response.data).findtext("ArgumentName"), name)
            self.assertEqual(self.copy("bucket/from", headers={name: "COPY"}).status, 200)

    def test_onto_itself(self):
        self.put("self", b"self", {"x-amz-meta-a": "b"})
        self.refused(self.copy("bucket/self", "self"), 400, "InvalidRequest", "trying to copy an object to itself")
        for headers in [{"x-amz-metadata-directive": "REPLACE", "x-amz-meta-c": "d"}, {"x-amz-storage-class": "STANDARD_IA"},
                        {"x-amz-server-side-encryption": "AES256"}, {"x-amz-website-redirect-location": "/x"}]:
            with self.subTest(headers=headers):
                self.assertEqual(self.copy("bucket/self", "self", headers).status, 200)
                self.assertEqual(self.get("self").data, b"self")

    def test_between_buckets(self):
        response = raw(self.server, "PUT", "/second/to", headers={"x-amz-copy-source": "/bucket/from"})
        self.assertEqual(response.status, 200)
        self.assertEqual(self.body("to", "second"), b"source")

    def test_names(self):
        for key in ["a b", "a+b", "a%20b", "?versionId=x", "a?b#c", "ä/日本", "//x", "quo\"te'", "new\nline", "k" * 1024]:
            with self.subTest(key[:20]):
                self.s3.put_object(Bucket="bucket", Key=key, Body=key.encode())
                self.assertEqual(self.copy("bucket/" + urllib.parse.quote(key, safe="")).status, 200)
                self.assertEqual(self.get("to").data, key.encode())

    def test_no_sources(self):
        for source, status, code in [
                ("bucket", 400, "InvalidArgument"), ("/bucket/", 400, "InvalidArgument"), ("", 400, "InvalidArgument"),
                ("/", 400, "InvalidArgument"), ("//key", 400, "InvalidArgument"), ("bucket/%zz", 400, "InvalidArgument"),
                ("bucket/%ff", 400, "InvalidArgument"), ("bucket/none", 404, "NoSuchKey"), ("nowhere/from", 404, "NoSuchBucket")]:
            with self.subTest(source):
                self.refused(self.copy(source), status, code)
        found = elements(self.copy("bucket/none").data)
        self.assertEqual((found.findtext("BucketName"), found.findtext("Key")), ("bucket", "none"))
        found = elements(self.copy("nowhere/from").data)
        self.assertEqual(found.findtext("BucketName"), "nowhere")

    def test_owner_of_the_source(self):
        name = "x-amz-source-expected-bucket-owner"
        self.refused(self.copy("bucket/from", headers={name: "999999999999"}), 403, "AccessDenied")
        self.assertEqual(self.copy("bucket/from", headers={name: self.server.account}).status, 200)

    def test_to_no_bucket(self):
        response = raw(self.server, "PUT", "/nowhere/to", headers={"x-amz-copy-source": "bucket/from"})
        self.refused(response, 404, "NoSuchBucket")

    def test_versions(self):
        self.s3.create_bucket(Bucket="versioned")
        self.s3.put_bucket_versioning(Bucket="versioned", VersioningConfiguration={"Status": "Enabled"})
        old = self.s3.put_object(Bucket="versioned", Key="k", Body=b"old")["VersionId"]
        self.s3.put_object(Bucket="versioned", Key="k", Body=b"new")
        response = self.copy("versioned/k?versionId=" + old)
        self.assertEqual((response.status, response.headers["x-amz-copy-source-version-id"], self.get("to").data),
                         (200, old, b"old"))
        restored = self.s3.copy_object(Bucket="versioned", Key="k", CopySource={"Bucket": "versioned", "Key": "k",
                                                                                "VersionId": old})
        self.assertNotIn(restored["VersionId"], (old, None))
        self.assertEqual(self.body("k", "versioned"), b"old")
        marker = self.s3.delete_object(Bucket="versioned", Key="k")["VersionId"]
        self.refused(self.copy("versioned/k"), 404, "NoSuchKey")
        self.refused(self.copy("versioned/k?versionId=" + marker), 400, "InvalidRequest", "delete marker")
        self.refused(self.copy("versioned/k?versionId=" + "0" * 32), 404, "NoSuchVersion")
        self.refused(self.copy("versioned/k?versionId=x"), 400, "InvalidArgument", "Invalid version id specified")

    def test_the_copy_is_its_own(self):
        self.put("original", b"one")
        self.copy("bucket/original", "copy")
        self.put("original", b"two")
        self.s3.delete_object(Bucket="bucket", Key="original")
        self.assertEqual(self.get("copy").data, b"one")


class Lengths(ObjectCase):
    def raw_put(self, lines, body=b"", path="/bucket/length"):
        """A signed PUT whose length is said by `lines`; the first line of the answer and its body."""
        headers = sign(self.server, "PUT", path, b"", payload="UNSIGNED-PAYLOAD")
        text = ["PUT %s HTTP/1.1" % path] + ["%s: %s" % item for item in headers.items()] + lines + ["Connection: close", "", ""]
        answer = converse(self.server, "\r\n".join(text).encode() + body)
        return int(answer.split(b" ")[1]), answer

    def test_none(self):
        status, answer = self.raw_put([])
        self.assertEqual(status, 411)
        self.assertIn(b"<Code>MissingContentLength</Code>", answer)

    def test_transfer_encoding(self):
        status, answer = self.raw_put(["Transfer-Encoding: chunked"], b"1\r\nx\r\n0\r\n\r\n")
        self.assertEqual(status, 411)

    def test_bad(self):
        for value in ["-1", "x", "", "1x", "0x10", "99999999999999999999"]:
            with self.subTest(value):
                status, _ = self.raw_put(["Content-Length: " + value])
                self.assertIn(status, (400, 413))

    def test_too_large(self):
        status, answer = self.raw_put(["Content-Length: %d" % ((5 << 30) + 1), "Expect: 100-continue"])
        self.assertEqual(status, 400)
        for text in [b"<Code>EntityTooLarge</Code>", b"<ProposedSize>5368709121</ProposedSize>",
                     b"<MaxSizeAllowed>5368709120</MaxSizeAllowed>"]:
            self.assertIn(text, answer)

    def test_chunked_by_aws(self):
        headers = {"Content-Encoding": "aws-chunked", "x-amz-trailer": "x-amz-checksum-crc32"}
        body = b"1\r\nx\r\n0\r\nx-amz-checksum-crc32:jNwrdA==\r\n\r\n"
        for length, status, code in [(None, 411, "MissingContentLength"), ("x", 400, "InvalidArgument"), ("-1", 400, "InvalidArgument"),
                                     ("0", 400, "IncompleteBody"), ("2", 400, "IncompleteBody")]:
            with self.subTest(length):
                response = raw(self.server, "PUT", "/bucket/chunked", body,
                               {**headers, **({"x-amz-decoded-content-length": length} if length else {})},
                               payload="STREAMING-UNSIGNED-PAYLOAD-TRAILER")
                self.refused(response, status, code)


class Keys(ObjectCase):
    KEYS = [chr(c) for c in range(1, 32)] + ["\x7f", " ", "a\tb", "\x85", "\u2028", "\ufffe", "\U0010ffff", "é" * 512, "..", "/", "//", "."]

    def test_any_text(self):
        self.s3.create_bucket(Bucket="any-text")
        for key in self.KEYS:
            with self.subTest(repr(key)):
                path = "/any-text/" + urllib.parse.quote(key)
                self.assertEqual(raw(self.server, "PUT", path, key.encode()).status, 200)
                self.assertEqual(raw(self.server, "GET", path).data, key.encode())
        found = elements(raw(self.server, "GET", "/any-text?list-type=2&encoding-type=url").data)
        self.assertEqual([urllib.parse.unquote_plus(k.findtext("Key")) for k in found.findall("Contents")],
                         sorted(self.KEYS, key=lambda k: k.encode()))

    def test_too_long(self):
        for key in ["k" * 1025, urllib.parse.quote("é" * 513)]:
            self.refused(raw(self.server, "PUT", "/bucket/" + key, b""), 400, "KeyTooLongError", "Your key is too long")


if __name__ == "__main__":
    unittest.main(verbosity=2)
