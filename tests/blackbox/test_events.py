# SPDX-License-Identifier: LGPL-2.1-or-later
"""EventBridge with real clients: an upload starts a state machine, with the bucket and key it was made with."""
import json
import time
import unittest

from server import ServerCase

ROLE = "arn:aws:iam::012345678901:role/machines"
LIMIT_SECONDS = 30
ECHO = {"StartAt": "Echo", "States": {"Echo": {"Type": "Pass", "End": True}}}
UPLOADS = {"source": ["aws.s3"], "detail-type": ["Object Created"],
           "detail": {"object": {"key": [{"suffix": ".mp4"}, {"wildcard": "films/*"}]}}}
TEMPLATE = {"InputPathsMap": {"bucket": "$.detail.bucket.name", "key": "$.detail.object.key"},
            "InputTemplate": '{"bucket": <bucket>, "uri": "s3://<bucket>/<key>", "key": <key>, '
                             '"rule": <aws.events.rule-name>}'}


class Events(ServerCase):
    roles = ("machines",)

    def setUp(self):
        super().setUp()
        self.name = self.id().rsplit(".", 1)[1].replace("_", "-") + str(time.time_ns() % 1000000)

    def connect(self):
        self.s3, self.events, self.sfn = (self.server.client(n) for n in ("s3", "events", "stepfunctions"))

    def rule(self, pattern, **target):
        machine = self.sfn.create_state_machine(name=self.name, definition=json.dumps(ECHO), roleArn=ROLE)
        self.events.put_rule(Name=self.name, EventPattern=json.dumps(pattern))
        answer = self.events.put_targets(Rule=self.name, Targets=[
            dict(target, Id="machine", Arn=machine["stateMachineArn"], RoleArn=ROLE)])
        self.assertEqual(answer["FailedEntryCount"], 0)
        return machine["stateMachineArn"]

    def bucket(self):
        self.s3.create_bucket(Bucket=self.name)
        self.s3.put_bucket_notification_configuration(
            Bucket=self.name, NotificationConfiguration={"EventBridgeConfiguration": {}})

    def outputs(self, machine, count):
        until = time.monotonic() + LIMIT_SECONDS
        while True:
            found = self.sfn.list_executions(stateMachineArn=machine)["executions"]
            if len(found) >= count and all(e["status"] != "RUNNING" for e in found):
                return [json.loads(self.sfn.describe_execution(executionArn=e["executionArn"])["output"])
                        for e in found]
            self.assertLess(time.monotonic(), until, (found, self.server.log_text()))
            time.sleep(0.02)

    def tearDown(self):
        for rule in self.events.list_rules()["Rules"]:
            targets = self.events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
            if targets:
                self.events.remove_targets(Rule=rule["Name"], Ids=[t["Id"] for t in targets])
            self.events.delete_rule(Name=rule["Name"])

    def test_upload_starts_machine(self):
        machine = self.rule(UPLOADS, InputTransformer=TEMPLATE)
        self.bucket()
        keys = ['in/a b;"c" \'d\' é.mp4', "films/x"]
        for key in keys + ["other.txt"]:
            self.s3.put_object(Bucket=self.name, Key=key, Body=b"x")
        outputs = self.outputs(machine, 2)
        self.assertEqual(sorted(o["key"] for o in outputs), sorted(keys))
        for output in outputs:
            self.assertEqual(output["uri"], "s3://%s/%s" % (self.name, output["key"]))
            self.assertEqual((output["bucket"], output["rule"]), (self.name, self.name))

    def test_whole_event_is_shaped_as_on_aws(self):
        machine = self.rule(UPLOADS)
        self.bucket()
        self.s3.put_object(Bucket=self.name, Key="a.mp4", Body=b"four")
        event = self.outputs(machine, 1)[0]
        self.assertEqual((event["version"], event["source"], event["detail-type"], event["account"]),
                         ("0", "aws.s3", "Object Created", self.server.account))
        self.assertEqual(event["resources"], ["arn:aws:s3:::" + self.name])
        self.assertEqual((event["detail"]["bucket"]["name"], event["detail"]["object"]["size"]), (self.name, 4))

    def test_killed_between_upload_and_start(self):
        machine = self.rule(UPLOADS, InputTransformer=TEMPLATE)
        self.bucket()
        for n in range(30):
            self.s3.put_object(Bucket=self.name, Key="films/%d" % n, Body=b"x")
        self.server.kill()
        self.server.start()
        self.connect()
        outputs = self.outputs(machine, 30)
        self.assertEqual(sorted(o["key"] for o in outputs), sorted("films/%d" % n for n in range(30)))

    def test_own_events(self):
        machine = self.rule({"source": ["my.app"], "detail": {"n": [{"numeric": [">=", 2]}]}},
                            InputPath="$.detail")
        answer = self.events.put_events(Entries=[
            {"Source": "my.app", "DetailType": "t", "Detail": json.dumps({"n": n})} for n in range(4)])
        self.assertEqual(answer["FailedEntryCount"], 0)
        self.assertEqual(sorted(o["n"] for o in self.outputs(machine, 2)), [2, 3])

    def test_own_bus_and_ends_of_executions(self):
        bus = self.events.create_event_bus(Name=self.name)["EventBusArn"]
        machine = self.rule({"source": ["aws.states"], "detail": {
            "status": ["SUCCEEDED"], "name": [{"prefix": "first"}]}}, InputPath="$.detail")
        first = self.sfn.create_state_machine(name=self.name + "-1", definition=json.dumps(ECHO), roleArn=ROLE)
        self.events.put_rule(Name="r", EventBusName=bus, EventPattern=json.dumps({"source": ["my.app"]}))
        self.events.put_targets(Rule="r", EventBusName=self.name, Targets=[
            {"Id": "t", "Arn": first["stateMachineArn"], "RoleArn": ROLE}])
        self.events.put_events(Entries=[{"Source": "my.app", "DetailType": "t", "Detail": "{}"}])
        self.events.put_events(Entries=[
            {"Source": "my.app", "DetailType": "t", "Detail": "{}", "EventBusName": self.name}])
        self.outputs(first["stateMachineArn"], 1)
        started = self.sfn.start_execution(stateMachineArn=first["stateMachineArn"], name="first-1",
                                           input='{"a": 1}')
        detail = self.outputs(machine, 1)[0]
        self.assertEqual((detail["executionArn"], detail["status"], detail["stateMachineArn"]),
                         (started["executionArn"], "SUCCEEDED", first["stateMachineArn"]))
        self.assertEqual((json.loads(detail["output"]), detail["inputDetails"], detail["error"]),
                         ({"a": 1}, {"included": True}, None))
        self.assertGreaterEqual(detail["stopDate"], detail["startDate"])
        self.events.remove_targets(Rule="r", EventBusName=self.name, Ids=["t"])
        self.events.delete_rule(Name="r", EventBusName=self.name)
        self.events.delete_event_bus(Name=self.name)

    def test_refusals(self):
        self.assert_error("InvalidEventPatternException", self.events.put_rule, Name="r", EventPattern='{"source": "x"}')
        self.assert_error("InvalidEventPatternException", self.events.put_rule, Name="r", EventPattern='{')
        self.assert_error("ValidationException", self.events.put_rule, Name="r", ScheduleExpression="rate(1 minutes)")
        self.assert_error("OperationDisabledException", self.events.list_archives)
        self.assert_error("ResourceNotFoundException", self.events.describe_rule, Name="none")
        self.rule(UPLOADS)
        self.assert_error("ValidationException", self.events.put_targets, Rule=self.name,
                          Targets=[{"Id": "q", "Arn": "arn:aws:sqs:us-east-1:012345678901:q"}])
        self.assert_error("ValidationException", self.events.delete_rule, Name=self.name)

    def test_pattern_by_cli(self):
        event = {"id": "1", "account": "1", "source": "a", "time": "2026-01-01T00:00:00Z", "region": "r",
                 "resources": [], "detail-type": "d"}
        answer = json.loads(self.server.aws("events", "test-event-pattern", "--event-pattern", '{"source": ["a"]}',
                                            "--event", json.dumps(event)).stdout)
        self.assertIs(answer["Result"], True)


if __name__ == "__main__":
    unittest.main()
