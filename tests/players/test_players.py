# SPDX-License-Identifier: LGPL-2.1-or-later
"""That the players play a stream which is known to be whole, and that each of its faults is seen: without this, a pass of
the tests of our own streams would say nothing. The streams are FFmpeg's."""
import streams
from judge import Stream
from player_case import Players, main

EVERY = [("hls.js", "index.m3u8"), ("dash.js", "index.mpd"), ("shaka", "index.m3u8"), ("shaka", "index.mpd")]
# what is broken, who plays it, and words that one of the faults found has to have
BROKEN = [
    ("no segment", "hls.js", "play", "404"),
    ("no segment", "dash.js", "play", ""),
    ("no segment", "shaka", "play", "shaka: 1001"),
    ("half a segment", "hls.js", "play", ""),
    ("half a segment", "shaka", "play", ""),
    ("fewer pictures", "hls.js", "play", "bufferSeekOverHole"),
    ("fewer pictures", "dash.js", "play", ""),
    ("fewer pictures", "shaka", "play", "the buffer has"),
    # shaka puts the segments of HLS one after the other, whatever their own times
    ("later", "hls.js", "play", "where the source has none"),
    ("later", "dash.js", "play", "where the source has none"),
    ("later by a picture", "hls.js", "play", "decoded pictures"),
    ("later by a picture", "dash.js", "play", "decoded pictures"),
    ("noise", "dash.js", "play", ""),
]


class Harness(Players):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.clip = streams.plain_clip(cls.folder.name)
        streams.plain_stream(cls.clip, cls.at("whole"))

    def stream(self, name, **facts):
        return Stream(name, self.clip, "index.m3u8", "index.mpd", ["160x90", "320x180"], 1.0, **facts)

    def test_a_whole_stream(self):
        stream = self.stream("whole")
        runs = stream.runs([(p, "whole/" + u) for p, u in EVERY], ["play", "seek", "switch", "smooth"])
        faults, missing = self.see_patiently([(stream, run) for run in runs])
        self.assertEqual([], [words for one in faults for words in one])
        self.assertEqual([], missing)

    def test_broken_streams(self):
        work, names = [], set()
        for how, player, scenario, _ in BROKEN:
            name = how.replace(" ", "_")
            if name not in names:
                streams.broken(self.at("whole"), self.at(name), how)
                names.add(name)
            stream = self.stream(how)
            run = stream.run(player, f"{name}/index.{'mpd' if player == 'dash.js' else 'm3u8'}", scenario)
            work.append((stream, {**run, "patience": 12}))
        found, _ = self.see(work)
        for (how, player, scenario, words), faults in zip(BROKEN, found):
            with self.subTest(how=how, player=player, scenario=scenario):
                self.assertTrue(faults, "nothing was found")
                self.assertTrue(any(words in one for one in faults), faults)

    def test_wrong_expectations(self):
        """The same stream, held against a clip that it was not made from: a second shorter, since a busy browser does not put every
        picture on the screen."""
        other = streams.Clip(self.clip.path, self.clip.times[:-25], False)
        stream = Stream("other", other, "index.m3u8", "index.mpd", ["160x90", "320x180"], 1.0)
        (faults,), _ = self.see([(stream, stream.run("hls.js", "whole/index.m3u8", "play"))])
        text = "\n".join(faults)
        for words in ("decoded pictures 150, not 125", "where the source has none", "bytes of sound decoded"):
            self.assertIn(words, text)


if __name__ == "__main__":
    main()
