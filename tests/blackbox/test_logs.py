# SPDX-License-Identifier: LGPL-2.1-or-later
"""CloudWatch Logs with boto3 and the AWS CLI."""
import json
import subprocess
import time
import unittest

from botocore.exceptions import ClientError

from server import ServerCase

DAY_MS = 24 * 60 * 60 * 1000


class Logs(ServerCase):
    def setUp(self):
        self.logs = self.server.client("logs")
        self.group = "/test/" + self.id().rsplit(".", 1)[-1]
        self.logs.create_log_group(logGroupName=self.group, tags={"team": "media"})
        self.now = int(time.time() * 1000)

    def stream(self, name, *messages, start=0):
        self.logs.create_log_stream(logGroupName=self.group, logStreamName=name)
        if messages:
            self.put(name, *[(self.now + start + i, m) for i, m in enumerate(messages)])
        return name

    def put(self, stream, *events):
        return self.logs.put_log_events(logGroupName=self.group, logStreamName=stream,
                                        logEvents=[{"timestamp": t, "message": m} for t, m in events])

    def get(self, stream, **arguments):
        answer = self.logs.get_log_events(logGroupName=self.group, logStreamName=stream, **arguments)
        return [e["message"] for e in answer["events"]], answer["nextForwardToken"], answer["nextBackwardToken"]

    def filtered(self, **arguments):
        pages = self.logs.get_paginator("filter_log_events").paginate(logGroupName=self.group, **arguments)
        return [e["message"] for page in pages for e in page["events"]]

    def fails(self, code, call, **arguments):
        with self.assertRaises(ClientError) as error:
            call(**arguments)
        self.assertEqual(error.exception.response["Error"]["Code"], code)
        return error.exception.response["Error"]["Message"]

    # ---- groups ----

    def test_groups(self):
        found = self.logs.describe_log_groups(logGroupNamePrefix=self.group)["logGroups"][0]
        arn = "arn:aws:logs:us-east-1:012345678901:log-group:" + self.group
        self.assertEqual((found["logGroupName"], found["arn"], found["storedBytes"]), (self.group, arn + ":*", 0))
        self.assertNotIn("retentionInDays", found)
        self.logs.put_retention_policy(logGroupName=self.group, retentionInDays=7)
        self.assertEqual(self.logs.describe_log_groups(logGroupNamePattern="st_groups")["logGroups"][0]
                         ["retentionInDays"], 7)
        self.logs.delete_retention_policy(logGroupName=self.group)
        groups = self.logs.describe_log_groups(logGroupNamePrefix=self.group)["logGroups"]
        self.assertNotIn("retentionInDays", groups[0])
        self.logs.delete_log_group(logGroupName=self.group)
        self.assertEqual(self.logs.describe_log_groups(logGroupNamePrefix=self.group)["logGroups"], [])
        self.fails("ResourceNotFoundException", self.logs.delete_log_group, logGroupName=self.group)

    def test_wrong_groups(self):
        self.assertEqual(self.fails("ResourceAlreadyExistsException", self.logs.create_log_group,
                                    logGroupName=self.group), "The specified log group already exists")
        for name in "a b", "x" * 513, "colon:":
            self.fails("InvalidParameterException", self.logs.create_log_group, logGroupName=name)
        self.fails("InvalidParameterException", self.logs.put_retention_policy, logGroupName=self.group,
                   retentionInDays=2)
        self.assertEqual(self.fails("ResourceNotFoundException", self.logs.describe_log_streams, logGroupName="none"),
                         "The specified log group does not exist.")
        self.fails("InvalidParameterException", self.logs.describe_log_groups, logGroupNamePrefix="a",
                   logGroupNamePattern="b")

    def test_group_pages(self):
        names = ["%s/%03d" % (self.group, n) for n in range(55)]
        for name in names:
            self.logs.create_log_group(logGroupName=name)
        pages = self.logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=self.group + "/")
        self.assertEqual([g["logGroupName"] for page in pages for g in page["logGroups"]], names)

    def test_tags(self):
        arn = self.logs.describe_log_groups(logGroupNamePrefix=self.group)["logGroups"][0]["arn"][:-2]
        self.assertEqual(self.logs.list_tags_for_resource(resourceArn=arn)["tags"], {"team": "media"})
        self.logs.tag_resource(resourceArn=arn, tags={"a": "1"})
        self.logs.untag_resource(resourceArn=arn, tagKeys=["team"])
        self.assertEqual(self.logs.list_tags_for_resource(resourceArn=arn)["tags"], {"a": "1"})
        self.assertEqual(self.logs.list_tags_log_group(logGroupName=self.group)["tags"], {"a": "1"})

    # ---- streams ----

    def test_streams(self):
        for i, name in enumerate(("b", "a", "c/1")):
            self.stream(name, "x", start=-1000 * i)
        self.stream("empty")
        streams = self.logs.describe_log_streams(logGroupName=self.group)["logStreams"]
        self.assertEqual([s["logStreamName"] for s in streams], ["a", "b", "c/1", "empty"])
        self.assertEqual(streams[1]["lastEventTimestamp"], self.now)
        self.assertTrue(streams[0]["arn"].endswith(":log-group:%s:log-stream:a" % self.group))
        self.assertNotIn("firstEventTimestamp", streams[3])
        latest = self.logs.describe_log_streams(logGroupName=self.group, orderBy="LastEventTime", descending=True,
                                                limit=2)
        self.assertEqual([s["logStreamName"] for s in latest["logStreams"]], ["b", "a"])
        rest = self.logs.describe_log_streams(logGroupName=self.group, orderBy="LastEventTime", descending=True,
                                              nextToken=latest["nextToken"])
        self.assertEqual([s["logStreamName"] for s in rest["logStreams"]], ["c/1", "empty"])
        self.assertEqual([s["logStreamName"] for s in self.logs.describe_log_streams(
            logGroupName=self.group, logStreamNamePrefix="c/")["logStreams"]], ["c/1"])
        self.logs.delete_log_stream(logGroupName=self.group, logStreamName="a")
        self.fails("ResourceNotFoundException", self.logs.get_log_events, logGroupName=self.group, logStreamName="a")
        self.fails("ResourceAlreadyExistsException", self.logs.create_log_stream, logGroupName=self.group,
                   logStreamName="b")
        self.fails("InvalidParameterException", self.logs.create_log_stream, logGroupName=self.group,
                   logStreamName="a:b")

    # ---- events ----

    def test_events_both_ways(self):
        self.stream("s", *["m%d" % i for i in range(10)])
        tail, forward, backward = self.get("s", limit=4)
        self.assertEqual(tail, ["m6", "m7", "m8", "m9"])
        self.assertEqual(self.get("s", limit=4, nextToken=backward)[0], ["m2", "m3", "m4", "m5"])
        nothing, again, _ = self.get("s", nextToken=forward)
        self.assertEqual((nothing, again), ([], forward))
        self.put("s", (self.now + 100, "new"))
        self.assertEqual(self.get("s", nextToken=forward)[0], ["new"])
        head, forward, _ = self.get("s", startFromHead=True, limit=3)
        self.assertEqual(head, ["m0", "m1", "m2"])
        self.assertEqual(self.get("s", startFromHead=True, limit=3, nextToken=forward)[0], ["m3", "m4", "m5"])
        self.assertEqual(self.get("s", startTime=self.now + 2, endTime=self.now + 5)[0], ["m2", "m3", "m4"])
        self.stream("empty")
        nothing, forward, _ = self.get("empty")
        self.put("empty", (self.now, "first"))
        self.assertEqual((nothing, self.get("empty", nextToken=forward)[0]), ([], ["first"]))

    def test_batches(self):
        self.stream("s")
        for events, message in (
                ([(self.now, "b"), (self.now - 1, "a")], "chronological order"),
                ([(self.now - DAY_MS - 1, "a"), (self.now, "b")], "cannot span more than 24 hours"),
                ([(self.now, "x" * 1048576)], "Log event too large: 1048602 bytes exceeds limit of 1048576"),
                ([(self.now, "x" * 600000)] * 2, "Upload too large: 1200052 bytes exceeds limit of 1048576"),
                ([(self.now, "")], "length greater than or equal to 1")):
            with self.subTest(message), self.assertRaises(Exception) as error:
                self.put("s", *events)
            self.assertIn(message, str(error.exception).replace(
                "valid min length: 1", "length greater than or equal to 1"))
        self.assertEqual(self.get("s")[0], [])
        self.put("s", (self.now, "x" * 1048550))
        self.assertEqual(self.logs.describe_log_groups(logGroupNamePrefix=self.group)["logGroups"][0]["storedBytes"],
                         1048576)

    def test_too_old_and_too_new(self):
        self.stream("s")
        answer = self.put("s", (self.now - 15 * DAY_MS, "a"), (self.now - 15 * DAY_MS + 1, "b"))
        self.assertEqual(answer["rejectedLogEventsInfo"], {"tooOldLogEventEndIndex": 2})
        answer = self.put("s", (self.now, "now"), (self.now + 3 * 60 * 60 * 1000, "later"))
        self.assertEqual(answer["rejectedLogEventsInfo"], {"tooNewLogEventStartIndex": 1})
        self.logs.put_retention_policy(logGroupName=self.group, retentionInDays=1)
        answer = self.put("s", (self.now - 2 * DAY_MS, "kept no longer"))
        self.assertEqual(answer["rejectedLogEventsInfo"], {"expiredLogEventEndIndex": 1})
        self.assertEqual(self.get("s")[0], ["now"])

    def test_filter(self):
        self.stream("a/1", "ERROR one", "fine", '{"n": 5}')
        self.stream("a/2", "ERROR two", '{"n": 7}', start=10)
        self.stream("b", "ERROR three", start=20)
        self.assertEqual(self.filtered(filterPattern="ERROR"), ["ERROR one", "ERROR two", "ERROR three"])
        self.assertEqual(self.filtered(filterPattern="{ $.n > 5 }"), ['{"n": 7}'])
        self.assertEqual(self.filtered(logStreamNames=["b", "a/2"]), ["ERROR two", '{"n": 7}', "ERROR three"])
        self.assertEqual(self.filtered(logStreamNamePrefix="a/", filterPattern="?ERROR ?fine"),
                         ["ERROR one", "fine", "ERROR two"])
        self.assertEqual(self.filtered(startTime=self.now + 10, endTime=self.now + 20),
                         ["ERROR two", '{"n": 7}', "ERROR three"])
        pages = list(self.logs.get_paginator("filter_log_events").paginate(logGroupName=self.group, limit=2))
        events = [e for page in pages for e in page["events"]]
        self.assertGreater(len(pages), 2)
        self.assertEqual(len({e["eventId"] for e in events}), 6)
        self.assertEqual(events[0]["logStreamName"], "a/1")
        self.assertIn("at column", self.fails("InvalidParameterException", self.logs.filter_log_events,
                                              logGroupName=self.group, filterPattern="{ $.n = }"))

    def test_pattern_by_itself(self):
        answer = self.logs.test_metric_filter(filterPattern="[..., size > 10]", logEventMessages=["a 5", "b c 50"])
        self.assertEqual(answer["matches"], [{"eventNumber": 2, "eventMessage": "b c 50",
                                              "extractedValues": {"$size": "50"}}])

    # ---- with the CLI, and after kill -9 ----

    def test_tail(self):
        self.stream("s", "one", "two")
        tail = self.server.aws("logs", "tail", self.group, "--since", "5m", "--format", "short")
        self.assertEqual([line.split(" ", 1)[1] for line in tail.stdout.splitlines()], ["one", "two"])

    def test_follow(self):
        self.stream("s", "before")
        follow = subprocess.Popen(["aws", "--endpoint-url", self.server.endpoint, "logs", "tail", self.group,
                                   "--follow", "--since", "5m", "--format", "json"], stdout=subprocess.PIPE,
                                  text=True, env=self.server.env)
        try:
            self.assertIn("before", follow.stdout.readline())
            self.put("s", (self.now + 1, json.dumps({"later": True})))
            text = ""
            while "later" not in text:
                line = follow.stdout.readline()
                self.assertTrue(line, "the CLI ended")
                text += line
        finally:
            follow.kill()
            follow.wait()
            follow.stdout.close()

    def test_killed(self):
        self.stream("s", "kept")
        self.server.kill()
        self.server.start()
        self.logs = self.server.client("logs")
        self.assertEqual(self.get("s")[0], ["kept"])


if __name__ == "__main__":
    unittest.main()
