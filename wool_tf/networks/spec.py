"""A network is its widths.

Structured pruning changes nothing but the number of channels of each convolution, so a depth and one width per
*channel group* describe every network that can occur here. A channel group is a set of channels that must be kept or
removed together:

- the *trunk* of a stack of blocks, the residual stream that every block of the stack adds to (`layer1` to `layer4`);
- the output of each *inner* convolution of a block, read by the next convolution alone (`layer2.0.conv1`);
- the output of the stem (`conv1`). In the basic-block networks (18, 34) the first block adds the stem's output to its
  own, so there the stem belongs to the trunk `layer1` and is no group of its own.

Names of convolutions and batch norms are torchvision's, so weights map one to one.
"""

import dataclasses
import json
from collections.abc import Iterator, Mapping
from functools import cached_property

from wool_board.json_text import parsed
from wool_tf.errors import WoolError

BLOCKS_PER_STACK = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}
"""Blocks in each of the four stacks, by depth (He et al. 2016, table 1)."""

DEPTHS = tuple(BLOCKS_PER_STACK)
STACK_WIDTHS = (64, 128, 256, 512)
STEM = "conv1"
STEM_WIDTH = 64
BOTTLENECK_EXPANSION = 4
REDUCTION = 32
"""How many times smaller than the input the last feature map is, along each side."""


@dataclasses.dataclass(frozen=True)
class Convolution:
    """One convolution of a network and the batch norm that follows it.

    Attributes:
        name: torchvision's name of the convolution, `layer1.0.conv1`.
        norm: torchvision's name of its batch norm, `layer1.0.bn1`.
        reads: channel group of its input; `input` for the stem.
        writes: channel group of its output.
        kernel: side of the square kernel.
        stride: step along both axes.
        stack: 0 for the stem, then 1 to 4.
        relu: whether a ReLU follows the batch norm directly. Convolutions that add to the trunk have theirs after
            the addition.
    """

    name: str
    norm: str
    reads: str
    writes: str
    kernel: int
    stride: int
    stack: int
    relu: bool


@dataclasses.dataclass(frozen=True)
class Block:
    """One residual block: its inner convolutions in order, ending with the one that adds to the trunk.

    Attributes:
        name: torchvision's name, `layer1.0`.
        convolutions: two for a basic block, three for a bottleneck.
        projection: the 1×1 convolution of the shortcut, or None where the shortcut is the identity.
    """

    name: str
    convolutions: tuple[Convolution, ...]
    projection: Convolution | None


@dataclasses.dataclass(frozen=True)
class ResNetSpec:
    """Depth, widths, classes and input shape of a ResNet, whole or pruned.

    Arguments:
        depth: int. One of 18, 34, 50, 101, 152.
        widths: tuple of int. Channels of each group, in the order of `groups(depth)`; `ResNetSpec.full` gives the
            unpruned ones.
        classes: int. Outputs of the head, at least 1.
        input_shape: (height, width, channels) in pixels; height and width at least 32, channels 1 or 3.

    Raises:
        WoolError: a value breaks its rule.

    >>> spec = ResNetSpec.full(18, classes=2, input_shape=(224, 224, 1))
    >>> spec.width("layer4"), spec.width("layer4.1.conv1")
    (512, 512)
    >>> spec.resized({"layer4.1.conv1": 100}).width("layer4.1.conv1")
    100
    """

    depth: int
    widths: tuple[int, ...]
    classes: int
    input_shape: tuple[int, int, int]

    def __post_init__(self) -> None:
        check_depth(self.depth)
        object.__setattr__(self, "widths", tuple(int(width) for width in self.widths))
        object.__setattr__(self, "input_shape", tuple(int(side) for side in self.input_shape))
        names = groups(self.depth)
        if len(self.widths) != len(names):
            raise WoolError(
                f"widths: ResNet-{self.depth} has {len(names)} channel groups, but {len(self.widths)} widths were given"
            )
        for name, width in zip(names, self.widths, strict=True):
            if width < 1:
                raise WoolError(f"widths: {name} must keep at least 1 channel, got {width}")
        if self.classes < 1:
            raise WoolError(f"classes: must be at least 1, got {self.classes}")
        if len(self.input_shape) != 3 or self.input_shape[2] not in (1, 3):
            raise WoolError(f"input_shape: must be (height, width, 1 or 3), got {self.input_shape}")
        if min(self.input_shape[:2]) < REDUCTION:
            raise WoolError(f"input_shape: height and width must be at least {REDUCTION}, got {self.input_shape}")

    @classmethod
    def full(cls, depth: int, classes: int, input_shape: tuple[int, int, int]) -> "ResNetSpec":
        """The unpruned network of a depth."""
        check_depth(depth)
        return cls(depth, tuple(_full_widths(depth).values()), classes, input_shape)

    @cached_property
    def _width_of(self) -> dict[str, int]:
        return dict(zip(groups(self.depth), self.widths, strict=True))

    def width(self, group: str) -> int:
        """Channels of a group; `input` is the image itself."""
        return self.input_shape[2] if group == "input" else self._width_of[group]

    def by_group(self) -> dict[str, int]:
        """Channels of every group, by name, in order."""
        return dict(self._width_of)

    def resized(self, widths: Mapping[str, int]) -> "ResNetSpec":
        """This network with other widths for the groups named."""
        unknown = set(widths) - set(self._width_of)
        if unknown:
            raise WoolError(f"widths: ResNet-{self.depth} has no channel group {sorted(unknown)[0]!r}")
        return dataclasses.replace(self, widths=tuple({**self._width_of, **widths}.values()))

    @property
    def stem(self) -> Convolution:
        return _stem(self.depth)

    @property
    def stacks(self) -> tuple[tuple[Block, ...], ...]:
        """The blocks of each of the four stacks."""
        return tuple(tuple(_blocks(self.depth, stack)) for stack in range(1, 5))

    def convolutions(self) -> Iterator[Convolution]:
        """Every convolution, from the image to the head; a block's projection comes after its own."""
        yield self.stem
        for stack in self.stacks:
            for block in stack:
                yield from block.convolutions
                if block.projection:
                    yield block.projection

    def to_json(self) -> str:
        """A JSON object that `from_json` turns back into an equal spec."""
        return json.dumps(self.get_config())

    @classmethod
    def from_json(cls, text: str) -> "ResNetSpec":
        """The spec that `to_json` wrote.

        Raises:
            WoolError: the text is not such an object.
        """
        try:
            config = parsed(text)
        except ValueError as error:
            raise WoolError(f"spec: not JSON ({error})") from None
        return cls.from_config(config)

    def get_config(self) -> dict:
        """A plain dictionary of the constructor's arguments, the widths by group name."""
        return {
            "depth": self.depth,
            "widths": self.by_group(),
            "classes": self.classes,
            "input_shape": list(self.input_shape),
        }

    @classmethod
    def from_config(cls, config: Mapping) -> "ResNetSpec":
        """The spec of which `get_config` gave the dictionary.

        Raises:
            WoolError: keys or groups are missing or unknown.
        """
        fields = {field.name for field in dataclasses.fields(cls)}
        if not isinstance(config, Mapping) or set(config) != fields:
            raise WoolError(f"spec: needs exactly the keys {sorted(fields)}, got {config!r}")
        check_depth(config["depth"])
        names, widths = groups(config["depth"]), config["widths"]
        if not isinstance(widths, Mapping) or set(widths) != set(names):
            raise WoolError(f"spec: widths of ResNet-{config['depth']} must name the groups {', '.join(names)}")
        numbers = [*widths.values(), config["classes"], *_sequence(config["input_shape"])]
        if not all(isinstance(number, int) for number in numbers):
            raise WoolError("spec: widths, classes and input_shape must be whole numbers")
        ordered = tuple(widths[name] for name in names)
        return cls(config["depth"], ordered, config["classes"], tuple(_sequence(config["input_shape"])))


def check_depth(depth: int) -> None:
    """Raises WoolError unless the depth is one of the five."""
    if not isinstance(depth, int) or depth not in BLOCKS_PER_STACK:
        raise WoolError(f"depth: must be one of {', '.join(map(str, DEPTHS))}, got {depth!r}")


def is_bottleneck(depth: int) -> bool:
    """Whether the blocks are bottlenecks (50 and deeper) rather than pairs of 3×3."""
    return depth >= 50


def groups(depth: int) -> tuple[str, ...]:
    """Names of the channel groups of a depth, in the order of the network."""
    return tuple(_full_widths(depth))


def trunk(stack: int) -> str:
    """Name of the trunk of a stack, 1 to 4."""
    return f"layer{stack}"


def _sequence(value: object) -> list:
    return list(value) if isinstance(value, list | tuple) else [value]


def _full_widths(depth: int) -> dict[str, int]:
    expansion = BOTTLENECK_EXPANSION if is_bottleneck(depth) else 1
    widths = {STEM: STEM_WIDTH} if is_bottleneck(depth) else {}
    for stack, width in enumerate(STACK_WIDTHS, start=1):
        widths[trunk(stack)] = width * expansion
        for block in _blocks(depth, stack):
            widths |= {conv.writes: width for conv in block.convolutions[:-1]}
    return widths


def _stem(depth: int) -> Convolution:
    writes = STEM if is_bottleneck(depth) else trunk(1)
    return Convolution(STEM, "bn1", "input", writes, kernel=7, stride=2, stack=0, relu=True)


def _blocks(depth: int, stack: int) -> Iterator[Block]:
    for index in range(BLOCKS_PER_STACK[depth][stack - 1]):
        reads = trunk(stack)
        if index == 0:
            reads = trunk(stack - 1) if stack > 1 else _stem(depth).writes
        # torchvision's v1.5: a bottleneck strides on its 3×3, not on its first 1×1.
        stride = 2 if index == 0 and stack > 1 else 1
        kernels, strides = ((1, 3, 1), (1, stride, 1)) if is_bottleneck(depth) else ((3, 3), (stride, 1))
        yield _block(stack, index, reads, kernels, strides, projects=reads != trunk(stack))


def _block(
    stack: int, index: int, reads: str, kernels: tuple[int, ...], strides: tuple[int, ...], projects: bool
) -> Block:
    name = f"layer{stack}.{index}"
    convolutions, source = [], reads
    for number, (kernel, stride) in enumerate(zip(kernels, strides, strict=True), start=1):
        last = number == len(kernels)
        writes = trunk(stack) if last else f"{name}.conv{number}"
        convolutions.append(
            Convolution(f"{name}.conv{number}", f"{name}.bn{number}", source, writes, kernel, stride, stack, not last)
        )
        source = writes
    projection = None
    if projects:
        projection = Convolution(
            f"{name}.downsample.0", f"{name}.downsample.1", reads, trunk(stack), 1, max(strides), stack, False
        )
    return Block(name, tuple(convolutions), projection)
