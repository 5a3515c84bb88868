"""Rows of tiles on the strip: what the network says of them, which rejects follow, and what could not be looked at."""

import time
from collections.abc import Callable

import numpy as np

from wool_board.belt.config import InspectionConfig
from wool_board.belt.events import Alarms, Events
from wool_board.belt.feed import Feed
from wool_board.belt.overlap import OverlapControl
from wool_board.belt.rejects import Reject, Rejects
from wool_board.belt.report import Report
from wool_board.belt.rows import GAP, RowFinder, TileRow
from wool_board.belt.strip import BLOCK, Strip
from wool_board.belt.tiles import Tiling
from wool_board.belt.verdict_watch import VerdictWatch
from wool_board.model import heatmap as heatmaps
from wool_board.model.recognizer import Recognition, Recognizer

CHUNK = 64
"""Lines that are taken at a time, at most."""


class RowInspector:
    """Looks at a strip row by row.

    Arguments:
        recognizer: looks at tiles.
        tiling: where they lie.
        config: how.
        arrived: tells how many lines have arrived by now.
        events, alarms, report: are told.

    Attributes:
        strip: what is looked at.
        decided: line before which all is told: no event to come is about a line before it, but for `air`. Any thread
            may read it.
    """

    def __init__(
        self,
        recognizer: Recognizer,
        tiling: Tiling,
        config: InspectionConfig,
        arrived: Callable[[], int],
        events: Events,
        alarms: Alarms,
        report: Report,
    ):
        # A row waits for its margin or for the end of the air that may end a product, and lines come in chunks.
        self.strip = Strip(tiling.width, 2 * tiling.side + GAP + BLOCK + CHUNK)
        self._recognizer, self._tiling, self._config, self._arrived = recognizer, tiling, config, arrived
        self._events, self._alarms, self._report = events, alarms, report
        self._backlog = config.backlog(tiling)
        self._rows = RowFinder(tiling.seen, tiling.margin)
        self._overlap = OverlapControl(tiling, self._backlog or 1)
        self._rejects = Rejects(config.part)
        self._verdicts = VerdictWatch(recognizer.card, alarms)
        self._covered = self.decided = 0
        self._missed = 0
        """Lines before this one that are not accounted for yet are given up: there is no time to look at them."""

    @property
    def level(self) -> int:
        """How far the overlap is thinned, from 0."""
        return self._overlap.index

    @property
    def told(self) -> int:
        """Line before which every line is accounted for by an event, and every defective tile by a reject."""
        open_from = self._rejects.earliest
        return self._covered if open_from is None else min(self._covered, open_from)

    def begin(self, line: int) -> None:
        """Begins a run of lines without gaps."""
        self.strip.begin(line)
        self._rows.begin(line)
        self._covered = self._missed = self.decided = line

    def look(self, final: bool = False) -> None:
        """Deals with the rows of which the strip has all lines; with `final` with those at the end of a run, too."""
        while row := self._rows.find(self.strip.stop, self.strip.shows, final):
            self._deal_with(row)
            self._decide()
        self._account_for_unseen(self._rows.earliest)
        self._tell_rejects(self._rejects.close(None if self._rows.air is not None else self._rows.earliest))
        self._decide()
        self._events.flush()

    def _decide(self) -> None:
        """Finds out how far all is decided and told."""
        open_from, untold = self._rejects.earliest, self._covered if self._missed > self._covered else None
        self.decided = min(line for line in (self._rows.earliest, open_from, untold) if line is not None)

    def end_run(self) -> None:
        """Deals with the last lines of a run, and tells all that is known."""
        self.look(final=True)
        self.tell_air()

    def tell_air(self) -> None:
        """Says where there was nothing to look at."""
        if self._rows.air is not None:
            self._account_for_unseen(self._rows.air)
            self._account_for_air(self._rows.air)

    def tell_unseen(self, start: int, stop: int, reason: str, **details: object) -> None:
        """Says that nobody looked at some lines, and why."""
        self._report.count("unseen_lines", stop - start)
        self._events.tell("unseen", along_mm=self._config.span(start, stop), reason=reason, **details)

    def _account_for_air(self, stop: int) -> None:
        if stop > self._covered:
            self._events.tell("air", along_mm=self._config.span(self._covered, stop))
            self._covered = stop

    def _account_for_unseen(self, stop: int) -> None:
        """Says that lines were too many, as far as no later row sees them after all."""
        stop = min(stop, self._missed)
        if stop > self._covered:
            self.tell_unseen(self._covered, stop, "too_slow")
            self._covered = stop

    def _deal_with(self, row: TileRow) -> None:
        began = time.monotonic()
        self._account_for_unseen(row.first)
        self._account_for_air(row.first)
        self._tell_rejects(self._rejects.close(row.first))
        if self._is_too_slow(began):
            self._missed = row.last
        else:
            self._recognize(row)
            self._covered = row.last
        self._rows.advance(row, self._overlap.level.along)
        self._overlap.worked(time.monotonic() - began)

    def _is_too_slow(self, now: float) -> bool:
        """Adapts the overlap to the backlog; returns whether even the least one is too much work."""
        if self._backlog is None:
            return False
        behind, before = self._arrived() - self.strip.stop, self._overlap.index
        if self._overlap.adapt(behind, now):
            level = self._overlap.level
            self._report.count("thinned", int(self._overlap.index > before))
            self._events.tell(
                "overlap",
                level=self._overlap.index,
                of=len(self._tiling.levels) - 1,
                steps_mm=[self._config.mm(level.along), self._config.mm(level.across)],
                backlog_mm=self._config.mm(behind),
            )
        return behind > self._backlog

    def _recognize(self, row: TileRow) -> None:
        """Shows the tiles of a row to the network."""
        arrived, found = self.strip.arrived(min(row.stop + self._tiling.margin, self.strip.stop) - 1), []
        products = self.strip.products(row.first, row.last, self._tiling.seen // 2)
        if not products:
            # A row that is shorter than the air which may be within a product.
            self._account_for_air(row.last)
        for left, right in products:
            for column in self._tiling.columns(left, right, self._overlap.level.across):
                result = self._show(row, column, arrived)
                if result.defective:
                    first, last = self._tiling.span(column)
                    found.append((max(first, left), min(last, right), result.score))
        self._tell_rejects(self._rejects.add(row.first, row.last, found, self.strip.arrived(row.first)))

    def _show(self, row: TileRow, column: int, arrived: float) -> Recognition:
        """Shows a tile to the network, and tells what it says."""
        corner = row.start - self._tiling.margin, column - self._tiling.margin
        pixels = self.strip.tile(*corner, self._tiling.side)
        result = self._recognizer.recognize(pixels)
        latency = 1e3 * (time.monotonic() - arrived)
        self._report.tile(result.defective, latency)
        self._verdicts.add(result.defective)
        self._events.tell(
            "tile",
            along_mm=self._config.span(row.first, row.last),
            across_mm=self._config.span(*self._tiling.span(column)),
            score=round(result.score, 6),
            defective=result.defective,
            **({} if result.heatmap is None else {"hottest_mm": self._hottest(result.heatmap, *corner)}),
            latency_ms=round(latency, 1),
        )
        if self._events.feed and self._events.feed.wants_pixels:
            self._send_pixels(self._events.feed, row, column, pixels, result)
        return result

    def _send_pixels(self, feed: Feed, row: TileRow, column: int, pixels: np.ndarray, result: Recognition) -> None:
        """Sends what the network saw, and where in it a defect is, to whoever reads the feed."""
        cells, top = result.heatmap, 0.0
        payload = pixels.tobytes()
        if cells is not None:
            top = max(float(cells.max()), heatmaps.SURE)
            payload += np.rint(np.maximum(cells, 0) * (255 / top)).astype(np.uint8).tobytes()
        margin, mm = self._tiling.margin, self._config.mm
        fields = {
            "along_mm": self._config.span(row.first, row.last),
            "across_mm": self._config.span(*self._tiling.span(column)),
            "corner_mm": [mm(row.start - margin), mm(column - margin)],
            "score": round(result.score, 6),
            "defective": bool(result.defective),
            "height": pixels.shape[0],
            "width": pixels.shape[1],
            "heatmap": None if cells is None else list(cells.shape),
            "heatmap_top": None if cells is None else round(top, 3),
        }
        feed.show(fields, payload)

    def _hottest(self, heatmap: np.ndarray, line: int, element: int) -> list[float]:
        """Where a tile speaks most for a defect, in millimetres along and across."""
        across, along = heatmaps.centre(heatmap, self._recognizer.margin, self._tiling.side)
        return [self._config.mm(line + along), self._config.mm(element + across)]

    def _tell_rejects(self, rejects: list[Reject]) -> None:
        for reject in rejects:
            self._tell(reject)

    def _tell(self, reject: Reject) -> None:
        lines, mm = self._arrived() - reject.start, self._config.mm
        self._report.reject(reject.last, lines)
        self._events.tell(
            "reject",
            reject=reject.number,
            part=reject.part,
            last=reject.last,
            joined=reject.joined,
            along_mm=self._config.span(reject.start, reject.stop),
            across_mm=self._config.span(reject.left, reject.right),
            score=round(reject.score, 6),
            latency_mm=mm(lines),
            latency_ms=round(1e3 * (time.monotonic() - reject.arrived), 1),
        )
        stated = self._config.latency
        if stated is not None and lines > stated:
            text = f"reject {reject.number} comes {mm(lines - stated)} mm of the belt later than stated"
            self._alarms.once("late", text, reject=reject.number)
