# SPDX-License-Identifier: LGPL-2.1-or-later
"""Queues, presets, job templates and tags of MediaConvert with boto3 and the AWS CLI; jobs that name them."""
import json
import os
import tempfile
import unittest
import warnings

import botocore.exceptions

from server import Server
import test_mediaconvert as jobs
from test_mediaconvert import ROLE

PRESET = {"ContainerSettings": {"Container": "M3U8", "M3u8Settings": {}},
          "VideoDescription": {"Width": 160, "Height": 90, "CodecSettings": {"Codec": "H_264", "H264Settings": {
              "MaxBitrate": 400000, "RateControlMode": "QVBR", "GopSize": 1.0, "GopSizeUnits": "SECONDS"}}},
          "AudioDescriptions": [{"CodecSettings": {"Codec": "AAC", "AacSettings": {
              "Bitrate": 64000, "CodingMode": "CODING_MODE_2_0", "SampleRate": 44100}}}]}


class Kept(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="spyhop-kept-")
        cls.clip = os.path.join(cls.folder.name, "clip.mp4")
        jobs.make_clip(cls.clip, frames=50)
        cls.server = Server()
        s3 = cls.server.client("s3")
        for bucket in ("films", "streams"):
            s3.create_bucket(Bucket=bucket)
        s3.upload_file(cls.clip, "films", "clip.mp4")

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        cls.folder.cleanup()

    def setUp(self):
        warnings.simplefilter("ignore", ResourceWarning)
        self.mc = self.server.client("mediaconvert")
        self.s3 = self.server.client("s3")

    def refused(self, code, call, **arguments):
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            call(**arguments)
        self.assertEqual(caught.exception.response["Error"]["Code"], code)
        return caught.exception.response["Error"]["Message"]

    def cli(self, *words):
        return json.loads(self.server.aws("mediaconvert", *words, "--output", "json").stdout or "{}")

    wait = jobs.MediaConvert.wait

    def job_settings(self, result="out"):
        known = jobs.MediaConvert.pascal(jobs.MediaConvert.known(jobs.settings("films", "clip.mp4")))
        group = known["OutputGroups"][0]
        group["OutputGroupSettings"]["HlsGroupSettings"]["Destination"] = f"s3://streams/{result}/"
        return known

    def test_queues(self):
        made = self.mc.create_queue(Name="night", Description="when nobody looks", Status="PAUSED", Tags={"a": "b"})["Queue"]
        self.assertEqual((made["Name"], made["Status"], made["Type"], made["SubmittedJobsCount"]),
                         ("night", "PAUSED", "CUSTOM", 0))
        self.refused("ConflictException", self.mc.create_queue, Name="night")
        job = self.mc.create_job(Role=ROLE, Queue=made["Arn"], Settings=self.job_settings("night"))["Job"]
        self.assertEqual(job["Queue"], made["Arn"])
        # another queue is not held up; this one is
        other = self.mc.create_job(Role=ROLE, Settings=self.job_settings("day"))["Job"]["Id"]
        self.assertEqual(self.wait(other)["Status"], "COMPLETE")
        self.assertEqual(self.mc.get_job(Id=job["Id"])["Job"]["Status"], "SUBMITTED")
        self.assertEqual(self.mc.get_queue(Name="night")["Queue"]["SubmittedJobsCount"], 1)
        self.assertEqual([j["Id"] for j in self.mc.list_jobs(Queue="night")["Jobs"]], [job["Id"]])
        self.refused("ConflictException", self.mc.delete_queue, Name="night")
        self.assertEqual(self.cli("update-queue", "--name", "night", "--status", "ACTIVE")["Queue"]["Status"], "ACTIVE")
        self.assertEqual(self.wait(job["Id"])["Status"], "COMPLETE")
        self.assertEqual(self.mc.get_queue(Name="night")["Queue"]["Description"], "when nobody looks")
        self.assertLessEqual({"Default", "night"}, {q["Name"] for q in self.mc.list_queues()["Queues"]})
        self.mc.delete_queue(Name="night")
        self.refused("NotFoundException", self.mc.get_queue, Name="night")
        self.refused("NotFoundException", self.mc.create_job, Role=ROLE, Queue="night", Settings=self.job_settings())
        self.refused("BadRequestException", self.mc.delete_queue, Name="Default")
        self.refused("BadRequestException", self.mc.create_queue, Name="paid", PricingPlan="RESERVED")

    def test_the_default_queue_pauses_too(self):
        self.assertEqual(self.mc.get_queue(Name="Default")["Queue"]["Type"], "SYSTEM")
        self.mc.update_queue(Name="Default", Status="PAUSED")
        job = self.mc.create_job(Role=ROLE, Settings=self.job_settings("later"))["Job"]["Id"]
        self.assertEqual(self.mc.get_queue(Name="Default")["Queue"]["SubmittedJobsCount"], 1)
        self.assertEqual(self.mc.get_job(Id=job)["Job"]["Status"], "SUBMITTED")
        self.mc.update_queue(Name="Default", Status="ACTIVE")
        self.assertEqual(self.wait(job)["Status"], "COMPLETE")

    def test_presets(self):
        made = self.mc.create_preset(Name="small", Category="phones", Settings=PRESET)["Preset"]
        self.assertEqual((made["Category"], made["Type"], made["Settings"]["VideoDescription"]["Width"]), ("phones", "CUSTOM", 160))
        self.refused("ConflictException", self.mc.create_preset, Name="small", Settings=PRESET)
        self.mc.create_preset(Name="big", Settings=PRESET)
        self.assertEqual([p["Name"] for p in self.mc.list_presets(ListBy="NAME")["Presets"]], ["big", "small"])
        self.assertEqual([p["Name"] for p in self.mc.list_presets(Category="phones")["Presets"]], ["small"])
        page = self.mc.list_presets(MaxResults=1, Order="DESCENDING", ListBy="NAME")
        self.assertEqual([p["Name"] for p in page["Presets"]], ["small"])
        page = self.mc.list_presets(MaxResults=1, Order="DESCENDING", ListBy="NAME", NextToken=page["NextToken"])
        self.assertEqual([p["Name"] for p in page["Presets"]], ["big"])
        self.assertNotIn("NextToken", page)
        job = self.job_settings("preset")
        job["OutputGroups"][0]["Outputs"] = [
            {"Preset": "small", "NameModifier": "_s"},
            {"Preset": made["Arn"], "NameModifier": "_wider", "VideoDescription": {"Width": 192, "Height": 108}}]
        done = self.wait(self.mc.create_job(Role=ROLE, Settings=job)["Job"]["Id"])
        self.assertEqual(done["Status"], "COMPLETE", done.get("ErrorMessage"))
        sizes = [(o["VideoDetails"]["WidthInPx"], o["VideoDetails"]["HeightInPx"])
                 for o in done["OutputGroupDetails"][0]["OutputDetails"]]
        self.assertEqual(sizes, [(160, 90), (192, 108)])
        self.assertEqual(done["Settings"]["OutputGroups"][0]["Outputs"][0], {"Preset": "small", "NameModifier": "_s"})
        updated = self.mc.update_preset(Name="small", Description="for phones")["Preset"]
        self.assertEqual((updated["Description"], updated["Settings"]), ("for phones", made["Settings"]))
        wrong = json.loads(json.dumps(PRESET))
        wrong["VideoDescription"]["CodecSettings"]["Codec"] = "H_999"
        self.assertIn("/settings/videoDescription/codecSettings/codec",
                      self.refused("BadRequestException", self.mc.update_preset, Name="small", Settings=wrong))
        job["OutputGroups"][0]["Outputs"][0]["Preset"] = "none"
        self.assertIn("none", self.refused("NotFoundException", self.mc.create_job, Role=ROLE, Settings=job))
        for name in ("small", "big"):
            self.mc.delete_preset(Name=name)
        self.refused("NotFoundException", self.mc.delete_preset, Name="big")

    def test_job_templates(self):
        template = self.job_settings("template")
        template["Inputs"] = [{"AudioSelectors": {"Audio Selector 1": {"DefaultSelection": "DEFAULT"}}, "VideoSelector": {}}]
        self.mc.create_queue(Name="usual")
        made = self.mc.create_job_template(Name="vod", Settings=template, Priority=7, Queue="usual", Category="films",
                                           StatusUpdateInterval="SECONDS_30")["JobTemplate"]
        self.assertEqual((made["Priority"], made["Type"]), (7, "CUSTOM"))
        job = self.mc.create_job(Role=ROLE, JobTemplate="vod", Settings={"Inputs": [{"FileInput": "s3://films/clip.mp4"}]})["Job"]
        self.assertEqual((job["Priority"], job["JobTemplate"], job["Queue"].rsplit("/", 1)[1], job["StatusUpdateInterval"]),
                         (7, "vod", "usual", "SECONDS_30"))
        self.assertEqual(self.wait(job["Id"])["Status"], "COMPLETE")
        self.assertIn("template/clip.m3u8", [o["Key"] for o in self.s3.list_objects_v2(Bucket="streams", Prefix="template/")["Contents"]])
        self.assertEqual([t["Name"] for t in self.cli("list-job-templates")["JobTemplates"]], ["vod"])
        self.assertEqual(self.mc.get_job_template(Name=made["Arn"])["JobTemplate"]["Settings"], made["Settings"])
        self.refused("BadRequestException", self.mc.create_job_template, Name="bad", Settings={"OutputGroups": [{"Outputs": []}]})
        self.mc.update_job_template(Name="vod", Priority=-3)
        self.assertEqual(self.mc.get_job_template(Name="vod")["JobTemplate"]["Priority"], -3)
        self.mc.delete_job_template(Name="vod")
        self.refused("NotFoundException", self.mc.create_job, Role=ROLE, JobTemplate="vod",
                     Settings={"Inputs": [{"FileInput": "s3://films/clip.mp4"}]})

    def test_tags(self):
        self.mc.create_queue(Name="tagged", Tags={"team": "vod"})
        arns = [self.mc.get_queue(Name=name)["Queue"]["Arn"] for name in ("tagged", "Default")]
        arns.append(self.wait(self.mc.create_job(Role=ROLE, Settings=self.job_settings("tags"), Tags={"film": "1"})["Job"]["Id"])["Arn"])
        for arn, first in zip(arns, ({"team": "vod"}, {}, {"film": "1"})):
            self.assertEqual(self.mc.list_tags_for_resource(Arn=arn)["ResourceTags"]["Tags"], first)
            self.mc.tag_resource(Arn=arn, Tags={"x": "y", "z": ""})
            self.mc.untag_resource(Arn=arn, TagKeys=["x", *first])
            self.assertEqual(self.mc.list_tags_for_resource(Arn=arn)["ResourceTags"]["Tags"], {"z": ""})
        self.refused("NotFoundException", self.mc.list_tags_for_resource, Arn=arns[0] + "x")
        self.refused("BadRequestException", self.mc.tag_resource, Arn=arns[0], Tags={str(i): "" for i in range(60)})

    def test_they_outlive_the_server(self):
        self.mc.create_preset(Name="lasting", Settings=PRESET)
        self.server.kill()
        self.server.start()
        self.assertEqual(self.server.client("mediaconvert").get_preset(Name="lasting")["Preset"]["Name"], "lasting")


if __name__ == "__main__":
    unittest.main()
