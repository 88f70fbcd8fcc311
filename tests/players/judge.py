# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a player should have seen, and the words for whatever differs.

Exact on a machine of any speed: the number of decoded pictures, and that no picture comes to the screen at a time that the
source has none for. Not asked: that every picture came to the screen, which a busy machine cannot promise."""
import bisect
import dataclasses

RATES = {"play": 2, "smooth": 1, "switch": 1, "seek": 2}


@dataclasses.dataclass
class Stream:
    """`sizes`: of the renditions, the smallest first, as "WxH". `slack`: seconds that a time may differ by."""
    name: str
    clip: object
    hls: str
    dash: str
    sizes: list
    segment: float
    cues: int = 0
    slack: float = 0.002
    transport: bool = False  # MPEG-TS: players count from the first decoding time, which is before the first picture's

    def runs(self, players, scenarios):
        """Every player with every scenario, as drive.mjs takes them, without the address."""
        made = []
        for player, path in players:
            for scenario in scenarios:
                if scenario in ("switch", "smooth") and len(self.sizes) < 2:
                    continue
                made.append(self.run(player, path, scenario))
                if (player, scenario) == ("hls.js", "smooth"):
                    # it plans its smooth switches seconds ahead: two do not always fit into a short clip
                    up, made[-1]["switches"] = made[-1]["switches"][:1], [[0.1 * self.segment, 0]]
                    made[-1]["first"] = -1
                    made.append({**self.run(player, path, scenario), "switches": up})
        return made

    def run(self, player, path, scenario):
        top, half = len(self.sizes) - 1, self.segment / 2
        run = {"player": player, "url": path, "scenario": scenario, "rate": RATES[scenario], "sizes": self.sizes, "first": -1,
               "ahead": 30}
        if self.transport and player == "shaka":
            run["start"] = 0.09  # within the first picture: it would jump over the time before it
        if scenario == "seek":
            # dash.js 5.2 loads no more of a short stream once it has the last segment and is sent back (its maxAppendedIndex)
            run["parts"] = [0, 0.5, 0.99] if player == "dash.js" else [0.5, 0.99, 0]
        elif scenario in ("switch", "smooth"):
            # up and down, each asked for in the middle of a segment
            smooth = scenario == "smooth"
            run.update(first=0, now=not smooth, ahead=0.4 * self.segment if smooth else 30,
                       switches=[[0.4 * half, top], [self.segment + half, 0]])
        return run


def words_of(run):
    return f"{run['player']} {run['scenario']} {run['url'].rsplit('/', 1)[-1]}"


class Judge:
    def __init__(self, stream, run, seen):
        self.stream, self.run, self.seen = stream, run, seen
        self.expected = [float(t) for t in stream.clip.times]
        self.faults = []
        self.shift = 0.0
        if stream.transport and seen.get("buffered") and run["scenario"] != "switch":
            self.shift = min(seen["buffered"][0][0], 0.2)
        elif stream.transport and seen.get("times"):
            self.shift = min(seen["times"][0] % 0.2, 0.2)
        self.expected = [t + self.shift for t in self.expected]

    def fault(self, words):
        self.faults.append(f"{self.stream.name}: {words_of(self.run)}: {words}")

    def same(self, what, got, wanted):
        if got != wanted:
            self.fault(f"{what} {got}, not {wanted}")

    def near(self, time):
        """Index of the picture at this time, or None."""
        at = bisect.bisect_left(self.expected, time - self.stream.slack)
        return at if at < len(self.expected) and self.expected[at] <= time + self.stream.slack else None

    def __call__(self):
        for words in self.seen.get("errors", []) + self.seen.get("console", []):
            self.fault(words)
        if not self.seen.get("ended"):
            self.fault("did not come to the end")
            return self.faults
        self.same("renditions", self.seen["renditions"], [int(s.split("x")[1]) for s in self.stream.sizes])
        self.same("corrupted pictures", self.seen["corrupted"], 0)
        self.duration()
        self.pictures()
        self.sound()
        if self.run["scenario"] == "seek":
            self.found()
        return self.faults

    def duration(self):
        if abs(self.seen["duration"] - self.stream.clip.seconds) > 0.1 + self.shift:
            self.fault(f"duration {self.seen['duration']}, not {self.stream.clip.seconds:.3f}")

    def pictures(self):
        scenario, top = self.run["scenario"], self.stream.sizes[-1]
        for time in self.seen["times"]:
            if self.near(time) is None:
                self.fault(f"a picture at {time}, where the source has none")
                break
        if scenario in ("play", "smooth"):
            self.same("decoded pictures", self.seen["decoded"], len(self.expected))
        if scenario in ("play", "seek"):
            # after a seek to 0 there is nothing where a transport stream has no picture yet
            most = len(self.run.get("parts", [])) + (2 if self.stream.transport else 0)
            self.same("jumps", max(self.seen["seeks"], most) if self.stream.transport else self.seen["seeks"], most)
        if scenario != "switch":
            if self.run.get("parts", [0])[-1] == 0:
                self.whole()
        # the first size is not always told before the second
        wanted = [self.stream.sizes[index] for _, index in self.run.get("switches", [])] or [top]
        self.same("sizes", self.seen["sizes"][-len(wanted):], wanted)

    def whole(self):
        """One range of the buffer, without a hole. At a smooth switch hls.js throws away what was played, too."""
        ranges = self.seen["buffered"]
        late = self.run["scenario"] != "smooth" and ranges and ranges[0][0] > 0.05 + self.expected[0]
        if len(ranges) != 1 or late or ranges[0][1] < self.expected[-1]:
            self.fault(f"the buffer has {ranges}")

    def sound(self):
        if bool(self.seen["audioBytes"]) != self.stream.clip.audio:
            self.fault(f"{self.seen['audioBytes']} bytes of sound decoded")

    def found(self):
        """A seek to where one picture follows another may show either. In a transport stream of varying rate pictures have no
        duration but the distance of their decoding times: there the picture before or behind is as good, and hls.js may show
        one that is up to 0.2 s early."""
        steps = [b - a for a, b in zip(self.expected, self.expected[1:])]
        loose = self.stream.transport and max(steps) > 1.5 * min(steps)
        for at in self.seen["found"]:
            index = max(bisect.bisect_right(self.expected, at["asked"] + 1e-6) - 1, 0)
            near = self.near(at["got"])
            border = loose or any(abs(at["asked"] - t) <= self.stream.slack for t in self.expected)
            early = loose and 0 < self.expected[index] - at["got"] < 0.2
            if near is None or (near != index and not (border and abs(near - index) == 1) and not early):
                self.fault(f"at {at['asked']:.4f} the picture of {at['got']:.4f} is shown, not that of {self.expected[index]:.4f}")
                continue
            self.looks(near, at["grey"])

    def looks(self, number, grey):
        """HDR is left out: the browser brings it to the screen in a way of its own."""
        if self.stream.clip.hdr:
            return
        wanted = self.stream.clip.grey(number)
        off = sum(abs(a - b) for a, b in zip(grey, wanted)) / len(wanted)
        if off > 10:
            self.fault(f"picture {number} looks otherwise than the source's: {off:.1f} grey values on average")
