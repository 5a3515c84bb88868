"""The records of a study, checked, and what the scores in them are worth."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence

import numpy as np

from wool_tf.data.dataset import Dataset
from wool_tf.errors import WoolError
from wool_tf.evaluation import bootstrap, operating_points
from wool_tf.evaluation.metrics import Metrics, evaluate
from wool_tf.evaluation.thresholds import ThresholdRule
from wool_tf.networks.unit_records import UnitRecord
from wool_tf.study import score_results
from wool_tf.study.grid import fold_name
from wool_tf.training.config import TrainingConfig

Pool = tuple[np.ndarray, np.ndarray]
"""Out-of-fold scores of the judged images, and the fold that held each out."""


@dataclasses.dataclass(frozen=True)
class Evidence:
    """What all configurations are measured with.

    Attributes:
        images: Dataset.
        folds: for each repeat the held-out indices of each fold that is trained; all repeats judge the same images.
        records: the records there are, by unit; those of failed or unfinished units are missing.
        rules: by which thresholds are chosen.
    """

    images: Dataset
    folds: Sequence[Sequence[np.ndarray]]
    records: Mapping[str, UnitRecord]
    rules: Sequence[ThresholdRule]

    @functools.cached_property
    def judged(self) -> np.ndarray:
        """(n,) sorted indices of the images that some fold holds out: all, unless only the first folds are trained."""
        return np.sort(np.concatenate(self.folds[0]))

    @functools.cached_property
    def labels(self) -> np.ndarray:
        """(n,) of the judged images."""
        return self.images.labels[self.judged]

    @functools.cached_property
    def draws(self) -> np.ndarray:
        """(draws, n) how often each judged image occurs when samples are drawn anew."""
        return bootstrap.draw(self.labels, self.images.groups[self.judged])

    def found(self, config: TrainingConfig, stage: str) -> list[list[UnitRecord | None]]:
        """For each repeat the record of each fold.

        Raises:
            WoolError: a record is of other folds, or lacks scores of images that were held out.
        """
        return [
            [
                self._record(f"{fold_name(config.configuration, repeat, number)}/{stage}", part)
                for number, part in enumerate(parts)
            ]
            for repeat, parts in enumerate(self.folds)
        ]

    def _record(self, unit: str, part: np.ndarray) -> UnitRecord | None:
        record = self.records.get(unit)
        if record is None:
            return None
        if not np.array_equal(record.held_out, part):
            raise WoolError(f"{unit}: its record is of other folds than this run's; run it in a folder of its own")
        if record.metrics is None or len(record.scores) != len(part) or not np.isfinite(record.scores).all():
            rule = "its scores are not finite, not one per image, or without metrics; remove its record"
            raise WoolError(f"{unit}: {rule}")
        return record

    def pools(self, found: Sequence[Sequence[UnitRecord | None]]) -> list[Pool | None]:
        """For each repeat its out-of-fold scores, None where a fold is missing."""
        pools: list[Pool | None] = []
        for folds in found:
            present = [
                (np.searchsorted(self.judged, one.held_out).tolist(), one.scores) for one in folds if one is not None
            ]
            complete = len(present) == len(folds)
            pools.append(bootstrap.pool(len(self.judged), present) if complete else None)
        return pools

    def figures(
        self, pools: Sequence[Pool | None], limits: Sequence, folds: Sequence[Metrics] = ()
    ) -> tuple[score_results.Figures, score_results.Intervals]:
        """Figures of pools, and their intervals.

        Arguments:
            pools: of each repeat.
            limits: of each repeat a threshold, or one of each image.
            folds: metrics of the folds.
        """
        labels, pairs = self.labels, list(zip(pools, limits, strict=True))
        repeats = tuple(None if pool is None else evaluate(labels, pool[0], limit) for pool, limit in pairs)
        called = [pool[0] >= limit for pool, limit in pairs if pool is not None]
        if not called:
            return score_results.Figures(repeats, tuple(folds)), {}
        by_defect = bootstrap.recall_by_defect(labels, np.array(called), self.images.defects[self.judged])
        found = score_results.Figures(repeats, tuple(folds), by_defect)
        return found, bootstrap.intervals(labels, called, self.draws)

    def auc_interval(self, pools: Sequence[Pool | None]) -> score_results.Intervals:
        """The interval of the ROC AUC, which no threshold enters; empty without a complete repeat."""
        scores = [pool[0] for pool in pools if pool is not None]
        return {"auc": bootstrap.auc_interval(self.labels, scores, self.draws)} if scores else {}

    def operating(self, pools: Sequence[Pool | None]) -> tuple[score_results.OperatingPoint, ...]:
        """What each rule is worth; nothing without a complete repeat."""
        return tuple(self._operating(rule, pools) for rule in self.rules) if any(pools) else ()

    def _operating(self, rule: ThresholdRule, pools: Sequence[Pool | None]) -> score_results.OperatingPoint:
        limits, means = [], []
        for pool in pools:
            chosen = None
            if pool is not None:
                thresholds, _ = operating_points.cross_fitted(self.labels, *pool, rule.chosen)
                chosen = thresholds[pool[1]]
                means.append(thresholds.mean())
            limits.append(chosen)
        return score_results.OperatingPoint(rule, float(np.mean(means)), *self.figures(pools, limits))
