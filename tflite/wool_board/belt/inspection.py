"""The inspection of a belt: takes lines as they come, watches them, and has them looked at."""

import time
from collections.abc import Callable

import numpy as np

from wool_board.belt.beam import OpenBeam
from wool_board.belt.config import InspectionConfig
from wool_board.belt.events import Alarms, Events
from wool_board.belt.inspector import CHUNK, Inspector
from wool_board.belt.lines import Block, LostLines, Ring, WriterGone
from wool_board.belt.monitor import Monitor
from wool_board.belt.report import Report
from wool_board.belt.tiles import Tiling
from wool_board.image.flat_field import Correction, grey
from wool_board.model.recognizer import Recognizer

WAIT_SECONDS = 0.1


class Inspection:
    """An inspection, from line 0 on.

    Arguments:
        recognizer: looks at tiles.
        correction: of the detector.
        tiling: where tiles lie.
        ring: where lines come from.
        config: how.
        events: is told of everything.

    Attributes:
        alarms: that were given.
        monitor: what watches the lines.
    """

    def __init__(
        self,
        recognizer: Recognizer,
        correction: Correction,
        tiling: Tiling,
        ring: Ring,
        config: InspectionConfig,
        events: Events,
    ):
        self.alarms = Alarms(events)
        self._beam = OpenBeam(config.layout.width, config.window[1], config.spacing, self.alarms)
        self.monitor = Monitor(correction, config.layout, config.window, self._beam, self.alarms)
        self._ring, self._config = ring, config
        self._report = Report(events, config.report_seconds, config.mm)
        self._inspector = Inspector(recognizer, tiling, config, lambda: ring.arrived, events, self.alarms, self._report)
        self._strip = self._inspector.strip
        self._heard = time.monotonic()

    def run(self, is_stopped: Callable[[], bool], alive: Callable[[], None]) -> None:
        """Inspects until the input ends.

        Arguments:
            is_stopped: whether to end at once all the same; lines that wait are then told to be unseen.
            alive: is called time and again, as long as the inspection does not hang.
        """
        self._heard = time.monotonic()
        while not is_stopped():
            alive()
            item = self._ring.take(CHUNK, WAIT_SECONDS)
            if isinstance(item, Block):
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
                self._summarise(final=False)
        self._finish()

    def _add(self, block: Block) -> None:
        attenuation = self.monitor.elements.correction.attenuation(block.lines)
        self._beam.follow(block.first, attenuation)
        self.monitor.look(block.first, block.lines, attenuation)
        if self._beam.correction:
            attenuation -= np.float32(self._beam.correction)
        self._strip.append(grey(attenuation, self._config.window), attenuation, block.arrived)
        self._ring.release(len(block.lines))
        self._heard = time.monotonic()
        for name in ("stall", "no_writer"):
            self.alarms.set(name, False, "lines arrive again")
        self._inspector.look()

    def _lose(self, lost: LostLines) -> None:
        self._inspector.end_run()
        stop = lost.first + lost.lines
        text = f"{lost.lines} lines were lost: this machine was too slow to take them"
        self.alarms.once("lost_lines", text, lines=[lost.first, stop])
        self._report.count("lost_lines", lost.lines)
        self._inspector.tell_unseen(lost.first, stop, "lost_lines")
        self._inspector.begin(stop)

    def _leave(self, left: WriterGone) -> bool:
        """Deals with a writer that went away; returns whether that is the end."""
        if left.error:
            self.alarms.once("read_error", left.error)
        if left.stray:
            whole = self._config.layout.line_bytes
            text = f"the input ended within a line: {left.stray} of {whole} bytes; lost bytes or a wrong width?"
            self.alarms.once("partial_line", text, bytes=left.stray)
        if not left.final:
            self._inspector.end_run()
            self.alarms.set("no_writer", True, "the writer of the FIFO went away; waiting for another one")
            self._inspector.begin(self._strip.stop)
        return left.final

    def _look_for_stall(self) -> None:
        limit, silent = self._config.stall_seconds, time.monotonic() - self._heard
        if limit is not None and silent > limit and not self.alarms.is_standing("no_writer"):
            self.alarms.set("stall", True, f"no lines for {limit:g} s: does the detector run?", line=self._strip.stop)

    def _finish(self) -> None:
        self._inspector.end_run()
        self.monitor.finish(self._strip.stop)
        if self._ring.arrived > self._strip.stop:
            self._inspector.tell_unseen(self._strip.stop, self._ring.arrived, "stopped")
        self._summarise(final=True)

    def _summarise(self, final: bool) -> None:
        self._report.tell(
            final,
            self._ring.arrived,
            level=self._inspector.level,
            beam_percent=self._beam.percent,
            alarms=self.alarms.count,
            standing=self.alarms.standing,
        )
