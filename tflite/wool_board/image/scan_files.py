"""Files of detector lines: grey PNG, TIFF and DICOM of 8 or 16 bits, and raw lines without a head (.raw, .bin).

A scan is (lines, elements): a row for each line that the detector recorded, a column for each of its elements.
"""

import dataclasses
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np

from wool_board.errors import BadFile
from wool_board.image import decoding
from wool_board.image.decoding import OpenImage
from wool_board.image.variants import Variant

IMAGES = (".png", ".tif", ".tiff", ".dcm", ".dcn")
FORMATS = ("PNG", "TIFF", "DICOM")
RAWS = (".raw", ".bin")
TYPES = {"uint8": "|u1", "uint16le": "<u2", "uint16be": ">u2"}
"""Types of a sample in raw lines."""


@dataclasses.dataclass(frozen=True)
class LineFormat:
    """How raw lines are laid out: elements per line, and the sample type, a key of TYPES."""

    width: int
    type: str

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(TYPES[self.type])

    @property
    def line_bytes(self) -> int:
        return self.width * self.dtype.itemsize


@dataclasses.dataclass(frozen=True)
class RawLines:
    """The lines of a raw file, read when they are looked at: `lines[start:stop]` is an array.

    A memory map would do the same, but all of it that was ever looked at counts as the process's memory.
    """

    file: Path
    dtype: np.dtype
    shape: tuple[int, int]

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, lines: slice) -> np.ndarray:
        start, stop, _ = lines.indices(len(self))
        width = self.shape[1]
        offset = start * width * self.dtype.itemsize
        return np.fromfile(self.file, self.dtype, (stop - start) * width, offset=offset).reshape(-1, width)


def size(file: Path, raw: LineFormat | None) -> tuple[int, int]:
    """Width and number of lines of a scan, read from its head.

    Arguments and errors are as for `read`.
    """
    if _is_raw(file):
        return _raw_size(file, _given(raw))
    with _opened(file) as found:
        _check(found)
        return found.image.size


def read(file: Path, raw: LineFormat | None) -> np.ndarray | RawLines:
    """The counts of a scan, (lines, width) of uint8 or uint16; high means that much X-ray came through.

    Of a raw file, a scan of any length costs no more memory than the lines that are looked at.

    Arguments:
        file: of the scan.
        raw: how the lines of a raw file are laid out; None: raw files are refused.

    Raises:
        BadFile: the file is no scan, or cannot be read.
    """
    if _is_raw(file):
        layout = _given(raw)
        return RawLines(file, layout.dtype, _raw_size(file, layout)[::-1])
    with _opened(file) as found:
        _check(found)
        return np.asarray(found.pixels())


def top(file: Path, raw: LineFormat | None, white: int | None = None) -> int:
    """The highest count that a sample of a scan can have; a detector may saturate below it (`saturation`).

    It is that of the sample's type, but DICOM says how many bits of 16 the detector uses.

    Arguments:
        file, raw: as for `read`, and so are errors.
        white: the highest value that the detector gives in 16-bit files, see `Variant.top_with`; None: 65535.
    """
    if _is_raw(file):
        return Variant("raw", top=int(np.iinfo(_given(raw).dtype).max)).top_with(white)
    with _opened(file) as found:
        _check(found)
        return found.variant.top_with(white)


def _is_raw(file: Path) -> bool:
    return file.suffix.lower() in RAWS


def _given(raw: LineFormat | None) -> LineFormat:
    """The layout of raw lines; raises BadFile where there is none."""
    if raw is None:
        raise BadFile("is a raw file; say with --raw_width and --raw_type how its lines are laid out")
    return raw


def _raw_size(file: Path, raw: LineFormat) -> tuple[int, int]:
    try:
        found, line = file.stat().st_size, raw.line_bytes
    except OSError as error:
        raise BadFile(f"cannot be read ({error.strerror or error})") from None
    if found == 0 or found % line:
        shape = f"{line:,} bytes ({raw.width} × {raw.type})"
        raise BadFile(f"has {found:,} bytes, which are not whole lines of {shape}")
    return raw.width, found // line


def _opened(file: Path) -> AbstractContextManager[OpenImage]:
    if file.suffix.lower() not in IMAGES:
        raise BadFile(f"is not a scan; a scan ends in {', '.join((*IMAGES, *RAWS))}")
    return decoding.opened(file, FORMATS)


def _check(found: OpenImage) -> None:
    width, height = found.image.size
    if width * height > decoding.MAX_PIXELS:
        most = f"at most {decoding.MAX_PIXELS:,} are decoded: cut it, or save it as raw lines"
        raise BadFile(f"is {width}x{height} pixels; {most}")
    if found.variant.scan_flaw:
        raise BadFile(found.variant.scan_flaw)
