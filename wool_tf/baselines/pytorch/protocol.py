"""The stages in PyTorch, for worker processes: nothing heavy is imported before one works."""

from typing import TYPE_CHECKING

from wool_tf import quiet
from wool_tf.training.config import TrainingConfig

if TYPE_CHECKING:
    from wool_tf.training.methods import TrainingStage

PACKAGES = ("torch", "torchvision", "torch-pruning")
"""What results depend on besides, for the binding of a run."""


def stages(settings: TrainingConfig) -> "list[TrainingStage]":
    """The stages of a run, but for controls."""
    quiet.import_keras()
    import torch

    from wool_tf.baselines.pytorch import methods

    torch.set_num_threads(settings.threads)
    return methods.stages(settings)
