# SPDX-License-Identifier: LGPL-2.1-or-later
"""MediaConvert with real clients: the job settings of a published guide make an HLS stream whose every frame decodes;
what is wrong is said where a user looks; no part of a stream is ever visible."""
import copy
import json
import os
import re
import subprocess
import tempfile
import time
import unittest
import urllib.parse
import urllib.request
import warnings

import botocore.exceptions

from server import Server, signed_request

ROLE = "arn:aws:iam::012345678901:role/MediaConvert_Default_Role"
FRAMES, RATE = 300, 25
LIMIT_SECONDS = 120


def settings(source, name, result="streams"):
    """Those of the guide, camelCase as the REST API has them."""
    return {
        "timecodeConfig": {"source": "ZEROBASED"},
        "outputGroups": [{
            "name": "Apple HLS",
            "outputs": [{
                "containerSettings": {"container": "M3U8", "m3u8Settings": {}},
                "videoDescription": {"codecSettings": {"codec": "H_264", "h264Settings": {
                    "maxBitrate": 5000000, "rateControlMode": "QVBR", "sceneChangeDetect": "TRANSITION_DETECTION"}}},
                "audioDescriptions": [{"codecSettings": {"codec": "AAC", "aacSettings": {
                    "bitrate": 96000, "codingMode": "CODING_MODE_2_0", "sampleRate": 48000}}}],
                "outputSettings": {"hlsSettings": {}},
                "nameModifier": "_modifier_" + name}],
            "outputGroupSettings": {"type": "HLS_GROUP_SETTINGS", "hlsGroupSettings": {
                "segmentLength": 10, "destination": "s3://%s/hls/%s/" % (result, name),
                "destinationSettings": {"s3Settings": {"storageClass": "STANDARD"}}, "minSegmentLength": 0}}}],
        "followSource": 1,
        "inputs": [{"audioSelectors": {"Audio Selector 1": {"defaultSelection": "DEFAULT"}}, "videoSelector": {},
                    "timecodeSource": "ZEROBASED", "fileInput": "s3://%s/%s" % (source, name)}]}


def make_clip(path, frames=FRAMES, size="320x180", sound=True):
    words = ["ffmpeg", "-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=size=%s:rate=%d" % (size, RATE)]
    if sound:
        words += ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100", "-c:a", "aac"]
    words += ["-frames:v", str(frames), "-t", str(frames / RATE), "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt",
              "yuv420p", "-f", "mp4", path]
    subprocess.run(words, check=True)


class MediaConvert(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="spyhop-mc-")
        cls.clip = os.path.join(cls.folder.name, "clip.mp4")
        make_clip(cls.clip)
        cls.long = os.path.join(cls.folder.name, "long.mp4")
        make_clip(cls.long, frames=500, size="640x360")
        cls.server = Server()

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        cls.folder.cleanup()

    def setUp(self):
        warnings.simplefilter("ignore", ResourceWarning)  # boto3 leaves its connections to the collector
        self.s3 = self.server.client("s3")
        self.mc = self.server.client("mediaconvert")
        for bucket in ("films", "streams"):
            try:
                self.s3.create_bucket(Bucket=bucket)
            except botocore.exceptions.ClientError:
                pass

    def put(self, path, key, bucket="films"):
        self.s3.upload_file(path, bucket, key)

    def post(self, job_settings, **more):
        """CreateJob with every member as it stands: Debian's clients do not know followSource and storageClass."""
        body = json.dumps(dict(more, role=ROLE, settings=job_settings)).encode()
        request = signed_request("mediaconvert", "POST", self.server.endpoint + "/2017-08-29/jobs", body,
                                 {"Content-Type": "application/json"}, region=self.server.region)
        sent = urllib.request.Request(request.url, data=body, headers=dict(request.headers), method="POST")
        with urllib.request.urlopen(sent, timeout=60) as answer:
            return json.load(answer)["job"]

    def create(self, job_settings, **more):
        return self.mc.create_job(Role=ROLE, Settings=self.pascal(self.known(job_settings)), **more)["Job"]["Id"]

    @staticmethod
    def known(job_settings):
        """Without the members that Debian's clients do not know."""
        job_settings = copy.deepcopy(job_settings)
        del job_settings["followSource"]
        del job_settings["outputGroups"][0]["outputGroupSettings"]["hlsGroupSettings"]["destinationSettings"]
        return job_settings

    @classmethod
    def pascal(cls, value, own=False):
        """boto3 takes the names in PascalCase."""
        if isinstance(value, list):
            return [cls.pascal(v) for v in value]
        if not isinstance(value, dict):
            return value
        return {k if own else k[0].upper() + k[1:]: cls.pascal(v, k == "audioSelectors") for k, v in value.items()}

    def wait(self, job, statuses=("COMPLETE", "ERROR", "CANCELED")):
        until = time.monotonic() + LIMIT_SECONDS
        while True:
            answer = self.mc.get_job(Id=job)["Job"]
            if answer["Status"] in statuses:
                return answer
            self.assertLess(time.monotonic(), until, answer)
            time.sleep(0.05)

    def keys(self, prefix="hls/", bucket="streams"):
        return [o["Key"] for o in self.s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])]

    def fetch(self, prefix):
        folder = tempfile.mkdtemp(dir=self.folder.name)
        for key in self.keys(prefix):
            self.s3.download_file("streams", key, os.path.join(folder, key[len(prefix):]))
        return folder

    def check_stream(self, name, frames=FRAMES):
        """The names AWS gives, playlists that name what is there, and every frame."""
        base = name.rsplit(".", 1)[0]
        folder = self.fetch("hls/%s/" % name)
        variant = "%s_modifier_%s.m3u8" % (base, name)
        with open(os.path.join(folder, base + ".m3u8")) as f:
            master = urllib.parse.unquote(f.read())
        with open(os.path.join(folder, variant)) as f:
            playlist = urllib.parse.unquote(f.read())
        self.assertIn(variant, master.splitlines())
        self.assertIn("BANDWIDTH=", master)
        segments = [line for line in playlist.splitlines() if line and not line.startswith("#")]
        self.assertEqual(segments[0], "%s_modifier_%s_00001.ts" % (base, name))
        self.assertIn("#EXT-X-ENDLIST", playlist)
        self.assertEqual(sorted(os.listdir(folder)), sorted(segments + [variant, base + ".m3u8", base + ".check.json"]))
        with open(os.path.join(folder, base + ".check.json")) as f:
            self.assertEqual(json.load(f)["errors"], 0)
        whole = os.path.join(folder, "whole")
        with open(whole, "wb") as f:
            for segment in segments:
                with open(os.path.join(folder, segment), "rb") as part:
                    f.write(part.read())
        counted = subprocess.run(
            ["ffprobe", "-v", "error", "-select_streams", "v:0", "-count_frames", "-show_entries",
             "stream=nb_read_frames", "-of", "default=nk=1:nw=1", whole], capture_output=True, text=True, check=True)
        self.assertEqual(counted.stderr, "")
        self.assertEqual(int(counted.stdout.split()[0]), frames)
        return playlist, segments

    def assert_error(self, code, call, *words, **arguments):
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            call(*words, **arguments)
        self.assertEqual(caught.exception.response["Error"]["Code"], code, caught.exception.response)
        return caught.exception.response["Error"]["Message"]

    # ---- streams ----

    def test_the_guides_job(self):
        name = "apink_10s_sr_2x.mp4"
        self.put(self.clip, name)
        job = self.post(settings("films", name), userMetadata={"who": "me"})["id"]
        answer = self.wait(job)
        self.assertEqual(answer["Status"], "COMPLETE", answer)
        playlist, segments = self.check_stream(name)
        durations = [float(d) for d in re.findall(r"#EXTINF:([0-9.]+)", playlist)]
        self.assertEqual(len(segments), 2)
        self.assertAlmostEqual(sum(durations), FRAMES / RATE, delta=1 / RATE)
        types = {key.rsplit(".", 1)[1]: self.s3.head_object(Bucket="streams", Key=key)["ContentType"]
                 for key in self.keys("hls/%s/" % name)}
        self.assertEqual(types["ts"].lower(), "video/mp2t")
        self.assertEqual(types["m3u8"].lower(), "application/vnd.apple.mpegurl")
        details = answer["OutputGroupDetails"][0]["OutputDetails"][0]
        self.assertEqual(details["VideoDetails"], {"WidthInPx": 320, "HeightInPx": 180})
        self.assertAlmostEqual(details["DurationInMs"], FRAMES * 1000 / RATE, delta=50)
        self.assertEqual(answer["UserMetadata"], {"who": "me"})
        self.assertEqual(answer["Settings"]["Inputs"][0]["FileInput"], "s3://films/" + name)
        self.assertLessEqual(answer["Timing"]["StartTime"], answer["Timing"]["FinishTime"])

    def test_names_with_spaces_and_quotes(self):
        name = "a b'c\"d;e ü.mp4"
        self.put(self.clip, name)
        answer = self.wait(self.create(settings("films", name)))
        self.assertEqual(answer["Status"], "COMPLETE", answer)
        self.check_stream(name)

    def test_without_sound(self):
        path = os.path.join(self.folder.name, "silent.mp4")
        make_clip(path, frames=50, sound=False)
        self.put(path, "silent.mp4")
        answer = self.wait(self.create(settings("films", "silent.mp4")))
        self.assertEqual(answer["Status"], "COMPLETE", answer)
        self.check_stream("silent.mp4", frames=50)

    def job_file(self, name, key):
        """One of the jobs that `transcode` is tested with, for a film in S3."""
        with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "jobs", name + ".json")) as f:
            job = json.load(f)["Settings"]
        job["Inputs"][0]["FileInput"] = "s3://films/" + key
        return job

    def test_several_groups(self):
        """Each group's files come to its own place, and the job tells each group's outputs."""
        self.put(self.clip, "groups.mp4")
        answer = self.wait(self.mc.create_job(Role=ROLE, Settings=self.job_file("vod_three_groups", "groups.mp4"))["Job"]["Id"])
        self.assertEqual(answer["Status"], "COMPLETE", answer)
        details = answer["OutputGroupDetails"]
        self.assertEqual([len(g["OutputDetails"]) for g in details], [3, 1, 1])
        self.assertEqual([o["VideoDetails"] for o in details[0]["OutputDetails"]],
                         [{"WidthInPx": w, "HeightInPx": h} for w, h in ((160, 90), (240, 136), (320, 180))])
        self.assertEqual(details[1]["OutputDetails"][0]["DurationInMs"], 12000)
        self.assertEqual(self.keys("assets/mp4/"), ["assets/mp4/groups.mp4"])
        self.assertEqual(self.keys("assets/thumbnails/"), ["assets/thumbnails/groups.%07d.jpg" % n for n in range(6)])
        hls = self.keys("assets/hls/")
        self.assertEqual(len([k for k in hls if k.endswith(".ts")]), 3 * 6)
        self.assertEqual([k for k in hls if k.endswith(".m3u8")],
                         ["assets/hls/groups%s.m3u8" % n for n in ("", "_136", "_180", "_90")])
        kind = self.s3.head_object(Bucket="streams", Key="assets/thumbnails/groups.0000000.jpg")["ContentType"]
        self.assertEqual(kind, "image/jpeg")

    def test_cmaf_by_job(self):
        self.put(self.clip, "cmaf.mp4")
        answer = self.wait(self.mc.create_job(Role=ROLE, Settings=self.job_file("cmaf_both_manifests", "cmaf.mp4"))["Job"]["Id"])
        self.assertEqual(answer["Status"], "COMPLETE", answer)
        folder = self.fetch("cmaf/")
        done = subprocess.run([os.environ["SPYHOP_PROGRAM"], "check", folder], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_a_missing_bucket_of_the_second_group(self):
        self.put(self.clip, "lost.mp4")
        job = self.job_file("vod_three_groups", "lost.mp4")
        job["OutputGroups"][1]["OutputGroupSettings"]["FileGroupSettings"]["Destination"] = "s3://no-such-bucket/x/"
        job["OutputGroups"][0]["OutputGroupSettings"]["HlsGroupSettings"]["Destination"] = "s3://streams/lost/"
        answer = self.wait(self.mc.create_job(Role=ROLE, Settings=job)["Job"]["Id"])
        self.assertEqual((answer["Status"], answer["ErrorCode"]), ("ERROR", 3450), answer)
        self.assertEqual(self.keys("lost/"), [])

    def test_aws_cli(self):
        self.put(self.clip, "cli.mp4")
        path = os.path.join(self.folder.name, "job.json")
        with open(path, "w") as f:
            json.dump({"Role": ROLE, "Settings": self.pascal(self.known(settings("films", "cli.mp4")))}, f)
        made = json.loads(self.server.aws("mediaconvert", "create-job", "--cli-input-json", "file://" + path).stdout)
        self.assertEqual(self.wait(made["Job"]["Id"])["Status"], "COMPLETE")
        endpoints = json.loads(self.server.aws("mediaconvert", "describe-endpoints").stdout)
        self.assertEqual(endpoints["Endpoints"][0]["Url"], self.server.endpoint)
        listed = json.loads(self.server.aws("mediaconvert", "list-jobs", "--status", "COMPLETE").stdout)
        self.assertIn(made["Job"]["Id"], [j["Id"] for j in listed["Jobs"]])

    # ---- what is wrong ----

    def failed(self, key, data, code=None):
        self.s3.put_object(Bucket="films", Key=key, Body=data)
        answer = self.wait(self.create(settings("films", key)))
        self.assertEqual(answer["Status"], "ERROR", answer)
        self.assertGreater(answer["ErrorCode"], 0)
        self.assertTrue(answer["ErrorMessage"])
        self.assertEqual(self.keys("hls/" + key), [])
        return answer

    def test_not_a_video(self):
        for key, data in (("text.mp4", b"this is no film\n" * 1000), ("empty.mp4", b"")):
            self.assertIn("s3://films/" + key, self.failed(key, data)["ErrorMessage"])

    def test_a_truncated_video(self):
        with open(self.clip, "rb") as f:
            self.failed("cut.mp4", f.read()[:20000])

    def test_a_missing_input(self):
        answer = self.wait(self.create(settings("films", "not-there.mp4")))
        self.assertEqual((answer["Status"], answer["ErrorCode"]), ("ERROR", 1404))
        self.assertIn("s3://films/not-there.mp4", answer["ErrorMessage"])

    def test_a_long_name_in_an_error(self):
        """Messages have a limit; where they are cut they stay text, and the queue goes on."""
        jobs = []
        for shift in range(3):
            job = settings("films", "short.mp4")
            job["inputs"][0]["fileInput"] = "s3://films/" + shift * "a" + 330 * "\u20ac" + ".mp4"
            jobs.append(self.create(job))
        for job in jobs:
            answer = self.wait(job)
            self.assertEqual((answer["Status"], answer["ErrorCode"]), ("ERROR", 1404))
            self.assertIn("\u20ac\u20ac", answer["ErrorMessage"])

    def test_a_missing_destination(self):
        self.put(self.clip, "there.mp4")
        answer = self.wait(self.create(settings("films", "there.mp4", result="no-such-bucket")))
        self.assertEqual(answer["Status"], "ERROR")
        self.assertIn("no-such-bucket", answer["ErrorMessage"])

    def test_bad_settings(self):
        bad = copy.deepcopy(settings("films", "x.mp4"))
        bad["outputGroups"][0]["outputs"][0]["videoDescription"]["codecSettings"]["codec"] = "H_999"
        message = self.assert_error("BadRequestException", self.create, bad)
        self.assertIn("/outputGroups/0/outputs/0/videoDescription/codecSettings/codec", message)
        bad = copy.deepcopy(settings("films", "x.mp4"))
        bad["outputGroups"][0]["outputGroupSettings"]["hlsGroupSettings"]["segmentLength"] = 10 ** 10
        message = self.assert_error("BadRequestException", self.create, bad)
        self.assertIn("/outputGroups/0/outputGroupSettings/hlsGroupSettings/segmentLength", message)
        self.assert_error("BadRequestException", self.mc.create_job, Role="nobody",
                          Settings=self.pascal(self.known(settings("films", "x.mp4"))))
        self.assert_error("NotFoundException", self.mc.get_job, Id="1700000000000-abcdef")
        self.assert_error("NotFoundException", self.mc.cancel_job, Id="1700000000000-abcdef")

    def test_a_token_makes_one_job(self):
        self.put(self.clip, "token.mp4")
        first = self.create(settings("films", "token.mp4"), ClientRequestToken="once")
        self.assertEqual(self.create(settings("films", "token.mp4"), ClientRequestToken="once"), first)
        self.assert_error("ConflictException", self.create, settings("films", "clip.mp4"), ClientRequestToken="once")
        self.wait(first)

    def test_queues(self):
        queue = self.mc.get_queue(Name="Default")["Queue"]
        self.assertEqual(queue["Status"], "ACTIVE")
        self.assertEqual([q["Arn"] for q in self.mc.list_queues()["Queues"]], [queue["Arn"]])

    # ---- interruption ----

    def begin_long(self, name):
        """A job whose worker is at work."""
        self.put(self.long, name)
        job = self.create(settings("films", name))
        until = time.monotonic() + LIMIT_SECONDS
        while not any(n.startswith("mc-") for n in os.listdir(os.path.join(self.server.data, "tmp"))):
            self.assertLess(time.monotonic(), until)
            time.sleep(0.01)
        return job

    def test_cancel(self):
        job = self.begin_long("cancelled.mp4")
        self.mc.cancel_job(Id=job)
        self.assertEqual(self.mc.get_job(Id=job)["Job"]["Status"], "CANCELED")
        self.assert_error("ConflictException", self.mc.cancel_job, Id=job)
        self.put(self.clip, "next.mp4")
        self.assertEqual(self.wait(self.create(settings("films", "next.mp4")))["Status"], "COMPLETE")
        self.assertEqual(self.keys("hls/cancelled.mp4"), [])

    def test_kill_of_the_server(self):
        job = self.begin_long("killed.mp4")
        listen = self.server.endpoint.split("//")[1]
        self.server.kill()
        self.server.start(listen)
        seen = set()
        until = time.monotonic() + LIMIT_SECONDS
        while True:
            visible = len(self.keys("hls/killed.mp4/"))
            status = self.mc.get_job(Id=job)["Job"]["Status"]
            seen.add(visible)
            if status not in ("SUBMITTED", "PROGRESSING"):
                break
            self.assertLess(time.monotonic(), until)
            time.sleep(0.02)
        self.assertEqual(status, "COMPLETE")
        _, segments = self.check_stream("killed.mp4", frames=500)
        self.assertLessEqual(seen, {0, len(segments) + 3})


if __name__ == "__main__":
    unittest.main()
