"""The images that a folder lists, by a manifest or by class folders, and what is wrong with them."""

import csv
import dataclasses
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from wool_board.image.decoding import SUFFIXES
from wool_tf import files
from wool_tf.errors import WoolError

CLASSES = ("non_defective", "defective")
"""The index of a class is its label."""

MANIFEST = "manifest.csv"
COLUMNS = ("path", "label", "group")
OPTIONAL = ("defect", "scan", "boxes")
LITTER = ("thumbs.db", "ehthumbs.db", "desktop.ini", "@eadir", "__macosx")
"""What operating systems leave in folders, in lower case; hidden files are ignored as well."""


@dataclasses.dataclass(frozen=True)
class Entry:
    """One image of a list: path in the folder, label, physical sample, types of defect, scan, boxes of the defects."""

    path: str
    label: int
    group: str
    defect: str = ""
    scan: str = ""
    boxes: str = ""


class BadFiles:
    """Collects what is wrong with files; `refuse` raises all of it as one line."""

    SHOWN = 3

    def __init__(self, folder: Path):
        self.folder = folder
        self.reasons: list[str] = []

    def add(self, name: str, reason: str) -> None:
        self.reasons.append(f"{_printable(name)} {_printable(reason)}")

    def summary(self) -> str:
        """The first few reasons, and how many more there are."""
        others = len(self.reasons) - self.SHOWN
        more = f"; and {others} more" if others > 0 else ""
        return f"{'; '.join(self.reasons[: self.SHOWN])}{more}"

    def refuse(self) -> None:
        """Raises WoolError if there are bad files."""
        if self.reasons:
            raise WoolError(f"{self.folder}: {self.summary()}")


def entries(folder: Path, bad: BadFiles) -> tuple[list[Entry], list[str], int]:
    """The images of a folder, sorted by path, whose files are there and hold something new.

    Arguments:
        folder: with a manifest, which wins, or class folders.
        bad: is told of all others.

    Returns:
        The entries, the SHA-256 of each one's file, and how many images lie in class folders beside a manifest that
        does not name them.

    Raises:
        WoolError: there is neither, or the manifest cannot be understood at all.
        OSError: the folder cannot be read.
    """
    if not folder.is_dir():
        found = "is not a folder" if folder.exists() else "no such folder"
        raise WoolError(f"{folder}: {found}; give one with images")
    listing = _from_manifest if has_manifest(folder) else _from_class_folders
    listed = sorted(listing(folder, bad), key=lambda entry: entry.path)
    unlisted = _unlisted(folder, listed) if has_manifest(folder) else 0
    return *_existing(folder, _of_one_sample(listed, bad), bad), unlisted


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


def _unlisted(folder: Path, listed: Iterable[Entry]) -> int:
    known = {entry.path for entry in listed}
    found = (path for name in CLASSES for path in (folder / name).glob("*") if path.suffix.lower() in SUFFIXES)
    return sum(path.relative_to(folder).as_posix() not in known for path in found)


def has_manifest(folder: Path) -> bool:
    """Whether a manifest says what the images are."""
    # lexists: a manifest that cannot be read must not be passed over silently.
    return os.path.lexists(folder / MANIFEST)


def _from_manifest(folder: Path, bad: BadFiles) -> list[Entry]:
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
            where = [header.index(column) if column in header else len(header) for column in COLUMNS + OPTIONAL]
            for row in rows:
                if any(cell.strip() for cell in row):
                    path, label, group, *rest = (row[i].strip() if i < len(row) else "" for i in where)
                    reason = _row_flaw(path, label, group) or _boxes_flaw(path, rest[-1])
                    if reason:
                        bad.add(f"{MANIFEST} line {rows.line_num}:", reason)
                    else:
                        entries.append(Entry(PurePosixPath(path).as_posix(), CLASSES.index(label), group, *rest))
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


def _boxes_flaw(path: str, boxes: str) -> str | None:
    for box in filter(str.strip, boxes.split(";")):
        try:
            left, top, right, bottom = map(float, box.split())
        except ValueError:
            left = top = right = bottom = 0.0
        if not (0 <= left < right and 0 <= top < bottom):
            return (
                f"boxes of {path!r} must be x0 y0 x1 y1 in pixels, with semicolons between boxes, got {box.strip()!r}"
            )
    return None


def _from_class_folders(folder: Path, bad: BadFiles) -> Iterator[Entry]:
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
                yield Entry(path, label, group=path)
            else:
                bad.add(path, f"is not an image; only {', '.join(SUFFIXES)} belong here")


def _existing(folder: Path, listed: Iterable[Entry], bad: BadFiles) -> tuple[list[Entry], list[str]]:
    roots = [os.path.realpath(path) for path in (folder, *(folder / name for name in CLASSES))]
    found = []
    seen: dict[str, Entry] = {}
    for entry in listed:
        try:
            file = os.path.realpath(folder / entry.path)
            reason = _file_flaw(roots, entry.path, file)
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


def _printable(text: str) -> str:
    # A line break inside a name would break the one-line message.
    return text if text.isprintable() else repr(text)
