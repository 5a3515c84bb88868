"""Images decoded once, into one memory-mapped array on disk that is keyed by their content."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from wool_board.errors import BadFile
from wool_board.image import decoding
from wool_board.json_text import parsed
from wool_tf import files
from wool_tf.data import arrays
from wool_tf.data.listing import BadFiles, Entry, conflicts
from wool_tf.progress import Count

DECODING = 5
"""Part of the cache's key: raise it whenever `_decode` gives something else for the same file."""


def decoded(
    folder: Path,
    entries: Sequence[Entry],
    digests: Sequence[str],
    side: int,
    cache: Path,
    bad: BadFiles,
    skip: bool,
    progress: Count | None = None,
    white: int | None = None,
) -> tuple[np.ndarray, list[Entry]]:
    """The pixels of images, from the cache where they are there.

    Arguments:
        folder: what the entries' paths are relative to.
        entries: the images.
        digests: what identifies the content of each one's file.
        side: int. Height and width that they are resized to.
        cache: folder, made if needed. Its files are named by a hash of the images' content, of `side` and of `white`.
        bad: is told of images that cannot be decoded, and of those whose pixels, before any resizing, are another's.
        skip: whether the others are kept all the same; otherwise they are refused where `bad` knows of any file.
        progress: told of every image that is decoded: its number and how many there are.
        white: the highest value of samples in 16-bit images, see `decoding.read_grey`.

    Returns:
        (n, side, side) uint8, a read-only memory map, and its entries in order.

    Raises:
        WoolError: a file is bad, or the cache cannot be written.
    """
    target = cache / _cache_name(entries, digests, side, white)
    flaws = _flaws(target)
    images = arrays.read(target, len(entries) - len(flaws), side)
    if images is None:
        flaws = _decode_all(folder, entries, side, target, skip or not bad.reasons, skip, progress, white)
    for path, flaw in flaws.items():
        bad.add(path, flaw)
    if not skip:
        bad.refuse()
    images = np.load(target, mmap_mode="r") if images is None else images
    return images, [entry for entry in entries if entry.path not in flaws]


def _cache_name(entries: Sequence[Entry], digests: Sequence[str], side: int, white: int | None) -> str:
    # Labels and groups decide which of two images that look the same have to go.
    content = [[entry.path, entry.label, entry.group, digest] for entry, digest in zip(entries, digests, strict=True)]
    key = hashlib.sha256(json.dumps([DECODING, side, white, content]).encode()).hexdigest()
    return f"images-{side}-{key[:32]}.npy"


def _flaws_path(target: Path) -> Path:
    return target.with_suffix(".json")


def _flaws(target: Path) -> dict[str, str]:
    """Why images were left out of a file of the cache, by their paths."""
    try:
        found = parsed(_flaws_path(target).read_bytes())
    except (OSError, ValueError):  # None were, or it is damaged: then the array is found to be too short.
        return {}
    return found if isinstance(found, dict) else {}


def _decode_all(
    folder: Path,
    entries: Sequence[Entry],
    side: int,
    target: Path,
    keep: bool,
    skip: bool,
    progress: Count | None,
    white: int | None,
) -> dict[str, str]:
    """Writes the pixels to a file of the cache, if wanted, and returns the flaws."""
    flaws, shown = {}, []
    with arrays.writing(target, side) as images:
        for number, entry in enumerate(entries, start=1):
            if progress:
                progress(number, len(entries))
            try:
                found = _decode(folder / entry.path, side, white)
            except BadFile as flaw:
                flaws[entry.path] = str(flaw)
                continue
            shown.append((entry, found.digest))
            if keep and (skip or not flaws):
                images.add(found.pixels)
        # The same picture in another file: saved anew, or in another format.
        same = conflicts(shown)
        flaws |= same
        if not keep or (flaws and not skip):
            images.drop()
            return flaws
        images.keep([entry.path not in same for entry, _ in shown])
        if flaws:
            files.write(_flaws_path(target), json.dumps(flaws).encode())
    return flaws


class _Decoded(NamedTuple):
    """An image.

    Attributes:
        pixels: (side, side) of uint8.
        digest: SHA-256 in hex of what the file shows, in its own size: of which images are the same no size decides.
    """

    pixels: np.ndarray
    digest: str


def _decode(file: Path, side: int, white: int | None) -> _Decoded:
    """The image of a file, as `decoding.read` gives it to a board; raises BadFile."""
    grey = decoding.read_grey(file, white)
    digest = hashlib.sha256(repr(grey.size).encode() + grey.tobytes()).hexdigest()
    return _Decoded(np.asarray(decoding.lanczos(grey, (side, side))), digest)
