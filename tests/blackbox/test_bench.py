# SPDX-License-Identifier: LGPL-2.1-or-later
"""`spyhop bench` as a person runs it: the numbers hang together, and what is wrong is said."""
import json
import os
import subprocess
import tempfile
import unittest

PROGRAM = os.environ["SPYHOP_PROGRAM"]


def run(*words, **more):
    return subprocess.run([PROGRAM, "bench", *words], capture_output=True, text=True, timeout=240, **more)


class Bench(unittest.TestCase):
    def test_json(self):
        done = run("--model", "fast", "--size", "96x64", "--threads", "2", "--seconds", "1", "--cpu", "c", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        told = json.loads(done.stdout)
        self.assertEqual((told["threads"], told["cpu"], told["width"], told["height"], told["model"]),
                         (2, "c", 96, 64, "fast"))
        self.assertGreater(told["fps"], 0)
        self.assertGreater(told["peak_gmac_per_s"], 0)
        self.assertGreaterEqual(told["spread"], 0)
        self.assertAlmostEqual(told["gmac_per_s"], told["fps"] * 9612 * 96 * 64 / 1e9, delta=told["gmac_per_s"] * 0.01)

    def test_table(self):
        done = run("--size", "17x1", "--seconds", "1", "--threads", "1")
        self.assertEqual(done.returncode, 0, done.stderr)
        for word in ("fps", "GMAC/s", "peak GMAC/s", "17 x 1"):
            self.assertIn(word, done.stdout)

    def test_usage(self):
        for words in (["--size", "640"], ["--size", "0x4"], ["--size", "99999x4"], ["--threads", "0"], ["--cpu", "mmx"],
                      ["--precision", "fp9"], ["--seconds", "x"], ["--nonsense"], ["stray"], ["--model"]):
            done = run(*words)
            self.assertEqual((done.returncode, done.stdout), (2, ""), words)
            self.assertIn("spyhop bench --help", done.stderr)
        self.assertEqual(run("--help").returncode, 0)

    def test_half_floats_are_not_imitated(self):
        done = run("--precision", "fp16", "--cpu", "c", "--size", "16x16")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("imitated by c", done.stderr)
        done = run("--precision", "fp16", "--size", "16x16", "--seconds", "1", "--json")
        if done.returncode == 0:
            told = json.loads(done.stdout)
            self.assertEqual((told["precision"], told["cpu"]), ("fp16", "avx512fp16"))
        else:
            self.assertIn("no instructions for half floats (avx512fp16); use precision fp32", done.stderr)

    def test_models_that_are_not(self):
        with tempfile.TemporaryDirectory() as folder:
            cut = os.path.join(folder, "cut.onnx")
            with open(os.path.join(os.environ["ONNX_DIR"], "fast.onnx"), "rb") as source, open(cut, "wb") as target:
                half = source.read()
                half = half[:len(half) // 2]
                target.write(half)
            done = run("--model", cut)
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertRegex(done.stderr, rf"cut\.onnx: .*byte {len(half)}")
            done = run("--model", os.path.join(folder, "none.onnx"))
            self.assertEqual(done.returncode, 1)
            self.assertIn("none.onnx", done.stderr)


if __name__ == "__main__":
    unittest.main()
