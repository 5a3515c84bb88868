"""What the scores of networks and baselines are worth: a part of `study.results.Study`.

Accuracy means one thing in it. In one repeat of the cross-validation every image is judged once, by the network that
had held it out; the metrics of a repeat are those of all images together. What is reported is their mean over repeats
and their standard deviation over repeats (n − 1), which is unknown for a single one; the spread over folds stands
beside it.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from wool_tf.evaluation.bootstrap import DefectRecall
from wool_tf.evaluation.metrics import Metrics
from wool_tf.evaluation.thresholds import ThresholdRule

THRESHOLDING, FROZEN = "thresholding", "frozen_features"
Intervals = dict[str, tuple[float, float]]
"""Bootstrap intervals over samples, (low, high) by metric."""


@dataclasses.dataclass(frozen=True)
class Figures:
    """What scores are worth, judged in one way.

    Attributes:
        repeats: of each repeat the metrics of all images, None where a fold is missing.
        folds: metrics of each fold of every repeat, as far as they are there.
        by_defect: by type of defect, mean over repeats.
    """

    repeats: tuple[Metrics | None, ...]
    folds: tuple[Metrics, ...] = ()
    by_defect: dict[str, DefectRecall] = dataclasses.field(default_factory=dict)

    @property
    def complete(self) -> tuple[Metrics, ...]:
        """Of the repeats that have all of their folds."""
        return tuple(metrics for metrics in self.repeats if metrics is not None)

    def mean(self, name: str) -> float | None:
        """Mean of an attribute of `Metrics` over repeats."""
        values = [getattr(metrics, name) for metrics in self.complete]
        return float(np.mean(values)) if values else None

    def known_mean(self, name: str) -> float:
        """The same, for callers that know of a complete repeat.

        Raises:
            ValueError: no repeat is complete.
        """
        mean = self.mean(name)
        if mean is None:
            raise ValueError(f"{name}: has no mean, because no repeat is complete")
        return mean

    def std(self, name: str) -> float | None:
        """Standard deviation over repeats."""
        return _spread([getattr(metrics, name) for metrics in self.complete])

    def over_folds(self, name: str) -> float | None:
        """Standard deviation over folds."""
        return _spread([getattr(metrics, name) for metrics in self.folds])


def _spread(values: Sequence[float]) -> float | None:
    return float(np.std(values, ddof=1)) if len(values) > 1 else None


@dataclasses.dataclass(frozen=True)
class OperatingPoint:
    """What a rule for the threshold is worth: on each fold at the threshold that the rule gives on the others.

    Attributes:
        rule: ThresholdRule.
        threshold: mean of the thresholds over folds and repeats.
        figures: at these thresholds.
        interval: by metric.
    """

    rule: ThresholdRule
    threshold: float
    figures: Figures
    interval: Intervals = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Baseline:
    """What networks are compared with, on the same folds.

    Attributes:
        kind: `thresholding` or `frozen_features`.
        name: what frozen features depend on, `resnet18-imagenet`; that of thresholding is empty.
        figures: at 0.5; of thresholding at the limits that it found itself.
        interval: by metric.
        operating: by each rule of the study; of thresholding there are none.
    """

    kind: str
    name: str
    figures: Figures
    interval: Intervals = dataclasses.field(default_factory=dict)
    operating: tuple[OperatingPoint, ...] = ()
