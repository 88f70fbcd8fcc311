# SPDX-License-Identifier: LGPL-2.1-or-later
"""Policies of IAM: inline, managed with versions and attachments, AWS's own; and what they would say
(simulation)."""
import json
import unittest

from iam_case import ANY, IAM, IamCase, allow, deny, document

READ_ONLY = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"


class InlinePolicies(IamCase):
    def each(self):
        self.iam.create_user(UserName="owner")
        self.iam.create_group(GroupName="owner")
        self.role("owner")
        for kind in ("user", "group", "role"):
            yield kind, {kind.title() + "Name": "owner"}

    def test_three_kinds(self):
        for kind, who in self.each():
            put, get, drop = (getattr(self.iam, verb % kind) for verb in ("put_%s_policy", "get_%s_policy",
                                                                          "delete_%s_policy"))
            names = getattr(self.iam, "list_%s_policies" % kind)
            with self.subTest(kind):
                put(PolicyName="one", PolicyDocument=ANY, **who)
                put(PolicyName="two", PolicyDocument=ANY, **who)
                put(PolicyName="one", PolicyDocument=document(deny("*")), **who)
                got = get(PolicyName="one", **who)
                self.assertEqual((got["PolicyName"], got[kind.title() + "Name"]), ("one", "owner"))
                self.assertEqual(got["PolicyDocument"], json.loads(document(deny("*"))))
                self.assertEqual(names(**who)["PolicyNames"], ["one", "two"])
                page = names(MaxItems=1, **who)
                self.assertEqual(names(Marker=page["Marker"], **who)["PolicyNames"], ["two"])
                drop(PolicyName="one", **who)
                wanted = "The %s policy with name one cannot be found." % kind
                self.assertEqual(self.fails("NoSuchEntity", 404, drop, PolicyName="one", **who), wanted)
                self.assertEqual(self.fails("NoSuchEntity", 404, get, PolicyName="one", **who), wanted)

    def test_documents_are_checked(self):
        self.iam.create_user(UserName="strict")
        rows = [
            ("not JSON", "nonsense"), ("empty object", "{}"), ("no statement", '{"Version": "2012-10-17"}'),
            ("a version of its own", json.dumps({"Version": "2020-01-01", "Statement": [allow("*")]})),
            ("principal", document(allow("*", Principal="*"))),
            ("effect", document(dict(allow("*"), Effect="Maybe"))),
            ("no resource", document({"Effect": "Allow", "Action": "*"})),
            ("no ARN", document(allow("s3:*", "bucket"))),
            ("vendor", document(allow("GetObject"))),
            ("condition", document(allow("*", Condition={"Nonsense": {"a:b": "c"}}))),
        ]
        for words, text in rows:
            with self.subTest(words):
                self.fails("MalformedPolicyDocument", 400, self.iam.put_user_policy, UserName="strict", PolicyName="p",
                           PolicyDocument=text)
        self.assertEqual(self.iam.list_user_policies(UserName="strict")["PolicyNames"], [])

    def test_sizes(self):
        self.iam.create_user(UserName="fat")
        big = document(*[allow("s3:GetObject", "arn:aws:s3:::bucket/%s%d" % ("x" * 60, n)) for n in range(15)])
        message = self.fails("LimitExceeded", 409, self.iam.put_user_policy, UserName="fat", PolicyName="p",
                             PolicyDocument=big)
        self.assertEqual(message, "Maximum policy size of 2048 bytes exceeded for user fat")
        self.assertEqual(self.iam.list_user_policies(UserName="fat")["PolicyNames"], [])
        blank = json.dumps(json.loads(ANY), indent=200)
        self.iam.put_user_policy(UserName="fat", PolicyName="p", PolicyDocument=blank)


class ManagedPolicies(IamCase):
    def policy(self, name=None, text=ANY, **more):
        return self.iam.create_policy(PolicyName=name or self.name, PolicyDocument=text, **more)["Policy"]

    def test_life(self):
        made = self.policy("mine", Path="/p/", Description="words", Tags=[{"Key": "a", "Value": ""}])
        self.assertEqual((made["Arn"], made["DefaultVersionId"], made["AttachmentCount"], made["IsAttachable"]),
                         (IAM + "policy/p/mine", "v1", 0, True))
        self.assertRegex(made["PolicyId"], "^ANPA")
        got = self.iam.get_policy(PolicyArn=made["Arn"])["Policy"]
        self.assertEqual((got["Description"], got["Tags"]), ("words", [{"Key": "a", "Value": ""}]))
        self.assertEqual(self.fails("EntityAlreadyExists", 409, self.iam.create_policy, PolicyName="mine",
                                    PolicyDocument=ANY),
                         "A policy called mine already exists. Duplicate names are not allowed.")
        self.iam.delete_policy(PolicyArn=made["Arn"])
        self.assertEqual(self.fails("NoSuchEntity", 404, self.iam.get_policy, PolicyArn=made["Arn"]),
                         "Policy %s was not found." % made["Arn"])

    def test_versions(self):
        arn = self.policy()["Arn"]
        for number in range(2, 6):
            made = self.iam.create_policy_version(PolicyArn=arn, PolicyDocument=document(allow("s3:*")),
                                                  SetAsDefault=number == 3)["PolicyVersion"]
            self.assertEqual((made["VersionId"], made["IsDefaultVersion"]), ("v%d" % number, number == 3))
        message = self.fails("LimitExceeded", 409, self.iam.create_policy_version, PolicyArn=arn, PolicyDocument=ANY)
        self.assertIn("can have up to 5 versions", message)
        listed = self.iam.list_policy_versions(PolicyArn=arn)["Versions"]
        self.assertEqual([v["VersionId"] for v in listed], ["v5", "v4", "v3", "v2", "v1"])
        self.assertEqual(self.iam.get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]["Document"],
                         json.loads(ANY))
        self.assertIn("default version", self.fails("DeleteConflict", 409, self.iam.delete_policy_version,
                                                    PolicyArn=arn, VersionId="v3"))
        self.assertIn("more than one version", self.fails("DeleteConflict", 409, self.iam.delete_policy, PolicyArn=arn))
        self.iam.set_default_policy_version(PolicyArn=arn, VersionId="v5")
        for number in range(1, 5):
            self.iam.delete_policy_version(PolicyArn=arn, VersionId="v%d" % number)
        made = self.iam.create_policy_version(PolicyArn=arn, PolicyDocument=ANY)["PolicyVersion"]
        self.assertEqual(made["VersionId"], "v6")
        self.fails("NoSuchEntity", 404, self.iam.get_policy_version, PolicyArn=arn, VersionId="v9")
        self.fails("ValidationError", 400, self.iam.get_policy_version, PolicyArn=arn, VersionId="9")

    def test_a_new_default_counts_at_once(self):
        arn = self.policy(text=document(allow("s3:ListAllMyBuckets")))["Arn"]
        key = self.user()
        self.iam.attach_user_policy(UserName=self.name, PolicyArn=arn)
        s3 = self.as_key("s3", key)
        s3.list_buckets()
        self.iam.create_policy_version(PolicyArn=arn, PolicyDocument=document(deny("*")), SetAsDefault=True)
        self.assertIn("with an explicit deny in an identity-based policy", self.fails("AccessDenied", 403, s3.list_buckets))
        self.iam.set_default_policy_version(PolicyArn=arn, VersionId="v1")
        s3.list_buckets()

    def test_attachments(self):
        arn = self.policy()["Arn"]
        self.iam.create_user(UserName="at")
        self.iam.create_group(GroupName="at")
        self.role("at")
        for kind in ("user", "group", "role"):
            who = {kind.title() + "Name": "at"}
            with self.subTest(kind):
                attach = getattr(self.iam, "attach_%s_policy" % kind)
                attach(PolicyArn=arn, **who)
                attach(PolicyArn=arn, **who)
                attach(PolicyArn=READ_ONLY, **who)
                listed = getattr(self.iam, "list_attached_%s_policies" % kind)
                self.assertEqual([p["PolicyArn"] for p in listed(**who)["AttachedPolicies"]], [arn, READ_ONLY])
                self.assertEqual(listed(PathPrefix="/x/", **who)["AttachedPolicies"], [])
                self.fails("NoSuchEntity", 404, attach, PolicyArn=IAM + "policy/none", **who)
                self.fails("NoSuchEntity", 404, getattr(self.iam, "detach_%s_policy" % kind),
                           PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess", **who)
        self.assertEqual(self.iam.get_policy(PolicyArn=arn)["Policy"]["AttachmentCount"], 3)
        found = self.iam.list_entities_for_policy(PolicyArn=arn)
        self.assertEqual([found["PolicyUsers"][0]["UserName"], found["PolicyGroups"][0]["GroupName"],
                          found["PolicyRoles"][0]["RoleName"]], ["at", "at", "at"])
        only = self.iam.list_entities_for_policy(PolicyArn=arn, EntityFilter="Role")
        self.assertEqual((len(only["PolicyUsers"]), len(only["PolicyRoles"])), (0, 1))
        pages = list(self.iam.get_paginator("list_entities_for_policy").paginate(
            PolicyArn=arn, PaginationConfig={"PageSize": 1}))
        self.assertEqual(len(pages), 3)
        self.assertEqual(self.fails("DeleteConflict", 409, self.iam.delete_policy, PolicyArn=arn),
                         "Cannot delete a policy attached to entities.")
        self.iam.detach_user_policy(UserName="at", PolicyArn=arn)
        self.assertEqual(self.fails("NoSuchEntity", 404, self.iam.detach_user_policy, UserName="at", PolicyArn=arn),
                         "Policy %s was not found." % arn)

    def test_ten_of_a_role(self):
        self.role("ten")
        arns = [p["Arn"] for p in self.iam.list_policies(Scope="AWS")["Policies"]][:11]
        for arn in arns[:10]:
            self.iam.attach_role_policy(RoleName="ten", PolicyArn=arn)
        self.assertEqual(self.fails("LimitExceeded", 409, self.iam.attach_role_policy, RoleName="ten",
                                    PolicyArn=arns[10]), "Cannot exceed quota for PoliciesPerRole: 10")

    def test_of_aws(self):
        wanted = ["AmazonSSMManagedInstanceCore", "service-role/AWSLambdaBasicExecutionRole", "AmazonS3FullAccess",
                  "AmazonS3ReadOnlyAccess", "AdministratorAccess", "PowerUserAccess", "ReadOnlyAccess",
                  "AWSElementalMediaConvertFullAccess", "AWSStepFunctionsFullAccess", "CloudWatchLogsFullAccess",
                  "AmazonAPIGatewayInvokeFullAccess"]
        for name in wanted:
            with self.subTest(name):
                arn = "arn:aws:iam::aws:policy/" + name
                policy = self.iam.get_policy(PolicyArn=arn)["Policy"]
                self.assertEqual(policy["Arn"], arn)
                version = self.iam.get_policy_version(PolicyArn=arn, VersionId=policy["DefaultVersionId"])
                self.assertEqual(version["PolicyVersion"]["Document"]["Version"], "2012-10-17")
                self.assertEqual(len(self.iam.list_policy_versions(PolicyArn=arn)["Versions"]), 1)
        self.fails("AccessDenied", 403, self.iam.delete_policy, PolicyArn="arn:aws:iam::aws:policy/" + wanted[0])
        self.fails("AccessDenied", 403, self.iam.create_policy_version,
                   PolicyArn="arn:aws:iam::aws:policy/" + wanted[0], PolicyDocument=ANY)
        self.fails("NoSuchEntity", 404, self.iam.get_policy, PolicyArn="arn:aws:iam::aws:policy/AWSLambdaBasicExecutionRole")

    def test_all_of_aws_load(self):
        listed = self.iam.list_policies(Scope="AWS")["Policies"]
        self.iam.create_user(UserName="loader")
        self.assertEqual([p["PolicyName"] for p in listed], sorted(p["PolicyName"] for p in listed))
        for policy in listed:
            with self.subTest(policy["PolicyName"]):
                version = self.iam.get_policy_version(PolicyArn=policy["Arn"], VersionId=policy["DefaultVersionId"])
                text = json.dumps(version["PolicyVersion"]["Document"])
                self.iam.create_policy(PolicyName="copy-" + policy["PolicyName"], PolicyDocument=text)

    def test_list(self):
        self.policy("local1", Path="/ours/")
        self.policy("local2", Path="/ours/")
        names = lambda **more: [p["PolicyName"] for p in self.iam.list_policies(**more)["Policies"]]
        self.assertEqual(names(PathPrefix="/ours/"), ["local1", "local2"])
        self.assertNotIn("local1", names(Scope="AWS"))
        self.assertNotIn("ViewOnlyAccess", names(Scope="Local"))
        self.iam.create_user(UserName="holder")
        self.iam.attach_user_policy(UserName="holder", PolicyArn=IAM + "policy/ours/local2")
        self.assertEqual(names(PathPrefix="/ours/", OnlyAttached=True), ["local2"])
        pages = self.iam.get_paginator("list_policies").paginate(PaginationConfig={"PageSize": 7})
        paged = [p["PolicyName"] for page in pages for p in page["Policies"]]
        self.assertEqual(paged, names(MaxItems=1000))
        self.assertEqual(len(paged), len(set(paged)))

    def test_bad(self):
        rows = [("get_policy", {"PolicyArn": "nonsense-that-is-long-enough"}, "InvalidInput", 400),
                ("get_policy", {"PolicyArn": "short"}, "ValidationError", 400),
                ("create_policy", {"PolicyName": "x", "PolicyDocument": "{"}, "MalformedPolicyDocument", 400),
                ("create_policy", {"PolicyName": "x", "PolicyDocument": ANY, "Path": "/a b/"}, "ValidationError", 400),
                ("create_policy", {"PolicyName": "x" * 129, "PolicyDocument": ANY}, "ValidationError", 400)]
        for action, arguments, code, status in rows:
            with self.subTest(action, **arguments):
                self.fails(code, status, getattr(self.raw_iam, action), **arguments)
        big = document(*[allow("s3:GetObject", "arn:aws:s3:::bucket/%s%d" % ("x" * 60, n)) for n in range(60)])
        self.assertEqual(self.fails("LimitExceeded", 409, self.iam.create_policy, PolicyName="big", PolicyDocument=big),
                         "Cannot exceed quota for PolicySize: 6144")


class Simulation(IamCase):
    def decide(self, call, **arguments):
        return [(r["EvalActionName"], r["EvalResourceName"], r["EvalDecision"])
                for r in call(**arguments)["EvaluationResults"]]

    def test_custom(self):
        policy = document(allow("s3:Get*", "arn:aws:s3:::a/*"), deny("s3:*", "arn:aws:s3:::a/secret"))
        answer = self.decide(self.iam.simulate_custom_policy, PolicyInputList=[policy],
                             ActionNames=["s3:GetObject", "s3:PutObject"],
                             ResourceArns=["arn:aws:s3:::a/x", "arn:aws:s3:::a/secret"])
        self.assertEqual(answer, [("s3:GetObject", "arn:aws:s3:::a/x", "allowed"),
                                  ("s3:GetObject", "arn:aws:s3:::a/secret", "explicitDeny"),
                                  ("s3:PutObject", "arn:aws:s3:::a/x", "implicitDeny"),
                                  ("s3:PutObject", "arn:aws:s3:::a/secret", "explicitDeny")])

    def test_conditions_and_what_is_missing(self):
        policy = document(allow("s3:ListBucket", Condition={"StringEquals": {"s3:prefix": "${aws:username}"}}))
        one = lambda **more: self.iam.simulate_custom_policy(PolicyInputList=[policy], ActionNames=["s3:ListBucket"],
                                                             **more)["EvaluationResults"][0]
        got = one()
        self.assertEqual(got["EvalDecision"], "implicitDeny")
        self.assertEqual(sorted(got["MissingContextValues"]), ["aws:username", "s3:prefix"])
        entry = lambda name, value: {"ContextKeyName": name, "ContextKeyType": "string", "ContextKeyValues": [value]}
        got = one(ContextEntries=[entry("s3:prefix", "me"), entry("aws:username", "me")])
        self.assertEqual((got["EvalDecision"], got.get("MissingContextValues", [])), ("allowed", []))
        self.assertEqual(got["MatchedStatements"][0]["SourcePolicyId"], "PolicyInputList.1")
        keys = self.iam.get_context_keys_for_custom_policy(PolicyInputList=[policy])["ContextKeyNames"]
        self.assertEqual(sorted(keys), ["aws:username", "s3:prefix"])

    def test_principal(self):
        self.iam.create_user(UserName="sim", PermissionsBoundary="arn:aws:iam::aws:policy/PowerUserAccess")
        self.iam.create_group(GroupName="simgroup")
        self.iam.add_user_to_group(GroupName="simgroup", UserName="sim")
        self.iam.put_group_policy(GroupName="simgroup", PolicyName="g", PolicyDocument=ANY)
        self.iam.put_user_policy(UserName="sim", PolicyName="u", PolicyDocument=document(deny("ssm:SendCommand")))
        call = self.iam.simulate_principal_policy
        got = call(PolicySourceArn=IAM + "user/sim",
                   ActionNames=["s3:GetObject", "ssm:SendCommand", "iam:DeleteUser"])["EvaluationResults"]
        self.assertEqual([r["EvalDecision"] for r in got], ["allowed", "explicitDeny", "implicitDeny"])
        self.assertFalse(got[2]["PermissionsBoundaryDecisionDetail"]["AllowedByPermissionsBoundary"])
        self.assertEqual(got[1]["MatchedStatements"][0]["SourcePolicyId"], "user_sim_u")
        self.assertEqual(self.decide(call, PolicySourceArn=IAM + "group/simgroup", ActionNames=["iam:DeleteUser"])[0][2],
                         "allowed")
        got = self.decide(call, PolicySourceArn=IAM + "user/sim", ActionNames=["s3:GetObject"],
                          PolicyInputList=[document(deny("s3:*"))])
        self.assertEqual(got[0][2], "explicitDeny")
        self.fails("NoSuchEntity", 404, call, PolicySourceArn=IAM + "user/none", ActionNames=["s3:GetObject"])

    def test_resource_policy_and_pages(self):
        bucket = json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": IAM + "user/reader"}, "Action": "s3:GetObject",
             "Resource": "arn:aws:s3:::b/*"}]})
        got = self.decide(self.iam.simulate_custom_policy, PolicyInputList=[document(allow("sqs:*"))],
                          ActionNames=["s3:GetObject"], ResourceArns=["arn:aws:s3:::b/k"], ResourcePolicy=bucket,
                          CallerArn=IAM + "user/reader")
        self.assertEqual(got[0][2], "allowed")
        pages = self.iam.get_paginator("simulate_custom_policy").paginate(
            PolicyInputList=[ANY], ActionNames=["s3:A%d" % n for n in range(5)], PaginationConfig={"PageSize": 2})
        self.assertEqual([len(p["EvaluationResults"]) for p in pages], [2, 2, 1])

    def test_bad(self):
        rows = [({"PolicyInputList": ["{"], "ActionNames": ["s3:GetObject"]}, "InvalidInput"),
                ({"PolicyInputList": [ANY], "ActionNames": ["nonsense"]}, "InvalidInput"),
                ({"PolicyInputList": [ANY], "ActionNames": ["s3:GetObject"], "ResourcePolicy": "{"}, "InvalidInput")]
        for arguments, code in rows:
            with self.subTest(**arguments):
                self.fails(code, 400, self.iam.simulate_custom_policy, **arguments)


if __name__ == "__main__":
    unittest.main()
