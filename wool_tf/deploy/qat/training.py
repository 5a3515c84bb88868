"""Quantisation-aware training of a network, and its file: what the process of `qat` does.

Only that process imports it.
"""

import math
import warnings

import numpy as np
import tf_keras

from wool_tf import seeds
from wool_tf.data import pixels
from wool_tf.data.batches import augmented, centre_crop, per_epoch
from wool_tf.deploy.checks import check
from wool_tf.deploy.geometry import CropGeometry
from wool_tf.deploy.qat import fake_quantisation, resnet
from wool_tf.deploy.qat.launch import QatConfig
from wool_tf.errors import Divergence
from wool_tf.networks import feeding
from wool_tf.networks.spec import ResNetSpec
from wool_tf.networks.weights import Weights
from wool_tf.progress import Progress
from wool_tf.quiet import quiet

RANGE_IMAGES = 256
"""Images that the first ranges of the activations are taken from."""
COMPARED = 8
"""Images on which tf_keras is compared with Keras."""


def fine_tune(
    spec: ResNetSpec,
    arrays: Weights,
    images: np.ndarray,
    labels: np.ndarray,
    config: QatConfig,
    geometry: CropGeometry,
    heatmap: bool,
    progress: Progress,
) -> bytes:
    """As `launch.convert`, in this process; arguments are as there."""
    loaded = _loaded(images, geometry)
    network = resnet.build(spec, arrays)
    typical = seeds.generator(config.seed, "ranges").permutation(len(loaded))[:RANGE_IMAGES]
    middle = centre_crop(loaded[np.sort(typical)], geometry.image_size)
    resnet.check_agreement(network, arrays, pixels.normalise(middle[:COMPARED]))
    model = fake_quantisation.quantised(network, middle)
    _train(model, loaded, labels, config, progress)
    with quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tflite = fake_quantisation.to_tflite(model, geometry, heatmap, middle)
    check(tflite, "qat", heatmap)
    return tflite


def _loaded(images: np.ndarray, geometry: CropGeometry) -> np.ndarray:
    """Native crops as training loads them."""
    if not geometry.resizes:
        return images
    return np.stack([pixels.resized(image, geometry.load) for image in images])


def _train(
    model: tf_keras.Model,
    images: np.ndarray,
    labels: np.ndarray,
    config: QatConfig,
    progress: Progress,
) -> None:
    if config.epochs == 0:
        return
    side, steps = model.spec.input_shape[0], per_epoch(len(images), config.batch_size)
    rate = tf_keras.optimizers.schedules.CosineDecay(float(config.learning_rate), steps * config.epochs)
    loss = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(tf_keras.optimizers.Adam(rate), loss)
    seed = seeds.derive(config.seed, "batches")
    batches = augmented(images, labels, np.arange(len(images)), side, config.batch_size, seed)
    watch = _EpochWatch(config.epochs, progress)
    model.fit(
        feeding.without_tuning(batches),
        epochs=config.epochs,
        steps_per_epoch=steps,
        shuffle=False,
        callbacks=[watch],
        verbose=0,
    )
    for variable in model.trainable_variables:
        if not np.isfinite(variable.numpy()).all():
            raise Divergence(f"{variable.name} became infinite in the fine-tuning; lower its learning rate")
    fake_quantisation.set_known_ranges(model)


class _EpochWatch(tf_keras.callbacks.Callback):
    """Reports every epoch, and stops at a loss that is not finite."""

    def __init__(self, epochs: int, progress: Progress):
        super().__init__()
        self.epochs, self.progress = epochs, progress

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        if not math.isfinite(logs["loss"]):
            reason = f"the loss became {logs['loss']} in epoch {epoch + 1}"
            raise Divergence(f"{reason} of the fine-tuning; lower its learning rate")
        self.progress((epoch + 1) / self.epochs, f"epoch {epoch + 1}/{self.epochs}, loss {logs['loss']:.3f}")
