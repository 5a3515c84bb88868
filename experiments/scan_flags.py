"""Flags of the scripts that read scans: the folder, what is marked in them, and how raw lines are laid out."""

import dataclasses
from pathlib import Path
from typing import Any

from absl import flags

from wool_board.image.scan_files import TYPES, LineFormat
from wool_tf import WoolError
from wool_tf.command_line import flag_values, setting_flags
from wool_tf.data.annotations.scans import ScanConfig

# --help shows the flags that are defined by calls of this module as those of the script that calls.
flags.disclaim_key_flags()


@dataclasses.dataclass(frozen=True)
class ScanFlags:
    """The flags once they are defined; what they say is known when they are parsed."""

    _config: type[ScanConfig]
    _scans: flags.FlagHolder
    _settings: setting_flags.Holders
    _width: flags.FlagHolder
    _type: flags.FlagHolder

    @property
    def folder(self) -> Path:
        """The folder of the scans."""
        return flag_values.folder("scans", self._scans.value)

    @property
    def config(self) -> Any:
        """What the scans are, and what else the settings say."""
        return setting_flags.build(self._config, self._settings, raw=self._raw())

    def _raw(self) -> LineFormat | None:
        if (self._width.value is None) != (self._type.value is None):
            raise WoolError("--raw_width and --raw_type go together; give both")
        return self._width.value and LineFormat(self._width.value, self._type.value)


def define(config: type[ScanConfig]) -> ScanFlags:
    """Defines the flags.

    Arguments:
        config: ScanConfig, or a dataclass that adds settings to it.
    """
    return ScanFlags(
        config,
        flags.DEFINE_string("scans", None, "Folder of the scans and their annotations.", required=True),
        setting_flags.define(config),
        flags.DEFINE_integer("raw_width", None, "Elements in a line of raw files (.raw, .bin).", lower_bound=1),
        flags.DEFINE_enum("raw_type", None, list(TYPES), "Type of a sample in raw files."),
    )
