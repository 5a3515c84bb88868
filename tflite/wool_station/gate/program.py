"""The work of `gate.py`."""

import dataclasses
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path

from wool_board.belt.report import SummaryOptions
from wool_board.errors import BadSetting, Unusable, WoolError, named
from wool_board.machine.interruption import Interruption
from wool_board.machine.watchdog import Watchdog
from wool_board.options import address, called, numbers, option
from wool_board.settings import same
from wool_station.events import Clock, Event, Lost, RejectEvent, Unseen, typed
from wool_station.feed import messages
from wool_station.gate.control import LEAD_SHARE, Control, LateReject
from wool_station.gate.drawing import Drawing
from wool_station.gate.driver import Driver, DryRunOutput, GateOutput, GateRequest
from wool_station.gate.gpio import GpioOutput
from wool_station.gate.modbus import ModbusOutput
from wool_station.gate.report import GateReport
from wool_station.gate.timeline import GateGeometry
from wool_station.log import Log
from wool_station.options import FeedOptions

GPIO_BEAT, MODBUS_BEAT = 0.02, 0.1
"""Seconds from one sign of life to the next."""

SILENCE_SECONDS, VALID_SECONDS = 0.02, 0.25
"""After which this looks around without a message, and without which there are no signs of life any more."""

SWITCH_SECONDS = 0.0005
"""For which the part that decides may keep Python from the driver; the default is 5 ms, 20 mm of a belt at 4 m/s."""

END_SECONDS = 1.0
MODBUS_PORT = 502
MOST_COIL = 65535
OUTPUTS = ("gpio", "modbus", "dry_run")


@dataclasses.dataclass(frozen=True, kw_only=True)
class GateOptions(GateGeometry, FeedOptions):
    """Where the gate is, what moves it, and how, as a user says it.

    Raises:
        BadSetting: a value breaks its rule.
    """

    gpio: tuple[int, ...] | None = option(
        None,
        "Pins that let lanes pass, by BCM numbers, one for each lane.",
        form="PIN[,PIN]",
        read=numbers("numbers of pins, for example 17,27", int),
    )
    active_low: bool = option(False, "A pin lets pass by a low level instead of a high one.")
    heartbeat_gpio: int | None = option(
        None, "Pin that changes as long as this program works, for a relay that watches it.", form="PIN"
    )
    modbus: tuple[str, int] | None = option(
        None,
        f"Modbus/TCP coupler whose coils let lanes pass (port {MODBUS_PORT} where none is given).",
        form="HOST[:PORT]",
        read=address(MODBUS_PORT),
    )
    coil: int = option(0, "The first coil, counted from 0; the other lanes follow.", at_least=0)
    unit: int = option(1, "Number of the coupler.", at_least=0, at_most=255)
    dry_run: bool = option(False, "Moves nothing.")
    draw: Path | None = option(None, "SVG of when it rejected, written at the end.", form="FILE")
    timeout_ms: float | None = option(
        None,
        f"Time without a clock message until all is rejected; by default {LEAD_SHARE:g} of what the belt takes at full "
        "speed for the lead.",
        above=0,
        below=math.inf,
    )
    report_seconds: float = same(SummaryOptions, "report_seconds")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.timeout_ms is None and self.lead_mm == 0:
            raise BadSetting("lead_mm", 0, "leaves no time for clock messages; give more, or `timeout_ms`")
        self._check_output()

    def _check_output(self) -> None:
        chosen = [name for name in OUTPUTS if getattr(self, name)]
        if len(chosen) != 1:
            raise BadSetting(OUTPUTS, None, "give exactly one of them")
        lanes = self.count
        if self.gpio and len(self.gpio) != lanes:
            raise BadSetting("gpio", self.gpio, f"must be as many pins as there are lanes, {lanes}")
        if self.gpio and len({*self.gpio, self.heartbeat_gpio}) <= lanes:
            raise BadSetting("gpio", self.gpio, "must be different pins, the heartbeat's too")
        if not self.gpio and (self.active_low or self.heartbeat_gpio is not None):
            raise BadSetting(("active_low", "heartbeat_gpio"), None, "are of `gpio`; give it, or leave them out")
        if self.coil > MOST_COIL + 1 - lanes:
            rule = f"must be 0 to {MOST_COIL + 1 - lanes}, with as many coils as lanes"
            raise BadSetting("coil", self.coil, rule)

    @property
    def geometry(self) -> GateGeometry:
        return GateGeometry(self.distance_mm, self.width_mm, self.lead_mm, self.hold_mm, self.lanes)


def run(options: GateOptions) -> int:
    """Drives the gate until it is told to end; returns the exit status.

    Raises:
        WoolError: an option is wrong, or the output cannot be had or has ended.
        KeyboardInterrupt: the end was asked for.
    """
    if options.draw and not options.draw.parent.is_dir():
        raise BadSetting("draw", options.draw, "its folder does not exist; make it first")
    sys.setswitchinterval(SWITCH_SECONDS)
    interruption = Interruption()
    output, beat = _output(options)
    driver = Driver(output, options.geometry.count, VALID_SECONDS, beat)
    interruption.work()
    with driver:
        gate = Gate(options, driver)
        try:
            gate.run(lambda: interruption.asked)
        finally:
            gate.end()
    interruption.check()
    return 0


class Gate:
    """Hears the feed, asks the driver for what follows, and says what happened.

    Arguments:
        options: of the program.
        driver: of the output, started.
    """

    def __init__(self, options: GateOptions, driver: Driver):
        self._options, self._driver = options, driver
        self._geometry = options.geometry
        self._control = Control(self._geometry, options.timeout_ms and options.timeout_ms / 1e3)
        self._report = GateReport(options.report_seconds, options.lead_mm)
        self._drawing = Drawing(self._geometry.count)
        self._log, self._watchdog = Log(), Watchdog()
        self._trouble: str | None = None
        self._line = 0
        """Before which all lines had arrived when that was last known."""

    def run(self, is_stopped: Callable[[], bool]) -> None:
        """Works until it is to stop."""
        settings = dataclasses.asdict(self._geometry) | {"timeout_ms": self._options.timeout_ms}
        self._log.tell("gate", feed=str(self._options.feed), output=self._kind(), **settings)
        self._watchdog.ready()
        for message, _ in messages(self._options.feed, False, SILENCE_SECONDS, is_stopped):
            self._watchdog.alive()
            self._hear(typed(message))
            if not self._driver.is_alive:
                raise WoolError("the output has ended by a defect of this program; it starts anew")

    def end(self) -> None:
        """Says what remains, and draws."""
        self._say_changes()
        self._log.tell("gate_summary", final=True, **self._figures())
        if self._options.draw:
            self._draw(self._options.draw)
        self._log.finish(END_SECONDS)

    def _draw(self, path: Path) -> None:
        try:
            path.write_text(self._drawing.svg(self._at_mm(None)))
        except OSError as error:
            raise Unusable("draw", path, f"cannot be written ({error.strerror})") from None

    def _hear(self, event: Event | None) -> None:
        for note in self._control.hear(event):
            if isinstance(note, LateReject):
                self._report.count("late")
                self._log.tell("late", **note._asdict())
            else:
                self._log.tell("note", name=note.name, text=named(note.text, called(GateOptions)))
        self._line = self._line if self._control.line is None else self._control.line
        reasons = self._control.reasons(time.monotonic())
        clock = event.monotonic if isinstance(event, Clock) else None
        self._driver.ask(GateRequest(reasons, self._control.line, clock), self._control.until)
        match event:
            case Clock():
                self._report.clock(self._control.step_mm, time.monotonic() - event.monotonic, reasons)
            case RejectEvent():
                self._report.count("rejects")
                self._drawing.told(event.along_mm, self._geometry.touched(*event.across_mm), "reject")
            case Unseen():
                self._report.count("unseen")
                self._drawing.told(event.along_mm, list(range(self._geometry.count)), "unseen")
            case Lost():
                self._report.count("feed_lost")
        self._say_changes()
        if self._report.is_due():
            self._log.tell("gate_summary", final=False, **self._figures())
        self._log.push()

    def _say_changes(self) -> None:
        for change in self._driver.changes():
            self._drawing.changed(self._at_mm(change.asked.line), change.passing)
            self._log.tell(
                "output",
                passing=list(change.passing),
                why=list(change.reasons),
                line=change.asked.line,
                at_gate_mm=None if change.asked.line is None else round(self._at_mm(change.asked.line), 1),
                monotonic=round(change.time, 6),
                delay_ms=None if change.asked.clock is None else round(1e3 * (change.time - change.asked.clock), 3),
            )
        if self._driver.trouble != self._trouble:
            self._trouble = self._driver.trouble
            text = f"the output cannot be written ({self._trouble})" if self._trouble else "the output is written again"
            self._log.tell("note", name="output", text=text)

    def _at_mm(self, line: int | None) -> float:
        """Where the belt is at the beginning of the gate, in its millimetres; None: by the line that was last known."""
        return (self._line if line is None else line) * self._control.pixel_mm - self._geometry.distance_mm

    def _figures(self) -> dict:
        driver = {"output_failures": self._driver.failures, "untold": self._log.untold + self._driver.forgotten}
        return self._report.fields() | driver

    def _kind(self) -> str:
        options = self._options
        if options.gpio:
            return f"gpio {','.join(map(str, options.gpio))}"
        return "modbus {}:{}".format(*options.modbus) if options.modbus else "none"


def _output(options: GateOptions) -> tuple[GateOutput, float]:
    """What moves the gates, and the seconds from one sign of life to the next."""
    if options.gpio:
        return GpioOutput(options.gpio, options.active_low, options.heartbeat_gpio), GPIO_BEAT
    if options.modbus:
        return ModbusOutput(*options.modbus, options.unit, options.coil), MODBUS_BEAT
    return DryRunOutput(), MODBUS_BEAT
