"""A folder of scans becomes a folder of crops of two classes; `frames` chooses which."""

import csv
import dataclasses
import hashlib
import itertools
import json
import logging
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from wool_board import atomic_file
from wool_board.errors import BadFile
from wool_board.image import references
from wool_board.image.decoding import SUFFIXES
from wool_board.image.flat_field import grey
from wool_board.image.ignored_files import is_ignored
from wool_board.json_text import parsed
from wool_board.model.card import MAX_PIXEL_MM, MIN_PIXEL_MM
from wool_tf import files
from wool_tf.data import frames, sample_bits, windows
from wool_tf.data.annotations import scans
from wool_tf.data.annotations.scans import Scan, ScanConfig
from wool_tf.data.frames import Crop, Frame, FrameChoice
from wool_tf.data.listing import CLASSES, COLUMNS, MANIFEST, BadFiles
from wool_tf.data.spelling import nfc
from wool_tf.data.survey import Optics, survey
from wool_tf.errors import BadSetting, WoolError
from wool_tf.seeds import BaseSeed
from wool_tf.settings import same, setting

log = logging.getLogger(__name__)

IMAGING = "imaging.json"
"""How the crops were imaged: scans that a network trained on them is to judge must be imaged in the same way."""

VERSION = 2
"""Raise it when the same settings and scans give other crops."""


@dataclasses.dataclass(frozen=True)
class CropConfig(ScanConfig):
    """How crops are cut.

    Raises:
        BadSetting: a value breaks its rule.
    """

    side: int = setting(244, "Height and width of a crop in pixels.", at_least=32)
    frame_lines: int = setting(320, "Lines of a frame, of which one crop is cut; at least the side.", at_least=32)
    defective: int | None = setting(
        None, "How many defective crops are drawn at random; default: as many as there are.", at_least=1
    )
    non_defective: int | None = setting(
        None,
        "How many non-defective crops; default: as many as defective ones, of half of the frames at most.",
        at_least=1,
    )
    seed: int = same(BaseSeed, "seed")
    window: tuple[float, float] | None = setting(
        None,
        "LOW,HIGH: attenuation shown as white and as black; default: 0 and the 99.9th percentile of what all scans "
        "show, without pixels that the beam does not reach.",
    )
    pixel_mm: float = setting(
        0.8, "Distance of pixels in mm, written into imaging.json.", at_least=MIN_PIXEL_MM, at_most=MAX_PIXEL_MM
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.frame_lines < self.side:
            raise BadSetting("frame_lines", self.frame_lines, f"must be at least the crop's side, {self.side}")
        if self.window and not (len(self.window) == 2 and -math.inf < self.window[0] < self.window[1] < math.inf):
            raise BadSetting("window", self.window, "must be LOW,HIGH in attenuation, LOW < HIGH")


@dataclasses.dataclass(frozen=True)
class CropResult:
    """What was cut.

    Attributes:
        choice: the crops, and why frames gave none.
        lost_boxes: visible boxes in the last lines of a scan, too few for a frame.
        window: attenuation shown as white and as black.
        repaired: the elements repaired, by the name of the bright reference that showed them.
        remarks: on pixels without signal and on saturation, a sentence each.
    """

    choice: FrameChoice
    lost_boxes: int
    window: tuple[float, float]
    repaired: dict[str, tuple[int, ...]]
    remarks: tuple[str, ...]


def write(folder: Path, out: Path, settings: CropConfig) -> CropResult | None:
    """Cuts crops from a folder of scans.

    The scans are read one at a time: for the range of their values, unless it takes all of 16 bits; for the window and
    the product's extent; and for the crops.

    Arguments:
        folder: holds the scans and their annotations, see `annotations.scans`.
        out: new or empty folder, or one that this function filled from the same scans with the same settings.
        settings: how.

    Returns:
        What was cut, or None if `out` holds it already. It holds `defective/*.png`, `non_defective/*.png` (8-bit grey,
        denser is darker), `manifest.csv` (path, label, group, defect, scan, x, y, boxes) and `imaging.json`.

    Raises:
        WoolError: a scan, an annotation or a reference is wrong, or there are fewer crops than asked for.
    """
    try:
        found = scans.load(folder, settings)
        log.info(f"{len(found)} scans of {len({scan.sample for scan in found})} samples")
        found = scans.with_references(found, folder, settings)
        unnamed = _unnamed(folder, found)
        if unnamed:
            log.info(f"{unnamed} images beside the scans are not in the annotations, and are not used")
        inputs = _fingerprint(folder, found, settings)
        if _holds(out, inputs):
            return None
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise WoolError(f"{out}: holds something other than these crops; delete it or give a new folder")
        if flaw := atomic_file.folder_flaw(out):
            raise WoolError(f"{out}: {flaw}")
    except OSError as error:
        if error.filename is None:  # What was said could not be written.
            raise
        raise WoolError(f"{error.filename}: cannot be read ({error.strerror})") from None
    pairs = sorted({(scan.dark, scan.bright) for scan in found if scan.dark})
    optics = _optics(folder, found, pairs, settings)
    seen = survey(found, optics, settings.side, settings.frame_lines)
    window = settings.window or windows.default_window(seen.counts)
    log.info(f"{len(seen.frames)} frames surveyed; attenuation {window[0]:g} to {window[1]:g} is white to black")
    wanted = settings.non_defective, settings.defective
    choice = frames.choose(seen.frames, settings.side, settings.defects, wanted, settings.seed)
    imaging = {
        "version": VERSION,
        "window": window,
        "crop": settings.side,
        "pixel_mm": settings.pixel_mm,
        "references": [dict(zip(("dark", "bright"), _digests(pair), strict=True)) for pair in pairs],
        "open_beam": settings.open_beam,
        "scan_white": optics.white,
        "inputs": inputs,
    }
    names = dict(zip((scan.path for scan in found), _names(found), strict=True))
    _write_all(out, _cut_out(optics, choice.crops, names, window, settings), imaging)
    repaired = {pair[1]: correction.bad for pair, correction in optics.corrections.items()}
    return CropResult(choice, _lost_boxes(found, seen.frames, settings), window, repaired, tuple(seen.remarks()))


def _optics(folder: Path, found: tuple[Scan, ...], pairs: Sequence[tuple[str, str]], settings: CropConfig) -> Optics:
    """How the scans become attenuation, from their references and the range of all values."""
    paths = [*(Path(file) for pair in pairs for file in pair), *(folder / scan.path for scan in found)]
    white = sample_bits.of_scans(folder, [path for path in paths if path.is_file()], settings.raw, settings.given_white)
    if not pairs:
        log.info(sample_bits.without_references(settings.open_beam, white))
    corrections = {
        pair: references.correction(Path(pair[0]), Path(pair[1]), settings.raw, white=white) for pair in pairs
    }
    return Optics(folder, corrections, settings.raw, settings.open_beam, white)


def _unnamed(folder: Path, found: tuple[Scan, ...]) -> int:
    """How many images lie where the scans do, and are neither scans nor references."""
    known = {(folder / scan.path).resolve() for scan in found}
    known |= {Path(file).resolve() for scan in found for file in (scan.dark, scan.bright) if file}
    places = {(folder / scan.path).parent for scan in found}
    beside = (file for place in places for file in place.iterdir() if not is_ignored(file.name))
    files = (file for file in beside if file.suffix.lower() in SUFFIXES)
    return sum(file.resolve() not in known for file in files)


def _fingerprint(folder: Path, found: tuple[Scan, ...], settings: CropConfig) -> str:
    """SHA-256 in hex of everything that the crops depend on, wherever it lies."""
    bad = BadFiles(folder)
    contents: dict[str, str] = {}
    names: dict[str, str] = {}
    for scan, name in zip(found, _names(found), strict=True):
        first = contents.setdefault(files.sha256(folder / scan.path), scan.path)
        if first != scan.path:
            bad.add(scan.path, f"is the same scan as {first}; remove one")
        first = names.setdefault(name.lower(), scan.path)
        if first != scan.path:
            bad.add(scan.path, f"and {first} would both be called {name}; rename one")
    bad.refuse()
    pairs = {(scan.dark, scan.bright) for scan in found if scan.dark}
    references = {pair: _digests(pair) for pair in pairs}
    listed = [
        dataclasses.asdict(scan)
        | {"path": nfc(scan.path), "dark": None, "bright": references.get((scan.dark, scan.bright))}
        for scan in found
    ]
    # Where samples came from makes no difference, only which they are.
    about = dataclasses.asdict(settings) | {"dark": None, "bright": None, "sample_from": None}
    if settings.white is None:  # Folders from before it could be given stay valid.
        del about["white"]
    return hashlib.sha256(json.dumps([VERSION, about, listed, list(contents)]).encode()).hexdigest()


def _digests(pair: tuple[str, str]) -> list[str]:
    return [files.sha256(Path(name)) for name in pair]


def _names(found: tuple[Scan, ...]) -> list[str]:
    """The scans' paths without what all of them share and without suffix: the first part of a crop's name."""
    paths = [PurePosixPath(nfc(scan.path)) for scan in found]
    shared = os.path.commonpath([path.parent for path in paths])
    return ["-".join(path.relative_to(shared).with_suffix("").parts) for path in paths]


def _holds(out: Path, inputs: str) -> bool:
    try:
        return parsed((out / IMAGING).read_text())["inputs"] == inputs and (out / MANIFEST).exists()
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError):
        return False


def _lost_boxes(found: tuple[Scan, ...], surveyed: list[Frame], settings: CropConfig) -> int:
    ends = {frame.scan.path: frame.area.y1 for frame in surveyed}
    boxes = [(scan.path, box) for scan in found for box in scan.boxes if box.defect in settings.defects]
    return sum((box.y0 + box.y1) // 2 >= ends.get(path, 0) for path, box in boxes)


def _cut_out(
    optics: Optics,
    crops: Iterable[Crop],
    names: dict[str, str],
    window: tuple[float, float],
    settings: CropConfig,
) -> Iterator[tuple[np.ndarray, list]]:
    """The crops' pixels with their rows of the manifest; every scan is read once."""
    for scan, those in itertools.groupby(crops, lambda crop: crop.frame.scan):
        path = scan.path
        try:
            lines, correction = optics.lines(scan), optics.correction(scan)
        except BadFile as flaw:
            raise WoolError(f"{optics.folder}: {path} {flaw}; it changed while it was read") from None
        for crop in those:
            area, label = crop.area, CLASSES[crop.label]
            attenuation = correction.attenuation(lines[area.y0 : area.y1])[:, area.x0 : area.x1]
            file = f"{label}/{names[path]}_{crop.frame.number}.png"
            place = nfc(path), area.x0, area.y0, _boxes(crop, settings.defects)
            yield grey(attenuation, window), [file, label, scan.sample, crop.defect, *place]


def _boxes(crop: Crop, defects: Sequence[str]) -> str:
    """The visible defects of a crop, in its pixels: `x0 y0 x1 y1` of each, with semicolons between them."""
    area = crop.area
    visible = [box for box in crop.frame.scan.boxes if box.defect in defects and box.touches(area)]
    sides = [(max(box.x0 - area.x0, 0), max(box.y0 - area.y0, 0), min(box.x1, area.x1) - area.x0,
              min(box.y1, area.y1) - area.y0) for box in visible]  # fmt: skip
    return ";".join(" ".join(map(str, ends)) for ends in sides)


def _write_all(out: Path, crops: Iterable[tuple[np.ndarray, list]], imaging: dict) -> None:
    try:
        with atomic_file.folder(out) as partial:
            for name in CLASSES:
                (partial / name).mkdir()
            with open(partial / MANIFEST, "w", newline="", encoding="utf-8") as file:
                rows = csv.writer(file)
                rows.writerow([*COLUMNS, "defect", "scan", "x", "y", "boxes"])
                for pixels, row in crops:
                    Image.fromarray(pixels).save(partial / row[0])
                    rows.writerow(row)
            (partial / IMAGING).write_text(json.dumps(imaging, indent=1) + "\n")
    except OSError as error:
        raise WoolError(f"{out}: cannot be written ({error.strerror}); give another folder or make room") from None
