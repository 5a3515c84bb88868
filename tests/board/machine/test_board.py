import dataclasses
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from checkout import environment
from wool_board.machine import board

QUIET = board.MachineFacts(
    governor="performance", clock_seen_mhz=(1480, 1500), others_cores=0.1, cores=4, pages_from_disk=3
)


@pytest.mark.parametrize(
    ("machine", "message"),
    [
        ({"emulator": "qemu-aarch64"}, "qemu-aarch64 emulates this CPU: the times say nothing about any board"),
        ({"governor": "ondemand"}, "the governor ondemand changes the clock; for steady figures: echo performance"),
        ({"clock_seen_mhz": (1000, 1500)}, "the clock changed between 1000 and 1500 MHz"),
        ({"others_cores": 2.3}, "other programs kept 2.3 of 4 cores busy"),
        ({"temperature_after": 81.2}, "the CPU reached 81 °C"),
        ({"throttled_before": 0, "throttled_after": 0x50005}, "the board reports under-voltage"),
        ({"throttled_before": 0, "throttled_after": 0x40000}, "the board reports throttling"),
        # It had been throttled before, and was again while it was timed.
        (
            {"throttled_before": 0xF0000, "throttled_after": 0xF0000, "throttled_meanwhile": 4},
            "the board reports throttling",
        ),
        ({"pages_from_disk": 5000}, "memory was short: 5000 pages had to be read from the disk"),
    ],
)
def test_warns_of_figures_that_cannot_be_trusted(machine, message):
    assert board.find_warnings(dataclasses.replace(QUIET, **machine))[0].startswith(message)


@pytest.mark.parametrize(
    "machine",
    [
        {},
        {"governor": None, "clock_seen_mhz": None, "others_cores": None},
        {"others_cores": 2.0},
        {"temperature_after": 79.0},
        {"throttled_before": 0xF0000, "throttled_after": 0xF0000},
    ],
)
def test_trusts_figures_otherwise(machine):
    assert board.find_warnings(dataclasses.replace(QUIET, **machine)) == []


def test_this_machine():
    found = board.describe()
    assert found.cores == os.cpu_count()
    assert found.architecture == os.uname().machine
    assert found.kernel.endswith(os.uname().release)
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert found.memory_mb == pytest.approx(pages / 1e6, rel=0.02)
    assert found.emulator is None


@pytest.fixture
def system(tmp_path, monkeypatch):
    """Stands in for the files of the kernel: writes what they are to say."""
    (tmp_path / "cpus").mkdir()
    monkeypatch.setattr(board, "CPUS", tmp_path / "cpus")

    def write(cpu: int, name: str, text: str) -> None:
        file = tmp_path / "cpus" / f"cpu{cpu}" / "cpufreq" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text}\n")

    return write


def test_governor_and_clock(system):
    assert board.clock_mhz() is board.describe().governor is board.describe().clock_limits_mhz is None
    system(0, "scaling_governor", "ondemand")
    system(0, "cpuinfo_min_freq", "600000")
    system(0, "cpuinfo_max_freq", "1500000")
    for cpu, clock in enumerate((600000, 1500000, 1400000, "<unknown>")):
        system(cpu, "scaling_cur_freq", clock)
    assert board.clock_mhz() == 1500
    found = board.describe()
    assert (found.governor, found.clock_limits_mhz) == ("ondemand", (600, 1500))


def test_the_watch_keeps_the_slowest_and_the_fastest_clock(system):
    watch = board.MachineWatch()
    assert watch.result().clock_seen_mhz is None
    for clock in (1500, 600, 1000):
        system(0, "scaling_cur_freq", 1000 * clock)
        watch.sample()
    assert watch.result().clock_seen_mhz == (600, 1500)


@pytest.fixture
def vcgencmd(tmp_path, monkeypatch) -> Path:
    command = tmp_path / "vcgencmd"
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    command.write_text(
        "#!/bin/sh\n"
        '[ "$*" = get_throttled ] && echo throttled=0x50005\n'
        '[ "$*" = "measure_clock arm" ] && echo "frequency(48)=1000265984"\n'
    )
    command.chmod(0o755)
    return command


def test_asks_a_raspberry_pi(vcgencmd, system):
    system(0, "scaling_cur_freq", "1500000")
    assert board.throttled() == 0x50005
    # The firmware knows better than the kernel.
    assert board.clock_mhz() == 1000


def test_a_raspberry_pi_that_does_not_answer(vcgencmd, system):
    system(0, "scaling_cur_freq", "1500000")
    vcgencmd.write_text("#!/bin/sh\necho VCHI initialization failed\nexit 1\n")
    assert (board.throttled(), board.clock_mhz()) == (None, 1500)
    vcgencmd.write_text("no program")
    assert (board.throttled(), board.clock_mhz()) == (None, 1500)


def test_no_raspberry_pi(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert board.throttled() is None


def test_other_programs_are_told_from_its_own_work():
    stranger = "import time\nwhile time.process_time() < 1: pass"
    before = board.others_seconds()
    # Not waited for, it is no child whose time is known.
    busy = subprocess.Popen([sys.executable, "-c", stranger])
    while busy_seconds(busy.pid) < 0.9:
        time.sleep(0.05)
    assert board.others_seconds() - before > 0.8
    busy.wait()


def busy_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_only_timed_work_of_others_counts(monkeypatch):
    clock = {"others": 0.0, "now": 0.0}
    monkeypatch.setattr(board, "others_seconds", lambda: clock["others"])
    monkeypatch.setattr(board.time, "monotonic", lambda: clock["now"])
    watch = board.MachineWatch()
    for others, seconds in ((3.0, 2.0), (1.0, 2.0)):
        clock["others"] += 100
        with watch.timed():
            clock["others"] += others
            clock["now"] += seconds
    assert watch.result().others_cores == 1.0


def test_the_most_memory():
    program = (
        "from wool_board.machine import board\n"
        "before = board.peak_memory_mb(); data = bytearray(50_000_000); after = board.peak_memory_mb(); del data\n"
        "board.reset_peak(); print(before, after, board.peak_memory_mb())"
    )
    finished = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment(), check=True
    )
    before, after, reset = map(float, finished.stdout.split())
    assert after - before == pytest.approx(50, abs=2)
    assert reset < after - 40


@pytest.mark.parametrize(
    ("program", "name"), [("/opt/qemu/bin/qemu-aarch64", "qemu-aarch64"), ("/usr/bin/python3.11", None)]
)
def test_tells_an_emulated_cpu(program, name, monkeypatch):
    monkeypatch.setattr(board.os, "readlink", lambda path: program)
    assert board.emulator() == name
