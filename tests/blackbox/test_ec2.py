# SPDX-License-Identifier: LGPL-2.1-or-later
"""Nodes as instances of EC2: with boto3, the AWS CLI and a state machine. What tags are given here, Run Command selects by."""
import json
import time
import unittest

import boto3
import botocore.exceptions

from server import ServerCase

NOBODY = "i-0000000000000abcd"


class Ec2(ServerCase):

    def setUp(self):
        self.ec2, self.ssm = self.server.client("ec2"), self.server.client("ssm")
        self.id = self.server.instance_id
        until = time.monotonic() + 30
        while not self.ec2.describe_instance_status()["InstanceStatuses"]:
            self.assertLess(time.monotonic(), until)
        self.addCleanup(self.ec2.delete_tags, Resources=[self.id])

    def refused(self, code, call, **words):
        with self.assertRaises(botocore.exceptions.ClientError) as raised:
            call(**words)
        self.assertEqual(raised.exception.response["Error"]["Code"], code)
        return raised.exception.response

    def found(self, name, *values):
        answer = self.ec2.describe_instances(Filters=[{"Name": name, "Values": list(values)}])
        return [one["InstanceId"] for r in answer["Reservations"] for one in r["Instances"]]

    def test_describes(self):
        reservation, = self.ec2.describe_instances(InstanceIds=[self.id])["Reservations"]
        self.assertEqual(reservation["OwnerId"], self.server.account)
        instance, = reservation["Instances"]
        self.assertEqual((instance["InstanceId"], instance["State"], instance["PrivateIpAddress"], instance["Tags"]),
                         (self.id, {"Code": 16, "Name": "running"}, "127.0.0.1", []))
        self.assertEqual(instance["Placement"]["AvailabilityZone"], self.server.region + "a")
        self.assertEqual(instance["LaunchTime"].year >= 2026, True)
        status, = self.ec2.describe_instance_status(InstanceIds=[self.id])["InstanceStatuses"]
        self.assertEqual((status["InstanceState"]["Name"], status["InstanceStatus"]["Status"], status["SystemStatus"]["Details"]),
                         ("running", "ok", [{"Name": "reachability", "Status": "passed"}]))
        self.ec2.get_waiter("instance_status_ok").wait(InstanceIds=[self.id], WaiterConfig={"MaxAttempts": 1})

    def test_what_an_activation_registers_is_no_instance(self):
        nodes = [one["InstanceId"] for one in self.ssm.describe_instance_information()["InstanceInformationList"]]
        self.assertEqual(nodes, [self.id])
        self.refused("InvalidInstanceID.Malformed", self.ec2.describe_instances, InstanceIds=["mi-0123456789abcdef0"])

    def test_filters(self):
        self.ec2.create_tags(Resources=[self.id], Tags=[{"Key": "Name", "Value": "film one"}, {"Key": "work", "Value": "sr"}])
        rows = [("instance-id", [self.id]), ("instance-state-name", ["running", "pending"]), ("instance-state-code", ["16"]),
                ("tag:Name", ["film*"]), ("tag:Name", ["none", "film ?ne"]), ("tag-key", ["work"]), ("private-ip-address", ["127.*"]),
                ("availability-zone", [self.server.region + "a"]), ("owner-id", [self.server.account]),
                ("tag:work", ["SR"]), ("tag:none", ["*"]), ("instance-state-name", ["stopped"]), ("instance-id", [NOBODY])]
        for number, (name, values) in enumerate(rows):
            self.assertEqual(self.found(name, *values), [self.id] * (number < 9), (name, values))
        both = [{"Name": "tag:work", "Values": ["sr"]}, {"Name": "instance-state-name", "Values": ["stopped"]}]
        self.assertEqual(self.ec2.describe_instances(Filters=both)["Reservations"], [])
        self.refused("InvalidParameterValue", self.ec2.describe_instances, Filters=[{"Name": "colour", "Values": ["red"]}])

    def test_tags(self):
        self.ec2.create_tags(Resources=[self.id], Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}])
        self.ec2.create_tags(Resources=[self.id], Tags=[{"Key": "a", "Value": "2"}, {"Key": "\u00e9 & <x>", "Value": "\u4e16"}])
        there = self.ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [self.id]}])["Tags"]
        self.assertEqual({one["Key"]: one["Value"] for one in there}, {"a": "2", "b": "", "\u00e9 & <x>": "\u4e16"})
        self.assertEqual({(one["ResourceId"], one["ResourceType"]) for one in there}, {(self.id, "instance")})
        self.assertEqual(len(self.ec2.describe_tags(Filters=[{"Name": "tag:a", "Values": ["2"]}])["Tags"]), 1)
        self.ec2.delete_tags(Resources=[self.id], Tags=[{"Key": "a", "Value": "other"}, {"Key": "b"}, {"Key": "none"}])
        self.assertEqual({one["Key"] for one in self.ec2.describe_tags()["Tags"]}, {"a", "\u00e9 & <x>"})
        self.ec2.delete_tags(Resources=[self.id])
        self.assertEqual(self.ec2.describe_tags()["Tags"], [])

    def test_pages(self):
        self.ec2.create_tags(Resources=[self.id], Tags=[{"Key": f"k{i:02}", "Value": "v"} for i in range(12)])
        pages = list(self.ec2.get_paginator("describe_tags").paginate(PaginationConfig={"PageSize": 5}))
        self.assertEqual([len(page["Tags"]) for page in pages], [5, 5, 2])
        self.assertEqual(sorted(one["Key"] for page in pages for one in page["Tags"]), [f"k{i:02}" for i in range(12)])
        self.assertEqual(len(self.ec2.describe_instances(MaxResults=5)["Reservations"]), 1)

    def test_run_command_selects_by_them(self):
        self.ec2.create_tags(Resources=[self.id], Tags=[{"Key": "work", "Value": "sr"}])
        sent = self.ssm.send_command(DocumentName="AWS-RunShellScript", Targets=[{"Key": "tag:work", "Values": ["sr"]}],
                                     Parameters={"commands": ["echo selected"]})["Command"]["CommandId"]
        self.ssm.get_waiter("command_executed").wait(CommandId=sent, InstanceId=self.id, WaiterConfig={"Delay": 1})
        got = self.ssm.get_command_invocation(CommandId=sent, InstanceId=self.id)
        self.assertEqual(got["StandardOutputContent"], "selected\n")

    def test_places(self):
        region = self.server.region
        self.assertEqual([one["RegionName"] for one in self.ec2.describe_regions()["Regions"]], [region])
        zone, = self.ec2.describe_availability_zones(Filters=[{"Name": "state", "Values": ["available"]}])["AvailabilityZones"]
        self.assertEqual((zone["ZoneName"], zone["State"], zone["RegionName"]), (region + "a", "available", region))
        self.refused("InvalidParameterValue", self.ec2.describe_regions, RegionNames=["moon-1"])

    def test_refusals(self):
        self.refused("InvalidInstanceID.NotFound", self.ec2.describe_instances, InstanceIds=[NOBODY])
        self.refused("InvalidInstanceID.Malformed", self.ec2.describe_instances, InstanceIds=["i-xyz"])
        self.refused("InvalidParameterCombination", self.ec2.describe_instances, InstanceIds=[self.id], MaxResults=5)
        self.refused("InvalidParameterValue", self.ec2.describe_instances, MaxResults=4)
        self.refused("InvalidNextToken", self.ec2.describe_tags, NextToken="x")
        self.refused("InvalidInstanceID.NotFound", self.ec2.create_tags, Resources=[NOBODY], Tags=[{"Key": "a", "Value": ""}])
        self.refused("InvalidID", self.ec2.create_tags, Resources=["vol-0123"], Tags=[{"Key": "a", "Value": ""}])
        self.refused("InvalidParameterValue", self.ec2.create_tags, Resources=[self.id], Tags=[{"Key": "aws:x", "Value": ""}])
        for key, value in (("k" * 129, ""), ("k", "v" * 257), ("\u4e16" * 129, "")):
            self.refused("InvalidParameterValue", self.ec2.create_tags, Resources=[self.id], Tags=[{"Key": key, "Value": value}])
        longest = {"Key": "\u4e16" * 128, "Value": "\u4e16" * 256}  # in characters
        self.ec2.create_tags(Resources=[self.id], Tags=[longest])
        self.ec2.delete_tags(Resources=[self.id], Tags=[longest])
        self.refused("TagLimitExceeded", self.ec2.create_tags, Resources=[self.id],
                     Tags=[{"Key": f"k{i}", "Value": ""} for i in range(51)])
        self.assertEqual(self.ec2.describe_tags()["Tags"], [])  # all of them or none
        self.refused("InvalidAction", self.ec2.describe_volumes)
        answer = self.refused("DryRunOperation", self.ec2.describe_instances, DryRun=True)
        self.assertEqual(answer["ResponseMetadata"]["HTTPStatusCode"], 412)

    def test_who_may(self):
        def client(statement):
            iam = self.server.client("iam")
            name = f"user{statement['Action'][0].partition(':')[2]}"
            iam.create_user(UserName=name)
            iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(
                {"Version": "2012-10-17", "Statement": [statement]}))
            key = iam.create_access_key(UserName=name)["AccessKey"]
            return boto3.client("ec2", endpoint_url=self.server.endpoint, region_name=self.server.region,
                                aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])
        arn = f"arn:aws:ec2:{self.server.region}:{self.server.account}:instance/{self.id}"
        only = client({"Effect": "Allow", "Action": ["ec2:CreateTags"], "Resource": arn, "Condition": {
            "ForAllValues:StringEquals": {"aws:TagKeys": ["work"]}}})
        only.create_tags(Resources=[self.id], Tags=[{"Key": "work", "Value": "sr"}])
        said = self.refused("UnauthorizedOperation", only.create_tags, Resources=[self.id], Tags=[{"Key": "x", "Value": ""}])
        self.assertIn("ec2:CreateTags", said["Error"]["Message"])
        self.refused("UnauthorizedOperation", only.describe_instances, DryRun=True)
        other = boto3.client("ec2", endpoint_url=self.server.endpoint, region_name=self.server.region,
                             aws_access_key_id="AKIANOBODY0000000000", aws_secret_access_key="x")
        self.refused("AuthFailure", other.describe_instances)
        elsewhere = boto3.client("ec2", endpoint_url=self.server.endpoint, region_name="eu-central-1",
                                 aws_access_key_id="AKIANOBODY0000000000", aws_secret_access_key="x")
        self.refused("AuthFailure", elsewhere.describe_instances)

    def test_cli(self):
        self.server.aws("ec2", "create-tags", "--resources", self.id, "--tags", "Key=Name,Value=the first")
        told = self.server.aws("ec2", "describe-instances", "--filters", "Name=tag:Name,Values=the*", "--output", "text", "--query",
                               "Reservations[].Instances[].[InstanceId,State.Name,Tags[0].Value]").stdout
        self.assertEqual(told.strip().split("\t"), [self.id, "running", "the first"])

    def test_as_a_task(self):
        self.ec2.create_tags(Resources=[self.id], Tags=[{"Key": "work", "Value": "sr"}])
        role = self.server.role("looks", {"Effect": "Allow", "Action": "ec2:DescribeInstances", "Resource": "*"})
        sfn = self.server.client("stepfunctions")
        machine = sfn.create_state_machine(name="looks", roleArn=role, definition=json.dumps({"StartAt": "Look", "States": {"Look": {
            "Type": "Task", "Resource": "arn:aws:states:::aws-sdk:ec2:describeInstances", "End": True,
            "Parameters": {"Filters": [{"Name": "tag:work", "Values": ["sr"]}]},
            "ResultSelector": {"ids.$": "$.Reservations[*].Instances[*].InstanceId"}}}}))["stateMachineArn"]
        execution = sfn.start_execution(stateMachineArn=machine)["executionArn"]
        until = time.monotonic() + 30
        while sfn.describe_execution(executionArn=execution)["status"] == "RUNNING":
            self.assertLess(time.monotonic(), until)
        ended = sfn.describe_execution(executionArn=execution)
        self.assertEqual(json.loads(ended["output"]), {"ids": [self.id]}, ended)


if __name__ == "__main__":
    unittest.main()
