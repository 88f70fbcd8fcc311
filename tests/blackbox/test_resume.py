# SPDX-License-Identifier: LGPL-2.1-or-later
"""Work that is killed, stopped, starved of disk or robbed of power goes on, and its result is that of a run that was
left alone, byte for byte.

SPYHOP_KILLS says how often (6). The full measure is a minute of film, killed 30 times, and as many losses of power:
SPYHOP_KILLS=30 SPYHOP_KILL_FRAMES=1501 SPYHOP_KILL_PIECE=250 SPYHOP_KILL_SIZE=320x240 test_resume.py
Resumed.test_killed_at_random_moments Resumed.test_loss_of_power
It prints the most frames that were encoded in vain before one of the kills."""
import filecmp
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
import unittest

from clips import Clips, MODEL, PROGRAM, ffmpeg, video_frames

os.environ.setdefault("SPYHOP_UNSYNCED", os.path.join(os.path.dirname(os.path.abspath(PROGRAM)),
                                                      "tests/faults/libunsynced.so"))
sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../faults"))
from faults import LIBRARY, PowerLoss  # noqa: E402

KILLS = int(os.environ.get("SPYHOP_KILLS", "6"))
SIZE = os.environ.get("SPYHOP_KILL_SIZE", "160x96")
PIECE = int(os.environ.get("SPYHOP_KILL_PIECE", "10"))
FRAMES = int(os.environ.get("SPYHOP_KILL_FRAMES", "101"))
assert FRAMES % PIECE == 1  # the last piece has one frame more: none has a single one


class Resumed(Clips):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.random = random.Random(4)
        cls.source = cls.at("source.mp4")
        # frames that differ in length, B pictures, key pictures that are no borders, a late start, sound
        ffmpeg("-f", "lavfi", "-i", f"testsrc2=s={SIZE}:r=25:d={FRAMES / 25}", "-f", "lavfi", "-i", f"sine=d={FRAMES // 25}", "-vf",
               "settb=1/90000,setpts='(N+2*floor(N/3)+20)/50/TB'", "-fps_mode", "passthrough", "-enc_time_base",
               "1/90000", "-c:v", "libx264", "-g", "24", "-bf", "3", "-pix_fmt", "yuv420p", "-c:a", "aac",
               "-video_track_timescale", "90000", cls.source)
        cls.wanted, cls.took, cls.redone = {}, {}, [0]
        for ending in ("mp4", "mkv"):
            cls.wanted[ending] = cls.at("wanted." + ending)
            begun = time.monotonic()
            done = subprocess.run(cls.command(cls.wanted[ending]), capture_output=True, check=False)
            cls.took[ending] = time.monotonic() - begun
            if done.returncode:
                raise AssertionError(done.stderr.decode(errors="replace"))

    @classmethod
    def command(cls, target, *options):
        return [PROGRAM, "upscale", "--model", MODEL, "--threads", "2", "--piece", str(PIECE), "--json", *options, "--",
                cls.source, target]

    def new_folder(self, name):
        folder = self.at(name)
        os.mkdir(folder)
        return folder

    def told(self, lines, kind):
        found = []
        for line in lines.splitlines():
            try:
                message = json.loads(line)
            except ValueError:  # cut by the kill
                continue
            if message["type"] == kind:
                found.append(message)
        return found

    def finish(self, target, *options, **arguments):
        """To the end; returns what was told."""
        done = subprocess.run(self.command(target, *options), capture_output=True, check=False, **arguments)
        self.assertEqual(done.returncode, 0, done.stderr.decode(errors="replace"))
        self.assertTrue(filecmp.cmp(self.wanted[target.rsplit(".", 1)[1]], target, shallow=False), "other bytes")
        self.assertEqual(os.listdir(os.path.dirname(target)), [os.path.basename(target)])
        return done.stdout

    def kill(self, target, delay, *options):
        """Starts it and kills it; the last progress, or None."""
        with subprocess.Popen(self.command(target, *options), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
            try:
                out, _ = child.communicate(timeout=delay)
            except subprocess.TimeoutExpired:
                child.kill()
                out, _ = child.communicate()
        progress = self.told(out, "progress")
        return progress[-1] if progress else None

    def interrupt(self, target, number, *options):
        """Starts it and sends a signal once something is committed. (exit code, stderr)"""
        with subprocess.Popen(self.command(target, *options), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)) as child:
            for line in child.stdout:
                if json.loads(line).get("committed", 0) > 0:
                    break
            child.send_signal(number)
            _, err = child.communicate(timeout=60)
        return child.returncode, err

    def kill_and_finish(self, number, ending, jobs):
        folder = self.new_folder(f"killed{number}")
        target = os.path.join(folder, "out." + ending)
        last = self.kill(target, self.random.uniform(0.05, 0.95) * self.took[ending], "--jobs", str(jobs))
        if os.path.exists(target):
            return False  # it was done already
        self.assertLessEqual(set(os.listdir(folder)), {f".out.{ending}.spyhop-part", f".out.{ending}.spyhop-journal"})
        out = self.finish(target, "--jobs", str(jobs))
        if last:
            resumed = self.told(out, "result")[0]["resumed"]
            self.assertGreaterEqual(resumed, last["committed"])
            self.redone.append(last["frames"] - resumed)
            self.assertLessEqual(last["frames"] - resumed, jobs * (PIECE + 1))  # the last piece has one more
        return True

    def test_killed_at_random_moments(self):
        killed = tries = 0
        while killed < KILLS and tries < 4 * KILLS:  # some come too late on a machine whose load changes
            killed += self.kill_and_finish(tries, ("mp4", "mkv")[tries % 2], 1)
            tries += 1
        self.assertEqual(killed, KILLS)
        print(f"{killed} kills; most frames encoded in vain: {max(self.redone)} (a piece has {PIECE})")

    def test_killed_side_by_side(self):
        target = os.path.join(self.new_folder("lanes"), "out.mp4")
        self.finish(target, "--jobs", "3")
        for i in range(max(1, KILLS // 3)):
            self.kill_and_finish(f"lanes{i}", "mp4", 3)

    def test_killed_again_and_again(self):
        target = os.path.join(self.new_folder("often"), "out.mp4")
        for _ in range(KILLS // 2):
            self.kill(target, self.random.uniform(0.3, 0.6) * self.took["mp4"])
            if os.path.exists(target):
                break
        else:
            self.finish(target)
        self.assertTrue(filecmp.cmp(self.wanted["mp4"], target, shallow=False))

    def test_stopped(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            folder = self.new_folder(f"stopped{int(number)}")
            target = os.path.join(folder, "out.mp4")
            code, err = self.interrupt(target, number)
            if code == 0:
                continue  # too late
            self.assertEqual(code, 130, err)
            self.assertIn(b"same command goes on", err)
            self.assertEqual(len(os.listdir(folder)), 2)
            self.assertGreater(self.told(self.finish(target), "result")[0]["resumed"], 0)

    def test_damage_of_the_run_before_counts(self):
        whole, source = self.at("whole.ts"), self.at("damaged.ts")
        ffmpeg("-f", "lavfi", "-i", "testsrc2=s=160x96:r=25:d=5", "-c:v", "mpeg2video", "-g", "12", "-bf", "2", "-b:v", "600k", whole)
        with open(whole, "rb") as file:
            data = bytearray(file.read())
        del data[:len(data) // 10 // 188 * 188]  # begins with pictures that cannot be shown
        for part in range(1, 12):
            for i in range(40):
                data[len(data) * part // 12 + 3 * i] = self.random.randrange(256)
        with open(source, "wb") as file:
            file.write(data)

        def result(name):
            done = subprocess.run(command + [os.path.join(folder, name)], capture_output=True, check=False)
            self.assertEqual(done.returncode, 0, done.stderr.decode(errors="replace"))
            return self.told(done.stdout, "result")[0]

        folder = self.new_folder("damaged")
        # one thread: what libavcodec makes of a damaged picture depends on how its threads meet
        command = [PROGRAM, "upscale", "--model", MODEL, "--threads", "1", "--piece", str(PIECE), "--json", "--accept-damage", source]
        wanted = result("wanted.mp4")
        self.assertGreater(wanted["damages"], 5)
        for number in (1, 2):
            with subprocess.Popen(command + [os.path.join(folder, f"{number}.mp4")], stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL) as child:
                for line in child.stdout:
                    if json.loads(line).get("committed", 0) >= number * PIECE:
                        break
                child.kill()
            told = result(f"{number}.mp4")
            self.assertGreater(told["resumed"], 0)
            for key in ("damages", "lost", "frames_in", "frames_out", "pieces"):
                self.assertEqual(told[key], wanted[key], key)
            self.assertTrue(filecmp.cmp(os.path.join(folder, "wanted.mp4"), os.path.join(folder, f"{number}.mp4"), shallow=False))

    def test_full_disk(self):
        target = os.path.join(self.new_folder("full"), "out.mp4")
        limit = os.path.getsize(self.wanted["mp4"]) * 2 // 3
        done = subprocess.run(self.command(target), capture_output=True, check=False,
                              preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"out.mp4", done.stderr)
        self.assertGreater(self.told(self.finish(target), "result")[0]["resumed"], 0)

    def test_other_work_is_not_gone_on_with(self):
        folder = self.new_folder("other")
        target = os.path.join(folder, "out.mp4")
        self.interrupt(target, signal.SIGKILL)
        self.assertFalse(os.path.exists(target))
        before = sorted(os.listdir(folder))
        done = subprocess.run(self.command(target, "--crf", "30"), capture_output=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"crf", done.stderr)
        self.assertEqual(sorted(os.listdir(folder)), before)
        self.finish(target)

    def test_anew(self):
        folder = self.new_folder("anew")
        target = os.path.join(folder, "out.mp4")
        self.interrupt(target, signal.SIGKILL, "--crf", "30")
        self.finish(target, "-y")

    def test_nothing_is_missing_or_twice(self):
        report = self.at("report.json")
        target = os.path.join(self.new_folder("report"), "out.mp4")
        self.interrupt(target, signal.SIGKILL, "--report", report)
        self.finish(target, "--report", report)
        with open(report, encoding="utf-8") as file:
            told = json.load(file)
        self.assertEqual((told["summary"]["frames_in"], told["summary"]["frames_out"]), (FRAMES, FRAMES))
        self.assertEqual([p["frames"] for p in told["pieces"]], [PIECE] * (FRAMES // PIECE - 1) + [PIECE + 1])
        rows = [row for piece in told["pieces"] for row in piece["ledger"]]
        self.assertEqual([row[0] for row in rows], list(range(1, FRAMES + 1)))
        self.assertEqual([row[3] for row in rows], list(range(1, FRAMES + 1)))
        self.assertEqual([row[2] for row in rows], [n for n, _ in video_frames(self.source)])
        self.assertEqual({row[5] for row in rows}, {"kept"})

    @unittest.skipUnless(os.path.exists(LIBRARY), "the library of losses is not built")
    def test_loss_of_power(self):
        state = self.new_folder("state")
        folder = self.new_folder("power")
        target = os.path.join(folder, "out.mp4")
        loss = PowerLoss(folder, state)
        loss.settle()
        _, steps = loss.run(self.command(target, "--no-sandbox"))
        self.assertTrue(filecmp.cmp(self.wanted["mp4"], target, shallow=False))
        for number in range(max(3, KILLS if SIZE != "160x96" else KILLS // 2)):
            os.unlink(target)
            loss.settle()
            loss.run(self.command(target, "--no-sandbox"), after=self.random.randrange(1, steps))
            loss.lose(("none", "some", "all")[number % 3], self.random)
            if not os.path.exists(target):
                self.finish(target)
            self.assertTrue(filecmp.cmp(self.wanted["mp4"], target, shallow=False))


if __name__ == "__main__":
    unittest.main()
