# SPDX-License-Identifier: LGPL-2.1-or-later
"""What executions write to CloudWatch Logs, by the level of their machine."""
import json
import unittest

from states_case import ROLE, StatesCase

GROUP = "/aws/vendedlogs/states/test"
DESTINATION = "arn:aws:logs:us-east-1:012345678901:log-group:%s:*"
FAILS = {"StartAt": "Work", "States": {"Work": {"Type": "Pass", "Result": {"secret": 1}, "Next": "Fail"},
                                       "Fail": {"Type": "Fail", "Error": "Bad", "Cause": "why"}}}


class Logging(StatesCase):
    def create(self, definition, **arguments):
        return self.sfn.create_state_machine(name=self.name, roleArn=ROLE, definition=json.dumps(definition),
                                             **arguments)["stateMachineArn"]

    def run_logged(self, level, definition=FAILS, data=False, **arguments):
        self.group = GROUP + "/" + self.name
        machine = self.create(definition, loggingConfiguration={
            "level": level, "includeExecutionData": data,
            "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": DESTINATION % self.group}}]}, **arguments)
        if arguments.get("type") == "EXPRESS":
            return self.sfn.start_sync_execution(stateMachineArn=machine, input='{"in": 2}')["executionArn"]
        execution = self.sfn.start_execution(stateMachineArn=machine, input='{"in": 2}')["executionArn"]
        self.finish(execution)
        return execution

    def lines(self):
        logs = self.server.client("logs")
        try:
            events = logs.filter_log_events(logGroupName=self.group)["events"]
        except logs.exceptions.ResourceNotFoundException:
            return []
        self.streams = {e["logStreamName"] for e in events}
        return [json.loads(e["message"]) for e in events]

    def test_all(self):
        execution = self.run_logged("ALL", data=True)
        lines = self.lines()
        self.assertEqual([line["type"] for line in lines],
                         ["ExecutionStarted", "PassStateEntered", "PassStateExited", "FailStateEntered",
                          "ExecutionFailed"])
        self.assertEqual([(line["id"], line["previous_event_id"]) for line in lines],
                         [("1", "0"), ("2", "0"), ("3", "2"), ("4", "3"), ("5", "4")])
        self.assertEqual({line["execution_arn"] for line in lines}, {execution})
        self.assertEqual(json.loads(lines[0]["details"]["input"]), {"in": 2})
        self.assertEqual(json.loads(lines[2]["details"]["output"]), {"secret": 1})
        self.assertEqual(lines[4]["details"], {"error": "Bad", "cause": "why"})
        history = self.sfn.get_execution_history(executionArn=execution)["events"]
        self.assertEqual([line["event_timestamp"] for line in lines],
                         ["%d" % round(e["timestamp"].timestamp() * 1000) for e in history])
        self.assertEqual(len(self.streams), 1)
        self.assertRegex(self.streams.pop(), r"^states/%s[^/]*/\d{4}(-\d\d){4}/[0-9a-f]{8}$" % self.name[:40])

    def test_without_data(self):
        self.run_logged("ALL")
        lines = self.lines()
        self.assertEqual(len(lines), 5)
        self.assertNotIn("secret", json.dumps(lines))
        self.assertNotIn("input", lines[0]["details"])
        self.assertIn("roleArn", lines[0]["details"])

    def test_levels(self):
        for level, types in (("ERROR", ["FailStateEntered", "ExecutionFailed"]), ("FATAL", ["ExecutionFailed"]),
                             ("OFF", [])):
            with self.subTest(level):
                self.setUp()
                self.run_logged(level)
                self.assertEqual([line["type"] for line in self.lines()], types)

    def test_express(self):
        execution = self.run_logged("ALL", type="EXPRESS")
        lines = self.lines()
        self.assertEqual([line["type"] for line in lines][-2:], ["FailStateEntered", "ExecutionFailed"])
        self.assertEqual({line["execution_arn"] for line in lines}, {execution})

    def test_many_at_once(self):
        loop = {"StartAt": "Map", "States": {"Map": {
            "Type": "Map", "End": True, "ItemsPath": "$.items",
            "ItemProcessor": {"StartAt": "Item", "States": {"Item": {"Type": "Pass", "End": True}}}}}}
        destination = {"cloudWatchLogsLogGroup": {"logGroupArn": DESTINATION % (GROUP + self.name)}}
        machine = self.create(loop, loggingConfiguration={"level": "ALL", "destinations": [destination]})
        self.group = GROUP + self.name
        executions = [self.sfn.start_execution(stateMachineArn=machine, input=json.dumps({"items": list(range(50))}))
                      ["executionArn"] for _ in range(5)]
        for execution in executions:
            self.finish(execution)
        ids = {execution: [] for execution in executions}
        logs = self.server.client("logs")
        for page in logs.get_paginator("filter_log_events").paginate(logGroupName=self.group):
            for event in page["events"]:
                line = json.loads(event["message"])
                ids[line["execution_arn"]].append(int(line["id"]))
        for execution in executions:
            self.assertEqual(sorted(ids[execution]), list(range(1, len(ids[execution]) + 1)))
            self.assertGreater(len(ids[execution]), 200)


if __name__ == "__main__":
    unittest.main()
