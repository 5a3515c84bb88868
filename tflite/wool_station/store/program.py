"""The work of `station.py record`."""

import dataclasses
import math
import time
from collections.abc import Iterator
from pathlib import Path

from wool_board.errors import UsageError
from wool_board.machine.interruption import Interruption
from wool_board.machine.watchdog import Watchdog
from wool_station import feed
from wool_station.challenge import records
from wool_station.challenge.monitor import ChallengeMonitor
from wool_station.store import shifts
from wool_station.store.pictures import PictureSampling
from wool_station.store.recorder import Recorder
from wool_station.store.recorder_alarms import FEED_LOST, WATCHED
from wool_station.watch.watch import Watch

SILENCE_SECONDS = 0.5
"""Without a message, after which the recorder looks whether something is to be written."""

NOT_HEARD = (feed.LOST, "refused")
"""Messages that mean that there is no connection; an inspection refuses readers if it has too many."""

LEAST_BUDGET_MB = 64.0
MB = 1e6


@dataclasses.dataclass(frozen=True)
class RecordOptions:
    """What is to be recorded and how.

    Attributes:
        feed: socket of the inspection.
        store: folder.
        budget_mb: disk space that the folder may take, in 1e6 bytes.
        picture_mb_per_hour: pictures that may be written in an hour, in 1e6 bytes.
        sample: of so many tiles that pass, about one is kept as a picture; 0: none.
        shifts: times of day at which shifts begin.
        defect_percent: share of tiles that show a defect, from and to, in percent.
        challenge: of each test piece its name and in how many minutes it must be found once.
    """

    feed: Path
    store: Path
    budget_mb: float
    picture_mb_per_hour: float
    sample: int
    shifts: str
    defect_percent: str
    challenge: list[str]


def run(options: RecordOptions) -> int:
    """Records until the end is asked for.

    Raises:
        WoolError: an option is wrong, or another recorder has the folder.
        KeyboardInterrupt: the end was asked for, and all that was heard is written.
    """
    _check(options)
    defects, pieces = _defects(options.defect_percent), records.pieces(options.challenge)
    interruption, watchdog = Interruption(), Watchdog()
    choice = PictureSampling(options.sample, options.picture_mb_per_hour * MB)
    recorder = Recorder(options.store, round(options.budget_mb * MB), shifts.schedule(options.shifts), choice)
    watch = Watch(recorder.tell, recorder.note, defects, frozenset(recorder.standing) & WATCHED.keys())
    challenges = ChallengeMonitor(options.store, pieces, recorder.tell)
    interruption.work()
    watchdog.ready()
    try:
        for message, payload in _heard(options, recorder, interruption):
            if message["event"] != feed.SILENT:
                recorder.take(message, payload)
            challenges.take(message)
            watch.paused = challenges.is_open
            watch.take(message)
            challenges.tick()
            recorder.tick()
            watchdog.alive()
    finally:
        recorder.close()
    interruption.check()
    return 0


def _heard(options: RecordOptions, recorder: Recorder, interruption: Interruption) -> Iterator[tuple[dict, bytes]]:
    """Messages of the inspection, SILENT while there are none; tells of its loss and its return."""
    text = "the inspection is not heard of: nothing of it is recorded"
    lost: float | None = None
    for message, payload in feed.messages(options.feed, silence=SILENCE_SECONDS, is_stopped=lambda: interruption.asked):
        if message["event"] in NOT_HEARD:
            lost = lost or time.monotonic()
            recorder.tell(FEED_LOST, True, text, why=message["text"])
            message = {"event": feed.SILENT}
        elif message["event"] != feed.SILENT and (lost is not None or FEED_LOST in recorder.standing):
            # One that stands since before this recorder began was lost for nobody knows how long.
            seconds = {} if lost is None else {"seconds": round(time.monotonic() - lost, 1)}
            recorder.tell(FEED_LOST, False, text, **seconds)
            lost = None
        yield message, payload


def _check(options: RecordOptions) -> None:
    if not LEAST_BUDGET_MB <= options.budget_mb < math.inf:
        raise UsageError(f"--budget_mb={options.budget_mb:g}: must be at least {LEAST_BUDGET_MB:g}")
    if not 0 < options.picture_mb_per_hour < math.inf:
        raise UsageError(f"--picture_mb_per_hour={options.picture_mb_per_hour:g}: must be above 0")
    if options.sample < 0:
        raise UsageError(f"--sample={options.sample}: must be 0 (none) or more")


def _defects(text: str) -> tuple[float, float]:
    try:
        least, most = (float(part) / 100 for part in text.split(","))
    except ValueError:
        least, most = 1.0, 0.0
    if not 0 <= least <= most < 1:
        raise UsageError(f"--defect_percent={text}: must be FROM,TO, from 0 to below 100, such as 0,2")
    return least, most
