# SPDX-License-Identifier: LGPL-2.1-or-later
"""The whole path with real clients: a clip uploaded with the AWS CLI becomes an upscaled film and an HLS stream by
pipelines/vod-sr.asl.json; bad files end as FAILED with the reason where a user looks, in a report too; `kill -9` of the
server at any moment leaves an execution that ends, and never a part of a stream."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time
import unittest

from server import ROOT, SDK, Server, program

SOURCE, RESULT = "films", "streams"
FRAMES = 50


def make_clip(path):
    subprocess.run(
        ["ffmpeg", "-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=size=160x90:rate=25", "-f", "lavfi",
         "-i", "sine=frequency=440:sample_rate=48000", "-frames:v", str(FRAMES), "-t", str(FRAMES / 25), "-c:v", "libx264",
         "-pix_fmt", "yuv420p", "-c:a", "aac", "-f", "mp4", path], check=True)


def frames_of(path):
    counted = subprocess.run(
        ["ffprobe", "-v", "error", "-select_streams", "v:0", "-count_frames", "-show_entries", "stream=nb_read_frames",
         "-of", "default=nk=1:nw=1", path], check=True, capture_output=True, text=True)
    if counted.stderr:
        raise AssertionError(counted.stderr)
    return int(counted.stdout.split()[0])


class Case(unittest.TestCase):
    install_words = []

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="pipeline-")
        cls.clip = os.path.join(cls.folder.name, "clip.mp4")
        make_clip(cls.clip)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def setUp(self):
        self.server = Server()
        self.addCleanup(self.server.stop)
        self.machine = self.install()
        self.s3 = self.server.client("s3")

    def install(self):
        done = subprocess.run(
            [ROOT / "pipelines/install.sh", "--endpoint-url", self.server.endpoint, "--source", SOURCE, "--result", RESULT,
             "--instance-id", self.server.instance_id, "--account", self.server.account, *self.install_words],
            capture_output=True, text=True, env=self.server.env)
        self.assertEqual(done.returncode, 0, done.stderr + self.server.log_text())
        return done.stdout.strip()

    def upload(self, path, key):
        self.server.aws("s3", "cp", "--only-show-errors", path, f"s3://{SOURCE}/{key}")

    def executions(self):
        return self.server.client("stepfunctions").list_executions(stateMachineArn=self.machine)["executions"]

    def wait_executions(self, count, seconds=120):
        """Waits until all have ended; the server may be new since the uploads. What they became, oldest first."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = self.executions()
            self.assertLessEqual(len(found), count)
            if len(found) == count and all(one["status"] != "RUNNING" for one in found):
                sfn = self.server.client("stepfunctions")
                return [sfn.describe_execution(executionArn=one["executionArn"])
                        for one in sorted(found, key=lambda one: one["startDate"])]
            time.sleep(0.1)
        self.fail(f"not {count} executions ended in {seconds} s: {self.executions()}")

    def wait_execution(self, seconds=120):
        return self.wait_executions(1, seconds)[0]

    def prefix(self, ended):
        sent = json.loads(ended["input"])
        return f"{sent['srcKey']}/{sent['uploadId']}/"

    def report(self, ended):
        body = self.s3.get_object(Bucket=RESULT, Key=self.prefix(ended) + "report.json")["Body"].read()
        report = json.loads(body)
        self.assertEqual(report["Execution"], ended["executionArn"])
        return report

    def keys(self, prefix=""):
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=RESULT, Prefix=prefix)
        return [item["Key"] for page in pages for item in page.get("Contents", [])]

    def check_results(self, ended, keeps=True):
        """The stream and, where it is kept, the film of an execution that succeeded: every frame of them."""
        self.assertEqual(ended["status"], "SUCCEEDED", ended)
        prefix = self.prefix(ended)
        names = self.keys(prefix)
        self.assertEqual(prefix + "upscaled.mp4" in names, keeps, names)
        report = self.report(ended)
        self.assertEqual(report["Status"], "SUCCEEDED")
        self.assertEqual(report["Playlist"], f"s3://{RESULT}/{prefix}hls/index.m3u8")
        self.assertEqual(report["Stream"]["Status"], "COMPLETE")
        with tempfile.TemporaryDirectory(prefix="result-") as folder:
            for name in names:
                target = pathlib.Path(folder, name[len(prefix):])
                target.parent.mkdir(parents=True, exist_ok=True)
                self.s3.download_file(RESULT, name, str(target))
            for name in ["hls/index.m3u8", "hls/index_sr.m3u8"] + ["upscaled.mp4"] * keeps:
                self.assertEqual(frames_of(f"{folder}/{name}"), FRAMES)

    def check_no_part(self):
        """Whatever happened, a playlist is there only with all that it names."""
        names = self.keys()
        for playlist in (name for name in names if name.endswith("/hls/index_sr.m3u8")):
            body = self.s3.get_object(Bucket=RESULT, Key=playlist)["Body"].read().decode()
            self.assertIn("#EXT-X-ENDLIST", body)
            for segment in re.findall(r"^[^#\n].*$", body, re.M):
                self.assertIn(playlist.replace("index_sr.m3u8", segment), names)


class Pipeline(Case):
    install_words = ["--keep-upscaled"]

    def expect_failure(self, *words):
        ended = self.wait_execution()
        self.assertEqual(ended["status"], "FAILED", ended)
        self.assertEqual(ended["error"], "UpscaleFailed")
        for word in words:
            self.assertRegex(ended["cause"], word)
        self.assertEqual(self.keys(), [self.prefix(ended) + "report.json"])
        told = self.report(ended)
        self.assertEqual((told["Status"], told["Error"], told["Cause"]), ("FAILED", ended["error"], ended["cause"]))
        self.s3.head_bucket(Bucket=SOURCE)  # the server is up

    def test_clip_becomes_a_stream(self):
        self.upload(self.clip, "clip.mp4")
        ended = self.wait_execution()
        self.check_results(ended)
        self.assertEqual(json.loads(ended["output"])["Stream"]["Status"], "COMPLETE")

    def test_key_that_a_shell_would_run(self):
        key = "a folder/it's; touch PWNED $(id) `id` \"q\" & %41 +ü\u4e16.mp4"
        self.s3.upload_file(self.clip, SOURCE, key)
        self.check_results(self.wait_execution())
        self.assertEqual(list(pathlib.Path(self.server.data).rglob("PWNED")), [])

    def test_key_of_1024_bytes(self):
        """The source may have it, the result's key would be longer: said in the cause."""
        self.s3.upload_file(self.clip, SOURCE, "k" * 1024)
        ended = self.wait_execution()
        self.assertEqual((ended["status"], ended["error"]), ("FAILED", "KeyTooLong"))
        self.assertIn("k" * 1024 + ": results", ended["cause"])
        self.assertEqual(self.keys(), [])

    def test_not_a_video(self):
        self.s3.put_object(Bucket=SOURCE, Key="notes.mp4", Body=b"these are words, not pictures\n" * 1000)
        self.expect_failure("s3://films/notes.mp4", "source")

    def test_zero_bytes(self):
        self.s3.put_object(Bucket=SOURCE, Key="empty.mp4", Body=b"")
        self.expect_failure("(?i)empty|zero|0 bytes")

    def test_truncated(self):
        data = pathlib.Path(self.clip).read_bytes()
        self.s3.put_object(Bucket=SOURCE, Key="cut.mp4", Body=data[: len(data) * 2 // 3])
        self.expect_failure("s3://films/cut.mp4", "source")

    def test_folder_marker(self):
        self.s3.put_object(Bucket=SOURCE, Key="folder/", Body=b"")
        self.expect_failure("folder")

    def kill_after(self, state):
        """kill -9 as soon as the execution has entered `state` and a moment has passed, then a new server on the same data."""
        sfn = self.server.client("stepfunctions")
        end = time.monotonic() + 60
        while time.monotonic() < end:
            found = self.executions()
            if found:
                events = sfn.get_execution_history(executionArn=found[0]["executionArn"], maxResults=1000)["events"]
                names = [e["stateEnteredEventDetails"]["name"] for e in events if "stateEnteredEventDetails" in e]
                if state in names:
                    break
            time.sleep(0.02)
        else:
            self.fail(f"{state} was not entered in a minute")
        address = self.server.endpoint.split("//")[1]
        self.server.kill()
        self.server.start(address)  # the running command talks to this address
        self.s3 = self.server.client("s3")

    def check_after_kill(self, state):
        self.upload(self.clip, "clip.mp4")
        self.kill_after(state)
        self.check_no_part()
        ended = self.wait_execution()
        if ended["status"] == "SUCCEEDED":
            self.check_results(ended)
        else:
            self.assertEqual(ended["status"], "FAILED", ended)
            self.assertTrue(ended["cause"])
            self.check_no_part()

    def test_kill_while_upscaling(self):
        self.check_after_kill("WaitForUpscale")

    def test_kill_while_polling(self):
        self.check_after_kill("IsUpscaleDone")

    def test_kill_while_making_the_stream(self):
        self.check_after_kill("CreateStream")
        self.assertEqual(self.wait_execution()["status"], "SUCCEEDED")


class Uploads(Case):
    """Several at once, with the film removed when it has become a stream."""

    def test_equal_names_and_nested_keys(self):
        """Five uploads at once, two of them of one key: each has its own results, or says that it was replaced."""
        for key in ("a/film.mp4", "b/film.mp4", "film.mp4", "a/b/film.mp4", "film.mp4"):
            self.s3.upload_file(self.clip, SOURCE, key)
        ends = self.wait_executions(5, seconds=240)
        self.assertEqual(len({self.prefix(ended) for ended in ends}), 5)
        replaced = [ended for ended in ends if json.loads(ended["output"])["Status"] == "SUPERSEDED"]
        for ended in ends:
            if ended not in replaced:
                self.check_results(ended, keeps=False)
        self.assertIn([json.loads(ended["input"])["srcKey"] for ended in replaced], ([], ["film.mp4"]))

    def test_replaced_before_it_was_fetched(self):
        """The execution of an upload that is gone never takes the one that took its place for it."""
        sfn = self.server.client("stepfunctions")
        self.upload(self.clip, "film.mp4")
        sent = json.loads(self.wait_execution()["input"])
        sfn.start_execution(stateMachineArn=self.machine, name="late", input=json.dumps(
            dict(sent, etag="0" * 32, uploadId="0")))
        late = [ended for ended in self.wait_executions(2) if ended["name"] == "late"][0]
        self.assertEqual(late["status"], "SUCCEEDED", late)
        self.assertEqual(json.loads(late["output"])["Status"], "SUPERSEDED")
        self.assertEqual(self.keys(self.prefix(late)), [self.prefix(late) + "report.json"])

    def test_install_twice_is_install_once(self):
        self.assertEqual(self.install(), self.machine)
        self.upload(self.clip, "film.mp4")
        self.check_results(self.wait_execution(), keeps=False)


class SeveralNodes(Case):
    """Two machines with a tag and one without; who is to be told is told of each end."""
    group = "/films/ends"

    def install(self):
        self.logs, self.ssm = self.server.client("logs"), self.server.client("ssm")
        self.logs.create_log_group(logGroupName=self.group)
        policy = {"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": ["events.amazonaws.com", "delivery.logs.amazonaws.com"]}, "Resource": "*",
            "Action": ["logs:CreateLogStream", "logs:PutLogEvents"]}]}
        self.logs.put_resource_policy(policyName="events", policyDocument=json.dumps(policy))
        self.server.role("worker", {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}, trusts=("ssm",))
        self.nodes = [self.add_node() for _ in range(2)]
        group = f"arn:aws:logs:{self.server.region}:{self.server.account}:log-group:{self.group}"
        done = subprocess.run(
            [ROOT / "pipelines/install.sh", "--endpoint-url", self.server.endpoint, "--source", SOURCE, "--result", RESULT,
             "--account", self.server.account, "--nodes", "tag:work=upscale", "--notify", group],
            capture_output=True, text=True, env=self.server.env)
        self.assertEqual(done.returncode, 0, done.stderr + self.server.log_text())
        return done.stdout.strip()

    def add_node(self):
        made = self.ssm.create_activation(IamRole="worker", Tags=[{"Key": "work", "Value": "upscale"}])
        data = tempfile.mkdtemp(prefix="node-", dir=self.folder.name)
        registered = subprocess.run(
            [program(), "agent", "register", "--server", self.server.endpoint, "--id", made["ActivationId"], "--code",
             made["ActivationCode"], "--data", data], capture_output=True, text=True, timeout=60)
        self.assertEqual(registered.returncode, 0, registered.stderr)
        process = subprocess.Popen([program(), "agent", "run", "--data", data], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        return registered.stdout.strip()

    def test_each_has_one(self):
        for key in ("one.mp4", "two.mp4"):
            self.upload(self.clip, key)
        for ended in self.wait_executions(2, seconds=240):
            self.check_results(ended, keeps=False)
        ran = self.ssm.list_command_invocations()["CommandInvocations"]
        self.assertEqual(sorted(one["InstanceId"] for one in ran), sorted(self.nodes))
        end, told = time.monotonic() + 30, []
        while len(told) < 2:
            self.assertLess(time.monotonic(), end, told)
            told = self.logs.filter_log_events(logGroupName=self.group)["events"]
        events = [json.loads(one["message"]) for one in told]
        self.assertEqual([one["detail"]["status"] for one in events], ["SUCCEEDED"] * 2)
        self.assertEqual({one["detail"]["stateMachineArn"] for one in events}, {self.machine})


@unittest.skipUnless(shutil.which("node") and (SDK / "@aws-sdk/client-sfn").is_dir(), "script/sdk fetches what this needs")
class ByFunction(Case):
    """Started by a notification of the bucket to the function of pipelines/trigger."""
    install_words = ["--trigger", "lambda"]

    def record(self, key, bucket=SOURCE, sequencer="0055AED6DCD90281E5"):
        return {"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": bucket}, "object": {
            "key": key, "eTag": "0" * 32, "sequencer": sequencer}}}

    def invoke(self, *records):
        answer = self.server.client("lambda").invoke(
            FunctionName="spyhop-vod-sr-trigger", Payload=json.dumps({"Records": records}).encode())
        return answer.get("FunctionError"), json.loads(answer["Payload"].read())

    def test_clip_becomes_a_stream(self):
        key = "a folder/it's 100% & more+\u4e16.mp4"
        self.s3.upload_file(self.clip, SOURCE, key)
        ended = self.wait_execution()
        self.assertEqual(json.loads(ended["input"])["srcKey"], key)
        self.check_results(ended, keeps=False)

    def test_all_records_once_each(self):
        """Objects that are not there end as SUPERSEDED, at once: it is what was started that counts."""
        records = [self.record("one+%2B.mp4"), self.record("b/two.mp4"), self.record("b/two.mp4", sequencer="1"),
                   self.record("x/hls/index.m3u8", bucket=RESULT)]
        for _ in range(2):  # a notification may come twice
            error, payload = self.invoke(*records)
            self.assertIsNone(error, payload)
        self.assertEqual([bool(one.get("skipped")) for one in payload["started"]], [False, False, False, True])
        ends = self.wait_executions(3)
        self.assertEqual(sorted(json.loads(ended["input"])["srcKey"] for ended in ends), ["b/two.mp4", "b/two.mp4", "one +.mp4"])
        for ended in ends:
            self.assertEqual(json.loads(ended["output"])["Status"], "SUPERSEDED", ended)

    def test_another_trigger_takes_its_place(self):
        """One upload is one execution, whoever started it before."""
        self.install_words = ["--trigger", "rule"]
        self.assertEqual(self.install(), self.machine)
        self.install_words = ["--trigger", "lambda"]
        self.assertEqual(self.install(), self.machine)
        self.upload(self.clip, "film.mp4")
        self.check_results(self.wait_execution(), keeps=False)
        self.assertEqual(len(self.executions()), 1)


if __name__ == "__main__":
    unittest.main()
