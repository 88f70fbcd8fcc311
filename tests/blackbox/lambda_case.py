# SPDX-License-Identifier: LGPL-2.1-or-later
"""What tests of functions share: archives, roles, a function whose bootstrap is a small Python program, so that nothing
but Debian's Python is needed."""
import io
import json
import os
import time
import zipfile

from server import Server, ServerCase

LIMIT_SECONDS = 40
WORK = {"Effect": "Allow", "Resource": "*", "Action": ["logs:*", "s3:*", "lambda:*", "events:*", "states:*"]}
# What a function of these tests does is told by its event: {"do": ...}.
BOOTSTRAP = r'''#!/usr/bin/python3
import json, os, sys, urllib.request, urllib.error
API = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/"
def post(path, value, headers={}):
    request = urllib.request.Request(API + path, data=json.dumps(value).encode(), headers=headers, method="POST")
    urllib.request.urlopen(request).read()
while True:
    answer = urllib.request.urlopen(API + "invocation/next")
    id = answer.headers["Lambda-Runtime-Aws-Request-Id"]
    event = json.loads(answer.read())
    do = event.get("do") if isinstance(event, dict) else None
    print("event", json.dumps(event)[:3000], flush=True)
    if do == "fail":
        post("invocation/" + id + "/error", {"errorMessage": event.get("message", "no"), "errorType": "Custom"},
             {"Lambda-Runtime-Function-Error-Type": "Custom"})
    elif do == "exit":
        sys.exit(3)
    elif do == "context":
        post("invocation/" + id + "/response", {
            "arn": answer.headers["Lambda-Runtime-Invoked-Function-Arn"], "request": id,
            "client": json.loads(answer.headers.get("Lambda-Runtime-Client-Context") or "null"),
            "version": os.environ.get("AWS_LAMBDA_FUNCTION_VERSION"), "name": os.environ.get("AWS_LAMBDA_FUNCTION_NAME"),
            "variable": os.environ.get("SHADE")})
    else:
        post("invocation/" + id + "/response", {"event": event, "marker": MARKER})
'''


def archive(files=None, marker="one"):
    """A zip with the bootstrap, or with the files given."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in (files or {"bootstrap": BOOTSTRAP.replace("MARKER", repr(marker))}).items():
            info = zipfile.ZipInfo(name)
            info.external_attr = 0o100755 << 16
            made.writestr(info, content)
    return out.getvalue()


class LambdaCase(ServerCase):
    environment = {"SPYHOP_LAMBDA_RETRY_MS": "50"}

    @classmethod
    def setUpClass(cls):
        cls.server = Server(environment=cls.environment)
        cls.role = cls.server.role("work", WORK, trusts=("lambda", "states", "events"))

    def setUp(self):
        super().setUp()
        self.name = (self.id().rsplit(".", 1)[1].replace("_", "-")[:40] + str(time.time_ns() % 10 ** 9))

    def connect(self):
        self.functions = self.server.client("lambda", read_timeout=90, parameter_validation=False)
        self.s3, self.sfn, self.logs = (self.server.client(n) for n in ("s3", "stepfunctions", "logs"))

    def make(self, name=None, zipped=None, **more):
        return self.functions.create_function(**{**dict(
            FunctionName=name or self.name, Runtime="provided.al2023", Role=self.role, Handler="bootstrap", Timeout=20,
            Code={"ZipFile": zipped or archive()}), **more})

    def call(self, payload, name=None, **more):
        """The answer and its payload, parsed."""
        answer = self.functions.invoke(FunctionName=name or self.name, Payload=json.dumps(payload), **more)
        return answer, json.loads(answer["Payload"].read() or b"null")

    def wait(self, what):
        """Until what() gives something that is true; it is returned."""
        until = time.monotonic() + LIMIT_SECONDS
        while True:
            found = what()
            if found:
                return found
            self.assertLess(time.monotonic(), until, self.server.log_text()[-3000:])
            time.sleep(0.05)

    def log_of(self, name=None):
        try:
            answer = self.logs.filter_log_events(logGroupName="/aws/lambda/" + (name or self.name))
        except self.logs.exceptions.ResourceNotFoundException:
            return ""
        return "\n".join(e["message"] for e in answer["events"])

    def events_of(self, name=None):
        """What the function was called with, by its log."""
        return [json.loads(line[6:]) for line in self.log_of(name).splitlines() if line.startswith("event {")]

    def refused(self, code, status, call, *words, **arguments):
        """The message of a refusal with that status."""
        import botocore.exceptions
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            call(*words, **arguments)
        answer = caught.exception.response
        self.assertEqual((answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]), (code, status), answer)
        return answer["Error"]["Message"]
