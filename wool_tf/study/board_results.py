"""What a study delivers to a board, and what is known of it: a part of `study.results.Study`."""

import dataclasses

from wool_tf.evaluation.agreement import ScoreDifference
from wool_tf.evaluation.thresholds import ThresholdRule


@dataclasses.dataclass(frozen=True)
class File:
    """A file of the delivered model."""

    name: str
    precision: str
    bytes: int
    sha256: str


@dataclasses.dataclass(frozen=True)
class Latency:
    """How long an image takes on the machine that ran the study, in milliseconds.

    Attributes:
        stage: whose accuracy belongs to it, `hard3-int8` of the int8 file; empty where a document does not say.
    """

    model: str
    bytes: int
    threads: int
    p50_ms: float
    p90_ms: float
    p99_ms: float
    mean_ms: float
    images_per_second: float
    stage: str = ""


@dataclasses.dataclass(frozen=True)
class ImageVerdict:
    """An image as the folds' int8 files judged it while it was held out.

    Attributes:
        path: in the folder of the crops.
        label: 1 for defective.
        group: the physical sample that it shows.
        defects: types of its defects, joined by "+", or empty.
        fold: that held it out.
        scores: by stage, probability of "defective".
        threshold: that the rule gave on the other folds.
    """

    path: str
    label: int
    group: str
    defects: str
    fold: int
    scores: dict[str, float]
    threshold: float

    def called(self, stage: str) -> bool:
        """Whether a stage calls it defective at the threshold."""
        return self.scores[stage] >= self.threshold

    def wrong(self, stage: str) -> bool:
        """Whether a stage judges it wrongly."""
        return self.called(stage) != (self.label == 1)


@dataclasses.dataclass(frozen=True)
class Picture:
    """An image of the report.

    Attributes:
        image: its number among the judged.
        png: the crop, in base64.
        heatmap: where the network saw a defect, (rows, columns) in logits, as `deploy.saliency.maps` gives it.
        seen: first and last share of the side that the heatmap covers, across and along.
        boxes: of its defects, (left, top, right, bottom) as shares of the side; empty where they are not known.
    """

    image: int
    png: str
    heatmap: tuple[tuple[float, ...], ...] = ()
    seen: tuple[float, float] = (0.0, 1.0)
    boxes: tuple[tuple[float, float, float, float], ...] = ()


@dataclasses.dataclass(frozen=True)
class Thumbnail:
    """A small image: its number among the judged, and it as JPEG in base64."""

    image: int
    jpeg: str


@dataclasses.dataclass(frozen=True)
class Advantage:
    """How much the delivered model spares against a baseline, on the same images, both by the same rule.

    Attributes:
        kind, name: of the baseline.
        spared: cost of the baseline less that of the model, of a thousand images, a false alarm costing 1.
        interval: of that, over samples.
    """

    kind: str
    name: str
    spared: float
    interval: tuple[float, float]


@dataclasses.dataclass(frozen=True)
class PointingGame:
    """Whether heatmaps are highest where the defects are.

    Attributes:
        images: defective images whose boxes are known.
        inside: of these, how many have the middle of the highest cell in a box.
        by_chance: how many would have it by chance: the sum of the boxes' shares of the images.
    """

    images: int
    inside: int
    by_chance: float


@dataclasses.dataclass(frozen=True)
class Delivery:
    """The model that goes to a board.

    Attributes:
        configuration, stage: which network it is.
        spec: config of its ResNetSpec.
        rule: how its threshold was chosen.
        told: the same in words, with the images that it was chosen on.
        threshold: on the card of the int8 file.
        files: what was written.
        held_out: int8 against float, at 0.5, over the held-out images of all folds.
        delivered: the same of the delivered files, on images that they were trained on.
        operators: kinds of operators of the int8 file.
        latency: of every model that was timed, the unpruned network first.
        latency_machine: what they were timed on.
        latency_warnings: what makes the times doubtful.
        advantages: over each baseline.
        judged: every image.
        pictures: of the images judged wrongly by the rule, and of some that were judged rightly.
        thumbnails: of the images that another threshold would judge otherwise.
        pointing: PointingGame over all images, or None where no boxes are known.
        tiles_per_square_metre: that the inspection of a belt judges, or None where the distance of pixels is not known.
    """

    configuration: str
    stage: str
    spec: dict
    rule: ThresholdRule
    told: str
    threshold: float
    files: tuple[File, ...]
    held_out: ScoreDifference
    delivered: ScoreDifference
    operators: tuple[str, ...]
    latency: tuple[Latency, ...]
    latency_machine: str
    latency_warnings: tuple[str, ...]
    advantages: tuple[Advantage, ...]
    judged: tuple[ImageVerdict, ...]
    pictures: tuple[Picture, ...] = ()
    thumbnails: tuple[Thumbnail, ...] = ()
    pointing: PointingGame | None = None
    tiles_per_square_metre: float | None = None
