"""Flags of the scripts that let scans pass on a belt: which, what inspects them, how fast, and where figures go."""

import dataclasses
import math
from pathlib import Path
from typing import Any

from absl import flags

import scan_flags
from wool_board.belt.program import InspectionOptions
from wool_board.machine import cores
from wool_tf.command_line import flag_values, setting_flags
from wool_tf.data.annotations.scans import ScanConfig
from wool_tf.errors import BadSetting
from wool_tf.settings import check, same, setting

# --help shows the flags that are defined by calls of this module as those of the script that calls.
flags.disclaim_key_flags()


@dataclasses.dataclass(frozen=True)
class StreamingConfig:
    """How scans pass, and with what the inspection does its work.

    Raises:
        BadSetting: a value breaks its rule.
    """

    lines_per_second: float = same(InspectionOptions, "lines_per_second")
    threads: int = same(InspectionOptions, "threads")
    samples: tuple[str, ...] = setting((), "Samples whose scans are streamed; default: all.")
    limit: int = setting(0, "Scans on the belt at most; 0: all.", at_least=0)
    gap_lines: int = setting(375, "Lines of air between two scans.", at_least=1)
    speed: tuple[float, ...] = setting((1.0,), "Multiples of real time; 0: no limit.", at_least=0, below=math.inf)
    hours: float | None = setting(
        None,
        "Instead, as many lines as the belt has in so many hours, without a limit.",
        above=0,
        below=math.inf,
    )

    def __post_init__(self) -> None:
        check(self)
        if not self.speed:
            raise BadSetting("speed", self.speed, "give at least one value")
        cores.check_threads(self.threads)


@dataclasses.dataclass(frozen=True)
class PacedConfig(StreamingConfig):
    """The same where scans pass at a speed always."""

    speed: tuple[float, ...] = same(StreamingConfig, "speed", help="Multiples of real time.", at_least=None, above=0)


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

    def write(self, **figures: object) -> None:
        """Writes what was found, with what it was found on, if there is to be a file."""
        from wool_tf import records

        if self._json:
            records.write(self._json, {"scans": str(self.belt.folder), "model": str(self.model), **figures})


@dataclasses.dataclass(frozen=True)
class StreamingFlags:
    """The flags once they are defined; what they say is known when they are parsed."""

    _type: type[StreamingConfig]
    _scans: scan_flags.ScanFlags
    _model: flags.FlagHolder
    _config: setting_flags.Holders
    _json: flags.FlagHolder

    @property
    def config(self) -> StreamingConfig:
        """How scans pass."""
        return setting_flags.build(self._type, self._config)

    def given(self) -> StreamingInputs:
        """Checks what the flags say, and lays the scans on a belt."""
        from wool_tf.belt import layout

        folder, config, model = self._scans.folder, self.config, flag_values.file("model", self._model.value)
        out = flag_values.output("json", self._json.value, scans=folder) if self._json.value else None
        belt = layout.lay(folder, self._scans.config, config.samples, config.limit, config.gap_lines)
        return StreamingInputs(belt, model, config.lines_per_second, out)


def define(*others: str, config: type[StreamingConfig] = StreamingConfig) -> StreamingFlags:
    """Defines the flags.

    Arguments:
        others: fields of the settings that get a flag, too, though not every script has them.
        config: StreamingConfig, or one with other rules.
    """
    return StreamingFlags(
        config,
        scan_flags.define(ScanConfig),
        flags.DEFINE_string("model", None, "TFLite file with its card.", required=True),
        setting_flags.define(config, without={"speed", "threads", "hours"}.difference(others)),
        flags.DEFINE_string("json", None, "File that all figures are written to."),
    )
