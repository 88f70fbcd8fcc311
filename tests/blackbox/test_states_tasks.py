# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tasks of Step Functions that others end, with real clients: tokens, activities and their long polls, executions
inside of executions, objects of S3, executions that are driven again; and kill -9 between."""
import concurrent.futures
import json
import socket
import threading
import time
import unittest
import urllib.error
import urllib.request

from states_case import LIMIT_SECONDS, ROLE, StatesCase, machine, signed


def task(resource, parameters=None, **more):
    state = {"Type": "Task", "Resource": resource, **more}
    if parameters is not None:
        state["Parameters"] = parameters
    if "Next" not in state:
        state["End"] = True
    return machine("Task", Task=state)


WAIT = machine("Wait", Wait={"Type": "Wait", "SecondsPath": "$.seconds", "Next": "End"},
               End={"Type": "Choice", "Default": "Good",
                    "Choices": [{"Variable": "$.fail", "IsPresent": True, "Next": "Bad"}]},
               Good={"Type": "Pass", "End": True}, Bad={"Type": "Fail", "Error": "Mine", "Cause": "as told"})


class Tasks(StatesCase):
    def connect(self):
        self.sfn = self.server.client("stepfunctions", read_timeout=70)
        self.s3 = self.server.client("s3")

    def create(self, definition, suffix=""):
        return self.sfn.create_state_machine(name=self.name + suffix, definition=json.dumps(definition),
                                             roleArn=ROLE)["stateMachineArn"]

    def start(self, arn, **data):
        return self.sfn.start_execution(stateMachineArn=arn, input=json.dumps(data))["executionArn"]

    def output(self, arn):
        answer = self.finish(arn)
        self.assertEqual(answer["status"], "SUCCEEDED", answer)
        return json.loads(answer["output"])

    def types(self, arn):
        return [event["type"] for event in self.history(arn)]

    def wait_for(self, arn, kind):
        until = time.monotonic() + LIMIT_SECONDS
        while kind not in self.types(arn):
            self.assertLess(time.monotonic(), until, self.types(arn))
            time.sleep(0.02)

    def call(self, action, **data):
        """An action that Debian's boto3 does not know. (answer, None) or (None, error)."""
        request = signed(self.server, action, data)
        try:
            with urllib.request.urlopen(urllib.request.Request(
                    request.url, request.data.encode(), dict(request.headers)), timeout=60) as answer:
                return json.load(answer), None
        except urllib.error.HTTPError as error:
            with error:
                return None, json.load(error)

    def poll(self, activity, worker="worker"):
        return self.sfn.get_activity_task(activityArn=activity, workerName=worker)

    # ---- activities ----

    def activity(self):
        return self.sfn.create_activity(name=self.name)["activityArn"]

    def test_activity(self):
        arn = self.activity()
        described = self.sfn.describe_activity(activityArn=arn)
        self.assertEqual(described["name"], self.name)
        self.assertIn(arn, [a["activityArn"] for page in self.sfn.get_paginator("list_activities").paginate(
            PaginationConfig={"PageSize": 1}) for a in page["activities"]])
        execution = self.start(self.create(task(arn, TimeoutSeconds=50, HeartbeatSeconds=40)), film="one")
        got = self.poll(arn)
        self.assertEqual(json.loads(got["input"]), {"film": "one"})
        self.sfn.send_task_heartbeat(taskToken=got["taskToken"])
        self.sfn.send_task_success(taskToken=got["taskToken"], output='{"done": true}')
        self.assertEqual(self.output(execution), {"done": True})
        events = self.history(execution)
        self.assertEqual([e["type"] for e in events],
                         ["ExecutionStarted", "TaskStateEntered", "ActivityScheduled", "ActivityStarted",
                          "ActivitySucceeded", "TaskStateExited", "ExecutionSucceeded"])
        self.assertEqual(events[2]["activityScheduledEventDetails"],
                         {"resource": arn, "input": '{"film":"one"}', "inputDetails": {"truncated": False},
                          "timeoutInSeconds": 50, "heartbeatInSeconds": 40})
        self.assertEqual(events[3]["activityStartedEventDetails"], {"workerName": "worker"})
        self.assertEqual(events[4]["activitySucceededEventDetails"],
                         {"output": '{"done":true}', "outputDetails": {"truncated": False}})
        self.sfn.delete_activity(activityArn=arn)
        self.assert_error("ActivityDoesNotExist", self.sfn.describe_activity, activityArn=arn)

    def test_long_poll(self):
        """A worker that waits is answered at once when a task comes; meanwhile many others wait without harm."""
        arn = self.activity()
        other = self.sfn.create_activity(name=self.name + "x")["activityArn"]
        made = self.create(task(arn))
        with concurrent.futures.ThreadPoolExecutor(60) as pool:
            idle = [pool.submit(self.server.client("stepfunctions", read_timeout=70, max_pool_connections=1)
                                .get_activity_task, activityArn=other) for _ in range(50)]
            waiting = pool.submit(self.poll, arn)
            time.sleep(0.5)
            self.assertFalse(waiting.done())
            begun = time.monotonic()
            execution = self.start(made, n=1)  # answered, though more wait than the server has threads
            got = waiting.result(10)
            self.assertLess(time.monotonic() - begun, 5)
            self.sfn.send_task_failure(taskToken=got["taskToken"], error="Broken", cause="the paint is dry")
            answer = self.finish(execution)
            self.assertEqual((answer["error"], answer["cause"]), ("Broken", "the paint is dry"))
            self.assertFalse(any(i.done() for i in idle))
            self.server.terminate()  # lets go of those that wait
            for i in idle:
                i.exception(60)
        self.server.start()

    def test_worker_that_went_away(self):
        """A task is not given to a worker whose connection is closed."""
        arn = self.activity()
        made = self.create(task(arn))
        for _ in range(3):
            host, port = self.server.endpoint[7:].split(":")
            request = signed(self.server, "GetActivityTask", {"activityArn": arn})
            with socket.create_connection((host, int(port))) as worker:
                lines = ["POST / HTTP/1.1", "Content-Length: %d" % len(request.data)]
                lines += ["%s: %s" % field for field in request.headers.items() if field[0] != "Content-Length"]
                worker.sendall("\r\n".join(lines + ["", request.data]).encode())
                time.sleep(0.2)
        execution = self.start(made, n=1)
        self.wait_for(execution, "ActivityScheduled")
        got = self.poll(arn)
        self.sfn.send_task_success(taskToken=got["taskToken"], output=got["input"])
        self.assertEqual(self.output(execution), {"n": 1})

    def test_each_task_once(self):
        arn = self.activity()
        made = self.create(task(arn))
        executions = [self.start(made, n=n) for n in range(12)]
        taken = []
        lock = threading.Lock()

        def work(_):
            client = self.server.client("stepfunctions", read_timeout=70)
            while True:
                with lock:
                    if len(taken) >= 12:
                        return
                got = client.get_activity_task(activityArn=arn)
                if not got.get("taskToken"):
                    return
                with lock:
                    taken.append(json.loads(got["input"])["n"])
                client.send_task_success(taskToken=got["taskToken"], output=got["input"])
                if len(taken) + 3 >= 12:
                    return

        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            list(pool.map(work, range(4)))
        while len(taken) < 12:
            got = self.poll(arn)
            taken.append(json.loads(got["input"])["n"])
            self.sfn.send_task_success(taskToken=got["taskToken"], output=got["input"])
        self.assertEqual(sorted(taken), list(range(12)))
        for n, execution in enumerate(executions):
            self.assertEqual(self.output(execution), {"n": n})

    def test_heart_stops(self):
        arn = self.activity()
        execution = self.start(self.create(task(arn, HeartbeatSeconds=1, TimeoutSeconds=30)))
        token = self.poll(arn)["taskToken"]
        answer = self.finish(execution)
        self.assertEqual(answer["error"], "States.Timeout")
        self.assertNotIn("cause", answer)
        self.assertIn("ActivityTimedOut", self.types(execution))
        message = self.assert_error("TaskTimedOut", self.sfn.send_task_success, taskToken=token, output="1")
        self.assertEqual(message, "Task Timed Out: '%s'" % arn)

    # ---- tokens ----

    def ask(self, child, **more):
        """A machine that starts another and waits for the token to come back."""
        return task("arn:aws:states:::states:startExecution.waitForTaskToken",
                    {"StateMachineArn": child, "Name": self.name,
                     "Input": {"token.$": "$$.Task.Token", "seconds": 0}}, **more)

    def token_of(self, child):
        arn = child.replace(":stateMachine:", ":execution:") + ":" + self.name
        until = time.monotonic() + LIMIT_SECONDS
        while True:
            try:
                return json.loads(self.sfn.describe_execution(executionArn=arn)["input"])["token"]
            except self.sfn.exceptions.ExecutionDoesNotExist:
                self.assertLess(time.monotonic(), until)

    def test_token(self):
        child = self.create(WAIT, "c")
        execution = self.start(self.create(self.ask(child)))
        token = self.token_of(child)
        self.wait_for(execution, "TaskSubmitted")
        self.server.kill()
        self.server.start()
        self.connect()
        self.assert_error("InvalidOutput", self.sfn.send_task_success, taskToken=token, output="{")
        self.assert_error("InvalidToken", self.sfn.send_task_success, taskToken="nonsense", output="1")
        self.sfn.send_task_success(taskToken=token, output='{"answer": 42}')
        self.server.kill()
        self.server.start()
        self.connect()
        self.assertEqual(self.output(execution), {"answer": 42})
        events = self.history(execution)
        self.assertEqual([e["type"] for e in events][2:6],
                         ["TaskScheduled", "TaskStarted", "TaskSubmitted", "TaskSucceeded"])
        self.assertEqual({k: events[5]["taskSucceededEventDetails"][k] for k in ("resourceType", "resource")},
                         {"resourceType": "states", "resource": "startExecution.waitForTaskToken"})
        submitted = json.loads(events[4]["taskSubmittedEventDetails"]["output"])
        self.assertEqual(sorted(submitted), ["ExecutionArn", "SdkHttpMetadata", "SdkResponseMetadata", "StartDate"])
        self.assertEqual(submitted["SdkHttpMetadata"]["HttpStatusCode"], 200)

    def test_token_fails_and_is_caught(self):
        child = self.create(WAIT, "c")
        definition = self.ask(child, Catch=[{"ErrorEquals": ["Film.Broken"], "Next": "Caught"}])
        definition["States"]["Caught"] = {"Type": "Pass", "End": True}
        execution = self.start(self.create(definition))
        self.sfn.send_task_failure(taskToken=self.token_of(child), error="Film.Broken", cause="no frames")
        self.assertEqual(self.output(execution), {"Error": "Film.Broken", "Cause": "no frames"})

    def test_a_machine_answers(self):
        """The child sends the parent's token back itself."""
        child = self.create(task("arn:aws:states:::aws-sdk:sfn:sendTaskSuccess",
                                 {"TaskToken.$": "$.token", "Output": {"from": "child"}}), "c")
        self.assertEqual(self.output(self.start(self.create(self.ask(child)))), {"from": "child"})

    def test_heartbeats(self):
        child = self.create(WAIT, "c")
        execution = self.start(self.create(self.ask(child, HeartbeatSeconds=2)))
        token = self.token_of(child)
        for _ in range(4):
            time.sleep(0.8)
            self.sfn.send_task_heartbeat(taskToken=token)
        self.assertEqual(self.sfn.describe_execution(executionArn=execution)["status"], "RUNNING")
        self.assertEqual(self.finish(execution)["error"], "States.Timeout")

    # ---- executions of executions ----

    def test_sync(self):
        child = self.create(WAIT, "c")
        call = {"StateMachineArn": child, "Input": {"seconds": 0, "Film": {"Title": 1}}}
        one = self.output(self.start(self.create(task("arn:aws:states:::states:startExecution.sync", call), "1")))
        two = self.output(self.start(self.create(task("arn:aws:states:::states:startExecution.sync:2", call), "2")))
        self.assertEqual(list(one), ["ExecutionArn", "Input", "InputDetails", "Name", "Output", "OutputDetails",
                                     "RedriveCount", "RedriveStatus", "RedriveStatusReason", "StartDate",
                                     "StateMachineArn", "Status", "StopDate"])
        self.assertEqual(json.loads(one["Output"]), {"seconds": 0, "Film": {"Title": 1}})
        self.assertEqual(two["Output"], {"seconds": 0, "Film": {"Title": 1}})
        self.assertEqual(two["Status"], "SUCCEEDED")
        self.assertIsInstance(one["StartDate"], int)

    def test_sync_fails(self):
        child = self.create(WAIT, "c")
        execution = self.start(self.create(task("arn:aws:states:::states:startExecution.sync", {
            "StateMachineArn": child, "Input": {"seconds": 0, "fail": 1}})))
        answer = self.finish(execution)
        self.assertEqual(answer["error"], "States.TaskFailed")
        cause = json.loads(answer["cause"])
        self.assertEqual((cause["Error"], cause["Cause"], cause["Status"]), ("Mine", "as told", "FAILED"))
        self.assertEqual(cause["RedriveStatus"], "REDRIVABLE")

    def test_stop_stops_the_child(self):
        child = self.create(WAIT, "c")
        execution = self.start(self.create(task("arn:aws:states:::states:startExecution.sync", {
            "StateMachineArn": child, "Name": self.name, "Input": {"seconds": 3600}})))
        self.wait_for(execution, "TaskSubmitted")
        self.sfn.stop_execution(executionArn=execution)
        arn = child.replace(":stateMachine:", ":execution:") + ":" + self.name
        self.assertEqual(self.finish(arn)["status"], "ABORTED")

    def test_name_is_taken(self):
        child = self.create(WAIT, "c")
        call = {"StateMachineArn": child, "Name": self.name, "Input": {"seconds": 0}}
        made = self.create(task("arn:aws:states:::states:startExecution", call))
        self.output(self.start(made))
        self.finish(child.replace(":stateMachine:", ":execution:") + ":" + self.name)
        answer = self.finish(self.start(made, another=1))
        self.assertEqual(answer["error"], "StepFunctions.ExecutionAlreadyExistsException")
        self.assertRegex(answer["cause"], r"\(Service: AWSStepFunctions; Status Code: 400; Error Code: "
                                          r"ExecutionAlreadyExists; Request ID: [0-9a-f-]{36}; Proxy: null\)$")

    # ---- S3 ----

    def test_objects(self):
        bucket = "films-" + str(time.time_ns())
        self.s3.create_bucket(Bucket=bucket)
        sdk = "arn:aws:states:::aws-sdk:s3:"
        states = {
            "Put": {"Type": "Task", "Resource": sdk + "putObject", "ResultPath": None, "Next": "Copy",
                    "Parameters": {"Bucket": bucket, "Key": "in/a b.json", "Body.$": "$.data",
                                   "ContentType": "application/json"}},
            "Copy": {"Type": "Task", "Resource": sdk + "copyObject", "ResultPath": None, "Next": "Delete",
                     "Parameters": {"Bucket": bucket, "Key": "out/c.json", "CopySource": bucket + "/in/a%20b.json"}},
            "Delete": {"Type": "Task", "Resource": sdk + "deleteObject", "ResultPath": None, "Next": "List",
                       "Parameters": {"Bucket": bucket, "Key": "in/a b.json"}},
            "List": {"Type": "Task", "Resource": sdk + "listObjectsV2", "Next": "Get", "ResultPath": "$.list",
                     "Parameters": {"Bucket": bucket}},
            "Get": {"Type": "Task", "Resource": sdk + "getObject", "ResultPath": "$.got", "Next": "None",
                    "Parameters": {"Bucket": bucket, "Key.$": "$.list.Contents[0].Key"}},
            "None": {"Type": "Task", "Resource": sdk + "headObject", "End": True,
                     "Parameters": {"Bucket": bucket, "Key": "in/a b.json"},
                     "Catch": [{"ErrorEquals": ["S3.NoSuchKeyException"], "ResultPath": "$.none", "Next": "End"}]},
            "End": {"Type": "Pass", "End": True}}
        out = self.output(self.start(self.create(machine("Put", **states)), data={"frames": [1, 2]}))
        self.assertEqual(json.loads(out["got"]["Body"]), {"frames": [1, 2]})
        self.assertEqual(out["got"]["ContentType"], "application/json")
        self.assertEqual(out["list"]["KeyCount"], 1)
        self.assertIn("Status Code: 404", out["none"]["Cause"])
        self.assertEqual(self.s3.get_object(Bucket=bucket, Key="out/c.json")["Body"].read(), b'{"frames":[1,2]}')

    def test_object_too_long(self):
        bucket = "films-" + str(time.time_ns())
        self.s3.create_bucket(Bucket=bucket)
        self.s3.put_object(Bucket=bucket, Key="k", Body=b"x" * 300000)
        answer = self.finish(self.start(self.create(task("arn:aws:states:::aws-sdk:s3:getObject",
                                                         {"Bucket": bucket, "Key": "k"}))))
        self.assertEqual(answer["error"], "States.DataLimitExceeded")

    # ---- driven again ----

    def test_redrive(self):
        bucket = "films-" + str(time.time_ns())
        execution = self.start(self.create(machine(
            "First", First={"Type": "Pass", "Result": {"a": 1}, "Next": "Put"},
            Put={"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:s3:putObject", "End": True,
                 "Parameters": {"Bucket": bucket, "Key": "k", "Body.$": "$.a"}, "ResultPath": "$.put"})))
        self.assertEqual(self.finish(execution)["error"], "S3.NoSuchBucketException")
        self.assertEqual(self.call("DescribeExecution", executionArn=execution)[0]["redriveStatus"], "REDRIVABLE")
        self.s3.create_bucket(Bucket=bucket)
        self.server.kill()
        self.server.start()
        self.connect()
        self.assertIn("redriveDate", self.call("RedriveExecution", executionArn=execution)[0])
        self.assertEqual(self.output(execution)["a"], 1)
        self.assertEqual(self.types(execution),
                         ["ExecutionStarted", "PassStateEntered", "PassStateExited", "TaskStateEntered",
                          "TaskScheduled", "TaskStarted", "TaskFailed", "ExecutionFailed", "ExecutionRedriven",
                          "TaskScheduled", "TaskStarted", "TaskSucceeded", "TaskStateExited", "ExecutionSucceeded"])
        events = self.call("GetExecutionHistory", executionArn=execution)[0]["events"]
        self.assertEqual(events[8]["executionRedrivenEventDetails"], {"redriveCount": 1})
        error = self.call("RedriveExecution", executionArn=execution)[1]
        self.assertEqual(error["__type"], "ExecutionNotRedrivable")
        self.assertIn("SUCCEEDED", error["message"])


if __name__ == "__main__":
    unittest.main()
