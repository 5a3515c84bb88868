"""The inspection of a belt: takes lines as they come, watches them, and has them looked at."""

import math
import time
from collections.abc import Callable

import numpy as np

from wool_board.belt.beam import OpenBeam
from wool_board.belt.config import InspectionConfig
from wool_board.belt.events import Alarms, Events
from wool_board.belt.feed import Position
from wool_board.belt.line_check import LineCheck
from wool_board.belt.lines import LineBlock, LostLines, Ring, WriterGone
from wool_board.belt.monitor import Monitor
from wool_board.belt.motion import EncoderCounts
from wool_board.belt.report import Report
from wool_board.belt.resumption import UNKNOWN, Resumption
from wool_board.belt.row_inspector import CHUNK, RowInspector
from wool_board.belt.standstill import StandstillWatch
from wool_board.belt.state import State, StateWriter
from wool_board.belt.strip import BLOCK
from wool_board.belt.tiles import Tiling
from wool_board.image.flat_field import FlatField, grey
from wool_board.machine import clocks
from wool_board.model.recognizer import Recognizer

WAIT_SECONDS = 0.1

SAVE_SECONDS = 2.0
"""From one state to the next: seldom enough for a card, and what a crash leaves open is short."""


class Inspection:
    """An inspection.

    Arguments:
        recognizer: looks at tiles.
        correction: of the detector.
        tiling: where tiles lie.
        ring: where lines come from.
        config: how.
        events: is told of everything.

    Attributes:
        config: how.
        alarms: that were given.
        monitor: what watches the lines.
    """

    def __init__(
        self,
        recognizer: Recognizer,
        correction: FlatField,
        tiling: Tiling,
        ring: Ring,
        config: InspectionConfig,
        events: Events,
    ):
        self.config, self.alarms = config, Alarms(events)
        self._beam = OpenBeam(config.layout.width, config.window[1], config.spacing, self.alarms, config.first)
        self.monitor = Monitor(correction, config.layout, config.window, self._beam, self.alarms)
        self._check, self._references = LineCheck(correction), correction.fingerprint
        self._ring, self._events = ring, events
        self._report = Report(events, config.report_seconds, config.mm)
        self._inspector = RowInspector(recognizer, tiling, config, self._arrived, events, self.alarms, self._report)
        self._inspector.begin(config.first)
        self._strip = self._inspector.strip
        self._heard = self._saved = time.monotonic()
        self._counts: EncoderCounts | None = None
        self._still = StandstillWatch(correction, self.alarms) if config.position == "time" else None
        if config.position == "count":
            self._counts = EncoderCounts(config.layout.width, config.pixel_mm / config.count_mm, self.alarms)
        self._taken = 0
        """Lines that were taken from the ring, lost ones included."""
        self._told = config.first
        """Line before which all was told, and taken by whoever reads the events."""
        self._heard_of_feed = 0
        """Readers of the feed that were cut off and of which an alarm has told."""
        self._furthest = config.first
        self._publish()

    def _arrived(self) -> int:
        """Line before which all lines have arrived."""
        return self._strip.stop + self._ring.arrived - self._taken

    def position(self) -> Position | None:
        """How far the belt is; None if that cannot be told now. May be called by one other thread."""
        decided, (taken, line, mark) = self._inspector.decided, self._published
        arrived, waiting = self._ring.arrived_and_waiting()
        if not self._counts:
            # What has left the pipe and is not in the ring yet is missing for a moment.
            self._furthest = max(self._furthest, line + arrived - taken + waiting)
            return Position(arrived + waiting, self._furthest, decided)
        if waiting > BLOCK:
            return None
        newest = self._ring.newest() if arrived > taken else None
        return Position(arrived, line if newest is None else line + self._counts.ahead(mark, newest), decided)

    def _publish(self) -> None:
        """Leaves for other threads, in one step, what belongs together: lines taken, and where on the belt they end."""
        mark = self._counts.mark() if self._counts else (None, 0, 0.0)
        self._published = self._taken, self._strip.stop, mark

    def resume(self, resumed: Resumption) -> None:
        """Says what passed unseen between this inspection and the one before."""
        self._beam.level = resumed.level
        self.monitor.elements.resume(resumed.elements)
        start, stop = math.floor(self.config.line(resumed.told_mm)), self.config.first
        # As long as nobody takes that word, the next inspection must say it again.
        self._told = start
        if stop > start:
            self._inspector.tell_unseen(start, stop, "restart", length=resumed.length)
        if resumed.length == UNKNOWN:
            least = resumed.least_seconds
            text = f"for how long nobody looked is not known, for the clock was not set: for {least:g} s at least"
            text += ", and positions are too near by the length of the belt that passed before"
            self.alarms.once("restart_unknown", text, least_seconds=least)

    def run(
        self,
        is_stopped: Callable[[], bool],
        alive: Callable[[], None],
        writer: StateWriter | None = None,
        before_summary: Callable[[], None] = lambda: None,
    ) -> None:
        """Inspects until the input ends.

        Arguments:
            is_stopped: whether to end at once all the same; lines that wait are then told to be unseen.
            alive: is called time and again, as long as the inspection does not hang.
            writer: of states, or None.
            before_summary: is called before each summary but the last.
        """
        self._heard = time.monotonic()
        while not is_stopped():
            alive()
            item = self._ring.take(CHUNK, WAIT_SECONDS)
            if isinstance(item, LineBlock):
                self._add(item)
            elif isinstance(item, LostLines):
                self._lose(item)
            elif isinstance(item, WriterGone):
                if self._leave(item):
                    break
            else:
                self._look_for_stall()
            if self._report.is_due():
                self._inspector.tell_air()
                before_summary()
                self._summarise(final=False)
            self._look_at_feed()
            self._events.flush()
            if writer:
                self._save(writer)
        self._finish()

    def end(self, writer: StateWriter | None) -> None:
        """Leaves the last state, when all events have been taken."""
        self._told = self._arrived()
        if writer:
            writer.save(self._state(ended=True))

    def _save(self, writer: StateWriter) -> None:
        """Leaves a state if it is time for one."""
        if self._events.all_taken:
            self._told = self._inspector.told
        text = f"the state cannot be written ({writer.trouble}): a restart would not know where to go on"
        self.alarms.set("state_unwritten", writer.trouble is not None, text)
        if time.monotonic() - self._saved >= SAVE_SECONDS:
            self._saved = time.monotonic()
            self._inspector.tell_air()
            writer.save(self._state(ended=False))

    def _state(self, ended: bool) -> State:
        untold = self._events.untold.fields() if self._events.untold.events else None
        pixel, now = self.config.pixel_mm, clocks.now()
        return State(
            self._told * pixel,
            self._arrived() * pixel,
            now.time,
            self._beam.level,
            ended,
            untold,
            self.monitor.elements.ill,
            now.boot,
            now.uptime,
            now.is_set,
            self._references,
        )

    def _add(self, block: LineBlock) -> None:
        lines, arrived = block.lines[:, : self.config.layout.width], block.arrived
        if self._counts:
            chosen = self._counts.choose(block.lines)
            lines, arrived = lines[chosen], arrived[chosen]
        # One that stands for several may make more of them than are taken at a time, and than the strip has room for.
        for start in range(0, len(lines), CHUNK):
            if start:
                self._inspector.look()
            self._append(lines[start : start + CHUNK], arrived[start : start + CHUNK])
        self._taken += len(block.lines)
        self._publish()
        self._ring.release(len(block.lines))
        self._heard = time.monotonic()
        for name in ("stall", "no_writer"):
            self.alarms.set(name, False, "lines arrive again")
        self._inspector.look()

    def _append(self, lines: np.ndarray, arrived: np.ndarray) -> None:
        """Corrects lines, watches them, and puts those that are whole on the strip."""
        attenuation = self.monitor.elements.correction.attenuation(lines)
        self._check.leave_out(self.monitor.elements.unrepaired)
        broken = self._check.broken(lines, attenuation)
        starts = np.flatnonzero(np.diff(broken, prepend=~broken[:1]))
        for start, stop in zip(starts, [*starts[1:], len(lines)], strict=True):
            part = slice(start, stop)
            if broken[start]:
                self.monitor.look(self._strip.stop, lines[part], attenuation[part])
                self._leave_out(int(stop - start))
            else:
                self._append_whole(lines[part], attenuation[part], arrived[part])
        text = "lines do not begin where they should: two programs write them at once, or bytes are lost"
        self.alarms.set("broken_lines", bool(broken.any()), text, line=self._strip.stop)

    def _append_whole(self, lines: np.ndarray, attenuation: np.ndarray, arrived: np.ndarray) -> None:
        self._beam.follow(self._strip.stop, attenuation)
        self.monitor.look(self._strip.stop, lines, attenuation)
        if self._still:
            self._still.look(self._strip.stop, attenuation)
        if self._beam.correction:
            attenuation = attenuation - np.float32(self._beam.correction)
        self._strip.append(grey(attenuation, self.config.window), attenuation, arrived)

    def _leave_out(self, count: int) -> None:
        """Accounts for lines that are broken."""
        self._inspector.end_run()
        start = self._strip.stop
        self._inspector.tell_unseen(start, start + count, "broken_lines")
        self._inspector.begin(start + count)

    def _lose(self, lost: LostLines) -> None:
        self._inspector.end_run()
        start = self._strip.stop
        stop = start + lost.lines
        self._taken += lost.lines
        if self._counts:
            self._counts.pass_over(lost.lines)
        text = f"{lost.lines} lines were lost: this machine was too slow to take them"
        self.alarms.once("lost_lines", text, lines=[start, stop])
        self._report.count("lost_lines", lost.lines)
        self._inspector.tell_unseen(start, stop, "lost_lines")
        self._inspector.begin(stop)
        self._publish()

    def _leave(self, left: WriterGone) -> bool:
        """Deals with a writer that went away; returns whether that is the end."""
        if left.error:
            self.alarms.once("read_error", left.error)
        if left.stray:
            whole = self._ring.line_bytes
            text = f"the input ended within a line: {left.stray} of {whole} bytes; lost bytes or a wrong width?"
            self.alarms.once("partial_line", text, bytes=left.stray)
        if not left.final:
            self._inspector.end_run()
            self.alarms.set("no_writer", True, "the writer of the FIFO went away; waiting for another one")
            self._inspector.begin(self._strip.stop)
        return left.final

    def _look_for_stall(self) -> None:
        limit, silent = self.config.stall_seconds, time.monotonic() - self._heard
        if limit is not None and silent > limit and not self.alarms.is_standing("no_writer"):
            self.alarms.set("stall", True, f"no lines for {limit:g} s: does the detector run?", line=self._strip.stop)

    def _look_at_feed(self) -> None:
        feed = self._events.feed
        if not feed:
            return
        cut_off = feed.counts["cut_off"]
        if cut_off > self._heard_of_feed:
            self._heard_of_feed = cut_off
            text = "a program that reads the feed was too slow for rejects and alarms, and was cut off"
            self.alarms.once("feed_reader", text, cut_off=cut_off)
        self.alarms.set("feed", feed.trouble is not None, f"the feed has ended ({feed.trouble}): start this anew")

    def _finish(self) -> None:
        self._inspector.end_run()
        self.monitor.finish(self._strip.stop)
        if self._arrived() > self._strip.stop:
            self._inspector.tell_unseen(self._strip.stop, self._arrived(), "stopped")
        self._events.tell_untold()
        self._summarise(final=True)

    def _summarise(self, final: bool) -> None:
        feed = self._events.feed
        self._report.tell(
            final,
            self._ring.arrived,
            self._arrived(),
            level=self._inspector.level,
            beam_percent=self._beam.percent,
            still_lines=self._counts.left_out if self._counts else self._still.lines if self._still else 0,
            alarms=self.alarms.count,
            standing=self.alarms.standing,
            feed={"readers": feed.readers, **feed.counts} if feed else None,
        )
