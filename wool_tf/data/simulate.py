"""A stand-in for X-rayed mineral wool: the data that comes with the project.

It keeps the outline of the physics and simplifies the rest; it is not a physical simulator, and results on it say
nothing of real wool. Kept: Beer-Lambert attenuation of one effective energy; defects as bodies in three dimensions,
seen from several angles with their mass conserved; a column gain error, as a line detector leaves it; quantum and
electronic noise. Simplified: fibres are band-passed oriented noise rather than fibres, drawn anew for each angle with
the parameters of their sample; no spectrum, scatter or beam divergence.

The defects are those of Rafiei et al., section II, that X-rays show: D1 drops of melt, D2 lumps of binder, D3 clusters
of small shots and D6 dirt.
"""

import csv
import json
import os
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from wool_tf.data.dataset import CLASSES, COLUMNS, MANIFEST
from wool_tf.errors import WoolError

SETTINGS = "simulation.json"
VERSION = 1
"""Raise it when the same settings give other images."""

EXTENT = 195.2
"""Side of a crop in mm: 244 elements of 0.8 mm, the paper's line detector."""

MARGIN = 20.0
"""A defect whose centre is nearer to the edge of a crop, in mm, is left out, and the crop counts as clean."""

ATTENUATION = 0.05
"""m²/kg, of basalt at about 40 keV; an area weight in kg/m² times this is the exponent of Beer-Lambert."""

DEFECTS = ("D1", "D2", "D3", "D6")


def write_samples(folder: Path | str, samples: int, seed: int, side: int) -> Path:
    """Writes simulated crops of wool with a manifest, unless they are there already.

    Of each two samples one is defective. A sample is scanned from two or three angles, one crop per scan, all of one
    group; a crop of a defective sample that shows none of its defect is non-defective. Sample k is the same whatever
    the number of samples. The mean grey value tells nothing of the class, for samples differ far more in area weight
    than a defect adds.

    Arguments:
        folder: new or empty folder, or one that this function filled with the same settings.
        samples: int. Physical samples, at least 2.
        seed: int, at least 0.
        side: int. Pixels along each side of a crop, at least 32; the crop spans 195.2 mm in any case.

    Returns:
        The folder, holding `defective/*.png` and `non_defective/*.png` (8-bit grey, denser is darker) and a
        `manifest.csv` with path, label, group and defect (D1, D2, D3, D6 or empty).

    Raises:
        WoolError: a number is out of its range, or the folder holds something else or cannot be written.
    """
    for name, value, least in (("samples", samples, 2), ("seed", seed, 0), ("side", side, 32)):
        if value < least:
            raise WoolError(f"{name}: must be at least {least}, got {value}")
    folder = Path(folder)
    settings = {"version": VERSION, "samples": samples, "seed": seed, "side": side}
    try:
        if _holds(folder, settings):
            return folder
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            wanted = f"{samples} samples of seed {seed} at {side} pixels"
            raise WoolError(f"{folder}: holds something other than {wanted}; delete it or give a new folder")
        _write_all(folder, settings)
    except OSError as error:
        raise WoolError(f"{folder}: cannot be written ({error.strerror}); give another folder") from None
    return folder


def _holds(folder: Path, settings: dict) -> bool:
    try:
        return json.loads((folder / SETTINGS).read_text()) == settings and (folder / MANIFEST).exists()
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False


def _write_all(folder: Path, settings: dict) -> None:
    # Made beside the folder and renamed when complete: class folders that are half full would look finished.
    partial = folder.absolute().with_name(f".{folder.name}.{os.getpid()}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        for name in CLASSES:
            (partial / name).mkdir(parents=True)
        with open(partial / MANIFEST, "w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            rows.writerow([*COLUMNS, "defect"])
            for number in range(settings["samples"]):
                for view, (crop, defect) in enumerate(simulate_sample(number, settings["seed"], settings["side"])):
                    label = CLASSES[defect != ""]
                    path = f"{label}/{number:05d}_{view}.png"
                    Image.fromarray(crop).save(partial / path, compress_level=1)
                    rows.writerow([path, label, f"S{number:05d}", defect])
        (partial / SETTINGS).write_text(json.dumps(settings))
        os.replace(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def simulate_sample(number: int, seed: int, side: int) -> list[tuple[np.ndarray, str]]:
    """The crops of one physical sample, each (side, side) uint8 with the defect that it shows ("" for none)."""
    # One toss per pair of samples keeps the classes even, and is all that two samples share.
    first_is_defective = np.random.default_rng((seed, 0, number // 2)).random() < 0.5
    defective = first_is_defective == (number % 2 == 0)
    rng = np.random.default_rng((seed, 1, number))
    base = rng.uniform(3.0, 15.0)
    texture = _texture_spectrum(rng, side)
    gain = 1 + 0.006 * rng.standard_normal(side)
    kind = str(rng.choice(DEFECTS)) if defective else ""
    bodies = _bodies(kind, rng) if defective else []
    centre = rng.uniform(-70, 70, 3)
    turn = rng.uniform(0, np.pi)
    crops = []
    for view in range(rng.integers(2, 4)):
        place = _turned(turn + view * np.pi / 3) @ centre + rng.uniform(-25, 25, 3)
        # The lab cuts and crops around a defect: the first crop of a defective sample always shows it.
        limit = EXTENT / 2 - MARGIN
        place = np.clip(place, -limit, limit) if view == 0 else place
        shown = kind if np.abs(place[:2]).max() <= limit else ""
        weight = base * np.exp(_texture(texture, rng, side))
        if shown:
            weight += _project(bodies, _turned(turn + view * np.pi / 3), place[:2], side)
        crops.append((_expose(weight, gain, rng, side), shown))
    return crops


def _turned(angle: float) -> np.ndarray:
    """Rotation about the y axis, along which the conveyor moves."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def _texture_spectrum(rng: np.random.Generator, side: int) -> np.ndarray:
    """Amplitude spectrum of the relative area weight: crossed layers of fibres, flocks and slow variation.

    The layers are independent and Gaussian, so their sum has the root of the sum of their power spectra.
    """
    pixel = EXTENT / side
    fx, fy = np.meshgrid(np.fft.rfftfreq(side, pixel), np.fft.fftfreq(side, pixel))
    main, length, width = rng.uniform(0, np.pi), rng.uniform(12, 25), rng.uniform(0.8, 1.4)
    power = 0
    for angle in (main, main + rng.uniform(0.6, 1.2), main - rng.uniform(0.6, 1.2)):
        along, across = fx * np.cos(angle) + fy * np.sin(angle), fy * np.cos(angle) - fx * np.sin(angle)
        layer = np.exp(-((2 * np.pi * along * length / 4) ** 2) - (2 * np.pi * across * width) ** 2)
        power = power + _scaled(layer, rng.uniform(0.02, 0.03), side)
    for scale, low, high in ((4, 0.02, 0.035), (12, 0.03, 0.05), (45, 0.04, 0.08)):
        cloud = np.exp(-((2 * np.pi * scale / 2) ** 2) * (fx**2 + fy**2))
        power = power + _scaled(cloud, rng.uniform(low, high), side)
    power[0, 0] = 0
    return np.sqrt(power)


def _scaled(power: np.ndarray, deviation: float, side: int) -> np.ndarray:
    """The half spectrum scaled so that white noise shaped by its root has this standard deviation."""
    both_halves = power.sum() + power[:, 1 : (side + 1) // 2].sum()
    return power * (deviation * side) ** 2 / both_halves


def _texture(spectrum: np.ndarray, rng: np.random.Generator, side: int) -> np.ndarray:
    return np.fft.irfft2(np.fft.rfft2(rng.standard_normal((side, side))) * spectrum, s=(side, side))


def _bodies(kind: str, rng: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray, float]]:
    """The bodies of a defect: (centre in mm (3,), shape (3, 3) in mm², excess density in kg/m² per mm).

    A shape is the covariance of a Gaussian body of the same mass as an ellipsoid of the density given: it looks like
    the ellipsoid after the blur of source and detector, and its projection has a closed form.
    """
    if kind == "D1":
        bodies = [_body(rng, 12, rng.uniform(2.5, 6.0, 3), 1.7) for _ in range(rng.integers(1, 4))]
    elif kind == "D2":
        bodies = [_body(rng, 7, rng.uniform(10, 20, 3), rng.uniform(0.1, 0.2)) for _ in range(2)]
    elif kind == "D3":
        bodies = [_body(rng, 8, rng.uniform(0.9, 2.0, 3), 2.2) for _ in range(rng.integers(35, 80))]
    else:
        walk = np.cumsum(rng.normal(0, 3.5, (rng.integers(5, 10), 3)), axis=0)
        flakes = [_body(rng, 1, rng.uniform((3, 1.5, 0.8), (9, 4, 1.8)), rng.uniform(0.8, 1.6)) for _ in walk]
        bodies = [(centre + step, shape, density) for step, (centre, shape, density) in zip(walk, flakes, strict=True)]
    # Around their middle: the place of the defect decides whether a crop shows it.
    middle = np.mean([centre for centre, _, _ in bodies], axis=0)
    return [(centre - middle, shape, density) for centre, shape, density in bodies]


def _body(rng: np.random.Generator, spread: float, axes: np.ndarray, density: float):
    directions = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    # A homogeneous ellipsoid has the covariance axes²/5.
    return rng.normal(0, spread, 3), directions @ np.diag(axes**2 / 5) @ directions.T, density


def _project(bodies, turn: np.ndarray, place: np.ndarray, side: int) -> np.ndarray:
    """Area weight in kg/m² of bodies turned and seen along z, (side, side).

    It sums to their mass at any angle, except for bodies smaller than a pixel, which are sampled and not integrated.
    """
    pixel = EXTENT / side
    grid = (np.arange(side) + 0.5) * pixel - EXTENT / 2
    total = np.zeros((side, side))
    for centre, shape, density in bodies:
        mass = density * 4 / 3 * np.pi * np.sqrt(np.linalg.det(5 * shape))
        # Blur of source and detector, 0.4 mm, and of the pixel itself.
        spread = (turn @ shape @ turn.T)[:2, :2] + np.eye(2) * (0.4**2 + pixel**2 / 12)
        inverse = np.linalg.inv(spread)
        middle = (turn @ centre)[:2] + place
        x, y = grid - middle[0], (grid - middle[1])[:, None]
        exponent = inverse[0, 0] * x**2 + 2 * inverse[0, 1] * x * y + inverse[1, 1] * y**2
        total += mass / (2 * np.pi * np.sqrt(np.linalg.det(spread))) * np.exp(-exponent / 2)
    return total


def _expose(weight: np.ndarray, gain: np.ndarray, rng: np.random.Generator, side: int) -> np.ndarray:
    """What the detector records of an area weight in kg/m², as 8-bit grey; the open beam is 255."""
    quanta = 6000 * (EXTENT / side / 0.8) ** 2
    counts = rng.poisson(quanta * np.exp(-ATTENUATION * weight)) * gain
    signal = counts / quanta + rng.normal(0, 0.004, weight.shape)
    return np.clip(np.rint(255 * signal), 0, 255).astype(np.uint8)
