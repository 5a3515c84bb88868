"""The images that a folder lists, by a manifest or by class folders, and what is wrong with them."""

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from wool_board.image.decoding import SUFFIXES
from wool_tf import files
from wool_tf.data import crop_entries, listed_paths
from wool_tf.data.crop_entries import CLASSES, COLUMNS, MANIFEST, BadFiles, Entry, has_manifest, printable
from wool_tf.data.naming import CropNaming
from wool_tf.data.spelling import nfc
from wool_tf.errors import WoolError

__all__ = ["CLASSES", "COLUMNS", "MANIFEST", "BadFiles", "Entry", "Listing", "conflicts", "entries", "has_manifest"]


class Listing(NamedTuple):
    """The images of a folder.

    Attributes:
        entries: sorted by path, whatever form the file system keeps the names in.
        digests: SHA-256 of the file of each.
        unlisted: how many images lie in class folders beside a manifest that does not name them.
        remarks: what a person should know of how the folder was understood, in lines.
    """

    entries: list[Entry]
    digests: list[str]
    unlisted: int
    remarks: tuple[str, ...]


def entries(folder: Path, bad: BadFiles, naming: CropNaming) -> Listing:
    """The images of a folder whose files are there and hold something new.

    Arguments:
        folder: with a manifest, which wins, or class folders.
        bad: is told of all others.
        naming: which labels are which class, and where samples stand in the names of files.

    Raises:
        WoolError: there is neither, it cannot be read, or the manifest cannot be understood at all.
    """
    if not folder.is_dir():
        found = "is not a folder" if folder.exists() else "no such folder"
        raise WoolError(f"{folder}: {found}; give one with images")
    try:
        return _entries(folder, bad, naming)
    except OSError as error:
        raise WoolError(f"{printable(str(error.filename or folder))}: cannot be read ({error.strerror})") from None


def _entries(folder: Path, bad: BadFiles, naming: CropNaming) -> Listing:
    listing = crop_entries.from_manifest if has_manifest(folder) else crop_entries.from_class_folders
    listed, remarks = listing(folder, naming, bad)
    listed.sort(key=lambda entry: nfc(entry.path))
    classes = [name for names in crop_entries.class_folders(folder, naming) for name in names]
    unlisted = _unlisted(folder, classes, listed) if has_manifest(folder) else 0
    kept, digests = _existing(folder, classes, _of_one_sample(listed, bad), bad)
    return Listing(kept, digests, unlisted, tuple(remarks))


def _of_one_sample(listed: Iterable[Entry], bad: BadFiles) -> Iterator[Entry]:
    """The images whose scan is not said to be of another sample elsewhere."""
    samples: dict[str, Entry] = {}
    for entry in listed:
        first = samples.setdefault(entry.scan, entry) if entry.scan else entry
        if first.group == entry.group:
            yield entry
        else:
            reason = f"is of scan {entry.scan}, as {first.path} is, but of another group; correct one of them"
            bad.add(entry.path, reason)


def _unlisted(folder: Path, classes: Iterable[str], listed: Iterable[Entry]) -> int:
    known = {entry.path for entry in listed}
    found = (f"{name}/{file}" for name in classes for file in os.listdir(folder / name))
    return sum(
        path.lower().endswith(SUFFIXES) and path not in known and not crop_entries.is_ignored(path) for path in found
    )


def _existing(
    folder: Path, classes: Iterable[str], listed: Iterable[Entry], bad: BadFiles
) -> tuple[list[Entry], list[str]]:
    roots = [os.path.realpath(path) for path in (folder, *(folder / name for name in classes))]
    found = []
    seen: dict[str, Entry] = {}
    for entry in listed:
        try:
            file = os.path.realpath(folder / entry.path)
            reason = listed_paths.flaw(entry.path, file, roots)
            first = seen.setdefault(file, entry)
            if not reason and first is not entry and (first.label, first.group) == (entry.label, entry.group):
                reason = "is listed twice" if first.path == entry.path else f"is the same file as {first.path}"
            if not reason:
                found.append((entry, files.sha256(Path(file))))
        except (OSError, ValueError) as error:  # ValueError: a NUL in the name
            reason = f"cannot be read ({getattr(error, 'strerror', None) or error})"
        if reason:
            bad.add(entry.path, reason)
    clashing = conflicts(found)
    for path, reason in clashing.items():
        bad.add(path, reason)
    kept = [(entry, digest) for entry, digest in found if entry.path not in clashing]
    return [entry for entry, _ in kept], [digest for _, digest in kept]


def conflicts(found: Iterable[tuple[Entry, str]]) -> dict[str, str]:
    """Why images must not occur twice, with two labels or in two folds, by the paths of those that must go.

    Arguments:
        found: images with a digest of what they show.
    """
    same, reasons = defaultdict(list), {}
    for entry, digest in found:
        same[digest].append(entry)
    for first, *others in same.values():
        for entry in others:
            if entry.label != first.label:
                # Which label is right is not known: neither can be used.
                for one, other in ((first, entry), (entry, first)):
                    reasons[one.path] = f"is the same image as {other.path}, with another label; correct one of them"
                    if one.path == other.path:
                        reasons[one.path] = "is listed with two labels; correct one of them"
            elif entry.group != first.group:
                reasons[entry.path] = (
                    f"is the same image as {first.path}; remove one, or give both one group in a {MANIFEST}"
                )
                if first.path == entry.path:
                    reasons[entry.path] = "is listed in two groups; correct one of them"
        if first.path in reasons:
            for entry in others:
                reasons.setdefault(entry.path, reasons[first.path])
    return reasons
