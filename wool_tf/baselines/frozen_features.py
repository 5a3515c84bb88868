"""What the initial weights give untrained: logistic regression on the features of the frozen network.

Features learned on ImageNet serve many other images unchanged, with a linear classifier behind them (Donahue et al.
2014, DeCAF, https://arxiv.org/abs/1310.1531; Razavian et al. 2014, https://arxiv.org/abs/1403.6382). One forward pass
per image is all that they cost, so a network that is trained from the same weights has to do better to be worth it.

After the last ReLU of each of the four stacks every channel is reduced to its maximum and its mean over the image: a
small defect shows in the one, a texture in the other, and the four stacks see structures of four sizes. Each feature
is scaled to mean 0 and standard deviation 1 over the training images, and logistic regression with an L2 penalty
separates the classes.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from wool_tf.data.batches import centre_crop
from wool_tf.data.pixels import normalise
from wool_tf.evaluation.metrics import THRESHOLD
from wool_tf.networks import initial_weights
from wool_tf.networks.spec import ResNetSpec
from wool_tf.training.config import TrainingConfig

if TYPE_CHECKING:
    import keras

C = 0.01
"""Inverse strength of the penalty; a strong one, for there are more features than images."""
MAX_ITER = 1000
"""Steps of the solver (L-BFGS), at most; it needs some tens."""


def name(settings: TrainingConfig) -> str | None:
    """What the features of a run depend on: `resnet18-imagenet`; None where it starts from random weights."""
    return None if settings.weights == "none" else f"resnet{settings.depth}-{Path(settings.weights).stem}"


def features(spec: ResNetSpec, weights: Mapping[str, np.ndarray], images: np.ndarray) -> np.ndarray:
    """Pooled features of the middle crops of images, which are what the network reads when it scores.

    Arguments:
        spec: ResNetSpec of the network; its input is square and of one channel.
        weights: its arrays, by torchvision's keys.
        images: (n, height, width) uint8, at least as large as the spec's input and at least one; also a memory map,
            which is read batch by batch.

    Returns:
        (n, 2 × sum of the stacks' widths) float32: of each stack in turn the maxima of its channels, then the means.
    """
    from wool_tf.networks import forward_pass
    from wool_tf.networks.scoring import BATCH

    model = _pooled(spec, weights)
    batches = (images[start : start + BATCH] for start in range(0, len(images), BATCH))
    crops = (normalise(centre_crop(batch, spec.input_shape[0])) for batch in batches)
    return np.concatenate([forward_pass.outputs(model, batch, BATCH) for batch in crops])


def evaluate_repeats(
    found: np.ndarray, labels: np.ndarray, repeats: Sequence[Sequence[np.ndarray]]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Calls and scores of the images of each fold, by a scaling and a regression fitted to the other folds.

    Arguments:
        found: (n, d) float, the features of each image.
        labels: (n,) int, 1 for defective images and 0 for others.
        repeats: for each cross-validation and each of its folds the indices of the held-out images, none twice; what
            no fold holds out has no score (NaN). The other folds of each must hold both classes.

    Returns:
        For each cross-validation (n,) int, the label that each image was given, and (n,) float, its probability of
        "defective", at least 0.5 where it was called so. The same arguments give the same results.
    """
    return [_judged(found, np.asarray(labels), folds) for folds in repeats]


def evaluate_grid(
    grid: Sequence[TrainingConfig], images: np.ndarray, labels: np.ndarray, repeats: Sequence[Sequence[np.ndarray]]
) -> dict[str, list[tuple[np.ndarray, np.ndarray]]]:
    """`evaluate_repeats` of every pretrained network that a configuration starts from, once each, by `name`.

    Arguments:
        grid: settings of every configuration.
        images: (n, side, side) uint8, of the settings' `load_size`.
        labels, repeats: as for `evaluate_repeats`.

    Raises:
        WoolError: initial weights cannot be read.
    """
    distinct = {found: settings for settings in grid if (found := name(settings))}
    return {one: evaluate_repeats(_of(settings, images), labels, repeats) for one, settings in distinct.items()}


def _of(settings: TrainingConfig, images: np.ndarray) -> np.ndarray:
    spec = settings.initial_spec
    # The seed is of the new head, which the features do not reach.
    return features(spec, initial_weights.resolve(settings.weights, spec, 0), images)


def _pooled(spec: ResNetSpec, weights: Mapping[str, np.ndarray]) -> "keras.Model":
    """The network up to its stacks' pooled outputs, as a Keras model."""
    import keras

    from wool_tf.networks import resnet

    network, pooled = resnet.restored(spec, weights), []
    for stack in spec.stacks:
        last = network.get_layer(f"{stack[-1].name}.relu").output
        pooled += [keras.layers.GlobalMaxPooling2D()(last), keras.layers.GlobalAveragePooling2D()(last)]
    return keras.Model(network.input, keras.layers.Concatenate()(pooled))


def _judged(found: np.ndarray, labels: np.ndarray, folds: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    scores = np.full(len(labels), np.nan)
    for held_out in folds:
        training = np.setdiff1d(np.arange(len(labels)), held_out)
        # In double precision, where what the order of summation changes stays far below a call.
        fitted = _classifier().fit(found[training].astype(float), labels[training])
        scores[held_out] = fitted.predict_proba(found[held_out].astype(float))[:, 1]
    return (scores >= THRESHOLD).astype(np.int64), scores


def _classifier() -> Pipeline:
    return make_pipeline(StandardScaler(), LogisticRegression(C=C, max_iter=MAX_ITER))
