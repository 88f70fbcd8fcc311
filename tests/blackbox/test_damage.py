# SPDX-License-Identifier: LGPL-2.1-or-later
"""Files that are broken, and files that are odd: each ends with one clear line or with a whole result.

tests/damage/make.py makes 340 damaged files. A spread subset of them is tried here; all of them with
SPYHOP_DAMAGE=all, and those of one way or pair with SPYHOP_DAMAGE=WORD of their names."""
import concurrent.futures
import json
import os
import re
import sys
import unittest

from clips import MODEL, PROGRAM, Clips, content, exact_times, ffmpeg, packet_times, probe, run, video_frames

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../damage"))
import make  # noqa: E402

LONGEST = 75  # seconds; a child that gets nowhere is ended after 60
WHICH = os.environ.get("SPYHOP_DAMAGE", "")
RESUMABLE = re.compile(r"^\..*\.spyhop-(part|journal)$")


def chosen():
    if WHICH == "all":
        return make.rows()
    return [r for r in make.rows() if WHICH in make.name_of(r)] if WHICH else make.spread(2)


def last_line(text):
    lines = [line for line in text.splitlines() if line.startswith("spyhop upscale: ") and ": warning: " not in line]
    return lines[-1] if lines else ""


def what_is_wrong(source, folder, accept):
    """A text, or "" where all is well."""
    out, report = os.path.join(folder, "out.mkv"), os.path.join(folder, "report.json")
    os.mkdir(folder)
    done = run("timeout", "-s", "ABRT", str(LONGEST), PROGRAM, "upscale", "--model", MODEL, "--threads", "1", "--quiet",
               "--allow-loss", "--report", report, *(["--accept-damage"] if accept else []), "--", source, out)
    said = done.stderr.decode(errors="replace")
    if done.returncode == 0:
        return whole(out, report, said)
    line, left = last_line(said), [n for n in os.listdir(folder) if not RESUMABLE.match(n) and n != "report.json"]
    if done.returncode != 1:
        return f"code {done.returncode}: {said}"
    if "signal" in line or "no progress" in line or "internal" in line.lower():
        return line
    if left:
        return f"left behind: {left}"
    if os.path.basename(source) not in line and "out.mkv" not in line:
        return f"does not name the file: {said!r}"
    return "" if len(line) > len(source) - len(os.path.dirname(source)) + 30 else f"says too little: {line!r}"


def made_track(out):
    """Number of the upscaled track. A head of another file brings a track of its own, which is copied as it is; it is not
    as large."""
    tracks = probe(out, "-select_streams", "v", "-show_entries", "stream=index,width")["streams"]
    return str(max(tracks, key=lambda t: t["width"])["index"])


def whole(out, report, said):
    told = json.loads(content(report))
    track = made_track(out)
    frames, decoded = told["summary"]["frames_out"], len(video_frames(out, track))
    shown = {e[3] for piece in told["pieces"] for e in piece["ledger"] if e[3]}
    errors = run("ffmpeg", "-nostdin", "-v", "error", "-xerror", "-i", "file:" + out, "-map", f"0:{track}", "-f", "null", "-")
    if errors.returncode or b"rror" in errors.stderr:
        return f"the result is damaged itself: {errors.stderr[-300:]}"
    if frames != decoded:
        return f"{frames} frames in the report, {decoded} in the file"
    if len(shown) > frames or sum(p["frames"] for p in told["pieces"]) != frames:
        return f"the ledger tells of {len(shown)} frames, the report of {frames}"
    return "" if sorted(os.listdir(os.path.dirname(out))) == ["out.mkv", "report.json"] else "more than the result is there"


class Damaged(Clips):
    def test_files(self):
        tried, bad = 0, []
        folder = self.at("damaged")
        os.mkdir(folder)
        with concurrent.futures.ThreadPoolExecutor(max(1, os.cpu_count() or 1)) as pool:
            waiting = {}
            for row in chosen():
                source = make.make(folder, row)
                for accept in (True, False) if row[0] % 3 == 0 else (True,):
                    name = f"{make.name_of(row)}, damage {'accepted' if accept else 'refused'}"
                    waiting[pool.submit(what_is_wrong, source, self.at(f"o{row[0]}-{int(accept)}"), accept)] = name
            for one in concurrent.futures.as_completed(waiting):
                tried += 1
                if one.result():
                    bad.append(f"{waiting[one]}: {one.result()}")
        self.assertGreater(tried, 0)
        self.assertEqual(bad, [], "\n".join([f"{len(bad)} of {tried}:", *sorted(bad)]))

    def test_as_many_as_promised(self):
        rows = make.rows()
        self.assertGreaterEqual(len(rows), 300)
        self.assertEqual({r[1] for r in rows}, {"mp4", "mkv", "ts", "avi", "mpg"})
        self.assertEqual({r[2] for r in rows}, {"h264", "hevc", "mpeg2", "vp9", "av1"})


def sequence_header(width_mbs, height_mbs):
    """H.264, baseline, order of pictures as they come."""
    def ue(value):
        return bin(value + 1)[2:].zfill(2 * (value + 1).bit_length() - 1)
    bits = "".join(["0" + "1100111", f"{66:08b}", "11000000", f"{62:08b}", ue(0), ue(0), ue(2), ue(1), "0", ue(width_mbs - 1),
                    ue(height_mbs - 1), "1", "1", "0", "0", "1"])
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[i:i + 8], 2) for i in range(0, len(bits), 8))


class Odd(Clips):
    def test_no_video_track(self):
        sound = self.at("sound.mka")
        ffmpeg("-f", "lavfi", "-i", "sine=d=0.3", sound)
        self.refuse(sound, self.at("o.mkv"), "sound.mka", "no video track")

    def test_no_frame(self):
        source = self.at("empty.mp4")
        ffmpeg("-i", self.clip, "-map", "0:v", "-c", "copy", "-t", "0.01", "-movflags", "+empty_moov", "-f", "mp4", source)
        data = content(source, "rb")
        with open(source, "wb") as file:  # the header alone: a track without a sample
            file.write(data[:data.index(b"moof") - 4])
        said = self.refuse(source, self.at("o.mkv"), "empty.mp4")
        self.assertRegex(said, "no picture|not one picture|none of the 0 packets")

    def test_one_frame(self):
        for ending in ("mp4", "mkv"):
            source, out = self.at("one." + ending), self.at("one-out." + ending)
            ffmpeg("-i", self.clip, "-map", "0:v", "-frames:v", "1", "-c:v", "libx264", source)
            self.assertEqual(self.succeed(source, out)["frames_out"], 1)
            self.assertEqual(exact_times(source), exact_times(out))

    def joined(self, name, sizes, ending, *options):
        """Clips of 10 frames one behind the other."""
        with open(self.at(name), "wb") as file:
            for number, size in enumerate(sizes):
                part = self.at(f"{number}-{name}.{ending}")
                ffmpeg("-f", "lavfi", "-i", f"testsrc2=s={size}:r=25:d=0.4", "-c:v", "libx264", "-bf", "0", "-pix_fmt", "yuv420p",
                       *options, part)
                file.write(content(part, "rb"))
        return self.at(name)

    def test_another_size_in_the_middle(self):
        """Scaled to the first size, or refused; either way the frame is named."""
        source, out = self.joined("sizes.h264", ("96x64", "64x64", "96x64"), "h264"), self.at("sizes-out.mkv")
        done = self.upscale(source, out)
        said = done.stderr.decode()
        self.assertRegex(said, r"frame 1[01]\b.*64x64")
        if done.returncode:
            self.assertEqual(done.returncode, 1)
            return
        sizes = {(f["width"], f["height"]) for f in probe(out, "-select_streams", "v", "-show_frames")["frames"]}
        self.assertEqual(sizes, {(192, 128)})
        self.assertEqual(len(video_frames(out)), 30)

    def test_a_picture_of_16384(self):
        """Said by the header of an H.264 stream whose slices are those of a small picture."""
        small, source = self.at("small.h264"), self.at("huge.h264")
        ffmpeg("-i", self.clip, "-map", "0:v", "-frames:v", "3", "-c:v", "libx264", "-profile:v", "baseline", "-x264-params",
               "ref=1", small)
        data = content(small, "rb")
        begin = data.index(b"\0\0\1\x67")
        end = data.index(b"\0\0\1", begin + 3)
        with open(source, "wb") as file:
            file.write(data[:begin] + b"\0\0\1" + sequence_header(1024, 1024) + data[end:])
        for options in ((), ("--large", "--accept-damage")):
            said = self.refuse(source, self.at("o.mkv"), "huge.h264", options=options)
            self.assertNotIn("signal", said)
            self.assertRegex(said, "16384x16384|memory is short|no picture|not one picture|could be decoded|not a video")

    def test_time_stamps_that_go_back(self):
        source, out = self.joined("back.ts", ("96x64",) * 3, "ts"), self.at("back-out.mkv")
        before = packet_times(source, "v:0")
        self.assertNotEqual(before, sorted(before))
        done = self.upscale(source, out, "--accept-damage")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stderr, b"time|clock")
        after = exact_times(out)
        self.assertIn(len(after), (28, 29, 30))  # a join loses the picture before it
        self.assertTrue(all(b > a for a, b in zip(after, after[1:])))

    def test_a_clock_that_wraps(self):
        """2^33 ticks of a transport stream's 90 kHz are 95443.717 s."""
        source, out = self.at("wrap.ts"), self.at("wrap-out.mkv")
        ffmpeg("-i", self.clip, "-c", "copy", "-output_ts_offset", "95441.8", source)
        self.succeed(source, out)
        after = [float(t) for t in exact_times(out)]
        self.assertEqual(len(after), 30)
        for a, b in zip(after, after[1:]):
            self.assertAlmostEqual(b - a, 0.04, delta=0.0011)

    def test_no_time_stamps(self):
        source = self.at("bare.hevc")
        ffmpeg("-f", "lavfi", "-i", "testsrc2=s=96x64:r=25:d=1", "-c:v", "libx265", "-x265-params", "log-level=error", "-pix_fmt",
               "yuv420p", source)
        out = self.at("bare.mkv")
        self.assertEqual(self.succeed(source, out)["frames_out"], 25)
        after = exact_times(out)
        self.assertTrue(all(b > a for a, b in zip(after, after[1:])))

    def test_playlists(self):
        lists = {
            "a.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n%s\n#EXT-X-ENDLIST\n",
            "b.ffconcat": "ffconcat version 1.0\nfile %s\n",
            "c.mpd": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
                     'mediaPresentationDuration="PT1S"><Period><AdaptationSet mimeType="video/mp4"><Representation id="1" '
                     'bandwidth="1"><BaseURL>%s</BaseURL></Representation></AdaptationSet></Period></MPD>',
            "d.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
            "e.m3u": "#EXTM3U\n%s\n", "f.pls": "[playlist]\nFile1=%s\n", "g.txt": "concat:%s|%s",
        }
        for name, text in lists.items():
            with open(self.at(name), "w") as file:
                file.write(text.replace("%s", self.clip))
            self.refuse(self.at(name), self.at("o.mkv"), name, "not a video")
            os.symlink(self.at(name), self.at(name + ".mp4"))
            self.refuse(self.at(name + ".mp4"), self.at("o.mkv"), "not a video")
        for name in ("concat:" + self.clip, "http://127.0.0.1:1/x.mp4", "subfile,,start,0,end,0,,:" + self.clip, "pipe:0"):
            self.refuse(name, self.at("o.mkv"), "No such file")


if __name__ == "__main__":
    unittest.main(verbosity=1)
