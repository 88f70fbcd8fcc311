# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each command begins at most once, and ends in a true status, though agents die at every point, answers are lost and
the server is killed. The agents are played here, so that the server's side alone is under test; $SPYHOP_COMMANDS and
$SPYHOP_FAULTS make it longer, $SPYHOP_SEED repeats a run."""
import collections
import http.client
import os
import random
import threading
import time
import unittest

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent_case import Agent, AgentCase

COMMANDS = int(os.environ.get("SPYHOP_COMMANDS", "60"))
FAULTS = int(os.environ.get("SPYHOP_FAULTS", "15"))
SEED = int(os.environ.get("SPYHOP_SEED", "0")) or random.randrange(1 << 32)
HEALED_SECONDS = 60


class Killed(Exception):
    pass


class Machine(threading.Thread):
    """A node: `folders` outlive its agent, as supervisors do."""
    def __init__(self, agent, chance, started):
        super().__init__(daemon=True)
        self.agent, self.chance, self.started = agent, chance, started
        self.folders = {}  # command -> time at which it is done; None: made, not begun
        self.cut = self.killed = self.ended = False
        self.error = None

    def step(self):
        """Between any two of these the agent may die."""
        if self.killed or self.ended:
            self.killed = False
            raise Killed

    def begin(self, command):
        self.started[command] += 1
        self.folders[command] = time.monotonic() + self.chance.random() * 0.2

    def handle(self, message):
        command = message["command_id"]
        if message["type"] == "run" and command not in self.folders:
            self.folders[command] = None
            self.step()
            self.begin(command)
        elif message["type"] == "forget":
            self.folders.pop(command, None)

    def report(self):
        for command, done in list(self.folders.items()):
            if done is not None and done <= time.monotonic():
                self.step()
                self.send(lambda c=command: self.agent.report(c, stdout="ran"))

    def send(self, ask):
        """None: nothing came back."""
        try:
            if self.cut and self.chance.random() < 0.5:
                raise OSError("not sent")
            answer = ask()
            return None if self.cut else answer  # it was sent, and its answer is lost
        except (OSError, http.client.HTTPException, ValueError):
            time.sleep(0.05)
            return None

    def poll(self):
        now = time.monotonic()
        self.agent.held = {c: "done" if done is not None and done <= now else "running"
                           for c, done in self.folders.items()}
        answer = self.send(lambda: self.agent.post("poll", self.agent.poll_body(), timeout=0.5))
        self.step()
        if answer and answer[0] == 200:
            for message in answer[1]["messages"]:
                self.step()
                self.handle(message)

    def live(self):
        """An agent's life: what its predecessor had made and not begun, it begins."""
        self.agent.session = os.urandom(16).hex()
        for command, done in list(self.folders.items()):
            if done is None:
                self.begin(command)
        while True:
            self.report()
            self.poll()

    def run(self):
        while not self.ended:
            try:
                self.live()
            except Killed:
                pass
            except Exception as error:  # pylint: disable=broad-except
                self.error = error
                return


class AtMostOnce(AgentCase):
    def node(self, number):
        code = ("%020d" % number)
        agent = Agent(self.server, "-", Ed25519PrivateKey.generate(), machine=("%d" % number) * 64)
        agent.node = agent.register(self.activation(code, role="node"), code)[1]["instance_id"]
        return agent

    def fault(self, chance, machines):
        machine = chance.choice(machines)
        kind = chance.randrange(5)
        if kind < 3:
            machine.killed = True
        elif kind == 3:
            machine.cut = True
            time.sleep(chance.random())
            machine.cut = False
        else:
            self.server.kill()
            time.sleep(chance.random() * 0.3)
            self.server.start()
            self.ssm = self.server.client("ssm")

    def send_to(self, node):
        return self.ssm.send_command(InstanceIds=[node], DocumentName="AWS-RunShellScript",
                                     Parameters={"commands": ["true"]})["Command"]["CommandId"]

    def status(self, command, node):
        return self.ssm.get_command_invocation(CommandId=command, InstanceId=node)["Status"]

    def test_faults(self):
        self.server.role("node", trusts=("ssm",))
        chance, started = random.Random(SEED), collections.Counter()
        machines = [Machine(self.node(i), random.Random(SEED + i), started) for i in range(1, 4)]
        for machine in machines:
            machine.start()
        sent = {}
        try:
            for i in range(max(COMMANDS, FAULTS)):
                if i < COMMANDS:
                    node = machines[i % 3].agent.node
                    sent[self.send_to(node)] = node
                if i * FAULTS // COMMANDS != (i - 1) * FAULTS // COMMANDS:
                    self.fault(chance, machines)
            until = time.monotonic() + HEALED_SECONDS
            left = dict(sent)
            while left:
                left = {c: n for c, n in left.items() if self.status(c, n) in ("Pending", "InProgress", "Delayed")}
                self.assertLess(time.monotonic(), until, "seed %d: %s" % (SEED, left))
                self.assertEqual([m.error for m in machines], [None] * 3, "seed %d" % SEED)
        finally:
            for machine in machines:
                machine.ended = True
        self.assertEqual(set(started.values()), {1}, "seed %d: %s" % (SEED, started))
        self.assertEqual({c: self.status(c, n) for c, n in sent.items()}, dict.fromkeys(sent, "Success"), "seed %d" % SEED)


if __name__ == "__main__":
    unittest.main()
