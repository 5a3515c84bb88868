"""One split of the images: what a network is trained on, and what it is tested on."""

import dataclasses
from pathlib import Path

import numpy as np

from wool_tf import seeds
from wool_tf.data.dataset import Dataset
from wool_tf.training.config import TrainingConfig


@dataclasses.dataclass(frozen=True)
class Fold:
    """One split of the images, and the folder that holds its networks.

    Attributes:
        name: `resnet18-adam-none/repeat0/fold3`, or `…/final` where all images are trained on.
        repeat: number of the cross-validation that it belongs to.
        dataset: Dataset.
        train, held_out: indices into it; `held_out` is empty for `final`.
        folder: of its checkpoints.
        logs: folder for TensorBoard's curves, or None.
        attempt: how often its training has diverged before; every attempt has random numbers of its own.
        initial: SHA-256 of the file of initial weights when the run began, or None where there is no such file.
    """

    name: str
    repeat: int
    dataset: Dataset
    train: np.ndarray
    held_out: np.ndarray
    folder: Path
    logs: Path | None = None
    attempt: int = 0
    initial: str | None = None

    def checkpoint(self, stage: str) -> Path:
        """Path of the network of a stage."""
        return self.folder / f"{stage}.safetensors"

    def seed(self, settings: TrainingConfig, purpose: str) -> int:
        """The seed of one purpose in this fold."""
        again = (self.attempt,) if self.attempt else ()
        return seeds.derive(settings.seed, self.repeat, self.folder.name, purpose, *again)
