"""Issues of a data set: labels that networks speak against, and images of different samples that are alike."""

from collections.abc import Sequence

import numpy as np

from wool_tf.audit import label_errors, near_duplicates
from wool_tf.data.dataset import Dataset
from wool_tf.study import contact_sheets
from wool_tf.study.image_results import NearDuplicate, Suspect

PICTURES = 24
"""Suspects that are shown; the others are listed."""


def suspects(images: Dataset, judged: np.ndarray, scores: Sequence[np.ndarray]) -> tuple[Suspect, ...]:
    """The images whose label is probably wrong, the surest first.

    Arguments:
        images: Dataset.
        judged: (n,) indices of the images that were held out.
        scores: of each unpruned network and repeat, (n,), of these images while they were held out; may be empty.
    """
    if not scores:
        return ()
    mean = np.mean(scores, axis=0)
    found = label_errors.suspects(images.labels[judged], mean)
    return tuple(
        Suspect(
            path=images.paths[index],
            label=int(images.labels[index]),
            defects=str(images.defects[index]),
            score=float(score),
            png=contact_sheets.png(images.images[index]) if place < PICTURES else "",
        )
        for place, (index, score) in enumerate(zip(judged[found], mean[found], strict=True))
    )


def alike(images: Dataset, group_by: str) -> tuple[NearDuplicate, ...]:
    """Images that folds may part although they show the same thing, the most alike first.

    Arguments:
        images: Dataset.
        group_by: what folds never share.
    """
    return tuple(
        NearDuplicate(
            images.paths[pair.first],
            images.paths[pair.second],
            pair.likeness,
            bool(images.labels[pair.first] != images.labels[pair.second]),
        )
        for pair in near_duplicates.find(images.images, images.grouped_by(group_by))
    )
