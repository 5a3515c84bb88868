"""A campaign of simulated X-ray scans of mineral wool, as Rafiei et al. made one (section III).

Some samples are clean, some have defects; each is scanned from one to three angles on a belt. Product, cut, number of
scans, angles and noise are drawn before and apart from the defects, from the same distributions for both.
"""

import contextlib
import dataclasses
import json
import signal
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
from PIL import Image

from wool_board import atomic_file
from wool_board.json_text import parsed
from wool_tf import quiet
from wool_tf.errors import BadSetting, WoolError
from wool_tf.progress import Count
from wool_tf.seeds import BaseSeed
from wool_tf.settings import check, same, setting
from wool_tf.simulation import defects, projection, xray
from wool_tf.simulation.projection import BELT, Pose, rotation
from wool_tf.simulation.wool import Product

SETTINGS = "simulation.json"
VERSION = 5
"""Raise it when the same campaign gives other images."""

SHARES = {"clean": 70 / 153, "scans": 316 / 153}
"""Of the number of samples, in the paper."""

VIEWS = 3
LEAST_LINES = 320
HEIGHT = 200.0
"""mm of height that the machine takes."""

LEVEL = 0.25
"""kg/m² of stone, or of what attenuates like it: a box holds what of a defect is above."""

LEAST_BOX = 6
"""Pixels; smaller boxes are widened."""

REFERENCE_LINES = 400


@dataclasses.dataclass(frozen=True)
class Campaign:
    """What is scanned; by default what the paper scanned, and of other numbers of samples the same shares.

    Raises:
        BadSetting: a value breaks its rule.
    """

    samples: int = setting(153, "Physical samples.", at_least=2, at_most=99999)
    clean: int = setting(None, "Samples without a visible defect, not all of them; default: the paper's share.")
    scans: int = setting(None, f"Scans of all samples, 1 to {VIEWS} of each; default: the paper's share.")
    seed: int = same(BaseSeed, "seed")
    contrast: float = setting(
        1.0, "How visible the defects are; at 1 thresholding does as in the paper.", at_least=0.5, at_most=4
    )

    def __post_init__(self) -> None:
        check(self)
        ranges = {"clean": (1, self.samples - 1), "scans": (self.samples, VIEWS * self.samples)}
        for name, (least, most) in ranges.items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, min(max(round(self.samples * SHARES[name]), least), most))
            if not least <= getattr(self, name) <= most:
                raise BadSetting(name, getattr(self, name), f"must be from {least} to {most}")

    def defective(self) -> np.ndarray:
        """(samples,) bool, which samples have visible defects."""
        return np.random.default_rng((self.seed, 0)).permutation(self.samples) >= self.clean

    def views(self) -> np.ndarray:
        """(samples,) int, how many scans each sample gets."""
        rng = np.random.default_rng((self.seed, 1))
        extra = rng.permutation(self.samples * (VIEWS - 1))[: self.scans - self.samples] // (VIEWS - 1)
        return 1 + np.bincount(extra, minlength=self.samples)


@dataclasses.dataclass(frozen=True)
class SimulatedScan:
    """One scan.

    Attributes:
        counts: (lines, elements) uint16.
        angle: how the sample lay, in words.
        boxes: (kind, (x, y, width, height) in pixels) of every defect.
    """

    counts: np.ndarray
    angle: str
    boxes: tuple[tuple[str, tuple[int, int, int, int]], ...]


def scans(campaign: Campaign, number: int) -> list[SimulatedScan]:
    """All scans of one sample, numbered from 0."""
    streams = [np.random.default_rng((campaign.seed, 2, number, part)) for part in range(4)]
    product = Product.draw(streams[0])
    found = defects.draw_invisible(product, streams[1])
    if campaign.defective()[number]:
        found += defects.draw(product, campaign.contrast, streams[2])
    poses = _poses(product, streams[3])
    detector = _detector(campaign)
    return [
        _scan(product, found, *poses[view], detector, np.random.default_rng((campaign.seed, 3, number, view)))
        for view in range(campaign.views()[number])
    ]


def _detector(campaign: Campaign) -> xray.Detector:
    return xray.Detector.draw(np.random.default_rng((campaign.seed, 4)))


def _poses(product: Product, rng: np.random.Generator) -> list[tuple[str, Pose, int]]:
    """Three ways to lay a product on the belt: words, pose, lines of the scan."""
    length, width, thickness = product.size
    ways = [("upside down", 180.0, 0.0)]
    if width <= HEIGHT and thickness >= 100:
        ways.append(("on its side", 90.0, 0.0))
    if length <= 440:
        ways.append(("turned by 90° on the belt", 0.0, 90.0))
    tilt = float(rng.integers(10, 31))
    if width * np.sin(np.radians(tilt)) + thickness * np.cos(np.radians(tilt)) <= HEIGHT:
        ways.append((f"tilted by {tilt:.0f}° about the belt", tilt, 0.0))
    yaw = float(rng.integers(8, 26))
    ways.append((f"upside down, turned by {yaw:.0f}° on the belt", 180.0, yaw))
    chosen = [ways[index] for index in rng.permutation(len(ways))[: VIEWS - 1]]
    return [(words, *_laid(product, roll, yaw, rng)) for words, roll, yaw in [("flat", 0.0, 0.0), *chosen]]


def _laid(product: Product, roll: float, yaw: float, rng: np.random.Generator) -> tuple[Pose, int]:
    # The body's axes along, across, up become the machine's y, x, z, from a right-handed to a right-handed system.
    upright = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    turn = rotation(2, yaw + rng.normal(0, 1.5)) @ rotation(1, roll) @ upright
    reach = np.abs(turn) @ product.size
    lines = max(LEAST_LINES, int((reach[1] + rng.uniform(30, 70)) / xray.PITCH))
    y = lines * xray.PITCH / 2 + rng.uniform(-10, 10)
    return Pose(turn, np.array([rng.normal(0, 8), y, BELT + reach[2] / 2])), lines


def _scan(
    product: Product,
    found: list[defects.Defect],
    angle: str,
    pose: Pose,
    lines: int,
    detector: xray.Detector,
    rng: np.random.Generator,
) -> SimulatedScan:
    wool = product.project(pose, lines, rng)
    boxes = []
    inclusions: dict[str, np.ndarray] = {}
    for defect in found:
        shadow = np.zeros_like(wool)
        for part in defect.parts:
            weight = projection.project(part, pose, lines)
            inclusions[part.material] = inclusions.get(part.material, 0) + weight
            shadow += weight * defects.strength(part.material)
        box = _box(shadow, LEVEL if defect.kind in defects.VISIBLE else 1e-6)
        if box:
            boxes.append((defect.kind, box))
    mean, variance = xray.behind(wool, inclusions)
    return SimulatedScan(detector.expose(mean, variance, rng), angle, tuple(boxes))


def _box(shadow: np.ndarray, level: float) -> tuple[int, int, int, int] | None:
    """Box around what exceeds a level, or None where nothing does."""
    ranges = []
    for axis in (0, 1):
        above = np.flatnonzero((np.abs(shadow) > level).any(axis=axis))
        if not len(above):
            return None
        side = shadow.shape[1 - axis]
        size = max(LEAST_BOX, above[-1] - above[0] + 1)
        first = int(np.clip((above[0] + above[-1] + 1 - size) // 2, 0, side - size))
        ranges.append((first, int(size)))
    (x, width), (y, height) = ranges
    return x, y, width, height


def write(folder: Path | str, campaign: Campaign, jobs: int = 1, progress: Count | None = None) -> Path:
    """Writes the scans of a campaign, unless they are there already.

    Arguments:
        folder: new or empty folder, or one that this function filled with the same campaign.
        campaign: Campaign.
        jobs: int. Processes at work.
        progress: told the number of finished scans, and of all.

    Returns:
        The folder, holding `scans/S001_0.png` and so on (16-bit counts), `dark.png`, `bright.png` and
        `annotations.json` (COCO).

    Raises:
        WoolError: the folder holds something else or cannot be written, or spekpy or xraydb is missing.
    """
    folder, settings = Path(folder), {"version": VERSION, **dataclasses.asdict(campaign)}
    try:
        if _holds(folder, settings):
            return folder
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise WoolError(f"{folder}: holds something other than {campaign}; delete it or give a new folder")
        if flaw := atomic_file.folder_flaw(folder):
            raise WoolError(f"{folder}: {flaw}")
        _write_all(folder, campaign, settings, jobs, progress or (lambda done, units: None))
    except OSError as error:
        raise WoolError(f"{folder}: cannot be written ({error.strerror}); give another folder") from None
    return folder


def _holds(folder: Path, settings: dict) -> bool:
    try:
        return parsed((folder / SETTINGS).read_text()) == settings
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False


def _write_all(folder: Path, campaign: Campaign, settings: dict, jobs: int, progress: Count) -> None:
    with atomic_file.folder(folder) as partial:
        (partial / "scans").mkdir()
        rng = np.random.default_rng((campaign.seed, 5))
        for name, lines in zip(("dark", "bright"), _detector(campaign).references(REFERENCE_LINES, rng), strict=True):
            Image.fromarray(lines).save(partial / f"{name}.png", compress_level=1)
        described, done = {}, 0
        for number, images in _write_samples(partial, campaign, jobs):
            described[number] = images
            done += len(images)
            progress(done, campaign.scans)
        images = [image for number in sorted(described) for image in described[number]]
        (partial / "annotations.json").write_text(json.dumps(_coco(images, campaign), indent=1))
        (partial / SETTINGS).write_text(json.dumps(settings))


def _write_samples(folder: Path, campaign: Campaign, jobs: int) -> Iterator[tuple[int, list[dict]]]:
    """Writes the scans of all samples and yields what `_write_sample` returns, in any order."""
    import joblib

    if jobs > 1:
        quiet.start_tracker()
    # Ctrl-C reaches the whole process group; the main process ends its workers itself, without their tracebacks.
    workers = {"initializer": signal.signal, "initargs": (signal.SIGINT, signal.SIG_IGN)} if jobs > 1 else {}
    parallel = joblib.Parallel(jobs, backend="loky" if jobs > 1 else "sequential", return_as="generator_unordered",
                               batch_size=1, **workers)  # fmt: skip
    try:
        with contextlib.closing(
            parallel(joblib.delayed(_write_sample)(folder, campaign, number) for number in range(campaign.samples))
        ) as finished:
            yield from finished
    except BrokenProcessPool:
        raise WoolError("a process was killed, most likely because memory ran out; use fewer jobs") from None


def _write_sample(folder: Path, campaign: Campaign, number: int) -> tuple[int, list[dict]]:
    """Writes the scans of a sample; returns its number and what to say of each scan."""
    described, sample = [], f"S{number + 1:03d}"
    for view, scan in enumerate(scans(campaign, number)):
        name, lines = f"scans/{sample}_{view}.png", len(scan.counts)
        Image.fromarray(scan.counts).save(folder / name, compress_level=1)
        about = {"file_name": name, "width": xray.ELEMENTS, "height": lines, "sample": sample, "angle": scan.angle}
        described.append(about | {"dark": "dark.png", "bright": "bright.png", "boxes": scan.boxes})
    return number, described


def _coco(described: list[dict], campaign: Campaign) -> dict:
    images: list[dict] = []
    annotations: list[dict] = []
    for image in described:
        boxes = image.pop("boxes")
        images.append({"id": len(images) + 1, **image})
        for kind, (x, y, width, height) in boxes:
            annotations.append({"id": len(annotations) + 1, "image_id": len(images), "bbox": [x, y, width, height],
                                "category_id": defects.KINDS.index(kind) + 1, "area": width * height,
                                "iscrowd": 0})  # fmt: skip
    categories = [
        {"id": number, "name": kind, "supercategory": "defect"} for number, kind in enumerate(defects.KINDS, 1)
    ]
    info = {"description": "simulated X-ray scans of mineral wool", "version": str(VERSION)}
    info |= dataclasses.asdict(campaign)
    return {"info": info, "images": images, "annotations": annotations, "categories": categories}
