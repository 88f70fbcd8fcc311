# SPDX-License-Identifier: LGPL-2.1-or-later
"""S3 where things go wrong: signatures, the wire, crashes, a full disk, the server's life."""
import base64
import concurrent.futures
import datetime
import hashlib
import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import time
import unittest
import urllib.parse
import zlib

import boto3
from botocore.exceptions import ClientError

from s3_case import S3Case, begin, chunk_signatures, code_of, error_code, raw, send, sign
from server import ACCESS_KEY, SECRET_KEY, Server, signed_request


def put_half(server, path, body):
    """Sends the head of a PUT of `body` and half of the body; returns the open connection."""
    headers = dict(sign(server, "PUT", path, body), **{"Content-Length": str(len(body))})
    connection = begin(server, "PUT", path, headers.items())
    connection.send(body[:len(body) // 2])
    return connection


class Authentication(S3Case):
    def refused(self, response, status, code):
        self.assertEqual((response.status, error_code(response)), (status, code), response.data)

    def test_keys(self):
        self.refused(raw(self.server, "GET", "/", secret="wrong"), 403, "SignatureDoesNotMatch")
        self.refused(raw(self.server, "GET", "/", key="AKIANOBODY"), 403, "InvalidAccessKeyId")
        self.refused(send(self.server, "GET", "/", headers={"Host": "x"}), 403, "AccessDenied")
        self.refused(send(self.server, "PUT", "/bucket/anonymous", b"data", {"Host": "x"}), 403, "AccessDenied")
        for value in ["AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 Credential=a/b/c, SignedHeaders=host, Signature=0",
                      "AWS4-HMAC-SHA256 nonsense"]:
            self.refused(send(self.server, "GET", "/", headers={"Host": "x", "Authorization": value}), 400,
                         "AuthorizationHeaderMalformed")
        self.refused(send(self.server, "GET", "/", headers={"Host": "x", "Authorization": "AWS a:b"}), 403,
                     "AccessDenied")
        self.fails("AuthorizationHeaderMalformed", 400, self.server.client("s3", region="eu-west-1").list_buckets)
        self.fails("InvalidToken", 400, self.s3_with_token().list_buckets)
        self.assertEqual(self.keys(), [])

    def s3_with_token(self):
        return boto3.client("s3", endpoint_url=self.server.endpoint, region_name="us-east-1", aws_access_key_id=ACCESS_KEY,
                            aws_secret_access_key=SECRET_KEY, aws_session_token="token")

    def test_tampering(self):
        headers = sign(self.server, "PUT", "/bucket/tampered", b"what was signed")
        self.refused(send(self.server, "PUT", "/bucket/tampered", b"something else!", headers), 400,
                     "XAmzContentSHA256Mismatch")
        self.refused(send(self.server, "PUT", "/bucket/elsewhere", b"what was signed", headers), 403,
                     "SignatureDoesNotMatch")
        self.refused(send(self.server, "PUT", "/bucket/tampered?acl", b"what was signed", headers), 403,
                     "SignatureDoesNotMatch")
        self.refused(send(self.server, "PUT", "/bucket/tampered", b"what was signed",
                          dict(headers, **{"x-amz-meta-added": "1"})), 403, "AccessDenied")
        self.refused(send(self.server, "POST", "/bucket?delete", b"<Delete/>", sign(
            self.server, "POST", "/bucket?delete", b"<Delete></Delete>")), 400, "XAmzContentSHA256Mismatch")
        self.assertEqual(self.keys(), [])
        self.assertEqual(self.stray_files(), [])

    def test_time(self):
        for minutes in [-16, 16, -60 * 24 * 2]:
            when = datetime.datetime.utcnow() + datetime.timedelta(minutes=minutes)
            self.refused(raw(self.server, "GET", "/", when=when), 403, "RequestTimeTooSkewed")
        for minutes in [-14, 14]:
            when = datetime.datetime.utcnow() + datetime.timedelta(minutes=minutes)
            self.assertEqual(raw(self.server, "GET", "/", when=when).status, 200)

    def test_unsigned_payload(self):
        self.assertEqual(raw(self.server, "PUT", "/bucket/un", b"data", payload="UNSIGNED-PAYLOAD").status, 200)
        self.refused(raw(self.server, "PUT", "/bucket/un", b"data", payload="nonsense"), 400, "InvalidArgument")
        self.s3.delete_object(Bucket="bucket", Key="un")

    def test_json_services(self):
        events = self.server.client("events")
        self.assertIn("Rules", events.list_rules())
        for arguments, code in [({"secret_key": "wrong"}, "InvalidSignatureException"),
                                ({"access_key": "AKIANOBODY"}, "UnrecognizedClientException")]:
            self.fails(code, 403, self.server.client("events", **arguments).list_rules)
        response = send(self.server, "POST", "/", b"{}", {"Host": "x", "X-Amz-Target": "AWSEvents.ListRules"})
        self.assertEqual((response.status, response.headers["x-amzn-ErrorType"]),
                         (403, "MissingAuthenticationTokenException"))

    def json(self, target, body):
        request = signed_request("events", "POST", self.server.endpoint + "/", body, {
            "X-Amz-Target": target, "Host": self.server.endpoint[7:]})
        return send(self.server, "POST", "/", body, dict(request.headers.items()))

    def test_json_errors_are_json_whatever_they_quote(self):
        for shift in range(3):
            body = '{"Name": "%s"}' % (shift * "a" + 2000 * "\u20ac")
            response = self.json("AWSEvents.DescribeRule", body.encode())
            self.assertEqual(response.status, 400)
            self.assertEqual(json.loads(response.data)["__type"], "ValidationException")

    def test_json_bodies(self):
        response = self.json("AWSEvents.ListRules", b'{"a":\n  nonsense}')
        self.assertEqual((response.status, response.headers["x-amzn-ErrorType"]), (400, "SerializationException"))
        self.assertIn(b"line 2, column", response.data)
        self.assertEqual(self.json("AWSEvents.ListRules", b"[]").headers["x-amzn-ErrorType"], "SerializationException")
        self.assertEqual(self.json("AWSEvents.Nonsense", b"{}").headers["x-amzn-ErrorType"], "UnknownOperationException")
        self.assertEqual(self.json("AWSEvents.ListRules", b"").status, 200)

    def test_presigned(self):
        self.s3.put_object(Bucket="bucket", Key="pre signed+", Body=b"data")
        self.addCleanup(self.s3.delete_object, Bucket="bucket", Key="pre signed+")

        def get(url):
            parts = urllib.parse.urlsplit(url)
            return send(self.server, "GET", parts.path + "?" + parts.query, headers={"Host": parts.netloc})

        url = self.s3.generate_presigned_url("get_object", {"Bucket": "bucket", "Key": "pre signed+"}, 60)
        self.assertEqual((get(url).status, get(url).data), (200, b"data"))
        self.refused(get(url.replace("pre%20signed", "pre%20Signed")), 403, "SignatureDoesNotMatch")
        self.refused(get(url.replace("X-Amz-Expires=60", "X-Amz-Expires=61")), 403, "SignatureDoesNotMatch")
        self.refused(get(re.sub("X-Amz-Date=[^&]*&", "", url)), 400, "AuthorizationQueryParametersError")
        short = self.s3.generate_presigned_url("get_object", {"Bucket": "bucket", "Key": "pre signed+"}, 1)
        until = time.monotonic() + 20
        while get(short).status == 200 and time.monotonic() < until:
            pass  # the shortest life is one second
        self.refused(get(short), 403, "AccessDenied")
        self.assertIn(b"expired", get(short).data)
        put = self.s3.generate_presigned_url("put_object", {"Bucket": "bucket", "Key": "put"}, 60)
        parts = urllib.parse.urlsplit(put)
        self.assertEqual(send(self.server, "PUT", parts.path + "?" + parts.query, b"by url",
                              {"Host": parts.netloc}).status, 200)
        self.assertEqual(self.body("put"), b"by url")
        self.s3.delete_object(Bucket="bucket", Key="put")

    def test_cli_presign(self):
        self.s3.put_object(Bucket="bucket", Key="cli", Body=b"data")
        self.addCleanup(self.s3.delete_object, Bucket="bucket", Key="cli")
        parts = urllib.parse.urlsplit(self.server.aws("s3", "presign", "s3://bucket/cli").stdout.strip())
        response = send(self.server, "GET", parts.path + "?" + parts.query, headers={"Host": parts.netloc})
        self.assertEqual((response.status, response.data), (200, b"data"))


class Wire(S3Case):
    """What no client library sends."""

    def chunked(self, chunks, tamper=False, headers=None):
        """STREAMING-AWS4-HMAC-SHA256-PAYLOAD by hand."""
        total = sum(map(len, chunks))
        fields = sign(self.server, "PUT", "/bucket/chunked", b"", dict(headers or {}, **{
            "x-amz-decoded-content-length": str(total), "Content-Encoding": "aws-chunked"}),
            payload="STREAMING-AWS4-HMAC-SHA256-PAYLOAD")
        chunks = list(chunks) + [b""]
        body = b"".join(b"%x;chunk-signature=%s\r\n" % (len(chunk), signature.encode()) + chunk + b"\r\n"
                        for chunk, signature in zip(chunks, chunk_signatures(fields, chunks)))
        if tamper:
            body = body.replace(b"second", b"SECOND")
        return send(self.server, "PUT", "/bucket/chunked", body, fields)

    def test_aws_chunked(self):
        chunks = [os.urandom(70000), b"second chunk", b"x"]
        self.assertEqual(self.chunked(chunks, headers={"x-amz-meta-a": "b"}).status, 200)
        got = self.s3.get_object(Bucket="bucket", Key="chunked")
        self.assertEqual(got["Body"].read(), b"".join(chunks))
        self.assertNotIn("ContentEncoding", got)
        response = self.chunked(chunks, tamper=True)
        self.assertEqual((response.status, error_code(response)), (403, "SignatureDoesNotMatch"))
        self.assertEqual(self.body("chunked"), b"".join(chunks))

    def test_unsigned_trailer(self):
        body = b"4\r\ndata\r\n0\r\nx-amz-checksum-crc32:%s\r\n\r\n"
        crc = base64.b64encode(zlib.crc32(b"data").to_bytes(4, "big"))
        for value, status in [(crc, 200), (b"AAAAAA==", 400)]:
            headers = {"x-amz-decoded-content-length": "4", "x-amz-trailer": "x-amz-checksum-crc32"}
            response = send(self.server, "PUT", "/bucket/trailer", body % value, sign(
                self.server, "PUT", "/bucket/trailer", b"", headers, payload="STREAMING-UNSIGNED-PAYLOAD-TRAILER"))
            self.assertEqual(response.status, status, response.data)
        self.assertEqual(self.body("trailer"), b"data")

    def test_lengths(self):
        headers = sign(self.server, "PUT", "/bucket/none", b"", {"Transfer-Encoding": "chunked"}, payload="UNSIGNED-PAYLOAD")
        response = send(self.server, "PUT", "/bucket/none", b"4\r\ndata\r\n0\r\n\r\n", headers)
        self.assertEqual((response.status, error_code(response)), (411, "MissingContentLength"))
        headers = sign(self.server, "PUT", "/bucket/huge", b"", {"Expect": "100-continue"}, payload="UNSIGNED-PAYLOAD")
        response = send(self.server, "PUT", "/bucket/huge", b"", dict(headers, **{"Content-Length": str(6 << 30)}))
        self.assertEqual((response.status, error_code(response)), (400, "EntityTooLarge"))
        self.assertNotIn("none", self.keys())

    def test_limits(self):
        self.assertIn(send(self.server, "GET", "/" + "a" * 40000, headers={"Host": "x"}).status, (414, 431))
        self.assertIn(send(self.server, "GET", "/", headers={"Host": "x", "X-Long": "a" * 80000}).status, (413, 431))
        many = dict({"X-%d" % i: "1" for i in range(400)}, Host="x")
        self.assertEqual(send(self.server, "GET", "/", headers=many).status, 431)
        self.assertEqual(send(self.server, "GET", "/?a=%zz", headers={"Host": "x"}).status, 400)
        self.assertEqual(send(self.server, "OPTIONS", "*", headers={"Host": "x"}).status, 400)

    def test_xml(self):
        bomb = b'<?xml version="1.0"?><!DOCTYPE d [<!ENTITY a "aaaa">]><Delete><Object><Key>&a;</Key></Object></Delete>'
        deep = b"<Delete>" + b"<a>" * 100 + b"</a>" * 100 + b"</Delete>"
        for body in [bomb, deep, b"", b"not xml", b"<Delete>", b"<Wrong/>", b"<Delete/>",
                     b"<Delete>" + b"<Object><Key>k</Key></Object>" * 1001 + b"</Delete>"]:
            md5 = base64.b64encode(hashlib.md5(body).digest()).decode()
            response = raw(self.server, "POST", "/bucket?delete", body, {"Content-MD5": md5})
            self.assertEqual((response.status, error_code(response)), (400, "MalformedXML"), body[:60])

    def test_half_a_body(self):
        """The client goes away in the middle: nothing is stored, nothing is left."""
        body = b"x" * 100000
        connection = put_half(self.server, "/bucket/half", body)
        until = time.monotonic() + 10
        while sum(p.stat().st_size for p in self.stray_files()) < 50000 and time.monotonic() < until:
            pass
        connection.close()
        while self.stray_files() and time.monotonic() < until:
            pass
        self.assertEqual(self.stray_files(), [])
        self.assertNotIn("half", self.keys())


class Crash(unittest.TestCase):
    def setUp(self):
        self.server = Server()
        self.addCleanup(self.server.stop)
        self.server.client("s3").create_bucket(Bucket="bucket")

    def files(self):
        return [p for p in pathlib.Path(self.server.data, "objects").rglob("*") if p.is_file()]

    def check(self, bodies):
        """Every object is one of the bodies that were sent for it, whole, and no file is left over."""
        s3 = self.server.client("s3")
        listed = s3.list_objects_v2(Bucket="bucket").get("Contents", [])
        for item in listed:
            body = s3.get_object(Bucket="bucket", Key=item["Key"])["Body"].read()
            self.assertIn(body, bodies[item["Key"]])
            self.assertEqual(item["Size"], len(body))
        self.assertEqual(len(self.files()), len(listed))
        self.assertEqual(list(pathlib.Path(self.server.data, "tmp").iterdir()), [])
        return [item["Key"] for item in listed]

    def test_kill_in_the_middle_of_a_body(self):
        body = b"x" * 200000
        connection = put_half(self.server, "/bucket/half", body)
        until = time.monotonic() + 10
        while not list(pathlib.Path(self.server.data, "tmp").iterdir()) and time.monotonic() < until:
            pass
        self.server.kill()
        connection.close()
        self.assertNotEqual(list(pathlib.Path(self.server.data, "tmp").iterdir()), [])
        self.server.start()
        self.assertEqual(self.check({}), [])

    def test_kill_among_writes(self):
        for round_number in range(5):
            sent = {"key%d" % i: [os.urandom(20000 + i) for _ in range(3)] for i in range(12)}
            acknowledged = {}

            def put(key):
                s3 = self.server.client("s3")
                for body in sent[key]:
                    try:
                        s3.put_object(Bucket="bucket", Key=key, Body=body)
                    except Exception:  # the server is gone: that is the test
                        return
                    acknowledged[key] = body

            with concurrent.futures.ThreadPoolExecutor(12) as pool:
                jobs = [pool.submit(put, key) for key in sent]
                until = time.monotonic() + 20
                while len(acknowledged) < 2 + 2 * round_number and time.monotonic() < until:
                    pass
                self.server.kill()
                concurrent.futures.wait(jobs)
            self.server.start()
            found = self.check(sent)
            s3 = self.server.client("s3")
            for key, body in acknowledged.items():
                self.assertIn(key, found)
                got = s3.get_object(Bucket="bucket", Key=key)["Body"].read()
                self.assertGreaterEqual(sent[key].index(got), sent[key].index(body))
            s3.delete_objects(Bucket="bucket", Delete={"Objects": [{"Key": k} for k in sent]})

    def test_orphans_and_parts(self):
        """A file without a row is removed at the start, a part of an upload stays."""
        s3 = self.server.client("s3")
        upload = s3.create_multipart_upload(Bucket="bucket", Key="parts")["UploadId"]
        etag = s3.upload_part(Bucket="bucket", Key="parts", UploadId=upload, PartNumber=1, Body=b"part")["ETag"]
        self.server.kill()
        orphan = pathlib.Path(self.server.data, "objects/ab/ab" + "0" * 30)
        orphan.write_bytes(b"orphan")
        os.link(orphan, pathlib.Path(self.server.data, "tmp", orphan.name))  # which it keeps until its row is committed
        self.server.start()
        self.assertFalse(orphan.exists())
        s3 = self.server.client("s3")
        s3.complete_multipart_upload(Bucket="bucket", Key="parts", UploadId=upload,
                                     MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]})
        self.assertEqual(s3.get_object(Bucket="bucket", Key="parts")["Body"].read(), b"part")


class Life(unittest.TestCase):
    def test_second_server_and_stop(self):
        server = Server()
        self.addCleanup(server.stop)
        second = subprocess.run(server.command(), capture_output=True, text=True, env=server.environment, timeout=60)
        self.assertEqual((second.returncode, second.stdout), (1, ""))
        self.assertIn("another server", second.stderr)
        self.assertEqual(os.stat(server.data).st_mode & 0o777, 0o700)
        for number in (signal.SIGTERM, signal.SIGINT):
            self.assertEqual(server.terminate(number), 0)
            server.start()
        for words in (["serve"], ["serve", "--data", server.folder + "/x", "--listen", "nonsense"],
                      ["serve", "--data", server.folder + "/x", "--listen", "127.0.0.1:65536"],
                      ["serve", "--data", server.folder + "/x", "--account", "12"], ["serve", "--nonsense"],
                      ["serve", "--data", server.folder + "/x", "--instance-id", "x"]):
            done = subprocess.run([server.command()[0], *words], capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 2, words)
            self.assertNotEqual(done.stderr, "")
            self.assertFalse(os.path.exists(server.folder + "/x"), words)

    def test_files_are_the_owners(self):
        """Scripts, their output and events stand in the database, also in a folder that was there before."""
        with tempfile.TemporaryDirectory(prefix="spyhop-open-") as folder:
            os.chmod(folder, 0o755)
            with Server(data=folder) as server:
                server.client("s3").create_bucket(Bucket="mine")
                for path in pathlib.Path(folder).iterdir():  # whoever cannot enter a folder reaches nothing in it
                    if not path.is_symlink():
                        self.assertEqual(path.stat().st_mode & 0o077, 0, path)

    def test_made_keys(self):
        server = Server(environment={"SPYHOP_ACCESS_KEY_ID": None, "SPYHOP_SECRET_ACCESS_KEY": None})
        self.addCleanup(server.stop)
        path = pathlib.Path(server.data, "credentials")
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        env = dict(server.env, AWS_SHARED_CREDENTIALS_FILE=str(path))
        del env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"]
        subprocess.run(["aws", "--endpoint-url", server.endpoint, "s3", "ls"], env=env, check=True, timeout=60)


class FullDisk(unittest.TestCase):
    """A data folder on a file system of 24 MiB."""

    def setUp(self):
        self.mount = tempfile.mkdtemp(prefix="spyhop-full-")
        self.addCleanup(os.rmdir, self.mount)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", self.mount], capture_output=True, text=True)
        if done.returncode != 0:
            self.skipTest("mount is not permitted here: " + done.stderr.strip())
        self.addCleanup(subprocess.run, ["umount", self.mount], check=True)
        self.server = Server(data=os.path.join(self.mount, "data"))
        self.addCleanup(self.server.stop)
        self.s3 = self.server.client("s3")
        self.s3.create_bucket(Bucket="bucket")

    def refused(self, call, **arguments):
        with self.assertRaises(ClientError) as error:
            call(**arguments)
        self.assertEqual(code_of(error), "InsufficientStorage")
        self.assertIn("no space left", error.exception.response["Error"]["Message"])

    def test_put_and_recover(self):
        body = os.urandom(1 << 20)
        self.refused(self.s3.put_object, Bucket="bucket", Key="too-big", Body=bytes(23 << 20))
        stored = 0
        with self.assertRaises(ClientError) as error:
            for stored in range(40):
                self.s3.put_object(Bucket="bucket", Key="k%d" % stored, Body=body)
        self.assertEqual(code_of(error), "InsufficientStorage")
        self.assertGreater(stored, 10)
        keys = [i["Key"] for i in self.s3.list_objects_v2(Bucket="bucket")["Contents"]]
        self.assertEqual(len(keys), stored)
        self.assertEqual(list(pathlib.Path(self.server.data, "tmp").iterdir()), [])
        for key in keys:
            self.assertEqual(self.s3.get_object(Bucket="bucket", Key=key)["Body"].read(), body)
        self.s3.delete_object(Bucket="bucket", Key="k0")
        self.s3.put_object(Bucket="bucket", Key="again", Body=body[:1000])

    def fill(self):
        filler = os.path.join(self.mount, "filler")
        with open(filler, "ab", buffering=0) as f:
            try:
                while f.write(bytes(1 << 12)):
                    pass
            except OSError:
                pass
        return filler

    def test_starts_on_a_full_disk(self):
        """Again and again, whatever the space that is kept back was last used for."""
        self.s3.put_object(Bucket="bucket", Key="small", Body=b"1")
        for _ in range(3):
            self.fill()
            self.server.kill()
            self.server.start()
        self.s3 = self.server.client("s3")
        self.assertEqual([i["Key"] for i in self.s3.list_objects_v2(Bucket="bucket")["Contents"]], ["small"])

    def test_disk_filled_by_others(self):
        self.s3.put_object(Bucket="bucket", Key="small", Body=b"1")
        filler = self.fill()
        self.refused(self.s3.put_object, Bucket="bucket", Key="k", Body=b"1")
        failed = self.server.aws("s3", "cp", "-", "s3://bucket/cli", input="data", check=False)
        self.assertNotEqual(failed.returncode, 0)
        self.assertIn("no space left", failed.stderr)
        self.refused(self.s3.create_multipart_upload, Bucket="bucket", Key="k")
        self.assertEqual([i["Key"] for i in self.s3.list_objects_v2(Bucket="bucket")["Contents"]], ["small"])
        self.s3.delete_object(Bucket="bucket", Key="small")  # possible all the same
        self.server.kill()
        self.server.start()  # on a disk that is still full
        self.s3 = self.server.client("s3")
        self.assertNotIn("Contents", self.s3.list_objects_v2(Bucket="bucket"))
        os.unlink(filler)
        self.s3.put_object(Bucket="bucket", Key="k", Body=b"1")
        self.assertEqual(self.s3.get_object(Bucket="bucket", Key="k")["Body"].read(), b"1")


if __name__ == "__main__":
    unittest.main(verbosity=2)
