# SPDX-License-Identifier: LGPL-2.1-or-later
"""A container written in pieces, with a power loss before each step of it: the job run again gives the same bytes."""
import os
import random
import subprocess
import tempfile
import unittest

import faults

MUXWORK = os.environ.get("SPYHOP_MUXWORK", "build/tests/media/muxwork")
PIECES = "3"
# a loss before every nth step; 1: before each one
STRIDE = int(os.environ.get("SPYHOP_FAULT_STRIDE", "1"))


class PowerLosses(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="spyhop-faults-")
        cls.source = os.path.join(cls.folder.name, "clip.mkv")
        subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=s=64x64:r=25:d=1.6",
                        "-f", "lavfi", "-i", "sine=d=1.6", "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac",
                        cls.source], check=True)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def every_step(self, ending, kinds):
        name = "out." + ending
        whole = os.path.join(self.folder.name, "whole." + ending)
        subprocess.run([MUXWORK, self.source, whole, PIECES], check=True, capture_output=True)
        expected = faults.content(whole)
        with tempfile.TemporaryDirectory(dir=self.folder.name) as folder:
            loss = faults.PowerLoss(os.path.join(folder, "files"), os.path.join(folder, "state"))
            os.makedirs(loss.folder)
            loss.settle()
            command = [MUXWORK, self.source, os.path.join(loss.folder, name), PIECES]
            done, steps = loss.run(command)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(faults.content(os.path.join(loss.folder, name)), expected)
            self.assertGreater(steps, 15)
            for after in range(1, steps + 1, STRIDE):
                self.one_loss(loss, command, name, after, kinds[after % len(kinds)], expected)

    def one_loss(self, loss, command, name, after, kind, expected):
        what = f"{name}, step {after}, {kind} of what was not synced"
        generator = random.Random(after)
        for file in loss.now():
            os.unlink(os.path.join(loss.folder, file))
        loss.settle()
        done, steps = loss.run(command, after)
        self.assertIsNone(steps, what + ": was not killed")
        loss.lose(kind, generator)
        if name in loss.now():  # the rename was durable: the whole file is there
            self.assertEqual(faults.content(os.path.join(loss.folder, name)), expected, what)
            return
        # a second loss, somewhere on the way of the resumed run
        done, steps = loss.run(command, generator.randrange(2, 12))
        if steps is None:
            loss.lose(kind, generator)
        if name not in loss.now():
            done = subprocess.run(command, capture_output=True, check=False)
            self.assertEqual(done.returncode, 0, what + ": " + done.stderr.decode(errors="replace"))
        self.assertEqual(faults.content(os.path.join(loss.folder, name)), expected, what)
        self.assertFalse([f for f in loss.now() if f.endswith("-part")], what)

    def test_mp4(self):
        self.every_step("mp4", ["none", "some"])

    def test_mkv(self):
        self.every_step("mkv", ["some", "none", "all"])

    def test_ts(self):
        self.every_step("ts", ["none"])


if __name__ == "__main__":
    unittest.main()
