# SPDX-License-Identifier: LGPL-2.1-or-later
"""The browser, the server and the players, for tests that play streams."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

import streams
from judge import Judge
from server import Server

HERE = os.path.dirname(os.path.abspath(__file__))
MODULES = os.environ.get("SPYHOP_PLAYERS", str(streams.ROOT / "build/players/node_modules"))
BROWSER = os.environ.get("SPYHOP_BROWSER", "chromium")
TOGETHER = 6


def absent():
    """What is missing, in words, or None."""
    for path in ("hls.js/dist/hls.min.js", "dashjs/dist/modern/umd/dash.all.min.js", "shaka-player/dist/shaka-player.compiled.js",
                 "playwright-core/index.js"):
        if not os.path.isfile(os.path.join(MODULES, path)):
            return f"{path} is not in {MODULES}: script/players fetches it"
    for program in ("node", BROWSER):
        if not shutil.which(program):
            return f"{program} is not installed: script/players installs it"
    return None


class Players(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        missing = absent()
        if missing:
            raise AssertionError(missing)
        cls.folder = tempfile.TemporaryDirectory(prefix="spyhop-players-")
        cls.addClassCleanup(cls.folder.cleanup)

    @classmethod
    def at(cls, *names):
        return os.path.join(cls.folder.name, *names)

    def see_patiently(self, work):
        """As see, but what had a fault is seen once more, alone: a machine that was busy for a moment makes a player stall, or
        end by its clock, and what is wrong with a stream is wrong again."""
        faults, missing = self.see(work)
        for i, found in enumerate(faults):
            if found:
                print("once more:", *found, sep="\n  ", flush=True)
                again, more = self.see([work[i]])
                faults[i] = again[0]
                missing += more
        return faults, missing

    def see(self, work):
        """work: [(stream, run), ...], the run's url below the folder. Gives the faults of each, in order, and the paths that
        were asked for in vain."""
        with Server([("/streams/", self.folder.name), ("/npm/", MODULES), ("/", HERE)]) as server:
            runs = [{**run, "url": f"{server.address}/streams/{run['url']}"} for _, run in work]
            done = subprocess.run(["node", os.path.join(HERE, "drive.mjs"), MODULES, shutil.which(BROWSER), server.address],
                                  input=json.dumps({"together": TOGETHER, "runs": runs}).encode(), capture_output=True,
                                  timeout=900)
        self.assertEqual(done.returncode, 0, done.stderr.decode(errors="replace")[-3000:])
        seen = json.loads(done.stdout)
        if os.environ.get("SPYHOP_PLAYERS_SEEN"):
            with open(os.environ["SPYHOP_PLAYERS_SEEN"], "a", encoding="utf-8") as file:
                for run, one in zip(runs, seen):
                    file.write(json.dumps({**run, **one}) + "\n")
        return [Judge(stream, run, one)() for (stream, run), one in zip(work, seen)], server.missing


def main():
    """As unittest.main, but that a machine which could not fetch the players (script/test says so) passes over the test."""
    missing = absent()
    if missing and os.environ.get("SPYHOP_NO_PLAYERS") == "1":
        print(f"SKIPPED: no stream is played: {missing}")
        sys.exit(77)
    unittest.main()
