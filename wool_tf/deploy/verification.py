"""Whether TFLite files say of images what their network says."""

import dataclasses
import logging
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from wool_board.image.variants import FULL
from wool_board.model.card import Card
from wool_tf import environment, quiet
from wool_tf.cells import MISSING, aligned, decimals
from wool_tf.deploy import agreement, card
from wool_tf.deploy.trained_network import NetworkSource, TrainedNetwork, opened
from wool_tf.errors import BadSetting
from wool_tf.evaluation import metrics
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


def run(source: NetworkSource, models: Sequence[Path], threads: int) -> dict:
    """Judges TFLite files beside the network that they were made of, on its held-out images, or on all if none is.

    Each file calls an image defective by the threshold of its card, and the network by the one that the same rule gave
    for itself, as the card says too: so the two differ by the precision alone, whatever the rule does to accuracy.

    Arguments:
        source: NetworkSource.
        models: files with a card.
        threads: of the interpreter.

    Returns:
        `network` (`file` and `weights_sha256`), `data` (`folder`, `images`, `defective`, and `held_out`, whether they
        were), `float`, the network's metrics at 0.5 with its `threshold`, `models`, and `environment`. Each of the
        models has `file`, `precision`, `bytes`, `threshold` and the `rule` of it, its metrics, `float_by_rule`, the
        network's metrics with its `threshold` by the same rule, `accuracy_drop`, the share by which the accuracy of the
        file is below these, and at the file's threshold `agreement`, `mean_difference` and `max_difference`, see
        `deploy.agreement.compare`.

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
        expected = trained.scores(chosen)
        by_float = {"threshold": metrics.THRESHOLD, **dataclasses.asdict(metrics.evaluate(labels, expected))}
        rows = []
        for path in models:
            log.info(f"{path}: scoring {len(chosen):,} images")
            crops = trained.load(cards[path].input.side).native.images
            found = agreement.predict(contents[path], crops, threads, chosen)
            rows.append({"file": str(path), "bytes": len(contents[path])})
            rows[-1] |= _judged(cards[path], labels, expected, found)
    data = {"folder": str(source.data), "images": len(chosen), "defective": int(labels.sum())}
    return {
        "format": FORMAT,
        "network": {"file": str(source.network), "weights_sha256": digest},
        "data": data | {"held_out": bool(len(trained.held_out))},
        "float": by_float,
        "models": rows,
        "environment": environment.describe(),
    }


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
        raise BadSetting("models", path, f"{made}; convert the network with the same folds and fold")


def _check_white(path: Path, about: Card, white: int | None, source: NetworkSource) -> None:
    """Notices images of 16 bits that a board would read with another highest value, as the card says."""
    stated = about.input.white or FULL
    if white not in (None, stated):
        rule = f"{source.data} is read with {white} as its highest value, and a board with {path} takes {stated}"
        raise BadSetting("white", None, f"{rule}; give `white`={stated}, or convert the network with {white}")


def _judged(about: Card, labels: np.ndarray, expected: np.ndarray, found: np.ndarray) -> dict:
    """What a file with this card says, beside what the network says."""
    threshold, own = about.decision.threshold, about.decision.float_threshold
    assert own is not None, "a card without it was let through"
    compared = agreement.compare(labels, expected, found, threshold)
    achieved, by_rule = metrics.evaluate(labels, found, threshold), metrics.evaluate(labels, expected, own)
    return {
        "precision": about.precision,
        "threshold": threshold,
        "rule": about.decision.rule,
        **dataclasses.asdict(achieved),
        "float_by_rule": {"threshold": own, **dataclasses.asdict(by_rule)},
        "accuracy_drop": by_rule.accuracy - achieved.accuracy,
        **{name: compared[name] for name in ("agreement", "mean_difference", "max_difference")},
    }


def to_text(document: Mapping) -> str:
    """The document of `run` as a table, with what the images are above it and where thresholds come from below."""
    data, network = document["data"], document["network"]["file"]
    kind = "held-out images" if data["held_out"] else "images, which may have trained the network and its threshold,"
    about = f"{data['images']:,} {kind} of {data['folder']}, {data['defective']:,} of them defective"
    rows = [(f"{Path(network).name}, float in Keras", *_figures(document["float"]), *[MISSING] * 4)]
    for model in document["models"]:
        far = (f"{model['mean_difference']:.4f}", f"{model['max_difference']:.4f}", f"{model['bytes']:,}")
        rows.append((Path(model["file"]).name, *_figures(model), _percent(model["agreement"]), *far))
        rows.append(("  float, by the same rule", *_figures(model["float_by_rule"]), *[""] * 4))
    table = aligned([HEADER, *rows], "l" + "r" * (len(HEADER) - 1))
    rules = [f"threshold of {Path(model['file']).name}: {model['rule']}" for model in document["models"]]
    return "\n".join([about, "", *table, "", *rules, *_flattered(document)])


def _flattered(document: Mapping) -> list[str]:
    """What makes the figures too good, a line each: images that trained the network, or chose a threshold."""
    if not document["data"]["held_out"]:
        advice = "so all figures may be better than on new images: give `folds` and `fold` of the run that trained it"
        return [f"no image is known to be one that the network was not trained on, {advice}"]
    names = [Path(model["file"]).name for model in document["models"] if OF_FOLDS in model["rule"]]
    told = "its threshold was chosen on these images, too, and both its lines are a little too good"
    return [f"{name}: {told}" for name in names]


def check(document: Mapping, bounds: Bounds) -> None:
    """Raises BadSetting if a file leaves the bounds, with a line that says which, and by how much."""
    passed = {field.name: list[str]() for field in dataclasses.fields(Bounds)}
    for model in document["models"]:
        name, by_rule = Path(model["file"]).name, model["float_by_rule"]
        if 100 * model["accuracy_drop"] > bounds.max_accuracy_drop + ROUNDING:
            passed["max_accuracy_drop"].append(
                f"{name} has an accuracy of {_percent(model['accuracy'])} % at {model['threshold']:.4f}, "
                f"{_percent(model['accuracy_drop'])} points below the network's {_percent(by_rule['accuracy'])} % at "
                f"{by_rule['threshold']:.4f} (allowed: {bounds.max_accuracy_drop:g})"
            )
        # Without both classes there is no area under the curve.
        if model["auc"] is not None and by_rule["auc"] - model["auc"] > bounds.max_auc_drop + ROUNDING:
            passed["max_auc_drop"].append(
                f"{name} has an AUC of {decimals(model['auc'])}, and the network {decimals(by_rule['auc'])} "
                f"(allowed: {bounds.max_auc_drop:g} less)"
            )
        if 100 * model["agreement"] < bounds.min_agreement - ROUNDING:
            passed["min_agreement"].append(
                f"{name} calls {_percent(model['agreement'])} % of the images what the network calls them "
                f"(at least: {bounds.min_agreement:g})"
            )
    told = [line for lines in passed.values() for line in lines]
    if told:
        images = document["data"]["images"]
        worth = f"one image of {images:,} is {_percent(1 / images)} points"
        raise BadSetting([field for field, lines in passed.items() if lines], None, "; ".join([*told, worth]))


def _figures(found: Mapping) -> tuple[str, ...]:
    shares = (_percent(found[name]) for name in ("accuracy", "recall"))
    return f"{found['threshold']:.4f}", *shares, decimals(found["auc"])


def _percent(share: float) -> str:
    return f"{100 * share:.2f}"
