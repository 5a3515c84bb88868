"""Pruning without changing shapes: masks behind the batch norms (hard), zeroed kernels (soft)."""

import keras
import numpy as np
from keras import ops

from wool_tf.errors import WoolError
from wool_tf.networks import weights as network_weights
from wool_tf.networks.resnet import ResNet
from wool_tf.networks.spec import Convolution, ResNetSpec
from wool_tf.pruning.plan import Plan


@keras.saving.register_keras_serializable("wool_tf")
class ChannelMask(keras.layers.Layer):
    """Multiplies every channel by 0 or 1; ones at first.

    It stands behind the batch norm. A filter that is merely zeroed still lets its batch norm emit β − γ·μ/σ, which the
    zero padding of the next convolution cuts off at the borders, so it could not be moved into a bias either. Behind
    the batch norm, a masked channel is zero everywhere: to everything that reads it, it is as good as removed.

    Pruning by masks is hard: the masked filter, the scale and shift of its batch norm, and the weights that read it
    get gradients of exactly zero. Momentum and weight decay may still move them, but the channel stays zero.
    """

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.mask = self.add_weight(shape=(input_shape[-1],), initializer="ones", trainable=False, name="mask")

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        return ops.multiply(inputs, self.mask)


@keras.saving.register_keras_serializable("wool_tf")
class MaskedResNet(ResNet):
    """A `ResNet` with a `ChannelMask` behind every batch norm, named after it: `layer1.0.bn1.mask`.

    All convolutions that write to a trunk are masked alike, so the sums of the trunk are masked too.
    """

    @classmethod
    def after_norm(cls, conv: Convolution, spec: ResNetSpec, features: keras.KerasTensor) -> keras.KerasTensor:
        return ChannelMask(name=f"{conv.norm}.mask")(features)

    def masks(self) -> dict[str, ChannelMask]:
        """The mask behind every convolution, by the convolution's name."""
        return {conv.name: self.get_layer(f"{conv.norm}.mask") for conv in self.spec.convolutions()}

    def apply(self, plan: Plan) -> None:
        """Masks the channels that the plan removes, and only those. Stays until the next call."""
        masks = self.masks()
        for conv in self.spec.convolutions():
            masks[conv.name].mask.assign(plan.mask(conv.writes))

    @property
    def plan(self) -> Plan:
        """The Plan that the masks show: everything stays, at first.

        Raises:
            WoolError: convolutions that write to one trunk are masked differently.
        """
        masks = self.masks()
        kept: dict[str, np.ndarray] = {}
        for conv in self.spec.convolutions():
            indices = np.flatnonzero(ops.convert_to_numpy(masks[conv.name].mask))
            if not np.array_equal(indices, kept.setdefault(conv.writes, indices)):
                raise WoolError(f"masks: {conv.name} is masked otherwise than what else writes to {conv.writes}")
        return Plan(self.spec, {group: kept[group] for group in self.spec.by_group()})


def masked(model: ResNet) -> MaskedResNet:
    """A copy of a network with masks, none of which masks anything yet; it has to be compiled.

    Raises:
        WoolError: the model is no `ResNet`, or has masks already.
    """
    if not isinstance(model, ResNet) or isinstance(model, MaskedResNet):
        raise WoolError(f"model: must be a ResNet without masks, got a {type(model).__name__}")
    copy = MaskedResNet(model.spec)
    network_weights.assign(copy, network_weights.read(model))
    return copy


def zero_filters(model: ResNet, plan: Plan) -> None:
    """Soft pruning: zeroes the kernels of the filters that the plan removes, and leaves them free to grow back.

    The kernel alone, as published (He et al. 2019, section III-B); batch norms stay as they are. The next step moves
    the kernel by its gradient, and by what the optimizer remembers of earlier ones. In training the channel is then
    its batch norm's shift β, so that it gets a gradient through a ReLU where β > 0. With a shift of zero as well it
    never would, and the filter could hardly ever grow back.

    The batch norm of a zeroed filter goes on emitting a constant, so the network is not yet the one that is left
    without these channels: mask them (`MaskedResNet.apply`) before they are removed.

    Arguments:
        model: `ResNet`, changed in place; its widths are those of the plan's spec.
        plan: Plan.
    """
    for conv in model.spec.convolutions():
        kernel = model.get_layer(conv.name).kernel
        kernel.assign(ops.multiply(kernel, plan.mask(conv.writes)))
