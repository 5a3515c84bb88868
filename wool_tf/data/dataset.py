"""A folder of images becomes one checked, memory-mapped array.

Listing, checking and decoding are separate steps, and every step collects the bad files instead of stopping at the
first: the one line that a user gets names several of them. Decoded pixels go image by image into one `.npy` file, so
100,000 crops need no more memory than one.
"""

import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np

from wool_board.image import decoding
from wool_tf.data import arrays, listing, pixels, sample_bits
from wool_tf.data.crop_entries import BoxShares, box_shares
from wool_tf.data.crop_reading import AS_THEY_ARE, CropReading
from wool_tf.data.image_cache import decoded
from wool_tf.data.listing import CLASSES, MANIFEST, BadFiles, Entry
from wool_tf.data.spelling import nfc
from wool_tf.errors import BadSetting, WoolError
from wool_tf.progress import Count

GROUP_BY = ("sample", "scan", "image")
_FILE = "_file"
"""In a Dataset that came from another process: the file of its images."""


@dataclasses.dataclass(frozen=True)
class Dataset:
    """Images with what is known of them, all in the same order.

    Attributes:
        images: (n, side, side) uint8, grey values, a read-only memory map.
        labels: (n,) int64, index into `CLASSES`; 1 is defective.
        groups: (n,) str, the physical sample that an image shows.
        defects: (n,) str, the type of defect that an image shows, several joined by "+"; empty where none is known.
        scans: (n,) str, the scan that an image was cut from; empty where it is not known.
        paths: n paths relative to `folder`, sorted, with forward slashes.
        folder: the folder as it was given.
        fingerprint: SHA-256 in hex over all of these but the folder, in order.
        grouped: whether a manifest or the files' names gave the groups; otherwise every image is its own.
        skipped: what was left out because it was bad, each with its reason.
        unlisted: number of images in class folders that the manifest does not name.
        boxes: n, where the defects are: left, top, right and bottom end of each, as shares of the width and height of
            the image's file; empty where it is not known. No result depends on them.
        remarks: what a person should know of how the folder was understood, in lines.
        white: the highest value of samples in 16-bit images, given or found; None where none was given and there are
            no such images.
    """

    images: np.ndarray
    labels: np.ndarray
    groups: np.ndarray
    defects: np.ndarray
    scans: np.ndarray
    paths: tuple[str, ...]
    folder: str
    fingerprint: str
    grouped: bool
    skipped: tuple[str, ...] = ()
    unlisted: int = 0
    boxes: tuple[tuple[BoxShares, ...], ...] = ()
    remarks: tuple[str, ...] = ()
    white: int | None = None

    def __getstate__(self) -> dict:
        images = self.__dict__.get("images")
        # By its file: each of the copies that go to other processes would hold all pixels otherwise.
        if isinstance(images, np.memmap) and images.filename:
            others = {name: value for name, value in self.__dict__.items() if name != "images"}
            return others | {_FILE: Path(images.filename)}
        return dict(self.__dict__)

    def __getattr__(self, name: str) -> np.ndarray:
        # The images of a copy, when they are first asked for: a process that cannot even read its task looks like one
        # that was killed, and could not say what is wrong.
        file = self.__dict__.get(_FILE)
        if name != "images" or file is None:
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        try:
            images = np.load(file, mmap_mode="r")
        except (OSError, ValueError, EOFError):
            rule = (
                "was deleted or changed while a run was at work; start again, and leave the cache alone until it ends"
            )
            raise WoolError(f"{file}: {rule}") from None
        self.__dict__["images"] = images
        return images

    def grouped_by(self, what: str) -> np.ndarray:
        """(n,) str, what a fold must not share with another.

        Only "sample" is sound. The others leak, which is what they are for: to measure how much better results look
        when a network is tested on other scans, or other crops, of samples that it was trained on.

        Arguments:
            what: one of `GROUP_BY`.

        Raises:
            WoolError: the scans are not known.
        """
        if what not in GROUP_BY:
            raise BadSetting("group_by", what, f"must be one of {', '.join(GROUP_BY)}")
        if what == "scan" and not all(self.scans):
            rule = f"{self.folder} does not say which scan each image is from; add a column scan to its {MANIFEST}"
            raise BadSetting("group_by", what, rule)
        return {"sample": self.groups, "scan": self.scans, "image": np.array(self.paths)}[what]


def load(
    folder: Path | str,
    side: int,
    cache: Path | str,
    progress: Count | None = None,
    reading: CropReading = AS_THEY_ARE,
) -> Dataset:
    """Lists, checks and decodes the images of a folder.

    The folder holds either a `manifest.csv` with the columns path, label and group, and perhaps defect (types, joined
    by "+"), scan (what the image was cut from) and boxes (of the defects; further columns are ignored), or the class
    folders `defective/` and `non_defective/`; a manifest wins. In class folders every image is a group of its own, for
    nothing better is known: images of one physical sample may then be in different folds, so that a network is tested
    on a sample that it was trained on, and results are too good. A manifest prevents that, or `reading.naming`, where
    it finds samples in the names of files.

    Images are PNG, TIFF, JPEG or DICOM, one per file, upright, of 8-bit grey or colours or 16-bit grey; docs/guide.md
    lists what is read of each format. Colour becomes grey (ITU-R 601-2 luma), alpha must be opaque everywhere, and grey
    whose highest value is w becomes v · 255 / w, rounded. Files of 8 bits and DICOM say their w; for other 16-bit files
    see `reading.white`.

    An image must be square to within 2 % of its longer side; a more oblong one is refused, for squeezing it would
    change the shape of defects. Any other size than `side` × `side` is resized, by the very code of the programs on a
    board (`wool_board.image.decoding`). Which images are bad does not depend on `side`.

    Arguments:
        folder: the folder of the images.
        side: int. Height and width of the decoded images in pixels.
        cache: folder for the decoded images, made if needed. The file's name is a hash of the content of all images and
            of `side`, so unchanged images are decoded once and a changed one is noticed. It may be deleted while no
            run is at work.
        progress: told of every image that is decoded: its number and how many there are.
        reading: CropReading.

    Returns:
        The Dataset; both classes are present.

    Raises:
        WoolError: the folder, its manifest or some of its images are unusable. One line names up to three bad files
            with their reasons, and how many more there are.
    """
    folder, naming, skip = Path(folder), reading.naming, reading.on_bad_image == "skip"
    bad = BadFiles(folder)
    entries, digests, unlisted, remarks = listing.entries(folder, bad, naming)
    if skip or not bad.reasons:
        _check_classes(folder, entries, bad)
    white = reading.white or sample_bits.of_crops(folder, [entry.path for entry in entries], digests, Path(cache))
    images, entries = decoded(folder, entries, digests, side, Path(cache), bad, skip, progress, white)
    _check_classes(folder, entries, bad)
    found = Dataset(
        images=images,
        labels=np.array([entry.label for entry in entries], np.int64),
        groups=np.array([entry.group for entry in entries]),
        defects=np.array([entry.defect for entry in entries]),
        scans=np.array([entry.scan for entry in entries]),
        paths=tuple(entry.path for entry in entries),
        folder=str(folder),
        fingerprint="",
        grouped=listing.has_manifest(folder) or naming.sample_from is not None,
        skipped=tuple(bad.reasons),
        unlisted=unlisted,
        boxes=tuple(_boxes(folder, entry) for entry in entries),
        remarks=remarks,
        white=white,
    )
    return dataclasses.replace(found, fingerprint=_fingerprint(found))


def resized(native: Dataset, side: int, cache: Path | str, progress: Count | None = None) -> Dataset:
    """The same images in another size, each resized by itself (`pixels.resized`): what networks are trained on.

    Everything but the pixels and the fingerprint is that of the native images.

    Arguments:
        native: Dataset of crops as a board reads them.
        side: int. Height and width of the resized images in pixels.
        cache: folder for them, made if needed. The file's name is made of the fingerprint of the native images and of
            `side`. It may be deleted while no run is at work.
        progress: told of every image that is resized: its number and how many there are.

    Raises:
        WoolError: the cache cannot be written.
    """
    count, own, _ = native.images.shape
    if own == side:
        return native
    target = Path(cache) / f"resized-{side}-{native.fingerprint[:32]}.npy"
    if arrays.read(target, count, side) is None:
        with arrays.writing(target, side) as images:
            for number, image in enumerate(native.images, start=1):
                if progress:
                    progress(number, count)
                images.add(pixels.resized(image, side))
    found = dataclasses.replace(native, images=np.load(target, mmap_mode="r"))
    return dataclasses.replace(found, fingerprint=_fingerprint(found))


def _boxes(folder: Path, entry: Entry) -> tuple[BoxShares, ...]:
    # Files may have different sizes, so each one's own is asked for, of its head.
    return box_shares(entry.boxes, decoding.crop_size(folder / entry.path)) if entry.boxes else ()


def _check_classes(folder: Path, entries: list[Entry], bad: BadFiles) -> None:
    for label, name in enumerate(CLASSES):
        if not any(entry.label == label for entry in entries):
            among = f" among those that are not bad ({bad.summary()})" if bad.reasons else ""
            raise WoolError(f"{folder}: no {name} images{among}; both classes are needed")


def _fingerprint(data: Dataset) -> str:
    # The same folder has the same fingerprint on every file system.
    columns = (of.tolist() for of in (data.labels, data.groups, data.defects, data.scans))
    rows = zip(map(nfc, data.paths), *columns, strict=True)
    digest = hashlib.sha256(json.dumps([list(data.images.shape), list(rows)]).encode())
    for image in data.images:
        digest.update(image)
    return digest.hexdigest()
