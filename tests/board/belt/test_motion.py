"""wool_board/belt/motion.py: a belt that stops, creeps, goes back or runs fast stretches no millimetres silently."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rig
from rig import DEFECT, accounted, kinds
from wool_board.belt.events import Alarms, Events
from wool_board.belt.motion import MOST_STEPS, EncoderCounts

DETECTOR, MM = rig.Detector(), 0.5


@pytest.fixture(scope="module")
def flags(tmp_path_factory):
    return DETECTOR.references(tmp_path_factory.mktemp("references"))


def textured(lines: int) -> np.ndarray:
    """A belt with a product as wool is: no two lines alike."""
    rng = np.random.default_rng(0)
    belt = np.zeros((lines, DETECTOR.width))
    belt[100:500, 10:90] = rng.normal(0.3, 0.02, (400, 80))
    belt[300:304, 40:44] = DEFECT
    return belt


def with_counts(counts: np.ndarray, places: np.ndarray) -> bytes:
    """Lines of uint16 with the counts behind them, as a detector sends them whose belt is at some places."""
    return np.hstack([DETECTOR.expose(textured(700)[places]), tails(counts)]).tobytes()


def tails(counts: np.ndarray) -> np.ndarray:
    """(n, 2) counts as two samples of uint16 each."""
    return counts.astype("<u4").view("<u2").reshape(len(counts), 2)


def test_counts_keep_the_millimetres_through_stops_creeping_and_reverse(flags):
    # It stands at 200 and 330, creeps from 400 to 440, and goes back at 450.
    places = np.concatenate([
        np.arange(200), np.full(300, 200), np.arange(200, 330), np.full(40, 330), np.arange(330, 400),
        np.repeat(np.arange(400, 440), 5), np.arange(440, 450), np.arange(450, 420, -1), np.arange(420, 700),
    ])  # fmt: skip
    # Two counts a line, and the counter starts over from 0 on the way.
    counts = (2 * places + 2**32 - 301) % 2**32
    extra = ["--position=count", f"--count_mm={MM / 2}", "--recorded"]
    status, found, errors = rig.run(*flags, *extra, lines=with_counts(counts, places))
    assert (status, errors) == (0, "")
    assert found[0]["position"] == "count"
    assert accounted(found) == [0, 700 * MM]
    (reject,) = kinds(found, "reject")
    (top, bottom), _ = reject["along_mm"], reject["across_mm"]
    assert top <= 300 * MM and 304 * MM <= bottom and bottom - top <= 3 * rig.SEEN * MM
    assert found[-1]["still_lines"] == len(places) - 700 and found[-1]["lines"] == len(places)
    names = [(event["alarm"], event["on"]) for event in kinds(found, "alarm")]
    assert names[:2] == [("belt_stopped", True), ("belt_stopped", False)] and found[-1]["standing"] == []


@pytest.mark.parametrize("jump", [-(10**6), 10**6, 2**31 - 5])
def test_an_encoder_that_is_set_anew_stops_no_inspection(flags, jump):
    places = np.arange(700)
    counts = 10**7 + 2 * places
    counts[350:] += jump
    extra = ["--position=count", f"--count_mm={MM / 2}", "--recorded"]
    status, found, _ = rig.run(*flags, *extra, lines=with_counts(counts % 2**32, places))
    assert status == 0 and accounted(found) == [0, 700 * MM] and found[-1]["still_lines"] == 0
    assert [(e["alarm"], e["counts"]) for e in kinds(found, "alarm")] == [("encoder_jump", jump + 2)]
    (reject,) = kinds(found, "reject")
    assert reject["along_mm"][0] <= 300 * MM and 304 * MM <= reject["along_mm"][1]


def test_one_damaged_count_is_one_step(flags):
    places = np.arange(700)
    counts = 2 * places + 5000
    counts[200] ^= 1 << 30
    extra = ["--position=count", f"--count_mm={MM / 2}", "--recorded"]
    _, found, _ = rig.run(*flags, *extra, lines=with_counts(counts, places))
    assert accounted(found) == [0, 700 * MM] and found[-1]["still_lines"] == 0
    assert [e["alarm"] for e in kinds(found, "alarm")] == ["encoder_jump"] * 1


@pytest.mark.parametrize("bit", range(4, 32))
def test_a_damaged_count_takes_no_line_away(bit):
    counts = np.arange(2000) + 5000
    counts[700] ^= 1 << bit
    encoder = EncoderCounts(3, 1.0, Alarms(Events(stream := io.StringIO())))
    lines = np.hstack([np.zeros((2000, 3), "<u2"), tails(counts)])
    assert encoder.choose(lines).tolist() == list(range(2000)) and encoder.left_out == 0
    assert [event["alarm"] for event in rig.events(stream.getvalue())] == ["encoder_jump"]


def test_a_belt_that_is_faster_than_its_lines_is_an_alarm_and_keeps_its_places(flags):
    places = np.concatenate([np.arange(0, 400, 2), np.arange(400, 700)])
    status, found, _ = rig.run(*flags, "--position=count", "--recorded", lines=with_counts(places, places))
    assert status == 0 and accounted(found)[1] == pytest.approx(700 * MM, abs=MM)
    names = [(event["alarm"], event["on"]) for event in kinds(found, "alarm")]
    assert names == [("too_fast", True), ("too_fast", False)]
    (reject,) = kinds(found, "reject")
    assert reject["along_mm"][0] <= 300 * MM and 304 * MM <= reject["along_mm"][1]


@settings(max_examples=200)
@given(
    st.lists(st.integers(-3, 6), min_size=1, max_size=200),
    st.integers(4, 28).map(lambda quarters: quarters / 4),
    st.integers(1, 30),
)
def test_there_is_one_line_for_each_step_of_the_belt(moves, step, chunk):
    """Against the steps of the furthest place, counted one by one."""
    places = np.cumsum([0, *moves])
    counts = (places + 5) % 2**32
    lines = np.hstack([np.zeros((len(counts), 3), "<u2"), counts.astype("<u4").view("<u2").reshape(-1, 2)])
    encoder = EncoderCounts(3, step, Alarms(Events(io.StringIO())))
    chosen = []
    for start in range(0, len(lines), chunk):
        chosen += (encoder.choose(lines[start : start + chunk]) + start).tolist()
    expected, reached = [], 0
    for index, place in enumerate(places):
        steps = 0
        while place >= reached * step - 1e-9:
            reached, steps = reached + 1, steps + 1
        expected += [index] * min(steps, MOST_STEPS)
    assert chosen == expected


@pytest.mark.parametrize("lost", [1, 5, 50, 1500])
@pytest.mark.parametrize("moved", [0.0, 0.5, 1.0])
def test_lines_that_are_lost_count_once(lost, moved):
    """However far the belt went meanwhile, lines behind the loss are as many as the steps that were not counted yet."""
    encoder = EncoderCounts(3, 2.0, Alarms(Events(stream := io.StringIO())))

    def chosen(first: int, last: int) -> int:
        counts = 2 * np.arange(first, last)
        return len(encoder.choose(np.hstack([np.zeros((len(counts), 3), "<u2"), tails(counts)])))

    assert chosen(0, 600) == 600
    encoder.pass_over(lost)
    ahead = 600 + round(lost * moved)
    assert chosen(ahead, ahead + 2000) == 2000 - (lost - round(lost * moved))
    assert {event["alarm"] for event in rig.events(stream.getvalue())} <= {"belt_stopped"}


def test_a_count_that_is_set_anew_while_lines_are_lost_counts_them_once():
    encoder = EncoderCounts(3, 1.0, Alarms(Events(stream := io.StringIO())))
    line = np.zeros((1, 3), "<u2")
    assert len(encoder.choose(np.hstack([line, tails(np.array([10**6]))]))) == 1
    encoder.pass_over(40)
    counts = np.arange(5, 105)
    assert len(encoder.choose(np.hstack([np.repeat(line, 100, axis=0), tails(counts)]))) == 100
    assert [event["alarm"] for event in rig.events(stream.getvalue())] == ["encoder_jump"]


def test_a_stop_of_lines_that_come_by_time_is_told(flags):
    places = np.concatenate([np.arange(250), np.full(400, 250), np.arange(250, 700)])
    lines = DETECTOR.expose(textured(700)[places]).tobytes()
    status, found, errors = rig.run(*flags, "--position=time", "--recorded", lines=lines)
    assert (status, errors) == (0, "") and found[0]["position"] == "time"
    on, off = kinds(found, "alarm")
    assert (on["alarm"], on["on"], off["alarm"], off["on"]) == ("belt_stopped", True, "belt_stopped", False)
    assert 250 <= on["line"] <= 250 + 8 * 16 + 64
    assert found[-1]["still_lines"] == pytest.approx(400, abs=48)
    assert accounted(found) == [0, len(places) * MM]
    # A belt that moves is none that stands, nor is one without product.
    for belt in (textured(700), np.zeros((700, DETECTOR.width))):
        _, found, _ = rig.run(*flags, "--position=time", "--recorded", lines=DETECTOR.expose(belt).tobytes())
        assert kinds(found, "alarm") == [] and found[-1]["still_lines"] == 0
