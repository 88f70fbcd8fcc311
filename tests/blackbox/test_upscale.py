# SPDX-License-Identifier: LGPL-2.1-or-later
"""`spyhop upscale` and the worker of MediaConvert, driven as programs over small clips made with ffmpeg: what goes in
comes out, and nothing else is ever left."""
import json
import os
import resource
import signal
import subprocess
import time
import unittest

from clips import (MODEL, PROGRAM, Clips, children, content, ffmpeg, packets_md5, probe, run, same_times, seconds, stream,
                   video_frames)


def length_of_sound(path):
    return sum(float(p["duration_time"]) for p in probe(path, "-select_streams", "a:0", "-show_packets")["packets"])


class Kept(Clips):
    def test_frames_times_sound_and_titles(self):
        out = self.at("kept.mp4")
        result = self.succeed(self.clip, out)
        self.assertEqual((result["frames_in"], result["frames_out"]), (30, 30))
        self.assertEqual((result["out_width"], result["out_height"]), (192, 128))
        self.assertEqual(result["bytes_out"], os.path.getsize(out))
        self.assertTrue(same_times(video_frames(self.clip), video_frames(out)))
        self.assertEqual(packets_md5(self.clip, "a"), packets_md5(out, "a"))
        info = probe(out, "-show_format", "-show_streams")
        self.assertEqual(info["format"]["tags"]["title"], "A title")
        self.assertEqual((info["streams"][0]["width"], info["streams"][0]["height"]), (192, 128))
        self.assertEqual(info["streams"][0]["codec_name"], "h264")
        for kind in "va":
            old, new = stream(self.clip, kind + ":0"), stream(out, kind + ":0")
            self.assertEqual(old["start_time"], new["start_time"])
            self.assertEqual(old["duration"], new["duration"])

    def test_odd_sizes_at_their_own_size(self):
        restore = os.path.join(os.path.dirname(__file__), "../../models/restore.onnx")
        source, out = self.at("odd.mkv"), self.at("odd.mp4")
        for size, pixels, wanted in [("33x17", "yuv420p", (32, 16)), ("33x17", "yuv422p", (32, 17)),
                                     ("33x17", "yuv444p", (33, 17)), ("1x9", "gray", None)]:
            ffmpeg("-f", "lavfi", "-i", f"color=s={size}:r=5:d=1,format={pixels}", "-f", "rawvideo", self.at("odd.yuv"))
            ffmpeg("-f", "rawvideo", "-pix_fmt", pixels, "-s", size, "-r", "5", "-i", self.at("odd.yuv"), "-c:v", "ffv1", source)
            if not wanted:
                self.refuse(source, out, "1x9", "begins at 2x2", options=("--model", restore, "--overwrite"))
                continue
            done = self.upscale(source, out, "--json", "--overwrite", "--model", restore)
            self.assertEqual(done.returncode, 0, done.stderr)
            told = [json.loads(line) for line in done.stdout.splitlines()]
            video = stream(out, "v:0")
            self.assertEqual((told[-1]["out_width"], told[-1]["out_height"]), wanted)
            self.assertEqual((video["width"], video["height"]), wanted)
            self.assertEqual(any("lose a column or row" in t.get("message", "") for t in told), wanted != (33, 17))

    def test_index_stands_in_front(self):
        out = self.at("front.mp4")
        self.succeed(self.clip, out)
        data = content(out, "rb")
        self.assertLess(data.index(b"moov"), data.index(b"mdat"))

    def test_variable_frame_rate_and_late_start(self):
        source, out = self.at("vfr.mp4"), self.at("vfr-out.mp4")
        ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:r=30:d=1", "-vf", "select='not(mod(n,3))+gt(n,20)',setpts=PTS+0.4/TB",
               "-vsync", "passthrough", "-c:v", "libx264", "-video_track_timescale", "90000", source)
        times = video_frames(source)
        self.assertGreater(len(set(round(b - a, 4) for a, b in zip(seconds(times), seconds(times)[1:]))), 1)
        self.assertGreater(seconds(times)[0], 0.3)
        self.succeed(source, out)
        self.assertTrue(same_times(times, video_frames(out)))

    def test_colour_tags_and_pixel_shape(self):
        source, out = self.at("tags.mp4"), self.at("tags-out.mp4")
        ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=0.2", "-vf", "setsar=4/3", "-c:v", "libx264", "-pix_fmt",
               "yuv420p", "-color_range", "tv", "-color_primaries", "bt2020", "-color_trc", "bt709", "-colorspace",
               "bt2020nc", "-chroma_sample_location", "topleft", source)
        self.succeed(source, out)
        old, new = stream(source), stream(out)
        for key in ("color_range", "color_primaries", "color_transfer", "color_space", "chroma_location",
                    "sample_aspect_ratio"):
            self.assertEqual(old[key], new[key], key)

    def test_full_range(self):
        source, out = self.at("full.mp4"), self.at("full-out.mp4")
        ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=0.2", "-vf", "scale=out_range=pc", "-c:v", "libx264",
               "-pix_fmt", "yuvj420p", source)
        self.succeed(source, out)
        self.assertEqual(stream(out)["color_range"], "pc")

    def test_rotation(self):
        source, out = self.at("rotated.mp4"), self.at("rotated-out.mp4")
        ffmpeg("-i", self.clip, "-c", "copy", "-metadata:s:v", "rotate=90", source)
        self.succeed(source, out)
        self.assertEqual(stream(source)["side_data_list"][0]["rotation"], stream(out)["side_data_list"][0]["rotation"])

    def test_sizes(self):
        for width, height in ((1, 1), (3, 5), (9, 11), (97, 63), (2, 200)):
            source, out = self.at(f"{width}x{height}.mkv"), self.at(f"{width}x{height}-out.mp4")
            ffmpeg("-f", "lavfi", "-i", f"testsrc2=s=200x200:r=25:d=0.2", "-vf", f"crop={width}:{height}:exact=1",
                   "-c:v", "ffv1", "-pix_fmt", "yuv444p", source)
            result = self.succeed(source, out)
            self.assertEqual((result["out_width"], result["out_height"], result["frames_out"]), (2 * width, 2 * height, 5))
            self.assertEqual(len(video_frames(out)), 5)

    def test_pixel_formats(self):
        for number, (name, wanted) in enumerate((("yuv422p", "yuv420p"), ("yuv444p", "yuv420p"), ("gray", "yuvj420p"),
                                                 ("gbrp", "yuv420p"), ("bgra", "yuv420p"), ("yuv420p10le", "yuv420p10le"),
                                                 ("yuv422p10le", "yuv420p10le"), ("gray16le", "yuv420p10le"))):
            source, out = self.at(f"{name}.mkv"), self.at(f"{name}-out.mp4")
            ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=0.2", "-c:v", "ffv1", "-pix_fmt", name, source)
            lossy = name in ("bgra", "gray16le")
            if lossy:
                self.refuse(source, out, "--allow-loss")
            self.assertEqual(self.succeed(source, out, *(["--allow-loss"] if lossy else []))["frames_out"], 5, name)
            self.assertEqual(stream(out)["pix_fmt"], wanted, name)
            # the picture is the source's: halving the result gives it back nearly
            done = run("ffmpeg", "-v", "info", "-i", out, "-i", source, "-lavfi",
                       "[0]scale=64:48:flags=area,format=gbrp[a];[1]format=gbrp[b];[a][b]psnr", "-f", "null", "-")
            average = done.stderr.decode().rsplit("average:", 1)[1].split()[0]
            self.assertGreater(float(average), 26, name)

    def test_matroska_chapters_and_subtitles(self):
        words, chapters = self.at("words.srt"), self.at("chapters.txt")
        with open(words, "w") as file:
            file.write("1\n00:00:00,100 --> 00:00:00,900\nHello\n")
        with open(chapters, "w") as file:
            file.write(";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=600\ntitle=One\n")
        source, out = self.at("chapters.mkv"), self.at("chapters-out.mkv")
        ffmpeg("-i", self.clip, "-i", words, "-i", chapters, "-map_metadata", "2", "-map", "0", "-map", "1", "-c", "copy",
               "-c:s", "srt", source)
        self.succeed(source, out)
        info = probe(out, "-show_chapters", "-show_streams")
        self.assertEqual([s["codec_type"] for s in info["streams"]], ["video", "audio", "subtitle"])
        self.assertEqual(info["chapters"][0]["tags"]["title"], "One")
        self.assertEqual(packets_md5(source, "s"), packets_md5(out, "s"))

    def test_transport_stream(self):
        source, out = self.at("clip.ts"), self.at("clip-out.ts")
        ffmpeg("-i", self.clip, "-c", "copy", source)
        self.assertEqual(self.succeed(source, out)["frames_out"], 30)
        self.assertTrue(same_times(video_frames(source), video_frames(out)))

    def test_names(self):
        folder = self.at("names")
        os.mkdir(folder)
        for name in ("a b", "quo'te\"", "semi;touch x", "new\nline", ".dot", "-dash", "%d%03d", "http:x", "concat:a|b",
                     "pipe:0", "\udcff\udcfe", "x" * 240):
            os.symlink(self.clip, os.path.join(folder, name))
            target = os.path.join(folder, name + "-o.mp4")
            done = run(PROGRAM, "upscale", "--model", MODEL, "--quiet", "--", name, name + "-o.mp4", cwd=folder)
            self.assertEqual(done.returncode, 0, (name, done.stderr))
            self.assertGreater(os.path.getsize(target), 1000)
        self.assertEqual(len(os.listdir(folder)), 24)

    def test_overwrite(self):
        out = self.at("there.mp4")
        with open(out, "w") as file:
            file.write("precious")
        self.refuse(self.clip, out, "--overwrite")
        self.assertEqual(content(out), "precious")
        self.succeed(self.clip, out, "--overwrite")
        self.assertEqual(len(video_frames(out)), 30)


class Refused(Clips):
    def cut(self, name, part, source=None):
        data = content(source or self.clip, "rb")
        path = self.at(name)
        with open(path, "wb") as file:
            file.write(data[:int(len(data) * part)])
        return path

    def test_no_video(self):
        empty, text, sound = self.at("empty.mp4"), self.at("text.mp4"), self.at("sound.m4a")
        open(empty, "w").close()
        with open(text, "w") as file:
            file.write("This is not a video.\n" * 100)
        ffmpeg("-f", "lavfi", "-i", "sine=d=0.3", sound)
        out = self.at("none.mp4")
        self.refuse(empty, out, "0 bytes")
        self.refuse(text, out, "not a video")
        self.refuse(sound, out, "no video track")
        self.refuse(self.folder.name, out, "is a folder")
        self.refuse(self.at("nowhere.mp4"), out, "nowhere.mp4", "No such file")

    def test_covers_are_no_video(self):
        cover, sound = self.at("cover.png"), self.at("covered.m4a")
        ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x64:d=0.04", "-frames:v", "1", cover)
        ffmpeg("-f", "lavfi", "-i", "sine=d=0.3", "-i", cover, "-map", "0", "-map", "1", "-c:v", "copy", "-disposition:v",
               "attached_pic", sound)
        self.refuse(sound, self.at("none.mp4"), "no video track", "covers")

    def test_playlists_lead_nowhere(self):
        for name, text in (("a.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n" + self.clip + "\n#EXT-X-ENDLIST\n"),
                           ("b.mp4", "ffconcat version 1.0\nfile " + self.clip + "\n")):
            with open(self.at(name), "w") as file:
                file.write(text)
            self.refuse(self.at(name), self.at("none.mp4"), "not a video")

    def test_cut_short(self):
        out = self.at("none.mp4")
        self.refuse(self.cut("cut.mp4", 0.7), out, "cut short", "of 30 frames are lost", "--accept-damage")
        late = self.at("late.mp4")
        ffmpeg("-i", self.clip, "-c", "copy", late)
        self.refuse(self.cut("no-index.mp4", 0.7, late), out, "index is missing")
        for kind in ("mkv", "ts", "avi"):
            whole = self.at("whole." + kind)
            ffmpeg("-i", self.clip, "-c", "copy", whole)
            self.refuse(self.cut("cut." + kind, 0.6, whole), out, "cut." + kind)

    def test_damage(self):
        data = bytearray(content(self.clip, "rb"))
        for i in range(len(data) // 2, len(data) * 3 // 4, 97):
            data[i] ^= 0x55
        path, out = self.at("rotten.mp4"), self.at("rotten-out.mp4")
        with open(path, "wb") as file:
            file.write(data)
        self.refuse(path, out, "rotten.mp4", "frame ")
        result = self.succeed(path, out, "--accept-damage")
        self.assertGreater(result["damages"], 0)
        self.assertEqual(len(video_frames(out)), result["frames_out"])

    def test_same_file(self):
        link = self.at("link.mp4")
        os.symlink(self.clip, link)
        for target in (self.clip, link):
            self.refuse(self.clip, target, "same file", options=("--overwrite",))

    def test_models(self):
        out = self.at("none.mp4")
        done = run(PROGRAM, "upscale", "--model", "nonesuch", self.clip, out)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"nonesuch", done.stderr)
        told = json.loads(run(PROGRAM, "upscale", "--json", "--model", "nonesuch", self.clip, out).stdout)
        self.assertEqual((told["type"], told["status"]), ("error", "not found"))
        self.assertIn("nonesuch", told["message"])
        broken = self.at("broken.onnx")
        with open(broken, "wb") as file:
            file.write(b"\x08\x07\x12\xff\xff\xff\xff\x0f")
        done = run(PROGRAM, "upscale", "--model", broken, self.clip, out)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"model", done.stderr)
        self.assertFalse(os.path.exists(out))

    def test_usage(self):
        for words in ([], ["a"], ["a", "b", "c"], ["--crf", "99", "a", "b"], ["--preset", "warp", "a", "b"],
                      ["--threads", "x", "a", "b"], ["--nonesuch", "a", "b"]):
            self.assertEqual(run(PROGRAM, "upscale", *words).returncode, 2, words)
        self.refuse(self.clip, self.at("out.xyz"), ".mp4")

    def test_audio_that_does_not_fit(self):
        source = self.at("pcm.mkv")
        ffmpeg("-i", self.clip, "-c:v", "copy", "-c:a", "pcm_alaw", source)
        self.refuse(source, self.at("none.mp4"), "pcm_alaw", ".mkv")
        self.succeed(source, self.at("pcm-out.mkv"))

    def test_tracks_that_begin_late(self):
        """Announced but not there at first; and not even announced, behind the 5 MB in which tracks are looked for."""
        film = ("-f", "lavfi", "-i", "testsrc2=s=64x48:r=2:d=%d", "-c:v", "libx264", "-bf", "0", "-g", "4", "-pix_fmt", "yuv420p")
        sound = ("-f", "lavfi", "-i", "sine=f=440:r=48000:d=1", "-c:a", "aac")
        announced = self.at("announced.ts")
        ffmpeg(*film[:3], film[3] % 25, "-itsoffset", "20", *sound[:4], *film[4:], *sound[4:], announced)
        self.refuse(announced, self.at("none.mkv"), "track 1", "audio, aac", "--allow-loss")
        late, out = self.at("late-track.flv"), self.at("late-track.mkv")
        filled = ("-b:v", "600k", "-maxrate", "600k", "-bufsize", "600k", "-x264-params", "nal-hrd=cbr:filler=1")
        ffmpeg(*film[:3], film[3] % 100, "-itsoffset", "95", *sound[:4], *film[4:], *filled, *sound[4:], late)
        data = bytearray(content(late, "rb"))
        data[4] &= ~4  # the header's promise of audio; and the tag at the start that says which
        at = 13
        while data[at] != 8:
            at += 15 + int.from_bytes(data[at + 1:at + 4], "big")
        del data[at:at + 15 + int.from_bytes(data[at + 1:at + 4], "big")]
        with open(late, "wb") as file:
            file.write(data)
        done = self.upscale(late, out)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stderr.count(b"track 1 turns up at byte"), 1, done.stderr)
        self.assertEqual(len(video_frames(out)), 200)

    def test_time_stamps_that_are_missing(self):
        source = self.at("bare.h264")
        ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=2", "-c:v", "libx264", "-bf", "2", "-pix_fmt", "yuv420p", source)
        done = self.upscale(source, self.at("bare.mp4"))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stderr.count(b" is taken"), 20, done.stderr)
        self.assertRegex(done.stderr.decode(), r"\d\d of 50 frames had no time stamp")

    def test_no_room(self):
        def small():
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        self.refuse(self.clip, self.at("none.mp4"), "none.mp4", "File too large", preexec_fn=small)

    def test_full_disk(self):
        disk = self.at("disk")
        os.mkdir(disk)
        if run("mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", disk).returncode:
            self.skipTest("cannot mount")
        try:
            self.refuse(self.clip, os.path.join(disk, "none.mp4"), "none.mp4", "No space left")
        finally:
            run("umount", disk)


class Stopped(Clips):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.long = cls.at("long.mkv")
        ffmpeg("-f", "lavfi", "-i", "testsrc2=s=320x240:r=25:d=60", "-c:v", "mjpeg", "-q:v", "20", cls.long)

    def start(self, name):
        folder, source = self.at(name), self.long
        os.mkdir(folder)
        child = subprocess.Popen([PROGRAM, "upscale", "--model", MODEL, "--json", source, os.path.join(folder, "o.mp4")],
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                 preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        line = child.stdout.readline()  # work has begun
        self.assertIn(b"progress", line)
        return child, folder

    def stop_with(self, number, name):
        child, folder = self.start(name)
        inner = children(child.pid)
        self.assertEqual(len(inner), 1)
        child.send_signal(number)
        out, err = child.communicate(timeout=60)
        self.assertIn(sorted(os.listdir(folder)), ([], [".o.mp4.spyhop-journal", ".o.mp4.spyhop-part"]))
        for _ in range(300):
            if not os.path.exists(f"/proc/{inner[0]}/fd/0"):
                break
            time.sleep(0.01)
        else:
            self.fail("the child is still there")
        return child.returncode, err

    def test_interrupt(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            code, err = self.stop_with(number, f"stop{number}")
            self.assertEqual(code, 130, err)
            self.assertIn(b"interrupted", err)

    def test_second_interrupt_ends_at_once(self):
        child, folder = self.start("twice")
        child.send_signal(signal.SIGINT)
        child.send_signal(signal.SIGINT)  # the same wish: terminals and timeout(1) send several
        limit = time.monotonic() + 30
        while child.poll() is None and time.monotonic() < limit:
            try:
                child.wait(0.45)  # longer apart: another wish
            except subprocess.TimeoutExpired:
                child.send_signal(signal.SIGINT)
        self.assertEqual(child.wait(timeout=30), 130)
        child.communicate()
        self.assertNotIn("o.mp4", os.listdir(folder))

    def test_killed(self):
        code, _ = self.stop_with(signal.SIGKILL, "killed")
        self.assertEqual(code, -signal.SIGKILL)

    def test_child_that_crashes(self):
        child, folder = self.start("crash")
        inner = children(child.pid)[0]
        os.kill(inner, signal.SIGSYS)
        _, err = child.communicate(timeout=30)
        self.assertEqual(child.returncode, 1, err)
        self.assertIn(b"signal 31", err)
        self.assertNotIn("o.mp4", os.listdir(folder))

    def test_child_is_confined(self):
        child, folder = self.start("confined")
        inner = children(child.pid)[0]
        status = dict(line.split(":\t", 1) for line in content(f"/proc/{inner}/status").splitlines() if ":\t" in line)
        self.assertEqual(status["NoNewPrivs"], "1")
        self.assertEqual(status["Seccomp"], "2")
        kinds = [os.readlink(f"/proc/{inner}/fd/{n}") for n in os.listdir(f"/proc/{inner}/fd")]
        self.assertLessEqual(len(kinds), 8, kinds)  # and no other file than the input, the two unfinished ones and their folder
        child.terminate()
        child.communicate(timeout=30)


def settings(**h264):
    video = {"maxBitrate": 5000000, "rateControlMode": "QVBR", "sceneChangeDetect": "TRANSITION_DETECTION"}
    video.update(h264)
    return {
        "timecodeConfig": {"source": "ZEROBASED"}, "followSource": 1,
        "inputs": [{"audioSelectors": {"Audio Selector 1": {"defaultSelection": "DEFAULT"}}, "videoSelector": {},
                    "timecodeSource": "ZEROBASED", "fileInput": "s3://source/films/a film.mp4"}],
        "outputGroups": [{
            "name": "Apple HLS",
            "outputs": [{
                "containerSettings": {"container": "M3U8", "m3u8Settings": {}},
                "videoDescription": {"codecSettings": {"codec": "H_264", "h264Settings": video}},
                "audioDescriptions": [{"codecSettings": {"codec": "AAC", "aacSettings": {
                    "bitrate": 96000, "codingMode": "CODING_MODE_2_0", "sampleRate": 48000}}}],
                "outputSettings": {"hlsSettings": {}}, "nameModifier": "_mod.mp4"}],
            "outputGroupSettings": {"type": "HLS_GROUP_SETTINGS", "hlsGroupSettings": {
                "segmentLength": 10, "minSegmentLength": 0, "destination": "s3://target/hls/film/",
                "destinationSettings": {"s3Settings": {"storageClass": "STANDARD"}}}}}]}


class Worker(Clips):
    def work(self, job, source, name, **arguments):
        folder = self.at(name)
        os.mkdir(folder)
        text = json.dumps({"settings": job, "input": source, "out_dir": folder})
        done = run(PROGRAM, "mediaconvert-worker", input=text.encode(), **arguments)
        group = os.path.join(folder, "0")  # each output group has a folder
        return done, [json.loads(line) for line in done.stdout.splitlines()], group if os.path.isdir(group) else folder

    def fail_with(self, code, word, job, source, name, **arguments):
        done, lines, folder = self.work(job, source, name, **arguments)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertEqual(lines[-1]["type"], "error")
        self.assertEqual(lines[-1]["code"], code, lines[-1])
        self.assertIn(word, lines[-1]["message"])
        self.assertEqual(os.listdir(folder), [])

    def test_two_segments(self):
        source = self.at("long.mp4")
        ffmpeg("-f", "lavfi", "-i", "testsrc2=s=96x64:r=24:d=12", "-f", "lavfi", "-i", "sine=f=440:r=44100:d=12", "-c:v",
               "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac", "-ac", "1", source)
        done, lines, folder = self.work(settings(), source, "two")
        self.assertEqual(done.returncode, 0, done.stderr)
        result = lines[-1]
        base = "a film_mod.mp4"
        self.assertEqual([f["name"] for f in result["files"]],
                         [base + "_00001.ts", base + "_00002.ts", "a film.check.json", base + ".m3u8", "a film.m3u8"])
        self.assertEqual([f["role"] for f in result["files"]], ["segment", "segment", "report", "variant", "master"])
        for file in result["files"]:
            self.assertEqual(file["bytes"], os.path.getsize(os.path.join(folder, file["name"])))
        self.assertEqual((result["frames"], result["duration_ms"]), (288, 12000))
        text = content(os.path.join(folder, base + ".m3u8"))
        self.assertEqual(text.splitlines()[0], "#EXTM3U")
        self.assertIn("#EXT-X-TARGETDURATION:10\n", text)
        self.assertIn("#EXTINF:10.000000,\na%20film_mod.mp4_00001.ts\n#EXTINF:2.000000,\n", text)
        self.assertTrue(text.endswith("#EXT-X-ENDLIST\n"))
        master = content(os.path.join(folder, "a film.m3u8"))
        self.assertIn('CODECS="avc1.4d', master)
        self.assertIn("mp4a.40.2", master)
        self.assertIn("RESOLUTION=96x64,FRAME-RATE=24.000", master)
        frames = 0
        for number in (1, 2):  # each decodes alone and completely
            segment = os.path.join(folder, f"{base}_0000{number}.ts")
            info = probe(segment, "-count_frames", "-show_streams")
            frames += int(info["streams"][0]["nb_read_frames"])
            self.assertEqual(info["streams"][1]["sample_rate"], "48000")
            self.assertEqual(info["streams"][1]["channels"], 2)
            first = probe(segment, "-select_streams", "v", "-show_frames", "-read_intervals", "%+#1")["frames"][0]
            self.assertEqual((first["pict_type"], first["key_frame"]), ("I", 1))
        self.assertEqual(frames, 288)
        percents = [line["percent"] for line in lines if line["type"] == "progress"]
        self.assertEqual(percents, sorted(percents))

    def test_without_sound(self):
        source = self.at("silent.mp4")
        ffmpeg("-i", self.clip, "-an", "-c", "copy", source)
        done, lines, folder = self.work(settings(), source, "silent")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("no audio", " ".join(line.get("message", "") for line in lines))
        self.assertNotIn("mp4a", content(os.path.join(folder, "a film.m3u8")))

    def test_sound_that_changes(self):
        """Broadcasts go from 5.1 to stereo and back between films."""
        parts = []
        for number, channels in enumerate((6, 2, 6)):
            part = self.at(f"part{number}.ts")
            ffmpeg("-f", "lavfi", "-i", "testsrc2=s=96x64:r=25:d=1", "-f", "lavfi", "-i", "sine=f=440:r=48000:d=1", "-c:v",
                   "libx264", "-bf", "0", "-pix_fmt", "yuv420p", "-c:a", "ac3", "-ac", str(channels), "-output_ts_offset",
                   str(number), "-mpegts_flags", "+initial_discontinuity", "-f", "mpegts", part)
            parts.append(content(part, "rb"))
        source = self.at("changes.ts")
        with open(source, "wb") as file:
            file.write(b"".join(parts))
        done, lines, folder = self.work(settings(), source, "changes")
        self.assertEqual(done.returncode, 0, done.stderr)
        words = " ".join(line.get("message", "") for line in lines)
        self.assertIn("from 6 channels at 48000 Hz to 2", words)
        self.assertIn("from 2 channels at 48000 Hz to 6", words)
        sound = stream(os.path.join(folder, "a film_mod.mp4_00001.ts"), "a:0")
        self.assertEqual((sound["channels"], sound["sample_rate"]), (2, "48000"))
        self.assertAlmostEqual(length_of_sound(os.path.join(folder, "a film_mod.mp4_00001.ts")), 3, delta=0.15)

    def test_sound_that_outlasts_the_picture(self):
        source = self.at("outlasts.mp4")
        ffmpeg("-f", "lavfi", "-i", "testsrc2=s=96x64:r=25:d=1", "-f", "lavfi", "-i", "sine=f=440:r=48000:d=3", "-c:v",
               "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac", source)
        done, lines, folder = self.work(settings(), source, "outlasts")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(" ".join(line.get("message", "") for line in lines), r"audio goes on for (1\.9|2\.0) s after")
        self.assertAlmostEqual(lines[-1]["duration_ms"], 3000, delta=60)
        self.assertAlmostEqual(lines[-1]["outputs"][0]["duration_ms"], 3000, delta=60)
        self.assertIn("#EXT-X-TARGETDURATION:%d\n" % round(lines[-1]["duration_ms"] / 1000),
                      content(os.path.join(folder, "a film_mod.mp4.m3u8")))
        self.assertAlmostEqual(length_of_sound(os.path.join(folder, "a film_mod.mp4_00001.ts")), 3, delta=0.06)

    def test_sound_that_has_no_room(self):
        """More than a segment of it: cut where the picture ends. 30 s are more than may wait in the multiplexer."""
        source = self.at("no-room.mp4")
        ffmpeg("-f", "lavfi", "-i", "testsrc2=s=96x64:r=25:d=3", "-f", "lavfi", "-i", "sine=f=440:r=48000:d=33", "-c:v",
               "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac", source)
        job = settings()
        job["outputGroups"][0]["outputGroupSettings"]["hlsGroupSettings"]["segmentLength"] = 2
        done, lines, folder = self.work(job, source, "no-room")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(" ".join(line.get("message", "") for line in lines), r"(29\.9|30\.0) s of it are cut")
        self.assertEqual(lines[-1]["duration_ms"], 3000)
        self.assertIn("#EXT-X-TARGETDURATION:2\n", content(os.path.join(folder, "a film_mod.mp4.m3u8")))
        lengths = [length_of_sound(os.path.join(folder, f"a film_mod.mp4_0000{n}.ts")) for n in (1, 2)]
        self.assertAlmostEqual(sum(lengths), 3, delta=0.06)

    def test_renditions(self):
        job = settings(rateControlMode="CBR", bitrate=300000)
        outputs = job["outputGroups"][0]["outputs"]
        outputs.append(json.loads(json.dumps(outputs[0])))
        outputs[1]["nameModifier"] = "_small"
        outputs[1]["videoDescription"].update({"width": 64, "height": 64})
        job["outputGroups"][0]["outputGroupSettings"]["hlsGroupSettings"]["segmentLength"] = 1
        done, lines, _ = self.work(job, self.clip, "renditions")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual([(o["width"], o["height"], o["frames"]) for o in lines[-1]["outputs"]],
                         [(96, 64, 30), (64, 64, 30)])
        self.assertEqual(len(lines[-1]["files"]), 2 * (2 + 1) + 2)

    def test_refused_settings(self):
        for number, (word, change) in enumerate((
                ("h264Settings/maxBitrate: is required", lambda s, o: o["videoDescription"]["codecSettings"]["h264Settings"].pop("maxBitrate")),
                ("/outputGroups/0/nonesuch: unknown", lambda s, o: s["outputGroups"][0].update(nonesuch=1)),
                ("h264Settings/interlaceMode: TOP_FIELD is not supported", lambda s, o: o["videoDescription"]["codecSettings"]["h264Settings"].update(interlaceMode="TOP_FIELD")),
                ("/outputGroups/0/outputs/0/videoDescription/width: must be a whole number", lambda s, o: o["videoDescription"].update(width="640")))):
            job = settings()
            change(job, job["outputGroups"][0]["outputs"][0])
            self.fail_with(1040, word, job, self.clip, f"refused{number}")

    def test_bad_input(self):
        text = self.at("words.txt")
        with open(text, "w") as file:
            file.write("words")
        self.fail_with(1010, "not a video", settings(), text, "bad1")
        self.fail_with(1010, "No such file", settings(), self.at("nowhere"), "bad2")
        data = content(self.clip, "rb")
        with open(self.at("short.mp4"), "wb") as file:
            file.write(data[:len(data) * 2 // 3])
        self.fail_with(1010, "cut short", settings(), self.at("short.mp4"), "bad3")

    def test_no_room(self):
        def small():
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        self.fail_with(1999, "File too large", settings(), self.clip, "room", preexec_fn=small)

    def test_not_a_job(self):
        for text in (b"", b"{", b"[]", b"{}", b'{"settings":{},"settings":{}}'):
            self.assertEqual(run(PROGRAM, "mediaconvert-worker", input=text).returncode, 2, text)


class Quality(Clips):
    def test_pictures(self):
        folder = self.at("pictures")
        os.mkdir(folder)
        ffmpeg("-f", "lavfi", "-i", "mandelbrot=s=120x90", "-frames:v", "1", os.path.join(folder, "one.png"))
        ffmpeg("-f", "lavfi", "-i", "testsrc2=s=121x91", "-frames:v", "1", os.path.join(folder, "two.bmp"))
        with open(os.path.join(folder, "notes.txt"), "w") as file:
            file.write("no picture")
        done = run(PROGRAM, "quality", "--model", MODEL, "--json", folder)
        self.assertEqual(done.returncode, 0, done.stderr)
        report = json.loads(done.stdout)
        self.assertEqual([(i["name"], i["width"], i["height"]) for i in report["images"]],
                         [("one.png", 120, 90), ("two.bmp", 120, 90)])
        for key in ("psnr_y", "ssim_y", "bicubic_psnr_y", "bicubic_ssim_y", "lanczos_psnr_y", "lanczos_ssim_y"):
            self.assertAlmostEqual(report["mean"][key], sum(i[key] for i in report["images"]) / 2, 5)
        self.assertGreater(report["mean"]["psnr_y"], report["mean"]["bicubic_psnr_y"])
        table = run(PROGRAM, "quality", "--model", MODEL, folder).stdout.decode()
        self.assertIn("%.2f" % report["mean"]["psnr_y"], table)

    def test_a_model_that_keeps_the_size(self):
        model = os.path.join(os.path.dirname(__file__), "../../models/restore.onnx")
        done = run(PROGRAM, "quality", "--model", model, self.at("."))
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"keeps the size", done.stderr)

    def test_names_that_are_no_text(self):
        folder = os.fsencode(self.at("names"))
        os.mkdir(folder)
        model = os.path.join(folder, b"m\xff.onnx")
        found = MODEL if os.path.exists(MODEL) else os.path.join(os.path.dirname(__file__), "../../models", MODEL + ".onnx")
        with open(model, "wb") as file:
            file.write(content(found, "rb"))
        ffmpeg("-f", "lavfi", "-i", "mandelbrot=s=64x64", "-frames:v", "1", os.path.join(folder, b"one.png"))
        os.rename(os.path.join(folder, b"one.png"), os.path.join(folder, b"\xff.png"))
        done = run(PROGRAM, "quality", "--model", model, "--json", folder)
        self.assertEqual(done.returncode, 0, done.stderr)
        report = json.loads(done.stdout)
        self.assertEqual((report["model"], report["images"][0]["name"]), (os.fsdecode(folder) + "/m?.onnx", "?.png"))

    def test_grey_is_measured_as_its_rgb_twin(self):
        folder = self.at("grey")
        os.mkdir(folder)
        ffmpeg("-f", "lavfi", "-i", "mandelbrot=s=64x64", "-frames:v", "1", "-pix_fmt", "gray", os.path.join(folder, "one.png"))
        with open(os.path.join(folder, "one.pgm"), "wb") as file:
            samples = run("ffmpeg", "-v", "error", "-i", os.path.join(folder, "one.png"), "-f", "rawvideo", "-").stdout
            file.write(b"P5\n64 64\n255\n" + samples)
        with open(os.path.join(folder, "rgb.ppm"), "wb") as file:
            file.write(b"P6\n64 64\n255\n" + bytes(s for s in samples for _ in range(3)))
        os.remove(os.path.join(folder, "one.png"))
        done = run(PROGRAM, "quality", "--model", MODEL, "--json", folder)
        self.assertEqual(done.returncode, 0, done.stderr)
        grey, rgb = json.loads(done.stdout)["images"]
        self.assertEqual((grey.pop("name"), rgb.pop("name")), ("one.pgm", "rgb.ppm"))
        self.assertEqual(grey, rgb)

    def test_bad_folders(self):
        folder = self.at("broken")
        os.mkdir(folder)
        self.assertEqual(run(PROGRAM, "quality", "--model", MODEL, folder).returncode, 1)
        with open(os.path.join(folder, "a.png"), "wb") as file:
            file.write(b"\x89PNG\r\n\x1a\n broken")
        done = run(PROGRAM, "quality", "--model", MODEL, folder)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"a.png", done.stderr)
        self.assertEqual(run(PROGRAM, "quality").returncode, 2)

    def test_compare(self):
        out, png = self.at("big.mp4"), self.at("compare.png")
        self.succeed(self.clip, out)
        done = run(PROGRAM, "compare", "--source", self.clip, "--result", out, "--frame", "7", "--png", png, "--zoom", "2",
                   "--crop", "8,8,64,48")
        self.assertEqual(done.returncode, 0, done.stderr)
        info = stream(png)
        self.assertEqual((info["width"], info["height"]), (2 * 128 + 4, 96))
        done = run(PROGRAM, "compare", "--source", self.clip, "--result", out, "--frame", "70", "--png", png)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"30 frames", done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=1)
