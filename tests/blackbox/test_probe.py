# SPDX-License-Identifier: LGPL-2.1-or-later
"""spyhop probe as its users meet it: small generated files whose truth is known, and what it says of them."""
import json
import os
import subprocess
import tempfile
import unittest

PROGRAM = os.environ.get("SPYHOP_PROGRAM", "build/spyhop")
X264 = ["-c:v", "libx264", "-preset", "ultrafast"]


def ffmpeg(*words):
    subprocess.run(["ffmpeg", "-v", "error", "-y", *words], check=True, timeout=120)


def run(*words):
    return subprocess.run([PROGRAM, "probe", *words], capture_output=True, text=True, timeout=120)


class Probe(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def make(self, name, *words, source="testsrc2=size=192x144:rate=25", seconds="2"):
        ffmpeg("-f", "lavfi", "-i", source, "-t", seconds, *words, self.path(name))
        return self.path(name)

    def probe(self, path, *words):
        done = run("--json", "--no-estimate", *words, path)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def note(self, report, topic):
        return next((n for n in report["plan"]["notes"] if n["topic"] == topic), None)

    # ---- interlace ----

    def test_interlace(self):
        """Measured, whatever the flags say."""
        for name, field, flag in (("t", "tff", "tff"), ("b", "bff", "bff"), ("lie", "tff", "prog"), ("lie2", "bff", "tff")):
            made = self.make(name + ".mkv", "-vf", f"interlace=scan={field}:lowpass=off,setfield={flag}", "-c:v", "ffv1",
                             source="testsrc2=size=320x240:rate=50")
            report = self.probe(made)
            self.assertEqual(report["scan"]["measured"], field, name)
            self.assertTrue(report["scan"]["interlaced"])
            self.assertEqual(report["plan"]["deinterlace"], "frame")
            self.assertEqual(report["plan"]["top_field_first"], field == "tff")

    def test_false_flag(self):
        made = self.make("false.mp4", "-vf", "setfield=tff", *X264, "-x264opts", "tff=1:fake-interlaced=1")
        report = self.probe(made)
        self.assertGreater(report["scan"]["frames_flagged"], 40)
        self.assertEqual(report["scan"]["measured"], "progressive")
        self.assertEqual(report["plan"]["deinterlace"], "off")
        self.assertIn("flagged interlaced", self.note(report, "interlace")["why"])
        self.assertEqual(self.probe(made, "--deinterlace", "field")["plan"]["rate"], "50/1")

    def test_telecine(self):
        made = self.make("film.mkv", "-vf", "telecine=pattern=23", *X264, "-crf", "20",
                         source="testsrc2=size=192x144:rate=24000/1001", seconds="3")
        report = self.probe(made)
        self.assertTrue(report["scan"]["telecine"])
        self.assertIn("--telecine", self.note(report, "telecine")["why"])
        report = self.probe(made, "--telecine")
        self.assertEqual(report["plan"]["rate"], "24000/1001")
        self.assertTrue(report["plan"]["telecine"])

    # ---- time ----

    def test_rate(self):
        report = self.probe(self.make("ntsc.mkv", *X264, source="testsrc2=size=192x144:rate=30000/1001"))
        self.assertEqual(report["video"]["rate"], "30000/1001")  # through Matroska's milliseconds
        self.assertFalse(report["video"]["vfr"])

    def test_vfr(self):
        made = self.make("vfr.mkv", "-vf", "select='lt(mod(n,7),4)'", "-vsync", "vfr", *X264, seconds="3")
        report = self.probe(made)
        self.assertTrue(report["video"]["vfr"])
        self.assertAlmostEqual(report["video"]["step_min"], 0.04, places=3)
        self.assertAlmostEqual(report["video"]["step_max"], 0.16, places=3)
        self.assertTrue(report["plan"]["vfr"])

    def test_start_and_count(self):
        made = self.make("start.ts", *X264, "-output_ts_offset", "5")
        report = self.probe(made)
        self.assertAlmostEqual(report["file"]["start"], 5, delta=2)
        made = self.make("count.mp4", *X264)
        report = self.probe(made)
        self.assertEqual((report["file"]["frames"], report["file"]["frames_by"]), (50, "index"))

    def test_duplicates(self):
        report = self.probe(self.make("twice.mp4", "-vf", "fps=25", *X264, "-qp", "0",
                                      source="testsrc2=size=192x144:rate=12.5"))
        share = report["sample"]["duplicates"] / report["sample"]["duplicates_of"]
        self.assertAlmostEqual(share, 0.5, delta=0.06)

    # ---- picture ----

    def test_shape_and_colour(self):
        report = self.probe(self.make("pal.ts", "-vf", "setsar=64/45", "-c:v", "mpeg2video",
                                      source="testsrc2=size=720x576:rate=25", seconds="0.6"))
        self.assertEqual((report["video"]["sar"], report["video"]["dar"]), ("64:45", "16:9"))
        self.assertEqual(report["plan"]["sar"], "64:45")
        self.assertIn("625", report["colour"]["assumed"])
        self.assertEqual(report["plan"]["colour"]["matrix"], "bt470bg")
        self.assertIsNone(report["colour"]["tagged"]["matrix"])
        report = self.probe(self.make("told.mp4", *X264, "-colorspace", "bt709", "-color_primaries", "bt709",
                                      "-color_trc", "bt709", "-color_range", "pc"))
        self.assertIsNone(report["colour"]["assumed"])
        self.assertEqual(report["plan"]["colour"]["range"], "full")

    def test_hdr(self):
        made = self.make("hdr.mp4", "-pix_fmt", "yuv420p10le", "-c:v", "libx265", "-preset", "ultrafast", "-x265-params",
                         "log-level=none:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:max-cll=900,300",
                         seconds="0.4")
        report = self.probe(made)
        self.assertEqual(report["hdr"]["kind"], "hdr10")
        self.assertEqual(report["hdr"]["light_level"], {"max_cll": 900, "max_fall": 300})
        self.assertEqual((report["plan"]["encoder"], report["plan"]["bits"]), ("libx265", 10))

    def test_rotation(self):
        plain = self.make("plain.mp4", *X264, seconds="0.4")
        ffmpeg("-i", plain, "-c", "copy", "-metadata:s:v", "rotate=90", self.path("turned.mp4"))
        report = self.probe(self.path("turned.mp4"))
        self.assertEqual(report["video"]["rotation"] % 180, 90)
        self.assertTrue(report["plan"]["keep_rotation"])
        done = run("--json", "--no-estimate", self.path("turned.mp4"), "out.mkv")
        plan = json.loads(done.stdout)["plan"]
        self.assertFalse(plan["keep_rotation"])
        self.assertEqual((plan["width"], plan["height"]), (288, 384))

    def test_enlarged_before(self):
        source = "mandelbrot=size={}:rate=5:start_scale=0.5:end_scale=0.05:end_pts=30"
        sharp = self.probe(self.make("sharp.mkv", "-c:v", "ffv1", source=source.format("480x384"), seconds="1"))
        soft = self.probe(self.make("soft.mkv", "-vf", "scale=480:384:flags=bicubic", "-c:v", "ffv1",
                                    source=source.format("240x192"), seconds="1"))
        self.assertFalse(sharp["sample"]["enlarged_before"])
        self.assertTrue(soft["sample"]["enlarged_before"])
        self.assertIsNotNone(self.note(soft, "advice"))
        self.assertIsNone(self.note(sharp, "advice"))

    # ---- tracks, options, failures ----

    def test_tracks(self):
        with open(self.path("text.srt"), "w", encoding="ascii") as out:
            out.write("1\n00:00:00,100 --> 00:00:00,900\nword\n")
        ffmpeg("-f", "lavfi", "-i", "testsrc2=size=192x144:rate=25", "-f", "lavfi", "-i", "sine", "-i",
               self.path("text.srt"), "-t", "1", *X264, "-c:a", "aac", "-c:s", "srt", "-metadata:s:a:0", "language=kor",
               "-disposition:s:0", "forced", self.path("tracks.mkv"))
        report = self.probe(self.path("tracks.mkv"))
        audio, text = report["tracks"][1:]
        self.assertEqual((audio["type"], audio["codec"], audio["language"]), ("audio", "aac", "kor"))
        self.assertIn("forced", text["dispositions"])
        self.assertEqual(report["track_count"], 3)
        self.assertEqual(report["plan"]["losses"], [])

    def test_size_options(self):
        made = self.make("small.mp4", *X264, seconds="0.4")
        self.assertEqual(self.probe(made)["plan"]["width"], 384)
        plan = self.probe(made, "--to", "320x240")["plan"]
        self.assertEqual((plan["width"], plan["height"]), (320, 240))
        report = self.probe(made, "--to", "1080p")
        self.assertIsNone(report["plan"])
        self.assertIn("larger scale", report["refused"])

    def test_words_and_estimate(self):
        made = self.make("words.mp4", *X264, seconds="0.4")
        done = run(made)
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = done.stdout.splitlines()
        self.assertLessEqual(len(lines), 30)
        for label in ("file", "video", "rate", "scan", "colour", "plan", "size", "encoder", "estimate"):
            self.assertTrue(any(line.startswith(label) for line in lines), label)
        estimate = json.loads(run("--json", made).stdout)["estimate"]
        self.assertEqual(estimate["frames"], 10)
        self.assertGreater(estimate["bytes"], 500)
        self.assertGreater(estimate["seconds"], 0)

    def test_same_every_time(self):
        made = self.make("again.ts", *X264, "-g", "25", seconds="6")
        self.assertEqual(self.probe(made), self.probe(made, "--threads", "2"))

    def test_damage(self):
        made = self.make("whole.mp4", *X264, "-movflags", "faststart")
        with open(made, "rb") as whole, open(self.path("cut.mp4"), "wb") as cut:
            data = whole.read()
            cut.write(data[:len(data) * 2 // 3])
        report = self.probe(self.path("cut.mp4"))
        self.assertGreater(report["sample"]["damages"], 0)
        self.assertIn("cut short", report["sample"]["damage"])
        self.assertIn("--accept-damage", self.note(report, "damage")["what"])
        self.assertEqual(self.probe(made)["sample"]["damages"], 0)

    def test_terminal(self):
        """What a file calls itself steers no terminal."""
        ffmpeg("-f", "lavfi", "-i", "testsrc2=size=192x144:rate=25", "-f", "lavfi", "-i", "sine", "-t", "0.2", *X264, "-c:a",
               "aac", "-metadata:s:a", "title=a\x1b[31mb", self.path("title.mkv"))
        done = run("--no-estimate", self.path("title.mkv"))
        self.assertIn("a?[31mb", done.stdout)
        self.assertNotIn("\x1b", done.stdout)

    def test_failures(self):
        with open(self.path("noise.mp4"), "wb") as out:
            out.write(b"no video at all" * 100)
        for words, code, said in ((["missing.mp4"], 1, "missing.mp4"), ([self.path("noise.mp4")], 1, "not a video"),
                                  ([self.folder.name], 1, "no file"), ([], 2, "usage"), (["-"], 2, "file"),
                                  (["--nonsense", "x"], 2, ""), (["a", "b", "c"], 2, "usage")):
            done = run(*words)
            self.assertEqual(done.returncode, code, words)
            self.assertIn(said, done.stderr)
            self.assertEqual(done.stdout, "")


if __name__ == "__main__":
    unittest.main()
