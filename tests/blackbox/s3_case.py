# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the S3 tests share: a server for a class of tests, and requests signed and sent by hand."""
import base64
import datetime
import hashlib
import hmac
import http.client
import os
import pathlib
import re
import socket
import sqlite3
import tempfile
import unittest

import botocore.auth
import botocore.awsrequest
import botocore.credentials
from botocore.exceptions import ClientError

from server import ACCESS_KEY, SECRET_KEY, Server


def code_of(error):
    return error.exception.response["Error"]["Code"]


class S3Case(unittest.TestCase):
    """One server for a class."""
    arguments = ()

    @classmethod
    def setUpClass(cls):
        cls.server = Server(arguments=cls.arguments)
        cls.s3 = cls.server.client("s3")
        cls.s3.create_bucket(Bucket="bucket")

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="s3-test-")
        self.addCleanup(self.folder.cleanup)

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def fails(self, code, status, call, **arguments):
        with self.assertRaises(ClientError) as error:
            call(**arguments)
        self.assertEqual(code_of(error), code)
        self.assertEqual(error.exception.response["ResponseMetadata"]["HTTPStatusCode"], status)
        return error.exception.response

    def body(self, key, bucket="bucket", **arguments):
        return self.s3.get_object(Bucket=bucket, Key=key, **arguments)["Body"].read()

    def keys(self, bucket="bucket", **arguments):
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, **arguments)
        return [item["Key"] for page in pages for item in page.get("Contents", [])]

    def new_bucket(self, name):
        self.s3.create_bucket(Bucket=name)
        return name

    def stray_files(self):
        return [p for p in pathlib.Path(self.server.data, "tmp").iterdir()]

    def object_files(self):
        """Where the bytes of objects and parts are: files, and rows of the database."""
        files = [p for p in pathlib.Path(self.server.data, "objects").rglob("*") if p.is_file()]
        with sqlite3.connect(pathlib.Path(self.server.data, "spyhop.db")) as db:
            return files + db.execute("SELECT id FROM bodies").fetchall()


# ---- requests made by hand ----

def sign(server, method, path, body=b"", headers=None, host=None, when=None, secret=SECRET_KEY, key=ACCESS_KEY,
         payload=None):
    """A signed AWSRequest for a path that is already percent-encoded."""
    fields = dict(headers or {})
    fields["Host"] = host or server.endpoint[len("http://"):]
    fields["X-Amz-Content-SHA256"] = payload or hashlib.sha256(body).hexdigest()
    request = botocore.awsrequest.AWSRequest(method=method, url=server.endpoint + path, headers=fields, data=body)
    auth = botocore.auth.S3SigV4Auth(botocore.credentials.Credentials(key, secret), "s3", server.region)
    when = when or datetime.datetime.utcnow()
    request.context["timestamp"] = when.strftime("%Y%m%dT%H%M%SZ")
    auth._modify_request_before_signing = lambda r: r.headers.__setitem__("X-Amz-Date", r.context["timestamp"])
    auth._modify_request_before_signing(request)
    canonical = auth.canonical_request(request)
    auth._inject_signature_to_request(request, auth.signature(auth.string_to_sign(request, canonical), request))
    return dict(request.headers.items())


def signature4(scope, text, secret=SECRET_KEY):
    """Version 4 of the signatures: of a text, by the key made for a scope "DAY/REGION/SERVICE/aws4_request"."""
    key = ("AWS4" + secret).encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def request_signature4(scope, stamp, canonical):
    """The signature of a canonical request, which is bytes."""
    return signature4(scope, "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical).hexdigest()]))


def signature2(text, secret=SECRET_KEY):
    return base64.b64encode(hmac.new(secret.encode(), text.encode(), hashlib.sha1).digest()).decode()


def chunk_signatures(fields, chunks):
    """Of the chunks of a body, to which one without bytes belongs at the end, after the signed fields of its head.
    Each signs the one before it; a trailer would sign the last."""
    stamp = fields["X-Amz-Date"]
    scope = stamp[:8] + "/us-east-1/s3/aws4_request"
    previous = re.search("Signature=([0-9a-f]+)", fields["Authorization"]).group(1)
    made = []
    for chunk in chunks:
        previous = signature4(scope, "\n".join(["AWS4-HMAC-SHA256-PAYLOAD", stamp, scope, previous, hashlib.sha256(
            b"").hexdigest(), hashlib.sha256(chunk).hexdigest()]))
        made.append(previous)
    return made


def begin(server, method, path, headers):
    """A connection over which the head of a request was sent; headers: pairs."""
    connection = http.client.HTTPConnection(server.endpoint[len("http://"):], timeout=60)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in headers:
        connection.putheader(name, value)
    connection.endheaders()
    return connection


def finish(connection):
    """The answer, with .data."""
    try:
        response = connection.getresponse()
        response.data = response.read()
        return response
    finally:
        connection.close()


def send(server, method, path, body=b"", headers=None):
    headers = dict(headers or {})
    if "Content-Length" not in headers and "Transfer-Encoding" not in headers and (body or method in ("PUT", "POST")):
        headers["Content-Length"] = str(len(body))
    connection = begin(server, method, path, headers.items())
    try:
        if body:
            connection.send(body)
        return finish(connection)
    finally:
        connection.close()


def connect(server, timeout=30):
    host, port = server.endpoint[len("http://"):].split(":")
    return socket.create_connection((host, int(port)), timeout=timeout)


def converse(server, data, timeout=30):
    """All that is answered to these bytes until the server closes."""
    answer = b""
    with connect(server, timeout) as connection:
        try:
            connection.sendall(data)
            while block := connection.recv(65536):
                answer += block
        except ConnectionError:
            pass  # closed before all was read
    return answer


def raw(server, method, path, body=b"", headers=None, **how):
    return send(server, method, path, body, sign(server, method, path, body, headers, **how))


def error_code(response):
    found = re.search(rb"<Code>(.*?)</Code>", response.data)
    return found.group(1).decode() if found else None
