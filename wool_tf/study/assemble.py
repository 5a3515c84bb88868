"""From the records of a study to its results.

Nothing is made up: a repeat that lacks a fold has no figures, and a stage without a complete repeat has none.
"""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from wool_tf import environment, records
from wool_tf.baselines import frozen_features, thresholding
from wool_tf.data.dataset import Dataset
from wool_tf.errors import WoolError
from wool_tf.evaluation import bootstrap, operating_points
from wool_tf.evaluation.metrics import THRESHOLD, Metrics, evaluate
from wool_tf.evaluation.thresholds import ThresholdRule
from wool_tf.networks import complexity, initial_weights
from wool_tf.networks.spec import ResNetSpec
from wool_tf.study import doubts, results, sheets
from wool_tf.study.grid import fold_name
from wool_tf.study.results import BASELINE, FROZEN, INT8, THRESHOLDING
from wool_tf.training import recipes
from wool_tf.training.config import TrainingConfig

OF_CONFIGURATION = ("depth", "optimizer", "weights")
"""What the configurations of a study differ in."""
Pool = tuple[np.ndarray, np.ndarray]
"""Out-of-fold scores of the judged images, and the fold that held each out."""
Name = tuple[str, str]
"""Kind and name of a baseline."""
Repeats = Sequence[tuple[np.ndarray, np.ndarray]]
"""Of each repeat the calls and the scores of all images."""
AT = {THRESHOLDING: 0.0, FROZEN: THRESHOLD}
"""Where each kind of baseline calls an image defective; scores of thresholding are counted from its limits."""


@dataclasses.dataclass(frozen=True)
class Trained:
    """What a study reads of the record of a fold's network, or of its int8 file.

    Attributes:
        held_out: indices of the images that it judged.
        scores: what it said of them.
        metrics: at 0.5.
        params, macs, spec, removed, mask_difference, history: of the network; int8 files have none of their own.
        before_finetuning: metrics right after filters had gone.
    """

    held_out: list[int]
    scores: list[float]
    metrics: Metrics
    params: int | None = None
    macs: int | None = None
    spec: dict | None = None
    removed: dict[str, float] = dataclasses.field(default_factory=dict)
    mask_difference: float | None = None
    before_finetuning: Metrics | None = None
    history: results.History | None = None


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
    records: Mapping[str, Mapping]
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

    def found(self, config: TrainingConfig, stage: str) -> list[list[Trained | None]]:
        """For each repeat the record of each fold.

        Raises:
            WoolError: a record is damaged, or of other folds.
        """
        return [
            [self._record(f"{fold_name(config, repeat, number)}/{stage}", part) for number, part in enumerate(parts)]
            for repeat, parts in enumerate(self.folds)
        ]

    def _record(self, unit: str, part: np.ndarray) -> Trained | None:
        if unit not in self.records:
            return None
        record = records.typed(self.records[unit], Trained, unit)
        if not np.array_equal(record.held_out, part):
            raise WoolError(f"{unit}: its record is of other folds than this run's; run it in a folder of its own")
        if len(record.scores) != len(part) or not np.isfinite(record.scores).all():
            raise WoolError(f"{unit}: its scores are not finite, or not one per image; remove its record")
        return record

    def pools(self, found: Sequence[Sequence[Trained | None]]) -> list[Pool | None]:
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
    ) -> tuple[results.Figures, results.Intervals]:
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
            return results.Figures(repeats, tuple(folds)), {}
        by_defect = bootstrap.recall_by_defect(labels, np.array(called), self.images.defects[self.judged])
        found = results.Figures(repeats, tuple(folds), by_defect)
        return found, bootstrap.intervals(labels, called, self.draws)

    def auc_interval(self, pools: Sequence[Pool | None]) -> results.Intervals:
        """The interval of the ROC AUC, which no threshold enters; empty without a complete repeat."""
        scores = [pool[0] for pool in pools if pool is not None]
        return {"auc": bootstrap.auc_interval(self.labels, scores, self.draws)} if scores else {}

    def operating(self, pools: Sequence[Pool | None]) -> tuple[results.OperatingPoint, ...]:
        """What each rule is worth; nothing without a complete repeat."""
        return tuple(self._operating(rule, pools) for rule in self.rules) if any(pools) else ()

    def _operating(self, rule: ThresholdRule, pools: Sequence[Pool | None]) -> results.OperatingPoint:
        limits, means = [], []
        for pool in pools:
            chosen = None
            if pool is not None:
                thresholds, _ = operating_points.cross_fitted(self.labels, *pool, rule.chosen)
                chosen = thresholds[pool[1]]
                means.append(thresholds.mean())
            limits.append(chosen)
        return results.OperatingPoint(rule, float(np.mean(means)), *self.figures(pools, limits))


def study(
    configs: Sequence[TrainingConfig],
    evidence: Evidence,
    compared: Mapping[Name, Repeats],
    failures: Mapping[str, Sequence[Mapping]],
    command: str,
    out: Path,
    int8: bool = False,
) -> results.Study:
    """The results of a study, finished or not.

    Arguments:
        configs: of each configuration, alike but for `OF_CONFIGURATION`.
        evidence: Evidence.
        compared: what `judged_by_baselines` gives.
        failures: the attempts of each unit that failed, each with `kind` and `reason`.
        command: the command line.
        out: folder of the study.
        int8: whether the final stage was converted on every fold.
    """
    images, found, table = evidence.images, evidence.records, recipes.table(configs[0])
    abouts = [one.get("environment") or {} for one in found.values()]
    return results.Study(
        title=f"Study on {Path(images.folder).resolve().name}",
        command=command,
        out=str(out),
        settings=_settings(configs),
        environment=environment.describe(),
        commits=tuple(sorted({about["commit"] for about in abouts if about.get("commit")})),
        processors=tuple(sorted({about["processor"] for about in abouts if about.get("processor")})),
        seconds=float(sum(record.get("seconds") or 0 for record in found.values())),
        data=data(images, configs[0].group_by),
        folds=tuple(tuple(_size(images, part) for part in parts) for parts in evidence.folds),
        baselines=baselines(evidence, compared),
        configurations=tuple(_configuration(config, evidence, int8) for config in configs),
        failures=tuple(_failure(unit, attempts) for unit, attempts in failures.items()),
        sheets=tuple(sheets.build(images)),
        suspects=doubts.suspects(images, evidence.judged, _unpruned_scores(configs, evidence)),
        predicted_on="" if table is None else table.machine,
        held_out=_held_out(evidence),
    )


def _held_out(evidence: Evidence) -> tuple[results.HeldOut, ...]:
    images = evidence.images
    return tuple(
        results.HeldOut(images.paths[index], int(images.labels[index]), str(images.groups[index]))
        for index in evidence.judged
    )


def data(images: Dataset, group_by: str) -> results.Data:
    """What the report says of the images."""
    return results.Data(
        folder=images.folder,
        images=len(images.labels),
        defective=int(images.labels.sum()),
        groups=len(set(images.groups)),
        grouped=images.grouped,
        group_by=group_by,
        unlisted=images.unlisted,
        skipped=tuple(images.skipped),
        side=images.images.shape[1],
        fingerprint=images.fingerprint,
        alike=doubts.alike(images, group_by),
    )


def _unpruned_scores(configs: Sequence[TrainingConfig], evidence: Evidence) -> list[np.ndarray]:
    """Out-of-fold scores of the unpruned networks, of each complete repeat of each configuration."""
    pools = (pool for config in configs for pool in evidence.pools(evidence.found(config, BASELINE)))
    return [pool[0] for pool in pools if pool is not None]


def baselines(evidence: Evidence, found: Mapping[Name, Repeats]) -> tuple[results.Baseline, ...]:
    """The figures of the baselines.

    Arguments:
        evidence: Evidence.
        found: what `judged_by_baselines` gives.
    """
    return tuple(
        results.Baseline(kind, name, *_judged(evidence, repeats, AT[kind]), _by_rules(kind, evidence, repeats))
        for (kind, name), repeats in found.items()
    )


def judged_by_baselines(configs: Sequence[TrainingConfig], evidence: Evidence) -> dict[Name, Repeats]:
    """Calls and scores of every image in every repeat, by the baselines' kind and name.

    They are thresholding, and frozen features of each pretrained network that a configuration starts from, on the folds
    of the networks.
    """
    given = evidence.images.images, evidence.images.labels, evidence.folds
    frozen = frozen_features.evaluate_grid(configs, *given)
    return {(THRESHOLDING, ""): thresholding.evaluate_repeats(*given)} | {
        (FROZEN, name): repeats for name, repeats in frozen.items()
    }


def _by_rules(kind: str, evidence: Evidence, repeats: Repeats) -> tuple[results.OperatingPoint, ...]:
    # The limits of thresholding are found by trial, and no rule parts its scores.
    return evidence.operating(_pools(evidence, repeats)) if kind == FROZEN else ()


def called_by(kind: str, evidence: Evidence, repeats: Repeats, rule: ThresholdRule) -> np.ndarray:
    """(n,) bool, which judged images a baseline calls defective in the first repeat, by a rule where it has scores."""
    if kind == THRESHOLDING:
        return repeats[0][0][evidence.judged] == 1
    (scores, fold_of), *_ = _pools(evidence, repeats)
    return operating_points.cross_fitted(evidence.labels, scores, fold_of, rule.chosen)[1]


def _judged(evidence: Evidence, repeats: Repeats, at: float) -> tuple[results.Figures, results.Intervals]:
    labels = evidence.images.labels
    folds = [
        evaluate(labels[part], scores[part], at)
        for parts, (_, scores) in zip(evidence.folds, repeats, strict=True)
        for part in parts
    ]
    pools = _pools(evidence, repeats)
    figures, interval = evidence.figures(pools, [at] * len(repeats), folds)
    return figures, interval | evidence.auc_interval(pools)


def _pools(evidence: Evidence, repeats: Repeats) -> list[Pool]:
    found = []
    for parts, (_, scores) in zip(evidence.folds, repeats, strict=True):
        fold_of = np.empty(len(scores), np.int64)
        for number, part in enumerate(parts):
            fold_of[part] = number
        found.append((scores[evidence.judged], fold_of[evidence.judged]))
    return found


def _settings(configs: Sequence[TrainingConfig]) -> dict[str, object]:
    """Every setting; of what the configurations differ in, all values."""
    shared: dict[str, object] = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in dataclasses.asdict(configs[0]).items()
    }
    for name in OF_CONFIGURATION:
        values = list(dict.fromkeys(getattr(config, name) for config in configs))
        shared[name] = values if len(values) > 1 else values[0]
    return shared


def _size(images: Dataset, part: np.ndarray) -> results.FoldSize:
    return results.FoldSize(len(part), int(images.labels[part].sum()), len(set(images.groups[part])))


def _failure(unit: str, attempts: Sequence[Mapping]) -> results.Failure:
    return results.Failure(unit, len(attempts), f"{attempts[-1]['kind']}: {attempts[-1]['reason']}")


def _configuration(config: TrainingConfig, evidence: Evidence, int8: bool) -> results.Configuration:
    from wool_tf.training import methods

    titles = {stage.name: stage.title for stage in methods.stages(config)}
    found = {name: _stage(config, name, title, evidence) for name, title in titles.items()}
    if int8:
        whole = found[config.final]
        stage = _stage(config, f"{whole.name}{INT8}", f"{whole.title}, int8", evidence)
        # An int8 file has the widths of the network that it was made of.
        found[stage.name] = dataclasses.replace(
            stage,
            params=whole.params,
            macs=whole.macs,
            operations=whole.operations,
            widths=whole.widths,
            predicted_ms=whole.predicted_ms,
        )
    unpruned = found[BASELINE]
    stages = tuple(
        stage if stage is unpruned else dataclasses.replace(stage, change=_change(stage, unpruned))
        for stage in found.values()
    )
    return results.Configuration(
        name=config.configuration,
        depth=config.depth,
        optimizer=config.optimizer,
        weights=config.weights,
        pretrained=initial_weights.pretrained(config.weights),
        frozen=frozen_features.name(config),
        stages=stages,
    )


def _change(pruned: results.Stage, unpruned: results.Stage) -> float | None:
    """Mean change of the accuracy over the repeats that both have: others had other folds, and another difficulty."""
    pairs = zip(pruned.figures.repeats, unpruned.figures.repeats, strict=True)
    changes = [after.accuracy - before.accuracy for after, before in pairs if after and before]
    return float(np.mean(changes)) if changes else None


def _stage(config: TrainingConfig, name: str, title: str, evidence: Evidence) -> results.Stage:
    found = evidence.found(config, name)
    present = [one for repeat in found for one in repeat if one is not None]
    pools = evidence.pools(found)
    figures, interval = evidence.figures(pools, [THRESHOLD] * len(pools), [one.metrics for one in present])
    first = present[0] if present else None
    spec = ResNetSpec.from_config(first.spec) if first and first.spec else None
    differences = [one.mask_difference for one in present if one.mask_difference is not None]
    before = [one.before_finetuning.accuracy for one in present if one.before_finetuning]
    return results.Stage(
        name=name,
        title=title,
        params=first.params if first else None,
        macs=first.macs if first else None,
        operations=complexity.operations(spec) if spec else None,
        figures=figures,
        interval=interval | evidence.auc_interval(pools),
        operating=evidence.operating(pools),
        missing=sum(map(len, found)) - len(present),
        mask_difference=max(differences, default=None),
        removed=first.removed if first else {},
        before_finetuning=float(np.mean(before)) if before else None,
        histories=tuple(one.history for one in found[0] if one is not None and one.history is not None),
        widths=spec.by_group() if spec else {},
        predicted_ms=recipes.predicted_ms(config, spec) if spec else None,
        scores=() if pools[0] is None else tuple(pools[0][0].tolist()),
    )
