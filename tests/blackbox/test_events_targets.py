# SPDX-License-Identifier: LGPL-2.1-or-later
"""EventBridge's targets outside the server: webhooks with a signature, dead letters, and what is left after a kill."""
import hashlib
import hmac
import http.server
import io
import json
import shutil
import threading
import time
import unittest
import zipfile

from server import ServerCase

ROLE = "arn:aws:iam::012345678901:role/machines"
LIMIT_SECONDS = 30
SECRET = "a secret of the webhook"


class Hook(http.server.BaseHTTPRequestHandler):
    """Answers with the next of server.answers, 200 when there is none; keeps what came."""
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with self.server.lock:
            self.server.calls.append((self.path, dict(self.headers), body))
            code = self.server.answers.pop(0) if self.server.answers else self.server.otherwise
        self.send_response(code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass


class Targets(ServerCase):
    roles = ("machines",)

    def setUp(self):
        super().setUp()
        self.name = self.id().rsplit(".", 1)[1].replace("_", "-")[:40] + str(time.time_ns() % 1000000)
        self.hook = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
        self.hook.calls, self.hook.answers, self.hook.otherwise = [], [], 200
        self.hook.lock = threading.Lock()
        self.hook.handle_error = lambda *_: None  # a server that is killed closes its connections
        threading.Thread(target=self.hook.serve_forever, daemon=True).start()

    def tearDown(self):
        self.hook.shutdown()
        self.hook.server_close()
        if self.events.list_rules(NamePrefix=self.name)["Rules"]:
            self.events.remove_targets(Rule=self.name, Ids=["t"])
            self.events.delete_rule(Name=self.name)

    def connect(self):
        self.s3, self.events = self.server.client("s3"), self.server.client("events")

    def wait_for(self, found, what):
        until = time.monotonic() + LIMIT_SECONDS
        while not found():
            self.assertLess(time.monotonic(), until, "%s; log: %s" % (what, self.server.log_text()[-3000:]))
            time.sleep(0.02)

    def destination(self, path="/hook", key_name="Spyhop-Signature", **more):
        connection = self.events.create_connection(
            Name=self.name, AuthorizationType="API_KEY",
            AuthParameters={"ApiKeyAuthParameters": {"ApiKeyName": key_name, "ApiKeyValue": SECRET}})
        answer = self.events.create_api_destination(
            Name=self.name, ConnectionArn=connection["ConnectionArn"], HttpMethod="POST",
            InvocationEndpoint="http://127.0.0.1:%d%s" % (self.hook.server_address[1], path), **more)
        return answer["ApiDestinationArn"]

    def rule(self, arn, **target):
        self.events.put_rule(Name=self.name, EventPattern=json.dumps({"source": [self.name]}))
        answer = self.events.put_targets(Rule=self.name, Targets=[dict(target, Id="t", Arn=arn, RoleArn=ROLE)])
        self.assertEqual(answer["FailedEntryCount"], 0)

    def put(self, *numbers, resource=None):
        answer = self.events.put_events(Entries=[
            {"Source": self.name, "DetailType": "t", "Detail": json.dumps({"n": n}),
             "Resources": [resource] if resource else []} for n in numbers])
        self.assertEqual(answer["FailedEntryCount"], 0)

    def numbers(self):
        with self.hook.lock:
            return [json.loads(body)["detail"]["n"] for _, _, body in self.hook.calls]

    def check_signature(self, headers, body):
        when, mac = (part.split("=", 1)[1] for part in headers["Spyhop-Signature"].split(","))
        wanted = hmac.new(SECRET.encode(), when.encode() + b"." + body, hashlib.sha256).hexdigest()
        self.assertEqual(mac, wanted)
        self.assertLess(abs(int(when) - time.time()), 60)

    def test_signed_call(self):
        self.rule(self.destination(path="/a/*/b"),
                  HttpParameters={"PathParameterValues": ["$.detail.n"], "HeaderParameters": {"X-One": "two"},
                                  "QueryStringParameters": {"q": "x y&z"}})
        self.put("in/ü 1")
        self.wait_for(lambda: self.hook.calls, "no call came")
        path, headers, body = self.hook.calls[0]
        self.assertEqual(path, "/a/in%2F%C3%BC%201/b?q=x%20y%26z")
        self.assertEqual((headers["X-One"], headers["Content-Type"]), ("two", "application/json; charset=utf-8"))
        self.check_signature(headers, body)
        self.assertEqual(headers["Spyhop-Event"], json.loads(body)["id"])
        self.assertNotIn(SECRET, str(headers))

    def test_key_is_sent_by_its_name(self):
        self.rule(self.destination(key_name="X-Api-Key"))
        self.put(1)
        self.wait_for(lambda: self.hook.calls, "no call came")
        self.assertEqual(self.hook.calls[0][1]["X-Api-Key"], SECRET)
        self.check_signature(*self.hook.calls[0][1:])

    def test_retried_in_order(self):
        self.hook.answers = [503, 429]
        self.rule(self.destination())
        self.put(1, 2, 3, resource="one thing")
        self.put(4, resource="another thing")
        self.wait_for(lambda: len(self.hook.calls) >= 6, "not all calls came")
        numbers = [n for n in self.numbers() if n != 4]
        self.assertEqual(sorted(set(self.numbers())), [1, 2, 3, 4])
        self.assertEqual(sorted(numbers), numbers, "out of order")

    def test_dead_letter(self):
        bucket = self.name.lower()
        self.s3.create_bucket(Bucket=bucket)
        self.hook.otherwise = 400
        self.rule(self.destination(), DeadLetterConfig={"Arn": "arn:aws:s3:::%s/dead" % bucket})
        self.put(7)
        self.wait_for(lambda: self.s3.list_objects_v2(Bucket=bucket)["KeyCount"], "no dead letter came")
        key = self.s3.list_objects_v2(Bucket=bucket)["Contents"][0]["Key"]
        self.assertTrue(key.startswith("dead/") and self.name in key, key)
        letter = self.s3.get_object(Bucket=bucket, Key=key)
        self.assertEqual(json.loads(letter["Body"].read())["detail"], {"n": 7})
        self.assertEqual(letter["Metadata"]["error_code"], "HTTP400")
        self.assertEqual(letter["Metadata"]["rule_arn"].rsplit("/", 1)[1], self.name)

    def test_none_is_lost_by_a_kill(self):
        self.hook.otherwise = 503
        self.rule(self.destination())
        self.put(*range(10))
        self.wait_for(lambda: self.hook.calls, "no call came")
        self.server.kill()
        self.hook.otherwise = 200
        self.hook.calls.clear()
        self.server.start()
        self.connect()
        self.wait_for(lambda: set(self.numbers()) == set(range(10)), "some events are lost")

    def test_server_that_is_not_there(self):
        self.hook.server_close()
        self.rule(self.destination(), RetryPolicy={"MaximumRetryAttempts": 0})
        self.put(1)
        self.wait_for(lambda: "ConnectionFailure" in self.server.log_text(), "no failure is told")

    def function(self):
        """A function that logs what it is given, and the group of its log."""
        handler = 'exports.handler = async event => { console.log("GOT " + JSON.stringify(event)); };'
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            archive.writestr("index.js", handler)
        functions, iam = self.server.client("lambda"), self.server.client("iam")
        role = iam.create_role(RoleName=self.name, AssumeRolePolicyDocument=json.dumps({
            "Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
                                                    "Principal": {"Service": "lambda.amazonaws.com"}}]}))
        iam.put_role_policy(RoleName=self.name, PolicyName="logs", PolicyDocument=json.dumps({
            "Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "logs:*", "Resource": "*"}]}))
        made = functions.create_function(FunctionName=self.name, Runtime="nodejs18.x", Role=role["Role"]["Arn"],
                                         Handler="index.handler", Code={"ZipFile": code.getvalue()})
        functions.get_waiter("function_active_v2").wait(FunctionName=self.name)
        return functions, made["FunctionArn"], "/aws/lambda/" + self.name

    def logged(self, group, text):
        logs = self.server.client("logs")
        try:
            events = logs.filter_log_events(logGroupName=group)["events"]
        except logs.exceptions.ResourceNotFoundException:
            return []
        return [e["message"] for e in events if text in e["message"]]

    @unittest.skipUnless(shutil.which("node"), "no Node.js")
    def test_function(self):
        functions, arn, group = self.function()
        self.events.put_rule(Name=self.name, EventPattern=json.dumps({"source": [self.name]}))
        rule = self.events.describe_rule(Name=self.name)["Arn"]
        self.events.put_targets(Rule=self.name, Targets=[{"Id": "t", "Arn": arn}])
        self.put(1)
        self.wait_for(lambda: "AccessDeniedException" in self.server.log_text(), "a function ran without permission")
        functions.add_permission(FunctionName=self.name, StatementId="events", Action="lambda:InvokeFunction",
                                 Principal="events.amazonaws.com", SourceArn=rule)
        self.put(2)
        self.wait_for(lambda: self.logged(group, "GOT"), "the function was not invoked")
        lines = self.logged(group, "GOT")
        self.assertEqual([json.loads(line.split("GOT ")[1])["detail"] for line in lines], [{"n": 2}])

    def test_run_command_and_bus_by_cli(self):
        listed = json.loads(self.server.aws("events", "list-event-buses").stdout)["EventBuses"]
        self.assertIn("default", [bus["Name"] for bus in listed])
        self.server.aws("events", "put-rule", "--name", self.name, "--schedule-expression", "cron(0 3 ? * SUN *)")
        rule = json.loads(self.server.aws("events", "describe-rule", "--name", self.name).stdout)
        self.assertEqual(rule["ScheduleExpression"], "cron(0 3 ? * SUN *)")
        answer = json.loads(self.server.aws(
            "events", "put-targets", "--rule", self.name, "--targets", json.dumps([{
                "Id": "t", "Arn": "arn:aws:ssm:us-east-1::document/AWS-RunShellScript", "RoleArn": ROLE,
                "Input": json.dumps({"commands": ["true"]}),
                "RunCommandParameters": {"RunCommandTargets": [
                    {"Key": "InstanceIds", "Values": ["i-00000000000000001"]}]}}])).stdout)
        self.assertEqual(answer["FailedEntryCount"], 0)


if __name__ == "__main__":
    unittest.main()
