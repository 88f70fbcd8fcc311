# SPDX-License-Identifier: LGPL-2.1-or-later
"""`spyhop stream` as its users meet it, over small clips made with ffmpeg: what is in the folder afterwards, read by
ffprobe, by the checker, and by its own manifests; what a crash, a full disk and a bad file leave."""
import json
import os
import re
import shutil
import signal
import subprocess
import unittest
import xml.etree.ElementTree as ElementTree

from clips import MODEL, PROGRAM, QUIET, Clips, children, content, ffmpeg, probe, run

DASH = "{urn:mpeg:dash:schema:mpd:2011}"
HIDDEN = re.compile(r"^\.spyhop-[0-9a-f]{16}$")


def attributes(line):
    return {k: v.strip('"') for k, v in re.findall(r'([A-Z0-9-]+)=("[^"]*"|[^,]*)', line.split(":", 1)[1])}


class Playlist:
    """A media playlist, in order."""
    def __init__(self, path):
        self.folder, self.lines = os.path.dirname(path), content(path).splitlines()
        self.segments, self.durations, self.keys = [], [], {}
        for line in self.lines:
            if line.startswith("#EXTINF:"):
                self.durations.append(float(line[8:].split(",")[0]))
            elif line and not line.startswith("#"):
                self.segments.append(os.path.join(self.folder, line))
            elif ":" in line:
                self.keys[line.split(":", 1)[0]] = line.split(":", 1)[1]
            else:
                self.keys[line] = ""
        self.init = re.search(r'URI="([^"]*)"', self.keys.get("#EXT-X-MAP", 'URI=""')).group(1)


class Stream:
    """What a player finds in the folder."""
    def __init__(self, folder):
        self.folder = folder
        lines = content(os.path.join(folder, "index.m3u8")).splitlines()
        self.variants = [(attributes(a), b) for a, b in zip(lines, lines[1:]) if a.startswith("#EXT-X-STREAM-INF:")]
        self.variants.sort(key=lambda v: v[1])  # v0, v1, ...: the largest first
        self.media = [attributes(line) for line in lines if line.startswith("#EXT-X-MEDIA:")]
        self.report = json.loads(content(os.path.join(folder, "stream.json")))
        self.mpd = ElementTree.fromstring(content(os.path.join(folder, "index.mpd")))

    def playlist(self, uri):
        return Playlist(os.path.join(self.folder, uri))

    def videos(self):
        return [self.playlist(uri) for _, uri in self.variants]

    def audios(self):
        return [self.playlist(m["URI"]) for m in self.media if m["TYPE"] == "AUDIO"]

    def files(self):
        found = {}
        for at, _, names in os.walk(self.folder):
            for name in names:
                path = os.path.join(at, name)
                found[os.path.relpath(path, self.folder)] = content(path, "rb")
        return found


def whole(playlist, path):
    """Init and segments in one file, as a player appends them."""
    with open(path, "wb") as out:
        for name in [os.path.join(playlist.folder, playlist.init)] + playlist.segments:
            out.write(content(name, "rb"))
    return path


class Streams(Clips):
    def command(self, source, target, *options):
        return [PROGRAM, "stream", "--model", MODEL, "--threads", "2", "--segment", "1", *options, "--", source, target]

    def make(self, source, target, *options, **arguments):
        return run(*self.command(source, target, *options), **arguments)

    def succeed(self, source, target, *options):
        done = self.make(source, target, "--json", *options)
        self.assertEqual(done.returncode, 0, done.stderr.decode(errors="replace") + done.stdout.decode()[-2000:])
        return json.loads(done.stdout.splitlines()[-1])

    def stream(self, name, source, *options):
        """Makes it, and looks at what holds for all."""
        target = self.at(name)
        result = self.succeed(source, target, *options)
        made = Stream(target)
        self.assertEqual(sorted(os.listdir(target)), sorted(["index.m3u8", "index.mpd", "stream.json", result["version"]]))
        self.assertEqual(made.report["version"], result["version"])
        self.assertEqual(made.report["check"]["errors"], 0)
        self.assertEqual(made.report["ledger"]["frames_out"], result["frames_out"])
        self.check(target)
        self.look_at_segments(made, result["frames_out"])
        return made, result

    def check(self, target):
        done = run(PROGRAM, "check", target, "--decode", "--plan", os.path.join(target, "stream.json"))
        self.assertEqual(done.returncode, 0, done.stdout.decode() + done.stderr.decode())

    def look_at_segments(self, made, frames):
        cuts = None
        for number, playlist in enumerate(made.videos()):
            self.assertIn("#EXT-X-ENDLIST", playlist.keys)
            self.assertEqual(playlist.keys["#EXT-X-PLAYLIST-TYPE"], "VOD")
            cuts = cuts or playlist.durations
            self.assertEqual(playlist.durations, cuts, "the same borders in all sizes")
            data = probe(whole(playlist, self.at("whole.mp4")), "-count_frames", "-show_streams", "-show_packets")
            self.assertEqual(int(data["streams"][0]["nb_read_frames"]), frames)
            shown = made.variants[number][0]["RESOLUTION"]
            self.assertEqual(f'{data["streams"][0]["width"]}x{data["streams"][0]["height"]}', shown)
            # libavformat shifts what has signed composition offsets, as a whole
            first = min(float(p["pts_time"]) for p in data["packets"])
            keys = [float(p["pts_time"]) - first for p in data["packets"] if p["flags"].startswith("K")]
            starts = [sum(cuts[:i]) for i in range(len(cuts))]
            for start in starts:
                self.assertTrue(any(abs(start - key) < 2e-3 for key in keys), f"no key picture at {start}")
        named = {m.get("initialization") for m in made.mpd.iter(DASH + "SegmentTemplate")} - {None}  # of thumbnails
        told = {os.path.join(os.path.dirname(uri), p.init)
                for uri, p in [(u, made.playlist(u)) for _, u in made.variants] +
                [(m["URI"], made.playlist(m["URI"])) for m in made.media if m["TYPE"] == "AUDIO"]}
        self.assertEqual(named, told, "HLS and DASH name the same files")

    def refuse(self, source, target, *words, options=(), code=1):
        before = sorted(os.listdir(os.path.dirname(target)))
        done = self.make(source, target, *options)
        text = done.stderr.decode(errors="replace")
        self.assertEqual(done.returncode, code, text)
        for word in words:
            self.assertIn(word, text)
        self.assertEqual(before, sorted(os.listdir(os.path.dirname(target))))
        return text


class Kinds(Streams):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.film = cls.at("film.mp4")
        ffmpeg("-f", "lavfi", "-i", "testsrc2=s=180x120:r=25:d=3.2", "-f", "lavfi", "-i", "sine=f=440:r=44100:d=3.2", "-c:v",
               "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac", "-ac", "2", "-metadata:s:a", "language=eng", cls.film)

    def test_a_film(self):
        made, result = self.stream("film", self.film)
        self.assertEqual((result["frames_in"], result["frames_out"]), (80, 80))
        self.assertEqual((result["out_width"], result["out_height"]), (360, 240))
        self.assertEqual([v["RESOLUTION"] for v, _ in made.variants], ["360x240"])
        self.assertEqual(made.variants[0][0]["VIDEO-RANGE"], "SDR")
        self.assertEqual(made.variants[0][0]["FRAME-RATE"], "25.000")
        self.assertEqual(made.videos()[0].durations, [1.0, 1.0, 1.2], "what is shorter than a second joins")
        sound = whole(made.audios()[0], self.at("sound.mp4"))
        length = float(probe(sound, "-show_format")["format"]["duration"])
        self.assertAlmostEqual(length, 3.2, delta=0.05)
        self.assertEqual([m["LANGUAGE"] for m in made.media], ["en"])
        self.assertTrue(os.path.exists(os.path.join(made.folder, result["version"], "thumbs", "sprite_001.jpg")))
        notes = [n["what"] for n in made.report["decisions"]["notes"] if n["topic"] == "ladder"]
        self.assertTrue(any("360x240, H.264" in n for n in notes), notes)

    def test_a_ladder(self):
        source = self.at("wide.mp4")
        ffmpeg("-f", "lavfi", "-i", "testsrc2=s=480x270:r=24000/1001:d=2.1", "-c:v", "libx264", "-pix_fmt", "yuv420p", source)
        made, result = self.stream("ladder", source)
        self.assertEqual([v["RESOLUTION"] for v, _ in made.variants], ["960x540", "640x360", "426x240"])
        self.assertEqual({v["FRAME-RATE"] for v, _ in made.variants}, {"23.976"})
        rates = [int(v["BANDWIDTH"]) for v, _ in made.variants]
        self.assertEqual(rates, sorted(rates, reverse=True))
        self.assertEqual(made.media, [], "no sound in it")
        few, _ = self.stream("few", source, "--steps", "2", "--no-thumbnails")
        self.assertEqual(len(few.variants), 2)
        self.assertFalse(os.path.exists(os.path.join(few.folder, few.report["version"], "thumbs")))

    def test_codecs(self):
        for codec, name in (("hevc", "hvc1"), ("av1", "av01")):
            made, result = self.stream(codec, self.film, "--codec", codec, "--duration", "2.2", "--preset",
                                       "ultrafast" if codec == "hevc" else "11")
            self.assertTrue(made.variants[0][0]["CODECS"].startswith(name), made.variants)
            self.assertEqual(result["frames_out"], 55)

    def hdr(self):
        source = self.at("hdr.mp4")
        ffmpeg("-f", "lavfi", "-i", "testsrc2=s=160x128:r=25:d=1.4", "-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt",
               "yuv420p10le", "-color_primaries", "bt2020", "-color_trc", "smpte2084", "-colorspace", "bt2020nc",
               "-x265-params", "log-level=error:hdr10=1:repeat-headers=1:master-display=G(13250,34500)B(7500,3000)"
               "R(34000,16000)WP(15635,16450)L(10000000,50):max-cll=1000,400", "-tag:v", "hvc1", source)
        return source

    def test_hdr(self):
        source = self.hdr()
        made, _ = self.stream("hdr", source, "--preset", "ultrafast")
        self.assertEqual({v["VIDEO-RANGE"] for v, _ in made.variants}, {"PQ"})
        self.assertTrue(made.variants[0][0]["CODECS"].startswith("hvc1.2."))
        made, _ = self.stream("both", source, "--sdr", "--preset", "ultrafast")
        self.assertEqual([v["VIDEO-RANGE"] for v, _ in made.variants], ["PQ", "SDR"])
        self.assertTrue(made.variants[1][0]["CODECS"].startswith("avc1."))
        made, _ = self.stream("toned", source, "--codec", "h264")
        self.assertEqual([v["VIDEO-RANGE"] for v, _ in made.variants], ["SDR"])
        made, _ = self.stream("hdr-av1", source, "--codec", "av1", "--preset", "11")
        self.assertEqual({v["VIDEO-RANGE"] for v, _ in made.variants}, {"PQ"})

    def test_rotated(self):
        source = self.at("rotated.mp4")
        ffmpeg("-i", self.film, "-c", "copy", "-metadata:s:v", "rotate=90", source)
        made, _ = self.stream("rotated", source)
        self.assertEqual([v["RESOLUTION"] for v, _ in made.variants], ["240x360"])

    def test_varying_rate(self):
        source = self.at("vfr.mp4")
        ffmpeg("-f", "lavfi", "-i", "testsrc2=s=128x96:r=30:d=4", "-vf", "select='not(mod(n,3))+gt(n,40)*lt(n,90)'",
               "-vsync", "passthrough", "-c:v", "libx264", "-video_track_timescale", "90000", source)
        frames = int(probe(source, "-count_frames", "-show_streams")["streams"][0]["nb_read_frames"])
        made, result = self.stream("vfr", source)
        self.assertEqual(result["frames_out"], frames)
        old = [float(f["pts_time"]) for f in probe(source, "-show_frames", "-select_streams", "v")["frames"]]
        path = whole(made.videos()[0], self.at("vfr-whole.mp4"))
        new = [float(f["pts_time"]) for f in probe(path, "-show_frames", "-select_streams", "v")["frames"]]
        for a, b in zip(old, new):
            self.assertAlmostEqual(a - old[0], b - new[0], delta=0.0006)

    def test_many_pictures_a_second(self):
        source = self.at("fast.mp4")
        ffmpeg("-f", "lavfi", "-i", "testsrc2=s=128x96:r=120:d=1.5", "-c:v", "libx264", "-pix_fmt", "yuv420p", source)
        target = self.at("fast")
        self.succeed(source, target)
        made = Stream(target)
        self.assertEqual(made.variants[0][0]["FRAME-RATE"], "60.000")
        self.assertAlmostEqual(made.report["plan"]["frames"], 90, delta=1)
        self.check(target)

    def test_sound_before_the_picture(self):
        source = self.at("early.mkv")
        ffmpeg("-itsoffset", "0.05", "-i", self.film, "-i", self.film, "-map", "0:v", "-map", "1:a", "-c:v", "copy", "-c:a",
               "libmp3lame", "-ar", "22050", "-ac", "1", source)
        made, _ = self.stream("early", source)
        self.assertEqual(made.report["plan"]["audio"][0]["sample_rate"], 22050)
        sets = {s.get("contentType"): s for s in made.mpd.iter(DASH + "AdaptationSet")}
        first = next(sets["video"].iter(DASH + "S"))
        base = int(next(sets["video"].iter(DASH + "SegmentTemplate")).get("timescale"))
        self.assertGreater(int(first.get("t")) / base, 0.02)

    def test_wide_pixels(self):
        source = self.at("sar.mp4")
        ffmpeg("-f", "lavfi", "-i", "testsrc2=s=96x80:r=25:d=1.2", "-vf", "setsar=4/3", "-c:v", "libx264", "-pix_fmt", "yuv420p",
               source)
        made, _ = self.stream("sar", source)
        self.assertEqual([v["RESOLUTION"] for v, _ in made.variants], ["256x160"])

    def test_no_network(self):
        made, result = self.stream("plain", self.film, "--model", "none", "--no-audio")
        self.assertEqual([v["RESOLUTION"] for v, _ in made.variants], ["180x120"])
        self.assertEqual(made.media, [])

    def test_words_and_several_sounds(self):
        words, source = self.at("words.srt"), self.at("words.mkv")
        with open(words, "w") as file:
            file.write("1\n00:00:00,500 --> 00:00:01,500\nHello <i>there</i>\n\n2\n00:00:02,000 --> 00:00:02,500\n& more\n")
        ffmpeg("-i", self.film, "-i", words, "-map", "0:v", "-map", "0:a", "-map", "0:a", "-map", "1", "-c", "copy", "-c:s", "srt",
               "-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=kor", "-metadata:s:a:1", "title=Dubbed",
               "-metadata:s:s:0", "language=fre", source)
        made, _ = self.stream("words", source)
        self.assertEqual([(m["TYPE"], m["LANGUAGE"]) for m in made.media], [("AUDIO", "en"), ("AUDIO", "ko"), ("SUBTITLES", "fr")])
        self.assertEqual(made.media[1]["NAME"], "Dubbed")
        text = made.playlist(made.media[2]["URI"])
        shown = "".join(content(s) for s in text.segments)
        self.assertEqual(shown.count("Hello <i>there</i>"), 2, "a cue stands in each segment that it touches")
        self.assertIn("&amp; more", shown)
        self.assertEqual(content(os.path.join(text.folder, "all.vtt")).count("-->"), 2)


class Again(Streams):
    def test_the_same_again_and_another(self):
        target = self.at("again")
        first = self.succeed(self.clip, target)
        before = Stream(target).files()
        second = self.succeed(self.clip, target)
        self.assertTrue(second["already"])
        self.assertEqual(sorted(os.listdir(target)), sorted(["index.m3u8", "index.mpd", "stream.json", first["version"]]))
        self.assertEqual(Stream(target).files(), before)
        third = self.succeed(self.clip, target, "--crf", "30")
        self.assertNotEqual(third["version"], first["version"])
        self.assertEqual(sorted(n for n in os.listdir(target) if not n.startswith("index") and n != "stream.json"),
                         [third["version"]])
        self.check(target)

    def test_one_maker_at_a_time(self):
        source, target = self.at("slow.mkv"), self.at("busy")
        ffmpeg("-f", "lavfi", "-i", "testsrc2=s=320x240:r=25:d=30", "-c:v", "mjpeg", "-q:v", "20", source)
        first = subprocess.Popen(self.command(source, target, "--json"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=QUIET)
        self.assertIn(b"progress", first.stdout.readline())
        done = self.make(source, target)
        self.assertEqual(done.returncode, 1)
        self.assertTrue(done.stderr)
        first.kill()
        first.communicate()

    def test_foreign_files_stay(self):
        target = self.at("foreign")
        os.mkdir(target)
        with open(os.path.join(target, "notes.txt"), "w") as file:
            file.write("mine")
        self.succeed(self.clip, target)
        self.assertEqual(content(os.path.join(target, "notes.txt")), "mine")


class Broken(Streams):
    def test_bad_input(self):
        text = self.at("text.mp4")
        with open(text, "w") as file:
            file.write("no film\n" * 100)
        sound = self.at("sound.m4a")
        ffmpeg("-i", self.clip, "-vn", "-c", "copy", sound)
        self.refuse(self.at("none.mp4"), self.at("no1"), "none.mp4", "No such file")
        self.refuse(text, self.at("no2"), "text.mp4")
        self.refuse(sound, self.at("no3"), "sound.m4a")
        self.refuse(self.folder.name, self.at("no4"), "no file")
        cut = self.at("cut.mp4")
        with open(cut, "wb") as file:
            file.write(content(self.clip, "rb")[:9000])
        self.refuse(cut, self.at("no5"))

    def test_usage(self):
        for options in (["--codec", "mpeg2"], ["--segment", "0"], ["--segment", "x"], ["--gop", "5"], ["--steps", "0"],
                        ["--nonsense"], ["--crf", "99"], ["--encoder", "libx264"], ["--deinterlace", "maybe"]):
            done = self.make(self.clip, self.at("usage"), *options)
            self.assertEqual(done.returncode, 2, options)
            self.assertTrue(done.stderr, options)
            self.assertFalse(os.path.exists(self.at("usage")))
        self.assertEqual(run(PROGRAM, "stream", self.clip).returncode, 2)
        self.assertIn(b"--live-preview", run(PROGRAM, "stream", "--help").stdout)

    def test_what_encoders_refuse(self):
        self.refuse(self.clip, self.at("no6"), "fastest", options=("--preset", "fastest"))
        self.refuse(self.clip, self.at("no7"), "whole", options=("--codec", "av1", "--crf", "20.5"))

    def test_full_disk(self):
        disk = self.at("disk")
        os.mkdir(disk)
        if run("mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", disk).returncode:
            self.skipTest("cannot mount")
        try:
            target = os.path.join(disk, "out")
            self.succeed(self.clip, target)
            before = Stream(target).files()
            for room in range(0, 200, 20):  # at several stages of the next stream
                with open(os.path.join(disk, "ballast"), "wb") as file:
                    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
                    file.write(bytes(max(0, free - room * 1024)))
                done = self.make(self.clip, target, "--crf", "5")
                if done.returncode == 0:
                    break
                self.assertEqual(done.returncode, 1, done.stderr)
                self.assertIn(b"No space left", done.stderr)
                left = {k: v for k, v in Stream(target).files().items() if not k.startswith(".spyhop-")}
                self.assertEqual(left, before, f"the old stream stands with {room} kB free")
                os.remove(os.path.join(disk, "ballast"))
            else:
                self.fail("there was never enough room")
            self.check(target)
        finally:
            run("umount", disk)


class Stopped(Streams):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.long = cls.at("long.mp4")
        # stands still from 2.36 to 4.6 s, with grain at first, and is black to 5.8 s: over borders of segments both
        like = "s=320x240:r=25"
        ffmpeg("-filter_complex", f"testsrc2={like}:d=2.4,tpad=stop_mode=clone:stop_duration=2.2[a];color=black:{like}:d=1.2,format=yuv420p[b];"
               f"testsrc2={like}:d=2.2[c];[a][b][c]concat=n=3,noise=alls=6:allf=t:enable='lt(t,3.4)'",
               "-f", "lavfi", "-i", "sine=f=300:r=48000:d=8", "-c:v", "libx264",
               "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac", cls.long)
        cls.reference = cls.at("undisturbed")
        done = run(*cls.command(cls, cls.long, cls.reference))
        if done.returncode:
            raise AssertionError(done.stderr.decode())

    def start(self, target, *options):
        return subprocess.Popen(self.command(self.long, target, "--json", *options), stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, env=QUIET,
                                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))

    def until(self, child, segments):
        for line in child.stdout:
            told = json.loads(line)
            if told["type"] == "progress" and told["pieces"] >= segments:
                return told
        self.fail(f"it ended before {segments} segments: {child.stderr.read().decode()}")

    def same_as_undisturbed(self, target):
        made, wanted = Stream(target).files(), Stream(self.reference).files()
        self.assertEqual(sorted(made), sorted(wanted))
        for name in wanted:
            if name != "stream.json":  # tells of the runs
                self.assertEqual(made[name], wanted[name], name)
        self.assertEqual(json.loads(made["stream.json"])["plan"], json.loads(wanted["stream.json"])["plan"])
        self.check(target)

    def runs(self, kind, beginning, end):
        """The one run of the plan that holds this time."""
        found = [r for r in Stream(self.reference).report["plan"]["source"][kind] if r[0] <= beginning and r[1] >= end]
        self.assertEqual(len(found), 1, found)
        return found[0]

    def test_what_the_source_has_itself(self):
        for kind, wanted in (("frozen", (2.36, 4.6)), ("black", (4.6, 5.8))):
            begin, end = self.runs(kind, sum(wanted) / 2 - 0.1, sum(wanted) / 2 + 0.1)
            self.assertAlmostEqual(begin, wanted[0], delta=0.05)
            self.assertAlmostEqual(end, wanted[1], delta=0.05)

    def test_what_the_source_has_not(self):
        for kind in ("black", "frozen"):
            plan = dict(Stream(self.reference).report["plan"])
            plan["source"] = dict(plan["source"], **{kind: []})
            with open(self.at("plan.json"), "w", encoding="utf-8") as f:
                json.dump(plan, f)
            done = run(PROGRAM, "check", self.reference, "--decode", "--plan", self.at("plan.json"))
            self.assertEqual(done.returncode, 1, done.stdout)
            self.assertIn(f"plan-{kind}", done.stdout.decode())

    def test_killed_and_gone_on(self):
        target = self.at("killed")
        for segments in (1, 3, 5):
            child = self.start(target)
            self.until(child, segments)
            child.kill()
            child.communicate()
            self.assertTrue(all(HIDDEN.match(n) for n in os.listdir(target)), os.listdir(target))
        result = self.succeed(self.long, target)
        self.assertGreaterEqual(result["resumed"], 25)
        self.same_as_undisturbed(target)

    def test_interrupted(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            target = self.at(f"stopped{number}")
            child = self.start(target)
            self.until(child, 1)
            child.send_signal(number)
            _, err = child.communicate(timeout=60)
            self.assertEqual(child.returncode, 130, err)
            self.assertGreaterEqual(self.succeed(self.long, target)["resumed"], 25)
            self.same_as_undisturbed(target)

    def test_child_that_crashes(self):
        target = self.at("crashed")
        child = self.start(target)
        self.until(child, 2)
        os.kill(children(child.pid)[0], signal.SIGKILL)
        _, err = child.communicate(timeout=60)
        self.assertEqual(child.returncode, 1, err)
        self.assertIn(b"signal 9", err)
        self.assertTrue(all(HIDDEN.match(n) for n in os.listdir(target)), os.listdir(target))
        self.assertGreaterEqual(self.succeed(self.long, target)["resumed"], 25)
        self.same_as_undisturbed(target)

    def test_damaged_staging(self):
        """What lies in the staging folder is not trusted."""
        target = self.at("damaged")
        child = self.start(target)
        self.until(child, 3)
        child.kill()
        child.communicate()
        staging = os.path.join(target, os.listdir(target)[0])
        with open(os.path.join(staging, "v0", "seg_00002.m4s"), "r+b") as file:
            file.seek(200)
            file.write(b"damage")
        self.succeed(self.long, target)
        self.same_as_undisturbed(target)

    def test_live_preview(self):
        target = self.at("live")
        child = self.start(target, "--live-preview")
        self.until(child, 2)
        lines = content(os.path.join(target, "index.m3u8")).splitlines()
        variant = next(line for line in lines if line and not line.startswith("#"))
        early = Playlist(os.path.join(target, variant))
        self.assertEqual(early.keys["#EXT-X-PLAYLIST-TYPE"], "EVENT")
        self.assertNotIn("#EXT-X-ENDLIST", early.keys)
        self.assertGreaterEqual(len(early.segments), 1)
        for name in early.segments:
            self.assertTrue(os.path.getsize(name) > 0)
        mpd = ElementTree.fromstring(content(os.path.join(target, "index.mpd")))
        self.assertEqual(mpd.get("type"), "dynamic")
        self.assertEqual(child.wait(timeout=120), 0, child.stderr.read())
        child.communicate()
        late = Stream(target)
        self.assertEqual(late.videos()[0].keys["#EXT-X-PLAYLIST-TYPE"], "VOD")
        self.assertEqual(late.videos()[0].segments[:len(early.segments)], early.segments)
        self.assertEqual(late.videos()[0].keys["#EXT-X-TARGETDURATION"], early.keys["#EXT-X-TARGETDURATION"])
        self.assertEqual(late.mpd.get("type"), "static")
        self.check(target)


if __name__ == "__main__":
    unittest.main()
