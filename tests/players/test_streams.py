# SPDX-License-Identifier: LGPL-2.1-or-later
"""What `spyhop stream` makes of five clips is without a finding by `spyhop check`, and is played by every player: to the end
with the exact number of pictures, from 0, 50 and 99 %, and through switches up and down. HEVC is checked only: the
browser has no decoder for it."""
import json
import os
import subprocess

import streams
from judge import Stream
from player_case import Players, main

PROGRAM = os.environ.get("SPYHOP_PROGRAM", str(streams.ROOT / "build/spyhop"))
EVERY = [("hls.js", "index.m3u8"), ("dash.js", "index.mpd"), ("shaka", "index.m3u8"), ("shaka", "index.mpd")]
SIZES = ["426x240", "640x360"]
SCENARIOS = ["play", "seek", "switch", "smooth"]


def spyhop(*words):
    return subprocess.run([PROGRAM, *words], capture_output=True, timeout=300, env=streams.QUIET)


class Streams(Players):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        os.makedirs(cls.at("clips"))
        cls.clips = streams.clips(cls.at("clips"))

    def make(self, name, *options):
        """The stream's folder."""
        folder = self.at(name)
        done = spyhop("stream", "--quiet", "--model", "fast", "--threads", "2", "--segment", "1", *options, "--",
                      self.clips[name.split(" ")[0]].path, folder)
        self.assertEqual(done.returncode, 0, done.stderr.decode(errors="replace"))
        return folder

    def checked(self, folder):
        done = spyhop("check", "--json", folder)
        self.assertEqual(done.returncode, 0, done.stdout.decode(errors="replace") + done.stderr.decode(errors="replace"))
        self.assertEqual([], json.loads(done.stdout)["findings"])

    def played(self, work):
        faults, missing = self.see(work)
        for (stream, run), found in zip(work, faults):
            with self.subTest(stream=stream.name, player=run["player"], url=run["url"], scenario=run["scenario"]):
                self.assertEqual([], found)
        self.assertEqual([], missing)

    def test_five_clips(self):
        work = []
        for name, clip in self.clips.items():
            with self.subTest(clip=name):
                self.checked(self.make(name, "--codec", "av1" if clip.hdr else "h264"))
                sizes = ["x".join(reversed(s.split("x"))) for s in SIZES] if clip.turned else SIZES
                stream = Stream(name, clip, "index.m3u8", "index.mpd", sizes, 1.0)
                work += [(stream, r) for r in stream.runs([(p, f"{name}/{u}") for p, u in EVERY], SCENARIOS)]
        self.assertTrue(work)
        self.played(work)

    def test_hevc_is_checked(self):
        self.checked(self.make("hdr hevc", "--codec", "hevc"))


if __name__ == "__main__":
    main()
