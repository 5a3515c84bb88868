"""Where the crops of a study come from: a folder, or the simulator."""

import dataclasses
from pathlib import Path

from wool_tf.data.naming import AS_NAMED, CropNaming


@dataclasses.dataclass(frozen=True)
class CropSource:
    """Where the crops come from.

    Attributes:
        folder: of crops, as `dataset.load` reads it, or None for simulated ones.
        samples: simulated samples, where there is no folder.
        contrast: of their defects, see `simulation.campaign.Campaign`.
        on_bad_image: `fail` or `skip`.
        naming: which labels are which class, and where samples stand in the names of files.
        white: the highest value of samples in 16-bit crops, or None, see `native_crops.load`.
    """

    folder: Path | None
    samples: int
    contrast: float = 1.0
    on_bad_image: str = "fail"
    naming: CropNaming = AS_NAMED
    white: int | None = None
