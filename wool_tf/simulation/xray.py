"""X-rays from the tube to the counts of the line detector.

The set-up is that of Rafiei et al., section III: 70 kV, 0.5 mA, 2.5 mm of aluminium, 640 elements over 512 mm. The
spectrum is computed by SpekPy (Poludniowski et al., Medical Physics 48, 2021), attenuation coefficients are the tables
of Elam, Ravel and Sieber (2002) as xraydb gives them. A ray that meets area weights w_m (kg/m²) of materials m gives
the signal

    S = Σ_E n(E) · r(E) · exp(-Σ_m μ_m(E) · w_m),    r(E) = E · absorbed(E)

with n quanta per element and line: Beer and Lambert for each energy, and a scintillator that adds up energy. Beam
hardening follows. Left out: scatter (the lab's object is thin and mostly air), the belt, which bright and object
scans share, and the lag of the scintillator.
"""

import dataclasses
import functools
import importlib
from collections.abc import Mapping
from types import ModuleType

import numpy as np

from wool_tf.errors import WoolError, extra

VOLTAGE = 70.0
"""kV."""

CURRENT = 0.5
"""mA."""

ALUMINIUM = 2.5
"""mm of filtration."""

ANODE = 12.0
"""Degrees; not in the paper, a usual angle. It gives the mean energy of 39.4 keV after the filter."""

ELEMENTS = 640
PITCH = 0.8
"""mm between elements and between lines: 512 mm / 640."""

SOURCE = 900.0
"""mm from the focal spot to the detector; not in the paper. Wide enough that the fan covers 512 mm within ±16°."""

SPEED = 0.2
"""m/s of the belt: slow in the lab, which may run it at up to 1 m/s; five times the quanta of full speed."""

SCINTILLATOR = "Gd2O2S", 1.0
"""What absorbs, and its area weight in kg/m² (100 mg/cm²), as in common line-scan cameras."""

_STONE = {
    "SiO2": 0.40,
    "Al2O3": 0.20,
    "CaO": 0.165,
    "MgO": 0.105,
    "FeO": 0.065,
    "Na2O": 0.03,
    "K2O": 0.015,
    "TiO2": 0.02,
}
_BINDER = 0.035

MATERIALS = {
    "wool": {formula: share * (1 - _BINDER) for formula, share in _STONE.items()} | {"C7H6O": _BINDER},
    "stone": _STONE,
    "binder": {"C7H6O": 1.0},
    "water": {"H2O": 1.0},
    "iron": {"Fe": 1.0},
}
"""Mass fractions of each material.

Stone is within the ranges that define high-alumina, low-silica stone wool (IARC Monographs 81, 2002: SiO2 33-43, Al2O3
18-24, CaO and MgO together 23-33, iron oxides 3-9, Na2O and K2O together 1-10, TiO2 up to 3 per cent). Wool is the same
with 3.5 per cent of cured phenolic binder, taken as C7H6O.
"""

ELECTRONIC_NOISE = 60.0
"""Standard deviation in counts, about one and a half absorbed quanta."""

BRIGHT = 42000.0
"""Counts of an open element of mean gain: full scale is never reached."""

DARK = 1500.0
CROSSTALK = 0.08
"""Share of the light of an element that each of its two neighbours receives."""


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise WoolError(f"{name}: is needed to simulate X-rays; {extra('simulate')}") from None


@functools.cache
def spectrum() -> tuple[np.ndarray, np.ndarray]:
    """Energies in keV and the quanta per mm² and mAs in each of their bins, at 1 m from the focal spot."""
    tube = _import("spekpy").Spek(kvp=VOLTAGE, th=ANODE, z=100, mas=1, dk=1.0)
    tube.filter("Al", ALUMINIUM)
    energies, fluence = tube.get_spectrum(diff=False)
    return np.asarray(energies), np.asarray(fluence) / 100


@functools.cache
def attenuation(material: str) -> np.ndarray:
    """Mass attenuation coefficients of a material in m²/kg at the energies of `spectrum`."""
    xraydb, electronvolts = _import("xraydb"), spectrum()[0] * 1e3
    # At density 1 g/cm³, 1/cm is cm²/g; that is 0.1 m²/kg.
    parts = [share * xraydb.material_mu(formula, electronvolts, density=1.0)
             for formula, share in MATERIALS[material].items()]  # fmt: skip
    return 0.1 * np.sum(parts, axis=0) / sum(MATERIALS[material].values())


@functools.cache
def absorbed() -> np.ndarray:
    """Chance that the scintillator takes up a quantum, at the energies of `spectrum`.

    By the photoelectric effect alone, and with all of its energy: what K-fluorescence carries away is left out.
    """
    formula, weight = SCINTILLATOR
    mu = 0.1 * _import("xraydb").material_mu(formula, spectrum()[0] * 1e3, density=1.0, kind="photo")
    return -np.expm1(-mu * weight)


@functools.cache
def quanta() -> float:
    """Quanta that reach the element under the focal spot in one line, with nothing in the way: about 1740."""
    seconds = PITCH / 1000 / SPEED
    return float(spectrum()[1].sum() * CURRENT * seconds * PITCH**2 * (1000 / SOURCE) ** 2)


def moments(weights: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of the signal behind some materials, both in units of an open element's mean.

    Quanta of each energy arrive as Poisson numbers n, and so do those that are absorbed, n a, each of which gives a
    signal of its energy E: the sum has the mean Σ n a E and the variance Σ n a E² (Swank 1973, "Absorption and noise in
    x-ray phosphors"). The variance is scaled as if `quanta` quanta made up an open line.

    Arguments:
        weights: area weight in kg/m² of each material along the ray; arrays of one shape.

    Returns:
        Mean and variance, arrays of that shape.
    """
    energies, number = spectrum()
    number = number / number.sum() * quanta() * absorbed()
    exponent = sum(np.multiply.outer(weight, attenuation(name)) for name, weight in weights.items())
    left = np.exp(-exponent)
    open_signal = number @ energies
    return left @ (number * energies) / open_signal, left @ (number * energies**2) / open_signal**2


@functools.cache
def _table() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    # The log of either moment is nearly a line in the area weight, so few points make a table exact to 1e-5.
    weights = np.linspace(0, 120, 481)
    mean, variance = moments({"wool": weights})
    return weights, np.log(mean), np.log(variance)


def behind(wool: np.ndarray, inclusions: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """`moments` behind wool with inclusions, from a table wherever there is wool alone.

    Arguments:
        wool: (lines, elements) area weight of the wool in kg/m².
        inclusions: area weight of materials besides, of the same shape and zero nearly everywhere. Wool itself may be
            one of them, and negative where some is missing.
    """
    points, mean, variance = _table()
    mean, variance = np.exp(np.interp(wool, points, mean)), np.exp(np.interp(wool, points, variance))
    some = np.any([np.zeros(wool.shape), *inclusions.values()], axis=0)
    if some.any():
        local = {name: weight[some] for name, weight in inclusions.items()}
        local["wool"] = wool[some] + local.get("wool", 0)
        mean[some], variance[some] = moments(local)
    return mean, variance


@dataclasses.dataclass(frozen=True)
class Detector:
    """A line detector with the faults of a real one.

    Attributes:
        gain: (elements,) counts of an open line, with the fall of the beam towards the edges of the fan.
        offset: (elements,) counts without a beam.
        dead: (elements,) bool; a dead element gives its offset only.
    """

    gain: np.ndarray
    offset: np.ndarray
    dead: np.ndarray

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Detector":
        """A detector of ten boards of 64 elements, with three dead elements and a noisy offset."""
        boards = np.repeat(rng.normal(1, 0.03, 10), ELEMENTS // 10)
        across = (np.arange(ELEMENTS) + 0.5) * PITCH / SOURCE - ELEMENTS * PITCH / SOURCE / 2
        # Inverse square and the tilted element: cos³; and the heel effect, a few per cent from end to end.
        beam = (1 + across**2) ** -1.5 * (1 + 0.1 * across)
        gain = BRIGHT * boards * rng.normal(1, 0.012, ELEMENTS) * beam
        dead = np.zeros(ELEMENTS, bool)
        dead[rng.choice(ELEMENTS, 3, replace=False)] = True
        return cls(gain, DARK + np.repeat(rng.normal(0, 80, 10), ELEMENTS // 10) + rng.normal(0, 25, ELEMENTS), dead)

    def expose(self, mean: np.ndarray, variance: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Counts of lines whose signal has this mean and variance, (lines, elements) uint16.

        The gain drifts by some tenths of a per cent from scan to scan and along a scan, as that of a warming detector.
        """
        lines = len(mean)
        drift = 1 + rng.normal(0, 0.003) + rng.normal(0, 0.002) * np.linspace(-0.5, 0.5, lines)[:, None]
        drift = drift * rng.normal(1, 0.001, ELEMENTS)
        # A multiple of a Poisson number has both moments right.
        scale = variance / mean
        signal = rng.poisson(mean / scale) * scale
        signal[:, 1:-1] = (1 - 2 * CROSSTALK) * signal[:, 1:-1] + CROSSTALK * (signal[:, :-2] + signal[:, 2:])
        counts = np.where(self.dead, 0, signal * self.gain * drift) + self.offset + rng.normal(0, 4)
        counts += rng.normal(0, ELECTRONIC_NOISE, mean.shape)
        return np.clip(np.rint(counts), 0, 65535).astype(np.uint16)

    def references(self, lines: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """A dark and a bright scan, each (lines, elements) uint16."""
        mean, variance = (np.full((lines, ELEMENTS), value) for value in moments({"wool": np.zeros(())}))
        unlit = dataclasses.replace(self, gain=np.zeros(ELEMENTS))
        return unlit.expose(mean, variance, rng), self.expose(mean, variance, rng)
