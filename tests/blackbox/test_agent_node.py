# SPDX-License-Identifier: LGPL-2.1-or-later
"""The program of a node, `spyhop agent`, with a real server: it registers, runs commands as its configuration says, and
outlives itself and its server."""
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time
import unittest

import boto3

from server import ACCESS_KEY, SECRET_KEY, Server, program
from test_tls import make_pair, pin_of

TRUST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ssm.amazonaws.com"},
                                                 "Action": "sts:AssumeRole"}]}
MAY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:*", "sts:*"], "Resource": "*"}]}


class NodeCase(unittest.TestCase):
    """A server for all tests of a class; each test has nodes of its own."""
    arguments = []

    @classmethod
    def setUpClass(cls):
        cls.server = Server(arguments=["--no-agent", *cls.arguments])
        cls.addClassCleanup(cls.server.stop)
        cls.connect()
        iam = cls.client("iam")
        iam.create_role(RoleName="node", AssumeRolePolicyDocument=json.dumps(TRUST))
        iam.put_role_policy(RoleName="node", PolicyName="may", PolicyDocument=json.dumps(MAY))

    @classmethod
    def client(cls, service):
        return boto3.client(service, endpoint_url=cls.server.endpoint, region_name="us-east-1", verify=False,
                            aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY)

    @classmethod
    def connect(cls):
        cls.ssm = cls.client("ssm")

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="spyhop-node-")
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.data = os.path.join(self.folder, "node")
        self.process = None
        self.addCleanup(self.stop)

    # ---- a node ----

    def agent(self, *words, data=None):
        return subprocess.run([program(), "agent", *words, "--data", data or self.data], capture_output=True, text=True,
                              timeout=60)

    def activation(self, **more):
        answer = self.ssm.create_activation(IamRole="node", **more)
        return answer["ActivationId"], answer["ActivationCode"]

    def register(self, name, code, **more):
        return self.agent("register", "--server", self.server.endpoint, "--id", name, "--code", code, **more)

    def start(self):
        with open(os.path.join(self.folder, "log"), "ab") as log:
            self.process = subprocess.Popen([program(), "agent", "run", "--data", self.data], stdout=log, stderr=log)

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def node(self, *configuration):
        done = self.register(*self.activation())
        self.assertEqual(done.returncode, 0, done.stderr)
        self.id = done.stdout.strip()
        pathlib.Path(self.data, "agent.conf").write_text("".join(line + "\n" for line in configuration))
        self.start()

    # ---- commands ----

    def send(self, *lines, **more):
        return self.ssm.send_command(InstanceIds=[self.id], DocumentName="AWS-RunShellScript", Parameters={
            "commands": list(lines), **more})["Command"]["CommandId"]

    def look(self, command):
        return self.ssm.get_command_invocation(CommandId=command, InstanceId=self.id)

    def until(self, command, *states):
        end = time.monotonic() + 60
        while self.look(command)["StatusDetails"] not in states:
            log = pathlib.Path(self.folder, "log").read_text()
            self.assertLess(time.monotonic(), end, (self.look(command), log))
            time.sleep(0.03)
        return self.look(command)

    def output(self, *lines, **more):
        row = self.until(self.send(*lines, **more), "Success", "Failed", "ExecutionTimedOut")
        self.assertEqual(row["StatusDetails"], "Success", row)
        return row["StandardOutputContent"]

    def wait_for_file(self, name):
        end = time.monotonic() + 60
        while not os.path.exists(os.path.join(self.folder, name)):
            self.assertLess(time.monotonic(), end, pathlib.Path(self.folder, "log").read_text())
            time.sleep(0.02)


class Registers(NodeCase):
    def refused(self, name, code, word):
        done = self.register(name, code)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn(word, done.stderr)
        self.assertFalse(os.path.exists(os.path.join(self.data, "identity.json")))

    def test_register(self):
        name, code = self.activation(RegistrationLimit=1)
        self.refused(name, "x" * 20, "InvalidActivation")
        done = self.register(name, code)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"^mi-[0-9a-f]{17}\n$")
        self.assertEqual(os.stat(os.path.join(self.data, "key.pem")).st_mode & 0o777, 0o600)
        status = json.loads(self.agent("status", "--json").stdout)
        self.assertEqual((status["instance_id"], status["running"]), (done.stdout.strip(), False))
        again = self.register(name, code)
        self.assertIn("is the folder of a node already", again.stderr)
        self.data += "2"
        self.refused(name, code, "ActivationUsedUp")

    def test_a_far_server_without_tls(self):
        done = self.agent("register", "--server", "http://192.0.2.1:1", "--id", "a", "--code", "b")
        self.assertEqual(done.returncode, 1)
        self.assertIn("without TLS", done.stderr)


class Runs(NodeCase):
    def test_configuration(self):
        os.chmod(self.folder, 0o755)
        self.node("folder = " + self.folder, "workers = 1", "environment.FILM = a b", "# a comment",
                  *(["user = nobody"] if os.geteuid() == 0 else []))
        self.assertEqual(self.output("id -un", "pwd", 'echo "$FILM $SPYHOP_INSTANCE_ID"').splitlines(),
                         ["nobody" if os.geteuid() == 0 else os.environ.get("USER", ""), self.folder, "a b " + self.id])

    def test_network_and_keys(self):
        """Nothing but the server is there, and the AWS CLI finds it and the keys of the role."""
        self.node()
        other = self.server.endpoint.rsplit(":", 1)[1]
        out = self.output("ls /sys/class/net >/dev/null; cut -d: -f1 /proc/net/dev | tail -n +3 | tr -d ' '",
                          "aws sts get-caller-identity --query Arn --output text",
                          "env | grep -c SECRET || true",
                          "(exec 3<>/dev/tcp/127.0.0.1/%s) 2>/dev/null && echo reached || echo alone" % other)
        lines = out.splitlines()
        self.assertEqual((lines[0], lines[2], lines[3]), ("lo", "0", "alone"), out)
        self.assertRegex(lines[1], r":assumed-role/node/" + self.id)

    def test_ends(self):
        self.node("network = open")
        command = self.send("trap '' TERM", "touch %s/began" % self.folder, "sleep 1000 & sleep 1000")
        slow = self.send("sleep 1000", executionTimeout=["1"])
        self.wait_for_file("began")
        self.ssm.cancel_command(CommandId=command)
        self.until(command, "Cancelled")
        self.until(slow, "ExecutionTimedOut")

    def test_killed_and_started_again(self):
        self.node("network = open")
        command = self.send("echo x >> %s/began" % self.folder, "while ! [ -e %s/go ]; do sleep 0.05; done" % self.folder,
                            "echo done")
        self.wait_for_file("began")
        self.stop()
        self.server.kill()
        self.server.start()
        self.connect_again()
        pathlib.Path(self.folder, "go").touch()
        self.start()
        self.assertEqual(self.until(command, "Success")["StandardOutputContent"], "done\n")
        self.assertEqual(pathlib.Path(self.folder, "began").read_text(), "x\n")

    def connect_again(self):
        """The server has another port: what its node's folder says is read at each request."""
        type(self).connect()
        path = pathlib.Path(self.data, "identity.json")
        path.write_text(json.dumps({**json.loads(path.read_text()), "server": self.server.endpoint}))


class Pins(NodeCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.mkdtemp(prefix="spyhop-pin-")
        cls.addClassCleanup(shutil.rmtree, folder, True)
        cls.cert, key = make_pair(folder, "first")
        cls.other, _ = make_pair(folder, "other")
        cls.arguments = ["--tls-cert", cls.cert, "--tls-key", key]
        super().setUpClass()

    @classmethod
    def client(cls, service):
        return boto3.client(service, endpoint_url=cls.server.endpoint, region_name="us-east-1", verify=cls.cert,
                            aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY)

    def test_pin(self):
        name, code = self.activation()
        self.assertEqual(code[20:], "." + pin_of(self.cert))
        wrong = self.register(name, code[:21] + pin_of(self.other))
        self.assertEqual((wrong.returncode, wrong.stdout), (1, ""))
        self.assertIn("public key", wrong.stderr)
        self.node()
        self.assertIn(":assumed-role/node/", self.output("aws sts get-caller-identity"))  # the relay speaks TLS


if __name__ == "__main__":
    unittest.main()
