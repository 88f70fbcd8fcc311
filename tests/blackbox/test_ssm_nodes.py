# SPDX-License-Identifier: LGPL-2.1-or-later
"""Nodes as boto3 sees them: activations, tags, and commands that go to several of them."""
import datetime
import json
import os
import unittest

from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent_case import Agent
from server import Server, ServerCase

TRUST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
                                                 "Principal": {"Service": "ssm.amazonaws.com"}}]}


class Nodes(ServerCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server(arguments=["--no-agent"])
        cls.addClassCleanup(cls.server.stop)
        cls.ssm = cls.server.client("ssm")
        cls.server.client("iam").create_role(RoleName="Box", AssumeRolePolicyDocument=json.dumps(TRUST))

    def fails(self, code, call, **arguments):
        with self.assertRaises(ClientError) as caught:
            call(**arguments)
        self.assertEqual(caught.exception.response["Error"]["Code"], code)
        return caught.exception.response["Error"]["Message"]

    def activate(self, **more):
        answer = self.ssm.create_activation(IamRole="Box", **more)
        return answer["ActivationId"], answer["ActivationCode"]

    def node(self, activation, code):
        agent = Agent(self.server, "-", Ed25519PrivateKey.generate(), machine=os.urandom(32).hex())
        status, answer = agent.register(activation, code)
        self.assertEqual(status, 200, answer)
        agent.node = answer["instance_id"]
        return agent

    def nodes(self, count, **tags):
        activation = self.activate(RegistrationLimit=count, DefaultInstanceName="box",
                                   Tags=[{"Key": k, "Value": v} for k, v in tags.items()])
        return [self.node(*activation) for _ in range(count)]

    def send(self, **more):
        return self.ssm.send_command(DocumentName="AWS-RunShellScript", Parameters={"commands": ["true"]},
                                     **more)["Command"]

    def command(self, command):
        return self.ssm.list_commands(CommandId=command["CommandId"])["Commands"][0]

    def counts(self, command):
        c = self.command(command)
        return (c["Status"], c["StatusDetails"], c["TargetCount"], c["CompletedCount"], c["ErrorCount"],
                c["DeliveryTimedOutCount"])

    def test_activations(self):
        until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=2)
        activation, code = self.activate(Description="d", RegistrationLimit=2, ExpirationDate=until,
                                         Tags=[{"Key": "kind", "Value": "a"}])
        query = {"Filters": [{"FilterKey": "ActivationIds", "FilterValues": [activation]}]}
        row, = self.ssm.describe_activations(**query)["ActivationList"]
        self.assertEqual((row["IamRole"], row["RegistrationLimit"], row["RegistrationsCount"], row["Expired"],
                          row["Description"], row["Tags"]),
                         ("Box", 2, 0, False, "d", [{"Key": "kind", "Value": "a"}]))
        self.assertLess(abs((row["ExpirationDate"] - until).total_seconds()), 1)
        self.node(activation, code)
        self.assertEqual(self.ssm.describe_activations(**query)["ActivationList"][0]["RegistrationsCount"], 1)
        self.ssm.delete_activation(ActivationId=activation)
        self.assertEqual(self.ssm.describe_activations(**query)["ActivationList"], [])
        self.fails("InvalidActivation", self.ssm.delete_activation, ActivationId=activation)

    def test_activations_that_cannot_be(self):
        late = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=40)
        self.fails("InvalidParameters", self.ssm.create_activation, IamRole="Box", ExpirationDate=late)
        self.assertIn("Nonexistent role", self.fails("ValidationException", self.ssm.create_activation,
                                                     IamRole="Nobody"))

    def test_information(self):
        agent, = self.nodes(1, group="info")
        agent.poll_in_thread()
        self.assertTrue(agent.node.startswith("mi-"))
        for name, key, values in (("Filters", "Key", "Values"), ("InstanceInformationFilterList", "key", "valueSet")):
            row, = self.ssm.describe_instance_information(
                **{name: [{key: "InstanceIds", values: [agent.node]}]})["InstanceInformationList"]
            self.assertEqual((row["ResourceType"], row["IamRole"], row["Name"], row["PlatformType"]),
                             ("ManagedInstance", "Box", "box", "Linux"))
        tagged = self.ssm.describe_instance_information(Filters=[{"Key": "tag:group", "Values": ["info"]}])
        self.assertEqual([r["InstanceId"] for r in tagged["InstanceInformationList"]], [agent.node])
        self.fails("InvalidFilterKey", self.ssm.describe_instance_information,
                   Filters=[{"Key": "Colour", "Values": ["red"]}])
        pages = self.ssm.get_paginator("describe_instance_information").paginate(PaginationConfig={"PageSize": 5})
        every = [r["InstanceId"] for page in pages for r in page["InstanceInformationList"]]
        self.assertIn(agent.node, every)
        self.assertIn(self.server.instance_id, every)

    def test_tags(self):
        agent, = self.nodes(1)
        what = {"ResourceType": "ManagedInstance", "ResourceId": agent.node}
        self.ssm.add_tags_to_resource(Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}], **what)
        self.ssm.remove_tags_from_resource(TagKeys=["a", "none"], **what)
        self.assertEqual(self.ssm.list_tags_for_resource(**what)["TagList"], [{"Key": "b", "Value": "2"}])

    def test_a_command_to_tags(self):
        first, second = self.nodes(2, kind="pair")
        sent = self.send(Targets=[{"Key": "tag:kind", "Values": ["pair", "other"]}])
        self.assertEqual((sent["Status"], sent["TargetCount"]), ("Pending", 2))
        run, = first.take()
        first.report(run["command_id"], stdout="one\n")
        self.assertEqual(self.counts(sent), ("InProgress", "InProgress", 2, 1, 0, 0))
        run, = second.take()
        second.report(run["command_id"], code=3)
        self.assertEqual(self.counts(sent), ("Failed", "Failed", 2, 2, 1, 0))
        every = self.ssm.list_command_invocations(CommandId=sent["CommandId"])["CommandInvocations"]
        self.assertEqual({i["InstanceId"]: i["Status"] for i in every},
                         {first.node: "Success", second.node: "Failed"})
        failed = self.ssm.list_commands(Filters=[{"key": "Status", "value": "Failed"}])["Commands"]
        self.assertEqual([c["CommandId"] for c in failed].count(sent["CommandId"]), 1)
        self.assertEqual(len(self.ssm.list_commands(InstanceId=second.node)["Commands"]), 1)

    def test_max_errors(self):
        first, second = self.nodes(2)
        sent = self.send(InstanceIds=[first.node, second.node], MaxErrors="1")
        run, = first.take()
        first.report(run["command_id"])
        run, = second.take()
        second.report(run["command_id"], code=1)
        self.assertEqual(self.counts(sent), ("Failed", "Incomplete", 2, 2, 1, 0))

    def test_cancel_on_one(self):
        first, second = self.nodes(2)
        sent = self.send(InstanceIds=[first.node, second.node])
        self.ssm.cancel_command(CommandId=sent["CommandId"], InstanceIds=[second.node])
        self.assertEqual(self.counts(sent)[0], "InProgress")
        run, = first.take()
        first.report(run["command_id"])
        self.assertEqual(self.counts(sent)[:4], ("Cancelled", "Cancelled", 2, 2))
        self.fails("InvalidInstanceId", self.ssm.cancel_command, CommandId=sent["CommandId"],
                   InstanceIds=[self.server.instance_id])
        self.fails("InvalidCommandId", self.ssm.cancel_command, CommandId="0" * 36)

    def test_targets_that_cannot_be(self):
        agent, = self.nodes(1)
        self.fails("InvalidTarget", self.send, Targets=[{"Key": "tag:kind", "Values": ["nobody has it"]}])
        self.fails("InvalidTarget", self.send, Targets=[{"Key": "resource-groups:Name", "Values": ["x"]}])
        self.fails("DuplicateInstanceId", self.send, InstanceIds=[agent.node, agent.node])
        self.fails("InvalidInstanceId", self.send, InstanceIds=["mi-00000000000000000"])

    def test_events(self):
        events, logs = self.server.client("events"), self.server.client("logs")
        group = "/aws/events/commands"
        logs.create_log_group(logGroupName=group)
        logs.put_resource_policy(policyName="events", policyDocument=json.dumps({
            "Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Resource": "*",
                "Action": ["logs:CreateLogStream", "logs:PutLogEvents"]}]}))
        events.put_rule(Name="commands", EventPattern=json.dumps({"source": ["aws.ssm"]}))
        arn = "arn:aws:logs:%s:%s:log-group:%s" % (self.server.region, self.server.account, group)
        self.assertEqual(events.put_targets(Rule="commands", Targets=[{"Id": "1", "Arn": arn}])["FailedEntryCount"], 0)
        agent, = self.nodes(1)
        sent = self.send(InstanceIds=[agent.node])
        run, = agent.take()
        agent.report(run["command_id"])

        def seen():
            found = [json.loads(e["message"]) for e in logs.filter_log_events(logGroupName=group)["events"]]
            return sorted((e["detail-type"].split()[2], e["detail"]["status"]) for e in found
                          if e["detail"]["command-id"] == sent["CommandId"])
        self.until(lambda: len(seen()) >= 4)
        self.assertEqual(seen(), [("Invocation", "InProgress"), ("Invocation", "Success"),
                                  ("Status-change", "InProgress"), ("Status-change", "Success")])

    def test_deregister(self):
        agent, = self.nodes(1)
        sent = self.send(InstanceIds=[agent.node])
        self.ssm.update_managed_instance_role(InstanceId=agent.node, IamRole="Box")
        self.ssm.deregister_managed_instance(InstanceId=agent.node)
        self.fails("InvalidInstanceId", self.ssm.deregister_managed_instance, InstanceId=agent.node)
        self.assertEqual(self.ssm.get_connection_status(Target=agent.node)["Status"], "notconnected")
        self.until(lambda: self.command(sent)["StatusDetails"] == "Undeliverable")

    def until(self, done):
        for _ in range(3000):
            if done():
                return
        self.fail("it did not become true")


if __name__ == "__main__":
    unittest.main()
