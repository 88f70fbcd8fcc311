# SPDX-License-Identifier: LGPL-2.1-or-later
"""What comes over the wire of S3 when nobody's library sends it: wrong frames, slow and idle clients, path tricks."""
import concurrent.futures
import os
import re
import resource
import socket
import time
import unittest
import urllib.parse

from s3_case import S3Case, connect, converse, error_code, raw, send, sign

HEAD = b"Host: x\r\nConnection: close\r\n"


class WireCase(S3Case):
    def connect(self):
        return connect(self.server, timeout=20)

    def talk(self, data):
        return converse(self.server, data, timeout=20)

    def alive(self):
        self.assertEqual(raw(self.server, "GET", "/").status, 200)


class Frames(WireCase):
    def test_what_is_no_request(self):
        put, get = b"PUT /bucket/k HTTP/1.1\r\n" + HEAD, b"GET / HTTP/1.1\r\n" + HEAD
        for request, status in [
                (put + b"Content-Length: \r\n\r\n", 400), (put + b"Content-Length: -1\r\n\r\n", 400),
                (put + b"Content-Length: abc\r\n\r\n", 400), (put + b"Content-Length: +1\r\n\r\na", 400),
                (put + b"Content-Length: 1, 1\r\n\r\na", 400), (put + b"Content-Length: 0x1\r\n\r\na", 400),
                (put + b"Content-Length: 99999999999999999999999\r\n\r\n", 413),
                (put + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\na", 400),
                (put + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
                (put + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
                (put + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", 400),
                (put + b"Transfer-Encoding: gzip\r\n\r\n", 501), (put + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 501),
                (put + b"Transfer-Encoding: chunked\r\n\r\nnonsense\r\n\r\n", 400),
                (b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", 400), (b"GET / HTTP/1.1\r\nHost: y\r\n" + HEAD + b"\r\n", 400),
                (get + b"nonsense\r\n\r\n", 400), (get + b"Authorization : AWS a:b\r\n\r\n", 400),
                (get + b"X\x01Y: 1\r\n\r\n", 400),
                (b"GET / HTTP/9.9\r\n" + HEAD + b"\r\n", 505), (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
                (b"GET / nonsense\r\n" + HEAD + b"\r\n", 400), (b"OPTIONS * HTTP/1.1\r\n" + HEAD + b"\r\n", 400),
                (b"GET bucket HTTP/1.1\r\n" + HEAD + b"\r\n", 400), (b"GET /?a=%zz HTTP/1.1\r\n" + HEAD + b"\r\n", 400),
                (b"GET /bucket/%zz HTTP/1.1\r\n" + HEAD + b"\r\n", 400), (b"GET /bucket/%00 HTTP/1.1\r\n" + HEAD + b"\r\n", 400),
                (b"GET /bucket/%ff HTTP/1.1\r\n" + HEAD + b"\r\n", 400), (b"GET /bucket/%c0%ae HTTP/1.1\r\n" + HEAD + b"\r\n", 400),
                (b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\n" + HEAD + b"\r\n", 414),
                (get + b"X: " + b"a" * 80000 + b"\r\n\r\n", 431),
                (get + b"".join(b"X-%d: 1\r\n" % i for i in range(400)) + b"\r\n", 431),
                (b"GET /?" + b"&".join(b"a%d" % i for i in range(200)) + b" HTTP/1.1\r\n" + HEAD + b"\r\n", 414)]:
            with self.subTest(request[:90]):
                answer = self.talk(request)
                self.assertEqual(answer[:13].decode(), "HTTP/1.1 %d " % status, answer[:200])
        self.alive()

    def test_one_request_does_not_hide_another(self):
        """After a head whose body's end is in doubt, nothing of the connection is read as a request."""
        inner = b"GET /_spyhop/healthz HTTP/1.1\r\n" + HEAD + b"\r\n"
        for doubt in [b"Content-Length: 0\r\nContent-Length: %d\r\n" % len(inner),
                      b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", b"Transfer-Encoding: xchunked\r\n"]:
            answer = self.talk(b"POST /bucket HTTP/1.1\r\nHost: x\r\n" + doubt + b"\r\n" + inner)
            self.assertEqual(answer.count(b"HTTP/1.1 "), 1, answer)

    def test_refusals_are_xml(self):
        answer = self.talk(b"GET / HTTP/1.1\r\nHost: y\r\n" + HEAD + b"\r\n")
        self.assertIn(b"<Code>BadRequest</Code>", answer)
        self.assertIn(b"x-amz-request-id", answer)

    def test_forms_of_a_target(self):
        headers = sign(self.server, "GET", "/")
        fields = b"".join(b"%s: %s\r\n" % (n.encode(), v.encode()) for n, v in headers.items()) + b"Connection: close\r\n\r\n"
        for target in [b"/", b"http://other/", b"HTTP://other:80/", b"/?"]:
            self.assertEqual(self.talk(b"GET " + target + b" HTTP/1.1\r\n" + fields)[:12], b"HTTP/1.1 200", target)

    def test_pipelines(self):
        request = b"HEAD /bucket HTTP/1.1\r\nHost: x\r\n\r\n"
        answer = self.talk(request * 20 + request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        self.assertEqual(answer.count(b"HTTP/1.1 403"), 21)

    def test_bodies_nobody_asked_for(self):
        for method in ["GET", "HEAD", "DELETE"]:
            headers = sign(self.server, method, "/bucket/none", b"body")
            self.assertIn(send(self.server, method, "/bucket/none", b"body",
                               dict(headers, **{"Content-Length": "4"})).status, (404, 204))
        self.alive()


class Clients(WireCase):
    def head(self, body, key="slow"):
        headers = dict(sign(self.server, "PUT", "/bucket/" + key, body), **{"Content-Length": str(len(body))})
        return b"PUT /bucket/%s HTTP/1.1\r\n" % key.encode() + b"".join(
            b"%s: %s\r\n" % (n.encode(), v.encode()) for n, v in headers.items()) + b"\r\n"

    def test_a_byte_at_a_time(self):
        body = b"0123456789"
        with self.connect() as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in self.head(body) + body:
                connection.send(bytes([byte]))
            self.assertEqual(connection.recv(100)[:12], b"HTTP/1.1 200")
        self.assertEqual(self.body("slow"), body)

    def test_many_half_requests_disturb_nobody(self):
        """Heads and bodies that do not come to an end, more than there are threads."""
        body = b"x" * 100000
        halves = []
        try:
            for i in range(200):
                connection = self.connect()
                halves.append(connection)
                head = self.head(body, "half%d" % i)
                connection.sendall(head[:len(head) // 2] if i % 2 else head + body[:50000])
            started = time.monotonic()
            for i in range(20):
                self.s3.put_object(Bucket="bucket", Key="others", Body=b"served")
                self.assertEqual(self.body("others"), b"served")
            self.assertLess(time.monotonic() - started, 10)
        finally:
            for connection in halves:
                connection.close()
        until = time.monotonic() + 20
        while self.stray_files() and time.monotonic() < until:
            pass
        self.assertEqual(self.stray_files(), [])
        self.assertFalse([k for k in self.keys() if k.startswith("half")])

    def test_readers_that_do_not_read(self):
        self.s3.put_object(Bucket="bucket", Key="big", Body=bytes(8 << 20))
        headers = sign(self.server, "GET", "/bucket/big")
        request = b"GET /bucket/big HTTP/1.1\r\n" + b"".join(
            b"%s: %s\r\n" % (n.encode(), v.encode()) for n, v in headers.items()) + b"\r\n"
        lazy = []
        try:
            for _ in range(100):
                connection = self.connect()
                connection.sendall(request)
                lazy.append(connection)
            for connection in lazy:  # each has opened it
                self.assertEqual(connection.recv(12), b"HTTP/1.1 200")
            self.assertEqual(raw(self.server, "HEAD", "/bucket/big").headers["Content-Length"], str(8 << 20))
            self.s3.delete_object(Bucket="bucket", Key="big")
            total = 0
            while total < (8 << 20):  # who opened it before keeps it
                block = lazy[0].recv(1 << 20)
                self.assertTrue(block)
                total += len(block)
        finally:
            for connection in lazy:
                connection.close()

    def memory(self):
        with open("/proc/%d/status" % self.server.process.pid) as f:
            return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1)) << 10

    def test_idle_connections(self):
        """Ten thousand where the limit of descriptors lets us; half of them have asked something before."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        count = min(10000, hard - 200)
        idle = []
        try:
            before = self.memory()
            for i in range(count):
                idle.append(self.connect())
                if i % 2:
                    idle[-1].sendall(b"HEAD /bucket HTTP/1.1\r\nHost: x\r\n\r\n")
            for connection in idle[1::2]:
                self.assertEqual(connection.recv(100)[:12], b"HTTP/1.1 403")
            self.alive()
            grown = self.memory() - before
            if not os.environ.get("ASAN_OPTIONS"):  # whose own memory is several times the server's
                self.assertLess(grown, 100 << 20)
            started = time.monotonic()
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                for status in pool.map(lambda i: raw(self.server, "PUT", "/bucket/i%d" % i, b"data").status, range(50)):
                    self.assertEqual(status, 200)
            self.assertLess(time.monotonic() - started, 15)
        finally:
            for connection in idle:
                connection.close()


class Paths(WireCase):
    """A key is bytes, whatever a file system would make of it."""

    def test_tricks(self):
        keys = ["../../etc/passwd", "/etc/passwd", "a/../b", "./a", "a//b", "//", "a/", ".", "..", "%2e%2e/x", "a\\..\\b",
                "a\nb", "\x01\x7f", "a?b#c&d=e", "\u202eexe.txt", "\U0001f433" * 256, "con", "a;rm -rf /", "$(id)", "`id`",
                "a" * 1024, "_spyhop/healthz", "a+b c%20d", "\u00e4", "a\u0308"]
        for key in keys:
            with self.subTest(key[:40]):
                path = "/bucket/" + urllib.parse.quote(key.encode(), safe="")
                body = key.encode()
                self.assertEqual(raw(self.server, "PUT", path, body).status, 200)
                self.assertEqual(raw(self.server, "GET", path).data, body)
        listed = [urllib.parse.unquote_plus(k) for k in self.keys(EncodingType="url")]
        self.assertEqual(listed, sorted(keys, key=str.encode))
        for key in keys:
            self.assertEqual(raw(self.server, "DELETE", "/bucket/" + urllib.parse.quote(key.encode(), safe="")).status, 204)
        self.assertEqual(self.keys(), [])

    def test_files_have_names_of_their_own(self):
        self.assertEqual(raw(self.server, "PUT", "/bucket/..%2f..%2fescaped", b"x").status, 200)
        for folder, _, names in os.walk(os.path.dirname(self.server.data)):
            self.assertNotIn("escaped", names, folder)
        self.s3.delete_object(Bucket="bucket", Key="../../escaped")

    def test_too_long(self):
        response = raw(self.server, "PUT", "/bucket/" + "a" * 1025, b"x")
        self.assertEqual((response.status, error_code(response)), (400, "KeyTooLongError"))

    def test_buckets(self):
        for name in ["..", "_spyhop", "a", "A" * 10, "a_b", "192.168.1.1", "xn--abc", "a..b", "-ab", "ab-", "a" * 64,
                     "%2e%2e%2f", "abc%00"]:
            with self.subTest(name):
                response = raw(self.server, "PUT", "/" + name, b"")
                self.assertIn((response.status, error_code(response)), [(400, "InvalidBucketName"), (400, "InvalidURI"),
                                                                       (404, None), (404, "NotFound"), (405, None)], name)


if __name__ == "__main__":
    unittest.main(verbosity=2)
