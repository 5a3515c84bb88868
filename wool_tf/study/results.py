"""What a study found: typed, with a version, and in one JSON document that the report is made of.

Accuracy means one thing in it. In one repeat of the cross-validation every image is judged once, by the network that
had held it out; the metrics of a repeat are those of all images together. What is reported is their mean over repeats
and their standard deviation over repeats (n − 1), which is unknown for a single one; the spread over folds stands
beside it.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from wool_tf import records
from wool_tf.evaluation.bootstrap import DefectRecall
from wool_tf.evaluation.metrics import Metrics
from wool_tf.evaluation.thresholds import ThresholdRule
from wool_tf.study.board_results import Delivery

VERSION = 3
BASELINE = "baseline"
INT8 = "-int8"
"""Ends the name of the stage that holds a stage's int8 files."""
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


@dataclasses.dataclass(frozen=True)
class History:
    """How one fold was trained: by epoch the training loss, the training accuracy, and the learning rate."""

    loss: tuple[float, ...]
    accuracy: tuple[float, ...]
    learning_rate: tuple[float, ...]


@dataclasses.dataclass(frozen=True)
class Stage:
    """One step of the protocol, over all folds and repeats.

    Attributes:
        name: `baseline`, `hard1`, `asfp30`; `hard3-int8` of int8 files.
        title: what a reader calls it.
        params, macs, operations: of the network; None where no fold is done.
        figures: at the threshold 0.5.
        interval: by metric; empty without a complete repeat.
        operating: by each rule of the study.
        change: of the accuracy against the unpruned network, mean over the repeats that both have.
        missing: folds without a result.
        mask_difference: largest difference of a logit between masked and compact network.
        removed: share of the channels that are gone, by channel group.
        before_finetuning: accuracy right after filters had gone, mean over folds.
        histories: of each fold of the first repeat.
        widths: channels of every channel group.
        predicted_ms: milliseconds of the network in int8 by the study's table of latencies; None without one.
        scores: of each of `Study.held_out`, probability of "defective" by the network that held it out in the first
            repeat; empty where a fold of that is missing.
    """

    name: str
    title: str
    params: int | None
    macs: int | None
    operations: int | None
    figures: Figures
    interval: Intervals = dataclasses.field(default_factory=dict)
    operating: tuple[OperatingPoint, ...] = ()
    change: float | None = None
    missing: int = 0
    mask_difference: float | None = None
    removed: dict[str, float] = dataclasses.field(default_factory=dict)
    before_finetuning: float | None = None
    histories: tuple[History, ...] = ()
    widths: dict[str, int] = dataclasses.field(default_factory=dict)
    predicted_ms: float | None = None
    scores: tuple[float, ...] = ()

    @property
    def int8(self) -> bool:
        """Whether it is of int8 files."""
        return self.name.endswith(INT8)

    def share_of(self, whole: "Stage", count: str) -> float | None:
        """What is left of another network, from 0 to 1, or None where either is not known.

        Arguments:
            whole: stage of the other network.
            count: which of the counts `params`, `macs` and `operations` is compared.
        """
        own, full = getattr(self, count), getattr(whole, count)
        return own / full if own is not None and full else None


@dataclasses.dataclass(frozen=True)
class Configuration:
    """A network and the way it is trained.

    Attributes:
        name: `resnet18-adam-imagenet`.
        depth, optimizer, weights: of its TrainingConfig.
        pretrained: whether the initial weights are of ImageNet, None where nobody knows.
        frozen: name of the frozen features of the same weights, or None.
        stages: in order, the unpruned network first.
    """

    name: str
    depth: int
    optimizer: str
    weights: str
    pretrained: bool | None
    frozen: str | None
    stages: tuple[Stage, ...]

    def stage(self, name: str) -> Stage | None:
        """The stage of a name."""
        return next((stage for stage in self.stages if stage.name == name), None)

    @property
    def baseline(self) -> Stage:
        """The unpruned network."""
        return self.stages[0]


@dataclasses.dataclass(frozen=True)
class Alike:
    """Two images that show the same thing, or nearly, although folds may part them.

    Attributes:
        first, second: their paths.
        likeness: correlation of their details, from `near_duplicates.ALIKE` to 1.
        contrary: whether they have different labels.
    """

    first: str
    second: str
    likeness: float
    contrary: bool


@dataclasses.dataclass(frozen=True)
class Suspect:
    """An image whose label is probably wrong.

    Attributes:
        path: in the folder of the crops.
        label: 1 for defective.
        defects: types of its defects, joined by "+", or empty.
        score: mean probability of "defective" by the unpruned networks that had held it out.
        png: the image, in base64; empty of those that are only listed.
    """

    path: str
    label: int
    defects: str
    score: float
    png: str


@dataclasses.dataclass(frozen=True)
class Data:
    """The images.

    Attributes:
        folder: of the crops.
        images, defective: how many.
        groups: number of physical samples.
        grouped: whether the folder says which images belong to one sample.
        group_by: what two folds never share.
        unlisted: images beside the manifest, which are not used.
        skipped: bad images that were left out, a reason each.
        side: of an image as networks load it, in pixels.
        fingerprint: SHA-256 of images and labels.
        alike: pairs of images that folds may part and that are alike.
    """

    folder: str
    images: int
    defective: int
    groups: int
    grouped: bool
    group_by: str
    unlisted: int
    skipped: tuple[str, ...]
    side: int
    fingerprint: str
    alike: tuple[Alike, ...] = ()

    @property
    def sound(self) -> int:
        """Number of non-defective images."""
        return self.images - self.defective


@dataclasses.dataclass(frozen=True)
class FoldSize:
    """What one fold holds out, or several."""

    images: int
    defective: int
    groups: int

    @property
    def sound(self) -> int:
        """Number of non-defective images."""
        return self.images - self.defective


@dataclasses.dataclass(frozen=True)
class HeldOut:
    """An image that some fold held out: its path in the folder, its label (1 for defective), and its sample."""

    path: str
    label: int
    group: str


@dataclasses.dataclass(frozen=True)
class Sheet:
    """Some crops of a kind side by side.

    Attributes:
        kind: in words.
        images: how many there are of it.
        shown: how many are on the sheet.
        png: the sheet, in base64.
    """

    kind: str
    images: int
    shown: int
    png: str


@dataclasses.dataclass(frozen=True)
class Failure:
    """A training that failed for good: its name, the number of attempts, and why the last one failed."""

    unit: str
    attempts: int
    reason: str


@dataclasses.dataclass(frozen=True)
class Delivered:
    """The delivered model together with its figures.

    Attributes:
        delivery: Delivery.
        configuration: of the network that it was made of.
        float_stage: that network on the folds, before conversion.
        int8_stage: its int8 files on the folds.
    """

    delivery: Delivery
    configuration: Configuration
    float_stage: Stage
    int8_stage: Stage

    @property
    def at_rule(self) -> OperatingPoint:
        """The int8 files at the thresholds by the delivered rule."""
        return self.int8_stage.operating[0]


@dataclasses.dataclass(frozen=True)
class Study:
    """Everything that a report says.

    Attributes:
        title: of the report.
        command: the command line.
        out: folder of the study, as it was given.
        settings: every setting by name; of what the configurations differ in, all values.
        environment: software and machine, by name.
        commits: of the code that records were made with.
        processors: that records were computed on.
        seconds: computing time of all records.
        data: Data.
        folds: of each repeat the folds.
        baselines: thresholding, and frozen features where a configuration is pretrained.
        configurations: in the order of the run.
        failures: Failure of each unit that failed for good.
        sheets: Sheet of each kind of image.
        suspects: images whose label is probably wrong, the surest first.
        delivery: Delivery, or None where nothing is delivered.
        predicted_on: what the table of latencies was measured on; empty without one.
        held_out: the images that are judged, in the order of the stages' scores.
        version: of this schema.
    """

    title: str
    command: str
    out: str
    settings: dict[str, object]
    environment: dict[str, object]
    commits: tuple[str, ...]
    processors: tuple[str, ...]
    seconds: float
    data: Data
    folds: tuple[tuple[FoldSize, ...], ...]
    baselines: tuple[Baseline, ...]
    configurations: tuple[Configuration, ...]
    failures: tuple[Failure, ...] = ()
    sheets: tuple[Sheet, ...] = ()
    suspects: tuple[Suspect, ...] = ()
    delivery: Delivery | None = None
    predicted_on: str = ""
    held_out: tuple[HeldOut, ...] = ()
    version: int = VERSION

    @property
    def judged(self) -> FoldSize:
        """What all trained folds of a repeat hold out: every image, unless only the first folds were trained."""
        folds = self.folds[0]
        # Where folds part the images of a group, it is in several of them.
        groups = min(self.data.groups, sum(one.groups for one in folds))
        return FoldSize(sum(one.images for one in folds), sum(one.defective for one in folds), groups)

    @property
    def optimistic(self) -> bool:
        """Whether the epoch of each network was chosen on the images that it is measured on."""
        return self.settings.get("select") == "best"

    def baseline(self, kind: str, name: str = "") -> Baseline | None:
        """A baseline of a kind and name."""
        return next((each for each in self.baselines if (each.kind, each.name) == (kind, name)), None)

    @property
    def delivered(self) -> Delivered | None:
        """The delivery with the stages that it was made of, or None where nothing is delivered."""
        if self.delivery is None:
            return None
        chosen = next(one for one in self.configurations if one.name == self.delivery.configuration)
        before, after = chosen.stage(self.delivery.stage), chosen.stage(f"{self.delivery.stage}{INT8}")
        assert before is not None and after is not None, f"{chosen.name}: lacks a stage of what it delivers"
        return Delivered(self.delivery, chosen, before, after)


def write(path: Path, study: Study) -> None:
    """Writes the JSON document of a study, whole or not at all."""
    records.write(path, study)


def read(path: Path) -> Study:
    """The study of a document.

    Raises:
        WoolError: the file cannot be read, is damaged, or of another version.
    """
    return records.load(path, Study, VERSION)
