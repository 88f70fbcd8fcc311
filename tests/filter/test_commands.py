# SPDX-License-Identifier: LGPL-2.1-or-later
"""The ffmpeg commands of the documents that Spyhop runs, as they are written there. Where ffmpeg has no NVIDIA encoder
`-c:v h264_nvenc -cq 13` is edited to `-c:v libx264 -crf 13`, and that is the only edit."""
import os
import re
import subprocess
import unittest

from filter_case import FFMPEG, ROOT, Case

MODEL_A = ("ffmpeg -y -i ${ORIG_FILENAME} -vf bdnvx_aws,bdsr_coupang_aws,noise=c0s=8:allf=t+u -c:v h264_nvenc -cq 13 "
           "-c:a copy ${SR_FILENAME}")
MODEL_B = "ffmpeg -y -i ${ORIG_FILENAME} -vf bdsr_coupang_aws -c:v h264_nvenc -cq 13 -c:a copy ${SR_FILENAME}"
ARGUMENTS = "ffmpeg -y -i ${ORIG_FILENAME} -vf bdsr_aws=scale=2 -c:v h264_nvenc -cq 13 ${SR_FILENAME}"
WALRUS = "ffmpeg -hide_banner -y -i original_input.mp4 -vf bdwalrus_aws -c:v libx264 output.mp4"
FULL_BUILD = not (FFMPEG or "").endswith("ffmpeg-small/ffmpeg")


class Commands(Case):
    """Run by a shell, with ffmpeg found in PATH."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.clip = cls.folder / "original_input.mp4"
        subprocess.run([FFMPEG, "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=160x120:r=25:d=1.2", "-f", "lavfi", "-i",
                        "sine=r=44100:d=1.2", "-pix_fmt", "yuv420p", "-c:v", "libx264", "-c:a", "aac", str(cls.clip)],
                       check=True, timeout=60)

    def shell(self, command):
        names = {"ORIG_FILENAME": "original_input.mp4", "SR_FILENAME": "output.mp4", "ONNX_DIR": str(self.models),
                 "PATH": os.path.dirname(FFMPEG) + ":" + os.environ["PATH"]}
        return subprocess.run(["sh", "-c", command], capture_output=True, stdin=subprocess.DEVNULL, cwd=self.folder,
                              timeout=300, env={**os.environ, **names})

    def sound(self, path):
        return subprocess.run([FFMPEG, "-v", "error", "-i", path, "-map", "0:a", "-c", "copy", "-f", "framemd5", "-"],
                              capture_output=True, check=True, timeout=60).stdout

    def check(self, command, copies_sound):
        done = self.shell(command.replace("-c:v h264_nvenc -cq 13", "-c:v libx264 -crf 13"))
        self.assertEqual(done.returncode, 0, done.stderr.decode(errors="replace"))
        result = self.probe(self.folder / "output.mp4")
        stream = result["streams"][0]
        self.assertEqual((stream["width"], stream["height"], stream["codec_name"]), (320, 240, "h264"))
        self.assertEqual(len(result["frames"]), 30)
        before = [f["pts_time"] for f in self.probe(self.clip)["frames"]]
        self.assertEqual([f["pts_time"] for f in result["frames"]], before)
        if copies_sound:
            self.assertEqual(self.sound(self.folder / "output.mp4"), self.sound(self.clip))

    def test_model_a(self):
        self.check(MODEL_A, True)

    def test_model_b(self):
        self.check(MODEL_B, True)

    def test_with_arguments(self):
        self.check(ARGUMENTS, False)

    def test_by_hand(self):
        self.check(WALRUS, False)

    @unittest.skipUnless(FULL_BUILD, "the small build knows no NVIDIA encoder")
    def test_without_the_edit_the_error_is_clear(self):
        done = self.shell(MODEL_B)
        if done.returncode == 0:
            self.skipTest("there is an NVIDIA encoder here")
        self.assertRegex(done.stderr.decode(), "h264_nvenc|nvenc|libcuda")

    def test_noise_is_noise(self):
        wanted, got = (self.ffmpeg("-i", str(self.clip), "-vf", filters, "-frames:v", "2", "-f", "rawvideo", "-")
                       for filters in ("bdsr_coupang_aws", "bdsr_coupang_aws,noise=c0s=8:allf=t+u"))
        self.assertEqual(len(wanted), len(got))
        size = 320 * 240
        self.assertNotEqual(wanted[:size], got[:size])
        self.same(got[size:size * 3 // 2], wanted[size:size * 3 // 2], "chroma, which c0s leaves alone")

    def test_shipped_networks_run(self):
        for name, network in [("bdsr_aws", "fast"), ("bdnvx_aws", "restore")]:
            if not (ROOT / "models" / f"{network}.onnx").exists():
                continue
            self.ffmpeg("-i", str(self.clip), "-vf", name, "-frames:v", "2", "-f", "null", "-",
                        environment={"ONNX_DIR": str(ROOT / "models")})


class Build(Case):
    @unittest.skipUnless(FULL_BUILD, "the small build has only what tests need")
    def test_codecs_and_filters(self):
        for kind, names in [
                ("encoders", "libx264 libx265 libsvtav1 libvpx libvpx-vp9 libopus h264_nvenc hevc_nvenc"),
                ("decoders", "libdav1d h264 hevc vp9 av1"), ("filters", "zscale ass subtitles drawtext noise bwdif scale")]:
            there = re.findall(r"^ \S+ +(\S+)", self.ffmpeg(f"-{kind}").decode(), re.M)
            for name in names.split():
                self.assertIn(name, there, kind)

    def test_every_name_has_its_own_help(self):
        for name in ("spyhop", "bdsr_aws", "bdsr_coupang_aws", "bdwalrus_aws", "bdnvx_aws"):
            text = self.ffmpeg("-h", f"filter={name}").decode()
            self.assertIn(f"{name} AVOptions", text)
            for option in ("scale", "w", "h", "model", "engine_threads", "cpu", "device", "strength", "precision"):
                self.assertRegex(text, rf"(?m)^ +{option} +<")

    def test_no_library_of_ffmpeg_is_loaded(self):
        done = subprocess.run(["ldd", FFMPEG], capture_output=True, text=True, check=True)
        self.assertNotRegex(done.stdout, "libav|libsw|libspyhop|not found")


if __name__ == "__main__":
    unittest.main()
