"""Makes the card that a board model carries: what it reads, how it decides, where it comes from.

It is a zip archive with one member behind the TFLite file, as the associated files of TFLite metadata are.
Interpreters do not look so far; `unzip -p model.tflite card.json` prints it. `wool_board.model.card_file` reads it.
"""

import dataclasses
import hashlib
import io
import json
import zipfile

import numpy as np

from wool_board.model.card import (
    FORMAT,
    SCORE_QUANTILES,
    Card,
    CardDecision,
    CardInput,
    CardModel,
    CardNetwork,
    CardTraining,
)
from wool_board.model.card_file import MEMBER, parse
from wool_tf import environment
from wool_tf.data.imaging import Imaging
from wool_tf.data.listing import CLASSES
from wool_tf.deploy import checks
from wool_tf.deploy.geometry import CropGeometry
from wool_tf.networks import complexity
from wool_tf.networks.spec import ResNetSpec
from wool_tf.networks.weights import Weights, shapes

_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The first date that a zip archive knows."""


def make(
    tflite: bytes,
    precision: str,
    spec: ResNetSpec,
    arrays: Weights,
    *,
    threshold: float,
    rule: str,
    float_threshold: float,
    imaging: Imaging,
    fingerprint: str,
    images: int,
    metrics: dict | None = None,
) -> Card:
    """The card of a board model.

    Arguments:
        tflite: the model, without a card.
        precision: one of `tflite_file.PRECISIONS`, or `qat`.
        spec, arrays: of the network that it was made of.
        threshold: a crop is called defective if its probability of "defective" is at least this.
        rule: in words, how the threshold was chosen.
        float_threshold: what the same rule gives for the network itself, which the file is compared with.
        imaging: of the crops.
        fingerprint: SHA-256 of the dataset of native crops, with those that the network was not trained on.
        images: number of them that this very network was trained on.
        metrics: what is achieved on images that the network judging them was not trained on, and `of`, in words, which
            file that was and on which images; None where there are none. `score_quantiles` gives one part of it.

    Raises:
        WoolError: the bytes are no TFLite file that runs here.
    """
    about = checks.describe(tflite)
    side, heatmap = about["input"]["shape"][1], about.get("heatmap")
    return Card(
        format=FORMAT,
        precision=precision,
        labels=CLASSES,
        decision=CardDecision(threshold=threshold, rule=rule, float_threshold=float_threshold),
        input=CardInput(
            side=side,
            margin=CropGeometry(side, spec.input_shape[0]).margin,
            pixels="grey, 255 is air",
            window=imaging.window,
            pixel_mm=imaging.pixel_mm,
            white=imaging.white,
        ),
        heatmap=tuple(heatmap["shape"][1:3]) if heatmap else None,
        network=CardNetwork(
            spec=spec.get_config(),
            params=complexity.parameters(spec),
            macs=complexity.macs(spec),
            weights_sha256=weights_sha256(spec, arrays),
        ),
        training=CardTraining(fingerprint=fingerprint, images=images),
        metrics=metrics,
        environment=environment.describe(),
        model=CardModel(bytes=len(tflite), sha256=hashlib.sha256(tflite).hexdigest()),
    )


def score_quantiles(labels: np.ndarray, scores: np.ndarray) -> dict[str, list[float] | None]:
    """How the scores of images that were held out are distributed, for the metrics of a card.

    Arguments:
        labels: (n,) of 0 and 1.
        scores: (n,) of 0 to 1, of networks that were not trained on the image.

    Returns:
        Of each class by its name `SCORE_QUANTILES` quantiles in equal steps from the lowest score to the highest, each
        one a score that was given; None of a class without images. They have the six decimals of a tile's score.
    """
    steps = np.linspace(0, 1, SCORE_QUANTILES)
    found: dict[str, list[float] | None] = {}
    for number, name in enumerate(CLASSES):
        those = scores[np.asarray(labels) == number].astype(np.float64)
        found[name] = np.quantile(those, steps, method="inverted_cdf").round(6).tolist() if len(those) else None
    return found


def weights_sha256(spec: ResNetSpec, arrays: Weights) -> str:
    """SHA-256 in hex over the names and the little-endian float32 values of all weights, in the network's order."""
    digest = hashlib.sha256()
    for key in shapes(spec):
        digest.update(key.encode())
        digest.update(arrays[key].astype("<f4").tobytes())
    return digest.hexdigest()


def text(card: Card) -> str:
    """A card as it stands in a file."""
    return json.dumps(dataclasses.asdict(card), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def attach(tflite: bytes, card: Card) -> bytes:
    """A model, which has none yet, with its card; the same model and card give the same bytes."""
    member = zipfile.ZipInfo(MEMBER, _EPOCH)
    member.create_system, member.external_attr = 3, 0o644 << 16
    file = io.BytesIO(tflite)
    file.seek(0, io.SEEK_END)
    # Not compressed: what zlib makes of the same text differs between its versions.
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(member, text(card))
    return file.getvalue()


def read(content: bytes, name: str = "model") -> Card:
    """The card of a model, as `wool_board.model.card_file.parse` reads it.

    Arguments:
        content: the model with its card.
        name: of the file, for messages.
    """
    return parse(io.BytesIO(content), name)
