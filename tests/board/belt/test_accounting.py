"""What the inspection says of a belt: each line once, and each reject no larger and no later than it must be."""

import dataclasses
import io
import itertools
from collections.abc import Callable

import numpy as np
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import rig
from wool_board.belt.config import InspectionConfig, shortest_latency
from wool_board.belt.events import Alarms, Events
from wool_board.belt.report import Report
from wool_board.belt.row_inspector import RowInspector
from wool_board.belt.rows import GAP
from wool_board.belt.strip import BLOCK
from wool_board.belt.tiles import Tiling, tiling
from wool_board.image.scan_files import LineFormat
from wool_board.model.recognizer import Recognition

BACKLOG = 200
"""Lines that may wait before rows are left out."""


class DrawnRecognizer:
    """Scores that are drawn."""

    heatmap_shape, card = None, rig.CARD

    def __init__(self, margin: float, draw: Callable[[], float]):
        self.margin, self._draw = margin, draw

    def recognize(self, _pixels: np.ndarray) -> Recognition:
        score = self._draw()
        return Recognition(score, score >= 0.5, None)


@dataclasses.dataclass
class Belt:
    """A belt that passed in runs without gaps.

    Attributes:
        shown: of each block of lines from the start of its run, (lines, elements): whether there is product.
        runs: their lines, from and to, the end exclusive.
        found: what was told.
        told_at: of each event, how many lines had come.
        added: the rows in which defective tiles were found: first and last line, and their elements.
    """

    shown: np.ndarray
    runs: list[tuple[int, int]]
    found: list[dict]
    told_at: list[int]
    added: list[tuple[int, int, list]]


def in_blocks(belt: np.ndarray, runs: list[tuple[int, int]]) -> np.ndarray:
    """Where blocks of 16 by 16 show something, counted from the beginning of each run and from the first element."""
    width = belt.shape[1]
    edges = [*range(0, max(width - BLOCK // 2, 1), BLOCK), width]
    shown = np.zeros(belt.shape, bool)
    for begin, end in runs:
        for top in range(begin, end, BLOCK):
            bottom = min(top + BLOCK, end)
            for left, right in itertools.pairwise(edges):
                shown[top:bottom, left:right] = belt[max(begin, bottom - BLOCK) : bottom, left:right].mean() > 0.0201
    return shown


def inspect(belt: np.ndarray, runs, chunks, cut: Tiling, part: int, busy, draw) -> Belt:
    """Inspects runs of lines that come in chunks, `busy` lines being behind in each."""
    config = InspectionConfig(LineFormat(cut.width, "uint8"), (0, 1), 1.0, part, None, rig.SPACING, None, 60.0)
    config = dataclasses.replace(config, latency=shortest_latency(cut, part) + BACKLOG)
    stream, told_at, late, added = io.StringIO(), [], [0], []
    events = Events(stream)
    told, events.tell = events.tell, lambda *a, **k: (told(*a, **k), told_at.append(inspector.strip.stop))
    arguments = (events, Alarms(events), Report(events, 60.0, config.mm))
    recognizer = DrawnRecognizer(cut.margin, draw)
    inspector = RowInspector(recognizer, cut, config, lambda: inspector.strip.stop + late[0], *arguments)
    add = inspector._rejects.add

    def add_spied(first: int, last: int, tiles: list, at: float) -> list:
        added.append((first, last, tiles))
        return add(first, last, tiles, at)

    inspector._rejects.add = add_spied
    for begin, end in runs:
        inspector.begin(begin)
        while inspector.strip.stop < end:
            late[0], stop = busy(), min(inspector.strip.stop + chunks(), end)
            lines = belt[inspector.strip.stop : stop]
            inspector.strip.append(lines.astype(np.uint8), lines, np.zeros(len(lines)))
            inspector.look()
        late[0] = 0
        inspector.end_run()
    return Belt(in_blocks(belt, runs), runs, rig.events(stream.getvalue()), told_at, added)


@st.composite
def belts(draw, most_late: int = 0) -> tuple[Belt, Tiling, int]:
    """A belt with products and defects anywhere, inspected."""
    side, width = draw(st.integers(20, 60), label="side"), draw(st.integers(20, 120), label="width")
    cut = tiling(side, draw(st.integers(0, side // 4)), width, draw(st.sampled_from([0, 0.3, 0.5, 0.8])))
    lines = draw(st.integers(1, 500), label="lines")
    belt = np.zeros((lines, width), np.float32)
    for _ in range(draw(st.integers(0, 4), label="products")):
        top, left = draw(st.integers(0, lines - 1)), draw(st.integers(0, width - 1))
        # From what hardly shows in a block to what shows in a corner of it.
        shade = draw(st.sampled_from([0.025, 0.05, 0.4, 8.0]))
        belt[top : top + draw(st.integers(1, 300)), left : left + draw(st.integers(1, 120))] = shade
    edges = sorted({0, lines, *draw(st.lists(st.integers(0, lines), max_size=2), label="cuts")})
    runs, part = list(itertools.pairwise(edges)), cut.seen + draw(st.integers(0, 150), label="part")
    rng = np.random.default_rng(draw(st.integers(0, 2**32), label="seed"))
    share = draw(st.sampled_from([0.1, 0.5, 0.95]), label="defective")
    scores = lambda: 0.9 if rng.random() < share else 0.1  # noqa: E731
    busy = lambda: int(rng.random() ** 3 * most_late)  # noqa: E731
    return inspect(belt, runs, lambda: int(rng.integers(1, 65)), cut, part, busy, scores), cut, part


def lines_of(belt: Belt, kind: str) -> list[tuple[int, int]]:
    """From where to where, the end exclusive, events of a kind reach."""
    return sorted({tuple(map(int, event["along_mm"])) for event in rig.kinds(belt.found, kind)})


# Shrinking a failure takes minutes and hardly helps to understand it.
thorough = settings(max_examples=150, phases=[Phase.explicit, Phase.reuse, Phase.generate])


@thorough
@given(belts(most_late=4 * BACKLOG))
def test_every_line_is_in_exactly_one_of_tile_air_and_unseen(made):
    belt, _, _ = made
    masks = {}
    for kind in ("tile", "air", "unseen"):
        masks[kind] = np.zeros(len(belt.shown), int)
        for start, stop in lines_of(belt, kind):
            assert start < stop
            masks[kind][start:stop] += 1
        # Rows overlap; nothing else is told twice.
        assert kind == "tile" or masks[kind].max(initial=0) <= 1
    assert (sum(mask > 0 for mask in masks.values()) == 1).all()
    assert not belt.shown[masks["air"] > 0].any()


@thorough
@given(belts(most_late=4 * BACKLOG))
def test_every_element_that_shows_something_is_seen_by_a_tile_unless_its_line_is_unseen(made):
    belt, _, _ = made
    seen = np.zeros(belt.shown.shape, bool)
    for event in rig.kinds(belt.found, "tile"):
        (top, bottom), (left, right) = (map(int, event[key]) for key in ("along_mm", "across_mm"))
        seen[top:bottom, left:right] = True
    for start, stop in lines_of(belt, "unseen"):
        seen[start:stop] = True
    assert seen[belt.shown].all()


def boxes(belt: Belt) -> list[tuple[int, int, int, int]]:
    """First and last line, first and last element of every defective tile."""
    return [(first, last, left, right) for first, last, tiles in belt.added for left, right, _ in tiles]


@thorough
@given(belts(most_late=BACKLOG))
def test_a_reject_is_as_large_as_its_tiles_and_no_larger(made):
    belt, _, part = made
    tiles, told = boxes(belt), np.zeros(belt.shown.shape, bool)
    for reject in rig.kinds(belt.found, "reject"):
        (top, bottom), (left, right) = (map(int, reject[key]) for key in ("along_mm", "across_mm"))
        told[top:bottom, left:right] = True
        inside = [t for t in tiles if top <= t[0] and t[1] <= bottom and left <= t[2] and t[3] <= right]
        assert inside
        tops, bottoms, lefts, rights = zip(*inside, strict=True)
        assert (min(tops), max(bottoms), min(lefts), max(rights)) == (top, bottom, left, right)
    for top, bottom, left, right in tiles:
        assert told[top:bottom, left:right].all()


@thorough
@given(belts(most_late=BACKLOG))
def test_no_reject_is_closed_before_a_tile_that_belongs_to_it(made):
    """Tiles of rows that overlap or follow each other, and that touch across, have a reject's number in common."""
    belt, _, _ = made
    names = {}
    for reject in rig.kinds(belt.found, "reject"):
        for joined in reject["joined"]:
            names[joined] = reject["reject"]

    def name(number: int) -> int:
        while number in names:
            number = names[number]
        return number

    closed = [r["reject"] for r in rig.kinds(belt.found, "reject") if r["last"]]
    assert len(closed) == len(set(closed))
    homes = {}
    for tile in boxes(belt):
        top, bottom, left, right = tile
        homes[tile] = {
            name(r["reject"])
            for r in rig.kinds(belt.found, "reject")
            if r["along_mm"][0] <= top and bottom <= r["along_mm"][1]
            and r["across_mm"][0] <= left and right <= r["across_mm"][1]
        }  # fmt: skip
    for one, other in itertools.combinations(homes, 2):
        if one[2] <= other[3] and other[2] <= one[3] and one[0] < other[1] and other[0] < one[1]:
            assert homes[one] & homes[other], (one, other)


@thorough
@given(belts())
def test_a_reject_is_told_within_the_shortest_latency(made):
    """Where looking takes no time, which `shortest_latency` allows as long for as a row's lines take to arrive."""
    belt, cut, part = made
    for event, at in zip(belt.found, belt.told_at, strict=True):
        if event["event"] == "reject":
            # Lines come 64 at a time at most.
            assert at - event["along_mm"][0] <= shortest_latency(cut, part) - cut.seen + 63


def test_the_docstring_of_the_latency_is_what_is_measured():
    """A reject of one row of the longest part is told as soon as the next row can no longer belong to it."""
    cut = tiling(48, 4, 100, 0.5)
    belt, scores = np.full((600, 100), 0.5, np.float32), itertools.chain([0.9] * 3, itertools.repeat(0.1))
    made = inspect(belt, [(0, 600)], lambda: 1, cut, 80, lambda: 0, lambda: next(scores))
    (index,) = [number for number, event in enumerate(made.found) if event["event"] == "reject"]
    # The row from 20 to 60 is clean; one from 40 on is certain as soon as the product reaches 80, and blocks end there.
    assert made.found[index]["along_mm"] == [0, 40] and made.told_at[index] == 80
    assert GAP == 32 and shortest_latency(cut, 80) == 80 + 40 + 48 + 40


def test_the_last_row_of_a_product_may_go_on_with_what_the_row_before_did_not_show():
    """Rows from 0, 28 and, since the product ends at 80, 39 on, each of which sees 41 lines."""
    cut, scores = tiling(49, 4, 60, 0.3), iter([0.9, 0.9, 0.1, 0.1, 0.9, 0.9])
    belt = np.zeros((200, 60), np.float32)
    belt[:80] = 0.5
    made = inspect(belt, [(0, 200)], lambda: 16, cut, 200, lambda: 0, lambda: next(scores))
    assert lines_of(made, "tile") == [(0, 41), (28, 69), (39, 80)]
    assert lines_of(made, "reject") == [(0, 80)]
