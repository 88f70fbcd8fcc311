# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where models are found, what is said of one that is not there, and a model that only ONNX Runtime runs."""
import glob
import json
import os
import shutil
import subprocess
import tempfile
import unittest

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "../.."))
NETWORKS = os.path.join(ROOT, "tests/engine/networks")


def onnx_runtime():
    """The library that script/ort fetched, or that SPYHOP_ORT names."""
    named = os.environ.get("SPYHOP_ORT")
    found = glob.glob(os.path.join(ROOT, "build/*/node_modules/onnxruntime-node/bin/*/linux/*/libonnxruntime.so.1"))
    machine = {"x86_64": "/x64/", "aarch64": "/arm64/"}.get(os.uname().machine, "?")
    return named or next((file for file in found if machine in file), None)


class Models(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="spyhop-models-")
        self.addCleanup(shutil.rmtree, self.folder)
        os.mkdir(self.at("bin"))
        os.mkdir(self.at("models"))
        self.program = shutil.copy2(os.environ["SPYHOP_PROGRAM"], self.at("bin/spyhop"))
        shutil.copy(os.path.join(NETWORKS, "espcn_1x3.onnx"), self.at("models/near.onnx"))
        shutil.copy(os.path.join(NETWORKS, "fsrcnn_1x2.onnx"), self.at("models/far.onnx"))

    def at(self, name):
        return os.path.join(self.folder, name)

    def bench(self, model, onnx_dir=None, ort=""):
        environment = {k: v for k, v in os.environ.items() if k != "ONNX_DIR"} | {"SPYHOP_ORT": ort}
        if onnx_dir is not None:
            environment["ONNX_DIR"] = onnx_dir
        return subprocess.run([self.program, "bench", "--model", model, "--size", "32x24", "--seconds", "1",
                               "--threads", "1", "--json"], capture_output=True, text=True, timeout=120,
                              env=environment)

    def test_installed(self):
        done = self.bench("near")
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_onnx_dir_comes_first(self):
        os.mkdir(self.at("own"))
        shutil.copy(os.path.join(NETWORKS, "fsrcnn_1x4.onnx"), self.at("own/near.onnx"))
        done = self.bench("near", self.at("own"))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        other = json.loads(self.bench("near").stdout)
        self.assertNotAlmostEqual(json.loads(done.stdout)["gmac_per_s"] / json.loads(done.stdout)["fps"],
                                  other["gmac_per_s"] / other["fps"])

    def test_onnx_dir_that_is_not_there(self):
        done = self.bench("near", self.at("nowhere"))
        self.assertEqual(done.returncode, 0, done.stderr)
        for words in ("warning", "ONNX_DIR", self.at("nowhere"), "cannot be opened", "models/near.onnx"):
            self.assertIn(words, done.stderr)

    def test_onnx_dir_without_the_model(self):
        os.mkdir(self.at("own"))
        done = self.bench("near", self.at("own"))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("does not have that model", done.stderr)

    def test_missing(self):
        os.mkdir(self.at("own"))
        shutil.copy(os.path.join(NETWORKS, "fsrcnn_1x4.onnx"), self.at("own/mine.onnx"))
        done = self.bench("nonesuch", self.at("own"))
        self.assertEqual(done.returncode, 1)
        self.assertIn('no model "nonesuch"; there are: far, mine, near.', done.stderr)
        self.assertIn(self.at("own"), done.stderr)

    def test_missing_among_none(self):
        shutil.rmtree(self.at("models"))
        done = self.bench("nonesuch")
        self.assertEqual(done.returncode, 1)
        self.assertIn("there are none", done.stderr)

    def test_without_onnx_runtime(self):
        done = self.bench(os.path.join(NETWORKS, "attention_1x2.onnx"))
        self.assertEqual(done.returncode, 1)
        for words in ("GlobalAveragePool", "npm install onnxruntime-node", "SPYHOP_ORT"):
            self.assertIn(words, done.stderr)

    def test_what_is_no_library(self):
        done = self.bench(os.path.join(NETWORKS, "attention_1x2.onnx"), ort="/etc/passwd")
        self.assertEqual(done.returncode, 1)
        self.assertIn("SPYHOP_ORT: /etc/passwd", done.stderr)

    def test_film_through_onnx_runtime(self):
        """The process that decodes and enlarges may open no files: the library has to be there before."""
        library = onnx_runtime()
        if not library:
            self.skipTest("there is no ONNX Runtime: script/ort fetches it")
        clip, out = self.at("clip.mp4"), self.at("out.mp4")
        subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=64x48:r=5:d=1", "-pix_fmt", "yuv420p",
                        clip], check=True, timeout=60)
        # the library keeps a few bytes of its own, which the leak sanitizer would tell
        sanitizer = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
        done = subprocess.run([self.program, "upscale", "--model", os.path.join(NETWORKS, "attention_1x2.onnx"),
                               "--json", clip, out], capture_output=True, text=True, timeout=240,
                              env=os.environ | {"SPYHOP_ORT": library, "ASAN_OPTIONS": sanitizer})
        self.assertEqual(done.returncode, 0, done.stderr)
        told = json.loads(done.stdout.splitlines()[-1])
        self.assertEqual((told["frames_in"], told["frames_out"]), (5, 5))


unittest.main()
