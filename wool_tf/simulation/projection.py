"""The fan of rays, and what bodies in it weigh along each ray.

Coordinates of the machine, in mm: x across the belt with the focal spot at 0, y along the belt, z up with the detector
at 0. The fan is flat: the line that is read at y sees only that y. A body has coordinates of its own, and a `Pose` puts
it on the belt.
"""

import dataclasses

import numpy as np

from wool_tf.simulation.xray import ELEMENTS, PITCH, SOURCE

BELT = 30.0
"""mm from the detector up to the belt, on which the body lies."""

FINE = 4
"""Samples per pixel and axis where a small body is projected."""


@dataclasses.dataclass(frozen=True)
class Pose:
    """Where a body lies: machine = turn @ body + place.

    Attributes:
        turn: (3, 3) rotation.
        place: (3,) mm.
    """

    turn: np.ndarray
    place: np.ndarray


@dataclasses.dataclass(frozen=True)
class Bodies:
    """Homogeneous ellipsoids of one material.

    Attributes:
        centres: (n, 3) mm.
        shapes: (n, 3, 3) mm²; axes² along the directions of the axes, so a point p is inside when p shape⁻¹ p <= 1.
        densities: (n,) kg/m³ more than the wool that would be there.
        material: a name of `xray.MATERIALS`.
    """

    centres: np.ndarray
    shapes: np.ndarray
    densities: np.ndarray
    material: str

    def mass(self) -> float:
        """In kg."""
        return float((self.densities * 4 / 3 * np.pi * np.sqrt(np.linalg.det(self.shapes))).sum() * 1e-9)


def elements() -> np.ndarray:
    """(elements,) x of the middle of each element in mm."""
    return (np.arange(ELEMENTS) + 0.5) * PITCH - ELEMENTS * PITCH / 2


def rotation(axis: int, degrees: float) -> np.ndarray:
    """Rotation about a coordinate axis, (3, 3)."""
    turn, angle = np.eye(3), np.radians(degrees)
    i, j = [other for other in range(3) if other != axis]
    turn[i, i] = turn[j, j] = np.cos(angle)
    turn[i, j], turn[j, i] = -np.sin(angle), np.sin(angle)
    return turn


def chords(normals: np.ndarray, distances: np.ndarray, pose: Pose, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Length of every ray inside a convex body, in mm.

    Arguments:
        normals, distances: (n, 3) and (n,) mm; the body is where normals @ p <= distances.
        pose: Pose of the body.
        x, y: mm at the detector; two arrays that broadcast to the shape wanted.
    """
    normals = normals @ pose.turn.T
    distances = distances + normals @ pose.place
    shape = np.broadcast_shapes(x.shape, y.shape)
    low, high = np.zeros(shape), np.full(shape, SOURCE)
    for normal, distance in zip(normals, distances, strict=True):
        # At height z the ray is at (x · (1 - z / SOURCE), y): how fast it nears the plane, and how far it is at z = 0.
        speed = normal[2] - normal[0] * x / SOURCE
        speed[np.abs(speed) < 1e-9] = 1e-9
        crossing = (distance - normal[0] * x - normal[1] * y) / speed
        np.maximum(low, crossing, out=low, where=speed < 0)
        np.minimum(high, crossing, out=high, where=speed > 0)
    return np.maximum(high - low, 0) * np.sqrt(1 + (x / SOURCE) ** 2)


def project(bodies: Bodies, pose: Pose, lines: int) -> np.ndarray:
    """Area weight of ellipsoids along the rays, (lines, elements) in kg/m², averaged over each pixel."""
    total = np.zeros((lines, ELEMENTS))
    if not len(bodies.centres):
        return total
    centres = bodies.centres @ pose.turn.T + pose.place
    shapes = pose.turn @ bodies.shapes @ pose.turn.T
    magnify = SOURCE / (SOURCE - centres[:, 2])
    # Half of the shadow in pixels: the height of a body widens it where the rays are oblique.
    spread = np.sqrt(shapes[:, 0, 0]) + np.sqrt(shapes[:, 2, 2]) * np.abs(centres[:, 0]) / SOURCE
    half = np.stack([spread * magnify * 1.1, np.sqrt(shapes[:, 1, 1])], axis=1) / PITCH
    middle = np.stack([centres[:, 0] * magnify / PITCH + ELEMENTS / 2, centres[:, 1] / PITCH], axis=1)
    size = np.ceil(2 * half.max(axis=1) + 2).astype(int)
    # Bodies of about one size share the size of their patch and are projected together.
    size = np.where(size <= 8, 8, 1 << np.ceil(np.log2(size)).astype(int))
    for patch in np.unique(size):
        chosen = np.flatnonzero(size == patch)
        for part in np.array_split(chosen, np.ceil(len(chosen) * (patch * FINE) ** 2 / 2e6)):
            first = np.floor(middle[part] - patch / 2 + 0.5).astype(int)
            weights = 1e-3 * bodies.densities[part, None, None] * _patches(centres[part], shapes[part], first, patch)
            _add(total, weights, first)
    return total


def _patches(centres: np.ndarray, shapes: np.ndarray, first: np.ndarray, patch: int) -> np.ndarray:
    """Mean chord in mm of n ellipsoids in the pixels of their patches, (n, patch, patch)."""
    steps = (np.arange(patch * FINE) + 0.5) / FINE
    x = ((first[:, :1] + steps) * PITCH - ELEMENTS * PITCH / 2)[:, None, :]
    y = ((first[:, 1:] + steps) * PITCH)[:, :, None]
    inverse = np.linalg.inv(shapes)[:, :, :, None, None]
    a, b, c = (centres[:, axis, None, None] for axis in range(3))
    # A point of the ray from the centre, at the height of the centre, and the ray's direction for one mm of height.
    u, v, slope = x * (1 - c / SOURCE) - a, y - b, -x / SOURCE
    square = inverse[:, 0, 0] * slope**2 + 2 * inverse[:, 0, 2] * slope + inverse[:, 2, 2]
    mixed = (inverse[:, 0, 0] * slope + inverse[:, 0, 2]) * u + (inverse[:, 0, 1] * slope + inverse[:, 1, 2]) * v
    level = inverse[:, 0, 0] * u**2 + 2 * inverse[:, 0, 1] * u * v + inverse[:, 1, 1] * v**2 - 1
    inside = np.maximum(mixed**2 - square * level, 0)
    chord = 2 * np.sqrt(inside) / square * np.sqrt(1 + slope**2)
    return chord.reshape(len(centres), patch, FINE, patch, FINE).mean(axis=(2, 4))


def _add(total: np.ndarray, weights: np.ndarray, first: np.ndarray) -> None:
    """Adds patches where they belong, what hangs over the border left out."""
    patch = np.arange(weights.shape[1])
    columns = np.broadcast_to((first[:, :1] + patch)[:, None, :], weights.shape)
    rows = np.broadcast_to((first[:, 1:] + patch)[:, :, None], weights.shape)
    inside = (columns >= 0) & (columns < total.shape[1]) & (rows >= 0) & (rows < total.shape[0]) & (weights != 0)
    np.add.at(total, (rows[inside], columns[inside]), weights[inside])
