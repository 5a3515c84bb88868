"""With what a script works, and who does the work: what results do not depend on, or say themselves."""

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
        white: the highest value of samples in 16-bit crops, or None, see `native.load`.
    """

    folder: Path | None
    samples: int
    contrast: float = 1.0
    on_bad_image: str = "fail"
    naming: CropNaming = AS_NAMED
    white: int | None = None


@dataclasses.dataclass(frozen=True)
class Workers:
    """Who does the work.

    Attributes:
        jobs: processes that train at the same time on this machine.
        scheduler: address of a Dask cluster instead, or None.
        keep: whether all networks are kept.
        tensorboard: whether curves for TensorBoard are written.
    """

    jobs: int
    scheduler: str | None = None
    keep: bool = False
    tensorboard: bool = False
