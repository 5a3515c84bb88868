"""Parameters and operations of a network: arithmetic on its spec, no model is built.

The counting rules are those under which Table III of the paper is met to the digit: parameters are the trainable
ones (batch norm counts its scale and shift, not its running statistics); an operation is one multiply-accumulate of a
convolution or the head, 2 per element for a batch norm, 1 per element for a ReLU, and 1 per input element of a pool.
Additions of the shortcuts and the masks of a masked network count nothing.
"""

import dataclasses
from collections.abc import Iterator

from wool_tf.networks.spec import Convolution, ResNetSpec, trunk
from wool_tf.networks.weights import HEAD


@dataclasses.dataclass(frozen=True)
class LayerCost:
    """What one layer costs for one image.

    Attributes:
        name: torchvision's name; pools are `maxpool` and `avgpool`.
        output: (height, width, channels) that it writes.
        parameters: trainable values.
        macs: multiply-accumulates; zero but for convolutions and the head.
        operations: `macs` plus what the batch norm, the ReLUs and the pool count.
    """

    name: str
    output: tuple[int, int, int]
    parameters: int
    macs: int
    operations: int


def layers(spec: ResNetSpec) -> Iterator[LayerCost]:
    """The cost of every convolution (with its batch norm and ReLU), pool and head, in order.

    The ReLU after an addition is counted with the block's last convolution.
    """
    size = spec.input_shape[:2]
    stem = _convolution(spec, spec.stem, size)
    yield stem
    yield _pool("maxpool", stem.output, output=(*_halved(*stem.output[:2]), stem.output[2]))
    size = _halved(*stem.output[:2])
    for stack in spec.stacks:
        for block in stack:
            entered = size
            for conv in block.convolutions:
                cost = _convolution(spec, conv, size, trunk_relu=conv is block.convolutions[-1])
                yield cost
                size = cost.output[:2]
            if block.projection:
                yield _convolution(spec, block.projection, entered)
    features = spec.width(trunk(4))
    yield _pool("avgpool", (*size, features), output=(1, 1, features))
    macs_of_head = features * spec.classes
    yield LayerCost(HEAD, (1, 1, spec.classes), macs_of_head + spec.classes, macs_of_head, macs_of_head)


def parameters(spec: ResNetSpec) -> int:
    """Trainable parameters."""
    return sum(cost.parameters for cost in layers(spec))


def macs(spec: ResNetSpec) -> int:
    """Multiply-accumulates of the convolutions and the head, for one image."""
    return sum(cost.macs for cost in layers(spec))


def operations(spec: ResNetSpec) -> int:
    """Operations for one image, counted as the paper's Table III does ("FLOPs")."""
    return sum(cost.operations for cost in layers(spec))


def _convolution(spec: ResNetSpec, conv: Convolution, size: tuple[int, int], trunk_relu: bool = False) -> LayerCost:
    reads, writes = spec.width(conv.reads), spec.width(conv.writes)
    height, width = _halved(*size) if conv.stride == 2 else size
    weights = conv.kernel**2 * reads * writes
    multiplies = weights * height * width
    elementwise = (2 + (conv.relu or trunk_relu)) * height * width * writes
    return LayerCost(conv.name, (height, width, writes), weights + 2 * writes, multiplies, multiplies + elementwise)


def _pool(name: str, entered: tuple[int, int, int], output: tuple[int, int, int]) -> LayerCost:
    height, width, channels = entered
    return LayerCost(name, output, 0, 0, height * width * channels)


def _halved(height: int, width: int) -> tuple[int, int]:
    """Every strided layer here pads by half its kernel, so it keeps the odd side's middle: ⌈side / 2⌉."""
    return (height + 1) // 2, (width + 1) // 2
