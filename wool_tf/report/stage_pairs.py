"""Two stages of a study, image by image."""

from collections.abc import Sequence

import numpy as np

from wool_tf.evaluation import paired_comparison
from wool_tf.evaluation.metrics import THRESHOLD
from wool_tf.study.image_results import HeldOutImage
from wool_tf.study.results import Stage, Study


def truth(images: Sequence[HeldOutImage]) -> tuple[np.ndarray, np.ndarray]:
    """(n,) labels of images, 1 for defective, and (n,) names of their physical samples."""
    return np.array([one.label for one in images]), np.array([one.group for one in images])


def change(study: Study, stage: Stage, whole: Stage) -> tuple[float, float] | None:
    """The interval of the accuracy of a stage less that of another, image by image, or None where no scores are known.

    Where figures are means of several repeats it is of the first.
    """
    if not study.held_out or not stage.scores or not whole.scores:
        return None
    after, before = (np.array(each.scores) >= THRESHOLD for each in (stage, whole))
    return paired_comparison.interval(*truth(study.held_out), before, after)
