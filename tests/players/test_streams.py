# SPDX-License-Identifier: LGPL-2.1-or-later
"""What `spyhop stream` and MediaConvert's job of pipelines/vod-sr.asl.json make of five clips is without a finding by `spyhop check`, and is played by every player: to the end
with the exact number of pictures, from 0, 50 and 99 %, and through switches up and down. HEVC is checked only: the
browser has no decoder for it."""
import copy
import json
import os
import subprocess

import streams
from judge import Stream
from player_case import Players, main

PROGRAM = os.environ.get("SPYHOP_PROGRAM", str(streams.ROOT / "build/spyhop"))
EVERY = [("hls.js", "index.m3u8"), ("dash.js", "index.mpd"), ("shaka", "index.m3u8"), ("shaka", "index.mpd")]
SIZES = ["426x240", "640x360"]
SCENARIOS = ["play", "seek", "switch", "smooth"]


TS_PLAYERS = [("hls.js", ""), ("shaka", "")]


def job_of_the_pipeline(name):
    """The settings that the state machine hands to MediaConvert for a film of this name."""
    with open(streams.ROOT / "pipelines/vod-sr.asl.json", encoding="utf-8") as file:
        states = json.load(file)["States"]
    settings = next(s for s in states.values() if "createJob" in s.get("Resource", ""))["Arguments"]["Settings"]

    def filled(node):
        if isinstance(node, list):
            return [filled(one) for one in node]
        if not isinstance(node, dict):
            return node
        known = {"FileInput": f"s3://films/{name}", "Destination": f"s3://films/hls/{name}/"}
        return {k: known[k] if str(v).startswith("{%") else filled(v) for k, v in node.items()}
    return filled(settings)


def spyhop(*words):
    return subprocess.run([PROGRAM, *words], capture_output=True, timeout=300, env=streams.QUIET)


class Streams(Players):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        os.makedirs(cls.at("clips"))
        cls.clips = streams.clips(cls.at("clips"))

    def make(self, name, *options):
        """The stream's folder."""
        folder = self.at(name)
        done = spyhop("stream", "--quiet", "--model", "fast", "--threads", "2", "--segment", "1", *options, "--",
                      self.clips[name.split(" ")[0]].path, folder)
        self.assertEqual(done.returncode, 0, done.stderr.decode(errors="replace"))
        return folder

    def checked(self, folder):
        done = spyhop("check", "--json", folder)
        self.assertEqual(done.returncode, 0, done.stdout.decode(errors="replace") + done.stderr.decode(errors="replace"))
        self.assertEqual([], json.loads(done.stdout)["findings"])

    def played(self, work):
        faults, missing = self.see_patiently(work)
        for (stream, run), found in zip(work, faults):
            with self.subTest(stream=stream.name, player=run["player"], url=run["url"], scenario=run["scenario"]):
                self.assertEqual([], found)
        self.assertEqual([], missing)

    def test_five_clips(self):
        work = []
        for name, clip in self.clips.items():
            with self.subTest(clip=name):
                self.checked(self.make(name, "--codec", "av1" if clip.hdr else "h264"))
                sizes = ["x".join(reversed(s.split("x"))) for s in SIZES] if clip.turned else SIZES
                stream = Stream(name, clip, "index.m3u8", "index.mpd", sizes, 1.0)
                work += [(stream, r) for r in stream.runs([(p, f"{name}/{u}") for p, u in EVERY], SCENARIOS)]
        self.assertTrue(work)
        self.played(work)

    def transcoded(self, clip, folder, settings):
        """Path of the multivariant playlist."""
        job = self.at(folder + ".json")
        with open(job, "w", encoding="utf-8") as file:
            json.dump({"Role": "arn:aws:iam::000000000000:role/any", "Settings": settings}, file)
        done = spyhop("transcode", job, "--in", clip.path, "--out", self.at(folder), "--quiet")
        self.assertEqual(done.returncode, 0, done.stderr.decode(errors="replace"))
        name = os.path.basename(clip.path)
        playlist = f"{folder}/hls/{name}/{os.path.splitext(name)[0]}.m3u8"
        self.assertTrue(os.path.isfile(self.at(playlist)), playlist)
        self.checked(os.path.dirname(self.at(playlist)))
        return playlist

    def test_mediaconvert(self):
        work = []
        for name, clip in self.clips.items():
            with self.subTest(clip=name):
                settings = job_of_the_pipeline(os.path.basename(clip.path))
                playlist = self.transcoded(clip, "mc-" + name, settings)
                stream = Stream("mediaconvert " + name, clip, "", "", ["180x320" if clip.turned else "320x180"], 6.0, slack=0.005,
                                transport=True)
                work += [(stream, r) for r in stream.runs([(p, playlist) for p, _ in TS_PLAYERS], SCENARIOS)]
        clip = self.clips["sample"]
        settings = job_of_the_pipeline(os.path.basename(clip.path))
        group = settings["OutputGroups"][0]
        group["OutputGroupSettings"]["HlsGroupSettings"]["SegmentLength"] = 1
        group["Outputs"][0]["VideoDescription"]["CodecSettings"]["H264Settings"].update(GopSize=1, GopSizeUnits="SECONDS")
        small = copy.deepcopy(group["Outputs"][0])
        small["NameModifier"] = "_small"
        small["VideoDescription"].update(Width=160, Height=90)
        group["Outputs"].append(small)
        playlist = self.transcoded(clip, "mc-two", settings)
        stream = Stream("mediaconvert, two outputs", clip, "", "", ["160x90", "320x180"], 1.0, slack=0.005,
                                transport=True)
        work += [(stream, r) for r in stream.runs([(p, playlist) for p, _ in TS_PLAYERS], SCENARIOS)]
        self.played(work)

    def test_hevc_is_checked(self):
        self.checked(self.make("hdr hevc", "--codec", "hevc"))


if __name__ == "__main__":
    main()
