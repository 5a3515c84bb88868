"""wool_board/belt/lines.py: no line is lost or moved without a word, and no writer is held up."""

import os
import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wool_board.belt.lines import PIPE_BYTES, LineBlock, LineReader, LostLines, Ring, WriterGone
from wool_board.errors import WoolError
from wool_board.image.scan_files import LineFormat

LAYOUT = LineFormat(4, "uint16le")


def numbered(count: int, first: int = 0) -> np.ndarray:
    """Lines that say their number."""
    return np.repeat(np.arange(first, first + count, dtype="<u2")[:, None], 4, axis=1)


def drain(ring: Ring, seconds: float = 5.0) -> list:
    """What comes until the writer went away for good; of lines (first, numbers)."""
    found, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        item = ring.take(1000, 0.05)
        if isinstance(item, LineBlock):
            found.append((item.first, item.lines[:, 0].tolist()))
            ring.release(len(item.lines))
        elif item is not None:
            found.append(item)
        if isinstance(item, WriterGone) and item.final:
            return found
    raise AssertionError(f"the end did not come: {found}")


@settings(max_examples=100)
@given(data=st.data())
def test_ring_against_a_list(data):
    """Bytes come in any pieces, lines go in any numbers, and what does not fit is lost, whole lines at a time."""
    capacity = data.draw(st.integers(2, 12), label="capacity")
    ring, bytes_left = Ring(LAYOUT, capacity), numbered(data.draw(st.integers(0, 60), label="lines")).tobytes()
    sent, taken, lost = 0, {}, []
    total = len(bytes_left) // LAYOUT.line_bytes

    def take():
        item = ring.take(data.draw(st.integers(1, 5)), 0)
        if isinstance(item, LineBlock):
            for offset, line in enumerate(item.lines):
                # A line is where its number says, whatever was lost before.
                assert line.tolist() == [item.first + offset] * 4
                assert item.arrived[offset] <= sent
                taken[item.first + offset] = True
            ring.release(len(item.lines))
        elif isinstance(item, LostLines):
            lost.extend(range(item.first, item.first + item.lines))
        return item

    while bytes_left:
        space = ring.space()
        size = min(data.draw(st.integers(1, 40)), len(bytes_left))
        if len(space):
            size = min(size, len(space))
            space[:size] = bytes_left[:size]
            ring.put(size, float(sent))
        else:
            size = min(size, ring.spill())
            if size:
                ring.spilt(size)
        bytes_left, sent = bytes_left[size:], sent + 1
        assert ring.arrived == total - -(-len(bytes_left) // LAYOUT.line_bytes)
        if data.draw(st.booleans()):
            take()
    ring.leave(final=True)
    while not isinstance(item := take(), WriterGone):
        assert item is not None
    assert item == WriterGone(0, True, None)
    assert sorted([*taken, *lost]) == list(range(total))


def test_a_file_is_read_whole_however_slow_the_inspection(tmp_path):
    path = tmp_path / "lines.raw"
    path.write_bytes(numbered(1000).tobytes() + b"odd")
    ring, reader = Ring(LAYOUT, 16), LineReader(str(path), False, False)
    assert (reader.live, reader.size) == (False, 8003)
    with reader.reading(ring):
        found = drain(ring)
    assert found[-1] == WriterGone(3, True, None)
    assert [number for _, numbers in found[:-1] for number in numbers] == list(range(1000))


def test_times_are_those_of_arrival(tmp_path):
    path = tmp_path / "fifo"
    os.mkfifo(path)
    ring, reader = Ring(LAYOUT, 16), LineReader(str(path), False, False)
    with reader.reading(ring), path.open("wb", buffering=0) as writer:
        times = []
        for number in range(3):
            times.append(time.monotonic())
            writer.write(numbered(1, number).tobytes())
            time.sleep(0.15)
        block = ring.take(9, 1)
    assert len(block.lines) == 3
    # Not when the line was taken; on a busy machine the thread may be late.
    assert np.all(block.arrived >= times) and block.arrived[0] < time.monotonic() - 0.2


def test_a_writer_is_not_held_up_when_nobody_takes_its_lines(tmp_path):
    path = tmp_path / "fifo"
    os.mkfifo(path)
    ring, reader = Ring(LAYOUT, 50), LineReader(str(path), False, False)
    assert reader.live
    count = 4 * PIPE_BYTES // LAYOUT.line_bytes
    lines = np.resize(numbered(60000), (count, 4)).tobytes()
    with reader.reading(ring):
        with path.open("wb", buffering=0) as writer:
            sent = 0
            while sent < len(lines):
                sent += writer.write(lines[sent : sent + 40001])
            deadline = time.monotonic() + 5
            while ring.arrived < count and time.monotonic() < deadline:
                time.sleep(0.01)
            # The first lines are kept, the others thrown away.
            assert ring.arrived == count
            first = ring.take(100, 0)
            assert (first.first, first.lines[:, 0].tolist()) == (0, list(range(50)))
            ring.release(50)
            writer.write(numbered(3).tobytes())
        found = drain(ring)
    lost, kept, left = found if len(found) == 3 else (found[0], (count + 3, []), found[-1])
    assert isinstance(lost, LostLines) and lost.first == 50
    assert lost.first + lost.lines + len(kept[1]) == count + 3
    assert left == WriterGone(0, True, None)


def test_a_fifo_is_opened_again_for_another_writer(tmp_path):
    path = tmp_path / "fifo"
    os.mkfifo(path)
    ring, reader = Ring(LAYOUT, 50), LineReader(str(path), False, True)
    with reader.reading(ring):
        assert ring.take(5, 0.3) is None
        for writing in range(3):
            with path.open("wb", buffering=0) as writer:
                writer.write(numbered(2, 2 * writing).tobytes() + b"x" * writing)
            found = []
            while len(found) < 2 and (item := ring.take(5, 30)):
                if isinstance(item, LineBlock):
                    assert item.lines[:, 0].tolist() == [2 * writing, 2 * writing + 1]
                    ring.release(len(item.lines))
                found.append(item)
            assert found[1] == WriterGone(writing, False, None)


def test_reading_ends_soon_without_a_writer(tmp_path):
    path = tmp_path / "fifo"
    os.mkfifo(path)
    before = threading.active_count()
    started = time.monotonic()
    with LineReader(str(path), False, False).reading(Ring(LAYOUT, 5)):
        assert threading.active_count() == before + 1
    assert threading.active_count() == before
    assert time.monotonic() - started < 2


def test_what_goes_wrong_in_reading_is_told(tmp_path):
    path = tmp_path / "lines.raw"
    path.write_bytes(numbered(10).tobytes())
    ring, reader = Ring(LAYOUT, 50), LineReader(str(path), False, False)
    reader._file.close()
    with reader.reading(ring):
        (left,) = drain(ring)
    assert left.final and "closed" in left.error


@pytest.mark.parametrize(
    ("make", "reopen", "said"),
    [
        (lambda path: None, False, "cannot be opened (No such file or directory)"),
        (lambda path: path.mkdir(), False, "cannot be opened (Is a directory)"),
        (lambda path: path.write_bytes(b"xx"), True, "is no FIFO"),
    ],
)
def test_no_lines_to_be_had(tmp_path, make, reopen, said):
    make(tmp_path / "input")
    with pytest.raises(WoolError, match="input") as refused:
        LineReader(str(tmp_path / "input"), False, reopen)
    assert said in str(refused.value)


def test_a_writer_that_comes_and_goes_while_the_fifo_is_opened_again_spoils_no_other(tmp_path):
    path = tmp_path / "fifo"
    os.mkfifo(path)
    reader, ring, found = LineReader(str(path), False, True), Ring(LAYOUT, 100), []
    opened = reader._opened

    def hasty():
        """Another writer is there and gone between the end of the first one and the new opening."""
        if not found:
            found.append("gone")
            path.write_bytes(numbered(2, 10).tobytes() + b"abc")
        return opened()

    reader._opened = hasty
    marks, lines = [], []
    with reader.reading(ring):
        path.write_bytes(numbered(3).tobytes() + b"x")
        end = time.monotonic() + 20
        while time.monotonic() < end and len(marks) < 3:
            item = ring.take(1000, 0.05)
            if isinstance(item, LineBlock):
                lines += item.lines[:, 0].tolist()
                ring.release(len(item.lines))
            elif item is not None:
                marks.append(item)
            if len(marks) == 2 and found == ["gone"]:
                found.append("third")
                path.write_bytes(numbered(2, 20).tobytes())
    assert lines == [0, 1, 2, 10, 11, 20, 21]
    assert marks == [WriterGone(1, False, None), WriterGone(3, False, None), WriterGone(0, False, None)]


def test_many_hasty_writers_lose_nothing_and_shift_nothing(tmp_path):
    path = tmp_path / "fifo"
    os.mkfifo(path)
    reader, ring = LineReader(str(path), False, True), Ring(LAYOUT, 10_000)
    lines, writers = [], 300
    with reader.reading(ring):
        threading.Thread(target=lambda: [path.write_bytes(numbered(1, n).tobytes()) for n in range(writers)]).start()
        end = time.monotonic() + 30
        while time.monotonic() < end and len(lines) < writers:
            item = ring.take(1000, 0.05)
            if isinstance(item, LineBlock):
                lines += item.lines[:, 0].tolist()
                ring.release(len(item.lines))
            else:
                assert item is None or item == WriterGone(0, False, None)
    assert lines == list(range(writers))


@pytest.mark.parametrize("recorded", [False, True])
def test_lines_in_the_pipe_are_known_before_they_are_read_where_their_writer_does_not_wait(tmp_path, recorded):
    fifo, layout = tmp_path / "lines", LineFormat(4, "uint16le")
    os.mkfifo(fifo)
    reader, ring = LineReader(str(fifo), recorded, False), Ring(layout, 20)
    writer = os.open(fifo, os.O_WRONLY)
    os.write(writer, bytes(7 * 8 + 3))
    ring.waiting = reader._waiting
    assert ring.arrived_and_waiting() == (0, 0 if recorded else 7)
    with reader.reading(ring):
        end = time.monotonic() + 20
        while ring.arrived < 7 and time.monotonic() < end:
            time.sleep(0.01)
        assert ring.arrived_and_waiting() == (7, 0)
        os.close(writer)
    # Its file is closed by now.
    assert ring.arrived_and_waiting() == (7, 0)
