"""Where the crops of a study come from: a folder, or the simulator."""

import dataclasses
from pathlib import Path

from wool_tf.data.naming import AS_NAMED, CropNaming
from wool_tf.settings import check, same
from wool_tf.simulation.campaign import Campaign


@dataclasses.dataclass(frozen=True)
class CropSource:
    """Where the crops come from.

    Attributes:
        folder: of crops, as `dataset.load` reads it, or None for simulated ones.
        samples, contrast: of the simulation.
        on_bad_image: `fail` or `skip`.
        naming: which labels are which class, and where samples stand in the names of files.
        white: the highest value of samples in 16-bit crops, or None, see `native_crops.load`.

    Raises:
        BadSetting: a value breaks its rule.
    """

    folder: Path | None
    samples: int = same(Campaign, "samples", help="Simulated samples, without a folder of crops.", at_least=8)
    contrast: float = same(Campaign, "contrast")
    on_bad_image: str = "fail"
    naming: CropNaming = AS_NAMED
    white: int | None = None

    def __post_init__(self) -> None:
        check(self)
