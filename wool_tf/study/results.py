"""What a study found: typed, with a version, and in one JSON document that the report is made of.

What its scores are worth is in `score_results`, what it says of its images in `image_results`, and what it delivers in
`board_results`.
"""

import dataclasses
from pathlib import Path

from wool_tf import records
from wool_tf.data.crop_reading import AS_THEY_ARE, CropReading
from wool_tf.errors import WoolError
from wool_tf.networks.unit_records import History
from wool_tf.study.board_results import Delivery
from wool_tf.study.image_results import Data, HeldOutImage, ImageCounts, Sheet, Suspect
from wool_tf.study.score_results import Baseline, Figures, Intervals, OperatingPoint
from wool_tf.training.config import BEFORE, TrainingConfig

VERSION = 3
BASELINE = "baseline"
OF_CONFIGURATION = ("depth", "optimizer", "weights")
"""Settings that the configurations of a study differ in."""
PRUNED = ("hard", "asfp")
"""What the names of the stages begin with that the paper's two methods give."""
INT8 = "-int8"
"""Ends the name of the stage that holds a stage's int8 files."""


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
class Failure:
    """A training that failed for good: its name, the number of attempts, and why the last one failed."""

    unit: str
    attempts: int
    reason: str


@dataclasses.dataclass(frozen=True)
class DeliveredModel:
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
        settings: of the first configuration; others differ from it in `OF_CONFIGURATION` at most.
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
        reading: what the user said of the folder of crops.
        predicted_on: what the table of latencies was measured on; empty without one.
        held_out: the images that are judged, in the order of the stages' scores.
        version: of this schema.
    """

    title: str
    command: str
    out: str
    settings: TrainingConfig
    environment: dict[str, object]
    commits: tuple[str, ...]
    processors: tuple[str, ...]
    seconds: float
    data: Data
    folds: tuple[tuple[ImageCounts, ...], ...]
    baselines: tuple[Baseline, ...]
    configurations: tuple[Configuration, ...]
    failures: tuple[Failure, ...] = ()
    sheets: tuple[Sheet, ...] = ()
    suspects: tuple[Suspect, ...] = ()
    delivery: Delivery | None = None
    reading: CropReading = AS_THEY_ARE
    predicted_on: str = ""
    held_out: tuple[HeldOutImage, ...] = ()
    version: int = VERSION

    @property
    def judged(self) -> ImageCounts:
        """What all trained folds of a repeat hold out: every image, unless only the first folds were trained."""
        folds = self.folds[0]
        # Where folds part the images of a group, it is in several of them.
        groups = min(self.data.groups, sum(one.groups for one in folds))
        return ImageCounts(sum(one.images for one in folds), sum(one.defective for one in folds), groups)

    @property
    def optimistic(self) -> bool:
        """Whether the epoch of each network was chosen on the images that it is measured on."""
        return self.settings.select == "best"

    def baseline(self, kind: str, name: str = "") -> Baseline | None:
        """A baseline of a kind and name."""
        return next((each for each in self.baselines if (each.kind, each.name) == (kind, name)), None)

    @property
    def delivered(self) -> DeliveredModel | None:
        """The delivery with the stages that it was made of, or None where nothing is delivered."""
        if self.delivery is None:
            return None
        chosen = next(one for one in self.configurations if one.name == self.delivery.configuration)
        before, after = chosen.stage(self.delivery.stage), chosen.stage(f"{self.delivery.stage}{INT8}")
        assert before is not None and after is not None, f"{chosen.name}: lacks a stage of what it delivers"
        return DeliveredModel(self.delivery, chosen, before, after)


def write(path: Path, study: Study) -> None:
    """Writes the JSON document of a study, whole or not at all."""
    records.write(path, study)


def read(path: Path) -> Study:
    """The study of a document.

    Raises:
        WoolError: the file cannot be read, is damaged, or of another version.
    """
    document = records.load(path, "study")
    if isinstance(settings := document.get("settings"), dict):
        # Earlier documents have every value of what configurations differ in, which the configurations say, too.
        for name in OF_CONFIGURATION:
            if isinstance(values := settings.get(name), list) and values:
                settings[name] = values[0]
        document["settings"] = BEFORE | settings
    found = records.versioned(document, Study, VERSION, str(path), "run the study again with this wool_tf")
    stages = (stage for one in found.configurations for stage in one.stages)
    if any(len(stage.scores) not in (0, len(found.held_out)) for stage in stages):
        raise WoolError(f"{path}: is damaged, a stage has not one score for each image; run the study again")
    return found
