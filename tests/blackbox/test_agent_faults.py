# SPDX-License-Identifier: LGPL-2.1-or-later
"""Three agents on machines of their own (network namespaces, joined to the server's by veth pairs, TLS with the pinned
key), and faults while they work: agents killed, networks cut, the server killed. Each command begins at most once (it
leaves a mark for each time) and is in a true, terminal status within a minute of the last fault's end; nothing of it is
left running. $SPYHOP_COMMANDS and $SPYHOP_FAULTS make it longer, $SPYHOP_SEED repeats a run."""
import collections
import ctypes
import os
import pathlib
import random
import shutil
import subprocess
import tempfile
import time
import unittest

import boto3
import botocore.config

from server import ACCESS_KEY, SECRET_KEY, Server, program
from test_tls import make_pair

COMMANDS = int(os.environ.get("SPYHOP_COMMANDS", "30"))
FAULTS = int(os.environ.get("SPYHOP_FAULTS", "8"))
SEED = int(os.environ.get("SPYHOP_SEED", "0")) or random.randrange(1 << 32)
HEALED_SECONDS = 60
NODES = 3
ADDRESS = "10.213.%d.%d"
CLONE_NEWNET = 0x40000000
OPEN = ("Pending", "InProgress", "Delayed", "Cancelling")
# The mark of a beginning, some work, the mark of an end; a third of them ends with a status of its own.
SCRIPT = "echo b >> %(mark)s; sleep %(seconds).2f; echo e >> %(mark)s; exit %(code)d"


def leave_network():
    """This process, and what it starts, have a network of their own from now on."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        raise unittest.SkipTest("this machine lets no network namespaces be made: " + os.strerror(ctypes.get_errno()))
    try:
        ip("link", "set", "lo", "up")
    except FileNotFoundError:
        raise unittest.SkipTest("ip (iproute2) is not installed") from None


def ip(*words, inside=()):
    subprocess.run([*inside, "ip", *words], check=True, capture_output=True, timeout=30)


class Machine:
    """A node in a network of its own; `data` outlives its agent."""
    def __init__(self, number, folder):
        self.number, self.data = number, os.path.join(folder, "node%d" % number)
        self.log = open(os.path.join(folder, "log%d" % number), "ab")
        self.agent = self.id = None
        self.keeper = subprocess.Popen(["unshare", "--net", "sh", "-c", "echo ready; exec sleep infinity"],
                                       stdout=subprocess.PIPE)
        self.keeper.stdout.readline()
        self.inside = ["nsenter", "--net", "--target", str(self.keeper.pid)]
        ip("link", "add", "v%d" % number, "type", "veth", "peer", "name", "eth0", "netns", str(self.keeper.pid))
        ip("address", "add", ADDRESS % (number, 1) + "/24", "dev", "v%d" % number)
        ip("link", "set", "v%d" % number, "up")
        ip("address", "add", ADDRESS % (number, 2) + "/24", "dev", "eth0", inside=self.inside)
        for name in ("lo", "eth0"):
            ip("link", "set", name, "up", inside=self.inside)

    def agent_words(self, *words):
        return [*self.inside, program(), "agent", *words, "--data", self.data]

    def register(self, port, activation, code):
        done = subprocess.run(self.agent_words("register", "--server", "https://%s:%d" % (ADDRESS % (self.number, 1), port),
                                               "--id", activation, "--code", code),
                              capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise AssertionError(done.stderr)
        self.id = done.stdout.strip()

    def start(self):
        self.agent = subprocess.Popen(self.agent_words("run"), stdout=self.log, stderr=self.log)

    def kill(self):
        self.agent.kill()
        self.agent.wait()

    def cut(self, now):
        ip("link", "set", "v%d" % self.number, "down" if now else "up")

    def text(self):
        return pathlib.Path(self.log.name).read_text(errors="replace")

    def end(self):
        if self.agent:
            self.kill()
        self.keeper.kill()
        self.keeper.wait()
        self.keeper.stdout.close()
        self.log.close()


class Far(Server):
    """A server for other machines: one port for its whole life, TLS."""
    port = 0

    def command(self, listen="127.0.0.1:0"):
        return super().command("0.0.0.0:%d" % self.port)

    def start(self, listen="127.0.0.1:0"):
        super().start(listen)
        self.port = int(self.endpoint.rsplit(":", 1)[1])
        self.endpoint = "https://127.0.0.1:%d" % self.port
        return self


class Faults(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        leave_network()

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="spyhop-faults-")
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.cert, key = make_pair(self.folder, "server")
        self.server = Far(arguments=["--no-agent", "--tls-cert", self.cert, "--tls-key", key])
        self.addCleanup(self.server.stop)
        self.ssm = self.client("ssm")
        self.role()
        self.machines = []
        for number in range(1, NODES + 1):
            machine = Machine(number, self.folder)
            self.addCleanup(machine.end)
            self.machines.append(machine)
            answer = self.ssm.create_activation(IamRole="node", RegistrationLimit=1)
            machine.register(self.server.port, answer["ActivationId"], answer["ActivationCode"])
            machine.start()

    def client(self, service):
        return boto3.client(service, endpoint_url=self.server.endpoint, region_name="us-east-1", verify=self.cert,
                            aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY,
                            config=botocore.config.Config(retries={"max_attempts": 2}))

    def role(self):
        trust = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",' \
                ' "Principal": {"Service": "ssm.amazonaws.com"}}]}'
        self.client("iam").create_role(RoleName="node", AssumeRolePolicyDocument=trust)

    # ---- commands ----

    def mark(self, number):
        return os.path.join(self.folder, "mark%d" % number)

    def send(self, chance, number, node):
        code = chance.choice((0, 0, 7))
        script = SCRIPT % {"mark": self.mark(number), "seconds": chance.random() * 0.5, "code": code}
        answer = self.ssm.send_command(InstanceIds=[node], DocumentName="AWS-RunShellScript", Parameters={"commands": [script]})
        return answer["Command"]["CommandId"], node, number, code

    def row(self, command, node):
        return self.ssm.get_command_invocation(CommandId=command, InstanceId=node)

    # ---- faults ----

    def fault(self, chance):
        """One of them, and its end. Returns its kind."""
        machine, pause = chance.choice(self.machines), chance.random() * 0.5
        kind = chance.choice(("agent", "agent", "network", "network", "server"))
        if kind == "agent":
            machine.kill()
            time.sleep(pause)
            machine.start()
        elif kind == "network":
            machine.cut(True)
            time.sleep(pause * 4)
            machine.cut(False)
        else:
            self.server.kill()
            time.sleep(pause)
            self.server.start()
        return kind

    # ---- what must be so ----

    def wait_for_ends(self, sent):
        until = time.monotonic() + HEALED_SECONDS
        left = list(sent)
        while left:
            left = [s for s in left if self.row(s[0], s[1])["Status"] in OPEN]
            self.assertLess(time.monotonic(), until, "seed %d: %s" % (SEED, left))
            time.sleep(0.2)

    def check(self, command, node, number, code):
        row = self.row(command, node)
        path = pathlib.Path(self.mark(number))
        marks = path.read_text() if path.exists() else ""
        why = "seed %d, command %s of %s: %r, %s" % (SEED, command, node, marks, row)
        self.assertLessEqual(marks.count("b"), 1, why)
        if row["Status"] in ("Success", "Failed") and row["ResponseCode"] == code:
            self.assertEqual((row["Status"], marks), ("Failed" if code else "Success", "b\ne\n"), why)
        else:  # it never began, or was ended in its middle: never said of one that ran to its end
            self.assertNotEqual(row["Status"], "Success", why)
            self.assertNotIn("e", marks, why)
        return row["StatusDetails"]

    def no_leftovers(self, sent):
        left = []
        for folder in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                environment = (folder / "environ").read_bytes()
            except OSError:
                continue
            left += [s[0] for s in sent if b"SPYHOP_COMMAND_ID=" + s[0].encode() in environment]
        self.assertEqual(left, [], "seed %d" % SEED)

    def test_faults(self):
        chance, sent, kinds = random.Random(SEED), [], collections.Counter()
        began = time.monotonic()
        for i in range(COMMANDS):
            sent.append(self.send(chance, i, self.machines[i % NODES].id))
            for _ in range((i + 1) * FAULTS // COMMANDS - i * FAULTS // COMMANDS):
                kinds[self.fault(chance)] += 1
        healed = time.monotonic()
        try:
            self.wait_for_ends(sent)
            ends = collections.Counter(self.check(*s) for s in sent)
            self.no_leftovers(sent)
        except AssertionError:
            for machine in self.machines:
                print("---- node %d\n%s" % (machine.number, machine.text()[-6000:]))
            print("---- server\n" + self.server.log_text()[-6000:])
            raise
        print("%d commands, faults %s in %.1f s; all ended %.1f s after the last: %s" % (
            len(sent), dict(kinds), healed - began, time.monotonic() - healed, dict(ends)))


if __name__ == "__main__":
    unittest.main()
