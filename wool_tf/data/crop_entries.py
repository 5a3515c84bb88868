"""What a folder says of its crops, by a manifest or by class folders; whether the files are there is not asked here."""

import dataclasses
import os
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from wool_board.errors import LONGEST, few
from wool_board.image import ignored_files
from wool_board.image.decoding import SUFFIXES
from wool_tf.data import csv_tables
from wool_tf.data.naming import CropNaming
from wool_tf.data.spelling import Folder, Spellings, cleaned, nfc, said
from wool_tf.errors import WoolError, quoted, shortened

CLASSES = ("non_defective", "defective")
"""The index of a class is its label."""

MANIFEST = "manifest.csv"
COLUMNS = ("path", "label", "group")
OPTIONAL = ("defect", "scan", "boxes")
LABELS = "`defective_label` and `non_defective_label`"
NO_SAMPLE = "has a name in which `sample_from` finds no sample"


@dataclasses.dataclass(frozen=True)
class Entry:
    """One image of a list: path in the folder, label, physical sample, types of defect, scan, boxes of the defects."""

    path: str
    label: int
    group: str
    defect: str = ""
    scan: str = ""
    boxes: str = ""


BoxShares = tuple[float, float, float, float]
"""Left, top, right and bottom end of a box, as shares of the width and height of its image."""


def box_shares(boxes: str, size: tuple[int, int]) -> tuple[BoxShares, ...]:
    """The boxes of an image, wherever it is resized to.

    Arguments:
        boxes: as an Entry has them, in pixels of the image's file.
        size: width and height of that file's image, in pixels.

    >>> box_shares("10 20 30 40;0 0 5 100", (100, 200))
    ((0.1, 0.1, 0.3, 0.2), (0.0, 0.0, 0.05, 0.5))
    """
    width, height = size
    ends = (map(float, box.split()) for box in boxes.split(";") if box.strip())
    return tuple((left / width, top / height, right / width, bottom / height) for left, top, right, bottom in ends)


MOST = 800
"""Characters of a name or a reason in a message."""


class BadFiles:
    """Collects what is wrong with files; `refuse` raises all of it as one line."""

    SHOWN = 3

    def __init__(self, folder: Path):
        self.folder = folder
        self.reasons: list[str] = []

    def add(self, name: str, reason: str) -> None:
        self.reasons.append(f"{printable(name)} {printable(reason)}")

    def summary(self) -> str:
        """The first few reasons, and how many more there are."""
        others = len(self.reasons) - self.SHOWN
        more = f"; and {others} more" if others > 0 else ""
        return f"{'; '.join(self.reasons[: self.SHOWN])}{more}"

    def refuse(self) -> None:
        """Raises WoolError if there are bad files."""
        if self.reasons:
            raise WoolError(f"{self.folder}: {self.summary()}")


def printable(text: str, most: int = MOST) -> str:
    """A text for a message: as it is, or as Python writes it where it has characters that are not shown.

    Of one that has more than `most` characters, the beginning and the end.
    """
    # A line break inside a name would break the one-line message.
    return shortened(text if text.isprintable() else repr(text), most)


def has_manifest(folder: Path) -> bool:
    """Whether a manifest says what the images are."""
    # lexists: a manifest that cannot be read must not be passed over silently.
    return os.path.lexists(folder / MANIFEST)


def is_ignored(path: str) -> bool:
    """Whether a path leads to or through what is not taken for an image; that a list names it does not make it one."""
    return any(map(ignored_files.is_ignored, PurePosixPath(path).parts))


def from_manifest(folder: Path, naming: CropNaming, bad: BadFiles) -> tuple[list[Entry], list[str]]:
    """The images that a manifest names, and what a person should know of them, in lines.

    Arguments:
        folder: holds the manifest.
        naming: CropNaming.
        bad: is told of rows that cannot be understood.

    Raises:
        WoolError: the manifest cannot be understood at all.
        OSError: it cannot be read.
    """
    table = csv_tables.read(folder / MANIFEST)
    _check_header(folder / MANIFEST, table, naming)
    _check_labels(folder / MANIFEST, table, naming)
    find, names = Folder(folder), {kind: Spellings(kind) for kind in ("groups", "scans", "types of defects")}
    entries, ignored, by_name = [], [], 0
    for line, row in table.rows:
        written, label, *others = table.chosen(row, COLUMNS + OPTIONAL)
        group, defect, scan, boxes = map(said, others)
        path, boxes = find.path(written) if written else "", table.number(boxes)
        if is_ignored(path):
            ignored.append(path)
            continue
        if not group and path:
            group = naming.sample(path)
            by_name += bool(group)
        reason = _row_flaw(path, label, cleaned(group), naming) or _boxes_flaw(path, boxes)
        if reason:
            bad.add(f"{MANIFEST} line {line}:", reason)
            continue
        found = naming.label(label)
        assert found is not None, "labels are checked above"
        types = "+".join(names["types of defects"].read(each) for each in defect.split("+"))
        scan = names["scans"].read(scan.replace("\\", "/"))
        entries.append(Entry(path, found, names["groups"].read(group), types, scan, boxes))
    remarks = [*table.remarks, *(line for each in names.values() for line in each.remarks()), *_ignored(ignored)]
    if naming.sample_from is not None and not by_name:
        remarks.append(f"`sample_from` is not used: {MANIFEST} names the group of every image")
    return entries, remarks


def _check_header(manifest: Path, table: csv_tables.CsvTable, naming: CropNaming) -> None:
    needed = COLUMNS if naming.sample_from is None else COLUMNS[:2]
    missing = [column for column in needed if column not in table.header]
    if missing:
        raise WoolError(
            f"{manifest}: column {missing[0]!r} is missing; the first line must name path, label and group, "
            f"separated by commas or semicolons, got {table.first_line}"
        )


def _check_labels(manifest: Path, table: csv_tables.CsvTable, naming: CropNaming) -> None:
    """Raises WoolError where every label is an unknown one: then they are called otherwise, and are no mistakes."""
    labels = {cleaned(table.chosen(row, ["label"])[0]) for _, row in table.rows} - {""}
    if labels and not any(naming.label(label) is not None for label in labels):
        found = _some(sorted(labels))
        raise WoolError(f"{manifest}: labels must be {_wanted(naming)}; found {found}; map them with {LABELS}")


def _wanted(naming: CropNaming) -> str:
    return " or ".join(label for labels in naming.labels for label in labels)


def _some(found: list[str]) -> str:
    return few([printable(each, LONGEST) for each in found], 6)


def _row_flaw(path: str, label: str, group: str, naming: CropNaming) -> str | None:
    if not path:
        return "path is empty"
    if naming.label(label) is None:
        told = f"label of {quoted(path)} must be {_wanted(naming)}, got {quoted(label)}"
        return f"{told}; correct it, or map it with {LABELS}"
    if not group and naming.sample_from is not None:
        return f"{quoted(path)} {NO_SAMPLE}"
    if not group:
        return f"group of {quoted(path)} is empty; name the physical sample that it shows"
    return None


def _boxes_flaw(path: str, boxes: str) -> str | None:
    for box in filter(str.strip, boxes.split(";")):
        try:
            left, top, right, bottom = map(float, box.split())
        except ValueError:
            left = top = right = bottom = 0.0
        if not (0 <= left < right and 0 <= top < bottom):
            rule = "must be x0 y0 x1 y1 in pixels, with semicolons between boxes"
            return f"boxes of {quoted(path)} {rule}, got {quoted(box.strip())}"
    return None


def from_class_folders(folder: Path, naming: CropNaming, bad: BadFiles) -> tuple[list[Entry], list[str]]:
    """The images in class folders, each a sample of its own unless `naming` finds its sample, and remarks.

    Arguments and errors are as for `from_manifest`.
    """
    folders = class_folders(folder, naming)
    _check_folders(folder, folders, naming)
    groups, entries, ignored = Spellings("groups"), [], []
    for label, names in enumerate(folders):
        for path in sorted(f"{name}/{file}" for name in names for file in os.listdir(folder / name)):
            sample = naming.sample(path)
            if is_ignored(path):
                ignored.append(path)
            elif not path.lower().endswith(SUFFIXES):
                bad.add(path, _stranger(folder / path))
            elif naming.sample_from is None:
                entries.append(Entry(path, label, group=nfc(path)))
            elif cleaned(sample):
                entries.append(Entry(path, label, groups.read(sample)))
            else:
                bad.add(path, NO_SAMPLE)
    known = {name for names in folders for name in names}
    others = [f"{name}/" for name in _folders(folder) if name not in known and _holds_images(folder / name)]
    beside = [f"folders with images that are of neither class, and are not used: {_some(others)}"] if others else []
    return entries, [*groups.remarks(), *_ignored(ignored), *beside]


def _stranger(path: Path) -> str:
    if os.path.isdir(path):
        return f"is a folder; move its images up into that of their class, or list them in a {MANIFEST}"
    return f"is not an image; only {', '.join(SUFFIXES)} belong here"


def class_folders(folder: Path, naming: CropNaming) -> tuple[list[str], list[str]]:
    """Names of the class folders of each class, in the order of `CLASSES`."""
    sound, defective = ([name for name in _folders(folder) if cleaned(name) in labels] for labels in naming.labels)
    return sound, defective


def _folders(folder: Path) -> list[str]:
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if not ignored_files.is_ignored(entry.name)]
    # A link that leads round in a circle is no folder; `DirEntry.is_dir` would raise.
    return sorted(name for name in names if os.path.isdir(folder / name))


def _holds_images(folder: Path) -> bool:
    try:
        return any(name.lower().endswith(SUFFIXES) for name in os.listdir(folder))
    except OSError:  # It is not used in any case.
        return False


def _check_folders(folder: Path, found: Iterable[list[str]], naming: CropNaming) -> None:
    sound, defective = found
    if sound and defective:
        return
    others = [f"{name}/" for name in _folders(folder) if name not in (*sound, *defective)]
    first, second = (f"{labels[0]}/" for labels in reversed(naming.labels))
    if not sound and not defective:
        advice = f"found {_some(others)}; map them with {LABELS}" if others else "add either"
        raise WoolError(f"{folder}: has neither a {MANIFEST} nor the folders {first} and {second}; {advice}")
    missing, setting = (first, "`defective_label`") if sound else (second, "`non_defective_label`")
    advice = f"; found {_some(others)}; map one with {setting}" if others else ""
    raise WoolError(f"{folder}: no folder {missing}; both classes are needed{advice}")


def _ignored(paths: list[str]) -> Iterator[str]:
    if paths:
        yield ignored_files.told(paths)
