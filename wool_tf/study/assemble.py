"""From the records of a study to its results.

Nothing is made up: a repeat that lacks a fold has no figures, and a stage without a complete repeat has none.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from wool_tf import environment
from wool_tf.baselines import frozen_features
from wool_tf.data.dataset import Dataset
from wool_tf.evaluation.metrics import THRESHOLD
from wool_tf.networks import complexity, initial_weights
from wool_tf.networks.spec import ResNetSpec
from wool_tf.networks.unit_records import Attempt, UnitRecord
from wool_tf.study import baselines, contact_sheets, dataset_issues, image_results, results
from wool_tf.study.baselines import Name, Repeats
from wool_tf.study.evidence import Evidence
from wool_tf.study.results import BASELINE, INT8
from wool_tf.training import recipes
from wool_tf.training.config import TrainingConfig


def study(
    configs: Sequence[TrainingConfig],
    evidence: Evidence,
    compared: Mapping[Name, Repeats],
    failures: Mapping[str, Sequence[Attempt]],
    command: str,
    out: Path,
    int8: bool = False,
) -> results.Study:
    """The results of a study, finished or not.

    Arguments:
        configs: of each configuration, alike but for `results.OF_CONFIGURATION`.
        evidence: Evidence.
        compared: what `baselines.judged` gives.
        failures: the attempts of each unit that failed.
        command: the command line.
        out: folder of the study.
        int8: whether the final stage was converted on every fold.
    """
    images, found, table = evidence.images, evidence.records, recipes.table(configs[0])
    return results.Study(
        title=f"Study on {Path(images.folder).resolve().name}",
        command=command,
        out=str(out),
        settings=configs[0],
        environment=environment.describe(),
        commits=_environments(found, "commit"),
        processors=_environments(found, "processor"),
        seconds=float(sum(record.seconds for record in found.values())),
        data=data(images, configs[0].group_by),
        folds=tuple(tuple(_size(images, part) for part in parts) for parts in evidence.folds),
        baselines=baselines.figures(evidence, compared),
        configurations=tuple(_configuration(config, evidence, int8) for config in configs),
        failures=tuple(_failure(unit, attempts) for unit, attempts in failures.items()),
        sheets=tuple(contact_sheets.build(images)),
        suspects=dataset_issues.suspects(images, evidence.judged, _unpruned_scores(configs, evidence)),
        predicted_on="" if table is None else table.machine,
        held_out=_held_out(evidence),
    )


def _environments(found: Mapping[str, UnitRecord], name: str) -> tuple[str, ...]:
    """What records say of a part of the environment that they were made in, each once."""
    return tuple(sorted({str(value) for record in found.values() if (value := record.environment.get(name))}))


def _held_out(evidence: Evidence) -> tuple[image_results.HeldOutImage, ...]:
    images = evidence.images
    return tuple(
        image_results.HeldOutImage(images.paths[index], int(images.labels[index]), str(images.groups[index]))
        for index in evidence.judged
    )


def data(images: Dataset, group_by: str) -> image_results.Data:
    """What the report says of the images."""
    return image_results.Data(
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
        alike=dataset_issues.alike(images, group_by),
    )


def _unpruned_scores(configs: Sequence[TrainingConfig], evidence: Evidence) -> list[np.ndarray]:
    """Out-of-fold scores of the unpruned networks, of each complete repeat of each configuration."""
    pools = (pool for config in configs for pool in evidence.pools(evidence.found(config, BASELINE)))
    return [pool[0] for pool in pools if pool is not None]


def _size(images: Dataset, part: np.ndarray) -> image_results.ImageCounts:
    return image_results.ImageCounts(len(part), int(images.labels[part].sum()), len(set(images.groups[part])))


def _failure(unit: str, attempts: Sequence[Attempt]) -> results.Failure:
    return results.Failure(unit, len(attempts), f"{attempts[-1].kind}: {attempts[-1].reason}")


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
    of_folds = [one.metrics for one in present if one.metrics]
    figures, interval = evidence.figures(pools, [THRESHOLD] * len(pools), of_folds)
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
