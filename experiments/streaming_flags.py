"""Flags of the scripts that let scans pass on a belt: which, what inspects them, how fast, and where figures go."""

import dataclasses
import math
from pathlib import Path
from typing import Any

from absl import flags

import console
import scan_flags
from wool_board.belt.config import LINES_PER_SECOND
from wool_tf import WoolError
from wool_tf.data.annotations.scans import ScanConfig

# --help shows the flags that are defined by calls of this module as those of the script that calls.
flags.disclaim_key_flags()


@dataclasses.dataclass(frozen=True)
class StreamingInputs:
    """What the flags say, checked.

    Attributes:
        belt: the scans laid on a belt (`wool_tf.belt.layout.Belt`).
        model: the TFLite file.
        lines_per_second: of real time.
    """

    belt: Any
    model: Path
    lines_per_second: float
    _json: Path | None

    def write(self, figures: dict) -> None:
        """Writes what was found, with what it was found on, if there is to be a file."""
        from wool_tf import records

        if self._json:
            records.write(self._json, {"scans": str(self.belt.folder), "model": str(self.model), **figures})


@dataclasses.dataclass(frozen=True)
class StreamingFlags:
    """The flags once they are defined; what they say is known when they are parsed."""

    _scans: scan_flags.ScanFlags
    _model: flags.FlagHolder
    _rate: flags.FlagHolder
    _samples: flags.FlagHolder
    _limit: flags.FlagHolder
    _gap: flags.FlagHolder
    _json: flags.FlagHolder

    def given(self) -> StreamingInputs:
        """Checks what the flags say, and lays the scans on a belt."""
        from wool_tf.belt import layout

        folder, rate, model = self._scans.folder, above_zero(self._rate), console.file("model", self._model.value)
        out = console.output("json", self._json.value, scans=folder) if self._json.value else None
        belt = layout.lay(folder, self._scans.config, self._samples.value, self._limit.value, self._gap.value)
        return StreamingInputs(belt, model, rate, out)


@dataclasses.dataclass(frozen=True)
class SpeedFlag:
    """The flag of speeds once it is defined."""

    _speed: flags.FlagHolder
    _unlimited: bool

    @property
    def values(self) -> list[float]:
        """Multiples of real time, 0 for no limit."""
        rule = "of 0 or more" if self._unlimited else "above 0"
        try:
            speeds = [float(value) for value in self._speed.value]
        except ValueError:
            speeds = []
        if not speeds or not all((self._unlimited or speed) and 0 <= speed < math.inf for speed in speeds):
            raise WoolError(f"--speed={','.join(self._speed.value)}: must be numbers {rule}, with commas between them")
        return speeds


def define() -> StreamingFlags:
    """Defines the flags."""
    return StreamingFlags(
        scan_flags.define(ScanConfig),
        flags.DEFINE_string("model", None, "TFLite file with its card.", required=True),
        flags.DEFINE_float("lines_per_second", LINES_PER_SECOND, "Lines of the detector in a second of real time."),
        flags.DEFINE_list("samples", [], "Samples whose scans are streamed; default: all."),
        flags.DEFINE_integer("limit", 0, "Scans on the belt at most; 0: all.", lower_bound=0),
        flags.DEFINE_integer("gap_lines", 375, "Lines of air between two scans.", lower_bound=1),
        flags.DEFINE_string("json", None, "File that all figures are written to."),
    )


def define_speed(unlimited: bool) -> SpeedFlag:
    """Defines `--speed`; 0, which is no limit, is allowed or not."""
    no_limit = "; 0: no limit" if unlimited else ""
    text = f"Multiples of real time, with commas between them{no_limit}."
    return SpeedFlag(flags.DEFINE_list("speed", ["1"], text), unlimited)


def above_zero(holder: flags.FlagHolder) -> float:
    """The value of a flag that must be a finite number above 0."""
    if not 0 < holder.value < math.inf:
        raise WoolError(f"--{holder.name}={holder.value:g}: must be above 0")
    return holder.value
