"""What a quality report says, from the store alone."""

import base64
import collections
import dataclasses
import datetime
import sqlite3

from wool_station.challenge.records import FOUND, MISSED
from wool_station.events import RejectEvent, Start, Unseen
from wool_station.report.alarms import AlarmRow, alarms
from wool_station.report.period import Period
from wool_station.store.batch import Minute
from wool_station.store.corrections import VERDICTS, counting
from wool_station.store.reader import StoreReader
from wool_station.store.tile import StoredTile

LANES = 8
"""Parts of the belt across that rejects are counted by."""

PICTURES = 24
MOST = 100_000
"""Of events and tiles that a report looks at."""

FAINTEST, STRONGEST = 0.15, 0.5
"""Share of a heatmap's full value below which a cell is not drawn, and the opacity of the full value."""


CHALLENGES = (
    "SELECT *, (SELECT max(time) FROM challenges AS before WHERE before.piece = challenges.piece "
    "AND before.outcome = 'found' AND before.time < challenges.time) AS before "
    "FROM challenges WHERE time >= ? AND time < ? ORDER BY id"
)


@dataclasses.dataclass(frozen=True)
class RejectPicture:
    """A picture of a rejected tile: base64 of its PNG, cells of the heatmap, and its caption.

    Attributes:
        cells: x, y, width, height as shares of the side, and opacity.
    """

    png: str
    cells: list[tuple[float, float, float, float, float]]
    caption: str


@dataclasses.dataclass(frozen=True)
class Content:
    """All that a report says.

    Attributes:
        period: of which time.
        station: name of the store.
        made: when the report was made.
        inspections: of each: start, model, SHA-256, precision, threshold, window.
        total: what passed.
        hours: of each hour: its beginning, and what passed.
        unseen: of each reason: how often, millimetres.
        lanes: of each part of the belt across: from, to, rejects, share of the most.
        types: of each type of defect that operators named: how often.
        pictures: of rejected tiles, those with the highest scores first, no two of one place.
        rejected: tiles called defective.
        alarms: those that began or stood.
        corrections: of each: when, who, what, of what.
        counts: how often each verdict of operators counts.
        challenges: of each test piece that was put through: when, who, which, outcome, its reject, and when such a
            piece had been found last before.
        failed: how many of them were not found.
        changes: of the model: when, who, what, which file, its SHA-256, and why.
    """

    period: Period
    station: str
    made: str
    inspections: list[tuple[str, ...]]
    total: Minute
    hours: list[tuple[str, Minute]]
    unseen: list[tuple[str, int, float]]
    lanes: list[tuple[float, float, int, float]]
    types: list[tuple[str, int]]
    pictures: list[RejectPicture]
    rejected: int
    alarms: list[AlarmRow]
    corrections: list[tuple[str, ...]]
    counts: dict[str, int]
    challenges: list[tuple[str, ...]]
    failed: int
    changes: list[tuple[str, ...]]

    @property
    def product_mm(self) -> float:
        """Of product, as far as it is known to be any, whether it was seen or not."""
        return self.total.seen_mm + self.total.unseen_mm


def content(reader: StoreReader, period: Period) -> Content:
    """What a report of that time says."""
    starts, tiles = _starts(reader, period), reader.rejected(period.began, period.ends, MOST)
    rejects = reader.events(RejectEvent, period.began, period.ends, MOST)
    said = reader.rows(
        "SELECT * FROM corrections WHERE tile_time >= ? AND tile_time < ? ORDER BY id", period.began, period.ends
    )
    counts, _ = counting(said)
    challenges = reader.rows(CHALLENGES, period.began, period.ends)
    changes = reader.rows("SELECT * FROM models WHERE time >= ? AND time < ? ORDER BY id", period.began, period.ends)
    station = reader.rows("SELECT value FROM meta WHERE name = 'station'")
    return Content(
        period=period,
        station=station[0]["value"],
        made=moment(datetime.datetime.now().timestamp()),
        inspections=[_inspection(start) for start in starts.values()],
        total=reader.totals(period.began, period.ends),
        hours=_hours(reader, period),
        unseen=_unseen(reader.events(Unseen, period.began, period.ends, MOST)),
        lanes=_lanes(rejects, starts),
        types=collections.Counter(row["defect"] for row in counts if row["defect"]).most_common(),
        pictures=[_shown(reader, tile, starts.get(tile.inspection)) for tile in _chosen(tiles)],
        rejected=len(tiles),
        alarms=alarms(reader, period),
        corrections=[_correction(row) for row in said],
        counts={verdict: sum(row["verdict"] == verdict for row in counts) for verdict in VERDICTS},
        challenges=[_challenge(row) for row in challenges],
        failed=sum(row["outcome"] == MISSED for row in challenges),
        changes=[_change(row) for row in changes],
    )


def moment(seconds: float) -> str:
    """Local date and time."""
    return datetime.datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _starts(reader: StoreReader, period: Period) -> dict[int, Start]:
    """The inspections of which something was heard in this time."""
    select = "SELECT DISTINCT inspection FROM minutes WHERE minute >= ? AND minute < ? ORDER BY inspection"
    used = [row["inspection"] for row in reader.rows(select, period.began // 60, -(-period.ends // 60))]
    known = reader.inspections()
    return {number: known[number] for number in used if number in known}


def _inspection(start: Start) -> tuple[str, ...]:
    low, high = start.window
    about = str(start.precision), f"{start.threshold:g}", f"{low:g} to {high:g}"
    return moment(start.time), start.model.split("/")[-1], start.sha256[:16], *about


def _hours(reader: StoreReader, period: Period) -> list[tuple[str, Minute]]:
    found, began = [], period.began
    while began < period.ends:
        ends = min(began + 3600, period.ends)
        total = reader.totals(began, ends)
        if total != Minute():
            found.append((moment(began)[11:16], total))
        began = ends
    return found


def _unseen(events: list[Unseen]) -> list[tuple[str, int, float]]:
    lengths = collections.defaultdict(list)
    for event in events:
        start, stop = event.along_mm
        lengths[event.reason].append(stop - start)
    return [(reason, len(each), sum(each)) for reason, each in sorted(lengths.items())]


def _lanes(rejects: list[RejectEvent], starts: dict[int, Start]) -> list[tuple[float, float, int, float]]:
    """Rejects by where across their middle is; each counts once, in its first part."""
    if not starts:
        return []
    width = max(start.width * start.pixel_mm for start in starts.values())
    counts = [0] * LANES
    for reject in rejects:
        if reject.part == 1:
            middle = sum(reject.across_mm) / 2
            counts[min(int(middle / width * LANES), LANES - 1)] += 1
    most = max(*counts, 1)
    return [
        (lane * width / LANES, (lane + 1) * width / LANES, count, count / most) for lane, count in enumerate(counts)
    ]


def _chosen(tiles: list[StoredTile]) -> list[StoredTile]:
    """Tiles with pictures, those with the highest scores, no two of which overlap."""
    chosen: list[StoredTile] = []
    for tile in sorted(tiles, key=lambda tile: -tile.score):
        if len(chosen) == PICTURES:
            break
        if tile.has_picture and not any(_overlap(tile, other) for other in chosen):
            chosen.append(tile)
    return chosen


def _overlap(one: StoredTile, other: StoredTile) -> bool:
    return (
        one.inspection == other.inspection
        and one.start_mm < other.stop_mm
        and other.start_mm < one.stop_mm
        and one.left_mm < other.right_mm
        and other.left_mm < one.right_mm
    )


def _shown(reader: StoreReader, tile: StoredTile, start: Start | None) -> RejectPicture:
    png = reader.picture(tile.id) or b""
    margin = (start.side - start.seen) / 2 / start.side if start else 0.0
    place = f"{tile.start_mm / 1000:.2f} m, {tile.left_mm:.0f} to {tile.right_mm:.0f} mm across"
    return RejectPicture(
        base64.b64encode(png).decode(), _cells(tile, margin), f"{moment(tile.time)}: {place}, score {tile.score:.3f}"
    )


def _cells(tile: StoredTile, margin: float) -> list[tuple[float, float, float, float, float]]:
    if tile.grid is None or tile.heatmap is None:
        return []
    rows, columns = tile.grid
    height, width = (1 - 2 * margin) / rows, (1 - 2 * margin) / columns
    return [
        (margin + number % columns * width, margin + number // columns * height, width, height, value / 255 * STRONGEST)
        for number, value in enumerate(tile.heatmap)
        if value / 255 >= FAINTEST
    ]


def _correction(row: sqlite3.Row) -> tuple[str, ...]:
    said = VERDICTS[row["verdict"]] + (f": {row['defect']}" if row["defect"] else "")
    place = f"{row['start_mm'] / 1000:.2f} m, {row['left_mm']:.0f} mm across"
    score = "" if row["score"] is None else f"{row['score']:.3f}"
    return moment(row["time"]), row["operator"], said, f"{moment(row['tile_time'])}, {place}", score


def _challenge(row: sqlite3.Row) -> tuple[str, ...]:
    outcome = {FOUND: "found", MISSED: "NOT FOUND"}.get(row["outcome"], "not known yet")
    place = f"{row['start_mm'] / 1000:.2f} m, score {row['score']:.3f}" if row["outcome"] == FOUND else ""
    before = moment(row["before"]) if row["before"] else "never"
    return moment(row["time"]), row["operator"], row["piece"], outcome, place, before


def _change(row: sqlite3.Row) -> tuple[str, ...]:
    return moment(row["time"]), row["operator"], row["action"], row["file"], row["sha256"][:16], row["note"]
