"""The stages of the protocol as a script in Keras has them that somebody writes in an afternoon.

A model of Keras' own layers is built, compiled and fitted anew for every stage, always at full width: what is pruned is
multiplied by zero. Sixteen images a step, a learning rate that falls when the loss no longer does, 30 epochs and 20 for
each round. Initial weights, batches and the number of filters that go are those of `wool_tf.training.methods`. Whether
TensorFlow uses oneDNN is left to it.
"""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import numpy as np
from keras import layers

from wool_tf.data.batches import augmented, centre_crop, per_epoch
from wool_tf.data.pixels import normalise
from wool_tf.networks import scoring
from wool_tf.networks import weights as network_weights
from wool_tf.networks.spec import Block, Convolution, ResNetSpec
from wool_tf.networks.unit_records import Result
from wool_tf.progress import Progress
from wool_tf.pruning.schedules import asymptotic
from wool_tf.training import methods
from wool_tf.training.config import TrainingConfig
from wool_tf.training.fold import Fold
from wool_tf.training.methods import TrainingStage

EPOCHS, FINETUNE_EPOCHS = 30, 20
BATCH = 16
LEARNING_RATE = 1e-3


def stages(settings: TrainingConfig) -> list[TrainingStage]:
    """The stages of a run, with epochs of their own; of the settings the size, the rates and the weights count."""
    found = []
    for stage in methods.stages(settings):
        if stage.name.startswith("asfp"):
            method, epochs = functools.partial(asfp, goal=float(stage.name.removeprefix("asfp")) / 100), EPOCHS
        else:
            method, epochs = (baseline, EPOCHS) if stage.after is None else (hard, FINETUNE_EPOCHS)
        found.append(dataclasses.replace(stage, method=method, epochs=epochs, consolidation=0))
    return found


def baseline(stage: TrainingStage, fold: Fold, settings: TrainingConfig, progress: Progress) -> Result:
    """Trains the unpruned network from the initial weights."""
    model = network(settings.initial_spec)
    network_weights.assign(model, methods.initial(fold, settings))
    return _fitted(model, stage, fold, settings, progress)


def hard(stage: TrainingStage, fold: Fold, settings: TrainingConfig, progress: Progress) -> Result:
    """One round: masks the filters with the smallest L1 norms until as many are left as the stage's spec has."""
    assert stage.after is not None, f"{stage.name}: a round continues another stage"
    model = network(settings.initial_spec)
    model.load_weights(_file(fold, stage.after))
    for conv in model.spec.convolutions():
        mask = model.get_layer(f"{conv.norm}.mask").mask
        norms = np.abs(model.get_layer(conv.name).kernel.numpy()).sum(axis=(0, 1, 2)) * mask.numpy()
        kept = np.argsort(norms)[-stage.spec.width(conv.writes) :]
        mask.assign(np.isin(np.arange(len(norms)), kept).astype(np.float32))
    return _fitted(model, stage, fold, settings, progress)


def asfp(stage: TrainingStage, fold: Fold, settings: TrainingConfig, progress: Progress, goal: float) -> Result:
    """One whole training with kernels zeroed after every epoch."""
    model = network(settings.initial_spec)
    network_weights.assign(model, methods.initial(fold, settings))

    def zero(epoch: int, _logs: Mapping) -> None:
        rate = asymptotic(epoch, stage.epochs, goal)
        for conv in model.spec.convolutions():
            kernel = model.get_layer(conv.name).kernel
            values = kernel.numpy()
            norms = np.sqrt((values**2).sum(axis=(0, 1, 2)))
            values[..., np.argsort(norms)[: int(len(norms) * rate)]] = 0
            kernel.assign(values)

    return _fitted(model, stage, fold, settings, progress, [keras.callbacks.LambdaCallback(on_epoch_end=zero)])


def network(spec: ResNetSpec) -> keras.Model:
    """A ResNet of basic blocks, with a mask behind every batch norm."""
    image = keras.Input(spec.input_shape)
    features = layers.ZeroPadding2D(1)(_unit(spec.stem, spec, image))
    features = layers.MaxPooling2D(3, 2)(features)
    for block in (block for stack in spec.stacks for block in stack):
        features = _block(block, spec, features)
    logits = layers.Dense(spec.classes, name="fc")(layers.GlobalAveragePooling2D()(features))
    model = keras.Model(image, logits)
    model.spec = spec
    return model


class Mask(layers.Layer):
    """Multiplies channels by one or zero."""

    def build(self, shape: Sequence[int]) -> None:
        self.mask = self.add_weight(shape=(shape[-1],), initializer="ones", trainable=False)

    def call(self, features: keras.KerasTensor) -> keras.KerasTensor:
        return features * self.mask


def _block(block: Block, spec: ResNetSpec, features: keras.KerasTensor) -> keras.KerasTensor:
    shortcut = _unit(block.projection, spec, features) if block.projection else features
    for conv in block.convolutions:
        features = _unit(conv, spec, features)
    return layers.ReLU()(layers.Add()([features, shortcut]))


def _unit(conv: Convolution, spec: ResNetSpec, features: keras.KerasTensor) -> keras.KerasTensor:
    features = layers.ZeroPadding2D(conv.kernel // 2)(features)
    features = layers.Conv2D(spec.width(conv.writes), conv.kernel, conv.stride, use_bias=False, name=conv.name)(
        features
    )
    features = layers.BatchNormalization(epsilon=1e-5, momentum=0.9, name=conv.norm)(features)
    features = Mask(name=f"{conv.norm}.mask")(features)
    return layers.ReLU()(features) if conv.relu else features


def _fitted(
    model: keras.Model,
    stage: TrainingStage,
    fold: Fold,
    settings: TrainingConfig,
    progress: Progress,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> Result:
    """Trains a model, saves it, and returns what a record of ours says of the held-out images."""
    images, labels, side = fold.dataset.images, fold.dataset.labels, settings.image_size
    model.compile(
        optimizer=keras.optimizers.Adam(LEARNING_RATE),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    falling = keras.callbacks.ReduceLROnPlateau(monitor="loss", factor=0.3, patience=3)
    told = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, _logs: progress((epoch + 1) / stage.epochs, ""))
    model.fit(
        augmented(images, labels, fold.train, side, BATCH, fold.seed(settings, stage.name)),
        epochs=stage.epochs,
        steps_per_epoch=per_epoch(len(fold.train), BATCH),
        shuffle=False,
        callbacks=[falling, *callbacks, told],
        verbose=0,
    )
    model.save_weights(_file(fold, stage.name))
    logits = keras.ops.convert_to_numpy(model(normalise(centre_crop(images[fold.held_out], side)), training=False))
    return methods.result(stage.name, fold, fold.seed(settings, stage.name), scoring.probabilities(logits))


def _file(fold: Fold, stage: str) -> Path:
    fold.folder.mkdir(parents=True, exist_ok=True)
    return fold.folder / f"{stage}.weights.h5"
