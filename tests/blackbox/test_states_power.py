# SPDX-License-Identifier: LGPL-2.1-or-later
"""Losses of power while executions run: what a client was told is so afterwards, whatever the disk had not synced. Many commits
share a sync, and an answer waits for it.

SPYHOP_LOSSES says how many (6)."""
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import warnings

import botocore.exceptions

from server import Server, program

os.environ.setdefault("SPYHOP_UNSYNCED", os.path.join(os.path.dirname(os.path.abspath(program())), "tests/faults/libunsynced.so"))
sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../faults"))
from faults import LIBRARY, PowerLoss  # noqa: E402

LOSSES = int(os.environ.get("SPYHOP_LOSSES", "6"))
LIMIT_SECONDS = 60
ROLE = "arn:aws:iam::012345678901:role/machines"
GONE = (botocore.exceptions.EndpointConnectionError, botocore.exceptions.ConnectionClosedError,
        botocore.exceptions.ReadTimeoutError, botocore.exceptions.HTTPClientError, ConnectionError)


def ten_states():
    states = {f"S{i}": {"Type": "Pass", "Next": f"S{i + 1}"} for i in range(1, 10)}
    return json.dumps({"StartAt": "S1", "States": dict(states, S10={"Type": "Pass", "End": True})})


class OwnGroup(Server):
    """The library of losses kills the group of processes."""

    def command(self, listen="127.0.0.1:0"):
        return ["setsid"] + super().command(listen)


@unittest.skipUnless(os.path.exists(LIBRARY), "the library of losses is not built")
class Power(unittest.TestCase):
    def setUp(self):
        warnings.simplefilter("ignore", ResourceWarning)  # boto3 leaves its connections to the collector
        self.random = random.Random(9)
        self.top = tempfile.mkdtemp(prefix="spyhop-test-power-")
        self.addCleanup(shutil.rmtree, self.top, ignore_errors=True)
        self.data = os.path.join(self.top, "data")
        os.mkdir(self.data)
        self.loss = PowerLoss(self.data, os.path.join(self.top, "state"))
        with Server(data=self.data) as server:
            server.work_role("machines")
            self.machine = server.client("stepfunctions").create_state_machine(
                name="ten", definition=ten_states(), roleArn=ROLE)["stateMachineArn"]

    def faulty(self, after):
        """A server whose power fails before that step."""
        sanitizer = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
        return OwnGroup(data=self.data, environment={
            "LD_PRELOAD": os.path.abspath(LIBRARY), "ASAN_OPTIONS": sanitizer, "SPYHOP_FAULT_FOLDER": self.loss.folder,
            "SPYHOP_FAULT_STATE": self.loss.state, "SPYHOP_FAULT_AFTER": str(after)})

    def work(self, server, told, number):
        """Starts executions and looks at them until the power fails. told: {arn: what a client was told last}"""
        sfn = server.client("stepfunctions")
        until = time.monotonic() + LIMIT_SECONDS
        try:
            for i in range(100000):
                arn = sfn.start_execution(stateMachineArn=self.machine, name=f"{number}-{i}", input=f'{{"i": {i}}}')["executionArn"]
                told[arn] = "RUNNING"
                seen = self.random.choice(list(told))
                told[seen] = sfn.describe_execution(executionArn=seen)["status"]
                self.assertLess(time.monotonic(), until, "the power does not fail")
        except GONE:
            pass

    def check(self, sfn, arn, status):
        """What was told stands, and it comes to its end."""
        answer = sfn.describe_execution(executionArn=arn)
        if status == "SUCCEEDED":
            self.assertEqual(answer["status"], status, arn)
        until = time.monotonic() + LIMIT_SECONDS
        while answer["status"] == "RUNNING":
            self.assertLess(time.monotonic(), until, arn)
            answer = sfn.describe_execution(executionArn=arn)
        self.assertEqual(answer["status"], "SUCCEEDED", arn)
        events = sfn.get_execution_history(executionArn=arn, maxResults=100)["events"]
        self.assertEqual([e["id"] for e in events], list(range(1, 23)), arn)

    def lose_once(self, number):
        self.loss.settle()
        told = {}
        server = self.faulty(self.random.randrange(30, 600))
        try:
            self.work(server, told, number)
            self.assertEqual(server.process.wait(timeout=10), -signal.SIGKILL, server.log_text())
        except subprocess.TimeoutExpired:
            self.fail("the server outlived its power")
        finally:
            server.process.stdout.close()
            server.process = None
            server.clean_up()
        self.loss.lose(("none", "some", "all")[number % 3], self.random)
        with Server(data=self.data) as server:
            sfn = server.client("stepfunctions")
            for arn, status in told.items():
                self.check(sfn, arn, status)
        return len(told)

    def test_what_was_told_stands(self):
        told = [self.lose_once(number) for number in range(LOSSES)]
        self.assertGreater(sum(told), 0)
        print(f"{LOSSES} losses of power, {sum(told)} executions started before them")


if __name__ == "__main__":
    unittest.main()
