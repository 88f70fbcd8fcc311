# SPDX-License-Identifier: LGPL-2.1-or-later
"""An agent that says what a test wants it to (docs/agent.md), and runs nothing.

    server = Server(arguments=["--no-agent"])
    agent = Agent.own(server)                 # with the key of the built-in node
    agent.poll() -> messages
    agent.post("poll", body, node=…, nonce=…, date=…, key=…) -> (status, answer)
"""
import base64
import hashlib
import http.client
import json
import os
import pathlib
import sqlite3
import threading
import time
import urllib.parse
import uuid

from cryptography.hazmat.primitives import serialization

from server import Server, ServerCase

PLATFORM = {"name": "Debian GNU/Linux", "version": "12", "arch": "x86_64"}
MESSAGE = "spyhop-agent-1\n%s\n%s\n%s\n%s\n%s"


def public_text(key):
    raw = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return base64.b64encode(raw).decode()


class Agent:
    def __init__(self, server, node, key, machine="m" * 64, workers=5):
        self.server, self.node, self.key, self.machine, self.workers = server, node, key, machine, workers
        self.session = os.urandom(16).hex()
        self.held = {}  # command -> state
        self.skew_ms = 0

    @classmethod
    def own(cls, server, **more):
        pem = pathlib.Path(server.data, "node", "key.pem").read_bytes()
        return cls(server, server.instance_id, serialization.load_pem_private_key(pem, None), **more)

    # ---- requests ----

    def request(self, verb, data, node=None, date=None, nonce=None, key=None, signature=None, path=None):
        """The method's arguments and fields of a signed request."""
        node = node or self.node
        date = str(date if date is not None else int(time.time() * 1000) + self.skew_ms)
        nonce = nonce or os.urandom(16).hex()
        text = MESSAGE % (verb, node, date, nonce, hashlib.sha256(data).hexdigest())
        signature = signature or base64.b64encode((key or self.key).sign(text.encode())).decode()
        return ("POST", path or "/_spyhop/agent/" + verb, data,
                {"X-Spyhop-Node": node, "X-Spyhop-Date": date, "X-Spyhop-Nonce": nonce,
                 "X-Spyhop-Signature": signature})

    def send(self, request, timeout=60):
        host = urllib.parse.urlsplit(self.server.endpoint).netloc
        connection = http.client.HTTPConnection(host, timeout=timeout)
        try:
            connection.request(*request)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def post(self, verb, body, timeout=60, **more):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.send(self.request(verb, data, **more), timeout)

    def register(self, activation, code, **more):
        return self.post("register", dict({
            "activation_id": activation, "code": code, "public_key": public_text(self.key), "host": "box",
            "platform": PLATFORM, "agent_version": "1", "machine": self.machine}, **more), node="-")

    def poll_body(self, **more):
        return dict({"session": self.session, "machine": self.machine, "host": "box", "platform": PLATFORM,
                     "agent_version": "1.0", "started_ms": 1, "load": 0.5, "cores": 2, "workers": self.workers,
                     "busy": len(self.held), "free_disk": 1 << 30, "clock_skew_ms": self.skew_ms,
                     "network": "server",
                     "commands": [{"id": c, "state": s} for c, s in self.held.items()]}, **more)

    def poll(self, **more):
        """The messages of one poll, which was answered with 200."""
        status, answer = self.post("poll", self.poll_body(**more))
        if status != 200:
            raise AssertionError("%s: %s" % (status, answer))
        return answer["messages"]

    def take(self):
        """Polls until it is given commands, takes them, and returns the messages."""
        while True:
            messages = self.poll()
            runs = [m for m in messages if m["type"] == "run"]
            self.held.update((m["command_id"], "running") for m in runs)
            for message in messages:
                if message["type"] == "forget":
                    self.held.pop(message["command_id"], None)
            if runs:
                return runs

    def poll_in_thread(self, **more):
        """A poll that may wait; join() gives its (status, answer)."""
        return Waiting(lambda: self.post("poll", self.poll_body(**more)))

    def report(self, command, code=0, end="exited", stdout="", stderr="", **more):
        now = int(time.time() * 1000)
        step = {"name": "0.awsrunShellScript", "end": end, "code": code, "start_ms": now - 10, "end_ms": now,
                "stdout": stdout, "stderr": stderr, "stdout_bytes": len(stdout), "stderr_bytes": len(stderr),
                "message": ""}
        return self.post("report", dict({"command_id": command, "end": end, "code": code, "start_ms": now - 10,
                                         "end_ms": now, "message": "", "steps": [step]}, **more))

    def output(self, command, stream, data, step=0, **more):
        return self.post("output?command=%s&step=%s&stream=%s" % (command, step, stream), data, **more)


class Waiting(threading.Thread):
    def __init__(self, work):
        super().__init__(daemon=True)
        self.work, self.result, self.error = work, None, None
        self.start()

    def run(self):
        try:
            self.result = self.work()
        except Exception as error:  # pylint: disable=broad-except
            self.error = error

    def end(self, timeout=60):
        self.join(timeout)
        if self.error:
            raise self.error
        return self.result


class AgentCase(ServerCase):
    """A server for each test, whose built-in node is played by the test."""

    @classmethod
    def setUpClass(cls):
        pass

    @classmethod
    def tearDownClass(cls):
        pass

    def setUp(self):
        self.server = Server(arguments=["--no-agent"])
        self.addCleanup(self.server.stop)
        super().setUp()

    def connect(self):
        self.ssm = self.server.client("ssm")
        self.agent = Agent.own(self.server)

    def command(self, *lines, **more):
        answer = self.ssm.send_command(InstanceIds=[self.server.instance_id], DocumentName="AWS-RunShellScript",
                                       Parameters={"commands": list(lines) or ["true"]}, **more)
        return answer["Command"]["CommandId"]

    def look(self, command):
        return self.ssm.get_command_invocation(CommandId=command, InstanceId=self.server.instance_id)

    def state(self, command):
        row = self.look(command)
        return row["Status"], row["StatusDetails"]

    def wait_for(self, command, expected):
        until = time.monotonic() + 60
        while self.state(command) != expected:
            self.assertLess(time.monotonic(), until, self.look(command))
            time.sleep(0.05)

    def sql(self, text, *values):
        """Looks into, or changes, the database beside the server."""
        database = sqlite3.connect(os.path.join(self.server.data, "spyhop.db"), timeout=30)
        try:
            with database:
                return database.execute(text, values).fetchall()
        finally:
            database.close()

    def activation(self, code, role="SpyhopNode", limit=1, expires_ms=None):
        name = str(uuid.uuid4())
        self.sql("INSERT INTO activations VALUES (?, ?, ?, 'named', '', '{\"team\":\"video\"}', ?, 0, 1, ?)", name,
                 hashlib.sha256(code[:20].encode()).hexdigest(), role, limit,
                 expires_ms or int(time.time() * 1000) + 3600000)
        return name
