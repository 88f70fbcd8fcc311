# SPDX-License-Identifier: LGPL-2.1-or-later
"""Lifecycle configurations of buckets, as the S3 API reference and user guide describe them."""
import datetime
import time
import unittest

from s3_case import raw
from test_s3_buckets import BucketCase

DAYS = {"Expiration": {"Days": 3}}


def rule(name="r", **more):
    return {"ID": name, "Status": "Enabled", "Filter": {"Prefix": ""}, **more}


class Lifecycle(BucketCase):
    def put(self, name, *rules):
        return self.s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": list(rules)})

    def rules(self, name):
        return self.s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]

    def test_life(self):
        name = self.bucket()
        self.fails("NoSuchLifecycleConfiguration", 404, self.s3.get_bucket_lifecycle_configuration, Bucket=name)
        wanted = [rule("a", **DAYS), {**rule("b", **DAYS), "Status": "Disabled", "Filter": {"Prefix": "logs/"}},
                  {**rule("c", Expiration={"Date": datetime.datetime(2999, 1, 1, tzinfo=datetime.timezone.utc)}),
                   "Filter": {"Tag": {"Key": "k", "Value": "v"}}},
                  rule("d", NoncurrentVersionExpiration={"NoncurrentDays": 2, "NewerNoncurrentVersions": 5}),
                  rule("e", AbortIncompleteMultipartUpload={"DaysAfterInitiation": 7}),
                  rule("f", Expiration={"ExpiredObjectDeleteMarker": True}),
                  {**rule("g", **DAYS), "Filter": {"And": {"Prefix": "p", "Tags": [{"Key": "k", "Value": "v"}],
                                                           "ObjectSizeGreaterThan": 1, "ObjectSizeLessThan": 9}}},
                  {**rule("h", **DAYS), "Filter": {"ObjectSizeGreaterThan": 100}}]
        self.put(name, *wanted)
        self.assertEqual(self.rules(name), wanted)
        self.s3.delete_bucket_lifecycle(Bucket=name)
        self.fails("NoSuchLifecycleConfiguration", 404, self.s3.get_bucket_lifecycle_configuration, Bucket=name)

    def test_old_form(self):
        name = self.bucket()
        self.put(name, {"Prefix": "old/", "Status": "Enabled", **DAYS})
        got = self.rules(name)[0]
        self.assertEqual((got["Prefix"], got["Expiration"]), ("old/", {"Days": 3}))
        self.assertTrue(got["ID"])

    def test_bad(self):
        name = self.bucket()
        tag = {"Tag": {"Key": "k", "Value": "v"}}
        for bad, code in [
                ([rule()], "InvalidRequest"), ([rule(Expiration={"Days": 0})], "InvalidArgument"),
                ([rule(Expiration={"Days": -1})], "InvalidArgument"), ([rule("x" * 256, **DAYS)], "InvalidArgument"),
                ([rule("same", **DAYS), rule("same", **DAYS)], "InvalidArgument"),
                ([{**rule(**DAYS), "Status": "enabled"}], "MalformedXML"),
                ([{"ID": "r", "Status": "Enabled", **DAYS}], "MalformedXML"),
                ([{**rule(**DAYS), "Prefix": "both"}], "MalformedXML"),
                ([rule(Expiration={"Days": 1, "ExpiredObjectDeleteMarker": True})], "MalformedXML"),
                ([rule(Expiration={})], "MalformedXML"),
                ([rule(Expiration={"Date": datetime.datetime(2999, 1, 1, 12)})], "InvalidArgument"),
                ([rule(NoncurrentVersionExpiration={"NoncurrentDays": 0})], "InvalidArgument"),
                ([rule(NoncurrentVersionExpiration={"NoncurrentDays": 1, "NewerNoncurrentVersions": 101})], "InvalidArgument"),
                ([rule(AbortIncompleteMultipartUpload={"DaysAfterInitiation": 0})], "InvalidArgument"),
                ([{**rule(AbortIncompleteMultipartUpload={"DaysAfterInitiation": 1}), "Filter": tag}], "InvalidRequest"),
                ([{**rule(Expiration={"ExpiredObjectDeleteMarker": True}), "Filter": tag}], "InvalidRequest"),
                ([{**rule(**DAYS), "Filter": {"And": {"Tags": [{"Key": "k", "Value": "1"}, {"Key": "k", "Value": "2"}]}}}],
                 "InvalidRequest"),
                ([{**rule(**DAYS), "Filter": {"And": {"Prefix": "p"}}}], "MalformedXML"),
                ([{**rule(**DAYS), "Filter": {"Prefix": "p", "ObjectSizeLessThan": 1}}], "MalformedXML"),
                ([{**rule(**DAYS), "Filter": {"And": {"ObjectSizeGreaterThan": 9, "ObjectSizeLessThan": 3}}}],
                 "InvalidRequest")]:
            with self.subTest(bad=bad):
                self.refuses(code, name, bad)
        for body in ["<LifecycleConfiguration/>", "<LifecycleConfiguration><Rules/></LifecycleConfiguration>", "<Rule/>"]:
            with self.subTest(body=body):
                self.refused(self.put_xml(name, "lifecycle", body), 400, "MalformedXML")

    def refuses(self, code, name, rules):
        self.fails(code, 400, self.s3.put_bucket_lifecycle_configuration, Bucket=name,
                   LifecycleConfiguration={"Rules": rules})

    def test_transitions_are_refused_by_name(self):
        response = self.fails("NotImplemented", 501, self.s3.put_bucket_lifecycle_configuration, Bucket=self.bucket(),
                              LifecycleConfiguration={"Rules": [rule(Transitions=[{"Days": 1, "StorageClass": "GLACIER"}])]})
        self.assertIn("Transition", response["Error"]["Message"])

    def test_digest_is_demanded(self):
        self.refused(raw(self.server, "PUT", "/bucket?lifecycle", b"<LifecycleConfiguration/>"), 400, "InvalidRequest")

    def test_objects_say_when_they_expire(self):
        name = self.bucket()
        self.put(name, {**rule("three days", **DAYS), "Filter": {"Prefix": "tmp/"}})
        due = datetime.datetime.utcnow() + datetime.timedelta(days=4)
        wanted = [(due - datetime.timedelta(days=late)).strftime('expiry-date="%a, %d %b %Y 00:00:00 GMT", rule-id="three%%20days"')
                  for late in (0, 1)]  # midnight may have come while this ran
        self.assertIn(self.s3.put_object(Bucket=name, Key="tmp/a", Body=b"1")["Expiration"], wanted)
        self.assertIn(self.s3.get_object(Bucket=name, Key="tmp/a")["Expiration"], wanted)
        self.assertIn(self.s3.head_object(Bucket=name, Key="tmp/a")["Expiration"], wanted)
        self.assertNotIn("Expiration", self.s3.put_object(Bucket=name, Key="b", Body=b"1"))
        self.assertNotIn("Expiration", self.s3.head_object(Bucket=name, Key="b"))

    def test_what_is_due_goes(self):
        name = self.bucket()
        self.s3.put_object(Bucket=name, Key="old/a", Body=b"1")
        self.s3.put_object(Bucket=name, Key="new", Body=b"1")
        self.put(name, {**rule(Expiration={"Date": datetime.datetime(2020, 1, 1)}), "Filter": {"Prefix": "old/"}})
        until = time.monotonic() + 20
        while len(self.keys(name)) > 1 and time.monotonic() < until:
            time.sleep(0.02)
        self.assertEqual(self.keys(name), ["new"])


if __name__ == "__main__":
    unittest.main()
