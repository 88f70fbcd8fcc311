# SPDX-License-Identifier: LGPL-2.1-or-later
"""Documents of one's own: made, checked, shown, and run step by step on the built-in node."""
import hashlib
import json
import time
import unittest

from server import ServerCase


def document(*steps, **parameters):
    return {"schemaVersion": "2.2", "description": "a test", "parameters": parameters,
            "mainSteps": [{"action": "aws:runShellScript", **step} for step in steps]}


def step(name, *lines, **inputs):
    return {"name": name, "inputs": {"runCommand": list(lines), **inputs}}


TEXT = {"type": "String", "default": "world", "allowedValues": ["world", "moon", "a;b"]}


class Documents(ServerCase):
    def connect(self):
        self.ssm = self.server.client("ssm")

    def make(self, name, content):
        self.addCleanup(self.ssm.delete_document, Name=name)
        return self.ssm.create_document(Name=name, DocumentType="Command", DocumentFormat="JSON",
                                        Content=json.dumps(content))["DocumentDescription"]

    def run_document(self, name, version="$DEFAULT", **parameters):
        node = self.server.instance_id
        sent = self.ssm.send_command(InstanceIds=[node], DocumentName=name, DocumentVersion=version,
                                     Parameters=parameters)["Command"]
        self.assertEqual(sent["DocumentName"], name)
        until = time.monotonic() + 60
        while True:
            listed, = self.ssm.list_command_invocations(CommandId=sent["CommandId"], Details=True)["CommandInvocations"]
            if listed["Status"] not in ("Pending", "InProgress"):
                return sent["CommandId"], listed
            self.assertLess(time.monotonic(), until, listed)
            time.sleep(0.02)

    def look(self, command, plugin):
        return self.ssm.get_command_invocation(CommandId=command, InstanceId=self.server.instance_id, PluginName=plugin)

    def test_life(self):
        made = self.make("Greet", document(step("hello", "echo {{ who }}"), who=TEXT))
        self.assertEqual((made["Status"], made["DocumentVersion"], made["SchemaVersion"]), ("Active", "1", "2.2"))
        self.assertEqual(made["Parameters"], [{"Name": "who", "Type": "String", "DefaultValue": "world"}])
        self.assertEqual(json.loads(self.ssm.get_document(Name="Greet")["Content"])["description"], "a test")
        self.assertEqual(self.ssm.describe_document(Name="Greet")["Document"]["Owner"], self.server.account)
        names = [d["Name"] for d in self.ssm.list_documents()["DocumentIdentifiers"]]
        self.assertEqual(names, ["AWS-RunShellScript", "Greet"])
        pages = self.ssm.get_paginator("list_documents").paginate(PaginationConfig={"PageSize": 1})
        self.assertEqual([d["Name"] for page in pages for d in page["DocumentIdentifiers"]], names)
        self.assertEqual(self.ssm.describe_document(Name="AWS-RunShellScript")["Document"]["Owner"], "Amazon")
        self.assert_error("DocumentAlreadyExists", self.ssm.create_document, Name="Greet",
                          Content=json.dumps(document(step("a", "true"))))
        self.assert_error("InvalidDocument", self.ssm.get_document, Name="Nobody")
        self.assert_error("InvalidDocumentOperation", self.ssm.delete_document, Name="AWS-RunShellScript")

    def versions(self, name):
        pages = self.ssm.get_paginator("list_document_versions").paginate(Name=name, PaginationConfig={"PageSize": 2})
        return [(v["DocumentVersion"], v["IsDefaultVersion"]) for page in pages for v in page["DocumentVersions"]]

    def update(self, name, line, **more):
        return self.ssm.update_document(Name=name, Content=json.dumps(document(step("only", line))), **more)["DocumentDescription"]

    def test_versions(self):
        self.make("Grows", document(step("only", "echo one")))
        made = self.update("Grows", "echo two", DocumentVersion="$LATEST", VersionName="second")
        self.assertEqual([made[k] for k in ("DocumentVersion", "LatestVersion", "DefaultVersion", "VersionName")],
                         ["2", "2", "1", "second"])
        self.assertEqual(self.update("Grows", "echo three", DocumentVersion="2")["LatestVersion"], "3")
        self.assertEqual(self.versions("Grows"), [("3", False), ("2", False), ("1", True)])

        def line(**which):
            got = self.ssm.get_document(Name="Grows", **which)
            return got["DocumentVersion"], json.loads(got["Content"])["mainSteps"][0]["inputs"]["runCommand"][0]
        self.assertEqual(line(), ("1", "echo one"))
        self.assertEqual(line(DocumentVersion="$LATEST"), ("3", "echo three"))
        self.assertEqual(line(VersionName="second"), ("2", "echo two"))
        self.assertEqual(line(DocumentVersion="2"), ("2", "echo two"))
        told = self.ssm.update_document_default_version(Name="Grows", DocumentVersion="2")["Description"]
        self.assertEqual(told, {"Name": "Grows", "DefaultVersion": "2", "DefaultVersionName": "second"})
        self.assertEqual(line(), ("2", "echo two"))
        command, _ = self.run_document("Grows")
        self.assertEqual(self.look(command, "only")["StandardOutputContent"], "two\n")
        command, _ = self.run_document("Grows", version="$LATEST")
        self.assertEqual(self.look(command, "only")["StandardOutputContent"], "three\n")
        self.assertEqual(self.look(command, "only")["DocumentVersion"], "$LATEST")

        self.assert_error("DuplicateDocumentContent", self.update, "Grows", "echo one")
        self.assert_error("DuplicateDocumentVersionName", self.update, "Grows", "echo four", VersionName="second")
        self.assert_error("InvalidDocumentVersion", self.update, "Grows", "echo four", DocumentVersion="2")
        self.assert_error("InvalidDocumentContent", self.ssm.update_document, Name="Grows", Content="{")
        self.assert_error("InvalidDocument", self.update, "Nobody", "true")
        self.assert_error("InvalidDocumentOperation", self.update, "AWS-RunShellScript", "true")
        for wrong in ("4", "0", "x", "-1"):
            self.assert_error("InvalidDocumentVersion", self.ssm.describe_document, Name="Grows", DocumentVersion=wrong)
        self.assert_error("InvalidDocumentVersion", self.ssm.get_document, Name="Grows", VersionName="none")

        self.assert_error("InvalidDocumentOperation", self.ssm.delete_document, Name="Grows", DocumentVersion="2")
        self.ssm.delete_document(Name="Grows", DocumentVersion="3")
        self.assertEqual(self.ssm.describe_document(Name="Grows")["Document"]["LatestVersion"], "2")
        self.assertEqual(self.update("Grows", "echo four")["DocumentVersion"], "4")  # 3 is not given again
        self.assertEqual(self.versions("Grows"), [("4", False), ("2", True), ("1", False)])

    def test_hash(self):
        self.make("Seen", document(step("only", "true")))
        for name in ("Seen", "AWS-RunShellScript"):
            described = self.ssm.describe_document(Name=name)["Document"]
            content = self.ssm.get_document(Name=name)["Content"]
            self.assertEqual((described["Hash"], described["HashType"]), (hashlib.sha256(content.encode()).hexdigest(), "Sha256"))
            words = {"InstanceIds": [self.server.instance_id], "DocumentName": name, "DocumentHashType": "Sha256",
                     "Parameters": {"commands": ["true"]} if name[0] == "A" else {}}
            self.ssm.send_command(DocumentHash=described["Hash"], **words)
            self.assert_error("InvalidDocument", self.ssm.send_command, DocumentHash="0" * 64, **words)

    def test_bounds(self):
        self.make("Bounds", document(step("only", "echo {{ word }}", "{{ lines }}"),
                                     word={"type": "String", "allowedPattern": "^[a-z]+\u4e16?$", "minChars": 2, "maxChars": 4},
                                     lines={"type": "StringList", "minItems": 1, "maxItems": 2}))
        command, _ = self.run_document("Bounds", word=["ab\u4e16"], lines=["echo 2"])
        self.assertEqual(self.look(command, "only")["StandardOutputContent"], "ab\u4e16\n2\n")
        for wrong in ({"word": ["a"]}, {"word": ["abcde"]}, {"word": ["ab1"]}, {"word": ["ab"], "lines": []},
                      {"word": ["ab"], "lines": ["1", "2", "3"]}, {"word": ["ab;"]}):
            self.assert_error("InvalidParameters", self.ssm.send_command, InstanceIds=[self.server.instance_id],
                              DocumentName="Bounds", Parameters={"lines": ["true"], **wrong})

    def test_parameters(self):
        self.make("Values", document(step("speak", "echo 'to {{who}}'", "{{ lines }}"), who=TEXT,
                                     lines={"type": "StringList"}))
        command, listed = self.run_document("Values", who=["a;b"], lines=["echo one", "echo '{{ who }}'"])
        self.assertEqual(listed["Status"], "Success", listed)
        self.assertEqual(self.look(command, "speak")["StandardOutputContent"], "to a;b\none\n{{ who }}\n")
        for wrong in ({}, {"lines": ["true"], "who": ["sun"]}, {"lines": ["true"], "who": ["moon", "moon"]},
                      {"lines": ["true"], "other": ["1"]}):
            self.assert_error("InvalidParameters", self.ssm.send_command, InstanceIds=[self.server.instance_id],
                              DocumentName="Values", Parameters=wrong)

    def test_steps(self):
        windows = {**step("other", "exit 9"), "precondition": {"StringEquals": ["platformType", "Windows"]}}
        self.make("Steps", document(step("first", "echo 1; pwd", workingDirectory="/usr"), windows,
                                    step("last", "echo 2 >&2; exit 3", timeoutSeconds="60")))
        command, listed = self.run_document("Steps")
        self.assertEqual(listed["Status"], "Failed", listed)
        self.assertEqual([(p["Name"], p["ResponseCode"]) for p in listed["CommandPlugins"]][::2],
                         [("first", 0), ("last", 3)])
        self.assertEqual(self.look(command, "first")["StandardOutputContent"], "1\n/usr\n")
        self.assertEqual(self.look(command, "first")["Status"], "Success")
        self.assertEqual((self.look(command, "last")["Status"], self.look(command, "last")["ResponseCode"]),
                         ("Failed", 3))
        self.assert_error("InvalidPluginName", self.look, command, "none")

    def test_exit(self):
        self.make("Stops", document(step("bad", "exit 4", onFailure="exit"), step("never", "echo ran")))
        command, listed = self.run_document("Stops")
        self.assertEqual(listed["Status"], "Failed")
        self.assertEqual(self.look(command, "never")["StandardOutputContent"], "")

    def test_after_a_step_that_was_ended(self):
        """What ends a step leaves the next one its way to the server."""
        self.make("Late", document(step("slow", "sleep 1000", timeoutSeconds="1"),
                                   step("next", "curl -s -o /dev/null -w '%{http_code}' $AWS_ENDPOINT_URL/_spyhop/healthz")))
        command, listed = self.run_document("Late")
        self.assertEqual(listed["Status"], "TimedOut", listed)
        self.assertEqual(self.look(command, "slow")["Status"], "TimedOut")
        self.assertEqual(self.look(command, "next")["StandardOutputContent"], "200")

    def test_refused(self):
        wrong = [{**document(step("a", "true")), "schemaVersion": "0.3"}, document(), document(step("a/b", "true")),
                 document(step("a", "true"), step("a", "true")), document(step("a", "echo {{ gone }}")),
                 document(step("a", "true", finallyStep=True)), document(step("a", "true", onFailure="later")),
                 document(step("a", "x {{ l }}"), l={"type": "StringList"}), document(step("a", 5)),
                 document(step("a", "true"), p={"type": "Integer"}),
                 document(step("a", "true"), p={"type": "String", "allowedPattern": "("}),
                 document(step("a", "true"), p={"type": "String", "allowedPattern": "((a{1,255}){1,255}){1,255}"}),
                 document(step("a", "true"), p={"type": "String", "allowedPattern": "(a*)\\1"}),
                 document(step("a", "true"), p={"type": "String", "minChars": -1}),
                 document(step("a", "true"), p={"type": "String", "maxChars": "5"}),
                 document({**step("a", "true"), "action": "aws:runPowerShellScript"})]
        for content in [json.dumps(w) for w in wrong] + ["{", "[]", "1"]:
            self.assert_error("InvalidDocumentContent", self.ssm.create_document, Name="Wrong", Content=content)
        good = json.dumps(document(step("a", "true")))
        for more in ({"Name": "AWS-Own"}, {"Name": "a b"}, {"Name": "Wrong", "DocumentFormat": "YAML"}):
            self.assert_error("ValidationException", self.ssm.create_document, Content=good, **more)


if __name__ == "__main__":
    unittest.main()
