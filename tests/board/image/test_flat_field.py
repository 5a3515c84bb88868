"""wool_board/image/{references,flat_field}.py: the same numbers as when everything is computed one by one."""

import dataclasses

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import rig
from wool_board.errors import WoolError
from wool_board.image.flat_field import grey
from wool_board.image.references import correction
from wool_board.image.scan_files import LineFormat

FLAWS = ("dead", "hot", "noisy", "noisy in the dark", "saturated", "weak", "strong")


@dataclasses.dataclass(frozen=True)
class References:
    dark: np.ndarray
    bright: np.ndarray


def references(width: int, lines: int, flaws: dict[int, str], seed: int) -> References:
    """References of a detector some of whose elements have flaws."""
    rng = np.random.default_rng(seed)
    dark = 1500 + rng.normal(0, 30, width) + rng.normal(0, 60, (lines, width))
    gain = 40000 * rng.normal(1, 0.02, width)
    spread = np.full(width, 400.0)
    for element, flaw in flaws.items():
        gain[element] *= {"dead": 0, "weak": 0.4, "strong": 2.6}.get(flaw, 1)
        spread[element] *= 8 if flaw == "noisy" else 1
        dark[:, element] += {"hot": 50000}.get(flaw, 0)
        dark[:, element] += rng.normal(0, 1000, lines) * (flaw == "noisy in the dark")
        gain[element] += 70000 * (flaw == "saturated")
    bright = dark + gain + spread * rng.normal(0, 1, (lines, width))
    return References(*(np.clip(np.rint(counts), 0, 65535).astype(np.uint16) for counts in (dark, bright)))


def neighbours_median(values: list[float], element: int) -> float:
    """The median of 31 elements around one, mirrored at the ends of the detector."""
    last = len(values) - 1
    places = [abs(place) for place in range(element - 15, element + 16)]
    return sorted(values[last - abs(last - place)] for place in places)[15]


def bad_by_hand(made: References) -> list[int]:
    dark, bright = made.dark.astype(float), made.bright.astype(float)
    gain = list(bright.mean(axis=0) - dark.mean(axis=0))
    spreads = [list(lines.std(axis=0)) for lines in (dark, bright)]
    found = []
    for element in range(len(gain)):
        relative = gain[element] / neighbours_median(gain, element)
        noisy = any(s[element] > 3 * max(neighbours_median(s, element), 1) for s in spreads)
        saturated = (made.bright[:, element] == 65535).mean() > 0.01
        if not 0.5 <= relative <= 2 or noisy or saturated:
            found.append(element)
    return found


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_numbers_are_those_of_a_computation_element_by_element(tmp_path_factory, data):
    width = data.draw(st.integers(31, 160), label="width")
    lines = data.draw(st.integers(16, 60), label="lines")
    places = data.draw(st.lists(st.integers(0, width - 1), max_size=6, unique=True), label="elements")
    flaws = {element: data.draw(st.sampled_from(FLAWS)) for element in places}
    made = references(width, lines, flaws, data.draw(st.integers(0, 1000), label="seed"))
    folder, layout = tmp_path_factory.mktemp("references"), LineFormat(width, "uint16le")
    dark, bright = folder / "dark.png", folder / "bright.png"
    Image.fromarray(made.dark).save(dark)
    Image.fromarray(made.bright).save(bright)
    bad = bad_by_hand(made)
    if any({start, start + 1, start + 2, start + 3} <= set(bad) for start in bad):
        with pytest.raises(WoolError, match="are dead, noisy or saturated; at most 3 side by side can be repaired"):
            correction(dark, bright, layout, layout)
        return
    found = correction(dark, bright, layout, layout)
    assert found.bad == tuple(bad)
    offset, gain = made.dark.mean(axis=0), made.bright.mean(axis=0) - made.dark.mean(axis=0)
    floor = max(3 * np.median(made.dark.std(axis=0)), 1) / np.median(gain)
    counts = np.random.default_rng(1).integers(0, 65536, (50, width), dtype=np.uint16)
    good = np.setdiff1d(np.arange(width), bad)
    transmission = (counts[:, good] - offset[good]) / gain[good]
    whole = np.stack([np.interp(np.arange(width), good, line) for line in transmission])
    # Lines arrive in pieces of any size.
    cut = data.draw(st.integers(1, 49), label="cut")
    pieces = np.concatenate([found.attenuation(counts[:cut]), found.attenuation(counts[cut:])])
    assert pieces.dtype == np.float32
    np.testing.assert_allclose(pieces, -np.log(np.maximum(whole, floor)), atol=1e-4)
    np.testing.assert_array_equal(pieces, found.attenuation(counts))


@given(low=st.floats(-0.2, 0.3), wide=st.floats(0.05, 3))
def test_grey_falls_from_white_to_black_over_the_window(low, wide):
    attenuation = np.linspace(low - 0.1, low + wide + 0.1, 400, dtype=np.float32)
    shown = grey(attenuation, (low, low + wide))
    expected = 255 * (1 - np.clip((attenuation.astype(float) - low) / wide, 0, 1))
    assert shown.dtype == np.uint8
    assert np.abs(shown - expected).max() <= 0.5 + 1e-3


def test_lines_are_not_changed(tmp_path):
    flags = rig.Detector().references(tmp_path)
    assert flags
    lines = rig.Detector().expose(np.zeros((5, 100)))
    before = lines.copy()
    correction(tmp_path / "dark.png", tmp_path / "bright.png", LineFormat(100, "uint16le")).attenuation(lines)
    np.testing.assert_array_equal(lines, before)


@pytest.mark.parametrize(
    ("suffix", "kind", "dtype"),
    [(".png", "uint16le", "<u2"), (".tif", "uint16be", ">u2"), (".raw", "uint16be", ">u2"), (".bin", "uint8", "u1")],
)
def test_files_of_every_kind(tmp_path, suffix, kind, dtype):
    made = references(40, 20, {7: "dead"}, seed=3)
    shift = 8 if kind == "uint8" else 0
    for name, counts in (("dark", made.dark), ("bright", made.bright)):
        stored = (counts >> shift).astype(dtype)
        if suffix in (".raw", ".bin"):
            (tmp_path / f"{name}{suffix}").write_bytes(stored.tobytes())
        else:
            Image.fromarray(stored.astype(np.uint16)).save(tmp_path / f"{name}{suffix}")
    files = [tmp_path / f"{name}{suffix}" for name in ("dark", "bright")]
    found = correction(*files, LineFormat(40, kind))
    assert found.bad == (7,)
    np.testing.assert_array_equal(found.dark, (made.dark >> shift).mean(axis=0).astype(np.float32))


def saved(path, counts) -> None:
    Image.fromarray(counts).save(path)


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (lambda dark, bright: dark.unlink(), "dark.png: no such file; give a reference scan"),
        (lambda dark, bright: bright.write_text("no image"), "bright.png: is not a readable PNG, TIFF or DICOM image"),
        (lambda dark, bright: saved(dark, np.zeros((20, 41), np.uint16)), "is 41 elements wide, but `width`=40"),
        (lambda dark, bright: saved(dark, np.zeros((20, 40), np.uint8)), "samples of 8 bits, but `type`=uint16le"),
        (lambda dark, bright: saved(dark, np.zeros((15, 40), np.uint16)), "at least 16 lines of 31 elements, got 15"),
        (lambda dark, bright: saved(dark, np.zeros((20, 40, 3), np.uint8)), "has colours or alpha; save it as grey"),
        (lambda dark, bright: bright.write_bytes(dark.read_bytes()), "is no brighter than"),
        (lambda dark, bright: bright.write_bytes(bright.read_bytes()[:-400]), "bright.png: cannot be decoded"),
    ],
)
def test_wrong_references_get_one_line(tmp_path, break_it, said):
    made = references(40, 20, {}, seed=3)
    dark, bright = tmp_path / "dark.png", tmp_path / "bright.png"
    saved(dark, made.dark)
    saved(bright, made.bright)
    break_it(dark, bright)
    with pytest.raises(WoolError) as refused:
        correction(dark, bright, LineFormat(40, "uint16le"), LineFormat(40, "uint16le"))
    assert said in str(refused.value) and "\n" not in str(refused.value)
