# SPDX-License-Identifier: LGPL-2.1-or-later
"""The FFmpeg filter, in the ffmpeg that script/ffmpeg builds: bit for bit what libspyhop gives, and everything else of
a frame passed on."""
import re
import unittest

from filter_case import BY_NAME, FORMATS, ROOT, Case

GREY, YUV = BY_NAME["gray"], BY_NAME["yuv420p"]
ALIASES = ("bdsr_aws", "bdsr_coupang_aws", "bdwalrus_aws")


class Pictures(Case):
    def check(self, pixels, width, height, filters="spyhop=model=two", count=2, before=(), **options):
        data = b"".join(pixels.frame(width, height, i) for i in range(count))
        got = self.filtered(pixels, width, height, data, filters, before)
        self.same(got, self.reference(pixels, width, height, data, **options), f"{pixels.name} {width}x{height} {filters}")
        return got

    def test_every_pixel_format(self):
        for pixels in FORMATS:
            for width, height in [(18, 14), (17, 13)]:
                with self.subTest(format=pixels.name, size=(width, height)):
                    self.check(pixels, width, height)

    def test_sizes_from_one_sample(self):
        for width, height in [(1, 1), (1, 9), (9, 1), (2, 2), (3, 5), (64, 3), (131, 67)]:
            with self.subTest(size=(width, height)):
                self.check(YUV, width, height)

    def test_range_of_the_frame(self):
        for name, full in [("pc", 1), ("tv", 0)]:
            self.check(YUV, 16, 16, f"setparams=range={name},spyhop=model=two", full=full)
            self.check(GREY, 16, 16, f"setparams=range={name},spyhop=model=two", full=full)

    def test_siting_of_the_frame(self):
        data = YUV.frame(32, 32, 0)
        for number, name in enumerate(["left", "center", "topleft", "top", "bottomleft", "bottom"]):
            # lossless, so that the stream brings the siting and the same samples
            stream = self.ffmpeg("-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", "32x32", "-i", "-", "-c:v", "libx264", "-qp",
                                 "0", "-chroma_sample_location", name, "-f", "matroska", "-", data=data)
            got = self.ffmpeg("-i", "-", "-vf", "spyhop=model=two", "-f", "rawvideo", "-", data=stream)
            self.same(got, self.reference(YUV, 32, 32, data, siting=number), name)

    def test_strength(self):
        for strength in (0, 0.25, 1):
            self.check(YUV, 20, 12, f"spyhop=model=two:strength={strength}", strength=strength)

    def test_threads_change_nothing(self):
        data = b"".join(YUV.frame(120, 90, i) for i in range(2))
        wanted = self.reference(YUV, 120, 90, data)
        for threads in (0, 1, 2, 5):
            got = self.filtered(YUV, 120, 90, data, f"spyhop=model=two:engine_threads={threads}")
            self.same(got, wanted, f"{threads} threads")
        for threads in (1, 3):
            got = self.filtered(YUV, 120, 90, data, "spyhop=model=two", ["-filter_threads", str(threads)])
            self.same(got, wanted, f"-filter_threads {threads}")

    def test_scalar_code_is_within_one(self):
        data = YUV.frame(40, 30, 0)
        fast, plain = (self.filtered(YUV, 40, 30, data, f"spyhop=model=two:cpu={cpu}") for cpu in ("auto", "c"))
        self.assertLessEqual(max(abs(a - b) for a, b in zip(fast, plain)), 1)

    def test_what_the_options_come_to_is_told(self):
        self.ffmpeg("-f", "lavfi", "-i", "color=s=20x12:d=0.04", "-vf", "spyhop=model=two:cpu=c:engine_threads=3", "-f", "null", "-",
                    verbosity="verbose")
        self.assertRegex(self.log, "20x12 yuv420p to 40x24: two, x2 1 times, 3 threads, cpu c, fp32")

    def test_scale_four_is_two_passes(self):
        self.check(YUV, 15, 11, "spyhop=scale=4:model=two", passes=2)

    def test_a_network_of_exactly_that_scale_goes_first(self):
        self.check(YUV, 15, 11, "spyhop=scale=3:model=many", model="many_x3")

    def test_scale_one_restores(self):
        self.check(YUV, 15, 11, "spyhop=scale=1", model="restore")
        self.check(YUV, 15, 11, "bdnvx_aws", model="restore")

    def test_other_names(self):
        for name in ALIASES:
            self.check(YUV, 20, 14, name, model="fast")
            self.check(YUV, 20, 14, f"{name}=scale=2", model="fast")
            self.check(YUV, 20, 14, f"{name}=2", model="fast")
        self.check(YUV, 20, 14, "bdnvx_aws=model=one:strength=0.5", model="one", strength=0.5)

    def test_three_channels_take_colours_only(self):
        self.check(BY_NAME["gbrp"], 18, 14, "spyhop=model=colour", model="colour")
        data = YUV.frame(16, 16, 0)
        self.assertEqual(len(self.filtered(YUV, 16, 16, data, "spyhop=model=colour")), 4 * len(data))

    def test_shipped_networks(self):
        shipped = sorted((ROOT / "models").glob("*.onnx"))
        self.assertTrue(shipped)
        for model in shipped:
            with self.subTest(model=model.stem):
                for pixels in (YUV, BY_NAME["yuv420p10le"], BY_NAME["gbrp"]):
                    self.check(pixels, 50, 38, f"spyhop=model={model}", model=model)

    def test_packed_colours_become_planar(self):
        data = bytes(range(256)) * 3
        got = self.ffmpeg("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "16x16", "-i", "-", "-vf",
                          "spyhop=model=two,showinfo", "-f", "rawvideo", "-pix_fmt", "rgb24", "-", data=data, verbosity="info")
        self.assertEqual(len(got), 4 * len(data))
        self.assertIn("fmt:gbrp", self.log)


class Sizes(Case):
    def resized(self, options, pixels=GREY, width=20, height=12):
        """The size that comes out, and the picture."""
        data = pixels.frame(width, height, 0)
        got = self.ffmpeg("-f", "rawvideo", "-pix_fmt", pixels.name, "-s", f"{width}x{height}", "-i", "-", "-vf",
                          f"spyhop=model=two:{options},showinfo", "-f", "rawvideo", "-", data=data, verbosity="info")
        return re.search(r" s:(\d+x\d+) ", self.log).group(1), got

    def test_width_and_height(self):
        for options, size in [("w=50:h=30", "50x30"), ("w=50", "50x30"), ("h=45", "76x45"), ("w=iw*3:h=ih*3", "60x36"),
                              ("w=-1:h=33", "55x33"), ("w=7:h=5", "7x5"), ("w=200:h=20", "200x20"), ("scale=0", "40x24"),
                              ("scale=1.5", "30x18"), ("scale=2.55", "51x31"), ("scale=0.5", "10x6"), ("w=161:h=99", "161x99"),
                              ("w=20:h=12", "20x12")]:
            with self.subTest(options=options):
                got_size, got = self.resized(options)
                self.assertEqual(got_size, size)
                self.assertEqual(len(got), int(size.split("x")[0]) * int(size.split("x")[1]))

    def test_exact_multiples_touch_nothing_else(self):
        data = YUV.frame(20, 12, 0)
        got = self.filtered(YUV, 20, 12, data, "spyhop=model=two:w=40:h=24")
        self.same(got, self.reference(YUV, 20, 12, data), "w=40:h=24")

    def test_the_rest_is_libswscales(self):
        flags = "flags=lanczos+accurate_rnd+full_chroma_int+bitexact"
        for pixels in (GREY, BY_NAME["yuv444p"], BY_NAME["gray16le"]):
            data = pixels.frame(20, 12, 0)
            got = self.filtered(pixels, 20, 12, data, "spyhop=model=two:w=33:h=21")
            self.same(got, self.filtered(pixels, 20, 12, data, f"spyhop=model=two,scale=33:21:{flags}"), pixels.name)

    def test_what_does_not_enlarge_uses_no_network(self):
        data = YUV.frame(20, 12, 0)
        for options in ("w=20:h=12", "scale=1"):
            self.same(self.filtered(YUV, 20, 12, data, f"spyhop=model=two:{options}"), data, "the size it has")
            self.assertIn("20x12 is not larger than 20x12: two, which enlarges, is not used", self.log)
        self.filtered(YUV, 20, 12, data, "spyhop=model=two:w=10:h=6")
        self.assertIn("10x6 is not larger", self.log)
        self.filtered(YUV, 20, 12, data, "spyhop=model=two")
        self.assertEqual(self.log, "")

    def test_restoring_network_and_another_size(self):
        self.filtered(GREY, 20, 12, GREY.frame(20, 12, 0), "bdnvx_aws=scale=2")
        self.assertIn("does not enlarge", self.log)

    def test_pixel_formats_of_odd_sizes_are_resized(self):
        for pixels in FORMATS:
            if pixels.name in ("nv16", "nv20le"):  # libswscale takes neither
                continue
            with self.subTest(format=pixels.name):
                got = self.filtered(pixels, 17, 13, pixels.frame(17, 13, 0), "spyhop=model=two:w=25:h=19")
                self.assertEqual(len(got), pixels.samples(25, 19) * (1 if pixels.depth == 8 else 2))

    def test_flat_pictures_stay_flat(self):
        for value in (16, 81, 128, 235):
            got = self.filtered(GREY, 20, 12, bytes([value]) * 240, "spyhop=strength=0:model=two:w=33:h=21")
            self.assertEqual(set(got), {value})

    def test_size_changes_on_the_way(self):
        # the scale filter gives frames of another size from the third on
        change = "scale=w='if(lt(n,2),16,24)':h='if(lt(n,2),16,8)':eval=frame:flags=neighbor"
        data = b"".join(GREY.frame(16, 16, i) for i in range(4))
        source = ("-f", "rawvideo", "-pix_fmt", "gray", "-s", "16x16", "-i", "-", "-vf")
        for between in ("", ",copy"):  # the scale filter tells a filter right behind it the new size earlier
            got = self.frames(*source, f"{change}{between},spyhop=model=two,showinfo", data=data)
            self.assertEqual([f["s"] for f in got], ["32x32", "32x32", "48x16", "48x16"])
            got = self.frames(*source, f"{change}{between},spyhop=model=two:w=50:h=50,showinfo", data=data)
            self.assertEqual([f["s"] for f in got], ["50x50"] * 4)

class Frames(Case):
    SOURCE = ("-f", "lavfi", "-i", "testsrc2=s=32x24:r=25:d=1")

    def times(self, filters, *more):
        text = self.ffmpeg(*self.SOURCE, "-vf", filters, *more, "-f", "framecrc", "-").decode()
        return [line.split(",")[1:4] for line in text.splitlines() if not line.startswith("#")]

    def test_one_out_for_each_in_with_its_time(self):
        for before in ("null", "select='not(mod(n,3))+eq(n,7)'", "setpts=PTS*1.5+7/TB"):
            wanted = self.times(f"{before},null", "-vsync", "passthrough")
            self.assertGreater(len(wanted), 5)
            self.assertEqual(self.times(f"{before},spyhop=model=two", "-vsync", "passthrough"), wanted)

    def test_rate_and_time_base(self):
        text = self.ffmpeg(*self.SOURCE, "-vf", "fps=30000/1001,spyhop=model=two", "-f", "framecrc", "-").decode()
        self.assertIn("#tb 0: 1001/30000", text)

    def test_aspect_ratio(self):
        for options, sar in [("scale=2", "64/45"), ("w=64:h=48", "64/45"), ("w=128:h=48", "32/45")]:
            got = self.frames(*self.SOURCE, "-vf", f"setsar=64/45,spyhop=model=two:{options},showinfo", "-frames:v", "1")
            self.assertEqual(got[0]["sar"], sar, options)

    def test_colour_passes(self):
        path = self.folder / "colour.mkv"
        self.ffmpeg(*self.SOURCE, "-vf", "format=yuv420p,setparams=range=pc:color_primaries=bt2020:color_trc=smpte2084:"
                    "colorspace=bt2020nc,spyhop=model=two", "-frames:v", "2", "-c:v", "ffv1", str(path), "-y")
        frame = self.probe(path)["frames"][0]
        self.assertEqual([frame.get(k) for k in ("color_range", "color_primaries", "color_transfer", "color_space")],
                         ["pc", "bt2020", "smpte2084", "bt2020nc"])

    def test_chroma_siting_passes(self):
        path = self.folder / "siting.mkv"
        self.ffmpeg(*self.SOURCE, "-frames:v", "2", "-pix_fmt", "yuv420p", "-c:v", "libx264", "-chroma_sample_location",
                    "topleft", str(path), "-y")
        self.ffmpeg("-i", str(path), "-vf", "spyhop=model=two,showinfo", "-f", "rawvideo", "-", verbosity="verbose")
        wanted = self.probe(path)["frames"][0]["chroma_location"]
        self.assertEqual(wanted, "topleft")
        self.ffmpeg("-i", str(path), "-vf", "spyhop=model=two", "-c:v", "libx264", str(self.folder / "out.mkv"), "-y")
        self.assertEqual(self.probe(self.folder / "out.mkv")["frames"][0]["chroma_location"], "topleft")

    def test_side_data_passes(self):
        path = self.folder / "sei.mkv"
        self.ffmpeg(*self.SOURCE, "-frames:v", "2", "-pix_fmt", "yuv420p", "-c:v", "libx264", str(path), "-y")
        self.frames("-i", str(path), "-vf", "spyhop=model=two,showinfo")
        self.assertIn("side data - User Data Unregistered", self.log) # x264 signs its first picture

    def test_regions_grow_with_the_picture(self):
        self.frames(*self.SOURCE, "-vf", "addroi=4:6:8:10:qoffset=-1/10,spyhop=model=two,showinfo", "-frames:v", "1")
        self.assertRegex(self.log, r"\(8, 12\) -> \(24, 32\)")

    def test_interlaced_input_is_told_once(self):
        for mode, count in [("prog", 0), ("tff", 1)]:
            self.ffmpeg(*self.SOURCE, "-vf", f"setfield={mode},spyhop=model=two", "-f", "null", "-")
            self.assertEqual(self.log.count("interlaced"), count, self.log)

    def test_upside_down(self):
        data = YUV.frame(20, 12, 0)
        got = self.filtered(YUV, 20, 12, data, "vflip,spyhop=model=two")
        turned = self.filtered(YUV, 20, 12, data, "vflip,format=yuv420p")
        self.same(got, self.reference(YUV, 20, 12, turned), "vflip")


class Refusals(Case):
    SOURCE = ("-f", "lavfi", "-i", "testsrc2=s=32x24:r=25:d=0.2")

    def says(self, filters, *words, environment=None, source=None):
        text = self.refused(*(source or self.SOURCE), "-vf", filters, "-f", "null", "-", environment=environment)
        for word in words:
            self.assertIn(word, text)
        return text

    def test_a_model_that_is_not_there(self):
        self.says("spyhop=model=nonesuch", 'There is no model "nonesuch"', "ONNX_DIR", "colour", "two", str(self.models))
        text = self.says("spyhop=model=nonesuch", "There are: ")
        names = re.search(r"There are: ([^.]*)\.", text).group(1).split(", ")
        self.assertEqual(len(names), len(set(names)))
        self.says("spyhop=model=/no/such/file.onnx", "/no/such/file.onnx")

    def test_a_model_that_is_none(self):
        bad = self.folder / "bad.onnx"
        whole = (self.models / "two.onnx").read_bytes()
        for data in (b"", b"no network", whole[:len(whole) // 2], whole[:-1]):
            bad.write_bytes(data)
            self.says(f"spyhop=model={bad}", "bad.onnx")

    def test_options(self):
        self.says("spyhop=cpu=mmx", "cpu=mmx", "avx2", "auto")
        self.says("spyhop=device=cuda", "no CUDA", "device=cpu")
        self.says("spyhop=device=tpu", "device=tpu", "cpu auto cuda")
        self.says("spyhop=scale=2:w=100", "give one of them")
        self.says("spyhop=precision=fp7", "precision=fp7", "auto fp32")
        for options in ("scale=5", "scale=-1", "strength=1.5", "strength=-0.1", "engine_threads=257", "engine_threads=-1",
                        "nonesuch=1"):
            self.says(f"spyhop={options}", options.split("=")[0])

    def test_sizes(self):
        self.says("spyhop=model=two:w=40000:h=20", "40000x20", "32768")
        self.says("spyhop=model=two:w=abc", "abc")
        self.says("spyhop=model=two", "32768", source=("-f", "lavfi", "-i", "color=s=20000x16:d=0.04"))

    def test_a_missing_folder_warns_and_goes_on(self):
        self.ffmpeg(*self.SOURCE, "-vf", "bdsr_aws", "-f", "null", "-", environment={"ONNX_DIR": "/no/such/folder"})
        self.assertIn("ONNX_DIR is /no/such/folder, which cannot be opened: using the installed", self.log)
        empty = self.folder / "empty"
        empty.mkdir()
        self.ffmpeg(*self.SOURCE, "-vf", "bdsr_aws", "-f", "null", "-", environment={"ONNX_DIR": str(empty)})
        self.assertIn("which does not have the model: using the installed", self.log)
        self.ffmpeg(*self.SOURCE, "-vf", "bdsr_aws", "-f", "null", "-", environment={"ONNX_DIR": ""})
        self.assertNotIn("ONNX_DIR", self.log)


if __name__ == "__main__":
    unittest.main()
