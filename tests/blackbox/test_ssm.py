# SPDX-License-Identifier: LGPL-2.1-or-later
"""Run Command with real clients: commands really run, are bounded, can be cancelled, and outlive the server."""
import json
import os
import pathlib
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

import boto3

from server import KEYS_OF_THE_NODE, ACCESS_KEY, SECRET_KEY, Server, ServerCase

OPEN = ("Pending", "InProgress", "Cancelling")
LIMIT_SECONDS = 60


class RunCommand(ServerCase):
    def connect(self):
        self.ssm = self.server.client("ssm")
        self.s3 = self.server.client("s3")
        self.files = pathlib.Path(self.server.folder)

    def send(self, *commands, **more):
        parameters = {"commands": list(commands)}
        parameters.update(more.pop("parameters", {}))
        answer = self.ssm.send_command(InstanceIds=[self.server.instance_id], DocumentName="AWS-RunShellScript",
                                       Parameters=parameters, **more)
        return answer["Command"]["CommandId"]

    def look(self, command):
        return self.ssm.get_command_invocation(CommandId=command, InstanceId=self.server.instance_id)

    def wait(self, command):
        until = time.monotonic() + LIMIT_SECONDS
        while True:
            answer = self.look(command)
            if answer["Status"] not in OPEN:
                return answer
            self.assertLess(time.monotonic(), until, answer)
            time.sleep(0.02)

    def run_script(self, *commands, **more):
        return self.wait(self.send(*commands, **more))

    def fifo(self, name):
        """A pipe by which a script and the test tell each other where they are."""
        path = str(self.files / name)
        os.mkfifo(path)
        self.addCleanup(os.unlink, path)
        fd = os.open(path, os.O_RDWR)
        self.addCleanup(os.close, fd)
        return path, fd

    # ---- what a command does ----

    def test_echo(self):
        answer = self.run_script("echo 'hello  world'", "echo oops >&2")
        self.assertEqual((answer["Status"], answer["StatusDetails"], answer["ResponseCode"]), ("Success", "Success", 0))
        self.assertEqual(answer["StandardOutputContent"], "hello  world\n")
        self.assertEqual(answer["StandardErrorContent"], "oops\n")
        self.assertEqual(answer["PluginName"], "aws:runShellScript")
        self.assertRegex(answer["ExecutionStartDateTime"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertRegex(answer["ExecutionElapsedTime"], r"^PT\d+\.\d{3}S$")

    def test_exit_code(self):
        answer = self.run_script("echo before", "echo why >&2", "exit 42")
        self.assertEqual((answer["Status"], answer["StatusDetails"], answer["ResponseCode"]), ("Failed", "Failed", 42))
        self.assertEqual(answer["StandardOutputContent"], "before\n")
        self.assertEqual(answer["StandardErrorContent"], "why\nfailed to run commands: exit status 42")

    def test_quotes_and_shebang(self):
        answer = self.run_script("#!/bin/bash", "x=('a b' \"c;d\" '$(e)')", "printf '<%s>' \"${x[@]}\" 'ü'")
        self.assertEqual(answer["StandardOutputContent"], "<a b><c;d><$(e)><ü>")

    def test_working_directory(self):
        self.assertEqual(self.run_script("pwd", parameters={"workingDirectory": ["/usr/lib"]})["StandardOutputContent"],
                         "/usr/lib\n")
        answer = self.run_script("pwd", parameters={"workingDirectory": ["/no/such/folder"]})
        self.assertEqual(answer["Status"], "Failed")
        self.assertIn("/no/such/folder", answer["StandardErrorContent"])

    def test_working_directory_of_a_long_name(self):
        for shift in range(3):
            answer = self.run_script("true", parameters={"workingDirectory": ["/" + shift * "a" + 330 * "\u20ac"]})
            self.assertEqual((answer["Status"], answer["ResponseCode"]), ("Failed", 1), answer)
            self.assertIn("working folder /", answer["StandardErrorContent"])

    def test_environment(self):
        answer = self.run_script("env -0 | sort -z | tr '\\0' '\\n'")
        found = dict(line.split("=", 1) for line in answer["StandardOutputContent"].splitlines())
        self.assertRegex(found["AWS_ENDPOINT_URL"], r"^http://127\.0\.0\.1:\d+$")  # the relay of the command
        self.assertFalse([name for name in found if name.startswith(("AWS_ACCESS", "AWS_SECRET", "AWS_SESSION"))])
        self.assertNotIn(SECRET_KEY, found.values())
        keys = json.loads(self.run_script(KEYS_OF_THE_NODE)["StandardOutputContent"])
        self.assertTrue(keys["AccessKeyId"].startswith("ASIA"), found)
        session = boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["Token"], self.server.region)
        sts = session.client("sts", endpoint_url=self.server.endpoint)
        self.assertEqual(sts.get_caller_identity()["Arn"], "arn:aws:sts::%s:assumed-role/SpyhopNode/%s"
                         % (self.server.account, self.server.instance_id))
        self.assertEqual(found["AWS_DEFAULT_REGION"], self.server.region)
        self.assertEqual(found["SPYHOP_INSTANCE_ID"], self.server.instance_id)
        self.assertEqual(found["PATH"].split(":")[0], os.path.join(self.server.data, "node/bin"))
        self.assertNotIn("SPYHOP_SECRET_ACCESS_KEY", found)

    def test_no_keys_after_the_end(self):
        answer = self.run_script("echo \"$AWS_CONTAINER_CREDENTIALS_FULL_URI $AWS_CONTAINER_AUTHORIZATION_TOKEN\"")
        relayed, token = answer["StandardOutputContent"].split()
        uri = self.server.endpoint + urllib.parse.urlsplit(relayed).path  # the relay ended with the command
        for word in (token, token[:-1] + ("1" if token[-1] == "0" else "0"), ""):
            with self.assertRaises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(urllib.request.Request(uri, headers={"Authorization": word}))
            self.assertEqual(caught.exception.code, 403)

    def test_spyhop_is_on_the_path(self):
        answer = self.run_script("spyhop --version; command -v ffmpeg")
        self.assertEqual(answer["Status"], "Success", answer)
        self.assertTrue(answer["StandardOutputContent"].startswith("spyhop "))

    def test_aws_cli_inside(self):
        self.s3.create_bucket(Bucket="node-files")
        self.s3.put_object(Bucket="node-files", Key="folder/in put.txt", Body=b"bytes")
        answer = self.run_script("set -e", "aws s3 cp 's3://node-files/folder/in put.txt' './in put.txt'",
                                 "tr a-z A-Z < 'in put.txt' > out", "aws s3 cp out s3://node-files/out")
        self.assertEqual(answer["Status"], "Success", answer)
        self.assertEqual(self.s3.get_object(Bucket="node-files", Key="out")["Body"].read(), b"BYTES")

    def test_aws_shim_passes_words_on(self):
        answer = self.run_script("mkdir -p fake && printf '#!/bin/sh\\nprintf \"<%%s>\" \"$@\"' > fake/aws && "
                                 "chmod +x fake/aws && PATH=${PATH%%:*}:$PWD/fake:/usr/bin:/bin",
                                 "aws s3 ls 'a b' '*' ''; echo; aws --endpoint-url http://other s3; echo",
                                 "unset AWS_ENDPOINT_URL; aws s3", "rm -r fake")
        self.assertRegex(answer["StandardOutputContent"],
                         r"^<--endpoint-url><http://127\.0\.0\.1:\d+><s3><ls><a b><\*><>\n"
                         r"<--endpoint-url><http://other><s3>\n<s3>$")

    # ---- bounds ----

    def test_output_is_cut(self):
        answer = self.run_script("head -c 50000 /dev/zero | tr '\\0' o", "head -c 50000 /dev/zero | tr '\\0' e >&2")
        self.assertEqual(answer["Status"], "Success")
        self.assertEqual(answer["StandardOutputContent"], "o" * 24000)
        self.assertEqual(answer["StandardErrorContent"], "e" * 8000)

    def test_bytes_that_are_not_text(self):
        answer = self.run_script("printf 'a\\377\\000b'")
        self.assertEqual(answer["StandardOutputContent"], "a\ufffd\ufffdb")

    def test_whole_output_in_a_bucket(self):
        self.s3.create_bucket(Bucket="outputs")
        command = self.send("head -c 50000 /dev/zero | tr '\\0' o", OutputS3BucketName="outputs", OutputS3KeyPrefix="logs")
        self.assertEqual(self.wait(command)["Status"], "Success")
        key = "logs/%s/%s/awsrunShellScript/0.awsrunShellScript/stdout" % (command, self.server.instance_id)
        self.assertEqual(self.s3.get_object(Bucket="outputs", Key=key)["Body"].read(), b"o" * 50000)
        self.assert_error("InvalidOutputFolder", self.send, "true", OutputS3BucketName="not-there")

    def test_execution_timeout(self):
        answer = self.run_script("echo begun", "sleep 1000", parameters={"executionTimeout": ["1"]})
        self.assertEqual((answer["Status"], answer["StatusDetails"]), ("TimedOut", "ExecutionTimedOut"))
        self.assertEqual(answer["StandardOutputContent"], "begun\n")

    def test_cancel_ends_grandchildren(self):
        path, fd = self.fifo("cancel")
        command = self.send("sh -c 'echo $$ > %s; sleep 1000; :' & sleep 1000" % path)
        grandchild = int(os.read(fd, 100))
        answer = self.look(command)
        self.assertEqual((answer["Status"], answer["ResponseCode"]), ("InProgress", -1))
        self.ssm.cancel_command(CommandId=command)
        answer = self.wait(command)
        self.assertEqual((answer["Status"], answer["StatusDetails"]), ("Cancelled", "Cancelled"))
        self.assertFalse(self.alive(grandchild))

    @staticmethod
    def alive(pid):
        try:
            return open("/proc/%d/stat" % pid).read().rsplit(")", 1)[1].split()[0] != "Z"
        except FileNotFoundError:
            return False

    # ---- the server dies ----

    def test_kill_of_the_server(self):
        path, fd = self.fifo("restart")
        begun, told = self.fifo("begun")
        command = self.send("echo > %s; read line < %s; echo got $line; exit 3" % (begun, path))
        os.read(told, 1)
        listen = self.server.endpoint.split("//")[1]
        self.server.kill()
        self.server.start(listen)
        self.assertEqual(self.look(command)["Status"], "InProgress")
        os.write(fd, b"it\n")
        answer = self.wait(command)
        self.assertEqual((answer["Status"], answer["ResponseCode"]), ("Failed", 3))
        self.assertEqual(answer["StandardOutputContent"], "got it\n")

    def test_another_instance(self):
        """A server that comes back as another node fails what the node before had open."""
        path, fd = self.fifo("abandoned")
        command, node = self.send("cat " + path), self.server.instance_id
        while self.look(command)["Status"] != "InProgress":
            time.sleep(0.02)
        self.server.kill()
        try:
            self.server.instance_id = "i-0fedcba9876543210"
            self.server.start()
            self.ssm = self.server.client("ssm")
            until = time.monotonic() + LIMIT_SECONDS
            while True:
                answer = self.ssm.get_command_invocation(CommandId=command, InstanceId=node)
                if answer["Status"] not in OPEN:
                    break
                self.assertLess(time.monotonic(), until, answer)
            self.assertEqual((answer["Status"], answer["StatusDetails"]), ("Failed", "Terminated"))
            self.assertEqual(self.run_script("echo here")["Status"], "Success")
        finally:
            os.write(fd, b"x")
            self.server.instance_id = node
            self.server.terminate()
            self.server.start()

    def test_end_while_the_server_is_dead(self):
        path, fd = self.fifo("away")
        begun, told = self.fifo("away-begun")
        command = self.send("echo > %s; read line < %s; echo done" % (begun, path))
        os.read(told, 1)
        listen = self.server.endpoint.split("//")[1]
        self.server.kill()
        os.write(fd, b"\n")
        result = pathlib.Path(self.server.data, "node", "commands", command, "result.json")
        until = time.monotonic() + LIMIT_SECONDS
        while not result.exists():
            self.assertLess(time.monotonic(), until)
            time.sleep(0.01)
        self.server.start(listen)
        answer = self.wait(command)
        self.assertEqual((answer["Status"], answer["StandardOutputContent"]), ("Success", "done\n"))

    def test_cancel_after_a_restart(self):
        begun, told = self.fifo("cancel-begun")
        command = self.send("echo > %s; sleep 1000" % begun)
        os.read(told, 1)
        listen = self.server.endpoint.split("//")[1]
        self.server.kill()
        self.server.start(listen)
        self.ssm.cancel_command(CommandId=command)
        self.assertEqual(self.wait(command)["Status"], "Cancelled")

    # ---- lists and refusals ----

    def test_lists(self):
        command = self.send("echo listed", Comment="for the list")
        self.wait(command)
        listed = self.ssm.list_commands(CommandId=command)["Commands"]
        self.assertEqual([c["CommandId"] for c in listed], [command])
        self.assertEqual(listed[0]["Comment"], "for the list")
        self.assertEqual((listed[0]["Status"], listed[0]["CompletedCount"]), ("Success", 1))
        details = self.ssm.list_command_invocations(CommandId=command, Details=True)["CommandInvocations"]
        self.assertEqual(details[0]["CommandPlugins"][0]["Output"], "listed\n")
        pages = self.ssm.get_paginator("list_commands").paginate(PaginationConfig={"PageSize": 1})
        self.assertIn(command, [c["CommandId"] for page in pages for c in page["Commands"]])
        failed = self.ssm.list_commands(Filters=[{"key": "Status", "value": "Failed"}])["Commands"]
        self.assertNotIn(command, [c["CommandId"] for c in failed])

    def test_refusals(self):
        node = self.server.instance_id
        self.assert_error("InvocationDoesNotExist", self.ssm.get_command_invocation,
                          CommandId="11111111-1111-1111-1111-111111111111", InstanceId=node)
        self.assert_error("InvalidCommandId", self.ssm.cancel_command, CommandId="11111111-1111-1111-1111-111111111111")
        message = self.assert_error("InvalidDocument", self.ssm.send_command, InstanceIds=[node], DocumentName="Other")
        self.assertIn("AWS-RunShellScript", message)
        self.assert_error("InvalidInstanceId", self.ssm.send_command, InstanceIds=["i-00000000000000000"],
                          DocumentName="AWS-RunShellScript", Parameters={"commands": ["true"]})
        self.assert_error("InvalidParameters", self.send, "true", parameters={"executionTimeout": ["soon"]})
        self.assert_error("InvalidParameters", self.send)

    def test_targets(self):
        answer = self.ssm.send_command(Targets=[{"Key": "InstanceIds", "Values": [self.server.instance_id]}],
                                       DocumentName="AWS-RunShellScript", Parameters={"commands": ["echo target"]})
        self.assertEqual(self.wait(answer["Command"]["CommandId"])["StandardOutputContent"], "target\n")

    def test_node_is_described(self):
        nodes = self.ssm.describe_instance_information()["InstanceInformationList"]
        self.assertEqual([n["InstanceId"] for n in nodes], [self.server.instance_id])

    def test_aws_cli_outside(self):
        sent = json.loads(self.server.aws(
            "ssm", "send-command", "--instance-ids", self.server.instance_id, "--document-name", "AWS-RunShellScript",
            "--parameters", 'commands=["echo from the CLI"]').stdout)
        command = sent["Command"]["CommandId"]
        self.wait(command)
        answer = json.loads(self.server.aws("ssm", "get-command-invocation", "--command-id", command, "--instance-id",
                                            self.server.instance_id).stdout)
        self.assertEqual(answer["StandardOutputContent"], "from the CLI\n")


class Race(unittest.TestCase):
    """--ssm-race: a command is not found at once."""
    def test_found_after_a_second(self):
        with Server(arguments=["--ssm-race"]) as server:
            ssm = server.client("ssm")
            sent = time.monotonic()
            command = ssm.send_command(InstanceIds=[server.instance_id], DocumentName="AWS-RunShellScript",
                                       Parameters={"commands": ["true"]})["Command"]["CommandId"]
            self.assertEqual(1, len(ssm.list_commands(CommandId=command)["Commands"]))
            listed = ssm.list_command_invocations(CommandId=command)["CommandInvocations"]
            self.assertTrue(not listed or time.monotonic() - sent >= 1, listed)
            while True:
                try:
                    found = ssm.get_command_invocation(CommandId=command, InstanceId=server.instance_id)
                except ssm.exceptions.InvocationDoesNotExist:
                    self.assertLess(time.monotonic() - sent, LIMIT_SECONDS)
                    time.sleep(0.05)
                    continue
                if found["Status"] not in ("Pending", "InProgress"):
                    break
            self.assertGreaterEqual(time.monotonic() - sent, 0.9)
            self.assertEqual("Success", found["Status"])


if __name__ == "__main__":
    unittest.main()
