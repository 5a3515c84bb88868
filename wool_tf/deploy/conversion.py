"""From a trained network to the TFLite files that go to a board."""

import dataclasses
import functools
import logging
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from wool_tf import files, quiet, seeds
from wool_tf.data.native_crops import Crops
from wool_tf.deploy import calibration_set, card, checks, microcontroller, tflite_scores
from wool_tf.deploy.qat import launch
from wool_tf.deploy.trained_network import NetworkSource, TrainedNetwork, opened
from wool_tf.errors import BadSetting
from wool_tf.evaluation import metrics
from wool_tf.evaluation.agreement import compare
from wool_tf.evaluation.thresholds import ThresholdRule
from wool_tf.seeds import BaseSeed
from wool_tf.settings import check, same, setting

log = logging.getLogger(__name__)

QAT = "qat"
TOLD = ("accuracy", "recall")
OWN = "this file, on images held out from its training and from the choice of its threshold"
GIVEN = "this file, on images held out from its training, at a threshold that was given"
INTEGER = ("int8", QAT)
"""Precisions that TensorFlow Lite Micro runs fast, and that are given as C source."""


@dataclasses.dataclass(frozen=True)
class ConversionRequest:
    """What is to be made: files in the folder `out`, by `threads`.

    Raises:
        BadSetting: a value breaks its rule.
    """

    out: Path
    precisions: tuple[str, ...] = setting(
        ("fp32", "fp16", "dynamic", "int8", "int8-float-io"), "Which files, of these and qat."
    )
    threshold_rule: ThresholdRule = ThresholdRule()
    calibration_images: int = setting(
        calibration_set.IMAGES, "Training images that the ranges of 8-bit files are taken from.", at_least=2
    )
    side: int | None = setting(
        None, "Side of a crop in pixels; default: as imaging.json says, or the commonest.", at_least=1
    )
    heatmap: bool = setting(False, "Files say where the defect is, too.")
    c_array: bool = setting(False, "Write int8 and qat files as C source as well, for microcontrollers.")
    seed: int = same(BaseSeed, "seed")
    threads: int = 1
    qat: launch.QatConfig = launch.QatConfig()

    def __post_init__(self) -> None:
        check(self)


def run(source: NetworkSource, request: ConversionRequest) -> list[Path]:
    """Makes a TFLite file of each precision, with its card inside and beside it.

    The threshold of each file is chosen on the training images, by that file's own scores. Networks remember the images
    that they were trained on, so it is optimistic; a given one can be better.

    Arguments:
        source: NetworkSource; held-out images are kept out of everything but the metrics of the cards, which say so.
        request: ConversionRequest.

    Returns:
        The TFLite files, in order.

    Raises:
        WoolError: a file is unusable, a network cannot be converted, or a file is not what it should be.
    """
    quiet.import_keras()
    _check(source, request)
    with tempfile.TemporaryDirectory() as cache:
        trained = opened(source, Path(cache))
        crops = trained.load(request.side)
        counts = f"{len(trained.train):,} training images, {len(trained.held_out):,} held out"
        log.info(f"{counts}, crops of {crops.imaging.side} pixels")
        work = _Work(request, trained, crops)
        if len(trained.held_out):
            by_float = dataclasses.asdict(metrics.evaluate(trained.images.labels[trained.held_out], work.by_float))
            log.info(f"{source.network}, float at {metrics.THRESHOLD:g}; held-out images: {_told(by_float)}")
        return [_made(source.network, precision, work) for precision in request.precisions]


def _check(source: NetworkSource, request: ConversionRequest) -> None:
    from wool_tf.deploy import tflite_file

    known, given = (*tflite_file.PRECISIONS, QAT), ",".join(request.precisions)
    if not request.precisions or not set(request.precisions) <= set(known):
        raise BadSetting("precisions", given, f"must be of {', '.join(known)}")
    if len(set(request.precisions)) < len(request.precisions):
        raise BadSetting("precisions", given, "name each once")
    if request.c_array and not set(request.precisions) & set(INTEGER):
        raise BadSetting("c_array", None, f"is for {' and '.join(INTEGER)}; add one of them to the precisions {given}")
    if request.out.resolve() == source.network.resolve().parent:
        raise BadSetting("out", request.out, "is the network's folder, which has files of the same names; give another")


@dataclasses.dataclass(frozen=True)
class _Work:
    """What all files are made with: the crops that they read, and what the network says of them."""

    request: ConversionRequest
    trained: TrainedNetwork
    crops: Crops

    @functools.cached_property
    def calibration(self) -> np.ndarray:
        """(n, side, side) of uint8."""
        seed = seeds.derive(self.request.seed, "calibration")
        crops, train = self.crops.native, self.trained.train
        return crops.images[calibration_set.choose(crops.labels, train, seed, self.request.calibration_images)]

    @functools.cached_property
    def float_threshold(self) -> float:
        """By the rule for the files, the threshold of the network itself."""
        trained = self.trained
        return self.request.threshold_rule.made(
            trained.images.labels[trained.train], lambda: trained.scores(trained.train)
        )[0]

    @functools.cached_property
    def by_float(self) -> np.ndarray:
        """What the network says of the held-out images."""
        return self.trained.scores(self.trained.held_out)


def _made(network: Path, precision: str, work: _Work) -> Path:
    """Writes the file of one precision, and what goes with it."""
    request, trained, crops = work.request, work.trained, work.crops.native
    log.info(f"making {precision}")
    tflite = _converted(precision, work)

    def score(chosen: np.ndarray) -> np.ndarray:
        return tflite_scores.predict(tflite, crops.images, request.threads, chosen)

    threshold, rule = request.threshold_rule.made(trained.images.labels[trained.train], lambda: score(trained.train))
    achieved = _achieved(work, score(trained.held_out), threshold) if len(trained.held_out) else None
    about = card.make(
        tflite,
        precision,
        trained.spec,
        trained.arrays,
        threshold=threshold,
        rule=rule,
        float_threshold=work.float_threshold,
        imaging=work.crops.imaging,
        fingerprint=crops.fingerprint,
        images=len(trained.train),
        metrics=achieved,
    )
    content, name = card.attach(tflite, about), f"{network.stem}-{precision}"
    path = request.out / f"{name}.tflite"
    files.write(path, content)
    files.write(path.with_suffix(".json"), card.text(about).encode())
    if request.c_array and precision in INTEGER:
        for file, text in microcontroller.c_array(tflite, about, name).items():
            files.write(request.out / file, text.encode())
    operators = f"{len(checks.describe(tflite)['operators'])} kinds of operators, all run by XNNPACK"
    held_out = f"; held-out images: {_told(achieved)}" if achieved else ""
    log.info(f"{path}: {len(content):,} bytes, threshold {threshold:.4f}, {operators}{held_out}")
    return path


def _converted(precision: str, work: _Work) -> bytes:
    from wool_tf.deploy import tflite_file
    from wool_tf.networks import resnet

    request, trained, crops, side = work.request, work.trained, work.crops.native, work.crops.imaging.side
    if precision == QAT:
        images, labels = crops.images[trained.train], crops.labels[trained.train]
        return launch.convert(
            trained.spec,
            trained.arrays,
            images,
            labels,
            request.qat,
            side,
            request.heatmap,
            progress=lambda share, what: log.info(f"qat: {share:.0%}, {what}"),
        )
    model = resnet.restored(trained.spec, trained.arrays)
    return tflite_file.convert(model, precision, work.calibration, side, request.heatmap)


def _achieved(work: _Work, scores: np.ndarray, threshold: float) -> dict:
    """What a file achieves on the held-out images, and what the network does at its own threshold."""
    labels = work.trained.images.labels[work.trained.held_out]
    difference = dataclasses.asdict(compare(work.by_float, scores, threshold))
    return {
        "of": OWN if work.request.threshold_rule.threshold is None else GIVEN,
        **dataclasses.asdict(metrics.evaluate(labels, scores, threshold)),
        "score_quantiles": card.score_quantiles(labels, scores),
        **difference,
        "float": {"threshold": metrics.THRESHOLD, **dataclasses.asdict(metrics.evaluate(labels, work.by_float))},
    }


def _told(achieved: Mapping) -> str:
    return ", ".join(f"{name} {100 * achieved[name]:.2f} %" for name in TOLD)
