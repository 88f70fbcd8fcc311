# SPDX-License-Identifier: LGPL-2.1-or-later
"""Running a server: what is wrong with it, what it counts, what it logs, and how it stops."""
import http.client
import json
import os
import re
import signal
import socket
import stat
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.parse

from s3_case import S3Case, raw, send, sign
from server import ACCESS_KEY, SECRET_KEY, Server, program


def get(server, path, method="GET", **headers):
    return send(server, method, path, b"", {"Host": server.endpoint[len("http://"):],
                                            **{k.replace("_", "-"): v for k, v in headers.items()}})


class Health(S3Case):
    def test_a_server_in_health(self):
        answer = get(self.server, "/_spyhop/healthz")
        self.assertEqual((answer.status, answer.getheader("Content-Type")), (200, "application/json"))
        self.assertEqual(json.loads(answer.data), {"status": "ok", "checks": dict.fromkeys(("disk", "database", "runners"), "ok")})

    def test_head(self):
        self.assertEqual(get(self.server, "/_spyhop/healthz", "HEAD").status, 200)

    def test_nothing_else_is_there(self):
        for path in ("/_spyhop/", "/_spyhop/x", "/_spyhop/healthz/x", "/_spyhop/healthzz", "/_spyhop//healthz", "/_spyhop/%68ealthz"):
            with self.subTest(path=path):
                self.assertEqual(get(self.server, path).status, 404)
        for method in ("PUT", "POST", "DELETE"):
            self.assertEqual(get(self.server, "/_spyhop/healthz", method).status, 405)

    def test_a_bucket_named_by_the_host_has_such_keys(self):
        self.s3.create_bucket(Bucket="hosted")
        self.s3.put_object(Bucket="hosted", Key="_spyhop/healthz", Body=b"an object")
        host = "hosted.localhost:" + self.server.endpoint.rsplit(":", 1)[1]
        answer = send(self.server, "GET", "/_spyhop/healthz", b"", sign(self.server, "GET", "/_spyhop/healthz", host=host))
        self.assertEqual((answer.status, answer.data), (200, b"an object"))

    def test_what_is_wrong_is_said(self):
        away = self.server.data + ".away"
        os.rename(self.server.data, away)
        try:
            answer = get(self.server, "/_spyhop/healthz")
        finally:
            os.rename(away, self.server.data)
        self.assertEqual(answer.status, 503)
        told = json.loads(answer.data)
        self.assertEqual(told["status"], "failing")
        self.assertIn("cannot be reached", told["checks"]["disk"])
        self.assertNotIn(self.server.data, answer.data.decode())
        self.assertEqual(get(self.server, "/_spyhop/healthz").status, 200)


class Metrics(S3Case):
    def metrics(self, **headers):
        answer = get(self.server, "/_spyhop/metrics", **headers)
        self.assertEqual(answer.status, 200)
        self.assertTrue(answer.getheader("Content-Type").startswith("text/plain; version=0.0.4"))
        values = {}
        for line in answer.data.decode().splitlines():
            if not line.startswith("#"):
                self.assertRegex(line, r'^[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? -?[0-9.e+]+$')
                name, _, value = line.rpartition(" ")
                self.assertNotIn(name, values, "once alone")
                values[name] = float(value)
            else:
                self.assertRegex(line, r"^# (HELP|TYPE) [a-z_]+ .")
        return values

    def test_requests_are_counted_by_what_they_were(self):
        count = 'spyhop_http_requests_total{service="s3",operation="%s",code="%d"}'
        before = self.metrics()
        for i in range(3):
            self.s3.put_object(Bucket="bucket", Key="k", Body=b"12345")
        self.body("k")
        self.fails("NoSuchKey", 404, self.s3.get_object, Bucket="bucket", Key="none")
        self.server.client("stepfunctions").list_state_machines()
        self.server.iam("ListUsers")
        after = self.metrics()
        for name, more in ((count % ("PutObject", 200), 3), (count % ("GetObject", 200), 1), (count % ("GetObject", 404), 1),
                           (count.replace('"s3"', '"states"') % ("ListStateMachines", 200), 1),
                           (count.replace('"s3"', '"iam"') % ("ListUsers", 200), 1),
                           ('spyhop_http_received_bytes_total{service="s3",operation="PutObject"}', 15),
                           ('spyhop_http_request_duration_seconds_count{service="s3",operation="PutObject"}', 3),
                           ('spyhop_http_request_duration_seconds_bucket{service="s3",operation="PutObject",le="+Inf"}', 3)):
            with self.subTest(name=name):
                self.assertEqual(after[name] - before.get(name, 0), more)
        self.assertGreater(after["spyhop_database_commits_total"], before["spyhop_database_commits_total"])

    def test_what_is_measured(self):
        values = self.metrics()
        for name, least, most in (("process_resident_memory_bytes", 1e6, 1e9), ("spyhop_disk_free_bytes", 1, 1e18),
                                  ("process_open_fds", 10, 10000), ("process_start_time_seconds", 1.7e9, 1e11),
                                  ("process_cpu_seconds_total", 0, 1000), ("spyhop_http_requests_in_flight", 1, 2),  # this one, and the agent's poll
                                  ("spyhop_executions_running", 0, 0), ('spyhop_queue_length{queue="commands"}', 0, 0),
                                  ("spyhop_database_syncs_total", 1, 1e9)):
            with self.subTest(name=name):
                self.assertTrue(least <= values[name] <= most, values[name])

    def test_who_may_read_them(self):
        path = os.path.join(self.server.data, "metrics-token")
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        with open(path) as f:
            token = f.read().strip()
        for headers, status in (({}, 200), ({"X_Forwarded_For": "192.0.2.1"}, 401), ({"Forwarded": "for=192.0.2.1"}, 401),
                                ({"X_Real_IP": "192.0.2.1"}, 401),
                                ({"X_Forwarded_For": "192.0.2.1", "Authorization": "Bearer " + token}, 200),
                                ({"X_Forwarded_For": "192.0.2.1", "Authorization": "Bearer " + token[:-1] + "g"}, 401),
                                ({"X_Forwarded_For": "192.0.2.1", "Authorization": "Bearer "}, 401)):
            with self.subTest(headers=headers):
                self.assertEqual(get(self.server, "/_spyhop/metrics", **headers).status, status)

    def test_an_idle_server_is_small(self):
        with Server() as server:
            with open("/proc/%d/status" % server.process.pid) as f:
                kib = int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))
        if not os.environ.get("ASAN_OPTIONS") and not os.environ.get("TSAN_OPTIONS"):
            self.assertLess(kib, 30 * 1024)


def whole_lines(text):
    """A line that is just being written, over the end of a page, may be seen without its end."""
    return text[:text.rfind("\n") + 1].splitlines()


class Logs(S3Case):
    @classmethod
    def setUpClass(cls):
        cls.server = Server(arguments=["--log-format", "json"])
        cls.s3 = cls.server.client("s3")
        cls.s3.create_bucket(Bucket="bucket")

    def lines(self, request_id, log=None):
        """Lines about that request; the log is written when the answer is out, so they may take a moment."""
        until = time.monotonic() + 30
        while True:
            text = log() if log else self.server.log_text()
            found = [line for line in whole_lines(text) if request_id in line]
            if found or time.monotonic() > until:
                return found

    def test_each_line_is_an_object(self):
        self.lines(get(self.server, "/_spyhop/healthz").getheader("x-amz-request-id") or "Health")
        for line in whole_lines(self.server.log_text()):
            told = json.loads(line)
            self.assertLessEqual({"time", "level", "area"}, set(told))

    def test_a_request_has_a_line(self):
        answer = self.s3.put_object(Bucket="bucket", Key="a key/ü", Body=b"12345")
        (line,) = self.lines(answer["ResponseMetadata"]["RequestId"])
        told = json.loads(line)
        self.assertRegex(told.pop("time"), r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertGreaterEqual(told.pop("ms"), 0)
        self.assertEqual(told, {"level": "info", "area": "access", "request_id": answer["ResponseMetadata"]["RequestId"],
                                "client": "127.0.0.1", "method": "PUT", "path": "/bucket/a%20key/%C3%BC", "service": "s3",
                                "operation": "PutObject", "bucket": "bucket", "status": 200, "received": 5, "answered": 0,
                                "complete": True})

    def test_refusals_have_one_too(self):
        answer = raw(self.server, "GET", "/bucket/none")
        (line,) = self.lines(answer.getheader("x-amz-request-id"))
        self.assertEqual((json.loads(line)["status"], json.loads(line)["operation"]), (404, "GetObject"))
        answer = get(self.server, "/bucket/none")
        (line,) = self.lines(answer.getheader("x-amz-request-id"))
        self.assertEqual(json.loads(line)["status"], 403)

    def test_odd_paths(self):
        for path in ('/bucket/"\\', "/bucket/\x7f", "/bucket/%22%0a", "/bucket/" + "k" * 3000, "/bucket/\xfc"):
            with self.subTest(path=path[:20]):
                with socket.create_connection(("127.0.0.1", int(self.server.endpoint.rsplit(":", 1)[1])), timeout=30) as s:
                    s.sendall(b"GET " + path.encode("latin-1") + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                    answer = b""
                    while (block := s.recv(65536)):
                        answer += block
                found = re.search(rb"x-amz-request-id: (\S+)", answer, re.I)
                if found:
                    (line,) = self.lines(found.group(1).decode())
                    self.assertTrue(path.startswith(json.loads(line)["path"][:20]))

    def test_no_secret_is_in_it(self):
        url = self.s3.generate_presigned_url("get_object", Params={"Bucket": "bucket", "Key": "presigned"})
        self.s3.put_object(Bucket="bucket", Key="presigned", Body=b"x")
        query = urllib.parse.urlsplit(url)
        answer = get(self.server, query.path + "?" + query.query)
        self.assertEqual(answer.status, 200)
        self.lines(answer.getheader("x-amz-request-id"))
        signature = urllib.parse.parse_qs(query.query)["X-Amz-Signature"][0]
        text = self.server.log_text()
        for secret in (signature, SECRET_KEY, ACCESS_KEY, "X-Amz-Signature", "Credential"):
            self.assertNotIn(secret, text)

    def test_a_file_of_its_own_is_opened_again(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "access.log")
            with Server(arguments=["--access-log", path]) as server:
                def text():
                    with open(path) as f:
                        return f.read()
                answer = raw(server, "GET", "/")
                (line,) = self.lines(answer.getheader("x-amz-request-id"), text)
                self.assertRegex(line, r'^\S+Z access request_id="[0-9a-f-]{36}" client="127.0.0.1" method="GET" path="/" '
                                       r'service="s3" operation="ListBuckets" status=200 received=0 answered=\d+ ms=[0-9.]+ '
                                       r'complete=true$')
                os.rename(path, path + ".1")
                server.process.send_signal(signal.SIGHUP)
                until = time.monotonic() + 30
                while not os.path.exists(path):
                    self.assertLess(time.monotonic(), until)
                answer = raw(server, "GET", "/")
                self.assertEqual(len(self.lines(answer.getheader("x-amz-request-id"), text)), 1)


class Stop(unittest.TestCase):
    def begin(self, *arguments):
        server = Server(arguments=arguments)
        self.addCleanup(server.clean_up)
        server.client("s3").create_bucket(Bucket="bucket")
        return server, int(server.endpoint.rsplit(":", 1)[1])

    def half_put(self, server, port, body, key="/bucket/slow"):
        """A PUT whose first half has been sent."""
        fields = sign(server, "PUT", key, body)
        s = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.addCleanup(s.close)
        s.sendall(("PUT %s HTTP/1.1\r\n" % key + "".join("%s: %s\r\n" % field for field in fields.items()) +
                   "Content-Length: %d\r\n\r\n" % len(body)).encode() + body[:len(body) // 2])
        return s

    def wait_until(self, condition):
        until = time.monotonic() + 60
        while not condition():
            self.assertLess(time.monotonic(), until)

    def staged(self, server):
        return os.listdir(os.path.join(server.data, "tmp"))

    def test_what_runs_ends_and_what_is_new_is_refused(self):
        server, port = self.begin("--stop-wait", "60")
        idle = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        idle.request("GET", "/_spyhop/healthz")
        idle.getresponse().read()
        body = os.urandom(200000)
        running = self.half_put(server, port, body)
        self.wait_until(lambda: self.staged(server))
        server.process.send_signal(signal.SIGTERM)

        def closed():
            try:
                socket.create_connection(("127.0.0.1", port), timeout=60).close()
            except ConnectionRefusedError:
                return True
            except ConnectionResetError:  # it stood in the queue at the moment the socket closed
                pass
            return False
        self.wait_until(closed)
        idle.request("GET", "/_spyhop/healthz")
        answer = idle.getresponse()
        self.assertEqual((answer.status, answer.getheader("Connection").lower()), (503, "close"))
        self.assertIn(b"ServiceUnavailable", answer.read())
        self.assertIsNone(server.process.poll())
        running.sendall(body[len(body) // 2:])
        self.assertTrue(running.recv(1000).startswith(b"HTTP/1.1 200 "))
        self.assertEqual(server.process.wait(timeout=60), 0)
        server.process.stdout.close()
        server.start()
        self.assertEqual(server.client("s3").get_object(Bucket="bucket", Key="slow")["Body"].read(), body)
        server.stop()

    def test_it_waits_no_longer_than_it_was_told(self):
        server, port = self.begin("--stop-wait", "0")
        self.half_put(server, port, b"x" * 200000)
        self.wait_until(lambda: self.staged(server))
        self.assertEqual(server.terminate(), 0)
        server.start()
        self.assertEqual(self.staged(server), [])
        server.stop()

    def test_asked_twice_it_ends_at_once(self):
        server, port = self.begin("--stop-wait", "3600")
        self.half_put(server, port, b"x" * 200000)
        self.wait_until(lambda: self.staged(server))
        server.process.send_signal(signal.SIGTERM)
        self.wait_until(lambda: "stopping" in server.log_text())
        server.process.send_signal(signal.SIGTERM)
        self.assertEqual(server.process.wait(timeout=60), 130)
        server.process.stdout.close()
        server.start()
        server.stop()

    def test_requests_under_way_of_many_clients_all_end(self):
        server, port = self.begin("--stop-wait", "60")
        body = os.urandom(50000)
        running = [self.half_put(server, port, body, "/bucket/%d" % i) for i in range(40)]
        self.wait_until(lambda: len(self.staged(server)) == 40)
        server.process.send_signal(signal.SIGTERM)
        for s in running:
            s.sendall(body[len(body) // 2:])
        answers = [s.recv(1000)[:13] for s in running]
        self.assertEqual(answers, [b"HTTP/1.1 200 "] * 40)
        self.assertEqual(server.process.wait(timeout=60), 0)
        server.process.stdout.close()

    def test_the_service_manager_is_told(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "notify")
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
                manager.bind(path)
                manager.settimeout(60)
                server = Server(environment={"NOTIFY_SOCKET": path})
                self.assertEqual(manager.recv(100), b"READY=1")
                ended = threading.Thread(target=server.stop)
                ended.start()
                self.assertEqual(manager.recv(100), b"STOPPING=1")
                ended.join()


class Options(unittest.TestCase):
    def test_wrong_ones(self):
        for words in (("--log-format", "xml"), ("--stop-wait", "x"), ("--stop-wait", "-1"), ("--stop-wait", "3601"),
                      ("--keep-executions", "0"), ("--keep-commands", "x"), ("--no-such",), ("word",), ("--instance-id", "x")):
            with self.subTest(words=words), tempfile.TemporaryDirectory() as folder:
                done = subprocess.run([program(), "serve", "--data", folder + "/data", *words], capture_output=True, text=True,
                                      timeout=60)
                self.assertEqual((done.returncode, done.stdout), (2, ""))
                self.assertTrue(done.stderr)
                self.assertFalse(os.path.exists(folder + "/data"))

    def test_an_access_log_that_cannot_be_opened(self):
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([program(), "serve", "--data", folder + "/data", "--listen", "127.0.0.1:0", "--access-log",
                                   folder + "/no/such"], capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 1)
            self.assertIn("cannot open the access log", done.stderr)

    def test_help_names_every_option(self):
        done = subprocess.run([program(), "serve", "--help"], capture_output=True, text=True, timeout=60, check=True)
        named = set(re.findall(r"^  (--[a-z-]+)", done.stdout, re.M))
        with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docs/spyhop.1")) as f:
            page = f.read().replace("\\-", "-")
        self.assertGreater(len(named), 10)
        for option in named:
            self.assertIn(option, page)

    def test_the_server_is_started_by_spyhop_alone(self):
        server = os.path.join(os.path.dirname(program()), "spyhop-serve")
        done = subprocess.run([server], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 2)
        self.assertIn("spyhop serve", done.stderr)


if __name__ == "__main__":
    unittest.main()
