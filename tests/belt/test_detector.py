"""Lines that come whether anybody takes them or not, at an even speed."""

import os
import time

import numpy as np

from wool_tf.belt.detector import DetectorStream

RATE = 2000


class Numbered:
    """A belt whose lines are numbered: (n, 1) uint16."""

    lines = 600

    def counts(self):
        for start in range(0, self.lines, 200):
            yield np.arange(start, start + 200, dtype="<u2")[:, None]


class Halting(Numbered):
    """The same, whose second scan takes long to come."""

    def counts(self):
        for number, part in enumerate(super().counts()):
            time.sleep(0.5 if number == 1 else 0)
            yield part


def read(fifo) -> np.ndarray:
    """All that comes until its end."""
    with open(os.open(fifo, os.O_RDONLY), "rb") as file:
        return np.frombuffer(file.read(), "<u2")


def test_all_lines_come_in_order_and_in_time(tmp_path):
    detector = DetectorStream(Numbered(), tmp_path / "fifo", RATE, 1000)
    reader = os.open(detector.fifo, os.O_RDONLY | os.O_NONBLOCK)
    began = time.monotonic()
    with detector:
        detector.wait()
    assert time.monotonic() - began >= 1000 / RATE - 0.01
    assert np.frombuffer(os.read(reader, 1 << 16), "<u2").tolist() == [*range(600), *range(400)]
    os.close(reader)
    assert [line for _, line in detector.openings] == [0]
    assert detector.written.lines[-1] == 1000 and (np.diff(detector.written.seconds) >= 0).all()


def test_lines_are_lost_while_nobody_reads(tmp_path):
    detector = DetectorStream(Numbered(), tmp_path / "fifo", RATE, None)
    with detector:
        time.sleep(0.1)
        for _ in range(2):
            reader = os.open(detector.fifo, os.O_RDONLY | os.O_NONBLOCK)
            time.sleep(0.1)
            content = os.read(reader, 1 << 16)
            os.close(reader)
            _, first = detector.openings[-1]
            assert first > 0 and np.frombuffer(content, "<u2")[0] == first % 600
            time.sleep(0.05)
    assert len(detector.openings) == 2


def test_a_belt_that_could_not_be_served_stood_and_does_not_leap(tmp_path):
    detector = DetectorStream(Halting(), tmp_path / "fifo", RATE, 600)
    with detector:
        detector.wait()
    # The scan before it lasts for 0.1 s.
    assert detector.stood > 0.3
    written = detector.written
    # What came within any tenth of a second is no more than what the belt moves in it, and some catching up.
    leaps = [count - written.lines[written.seconds >= moment - 0.1][0] for moment, count in zip(*written, strict=True)]
    assert max(leaps) <= RATE * (0.1 + 0.02)
