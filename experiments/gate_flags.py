"""Flags of the scripts that measure a gate: where it is, as for `tflite/gate.py`."""

from absl import flags

import setting_flags
from wool_station.gate.timeline import GateGeometry

# --help shows the flags that are defined by calls of this module as those of the script that calls.
flags.disclaim_key_flags()

USUAL = {"distance_mm": 1500, "width_mm": 100}
"""Defaults of what `gate.py` must be told."""


def define() -> setting_flags.Holders:
    """Defines the flags of a gate with one lane."""
    return setting_flags.define(GateGeometry, without=("lanes",), defaults=USUAL)


def place(holders: setting_flags.Holders) -> GateGeometry:
    """Where the gate is."""
    return setting_flags.build(GateGeometry, holders)
