"""Where the crops of a study come from: a folder, or the simulator."""

import dataclasses
from pathlib import Path

from wool_tf.data.crop_reading import AS_THEY_ARE, CropReading
from wool_tf.settings import check, same
from wool_tf.simulation.campaign import Campaign


@dataclasses.dataclass(frozen=True)
class CropSource:
    """Where the crops come from.

    Attributes:
        folder: of crops, as `dataset.load` reads it, or None for simulated ones.
        samples, contrast: of the simulation.
        reading: of the folder.

    Raises:
        BadSetting: a value breaks its rule.
    """

    folder: Path | None
    samples: int = same(Campaign, "samples", help="Simulated samples, without a folder of crops.", at_least=8)
    contrast: float = same(Campaign, "contrast")
    reading: CropReading = AS_THEY_ARE

    def __post_init__(self) -> None:
        check(self)
