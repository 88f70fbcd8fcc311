# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests of IAM and STS share."""
import json
import re
import unittest
import urllib.parse

import boto3
import botocore.config
from botocore.exceptions import ClientError

import s3_case
from server import ACCESS_KEY, SECRET_KEY, Server, signed_request

ACCOUNT = "012345678901"
IAM = "arn:aws:iam::%s:" % ACCOUNT


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action, resource="*", **more):
    return dict({"Effect": "Allow", "Action": action, "Resource": resource}, **more)


def deny(action, resource="*", **more):
    return dict(allow(action, resource, **more), Effect="Deny")


def trust(principal, action="sts:AssumeRole", **more):
    return document(dict({"Effect": "Allow", "Principal": principal, "Action": action}, **more))


EC2 = trust({"Service": "ec2.amazonaws.com"})
ANY = document(allow("*"))


class IamCase(unittest.TestCase):
    """One server for a class; names are made of the test's own."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.iam = cls.server.client("iam")
        cls.sts = cls.server.client("sts")
        cls.s3 = cls.server.client("s3")
        # what the SDK would refuse by itself has to reach the server
        cls.raw_iam = cls.server.client("iam", parameter_validation=False)
        cls.raw_sts = cls.server.client("sts", parameter_validation=False)

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def setUp(self):
        self.name = self.id().rsplit(".", 1)[1]

    def fails(self, code, status, call, *words, **arguments):
        """The message of a refusal."""
        with self.assertRaises(ClientError) as caught:
            call(*words, **arguments)
        answer = caught.exception.response
        self.assertEqual((answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]), (code, status),
                         answer)
        return answer["Error"]["Message"]

    def user(self, *policies, name=None, **more):
        """A new user with inline policies; the keys of one."""
        name = name or self.name
        self.iam.create_user(UserName=name, **more)
        for number, policy in enumerate(policies):
            self.iam.put_user_policy(UserName=name, PolicyName="p%d" % number, PolicyDocument=policy)
        return self.iam.create_access_key(UserName=name)["AccessKey"]

    def role(self, name=None, policy=None, trusted=None, **more):
        """A new role; its ARN."""
        name = name or self.name
        arn = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=trusted or trust({"AWS": IAM + "root"}),
                                   **more)["Role"]["Arn"]
        if policy:
            self.iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=policy)
        return arn

    def as_key(self, service, key, **config):
        """A client with an AccessKey of IAM, or Credentials of STS."""
        config.setdefault("retries", {"max_attempts": 0})
        if service == "s3":
            config.setdefault("s3", {"addressing_style": "path"})
            config.setdefault("signature_version", "s3v4")
        return boto3.client(service, endpoint_url=self.server.endpoint, region_name=self.server.region,
                            aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"],
                            aws_session_token=key.get("SessionToken"),
                            config=botocore.config.Config(inject_host_prefix=False, **config))


def form(server, service, body, key=ACCESS_KEY, secret=SECRET_KEY, headers=None, version=None):
    """A signed request of the Query protocol, made by hand: the response, with .data."""
    if isinstance(body, dict):
        if version:
            body = dict(body, Version=version)
        body = urllib.parse.urlencode(body)
    body = body.encode()
    fields = {"Host": server.endpoint[len("http://"):],
              "Content-Type": "application/x-www-form-urlencoded; charset=utf-8", **(headers or {})}
    request = signed_request(service, "POST", server.endpoint + "/", body, fields, keys=(key, secret))
    return s3_case.send(server, "POST", "/", body, dict(request.headers.items()))


def element(response, name):
    found = re.search(("<%s>(.*?)</%s>" % (name, name)).encode(), response.data, re.S)
    return found.group(1).decode() if found else None
