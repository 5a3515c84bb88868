"""Builds the Keras model of a `ResNetSpec`; numerically torchvision's ResNet (v1.5).

Deep Residual Learning for Image Recognition, He et al. 2016, https://arxiv.org/abs/1512.03385.
"""

from collections.abc import Mapping

import keras
import numpy as np

from wool_tf.networks import weights as network_weights
from wool_tf.networks.batch_norm import BatchNormalization
from wool_tf.networks.spec import Block, Convolution, ResNetSpec


@keras.saving.register_keras_serializable("wool_tf")
class ResNet(keras.Model):
    """A residual network with the widths of its spec; gives logits.

    Reads normalised images (`wool_tf.data.pixels`) of shape (batch, height, width, channels) and returns logits of
    shape (batch, classes). Layers carry torchvision's names: `layer2.0.conv1`, `layer2.0.bn1`,
    `layer2.0.downsample.0`, `fc`.

    Arguments:
        spec: ResNetSpec, or the dictionary of one.

    >>> ResNet(ResNetSpec.full(18, classes=2, input_shape=(64, 64, 1))).count_params()
    11180866
    """

    def __init__(self, spec: ResNetSpec | Mapping, **kwargs: object):
        if not isinstance(spec, ResNetSpec):
            spec = ResNetSpec.from_config(spec)
        image = keras.Input(spec.input_shape, name="image")
        super().__init__(inputs=image, outputs=self._logits(spec, image), **kwargs)
        self.spec = spec

    def get_config(self) -> dict:
        return {"spec": self.spec.get_config(), "name": self.name, "trainable": self.trainable}

    @classmethod
    def from_config(cls, config: dict, custom_objects: Mapping | None = None) -> "ResNet":
        return cls(**config)

    @classmethod
    def after_norm(cls, conv: Convolution, spec: ResNetSpec, features: keras.KerasTensor) -> keras.KerasTensor:
        """What happens to the features between a batch norm and what follows it: nothing, here."""
        return features

    @classmethod
    def _logits(cls, spec: ResNetSpec, image: keras.KerasTensor) -> keras.KerasTensor:
        features = cls._unit(spec.stem, spec, image)
        # Zeros pad as well as minus infinity does, since a ReLU went before.
        features = keras.layers.ZeroPadding2D(1, name="maxpool.pad")(features)
        features = keras.layers.MaxPooling2D(3, 2, name="maxpool")(features)
        for stack in spec.stacks:
            for block in stack:
                features = cls._block(block, spec, features)
        features = keras.layers.GlobalAveragePooling2D(name="avgpool")(features)
        return keras.layers.Dense(spec.classes, name="fc")(features)

    @classmethod
    def _block(cls, block: Block, spec: ResNetSpec, features: keras.KerasTensor) -> keras.KerasTensor:
        shortcut = cls._unit(block.projection, spec, features) if block.projection else features
        for conv in block.convolutions:
            features = cls._unit(conv, spec, features)
        features = keras.layers.Add(name=f"{block.name}.add")([features, shortcut])
        return keras.layers.ReLU(name=f"{block.name}.relu")(features)

    @classmethod
    def _unit(cls, conv: Convolution, spec: ResNetSpec, features: keras.KerasTensor) -> keras.KerasTensor:
        padding = "same" if conv.kernel > 1 else "valid"
        if conv.kernel > 1 and conv.stride > 1:
            # With a stride, Keras' "same" pads the far side only; PyTorch pads both.
            features = keras.layers.ZeroPadding2D(conv.kernel // 2, name=f"{conv.name}.pad")(features)
            padding = "valid"
        features = keras.layers.Conv2D(
            spec.width(conv.writes), conv.kernel, conv.stride, padding, use_bias=False, name=conv.name
        )(features)
        features = BatchNormalization(name=conv.norm)(features)
        features = cls.after_norm(conv, spec, features)
        return keras.layers.ReLU(name=f"{conv.norm}.relu")(features) if conv.relu else features


def restored(spec: ResNetSpec, weights: Mapping[str, np.ndarray]) -> ResNet:
    """The network of a spec with these weights."""
    model = ResNet(spec)
    network_weights.assign(model, weights)
    return model
