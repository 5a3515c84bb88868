"""The work of `gate.py`."""

import dataclasses
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path

from wool_board.errors import UsageError, WoolError
from wool_board.machine.interruption import Interruption
from wool_board.machine.watchdog import Watchdog
from wool_station.feed import LOST, messages
from wool_station.gate.control import Control, LateReject
from wool_station.gate.drawing import Drawing
from wool_station.gate.driver import Driver, DryRunOutput, GateOutput, GateRequest
from wool_station.gate.gpio import GpioOutput
from wool_station.gate.modbus import ModbusOutput
from wool_station.gate.report import GateReport
from wool_station.gate.timeline import GateGeometry
from wool_station.log import Log

GPIO_BEAT, MODBUS_BEAT = 0.02, 0.1
"""Seconds from one sign of life to the next."""

SILENCE_SECONDS, VALID_SECONDS = 0.02, 0.25
"""After which this looks around without a message, and without which there are no signs of life any more."""

SWITCH_SECONDS = 0.0005
"""For which whoever decides may keep Python from the driver; by default that is 5 ms, 20 mm of a belt at 4 m/s."""

END_SECONDS = 1.0
MODBUS_PORT = 502
MOST_COIL = 65535


@dataclasses.dataclass(frozen=True)
class GateOptions:
    """Where the gate is, what moves it, and how, as a user says it.

    Attributes:
        feed: socket of the inspection.
        distance_mm, width_mm, lead_mm, hold_mm: as in `GateGeometry`.
        lane: from and to where each gate reaches across the belt; empty: one gate over all of it.
        gpio: pins, one for each lane, or None.
        active_low: whether a pin lets pass by a low level.
        heartbeat_gpio: pin that changes as long as the gate lives, or None.
        modbus: host and port of a coupler, or None.
        coil: the first one.
        unit: of the coupler.
        dry_run: whether nothing is moved.
        draw: file for a picture of when the gate fired, or None.
        timeout_ms: for which a clock message counts; None: most of what the belt takes at full speed for the lead.
        report_seconds: from summary to summary.
    """

    feed: Path
    distance_mm: float
    width_mm: float
    lead_mm: float
    hold_mm: float
    lane: tuple[tuple[float, float], ...]
    gpio: tuple[int, ...] | None
    active_low: bool
    heartbeat_gpio: int | None
    modbus: tuple[str, int] | None
    coil: int
    unit: int
    dry_run: bool
    draw: Path | None
    timeout_ms: float | None
    report_seconds: float

    @property
    def geometry(self) -> GateGeometry:
        return GateGeometry(self.distance_mm, self.width_mm, self.lead_mm, self.hold_mm, self.lane)


def run(options: GateOptions) -> int:
    """Drives the gate until it is told to end; returns the exit status.

    Raises:
        WoolError: an option is wrong, or the output cannot be had or has ended.
        KeyboardInterrupt: the end was asked for.
    """
    _check(options)
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
        for event, _ in messages(self._options.feed, False, SILENCE_SECONDS, is_stopped):
            self._watchdog.alive()
            self._hear(event)
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
            raise WoolError(f"--draw={path}: cannot be written ({error.strerror})") from None

    def _hear(self, event: dict) -> None:
        for note in self._control.hear(event):
            if isinstance(note, LateReject):
                self._report.count("late")
                self._log.tell("late", **note._asdict())
            else:
                self._log.tell("note", **note._asdict())
        self._line = self._line if self._control.line is None else self._control.line
        now, clock = time.monotonic(), event.get("monotonic")
        reasons = self._control.reasons(now)
        self._driver.ask(GateRequest(reasons, self._control.line, clock), self._control.until)
        if event["event"] == "clock":
            self._report.clock(self._control.step_mm, time.monotonic() - event["monotonic"], reasons)
        elif event["event"] == "reject":
            self._report.count("rejects")
            self._drawing.told(event["along_mm"], self._geometry.touched(*event["across_mm"]), "reject")
        elif event["event"] == "unseen":
            self._report.count("unseen")
            self._drawing.told(event["along_mm"], list(range(self._geometry.count)), "unseen")
        elif event["event"] == LOST:
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


def _check(options: GateOptions) -> None:
    for name in ("distance_mm", "width_mm", "timeout_ms", "report_seconds"):
        value = getattr(options, name)
        if value is not None and not 0 < value < math.inf:
            raise UsageError(f"--{name}={value:g}: must be above 0")
    for name in ("lead_mm", "hold_mm"):
        if not 0 <= getattr(options, name) < math.inf:
            raise UsageError(f"--{name}={getattr(options, name):g}: must be 0 or more")
    if options.timeout_ms is None and options.lead_mm == 0:
        raise UsageError("--lead_mm=0: leaves no time for clock messages; give more, or --timeout_ms")
    if options.lead_mm >= options.distance_mm:
        raise UsageError(f"--lead_mm={options.lead_mm:g}: must be below --distance_mm={options.distance_mm:g}")
    for left, right in options.lane:
        if not 0 <= left < right < math.inf:
            raise UsageError(f"--lane={left:g},{right:g}: must be FROM,TO in mm across the belt, 0 <= FROM < TO")
    _check_output(options)
    if options.draw and not options.draw.parent.is_dir():
        raise UsageError(f"--draw={options.draw}: its folder does not exist; make it first")


def _check_output(options: GateOptions) -> None:
    chosen = [name for name in ("gpio", "modbus", "dry_run") if getattr(options, name)]
    if len(chosen) != 1:
        raise UsageError("--gpio, --modbus, --dry_run: give exactly one of them")
    lanes = options.geometry.count
    if options.gpio and len(options.gpio) != lanes:
        given = ",".join(map(str, options.gpio))
        raise UsageError(f"--gpio={given}: must be as many pins as there are lanes, {lanes}")
    if options.gpio and len({*options.gpio, options.heartbeat_gpio}) <= lanes:
        raise UsageError(f"--gpio={','.join(map(str, options.gpio))}: must be different pins, the heartbeat's too")
    if not options.gpio and (options.active_low or options.heartbeat_gpio is not None):
        raise UsageError("--active_low and --heartbeat_gpio: are of --gpio; give it, or leave them out")
    if not 0 <= options.coil <= MOST_COIL + 1 - lanes:
        raise UsageError(f"--coil={options.coil}: must be 0 to {MOST_COIL + 1 - lanes}, with as many coils as lanes")
    if not 0 <= options.unit <= 255:
        raise UsageError(f"--unit={options.unit}: must be 0 to 255")
