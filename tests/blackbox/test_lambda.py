# SPDX-License-Identifier: LGPL-2.1-or-later
"""Lambda with boto3 and the AWS CLI: functions, versions, aliases, permissions, Invoke, what is refused."""
import base64
import io
import json
import os
import pathlib
import unittest
import zipfile

from lambda_case import LambdaCase, archive


class Functions(LambdaCase):
    def test_life(self):
        made = self.make(Description="d", Environment={"Variables": {"SHADE": "blue"}}, Tags={"a": "b"})
        arn = "arn:aws:lambda:us-east-1:012345678901:function:" + self.name
        self.assertEqual((made["FunctionArn"], made["State"], made["Version"], made["Timeout"], made["MemorySize"],
                          made["ResponseMetadata"]["HTTPStatusCode"]), (arn, "Active", "$LATEST", 20, 128, 201))
        self.assertNotIn("Folder", made)
        found = self.functions.get_function(FunctionName=arn)
        self.assertEqual((found["Configuration"]["CodeSha256"], found["Tags"]), (made["CodeSha256"], {"a": "b"}))
        self.assertIn(self.name, [f["FunctionName"] for f in self.functions.list_functions()["Functions"]])
        changed = self.functions.update_function_configuration(FunctionName=self.name, Timeout=5, MemorySize=256)
        self.assertEqual((changed["Timeout"], changed["MemorySize"], changed["Description"]), (5, 256, "d"))
        self.assertNotEqual(changed["RevisionId"], made["RevisionId"])
        self.functions.get_waiter("function_updated").wait(FunctionName=self.name)
        self.functions.get_waiter("function_active_v2").wait(FunctionName=self.name)
        self.assertEqual(self.functions.delete_function(FunctionName=self.name)["ResponseMetadata"]["HTTPStatusCode"], 204)
        message = self.refused("ResourceNotFoundException", 404, self.functions.get_function, FunctionName=self.name)
        self.assertEqual(message, "Function not found: " + arn)

    def test_invoke(self):
        self.make(Environment={"Variables": {"SHADE": "blue"}})
        answer, payload = self.call({"x": "é"}, LogType="Tail")
        self.assertEqual((answer["StatusCode"], answer["ExecutedVersion"], payload),
                         (200, "$LATEST", {"event": {"x": "é"}, "marker": "one"}))
        tail = base64.b64decode(answer["LogResult"]).decode()
        self.assertIn("START RequestId: ", tail)
        self.assertIn("REPORT RequestId", tail)
        client = base64.b64encode(b'{"custom": {"k": 1}}').decode()
        _, payload = self.call({"do": "context"}, ClientContext=client)
        self.assertEqual((payload["client"], payload["variable"], payload["version"]),
                         ({"custom": {"k": 1}}, "blue", "$LATEST"))
        answer, payload = self.call({"do": "fail", "message": "m"})
        self.assertEqual((answer["FunctionError"], payload["errorType"], payload["errorMessage"]),
                         ("Unhandled", "Custom", "m"))
        answer, payload = self.call({"do": "exit"})
        self.assertEqual((answer["FunctionError"], payload["errorType"]), ("Unhandled", "Runtime.ExitError"))
        self.assertEqual(self.functions.invoke(FunctionName=self.name, InvocationType="DryRun")["StatusCode"], 204)

    def test_invoke_refuses(self):
        self.make()
        self.refused("InvalidRequestContentException", 400, self.functions.invoke, FunctionName=self.name, Payload=b"{x")
        large = json.dumps("a" * 6291456).encode()
        self.refused("RequestTooLargeException", 413, self.functions.invoke, FunctionName=self.name, Payload=large)
        self.refused("RequestTooLargeException", 413, self.functions.invoke, FunctionName=self.name,
                     InvocationType="Event", Payload=large[:1000000] + b'x' * 100000 + b'"')
        self.refused("ResourceNotFoundException", 404, self.functions.invoke, FunctionName=self.name, Qualifier="7")

    def test_versions_and_aliases(self):
        self.make(zipped=archive(marker="first"))
        first = self.functions.publish_version(FunctionName=self.name)
        self.assertEqual(first["Version"], "1")
        self.assertEqual(self.functions.publish_version(FunctionName=self.name)["Version"], "1", "nothing changed")
        second = self.functions.update_function_code(FunctionName=self.name, ZipFile=archive(marker="second"), Publish=True)
        self.assertEqual(second["Version"], "2")
        self.assertEqual([self.call({}, Qualifier=q)[1]["marker"] for q in ("1", "2", "$LATEST")],
                         ["first", "second", "second"])
        versions = self.functions.list_versions_by_function(FunctionName=self.name)["Versions"]
        self.assertEqual([v["Version"] for v in versions], ["$LATEST", "1", "2"])
        alias = self.functions.create_alias(FunctionName=self.name, Name="live", FunctionVersion="1")
        self.assertTrue(alias["AliasArn"].endswith(self.name + ":live"))
        answer, payload = self.call({"do": "context"}, Qualifier="live")
        self.assertEqual((answer["ExecutedVersion"], payload["version"], payload["arn"]), ("1", "1", alias["AliasArn"]))
        self.functions.update_alias(FunctionName=self.name, Name="live", FunctionVersion="1",
                                    RoutingConfig={"AdditionalVersionWeights": {"2": 1.0}})
        self.assertEqual(self.call({}, name=alias["AliasArn"])[1]["marker"], "second")
        self.refused("ResourceConflictException", 409, self.functions.delete_function, FunctionName=self.name,
                     Qualifier="1")
        self.refused("ResourceConflictException", 409, self.functions.create_alias, FunctionName=self.name, Name="live",
                     FunctionVersion="1")
        self.refused("ResourceNotFoundException", 404, self.functions.create_alias, FunctionName=self.name, Name="n",
                     FunctionVersion="9")
        self.functions.delete_alias(FunctionName=self.name, Name="live")
        self.functions.delete_function(FunctionName=self.name, Qualifier="1")
        self.assertEqual(self.functions.list_aliases(FunctionName=self.name)["Aliases"], [])

    def test_revision_guards(self):
        made = self.make()
        self.refused("PreconditionFailedException", 412, self.functions.update_function_configuration,
                     FunctionName=self.name, Timeout=9, RevisionId="0" * 8)
        self.functions.update_function_configuration(FunctionName=self.name, Timeout=9, RevisionId=made["RevisionId"])

    def test_settings(self):
        self.make()
        self.functions.put_function_concurrency(FunctionName=self.name, ReservedConcurrentExecutions=0)
        self.assertEqual(self.functions.get_function_concurrency(FunctionName=self.name)["ReservedConcurrentExecutions"], 0)
        self.refused("TooManyRequestsException", 429, self.functions.invoke, FunctionName=self.name)
        self.refused("InvalidParameterValueException", 400, self.functions.put_function_concurrency,
                     FunctionName=self.name, ReservedConcurrentExecutions=100000)
        self.functions.delete_function_concurrency(FunctionName=self.name)
        self.assertEqual(self.call({"y": 1})[1]["event"], {"y": 1})
        arn = self.functions.get_function(FunctionName=self.name)["Configuration"]["FunctionArn"]
        self.functions.tag_resource(Resource=arn, Tags={"a": "1", "b": "2"})
        self.functions.untag_resource(Resource=arn, TagKeys=["a", "z"])
        self.assertEqual(self.functions.list_tags(Resource=arn)["Tags"], {"b": "2"})
        limits = self.functions.get_account_settings()
        self.assertEqual(limits["AccountLimit"]["CodeSizeUnzipped"], 262144000)
        self.functions.put_function_event_invoke_config(FunctionName=self.name, MaximumRetryAttempts=1)
        self.functions.update_function_event_invoke_config(FunctionName=self.name, MaximumEventAgeInSeconds=60)
        config = self.functions.get_function_event_invoke_config(FunctionName=self.name)
        self.assertEqual((config["MaximumRetryAttempts"], config["MaximumEventAgeInSeconds"]), (1, 60))
        self.assertEqual(len(self.functions.list_function_event_invoke_configs(
            FunctionName=self.name)["FunctionEventInvokeConfigs"]), 1)
        self.refused("InvalidParameterValueException", 400, self.functions.put_function_event_invoke_config,
                     FunctionName=self.name, DestinationConfig={"OnFailure": {
                         "Destination": "arn:aws:sqs:us-east-1:012345678901:q"}})
        self.functions.delete_function_event_invoke_config(FunctionName=self.name)
        self.refused("ResourceNotFoundException", 404, self.functions.get_function_event_invoke_config,
                     FunctionName=self.name)

    def test_what_is_refused(self):
        for code, status, more in [
                ("InvalidParameterValueException", 400, {"Runtime": "cobol1.x"}),
                ("ValidationException", 400, {"MemorySize": 64}), ("ValidationException", 400, {"Timeout": 901}),
                ("ValidationException", 400, {"Role": "nobody"}),
                ("InvalidParameterValueException", 400, {"Role": self.role + "x"}),
                ("InvalidParameterValueException", 400, {"Environment": {"Variables": {"AA": "x" * 4096}}}),
                ("InvalidParameterValueException", 400, {"Environment": {"Variables": {"AWS_REGION": "x"}}}),
                ("InvalidParameterValueException", 400, {"DeadLetterConfig": {"TargetArn": "arn:aws:sqs:us-east-1:1:q"}}),
                ("InvalidParameterValueException", 400, {"PackageType": "Image"}),
                ("InvalidParameterValueException", 400, {"Code": {"S3Bucket": "no-such-bucket", "S3Key": "k"}}),
                ("ValidationException", 400, {"FunctionName": "a b"})]:
            with self.subTest(more=str(more)[:60]):
                self.refused(code, status, self.make, **more)
        plain = self.server.role("plain", trusts=("states",))
        message = self.refused("InvalidParameterValueException", 400, self.make, Role=plain)
        self.assertEqual(message, "The role defined for the function cannot be assumed by Lambda.")
        self.make()
        self.refused("ResourceConflictException", 409, self.make)

    def test_code_from_bucket(self):
        self.s3.create_bucket(Bucket="code-bucket")
        self.s3.put_object(Bucket="code-bucket", Key="a/b.zip", Body=archive(marker="kept"))
        made = self.make(Code={"S3Bucket": "code-bucket", "S3Key": "a/b.zip"})
        self.assertGreater(made["CodeSize"], 100)
        self.assertEqual(self.call({})[1]["marker"], "kept")

    def test_cli(self):
        path = pathlib.Path(self.server.folder, "f.zip")
        path.write_bytes(archive())
        self.server.aws("lambda", "create-function", "--function-name", self.name, "--runtime", "provided.al2023",
                        "--handler", "x", "--role", self.role, "--zip-file", "fileb://f.zip")
        self.server.aws("lambda", "wait", "function-active-v2", "--function-name", self.name)
        out = pathlib.Path(self.server.folder, "out.json")
        answer = json.loads(self.server.aws(
            "lambda", "invoke", "--function-name", self.name, "--cli-binary-format", "raw-in-base64-out", "--payload",
            '{"a": 1}', str(out)).stdout)
        self.assertEqual((answer["StatusCode"], json.loads(out.read_text())["event"]), (200, {"a": 1}))


class Archives(LambdaCase):
    """Zip archives that want more than they may."""

    def folders(self):
        path = pathlib.Path(self.server.data, "functions")
        return sorted(str(p) for p in path.rglob("*") if p.is_file()) if path.exists() else []

    def test_names_outside(self):
        for name in ("../x", "/etc/x", "a/../../x", "a\\..\\x"):
            with self.subTest(name=name):
                message = self.refused("InvalidParameterValueException", 400, self.make, zipped=archive({name: b"x"}))
                self.assertIn("Could not unzip", message)
        self.assertEqual([f for f in self.folders() if f.endswith("/x")], [])

    def test_links(self):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as made:
            info = zipfile.ZipInfo("link")
            info.create_system, info.external_attr = 3, 0o120777 << 16
            made.writestr(info, "/etc/passwd")
        self.assertIn("link", self.refused("InvalidParameterValueException", 400, self.make, zipped=out.getvalue()))

    def test_zeros(self):
        """More than 250 MB of zeros in few bytes: refused while they are unpacked, and nothing is left."""
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as made:
            with made.open("zeros", "w", force_zip64=True) as member:
                for _ in range(270):
                    member.write(bytes(1000000))
        message = self.refused("InvalidParameterValueException", 400, self.make, zipped=out.getvalue())
        self.assertEqual(message, "Unzipped size must be smaller than 262144000 bytes")
        self.assertEqual([f for f in self.folders() if f.endswith("zeros")], [])

    def test_garbage(self):
        for data in (b"not a zip", archive()[:-30], b"PK\x05\x06" + bytes(18)):
            self.refused("InvalidParameterValueException", 400, self.make, zipped=data)


class Permissions(LambdaCase):
    def test_policy_text(self):
        self.make()
        added = self.functions.add_permission(
            FunctionName=self.name, StatementId="s3", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com",
            SourceArn="arn:aws:s3:::b", SourceAccount="012345678901")
        statement = json.loads(added["Statement"])
        self.assertEqual(statement["Principal"], {"Service": "s3.amazonaws.com"})
        self.assertEqual(statement["Condition"], {"StringEquals": {"AWS:SourceAccount": "012345678901"},
                                                  "ArnLike": {"AWS:SourceArn": "arn:aws:s3:::b"}})
        policy = self.functions.get_policy(FunctionName=self.name)
        self.assertEqual(json.loads(policy["Policy"])["Statement"], [statement])
        self.refused("ResourceConflictException", 409, self.functions.add_permission, FunctionName=self.name,
                     StatementId="s3", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com")
        self.functions.remove_permission(FunctionName=self.name, StatementId="s3")
        self.refused("ResourceNotFoundException", 404, self.functions.get_policy, FunctionName=self.name)
        self.refused("ResourceNotFoundException", 404, self.functions.remove_permission, FunctionName=self.name,
                     StatementId="s3")

    def test_resource_policy_decides(self):
        self.make()
        self.server.iam("CreateUser", UserName="guest")
        text = self.server.iam("CreateAccessKey", UserName="guest")
        key, secret = (text.split("<%s>" % n)[1].split("<")[0] for n in ("AccessKeyId", "SecretAccessKey"))
        guest = self.server.client("lambda", access_key=key, secret_key=secret)
        message = self.refused("AccessDeniedException", 403, guest.invoke, FunctionName=self.name)
        self.assertIn("is not authorized to perform: lambda:InvokeFunction on resource", message)
        self.functions.add_permission(FunctionName=self.name, StatementId="g", Action="lambda:InvokeFunction",
                                      Principal="arn:aws:iam::012345678901:user/guest")
        self.assertEqual(guest.invoke(FunctionName=self.name)["StatusCode"], 200)
        self.refused("AccessDeniedException", 403, guest.get_function, FunctionName=self.name)
        self.refused("AccessDeniedException", 403, guest.create_function, FunctionName="other", Runtime="provided.al2023",
                     Handler="x", Role=self.role, Code={"ZipFile": archive()})


if __name__ == "__main__":
    unittest.main()
