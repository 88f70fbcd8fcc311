# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the S3 tests share: a server for a class of tests, and requests signed and sent by hand."""
import datetime
import hashlib
import http.client
import os
import pathlib
import re
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
        return [p for p in pathlib.Path(self.server.data, "objects").rglob("*") if p.is_file()]


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


def send(server, method, path, body=b"", headers=None):
    connection = http.client.HTTPConnection(server.endpoint[len("http://"):], timeout=60)
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in (headers or {}).items():
            connection.putheader(name, value)
        if "Content-Length" not in (headers or {}) and "Transfer-Encoding" not in (headers or {}) and \
                (body or method in ("PUT", "POST")):
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders()
        if body:
            connection.send(body)
        response = connection.getresponse()
        response.data = response.read()
        return response
    finally:
        connection.close()


def raw(server, method, path, body=b"", headers=None, **how):
    return send(server, method, path, body, sign(server, method, path, body, headers, **how))


def error_code(response):
    found = re.search(rb"<Code>(.*?)</Code>", response.data)
    return found.group(1).decode() if found else None
