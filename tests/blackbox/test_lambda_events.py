# SPDX-License-Identifier: LGPL-2.1-or-later
"""What invokes functions without waiting, or from within: the queue with its retries and destinations, buckets, state
machines."""
import base64
import gzip
import json
import time
import unittest

from lambda_case import BOOTSTRAP, LambdaCase, archive


class Queue(LambdaCase):
    def send(self, payload, name=None):
        answer = self.functions.invoke(FunctionName=name or self.name, InvocationType="Event", Payload=json.dumps(payload))
        self.assertEqual((answer["StatusCode"], answer["Payload"].read()), (202, b""))

    def test_events_run(self):
        self.make()
        for i in range(20):
            self.send({"i": i})
        self.wait(lambda: len(self.events_of()) >= 20)
        self.assertEqual(sorted(e["i"] for e in self.events_of()), list(range(20)))

    def test_retries_and_failure_destination(self):
        self.s3.create_bucket(Bucket="failures")
        self.make()
        arn = self.make(name=self.name + "-to")["FunctionArn"]
        self.functions.put_function_event_invoke_config(
            FunctionName=self.name, DestinationConfig={"OnFailure": {"Destination": arn},
                                                       "OnSuccess": {"Destination": arn}})
        self.send({"do": "fail", "message": "m"})
        record = self.wait(lambda: self.events_with_log(self.name + "-to"))
        self.assertEqual(len(self.events_of()), 3, "one call and two more")
        self.assertIn("RetriesExhausted", record)
        self.send({"fine": 1})
        self.wait(lambda: "Success" in self.log_of(self.name + "-to"))
        self.functions.put_function_event_invoke_config(
            FunctionName=self.name, MaximumRetryAttempts=0,
            DestinationConfig={"OnFailure": {"Destination": "arn:aws:s3:::failures"}})
        self.send({"do": "fail", "message": "to the bucket"})
        listed = self.wait(lambda: self.s3.list_objects_v2(Bucket="failures").get("Contents"))
        record = json.loads(self.s3.get_object(Bucket="failures", Key=listed[0]["Key"])["Body"].read())
        self.assertTrue(listed[0]["Key"].startswith("aws/lambda/async/%s/20" % self.name), listed)
        self.assertEqual((record["version"], record["requestContext"]["condition"],
                          record["requestContext"]["approximateInvokeCount"], record["requestPayload"]["message"],
                          record["responseContext"], record["responsePayload"]["errorType"]),
                         ("1.0", "RetriesExhausted", 1, "to the bucket",
                          {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"}, "Custom"))

    def events_with_log(self, name):
        text = self.log_of(name)
        return text if "RetriesExhausted" in text else None

    def test_queue_outlives_a_kill(self):
        self.make()
        self.functions.put_function_concurrency(FunctionName=self.name, ReservedConcurrentExecutions=0)
        for i in range(5):
            self.send({"i": i})
        self.server.kill()
        self.server.start()
        self.connect()
        self.functions.delete_function_concurrency(FunctionName=self.name)
        self.wait(lambda: len(self.events_of()) >= 5)


class Buckets(LambdaCase):
    def configure(self, bucket, arn, **more):
        self.s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={
            "LambdaFunctionConfigurations": [dict(LambdaFunctionArn=arn, Events=["s3:ObjectCreated:*"], **more)]})

    def test_upload_invokes(self):
        self.s3.create_bucket(Bucket="films")
        arn = self.make()["FunctionArn"]
        message = self.refused("InvalidArgument", 400, self.configure, "films", arn)
        self.assertIn("Unable to validate the following destination configurations", message)
        self.refused("InvalidArgument", 400, self.configure, "films", arn + "x")
        self.functions.add_permission(FunctionName=self.name, StatementId="s3", Action="lambda:InvokeFunction",
                                      Principal="s3.amazonaws.com", SourceArn="arn:aws:s3:::films",
                                      SourceAccount=self.server.account)
        self.configure("films", arn, Filter={"Key": {"FilterRules": [{"Name": "prefix", "Value": "in/"}]}})
        self.s3.put_object(Bucket="films", Key="in/a b.mp4", Body=b"four")
        self.s3.put_object(Bucket="films", Key="out/x", Body=b"x")
        self.wait(lambda: "in/a+b.mp4" in self.log_of())
        self.assertNotIn("out/x", self.log_of())
        self.functions.remove_permission(FunctionName=self.name, StatementId="s3")
        self.s3.put_object(Bucket="films", Key="in/late", Body=b"x")
        self.wait(lambda: "is dropped: AccessDeniedException" in self.server.log_text())


    def test_loop_is_cut(self):
        """A function that puts into its own bucket what comes back to it: 16 rounds, and no more."""
        self.s3.create_bucket(Bucket="loops")
        code = BOOTSTRAP.replace("MARKER", "1").replace("    do = event", """    url = os.environ["AWS_ENDPOINT_URL"] + "/loops/" + id
    urllib.request.urlopen(urllib.request.Request(url, data=b"x", method="PUT", headers={
        "X-Amzn-Trace-Id": answer.headers["Lambda-Runtime-Trace-Id"]})).read()
    do = event""")
        self.s3.delete_public_access_block(Bucket="loops")
        self.s3.put_bucket_policy(Bucket="loops", Policy=json.dumps({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": "*", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::loops/*"}]}))
        arn = self.make(zipped=archive({"bootstrap": code}))["FunctionArn"]
        self.functions.add_permission(FunctionName=self.name, StatementId="s3", Action="lambda:InvokeFunction",
                                      Principal="s3.amazonaws.com", SourceArn="arn:aws:s3:::loops")
        self.configure("loops", arn)
        self.s3.put_object(Bucket="loops", Key="first", Body=b"x")
        self.wait(lambda: "a recursive loop, the event is dropped" in self.server.log_text())
        self.assertEqual(len(self.s3.list_objects_v2(Bucket="loops")["Contents"]), 17)


class Subscriptions(LambdaCase):
    def put(self, group, arn, pattern=""):
        self.logs.put_subscription_filter(logGroupName=group, filterName="f", filterPattern=pattern, destinationArn=arn)

    def test_lines_are_sent(self):
        arn = self.make()["FunctionArn"]
        self.logs.create_log_group(logGroupName="films")
        self.logs.create_log_stream(logGroupName="films", logStreamName="s")
        message = self.assert_error("InvalidParameterException", self.put, "films", arn)
        self.assertIn("Make sure you have given CloudWatch Logs permission", message)
        self.functions.add_permission(FunctionName=self.name, StatementId="l", Action="lambda:InvokeFunction",
                                      Principal="logs.amazonaws.com",
                                      SourceArn="arn:aws:logs:us-east-1:012345678901:log-group:films:*")
        self.assert_error("InvalidParameterException", self.put, "films", "arn:aws:kinesis:us-east-1:012345678901:stream/x")
        self.put("films", arn, "ERROR")
        self.assertEqual(self.logs.describe_subscription_filters(logGroupName="films")["subscriptionFilters"][0][
            "destinationArn"], arn)
        now = int(time.time() * 1000)
        self.logs.put_log_events(logGroupName="films", logStreamName="s", logEvents=[
            {"timestamp": now, "message": "ERROR disk"}, {"timestamp": now, "message": "fine"}])
        event = self.wait(self.events_of)[0]
        record = json.loads(gzip.decompress(base64.b64decode(event["awslogs"]["data"])))
        self.assertEqual((record["messageType"], record["owner"], record["logGroup"], record["logStream"],
                          record["subscriptionFilters"], [e["message"] for e in record["logEvents"]]),
                         ("DATA_MESSAGE", self.server.account, "films", "s", ["f"], ["ERROR disk"]))
        self.logs.delete_subscription_filter(logGroupName="films", filterName="f")
        self.assert_error("ResourceNotFoundException", self.logs.delete_subscription_filter, logGroupName="films",
                          filterName="f")
        self.logs.delete_log_group(logGroupName="films")


class Machines(LambdaCase):
    def run_machine(self, state, given, kind="STANDARD"):
        machine = self.sfn.create_state_machine(
            name=self.name + str(time.time_ns() % 10 ** 9), roleArn=self.role, type="STANDARD",
            definition=json.dumps({"StartAt": "F", "States": {"F": dict(state, Type="Task", End=True)}}))
        run = self.sfn.start_execution(stateMachineArn=machine["stateMachineArn"], input=json.dumps(given))
        done = self.wait(lambda: self.ended(run["executionArn"]))
        events = self.sfn.get_execution_history(executionArn=run["executionArn"])["events"]
        return done, [e["type"] for e in events]

    def ended(self, arn):
        found = self.sfn.describe_execution(executionArn=arn)
        return found if found["status"] != "RUNNING" else None

    def test_function_arn(self):
        arn = self.make()["FunctionArn"]
        done, types = self.run_machine({"Resource": arn}, {"a": 1})
        self.assertEqual((done["status"], json.loads(done["output"])), ("SUCCEEDED", {"event": {"a": 1}, "marker": "one"}))
        for type_ in ("LambdaFunctionScheduled", "LambdaFunctionStarted", "LambdaFunctionSucceeded"):
            self.assertIn(type_, types)
        done, types = self.run_machine({"Resource": arn}, {"do": "fail", "message": "m"})
        self.assertEqual((done["status"], done["error"], json.loads(done["cause"])["errorMessage"]),
                         ("FAILED", "Custom", "m"))
        self.assertIn("LambdaFunctionFailed", types)

    def test_invoke(self):
        self.make()
        state = {"Resource": "arn:aws:states:::lambda:invoke",
                 "Parameters": {"FunctionName": self.name, "Payload.$": "$"}}
        done, _ = self.run_machine(state, {"a": 1})
        output = json.loads(done["output"])
        self.assertEqual((output["Payload"]["event"], output["StatusCode"], output["ExecutedVersion"],
                          output["SdkHttpMetadata"]["HttpStatusCode"]), ({"a": 1}, 200, "$LATEST", 200))
        done, _ = self.run_machine(state, {"do": "exit"})
        self.assertEqual(done["error"], "Runtime.ExitError")
        missing = dict(state, Parameters={"FunctionName": self.name + "x"})
        done, _ = self.run_machine(missing, {})
        self.assertEqual(done["error"], "Lambda.ResourceNotFoundException")

    def test_sdk_form(self):
        self.make()
        done, _ = self.run_machine({"Resource": "arn:aws:states:::aws-sdk:lambda:invoke",
                                    "Parameters": {"FunctionName": self.name, "Payload": {"b": 2}}}, {})
        output = json.loads(done["output"])
        self.assertEqual((json.loads(output["Payload"])["event"], output["StatusCode"]), ({"b": 2}, 200))

    def test_token(self):
        self.make()
        state = {"Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken", "TimeoutSeconds": 30,
                 "Parameters": {"FunctionName": self.name, "Payload": {"token.$": "$$.Task.Token"}}}
        machine = self.sfn.create_state_machine(
            name=self.name, roleArn=self.role,
            definition=json.dumps({"StartAt": "F", "States": {"F": dict(state, Type="Task", End=True)}}))
        run = self.sfn.start_execution(stateMachineArn=machine["stateMachineArn"], input="{}")
        text = self.wait(lambda: "token" in self.log_of() and self.log_of())
        token = text.split('"token": "')[1].split('"')[0]
        self.assertTrue(token)
        kinds = self.wait(lambda: [e for e in self.sfn.get_execution_history(
            executionArn=run["executionArn"])["events"] if e["type"] == "TaskSubmitted"])
        self.assertEqual(len(kinds), 1)
        self.sfn.stop_execution(executionArn=run["executionArn"])

    def test_not_allowed(self):
        self.make()
        poor = self.server.role("poor" + self.name[-6:], trusts=("states",))
        machine = self.sfn.create_state_machine(
            name=self.name, roleArn=poor, definition=json.dumps({"StartAt": "F", "States": {"F": {
                "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": True,
                "Parameters": {"FunctionName": self.name}}}}))
        run = self.sfn.start_execution(stateMachineArn=machine["stateMachineArn"], input="{}")
        done = self.wait(lambda: self.ended(run["executionArn"]))
        self.assertEqual(done["error"], "Lambda.AWSLambdaException")


if __name__ == "__main__":
    unittest.main()
