"""Arrays of images on disk: memory-mapped when they are read, written image by image, whole or not at all."""

import contextlib
import itertools
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from wool_tf.errors import WoolError

TEMPORARY = r".+\.npy\.(\d+)\.tmp"
"""Pattern of the names of files that are being written; its group is the number of the process."""


def read(file: Path, count: int, side: int) -> np.ndarray | None:
    """(count, side, side) uint8 of a file, a read-only memory map, or None if it is absent, damaged or another one."""
    try:
        images = np.load(file, mmap_mode="r")
    except (OSError, ValueError, EOFError):
        return None
    return images if images.shape == (count, side, side) and images.dtype == np.uint8 else None


class Images:
    """The images of a file that is being written."""

    def __init__(self, file: BinaryIO, side: int):
        self._file, self._side, self._count = file, side, 0
        self._kept: Sequence[bool] | None = None
        self.dropped = False

    def add(self, image: np.ndarray) -> None:
        """Appends (side, side) uint8."""
        self._file.write(image.tobytes())
        self._count += 1

    def keep(self, kept: Sequence[bool]) -> None:
        """Says at the end which of the images stay, in order."""
        self._kept = kept

    def drop(self) -> None:
        """Says that there is to be no file."""
        self.dropped = True

    def finish(self, temporary: Path) -> None:
        """Makes the file complete."""
        self._file.seek(0)
        _write_header(self._file, self._count, self._side)
        self._file.flush()
        if self._kept is None or all(self._kept):
            return
        whole = np.load(temporary, mmap_mode="r")
        self._file.seek(0)
        # Each image moves towards the beginning, over what was left out, so that none is overwritten before it is read.
        _write_header(self._file, sum(self._kept), self._side)
        for image in itertools.compress(whole, self._kept):
            self._file.write(image.tobytes())
            self._file.flush()
        self._file.truncate()


@contextlib.contextmanager
def writing(target: Path, side: int) -> Iterator[Images]:
    """Writes a file of images, which is there once the block has ended without an error.

    Arguments:
        target: of a `.npy` file; its folder is made if needed.
        side: int. Height and width of the images in pixels.

    Raises:
        WoolError: it cannot be written (read-only folder, full disk).
    """
    temporary = target.with_name(f"{target.name}.{os.getpid()}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # Written, not memory-mapped: on a full disk a write gives an error, a mapping kills the process.
        with open(temporary, "wb") as file:
            _write_header(file, 0, side)
            images = Images(file, side)
            yield images
            if not images.dropped:
                images.finish(temporary)
        if not images.dropped:
            os.replace(temporary, target)
    except OSError as error:
        reason = error.strerror or error
        raise WoolError(f"{target.parent}: cannot be written ({reason}); give another folder or make room") from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _write_header(file: BinaryIO, count: int, side: int) -> None:
    # NumPy pads headers to 64 bytes; with the numbers that occur they take 128, so that one can replace another.
    header = {"descr": "|u1", "fortran_order": False, "shape": (count, side, side)}
    np.lib.format.write_array_header_1_0(file, header)
