"""A folder of images becomes one checked, memory-mapped array.

Listing, checking and decoding are separate steps, and every step collects the bad files instead of stopping at the
first: the one line that a user gets names several of them. Decoded pixels go image by image into one `.npy` file, so
100,000 crops need no more memory than one.
"""

import csv
import dataclasses
import hashlib
import json
import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from wool_tf.errors import WoolError

CLASSES = ("non_defective", "defective")
"""The index of a class is its label."""

MANIFEST = "manifest.csv"
COLUMNS = ("path", "label", "group")
FORMATS = ("PNG", "TIFF", "JPEG")
SUFFIXES = (".png", ".tif", ".tiff", ".jpg", ".jpeg")
LITTER = ("thumbs.db", "ehthumbs.db", "desktop.ini", "@eadir", "__macosx")
"""What operating systems leave in folders, in lower case; hidden files are ignored as well."""

MAX_PIXELS = 50_000_000
"""A larger image is refused before it is decoded; 7000 × 7000 pixels are far beyond any crop."""

SQUARENESS = 0.02
"""How far an image may be from square, as a share of its longer side."""

DECODING = 1
"""Part of the cache's key: raise it whenever `_decode` gives other pixels for the same file."""


@dataclasses.dataclass(frozen=True)
class Dataset:
    """Images with what is known of them, all in the same order.

    Attributes:
        images: (n, side, side) uint8, grey values, a read-only memory map.
        labels: (n,) int64, index into `CLASSES`; 1 is defective.
        groups: (n,) str, the physical sample that an image shows.
        paths: n paths relative to `folder`, sorted, with forward slashes.
        folder: the folder as it was given.
        fingerprint: SHA-256 in hex over paths, labels, groups and pixels, in order.
        grouped: whether a manifest gave the groups; otherwise every image is its own.
    """

    images: np.ndarray
    labels: np.ndarray
    groups: np.ndarray
    paths: tuple[str, ...]
    folder: str
    fingerprint: str
    grouped: bool


@dataclasses.dataclass(frozen=True)
class _Entry:
    path: str
    label: int
    group: str


class _BadFiles:
    """Collects what is wrong with files; `refuse` raises all of it as one line."""

    SHOWN = 3

    def __init__(self, folder: Path):
        self.folder, self.reasons = folder, []

    def add(self, name: str, reason: str) -> None:
        self.reasons.append(f"{_printable(name)} {_printable(reason)}")

    def refuse(self) -> None:
        if self.reasons:
            others = len(self.reasons) - self.SHOWN
            more = f"; and {others} more" if others > 0 else ""
            raise WoolError(f"{self.folder}: {'; '.join(self.reasons[: self.SHOWN])}{more}")


def load(
    folder: Path | str, side: int, cache: Path | str, progress: Callable[[int, int], None] | None = None
) -> Dataset:
    """Lists, checks and decodes the images of a folder.

    The folder holds either a `manifest.csv` with the columns path, label and group (further columns are ignored), or
    the class folders `defective/` and `non_defective/`; a manifest wins. In class folders every image is a group of its
    own, for nothing better is known: images of one physical sample may then be in different folds, so that a network
    is tested on a sample that it was trained on, and results are too good. A manifest prevents that.

    Images are PNG, TIFF or JPEG, one per file, with 8 or 16 bits per channel. Colour becomes grey (ITU-R 601-2 luma),
    alpha is dropped, and 16-bit grey is divided by 257 and rounded, so that its full range is the full range of 8 bits.

    An image must be square to within 2 % of its longer side; a more oblong one is refused, for squeezing it would
    change the shape of defects. Any other size than `side` × `side` is resized by Pillow's antialiased Lanczos filter:
    it weights the same at every position whatever the factor (a box filter counts whole pixels, so for 244 → 72 its
    noise would follow a grid), it keeps the mean, and it keeps more contrast of small dense spots than a bilinear one.

    Arguments:
        folder: the folder of the images.
        side: int. Height and width of the decoded images in pixels.
        cache: folder for the decoded images, made if needed. The file's name is a hash of the content of all images and
            of `side`, so unchanged images are decoded once and a changed one is noticed. It may be deleted any time.
        progress: told of every image that is decoded: its number and how many there are.

    Returns:
        The Dataset; both classes are present.

    Raises:
        WoolError: the folder, its manifest or some of its images are unusable. One line names up to three bad files
            with their reasons, and how many more there are.
    """
    folder, bad = Path(folder), _BadFiles(Path(folder))
    try:
        if not folder.is_dir():
            found = "is not a folder" if folder.exists() else "no such folder"
            raise WoolError(f"{folder}: {found}; give one with images")
        # lexists: a manifest that cannot be read must not be passed over silently.
        listing = _from_manifest if os.path.lexists(folder / MANIFEST) else _from_class_folders
        listed = sorted(listing(folder, bad), key=lambda entry: entry.path)
        entries, digests = _existing(folder, listed, bad)
    except OSError as error:
        raise WoolError(f"{error.filename or folder}: cannot be read ({error.strerror})") from None
    for name in CLASSES:
        if not bad.reasons and not any(CLASSES[entry.label] == name for entry in entries):
            raise WoolError(f"{folder}: no {name} images; both classes are needed")
    name = _cache_name(entries, digests, side)
    images = _cached(Path(cache) / name, len(entries), side)
    if images is None or bad.reasons:
        images = _decode_all(folder, entries, side, Path(cache) / name, bad, progress)
    labels = np.array([entry.label for entry in entries], np.int64)
    groups = np.array([entry.group for entry in entries])
    paths = tuple(entry.path for entry in entries)
    grouped = listing is _from_manifest
    return Dataset(images, labels, groups, paths, str(folder), _fingerprint(images, entries), grouped)


def _from_manifest(folder: Path, bad: _BadFiles) -> list[_Entry]:
    manifest, entries = folder / MANIFEST, []
    try:
        with open(manifest, newline="", encoding="utf-8-sig") as file:
            # strict: an unclosed quote would otherwise swallow all the lines below it.
            rows = csv.reader(file, strict=True)
            header = [cell.strip() for cell in next(rows, [])]
            missing = [column for column in COLUMNS if column not in header]
            if missing:
                raise WoolError(
                    f"{manifest}: column {missing[0]!r} is missing; the first line must name path, label and group, "
                    f"separated by commas, got {','.join(header)!r}"
                )
            where = [header.index(column) for column in COLUMNS]
            for row in rows:
                if any(cell.strip() for cell in row):
                    path, label, group = (row[i].strip() if i < len(row) else "" for i in where)
                    reason = _row_flaw(path, label, group)
                    if reason:
                        bad.add(f"{MANIFEST} line {rows.line_num}:", reason)
                    else:
                        entries.append(_Entry(PurePosixPath(path).as_posix(), CLASSES.index(label), group))
    except UnicodeDecodeError:
        raise WoolError(f"{manifest}: is not UTF-8 text; save it as CSV in UTF-8") from None
    except csv.Error as error:
        raise WoolError(f"{manifest}: line {rows.line_num} is not CSV ({error})") from None
    return entries


def _row_flaw(path: str, label: str, group: str) -> str | None:
    if not path:
        return "path is empty"
    if "\\" in path:
        return f"path {path!r} has a backslash; write it with forward slashes"
    if label not in CLASSES:
        return f"label of {path!r} must be {' or '.join(CLASSES)}, got {label!r}"
    if not group:
        return f"group of {path!r} is empty; name the physical sample that it shows"
    return None


def _from_class_folders(folder: Path, bad: _BadFiles) -> Iterator[_Entry]:
    if not any((folder / name).is_dir() for name in CLASSES):
        raise WoolError(f"{folder}: has neither a {MANIFEST} nor the folders defective/ and non_defective/; add either")
    for label, name in enumerate(CLASSES):
        if not (folder / name).is_dir():
            raise WoolError(f"{folder}: no folder {name}/; both classes are needed")
        for file in sorted((folder / name).iterdir()):
            path = f"{name}/{file.name}"
            if file.name.startswith(".") or file.name.lower() in LITTER:
                continue
            if file.suffix.lower() in SUFFIXES:
                yield _Entry(path, label, group=path)
            else:
                bad.add(path, f"is not an image; only {', '.join(SUFFIXES)} belong here")


def _existing(folder: Path, listed: Iterable[_Entry], bad: _BadFiles) -> tuple[list[_Entry], list[str]]:
    """The entries whose file is there and holds something new, and each file's SHA-256."""
    roots = [os.path.realpath(path) for path in (folder, *(folder / name for name in CLASSES))]
    seen, contents = {}, {}
    entries, digests = [], []
    for entry in listed:
        try:
            file = os.path.realpath(folder / entry.path)
            reason = _file_flaw(roots, entry.path, file)
            if not reason and file in seen:
                reason = "is listed twice" if seen[file] == entry.path else f"is the same file as {seen[file]}"
            if not reason:
                with open(file, "rb") as stream:
                    digest = hashlib.file_digest(stream, "sha256").hexdigest()
                reason = _conflict(entry, contents.setdefault(digest, entry))
        except (OSError, ValueError) as error:  # ValueError: a NUL in the name
            reason = f"cannot be read ({getattr(error, 'strerror', None) or error})"
        if reason:
            bad.add(entry.path, reason)
        else:
            seen[file] = entry.path
            entries.append(entry)
            digests.append(digest)
    return entries, digests


def _conflict(entry: _Entry, first: _Entry) -> str | None:
    """Why an image must not occur twice: with two labels, or in two folds."""
    if entry.label != first.label:
        return f"is the same image as {first.path}, with another label; correct one of them"
    if entry.group != first.group:
        return f"is the same image as {first.path}; remove one, or give both one group in a {MANIFEST}"
    return None


def _file_flaw(roots: list[str], path: str, file: str) -> str | None:
    if not path.isprintable():
        return "has a name that is not text; rename it"
    inside = any(Path(file).is_relative_to(root) for root in roots)
    if os.path.isabs(path) or ".." in PurePosixPath(path).parts or not inside:
        return "leads out of the folder; give a path inside it"
    if not os.path.exists(file):
        return "does not exist"
    if not os.path.isfile(file):
        return "is not a file"
    if os.path.getsize(file) == 0:
        return "is empty (0 bytes)"
    return None


def _cache_name(entries: list[_Entry], digests: list[str], side: int) -> str:
    content = [[entry.path, digest] for entry, digest in zip(entries, digests, strict=True)]
    key = hashlib.sha256(json.dumps([DECODING, side, content]).encode()).hexdigest()
    return f"images-{side}-{key[:32]}.npy"


def _cached(file: Path, count: int, side: int) -> np.ndarray | None:
    try:
        images = np.load(file, mmap_mode="r")
    except (OSError, ValueError, EOFError):  # absent, or damaged: decoded again
        return None
    return images if images.shape == (count, side, side) and images.dtype == np.uint8 else None


def _decode_all(folder: Path, entries: list[_Entry], side: int, target: Path, bad: _BadFiles, progress) -> np.ndarray:
    temporary = target.with_name(f"{target.name}.{os.getpid()}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(target.parent, error) from None
    try:
        # Written, not memory-mapped: on a full disk a write gives an error, a mapping kills the process.
        with open(temporary, "wb") as file:
            header = {"descr": "|u1", "fortran_order": False, "shape": (len(entries), side, side)}
            np.lib.format.write_array_header_1_0(file, header)
            for number, entry in enumerate(entries, start=1):
                if progress:
                    progress(number, len(entries))
                pixels = _decode(folder / entry.path, side)
                if isinstance(pixels, str):
                    bad.add(entry.path, pixels)
                elif not bad.reasons:
                    file.write(pixels.tobytes())
        bad.refuse()
        os.replace(temporary, target)
    except OSError as error:
        raise _unwritable(target.parent, error) from None
    finally:
        temporary.unlink(missing_ok=True)
    return np.load(target, mmap_mode="r")


def _unwritable(folder: Path, error: OSError) -> WoolError:
    return WoolError(f"{folder}: cannot be written ({error.strerror}); give another folder or make room")


def _decode(file: Path, side: int) -> np.ndarray | str:
    """The image as (side, side) uint8, or the reason why the file is bad."""
    try:
        with warnings.catch_warnings():
            # Remarks on metadata must not reach the user; too many pixels must.
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file, formats=FORMATS) as image:
                return _header_flaw(image) or np.asarray(_resized(_grey(image), side))
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        return f"has too many pixels; at most {MAX_PIXELS:,} are decoded"
    except Image.UnidentifiedImageError:
        return f"is not a readable {', '.join(FORMATS[:-1])} or {FORMATS[-1]} image"
    except Exception as error:  # Whatever a decoder raises on a damaged file is the file's fault.
        return f"cannot be decoded ({error})"


def _header_flaw(image: Image.Image) -> str | None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        return f"is {width}x{height} pixels; at most {MAX_PIXELS:,} pixels are decoded"
    if abs(width - height) > SQUARENESS * max(width, height):
        return f"is {width}x{height} pixels; images must be square to within {SQUARENESS:.0%}: crop it"
    if getattr(image, "n_frames", 1) > 1:
        return f"holds {image.n_frames} images; give one per file"
    if image.mode in ("I", "F"):
        return "has 32-bit pixels; save it with 8 or 16 bits"
    return None


def _grey(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        # 257 is odd, so adding 128 before the integer division rounds to nearest.
        return Image.fromarray(((np.asarray(image).astype(np.uint32) + 128) // 257).astype(np.uint8))
    return image.convert("L")


def _resized(image: Image.Image, side: int) -> Image.Image:
    return image if image.size == (side, side) else image.resize((side, side), Image.Resampling.LANCZOS)


def _fingerprint(images: np.ndarray, entries: list[_Entry]) -> str:
    about = [list(images.shape), [dataclasses.astuple(entry) for entry in entries]]
    digest = hashlib.sha256(json.dumps(about).encode())
    for image in images:
        digest.update(image)
    return digest.hexdigest()


def _printable(text: str) -> str:
    # A line break inside a name would break the one-line message.
    return text if text.isprintable() else repr(text)
