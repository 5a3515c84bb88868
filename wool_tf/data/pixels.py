"""From 8-bit grey pixels to what a network reads."""

import numpy as np
from PIL import Image

from wool_board.image.decoding import lanczos

MEAN = 115 / 255
STD = 0.226
"""The averages over the channels of ImageNet's usual (0.485, 0.456, 0.406) and (0.229, 0.224, 0.225). The mean is
moved to a multiple of 1/255, so that in an int8 model the zero point of the input is a whole number: the
normalisation is then exactly the input's scale, and the padding of the first convolution exactly that zero point."""


def load_size(image_size: int) -> int:
    """Side in pixels at which crops are loaded for a network that reads image_size² of them: 244 for 224.

    As in the paper; training takes random crops of what is loaded, and everything else its middle.
    """
    return round(image_size * 244 / 224)


def resized(image: np.ndarray, side: int) -> np.ndarray:
    """A grey image (height, width) of uint8 as (side, side) of uint8, see `decoding.lanczos`."""
    return np.asarray(lanczos(Image.fromarray(image), (side, side)))


def middle(side: int, image_size: int) -> slice:
    """The rows, or columns, of an image of `side` of them that a network of `image_size` looks at."""
    first = (side - image_size) // 2
    return slice(first, first + image_size)


def normalise(images: np.ndarray) -> np.ndarray:
    """Grey images as a network with one input channel reads them.

    Arguments:
        images: (..., height, width) of uint8, 0 to 255.

    Returns:
        (..., height, width, 1) of float32.
    """
    return ((images[..., np.newaxis] / np.float32(255) - np.float32(MEAN)) / np.float32(STD)).astype(np.float32)
