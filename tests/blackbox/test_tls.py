# SPDX-License-Identifier: LGPL-2.1-or-later
"""HTTPS: what clients do over it (the SDK and the CLI send their checksums as trailers there), and the certificate
that is replaced while connections stand."""
import base64
import hashlib
import http.client
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import unittest
import urllib.request

import boto3
import botocore.config

from server import ACCESS_KEY, SECRET_KEY, Server, program


def make_pair(folder, name, *options):
    """A certificate of its own for 127.0.0.1, and its key."""
    pair = [os.path.join(folder, name + end) for end in (".cert.pem", ".key.pem")]
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                    pair[1], "-out", pair[0], "-days", "2", "-subj", "/CN=" + name, "-addext",
                    "subjectAltName=IP:127.0.0.1,DNS:localhost", *options], check=True, capture_output=True)
    return pair


def pin_of(cert):
    """base64url of the SHA-256 of a certificate's public key."""
    key = subprocess.run(["openssl", "x509", "-in", cert, "-noout", "-pubkey"], check=True, capture_output=True).stdout
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=key, check=True, capture_output=True).stdout
    return base64.urlsafe_b64encode(hashlib.sha256(der).digest()).decode().rstrip("=")


class TlsCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="spyhop-tls-")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.cert, cls.key = make_pair(cls.folder, "first")
        cls.server = Server(arguments=["--tls-cert", cls.cert, "--tls-key", cls.key])
        cls.addClassCleanup(cls.server.stop)
        cls.context = ssl.create_default_context(cafile=cls.cert)
        cls.host, port = cls.server.endpoint[len("https://"):].rsplit(":", 1)
        cls.port = int(port)

    def s3(self, **config):
        return boto3.client("s3", endpoint_url=self.server.endpoint, region_name="us-east-1", verify=self.cert,
                            aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY,
                            config=botocore.config.Config(s3={"addressing_style": "path"}, signature_version="s3v4",
                                                          retries={"max_attempts": 0}, **config))


class Clients(TlsCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.s3(cls).create_bucket(Bucket="films")

    def aws(self, *words):
        done = subprocess.run(["aws", "--endpoint-url", self.server.endpoint, "--ca-bundle", self.cert, *words],
                              env=self.server.env, capture_output=True, text=True, timeout=120, cwd=self.folder)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_the_ready_line_says_https(self):
        self.assertTrue(self.server.endpoint.startswith("https://127.0.0.1:"))

    def test_objects_of_every_size_come_back(self):
        s3 = self.s3()
        for size in (0, 1, 16384, 65537, 5_000_000):
            with self.subTest(size=size):
                body = os.urandom(size)
                s3.put_object(Bucket="films", Key="of-%d" % size, Body=body)
                self.assertEqual(s3.get_object(Bucket="films", Key="of-%d" % size)["Body"].read(), body)

    def test_checksums_in_trailers(self):
        s3 = self.s3()
        for algorithm in ("CRC32", "SHA1", "SHA256"):
            with self.subTest(algorithm=algorithm):
                seen = []
                s3.meta.events.register("before-send.s3.PutObject", lambda request, **_: seen.append(request.headers))
                s3.put_object(Bucket="films", Key="sum", Body=b"checked" * 1000, ChecksumAlgorithm=algorithm)
                self.assertIn(b"STREAMING-UNSIGNED-PAYLOAD-TRAILER", bytes(seen[-1]["X-Amz-Content-SHA256"]))
                head = s3.head_object(Bucket="films", Key="sum", ChecksumMode="ENABLED")
                self.assertIn("Checksum" + algorithm, head)
                self.assertEqual(head["ContentLength"], 7000)

    def test_the_cli_sends_and_fetches_a_large_file(self):
        with open(os.path.join(self.folder, "large"), "wb") as f:
            f.write(os.urandom(20_000_000))
        self.aws("s3", "cp", "--only-show-errors", "large", "s3://films/large")
        self.aws("s3", "cp", "--only-show-errors", "s3://films/large", "back")
        with open(os.path.join(self.folder, "large"), "rb") as a, open(os.path.join(self.folder, "back"), "rb") as b:
            self.assertEqual(a.read(), b.read())

    def test_the_cli_sends_a_trailing_checksum(self):
        with open(os.path.join(self.folder, "small"), "wb") as f:
            f.write(b"small")
        out = self.aws("s3api", "put-object", "--bucket", "films", "--key", "small", "--body", "small",
                       "--checksum-algorithm", "SHA256")
        self.assertIn("ChecksumSHA256", out)

    def test_a_client_without_the_certificate_refuses(self):
        with self.assertRaises(ssl.SSLCertVerificationError):
            self.connect(ssl.create_default_context())

    def test_only_tls_1_2_and_1_3(self):
        for version, good in ((ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True),
                              (ssl.TLSVersion.TLSv1_3, True)):
            with self.subTest(version=version.name):
                context = ssl.create_default_context(cafile=self.cert)
                context.set_ciphers("ALL:@SECLEVEL=0")
                context.minimum_version = context.maximum_version = version
                if good:
                    self.connect(context).close()
                else:
                    with self.assertRaises((ssl.SSLError, ConnectionError)):
                        self.connect(context)

    def connect(self, context):
        return context.wrap_socket(socket.create_connection((self.host, self.port), timeout=30),
                                   server_hostname=self.host)

    def test_what_is_no_tls_disturbs_nobody(self):
        for junk in (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"\0" * 100, b"\0" * 70000, b""):
            with self.subTest(junk=junk[:8]):
                with socket.create_connection((self.host, self.port), timeout=30) as s:
                    try:
                        s.sendall(junk)
                        s.shutdown(socket.SHUT_WR)
                        s.recv(1000)
                    except OSError:  # it was quicker
                        pass
        self.assertEqual(self.s3().list_buckets()["ResponseMetadata"]["HTTPStatusCode"], 200)

    def test_many_clients_at_once(self):
        sockets = [self.connect(self.context) for _ in range(100)]
        for s in sockets:
            s.sendall(b"GET /_spyhop/healthz HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" % self.host.encode())
        for s in sockets:
            self.assertTrue(s.recv(100).startswith(b"HTTP/1.1 200"))
            s.close()

    def test_policies_see_the_transport(self):
        s3 = self.s3()
        s3.create_bucket(Bucket="secure")
        s3.put_object(Bucket="secure", Key="k", Body=b"k")
        for wanted, code in (("false", 200), ("true", 403)):
            with self.subTest(denied_when_secure=wanted):
                s3.put_bucket_policy(Bucket="secure", Policy="""{"Version": "2012-10-17", "Statement": [{
                    "Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::secure/*",
                    "Condition": {"Bool": {"aws:SecureTransport": "%s"}}}]}""" % wanted)
                url = s3.generate_presigned_url("get_object", Params={"Bucket": "secure", "Key": "k"})
                try:
                    answer = urllib.request.urlopen(url, context=self.context, timeout=30).status
                except urllib.error.HTTPError as error:
                    answer = error.code
                self.assertEqual(answer, code)

    def test_commands_of_the_node_reach_the_server(self):
        probe = "curl -s -o /dev/null -w '%{http_code}' $AWS_ENDPOINT_URL/_spyhop/healthz"
        ssm = boto3.client("ssm", endpoint_url=self.server.endpoint, region_name="us-east-1", verify=self.cert,
                           aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY)
        sent = ssm.send_command(InstanceIds=[self.server.instance_id], DocumentName="AWS-RunShellScript",
                                Parameters={"commands": ['echo "$AWS_ENDPOINT_URL"', probe]})["Command"]["CommandId"]
        until = time.monotonic() + 60
        while True:
            got = ssm.get_command_invocation(CommandId=sent, InstanceId=self.server.instance_id)
            if got["Status"] not in ("Pending", "InProgress") or time.monotonic() > until:
                break
        self.assertEqual(got["Status"], "Success", got)
        self.assertRegex(got["StandardOutputContent"], r"^http://127\.0\.0\.1:\d+\n200$")


class Reload(TlsCase):
    def name_served(self):
        """Common name of the certificate that a new connection gets."""
        der = ssl.get_server_certificate((self.host, self.port))
        text = subprocess.run(["openssl", "x509", "-noout", "-subject"], input=der, capture_output=True, text=True,
                              check=True).stdout
        return re.search(r"CN = (\S+)", text).group(1)

    def reload(self, cert, key, said):
        lines = self.server.log_text().count(said)
        shutil.copy(cert, self.cert)
        shutil.copy(key, self.key)
        self.server.process.send_signal(signal.SIGHUP)
        until = time.monotonic() + 30
        while self.server.log_text().count(said) == lines:
            self.assertLess(time.monotonic(), until, self.server.log_text())
            self.assertIsNone(self.server.process.poll())

    def test_new_connections_get_the_new_certificate_and_old_ones_go_on(self):
        self.assertEqual(self.name_served(), "first")
        old = http.client.HTTPSConnection(self.host, self.port, context=self.context, timeout=30)
        old.request("GET", "/_spyhop/healthz")
        self.assertEqual(old.getresponse().read()[:14], b'{"status":"ok"')
        before = old.sock
        second = make_pair(self.folder, "second")
        self.reload(*second, "was read again")
        self.assertEqual(self.name_served(), "second")
        self.assertIn("(sha256//%s)" % pin_of(second[0]), self.server.log_text())  # what agents pin
        old.request("GET", "/_spyhop/healthz")
        self.assertEqual(old.getresponse().status, 200)
        self.assertIs(old.sock, before)
        old.close()
        third = make_pair(self.folder, "third")
        self.reload(second[0], third[1], "the certificate of before stays")  # a key of another certificate
        self.assertEqual(self.name_served(), "second")
        for i in range(20):
            self.reload(*(third if i % 2 else second), "was read again")
            self.assertEqual(self.name_served(), "third" if i % 2 else "second")


class WrongPairs(unittest.TestCase):
    def refused(self, *arguments):
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([program(), "serve", "--data", folder + "/data", "--listen", "127.0.0.1:0", *arguments],
                                  capture_output=True, text=True, timeout=60)
            self.assertEqual(done.stdout, "")
            self.assertFalse(os.path.exists(folder + "/data"), "nothing was made")
            return done.returncode, done.stderr

    def test_pairs_that_are_none(self):
        with tempfile.TemporaryDirectory() as folder:
            one, other = make_pair(folder, "one"), make_pair(folder, "other")
            junk, empty, nothing = (os.path.join(folder, n) for n in ("junk", "empty", "nothing"))
            with open(junk, "wb") as f:
                f.write(os.urandom(5000))
            open(empty, "w").close()
            locked = os.path.join(folder, "locked.pem")
            subprocess.run(["openssl", "pkey", "-in", one[1], "-aes256", "-passout", "pass:x", "-out", locked], check=True,
                           capture_output=True)
            for cert, key, said in ((one[0], other[1], "does not belong to"), (one[0], one[0], "no private key"),
                                    (one[1], one[1], "no chain of certificates"), (junk, one[1], "no chain"),
                                    (one[0], junk, "no private key"), (empty, one[1], "no chain"),
                                    (one[0], locked, "without a password"), (nothing, one[1], "cannot open"),
                                    (one[0], nothing, "cannot open"), (folder, one[1], folder)):
                with self.subTest(cert=cert, key=key):
                    code, text = self.refused("--tls-cert", cert, "--tls-key", key)
                    self.assertEqual(code, 1, text)
                    self.assertIn(said, text)

    def test_one_without_the_other(self):
        for option in ("--tls-cert", "--tls-key"):
            code, text = self.refused(option, "/nowhere")
            self.assertEqual(code, 2)
            self.assertIn("belong together", text)


if __name__ == "__main__":
    unittest.main()
