# SPDX-License-Identifier: LGPL-2.1-or-later
"""A folder of a private bucket, read through an address that expires: by a player, by a web page, by nobody else."""
import json
import subprocess
import unittest


from s3_case import S3Case, send
from server import ACCESS_KEY, SECRET_KEY, program, signed_request

HTML = b"<script>document.title = 1</script>"


class ShareCase(S3Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for key, body, kind in (("film/index.m3u8", b"#EXTM3U\n", "text/plain"), ("film/v/1.m4s", b"0123456789", None),
                                ("film/page.html", HTML, "text/html"), ("film/odd name+%41/ü.ts", b"odd", None),
                                ("films/other", b"another folder", None), ("secret", b"secret", None),
                                ("film", b"no folder", None), ("film/", b"the folder itself", None)):
            cls.s3.put_object(Bucket="bucket", Key=key, Body=body, **({"ContentType": kind} if kind else {}))

    def call(self, method, path="", body=b"", key=ACCESS_KEY, secret=SECRET_KEY, token=None, region="us-east-1",
             service="spyhop"):
        request = signed_request(service, method, self.server.endpoint + "/_spyhop/shares" + path, body,
                                 {"Content-Type": "application/json"}, keys=(key, secret, token), region=region)
        answer = send(self.server, method, "/_spyhop/shares" + path, body,
                      dict(request.headers, Host=self.server.endpoint[len("http://"):]))
        return answer.status, json.loads(answer.data) if answer.data else None

    def share(self, prefix="film/", expires=600, **how):
        status, answer = self.call("POST", body=json.dumps(
            {"bucket": "bucket", "prefix": prefix, "expires": expires}).encode(), **how)
        self.assertEqual(status, 201, answer)
        return answer

    def get(self, path, method="GET", **headers):
        return send(self.server, method, path, b"", {"Host": self.server.endpoint[len("http://"):],
                                                     **{k.replace("_", "-"): v for k, v in headers.items()}})


class Reading(ShareCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.where = cls.share(cls())["path"]

    def test_files_of_streams_have_the_types_players_demand(self):
        for name, kind in (("a.m3u8", "application/vnd.apple.mpegurl"), ("a.mpd", "application/dash+xml"),
                           ("a.m4s", "video/iso.segment"), ("a.mp4", "video/mp4"), ("a.ts", "video/mp2t"),
                           ("a.vtt", "text/vtt"), ("a.aac", "audio/aac"), ("a.jpg", "image/jpeg"),
                           ("a.MPD", "application/dash+xml"), ("a.bin", "x/y"), ("a", "x/y")):
            with self.subTest(name=name):
                self.s3.put_object(Bucket="bucket", Key="film/" + name, Body=b"x", ContentType="x/y")
                self.assertEqual(self.get(self.where + name).getheader("Content-Type"), kind)

    def test_what_is_below_the_prefix_is_read(self):
        for name, body in (("index.m3u8", b"#EXTM3U\n"), ("v/1.m4s", b"0123456789"), ("page.html", HTML),
                           ("odd%20name+%2541/%C3%BC.ts", b"odd")):
            with self.subTest(name=name):
                answer = self.get(self.where + name)
                self.assertEqual((answer.status, answer.data), (200, body))

    def test_nothing_else_is(self):
        for name in ("../secret", "..%2Fsecret", "%2e%2e/secret", "/secret", "s/other", "", "nothing", "v", "v/",
                     "../films/other", "x" * 1100):
            with self.subTest(name=name):
                answer = self.get(self.where + name)
                self.assertEqual(answer.status, 404)
                self.assertIn(b"<Code>NoSuchKey</Code>", answer.data)
        self.assertEqual(self.get(self.where.rstrip("/")).status, 404)

    def test_broken_names(self):
        for name in ("%zz", "%00", "a%00b", "%ff"):
            with self.subTest(name=name):
                self.assertEqual(self.get(self.where + name).status, 404)

    def test_ranges(self):
        for wanted, status, body, field in (("bytes=2-4", 206, b"234", "bytes 2-4/10"), ("bytes=-3", 206, b"789", "bytes 7-9/10"),
                                            ("bytes=8-", 206, b"89", "bytes 8-9/10"), ("bytes=10-", 416, None, "bytes */10")):
            with self.subTest(range=wanted):
                answer = self.get(self.where + "v/1.m4s", Range=wanted)
                self.assertEqual((answer.status, answer.getheader("Content-Range")), (status, field))
                if body:
                    self.assertEqual(answer.data, body)

    def test_head_and_conditions(self):
        answer = self.get(self.where + "v/1.m4s", "HEAD")
        self.assertEqual((answer.status, answer.getheader("Content-Length"), answer.data), (200, "10", b""))
        etag = answer.getheader("ETag")
        self.assertEqual(self.get(self.where + "v/1.m4s", If_None_Match=etag).status, 304)
        self.assertEqual(self.get(self.where + "v/1.m4s", If_Match='"other"').status, 412)

    def test_a_query_asks_for_nothing(self):
        for query in ("?acl", "?versionId=x", "?response-content-type=text/html", "?partNumber=1", "?uploads", "?x=%zz"):
            with self.subTest(query=query):
                answer = self.get(self.where + "index.m3u8" + query)
                if answer.status != 400:
                    self.assertEqual(answer.data, b"#EXTM3U\n")
                    self.assertEqual(answer.getheader("Content-Type"), "application/vnd.apple.mpegurl")

    def test_web_pages_may_read_it(self):
        for name, status in (("index.m3u8", 200), ("nothing", 404)):
            answer = self.get(self.where + name, Origin="https://player.example")
            self.assertEqual((answer.status, answer.getheader("Access-Control-Allow-Origin")), (status, "*"))
            self.assertEqual(len(answer.headers.get_all("Access-Control-Allow-Origin")), 1)
        answer = self.get(self.where + "index.m3u8", "OPTIONS", Origin="https://player.example",
                          Access_Control_Request_Method="GET", Access_Control_Request_Headers="range")
        self.assertEqual((answer.status, answer.getheader("Access-Control-Allow-Methods")), (204, "GET, HEAD"))
        self.assertIn("Range", answer.getheader("Access-Control-Allow-Headers"))

    def test_an_uploaded_page_can_do_nothing(self):
        answer = self.get(self.where + "page.html")
        self.assertIn("sandbox", answer.getheader("Content-Security-Policy"))
        self.assertEqual(answer.getheader("X-Content-Type-Options"), "nosniff")

    def test_nothing_is_written(self):
        for method in ("PUT", "POST", "DELETE", "PATCH"):
            with self.subTest(method=method):
                self.assertEqual(self.get(self.where + "index.m3u8", method).status, 405)
        self.assertEqual(self.body("film/index.m3u8"), b"#EXTM3U\n")

    def test_no_other_token_opens_it(self):
        start, token = self.where[:len("/_spyhop/share/")], self.where[len("/_spyhop/share/"):-1]
        for other in [token[:i] + ("A" if token[i] != "A" else "B") + token[i + 1:] for i in range(0, len(token), 3)] + \
                [token[:-1], token + "A", "", "-", "A" * 39, "%41" + token[1:]]:
            with self.subTest(token=other):
                answer = self.get(start + other + "/index.m3u8")
                self.assertIn(answer.status, (403, 404))
                self.assertNotIn(b"EXTM3U", answer.data)

    def test_a_player_finds_the_segments(self):
        made = subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc=size=64x64:rate=10:duration=2", "-c:v",
                               "libx264", "-g", "10", "-hls_time", "1", "-hls_playlist_type", "vod", self.path("live.m3u8")],
                              capture_output=True, text=True)
        self.assertEqual(made.returncode, 0, made.stderr)
        self.server.aws("s3", "cp", "--only-show-errors", "--recursive", self.folder.name, "s3://bucket/film/hls/")
        count = ["ffprobe", "-v", "error", "-count_frames", "-show_entries", "stream=nb_read_frames", "-of", "csv=p=0"]
        shared = subprocess.run(count + [self.server.endpoint + self.where + "hls/live.m3u8"], capture_output=True, text=True)
        self.assertEqual(shared.stdout.split()[0].strip(","), "20", shared.stderr)
        url = self.s3.generate_presigned_url("get_object", Params={"Bucket": "bucket", "Key": "film/hls/live.m3u8"})
        presigned = subprocess.run(count + [url], capture_output=True, text=True)
        self.assertNotIn("20", presigned.stdout.split(), "a presigned playlist does not authorise its segments")


class Making(ShareCase):
    def test_only_who_is_authenticated_makes_one(self):
        body = b'{"bucket": "bucket", "prefix": "film/"}'
        plain = send(self.server, "POST", "/_spyhop/shares", body, {"Host": self.server.endpoint[len("http://"):]})
        self.assertEqual(plain.status, 403)
        for how in ({"secret": "x" * 40}, {"key": "AKIANOBODYATALL00000"}, {"region": "eu-west-1"}, {"service": "s3"},
                    {"token": "x"}):
            with self.subTest(**how):
                self.assertEqual(self.call("POST", body=body, **how)[0], 403)

    def test_bad_requests(self):
        for body, status, code in ((b"", 400, "SerializationException"), (b"[]", 400, "SerializationException"),
                                   (b"{}", 400, "InvalidBucketName"), (b'{"bucket": "No"}', 400, "InvalidBucketName"),
                                   (b'{"bucket": "no-such-bucket"}', 404, "NoSuchBucket"),
                                   (b'{"bucket": "bucket", "expires": 0}', 400, "InvalidArgument"),
                                   (b'{"bucket": "bucket", "expires": -1}', 400, "InvalidArgument"),
                                   (b'{"bucket": "bucket", "expires": 99999999}', 400, "InvalidArgument"),
                                   (b'{"bucket": "bucket", "expires": "1"}', 400, "InvalidArgument"),
                                   (b'{"bucket": "bucket", "prefix": "%s"}' % (b"x" * 1024), 400, "InvalidArgument"),
                                   (b" " * 70000, 413, "RequestEntityTooLargeException")):
            with self.subTest(body=body[:50]):
                got, answer = self.call("POST", body=body)
                self.assertEqual((got, answer["__type"]), (status, code))

    def test_a_prefix_is_a_folder(self):
        path = self.share("film")["path"]
        self.assertEqual(self.get(path + "v/1.m4s").status, 200)
        self.assertEqual(self.get(path + "s/other").status, 404)
        self.assertEqual(self.get(self.share("")["path"] + "secret").data, b"secret")

    def test_listed_and_revoked(self):
        one, other = self.share(), self.share()
        listed = {share["id"]: share for share in self.call("GET")[1]["shares"]}
        self.assertEqual(listed[one["id"]], one)
        self.assertEqual(self.call("DELETE", "/" + one["id"]), (204, None))
        self.assertEqual(self.get(one["path"] + "v/1.m4s").status, 403)
        self.assertEqual(self.get(other["path"] + "v/1.m4s").status, 200)
        self.assertEqual(self.call("DELETE", "/" + one["id"])[0], 404)
        self.assertNotIn(one["id"], [share["id"] for share in self.call("GET")[1]["shares"]])

    def test_it_outlives_a_restart(self):
        path = self.share()["path"]
        self.server.kill()
        self.server.start()
        self.connect_again()
        self.assertEqual(self.get(path + "v/1.m4s").status, 200)

    def connect_again(self):
        type(self).s3 = self.server.client("s3")

    def test_the_program(self):
        def run(*words, code=0):
            done = subprocess.run([program(), "share", "--endpoint", self.server.endpoint, *words], capture_output=True,
                                  text=True, env=self.server.env, timeout=60)
            self.assertEqual(done.returncode, code, done.stderr)
            return done
        made = run("--expires", "2h", "s3://bucket/film")
        url = made.stdout.strip()
        self.assertTrue(url.startswith(self.server.endpoint + "/_spyhop/share/") and url.endswith("/"), url)
        self.assertEqual(self.get(url[len(self.server.endpoint):] + "v/1.m4s").status, 200)
        self.assertIn(url, run("--list").stdout)
        run("--revoke", made.stderr.split()[-1])
        self.assertEqual(self.get(url[len(self.server.endpoint):] + "v/1.m4s").status, 403)
        self.assertIn("does not exist", run("s3://no-such-bucket/x", code=1).stderr)
        for words in ((), ("bucket/x",), ("s3://",), ("--expires", "0", "s3://bucket/x"), ("--expires", "1y", "s3://bucket/x"),
                      ("--expires", "400d", "s3://bucket/x"), ("--list", "s3://bucket/x"), ("--revoke", "../x"), ("a", "b")):
            with self.subTest(words=words):
                run(*words, code=2)


class Rights(ShareCase):
    """A share gives what its maker may read at the moment of reading."""

    def setUp(self):
        super().setUp()
        self.user = self.id().rsplit(".", 1)[1]
        iam = self.server.client("iam")
        iam.create_user(UserName=self.user)
        keys = iam.create_access_key(UserName=self.user)["AccessKey"]
        self.iam, self.keys = iam, {"key": keys["AccessKeyId"], "secret": keys["SecretAccessKey"]}

    def allow(self, resource):
        self.iam.put_user_policy(UserName=self.user, PolicyName="read", PolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": resource}]}))

    def try_to_share(self, prefix):
        return self.call("POST", body=json.dumps({"bucket": "bucket", "prefix": prefix}).encode(), **self.keys)

    def test_who_may_not_read_makes_none(self):
        status, answer = self.try_to_share("film/")
        self.assertEqual((status, answer["__type"]), (403, "AccessDenied"))
        self.allow("arn:aws:s3:::bucket/film/v/*")
        self.assertEqual(self.try_to_share("film/")[0], 403)
        self.assertEqual(self.try_to_share("film/v/")[0], 201)

    def test_it_ends_with_the_right(self):
        self.allow("arn:aws:s3:::bucket/film/*")
        path = self.share(**self.keys)["path"]
        self.assertEqual(self.get(path + "v/1.m4s").status, 200)
        self.allow("arn:aws:s3:::bucket/other/*")
        self.assertEqual(self.get(path + "v/1.m4s").status, 403)

    def test_it_ends_with_the_key(self):
        self.allow("arn:aws:s3:::bucket/film/*")
        path = self.share(**self.keys)["path"]
        self.iam.update_access_key(UserName=self.user, AccessKeyId=self.keys["key"], Status="Inactive")
        self.assertEqual(self.get(path + "v/1.m4s").status, 403)
        self.iam.update_access_key(UserName=self.user, AccessKeyId=self.keys["key"], Status="Active")
        self.assertEqual(self.get(path + "v/1.m4s").status, 200)
        self.iam.delete_access_key(UserName=self.user, AccessKeyId=self.keys["key"])
        self.assertEqual(self.get(path + "v/1.m4s").status, 403)

    def test_others_neither_see_nor_end_it(self):
        self.allow("arn:aws:s3:::bucket/film/*")
        mine, roots = self.share(**self.keys), self.share()
        self.assertEqual([share["id"] for share in self.call("GET", **self.keys)[1]["shares"]], [mine["id"]])
        self.assertEqual(self.call("DELETE", "/" + roots["id"], **self.keys)[0], 404)
        self.assertEqual(self.get(roots["path"] + "v/1.m4s").status, 200)
        self.assertEqual(self.call("DELETE", "/" + mine["id"])[0], 204)

    def test_temporary_keys_make_none(self):
        self.allow("arn:aws:s3:::bucket/film/*")
        sts = self.server.client("sts", access_key=self.keys["key"], secret_key=self.keys["secret"])
        keys = sts.get_session_token()["Credentials"]
        status, answer = self.call("POST", body=b'{"bucket": "bucket", "prefix": "film/"}', key=keys["AccessKeyId"],
                                   secret=keys["SecretAccessKey"], token=keys["SessionToken"])
        self.assertEqual(status, 403)
        self.assertIn("temporary", answer["message"])

    def test_a_deny_of_the_bucket_counts(self):
        path = self.share()["path"]
        self.s3.put_bucket_policy(Bucket="bucket", Policy=json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::bucket/film/v/*"}]}))
        self.assertEqual(self.get(path + "v/1.m4s").status, 403)
        self.assertEqual(self.get(path + "index.m3u8").status, 200)
        self.s3.delete_bucket_policy(Bucket="bucket")
        self.assertEqual(self.get(path + "v/1.m4s").status, 200)


if __name__ == "__main__":
    unittest.main()
