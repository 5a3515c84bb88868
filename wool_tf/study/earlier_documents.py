"""What documents of earlier versions lack: which images were judged, and the scores of each, from units' records."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from wool_tf.errors import WoolError
from wool_tf.evaluation.metrics import THRESHOLD
from wool_tf.networks import unit_records
from wool_tf.study.grid import fold_name
from wool_tf.study.image_results import HeldOutImage
from wool_tf.study.results import Configuration, Stage, Study

Scores = dict[int, float]
"""By index of an image in the order of the crops, what the network that held it out said of it."""


def completed(study: Study, folder: Path, others: Sequence[Study] = ()) -> Study:
    """A study with its images named and scored, as far as its document or the records of its units tell.

    Records name images by number only. What the numbers mean is known of a run that delivers, which lists its images,
    and of a run on the same images (by their fingerprint) that names them all.

    Arguments:
        study: Study as it was read.
        folder: of its document; the records are in `units/`.
        others: studies that may be of the same images.

    Returns:
        The study itself where its document names its images, or where nothing tells them. Stages whose records are
        missing, or do not give the accuracy of the document, have no scores.
    """
    if study.held_out:
        return study
    units = folder / "units"
    found = {(one.name, stage.name): _scores(units, study, one, stage) for one, stage in _stages(study)}
    judged = next((sorted(scores) for scores in found.values() if scores), [])
    images = _images(study, judged, others)
    if not images:
        return study
    configurations = tuple(
        dataclasses.replace(
            one, stages=tuple(_scored(stage, found[one.name, stage.name], judged, images) for stage in one.stages)
        )
        for one in study.configurations
    )
    return dataclasses.replace(study, held_out=images, configurations=configurations)


def _stages(study: Study) -> list[tuple[Configuration, Stage]]:
    return [(one, stage) for one in study.configurations for stage in one.stages]


def _scores(units: Path, study: Study, one: Configuration, stage: Stage) -> Scores:
    """Of the first repeat; nothing where a fold is missing."""
    scores: Scores = {}
    for number in range(len(study.folds[0])):
        try:
            record = unit_records.read(units / f"{fold_name(one.name, 0, number)}/{stage.name}.json")
        except WoolError:
            record = None
        if record is None or len(record.held_out) != len(record.scores):
            return {}
        scores |= dict(zip(record.held_out, record.scores, strict=True))
    return scores


def _images(study: Study, judged: Sequence[int], others: Sequence[Study]) -> tuple[HeldOutImage, ...]:
    """The images of these numbers; empty where nothing names them."""
    if not judged:
        return ()
    if study.delivery is not None and len(study.delivery.judged) == len(judged):
        return tuple(HeldOutImage(one.path, one.label, one.group) for one in study.delivery.judged)
    for other in others:
        named = other.held_out
        if other.data.fingerprint == study.data.fingerprint and judged[-1] < len(named) == other.data.images:
            return tuple(named[index] for index in judged)
    return ()


def _scored(stage: Stage, scores: Scores, judged: Sequence[int], images: Sequence[HeldOutImage]) -> Stage:
    """The stage with these scores, if they are what its figures are of."""
    first = stage.figures.repeats[0] if stage.figures.repeats else None
    if first is None or sorted(scores) != judged:
        return stage
    ordered = np.array([scores[index] for index in judged])
    accuracy = np.mean((ordered >= THRESHOLD) == np.array([one.label == 1 for one in images]))
    return dataclasses.replace(stage, scores=tuple(ordered.tolist())) if np.isclose(accuracy, first.accuracy) else stage
