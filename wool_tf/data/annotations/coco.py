"""COCO files as labelling tools write them: CVAT, Label Studio, Roboflow, VIA and labelme2coco.

Of an image the keys `id`, `file_name`, `width`, `height` and, beyond COCO, `sample`, `dark` and `bright` are read; of
an annotation `bbox`, or the box around its polygons where that is missing. The `attributes` of CVAT may turn a box by a
`rotation`, in degrees; then the box around the turned one counts.
"""

import math
import urllib.parse
from collections.abc import Callable, Hashable
from pathlib import Path, PurePosixPath

from wool_board.json_text import parsed
from wool_tf.data import csv_tables
from wool_tf.data.annotations import unsupported_exports
from wool_tf.data.annotations.listed_scans import Contents, ListedBox, ListedScan, hull, whole
from wool_tf.data.listing import BadFiles
from wool_tf.data.naming import original
from wool_tf.data.spelling import cleaned
from wool_tf.errors import WoolError, quoted

KINDS = ("images", "categories", "annotations")
NO_NAME = "has no file name"
RLE = "is a mask in RLE without a box, which is not read; export boxes or polygons"


def document(file: Path) -> tuple[object, list[str]]:
    """The JSON of a file, and what a person should know of how it was read, in lines.

    Raises:
        WoolError: it is none.
        OSError: the file cannot be read.
    """
    try:
        text, remarks = csv_tables.text(file)
        return parsed(text), remarks
    except ValueError as error:
        raise WoolError(f"{file}: is not JSON ({error})") from None


def read(file: Path, locate: Callable[[str], str], bad: BadFiles) -> Contents:
    """What a COCO file says.

    Arguments:
        file: the file.
        locate: gives the path in the folder for a path in the file.
        bad: is told what is wrong.

    Raises:
        WoolError: it is no COCO file.
        OSError: it cannot be read.
    """
    found, remarks = document(file)
    images, categories, marks = (_by_id(file, found, kind, bad) for kind in KINDS)
    scans = [scan for key, image in images.items() if (scan := _scan(key, image, locate, bad)) is not None]
    boxes = [box for key, mark in marks.items() if (box := _box(key, mark, images, categories, bad))]
    return Contents(scans, boxes, tuple(remarks))


def _by_id(file: Path, found: object, kind: str, bad: BadFiles) -> dict[Hashable, dict]:
    records = found.get(kind) if isinstance(found, dict) else None
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        other = unsupported_exports.of_json(found)
        raise WoolError(f"{file}: is {other}" if other else f"{file}: is not COCO; {kind!r} must be a list of objects")
    known: dict[Hashable, dict] = {}
    for position, record in enumerate(records):
        key = _key(record.get("id"))
        if key is None and kind == "annotations":
            key = f"[{position}]"  # Nothing refers to it.
        if key is None:
            bad.add(f"{kind}[{position}]", "has no id")
        elif key in known:
            bad.add(f"{kind}[{position}]", f"has the id {key} of another one")
        else:
            known[key] = record
    return known


def _key(value: object) -> int | str | None:
    """An id, whether the tool wrote 7, 7.0 or "7"."""
    value = whole(value)
    return value if isinstance(value, int | str) and not isinstance(value, bool) else None


def _scan(key: Hashable, image: dict, locate: Callable[[str], str], bad: BadFiles) -> ListedScan | None:
    where = f"image {key}:"
    path, dark, bright = (image.get(name) or "" for name in ("file_name", "dark", "bright"))
    if not all(isinstance(name, str) for name in (path, dark, bright)):
        bad.add(where, NO_NAME)
        return None
    # Label Studio names files of its storage by the address under which it serves them.
    _, served, query = path.partition("?d=")
    path = urllib.parse.unquote(query) if served else path
    extra = image.get("extra")
    name = extra.get("name") if isinstance(extra, dict) else None
    if not isinstance(name, str) or not name:
        name = original(PurePosixPath(path.replace("\\", "/")).name)
    size = whole(image.get("width")), whole(image.get("height"))
    told = not any(value in (None, "", 0, -1) for value in size)
    dark, bright = (locate(reference) if reference else "" for reference in (dark, bright))
    found = locate(path) if path else ""
    return ListedScan(where, key, found, name, image.get("sample"), dark, bright, size if told else None)


def _box(key: Hashable, mark: dict, images: dict, categories: dict, bad: BadFiles) -> ListedBox | None:
    where = f"annotation {key}:"
    image, category = _key(mark.get("image_id")), _key(mark.get("category_id"))
    if image not in images:
        bad.add(where, f"image_id {quoted(mark.get('image_id'))} is none of the images")
        return None
    if category not in categories:
        bad.add(where, f"category_id {quoted(mark.get('category_id'))} is none of the categories")
        return None
    numbers, outline = mark.get("bbox"), mark.get("segmentation")
    flaw = ""
    if not numbers and isinstance(outline, dict):
        flaw = RLE
    elif not numbers and isinstance(outline, list) and outline:
        try:
            # VIA leaves out the list around a single polygon.
            numbers = hull(outline if isinstance(outline[0], list) else [outline])
        except ValueError:
            flaw = "has a segmentation that is no list of polygons"
    if isinstance(numbers, list) and numbers and not outline:
        numbers, flaw = _turned(numbers, mark, images[image])
    name = categories[category].get("name")
    return ListedBox(where, image, numbers, cleaned(str(name)), flaw)


def _turned(numbers: list, mark: dict, image: dict) -> tuple[list, str]:
    """The box around one that CVAT turns about its middle, within the image, and what is wrong with it."""
    attributes = mark.get("attributes")
    angle = attributes.get("rotation", 0) if isinstance(attributes, dict) else 0
    try:
        turn = math.radians(float(angle))
        if not turn % math.pi:
            return numbers, ""
        x, y, width, height = map(float, numbers)
        cosine, sine = abs(math.cos(turn)), abs(math.sin(turn))
    except (TypeError, ValueError, OverflowError):
        told = f"has the rotation {quoted(angle)}, which does not go with its box"
        return numbers, f"{told}; turn it to 0, or draw a polygon"
    across, along = width * cosine + height * sine, width * sine + height * cosine
    left, top = x + (width - across) / 2, y + (height - along) / 2
    right, bottom = left + across, top + along
    # Of a turned box, corners may well stick out.
    columns, lines = (whole(image.get(name)) for name in ("width", "height"))
    if isinstance(columns, int) and isinstance(lines, int) and min(columns, lines) > 0:
        left, top, right, bottom = max(left, 0), max(top, 0), min(right, columns), min(bottom, lines)
    return [left, top, right - left, bottom - top], ""
