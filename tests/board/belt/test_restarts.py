"""Restarts, crashes and outputs that take nothing: what was not told is told by the next inspection."""

import contextlib
import dataclasses
import errno
import fcntl
import io
import itertools
import json
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import rig
from rig import DEFECT, WOOL, accounted, kinds
from wool_board.belt import inspection, program, start_event
from wool_board.belt import state as states
from wool_board.belt.config import InspectionConfig
from wool_board.belt.events import MUCH, Events
from wool_board.belt.resumption import resume
from wool_board.belt.state import State
from wool_board.belt.tiles import tiling
from wool_board.errors import WoolError
from wool_board.image.scan_files import LineFormat
from wool_board.machine import clocks
from wool_board.machine import outlet as outlets
from wool_board.machine.clocks import Moment
from wool_board.machine.outlet import Outlet

DETECTOR, MM = rig.Detector(), 0.5


@pytest.fixture(scope="module")
def flags(tmp_path_factory):
    return DETECTOR.references(tmp_path_factory.mktemp("references"))


def belt(lines: int, seed: int = 1) -> bytes:
    attenuation = np.zeros((lines, DETECTOR.width))
    for start in range(64, lines - 100, 400):
        attenuation[start : start + 200, 10:90] = WOOL
    return DETECTOR.expose(attenuation, seed).tobytes()


def left(path: Path) -> dict:
    return json.loads(path.read_text())


def until(holds, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_positions_go_on_behind_what_passed_unseen(flags, tmp_path):
    state = tmp_path / "state.json"
    status, first, _ = rig.run(*flags, f"--state={state}", "--recorded", lines=belt(1000))
    assert status == 0 and (first[0]["first_mm"], first[0]["resumed"]) == (0, None)
    assert left(state)["along_mm"] == 1000 * MM and left(state)["ended"]
    # Lines that waited meanwhile are none that passed.
    status, second, _ = rig.run(*flags, f"--state={state}", "--recorded", lines=belt(400))
    assert second[0]["first_mm"] == 1000 * MM and second[0]["resumed"]["unseen_mm"] == 0
    assert accounted(second) == [1000 * MM, 1400 * MM]
    assert kinds(second, "reject") == [] and second[-1]["along_mm"] == 1400 * MM and second[-1]["lines"] == 400
    # Those of a detector that does not wait are as many as the belt may have moved.
    time.sleep(0.5)
    status, third, _ = rig.run(*flags, f"--state={state}", "--lines_per_second=1000", lines=belt(400))
    resumed = third[0]["resumed"]
    assert resumed["ended"] and resumed["length"] == "at_most" and 0.5 <= resumed["seconds"] < 30
    (unseen,) = kinds(third, "unseen")
    assert unseen["length"] == "at_most"
    assert (unseen["reason"], unseen["along_mm"][0]) == ("restart", 1400 * MM)
    assert unseen["along_mm"][1] == third[0]["first_mm"]
    assert unseen["along_mm"][1] - unseen["along_mm"][0] == pytest.approx(1000 * MM * resumed["seconds"], abs=51)
    assert accounted(third) == [1400 * MM, third[0]["first_mm"] + 400 * MM]
    assert third[-1]["unseen_lines"] >= 500


@pytest.mark.parametrize("pixel", [0.8, 0.7, 0.35])
def test_a_place_that_is_left_in_millimetres_is_the_same_line_again(flags, pixel):
    layout, tiles = LineFormat(DETECTOR.width, "uint16le"), tiling(rig.SIDE, rig.MARGIN, DETECTOR.width, 0.5)
    config = InspectionConfig(layout, rig.WINDOW, pixel, 2 * tiles.seen, None, rig.SPACING, None, 60.0)
    lines = np.arange(0, 10**6, 7)
    assert [config.line(line * pixel) for line in lines.tolist()] == lines.tolist()
    assert config.line(5.5 * pixel) == 5.5


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_what_a_killed_inspection_did_not_tell_is_unseen(flags, tmp_path, number):
    state = tmp_path / "state.json"
    process = rig.start(*flags, f"--state={state}", "--recorded", delay=0.02)
    process.stdin.write(belt(3000))
    process.stdin.flush()
    until(lambda: state.exists() and left(state)["along_mm"] > 100)
    process.send_signal(number)
    # Half a line may be left of what a process that was killed said.
    told = [json.loads(line) for line in process.communicate()[0].decode().splitlines(keepends=True) if "\n" in line]
    killed = left(state)
    assert killed["ended"] == (number == signal.SIGTERM)
    assert accounted(told)[1] >= killed["along_mm"]
    _, second, _ = rig.run(*flags, f"--state={state}", "--recorded", lines=belt(100))
    assert accounted(told + second)[0] == 0
    assert accounted(second)[0] == killed["along_mm"] == second[0]["first_mm"] - second[0]["resumed"]["unseen_mm"]
    arrived = killed["arrived_mm"]
    assert accounted(second)[1] == pytest.approx(arrived + 100 * MM, abs=MM)
    assert killed["arrived_mm"] > killed["along_mm"] or number == signal.SIGTERM


class StateKeeper:
    """Keeps each state, with the events that were told before it."""

    trouble = None

    def __init__(self):
        self.stream, self.kept = io.StringIO(), []

    def save(self, state: State) -> None:
        self.kept.append((state, rig.events(self.stream.getvalue())))


def test_a_kill_takes_no_reject_away_whose_tiles_were_told(flags, tmp_path, monkeypatch):
    """Whenever it comes: a defective tile is in a reject that was told, or the next inspection calls it unseen."""
    monkeypatch.setattr(inspection, "SAVE_SECONDS", 0)
    attenuation = np.zeros((1200, DETECTOR.width))
    attenuation[100:900, 10:90] = WOOL
    attenuation[300:303, 40:43] = attenuation[500:700, 20:60] = DEFECT
    path, keeper = tmp_path / "belt.raw", StateKeeper()
    path.write_bytes(DETECTOR.expose(attenuation).tobytes())
    folder = Path(flags[0].partition("=")[2]).parent
    rig.inspect(path, folder, DETECTOR, writer=keeper, stream=keeper.stream)
    pending = 0
    for state, told in keeper.kept:
        rejected = [reject["along_mm"] for reject in kinds(told, "reject")]
        for tile in kinds(told, "tile"):
            (start, stop), told_by = tile["along_mm"], state.along_mm
            if tile["defective"] and not any(first <= start and stop <= last for first, last in rejected):
                assert told_by <= start
                pending += 1
    assert pending


def test_a_broken_output_is_one_line_and_the_next_inspection_says_what_was_not_told(flags, tmp_path):
    state = tmp_path / "state.json"
    process = rig.start(*flags, f"--state={state}", "--recorded")
    process.stdout.readline()
    process.stdout.close()
    process.stdin.write(belt(2000))
    process.stdin.close()
    errors = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait(30) == 1
    assert errors.splitlines() == ["inspect_line.py: standard output: cannot be written (Broken pipe)"]
    _, found, _ = rig.run(*flags, f"--state={state}", "--recorded", lines=belt(100))
    assert found[0]["event"] == "start" and accounted(found)[0] == 0


def test_what_one_could_not_say_the_next_one_says_again(flags, tmp_path):
    """Of three inspections the second is not heard: the third says what passed before it, too."""
    state = tmp_path / "state.json"
    states.write(state, State(500.0, 600.0, time.time(), 0.0, False, None))
    process = rig.start(*flags, f"--state={state}", "--recorded")
    process.stdout.close()
    process.stdin.write(belt(400))
    with contextlib.suppress(BrokenPipeError):
        process.stdin.close()
    process.stderr.close()
    assert process.wait(30) == 1
    _, found, _ = rig.run(*flags, f"--state={state}", "--recorded", lines=belt(100))
    assert accounted(found)[0] == 500 and kinds(found, "unseen")[0]["reason"] == "restart"
    assert found[0]["first_mm"] >= 600


def started(flags, *more, stdout, **options) -> subprocess.Popen:
    settings = rig.checkout.environment(rig.checkout.TESTS) | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        rig.command(*flags, *more, **options),
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env=settings,
    )


@pytest.mark.parametrize("more", [[], ["--recorded"]])
def test_a_full_disk_is_one_line(flags, more, monkeypatch):
    with open("/dev/full", "w") as full:
        process = started(flags, *more, stdout=full)
        _, errors = process.communicate(belt(500), timeout=60)
    assert process.returncode == 1
    (line,) = errors.decode().splitlines()
    assert line.startswith("inspect_line.py: standard output: cannot be written (No space left on device)")


def test_a_closed_output_is_one_line(flags):
    command = rig.command(*flags)
    code = "import os, sys; os.close(1); os.execv(sys.argv[1], sys.argv[1:])"
    settings = rig.checkout.environment(rig.checkout.TESTS)
    ran = subprocess.run(
        [command[0], "-c", code, *command], input=belt(100), stderr=subprocess.PIPE, env=settings, check=False
    )
    assert ran.returncode == 1
    assert ran.stderr.decode().splitlines() == ["inspect_line.py: standard output: is closed; give a file or a pipe"]


def test_a_pipe_that_does_not_block_gets_all(flags, tmp_path):
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    fcntl.fcntl(writing, 1031, 4096)
    process = started(flags, "--recorded", stdout=writing)
    os.close(writing)
    process.stdin.write(belt(4000))
    process.stdin.close()
    time.sleep(1.5)
    with open(reading) as pipe:
        found = rig.events(pipe.read())
    assert (process.wait(30), process.stderr.read()) == (0, b"")
    process.stderr.close()
    assert accounted(found) == [0, 4000 * MM] and found[-1]["final"]


def test_a_slow_reader_holds_nothing_up_and_hears_how_much_it_missed(flags):
    reading, writing = os.pipe()
    fcntl.fcntl(writing, 1031, 4096)
    process = started(flags, "--latency_mm=200000", stdout=writing)
    os.close(writing)
    lines, sent = belt(4000), 0
    attenuation = np.full((2000, DETECTOR.width), WOOL)
    attenuation[1000:1010, 40:50] = DEFECT
    product = DETECTOR.expose(attenuation).tobytes()
    head = b""
    while b"\n" not in head:
        head += os.read(reading, 4096)
    for _ in range(60):
        process.stdin.write(product)
        sent += 2000
        head += os.read(reading, 512)
    process.stdin.write(lines)
    sent += 4000
    process.stdin.flush()
    # Until all has been looked at; a reader that takes nothing for long would be given up.
    idle = 0
    while idle < 10:
        head += os.read(reading, 512)
        time.sleep(0.05)
        idle = 0 if rig.is_busy(process) else idle + 1
    with open(reading) as pipe:
        process.stdin.close()
        found = rig.events(head.decode() + pipe.read())
    assert (process.wait(30), process.stderr.read()) == (0, b"")
    process.stderr.close()
    untold = kinds(found, "untold")
    assert untold and sum(sum(event["events"].values()) for event in untold) > 100
    assert set().union(*(event["events"] for event in untold)) <= {"tile", "air", "overlap"}
    # Whatever calls for action is told, and what is missing is named.
    assert found[-1]["lost_lines"] == 0 and sum(r["last"] for r in kinds(found, "reject")) == found[-1]["rejects"] == 60
    told = [event | {"event": "unseen"} if event["event"] == "untold" else event for event in found]
    spans = sorted(e["along_mm"] for e in told if e["event"] in ("tile", "air", "unseen"))
    assert accounted([{"event": "air", "along_mm": span} for span in spans]) == [0, sent * MM]


class Descriptor:
    """What `os.write` does."""

    def __init__(self, monkeypatch, *answers):
        self.answers, self.written = list(answers), b""
        monkeypatch.setattr(outlets.os, "write", self.write)

    def write(self, _descriptor: int, content: bytes) -> int:
        answer = self.answers.pop(0) if self.answers else len(content)
        if answer < 0:
            raise OSError(-answer, os.strerror(-answer))
        self.written += content[:answer]
        return min(answer, len(content))


def test_an_outlet_keeps_the_order_whatever_is_taken(monkeypatch, tmp_path):
    with open(tmp_path / "out", "wb") as file:
        descriptor = Descriptor(monkeypatch, 3, -errno.EAGAIN, 1, -errno.ENOSPC, 2)
        outlet = Outlet(file.fileno(), waits=False)
        for number in range(2000):
            outlet.write(f"{number}\n")
        sizes = []
        for _ in range(3):
            outlet.flush()
            sizes.append(outlet.waiting)
        assert sizes[0] > sizes[1] > sizes[2] == 0
        assert descriptor.written.decode() == "".join(f"{number}\n" for number in range(2000))


def test_an_outlet_that_nothing_is_taken_from_gives_up(monkeypatch, tmp_path):
    monkeypatch.setattr(outlets, "PATIENCE", 0.05)
    with open(tmp_path / "out", "wb") as file:
        Descriptor(monkeypatch, *[-errno.EAGAIN] * 99)
        outlet = Outlet(file.fileno(), waits=False)
        outlet.write("text\n")
        outlet.flush()
        time.sleep(0.1)
        with pytest.raises(WoolError, match=r"cannot be written \(Resource temporarily unavailable\)$"):
            outlet.flush()


def test_a_terminal_that_shows_nothing_more_blocks_no_writing(monkeypatch):
    """Its window hangs. Asked, it has room as long as a byte has, and what does not fit would wait for ever."""
    monkeypatch.setattr(outlets, "PATIENCE", 0.3)
    screen, terminal = os.openpty()
    outlet, written = Outlet(terminal, waits=False), "x" * 79 + "\n"
    # The end of the window ends a write that waits.
    guard = threading.Timer(10, os.close, (screen,))
    guard.start()
    with pytest.raises(WoolError, match="^standard output: cannot be written"):
        while True:
            outlet.write(100 * written)
            outlet.flush()
    assert guard.is_alive(), "it was blocked"
    guard.cancel()
    # For others, the terminal is as it was.
    assert os.get_blocking(terminal)
    for descriptor in (screen, terminal):
        os.close(descriptor)


def test_what_calls_for_action_is_told_while_much_waits():
    class Slow:
        waiting, text = 0, ""

        def write(self, text):
            self.text += text

        def flush(self):
            pass

    stream = Slow()
    events = Events(stream, lambda: stream.waiting)
    stream.waiting = MUCH + 1
    for line in range(5):
        events.tell("tile", along_mm=[10.0 * line, 10.0 * line + 15])
    events.tell("reject", along_mm=[0.0, 10.0])
    stream.waiting = MUCH // 2
    events.tell("tile", along_mm=[50.0, 60.0])
    events.tell_untold()
    found = rig.events(stream.text)
    assert [event["event"] for event in found] == ["reject", "untold", "tile"]
    assert (found[1]["events"], found[1]["along_mm"]) == ({"tile": 5}, [0.0, 55.0])


A_STATE = State(100.0, 120.0, 1000.0, -0.03, False, None, boot="one", uptime=50.0, clock_set=True)


def moment(after: float, boot: str = "one", uptime: float | None = None, is_set: bool = True) -> Moment:
    """So many seconds after the state by the clock, and by what nobody sets, unless something else is said."""
    return Moment(1000.0 + after, boot, 50.0 + after if uptime is None else uptime, is_set)


@pytest.mark.parametrize(
    ("now", "first", "seconds", "least", "level"),
    [
        (moment(2), 200.0, 2.0, 2.0, -0.03),
        (moment(0.1), 120.0, 0.1, 0.1, -0.03),
        (moment(7200), 100.0 + 7200 * 50, 7200.0, 7200.0, 0.0),
        # The clock was set meanwhile, back, on, or by a year: no matter, as long as the machine ran.
        (moment(-100, uptime=52.0), 200.0, 2.0, 2.0, -0.03),
        (moment(365 * 86400, uptime=52.0, is_set=False), 200.0, 2.0, 2.0, -0.03),
        # After a power failure, with a clock that was set.
        (moment(600, "two", uptime=20.0), 100.0 + 600 * 50, 600.0, 600.0, -0.03),
        # And with one that goes on where it was, wakes up in 1970, or long after: nobody knows how long it was off.
        (moment(21, "two", uptime=20.0, is_set=False), 1100.0, None, 20.0, 0.0),
        (moment(-1000, "two", uptime=20.0, is_set=False), 1100.0, None, 20.0, 0.0),
        (moment(-1000, "two", uptime=20.0), 1100.0, None, 20.0, 0.0),
        # It cannot have begun before the state was left.
        (moment(5, "two", uptime=20.0), 1100.0, None, 20.0, 0.0),
        (moment(40 * 86400, "two", uptime=20.0), 1100.0, None, 20.0, 0.0),
        # Which start of the machine it is cannot be told.
        (Moment(1002.0, None, 20.0, True), 120.0, None, 0.0, 0.0),
    ],
)
def test_where_an_inspection_goes_on(now, first, seconds, least, level):
    found = resume(A_STATE, now, mm_per_second=50.0, references="ours")
    assert found.first_mm == pytest.approx(first)
    assert (found.seconds, found.least_seconds, found.level) == (seconds, least, level)
    assert found.told_mm == 100.0 and found.length == ("unknown" if seconds is None else "at_most")
    # Lines that waited are counted, whatever the clock says, by a process that came to its end.
    waited = resume(dataclasses.replace(A_STATE, ended=True), now, mm_per_second=None, references="ours")
    assert (waited.first_mm, waited.length) == (120.0, "counted")


def test_the_level_of_a_beam_is_one_by_the_references_that_it_was_measured_with():
    """New ones are what an alarm of a beam that drifted asks for: by them, there is no drift."""
    for left_by, level in (("ours", -0.03), ("theirs", 0.0), (None, -0.03)):
        state = dataclasses.replace(A_STATE, references=left_by)
        assert resume(state, moment(2), mm_per_second=50.0, references="ours").level == level


def test_a_restart_with_other_references_begins_with_their_beam(flags, tmp_path):
    """Product from the first line on, before any air, of an attenuation that is just that of the product."""
    state, brighter = tmp_path / "state.json", DETECTOR.expose(np.full((2000, DETECTOR.width), -0.1))
    _, first, _ = rig.run(*flags, f"--state={state}", "--recorded", lines=brighter.tobytes())
    assert first[-1]["beam_percent"] == pytest.approx(10.5, abs=0.3)
    _, same, _ = rig.run(*flags, f"--state={state}", "--recorded", lines=brighter[:100].tobytes())
    assert same[-1]["beam_percent"] == pytest.approx(10.5, abs=0.3)
    taken = [tmp_path / "dark.raw", tmp_path / "bright.raw"]
    for path, attenuation in zip(taken, (50.0, -0.1), strict=True):
        path.write_bytes(DETECTOR.expose(np.full((64, DETECTOR.width), attenuation), 2).tobytes())
    product = DETECTOR.expose(np.full((100, DETECTOR.width), WOOL - 0.1)).tobytes()
    named = [f"--dark={taken[0]}", f"--bright={taken[1]}", flags[2]]
    _, second, _ = rig.run(*named, f"--state={state}", "--recorded", lines=product)
    assert second[-1]["beam_percent"] == 0
    # 0.3 of the window of 1, as without any state.
    assert {tile["score"] for tile in kinds(second, "tile")} <= {round(grey / 255, 6) for grey in range(74, 82)}


def test_a_clock_that_was_not_set_when_the_state_was_left_tells_nothing():
    state = dataclasses.replace(A_STATE, clock_set=False)
    assert resume(state, moment(600, "two", uptime=20.0), 50.0, "ours").length == "unknown"
    assert resume(State(100.0, 120.0, 1000.0, 0.0, False, None), moment(2), 50.0, "ours").length == "unknown"


def test_what_passed_while_the_power_was_off_is_said_to_be_unknown(flags, tmp_path):
    """The machine has started anew since, and nothing has set its clock."""
    path = tmp_path / "state.json"
    now = clocks.now()
    for clock in (now.time + 3600, now.time - 60):
        states.write(path, State(500.0, 600.0, clock, 0.0, False, None, boot="another", uptime=9.0))
        _, found, _ = rig.run(*flags, f"--state={path}", "--lines_per_second=1000", lines=belt(100))
        resumed, alarm = found[0]["resumed"], kinds(found, "alarm")[0]
        assert (resumed["seconds"], resumed["length"]) == (None, "unknown")
        assert resumed["least_seconds"] == pytest.approx(now.uptime, abs=60)
        assert alarm["alarm"] == "restart_unknown" and alarm["least_seconds"] == resumed["least_seconds"]
        (unseen,) = kinds(found, "unseen")
        assert (unseen["reason"], unseen["length"]) == ("restart", "unknown")
        assert unseen["along_mm"][1] == pytest.approx(500 + 1000 * MM * resumed["least_seconds"], abs=51)
        assert accounted(found) == [500, found[0]["first_mm"] + 100 * MM]
        assert left(path)["boot"] == now.boot and left(path)["uptime"] >= now.uptime


def test_a_state_is_whole_whenever_writing_stops(tmp_path, monkeypatch):
    path = tmp_path / "state.json"
    states.write(path, A_STATE)
    assert states.read(path) == A_STATE
    for name in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(states.os, name, lambda *_: (_ for _ in ()).throw(OSError(errno.EIO, "Input/output error")))
            with pytest.raises(OSError):
                states.write(path, State(1.0, 1.0, 1.0, 0.0, True, None))
        assert states.read(path) == A_STATE


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"format": 2}', '{"format": 1, "along_mm": NaN}', "\x00" * 80, "[" * 10**5]
)
def test_what_holds_no_state_is_none(tmp_path, text, flags):
    path = tmp_path / "state.json"
    assert states.read(path) is None
    path.write_text(text)
    assert states.read(path) is None
    status, found, _ = rig.run(*flags, f"--state={path}", "--recorded", lines=belt(100))
    assert status == 0 and [e["alarm"] for e in kinds(found, "alarm")] == ["state"]
    assert found[0]["first_mm"] == 0 and left(path)["along_mm"] == 100 * MM


def test_lines_of_a_writer_that_waits_are_counted_only_if_the_process_came_to_its_end():
    now = dataclasses.replace(A_STATE.moment, uptime=A_STATE.uptime + 3)
    assert resume(dataclasses.replace(A_STATE, ended=True), now, None, "ours").length == "counted"
    assert resume(dataclasses.replace(A_STATE, ended=False), now, None, "ours").length == "at_least"


@pytest.mark.parametrize("level", [40.0, -3.0, 0.3])
def test_a_level_that_no_beam_was_followed_to_is_no_state(tmp_path, level):
    path = tmp_path / "state.json"
    states.write(path, dataclasses.replace(A_STATE, level=level))
    assert states.read(path) is None


@pytest.mark.parametrize("content", [0.0, WOOL])
def test_a_restart_far_along_the_belt_is_no_long_time_without_air_or_product(flags, tmp_path, content):
    path = tmp_path / "state.json"
    states.write(path, State(90_000.0, 90_000.0, 1.0, 0.0, True, None))
    lines = DETECTOR.expose(np.full((1000, DETECTOR.width), content)).tobytes()
    _, found, _ = rig.run(*flags, f"--state={path}", "--recorded", "--spacing_mm=501", lines=lines)
    assert found[0]["first_mm"] == 90_000 and kinds(found, "alarm") == []
    # From there it is as far as ever.
    _, found, _ = rig.run(*flags, f"--state={path}", "--recorded", "--spacing_mm=400", lines=lines)
    assert [e["alarm"] for e in kinds(found, "alarm")] == ["no_air" if content else "only_air"]


def test_only_one_inspection_at_a_time_has_a_state(flags, tmp_path):
    state = tmp_path / "state.json"
    one = rig.start(*flags, f"--state={state}", "--recorded")
    one.stdin.write(belt(100))
    one.stdin.flush()
    one.stdout.readline()
    status, found, errors = rig.run(*flags, f"--state={state}", "--recorded", lines=belt(100))
    assert (status, found) == (1, [])
    said = f"inspect_line.py: --state={state}: another inspection has it; end that one, or give another file\n"
    assert errors == said
    # One that is killed has it no longer, whatever it left.
    one.kill()
    one.communicate()
    status, found, _ = rig.run(*flags, f"--state={state}", "--recorded", lines=belt(100))
    assert status == 0 and found[-1]["lines"] == 100


def test_a_state_that_cannot_be_written_is_an_alarm(flags, tmp_path):
    process = rig.start(*flags, f"--state={tmp_path / 'no' / 'state.json'}", "--recorded")
    process.stdin.write(belt(100))
    process.stdin.flush()
    told = b""
    # The first state is due after two seconds.
    while b"state_unwritten" not in told:
        told += process.stdout.readline()
    output, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, b"")
    assert [e["alarm"] for e in kinds(rig.events((told + output).decode()), "alarm")] == ["state_unwritten"]


def test_old_references_are_said(flags, tmp_path):
    old = time.time() - 20 * 86400
    copies = []
    for flag in flags[:2]:
        name, path = flag.split("=", 1)
        copy = tmp_path / Path(path).name
        copy.write_bytes(Path(path).read_bytes())
        os.utime(copy, (old, old))
        copies.append(f"{name}={copy}")
    _, found, _ = rig.run(*copies, *flags[2:], lines=belt(100))
    assert found[0]["reference_days"] == 20
    assert found[1]["alarm"] == "old_references" and found[1]["days"] == 20


def test_elements_that_died_stay_repaired_after_a_restart(flags, tmp_path):
    state = tmp_path / "state.json"
    attenuation = np.zeros((1200, DETECTOR.width))
    for start in range(64, 1100, 400):
        attenuation[start : start + 200, 10:90] = WOOL
    counts = DETECTOR.expose(attenuation)
    rng = np.random.default_rng(0)
    counts[:, 40] = rng.normal(1000, 20, len(counts))
    counts[:, 70] = 15000
    _, first, _ = rig.run(*flags, f"--state={state}", "--recorded", lines=counts.tobytes())
    assert {e["alarm"]: e["elements"] for e in kinds(first, "alarm")} == {"dead_elements": [40], "stuck_elements": [70]}
    assert left(state)["elements"] == {"dead": [40], "stuck": [70]}
    # From the first line on: no reject of a dead element, and it is known before any span is judged.
    _, second, _ = rig.run(*flags, f"--state={state}", "--recorded", lines=counts[:200].tobytes())
    assert [(e["alarm"], e["on"]) for e in kinds(second, "alarm")] == [
        ("stuck_elements", True),
        ("dead_elements", True),
    ]
    assert kinds(second, "reject") == [] and left(state)["elements"] == {"dead": [40], "stuck": [70]}
    # Once the detector is repaired, this is seen.
    whole = DETECTOR.expose(attenuation).tobytes()
    _, third, _ = rig.run(*flags, f"--state={state}", "--recorded", lines=whole)
    assert {(e["alarm"], e["on"]) for e in kinds(third, "alarm")} == {
        (name, on) for name in ("dead_elements", "stuck_elements") for on in (True, False)
    }
    assert left(state)["elements"] == {}


@pytest.mark.parametrize(
    "changes",
    [{"along_mm": -1}, {"along_mm": 130.0}, {"arrived_mm": 1e300}, {"along_mm": True}, {"time": None}, {"ended": 1},
     {"uptime": -1}, {"boot": 7}, {"clock_set": None}, {"untold": {}}, {"untold": 3}, {"level": "0"},
     {"untold": {"events": {"tile": "x"}, "along_mm": None}}, {"untold": {"events": {}, "along_mm": [1]}},
     {"references": 7}],
)  # fmt: skip
def test_a_state_with_a_wrong_value_holds_none(tmp_path, changes):
    path = tmp_path / "state.json"
    states.write(path, A_STATE)
    path.write_text(json.dumps(left(path) | changes))
    assert states.read(path) is None


@pytest.mark.parametrize("elements", [None, [], {"dead": 3}, {"dead": ["3"]}, {"dead": [1.5]}])
def test_a_state_with_elements_that_are_none_holds_none(tmp_path, elements):
    path = tmp_path / "state.json"
    states.write(path, A_STATE)
    path.write_text(json.dumps(left(path) | {"elements": elements}))
    assert states.read(path) is None
    # One of an earlier version has none.
    found = left(path)
    del found["elements"]
    path.write_text(json.dumps(found))
    assert states.read(path) == A_STATE


@pytest.fixture
def inspected_at_ages(flags, tmp_path, monkeypatch, capfd):
    """Gives the events of an inspection whose references have these ages in days whenever it looks, then the last."""
    path = tmp_path / "belt.raw"
    path.write_bytes(belt(1000))
    # `rig.main` puts another in its place.
    monkeypatch.setattr(program, "Recognizer", program.Recognizer)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def inspected(*days: float | None) -> list[dict]:
        ages = itertools.chain(days, itertools.repeat(days[-1]))
        monkeypatch.setattr(start_event, "days_since", lambda _moment: next(ages))
        assert rig.main(["model", str(path), *flags, "--report_seconds=1e-9"]) == 0
        return rig.events(capfd.readouterr().out)

    yield inspected
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_references_that_are_old_by_a_wrong_clock_only_are_so_no_longer(inspected_at_ages):
    found = inspected_at_ages(1.0, 1.0, 3000.0, None, 1.0)
    assert [(e["alarm"], e["on"]) for e in kinds(found, "alarm")] == [
        ("old_references", True),
        ("old_references", False),
    ]


def test_references_that_become_old_while_they_are_used_are_said(inspected_at_ages):
    found = inspected_at_ages(13.9, 13.9, 13.9, 14.1)
    assert found[0]["reference_days"] == 13.9 and found[1]["event"] != "alarm"
    assert [(e["alarm"], e["days"]) for e in kinds(found, "alarm")] == [("old_references", 14.1)]
