"""The watch over what the network says of a belt.

Tiles overlap, and neighbours resemble each other; a test that took every one would be fooled by a single long defect.
So of each stretch of the belt one tile counts, chosen by chance.
"""

import random
from collections.abc import Callable
from typing import Protocol

from wool_station.events import Event, Start, TileEvent
from wool_station.store.recorder_alarms import WATCHED
from wool_station.watch.cusum import Cusum, limit
from wool_station.watch.expectation import Rates, Scores, rates

STRETCH_MM = 1000.0
SAMPLES = 1_000_000
"""In the mean at least so many samples, one of each stretch, pass before a false alarm, all tests taken together."""

WHOLE = 0.95
"""Share of a tile that shows product: at an end of the product it is unlike those that networks are trained on."""


class Tell(Protocol):
    """Takes an alarm: its name, whether it is on, its text and details."""

    def __call__(self, alarm: str, on: bool, text: str, **details: object) -> None: ...


class Watch:
    """Compares what the network says with what its card says of held-out images.

    Arguments:
        tell: takes alarms; those that are told again as they are, too.
        keep: takes an event: what is watched, and what not and why.
        defects: share of tiles of the belt that show a defect, from and to, 0 to 1.
        standing: names of alarms that stand since before.

    Attributes:
        paused: whether what passes is put through on purpose, and does not count.
        samples: tiles that counted.
    """

    def __init__(
        self, tell: Tell, keep: Callable[[dict], None], defects: tuple[float, float], standing: frozenset[str]
    ):
        self.paused, self.samples = False, 0
        self._tell, self._keep, self._defects, self._standing = tell, keep, defects, standing
        self._model: tuple | None = None
        self._rates: Rates | None = None
        self._scores: Scores | None = None
        self._tests: dict[str, Cusum] = {}
        self._whole_mm, self._stretch, self._seen = 0.0, -1, 0
        self._chosen: TileEvent | None = None
        self._random = random.Random()

    def take(self, event: Event | None) -> None:
        """Takes an event of the feed."""
        if isinstance(event, Start):
            self._begin(event)
        elif isinstance(event, TileEvent) and self._tests:
            self._choose(event)

    def _begin(self, start: Start) -> None:
        self._stretch, self._seen, self._chosen = -1, 0, None
        self._whole_mm = WHOLE * start.seen * start.pixel_mm
        held_out = start.held_out
        model = start.sha256, start.threshold, repr(held_out)
        if model == self._model:
            return
        self._model, self.samples = model, 0
        self._rates = rates(held_out["confusion"], self._defects) if held_out else None
        self._scores = _scores(held_out, start.threshold)
        names = [*self._rate_tests(), *(name for name in WATCHED if name.startswith("scores") and self._scores)]
        bound = limit(SAMPLES, max(1, len(names)))
        # What stood when the recorder ended goes on; another model is tested anew.
        self._tests = {name: Cusum(bound, name in self._standing) for name in names}
        self._standing = frozenset()
        for name in WATCHED.keys() - set(names):
            self._tell(name, False, WATCHED[name])
        self._say(start.sha256)

    def _rate_tests(self) -> list[str]:
        if self._rates is None:
            return []
        return ["defects_frequent"] + ["defects_rare"] * (self._rates.fewer is not None)

    def _say(self, sha256: str) -> None:
        """What is watched, for whoever looks into it later."""
        text = ""
        if not self._rates:
            text = "the card has no figures of held-out images: neither rejects nor scores are watched"
        elif not self._scores:
            text = "the card has no table of the scores of held-out images that passed: scores are not watched"
        percent = [round(100 * share, 3) for share in (self._rates.low, self._rates.high)] if self._rates else None
        about = {"tests": list(self._tests), "defective_percent": percent, "text": text}
        self._keep({"event": "watch", "sha256": sha256, **about, "samples_to_a_false_alarm": SAMPLES})

    def _choose(self, tile: TileEvent) -> None:
        start, stop = tile.along_mm
        if self.paused:
            self._chosen, self._seen = None, 0
            return
        stretch = int(start // STRETCH_MM)
        if stretch != self._stretch:
            if self._chosen is not None:
                self._judge(self._chosen)
            self._stretch, self._seen, self._chosen = stretch, 0, None
        if stop - start >= self._whole_mm:
            self._seen += 1
            # Each of the stretch with the same probability, though it is not known how many there will be.
            if self._random.random() * self._seen < 1:
                self._chosen = tile

    def _judge(self, tile: TileEvent) -> None:
        self.samples += 1
        ratios = {}
        if self._rates:
            ratios["defects_frequent"] = self._rates.more.log_ratio(tile.defective)
            if fewer := self._rates.fewer:
                ratios["defects_rare"] = fewer.log_ratio(tile.defective)
        if self._scores and not tile.defective:
            ratios |= self._scores.log_ratios(tile.score)
        for name, ratio in ratios.items():
            test = self._tests[name]
            test.add(ratio)
            self._tell(name, test.on, WATCHED[name], samples=self.samples)


def _scores(held_out: dict | None, threshold: float) -> Scores | None:
    if not held_out or not held_out["score_quantiles"]:
        return None
    found = Scores(held_out["score_quantiles"], threshold, sum(held_out["confusion"][0]))
    return found if found.is_known else None
