# SPDX-License-Identifier: LGPL-2.1-or-later
"""The AWS SDK for JavaScript against the server, over http and https. The cases are in *.mjs; drive.mjs runs them."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "blackbox"))

from server import ACCESS_KEY, SDK, SECRET_KEY, Server  # noqa: E402

FEWEST = 90  # cases; a group that is lost is not a test that passed
NAMES = "subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:hosted.localhost"


def absent():
    """What is missing, in words, or None."""
    for name in ("client-s3", "client-sts", "lib-storage", "s3-presigned-post", "s3-request-presigner"):
        if not (SDK / "@aws-sdk" / name / "package.json").is_file():
            return "@aws-sdk/%s is not in %s: script/sdk fetches it" % (name, SDK)
    return None if shutil.which("node") else "node is not installed: script/sdk installs it"


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


class Sdk(unittest.TestCase):
    def setUp(self):
        missing = absent()
        if missing:
            raise AssertionError(missing)
        self.folder = tempfile.mkdtemp(prefix="spyhop-sdk-")
        self.addCleanup(shutil.rmtree, self.folder)

    def identities(self, server):
        """A user who may take on a role that may only what is below role/, and what the cases are told of both."""
        server.iam("CreateUser", UserName="user")
        server.iam("PutUserPolicy", UserName="user", PolicyName="p",
                   PolicyDocument=document({"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}))
        made = server.iam("CreateAccessKey", UserName="user")
        key, secret = (re.search("<%s>(.*?)<" % name, made).group(1) for name in ("AccessKeyId", "SecretAccessKey"))
        trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "arn:aws:iam::%s:root" % server.account}}
        server.iam("CreateRole", RoleName="role", AssumeRolePolicyDocument=document(trust))
        server.iam("PutRolePolicy", RoleName="role", PolicyName="p", PolicyDocument=document(
            {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": "arn:aws:s3:::access/role/*"}))
        return {"user": {"accessKeyId": key, "secretAccessKey": secret},
                "role": "arn:aws:iam::%s:role/role" % server.account}

    def drive(self, server, **environment):
        elsewhere = Server(region="eu-central-1")
        self.addCleanup(elsewhere.stop)
        setting = {"endpoint": server.endpoint, "elsewhere": elsewhere.endpoint, "account": server.account,
                   "folder": self.folder, "root": {"accessKeyId": ACCESS_KEY, "secretAccessKey": SECRET_KEY},
                   **self.identities(server)}
        words = [os.environ["SPYHOP_SDK_CASES"]] if os.environ.get("SPYHOP_SDK_CASES") else []
        done = subprocess.run(["node", str(HERE / "drive.mjs"), *words], stdout=subprocess.PIPE, text=True, timeout=600,
                              env={**server.env, "SPYHOP_SDK": str(SDK), "SPYHOP_SDK_SETTING": json.dumps(setting),
                                   "PATH": os.environ["PATH"], **environment})
        print(done.stdout, flush=True)
        told = re.search(r"^(\d+) cases, (\d+) failed$", done.stdout, re.M)
        self.assertTrue(told, "the cases were not run to the end")
        self.assertEqual((told.group(2), done.returncode), ("0", 0))
        if not words:
            self.assertGreaterEqual(int(told.group(1)), FEWEST)

    def test_http(self):
        with Server() as server:
            self.drive(server)

    def test_https(self):
        pair = [os.path.join(self.folder, name) for name in ("cert.pem", "key.pem")]
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", pair[1],
                        "-out", pair[0], "-days", "2", "-subj", "/CN=localhost", "-addext", NAMES], check=True, capture_output=True)
        os.environ["SSL_CERT_FILE"] = pair[0]  # of Server.iam, which asks urllib
        self.addCleanup(os.environ.pop, "SSL_CERT_FILE")
        with Server(arguments=["--tls-cert", pair[0], "--tls-key", pair[1]]) as server:
            self.drive(server, NODE_EXTRA_CA_CERTS=pair[0])


if __name__ == "__main__":
    if absent() and os.environ.get("SPYHOP_NO_SDK") == "1":
        print("SKIPPED: the SDK for JavaScript drives nothing: " + absent())
        sys.exit(77)
    unittest.main()
