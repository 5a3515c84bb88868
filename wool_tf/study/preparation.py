"""What a study works on, before anything is trained: its crops, its folds, and its units."""

import dataclasses
import importlib.util
import logging
from pathlib import Path

import numpy as np

from wool_tf import logs, quiet
from wool_tf.data import native_crops
from wool_tf.data.dataset import Dataset
from wool_tf.data.naming import AS_NAMED
from wool_tf.data.native_crops import Crops
from wool_tf.errors import BadSetting, WoolError, extra
from wool_tf.networks import initial_weights
from wool_tf.simulation import simulated_crops
from wool_tf.study import delivery_units, grid, run_binding
from wool_tf.study.crop_source import CropSource
from wool_tf.study.driver import Unit
from wool_tf.study.request import Request
from wool_tf.study.workers import Workers
from wool_tf.training import recipes
from wool_tf.training.config import TrainingConfig

log = logging.getLogger(__name__)

UNITS = "units"
"""Folder, in that of a study, of the records and networks."""


@dataclasses.dataclass(frozen=True)
class Prepared:
    """What a study works on.

    Attributes:
        folder: of the units' records and networks.
        crops, images: as they are stored, and as networks are trained on them.
        folds, trained: by repeat, the images that each fold holds out; and those of the folds that are trained.
        chains: the units, in chains that can run side by side.
    """

    folder: Path
    crops: Crops
    images: Dataset
    folds: list[list[np.ndarray]]
    trained: list[list[np.ndarray]]
    chains: list[list[Unit]]


def prepare(request: Request, source: CropSource, out: Path, team: Workers) -> Prepared:
    """Checks what a study is asked for, reads its images and plans its units.

    Raises:
        WoolError: the data, a setting or the machine is not as it must be.
    """
    if team.tensorboard and not importlib.util.find_spec("tensorboard"):
        raise BadSetting("tensorboard", None, f"needs TensorBoard; {extra('tensorboard')}")
    first = request.configs[0]
    # Checked, and fetched, before anything that takes long.
    for config in request.configs:
        fetching = logs.ProgressLog(log, "fetching weights, byte")
        initial_weights.resolve(config.weights, config.initial_spec, 0, progress=fetching)
        recipes.table(config)
        recipes.of_rounds(config)
    crops = load(source, first, out)
    run_binding.check_initial(request.configs, crops.native.fingerprint)
    images = crops.for_network(first.image_size, logs.ProgressLog(log, "resizing image"))
    folds = grid.split(first, images)
    trained = [parts[: first.first_folds or None] for parts in folds]
    _import_keras(request.delivers)
    if request.protocol is None:
        from wool_tf.training import methods

        for config in request.configs:
            methods.check(config)
    curves = out / "tensorboard" if team.tensorboard else None
    if request.delivers:
        chains = delivery_units.plan(first, images, crops.native, trained, out / UNITS, team.keep_checkpoints)
    else:
        chains = [
            chain
            for config in request.configs
            for fold in grid.all_folds(config, images, trained, out / UNITS, curves)
            for chain in grid.chains(config, fold, team.keep_checkpoints, request.protocol)
        ]
    return Prepared(out / UNITS, crops, images, folds, trained, chains)


def load(source: CropSource, config: TrainingConfig, out: Path) -> Crops:
    """The crops of a study, simulated if there are none; says what was found.

    Raises:
        WoolError: the folder or its images are unusable.
    """
    folder = source.folder
    if folder is None:
        if source.reading.naming != AS_NAMED:
            raise BadSetting("data", None, "is missing; `sample_from` and labels say how its files are named")
        log.info(f"simulating {source.samples} samples")
        telling = logs.ProgressLog(log, "simulating scan")
        place = out / "simulated"
        folder = simulated_crops.write(place, source.samples, config.seed, source.contrast, telling)
    log.info(f"reading {folder}")
    telling = logs.ProgressLog(log, "reading image")
    crops = native_crops.load(folder, out / "cache", telling, source.reading)
    images = crops.native
    for remark in images.remarks:
        log.info(remark)
    if images.unlisted:
        log.info(f"{images.unlisted} images in class folders are not in the manifest, and are not used")
    for reason in images.skipped:
        log.info(f"skipped: {reason}")
    log.info(f"{len(images.labels)} images, {int(images.labels.sum())} defective, of {len(set(images.groups))} groups")
    return crops


def _import_keras(converts: bool) -> None:
    # Not at the top: it takes seconds, and most mistakes are in what can be checked without.
    quiet.import_keras()
    import keras

    if converts and keras.backend.backend() != "tensorflow":
        raise WoolError(f"KERAS_BACKEND={keras.backend.backend()}: conversion to TFLite needs KERAS_BACKEND=tensorflow")
