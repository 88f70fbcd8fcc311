# SPDX-License-Identifier: LGPL-2.1-or-later
"""Parameter Store with boto3 and the AWS CLI."""
import json
import pathlib
import unittest

from botocore.exceptions import ClientError

from server import ServerCase


class Parameters(ServerCase):
    def connect(self):
        self.ssm = self.server.client("ssm")
        self.root = "/" + self.name

    def put(self, name, value="v", kind="String", **arguments):
        return self.ssm.put_parameter(Name=name, Value=value, Type=kind, **arguments)

    def value(self, name, **arguments):
        return self.ssm.get_parameter(Name=name, **arguments)["Parameter"]["Value"]

    def fails(self, code, call, **arguments):
        with self.assertRaises(ClientError) as error:
            call(**arguments)
        self.assertEqual(error.exception.response["Error"]["Code"], code)
        return error.exception.response["Error"]["Message"]

    def test_put_and_get(self):
        self.assertEqual(self.put(self.root + "/a", "one", Description="d")["Version"], 1)
        found = self.ssm.get_parameter(Name=self.root + "/a")["Parameter"]
        self.assertEqual({k: found[k] for k in ("Name", "Type", "Value", "Version", "ARN", "DataType")},
                         {"Name": self.root + "/a", "Type": "String", "Value": "one", "Version": 1, "DataType": "text",
                          "ARN": "arn:aws:ssm:us-east-1:012345678901:parameter%s/a" % self.root})
        self.assertEqual(self.value(found["ARN"]), "one")
        self.assertIn("set the overwrite option", self.fails("ParameterAlreadyExists", self.put, name=self.root + "/a"))
        self.assertEqual(self.ssm.put_parameter(Name=self.root + "/a", Value="two", Overwrite=True)["Version"], 2)
        self.assertEqual(self.value(self.root + "/a"), "two")
        self.assertEqual(self.value(self.root + "/a:1"), "one")
        self.fails("ParameterVersionNotFound", self.ssm.get_parameter, Name=self.root + "/a:3")
        self.fails("ParameterNotFound", self.ssm.get_parameter, Name=self.root + "/none")

    def test_names(self):
        for name in "/a//b", "a/b", "/a/", "ä", "awsome", "/ssm/x", "a b", "/" + "/".join("abcdefghijklmnop"):
            with self.subTest(name):
                self.assertIn(self.fails("HierarchyLevelLimitExceededException" if name.count("/") > 15
                                         else "ValidationException", self.put, name=name)[:4], ("Para", "Hier"))
        self.put("plain." + self.name)
        self.assertEqual(self.ssm.get_parameter(Name="plain." + self.name)["Parameter"]["ARN"],
                         "arn:aws:ssm:us-east-1:012345678901:parameter/plain." + self.name)

    def test_checks(self):
        self.fails("ValidationException", self.put, name=self.root, kind="Text")
        self.fails("ValidationException", self.ssm.put_parameter, Name=self.root, Value="v")
        self.fails("ParameterPatternMismatchException", self.put, name=self.root, value="abc",
                   AllowedPattern="^[0-9]+$")
        for pattern in ("(", "((a{1,255}){1,255}){1,255}", r"(a*)\1"):  # malformed, and what costs without bound
            self.fails("InvalidAllowedPatternException", self.put, name=self.root, value="abc", AllowedPattern=pattern)
        self.fails("ValidationException", self.put, name=self.root, value="x" * 4097)
        self.assertEqual(self.put(self.root, "x" * 4097, Tier="Intelligent-Tiering")["Tier"], "Advanced")
        self.fails("ValidationException", self.put, name=self.root, Tier="Standard", Overwrite=True)
        self.fails("ValidationException", self.put, name=self.root, Overwrite=True, Tags=[{"Key": "a", "Value": "b"}])
        self.put(self.root + ".n", "17", AllowedPattern="^[0-9]+$")

    def test_secure(self):
        secret = "geheim-" + self.name
        self.put(self.root + "/key", secret, "SecureString")
        self.assertNotIn("geheim", self.value(self.root + "/key"))
        self.assertEqual(self.value(self.root + "/key", WithDecryption=True), secret)
        described = self.ssm.describe_parameters(ParameterFilters=[{"Key": "Name", "Values": [self.root + "/key"]}])
        self.assertEqual(described["Parameters"][0]["KeyId"], "alias/aws/ssm")
        self.server.kill()
        for path in pathlib.Path(self.server.data).rglob("*"):
            if path.is_file():
                self.assertNotIn(secret.encode(), path.read_bytes(), path)
        self.server.start()
        self.connect()
        self.assertEqual(self.value(self.root + "/key", WithDecryption=True), secret)

    def test_many(self):
        for i in range(3):
            self.put("%s/%d" % (self.root, i), "v%d" % i)
        names = [self.root + "/2", self.root + "/0", self.root + "/none", "//bad"]
        answer = self.ssm.get_parameters(Names=names)
        self.assertEqual([p["Value"] for p in answer["Parameters"]], ["v2", "v0"])
        self.assertEqual(answer["InvalidParameters"], names[2:])
        answer = self.ssm.delete_parameters(Names=names[:3])
        self.assertEqual((answer["DeletedParameters"], answer["InvalidParameters"]), (names[:2], names[2:3]))
        self.ssm.delete_parameter(Name=self.root + "/1")
        self.fails("ParameterNotFound", self.ssm.delete_parameter, Name=self.root + "/1")

    def test_by_path(self):
        names = ["%s/app/%02d" % (self.root, i) for i in range(25)]
        for name in names:
            self.put(name, name)
        self.put(self.root + "/app/deep/er", "x", "StringList")
        self.put(self.root + "/apple", "no")
        pages = list(self.ssm.get_paginator("get_parameters_by_path").paginate(Path=self.root + "/app"))
        self.assertEqual([p["Name"] for page in pages for p in page["Parameters"]], names)
        self.assertEqual([len(page["Parameters"]) for page in pages], [10, 10, 5])
        everything = [p["Name"] for page in self.ssm.get_paginator("get_parameters_by_path").paginate(
            Path=self.root + "/app/", Recursive=True) for p in page["Parameters"]]
        self.assertEqual(everything, names + [self.root + "/app/deep/er"])
        lists = self.ssm.get_parameters_by_path(Path=self.root, Recursive=True, ParameterFilters=[
            {"Key": "Type", "Values": ["StringList"]}])["Parameters"]
        self.assertEqual([p["Value"] for p in lists], ["x"])
        self.fails("ValidationException", self.ssm.get_parameters_by_path, Path="app")

    def test_describe(self):
        self.put(self.root + "/a/b", Description="d")
        self.put(self.root + "/a/c/d", kind="SecureString")

        def found(*filters):
            return [p["Name"][len(self.root):] for p in
                    self.ssm.describe_parameters(ParameterFilters=list(filters))["Parameters"]]
        path = {"Key": "Path", "Values": [self.root + "/a"]}
        self.assertEqual(found(path), ["/a/b"])
        self.assertEqual(found({**path, "Option": "Recursive"}), ["/a/b", "/a/c/d"])
        self.assertEqual(found({"Key": "Name", "Option": "BeginsWith", "Values": [self.root]},
                               {"Key": "Type", "Values": ["SecureString"]}), ["/a/c/d"])
        self.assertEqual(found({"Key": "Name", "Option": "Contains", "Values": [self.name + "/a/b"]}), ["/a/b"])
        self.fails("InvalidFilterKey", self.ssm.describe_parameters,
                   ParameterFilters=[{"Key": "Colour", "Values": ["x"]}])
        self.fails("InvalidFilterOption", self.ssm.describe_parameters,
                   ParameterFilters=[{"Key": "Name", "Option": "Near", "Values": ["x"]}])

    def test_history_and_labels(self):
        for i in range(105):
            self.put(self.root, "v%d" % i, Overwrite=True)
        versions = [p for page in self.ssm.get_paginator("get_parameter_history").paginate(Name=self.root)
                    for p in page["Parameters"]]
        self.assertEqual([p["Version"] for p in versions], list(range(6, 106)))
        self.assertEqual((versions[-1]["Value"], versions[-1]["LastModifiedUser"]),
                         ("v104", "arn:aws:iam::012345678901:root"))
        self.ssm.label_parameter_version(Name=self.root, ParameterVersion=50, Labels=["live"])
        self.assertEqual(self.value(self.root + ":live"), "v49")
        answer = self.ssm.label_parameter_version(Name=self.root, Labels=["live", "1st", "awsx"])
        self.assertEqual((answer["ParameterVersion"], answer["InvalidLabels"]), (105, ["1st", "awsx"]))
        self.assertEqual(self.value(self.root + ":live"), "v104")
        answer = self.ssm.unlabel_parameter_version(Name=self.root, ParameterVersion=105, Labels=["live", "other"])
        self.assertEqual((answer["RemovedLabels"], answer["InvalidLabels"]), (["live"], ["other"]))
        self.fails("ParameterVersionNotFound", self.ssm.get_parameter, Name=self.root + ":live")

    def test_tags(self):
        self.put(self.root, Tags=[{"Key": "a", "Value": "1"}])
        resource = {"ResourceType": "Parameter", "ResourceId": self.root}
        self.ssm.add_tags_to_resource(**resource, Tags=[{"Key": "b", "Value": "2"}])
        self.ssm.remove_tags_from_resource(**resource, TagKeys=["a"])
        self.assertEqual(self.ssm.list_tags_for_resource(**resource)["TagList"], [{"Key": "b", "Value": "2"}])
        self.fails("InvalidResourceId", self.ssm.list_tags_for_resource, ResourceType="Parameter", ResourceId="/none")

    def test_cli(self):
        self.server.aws("ssm", "put-parameter", "--name", self.root, "--type", "String", "--value", "from the CLI")
        answer = self.server.aws("ssm", "get-parameter", "--name", self.root, "--query", "Parameter.Value")
        self.assertEqual(json.loads(answer.stdout), "from the CLI")

    def test_authorised(self):
        iam = self.server.client("iam")
        iam.create_user(UserName=self.name[:60])
        iam.put_user_policy(UserName=self.name[:60], PolicyName="p", PolicyDocument=json.dumps({
            "Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "ssm:GetParameter*",
                                                   "Resource": "arn:aws:ssm:*:*:parameter%s/open/*" % self.root}}))
        key = iam.create_access_key(UserName=self.name[:60])["AccessKey"]
        user = self.server.client("ssm", key["AccessKeyId"], key["SecretAccessKey"])
        self.put(self.root + "/open/a", "yes")
        self.put(self.root + "/shut/a", "no")
        self.assertEqual(user.get_parameter(Name=self.root + "/open/a")["Parameter"]["Value"], "yes")
        message = self.fails("AccessDeniedException", user.get_parameter, Name=self.root + "/shut/a")
        self.assertIn("ssm:GetParameter on resource: arn:aws:ssm:us-east-1:012345678901:parameter%s/shut/a" % self.root,
                      message)
        self.fails("AccessDeniedException", user.get_parameters, Names=[self.root + "/open/a", self.root + "/shut/a"])
        self.fails("AccessDeniedException", user.put_parameter, Name=self.root + "/open/b", Value="x", Type="String")


if __name__ == "__main__":
    unittest.main()
