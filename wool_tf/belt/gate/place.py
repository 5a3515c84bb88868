"""Where the gate of a trial is, as `tflite/gate.py` is told it."""

import dataclasses

from wool_station.gate.timeline import GateGeometry
from wool_tf.settings import declared


@dataclasses.dataclass(frozen=True)
class TrialGate(GateGeometry):
    """A gate with one lane; what `gate.py` must be told has a default.

    Raises:
        BadSetting: a value breaks its rule.
    """

    distance_mm: float = declared(GateGeometry)["distance_mm"].field(1500)
    width_mm: float = declared(GateGeometry)["width_mm"].field(100)
