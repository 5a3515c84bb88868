"""The watch over what the network says: how rare false alarms are, how soon a change is seen, and what is compared."""

import math

import numpy as np
import pytest
from scipy.stats import beta, binomtest, kstest, norm

import fake_feed
import stores
from wool_station import events
from wool_station.events import TileEvent
from wool_station.store import recorder_alarms, shifts
from wool_station.store.pictures import PictureSampling
from wool_station.store.recorder import Recorder
from wool_station.watch import cusum, watch
from wool_station.watch.cusum import Cusum, Rate
from wool_station.watch.expectation import Scores, rates
from wool_station.watch.watch import Watch

THRESHOLD, GOOD, BAD = 0.6, 400, 400
SAMPLES = 1000
"""Stated here in the place of `watch.SAMPLES`, so that a simulation ends."""


def continuous(rng, count):
    """Scores of good wool, 2.2 % of which are not below the threshold."""
    return rng.beta(1.6, 5, count).round(6)


def integers(rng, count):
    """Such scores as a network of integers gives them: few different ones."""
    logits = np.round(rng.normal(-3, 1.4, count) / 0.5) * 0.5
    return (1 / (1 + np.exp(-logits))).round(6)


def held_out(rng, draw) -> dict:
    """What the card says of a finite number of such images, and of images with defects of which 95 % were found."""
    good = draw(rng, GOOD)
    alarms, missed = int((good >= THRESHOLD).sum()), BAD // 20
    table = np.quantile(good, np.linspace(0, 1, 101), method="inverted_cdf").tolist()
    return {"confusion": [[GOOD - alarms, alarms], [missed, BAD - missed]], "score_quantiles": table}


def passed(at: float, score: float, defective: bool = False, length: float = 20.0) -> TileEvent:
    return TileEvent(time=0.0, along_mm=(at, at + length), across_mm=(0.0, 20.0), score=score, defective=defective)


class Belt:
    """A watch, and tiles for it: one whole tile of each stretch, so that every tile is a sample."""

    def __init__(self, about, defects=(0.0, 0.02), standing=frozenset()):
        self.alarms, self.notes, self.number = [], [], 0
        self.watch = Watch(self._told, self.notes.append, defects, standing)
        self.watch.take(events.typed(fake_feed.start(threshold=THRESHOLD, held_out=about)))

    def _told(self, alarm, on, text, **_):
        if on != (alarm in self.standing):
            self.alarms.append((alarm, on))

    @property
    def standing(self):
        return {name for name, on in self.alarms if on} - {name for name, on in self.alarms if not on}

    def pass_tile(self, score, length=20.0, along=None):
        at = self.number * watch.STRETCH_MM if along is None else along
        self.number += 1
        self.watch.take(passed(at, float(score), bool(score >= THRESHOLD), length))

    def run(self, scores) -> int | None:
        """How many samples pass until an alarm; None if there is none."""
        for number, score in enumerate(scores, 1):
            self.pass_tile(score)
            if self.alarms:
                return number
        return None


@pytest.mark.parametrize("draw", [continuous, integers])
def test_so_many_samples_pass_before_a_false_alarm_as_are_stated(draw, monkeypatch):
    """Of 40 plants, each with a card of its own few images, and with as many defects as were given at most."""
    monkeypatch.setattr(watch, "SAMPLES", SAMPLES)
    most, lengths = 3 * SAMPLES, []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        belt = Belt(held_out(rng, draw), (0.005, 0.02))
        assert set(belt.notes[0]["tests"]) == set(recorder_alarms.WATCHED)
        scores = np.where(rng.random(most) < 0.02, rng.beta(8, 1, most), draw(rng, most))
        lengths.append(belt.run(scores) or most)
    # Cut off at 3 times what is stated, the mean of exponential lengths with just the stated mean would be 0.95 of it.
    assert np.mean(lengths) >= SAMPLES


def test_the_stated_rate_is_one_in_a_million_samples_and_the_limit_follows_from_it():
    belt = Belt(held_out(np.random.default_rng(0), continuous), (0.005, 0.02))
    assert belt.notes[0]["samples_to_a_false_alarm"] == 1_000_000
    assert [test.limit for test in belt.watch._tests.values()] == [pytest.approx(math.log(6e6))] * 6


@pytest.mark.parametrize(
    ("name", "change", "most"),
    [
        ("scores_high", lambda score: min(0.99 * THRESHOLD, 1.6 * score + 0.05), 200),
        ("scores_low", lambda score: 0.5 * score, 300),
        ("scores_narrow", lambda score: 0.2 + 0.1 * (score - 0.2), 300),
        ("scores_wide", lambda score: 0.001 if score < 0.2 else 0.55, 300),
    ],
)
def test_scores_that_change_are_seen_within_some_hundred_metres(name, change, most):
    for seed in range(5):
        rng = np.random.default_rng(seed)
        belt = Belt(held_out(rng, continuous))
        scores = [score for score in continuous(rng, 3000) if score < THRESHOLD]
        for score in scores[:1000]:
            belt.pass_tile(score)
        assert belt.alarms == []
        passed = 0
        while name not in belt.standing:
            assert passed < most, f"{name} is not seen after {passed} samples"
            belt.pass_tile(change(scores[1000 + passed]))
            passed += 1


def test_more_rejects_are_seen_and_the_alarm_ends_when_that_is_over():
    rng = np.random.default_rng(3)
    belt = Belt(held_out(rng, continuous))
    # The card and 2 % of defects make up to about 6 % believable.
    assert belt.run(np.where(rng.random(3000) < 0.25, 0.9, 0.15)) is not None
    assert "defects_frequent" in {name for name, _ in belt.alarms}
    for _ in range(2000):
        belt.pass_tile(0.15)
    assert ("defects_frequent", False) in belt.alarms


def test_a_belt_without_any_reject_is_seen_only_where_there_must_be_some():
    rng = np.random.default_rng(4)
    about = held_out(rng, continuous)
    passing = [score for score in continuous(rng, 9000) if score < THRESHOLD]
    demanding, lenient = Belt(about, (0.01, 0.02)), Belt(about, (0.0, 0.02))
    for score in passing:
        demanding.pass_tile(score)
        lenient.pass_tile(score)
    assert demanding.standing == {"defects_rare"} and lenient.standing == set()


def test_what_is_believable_covers_every_share_within_the_bounds_of_the_figures():
    found = rates([[390, 10], [20, 380]], (0.01, 0.05))
    low = 0.99 * beta.ppf(0.05, 10, 391) + 0.01 * beta.ppf(0.05, 380, 21)
    high = 0.95 * beta.ppf(0.95, 11, 390) + 0.05 * beta.ppf(0.95, 381, 20)
    assert (found.low, found.high) == (pytest.approx(low, rel=1e-5), pytest.approx(high, rel=1e-5))
    assert rates([[390, 10], [20, 380]], (0.0, 0.05)).fewer is None


@pytest.mark.parametrize(("yes", "of"), [(0, 10), (1, 10), (5, 10), (10, 10), (3, 4000), (3990, 4000)])
def test_bounds_of_a_share_are_those_of_scipy(yes, of):
    expected = [binomtest(yes, of, alternative=side).proportion_ci(0.95) for side in ("greater", "less")]
    assert cusum.bounds(yes, of) == pytest.approx((expected[0].low, expected[1].high), abs=1e-7)


@pytest.mark.parametrize("draw", [continuous, integers])
def test_scores_become_standard_normal_values(draw):
    rng = np.random.default_rng(5)
    table = np.quantile(draw(rng, 200_000), np.linspace(0, 1, 101), method="inverted_cdf").tolist()
    scores = Scores(table, THRESHOLD, 200_000)
    passing = [score for score in draw(rng, 4000) if score < THRESHOLD]
    values = np.array([scores.normal(score) for score in passing])
    # But for the tails, which a table of 101 quantiles does not know.
    inner = values[np.abs(values) < 2.3]
    assert kstest(norm.cdf(inner), lambda u: (u - norm.cdf(-2.3)) / (1 - 2 * norm.cdf(-2.3))).pvalue > 0.001
    assert abs(values.std() - 1) < 0.05 and abs(values).max() < 2.6


def test_likelihood_ratios_have_expectation_one():
    z = np.random.default_rng(6).normal(size=400_000)
    assert np.exp(cusum.shift(z, 0.5)).mean() == pytest.approx(1, abs=0.01)
    for by in (1.4, 1 / 1.5):
        assert np.exp([cusum.spread(one, by) for one in z]).mean() == pytest.approx(1, abs=0.02)
    rate = Rate(0.02, 0.06)
    assert 0.02 * math.exp(rate.log_ratio(True)) + 0.98 * math.exp(rate.log_ratio(False)) == pytest.approx(1)


def test_an_alarm_begins_at_the_limit_and_ends_at_zero():
    test = Cusum(3.0)
    assert [(test.add(step), test.sum, test.on)[1:] for step in (-1, 2, 2, 5, -2, -2)] == [
        (0, False), (2, False), (3, True), (3, True), (1, True), (0, False)
    ]  # fmt: skip


def test_one_whole_tile_of_each_metre_counts_and_nothing_while_test_pieces_pass():
    belt = Belt(held_out(np.random.default_rng(0), continuous))
    for number in range(500):
        belt.pass_tile(0.1, along=number * 10.0)
    # Of the fifth metre it is not known yet whether more of it comes.
    assert belt.watch.samples == 4
    belt.pass_tile(0.1, along=5000.0, length=10.0)
    belt.pass_tile(0.1, along=6000.0)
    assert belt.watch.samples == 5
    belt.watch.paused = True
    for metre in range(7, 20):
        belt.pass_tile(0.9, along=metre * 1000.0)
    assert belt.watch.samples == 5


@pytest.mark.parametrize(
    ("about", "tests", "text"),
    [
        (None, set(), "neither rejects nor scores"),
        ({"confusion": [[90, 10], [5, 95]], "score_quantiles": None}, {"defects_frequent"}, "scores are not watched"),
        # Of these images hardly any passed.
        (
            {"confusion": [[2, 98], [5, 95]], "score_quantiles": [0.9] * 101},
            {"defects_frequent"},
            "scores are not watched",
        ),
    ],
)
def test_what_cannot_be_watched_is_said(about, tests, text):
    belt = Belt(about)
    (note,) = belt.notes
    assert set(note["tests"]) == tests and text in note["text"]
    belt.run([0.1] * 50)
    assert belt.alarms == []


def test_an_alarm_outlasts_the_recorder(tmp_path):
    """Through a store, as `record` does it."""

    def recorder():
        return Recorder(tmp_path, 10**9, shifts.schedule("06:00"), PictureSampling(0, 1e9))

    about = held_out(np.random.default_rng(0), continuous)
    first = recorder()
    first.take(fake_feed.start(held_out=about), b"")
    first.tell("scores_high", True, recorder_alarms.WATCHED["scores_high"])
    first.close()
    second = recorder()
    assert second.standing == {"scores_high"}
    watched = Watch(second.tell, second.note, (0.0, 0.02), frozenset(second.standing))
    watched.take(events.typed(fake_feed.start(held_out=about)))
    for number in range(40):
        watched.take(passed(number * 1000.0, 0.1))
        if number == 1:
            second.commit()
            assert len(stores.events(tmp_path, "alarm")) == 1
    for number in range(40, 1000):
        watched.take(passed(number * 1000.0, continuous(np.random.default_rng(number), 1)[0]))
    second.close()
    assert [event["on"] for event in stores.events(tmp_path, "alarm") if event["alarm"] == "scores_high"] == [
        True,
        False,
    ]
    assert recorder().standing & {"scores_high"} == set()
