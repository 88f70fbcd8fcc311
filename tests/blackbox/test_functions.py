# SPDX-License-Identifier: LGPL-2.1-or-later
"""Functions as they run in a server: Node.js with and without the AWS SDK, their logs, what ends with the server. What one
function sees and what bounds it is tests/api/test_lambda_run.c's."""
import base64
import json
import os
import pathlib
import re
import shutil
import time
import unittest

from lambda_case import LambdaCase, archive
from server import ROOT, SDK, Server

TRIGGER = ROOT / "pipelines/reference-style/index.mjs"
MACHINE = "sr_exec_with_ssm_run_cmd"
PASS = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}})
EVENT = {"Records": [{"awsRegion": "ap-northeast-2", "s3": {"bucket": {"name": "films"},
                                                           "object": {"key": "a+b/clip%2B1.mp4"}}}]}


def sandboxes(data):
    """Processes that run below a server of this data folder."""
    found = []
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if b"spyhop-sandbox" in words.split(b"\0")[0] and os.fsencode(data) in words:
            found.append(int(folder.name))
    return found


@unittest.skipUnless(shutil.which("node"), "node is not installed: script/sdk installs it")
class Functions(LambdaCase):

    def node(self, code, **more):
        return self.make(zipped=archive({"index.mjs": code}), Runtime="nodejs20.x", Handler="index.handler", **more)

    def events(self, name=None):
        group = "/aws/lambda/" + (name or self.name)
        found = self.logs.filter_log_events(logGroupName=group)["events"]
        return found, [event["message"] for event in found]

    @unittest.skipUnless((SDK / "@aws-sdk/client-s3").is_dir(), "the SDK is not in %s: script/sdk fetches it" % SDK)
    def test_sdk(self):
        self.node("""import { S3Client, PutObjectCommand, GetObjectCommand } from '@aws-sdk/client-s3';
import { createRequire } from 'node:module';
const { STSClient, GetCallerIdentityCommand } = createRequire(import.meta.url)('@aws-sdk/client-sts');
export const handler = async (event) => {
  const s3 = new S3Client({});
  await s3.send(new PutObjectCommand({ Bucket: event.bucket, Key: 'a b/é', Body: 'text' }));
  const got = await s3.send(new GetObjectCommand({ Bucket: event.bucket, Key: 'a b/é' }));
  return { text: await got.Body.transformToString(), who: (await new STSClient({}).send(new GetCallerIdentityCommand({}))).Arn };
};
""")
        bucket = self.name.lower()
        self.s3.create_bucket(Bucket=bucket)
        _, payload = self.call({"bucket": bucket})
        self.assertEqual(payload, {"text": "text", "who": "arn:aws:sts::012345678901:assumed-role/work/" + self.name})

    def test_logs(self):
        self.node("export const handler = async (event, context) => { console.error('two\\nlines'); return context; };")
        answer, payload = self.call({}, LogType="Tail")
        tail = base64.b64decode(answer["LogResult"]).decode()
        self.wait(lambda: "/aws/lambda/" + self.name in [
            g["logGroupName"] for g in self.logs.describe_log_groups()["logGroups"]] and len(self.events()[1]) >= 4)
        found, messages = self.events()
        self.assertEqual([m.split()[0] for m in messages if m[0].isupper()], ["START", "END", "REPORT"])
        self.assertTrue(any(m.endswith("\tERROR\ttwo\nlines") for m in messages), messages)
        self.assertIn(payload["awsRequestId"], messages[0])
        self.assertRegex(found[0]["logStreamName"], r"^\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}$")
        self.assertEqual(payload["logStreamName"], found[0]["logStreamName"])
        self.assertRegex(tail, r"REPORT RequestId: \S+\tDuration: [\d.]+ ms\tBilled Duration: \d+ ms\tMemory Size: 128 MB\t"
                               r"Max Memory Used: \d+ MB\tInit Duration: [\d.]+ ms\t\n$")

    def test_is_not_on_this_machine(self):
        """Who is in a sandbox has none of the rights of a client on the server's machine."""
        self.node("export const handler = async () => (await fetch(process.env.AWS_ENDPOINT_URL + '/_spyhop/metrics')).status;")
        self.assertIn(self.call({})[1], (401, 403))

    def test_no_right_to_log(self):
        role = self.server.role("silent", {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}, trusts=("lambda",))
        self.node("export const handler = async () => 1;", Role=role)
        self.assertEqual(self.call({})[1], 1)
        self.wait(lambda: "no logs in /aws/lambda/" + self.name in self.server.log_text())
        self.assertIn("logs:CreateLogGroup", self.server.log_text())

    def test_new_code_and_configuration(self):
        self.node("export const handler = async () => process.env.SHADE ?? 'first';")
        self.assertEqual(self.call({})[1], "first")
        self.functions.update_function_configuration(FunctionName=self.name, Environment={"Variables": {"SHADE": "blue"}})
        self.assertEqual(self.call({})[1], "blue")
        self.functions.update_function_code(FunctionName=self.name,
                                            ZipFile=archive({"index.mjs": "export const handler = async () => 'second';"}))
        self.assertEqual(self.call({})[1], "second")

    def test_throttles(self):
        self.node("export const handler = async () => { await new Promise((f) => setTimeout(f, 60000)); };", Timeout=1)
        self.functions.put_function_concurrency(FunctionName=self.name, ReservedConcurrentExecutions=0)
        self.refused("TooManyRequestsException", 429, self.functions.invoke, FunctionName=self.name)
        self.functions.put_function_concurrency(FunctionName=self.name, ReservedConcurrentExecutions=1)
        answer, payload = self.call({})
        self.assertEqual((answer["FunctionError"], payload["errorType"]), ("Unhandled", "Sandbox.Timedout"))
        self.assertRegex(payload["errorMessage"], r"^RequestId: \S+ Error: Task timed out after 1.00 seconds$")

    def test_nothing_is_left(self):
        """A killed server takes what it ran with it, as does one that stops."""
        self.node("import { spawn } from 'node:child_process';\n"
                  "export const handler = async () => { spawn('/bin/sleep', ['1000'], { detached: true, stdio: 'ignore' }); };")
        for end in (self.server.kill, self.server.terminate):
            self.call({})
            self.assertTrue(sandboxes(self.server.data))
            end()
            until = time.monotonic() + 10
            while sandboxes(self.server.data):
                self.assertLess(time.monotonic(), until)
                time.sleep(0.02)
            self.server.start()
            self.connect()


@unittest.skipUnless(shutil.which("node") and (SDK / "@aws-sdk/client-sfn").is_dir(), "script/sdk fetches what this needs")
class Trigger(LambdaCase):
    """The handler of the reference, which has the account, the region and the machine in it."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server(region="ap-northeast-2", account="034954464192", instance_id="i-0fc7eb64184f98251")
        cls.role = cls.server.role("work", {"Effect": "Allow", "Action": ["logs:*", "states:*"], "Resource": "*"},
                                   trusts=("lambda", "states"))

    def test_starts_the_machine(self):
        machine = self.sfn.create_state_machine(name=MACHINE, definition=PASS, roleArn=self.role)["stateMachineArn"]
        code = pathlib.Path(os.environ.get("SPYHOP_TRIGGER", str(TRIGGER))).read_text(encoding="utf-8")
        self.make(zipped=archive({"index.mjs": code}), Runtime="nodejs22.x", Handler="index.handler")
        _, payload = self.call(EVENT)
        self.assertEqual(payload["statusCode"], 200, payload)
        arn = json.loads(payload["body"])["executionArn"]
        self.assertTrue(re.match(re.escape(machine.replace(":stateMachine:", ":execution:")) + ":", arn), arn)
        given = json.loads(self.sfn.describe_execution(executionArn=arn)["input"])
        self.assertEqual(given, {"instanceId": "i-0fc7eb64184f98251", "origBucket": "films", "origFile": "clip+1.mp4",
                                 "srBucket": "bluewhale-ami-sample-sr", "srFile": "clip+1_sr_2x.mp4"})


if __name__ == "__main__":
    unittest.main()
