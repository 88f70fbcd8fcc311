# SPDX-License-Identifier: LGPL-2.1-or-later
"""Distributed Map states with real clients: readers, batches, thresholds, writers, map runs, and kill -9."""
import gzip
import json
import time
import unittest

from states_case import LIMIT_SECONDS, ROLE, StatesCase

GET = "arn:aws:states:::s3:getObject"
EXCEEDED = ("States.ExceedToleratedFailureThreshold", "The specified tolerated failure threshold was exceeded")
PASS = {"StartAt": "Item", "States": {"Item": {"Type": "Pass", "End": True}}}
# fails when the item has "bad": true
CHECK = {"StartAt": "Bad", "States": {
    "Bad": {"Type": "Choice", "Default": "Good",
            "Choices": [{"Variable": "$.bad", "BooleanEquals": True, "Next": "Fail"}]},
    "Fail": {"Type": "Fail", "Error": "Bad", "Cause": "a bad item"}, "Good": {"Type": "Pass", "End": True}}}


def steps(machine, kind="STANDARD"):
    return {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": kind}, **machine}


def map_machine(processor=PASS, kind="STANDARD", **fields):
    return {"StartAt": "Map", "States": {
        "Map": {"Type": "Map", "ItemProcessor": steps(processor, kind), "Label": "Each", "End": True, **fields}}}


def reader(key, resource=GET, **config):
    return {"Resource": resource, "ReaderConfig": config, "Parameters": {"Bucket.$": "$.bucket", "Key": key}}


class Maps(StatesCase):
    paging = {"maxResults": 1000}

    def setUp(self):
        super().setUp()
        self.bucket = self.name.replace("_", "-")[:60]
        self.s3.create_bucket(Bucket=self.bucket)

    def connect(self):
        super().connect()
        self.s3 = self.server.client("s3")

    def put(self, key, body):
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body.encode() if isinstance(body, str) else body)

    def get(self, key):
        return json.loads(self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read())

    def start(self, definition, value=None):
        arn = self.sfn.create_state_machine(name=self.name + str(time.time_ns()), definition=json.dumps(definition),
                                            roleArn=ROLE)["stateMachineArn"]
        value = {"bucket": self.bucket} if value is None else value
        return self.sfn.start_execution(stateMachineArn=arn, input=json.dumps(value))["executionArn"]

    def run_map(self, definition, value=None):
        answer = self.finish(self.start(definition, value))
        self.assertEqual(answer["status"], "SUCCEEDED", answer)
        return json.loads(answer["output"])

    def fail_map(self, definition, value=None):
        answer = self.finish(self.start(definition, value))
        self.assertEqual(answer["status"], "FAILED", answer)
        return answer["error"], answer.get("cause")

    def map_run(self, execution):
        runs = self.sfn.list_map_runs(executionArn=execution)["mapRuns"]
        self.assertEqual(len(runs), 1, runs)
        return self.sfn.describe_map_run(mapRunArn=runs[0]["mapRunArn"])

    def until(self, what):
        until = time.monotonic() + LIMIT_SECONDS
        while not what():
            self.assertLess(time.monotonic(), until)
            time.sleep(0.02)

    def test_items(self):
        execution = self.start(map_machine(ItemSelector={"v.$": "$$.Map.Item.Value", "i.$": "$$.Map.Item.Index",
                                                         "k.$": "$.k"}, ItemsPath="$.l"), {"l": ["a", "b"], "k": 3})
        answer = self.finish(execution)
        self.assertEqual(json.loads(answer["output"]), [{"v": "a", "i": 0, "k": 3}, {"v": "b", "i": 1, "k": 3}])
        events = self.history(execution)
        self.assertEqual([(e["type"], e["previousEventId"]) for e in events],
                         [("ExecutionStarted", 0), ("MapStateEntered", 0), ("MapStateStarted", 2),
                          ("MapRunStarted", 3), ("MapRunSucceeded", 4), ("MapStateSucceeded", 4),
                          ("MapStateExited", 4), ("ExecutionSucceeded", 7)])
        self.assertEqual(events[2]["mapStateStartedEventDetails"], {"length": 2})
        run = self.map_run(execution)
        machine = execution.replace(":execution:", ":stateMachine:").rsplit(":", 1)[0]
        self.assertEqual(events[3]["mapRunStartedEventDetails"], {"mapRunArn": run["mapRunArn"]})
        self.assertRegex(run["mapRunArn"], machine.replace(":stateMachine:", ":mapRun:") + "/Each:[0-9a-f-]{36}$")
        self.assertEqual((run["status"], run["maxConcurrency"], run["toleratedFailureCount"],
                          run["toleratedFailurePercentage"]), ("SUCCEEDED", 0, 0, 0.0))
        for counts in run["itemCounts"], run["executionCounts"]:
            self.assertEqual({k: v for k, v in counts.items() if v}, {"succeeded": 2, "total": 2})
            self.assertIn("resultsWritten", counts)
        children = self.sfn.list_executions(mapRunArn=run["mapRunArn"])["executions"]
        self.assertEqual({c["stateMachineArn"] for c in children}, {machine + "/Each"})
        children.reverse()  # the last one comes first
        child = self.sfn.describe_execution(executionArn=children[0]["executionArn"])
        self.assertEqual((child["mapRunArn"], child["status"]), (run["mapRunArn"], "SUCCEEDED"))
        self.assertEqual(json.loads(child["input"]), {"v": "a", "i": 0, "k": 3})
        described = self.sfn.describe_state_machine_for_execution(executionArn=children[0]["executionArn"])
        self.assertEqual((described["mapRunArn"], described["label"]), (run["mapRunArn"], "Each"))
        self.assertEqual(json.loads(described["definition"]), PASS)
        self.assertEqual([e["type"] for e in self.history(children[0]["executionArn"])],
                         ["ExecutionStarted", "PassStateEntered", "PassStateExited", "ExecutionSucceeded"])
        self.assertEqual(self.sfn.list_executions(stateMachineArn=machine)["executions"][0]["executionArn"], execution)

    def test_nothing(self):
        self.assertEqual(self.run_map(map_machine(), []), [])
        self.assertEqual(self.run_map(map_machine(kind="EXPRESS"), [1]), [1])

    def test_csv(self):
        self.put("a.csv", 'id,name,note\n1,"x, y","a ""b"""\r\n2,z\n\n3,\\,u,v,w\n')
        rows = [{"id": "1", "name": "x, y", "note": 'a "b"'}, {"id": "2", "name": "z", "note": ""},
                {"id": "3", "name": ",u", "note": "v"}]
        first = {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"}
        self.assertEqual(self.run_map(map_machine(ItemReader=reader("a.csv", **first))), rows)
        self.assertEqual(self.run_map(map_machine(ItemReader=reader("a.csv", MaxItems=2, **first))), rows[:2])
        by_path = reader("a.csv", MaxItemsPath="$.n", **first)
        self.assertEqual(self.run_map(map_machine(ItemReader=by_path), {"bucket": self.bucket, "n": 1}), rows[:1])
        self.put("b.csv", "1|2\n3|4")
        given = reader("b.csv", InputType="CSV", CSVHeaderLocation="GIVEN", CSVHeaders=["a", "b"], CSVDelimiter="PIPE")
        self.assertEqual(self.run_map(map_machine(ItemReader=given)), [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}])

    def test_json(self):
        self.put("a.json", '[1, {"x": 2.5}]')
        self.assertEqual(self.run_map(map_machine(ItemReader=reader("a.json", InputType="JSON"))), [1, {"x": 2.5}])
        self.put("deep.json", '{"a": {"b/c": [[1], [2, 3]]}}')
        deep = reader("deep.json", InputType="JSON", ItemsPointer="/a/b~1c/1")
        self.assertEqual(self.run_map(map_machine(ItemReader=deep)), [2, 3])
        self.put("object.json", '{"a": 1, "b": 2}')
        self.assertEqual(self.run_map(map_machine(ItemReader=reader("object.json", InputType="JSON"))),
                         [{"Key": "a", "Value": 1}, {"Key": "b", "Value": 2}])
        self.put("a.jsonl", '{"x": 1}\n\n[2]\r\n3')
        self.assertEqual(self.run_map(map_machine(ItemReader=reader("a.jsonl", InputType="JSONL"))), [{"x": 1}, [2], 3])

    def test_listing(self):
        for key in "in/a.json", "in/b.json", "out/c.json":
            self.put(key, "[%d]" % ord(key[-6]))
        source = {"Resource": "arn:aws:states:::s3:listObjectsV2",
                  "Parameters": {"Bucket.$": "$.bucket", "Prefix": "in/"}}
        items = self.run_map(map_machine(ItemReader=source))
        self.assertEqual([(i["Key"], i["Size"], i["StorageClass"]) for i in items],
                         [("in/a.json", 4, "STANDARD"), ("in/b.json", 4, "STANDARD")])
        self.assertRegex(items[0]["Etag"], '^"[0-9a-f]{32}"$')
        self.assertAlmostEqual(items[0]["LastModified"], time.time(), delta=60)
        loaded = {**source, "ReaderConfig": {"InputType": "JSON", "Transformation": "LOAD_AND_FLATTEN"}}
        self.assertEqual(self.run_map(map_machine(ItemReader=loaded)), [ord("a"), ord("b")])
        self.put("manifest", "s3://%s/in/b.json\ns3://%s/out/c.json\n" % (self.bucket, self.bucket))
        manifest = reader("manifest", InputType="JSON", ManifestType="ATHENA_DATA")
        self.assertEqual(self.run_map(map_machine(ItemReader=manifest)), [ord("b"), ord("c")])

    def test_packed_inventory(self):
        lines = "".join("%s,key-%d,%d\n" % (self.bucket, n, n) for n in range(30000)).encode()
        members = gzip.compress(b"Bucket,Key,Size\n" + lines[:70000]) + gzip.compress(lines[70000:])
        self.put("part-1.csv.gz", members)
        self.put("part-2.csv", b"Bucket,Key,Size\n" + b"".join(lines.splitlines(True)[:4]))
        self.put("files", '{"files": [{"key": "part-2.csv"}, {"key": "part-1.csv.gz"}]}')
        items = self.run_map(map_machine(ItemReader=reader("files", InputType="MANIFEST", MaxItems=40)))
        self.assertEqual([i["Key"] for i in items], ["key-%d" % n for n in [*range(4), *range(36)]])

    def test_unreadable(self):
        error, cause = self.fail_map(map_machine(ItemReader=reader("none", InputType="JSON")))
        self.assertEqual(error, "States.ItemReaderFailed")
        self.assertRegex(cause, r"^The specified key does not exist\. \(Service: S3, Status Code: 404, Request ID: ")
        self.put("number", "1")
        self.assertEqual(self.fail_map(map_machine(ItemReader=reader("number", InputType="JSON"))),
                         ("States.ItemReaderFailed", "Attempting to map over non-iterable node."))
        self.put("manifest", "not a name\n")
        error, cause = self.fail_map(map_machine(ItemReader=reader("manifest", InputType="JSON",
                                                                   ManifestType="ATHENA_DATA")))
        self.assertEqual(error, "States.ItemReaderFailed")
        self.assertIn("not the name of an object", cause)
        self.put("files", '{"files": [{"key": "a.csv.gz"}]}')
        for damaged, reason in ((b"no gzip", "not a gzip file"), (gzip.compress(b"a,b\n1,2\n")[:-4], "ends too early"),
                                (b"", "ends too early")):
            self.put("a.csv.gz", damaged)
            error, cause = self.fail_map(map_machine(ItemReader=reader("files", InputType="MANIFEST")))
            self.assertEqual(error, "States.ItemReaderFailed")
            self.assertIn("a.csv.gz cannot be read: ", cause)
            self.assertIn(reason, cause)
        definition = map_machine(ItemReader=reader("none", InputType="JSON"), Next="Caught",
                                 Catch=[{"ErrorEquals": ["States.ItemReaderFailed"], "Next": "Caught"}])
        del definition["States"]["Map"]["End"]
        definition["States"]["Caught"] = {"Type": "Succeed"}
        execution = self.start(definition)
        self.assertEqual(json.loads(self.finish(execution)["output"])["Error"], "States.ItemReaderFailed")
        self.assertEqual([e["type"] for e in self.history(execution)][1:7],
                         ["MapStateEntered", "MapStateStarted", "MapRunStarted", "MapRunFailed", "MapStateFailed",
                          "MapStateExited"])

    def test_batches(self):
        batcher = {"MaxItemsPerBatch": 2, "BatchInput": {"n.$": "$.n"}}
        execution = self.start(map_machine(ItemsPath="$.l", ItemBatcher=batcher), {"l": [1, 2, 3], "n": 7})
        self.assertEqual(json.loads(self.finish(execution)["output"]),
                         [{"BatchInput": {"n": 7}, "Items": [1, 2]}, {"BatchInput": {"n": 7}, "Items": [3]}])
        run = self.map_run(execution)
        self.assertEqual((run["itemCounts"]["total"], run["executionCounts"]["total"]), (3, 2))
        self.assertEqual(self.run_map(map_machine(ItemBatcher={"MaxInputBytesPerBatch": 24}), ["aaa", "bbb", "ccc"]),
                         [{"Items": ["aaa", "bbb"]}, {"Items": ["ccc"]}])

    def test_failures(self):
        items = [{"bad": i in (1, 2), "i": i} for i in range(5)]
        self.assertEqual(self.fail_map(map_machine(CHECK, MaxConcurrency=1), items), EXCEEDED)
        self.assertEqual(self.fail_map(map_machine(CHECK, ToleratedFailureCount=1), items), EXCEEDED)
        self.assertEqual(self.fail_map(map_machine(CHECK, ToleratedFailurePercentage=39.9), items), EXCEEDED)
        for field in {"ToleratedFailureCount": 2}, {"ToleratedFailurePercentage": 40}:
            execution = self.start(map_machine(CHECK, **field), items)
            output = json.loads(self.finish(execution)["output"])
            self.assertEqual([o.get("Error", o.get("i")) for o in output], [0, "Bad", "Bad", 3, 4])
            self.assertEqual((output[1]["Cause"], output[1]["Status"]), ("a bad item", "FAILED"))
            counts = self.map_run(execution)["itemCounts"]
            self.assertEqual((counts["succeeded"], counts["failed"], counts["total"]), (3, 2, 5))

    def test_one_failure_stops_the_others(self):
        machine = json.loads(json.dumps(CHECK))
        machine["States"]["Good"] = {"Type": "Wait", "Seconds": 3600, "End": True}
        execution = self.start(map_machine(machine, MaxConcurrency=3), [{"bad": i == 2} for i in range(5)])
        answer = self.finish(execution)
        self.assertEqual((answer["error"], answer["cause"]), EXCEEDED)
        last = self.history(execution)[-3:]
        self.assertEqual([e["type"] for e in last], ["MapRunFailed", "MapStateFailed", "ExecutionFailed"])
        self.assertEqual(last[0]["mapRunFailedEventDetails"], {"error": EXCEEDED[0], "cause": EXCEEDED[1]})
        self.until(lambda: self.map_run(execution)["executionCounts"]["running"] == 0)
        run = self.map_run(execution)
        self.assertEqual(run["status"], "FAILED")
        self.assertEqual([run["executionCounts"][k] for k in ("aborted", "failed", "pending", "total")], [2, 1, 2, 5])

    def test_writer(self):
        writer = {"Resource": "arn:aws:states:::s3:putObject",
                  "Parameters": {"Bucket": self.bucket, "Prefix.$": "$.p"}}
        items = {"l": [{"bad": i == 1, "i": i} for i in range(3)], "p": "results"}
        execution = self.start(map_machine(CHECK, ItemsPath="$.l", ToleratedFailureCount=1, ResultWriter=writer), items)
        answer = self.finish(execution)
        self.assertEqual(answer["status"], "SUCCEEDED", answer)
        run = self.map_run(execution)
        folder = "results/" + run["mapRunArn"].rsplit(":", 1)[1] + "/"
        self.assertEqual(json.loads(answer["output"]), {
            "MapRunArn": run["mapRunArn"],
            "ResultWriterDetails": {"Bucket": self.bucket, "Key": folder + "manifest.json"}})
        manifest = self.get(folder + "manifest.json")
        size = len(self.s3.get_object(Bucket=self.bucket, Key=folder + "FAILED_0.json")["Body"].read())
        self.assertEqual((manifest["DestinationBucket"], manifest["MapRunArn"]), (self.bucket, run["mapRunArn"]))
        self.assertEqual(manifest["ResultFiles"]["FAILED"], [{"Key": folder + "FAILED_0.json", "Size": size}])
        self.assertEqual(manifest["ResultFiles"]["PENDING"], [])
        good, bad = self.get(folder + "SUCCEEDED_0.json"), self.get(folder + "FAILED_0.json")
        self.assertEqual([json.loads(r["Output"])["i"] for r in good], [0, 2])
        self.assertEqual(list(good[0]), ["ExecutionArn", "Input", "InputDetails", "Name", "Output", "OutputDetails",
                                         "RedriveCount", "RedriveStatus", "RedriveStatusReason", "StartDate",
                                         "StateMachineArn", "Status", "StopDate"])
        self.assertEqual((bad[0]["Error"], bad[0]["Cause"], bad[0]["Status"]), ("Bad", "a bad item", "FAILED"))
        self.assertEqual(run["itemCounts"]["resultsWritten"], 3)
        compact = {**writer, "WriterConfig": {"Transformation": "COMPACT", "OutputType": "JSONL"}}
        output = self.run_map(map_machine(ItemsPath="$.l", ResultWriter=compact), {"l": [1, [2]], "p": "x/"})
        key = output["ResultWriterDetails"]["Key"].replace("manifest.json", "SUCCEEDED_0.json")
        self.assertEqual(self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read(), b"1\n[2]")
        flat = {"WriterConfig": {"Transformation": "FLATTEN", "OutputType": "JSON"}}
        self.assertEqual(self.run_map(map_machine(ResultWriter=flat), [[1, 2], [], 3]), [1, 2, 3])
        writer["Parameters"] = {"Bucket": "there-is-no-such-bucket"}
        self.assertEqual(self.fail_map(map_machine(ResultWriter=writer), [1])[0], "States.ResultWriterFailed")

    def test_results_of_a_failed_run_are_written(self):
        writer = {"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": self.bucket}}
        definition = map_machine(CHECK, MaxConcurrency=1, ResultWriter=writer)
        execution = self.start(definition, [{"bad": i == 1} for i in range(4)])
        self.assertEqual(self.finish(execution)["error"], EXCEEDED[0])
        folder = self.map_run(execution)["mapRunArn"].rsplit(":", 1)[1] + "/"
        files = self.get(folder + "manifest.json")["ResultFiles"]
        self.assertEqual([len(self.get(files[k][0]["Key"])) for k in ("SUCCEEDED", "FAILED", "PENDING")], [1, 1, 2])

    def test_jsonata(self):
        self.put("a.json", "[1, 2, 3]")
        bucket = "{% $states.input.bucket %}"
        definition = map_machine(
            ItemReader={"Resource": GET, "ReaderConfig": {"InputType": "JSON", "MaxItems": "{% $states.input.n %}"},
                        "Arguments": {"Bucket": bucket, "Key": "a.json"}},
            ItemSelector={"v": "{% $states.context.Map.Item.Value * 10 %}", "i": "{% $states.context.Map.Item.Index %}",
                          "b": bucket, "w": "{% $w %}"},
            ItemBatcher={"MaxItemsPerBatch": "{% $states.input.n %}", "BatchInput": {"n": "{% $states.input.n %}"}},
            ResultWriter={"Resource": "arn:aws:states:::s3:putObject",
                          "WriterConfig": {"Transformation": "COMPACT", "OutputType": "JSON"},
                          "Arguments": {"Bucket": bucket, "Prefix": "{% 'out' %}"}},
            ToleratedFailurePercentage="{% 12.5 %}", MaxConcurrency="{% $states.input.n %}")
        definition["QueryLanguage"] = "JSONata"
        definition["States"]["First"] = {"Type": "Pass", "Assign": {"w": "W"}, "Next": "Map"}
        definition["StartAt"] = "First"
        output = self.run_map(definition, {"bucket": self.bucket, "n": 2})
        key = output["ResultWriterDetails"]["Key"]
        self.assertTrue(key.startswith("out/"), key)
        self.assertEqual(self.get(key.replace("manifest", "SUCCEEDED_0")), [
            {"BatchInput": {"n": 2}, "Items": [{"v": 10, "i": 0, "b": self.bucket, "w": "W"},
                                               {"v": 20, "i": 1, "b": self.bucket, "w": "W"}]}])
        items = {"StartAt": "Map", "QueryLanguage": "JSONata", "States": {
            "Map": {"Type": "Map", "Items": "{% $states.input.l %}", "ItemProcessor": steps(PASS), "End": True,
                    "Output": "{% $count($states.result) %}"}}}
        self.assertEqual(self.run_map(items, {"l": [4, 5]}), 2)

    def test_nested(self):
        inner = {"StartAt": "Inner", "States": {"Inner": {"Type": "Map", "ItemProcessor": steps(PASS), "End": True}}}
        self.assertEqual(self.run_map(map_machine(inner), [[1], [2, 3]]), [[1], [2, 3]])

    def test_stopped(self):
        wait = {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 3600, "End": True}}}
        execution = self.start(map_machine(wait), [1, 2])
        self.until(lambda: self.sfn.list_map_runs(executionArn=execution)["mapRuns"] and
                   self.map_run(execution)["itemCounts"]["running"] == 2)
        run = self.map_run(execution)
        self.assertNotIn("stopDate", run)
        self.sfn.update_map_run(mapRunArn=run["mapRunArn"], maxConcurrency=5, toleratedFailurePercentage=12.5)
        self.assertEqual(self.map_run(execution)["maxConcurrency"], 5)
        self.sfn.stop_execution(executionArn=execution)
        self.until(lambda: self.map_run(execution)["itemCounts"]["aborted"] == 2)
        run = self.map_run(execution)
        self.assertEqual((run["status"], run["toleratedFailurePercentage"]), ("ABORTED", 12.5))
        self.assert_error("ValidationException", self.sfn.update_map_run, mapRunArn=run["mapRunArn"], maxConcurrency=1)
        self.assert_error("ResourceNotFound", self.sfn.describe_map_run, mapRunArn=run["mapRunArn"] + "0")

    def test_too_much(self):
        error, cause = self.fail_map(map_machine(
            {"StartAt": "Big", "States": {"Big": {"Type": "Pass", "Result": "x" * 1000, "End": True}}}),
            list(range(300)))
        self.assertEqual(error, "States.DataLimitExceeded")
        self.assertIn("'Map' returned a result with a size exceeding the maximum number of bytes", cause)

    def test_killed(self):
        wait = {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 1, "End": True}}}
        self.put("a.jsonl", "\n".join(str(i) for i in range(3000)))
        execution = self.start(map_machine(wait, MaxConcurrency=1000, ItemReader=reader("a.jsonl", InputType="JSONL"),
                                           ResultWriter={"Resource": "arn:aws:states:::s3:putObject",
                                                         "Parameters": {"Bucket": self.bucket},
                                                         "WriterConfig": {"Transformation": "COMPACT"}}))
        for pause in (0.05, 0.2, 0.5, 0.8, 0.4, 0.6):
            time.sleep(pause)
            self.server.kill()
            self.server.start()
        self.connect()
        answer = self.finish(execution)
        self.assertEqual(answer["status"], "SUCCEEDED", answer)
        key = json.loads(answer["output"])["ResultWriterDetails"]["Key"]
        self.assertEqual(self.get(key.replace("manifest", "SUCCEEDED_0")), list(range(3000)))
        run = self.map_run(execution)
        self.assertEqual((run["executionCounts"]["succeeded"], run["executionCounts"]["total"]), (3000, 3000))
        pages = self.sfn.get_paginator("list_executions").paginate(mapRunArn=run["mapRunArn"])
        children = [c["executionArn"] for page in pages for c in page["executions"]]
        self.assertEqual((len(children), len(set(children))), (3000, 3000))
        of_machine = self.sfn.get_paginator("list_executions").paginate(
            stateMachineArn=execution.replace(":execution:", ":stateMachine:").rsplit(":", 1)[0])
        self.assertEqual([e["executionArn"] for page in of_machine for e in page["executions"]], [execution])


if __name__ == "__main__":
    unittest.main()
