# SPDX-License-Identifier: LGPL-2.1-or-later
"""The Security Token Service: who may take on a role, what a session may do, how long, and its keys."""
import datetime
import json
import unittest
import urllib.request

from iam_case import ACCOUNT, ANY, IAM, IamCase, allow, deny, document, element, form, trust
from server import ACCESS_KEY

ASSUME = document(allow("sts:AssumeRole"))
ROOT = {"AWS": IAM + "root"}


class Sessions(IamCase):
    def assume(self, key, arn, session="session", **more):
        sts = self.as_key("sts", key, parameter_validation=False)
        return sts.assume_role(RoleArn=arn, RoleSessionName=session, **more)

    def pair(self, policy=ANY, trusted=None, user_policy=ASSUME, **more):
        """A user who may, and a role; key and ARN."""
        key = self.user(*([user_policy] if user_policy else []))
        return key, self.role(policy=policy, trusted=trusted or trust(ROOT), **more)

    def test_identity(self):
        got = self.sts.get_caller_identity()
        self.assertEqual((got["UserId"], got["Account"], got["Arn"]), (ACCOUNT, ACCOUNT, IAM + "root"))
        key = self.user(document(deny("sts:GetCallerIdentity")))
        got = self.as_key("sts", key).get_caller_identity()
        self.assertEqual(got["Arn"], IAM + "user/" + self.name)
        self.assertRegex(got["UserId"], "^AIDA")

    def test_assume(self):
        key, arn = self.pair(policy=document(allow("s3:ListAllMyBuckets")))
        got = self.assume(key, arn)
        keys = got["Credentials"]
        self.assertRegex(keys["AccessKeyId"], "^ASIA[A-Z2-7]{16}$")
        self.assertEqual(got["AssumedRoleUser"]["Arn"],
                         "arn:aws:sts::%s:assumed-role/%s/session" % (ACCOUNT, self.name))
        self.assertRegex(got["AssumedRoleUser"]["AssumedRoleId"], "^AROA[A-Z2-7]{17}:session$")
        self.assertNotIn("PackedPolicySize", got)
        left = keys["Expiration"] - datetime.datetime.now(datetime.timezone.utc)
        self.assertAlmostEqual(left.total_seconds(), 3600, delta=60)
        who = self.as_key("sts", keys).get_caller_identity()
        self.assertEqual((who["Arn"], who["UserId"]),
                         (got["AssumedRoleUser"]["Arn"], got["AssumedRoleUser"]["AssumedRoleId"]))
        self.as_key("s3", keys).list_buckets()
        message = self.fails("AccessDenied", 403, self.as_key("s3", keys).create_bucket, Bucket="none")
        self.assertEqual(message, 'User: %s is not authorized to perform: s3:CreateBucket on resource: '
                                  '"arn:aws:s3:::none" because no identity-based policy allows the s3:CreateBucket '
                                  'action' % who["Arn"])

    def test_last_used(self):
        key, arn = self.pair()
        self.as_key("sts", self.assume(key, arn)["Credentials"]).get_caller_identity()
        used = self.iam.get_role(RoleName=self.name)["Role"]["RoleLastUsed"]
        self.assertEqual(used["Region"], "us-east-1")
        self.assertIn("LastUsedDate", used)

    def test_who_may(self):
        """Trust of the account leaves it to the user's policies; trust of the user is enough by itself."""
        key = self.user()
        me = IAM + "user/" + self.name
        other = self.user(name="bystander")
        self.assertTrue(other)
        rows = [
            ("the account, no policy", trust(ROOT), None, False),
            ("the account, a policy", trust(ROOT), ASSUME, True),
            ("the account by digits", trust({"AWS": ACCOUNT}), ASSUME, True),
            ("the user", trust({"AWS": me}), None, True),
            ("another user", trust({"AWS": IAM + "user/bystander"}), ASSUME, False),
            ("a service", trust({"Service": "ec2.amazonaws.com"}), ASSUME, False),
            ("another account", trust({"AWS": "arn:aws:iam::999999999999:root"}), ASSUME, False),
            ("everybody", trust({"AWS": "*"}), None, True),
            ("another action", trust(ROOT, action="sts:TagSession"), ASSUME, False),
            ("a deny of the user's", trust({"AWS": me}), document(deny("sts:AssumeRole")), False),
            ("of another role only", trust(ROOT), document(allow("sts:AssumeRole", IAM + "role/else")), False),
        ]
        for number, (words, trusted, policy, may) in enumerate(rows):
            with self.subTest(words):
                arn = self.role("may%d" % number, trusted=trusted)
                if policy:
                    self.iam.put_user_policy(UserName=self.name, PolicyName="p", PolicyDocument=policy)
                if may:
                    self.assume(key, arn)
                else:
                    message = self.fails("AccessDenied", 403, self.assume, key, arn)
                    self.assertEqual(message, "User: %s is not authorized to perform: sts:AssumeRole on resource: %s" %
                                     (me, arn))
                if policy:
                    self.iam.delete_user_policy(UserName=self.name, PolicyName="p")

    def test_no_such_role_is_no_other_answer(self):
        key, _ = self.pair()
        arn = IAM + "role/none"
        self.assertEqual(self.fails("AccessDenied", 403, self.assume, key, arn),
                         "User: %suser/%s is not authorized to perform: sts:AssumeRole on resource: %s" %
                         (IAM, self.name, arn))

    def test_root_takes_no_role(self):
        arn = self.role()
        self.assertEqual(self.fails("AccessDenied", 403, self.sts.assume_role, RoleArn=arn, RoleSessionName="session"),
                         "Roles may not be assumed by root accounts.")

    def test_conditions_of_trust(self):
        key = self.user(ASSUME)
        rows = [
            ("external id", {"StringEquals": {"sts:ExternalId": "ticket"}}, {"ExternalId": "ticket"}, True),
            ("another", {"StringEquals": {"sts:ExternalId": "ticket"}}, {"ExternalId": "tucket"}, False),
            ("none", {"StringEquals": {"sts:ExternalId": "ticket"}}, {}, False),
            ("session name", {"StringLike": {"sts:RoleSessionName": "${aws:username}"}}, {"session": self.name}, True),
            ("another session name", {"StringLike": {"sts:RoleSessionName": "${aws:username}"}}, {}, False),
            ("address", {"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}, {}, True),
            ("another address", {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, {}, False),
            ("principal", {"ArnLike": {"aws:PrincipalArn": IAM + "user/*"}}, {}, True),
            ("time", {"DateGreaterThan": {"aws:CurrentTime": "2100-01-01T00:00:00Z"}}, {}, False),
            ("no device", {"Bool": {"aws:MultiFactorAuthPresent": "true"}}, {}, False),
        ]
        for number, (words, condition, arguments, may) in enumerate(rows):
            with self.subTest(words):
                arn = self.role("cond%d" % number, trusted=trust(ROOT, Condition=condition))
                if may:
                    self.assume(key, arn, **arguments)
                else:
                    self.fails("AccessDenied", 403, self.assume, key, arn, **arguments)

    def test_session_policy(self):
        key, arn = self.pair(policy=document(allow("s3:*")))
        self.s3.create_bucket(Bucket="sessions")
        got = self.assume(key, arn, Policy=document(allow(["s3:ListAllMyBuckets", "iam:*"])))
        self.assertGreater(got["PackedPolicySize"], 0)
        s3 = self.as_key("s3", got["Credentials"])
        s3.list_buckets()
        message = self.fails("AccessDenied", 403, s3.list_objects_v2, Bucket="sessions")
        self.assertIn("because no session policy allows the s3:ListBucket action", message)
        self.fails("AccessDenied", 403, self.as_key("iam", got["Credentials"]).list_users)
        denied = self.assume(key, arn, Policy=document(allow("*"), deny("s3:ListAllMyBuckets")))
        message = self.fails("AccessDenied", 403, self.as_key("s3", denied["Credentials"]).list_buckets)
        self.assertIn("with an explicit deny in a session policy", message)

    def test_session_policy_arns(self):
        key, arn = self.pair(policy=document(allow("*")))
        read = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
        s3 = self.as_key("s3", self.assume(key, arn, PolicyArns=[{"arn": read}])["Credentials"])
        s3.list_buckets()
        self.fails("AccessDenied", 403, s3.create_bucket, Bucket="arns")
        both = self.assume(key, arn, PolicyArns=[{"arn": read}], Policy=document(allow("s3:CreateBucket")))
        s3 = self.as_key("s3", both["Credentials"])
        s3.create_bucket(Bucket="arns")
        s3.list_buckets()
        self.fails("AccessDenied", 403, s3.delete_bucket, Bucket="arns")
        self.fails("ValidationError", 400, self.assume, key, arn, PolicyArns=[{"arn": IAM + "policy/none"}])

    def test_a_policy_of_a_session_that_changes(self):
        key, arn = self.pair(policy=document(allow("*")))
        policy = self.iam.create_policy(PolicyName="moving", PolicyDocument=document(allow("s3:*")))["Policy"]["Arn"]
        s3 = self.as_key("s3", self.assume(key, arn, PolicyArns=[{"arn": policy}])["Credentials"])
        s3.list_buckets()
        self.iam.create_policy_version(PolicyArn=policy, PolicyDocument=document(allow("sqs:*")), SetAsDefault=True)
        self.fails("AccessDenied", 403, s3.list_buckets)
        self.iam.delete_policy_version(PolicyArn=policy, VersionId="v1")
        self.iam.delete_policy(PolicyArn=policy)
        self.fails("AccessDenied", 403, s3.list_buckets)

    def test_bad_session_policies(self):
        key, arn = self.pair()
        rows = [({"Policy": "{"}, "MalformedPolicyDocument"),
                ({"Policy": document(allow("s3:*", Principal="*"))}, "MalformedPolicyDocument"),
                ({"Policy": document(*[allow("s3:GetObject", "arn:aws:s3:::b/%050d" % n) for n in range(30)])},
                 "ValidationError"),
                ({"Tags": [{"Key": "k%d" % n, "Value": "v" * 250} for n in range(45)]}, "PackedPolicyTooLarge")]
        tagging = trust(ROOT, action=["sts:AssumeRole", "sts:TagSession"])
        self.iam.update_assume_role_policy(RoleName=self.name, PolicyDocument=tagging)
        self.iam.put_user_policy(UserName=self.name, PolicyName="p0", PolicyDocument=document(allow("sts:*")))
        for arguments, code in rows:
            with self.subTest(code):
                self.fails(code, 400, self.assume, key, arn, **arguments)

    def test_durations(self):
        key, arn = self.pair(MaxSessionDuration=7200)
        rows = [(900, None), (7200, None), (899, "ValidationError"), (7201, "ValidationError"), (43201, "ValidationError")]
        for seconds, code in rows:
            with self.subTest(seconds):
                if code:
                    self.fails(code, 400, self.assume, key, arn, DurationSeconds=seconds)
                else:
                    self.assume(key, arn, DurationSeconds=seconds)
        self.assertEqual(self.fails("ValidationError", 400, self.assume, key, arn, DurationSeconds=7201),
                         "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")

    def test_chain(self):
        key, first = self.pair(policy=ASSUME, MaxSessionDuration=7200)
        second = self.role("second", policy=document(allow("s3:*")), trusted=trust({"AWS": first}),
                           MaxSessionDuration=7200)
        keys = self.assume(key, first)["Credentials"]
        got = self.assume(keys, second)
        self.as_key("s3", got["Credentials"]).list_buckets()
        self.assertIn("1 hour session limit for roles assumed by role chaining",
                      self.fails("ValidationError", 400, self.assume, keys, second, DurationSeconds=3601))
        self.fails("AccessDenied", 403, self.assume, key, second)

    def test_tags(self):
        key = self.user(document(allow(["sts:AssumeRole", "sts:TagSession"])))
        plain = self.role("plain", trusted=trust(ROOT))
        allowing = trust(ROOT, action=["sts:AssumeRole", "sts:TagSession"])
        policy = document(allow("s3:ListAllMyBuckets", Condition={"StringEquals": {"aws:PrincipalTag/team": "film"}}),
                          allow("sts:*"))
        arn = self.role(policy=policy, trusted=allowing, Tags=[{"Key": "team", "Value": "role"}])
        tags = [{"Key": "team", "Value": "film"}]
        message = self.fails("AccessDenied", 403, self.assume, key, plain, Tags=tags)
        self.assertIn("is not authorized to perform: sts:TagSession on resource: " + plain, message)
        self.fails("AccessDenied", 403, self.as_key("s3", self.assume(key, arn)["Credentials"]).list_buckets)
        got = self.assume(key, arn, Tags=tags, TransitiveTagKeys=["team"])["Credentials"]
        self.as_key("s3", got).list_buckets()
        again = self.role("again", policy=policy, trusted=trust({"AWS": arn}))
        self.as_key("s3", self.assume(got, again)["Credentials"]).list_buckets()
        self.fails("ValidationError", 400, self.assume, key, arn, Tags=tags, TransitiveTagKeys=["other"])
        self.fails("InvalidInput", 400, self.assume, key, arn, Tags=tags + [{"Key": "TEAM", "Value": "x"}])

    def test_source_identity(self):
        key = self.user(document(allow(["sts:AssumeRole", "sts:SetSourceIdentity"])))
        arn = self.role(trusted=trust(ROOT, action=["sts:AssumeRole", "sts:SetSourceIdentity"]),
                        policy=document(allow("s3:ListAllMyBuckets",
                                              Condition={"StringEquals": {"aws:SourceIdentity": "ann"}})))
        got = self.assume(key, arn, SourceIdentity="ann")
        self.assertEqual(got["SourceIdentity"], "ann")
        self.as_key("s3", got["Credentials"]).list_buckets()
        self.fails("AccessDenied", 403,
                   self.as_key("s3", self.assume(key, arn, SourceIdentity="bob")["Credentials"]).list_buckets)

    def test_sessions_of_old_are_revoked_by_a_policy(self):
        key, arn = self.pair(policy=document(allow("s3:*")))
        s3 = self.as_key("s3", self.assume(key, arn)["Credentials"])
        s3.list_buckets()
        later = (datetime.datetime.utcnow() + datetime.timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.iam.put_role_policy(RoleName=self.name, PolicyName="AWSRevokeOlderSessions", PolicyDocument=document(
            deny("*", Condition={"DateLessThan": {"aws:TokenIssueTime": later}})))
        self.fails("AccessDenied", 403, s3.list_buckets)

    def test_a_session_ends_with_its_role(self):
        key, arn = self.pair(policy=document(allow("s3:*")))
        keys = self.assume(key, arn)["Credentials"]
        s3 = self.as_key("s3", keys)
        s3.list_buckets()
        self.iam.delete_role_policy(RoleName=self.name, PolicyName="p")
        self.fails("AccessDenied", 403, s3.list_buckets)
        self.iam.delete_role(RoleName=self.name)
        self.fails("InvalidAccessKeyId", 403, s3.list_buckets)
        self.role(policy=document(allow("s3:*")))
        self.fails("InvalidAccessKeyId", 403, s3.list_buckets)

    def test_tokens(self):
        key, arn = self.pair(policy=document(allow("s3:*")))
        keys = self.assume(key, arn)["Credentials"]
        other = self.assume(key, arn)["Credentials"]
        rows = [
            ("none", dict(keys, SessionToken=None), "InvalidAccessKeyId", 403),
            ("another session's", dict(keys, SessionToken=other["SessionToken"]), "InvalidToken", 400),
            ("nonsense", dict(keys, SessionToken="nonsense"), "InvalidToken", 400),
            ("changed", dict(keys, SessionToken=keys["SessionToken"][:60] + "AAAA" + keys["SessionToken"][64:]),
             "InvalidToken", 400),
            ("cut", dict(keys, SessionToken=keys["SessionToken"][:-8]), "InvalidToken", 400),
            ("another secret", dict(keys, SecretAccessKey=other["SecretAccessKey"]), "SignatureDoesNotMatch", 403),
            ("of a user's key", dict(key, SessionToken=keys["SessionToken"]), "InvalidToken", 400),
        ]
        for words, tried, code, status in rows:
            for warm in (False, True):
                with self.subTest(words, warm=warm):
                    self.fails(code, status, self.as_key("s3", tried).list_buckets)
                    self.as_key("s3", keys).list_buckets()
        self.fails("InvalidClientTokenId", 403, self.as_key("sts", rows[2][1]).get_caller_identity)

    def test_sessions_outlive_a_crash(self):
        key, arn = self.pair(policy=document(allow("s3:*")))
        keys = self.assume(key, arn)["Credentials"]
        self.server.kill()
        self.server.start()
        for name in ("iam", "sts", "s3"):
            setattr(type(self), name, self.server.client(name))
        self.as_key("s3", keys).list_buckets()

    def test_presigned(self):
        key, arn = self.pair(policy=document(allow("s3:*")))
        self.s3.create_bucket(Bucket="presigned")
        self.s3.put_object(Bucket="presigned", Key="k", Body=b"text")
        s3 = self.as_key("s3", self.assume(key, arn)["Credentials"])
        url = s3.generate_presigned_url("get_object", Params={"Bucket": "presigned", "Key": "k"})
        self.assertIn("X-Amz-Security-Token", url)
        with urllib.request.urlopen(url) as answer:
            self.assertEqual(answer.read(), b"text")

    def test_wrong_words(self):
        key, arn = self.pair()
        raw = self.as_key("sts", key, parameter_validation=False)
        rows = [({"RoleArn": arn, "RoleSessionName": "a b"}, "ValidationError"),
                ({"RoleArn": arn, "RoleSessionName": "x"}, "ValidationError"),
                ({"RoleArn": arn, "RoleSessionName": "x" * 65}, "ValidationError"),
                ({"RoleArn": arn}, "ValidationError"), ({"RoleSessionName": "session"}, "ValidationError"),
                ({"RoleArn": "arn:aws:iam::x", "RoleSessionName": "session"}, "ValidationError"),
                ({"RoleArn": "nonsense-that-is-long-enough", "RoleSessionName": "session"}, "ValidationError"),
                ({"RoleArn": arn, "RoleSessionName": "session", "ExternalId": "x"}, "ValidationError"),
                ({"RoleArn": arn, "RoleSessionName": "session", "DurationSeconds": 1}, "ValidationError")]
        for arguments, code in rows:
            with self.subTest(**arguments):
                self.fails(code, 400, raw.assume_role, **arguments)


class Tokens(IamCase):
    def test_session_token(self):
        key = self.user(document(allow("s3:*"), allow("sts:AssumeRole"), allow("iam:*")))
        sts = self.as_key("sts", key)
        keys = sts.get_session_token(DurationSeconds=900)["Credentials"]
        self.assertRegex(keys["AccessKeyId"], "^ASIA")
        self.assertEqual(self.as_key("sts", keys).get_caller_identity()["Arn"], IAM + "user/" + self.name)
        self.as_key("s3", keys).list_buckets()
        self.fails("InvalidClientTokenId", 403, self.as_key("iam", keys).list_users)
        self.fails("AccessDenied", 403, self.as_key("sts", keys).get_session_token)
        arn = self.role()
        self.as_key("sts", keys).assume_role(RoleArn=arn, RoleSessionName="session")
        self.iam.put_user_policy(UserName=self.name, PolicyName="no", PolicyDocument=document(deny("s3:*")))
        self.fails("AccessDenied", 403, self.as_key("s3", keys).list_buckets)

    def test_of_root(self):
        keys = self.sts.get_session_token()["Credentials"]
        left = keys["Expiration"] - datetime.datetime.now(datetime.timezone.utc)
        self.assertAlmostEqual(left.total_seconds(), 3600, delta=60)
        self.assertEqual(self.as_key("sts", keys).get_caller_identity()["Arn"], IAM + "root")
        self.as_key("s3", keys).list_buckets()

    def test_bounds(self):
        raw = self.raw_sts
        for seconds in (899, 129601):
            with self.subTest(seconds):
                self.fails("ValidationError", 400, raw.get_session_token, DurationSeconds=seconds)
        self.fails("AccessDenied", 403, raw.get_session_token, SerialNumber="arn:aws:iam::1:mfa/x", TokenCode="123456")

    def test_whose_key(self):
        key = self.user()
        for one in (ACCESS_KEY, key["AccessKeyId"]):
            self.assertEqual(self.sts.get_access_key_info(AccessKeyId=one)["Account"], ACCOUNT)
        self.fails("ValidationError", 400, self.sts.get_access_key_info, AccessKeyId="AKIA" + "Z" * 16)
        self.fails("ValidationError", 400, self.raw_sts.get_access_key_info, AccessKeyId="short")

    def test_protocol(self):
        answer = form(self.server, "sts", {"Action": "GetCallerIdentity", "Version": "2011-06-15"})
        self.assertIn(b'<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">', answer.data)
        self.assertEqual(element(answer, "Account"), ACCOUNT)
        wrong = form(self.server, "sts", {"Action": "AssumeRoleWithMagic", "Version": "2011-06-15"})
        self.assertEqual((wrong.status, element(wrong, "Code")), (400, "InvalidAction"))

    def test_cli(self):
        got = json.loads(self.server.aws("sts", "get-caller-identity").stdout)
        self.assertEqual(got["Arn"], IAM + "root")


if __name__ == "__main__":
    unittest.main()
