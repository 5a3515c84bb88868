"""The work of `station.py record`."""

import time
from collections.abc import Iterator

from wool_board import command_line
from wool_board.errors import BadSetting
from wool_board.machine.interruption import Interruption
from wool_board.machine.watchdog import Watchdog
from wool_station import events, feed
from wool_station.challenge import records
from wool_station.challenge.monitor import ChallengeMonitor
from wool_station.events import Lost, Refused
from wool_station.options import RecordOptions
from wool_station.store import shifts
from wool_station.store.pictures import PictureSampling
from wool_station.store.recorder import Recorder
from wool_station.store.recorder_alarms import FEED_LOST, WATCHED
from wool_station.watch.watch import Watch

SILENCE_SECONDS = 0.5
"""Without a message, after which the recorder looks whether something is to be written."""

MB = 1e6


def run(options: RecordOptions) -> int:
    """Records until the end is asked for.

    Raises:
        WoolError: an option is wrong, or another recorder has the folder.
        KeyboardInterrupt: the end was asked for, and all that was heard is written.
    """
    defects, pieces = _defects(options.defect_percent), records.pieces(options.challenge)
    interruption, watchdog = Interruption(), Watchdog()
    choice = PictureSampling(options.sample, options.picture_mb_per_hour * MB)
    recorder = Recorder(options.store, round(options.budget_mb * MB), shifts.schedule(options.shifts), choice, say=_say)
    watch = Watch(recorder.tell, recorder.note, defects, frozenset(recorder.standing) & WATCHED.keys())
    challenges = ChallengeMonitor(options.store, pieces, recorder.tell)
    interruption.work()
    watchdog.ready()
    try:
        for message, payload in _heard(options, recorder, interruption):
            if message["event"] != feed.SILENT:
                recorder.take(message, payload)
            event = events.typed(message)
            challenges.take(event)
            watch.paused = challenges.is_open
            watch.take(event)
            challenges.tick()
            recorder.tick()
            watchdog.alive()
    finally:
        recorder.close()
    interruption.check()
    return 0


def _say(text: str) -> None:
    """What the recorder says of its folder."""
    command_line.say(f"station.py: --store={text}")


def _heard(options: RecordOptions, recorder: Recorder, interruption: Interruption) -> Iterator[tuple[dict, bytes]]:
    """Messages of the inspection, SILENT while there are none; tells of its loss and its return."""
    text = "the inspection is not heard of: nothing of it is recorded"
    lost: float | None = None
    for message, payload in feed.messages(options.feed, silence=SILENCE_SECONDS, is_stopped=lambda: interruption.asked):
        event = events.typed(message)
        if isinstance(event, Lost | Refused):
            lost = lost or time.monotonic()
            recorder.tell(FEED_LOST, True, text, why=event.text)
            message = {"event": feed.SILENT}
        elif message["event"] != feed.SILENT and (lost is not None or FEED_LOST in recorder.standing):
            # One that stands since before this recorder began was lost for nobody knows how long.
            seconds = {} if lost is None else {"seconds": round(time.monotonic() - lost, 1)}
            recorder.tell(FEED_LOST, False, text, **seconds)
            lost = None
        yield message, payload


def _defects(text: str) -> tuple[float, float]:
    try:
        least, most = (float(part) / 100 for part in text.split(","))
    except ValueError:
        least, most = 1.0, 0.0
    if not 0 <= least <= most < 1:
        raise BadSetting("defect_percent", text, "must be FROM,TO, from 0 to below 100, such as 0,2")
    return least, most
