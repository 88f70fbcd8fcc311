# SPDX-License-Identifier: LGPL-2.1-or-later
"""Step Functions with real clients: definitions, executions, commands and jobs as tasks, and kill -9."""
import json
import pathlib
import time
import unittest

from states_case import ROLE, StatesCase, machine

FILES = "arn:aws:states:::aws-sdk:ssm:"


def wait_machine(seconds):
    return machine("Wait", Wait={"Type": "Wait", "Seconds": seconds, "Next": "Done"},
                   Done={"Type": "Pass", "Result": "done", "ResultPath": "$.state", "End": True})


def command_machine(folder, seconds=1):
    """Sends a command to the node, asks for its end every now and then, makes a stream of what it uploaded."""
    return machine(
        "Send",
        Send={"Type": "Task", "Resource": FILES + "sendCommand", "ResultPath": "$.SendResult", "Next": "Wait",
              "Parameters": {
                  "InstanceIds.$": "States.Array(States.Format('{}', $.instanceId) )",
                  "DocumentName": "AWS-RunShellScript",
                  "Parameters": {"commands.$": "States.Array( States.Format('cd " + str(folder) +
                                 ";./script.sh {} {}', $.first, $.second) )"}}},
        Wait={"Type": "Wait", "Seconds": seconds, "Next": "Check"},
        Check={"Type": "Task", "Resource": FILES + "getCommandInvocation", "ResultPath": "$.CheckResult",
               "Next": "Finished", "Parameters": {"CommandId.$": "$.SendResult.Command.CommandId",
                                                  "InstanceId.$": "$.instanceId"}},
        Finished={"Type": "Choice", "Default": "Failed", "Choices": [
            {"Variable": "$.CheckResult.Status", "StringEquals": "Success", "Next": "Stream"},
            {"Variable": "$.CheckResult.Status", "StringEquals": "InProgress", "Next": "Wait"},
            {"Variable": "$.CheckResult.Status", "StringEquals": "Pending", "Next": "Wait"}]},
        Failed={"Type": "Fail", "Cause": "the command failed or timed out"},
        Stream={"Type": "Pass", "End": True})


def job_machine():
    """One HLS rendition, in PascalCase, waited for."""
    return machine("Job", Job={
        "Type": "Task", "Resource": "arn:aws:states:::mediaconvert:createJob.sync", "End": True,
        "Parameters": {"Role": ROLE, "UserMetadata": {"Film": "one", "lower": "two"}, "Settings": {
            "TimecodeConfig": {"Source": "ZEROBASED"},
            "OutputGroups": [{
                "Name": "Apple HLS",
                "Outputs": [{
                    "ContainerSettings": {"Container": "M3U8", "M3u8Settings": {}},
                    "VideoDescription": {"CodecSettings": {"Codec": "H_264", "H264Settings": {
                        "MaxBitrate": 1000000, "RateControlMode": "QVBR"}}},
                    "AudioDescriptions": [{"CodecSettings": {"Codec": "AAC", "AacSettings": {
                        "Bitrate": 96000, "CodingMode": "CODING_MODE_2_0", "SampleRate": 48000}}}],
                    "NameModifier": "_x"}],
                "OutputGroupSettings": {"Type": "HLS_GROUP_SETTINGS", "HlsGroupSettings": {
                    "SegmentLength": 10, "MinSegmentLength": 0,
                    "Destination.$": "States.Format('s3://{}/hls/', $.bucket)"}}}],
            "Inputs": [{
                "AudioSelectors": {"Audio Selector 1": {"DefaultSelection": "DEFAULT"}},
                "VideoSelector": {}, "TimecodeSource": "ZEROBASED",
                "FileInput.$": "States.Format('s3://{}/{}', $.bucket, $.key)"}]}}})


class States(StatesCase):
    paging = {"maxResults": 7}

    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.server.folder)

    def create(self, definition, name=None):
        text = definition if isinstance(definition, str) else json.dumps(definition)
        return self.sfn.create_state_machine(name=name or self.name, definition=text, roleArn=ROLE)["stateMachineArn"]

    def start(self, arn, **data):
        return self.sfn.start_execution(stateMachineArn=arn, input=json.dumps(data))["executionArn"]

    def script(self, text):
        path = self.folder / self.name
        path.mkdir()
        (path / "script.sh").write_text("#!/bin/sh\n" + text)
        (path / "script.sh").chmod(0o755)
        return path

    def test_bad_definitions(self):
        text = json.dumps(wait_machine(1), indent=2).replace('"Seconds": 1,', '"Seconds": 1 },')
        message = self.assert_error("InvalidDefinition", self.create, definition=text)
        self.assertRegex(message, r"line \d+, column \d+")
        self.assert_error("InvalidDefinition", self.create, definition="not JSON")
        self.assert_error("InvalidDefinition", self.create, definition=wait_machine("soon"))
        message = self.assert_error("InvalidDefinition", self.create, definition=machine(
            "A", A={"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "End": True}))
        self.assertIn("sqs:sendMessage", message)

    def test_execution(self):
        arn = self.create(wait_machine(0))
        started = self.sfn.start_execution(stateMachineArn=arn, name="one", input='{"a": "\\u00e9 \\"q\\""}')
        self.assertEqual(started["executionArn"], arn.replace(":stateMachine:", ":execution:") + ":one")
        answer = self.finish(started["executionArn"])
        self.assertEqual(answer["status"], "SUCCEEDED")
        self.assertEqual(json.loads(answer["output"]), {"a": "é \"q\"", "state": "done"})
        self.assertGreaterEqual(answer["stopDate"], answer["startDate"])
        events = self.history(started["executionArn"])
        self.assertEqual([e["type"] for e in events],
                         ["ExecutionStarted", "WaitStateEntered", "WaitStateExited", "PassStateEntered",
                          "PassStateExited", "ExecutionSucceeded"])
        self.assertEqual([e["id"] for e in events], list(range(1, 7)))
        self.assertEqual([e["previousEventId"] for e in events], [0, 0, 2, 3, 4, 5])
        self.assertEqual(events[0]["executionStartedEventDetails"]["roleArn"], ROLE)
        self.assertEqual(events[1]["stateEnteredEventDetails"]["name"], "Wait")
        self.assert_error("ExecutionAlreadyExists", self.sfn.start_execution, stateMachineArn=arn, name="one")

    def test_command(self):
        folder = self.script('echo "first $1 second $2"; sleep 1.5\n')
        arn = self.create(command_machine(folder))
        answer = self.finish(self.start(arn, instanceId=self.server.instance_id, first="a", second="b"))
        self.assertEqual(answer["status"], "SUCCEEDED", answer)
        result = json.loads(answer["output"])
        self.assertEqual(result["CheckResult"]["StandardOutputContent"], "first a second b\n")
        self.assertEqual(result["CheckResult"]["ResponseCode"], 0)
        self.assertRegex(result["SendResult"]["Command"]["RequestedDateTime"], r"^\d{4}-\d\d-\d\dT[\d:.]+Z$")

    def test_command_fails(self):
        arn = self.create(command_machine(self.script("exit 3\n")))
        answer = self.finish(self.start(arn, instanceId=self.server.instance_id, first="a", second="b"))
        self.assertEqual(answer["status"], "FAILED")
        self.assertEqual(answer["cause"], "the command failed or timed out")

    def test_wrong_node_is_caught(self):
        definition = command_machine("/")
        definition["States"]["Send"]["Catch"] = [{"ErrorEquals": ["Ssm.InvalidInstanceIdException"],
                                                  "ResultPath": "$.error", "Next": "Caught"}]
        definition["States"]["Caught"] = {"Type": "Pass", "End": True}
        answer = self.finish(self.start(self.create(definition), instanceId="i-00000000000000000", first="", second=""))
        self.assertEqual(answer["status"], "SUCCEEDED", answer)
        self.assertIn("(Service: Ssm, Status Code: 400, Request ID: ", json.loads(answer["output"])["error"]["Cause"])

    def test_job_of_no_video_fails(self):
        s3 = self.server.client("s3")
        s3.create_bucket(Bucket="no-video")
        s3.put_object(Bucket="no-video", Key="a b.mp4", Body=b"no video at all")
        execution = self.start(self.create(job_machine()), bucket="no-video", key="a b.mp4")
        answer = self.finish(execution)
        self.assertEqual(answer["status"], "FAILED")
        self.assertEqual(answer["error"], "States.TaskFailed")
        job = json.loads(answer["cause"])
        self.assertEqual(job["Status"], "ERROR")
        self.assertTrue(job["ErrorMessage"])
        self.assertEqual(job["UserMetadata"], {"Film": "one", "lower": "two"})
        self.assertEqual(job["Settings"]["Inputs"][0]["AudioSelectors"],
                         {"Audio Selector 1": {"DefaultSelection": "DEFAULT"}})
        self.assertIn("TaskSubmitted", [e["type"] for e in self.history(execution)])

    def test_stop(self):
        execution = self.start(self.create(wait_machine(3600)))
        self.sfn.stop_execution(executionArn=execution, error="Enough", cause="a test")
        answer = self.sfn.describe_execution(executionArn=execution)
        self.assertEqual((answer["status"], answer["error"], answer["cause"]), ("ABORTED", "Enough", "a test"))
        last = self.sfn.get_execution_history(executionArn=execution, reverseOrder=True, maxResults=1)["events"][0]
        self.assertEqual(last["type"], "ExecutionAborted")
        self.assertEqual(last["executionAbortedEventDetails"], {"error": "Enough", "cause": "a test"})

    def test_two_hundred_at_once(self):
        arn = self.create(wait_machine(1))
        executions = [self.start(arn, n=n) for n in range(200)]
        for n, execution in enumerate(executions):
            self.assertEqual(json.loads(self.finish(execution)["output"]), {"n": n, "state": "done"})

    def test_killed_while_waiting(self):
        folder = self.script("sleep 2; echo ran >> ran; echo out\n")
        waits = self.create(wait_machine(3), self.name + "w")
        commands = self.create(command_machine(folder), self.name + "c")
        executions = [self.start(waits, n=n) for n in range(20)]
        executions.append(self.start(commands, instanceId=self.server.instance_id, first="", second=""))
        for pause in (0.3, 0.9, 0.3):
            time.sleep(pause)
            self.server.kill()
            self.server.start()
        self.connect()
        for execution in executions:
            answer = self.finish(execution)
            self.assertEqual(answer["status"], "SUCCEEDED", answer)
            events = self.history(execution)
            self.assertEqual([e["id"] for e in events], list(range(1, len(events) + 1)))
        self.assertEqual((folder / "ran").read_text(), "ran\n")
        self.assertEqual(json.loads(answer["output"])["CheckResult"]["StandardOutputContent"], "out\n")

    def test_lists_and_tags(self):
        arn = self.create(wait_machine(0))
        names = {m["name"] for page in self.sfn.get_paginator("list_state_machines").paginate(
            PaginationConfig={"PageSize": 2}) for m in page["stateMachines"]}
        self.assertIn(self.name, names)
        executions = {self.start(arn, n=n) for n in range(5)}
        for execution in executions:
            self.finish(execution)
        listed = {e["executionArn"] for page in self.sfn.get_paginator("list_executions").paginate(
            stateMachineArn=arn, statusFilter="SUCCEEDED", PaginationConfig={"PageSize": 2})
            for e in page["executions"]}
        self.assertEqual(listed, executions)
        self.sfn.tag_resource(resourceArn=arn, tags=[{"key": "a", "value": "b"}])
        self.assertEqual(self.sfn.list_tags_for_resource(resourceArn=arn)["tags"], [{"key": "a", "value": "b"}])
        self.sfn.delete_state_machine(stateMachineArn=arn)
        self.assert_error("StateMachineDoesNotExist", self.sfn.describe_state_machine, stateMachineArn=arn)

    def test_aws_cli(self):
        path = self.folder / (self.name + ".json")
        path.write_text(json.dumps(wait_machine(0)))
        made = json.loads(self.server.aws("stepfunctions", "create-state-machine", "--name", self.name, "--role-arn",
                                          ROLE, "--definition", "file://" + str(path)).stdout)
        started = json.loads(self.server.aws("stepfunctions", "start-execution", "--state-machine-arn",
                                             made["stateMachineArn"], "--input", '{"x": 1}').stdout)
        self.finish(started["executionArn"])
        answer = json.loads(self.server.aws("stepfunctions", "describe-execution", "--execution-arn",
                                            started["executionArn"]).stdout)
        self.assertEqual(json.loads(answer["output"]), {"x": 1, "state": "done"})


if __name__ == "__main__":
    unittest.main()
