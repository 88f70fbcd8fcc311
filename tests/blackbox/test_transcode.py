# SPDX-License-Identifier: LGPL-2.1-or-later
"""Jobs in the shape of those that people send to MediaConvert (jobs/*.json), made by `spyhop transcode`: files have the
names that AWS gives them, decode to the frames they should have, and nothing is left of what failed."""
import copy
import glob
import json
import os
import shutil
import signal
import subprocess
import tempfile
import unittest

PROGRAM = os.environ["SPYHOP_PROGRAM"]
JOBS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "jobs")
RATE, SECONDS = 25, 4
FRAMES = RATE * SECONDS

CUES = """1
00:00:00,500 --> 00:00:01,500
Hello

2
00:00:02,200 --> 00:00:03,400
there
"""


def ffprobe(path, *words):
    out = subprocess.run(["ffprobe", "-v", "error", "-of", "json", *words, path], check=True, capture_output=True).stdout
    return json.loads(out)


def video_of(path):
    """Size, codec, decoded frames, rate."""
    stream = ffprobe(path, "-select_streams", "v:0", "-count_frames", "-show_entries",
                     "stream=width,height,codec_name,nb_read_frames,r_frame_rate")["streams"][0]
    return stream["width"], stream["height"], stream["codec_name"], int(stream["nb_read_frames"])


class Transcode(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="spyhop-transcode-")
        cues = os.path.join(cls.folder.name, "cues.srt")
        with open(cues, "w") as f:
            f.write(CUES)
        cls.clip = os.path.join(cls.folder.name, "clip.mp4")
        sines = []
        for pitch in (440, 880):
            sines += ["-f", "lavfi", "-i", "sine=frequency=%d:sample_rate=48000" % pitch]
        subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i",
                        "testsrc2=size=320x180:rate=%d" % RATE, *sines, "-i", cues, "-map", "0", "-map", "1", "-map", "2",
                        "-map", "3", "-t", str(SECONDS), "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p",
                        "-c:a", "aac", "-c:s", "mov_text", "-metadata:s:a:0", "language=eng", "-metadata:s:a:1",
                        "language=deu", "-metadata:s:s:0", "language=eng", cls.clip], check=True)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def setUp(self):
        self.out = tempfile.mkdtemp(dir=self.folder.name)

    def tearDown(self):
        shutil.rmtree(self.out)

    def run_job(self, job, *words, clip=None):
        """A file of jobs/ by its name, or a job."""
        path = os.path.join(JOBS, job + ".json") if isinstance(job, str) else os.path.join(self.out, "job.json")
        if not isinstance(job, str):
            with open(path, "w") as f:
                json.dump(job, f)
        done = subprocess.run([PROGRAM, "transcode", path, "--in", clip or self.clip, "--out",
                               os.path.join(self.out, "made"), "--json", *words], capture_output=True, timeout=120)
        done.lines = [json.loads(line) for line in done.stdout.splitlines()]
        return done

    def make(self, job):
        done = self.run_job(job)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.lines[-1]["type"], "result")
        return done.lines[-1]

    def made(self, folder):
        return sorted(os.listdir(os.path.join(self.out, "made", folder)))

    def path(self, *parts):
        return os.path.join(self.out, "made", *parts)

    def join(self, folder, stem):
        """One file of a track's initialisation segment and segments."""
        whole = os.path.join(self.out, stem + ".mp4")
        with open(whole, "wb") as f:
            for name in [stem + "init.cmfv"] + [n for n in self.made(folder) if n.startswith(stem + "_0")]:
                with open(self.path(folder, name), "rb") as part:
                    f.write(part.read())
        return whole

    def check(self, folder):
        """What is there passes the checker."""
        done = subprocess.run([PROGRAM, "check", self.path(folder)], capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def load(self, name):
        with open(os.path.join(JOBS, name + ".json")) as f:
            return json.load(f)

    # ---- what people send ----

    def test_every_job_is_here(self):
        tested = {name[len("test_"):] for name in dir(self) if name.startswith("test_")}
        jobs = {os.path.basename(path)[:-len(".json")] for path in glob.glob(os.path.join(JOBS, "*.json"))}
        self.assertEqual(len(jobs), 12)
        self.assertEqual(jobs - tested, set())

    def test_vod_three_groups(self):
        result = self.make("vod_three_groups")
        names = self.made("assets/hls")
        self.assertEqual([n for n in names if n.endswith(".m3u8")],
                         ["INPUT.m3u8", "INPUT_136.m3u8", "INPUT_180.m3u8", "INPUT_90.m3u8"])
        segments = [n for n in names if n.startswith("INPUT_180") and n.endswith(".ts")]
        self.assertEqual(len(segments), 2)
        for number, name in enumerate(segments):  # INPUT_180 + date and time + _00001.ts
            self.assertRegex(name, r"^INPUT_18020\d{6}T\d{6}_0000%d\.ts$" % (number + 1))
        with open(self.path("assets/hls/INPUT_180.m3u8")) as f:
            self.assertIn("#EXTINF:2,", f.read())
        self.check("assets/hls")
        self.assertEqual(self.made("assets/mp4"), ["INPUT.mp4"])
        self.assertEqual(video_of(self.path("assets/mp4/INPUT.mp4")), (320, 180, "h264", FRAMES))
        self.assertEqual(self.made("assets/thumbnails"), ["INPUT.0000000.jpg", "INPUT.0000001.jpg"])
        self.assertEqual([g["type"] for g in result["groups"]], ["HLS_GROUP", "FILE_GROUP", "FILE_GROUP"])
        self.assertEqual(result["outputs"][-1]["playlist"], "INPUT.0000001.jpg")

    def test_input_clipping(self):
        self.make("input_clipping")
        self.assertEqual(self.made("clips"), ["part.mp4"])
        self.assertEqual(video_of(self.path("clips/part.mp4"))[3], 50)  # 1:00 to 2:24, both in it

    def test_dash_video_audio(self):
        result = self.make("dash_video_audio")
        names = self.made("dash/INPUT")
        self.assertEqual(names, sorted(
            ["index.mpd", "index.check.json"] + ["index_%s%s" % (m, s) for m in ("audio", "low_300000", "video")
                             for s in ("init.mp4", "_000000001.mp4", "_000000002.mp4")]))
        self.assertEqual(video_of(self.path("dash/INPUT/index.mpd"))[3], FRAMES)
        self.check("dash/INPUT")
        self.assertEqual(result["groups"][0]["playlists"], ["index.mpd"])

    def test_cmaf_both_manifests(self):
        result = self.make("cmaf_both_manifests")
        names = self.made("cmaf")
        for name in ("INPUT.m3u8", "INPUT.mpd", "INPUT-320x180.m3u8", "INPUT-320x180init.cmfv", "INPUT-aacinit.cmfa",
                     "INPUT-320x180_000000001.cmfv", "INPUT-160x90-low_000000002.cmfv", "INPUT-aac_000000002.cmfa",
                     "INPUT-160x90-low_I-Frame.m3u8"):
            self.assertIn(name, names)
        self.check("cmaf")
        self.assertEqual(result["groups"][0]["playlists"], ["INPUT.mpd", "INPUT.m3u8"])
        self.assertEqual(video_of(self.path("cmaf/INPUT-320x180.m3u8")), (320, 180, "h264", FRAMES))
        with open(self.path("cmaf/INPUT.m3u8")) as f:
            master = f.read()
        self.assertIn('GROUP-ID="aac"', master)
        self.assertIn("#EXT-X-I-FRAME-STREAM-INF", master)

    def test_cmaf_hevc(self):
        self.make("cmaf_hevc")
        self.assertNotIn("main.mpd", self.made("hevc"))
        self.assertEqual(video_of(self.path("hevc/main_hevc.m3u8")), (320, 180, "hevc", FRAMES))
        with open(self.path("hevc/main.m3u8")) as f:
            self.assertIn('CODECS="hvc1.', f.read())
        self.check("hevc")

    def test_cmaf_av1(self):
        self.make("cmaf_av1")
        self.assertEqual([n for n in self.made("av1") if "." in n and n.endswith((".m3u8", ".mpd"))], ["INPUT.mpd"])
        self.assertEqual(video_of(self.join("av1", "INPUT_av1"))[2:], ("av1", FRAMES))
        self.check("av1")

    def test_automated_abr(self):
        result = self.make("automated_abr")
        sizes = [(o["width"], o["height"]) for o in result["outputs"] if "width" in o]
        self.assertEqual(sizes, [(320, 180), (160, 90)])
        self.assertIn("INPUT_v_1_000000001.cmfv", self.made("abr"))
        self.check("abr")

    def test_cmaf_languages_captions(self):
        self.make("cmaf_languages_captions")
        with open(self.path("languages/INPUT.m3u8")) as f:
            master = f.read()
        for word in ('LANGUAGE="en"', 'LANGUAGE="de"', 'NAME="Deutsch"', "TYPE=SUBTITLES", "INPUT_captions.m3u8"):
            self.assertIn(word, master)
        with open(self.path("languages/INPUT_captions.vtt")) as f:
            text = f.read()
        self.assertIn("00:00:00.500 --> 00:00:01.500\nHello", text)
        self.assertIn("INPUT_captions_000000001.vtt", self.made("languages"))
        self.check("languages")

    def test_hls_captions(self):
        """Captions beside transport streams, whose clock does not begin at zero."""
        def captions(s):
            s["Inputs"][0]["CaptionSelectors"] = {"C": {"SourceSettings": {
                "SourceType": "TT_3GPP", "TrackSourceSettings": {"TrackNumber": 1}}}}
            s["OutputGroups"][0]["Outputs"].append({
                "NameModifier": "_words", "ContainerSettings": {"Container": "M3U8"}, "CaptionDescriptions": [{
                    "CaptionSelectorName": "C", "DestinationSettings": {"DestinationType": "WEBVTT"}}]})
        done = self.run_job(self.changed("hls_audio_apart", captions))
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(self.path("apart/main_words_00001.vtt")) as f:
            self.assertIn("MPEGTS:900000\n", f.read())
        self.check("apart")

    def test_level_and_automatic_rates(self):
        def level(s):
            video = s["OutputGroups"][0]["Outputs"][0]["VideoDescription"]
            video.update({"Width": 1920, "Height": 1080})
            video["CodecSettings"]["H264Settings"]["CodecLevel"] = "LEVEL_1"

        def free(s):
            for group in s["OutputGroups"]:
                for output in group["Outputs"]:
                    output.get("VideoDescription", {"CodecSettings": {}})["CodecSettings"].get(
                        "H264Settings", {}).pop("MaxBitrate", None)
        self.expect(self.changed("hls_audio_apart", level), "level 1 has no room for 1920x1080", 1040)
        done = self.run_job(self.changed("automated_abr", free))
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_hls_solution_foundation(self):
        done = self.run_job("hls_solution_foundation")
        self.assertEqual(done.returncode, 0, done.stderr)
        warnings = "\n".join(line["message"] for line in done.lines if line["type"] == "warning")
        self.assertIn("HEV1: the sound is AAC-LC", warnings)
        low, high = ("foundation/INPUT_Ott_Hls_Ts_Avc_Aac_%s.m3u8" % s for s in ("160x90p_15Hz", "320x180p_30Hz"))
        for name, size, rate in ((low, (160, 90), 15), (high, (320, 180), 30)):
            found = video_of(self.path(name))
            self.assertEqual(found[:2], size)
            self.assertIn(found[3] - rate * SECONDS, (0, 1))  # the last picture has the slot after its time
        self.check("foundation")

    def test_mp4_scaling_rotate(self):
        self.make("mp4_scaling_rotate")
        sizes = {name: video_of(self.path("sizes", name))[:2] for name in self.made("sizes")}
        self.assertEqual(sizes, {"INPUT_fit.mp4": (136, 240), "INPUT_padded.mp4": (240, 240),
                                 "INPUT_fill.mp4": (240, 240), "INPUT_stretch.m4v": (240, 240)})

    def test_hls_audio_apart(self):
        self.make("hls_audio_apart")
        with open(self.path("apart/main.m3u8")) as f:
            master = f.read()
        self.assertIn('#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="sound"', master)
        self.assertIn('AUDIO="sound"', master)
        self.check("apart")

    def test_guide_hls_and_dash(self):
        self.make("guide_hls_and_dash")
        self.assertEqual(self.made("hls/clip.mp4"),
                         ["INPUT.check.json", "INPUT.m3u8", "INPUT_modifier_clip.mp4.m3u8", "INPUT_modifier_clip.mp4_00001.ts"])
        self.assertEqual(self.made("dash/clip.mp4"),
                         ["INPUT.check.json", "INPUT.mpd", "INPUT_1.mp4", "INPUT_a1.mp4", "INPUT_ainit.mp4", "INPUT_init.mp4"])
        self.check("hls/clip.mp4")
        self.check("dash/clip.mp4")

    # ---- what goes wrong ----

    def expect(self, job, words, code, clip=None):
        done = self.run_job(job, clip=clip)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertEqual(done.lines[-1]["type"], "error")
        self.assertIn(words, done.lines[-1]["message"])
        self.assertEqual(done.lines[-1]["code"], code, done.lines[-1])
        self.assertFalse(os.path.exists(self.path()), "something is left")

    def changed(self, name, change):
        job = copy.deepcopy(self.load(name))
        change(job["Settings"])
        return job

    def test_settings_and_input_that_do_not_go_together(self):
        def third_track(s):
            s["Inputs"][0]["AudioSelectors"]["Audio Selector 1"]["Tracks"] = [3]

        def french(s):
            s["Inputs"][0]["AudioSelectors"]["Audio Selector 2"]["LanguageCode"] = "FRA"

        def second_text(s):
            s["Inputs"][0]["CaptionSelectors"]["Captions Selector 1"]["SourceSettings"]["TrackSourceSettings"] = {
                "TrackNumber": 2}
        name = "cmaf_languages_captions"
        self.expect(self.changed(name, third_track), "no audio track 3", 1040)
        self.expect(self.changed(name, french), 'no audio in the language "fra"', 1040)
        self.expect(self.changed(name, second_text), "no text track 2", 1040)

    def test_names_that_collide(self):
        def same(s):
            for output, modifier in zip(s["OutputGroups"][0]["Outputs"], ("_$h$", "_180")):
                output["NameModifier"] = modifier
        self.expect(self.changed("cmaf_both_manifests", same), "two outputs have the file", 1040)

    def test_destinations_of_one_folder(self):
        """Keys of objects may be what names of folders are not."""
        def two(first, second):
            def change(s):
                s["OutputGroups"] = [copy.deepcopy(s["OutputGroups"][0]) for _ in range(2)]
                for group, name in zip(s["OutputGroups"], (first, second)):
                    group["OutputGroupSettings"]["FileGroupSettings"]["Destination"] = name
            return self.changed("input_clipping", change)
        self.expect(two("s3://films/a/", "s3://films/a//"), "the same folder", 1040)
        self.expect(two("s3://films/a/", "s3://other/a/"), "the same folder", 1040)
        self.expect(two("s3://films/a/", "s3://films/../../b/"), "no folder below --out", 1040)

    def test_no_video(self):
        path = os.path.join(self.out, "words.mp4")
        with open(path, "w") as f:
            f.write("no video at all\n" * 1000)
        self.expect("cmaf_hevc", "words.mp4", 1010, clip=path)
        self.expect("cmaf_hevc", "nothing.mp4", 1010, clip=os.path.join(self.out, "nothing.mp4"))

    def test_no_sound(self):
        path = os.path.join(self.out, "silent.mp4")
        subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-i", self.clip, "-map", "0:v", "-c", "copy", path], check=True)
        done = self.run_job("hls_solution_foundation", clip=path)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(any("no audio" in line.get("message", "") for line in done.lines))
        self.check("foundation")
        shutil.rmtree(self.path())
        self.expect("cmaf_hevc", "the input has no audio", 1040, clip=path)

    def test_wrong_settings_are_told_by_path(self):
        job = self.load("cmaf_hevc")
        job["Settings"]["OutputGroups"][0]["Outputs"][0]["VideoDescription"]["Wdth"] = 320
        self.expect(job, "/OutputGroups/0/Outputs/0/VideoDescription/Wdth: unknown property", 1040)

    def test_local_names(self):
        job = self.load("input_clipping")["Settings"]
        job["OutputGroups"][0]["OutputGroupSettings"]["FileGroupSettings"]["Destination"] = self.path("here", "")
        job["Inputs"][0]["FileInput"] = "file://" + self.clip
        path = os.path.join(self.out, "job.json")
        with open(path, "w") as f:
            json.dump(job, f)
        done = subprocess.run([PROGRAM, "transcode", path, "--quiet"], capture_output=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.made("here"), ["clip.mp4"])

    def test_stopped(self):
        """SIGTERM in the middle: nothing is left, and what was there before is untouched."""
        long = os.path.join(self.out, "long.mp4")
        subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=640x360:rate=25", "-t",
                        "60", "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", long], check=True)
        os.makedirs(self.path("foundation"))
        with open(self.path("foundation", "old.m3u8"), "w") as f:
            f.write("old")
        worker = subprocess.Popen([PROGRAM, "transcode", os.path.join(JOBS, "hls_solution_foundation.json"), "--in", long,
                                   "--out", self.path(), "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for line in worker.stdout:  # until frames are made
            if b"TRANSCODING" in line:
                break
        worker.send_signal(signal.SIGTERM)
        worker.communicate(timeout=60)
        self.assertEqual(worker.returncode, 130)
        self.assertEqual(self.made("foundation"), ["old.m3u8"])

    def test_full_disk(self):
        """A disk that fills at different stages: an error each time, and nothing is left."""
        mount = os.path.join(self.out, "small")
        os.mkdir(mount)
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "none", mount], capture_output=True).returncode:
            self.skipTest("no right to mount a small file system")
        try:
            for free in (8, 60, 150):
                filler = os.path.join(mount, "filler")
                with open(filler, "wb") as f:
                    f.write(b"\0" * ((200 - free) * 1024 - 8192))
                done = subprocess.run([PROGRAM, "transcode", os.path.join(JOBS, "vod_three_groups.json"), "--in", self.clip,
                                       "--out", os.path.join(mount, "made"), "--json"], capture_output=True, timeout=120)
                self.assertEqual(done.returncode, 1, done.stdout)
                self.assertIn(b"space", done.stderr)
                self.assertEqual(os.listdir(mount), ["filler"])
        finally:
            subprocess.run(["umount", mount], check=True)


if __name__ == "__main__":
    unittest.main()
