# SPDX-License-Identifier: LGPL-2.1-or-later
"""Actions of IAM as its API reference has them: users, keys, groups, roles, profiles, tags, pages,
and the error of each mistake. Policies are in test_iam_policies.py."""
import json
import unittest

from iam_case import ANY, EC2, IAM, IamCase, allow, deny, document, element, form, trust

READ_ONLY = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"


class Users(IamCase):
    def test_life(self):
        made = self.iam.create_user(UserName="ann", Path="/team/", Tags=[{"Key": "k", "Value": "v"}])["User"]
        self.assertEqual(made["Arn"], IAM + "user/team/ann")
        self.assertRegex(made["UserId"], "^AIDA[A-Z2-7]{17}$")
        self.assertEqual(made["Tags"], [{"Key": "k", "Value": "v"}])
        got = self.iam.get_user(UserName="ann")["User"]
        self.assertEqual(got, made)
        self.iam.update_user(UserName="ann", NewUserName="anna", NewPath="/")
        self.assertEqual(self.iam.get_user(UserName="anna")["User"]["Arn"], IAM + "user/anna")
        self.assertEqual(self.iam.get_user(UserName="anna")["User"]["UserId"], made["UserId"])
        self.iam.delete_user(UserName="anna")
        message = self.fails("NoSuchEntity", 404, self.iam.get_user, UserName="anna")
        self.assertEqual(message, "The user with name anna cannot be found.")

    def test_names_are_one_in_any_case(self):
        self.iam.create_user(UserName="Case")
        message = self.fails("EntityAlreadyExists", 409, self.iam.create_user, UserName="cASE")
        self.assertEqual(message, "User with name cASE already exists.")
        self.iam.create_user(UserName="case2")
        self.fails("EntityAlreadyExists", 409, self.iam.update_user, UserName="case2", NewUserName="CASE")
        self.iam.update_user(UserName="Case", NewUserName="CASE")
        self.assertEqual(self.iam.get_user(UserName="CASE")["User"]["UserName"], "CASE")

    def test_root_asks_for_itself(self):
        self.assertEqual(self.iam.get_user()["User"]["Arn"], IAM + "root")

    def test_user_asks_for_itself(self):
        key = self.user(document(allow("iam:GetUser")))
        self.assertEqual(self.as_key("iam", key).get_user()["User"]["UserName"], self.name)

    def test_user_with_anything_is_not_deleted(self):
        self.user(document(allow("s3:*")), name="full")
        self.iam.create_group(GroupName="fullgroup")
        self.iam.add_user_to_group(GroupName="fullgroup", UserName="full")
        self.iam.attach_user_policy(UserName="full", PolicyArn=READ_ONLY)
        key = self.iam.list_access_keys(UserName="full")["AccessKeyMetadata"][0]["AccessKeyId"]
        steps = [
            (lambda: self.iam.remove_user_from_group(GroupName="fullgroup", UserName="full"), "remove users from group"),
            (lambda: self.iam.delete_access_key(UserName="full", AccessKeyId=key), "delete access keys"),
            (lambda: self.iam.detach_user_policy(UserName="full", PolicyArn=READ_ONLY), "detach all policies"),
            (lambda: self.iam.delete_user_policy(UserName="full", PolicyName="p0"), "delete policies"),
        ]
        for step, words in steps:
            with self.subTest(words):
                message = self.fails("DeleteConflict", 409, self.iam.delete_user, UserName="full")
                self.assertEqual(message, "Cannot delete entity, must %s first." % words)
                step()
        self.iam.delete_user(UserName="full")

    def test_pages(self):
        for number in range(7):
            self.iam.create_user(UserName="page%d" % number, Path="/pages/")
        first = self.iam.list_users(PathPrefix="/pages/", MaxItems=3)
        self.assertTrue(first["IsTruncated"])
        self.assertEqual([u["UserName"] for u in first["Users"]], ["page0", "page1", "page2"])
        last = self.iam.list_users(PathPrefix="/pages/", Marker=first["Marker"])
        self.assertFalse(last["IsTruncated"])
        self.assertNotIn("Marker", last)
        self.assertEqual(len(last["Users"]), 4)
        pages = self.iam.get_paginator("list_users").paginate(PathPrefix="/pages/", PaginationConfig={"PageSize": 2})
        self.assertEqual(len([u for page in pages for u in page["Users"]]), 7)
        self.fails("ValidationError", 400, self.iam.list_users, Marker="no marker")

    def test_what_is_wrong_is_said(self):
        name = "Value '%s' at 'userName' failed to satisfy constraint: Member must "
        rows = [
            ("create_user", {"UserName": "a b"}, name % "a b" + "satisfy regular expression pattern: [\\w+=,.@-]+"),
            ("create_user", {"UserName": "x" * 65}, name % ("x" * 65) + "have length less than or equal to 64"),
            ("create_user", {"UserName": ""}, name % "" + "have length greater than or equal to 1"),
            ("create_user", {}, "Value null at 'userName' failed to satisfy constraint: Member must not be null"),
            ("create_user", {"UserName": "a", "Path": "nope"}, "at 'path' failed to satisfy constraint"),
            ("create_user", {"UserName": "a", "Path": "/nope"}, "at 'path' failed to satisfy constraint"),
            ("list_users", {"MaxItems": 0}, "Value '0' at 'maxItems' failed to satisfy constraint: Member must have "
                                            "value greater than or equal to 1"),
            ("list_users", {"MaxItems": 1001}, "Member must have value less than or equal to 1000"),
            ("list_users", {"PathPrefix": "x"}, "at 'pathPrefix' failed to satisfy constraint"),
            ("update_access_key", {"UserName": "a", "AccessKeyId": "A" * 20, "Status": "Gone"},
             "Value 'Gone' at 'status' failed to satisfy constraint: Member must satisfy enum value set: "
             "[Active, Inactive]"),
            ("create_user", {"UserName": "a", "Tags": [{"Key": "", "Value": ""}]}, "at 'tags.1.member.key'"),
        ]
        for action, arguments, words in rows:
            with self.subTest(action, **arguments):
                message = self.fails("ValidationError", 400, getattr(self.raw_iam, action), **arguments)
                self.assertIn(words, message)
                self.assertTrue(message.startswith("1 validation error detected: "), message)
        message = self.fails("ValidationError", 400, self.raw_iam.create_user, UserName="a b", Path="c d")
        self.assertTrue(message.startswith("2 validation errors detected: "), message)

    def test_passwords_and_devices(self):
        self.iam.create_user(UserName="plain")
        self.fails("NoSuchEntity", 404, self.iam.get_login_profile, UserName="plain")
        self.assertIn("CreateLoginProfile", self.fails("NotImplemented", 501, self.iam.create_login_profile,
                                                       UserName="plain", Password="secret-secret"))
        self.assertEqual(self.iam.list_mfa_devices(UserName="plain")["MFADevices"], [])
        self.assertEqual(self.iam.list_account_aliases()["AccountAliases"], [])
        rows = [("list_signing_certificates", "Certificates", True), ("list_ssh_public_keys", "SSHPublicKeys", True),
                ("list_service_specific_credentials", "ServiceSpecificCredentials", True),
                ("list_virtual_mfa_devices", "VirtualMFADevices", False),
                ("list_server_certificates", "ServerCertificateMetadataList", False),
                ("list_saml_providers", "SAMLProviderList", False),
                ("list_open_id_connect_providers", "OpenIDConnectProviderList", False)]
        for action, name, of_user in rows:
            with self.subTest(action):
                self.assertEqual(getattr(self.iam, action)(**({"UserName": "plain"} if of_user else {})).get(name, []), [])
        self.fails("NoSuchEntity", 404, self.iam.get_account_password_policy)

    def test_unknown_action(self):
        answer = form(self.server, "iam", {"Action": "DanceOnTables", "Version": "2010-05-08"})
        self.assertEqual((answer.status, element(answer, "Code")), (400, "InvalidAction"))

    def test_answers_are_what_the_protocol_says(self):
        answer = form(self.server, "iam", {"Action": "ListUsers", "PathPrefix": "/none/"}, version="2010-05-08")
        self.assertIn(b'<ListUsersResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">', answer.data)
        self.assertIn("<IsTruncated>false</IsTruncated>", element(answer, "ListUsersResult"))
        self.assertTrue(element(answer, "RequestId"))
        self.assertTrue(answer.getheader("Content-Type").startswith("text/xml"))
        wrong = form(self.server, "iam", {"Action": "GetUser", "UserName": "nobody"}, version="2010-05-08")
        self.assertEqual((wrong.status, element(wrong, "Code"), element(wrong, "Type")),
                         (404, "NoSuchEntity", "Sender"))


class Keys(IamCase):
    def test_life(self):
        key = self.user()
        self.assertRegex(key["AccessKeyId"], "^AKIA[A-Z2-7]{16}$")
        self.assertEqual(len(key["SecretAccessKey"]), 40)
        sts = self.as_key("sts", key)
        self.assertEqual(sts.get_caller_identity()["Arn"], IAM + "user/" + self.name)
        listed = self.iam.list_access_keys(UserName=self.name)["AccessKeyMetadata"]
        self.assertEqual([(k["AccessKeyId"], k["Status"]) for k in listed], [(key["AccessKeyId"], "Active")])
        self.assertNotIn("SecretAccessKey", listed[0])
        self.iam.update_access_key(UserName=self.name, AccessKeyId=key["AccessKeyId"], Status="Inactive")
        self.fails("InvalidClientTokenId", 403, sts.get_caller_identity)
        self.iam.update_access_key(UserName=self.name, AccessKeyId=key["AccessKeyId"], Status="Active")
        sts.get_caller_identity()
        self.iam.delete_access_key(UserName=self.name, AccessKeyId=key["AccessKeyId"])
        self.fails("InvalidClientTokenId", 403, sts.get_caller_identity)

    def test_two_at_most(self):
        self.user()
        self.iam.create_access_key(UserName=self.name)
        message = self.fails("LimitExceeded", 409, self.iam.create_access_key, UserName=self.name)
        self.assertEqual(message, "Cannot exceed quota for AccessKeysPerUser: 2")

    def test_of_another_user(self):
        key = self.user()
        self.iam.create_user(UserName="other")
        message = self.fails("NoSuchEntity", 404, self.iam.delete_access_key, UserName="other",
                             AccessKeyId=key["AccessKeyId"])
        self.assertEqual(message, "The Access Key with id %s cannot be found." % key["AccessKeyId"])
        self.fails("NoSuchEntity", 404, self.iam.create_access_key, UserName="nobody")
        self.fails("NoSuchEntity", 404, self.iam.get_access_key_last_used, AccessKeyId="AKIA" + "A" * 16)

    def test_own(self):
        key = self.user(document(allow("iam:*AccessKey*", IAM + "user/${aws:username}")))
        mine = self.as_key("iam", key)
        new = mine.create_access_key()["AccessKey"]
        self.assertEqual(new["UserName"], self.name)
        self.assertEqual(len(mine.list_access_keys()["AccessKeyMetadata"]), 2)
        mine.delete_access_key(AccessKeyId=key["AccessKeyId"])
        self.iam.create_user(UserName="stranger")
        self.fails("AccessDenied", 403, self.as_key("iam", new).create_access_key, UserName="stranger")

    def test_last_used(self):
        key = self.user(document(allow("s3:ListAllMyBuckets")))
        used = self.iam.get_access_key_last_used(AccessKeyId=key["AccessKeyId"])
        self.assertEqual((used["UserName"], used["AccessKeyLastUsed"]["ServiceName"]), (self.name, "N/A"))
        self.as_key("s3", key).list_buckets()
        used = self.iam.get_access_key_last_used(AccessKeyId=key["AccessKeyId"])["AccessKeyLastUsed"]
        self.assertEqual((used["ServiceName"], used["Region"]), ("s3", "us-east-1"))
        self.assertIn("LastUsedDate", used)

    def test_secrets_are_sealed_and_outlive_a_crash(self):
        key = self.user()
        self.server.kill()
        with open(self.server.data + "/spyhop.db", "rb") as database, \
                open(self.server.data + "/spyhop.db-wal", "rb") as log:
            stored = database.read() + log.read()
        self.assertIn(key["AccessKeyId"].encode(), stored)
        self.assertNotIn(key["SecretAccessKey"].encode(), stored)
        self.server.start()
        type(self).iam = self.server.client("iam")
        type(self).sts = self.server.client("sts")
        self.assertEqual(self.as_key("sts", key).get_caller_identity()["Arn"], IAM + "user/" + self.name)


class Groups(IamCase):
    def test_life(self):
        made = self.iam.create_group(GroupName="crew", Path="/x/")["Group"]
        self.assertEqual(made["Arn"], IAM + "group/x/crew")
        self.assertRegex(made["GroupId"], "^AGPA")
        self.iam.create_user(UserName="member")
        self.iam.add_user_to_group(GroupName="crew", UserName="member")
        self.iam.add_user_to_group(GroupName="crew", UserName="member")
        got = self.iam.get_group(GroupName="crew")
        self.assertEqual([u["UserName"] for u in got["Users"]], ["member"])
        self.assertEqual(got["Group"], made)
        self.assertEqual([g["GroupName"] for g in self.iam.list_groups_for_user(UserName="member")["Groups"]], ["crew"])
        self.assertIn("must remove users from group",
                      self.fails("DeleteConflict", 409, self.iam.delete_group, GroupName="crew"))
        self.iam.remove_user_from_group(GroupName="crew", UserName="member")
        self.fails("NoSuchEntity", 404, self.iam.remove_user_from_group, GroupName="crew", UserName="member")
        self.iam.update_group(GroupName="crew", NewGroupName="team")
        self.assertIn("team", [g["GroupName"] for g in self.iam.list_groups()["Groups"]])
        self.iam.delete_group(GroupName="team")
        self.assertEqual(self.fails("NoSuchEntity", 404, self.iam.get_group, GroupName="team"),
                         "The group with name team cannot be found.")

    def test_gives_its_policies_to_its_users(self):
        key = self.user()
        s3 = self.as_key("s3", key)
        self.iam.create_group(GroupName="readers")
        self.iam.attach_group_policy(GroupName="readers", PolicyArn=READ_ONLY)
        self.fails("AccessDenied", 403, s3.list_buckets)
        self.iam.add_user_to_group(GroupName="readers", UserName=self.name)
        s3.list_buckets()
        self.iam.put_group_policy(GroupName="readers", PolicyName="no", PolicyDocument=document(deny("s3:*")))
        self.fails("AccessDenied", 403, s3.list_buckets)
        self.iam.delete_group_policy(GroupName="readers", PolicyName="no")
        s3.list_buckets()
        self.iam.remove_user_from_group(GroupName="readers", UserName=self.name)
        self.fails("AccessDenied", 403, s3.list_buckets)

    def test_ten_of_a_user(self):
        self.iam.create_user(UserName="busy")
        for number in range(11):
            self.iam.create_group(GroupName="g%d" % number)
            if number < 10:
                self.iam.add_user_to_group(GroupName="g%d" % number, UserName="busy")
        self.assertEqual(self.fails("LimitExceeded", 409, self.iam.add_user_to_group, GroupName="g10", UserName="busy"),
                         "Cannot exceed quota for GroupsPerUser: 10")
        self.assertEqual(len(self.iam.list_groups_for_user(UserName="busy")["Groups"]), 10)


class Roles(IamCase):
    def test_life(self):
        made = self.iam.create_role(RoleName="worker", Path="/service-role/", AssumeRolePolicyDocument=EC2,
                                    Description="works", MaxSessionDuration=7200,
                                    Tags=[{"Key": "a", "Value": "b"}])["Role"]
        self.assertEqual(made["Arn"], IAM + "role/service-role/worker")
        self.assertRegex(made["RoleId"], "^AROA")
        got = self.iam.get_role(RoleName="worker")["Role"]
        self.assertEqual(got["AssumeRolePolicyDocument"], json.loads(EC2))
        self.assertEqual((got["Description"], got["MaxSessionDuration"], got["Tags"], got["RoleLastUsed"]),
                         ("works", 7200, [{"Key": "a", "Value": "b"}], {}))
        self.iam.update_role(RoleName="worker", Description="rests", MaxSessionDuration=3600)
        got = self.iam.get_role(RoleName="worker")["Role"]
        self.assertEqual((got["Description"], got["MaxSessionDuration"]), ("rests", 3600))
        self.assertEqual(self.iam.update_role_description(RoleName="worker", Description="x")["Role"]["Description"], "x")
        new = trust({"Service": "lambda.amazonaws.com"})
        self.iam.update_assume_role_policy(RoleName="worker", PolicyDocument=new)
        self.assertEqual(self.iam.get_role(RoleName="worker")["Role"]["AssumeRolePolicyDocument"], json.loads(new))
        self.assertIn("worker", [r["RoleName"] for r in self.iam.list_roles(PathPrefix="/service-role/")["Roles"]])
        self.assertEqual(self.fails("EntityAlreadyExists", 409, self.iam.create_role, RoleName="Worker",
                                    AssumeRolePolicyDocument=EC2), "Role with name Worker already exists.")
        self.iam.delete_role(RoleName="worker")
        self.assertEqual(self.fails("NoSuchEntity", 404, self.iam.get_role, RoleName="worker"),
                         "The role with name worker cannot be found.")

    def test_a_default_session_is_an_hour(self):
        self.role()
        self.assertEqual(self.iam.get_role(RoleName=self.name)["Role"]["MaxSessionDuration"], 3600)

    def test_trust_is_checked(self):
        rows = [
            ("not JSON", "{", "MalformedPolicyDocument"),
            ("no principal", document(allow("sts:AssumeRole")), "MalformedPolicyDocument"),
            ("resource", document({"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole", "Resource": "*"}),
             "MalformedPolicyDocument"),
            ("no action", document({"Effect": "Allow", "Principal": "*"}), "MalformedPolicyDocument"),
            ("nobody", trust({"AWS": IAM + "user/nobody"}), "MalformedPolicyDocument"),
            ("no role", trust({"AWS": [IAM + "root", IAM + "role/none"]}), "MalformedPolicyDocument"),
        ]
        for words, text, code in rows:
            with self.subTest(words):
                self.fails(code, 400, self.iam.create_role, RoleName="bad", AssumeRolePolicyDocument=text)
        self.assertEqual(self.fails("MalformedPolicyDocument", 400, self.iam.create_role, RoleName="bad",
                                    AssumeRolePolicyDocument=trust({"AWS": IAM + "user/nobody"})),
                         'Invalid principal in policy: "AWS":"%suser/nobody"' % IAM)
        self.role("worth", trusted=trust({"AWS": "arn:aws:iam::999999999999:user/far"}))
        long = trust({"Service": ["x%03d.amazonaws.com" % n for n in range(120)]})
        self.assertEqual(self.fails("LimitExceeded", 409, self.iam.create_role, RoleName="long",
                                    AssumeRolePolicyDocument=long), "Cannot exceed quota for ACLSizePerRole: 2048")

    def test_bounds(self):
        rows = [({"MaxSessionDuration": 3599}, "ValidationError"), ({"MaxSessionDuration": 43201}, "ValidationError"),
                ({"Path": "/aws-service-role/x/"}, "InvalidInput"),
                ({"PermissionsBoundary": IAM + "policy/none"}, "NoSuchEntity")]
        for arguments, code in rows:
            with self.subTest(**arguments):
                self.fails(code, 404 if code == "NoSuchEntity" else 400, self.raw_iam.create_role, RoleName="bounds",
                           AssumeRolePolicyDocument=EC2, **arguments)
        self.fails("InvalidInput", 400, self.iam.create_service_linked_role, AWSServiceName="x.amazonaws.com")

    def test_role_in_use_is_not_deleted(self):
        self.role(policy=document(allow("s3:*")))
        self.iam.attach_role_policy(RoleName=self.name, PolicyArn=READ_ONLY)
        self.iam.create_instance_profile(InstanceProfileName=self.name)
        self.iam.add_role_to_instance_profile(InstanceProfileName=self.name, RoleName=self.name)
        steps = [
            ("remove roles from instance profile", lambda: self.iam.remove_role_from_instance_profile(
                InstanceProfileName=self.name, RoleName=self.name)),
            ("detach all policies", lambda: self.iam.detach_role_policy(RoleName=self.name, PolicyArn=READ_ONLY)),
            ("delete policies", lambda: self.iam.delete_role_policy(RoleName=self.name, PolicyName="p")),
        ]
        for words, step in steps:
            with self.subTest(words):
                self.assertEqual(self.fails("DeleteConflict", 409, self.iam.delete_role, RoleName=self.name),
                                 "Cannot delete entity, must %s first." % words)
                step()
        self.iam.delete_role(RoleName=self.name)

    def test_boundary(self):
        arn = self.iam.create_policy(PolicyName="bound", PolicyDocument=ANY)["Policy"]["Arn"]
        self.role(PermissionsBoundary=arn)
        got = self.iam.get_role(RoleName=self.name)["Role"]["PermissionsBoundary"]
        self.assertEqual(got, {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn})
        self.assertEqual(self.iam.get_policy(PolicyArn=arn)["Policy"]["PermissionsBoundaryUsageCount"], 1)
        self.fails("DeleteConflict", 409, self.iam.delete_policy, PolicyArn=arn)
        users = self.iam.list_entities_for_policy(PolicyArn=arn, PolicyUsageFilter="PermissionsBoundary")
        self.assertEqual([r["RoleName"] for r in users["PolicyRoles"]], [self.name])
        self.iam.delete_role_permissions_boundary(RoleName=self.name)
        self.assertNotIn("PermissionsBoundary", self.iam.get_role(RoleName=self.name)["Role"])
        self.fails("NoSuchEntity", 404, self.iam.delete_role_permissions_boundary, RoleName=self.name)
        self.iam.put_role_permissions_boundary(RoleName=self.name, PermissionsBoundary=READ_ONLY)
        self.assertEqual(self.iam.get_role(RoleName=self.name)["Role"]["PermissionsBoundary"]["PermissionsBoundaryArn"],
                         READ_ONLY)

    def test_boundary_bounds_a_user(self):
        key = self.user(document(allow("s3:*")), PermissionsBoundary=READ_ONLY)
        s3 = self.as_key("s3", key)
        s3.list_buckets()
        message = self.fails("AccessDenied", 403, s3.create_bucket, Bucket="bounded")
        self.assertIn("because no permissions boundary allows the s3:CreateBucket action", message)
        self.iam.delete_user_permissions_boundary(UserName=self.name)
        s3.create_bucket(Bucket="bounded")

    def test_there_from_the_beginning(self):
        role = self.iam.get_role(RoleName="MediaConvert_Default_Role")["Role"]
        self.assertEqual(role["Arn"], IAM + "role/MediaConvert_Default_Role")
        self.assertEqual(role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"],
                         {"Service": "mediaconvert.amazonaws.com"})
        attached = self.iam.list_attached_role_policies(RoleName="MediaConvert_Default_Role")["AttachedPolicies"]
        self.assertEqual([p["PolicyName"] for p in attached], ["AmazonAPIGatewayInvokeFullAccess", "AmazonS3FullAccess"])
        profile = self.iam.get_instance_profile(InstanceProfileName="SpyhopNode")["InstanceProfile"]
        self.assertEqual([r["RoleName"] for r in profile["Roles"]], ["SpyhopNode"])


class Profiles(IamCase):
    def test_life(self):
        made = self.iam.create_instance_profile(InstanceProfileName="box", Path="/n/")["InstanceProfile"]
        self.assertEqual((made["Arn"], made["Roles"]), (IAM + "instance-profile/n/box", []))
        self.assertRegex(made["InstanceProfileId"], "^AIPA")
        self.role("boxrole")
        self.role("another")
        self.iam.add_role_to_instance_profile(InstanceProfileName="box", RoleName="boxrole")
        self.assertEqual(self.fails("LimitExceeded", 409, self.iam.add_role_to_instance_profile,
                                    InstanceProfileName="box", RoleName="another"),
                         "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1")
        listed = self.iam.list_instance_profiles_for_role(RoleName="boxrole")["InstanceProfiles"]
        self.assertEqual([p["InstanceProfileName"] for p in listed], ["box"])
        self.assertEqual(listed[0]["Roles"][0]["AssumeRolePolicyDocument"]["Version"], "2012-10-17")
        self.fails("DeleteConflict", 409, self.iam.delete_instance_profile, InstanceProfileName="box")
        self.iam.remove_role_from_instance_profile(InstanceProfileName="box", RoleName="boxrole")
        self.fails("NoSuchEntity", 404, self.iam.remove_role_from_instance_profile, InstanceProfileName="box",
                   RoleName="boxrole")
        self.assertIn("box", [p["InstanceProfileName"] for p in self.iam.list_instance_profiles()["InstanceProfiles"]])
        self.iam.delete_instance_profile(InstanceProfileName="box")
        self.assertEqual(self.fails("NoSuchEntity", 404, self.iam.get_instance_profile, InstanceProfileName="box"),
                         "Instance Profile box cannot be found.")

    def test_twice(self):
        self.iam.create_instance_profile(InstanceProfileName="twin")
        self.assertEqual(self.fails("EntityAlreadyExists", 409, self.iam.create_instance_profile,
                                    InstanceProfileName="twin"), "Instance Profile twin already exists.")


class Tags(IamCase):
    def each(self):
        self.iam.create_user(UserName="tagged")
        self.role("tagged")
        self.iam.create_instance_profile(InstanceProfileName="tagged")
        arn = self.iam.create_policy(PolicyName="tagged", PolicyDocument=ANY)["Policy"]["Arn"]
        return [("user", {"UserName": "tagged"}), ("role", {"RoleName": "tagged"}), ("policy", {"PolicyArn": arn}),
                ("instance_profile", {"InstanceProfileName": "tagged"})]

    def test_four_kinds(self):
        for kind, who in self.each():
            with self.subTest(kind):
                tag, untag, read = (getattr(self.iam, verb % kind) for verb in ("tag_%s", "untag_%s", "list_%s_tags"))
                tag(Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}], **who)
                tag(Tags=[{"Key": "a", "Value": "3"}], **who)
                self.assertEqual(read(**who)["Tags"], [{"Key": "a", "Value": "3"}, {"Key": "b", "Value": "2"}])
                page = read(MaxItems=1, **who)
                self.assertTrue(page["IsTruncated"])
                self.assertEqual(read(Marker=page["Marker"], **who)["Tags"], [{"Key": "b", "Value": "2"}])
                untag(TagKeys=["a", "never"], **who)
                self.assertEqual(read(**who)["Tags"], [{"Key": "b", "Value": "2"}])

    def test_limits(self):
        self.iam.create_user(UserName="limits")
        one = lambda n: {"Key": "k%d" % n, "Value": ""}
        self.iam.tag_user(UserName="limits", Tags=[one(n) for n in range(50)])
        self.fails("LimitExceeded", 409, self.iam.tag_user, UserName="limits", Tags=[one(50)])
        rows = [([one(0), {"Key": "K0", "Value": "x"}], "InvalidInput"),
                ([{"Key": "aws:x", "Value": ""}], "InvalidInput"),
                ([{"Key": "k" * 129, "Value": ""}], "ValidationError"),
                ([{"Key": "k", "Value": "v" * 257}], "ValidationError"),
                ([{"Key": "k?", "Value": "v"}], "ValidationError"),
                ([{"Key": "k"}], "ValidationError")]
        for tags, code in rows:
            with self.subTest(tags=tags):
                self.fails(code, 400, self.raw_iam.tag_user, UserName="limits", Tags=tags)

    def test_of_the_principal_in_a_policy(self):
        key = self.user(document(allow("s3:ListAllMyBuckets",
                                       Condition={"StringEquals": {"aws:PrincipalTag/team": "video"}})))
        s3 = self.as_key("s3", key)
        self.fails("AccessDenied", 403, s3.list_buckets)
        self.iam.tag_user(UserName=self.name, Tags=[{"Key": "team", "Value": "video"}])
        s3.list_buckets()


class Account(IamCase):
    def test_summary(self):
        before = self.iam.get_account_summary()["SummaryMap"]
        self.iam.create_user(UserName="counted")
        after = self.iam.get_account_summary()["SummaryMap"]
        self.assertEqual(after["Users"], before["Users"] + 1)
        self.assertEqual((after["VersionsPerPolicyQuota"], after["PolicySizeQuota"]), (5, 6144))

    def test_details(self):
        self.user(document(allow("s3:*")), name="detailed", Path="/d/")
        self.iam.create_group(GroupName="details")
        self.iam.add_user_to_group(GroupName="details", UserName="detailed")
        self.iam.attach_user_policy(UserName="detailed", PolicyArn=READ_ONLY)
        arn = self.iam.create_policy(PolicyName="detail", PolicyDocument=ANY)["Policy"]["Arn"]
        all_of = self.iam.get_account_authorization_details()
        user = [u for u in all_of["UserDetailList"] if u["UserName"] == "detailed"][0]
        self.assertEqual(user["GroupList"], ["details"])
        self.assertEqual(user["AttachedManagedPolicies"], [{"PolicyName": "AmazonS3ReadOnlyAccess", "PolicyArn": READ_ONLY}])
        self.assertEqual(user["UserPolicyList"][0]["PolicyName"], "p0")
        policies = {p["Arn"]: p for p in all_of["Policies"]}
        self.assertEqual(policies[arn]["PolicyVersionList"][0]["Document"], json.loads(ANY))
        self.assertIn(READ_ONLY, policies)
        roles = {r["RoleName"]: r for r in all_of["RoleDetailList"]}
        self.assertEqual(roles["SpyhopNode"]["InstanceProfileList"][0]["InstanceProfileName"], "SpyhopNode")
        only = self.iam.get_account_authorization_details(Filter=["Group"])
        self.assertEqual((len(only["GroupDetailList"]), only["UserDetailList"], only["Policies"]), (1, [], []))
        pages = list(self.iam.get_paginator("get_account_authorization_details").paginate(
            PaginationConfig={"PageSize": 2}))
        self.assertEqual(sum(len(p["UserDetailList"]) for p in pages), len(all_of["UserDetailList"]))
        self.assertEqual(sum(len(p["Policies"]) for p in pages), len(all_of["Policies"]))

    def test_cli(self):
        self.server.aws("iam", "create-role", "--role-name", "cli", "--assume-role-policy-document", EC2)
        got = json.loads(self.server.aws("iam", "get-role", "--role-name", "cli").stdout)
        self.assertEqual(got["Role"]["Arn"], IAM + "role/cli")
        failed = self.server.aws("iam", "get-user", "--user-name", "nobody", check=False)
        self.assertEqual(failed.returncode, 254)
        self.assertIn("An error occurred (NoSuchEntity) when calling the GetUser operation", failed.stderr)
        self.assertIn(": The user with name nobody cannot be found.", failed.stderr)


class MayThey(IamCase):
    """IAM's own actions are asked for, like all others."""

    def test_nothing_is_nothing(self):
        key = self.user()
        iam = self.as_key("iam", key)
        arn = IAM + "user/" + self.name
        message = self.fails("AccessDenied", 403, iam.list_users)
        self.assertTrue(message.startswith("User: %s is not authorized to perform: iam:ListUsers" % arn), message)
        self.assertTrue(message.endswith(" because no identity-based policy allows the iam:ListUsers action"), message)
        self.fails("AccessDenied", 403, iam.create_user, UserName="more")
        self.assertIn("user/" + self.name, self.as_key("sts", key).get_caller_identity()["Arn"])

    def test_paths_and_names(self):
        key = self.user(document(allow("iam:GetUser", IAM + "user/team/*")))
        iam = self.as_key("iam", key)
        self.iam.create_user(UserName="inside", Path="/team/")
        self.iam.create_user(UserName="outside")
        iam.get_user(UserName="inside")
        message = self.fails("AccessDenied", 403, iam.get_user, UserName="outside")
        self.assertIn("iam:GetUser on resource: %suser/outside because no identity-based policy allows the iam:GetUser "
                      "action" % IAM, message)

    def test_a_deleted_user_is_nobody(self):
        key = self.user(ANY, name="leaver")
        s3 = self.as_key("s3", key)
        s3.list_buckets()
        self.iam.delete_access_key(UserName="leaver", AccessKeyId=key["AccessKeyId"])
        self.iam.delete_user_policy(UserName="leaver", PolicyName="p0")
        self.iam.delete_user(UserName="leaver")
        self.fails("InvalidAccessKeyId", 403, s3.list_buckets)


class Tasks(IamCase):
    def test_a_state_machine_calls_iam(self):
        sfn = self.server.client("stepfunctions")
        arn = self.role("machine", policy=document(allow("iam:GetRole")),
                        trusted=trust({"Service": "states.amazonaws.com"}))
        definition = {"StartAt": "A", "States": {"A": {
            "Type": "Task", "Resource": "arn:aws:states:::aws-sdk:iam:getRole",
            "Parameters": {"RoleName.$": "$.role"}, "OutputPath": "$.Role.Arn", "End": True}}}
        machine = sfn.create_state_machine(name="m", definition=json.dumps(definition), roleArn=arn,
                                           type="EXPRESS")["stateMachineArn"]
        run = lambda role: sfn.start_sync_execution(stateMachineArn=machine, input=json.dumps({"role": role}))
        self.assertEqual(json.loads(run("machine")["output"]), arn)
        failed = run("none")
        self.assertEqual(failed["error"], "Iam.NoSuchEntityException")
        self.assertTrue(failed["cause"].startswith("The role with name none cannot be found. (Service: Iam, Status Code: "
                                                   "404, "), failed["cause"])


if __name__ == "__main__":
    unittest.main()
