"""wool_board/belt/line_check.py: a line of two writers, or one that begins in the middle, is never product."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

import rig
from rig import DEFECT, WOOL, accounted, kinds
from wool_board.belt.line_check import AROUND, LineCheck
from wool_board.image.flat_field import FlatField

NOISE, WIDTH, MM = 20.0, 640, 0.5


class Lines:
    """Wool with air at its sides under a detector whose elements differ by some per cent."""

    def __init__(
        self,
        width: int = WIDTH,
        differ: float = 0.02,
        texture: float = 0.01,
        lines: int = 600,
        noise: float = NOISE,
        references: int = 64,
        seed: int = 0,
    ):
        rng = np.random.default_rng(seed)
        self.gain = 20000 * rng.normal(1, differ, width)
        attenuation = WOOL + texture * rng.normal(0, 1, (lines, width))
        attenuation[:, : width // 20] = attenuation[:, -width // 20 :] = 0
        counts = self.gain * np.exp(-attenuation) + rng.normal(0, noise, attenuation.shape)
        self.counts = np.rint(counts).astype("<u2")
        known = (self.gain + rng.normal(0, noise, width) / references**0.5).astype(np.float32)
        spread = np.full(width, noise, np.float32)
        self.correction = FlatField(np.zeros(width, np.float32), known, spread, (), 1e-4, references)

    def broken(self, content: bytes, chunk: int = 50) -> np.ndarray:
        """Which lines of these bytes are found broken, looked at so many at a time."""
        width, check = self.counts.shape[1], LineCheck(self.correction)
        counts = np.frombuffer(content[: len(content) // (2 * width) * 2 * width], "<u2").reshape(-1, width)
        attenuation = self.correction.attenuation(counts)
        return np.concatenate(
            [check.broken(counts[at : at + chunk], attenuation[at : at + chunk]) for at in range(0, len(counts), chunk)]
        )


@pytest.fixture(scope="module")
def sound():
    return Lines()


@pytest.mark.parametrize("texture", [0.0, 0.01, 0.03])
@pytest.mark.parametrize("differ", [0.0, 0.003, 0.02, 0.05])
def test_whole_lines_are_not_broken(differ, texture):
    lines = Lines(differ=differ, texture=texture, lines=2000)
    assert not lines.broken(lines.counts.tobytes()).any()


def test_whole_lines_are_not_broken_by_noise_that_hides_the_pattern():
    """As few quanta as at full speed, 5 % of noise, many lines: neighbours' differences are not independent."""
    for seed in range(8):
        lines = Lines(differ=0.012, lines=10_000, noise=1000.0, references=1000, seed=seed)
        assert not lines.broken(lines.counts.tobytes(), chunk=1000).any()


def test_a_brighter_beam_and_none_break_no_line(sound):
    for counts in (sound.counts * 1.6, sound.counts * 0.4, sound.counts * 0, np.full_like(sound.counts, 65535)):
        assert not sound.broken(np.rint(counts).astype("<u2").tobytes()).any()


@pytest.mark.parametrize("top", [18_000, 20_000])
def test_lines_that_end_at_the_top_of_the_detector_are_not_broken(sound, top):
    """The elements that are cut have their pattern no longer, but the lines begin where they should."""
    counts = np.minimum(np.rint(sound.counts * 1.2), top).astype("<u2")
    shares = np.mean(counts == top)
    assert 0.03 < shares < 0.98
    assert not sound.broken(counts.tobytes()).any()


def test_lines_are_not_broken_by_elements_that_are_left_out(sound):
    counts = sound.counts.copy()
    counts[:, 100:260] = 15_000
    check = LineCheck(sound.correction)
    attenuation = sound.correction.attenuation(counts)
    assert check.broken(counts, attenuation).all()
    check = LineCheck(sound.correction)
    check.leave_out(tuple(range(100, 260)))
    assert not check.broken(counts, attenuation).any()
    # What is left of the pattern tells as before.
    later = np.roll(counts, 1, axis=1)
    assert check.broken(later, sound.correction.attenuation(later)).all()


@pytest.mark.parametrize("chunk", [1, 7, 64])
@pytest.mark.parametrize("cut", [1, 2, 301, 640, 641, 1000, 1278, 1279])
def test_a_line_within_a_line_breaks_both(sound, cut, chunk):
    """One writer is interrupted after so many bytes of 1280 by a line of another."""
    one, other = sound.counts[200].tobytes(), sound.counts[400].tobytes()
    content = sound.counts[:200].tobytes() + one[:cut] + other + one[cut:] + sound.counts[201:300].tobytes()
    broken = np.flatnonzero(sound.broken(content, chunk))
    # Of 1 or 2 wrong elements in the first one, the second one tells, unless the first one is through by then.
    assert 201 in broken and (200 in broken or (chunk == 1 and cut >= 1278))
    # Those around are left out for safety, but no others.
    assert broken.min() >= 200 - AROUND and broken.max() <= 201 + AROUND
    assert broken.max() >= 200 + AROUND


@pytest.mark.parametrize("lost", [1, 2, 500, 1279])
def test_lines_behind_lost_bytes_are_all_broken(sound, lost):
    content = sound.counts[:100].tobytes() + sound.counts[100:].tobytes()[lost:]
    broken = sound.broken(content)
    assert broken[100:].all() and not broken[: 100 - AROUND].any()


def test_a_detector_whose_elements_are_all_alike_cannot_be_checked():
    lines = Lines(differ=0.0)
    one, other = lines.counts[200].tobytes(), lines.counts[400].tobytes()
    assert not lines.broken(lines.counts[:200].tobytes() + one[:640] + other + one[640:]).any()


DETECTOR = rig.Detector(width=320)


@pytest.fixture(scope="module")
def flags(tmp_path_factory):
    return DETECTOR.references(tmp_path_factory.mktemp("references"))


def belt(lines: int, seed: int) -> np.ndarray:
    attenuation = np.full((lines, DETECTOR.width), WOOL)
    attenuation[:, :30] = attenuation[:, -30:] = 0
    return DETECTOR.expose(attenuation, seed)


def test_broken_lines_are_unseen_and_told_and_the_rest_is_looked_at(flags):
    lines, piece = belt(1200, 1), belt(1, 2).tobytes()
    content = lines.tobytes()
    cut = 600 * 640 + 301
    status, found, errors = rig.run(*flags, "--recorded", lines=content[:cut] + piece + content[cut:])
    assert (status, errors) == (0, "")
    assert accounted(found) == [0, 1201 * MM]
    assert [(alarm["alarm"], alarm["on"]) for alarm in kinds(found, "alarm")] == [
        ("broken_lines", True),
        ("broken_lines", False),
    ]
    unseen = kinds(found, "unseen")
    assert {event["reason"] for event in unseen} == {"broken_lines"}
    spans = [event["along_mm"] for event in unseen]
    assert spans[0][0] <= 600 * MM and 602 * MM <= spans[-1][1]
    assert sum(stop - start for start, stop in spans) <= (2 + 2 * AROUND) * MM
    assert kinds(found, "reject") == [] and found[-1]["tiles"] > 100


def test_two_writers_of_one_fifo_at_once(flags, tmp_path):
    """Each writes its lines in pieces that are no whole lines, as one does that buffers."""
    fifo = tmp_path / "lines"
    os.mkfifo(fifo)
    code = "import sys; b = open(sys.argv[1], 'rb').read(); f = open(sys.argv[2], 'wb', buffering=0)\n"
    code += "for i in range(0, len(b), 1000): f.write(b[i:i + 1000])"
    files = []
    for number in range(2):
        files.append(tmp_path / f"{number}.raw")
        files[-1].write_bytes(belt(2000, number).tobytes())
    process = rig.start(fifo, *flags, "--recorded")
    writers = [subprocess.Popen([sys.executable, "-c", code, file, fifo]) for file in files]
    killer = threading.Timer(60, process.kill)
    killer.start()
    output, errors = process.communicate()
    killer.cancel()
    assert [writer.wait() for writer in writers] == [0, 0] and (process.returncode, errors) == (0, b"")
    found = rig.events(output.decode())
    assert accounted(found) == [0, 4000 * MM]
    # Nothing on the belt is a defect, and what looks like one lies in lines that nobody wrote.
    assert kinds(found, "reject") == []
    told = {alarm["alarm"] for alarm in kinds(found, "alarm")}
    assert "broken_lines" in told or all(event["reason"] != "broken_lines" for event in kinds(found, "unseen"))


def test_a_defect_is_found_beside_broken_lines(flags):
    attenuation = np.full((1200, DETECTOR.width), WOOL)
    attenuation[:, :30] = attenuation[:, -30:] = 0
    attenuation[700:704, 200:204] = DEFECT
    content, piece = DETECTOR.expose(attenuation).tobytes(), belt(1, 2).tobytes()
    cut = 640 * 640 + 201
    _, found, _ = rig.run(*flags, "--recorded", lines=content[:cut] + piece + content[cut:])
    (reject,) = kinds(found, "reject")
    assert reject["along_mm"][0] <= 701 * MM and 705 * MM <= reject["along_mm"][1]
