"""What waits for one reader of the feed, and the clock that an encoder's count foresees."""

import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from wool_board.belt import feed_buffer, motion
from wool_board.belt.events import Alarms
from wool_board.belt.feed_buffer import DEFECTIVE, HEADER, PASSED, SPARE, VITAL, FeedBuffer, message

OFFERS = st.lists(st.tuples(st.sampled_from([PASSED, DEFECTIVE, SPARE, VITAL]), st.integers(1, 400)), max_size=200)


@given(OFFERS, st.lists(st.integers(0, 3000), max_size=200))
def test_a_buffer_keeps_the_order_counts_what_it_drops_and_stays_bounded(offers, reads):
    before, feed_buffer.BUFFER_BYTES = feed_buffer.BUFFER_BYTES, 4000
    try:
        buffer, sent, dropped = FeedBuffer(), b"", 0
        takes = iter(reads)
        for number, (share, size) in enumerate(offers):
            content = message(json.dumps({"event": "n", "number": number}), bytes(size))
            full = buffer.waiting + len(content) > share * 4000
            assert (buffer.offer(content, share) is not None) == full
            dropped += full
            assert buffer.is_lost or not (full and share == VITAL)
            assert buffer.waiting <= 4000 + 100
            left = next(takes, 0)
            while left and (piece := buffer.next()):
                count = min(left, len(piece))
                sent += bytes(piece[:count])
                buffer.taken(count)
                left -= count
        buffer.offer(message(json.dumps({"event": "end"})), 10.0)
        while piece := buffer.next():
            sent += bytes(piece)
            buffer.taken(len(piece))
    finally:
        feed_buffer.BUFFER_BYTES = before
    numbers, missing, at = [], 0, 0
    while at < len(sent):
        text, payload = HEADER.unpack_from(sent, at)
        event = json.loads(sent[at + HEADER.size : at + HEADER.size + text])
        at += HEADER.size + text + payload
        if event["event"] == "dropped":
            missing += event["pixels"] + event["events"]
        elif event["event"] == "n":
            # What lies between two that came is what was said to be missing by then.
            assert event["number"] == len(numbers) + missing
            numbers.append(event["number"])
    assert missing == dropped and len(numbers) + missing == len(offers)


def test_clocks_that_wait_are_one():
    buffer = FeedBuffer()
    buffer.offer(message("first"), VITAL)
    for number in range(1000):
        buffer.tick(message(f"{number}"))
    sent = b""
    while piece := buffer.next():
        sent += bytes(piece)
        buffer.taken(len(piece))
    assert sent == message("first") + message("999")


@given(st.lists(st.integers(0, 6), min_size=2, max_size=300), st.integers(0, 2**32 - 1), st.data())
def test_by_an_encoders_count_the_clock_foresees_how_many_lines_will_be_chosen(moves, first, data):
    counts = (first + np.cumsum(moves)) % 2**32
    lines = np.zeros((len(moves), 6), "<u2")
    lines[:, 4:] = counts.astype("<u4").view("<u2").reshape(-1, 2)

    class NoEvents:
        def tell(self, event, **fields):
            pass

        def flush(self):
            pass

    encoder = motion.EncoderCounts(4, 2.0, Alarms(NoEvents()))
    cut = data.draw(st.integers(1, len(moves) - 1))
    assert encoder.ahead(encoder.mark(), lines[0]) == 0
    encoder.choose(lines[:cut])
    mark = encoder.mark()
    foreseen = encoder.ahead(mark, lines[-1])
    assert foreseen == len(encoder.choose(lines[cut:]))
