"""A small network trained on many images once, for trainings on few images to start from."""

import dataclasses
import json
import logging
from pathlib import Path

import numpy as np

from wool_tf import environment, seeds
from wool_tf.data import folds
from wool_tf.data.dataset import Dataset
from wool_tf.evaluation.metrics import evaluate
from wool_tf.networks import initial_weights, scoring, weights
from wool_tf.networks.spec import ResNetSpec
from wool_tf.networks.weights import Weights
from wool_tf.progress import Progress
from wool_tf.training import batch_norms, trainer
from wool_tf.training.config import TrainingConfig
from wool_tf.training.trainer import Course

log = logging.getLogger(__name__)

MULTIPLE = 8
"""Of which every width is a multiple, as integer kernels like it."""


@dataclasses.dataclass(frozen=True)
class Pretrained:
    """A network and what is known of it.

    Attributes:
        spec: of the network.
        weights: by torchvision's keys.
        about: how it was made and what it is worth on samples that were held out, JSON values by name.
    """

    spec: ResNetSpec
    weights: Weights
    about: dict[str, object]

    def save(self, path: Path, command: str) -> None:
        """Writes safetensors of half precision, with the spec and `about` in the header.

        Raises:
            WoolError: the file cannot be written.
        """
        about = json.dumps({"command": command, **self.about})
        weights.save(path, self.spec, self.weights, np.float16, about=about)


def narrowed(spec: ResNetSpec, share: float) -> ResNetSpec:
    """A network with a share of the filters of every layer, in multiples of `MULTIPLE`."""
    return spec.resized(
        {group: max(1, round(width * share / MULTIPLE)) * MULTIPLE for group, width in spec.by_group().items()}
    )


def run(settings: TrainingConfig, share: float, images: Dataset, progress: Progress) -> Pretrained:
    """Trains a network on all samples but those of the first fold.

    Arguments:
        settings: depth, size, epochs, batch, rate, seed, and the weights to start from. A file that an earlier run made
            goes on, at another size for example: with the same images and seed the same samples are held out.
        share: of the filters that the network has where it starts from random weights; others say it themselves.
        images: Dataset.
        progress: told of every step, at most.

    Raises:
        WoolError: the folds cannot be made, the weights to start from cannot be used, or the training diverged.
    """
    seed = seeds.derive(settings.seed, "pretraining")
    spec = narrowed(settings.initial_spec, share) if settings.weights == "none" else settings.initial_spec
    start = initial_weights.resolve(settings.weights, spec, seed)
    held_out, *_ = folds.split(images.labels, images.groups, settings.folds, seed)
    train = np.setdiff1d(np.arange(len(images.labels)), held_out)
    log.info(f"training on {len(train):,} images of {len(set(images.groups[train])):,} samples")
    course = Course.of(settings, settings.epochs, settings.learning_rate)
    given = images.images, images.labels
    trained, history = trainer.train(spec, start, *given, train, course, seed, progress)
    trained = batch_norms.reestimated(spec, trained, images.images, train, settings.bn_images, seed)
    # Judged as it is stored.
    stored = {key: array.astype(np.float16).astype(np.float32) for key, array in trained.items()}
    scores = scoring.probabilities(trainer.logits(spec, stored, images.images, held_out))
    worth = evaluate(images.labels[held_out], scores)
    about: dict[str, object] = {
        "images": len(train),
        "samples": len(set(images.groups[train])),
        "fingerprint": images.fingerprint,
        "epochs": settings.epochs,
        "loss": history.loss[-1],
        "held_out": {"images": len(held_out), "accuracy": worth.accuracy, "auc": worth.auc},
        "versions": environment.binding(),
    }
    return Pretrained(spec, trained, about)
