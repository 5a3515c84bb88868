"""What a file of the matrix is, and how samples become the grey that is shown."""

import dataclasses

import numpy as np

SHAPE = (50, 49)
"""Square to within 2 %, so that it may be a crop, and oblong, so that turning it shows; no multiple of a tile."""


@dataclasses.dataclass(frozen=True)
class Case:
    """A file, and what is right.

    Attributes:
        group: what it is, for the table.
        name: of the file, with its suffix; unique.
        content: of the file.
        shown: (height, width) of uint8, what it shows as grey, upright; None where that has no one meaning.
        counts: (height, width) of uint8 or uint16, the samples as they are stored; None where they are no counts.
        crop, scan: whether it is on the list of what is read.
    """

    group: str
    name: str
    content: bytes
    shown: np.ndarray | None
    counts: np.ndarray | None = None
    crop: bool = False
    scan: bool = False


def picture(top: int, seed: int = 0, channels: int = 0) -> np.ndarray:
    """(height, width) or with channels behind it, of uint16: edges, a ramp and noise, of the whole range 0 to top."""
    rng = np.random.default_rng(seed)
    shape = (*SHAPE, channels) if channels else SHAPE
    ramp = np.linspace(0, 0.8, SHAPE[0] * SHAPE[1]).reshape(*SHAPE, *[1] * bool(channels))
    values = ramp + rng.uniform(0, 0.2, shape)
    values[5:20, 30:40] = 0
    values[35:, :6] = 1
    return np.rint(values * top).clip(0, top).astype(np.uint16)


def grey(samples: np.ndarray, top: int) -> np.ndarray:
    """Samples from 0 to top as 8-bit grey, rounded to nearest."""
    return np.rint(samples.astype(np.float64) * 255 / top).astype(np.uint8)


def luma(colours: np.ndarray) -> np.ndarray:
    """(..., 3) of 8 bits as grey: ITU-R 601-2, in fixed point with 16 bits behind the point, rounded."""
    weights = np.array([19595, 38470, 7471])
    return ((colours[..., :3].astype(np.int64) @ weights + 2**15) >> 16).astype(np.uint8)


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Pixels as an orientation of TIFF and Exif has them shown."""
    turned = {
        2: pixels[:, ::-1],
        3: pixels[::-1, ::-1],
        4: pixels[::-1],
        5: pixels.T,
        6: pixels[::-1].T,
        7: pixels[::-1, ::-1].T,
        8: pixels[:, ::-1].T,
    }
    return turned.get(orientation, pixels)
