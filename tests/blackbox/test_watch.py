# SPDX-License-Identifier: LGPL-2.1-or-later
"""A folder is watched: what arrives becomes a stream, once; what cannot is set aside with the reason."""
import http.server
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unittest

from clips import MODEL, PROGRAM, ffmpeg

LIMIT_SECONDS = 240


def clip(path, tone=0, seconds=1):
    ffmpeg("-f", "lavfi", "-i", f"testsrc2=s=96x64:r=25:d={seconds}", "-vf", f"hue=h={tone}", "-c:v", "libx264",
           "-pix_fmt", "yuv420p", "-f", "mp4", path)


class Listener(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.heard.append(json.loads(body))
        self.send_response(self.server.answers.pop(0) if self.server.answers else 204)
        self.end_headers()

    def log_message(self, *_):
        pass


class Watch(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="spyhop-watch-")
        cls.clips = [os.path.join(cls.folder.name, f"clip{i}") for i in range(3)]
        for i, path in enumerate(cls.clips):
            clip(path, tone=90 * i)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def setUp(self):
        root = tempfile.mkdtemp(dir=self.folder.name)
        self.incoming, self.out = os.path.join(root, "in coming"), os.path.join(root, "out")
        os.mkdir(self.incoming)

    def put(self, number, name, age=3600):
        """A file that was finished an hour ago, moved in."""
        path = os.path.join(self.incoming, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        shutil.copyfile(self.clips[number], path + ".hidden")
        os.utime(path + ".hidden", (time.time() - age,) * 2)
        os.rename(path + ".hidden", path)
        return path

    def command(self, *options):
        return [PROGRAM, "watch", "--json", "--interval", "0.1", "--backoff", "0", *options, self.incoming, self.out, "--",
                "--model", MODEL, "--threads", "2"]

    def once(self, *options, code=0):
        done = subprocess.run(self.command("--once", *options), capture_output=True, check=False, timeout=LIMIT_SECONDS)
        self.assertEqual(done.returncode, code, done.stderr.decode(errors="replace"))
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        return [(line["type"], line["name"]) for line in lines]

    def is_stream(self, name):
        folder = os.path.join(self.out, name)
        self.assertTrue(os.path.isfile(os.path.join(folder, "index.m3u8")), os.listdir(folder))
        self.assertTrue(os.path.isfile(os.path.join(folder, "index.mpd")))

    def test_what_is_there_is_made_once(self):
        self.put(0, "a film.MOV")
        self.put(1, "deep/er/b.mp4")
        self.put(0, "the same.mp4", age=60)
        self.put(0, "notes.txt")
        told = self.once()
        self.assertEqual([t for t in told if t[0] == "made"], [("made", "a film.MOV"), ("made", "deep/er/b.mp4")])
        self.assertIn(("the same as", "the same.mp4"), told)
        self.is_stream("a film.MOV")
        self.is_stream("deep/er/b.mp4")
        self.assertEqual(sorted(os.listdir(self.out)), [".spyhop-watch", ".spyhop-watch.lock", "a film.MOV", "deep"])
        self.assertEqual(self.once(), [])
        os.rename(os.path.join(self.incoming, "a film.MOV"), os.path.join(self.incoming, "renamed.mov"))
        self.assertEqual(self.once(), [("the same as", "renamed.mov")])
        self.put(2, "deep/er/b.mp4")  # other content under the same name
        self.assertEqual([t for t in self.once() if t[0] == "made"], [("made", "deep/er/b.mp4")])

    def test_what_cannot_be_made_is_set_aside(self):
        path = self.put(0, "folder/broken.mp4")
        with open(path, "r+b") as file:
            file.truncate(200)
        os.utime(path, (0, 0))
        self.put(1, "good.mp4")
        told = self.once("--retries", "1", code=1)
        self.assertEqual([t for t in told if "broken" in t[1]],
                         [("begun", "folder/broken.mp4"), ("failed", "folder/broken.mp4"), ("begun", "folder/broken.mp4"),
                          ("set aside", "folder/broken.mp4")])
        self.is_stream("good.mp4")
        self.assertFalse(os.path.exists(path))
        aside = os.path.join(self.incoming, "set-aside/folder")
        self.assertEqual(sorted(os.listdir(aside)), ["broken.mp4", "broken.mp4.txt"])
        with open(os.path.join(aside, "broken.mp4.txt"), encoding="utf-8") as file:
            reason = file.read()
        self.assertIn("broken.mp4", reason.split("said:\n")[1])
        self.assertFalse(os.path.exists(os.path.join(self.out, "folder/broken.mp4/index.m3u8")))
        self.assertEqual(self.once(), [])  # that was the run before
        os.rename(os.path.join(aside, "broken.mp4"), path)
        self.assertIn(("begun", "folder/broken.mp4"), self.once("--retries", "0", code=1))
        self.assertEqual(sorted(os.listdir(aside)), ["broken.mp4", "broken.mp4.txt"])

    def test_others_are_told(self):
        self.put(0, "it's; touch x.mp4")
        seen = os.path.join(self.out, "seen")
        with http.server.HTTPServer(("127.0.0.1", 0), Listener) as server:
            server.heard, server.answers = [], [503]
            threading.Thread(target=server.serve_forever, daemon=True).start()
            told = self.once("--notify", f"http://127.0.0.1:{server.server_port}/x", "--then",
                             f"printf '%s\\n' \"$SPYHOP_SOURCE\" \"$SPYHOP_OUTPUT\" >> '{seen}'")
            server.shutdown()
        self.assertEqual([t[0] for t in told], ["begun", "made", "not told"])
        wanted = [os.path.join(self.incoming, "it's; touch x.mp4"), os.path.join(self.out, "it's; touch x.mp4")]
        with open(seen, encoding="utf-8") as file:
            self.assertEqual(file.read().splitlines(), wanted * 2)  # at least once
        self.assertEqual([(h["source"], h["output"]) for h in server.heard], [tuple(wanted)] * 2)

    def test_nobody_to_tell(self):
        self.put(0, "a.mp4")
        told = self.once("--retries", "0", "--then", "false", code=1)
        self.assertEqual([t[0] for t in told], ["begun", "made", "given up telling"])

    def test_a_file_that_grows_is_waited_for(self):
        path = os.path.join(self.incoming, "slow.mp4")
        with open(self.clips[0], "rb") as file:
            data = file.read()
        with subprocess.Popen(self.command("--settle", "0.6"), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
            with open(path, "wb") as file:
                for i in range(0, len(data), len(data) // 8 + 1):
                    file.write(data[i:i + len(data) // 8 + 1])
                    file.flush()
                    time.sleep(0.2)
                closed = time.monotonic()
            first = json.loads(child.stdout.readline())
            self.assertGreater(time.monotonic() - closed, 0.3)
            self.assertEqual(first["type"], "begun")
            self.assertEqual(json.loads(child.stdout.readline())["type"], "made")
            again = subprocess.run(self.command("--once"), capture_output=True, check=False, timeout=LIMIT_SECONDS)
            self.assertEqual(again.returncode, 1)
            self.assertIn(b"another watch", again.stderr)
            child.send_signal(signal.SIGTERM)
            child.communicate(timeout=LIMIT_SECONDS)
            self.assertEqual(child.returncode, 130)
        self.is_stream("slow.mp4")

    def test_killed_and_begun_again(self):
        self.put(0, "a.mp4")
        self.put(1, "b.mp4", age=60)
        for _ in range(4):
            with subprocess.Popen(self.command("--once"), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
                child.stdout.readline()
                time.sleep(0.15)
                child.kill()
        self.once()
        self.is_stream("a.mp4")
        self.is_stream("b.mp4")
        self.assertEqual(sorted(os.listdir(self.out)), [".spyhop-watch", ".spyhop-watch.lock", "a.mp4", "b.mp4"])

    def test_wrong_usage(self):
        for words in ([], [self.incoming], [self.incoming, self.incoming], ["--settle", "x", self.incoming, self.out],
                      ["--retries", "-1", self.incoming, self.out], ["--notify", "ftp://x/y", self.incoming, self.out],
                      ["--notify", "x", self.incoming, self.out], [self.incoming, self.out, "more"]):
            done = subprocess.run([PROGRAM, "watch", *words], capture_output=True, check=False, timeout=LIMIT_SECONDS)
            self.assertEqual((done.returncode, bool(done.stderr)), (2, True), words)
        self.put(0, "a.mp4")
        done = subprocess.run([PROGRAM, "watch", "--once", self.incoming, self.out, "--", "--no-such-option"],
                              capture_output=True, check=False, timeout=LIMIT_SECONDS)
        self.assertEqual(done.returncode, 2)
        done = subprocess.run([PROGRAM, "watch", "--once", os.path.join(self.incoming, "none"), self.out],
                              capture_output=True, check=False, timeout=LIMIT_SECONDS)
        self.assertEqual(done.returncode, 1)


if __name__ == "__main__":
    unittest.main()
