# SPDX-License-Identifier: LGPL-2.1-or-later
"""What `spyhop upscale` keeps, changes on request, and refuses: one row of ROWS a property.

A row makes its source with ffmpeg, names the output and the options, and lists checks; each check is a function of the
test, the source's path, the result's path and the result as told by --json. A row whose `words` are set has to fail with
them. Real clips are used as well where SPYHOP_CLIPS names a folder of them."""
import dataclasses
import json
import os
import re
import subprocess
import typing
import unittest
from fractions import Fraction

from bitstreams import with_captions, with_hdr10plus
from clips import (MODEL, PROGRAM, QUIET, Clips, content, exact_times, ffmpeg, frame_hashes, frame_times, packets_md5, probe,
                   psnr, run, side_data, stream)

PICTURE = ("-f", "lavfi", "-i")
X264 = ("-c:v", "libx264", "-pix_fmt", "yuv420p")
X265 = ("-c:v", "libx265", "-pix_fmt", "yuv420p10le")
MASTER = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"
HDR = "log-level=error:hdr10=1:repeat-headers=1:master-display=" + MASTER + ":max-cll=1000,400"
PQ = ("-color_primaries", "bt2020", "-color_trc", "smpte2084", "-colorspace", "bt2020nc", "-color_range", "tv")
HLG = ("-color_primaries", "bt2020", "-color_trc", "arib-std-b67", "-colorspace", "bt2020nc", "-color_range", "tv")


@dataclasses.dataclass
class Row:
    name: str
    make: typing.Any  # ffmpeg's arguments, or a function of the test and the path
    source: str  # ending
    out: str = "mp4"
    options: tuple = ()
    checks: tuple = ()
    words: tuple = ()  # it is refused with these
    codes: tuple = (1,)  # and one of these exit codes


def lavfi(text, *rest):
    return (*PICTURE, text, *rest)


def clip(*rest, seconds=0.4, size="64x48", rate=25):
    return lavfi(f"testsrc2=s={size}:r={rate}:d={seconds}", *rest)


def with_sound(*rest, seconds=0.6):
    return (*PICTURE, f"testsrc2=s=64x48:r=25:d={seconds}", *PICTURE, f"sine=f=440:r=48000:d={seconds}", *rest)


# ---- checks ----

def keeps(*keys):
    """These fields of the video track, as ffprobe tells them."""
    def check(test, source, out, result):
        old, new = stream(source), stream(out)
        for key in keys:
            test.assertIn(key, old, f"the source has no {key}")
            test.assertEqual(old.get(key), new.get(key), key)
    return check


def has(**fields):
    def check(test, source, out, result):
        found = stream(out)
        test.assertEqual({k: found.get(k) for k in fields}, fields)
    return check


def keeps_times(tolerance=0, moved=False):
    """Of every picture; 1 ms in Matroska. moved: all by the same time, where a track begins below 0."""
    def check(test, source, out, result):
        old, new = exact_times(source), exact_times(out)
        test.assertEqual(len(old), len(new))
        if moved:
            new = [t - new[0] + old[0] for t in new]
        for a, b in zip(old, new):
            test.assertLessEqual(abs(a - b), Fraction(tolerance), f"{float(a)} {float(b)}")
    return check


def keeps_offset(test, source, out, result):
    """Of sound and picture, at the start and at the end, within 1 ms."""
    def offsets(path):
        video, sound = exact_times(path), frame_times(path, "a:0")
        return video[0] - sound[0], video[-1] - sound[-1]
    for old, new in zip(offsets(source), offsets(out)):
        test.assertLessEqual(abs(old - new), Fraction(1, 1000), f"{float(old)} {float(new)}")


def keeps_sound(test, source, out, result):
    """Packet for packet but for one that only primes the decoder, which Matroska cannot mark."""
    def packets(path):
        done = run("ffmpeg", "-nostdin", "-v", "error", "-i", path, "-map", "0:a", "-c", "copy", "-f", "framemd5", "-")
        return [(line.split(",")[0], line.split(",")[5].strip()) for line in done.stdout.decode().splitlines() if line[0] != "#"]
    for track in {t for t, _ in packets(source)}:
        old, new = ([md5 for t, md5 in packets(p) if t == track] for p in (source, out))
        test.assertIn(new, (old, old[1:]))


def keeps_packets(*tracks):
    def check(test, source, out, result):
        for track in tracks:
            test.assertEqual(packets_md5(source, track), packets_md5(out, track), track)
    return check


def keeps_side_data(kind, every=True):
    def check(test, source, out, result):
        old = side_data(source, kind)
        test.assertIsNotNone(old, "the source has none")
        new = side_data(out, kind)
        test.assertIsNotNone(new, "the result has none")
        test.assertEqual(set(old), set(new))
        for key in old:  # AV1 has other denominators
            if isinstance(old[key], str) and re.fullmatch(r"\d+/\d+", old[key]):
                test.assertAlmostEqual(float(Fraction(old[key])), float(Fraction(new[key])), delta=1e-4)
            else:
                test.assertEqual(old[key], new[key], key)
        if every:
            def count(path):
                frames = probe(path, "-select_streams", "v:0", "-show_frames")["frames"]
                return sum(any(d["side_data_type"] == kind for d in f.get("side_data_list", [])) for f in frames)
            test.assertEqual(count(source), count(out))
    return check


def keeps_side_data_of_track(kind):
    def check(test, source, out, result):
        def find(path):
            return [d for d in stream(path).get("side_data_list", []) if d["side_data_type"] == kind]
        test.assertTrue(find(source), "the source has none")
        test.assertEqual(find(source), find(out))
    return check


def looks_like_source(least=24, turned=False, filters="[0:v]scale=64:48:flags=area[a];[a][1:v]psnr"):
    """As a player shows it, reduced to the source's size."""
    def check(test, source, out, result):
        test.assertGreater(psnr(out, source, filters), least)
    return check


def frames(count):
    def check(test, source, out, result):
        test.assertEqual(result["frames_out"], count)
        test.assertEqual(len(exact_times(out)), count)
    return check


def size(width, height):
    return has(width=width, height=height)


def keeps_everything_around(test, source, out, result):
    """Tracks in their order with language, title and disposition; chapters; the file's tags."""
    old, new = (probe(p, "-show_format", "-show_streams", "-show_chapters") for p in (source, out))
    def track(s):
        tags = {k.lower(): v for k, v in s.get("tags", {}).items() if k.lower() in ("language", "title", "filename", "mimetype")}
        return s["codec_type"], s.get("codec_name") if s["codec_type"] != "video" else None, tags, s["disposition"]
    test.assertEqual([track(s) for s in old["streams"]], [track(s) for s in new["streams"]])
    def chapter(c):
        return float(c["start_time"]), float(c["end_time"]), c.get("tags", {}).get("title")
    test.assertEqual([chapter(c) for c in old["chapters"]], [chapter(c) for c in new["chapters"]])
    def tags(p):
        return {k.lower(): v for k, v in p["format"].get("tags", {}).items()
                if k.lower() in ("title", "artist", "comment", "date", "copyright")}
    test.assertTrue(tags(old))
    test.assertEqual(tags(old), tags(new))


def keeps_attachment(test, source, out, result):
    for path in (source, out):
        run("ffmpeg", "-nostdin", "-v", "error", "-y", "-dump_attachment:t:0", path + ".font", "-i", path)
    test.assertGreater(len(content(source + ".font", "rb")), 100)
    test.assertEqual(content(source + ".font", "rb"), content(out + ".font", "rb"))


def keeps_captions(test, source, out, result):
    """As a player reads them."""
    def words(path):
        done = run("ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i", f"movie={path}[out0+subcc]", "-map", "0:s", "-f",
                   "srt", "-")
        return done.stdout.decode()
    test.assertIn("HELLO", words(source))
    test.assertEqual(words(source), words(out))


def is_progressive(test, source, out, result):
    for frame in probe(out, "-select_streams", "v:0", "-show_frames")["frames"]:
        test.assertEqual(frame["interlaced_frame"], 0)


def has_pictures_of(*make, least=27, filters="[0:v]scale=64:48:flags=area[a];[a][1:v]psnr"):
    """The result, reduced, is these pictures; made by ffmpeg."""
    def check(test, source, out, result):
        wanted = source + ".wanted.mkv"
        ffmpeg(*make, "-c:v", "ffv1", wanted)
        test.assertEqual(len(exact_times(wanted)), len(exact_times(out)))
        test.assertGreater(psnr(out, wanted, filters), least)
    return check


def same_frames_twice(test, source, out, result):
    """Another run gives the same bytes."""
    again = out.replace(".", "-again.")
    done = test.upscale(source, again, *test.row.options)
    test.assertEqual(done.returncode, 0, done.stderr)
    test.assertEqual(content(out, "rb"), content(again, "rb"))


def differs_from_plain(test, source, out, result):
    plain = out.replace(".", "-plain.")
    test.assertEqual(test.upscale(source, plain).returncode, 0)
    test.assertNotEqual(frame_hashes(out), frame_hashes(plain))


def index_in_front(test, source, out, result):
    data = content(out, "rb")
    test.assertLess(data.index(b"moov"), data.index(b"mdat"))


def tag_is(word):
    def check(test, source, out, result):
        test.assertEqual(stream(out)["codec_tag_string"], word)
    return check


def says(*patterns):
    """On stderr, at any length."""
    def check(test, source, out, result):
        for pattern in patterns:
            test.assertRegex(test.said, pattern)
    return check


# ---- sources that are more than a line of ffmpeg ----

def rich(test, path):
    """Two languages of sound, two of subtitles, a font, a cover, chapters, titles."""
    words, styled, chapters, font = (test.at(f"{test.row.name}-{n}") for n in ("a.srt", "b.ass", "c.txt", "d.ttf"))
    with open(words, "w") as file:
        file.write("1\n00:00:00,100 --> 00:00:00,500\nHello\n")
    ffmpeg("-i", words, styled)
    with open(chapters, "w") as file:
        file.write(";FFMETADATA1\ntitle=A title\nartist=Somebody\ncomment=Nothing\n"
                   "[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=300\ntitle=One\n"
                   "[CHAPTER]\nTIMEBASE=1/1000\nSTART=300\nEND=600\ntitle=Two\n")
    with open(font, "wb") as file:
        file.write(bytes(range(256)) * 2)
    mkv = path.endswith(".mkv")
    ffmpeg(*with_sound(), "-i", words, "-i", words if not mkv else styled, "-i", chapters, "-map", "0", "-map", "1", "-map", "1",
           "-map", "2", "-map", "3", "-map_metadata", "4", "-map_chapters", "4", *X264, "-c:a:0", "aac", "-c:a:1",
           "flac" if mkv else "ac3", *(("-c:s:0", "srt", "-c:s:1", "ass", "-attach", font, "-metadata:s:t", "mimetype=font/ttf",
                                        "-metadata:s:t", "filename=d.ttf") if mkv else ("-c:s", "mov_text")),
           "-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=deu", "-metadata:s:s:0", "language=fra",
           "-metadata:s:s:1", "language=spa", "-disposition:a:0", "0", "-disposition:a:1", "default+comment",
           "-disposition:s:0", "forced", "-disposition:s:1", "0", path)


def covered(test, path):
    cover = test.at("cover.png")
    ffmpeg(*clip("-frames:v", "1", cover))
    ffmpeg(*with_sound(), "-i", cover, "-map", "0", "-map", "1", "-map", "2", *X264, "-c:a", "aac", "-c:v:1", "copy",
           "-disposition:v:1", "attached_pic", path)


def hidden_by_edits(test, path):
    """Cut where no key picture is: what is decoded before is hidden by the edit list."""
    whole = path + ".whole.mp4"
    ffmpeg(*with_sound(seconds=1), *X264, "-g", "50", "-c:a", "aac", whole)
    ffmpeg("-ss", "0.4", "-i", whole, "-c", "copy", path)


def rotated(degrees):
    def make(test, path):
        plain = path + ".plain.mp4"
        ffmpeg(*clip(*X264), plain)
        ffmpeg("-i", plain, "-c", "copy", "-metadata:s:v", f"rotate={degrees}", path)
    return make


def late_and_variable(test, path):
    """Picture and sound begin at different times, frames last differently long."""
    ffmpeg(*lavfi("testsrc2=s=64x48:r=30:d=1.2", "-itsoffset", "0.25"), *PICTURE, "sine=f=440:r=48000:d=1.2", "-vf",
           "select='not(mod(n,3))+gt(n,20)',setpts=PTS+0.4/TB", "-vsync", "passthrough", *X264, "-video_track_timescale", "90000",
           "-c:a", "aac", path)


def captioned(test, path):
    bare, kind = path + ".264", path.rsplit(".", 1)[1]
    ffmpeg(*clip(*X264, "-bf", "0", "-x264-params", "sliced-threads=0:slices=1", seconds=2.4), bare)
    with open(bare, "r+b") as file:
        data = with_captions(file.read(), "HELLO")
        file.seek(0)
        file.write(data)
    ffmpeg("-framerate", "25", "-i", bare, "-c", "copy", path)


def dynamic(test, path):
    bare = path + ".265"
    ffmpeg(*clip(*X265, *PQ, "-x265-params", HDR + ":bframes=0"), bare)
    with open(bare, "r+b") as file:
        data = with_hdr10plus(file.read())
        file.seek(0)
        file.write(data)
    ffmpeg("-framerate", "25", "-i", bare, "-c", "copy", "-tag:v", "hvc1", path)


INTERLACED = lavfi("testsrc2=s=64x48:r=50:d=0.8", "-vf", "tinterlace=interleave_top,fieldorder=tff", "-flags", "+ildct+ilme",
                   "-x264-params", "tff=1", *X264)
TELECINED = lavfi("testsrc2=s=64x48:r=24000/1001:d=1.0", "-vf", "telecine=pattern=23", "-qp", "4", *X264)
TAGS = ("-color_range", "tv", "-color_primaries", "bt2020", "-color_trc", "bt709", "-colorspace", "bt2020nc")
TAG_KEYS = ("color_range", "color_primaries", "color_transfer", "color_space")

ROWS = [
    # what is around the picture
    Row("mkv_tracks", rich, "mkv", "mkv", checks=(keeps_everything_around, keeps_packets("a", "s"), keeps_attachment,
                                                  keeps_times())),
    Row("mp4_tracks", rich, "mp4", "mp4", checks=(keeps_everything_around, keeps_packets("a", "s"), keeps_times(),
                                                  keeps_offset, index_in_front)),
    Row("mov_tracks", rich, "mov", "mov", checks=(keeps_everything_around, keeps_packets("a", "s"), keeps_times())),
    Row("m4v", rich, "mp4", "m4v", checks=(keeps_everything_around, keeps_packets("a", "s"))),
    Row("mp4_to_mkv", rich, "mp4", "mkv", ("--allow-loss",), (keeps_sound, keeps_times("1/1000", moved=True), keeps_offset)),
    Row("cover_mp4", covered, "mp4", "mp4", checks=(keeps_packets("v:1", "a"),)),
    Row("cover_mkv", covered, "mkv", "mkv", checks=(keeps_packets("a"), frames(15))),
    Row("timecode", with_sound(*X264, "-c:a", "aac", "-timecode", "01:02:03:04"), "mov", "mov",
        checks=(lambda test, source, out, result: test.assertEqual(
            *[[s["tags"]["timecode"] for s in probe(p, "-show_streams")["streams"] if "timecode" in s.get("tags", {})][0]
              for p in (source, out)]), keeps_times())),
    Row("losses_are_refused", rich, "mkv", "mp4", words=("--allow-loss", "ass", "attached file")),
    Row("losses_are_allowed", rich, "mkv", "mp4", ("--allow-loss",), (frames(15), keeps_packets("a:0"), says("ass", "attached file"))),
    # time
    Row("vfr_mp4", late_and_variable, "mp4", "mp4", checks=(keeps_times(), keeps_offset)),
    Row("vfr_mkv", late_and_variable, "mkv", "mkv", checks=(keeps_times(), keeps_offset)),
    Row("vfr_mp4_to_mkv", late_and_variable, "mp4", "mkv", ("--allow-loss",), (keeps_times("1/2000"), keeps_offset)),
    Row("ts_start", with_sound(*X264, "-c:a", "aac"), "ts", "mp4", ("--allow-loss",), (keeps_offset, frames(15))),
    Row("edit_list", hidden_by_edits, "mp4", "mp4", checks=(keeps_times(), keeps_offset, looks_like_source())),
    Row("edit_list_mov", hidden_by_edits, "mov", "mov", checks=(keeps_times(), keeps_offset)),
    Row("ntsc_rate", clip(*X264, rate="30000/1001"), "mp4", "mp4", checks=(keeps_times(), keeps("r_frame_rate"))),
    # shape
    Row("sar_mp4", clip("-vf", "setsar=16/11", *X264), "mp4", "mp4", checks=(keeps("sample_aspect_ratio"),)),
    Row("sar_mkv", clip("-vf", "setsar=16/11", *X264), "mkv", "mkv", checks=(keeps("sample_aspect_ratio"),)),
    Row("rotation_kept", rotated(90), "mp4", "mp4",
        checks=(looks_like_source(filters="[0:v]scale=48:64:flags=area[a];[a][1:v]psnr"),)),
    Row("rotation_270", rotated(270), "mov", "mov",
        checks=(looks_like_source(filters="[0:v]scale=48:64:flags=area[a];[a][1:v]psnr"),)),
    Row("rotation_to_mkv", rotated(90), "mp4", "mkv", ("--allow-loss",),
        (size(96, 128), looks_like_source(filters="[0:v]scale=48:64:flags=area[a];[a][1:v]psnr"))),
    Row("rotation_applied", rotated(180), "mp4", "mp4", ("--rotation", "apply"),
        (size(128, 96), looks_like_source(),
         lambda test, source, out, result: test.assertNotIn("side_data_list", stream(out)))),
    # colour
    Row("colour_tags_mp4", clip(*TAGS, *X264), "mp4", "mp4", checks=(keeps(*TAG_KEYS),)),
    Row("colour_tags_mkv", clip(*TAGS, *X264), "mkv", "mkv", checks=(keeps(*TAG_KEYS),)),
    Row("colour_tags_hevc", clip(*TAGS, *X264), "mp4", "mp4", ("--encoder", "libx265"), (keeps(*TAG_KEYS),)),
    Row("colour_tags_av1", clip(*TAGS, *X264), "mp4", "mp4", ("--encoder", "libsvtav1"), (keeps(*TAG_KEYS),)),
    Row("colour_assumed_25", clip(*X264), "mp4", "mp4", checks=(has(color_space="bt470bg", color_range="tv"),)),
    Row("colour_assumed_30", clip(*X264, rate="30000/1001"), "mp4", "mp4",
        checks=(has(color_space="smpte170m", color_range="tv"),)),
    Row("colour_pal", clip(*X264, "-color_primaries", "bt470bg", "-color_trc", "gamma28", "-colorspace", "bt470bg"), "mp4", "mp4",
        checks=(keeps("color_primaries", "color_transfer", "color_space"),)),
    Row("full_range", clip("-vf", "scale=out_range=pc", "-c:v", "libx264", "-pix_fmt", "yuvj420p"), "mp4", "mp4",
        checks=(has(color_range="pc"), looks_like_source())),
    *[Row("chroma_" + place, clip(*X264, "-chroma_sample_location", place), "mp4", "mp4", checks=(keeps("chroma_location"),))
      for place in ("left", "center", "topleft")],
    Row("ten_bit", clip("-c:v", "libx264", "-pix_fmt", "yuv420p10le"), "mkv", "mp4", ("--allow-loss",),
        (has(pix_fmt="yuv420p10le", codec_name="hevc"), tag_is("hvc1"), looks_like_source())),
    Row("ten_bit_av1", clip(*X265, "-x265-params", "log-level=error"), "mkv", "mkv", ("--encoder", "libsvtav1"),
        (has(pix_fmt="yuv420p10le", codec_name="av1"),)),
    *[Row("hdr10_" + name, clip(*X265, *PQ, "-x265-params", HDR, "-tag:v", "hvc1"), "mp4", ending, ("--encoder", encoder),
          (keeps("pix_fmt", *TAG_KEYS), keeps_side_data("Mastering display metadata", False),
           keeps_side_data("Content light level metadata", False)))
      for name, ending, encoder in (("mp4", "mp4", "auto"), ("mkv", "mkv", "auto"), ("av1", "mp4", "libsvtav1"))],
    Row("hdr10plus", dynamic, "mp4", "mp4", checks=(keeps_side_data("HDR Dynamic Metadata SMPTE2094-40 (HDR10+)"),
                                                    keeps_side_data("Mastering display metadata", False))),
    Row("hlg", clip(*X265, *HLG, "-x265-params", "log-level=error", "-tag:v", "hvc1"), "mp4", "mp4",
        checks=(keeps("pix_fmt", *TAG_KEYS),)),
    Row("captions_mp4", captioned, "mp4", "mp4", checks=(keeps_captions,)),
    Row("captions_hevc", captioned, "mp4", "mp4", ("--encoder", "libx265"), (keeps_captions,)),
    # interlace and film
    Row("deinterlaced", INTERLACED, "mp4", "mp4",
        checks=(frames(20), is_progressive, keeps_times(), has_pictures_of(*PICTURE, "testsrc2=s=64x48:r=25:d=0.8", least=20))),
    Row("deinterlaced_fields", INTERLACED, "mp4", "mp4", ("--deinterlace", "field"),
        (frames(40), is_progressive, has(r_frame_rate="50/1"),
         has_pictures_of(*PICTURE, "testsrc2=s=64x48:r=50:d=0.8", least=20))),
    Row("deinterlace_off", INTERLACED, "mp4", "mp4", ("--deinterlace", "off"), (frames(20), keeps_times())),
    Row("telecine_reversed", TELECINED, "mp4", "mp4", ("--telecine",),
        (frames(24), is_progressive, has_pictures_of(*PICTURE, "testsrc2=s=64x48:r=24000/1001:d=1.0", least=24))),
    # what is asked for
    *[Row("encoder_" + name, with_sound(*X264, "-c:a", "aac"), "mp4", ending, ("--encoder", name, "--allow-loss"),
          (has(codec_name=codec), frames(15), keeps_times("1/2000"), keeps_offset, looks_like_source(), same_frames_twice))
      for name, codec, ending in (("libx264", "h264", "mp4"), ("libx265", "hevc", "mp4"), ("libsvtav1", "av1", "mp4"),
                                  ("libx264", "h264", "mkv"))],
    Row("pieces", clip(*X264, seconds=2), "mp4", "mp4", ("--piece", "12"),
        (frames(50), keeps_times(), looks_like_source(), same_frames_twice)),
    Row("jobs", clip(*X264, seconds=2), "mp4", "mp4", ("--piece", "12", "--jobs", "2"), (frames(50), keeps_times())),
    Row("encoder_option", clip(*X264), "mp4", "mp4", ("-o", "aq-mode=0", "-o", "bframes=0"), (has(has_b_frames=0),)),
    Row("encoder_option_that_breaks", clip(*X264), "mp4", "mp4", ("-o", "g=5"), words=("g",), codes=(1, 2)),
    Row("encoder_option_unknown", clip(*X264), "mp4", "mp4", ("-o", "nonesuch=5"), words=("nonesuch",), codes=(1, 2)),
    Row("crf", clip(*X264), "mp4", "mp4", ("--crf", "40"), (frames(10),
        lambda test, source, out, result: test.assertLess(result["bytes_out"], 40000))),
    Row("to_size", clip(*X264), "mp4", "mp4", ("--to", "96x72"), (size(96, 72), looks_like_source())),
    Row("to_width", clip(*X264), "mp4", "mp4", ("--to", "96x"), (size(96, 72),)),
    Row("to_height", clip(*X264), "mp4", "mp4", ("--to", "72p"), (size(96, 72),)),
    Row("to_another_shape", clip(*X264), "mp4", "mp4", ("--to", "100x72"),
        (size(100, 72), has(display_aspect_ratio="4:3"))),
    Row("to_more_than_there_is", clip(*X264), "mp4", "mp4", ("--to", "4k"), words=("2160",)),
    Row("start", with_sound(*X264, "-c:a", "aac", seconds=2), "mp4", "mp4", ("--start", "0.8", "--duration", "0:00.4"),
        (frames(10), has_pictures_of("-ss", "0.8", "-t", "0.4", *PICTURE, "testsrc2=s=64x48:r=25:d=2"),)),
    Row("start_mkv", with_sound(*X264, "-c:a", "aac", seconds=2), "mkv", "mkv", ("--start", "0.8", "--duration", "0.4"),
        (frames(10), has_pictures_of("-ss", "0.8", "-t", "0.4", *PICTURE, "testsrc2=s=64x48:r=25:d=2"),)),
    Row("start_behind_the_end", clip(*X264), "mp4", "mp4", ("--start", "9"), words=("no frame begins",)),
    Row("denoise", clip(*X264), "mp4", "mp4", ("--denoise",), (frames(10), looks_like_source(), differs_from_plain)),
    Row("grain", clip(*X264), "mp4", "mp4", ("--grain",), (frames(10), looks_like_source(), differs_from_plain,
                                                         same_frames_twice)),
    Row("y4m_in", clip("-pix_fmt", "yuv420p"), "y4m", "mp4", checks=(frames(10), looks_like_source())),
    Row("no_sandbox", clip(*X264), "mp4", "mp4", ("--no-sandbox",), (frames(10), says("WITHOUT CONFINEMENT"))),
]


class Properties(Clips):
    """A method a row is added below."""
    row: Row
    said = ""

    def check_row(self, row):
        self.row = row
        source, out = self.at(f"{row.name}.{row.source}"), self.at(f"{row.name}-out.{row.out}")
        if callable(row.make):
            row.make(self, source)
        else:
            ffmpeg(*row.make, source)
        done = self.upscale(source, out, "--json", *row.options)
        self.said = done.stderr.decode(errors="replace") + "\n".join(
            json.loads(line).get("message", "") for line in done.stdout.splitlines())
        if row.words:
            self.assertIn(done.returncode, row.codes, self.said)
            for word in row.words:
                self.assertIn(word, self.said)
            self.assertFalse(os.path.exists(out))
            return
        self.assertEqual(done.returncode, 0, self.said)
        result = json.loads(done.stdout.splitlines()[-1])
        self.assertEqual(result["bytes_out"], os.path.getsize(out))
        for check in row.checks:
            check(self, source, out, result)


for one in ROWS:
    name = f"test_{one.name}" + (f"_{one.out}" if hasattr(Properties, f"test_{one.name}") else "")
    setattr(Properties, name, lambda self, row=one: self.check_row(row))


class Ways(Clips):
    """Ways to call it, and what it tells."""

    def test_y4m_through_pipes(self):
        y4m = self.at("pipe.y4m")
        ffmpeg(*clip("-pix_fmt", "yuv420p", y4m))
        with open(y4m, "rb") as file:
            done = self.upscale("-", "-", stdin=file)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(done.stdout.startswith(b"YUV4MPEG2 W128 H96 F25:1"), done.stdout[:60])
        self.assertEqual(done.stdout.count(b"FRAME\n"), 10)
        with open(y4m + ".big.y4m", "wb") as file:
            file.write(done.stdout)
        self.assertGreater(psnr(y4m + ".big.y4m", y4m), 26)

    def test_y4m_out(self):
        done = self.upscale(self.clip, "-", "--allow-loss")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout.count(b"FRAME\n"), 30)

    def test_never_overwrites_unasked(self):
        out = self.at("there.mp4")
        with open(out, "w") as file:
            file.write("precious")
        self.refuse(self.clip, out, "--overwrite")
        self.assertEqual(content(out), "precious")
        self.succeed(self.clip, out, "-y")
        self.assertEqual(len(exact_times(out)), 30)

    def test_progress_in_the_keys_of_ffmpeg(self):
        keys = self.at("keys.txt")
        self.succeed(self.clip, self.at("keys.mp4"), "--progress", keys)
        blocks = [dict(line.split("=", 1) for line in block.split("\n") if line)
                  for block in re.split(r"(?<=progress=continue)\n|(?<=progress=end)\n", content(keys)) if block.strip()]
        wanted = {"frame", "fps", "bitrate", "total_size", "out_time_us", "out_time_ms", "out_time", "dup_frames", "drop_frames",
                  "speed", "progress"}
        self.assertEqual({frozenset(b) for b in blocks}, {frozenset(wanted)})
        self.assertEqual(blocks[-1]["progress"], "end")
        self.assertEqual({b["progress"] for b in blocks[:-1]} - {"continue"}, set())
        self.assertEqual(blocks[-1]["frame"], "30")
        self.assertEqual(blocks[-1]["out_time"], "00:00:01.200000")
        self.assertEqual(blocks[-1]["out_time_us"], "1200000")
        self.assertEqual(int(blocks[-1]["total_size"]), os.path.getsize(self.at("keys.mp4")))
        done = self.upscale(self.clip, self.at("keys2.mp4"), "--progress", "-")
        self.assertTrue(done.stdout.endswith(b"progress=end\n"), done.stdout)

    def test_one_thing_on_standard_output(self):
        for options in (("--json", "--progress", "-"),):
            self.assertEqual(self.upscale(self.clip, self.at("one.mp4"), *options).returncode, 2)
        self.assertEqual(self.upscale(self.clip, "-", "--json").returncode, 2)

    def test_report(self):
        report, source = self.at("report.json"), self.at("still.mp4")
        ffmpeg(*lavfi("testsrc2=s=64x48:r=5:d=2", "-vf", "fps=25", "-qp", "0", *X264), source)
        self.succeed(source, self.at("reported.mp4"), "--report", report)
        told = json.loads(content(report))
        self.assertEqual((told["summary"]["frames_in"], told["summary"]["frames_out"]), (50, 50))
        rows = [dict(zip(told["columns"], row)) for piece in told["pieces"] for row in piece["ledger"]]
        self.assertEqual([r["source"] for r in rows], list(range(1, 51)))
        self.assertEqual([r["output"] for r in rows], list(range(1, 51)))
        base_in, base_out = Fraction(told["time_base_in"]), Fraction(told["time_base_out"])
        self.assertEqual([r["time_in"] * base_in for r in rows], exact_times(source))
        self.assertEqual([r["time_out"] * base_out for r in rows], exact_times(self.at("reported.mp4")))
        fates = [r["fate"] for r in rows]
        self.assertEqual(fates[0], "kept")
        self.assertEqual(set(fates), {"kept", "duplicate"})
        self.assertEqual(told["summary"]["fates"]["duplicate"], fates.count("duplicate"))

    def test_preview(self):
        png = self.at("frame.png")
        done = self.upscale(self.clip, png, "--preview", "--start", "0.4")
        self.assertEqual(done.returncode, 0, done.stderr)
        info = stream(png)
        self.assertEqual(info["codec_name"], "png")
        self.assertGreaterEqual(info["width"], 192)
        self.assertEqual(info["height"], 128)
        self.refuse(self.clip, png, "--overwrite", options=("--preview",))

    def test_options_that_are_wrong(self):
        for words in (("--to", "big"), ("--to", "10"), ("--to", "96x1"), ("--to", "0x9"), ("--start", "1:60"), ("--start", "-1"),
                      ("--start", "1:2:3:4"), ("--duration", "x"), ("--encoder", "xvid"), ("--deinterlace", "maybe"),
                      ("--rotation", "up"), ("--jobs", "0"), ("-o", "crf"), ("--grain=99",), ("--piece", "1"), ("--crf", "-1"),
                      ("--preset", "warp"), ("--nonesuch",)):
            done = self.upscale(self.clip, self.at("wrong.mp4"), *words)
            self.assertEqual(done.returncode, 2, (words, done.stderr))
            self.assertNotEqual(done.stderr, b"")
            self.assertFalse(os.path.exists(self.at("wrong.mp4")))


class RealClips(Clips):
    """Of $SPYHOP_CLIPS: a moment of each keeps its tags, its tracks' offsets and its pictures."""

    def clips(self):
        folder = os.environ.get("SPYHOP_CLIPS")
        if not folder:
            self.skipTest("SPYHOP_CLIPS is not set")
        return [os.path.join(folder, n) for n in sorted(os.listdir(folder)) if re.search(r"\.(mp4|mov|mkv|ts|avi|mpg)$", n)]

    def test_clips(self):
        for source in self.clips():
            with self.subTest(os.path.basename(source)):
                kind = "mkv" if source.endswith("avi") else "mp4"
                length = "0.4" if stream(source)["width"] * stream(source)["height"] < 1000000 else "0.05"
                out = self.at(os.path.basename(source) + ".out." + kind)
                done = self.upscale(source, out, "--json", "--allow-loss", "--duration", length, "--to",
                                    "%dx%d" % (stream(source)["width"] // 4 * 2, stream(source)["height"] // 4 * 2))
                self.assertEqual(done.returncode, 0, done.stderr)
                old, new = stream(source), stream(out)
                for key in TAG_KEYS:
                    if key in old:
                        self.assertEqual(old[key], new.get(key), key)
                if "10" in old["pix_fmt"]:
                    self.assertIn("10", new["pix_fmt"])
                for kind in ("Mastering display metadata", "Content light level metadata"):
                    if side_data(source, kind):  # it may stand in the container alone
                        self.assertIsNotNone(side_data(out, kind))
                self.assertEqual(len(exact_times(out)), json.loads(done.stdout.splitlines()[-1])["frames_out"])


if __name__ == "__main__":
    unittest.main(verbosity=1)
