# SPDX-License-Identifier: LGPL-2.1-or-later
"""ListObjects and ListObjectsV2 in their corners, and cross-origin requests, as the S3 API reference and user guide
describe them."""
import base64
import hashlib
import unittest
import urllib.parse

from s3_case import S3Case, error_code, raw, send

KEYS = ["asdf", "boo/bar", "boo/baz/xyzzy", "cquux/thud", "cquux/bla", "foo", "foo/", "foo/bar", "foo/baz/deep", "quux ab/c"]


class ListCase(S3Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.fill("bucket", KEYS)

    @classmethod
    def fill(cls, bucket, keys):
        for key in keys:
            cls.s3.put_object(Bucket=bucket, Key=key, Body=key.encode()[:10])

    def v1(self, bucket="bucket", **arguments):
        response = self.s3.list_objects(Bucket=bucket, **arguments)
        return self.lines(response), response

    def v2(self, bucket="bucket", **arguments):
        response = self.s3.list_objects_v2(Bucket=bucket, **arguments)
        return self.lines(response), response

    @staticmethod
    def lines(response):
        return ([item["Key"] for item in response.get("Contents", [])],
                [item["Prefix"] for item in response.get("CommonPrefixes", [])])

    def raw_list(self, query, bucket="bucket"):
        return raw(self.server, "GET", "/%s?%s" % (bucket, query))


class Lines(ListCase):
    """Which keys and prefixes a listing has: for both operations."""

    ROWS = [
        ({}, sorted(KEYS), []),
        ({"Delimiter": "/"}, ["asdf", "foo"], ["boo/", "cquux/", "foo/", "quux ab/"]),
        ({"Delimiter": "/", "Prefix": "foo"}, ["foo"], ["foo/"]),
        ({"Delimiter": "/", "Prefix": "foo/"}, ["foo/", "foo/bar"], ["foo/baz/"]),
        ({"Delimiter": "/", "Prefix": "boo/baz/"}, ["boo/baz/xyzzy"], []),
        ({"Delimiter": "/", "Prefix": "/"}, [], []),
        ({"Delimiter": "a"}, ["cquux/thud", "foo", "foo/"], ["a", "boo/ba", "cquux/bla", "foo/ba", "quux a"]),
        ({"Delimiter": "oo/ba"}, ["asdf", "cquux/bla", "cquux/thud", "foo", "foo/", "quux ab/c"], ["boo/ba", "foo/ba"]),
        ({"Delimiter": " "}, sorted(KEYS)[:-1], ["quux "]),
        ({"Delimiter": "%"}, sorted(KEYS), []),
        ({"Delimiter": "\n"}, sorted(KEYS), []),
        ({"Delimiter": ""}, sorted(KEYS), []),
        ({"Prefix": "foo"}, ["foo", "foo/", "foo/bar", "foo/baz/deep"], []),
        ({"Prefix": ""}, sorted(KEYS), []),
        ({"Prefix": "none"}, [], []),
        ({"Prefix": "\x0a"}, [], []),
        ({"Prefix": "boo", "Delimiter": "d"}, ["boo/bar", "boo/baz/xyzzy"], []),
        ({"MaxKeys": 0}, [], []),
        ({"MaxKeys": 1}, ["asdf"], []),
        ({"MaxKeys": 2, "Delimiter": "/"}, ["asdf"], ["boo/"]),
        ({"MaxKeys": 100000}, sorted(KEYS), []),
    ]

    def test_both(self):
        for arguments, keys, prefixes in self.ROWS:
            for version, call in [(1, self.v1), (2, self.v2)]:
                with self.subTest(version=version, **arguments):
                    (got, common), response = call(**arguments)
                    self.assertEqual((got, common), (keys, prefixes))
                    self.assertEqual(response["Name"], "bucket")
                    self.assertEqual(response["Prefix"], arguments.get("Prefix", ""))
                    self.assertEqual(response["MaxKeys"], min(arguments.get("MaxKeys", 1000), 1000))
                    if arguments.get("Delimiter"):
                        self.assertEqual(response["Delimiter"], arguments["Delimiter"])
                    else:
                        self.assertNotIn("Delimiter", response)
                    if version == 2:
                        self.assertEqual(response["KeyCount"], len(keys) + len(prefixes))

    def test_pages(self):
        for size in [1, 2, 3, 7, 9, 10]:
            for delimiter in ["", "/"]:
                for version in [1, 2]:
                    with self.subTest(size=size, delimiter=delimiter, version=version):
                        self.assertEqual(self.walk(size, delimiter, version),
                                         self.walk(1000, delimiter, version))

    def walk(self, size, delimiter, version):
        """All lines of all pages; each but the last is full."""
        out, more = [], {}
        while True:
            (keys, prefixes), response = (self.v1 if version == 1 else self.v2)(
                MaxKeys=size, Delimiter=delimiter, **more)
            page = sorted(keys + prefixes)
            out += page
            self.assertLess(len(out), 100)
            if not response["IsTruncated"]:
                self.assertNotIn("NextMarker", response)
                self.assertNotIn("NextContinuationToken", response)
                return out
            self.assertEqual(len(page), size)
            if version == 2:
                more = {"ContinuationToken": response["NextContinuationToken"]}
            elif delimiter:
                self.assertEqual(response["NextMarker"], page[-1])
                more = {"Marker": response["NextMarker"]}
            else:
                self.assertNotIn("NextMarker", response)
                more = {"Marker": page[-1]}


class Version1(ListCase):
    def test_markers(self):
        for marker, first in [("", "asdf"), ("asdf", "boo/bar"), ("b", "boo/bar"), ("boo/baz", "boo/baz/xyzzy"), ("zzz", None),
                              ("\x0a", "asdf"), ("foo/", "foo/bar")]:
            with self.subTest(marker=marker):
                (keys, _), response = self.v1(Marker=marker)
                self.assertEqual(keys[:1], [first] if first else [])
                self.assertEqual(response["Marker"], marker)
                self.assertFalse(response["IsTruncated"])

    def test_marker_inside_a_common_prefix(self):
        self.assertEqual(self.v1(Marker="boo/bar", Delimiter="/")[0][1][0], "boo/")
        self.assertEqual(self.v1(Marker="boo/", Delimiter="/")[0][1][0], "cquux/")

    def test_marker_before_the_prefix(self):
        self.assertEqual(self.v1(Marker="b", Prefix="foo/")[0][0], ["foo/", "foo/bar", "foo/baz/deep"])
        self.assertEqual(self.v1(Marker="z", Prefix="foo/")[0][0], [])

    def test_owner_is_told(self):
        owner = self.s3.list_buckets()["Owner"]["ID"]
        self.assertEqual({item["Owner"]["ID"] for item in self.v1()[1]["Contents"]}, {owner})

    def test_fields_of_a_line(self):
        item = self.v1(Prefix="asdf")[1]["Contents"][0]
        head = self.s3.head_object(Bucket="bucket", Key="asdf")
        self.assertEqual((item["ETag"], item["Size"], item["StorageClass"]), (head["ETag"], 4, "STANDARD"))
        self.assertEqual(item["LastModified"].replace(microsecond=0), head["LastModified"])


class Version2(ListCase):
    def test_start_after(self):
        for after, first in [("asdf", "boo/bar"), ("b", "boo/bar"), ("zzz", None), ("\x0a", "asdf")]:
            with self.subTest(after=after):
                (keys, _), response = self.v2(StartAfter=after)
                self.assertEqual(keys[:1], [first] if first else [])
                self.assertEqual(response["StartAfter"], after)

    def test_token_wins_over_start_after(self):
        token = self.v2(MaxKeys=1)[1]["NextContinuationToken"]
        (keys, _), response = self.v2(ContinuationToken=token, StartAfter="zzz")
        self.assertEqual(keys[0], "boo/bar")
        self.assertEqual((response["ContinuationToken"], response["StartAfter"]), (token, "zzz"))

    def test_token_is_for_every_bucket_and_query_alike(self):
        token = self.v2(MaxKeys=6)[1]["NextContinuationToken"]
        self.assertEqual(self.v2(ContinuationToken=token, Prefix="foo/b")[0][0], ["foo/bar", "foo/baz/deep"])

    def test_bad_tokens(self):
        token = self.v2(MaxKeys=1)[1]["NextContinuationToken"]
        for bad in ["x", "asdf", "AAAAAAAA", "%%", token[:-4] + "AAAA", "1" + token]:
            with self.subTest(bad=bad):
                response = self.fails("InvalidArgument", 400, self.s3.list_objects_v2, Bucket="bucket", ContinuationToken=bad)
                self.assertEqual(response["Error"]["ArgumentName"], "continuation-token")

    def test_empty_token(self):
        (keys, _), response = self.v2(ContinuationToken="")
        self.assertEqual((len(keys), response["ContinuationToken"]), (len(KEYS), ""))

    def test_owner_only_when_asked(self):
        self.assertNotIn("Owner", self.v2()[1]["Contents"][0])
        self.assertNotIn("Owner", self.v2(FetchOwner=False)[1]["Contents"][0])
        self.assertIn("Owner", self.v2(FetchOwner=True)[1]["Contents"][0])

    def test_markers_mean_nothing(self):
        response = self.raw_list("list-type=2&marker=zzz")
        self.assertIn(b"<KeyCount>10</KeyCount>", response.data)
        self.assertNotIn(b"<Marker>", response.data)


class Queries(ListCase):
    def test_bad(self):
        for query, name in [("max-keys=-1", "maxKeys"), ("max-keys=blah", "max-keys"), ("max-keys=1.5", "max-keys"),
                            ("max-keys=99999999999", "max-keys"), ("encoding-type=base64", "encoding-type"),
                            ("list-type=3", "list-type"), ("list-type=2&max-keys=-1", "maxKeys"),
                            ("list-type=2&encoding-type=x", "encoding-type")]:
            with self.subTest(query=query):
                response = self.raw_list(query)
                self.assertEqual((response.status, error_code(response)), (400, "InvalidArgument"))
                self.assertIn(b"<ArgumentName>%s</ArgumentName>" % name.encode(), response.data)

    def test_nothing_given_is_the_default(self):
        for query in ["max-keys=", "prefix=", "delimiter=", "encoding-type=", "marker=", "allow-unordered=true", "unknown=1"]:
            with self.subTest(query=query):
                response = self.raw_list(query)
                self.assertEqual((response.status, response.data.count(b"<Contents>")), (200, len(KEYS)))

    def test_encoding(self):
        response = self.raw_list("encoding-type=url&delimiter=%2F&prefix=quux%20&start-after=a%0A&list-type=2")
        self.assertIn(b"<EncodingType>url</EncodingType>", response.data)
        self.assertIn(b"<Prefix>quux%20</Prefix>", response.data)
        self.assertIn(b"<Delimiter>/</Delimiter>", response.data)
        self.assertIn(b"<StartAfter>a%0A</StartAfter>", response.data)
        self.assertIn(b"<CommonPrefixes><Prefix>quux%20ab/</Prefix></CommonPrefixes>", response.data)

    def test_odd_keys(self):
        keys = ["a\x01b", "a\tb", "a\nb", "a\rb", "a&<>\"'b", "a+b", "a%41b", "\u00fc/\u65e5\u672c", "\U0001f40b", "a b", "~-_.*()", "\x7f"]
        name = self.new_bucket("odd-lists")
        self.fill(name, keys)
        wanted = sorted(keys, key=lambda k: k.encode())
        for version, call in [(1, self.v1), (2, self.v2)]:  # boto3 asks for encoding-type=url
            with self.subTest(version=version):
                self.assertEqual(call(name)[0][0], wanted)
        response = self.raw_list("encoding-type=url", name)
        encoded = [part.split(b"</Key>")[0].decode() for part in response.data.split(b"<Key>")[1:]]
        self.assertEqual([urllib.parse.unquote(key) for key in encoded], wanted)
        self.assertTrue(all(key.isascii() and " " not in key for key in encoded))

    def test_empty_bucket(self):
        name = self.new_bucket("empty-lists")
        for call in [self.v1, self.v2]:
            lines, response = call(name, Delimiter="/")
            self.assertEqual((lines, response["IsTruncated"]), (([], []), False))

    def test_many(self):
        name = self.new_bucket("many-lists")
        self.fill(name, ["d%d/k%d" % (i % 5, i) for i in range(40)])
        self.assertEqual(self.v2(name, Delimiter="/", MaxKeys=5)[1]["IsTruncated"], False)
        self.assertEqual(self.v2(name, Delimiter="/", MaxKeys=4)[1]["IsTruncated"], True)
        self.assertEqual(len(self.keys(name, PaginationConfig={"PageSize": 3})), 40)


class Cors(S3Case):
    RULES = [
        {"ID": "exact", "AllowedOrigins": ["https://player.example"], "AllowedMethods": ["GET", "HEAD"],
         "AllowedHeaders": ["Range", "x-amz-*"], "ExposeHeaders": ["ETag", "Content-Range"], "MaxAgeSeconds": 300},
        {"AllowedOrigins": ["https://*.example.org"], "AllowedMethods": ["PUT"], "AllowedHeaders": ["*"]},
        {"AllowedOrigins": ["*"], "AllowedMethods": ["DELETE"]},
    ]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.s3.create_bucket(Bucket="no-cors")
        cls.s3.put_object(Bucket="bucket", Key="k", Body=b"0123456789")
        cls.s3.put_bucket_cors(Bucket="bucket", CORSConfiguration={"CORSRules": cls.RULES})

    def ask(self, origin=None, method=None, fields=None, path="/bucket/k"):
        wanted = {"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": fields}
        return send(self.server, "OPTIONS", path, headers={
            "Host": self.server.endpoint[7:], **{k: v for k, v in wanted.items() if v is not None}})

    def test_life(self):
        self.assertEqual(self.s3.get_bucket_cors(Bucket="bucket")["CORSRules"], self.RULES)
        name = self.new_bucket("cors-life")
        self.fails("NoSuchCORSConfiguration", 404, self.s3.get_bucket_cors, Bucket=name)
        self.s3.put_bucket_cors(Bucket=name, CORSConfiguration={"CORSRules": self.RULES})
        self.s3.delete_bucket_cors(Bucket=name)
        self.fails("NoSuchCORSConfiguration", 404, self.s3.get_bucket_cors, Bucket=name)

    def test_preflight_allowed(self):
        for origin, method, fields, told in [
                ("https://player.example", "GET", None, "https://player.example"),
                ("https://player.example", "HEAD", "range, X-Amz-Date", "https://player.example"),
                ("https://a.example.org", "PUT", "Content-Type,anything-at-all", "https://a.example.org"),
                ("https://whoever.example", "DELETE", None, "*")]:
            with self.subTest(origin=origin, method=method):
                response = self.ask(origin, method, fields)
                self.assertEqual((response.status, response.data), (200, b""))
                self.assertEqual(response.headers["Access-Control-Allow-Origin"], told)
                self.assertIn(method, response.headers["Access-Control-Allow-Methods"])
                self.assertEqual(response.headers["Access-Control-Allow-Headers"], fields)
                self.assertEqual(response.headers["Access-Control-Allow-Credentials"], None if told == "*" else "true")
                self.assertIn("Origin", response.headers["Vary"])

    def test_preflight_of_a_rule(self):
        response = self.ask("https://player.example", "GET")
        self.assertEqual(response.headers["Access-Control-Max-Age"], "300")
        self.assertEqual(response.headers["Access-Control-Expose-Headers"], "ETag, Content-Range")
        self.assertEqual(response.headers["Access-Control-Allow-Methods"], "GET, HEAD")

    def test_preflight_refused(self):
        for origin, method, fields, path, status, code in [
                ("https://other.example", "GET", None, "/bucket/k", 403, "AccessForbidden"),
                ("https://player.example", "PUT", None, "/bucket/k", 403, "AccessForbidden"),
                ("https://player.example", "GET", "authorization", "/bucket/k", 403, "AccessForbidden"),
                ("https://example.org", "PUT", None, "/bucket/k", 403, "AccessForbidden"),
                ("https://whoever.example", "DELETE", "x-any", "/bucket/k", 403, "AccessForbidden"),
                ("https://player.example", "GET", None, "/no-cors/k", 403, "AccessForbidden"),
                ("https://player.example", "GET", None, "/no-such-bucket-here/k", 403, "AccessForbidden"),
                (None, "GET", None, "/bucket/k", 400, "BadRequest"),
                ("https://player.example", None, None, "/bucket/k", 400, "BadRequest"),
                ("https://player.example", "BREW", None, "/bucket/k", 400, "BadRequest")]:
            with self.subTest(origin=origin, method=method, fields=fields, path=path):
                response = self.ask(origin, method, fields, path)
                self.assertEqual((response.status, error_code(response)), (status, code))
                self.assertIsNone(response.headers["Access-Control-Allow-Origin"])

    def test_answers_have_the_fields(self):
        for method, path, status, origin, told in [
                ("GET", "/bucket/k", 200, "https://player.example", "https://player.example"),
                ("HEAD", "/bucket/k", 200, "https://player.example", "https://player.example"),
                ("GET", "/bucket/none", 404, "https://player.example", "https://player.example"),
                ("GET", "/bucket?list-type=2", 200, "https://player.example", "https://player.example"),
                ("PUT", "/bucket/new", 200, "https://b.example.org", "https://b.example.org"),
                ("DELETE", "/bucket/new", 204, "https://x.example", "*"),
                ("PUT", "/bucket/new", 200, "https://player.example", None),
                ("GET", "/no-cors/k", 404, "https://player.example", None)]:
            with self.subTest(method=method, path=path, origin=origin):
                response = raw(self.server, method, path, headers={"Origin": origin})
                self.assertEqual((response.status, response.headers["Access-Control-Allow-Origin"]), (status, told))

    def test_refusals_have_the_fields(self):
        host = {"Host": self.server.endpoint[7:], "Origin": "https://player.example"}
        for more in [{}, {"Authorization": "nonsense"}]:
            response = send(self.server, "GET", "/bucket/k", headers={**host, **more})
            self.assertIn(response.status, (400, 403))
            self.assertEqual(response.headers["Access-Control-Allow-Origin"], "https://player.example")

    def test_method_that_is_meant(self):
        for meant, told in [("GET", "https://player.example"), ("PUT", None)]:
            response = raw(self.server, "GET", "/bucket/k", headers={"Origin": "https://player.example",
                                                                     "Access-Control-Request-Method": meant})
            self.assertEqual(response.headers["Access-Control-Allow-Origin"], told)

    def test_no_origin_no_fields(self):
        response = raw(self.server, "GET", "/bucket/k")
        self.assertIsNone(response.headers["Access-Control-Allow-Origin"])

    def test_bad(self):
        def put(xml):
            body = ("<CORSConfiguration>%s</CORSConfiguration>" % xml).encode()
            return raw(self.server, "PUT", "/no-cors?cors", body,
                       {"Content-MD5": base64.b64encode(hashlib.md5(body).digest()).decode()})
        rule = "<CORSRule><AllowedOrigin>%s</AllowedOrigin><AllowedMethod>%s</AllowedMethod>%s</CORSRule>"
        for xml, code in [("", "MalformedXML"), ("<CORSRule/>", "MalformedXML"),
                          ("<CORSRule><AllowedOrigin>*</AllowedOrigin></CORSRule>", "MalformedXML"),
                          (rule % ("*", "GET", "<Unknown/>"), "MalformedXML"),
                          (rule % ("*", "GET", "<MaxAgeSeconds>soon</MaxAgeSeconds>"), "MalformedXML"),
                          (rule % ("https://*.*.org", "GET", ""), "InvalidRequest"), (rule % ("*", "PATCH", ""), "InvalidRequest"),
                          (rule % ("*", "get", ""), "InvalidRequest"),
                          (rule % ("*", "GET", "<AllowedHeader>*-*</AllowedHeader>"), "InvalidRequest"),
                          (rule % ("*", "GET", "<ExposeHeader>x-*</ExposeHeader>"), "InvalidRequest"),
                          (rule % ("*", "GET", "<ID>%s</ID>" % ("x" * 256)), "InvalidRequest"),
                          ((rule % ("*", "GET", "")) * 101, "InvalidRequest")]:
            with self.subTest(xml=xml[:120]):
                response = put(xml)
                self.assertEqual((response.status, error_code(response)), (400, code))
        self.assertEqual(put((rule % ("*", "GET", "")) * 100).status, 200)
        self.s3.delete_bucket_cors(Bucket="no-cors")
        response = raw(self.server, "PUT", "/no-cors?cors", b"<CORSConfiguration/>")
        self.assertEqual((response.status, error_code(response)), (400, "InvalidRequest"))


if __name__ == "__main__":
    unittest.main()
