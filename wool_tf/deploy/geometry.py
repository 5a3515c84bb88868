"""From a native crop to the pixels that the network reads, as a matrix.

Networks are trained on crops that Pillow resized (`decoding.lanczos`) to `pixels.load_size`, and judge their middle;
crops of the very size that the network reads are no exception. Resampling is linear and separable: along each axis it
is one matrix, which a board model multiplies by, so no program on a board resizes.
"""

import dataclasses

import numpy as np
from PIL import Image

from wool_board.image.decoding import lanczos
from wool_tf.data import pixels
from wool_tf.errors import WoolError
from wool_tf.networks.spec import ResNetSpec

INT8_STEPS = 127
"""Whole numbers on each side of zero that the converter gives to 8-bit weights."""
FLOAT16_STEPS = 2048
"""Half-precision floats hold all multiples of 1/2048 up to 1, and every other one up to 2."""


@dataclasses.dataclass(frozen=True)
class CropGeometry:
    """Native crops and the network's input.

    Attributes:
        side: height and width in pixels of the native crop.
        image_size: height and width in pixels of what the network reads: the middle of the crop after it was resized to
            `load`.
    """

    side: int
    image_size: int

    @classmethod
    def of(cls, spec: ResNetSpec, side: int | None, heatmap: bool) -> "CropGeometry":
        """That of a board model.

        Arguments:
            spec: of its network.
            side: of native crops in pixels; None: what training resizes them to.
            heatmap: whether the model is to say where it saw what it judged by.

        Raises:
            WoolError: a board model cannot be made of such a network.
        """
        height, width, channels = spec.input_shape
        if (height, channels) != (width, 1):
            rule = "a board model reads square crops of 1 grey channel"
            raise WoolError(f"input_shape: {rule}, got {tuple(spec.input_shape)}")
        if heatmap and spec.classes != 2:
            raise WoolError(f"heatmap: shows the margin between 2 classes, got a network with {spec.classes}")
        if side is not None and side < 1:
            raise WoolError(f"side: native crops have at least 1 pixel, got {side}")
        return cls(pixels.load_size(height) if side is None else side, height)

    @property
    def load(self) -> int:
        """Side in pixels to which crops are resized before their middle is taken."""
        return pixels.load_size(self.image_size)

    @property
    def resizes(self) -> bool:
        return self.side != self.load

    @property
    def middle(self) -> slice:
        """Rows and columns of the resized crop that the network reads."""
        return pixels.middle(self.load, self.image_size)

    @property
    def margin(self) -> float:
        """Width in native pixels of the border of a crop, on each side, that the network does not see."""
        return (self.side - self.side * self.image_size / self.load) / 2

    def matrix(self) -> np.ndarray:
        """(image_size, side) of float32: what of each native pixel goes into each one that the network reads.

        Every row sums to 1.
        """
        # In mode "F" nothing is rounded, and Pillow leaves the axis alone that keeps its size.
        identity = Image.fromarray(np.eye(self.side, dtype=np.float32))
        return np.asarray(lanczos(identity, (self.load, self.side))).T[self.middle].copy()

    def matrix_of_steps(self) -> np.ndarray:
        """The matrix that an 8-bit one stands for exactly: rows of whole numbers, over their sum.

        Rounded by the converter, the rows would not quite sum to 1, and flat grey would come out striped. These rows it
        finds again as they are, since it scales the greatest number of a row to `INT8_STEPS`.
        """
        matrix = self.matrix().astype(np.float64)
        whole = np.round(matrix / matrix.max(axis=1, keepdims=True) * INT8_STEPS)
        return (whole / whole.sum(axis=1, keepdims=True)).astype(np.float32)

    def matrix_of_halves(self) -> np.ndarray:
        """The matrix that half-precision floats hold exactly; its rows, too, sum to 1."""
        matrix = self.matrix()
        # Where images grow, the greatest number of a row can be a little over 1.
        steps = np.where(matrix.max(axis=1) < 0.9, FLOAT16_STEPS, FLOAT16_STEPS // 2).astype(np.float32)
        whole = np.round(matrix * steps[:, np.newaxis])
        whole[np.arange(len(whole)), whole.argmax(axis=1)] += steps - whole.sum(axis=1)
        return whole / steps[:, np.newaxis]
