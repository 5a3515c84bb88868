"""With what a script works, and who does the work: what results do not depend on, or say themselves."""

import dataclasses
import math
from pathlib import Path

from wool_tf.errors import WoolError


@dataclasses.dataclass(frozen=True)
class Source:
    """Where the crops come from.

    Attributes:
        folder: of crops, as `dataset.load` reads it, or None for simulated ones.
        samples: simulated samples, where there is no folder.
        contrast: of their defects, see `simulate.Campaign`.
        on_bad_image: `fail` or `skip`.
    """

    folder: Path | None
    samples: int
    contrast: float = 1.0
    on_bad_image: str = "fail"


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


@dataclasses.dataclass(frozen=True)
class OperatingPoint:
    """What the threshold on the scores is chosen for.

    Attributes:
        recall: share of the defective images that must be found, above 0 and at most 1.
        cost_ratio: how many false alarms a missed defect costs, above 0.
    """

    recall: float
    cost_ratio: float

    def __post_init__(self):
        if not 0 < self.recall <= 1:
            raise WoolError(f"--required_recall={self.recall}: must be above 0 and at most 1")
        if not 0 < self.cost_ratio < math.inf:
            raise WoolError(f"--cost_ratio={self.cost_ratio}: must be above 0 and finite")
