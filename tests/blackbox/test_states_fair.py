# SPDX-License-Identifier: LGPL-2.1-or-later
"""Machines that run in circles without a Wait end at 25,000 events, and others go on meanwhile."""
import json
import statistics
import time
import unittest
import warnings

from server import Server
from states_case import ROLE, ROLE_NAME, Executions

CIRCLES = 8
PATIENCE_SECONDS = 2  # of an execution of ten states beside them: milliseconds, but for a machine that is busy


def circle():
    return {"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"}, "Done": {"Type": "Succeed"}, "B": {
        "Type": "Choice", "Default": "A", "Choices": [{"Variable": "$.done", "IsPresent": True, "Next": "Done"}]}}}


def ten_states():
    states = {f"S{i}": {"Type": "Pass", "Next": f"S{i + 1}"} for i in range(1, 10)}
    return {"StartAt": "S1", "States": dict(states, S10={"Type": "Pass", "End": True})}


class Fair(Executions, unittest.TestCase):
    limit_seconds = 120
    pause_seconds = 0

    def setUp(self):
        warnings.simplefilter("ignore", ResourceWarning)  # boto3 leaves its connections to the collector
        self.server = Server()
        self.addCleanup(self.server.stop)
        self.server.work_role(ROLE_NAME)
        self.sfn = self.server.client("stepfunctions")
        self.short = self.create("short", ten_states())

    def create(self, name, definition):
        return self.sfn.create_state_machine(name=name, definition=json.dumps(definition), roleArn=ROLE)["stateMachineArn"]

    def start(self, arn, text="{}"):
        return self.sfn.start_execution(stateMachineArn=arn, input=text)["executionArn"]

    def run_short(self):
        begun = time.monotonic()
        self.assertEqual(self.finish(self.start(self.short))["status"], "SUCCEEDED")
        return time.monotonic() - begun

    def beside(self, circles):
        """Runs short executions until the circles have ended; how long each took."""
        taken = []
        while not taken or any(self.sfn.describe_execution(executionArn=arn)["status"] == "RUNNING" for arn in circles):
            taken.append(self.run_short())
        print(f"{self.id().rsplit('.', 1)[1]}: {len(taken)} executions of ten states meanwhile, "
              f"{1000 * statistics.median(taken):.1f} ms at the median, {1000 * max(taken):.1f} ms at most")
        self.assertLess(max(taken), PATIENCE_SECONDS)

    def check_end(self, arn):
        answer = self.finish(arn)
        self.assertEqual((answer["status"], answer["error"]), ("FAILED", "States.Runtime"))
        self.assertIn("25000", answer["cause"])
        events = self.sfn.get_execution_history(executionArn=arn, reverseOrder=True, maxResults=2)["events"]
        self.assertEqual((events[0]["id"], events[0]["type"], events[1]["id"]), (25000, "ExecutionFailed", 24999))

    def test_circles(self):
        machine = self.create("circle", circle())
        circles = [self.start(machine) for _ in range(CIRCLES)]
        self.beside(circles)
        for arn in circles:
            self.check_end(arn)

    def test_circle_with_much_to_carry(self):
        machine = self.create("heavy", circle())
        arn = self.start(machine, json.dumps({"x": "x" * 200000}))
        taken = [self.run_short() for _ in range(5)]
        self.sfn.stop_execution(executionArn=arn)
        self.assertEqual(self.finish(arn)["status"], "ABORTED")
        print(f"heavy: {1000 * max(taken):.1f} ms at most")
        self.assertLess(max(taken), PATIENCE_SECONDS)


if __name__ == "__main__":
    unittest.main()
