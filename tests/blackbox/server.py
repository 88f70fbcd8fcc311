# SPDX-License-Identifier: LGPL-2.1-or-later
"""Starts `spyhop serve` for black-box tests and gives clients of it.

    with Server() as server:              # a new data folder, a free port, keys in the environment; or
    server = Server()                     # the same, ended by server.stop(); or
    class Tests(ServerCase)               # one for a class of tests, in self.server
        server.client("s3").create_bucket(Bucket="b")
        server.aws("s3", "ls")            # the real AWS CLI; returns subprocess.CompletedProcess
        server.kill()                     # kill -9
        server.start()                    # the same data folder, another port

The program is $SPYHOP_PROGRAM, else build/spyhop of this checkout.
"""
import json
import os
import pathlib
import select
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request
import warnings

import boto3
import botocore.auth
import botocore.awsrequest
import botocore.config
import botocore.credentials
import botocore.exceptions

ROOT = pathlib.Path(__file__).resolve().parents[2]
ACCESS_KEY = "AKIASPYHOPTESTKEY000"
SECRET_KEY = "spyhop/test+secret/key0000000000000000000"
READY_SECONDS = 30
SDK = pathlib.Path(os.environ.get("SPYHOP_SDK", str(ROOT / "build/sdk/node_modules")))  # of functions: also beside other builds
KEYS_OF_THE_NODE = ("/usr/bin/python3 -c 'import os, urllib.request as r; e = os.environ; print(r.urlopen(r.Request("
                    "e[\"AWS_CONTAINER_CREDENTIALS_FULL_URI\"], headers={\"Authorization\": "
                    "e[\"AWS_CONTAINER_AUTHORIZATION_TOKEN\"]})).read().decode())'")  # what a client in a command does
WORK = {"Effect": "Allow", "Resource": "*", "Action": ["states:*", "events:*", "ssm:*", "mediaconvert:*", "s3:*",
                                                       "iam:PassRole"]}
os.environ["no_proxy"] = os.environ["NO_PROXY"] = "127.0.0.1"  # of the clients here and of those they start


def program():
    return os.environ.get("SPYHOP_PROGRAM", str(ROOT / "build" / "spyhop"))


def signed_request(service, method, url, body, headers, keys=(ACCESS_KEY, SECRET_KEY), region="us-east-1"):
    """An AWSRequest with version 4 of the signatures; keys: the id, the secret and, of a session, the token."""
    request = botocore.awsrequest.AWSRequest(method, url, data=body, headers=headers)
    botocore.auth.SigV4Auth(botocore.credentials.Credentials(*keys), service, region).add_auth(request)
    return request


class Server:
    def __init__(self, data=None, region="us-east-1", account="012345678901", instance_id="i-0123456789abcdef0",
                 arguments=(), environment=None):
        self.folder = tempfile.mkdtemp(prefix="spyhop-test-")
        self.data = str(data or os.path.join(self.folder, "data"))
        self.region = region
        self.account = account
        self.instance_id = instance_id
        self.arguments = list(arguments)
        self.environment = {**os.environ, "SPYHOP_ACCESS_KEY_ID": ACCESS_KEY, "SPYHOP_SECRET_ACCESS_KEY": SECRET_KEY,
                            "SPYHOP_SDK": str(SDK), **(environment or {})}
        self.environment = {k: v for k, v in self.environment.items() if v is not None}
        self.process = None
        self.endpoint = None
        self.log = open(os.path.join(self.folder, "log"), "ab")
        try:
            self.start()
        except BaseException:
            self.clean_up()
            raise

    # ---- life ----

    def command(self, listen="127.0.0.1:0"):
        return [program(), "serve", "--data", self.data, "--listen", listen, "--region", self.region,
                "--account", self.account, "--instance-id", self.instance_id] + self.arguments

    def start(self, listen="127.0.0.1:0"):
        """Starts it and waits for the ready line."""
        self.process = subprocess.Popen(self.command(listen), stdout=subprocess.PIPE, stderr=self.log,
                                        env=self.environment)
        line = b""
        until = time.monotonic() + READY_SECONDS
        while not line.endswith(b"\n"):
            left = until - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                raise RuntimeError("the server was not ready in time\n" + self.log_text())
            block = os.read(self.process.stdout.fileno(), 1)
            if not block:
                raise RuntimeError("the server ended at its start, exit code %s\n%s"
                                   % (self.process.wait(), self.log_text()))
            line += block
        text = line.decode().strip()
        if not text.startswith(("listening on http://", "listening on https://")):
            raise RuntimeError("unexpected ready line: " + text)
        self.endpoint = text[len("listening on "):]
        return self

    def kill(self):
        """kill -9, as a crash."""
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process = None

    def terminate(self, number=signal.SIGTERM):
        """Asks it to stop; returns its exit code. start() begins it again."""
        self.process.send_signal(number)
        code = self.process.wait(timeout=60)
        self.process.stdout.close()
        self.process = None
        return code

    def stop(self):
        """The end of the test: stops the server and removes everything. A server that had died is an error."""
        try:
            if self.process:
                died = self.process.poll() is not None
                code = self.terminate()
                if died or code != 0:
                    raise RuntimeError("the server ended with exit code %s\n%s" % (code, self.log_text()))
        finally:
            self.clean_up()

    def clean_up(self):
        if self.process:
            self.kill()
        if not self.log.closed:
            self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def log_text(self):
        with open(os.path.join(self.folder, "log"), errors="replace") as f:
            return f.read()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is not None:
            print("---- server log ----\n" + self.log_text()[-8000:])
        self.stop()

    # ---- clients ----

    def client(self, service, access_key=ACCESS_KEY, secret_key=SECRET_KEY, region=None, **config):
        config.setdefault("retries", {"max_attempts": 0})
        if service == "s3":
            config.setdefault("signature_version", "s3v4")
            config.setdefault("s3", {"addressing_style": "path"})
        return boto3.client(service, endpoint_url=self.endpoint, region_name=region or self.region,
                            aws_access_key_id=access_key, aws_secret_access_key=secret_key,
                            config=botocore.config.Config(inject_host_prefix=False, **config))

    # ---- identities ----

    def iam(self, action, **parameters):
        """One call of IAM's Query protocol, cheaper than a client of its own. Returns the answer's text."""
        body = urllib.parse.urlencode(dict(parameters, Action=action, Version="2010-05-08")).encode()
        request = signed_request("iam", "POST", self.endpoint + "/", body, {
            "Content-Type": "application/x-www-form-urlencoded; charset=utf-8"})
        sent = urllib.request.Request(request.url, data=body, headers=dict(request.headers), method="POST")
        try:
            with urllib.request.urlopen(sent, timeout=60) as answer:
                return answer.read().decode()
        except urllib.error.HTTPError as error:
            raise RuntimeError("%s: %s" % (action, error.read().decode())) from None

    def role(self, name, *statements, trusts=("states",)):
        """Makes a role that services may take on ("a/b" is b of path /a/), allowed what the statements say; returns
        its ARN."""
        path, _, last = name.rpartition("/")
        trust = {"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Action": "sts:AssumeRole",
            "Principal": {"Service": [service + ".amazonaws.com" for service in trusts]}}]}
        self.iam("CreateRole", RoleName=last, Path="/%s/" % path if path else "/",
                 AssumeRolePolicyDocument=json.dumps(trust))
        if statements:
            self.iam("PutRolePolicy", RoleName=last, PolicyName="work", PolicyDocument=json.dumps(
                {"Version": "2012-10-17", "Statement": list(statements)}))
        return "arn:aws:iam::%s:role/%s" % (self.account, name)

    def work_role(self, name):
        """A role for tests that are not about permissions: for machines, rules and jobs, with what those call."""
        return self.role(name, WORK, trusts=("states", "events", "mediaconvert"))

    @property
    def env(self):
        """Environment in which AWS clients have the server's keys and region, and nobody else's configuration."""
        keep = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        return dict(keep, AWS_ACCESS_KEY_ID=ACCESS_KEY, AWS_SECRET_ACCESS_KEY=SECRET_KEY,
                    AWS_DEFAULT_REGION=self.region, AWS_CONFIG_FILE=os.path.join(self.folder, "aws-config"),
                    AWS_SHARED_CREDENTIALS_FILE=os.path.join(self.folder, "aws-credentials"),
                    AWS_EC2_METADATA_DISABLED="true", AWS_PAGER="", AWS_MAX_ATTEMPTS="1", LC_ALL="C.UTF-8",
                    PATH="/usr/bin:" + keep.get("PATH", ""))

    def aws(self, *words, check=True, cwd=None, input=None):
        """The AWS CLI against this server."""
        done = subprocess.run(["aws", "--endpoint-url", self.endpoint, *words], env=self.env,
                              cwd=cwd or self.folder, input=input, capture_output=True, text=True, timeout=300)
        if check and done.returncode != 0:
            raise AssertionError("aws %s: exit %d\n%s%s" % (" ".join(words), done.returncode, done.stdout,
                                                            done.stderr))
        return done


class ServerCase(unittest.TestCase):
    """One server for a class, a name for each test."""
    roles = ()  # what Server.work_role is given, for each

    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        for role in cls.roles:
            cls.server.work_role(role)

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def setUp(self):
        warnings.simplefilter("ignore", ResourceWarning)  # boto3 leaves its connections to the collector
        self.name = self.id().rsplit(".", 1)[1] + str(time.time_ns())
        self.connect()

    def connect(self):
        """Makes the clients; again after each start of the server."""

    def assert_error(self, code, call, *words, **arguments):
        """The message of the refusal."""
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            call(*words, **arguments)
        answer = caught.exception.response
        self.assertEqual(answer["Error"]["Code"], code, answer)
        self.assertEqual(answer["ResponseMetadata"]["HTTPStatusCode"], 400)
        return answer["Error"]["Message"]
