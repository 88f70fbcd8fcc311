# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who may do what: each service asks for the action, resource and condition keys that AWS's Service Authorization
Reference names, and refuses in AWS's words; machines, rules, jobs and commands act under their roles and nothing
more."""
import json
import time
import unittest
import urllib.error
import urllib.request

import boto3
import botocore.exceptions

from server import KEYS_OF_THE_NODE, ServerCase

ACCOUNT, REGION = "012345678901", "us-east-1"
PASS = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}})


def allow(action, resource="*", **condition):
    return statement("Allow", action, resource, **condition)


def statement(effect, action, resource="*", **condition):
    made = {"Effect": effect, "Action": action, "Resource": resource}
    return dict(made, Condition=condition) if condition else made


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


class EnforceCase(ServerCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.admin = {name: cls.server.client(name) for name in
                     ("iam", "s3", "stepfunctions", "events", "ssm", "mediaconvert", "sts")}
        cls.admin["iam"].create_user(UserName="ann")
        key = cls.admin["iam"].create_access_key(UserName="ann")["AccessKey"]
        cls.keys = key["AccessKeyId"], key["SecretAccessKey"]
        cls.mine = {name: cls.server.client(name, *cls.keys) for name in cls.admin}
        cls.who = f"arn:aws:iam::{ACCOUNT}:user/ann"

    def setUp(self):
        super().setUp()
        self.name = "e" + self.id().rsplit(".", 1)[1].replace("_", "-")[:30] + str(time.time_ns() % 10 ** 6)
        self.permit()

    def permit(self, *statements, user="ann"):
        """What ann may do from now on."""
        if statements:
            self.admin["iam"].put_user_policy(UserName=user, PolicyName="now", PolicyDocument=document(*statements))
        elif self.admin["iam"].list_user_policies(UserName=user)["PolicyNames"]:
            self.admin["iam"].delete_user_policy(UserName=user, PolicyName="now")

    def refused(self, call, *, code="AccessDeniedException", status=400, says=None, **arguments):
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            call(**arguments)
        answer = caught.exception.response
        self.assertEqual((answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]), (code, status), answer)
        if says:
            self.assertEqual(answer["Error"]["Message"], says)
        return answer["Error"]["Message"]

    def no_word_for(self, action, resource=None):
        about = f" on resource: {resource}" if resource else ""
        return (f"User: {self.who} is not authorized to perform: {action}{about} because no identity-based policy "
                f"allows the {action} action")


def arn(service, rest, region=REGION, account=ACCOUNT):
    return f"arn:aws:{service}:{region}:{account}:{rest}"


class Services(EnforceCase):
    """A row for each action: without a word for it it is refused, and asked for on that resource; with one on that
    resource alone it is not."""
    MACHINE = arn("states", "stateMachine:m")
    EXECUTION = arn("states", "execution:m:e")
    ROWS = (
        ("stepfunctions", "list_state_machines", {}, "states:ListStateMachines", arn("states", "stateMachine:*")),
        ("stepfunctions", "describe_state_machine", {"stateMachineArn": MACHINE}, "states:DescribeStateMachine", MACHINE),
        ("stepfunctions", "delete_state_machine", {"stateMachineArn": MACHINE + "x"}, "states:DeleteStateMachine", MACHINE + "x"),
        ("stepfunctions", "start_execution", {"stateMachineArn": MACHINE}, "states:StartExecution", MACHINE),
        ("stepfunctions", "start_execution", {"stateMachineArn": MACHINE + ":PROD"}, "states:StartExecution", MACHINE),
        ("stepfunctions", "start_sync_execution", {"stateMachineArn": MACHINE}, "states:StartSyncExecution", MACHINE),
        ("stepfunctions", "list_executions", {"stateMachineArn": MACHINE}, "states:ListExecutions", MACHINE),
        ("stepfunctions", "describe_execution", {"executionArn": EXECUTION}, "states:DescribeExecution", EXECUTION),
        ("stepfunctions", "stop_execution", {"executionArn": EXECUTION}, "states:StopExecution", EXECUTION),
        ("stepfunctions", "get_execution_history", {"executionArn": EXECUTION}, "states:GetExecutionHistory", EXECUTION),
        ("stepfunctions", "create_activity", {"name": "a"}, "states:CreateActivity", arn("states", "activity:a")),
        ("stepfunctions", "describe_activity", {"activityArn": arn("states", "activity:a")}, "states:DescribeActivity",
         arn("states", "activity:a")),
        ("stepfunctions", "list_activities", {}, "states:ListActivities", arn("states", "activity:*")),
        ("stepfunctions", "list_tags_for_resource", {"resourceArn": MACHINE}, "states:ListTagsForResource", MACHINE),
        ("events", "put_rule", {"Name": "r", "EventPattern": '{"source": ["a"]}'}, "events:PutRule", arn("events", "rule/r")),
        ("events", "describe_rule", {"Name": "r"}, "events:DescribeRule", arn("events", "rule/r")),
        ("events", "list_rules", {}, "events:ListRules", arn("events", "rule/*")),
        ("events", "delete_rule", {"Name": "r"}, "events:DeleteRule", arn("events", "rule/r")),
        ("events", "list_targets_by_rule", {"Rule": "r"}, "events:ListTargetsByRule", arn("events", "rule/r")),
        ("events", "put_events", {"Entries": [{"Source": "a", "DetailType": "b", "Detail": "{}"}]}, "events:PutEvents",
         arn("events", "event-bus/default")),
        ("ssm", "send_command", {"DocumentName": "AWS-RunShellScript", "InstanceIds": ["i-0123456789abcdef0"],
                                 "Parameters": {"commands": ["true"]}}, "ssm:SendCommand",
         arn("ssm", "document/AWS-RunShellScript", account="")),
        ("ssm", "get_command_invocation", {"CommandId": "0" * 36, "InstanceId": "i-0123456789abcdef0"},
         "ssm:GetCommandInvocation", arn("ssm", "*")),
        ("ssm", "list_commands", {}, "ssm:ListCommands", arn("ssm", "*")),
        ("ssm", "describe_instance_information", {}, "ssm:DescribeInstanceInformation", arn("ssm", "*")),
        ("mediaconvert", "get_job", {"Id": "1"}, "mediaconvert:GetJob", arn("mediaconvert", "jobs/1")),
        ("mediaconvert", "get_queue", {"Name": "Default"}, "mediaconvert:GetQueue", arn("mediaconvert", "queues/Default")),
        ("mediaconvert", "list_queues", {}, "mediaconvert:ListQueues", None),
        ("mediaconvert", "describe_endpoints", {}, "mediaconvert:DescribeEndpoints", None),
        ("iam", "list_users", {}, "iam:ListUsers", f"arn:aws:iam::{ACCOUNT}:user/"),
        ("iam", "list_roles", {"PathPrefix": "/a/"}, "iam:ListRoles", f"arn:aws:iam::{ACCOUNT}:role/a/"),
        ("iam", "create_user", {"UserName": "bob", "Path": "/b/"}, "iam:CreateUser", f"arn:aws:iam::{ACCOUNT}:user/b/bob"),
        ("iam", "get_user", {}, "iam:GetUser", f"arn:aws:iam::{ACCOUNT}:user/ann"),
        ("iam", "get_role", {"RoleName": "MediaConvert_Default_Role"}, "iam:GetRole",
         f"arn:aws:iam::{ACCOUNT}:role/MediaConvert_Default_Role"),
        ("iam", "delete_group", {"GroupName": "g"}, "iam:DeleteGroup", f"arn:aws:iam::{ACCOUNT}:group/g"),
    )
    FORMS = {"iam": ("AccessDenied", 403), "mediaconvert": ("AccessDeniedException", 403)}

    def test_without_a_word_for_it(self):
        for service, method, arguments, action, resource in self.ROWS:
            with self.subTest(action=action):
                code, status = self.FORMS.get(service, ("AccessDeniedException", 400))
                self.refused(getattr(self.mine[service], method), code=code, status=status,
                             says=self.no_word_for(action, resource), **arguments)

    def test_on_its_resource_alone(self):
        for service, method, arguments, action, resource in self.ROWS:
            with self.subTest(action=action):
                self.permit(allow(action, resource or "*"),
                            allow("ssm:SendCommand", arn("ec2", "instance/i-0123456789abcdef0")))
                try:
                    getattr(self.mine[service], method)(**arguments)
                except botocore.exceptions.ClientError as error:
                    self.assertNotIn(error.response["Error"]["Code"], ("AccessDenied", "AccessDeniedException"), error)

    def test_of_another_resource(self):
        self.permit(allow("states:*", arn("states", "stateMachine:other")))
        self.refused(self.mine["stepfunctions"].start_execution, stateMachineArn=self.MACHINE)

    def test_explicit_deny(self):
        self.permit(allow("*"), statement("Deny", "ssm:ListCommands"))
        self.refused(self.mine["ssm"].list_commands, says=f"User: {self.who} is not authorized to perform: ssm:ListCommands on "
                     f"resource: {arn('ssm', '*')} with an explicit deny in an identity-based policy")
        self.mine["ssm"].describe_instance_information()

    def test_who_am_i_needs_nothing(self):
        self.assertEqual(self.mine["sts"].get_caller_identity()["Arn"], self.who)

    def test_command_needs_document_and_instance(self):
        self.permit(allow("ssm:SendCommand", arn("ssm", "document/*", account="")))
        self.refused(self.mine["ssm"].send_command, DocumentName="AWS-RunShellScript", InstanceIds=["i-0123456789abcdef0"],
                     Parameters={"commands": ["true"]},
                     says=self.no_word_for("ssm:SendCommand", arn("ec2", "instance/i-0123456789abcdef0")))

    def test_qualifier(self):
        self.permit(allow("states:StartExecution", self.MACHINE, StringEquals={"states:StateMachineQualifier": "PROD"}))
        self.refused(self.mine["stepfunctions"].start_execution, stateMachineArn=self.MACHINE)
        self.refused(self.mine["stepfunctions"].start_execution, stateMachineArn=self.MACHINE + ":PROD",
                     code="StateMachineDoesNotExist")

    def test_source_of_an_event(self):
        self.permit(allow("events:PutEvents", StringEquals={"events:source": "films"}))
        put = self.mine["events"].put_events
        put(Entries=[{"Source": "films", "DetailType": "b", "Detail": "{}"}])
        self.refused(put, Entries=[{"Source": "films", "DetailType": "b", "Detail": "{}"},
                                   {"Source": "other", "DetailType": "b", "Detail": "{}"}])

    def test_tags_of_a_request(self):
        self.permit(allow("states:CreateActivity", StringEquals={"aws:RequestTag/team": "film"}))
        self.refused(self.mine["stepfunctions"].create_activity, name="t1", tags=[{"key": "team", "value": "sound"}])
        self.refused(self.mine["stepfunctions"].create_activity, name="t1")
        self.mine["stepfunctions"].create_activity(name="t1", tags=[{"key": "team", "value": "film"}])

    def test_global_keys(self):
        listing = self.mine["ssm"].list_commands
        for operator, key, good, bad in (
                ("IpAddress", "aws:SourceIp", "127.0.0.0/8", "10.0.0.0/8"),
                ("Bool", "aws:SecureTransport", "false", "true"),
                ("StringEquals", "aws:username", "ann", "bob"),
                ("StringLike", "aws:UserAgent", "*Boto3*", "curl*"),
                ("StringEquals", "aws:RequestedRegion", REGION, "eu-west-1"),
                ("ArnEquals", "aws:PrincipalArn", self.who, self.who + "2"),
                ("DateGreaterThan", "aws:CurrentTime", "2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z"),
                ("NumericGreaterThan", "aws:EpochTime", "1577836800", "32472144000"),
                ("StringEquals", "aws:PrincipalType", "User", "AssumedRole"),
                ("StringEquals", "aws:PrincipalAccount", ACCOUNT, "111111111111"),
                ("Bool", "aws:ViaAWSService", "false", "true")):
            with self.subTest(key=key):
                self.permit(allow("ssm:ListCommands", **{operator: {key: bad}}))
                self.refused(listing)
                self.permit(allow("ssm:ListCommands", **{operator: {key: good}}))
                listing()


class Objects(EnforceCase):
    def setUp(self):
        super().setUp()
        self.bucket = self.name.lower().replace("_", "-")
        self.all, self.here = f"arn:aws:s3:::{self.bucket}/*", f"arn:aws:s3:::{self.bucket}"
        self.s3, self.ann = self.admin["s3"], self.mine["s3"]
        self.s3.create_bucket(Bucket=self.bucket)
        self.s3.put_object(Bucket=self.bucket, Key="k", Body=b"film")

    def denied(self, call, says=None, **arguments):
        return self.refused(call, code="AccessDenied", status=403, says=says, Bucket=self.bucket, **arguments)

    def say(self, action, resource):
        return self.no_word_for(action, f'"{resource}"')

    def anonymous(self, key="k", method="GET", body=None, query=""):
        """Status of a request that nobody signed."""
        request = urllib.request.Request(f"{self.server.endpoint}/{self.bucket}/{key}{query}", data=body, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            self.text = error.read().decode()
            return error.code

    def open_up(self):
        self.s3.delete_public_access_block(Bucket=self.bucket)
        self.s3.put_bucket_ownership_controls(Bucket=self.bucket, OwnershipControls={
            "Rules": [{"ObjectOwnership": "ObjectWriter"}]})

    def policy(self, *statements):
        self.s3.put_bucket_policy(Bucket=self.bucket, Policy=document(*statements))

    def test_each_operation(self):
        version = "null"
        for method, arguments, action, key in (
                ("get_object", {"Key": "k"}, "s3:GetObject", "k"),
                ("put_object", {"Key": "new", "Body": b"x"}, "s3:PutObject", "new"),
                ("delete_object", {"Key": "gone"}, "s3:DeleteObject", "gone"),
                ("get_object", {"Key": "k", "VersionId": version}, "s3:GetObjectVersion", "k"),
                ("delete_object", {"Key": "k9", "VersionId": version}, "s3:DeleteObjectVersion", "k9"),
                ("get_object_tagging", {"Key": "k"}, "s3:GetObjectTagging", "k"),
                ("put_object_tagging", {"Key": "k", "Tagging": {"TagSet": []}}, "s3:PutObjectTagging", "k"),
                ("delete_object_tagging", {"Key": "k"}, "s3:DeleteObjectTagging", "k"),
                ("get_object_acl", {"Key": "k"}, "s3:GetObjectAcl", "k"),
                ("create_multipart_upload", {"Key": "k"}, "s3:PutObject", "k"),
                ("list_objects_v2", {}, "s3:ListBucket", None),
                ("list_objects", {}, "s3:ListBucket", None),
                ("list_object_versions", {}, "s3:ListBucketVersions", None),
                ("list_multipart_uploads", {}, "s3:ListBucketMultipartUploads", None),
                ("get_bucket_location", {}, "s3:GetBucketLocation", None),
                ("get_bucket_versioning", {}, "s3:GetBucketVersioning", None),
                ("get_bucket_policy", {}, "s3:GetBucketPolicy", None),
                ("get_bucket_acl", {}, "s3:GetBucketAcl", None),
                ("get_bucket_cors", {}, "s3:GetBucketCORS", None),
                ("get_bucket_tagging", {}, "s3:GetBucketTagging", None),
                ("get_bucket_lifecycle_configuration", {}, "s3:GetLifecycleConfiguration", None),
                ("get_bucket_notification_configuration", {}, "s3:GetBucketNotification", None),
                ("get_public_access_block", {}, "s3:GetBucketPublicAccessBlock", None),
                ("get_bucket_encryption", {}, "s3:GetEncryptionConfiguration", None),
                ("delete_bucket_policy", {}, "s3:DeleteBucketPolicy", None)):
            with self.subTest(action=action, method=method):
                resource = self.here + ("/" + key if key else "")
                call = getattr(self.ann, method)
                self.permit()
                self.denied(call, says=self.say(action, resource), **arguments)
                self.permit(allow(action, resource))
                try:
                    call(Bucket=self.bucket, **arguments)
                except botocore.exceptions.ClientError as error:
                    self.assertNotEqual(error.response["Error"]["Code"], "AccessDenied")

    def test_buckets(self):
        self.refused(self.ann.list_buckets, code="AccessDenied", status=403, says=self.no_word_for("s3:ListAllMyBuckets"))
        self.refused(self.ann.create_bucket, code="AccessDenied", status=403, Bucket=self.bucket + "2",
                     says=self.say("s3:CreateBucket", self.here + "2"))
        self.denied(self.ann.delete_bucket, says=self.say("s3:DeleteBucket", self.here))
        self.permit(allow("s3:ListAllMyBuckets", "arn:aws:s3:::*"), allow("s3:CreateBucket", self.here + "2"))
        self.assertIn(self.bucket, [b["Name"] for b in self.ann.list_buckets()["Buckets"]])
        self.ann.create_bucket(Bucket=self.bucket + "2")

    def test_head(self):
        for call, arguments in ((self.ann.head_object, {"Key": "k"}), (self.ann.head_bucket, {})):
            self.refused(call, code="403", status=403, Bucket=self.bucket, **arguments)
        self.permit(allow("s3:GetObject", self.all), allow("s3:ListBucket", self.here))
        self.ann.head_object(Bucket=self.bucket, Key="k")
        self.ann.head_bucket(Bucket=self.bucket)

    def test_missing_key(self):
        self.permit(allow("s3:GetObject", self.all))
        self.denied(self.ann.get_object, Key="none", says=self.say("s3:ListBucket", self.here))
        self.refused(self.ann.head_object, code="403", status=403, Bucket=self.bucket, Key="none")
        self.permit(allow("s3:GetObject", self.all), allow("s3:ListBucket", self.here))
        self.refused(self.ann.get_object, code="NoSuchKey", status=404, Bucket=self.bucket, Key="none")

    def test_missing_bucket_comes_first(self):
        self.refused(self.ann.get_object, code="NoSuchBucket", status=404, Bucket=self.bucket + "-none", Key="k")

    def test_prefix_and_delimiter(self):
        self.permit(allow("s3:ListBucket", self.here, StringLike={"s3:prefix": ["home/*"]},
                          StringEquals={"s3:delimiter": "/"}, NumericLessThanEquals={"s3:max-keys": "10"}))
        self.ann.list_objects_v2(Bucket=self.bucket, Prefix="home/a", Delimiter="/", MaxKeys=10)
        self.denied(self.ann.list_objects_v2, Prefix="other/", Delimiter="/", MaxKeys=10)
        self.denied(self.ann.list_objects_v2, Prefix="home/a", MaxKeys=10)
        self.denied(self.ann.list_objects_v2, Prefix="home/a", Delimiter="/", MaxKeys=11)
        self.denied(self.ann.list_objects_v2)

    def test_folder_of_a_user(self):
        self.permit(allow("s3:*Object", f"{self.here}/${{aws:username}}/*"))
        self.ann.put_object(Bucket=self.bucket, Key="ann/a", Body=b"x")
        self.denied(self.ann.put_object, Key="bob/a", Body=b"x")

    def test_copy_reads_its_source(self):
        self.permit(allow("s3:PutObject", self.all))
        source = {"Bucket": self.bucket, "Key": "k"}
        self.denied(self.ann.copy_object, Key="copy", CopySource=source, says=self.say("s3:GetObject", self.here + "/k"))
        self.permit(allow("s3:GetObject", self.all))
        self.denied(self.ann.copy_object, Key="copy", CopySource=source, says=self.say("s3:PutObject", self.here + "/copy"))
        self.permit(allow(["s3:GetObject", "s3:PutObject"], self.all))
        self.ann.copy_object(Bucket=self.bucket, Key="copy", CopySource=source)
        self.denied(self.ann.copy_object, Key="copy", CopySource={"Bucket": self.bucket, "Key": "none"},
                    says=self.say("s3:ListBucket", self.here))
        self.permit(allow("s3:PutObject", self.all), allow("s3:GetObject", self.all, StringEquals={"aws:username": "bob"}))
        upload = self.s3.create_multipart_upload(Bucket=self.bucket, Key="parts")["UploadId"]
        self.denied(self.ann.upload_part_copy, Key="parts", UploadId=upload, PartNumber=1, CopySource=source)

    def test_each_key_of_many(self):
        for key in ("a", "b", "c"):
            self.s3.put_object(Bucket=self.bucket, Key=key, Body=b"x")
        self.permit(allow("s3:DeleteObject", [self.here + "/a", self.here + "/c"]))
        answer = self.ann.delete_objects(Bucket=self.bucket, Delete={"Objects": [{"Key": k} for k in "abc"]})
        self.assertEqual([d["Key"] for d in answer["Deleted"]], ["a", "c"])
        self.assertEqual([(e["Key"], e["Code"]) for e in answer["Errors"]], [("b", "AccessDenied")])
        self.assertEqual(answer["Errors"][0]["Message"], self.say("s3:DeleteObject", self.here + "/b"))
        self.s3.head_object(Bucket=self.bucket, Key="b")

    def test_acl_and_tags_of_a_new_object(self):
        self.permit(allow("s3:PutObject", self.all))
        self.denied(self.ann.put_object, Key="n", Body=b"", ACL="bucket-owner-full-control",
                    says=self.say("s3:PutObjectAcl", self.here + "/n"))
        self.denied(self.ann.put_object, Key="n", Body=b"", Tagging="a=b", says=self.say("s3:PutObjectTagging", self.here + "/n"))
        self.permit(allow(["s3:PutObject", "s3:PutObjectAcl"], self.all, StringEquals={"s3:x-amz-acl": "bucket-owner-full-control"}),
                    allow(["s3:PutObject", "s3:PutObjectTagging"], self.all, StringEquals={"s3:RequestObjectTag/team": "film"}))
        self.ann.put_object(Bucket=self.bucket, Key="n", Body=b"", ACL="bucket-owner-full-control")
        self.ann.put_object(Bucket=self.bucket, Key="n", Body=b"", Tagging="team=film")
        self.denied(self.ann.put_object, Key="n", Body=b"", Tagging="team=sound")
        self.denied(self.ann.put_object, Key="n", Body=b"")

    def test_tags_of_the_object(self):
        self.s3.put_object(Bucket=self.bucket, Key="open", Body=b"x", Tagging="level=open")
        self.permit(allow("s3:GetObject", self.all, StringEquals={"s3:ExistingObjectTag/level": "open"}))
        self.ann.get_object(Bucket=self.bucket, Key="open")
        self.denied(self.ann.get_object, Key="k")

    def test_signature_keys(self):
        self.permit(allow("s3:GetObject", self.all, StringEquals={"s3:authType": "REST-QUERY-STRING"}))
        self.denied(self.ann.get_object, Key="k")
        url = self.ann.generate_presigned_url("get_object", {"Bucket": self.bucket, "Key": "k"})
        with urllib.request.urlopen(url, timeout=30) as answer:
            self.assertEqual(answer.read(), b"film")

    def test_presigned_by_one_who_may_not(self):
        url = self.ann.generate_presigned_url("get_object", {"Bucket": self.bucket, "Key": "k"})
        with self.assertRaises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(url, timeout=30)
        self.assertEqual(caught.exception.code, 403)
        self.assertIn("s3:GetObject", caught.exception.read().decode())

    def test_bucket_policy_gives(self):
        self.policy(dict(allow("s3:GetObject", self.all), Principal={"AWS": self.who}))
        self.ann.get_object(Bucket=self.bucket, Key="k")
        self.denied(self.ann.put_object, Key="k", Body=b"")

    def test_bucket_policy_denies(self):
        self.permit(allow("s3:*"))
        self.policy(dict(statement("Deny", "s3:PutObject", self.all), Principal="*"))
        self.assertIn("with an explicit deny in a resource-based policy", self.denied(self.ann.put_object, Key="k", Body=b""))
        self.denied(self.s3.put_object, Key="k", Body=b"")  # not even the root
        self.ann.get_object(Bucket=self.bucket, Key="k")

    def test_root_cannot_lock_itself_out(self):
        self.policy(dict(statement("Deny", "s3:*", [self.here, self.all]), Principal="*"))
        self.denied(self.s3.get_object, Key="k")
        self.s3.get_bucket_policy(Bucket=self.bucket)
        self.s3.delete_bucket_policy(Bucket=self.bucket)
        self.s3.get_object(Bucket=self.bucket, Key="k")

    def test_anonymous(self):
        self.assertEqual(self.anonymous(), 403)
        self.assertIn("<Code>AccessDenied</Code><Message>Access Denied</Message>", self.text)
        self.s3.delete_public_access_block(Bucket=self.bucket)
        self.policy(dict(allow("s3:GetObject", self.all), Principal="*"))
        self.assertEqual(self.anonymous(), 200)
        self.assertEqual(self.anonymous("none"), 403)
        self.assertEqual(self.anonymous(method="PUT", body=b"x"), 403)
        self.assertEqual(self.anonymous(""), 403)
        self.policy(dict(allow("s3:GetObject", self.all), Principal="*"), dict(allow("s3:ListBucket", self.here), Principal="*"))
        self.assertEqual((self.anonymous("none"), self.anonymous("")), (404, 200))

    def test_public_access_block(self):
        self.s3.delete_public_access_block(Bucket=self.bucket)
        self.policy(dict(allow("s3:GetObject", self.all), Principal="*"))
        self.s3.put_public_access_block(Bucket=self.bucket, PublicAccessBlockConfiguration={"RestrictPublicBuckets": True})
        self.assertEqual(self.anonymous(), 403)
        self.ann.get_object(Bucket=self.bucket, Key="k")  # of the account

    def test_acls(self):
        self.open_up()
        for key, acl in (("open", "public-read"), ("known", "authenticated-read")):
            self.s3.put_object(Bucket=self.bucket, Key=key, Body=b"x")
            self.s3.put_object_acl(Bucket=self.bucket, Key=key, ACL=acl)
        self.assertEqual([self.anonymous(k) for k in ("open", "known", "k")], [200, 403, 403])
        self.ann.get_object(Bucket=self.bucket, Key="known")
        self.denied(self.ann.get_object, Key="k")
        self.s3.put_bucket_acl(Bucket=self.bucket, ACL="public-read-write")
        self.assertEqual((self.anonymous(""), self.anonymous("new", "PUT", b"x")), (200, 200))
        self.permit(statement("Deny", "s3:GetObject"))
        self.denied(self.ann.get_object, Key="open")
        self.s3.put_public_access_block(Bucket=self.bucket, PublicAccessBlockConfiguration={"IgnorePublicAcls": True})
        self.assertEqual([self.anonymous("open"), self.anonymous("")], [403, 403])
        self.s3.delete_public_access_block(Bucket=self.bucket)
        self.s3.delete_bucket_ownership_controls(Bucket=self.bucket)

    def test_only_over_tls(self):
        self.permit(allow("s3:*"))
        self.policy(dict(statement("Deny", "s3:*", self.all, Bool={"aws:SecureTransport": "false"}), Principal="*"))
        self.denied(self.ann.get_object, Key="k")


class Roles(EnforceCase):
    """Machines, rules, jobs and commands act under roles."""
    INSTANCE = "i-0123456789abcdef0"
    COMMAND = {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:ssm:sendCommand", "Parameters": {
        "DocumentName": "AWS-RunShellScript", "InstanceIds": [INSTANCE], "Parameters": {"commands": ["true"]}}}

    def role(self, *statements, trusts=("states",)):
        return self.server.role(self.name, *statements, trusts=trusts)

    def pass_role(self, *more):
        self.permit(allow(["states:*", "events:*", "mediaconvert:*"]), *more)

    def machine(self, task, role):
        definition = json.dumps({"StartAt": "T", "States": {"T": dict(task, End=True)}})
        return self.admin["stepfunctions"].create_state_machine(name=self.name, definition=definition,
                                                                roleArn=role)["stateMachineArn"]

    def run_task(self, task, role):
        sfn = self.admin["stepfunctions"]
        execution = sfn.start_execution(stateMachineArn=self.machine(task, role))["executionArn"]
        until = time.monotonic() + 60
        while (answer := sfn.describe_execution(executionArn=execution))["status"] == "RUNNING":
            self.assertLess(time.monotonic(), until)
            time.sleep(0.02)
        return answer

    def session(self, role):
        return r"arn:aws:sts::%s:assumed-role/%s/[A-Za-z0-9]{32}" % (ACCOUNT, role.rpartition("/")[2])

    def fails(self, task, role, error, cause):
        answer = self.run_task(task, role)
        self.assertEqual((answer["status"], answer["error"]), ("FAILED", error), answer)
        self.assertRegex(answer["cause"], "^" + cause + "$")

    # ---- passing ----

    def test_pass_role_to_a_machine(self):
        role = self.role()
        create = {"name": self.name, "definition": PASS, "roleArn": role}
        self.pass_role()
        self.refused(self.mine["stepfunctions"].create_state_machine, says=self.no_word_for("iam:PassRole", role), **create)
        self.pass_role(allow("iam:PassRole", role, StringEquals={"iam:PassedToService": "events.amazonaws.com"}))
        self.refused(self.mine["stepfunctions"].create_state_machine, **create)
        self.pass_role(allow("iam:PassRole", role, StringEquals={"iam:PassedToService": "states.amazonaws.com"}))
        made = self.mine["stepfunctions"].create_state_machine(**create)["stateMachineArn"]
        self.pass_role()
        self.refused(self.mine["stepfunctions"].update_state_machine, stateMachineArn=made, roleArn=role)
        self.mine["stepfunctions"].update_state_machine(stateMachineArn=made, definition=PASS.replace('"A"', '"B"'))

    def test_pass_role_to_a_rule(self):
        role = self.role(trusts=("states", "events"))
        machine = self.machine({"Type": "Pass"}, role)
        self.admin["events"].put_rule(Name=self.name, EventPattern='{"source": ["s"]}')
        targets = {"Rule": self.name, "Targets": [{"Id": "1", "Arn": machine, "RoleArn": role}]}
        self.pass_role()
        self.refused(self.mine["events"].put_targets, says=self.no_word_for("iam:PassRole", role), **targets)
        self.pass_role(allow("iam:PassRole", role))
        self.mine["events"].put_targets(**targets)

    def test_pass_role_to_a_job(self):
        role = f"arn:aws:iam::{ACCOUNT}:role/MediaConvert_Default_Role"
        self.pass_role()
        self.refused(self.mine["mediaconvert"].create_job, status=403, says=self.no_word_for("iam:PassRole", role),
                     Role=role, Settings={"Inputs": []})

    def test_pass_role_to_a_profile(self):
        role = self.role()
        self.admin["iam"].create_instance_profile(InstanceProfileName=self.name)
        self.permit(allow("iam:AddRoleToInstanceProfile"))
        self.refused(self.mine["iam"].add_role_to_instance_profile, code="AccessDenied", status=403,
                     says=self.no_word_for("iam:PassRole", role), InstanceProfileName=self.name, RoleName=self.name)

    # ---- trust ----

    def test_role_that_is_not_there_or_does_not_trust(self):
        says = ("Neither the global service principal states.amazonaws.com, nor the regional one is authorized to assume the "
                "provided role.")
        for role in (f"arn:aws:iam::{ACCOUNT}:role/none", self.role(trusts=("events",))):
            self.refused(self.admin["stepfunctions"].create_state_machine, name=self.name, definition=PASS, roleArn=role, says=says)
        role = self.server.role(self.name + "2")
        machine = self.machine({"Type": "Pass"}, role)
        self.refused(self.admin["events"].put_targets, code="ValidationException",
                     Rule=self.rule(), Targets=[{"Id": "1", "Arn": machine, "RoleArn": role}],
                     says=f"Provided role '{role}' cannot be assumed by principal 'events.amazonaws.com'.")

    def rule(self):
        self.admin["events"].put_rule(Name=self.name, EventPattern=json.dumps({"source": [self.name]}))
        return self.name

    def test_regional_principal(self):
        role = self.server.role(self.name, trusts=("states." + REGION,))
        self.machine({"Type": "Pass"}, role)

    def test_source_of_trust(self):
        trust = {"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "states.amazonaws.com"},
            "Condition": {"ArnLike": {"aws:SourceArn": arn("states", "stateMachine:" + self.name)}}}]}
        self.admin["iam"].create_role(RoleName=self.name, AssumeRolePolicyDocument=json.dumps(trust))
        role = f"arn:aws:iam::{ACCOUNT}:role/{self.name}"
        self.machine({"Type": "Pass"}, role)
        self.refused(self.admin["stepfunctions"].create_state_machine, name=self.name + "2", definition=PASS, roleArn=role)

    def test_role_of_another_account(self):
        role = "arn:aws:iam::111122223333:role/any"
        self.assertEqual(self.run_task({"Type": "Pass"}, role)["status"], "SUCCEEDED")

    def test_role_of_another_account_may_do_nothing(self):
        self.fails(self.COMMAND, "arn:aws:iam::111122223333:role/any", "Ssm.SsmException",
                   r"User: arn:aws:sts::111122223333:assumed-role/any/\w{32} is not authorized to perform: ssm:SendCommand on "
                   r"resource: .*")

    def test_role_that_is_gone(self):
        role = self.role(allow("ssm:*"))
        machine = self.machine(self.COMMAND, role)
        self.admin["iam"].delete_role_policy(RoleName=self.name, PolicyName="work")
        self.admin["iam"].delete_role(RoleName=self.name)
        sfn = self.admin["stepfunctions"]
        execution = sfn.start_execution(stateMachineArn=machine)["executionArn"]
        until = time.monotonic() + 60
        while (answer := sfn.describe_execution(executionArn=execution))["status"] == "RUNNING":
            self.assertLess(time.monotonic(), until)
        self.assertEqual((answer["status"], answer["error"]), ("FAILED", "Ssm.SsmException"), answer)

    # ---- tasks ----

    def test_task_in_the_words_of_its_service(self):
        role = self.role(allow("ssm:SendCommand", arn("ec2", "instance/*")))
        self.fails(self.COMMAND, role, "Ssm.SsmException",
                   r"User: %s is not authorized to perform: ssm:SendCommand on resource: arn:aws:ssm:us-east-1::document/"
                   r"AWS-RunShellScript because no identity-based policy allows the ssm:SendCommand action \(Service: Ssm, "
                   r"Status Code: 400, Request ID: [-0-9a-f]{36}\)" % self.session(role))

    def test_task_that_may(self):
        role = self.role(allow("ssm:SendCommand"))
        self.assertEqual(self.run_task(self.COMMAND, role)["status"], "SUCCEEDED")

    def test_optimized_task(self):
        role = self.role(allow("mediaconvert:CreateJob"))
        job = {"Type": "Task", "Resource": "arn:aws:states:::mediaconvert:createJob", "Parameters": {
            "Role": f"arn:aws:iam::{ACCOUNT}:role/MediaConvert_Default_Role", "Settings": {"Inputs": []}}}
        self.fails(job, role, "MediaConvert.AWSMediaConvertException",
                   r"User: %s is not authorized to perform: iam:PassRole on resource: arn:aws:iam::%s:role/MediaConvert_Default_Role "
                   r"because no identity-based policy allows the iam:PassRole action \(Service: AWSMediaConvert; Status Code: 403; "
                   r"Error Code: AccessDeniedException; Request ID: [-0-9a-f]{36}; Proxy: null\)" % (self.session(role), ACCOUNT))

    def test_nested_execution(self):
        role = self.role()
        child = self.server.role(self.name + "c")
        inner = self.admin["stepfunctions"].create_state_machine(name=self.name + "c", definition=PASS, roleArn=child)["stateMachineArn"]
        start = {"Type": "Task", "Resource": "arn:aws:states:::states:startExecution", "Parameters": {"StateMachineArn": inner}}
        self.fails(start, role, "StepFunctions.AWSStepFunctionsException", r"User: .* is not authorized to perform: "
                   r"states:StartExecution on resource: %s because .*" % inner)

    def test_object_tasks(self):
        bucket = self.name.lower().replace("_", "-")
        self.admin["s3"].create_bucket(Bucket=bucket)
        self.admin["s3"].put_object(Bucket=bucket, Key="a", Body=b"x")
        role = self.role(allow("s3:GetObject", f"arn:aws:s3:::{bucket}/a"))
        get = {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:s3:getObject", "Parameters": {"Bucket": bucket, "Key": "a"}}
        self.assertEqual(self.run_task(get, role)["status"], "SUCCEEDED")
        for number, (action, permission, parameters) in enumerate((
                ("getObject", "GetObject", {"Key": "b"}), ("putObject", "PutObject", {"Key": "a", "Body": "x"}),
                ("deleteObject", "DeleteObject", {"Key": "a"}), ("listObjectsV2", "ListBucket", {}),
                ("copyObject", "PutObject", {"Key": "b", "CopySource": bucket + "/a"}))):
            with self.subTest(action=action):
                self.name += str(number)
                task = {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:s3:" + action, "Parameters": dict(parameters, Bucket=bucket)}
                self.fails(task, role, "S3.S3Exception", r"User: %s is not authorized to perform: s3:%s on resource: .* \(Service: S3, "
                           r"Status Code: 403, Request ID: .*\)" % (self.session(role), permission))

    def test_map_reads_its_items(self):
        bucket = self.name.lower().replace("_", "-")
        self.admin["s3"].create_bucket(Bucket=bucket)
        self.admin["s3"].put_object(Bucket=bucket, Key="items.json", Body=b"[1, 2]")
        each = {"Type": "Map", "ItemReader": {"Resource": "arn:aws:states:::s3:getObject", "ReaderConfig": {"InputType": "JSON"},
                                              "Parameters": {"Bucket": bucket, "Key": "items.json"}},
                "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                                  "StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}}
        self.fails(each, self.role(), "States.ItemReaderFailed", r"User: .* is not authorized to perform: s3:GetObject .*")
        self.name += "2"
        role = self.role(allow("s3:GetObject", f"arn:aws:s3:::{bucket}/items.json"), allow("states:StartExecution"))
        self.assertEqual(self.run_task(each, role)["status"], "SUCCEEDED")

    # ---- rules, jobs, commands ----

    def events_reach(self, *statements):
        """Whether a rule whose role may do this starts its machine."""
        machine = self.machine({"Type": "Pass"}, self.role())
        role = self.server.role(self.name + "r", *statements, trusts=("events",))
        self.admin["events"].put_targets(Rule=self.rule(), Targets=[{"Id": "1", "Arn": machine, "RoleArn": role}])
        other = self.server.role(self.name + "s", allow("states:StartExecution"), trusts=("events",))
        sign = self.admin["stepfunctions"].create_state_machine(name=self.name + "s", definition=PASS,
                                                                roleArn=self.server.role(self.name + "t"))["stateMachineArn"]
        self.admin["events"].put_targets(Rule=self.name, Targets=[{"Id": "2", "Arn": sign, "RoleArn": other}])
        self.admin["events"].put_events(Entries=[{"Source": self.name, "DetailType": "d", "Detail": "{}"}])
        until = time.monotonic() + 30
        executions = self.admin["stepfunctions"].list_executions
        while not executions(stateMachineArn=sign)["executions"]:  # started in the same transaction, the last target
            self.assertLess(time.monotonic(), until)
            time.sleep(0.02)
        return bool(executions(stateMachineArn=machine)["executions"])

    def test_rule_that_may(self):
        self.assertTrue(self.events_reach(allow("states:StartExecution")))

    def test_rule_that_may_not(self):
        self.assertFalse(self.events_reach(allow("states:DescribeExecution")))
        self.assertIn("is not authorized to perform: states:StartExecution", self.server.log_text())

    def test_job_reads_under_its_role(self):
        bucket = self.name.lower().replace("_", "-")
        self.admin["s3"].create_bucket(Bucket=bucket)
        self.admin["s3"].put_object(Bucket=bucket, Key="film.mp4", Body=b"x")
        role = self.role(allow("s3:PutObject"), trusts=("mediaconvert",))
        job = self.admin["mediaconvert"].create_job(Role=role, Settings={
            "Inputs": [{"FileInput": f"s3://{bucket}/film.mp4", "TimecodeSource": "ZEROBASED", "VideoSelector": {}}],
            "OutputGroups": [{"Name": "Apple HLS", "OutputGroupSettings": {"Type": "HLS_GROUP_SETTINGS", "HlsGroupSettings": {
                "SegmentLength": 10, "MinSegmentLength": 0, "Destination": f"s3://{bucket}/out/"}},
                "Outputs": [{"NameModifier": "_1", "ContainerSettings": {"Container": "M3U8"}, "VideoDescription": {
                    "CodecSettings": {"Codec": "H_264", "H264Settings": {
                        "RateControlMode": "QVBR", "MaxBitrate": 5000000, "QvbrSettings": {"QvbrQualityLevel": 7}}}}}]}]})["Job"]["Id"]
        until = time.monotonic() + 60
        while (answer := self.admin["mediaconvert"].get_job(Id=job)["Job"])["Status"] not in ("ERROR", "COMPLETE"):
            self.assertLess(time.monotonic(), until)
            time.sleep(0.05)
        self.assertEqual((answer["Status"], answer["ErrorCode"]), ("ERROR", 1401), answer)
        self.assertIn("s3:GetObject", answer["ErrorMessage"])

    def run_script(self, *lines, **arguments):
        sent = self.admin["ssm"].send_command(DocumentName="AWS-RunShellScript", InstanceIds=[self.INSTANCE],
                                              Parameters={"commands": list(lines)}, **arguments)["Command"]["CommandId"]
        until = time.monotonic() + 60
        while True:
            answer = self.admin["ssm"].get_command_invocation(CommandId=sent, InstanceId=self.INSTANCE)
            if answer["Status"] not in ("Pending", "InProgress"):
                return answer
            self.assertLess(time.monotonic(), until)
            time.sleep(0.05)

    def test_command_acts_as_the_node(self):
        keys = json.loads(self.run_script(KEYS_OF_THE_NODE)["StandardOutputContent"])
        session = boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["Token"], REGION)
        iam = session.client("iam", endpoint_url=self.server.endpoint)
        self.refused(iam.list_users, code="AccessDenied", status=403,
                     says=f"User: arn:aws:sts::{ACCOUNT}:assumed-role/SpyhopNode/{self.INSTANCE} is not authorized to perform: "
                          f"iam:ListUsers on resource: arn:aws:iam::{ACCOUNT}:user/ because no identity-based policy allows the "
                          "iam:ListUsers action")

    def test_output_of_a_command(self):
        bucket = self.name.lower().replace("_", "-")
        self.admin["s3"].create_bucket(Bucket=bucket)
        self.admin["s3"].put_bucket_policy(Bucket=bucket, Policy=document(dict(
            statement("Deny", "s3:PutObject", f"arn:aws:s3:::{bucket}/*"),
            Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:role/SpyhopNode"})))
        answer = self.run_script("echo said", OutputS3BucketName=bucket)
        self.assertIn("is not authorized to perform: s3:PutObject", answer["StandardErrorContent"])
        self.assertNotIn("Contents", self.admin["s3"].list_objects_v2(Bucket=bucket))


class Reference(EnforceCase):
    """One role for the whole pipeline, as the documents that Spyhop follows have it. Without a word for one of its
    calls exactly that step fails."""
    ACTIONS = (
        (["s3:GetObject"], ["arn:aws:s3:::vod-test-input/*", "arn:aws:s3:::film-sample/*"]),
        (["ssm:SendCommand", "ssm:ListCommands", "ssm:ListCommandInvocations", "ssm:GetCommandInvocation", "states:*"], "*"),
        (["ec2:DescribeInstances"], "*"),
        (["mediaconvert:CreateJob", "mediaconvert:CancelJob", "mediaconvert:GetJob", "mediaconvert:ListJobs",
          "mediaconvert:DescribeEndpoints", "iam:PassRole"], "*"),
        (["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"], "*"),
        (["events:PutRule", "events:PutTargets", "events:DescribeRule", "events:DeleteRule", "events:RemoveTargets"], "*"))
    PIPELINE = {
        "StartAt": "Send", "States": {
            "Send": dict(Roles.COMMAND, ResultPath="$.sent", Next="Look"),
            "Look": {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:ssm:getCommandInvocation", "ResultPath": None,
                     "Parameters": {"CommandId.$": "$.sent.Command.CommandId", "InstanceId": Roles.INSTANCE},
                     "Retry": [{"ErrorEquals": ["Ssm.InvocationDoesNotExistException"], "IntervalSeconds": 1}], "Next": "Make"},
            "Make": {"Type": "Task", "Resource": "arn:aws:states:::mediaconvert:createJob", "Parameters": {
                "Role": f"arn:aws:iam::{ACCOUNT}:role/MediaConvert_Default_Role", "Settings": {
                    "Inputs": [{"FileInput": "s3://film-sample/none.mp4", "VideoSelector": {}}],
                    "OutputGroups": [{"OutputGroupSettings": {"Type": "HLS_GROUP_SETTINGS", "HlsGroupSettings": {
                        "SegmentLength": 10, "MinSegmentLength": 0, "Destination": "s3://film-sample/out/"}},
                        "Outputs": [{"NameModifier": "_1", "ContainerSettings": {"Container": "M3U8"}, "VideoDescription": {
                            "CodecSettings": {"Codec": "H_264", "H264Settings": {
                                "RateControlMode": "QVBR", "MaxBitrate": 5000000, "QvbrSettings": {"QvbrQualityLevel": 7}}}}}]}]}},
                     "End": True}}}

    def without(self, gone):
        """Where the pipeline ends with that action taken out, and how."""
        statements = [allow([a for a in actions if a != gone], resource) for actions, resource in self.ACTIONS]
        trust = ("states.ap-northeast-2", "lambda", "states")
        role = self.server.role(self.name, *statements, trusts=trust)
        sfn = self.admin["stepfunctions"]
        machine = sfn.create_state_machine(name=self.name, definition=json.dumps(self.PIPELINE), roleArn=role)["stateMachineArn"]
        execution = sfn.start_execution(stateMachineArn=machine)["executionArn"]
        until = time.monotonic() + 60
        while (answer := sfn.describe_execution(executionArn=execution))["status"] == "RUNNING":
            self.assertLess(time.monotonic(), until)
            time.sleep(0.05)
        history = sfn.get_execution_history(executionArn=execution)["events"]
        last = [e["stateEnteredEventDetails"]["name"] for e in history if "stateEnteredEventDetails" in e][-1]
        return last, answer["status"], answer.get("error"), answer.get("cause", "")

    def test_as_it_stands(self):
        self.assertEqual(self.without(None)[:2], ("Make", "SUCCEEDED"))

    def check(self, action, state, error):
        last, status, told, cause = self.without(action)
        self.assertEqual((last, status, told), (state, "FAILED", error), cause)
        self.assertIn(f"is not authorized to perform: {action} on resource: ", cause)
        self.assertIn(f"because no identity-based policy allows the {action} action", cause)

    def test_without_send_command(self):
        self.check("ssm:SendCommand", "Send", "Ssm.SsmException")

    def test_without_get_command_invocation(self):
        self.check("ssm:GetCommandInvocation", "Look", "Ssm.SsmException")

    def test_without_create_job(self):
        self.check("mediaconvert:CreateJob", "Make", "MediaConvert.AWSMediaConvertException")

    def test_without_pass_role(self):
        self.check("iam:PassRole", "Make", "MediaConvert.AWSMediaConvertException")


if __name__ == "__main__":
    unittest.main()
