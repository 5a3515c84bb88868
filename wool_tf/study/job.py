"""With what a script works, and who does the work: what results do not depend on, or say themselves."""

import dataclasses
from pathlib import Path
from typing import NamedTuple

from wool_tf.evaluation.thresholds import ThresholdRule


@dataclasses.dataclass(frozen=True)
class Source:
    """Where the crops come from.

    Attributes:
        folder: of crops, as `dataset.load` reads it, or None for simulated ones.
        samples: simulated samples, where there is no folder.
        contrast: of their defects, see `simulation.campaign.Campaign`.
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


class OperatingPoint(NamedTuple):
    """The rules by which the two thresholds of a report are chosen.

    Attributes:
        by_recall: ThresholdRule of a required recall.
        by_cost: ThresholdRule of a cost ratio.
    """

    by_recall: ThresholdRule
    by_cost: ThresholdRule

    @property
    def recall(self) -> float:
        """The required recall."""
        return self.by_recall.recall

    @property
    def cost_ratio(self) -> float:
        """How many false alarms a miss costs."""
        return self.by_cost.cost_ratio
