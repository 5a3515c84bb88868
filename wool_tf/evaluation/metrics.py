"""Figures of merit of one set of scores."""

import dataclasses

import numpy as np

THRESHOLD = 0.5


@dataclasses.dataclass(frozen=True)
class Metrics:
    """What scores of a set of images are worth, "defective" being the positive class.

    Attributes:
        accuracy: share of the images that are judged correctly; all shares are in [0, 1].
        recall: share of the defective images that are called defective.
        precision: share of those called defective that are; 0 where none was called so.
        f1: harmonic mean of recall and precision.
        auc: area under the ROC curve, which no threshold enters.
        average_precision: precision averaged over recall, which no threshold enters either.
        confusion: ((true negatives, false positives), (false negatives, true positives)).
    """

    accuracy: float
    recall: float
    precision: float
    f1: float
    auc: float
    average_precision: float
    confusion: tuple[tuple[int, int], tuple[int, int]]

    @property
    def missed(self) -> int:
        """Defective images that are called non-defective."""
        return self.confusion[1][0]

    @property
    def false_alarms(self) -> int:
        """Non-defective images that are called defective."""
        return self.confusion[0][1]

    @property
    def defective(self) -> int:
        """Defective images."""
        return sum(self.confusion[1])

    @property
    def sound(self) -> int:
        """Non-defective images."""
        return sum(self.confusion[0])

    @property
    def false_alarm_rate(self) -> float:
        """Share of the non-defective images that are called defective."""
        return self.false_alarms / self.sound


def evaluate(labels: np.ndarray, scores: np.ndarray, threshold: float | np.ndarray = THRESHOLD) -> Metrics:
    """The metrics of a set of images.

    Arguments:
        labels: (images,) of 0 and 1; both must occur.
        scores: (images,) probability of "defective".
        threshold: images that score at least this are called defective; one, or (images,) one for each.
    """
    from sklearn import metrics

    truth, called = np.asarray(labels) == 1, np.asarray(scores) >= threshold
    found, missed = int((truth & called).sum()), int((truth & ~called).sum())
    alarms, passed = int((~truth & called).sum()), int((~truth & ~called).sum())
    # Arithmetic on four counts; scikit-learn's functions check their arguments for longer than they compute.
    return Metrics(
        accuracy=(found + passed) / len(truth),
        recall=found / (found + missed),
        precision=found / (found + alarms) if found + alarms else 0.0,
        f1=2 * found / (2 * found + alarms + missed),
        auc=float(metrics.roc_auc_score(labels, scores)),
        average_precision=float(metrics.average_precision_score(labels, scores)),
        confusion=((passed, alarms), (missed, found)),
    )
