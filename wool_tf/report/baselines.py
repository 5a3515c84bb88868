"""What networks are compared with: thresholding, which needs none, and frozen features, which need no training."""

import dataclasses
from collections.abc import Mapping, Sequence

from wool_tf.report.cells import MISSING

THRESHOLDING = "Thresholding, without a network"
FROZEN = "Logistic regression on frozen features"
_TEXTS = {
    THRESHOLDING: (
        "Thresholding is what factories do without a network: an image is defective if its area weight, or its "
        "contrast to what is around, is above a limit anywhere; the limits are found by trial on the training folds."
    ),
    FROZEN: (
        "Logistic regression on frozen features is what the initial weights give without any training of the network: "
        "a linear classifier, fitted to the training folds, reads the pooled features of its four stages."
    ),
}


@dataclasses.dataclass(frozen=True)
class Baseline:
    """One of them, as rows and sentences name it.

    Attributes:
        title: of its rows; begins its sentences.
        figures: as those of a stage: `mean`, `std`, `by_defect`, and what else the results document has.
        at: the threshold that they are at.
        paper: accuracy in percent that the paper reports.
    """

    title: str
    figures: Mapping
    at: str = "0.5"
    paper: str = MISSING

    @property
    def inline(self) -> str:
        """The title within a sentence."""
        return self.title[0].lower() + self.title[1:]


def thresholding(figures: Mapping | None) -> list[Baseline]:
    """Thresholding with its figures; empty without figures."""
    return [Baseline(THRESHOLDING, figures, MISSING, "76–82")] if figures else []


def of_run(results: Mapping) -> list[Baseline]:
    """Those that the results document of the main job holds."""
    frozen = results.get("frozen_features")
    title = f"{FROZEN}, without training"
    return thresholding(results.get("thresholding")) + ([Baseline(title, frozen)] if frozen else [])


def explained(found: Sequence[Baseline]) -> list[str]:
    """A sentence on each kind that occurs."""
    return [text for kind, text in _TEXTS.items() if any(each.title.startswith(kind) for each in found)]
