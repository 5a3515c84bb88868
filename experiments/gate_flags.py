"""Flags of the scripts that measure a gate: where it is, as for `tflite/gate.py`."""

import dataclasses

from absl import flags

# --help shows the flags that are defined by calls of this module as those of the script that calls.
flags.disclaim_key_flags()


@dataclasses.dataclass(frozen=True)
class GateFlags:
    """The flags once they are defined; what they say is known when they are parsed."""

    _distance: flags.FlagHolder
    _width: flags.FlagHolder
    _lead: flags.FlagHolder
    _hold: flags.FlagHolder

    def place(self):
        """Where the gate is (`wool_tf.belt.gate.edges.GatePlace`)."""
        from wool_tf.belt.gate.edges import GatePlace

        return GatePlace(self._distance.value, self._width.value, self._lead.value, self._hold.value)


def define() -> GateFlags:
    """Defines the flags."""
    return GateFlags(
        flags.DEFINE_float("distance_mm", 1500, "From the detector to where the gate begins."),
        flags.DEFINE_float("width_mm", 100, "Of the gate along the belt."),
        flags.DEFINE_float("lead_mm", 50, "Of the belt, for which it rejects before a reject."),
        flags.DEFINE_float("hold_mm", 20, "Of the belt, for which it rejects behind a reject."),
    )
