"""A trained network with its images: those that it was trained on, and those that it never saw."""

import dataclasses
import functools
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np

from wool_board.json_text import parsed
from wool_tf import logs
from wool_tf.data import native_crops, run_document
from wool_tf.data.crop_reading import AS_THEY_ARE, CropReading
from wool_tf.data.dataset import Dataset
from wool_tf.data.listing import CLASSES
from wool_tf.data.native_crops import Crops
from wool_tf.errors import BadSetting, WoolError
from wool_tf.networks import unit_records, weight_files, weights
from wool_tf.networks.spec import ResNetSpec
from wool_tf.networks.unit_records import UnitRecord
from wool_tf.networks.weights import Weights

log = logging.getLogger(__name__)

SUFFIXES = (".safetensors", ".keras")
SAME = "give the same folder, and the same `sample_from`, labels and `bits` or `white` as then"


@dataclasses.dataclass(frozen=True)
class Held:
    """Which fold of which cross-validation is held out.

    Attributes:
        folds_file: the `folds.json` of a run: for every repeat the held-out indices of every fold.
        repeat, fold: numbers, from 0.
    """

    folds_file: Path
    repeat: int
    fold: int


@dataclasses.dataclass(frozen=True)
class NetworkSource:
    """Where the network and the images are.

    Attributes:
        network: checkpoint (`.safetensors`) or `.keras`.
        data: folder of crops, as `dataset.load` reads it.
        held: Held, or None where no image is held out.
        reading: of the crops.
    """

    network: Path
    data: Path
    held: Held | None = None
    reading: CropReading = AS_THEY_ARE


@dataclasses.dataclass(frozen=True)
class TrainedNetwork:
    """A network and its images.

    Attributes:
        spec, arrays: of the network.
        images: Dataset, as the network's training read them.
        train: indices of the images that it may have been trained on.
        held_out: indices of the others, perhaps none.
        load: gives the Crops of the same images as a board reads them, at a side in pixels, or, by None, at that of the
            folder's crops. Networks are trained on what is made of the latter, so that at another side scores differ a
            little by the resizing.
    """

    spec: ResNetSpec
    arrays: Weights
    images: Dataset
    train: np.ndarray
    held_out: np.ndarray
    load: Callable[[int | None], Crops]

    def scores(self, chosen: np.ndarray) -> np.ndarray:
        """(chosen,) float64 probability of "defective" by the network in Keras, of the images as training read them."""
        # They import Keras.
        from wool_tf.networks import resnet, scoring

        model = resnet.restored(self.spec, self.arrays)
        return scoring.probabilities(scoring.logits(model, self.images.images, chosen))


def opened(source: NetworkSource, cache: Path) -> TrainedNetwork:
    """Reads a network and its images, and which of them it was trained on.

    Arguments:
        source: NetworkSource.
        cache: folder for decoded images.

    Raises:
        WoolError: a file is unusable, or does not go with the others.
    """
    spec, arrays = _network(source.network)
    record = unit_records.read(source.network.with_suffix(".json"))
    crops = _read(source, cache)
    for remark in crops.native.remarks:
        log.info(remark)
    _check_white(source, record, crops, cache)
    images = crops.for_network(spec.input_shape[0], logs.ProgressLog(log, "resizing image"))

    @functools.cache
    def load(side: int | None) -> Crops:
        if side in (None, crops.imaging.side):
            return crops
        found = _read(source, cache, side, crops.imaging.white)
        if found.native.paths != images.paths or not np.array_equal(found.native.labels, images.labels):
            raise BadSetting("data", source.data, "was changed while it was read; start again")
        return found

    everything = np.arange(len(images.labels))
    held_out = everything[:0]
    if source.held is not None:
        held_out = _held_out(source.held, images)
        _check_images(source, record, crops.native, images, held_out)
    elif record and record.images != images.fingerprint:
        told = f"was trained on other images than those of {images.folder}, as the record beside it says"
        log.info(f"{source.network} {told}")
    return TrainedNetwork(spec, arrays, images, np.setdiff1d(everything, held_out), held_out, load)


def _read(source: NetworkSource, cache: Path, side: int | None = None, white: int | None = None) -> Crops:
    reading = dataclasses.replace(source.reading, white=white or source.reading.white)
    return native_crops.load(source.data, cache, logs.ProgressLog(log, "reading image"), reading, side)


def _network(path: Path) -> tuple[ResNetSpec, Weights]:
    if path.suffix.lower() not in SUFFIXES:
        raise BadSetting("network", path, f"must be a checkpoint, and end in {' or '.join(SUFFIXES)}")
    spec, arrays = weight_files.read(path)
    if spec is None:
        raise BadSetting("network", path, weights.NO_SPEC)
    weights.check(arrays, spec, str(path))
    height, width, channels = spec.input_shape
    if (width, channels, spec.classes) != (height, 1, len(CLASSES)):
        found = f"{height}×{width} pixels, {channels} channels, {spec.classes} classes"
        raise BadSetting("network", path, f"must read square grey images and know 2 classes, but has {found}")
    return spec, arrays


def _held_out(held: Held, images: Dataset) -> np.ndarray:
    """The held-out indices, once they are known to be of these images."""
    repeats = _folds(held.folds_file)
    if not 0 <= held.repeat < len(repeats):
        raise BadSetting("repeat", held.repeat, f"{held.folds_file} has {len(repeats)}, counted from 0")
    parts = repeats[held.repeat]
    if not 0 <= held.fold < len(parts):
        raise BadSetting("fold", held.fold, f"{held.folds_file} has {len(parts)}, counted from 0")
    number = len(images.labels)
    if sorted(index for part in parts for index in part) != list(range(number)):
        rule = f"is no partition of the {number} images of {images.folder}; give their run's"
        raise BadSetting("folds_file", held.folds_file, rule)
    held_out = np.array(sorted(parts[held.fold]), np.int64)
    for part, chosen in (("held-out", held_out), ("training", np.setdiff1d(np.arange(number), held_out))):
        if len(np.unique(images.labels[chosen])) < len(CLASSES):
            raise BadSetting("fold", held.fold, f"in {held.folds_file} its {part} images are not of both classes")
    return held_out


def _folds(path: Path) -> list[list[list[int]]]:
    try:
        repeats = parsed(path.read_bytes())
    except (OSError, ValueError) as error:
        raise BadSetting("folds_file", path, f"cannot be read as JSON ({error})") from None
    if not _nested(repeats, 3):
        raise BadSetting("folds_file", path, "must be a list of repeats, each a list of folds, each of image numbers")
    return repeats


def _nested(found: object, depth: int) -> bool:
    """Whether it is lists in lists, so deep, of whole numbers."""
    if depth == 0:
        return type(found) is int
    return isinstance(found, list) and all(_nested(item, depth - 1) for item in found)


def _check_images(
    source: NetworkSource, record: UnitRecord | None, crops: Dataset, images: Dataset, held_out: np.ndarray
) -> None:
    """Notices folds of other images, and a network that saw the held-out ones, as far as files beside them tell."""
    network, held = source.network, source.held
    assert held is not None, "there are folds"
    run = run_document.read(held.folds_file.parent)
    if run and run.native_crops != crops.fingerprint:
        rule = f"is of a run with other images than those of {images.folder}; {SAME}"
        raise BadSetting("folds_file", held.folds_file, rule)
    if record is None:
        return
    if record.images != images.fingerprint:
        raise BadSetting("network", network, f"was trained on other images than those of {images.folder}; {SAME}")
    # The network of all images has none.
    seen = np.setdiff1d(held_out, record.held_out)
    if len(seen):
        told = f"{len(seen)} of the {len(held_out)} images of fold {held.fold}"
        raise BadSetting("network", network, f"was trained on {told}, as the record beside it says")


def _check_white(source: NetworkSource, record: UnitRecord | None, crops: Crops, cache: Path) -> None:
    """Notices the very images of the network's training, read with another highest value than then.

    Every grey value would be another one than the network has learnt. Other images may have another highest value.
    """
    bound = record if record and record.imaging else run_document.around(source.network)
    white = bound.imaging.white if bound and bound.imaging else None
    if bound is None or white in (None, crops.imaging.white):
        return
    try:
        then = _read(source, cache, white=white).native.fingerprint
    except WoolError:  # Not even readable in that way.
        return
    if then == bound.native_crops:
        now = f"{crops.imaging.white} is now" if crops.imaging.white else "no other value is known now"
        rule = f"in training, the highest value of {source.data} was {white}, and {now}; give `white`={white}"
        raise BadSetting("white", None, rule)
