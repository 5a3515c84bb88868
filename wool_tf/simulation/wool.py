"""Mineral wool: slabs and offcuts, laid in layers by a pendulum.

The primary web is thin and runs fast; a pendulum folds it across the line, so a slab is a stack of layers whose webs
cross each other at a small angle, overlap at their edges and undulate. A coarse field of density in three dimensions
holds this, so the views of one object agree. What is smaller than its cells, tufts, strands and fibres, is drawn again
for each view with the statistics of the product; shot of a millimetre and more has its place again.

Coordinates of the body, in mm, about its middle: along the line, across it, and through the thickness.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from wool_tf.simulation import projection
from wool_tf.simulation.projection import Bodies, Pose
from wool_tf.simulation.xray import ELEMENTS, PITCH, SOURCE

CELL = 4.0
"""mm; side of a cell of the coarse field along and across."""

PRODUCTS = (
    ("flexible batt", 32, 100),
    ("flexible batt", 32, 150),
    ("partition slab", 60, 70),
    ("partition slab", 60, 100),
    ("facade slab", 90, 100),
    ("roof board", 140, 60),
)
"""Name, density in kg/m³ and thickness in mm of what a few lines make, within what data sheets of stone wool give."""

SLAB = 1000.0, 600.0
"""mm along and across of a whole slab, the largest that the machine takes."""

SHOT = 2650.0
"""kg/m³ of solid stone melt."""


@dataclasses.dataclass(frozen=True)
class Product:
    """One object: a slab or what was cut from it.

    Attributes:
        size: (3,) mm along, across and through the thickness.
        density: kg/m³.
        normals, distances: (6, 3) and (6,), its faces as `projection.chords` takes them; an offcut's are not square.
        layers: (along, across, layer) relative density of the coarse field, about 1.
        crossing: degrees between the webs and the direction across the line.
        unevenness: relative deviation of the fine texture at an area weight of 8 kg/m².
        shot: Bodies, benign single shots.
    """

    size: np.ndarray
    density: float
    normals: np.ndarray
    distances: np.ndarray
    layers: np.ndarray
    crossing: float
    unevenness: float
    shot: Bodies

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Product":
        """A product at random: a quarter are whole slabs, the others offcuts."""
        _, density, thickness = PRODUCTS[rng.integers(len(PRODUCTS))]
        density, thickness = density * np.exp(rng.normal(0, 0.04)), thickness * np.exp(rng.normal(0, 0.02))
        whole = rng.random() < 0.25
        narrow = rng.random() < 0.12
        sides = (rng.uniform(320, 850), rng.uniform(150, 195) if narrow else rng.uniform(260, 480))
        size = np.array([*(SLAB if whole else sides), thickness])
        normals = np.concatenate([np.eye(3), -np.eye(3)])
        # Cut by hand: none of the four cuts is quite square.
        cuts = rng.normal(0, 0.0 if whole else 0.04, (4, 3))
        normals[[0, 1, 3, 4]] += cuts * (1 - np.abs(normals[[0, 1, 3, 4]]))
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        crossing = rng.uniform(12, 40)
        layers, uneven = _layers(size, crossing, rng), rng.uniform(0.05, 0.1)
        return cls(size, density, normals, np.tile(size / 2, 2), layers, crossing, uneven, _shot(size, density, rng))

    @property
    def area_weight(self) -> float:
        """kg/m² through the thickness."""
        return self.density * self.size[2] / 1000

    def project(self, pose: Pose, lines: int, rng: np.random.Generator) -> np.ndarray:
        """Area weight along the rays, (lines, elements) in kg/m²."""
        x, y = projection.elements()[None, :], (np.arange(lines)[:, None] + 0.5) * PITCH
        # Torn fibres at the cuts: what a ray meets there is displaced by a millimetre or two.
        rough = [_noise((lines, ELEMENTS), rng, ((0.8, 0.8, 0, 0.3), (6, 6, 0, 0.7))) for _ in range(2)]
        weight = projection.chords(self.normals, self.distances, pose, x + rough[0], y + rough[1]) * self.density / 1000
        turn = np.degrees(np.arctan2(pose.turn[0, 0], pose.turn[1, 0]))
        uneven = self.unevenness * np.sqrt(8 / np.maximum(weight, 2))
        relative = self._coarse(pose, lines) + uneven * _fine((lines, ELEMENTS), turn, self.crossing, rng)
        return weight * np.maximum(relative, 0.05) + projection.project(self.shot, pose, lines)

    def _coarse(self, pose: Pose, lines: int) -> np.ndarray:
        """Relative density of the coarse field, averaged along each ray."""
        from scipy.ndimage import map_coordinates

        xs, ys = (np.arange(-1.5, count * PITCH / CELL + 2) * CELL for count in (ELEMENTS, lines))
        x, y = xs[None, :, None] - ELEMENTS * PITCH / 2, ys[:, None, None]
        height = np.abs(pose.turn[2]) @ self.size / 2
        z = pose.place[2] + height * np.linspace(-1, 1, 2 * max(4, int(height / 8)) + 1)[1::2]
        shape = np.broadcast_shapes(x.shape, y.shape, z.shape)
        rays = np.stack([np.broadcast_to(part, shape) for part in (x * (1 - z / SOURCE), y, z)])
        inside = np.tensordot(pose.turn.T, rays - pose.place[:, None, None, None], axes=1)
        cells = np.array(self.layers.shape)
        index = (inside / self.size[:, None, None, None] + 0.5) * cells[:, None, None, None] - 0.5
        sampled = map_coordinates(self.layers, index, order=1, mode="nearest").mean(axis=2)
        at_x, at_y = projection.elements() + ELEMENTS * PITCH / 2, (np.arange(lines) + 0.5) * PITCH
        return _between(at_y, ys) @ sampled @ _between(at_x, xs).T


def _between(wanted: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Matrix that interpolates values known at equal steps by cubics (Catmull and Rom)."""
    t = np.abs(wanted[:, None] - known) / CELL
    near, far = 1.5 * t**3 - 2.5 * t**2 + 1, -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2
    return np.where(t < 1, near, np.where(t < 2, far, 0))


def _layers(size: np.ndarray, crossing: float, rng: np.random.Generator) -> np.ndarray:
    """The coarse field: webs that cross from layer to layer, and how evenly the line lays them."""
    along, across = (int(np.ceil(side / CELL)) for side in size[:2])
    count = max(4, int(size[2] / rng.uniform(6, 10)))
    at, w = (np.arange(along)[:, None] + 0.5) * CELL, (np.arange(across) + 0.5) * CELL
    period, lap, unevenness = rng.uniform(90, 240), rng.uniform(0.1, 0.28), rng.uniform(0.2, 0.38)
    wander = _noise((along, across), rng, ((80, 80, 0, 12.0),), CELL)
    field = np.empty((along, across, count))
    for layer in range(count):
        sign = 1 if layer % 2 else -1
        angle = np.radians(90 - sign * crossing)
        web = _noise((along, across), rng, ((140, 9, np.degrees(angle), 0.8), (25, 25, 0, 0.6)), CELL)
        # Where a web overlaps the one before it, two edges lie on each other.
        phase = (at * np.sin(angle) - w * np.cos(angle) + wander) / period + layer * 0.37 + rng.normal(0, 0.05)
        overlap = np.tanh((np.cos(2 * np.pi * phase) - np.cos(np.pi * 0.25)) * 6)
        field[:, :, layer] = 1 + unevenness * web + lap * 0.5 * overlap
        field[:, :, layer] *= (1 + rng.normal(0, 0.04)) / field[:, :, layer].mean()
    profile = rng.normal(0, 0.03) * (w / SLAB[1] - 0.5) + rng.normal(0, 0.05) * ((2 * w / SLAB[1] - 1) ** 2 - 0.3)
    sway = _noise((along, across), rng, ((220, 90, 0, 0.02),), CELL)
    field *= (1 + profile + sway)[:, :, None]
    return field / field.mean()


def _shot(size: np.ndarray, density: float, rng: np.random.Generator) -> Bodies:
    """Single shots of 0.9 to 2.4 mm, a few hundredths of a per cent of the mass."""
    mass = density * np.prod(size) * 1e-9
    share = 1.5e-4 * np.exp(rng.normal(0, 0.5))
    radius = np.minimum(0.45 + rng.exponential(0.1, 100000), 0.95)
    heavy = np.cumsum(SHOT * 4 / 3 * np.pi * radius**3 * 1e-9)
    radius = radius[: np.searchsorted(heavy, share * mass)]
    shapes = radius[:, None, None] ** 2 * np.eye(3)
    return Bodies(rng.uniform(-0.5, 0.5, (len(radius), 3)) * size, shapes, np.full(len(radius), SHOT), "stone")


def _fine(shape: tuple[int, int], turn: float, crossing: float, rng: np.random.Generator) -> np.ndarray:
    """Fine texture of deviation 1: tufts, strands along the crossed webs, fibres, and the skew of small shot."""
    strands = [(28, 0.9, turn + 90 - sign * crossing, 0.45) for sign in (1, -1)]
    soft = _noise(shape, rng, ((9, 9, 0, 0.6), (3, 3, 0, 0.5), (0.8, 0.8, 0, 0.3), *strands))
    creases = _noise(shape, rng, ((60, 10, turn + 90 + crossing * rng.choice([-1, 1]), 1.0),))
    speckle = rng.gamma(0.6, 1 / np.sqrt(0.6), shape) - np.sqrt(0.6)
    speckle[1:-1] = 0.25 * (speckle[:-2] + speckle[2:]) + 0.5 * speckle[1:-1]
    return 0.8 * soft + 0.9 * (np.exp(-((creases / 0.1) ** 2)) - 0.1) + 0.35 * speckle


def _noise(
    shape: tuple[int, int],
    rng: np.random.Generator,
    parts: Sequence[tuple[float, float, float, float]],
    step: float = PITCH,
) -> np.ndarray:
    """Gaussian noise with a sum of anisotropic Gaussian correlations.

    Arguments:
        shape: (rows, columns).
        parts: (length, width, angle, deviation) of each part: standard deviations of its kernel in mm along and across
            its direction, the direction in degrees from the rows' axis (x) towards y, and its share.
        step: mm between values.
    """
    from scipy import fft

    rows, columns = (fft.next_fast_len(side + 32, real=True) for side in shape)
    fx = fft.rfftfreq(columns, step).astype(np.float32)
    fy = fft.fftfreq(rows, step).astype(np.float32)[:, None]
    power = np.float32(0)
    for length, width, degrees, deviation in parts:
        c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        along, across = 2 * np.pi * length * (fx * c + fy * s), 2 * np.pi * width * (fy * c - fx * s)
        part = np.exp(-(along**2) - across**2)
        part[0, 0] = 0
        # All but the columns of frequency zero and of the highest stand for two of the whole spectrum.
        both = 2 * part.sum() - part[:, 0].sum()
        power = power + part * np.float32(deviation**2 * rows * columns / both)
    white = fft.rfft2(rng.standard_normal((rows, columns), np.float32))
    return fft.irfft2(white * np.sqrt(power), s=(rows, columns))[: shape[0], : shape[1]]
