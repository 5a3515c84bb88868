import sys

import numpy as np
import pytest

from wool_tf.errors import WoolError
from wool_tf.simulation import xray

# Hubbell and Seltzer (NIST, 1995): mass attenuation coefficients, and for air mass energy-absorption, in cm²/g by keV.
NIST = {"water": {30: 0.3756, 40: 0.2683, 50: 0.2269, 60: 0.2059}, "iron": {30: 8.176, 40: 3.629, 50: 1.958, 60: 1.205}}
AIR = {5: 39.31, 10: 4.742, 15: 1.334, 20: 0.5389, 30: 0.1537, 40: 0.06833, 50: 0.04098, 60: 0.03041, 80: 0.02407}


def open_detector(gain=20000.0):
    return xray.Detector(np.full(xray.ELEMENTS, gain), np.full(xray.ELEMENTS, 1000.0), np.zeros(xray.ELEMENTS, bool))


def signal(weight, lines):
    return [np.full((lines, xray.ELEMENTS), value) for value in xray.moments({"wool": np.array(weight)})]


def test_mean_energy_of_70_kv_behind_aluminium():
    energies, number = xray.spectrum()
    assert energies @ number / number.sum() == pytest.approx(39.4, abs=0.05)
    assert energies.max() <= 70


def test_quanta_of_a_line_by_hand():
    # SpekPy: 1.102e8 per cm² and mAs at 1 m. A line of 0.8 mm lasts 4 ms at 0.2 m/s: 0.002 mAs; 0.9 m; 0.0064 cm².
    assert xray.quanta() == pytest.approx(1.102e8 * 0.002 * 0.0064 / 0.81, rel=0.005)


@pytest.mark.parametrize("material", NIST)
def test_attenuation_against_nist(material):
    for energy, coefficient in NIST[material].items():
        value = np.exp(np.interp(energy, xray.spectrum()[0], np.log(xray.attenuation(material))))
        assert 10 * value == pytest.approx(coefficient, rel=0.02)


def test_compositions_are_whole():
    for shares in xray.MATERIALS.values():
        assert sum(shares.values()) == pytest.approx(1)


def test_silica_is_silicon_and_oxygen(monkeypatch):
    import xraydb

    monkeypatch.setitem(xray.MATERIALS, "silica", {"SiO2": 1.0})
    energies = xray.spectrum()[0] * 1e3
    expected = (28.086 * xraydb.mu_elam("Si", energies) + 31.998 * xraydb.mu_elam("O", energies)) / 60.084
    np.testing.assert_allclose(10 * xray.attenuation("silica"), expected, rtol=1e-3)


def test_one_energy_follows_beer_and_lambert(monkeypatch):
    import xraydb

    energies = np.array([40.0])
    monkeypatch.setattr(xray, "spectrum", lambda: (energies, np.array([1.0])))
    monkeypatch.setattr(xray, "absorbed", lambda: np.ones(1))
    quartz = 0.1 * np.array([xraydb.material_mu("SiO2", 40e3, density=1.0)])
    monkeypatch.setattr(xray, "attenuation", lambda name: quartz)
    weights = np.array([0.0, 3.0, 20.0])
    mean, variance = xray.moments({"wool": weights})
    expected = np.exp(-0.1 * xraydb.material_mu("SiO2", 40e3, density=1.0) * weights)
    np.testing.assert_allclose(mean, expected, rtol=1e-12)
    # Quanta of one energy are counted: the variance of a Poisson number is its mean.
    np.testing.assert_allclose(variance * xray.quanta(), mean, rtol=1e-12)


def test_moments_are_those_of_quanta_that_are_absorbed_one_by_one(monkeypatch):
    """Against drawing: Poisson numbers of quanta, each taken up or not, each giving its energy."""
    energies, chances = np.array([25.0, 40.0, 60.0]), np.array([0.9, 0.5, 0.7])
    monkeypatch.setattr(xray, "spectrum", lambda: (energies, np.array([2.0, 5.0, 3.0])))
    monkeypatch.setattr(xray, "absorbed", lambda: chances)
    monkeypatch.setattr(xray, "quanta", lambda: 200.0)
    monkeypatch.setattr(xray, "attenuation", lambda name: np.array([0.2, 0.05, 0.03]))
    rng = np.random.default_rng(0)
    arrived = rng.poisson(200 * np.array([0.2, 0.5, 0.3]) * np.exp(-4.0 * np.array([0.2, 0.05, 0.03])), (400_000, 3))
    signal = rng.binomial(arrived, chances) @ energies / (200 * np.array([0.2, 0.5, 0.3]) @ (chances * energies))
    mean, variance = xray.moments({"wool": np.array(4.0)})
    assert signal.mean() == pytest.approx(float(mean), rel=2e-3)
    assert signal.var() == pytest.approx(float(variance), rel=1e-2)


def test_no_better_than_counting_what_is_absorbed():
    """SNR² can at most be the number of absorbed quanta."""
    mean, variance = xray.moments({"wool": np.array(0.0)})
    share = xray.spectrum()[1] / xray.spectrum()[1].sum()
    counted = xray.quanta() * share @ xray.absorbed()
    assert 0.8 * counted < float(mean**2 / variance) < counted


def test_the_beam_hardens():
    weights = np.linspace(0.5, 40, 30)
    effective = -np.log(xray.moments({"wool": weights})[0]) / weights
    assert np.all(np.diff(effective) < 0)
    hardest, softest = xray.attenuation("wool")[-1], np.interp(25, xray.spectrum()[0], xray.attenuation("wool"))
    assert hardest < effective[-1] and effective[0] < softest


def test_aluminium_halves_the_kerma_where_spekpy_says():
    import spekpy
    import xraydb

    tube = spekpy.Spek(kvp=70, th=12, z=100, mas=1, dk=1.0)
    tube.filter("Al", 2.5)
    energies, number = xray.spectrum()
    left = number * np.exp(-xraydb.material_mu("Al", energies * 1e3) * tube.get_hvl1() / 10)
    air = energies * np.exp(np.interp(np.log(energies), np.log(list(AIR)), np.log(list(AIR.values()))))
    assert (left * air).sum() / (number * air).sum() == pytest.approx(0.5, abs=0.01)


def test_table_agrees_with_the_sum_over_energies():
    weights = np.random.default_rng(0).uniform(0, 60, (20, 30))
    for fast, exact in zip(xray.behind(weights, {}), xray.moments({"wool": weights}), strict=True):
        np.testing.assert_allclose(fast, exact, rtol=1e-4)


def test_inclusions_add_to_the_wool():
    wool, more = np.full((4, 5), 8.0), np.zeros((4, 5))
    more[1, 2], more[3, 3] = 2.0, -1.0
    np.testing.assert_allclose(xray.behind(wool, {"wool": more}), xray.behind(wool + more, {}), rtol=1e-4)
    iron = xray.behind(wool, {"iron": np.maximum(more, 0)})[0]
    assert iron[1, 2] == pytest.approx(float(xray.moments({"wool": np.array(8.0), "iron": np.array(2.0)})[0]))
    assert iron[0, 0] == pytest.approx(float(xray.moments({"wool": np.array(8.0)})[0]), rel=1e-4)


@pytest.mark.parametrize("weight", [0.0, 10.0])
def test_quantum_and_electronic_noise(weight):
    lines, detector = 4000, open_detector()
    mean, variance = signal(weight, lines)
    counts = detector.expose(mean, variance, np.random.default_rng(0)).astype(float)
    # Drift changes all lines of an element alike, or slowly: differences of lines hold the noise alone.
    noise = np.diff(counts, axis=0).var() / 2
    shared = (1 - 2 * xray.CROSSTALK) ** 2 + 2 * xray.CROSSTALK**2
    expected = variance[0, 0] * 20000.0**2 * shared + xray.ELECTRONIC_NOISE**2
    assert noise == pytest.approx(expected, rel=0.02)
    assert counts.mean() == pytest.approx(1000 + 20000 * mean[0, 0], rel=0.01)


def test_flat_field_of_an_open_beam_is_one():
    rng = np.random.default_rng(1)
    detector = xray.Detector.draw(rng)
    dark, bright = (lines.astype(float).mean(axis=0) for lines in detector.references(400, rng))
    counts = detector.expose(*signal(0.0, 400), rng).mean(axis=0)
    flat = ((counts - dark) / (bright - dark))[~detector.dead]
    # Drift is 0.3 % from scan to scan: four deviations of the difference of two scans.
    assert flat.mean() == pytest.approx(1, abs=0.017)
    assert flat.std() < 0.01


def test_dead_elements_give_their_offset_and_nothing_saturates():
    rng = np.random.default_rng(2)
    detector = xray.Detector.draw(rng)
    dark, bright = detector.references(300, rng)
    assert detector.dead.sum() == 3
    np.testing.assert_allclose(bright.mean(axis=0)[detector.dead], detector.offset[detector.dead], atol=40)
    assert bright.min(axis=0)[~detector.dead].min() > 20000 and bright.max() < 65535
    assert dark.min() > 0


@pytest.mark.parametrize("missing", ["spekpy", "xraydb"])
def test_missing_library_is_named_with_the_remedy(monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    cached = xray.spectrum if missing == "spekpy" else xray.absorbed
    cached.cache_clear()
    with pytest.raises(WoolError, match=rf"^{missing}: .*pip install .*'\.\[simulate\]'$"):
        cached()
