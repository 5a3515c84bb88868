"""Whether TFLite files say of images what their network says."""

import dataclasses
import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from wool_board.columns import aligned
from wool_board.image.variants import FULL
from wool_board.model.card import Card
from wool_tf import environment, quiet
from wool_tf.cells import MISSING, decimals
from wool_tf.deploy import card, tflite_scores
from wool_tf.deploy.trained_network import NetworkSource, TrainedNetwork, opened
from wool_tf.errors import BadSetting
from wool_tf.evaluation import metrics
from wool_tf.evaluation.agreement import compare
from wool_tf.evaluation.metrics import Metrics
from wool_tf.evaluation.thresholds import OF_FOLDS
from wool_tf.settings import setting

log = logging.getLogger(__name__)

FORMAT = 1
HEADER = ("file", "threshold", "accuracy %", "recall %", "AUC", "agreement %", "mean diff.", "largest", "bytes")
ROUNDING = 1e-9
"""Of a difference of two shares, in points."""


@dataclasses.dataclass(frozen=True)
class Bounds:
    """How far a file may be from the network that it was made of.

    Accuracies are each at the threshold that the same rule gives; no threshold enters the AUC; agreement is that at the
    file's threshold.
    """

    max_accuracy_drop: float = setting(0.5, "Percentage points of accuracy that a file may lose.")
    max_auc_drop: float = setting(0.02, "How far the AUC of a file may be below the network's.")
    min_agreement: float = setting(95.0, "Percent of the images that a file has to call what the network calls them.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class MetricsAt(Metrics):
    """Metrics, and the threshold that they are of."""

    threshold: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class VerifiedFile(MetricsAt):
    """What a TFLite file says, beside what the network says.

    Attributes:
        file: its path; its metrics are at the threshold of its card.
        bytes: its size.
        rule: by which its threshold was chosen, as its card says.
        float_by_rule: of the network, at the threshold that the same rule gave for it.
        accuracy_drop: share by which the accuracy of the file is below these.
        agreement, mean_difference, max_difference: see `ScoreDifference`, at the file's threshold.
    """

    file: str
    bytes: int
    rule: str
    float_by_rule: MetricsAt
    accuracy_drop: float
    agreement: float
    mean_difference: float
    max_difference: float


@dataclasses.dataclass(frozen=True)
class VerifiedNetwork:
    """The network: its file, and the SHA-256 of its weights in hex."""

    file: str
    weights_sha256: str


@dataclasses.dataclass(frozen=True)
class VerifiedImages:
    """The images that were judged: their folder, how many, how many defective, and whether they were held out."""

    folder: str
    images: int
    defective: int
    held_out: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class Verification:
    """What `verify.py` finds, and writes.

    Attributes:
        network, data: see there.
        float: the network at 0.5.
        models: the files, in order.
        environment: software and machine, by name.
        format: of this document.
    """

    network: VerifiedNetwork
    data: VerifiedImages
    float: MetricsAt
    models: tuple[VerifiedFile, ...]
    environment: dict
    format: int = FORMAT


def run(source: NetworkSource, models: Sequence[Path], threads: int) -> Verification:
    """Judges TFLite files beside the network that they were made of, on its held-out images, or on all if none is.

    Each file calls an image defective by the threshold of its card, and the network by the one that the same rule gave
    for itself, as the card says too: so the two differ by the precision alone, whatever the rule does to accuracy.

    Arguments:
        source: NetworkSource.
        models: files with a card.
        threads: of the interpreter.

    Raises:
        WoolError: a file is unusable, was made of another network, or with other training images than the fold leaves.
    """
    contents = {path: _content(path) for path in models}
    cards = {path: card.read(content, str(path)) for path, content in contents.items()}
    quiet.import_keras()
    with tempfile.TemporaryDirectory() as cache:
        trained = opened(source, Path(cache))
        digest = card.weights_sha256(trained.spec, trained.arrays)
        for path in models:
            _check_same(path, cards[path], source.network, digest)
            _check_unseen(path, cards[path], trained, source)
            _check_white(path, cards[path], trained.load(None).imaging.white, source)
        chosen = trained.held_out if len(trained.held_out) else trained.train
        labels = trained.images.labels[chosen]
        log.info(f"{source.network}: scoring {len(chosen):,} images")
        expected, rows = trained.scores(chosen), []
        for path in models:
            log.info(f"{path}: scoring {len(chosen):,} images")
            crops = trained.load(cards[path].input.side).native.images
            found = tflite_scores.predict(contents[path], crops, threads, chosen)
            rows.append(_judged(path, len(contents[path]), cards[path], labels, expected, found))
    held_out = bool(len(trained.held_out))
    return Verification(
        network=VerifiedNetwork(str(source.network), digest),
        data=VerifiedImages(str(source.data), len(chosen), int(labels.sum()), held_out),
        float=_metrics(labels, expected, metrics.THRESHOLD),
        models=tuple(rows),
        environment=environment.describe(),
    )


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadSetting("models", path, f"cannot be read ({error.strerror or error})") from None


def _check_same(path: Path, about: Card, network: Path, digest: str) -> None:
    if about.network.weights_sha256 != digest:
        raise BadSetting("models", path, f"was made of another network than {network}, as its card says; give that one")
    if about.decision.float_threshold is None:
        raise BadSetting("models", path, "its card lacks `decision.float_threshold`, as old ones do; convert it anew")


def _check_unseen(path: Path, about: Card, trained: TrainedNetwork, source: NetworkSource) -> None:
    """Notices files whose network, calibration or threshold may come from the held-out images, as their cards say."""
    stated = about.training.images
    if source.held is not None and stated != len(trained.train):
        left = f"fold {source.held.fold} leaves {len(trained.train):,}"
        made = f"was made with {stated:,} training images, as its card says, and {left}"
        raise BadSetting("models", path, f"{made}; convert the network with the same `folds_file` and `fold`")


def _check_white(path: Path, about: Card, white: int | None, source: NetworkSource) -> None:
    """Notices images of 16 bits that a board would read with another highest value, as the card says."""
    stated = about.input.white or FULL
    if white not in (None, stated):
        rule = f"{source.data} is read with {white} as its highest value, and a board with {path} takes {stated}"
        raise BadSetting("white", None, f"{rule}; give `white`={stated}, or convert the network with {white}")


def _judged(
    path: Path, size: int, about: Card, labels: np.ndarray, expected: np.ndarray, found: np.ndarray
) -> VerifiedFile:
    """What a file of this size with this card says, beside what the network says."""
    threshold, own = about.decision.threshold, about.decision.float_threshold
    assert own is not None, "a card without it was let through"
    achieved, by_rule = _metrics(labels, found, threshold), _metrics(labels, expected, own)
    far = compare(expected, found, threshold)
    return VerifiedFile(
        **vars(achieved),
        file=str(path),
        bytes=size,
        rule=about.decision.rule,
        float_by_rule=by_rule,
        accuracy_drop=by_rule.accuracy - achieved.accuracy,
        agreement=far.agreement,
        mean_difference=far.mean_difference,
        max_difference=far.max_difference,
    )


def _metrics(labels: np.ndarray, scores: np.ndarray, threshold: float) -> MetricsAt:
    return MetricsAt(**vars(metrics.evaluate(labels, scores, threshold)), threshold=threshold)


def to_text(found: Verification) -> str:
    """A table, with what the images are above it and where thresholds come from below."""
    data = found.data
    kind = "held-out images" if data.held_out else "images, which may have trained the network and its threshold,"
    about = f"{data.images:,} {kind} of {data.folder}, {data.defective:,} of them defective"
    rows = [(f"{Path(found.network.file).name}, float in Keras", *_figures(found.float), *[MISSING] * 4)]
    for model in found.models:
        far = (f"{model.mean_difference:.4f}", f"{model.max_difference:.4f}", f"{model.bytes:,}")
        rows.append((Path(model.file).name, *_figures(model), _percent(model.agreement), *far))
        rows.append(("  float, by the same rule", *_figures(model.float_by_rule), *[""] * 4))
    table = aligned([HEADER, *rows], "l" + "r" * (len(HEADER) - 1))
    rules = [f"threshold of {Path(model.file).name}: {model.rule}" for model in found.models]
    return "\n".join([about, "", *table, "", *rules, *_flattered(found)])


def _flattered(found: Verification) -> list[str]:
    """What makes the figures too good, a line each: images that trained the network, or chose a threshold."""
    if not found.data.held_out:
        advice = "give `folds_file` and `fold` of the run that trained it"
        seen = "no image is known to be one that the network was not trained on"
        return [f"{seen}, so all figures may be better than on new images: {advice}"]
    names = [Path(model.file).name for model in found.models if OF_FOLDS in model.rule]
    told = "its threshold was chosen on these images, too, and both its lines are a little too good"
    return [f"{name}: {told}" for name in names]


def check(found: Verification, bounds: Bounds) -> None:
    """Raises BadSetting if a file leaves the bounds, with a line that says which, and by how much."""
    passed = {field.name: list[str]() for field in dataclasses.fields(Bounds)}
    for model in found.models:
        name, by_rule = Path(model.file).name, model.float_by_rule
        if 100 * model.accuracy_drop > bounds.max_accuracy_drop + ROUNDING:
            passed["max_accuracy_drop"].append(
                f"{name} has an accuracy of {_percent(model.accuracy)} % at {model.threshold:.4f}, "
                f"{_percent(model.accuracy_drop)} points below the network's {_percent(by_rule.accuracy)} % at "
                f"{by_rule.threshold:.4f} (allowed: {bounds.max_accuracy_drop:g})"
            )
        if by_rule.auc - model.auc > bounds.max_auc_drop + ROUNDING:
            passed["max_auc_drop"].append(
                f"{name} has an AUC of {decimals(model.auc)}, and the network {decimals(by_rule.auc)} "
                f"(allowed: {bounds.max_auc_drop:g} less)"
            )
        if 100 * model.agreement < bounds.min_agreement - ROUNDING:
            passed["min_agreement"].append(
                f"{name} calls {_percent(model.agreement)} % of the images what the network calls them "
                f"(at least: {bounds.min_agreement:g})"
            )
    told = [line for lines in passed.values() for line in lines]
    if told:
        images = found.data.images
        worth = f"one image of {images:,} is {_percent(1 / images)} points"
        raise BadSetting([field for field, lines in passed.items() if lines], None, "; ".join([*told, worth]))


def _figures(found: MetricsAt) -> tuple[str, ...]:
    return f"{found.threshold:.4f}", _percent(found.accuracy), _percent(found.recall), decimals(found.auc)


def _percent(share: float) -> str:
    return f"{100 * share:.2f}"
