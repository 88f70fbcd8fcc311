# SPDX-License-Identifier: LGPL-2.1-or-later
"""The API of Step Functions with real clients: express machines, versions, aliases, TestState, validation.

Actions that the client's own model may not know are sent as the signed JSON requests that a newer one would send.
"""
import concurrent.futures
import http.client
import json
import os
import threading
import time
import unittest
import urllib.parse

import botocore.exceptions

import states_case
from server import Server
from states_case import LIMIT_SECONDS, ROLE, ROLE_NAME, StatesCase


class Refused(Exception):
    def __init__(self, status, code, message):
        super().__init__("%d %s: %s" % (status, code, message))
        self.status, self.code, self.message = status, code, message


def machine(start, **states):
    return json.dumps(states_case.machine(start, **states))


PASS = machine("A", A={"Type": "Pass", "End": True})
OTHER = machine("B", B={"Type": "Pass", "Result": "other", "End": True})


def wait(seconds):
    return machine("W", W={"Type": "Wait", "Seconds": seconds, "Next": "A"},
                   A={"Type": "Pass", "Result": "done", "ResultPath": "$.state", "End": True})


class StatesApi(StatesCase):
    def connect(self):
        self.sfn = self.server.client("stepfunctions", max_pool_connections=64)

    def call(self, action, prefix="", timeout=LIMIT_SECONDS, **arguments):
        """One signed request. prefix: what clients put before the host's name for some actions."""
        address = urllib.parse.urlsplit(self.server.endpoint)
        request = states_case.signed(self.server, action, arguments, prefix)
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=timeout)
        try:
            connection.request("POST", "/", request.body, dict(request.headers))
            response = connection.getresponse()
            answer = json.loads(response.read())
        finally:
            connection.close()
        if response.status != 200:
            raise Refused(response.status, answer["__type"], answer["message"])
        return answer

    def refused(self, code, action, **arguments):
        with self.assertRaises(Refused) as caught:
            self.call(action, **arguments)
        self.assertEqual(caught.exception.code, code, caught.exception)
        return caught.exception

    def create(self, definition, name=None, kind="STANDARD", **more):
        return self.call("CreateStateMachine", name=name or self.name, definition=definition, roleArn=ROLE, type=kind,
                         **more)["stateMachineArn"]

    def describe(self, arn):
        return self.call("DescribeExecution", executionArn=arn)

    # ---- express ----

    def test_sync(self):
        arn = self.create(PASS, kind="EXPRESS")
        answer = self.sfn.start_sync_execution(stateMachineArn=arn, name="one", input='{"a": "\\u00e9"}')
        self.assertEqual(answer["status"], "SUCCEEDED")
        self.assertEqual(json.loads(answer["output"]), {"a": "é"})
        self.assertEqual(answer["input"], '{"a": "\\u00e9"}')
        self.assertEqual(answer["billingDetails"], {"billedDurationInMilliseconds": 100, "billedMemoryUsedInMB": 64})
        self.assertTrue(answer["executionArn"].startswith(arn.replace(":stateMachine:", ":express:") + ":one:"))
        self.assertEqual((answer["stateMachineArn"], answer["name"]), (arn, "one"))
        self.assertGreaterEqual(answer["stopDate"], answer["startDate"])
        prefixed = self.call("StartSyncExecution", prefix="sync-", stateMachineArn=arn)
        self.assertEqual(prefixed["status"], "SUCCEEDED")

    def test_sync_that_waits(self):
        """A hundred at once take no longer than one: nobody's thread is held."""
        arn = self.create(wait(1), kind="EXPRESS")
        began = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(100) as pool:
            answers = list(pool.map(lambda n: self.call("StartSyncExecution", stateMachineArn=arn,
                                                        input=json.dumps({"n": n})), range(100)))
        self.assertLess(time.monotonic() - began, 30)
        self.assertEqual([json.loads(a["output"]) for a in answers], [{"n": n, "state": "done"} for n in range(100)])

    def test_sync_whose_client_goes(self):
        arn = self.create(machine("W", W={"Type": "Wait", "Seconds": 1, "Next": "T"}, T={
            "Type": "Task", "Resource": "arn:aws:states:::aws-sdk:sfn:startExecution", "End": True,
            "Parameters": {"StateMachineArn.$": "$.child", "Name": "told"}}), kind="EXPRESS")
        child = self.create(PASS, name=self.name + "c")
        with self.assertRaises(TimeoutError):
            self.call("StartSyncExecution", timeout=0.3, stateMachineArn=arn, input=json.dumps({"child": child}))
        told = child.replace(":stateMachine:", ":execution:") + ":told"
        until = time.monotonic() + LIMIT_SECONDS
        while True:
            try:
                self.finish(told)
                break
            except Refused:
                self.assertLess(time.monotonic(), until)
                time.sleep(0.05)

    def test_asynchronous_outlives_a_crash(self):
        child = self.create(PASS, name=self.name + "c")
        arn = self.create(machine("W", W={"Type": "Wait", "Seconds": 2, "Next": "T"}, T={
            "Type": "Task", "Resource": "arn:aws:states:::aws-sdk:sfn:startExecution", "End": True,
            "Parameters": {"StateMachineArn": child, "Name": "told"}}), kind="EXPRESS")
        self.assertIn(":express:", self.call("StartExecution", stateMachineArn=arn)["executionArn"])
        time.sleep(0.3)
        self.server.kill()
        self.server.start()
        told = child.replace(":stateMachine:", ":execution:") + ":told"
        until = time.monotonic() + LIMIT_SECONDS
        while True:
            try:
                self.assertEqual(self.finish(told)["status"], "SUCCEEDED")
                break
            except Refused as error:
                self.assertEqual(error.code, "ExecutionDoesNotExist")
                self.assertLess(time.monotonic(), until)
                time.sleep(0.05)

    def test_sync_as_a_task(self):
        child = self.create(wait(1), name=self.name + "c", kind="EXPRESS")
        arn = self.create(machine("T", T={
            "Type": "Task", "Resource": "arn:aws:states:::aws-sdk:sfn:startSyncExecution", "End": True,
            "Parameters": {"StateMachineArn": child, "Input.$": "$"}}))
        answer = self.finish(self.call("StartExecution", stateMachineArn=arn, input='{"x":1}')["executionArn"])
        self.assertEqual(answer["status"], "SUCCEEDED", answer)
        self.assertEqual(json.loads(json.loads(answer["output"])["Output"]), {"x": 1, "state": "done"})

    def test_the_server_stops_while_a_call_waits(self):
        with Server() as server:
            server.work_role(ROLE_NAME)
            sfn = server.client("stepfunctions")
            arn = sfn.create_state_machine(name="w", definition=wait(60), roleArn=ROLE, type="EXPRESS")["stateMachineArn"]
            told = []

            def call():
                try:
                    sfn.start_sync_execution(stateMachineArn=arn)
                except botocore.exceptions.ClientError as error:
                    told.append(error.response["Error"]["Code"])
            thread = threading.Thread(target=call)
            thread.start()
            time.sleep(0.5)
            began = time.monotonic()
            server.terminate()
            thread.join()
            self.assertLess(time.monotonic() - began, 10)
            self.assertEqual(told, ["ServiceUnavailable"])
            server.start()

    def test_what_express_does_not_have(self):
        arn = self.create(PASS, kind="EXPRESS")
        execution = self.call("StartSyncExecution", stateMachineArn=arn)["executionArn"]
        with self.assertRaises(self.sfn.exceptions.StateMachineTypeNotSupported):
            self.sfn.list_executions(stateMachineArn=arn)
        for action in ("DescribeExecution", "GetExecutionHistory", "StopExecution"):
            self.refused("InvalidArn", action, executionArn=execution)
        error = self.refused("InvalidDefinition", "CreateStateMachine", name="e", roleArn=ROLE, type="EXPRESS",
                             definition=machine("T", T={"Type": "Task", "End": True, "Parameters": {},
                                                        "Resource": "arn:aws:states:::states:startExecution.sync"}))
        self.assertIn("Express state machine does not support '.sync' service integration", error.message)

    # ---- versions, aliases ----

    def test_versions_and_aliases(self):
        arn = self.create(PASS, publish=True, versionDescription="one")
        self.call("UpdateStateMachine", stateMachineArn=arn, definition=OTHER, publish=True)
        versions = self.call("ListStateMachineVersions", stateMachineArn=arn)["stateMachineVersions"]
        self.assertEqual([v["stateMachineVersionArn"] for v in versions], [arn + ":2", arn + ":1"])
        alias = self.call("CreateStateMachineAlias", name="PROD", routingConfiguration=[
            {"stateMachineVersionArn": arn + ":1", "weight": 100}])["stateMachineAliasArn"]
        self.assertEqual(alias, arn + ":PROD")
        started = self.call("StartExecution", stateMachineArn=alias, input="{}")["executionArn"]
        answer = self.finish(started)
        self.assertEqual(answer["output"], "{}")
        self.assertEqual((answer["stateMachineVersionArn"], answer["stateMachineAliasArn"]), (arn + ":1", alias))
        self.call("UpdateStateMachineAlias", stateMachineAliasArn=alias, routingConfiguration=[
            {"stateMachineVersionArn": arn + ":2", "weight": 100}])
        answer = self.finish(self.call("StartExecution", stateMachineArn=alias)["executionArn"])
        self.assertEqual(answer["output"], '"other"')
        listed = self.call("ListExecutions", stateMachineArn=arn + ":1")["executions"]
        self.assertEqual([e["executionArn"] for e in listed], [started])
        self.assertEqual(self.refused("ConflictException", "DeleteStateMachineVersion",
                                      stateMachineVersionArn=arn + ":2").status, 409)
        self.call("DeleteStateMachineAlias", stateMachineAliasArn=alias)
        self.call("DeleteStateMachineVersion", stateMachineVersionArn=arn + ":2")
        self.call("DeleteStateMachine", stateMachineArn=arn)
        self.refused("StateMachineDoesNotExist", "DescribeStateMachine", stateMachineArn=arn + ":1")

    # ---- TestState, validation ----

    def test_one_state(self):
        answer = self.call("TestState", prefix="sync-", inspectionLevel="DEBUG", input='{"payload": {"foo": "bar"}}',
                           definition=json.dumps({"Type": "Pass", "InputPath": "$.payload", "Parameters": {"data": 1},
                                                  "ResultPath": "$.result", "OutputPath": "$.result.data", "Next": "N"}))
        self.assertEqual(answer["inspectionData"]["afterResultPath"],
                         '{"payload":{"foo":"bar"},"result":{"data":1}}')
        self.assertEqual((answer["output"], answer["nextState"], answer["status"]), ("1", "N", "SUCCEEDED"))
        answer = self.call("TestState", definition=json.dumps({"Type": "Wait", "Seconds": 1, "Next": "N"}))
        self.assertEqual((answer["output"], answer["nextState"]), ("{}", "N"))
        answer = self.call("TestState", roleArn=ROLE, definition=json.dumps({
            "Type": "Task", "Resource": "arn:aws:states:::aws-sdk:s3:getObject", "End": True,
            "Parameters": {"Bucket": "nowhere", "Key": "k"}}))
        self.assertEqual((answer["status"], answer["error"]), ("FAILED", "S3.NoSuchBucketException"))

    def test_validation(self):
        answer = self.call("ValidateStateMachineDefinition", definition=PASS)
        self.assertEqual(answer, {"result": "OK", "diagnostics": [], "truncated": False})
        answer = self.call("ValidateStateMachineDefinition", definition=machine("A", A={"Type": "Pass", "Next": "B"}))
        self.assertEqual(answer["result"], "FAIL")
        self.assertEqual(answer["diagnostics"][0]["severity"], "ERROR")
        self.assertEqual(answer["diagnostics"][0]["location"], "/States/A/Next")

    def test_configurations(self):
        logs = {"level": "ALL", "includeExecutionData": True, "destinations": [
            {"cloudWatchLogsLogGroup": {"logGroupArn": "arn:aws:logs:us-east-1:012345678901:log-group:g:*"}}]}
        arn = self.sfn.create_state_machine(name=self.name, definition=PASS, roleArn=ROLE, type="EXPRESS",
                                            loggingConfiguration=logs, tracingConfiguration={"enabled": True},
                                            tags=[{"key": "k", "value": "v"}])["stateMachineArn"]
        answer = self.sfn.describe_state_machine(stateMachineArn=arn)
        self.assertEqual((answer["loggingConfiguration"], answer["tracingConfiguration"], answer["type"]),
                         (logs, {"enabled": True}, "EXPRESS"))
        del logs["destinations"]
        with self.assertRaises(self.sfn.exceptions.InvalidLoggingConfiguration):
            self.sfn.update_state_machine(stateMachineArn=arn, loggingConfiguration=logs)

    # ---- clients ----

    def test_aws_cli(self):
        path = os.path.join(self.server.folder, self.name)
        with open(path, "w") as file:
            file.write(PASS)
        made = json.loads(self.server.aws("stepfunctions", "create-state-machine", "--name", self.name, "--role-arn",
                                          ROLE, "--type", "EXPRESS", "--definition", "file://" + path,
                                          "--tags", "key=a,value=b").stdout)
        arn = made["stateMachineArn"]
        started = json.loads(self.server.aws("stepfunctions", "start-execution", "--state-machine-arn", arn).stdout)
        self.assertIn(":express:", started["executionArn"])
        tags = json.loads(self.server.aws("stepfunctions", "list-tags-for-resource", "--resource-arn", arn).stdout)
        self.assertEqual(tags["tags"], [{"key": "a", "value": "b"}])
        refused = self.server.aws("stepfunctions", "list-executions", "--state-machine-arn", arn, check=False)
        self.assertIn("StateMachineTypeNotSupported", refused.stderr)


if __name__ == "__main__":
    unittest.main()
