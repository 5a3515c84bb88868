"""The record of a unit of a study: one JSON document, which is written and read here alone.

A unit is the training of a stage on a fold, or on all images, or the conversion of such a network to int8. What it
finds is its `Result`; the driver adds how the work went, which makes it a `UnitRecord`. It lies beside the unit's file.
"""

import dataclasses
from pathlib import Path
from typing import Literal

from wool_tf import records
from wool_tf.data.imaging import Imaging
from wool_tf.evaluation.agreement import ScoreDifference
from wool_tf.evaluation.metrics import Metrics

VERSION = 1


@dataclasses.dataclass(frozen=True)
class History:
    """How a network was trained, by epoch.

    Attributes:
        loss: mean training loss, at least 0.
        accuracy: share of the training images that were judged correctly, 0 to 1.
        learning_rate: of the last step, above 0.
        merit: accuracy on the held-out images, 0 to 1; empty unless the best epoch is chosen.
    """

    loss: tuple[float, ...]
    accuracy: tuple[float, ...]
    learning_rate: tuple[float, ...]
    merit: tuple[float, ...] = ()

    def followed_by(self, more: "History") -> "History":
        """That of this training and the next one, which went on with its network."""
        return History(
            self.loss + more.loss,
            self.accuracy + more.accuracy,
            self.learning_rate + more.learning_rate,
            self.merit + more.merit,
        )


@dataclasses.dataclass(frozen=True)
class Attempt:
    """A failed attempt of a unit.

    Attributes:
        kind: the training diverged, its process died, a mistake of the user, which no other attempt mends, or another
            error.
        reason: in one line.
        details: the traceback of an error that is not the user's, or empty.
    """

    kind: Literal["diverged", "died", "mistake", "error"]
    reason: str
    details: str = ""


@dataclasses.dataclass(frozen=True)
class Int8File:
    """What an int8 file is.

    Attributes:
        operators: its kinds of operators, names sorted.
        bytes: its size.
        sha256: of its bytes, 64 hex digits.
    """

    operators: tuple[str, ...]
    bytes: int
    sha256: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Result:
    """What a unit found.

    Attributes:
        stage: `baseline`, `hard1`, `asfp30`; `hard3-int8` of an int8 file.
        seed: of its random numbers, at least 0.
        images: fingerprint of the images, SHA-256 in hex.
        environment: software and machine, by name, as `environment.describe` gives them.
        held_out: indices of the images that it judged, ascending; empty of the network of all images.
        scores: of each of them, probability of "defective", 0 to 1.
        metrics: of these scores at 0.5; None where nothing was held out.
        spec: config of the network's ResNetSpec. This and the rest until `bn_images` are of trained networks only.
        params, macs: of the network: parameters, and multiply-accumulates for one image.
        removed: share of the channels that are gone, by channel group, 0 to 1.
        history: of the training.
        mask_difference: largest difference of a logit between masked and compact network, at least 0; None where
            nothing was pruned.
        before_finetuning: metrics of the held-out images right after filters had gone, or None likewise.
        bn_images: on how many images batch norms were re-estimated.
        file: the int8 file. This and the rest are of conversions only.
        heatmaps: of each held-out image where the network saw defects, (rows, columns) in logits.
        check: int8 against float at 0.5 on images of the training, where nothing was held out.
    """

    stage: str
    seed: int
    images: str
    environment: dict[str, str | bool | None]
    held_out: tuple[int, ...] = ()
    scores: tuple[float, ...] = ()
    metrics: Metrics | None = None
    spec: dict | None = None
    params: int | None = None
    macs: int | None = None
    removed: dict[str, float] = dataclasses.field(default_factory=dict)
    history: History | None = None
    mask_difference: float | None = None
    before_finetuning: Metrics | None = None
    bn_images: int | None = None
    file: Int8File | None = None
    heatmaps: tuple[tuple[tuple[float, ...], ...], ...] = ()
    check: ScoreDifference | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class UnitRecord(Result):
    """What a unit found, and how the work went.

    Attributes:
        started: when the attempt that succeeded began, in seconds since 1970.
        seconds: that it took.
        attempts: those before it whose training diverged.
        kept: whether its file was to stay when the run was done.
        native_crops, imaging: of a network that is delivered, as in RunBinding, for its folder may leave that of its
            run; None of others.
        version: of this schema.
    """

    started: float
    seconds: float
    attempts: tuple[Attempt, ...]
    kept: bool
    native_crops: str | None = None
    imaging: Imaging | None = None
    version: int = VERSION


_NEEDED = {
    field.name
    for field in dataclasses.fields(UnitRecord)
    if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
}
"""A document that lacks one of these is no whole record."""


def write(path: Path, record: UnitRecord) -> None:
    """Writes a record, whole or not at all.

    Raises:
        WoolError: the file cannot be written.
        ValueError: a number is not finite.
    """
    records.write(path, record)


def read(path: Path) -> UnitRecord | None:
    """The record of a file, or None where it is missing, damaged or none, so that its unit has to run again.

    Raises:
        WoolError: it is of another version, or a value is of another type.
    """
    # Also what others wrote beside a network under its name, whatever version it says.
    document = records.read_object(path, "stage", "images")
    if document is None:
        return None
    # The first records of version 1 did not say it, and had a space in a key.
    document = {"version": VERSION, "native_crops": document.get("native crops")} | document
    if document["version"] == VERSION and not document.keys() >= _NEEDED:
        return None
    advice = "go on with the wool_tf that wrote it, or remove it"
    return records.versioned(document, UnitRecord, VERSION, str(path), advice)
