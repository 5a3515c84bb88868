"""Pruning without changing shapes: masks behind the batch norms (hard), zeroed filters (soft)."""

import keras
from keras import ops

from wool_tf.networks.resnet import ResNet
from wool_tf.networks.spec import Convolution, ResNetSpec
from wool_tf.pruning.plan import Plan


@keras.saving.register_keras_serializable("wool_tf")
class ChannelMask(keras.layers.Layer):
    """Multiplies every channel by 0 or 1; ones at first.

    It stands behind the batch norm. A filter that is merely zeroed still lets its batch norm emit β − γ·μ/σ, which the
    zero padding of the next convolution cuts off at the borders, so it could not be moved into a bias either. Behind
    the batch norm, a masked channel is zero everywhere: to everything that reads it, it is as good as removed. It
    gets no gradient, so a masked filter does not come back.
    """

    def build(self, input_shape):
        self.mask = self.add_weight(shape=(input_shape[-1],), initializer="ones", trainable=False, name="mask")

    def call(self, inputs):
        return ops.multiply(inputs, self.mask)


@keras.saving.register_keras_serializable("wool_tf")
class MaskedResNet(ResNet):
    """A `ResNet` with a `ChannelMask` behind every batch norm, named after it: `layer1.0.bn1.mask`.

    All convolutions that write to a trunk are masked alike, so the sums of the trunk are masked too.
    """

    @classmethod
    def after_norm(cls, conv: Convolution, spec: ResNetSpec, features):
        return ChannelMask(name=f"{conv.norm}.mask")(features)

    def apply(self, plan: Plan) -> None:
        """Masks the channels that the plan removes, and only those. Stays until the next call."""
        for conv in self.spec.convolutions():
            self.get_layer(f"{conv.norm}.mask").mask.assign(plan.mask(conv.writes))


def zero_filters(model: ResNet, plan: Plan) -> None:
    """Soft pruning: zeroes the kernels of the filters that the plan removes, and leaves them free to grow back.

    Kernels alone (He et al. 2019, section III-B, and their published code): the batch norm goes on emitting its
    constant, so that the ReLU behind it passes gradients and the filter grows back in the next epoch. With the shift
    zeroed as well the ReLU is closed, and what is pruned first hardly ever returns: that is hard pruning under another
    name.

    Arguments:
        model: `ResNet`, changed in place; its widths are those of the plan's spec.
        plan: Plan.
    """
    for conv in model.spec.convolutions():
        kernel = model.get_layer(conv.name).kernel
        kernel.assign(ops.multiply(kernel, plan.mask(conv.writes)))
