"""wool_board/belt/elements.py: elements that die in different ways are told and repaired."""

import io

import numpy as np
import pytest

import rig
from rig import WOOL, kinds
from wool_board.belt.beam import OpenBeam
from wool_board.belt.elements import ElementWatch, Span
from wool_board.belt.events import Alarms, Events
from wool_board.belt.monitor import SPAN, Monitor
from wool_board.errors import WoolError
from wool_board.image import saturation
from wool_board.image.references import correction
from wool_board.image.scan_files import LineFormat

DETECTOR = rig.Detector(width=160)
LAYOUT = LineFormat(160, "uint16le")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("references")
    DETECTOR.references(made)
    return made


def belt(lines: int) -> np.ndarray:
    """A product with a wavy edge and patches in it, and air."""
    rng = np.random.default_rng(0)
    made = np.kron(rng.uniform(0.2, 0.5, (lines // 20 + 1, 8)), np.ones((20, 20)))[:lines]
    made[:, :20] = made[:, 140:] = 0
    for line in range(lines):
        made[line, 136 + line % 5 : 140] = 0
    made[:: 2 * SPAN] = 0
    return made


DYING = {
    "dead_elements": lambda rng, counts: rng.normal(1000, 20, len(counts)),
    "noisy_elements": lambda rng, counts: counts + rng.normal(0, 200, len(counts)),
    "stuck_elements": lambda rng, counts: np.full(len(counts), 15000),
}


def judged(folder, *pieces: np.ndarray) -> tuple[list[dict], Monitor]:
    corrected = correction(folder / "dark.png", folder / "bright.png", LAYOUT)
    stream = io.StringIO()
    alarms = Alarms(Events(stream))
    beam = OpenBeam(160, 1.0, rig.SPACING, alarms)
    monitor = Monitor(corrected, LAYOUT, rig.WINDOW, beam, alarms)
    lines = np.concatenate(pieces)
    for start in range(0, len(lines), 64):
        part = lines[start : start + 64]
        attenuation = monitor.elements.correction.attenuation(part)
        beam.follow(start, attenuation)
        monitor.look(start, part, attenuation)
    return rig.events(stream.getvalue()), monitor


def spoilt(name: str, elements: tuple[int, ...], lines: int = 4 * SPAN) -> np.ndarray:
    counts, rng = DETECTOR.expose(belt(lines), 8), np.random.default_rng(5)
    for element in elements:
        counts[:, element] = np.clip(DYING[name](rng, counts[:, element].astype(float)), 0, 65535)
    return counts


@pytest.mark.parametrize("name", DYING)
@pytest.mark.parametrize("elements", [(3,), (150, 151), (8, 9, 10), (0, 1, 2), (157, 158, 159), (1, 2, 3, 5, 6)])
def test_elements_that_die_are_named_and_repaired_until_they_are_well_again(folder, name, elements):
    good = DETECTOR.expose(belt(4 * SPAN), 7)
    found, _ = judged(folder, good, spoilt(name, elements))
    (alarm,) = found
    assert (alarm["alarm"], alarm["on"], alarm["elements"]) == (name, True, list(elements))
    # By the first lines that are judged.
    assert alarm["lines"] == [4 * SPAN, 5 * SPAN]
    found, monitor = judged(folder, good, spoilt(name, elements))
    assert monitor.elements.correction.bad == tuple(sorted((53, *elements)))
    counts = spoilt(name, elements)[-64:]
    truth = belt(4 * SPAN)[-64:, elements]
    np.testing.assert_allclose(monitor.elements.correction.attenuation(counts)[:, elements], truth, atol=0.02)
    found, monitor = judged(folder, good, spoilt(name, elements), good)
    assert [(event["alarm"], event["on"]) for event in found] == [(name, True), (name, False)]
    assert monitor.elements.correction.bad == (53,)


def flickering(counts: np.ndarray, value: float, skip: int) -> np.ndarray:
    """Counts, one element of which has another value for 40 lines of each span but every so many."""
    spoilt = counts.copy()
    for number, start in enumerate(range(0, len(counts), SPAN)):
        if number % skip:
            spoilt[start + 100 : start + 140, 60] = value
    return spoilt


@pytest.mark.parametrize("value", [1000, 60000])
@pytest.mark.parametrize("skip", [100, 4])
def test_an_element_that_flickers_between_well_and_ill_is_noisy(folder, value, skip):
    good = DETECTOR.expose(belt(16 * SPAN), 7)
    found, monitor = judged(folder, flickering(good, value, skip))
    assert [(e["alarm"], e["on"], e["elements"]) for e in found] == [("noisy_elements", True, [60])]
    assert found[0]["lines"][1] <= 8 * SPAN and monitor.elements.correction.bad == (53, 60)
    found, monitor = judged(folder, flickering(good, value, skip), good)
    assert [(e["alarm"], e["on"]) for e in found] == [("noisy_elements", True), ("noisy_elements", False)]
    assert monitor.elements.correction.bad == (53,)


def endless(lines: int) -> np.ndarray:
    """Product from end to end of the detector without a gap: patches, texture, and strands along and across."""
    rng = np.random.default_rng(2)
    made = np.kron(rng.uniform(0.3, 0.6, (lines // 20 + 1, 8)), np.ones((20, 20)))[:lines]
    made += rng.normal(0, 0.002, made.shape)
    made[:, 110] += 0.3
    made[::50] += 0.2
    return made


@pytest.mark.parametrize("elements", [(60,), (3, 60, 61, 62), tuple(range(60, 72)), tuple(range(7))])
def test_noisy_elements_are_told_under_product_that_never_has_a_gap(folder, elements):
    good, rng = DETECTOR.expose(endless(24 * SPAN), 7), np.random.default_rng(5)
    ill = good.copy()
    ill[:, elements] = np.rint(ill[:, elements] + rng.normal(0, 300, (len(ill), len(elements))))
    found, monitor = judged(folder, ill)
    named = {"noisy_elements"} if len(elements) < 5 else {"noisy_elements", "unrepaired_elements"}
    assert {e["alarm"] for e in found} == named and all(e["on"] for e in found)
    assert found[0]["elements"] == list(elements)
    whole = (53,) if len(elements) > 4 else tuple(sorted((53, *elements)))
    assert monitor.elements.correction.bad == whole
    # Until it is over.
    found, monitor = judged(folder, ill, good)
    assert [(e["alarm"], e["on"]) for e in found][-1][1] is False and monitor.elements.correction.bad == (53,)


def test_product_without_a_gap_makes_no_element_noisy(folder):
    found, _ = judged(folder, DETECTOR.expose(endless(60 * SPAN), 7))
    assert found == []


def test_an_element_that_was_noisy_before_a_restart_stays_repaired_under_product(folder):
    ill = DETECTOR.expose(endless(24 * SPAN), 7)
    ill[:, 60] = np.rint(ill[:, 60] + np.random.default_rng(5).normal(0, 300, len(ill)))
    corrected = correction(folder / "dark.png", folder / "bright.png", LAYOUT)
    watch = ElementWatch(corrected, Alarms(Events(io.StringIO())))
    watch.resume({"noisy": [60]})
    for start in range(0, len(ill), SPAN):
        lines = ill[start : start + SPAN]
        watch.judge(Span(lines.mean(axis=0), lines.min(axis=0), lines.max(axis=0), lines[:64]), 0.0, {})
        assert watch.correction.bad == (53, 60)


def test_an_element_that_moves_less_than_its_noise_in_the_dark_is_stuck(folder):
    """A converter that gives one count, or the next one: 15000 is a count that product has as well."""
    counts = spoilt("stuck_elements", (60,))
    counts[:, 60] += np.random.default_rng(1).integers(0, 2, len(counts)).astype("<u2")
    found, monitor = judged(folder, counts)
    assert [(e["alarm"], e["on"], e["elements"]) for e in found] == [("stuck_elements", True, [60])]
    assert monitor.elements.correction.bad == (53, 60)


def held(counts: np.ndarray, elements: slice, every: int) -> np.ndarray:
    """Counts, of which some elements repeat one for 40 lines each `every` lines."""
    held = counts.copy()
    for start in range(0, len(counts) - 40, every):
        held[start : start + 40, elements] = held[start, elements]
    return held


@pytest.mark.parametrize("every", [50, 100, 190])
def test_elements_that_are_held_for_some_lines_time_and_again_are_noisy_until_they_are_no_longer(folder, every):
    good = DETECTOR.expose(belt(24 * SPAN), 7)
    found, monitor = judged(folder, held(good, slice(60, 61), every))
    assert [(e["alarm"], e["on"], e["elements"]) for e in found] == [("noisy_elements", True, [60])]
    assert monitor.elements.correction.bad == (53, 60)
    found, _ = judged(folder, held(good, slice(60, 61), every), good)
    assert [(e["alarm"], e["on"]) for e in found] == [("noisy_elements", True), ("noisy_elements", False)]
    # Half of a board: what passes there is not seen most of the time, and that is told.
    found, monitor = judged(folder, held(good, slice(60, 92), every))
    assert {e["alarm"] for e in found} == {"noisy_elements", "unrepaired_elements"}
    assert monitor.elements.unrepaired == tuple(range(60, 92))


def test_elements_in_the_shadow_of_steel_are_neither_stuck_nor_held(folder):
    """Only the noise in the dark is left of them, for as long as the plate is; the others see product."""
    made = belt(24 * SPAN)
    made[2 * SPAN : 20 * SPAN, 60:100] = 30
    found, monitor = judged(folder, DETECTOR.expose(made, 3))
    assert [e for e in found if e["alarm"] in ("stuck_elements", "noisy_elements")] == []
    assert monitor.elements.correction.bad == (53,)


def test_pellets_here_and_there_make_no_element_noisy(folder):
    made = belt(40 * SPAN)
    rng = np.random.default_rng(4)
    for start in range(0, len(made), 64):
        element = rng.integers(30, 130)
        made[start : start + 4, element : element + 3] += 1.5
    found, monitor = judged(folder, DETECTOR.expose(made, 3))
    assert found == [] and monitor.elements.correction.bad == (53,)


def test_a_product_with_a_wavy_edge_and_strands_kills_no_element(folder):
    made = belt(8 * SPAN)
    made[300:600, 60:62] += 1.5
    made[1000:1040, 100:104] += 3
    found, monitor = judged(folder, DETECTOR.expose(made, 3))
    assert found == [] and monitor.elements.correction.bad == (53,)


def test_too_many_side_by_side_are_told_and_not_repaired(folder):
    found, monitor = judged(folder, spoilt("dead_elements", (80, 81, 82, 83)))
    assert {event["alarm"]: event["elements"] for event in found} == {
        "dead_elements": [80, 81, 82, 83],
        "unrepaired_elements": [80, 81, 82, 83],
    }
    assert monitor.elements.correction.bad == (53,)
    # Those beside one that the references show count, too.
    found, monitor = judged(folder, spoilt("stuck_elements", (50, 51, 52)))
    assert monitor.elements.correction.bad == (53,)
    assert {"unrepaired_elements"} < {event["alarm"] for event in found}


@pytest.mark.parametrize("name", DYING)
@pytest.mark.parametrize("elements", [range(5), range(5, 15), range(148, 160)])
def test_a_group_of_elements_that_dies_is_told_and_not_repaired_in_parts(folder, name, elements):
    found, monitor = judged(folder, DETECTOR.expose(belt(4 * SPAN), 7), spoilt(name, tuple(elements)))
    assert {event["alarm"]: event["elements"] for event in found} == {
        name: list(elements),
        "unrepaired_elements": list(elements),
    }
    assert monitor.elements.correction.bad == (53,) and all(event["on"] for event in found)


def test_a_module_under_the_product_that_dies_is_told(folder):
    found, monitor = judged(folder, DETECTOR.expose(belt(4 * SPAN), 7), spoilt("dead_elements", tuple(range(80, 112))))
    assert [(event["alarm"], event["on"]) for event in found] == [
        ("dead_elements", True),
        ("unrepaired_elements", True),
    ]
    assert found[1]["elements"] == list(range(80, 96)) and monitor.elements.correction.bad == (53,)


def test_products_that_begin_and_end_make_no_element_noisy(folder):
    """At any line of those by which noise is told, over a part of the belt."""
    made = np.zeros((64 * SPAN, 160))
    for number in range(64):
        start = number * SPAN
        made[start + number % 33 : start + 200, 20:60] = 0.3
        made[start + number % 7 : start + 100, 60:90] = 0.05
    found, monitor = judged(folder, DETECTOR.expose(made, 3))
    assert found == [] and monitor.elements.correction.bad == (53,)


def test_a_noisily_dead_element_costs_one_reject_at_most(tmp_path):
    detector = rig.Detector()
    detector.references(tmp_path)
    lines = 6000
    attenuation = np.zeros((lines, detector.width))
    for start in range(96, lines, 480):
        attenuation[start : start + 320, 10:90] = WOOL
    counts = detector.expose(attenuation)
    counts[1000:, 60] = np.random.default_rng(0).normal(1000, 20, lines - 1000)
    path = tmp_path / "belt.raw"
    path.write_bytes(counts.tobytes())
    found = rig.inspect(path, tmp_path, detector)
    assert [event["alarm"] for event in kinds(found, "alarm")] == ["dead_elements"]
    rejects = kinds(found, "reject")
    assert sum(reject["last"] for reject in rejects) <= 1
    # Nothing more once two spans have been judged.
    assert all(reject["along_mm"][1] * 2 <= 1000 + 2 * SPAN + rig.SEEN for reject in rejects)


@pytest.mark.parametrize("top", [4095, 16383, 30000, 65535])
def test_the_detectors_own_top_counts_as_saturation_in_lines(folder, top):
    counts = DETECTOR.expose(np.zeros((3 * SPAN, 160)))
    spoilt = counts.copy()
    spoilt[SPAN : 2 * SPAN] = np.minimum(spoilt[SPAN : 2 * SPAN].astype(float) * (top / 20800), top)
    found, _ = judged(folder, spoilt)
    saturated = [event for event in found if event["alarm"] == "saturated"]
    assert [event["on"] for event in saturated] == [True, False]
    assert saturated[0]["top"] == top and saturated[0]["lines"] == [SPAN, 2 * SPAN]


@pytest.mark.parametrize("share", [1e-4, 3e-3])
@pytest.mark.parametrize("mark", [30_000, 65535])
def test_hot_samples_above_do_not_hide_that_the_others_are_saturated(folder, mark, share):
    counts, rng = DETECTOR.expose(np.zeros((3 * SPAN, 160))), np.random.default_rng(4)
    spoilt = counts.copy()
    spoilt[SPAN : 2 * SPAN] = np.minimum(spoilt[SPAN : 2 * SPAN].astype(float) * (4095 / 20800), 4095)
    hot = rng.random(counts.shape) < share
    spoilt[hot] = mark
    found, _ = judged(folder, spoilt)
    saturated = [event for event in found if event["alarm"] == "saturated"]
    assert [(event["on"], event.get("lines")) for event in saturated][:1] == [(True, [SPAN, 2 * SPAN])]
    assert [event["on"] for event in saturated] == [True, False] and saturated[0]["top"] == 4095
    # Without a plateau below, they are nothing.
    counts[hot] = mark
    assert "saturated" not in {event["alarm"] for event in judged(folder, counts)[0]}


def plateau(samples):
    return saturation.level(saturation.histogram(samples))


@pytest.mark.parametrize("top", [4095, 3000, 65535])
def test_the_end_of_a_detectors_range(top):
    rng = np.random.default_rng(0)
    open_beam = np.linspace(0.8, 1.1, 200) * top
    counts = np.rint(np.minimum(rng.normal(open_beam, 20, (64, 200)), top)).astype(np.uint16)
    assert plateau(counts) == top
    assert plateau(np.rint(rng.normal(open_beam * 0.8, 20, (64, 200))).astype(np.uint16)) is None
    # 8 bits with hardly any noise, one element of which stands out.
    assert plateau(np.rint(rng.normal([200] * 30 + [208], 0.3, (64, 31))).astype(np.uint8)) is None


def test_a_reference_that_reaches_the_detectors_own_top_is_not_taken_for_good(tmp_path):
    detector = rig.Detector(width=100)
    detector.references(tmp_path)
    counts = np.minimum(detector.expose(np.zeros((64, 100))), 16383)
    (tmp_path / "bright.raw").write_bytes(counts.astype("<u2").tobytes())
    (tmp_path / "dark.raw").write_bytes(detector.expose(np.full((64, 100), 50.0)).tobytes())
    with pytest.raises(WoolError, match="are dead, noisy or saturated"):
        correction(tmp_path / "dark.raw", tmp_path / "bright.raw", LineFormat(100, "uint16le"))
