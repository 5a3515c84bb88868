"""From a trained network to the TFLite files that go to a board."""

import dataclasses
import functools
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from wool_tf import files, quiet
from wool_tf.data import imaging
from wool_tf.data.dataset import Dataset
from wool_tf.data.imaging import Imaging
from wool_tf.deploy import calibration, card, inspection, micro, qat, verify
from wool_tf.errors import WoolError
from wool_tf.trained import Source, Trained, opened
from wool_tf.training import metrics, operating, seeds

QAT = "qat"
TOLD = ("accuracy", "recall")
INTEGER = ("int8", QAT)
"""Precisions that TensorFlow Lite Micro runs fast, and that are given as C source."""
SAME = 1e-6
"""Scores that differ by no more may be equal on another processor."""


@dataclasses.dataclass(frozen=True)
class Decision:
    """From which score on an image is called defective; one of the three is given.

    Attributes:
        threshold: the score itself, 0 to 1.
        recall: share of the defective training images that must be found, above 0 and at most 1.
        cost_ratio: how many false alarms a missed defect costs, above 0; the least cost on the training images.
    """

    threshold: float | None = None
    recall: float | None = None
    cost_ratio: float | None = None

    def __post_init__(self):
        given = [name for name, value in dataclasses.asdict(self).items() if value is not None]
        if len(given) != 1:
            raise ValueError(f"one of threshold, recall and cost_ratio must be given, got {', '.join(given) or 'none'}")
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            raise WoolError(f"--threshold={self.threshold}: must be from 0 to 1")
        if self.recall is not None and not 0 < self.recall <= 1:
            raise WoolError(f"--required_recall={self.recall}: must be above 0 and at most 1")
        if self.cost_ratio is not None and not self.cost_ratio > 0:
            raise WoolError(f"--cost_ratio={self.cost_ratio}: must be above 0")

    def made(
        self, labels: np.ndarray, score: Callable[[], np.ndarray], among: str = "training images"
    ) -> tuple[float, str]:
        """The threshold, and by what rule it came about, in words.

        Arguments:
            labels: (n,) of 0 and 1, of the images that it is chosen on.
            score: gives their scores; asked only if they are needed.
            among: what these images are.
        """
        if self.threshold is not None:
            return self.threshold, "given"
        scores, on = merged(score()), f"on {len(labels)} {among}"
        if self.recall is not None:
            found = operating.for_recall(labels, scores, self.recall)
            rule = f"finds at least {100 * self.recall:g} % of the defective, {on}"
        else:
            found = operating.for_cost(labels, scores, self.cost_ratio)
            rule = f"a miss costs as much as {self.cost_ratio:g} false alarms, {on}"
        # The same calls from as far as possible from any score, for the reason that `merged` gives.
        below, above = scores[scores < found], scores[scores >= found]
        return float(below.max(initial=0.0) + above.min(initial=1.0)) / 2, rule


def merged(scores: np.ndarray) -> np.ndarray:
    """The scores, those that differ by rounding alone made equal to the lowest of them.

    An 8-bit network knows few scores, and many images share one. Where floating point tells these apart, another
    processor would do it in another way: no threshold must lie between them.

    >>> merged(np.array([0.5, 0.2, 0.5 + 1e-9]))
    array([0.5, 0.2, 0.5])
    """
    order = np.argsort(scores)
    ascending = scores[order]
    first = np.diff(ascending, prepend=-np.inf) > SAME
    found = np.empty_like(scores)
    found[order] = ascending[first][np.cumsum(first) - 1]
    return found


@dataclasses.dataclass(frozen=True)
class Order:
    """What is to be made.

    Attributes:
        out: folder of the files.
        precisions: of `convert.PRECISIONS`, and `qat`.
        decision: Decision.
        side: of native crops in pixels; None: as `imaging.read` finds it.
        calibration_images: images that ranges of 8-bit files are taken from, at most.
        heatmap: whether the files say where the defect is.
        c_array: whether the files of `INTEGER` precisions are also written as C source.
        seed: base of every random number.
        threads: of the interpreter.
        course: how `qat` fine-tunes.
    """

    out: Path
    precisions: tuple[str, ...]
    decision: Decision
    side: int | None = None
    calibration_images: int = 100
    heatmap: bool = False
    c_array: bool = False
    seed: int = 0
    threads: int = 1
    course: qat.Course = qat.Course()


def run(source: Source, order: Order, say: Callable[[str], None]) -> list[Path]:
    """Makes a TFLite file of each precision, with its card inside and beside it.

    The threshold of each file is chosen on the training images, by that file's own scores. Networks remember the images
    that they were trained on, so it is optimistic; a given one can be better.

    Arguments:
        source: Source; the held-out images are kept out of everything but the metrics of the cards.
        order: Order.
        say: told of each step, in a line.

    Returns:
        The TFLite files, in order.

    Raises:
        WoolError: a file is unusable, a network cannot be converted, or a file is not what it should be.
    """
    quiet.import_keras()
    _check(source, order)
    with tempfile.TemporaryDirectory() as cache:
        how = imaging.read(source.data, order.side)
        trained = opened(source, Path(cache), say)
        crops = trained.load(how.side)
        say(f"{len(trained.train):,} training images, {len(trained.held_out):,} held out, crops of {how.side} pixels")
        work = _Work(order, how, trained, crops)
        if len(trained.held_out):
            by_float = metrics.evaluate(trained.images.labels[trained.held_out], work.by_float)
            say(f"{source.network}, float at {metrics.THRESHOLD:g}; held-out images: {_told(by_float)}")
        return [_made(source.network, precision, work, say) for precision in order.precisions]


def _check(source: Source, order: Order) -> None:
    from wool_tf.deploy import convert

    known, given = (*convert.PRECISIONS, QAT), ",".join(order.precisions)
    if not order.precisions or not set(order.precisions) <= set(known):
        raise WoolError(f"--precisions={given}: must be of {', '.join(known)}")
    if len(set(order.precisions)) < len(order.precisions):
        raise WoolError(f"--precisions={given}: name each once")
    if order.c_array and not set(order.precisions) & set(INTEGER):
        raise WoolError(f"--c_array: is for {' and '.join(INTEGER)}; add one of them to --precisions={given}")
    if order.out.resolve() == source.network.resolve().parent:
        raise WoolError(f"--out={order.out}: is the network's folder, which has files of the same names; give another")


@dataclasses.dataclass(frozen=True)
class _Work:
    """What all files are made with: native `crops`, and what the others say of them."""

    order: Order
    how: Imaging
    trained: Trained
    crops: Dataset

    @functools.cached_property
    def calibration(self) -> np.ndarray:
        """(n, side, side) of uint8."""
        seed = seeds.derive(self.order.seed, "calibration")
        labels, train = self.crops.labels, self.trained.train
        return self.crops.images[calibration.choose(labels, train, seed, self.order.calibration_images)]

    @functools.cached_property
    def by_float(self) -> np.ndarray:
        """What the network says of the held-out images."""
        return self.trained.scores(self.trained.held_out)


def _made(network: Path, precision: str, work: _Work, say: Callable[[str], None]) -> Path:
    """Writes the file of one precision, and what goes with it."""
    order, trained = work.order, work.trained
    say(f"making {precision}")
    tflite = _converted(precision, work, say)

    def score(chosen: np.ndarray) -> np.ndarray:
        return verify.predict(tflite, work.crops.images, order.threads, chosen)

    threshold, rule = order.decision.made(trained.images.labels[trained.train], lambda: score(trained.train))
    achieved = _achieved(work, score(trained.held_out), threshold) if len(trained.held_out) else None
    about = card.make(
        tflite,
        precision,
        trained.spec,
        trained.arrays,
        threshold=threshold,
        rule=rule,
        imaging=work.how,
        fingerprint=work.crops.fingerprint,
        images=len(work.crops.labels),
        metrics=achieved,
    )
    content, name = card.attach(tflite, about), f"{network.stem}-{precision}"
    about = card.read(content)
    path = order.out / f"{name}.tflite"
    files.write(path, content)
    files.write(path.with_suffix(".json"), card.text(about).encode())
    if order.c_array and precision in INTEGER:
        for file, text in micro.c_array(tflite, about, name).items():
            files.write(order.out / file, text.encode())
    operators = f"{len(inspection.describe(tflite)['operators'])} kinds of operators, all run by XNNPACK"
    held_out = f"; held-out images: {_told(achieved)}" if achieved else ""
    say(f"{path}: {len(content):,} bytes, threshold {threshold:.4f}, {operators}{held_out}")
    return path


def _converted(precision: str, work: _Work, say: Callable[[str], None]) -> bytes:
    from wool_tf.deploy import convert
    from wool_tf.networks import resnet

    order, trained, side = work.order, work.trained, work.how.side
    if precision == QAT:
        images, labels = work.crops.images[trained.train], work.crops.labels[trained.train]
        return qat.convert(
            trained.spec,
            trained.arrays,
            images,
            labels,
            order.course,
            side,
            order.heatmap,
            progress=lambda share, what: say(f"qat: {share:.0%}, {what}"),
        )
    model = resnet.restored(trained.spec, trained.arrays)
    return convert.convert(model, precision, work.calibration, side, order.heatmap)


def _achieved(work: _Work, scores: np.ndarray, threshold: float) -> dict:
    """What a file achieves on the held-out images, and what the network does at its own threshold."""
    labels = work.trained.images.labels[work.trained.held_out]
    compared = verify.compare(labels, work.by_float, scores, threshold)
    return {
        "images": len(labels),
        **metrics.evaluate(labels, scores, threshold),
        **{name: compared[name] for name in ("agreement", "mean_difference", "max_difference")},
        "float": {"threshold": metrics.THRESHOLD, **metrics.evaluate(labels, work.by_float)},
    }


def _told(achieved: Mapping) -> str:
    return ", ".join(f"{name} {100 * achieved[name]:.2f} %" for name in TOLD)
