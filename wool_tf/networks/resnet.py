"""Builds the Keras model of a `ResNetSpec`; numerically torchvision's ResNet (v1.5).

Deep Residual Learning for Image Recognition, He et al. 2016, https://arxiv.org/abs/1512.03385.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

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
        builder = GraphBuilder(spec, keras.layers, BatchNormalization, self.after_norm)
        super().__init__(inputs=image, outputs=builder.logits(image), **kwargs)
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


@dataclasses.dataclass(frozen=True)
class GraphBuilder:
    """Connects the layers of a network, of Keras or of tf_keras.

    Attributes:
        spec: of the network.
        layers: the module that has them, `keras.layers`.
        norm: makes a batch norm of a name.
        after_norm: see `ResNet.after_norm`.
    """

    spec: ResNetSpec
    layers: Any
    norm: Callable[..., Any]
    after_norm: Callable[[Convolution, ResNetSpec, Any], Any]

    def logits(self, image: Any) -> Any:
        """(batch, classes), of the tensor of normalised images."""
        features = self._unit(self.spec.stem, image)
        # Zeros pad as well as minus infinity does, since a ReLU went before.
        features = self.layers.ZeroPadding2D(1, name="maxpool.pad")(features)
        features = self.layers.MaxPooling2D(3, 2, name="maxpool")(features)
        for stack in self.spec.stacks:
            for block in stack:
                features = self._block(block, features)
        features = self.layers.GlobalAveragePooling2D(name="avgpool")(features)
        return self.layers.Dense(self.spec.classes, name=network_weights.HEAD)(features)

    def _block(self, block: Block, features: Any) -> Any:
        shortcut = self._unit(block.projection, features) if block.projection else features
        for conv in block.convolutions:
            features = self._unit(conv, features)
        features = self.layers.Add(name=f"{block.name}.add")([features, shortcut])
        return self.layers.ReLU(name=f"{block.name}.relu")(features)

    def _unit(self, conv: Convolution, features: Any) -> Any:
        padding = "same" if conv.kernel > 1 else "valid"
        if conv.kernel > 1 and conv.stride > 1:
            # With a stride, Keras' "same" pads the far side only; PyTorch pads both.
            features = self.layers.ZeroPadding2D(conv.kernel // 2, name=f"{conv.name}.pad")(features)
            padding = "valid"
        width = self.spec.width(conv.writes)
        features = self.layers.Conv2D(width, conv.kernel, conv.stride, padding, use_bias=False, name=conv.name)(
            features
        )
        features = self.after_norm(conv, self.spec, self.norm(name=conv.norm)(features))
        return self.layers.ReLU(name=f"{conv.norm}.relu")(features) if conv.relu else features


def restored(spec: ResNetSpec, weights: Mapping[str, np.ndarray]) -> ResNet:
    """The network of a spec with these weights."""
    model = ResNet(spec)
    network_weights.assign(model, weights)
    return model
