"""The stages of the protocol as a user of PyTorch would do them; see `wool_tf.training.methods` for ours.

Hard pruning is Torch-Pruning's (Fang et al. 2023, https://arxiv.org/abs/2301.12900) to the widths that our recipe ends
with: which filters go is its own choice, by the measure of `--importance` over everything that depends on a channel.
ASFP is as its authors publish it: after each epoch the kernels of every convolution but the projections are zeroed by
its own L2 norms, and after the last one they stay zero; nothing is removed, and there are no plain epochs at the end.

Batch norms are re-estimated as in our protocol, and seeds, folds and batches are the same.
"""

import dataclasses
import functools
from collections.abc import Callable

import numpy as np
import torch
import torch_pruning
from torch import nn

from wool_tf import environment
from wool_tf.baselines.pytorch import networks, protocol, training
from wool_tf.errors import Divergence
from wool_tf.evaluation.metrics import Metrics, evaluate
from wool_tf.networks import scoring
from wool_tf.networks import weights as network_weights
from wool_tf.networks.spec import ResNetSpec
from wool_tf.networks.unit_records import History, Result
from wool_tf.progress import Progress
from wool_tf.pruning.importance import Examples
from wool_tf.pruning.schedules import asymptotic
from wool_tf.training import methods
from wool_tf.training.config import TrainingConfig
from wool_tf.training.fold import Fold
from wool_tf.training.methods import TrainingStage
from wool_tf.training.trainer import Course

IMPORTANCES = {
    "l1": functools.partial(torch_pruning.importance.MagnitudeImportance, p=1),
    "l2": functools.partial(torch_pruning.importance.MagnitudeImportance, p=2),
    "bn_scale": torch_pruning.importance.BNScaleImportance,
    "taylor": torch_pruning.importance.TaylorImportance,
}
"""What Torch-Pruning has for each of `config.IMPORTANCES`."""


def stages(settings: TrainingConfig) -> list[TrainingStage]:
    """The stages of a run, but for controls."""
    if settings.controls:
        settings = dataclasses.replace(settings, controls=())
    found = []
    for stage in methods.stages(settings):
        if stage.name == "baseline":
            found.append(dataclasses.replace(stage, method=baseline))
        elif stage.name.startswith("hard"):
            # The compact network is what is fine-tuned.
            found.append(dataclasses.replace(stage, method=hard, trained=stage.spec))
        else:
            rate = float(stage.name.removeprefix("asfp")) / 100
            method = functools.partial(asfp, goal=rate)
            found.append(dataclasses.replace(stage, method=method, spec=settings.initial_spec, consolidation=0))
    return found


def baseline(stage: TrainingStage, fold: Fold, settings: TrainingConfig, progress: Progress) -> Result:
    """Trains the unpruned network from the initial weights."""
    network = networks.module(stage.spec, methods.initial(fold, settings))
    history = _train(network, stage, fold, settings, settings.learning_rate, progress)
    return _finish(network, stage, fold, settings, history)


def hard(stage: TrainingStage, fold: Fold, settings: TrainingConfig, progress: Progress) -> Result:
    """One round: prunes the network of the stage before and fine-tunes it."""
    assert stage.after is not None, f"{stage.name}: a round continues another stage"
    spec, weights = network_weights.load(fold.checkpoint(stage.after))
    network, measure = networks.module(spec, weights), settings.importance
    prune(network, spec, stage.spec, measure, methods.examples(stage, fold, settings, spec, measure))
    _reestimate(network, stage, fold, settings)
    before = _metrics(network, stage, fold)
    history = _train(network, stage, fold, settings, settings.finetune_rate, progress)
    return dataclasses.replace(_finish(network, stage, fold, settings, history), before_finetuning=before)


def asfp(stage: TrainingStage, fold: Fold, settings: TrainingConfig, progress: Progress, goal: float) -> Result:
    """One whole training with kernels zeroed after every epoch."""
    network = networks.module(stage.spec, methods.initial(fold, settings))

    def zero(epoch: int) -> None:
        zero_filters(network, stage.spec, asymptotic(epoch, stage.epochs, goal))

    history = _train(network, stage, fold, settings, settings.learning_rate, progress, zero)
    kept = sum(int((parameter != 0).sum()) for parameter in network.parameters() if parameter.ndim > 1)
    kept += sum(parameter.numel() for parameter in network.parameters() if parameter.ndim == 1)
    return dataclasses.replace(_finish(network, stage, fold, settings, history), params=kept)


def prune(
    network: nn.Module, spec: ResNetSpec, smaller: ResNetSpec, measure: str, examples: Examples | None = None
) -> None:
    """Removes filters by Torch-Pruning until the network has the widths of another spec.

    Arguments:
        network: of `spec`.
        spec, smaller: before and afterwards.
        measure: one of `config.IMPORTANCES`.
        examples: images and labels, for `taylor`, which reads the gradients of their loss.
    """
    ratios = {
        # It keeps the whole part of width × (1 − ratio): a little above the number that stays is that number.
        network.get_submodule(conv.name): 1 - (smaller.width(conv.writes) + 0.01) / spec.width(conv.writes)
        for conv in spec.convolutions()
    }
    pruner = torch_pruning.pruner.MagnitudePruner(
        network,
        torch.zeros(1, spec.input_shape[2], *spec.input_shape[:2]),
        importance=IMPORTANCES[measure](),
        pruning_ratio_dict=ratios,
        ignored_layers=[network.fc],
    )
    if examples is not None:
        images, labels = examples
        logits = network.eval()(networks.batch(images, next(network.parameters()).dtype))
        nn.functional.cross_entropy(logits, torch.from_numpy(labels).long()).backward()
    pruner.step()
    network.zero_grad()
    found = networks.spec_of(network, spec)
    assert found == smaller, f"Torch-Pruning left {found.widths}, wanted {smaller.widths}"


@torch.no_grad()
def zero_filters(network: nn.Module, spec: ResNetSpec, rate: float) -> None:
    """Zeroes the kernels of the share of each convolution's filters that have the smallest norms; no projections."""
    for conv in spec.convolutions():
        if "downsample" not in conv.name:
            kernel = network.get_submodule(conv.name).weight
            weakest = kernel.flatten(1).norm(dim=1).argsort()[: int(len(kernel) * rate)]
            kernel[weakest] = 0


def _train(
    network: nn.Module,
    stage: TrainingStage,
    fold: Fold,
    settings: TrainingConfig,
    rate: float,
    progress: Progress,
    after_epoch: Callable[[int], None] | None = None,
) -> History:
    history, _ = training.train(
        network,
        fold.dataset.images,
        fold.dataset.labels,
        fold.train,
        settings.image_size,
        Course.of(settings, stage.epochs, rate),
        fold.seed(settings, stage.name),
        progress,
        after_epoch,
        teacher=methods.teacher(stage, fold, settings),
    )
    return history


def _reestimate(network: nn.Module, stage: TrainingStage, fold: Fold, settings: TrainingConfig) -> None:
    if settings.bn_images:
        seed = fold.seed(settings, "batch norms")
        side, most = stage.spec.input_shape[0], settings.bn_images
        networks.reestimate(network, fold.dataset.images, fold.train, side, most, seed)


def _scores(network: nn.Module, stage: TrainingStage, fold: Fold) -> np.ndarray:
    found = networks.logits(network, fold.dataset.images, fold.held_out, stage.spec.input_shape[0])
    if not np.isfinite(found).all():
        raise Divergence("the trained network's outputs are not finite")
    return scoring.probabilities(found)


def _metrics(network: nn.Module, stage: TrainingStage, fold: Fold) -> Metrics:
    return evaluate(fold.dataset.labels[fold.held_out], _scores(network, stage, fold))


def _finish(network: nn.Module, stage: TrainingStage, fold: Fold, settings: TrainingConfig, history: History) -> Result:
    """Re-estimates batch norms, writes the checkpoint and returns the result."""
    _reestimate(network, stage, fold, settings)
    network_weights.save(fold.checkpoint(stage.name), stage.spec, networks.arrays(network))
    found = methods.network_result(stage, fold, settings, history, _scores(network, stage, fold))
    # Its own version says for which CUDA it was built.
    versions = environment.versions(protocol.PACKAGES) | {"torch": str(torch.__version__)}
    return dataclasses.replace(found, environment={**found.environment, **versions})
