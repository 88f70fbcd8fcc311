# SPDX-License-Identifier: LGPL-2.1-or-later
"""The server's side of its nodes: who is let in, what is handed out, and that a node cannot lie."""
import base64
import json
import os
import pathlib
import shutil
import tempfile
import time
import unittest
import urllib.error
import urllib.request

import boto3
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent_case import Agent, AgentCase, public_text
from server import Server, program


class Agents(AgentCase):
    def refused(self, code, answer):
        self.assertEqual((answer[0], answer[1]["code"]), code, answer)

    def node_row(self, *columns, node=None):
        return self.sql("SELECT %s FROM nodes WHERE id = ?" % ", ".join(columns), node or self.server.instance_id)[0]

    # ---- a command's way ----

    def test_run_and_report(self):
        command = self.command("echo one", "echo two")
        self.assertEqual(self.state(command), ("Pending", "Pending"))
        run, = self.agent.take()
        step, = run["spec"]["steps"]
        self.assertEqual((run["command_id"], step["script"], step["plugin"], step["timeout_s"], run["keep_output"]),
                         (command, "echo one\necho two\n", "aws:runShellScript", 3600, False))
        self.assertEqual(run["spec"]["environment"]["AWS_DEFAULT_REGION"], self.server.region)
        self.assertEqual(self.state(command), ("InProgress", "InProgress"))
        self.assertEqual(self.agent.report(command, stdout="one\ntwo\n"), (200, {"state": "settled"}))
        row = self.look(command)
        self.assertEqual((row["Status"], row["ResponseCode"], row["StandardOutputContent"]), ("Success", 0, "one\ntwo\n"))
        self.agent.held[command] = "done"
        self.assertEqual(self.agent.poll(), [{"type": "forget", "command_id": command}])

    def test_ends(self):
        for end, code, expected in (("exited", 3, ("Failed", "Failed")), ("timed_out", 137, ("TimedOut", "ExecutionTimedOut")),
                                    ("cancelled", 143, ("Cancelled", "Cancelled")), ("unable", 1, ("Failed", "Failed")),
                                    ("lost", 137, ("Failed", "Terminated"))):
            with self.subTest(end):
                command = self.command()
                self.agent.take()
                self.agent.report(command, code, end, stderr="why")
                self.assertEqual(self.state(command), expected)
                self.assertEqual(self.look(command)["StandardErrorContent"],
                                 "why\nfailed to run commands: exit status %d" % code)
                del self.agent.held[command]

    def test_a_poll_waits_for_work(self):
        waiting = self.agent.poll_in_thread()
        waiting.join(0.3)
        self.assertTrue(waiting.is_alive())
        command = self.command()
        status, answer = waiting.end()
        self.assertEqual((status, [m["command_id"] for m in answer["messages"]]), (200, [command]))

    def test_a_newer_poll_ends_the_older(self):
        first = self.agent.poll_in_thread()
        first.join(0.2)
        second = self.agent.poll_in_thread()
        self.assertEqual(first.end(10)[1]["messages"], [])
        command = self.command()
        self.assertEqual(second.end(10)[1]["messages"][0]["command_id"], command)

    def test_workers_are_the_limit(self):
        self.agent.workers = 2
        commands = [self.command() for _ in range(3)]
        runs = self.agent.take()
        self.assertEqual([run["command_id"] for run in runs], commands[:2])
        waiting = self.agent.poll_in_thread()
        waiting.join(0.2)
        self.assertTrue(waiting.is_alive())
        self.assertEqual(self.state(commands[2])[0], "Pending")
        self.agent.report(commands[0])
        messages = waiting.end(10)[1]["messages"]  # its place is free at once
        self.assertEqual([m["command_id"] for m in messages if m["type"] == "run"], commands[2:])

    def test_cancel(self):
        waits = self.command()
        self.ssm.cancel_command(CommandId=waits)
        self.assertEqual(self.state(waits), ("Cancelled", "Cancelled"))
        runs = self.command()
        self.agent.take()
        waiting = self.agent.poll_in_thread()
        waiting.join(0.2)
        self.ssm.cancel_command(CommandId=runs)
        self.assertEqual(waiting.end(10)[1]["messages"], [{"type": "cancel", "command_id": runs}])
        self.assertEqual(self.state(runs), ("Cancelling", "Cancelling"))
        self.agent.report(runs, 143, "cancelled")
        self.assertEqual(self.state(runs), ("Cancelled", "Cancelled"))

    def test_text_is_cut(self):
        command = self.command()
        self.agent.take()
        self.agent.report(command, stdout="\u00fc" * 30000, stderr="e" * 30000)
        row = self.look(command)
        self.assertEqual((row["StandardOutputContent"], row["StandardErrorContent"]), ("\u00fc" * 24000, "e" * 8000))

    def test_whole_output(self):
        s3 = self.server.client("s3")
        s3.create_bucket(Bucket="whole")
        command = self.command(OutputS3BucketName="whole", OutputS3KeyPrefix="p")
        run, = self.agent.take()
        self.assertTrue(run["keep_output"])
        self.assertEqual(self.agent.output(command, "stdout", b"o" * 100000), (200, {"bytes": 100000}))
        self.refused((403, "BadSignature"), self.agent.output(command, "stdout", b"x", key=Ed25519PrivateKey.generate()))
        self.agent.report(command, stdout="o" * 24000)
        key = "p/%s/%s/awsrunShellScript/0.awsrunShellScript/stdout" % (command, self.server.instance_id)
        self.assertEqual(s3.get_object(Bucket="whole", Key=key)["Body"].read(), b"o" * 100000)
        self.assertEqual(os.listdir(os.path.join(self.server.data, "outputs")), [])
        self.refused((400, "NotHanded"), self.agent.output(command, "stdout", b"late"))

    def test_output_to_logs(self):
        command = self.command(CloudWatchOutputConfig={"CloudWatchOutputEnabled": True})
        run, = self.agent.take()
        self.assertTrue(run["keep_output"])
        self.agent.output(command, "stdout", "eins\n\nzw\u00f6lf\n".encode() + b"\xff\n")
        self.agent.output(command, "stderr", b"oops")
        self.server.iam("PutRolePolicy", RoleName="SpyhopNode", PolicyName="logs", PolicyDocument=json.dumps({
            "Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "logs:*", "Resource": "*"}]}))
        self.agent.report(command, stdout="eins\n\nzw\u00f6lf\n")
        self.assertEqual(self.look(command)["CloudWatchOutputConfig"]["CloudWatchOutputEnabled"], True)
        logs = self.server.client("logs")
        stream = "%s/%s/aws-runShellScript/" % (command, self.server.instance_id)
        lines = {name: [e["message"] for e in logs.get_log_events(
            logGroupName="/aws/ssm/AWS-RunShellScript", logStreamName=stream + name)["events"]]
                 for name in ("stdout", "stderr")}
        self.assertEqual(lines["stderr"], ["oops"])
        self.assertEqual(lines["stdout"][:2], ["eins", "zw\u00f6lf"])

    def test_output_that_may_not_be_written(self):
        self.server.iam("PutRolePolicy", RoleName="SpyhopNode", PolicyName="no", PolicyDocument=json.dumps({
            "Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "logs:*", "Resource": "*"}]}))
        command = self.command(CloudWatchOutputConfig={"CloudWatchOutputEnabled": True, "CloudWatchLogGroupName": "g"})
        self.agent.take()
        self.agent.output(command, "stdout", b"x\n")
        self.agent.report(command, stdout="x\n")
        row = self.look(command)
        self.assertEqual((row["Status"], row["StandardOutputContent"]), ("Success", "x\n"))
        self.assertIn("not authorized to perform: logs:PutLogEvents", row["StandardErrorContent"])

    def test_metrics(self):
        self.agent.post("poll", self.agent.poll_body(), key=Ed25519PrivateKey.generate())
        self.agent.poll_in_thread().join(0.2)
        with urllib.request.urlopen(self.server.endpoint + "/_spyhop/metrics", timeout=30) as answer:
            text = answer.read().decode()
        for line in ('spyhop_nodes{state="online"} 1', 'spyhop_nodes{state="silent"} 0',
                     'spyhop_node_workers{node="%s"} 5' % self.server.instance_id):
            self.assertIn(line + "\n", text)
        self.assertRegex(text, r"spyhop_agent_refused_total [1-9]")

    def test_output_bounds(self):
        s3 = self.server.client("s3")
        s3.create_bucket(Bucket="bounds")
        command = self.command(OutputS3BucketName="bounds")
        self.agent.take()
        self.refused((413, "TooLarge"), self.agent.output(command, "stdout", b"o" * ((16 << 20) + 1)))
        for query in ("command=%s&step=0&stream=secret" % command, "command=%s&step=-1&stream=stdout" % command,
                      "command=../../x&step=0&stream=stdout", "step=0"):
            self.refused((400, "BadRequest"), self.agent.post("output?" + query, b""))
        self.agent.report(command)

    # ---- at most once ----

    def test_handed_again_until_it_is_listed(self):
        command = self.command()
        self.assertEqual(self.agent.poll()[0]["command_id"], command)  # and the answer is lost
        self.assertEqual(self.agent.poll()[0]["command_id"], command)
        self.agent.held[command] = "running"
        waiting = self.agent.poll_in_thread()
        waiting.join(0.2)
        self.assertTrue(waiting.is_alive())
        self.agent.report(command)
        self.assertEqual(self.state(command)[0], "Success")
        waiting.end(30)

    def test_a_restarted_agent_goes_on(self):
        command = self.command()
        self.agent.take()
        again = Agent.own(self.server)
        again.held[command] = "running"
        waiting = again.poll_in_thread()
        waiting.join(0.2)
        self.assertTrue(waiting.is_alive())
        self.refused((409, "Superseded"), self.agent.post("poll", self.agent.poll_body()))
        again.report(command)
        waiting.end(30)
        self.assertEqual(self.state(command)[0], "Success")

    def test_what_was_listed_and_is_gone_is_lost(self):
        command = self.command()
        self.agent.take()
        waiting = self.agent.poll_in_thread()
        waiting.join(0.2)
        self.agent.held.clear()
        self.agent.poll_in_thread()
        self.wait_for(command, ("Failed", "Terminated"))
        self.assertIn("lost", self.look(command)["StandardErrorContent"])
        self.assertEqual(self.agent.report(command), (200, {"state": "settled"}))  # too late
        self.assertEqual(self.state(command), ("Failed", "Terminated"))

    def test_the_server_is_killed(self):
        handed = self.command()
        self.agent.take()
        self.server.kill()
        self.server.start()
        self.connect_only()
        waits = self.command()
        self.assertEqual([m["command_id"] for m in self.agent.take()], [waits])
        self.agent.report(handed)
        self.agent.report(waits)
        self.assertEqual((self.state(handed)[0], self.state(waits)[0]), ("Success", "Success"))

    def connect_only(self):
        self.ssm = self.server.client("ssm")

    def test_another_machine(self):
        """A copied disk: the first one keeps its commands, the second is refused, and that can be seen."""
        command = self.command()
        self.agent.take()
        copy = Agent.own(self.server, machine="c" * 64)
        self.refused((409, "AnotherAgent"), copy.post("poll", copy.poll_body(host="copy")))
        trouble, refused = self.node_row("trouble", "refused")
        self.assertIn("copy", trouble)
        self.assertGreater(refused, 0)
        self.assertIn("another machine", self.server.log_text())
        self.agent.report(command)
        self.assertEqual(self.state(command)[0], "Success")

    # ---- who asks ----

    def test_signatures(self):
        body = self.agent.poll_body()
        stranger = Ed25519PrivateKey.generate()
        self.refused((403, "BadSignature"), self.agent.post("poll", body, key=stranger))
        self.refused((403, "BadSignature"), self.agent.post("poll", body, signature="AAAA"))
        self.refused((403, "BadSignature"), self.agent.post("poll", body, signature=base64.b64encode(bytes(64)).decode()))
        self.refused((403, "UnknownNode"), self.agent.post("poll", body, node="mi-00000000000000000"))
        self.refused((400, "BadRequest"), self.agent.post("poll", body, node="-"))
        self.refused((400, "BadRequest"), self.agent.post("poll", body, nonce="short"))
        method, path, data, fields = self.agent.request("report", b"{}")
        self.refused((403, "BadSignature"), self.agent.send((method, "/_spyhop/agent/poll", data, fields)))
        self.refused((403, "BadSignature"), self.agent.send((method, path, b"{ }", fields)))
        self.assertEqual(self.agent.send(("GET", "/_spyhop/agent/poll", None, {}))[0], 405)
        self.assertEqual(self.agent.send(("POST", "/_spyhop/agent/unheard", b"{}", {}))[0], 404)
        self.assertEqual(self.agent.send(("POST", "/_spyhop/agent/poll", b"{}", {}))[0], 400)

    def test_replay(self):
        command = self.command()
        request = self.agent.request("report", b'{"command_id": "none", "end": "exited", "steps": []}')
        self.refused((400, "NotHanded"), self.agent.send(request))
        self.refused((403, "Replayed"), self.agent.send(request))
        self.assertEqual(self.state(command)[0], "Pending")

    def test_replay_after_a_restart(self):
        request = self.agent.request("report", b'{"command_id": "none", "end": "exited", "steps": []}')
        self.refused((400, "NotHanded"), self.agent.send(request))
        self.server.kill()
        self.server.start()
        self.connect_only()
        self.refused((403, "ClockSkew"), self.agent.send(request))

    def test_a_clock_an_hour_off(self):
        self.agent.skew_ms = -3600000
        status, answer = self.agent.post("poll", self.agent.poll_body())
        self.assertEqual((status, answer["code"]), (403, "ClockSkew"))
        off = answer["time_ms"] - int(time.time() * 1000)
        self.assertLess(abs(off), 60000)
        self.agent.skew_ms = 0
        command = self.command()
        body = self.agent.poll_body(clock_skew_ms=3600000)
        self.assertEqual(self.agent.post("poll", body)[1]["messages"][0]["command_id"], command)

    def test_bodies(self):
        for body in (b"", b"[]", b"{", b'{"a": 1, "a": 2}', b"\xff"):
            self.refused((400, "BadRequest"), self.agent.post("poll", body))
        for more in ({"session": ""}, {"machine": "m"}, {"commands": {}}, {"commands": [{}]}, {"commands": [{"id": 1}]},
                     {"commands": [{"id": "x" * 100, "state": "done"}]}):
            self.refused((400, "BadRequest"), self.agent.post("poll", self.agent.poll_body(**more)))
        for body in ({}, {"command_id": 1}, {"command_id": "a", "end": "unheard", "steps": []},
                     {"command_id": "a", "end": "exited", "steps": [{}]}):
            self.refused((400, "BadRequest"), self.agent.post("report", body))
        self.refused((413, "TooLarge"), self.agent.post("poll", b" " * ((4 << 20) + 1)))

    # ---- lies ----

    def test_commands_that_were_never_given(self):
        waits = self.command()
        self.agent.workers = 0
        self.refused((400, "NotHanded"), self.agent.report(waits, stdout="forged"))
        self.refused((400, "NotHanded"), self.agent.report("00000000-0000-4000-8000-000000000000"))
        self.agent.held = {waits: "done", "00000000-0000-4000-8000-000000000000": "running"}
        messages = self.agent.poll()
        self.assertEqual(messages, [{"type": "forget", "command_id": "00000000-0000-4000-8000-000000000000"}])
        self.assertEqual(self.state(waits)[0], "Pending")
        self.assertGreater(self.node_row("refused")[0], 0)

    def test_of_another_node(self):
        """A node cannot see, end or report on what another one runs."""
        command = self.command()
        self.agent.take()
        other = Ed25519PrivateKey.generate()
        activation = self.activation("A" * 20)
        agent = Agent(self.server, "-", other, machine="o" * 64)
        status, answer = agent.register(activation, "A" * 20)
        self.assertEqual(status, 200, answer)
        agent.node = answer["instance_id"]
        self.refused((400, "NotHanded"), agent.report(command, stdout="forged"))
        self.refused((400, "NotHanded"), agent.output(command, "stdout", b"forged"))
        agent.held[command] = "done"
        self.assertEqual(agent.poll(), [{"type": "forget", "command_id": command}])
        self.assertEqual(self.state(command)[0], "InProgress")
        self.agent.report(command)

    # ---- registration ----

    def test_register(self):
        activation = self.activation("B" * 20)
        agent = Agent(self.server, "-", Ed25519PrivateKey.generate(), machine="r" * 64)
        self.refused((403, "InvalidActivation"), agent.register(activation, "C" * 20))
        self.refused((403, "InvalidActivation"), agent.register("00000000-0000-4000-8000-000000000000", "B" * 20))
        status, answer = agent.register(activation, "B" * 20 + "." + "p" * 43)  # with a pin, as TLS has it
        self.assertEqual(status, 200, answer)
        self.assertRegex(answer["instance_id"], "^mi-[0-9a-f]{17}$")
        self.assertEqual((answer["account"], answer["region"]), (self.server.account, self.server.region))
        self.assertEqual(agent.register(activation, "B" * 20), (200, answer))  # the first answer was lost
        self.refused((403, "ActivationUsedUp"),
                     Agent(self.server, "-", Ed25519PrivateKey.generate()).register(activation, "B" * 20))
        self.assertEqual(self.node_row("name", "role", "host", "activation", node=answer["instance_id"]),
                         ("named", "SpyhopNode", "box", activation))
        self.assertEqual(self.sql("SELECT key, value FROM node_tags WHERE node = ?", answer["instance_id"]),
                         [("team", "video")])
        self.assertEqual(self.sql("SELECT used FROM activations WHERE id = ?", activation), [(1,)])
        expired = self.activation("D" * 20, expires_ms=1)
        self.refused((403, "ActivationExpired"),
                     Agent(self.server, "-", Ed25519PrivateKey.generate()).register(expired, "D" * 20))
        forged = agent.register(activation, "B" * 20, public_key=public_text(Ed25519PrivateKey.generate()))
        self.refused((403, "BadSignature"), forged)

    # ---- credentials ----

    def credentials(self, token):
        request = urllib.request.Request(self.server.endpoint + "/_spyhop/credentials",
                                         headers={"Authorization": token} if token else {})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def test_credentials(self):
        command = self.command()
        run, = self.agent.take()
        status, keys = self.credentials(run["token"])
        self.assertEqual(status, 200, keys)
        sts = boto3.client("sts", endpoint_url=self.server.endpoint, region_name=self.server.region,
                                         aws_access_key_id=keys["AccessKeyId"],
                                         aws_secret_access_key=keys["SecretAccessKey"], aws_session_token=keys["Token"])
        self.assertEqual(sts.get_caller_identity()["Arn"], "arn:aws:sts::%s:assumed-role/SpyhopNode/%s"
                         % (self.server.account, self.server.instance_id))
        self.assertRegex(keys["Expiration"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        for token in (None, "", "x", run["token"][:-1], run["token"][:-1] + "?",
                      run["token"].replace(command, "00000000-0000-4000-8000-000000000000")):
            self.assertEqual(self.credentials(token)[0], 403, token)
        self.agent.report(command)
        self.assertEqual(self.credentials(run["token"])[0], 403)


class TimeOuts(AgentCase):
    def earlier(self, command, column, ms):
        """Time passes for that command alone; the server looks again when something wakes it."""
        self.sql("UPDATE invocations SET %s = %s - ? WHERE id = ?" % (column, column), ms, command)
        self.command()

    def test_delivery(self):
        command = self.command(TimeoutSeconds=30)
        self.earlier(command, "deliver_by_ms", 40000)
        self.wait_for(command, ("TimedOut", "DeliveryTimedOut"))
        self.assertIn("not heard of", self.look(command)["StandardErrorContent"])
        self.agent.workers = 50
        self.assertNotIn(command, [m["command_id"] for m in self.agent.poll()])

    def silence(self, node):
        self.sql("UPDATE nodes SET seen_ms = seen_ms - 100000 WHERE id = ?", node)
        self.sql("UPDATE handed_commands SET handed_ms = handed_ms - 100000 WHERE node = ?", node)

    def test_a_silent_node(self):
        self.agent.workers = 50
        listed = self.command()
        self.agent.take()
        unlisted = self.command()
        self.agent.poll()  # listed is listed; the answer with the other one is lost
        self.silence(self.server.instance_id)
        self.command()
        self.wait_for(unlisted, ("Delayed", "Delayed"))
        self.assertEqual(self.state(listed), ("InProgress", "InProgress"))
        runs = [m["command_id"] for m in self.agent.take()]
        self.assertIn(unlisted, runs)
        self.assertEqual(self.state(unlisted), ("InProgress", "InProgress"))
        self.silence(self.server.instance_id)
        for command in (listed, unlisted):
            self.earlier(command, "expires_ms", 10 * 86400000)
        self.wait_for(listed, ("TimedOut", "ExecutionTimedOut"))
        self.wait_for(unlisted, ("TimedOut", "DeliveryTimedOut"))

    def test_a_node_that_is_gone(self):
        has = self.command()
        self.agent.take()
        waits = self.command()
        before, self.server.instance_id = self.server.instance_id, "i-00000000000000abc"
        self.server.terminate()
        self.server.start()
        self.connect()
        look = lambda c: self.ssm.get_command_invocation(CommandId=c, InstanceId=before)
        until = time.monotonic() + 30
        while look(has)["Status"] == "InProgress" or look(waits)["Status"] == "Pending":
            self.assertLess(time.monotonic(), until)
            time.sleep(0.05)
        self.assertEqual((look(has)["StatusDetails"], look(waits)["StatusDetails"]), ("Terminated", "Undeliverable"))


AGENT = """#!/bin/sh
echo "$$ $*" >> "$3/started"
exec sleep 1000
"""


class Beside(Server):
    """The server of a folder in which another program is called spyhop-agent."""
    def __init__(self, folder, **more):
        self.bin = folder
        real = pathlib.Path(program()).resolve()
        for name in ("spyhop", "spyhop-serve"):
            found = [path for path in (real.parent / name, real.parent / "../libexec/spyhop" / name) if path.exists()]
            shutil.copy2(found[0], folder)
        agent = pathlib.Path(folder, "spyhop-agent")
        agent.write_text(AGENT)
        agent.chmod(0o755)
        super().__init__(**more)

    def command(self, listen="127.0.0.1:0"):
        return [os.path.join(self.bin, "spyhop")] + super().command(listen)[1:]

    def started(self, count):
        """Pids and words of agents, once there are so many."""
        path = pathlib.Path(self.data, "node", "started")
        until = time.monotonic() + 60
        while not path.exists() or len(path.read_text().splitlines()) < count:
            if time.monotonic() > until:
                raise AssertionError("no agent\n" + self.log_text())
            time.sleep(0.05)
        return [(int(line.split()[0]), line.split()[1:]) for line in path.read_text().splitlines()]


class OwnAgent(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="spyhop-test-")
        self.addCleanup(folder.cleanup)
        self.server = Beside(folder.name, arguments=["--node-network", "open"])
        self.addCleanup(self.server.stop)

    def wait_gone(self, pid):
        until = time.monotonic() + 30
        while os.path.exists("/proc/%d" % pid):
            self.assertLess(time.monotonic(), until)
            time.sleep(0.02)

    def test_life(self):
        node = os.path.join(self.server.data, "node")
        (first, words), = self.server.started(1)
        self.assertEqual(words, ["run", "--data", node])
        identity = json.loads(pathlib.Path(node, "identity.json").read_text())
        self.assertEqual((identity["server"], identity["instance_id"], identity["network"], identity["account"]),
                         (self.server.endpoint, self.server.instance_id, "open", self.server.account))
        environment = pathlib.Path("/proc/%d/environ" % first).read_bytes()
        self.assertNotIn(b"SECRET", environment)
        os.kill(first, 9)
        second = self.server.started(2)[1][0]  # started again
        self.assertIn("the agent of the built-in node ended: signal 9", self.server.log_text())
        self.server.kill()
        self.wait_gone(second)  # it dies with the server
        self.server.start()
        third = self.server.started(3)[2][0]
        self.assertEqual(json.loads(pathlib.Path(node, "identity.json").read_text())["server"], self.server.endpoint)
        self.assertEqual(self.server.terminate(), 0)
        self.wait_gone(third)
        self.server.start()


if __name__ == "__main__":
    unittest.main()
